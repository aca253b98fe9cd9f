//! Values that the form itself puts in and that do not fit their questions: no value of the type, no choice, not on the scale.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::Told;
use super::choices::Choices;
use crate::form::{ActionValue, Control, ControlKind, DataType, DiagnosticKind, FormDef, FormEvent, Preload};
use crate::ids::{DefId, FormulaId};
use crate::instance::canonical;
use crate::xpath::{Node, parse_number};

pub(super) fn look(form: &FormDef, told: &mut Told) {
    let mut seen = BTreeSet::new();
    let mut tell = |def, detail: String| {
        if seen.insert((def, detail.clone())) {
            told.tell(DiagnosticKind::UnfitDefault, form.path(def), detail);
        }
    };
    for (def, text) in written(form) {
        unfit_default(form, def, &text).into_iter().for_each(|detail| tell(def, detail));
    }
    for (def, node) in form.nodes.iter() {
        let preloaded = node.preload.as_ref().and_then(sample);
        if let Some((what, _)) = preloaded.filter(|(_, sample)| !is_of_type(sample, node.data_type)) {
            tell(def, format!("the {what} is no {}, so nothing is put in", node.data_type.name()));
        }
        let calculated = node.calculate.and_then(|formula| literal(form, formula));
        let unfit = calculated.and_then(|text| unfit_result(&text, node.data_type, "calculation"));
        unfit.into_iter().for_each(|detail| tell(def, detail));
    }
    for action in &form.actions {
        let text = match &action.value {
            Some(ActionValue::Text(text)) => Some(text.to_string()),
            Some(ActionValue::Formula(formula)) => literal(form, *formula),
            None => None,
        };
        let part = if action.events.contains(&FormEvent::ValueChanged) { "calculation" } else { "default" };
        let data_type = form.nodes[action.target].data_type;
        let unfit = text.and_then(|text| unfit_result(&text, data_type, part));
        unfit.into_iter().for_each(|detail| tell(action.target, detail));
    }
}

/// The values that stand in the record's structure, in templates and in rows, each with its node.
fn written(form: &FormDef) -> Vec<(DefId, String)> {
    let document = &form.document;
    let mut found = Vec::new();
    let mut pending = vec![(form.root(), form.instance)];
    while let Some((def, element)) = pending.pop() {
        for &attribute in &form.nodes[def].attributes {
            let qualified = &*form.nodes[attribute].qualified;
            let mut attributes = document.attributes(element).iter();
            let value = attributes.find(|attribute| document.attribute_name(attribute) == qualified);
            found.extend(value.map(|value| (attribute, document.attribute_value(value).into_owned())));
        }
        if form.nodes[def].children.is_empty() {
            found.push((def, document.text(element).trim().to_owned()));
        }
        let children: Vec<_> = document.children(element).collect();
        let named = |element| Some((form.child(def, document.element(element).name)?, element));
        pending.extend(children.into_iter().rev().filter_map(named));
    }
    found.retain(|(_, text)| !text.is_empty());
    found
}

/// What is wrong with a default, and what becomes of it.
fn unfit_default(form: &FormDef, def: DefId, text: &str) -> Option<String> {
    let node = &form.nodes[def];
    match node.control.map(|control| &form.controls[control]) {
        Some(control) if control.kind.has_choices() => unfit_choice(form, control, text, node.data_type),
        Some(control) if control.kind == ControlKind::Range && is_of_type(text, node.data_type) => {
            (!is_on_scale(control, text)).then(|| format!("'{text}' is not on the scale; it is kept"))
        }
        _ => (!is_of_type(text, node.data_type))
            .then(|| format!("'{text}' is no {}, so the question starts empty", node.data_type.name())),
    }
}

fn unfit_choice(form: &FormDef, control: &Control, text: &str, data_type: DataType) -> Option<String> {
    let choices = Choices::of(form, control).filter(|choices| !choices.values.is_empty())?;
    let is_several = control.kind != ControlKind::Select1;
    let mut answers = if is_several { text.split_ascii_whitespace().collect() } else { vec![text] };
    let same = |known: &str, answer: &str| {
        known == answer || value_of(answer, data_type).is_some_and(|value| value_of(known, data_type) == Some(value))
    };
    answers.retain(|answer| !choices.values.iter().any(|(known, _)| same(known, answer)));
    let of = choices.list.map(|list| format!(" of {list}")).unwrap_or_default();
    (!answers.is_empty()).then(|| format!("'{}' is none of the choices{of}, so it is dropped", answers.join(" ")))
}

/// A text as a value that is compared as one, not letter by letter.
fn value_of(text: &str, data_type: DataType) -> Option<String> {
    let is_text = matches!(data_type, DataType::String | DataType::Barcode | DataType::Binary);
    canonical(text, data_type, &TimeZone::UTC, 0).filter(|_| !is_text)
}

/// Whether a range can stand at a value; one without a scale is told as such.
fn is_on_scale(control: &Control, text: &str) -> bool {
    let number = |name| control.setting(name).map(parse_number).filter(|number: &f64| number.is_finite());
    let (Some(start), Some(end)) = (number("start"), number("end")) else { return true };
    let (value, step) = (parse_number(text), number("step").unwrap_or(1.0).abs());
    let steps = (value - start) / step;
    let is_between = start.min(end) <= value && value <= start.max(end);
    is_between && (step == 0.0 || (steps - steps.round()).abs() < 1e-9)
}

/// What is wrong with a text that an expression gives: numbers are cast, so that a fraction is one of whole ones, too.
fn unfit_result(text: &str, data_type: DataType, part: &str) -> Option<String> {
    let is_whole = matches!(data_type, DataType::Int | DataType::Long);
    let read_as = if is_whole { DataType::Decimal } else { data_type };
    let is_fit = text.is_empty() || is_of_type(text, read_as);
    (!is_fit).then(|| format!("'{text}' is no {}, so {part} puts nothing in", data_type.name()))
}

fn is_of_type(text: &str, data_type: DataType) -> bool {
    canonical(text, data_type, &TimeZone::UTC, 0).is_some()
}

/// The text that an expression is, if it is nothing else.
fn literal(form: &FormDef, formula: FormulaId) -> Option<String> {
    let expr = &form.formulas[formula].expr;
    match expr.node(expr.root()) {
        Node::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What a preload is, and one such value; none if that is not known before.
fn sample(preload: &Preload) -> Option<(&'static str, &'static str)> {
    match preload {
        Preload::Uid => Some(("uid", "uuid:00000000-0000-4000-8000-000000000000")),
        Preload::Today => Some(("date", "2026-01-15")),
        Preload::Start | Preload::End => Some(("timestamp", "2026-01-15T12:00:00.000Z")),
        Preload::Property(_) => None,
    }
}

//! Questions: what must be answered and cannot be, what has no words, and how it wishes to look.

use std::collections::BTreeSet;

use super::Told;
use crate::form::{Condition, Control, ControlKind, DiagnosticKind, Fit, FormDef};
use crate::ids::DefId;
use crate::xpath::parse_number;

pub(super) fn look(form: &FormDef, told: &mut Told) {
    let set: BTreeSet<_> = form.actions.iter().map(|action| action.target).collect();
    if !form.controls.iter().any(|(_, control)| control.kind.is_question()) {
        told.tell(DiagnosticKind::NothingAsked, "body", "");
    }
    for (_, control) in form.controls.iter() {
        let place = control.node.map(|node| form.path(node)).unwrap_or_default();
        if let Some(def) = control.node.filter(|_| control.kind.is_question()) {
            if must_and_cannot(form, def) && !set.contains(&def) {
                told.tell(DiagnosticKind::RequiredReadonly, place.as_str(), "");
            }
            if control.label.is_none() && control.hint.is_none() {
                told.tell(DiagnosticKind::NoLabel, place.as_str(), "");
            }
        }
        if control.kind == ControlKind::Range && !has_scale(control) {
            told.tell(DiagnosticKind::NoScale, place.as_str(), "");
        }
        for word in control.appearances() {
            match Fit::of(&word, form, control) {
                Fit::Fits => {}
                Fit::Elsewhere if control.kind == ControlKind::Group => {}
                Fit::Elsewhere => told.tell(DiagnosticKind::MisplacedAppearance, place.as_str(), word),
                Fit::Unknown => told.tell(DiagnosticKind::UnknownAppearance, place.as_str(), word),
            }
        }
    }
}

/// Whether the bounds of a range make a scale; it may run downwards.
fn has_scale(control: &Control) -> bool {
    let number = |name| control.setting(name).map(parse_number).filter(|number: &f64| number.is_finite());
    let (start, end) = (number("start"), number("end"));
    let step_is_fit = control.setting("step").is_none() || number("step").is_some_and(|step| step != 0.0);
    start.is_some() && end.is_some() && start != end && step_is_fit
}

/// Whether a question has to be answered, can never be, and nothing else gives it a value. One that only applies now and then
/// is left out: authors stop a person so, who has to go back and correct something.
fn must_and_cannot(form: &FormDef, def: DefId) -> bool {
    let node = &form.nodes[def];
    let is_readonly = form.ancestors(def).any(|def| form.nodes[def].readonly == Condition::Constant(true));
    let is_always_asked = form.ancestors(def).all(|def| form.nodes[def].relevant == Condition::Constant(true));
    let is_given = node.calculate.is_some() || node.preload.is_some() || has_default(form, def);
    node.required == Condition::Constant(true) && is_readonly && is_always_asked && !is_given
}

/// Whether some element of the record's structure holds a value for the node already.
fn has_default(form: &FormDef, def: DefId) -> bool {
    let mut path: Vec<_> = form.ancestors(def).map(|def| form.nodes[def].name).collect();
    path.reverse();
    let mut elements = vec![form.instance];
    for name in path.iter().skip(1) {
        let children = elements.iter().flat_map(|&element| form.document.children(element));
        elements = children.filter(|&child| form.document.element(child).name == *name).collect();
    }
    elements.iter().any(|&element| !form.document.text(element).trim().is_empty())
}

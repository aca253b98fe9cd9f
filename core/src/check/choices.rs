//! What questions offer: choices without a value, with a blank or twice; lists and columns that are missing or never used;
//! answers compared with what is never offered.

use std::collections::{BTreeMap, BTreeSet};

use super::Told;
use super::spots::spots;
use super::tables::{Table, child, column_of, path_of};
use crate::form::{Control, ControlKind, DiagnosticKind, FormDef, Label, ListTree};
use crate::ids::{DefId, ElementId};
use crate::text::language::is_missing;
use crate::xml::{NameId, Namespace};
use crate::xpath::{Axis, Expr, ExprId, Function, Node, Operator, Path, Start, format_number, parse_number};

pub(super) fn look(form: &FormDef, told: &mut Told) {
    for (_, control) in form.controls.iter().filter(|(_, control)| control.kind.has_choices()) {
        let place = control.node.map(|node| form.path(node)).unwrap_or_default();
        look_at_offer(form, control, &place, told);
    }
    look_at_lists(form, told);
    let offered = offered_values(form);
    for (id, spot) in spots(form) {
        let expr = &form.formulas[id].expr;
        for (question, value) in compared(form, expr, spot.def) {
            if offered.get(&question).is_some_and(|values| !is_among(values, &value)) {
                let detail = format!("{} with '{value}' in {}", form.path(question), spot.part);
                told.tell(DiagnosticKind::NeverChosen, form.path(spot.def), detail);
            }
        }
    }
}

/// One question's choices.
fn look_at_offer(form: &FormDef, control: &Control, place: &str, told: &mut Told) {
    let Some(choices) = Choices::of(form, control) else { return };
    // One diagnostic for a question, whatever the number of choices: a long list would drown all others.
    let named = |values: BTreeSet<String>| {
        let shown: Vec<_> = values.iter().take(5).cloned().collect();
        let more = values.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let n_empty = choices.values.iter().filter(|(value, _)| value.is_empty()).count();
    if n_empty > 0 && !choices.is_filtered_by_value {
        told.tell(DiagnosticKind::ChoiceWithoutValue, place, format!("{n_empty} of {}", choices.values.len()));
    }
    if choices.values.is_empty() {
        told.tell(DiagnosticKind::NoChoices, place, choices.list.clone().unwrap_or_default());
    }
    if control.kind != ControlKind::Select1 {
        let with_blank = choices.values.iter().filter(|(value, _)| value.contains(char::is_whitespace));
        let with_blank: BTreeSet<_> = with_blank.map(|(value, _)| value.clone()).collect();
        if !with_blank.is_empty() {
            told.tell(DiagnosticKind::ChoiceWithBlank, place, named(with_blank));
        }
    }
    let mut seen = BTreeSet::new();
    let twice = choices.values.iter().filter(|choice| !choice.0.is_empty() && !seen.insert(*choice));
    let twice: BTreeSet<_> = twice.map(|(value, _)| value.clone()).collect();
    if !twice.is_empty() {
        told.tell(DiagnosticKind::DuplicateChoice, place, named(twice));
    }
    // Two that look the same and have one value are told already.
    let mut seen: BTreeMap<_, &str> = BTreeMap::new();
    let mut alike = BTreeSet::new();
    for ((value, cells), label) in choices.values.iter().zip(&choices.labels) {
        let label = label.as_ref().filter(|label| !is_missing(label));
        if let Some(label) = label
            && *seen.entry((label, cells)).or_insert(value) != value
        {
            alike.insert(label.clone());
        }
    }
    if !alike.is_empty() {
        told.tell(DiagnosticKind::DuplicateLabel, place, named(alike));
    }
}

/// What a question may offer, as far as the form alone tells.
pub(super) struct Choices {
    /// The value of each, and the cells by which it is filtered: two with the same value, and different ones of these, are
    /// never offered together.
    pub(super) values: Vec<(String, Vec<String>)>,
    /// The words of each in the language that the form begins in, where they are all that is shown of it.
    labels: Vec<Option<String>>,
    is_filtered_by_value: bool,
    pub(super) list: Option<String>,
}

impl Choices {
    pub(super) fn of(form: &FormDef, control: &Control) -> Option<Self> {
        let written = control.items.iter().map(|item| (item.value.trim().to_owned(), Vec::new()));
        let words_written = control.items.iter().map(|item| words_of(form, item.label.as_ref()?));
        let Some(itemset) = &control.itemset else {
            let (values, labels) = (written.collect(), words_written.collect());
            return Some(Self { values, labels, is_filtered_by_value: false, list: None });
        };
        let expr = &form.formulas[itemset.nodeset].expr;
        let path = path_of(expr)?;
        let table = Table::of(form, path, path.steps.len())?;
        let value = column_of(&form.formulas[itemset.value].expr)?;
        let filters = filters(expr, path);
        let row = |row| {
            let cells = filters.iter().map(|&column| table.cell(row, column).into_owned()).collect();
            (table.cell(row, value).into_owned(), cells)
        };
        let Start::Instance(list) = &path.start else { return None };
        let words = |row| match itemset.label.as_ref()? {
            Label::Formula(label) => Some(table.cell(row, column_of(&form.formulas[*label].expr)?).trim().to_owned()),
            Label::ItextOf(label) => {
                let id = table.cell(row, column_of(&form.formulas[*label].expr)?);
                words_of(form, &Label::Itext(id.as_ref().into()))
            }
            _ => None,
        };
        let values = written.chain((0..table.len()).map(row));
        let mut choices: Vec<_> = values.zip(words_written.chain((0..table.len()).map(words))).collect();
        if itemset.is_distinct {
            let mut seen = BTreeSet::new();
            choices.retain(|((value, _), _)| seen.insert(value.clone()));
        }
        let (values, labels) = choices.into_iter().unzip();
        let is_filtered_by_value = filters.contains(&value);
        Some(Self { values, labels, is_filtered_by_value, list: Some(list.to_string()) })
    }
}

/// The words of a label; none if it shows an answer, or a picture or sound beside them.
fn words_of(form: &FormDef, label: &Label) -> Option<String> {
    let (document, names) = (&form.document, &form.names);
    let element = match label {
        Label::Literal(element) => *element,
        Label::Itext(id) => {
            let text = form.itext.text(document, names, form.itext.default, id)?;
            let form_of = |value: ElementId| document.attribute(value, Namespace::None, names.find("form"));
            if document.children(text).any(|value| form_of(value).is_some_and(|form| form != "long" && form != "short"))
            {
                return None;
            }
            form.itext.value(document, names, text, None)?
        }
        _ => return None,
    };
    (!document.has_children(element)).then(|| document.text(element).trim().to_owned())
}

/// The columns that the predicates of a path read.
fn filters(expr: &Expr, path: &Path) -> Vec<NameId> {
    let mut columns = BTreeSet::new();
    let mut pending: Vec<ExprId> = path.steps.iter().flat_map(|step| step.predicates.iter().copied()).collect();
    while let Some(id) = pending.pop() {
        match expr.node(id) {
            Node::Number(_) | Node::Text(_) => {}
            Node::Negate(inner) => pending.push(*inner),
            Node::Binary { left, right, .. } => pending.extend([*left, *right]),
            Node::Call { args, .. } => pending.extend(args),
            Node::Path(path) if path.start == Start::Context => columns.extend(path.steps.first().and_then(child)),
            Node::Path(_) => {}
        }
    }
    columns.into_iter().collect()
}

/// Lists that no expression uses, and columns that no list has.
fn look_at_lists(form: &FormDef, told: &mut Told) {
    let mut used = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for (_, formula) in form.formulas.iter() {
        used.extend(formula.expr.instance_ids().map(str::to_owned));
        for read in formula.expr.paths() {
            missing.extend(missing_columns(form, &formula.expr, read.path));
        }
    }
    for (_, control) in form.controls.iter() {
        let Some(itemset) = &control.itemset else { continue };
        let Some(path) = path_of(&form.formulas[itemset.nodeset].expr) else { continue };
        let (Start::Instance(list), Some(table)) = (&path.start, Table::of(form, path, path.steps.len())) else {
            continue;
        };
        let labels = itemset.label.iter().flat_map(Label::formulas).copied();
        for formula in std::iter::once(itemset.value).chain(labels) {
            if let Some(column) = column_of(&form.formulas[formula].expr)
                && !table.has_column(column)
            {
                missing.insert((list.to_string(), form.names.get(column).to_owned()));
            }
        }
    }
    for (list, column) in missing {
        told.tell(DiagnosticKind::MissingColumn, list, column);
    }
    for list in &form.lists {
        // The record before is declared by every form that names it anywhere, and is no list.
        if !used.contains(&*list.id) && !matches!(list.tree, ListTree::LastSaved) {
            told.tell(DiagnosticKind::UnusedList, &*list.id, "");
        }
    }
}

/// The columns that a path reads of a list, in its predicates or behind its rows, and the list does not have.
fn missing_columns(form: &FormDef, expr: &Expr, path: &Path) -> Vec<(String, String)> {
    let Start::Instance(list) = &path.start else { return Vec::new() };
    let Some(table) = Table::of(form, path, 2).filter(|table| table.len() > 0) else { return Vec::new() };
    let rows = Path { start: path.start.clone(), steps: path.steps.iter().take(2).cloned().collect() };
    let mut read = filters(expr, &rows);
    read.extend(path.steps.get(2).and_then(child));
    // Columns that begin so belong to every list of entities, and to none of their files.
    read.retain(|&column| !table.has_column(column) && !form.names.get(column).starts_with("__"));
    read.into_iter().map(|column| (list.to_string(), form.names.get(column).to_owned())).collect()
}

/// The values that each question can have, where nothing else than a choice of a known list can be its answer.
fn offered_values(form: &FormDef) -> BTreeMap<DefId, BTreeSet<String>> {
    let mut all: BTreeMap<DefId, BTreeSet<String>> = BTreeMap::new();
    let set: BTreeSet<_> = form.actions.iter().map(|action| action.target).collect();
    for (def, node) in form.nodes.iter() {
        let asked: Vec<_> = form.controls.iter().filter(|(_, control)| control.node == Some(def)).collect();
        if node.calculate.is_some() || set.contains(&def) || asked.is_empty() {
            continue;
        }
        let choices: Option<Vec<_>> = asked
            .iter()
            .map(|(_, control)| if control.kind.has_choices() { Choices::of(form, control) } else { None })
            .collect();
        if let Some(choices) = choices {
            let values = choices.into_iter().flat_map(|choices| choices.values).map(|(value, _)| value);
            let values: BTreeSet<String> = values.collect();
            // A list without rows says nothing of what they will be.
            if !values.is_empty() {
                all.insert(def, values);
            }
        }
    }
    all
}

/// The questions of the record that are compared with a text or a number written out.
fn compared(form: &FormDef, expr: &Expr, target: DefId) -> Vec<(DefId, String)> {
    let literal = |id: ExprId| match expr.node(id) {
        Node::Text(text) => Some(text.to_string()),
        Node::Number(number) => Some(format_number(*number)),
        _ => None,
    };
    let question = |id: ExprId| match expr.node(id) {
        Node::Path(path) => question_of(form, path, target),
        _ => None,
    };
    let mut found = Vec::new();
    let inside: BTreeSet<ExprId> =
        expr.paths().iter().filter(|read| read.within.is_some()).map(|read| read.id).collect();
    for (_, node) in expr.iter() {
        let (subject, value) = match node {
            Node::Binary { operator: Operator::Equal | Operator::NotEqual, left, right } => {
                if literal(*left).is_some() { (*right, *left) } else { (*left, *right) }
            }
            Node::Call { function: Function::Selected, args } => match args.as_slice() {
                [list, value] => (*list, *value),
                _ => continue,
            },
            _ => continue,
        };
        // A relative path in a predicate stands on a candidate, not on the question.
        let is_relative = matches!(expr.node(subject), Node::Path(path) if path.start == Start::Context);
        if is_relative && inside.contains(&subject) {
            continue;
        }
        if let (Some(question), Some(value)) = (question(subject), literal(value)) {
            found.push((question, value));
        }
    }
    found
}

/// The node of the record that a path without wildcards means.
fn question_of(form: &FormDef, path: &Path, target: DefId) -> Option<DefId> {
    let mut def = match path.start {
        Start::Context | Start::Current => Some(target),
        Start::Root => None,
        Start::Instance(_) => return None,
    };
    for step in &path.steps {
        def = match (step.axis, def) {
            (Axis::Itself, def) => def,
            (Axis::Parent, Some(def)) => Some(form.nodes[def].parent?),
            (Axis::Child, None) => Some(form.root()).filter(|&root| child(step) == Some(form.nodes[root].name)),
            (Axis::Child, Some(def)) => {
                let name = child(step)?;
                Some(form.nodes[def].children.iter().copied().find(|&child| form.nodes[child].name == name)?)
            }
            _ => return None,
        };
    }
    def
}

fn is_among(values: &BTreeSet<String>, value: &str) -> bool {
    let number = parse_number(value);
    let same = |known: &String| known == value || number.is_finite() && parse_number(known) == number;
    value.is_empty() || value.split_ascii_whitespace().all(|value| values.contains(value)) || values.iter().any(same)
}

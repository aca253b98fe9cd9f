use std::collections::BTreeMap;

use crate::form::{ActionValue, Condition, Control, FormDef, FormEvent, Label};
use crate::ids::{DefId, ElementId, FormulaId};

/// Where an expression stands: the question, and the column of an XLSForm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) def: DefId,
    pub(super) part: &'static str,
}

/// Where every expression of the form stands; those of texts that nothing shows are left out.
pub(super) fn spots(form: &FormDef) -> BTreeMap<FormulaId, Spot> {
    let mut spots = Spots { form, found: BTreeMap::new() };
    for (def, node) in form.nodes.iter() {
        let conditions = [(node.relevant, "relevant"), (node.readonly, "read_only"), (node.required, "required")];
        for (condition, part) in conditions {
            if let Condition::Formula(formula) = condition {
                spots.put(formula, def, part);
            }
        }
        let rules = [(node.constraint, "constraint"), (node.calculate, "calculation")];
        rules.into_iter().for_each(|(formula, part)| formula.into_iter().for_each(|id| spots.put(id, def, part)));
        spots.put_label(node.constraint_message.as_ref(), def, "constraint_message");
        spots.put_label(node.required_message.as_ref(), def, "required_message");
    }
    for (_, control) in form.controls.iter() {
        let def = node_of(form, control);
        spots.put_label(control.label.as_ref(), def, "label");
        spots.put_label(control.hint.as_ref(), def, "hint");
        for item in &control.items {
            spots.put_label(item.label.as_ref(), def, "choices");
        }
        if let Some(itemset) = &control.itemset {
            spots.put(itemset.nodeset, def, "choice_filter");
            spots.put(itemset.value, def, "choices");
            spots.put_label(itemset.label.as_ref(), def, "choices");
        }
        if let Some(count) = control.count {
            spots.put(count, def, "repeat_count");
        }
    }
    for action in &form.actions {
        if let Some(ActionValue::Formula(formula)) = action.value {
            let is_trigger = action.events.contains(&FormEvent::ValueChanged);
            spots.put(formula, action.target, if is_trigger { "calculation" } else { "default" });
        }
    }
    spots.found
}

/// The node a control stands on: its own, or that of the container around it.
fn node_of(form: &FormDef, control: &Control) -> DefId {
    let parents = std::iter::successors(Some(control), |control| control.parent.map(|parent| &form.controls[parent]));
    parents.into_iter().find_map(|control| control.node).unwrap_or(form.root())
}

struct Spots<'f> {
    form: &'f FormDef,
    found: BTreeMap<FormulaId, Spot>,
}

impl Spots<'_> {
    fn put(&mut self, formula: FormulaId, def: DefId, part: &'static str) {
        self.found.entry(formula).or_insert(Spot { def, part });
    }

    fn put_label(&mut self, label: Option<&Label>, def: DefId, part: &'static str) {
        let form = self.form;
        label.into_iter().flat_map(Label::formulas).for_each(|&formula| self.put(formula, def, part));
        match label {
            Some(Label::Literal(element)) => self.put_outputs(*element, def, part),
            Some(Label::Itext(id)) => {
                for language in 0..form.itext.languages().len() {
                    let text = form.itext.text(&form.document, &form.names, language, id);
                    let values: Vec<_> = text.into_iter().flat_map(|text| form.document.children(text)).collect();
                    values.into_iter().for_each(|value| self.put_outputs(value, def, part));
                }
            }
            Some(Label::Plain(_) | Label::Formula(_) | Label::ItextOf(_) | Label::ByLanguage(_)) | None => {}
        }
    }

    fn put_outputs(&mut self, text: ElementId, def: DefId, part: &'static str) {
        let outputs = self.form.document.children(text).filter_map(|child| self.form.outputs.get(&child).copied());
        for formula in outputs.collect::<Vec<_>>() {
            self.put(formula, def, part);
        }
    }
}

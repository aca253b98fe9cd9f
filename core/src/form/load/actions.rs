use std::sync::Arc;

use super::Loader;
use super::binds::Target;
use crate::form::{Action, ActionValue, DiagnosticKind, FormEvent, Reference};
use crate::ids::{ControlId, DefId, ElementId, FormulaId};
use crate::xml::Namespace;
use crate::xpath::{Axis, NameTest, Node, Start};

impl Loader {
    pub(super) fn read_model_actions(&mut self, model: ElementId) {
        let document = Arc::clone(&self.document);
        for child in document.children(model) {
            self.read_action(child, None);
        }
    }

    /// Reads an action element; says whether it was one.
    pub(super) fn read_action(&mut self, element: ElementId, scope: Option<ControlId>) -> bool {
        let name = self.name(element).to_owned();
        if !matches!(name.as_str(), "setvalue" | "setgeopoint" | "recordaudio") {
            return false;
        }
        self.taken.element(element);
        let context = self.scope_node(scope);
        let Some(Target { def: Some(target), reference }) = self.target(element, context) else {
            let written = ["ref", "bind"].iter().find_map(|name| self.attribute(element, Namespace::None, name));
            self.taken.whole(element);
            self.warn(DiagnosticKind::ActionOnNothing, written.unwrap_or_default(), "");
            return true;
        };
        self.taken.about(element, target);
        if name != "setvalue" {
            self.taken.whole(element);
            self.warn(DiagnosticKind::Unsupported, reference, format!("the action {name}"));
            return true;
        }
        if self.attribute(element, Namespace::None, "value").is_some() && !self.document.text(element).trim().is_empty()
        {
            self.warn(DiagnosticKind::NoEffect, reference.as_str(), "a setvalue has a value, so its text is not used");
        }
        let events = self.events(element, &reference);
        let Ok(value) = self.action_value(element, target, &reference) else { return true };
        let context = context.unwrap_or(self.nodes.root());
        let rows = Reference::read(&reference).filter(|reference| reference.has_predicates);
        let rows = rows.and_then(|_| self.formula(&reference, context, &reference, "ref"));
        self.actions.push(Action { events, target, rows, open_repeats: Vec::new(), value, scope });
        true
    }

    fn events(&mut self, element: ElementId, place: &str) -> Vec<FormEvent> {
        let names = self
            .attribute(element, Namespace::None, "event")
            .or_else(|| self.attribute(element, Namespace::XmlEvents, "event"))
            .unwrap_or_default();
        if names.trim().is_empty() {
            self.warn(DiagnosticKind::UnknownEvent, place, "it names none");
        }
        let mut events = Vec::new();
        for name in names.split_ascii_whitespace() {
            match form_event(name) {
                Some(event) => events.push(event),
                None => self.warn(DiagnosticKind::UnknownEvent, place, name),
            }
        }
        events
    }

    /// What an action puts in; an error if that cannot be read, which has been said.
    fn action_value(&mut self, element: ElementId, target: DefId, place: &str) -> Result<Option<ActionValue>, ()> {
        match self.attribute(element, Namespace::None, "value") {
            // Wherever the action stands, its expression stands on the target.
            Some(source) if !source.trim().is_empty() => self
                .formula(&source, target, place, "setvalue")
                .map(|formula| Some(ActionValue::Formula(formula)))
                .ok_or(()),
            // It is there and says nothing: the text within is not meant.
            Some(_) => Ok(None),
            None => {
                let text = self.document.text(element);
                Ok((!text.is_empty()).then(|| ActionValue::Text(text.into())))
            }
        }
    }

    /// The node around an action: that of the control it stands in.
    fn scope_node(&self, scope: Option<ControlId>) -> Option<DefId> {
        std::iter::successors(scope, |&control| self.controls[control].parent)
            .find_map(|control| self.controls[control].node)
    }

    /// Looks at every action once all repeats are known: which rows it leaves open, and whether it can run at all.
    pub(super) fn check_actions(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in &mut actions {
            let chosen = action.rows.map(|rows| self.repeats_with_predicates(rows)).unwrap_or_default();
            let repeats = self.nodes.ancestors(action.target).filter(|&def| self.nodes[def].repeat.is_some());
            action.open_repeats = repeats.filter(|def| !chosen.contains(def)).collect();
            for (kind, detail) in self.problems_of(action) {
                self.warn(kind, self.nodes.path(&self.names, action.target), detail);
            }
        }
        self.actions = actions;
    }

    fn problems_of(&self, action: &Action) -> Vec<(DiagnosticKind, &'static str)> {
        let mut problems = Vec::new();
        let is = |event| action.events.contains(&event);
        let control = action.scope.map(|scope| &self.controls[scope]);
        let scope = self.scope_node(action.scope);
        let around: Vec<_> = scope.into_iter().flat_map(|node| self.nodes.ancestors(node)).collect();
        let in_repeat = around.iter().any(|&def| self.nodes[def].repeat.is_some());
        let is_open = action.open_repeats.iter().any(|def| !around.contains(def));
        if !self.nodes[action.target].children.is_empty() {
            problems.push((DiagnosticKind::NoEffect, "a setvalue names a group, which holds no value"));
        }
        if is(FormEvent::ValueChanged) && !control.is_some_and(|control| control.kind.is_question()) {
            problems.push((
                DiagnosticKind::NoEffect,
                "xforms-value-changed happens to questions, and the action stands in none",
            ));
        }
        if is(FormEvent::NewRepeat) && control.is_none() {
            problems.push((DiagnosticKind::MisplacedAction, ""));
        }
        if is(FormEvent::NewRepeat) && control.is_some() && !in_repeat {
            problems
                .push((DiagnosticKind::NoEffect, "odk-new-repeat happens in repeats, and the action stands in none"));
        }
        // The default of the first row stands at the model, beside one in the repeat for the others.
        let is_default = action.events.iter().all(|event| matches!(event, FormEvent::FirstLoad | FormEvent::NewRepeat));
        if is_open && !is_default {
            problems.push((DiagnosticKind::UnboundRow, ""));
        }
        problems
    }

    /// The nodes of a path's steps that choose among rows.
    fn repeats_with_predicates(&self, path: FormulaId) -> Vec<DefId> {
        let formula = &self.formulas[path];
        let Node::Path(path) = formula.expr.node(formula.expr.root()) else { return Vec::new() };
        let mut at = if path.start == Start::Root { None } else { Some(formula.context) };
        let mut chosen = Vec::new();
        for step in &path.steps {
            at = match (step.axis, step.test, at) {
                (Axis::Parent, _, Some(def)) => self.nodes[def].parent,
                (Axis::Child, NameTest::Name(name), Some(def)) => self.nodes.child(def, name),
                (Axis::Child, _, None) => Some(self.nodes.root()),
                _ => return chosen,
            };
            if !step.predicates.is_empty() {
                chosen.extend(at);
            }
        }
        chosen
    }
}

fn form_event(name: &str) -> Option<FormEvent> {
    match name {
        "odk-instance-first-load" | "xforms-ready" => Some(FormEvent::FirstLoad),
        "odk-instance-load" => Some(FormEvent::Load),
        "odk-new-repeat" | "jr-insert" => Some(FormEvent::NewRepeat),
        "xforms-value-changed" => Some(FormEvent::ValueChanged),
        "xforms-revalidate" => Some(FormEvent::Revalidate),
        _ => None,
    }
}

use std::sync::Arc;

use super::Engine;
use crate::form::{Action, ActionValue, FormEvent};
use crate::ids::{DefId, NodeId};
use crate::instance::{Node, store};
use crate::xpath::Value;

/// Chains of `xforms-value-changed` end here: two questions that set each other would never.
const MAX_CHAIN: usize = 100;

impl Engine {
    /// Runs the actions of an event of the whole form, each once per instance of the control it stands in.
    pub(super) fn run_form_actions(&mut self, event: FormEvent) {
        let form = Arc::clone(&self.form);
        for action in form.actions.iter().filter(|action| action.events.contains(&event)) {
            for context in self.tree.instances_below(&form, self.tree.root(), form.scope(action)) {
                self.run_action(action, context);
            }
        }
    }

    /// Runs the actions nested in a repeat on its new instance, and those of the model that are about it.
    pub(super) fn run_new_repeat_actions(&mut self, instance: NodeId) {
        let form = Arc::clone(&self.form);
        let repeat = self.tree.node(instance).def;
        // Each is looked at for each new instance.
        self.budget.spend(form.actions.len() as u64);
        let is_meant =
            |action: &&Action| action.events.contains(&FormEvent::NewRepeat) && form.is_about_new_rows(action, repeat);
        for action in form.actions.iter().filter(is_meant) {
            self.run_action(action, instance);
        }
    }

    /// Runs the actions of a question whose value changed, after recalculation, and those of the questions they change.
    pub(super) fn run_value_changed_actions(&mut self, question: NodeId) {
        let form = Arc::clone(&self.form);
        let mut pending = vec![question];
        for _ in 0..MAX_CHAIN {
            let Some(question) = pending.pop().filter(|_| !self.budget.is_passed()) else { return };
            let def = self.tree.node(question).def;
            for action in &form.actions {
                let scope = action.scope.and_then(|scope| form.controls[scope].node);
                if scope != Some(def) || !action.events.contains(&FormEvent::ValueChanged) {
                    continue;
                }
                pending.extend(self.run_action(action, question));
            }
            self.propagate();
        }
    }

    /// Sets what an action that runs on `context` is about, whatever the relevance and constraints. Tells the nodes whose
    /// values are others now.
    fn run_action(&mut self, action: &Action, context: NodeId) -> Vec<NodeId> {
        let mut targets = self.targets(action, context);
        targets.retain(|&target| {
            let value = match &action.value {
                Some(ActionValue::Formula(formula)) => self.evaluate(*formula, target),
                Some(ActionValue::Text(text)) => Value::Text(text.to_string()),
                None => Value::empty(),
            };
            let stored = store(value, self.form.nodes[action.target].data_type, &self.view());
            self.set_value(target, stored.text)
        });
        targets
    }

    /// The nodes that an action on `context` sets: in the instances around the context, else in those its predicates choose.
    /// A repeat that neither settles is meant only while there is one instance: never all of them.
    fn targets(&self, action: &Action, context: NodeId) -> Vec<NodeId> {
        let form = &self.form;
        if !form.nodes[action.target].children.is_empty() {
            return Vec::new();
        }
        let mut targets = match action.rows {
            None => self.nodes_beside(context, action.target),
            Some(rows) => {
                let stands_on = form.formulas[rows].context;
                let stands_on = self.tree.ancestor_of(context, stands_on).unwrap_or(context);
                let Value::Nodes(nodes) = self.evaluate_raw(rows, stands_on) else { return Vec::new() };
                let nodes = nodes.iter().filter(|node| node.tree == 0).map(|node| NodeId(node.node));
                nodes.filter(|&node| self.tree.get(node).is_some_and(|node| node.def == action.target)).collect()
            }
        };
        let around: Vec<_> = self.tree.ancestors(context).collect();
        let is_meant = |row| around.contains(&row) || self.is_alone(row, &action.open_repeats);
        targets.retain(|&target| self.tree.ancestors(target).all(is_meant));
        targets
    }

    /// Whether a node is no instance of these repeats, or the only one of its range.
    fn is_alone(&self, node: NodeId, repeats: &[DefId]) -> bool {
        let Node { def, parent, .. } = self.tree.node(node);
        !repeats.contains(def) || parent.is_none_or(|parent| self.tree.children_of(parent, *def).len() < 2)
    }
}

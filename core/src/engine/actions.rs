use std::sync::Arc;

use super::Engine;
use crate::form::{Action, ActionValue, FormEvent};
use crate::ids::NodeId;
use crate::instance::store;
use crate::xpath::Value;

/// Chains of `xforms-value-changed` end here: two questions that set each other would never.
const MAX_CHAIN: usize = 100;

impl Engine {
    /// Runs the actions of an event of the whole form, each on every instance of its target.
    pub(super) fn run_form_actions(&mut self, event: FormEvent) {
        let form = Arc::clone(&self.form);
        for action in form.actions.iter().filter(|action| action.events.contains(&event)) {
            for target in self.tree.instances_below(&form, self.tree.root(), action.target) {
                self.run_action(action, target);
            }
        }
    }

    /// Runs the actions nested in a repeat on its new instance.
    pub(super) fn run_new_repeat_actions(&mut self, instance: NodeId) {
        let form = Arc::clone(&self.form);
        let repeat = self.tree.node(instance).def;
        let own = |action: &&Action| {
            let scope = action.scope.and_then(|scope| form.controls[scope].node);
            action.events.contains(&FormEvent::NewRepeat) && scope == Some(repeat)
        };
        for action in form.actions.iter().filter(own) {
            for target in self.tree.instances_below(&form, instance, action.target) {
                self.run_action(action, target);
            }
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
                for target in self.targets_beside(action, question) {
                    if self.run_action(action, target) {
                        pending.push(target);
                    }
                }
            }
            self.propagate();
        }
    }

    /// The targets that share the innermost instance with a question.
    fn targets_beside(&self, action: &Action, question: NodeId) -> Vec<NodeId> {
        let around = self.tree.ancestors(question).find(|&id| {
            let def = self.tree.node(id).def;
            self.form.ancestors(action.target).any(|ancestor| ancestor == def)
        });
        around.map(|around| self.tree.instances_below(&self.form, around, action.target)).unwrap_or_default()
    }

    /// Sets the target, whatever its relevance and constraints. Says whether its value is another.
    fn run_action(&mut self, action: &Action, target: NodeId) -> bool {
        let value = match &action.value {
            Some(ActionValue::Formula(formula)) => self.evaluate(*formula, target),
            Some(ActionValue::Text(text)) => Value::Text(text.to_string()),
            None => Value::empty(),
        };
        let stored = store(value, self.form.nodes[action.target].data_type, &self.view());
        self.set_value(target, stored.text)
    }
}

use super::Engine;
use super::repeats::MAX_INSTANCES;
use super::world::View;
use crate::form::ControlKind;
use crate::ids::{ControlId, NodeId};

/// A record that does not come to rest within this many rounds is left as it is (driver.md).
const MAX_ROUNDS: usize = 6;

impl Engine {
    /// Creates counted instances and drops answers that are no longer offered, until nothing changes.
    pub(super) fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let counts = std::mem::take(&mut self.stale_counts);
            for &(control, parent) in &counts {
                self.create_counted(control, parent);
            }
            self.propagate();
            let choices = std::mem::take(&mut self.stale_choices);
            for &id in &choices {
                self.drop_choices(id);
            }
            self.propagate();
            if self.stale_counts.is_empty() && self.stale_choices.is_empty() || self.budget.is_passed() {
                return;
            }
        }
    }

    /// Never removes: a number that was mistyped must not cost answers (xforms.md §6).
    fn create_counted(&mut self, control: ControlId, parent: NodeId) {
        let (Some(formula), Some(repeat)) = (self.form.controls[control].count, self.form.controls[control].node)
        else {
            return;
        };
        if self.tree.get(parent).is_none() {
            return;
        }
        let number = self.evaluate_raw(formula, parent).to_number(&View { engine: self, all_relevant: true });
        let wanted = if number >= 1.0 { (number as usize).min(MAX_INSTANCES) } else { 0 };
        let there = self.tree.children_of(parent, repeat).len();
        if there < wanted {
            // One that cannot be made ends it; whoever keeps the budget knows why.
            let _ = self.new_instances(parent, repeat, wanted - there);
        }
    }

    /// Keeps of a relevant select's answer what is offered now.
    fn drop_choices(&mut self, id: NodeId) {
        let Some(node) = self.tree.get(id).filter(|node| node.relevant && !node.value.is_empty()) else { return };
        let Some(control) = self.form.nodes[node.def].control else { return };
        let Ok(offered) = self.offered_values(control, id) else { return self.budget.give_up() };
        let is_offered = |value: &str| self.meant(&offered, value, id).is_some();
        let kept = if self.form.controls[control].kind == ControlKind::Select1 {
            if is_offered(&node.value) { node.value.clone() } else { String::new() }
        } else {
            let kept = node.value.split_ascii_whitespace().filter(|value| is_offered(value));
            kept.collect::<Vec<_>>().join(" ")
        };
        let is_shorter = kept.len() < node.value.len();
        if is_shorter {
            self.set_value(id, kept);
        }
    }
}

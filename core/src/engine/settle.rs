use super::Engine;
use super::repeats::MAX_INSTANCES;
use super::world::View;
use crate::form::ControlKind;
use crate::ids::{ControlId, DefId, NodeId};

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

    /// Never removes: a number that was mistyped must not cost answers (xforms.md §6). A count that follows from its own rows
    /// gets no further row because of one that is new: that comes when a person goes on ([`Engine::is_row_due`]).
    fn create_counted(&mut self, control: ControlId, parent: NodeId) {
        let Some(repeat) = self.form.controls[control].node else { return };
        if self.tree.get(parent).is_none() || self.follows_own_rows(repeat) && self.has_new_row(parent, repeat) {
            return;
        }
        let missing = self.missing_rows(parent, repeat);
        if missing > 0 {
            // One that cannot be made ends it; whoever keeps the budget knows why.
            let _ = self.new_instances(parent, repeat, missing);
        }
    }

    /// How many rows a counted range should have beyond those that are there. One that is not asked about needs none.
    pub(super) fn missing_rows(&self, parent: NodeId, repeat: DefId) -> usize {
        let formula = self.repeat_control(repeat).and_then(|control| control.count);
        let Some(formula) = formula.filter(|_| self.is_range_relevant(parent, repeat)) else { return 0 };
        let view = View { all_relevant: true, ..self.view() };
        let number = self.evaluate_raw(formula, parent).to_number(&view);
        let wanted = if number >= 1.0 { (number as usize).min(MAX_INSTANCES) } else { 0 };
        wanted.saturating_sub(self.tree.children_of(parent, repeat).len())
    }

    /// Whether the last row of a range is one of this step.
    fn has_new_row(&self, parent: NodeId, repeat: DefId) -> bool {
        let last = self.tree.children_of(parent, repeat).last();
        last.is_some_and(|&last| self.tree.node(last).serial > self.serials_before)
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

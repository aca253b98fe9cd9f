//! What tests compare incremental work with: the same record derived anew, whatever the graph says of who reads whom.

use super::budget::Bounds;
use super::{Changes, Engine};
use crate::form::Facet;
use crate::ids::{NodeId, RuleId};
use crate::xpath::Function;

impl Engine {
    /// Forgets all that follows from other values and derives it anew: every rule on every node, again and again until none
    /// gives anything new; then the record settles. What is calculated once is an answer and stays.
    #[doc(hidden)]
    #[must_use]
    pub fn recomputed(&self) -> Self {
        let mut other = self.clone();
        other.budget.begin(Bounds::None);
        other.serials_before = 0;
        let rules = other.rules_by_node();
        other.forget(&rules);
        // A chain of rules is no longer than there are rules; one round more shows that it has come to rest.
        for _ in 0..=rules.len() {
            let before = other.clone();
            for &(rule, node) in &rules {
                other.queue.clear();
                other.run_rule(rule, node);
            }
            other.queue.clear();
            if other == before {
                break;
            }
        }
        other.settle();
        other.budget.begin(Bounds::default());
        other.changes = Changes::default();
        other
    }

    fn rules_by_node(&self) -> Vec<(RuleId, NodeId)> {
        let nodes = self.tree.subtree(self.tree.root()).into_iter();
        let rules = nodes.flat_map(|id| {
            let rules = self.form.graph.rules_of(self.tree.node(id).def);
            rules.iter().map(move |&rule| (rule, id))
        });
        let mut rules: Vec<_> = rules.collect();
        // Only to be done sooner: it goes on until nothing changes in any order.
        rules.sort_by_key(|&(rule, _)| self.form.graph.rules[rule].rank);
        rules
    }

    fn forget(&mut self, rules: &[(RuleId, NodeId)]) {
        for &(rule, id) in rules {
            let rule = &self.form.graph.rules[rule];
            let stays = rule.formula.is_some_and(|formula| {
                self.form.formulas[formula].expr.functions().any(|function| function == Function::Once)
            });
            match rule.facet {
                Facet::Calculate if !stays => self.tree.set_value(id, String::new()),
                Facet::Relevant => self.tree.node_mut(id).own_relevant = true,
                Facet::Readonly => self.tree.node_mut(id).own_readonly = false,
                Facet::Required => self.tree.node_mut(id).required = false,
                _ => {}
            }
        }
        for id in self.tree.subtree(self.tree.root()) {
            let node = self.tree.node(id);
            let around = node.parent.is_none_or(|parent| self.tree.node(parent).relevant);
            let relevant = node.own_relevant && around;
            self.tree.node_mut(id).relevant = relevant;
            self.check_choices_later(id);
        }
    }
}

/// Values that a full recalculation must agree on.
impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        let state = |engine: &Self| {
            let nodes = engine.tree.subtree(engine.tree.root()).into_iter();
            let described = nodes.map(|id| {
                let node = engine.tree.node(id);
                (engine.path(id), node.value.clone(), node.kind, node.relevant, node.own_readonly, node.required)
            });
            described.collect::<Vec<_>>()
        };
        state(self) == state(other)
    }
}

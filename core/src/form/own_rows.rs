//! Counts that follow from the rows they count: `count(/d/r) + 1` until the last row says that it was the last one.

use std::collections::{BTreeSet, HashSet};

use super::{Action, Facet, FormDef, FormEvent, Graph};
use crate::ids::{ControlId, DefId, RuleId};

/// How many edges may be followed for all counts of a form together. What lies beyond is taken for a count of something else:
/// then settling ends after its rounds, as it does for every record that does not come to rest.
const MAX_WORK: usize = 3_000_000;

/// The repeats whose count may be another one because they have got a row: through calculations, conditions, actions and the
/// counts of other repeats.
pub(super) fn counts_of_own_rows(form: &FormDef, graph: &Graph) -> BTreeSet<ControlId> {
    let mut work_left = MAX_WORK;
    let counted = form.controls.iter().filter(|(_, control)| control.count.is_some());
    let found = counted.filter_map(|(id, control)| {
        let mut spread = Spread { form, graph, known: HashSet::new(), pending: Vec::new(), work_left };
        let comes_back = spread.comes_back_to(control.node?, id);
        work_left = spread.work_left;
        comes_back.then_some(id)
    });
    found.collect()
}

/// What may change when a row is added.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    /// A repeat gets rows.
    Rows(DefId),
    /// A node gets another value.
    Value(DefId),
    /// A node gets another value from an action, which other actions follow.
    Set(DefId),
    /// A node becomes relevant or ceases to be.
    Relevance(DefId),
}

/// Everything that follows from a change.
struct Spread<'f> {
    form: &'f FormDef,
    graph: &'f Graph,
    known: HashSet<Change>,
    pending: Vec<Change>,
    work_left: usize,
}

impl Spread<'_> {
    fn comes_back_to(&mut self, repeat: DefId, count: ControlId) -> bool {
        self.follow(Change::Rows(repeat));
        while let Some(change) = self.pending.pop() {
            for rule in self.readers(change) {
                let rule = &self.graph.rules[rule];
                match rule.facet {
                    Facet::Count(control) if control == count => return true,
                    Facet::Count(control) => self.form.controls[control].node.into_iter().for_each(|repeat| {
                        self.follow(Change::Rows(repeat));
                    }),
                    Facet::Calculate => self.follow(Change::Value(rule.target)),
                    Facet::Relevant => {
                        for def in self.form.subtree(rule.target) {
                            self.follow(Change::Relevance(def));
                        }
                    }
                    Facet::Readonly | Facet::Required | Facet::Choices(_) | Facet::Label(_) => {}
                }
            }
            self.follow_actions(change);
        }
        false
    }

    fn follow(&mut self, change: Change) {
        if self.known.insert(change) {
            self.pending.push(change);
        }
    }

    /// The rules that see a change. A count sees its nodes whether they are relevant or not.
    fn readers(&mut self, change: Change) -> Vec<RuleId> {
        let (form, graph) = (self.form, self.graph);
        let is_count = |rule: RuleId| matches!(graph.rules[rule].facet, Facet::Count(_));
        let counts_anything = |rule: RuleId| !is_count(rule) || graph.rules[rule].formula.is_some();
        let readers: Vec<_> = match change {
            Change::Value(def) | Change::Set(def) => graph.readers(def).iter().map(|edge| edge.rule).collect(),
            Change::Relevance(def) => {
                graph.readers(def).iter().map(|edge| edge.rule).filter(|&rule| !is_count(rule)).collect()
            }
            // What a row reads of itself is no other because there are more of them.
            Change::Rows(repeat) => {
                let edges = form.subtree(repeat).into_iter().flat_map(|def| graph.readers(def));
                let from_outside = edges.filter(|edge| !form.ancestors(edge.anchor).any(|def| def == repeat));
                from_outside.map(|edge| edge.rule).collect()
            }
        };
        self.work_left = self.work_left.saturating_sub(1 + readers.len());
        if self.work_left == 0 {
            self.pending.clear();
            return Vec::new();
        }
        readers.into_iter().filter(|&rule| counts_anything(rule)).collect()
    }

    /// The actions of new rows and of questions that are set.
    fn follow_actions(&mut self, change: Change) {
        let form = self.form;
        let runs: Box<dyn Fn(&Action) -> bool> = match change {
            Change::Rows(repeat) => {
                let repeats: Vec<_> =
                    form.subtree(repeat).into_iter().filter(|&def| form.nodes[def].repeat.is_some()).collect();
                Box::new(move |action| {
                    action.events.contains(&FormEvent::NewRepeat)
                        && repeats.iter().any(|&repeat| form.is_about_new_rows(action, repeat))
                })
            }
            Change::Set(def) => Box::new(move |action| {
                let scope = action.scope.and_then(|scope| form.controls[scope].node);
                scope == Some(def) && action.events.contains(&FormEvent::ValueChanged)
            }),
            Change::Value(_) | Change::Relevance(_) => return,
        };
        for action in form.actions.iter().filter(|action| runs(action)) {
            self.follow(Change::Set(action.target));
        }
    }
}

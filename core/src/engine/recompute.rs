use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::sync::Arc;

use super::Engine;
use super::world::{ROW_TO_COME, View, reference};
use crate::form::{Condition, Facet, Rule};
use crate::ids::{DefId, FormulaId, NodeId, RuleId};
use crate::instance::{Stored, store};
use crate::xpath::{Context, EvalError, Value};

/// Rules waiting to run, each on one node, lowest rank first.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(u32, RuleId, NodeId)>>,
    waiting: HashSet<(RuleId, NodeId)>,
    /// Ranges that have got or lost instances, by repeat, each by the node around it: their readers are woken once for all.
    ranges: BTreeMap<DefId, BTreeSet<NodeId>>,
    /// The value of the rule that ran last, and below which node it is that, if it is alike in many rows. What it reads is
    /// calculated before it, so while the same rule runs on, nothing of it changes.
    last_alike: Option<(RuleId, NodeId, Value)>,
}

impl Queue {
    fn push(&mut self, rank: u32, rule: RuleId, node: NodeId) {
        if self.waiting.insert((rule, node)) {
            self.heap.push(Reverse((rank, rule, node)));
        }
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.waiting.clear();
        self.ranges.clear();
        self.last_alike = None;
    }

    fn pop(&mut self) -> Option<(RuleId, NodeId)> {
        let next = self.heap.pop();
        let rule = next.map(|Reverse((_, rule, _))| rule);
        self.last_alike.take_if(|(known, ..)| Some(*known) != rule);
        let Reverse((_, rule, node)) = next?;
        self.waiting.remove(&(rule, node));
        Some((rule, node))
    }
}

impl Engine {
    /// Evaluates a formula on a node. One that has no value (an unknown instance, an argument that cannot be used) reads as
    /// empty; one that is too much work is given up, and with it the change it belongs to.
    pub(super) fn evaluate(&self, formula: FormulaId, node: NodeId) -> Value {
        self.evaluate_as(formula, node, false)
    }

    /// The same, seeing nodes that are not relevant as well.
    pub(super) fn evaluate_raw(&self, formula: FormulaId, node: NodeId) -> Value {
        self.evaluate_as(formula, node, true)
    }

    fn evaluate_as(&self, formula: FormulaId, node: NodeId, all_relevant: bool) -> Value {
        let value = self.try_evaluate_as(formula, node, all_relevant);
        value.unwrap_or_else(|error| self.without_value(&error))
    }

    /// The same for who can say that there is no value.
    pub(super) fn try_evaluate(&self, formula: FormulaId, node: NodeId) -> Result<Value, EvalError> {
        self.try_evaluate_as(formula, node, false)
    }

    fn try_evaluate_as(&self, formula: FormulaId, node: NodeId, all_relevant: bool) -> Result<Value, EvalError> {
        let context = Context { node: reference(node), current: reference(node), position: 1 };
        let view = View { all_relevant, ..self.view() };
        let expr = &self.form.formulas[formula].expr;
        self.drawing(formula, node, || expr.eval(&view, &context))
    }

    /// What an expression reads as that has no value.
    pub(super) fn without_value(&self, error: &EvalError) -> Value {
        if *error == EvalError::TooMuchWork {
            self.budget.give_up();
        }
        Value::empty()
    }

    pub(super) fn view(&self) -> View<'_> {
        View { engine: self, all_relevant: false, row_to_come: None }
    }

    /// Whether the next row of a range would be relevant, if the node around it is. What the condition of a repeat reads lies
    /// outside of it (else it would be a circle), so where there is a row, that has said it already.
    pub(super) fn is_row_to_come_relevant(&self, parent: NodeId, repeat: DefId) -> bool {
        let formula = match self.form.nodes[repeat].relevant {
            Condition::Constant(constant) => return constant,
            Condition::Formula(formula) => formula,
        };
        if let Some(&row) = self.tree.children_of(parent, repeat).last() {
            return self.tree.node(row).own_relevant;
        }
        let view = View { row_to_come: Some((parent, repeat)), ..self.view() };
        let context = Context { node: ROW_TO_COME, current: ROW_TO_COME, position: 1 };
        let expr = &self.form.formulas[formula].expr;
        let value = self.drawing(formula, parent, || expr.eval(&view, &context));
        value.unwrap_or_else(|error| self.without_value(&error)).to_bool(&view)
    }

    /// Sets a value that a person or an action gave, and lets its readers know. Says whether it is another: the same text is
    /// no change, and what a calculation gave keeps its kind then.
    pub(super) fn set_value(&mut self, id: NodeId, value: String) -> bool {
        self.tree.node(id).value != value && self.put(id, Stored::plain(value))
    }

    fn put(&mut self, id: NodeId, stored: Stored) -> bool {
        let node = self.tree.node(id);
        if (&node.value, node.kind) == (&stored.text, stored.kind) || !self.fits(&stored.text, &node.value) {
            return false;
        }
        self.tree.hold(id, stored);
        self.changes.touched.insert(id);
        self.check_choices_later(id);
        self.wake_readers(id);
        true
    }

    /// Runs everything that waits, in order.
    pub(super) fn propagate(&mut self) {
        self.wake_readers_of_ranges();
        while !self.budget.is_passed()
            && let Some((rule, node)) = self.queue.pop()
        {
            if self.tree.get(node).is_some() {
                self.run_rule(rule, node);
            }
        }
    }

    /// Runs every rule of the form on every node.
    pub(super) fn calculate_everything(&mut self) {
        self.wake_everything(|_| true);
    }

    /// Runs every rule but the calculations.
    pub(super) fn evaluate_conditions(&mut self) {
        // A condition that flips wakes its readers, calculations among them; a snapshot already holds their results.
        self.wake_everything(|rule| rule.facet != Facet::Calculate);
    }

    fn wake_everything(&mut self, wanted: impl Fn(&Rule) -> bool) {
        for id in self.tree.subtree(self.tree.root()) {
            self.wake_rules_of(id, &wanted);
            self.check_choices_later(id);
        }
        while !self.budget.is_passed()
            && let Some((rule, node)) = self.queue.pop()
        {
            if wanted(&self.form.graph.rules[rule]) && self.tree.get(node).is_some() {
                self.run_rule(rule, node);
            }
        }
    }

    pub(super) fn wake_rules_of(&mut self, id: NodeId, wanted: &impl Fn(&Rule) -> bool) {
        for &rule in self.form.graph.rules_of(self.tree.node(id).def) {
            let known = &self.form.graph.rules[rule];
            if wanted(known) {
                self.queue.push(known.rank, rule, id);
            }
        }
    }

    /// Queues the rules that read a node, on the nodes that share an instance with it.
    fn wake_readers(&mut self, id: NodeId) {
        let form = Arc::clone(&self.form);
        for edge in form.graph.readers(self.tree.node(id).def) {
            if let Some(anchor) = self.tree.ancestor_of(id, edge.anchor) {
                self.wake_below(edge.rule, anchor);
            }
        }
    }

    /// The rules that read the instances of a repeat below `parent` must run: their number has changed.
    pub(super) fn wake_range_later(&mut self, parent: NodeId, repeat: DefId) {
        self.queue.ranges.entry(repeat).or_default().insert(parent);
    }

    /// Queues the rules that read ranges whose number has changed: that number, positions, or anything in them from outside.
    fn wake_readers_of_ranges(&mut self) {
        let form = Arc::clone(&self.form);
        for (repeat, parents) in std::mem::take(&mut self.queue.ranges) {
            let mut inside = vec![repeat];
            while let Some(def) = inside.pop() {
                inside.extend(form.nodes[def].children.iter().chain(&form.nodes[def].attributes));
                for edge in form.graph.readers(def) {
                    let anchor_of = |&parent: &NodeId| {
                        // Positions change in every instance; what an instance reads of itself does not.
                        let own = (def == repeat).then_some(parent);
                        self.tree.ancestor_of(parent, edge.anchor).or(own)
                    };
                    let anchors: BTreeSet<_> = parents.iter().filter_map(anchor_of).collect();
                    for anchor in anchors {
                        self.wake_below(edge.rule, anchor);
                    }
                }
            }
        }
    }

    /// Queues a rule on all its targets below (or at) a node.
    pub(super) fn wake_below(&mut self, rule: RuleId, top: NodeId) {
        let Rule { target, rank, .. } = self.form.graph.rules[rule];
        for target in self.tree.instances_below(&self.form, top, target) {
            self.budget.spend(1);
            if self.budget.is_passed() {
                return;
            }
            self.queue.push(rank, rule, target);
        }
    }

    pub(super) fn run_rule(&mut self, rule: RuleId, id: NodeId) {
        let Rule { facet, formula, target, .. } = self.form.graph.rules[rule];
        let formula = formula.filter(|_| !matches!(facet, Facet::Choices(_) | Facet::Count(_)));
        let value = formula.map(|formula| self.value_of_rule(rule, formula, id));
        match (facet, value) {
            (Facet::Calculate, Some(value)) => {
                let result = store(value, self.form.nodes[target].data_type, &self.view());
                self.put(id, result);
            }
            (Facet::Relevant, Some(value)) => {
                let relevant = value.to_bool(&self.view());
                if self.tree.node(id).own_relevant != relevant {
                    self.tree.node_mut(id).own_relevant = relevant;
                    self.push_relevance(id);
                }
            }
            (Facet::Readonly, Some(value)) => {
                let readonly = value.to_bool(&self.view());
                if self.tree.node(id).own_readonly != readonly {
                    self.tree.node_mut(id).own_readonly = readonly;
                    self.changes.touched.extend(self.tree.subtree(id));
                }
            }
            (Facet::Required, Some(value)) => {
                let required = value.to_bool(&self.view());
                if self.tree.node(id).required != required {
                    self.tree.node_mut(id).required = required;
                    self.changes.touched.insert(id);
                }
            }
            (Facet::Choices(_), _) => {
                self.changes.touched.insert(id);
                self.check_choices_later(id);
            }
            (Facet::Label(_), _) => {
                self.changes.touched.insert(id);
            }
            (Facet::Count(control), _) => {
                self.stale_counts.insert((control, id));
            }
            (_, None) => {}
        }
    }

    /// The value of a rule; where it is alike in many rows, what was found in the one before.
    fn value_of_rule(&mut self, rule: RuleId, formula: FormulaId, id: NodeId) -> Value {
        let around = self.form.graph.rules[rule].alike_below.and_then(|def| self.tree.ancestor_of(id, def));
        let Some(around) = around else { return self.evaluate(formula, id) };
        if let Some((known_rule, known_around, value)) = &self.queue.last_alike
            && (*known_rule, *known_around) == (rule, around)
        {
            return value.clone();
        }
        let value = self.evaluate(formula, id);
        self.queue.last_alike = Some((rule, around, value.clone()));
        value
    }

    /// Carries relevance down to the nodes below; one that flips is a changed value for its readers.
    fn push_relevance(&mut self, id: NodeId) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let node = self.tree.node(id);
            let relevant = node.own_relevant && node.parent.is_none_or(|parent| self.tree.node(parent).relevant);
            if node.relevant != relevant {
                self.tree.node_mut(id).relevant = relevant;
                self.changes.touched.insert(id);
                self.wake_readers(id);
                self.check_choices_later(id);
                pending.extend(self.tree.children(id));
            }
        }
    }

    /// The answer to a select whose choices change must be looked at again when the record settles. Choices written in the
    /// form never do: what is calculated or set there stays, whatever it is.
    pub(super) fn check_choices_later(&mut self, id: NodeId) {
        let node = self.tree.node(id);
        let control = self.form.nodes[node.def].control.map(|control| &self.form.controls[control]);
        if !node.value.is_empty()
            && control.is_some_and(|control| control.kind.has_choices() && control.itemset.is_some())
        {
            self.stale_choices.insert(id);
        }
    }

    /// A constraint holds for every empty value, and where there is none.
    pub(super) fn constraint_holds(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        match self.form.nodes[node.def].constraint {
            Some(constraint) if !node.value.is_empty() => self.evaluate(constraint, id).to_bool(&self.view()),
            _ => true,
        }
    }
}

//! What one change may cost: a number typed wrong, or a form made to hurt, must neither fill the phone nor hang it.
//!
//! A change that would pass its budget is undone whole and refused, and a record that would pass it is not begun or opened.
//! A change that a journal row tells of has no bounds: it was within them when it was made. What is only looked at (texts,
//! choices, constraints) has bounds for each expression, and what passes them is marked ([`super::TOO_MUCH`]), never empty.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::{Changes, Engine};
use crate::clock::Step;
use crate::form::MAX_NODES;
use crate::ids::{ControlId, FormulaId, Id, NodeId};
use crate::instance::MAX_BYTES;
use crate::xpath::{MAX_DEPTH, MAX_STEPS};
use crate::{Error, ErrorKind, Result};

/// How much one change may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Subexpressions and nodes that the expressions of one change may visit, and rules it may wake.
    pub steps: u64,
    /// Nodes of a record, removed ones among them.
    pub nodes: usize,
    /// Bytes of all values of a record together.
    pub bytes: usize,
}

impl Default for Limits {
    /// Seconds on a phone; 10,000 instances of a repeat with thirty questions; more text than a server takes with files.
    fn default() -> Self {
        Self { steps: 50_000_000, nodes: MAX_NODES, bytes: MAX_BYTES }
    }
}

/// How much work an expression was: counted, so that it is the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How often it was evaluated.
    pub evaluations: u64,
    /// Subexpressions and nodes visited in all, those of expressions it asks for itself among them.
    pub steps: u64,
}

/// What bounds the work under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Bounds {
    /// Somebody makes a change now, or begins or opens a record: it has the limits of one.
    OfAChange,
    /// A change was made, and is made again.
    None,
    /// Nothing changes.
    #[default]
    OfEachExpression,
}

/// The limits, and what is left of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    limits: Limits,
    bounds: Bounds,
    steps_left: Cell<u64>,
    /// Levels of expressions within expressions that the text under way has used up.
    depth_used: Cell<u32>,
    spent: Cell<u64>,
    work: RefCell<Vec<Work>>,
    is_passed: Cell<bool>,
}

impl Budget {
    pub(super) fn begin(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.steps_left.set(self.limits.steps);
        self.is_passed.set(false);
    }

    /// What the next expression may spend.
    pub(super) fn steps_left(&self) -> u64 {
        match self.bounds {
            Bounds::OfAChange => self.steps_left.get(),
            Bounds::None => u64::MAX,
            Bounds::OfEachExpression => {
                // The expressions of a text that an expression shows are part of it.
                if self.depth_used.get() == 0 {
                    self.steps_left.set(MAX_STEPS);
                }
                self.steps_left.get()
            }
        }
    }

    pub(super) fn depth_left(&self) -> u32 {
        MAX_DEPTH.saturating_sub(self.depth_used.get())
    }

    pub(super) fn set_depth_left(&self, depth: u32) {
        self.depth_used.set(MAX_DEPTH.saturating_sub(depth));
    }

    /// Steps of all work since the record was opened.
    pub(super) fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Notes that a formula was evaluated, and what it cost.
    pub(super) fn note(&self, formula: FormulaId, steps: u64) {
        let mut all = self.work.borrow_mut();
        if all.len() <= formula.index() {
            all.resize(formula.index() + 1, Work::default());
        }
        if let Some(work) = all.get_mut(formula.index()) {
            work.evaluations += 1;
            work.steps += steps;
        }
    }

    pub(super) fn spend(&self, steps: u64) {
        self.spent.set(self.spent.get().saturating_add(steps));
        let left = self.steps_left.get();
        self.steps_left.set(left.saturating_sub(steps));
        self.pass_unless(steps < left);
    }

    /// Whether nothing more need be done, because the change will be undone.
    pub(super) fn is_passed(&self) -> bool {
        self.is_passed.get()
    }

    /// Whether this is within the limits; a change that has passed one is done with.
    fn pass_unless(&self, is_within: bool) -> bool {
        if !is_within && self.bounds == Bounds::OfAChange {
            self.is_passed.set(true);
        }
        is_within || self.bounds == Bounds::None
    }

    /// An expression was given up, so that nobody knows its value.
    pub(super) fn give_up(&self) {
        self.pass_unless(false);
    }

    /// Whether a record may have so many nodes.
    fn has_room(&self, n_nodes: usize) -> bool {
        self.pass_unless(n_nodes <= self.limits.nodes)
    }

    /// Whether a record can hold so many bytes.
    fn fits(&self, n_bytes: usize) -> bool {
        self.pass_unless(n_bytes <= self.limits.bytes)
    }
}

impl Engine {
    /// Makes a record what it is when it is begun or opened.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`].
    pub(super) fn made(mut self, make: impl FnOnce(&mut Self)) -> Result<Self> {
        self.budget.begin(Bounds::OfAChange);
        if self.budget.has_room(self.tree.n_slots()) && self.budget.fits(self.tree.n_bytes()) {
            make(&mut self);
        }
        let is_passed = !self.budget.fits(self.tree.n_bytes()) || self.budget.is_passed();
        self.budget.begin(Bounds::default());
        self.changes = Changes::default();
        if is_passed { Err(Error::new(ErrorKind::TooLarge, "the record as the form makes it")) } else { Ok(self) }
    }

    /// Makes a change in a step, as a whole or not at all.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], or what the change itself says; the record is unchanged then.
    pub(super) fn change(
        &mut self,
        step: Step,
        bounds: Bounds,
        change: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Changes> {
        let before: (Step, BTreeSet<NodeId>, BTreeSet<(ControlId, NodeId)>) =
            (self.step, self.stale_choices.clone(), self.stale_counts.clone());
        self.enter(step);
        self.budget.begin(bounds);
        self.tree.begin_change();
        let mut done = change(self);
        self.budget.fits(self.tree.n_bytes());
        if done.is_ok() && self.budget.is_passed() {
            done = Err(Error::new(ErrorKind::TooLarge, "what follows from this change"));
        }
        self.budget.begin(Bounds::default());
        if let Err(refused) = done {
            self.tree.undo_change();
            (self.step, self.stale_choices, self.stale_counts) = before;
            self.queue.clear();
            self.changes = Changes::default();
            return Err(refused);
        }
        self.tree.keep_change();
        Ok(self.take_changes())
    }

    /// Whether there is room for another instance.
    pub(super) fn has_room(&self) -> bool {
        self.budget.has_room(self.tree.n_slots() + 1)
    }

    /// Whether the record can hold a value in place of another.
    pub(super) fn fits(&self, value: &str, instead_of: &str) -> bool {
        self.budget.fits(self.tree.n_bytes() - instead_of.len() + value.len())
    }

    /// How much work each expression was since the record was opened; one that was never evaluated may be left out.
    #[must_use]
    pub fn work(&self) -> Vec<(FormulaId, Work)> {
        let all = self.budget.work.borrow();
        all.iter().enumerate().map(|(index, &work)| (FormulaId::from_index(index), work)).collect()
    }

    /// Other limits, for tests that pass them.
    #[doc(hidden)]
    pub fn set_limits(&mut self, limits: Limits) {
        self.budget.limits = limits;
    }
}

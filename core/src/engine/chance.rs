//! Chance: which random numbers an expression draws.
//!
//! They follow from the draft's seed, the step, the expression and the node it stands on, and from nothing else: not from
//! what else was drawn before, nor from how the nodes lie in memory. So it does not matter in which order rules run, or
//! whether a record was filled or restored. The order of a `randomize()` without a seed lasts for the life of the record: it
//! does not follow from the step, nor from the expression. Instances of repeats count by their serial numbers, because their
//! positions change.

use super::Engine;
use crate::clock::Random;
use crate::ids::{FormulaId, NodeId};

/// Who draws, and what has been drawn of it so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chance {
    source: Option<(FormulaId, NodeId)>,
    drawn: Option<Box<Random>>,
    orders: Option<Box<Random>>,
}

impl Engine {
    /// Evaluates something on behalf of a formula on a node, which draws its own random numbers.
    pub(super) fn drawing<T>(&self, formula: FormulaId, node: NodeId, evaluate: impl FnOnce() -> T) -> T {
        let around = self.chance.replace(Chance { source: Some((formula, node)), ..Chance::default() });
        let before = self.budget.spent();
        let value = evaluate();
        self.budget.note(formula, self.budget.spent() - before);
        self.chance.replace(around);
        value
    }

    /// Draws of this step.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        let chance = &mut *self.chance.borrow_mut();
        let source = chance.source;
        let random = chance.drawn.get_or_insert_with(|| {
            let formula = source.map(|(formula, _)| formula.0).unwrap_or_default();
            Box::new(self.step.random_for(&format!("formula {formula} {}", self.source_path(source))))
        });
        draw(random)
    }

    /// Draws the seed of an order that lasts.
    pub(super) fn draw_order(&self) -> u64 {
        let chance = &mut *self.chance.borrow_mut();
        let source = chance.source;
        let random = chance.orders.get_or_insert_with(|| {
            Box::new(self.step.lasting_random_for(&format!("order {}", self.source_path(source))))
        });
        random.next_u64()
    }

    /// The generator of the value preloaded into a node.
    pub(super) fn preload_random(&self, node: NodeId) -> Random {
        self.step.random_for(&format!("preload {}", self.lasting_path(node)))
    }

    fn source_path(&self, source: Option<(FormulaId, NodeId)>) -> String {
        source.map(|(_, node)| self.lasting_path(node)).unwrap_or_default()
    }
}

use smallvec::SmallVec;

use crate::xpath::eval::{Evaluator, Scope};
use crate::xpath::value::node_text;
use crate::xpath::{EvalError, NodeRef, Value, World};

/// The arguments of one call, and where it stands.
pub(in crate::xpath) struct Args<'c, 'e, W> {
    values: SmallVec<[Value; 4]>,
    evaluator: &'c Evaluator<'e, W>,
    scope: Scope<'c>,
}

impl<'c, 'e, W: World> Args<'c, 'e, W> {
    pub(in crate::xpath) fn new(
        values: SmallVec<[Value; 4]>,
        evaluator: &'c Evaluator<'e, W>,
        scope: Scope<'c>,
    ) -> Self {
        Self { values, evaluator, scope }
    }

    pub(super) fn world(&self) -> &'e W {
        self.evaluator.world
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The context node of the call.
    pub(super) fn node(&self) -> NodeRef {
        self.scope.node
    }

    /// The context node; for a row of a list the node of the record on whose behalf it is looked at.
    pub(super) fn record_node(&self) -> NodeRef {
        if self.scope.node.tree == 0 { self.scope.node } else { self.evaluator.current }
    }

    /// The position of the context node among the candidates.
    pub(super) fn position(&self) -> usize {
        self.scope.position
    }

    /// An argument as a scalar: a nodeset is its first node.
    pub(super) fn scalar(&self, index: usize) -> Value {
        self.values.get(index).map_or_else(Value::empty, |value| value.clone().into_scalar(self.world()))
    }

    pub(super) fn number(&self, index: usize) -> f64 {
        self.values.get(index).map_or(f64::NAN, |value| value.to_number(self.world()))
    }

    pub(super) fn text(&self, index: usize) -> String {
        self.values.get(index).map(|value| value.to_text(self.world())).unwrap_or_default()
    }

    /// The text of an argument, of a node as it is written there: an answer to a typed select is compared so, `02` being
    /// another choice than `2`.
    pub(super) fn written(&self, index: usize) -> String {
        match self.values.get(index) {
            Some(Value::Nodes(nodes)) => {
                nodes.first().map(|&node| self.world().text(node).into_owned()).unwrap_or_default()
            }
            _ => self.text(index),
        }
    }

    pub(super) fn bool(&self, index: usize) -> bool {
        self.values.get(index).is_some_and(|value| value.to_bool(self.world()))
    }

    /// The nodes of an argument; none if it is no nodeset.
    pub(super) fn nodes(&self, index: usize) -> &[NodeRef] {
        match self.values.get(index) {
            Some(Value::Nodes(nodes)) => nodes,
            _ => &[],
        }
    }

    /// The arguments from `first` on, with every nodeset spread into the values of its nodes.
    pub(super) fn spread(&self, first: usize) -> Result<Vec<Value>, EvalError> {
        self.spread_as(
            first,
            |node| self.world().value(node),
            Value::clone,
            |value| match value {
                Value::Text(text) => text.len(),
                _ => 0,
            },
        )
    }

    /// The same as texts.
    pub(super) fn spread_texts(&self, first: usize) -> Result<Vec<String>, EvalError> {
        let text = |value: &Value| value.to_text(self.world());
        self.spread_as(first, |node| node_text(node, self.world()), text, String::len)
    }

    fn spread_as<T>(
        &self,
        first: usize,
        of_node: impl Fn(NodeRef) -> T,
        of_scalar: impl Fn(&Value) -> T,
        n_bytes: impl Fn(&T) -> usize,
    ) -> Result<Vec<T>, EvalError> {
        let mut spread = Vec::new();
        let mut put = |item: T| {
            self.evaluator.make_text(n_bytes(&item))?;
            spread.push(item);
            Ok(())
        };
        for value in self.values.iter().skip(first) {
            match value {
                Value::Nodes(nodes) => nodes.iter().try_for_each(|&node| put(of_node(node)))?,
                scalar => put(of_scalar(scalar))?,
            }
        }
        Ok(spread)
    }

    /// Counts work that a function does beside looking at its arguments.
    pub(super) fn spend(&self, steps: u64) -> Result<(), EvalError> {
        self.evaluator.spend(steps)
    }
}

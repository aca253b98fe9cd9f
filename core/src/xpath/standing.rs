//! Paths seen from where an expression stands.

use super::ParseError;
use super::ast::{Axis, Expr, ExprId, NameTest, Node, Path, Start, Step};
use super::functions::Function;
use crate::error::ErrorKind;
use crate::xml::NameId;

impl Path {
    /// The path of a node of the record from the document, of the names on the way to it; `is_attribute` says what the last is.
    pub(crate) fn to_node(names: impl IntoIterator<Item = NameId>, is_attribute: bool) -> Self {
        let mut steps: Vec<_> = names.into_iter().map(|name| Step::new(Axis::Child, NameTest::Name(name))).collect();
        if is_attribute && let Some(last) = steps.last_mut() {
            last.axis = Axis::Attribute;
        }
        Self { start: Start::Root, steps }
    }

    /// How many of its first steps an absolute path shares with a node of the record, given the names of the elements from the
    /// root down to that node. They mean these very elements: in a repeat such a path means this row (xforms.md §11). A step
    /// with a predicate, and every step behind it, is free.
    #[must_use]
    pub fn n_shared(&self, around: impl IntoIterator<Item = NameId>) -> usize {
        let shared = self.steps.iter().zip(around).take_while(|(step, name)| step.plain_child() == Some(*name));
        shared.count()
    }

    /// The same path from the document: a relative one goes on from `context`, one from `current()` from `current`, and `..`
    /// takes back the step before it. `None` if that is not known, or leads out of the document.
    pub(super) fn absolute(&self, context: Option<&Self>, current: Option<&Self>) -> Option<Self> {
        let mut path = match &self.start {
            Start::Context => context.cloned()?,
            Start::Current => current.cloned()?,
            Start::Root | Start::Instance(_) => Self { start: self.start.clone(), steps: Vec::new() },
        };
        for step in &self.steps {
            if step.axis == Axis::Parent {
                let left = path.steps.pop()?;
                if !left.predicates.is_empty() || !step.predicates.is_empty() {
                    return None;
                }
            } else {
                path.steps.push(step.clone());
            }
        }
        Some(path)
    }

    /// Whether its steps are the first of another's.
    pub(super) fn leads_to(&self, other: &Self) -> bool {
        self.start == other.start && !self.steps.is_empty() && other.steps.starts_with(&self.steps)
    }
}

impl Expr {
    /// Checks what depends on where the expression stands: a repeat of `indexed-repeat()` lies on the way to the target. `on` is
    /// the path of the node it stands on; without, only what stands nowhere is looked at.
    ///
    /// # Errors
    /// `WrongArguments`.
    pub(crate) fn check_on(&self, on: Option<&Path>) -> Result<(), ParseError> {
        if !self.functions().any(|function| function == Function::IndexedRepeat) {
            return Ok(());
        }
        let mut pending = vec![(self.root(), on.cloned())];
        while let Some((id, here)) = pending.pop() {
            match self.node(id) {
                Node::Number(_) | Node::Text(_) => {}
                Node::Negate(operand) => pending.push((*operand, here)),
                Node::Binary { left, right, .. } => pending.extend([(*right, here.clone()), (*left, here)]),
                Node::Call { function, args } => {
                    if *function == Function::IndexedRepeat {
                        self.check_repeats(args, here.as_ref(), on)?;
                    }
                    pending.extend(args.iter().rev().map(|&arg| (arg, here.clone())));
                }
                Node::Path(path) => {
                    for (index, step) in path.steps.iter().enumerate() {
                        let candidate = || candidate(path, index)?.absolute(here.as_ref(), on);
                        pending.extend(step.predicates.iter().map(|&predicate| (predicate, candidate())));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_repeats(&self, args: &[ExprId], here: Option<&Path>, current: Option<&Path>) -> Result<(), ParseError> {
        let known = |id: ExprId| match self.node(id) {
            Node::Path(path) => path.absolute(here, current),
            _ => None,
        };
        let Some((target, pairs)) = args.split_first() else { return Ok(()) };
        let Some(target) = known(*target) else { return Ok(()) };
        for &repeat in pairs.iter().step_by(2) {
            if known(repeat).is_some_and(|repeat| !repeat.leads_to(&target)) {
                return Err(ParseError {
                    kind: ErrorKind::WrongArguments,
                    span: self.span(repeat),
                    reason: "a repeat of indexed-repeat() must be part of the path to the target".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Makes an expression that is written for a node stand on the one around it: relative paths lose their first `..`.
    pub(crate) fn stand_on_parent(&mut self) {
        let relative: Vec<_> = self
            .paths()
            .iter()
            .filter(|read| {
                read.path.start == Start::Current || read.path.start == Start::Context && read.within.is_none()
            })
            .map(|read| read.id)
            .collect();
        for id in relative {
            if let Some(Node::Path(path)) = self.node_mut(id)
                && path.steps.first() == Some(&Step::new(Axis::Parent, NameTest::Any))
            {
                path.steps.remove(0);
            }
        }
    }
}

/// The way to the candidates of a step; not known where a step may mean several names.
fn candidate(path: &Path, index: usize) -> Option<Path> {
    let mut steps: Vec<_> = path.steps.iter().take(index + 1).cloned().collect();
    for step in &mut steps {
        step.predicates.clear();
        if step.axis != Axis::Parent && step.test == NameTest::Any {
            return None;
        }
    }
    Some(Path { start: path.start.clone(), steps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Names;
    use crate::xpath::parse;

    #[test]
    fn repeats_lie_on_the_way_to_the_target_however_either_is_written() {
        for (source, wrong) in [
            ("indexed-repeat(/d/g/r/v, /d/g/r, 1)", None),
            ("indexed-repeat(/d/g/r/v, ../r, 1)", None),
            ("indexed-repeat(../r/v, /d/g/r, 1)", None),
            ("indexed-repeat(../r/v, current()/../r, 1)", None),
            ("indexed-repeat(../../g/r/v, /d/g/x/../r, 1)", None),
            ("indexed-repeat(/d/g/r/i/v, /d/g/r, 1, ../r/i, 2)", None),
            ("count(/d/g/r[indexed-repeat(v, ., 1) > indexed-repeat(/d/g/r/v, ., 2)])", None),
            ("count(../*[indexed-repeat(v, ../r, 1) > 2])", None),
            ("indexed-repeat(/d/g/r/v, /d/s, 1)", Some("/d/s")),
            ("indexed-repeat(/d/g/r/v, ../s, 1)", Some("../s")),
            ("1 + indexed-repeat(../r/v, ., 1)", Some(".")),
            ("indexed-repeat(/d/g/r/v, /d/g/r, 1, ../r/i, 1)", Some("../r/i")),
            ("indexed-repeat(/d/g/r/v, /d/g/r[v = 1], 1)", Some("/d/g/r[v = 1]")),
            ("count(/d/g/r[indexed-repeat(v, ../s, 1) = 1])", Some("../s")),
            ("indexed-repeat(instance('l')/root/item/v, /d/g/r, 1)", Some("/d/g/r")),
        ] {
            let mut names = Names::default();
            let expr = parse(source, &mut names).unwrap();
            let on = Path::to_node(["d", "g", "o"].map(|name| names.intern(name)), false);
            let found =
                expr.check_on(Some(&on)).err().map(|error| &source[error.span.start as usize..error.span.end as usize]);
            assert_eq!(found, wrong, "{source}");
        }
    }

    #[test]
    fn an_expression_of_a_repeat_can_stand_around_it() {
        for (source, around) in [
            ("../n", "n"),
            ("current()/../n", "current()/n"),
            ("../../n", "../n"),
            ("/d/n", "/d/n"),
            ("../g/../n", "g/../n"),
            ("../o[k = current()/../n and ../m = 1]/n", "o[k = current()/n and ../m = 1]/n"),
            ("../a + count(../b)", "a + count(b)"),
        ] {
            let mut names = Names::default();
            let (mut expr, expected) = (parse(source, &mut names).unwrap(), parse(around, &mut names).unwrap());
            expr.stand_on_parent();
            let nodes = |expr: &Expr| expr.iter().map(|(_, node)| node.clone()).collect::<Vec<_>>();
            assert_eq!(nodes(&expr), nodes(&expected), "{source}");
        }
    }
}

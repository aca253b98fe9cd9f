use std::cell::{Cell, RefCell};

use smallvec::SmallVec;

use super::ast::{Expr, ExprId, Node, Operator};
use super::functions::{self, Args, Function, compile_pattern};
use super::value::{comparable, equal};
use super::world::MAX_TEXT;
use super::{EvalError, NodeRef, Value, World};

/// So much text is looked through in a step.
const BYTES_A_STEP: usize = 64;

/// How many levels of an expression the way to a text's own expressions is worth.
const DEPTH_OF_A_TEXT: u32 = 8;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// `.`, from which relative paths start.
    pub node: NodeRef,
    /// `current()`; the same node, except where a path is followed from a choice on behalf of a question.
    pub current: NodeRef,
    /// `position()` outside of predicates, from 1.
    pub position: usize,
}

impl Context {
    /// The context of an expression that belongs to `node`.
    #[must_use]
    pub fn of(node: NodeRef) -> Self {
        Self { node, current: node, position: 1 }
    }
}

impl Expr {
    /// The value of the expression in `context`.
    ///
    /// # Errors An undeclared instance, an argument that a function cannot work with, or too much work. Wrong types are
    /// no errors: they convert as xforms.md §11 says.
    pub fn eval<W: World>(&self, world: &W, context: &Context) -> Result<Value, EvalError> {
        let steps = world.steps_left();
        let evaluator = Evaluator {
            expr: self,
            world,
            current: context.current,
            steps_left: Cell::new(steps),
            depth_left: Cell::new(world.depth_left()),
            text_left: Cell::new(MAX_TEXT),
        };
        let value = evaluator.eval(self.root(), Scope { node: context.node, position: context.position, memo: None });
        world.spend_steps(steps - evaluator.steps_left.get());
        value
    }
}

/// One evaluation of one expression.
pub(super) struct Evaluator<'e, W> {
    pub(super) expr: &'e Expr,
    pub(super) world: &'e W,
    pub(super) current: NodeRef,
    steps_left: Cell<u64>,
    depth_left: Cell<u32>,
    /// Bytes of text that may still be made.
    text_left: Cell<usize>,
}

/// What a subexpression sees: the whole expression's context, or a candidate of the predicate it stands in.
#[derive(Clone, Copy)]
pub(super) struct Scope<'m> {
    pub(super) node: NodeRef,
    pub(super) position: usize,
    pub(super) memo: Option<&'m Memo>,
}

/// What has been found, during one scan of a predicate's candidates, for subexpressions that need nothing of them.
pub(super) struct Memo {
    tree: u16,
    found: RefCell<SmallVec<[(ExprId, Value); 2]>>,
}

impl Memo {
    /// For candidates of `tree`.
    pub(super) fn new(tree: u16) -> Self {
        Self { tree, found: RefCell::default() }
    }

    fn get(&self, id: ExprId) -> Option<Value> {
        self.found.borrow().iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone())
    }
}

impl<W: World> Evaluator<'_, W> {
    pub(super) fn eval(&self, id: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        self.spend(1)?;
        let depth = self.depth_left.get();
        self.depth_left.set(depth.checked_sub(1).ok_or(EvalError::TooMuchWork)?);
        let value = self.remembered(id, scope);
        self.depth_left.set(depth);
        if let Ok(Value::Text(text)) = &value {
            self.make_text(text.len())?;
        }
        value
    }

    fn remembered(&self, id: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        match scope.memo {
            Some(memo) if self.expr.needs(id).nothing_of(memo.tree) => {
                if let Some(value) = memo.get(id) {
                    return Ok(value);
                }
                let value = self.compute(id, Scope { memo: None, ..scope })?;
                memo.found.borrow_mut().push((id, value.clone()));
                Ok(value)
            }
            _ => self.compute(id, scope),
        }
    }

    /// The value of `id`, its first node's if it is a nodeset.
    pub(super) fn scalar(&self, id: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        Ok(self.eval(id, scope)?.into_scalar(self.world))
    }

    /// Counts text that is made or looked through. Short ones are part of the step that makes them.
    pub(super) fn make_text(&self, n_bytes: usize) -> Result<(), EvalError> {
        if n_bytes < BYTES_A_STEP {
            return Ok(());
        }
        let left = self.text_left.get().checked_sub(n_bytes);
        self.text_left.set(left.unwrap_or(0));
        left.ok_or(EvalError::TooMuchWork)?;
        self.spend_on_text(n_bytes)
    }

    /// Counts text that is looked through.
    pub(super) fn spend_on_text(&self, n_bytes: usize) -> Result<(), EvalError> {
        self.spend((n_bytes / BYTES_A_STEP) as u64)
    }

    /// Counts work done.
    pub(super) fn spend(&self, steps: u64) -> Result<(), EvalError> {
        let left = self.steps_left.get().checked_sub(steps);
        self.steps_left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvalError::TooMuchWork)
    }

    fn compute(&self, id: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        match self.expr.node(id) {
            Node::Number(number) => Ok(Value::Number(*number)),
            Node::Text(text) => Ok(Value::Text(text.to_string())),
            Node::Path(path) => Ok(Value::Nodes(self.path(path, scope)?)),
            Node::Call { function, args } => self.call(*function, args, scope),
            Node::Binary { .. } => self.binary(id, scope),
            Node::Negate(operand) => Ok(Value::Number(-self.eval(*operand, scope)?.to_number(self.world))),
        }
    }

    /// Operators group from the left, so a long chain of them is a deep tree to the left: it is walked, not recursed
    /// into.
    fn binary(&self, id: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        let mut pending = SmallVec::<[(Operator, ExprId); 8]>::new();
        let mut leftmost = id;
        while let Node::Binary { operator, left, right } = self.expr.node(leftmost) {
            pending.push((*operator, *right));
            leftmost = *left;
        }
        let mut value = self.scalar(leftmost, scope)?;
        while let Some((operator, right)) = pending.pop() {
            self.spend(1)?;
            value = self.apply(operator, value, right, scope)?;
        }
        Ok(value)
    }

    fn apply(&self, operator: Operator, left: Value, right: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        let world = self.world;
        match operator {
            Operator::Or if left.to_bool(world) => return Ok(Value::Bool(true)),
            Operator::And if !left.to_bool(world) => return Ok(Value::Bool(false)),
            _ => {}
        }
        let right = self.scalar(right, scope)?;
        let order = || {
            let (left, right) = comparable(&left, &right, world);
            left.partial_cmp(&right)
        };
        let arithmetic = |calculate: fn(f64, f64) -> f64| calculate(left.to_number(world), right.to_number(world));
        Ok(match operator {
            Operator::Or | Operator::And => right.to_bool(world).into(),
            Operator::Equal => equal(&left, &right, world).into(),
            Operator::NotEqual => (!equal(&left, &right, world)).into(),
            Operator::Less => order().is_some_and(|order| order.is_lt()).into(),
            Operator::AtMost => order().is_some_and(|order| order.is_le()).into(),
            Operator::Greater => order().is_some_and(|order| order.is_gt()).into(),
            Operator::AtLeast => order().is_some_and(|order| order.is_ge()).into(),
            Operator::Add => arithmetic(|left, right| left + right).into(),
            Operator::Subtract => arithmetic(|left, right| left - right).into(),
            Operator::Multiply => arithmetic(|left, right| left * right).into(),
            Operator::Divide => arithmetic(|left, right| left / right).into(),
            Operator::Modulo => arithmetic(|left, right| left % right).into(),
        })
    }

    /// The few functions that look at their arguments as expressions; all others get values.
    fn call(&self, function: Function, args: &[ExprId], scope: Scope<'_>) -> Result<Value, EvalError> {
        match (function, args) {
            (Function::If, &[condition, yes, no]) => {
                let branch = if self.eval(condition, scope)?.to_bool(self.world) { yes } else { no };
                self.eval(branch, scope)
            }
            (Function::Coalesce, &[first, second]) => {
                let value = self.scalar(first, scope)?;
                if value.is_empty(self.world) { self.eval(second, scope) } else { Ok(value) }
            }
            (Function::Depend, &[first, ..]) => self.eval(first, scope),
            (Function::IndexedRepeat, &[target, ref pairs @ ..]) => self.indexed_repeat(target, pairs, scope),
            (Function::PullData, &[cells, keys, key]) => self.pull_data(cells, keys, key, scope),
            (Function::Regex, &[text, pattern]) => self.matches(text, pattern, scope),
            _ => {
                let values: SmallVec<[Value; 4]> =
                    args.iter().map(|&arg| self.eval(arg, scope)).collect::<Result<_, _>>()?;
                for value in &values {
                    match value {
                        Value::Text(text) => self.spend_on_text(text.len())?,
                        Value::Nodes(nodes) => {
                            self.spend_on_text(nodes.first().map_or(0, |&node| self.world.text(node).len()))?;
                        }
                        _ => {}
                    }
                }
                let around = self.world.depth_left();
                self.world.set_depth_left(self.depth_left.get().saturating_sub(DEPTH_OF_A_TEXT));
                let value = functions::apply(function, &Args::new(values, self, scope));
                self.world.set_depth_left(around);
                value
            }
        }
    }

    fn matches(&self, text: ExprId, pattern: ExprId, scope: Scope<'_>) -> Result<Value, EvalError> {
        let text = self.eval(text, scope)?.to_text(self.world);
        // A matcher may look at every place of the text once for each of its states.
        self.spend(text.len() as u64)?;
        let matched = match self.expr.pattern(pattern) {
            Some(compiled) => compiled.is_match(&text),
            None => {
                const COMPILATION: u64 = 1000;
                self.spend(COMPILATION)?;
                let pattern = self.eval(pattern, scope)?.to_text(self.world);
                let reason = "the regular expression cannot be read";
                let unreadable = EvalError::Argument { function: Function::Regex, reason };
                compile_pattern(&pattern).ok_or(unreadable)?.is_match(&text)
            }
        };
        matched.map(Value::Bool).map_err(|_| EvalError::TooMuchWork)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xpath::small_world::SmallWorld;

    fn check(rows: &[(&str, &str)]) {
        let world = SmallWorld::new();
        for (source, expected) in rows {
            assert_eq!(world.text_at("/d", source), *expected, "{source}");
        }
    }

    #[test]
    fn operators_bind_as_in_xpath() {
        check(&[
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("10 - 2 - 3", "5"),
            ("2 * 3 div 4 * 2", "3"),
            ("-2 + 5", "3"),
            ("- - 3", "3"),
            ("--'3'", "3"),
            ("---3", "-3"),
            ("2 - -2", "4"),
            ("-7 mod 3", "-1"),
            ("5.5 mod 2", "1.5"),
            ("7 mod 0", "NaN"),
            ("1 div 0", "Infinity"),
            ("0 div 0", "NaN"),
            ("-(2) * 3", "-6"),
            ("1 < 2 = 2 > 1", "true"),
            ("3 > 2 > 1", "false"),
            ("1 = 1 = 1", "true"),
            ("false() and false() or true()", "true"),
            ("true() or false() and false()", "true"),
            ("1 + 1 = 2 and 2 < 3", "true"),
            (".5 + 5.", "5.5"),
            ("3mod 2", "1"),
        ]);
    }

    #[test]
    fn values_compare_as_forms_expect() {
        check(&[
            ("'a' < 'b'", "false"),
            ("'2' < '10'", "true"),
            ("'' < 1", "false"),
            ("'' >= 0", "false"),
            ("1 = '1'", "true"),
            ("'05' = '5'", "false"),
            ("'05' = 5", "true"),
            ("n = '05'", "true"), // an int node
            ("list = 'a b'", "true"),
            ("empty = ''", "true"),
            ("none = ''", "true"),
            ("n != ''", "true"),
            ("true() = 'x'", "true"),
            ("true() = 'true'", "true"),
            ("true() = 'false'", "false"),
            ("false() = 'false'", "true"),
            ("'true' = false()", "false"),
            ("yes != 'false'", "true"),
            ("false() = ''", "true"),
            ("yes = true()", "true"),
            ("yes = 1", "true"),
            ("0.1 + 0.2 = 0.3", "true"),
            ("1 = 1.00000000001", "false"),
            ("1 div 0 = 1 div 0", "true"),
            ("number('') = number('')", "false"),
            ("number('') != number('')", "true"),
            ("r/v = 1", "true"), // the first node stands for all
            ("r/v = 2", "false"),
            ("r/v != 2", "true"),
        ]);
    }

    #[test]
    fn and_and_or_stop_early() {
        check(&[
            ("true() or instance('none')/root", "true"),
            ("false() and instance('none')/root", "false"),
            ("false() or instance('none')/root", "! there is no instance 'none'"),
        ]);
    }

    #[test]
    fn long_chains_and_deep_nests_need_little_stack() {
        const SMALL_STACK: usize = 2 * 1024 * 1024; // unoptimised; optimised code needs less than 512 KiB
        let long = format!("1{}", " + 1".repeat(10_000));
        let either = format!("false(){} or true()", " or false()".repeat(5_000));
        let nests = [
            ("if(1 = 1 and 2 * (3 + 4) > -(", "1", "), 1, 0)", "1"),
            ("1 = 2 or count(/d/a[", "1", "]) = 1", "true"),
            ("if(false(), 0, ", "1", ")", "1"),
            ("false() or true() and 1 = 1 > 0 + 1 * (", "1", ")", "true"),
            ("concat('', ", "1", ")", "1"),
            ("coalesce('', join('', ", "1", "))", "1"),
            ("/d[. = '' or count(/d/a[", "1", "]) = 1]/a", "x"),
        ];
        let run = move || {
            let world = SmallWorld::new();
            assert_eq!(world.text_at("/d", &long), "10001");
            assert_eq!(world.text_at("/d", &either), "true");
            for (before, inmost, behind, expected) in nests {
                let nested = |n| format!("{}{inmost}{}", before.repeat(n), behind.repeat(n));
                let deepest = (1..128).rev().find(|&n| world.parse(&nested(n)).is_ok()).unwrap();
                assert!(deepest > 30, "{before}: {deepest}");
                assert_eq!(world.text_at("/d", &nested(deepest)), expected, "{before}");
            }
        };
        std::thread::Builder::new().stack_size(SMALL_STACK).spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn endless_work_is_refused() {
        let world = SmallWorld::new();
        let source = (0..9).fold("1 = 2".to_owned(), |inner, _| format!("count(/d/*[{inner} or . = 'x']) > 99"));
        let expr = world.parse(&source).unwrap();
        let current = world.node("/d");
        let (steps_left, depth_left, text_left) = (Cell::new(10_000), Cell::new(200), Cell::new(1000));
        let evaluator = Evaluator { expr: &expr, world: &world, current, steps_left, depth_left, text_left };
        let outcome = evaluator.eval(expr.root(), Scope { node: current, position: 1, memo: None });
        assert_eq!(outcome, Err(EvalError::TooMuchWork));
        let pattern = "regex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '(?=a)(a|aa)+(?<!b)')";
        assert_eq!(world.eval_at("/d", pattern), Err(EvalError::TooMuchWork));
    }

    /// Words that expressions are made of, so that more than brackets gets through.
    fn words() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "1",
            "2.5",
            "'x'",
            "''",
            "\"'\"",
            "/d/r",
            "/d/r/v",
            "/d/moment",
            "v",
            "w",
            ".",
            "..",
            "@id",
            "*",
            "/",
            "[",
            "]",
            "(",
            ")",
            ",",
            "+",
            "-",
            "=",
            "!=",
            "<",
            ">=",
            " and ",
            " or ",
            " div ",
            " mod ",
            "instance('sites')/root/item",
            "current()",
            "position()",
            "count(",
            "sum(",
            "if(",
            "concat(",
            "selected(",
            "coalesce(",
            "round(",
            "substr(",
            "date(",
            "format-date(",
            "regex(",
            "randomize(",
            "area(",
            "pulldata('sites','label','code',",
            "node()",
            "é",
            "🐐",
            "\u{0}",
            "'%Y'",
            "-3",
            "1e9",
            "99999999999999999999",
            "true()",
            "today()",
            " ",
            "::",
            "$",
            "|",
            "//",
        ]);
        prop::collection::vec(word, 0..14).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(source in "\\PC{0,60}") {
            let world = SmallWorld::new();
            if let Ok(expr) = world.parse(&source) {
                let _ = expr.eval(&world, &Context::of(world.node("/d/r[2]/w")));
            }
        }

        #[test]
        fn no_words_make_it_panic(source in words()) {
            let world = SmallWorld::new();
            match world.parse(&source) {
                Ok(expr) => {
                    let value = expr.eval(&world, &Context::of(world.node("/d/r[2]/w")));
                    // A constant does not look around.
                    if expr.is_constant() {
                        prop_assert_eq!(format!("{value:?}"), format!("{:?}", expr.eval(&world, &Context::of(world.node("/d/a")))));
                    }
                }
                Err(error) => {
                    prop_assert!(error.span.start <= error.span.end && error.span.end as usize <= source.len());
                    prop_assert!(source.get(error.span.start as usize..error.span.end as usize).is_some());
                }
            }
        }

        #[test]
        fn an_index_changes_nothing(
            column in prop::sample::select(vec!["code", "town", "label", "none"]),
            key in prop::sample::select(vec!["'u'", "'u2'", "'5'", "5", "''", "label", "/d/n", "/d/a", "concat('u', '1')"]),
            more in prop::sample::select(vec!["", " and code != 'u1'", " and position() = 2", " and 0", " or town = 'z'"]),
            behind in prop::sample::select(vec!["", "[1]", "[town]", "[last = 2]"]),
        ) {
            let source = format!("instance('sites')/root/item[{column} = {key}{more}]{behind}/code");
            let mut world = SmallWorld::new();
            let looked_up = world.eval_at("/d/r[1]/w", &source);
            world.keeps_index = false;
            prop_assert_eq!(looked_up, world.eval_at("/d/r[1]/w", &source));
        }
    }
}

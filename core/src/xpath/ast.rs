use std::ops::Range;

use fancy_regex::Regex;

use super::functions::Function;
use crate::xml::NameId;

/// A subexpression within its [`Expr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(u32);

/// A parsed expression: an arena of nodes, operands before what uses them.
#[derive(Clone, Debug)]
pub struct Expr {
    nodes: Vec<Node>,
    spans: Vec<Range<u32>>,
    needs: Vec<Needs>,
    depths: Vec<u32>,
    patterns: Vec<(ExprId, Regex)>,
}

/// One subexpression.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A number written in the expression.
    Number(f64),
    /// A text written in the expression.
    Text(Box<str>),
    /// A path to nodes.
    Path(Path),
    /// A call; the number of arguments has been checked.
    Call {
        /// What is called.
        function: Function,
        /// Its arguments in order.
        args: Vec<ExprId>,
    },
    /// Two operands and the operator between them.
    Binary {
        /// What joins them.
        operator: Operator,
        /// The operand before it.
        left: ExprId,
        /// The operand behind it.
        right: ExprId,
    },
    /// The operand with its sign changed.
    Negate(ExprId),
}

/// Operators, in classes of rising precedence as [`Operator::precedence`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// Binding strength, 0 the weakest; equal strengths group from the left.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Equal | Self::NotEqual => 2,
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo => 5,
        }
    }
}

/// A path: where it starts and the steps from there. `.` is a path without steps from [`Start::Context`].
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Where it starts.
    pub start: Start,
    /// The steps in order; a plain `.` among them is dropped.
    pub steps: Vec<Step>,
}

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// `/`: the document of the primary instance.
    Root,
    /// A relative path: the context node, which within a predicate is the candidate.
    Context,
    /// `current()`: the context node of the whole expression, also within predicates.
    Current,
    /// `instance('id')`: the document of a secondary instance.
    Instance(Box<str>),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which way it goes.
    pub axis: Axis,
    /// Which nodes it keeps by name.
    pub test: NameTest,
    /// Which of these it keeps further, in order.
    pub predicates: Vec<ExprId>,
}

impl Step {
    pub(super) fn new(axis: Axis, test: NameTest) -> Self {
        Self { axis, test, predicates: Vec::new() }
    }

    /// The name of a child step without predicates, the only kind that binds to an ancestor of the context.
    #[must_use]
    pub fn plain_child(&self) -> Option<NameId> {
        match (self.axis, self.test) {
            (Axis::Child, NameTest::Name(name)) if self.predicates.is_empty() => Some(name),
            _ => None,
        }
    }
}

/// The direction of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// To the element children.
    Child,
    /// `@`: to the attributes.
    Attribute,
    /// `..`: to the parent.
    Parent,
    /// `.`: nowhere; kept only if a name or a predicate is tested.
    Itself,
}

/// Which names a step keeps; prefixes play no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTest {
    /// This local name.
    Name(NameId),
    /// `*` or `node()`.
    Any,
}

/// A path of an expression, and the predicate it stands in.
#[derive(Clone, Copy, Debug)]
pub struct PathUse<'e> {
    /// The subexpression that is the path.
    pub id: ExprId,
    /// The path.
    pub path: &'e Path,
    /// The innermost predicate around it: the path and the index of its step; `None` outside of predicates.
    pub within: Option<(ExprId, usize)>,
    /// The call whose argument the path is, if it is one.
    pub argument_of: Option<Function>,
}

impl Expr {
    /// The whole expression.
    #[must_use]
    pub fn root(&self) -> ExprId {
        ExprId((self.nodes.len() as u32).saturating_sub(1))
    }

    /// The subexpression `id`; NaN for an id of another, longer expression.
    #[must_use]
    pub fn node(&self, id: ExprId) -> &Node {
        const NOTHING: &Node = &Node::Number(f64::NAN);
        self.nodes.get(id.0 as usize).unwrap_or(NOTHING)
    }

    pub(super) fn node_mut(&mut self, id: ExprId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// The bytes of the source that `id` was read from.
    #[must_use]
    pub fn span(&self, id: ExprId) -> Range<u32> {
        self.spans.get(id.0 as usize).cloned().unwrap_or_default()
    }

    /// Every subexpression, operands before what uses them.
    pub fn iter(&self) -> impl Iterator<Item = (ExprId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (ExprId(index as u32), node))
    }

    /// Every path, outer before inner, with the predicate it stands in: within one, a relative path starts from the
    /// candidates of the predicate's step.
    #[must_use]
    pub fn paths(&self) -> Vec<PathUse<'_>> {
        let mut found = Vec::new();
        let mut pending = vec![(self.root(), None, None)];
        while let Some((id, within, argument_of)) = pending.pop() {
            match self.node(id) {
                Node::Number(_) | Node::Text(_) => {}
                Node::Path(path) => {
                    found.push(PathUse { id, path, within, argument_of });
                    for (index, step) in path.steps.iter().enumerate().rev() {
                        pending.extend(step.predicates.iter().rev().map(|&inner| (inner, Some((id, index)), None)));
                    }
                }
                Node::Call { function, args } => {
                    pending.extend(args.iter().rev().map(|&arg| (arg, within, Some(*function))));
                }
                Node::Binary { left, right, .. } => {
                    pending.extend([(*right, within, None), (*left, within, None)]);
                }
                Node::Negate(operand) => pending.push((*operand, within, None)),
            }
        }
        found
    }

    /// Lets the relative paths that were read from `span` start at the context of the whole expression, also where they
    /// stand in a predicate of something around them.
    pub(crate) fn start_at_current(&mut self, span: &Range<u32>) {
        let is_inside = |id: ExprId| {
            let own = self.span(id);
            span.start <= own.start && own.end <= span.end
        };
        let relative = self.paths().into_iter().filter(|found| {
            let is_own = found.within.is_none_or(|(around, _)| !is_inside(around));
            found.path.start == Start::Context && is_own && is_inside(found.id)
        });
        for id in relative.map(|found| found.id).collect::<Vec<_>>() {
            if let Some(Node::Path(path)) = self.nodes.get_mut(id.0 as usize) {
                path.start = Start::Current;
            }
        }
        let mut nodes = std::mem::take(&mut self.nodes);
        self.needs.clear();
        for node in nodes.drain(..) {
            self.needs.push(self.needs_of(&node));
            self.nodes.push(node);
        }
    }

    /// The ids of the secondary instances it reads.
    pub fn instance_ids(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Path(Path { start: Start::Instance(id), .. }) => Some(&**id),
            _ => None,
        })
    }

    /// Whether the whole expression is one call.
    #[must_use]
    pub fn is_call(&self) -> bool {
        matches!(self.node(self.root()), Node::Call { .. })
    }

    /// Every function called.
    pub fn functions(&self) -> impl Iterator<Item = Function> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Call { function, .. } => Some(*function),
            _ => None,
        })
    }

    /// Whether the value depends on nothing but the expression itself, as with `true()` or `1 + 2`.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.nodes.iter().all(|node| !matches!(node, Node::Path(_))) && self.functions().all(Function::is_pure)
    }

    /// Whether evaluating it again may give another value although no node has changed: time, chance, `once()`.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.nodes.iter().any(|node| match node {
            Node::Call { function: Function::Randomize, args } => args.len() == 1,
            Node::Call { function, .. } => function.is_volatile(),
            _ => false,
        })
    }

    pub(super) fn empty() -> Self {
        Self { nodes: Vec::new(), spans: Vec::new(), needs: Vec::new(), depths: Vec::new(), patterns: Vec::new() }
    }

    pub(super) fn push(&mut self, node: Node, span: Range<u32>) -> ExprId {
        let id = ExprId(self.nodes.len() as u32);
        self.needs.push(self.needs_of(&node));
        self.depths.push(self.depth_of(&node));
        self.nodes.push(node);
        self.spans.push(span);
        id
    }

    pub(super) fn push_pattern(&mut self, id: ExprId, pattern: Regex) {
        self.patterns.push((id, pattern));
    }

    /// The compiled form of the regular expression that the text literal `id` holds.
    pub(super) fn pattern(&self, id: ExprId) -> Option<&Regex> {
        self.patterns.iter().find(|(literal, _)| *literal == id).map(|(_, pattern)| pattern)
    }

    /// How many subexpressions are open at a time when `id` is evaluated.
    pub(super) fn depth(&self, id: ExprId) -> u32 {
        self.depths.get(id.0 as usize).copied().unwrap_or_default()
    }

    fn depth_of(&self, node: &Node) -> u32 {
        let deepest = |ids: &[ExprId]| ids.iter().map(|&id| self.depth(id)).max().unwrap_or_default();
        match node {
            Node::Number(_) | Node::Text(_) => 1,
            Node::Path(path) => 1 + path.steps.iter().map(|step| deepest(&step.predicates)).max().unwrap_or_default(),
            Node::Call { args, .. } => 1 + deepest(args),
            // A chain of operators is walked to the left, so only what stands behind one is deeper.
            Node::Binary { left, right, .. } => match self.node(*left) {
                Node::Binary { .. } => self.depth(*left).max(1 + self.depth(*right)),
                _ => 1 + deepest(&[*left, *right]),
            },
            Node::Negate(operand) => 1 + self.depth(*operand),
        }
    }

    pub(super) fn needs(&self, id: ExprId) -> Needs {
        self.needs.get(id.0 as usize).copied().unwrap_or_default()
    }

    fn needs_of(&self, node: &Node) -> Needs {
        let all = |ids: &[ExprId]| ids.iter().map(|&id| self.needs(id)).fold(Needs::default(), Needs::and);
        match node {
            Node::Number(_) | Node::Text(_) => Needs::default(),
            // What stands in the path's own predicates looks at the path's candidates, not at ours.
            Node::Path(path) => {
                Needs { candidate: path.start == Start::Context, ancestors: path.start == Start::Root, position: false }
            }
            Node::Call { function, args } => all(args).and(function.needs(args.len())),
            Node::Binary { left, right, .. } => all(&[*left, *right]),
            Node::Negate(operand) => self.needs(*operand),
        }
    }
}

/// What a subexpression of a predicate takes from the candidate it is tested against. One that needs nothing has the
/// same value for all candidates, so a scan evaluates it once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The candidate itself, or a fresh random number for each.
    pub(super) candidate: bool,
    /// The candidate's ancestors, to which an absolute path binds; only if it is a node of the primary instance.
    pub(super) ancestors: bool,
    /// The candidate's position.
    pub(super) position: bool,
}

impl Needs {
    fn and(self, other: Self) -> Self {
        Self {
            candidate: self.candidate || other.candidate,
            ancestors: self.ancestors || other.ancestors,
            position: self.position || other.position,
        }
    }

    /// Whether the value is the same for all candidates of `tree`.
    pub(super) fn nothing_of(self, tree: u16) -> bool {
        !(self.candidate || self.position || self.ancestors && tree == 0)
    }
}

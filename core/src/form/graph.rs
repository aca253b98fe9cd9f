use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::own_rows::counts_of_own_rows;
use super::{Condition, FormDef, Label};
use crate::ids::{ControlId, DefId, ElementId, FormulaId, Id, IndexVec, RuleId};
use crate::xml::{Document, Namespace};
use crate::xpath::{Axis, Expr, ExprId, Function, NameTest, Node, Path, Start};
use crate::{Error, ErrorKind};

/// What a rule decides about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// The value.
    Calculate,
    /// Whether it applies.
    Relevant,
    /// Whether it only shows.
    Readonly,
    /// Whether it must be answered.
    Required,
    /// What the control offers.
    Choices(ControlId),
    /// What the control asks: label and hint.
    Label(ControlId),
    /// How many instances the repeat has; the target is the node around them.
    Count(ControlId),
}

/// One expression of the form that must be looked at again when something it reads changes.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The node it is about.
    pub target: DefId,
    /// What it decides.
    pub facet: Facet,
    /// The expression; none for a label, whose text is made when it is shown, and for a count that is looked at again because
    /// its repeat may have become relevant.
    pub formula: Option<FormulaId>,
    /// Place in the order of calculation: every rule comes after the ones it reads from.
    pub rank: u32,
    /// The node around the target whose rows it is alike in: all targets below one instance of it get the same value, as with
    /// `count(../../r)`, so that it is evaluated once for all of them.
    pub alike_below: Option<DefId>,
}

/// A rule that reads a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The rule.
    pub rule: RuleId,
    /// The deepest node that reader and read share: only targets below the same instance of it are concerned.
    pub anchor: DefId,
}

/// Who reads whom, and in which order to calculate.
#[derive(Debug, Default)]
pub struct Graph {
    /// Every rule.
    pub rules: IndexVec<RuleId, Rule>,
    readers: Vec<Vec<Edge>>,
    rules_of: Vec<Vec<RuleId>>,
    own_row_counts: BTreeSet<ControlId>,
}

impl Graph {
    /// The rules that read a node's value, relevance or number of instances.
    #[must_use]
    pub fn readers(&self, def: DefId) -> &[Edge] {
        self.readers.get(def.index()).map_or(&[], |edges| edges)
    }

    /// The rules whose target is this node.
    #[must_use]
    pub fn rules_of(&self, def: DefId) -> &[RuleId] {
        self.rules_of.get(def.index()).map_or(&[], |rules| rules)
    }

    /// The repeats whose count follows from their own rows, so that one row more may mean that another is due.
    #[must_use]
    pub fn own_row_counts(&self) -> &BTreeSet<ControlId> {
        &self.own_row_counts
    }

    /// Forgets who reads whom where `is_kept`, told the node that is read, says no: what tests must notice.
    #[doc(hidden)]
    pub fn retain(&mut self, is_kept: impl Fn(DefId, &Rule, &Edge) -> bool) {
        for (def, edges) in self.readers.iter_mut().enumerate() {
            edges.retain(|edge| is_kept(DefId::from_index(def), &self.rules[edge.rule], edge));
        }
    }

    /// Collects the rules of a form and puts them in order.
    ///
    /// # Errors
    /// [`ErrorKind::Cycle`] for each circle, naming the questions that depend on each other; [`ErrorKind::TooLarge`] if
    /// expressions read more nodes than can be kept.
    pub(super) fn build(form: &FormDef) -> Result<Self, Vec<Error>> {
        let work_left = Cell::new(MAX_WORK);
        let mut builder = Builder { form, rules: IndexVec::default(), reads: Vec::new(), work_left: &work_left };
        builder.collect();
        if work_left.get() == 0 {
            return Err(vec![too_large()]);
        }
        let order = builder.order()?;
        let Builder { mut rules, reads, .. } = builder;
        for (rank, &rule) in order.iter().enumerate() {
            rules[rule].rank = u32::try_from(rank).unwrap_or(u32::MAX);
        }
        let mut readers = vec![Vec::new(); form.nodes.len()];
        let mut rules_of = vec![Vec::new(); form.nodes.len()];
        for (rule, reads) in rules.ids().zip(&reads) {
            for read in reads {
                readers[read.def.index()].push(Edge { rule, anchor: read.anchor });
            }
            rules_of[rules[rule].target.index()].push(rule);
        }
        let mut graph = Self { rules, readers, rules_of, own_row_counts: BTreeSet::new() };
        graph.own_row_counts = counts_of_own_rows(form, &graph);
        Ok(graph)
    }
}

/// One node that an expression reads, seen from the node it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    def: DefId,
    anchor: DefId,
}

/// How many nodes the paths of all expressions may pass together, and how often one rule may have to wait for another:
/// `/d/*` in each of ten thousand questions would be too much for a phone.
const MAX_WORK: usize = 3_000_000;

/// The most questions of a circle that are named, and the most circles.
const MAX_NAMED: usize = 50;

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "the expressions read more nodes than can be kept")
}

struct Builder<'f> {
    form: &'f FormDef,
    rules: IndexVec<RuleId, Rule>,
    /// Per rule what it reads.
    reads: Vec<Vec<Read>>,
    work_left: &'f Cell<usize>,
}

impl<'f> Builder<'f> {
    fn reader(&self, target: DefId) -> Reader<'f> {
        Reader { form: self.form, target, reads: BTreeSet::new(), work_left: self.work_left }
    }

    fn collect(&mut self) {
        let form = self.form;
        for (def, node) in form.nodes.iter() {
            let conditions =
                [(Facet::Relevant, node.relevant), (Facet::Readonly, node.readonly), (Facet::Required, node.required)];
            for (facet, condition) in conditions {
                if let Condition::Formula(formula) = condition {
                    self.add_formula(def, facet, formula);
                }
            }
            if let Some(formula) = node.calculate {
                self.add_formula(def, Facet::Calculate, formula);
            }
        }
        let texts = TextOutputs::collect(form);
        for (id, control) in form.controls.iter() {
            let Some(target) = control.node else { continue };
            if let Some(itemset) = &control.itemset {
                let mut reader = self.reader(target);
                let offered = reader.read(&form.formulas[itemset.nodeset].expr);
                reader.read_relative(&form.formulas[itemset.value].expr, &offered);
                for &label in itemset.label.iter().flat_map(Label::formulas) {
                    reader.read_relative(&form.formulas[label].expr, &offered);
                }
                self.add(target, Facet::Choices(id), Some(itemset.nodeset), reader.reads);
            }
            if let Some(formula) = control.count {
                let parent = form.nodes[target].parent.unwrap_or(target);
                self.add_formula(parent, Facet::Count(id), formula);
                self.add(parent, Facet::Count(id), None, self.reads_of_relevance(target, parent));
            }
            let mut reader = self.reader(target);
            for label in control.label.iter().chain(&control.hint) {
                for &formula in label.formulas() {
                    reader.read(&form.formulas[formula].expr);
                }
                match label {
                    Label::Itext(id) => texts.of_text(id).iter().for_each(|&output| reader.read_output(output)),
                    Label::Literal(element) => texts.within(*element).for_each(|output| reader.read_output(output)),
                    Label::Plain(_) | Label::Formula(_) | Label::ItextOf(_) | Label::ByLanguage(_) => {}
                }
            }
            if !reader.reads.is_empty() {
                self.add(target, Facet::Label(id), None, reader.reads);
            }
        }
    }

    /// What decides whether the next row of a repeat is relevant.
    fn reads_of_relevance(&self, repeat: DefId, parent: DefId) -> BTreeSet<Read> {
        let mut reader = self.reader(repeat);
        if let Condition::Formula(formula) = self.form.nodes[repeat].relevant {
            reader.read(&self.form.formulas[formula].expr);
        }
        reader.reads.insert(Read { def: parent, anchor: parent });
        reader.reads
    }

    fn add_formula(&mut self, target: DefId, facet: Facet, formula: FormulaId) {
        let mut reader = self.reader(target);
        reader.read(&self.form.formulas[formula].expr);
        let alike_below = self.alike_below(target, formula, &reader.reads);
        self.add(target, facet, Some(formula), reader.reads);
        if let Some(rule) = self.rules.ids().next_back() {
            self.rules[rule].alike_below = alike_below;
        }
    }

    /// The node that a rule shares with all it reads, if the value depends on nothing nearer and there may be many targets.
    fn alike_below(&self, target: DefId, formula: FormulaId, reads: &BTreeSet<Read>) -> Option<DefId> {
        let nodes = &self.form.nodes;
        let is_pure = self.form.formulas[formula].expr.functions().all(Function::is_pure);
        let mut around = self.form.ancestors(target);
        let nearest = around.find(|&around| reads.iter().any(|read| read.anchor == around));
        let nearest = nearest.unwrap_or(self.form.root());
        let between = self.form.ancestors(target).take_while(|&def| def != nearest);
        (is_pure && between.into_iter().any(|def| nodes[def].repeat.is_some())).then_some(nearest)
    }

    fn add(&mut self, target: DefId, facet: Facet, formula: Option<FormulaId>, reads: BTreeSet<Read>) {
        self.rules.push(Rule { target, facet, formula, rank: 0, alike_below: None });
        self.reads.push(reads.into_iter().collect());
    }

    /// A topological order of the rules (Kahn's), in the order of the form where there is a choice.
    fn order(&self) -> Result<Vec<RuleId>, Vec<Error>> {
        let form = self.form;
        // Which rules change what is read at a node: its calculation, and the relevance of itself and everything around it.
        let mut own: Vec<Vec<RuleId>> = vec![Vec::new(); form.nodes.len()];
        for (id, rule) in self.rules.iter() {
            if matches!(rule.facet, Facet::Calculate | Facet::Relevant) {
                own[rule.target.index()].push(id);
            }
        }
        let feeders = |def: DefId| {
            let inherited = form.ancestors(def).skip(1).flat_map(|def| &own[def.index()]);
            let inherited = inherited.filter(|&&rule| self.rules[rule].facet == Facet::Relevant);
            own[def.index()].iter().chain(inherited).copied().collect::<Vec<_>>()
        };
        let mut work_left = MAX_WORK;
        let mut before: Vec<BTreeSet<RuleId>> = vec![BTreeSet::new(); self.rules.len()];
        let mut after: Vec<BTreeSet<RuleId>> = vec![BTreeSet::new(); self.rules.len()];
        let mut of_themselves = BTreeSet::new();
        for (id, rule) in self.rules.iter() {
            for read in &self.reads[id.index()] {
                let reads_itself = read.def == rule.target
                    && matches!(rule.facet, Facet::Readonly | Facet::Required | Facet::Calculate | Facet::Relevant);
                if reads_itself {
                    of_themselves.insert(id);
                }
                for feeder in feeders(read.def) {
                    work_left = work_left.checked_sub(1).ok_or_else(|| vec![too_large()])?;
                    before[id.index()].insert(feeder);
                    after[feeder.index()].insert(id);
                }
            }
        }
        let mut ready: BTreeSet<RuleId> = self.rules.ids().filter(|id| before[id.index()].is_empty()).collect();
        let mut order = Vec::with_capacity(self.rules.len());
        while let Some(id) = ready.pop_first() {
            order.push(id);
            for &next in &after[id.index()] {
                before[next.index()].remove(&id);
                if before[next.index()].is_empty() {
                    ready.insert(next);
                }
            }
        }
        if order.len() == self.rules.len() && of_themselves.is_empty() {
            return Ok(order);
        }
        // What is left contains the circles, and what hangs before and behind them.
        of_themselves.extend(self.rules.ids().filter(|id| before[id.index()].contains(id)));
        let left: BTreeSet<RuleId> = self.rules.ids().filter(|id| !before[id.index()].is_empty()).collect();
        let mut circles = components(&left, &before, &after);
        circles.retain(|circle| circle.len() > 1);
        let in_circles: BTreeSet<RuleId> = circles.iter().flatten().copied().collect();
        circles.extend(of_themselves.difference(&in_circles).map(|&rule| vec![rule]));
        circles.sort();
        Err(self.cycles(&circles))
    }

    /// An error for each circle, naming its questions.
    fn cycles(&self, circles: &[Vec<RuleId>]) -> Vec<Error> {
        let more = |n: usize| if n > 0 { format!(" and {n} more") } else { String::new() };
        let mut told = BTreeSet::new();
        let mut errors = Vec::new();
        for circle in circles {
            let mut known = BTreeSet::new();
            let defs = circle.iter().map(|&rule| self.rules[rule].target).filter(|&def| known.insert(def));
            let defs: Vec<DefId> = defs.collect();
            let named: Vec<_> = defs.iter().take(MAX_NAMED).map(|&def| self.form.path(def)).collect();
            let detail = named.join(", ") + &more(defs.len() - named.len());
            // Two rules of one question may each read it: that is said once.
            if told.insert(detail.clone()) && errors.len() < MAX_NAMED {
                errors.push(Error::new(ErrorKind::Cycle, detail));
            }
        }
        if told.len() > errors.len() {
            let n_more = told.len() - errors.len();
            errors.push(Error::new(ErrorKind::Cycle, format!("{n_more} more circles")));
        }
        errors
    }
}

/// The sets of rules that all wait for each other (Kosaraju's strongly connected components), each in the order in which one
/// reads the next, from the first in the form on.
fn components(left: &BTreeSet<RuleId>, before: &[BTreeSet<RuleId>], after: &[BTreeSet<RuleId>]) -> Vec<Vec<RuleId>> {
    let mut finished = Vec::with_capacity(left.len());
    let mut seen = BTreeSet::new();
    for &start in left {
        let mut open = if seen.insert(start) { vec![(start, after[start.index()].iter())] } else { Vec::new() };
        while let Some((rule, next)) = open.last_mut() {
            match next.find(|&next| left.contains(next) && seen.insert(*next)) {
                Some(&next) => open.push((next, after[next.index()].iter())),
                None => {
                    finished.push(*rule);
                    open.pop();
                }
            }
        }
    }
    // What is reached from one rule, each before what it reads.
    let reach = |start: RuleId, is_new: &mut dyn FnMut(RuleId) -> bool| {
        let mut reached = Vec::new();
        let mut pending = vec![start];
        while let Some(rule) = pending.pop() {
            if is_new(rule) {
                reached.push(rule);
                pending.extend(before[rule.index()].iter().rev());
            }
        }
        reached
    };
    let mut placed = BTreeSet::new();
    let mut components = Vec::new();
    for start in finished.into_iter().rev() {
        let members: BTreeSet<_> =
            reach(start, &mut |rule| left.contains(&rule) && placed.insert(rule)).into_iter().collect();
        if let Some(&first) = members.first() {
            let mut seen = BTreeSet::new();
            components.push(reach(first, &mut |rule| members.contains(&rule) && seen.insert(rule)));
        }
    }
    components
}

/// Finds out which nodes an expression can read, without evaluating it.
struct Reader<'f> {
    form: &'f FormDef,
    target: DefId,
    reads: BTreeSet<Read>,
    work_left: &'f Cell<usize>,
}

/// The nodes of the record that a path may stand on (none for rows of a list), and the deepest node that they certainly share
/// with the target: one around or at each of them, and around or at the target.
#[derive(Clone, Debug)]
struct Place {
    defs: Vec<DefId>,
    anchor: DefId,
}

impl Reader<'_> {
    /// Notes what `expr` reads on the target; gives the nodes it selects if it is a path.
    fn read(&mut self, expr: &Expr) -> Place {
        self.visit(expr, expr.root(), &self.own())
    }

    /// Where the whole expression stands.
    fn own(&self) -> Place {
        Place { defs: vec![self.target], anchor: self.target }
    }

    /// The same for an expression that stands on the nodes of another.
    fn read_relative(&mut self, expr: &Expr, place: &Place) {
        self.visit(expr, expr.root(), place);
    }

    fn read_output(&mut self, output: FormulaId) {
        self.read(&self.form.formulas[output].expr);
    }

    fn visit(&mut self, expr: &Expr, id: ExprId, context: &Place) -> Place {
        let nowhere = Place { defs: Vec::new(), anchor: self.form.root() };
        match expr.node(id) {
            Node::Number(_) | Node::Text(_) => nowhere,
            Node::Negate(inner) => {
                self.visit(expr, *inner, context);
                nowhere
            }
            Node::Binary { .. } => {
                // Operators group from the left: a long chain is walked, not recursed into.
                let mut leftmost = id;
                while let Node::Binary { left, right, .. } = expr.node(leftmost) {
                    self.visit(expr, *right, context);
                    leftmost = *left;
                }
                self.visit(expr, leftmost, context);
                nowhere
            }
            Node::Path(path) => self.visit_path(expr, path, context),
            Node::Call { function, args } => {
                let mut first = None;
                for &arg in args {
                    let place = self.visit(expr, arg, context);
                    if *function == Function::IndexedRepeat {
                        // The index chooses the instance, so the target's own is not meant.
                        self.reads.extend(place.defs.iter().map(|&def| Read { def, anchor: self.form.root() }));
                    }
                    first.get_or_insert(place);
                }
                match function {
                    Function::Randomize => first.unwrap_or(nowhere),
                    _ => nowhere,
                }
            }
        }
    }

    fn visit_path(&mut self, expr: &Expr, path: &Path, context: &Place) -> Place {
        let form = self.form;
        let (mut place, walked) = self.start(path, context);
        for (index, step) in path.steps.iter().enumerate().skip(walked) {
            let named = |defs: &[DefId], test: &NameTest| -> Vec<DefId> {
                let fits = |&&def: &&DefId| match test {
                    NameTest::Any => true,
                    NameTest::Name(name) => form.nodes[def].name == *name,
                };
                defs.iter().filter(fits).copied().collect()
            };
            let children = |def: DefId| match step.test {
                NameTest::Name(name) => form.child(def, name).into_iter().collect(),
                NameTest::Any => form.nodes[def].children.clone(),
            };
            match step.axis {
                Axis::Itself => {}
                Axis::Parent => {
                    self.read_on_the_way(path, index, &place);
                    place.defs = unique(place.defs.iter().filter_map(|&def| form.nodes[def].parent));
                    while let Some(&def) = place.defs.first()
                        && !form.ancestors(def).any(|def| def == place.anchor)
                    {
                        match form.nodes[place.anchor].parent {
                            Some(parent) => place.anchor = parent,
                            None => break,
                        }
                    }
                }
                Axis::Child if path.start == Start::Root && index == 0 => {
                    place.defs = named(&[form.root()], &step.test)
                }
                Axis::Child => {
                    place.defs = unique(place.defs.iter().flat_map(|&def| children(def)));
                }
                Axis::Attribute => {
                    let attributes = place.defs.iter().flat_map(|&def| named(&form.nodes[def].attributes, &step.test));
                    place.defs = unique(attributes);
                }
            }
            let left = self.work_left.get().saturating_sub(1 + place.defs.len());
            self.work_left.set(left);
            if left == 0 {
                return Place { defs: Vec::new(), anchor: form.root() };
            }
            for &predicate in &step.predicates {
                self.visit(expr, predicate, &place);
            }
        }
        self.reads.extend(place.defs.iter().map(|&def| Read { def, anchor: place.anchor }));
        place
    }

    /// `/d/r/..` is there as long as there is a row: the rows that a path goes down to and up again from are read, too, unless
    /// they are around the target, which is in one then.
    fn read_on_the_way(&mut self, path: &Path, index: usize, place: &Place) {
        let before = index.checked_sub(1).and_then(|before| path.steps.get(before));
        if before.is_some_and(|before| before.axis == Axis::Child) {
            let form = self.form;
            let comes_and_goes = |def: DefId| {
                form.nodes[def].repeat.is_some() && form.ancestors(self.target).all(|around| around != def)
            };
            let rows = place.defs.iter().copied().filter(|&def| comes_and_goes(def));
            self.reads.extend(rows.map(|def| Read { def, anchor: place.anchor }).collect::<Vec<_>>());
        }
    }

    /// Where a path starts, and how many of its steps have then been taken: what the evaluator does with nodes, done with all
    /// that they may be.
    fn start(&self, path: &Path, context: &Place) -> (Place, usize) {
        let form = self.form;
        let outside = Place { defs: Vec::new(), anchor: form.root() };
        match path.start {
            Start::Context => (context.clone(), 0),
            Start::Current => (self.own(), 0),
            Start::Instance(_) => (outside, 0),
            Start::Root => {
                let own = self.own();
                // A row of a list leaves it to the question that asks.
                let context = if context.defs.is_empty() { &own } else { context };
                let bound = context.defs.iter().map(|&def| {
                    let around = form.nodes.elements_around(def);
                    let n_shared = path.n_shared(around.iter().map(|&def| form.nodes[def].name));
                    (n_shared, n_shared.checked_sub(1).and_then(|last| around.get(last).copied()))
                });
                match bound.min() {
                    Some((n_shared, Some(bound))) => {
                        let is_around = form.ancestors(context.anchor).any(|def| def == bound);
                        let anchor = if is_around { bound } else { context.anchor };
                        (Place { defs: vec![bound], anchor }, n_shared)
                    }
                    _ => (outside, 0),
                }
            }
        }
    }
}

fn unique(defs: impl Iterator<Item = DefId>) -> Vec<DefId> {
    let mut known = HashSet::new();
    defs.filter(|&def| known.insert(def)).collect()
}

/// The `<output>` elements by the text they stand in.
struct TextOutputs<'f> {
    form: &'f FormDef,
    by_text: BTreeMap<String, Vec<FormulaId>>,
}

impl<'f> TextOutputs<'f> {
    fn collect(form: &'f FormDef) -> Self {
        let mut by_text: BTreeMap<String, Vec<FormulaId>> = BTreeMap::new();
        let id = form.names.find("id");
        let mut outputs: Vec<_> = form.outputs.iter().collect();
        outputs.sort();
        for (&output, &formula) in outputs {
            let text = ancestors(&form.document, output)
                .find_map(|element| form.document.attribute(element, Namespace::None, id));
            if let Some(text) = text {
                by_text.entry(text.into_owned()).or_default().push(formula);
            }
        }
        Self { form, by_text }
    }

    /// In any language.
    fn of_text(&self, id: &str) -> &[FormulaId] {
        self.by_text.get(id).map_or(&[], |formulas| formulas)
    }

    fn within(&self, label: ElementId) -> impl Iterator<Item = FormulaId> {
        self.form.document.children(label).filter_map(|child| self.form.outputs.get(&child).copied())
    }
}

fn ancestors(document: &Document, element: ElementId) -> impl Iterator<Item = ElementId> + '_ {
    std::iter::successors(Some(element), |&element| document.element(element).parent)
}

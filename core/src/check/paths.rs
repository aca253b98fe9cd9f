//! Expressions that need one value and name a question with many rows.

use super::Told;
use super::spots::spots;
use super::tables::{Table, column_of};
use crate::form::{DiagnosticKind, FormDef};
use crate::ids::DefId;
use crate::xpath::{Axis, Expr, ExprId, Function, NameTest, Node, Path, Start};

pub(super) fn look(form: &FormDef, told: &mut Told) {
    let spots = spots(form);
    for (id, spot) in &spots {
        let expr = &form.formulas[*id].expr;
        // A count stands on the node around its repeat.
        let around = form.nodes[spot.def].parent.unwrap_or(spot.def);
        let target = if spot.part == "repeat_count" { around } else { spot.def };
        let finder = Finder { form, expr, target };
        let mut found = Vec::new();
        // What an itemset offers may be many; its value and label stand on one row, and cannot be looked at alone.
        let is_of_a_row = spot.part == "choices" && column_of(expr).is_some();
        if !is_of_a_row {
            finder.visit(expr.root(), spot.part == "choice_filter", &[target], &mut found);
        }
        for path in found {
            told.tell(DiagnosticKind::ManyNodes, form.path(spot.def), format!("{path} in {}", spot.part));
        }
    }
}

struct Finder<'f> {
    form: &'f FormDef,
    expr: &'f Expr,
    target: DefId,
}

impl Finder<'_> {
    /// Looks at a subexpression that stands on one of `defs` (none: on a row of a list); `many` is whether what uses it takes
    /// many nodes.
    fn visit(&self, id: ExprId, many: bool, defs: &[DefId], found: &mut Vec<String>) {
        match self.expr.node(id) {
            Node::Number(_) | Node::Text(_) => {}
            Node::Negate(inner) => self.visit(*inner, false, defs, found),
            Node::Binary { left, right, .. } => {
                self.visit(*left, false, defs, found);
                self.visit(*right, false, defs, found);
            }
            Node::Call { function, args } => {
                for (index, &arg) in args.iter().enumerate() {
                    // `if` and its kin hand through what they are given.
                    let through = many && matches!(function, Function::If | Function::Randomize);
                    self.visit(arg, through || takes_many(*function, index), defs, found);
                }
            }
            Node::Path(path) => {
                if self.walk(path, defs, found) && !many {
                    found.push(self.name(path));
                }
            }
        }
    }

    /// Whether a path may select more than one node, and what stands in its predicates.
    fn walk(&self, path: &Path, context: &[DefId], found: &mut Vec<String>) -> bool {
        let form = self.form;
        if let Start::Instance(_) = path.start {
            for predicate in path.steps.iter().flat_map(|step| &step.predicates) {
                self.visit(*predicate, false, &[], found);
            }
            let is_chosen = path.steps.iter().any(|step| !step.predicates.is_empty());
            let n_rows = Table::of(form, path, 2).map_or(0, |table| table.len());
            return !is_chosen && path.steps.len() >= 2 && n_rows > 1;
        }
        let (mut defs, own) = match path.start {
            Start::Context => (context.to_vec(), Vec::new()),
            Start::Current => (vec![self.target], Vec::new()),
            _ => {
                let mut own: Vec<_> = form.ancestors(context.first().copied().unwrap_or(self.target)).collect();
                own.reverse();
                (Vec::new(), own)
            }
        };
        let (mut many, mut shared) = (false, true);
        for (index, step) in path.steps.iter().enumerate() {
            let fits = |def: DefId| match step.test {
                NameTest::Any => true,
                NameTest::Name(name) => form.nodes[def].name == name,
            };
            let is_first = path.start == Start::Root && index == 0;
            match step.axis {
                Axis::Itself => {}
                Axis::Parent => defs = defs.iter().filter_map(|&def| form.nodes[def].parent).collect(),
                Axis::Attribute => {
                    let all = defs.iter().flat_map(|&def| &form.nodes[def].attributes);
                    defs = all.copied().filter(|&def| fits(def)).collect();
                }
                Axis::Child => {
                    let roots = [form.root()];
                    let all = defs.iter().flat_map(|&def| &form.nodes[def].children);
                    let all: Vec<_> = if is_first { roots.to_vec() } else { all.copied().collect() };
                    defs = all.into_iter().filter(|&def| fits(def)).collect();
                    let is_own = shared && own.get(index).is_some_and(|&own| defs == [own]);
                    many |= !is_own && defs.iter().any(|&def| form.nodes[def].repeat.is_some());
                    shared &= is_own && step.predicates.is_empty();
                }
            }
            defs.sort_unstable();
            defs.dedup();
            many |= defs.len() > 1;
            if !step.predicates.is_empty() {
                many = false;
                step.predicates.iter().for_each(|&predicate| self.visit(predicate, false, &defs, found));
            }
        }
        many
    }

    fn name(&self, path: &Path) -> String {
        let steps = path.steps.iter().map(|step| {
            let name = match step.test {
                NameTest::Name(name) => self.form.names.get(name),
                NameTest::Any => "*",
            };
            match step.axis {
                Axis::Parent => "..".to_owned(),
                Axis::Attribute => format!("@{name}"),
                Axis::Child | Axis::Itself => name.to_owned(),
            }
        });
        let steps = steps.collect::<Vec<_>>().join("/");
        match &path.start {
            Start::Root => format!("/{steps}"),
            Start::Context => steps,
            Start::Current => format!("current()/{steps}"),
            Start::Instance(id) => format!("instance('{id}')/{steps}"),
        }
    }
}

/// Whether a function does something with every node of an argument.
fn takes_many(function: Function, index: usize) -> bool {
    match function {
        Function::Min | Function::Max | Function::Join | Function::Concat | Function::Depend => true,
        Function::Checklist | Function::WeightedChecklist | Function::Distance | Function::PullData => true,
        Function::Area | Function::Geofence | Function::Intersects => true,
        _ => function.takes_nodeset(index),
    }
}

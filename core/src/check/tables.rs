use std::borrow::Cow;

use crate::dataset::Dataset;
use crate::form::{FormDef, ListTree};
use crate::ids::ElementId;
use crate::xml::{Document, NameId};
use crate::xpath::{Axis, Expr, Function, NameTest, Node, Path, Start, Step};

/// The rows of a list that a path names, seen as a table.
pub(super) enum Table<'f> {
    Elements(&'f Document, Vec<ElementId>),
    Rows(&'f dyn Dataset),
}

/// The path of an itemset or of one list, without `randomize()` around it.
pub(super) fn path_of(expr: &Expr) -> Option<&Path> {
    match expr.node(expr.root()) {
        Node::Path(path) => Some(path),
        Node::Call { function: Function::Randomize, args } => match expr.node(*args.first()?) {
            Node::Path(path) => Some(path),
            _ => None,
        },
        _ => None,
    }
}

/// The name of the one column that an expression on a row reads.
pub(super) fn column_of(expr: &Expr) -> Option<NameId> {
    match expr.node(expr.root()) {
        Node::Path(Path { start: Start::Context, steps }) => match steps.as_slice() {
            [step] if step.axis == Axis::Child => child(step),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn child(step: &Step) -> Option<NameId> {
    match (step.axis, step.test) {
        (Axis::Child, NameTest::Name(name)) => Some(name),
        _ => None,
    }
}

impl<'f> Table<'f> {
    /// The rows that the first `n_steps` steps lead to, whatever their predicates say; none where that is not known: the list
    /// is not there, or the path is of another kind.
    pub(super) fn of(form: &'f FormDef, path: &Path, n_steps: usize) -> Option<Self> {
        let Start::Instance(id) = &path.start else { return None };
        let list = form.lists.get(form.list(id)?)?;
        let names: Option<Vec<NameId>> = path.steps.get(..n_steps)?.iter().map(child).collect();
        let names = names?;
        match &list.tree {
            ListTree::Element(document, root) => {
                let (first, rest) = names.split_first()?;
                let mut found = vec![*root];
                found.retain(|&element| document.element(element).name == *first);
                for name in rest {
                    found = found
                        .into_iter()
                        .flat_map(|element| document.children(element))
                        .filter(|&element| document.element(element).name == *name)
                        .collect();
                }
                Some(Self::Elements(document, found))
            }
            ListTree::Rows(rows) if n_steps == 2 => Some(Self::Rows(rows)),
            _ => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Elements(_, rows) => rows.len(),
            Self::Rows(rows) => rows.len(),
        }
    }

    /// A cell; empty where the row has no such column.
    pub(super) fn cell(&self, row: usize, column: NameId) -> Cow<'f, str> {
        match self {
            Self::Elements(document, rows) => {
                let mut cells = rows.get(row).into_iter().flat_map(|&row| document.children(row));
                let cell = cells.find(|&cell| document.element(cell).name == column);
                Cow::Owned(cell.map(|cell| document.text(cell).trim().to_owned()).unwrap_or_default())
            }
            Self::Rows(rows) => match rows.columns().iter().position(|&known| known == column) {
                Some(index) => Cow::Owned(rows.cell(row, index).trim().to_owned()),
                None => Cow::Borrowed(""),
            },
        }
    }

    /// Whether some row has such a column; an empty list is not known to lack any.
    pub(super) fn has_column(&self, column: NameId) -> bool {
        match self {
            Self::Elements(document, rows) => {
                let mut cells = rows.iter().flat_map(|&row| document.children(row));
                rows.is_empty() || cells.any(|cell| document.element(cell).name == column)
            }
            Self::Rows(rows) => rows.columns().is_empty() || rows.columns().contains(&column),
        }
    }
}

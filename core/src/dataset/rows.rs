use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::Dataset;
use crate::xml::NameId;

/// The most columns of a list.
pub(super) const MAX_COLUMNS: usize = 10_000;

/// The most cells of a list, empty ones among them: 500,000 rows of ten columns.
const MAX_CELLS: usize = 5_000_000;

type Index = HashMap<Box<str>, Vec<u32>>;

/// A dataset in memory; a column is indexed when it is first asked for a value.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Vec<NameId>,
    cells: Vec<Box<str>>,
    indexes: Vec<OnceLock<Index>>,
}

impl Rows {
    /// An empty dataset of these columns.
    #[must_use]
    pub fn new(columns: Vec<NameId>) -> Self {
        let indexes = columns.iter().map(|_| OnceLock::new()).collect();
        Self { columns, cells: Vec::new(), indexes }
    }

    /// Whether no other row can be taken.
    pub(super) fn is_full(&self) -> bool {
        self.cells.len() + self.columns.len() > MAX_CELLS
    }

    /// Appends a row: missing cells become empty, cells beyond the last column are dropped.
    pub fn push<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let width = self.columns.len();
        let before = self.cells.len();
        self.cells.extend(cells.into_iter().take(width).map(Box::from));
        self.cells.resize_with(before + width, Box::default);
        for index in &mut self.indexes {
            index.take();
        }
    }

    /// Some rows, in this order, with other names for the columns.
    #[must_use]
    pub fn choose(&self, columns: Vec<NameId>, rows: impl IntoIterator<Item = usize>) -> Self {
        let width = self.columns.len();
        let mut chosen = Self::new(columns);
        for row in rows {
            chosen.push(self.cells.iter().skip(row * width).take(width).map(|cell| &**cell));
        }
        chosen
    }

    fn index(&self, column: usize) -> Option<&Index> {
        let index = self.indexes.get(column)?.get_or_init(|| {
            let mut index = Index::new();
            for row in 0..self.len() {
                let value = self.cell(row, column).into_owned().into_boxed_str();
                index.entry(value).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
            }
            index
        });
        Some(index)
    }
}

impl Dataset for Rows {
    fn columns(&self) -> &[NameId] {
        &self.columns
    }

    fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    fn cell(&self, row: usize, column: usize) -> Cow<'_, str> {
        if column >= self.columns.len() {
            return Cow::Borrowed("");
        }
        Cow::Borrowed(self.cells.get(row * self.columns.len() + column).map_or("", |cell| cell))
    }

    fn find(&self, column: usize, value: &str) -> Vec<u32> {
        self.index(column).and_then(|index| index.get(value)).cloned().unwrap_or_default()
    }
}

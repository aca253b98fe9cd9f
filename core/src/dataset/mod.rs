//! Datasets: the rows behind a form's CSV and GeoJSON files, asked by equality and by row.
//!
//! The engine sees a dataset only through the trait [`Dataset`], so that a list may lie in memory or in a database.

mod csv;
mod geojson;
mod rows;

use std::borrow::Cow;

use crate::xml::NameId;

pub use self::csv::read_csv;
pub use self::geojson::read_geojson;
pub use self::rows::Rows;

/// Rows of named columns, read-only.
pub trait Dataset: Send + Sync + std::fmt::Debug {
    /// The columns in order.
    fn columns(&self) -> &[NameId];
    /// Number of rows.
    fn len(&self) -> usize;
    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One cell; empty outside the table.
    fn cell(&self, row: usize, column: usize) -> Cow<'_, str>;
    /// The rows whose cell in `column` is exactly `value`, in order.
    fn find(&self, column: usize, value: &str) -> Vec<u32>;
}

//! Rows that a broken tree hides: the pages of a table, each read by itself.
//!
//! A table is found from its first page down. Where that page, or one between it and the rows, is damaged, whole pages of rows
//! are there and nothing leads to them. In a copy of the database every page is therefore called, some at a time, the first
//! page of a table with the same columns, and SQLite reads what lies there. A page of another kind is refused by SQLite; rows
//! of another table show by the types of their values; and what was erased is zeros (`secure_delete`), so nothing comes back
//! that somebody let go.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use crate::Result;
use crate::store::folder::io_error;
use crate::store::{Key, connection};

/// The pages of a damaged database, in a copy whose definitions can be changed.
pub(super) struct Leaves<'k> {
    path: PathBuf,
    key: &'k Key,
    n_pages: u32,
    /// Rows of the copy's list of tables, each of which can name a page.
    slots: Vec<i64>,
}

/// A column as it is stored.
struct Column {
    name: String,
    kind: String,
    may_be_null: bool,
    /// What stands for it in rows from before the column was added, as SQL.
    default: Option<String>,
}

impl<'k> Leaves<'k> {
    /// Copies `database`, whose definitions can be read, to `copy`.
    ///
    /// # Errors
    /// `StorageFull`, `Io`, `StorageDamaged`.
    pub(super) fn of(database: &Path, copy: PathBuf, key: &'k Key) -> Result<Self> {
        fs::copy(database, &copy).map_err(io_error)?;
        let copied = connection::open_damaged(&copy, key, true)?;
        let n_pages = copied.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let mut query = copied.prepare("SELECT rowid FROM sqlite_schema")?;
        let slots = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(query);
        Ok(Self { path: copy, key, n_pages, slots })
    }

    /// Gives every row of `table`, as `like` defines it, that lies on a page that can be read and whose proof holds, with the number of
    /// the page. The rows have the columns of the table, in order; those of a page are neighbours in it.
    ///
    /// # Errors
    /// Those of `take`; `StorageDamaged` and others if the copy cannot be worked with.
    pub(super) fn each_row(
        &self,
        like: &Connection,
        table: &str,
        take: &mut dyn FnMut(u32, &Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let (columns, definition) = described(like, table)?;
        let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let pages: Vec<u32> = (2..=self.n_pages).collect();
        for pages in pages.chunks(self.slots.len().max(1)) {
            self.point(pages, &definition)?;
            let reader = connection::open_damaged(&self.path, self.key, true)?;
            for (slot, page) in self.slots.iter().zip(pages) {
                let Ok(mut query) = reader.prepare(&format!("SELECT {names} FROM leaf_{slot}")) else { continue };
                let Ok(mut rows) = query.query([]) else { continue };
                while let Ok(Some(row)) = rows.next() {
                    if columns.iter().enumerate().all(|(at, column)| column.fits(row, at)) {
                        take(*page, row)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Calls each of these pages the first of a table of its own.
    fn point(&self, pages: &[u32], definition: &str) -> Result<()> {
        let copy = connection::open_for_mending(&self.path, self.key)?;
        copy.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
        let mut name = copy.prepare(
            "UPDATE sqlite_schema SET type = 'table', name = ?2, tbl_name = ?2, rootpage = ?3, sql = ?4 WHERE rowid = ?1",
        )?;
        for (slot, page) in self.slots.iter().zip(pages) {
            let leaf = format!("leaf_{slot}");
            name.execute(params![slot, leaf, page, format!("CREATE TABLE {leaf} {definition}")])?;
        }
        drop(name);
        Ok(copy.execute_batch("COMMIT")?)
    }
}

impl Column {
    /// Whether a value is stored as the column stores its own.
    fn fits(&self, row: &Row<'_>, at: usize) -> bool {
        match (row.get(at), self.kind.as_str()) {
            (Ok(Value::Null), _) => self.may_be_null,
            (Ok(Value::Integer(_)), kind) => kind == "INTEGER",
            (Ok(Value::Text(_)), kind) => kind == "TEXT",
            (Ok(Value::Blob(_)), kind) => kind == "BLOB",
            _ => false,
        }
    }
}

/// The columns of a table, and a definition that reads its rows as they are stored: without types, so that no value is
/// converted, and without whatever would need an index.
fn described(like: &Connection, table: &str) -> Result<(Vec<Column>, String)> {
    let has_rowid: bool =
        like.query_row("SELECT wr = 0 FROM pragma_table_list WHERE schema = 'main' AND name = ?", [table], |row| {
            row.get(0)
        })?;
    let mut query = like.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?)")?;
    let columns: Vec<(Column, i64)> = query
        .query_map([table], |row| {
            let column = Column {
                name: row.get(0)?,
                kind: row.get(1)?,
                may_be_null: !row.get::<_, bool>(2)?,
                default: row.get(3)?,
            };
            Ok((column, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut key: Vec<&(Column, i64)> = columns.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let key: Vec<String> = key.into_iter().map(|(column, _)| column.name.clone()).collect();
    let is_rowid = |column: &Column| has_rowid && column.kind == "INTEGER" && key == [column.name.as_str()];
    let declared = columns.iter().map(|(column, _)| match &column.default {
        _ if is_rowid(column) => format!("{} INTEGER PRIMARY KEY", column.name),
        Some(default) => format!("{} DEFAULT ({default})", column.name),
        None => column.name.clone(),
    });
    let declared = declared.collect::<Vec<_>>().join(", ");
    let definition = if has_rowid {
        format!("({declared})")
    } else {
        format!("({declared}, PRIMARY KEY ({})) WITHOUT ROWID", key.join(", "))
    };
    Ok((columns.into_iter().map(|(column, _)| column).collect(), definition))
}

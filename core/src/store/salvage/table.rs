//! Copying what can be read of a table: along its tree from both ends, row by row between them, and page by page.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Error as SqliteError, ErrorCode, Row, Transaction, params_from_iter};

use super::journal::{self, END, Journals, Place, START};
use super::leaves::Leaves;
use super::references::{highest, stub_form};
use super::source::Source;
use super::tally::ids;
use crate::Result;

/// How far behind the last row that could be read others are looked for, one by one, where nothing tells how many there were.
const REACH: i64 = 10_000;

/// What came of reading a table from one source.
#[derive(Default)]
pub(super) struct Found {
    /// Every row could be read.
    pub(super) is_whole: bool,
    /// Rows that were not there before.
    pub(super) n_new: usize,
    /// What was read of the journals.
    pub(super) journals: Journals,
    /// Records that nothing proves to be what was written.
    pub(super) unproved_records: Vec<i64>,
}

/// A table, as the schema has it.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
    /// What tells its rows apart, in order.
    key: Vec<String>,
    has_rowid: bool,
}

/// All tables of a database.
pub(super) fn tables(database: &Connection) -> Result<Vec<Table>> {
    let mut query = database
        .prepare("SELECT name, wr = 0 FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names: Vec<(String, bool)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut columns = database.prepare("SELECT name, pk FROM pragma_table_info(?)")?;
    let mut tables = Vec::new();
    for (name, has_rowid) in names {
        let found: Vec<(String, i64)> =
            columns.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut key: Vec<_> = found.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let key = key.into_iter().map(|(name, _)| name.clone()).collect();
        tables.push(Table { name, columns: found.into_iter().map(|(name, _)| name).collect(), key, has_rowid });
    }
    Ok(tables)
}

impl Table {
    /// Copies the rows that can be read: from the front, from the back, and between the two one by one.
    pub(super) fn copy(&self, source: &Source, target: &Transaction<'_>) -> Result<Found> {
        let mut found = Found::default();
        let order = if self.has_rowid { "rowid".to_owned() } else { self.key.join(", ") };
        let Some(last) = self.copy_while(source, target, &format!("ORDER BY {order}"), &mut found)? else {
            found.is_whole = true;
            found.journals.read(START, END);
            return Ok(found);
        };
        let backwards = order.split(", ").map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
        let backwards = format!("ORDER BY {backwards}");
        let first = self.copy_while(source, target, &backwards, &mut found)?.unwrap_or_default();
        if self.has_rowid {
            let last = last.first().copied().unwrap_or(0);
            let end = first.first().copied().or_else(|| highest(source, &self.name)).unwrap_or(i64::MAX);
            self.copy_each(source, target, "rowid = ?", &[], (last, end), &mut found)?;
        } else if self.name == journal::TABLE {
            found.journals.read(START, place(&last).unwrap_or(START));
            found.journals.read(place(&first).unwrap_or(END), END);
            self.copy_journals(source, target, &mut found)?;
        }
        Ok(found)
    }

    /// Copies the rows of each draft: they have numbers of their own.
    fn copy_journals(&self, source: &Source, target: &Transaction<'_>, found: &mut Found) -> Result<()> {
        for draft in ids(target, "SELECT id FROM draft")? {
            let (start, end) = ((draft, 0), (draft, i64::MAX));
            let of_draft = format!("WHERE draft = {draft} ORDER BY seq");
            let Some(last) = self.copy_while(source, target, &of_draft, found)? else {
                found.journals.read(start, end);
                continue;
            };
            let last = place(&last).unwrap_or(start);
            let of_draft = format!("{of_draft} DESC");
            let first =
                self.copy_while(source, target, &of_draft, found)?.and_then(|first| place(&first)).unwrap_or(end);
            found.journals.read(start, last);
            found.journals.read(first, end);
            self.copy_each(source, target, "draft = ? AND seq = ?", &[draft], (last.1, first.1), found)?;
        }
        Ok(())
    }

    /// Copies the rows of pages that no tree leads to.
    pub(super) fn copy_leaves(
        &self,
        leaves: &Leaves<'_>,
        source: &Source,
        target: &Transaction<'_>,
        found: &mut Found,
    ) -> Result<()> {
        let (mut refused, mut stretches) = (None, BTreeMap::<u32, (Place, Place)>::new());
        let read = leaves.each_row(target, &self.name, &mut |page, row| {
            if self.name == journal::TABLE {
                let place = (row.get("draft")?, row.get("seq")?);
                stretches.entry(page).or_insert((place, place)).1 = place;
            }
            let inserted = self.insert(source, target, row, found);
            inserted.inspect_err(|error| refused = Some(error.kind()))
        });
        for (from, to) in stretches.into_values() {
            found.journals.read(from, to);
        }
        // What cannot be read is no news here; what cannot be written is.
        if refused.is_some() { read } else { Ok(()) }
    }

    /// Copies rows in the order asked for until one cannot be read: then the numbers of the last one's key, and `None` at the
    /// end of what was asked for. A row that is garbled is passed over.
    fn copy_while(
        &self,
        source: &Source,
        target: &Transaction<'_>,
        which: &str,
        found: &mut Found,
    ) -> Result<Option<Vec<i64>>> {
        let key = if self.has_rowid { "rowid".to_owned() } else { self.key.join(", ") };
        let query = format!("SELECT {}, {key} FROM {} {which}", self.columns.join(", "), self.name);
        let mut last = Vec::new();
        let Ok(mut query) = source.database.prepare(&query) else { return Ok(Some(last)) };
        let Ok(mut rows) = query.query([]) else { return Ok(Some(last)) };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(None),
                Err(_) => return Ok(Some(last)),
            };
            last = (self.columns.len()..).map_while(|n| row.get(n).ok()).collect();
            self.insert(source, target, row, found)?;
        }
    }

    /// Tries the numbers between two, of rows that may lie on pages that can be read.
    fn copy_each(
        &self,
        source: &Source,
        target: &Transaction<'_>,
        which: &str,
        owner: &[i64],
        (after, before): (i64, i64),
        found: &mut Found,
    ) -> Result<()> {
        let query = format!("SELECT {} FROM {} WHERE {which}", self.columns.join(", "), self.name);
        let Ok(mut query) = source.database.prepare(&query) else { return Ok(()) };
        for number in after.saturating_add(1)..before.min(after.saturating_add(REACH)) {
            let Ok(mut rows) = query.query(params_from_iter(owner.iter().chain([&number]))) else { continue };
            match rows.next() {
                Ok(Some(row)) => self.insert(source, target, row, found)?,
                Ok(None) => {}
                Err(_) if self.name == "form" => {
                    drop(rows);
                    stub_form(source, target, number)?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A row that is no text where it must be, or that the new database refuses, was garbled.
    fn insert(&self, source: &Source, target: &Transaction<'_>, row: &Row<'_>, found: &mut Found) -> Result<()> {
        let values = (0..self.columns.len()).map(|n| row.get(n)).collect::<Result<Vec<Value>, _>>();
        let values = values.ok().filter(|values| source.is_proved || !self.is_garbled(values));
        let Some(values) = values else {
            if let (journal::TABLE, Ok(draft)) = (self.name.as_str(), row.get("draft")) {
                found.journals.garbled(draft);
            }
            return Ok(());
        };
        let marks = vec!["?"; values.len()].join(", ");
        let insert = format!("INSERT OR IGNORE INTO {} ({}) VALUES ({marks})", self.name, self.columns.join(", "));
        match target.prepare_cached(&insert)?.execute(params_from_iter(values)) {
            Err(SqliteError::SqliteFailure(failure, _)) if failure.code == ErrorCode::ConstraintViolation => Ok(()),
            inserted => {
                let n_new = inserted?;
                found.n_new += n_new;
                if n_new > 0 && !source.is_proved && self.name == "submission" {
                    found.unproved_records.push(row.get("id")?);
                }
                Ok(())
            }
        }
    }

    /// Whether bytes that are text in truth are none: then nothing else of an unproved row is believed. A damaged page turns
    /// at least sixteen bytes into chance, which are hardly ever text.
    fn is_garbled(&self, values: &[Value]) -> bool {
        let is_text = |value: &Value| !matches!(value, Value::Blob(bytes) if std::str::from_utf8(bytes).is_err());
        matches!(self.name.as_str(), "submission" | "form" | "draft" | "draft_snapshot" | "last_saved")
            && !values.iter().all(is_text)
    }
}

/// The key of a row of a journal.
fn place(key: &[i64]) -> Option<Place> {
    let [draft, number] = key else { return None };
    Some((*draft, *number))
}

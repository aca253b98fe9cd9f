//! How much there was, how much there is: rows that are lost are named elsewhere.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction};

use super::Tally;
use super::source::Source;
use crate::Result;

/// Where a kind of row is, and where else its numbers are named.
pub(super) type Traces = (&'static str, &'static [&'static str]);

pub(super) const DRAFTS: Traces = (
    "draft",
    &[
        "SELECT id FROM draft INDEXED BY draft_form",
        "SELECT DISTINCT draft FROM draft_edit",
        "SELECT draft FROM attachment WHERE draft IS NOT NULL",
    ],
);
pub(super) const RECORDS: Traces = (
    "submission",
    &[
        "SELECT id FROM submission INDEXED BY submission_project",
        "SELECT submission FROM attachment WHERE submission IS NOT NULL",
        "SELECT submission FROM attempt",
    ],
);
pub(super) const FORMS: Traces =
    ("form", &["SELECT form FROM form_file", "SELECT form FROM draft", "SELECT form FROM submission"]);

/// Counts a kind of row.
pub(super) fn tally(sources: &[Source], target: &Transaction<'_>, (table, traces): Traces) -> Result<Tally> {
    let salvaged = ids(target, &format!("SELECT id FROM {table}"))?;
    // Only what is proved has names that count; if nothing is, all has.
    let named = traces.iter().flat_map(|trace| sources.first().map(|source| readable_ids(source, trace)));
    let known: BTreeSet<i64> = named.flatten().collect();
    Ok(Tally { salvaged: salvaged.len() as u64, damaged: 0, lost: known.difference(&salvaged).count() as u64 })
}

/// The numbers that a query gives.
pub(super) fn ids(database: &Connection, query: &str) -> Result<BTreeSet<i64>> {
    let mut query = database.prepare(query)?;
    let ids = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// As many numbers as can be read.
fn readable_ids(source: &Source, query: &str) -> Vec<i64> {
    let Ok(mut query) = source.database.prepare(query) else { return Vec::new() };
    let Ok(rows) = query.query_map([], |row| row.get::<_, Option<i64>>(0)) else { return Vec::new() };
    rows.map_while(Result::ok).flatten().collect()
}

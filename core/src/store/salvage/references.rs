//! What holds a salvaged database together: every row has what it belongs to, and no number is given twice.
//!
//! A draft or record is never dropped because its project or form is gone; an empty one takes the place. Rows of anything else
//! go with what they belonged to.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::source::Source;
use super::table::tables;
use crate::Result;

/// What can be read of a form whose XML cannot: enough to be filled again by the next refresh.
pub(super) fn stub_form(source: &Source, target: &Transaction<'_>, id: i64) -> Result<()> {
    let head =
        source.database.query_row("SELECT project, form_id, version, title FROM form WHERE id = ?", [id], |row| {
            Ok([row.get::<_, Value>(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        });
    let Ok([project, form_id, version, title]) = head else { return Ok(()) };
    let values = [id.into(), project, form_id, version, title];
    let (column, empty) = if has_xml_apart(target) { ("", "") } else { (", xml", ", x''") };
    target
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO form (id, project, form_id, version, title, fetched_at{column})
             VALUES (?, ?, ?, ?, ?, 0{empty})"
        ))?
        .execute(params_from_iter(values))?;
    Ok(())
}

/// Whether the schema keeps the XML of forms in a table of its own; the first did not.
fn has_xml_apart(target: &Connection) -> bool {
    target.prepare("SELECT xml FROM form_xml").is_ok()
}

/// The highest number that a table has given, if that is known.
pub(super) fn highest(source: &Source, table: &str) -> Option<i64> {
    let query = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    let highest = source.database.query_row(query, [table], |row| row.get::<_, i64>(0)).ok()?;
    Some(highest.saturating_add(1))
}

/// No number is given twice, whatever was lost.
pub(super) fn keep_numbers(source: &Source, target: &Transaction<'_>) -> Result<()> {
    for table in tables(target)? {
        let Some(next) = highest(source, &table.name) else { continue };
        let raised = target
            .execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", params![table.name, next - 1])?;
        if raised == 0 {
            target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", params![table.name, next - 1])?;
        }
    }
    Ok(())
}

/// Puts an empty project or form where one is missing that answers belong to.
pub(super) fn restore_parents(target: &Transaction<'_>) -> Result<()> {
    target.execute_batch(
        "INSERT INTO project (id, name, url_prefix, auth)
             SELECT DISTINCT project, '', '', 'none' FROM (SELECT project FROM form UNION SELECT project FROM submission)
             WHERE project NOT IN (SELECT id FROM project);
         INSERT INTO project (name, url_prefix, auth)
             SELECT '', '', 'none' WHERE NOT EXISTS (SELECT 1 FROM project) AND EXISTS (SELECT 1 FROM draft);",
    )?;
    let (offered, column, empty) =
        if has_xml_apart(target) { ("offered", "", "") } else { ("listed", ", xml", ", x''") };
    target.execute(
        &format!(
            "INSERT INTO form (id, project, form_id, title, fetched_at, {offered}, superseded{column})
                 SELECT DISTINCT form, (SELECT min(id) FROM project), '', '', 0, 0, 1{empty} FROM draft
                 WHERE form NOT IN (SELECT id FROM form)"
        ),
        [],
    )?;
    Ok(())
}

/// Makes the next refresh download what has lost its XML or a file. Says how many forms that are.
pub(super) fn empty_forms(target: &Transaction<'_>) -> Result<u64> {
    let mut is_empty = "length(xml) = 0";
    if has_xml_apart(target) {
        is_empty = "id IN (SELECT form FROM form_xml WHERE length(xml) = 0)";
        // A list that lacks a piece is none.
        target.execute_batch(
            "INSERT INTO form_xml (form, xml) SELECT id, x'' FROM form WHERE id NOT IN (SELECT form FROM form_xml);
             DELETE FROM dataset WHERE id IN (
                 SELECT dataset FROM form_file WHERE dataset IS NOT NULL AND size <> (
                     SELECT total(length(bytes)) FROM dataset_piece WHERE dataset_piece.dataset = form_file.dataset));",
        )?;
    }
    let n_damaged = target.execute(
        &format!(
            "UPDATE form SET hash = '' WHERE {is_empty} OR id IN (
                 SELECT form FROM form_file WHERE dataset IS NOT NULL AND dataset NOT IN (SELECT id FROM dataset))"
        ),
        [],
    )?;
    Ok(n_damaged as u64)
}

/// Deletes rows that belong to rows which are not there, until every reference holds.
pub(super) fn drop_orphans(target: &Transaction<'_>) -> Result<()> {
    let mut references = target
        .prepare("SELECT \"from\", \"table\", coalesce(\"to\", 'id'), on_delete FROM pragma_foreign_key_list(?)")?;
    let mut changes = Vec::new();
    for table in tables(target)? {
        let found: Vec<[String; 4]> = references
            .query_map([&table.name], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
            .collect::<Result<_, _>>()?;
        for [column, parent, to, on_delete] in found {
            let lost = format!("{column} IS NOT NULL AND {column} NOT IN (SELECT {to} FROM {parent})");
            changes.push(match on_delete.as_str() {
                "SET NULL" => format!("UPDATE {} SET {column} = NULL WHERE {lost}", table.name),
                _ => format!("DELETE FROM {} WHERE {lost}", table.name),
            });
        }
    }
    loop {
        let mut n_changed = 0;
        for change in &changes {
            n_changed += target.execute(change, [])?;
        }
        if n_changed == 0 {
            return Ok(());
        }
    }
}

/// The files that were dead before; none in a schema that has no list of them.
pub(super) fn dead(target: &Transaction<'_>) -> Result<Option<BTreeSet<String>>> {
    let has_list = target.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'dead_file'")?.exists([])?;
    if !has_list {
        return Ok(None);
    }
    let mut query = target.prepare("SELECT file FROM dead_file")?;
    Ok(Some(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?))
}

/// A row that was dropped here was not let go by anybody: its file is kept, for the quarantine has its key.
pub(super) fn forget_dead(target: &Transaction<'_>, before: Option<&BTreeSet<String>>) -> Result<()> {
    let (Some(before), Some(now)) = (before, dead(target)?) else { return Ok(()) };
    for file in now.difference(before) {
        target.execute("DELETE FROM dead_file WHERE file = ?", [file])?;
    }
    Ok(())
}

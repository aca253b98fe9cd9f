//! What is done with a damaged database: it is put aside, and a new one gets every row that can still be read.
//!
//! The damaged files are opened for reading only and end in `quarantine/<time>/`, byte for byte. The new database is written
//! beside them, gets its last name in that folder when it is whole (`salvaged.db`), and then takes the place of the old one;
//! whatever a kill leaves, the next opening goes on from there ([`Home::finish_salvage`]). Every page carries a proof, so a row
//! that is read is the row that was written; only where the beginning of the first page is damaged are the proofs passed over,
//! and then the report says so.
//!
//! No answer falls because of what stood around it: a project or form that cannot be read leaves an empty one in its place,
//! which renewing the project and refreshing fill again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Error as SqliteError, ErrorCode, Row, Transaction, params_from_iter};

use super::folder::io_error;
use super::home::Home;
use super::leaves::Leaves;
use super::quarantine::{LEAVES, MENDING};
use super::{Key, connection, migrations};
use crate::{Error, ErrorKind, Result};

/// How far behind the last row that could be read others are looked for, one by one, where nothing tells how many there were.
const REACH: i64 = 10_000;

/// What the server has too: better downloaded again than taken without a proof.
const DOWNLOADED: [&str; 5] = ["form_xml", "form_file", "dataset", "dataset_piece", "document"];

/// What became of a damaged database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvage {
    /// The folder in `quarantine/` where the damaged files are.
    pub quarantine: String,
    /// Drafts; a damaged one may have lost some of its changes.
    pub drafts: Tally,
    /// Records.
    pub records: Tally,
    /// Forms; a damaged one is empty until it is downloaded again.
    pub forms: Tally,
    /// Every row was proved to be what was written. If not, whoever knows the answers should look at them.
    pub is_proved: bool,
    /// Not even the list of tables could be read, so nothing is known of what was there, and the new database is empty.
    pub is_illegible: bool,
}

/// How many of one kind. What has left no trace at all is in no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the new database, the damaged ones included.
    pub salvaged: u64,
    /// In the new database, and not complete.
    pub damaged: u64,
    /// Only in the quarantine.
    pub lost: u64,
}

/// Puts the database of a home aside and what can be read of it into a new one. `now` names the quarantine.
///
/// # Errors
/// `StorageDamaged` if there is no database at all: then nothing is made. `StorageFull`, `Io`: the home is as it was.
pub(super) fn salvage(home: &Home, key: &Key, now: i64) -> Result<Salvage> {
    if !connection::is_there(&home.database()) {
        return Err(Error::new(ErrorKind::StorageDamaged, "the database is not there"));
    }
    let quarantine = home.begin_quarantine(now)?;
    let made = copy(&home.database(), key, &quarantine.unfinished()).and_then(|salvage| {
        quarantine.keep(home)?;
        Ok(Salvage { quarantine: quarantine.name.clone(), ..salvage })
    });
    made.inspect_err(|_| quarantine.abandon())
}

fn copy(path: &Path, key: &Key, target: &Path) -> Result<Salvage> {
    let Some(version) = version(path, key)? else {
        connection::create(target, key)?;
        return Ok(Salvage { is_illegible: true, ..Salvage::default() });
    };
    let mended = target.with_file_name(MENDING);
    let mut target = connection::create_at(target, key, version)?;
    // A disk without room for it, say, is no reason to give up.
    let _ = mend_schema(path, &mended, key, &target);
    let Some(sources) = sources(path, &mended, key, tables(&target)?.len())? else {
        return Ok(Salvage { is_illegible: true, ..Salvage::default() });
    };
    let transaction = target.transaction()?;
    let (mut is_proved, mut damaged) = (sources.first().is_some_and(|source| source.is_proved), BTreeSet::new());
    let (mut leaves, mut unproved_records) = (None, Vec::new());
    for table in tables(&transaction)? {
        let is_downloaded = DOWNLOADED.contains(&table.name.as_str());
        for (n, source) in sources.iter().enumerate() {
            if n > 0 && is_downloaded {
                break;
            }
            let mut found = table.copy(source, &transaction)?;
            if !found.is_whole && source.is_proved && !is_downloaded {
                // Without room for another copy, say, there is what the tree leads to.
                let leaves = leaves.get_or_insert_with(|| Leaves::of(&mended, mended.with_file_name(LEAVES), key));
                if let Ok(leaves) = leaves {
                    table.copy_leaves(leaves, source, &transaction, &mut found)?;
                }
            }
            is_proved &= n == 0 || found.n_new == 0;
            damaged.append(&mut found.damaged_drafts);
            unproved_records.append(&mut found.unproved_records);
            if found.is_whole {
                break;
            }
        }
    }
    hold_back(&transaction, &unproved_records)?;
    let Some(source) = sources.first() else { return Ok(Salvage::default()) };
    keep_numbers(source, &transaction)?;
    let known_dead = dead(&transaction)?;
    restore_parents(&transaction)?;
    let n_damaged_forms = empty_forms(&transaction)?;
    drop_orphans(&transaction)?;
    forget_dead(&transaction, known_dead.as_ref())?;
    damaged.append(&mut gaps(&transaction)?);
    let n_damaged_drafts = damaged.intersection(&ids(&transaction, "SELECT id FROM draft")?).count() as u64;
    let report = Salvage {
        drafts: Tally { damaged: n_damaged_drafts, ..tally(&sources, &transaction, DRAFTS)? },
        records: tally(&sources, &transaction, RECORDS)?,
        forms: Tally { damaged: n_damaged_forms, ..tally(&sources, &transaction, FORMS)? },
        is_proved,
        ..Salvage::default()
    };
    transaction.commit()?;
    Ok(report)
}

/// The schema's version, if as much as that can be read. A database that is surely empty is left alone: what it held was in
/// a log that is away, and may come back.
fn version(path: &Path, key: &Key) -> Result<Option<usize>> {
    for is_proved in [true, false] {
        let version =
            connection::open_damaged(path, key, is_proved).and_then(|source| migrations::check_version(&source));
        match version {
            Err(error) if error.kind() == ErrorKind::Io => return Err(error),
            Ok(0) if is_proved => return Err(Error::new(ErrorKind::StorageDamaged, "the database is empty")),
            Err(_) | Ok(0) => {}
            Ok(version) => return Ok(Some(version)),
        }
    }
    Ok(None)
}

/// Writes the definitions of `template` into a copy of the damaged database. They are known, wherever a page of them is
/// damaged; writing them also makes the proofs of these pages hold again, while those of all others still tell.
fn mend_schema(path: &Path, copy: &Path, key: &Key, template: &Connection) -> Result<()> {
    for end in ["", "-wal"] {
        let of = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            name
        };
        if Path::new(&of(path)).exists() {
            fs::copy(of(path), of(copy)).map_err(io_error)?;
        }
    }
    let copy = connection::open_for_mending(copy, key)?;
    let mut definitions = template.prepare("SELECT sql, name FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let definitions: Vec<[String; 2]> =
        definitions.query_map([], |row| Ok([row.get(0)?, row.get(1)?]))?.collect::<Result<_, _>>()?;
    // Emptied first, and the version given anew: a page that is not changed keeps the proof that fails.
    copy.execute("UPDATE sqlite_schema SET sql = ''", [])?;
    for definition in definitions {
        copy.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", definition)?;
    }
    copy.execute("UPDATE sqlite_schema SET sql = NULL WHERE sql = ''", [])?;
    Ok(copy.pragma_update(None, "user_version", connection::schema(template)? as i64)?)
}

/// A way to read the damaged database.
struct Source {
    database: Connection,
    /// A page whose proof fails is refused; else it is taken as it is.
    is_proved: bool,
}

/// Where rows are read from, in order: what is proved, and then, of what that leaves out, what is not. `None`: no table can be
/// read.
fn sources(path: &Path, mended: &Path, key: &Key, n_tables: usize) -> Result<Option<Vec<Source>>> {
    let open = |path: &Path, is_proved| {
        let database = connection::open_damaged(path, key, is_proved).ok()?;
        let names = tables(&database).ok()?;
        let is_readable = |table: &&Table| {
            let look = database.query_row(&format!("SELECT 1 FROM {} LIMIT 1", table.name), [], |_| Ok(()));
            matches!(look, Ok(()) | Err(SqliteError::QueryReturnedNoRows))
        };
        let n_readable = names.iter().filter(is_readable).count();
        Some((Source { database, is_proved }, names.len(), n_readable))
    };
    // Where the salt is damaged, every proof fails, and definitions that were mended are all there is.
    let is_usable =
        |(_, n_named, n_readable): &(Source, usize, usize)| *n_named >= n_tables && 2 * n_readable >= n_tables;
    let proved = [path, mended].into_iter().find_map(|path| open(path, true).filter(is_usable));
    let unproved = [mended, path].into_iter().find_map(|path| open(path, false).filter(|(_, n_named, _)| *n_named > 0));
    let sources: Vec<_> = [proved, unproved].into_iter().flatten().map(|(source, ..)| source).collect();
    Ok(Some(sources).filter(|sources| !sources.is_empty()))
}

/// What came of reading a table from one source.
#[derive(Default)]
struct Found {
    /// Every row could be read.
    is_whole: bool,
    /// Rows that were not there before.
    n_new: usize,
    /// Drafts of whose journal something could not be read.
    damaged_drafts: BTreeSet<i64>,
    /// Records that nothing proves to be what was written.
    unproved_records: Vec<i64>,
}

/// A table, as the schema has it.
struct Table {
    name: String,
    columns: Vec<String>,
    /// What tells its rows apart, in order.
    key: Vec<String>,
    has_rowid: bool,
}

fn tables(database: &Connection) -> Result<Vec<Table>> {
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
    fn copy(&self, source: &Source, target: &Transaction<'_>) -> Result<Found> {
        let mut found = Found::default();
        let order = if self.has_rowid { "rowid".to_owned() } else { self.key.join(", ") };
        let Some(last) = self.copy_while(source, target, &format!("ORDER BY {order}"), &mut found)? else {
            found.is_whole = true;
            return Ok(found);
        };
        let backwards = order.split(", ").map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
        let backwards = format!("ORDER BY {backwards}");
        let first = self.copy_while(source, target, &backwards, &mut found)?.unwrap_or_default();
        if self.has_rowid {
            let last = last.first().copied().unwrap_or(0);
            let end = first.first().copied().or_else(|| highest(source, &self.name)).unwrap_or(i64::MAX);
            self.copy_each(source, target, "rowid = ?", &[], (last, end), &mut found)?;
        } else if self.key == ["draft", "seq"] {
            // A journal: the rows of each draft have numbers of their own.
            for draft in ids(target, "SELECT id FROM draft")? {
                let of_draft = format!("WHERE draft = {draft} ORDER BY seq");
                let Some(last) = self.copy_while(source, target, &of_draft, &mut found)? else { continue };
                found.damaged_drafts.insert(draft);
                let of_draft = format!("{of_draft} DESC");
                let first = self.copy_while(source, target, &of_draft, &mut found)?.unwrap_or_default();
                let (last, end) = (last.get(1).copied().unwrap_or(0), first.get(1).copied().unwrap_or(i64::MAX));
                self.copy_each(source, target, "draft = ? AND seq = ?", &[draft], (last, end), &mut found)?;
            }
        }
        Ok(found)
    }

    /// Copies the rows of pages that no tree leads to.
    fn copy_leaves(
        &self,
        leaves: &Leaves<'_>,
        source: &Source,
        target: &Transaction<'_>,
        found: &mut Found,
    ) -> Result<()> {
        let mut refused = None;
        let read = leaves.each_row(target, &self.name, &mut |row| {
            let inserted = self.insert(source, target, row, found);
            inserted.inspect_err(|error| refused = Some(error.kind()))
        });
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
            if let ("draft_edit", Ok(draft)) = (self.name.as_str(), row.get("draft")) {
                found.damaged_drafts.insert(draft);
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

/// Records that are not proved to be what was written go to nobody until a person has looked.
fn hold_back(target: &Transaction<'_>, records: &[i64]) -> Result<()> {
    let mut hold = target.prepare(
        "UPDATE submission SET state = 'needs_attention', reason = 'unproved', reason_text = '' WHERE id = ? AND state <> 'sent'",
    )?;
    for record in records {
        hold.execute([record])?;
    }
    Ok(())
}

/// What can be read of a form whose XML cannot: enough to be filled again by the next refresh.
fn stub_form(source: &Source, target: &Transaction<'_>, id: i64) -> Result<()> {
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
fn highest(source: &Source, table: &str) -> Option<i64> {
    let query = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    let highest = source.database.query_row(query, [table], |row| row.get::<_, i64>(0)).ok()?;
    Some(highest.saturating_add(1))
}

/// No number is given twice, whatever was lost.
fn keep_numbers(source: &Source, target: &Transaction<'_>) -> Result<()> {
    for table in tables(target)? {
        let Some(next) = highest(source, &table.name) else { continue };
        let raised = target.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
            rusqlite::params![table.name, next - 1],
        )?;
        if raised == 0 {
            target.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                rusqlite::params![table.name, next - 1],
            )?;
        }
    }
    Ok(())
}

/// Puts an empty project or form where one is missing that answers belong to.
fn restore_parents(target: &Transaction<'_>) -> Result<()> {
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
fn empty_forms(target: &Transaction<'_>) -> Result<u64> {
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
fn drop_orphans(target: &Transaction<'_>) -> Result<()> {
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
fn dead(target: &Transaction<'_>) -> Result<Option<BTreeSet<String>>> {
    let has_list = target.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'dead_file'")?.exists([])?;
    if !has_list {
        return Ok(None);
    }
    let mut query = target.prepare("SELECT file FROM dead_file")?;
    Ok(Some(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?))
}

/// A row that was dropped here was not let go by anybody: its file is kept, for the quarantine has its key.
fn forget_dead(target: &Transaction<'_>, before: Option<&BTreeSet<String>>) -> Result<()> {
    let (Some(before), Some(now)) = (before, dead(target)?) else { return Ok(()) };
    for file in now.difference(before) {
        target.execute("DELETE FROM dead_file WHERE file = ?", [file])?;
    }
    Ok(())
}

/// Where a kind of row is, and where else its numbers are named.
type Traces = (&'static str, &'static [&'static str]);

const DRAFTS: Traces = (
    "draft",
    &[
        "SELECT id FROM draft INDEXED BY draft_form",
        "SELECT DISTINCT draft FROM draft_edit",
        "SELECT draft FROM attachment WHERE draft IS NOT NULL",
    ],
);
const RECORDS: Traces = (
    "submission",
    &[
        "SELECT id FROM submission INDEXED BY submission_project",
        "SELECT submission FROM attachment WHERE submission IS NOT NULL",
        "SELECT submission FROM attempt",
    ],
);
const FORMS: Traces =
    ("form", &["SELECT form FROM form_file", "SELECT form FROM draft", "SELECT form FROM submission"]);

fn tally(sources: &[Source], target: &Transaction<'_>, (table, traces): Traces) -> Result<Tally> {
    let salvaged = ids(target, &format!("SELECT id FROM {table}"))?;
    // Only what is proved has names that count; if nothing is, all has.
    let named = traces.iter().flat_map(|trace| sources.first().map(|source| readable_ids(source, trace)));
    let known: BTreeSet<i64> = named.flatten().collect();
    Ok(Tally { salvaged: salvaged.len() as u64, damaged: 0, lost: known.difference(&salvaged).count() as u64 })
}

fn ids(database: &Connection, query: &str) -> Result<BTreeSet<i64>> {
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

/// The drafts that have a hole in their journal.
fn gaps(target: &Transaction<'_>) -> Result<BTreeSet<i64>> {
    ids(target, "SELECT draft FROM draft_edit GROUP BY draft HAVING count(*) <> max(seq) - min(seq) + 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome, answer, copy_folder, frozen_home, new_file, new_form};
    use crate::store::{DraftId, Finalized, OpeningReport, RecordState, Store, Submission, SubmissionId};

    const PAGE: usize = 4096;

    /// A home with enough in it that every kind of table has pages of its own.
    fn full_home() -> TestHome {
        let mut home = TestHome::new();
        let project = home.any_project();
        let list = new_file("list.csv", "h", home.data(&[b'x'; 20_000]));
        let form = home.install_form(&new_form(project, "visit", "1", vec![list])).unwrap();
        let large = crate::store::NewForm { xml: vec![b' '; 30_000], ..new_form(project, "large", "1", vec![]) };
        let large = home.install_form(&large).unwrap();
        for n in 0..40 {
            let draft = home.draft_of(if n % 4 == 0 { large } else { form }, &format!("uuid:draft-{n}"));
            for seq in 1..=10 {
                home.append_edit(draft, &answer(seq, "/data/a", &format!("answer {seq} of {n} {}", "x".repeat(40))))
                    .unwrap();
            }
            if n % 2 == 0 {
                home.attach(draft, "a.jpg", &mut format!("photo of {n}").as_bytes()).unwrap();
            }
        }
        for n in 0..40 {
            let draft = home.draft_of(form, &format!("uuid:record-{n}"));
            home.attach(draft, "a.jpg", &mut format!("photo of record {n}").as_bytes()).unwrap();
            let finalized = Finalized {
                instance_id: format!("uuid:record-{n}"),
                xml: format!("<data>record {n} {}</data>", "y".repeat(300)).into_bytes(),
                name: String::new(),
                attachments: vec!["a.jpg".into()],
                last_saved: None,
                at: NOW,
            };
            home.finalize(draft, &finalized).unwrap();
        }
        home.shut();
        home
    }

    /// What a person has: of each draft its answers, of each record its bytes.
    #[derive(PartialEq)]
    struct Contents {
        drafts: Vec<(DraftId, Vec<String>)>,
        records: Vec<(SubmissionId, Vec<u8>)>,
    }

    fn contents(store: &Store) -> Result<Contents> {
        for project in store.projects()? {
            for form in store.forms(project.id)? {
                store.form(form.key)?;
                for file in store.form_files(form.key)? {
                    store.form_data(file.id)?;
                }
            }
        }
        let answers = |draft| -> Result<Vec<String>> {
            Ok(store.edits(draft)?.into_iter().filter_map(|edit| edit.value).collect())
        };
        let drafts: Vec<_> = store.drafts(None)?.into_iter().map(|draft| draft.id).collect();
        let mut drafts: Vec<_> = drafts.into_iter().map(|id| Ok((id, answers(id)?))).collect::<Result<_>>()?;
        drafts.sort();
        let records: Vec<_> = store.outbox(None)?.into_iter().map(|record| record.id).collect();
        for &record in &records {
            store.attempts(record)?;
            for attachment in store.submission_attachments(record)? {
                store.read_attachment(attachment.id, 0, 100)?;
            }
        }
        let records = records.into_iter().map(|id| Ok((id, store.submission_xml(id)?))).collect::<Result<_>>()?;
        Ok(Contents { drafts, records })
    }

    /// One page after the other is damaged. Whoever uses the home then meets the damage, or its page held nothing; the next
    /// opening has mended it, and what is not there any more is counted.
    #[test]
    fn of_any_damaged_page_everything_else_is_salvaged_and_the_lost_is_counted() {
        let home = full_home();
        let store = Store::open(&home.path(), &home.key).unwrap();
        let whole = contents(&store).unwrap();
        drop(store);
        let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
        assert!(n_pages > 40, "{n_pages}");
        let (mut n_salvaged, mut n_lossless) = (0, 0);
        for page in (2..=n_pages).step_by(3) {
            let damaged = copy_folder(&home.path());
            let database = damaged.path().join("store.db");
            let mut bytes = fs::read(&database).unwrap();
            bytes[(page - 1) * PAGE + 1000] ^= 1;
            fs::write(&database, &bytes).unwrap();

            let open = || Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
            let first = open();
            let met = contents(&first).err().map(|error| error.kind());
            assert!(
                matches!(met, None | Some(ErrorKind::StorageDamaged | ErrorKind::NotFound)),
                "page {page}: {met:?}"
            );
            let salvaged_at_once = first.opening().salvage.clone();
            drop(first);
            let store = open();
            let Some(salvage) = salvaged_at_once.or_else(|| store.opening().salvage.clone()) else {
                assert!(contents(&store).unwrap() == whole, "page {page} held nothing, and something is gone");
                continue;
            };
            n_salvaged += 1;
            assert!(!salvage.is_illegible, "page {page}: {salvage:?}");
            let after = store.read(|db| Ok(ids(db, "SELECT id FROM draft").unwrap())).unwrap();
            let (n_drafts, n_records) = (after.len() as u64, store.outbox(None).unwrap().len() as u64);
            assert_eq!((salvage.drafts.salvaged, salvage.records.salvaged), (n_drafts, n_records), "page {page}");
            assert_eq!(salvage.drafts.salvaged + salvage.drafts.lost, 40, "page {page}: {salvage:?}");
            assert_eq!(salvage.records.salvaged + salvage.records.lost, 40, "page {page}: {salvage:?}");
            // A page of 4 kB holds no more than this of anything.
            assert!(salvage.drafts.lost + salvage.drafts.damaged <= 40, "page {page}: {salvage:?}");
            let mut n_changed = 0;
            for (draft, was) in &whole.drafts {
                if !after.contains(&draft.0) {
                    continue;
                }
                let now: Vec<_> = store.edits(*draft).unwrap().into_iter().filter_map(|edit| edit.value).collect();
                assert!(now.iter().all(|answer| was.contains(answer)), "page {page}: an answer nobody gave");
                n_changed += u64::from(now != *was);
            }
            assert!(
                n_changed == 0 || salvage.drafts.damaged > 0,
                "page {page}: {n_changed} drafts have lost answers unsaid"
            );
            for record in store.outbox(None).unwrap() {
                let (_, was) = whole.records.iter().find(|(id, _)| *id == record.id).unwrap();
                assert_eq!(&store.submission_xml(record.id).unwrap(), was, "page {page}");
            }
            n_lossless += u64::from(salvage.drafts.lost + salvage.records.lost + salvage.drafts.damaged == 0);
            let kept = fs::read(damaged.path().join("quarantine").join(&salvage.quarantine).join("store.db")).unwrap();
            assert!(kept == bytes, "page {page}: the damaged database is kept as it was");
            // It is mended: no further opening has anything to say, and no file went.
            drop(store);
            let again = open();
            assert_eq!(*again.opening(), OpeningReport::default(), "page {page}");
            assert!(again.maintenance(NOW).unwrap().salvage.is_none());
            assert_eq!(fs::read_dir(damaged.path().join("files")).unwrap().count(), 60, "page {page}");
        }
        assert!(n_salvaged > 10 && n_lossless > 2, "{n_salvaged} of {n_pages}, {n_lossless} without loss");
    }

    /// Within the salt of page 1 the proofs are passed over; in its header nothing can be read; elsewhere nothing is lost.
    #[test]
    fn a_damaged_first_page_is_salvaged_unproved_or_put_aside() {
        let home = full_home();
        for (place, is_proved, is_illegible) in
            [(3, false, false), (4050, true, false), (1000, true, false), (20, false, true)]
        {
            let damaged = copy_folder(&home.path());
            let database = damaged.path().join("store.db");
            let mut bytes = fs::read(&database).unwrap();
            bytes[place] ^= 1;
            fs::write(&database, &bytes).unwrap();
            assert_eq!(Store::open(damaged.path(), &home.key).unwrap_err().kind(), ErrorKind::StorageDamaged);
            let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
            let salvage = store.opening().salvage.clone().unwrap();
            assert_eq!((salvage.is_illegible, salvage.is_proved), (is_illegible, is_proved), "{place}");
            let n_drafts = if is_illegible { 0 } else { 40 };
            assert_eq!(
                (salvage.drafts.salvaged, store.drafts(None).unwrap().len()),
                (n_drafts, n_drafts as usize),
                "{place}"
            );
            let [kept] = &store.quarantines()[..] else { panic!("one quarantine") };
            assert_eq!(kept.name, salvage.quarantine);
            assert!(fs::read(damaged.path().join("quarantine").join(&kept.name).join("store.db")).unwrap() == bytes);
            assert_eq!(fs::read_dir(damaged.path().join("files")).unwrap().count(), 60);
            // What nothing proves is held back until a person says that it may go.
            let records = store.outbox(None).unwrap();
            let is_held = |record: &&Submission| matches!(&record.state, RecordState::NeedsAttention(reason) if reason.code == "unproved");
            let n_held = if is_proved { 0 } else { records.len() };
            assert_eq!(records.iter().filter(is_held).count(), n_held, "{place}");
            if let Some(record) = records.first() {
                store.retry(&crate::store::Records::One(record.id)).unwrap();
                assert_eq!(store.submission(record.id).unwrap().state, RecordState::Ready);
            }
        }
    }

    /// The first page of a table leads to all others; without it they are read one by one.
    #[test]
    fn rows_are_found_without_the_tree_that_led_to_them() {
        let home = full_home();
        let store = Store::open(&home.path(), &home.key).unwrap();
        let whole = contents(&store).unwrap();
        let root = |table: &str| -> usize {
            let query = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
            store.read(|db| Ok(db.query_row(query, [table], |row| row.get::<_, i64>(0))?)).unwrap() as usize
        };
        // Of what a person has; of a journal the first page holds rows itself.
        let roots = ["draft", "draft_edit", "submission", "attachment", "project", "last_saved", "receipt"].map(root);
        drop(store);
        for (n, page) in roots.into_iter().enumerate() {
            let damaged = copy_folder(&home.path());
            let mut bytes = fs::read(damaged.path().join("store.db")).unwrap();
            bytes[(page - 1) * PAGE + 1000] ^= 1;
            fs::write(damaged.path().join("store.db"), &bytes).unwrap();
            fs::write(damaged.path().join("suspect"), "").unwrap();
            let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
            let salvage = store.opening().salvage.clone().unwrap();
            assert_eq!((salvage.drafts.lost, salvage.records.lost), (0, 0), "{n}: {salvage:?}");
            let now = contents(&store).unwrap();
            assert!(now.records == whole.records, "{n}");
            let n_answers =
                |contents: &Contents| contents.drafts.iter().map(|(_, answers)| answers.len()).sum::<usize>();
            assert!(n_answers(&now) + 10 > n_answers(&whole), "{n}: {} answers", n_answers(&now));
            if n != 1 {
                assert!(now.drafts == whole.drafts, "{n}");
            }
            assert!(!damaged.path().join("quarantine").join(&salvage.quarantine).join(LEAVES).exists());
        }
    }

    /// Each draft keeps its answers whatever happened to its form or its project, and is whole again when these come back.
    #[test]
    fn no_draft_or_record_falls_because_of_its_project_or_form() {
        let home = full_home();
        let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
        let (mut n_without_project, mut n_empty_forms) = (0, 0);
        for page in (2..=n_pages).filter(|page| *page < 16 || page % 5 == 0) {
            let damaged = copy_folder(&home.path());
            let database = damaged.path().join("store.db");
            let mut bytes = fs::read(&database).unwrap();
            bytes[(page - 1) * PAGE + 3900] ^= 1;
            fs::write(&database, &bytes).unwrap();
            fs::write(damaged.path().join("suspect"), "").unwrap();
            let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
            let Some(salvage) = store.opening().salvage.clone() else { continue };
            let [project] = &store.projects().unwrap()[..] else { panic!("page {page}: one project") };
            n_without_project += u64::from(project.url_prefix.is_empty());
            if salvage.forms.damaged > 0 {
                for form_id in ["visit", "large"] {
                    let form = crate::store::NewForm {
                        xml: b"<form/>".to_vec(),
                        ..new_form(project.id, form_id, "1", vec![])
                    };
                    store.install_form(&form).unwrap();
                }
                let drafts = store.drafts(None).unwrap();
                let is_empty = |form| store.form(form).unwrap().xml.is_empty();
                n_empty_forms += u64::from(!drafts.iter().any(|draft| is_empty(draft.form)));
            }
            assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged, "page {page}");
            assert_eq!(store.outbox(None).unwrap().len() as u64, salvage.records.salvaged, "page {page}");
            // A page that names others of a table takes no rows with it but its own.
            for tally in [salvage.drafts, salvage.records] {
                assert!(tally.lost < 40, "page {page}: {salvage:?}");
            }
        }
        assert!(n_without_project > 0 && n_empty_forms > 0, "{n_without_project} {n_empty_forms}");
    }

    #[test]
    fn a_home_without_a_database_is_not_salvaged_into_an_empty_one() {
        let home = full_home();
        let folder = tempfile::tempdir().unwrap();
        let away = folder.path().join("in its log.db");
        connection::create_at(&away, &home.key, 0).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
        for left in [vec![], fs::read(away).unwrap()] {
            fs::write(home.path().join("store.db"), left).unwrap();
            let before = home.all_files();
            let refused = Store::open_or_salvage(&home.path(), &home.key, NOW).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::StorageDamaged);
            assert_eq!(home.all_files(), before);
        }
    }

    #[test]
    fn an_older_database_is_salvaged_too_and_then_updated() {
        let (home, key) = frozen_home();
        let database = home.path().join("store.db");
        let whole = fs::read(&database).unwrap();
        let (mut drafts, mut records) = (0, 0);
        for page in 2..=whole.len() / PAGE {
            let damaged = copy_folder(home.path());
            let mut bytes = whole.clone();
            bytes[(page - 1) * PAGE + 2000] ^= 1;
            fs::write(damaged.path().join("store.db"), &bytes).unwrap();
            let store = Store::open_or_salvage(damaged.path(), &key, NOW).unwrap();
            let Some(salvage) = store.opening().salvage.clone() else { continue };
            drafts += salvage.drafts.lost;
            records += salvage.records.lost;
            assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged, "page {page}: {salvage:?}");
            assert_eq!(store.outbox(None).unwrap().len() as u64, salvage.records.salvaged, "page {page}: {salvage:?}");
            assert_eq!(salvage.drafts.salvaged + salvage.drafts.lost, 8, "page {page}: {salvage:?}");
            assert_eq!(salvage.records.salvaged + salvage.records.lost, 6, "page {page}: {salvage:?}");
        }
        assert!(drafts > 0 && records > 0, "some page held them");
    }

    /// Every state of the disk between the first and the last step.
    #[test]
    fn a_salvage_can_be_cut_off_anywhere() {
        let home = full_home();
        let database = home.path().join("store.db");
        let mut bytes = fs::read(&database).unwrap();
        bytes[3] ^= 1;
        fs::write(&database, &bytes).unwrap();
        let mended = copy_folder(&home.path());
        drop(Store::open_or_salvage(mended.path(), &home.key, NOW).unwrap());
        let new = fs::read(mended.path().join("store.db")).unwrap();
        let log = &b"a log"[..];
        let half = &new[..10_000];
        type State<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);
        let states: [State<'_>; 7] = [
            ("nothing made", &[("store.db", &bytes)]),
            (
                "half written",
                &[
                    ("store.db", &bytes),
                    ("quarantine/q/salvaging.db", half),
                    ("quarantine/q/salvaging.db-journal", half),
                ],
            ),
            ("written", &[("store.db", &bytes), ("quarantine/q/salvaging.db", &new)]),
            ("whole", &[("store.db", &bytes), ("store.db-wal", log), ("quarantine/q/salvaged.db", &new)]),
            (
                "log aside",
                &[("store.db", &bytes), ("quarantine/q/store.db-wal", log), ("quarantine/q/salvaged.db", &new)],
            ),
            ("aside", &[("quarantine/q/store.db", &bytes), ("quarantine/q/salvaged.db", &new), ("open", b"")]),
            ("in place", &[("quarantine/q/store.db", &bytes), ("store.db", &new)]),
        ];
        for (what, files) in states {
            let cut = copy_folder(&home.path());
            fs::remove_file(cut.path().join("store.db")).unwrap();
            fs::create_dir_all(cut.path().join("quarantine/q")).unwrap();
            for (name, bytes) in files {
                fs::write(cut.path().join(name), bytes).unwrap();
            }
            for _ in 0..2 {
                let store = Store::open_or_salvage(cut.path(), &home.key, NOW).unwrap();
                assert_eq!(store.drafts(None).unwrap().len(), 40, "{what}");
                assert!(!store.opening().log_lost, "{what}");
                let [kept] = &store.quarantines()[..] else { panic!("{what}: {:?}", store.quarantines()) };
                let kept = cut.path().join("quarantine").join(&kept.name);
                assert!(fs::read(kept.join("store.db")).unwrap() == bytes, "{what}");
                assert!(!kept.join("salvaging.db").exists() && !kept.join("salvaged.db").exists(), "{what}");
            }
        }
    }

    #[test]
    fn damage_that_shows_itself_while_it_is_open_is_mended_by_maintenance() {
        let home = full_home();
        let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
        let mut n_mended = 0;
        for page in (2..=n_pages).step_by(7) {
            let damaged = copy_folder(&home.path());
            let mut bytes = fs::read(damaged.path().join("store.db")).unwrap();
            bytes[(page - 1) * PAGE + 1000] ^= 1;
            fs::write(damaged.path().join("store.db"), &bytes).unwrap();
            let Ok(store) = Store::open(damaged.path(), &home.key) else { continue };
            let Some(salvage) = store.maintenance(NOW).unwrap().salvage else { continue };
            n_mended += 1;
            assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged);
            assert!(store.maintenance(NOW).unwrap().salvage.is_none());
            // The new database is one like any other.
            let project = store.projects().unwrap()[0].id;
            let form = store.install_form(&new_form(project, "another", "1", vec![])).unwrap();
            let draft = store.create_draft(&crate::store::fixture::new_draft(form, "uuid:new")).unwrap();
            assert!(draft.0 > 80, "no number is given twice: {draft:?}");
            store.append_edit(draft, &answer(1, "/data/a", "new")).unwrap();
            drop(store);
            assert_eq!(Store::open(damaged.path(), &home.key).unwrap().edits(draft).unwrap().len(), 1);
        }
        assert!(n_mended > 3, "{n_mended} of {n_pages}");
    }

    #[test]
    fn a_quarantine_is_named_and_goes_when_it_is_told_to() {
        let home = full_home();
        let database = home.path().join("store.db");
        for _ in 0..2 {
            let mut bytes = fs::read(&database).unwrap();
            bytes[3] ^= 1;
            fs::write(&database, &bytes).unwrap();
            drop(Store::open_or_salvage(&home.path(), &home.key, NOW).unwrap());
        }
        let store = Store::open(&home.path(), &home.key).unwrap();
        let names: Vec<_> = store.quarantines().into_iter().map(|kept| kept.name).collect();
        assert_eq!(names, ["2025-10-09T08-53-20Z", "2025-10-09T08-53-20Z-2"]);
        assert_eq!(store.delete_quarantine("../files").unwrap_err().kind(), ErrorKind::NotFound);
        for name in &names {
            store.delete_quarantine(name).unwrap();
        }
        assert_eq!((store.quarantines(), home.path().join("quarantine").exists()), (vec![], false));
    }
}

//! Records and their attachments.

use super::{Database, failed};
use crate::record::RecordFacts;
use crate::token::random_bytes;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::BTreeSet;
use veldwerk::Result;

/// A record as a list shows it.
#[derive(Clone, Debug)]
pub(crate) struct RecordRow {
    pub(crate) id: i64,
    pub(crate) instance_id: String,
    pub(crate) version: String,
    pub(crate) name: String,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) received_at: i64,
    /// Bytes of the XML and of the attachments that are here.
    pub(crate) size: i64,
    pub(crate) n_attachments: i64,
}

/// An attachment of a record.
#[derive(Clone, Debug)]
pub(crate) struct AttachmentRow {
    pub(crate) name: String,
    pub(crate) size: i64,
}

/// What became of a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is new here.
    New,
    /// The very same bytes are here; its attachments were added.
    Again,
    /// Other bytes are here under its instanceID.
    Different,
    /// No such form.
    UnknownForm,
    /// The form is here, this version of it is not.
    UnknownVersion,
}

/// A file that came with a record, by the name of its part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: axum::body::Bytes,
}

impl Database {
    /// Keeps a record and those of its parts that it names, all or nothing.
    pub(crate) fn keep(&self, facts: &RecordFacts, xml: &[u8], parts: &[Part], now: i64) -> Result<Kept> {
        let invented_id = format!("uuid:{}", uuid::Builder::from_random_bytes(random_bytes()?).into_uuid());
        let mut connection = self.connection();
        let change = connection.transaction().map_err(failed)?;
        let kept = keep(&change, facts, &invented_id, xml, parts, now).map_err(failed)?;
        change.commit().map_err(failed)?;
        Ok(kept)
    }

    /// Whether a record of this instanceID is here.
    pub(crate) fn has_record(&self, form_id: &str, instance_id: &str) -> Result<bool> {
        self.connection()
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM record WHERE form_id = ?1 AND instance_id = ?2)",
                [form_id, instance_id],
                |row| row.get(0),
            )
            .map_err(failed)
    }

    /// Records of a form, newest first.
    pub(crate) fn records(&self, form_id: &str, skip: i64, at_most: i64) -> Result<Vec<RecordRow>> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS} {RECORD_TABLES} WHERE record.form_id = ?1 ORDER BY record.id DESC LIMIT ?2 OFFSET ?3"
        );
        self.rows(&sql, params![form_id, at_most, skip], record_row)
    }

    /// One record of a form with its form version's row id and its XML.
    pub(crate) fn record(&self, form_id: &str, id: i64) -> Result<Option<(RecordRow, i64, Vec<u8>)>> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, record.form, record.xml {RECORD_TABLES} WHERE record.form_id = ?1 AND record.id = ?2"
        );
        self.connection()
            .query_row(&sql, params![form_id, id], |row| Ok((record_row(row)?, row.get(7)?, row.get(8)?)))
            .optional()
            .map_err(failed)
    }

    /// The records before and after one in the list: the next newer and the next older.
    pub(crate) fn neighbours(&self, form_id: &str, id: i64) -> Result<(Option<i64>, Option<i64>)> {
        self.connection()
            .query_row(
                "SELECT (SELECT min(id) FROM record WHERE form_id = ?1 AND id > ?2),
                        (SELECT max(id) FROM record WHERE form_id = ?1 AND id < ?2)",
                params![form_id, id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(failed)
    }

    /// Calls `each` with every record of a form and its XML, oldest first, one at a time in memory.
    pub(crate) fn each_record(
        &self,
        form_id: &str,
        mut each: impl FnMut(RecordRow, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let connection = self.connection();
        let sql =
            format!("SELECT {RECORD_COLUMNS}, record.xml {RECORD_TABLES} WHERE record.form_id = ?1 ORDER BY record.id");
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([form_id]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let record = record_row(row).map_err(failed)?;
            let xml = row.get_ref(7).map_err(failed)?.as_blob().unwrap_or_default();
            each(record, xml)?;
        }
        Ok(())
    }

    /// The attachments of a record that are here, by name.
    pub(crate) fn attachments(&self, record: i64) -> Result<Vec<AttachmentRow>> {
        self.rows("SELECT name, length(bytes) FROM attachment WHERE record = ?1 ORDER BY name", [record], |row| {
            Ok(AttachmentRow { name: row.get(0)?, size: row.get(1)? })
        })
    }

    /// The bytes of an attachment.
    pub(crate) fn attachment(&self, record: i64, name: &str) -> Result<Option<Vec<u8>>> {
        self.connection()
            .query_row("SELECT bytes FROM attachment WHERE record = ?1 AND name = ?2", params![record, name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)
    }
}

fn keep(
    change: &Transaction<'_>,
    facts: &RecordFacts,
    invented_id: &str,
    xml: &[u8],
    parts: &[Part],
    now: i64,
) -> rusqlite::Result<Kept> {
    let form: Option<(i64, String)> = change
        .query_row(
            "SELECT id, attachment_paths FROM form WHERE form_id = ?1 AND version = ?2",
            [&facts.form_id, &facts.version],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((form, attachment_paths)) = form else {
        let known: bool =
            change.query_row("SELECT EXISTS (SELECT 1 FROM form WHERE form_id = ?1)", [&facts.form_id], |row| {
                row.get(0)
            })?;
        return Ok(if known { Kept::UnknownVersion } else { Kept::UnknownForm });
    };

    let instance_id = facts.instance_id.as_deref().unwrap_or(invented_id);
    let here: Option<(i64, Vec<u8>)> = change
        .query_row(
            "SELECT id, xml FROM record WHERE form_id = ?1 AND instance_id = ?2",
            [&facts.form_id, instance_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (record, kept) = match here {
        Some((_, other)) if other != xml => return Ok(Kept::Different),
        Some((record, _)) => (record, Kept::Again),
        None => {
            change.execute(
                "INSERT INTO record (form, form_id, instance_id, name, xml, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![form, facts.form_id, instance_id, facts.name, xml, now],
            )?;
            (change.last_insert_rowid(), Kept::New)
        }
    };

    let paths: BTreeSet<String> = attachment_paths.lines().map(str::to_owned).collect();
    let names = facts.attachment_names(&paths);
    for part in parts.iter().filter(|part| names.contains(&part.name)) {
        change.execute(
            "INSERT OR REPLACE INTO attachment (record, name, bytes) VALUES (?1, ?2, ?3)",
            params![record, part.name, &part.bytes[..]],
        )?;
    }
    Ok(kept)
}

const RECORD_COLUMNS: &str = "record.id, record.instance_id, form.version, record.name, record.received_at,
    length(record.xml) + coalesce((SELECT sum(length(bytes)) FROM attachment WHERE attachment.record = record.id), 0),
    (SELECT count(*) FROM attachment WHERE attachment.record = record.id)";
const RECORD_TABLES: &str = "FROM record JOIN form ON form.id = record.form";

fn record_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RecordRow> {
    Ok(RecordRow {
        id: row.get(0)?,
        instance_id: row.get(1)?,
        version: row.get(2)?,
        name: row.get(3)?,
        received_at: row.get(4)?,
        size: row.get(5)?,
        n_attachments: row.get(6)?,
    })
}

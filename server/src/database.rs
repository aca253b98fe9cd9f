//! What the server keeps, in one SQLite file: the project, its forms, and the records that arrived.

use crate::form::{FormFacts, FormSource};
use crate::record::RecordFacts;
use crate::token::{Token, random_bytes};
use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use veldwerk::{Error, ErrorKind, Result};
use veldwerk_sqlite as _; // links SQLite

const SCHEMA: &str = include_str!("schema.sql");

/// The database, behind one lock: the server is for trying out.
pub(crate) struct Database {
    connection: Mutex<Connection>,
}

/// A form version as the list shows it.
#[derive(Clone, Debug)]
pub(crate) struct FormRow {
    pub(crate) id: i64,
    pub(crate) form_id: String,
    pub(crate) version: String,
    pub(crate) title: String,
    /// MD5 of the XML in hexadecimal, as OpenRosa wants it.
    pub(crate) md5: String,
    /// Whether the form list gives an address for files.
    pub(crate) has_manifest: bool,
}

/// A file of a form.
#[derive(Clone, Debug)]
pub(crate) struct FormFileRow {
    pub(crate) name: String,
    pub(crate) md5: String,
}

/// A form with how much arrived for it.
#[derive(Clone, Debug)]
pub(crate) struct FormCount {
    pub(crate) form: FormRow,
    pub(crate) n_records: i64,
    /// Milliseconds since 1970-01-01T00:00:00Z of the newest record.
    pub(crate) last_received: Option<i64>,
}

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
    /// Opens or makes `server.sqlite` in `folder`, which is made too, readable by its owner only.
    ///
    /// # Errors
    /// `io` or `storage-damaged`; `storage-too-new` for the file of a later program.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        make_private_folder(folder)
            .map_err(|error| Error::new(ErrorKind::Io, format!("folder {}", folder.display())).caused_by(error))?;
        let connection = Connection::open(folder.join("server.sqlite")).map_err(failed)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
            .map_err(failed)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match version {
            0 => connection.execute_batch(SCHEMA).map_err(failed)?,
            1 => {}
            _ => return Err(Error::new(ErrorKind::StorageTooNew, "the server's database")),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half-done change: whatever was open rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash of the project's token, or nothing before the first start.
    pub(crate) fn token_hash(&self) -> Result<Option<[u8; 32]>> {
        self.connection()
            .query_row("SELECT token_hash FROM project WHERE id = 1", [], |row| row.get(0))
            .optional()
            .map_err(failed)
    }

    /// Makes the project with its token.
    pub(crate) fn make_project(&self, token: &Token, now: i64) -> Result<()> {
        self.connection()
            .execute("INSERT INTO project (id, token_hash, created_at) VALUES (1, ?1, ?2)", params![token.hash(), now])
            .map_err(failed)?;
        Ok(())
    }

    /// Publishes a form: its version becomes the one that the list shows; older versions stay.
    pub(crate) fn publish(&self, source: &FormSource, now: i64) -> Result<FormFacts> {
        let facts = FormFacts::read(&source.xml)?;
        let mut connection = self.connection();
        let change = connection.transaction().map_err(failed)?;
        publish(&change, source, &facts, now).map_err(failed)?;
        change.commit().map_err(failed)?;
        Ok(facts)
    }

    /// Takes a form off the list; its versions can still be fetched and its records still arrive.
    pub(crate) fn withdraw(&self, form_id: &str) -> Result<()> {
        self.connection().execute("UPDATE form SET listed = 0 WHERE form_id = ?1", [form_id]).map_err(failed)?;
        Ok(())
    }

    /// The listed forms by title, optionally only one.
    pub(crate) fn listed_forms(&self, form_id: Option<&str>) -> Result<Vec<FormRow>> {
        let forms = self.newest_forms("listed = 1")?;
        Ok(forms.into_iter().filter(|form| form_id.is_none_or(|wanted| wanted == form.form_id)).collect())
    }

    /// The newest version of a form, listed or not.
    pub(crate) fn newest_form(&self, form_id: &str) -> Result<Option<FormRow>> {
        Ok(self.newest_forms("1")?.into_iter().find(|form| form.form_id == form_id))
    }

    fn newest_forms(&self, condition: &str) -> Result<Vec<FormRow>> {
        let sql = format!(
            "SELECT id, form_id, version, title, md5, has_manifest FROM form
             WHERE {condition} AND published_at = (SELECT max(published_at) FROM form AS other WHERE other.form_id = form.form_id)
             ORDER BY title, form_id"
        );
        self.rows(&sql, [], form_row)
    }

    /// Every version of a form, newest first, with its XML.
    pub(crate) fn form_versions(&self, form_id: &str) -> Result<Vec<(FormRow, Vec<u8>)>> {
        self.rows(
            "SELECT id, form_id, version, title, md5, has_manifest, xml FROM form WHERE form_id = ?1 ORDER BY published_at DESC",
            [form_id],
            |row| Ok((form_row(row)?, row.get(6)?)),
        )
    }

    /// The XML of a form version.
    pub(crate) fn form_xml(&self, form: i64) -> Result<Vec<u8>> {
        self.connection().query_row("SELECT xml FROM form WHERE id = ?1", [form], |row| row.get(0)).map_err(failed)
    }

    /// The files of a form version, by name.
    pub(crate) fn form_files(&self, form: i64) -> Result<Vec<FormFileRow>> {
        self.rows("SELECT name, md5 FROM form_file WHERE form = ?1 ORDER BY name", [form], |row| {
            Ok(FormFileRow { name: row.get(0)?, md5: row.get(1)? })
        })
    }

    /// A file of a form version: its MD5 and its bytes.
    pub(crate) fn form_file(&self, form: i64, name: &str) -> Result<Option<(String, Vec<u8>)>> {
        self.connection()
            .query_row("SELECT md5, bytes FROM form_file WHERE form = ?1 AND name = ?2", params![form, name], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(failed)
    }

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

    /// Every form with how many records it has.
    pub(crate) fn form_counts(&self) -> Result<Vec<FormCount>> {
        self.newest_forms("1")?
            .into_iter()
            .map(|form| {
                let (n_records, last_received) = self
                    .connection()
                    .query_row(
                        "SELECT count(*), max(received_at) FROM record WHERE form_id = ?1",
                        [&form.form_id],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .map_err(failed)?;
                Ok(FormCount { form, n_records, last_received })
            })
            .collect()
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

    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let connection = self.connection();
        let mut statement = connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(params, read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

fn publish(change: &Transaction<'_>, source: &FormSource, facts: &FormFacts, now: i64) -> rusqlite::Result<()> {
    let paths: Vec<_> = facts.attachment_paths.iter().map(String::as_str).collect();
    let form: i64 = change.query_row(
        "INSERT INTO form (form_id, version, title, xml, md5, attachment_paths, has_manifest, listed, published_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, max(?8, 1 + coalesce((SELECT max(published_at) FROM form WHERE form_id = ?1), 0)))
         ON CONFLICT (form_id, version) DO UPDATE SET title = excluded.title, xml = excluded.xml, md5 = excluded.md5,
             attachment_paths = excluded.attachment_paths, has_manifest = excluded.has_manifest, listed = 1,
             published_at = excluded.published_at
         RETURNING id",
        params![
            facts.form_id,
            facts.version,
            facts.title,
            source.xml,
            md5_hex(&source.xml),
            paths.join("\n"),
            facts.expects_files || !source.files.is_empty(),
            now
        ],
        |row| row.get(0),
    )?;
    change.execute("UPDATE form SET listed = 1 WHERE form_id = ?1", [&facts.form_id])?;
    change.execute("DELETE FROM form_file WHERE form = ?1", [form])?;
    for (name, bytes) in &source.files {
        change.execute(
            "INSERT INTO form_file (form, name, md5, bytes) VALUES (?1, ?2, ?3, ?4)",
            params![form, name, md5_hex(bytes), bytes],
        )?;
    }
    Ok(())
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

fn form_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<FormRow> {
    Ok(FormRow {
        id: row.get(0)?,
        form_id: row.get(1)?,
        version: row.get(2)?,
        title: row.get(3)?,
        md5: row.get(4)?,
        has_manifest: row.get(5)?,
    })
}

fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers lie readable in this folder, so at least no other account of the computer may enter it.
fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn failed(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::StorageDamaged,
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => ErrorKind::StoreInUse,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "the server's database").caused_by(error)
}

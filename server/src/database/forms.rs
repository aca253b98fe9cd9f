//! Forms: their versions side by side, each with its files.

use super::{Database, failed};
use crate::form::{FormFacts, FormSource};
use md5::{Digest, Md5};
use rusqlite::{OptionalExtension, Transaction, params};
use veldwerk::Result;

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

impl Database {
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

    /// Takes every form off the list, before the ones that are there today are published.
    pub(crate) fn withdraw_all(&self) -> Result<()> {
        self.connection().execute("UPDATE form SET listed = 0", []).map_err(failed)?;
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

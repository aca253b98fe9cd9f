//! Installed forms: versions side by side, each with its files, each never changed once it is in. Which of them can be begun
//! is the business of [`offers`](super::offers).

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::form_files::{self, FormFile, NewFormFile};
use super::{FormKey, ProjectId, Store};
use crate::{Error, ErrorKind, Result};

/// A form version to install, with everything it needs.
#[derive(Clone, Debug)]
pub struct NewForm {
    /// Where it comes from.
    pub project: ProjectId,
    /// The form id of its XML.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// The hash of the form list, kept as given.
    pub hash: String,
    /// Its title.
    pub title: String,
    /// Where its XML is: below the project's own address without that part.
    pub url: String,
    /// The XForm.
    pub xml: Vec<u8>,
    /// Its files; names are unique.
    pub files: Vec<NewFormFile>,
    /// When it was downloaded.
    pub fetched_at: i64,
}

/// A form version in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormSummary {
    /// Its row.
    pub key: FormKey,
    /// Its project.
    pub project: ProjectId,
    /// The form id of its XML.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// The hash of the form list.
    pub hash: String,
    /// Its title.
    pub title: String,
    /// When it was downloaded.
    pub fetched_at: i64,
    /// Whether new records may be begun: the server lists this version, or it stands in for a newer one that could not be
    /// installed. Otherwise it is here only for its drafts and records.
    pub offered: bool,
    /// True: the same version was downloaded again, this is the older one, here only for its drafts and unsent records.
    pub superseded: bool,
    /// When the server stopped listing this version, in milliseconds since 1970; `None` while it does.
    pub left_at: Option<i64>,
    /// Of a form that left the list: true if it still takes the records begun before, false if it is gone; `None` where that
    /// is not known.
    pub closing: Option<bool>,
    /// Code of the reason why the version that the server lists now could not be installed or brought up to date.
    pub failure: Option<String>,
}

/// A form version.
#[derive(Clone, Debug)]
pub struct Form {
    /// What a list says of it.
    pub summary: FormSummary,
    /// The XForm.
    pub xml: Vec<u8>,
}

/// A form version with what a refresh compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledForm {
    /// What a list says of it.
    pub summary: FormSummary,
    /// Where its XML was had from, as in [`NewForm`].
    pub url: String,
    /// Whether a draft or an unsent record uses it.
    pub in_use: bool,
    /// Its files, by name.
    pub files: Vec<FormFile>,
}

const SUMMARY: &str = "form.id, form.project, form.form_id, form.version, form.hash, form.title, form.fetched_at,
    form.offered, form.superseded, form.left_at, form.closing, form_failure.code AS failure";
const FROM: &str = "FROM form
    LEFT JOIN form_failure ON form_failure.project = form.project AND form_failure.form_id = form.form_id";

/// Whether a draft or an unsent record uses a form.
const IN_USE: &str = "EXISTS (SELECT 1 FROM draft WHERE draft.form = form.id)
    OR EXISTS (SELECT 1 FROM submission WHERE submission.form = form.id AND state <> 'sent')";

impl Store {
    /// Installs a form version with all its files, or nothing. If the same version is there already, the new row takes its
    /// place; the old one stays, out of the lists, as long as a draft or an unsent record uses it. A power cut may forget it, though
    /// not once anything else is written: the server has it too, and so many forms at once cost no wait for the disk each.
    ///
    /// # Errors
    /// `NotFound` if the project, a media file or a file to share with is not there; `StorageFull`, `StoragePaused`.
    pub fn install_form(&self, form: &NewForm) -> Result<FormKey> {
        self.write_soon(|transaction| {
            // A form that a salvage left empty (`store::salvage`): the drafts on it can be opened again.
            transaction
                .prepare_cached(
                    "UPDATE form_xml SET xml = ? WHERE length(xml) = 0
                         AND form IN (SELECT id FROM form WHERE project = ? AND form_id = ? AND version = ?)",
                )?
                .execute(params![form.xml, form.project, form.form_id, form.version])?;
            let mut supersede = transaction.prepare_cached(
                "UPDATE form SET superseded = 1 WHERE project = ? AND form_id = ? AND version = ? AND superseded = 0",
            )?;
            let superseded = supersede.execute(params![form.project, form.form_id, form.version])?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO form (project, form_id, version, hash, title, url, fetched_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?;
            insert.execute(params![
                form.project,
                form.form_id,
                form.version,
                form.hash,
                form.title,
                form.url,
                form.fetched_at
            ])?;
            let key = FormKey(transaction.last_insert_rowid());
            transaction
                .prepare_cached("INSERT INTO form_xml (form, xml) VALUES (?, ?)")?
                .execute(params![key, form.xml])?;
            for file in &form.files {
                form_files::install(transaction, &self.media(), key, file)?;
            }
            if superseded > 0 {
                drop_unused_forms(transaction)?;
            }
            Ok(key)
        })
    }

    /// The form versions of a project that are not superseded, by title; of one form id the offered ones first, and then the
    /// newest.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn forms(&self, project: ProjectId) -> Result<Vec<FormSummary>> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {SUMMARY} {FROM} WHERE form.project = ? AND superseded = 0
                 ORDER BY form.title, form.form_id, offered DESC, form.id DESC"
            ))?;
            let forms = query.query_map([project], FormSummary::read)?.collect::<Result<_, _>>()?;
            Ok(forms)
        })
    }

    /// The form versions of a project that are not superseded, the oldest first, with their files: two queries, however many
    /// there are.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn installed_forms(&self, project: ProjectId) -> Result<Vec<InstalledForm>> {
        self.read(|connection| {
            let mut files = form_files::of_project(connection, project)?;
            let mut query = connection.prepare_cached(&format!(
                "SELECT {SUMMARY}, url, {IN_USE} AS in_use {FROM} WHERE form.project = ? AND superseded = 0
                 ORDER BY form.id"
            ))?;
            let forms = query.query_map([project], |row| {
                let summary = FormSummary::read(row)?;
                let files = files.remove(&summary.key).unwrap_or_default();
                Ok(InstalledForm { summary, url: row.get("url")?, in_use: row.get("in_use")?, files })
            })?;
            Ok(forms.collect::<Result<_, _>>()?)
        })
    }

    /// The version of a form that can be begun, else the newest; or the one named.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn find_form(&self, project: ProjectId, form_id: &str, version: Option<&str>) -> Result<FormSummary> {
        self.read(|connection| {
            let query = format!(
                "SELECT {SUMMARY} {FROM}
                 WHERE form.project = ?1 AND form.form_id = ?2 AND superseded = 0 AND (?3 IS NULL OR form.version = ?3)
                 ORDER BY offered DESC, form.id DESC LIMIT 1"
            );
            let found =
                connection.query_row(&query, params![project, form_id, version], FormSummary::read).optional()?;
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "a form of this id"))
        })
    }

    /// What a list says of a form version, superseded or not.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn form_summary(&self, key: FormKey) -> Result<FormSummary> {
        self.read(|connection| {
            let query = format!("SELECT {SUMMARY} {FROM} WHERE form.id = ?");
            let found = connection.query_row(&query, [key], FormSummary::read).optional()?;
            found.ok_or_else(|| not_found(key))
        })
    }

    /// The XForm of a form version.
    ///
    /// # Errors
    /// As [`Store::form_summary`].
    pub fn form_xml(&self, key: FormKey) -> Result<Vec<u8>> {
        self.read(|connection| {
            let query = "SELECT xml FROM form_xml WHERE form = ?";
            connection.query_row(query, [key], |row| row.get(0)).optional()?.ok_or_else(|| not_found(key))
        })
    }

    /// Removes a form version.
    ///
    /// # Errors
    /// `UnsentRecords` if a draft or an unsent record uses it; `NotFound`, `StoragePaused`, `StorageFull`.
    pub fn remove_form(&self, key: FormKey) -> Result<()> {
        self.form_summary(key)?;
        self.write(|transaction| {
            drop_forms(transaction, &format!("id = :id AND NOT ({IN_USE})"), &BTreeMap::from([(":id", key.0)]))?;
            let left = transaction.query_row("SELECT 1 FROM form WHERE id = ?", [key], |_| Ok(())).optional()?;
            left.map_or(Ok(()), |()| Err(Error::new(ErrorKind::UnsentRecords, format!("form {key}"))))
        })
    }

    /// A form version, superseded or not.
    ///
    /// # Errors
    /// As [`Store::form_summary`].
    pub fn form(&self, key: FormKey) -> Result<Form> {
        Ok(Form { summary: self.form_summary(key)?, xml: self.form_xml(key)? })
    }
}

/// Deletes the superseded forms that nothing uses.
pub(super) fn drop_unused_forms(transaction: &Transaction<'_>) -> Result<()> {
    drop_forms(transaction, &format!("superseded = 1 AND NOT ({IN_USE})"), &BTreeMap::new())
}

/// Deletes the forms that fit `condition`, and the data that was theirs alone.
pub(super) fn drop_forms(transaction: &Transaction<'_>, condition: &str, values: &BTreeMap<&str, i64>) -> Result<()> {
    let mut query = transaction.prepare_cached(&format!("SELECT id FROM form WHERE {condition}"))?;
    let values: Vec<(&str, &dyn rusqlite::ToSql)> =
        values.iter().map(|(name, value)| (*name, value as &dyn rusqlite::ToSql)).collect();
    let forms = query.query_map(values.as_slice(), |row| row.get(0))?.collect::<Result<Vec<FormKey>, _>>()?;
    for form in forms {
        let datasets = form_files::datasets(transaction, form)?;
        transaction.prepare_cached("DELETE FROM form WHERE id = ?")?.execute([form])?;
        for dataset in datasets {
            form_files::drop_data_if_unused(transaction, dataset)?;
        }
    }
    Ok(())
}

fn not_found(key: FormKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("form {key}"))
}

impl FormSummary {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get("id")?,
            project: row.get("project")?,
            form_id: row.get("form_id")?,
            version: row.get("version")?,
            hash: row.get("hash")?,
            title: row.get("title")?,
            fetched_at: row.get("fetched_at")?,
            offered: row.get::<_, bool>("offered")? && !row.get::<_, bool>("superseded")?,
            superseded: row.get("superseded")?,
            left_at: row.get("left_at")?,
            closing: row.get("closing")?,
            failure: row.get("failure")?,
        })
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{TestHome, new_file, new_form};
    use crate::store::{Content, MediaFile};

    fn versions(home: &TestHome, project: ProjectId) -> Vec<(String, String)> {
        home.forms(project).unwrap().into_iter().map(|form| (form.form_id, form.version)).collect()
    }

    fn pair(form_id: &str, version: &str) -> (String, String) {
        (form_id.into(), version.into())
    }

    #[test]
    fn versions_lie_side_by_side_the_newest_first() {
        let mut home = TestHome::new();
        let project = home.any_project();
        for (form_id, version) in [("visit", "1"), ("census", ""), ("visit", "2")] {
            home.any_form(project, form_id, version);
        }
        home.reopen();
        assert_eq!(versions(&home, project), [pair("census", ""), pair("visit", "2"), pair("visit", "1")]);
        assert_eq!(home.find_form(project, "visit", None).unwrap().version, "2");
        let first = home.find_form(project, "visit", Some("1")).unwrap();
        assert_eq!(home.form(first.key).unwrap().xml, b"<form>visit 1</form>");
        assert_eq!(home.find_form(project, "visit", Some("3")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_a_refresh_compares_comes_with_every_file() {
        let home = TestHome::new();
        let (project, other) = (home.any_project(), home.any_project());
        let files = vec![new_file("b.csv", "md5:b", home.data(b"b\n")), new_file("a.csv", "md5:a", home.data(b"a\n"))];
        home.install_form(&new_form(project, "visit", "1", files)).unwrap();
        let used = home.any_form(project, "census", "1");
        home.any_form(other, "elsewhere", "1");
        home.draft_of(used, "uuid:a");
        let installed = home.installed_forms(project).unwrap();
        let seen: Vec<_> = installed
            .iter()
            .map(|form| {
                let files: Vec<&str> = form.files.iter().map(|file| file.name.as_str()).collect();
                (form.summary.form_id.as_str(), form.in_use, files, form.url.as_str())
            })
            .collect();
        assert_eq!(
            seen,
            [("visit", false, vec!["a.csv", "b.csv"], "forms/visit.xml"), ("census", true, vec![], "forms/census.xml")]
        );
    }

    #[test]
    fn a_version_is_installed_whole_or_not_at_all() {
        let home = TestHome::new();
        let project = home.any_project();
        let old = home.any_form(project, "visit", "1");
        let missing = MediaFile { sha256: "0".repeat(64), size: 1 };
        let files = vec![new_file("a.csv", "1", home.data(&[1])), new_file("b.png", "2", Content::Media(missing))];
        let error = home.install_form(&new_form(project, "visit", "1", files)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(home.forms(project).unwrap()[0].key, old);
        assert_eq!(home.form_files(old).unwrap(), []);
    }

    #[test]
    fn a_draft_stays_on_its_form_when_the_version_is_downloaded_again() {
        let home = TestHome::new();
        let project = home.any_project();
        let unused = home.any_form(project, "visit", "1");
        let used = home.any_form(project, "visit", "1");
        assert_eq!(home.form(unused).unwrap_err().kind(), ErrorKind::NotFound);
        let draft = home.draft_of(used, "uuid:a");
        let newest = home.any_form(project, "visit", "1");
        assert_eq!(home.find_form(project, "visit", None).unwrap().key, newest);
        let old = home.form(used).unwrap().summary;
        assert!(old.superseded && !old.offered, "new records are begun on the new one");
        assert!(home.draft(draft).unwrap().summary.offered, "the server offers this version");
        assert_eq!(home.remove_form(used).unwrap_err().kind(), ErrorKind::UnsentRecords);
        home.delete_draft(draft).unwrap();
        assert_eq!(home.form(used).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

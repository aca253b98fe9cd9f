//! Installed forms: versions side by side, each with its files, each never changed once it is in.

use std::io::{Read, Write};
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::folder::{PendingFile, io_error};
use super::{FormFileId, FormKey, ProjectId, Store, hex};
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
    /// The XForm.
    pub xml: Vec<u8>,
    /// Its files; names are unique.
    pub files: Vec<NewFormFile>,
    /// When it was downloaded.
    pub fetched_at: i64,
}

/// A file of a form version to install.
#[derive(Clone, Debug)]
pub struct NewFormFile {
    /// What the form calls it.
    pub name: String,
    /// The manifest's `type`: empty, `entityList` or `approvalEntityList`.
    pub role: String,
    /// The manifest's hash, kept as given.
    pub hash: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// Its bytes.
    pub content: Content,
}

/// Where the bytes of a form's file are.
#[derive(Clone, Debug)]
pub enum Content {
    /// A picture, sound or video, already put into the media folder.
    Media(MediaFile),
    /// A CSV, XML or GeoJSON file: it goes into the database, because such lists name people.
    Data(Vec<u8>),
    /// The bytes of a file that is installed already; nothing is copied.
    SameAs(FormFileId),
}

/// A file in the media folder, named by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFile {
    /// SHA-256 in hex: its name.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
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
    /// False: gone from the server's list, here only for the drafts and unsent records that use it.
    pub listed: bool,
    /// True: the same version was downloaded again, this is the older one, here only for its drafts and unsent records.
    pub superseded: bool,
}

/// A form version.
#[derive(Clone, Debug)]
pub struct Form {
    /// What a list says of it.
    pub summary: FormSummary,
    /// The XForm.
    pub xml: Vec<u8>,
}

/// A file of an installed form version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFile {
    /// Its row.
    pub id: FormFileId,
    /// What the form calls it.
    pub name: String,
    /// The manifest's `type`.
    pub role: String,
    /// The manifest's hash.
    pub hash: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// SHA-256 of its bytes in hex.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// True: its bytes are in the database ([`Store::form_data`]); false: they are a media file
    /// ([`Store::media_path`]).
    pub is_data: bool,
}

const SUMMARY: &str =
    "SELECT id, project, form_id, version, hash, title, fetched_at, listed, superseded, xml FROM form";
const FILE: &str = "SELECT id, name, role, hash, etag, sha256, size, dataset IS NOT NULL AS is_data FROM form_file";

impl Store {
    /// Installs a form version with all its files, or nothing. If the same version is there already, the new row takes its
    /// place; the old one stays, out of the lists, as long as a draft or an unsent record uses it.
    ///
    /// # Errors
    /// `NotFound` if the project, a media file or a file to share with is not there; `StorageFull`, `StoragePaused`.
    pub fn install_form(&self, form: &NewForm) -> Result<FormKey> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE form SET superseded = 1 WHERE project = ? AND form_id = ? AND version = ? AND superseded = 0",
                params![form.project, form.form_id, form.version],
            )?;
            transaction.execute(
                "INSERT INTO form (project, form_id, version, hash, title, xml, fetched_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![form.project, form.form_id, form.version, form.hash, form.title, form.xml, form.fetched_at],
            )?;
            let key = FormKey(transaction.last_insert_rowid());
            for file in &form.files {
                self.install_file(transaction, key, file)?;
            }
            drop_unused_forms(transaction)?;
            Ok(key)
        })
    }

    fn install_file(&self, transaction: &Transaction<'_>, form: FormKey, file: &NewFormFile) -> Result<()> {
        let (sha256, size, dataset): (String, i64, Option<i64>) = match &file.content {
            Content::Media(media) if !self.media().join(&media.sha256).is_file() => {
                return Err(Error::new(ErrorKind::NotFound, "a media file of the form"));
            }
            Content::Media(media) => (media.sha256.clone(), media.size.cast_signed(), None),
            Content::Data(bytes) => {
                let sha256 = hex::encode(&Sha256::digest(bytes));
                let dataset = dataset_row(transaction, &sha256, bytes)?;
                (sha256, bytes.len() as i64, Some(dataset))
            }
            Content::SameAs(file) => {
                transaction.query_row("SELECT sha256, size, dataset FROM form_file WHERE id = ?", [file], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
            }
        };
        transaction.execute(
            "INSERT INTO form_file (form, name, role, hash, etag, sha256, size, dataset) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![form, file.name, file.role, file.hash, file.etag, sha256, size, dataset],
        )?;
        Ok(())
    }

    /// Puts a picture, sound or video into the media folder; the same bytes are kept once. A file that no form comes to
    /// use is a stray, deleted after a month.
    ///
    /// # Errors
    /// `StorageFull`, `Io`.
    pub fn put_media(&self, source: &mut dyn Read) -> Result<MediaFile> {
        let mut file = PendingFile::create(&self.media())?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n_read = source.read(&mut buffer).map_err(io_error)?;
            let piece = buffer.get(..n_read).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hash.update(piece);
            size += piece.len() as u64;
            file.write_all(piece).map_err(io_error)?;
        }
        let sha256 = hex::encode(&hash.finalize());
        file.keep(&sha256)?;
        Ok(MediaFile { sha256, size })
    }

    /// The form versions of a project that are not superseded, by title; of one form id the newest first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn forms(&self, project: ProjectId) -> Result<Vec<FormSummary>> {
        self.read(|connection| {
            let mut query = connection
                .prepare(&format!("{SUMMARY} WHERE project = ? AND superseded = 0 ORDER BY title, form_id, id DESC"))?;
            let forms = query.query_map([project], FormSummary::read)?.collect::<Result<_, _>>()?;
            Ok(forms)
        })
    }

    /// The newest version of a form, or the one named.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn find_form(&self, project: ProjectId, form_id: &str, version: Option<&str>) -> Result<FormSummary> {
        self.read(|connection| {
            let query = format!(
                "{SUMMARY} WHERE project = ?1 AND form_id = ?2 AND superseded = 0 AND (?3 IS NULL OR version = ?3)
                 ORDER BY id DESC LIMIT 1"
            );
            let found =
                connection.query_row(&query, params![project, form_id, version], FormSummary::read).optional()?;
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "a form of this id"))
        })
    }

    /// A form version, superseded or not.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn form(&self, key: FormKey) -> Result<Form> {
        self.read(|connection| {
            let query = format!("{SUMMARY} WHERE id = ?");
            let found = connection
                .query_row(&query, [key], |row| Ok(Form { summary: FormSummary::read(row)?, xml: row.get("xml")? }))
                .optional()?;
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("form {key}")))
        })
    }

    /// The files of a form version, by name.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn form_files(&self, form: FormKey) -> Result<Vec<FormFile>> {
        self.read(|connection| {
            let mut query = connection.prepare(&format!("{FILE} WHERE form = ? ORDER BY name"))?;
            let files = query.query_map([form], FormFile::read)?.collect::<Result<_, _>>()?;
            Ok(files)
        })
    }

    /// The file that a form version calls `name`.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn form_file(&self, form: FormKey, name: &str) -> Result<Option<FormFile>> {
        self.read(|connection| {
            let query = format!("{FILE} WHERE form = ? AND name = ?");
            Ok(connection.query_row(&query, params![form, name], FormFile::read).optional()?)
        })
    }

    /// The newest installed file of the project with the manifest hash `hash`, so that it need not be downloaded again.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn file_with_hash(&self, project: ProjectId, hash: &str) -> Result<Option<FormFile>> {
        self.read(|connection| {
            let query = format!(
                "{FILE} WHERE hash = ? AND hash <> '' AND form IN (SELECT id FROM form WHERE project = ?)
                 ORDER BY id DESC LIMIT 1"
            );
            Ok(connection.query_row(&query, params![hash, project], FormFile::read).optional()?)
        })
    }

    /// The bytes of a file that lies in the database.
    ///
    /// # Errors
    /// `NotFound` if it is no such file; `StoragePaused`, `StorageDamaged`.
    pub fn form_data(&self, file: FormFileId) -> Result<Vec<u8>> {
        self.read(|connection| {
            let query =
                "SELECT bytes FROM dataset JOIN form_file ON form_file.dataset = dataset.id WHERE form_file.id = ?";
            Ok(connection.query_row(query, [file], |row| row.get(0))?)
        })
    }

    /// Where a media file of a form lies, for a player; `None` for a file whose bytes are in the database.
    #[must_use]
    pub fn media_path(&self, file: &FormFile) -> Option<PathBuf> {
        (!file.is_data).then(|| self.media().join(&file.sha256))
    }

    /// Marks which forms are in the server's list. The others are removed, except those that a draft or an unsent record
    /// uses: they stay usable, with `listed` false, until the last of these is gone.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn keep_listed(&self, project: ProjectId, form_ids: &[&str]) -> Result<()> {
        self.write(|transaction| {
            transaction.execute("UPDATE form SET listed = 0 WHERE project = ?", [project])?;
            for form_id in form_ids {
                transaction.execute(
                    "UPDATE form SET listed = 1 WHERE project = ? AND form_id = ?",
                    params![project, form_id],
                )?;
            }
            drop_unused_forms(transaction)
        })
    }

    /// Removes a form version.
    ///
    /// # Errors
    /// `UnsentRecords` if a draft or an unsent record uses it; `NotFound`, `StoragePaused`, `StorageFull`.
    pub fn remove_form(&self, key: FormKey) -> Result<()> {
        self.write(|transaction| {
            if transaction.execute("UPDATE form SET listed = 0 WHERE id = ?", [key])? == 0 {
                return Err(Error::new(ErrorKind::NotFound, format!("form {key}")));
            }
            drop_unused_forms(transaction)?;
            let left = transaction.query_row("SELECT 1 FROM form WHERE id = ?", [key], |_| Ok(())).optional()?;
            left.map_or(Ok(()), |()| Err(Error::new(ErrorKind::UnsentRecords, format!("form {key}"))))
        })
    }
}

/// Deletes the forms that are in no list and that nothing uses, and the data that was theirs alone.
pub(super) fn drop_unused_forms(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute(
        "DELETE FROM form WHERE (listed = 0 OR superseded = 1)
             AND NOT EXISTS (SELECT 1 FROM draft WHERE draft.form = form.id)
             AND NOT EXISTS (SELECT 1 FROM submission WHERE submission.form = form.id AND state <> 'sent')",
        [],
    )?;
    drop_unused_data(transaction)
}

/// Deletes the data that no form refers to.
pub(super) fn drop_unused_data(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute(
        "DELETE FROM dataset WHERE NOT EXISTS (SELECT 1 FROM form_file WHERE form_file.dataset = dataset.id)",
        [],
    )?;
    Ok(())
}

/// The row of these bytes, new or already there.
fn dataset_row(connection: &Connection, sha256: &str, bytes: &[u8]) -> Result<i64> {
    connection.execute(
        "INSERT INTO dataset (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING",
        params![sha256, bytes],
    )?;
    Ok(connection.query_row("SELECT id FROM dataset WHERE sha256 = ?", [sha256], |row| row.get(0))?)
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
            listed: row.get("listed")?,
            superseded: row.get("superseded")?,
        })
    }
}

impl FormFile {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            role: row.get("role")?,
            hash: row.get("hash")?,
            etag: row.get("etag")?,
            sha256: row.get("sha256")?,
            size: row.get::<_, i64>("size")?.cast_unsigned(),
            is_data: row.get("is_data")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome, new_file, new_form};
    use crate::store::{Finalized, RecordState};

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
    fn files_are_found_by_name_and_by_hash() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let picture = home.put_media(&mut &b"picture"[..]).unwrap();
        let files = vec![
            new_file("logo.png", "md5:p", Content::Media(picture.clone())),
            new_file("towns.csv", "md5:t", Content::Data(b"name\nAsmara\n".to_vec())),
        ];
        let form = home.install_form(&new_form(project, "visit", "1", files)).unwrap();
        home.reopen();

        let logo = home.form_file(form, "logo.png").unwrap().unwrap();
        assert_eq!((logo.size, &logo.etag[..], logo.is_data), (7, "\"md5:p\"", false));
        assert_eq!(std::fs::read(home.media_path(&logo).unwrap()).unwrap(), b"picture");
        let towns = home.file_with_hash(project, "md5:t").unwrap().unwrap();
        assert_eq!(home.form_data(towns.id).unwrap(), b"name\nAsmara\n");
        assert_eq!(home.media_path(&towns), None);
        assert_eq!(home.form_data(logo.id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(home.form_file(form, "../../etc/passwd").unwrap(), None);
        assert_eq!(home.file_with_hash(project, "").unwrap(), None);
        assert_eq!(home.form_files(form).unwrap(), [logo, towns]);
    }

    #[test]
    fn equal_bytes_are_kept_once_and_go_with_their_last_form() {
        let home = TestHome::new();
        let project = home.any_project();
        let bytes = b"a,b\n1,2\n".to_vec();
        let one = home
            .install_form(&new_form(
                project,
                "one",
                "1",
                vec![new_file("l.csv", "md5:l", Content::Data(bytes.clone()))],
            ))
            .unwrap();
        let shared = home.file_with_hash(project, "md5:l").unwrap().unwrap();
        let two = home
            .install_form(&new_form(project, "two", "1", vec![new_file("m.csv", "md5:l", Content::SameAs(shared.id))]))
            .unwrap();
        let three = home
            .install_form(&new_form(project, "three", "1", vec![new_file("n.csv", "", Content::Data(bytes.clone()))]))
            .unwrap();
        let n_datasets = || {
            let query = "SELECT count(*) FROM dataset";
            home.read(|connection| Ok(connection.query_row(query, [], |row| row.get::<_, i64>(0))?)).unwrap()
        };
        assert_eq!(n_datasets(), 1);
        home.remove_form(one).unwrap();
        home.remove_form(three).unwrap();
        let file = home.form_file(two, "m.csv").unwrap().unwrap();
        assert_eq!(home.form_data(file.id).unwrap(), bytes);
        home.remove_form(two).unwrap();
        assert_eq!(n_datasets(), 0);
    }

    #[test]
    fn a_version_is_installed_whole_or_not_at_all() {
        let home = TestHome::new();
        let project = home.any_project();
        let old = home.any_form(project, "visit", "1");
        let missing = MediaFile { sha256: "0".repeat(64), size: 1 };
        let files =
            vec![new_file("a.csv", "1", Content::Data(vec![1])), new_file("b.png", "2", Content::Media(missing))];
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
        assert!(home.form(used).unwrap().summary.superseded);
        home.delete_draft(draft).unwrap();
        assert_eq!(home.form(used).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn gone_from_the_list_but_kept_as_long_as_it_is_used() {
        let home = TestHome::new();
        let project = home.any_project();
        let used = home.any_form(project, "used", "1");
        home.any_form(project, "unused", "1");
        home.any_form(project, "listed", "1");
        let draft = home.draft_of(used, "uuid:a");
        home.keep_listed(project, &["listed"]).unwrap();
        assert_eq!(versions(&home, project), [pair("listed", "1"), pair("used", "1")]);
        assert!(!home.form(used).unwrap().summary.listed);
        assert_eq!(home.remove_form(used).unwrap_err().kind(), ErrorKind::UnsentRecords);

        let finalized = Finalized {
            xml: b"<a/>".to_vec(),
            instance_id: "uuid:a".into(),
            name: String::new(),
            attachments: vec![],
            last_saved: None,
            at: NOW,
        };
        let record = home.finalize(draft, &finalized).unwrap();
        assert!(home.form(used).is_ok(), "an unsent record uses it");
        let claim = home.begin_sending(record).unwrap();
        home.mark(record, claim, &RecordState::Sent { at: NOW }).unwrap();
        assert_eq!(home.form(used).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(home.submission(record).unwrap().form, None);
    }

    #[test]
    fn back_in_the_list() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        home.draft_of(form, "uuid:a");
        home.keep_listed(project, &[]).unwrap();
        home.keep_listed(project, &["visit"]).unwrap();
        assert!(home.form(form).unwrap().summary.listed);
    }

    #[test]
    fn media_is_named_by_its_content() {
        let home = TestHome::new();
        let bytes = vec![3; 200_000];
        let one = home.put_media(&mut &bytes[..]).unwrap();
        assert_eq!(home.put_media(&mut &bytes[..]).unwrap(), one);
        assert_eq!((one.size, home.n_files("media")), (200_000, 1));
        assert_eq!(one.sha256, hex::encode(&Sha256::digest(&bytes)));
    }
}

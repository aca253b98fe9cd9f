//! The files of installed forms. Lists name people, so they lie in the database, in pieces; pictures, sound and video are
//! readable files, because players want a path (at-rest.md).

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::folder::{PendingFile, io_error};
use super::{FormFileId, FormKey, ProjectId, Store, hex};
use crate::{Error, ErrorKind, Result};

/// A file of a form version to install.
#[derive(Clone, Debug)]
pub struct NewFormFile {
    /// What the form calls it.
    pub name: String,
    /// The manifest's `type`: empty, `entityList` or `approvalEntityList`.
    pub role: String,
    /// The manifest's hash, kept as given; empty for none.
    pub hash: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// MD5 of its bytes in lower-case hex, for comparison with manifests; empty where not known.
    pub md5: String,
    /// Its bytes.
    pub content: Content,
}

/// Where the bytes of a form's file are.
#[derive(Clone, Debug)]
pub enum Content {
    /// A picture, sound or video, already put into the media folder.
    Media(MediaFile),
    /// A list, already put into the database.
    Data(StagedData),
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

/// A picture, sound or video on its way into the media folder; dropped before it is kept, it is gone.
pub struct MediaWriter {
    file: PendingFile,
    sha256: Sha256,
    size: u64,
}

/// A list on its way into the database. Unless a form comes to own it, it is to be discarded; opening the home again does so
/// too.
pub struct DataWriter {
    dataset: i64,
    /// What is not written yet.
    piece: Vec<u8>,
    sha256: Sha256,
    size: u64,
}

/// A list whose bytes lie in the database and belong to no form yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedData {
    /// Its row.
    pub dataset: i64,
    /// SHA-256 of its bytes in hex.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
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
    /// The manifest's hash; empty for none.
    pub hash: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// MD5 of its bytes in lower-case hex; empty where not known.
    pub md5: String,
    /// SHA-256 of its bytes in hex.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// True: its bytes are in the database ([`Store::form_data`]); false: they are a media file
    /// ([`Store::media_path`]).
    pub is_data: bool,
}

/// How much of a list is written at once, in bytes.
const DATA_PIECE: usize = 1 << 20;

const FILE: &str = "form_file.id, form_file.name, form_file.role, form_file.hash, form_file.etag, form_file.md5,
    form_file.sha256, form_file.size, form_file.dataset IS NOT NULL AS is_data";

impl Store {
    /// The files of a form version, by name.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn form_files(&self, form: FormKey) -> Result<Vec<FormFile>> {
        self.read(|connection| {
            let mut query =
                connection.prepare_cached(&format!("SELECT {FILE} FROM form_file WHERE form = ? ORDER BY name"))?;
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
            let query = format!("SELECT {FILE} FROM form_file WHERE form = ? AND name = ?");
            Ok(connection.query_row(&query, params![form, name], FormFile::read).optional()?)
        })
    }

    /// The bytes of a file that lies in the database.
    ///
    /// # Errors
    /// `NotFound` if it is no such file; `StoragePaused`, `StorageDamaged`.
    pub fn form_data(&self, file: FormFileId) -> Result<Vec<u8>> {
        self.read(|connection| {
            let query = "SELECT dataset, size FROM form_file WHERE id = ? AND dataset IS NOT NULL";
            let (dataset, size): (i64, i64) =
                connection.query_row(query, [file], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            let mut query =
                connection.prepare_cached("SELECT bytes FROM dataset_piece WHERE dataset = ? ORDER BY id")?;
            let mut pieces = query.query([dataset])?;
            while let Some(piece) = pieces.next()? {
                bytes.extend_from_slice(piece.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
            }
            Ok(bytes)
        })
    }

    /// Where a media file of a form lies, for a player; `None` for a file whose bytes are in the database.
    #[must_use]
    pub fn media_path(&self, file: &FormFile) -> Option<PathBuf> {
        (!file.is_data).then(|| self.media().join(&file.sha256))
    }

    /// Opens a place for a picture, sound or video.
    ///
    /// # Errors
    /// `StorageFull`, `Io`.
    pub fn stage_media(&self) -> Result<MediaWriter> {
        Ok(MediaWriter { file: PendingFile::create(&self.media())?, sha256: Sha256::new(), size: 0 })
    }

    /// Puts a picture, sound or video into the media folder; the same bytes are kept once. A file that no form comes to
    /// use is deleted when the home is opened again.
    ///
    /// # Errors
    /// `StorageFull`, `Io`.
    pub fn put_media(&self, source: &mut dyn Read) -> Result<MediaFile> {
        let mut file = self.stage_media()?;
        io::copy(source, &mut file).map_err(io_error)?;
        file.keep()
    }

    /// Bytes free where media files are kept; `None` where the system does not tell.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        fs4::available_space(self.home()).ok()
    }

    /// Opens a place for a list in the database.
    ///
    /// # Errors
    /// `StorageFull`, `StoragePaused`.
    pub fn stage_data(&self) -> Result<DataWriter> {
        self.write_soon(|transaction| {
            transaction.execute("INSERT INTO dataset (sha256) VALUES (NULL)", [])?;
            let dataset = transaction.last_insert_rowid();
            Ok(DataWriter { dataset, piece: Vec::new(), sha256: Sha256::new(), size: 0 })
        })
    }

    /// Appends to a list that is on its way. What is written goes in pieces of 1 MB, each in a transaction of its own, so
    /// that no answer waits for the whole.
    ///
    /// # Errors
    /// `StorageFull`, `StoragePaused`; `NotFound` if it was discarded.
    pub fn append_data(&self, writer: &mut DataWriter, bytes: &[u8]) -> Result<()> {
        writer.sha256.update(bytes);
        writer.size += bytes.len() as u64;
        writer.piece.extend_from_slice(bytes);
        if writer.piece.len() >= DATA_PIECE { self.write_piece(writer) } else { Ok(()) }
    }

    /// Ends a list that was on its way.
    ///
    /// # Errors
    /// As [`Store::append_data`].
    pub fn finish_data(&self, mut writer: DataWriter) -> Result<StagedData> {
        self.write_piece(&mut writer)?;
        let sha256 = hex::encode(&writer.sha256.finalize());
        Ok(StagedData { dataset: writer.dataset, sha256, size: writer.size })
    }

    fn write_piece(&self, writer: &mut DataWriter) -> Result<()> {
        self.write_soon(|transaction| {
            let mut insert = transaction.prepare_cached("INSERT INTO dataset_piece (dataset, bytes) VALUES (?, ?)")?;
            insert.execute(params![writer.dataset, writer.piece])?;
            Ok(())
        })?;
        writer.piece.clear();
        Ok(())
    }

    /// Discards a list that is on its way; one that a form has come to own stays.
    ///
    /// # Errors
    /// `StorageFull`, `StoragePaused`.
    pub fn discard_data(&self, dataset: i64) -> Result<()> {
        self.read(|connection| {
            connection.execute("DELETE FROM dataset WHERE id = ? AND sha256 IS NULL", [dataset])?;
            Ok(())
        })
    }

    /// Discards every list that was on its way when a process ended.
    ///
    /// # Errors
    /// `StorageFull`, `StoragePaused`.
    pub(super) fn discard_staged_data(&self) -> Result<()> {
        self.read(|connection| {
            connection.execute("DELETE FROM dataset WHERE sha256 IS NULL", [])?;
            Ok(())
        })
    }
}

impl MediaWriter {
    /// Gives the file its name.
    ///
    /// # Errors
    /// `StorageFull`, `Io`; then there is no such file.
    pub fn keep(self) -> Result<MediaFile> {
        let sha256 = hex::encode(&self.sha256.finalize());
        self.file.keep(&sha256)?;
        Ok(MediaFile { sha256, size: self.size })
    }
}

impl DataWriter {
    /// The row of the list.
    #[must_use]
    pub fn dataset(&self) -> i64 {
        self.dataset
    }
}

impl std::fmt::Debug for DataWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataWriter").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Write for MediaWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.file.write(bytes)?;
        self.sha256.update(bytes.get(..n_written).unwrap_or(bytes));
        self.size += n_written as u64;
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl std::fmt::Debug for MediaWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaWriter").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Gives a form version one of its files.
pub(super) fn install(transaction: &Transaction<'_>, media: &Path, form: FormKey, file: &NewFormFile) -> Result<()> {
    let (sha256, size, dataset): (String, i64, Option<i64>) = match &file.content {
        Content::Media(content) if !media.join(&content.sha256).is_file() => {
            return Err(Error::new(ErrorKind::NotFound, "a media file of the form"));
        }
        Content::Media(content) => (content.sha256.clone(), content.size.cast_signed(), None),
        Content::Data(staged) => (staged.sha256.clone(), staged.size.cast_signed(), Some(adopt(transaction, staged)?)),
        Content::SameAs(file) => {
            let mut query = transaction.prepare_cached("SELECT sha256, size, dataset FROM form_file WHERE id = ?")?;
            query.query_row([file], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        }
    };
    let mut insert = transaction.prepare_cached(
        "INSERT INTO form_file (form, name, role, hash, etag, md5, sha256, size, dataset)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![form, file.name, file.role, file.hash, file.etag, file.md5, sha256, size, dataset])?;
    Ok(())
}

/// The row of these bytes: that of the same bytes if they are there already, else the staged one.
fn adopt(transaction: &Transaction<'_>, staged: &StagedData) -> Result<i64> {
    let mut query = transaction.prepare_cached("SELECT id FROM dataset WHERE sha256 = ?")?;
    if let Some(known) = query.query_row([&staged.sha256], |row| row.get(0)).optional()? {
        if known != staged.dataset {
            transaction.execute("DELETE FROM dataset WHERE id = ?", [staged.dataset])?;
        }
        return Ok(known);
    }
    let mut keep = transaction.prepare_cached("UPDATE dataset SET sha256 = ? WHERE id = ?")?;
    match keep.execute(params![staged.sha256, staged.dataset])? {
        0 => Err(Error::new(ErrorKind::NotFound, "a list of the form")),
        _ => Ok(staged.dataset),
    }
}

/// The files of all forms of a project that are not superseded, by name.
pub(super) fn of_project(connection: &Connection, project: ProjectId) -> Result<BTreeMap<FormKey, Vec<FormFile>>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT form_file.form, {FILE} FROM form JOIN form_file ON form_file.form = form.id
         WHERE form.project = ? AND form.superseded = 0 ORDER BY form_file.form, form_file.name"
    ))?;
    let mut files: BTreeMap<FormKey, Vec<FormFile>> = BTreeMap::new();
    let mut rows = query.query([project])?;
    while let Some(row) = rows.next()? {
        files.entry(row.get("form")?).or_default().push(FormFile::read(row)?);
    }
    Ok(files)
}

/// The rows of the lists of a form version.
pub(super) fn datasets(transaction: &Transaction<'_>, form: FormKey) -> Result<Vec<i64>> {
    let mut query =
        transaction.prepare_cached("SELECT DISTINCT dataset FROM form_file WHERE form = ? AND dataset IS NOT NULL")?;
    Ok(query.query_map([form], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Deletes a list that no form refers to.
pub(super) fn drop_data_if_unused(transaction: &Transaction<'_>, dataset: i64) -> Result<()> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM dataset WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM form_file WHERE form_file.dataset = ?1)",
    )?;
    delete.execute([dataset])?;
    Ok(())
}

impl FormFile {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            role: row.get("role")?,
            hash: row.get("hash")?,
            etag: row.get("etag")?,
            md5: row.get("md5")?,
            sha256: row.get("sha256")?,
            size: row.get::<_, i64>("size")?.cast_unsigned(),
            is_data: row.get("is_data")?,
        })
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{TestHome, new_file, new_form};

    fn n_rows(home: &TestHome, table: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        home.read(|connection| Ok(connection.query_row(&query, [], |row| row.get(0))?)).unwrap()
    }

    #[test]
    fn files_are_found_by_name() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let picture = home.put_media(&mut &b"picture"[..]).unwrap();
        let files = vec![
            new_file("logo.png", "md5:p", Content::Media(picture.clone())),
            new_file("towns.csv", "md5:t", home.data(b"name\nAsmara\n")),
        ];
        let form = home.install_form(&new_form(project, "visit", "1", files)).unwrap();
        home.reopen();

        let logo = home.form_file(form, "logo.png").unwrap().unwrap();
        assert_eq!((logo.size, &logo.etag[..], logo.is_data), (7, "\"md5:p\"", false));
        assert_eq!(std::fs::read(home.media_path(&logo).unwrap()).unwrap(), b"picture");
        let towns = home.form_file(form, "towns.csv").unwrap().unwrap();
        assert_eq!(home.form_data(towns.id).unwrap(), b"name\nAsmara\n");
        assert_eq!(home.media_path(&towns), None);
        assert_eq!(home.form_data(logo.id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(home.form_file(form, "../../etc/passwd").unwrap(), None);
        assert_eq!(home.form_files(form).unwrap(), [logo, towns]);
    }

    #[test]
    fn equal_bytes_are_kept_once_and_go_with_their_last_form() {
        let home = TestHome::new();
        let project = home.any_project();
        let bytes = b"a,b\n1,2\n";
        let install = |form_id: &str, content| {
            home.install_form(&new_form(project, form_id, "1", vec![new_file("l.csv", "md5:l", content)])).unwrap()
        };
        let one = install("one", home.data(bytes));
        let shared = home.form_file(one, "l.csv").unwrap().unwrap();
        let two = install("two", Content::SameAs(shared.id));
        let three = install("three", home.data(bytes));
        assert_eq!((n_rows(&home, "dataset"), n_rows(&home, "dataset_piece")), (1, 1));
        home.remove_form(one).unwrap();
        home.remove_form(three).unwrap();
        let file = home.form_file(two, "l.csv").unwrap().unwrap();
        assert_eq!(home.form_data(file.id).unwrap(), bytes);
        home.remove_form(two).unwrap();
        assert_eq!((n_rows(&home, "dataset"), n_rows(&home, "dataset_piece")), (0, 0));
    }

    #[test]
    fn a_list_comes_in_pieces_and_is_discarded_with_what_it_was_for() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let bytes: Vec<u8> = (0..DATA_PIECE * 2 + 10).map(|n| (n % 251) as u8).collect();
        let mut writer = home.stage_data().unwrap();
        bytes.chunks(60_000).for_each(|piece| home.append_data(&mut writer, piece).unwrap());
        let staged = home.finish_data(writer).unwrap();
        assert_eq!(staged.size, bytes.len() as u64);
        assert_eq!(n_rows(&home, "dataset_piece"), 2);
        // What another form does meanwhile leaves it alone.
        home.any_form(project, "other", "1");
        home.any_form(project, "other", "1");
        let file = new_file("l.csv", "", Content::Data(staged.clone()));
        let form = home.install_form(&new_form(project, "visit", "1", vec![file])).unwrap();
        home.discard_data(staged.dataset).unwrap();
        let file = home.form_file(form, "l.csv").unwrap().unwrap();
        assert_eq!(home.form_data(file.id).unwrap(), bytes, "a form has come to own it");

        let mut discarded = home.stage_data().unwrap();
        home.append_data(&mut discarded, &bytes).unwrap();
        home.discard_data(discarded.dataset()).unwrap();
        assert_eq!(home.append_data(&mut discarded, &bytes).unwrap_err().kind(), ErrorKind::NotFound);
        let mut killed = home.stage_data().unwrap();
        home.append_data(&mut killed, &bytes).unwrap();
        home.reopen();
        assert_eq!((n_rows(&home, "dataset"), n_rows(&home, "dataset_piece")), (1, 2));
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

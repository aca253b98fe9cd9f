//! Attachments of drafts and records: sealed files, each with its key in its row.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Params, Row, Transaction, params};
use zeroize::Zeroizing;

use super::folder::{PendingFile, io_error, random_name};
use super::vault::{FileKey, Sealed, SealedFile, Sealer};
use super::{AttachmentId, DraftId, Edit, Store, SubmissionId, drafts};
use crate::{Error, ErrorKind, Result};

/// An attachment. Its `Debug` tells no name.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its row.
    pub id: AttachmentId,
    /// What the answer calls it.
    pub name: String,
    /// Size of the plain bytes.
    pub size: u64,
    /// SHA-256 of the plain bytes in hex.
    pub sha256: String,
    /// When the server acknowledged it; `None` if it has not.
    pub sent_at: Option<i64>,
    /// The code of why it cannot be sent; empty if nothing is known of that.
    pub problem: String,
}

/// Why a sealed file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is not what was stored.
    Damaged,
}

/// The plain bytes of an attachment, opened segment by segment as they are read. It needs no connection, so reading goes
/// on while the store is paused.
///
/// A file that was changed or cut fails with an `io::Error` that holds an [`Error`] of kind `StorageDamaged`.
pub struct AttachmentReader(SealedFile);

/// A sealed file with its key.
pub struct AttachmentSource {
    path: PathBuf,
    key: FileKey,
    size: u64,
}

/// What is read of a source at once.
const PIECE: usize = 64 * 1024;

const ATTACHMENT: &str = "SELECT id, name, size, sha256, sent_at, problem FROM attachment";

impl Store {
    /// Seals what `source` gives as the attachment `name` of a draft, in place of one with that name. When this returns it
    /// is on the disk and `source` may be removed; when it fails, the one that was there still is.
    ///
    /// # Errors
    /// `NotFound` if there is no such draft; `StorageFull`, `Io`, `StoragePaused`.
    pub fn attach(&self, draft: DraftId, name: &str, source: &mut dyn Read) -> Result<Attachment> {
        let sealed = self.seal(name, source)?;
        self.attach_sealed(draft, name, sealed)
    }

    /// Begins a file that is sealed while it is written. Nothing is held meanwhile: neither the database nor a draft.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`, `Io`.
    pub fn attachment_writer(&self) -> Result<AttachmentWriter> {
        self.read(|_| Ok(()))?;
        let key = FileKey::generate()?;
        let sealer = Sealer::new(&key, PendingFile::create(&self.files())?);
        Ok(AttachmentWriter { sealer, key })
    }

    /// Makes a sealed file the attachment `name` of a draft, in place of one with that name. When it fails, the one that
    /// was there still is.
    ///
    /// # Errors
    /// `NotFound` if there is no such draft; `StorageFull`, `Io`, `StoragePaused`.
    pub fn attach_sealed(&self, draft: DraftId, name: &str, sealed: SealedAttachment) -> Result<Attachment> {
        let file = SealedAttachment { name: name.to_owned(), ..sealed };
        let stored = self.write(|transaction| {
            let replaced = erase(transaction, "draft = ? AND name = ?", params![draft, name])?;
            Ok((file.insert(transaction, "draft", draft.0)?, replaced))
        });
        let (id, replaced) = stored.inspect_err(|error| self.unlink_refused(&file, error))?;
        self.forget(replaced);
        Ok(file.into_attachment(id))
    }

    /// Makes a sealed file an attachment of a draft, under the name that is the value of `edit`, and appends the edit: one
    /// commit. The draft's files that `is_named` does not know go in the same one: a photo taken again leaves none behind.
    ///
    /// # Errors
    /// As [`Store::append_edit`]; nothing has changed then, and the file is gone.
    pub fn append_attachment(
        &self,
        draft: DraftId,
        edit: &Edit,
        sealed: SealedAttachment,
        is_named: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let file = SealedAttachment { name: edit.value.clone().unwrap_or_default(), ..sealed };
        let stored = self.write(|transaction| {
            let erased = erase_unnamed(transaction, draft, &is_named)?;
            file.insert(transaction, "draft", draft.0)?;
            drafts::append(transaction, draft, edit)?;
            Ok(erased)
        });
        self.forget(stored.inspect_err(|error| self.unlink_refused(&file, error))?);
        Ok(())
    }

    /// Removes a sealed file that is not wanted.
    pub fn discard_sealed(&self, sealed: &SealedAttachment) {
        self.unlink(&sealed.file);
    }

    /// Erases the files of a draft that `is_named` does not know.
    ///
    /// # Errors
    /// `StorageFull`, `StoragePaused`.
    pub fn erase_unnamed_attachments(&self, draft: DraftId, is_named: impl Fn(&str) -> bool) -> Result<()> {
        if self.draft_attachments(draft)?.iter().all(|attachment| is_named(&attachment.name)) {
            return Ok(());
        }
        let erased = self.write(|transaction| erase_unnamed(transaction, draft, &is_named))?;
        self.forget(erased);
        Ok(())
    }

    /// The attachments of a draft, by name.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn draft_attachments(&self, draft: DraftId) -> Result<Vec<Attachment>> {
        self.attachments("draft = ?", [draft])
    }

    /// The attachments of a record, by name.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn submission_attachments(&self, submission: SubmissionId) -> Result<Vec<Attachment>> {
        self.attachments("submission = ?", [submission])
    }

    fn attachments(&self, condition: &str, params: impl Params) -> Result<Vec<Attachment>> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(&format!("{ATTACHMENT} WHERE {condition} ORDER BY name"))?;
            let attachments = query.query_map(params, Attachment::read)?.collect::<Result<_, _>>()?;
            Ok(attachments)
        })
    }

    /// Up to `len` plain bytes of an attachment from `offset`; fewer at its end. Only the segments in question are opened.
    ///
    /// # Errors
    /// `NotFound`, `StorageDamaged` if the file is not what was stored, `Io`, `StoragePaused`.
    pub fn read_attachment(&self, id: AttachmentId, offset: u64, len: u64) -> Result<Vec<u8>> {
        let AttachmentReader(mut file) = self.open_attachment(id)?;
        file.seek(offset);
        let mut bytes = Vec::new();
        file.take(len).read_to_end(&mut bytes).map_err(io_error)?;
        Ok(bytes)
    }

    /// All plain bytes of an attachment, one after the other.
    ///
    /// # Errors
    /// `NotFound`, `StorageDamaged` if the file is not what was stored, `Io`, `StoragePaused`.
    pub fn open_attachment(&self, id: AttachmentId) -> Result<AttachmentReader> {
        self.attachment_source(id)?.open()
    }

    /// Where the plain bytes of an attachment come from, to be opened later and as often as wanted, also while the store is
    /// paused.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn attachment_source(&self, id: AttachmentId) -> Result<AttachmentSource> {
        self.read(|connection| {
            let sources = self.sources(connection, "id = ?", [id])?;
            sources.into_iter().next().map(|(_, source)| source).ok_or_else(|| not_found(id))
        })
    }

    /// Names and files of the attachments for which a condition holds.
    pub(super) fn sources(
        &self,
        connection: &Connection,
        condition: &str,
        params: impl Params,
    ) -> Result<Vec<(String, AttachmentSource)>> {
        let mut query =
            connection.prepare(&format!("SELECT name, file, key, size FROM attachment WHERE {condition}"))?;
        let mut rows = query.query(params)?;
        let mut sources = Vec::new();
        while let Some(row) = rows.next()? {
            let path = self.files().join(row.get::<_, String>(1)?);
            let key =
                FileKey::from_slice(row.get_ref(2)?.as_blob().map_err(|_| Error::from(ErrorKind::StorageDamaged))?)?;
            sources.push((row.get(0)?, AttachmentSource { path, key, size: row.get::<_, i64>(3)?.cast_unsigned() }));
        }
        Ok(sources)
    }

    /// Deletes an attachment: its key first, so that what may remain of the file is noise.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageFull`.
    pub fn remove_attachment(&self, id: AttachmentId) -> Result<()> {
        let erased = self.write(|transaction| erase(transaction, "id = ?", [id]))?;
        if erased.is_empty() {
            return Err(not_found(id));
        }
        self.forget(erased);
        Ok(())
    }

    /// Seals `source` into a file of its own that no row knows yet.
    pub(super) fn seal(&self, name: &str, source: &mut dyn Read) -> Result<SealedAttachment> {
        let mut writer = self.attachment_writer()?;
        writer.write_all_of(source)?;
        Ok(SealedAttachment { name: name.to_owned(), ..writer.finish()? })
    }

    /// Removes the files whose rows were erased, and the traces of their keys in the write-ahead log.
    ///
    /// The rows are gone for good by now, so this cannot fail: a file that stays goes at the next opening.
    pub(super) fn forget(&self, erased: Vec<String>) {
        if !erased.is_empty() {
            self.bury_files();
        }
    }

    /// Removes a sealed file whose row was refused with this error. A commit that failed on the way to the disk may turn out
    /// to have got there: then the row must find its file.
    fn unlink_refused(&self, file: &SealedAttachment, error: &Error) {
        if error.kind() != ErrorKind::Io {
            self.unlink(&file.file);
        }
    }

    /// Removes a sealed file that got no row.
    pub(super) fn unlink(&self, file: &str) {
        let _ = fs::remove_file(self.files().join(file));
    }
}

/// A file that is sealed while it is written. Dropped before [`AttachmentWriter::finish`] it leaves nothing.
pub struct AttachmentWriter {
    sealer: Sealer<PendingFile>,
    key: FileKey,
}

impl AttachmentWriter {
    /// Takes more plain bytes; of any length, in order. After an error the file cannot be finished.
    ///
    /// # Errors
    /// `StorageFull`, `TooLarge`, `Io`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sealer.write(bytes)
    }

    /// Takes all that a source has.
    ///
    /// # Errors
    /// Those of the source; as [`AttachmentWriter::write`].
    pub fn write_all_of(&mut self, source: &mut dyn Read) -> Result<()> {
        let mut piece = Zeroizing::new(vec![0; PIECE]);
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n_read) => self.write(piece.get(..n_read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error(error)),
            }
        }
    }

    /// Ends the file: it is on the disk when this returns, and waits for [`Store::attach_sealed`].
    ///
    /// # Errors
    /// As [`AttachmentWriter::write`].
    pub fn finish(self) -> Result<SealedAttachment> {
        let (plain, pending) = self.sealer.finish()?;
        let file = random_name()?;
        pending.keep(&file)?;
        Ok(SealedAttachment { name: String::new(), file, key: self.key, plain })
    }
}

impl fmt::Debug for AttachmentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentWriter").finish_non_exhaustive()
    }
}

/// A sealed file that waits for its row.
pub struct SealedAttachment {
    pub(super) name: String,
    pub(super) file: String,
    key: FileKey,
    pub(super) plain: Sealed,
}

impl fmt::Debug for SealedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedAttachment").field("size", &self.plain.size).finish_non_exhaustive()
    }
}

impl SealedAttachment {
    /// Adds the row, of the draft or submission (`owner`) with this `id`.
    pub(super) fn insert(&self, transaction: &Transaction<'_>, owner: &str, id: i64) -> Result<AttachmentId> {
        transaction.execute(
            &format!("INSERT INTO attachment ({owner}, name, file, key, size, sha256) VALUES (?, ?, ?, ?, ?, ?)"),
            params![id, self.name, self.file, self.key.as_bytes(), self.plain.size.cast_signed(), self.plain.sha256],
        )?;
        Ok(AttachmentId(transaction.last_insert_rowid()))
    }

    pub(super) fn into_attachment(self, id: AttachmentId) -> Attachment {
        let Sealed { size, sha256 } = self.plain;
        Attachment { id, name: self.name, size, sha256, sent_at: None, problem: String::new() }
    }
}

fn erase_unnamed(
    transaction: &Transaction<'_>,
    draft: DraftId,
    is_named: &impl Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let mut query = transaction.prepare("SELECT id, name FROM attachment WHERE draft = ?")?;
    let files: Vec<(AttachmentId, String)> =
        query.query_map([draft], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut erased = Vec::new();
    for (id, _) in files.iter().filter(|(_, name)| !is_named(name)) {
        erased.extend(erase(transaction, "id = ?", [*id])?);
    }
    Ok(erased)
}

/// Deletes rows, and so the keys in them; returns the files that became noise, for [`Store::forget`] after the commit.
pub(super) fn erase(transaction: &Transaction<'_>, condition: &str, params: impl Params) -> Result<Vec<String>> {
    let mut statement = transaction.prepare(&format!("DELETE FROM attachment WHERE {condition} RETURNING file"))?;
    let erased = statement.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(erased)
}

impl AttachmentSource {
    /// The sealed file, for tests that damage it.
    #[doc(hidden)]
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading from its beginning.
    ///
    /// # Errors
    /// `StorageDamaged` if the file is not there or has another length than what was stored; `Io`.
    pub fn open(&self) -> Result<AttachmentReader> {
        SealedFile::open(&self.path, &self.key, self.size).map(AttachmentReader)
    }

    /// What is seen to be wrong with the file from outside: that it is not there, or has another length.
    #[must_use]
    pub fn glance(&self) -> Option<Fault> {
        self.fault(self.open().map(drop))
    }

    /// What is wrong with the file, found out by reading all of it. A disk that fails for the moment is no fault of the file.
    #[must_use]
    pub fn prove(&self) -> Option<Fault> {
        let read = self.open().and_then(|mut reader| io::copy(&mut reader, &mut io::sink()).map_err(io_error));
        self.fault(read.map(drop))
    }

    fn fault(&self, looked: Result<()>) -> Option<Fault> {
        let is_damaged = looked.is_err_and(|error| error.kind() == ErrorKind::StorageDamaged);
        is_damaged.then(|| if self.path.exists() { Fault::Damaged } else { Fault::Missing })
    }
}

impl fmt::Debug for AttachmentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentSource").field("size", &self.size).finish_non_exhaustive()
    }
}

impl AttachmentReader {
    /// Plain bytes in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }
}

impl Read for AttachmentReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.0.read(target)
    }
}

impl fmt::Debug for AttachmentReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentReader").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Attachment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            size: row.get::<_, i64>("size")?.cast_unsigned(),
            sha256: row.get("sha256")?,
            sent_at: row.get("sent_at")?,
            problem: row.get("problem")?,
        })
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("id", &self.id).field("size", &self.size).finish_non_exhaustive()
    }
}

fn not_found(id: AttachmentId) -> Error {
    Error::new(ErrorKind::NotFound, format!("attachment {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::TestHome;
    use crate::store::hex;
    use sha2::{Digest, Sha256};

    /// A source that breaks after some bytes.
    struct Breaking(usize);

    impl Read for Breaking {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let n_read = self.0.min(target.len());
            self.0 -= n_read;
            Ok(n_read)
        }
    }

    fn photo(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n % 253) as u8).collect()
    }

    #[test]
    fn an_attachment_comes_back_whole_and_in_pieces() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        let bytes = photo(200_000);
        let attached = home.attach(draft, "a.jpg", &mut &bytes[..]).unwrap();
        home.reopen();
        assert_eq!(home.draft_attachments(draft).unwrap(), std::slice::from_ref(&attached));
        assert_eq!((attached.size, attached.sha256), (200_000, hex::encode(&Sha256::digest(&bytes))));
        assert_eq!(home.read_attachment(attached.id, 0, u64::MAX).unwrap(), bytes);
        assert_eq!(home.read_attachment(attached.id, 65_530, 12).unwrap(), bytes[65_530..65_542]);
        assert_eq!(home.read_attachment(attached.id, 199_999, 12).unwrap(), bytes[199_999..]);
        assert_eq!(home.read_attachment(attached.id, 200_000, 12).unwrap(), b"");
        assert_eq!(home.read_attachment(attached.id, u64::MAX, 12).unwrap(), b"");
    }

    #[test]
    fn a_reader_may_leave_the_thread_and_outlive_a_pause() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let bytes = photo(150_000);
        let id = home.attach(draft, "a.jpg", &mut &bytes[..]).unwrap().id;
        let mut reader = home.open_attachment(id).unwrap();
        home.pause().unwrap();
        let read = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            (reader.size(), read)
        });
        assert_eq!(read.join().unwrap(), (150_000, bytes));
    }

    #[test]
    fn the_same_name_again_replaces() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        let old = home.attach(draft, "a.jpg", &mut &b"old"[..]).unwrap();
        home.attach(draft, "b.jpg", &mut &b"other"[..]).unwrap();
        let new = home.attach(draft, "a.jpg", &mut &b"new"[..]).unwrap();
        home.reopen();
        assert_eq!(home.read_attachment(new.id, 0, 10).unwrap(), b"new");
        assert_eq!(home.open_attachment(old.id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(home.n_files("files"), 2);
    }

    #[test]
    fn equal_photos_look_different_on_the_disk() {
        let home = TestHome::new();
        let draft = home.any_draft();
        for name in ["a.jpg", "b.jpg"] {
            home.attach(draft, name, &mut &b"the same photo"[..]).unwrap();
        }
        let files: Vec<_> = home.all_files().into_iter().filter(|(path, _)| path.starts_with("files")).collect();
        assert_eq!(files.len(), 2);
        assert_ne!(files[0].1, files[1].1);
    }

    #[test]
    fn what_breaks_while_attaching_changes_nothing() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let old = home.attach(draft, "a.jpg", &mut &b"old"[..]).unwrap();
        for n_good in [0, 1, 70_000] {
            let refused = home.attach(draft, "a.jpg", &mut Breaking(n_good)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Io);
        }
        let nowhere = home.attach(DraftId(99), "a.jpg", &mut &b"new"[..]).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
        home.pause().unwrap();
        let paused = home.attach(draft, "a.jpg", &mut &b"new"[..]).unwrap_err();
        assert_eq!(paused.kind(), ErrorKind::StoragePaused);
        home.resume().unwrap();
        assert_eq!(home.n_files("files"), 1);
        assert_eq!(home.read_attachment(old.id, 0, 10).unwrap(), b"old");
    }

    #[test]
    fn a_changed_or_missing_file_is_damage() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let id = home.attach(draft, "a.jpg", &mut &photo(100_000)[..]).unwrap().id;
        let (path, bytes) = home.all_files().into_iter().find(|(path, _)| path.starts_with("files")).unwrap();
        let path = home.path().join(path);
        let mut flipped = bytes.clone();
        flipped[70_000] ^= 1;
        for changed in [&flipped[..], &bytes[..50_000]] {
            fs::write(&path, changed).unwrap();
            let error = home.read_attachment(id, 0, u64::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageDamaged);
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(home.open_attachment(id).unwrap_err().kind(), ErrorKind::StorageDamaged);
        fs::write(&path, bytes).unwrap();
        assert_eq!(home.read_attachment(id, 0, u64::MAX).unwrap(), photo(100_000));
    }

    #[test]
    fn a_file_is_written_in_pieces_and_counts_only_when_it_is_finished() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.mp4", &mut &b"old"[..]).unwrap();
        let mut writer = home.attachment_writer().unwrap();
        for piece in photo(300_000).chunks(7_001) {
            writer.write(piece).unwrap();
        }
        let read = |home: &TestHome| {
            let attachment = home.draft_attachments(draft).unwrap().remove(0);
            home.read_attachment(attachment.id, 0, u64::MAX).unwrap()
        };
        assert_eq!(read(&home), b"old", "nothing is replaced before the end");
        let sealed = writer.finish().unwrap();
        assert_eq!(read(&home), b"old");
        let attachment = home.attach_sealed(draft, "a.mp4", sealed).unwrap();
        assert_eq!(attachment.size, 300_000);
        home.reopen();
        assert_eq!(read(&home), photo(300_000));
        assert_eq!(home.n_files("files"), 1);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let mut writer = home.attachment_writer().unwrap();
        writer.write(&photo(200_000)).unwrap();
        drop(writer);
        assert_eq!((home.n_files("files"), home.draft_attachments(draft).unwrap().len()), (0, 0));

        let sealed = home.attachment_writer().unwrap().finish().unwrap();
        let refused = home.attach_sealed(DraftId(draft.0 + 1), "a.mp4", sealed).unwrap_err();
        assert_eq!((refused.kind(), home.n_files("files")), (ErrorKind::NotFound, 0));
        home.pause().unwrap();
        assert_eq!(home.attachment_writer().unwrap_err().kind(), ErrorKind::StoragePaused);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_seen_from_outside_or_by_reading_it() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let id = home.attach(draft, "a.jpg", &mut &photo(100_000)[..]).unwrap().id;
        let source = home.attachment_source(id).unwrap();
        assert_eq!((source.glance(), source.prove()), (None, None));
        let (path, bytes) = home.all_files().into_iter().find(|(path, _)| path.starts_with("files")).unwrap();
        let path = home.path().join(path);
        let mut flipped = bytes.clone();
        flipped[70_000] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!((source.glance(), source.prove()), (None, Some(Fault::Damaged)));
        fs::write(&path, &bytes[..50_000]).unwrap();
        assert_eq!(source.glance(), Some(Fault::Damaged));
        fs::remove_file(&path).unwrap();
        assert_eq!((source.glance(), source.prove()), (Some(Fault::Missing), Some(Fault::Missing)));
    }

    #[test]
    fn removed_is_gone() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let id = home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap().id;
        home.remove_attachment(id).unwrap();
        assert_eq!(home.draft_attachments(draft).unwrap(), []);
        assert_eq!(home.n_files("files"), 0);
        assert_eq!(home.remove_attachment(id).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

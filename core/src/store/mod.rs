//! The store: everything that lies in a home, encrypted.
//!
//! A *home* is a folder that one process at a time owns. It holds `store.db` (projects, forms with their lists, drafts and
//! their journals, the outbox), `files/` (attachments, each sealed with a key of its own), `media/` (pictures, sound and
//! video of forms, readable because players want a path), `home.json` (format and key id, no secret), `lock`, `reserve`
//! (room for a full disk), while it is open `open`, and after an update `store.db.before-3` until it has proved itself.
//!
//! The store takes and gives plain data: rows as small structs, XML as bytes, journal rows as text. It knows no form and
//! no network, starts no thread, asks no clock: every moment is an argument, in milliseconds since 1970 (UTC). One
//! connection does everything; a call holds it for as long as it runs. **When a call that writes returns, what it wrote is
//! on the disk.** (What the server has too outlives the program at once, and a power cut after [`Store::sync`] or the next call
//! that writes: what becomes of a record on the road, for one that a cut calls unsent again is sent again, the same bytes, which
//! a server takes as one; and forms that come in.)
//!
//! ```
//! use veldwerk::store::{Auth, Edit, Key, NewDraft, NewForm, NewProject, ProjectSettings, Store};
//! # let folder = tempfile::tempdir()?;
//! # let home = folder.path().join("home");
//! let key = Key::generate()?;
//! let store = Store::open(&home, &key)?;
//! let project = store.add_project(&NewProject {
//!     name: "Wells".into(),
//!     url_prefix: "https://example.org/v1/key/{}/projects/1".into(),
//!     auth: Auth::Token("a-secret-token".into()),
//!     settings: ProjectSettings::default(),
//!     ca: String::new(),
//! })?;
//! let form = store.install_form(&NewForm {
//!     project,
//!     form_id: "well_visit".into(),
//!     version: "7".into(),
//!     hash: "md5:0c3a".into(),
//!     title: "Well visit".into(),
//!     url: "forms/well_visit.xml".into(),
//!     xml: b"<h:html/>".to_vec(),
//!     files: vec![],
//!     fetched_at: 1_760_000_000_000,
//! })?;
//! let draft = store.create_draft(&NewDraft {
//!     form,
//!     instance_id: "uuid:1".into(),
//!     seed: 42,
//!     time_zone: "Europe/Amsterdam".into(),
//!     language: "nl".into(),
//!     engine: "0.1.0".into(),
//!     last_saved: None,
//!     created_at: 1_760_000_000_000,
//! })?;
//! store.append_edit(draft, &Edit { seq: 1, op: "answer".into(), node: "/data/a".into(), value: Some("x".into()), at: 1 })?;
//! drop(store); // or a kill: the answer is on the disk
//! assert_eq!(Store::open(&home, &key)?.edits(draft)?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Only links the SQLite that rusqlite calls.
use veldwerk_sqlite as _;

mod attachments;
mod cleaning;
mod connection;
mod copy;
mod drafts;
#[cfg(test)]
mod fixture;
mod folder;
mod form_files;
mod forms;
pub(crate) mod hex;
mod home;
mod ids;
mod import;
mod key;
mod last_saved;
mod maintenance;
mod migrations;
mod offers;
mod opening;
mod outbox;
mod project_settings;
mod projects;
mod quarantine;
mod records;
mod salvage;
mod sending;
mod settings;
mod vault;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{Error, ErrorKind, Result};

pub use attachments::{Attachment, AttachmentReader, AttachmentSource, AttachmentWriter, Fault, SealedAttachment};
pub use drafts::{Draft, DraftSummary, Edit, JournalRow, KeptSnapshot, NewDraft, Snapshot};
pub(crate) use folder::{io_error, make_folders, private_folder, sync_folder};
pub use form_files::{Content, DataWriter, FormFile, MediaFile, MediaWriter, NewFormFile, StagedData};
pub use forms::{Form, FormSummary, InstalledForm, NewForm};
pub use ids::{AttachmentId, DraftId, FormFileId, FormKey, ProjectId, SubmissionId};
pub use import::{Imported, NewAttachment, NewRecord};
pub use key::Key;
pub use maintenance::{MaintenanceReport, MissingFile};
pub use offers::FailedForm;
pub use opening::OpeningReport;
pub use outbox::{Finalized, Reason, RecordState, Submission};
pub use project_settings::{ForgetSent, ProjectSettings};
pub use projects::{Auth, NewProject, Project};
pub use quarantine::QuarantineSummary;
pub use records::{FileProblem, Receipt, Records};
pub use salvage::{Salvage, Tally};
pub use sending::{Attempt, ClaimNumber, Failing, Settled};

/// An open home. See the [module](self).
///
/// All methods take `&self` and may be called from any thread; they are of the class *disk*: milliseconds, never the
/// network.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Option<Connection>>,
    key: Key,
    report: OpeningReport,
    /// The last to be dropped: the home is let go when the database is closed.
    home: home::Home,
}

impl Store {
    /// Caps the database at `pages` pages of 4 KiB (never less than it has now): beyond, writing gives `StorageFull`.
    /// This is how a full disk is rehearsed. `None` lifts the cap; so do [`pause`](Self::pause) and reopening.
    ///
    /// # Errors
    /// `StoragePaused`.
    pub fn limit_pages(&self, pages: Option<u32>) -> Result<()> {
        self.read(|connection| {
            let pages = pages.map_or(i64::from(u32::MAX) - 1, |pages| i64::from(pages.max(1)));
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
    }

    /// Refuses to write, as on a disk that has become read-only, until told otherwise or opened again: how that is rehearsed.
    ///
    /// # Errors
    /// `StoragePaused`.
    pub fn refuse_writes(&self, refuse: bool) -> Result<()> {
        self.read(|connection| Ok(connection.pragma_update(None, "query_only", refuse)?))
    }

    /// One look at the database, or one statement that commits by itself.
    fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let done = look(self.connection().as_ref().ok_or(ErrorKind::StoragePaused)?);
        done.inspect_err(|error| self.note(error))
    }

    /// One transaction: all of `change`, on the disk, or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let done = self.commit(change);
        done.inspect_err(|error| self.note(error))
    }

    fn commit<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut guard = self.connection();
        let connection = guard.as_mut().ok_or(ErrorKind::StoragePaused)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// The same for what a power cut may forget, though not the end of the program: it costs no wait for the disk.
    fn write_soon<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let done = self.commit_soon(change);
        done.inspect_err(|error| self.note(error))
    }

    fn commit_soon<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let guard = self.connection();
        let connection = guard.as_ref().ok_or(ErrorKind::StoragePaused)?;
        let without_wait = WithoutWait::begin(connection)?;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        without_wait.end()?;
        Ok(done)
    }

    /// Waits until everything that was written is on the disk.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`, `Io`.
    pub fn sync(&self) -> Result<()> {
        self.read(|connection| Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?))
    }

    /// What an error says about the home: on a full disk the next call finds the room that was kept for it,
    /// and what could not be read makes the next opening look.
    fn note(&self, error: &Error) {
        match error.kind() {
            ErrorKind::StorageFull => self.home.give_up_reserve(),
            ErrorKind::StorageDamaged => self.home.mark_suspect(true),
            _ => {}
        }
    }

    /// The connection; a panic while it was held has rolled its transaction back, so it is as good as before.
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a commit does not wait for the disk; the order of commits stays as it is. The connection is held meanwhile,
/// so that nothing else is written like that.
struct WithoutWait<'c>(&'c Connection);

impl<'c> WithoutWait<'c> {
    fn begin(connection: &'c Connection) -> Result<Self> {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self(connection))
    }

    fn end(self) -> Result<()> {
        Ok(self.0.pragma_update(None, "synchronous", "FULL")?)
    }
}

impl Drop for WithoutWait<'_> {
    fn drop(&mut self) {
        // The second time after `end`; the first after an error or a panic, when the transaction is rolled back already.
        let _ = self.0.pragma_update(None, "synchronous", "FULL");
    }
}

/// Moves what the write-ahead log holds into the database and empties it: what was deleted is then in neither.
fn checkpoint(connection: &Connection) -> Result<()> {
    let is_held: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_held { Err(ErrorKind::StoreInUse.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::fixture::{NOW, SECRET, TestHome, answer, new_file, new_form};
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn paused_means_closed() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        for _ in 0..2 {
            home.pause().unwrap();
            assert_eq!(home.append_edit(draft, &answer(2, "/a", "y")).unwrap_err().kind(), ErrorKind::StoragePaused);
            assert_eq!(home.drafts(None).unwrap_err().kind(), ErrorKind::StoragePaused);
            assert_eq!(Store::open(&home.path(), &home.key).unwrap_err().kind(), ErrorKind::StoreInUse);
        }
        let files: Vec<_> = home.all_files().into_keys().collect();
        assert_eq!(files, ["home.json", "lock", "reserve", "store.db"].map(PathBuf::from));
        for _ in 0..2 {
            home.resume().unwrap();
            assert_eq!(home.edits(draft).unwrap(), [answer(1, "/a", "x")]);
        }
    }

    #[test]
    fn writing_without_waiting_for_the_disk_ends_with_the_transaction_however_that_ends() {
        let home = TestHome::new();
        let level = |home: &TestHome| {
            home.read(|db| Ok(db.query_row("PRAGMA synchronous", [], |row| row.get::<_, u32>(0))?)).unwrap()
        };
        let (normal, full) = (1, 2);
        let during = home.write_soon(|db| Ok(db.query_row("PRAGMA synchronous", [], |row| row.get::<_, u32>(0))?));
        assert_eq!((during.unwrap(), level(&home)), (normal, full));
        let refused = home.write_soon(|_| -> Result<()> { Err(ErrorKind::Internal.into()) });
        assert_eq!((refused.unwrap_err().kind(), level(&home)), (ErrorKind::Internal, full));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            home.write_soon(|_| -> Result<()> { panic!("a mistake") })
        }));
        assert!(panicked.is_err());
        assert_eq!(level(&home), full);
        home.sync().unwrap();
    }

    #[test]
    fn a_full_disk_refuses_the_answer_and_keeps_all_before() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.limit_pages(Some(1)).unwrap();
        let mut kept = Vec::new();
        let refused = loop {
            let edit = answer(kept.len() as u64 + 1, "/data/story", &"words ".repeat(50));
            match home.append_edit(draft, &edit) {
                Ok(()) => kept.push(edit),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        assert_eq!(home.edits(draft).unwrap(), kept);
        home.reopen();
        assert_eq!(home.edits(draft).unwrap(), kept);
        // There is room again.
        home.append_edit(draft, &answer(kept.len() as u64 + 1, "/data/story", &"words ".repeat(50))).unwrap();
    }

    #[test]
    fn the_limit_can_be_lifted() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = NewForm { xml: vec![b'x'; 100_000], ..new_form(project, "big", "1", vec![]) };
        home.limit_pages(Some(1)).unwrap();
        assert_eq!(home.install_form(&form).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(home.forms(project).unwrap(), []);
        home.limit_pages(None).unwrap();
        home.install_form(&form).unwrap();
    }

    #[test]
    fn nothing_of_it_can_be_read_on_the_disk() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let list = format!("name,phone\n{SECRET},1\n");
        let file = new_file("people.csv", "md5:1", home.data(list.as_bytes()));
        let form = home.install_form(&new_form(project, "visit", "1", vec![file])).unwrap();
        let photo = SECRET.repeat(10_000);
        for (n, instance_id) in [(1, "uuid:a"), (2, "uuid:b")] {
            let draft = home.draft_of(form, instance_id);
            home.append_edit(draft, &answer(1, "/data/name", SECRET)).unwrap();
            let snapshot = Snapshot {
                seq: 0,
                format: 1,
                state: format!("<data>{SECRET}</data>").into_bytes(),
                name: SECRET.into(),
                screen: "/data/name".into(),
                language: "nl".into(),
                engine: "0.1.0".into(),
                at: NOW,
            };
            home.save_snapshot(draft, &snapshot).unwrap();
            home.attach(draft, &format!("{SECRET}.jpg"), &mut photo.as_bytes()).unwrap();
            if n == 2 {
                let finalized = Finalized {
                    xml: format!("<data>{SECRET}</data>").into_bytes(),
                    instance_id: instance_id.into(),
                    name: SECRET.into(),
                    attachments: vec![format!("{SECRET}.jpg")],
                    last_saved: Some(SECRET.into()),
                    at: NOW,
                };
                home.finalize(draft, &finalized).unwrap();
            }
        }
        let check = |home: &TestHome| {
            let files = home.all_files();
            for (path, bytes) in &files {
                for secret in [SECRET.as_bytes(), b"people.csv", b"uuid:a", b"SQLite format", b"CREATE TABLE"] {
                    let found = bytes.windows(secret.len()).any(|window| window == secret);
                    assert!(!found, "{} in {}", String::from_utf8_lossy(secret), path.display());
                }
                assert!(!path.to_string_lossy().contains(SECRET), "{}", path.display());
            }
            files
        };
        let open = check(&home);
        assert!(open.keys().any(|path| path.ends_with("store.db-wal")), "the log was looked at too");
        assert_eq!(home.n_files("files"), 2);
        home.shut();
        check(&home);
    }
}

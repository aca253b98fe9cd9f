//! The store: everything that lies in a home, encrypted.
//!
//! A *home* is a folder that one process at a time owns. It holds `store.db` (projects, forms with their lists, drafts and
//! their journals, the outbox), `files/` (attachments, each sealed with a key of its own), `media/` (pictures, sound and
//! video of forms, readable because players want a path), `home.json` (format and key id, no secret) and `lock`.
//!
//! The store takes and gives plain data: rows as small structs, XML as bytes, journal rows as text. It knows no form and
//! no network, starts no thread, asks no clock: every moment is an argument, in milliseconds since 1970 (UTC). One
//! connection does everything; a call holds it for as long as it runs. **When a call that writes returns, what it wrote is
//! on the disk.**
//!
//! ```
//! use veldwerk::store::{Auth, Edit, Key, NewDraft, NewForm, NewProject, Store};
//! # let folder = tempfile::tempdir()?;
//! # let home = folder.path().join("home");
//! let key = Key::generate()?;
//! let store = Store::open(&home, &key)?;
//! let project = store.add_project(&NewProject {
//!     name: "Wells".into(),
//!     url_prefix: "https://example.org/v1/key/{}/projects/1".into(),
//!     auth: Auth::Token("a-secret-token".into()),
//!     settings: "{}".into(),
//! })?;
//! let form = store.install_form(&NewForm {
//!     project,
//!     form_id: "well_visit".into(),
//!     version: "7".into(),
//!     hash: "md5:0c3a".into(),
//!     title: "Well visit".into(),
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
mod connection;
mod drafts;
mod folder;
mod forms;
mod hex;
mod home;
mod ids;
mod key;
mod last_saved;
mod migrations;
mod outbox;
mod projects;
mod settings;
mod vault;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{ErrorKind, Result};

pub use attachments::{Attachment, AttachmentReader};
pub use drafts::{Draft, DraftSummary, Edit, NewDraft, Snapshot};
pub use forms::{Content, Form, FormFile, FormSummary, MediaFile, NewForm, NewFormFile};
pub use ids::{AttachmentId, DraftId, FormFileId, FormKey, ProjectId, SubmissionId};
pub use key::Key;
pub use outbox::{Attempt, Finalized, Imported, NewAttachment, NewRecord, Reason, RecordState, Submission};
pub use projects::{Auth, NewProject, Project};

/// An open home. See the [module](self).
///
/// All methods take `&self` and may be called from any thread; they are of the class *disk*: milliseconds, never the
/// network.
#[derive(Debug)]
pub struct Store {
    home: home::Home,
    key: Key,
    connection: Mutex<Option<Connection>>,
}

impl Store {
    /// Closes the database, so that no file of it is open (an app going to the background must let go). Until
    /// [`resume`](Self::resume) every call gives `StoragePaused`. The home stays locked. Pausing twice is once.
    ///
    /// # Errors
    /// `StorageFull`, `Io`; then the database is still open.
    pub fn pause(&self) -> Result<()> {
        let mut guard = self.connection();
        if let Some(connection) = guard.as_ref() {
            checkpoint(connection)?;
        }
        *guard = None;
        Ok(())
    }

    /// Opens the database again after [`pause`](Self::pause); if it is open, nothing happens.
    ///
    /// # Errors
    /// As at [`open`](Self::open).
    pub fn resume(&self) -> Result<()> {
        let mut guard = self.connection();
        if guard.is_none() {
            *guard = Some(connection::connect(&self.home.database(), &self.key)?);
        }
        Ok(())
    }

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

    /// Where the open attachments, media and database lie.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// One look at the database, or one statement that commits by itself.
    fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        look(self.connection().as_ref().ok_or(ErrorKind::StoragePaused)?)
    }

    /// One transaction: all of `change`, on the disk, or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut guard = self.connection();
        let connection = guard.as_mut().ok_or(ErrorKind::StoragePaused)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// The connection; a panic while it was held has rolled its transaction back, so it is as good as before.
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves what the write-ahead log holds into the database and empties it: what was deleted is then in neither.
fn checkpoint(connection: &Connection) -> Result<()> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

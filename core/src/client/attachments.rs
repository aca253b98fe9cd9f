//! Files of drafts and records, read back.

use super::{Client, DraftSession};
use crate::Result;
use crate::store::{Attachment, AttachmentId, SubmissionId};

/// The longest piece that [`Client::read_attachment`] gives at once, in bytes.
pub const MAX_PIECE: u32 = 1024 * 1024;

impl Client {
    /// The files of a record, by name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`], those of the store.
    pub fn record_attachments(&self, record: SubmissionId) -> Result<Vec<Attachment>> {
        self.inner.store.submission(record)?;
        self.inner.store.submission_attachments(record)
    }

    /// Up to `len` plain bytes of a file from `offset`, and never more than [`MAX_PIECE`]; fewer at its end, none behind it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`]; [`crate::ErrorKind::StorageDamaged`] if the file is not what was stored; those of
    /// the store.
    pub fn read_attachment(&self, id: AttachmentId, offset: u64, len: u32) -> Result<Vec<u8>> {
        self.inner.store.read_attachment(id, offset, len.min(MAX_PIECE).into())
    }
}

impl DraftSession {
    /// The files of the draft, by name; those that no answer names any more among them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn attachments(&self) -> Result<Vec<Attachment>> {
        self.client().inner.store.draft_attachments(self.id())
    }
}

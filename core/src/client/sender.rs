use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{AttachmentId, ClaimNumber, ProjectId, RecordState, Store, SubmissionId};
use crate::sync::Turn;
use crate::{Error, ErrorKind, Result};

/// What the sendings of one project share: whose turn it is, and what is known of records that could not be written.
///
/// A database that cannot be written is no reason not to send: the same bytes under the same instanceID are safe to send
/// again. What became of them is kept here and written as soon as that is possible.
#[derive(Debug, Default)]
pub(super) struct Sender {
    pub(super) turn: Turn,
    unwritten: Mutex<BTreeMap<SubmissionId, Unwritten>>,
}

#[derive(Debug, Default)]
struct Unwritten {
    claim: Option<ClaimNumber>,
    state: Option<RecordState>,
    /// Attachments that the server has, and since when.
    arrived: BTreeMap<AttachmentId, i64>,
}

impl Sender {
    /// How far a record is, if that is not what the store says.
    pub(super) fn state(&self, record: SubmissionId) -> Option<RecordState> {
        self.unwritten().get(&record).and_then(|unwritten| unwritten.state.clone())
    }

    /// Whether the server has an attachment without the store knowing it.
    pub(super) fn is_sent(&self, record: SubmissionId, attachment: AttachmentId) -> bool {
        self.unwritten().get(&record).is_some_and(|unwritten| unwritten.arrived.contains_key(&attachment))
    }

    /// Writes the state of a record, now or when that is possible.
    pub(super) fn write_state(
        &self,
        store: &Store,
        record: SubmissionId,
        claim: Option<ClaimNumber>,
        state: RecordState,
    ) -> Result<()> {
        self.write_what_is_left(store);
        match store.mark(record, claim, &state) {
            Err(error) if is_unwritable(&error) => {
                let mut unwritten = self.unwritten();
                let of_record = unwritten.entry(record).or_default();
                (of_record.claim, of_record.state) = (claim, Some(state));
                Ok(())
            }
            written => written.map(drop),
        }
    }

    /// Writes that the server has an attachment, now or when that is possible.
    pub(super) fn write_attachment_sent(
        &self,
        store: &Store,
        record: SubmissionId,
        attachment: AttachmentId,
        at: i64,
    ) -> Result<()> {
        match store.mark_attachment_sent(attachment, at) {
            Err(error) if is_unwritable(&error) => {
                self.unwritten().entry(record).or_default().arrived.insert(attachment, at);
                Ok(())
            }
            written => written,
        }
    }

    /// Writes what could not be written before, as far as it goes.
    pub(super) fn write_what_is_left(&self, store: &Store) {
        let mut unwritten = self.unwritten();
        let mut written = BTreeSet::new();
        for (record, left) in &*unwritten {
            if left.write(store, *record).is_err() {
                break;
            }
            written.insert(*record);
        }
        unwritten.retain(|record, _| !written.contains(record));
    }

    /// Makes ready what no sending has on the road. Whoever calls has the turn.
    pub(super) fn release(&self, store: &Store, project: ProjectId) -> Result<()> {
        self.write_what_is_left(store);
        store.release(Some(project))
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<SubmissionId, Unwritten>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unwritten {
    fn write(&self, store: &Store, record: SubmissionId) -> Result<()> {
        for (&attachment, &at) in &self.arrived {
            match store.mark_attachment_sent(attachment, at) {
                // It was deleted or replaced meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                written => written?,
            }
        }
        if let Some(state) = &self.state {
            store.mark(record, self.claim, state)?;
        }
        Ok(())
    }
}

/// Whether an error says no more than that the database cannot be written now.
pub(super) fn is_unwritable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::StoragePaused | ErrorKind::StoreInUse | ErrorKind::Io)
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{AttachmentId, ClaimNumber, ProjectId, RecordState, Settled, Store, SubmissionId};
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
    settled: Settled,
}

impl Sender {
    /// How far a record is, if that is not what the store says.
    pub(super) fn state(&self, record: SubmissionId) -> Option<RecordState> {
        self.unwritten().get(&record).and_then(|unwritten| unwritten.settled.state.clone())
    }

    /// Whether the server has an attachment without the store knowing it.
    pub(super) fn is_sent(&self, record: SubmissionId, attachment: AttachmentId) -> bool {
        self.unwritten().get(&record).is_some_and(|unwritten| unwritten.settled.arrived.contains(&attachment))
    }

    /// Whether the server has the XML of a record without the store knowing it.
    pub(super) fn has_answers(&self, record: SubmissionId) -> bool {
        self.unwritten().get(&record).is_some_and(|unwritten| unwritten.settled.answers_arrived)
    }

    /// Writes what became of a record, now or when that is possible.
    pub(super) fn settle(
        &self,
        store: &Store,
        record: SubmissionId,
        claim: Option<ClaimNumber>,
        settled: Settled,
    ) -> Result<()> {
        self.write_what_is_left(store);
        match store.settle_sending(record, claim, &settled) {
            Err(error) if is_unwritable(&error) => {
                let mut unwritten = self.unwritten();
                let of_record = unwritten.entry(record).or_default();
                of_record.claim = claim;
                of_record.keep(settled);
                Ok(())
            }
            written => written.map(drop),
        }
    }

    /// Writes what could not be written before, as far as it goes.
    pub(super) fn write_what_is_left(&self, store: &Store) {
        let mut unwritten = self.unwritten();
        let mut written = BTreeSet::new();
        for (record, left) in &*unwritten {
            if store.settle_sending(*record, left.claim, &left.settled).is_err() {
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
    /// Adds what came later. The tries are for support only, and the newest tell enough.
    fn keep(&mut self, later: Settled) {
        let Settled { at, answers_arrived, arrived, problems, state, failing, attempts } = later;
        let kept = &mut self.settled;
        kept.at = at;
        kept.answers_arrived |= answers_arrived;
        kept.arrived.extend(arrived);
        kept.problems.extend(problems);
        kept.attempts = attempts;
        if state.is_some() {
            (kept.state, kept.failing) = (state, failing);
        }
    }
}

/// Whether an error says no more than that the database cannot be written now.
pub(super) fn is_unwritable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::StoragePaused | ErrorKind::StoreInUse | ErrorKind::Io)
}

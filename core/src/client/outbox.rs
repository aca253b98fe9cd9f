use super::Client;
use crate::Result;
use crate::store::{ProjectId, RecordState, Records, Submission, SubmissionId};

/// A finalised record as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// The record.
    pub id: SubmissionId,
    /// Its project.
    pub project: ProjectId,
    /// Its instanceID.
    pub instance_id: String,
    /// Its form's id.
    pub form_id: String,
    /// Its form's title.
    pub title: String,
    /// Its own name, as the form makes it; empty for none.
    pub name: String,
    /// When it was finalised, in milliseconds since 1970.
    pub finalized_at: i64,
    /// How far it is, and why it is not further.
    pub state: RecordState,
    /// How often sending was tried.
    pub attempts: u32,
    /// Size of the record with its attachments, in bytes.
    pub bytes: u64,
    /// Attachments.
    pub attachments: u32,
}

impl Client {
    /// The records of one project or of all, the oldest first; sent ones among them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self, project: Option<ProjectId>) -> Result<Vec<RecordSummary>> {
        let records = self.inner.store.outbox(project)?;
        Ok(records.into_iter().map(|record| self.record_summary(record)).collect())
    }

    fn record_summary(&self, record: Submission) -> RecordSummary {
        RecordSummary {
            state: self.unwritten_state(&record).unwrap_or(record.state),
            id: record.id,
            project: record.project,
            bytes: record.xml_size + record.attachments_size,
            attachments: record.attachments,
            instance_id: record.instance_id,
            form_id: record.form_id,
            title: record.title,
            name: record.name,
            finalized_at: record.finalized_at,
            attempts: record.attempts,
        }
    }

    /// Lets records that need attention, or wait, be sent at the next occasion, with all patience restored; says how many.
    /// Those that a sending has on the road, or that were sent, stay as they are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for one that is not there; those of the store.
    pub fn retry(&self, records: &Records) -> Result<usize> {
        if let Records::One(record) = records {
            self.inner.store.submission(*record)?;
        }
        self.free_abandoned()?;
        self.inner.store.retry(records)
    }
}

/// Without a network side nothing is ever on the road.
#[cfg(not(feature = "sync"))]
impl Client {
    fn unwritten_state(&self, _: &Submission) -> Option<RecordState> {
        None
    }

    pub(super) fn free_abandoned(&self) -> Result<()> {
        self.inner.store.release(None)
    }
}

use std::sync::Arc;

use super::sync_store::ProjectStore;
use super::{Client, system_random};
use crate::store::{ProjectId, RecordState, Submission, SubmissionId};
use crate::sync::http::Http;
use crate::sync::{Cancel, Nudge, OnProgress, RefreshReport, SyncJob, Until};
use crate::{Error, ErrorKind, Result};

/// A finalised record as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// The record.
    pub id: SubmissionId,
    /// Its instanceID.
    pub instance_id: String,
    /// Its form's id.
    pub form_id: String,
    /// Its form's title.
    pub title: String,
    /// When it was finalised, in milliseconds since 1970.
    pub finalized_at: i64,
    /// How far it is, and why it is not further.
    pub state: RecordState,
    /// How often sending was tried.
    pub attempts: u32,
    /// Size of the record with its attachments, in bytes.
    pub bytes: u64,
    /// Attachments.
    pub attachments: usize,
}

/// What came of a sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// Every record of the project that was not sent before, as it is now.
    pub records: Vec<RecordSummary>,
}

impl SendOutcome {
    /// Whether nothing unsent is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.records.iter().all(|record| matches!(record.state, RecordState::Sent { .. }))
    }
}

impl Client {
    /// The records of one project or of all, the oldest first; sent ones among them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self, project: Option<ProjectId>) -> Result<Vec<RecordSummary>> {
        self.inner.store.outbox(project)?.into_iter().map(|record| self.record_summary(record)).collect()
    }

    fn record_summary(&self, record: Submission) -> Result<RecordSummary> {
        let store = &self.inner.store;
        let attachments = store.submission_attachments(record.id)?;
        let xml_size = store.submission_xml(record.id)?.len() as u64;
        Ok(RecordSummary {
            id: record.id,
            bytes: xml_size + attachments.iter().map(|attachment| attachment.size).sum::<u64>(),
            attachments: attachments.len(),
            instance_id: record.instance_id,
            form_id: record.form_id,
            title: record.title,
            finalized_at: record.finalized_at,
            state: record.state,
            attempts: record.attempts,
        })
    }

    /// Lets a record that needs attention, or waits, be sent at the next occasion.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn retry(&self, record: SubmissionId) -> Result<()> {
        match self.inner.store.submission(record)?.state {
            RecordState::Sending | RecordState::Sent { .. } => Ok(()),
            _ => self.inner.store.set_state(record, &RecordState::Ready),
        }
    }

    /// Brings the forms of a project up to date, on a tokio runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Offline`], [`ErrorKind::NotAServer`], [`ErrorKind::SignInNeeded`], [`ErrorKind::ServerError`],
    /// [`ErrorKind::Interrupted`], those of the store. What fails of one form is in the report.
    pub async fn refresh(&self, project: ProjectId, on_progress: OnProgress, cancel: Cancel) -> Result<RefreshReport> {
        self.job(project, on_progress, cancel)?.refresh().await
    }

    /// Sends the outbox of a project, on a tokio runtime. A person asks: records that wait are tried at once.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`], those of the store. What a server says is no error but a record's state.
    pub async fn send(
        &self,
        project: ProjectId,
        until: Until,
        on_progress: OnProgress,
        cancel: Cancel,
    ) -> Result<SendOutcome> {
        let pending: Vec<_> =
            self.outbox(Some(project))?.into_iter().filter(|record| !is_sent(&record.state)).collect();
        self.job(project, on_progress, cancel)?.send(until, true).await?;
        let now = |record: RecordSummary| self.record_summary(self.inner.store.submission(record.id)?);
        Ok(SendOutcome { records: pending.into_iter().map(now).collect::<Result<_>>()? })
    }

    /// [`Client::refresh`] for a program without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn refresh_blocking(
        &self,
        project: ProjectId,
        on_progress: OnProgress,
        cancel: Cancel,
    ) -> Result<RefreshReport> {
        runtime()?.block_on(self.refresh(project, on_progress, cancel))
    }

    /// [`Client::send`] for a program without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn send_blocking(
        &self,
        project: ProjectId,
        until: Until,
        on_progress: OnProgress,
        cancel: Cancel,
    ) -> Result<SendOutcome> {
        runtime()?.block_on(self.send(project, until, on_progress, cancel))
    }

    fn job(&self, project: ProjectId, on_progress: OnProgress, cancel: Cancel) -> Result<SyncJob<ProjectStore>> {
        let store = ProjectStore::new(Arc::clone(&self.inner.store), project, Arc::clone(&self.inner.clock));
        Ok(SyncJob {
            store: Arc::new(store),
            transport: Arc::new(Http::new(&self.inner.policy)?),
            policy: self.inner.policy,
            project: self.sync_project(project)?,
            // Waits are real even where a test's answers are not.
            clock: Arc::new(crate::clock::SystemClock),
            seed: system_random()?,
            on_progress,
            cancel,
            nudge: Nudge::default(),
        })
    }
}

fn is_sent(state: &RecordState) -> bool {
    matches!(state, RecordState::Sent { .. })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::new(ErrorKind::Internal, "no runtime").caused_by(error))
}

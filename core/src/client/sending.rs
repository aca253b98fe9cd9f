use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::sender::Sender;
use super::sync_store::ProjectStore;
use super::{Client, RecordSummary, system_random};
use crate::store::{ProjectId, RecordState, Submission};
use crate::sync::http::Http;
use crate::sync::{Cancel, OnProgress, RefreshReport, SyncJob, Until};
use crate::{Error, ErrorKind, Result};

/// What network the device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None.
    None,
    /// One that costs by the byte. Whether records go over it is the shell's to decide, which knows the project's setting.
    Metered,
    /// Any other.
    Unmetered,
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
        self.records.iter().all(|record| is_sent(&record.state))
    }
}

impl Client {
    /// Brings the forms of a project up to date, on a tokio runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Offline`], [`ErrorKind::NotAServer`], [`ErrorKind::SignInNeeded`], [`ErrorKind::ServerError`],
    /// [`ErrorKind::Interrupted`], those of the store. What fails of one form is in the report.
    pub async fn refresh(&self, project: ProjectId, on_progress: OnProgress, cancel: Cancel) -> Result<RefreshReport> {
        let report = self.job(project, on_progress, cancel)?.refresh().await?;
        let listed = report.forms.iter().map(|form| (form.form_id.clone(), form.version.clone())).collect();
        self.forms_listed(project, &listed)?;
        Ok(report)
    }

    /// Sends the outbox of a project, on a tokio runtime. A person asks: records that wait are tried at once.
    ///
    /// One record of a project is on the road at a time: while another sending has one there, this one waits for its turn and
    /// then goes on with what is left. However a sending ends (an error, a pause of the storage, a panic, its future
    /// dropped), no record stays `sending`.
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
        let unsent = self.outbox(Some(project))?.into_iter().filter(|record| !is_sent(&record.state));
        let unsent: BTreeSet<_> = unsent.map(|record| record.id).collect();
        self.job(project, on_progress, cancel)?.send(until, true).await?;
        let now = self.outbox(Some(project))?.into_iter().filter(|record| unsent.contains(&record.id));
        let outcome = SendOutcome { records: now.collect() };
        // What was sent is sent; if it cannot be forgotten now, it is another time.
        let _ = self.forget_by_policy(project);
        Ok(outcome)
    }

    /// Tells that the network of the device has changed: sendings that wait for a better moment try at once, unless there is
    /// no network now.
    pub fn network_changed(&self, network: Network) {
        match network {
            Network::None => {}
            Network::Metered | Network::Unmetered => self.inner.nudges.nudge(),
        }
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
        let sender = self.sender(project);
        let turn = sender.turn.clone();
        let at_home = self.sync_project(project)?;
        let clock = Arc::clone(&self.inner.clock);
        let store = ProjectStore::new(Arc::clone(&self.inner.store), project, at_home.clone(), clock, sender);
        Ok(SyncJob {
            store: Arc::new(store),
            transport: Arc::new(Http::trusting(&self.inner.policy, &self.project_row(project)?.ca)?),
            policy: self.inner.policy,
            project: at_home,
            // Waits are real even where a test's answers are not.
            clock: Arc::new(crate::clock::SystemClock),
            seed: system_random()?,
            on_progress,
            cancel,
            nudge: self.inner.nudges.begin(),
            turn,
        })
    }

    /// What the sendings of a project share.
    fn sender(&self, project: ProjectId) -> Arc<Sender> {
        let mut senders = self.inner.senders.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(senders.entry(project).or_default())
    }

    /// How far a record is, if the store could not be told yet.
    pub(super) fn unwritten_state(&self, record: &Submission) -> Option<RecordState> {
        self.sender(record.project).state(record.id)
    }

    /// Makes ready what is marked as being sent and no living sending has on the road.
    pub(super) fn free_abandoned(&self) -> Result<()> {
        for project in self.inner.store.projects()? {
            let sender = self.sender(project.id);
            if let Some(_turn) = sender.turn.try_take() {
                sender.release(&self.inner.store, project.id)?;
            }
        }
        Ok(())
    }
}

fn is_sent(state: &RecordState) -> bool {
    matches!(state, RecordState::Sent { .. })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::new(ErrorKind::Internal, "no runtime").caused_by(error))
}

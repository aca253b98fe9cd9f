use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};
use veldwerk::client::{Cancel, Network as CoreNetwork, Progress, ProgressStep, Until};
use veldwerk::store::ProjectId;
use veldwerk::sync::OnProgress;

use crate::records::{RecordSummary, RefreshReport};
use crate::{Client, SurveyError, runtime};

/// Follows and stops one piece of network work: what [`Client::refresh`] or [`Client::send`] was given it for.
#[derive(uniffi::Object)]
pub struct SyncHandle {
    cancel: Cancel,
    told: watch::Sender<Told>,
    listening: Mutex<watch::Receiver<Told>>,
}

/// What is known of the work.
#[derive(Clone, Default)]
struct Told {
    progress: Option<SyncProgress>,
    is_over: bool,
}

/// Where a refresh or a sending stands.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncProgress {
    /// What is being done.
    pub step: SyncStep,
    /// Which one it is, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
    /// Bytes moved in this step.
    pub bytes: u64,
    /// Bytes the step has in all, where that is known.
    pub of_bytes: Option<u64>,
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncStep {
    /// Asking which forms there are.
    FormList,
    /// Fetching a form or one of its files.
    Form {
        /// Its title.
        title: String,
        /// The file; null for the form itself.
        file: Option<String>,
    },
    /// Sending a record.
    Record {
        /// The record.
        record: i64,
    },
}

impl From<Progress> for SyncProgress {
    fn from(progress: Progress) -> Self {
        Self {
            step: match progress.step {
                ProgressStep::FormList => SyncStep::FormList,
                ProgressStep::Form { title, file } => SyncStep::Form { title, file },
                ProgressStep::Record { record } => SyncStep::Record { record },
            },
            number: progress.number as u64,
            of: progress.of as u64,
            bytes: progress.bytes,
            of_bytes: progress.of_bytes,
        }
    }
}

#[uniffi::export]
impl SyncHandle {
    /// A handle for one piece of work. Class instant.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<Self> {
        let (told, listening) = watch::channel(Told::default());
        Arc::new(Self { cancel: Cancel::default(), told, listening: Mutex::new(listening) })
    }

    /// Stops the work at its next step, for good: other work takes another handle. Class instant.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Where the work stands; null before it says anything. Class instant.
    pub fn progress(&self) -> Option<SyncProgress> {
        self.told.borrow().progress.clone()
    }

    /// Waits for news of the work and gives where it stands then, at most ten times a second; what came in between is left
    /// out. Null when the work is over. Class network.
    pub async fn next_progress(&self) -> Option<SyncProgress> {
        let mut listening = self.listening.lock().await;
        let told = loop {
            // The sender lives as long as this handle.
            listening.changed().await.ok()?;
            let told = listening.borrow_and_update().clone();
            if told.is_over || told.progress.is_some() {
                break told;
            }
        };
        if told.is_over {
            // Whoever asks again hears the same.
            listening.mark_changed();
            return None;
        }
        told.progress
    }
}

/// Says that the work is over, however it ended.
struct Underway(watch::Sender<Told>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.send_modify(|told| told.is_over = true);
    }
}

impl SyncHandle {
    /// Runs work that is followed and stopped by this handle.
    async fn follow<T, W>(&self, work: impl FnOnce(OnProgress, Cancel) -> W) -> Result<T, SurveyError>
    where
        T: Send + 'static,
        W: Future<Output = veldwerk::Result<T>> + Send + 'static,
    {
        let told = self.told.clone();
        told.send_replace(Told::default());
        let underway = Underway(told.clone());
        let tell = move |progress: Progress| told.send_modify(|told| told.progress = Some(progress.into()));
        let work = work(Arc::new(tell), self.cancel.clone());
        runtime::run(async move {
            let _underway = underway;
            work.await
        })
        .await
    }
}

/// When a sending ends.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum SendUntil {
    /// When every record was tried once: for a button.
    OnePass,
    /// When nothing is left that could be sent, or the time is over: for work in the background. In between it waits, until
    /// [`Client::network_changed`] wakes it.
    Empty {
        /// How long it may take, in milliseconds.
        limit_ms: i64,
        /// The longest wait between two tries, in milliseconds.
        longest_wait_ms: i64,
    },
}

/// What network the phone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Network {
    /// None.
    None,
    /// One that costs by the byte.
    Metered,
    /// Any other.
    Unmetered,
}

#[uniffi::export]
impl Client {
    /// Brings the forms of a project up to date. Class network. Throws `Offline`, `NotAServer`, `SignInNeeded`,
    /// `Interrupted`, `InvalidProject` where the server has nothing at the project's address; what fails of one form is in its outcome.
    pub async fn refresh(&self, project: i64, handle: Arc<SyncHandle>) -> Result<RefreshReport, SurveyError> {
        let client = self.inner.clone();
        let work = |on_progress, cancel| async move { client.refresh(ProjectId(project), on_progress, cancel).await };
        Ok(handle.follow(work).await?.into())
    }

    /// Sends what is in the outbox, and gives the records that were not sent before as they are now. Records that wait are
    /// tried at once. One sending of a project runs at a time: a second waits for its turn. Class network. Throws
    /// `Interrupted`; what a server says is a record's state.
    pub async fn send(
        &self,
        project: i64,
        until: SendUntil,
        handle: Arc<SyncHandle>,
    ) -> Result<Vec<RecordSummary>, SurveyError> {
        let client = self.inner.clone();
        let until = match until {
            SendUntil::OnePass => Until::OnePass,
            SendUntil::Empty { limit_ms, longest_wait_ms } => Until::Empty { limit_ms, longest_wait_ms },
        };
        let work =
            |on_progress, cancel| async move { client.send(ProjectId(project), until, on_progress, cancel).await };
        Ok(handle.follow(work).await?.records.into_iter().map(Into::into).collect())
    }

    /// Tells that the phone's network has changed, so that a sending that waits for a better moment tries at once. Which
    /// records go over a metered network the app decides. Class instant.
    pub fn network_changed(&self, network: Network) {
        self.inner.network_changed(match network {
            Network::None => CoreNetwork::None,
            Network::Metered => CoreNetwork::Metered,
            Network::Unmetered => CoreNetwork::Unmetered,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veldwerk::ErrorKind;

    fn progress(bytes: u64) -> Progress {
        Progress { step: ProgressStep::FormList, number: 1, of: 1, bytes, of_bytes: Some(9) }
    }

    #[test]
    fn a_handle_tells_the_latest_and_the_end() {
        let handle = SyncHandle::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(handle.progress(), None);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let work = |on_progress: OnProgress, _| async move {
            (1..=3).for_each(|bytes| on_progress(progress(bytes)));
            gone.await.unwrap();
            on_progress(progress(9));
            Ok(())
        };
        runtime.block_on(async {
            let told = async {
                let first = handle.next_progress().await.unwrap();
                assert!((1..=3).contains(&first.bytes), "{first:?}");
                go.send(()).unwrap();
                let mut last = first;
                while let Some(next) = handle.next_progress().await {
                    assert!(next.bytes >= last.bytes);
                    last = next;
                }
                assert_eq!(handle.next_progress().await, None, "over is over");
            };
            let (done, ()) = tokio::join!(handle.follow(work), told);
            done.unwrap();
        });
        assert_eq!(handle.progress().unwrap().bytes, 9);
    }

    #[test]
    fn work_that_fails_or_is_cancelled_is_over_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failing = SyncHandle::new();
        let work = |_, _| async { Err::<(), _>(ErrorKind::Offline.into()) };
        let (done, told) = runtime.block_on(async { tokio::join!(failing.follow(work), failing.next_progress()) });
        assert!(matches!(done, Err(SurveyError::Offline { .. })) && told.is_none());

        let cancelled = SyncHandle::new();
        cancelled.cancel();
        let work = |_, cancel: Cancel| async move {
            cancel.cancelled().await;
            Err::<(), _>(ErrorKind::Interrupted.into())
        };
        let (done, told) = runtime.block_on(async { tokio::join!(cancelled.follow(work), cancelled.next_progress()) });
        assert!(matches!(done, Err(SurveyError::Interrupted { .. })) && told.is_none());
    }
}

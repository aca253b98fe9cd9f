//! What goes out: things for the shell to do once, and work that takes time.

use std::sync::Arc;

use veldwerk::ErrorKind;
use veldwerk::client::{Cancel, Client, Progress, Until};
use veldwerk::session::Medium;
use veldwerk::store::ProjectId;

/// What is to be done since the last time that [`App::take`](crate::App::take) was called, in order.
#[derive(Debug, Default)]
pub struct Outbound {
    /// For the shell.
    pub effects: Vec<Effect>,
    /// For whoever runs futures.
    pub jobs: Vec<Job>,
}

/// Something that a shell does once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiEffect"))]
pub enum Effect {
    /// Asks the device or the person; [`Event::Answered`](crate::Event::Answered) with the same id says what came of it.
    Ask {
        /// Counts what was asked.
        id: u64,
        /// For what.
        what: Ask,
    },
    /// Leaves the app.
    LeaveApp,
}

/// What is asked of the device or the person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiAsk"))]
pub enum Ask {
    /// The text of a code that is scanned.
    Code,
    /// A file.
    File {
        /// What it shows.
        medium: Medium,
        /// Extensions and media types that are taken; empty for all.
        accept: Vec<String>,
    },
}

/// Work that takes time. It runs without the app, which goes on being touched meanwhile.
#[derive(Debug)]
pub struct Job {
    /// Its id, which its events carry.
    pub id: u64,
    work: Work,
    client: Client,
    cancel: Cancel,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Brings the questionnaires of a project up to date.
    Refresh(ProjectId),
    /// Sends what is finished.
    Send(ProjectId),
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The questionnaires were looked for; the code of the error, if it did not work.
    Refreshed(Result<(), &'static str>),
    /// What is finished was sent, as far as it could be; where it is now is asked of the outbox.
    Sent(Result<(), &'static str>),
}

/// What a job says of itself, for [`App::report`](crate::App::report).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How far it is.
    Progress {
        /// Its id.
        job: u64,
        /// How much of it is done, in percent.
        percent: u8,
    },
    /// It has ended.
    Ended {
        /// Its id.
        job: u64,
        /// What came of it.
        done: Done,
    },
}

impl Job {
    pub(crate) fn new(id: u64, work: Work, client: Client, cancel: Cancel) -> Self {
        Self { id, work, client, cancel }
    }

    /// What is to be reported if whoever runs it cannot bring it to an end.
    #[must_use]
    pub fn lost(&self) -> Report {
        let failed = Err(ErrorKind::Internal.code());
        let done = match self.work {
            Work::Refresh(_) => Done::Refreshed(failed),
            Work::Send(_) => Done::Sent(failed),
        };
        Report::Ended { job: self.id, done }
    }

    /// Does it, on a tokio runtime. `tell` takes its progress; the result is its last report.
    pub async fn run(self, tell: Arc<dyn Fn(Report) + Send + Sync>) -> Report {
        let Self { id: job, work, client, cancel } = self;
        let on_progress = Arc::new(move |progress: Progress| {
            tell(Report::Progress { job, percent: percent(&progress) });
        });
        let done = match work {
            Work::Refresh(project) => {
                let report = client.refresh(project, on_progress, cancel).await;
                Done::Refreshed(report.map(|_| ()).map_err(|error| error.kind().code()))
            }
            Work::Send(project) => {
                let outcome = client.send(project, Until::OnePass, on_progress, cancel).await;
                // A record that waits is no failure; the outbox says why.
                Done::Sent(outcome.map(|_| ()).map_err(|error| error.kind().code()))
            }
        };
        Report::Ended { job, done }
    }
}

impl Done {
    pub(crate) fn failure(&self) -> Option<&'static str> {
        let (Self::Refreshed(result) | Self::Sent(result)) = self;
        result.err().filter(|&code| code != ErrorKind::Interrupted.code())
    }
}

/// How much of the work is done: the steps behind, and what is known of the one at hand.
fn percent(progress: &Progress) -> u8 {
    let within = match progress.of_bytes {
        Some(of) if of > 0 => progress.bytes.min(of) as f64 / of as f64,
        _ => 0.0,
    };
    let behind = progress.number.saturating_sub(1) as f64 + within;
    let share = behind / progress.of.max(1) as f64;
    (share * 100.0).clamp(0.0, 100.0) as u8
}

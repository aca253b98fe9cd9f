//! What is going on at present, told at most ten times a second, and how to stop it.

use crate::clock::Clock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Notify;

/// Where a refresh or a sending stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Which one it is, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
    /// Bytes moved in this step.
    pub bytes: u64,
    /// Bytes the step has in all, where that is known.
    pub of_bytes: Option<u64>,
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asking which forms there are.
    FormList,
    /// Fetching a form or one of its files.
    Form {
        /// Its title.
        title: String,
        /// The file; `None` for the form itself.
        file: Option<String>,
    },
    /// Sending a record.
    Record {
        /// The record's row.
        record: i64,
    },
}

/// Called with every [`Progress`], from the task that works: it must be quick.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Counts bytes as they pass; also told how many there are in all, where the reply says so.
pub type Meter = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// A pause between two reports, in milliseconds.
const PAUSE_MS: i64 = 100;

/// Tells progress: the beginning of every step, and within one at most every tenth of a second.
#[derive(Clone)]
pub struct Reporter {
    on_progress: OnProgress,
    clock: Arc<dyn Clock>,
    last_ms: Arc<AtomicI64>,
}

impl Reporter {
    /// Reports to `on_progress` by the time of `clock`.
    #[must_use]
    pub fn new(on_progress: OnProgress, clock: Arc<dyn Clock>) -> Self {
        Self { on_progress, clock, last_ms: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// Begins a step; the meter counts its bytes.
    #[must_use]
    pub fn begin(&self, progress: Progress) -> Meter {
        self.tell(progress.clone());
        let this = self.clone();
        let bytes = AtomicU64::new(progress.bytes);
        Arc::new(move |more, of_bytes| {
            let bytes = bytes.fetch_add(more, Ordering::Relaxed) + more;
            let of_bytes = progress.of_bytes.or(of_bytes);
            let is_last = of_bytes == Some(bytes);
            if is_last || this.clock.now_ms().saturating_sub(this.last_ms.load(Ordering::Relaxed)) >= PAUSE_MS {
                this.tell(Progress { bytes, of_bytes, ..progress.clone() });
            }
        })
    }

    fn tell(&self, progress: Progress) {
        self.last_ms.store(self.clock.now_ms(), Ordering::Relaxed);
        (self.on_progress)(progress);
    }
}

/// Ends a wait of a sending: the network is back, or the person does not want to wait.
#[derive(Clone, Debug, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Ends the present wait, or the next one if none is going on.
    pub fn nudge(&self) {
        self.0.notify_one();
    }

    pub(super) async fn nudged(&self) {
        self.0.notified().await;
    }
}

/// The nudges of all work of a client that may be waiting.
#[derive(Debug, Default)]
pub struct Nudges(Mutex<Vec<Weak<Notify>>>);

impl Nudges {
    /// A nudge for work that begins now.
    #[must_use]
    pub fn begin(&self) -> Nudge {
        let nudge = Nudge::default();
        let mut of_work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of_work.retain(|other| other.strong_count() > 0);
        of_work.push(Arc::downgrade(&nudge.0));
        nudge
    }

    /// Nudges all work that is going on.
    pub fn nudge(&self) {
        let of_work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of_work.iter().filter_map(Weak::upgrade).for_each(|notify| Nudge(notify).nudge());
    }
}

/// Stops a refresh or a sending from another thread; once cancelled it stays so.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    cancelled: AtomicBool,
    notify: Notify,
}

impl Cancel {
    /// Stops the work at its next step; a request under way is dropped.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Whether [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Ends when cancelled.
    pub async fn cancelled(&self) {
        // Asked for before the flag is read, so that a call between the two is not missed.
        let notified = self.0.notify.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn reports_at_most_ten_times_a_second_and_at_the_end() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let clock = Arc::new(Hand::default());
        let sink = told.clone();
        let reporter =
            Reporter::new(Arc::new(move |progress| sink.lock().unwrap().push(progress.bytes)), clock.clone());
        let meter = reporter.begin(Progress { step: Step::FormList, number: 1, of: 1, bytes: 0, of_bytes: None });
        for millisecond in 1..=999 {
            clock.0.store(millisecond, Ordering::SeqCst);
            meter(1, Some(1_000));
        }
        meter(1, Some(1_000));
        assert_eq!(*told.lock().unwrap(), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    }

    #[test]
    fn everybody_who_waits_is_nudged_and_who_ended_is_forgotten() {
        let nudges = Nudges::default();
        let (one, other) = (nudges.begin(), nudges.begin());
        drop(nudges.begin());
        nudges.nudge();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            one.nudged().await;
            other.nudged().await;
        });
        let _third = nudges.begin();
        assert_eq!(nudges.0.lock().unwrap().len(), 3);
    }

    #[test]
    fn cancelling_wakes_who_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let cancel = Cancel::default();
            let waiting = tokio::spawn({
                let cancel = cancel.clone();
                async move { cancel.cancelled().await }
            });
            tokio::task::yield_now().await;
            cancel.cancel();
            waiting.await.unwrap();
            cancel.cancelled().await;
            assert!(cancel.is_cancelled());
        });
    }
}

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use veldwerk::ErrorKind;

use crate::SurveyError;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// How long an end waits for what cannot be interrupted, such as a look-up of a name.
const LONGEST_END: Duration = Duration::from_secs(5);

fn runtime() -> MutexGuard<'static, Option<Runtime>> {
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs network work on our own runtime, which the first call starts. Dropping the returned future does not stop the
/// work; its cancel does.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = veldwerk::Result<T>> + Send + 'static,
) -> Result<T, SurveyError> {
    let underway = spawn(work).ok_or_else(did_not_run)?;
    match underway.await {
        Ok(done) => Ok(done?),
        Err(ended) if ended.is_cancelled() => Err(veldwerk::Error::from(ErrorKind::Interrupted).into()),
        Err(_) => Err(did_not_run()),
    }
}

/// Begins work on our own runtime, whether anybody waits for it or not; none if the system gives us no thread.
pub(crate) fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
    let mut kept = runtime();
    if kept.is_none() {
        *kept = Builder::new_multi_thread().worker_threads(1).thread_name("veldwerk-sync").enable_all().build().ok();
    }
    kept.as_ref().map(|runtime| runtime.spawn(work))
}

fn did_not_run() -> SurveyError {
    SurveyError::of(ErrorKind::Internal, "the network side could not run".into())
}

/// Ends our threads, which only network work has; what is under way throws `Interrupted`, and no record stays `sending`. Work that
/// is begun later starts them again. For programs whose language must not be called while it goes away: Python calls this at its
/// exit. Class network.
#[uniffi::export]
pub fn end_threads() {
    // Not under the lock: what ends may call whoever waited for it.
    let ended = runtime().take();
    if let Some(ended) = ended {
        ended.shutdown_timeout(LONGEST_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_under_way_is_interrupted_by_the_end_and_later_work_starts_anew() {
        let here = Builder::new_current_thread().enable_all().build().unwrap();
        let (tell, told) = tokio::sync::oneshot::channel();
        let endless = run(async {
            let _ = tell.send(());
            std::future::pending::<veldwerk::Result<()>>().await
        });
        let ended = here.block_on(async {
            let end = async {
                told.await.unwrap();
                tokio::task::spawn_blocking(end_threads).await.unwrap();
            };
            tokio::join!(endless, end).0
        });
        assert!(matches!(ended, Err(SurveyError::Interrupted { .. })), "{ended:?}");
        assert_eq!(here.block_on(run(async { Ok(7) })).unwrap(), 7);
    }
}

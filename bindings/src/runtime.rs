use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use veldwerk::ErrorKind;

use crate::SurveyError;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Runs network work on our own runtime, which the first call starts. Dropping the returned future does not stop the
/// work; its cancel does.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = veldwerk::Result<T>> + Send + 'static,
) -> Result<T, SurveyError> {
    let internal = || SurveyError::of(ErrorKind::Internal, "the network side could not start".into());
    if RUNTIME.get().is_none() {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("veldwerk-sync").enable_all().build();
        // Another call may have been quicker; its runtime is as good.
        let _ = RUNTIME.set(runtime.map_err(|_| internal())?);
    }
    let runtime = RUNTIME.get().ok_or_else(internal)?;
    let done = runtime.spawn(work).await;
    done.map_err(|_| internal())?.map_err(SurveyError::from)
}

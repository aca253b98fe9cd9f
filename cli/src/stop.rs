//! Waiting for the person, or the system, to end the program.

use veldwerk::{Error, ErrorKind, Result};

/// Returns when the program is asked to stop: by Ctrl-C, or by SIGTERM where there is one.
pub(crate) fn asked() -> Result<()> {
    let failed = |error| Error::new(ErrorKind::Internal, "waiting for Ctrl-C").caused_by(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(signal()).map_err(failed)
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

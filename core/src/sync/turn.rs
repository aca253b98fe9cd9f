//! One sending of a project at a time.

use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Whose turn it is to send the records of a project; clones are one. A sending holds the turn while a record may be on the
/// road and gives it back while it waits for the next try, so that one that a person asks for does not wait behind a pause.
///
/// However a sending ends, the turn comes back: after an error, a panic, and when its future is dropped. So whoever has the
/// turn knows that no other sending is alive, and that what the store still calls `sending` was left behind.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<Mutex<()>>);

/// The turn, until dropped.
#[derive(Debug)]
pub struct TurnGuard {
    _guard: OwnedMutexGuard<()>,
}

impl Turn {
    /// The turn, as soon as the others that asked before have had theirs.
    pub(super) async fn take(&self) -> TurnGuard {
        TurnGuard { _guard: self.0.clone().lock_owned().await }
    }

    /// The turn, if no record is on the road.
    #[must_use]
    pub fn try_take(&self) -> Option<TurnGuard> {
        Some(TurnGuard { _guard: self.0.clone().try_lock_owned().ok()? })
    }
}

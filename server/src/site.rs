//! What every request needs.

use crate::database::Database;
use crate::page::Readings;
use crate::token::PageKey;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use veldwerk::{Error, ErrorKind, Result};

/// The state of a running server.
pub(crate) struct Site {
    pub(crate) database: Database,
    token_hash: Mutex<[u8; 32]>,
    pub(crate) page_key: PageKey,
    pub(crate) address: SocketAddr,
    pub(crate) readings: Readings,
    /// How many new records are still to be answered with a false 409.
    pub(crate) false_conflicts: AtomicU32,
}

impl Site {
    pub(crate) fn new(database: Database, token_hash: [u8; 32], page_key: PageKey, address: SocketAddr) -> Self {
        Self {
            database,
            token_hash: Mutex::new(token_hash),
            page_key,
            address,
            readings: Readings::default(),
            false_conflicts: AtomicU32::new(0),
        }
    }

    /// SHA-256 of the token that opens the project.
    pub(crate) fn token_hash(&self) -> [u8; 32] {
        *self.token_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on another token opens the project.
    pub(crate) fn set_token_hash(&self, hash: [u8; 32]) {
        *self.token_hash.lock().unwrap_or_else(PoisonError::into_inner) = hash;
    }

    /// Asks the database on a thread where waiting harms nobody.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let site = Arc::clone(self);
        tokio::task::spawn_blocking(move || question(&site))
            .await
            .unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, "the database's thread").caused_by(error)))
    }

    /// Whether the record at hand is to be answered falsely; counts down.
    pub(crate) fn takes_false_conflict(&self) -> bool {
        self.false_conflicts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[expect(clippy::disallowed_methods, reason = "outside the engine: when a record arrived is replayed by nobody")]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

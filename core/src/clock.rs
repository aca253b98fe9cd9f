//! Time and randomness as inputs: the engine never asks the system for either.
//!
//! Every change of a session happens in a [`Step`]: the moment it was asked for and the seed of its random numbers. A
//! journal row keeps both (the seed follows from the draft's seed and the row's number), so a replay sees the very same
//! `now()`, `uuid()` and `random()` (`reference: session.md, Journal`).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Where the present moment comes from; a test's clock stands still.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub i64,
);

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

/// The moment and the randomness of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds since 1970-01-01T00:00:00Z: what `now()` says during this change.
    pub at: i64,
    /// Seed of the draft.
    pub seed: u64,
    /// Number of the change within the draft; with `seed` it determines every random number drawn.
    pub number: u64,
}

impl Step {
    /// The generator of this step's random numbers, the same at every replay.
    #[must_use]
    pub fn random(&self) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.number.to_le_bytes());
        Random(ChaCha8Rng::from_seed(key))
    }

    /// The generator of what `source` draws in this step, whatever else draws in it and in whichever order.
    #[must_use]
    pub fn random_for(&self, source: &str) -> Random {
        Random::keyed(&[&self.seed.to_le_bytes(), &self.number.to_le_bytes(), source.as_bytes()])
    }

    /// The generator of what `source` draws once for the life of the draft, the same in every step.
    #[must_use]
    pub fn lasting_random_for(&self, source: &str) -> Random {
        Random::keyed(&[&self.seed.to_le_bytes(), b"lasting", source.as_bytes()])
    }
}

/// A reproducible generator: ChaCha8, whose stream is fixed by its authors across versions and platforms.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The generator that follows from these parts; what came of other parts says nothing about it.
    fn keyed(parts: &[&[u8]]) -> Self {
        let digest = parts.iter().fold(Sha256::new(), |digest, part| {
            digest.chain_update((part.len() as u64).to_le_bytes()).chain_update(part)
        });
        Self(ChaCha8Rng::from_seed(digest.finalize().into()))
    }

    /// Sixty-four random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * SCALE
    }

    /// A version 4 UUID in lower case.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next_u64().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next_u64().to_le_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// The clock of the device: the one place that asks the system for the time.
#[cfg(feature = "store")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "store")]
#[expect(clippy::disallowed_methods, reason = "everything else is told the time by a clock")]
impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

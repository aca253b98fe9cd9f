//! How patient the network side is and how much it takes, in one record: every number of openrosa.md §6 stands here, so that
//! a harness can run the same code at a hundredth of the times.

use std::time::Duration;

const KB: u64 = 1_000;
const MB: u64 = 1_000 * KB;
const GB: u64 = 1_000 * MB;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// How patient the network side is, and how much it takes. The default is what people get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncPolicy {
    /// How long a request may take to show signs of life.
    pub timeouts: Timeouts,
    /// How large a reply may be.
    pub bounds: Bounds,
    /// How long to wait before the next try.
    pub backoff: Backoff,
    /// How much of a record goes together.
    pub batches: Batches,
}

impl SyncPolicy {
    /// The same with every time divided by `divisor` (0 counts as 1), for harnesses. Sizes and rates stay.
    #[must_use]
    pub fn scaled(self, divisor: u32) -> Self {
        let divisor = divisor.max(1);
        Self { timeouts: self.timeouts.scaled(divisor), backoff: self.backoff.scaled(divisor), ..self }
    }
}

/// How long to wait for signs of life. There is no limit on a whole request: a slow network is not a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of the reply to `GET` and `HEAD`: a server may take its time to make a list.
    pub first_byte: Duration,
    /// For the first byte of the reply to a `POST`, once the last bytes of its body were handed to the system, which may
    /// hold megabytes of them for a slow network, while nothing is to be seen here.
    pub reply: Duration,
    /// For the next bytes once they flow, in either direction.
    pub stall: Duration,
    /// The time over which [`Timeouts::floor_rate`] is averaged.
    pub floor_window: Duration,
    /// Bytes a second below which a reply counts as stalled, however steadily it drips.
    pub floor_rate: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            first_byte: Duration::from_secs(60),
            reply: Duration::from_secs(120),
            stall: Duration::from_secs(30),
            floor_window: Duration::from_secs(120),
            floor_rate: KB,
        }
    }
}

impl Timeouts {
    fn scaled(self, divisor: u32) -> Self {
        Self {
            connect: self.connect / divisor,
            first_byte: self.first_byte / divisor,
            reply: self.reply / divisor,
            stall: self.stall / divisor,
            floor_window: self.floor_window / divisor,
            floor_rate: self.floor_rate,
        }
    }
}

/// How large a reply may be, in plain bytes: a compressed reply is counted as what it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A form list or a manifest.
    pub document: u64,
    /// A form's XML.
    pub form: u64,
    /// A file of a form that goes into the database: CSV, XML, GeoJSON.
    pub data: u64,
    /// A picture, sound or video of a form; half of the free space of the disk bounds it too.
    pub media: u64,
    /// Everything of one refresh together.
    pub refresh: u64,
    /// How many plain bytes one byte on the wire may become…
    pub ratio: u64,
    /// …once so many plain bytes have come: a short list of zeros is no attack.
    pub ratio_from: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            document: 10 * MB,
            form: 20 * MB,
            data: 200 * MB,
            media: 500 * MB,
            refresh: 2 * GB,
            ratio: 100,
            ratio_from: 10 * MB,
        }
    }
}

/// How long to wait before the next try of a record, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause, doubled at every further failure.
    pub first_pause_ms: i64,
    /// The longest pause of our own.
    pub longest_pause_ms: i64,
    /// The longest pause a server may ask for.
    pub longest_retry_after_ms: i64,
    /// How often a server may fail on a record before a person has to look…
    pub lasting_tries: u32,
    /// …if it has done so for so long.
    pub lasting_ms: i64,
    /// Before a record that "was deleted" is sent once more.
    pub deleted_pause_ms: i64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first_pause_ms: 2 * SECOND_MS,
            longest_pause_ms: 15 * MINUTE_MS,
            longest_retry_after_ms: HOUR_MS,
            lasting_tries: 10,
            lasting_ms: 24 * HOUR_MS,
            deleted_pause_ms: SECOND_MS,
        }
    }
}

impl Backoff {
    fn scaled(self, divisor: u32) -> Self {
        let divisor = i64::from(divisor);
        Self {
            first_pause_ms: self.first_pause_ms / divisor,
            longest_pause_ms: self.longest_pause_ms / divisor,
            longest_retry_after_ms: self.longest_retry_after_ms / divisor,
            lasting_tries: self.lasting_tries,
            lasting_ms: self.lasting_ms / divisor,
            deleted_pause_ms: self.deleted_pause_ms / divisor,
        }
    }
}

/// How much of a record goes together in one request, in bytes. It grows while the link carries it, up to what the server takes,
/// and shrinks when the link breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// At first, while nothing is known of the link.
    pub first: u64,
    /// At least, however often the link breaks.
    pub smallest: u64,
}

impl Default for Batches {
    fn default() -> Self {
        Self { first: 256 * KB, smallest: 32 * KB }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harness_runs_at_a_hundredth_of_the_times_with_the_same_sizes() {
        let policy = SyncPolicy::default();
        let quick = policy.scaled(100);
        assert_eq!(quick.timeouts.first_byte, Duration::from_millis(600));
        assert_eq!(quick.timeouts.floor_window, Duration::from_millis(1_200));
        assert_eq!(quick.backoff.first_pause_ms, 20);
        assert_eq!((quick.bounds, quick.timeouts.floor_rate), (policy.bounds, policy.timeouts.floor_rate));
        assert_eq!(quick.batches, policy.batches);
        assert_eq!(quick.backoff.lasting_tries, policy.backoff.lasting_tries);
        assert_eq!(policy.scaled(0), policy.scaled(1));
        assert_eq!(policy.scaled(1), policy);
    }
}

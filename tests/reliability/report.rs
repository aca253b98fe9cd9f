//! What a harness says at its end: rows, and every loss with how to see it again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts what all threads do together.
pub(crate) fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// What was counted.
pub(crate) fn of(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The table of one harness.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    began: Instant,
    rows: Vec<(String, String)>,
    losses: Vec<Loss>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    /// Which home, trace or record, for `--only`.
    pub(crate) number: u64,
    /// What, without an answer in it.
    pub(crate) what: String,
}

impl Report {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        let rows = vec![("seed".to_owned(), seed.to_string())];
        Self { name, began: Instant::now(), rows, losses: Vec::new() }
    }

    pub(crate) fn row(&mut self, what: &str, value: impl fmt::Display) {
        self.rows.push((what.to_owned(), value.to_string()));
    }

    pub(crate) fn lose(&mut self, number: u64, losses: impl IntoIterator<Item = String>) {
        self.losses.extend(losses.into_iter().map(|what| Loss { number, what }));
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.losses.is_empty()
    }
}

/// Numbers in a loss differ from home to home; its kind is what is left without them.
fn kind(what: &str) -> String {
    let mut kind = String::new();
    for c in what.chars() {
        match c {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            other => kind.push(other),
        }
    }
    kind
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.name)?;
        for (what, value) in &self.rows {
            writeln!(f, "  {what:<46} {value:>44}")?;
        }
        writeln!(f, "  {:<46} {:>44}", "time", format!("{:.0} s", seconds(self.began.elapsed())))?;
        writeln!(f, "  {:<46} {:>44}", "LOSSES", self.losses.len())?;
        let mut kinds: BTreeMap<String, Vec<&Loss>> = BTreeMap::new();
        for loss in &self.losses {
            kinds.entry(kind(&loss.what)).or_default().push(loss);
        }
        for losses in kinds.values() {
            let numbers: BTreeSet<u64> = losses.iter().map(|loss| loss.number).collect();
            let numbers: Vec<String> = numbers.iter().take(5).map(u64::to_string).collect();
            let example = losses.first().map_or("", |loss| &loss.what);
            writeln!(f, "  {:>5} ×  {example}  (--only {})", losses.len(), numbers.join(" | "))?;
        }
        Ok(())
    }
}

pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

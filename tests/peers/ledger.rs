//! `tests/ledger.toml`: the differences that are meant to be, each with its reason.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::compare::Difference;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Row>,
}

/// Differences of one root.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Name of the form's file without its ending; `*` stands for any text.
    form: String,
    /// Paths without positions at which it shows; `*` stands for any text.
    at: Vec<String>,
    /// Kinds of difference.
    kind: Vec<String>,
    reason: String,
    #[serde(skip)]
    n_met: Cell<u64>,
}

/// The rows, and how often each was met.
pub(crate) struct Ledger(Vec<Row>);

impl Ledger {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the ledger is there");
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("the ledger: {error}"));
        assert!(file.difference.iter().all(|row| !row.reason.trim().is_empty()), "each row of the ledger has a reason");
        Self(file.difference)
    }

    /// Whether a row explains this difference.
    pub(crate) fn explains(&self, form: &str, difference: &Difference) -> bool {
        let row = self.0.iter().find(|row| {
            matches(&row.form, form)
                && row.kind.iter().any(|kind| kind == difference.kind)
                && row.at.iter().any(|at| matches(at, &difference.at))
        });
        if let Some(row) = row {
            row.n_met.set(row.n_met.get() + 1);
        }
        row.is_some()
    }

    /// How often each reason was met; the ones not met too, since they may have outlived what they explain.
    pub(crate) fn reasons(&self) -> BTreeMap<&str, u64> {
        let mut reasons = BTreeMap::new();
        for row in &self.0 {
            *reasons.entry(row.reason.trim()).or_default() += row.n_met.get();
        }
        reasons
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(after) = text.strip_prefix(start) else { return false };
            let ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
            ends.into_iter().any(|at| matches(rest, &after[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let rows =
            [("a", "a", true), ("a", "ab", false), ("*", "", true), ("/d/*", "/d/x/y", true), ("*x*z", "axbz", true)];
        for (pattern, text, expected) in rows {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_row_explains_its_own_and_nothing_else() {
        let row = |at: &str| Row {
            form: "visit".into(),
            at: vec![at.into()],
            kind: vec!["value".into()],
            reason: "r".into(),
            n_met: Cell::default(),
        };
        let ledger = Ledger(vec![row("/d/a")]);
        let difference =
            |at: &str, kind| Difference { at: at.into(), kind, theirs: String::new(), ours: String::new() };
        assert!(ledger.explains("visit", &difference("/d/a", "value")));
        assert!(!ledger.explains("other", &difference("/d/a", "value")));
        assert!(!ledger.explains("visit", &difference("/d/a", "label")));
        assert!(!ledger.explains("visit", &difference("/d/b", "value")));
        assert_eq!(ledger.reasons().into_iter().collect::<Vec<_>>(), [("r", 1)]);
    }
}

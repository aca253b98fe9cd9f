//! `tests/ledger.toml`: the differences that are meant to be, each with its reason.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::compare::{Difference, ENDLESS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Row>,
}

/// Differences of one root.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Name of the form's file without its ending; `*` stands for any text.
    form: String,
    /// Paths without positions at which it shows; `*` stands for any text.
    at: Vec<String>,
    /// What an attribute of the place's control says, or one anywhere in the form where the place is the whole record.
    says: Option<String>,
    /// Kinds of difference.
    kind: Vec<String>,
    reason: String,
    #[serde(skip)]
    n_met: Cell<u64>,
    /// Which of `at` and of `kind` were met.
    #[serde(skip)]
    met: RefCell<BTreeSet<String>>,
}

/// A form that rows may speak of.
pub(crate) trait Form {
    fn name(&self) -> &str;
    /// Whether an attribute of the control of this place, or of anything in the form if the place is empty, holds this text.
    fn says(&self, at: &str, part: &str) -> bool;
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

    /// The row that explains this difference.
    pub(crate) fn row(&self, form: &impl Form, difference: &Difference) -> Option<&Row> {
        self.0.iter().find(|row| {
            matches(&row.form, form.name())
                && row.has_kind(difference.kind)
                && row.place(&difference.at).is_some()
                && row.says.as_ref().is_none_or(|part| form.says(&difference.at, part))
        })
    }

    /// Whether a row explains this difference; it then has been met once more.
    pub(crate) fn explains(&self, form: &impl Form, difference: &Difference) -> bool {
        let row = self.row(form, difference);
        if let Some(row) = row {
            row.n_met.set(row.n_met.get() + 1);
            let place = row.place(&difference.at).cloned();
            row.met.borrow_mut().extend(place.into_iter().chain([difference.kind.to_owned()]));
        }
        row.is_some()
    }

    /// Whether JavaRosa is known not to end with this form.
    pub(crate) fn is_endless(&self, form: &str) -> bool {
        self.0.iter().any(|row| matches(&row.form, form) && row.has_kind(ENDLESS))
    }

    /// The parts of rows that nothing met, of rows that speak of one of these forms: they may be wider than they should be.
    pub(crate) fn unmet(&self, forms: &[String]) -> Vec<String> {
        let spoken_of = |row: &&Row| forms.iter().any(|form| matches(&row.form, form));
        let unmet = |row: &Row| {
            let met = row.met.borrow();
            let parts: Vec<String> =
                row.at.iter().chain(&row.kind).filter(|part| !met.contains(*part)).cloned().collect();
            (!parts.is_empty()).then(|| format!("{}: {}", row.form, parts.join(", ")))
        };
        self.0.iter().filter(spoken_of).filter_map(unmet).collect()
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

impl Row {
    fn has_kind(&self, kind: &str) -> bool {
        self.kind.iter().any(|known| known == kind)
    }

    /// The first of its places that is this one.
    fn place(&self, at: &str) -> Option<&String> {
        self.at.iter().find(|place| matches(place, at))
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

    struct Visit(&'static str);

    impl Form for Visit {
        fn name(&self) -> &str {
            self.0
        }

        fn says(&self, at: &str, part: &str) -> bool {
            at == "/d/c" && part == "search("
        }
    }

    #[test]
    fn a_row_explains_its_own_and_nothing_else() {
        let row = |at: &str| Row {
            form: "visit".into(),
            at: vec![at.into()],
            says: None,
            kind: vec!["value".into()],
            reason: "r".into(),
            n_met: Cell::default(),
            met: RefCell::default(),
        };
        let ledger = Ledger(vec![row("/d/a"), row("/d/c")]);
        let difference =
            |at: &str, kind| Difference { at: at.into(), kind, theirs: String::new(), ours: String::new() };
        assert!(ledger.explains(&Visit("visit"), &difference("/d/a", "value")));
        assert!(!ledger.explains(&Visit("other"), &difference("/d/a", "value")));
        assert!(!ledger.explains(&Visit("visit"), &difference("/d/a", "label")));
        assert!(!ledger.explains(&Visit("visit"), &difference("/d/b", "value")));
        assert_eq!(ledger.reasons().into_iter().collect::<Vec<_>>(), [("r", 1)]);
        assert_eq!(ledger.unmet(&["visit".to_owned()]), ["visit: /d/c, value"]);
        assert!(ledger.unmet(&["other".to_owned()]).is_empty());
        let wide = Ledger(vec![Row { says: Some("search(".into()), ..row("*") }]);
        assert!(wide.explains(&Visit("visit"), &difference("/d/c", "value")));
        assert!(!wide.explains(&Visit("visit"), &difference("/d/a", "value")));
    }
}

//! What the author of a form is told, as lines and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use veldwerk::form::Diagnostic;

/// So many places of one kind are named; the others are counted.
const PLACES: usize = 3;

/// What is said of a form in a few lines, the worst first: one kind once, with the first places it is found at.
pub(crate) fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    let mut kinds: BTreeMap<_, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        kinds.entry((diagnostic.level(), diagnostic.kind)).or_default().push(diagnostic);
    }
    let mut lines = Vec::new();
    for found in kinds.into_values() {
        lines.extend(found.iter().take(PLACES).map(ToString::to_string));
        if let (Some(first), more @ 1..) = (found.first(), found.len().saturating_sub(PLACES)) {
            lines.push(format!("{}: the same at {more} more places [{}]", first.level().name(), first.kind.code()));
        }
    }
    lines
}

/// What is said of a form, all of it, in the order of the form.
pub(crate) fn as_json(diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        json!({ "code": diagnostic.kind.code(), "level": diagnostic.level().name(), "place": diagnostic.place,
                "text": diagnostic.words(), "advice": diagnostic.kind.advice() })
    };
    diagnostics.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use veldwerk::form::DiagnosticKind as K;

    use super::*;

    fn told(kind: K, place: &str) -> Diagnostic {
        Diagnostic { kind, place: place.to_owned(), detail: String::new() }
    }

    #[test]
    fn the_worst_comes_first_and_many_of_one_kind_are_counted() {
        let mut all = vec![told(K::AuditInert, "/d/meta/audit")];
        all.extend(["a", "b", "c", "d", "e"].map(|id| told(K::MissingText, id)));
        all.push(told(K::BadReference, "/d/x"));
        let lines = lines(&all);
        let starts: Vec<_> = lines.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            starts,
            [
                "error /d/x",
                "warning a",
                "warning b",
                "warning c",
                "warning the same at 2 more places [missing-text]",
                "note /d/meta/audit"
            ]
        );
    }
}

//! Two outputs of the neutral driver, compared state by state.
//!
//! Numbers are equal as numbers, times as moments, labels whatever their white space; who is writable or required matters
//! where a node is relevant; made-up ids are equal.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::canonical;
use crate::driver::TIMEOUT;

/// The kind of difference where JavaRosa goes on and on.
pub(crate) const ENDLESS: &str = "endless";

/// One place at which two states differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// The path without positions; empty for the record as a whole.
    pub(crate) at: String,
    /// What differs: `value`, `relevant`, `choices` …
    pub(crate) kind: &'static str,
    pub(crate) theirs: String,
    pub(crate) ours: String,
}

impl Difference {
    /// Whether it is the same place and kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.at == other.at && self.kind == other.kind
    }
}

/// What one comparison found.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, kind: &'static str, reference: &str, theirs: &Value, ours: &Value) {
        let short = |value: &Value| match value {
            Value::String(text) => text.chars().take(120).collect(),
            Value::Null => "nothing".to_owned(),
            other => other.to_string().chars().take(120).collect(),
        };
        let difference = Difference { at: general(reference), kind, theirs: short(theirs), ours: short(ours) };
        if !self.0.iter().any(|known| known.is_like(&difference)) {
            self.0.push(difference);
        }
    }
}

/// A path without its positions.
pub(crate) fn general(reference: &str) -> String {
    let mut inside = false;
    let outside = |c: &char| {
        inside = (inside || *c == '[') && *c != ']';
        !inside && *c != ']'
    };
    reference.chars().filter(outside).collect()
}

/// The outputs' statuses; nothing if both loaded or neither did. `endless` where JavaRosa alone did not end; that we do not
/// end is never the same as anything.
pub(crate) fn statuses(theirs: &Value, ours: &Value) -> Option<Difference> {
    let mut found = Found::default();
    let we_ended = ours["status"] == "ok" || ours["status"] == "load-error";
    if theirs["status"] != ours["status"] || !we_ended {
        let said = |output: &Value| match output["error"].as_str() {
            Some(error) => format!("{}: {error}", output["status"].as_str().unwrap_or_default()).into(),
            None => output["status"].clone(),
        };
        let kind = if theirs["status"] == TIMEOUT && we_ended { ENDLESS } else { "status" };
        found.add(kind, "", &said(theirs), &said(ours));
    }
    found.0.pop()
}

/// The answers to one event.
pub(crate) fn results(event: &Value, theirs: &Value, ours: &Value) -> Option<Difference> {
    let mut found = Found::default();
    let reference = event["ref"].as_str().unwrap_or_default();
    if theirs["r"] != ours["r"] {
        let said = |result: &Value| match result["error"].as_str() {
            Some(error) => format!("error: {error}").into(),
            None => result["r"].clone(),
        };
        found.add("result", reference, &said(theirs), &said(ours));
    } else if theirs["violation"] != ours["violation"] {
        found.add("violation", reference, &theirs["violation"], &ours["violation"]);
    }
    found.0.pop()
}

/// Two states of a record.
pub(crate) fn states(theirs: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Found::default();
    nodes(theirs, ours, &mut found);
    controls(theirs, ours, &mut found);
    repeats(theirs, ours, &mut found);
    if theirs["language"] != ours["language"] {
        found.add("language", "", &theirs["language"], &ours["language"]);
    }
    // What differs in the nodes differs in the document too; it says more only where they are equal.
    if found.0.is_empty() {
        let document = |state: &Value| canonical::tree(state["submission"].as_str().unwrap_or_default());
        if let Some((at, theirs, ours)) = canonical::first_difference(&document(theirs), &document(ours)) {
            found.add("submission", &at, &theirs.into(), &ours.into());
        }
    }
    found.0
}

/// The entries of one list of a state by their reference; the first of two alike.
fn by_reference<'v>(state: &'v Value, list: &str) -> BTreeMap<(&'v str, bool), &'v Value> {
    let mut entries = BTreeMap::new();
    for entry in state[list].as_array().into_iter().flatten() {
        let is_group = matches!(entry["kind"].as_str(), Some("group" | "repeat"));
        entries.entry((entry["ref"].as_str().unwrap_or_default(), is_group)).or_insert(entry);
    }
    entries
}

fn nodes(theirs: &Value, ours: &Value, found: &mut Found) {
    let (theirs, ours) = (by_reference(theirs, "nodes"), by_reference(ours, "nodes"));
    for (&(reference, _), node) in &ours {
        if !theirs.contains_key(&(reference, false)) {
            found.add("node-extra", reference, &Value::Null, &node["value"]);
        }
    }
    for (&(reference, _), their) in &theirs {
        let Some(our) = ours.get(&(reference, false)) else {
            found.add("node-missing", reference, &their["value"], &Value::Null);
            continue;
        };
        if their["relevant"] != our["relevant"] {
            found.add("relevant", reference, &their["relevant"], &our["relevant"]);
            continue;
        }
        let is_relevant = their["relevant"] == true;
        if !canonical::same(text(&their["value"]), text(&our["value"])) {
            let kind = if is_relevant { "value" } else { "value-of-irrelevant" };
            found.add(kind, reference, &their["value"], &our["value"]);
        }
        if is_relevant {
            for kind in ["readonly", "required", "valid"] {
                if their[kind] != our[kind] {
                    found.add(kind, reference, &their[kind], &our[kind]);
                }
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn controls(theirs: &Value, ours: &Value, found: &mut Found) {
    let known = by_reference(ours, "nodes");
    let (theirs, ours) = (by_reference(theirs, "controls"), by_reference(ours, "controls"));
    // A group has one entry in both only if it has a node of its own and a label; the rest is decoration.
    for (&(reference, is_group), our) in &ours {
        if !is_group && !theirs.contains_key(&(reference, false)) {
            found.add("control-extra", reference, &Value::Null, &our["kind"]);
        }
    }
    for (&(reference, is_group), their) in &theirs {
        let Some(our) = ours.get(&(reference, is_group)) else {
            if !is_group && known.contains_key(&(reference, false)) {
                found.add("control-missing", reference, &their["kind"], &Value::Null);
            }
            continue;
        };
        if their["kind"] != our["kind"] {
            found.add("kind", reference, &their["kind"], &our["kind"]);
            continue;
        }
        for kind in ["label", "hint"] {
            if !same_words(&their[kind], &our[kind]) {
                found.add(kind, reference, &their[kind], &our[kind]);
            }
        }
        choices(reference, their, our, found);
    }
}

fn choices(reference: &str, their: &Value, our: &Value, found: &mut Found) {
    let all = |control: &Value, field: &str| -> Vec<Value> {
        control["choices"].as_array().into_iter().flatten().map(|choice| choice[field].clone()).collect()
    };
    let (their_values, our_values) = (all(their, "value"), all(our, "value"));
    if their_values != our_values {
        let sorted = |values: &[Value]| {
            let mut texts: Vec<String> = values.iter().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        let kind = if sorted(&their_values) == sorted(&our_values) { "choices-order" } else { "choices" };
        found.add(kind, reference, &their_values.into(), &our_values.into());
        return;
    }
    let (their_labels, our_labels) = (all(their, "label"), all(our, "label"));
    if let Some((their, our)) = their_labels.iter().zip(&our_labels).find(|(their, our)| !same_words(their, our)) {
        found.add("choice-label", reference, their, our);
    }
}

fn same_words(theirs: &Value, ours: &Value) -> bool {
    let words = |value: &Value| text(value).split_whitespace().collect::<Vec<_>>().join(" ");
    canonical::same(&words(theirs), &words(ours))
}

fn repeats(theirs: &Value, ours: &Value, found: &mut Found) {
    let (theirs, ours) = (by_reference(theirs, "repeats"), by_reference(ours, "repeats"));
    for (&(reference, _), their) in &theirs {
        match ours.get(&(reference, false)) {
            None => found.add("repeat-missing", reference, &their["count"], &Value::Null),
            Some(our) if their["count"] != our["count"] => {
                found.add("repeat-count", reference, &their["count"], &our["count"]);
            }
            Some(our) if their["can_add"] != our["can_add"] => {
                found.add("can-add", reference, &their["can_add"], &our["can_add"]);
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(value: &str, relevant: bool, choices: &[&str]) -> Value {
        let choices: Vec<_> = choices.iter().map(|choice| json!({"value": choice, "label": "L"})).collect();
        json!({
            "language": null,
            "nodes": [{"ref": "/d/r[2]/q", "value": value, "relevant": relevant, "readonly": false, "required": false, "valid": "ok"}],
            "controls": [{"ref": "/d/r[2]/q", "kind": "select1", "label": "a  b", "hint": null, "choices": choices}],
            "repeats": [{"ref": "/d/r", "count": 2, "can_add": true}],
            "submission": format!("<d><r><q>{value}</q></r></d>"),
        })
    }

    fn kinds(theirs: &Value, ours: &Value) -> Vec<(String, &'static str)> {
        states(theirs, ours).into_iter().map(|difference| (difference.at, difference.kind)).collect()
    }

    #[test]
    fn who_did_not_end_is_told() {
        let kind = |theirs: &str, ours: &str| {
            statuses(&json!({ "status": theirs }), &json!({ "status": ours })).map(|difference| difference.kind)
        };
        assert_eq!(kind("ok", "ok"), None);
        assert_eq!(kind("load-error", "load-error"), None);
        assert_eq!(kind("timeout", "ok"), Some(ENDLESS));
        assert_eq!(kind("timeout", "timeout"), Some("status"));
        assert_eq!(kind("crash", "crash"), Some("status"));
        assert_eq!(kind("ok", "load-error"), Some("status"));
    }

    #[test]
    fn differences_are_told_by_kind_and_place() {
        let base = state("1", true, &["a", "b"]);
        assert_eq!(kinds(&base, &state("1.0", true, &["a", "b"])), []);
        assert_eq!(kinds(&base, &state("2", true, &["a", "b"])), [("/d/r/q".to_owned(), "value")]);
        assert_eq!(kinds(&base, &state("2", false, &["a", "b"])), [("/d/r/q".to_owned(), "relevant")]);
        assert_eq!(kinds(&base, &state("1", true, &["b", "a"])), [("/d/r/q".to_owned(), "choices-order")]);
        assert_eq!(kinds(&base, &state("1", true, &["a"])), [("/d/r/q".to_owned(), "choices")]);
        let mut other = base.clone();
        other["submission"] = "<d><r><q x=''>1</q></r></d>".into();
        assert_eq!(kinds(&base, &other), [("/d/r/q".to_owned(), "submission")]);
        other["repeats"][0]["count"] = 3.into();
        assert_eq!(kinds(&base, &other), [("/d/r".to_owned(), "repeat-count")]);
    }
}

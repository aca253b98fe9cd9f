//! Which expressions are most work: a record is begun and every question is answered once, and what is evaluated is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Told;
use super::spots::spots;
use crate::clock::Step;
use crate::engine::{Engine, Settings};
use crate::form::{ControlKind, DataType, Diagnostic, DiagnosticKind, FormDef};
use crate::ids::{ControlId, NodeId};

/// So many expressions are named.
const NAMED: usize = 10;
/// Steps of one expression in all, from where on a phone is slow for it: about a second.
const DEAR: u64 = 10_000_000;
/// Steps after which no more questions are answered: what is dear has shown by then.
const ENOUGH: u64 = 300_000_000;
/// The moment of the trial, 2026-01-01: the same counts on every day.
const MOMENT_MS: i64 = 1_767_225_600_000;

/// How much work one expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The path of the question.
    pub place: String,
    /// The column of an XLSForm that it stands in.
    pub part: &'static str,
    /// How often it is evaluated: when a record is begun, and for one answer to each question.
    pub evaluations: u64,
    /// Subexpressions and nodes visited in all.
    pub steps: u64,
}

/// The dearest expressions, and a word on those that are too dear.
pub(super) fn dearest(form: &Arc<FormDef>) -> (Vec<Cost>, Vec<Diagnostic>) {
    let Some(engine) = filled(form) else { return (Vec::new(), Vec::new()) };
    let spots = spots(form);
    let mut costs: Vec<Cost> = engine
        .work()
        .into_iter()
        .filter(|(_, work)| work.evaluations > 0)
        .filter_map(|(id, work)| {
            let spot = spots.get(&id)?;
            let (evaluations, steps) = (work.evaluations, work.steps);
            Some(Cost { place: form.path(spot.def), part: spot.part, evaluations, steps })
        })
        .collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.steps));
    let mut told = Told(Vec::new());
    for cost in costs.iter().take_while(|cost| cost.steps > DEAR) {
        let detail = format!("{}, {} steps in {} evaluations", cost.part, cost.steps, cost.evaluations);
        told.tell(DiagnosticKind::DearExpression, cost.place.as_str(), detail);
    }
    costs.truncate(NAMED);
    (costs, told.0)
}

/// A record in which every question that applies has been answered once, in their order, and in a repeat in one row: an answer
/// may bring the next row, and so without end. None if no record can be begun.
fn filled(form: &Arc<FormDef>) -> Option<Engine> {
    let settings = Settings { time_zone: jiff::tz::TimeZone::UTC, properties: BTreeMap::new() };
    let step = |number| Step { at: MOMENT_MS, seed: 0, number };
    let mut engine = Engine::begin(Arc::clone(form), settings, step(0), None).ok()?;
    let mut tried = BTreeSet::new();
    let mut number = 1;
    // An answer may ask for others, so what applies is looked up until nothing new does.
    loop {
        let mut due = Vec::new();
        engine.walk(&mut |_, control, node| {
            if form.controls[control].kind.is_question() && tried.insert(control) {
                due.push((control, node));
            }
        });
        if due.is_empty() {
            return Some(engine);
        }
        for (control, node) in due {
            if engine.work().iter().map(|(_, work)| work.steps).sum::<u64>() > ENOUGH {
                return Some(engine);
            }
            for value in answers(&engine, control, node) {
                number += 1;
                if engine.answer(node, Some(&value), step(number)).is_ok() && engine.violation(node).is_none() {
                    break;
                }
            }
        }
    }
}

/// Some answers that a question may take, the likeliest first.
fn answers(engine: &Engine, control: ControlId, node: NodeId) -> Vec<String> {
    let definition = &engine.form().controls[control];
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    match definition.kind {
        ControlKind::Select1 | ControlKind::Select | ControlKind::Rank => {
            let offer = engine.offer(control, node);
            let first = engine.choices_from(&offer, 0, control, node).next();
            first.map(|choice| choice.value).into_iter().collect()
        }
        ControlKind::Trigger => texts(&["OK"]),
        ControlKind::Range => definition.setting("start").map(str::to_owned).into_iter().collect(),
        ControlKind::Upload => texts(&["file.jpg"]),
        _ => match engine.form().nodes[engine.tree().node(node).def].data_type {
            DataType::Int | DataType::Long | DataType::Decimal => texts(&["1", "30", "2000"]),
            DataType::Boolean => texts(&["1"]),
            DataType::Date => texts(&["2026-01-01", "1990-01-01"]),
            DataType::Time => texts(&["12:00:00.000Z"]),
            DataType::DateTime => texts(&["2026-01-01T12:00:00.000Z"]),
            DataType::Geopoint => texts(&["1 1 0 0"]),
            DataType::Geotrace => texts(&["1 1 0 0; 2 2 0 0"]),
            DataType::Geoshape => texts(&["1 1 0 0; 2 2 0 0; 2 1 0 0; 1 1 0 0"]),
            _ => texts(&["a", "1"]),
        },
    }
}

//! What can be seen of a session from outside, by paths and words: what must be equal where two sessions are one record.

use std::collections::{BTreeMap, BTreeSet};

use veldwerk::form::FormDef;
use veldwerk::ids::NodeId;
use veldwerk::session::{Changes, FormSession, ScreenKey};
use veldwerk::xpath::Function;

/// The paths of all questions of a record, asked or not.
#[must_use]
pub fn questions(session: &FormSession) -> Vec<String> {
    paths(session, |session, id| session.form().nodes[session.engine().tree().node(id).def].control.is_some())
}

/// The paths of all rows of repeats.
#[must_use]
pub fn rows(session: &FormSession) -> Vec<String> {
    paths(session, |session, id| session.form().nodes[session.engine().tree().node(id).def].repeat.is_some())
}

/// The paths of the ranges that a person may add to.
#[must_use]
pub fn ranges(session: &FormSession) -> Vec<String> {
    let screens = session.screens();
    let adds = screens.iter().filter(|key| matches!(key, ScreenKey::Add { .. }));
    adds.map(|key| session.screen_path(key).trim_end_matches('+').to_owned()).collect()
}

fn paths(session: &FormSession, is_meant: impl Fn(&FormSession, NodeId) -> bool) -> Vec<String> {
    let tree = session.engine().tree();
    let nodes = tree.subtree(tree.root()).into_iter();
    nodes.filter(|&id| is_meant(session, id)).map(|id| session.path(id)).collect()
}

/// What a change told.
#[must_use]
pub fn told(session: &FormSession, changes: &Changes) -> (BTreeSet<String>, Vec<String>, usize, bool) {
    let tree = session.engine().tree();
    let touched = changes.touched.iter().filter(|id| tree.get(**id).is_some()).map(|&id| session.path(id)).collect();
    let added = changes.added.iter().map(|&id| session.path(id)).collect();
    (touched, added, changes.removed.len(), changes.language)
}

/// What a person sees: where they are, every question with its text and its choices in order, the screens, and what is wrong.
#[must_use]
pub fn shown(session: &FormSession) -> Vec<String> {
    let mut shown = vec![session.screen_path(&session.current()), format!("{:?}", session.language_name())];
    for path in questions(session) {
        let Some(view) = session.node(&path).and_then(|node| session.question_at(node)) else { continue };
        let choices: Vec<_> =
            view.choices.iter().map(|choice| format!("{}={}", choice.value, choice.label.plain)).collect();
        shown.push(format!("{path} {:?} {choices:?} {:?}", view.label.plain, view.readonly));
    }
    shown.extend(session.screens().iter().map(|key| session.screen_path(key)));
    shown.extend(session.violations().iter().map(|found| format!("{} {:?}", found.path, found.kind)));
    shown
}

/// What each node says, by its id: value, conditions, and of a question its text and its choices.
#[must_use]
pub fn faces(session: &FormSession) -> BTreeMap<NodeId, String> {
    let engine = session.engine();
    let nodes = engine.tree().subtree(engine.tree().root()).into_iter();
    let face = |id: NodeId| {
        let node = engine.tree().node(id);
        let said = session.question_at(id).map(|view| {
            let choices: Vec<_> = view.choices.iter().map(|choice| (&choice.value, &choice.label.plain)).collect();
            format!("{:?} {choices:?}", view.label.plain)
        });
        let conditions = (node.relevant, engine.is_readonly(id), node.required);
        format!("{:?} {:?} {conditions:?} {}", node.value, node.kind, said.unwrap_or_default())
    };
    nodes.map(|id| (id, face(id))).collect()
}

/// The first node that says something else than before without being named among the changes, and both; none if there is none.
#[must_use]
pub fn untold(before: &BTreeMap<NodeId, String>, session: &FormSession, changes: &Changes) -> Option<String> {
    let now = faces(session);
    let other = now.iter().find(|&(id, face)| {
        before.get(id).map_or(!changes.added.iter().any(|&row| is_below(session, *id, row)), |before| {
            before != face && !changes.touched.contains(id) && !changes.language
        })
    });
    other.map(|(id, face)| format!("{}: {:?}, then {face}", session.path(*id), before.get(id)))
}

fn is_below(session: &FormSession, id: NodeId, row: NodeId) -> bool {
    session.engine().tree().ancestors(id).any(|around| around == row)
}

/// The first node at which a record is not what a full recalculation makes of it, and both; none if there is none.
#[must_use]
pub fn stale_node(session: &FormSession) -> Option<String> {
    let (kept, anew) = (session.engine(), session.engine().recomputed());
    let described = |engine: &veldwerk::engine::Engine| -> Vec<String> {
        let tree = engine.tree();
        let nodes = tree.subtree(tree.root()).into_iter();
        let words = nodes.map(|id| {
            let node = tree.node(id);
            let flags = [(node.relevant, "relevant"), (node.own_readonly, "readonly"), (node.required, "required")];
            let flags: Vec<_> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
            format!("{} = {:?} {:?} {}", engine.path(id), node.value, node.kind, flags.join(" "))
        });
        words.collect()
    };
    let (kept, anew) = (described(kept), described(&anew));
    let end = "nothing".to_owned();
    let at = (0..kept.len().max(anew.len())).find(|&at| kept.get(at) != anew.get(at))?;
    let of = |all: &[String]| all.get(at).unwrap_or(&end).clone();
    Some(format!("kept: {}; anew: {}", of(&kept), of(&anew)))
}

/// Whether every value of a form's records follows from the answers alone: not from clock or chance, and nothing that is
/// calculated is asked as well.
#[must_use]
pub fn is_steady(form: &FormDef) -> bool {
    let draws = |function| matches!(function, Function::Now | Function::Today | Function::Random | Function::Uuid);
    let rules = form.graph.rules.iter().filter_map(|(_, rule)| rule.formula);
    let is_once = |function| function == Function::Once;
    let exprs = rules.map(|formula| &form.formulas[formula].expr);
    let mut loose = exprs.filter(|expr| !expr.functions().any(is_once) && expr.functions().any(draws));
    let is_both = |(_, node): (_, &veldwerk::form::NodeDef)| node.calculate.is_some() && node.control.is_some();
    loose.next().is_none() && !form.nodes.iter().any(is_both)
}

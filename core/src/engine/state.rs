//! The state of an engine as text: what a snapshot keeps, so that restoring evaluates nothing.
//!
//! Beside the values it holds what each condition last said, what was still to settle, the moment and number of the step, and
//! the serial numbers of repeats' instances. A value is its text, which is exact, and its kind where that is not its
//! definition's (a snapshot of before there were kinds has none: the next calculation finds them). Nodes are
//! listed in the order of their creation: whatever goes by that order goes the same way after a restore. Definitions are
//! named by their paths, so that another version of this program may number them otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Engine, Settings};
use crate::clock::Step;
use crate::form::FormDef;
use crate::ids::{DefId, NodeId};
use crate::instance::{Kind, Stored, Tree};
use crate::{Error, ErrorKind, Result};

/// The state of an [`Engine`]. Fields that this version does not know are ignored when one is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineState {
    /// Moment of the last step, in milliseconds since 1970.
    at: i64,
    /// Number of the last step.
    step: u64,
    /// The language shown, by the name the form gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// How many instances of repeats were ever created.
    serials: u32,
    /// The paths of the definitions that nodes have.
    paths: Vec<String>,
    /// The nodes in the order of their creation.
    nodes: Vec<NodeState>,
    /// Nodes whose answers had still to be compared with their choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stale_choices: Vec<usize>,
    /// Repeats whose number had still to be looked at: the repeat's path, the node around it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stale_counts: Vec<(usize, usize)>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NodeState {
    /// Its definition, as a position in `paths`.
    #[serde(rename = "d")]
    definition: usize,
    /// The node around it, as a position in `nodes`.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    parent: Option<usize>,
    #[serde(rename = "v", default, skip_serializing_if = "String::is_empty")]
    value: String,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    serial: u32,
    #[serde(rename = "off", default, skip_serializing_if = "is_false")]
    not_relevant: bool,
    #[serde(rename = "ro", default, skip_serializing_if = "is_false")]
    readonly: bool,
    #[serde(rename = "req", default, skip_serializing_if = "is_false")]
    required: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_false(truth: &bool) -> bool {
    !truth
}

impl Engine {
    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> EngineState {
        let mut paths = Numbers::default();
        let mut numbers = BTreeMap::new();
        let nodes = self.tree.by_creation().enumerate().map(|(number, id)| {
            numbers.insert(id, number);
            let node = self.tree.node(id);
            NodeState {
                definition: paths.of(node.def),
                parent: node.parent.and_then(|parent| numbers.get(&parent).copied()),
                value: node.value.clone(),
                kind: node.kind,
                serial: node.serial,
                not_relevant: !node.own_relevant,
                readonly: node.own_readonly,
                required: node.required,
            }
        });
        let nodes = nodes.collect();
        let stale_choices = self.stale_choices.iter().filter_map(|id| numbers.get(id).copied()).collect();
        let stale_counts = self.stale_counts.iter().filter_map(|(control, parent)| {
            Some((paths.of(self.form.controls[*control].node?), *numbers.get(parent)?))
        });
        let stale_counts = stale_counts.collect();
        EngineState {
            at: self.step.at,
            step: self.step.number,
            language: self.languages.get(self.language).map(|language| language.name.clone()),
            serials: self.tree.serials(),
            paths: paths.listed.into_iter().map(|def| self.form.path(def)).collect(),
            nodes,
            stale_choices,
            stale_counts,
        }
    }

    /// A record exactly as its state says. Nothing is evaluated.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`] if the form has no place for a part of it.
    pub fn from_state(
        form: Arc<FormDef>,
        settings: Settings,
        state: &EngineState,
        seed: u64,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let (tree, ids) = state.tree(&form)?;
        let defs = state.definitions(&form)?;
        let node = |number: &usize| ids.get(*number).copied();
        let stale_choices = state.stale_choices.iter().filter_map(node).collect();
        let stale_counts = state
            .stale_counts
            .iter()
            .filter_map(|(definition, parent)| Some((form.nodes[*defs.get(*definition)?].repeat?, node(parent)?)));
        let stale_counts: BTreeSet<_> = stale_counts.collect();
        let step = Step { at: state.at, seed, number: state.step };
        let mut engine = Self::over(form, settings, tree, step, last_saved);
        (engine.stale_choices, engine.stale_counts) = (stale_choices, stale_counts);
        if let Some(language) = &state.language {
            engine.language =
                engine.languages.iter().position(|known| known.name == *language).unwrap_or(engine.language);
        }
        Ok(engine)
    }
}

impl EngineState {
    fn definitions(&self, form: &FormDef) -> Result<Vec<DefId>> {
        let found = self.paths.iter().map(|path| form.find(path).ok_or_else(unreadable));
        found.collect()
    }

    /// The nodes, with their ids in the order of the list.
    fn tree(&self, form: &FormDef) -> Result<(Tree, Vec<NodeId>)> {
        let defs = self.definitions(form)?;
        let mut tree = Tree::new(form);
        let mut ids = Vec::with_capacity(self.nodes.len());
        for state in &self.nodes {
            let def = *defs.get(state.definition).ok_or_else(unreadable)?;
            let parent = match state.parent {
                Some(parent) => Some(*ids.get(parent).ok_or_else(unreadable)?),
                None => None,
            };
            // The root comes first and alone has nothing around it; every other node lies where its definition says.
            let around = parent.map(|parent| tree.node(parent).def);
            if around != form.nodes[def].parent || parent.is_none() != ids.is_empty() {
                return Err(unreadable());
            }
            let id = tree.add(form, def, parent);
            let relevant = !state.not_relevant && parent.is_none_or(|parent| tree.node(parent).relevant);
            tree.hold(id, Stored { text: state.value.clone(), kind: state.kind });
            let node = tree.node_mut(id);
            node.serial = state.serial;
            (node.own_relevant, node.relevant) = (!state.not_relevant, relevant);
            (node.own_readonly, node.required) = (state.readonly, state.required);
            ids.push(id);
        }
        if ids.is_empty() {
            return Err(unreadable());
        }
        tree.set_serials(self.serials);
        Ok((tree, ids))
    }
}

/// Definitions by the order in which they were first met.
#[derive(Default)]
struct Numbers {
    listed: Vec<DefId>,
    known: BTreeMap<DefId, usize>,
}

impl Numbers {
    fn of(&mut self, def: DefId) -> usize {
        *self.known.entry(def).or_insert_with(|| {
            self.listed.push(def);
            self.listed.len() - 1
        })
    }
}

fn unreadable() -> Error {
    Error::new(ErrorKind::UnreadableRecord, "the state does not fit the form")
}

/// Tells no answer.
impl std::fmt::Debug for NodeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeState").field("definition", &self.definition).finish_non_exhaustive()
    }
}

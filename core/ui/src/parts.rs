//! The parts of a questionnaire, which tell a person how far it is (ui.md, Decisions).
//!
//! A part is a group at the top of the form; a group that holds groups with labels (and is no screen of its own) gives way to
//! those. A question between groups belongs to the part before it. Parts are counted rather than screens, because their
//! number hardly changes with the answers: one that does not apply yet still counts, as something that comes later, unless
//! what was answered has ruled it out.

use std::collections::{BTreeMap, BTreeSet};

use veldwerk::form::{Condition, ControlKind, Facet, FormDef};
use veldwerk::ids::{ControlId, DefId};
use veldwerk::session::{FormSession, ScreenKey};

/// The parts of one form.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The groups, in the order of the form.
    groups: Vec<ControlId>,
    /// For each node with a condition or a calculation, the nodes that these read.
    reads: BTreeMap<DefId, BTreeSet<DefId>>,
}

/// Where a screen stands among the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The group of its part.
    pub(crate) group: ControlId,
    /// Which part that is, from 1.
    pub(crate) part: usize,
    /// Of how many.
    pub(crate) parts: usize,
}

impl Parts {
    pub(crate) fn of(form: &FormDef) -> Self {
        let mut groups = Vec::new();
        collect(form, &form.body, &mut groups);
        let mut reads: BTreeMap<DefId, BTreeSet<DefId>> = BTreeMap::new();
        for (read, _) in form.nodes.iter() {
            for edge in form.graph.readers(read) {
                let Some(rule) = form.graph.rules.get(edge.rule) else { continue };
                if matches!(rule.facet, Facet::Relevant | Facet::Calculate) {
                    reads.entry(rule.target).or_default().insert(read);
                }
            }
        }
        Self { groups, reads }
    }

    /// The part of a screen; none for a form that has no parts.
    pub(crate) fn place(&self, session: &FormSession, screen: &ScreenKey) -> Option<Place> {
        let form = session.form();
        let here = match *screen {
            ScreenKey::Node(node) => {
                let def = session.engine().tree().get(node)?.def;
                let group = || form.controls.iter().find(|(_, control)| control.node == Some(def)).map(|(id, _)| id);
                form.nodes[def].control.or_else(group)?
            }
            ScreenKey::Add { repeat, .. } => form.nodes[repeat].repeat?,
            ScreenKey::End => {
                *self.groups.iter().rfind(|group| self.counts(session, **group)).or(self.groups.last())?
            }
        };
        let group = self.of_control(here)?;
        let counted = self.counted_around(session, group);
        let part = counted.iter().position(|&known| known == group)? + 1;
        Some(Place { group, part, parts: counted.len() })
    }

    /// The parts that apply or may come to, and the one of a screen in any case.
    pub(crate) fn counted(&self, session: &FormSession, screen: &ScreenKey) -> Vec<ControlId> {
        self.place(session, screen).map_or_else(Vec::new, |place| self.counted_around(session, place.group))
    }

    fn counted_around(&self, session: &FormSession, here: ControlId) -> Vec<ControlId> {
        self.groups.iter().copied().filter(|&group| group == here || self.counts(session, group)).collect()
    }

    /// The part that a control belongs to; none in a form without parts.
    pub(crate) fn of_control(&self, control: ControlId) -> Option<ControlId> {
        // Controls are numbered in the order of the body.
        self.groups.iter().rfind(|&&group| group <= control).or(self.groups.first()).copied()
    }

    /// The name of a part in the language shown; none if the form has none for it.
    pub(crate) fn name(&self, session: &FormSession, group: ControlId) -> Option<String> {
        session.group_label(group).map(|label| label.plain)
    }

    /// Whether a part is counted: it applies, or may still come to.
    fn counts(&self, session: &FormSession, group: ControlId) -> bool {
        let form = session.form();
        let Some(def) = form.controls[group].node else { return true };
        let tree = session.engine().tree();
        if tree.instances_below(form, tree.root(), def).iter().any(|&node| tree.node(node).relevant) {
            return true;
        }
        let around: Vec<DefId> = form.ancestors(def).collect();
        let conditional = around.into_iter().filter(|&def| matches!(form.nodes[def].relevant, Condition::Formula(_)));
        let mut seen = BTreeSet::new();
        conditional.into_iter().any(|def| self.waits(session, def, &mut seen))
    }

    /// Whether what the condition or calculation of a node reads waits for an answer.
    fn waits(&self, session: &FormSession, def: DefId, seen: &mut BTreeSet<DefId>) -> bool {
        let mut open = vec![def];
        while let Some(def) = open.pop() {
            for &read in self.reads.get(&def).into_iter().flatten() {
                if !seen.insert(read) {
                    continue;
                }
                if self.is_unanswered(session, read) {
                    return true;
                }
                open.push(read);
            }
        }
        false
    }

    /// Whether a node is a question that is asked and has no answer.
    fn is_unanswered(&self, session: &FormSession, def: DefId) -> bool {
        let (form, tree) = (session.form(), session.engine().tree());
        let node = &form.nodes[def];
        if node.control.is_none() || node.calculate.is_some() {
            return false;
        }
        tree.instances_below(form, tree.root(), def).iter().any(|&id| {
            let node = tree.node(id);
            node.relevant && node.value.is_empty() && !session.engine().is_readonly(id)
        })
    }
}

fn collect(form: &FormDef, controls: &[ControlId], groups: &mut Vec<ControlId>) {
    for &id in controls {
        let control = &form.controls[id];
        match control.kind {
            ControlKind::Group if !control.is_field_list() && holds_labelled_groups(form, id) => {
                collect(form, &control.children, groups);
            }
            ControlKind::Group | ControlKind::Repeat if has_question(form, id) => groups.push(id),
            _ => {}
        }
    }
}

fn holds_labelled_groups(form: &FormDef, group: ControlId) -> bool {
    form.controls[group].children.iter().any(|&child| {
        let child = &form.controls[child];
        child.kind == ControlKind::Group && child.label.is_some() && !child.is_field_list()
    })
}

fn has_question(form: &FormDef, group: ControlId) -> bool {
    form.controls[group].children.iter().any(|&child| {
        let kind = form.controls[child].kind;
        kind.is_question() || has_question(form, child)
    })
}

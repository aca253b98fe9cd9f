//! The nodes of a record.
//!
//! Every node has a slot for each child its definition has, in the definition's order, with all its nodes of that definition
//! in theirs; and it knows its own place among them. So the order of a document follows from the form, and finding, adding
//! and counting cost the same in a range of ten thousand rows as in an empty one. What nodes hold and how they hang together
//! lie apart: a change that adds ten thousand rows to a range writes down ten thousand links to undo, not as many copies of
//! a growing list.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Kind, Stored};
use crate::form::{Condition, FormDef};
use crate::ids::{DefId, Id, IndexVec, NodeId};

/// The most bytes all values of a record may have together.
pub const MAX_BYTES: usize = 64 << 20;

/// One node of a record. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct Node {
    /// Its definition.
    pub def: DefId,
    /// The node around it; none for the root.
    pub parent: Option<NodeId>,
    /// Lexical value; empty for groups. [`Tree::set_value`] changes it.
    pub value: String,
    /// What the value is read as, if not as its definition says.
    pub kind: Option<Kind>,
    /// What its own condition says, whatever the parents.
    pub own_relevant: bool,
    /// Whether it and everything around it is relevant.
    pub relevant: bool,
    /// What its own condition says; the nodes below inherit it.
    pub own_readonly: bool,
    /// Whether an answer is required.
    pub required: bool,
    /// The how-manieth instance of the record it is by creation, from 1; 0 if it is no instance of a repeat. Positions move
    /// when an instance goes, this number never does.
    pub serial: u32,
}

/// How a node hangs in the tree.
#[derive(Clone, Debug, Default)]
struct Links {
    /// Which slot of its parent it is in.
    slot: u32,
    /// Its place in the slot, from 0.
    ordinal: u32,
    removed: bool,
    /// The last change that has written down what the node was before.
    saved_in: u32,
    /// Its children: attributes first, then elements, as the form orders them.
    slots: Box<[SmallVec<[NodeId; 2]>]>,
}

/// The nodes of a record. An id is never used again, so that the id of a removed node stays dead.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Per definition its slot in the node around it.
    slots: Arc<[u32]>,
    nodes: IndexVec<NodeId, Node>,
    links: IndexVec<NodeId, Links>,
    /// How many instances of repeats were ever created.
    serials: u32,
    /// Bytes of all values together.
    n_bytes: usize,
    /// How many changes there were.
    n_changes: u32,
    /// What the change under way has overwritten.
    overwritten: Option<Overwritten>,
}

/// What must be put back to undo a change.
#[derive(Clone, Debug)]
struct Overwritten {
    n_nodes: usize,
    serials: u32,
    n_bytes: usize,
    /// Nodes as they were.
    nodes: Vec<(NodeId, Node)>,
    /// What was added and removed, the first first.
    linked: Vec<Linked>,
}

#[derive(Clone, Copy, Debug)]
enum Linked {
    Added(NodeId),
    Removed(NodeId),
}

impl Tree {
    /// A tree without nodes for records of a form.
    #[must_use]
    pub fn new(form: &FormDef) -> Self {
        let mut slots = vec![0; form.nodes.len()];
        for (_, definition) in form.nodes.iter() {
            for (slot, &child) in (0..).zip(definition.attributes.iter().chain(&definition.children)) {
                if let Some(known) = slots.get_mut(child.index()) {
                    *known = slot;
                }
            }
        }
        Self {
            slots: slots.into(),
            nodes: IndexVec::default(),
            links: IndexVec::default(),
            serials: 0,
            n_bytes: 0,
            n_changes: 0,
            overwritten: None,
        }
    }

    /// The root; there always is one.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// A node that is part of the record, or `None` if it was removed or never was.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id).filter(|_| !self.links[id].removed)
    }

    /// A node, removed or not, whose id came from this tree.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The same, to change anything but its value.
    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let node = &mut self.nodes[id];
        if let Some(overwritten) = &mut self.overwritten
            && id.index() < overwritten.n_nodes
            && self.links[id].saved_in != self.n_changes
        {
            self.links[id].saved_in = self.n_changes;
            overwritten.nodes.push((id, node.clone()));
        }
        node
    }

    /// Gives a node another value, which is read as its definition says.
    pub fn set_value(&mut self, id: NodeId, value: String) {
        self.hold(id, Stored::plain(value));
    }

    /// The same for a computed value, which may be of another kind.
    pub fn hold(&mut self, id: NodeId, stored: Stored) {
        let node = self.node_mut(id);
        let (before, now) = (node.value.len(), stored.text.len());
        (node.value, node.kind) = (stored.text, stored.kind);
        self.n_bytes = self.n_bytes + now - before;
    }

    /// Begins a change that can be undone.
    pub fn begin_change(&mut self) {
        self.n_changes = self.n_changes.wrapping_add(1);
        self.overwritten = Some(Overwritten {
            n_nodes: self.nodes.len(),
            serials: self.serials,
            n_bytes: self.n_bytes,
            nodes: Vec::new(),
            linked: Vec::new(),
        });
    }

    /// The change holds.
    pub fn keep_change(&mut self) {
        self.overwritten = None;
    }

    /// The record is as it was when the change was begun.
    pub fn undo_change(&mut self) {
        let Some(Overwritten { n_nodes, serials, n_bytes, nodes, linked }) = self.overwritten.take() else { return };
        for linked in linked.into_iter().rev() {
            match linked {
                Linked::Added(id) => self.take_out(id),
                Linked::Removed(id) => {
                    self.put_in(id);
                    self.mark(id, false);
                }
            }
        }
        for (id, node) in nodes {
            self.nodes[id] = node;
        }
        self.nodes.truncate(n_nodes);
        self.links.truncate(n_nodes);
        (self.serials, self.n_bytes) = (serials, n_bytes);
    }

    /// Bytes of all values together, those of removed nodes among them.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// How many nodes there are, removed ones among them.
    #[must_use]
    pub fn n_slots(&self) -> usize {
        self.nodes.len()
    }

    /// Children in order, attributes first.
    pub fn children(&self, id: NodeId) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.links[id].slots.iter().flatten().copied()
    }

    /// The children of one definition in order.
    #[must_use]
    pub fn children_of(&self, id: NodeId, def: DefId) -> &[NodeId] {
        let slot = self.slots.get(def.index()).and_then(|&slot| self.links[id].slots.get(slot as usize));
        // Another definition may have the same slot elsewhere.
        slot.filter(|nodes| nodes.first().is_some_and(|&first| self.nodes[first].def == def)).map_or(&[], |nodes| nodes)
    }

    /// A node with the ones around it, from itself up to the root; nothing for a node that never was.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(id).filter(|&id| self.nodes.get(id).is_some()), |&id| self.nodes[id].parent)
    }

    /// The nearest node around (or at) `id` that has this definition.
    #[must_use]
    pub fn ancestor_of(&self, id: NodeId, def: DefId) -> Option<NodeId> {
        self.ancestors(id).find(|&id| self.nodes[id].def == def)
    }

    /// A node and everything below it, in document order.
    #[must_use]
    pub fn subtree(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            found.push(id);
            pending.extend(self.children(id).rev());
        }
        found
    }

    /// Every node of a definition below (or at) `top`, in document order.
    #[must_use]
    pub fn instances_below(&self, form: &FormDef, top: NodeId, def: DefId) -> Vec<NodeId> {
        let mut path: SmallVec<[DefId; 8]> =
            form.ancestors(def).take_while(|&def| def != self.nodes[top].def).collect();
        if path.last().map_or(def, |&first| form.nodes[first].parent.unwrap_or(first)) != self.nodes[top].def {
            return Vec::new();
        }
        path.reverse();
        path.into_iter().fold(vec![top], |nodes, def| {
            nodes.into_iter().flat_map(|node| self.children_of(node, def).iter().copied()).collect()
        })
    }

    /// The 1-based place of a node among its siblings of the same definition.
    #[must_use]
    pub fn position(&self, id: NodeId) -> usize {
        self.links[id].ordinal as usize + 1
    }

    /// Whether there is an element below it.
    #[must_use]
    pub fn has_elements(&self, form: &FormDef, id: NodeId) -> bool {
        let n_attributes = form.nodes[self.nodes[id].def].attributes.len();
        self.links[id].slots.iter().skip(n_attributes).any(|slot| !slot.is_empty())
    }

    /// Adds a node behind the others of its definition. Its relevance follows its parent's until its own rule has spoken.
    pub fn add(&mut self, form: &FormDef, def: DefId, parent: Option<NodeId>) -> NodeId {
        let definition = &form.nodes[def];
        let constant = |condition, otherwise| match condition {
            Condition::Constant(constant) => constant,
            Condition::Formula(_) => otherwise,
        };
        let own_relevant = constant(definition.relevant, true);
        self.serials += u32::from(definition.repeat.is_some());
        let id = self.nodes.push(Node {
            def,
            parent,
            value: String::new(),
            kind: None,
            own_relevant,
            relevant: own_relevant && parent.is_none_or(|parent| self.nodes[parent].relevant),
            own_readonly: constant(definition.readonly, false),
            required: constant(definition.required, false),
            serial: if definition.repeat.is_some() { self.serials } else { 0 },
        });
        let n_slots = definition.attributes.len() + definition.children.len();
        let slot = self.slots.get(def.index()).copied().unwrap_or_default();
        let before = parent.map_or(0, |parent| self.slot(parent, slot).len());
        self.links.push(Links {
            slot,
            ordinal: u32::try_from(before).unwrap_or(u32::MAX),
            slots: std::iter::repeat_with(SmallVec::new).take(n_slots).collect(),
            ..Links::default()
        });
        self.put_in(id);
        if let Some(overwritten) = &mut self.overwritten {
            overwritten.linked.push(Linked::Added(id));
        }
        id
    }

    fn slot(&self, parent: NodeId, slot: u32) -> &[NodeId] {
        self.links[parent].slots.get(slot as usize).map_or(&[], |nodes| nodes)
    }

    /// Puts a node where its links say; the ones behind it move down.
    fn put_in(&mut self, id: NodeId) {
        self.change_slot(id, |slot, ordinal| slot.insert(ordinal.min(slot.len()), id));
    }

    /// Takes a node out of its slot; the ones behind it move up.
    fn take_out(&mut self, id: NodeId) {
        self.change_slot(id, |slot, ordinal| {
            if slot.get(ordinal) == Some(&id) {
                slot.remove(ordinal);
            }
        });
    }

    fn change_slot(&mut self, id: NodeId, change: impl FnOnce(&mut SmallVec<[NodeId; 2]>, usize)) {
        let Some(parent) = self.nodes[id].parent else { return };
        let Links { slot, ordinal, .. } = self.links[id];
        let Some(nodes) = self.links[parent].slots.get_mut(slot as usize) else { return };
        let mut nodes = std::mem::take(nodes);
        change(&mut nodes, ordinal as usize);
        for (ordinal, &node) in nodes.iter().enumerate().skip(ordinal as usize) {
            self.links[node].ordinal = u32::try_from(ordinal).unwrap_or(u32::MAX);
        }
        if let Some(slot) = self.links[parent].slots.get_mut(slot as usize) {
            *slot = nodes;
        }
    }

    /// How many instances of repeats were ever created, gone ones among them.
    #[must_use]
    pub fn serials(&self) -> u32 {
        self.serials
    }

    /// Goes on counting instances behind this number.
    pub fn set_serials(&mut self, serials: u32) {
        self.serials = serials;
    }

    /// Every node that is part of the record, in the order of creation.
    pub fn by_creation(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.links.iter().filter(|(_, links)| !links.removed).map(|(id, _)| id)
    }

    /// Takes a node and everything below it out of the record.
    pub fn remove(&mut self, id: NodeId) {
        self.take_out(id);
        self.mark(id, true);
        if let Some(overwritten) = &mut self.overwritten {
            overwritten.linked.push(Linked::Removed(id));
        }
    }

    fn mark(&mut self, id: NodeId, removed: bool) {
        for node in self.subtree(id) {
            self.links[node].removed = removed;
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("def", &self.def).field("parent", &self.parent).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn form() -> FormDef {
        let xml = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head><model>
            <instance><d id="t"><a/><r kind=""><x/><s><y/></s></r><b/></d></instance></model></h:head>
            <h:body><repeat nodeset="/d/r"><input ref="/d/r/x"/><repeat nodeset="/d/r/s"><input ref="/d/r/s/y"/></repeat>
            </repeat></h:body></h:html>"#;
        FormDef::load(xml, &BTreeMap::new()).unwrap().0
    }

    /// All that can be seen of a tree from outside.
    fn seen(tree: &Tree) -> Vec<(NodeId, usize, String, u32, bool)> {
        let order = tree.subtree(tree.root()).into_iter();
        let mut seen: Vec<_> = order
            .map(|id| {
                (id, tree.position(id), tree.node(id).value.clone(), tree.node(id).serial, tree.node(id).required)
            })
            .collect();
        seen.push((NodeId(0), tree.n_bytes(), String::new(), tree.serials(), tree.by_creation().count() > 0));
        seen
    }

    /// Adds, removes or sets something, chosen by numbers.
    fn act(tree: &mut Tree, form: &FormDef, which: usize, what: usize) {
        let nodes = tree.subtree(tree.root());
        let id = nodes[which % nodes.len()];
        let definition = &form.nodes[tree.node(id).def];
        match what % 5 {
            0 if definition.repeat.is_some() => tree.remove(id),
            1 => tree.node_mut(id).required = what.is_multiple_of(2),
            2 => tree.set_value(id, "x".repeat(what % 17)),
            _ => {
                let below: Vec<_> = definition.attributes.iter().chain(&definition.children).copied().collect();
                let Some(&def) = below.get(what % below.len().max(1)) else { return };
                if form.nodes[def].repeat.is_some() || tree.children_of(id, def).is_empty() {
                    tree.add(form, def, Some(id));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nodes_stand_as_the_form_orders_them_and_a_change_undone_never_was(
            before in prop::collection::vec(any::<(u16, u16)>(), 0..40),
            undone in prop::collection::vec(any::<(u16, u16)>(), 0..40),
        ) {
            let form = form();
            let mut tree = Tree::new(&form);
            tree.add(&form, form.root(), None);
            for &(which, what) in &before {
                act(&mut tree, &form, which.into(), what.into());
            }
            let was = seen(&tree);
            for round in 0..2 {
                tree.begin_change();
                for &(which, what) in &undone[round.min(undone.len())..] {
                    act(&mut tree, &form, which.into(), what.into());
                }
                tree.undo_change();
                prop_assert_eq!(&seen(&tree), &was);
            }

            let mut n_bytes = 0;
            for id in tree.subtree(tree.root()) {
                let def = tree.node(id).def;
                let rank = |&child: &NodeId| {
                    let definition = &form.nodes[def];
                    definition.attributes.iter().chain(&definition.children).position(|&def| def == tree.node(child).def)
                };
                let children: Vec<_> = tree.children(id).collect();
                prop_assert!(children.iter().map(rank).is_sorted());
                for &child in &children {
                    let siblings = tree.children_of(id, tree.node(child).def);
                    prop_assert_eq!(siblings.get(tree.position(child) - 1), Some(&child));
                }
                prop_assert_eq!(tree.children_of(id, form.root()), &[] as &[NodeId]);
                n_bytes += tree.node(id).value.len();
            }
            prop_assert!(n_bytes <= tree.n_bytes());
        }
    }
}

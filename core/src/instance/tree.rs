use std::fmt;

use crate::form::FormDef;
use crate::ids::{DefId, Id, IndexVec, NodeId};

/// One node of a record. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct Node {
    /// Its definition.
    pub def: DefId,
    /// The node around it; none for the root.
    pub parent: Option<NodeId>,
    first_child: Option<NodeId>,
    last_child: Option<NodeId>,
    next: Option<NodeId>,
    previous: Option<NodeId>,
    /// Lexical value; empty for groups.
    pub value: String,
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
    removed: bool,
}

/// The nodes of a record. Slots are never used again, so that the id of a removed node stays dead.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: IndexVec<NodeId, Node>,
    /// How many instances of repeats were ever created.
    serials: u32,
    /// What the change under way has overwritten.
    overwritten: Option<Overwritten>,
}

/// What must be put back to undo a change.
#[derive(Clone, Debug)]
struct Overwritten {
    n_nodes: usize,
    serials: u32,
    /// Nodes as they were, the first overwritten first.
    nodes: Vec<(NodeId, Node)>,
}

impl Tree {
    /// The root; there always is one.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// A node that is part of the record, or `None` if it was removed or never was.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id).filter(|node| !node.removed)
    }

    /// A node, removed or not, whose id came from this tree.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The same, to change it.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let node = &mut self.nodes[id];
        if let Some(overwritten) = &mut self.overwritten
            && id.index() < overwritten.n_nodes
        {
            overwritten.nodes.push((id, node.clone()));
        }
        node
    }

    /// Begins a change that can be undone.
    pub fn begin_change(&mut self) {
        self.overwritten = Some(Overwritten { n_nodes: self.nodes.len(), serials: self.serials, nodes: Vec::new() });
    }

    /// The change holds.
    pub fn keep_change(&mut self) {
        self.overwritten = None;
    }

    /// The record is as it was when the change was begun.
    pub fn undo_change(&mut self) {
        let Some(Overwritten { n_nodes, serials, nodes }) = self.overwritten.take() else { return };
        for (id, node) in nodes.into_iter().rev() {
            self.nodes[id] = node;
        }
        self.nodes.truncate(n_nodes);
        self.serials = serials;
    }

    /// Bytes of all values together.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.nodes.iter().map(|(_, node)| node.value.len()).sum()
    }

    /// How many nodes there are, removed ones among them.
    #[must_use]
    pub fn n_slots(&self) -> usize {
        self.nodes.len()
    }

    /// Children in order, attributes among them.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.nodes[id].first_child, |&child| self.nodes[child].next)
    }

    /// The children of one definition in order.
    pub fn children_of(&self, id: NodeId, def: DefId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(id).filter(move |&child| self.nodes[child].def == def)
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
            let at = pending.len();
            pending.extend(self.children(id));
            if let Some(children) = pending.get_mut(at..) {
                children.reverse();
            }
        }
        found
    }

    /// Every node of a definition below (or at) `top`, in document order.
    #[must_use]
    pub fn instances_below(&self, form: &FormDef, top: NodeId, def: DefId) -> Vec<NodeId> {
        let mut path: Vec<_> = form.ancestors(def).take_while(|&def| def != self.nodes[top].def).collect();
        if path.last().map_or(def, |&first| form.nodes[first].parent.unwrap_or(first)) != self.nodes[top].def {
            return Vec::new();
        }
        path.reverse();
        path.into_iter()
            .fold(vec![top], |nodes, def| nodes.into_iter().flat_map(|node| self.children_of(node, def)).collect())
    }

    /// The 1-based place of a node among its siblings of the same definition.
    #[must_use]
    pub fn position(&self, id: NodeId) -> usize {
        let def = self.nodes[id].def;
        let before = std::iter::successors(self.nodes[id].previous, |&id| self.nodes[id].previous);
        1 + before.filter(|&id| self.nodes[id].def == def).count()
    }

    /// Whether there is an element below it.
    #[must_use]
    pub fn has_elements(&self, form: &FormDef, id: NodeId) -> bool {
        self.children(id).any(|child| !form.nodes[self.nodes[child].def].is_attribute)
    }

    /// Adds a node as the last child, or right behind the last sibling of its definition, so that the instances of a
    /// repeat stay together. Its relevance follows its parent's until its own rule has spoken.
    pub fn add(&mut self, form: &FormDef, def: DefId, parent: Option<NodeId>) -> NodeId {
        let definition = &form.nodes[def];
        let constant = |condition, otherwise| match condition {
            crate::form::Condition::Constant(constant) => constant,
            crate::form::Condition::Formula(_) => otherwise,
        };
        let own_relevant = constant(definition.relevant, true);
        self.serials += u32::from(definition.repeat.is_some());
        let id = self.nodes.push(Node {
            def,
            parent,
            first_child: None,
            last_child: None,
            next: None,
            previous: None,
            value: String::new(),
            own_relevant,
            relevant: own_relevant && parent.is_none_or(|parent| self.nodes[parent].relevant),
            own_readonly: constant(definition.readonly, false),
            required: constant(definition.required, false),
            serial: if definition.repeat.is_some() { self.serials } else { 0 },
            removed: false,
        });
        if let Some(parent) = parent {
            let sibling = if definition.repeat.is_some() { self.children_of(parent, def).last() } else { None };
            self.link(parent, id, sibling.or_else(|| self.place_for(form, parent, def)));
        }
        id
    }

    /// Where the first node of a definition belongs: behind the last one of the definitions before it.
    fn place_for(&self, form: &FormDef, parent: NodeId, def: DefId) -> Option<NodeId> {
        let siblings = &form.nodes[self.nodes[parent].def];
        if form.nodes[def].is_attribute {
            return self.children(parent).take_while(|&child| form.nodes[self.nodes[child].def].is_attribute).last();
        }
        let rank = |def| siblings.children.iter().position(|&child| child == def);
        let own = rank(def);
        // Records are made and read in order, so the place is nearly always the end.
        let last = self.nodes[parent].last_child;
        if last.is_some_and(|last| rank(self.nodes[last].def) <= own) {
            return last;
        }
        self.children(parent).take_while(|&child| rank(self.nodes[child].def) <= own).last()
    }

    fn link(&mut self, parent: NodeId, id: NodeId, after: Option<NodeId>) {
        let next = match after {
            Some(after) => self.node_mut(after).next.replace(id),
            None => self.node_mut(parent).first_child.replace(id),
        };
        let node = self.node_mut(id);
        (node.previous, node.next) = (after, next);
        match next {
            Some(next) => self.node_mut(next).previous = Some(id),
            None => self.node_mut(parent).last_child = Some(id),
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
        self.nodes.iter().filter(|(_, node)| !node.removed).map(|(id, _)| id)
    }

    /// Takes a node and everything below it out of the record.
    pub fn remove(&mut self, id: NodeId) {
        let Node { parent, previous, next, .. } = self.nodes[id];
        match (previous, parent) {
            (Some(previous), _) => self.node_mut(previous).next = next,
            (None, Some(parent)) => self.node_mut(parent).first_child = next,
            (None, None) => {}
        }
        match (next, parent) {
            (Some(next), _) => self.node_mut(next).previous = previous,
            (None, Some(parent)) => self.node_mut(parent).last_child = previous,
            (None, None) => {}
        }
        for node in self.subtree(id) {
            self.node_mut(node).removed = true;
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("def", &self.def).field("parent", &self.parent).finish_non_exhaustive()
    }
}

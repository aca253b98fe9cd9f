use std::collections::HashMap;
use std::ops::{Deref, Index, IndexMut};

use super::NodeDef;
use crate::ids::{DefId, IndexVec};
use crate::xml::{NameId, Names};
use crate::xpath;

/// The nodes of a form's records, one per path, and the way from one to another by name. Every reference that a form or a
/// caller writes is followed here.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    nodes: IndexVec<DefId, NodeDef>,
    by_name: HashMap<(DefId, bool, NameId), DefId>,
}

impl Structure {
    /// Appends a node below its parent. Of two children with one name the first is found by it.
    pub(super) fn push(&mut self, node: NodeDef) -> DefId {
        let (parent, is_attribute, name) = (node.parent, node.is_attribute, node.name);
        let def = self.nodes.push(node);
        if let Some(parent) = parent {
            let around = &mut self.nodes[parent];
            if is_attribute {
                around.attributes.push(def)
            } else {
                around.children.push(def)
            }
            self.by_name.entry((parent, is_attribute, name)).or_insert(def);
        }
        def
    }

    /// The root; every structure has one by the time it is asked.
    #[must_use]
    pub fn root(&self) -> DefId {
        DefId(0)
    }

    /// The element of this name below a node.
    #[must_use]
    pub fn child(&self, parent: DefId, name: NameId) -> Option<DefId> {
        self.by_name.get(&(parent, false, name)).copied()
    }

    /// The attribute of this name on a node.
    #[must_use]
    pub fn attribute(&self, owner: DefId, name: NameId) -> Option<DefId> {
        self.by_name.get(&(owner, true, name)).copied()
    }

    /// A node with the ones around it, from itself up to the root.
    pub fn ancestors(&self, def: DefId) -> impl Iterator<Item = DefId> + '_ {
        std::iter::successors(Some(def), |&def| self.nodes[def].parent)
    }

    /// The elements from the root down to a node, itself among them if it is one.
    pub(super) fn elements_around(&self, def: DefId) -> Vec<DefId> {
        let mut around: Vec<_> = self.ancestors(def).filter(|&def| !self.nodes[def].is_attribute).collect();
        around.reverse();
        around
    }

    /// The way to a node from the document, as an expression would go it.
    pub(super) fn way_to(&self, def: DefId) -> xpath::Path {
        let mut around: Vec<_> = self.ancestors(def).map(|def| self.nodes[def].name).collect();
        around.reverse();
        xpath::Path::to_node(around, self.nodes[def].is_attribute)
    }

    /// The path of a node, local names, without positions.
    #[must_use]
    pub fn path(&self, names: &Names, def: DefId) -> String {
        let mut steps: Vec<_> = self.ancestors(def).map(|def| &self.nodes[def]).collect();
        steps.reverse();
        steps
            .into_iter()
            .fold(String::new(), |path, node| path + if node.is_attribute { "/@" } else { "/" } + names.get(node.name))
    }

    /// The node that a reference leads to: from the document if it is absolute, else from `context`.
    pub(crate) fn follow(&self, names: &Names, reference: &Reference<'_>, context: DefId) -> Option<DefId> {
        let mut at = if reference.is_absolute { None } else { Some(context) };
        for step in &reference.steps {
            at = Some(match (*step, at) {
                (RefStep::Itself, Some(def)) => def,
                (RefStep::Parent, Some(def)) => self.nodes[def].parent?,
                (RefStep::Child(name), Some(def)) => self.child(def, names.find(name)?)?,
                (RefStep::Attribute(name), Some(def)) => self.attribute(def, names.find(name)?)?,
                (RefStep::Child(name), None) => {
                    let name = names.find(name)?;
                    Some(self.root()).filter(|&root| self.nodes.get(root).is_some_and(|root| root.name == name))?
                }
                (_, None) => return None,
            });
        }
        at
    }
}

impl Deref for Structure {
    type Target = IndexVec<DefId, NodeDef>;

    fn deref(&self) -> &Self::Target {
        &self.nodes
    }
}

impl Index<DefId> for Structure {
    type Output = NodeDef;

    fn index(&self, def: DefId) -> &NodeDef {
        &self.nodes[def]
    }
}

impl IndexMut<DefId> for Structure {
    fn index_mut(&mut self, def: DefId) -> &mut NodeDef {
        &mut self.nodes[def]
    }
}

/// A path of names as a form writes it, such as `/d/r[1]/v`, `../v`, `current()/../v` or `@id`. Prefixes are dropped;
/// predicates choose rows, which a structure does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'r> {
    is_absolute: bool,
    steps: Vec<RefStep<'r>>,
    /// Whether some step has a predicate.
    pub(crate) has_predicates: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RefStep<'r> {
    Itself,
    Parent,
    Child(&'r str),
    Attribute(&'r str),
}

impl<'r> Reference<'r> {
    /// Reads a reference; `None` for what is none.
    pub(crate) fn read(source: &'r str) -> Option<Self> {
        let source = source.trim();
        let (is_absolute, rest) = match source.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, behind_current(source)),
        };
        let mut reference = Self { is_absolute, steps: Vec::new(), has_predicates: false };
        if rest.is_empty() && !is_absolute && !source.is_empty() {
            return Some(reference); // `current()`
        }
        for step in split_outside(rest, '/') {
            let name = split_outside(step, '[').next().unwrap_or(step);
            reference.has_predicates |= name.len() < step.len();
            reference.steps.push(RefStep::read(name.trim())?);
        }
        Some(reference)
    }
}

impl<'r> RefStep<'r> {
    fn read(step: &'r str) -> Option<Self> {
        let (is_attribute, name) = match step {
            "." | "self::node()" => return Some(Self::Itself),
            ".." | "parent::node()" => return Some(Self::Parent),
            _ => match (
                step.strip_prefix('@').or_else(|| step.strip_prefix("attribute::")),
                step.strip_prefix("child::"),
            ) {
                (Some(name), _) => (true, name),
                (None, Some(name)) => (false, name),
                (None, None) => (false, step),
            },
        };
        let local = name.rsplit(':').next().unwrap_or(name).trim();
        if local.is_empty() {
            return None;
        }
        Some(if is_attribute { Self::Attribute(local) } else { Self::Child(local) })
    }
}

/// What stands behind `current()/`; everything if the reference does not begin so.
fn behind_current(source: &str) -> &str {
    let behind = source.strip_prefix("current").and_then(|rest| rest.trim_start().strip_prefix('('));
    let behind = behind.and_then(|rest| rest.trim_start().strip_prefix(')')).map(str::trim_start);
    match behind {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(source),
        None => source,
    }
}

/// The parts of `source` between separators that stand neither in brackets nor in quotes.
fn split_outside(source: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut depth, mut quote) = (0_usize, None);
    source.split(move |character| {
        let is_outside = depth == 0 && quote.is_none();
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        is_outside && character == separator
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RefStep::{Attribute, Child, Itself, Parent};

    #[test]
    fn references_are_read_as_forms_write_them() {
        for (source, is_absolute, steps, has_predicates) in [
            ("/d/a", true, vec![Child("d"), Child("a")], false),
            ("  /d / orx:meta/orx:instanceID ", true, vec![Child("d"), Child("meta"), Child("instanceID")], false),
            ("a", false, vec![Child("a")], false),
            ("./a", false, vec![Itself, Child("a")], false),
            ("../a/..", false, vec![Parent, Child("a"), Parent], false),
            (".", false, vec![Itself], false),
            ("current()", false, vec![], false),
            ("current()/../a", false, vec![Parent, Child("a")], false),
            ("current ( ) / .", false, vec![Itself], false),
            ("current/a", false, vec![Child("current"), Child("a")], false),
            ("@id", false, vec![Attribute("id")], false),
            ("/d/e/@entities:x", true, vec![Child("d"), Child("e"), Attribute("x")], false),
            ("child::a/attribute::b", false, vec![Child("a"), Attribute("b")], false),
            ("self::node()/parent::node()", false, vec![Itself, Parent], false),
            ("/d/r[position() = /d/n]/v", true, vec![Child("d"), Child("r"), Child("v")], true),
            ("/d/r[x = ']/[' and y[1]]/v", true, vec![Child("d"), Child("r"), Child("v")], true),
        ] {
            let read = Reference::read(source).unwrap_or_else(|| panic!("{source}"));
            assert_eq!(read, Reference { is_absolute, steps, has_predicates }, "{source}");
        }
        for source in ["", " ", "/", "//a", "/d//a", "/d/", "a/", "@", "orx:", "[1]"] {
            assert_eq!(Reference::read(source), None, "{source}");
        }
    }
}

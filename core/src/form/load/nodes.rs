use std::sync::Arc;

use super::Loader;
use crate::form::{NodeDef, Template};
use crate::ids::{DefId, ElementId};
use crate::xml::Namespace;

impl Loader {
    /// One definition per path of the primary instance: repeated siblings and templates share it.
    pub(super) fn read_nodes(&mut self, element: ElementId, parent: Option<DefId>) -> DefId {
        let document = Arc::clone(&self.document);
        self.taken.element(element);
        let name = document.element(element).name;
        let is_template = self.attribute(element, Namespace::JavaRosa, "template").is_some();
        let known = parent.and_then(|parent| self.nodes.child(parent, name));
        let new = || NodeDef::new(name, document.qualified_name(element), parent, false);
        let def = known.unwrap_or_else(|| self.nodes.push(new()));
        let sample = self.samples.entry(def).or_default();
        let slot = if is_template { &mut sample.0 } else { &mut sample.1 };
        slot.get_or_insert(element);
        for (number, attribute) in document.numbered_attributes(element) {
            if attribute.namespace == Namespace::JavaRosa {
                self.taken.about(element, def);
                continue;
            }
            self.taken.attribute(number);
            let qualified = document.attribute_name(attribute);
            let mut known = self.nodes[def].attributes.iter();
            let is_known = known.any(|&known| &*self.nodes[known].qualified == qualified);
            if !is_known {
                self.nodes.push(NodeDef::new(attribute.name, qualified, Some(def), true));
            }
        }
        for child in document.children(element) {
            self.read_nodes(child, Some(def));
        }
        def
    }

    /// Gives every repeat the element that its new instances are cloned from.
    pub(super) fn place_templates(&mut self) {
        for def in self.nodes.ids() {
            if self.nodes[def].repeat.is_some() {
                self.nodes[def].template = match self.samples.get(&def) {
                    Some(&(Some(element), _)) => Some(Template { element, blank: false }),
                    Some(&(None, Some(element))) => Some(Template { element, blank: true }),
                    _ => None,
                };
            }
        }
    }
}

use std::sync::Arc;

use super::Loader;
use crate::form::{DiagnosticKind, NodeDef, Template};
use crate::ids::{DefId, ElementId};
use crate::xml::{Namespace, escape_attribute};

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
        match known.and_then(|known| self.samples.get(&known)).and_then(|&(template, plain)| template.or(plain)) {
            None if parent.is_some() => self.nodes[def].declares = self.declared_by(element).into(),
            Some(first) if document.namespace_uri(first) != document.namespace_uri(element) => {
                let place = self.nodes.path(&self.names, def);
                self.warn(DiagnosticKind::Duplicate, place, "their names differ in the namespace only");
            }
            _ => {}
        }
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

    /// What an element of the record declares and the record around it does not, or otherwise. The namespace of XForms as the
    /// default one belongs to the form, not to the record.
    fn declared_by(&self, element: ElementId) -> String {
        const XFORMS: &str = "http://www.w3.org/2002/xforms";
        let document = &self.document;
        let declared = |element: ElementId, name: &str| {
            let mut attributes = document.attributes(element).iter();
            let found = attributes.find(|attribute| document.attribute_name(attribute) == name)?;
            Some(document.attribute_value(found).into_owned())
        };
        let mut written = String::new();
        for attribute in document.attributes(element) {
            let name = document.attribute_name(attribute);
            let prefix = name.strip_prefix("xmlns:");
            if prefix.is_none() && name != "xmlns" {
                continue;
            }
            let around =
                std::iter::successors(document.element(element).parent, |&parent| document.element(parent).parent);
            // The last of these is the root, which declares all prefixes that are not declared anew inside.
            let root = self.samples.get(&self.nodes.root()).and_then(|&(template, plain)| plain.or(template));
            let inside = around.take_while(|&around| Some(around) != root).find_map(|around| declared(around, name));
            let outer = inside.or_else(|| match prefix {
                Some(prefix) => self.prefixes.get(prefix).cloned(),
                None => root.and_then(|root| declared(root, name)),
            });
            let outer = outer.filter(|outer| prefix.is_some() || outer != XFORMS).unwrap_or_default();
            let namespace = document.attribute_value(attribute);
            if namespace != outer && !(prefix.is_none() && namespace == XFORMS && outer.is_empty()) {
                written.push_str(&format!(" {name}=\""));
                escape_attribute(&namespace, &mut written);
                written.push('"');
            }
        }
        written
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

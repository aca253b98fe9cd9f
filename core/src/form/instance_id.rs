//! `meta/instanceID` for forms whose records would have none of their own.
//!
//! A server that gets a record without an id makes one up, so a lost reply would lead to a second record (openrosa.md §6).
//! Drafts are therefore filled on a form that has a node for the id and a rule for its value. What is shown of a form as its
//! author wrote it (the driver, a server's page) is left alone.

use super::{Condition, DataType, Diagnostic, DiagnosticKind, FormDef, NodeDef, Preload};
use crate::ids::DefId;

/// The namespace of `meta` where a form has no other.
const OPENROSA: &str = "http://openrosa.org/xforms";

impl FormDef {
    /// Sees to it that each record gets an id that is its own; says so if the form had to be changed for it.
    pub fn ensure_instance_id(&mut self) -> Option<Diagnostic> {
        let root = self.root();
        let known = self.named(root, "meta").and_then(|meta| self.named(meta, "instanceID"));
        let detail = match known {
            Some(id) if self.has_rule(id) => return None,
            Some(_) => "there is no rule for its value; each record gets a new one",
            None => "it is missing; each record gets one",
        };
        let id = known.unwrap_or_else(|| {
            let meta = self.named(root, "meta").unwrap_or_else(|| {
                let prefix = self.openrosa_prefix();
                self.add_node(root, "meta", &format!("{prefix}:meta"))
            });
            let prefix = self.nodes[meta].qualified.split_once(':').map(|(prefix, _)| format!("{prefix}:"));
            self.add_node(meta, "instanceID", &format!("{}instanceID", prefix.unwrap_or_default()))
        });
        let node = &mut self.nodes[id];
        (node.preload, node.data_type) = (Some(Preload::Uid), DataType::String);
        Some(Diagnostic { kind: DiagnosticKind::NoInstanceId, place: self.path(id), detail: detail.to_owned() })
    }

    /// Whether the form says how the value comes about: a text written in it is the same in every record.
    fn has_rule(&self, def: DefId) -> bool {
        let node = &self.nodes[def];
        node.preload.is_some()
            || node.calculate.is_some()
            || node.control.is_some()
            || self.actions.iter().any(|action| action.target == def)
    }

    /// A prefix that means the OpenRosa namespace; one of ours is declared where the form has none.
    fn openrosa_prefix(&mut self) -> String {
        let document = &self.document;
        let around = std::iter::successors(Some(self.instance), |&element| document.element(element).parent);
        let declared: Vec<(String, String)> = around
            .flat_map(|element| document.attributes(element))
            .filter_map(|attribute| {
                let prefix = document.attribute_name(attribute).strip_prefix("xmlns:")?;
                Some((prefix.to_owned(), document.attribute_value(attribute).into_owned()))
            })
            .collect();
        if let Some((prefix, _)) = declared.iter().find(|(_, namespace)| namespace == OPENROSA) {
            return prefix.clone();
        }
        let free = |prefix: &String| !declared.iter().any(|(known, _)| known == prefix);
        let ours = std::iter::once("orx".to_owned()).chain((1..).map(|n| format!("orx{n}")));
        let prefix = ours.into_iter().find(free).unwrap_or_default();
        self.added_namespace = Some((prefix.as_str().into(), OPENROSA.into()));
        prefix
    }

    fn add_node(&mut self, parent: DefId, name: &str, qualified: &str) -> DefId {
        let added = NodeDef::new(self.names.intern(name), qualified, Some(parent), false);
        self.nodes.push(NodeDef { is_added: true, ..added })
    }
}

impl NodeDef {
    /// A node without binds.
    pub(super) fn new(name: crate::xml::NameId, qualified: &str, parent: Option<DefId>, is_attribute: bool) -> Self {
        Self {
            name,
            qualified: qualified.into(),
            declares: "".into(),
            parent,
            children: Vec::new(),
            attributes: Vec::new(),
            is_attribute,
            is_added: false,
            repeat: None,
            template: None,
            data_type: DataType::String,
            relevant: Condition::Constant(true),
            readonly: Condition::Constant(false),
            required: Condition::Constant(false),
            constraint: None,
            calculate: None,
            constraint_message: None,
            required_message: None,
            preload: None,
            control: None,
            max_pixels: None,
            quality: None,
            allows_mock_places: false,
        }
    }
}

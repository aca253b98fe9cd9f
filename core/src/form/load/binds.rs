use std::collections::HashMap;
use std::sync::Arc;

use super::Loader;
use crate::form::{Condition, DataType, DiagnosticKind, Label, Preload, Reference};
use crate::ids::{DefId, ElementId};
use crate::xml::Namespace;

/// What a control or an action names.
pub(super) struct Target {
    /// The node; none if there is no such node.
    pub(super) def: Option<DefId>,
    /// The path, as it is written or as the bind has it.
    pub(super) reference: String,
}

impl Loader {
    pub(super) fn read_binds(&mut self, model: ElementId) {
        let document = Arc::clone(&self.document);
        let binds: Vec<_> = document.children(model).filter(|&child| self.name(child) == "bind").collect();
        let mut earlier = HashMap::new();
        for bind in binds {
            let path = self
                .attribute(bind, Namespace::None, "nodeset")
                .or_else(|| self.attribute(bind, Namespace::None, "ref"))
                .unwrap_or_default();
            let Some(def) = self.follow(&path, self.nodes.root()) else {
                self.taken.whole(bind);
                self.warn(DiagnosticKind::RuleOfNothing, path, "");
                continue;
            };
            self.taken.element(bind);
            self.taken.about(bind, def);
            let path = self.nodes.path(&self.names, def);
            if let Some(id) = self.attribute(bind, Namespace::None, "id")
                && *self.bind_ids.entry(id).or_insert(def) != def
            {
                self.warn(DiagnosticKind::Duplicate, path.clone(), "the id of the bind");
            }
            self.read_bind(bind, def, &path);
            self.compare_binds(bind, def, &path, &mut earlier);
        }
    }

    /// Several binds of one node merge, and of one attribute the last counts (xforms.md §4): what that leaves without effect is
    /// told. `earlier` holds the last bind of each node.
    fn compare_binds(&mut self, bind: ElementId, def: DefId, path: &str, earlier: &mut HashMap<DefId, ElementId>) {
        let document = Arc::clone(&self.document);
        let Some(earlier) = earlier.insert(def, bind) else { return };
        for attribute in document.attributes(earlier) {
            let again = document.attribute(bind, attribute.namespace, Some(attribute.name));
            let name = self.names.get(attribute.name).to_owned();
            if !matches!(name.as_str(), "nodeset" | "ref" | "id")
                && again.is_some_and(|again| again != document.attribute_value(attribute))
            {
                self.warn(
                    DiagnosticKind::NoEffect,
                    path,
                    format!("{name} stands in two binds, and the last one counts"),
                );
            }
        }
    }

    /// The node that a reference leads to: a relative one from `context`, or else from the record's root, as binds are.
    pub(super) fn follow(&self, reference: &str, context: DefId) -> Option<DefId> {
        let reference = Reference::read(reference)?;
        let follow = |context| self.nodes.follow(&self.names, &reference, context);
        follow(context).or_else(|| follow(self.nodes.root()))
    }

    /// What an element of the body or an action is about: the node of the bind it names by id, else the one it names by
    /// path. `None` if it names nothing at all.
    pub(super) fn target(&mut self, element: ElementId, context: Option<DefId>) -> Option<Target> {
        let context = context.unwrap_or(self.nodes.root());
        let bind = self.attribute(element, Namespace::None, "bind");
        let by_path = ["ref", "nodeset"].iter().find_map(|name| self.attribute(element, Namespace::None, name));
        if let Some(id) = &bind
            && let Some(&def) = self.bind_ids.get(id.trim())
        {
            return Some(Target { def: Some(def), reference: self.nodes.path(&self.names, def) });
        }
        // Some forms write a path where the id of a bind belongs.
        let reference = by_path.or(bind)?;
        Some(Target { def: self.follow(&reference, context), reference })
    }

    fn read_bind(&mut self, bind: ElementId, def: DefId, path: &str) {
        let document = Arc::clone(&self.document);
        let mut preload = None;
        let mut preload_parameter = String::new();
        for (number, attribute) in document.numbered_attributes(bind) {
            let value = document.attribute_value(attribute);
            let name = self.names.get(attribute.name).to_owned();
            match (attribute.namespace, name.as_str()) {
                (Namespace::None, "type") => {
                    let data_type = data_type(&value);
                    if data_type.is_none() {
                        self.warn(DiagnosticKind::UnknownType, path, value.trim());
                    }
                    self.nodes[def].data_type = data_type.unwrap_or_default();
                }
                (Namespace::None, "relevant") => {
                    if let Some(condition) = self.condition(&value, def, path, "relevant") {
                        self.nodes[def].relevant = condition;
                    }
                }
                (Namespace::None, "readonly") => {
                    if let Some(condition) = self.condition(&value, def, path, "read_only") {
                        self.nodes[def].readonly = condition;
                    }
                }
                (Namespace::None, "required") => {
                    if let Some(condition) = self.condition(&value, def, path, "required") {
                        self.nodes[def].required = condition;
                    }
                }
                (Namespace::None, "constraint") => {
                    self.nodes[def].constraint = self.formula(&value, def, path, "constraint")
                }
                (Namespace::None, "calculate") => {
                    self.nodes[def].calculate = self.formula(&value, def, path, "calculation")
                }
                (Namespace::JavaRosa, "constraintMsg") => {
                    self.nodes[def].constraint_message = self.message(&value, def, path, "constraint_message");
                }
                (Namespace::JavaRosa, "requiredMsg") => {
                    self.nodes[def].required_message = self.message(&value, def, path, "required_message");
                }
                (Namespace::JavaRosa, "preload") => preload = Some(value.into_owned()),
                (Namespace::JavaRosa, "preloadParams") => preload_parameter = value.into_owned(),
                (Namespace::OpenRosa, "max-pixels") => self.nodes[def].max_pixels = value.trim().parse().ok(),
                (Namespace::Odk, "quality") => self.nodes[def].quality = Some(value.trim().into()),
                (Namespace::Odk, "allow-mock-accuracy") => self.nodes[def].allows_mock_places = value.trim() == "true",
                _ => continue,
            }
            self.taken.attribute(number);
        }
        if let Some(preload) = preload {
            self.nodes[def].preload = self.preload(&preload, &preload_parameter, path);
        }
        match path.rsplit(['/', ':']).next() {
            Some("audit") if self.is_meta(def) => self.warn(DiagnosticKind::AuditInert, path, ""),
            Some("@id") if path.ends_with("/meta/entity/@id") => self.warn(DiagnosticKind::EntitiesInert, path, ""),
            _ => {}
        }
    }

    fn is_meta(&self, def: DefId) -> bool {
        self.nodes[def].parent.is_some_and(|parent| self.names.get(self.nodes[parent].name) == "meta")
    }

    fn condition(&mut self, source: &str, def: DefId, place: &str, part: &str) -> Option<Condition> {
        match source.trim() {
            "true()" => Some(Condition::Constant(true)),
            "false()" => Some(Condition::Constant(false)),
            _ => self.formula(source, def, place, part).map(Condition::Formula),
        }
    }

    /// A message is a text reference, an expression that calls a function, or the words themselves.
    fn message(&mut self, source: &str, def: DefId, place: &str, part: &str) -> Option<Label> {
        if source.trim_start().starts_with("jr:itext(") {
            return self.label_reference(source, def, place, part);
        }
        match crate::xpath::parse(source, &mut self.names) {
            Ok(expr) if expr.is_call() => self.formula(source, def, place, part).map(Label::Formula),
            _ => Some(Label::Plain(source.into())),
        }
    }

    fn preload(&mut self, kind: &str, parameter: &str, path: &str) -> Option<Preload> {
        match (kind, parameter) {
            ("uid", _) => Some(Preload::Uid),
            ("date", _) => Some(Preload::Today),
            ("timestamp", "start") => Some(Preload::Start),
            ("timestamp", "end") => Some(Preload::End),
            ("property", name) => Some(Preload::Property(name.into())),
            // A calculate stands beside it and does the work.
            ("calculate", _) => None,
            _ => {
                self.warn(DiagnosticKind::Unsupported, path, format!("preload {kind} {parameter}"));
                None
            }
        }
    }
}

/// The type of a name; none if there is no such type. The numbers of XML Schema are those that JavaRosa knows: a `short` is a
/// text to both. Of the other types those that behave like a text are texts.
fn data_type(name: &str) -> Option<DataType> {
    Some(match name.trim().rsplit(':').next().unwrap_or_default() {
        "int" | "integer" => DataType::Int,
        "long" => DataType::Long,
        "decimal" | "double" | "float" => DataType::Decimal,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date,
        "time" => DataType::Time,
        "dateTime" => DataType::DateTime,
        "geopoint" => DataType::Geopoint,
        "geotrace" => DataType::Geotrace,
        "geoshape" => DataType::Geoshape,
        "barcode" => DataType::Barcode,
        "binary" => DataType::Binary,
        "" | "string" | "text" | "select" | "select1" | "selectOne" | "listItem" | "listItems" | "rank" | "intent" => {
            DataType::String
        }
        "anyURI" | "base64Binary" | "hexBinary" | "ID" | "NCName" | "token" | "normalizedString" => DataType::String,
        _ => return None,
    })
}

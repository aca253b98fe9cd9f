use std::sync::Arc;

use super::Loader;
use crate::form::{
    Action, ActionValue, Condition, DataType, DiagnosticKind, FormEvent, Label, NodeDef, Preload, Template,
};
use crate::ids::{ControlId, DefId, ElementId};
use crate::xml::{NameId, Namespace};

impl Loader {
    /// One definition per path of the primary instance: repeated siblings and templates share it.
    pub(super) fn read_nodes(&mut self, element: ElementId, parent: Option<DefId>) -> DefId {
        let document = Arc::clone(&self.document);
        let name = document.element(element).name;
        let is_template = self.attribute(element, Namespace::JavaRosa, "template").is_some();
        let known = parent.and_then(|parent| self.child(parent, name));
        let def = known.unwrap_or_else(|| self.add_node(name, document.qualified_name(element), parent, false));
        let sample = self.samples.entry(def).or_default();
        let slot = if is_template { &mut sample.0 } else { &mut sample.1 };
        slot.get_or_insert(element);
        if parent.is_some() {
            for attribute in document.attributes(element) {
                let qualified = document.attribute_name(attribute);
                let known = self.nodes[def].attributes.iter().any(|&known| self.nodes[known].name == attribute.name);
                if attribute.namespace != Namespace::JavaRosa && !qualified.starts_with("xmlns") && !known {
                    self.add_node(attribute.name, qualified, Some(def), true);
                }
            }
        }
        for child in document.children(element) {
            self.read_nodes(child, Some(def));
        }
        def
    }

    pub(super) fn child(&self, parent: DefId, name: NameId) -> Option<DefId> {
        self.by_name.get(&(parent, name)).copied()
    }

    fn add_node(&mut self, name: NameId, qualified: &str, parent: Option<DefId>, is_attribute: bool) -> DefId {
        let def = self.nodes.push(NodeDef::new(name, qualified, parent, is_attribute));
        if let Some(parent) = parent {
            if is_attribute {
                self.nodes[parent].attributes.push(def);
            } else {
                self.nodes[parent].children.push(def);
                self.by_name.insert((parent, name), def);
            }
        }
        def
    }

    /// The definition at an absolute path; predicates are ignored, prefixes too.
    pub(super) fn resolve(&self, path: &str) -> Option<DefId> {
        let mut def = None;
        for step in path.trim().strip_prefix('/')?.split('/') {
            let step = step.split('[').next().unwrap_or(step).trim();
            let (is_attribute, step) = step.strip_prefix('@').map_or((false, step), |name| (true, name));
            let name = self.names.find(step.rsplit(':').next().unwrap_or(step))?;
            def = Some(match def {
                None => Some(DefId(0)).filter(|&root| self.nodes[root].name == name)?,
                Some(parent) if is_attribute => {
                    *self.nodes[parent].attributes.iter().find(|&&child| self.nodes[child].name == name)?
                }
                Some(parent) => self.child(parent, name)?,
            });
        }
        def
    }

    pub(super) fn read_binds(&mut self, model: ElementId) {
        let document = Arc::clone(&self.document);
        let binds: Vec<_> = document.children(model).filter(|&child| self.name(child) == "bind").collect();
        for bind in binds {
            let path = self
                .attribute(bind, Namespace::None, "nodeset")
                .or_else(|| self.attribute(bind, Namespace::None, "ref"))
                .unwrap_or_default();
            match self.resolve(&path) {
                Some(def) => self.read_bind(bind, def, path.trim()),
                None => self.warn(DiagnosticKind::RuleOfNothing, path, ""),
            }
        }
    }

    fn read_bind(&mut self, bind: ElementId, def: DefId, path: &str) {
        let document = Arc::clone(&self.document);
        let mut preload = None;
        let mut preload_parameter = String::new();
        for attribute in document.attributes(bind) {
            let value = document.attribute_value(attribute);
            let name = self.names.get(attribute.name).to_owned();
            match (attribute.namespace, name.as_str()) {
                (Namespace::None, "type") => self.nodes[def].data_type = data_type(&value),
                (Namespace::None, "relevant") => {
                    if let Some(condition) = self.condition(&value, def, path) {
                        self.nodes[def].relevant = condition;
                    }
                }
                (Namespace::None, "readonly") => {
                    if let Some(condition) = self.condition(&value, def, path) {
                        self.nodes[def].readonly = condition;
                    }
                }
                (Namespace::None, "required") => {
                    if let Some(condition) = self.condition(&value, def, path) {
                        self.nodes[def].required = condition;
                    }
                }
                (Namespace::None, "constraint") => self.nodes[def].constraint = self.formula(&value, def, path),
                (Namespace::None, "calculate") => self.nodes[def].calculate = self.formula(&value, def, path),
                (Namespace::JavaRosa, "constraintMsg") => {
                    self.nodes[def].constraint_message = self.message(&value, def, path);
                }
                (Namespace::JavaRosa, "requiredMsg") => {
                    self.nodes[def].required_message = self.message(&value, def, path);
                }
                (Namespace::JavaRosa, "preload") => preload = Some(value.into_owned()),
                (Namespace::JavaRosa, "preloadParams") => preload_parameter = value.into_owned(),
                (Namespace::OpenRosa, "max-pixels") => self.nodes[def].max_pixels = value.trim().parse().ok(),
                (Namespace::Odk, "quality") => self.nodes[def].quality = Some(value.trim().into()),
                (Namespace::Odk, "allow-mock-accuracy") => self.nodes[def].allows_mock_places = value.trim() == "true",
                _ => {}
            }
        }
        if let Some(preload) = preload {
            self.nodes[def].preload = self.preload(&preload, &preload_parameter, path);
        }
        match path.rsplit(['/', ':']).next() {
            Some("audit") if self.is_meta(def) => self.warn(DiagnosticKind::AuditInert, path, ""),
            Some("@id") if path.ends_with("meta/entity/@id") => self.warn(DiagnosticKind::EntitiesInert, path, ""),
            _ => {}
        }
    }

    fn is_meta(&self, def: DefId) -> bool {
        self.nodes[def].parent.is_some_and(|parent| self.names.get(self.nodes[parent].name) == "meta")
    }

    fn condition(&mut self, source: &str, def: DefId, place: &str) -> Option<Condition> {
        match source.trim() {
            "true()" => Some(Condition::Constant(true)),
            "false()" => Some(Condition::Constant(false)),
            other => self.formula(other, def, place).map(Condition::Formula),
        }
    }

    /// A message is a text reference, an expression that calls a function, or the words themselves.
    fn message(&mut self, source: &str, def: DefId, place: &str) -> Option<Label> {
        if source.trim_start().starts_with("jr:itext(") {
            return self.label_reference(source, def, place);
        }
        match crate::xpath::parse(source, &mut self.names) {
            Ok(expr) if expr.is_call() => {
                Some(Label::Formula(self.formulas.push(crate::form::Formula { expr, context: def })))
            }
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

    pub(super) fn read_model_actions(&mut self, model: ElementId) {
        let document = Arc::clone(&self.document);
        let children: Vec<_> = document.children(model).collect();
        for child in children {
            self.read_action(child, None);
        }
    }

    /// Reads an action element; says whether it was one.
    pub(super) fn read_action(&mut self, element: ElementId, scope: Option<ControlId>) -> bool {
        match self.name(element) {
            "setvalue" => {}
            name @ ("setgeopoint" | "recordaudio") => {
                let what = format!("the action {name}");
                self.warn(
                    DiagnosticKind::Unsupported,
                    self.attribute(element, Namespace::None, "ref").unwrap_or_default(),
                    what,
                );
                return true;
            }
            _ => return false,
        }
        let path = self
            .attribute(element, Namespace::None, "ref")
            .or_else(|| self.attribute(element, Namespace::None, "bind"))
            .unwrap_or_default();
        let Some(target) = self.resolve(&path) else {
            self.warn(DiagnosticKind::ActionOnNothing, path, "");
            return true;
        };
        let names = self
            .attribute(element, Namespace::None, "event")
            .or_else(|| self.attribute(element, Namespace::XmlEvents, "event"))
            .unwrap_or_default();
        let events = names.split_ascii_whitespace().filter_map(form_event).collect();
        let value = match self.attribute(element, Namespace::None, "value") {
            Some(source) if !source.trim().is_empty() => {
                // Wherever the action stands, its expression stands on the target.
                self.formula(&source, target, &path).map(ActionValue::Formula)
            }
            _ => {
                let text = self.document.text(element).into_owned();
                (!text.is_empty()).then(|| ActionValue::Text(text.into()))
            }
        };
        self.actions.push(Action { events, target, value, scope });
        true
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

fn form_event(name: &str) -> Option<FormEvent> {
    match name {
        "odk-instance-first-load" | "xforms-ready" => Some(FormEvent::FirstLoad),
        "odk-instance-load" => Some(FormEvent::Load),
        "odk-new-repeat" | "jr-insert" => Some(FormEvent::NewRepeat),
        "xforms-value-changed" => Some(FormEvent::ValueChanged),
        "xforms-revalidate" => Some(FormEvent::Revalidate),
        _ => None,
    }
}

fn data_type(name: &str) -> DataType {
    match name.trim().rsplit(':').next().unwrap_or_default() {
        "int" | "integer" => DataType::Int,
        "decimal" => DataType::Decimal,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date,
        "time" => DataType::Time,
        "dateTime" => DataType::DateTime,
        "geopoint" => DataType::Geopoint,
        "geotrace" => DataType::Geotrace,
        "geoshape" => DataType::Geoshape,
        "barcode" => DataType::Barcode,
        "binary" => DataType::Binary,
        _ => DataType::String,
    }
}

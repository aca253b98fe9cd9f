use std::sync::Arc;

use super::Loader;
use crate::form::{Control, ControlKind, DiagnosticKind, Item, Itemset, Label};
use crate::ids::{ControlId, DefId, ElementId};
use crate::xml::Namespace;

/// Attributes that a control keeps for its widget.
const SETTINGS: &[&str] = &[
    "mediatype",
    "accept",
    "start",
    "end",
    "step",
    "rows",
    "accuracyThreshold",
    "unacceptableAccuracyThreshold",
    "incremental",
    "autoplay",
    "tick-interval",
    "placeholder",
    "intent",
];

impl Loader {
    /// Reads the controls inside `container`; `context` is the node around them.
    pub(super) fn read_controls(
        &mut self,
        container: ElementId,
        parent: Option<ControlId>,
        context: Option<DefId>,
    ) -> Vec<ControlId> {
        let document = Arc::clone(&self.document);
        let mut controls = Vec::new();
        let children: Vec<_> = document.children(container).collect();
        for child in children {
            let name = self.name(child).to_owned();
            let kind = match name.as_str() {
                "input" => ControlKind::Input,
                "secret" => ControlKind::Secret,
                "select1" => ControlKind::Select1,
                "select" => ControlKind::Select,
                "rank" => ControlKind::Rank,
                "range" => ControlKind::Range,
                "trigger" => ControlKind::Trigger,
                "upload" => ControlKind::Upload,
                "group" => ControlKind::Group,
                "repeat" => ControlKind::Repeat,
                // Parts of the control around them, read with it.
                "label" | "hint" | "item" | "itemset" | "choices" | "value" => continue,
                _ => {
                    if !self.read_action(child, parent) {
                        self.warn(DiagnosticKind::Unsupported, format!("body element {name}"), "");
                    }
                    continue;
                }
            };
            controls.extend(self.read_control(child, kind, parent, context));
        }
        controls
    }

    fn read_control(
        &mut self,
        element: ElementId,
        kind: ControlKind,
        parent: Option<ControlId>,
        context: Option<DefId>,
    ) -> Option<ControlId> {
        let target = self.target(element, context);
        let node = target.as_ref().and_then(|target| target.def);
        let is_named = target.is_some();
        let place = target.map_or_else(|| format!("a {} without ref", kind.name()), |target| target.reference);
        if node.is_none() && (is_named || kind != ControlKind::Group) {
            self.warn(DiagnosticKind::BadReference, place.clone(), kind.name());
            if kind != ControlKind::Group {
                return None;
            }
        }
        if kind == ControlKind::Group
            && let Some(repeat) = self.only_repeat_of(element)
        {
            return self.read_repeat_group(element, repeat, parent, context);
        }
        if self.attribute(element, Namespace::None, "query").is_some() {
            self.warn(DiagnosticKind::Unsupported, place.clone(), "choices by query from itemsets.csv");
        }
        let inside = node.or(context);
        let base = inside.unwrap_or(DefId(0));
        let id = self.add_control(element, kind, node, parent);
        self.read_texts(element, id, base, &place);
        self.read_choices(element, id, base, &place);
        if kind == ControlKind::Repeat {
            self.read_repeat(element, id, base, &place);
        } else if let Some(node) = node
            && kind.is_question()
        {
            self.nodes[node].control.get_or_insert(id);
        }
        self.controls[id].children = self.read_controls(element, Some(id), inside);
        Some(id)
    }

    fn only_repeat_of(&self, group: ElementId) -> Option<ElementId> {
        let mut contents = self.document.children(group).filter(|&child| !matches!(self.name(child), "label" | "hint"));
        let repeat = contents.next().filter(|&child| self.name(child) == "repeat")?;
        contents.next().is_none().then_some(repeat)
    }

    /// A group around nothing but a repeat is the repeat's label and appearance (xforms.md §6).
    fn read_repeat_group(
        &mut self,
        group: ElementId,
        repeat: ElementId,
        parent: Option<ControlId>,
        context: Option<DefId>,
    ) -> Option<ControlId> {
        let id = self.read_control(repeat, ControlKind::Repeat, parent, context)?;
        let base = self.controls[id].node.unwrap_or(DefId(0));
        self.controls[id].label = None;
        self.read_texts(group, id, base, "a repeat");
        if self.controls[id].appearance.is_empty() {
            self.controls[id].appearance =
                self.attribute(group, Namespace::None, "appearance").unwrap_or_default().into();
        }
        Some(id)
    }

    fn add_control(
        &mut self,
        element: ElementId,
        kind: ControlKind,
        node: Option<DefId>,
        parent: Option<ControlId>,
    ) -> ControlId {
        let document = Arc::clone(&self.document);
        let mut settings = Vec::new();
        for attribute in document.attributes(element) {
            let name = self.names.get(attribute.name);
            if SETTINGS.contains(&name) {
                settings.push((name.into(), document.attribute_value(attribute).into()));
            }
        }
        let appearance = self.attribute(element, Namespace::None, "appearance").unwrap_or_default().into();
        self.controls.push(Control {
            kind,
            node,
            parent,
            children: Vec::new(),
            appearance,
            label: None,
            hint: None,
            items: Vec::new(),
            itemset: None,
            count: None,
            fixed: false,
            settings,
        })
    }

    fn read_texts(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        let document = Arc::clone(&self.document);
        let children: Vec<_> = document.children(element).collect();
        for child in children {
            match self.name(child) {
                "label" => self.controls[id].label = self.read_label(child, base, place),
                "hint" => self.controls[id].hint = self.read_label(child, base, place),
                _ => {}
            }
        }
    }

    fn read_label(&mut self, element: ElementId, base: DefId, place: &str) -> Option<Label> {
        match self.attribute(element, Namespace::None, "ref") {
            Some(source) => self.label_reference(&source, base, place),
            None => Some(Label::Literal(element)),
        }
    }

    fn read_choices(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        let document = Arc::clone(&self.document);
        let children: Vec<_> = document.children(element).collect();
        for child in children {
            match self.name(child) {
                "item" => {
                    let parts: Vec<_> = document.children(child).collect();
                    let mut item = Item { value: "".into(), label: None };
                    for part in parts {
                        match self.name(part) {
                            "value" => item.value = document.text(part).trim().into(),
                            "label" => item.label = self.read_label(part, base, place),
                            _ => {}
                        }
                    }
                    self.controls[id].items.push(item);
                }
                "itemset" => self.controls[id].itemset = self.read_itemset(child, base, place),
                // XForms groups choices so; they are offered one after the other.
                "choices" => {
                    if document.children(child).any(|part| self.name(part) == "label") {
                        self.warn(DiagnosticKind::NoEffect, place, "the heading of a group of choices is not shown");
                    }
                    self.read_choices(child, id, base, place);
                }
                _ => {}
            }
        }
    }

    fn read_itemset(&mut self, element: ElementId, base: DefId, place: &str) -> Option<Itemset> {
        let document = Arc::clone(&self.document);
        let source = self.attribute(element, Namespace::None, "nodeset")?;
        let nodeset = self.formula(&source, base, place)?;
        let mut value = None;
        let mut label = None;
        let parts: Vec<_> = document.children(element).collect();
        for part in parts {
            let reference = self.attribute(part, Namespace::None, "ref");
            match (self.name(part), reference) {
                ("value", Some(source)) => value = self.formula(&source, base, place),
                ("label", Some(source)) => label = self.label_reference(&source, base, place),
                _ => {}
            }
        }
        let from_record = self.formulas[nodeset].expr.instance_ids().next().is_none();
        Some(Itemset { nodeset, value: value?, label, from_record })
    }

    fn read_repeat(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        self.nodes[base].repeat = Some(id);
        if let Some(count) = self.attribute(element, Namespace::JavaRosa, "count") {
            // Evaluated on the node around the repeat: there may be no instance yet.
            let parent = self.nodes[base].parent.unwrap_or(base);
            let count = count.trim();
            self.controls[id].count = self.formula(count.strip_prefix("../").unwrap_or(count), parent, place);
        }
        // JavaRosa looks at the attribute's presence only; a form that says `false()` means it.
        let fixed = self.attribute(element, Namespace::JavaRosa, "noAddRemove");
        self.controls[id].fixed = fixed.is_some_and(|fixed| fixed.trim() != "false()");
    }
}

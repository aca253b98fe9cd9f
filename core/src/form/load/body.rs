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
            match control_kind(self.name(child)) {
                Some(kind) => {
                    self.taken.element(child);
                    controls.extend(self.read_control(child, kind, parent, context));
                }
                // Parts of the control around them are read with it.
                None => {
                    self.read_action(child, parent);
                }
            }
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
                self.leave_out(element);
                return None;
            }
        }
        if kind == ControlKind::Group
            && let Some(repeat) = self.only_repeat_of(element)
        {
            return self.read_repeat_group(element, repeat, parent, context);
        }
        if let Some(node) = node {
            self.taken.about(element, node);
        }
        let kind = self.kind_with_query(element, kind);
        let inside = node.or(context);
        let base = inside.unwrap_or(DefId(0));
        let id = self.add_control(element, kind, node, parent);
        self.read_texts(element, id, base, &place);
        // The ticks of a range may have words.
        if kind.has_choices() || kind == ControlKind::Range {
            self.read_choices(element, id, base, &place);
        }
        self.note_lookup(element, id, base, &place);
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

    /// Leaves out a control that names no node, with all that is in it: a question that is not asked for this is told.
    fn leave_out(&mut self, element: ElementId) {
        let document = Arc::clone(&self.document);
        self.taken.whole(element);
        let mut inside: Vec<_> =
            document.below(element).filter(|&inside| control_kind(self.name(inside)).is_some()).collect();
        inside.sort_unstable();
        for inside in inside {
            let named =
                ["ref", "nodeset", "bind"].iter().find_map(|name| self.attribute(inside, Namespace::None, name));
            if named.is_none() && self.name(inside) == "group" {
                continue;
            }
            let what = format!("{}, inside of one that names no node", self.name(inside));
            self.warn(DiagnosticKind::BadReference, named.unwrap_or_default(), what);
        }
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
        self.taken.element(repeat);
        let Some(id) = self.read_control(repeat, ControlKind::Repeat, parent, context) else {
            self.taken.whole(group);
            return None;
        };
        let base = self.controls[id].node.unwrap_or(DefId(0));
        self.taken.about(group, base);
        if self.controls[id].label.take().is_some() {
            let place = self.nodes.path(&self.names, base);
            self.warn(DiagnosticKind::NoEffect, place, "a label inside of a repeat is not shown, that of the group is");
        }
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
        for (number, attribute) in document.numbered_attributes(element) {
            let name = self.names.get(attribute.name);
            if SETTINGS.contains(&name) {
                self.taken.attribute(number);
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
                "label" if self.controls[id].label.is_none() => {
                    self.controls[id].label = self.read_label(child, base, place, "label");
                }
                "hint" if self.controls[id].hint.is_none() => {
                    self.controls[id].hint = self.read_label(child, base, place, "hint");
                }
                _ => {}
            }
        }
    }

    fn read_label(&mut self, element: ElementId, base: DefId, place: &str, part: &str) -> Option<Label> {
        self.taken.element(element);
        match self.attribute(element, Namespace::None, "ref") {
            Some(source) => self.label_reference(&source, base, place, part),
            None => Some(Label::Literal(element)),
        }
    }

    fn read_choices(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        let document = Arc::clone(&self.document);
        let children: Vec<_> = document.children(element).collect();
        for child in children {
            match self.name(child) {
                "item" => {
                    self.taken.element(child);
                    let parts: Vec<_> = document.children(child).collect();
                    let mut item = Item { value: "".into(), label: None };
                    for part in parts {
                        match self.name(part) {
                            "value" => {
                                self.taken.element(part);
                                item.value = document.text(part).trim().into();
                            }
                            "label" => item.label = self.read_label(part, base, place, "choices"),
                            _ => {}
                        }
                    }
                    self.controls[id].items.push(item);
                }
                "itemset" => self.controls[id].itemset = self.read_itemset(child, base, place),
                // XForms groups choices so; they are offered one after the other.
                "choices" => {
                    self.taken.element(child);
                    if let Some(label) = document.children(child).find(|&part| self.name(part) == "label") {
                        self.taken.whole(label);
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
        self.taken.element(element);
        let Some(source) = self.attribute(element, Namespace::None, "nodeset") else {
            self.warn(DiagnosticKind::NoEffect, place, "an itemset names no nodes");
            return None;
        };
        let nodeset = self.formula(&source, base, place, "choice_filter")?;
        self.check_nodeset(nodeset, place);
        let (mut value, mut names_value) = (None, false);
        let mut label = None;
        let parts: Vec<_> = document.children(element).collect();
        for part in parts {
            let name = self.name(part).to_owned();
            if !matches!(name.as_str(), "value" | "label") {
                continue;
            }
            let Some(source) = self.attribute(part, Namespace::None, "ref") else { continue };
            self.taken.element(part);
            match name.as_str() {
                "value" => {
                    names_value = true;
                    value = self.compile(&source, base, None, place, "choices");
                }
                _ => label = self.label_reference_on(&source, base, None, place, "choices"),
            }
        }
        if !names_value {
            self.warn(DiagnosticKind::NoEffect, place, "an itemset names no value");
        }
        Some(Itemset { nodeset, value: value?, label, n_before: 0, is_distinct: false })
    }

    fn read_repeat(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        self.nodes[base].repeat = Some(id);
        if let Some(count) = self.attribute(element, Namespace::JavaRosa, "count") {
            // Evaluated on the node around the repeat: there may be no instance yet.
            let parent = self.nodes[base].parent.unwrap_or(base);
            if let Some(formula) = self.formula(&count, base, place, "repeat_count") {
                let count = &mut self.formulas[formula];
                count.expr.stand_on_parent();
                count.context = parent;
                self.controls[id].count = Some(formula);
            }
        }
        // JavaRosa looks at the attribute's presence only; a form that says `false()` means it.
        let fixed = self.attribute(element, Namespace::JavaRosa, "noAddRemove");
        self.controls[id].fixed = fixed.is_some_and(|fixed| fixed.trim() != "false()");
    }
}

/// The kind of control that an element of this name is.
fn control_kind(name: &str) -> Option<ControlKind> {
    Some(match name {
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
        _ => return None,
    })
}

//! What the loader did not take. Whoever reads a part of the document marks it; what is left unmarked in the end has no effect,
//! and is told by one rule, whatever it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Loader;
use crate::form::DiagnosticKind;
use crate::ids::{DefId, ElementId, Id};
use crate::xml::{Attribute, Document, Namespace};

/// The most leftovers that are told one by one.
const MAX_TOLD: usize = 1_000;

/// Prefixes that forms use for the namespaces they are made of: one that stands for another is a slip.
const PREFIXES: &[&str] = &["jr", "orx", "odk", "entities", "ev"];

/// What is known of a part that the loader does not read.
enum Known {
    /// Nothing in a record or on a screen is meant by it, or it is told elsewhere.
    Inert,
    /// It means something, and that does not happen.
    Unsupported,
    /// It is meant for another program.
    Foreign,
}

/// Attributes that somebody knows, by the element they stand on.
const KNOWN: &[(&str, Namespace, &str, Known)] = &[
    ("model", Namespace::Odk, "xforms-version", Known::Inert),
    ("model", Namespace::Entities, "entities-version", Known::Inert),
    // Every answer is saved at once.
    ("bind", Namespace::None, "saveIncomplete", Known::Inert),
    ("bind", Namespace::JavaRosa, "noAppErrorString", Known::Unsupported),
    ("bind", Namespace::Odk, "tag", Known::Foreign),
    // Of entities and of the audit log is spoken at their nodes.
    ("bind", Namespace::Entities, "saveto", Known::Inert),
    ("bind", Namespace::Odk, "location-priority", Known::Inert),
    ("bind", Namespace::Odk, "location-min-interval", Known::Inert),
    ("bind", Namespace::Odk, "location-max-age", Known::Inert),
    ("bind", Namespace::Odk, "track-changes", Known::Inert),
    ("bind", Namespace::Odk, "track-changes-reasons", Known::Inert),
    ("bind", Namespace::Odk, "identify-user", Known::Inert),
    ("body", Namespace::None, "class", Known::Foreign),
    ("submission", Namespace::None, "method", Known::Inert),
    // The settings of the project say when records are sent and how long they are kept.
    ("submission", Namespace::None, "ref", Known::Unsupported),
    ("submission", Namespace::OpenRosa, "auto-send", Known::Foreign),
    ("submission", Namespace::OpenRosa, "auto-delete", Known::Foreign),
    ("submission", Namespace::Odk, "client-editable", Known::Foreign),
];

/// The forms of a `<value>` of itext (xforms.md §5).
const VALUE_FORMS: &[&str] = &["long", "short", "guidance", "image", "big-image", "audio", "video"];

/// Which parts of the document have been read.
#[derive(Default)]
pub(super) struct Taken {
    elements: Vec<bool>,
    /// Elements read with all that is in them.
    whole: HashSet<ElementId>,
    /// By their numbers in the document.
    attributes: Vec<bool>,
    /// The nodes that elements are about.
    about: HashMap<ElementId, DefId>,
}

impl Taken {
    pub(super) fn element(&mut self, element: ElementId) {
        mark(&mut self.elements, element.index());
    }

    /// Also all that is in it.
    pub(super) fn whole(&mut self, element: ElementId) {
        self.whole.insert(element);
    }

    pub(super) fn attribute(&mut self, number: usize) {
        mark(&mut self.attributes, number);
    }

    /// The node that an element is about.
    pub(super) fn node_of(&self, element: ElementId) -> Option<DefId> {
        self.about.get(&element).copied()
    }

    /// Notes the node that an element is about, so that whatever is told of it has a place.
    pub(super) fn about(&mut self, element: ElementId, def: DefId) {
        self.about.insert(element, def);
    }
}

fn mark(marks: &mut Vec<bool>, index: usize) {
    if marks.len() <= index {
        marks.resize(index + 1, false);
    }
    if let Some(mark) = marks.get_mut(index) {
        *mark = true;
    }
}

fn is_marked(marks: &[bool], index: usize) -> bool {
    marks.get(index).copied().unwrap_or_default()
}

/// What is told of leftovers, in the order of the document.
#[derive(Default)]
struct Leftovers {
    told: Vec<(DiagnosticKind, String, String)>,
    /// Those beyond [`MAX_TOLD`].
    n_more: usize,
    /// Those of other programs by what they are: the first place, and how many there are.
    foreign: BTreeMap<String, (String, usize)>,
    /// Prefixes that stand for a namespace nobody knows, with the first place.
    prefixes: BTreeMap<String, String>,
}

impl Loader {
    /// Marks all of itext that has a meaning. Of two texts of one id in a language the first one counts, and so it is with two
    /// values of one form.
    pub(super) fn take_itext(&mut self, itext: ElementId) {
        let document = Arc::clone(&self.document);
        let named = |loader: &Self, parent, name| -> Vec<ElementId> {
            document.children(parent).filter(|&child| loader.name(child) == name).collect()
        };
        for translation in named(self, itext, "translation") {
            self.taken.element(translation);
            let language = self.attribute(translation, Namespace::None, "lang").unwrap_or_default();
            self.attribute(translation, Namespace::None, "default");
            let mut ids = HashSet::new();
            for text in named(self, translation, "text") {
                let Some(id) = self.attribute(text, Namespace::None, "id") else { continue };
                if ids.contains(&id) {
                    self.taken.whole(text);
                    self.warn(DiagnosticKind::Duplicate, id, format!("a text in {language}"));
                    continue;
                }
                self.taken.element(text);
                let mut forms = HashSet::new();
                for value in named(self, text, "value") {
                    let form = self.attribute(value, Namespace::None, "form");
                    let is_known = form.as_deref().is_none_or(|form| VALUE_FORMS.contains(&form));
                    let what = form.as_ref().map(|form| format!(" of the form {form}")).unwrap_or_default();
                    if !is_known {
                        self.taken.whole(value);
                        self.warn(DiagnosticKind::UnknownPart, id.as_str(), format!("a value{what} in {language}"));
                    } else if !forms.insert(form) {
                        self.taken.whole(value);
                        self.warn(DiagnosticKind::Duplicate, id.as_str(), format!("a value{what} in {language}"));
                    } else {
                        self.taken.element(value);
                    }
                }
                ids.insert(id);
            }
        }
    }

    /// Tells every part of the document that nothing has marked.
    pub(super) fn tell_leftovers(&mut self) {
        let document = Arc::clone(&self.document);
        let mut leftovers = Leftovers::default();
        let mut pending = vec![document.root()];
        while let Some(element) = pending.pop() {
            for (number, attribute) in document.numbered_attributes(element) {
                if !is_marked(&self.taken.attributes, number) {
                    self.note_attribute(&document, element, attribute, &mut leftovers);
                }
            }
            let children = || document.children(element).filter(|child| !self.taken.whole.contains(child));
            let is_taken = |child: &ElementId| is_marked(&self.taken.elements, child.index());
            let taken_names: HashSet<_> =
                children().filter(is_taken).map(|child| document.element(child).name).collect();
            for child in children().filter(|child| !is_taken(child)) {
                let is_second = taken_names.contains(&document.element(child).name);
                self.note_element(&document, element, child, is_second, &mut leftovers);
            }
            let first = pending.len();
            pending.extend(children().filter(is_taken));
            if let Some(children) = pending.get_mut(first..) {
                children.reverse();
            }
        }
        let Leftovers { told, n_more, foreign, prefixes } = leftovers;
        for (kind, place, detail) in told {
            self.warn(kind, place, detail);
        }
        if n_more > 0 {
            self.warn(DiagnosticKind::UnknownPart, "", format!("{n_more} more like these"));
        }
        for (prefix, place) in prefixes {
            self.warn(DiagnosticKind::UnknownNamespace, place, format!("the prefix {prefix}"));
        }
        for (what, (place, n)) in foreign {
            let more = if n > 1 { format!(", {n} times") } else { String::new() };
            self.warn(DiagnosticKind::ForeignPart, place, what + &more);
        }
    }

    /// Notes an element that was not read; a second one where the first one counts is told as such.
    fn note_element(
        &self,
        document: &Document,
        parent: ElementId,
        element: ElementId,
        is_second: bool,
        leftovers: &mut Leftovers,
    ) {
        let name = document.qualified_name(element);
        let what = || format!("the element {name} in {}", self.name(parent));
        let place = || self.place_of(document, element);
        match (document.element(element).namespace, is_second) {
            (Namespace::Other, _) => leftovers.stranger(name, what(), place),
            (_, true) => leftovers.tell(DiagnosticKind::Duplicate, place, what),
            (_, false) => leftovers.tell(DiagnosticKind::UnknownPart, place, what),
        }
    }

    fn note_attribute(&self, document: &Document, owner: ElementId, attribute: &Attribute, leftovers: &mut Leftovers) {
        let qualified = document.attribute_name(attribute);
        let what = || format!("the attribute {qualified} of {}", self.name(owner));
        let place = || self.place_of(document, owner);
        let name = (self.name(owner), attribute.namespace, self.names.get(attribute.name));
        let known = KNOWN.iter().find(|row| (row.0, row.1, row.2) == name).map(|row| &row.3);
        match (known, attribute.namespace) {
            (Some(Known::Inert), _) => {}
            (Some(Known::Unsupported), _) => leftovers.tell(DiagnosticKind::Unsupported, place, what),
            (Some(Known::Foreign), _) => leftovers.foreign(what(), place),
            (None, Namespace::Other) => leftovers.stranger(qualified, what(), place),
            (None, _) => leftovers.tell(DiagnosticKind::UnknownPart, place, what),
        }
    }

    /// Where a part stands, as its author knows it: the question it is about, what it names, or the section of the form.
    pub(super) fn place_of(&self, document: &Document, element: ElementId) -> String {
        let around = || std::iter::successors(Some(element), |&element| document.element(element).parent);
        if let Some(&def) = around().find_map(|element| self.taken.about.get(&element)) {
            return self.nodes.path(&self.names, def);
        }
        let naming = ["ref", "nodeset", "bind", "id"];
        let named = |element| {
            let value = |name: &&str| document.attribute(element, Namespace::None, self.names.find(name));
            naming.iter().find_map(value).map(|value| value.trim().to_owned())
        };
        let sections = ["model", "itext", "body", "head"];
        let section = || around().map(|element| self.name(element)).find(|name| sections.contains(name));
        around().find_map(named).or_else(|| section().map(str::to_owned)).unwrap_or_default()
    }
}

impl Leftovers {
    fn tell(&mut self, kind: DiagnosticKind, place: impl FnOnce() -> String, what: impl FnOnce() -> String) {
        if self.told.len() < MAX_TOLD {
            self.told.push((kind, place(), what()));
        } else {
            self.n_more += 1;
        }
    }

    /// Notes a part whose name is in a namespace that nobody here knows: of another program, unless its prefix is one of ours.
    fn stranger(&mut self, qualified: &str, what: String, place: impl FnOnce() -> String) {
        let prefix = qualified.split_once(':').map_or("", |(prefix, _)| prefix);
        if PREFIXES.contains(&prefix) {
            self.prefixes.entry(prefix.to_owned()).or_insert_with(place);
        } else {
            self.foreign(what, place);
        }
    }

    /// Notes a part that is meant for another program: one line for all of the kind.
    fn foreign(&mut self, what: String, place: impl FnOnce() -> String) {
        if let Some((_, n)) = self.foreign.get_mut(&what) {
            *n += 1;
        } else if self.foreign.len() < MAX_TOLD {
            self.foreign.insert(what, (place(), 1));
        } else {
            self.n_more += 1;
        }
    }
}

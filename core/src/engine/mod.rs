//! The engine: one record being filled, kept consistent with its form after every change.
//!
//! A change sets a value or adds or removes an instance of a repeat; then the rules that read it run in the order of the
//! dependency graph, each at most once, and stop where nothing changed ([`recompute`](self)); then the record settles:
//! counted repeats get their instances, and answers that are no longer offered are dropped, until nothing changes. What
//! came of it is told as [`Changes`].
//!
//! The engine sees no clock, file or network: the moment and the randomness of a change come with its [`Step`].

mod actions;
mod answer;
mod budget;
mod calendar;
mod chance;
mod choices;
mod language;
mod lexical;
mod oracle;
mod recompute;
mod repeats;
mod settle;
mod state;
mod texts;
mod validate;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::Result;
use crate::clock::Step;
use crate::form::{DataType, FormDef, FormEvent, Preload};
use crate::ids::{ControlId, DefId, NodeId};
use crate::instance::{Tree, Writer, canonical, new_record, read_record};
use crate::text::Language;
use crate::xml::{Document, Names};
use crate::xpath::date;

use budget::{Bounds, Budget};
pub use budget::{Limits, Work};
use chance::Chance;
pub use choices::{Choice, Offer};
use lexical::Author;
use recompute::Queue;
pub use state::EngineState;
pub use texts::{Part, TOO_MUCH, Words};
pub use validate::{Violation, ViolationKind};

/// What a session knows of the device and the person, apart from the form.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time zone of the person who answers.
    pub time_zone: TimeZone,
    /// Properties for preloads: `deviceid`, `username`, `email`, `phonenumber`; absent ones are empty.
    pub properties: BTreeMap<String, String>,
}

impl Settings {
    /// A property; the `uri:` forms are made from the plain ones (xforms.md §7).
    fn property(&self, name: &str) -> String {
        let plain = |name: &str| self.properties.get(name).cloned().unwrap_or_default();
        let Some(name) = name.strip_prefix("uri:") else { return plain(&name.replace(' ', "")) };
        let scheme = match name {
            "username" => "username:",
            "phonenumber" => "tel:",
            "email" => "mailto:",
            _ => "",
        };
        let value = plain(name);
        if value.is_empty() { value } else { format!("{scheme}{value}") }
    }
}

/// What a change did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Nodes whose value, relevance, state, text or choices changed, in document order of their ids.
    pub touched: BTreeSet<NodeId>,
    /// Instances of repeats that are new.
    pub added: Vec<NodeId>,
    /// Instances of repeats that are gone.
    pub removed: Vec<NodeId>,
    /// Whether the language changed, and so every text.
    pub language: bool,
}

/// One record being filled.
#[derive(Clone, Debug)]
pub struct Engine {
    form: Arc<FormDef>,
    settings: Settings,
    languages: Vec<Language>,
    language: usize,
    /// Whether a missing text may come from any language, as people want it.
    falls_back: bool,
    tree: Tree,
    last_saved: Option<Arc<Document>>,
    step: Step,
    chance: RefCell<Chance>,
    budget: Budget,
    queue: Queue,
    changes: Changes,
    stale_choices: BTreeSet<NodeId>,
    stale_counts: BTreeSet<(ControlId, NodeId)>,
    /// How many instances of repeats had been created when the step began; 0 while a record is made or opened, so that all its
    /// rows are new.
    serials_before: u32,
}

impl Engine {
    /// A new record: static defaults → preloads → first-load → load → full calculation → counted repeats → settled.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] if it would pass a budget.
    pub fn begin(form: Arc<FormDef>, settings: Settings, step: Step, last_saved: Option<&str>) -> Result<Self> {
        let tree = new_record(&form);
        Self::over(form, settings, tree, step, last_saved).begun()
    }

    /// The same in a language of the form, by tag or name: what follows from the language does from the start.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NoSuchLanguage`], [`crate::ErrorKind::TooLarge`] if it would pass a budget.
    pub fn begin_in(
        language: &str,
        form: Arc<FormDef>,
        settings: Settings,
        step: Step,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let tree = new_record(&form);
        let mut engine = Self::over(form, settings, tree, step, last_saved);
        engine.choose_language(language)?;
        engine.begun()
    }

    fn begun(self) -> Result<Self> {
        self.made(|engine| {
            engine.normalise(engine.tree.root(), Author::Form);
            engine.preload(engine.tree.root());
            engine.run_form_actions(FormEvent::FirstLoad);
            engine.run_form_actions(FormEvent::Load);
            engine.calculate_everything();
            engine.settle();
        })
    }

    /// A saved record opened again, as another program would have left it: load actions, full calculation, settled.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnreadableRecord`], [`crate::ErrorKind::TooLarge`] if it would pass a budget.
    pub fn reopen(
        form: Arc<FormDef>,
        settings: Settings,
        xml: &str,
        step: Step,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let tree = read_record(&form, xml)?;
        Self::over(form, settings, tree, step, last_saved).made(|engine| {
            engine.normalise(engine.tree.root(), Author::Person);
            engine.load();
        })
    }

    /// A written record to be looked at: conditions are evaluated, nothing is calculated. A draft is restored from its
    /// state ([`Engine::from_state`]), which needs no evaluation.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnreadableRecord`], [`crate::ErrorKind::TooLarge`] if it would pass a budget.
    pub fn restore(
        form: Arc<FormDef>,
        settings: Settings,
        snapshot: &str,
        step: Step,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let tree = read_record(&form, snapshot)?;
        Self::over(form, settings, tree, step, last_saved).made(Self::evaluate_conditions)
    }

    fn over(form: Arc<FormDef>, settings: Settings, tree: Tree, step: Step, last_saved: Option<&str>) -> Self {
        let languages: Vec<_> = form.itext.languages().map(Language::new).collect();
        // Names of the previous record that the form does not use get ids beyond the form's own.
        let read = |xml: &str| Document::parse(xml.into(), &mut Names::clone(&form.names)).ok().map(Arc::new);
        let last_saved = last_saved.and_then(read);
        Self {
            language: form.itext.default,
            falls_back: true,
            languages,
            tree,
            last_saved,
            step,
            chance: RefCell::default(),
            budget: Budget::default(),
            queue: Queue::default(),
            changes: Changes::default(),
            stale_choices: BTreeSet::new(),
            stale_counts: BTreeSet::new(),
            serials_before: 0,
            form,
            settings,
        }
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> &Arc<FormDef> {
        &self.form
    }

    /// The nodes of the record.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The record as XML.
    #[must_use]
    pub fn write(&self, writer: Writer) -> String {
        writer.write(&self.form, &self.tree)
    }

    /// The languages of the form.
    #[must_use]
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// The position of the language shown.
    #[must_use]
    pub fn language(&self) -> usize {
        self.language
    }

    /// Takes a missing text from the default language only, and a text that is there as it is: what other engines show
    /// (driver.md).
    pub fn limit_fallback(&mut self) {
        self.falls_back = false;
    }

    fn language_tag(&self) -> Option<&str> {
        self.languages.get(self.language)?.tag.as_ref().map(|tag| tag.as_str())
    }

    /// Opens a step: from here on expressions see its moment and draw its random numbers.
    fn enter(&mut self, step: Step) {
        self.step = step;
        self.serials_before = self.tree.serials();
        self.changes = Changes::default();
    }

    fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Runs what a reopened record runs: load actions and a full calculation.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] if it would pass a budget. The record is unchanged then.
    pub fn resume(&mut self, step: Step) -> Result<Changes> {
        self.resume_within(step, Bounds::OfAChange)
    }

    /// The same, as a journal row tells of it.
    ///
    /// # Errors
    /// None.
    pub fn replay_resume(&mut self, step: Step) -> Result<Changes> {
        self.resume_within(step, Bounds::None)
    }

    fn resume_within(&mut self, step: Step, bounds: Bounds) -> Result<Changes> {
        self.change(step, bounds, |engine| {
            engine.load();
            Ok(())
        })
    }

    fn load(&mut self) {
        self.serials_before = 0;
        self.run_form_actions(FormEvent::Load);
        self.calculate_everything();
        self.settle();
    }

    /// End-of-form processing: revalidate actions, then the end timestamp, with no calculation after it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] if it would pass a budget. The record is unchanged then.
    pub fn finish(&mut self, step: Step) -> Result<Changes> {
        self.change(step, Bounds::OfAChange, |engine| {
            engine.run_form_actions(FormEvent::Revalidate);
            engine.propagate();
            engine.settle();
            engine.put_end(step);
            Ok(())
        })
    }

    fn put_end(&mut self, step: Step) {
        let now = date::format_date_time(step.at, &self.settings.time_zone);
        for id in self.tree.subtree(self.tree.root()) {
            let def = self.tree.node(id).def;
            if self.form.nodes[def].preload == Some(Preload::End) {
                let value = canonical(&now, self.form.nodes[def].data_type, &self.settings.time_zone, step.at);
                self.tree.set_value(id, value.unwrap_or_default());
                self.changes.touched.insert(id);
            }
        }
    }

    /// Puts preloaded values in below (and at) a node.
    fn preload(&mut self, top: NodeId) {
        for id in self.tree.subtree(top) {
            let definition = &self.form.nodes[self.tree.node(id).def];
            let now = || date::format_date_time(self.step.at, &self.settings.time_zone);
            let value = match &definition.preload {
                None | Some(Preload::End) => continue,
                Some(Preload::Uid) => format!("uuid:{}", self.preload_random(id).uuid()),
                Some(Preload::Today) => date::format_date(date::local_day(self.step.at, &self.settings.time_zone)),
                Some(Preload::Start) => now(),
                Some(Preload::Property(name)) => self.settings.property(name),
            };
            let value = match definition.data_type {
                DataType::String => value,
                data_type => canonical(&value, data_type, &self.settings.time_zone, self.step.at).unwrap_or_default(),
            };
            self.tree.set_value(id, value);
        }
    }

    /// A node by its path with positions (driver.md, References); attributes are no nodes here.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        let mut steps = path.strip_prefix('/')?.split('/');
        let root = self.tree.root();
        if self.form.names.find(steps.next()?)? != self.form.nodes[self.form.root()].name {
            return None;
        }
        let mut id = root;
        for step in steps {
            let (name, position) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
                Some((name, position)) => (name, Some(position.parse::<usize>().ok()?)),
                None => (step, None),
            };
            let def = self.form.named(self.tree.node(id).def, name)?;
            // A position stands on instances of repeats, and only there.
            if position.is_some() != self.form.nodes[def].repeat.is_some() {
                return None;
            }
            id = *self.tree.children_of(id, def).get(position.unwrap_or(1).checked_sub(1)?)?;
        }
        Some(id)
    }

    /// The parent of a range of instances, and the repeat, by the range's path: no last position.
    #[must_use]
    pub fn find_range(&self, path: &str) -> Option<(NodeId, DefId)> {
        let (parent, name) = path.rsplit_once('/')?;
        let parent = self.find(parent)?;
        let def = self.form.named(self.tree.node(parent).def, name)?;
        self.form.nodes[def].repeat.is_some().then_some((parent, def))
    }

    /// The nodes of a definition below the innermost node that they share with `node`: what a path without rows means there.
    pub(super) fn nodes_beside(&self, node: NodeId, def: DefId) -> Vec<NodeId> {
        let is_around = |id: &NodeId| self.form.ancestors(def).any(|around| around == self.tree.node(*id).def);
        let shared = self.tree.ancestors(node).find(is_around);
        shared.map(|shared| self.tree.instances_below(&self.form, shared, def)).unwrap_or_default()
    }

    /// The path of a node: local names, a position on every instance of a repeat; empty for a node that never was.
    #[must_use]
    pub fn path(&self, id: NodeId) -> String {
        self.path_with(id, |instance| self.tree.position(instance).to_string())
    }

    /// The same with the serial numbers of instances instead of positions: what a node is called for as long as it lives.
    fn lasting_path(&self, id: NodeId) -> String {
        self.path_with(id, |instance| format!("#{}", self.tree.node(instance).serial))
    }

    fn path_with(&self, id: NodeId, number: impl Fn(NodeId) -> String) -> String {
        let mut steps: Vec<_> = self.tree.ancestors(id).collect();
        steps.reverse();
        steps.into_iter().fold(String::new(), |path, id| {
            let definition = &self.form.nodes[self.tree.node(id).def];
            let name = self.form.names.get(definition.name);
            if definition.repeat.is_some() {
                format!("{path}/{name}[{}]", number(id))
            } else {
                format!("{path}/{}{name}", if definition.is_attribute { "@" } else { "" })
            }
        })
    }

    /// Whether a node or something around it is readonly.
    #[must_use]
    pub fn is_readonly(&self, id: NodeId) -> bool {
        self.tree.ancestors(id).any(|id| self.tree.node(id).own_readonly)
    }

    /// The text of the first node with this path, empty if there is none.
    #[must_use]
    pub fn value_at(&self, path: &str) -> &str {
        self.find(path).map_or("", |id| &self.tree.node(id).value)
    }

    /// A meta value such as `instanceID`, in whatever namespace the form has it.
    #[must_use]
    pub fn meta(&self, name: &str) -> String {
        self.meta_node(name).map(|node| self.tree.node(node).value.clone()).unwrap_or_default()
    }

    /// `meta/instanceID` as it is sent: empty if it is not relevant.
    #[must_use]
    pub fn sent_instance_id(&self) -> &str {
        let node = self.meta_node("instanceID").map(|node| self.tree.node(node));
        node.filter(|node| node.relevant).map_or("", |node| &node.value)
    }

    /// Puts a new `meta/instanceID` in place of the one there is, whatever the form says of it. For a record that is finished:
    /// nothing is calculated after it.
    pub fn replace_instance_id(&mut self, step: Step) {
        self.enter(step);
        let Some(node) = self.meta_node("instanceID") else { return };
        self.set_instance_id(&format!("uuid:{}", self.preload_random(node).uuid()));
    }

    /// Puts this `meta/instanceID` in place of the one there is.
    pub fn set_instance_id(&mut self, id: &str) {
        let Some(node) = self.meta_node("instanceID") else { return };
        self.tree.set_value(node, id.to_owned());
        for id in self.tree.ancestors(node).collect::<Vec<_>>() {
            let node = self.tree.node_mut(id);
            (node.own_relevant, node.relevant) = (true, true);
        }
    }

    fn meta_node(&self, name: &str) -> Option<NodeId> {
        let named = |parent: NodeId, name: &str| {
            let def = self.form.named(self.tree.node(parent).def, name)?;
            self.tree.children_of(parent, def).first().copied()
        };
        named(self.tree.root(), "meta").and_then(|meta| named(meta, name))
    }
}

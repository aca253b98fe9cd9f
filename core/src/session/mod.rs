//! A filling session: the screens of one record, moving between them, and every change as an [`Edit`] that can be
//! replayed (session.md).
//!
//! [`FormSession`] is pure. Whoever keeps it (a draft with its journal) gives each change its [`Step`] and writes the edit
//! down; applying the same edits with the same steps gives the same record, screen and language.

mod edit;
mod screens;
mod state;
mod view;
mod widget;

use std::sync::Arc;

use crate::clock::Step;
use crate::engine::{self, Engine, Words};
use crate::form::{DataType, FormDef};
use crate::ids::NodeId;
use crate::instance::Writer;
use crate::text::{Language, Part, Text, digits};
use crate::{ErrorKind, Result};

pub use crate::engine::{Changes, Settings, ViolationKind};
pub use edit::Edit;
pub use screens::{Policy, ScreenKey};
pub use state::State;
pub use view::{
    ChoiceList, ChoiceView, InstanceView, MAX_CHOICES, Media, Progress, QuestionView, ScreenKind, ScreenView, Violation,
};
pub use widget::{Medium, Number, Place, Scale, Upload, Widget};

/// One record being filled, with the screen it is at.
#[derive(Clone, Debug)]
pub struct FormSession {
    engine: Engine,
    current: ScreenKey,
}

/// A finalised record. Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Finished {
    /// The bytes that are sent, and sent again unchanged.
    pub xml: String,
    /// The record with everything in it: the next record's last-saved.
    pub draft_xml: String,
    /// `meta/instanceID` as it stands in `xml`; empty if it is not there.
    pub instance_id: String,
    /// `meta/instanceName`; may be empty.
    pub instance_name: String,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished").field("instance_id", &self.instance_id).finish_non_exhaustive()
    }
}

impl FormSession {
    /// A new record at its first screen; `language` by tag or name, else the form's default.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchLanguage`], [`ErrorKind::TooLarge`] if what the form makes would pass a budget.
    pub fn begin(
        form: Arc<FormDef>,
        settings: Settings,
        language: Option<&str>,
        step: Step,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let engine = match language {
            Some(language) => Engine::begin_in(language, form, settings, step, last_saved)?,
            None => Engine::begin(form, settings, step, last_saved)?,
        };
        Ok(Self::over(engine))
    }

    /// A record as a snapshot of an earlier version left it (the draft writer's XML, see [`FormSession::draft_xml`]), at the
    /// screen named. What its conditions last said is not in it; [`FormSession::from_state`] knows.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`], [`ErrorKind::NoSuchLanguage`], [`ErrorKind::TooLarge`] if it would pass a budget.
    pub fn restore(
        form: Arc<FormDef>,
        settings: Settings,
        snapshot: &str,
        language: Option<&str>,
        screen: Option<&str>,
        step: Step,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let mut engine = Engine::restore(form, settings, snapshot, step, last_saved)?;
        if engine.meta("instanceID").is_empty() {
            engine.replace_instance_id(step);
        }
        if let Some(language) = language {
            engine.choose_language(language)?;
        }
        let mut session = Self::over(engine);
        if let Some(key) = screen.and_then(|screen| session.screen_at(screen)) {
            session.current = key;
        }
        Ok(session)
    }

    /// A record that was written to be sent, opened again in `language`.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`], [`ErrorKind::NoSuchLanguage`], [`ErrorKind::TooLarge`] if it would pass a budget.
    pub fn reopen(
        form: Arc<FormDef>,
        settings: Settings,
        language: Option<&str>,
        record: &str,
        step: Step,
    ) -> Result<Self> {
        let mut engine = Engine::reopen(form, settings, record, step, None)?;
        if let Some(language) = language {
            engine.choose_language(language)?;
        }
        Ok(Self::over(engine))
    }

    /// Takes up the `meta/instanceID` under which a draft is known: a record that is begun again must not get another.
    pub fn keep_instance_id(&mut self, id: &str) {
        if !id.is_empty() && self.instance_id() != id {
            self.engine.set_instance_id(id);
        }
    }

    fn over(engine: Engine) -> Self {
        let mut session = Self { engine, current: ScreenKey::End };
        session.current = session.first();
        session
    }

    /// Makes a change, if the record as it is now allows it. The same edits with the same steps always give the same session.
    ///
    /// # Errors
    /// Why the change is refused (the kinds have the driver's codes); the session is unchanged then.
    pub fn apply(&mut self, edit: &Edit, step: Step) -> Result<Changes> {
        match edit {
            Edit::Answer { node, value } => {
                let node = self.engine.find(node).ok_or(ErrorKind::NoSuchNode)?;
                self.engine.answer(node, value.as_deref(), step)
            }
            Edit::Add { range } => self.engine.add_repeat(range, step),
            Edit::Remove { node } => {
                let changes = self.engine.remove_repeat(node, step)?;
                self.leave_what_is_gone();
                Ok(changes)
            }
            Edit::Language { name } => self.engine.set_language(name, step),
            Edit::Move { screen } => self.go(screen, |engine, range| engine.add_due_row(range, step)),
            // The file itself is the store's business.
            Edit::Attach { node: Some(node), name } => {
                let node = self.engine.find(node).ok_or(ErrorKind::NoSuchNode)?;
                self.engine.answer(node, Some(name), step)
            }
            Edit::Attach { node: None, .. } => Ok(Changes::default()),
            Edit::Resume => self.engine.resume(step),
        }
    }

    /// An edit as a journal keeps it: the digits of a number, a date or a place that is answered are 0 to 9, whatever the
    /// keyboard's.
    #[must_use]
    pub fn in_plain_writing(&self, edit: &Edit) -> Edit {
        match edit {
            Edit::Answer { node, value: Some(value) }
                if self.engine.find(node).is_some_and(|node| self.is_measure(node)) =>
            {
                Edit::Answer { node: node.clone(), value: Some(digits::plain(value).into_owned()) }
            }
            _ => edit.clone(),
        }
    }

    /// Whether a question asks for something that is written in digits.
    fn is_measure(&self, node: NodeId) -> bool {
        let definition = &self.form().nodes[self.engine.tree().node(node).def];
        let has_choices = definition.control.is_some_and(|control| self.form().controls[control].kind.has_choices());
        !has_choices && !matches!(definition.data_type, DataType::String | DataType::Barcode | DataType::Binary)
    }

    /// Makes a change that a journal row tells of. It was accepted when it happened, so nothing is checked again: a list, a
    /// condition or the engine may have changed since, and the answer stands all the same (session.md, Journal). A screen or
    /// a language that is no longer there leaves the session where it is.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`] or [`ErrorKind::NotAllowed`] if it cannot be applied at all; the session is unchanged then.
    pub fn replay(&mut self, edit: &Edit, step: Step) -> Result<Changes> {
        match edit {
            Edit::Answer { node, value } => self.engine.replay_answer(node, value.as_deref(), step),
            Edit::Add { range } => self.engine.replay_add(range, step),
            Edit::Remove { node } => {
                let changes = self.engine.replay_remove(node, step)?;
                self.leave_what_is_gone();
                Ok(changes)
            }
            Edit::Language { name } => Ok(self.engine.replay_language(name, step).unwrap_or_default()),
            Edit::Move { screen } => {
                Ok(self.go(screen, |engine, range| engine.replay_add(range, step)).unwrap_or_default())
            }
            Edit::Attach { node: Some(node), name } => self.engine.replay_answer(node, Some(name), step),
            Edit::Attach { node: None, .. } => self.apply(edit, step),
            Edit::Resume => self.engine.replay_resume(step),
        }
    }

    /// Goes to a screen. Behind the rows of a counted repeat nobody is asked whether there is another: the row that is due is
    /// added, and its first screen shown.
    fn go(&mut self, screen: &str, add: impl FnOnce(&mut Engine, &str) -> Result<Changes>) -> Result<Changes> {
        let key = self.screen_at(screen).ok_or(ErrorKind::NoSuchNode)?;
        let ScreenKey::Add { parent, repeat } = key else {
            self.current = key;
            return Ok(Changes::default());
        };
        if !self.engine.is_counted(repeat) {
            self.current = key;
            return Ok(Changes::default());
        }
        let changes = add(&mut self.engine, screen.trim_end_matches('+'))?;
        self.current = self.first_of_last_row(parent, repeat);
        Ok(changes)
    }

    /// A screen that has been removed has no name any more, so the session goes to the one that is shown instead.
    fn leave_what_is_gone(&mut self) {
        let (ScreenKey::Node(node) | ScreenKey::Add { parent: node, .. }) = self.current else { return };
        if self.engine.tree().get(node).is_none() {
            self.current = self.current();
        }
    }

    /// Other limits, for tests that pass them.
    #[doc(hidden)]
    pub fn set_limits(&mut self, limits: engine::Limits) {
        self.engine.set_limits(limits);
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> &Arc<FormDef> {
        self.engine.form()
    }

    /// The record itself.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A node by its path with positions.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<NodeId> {
        self.engine.find(path)
    }

    /// The path of a node, with positions.
    #[must_use]
    pub fn path(&self, node: NodeId) -> String {
        self.engine.path(node)
    }

    /// The languages of the form.
    #[must_use]
    pub fn languages(&self) -> &[Language] {
        self.engine.languages()
    }

    /// The position of the language shown.
    #[must_use]
    pub fn language(&self) -> usize {
        self.engine.language()
    }

    /// The name of the language shown, as the form writes it; none if the form has no languages.
    #[must_use]
    pub fn language_name(&self) -> Option<&str> {
        self.languages().get(self.language()).map(|language| language.name.as_str())
    }

    /// Everything that stands in the way of finalising, in the order of the body.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.of_what_is_asked(self.engine.violations())
    }

    /// The header row of a grid is never asked, so nobody could mend what is wrong with it.
    fn of_what_is_asked(&self, found: impl IntoIterator<Item = engine::Violation>) -> Vec<Violation> {
        let is_asked = |violation: &engine::Violation| {
            let control = self.form().nodes[self.engine.tree().node(violation.node).def].control;
            control.is_some_and(|control| !screens::is_header(&self.form().controls[control]))
        };
        found.into_iter().filter(is_asked).map(|violation| self.violation_view(violation)).collect()
    }

    /// The files that relevant answers name. What the form itself put there is none of a person's files: a picture of the
    /// form's own (`jr://…`).
    #[must_use]
    pub fn attachment_names(&self) -> Vec<String> {
        let tree = self.engine.tree();
        let nodes = tree.subtree(tree.root()).into_iter().map(|id| tree.node(id));
        let named = nodes.filter(|node| {
            node.relevant
                && !node.value.is_empty()
                && !node.value.starts_with("jr://")
                && self.form().nodes[node.def].data_type == DataType::Binary
        });
        named.map(|node| node.value.clone()).collect()
    }

    /// Whether a question that is asked has this file for its answer.
    #[must_use]
    pub fn asks_for_file(&self, name: &str) -> bool {
        let tree = self.engine.tree();
        tree.by_creation().map(|id| tree.node(id)).any(|node| {
            let definition = &self.form().nodes[node.def];
            node.value == name && node.relevant && definition.control.is_some() && definition.calculate.is_none()
        })
    }

    /// Whether something in the record, relevant or not, has this very text: so long a file of that name is kept.
    #[must_use]
    pub fn has_value(&self, text: &str) -> bool {
        let tree = self.engine.tree();
        tree.by_creation().any(|id| tree.node(id).value == text)
    }

    /// The whole record, whatever its relevance: a snapshot.
    #[must_use]
    pub fn draft_xml(&self) -> String {
        self.engine.write(Writer::Draft)
    }

    /// `meta/instanceID`.
    #[must_use]
    pub fn instance_id(&self) -> String {
        self.engine.meta("instanceID")
    }

    /// `meta/instanceName`.
    #[must_use]
    pub fn instance_name(&self) -> String {
        self.engine.meta("instanceName")
    }

    /// Finalises the record if nothing stands in the way: end-of-form processing, then the frozen bytes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if end-of-form processing would pass a budget. `Ok(Err(violations))`: every violation. The
    /// session is unchanged then.
    pub fn finalize(&mut self, step: Step) -> Result<Result<Finished, Vec<Violation>>> {
        let violations = self.violations();
        if !violations.is_empty() {
            return Ok(Err(violations));
        }
        self.engine.finish(step)?;
        Ok(Ok(self.finished()))
    }

    /// The same record under a new `meta/instanceID`, for one that is finished and whose own is empty or another record's.
    #[must_use]
    pub fn finished_anew(&mut self, step: Step) -> Finished {
        self.engine.replace_instance_id(step);
        self.finished()
    }

    fn finished(&self) -> Finished {
        Finished {
            xml: self.engine.write(Writer::Submission),
            draft_xml: self.draft_xml(),
            instance_id: self.engine.sent_instance_id().to_owned(),
            instance_name: self.instance_name(),
        }
    }

    /// A text for people; values in it are isolated. `name` stands in where there is no text at all.
    fn text(&self, words: &Words, name: &str) -> Text {
        if words.parts.is_empty() {
            return Text::new(&[Part::Value(name)], None, !name.is_empty());
        }
        let parts: Vec<_> = words
            .parts
            .iter()
            .map(|part| match part {
                engine::Part::Authored(text) => Part::Authored(text),
                engine::Part::Value(text) => Part::Value(text),
            })
            .collect();
        let tag = words.language.and_then(|language| self.languages().get(language)?.tag.as_ref());
        Text::new(&parts, tag, words.fallback)
    }
}

use super::screens::is_header;
use super::{FormSession, ScreenKey, ViolationKind};
use crate::engine::{self, Choice};
use crate::form::{ControlKind, DataType, Label};
use crate::ids::{ControlId, NodeId};
use crate::text::{Part, Text};

/// What one screen shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ScreenView {
    /// Which screen.
    pub key: ScreenKey,
    /// What kind of screen.
    pub kind: ScreenKind,
    /// Headings: the labels of the groups and repeats around it, outermost first. For `Add` the last is the repeat's.
    pub path: Vec<Text>,
    /// Its questions in order.
    pub questions: Vec<QuestionView>,
    /// How far it is.
    pub progress: Progress,
    /// At the end: what stands in the way of finalising.
    pub violations: Vec<Violation>,
}

/// Kinds of screens (session.md, Screens).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKind {
    /// One question.
    Question,
    /// The questions of a field-list together.
    FieldList,
    /// "Another?"
    Add,
    /// After the last question.
    End,
}

/// How many screens lie behind, of how many in all; both change with the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Screens before this one.
    pub done: usize,
    /// Screens in all, the end not counted.
    pub total: usize,
}

/// One question as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionView {
    /// The node it asks.
    pub node: NodeId,
    /// Its path, with positions.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Kind of control.
    pub control: ControlKind,
    /// Type of the answer.
    pub data_type: DataType,
    /// `appearance`, as written.
    pub appearance: String,
    /// The question; its name if the form has no words for it.
    pub label: Text,
    /// The explanation under it.
    pub hint: Option<Text>,
    /// More explanation, on request.
    pub guidance: Option<Text>,
    /// Picture, sound and video of the label.
    pub media: Media,
    /// What is offered, in order.
    pub choices: Vec<ChoiceView>,
    /// The answer, in the lexical form of the submission.
    pub value: String,
    /// The answer as a person reads it: labels of choices, else the value.
    pub shown_value: String,
    /// It only shows.
    pub readonly: bool,
    /// It must be answered.
    pub required: bool,
    /// The header row of a grid: shown, not asked.
    pub header: bool,
    /// What is wrong with the answer now.
    pub violation: Option<Violation>,
    /// Other attributes for the widget, such as `mediatype`, `start`, `end`, `step`.
    pub settings: Vec<(String, String)>,
}

/// Bare file names in the form's media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the medium of its name")]
pub struct Media {
    pub image: Option<String>,
    pub audio: Option<String>,
    pub video: Option<String>,
}

/// One choice as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceView {
    /// The value stored.
    pub value: String,
    /// Its words.
    pub label: Text,
    /// Picture, sound and video of it.
    pub media: Media,
    /// Whether it is (part of) the answer.
    pub chosen: bool,
}

/// What is wrong with an answer, in words for the person who answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The question.
    pub node: NodeId,
    /// Its path, with positions.
    pub path: String,
    /// What is wrong.
    pub kind: ViolationKind,
    /// What the form says about it; empty if it says nothing.
    pub text: Text,
}

impl FormSession {
    /// What a screen shows now; one that has disappeared gives way to the nearest earlier one.
    #[must_use]
    pub fn screen(&self, key: &ScreenKey) -> ScreenView {
        let key = self.nearest(key);
        let screens = self.screens();
        let done = screens.iter().position(|screen| *screen == key).unwrap_or(0);
        let questions = self.questions_of(&key);
        let kind = match key {
            ScreenKey::Add { .. } => ScreenKind::Add,
            ScreenKey::End => ScreenKind::End,
            ScreenKey::Node(node) if self.is_question(node) => ScreenKind::Question,
            ScreenKey::Node(_) => ScreenKind::FieldList,
        };
        ScreenView {
            key,
            kind,
            path: self.headings(&key),
            questions: questions.into_iter().map(|(control, node)| self.question(control, node)).collect(),
            progress: Progress { done, total: screens.len() - 1 },
            violations: if key == ScreenKey::End { self.violations() } else { Vec::new() },
        }
    }

    /// A question by its node, as it is shown now; none for a node that nobody asks.
    #[must_use]
    pub fn question_at(&self, node: NodeId) -> Option<QuestionView> {
        let known = self.engine.tree().get(node)?;
        self.form().nodes[known.def].control.map(|control| self.question(control, node))
    }

    fn is_question(&self, node: NodeId) -> bool {
        self.form().nodes[self.engine.tree().node(node).def].control.is_some()
    }

    /// Labels of the groups and repeats around a screen, its own among them.
    fn headings(&self, key: &ScreenKey) -> Vec<Text> {
        let form = self.form();
        let tree = self.engine.tree();
        let (innermost, node) = match *key {
            ScreenKey::End => return Vec::new(),
            ScreenKey::Add { parent, repeat } => (form.nodes[repeat].repeat, parent),
            ScreenKey::Node(node) => {
                let def = tree.node(node).def;
                let group = || form.controls.iter().find(|(_, control)| control.node == Some(def)).map(|(id, _)| id);
                let question = form.nodes[def].control.and_then(|control| form.controls[control].parent);
                (if self.is_question(node) { question } else { group() }, node)
            }
        };
        let mut around: Vec<_> = std::iter::successors(innermost, |&control| form.controls[control].parent).collect();
        around.reverse();
        let headings = around.into_iter().filter_map(|control| {
            let control = &form.controls[control];
            let label = control.label.as_ref()?;
            let context = control.node.and_then(|def| tree.ancestor_of(node, def)).unwrap_or(node);
            let text = self.text(&self.engine.words(label, context), "");
            (!text.is_empty()).then_some(text)
        });
        headings.collect()
    }

    fn question(&self, control: ControlId, node: NodeId) -> QuestionView {
        let form = self.form();
        let engine = &self.engine;
        let definition = &form.controls[control];
        let known = engine.tree().node(node);
        let name = form.names.get(form.nodes[known.def].name);
        let text = |label: &Label| Some(self.text(&engine.words(label, node), "")).filter(|text| !text.is_empty());
        let choices: Vec<_> = if definition.kind.has_choices() {
            let offered = engine.choices(control, node).into_iter();
            offered.map(|choice| self.choice(control, node, &choice)).collect()
        } else {
            Vec::new()
        };
        let chosen: Vec<_> = match definition.kind {
            // In the order of the answer: for a rank that is the point.
            ControlKind::Select | ControlKind::Rank => {
                let values = known.value.split_ascii_whitespace();
                values.filter_map(|value| choices.iter().find(|choice| choice.value == value)).collect()
            }
            _ => choices.iter().filter(|choice| choice.chosen).collect(),
        };
        let shown_value = if chosen.is_empty() {
            known.value.clone()
        } else {
            chosen.iter().map(|choice| choice.label.plain.as_str()).collect::<Vec<_>>().join(", ")
        };
        QuestionView {
            node,
            path: engine.path(node),
            name: name.to_owned(),
            control: definition.kind,
            data_type: form.nodes[known.def].data_type,
            appearance: definition.appearance.to_string(),
            label: match &definition.label {
                Some(label) => self.text(&engine.words(label, node), name),
                None => Text::new(&[Part::Value(name)], None, true),
            },
            hint: definition.hint.as_ref().and_then(text),
            guidance: definition.hint.as_ref().and_then(|hint| Some(self.text(&engine.guidance(hint, node)?, ""))),
            media: media(|form| engine.media(definition.label.as_ref()?, node, form)),
            value: known.value.clone(),
            shown_value,
            choices,
            readonly: engine.is_readonly(node),
            required: known.required,
            header: is_header(definition),
            violation: engine.violation(node).map(|violation| self.violation_view(violation)),
            settings: definition.settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        }
    }

    fn choice(&self, control: ControlId, node: NodeId, choice: &Choice) -> ChoiceView {
        let value = &self.engine.tree().node(node).value;
        let chosen = match self.form().controls[control].kind {
            ControlKind::Select1 => *value == choice.value,
            _ => value.split_ascii_whitespace().any(|value| value == choice.value),
        };
        ChoiceView {
            value: choice.value.clone(),
            label: self.text(&self.engine.choice_words(control, node, choice), &choice.value),
            media: media(|form| self.engine.choice_media(control, node, choice, form)),
            chosen,
        }
    }

    pub(super) fn violation_view(&self, violation: engine::Violation) -> Violation {
        let text = violation.message.map(|message| self.text(&message, ""));
        Violation {
            node: violation.node,
            path: self.path(violation.node),
            kind: violation.kind,
            text: text.unwrap_or_else(|| Text::new(&[], None, false)),
        }
    }
}

fn media(find: impl Fn(&str) -> Option<String>) -> Media {
    Media { image: find("image").or_else(|| find("big-image")), audio: find("audio"), video: find("video") }
}

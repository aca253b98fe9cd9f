use super::screens::is_header;
use super::widget::Widget;
use super::{FormSession, ScreenKey, ViolationKind};
use crate::engine::{self, Choice};
use crate::form::{ControlKind, DataType, Label};
use crate::ids::{ControlId, NodeId};
use crate::text::fold::fold;
use crate::text::{Part, Text};

/// A question with more choices than this carries only the chosen ones; the others come by [`FormSession::choices`].
pub const MAX_CHOICES: usize = 100;

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
    /// The instances of repeats around it, outermost first.
    pub instances: Vec<InstanceView>,
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

/// An instance of a repeat around a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceView {
    /// Its node.
    pub node: NodeId,
    /// Its path, with positions.
    pub path: String,
    /// Which one it is, from 1.
    pub position: usize,
    /// Of how many.
    pub of: usize,
    /// Whether the person may remove it, and add others.
    pub may_change: bool,
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
    /// What is offered, in order; where that is more than [`MAX_CHOICES`], only what is chosen. Of a range the labels of
    /// its ticks.
    pub choices: Vec<ChoiceView>,
    /// How many choices are offered in all.
    pub n_choices: usize,
    /// Whether finding out what is offered is too much work, so that nothing is; an answer is refused as `too-large` then.
    pub too_much: bool,
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
    /// Bounds, limits and looks.
    pub widget: Widget,
}

/// Some of the choices of a question: see [`FormSession::choices`].
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceList {
    /// The choices asked for, in the order of the form.
    pub choices: Vec<ChoiceView>,
    /// How many are found in all.
    pub total: usize,
    /// As in [`QuestionView::too_much`].
    pub too_much: bool,
}

/// Bare file names in the form's media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the others are the media of their names")]
pub struct Media {
    pub image: Option<String>,
    /// The picture shown large when the other is touched.
    pub big_image: Option<String>,
    pub audio: Option<String>,
    pub video: Option<String>,
}

/// One choice as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceView {
    /// Its place among all that is offered, from 0.
    pub index: usize,
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
        let screens = self.screens();
        let key = self.nearest_of(&screens, key);
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
            instances: self.instances(&key),
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

    /// Choices of a question whose shown label contains `search`, letters folded ([`fold`]), in the order of the form: up
    /// to `limit` of them from the `from`-th found (counted from 0). Nothing to search for finds all. None for a node
    /// that offers no choices.
    #[must_use]
    pub fn choices(&self, question: NodeId, search: &str, from: usize, limit: usize) -> Option<ChoiceList> {
        let known = self.engine.tree().get(question)?;
        let control = self.form().nodes[known.def].control.filter(|&control| self.offers_choices(control))?;
        let offer = self.engine.offer(control, question);
        let search = fold(search);
        let answer = self.engine.chosen_values(control, question);
        if search.is_empty() {
            let choices = self.engine.choices_from(&offer, from, control, question).take(limit);
            let choices =
                choices.zip(from..).map(|(choice, index)| self.choice(control, question, &choice, index, &answer));
            return Some(ChoiceList { choices: choices.collect(), total: offer.len(), too_much: offer.is_too_much });
        }
        let mut found = ChoiceList { choices: Vec::new(), total: 0, too_much: offer.is_too_much };
        for (index, choice) in self.engine.choices_from(&offer, 0, control, question).enumerate() {
            let label = self.choice_label(control, question, &choice);
            if fold(&label.plain).contains(&search) {
                if (from..from.saturating_add(limit)).contains(&found.total) {
                    found.choices.push(self.choice_labelled(control, question, &choice, index, &answer, label));
                }
                found.total += 1;
            }
        }
        Some(found)
    }

    /// Whether a control has choices to pick, or a range has labels for its ticks.
    fn offers_choices(&self, control: ControlId) -> bool {
        let control = &self.form().controls[control];
        control.kind.has_choices() || control.kind == ControlKind::Range
    }

    fn instances(&self, key: &ScreenKey) -> Vec<InstanceView> {
        let (form, tree) = (self.form(), self.engine.tree());
        let node = match *key {
            ScreenKey::Node(node) => node,
            ScreenKey::Add { parent, .. } => parent,
            ScreenKey::End => return Vec::new(),
        };
        let repeats = tree.ancestors(node).filter(|&node| form.nodes[tree.node(node).def].repeat.is_some());
        let mut instances: Vec<_> = repeats
            .map(|node| {
                let def = tree.node(node).def;
                let of = tree.node(node).parent.map_or(1, |parent| tree.children_of(parent, def).len());
                InstanceView {
                    node,
                    path: self.path(node),
                    position: tree.position(node),
                    of,
                    may_change: self.engine.may_add(def),
                }
            })
            .collect();
        instances.reverse();
        instances
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

    /// The label of a group or repeat, as its first instance shows it; none if the form has no words for it.
    #[must_use]
    pub fn group_label(&self, group: ControlId) -> Option<Text> {
        let control = self.form().controls.get(group)?;
        let tree = self.engine.tree();
        let instance = |def| tree.instances_below(self.form(), tree.root(), def).first().copied();
        let context = control.node.and_then(instance).unwrap_or(tree.root());
        let text = self.text(&self.engine.words(control.label.as_ref()?, context), "");
        (!text.is_empty()).then_some(text)
    }

    fn question(&self, control: ControlId, node: NodeId) -> QuestionView {
        let form = self.form();
        let engine = &self.engine;
        let definition = &form.controls[control];
        let known = engine.tree().node(node);
        let name = form.names.get(form.nodes[known.def].name);
        let text = |label: &Label| Some(self.text(&engine.words(label, node), "")).filter(|text| !text.is_empty());
        let ChoiceList { choices, total: n_choices, too_much } = self.carried_choices(control, node);
        let chosen: Vec<_> = match definition.kind {
            // In the order of the answer: for a rank that is the point.
            ControlKind::Select | ControlKind::Rank => {
                let values = engine.chosen_values(control, node).into_iter();
                values.filter_map(|value| choices.iter().find(|choice| choice.value == value)).collect()
            }
            _ => choices.iter().filter(|choice| choice.chosen).collect(),
        };
        let shown_value = if chosen.is_empty() || !definition.kind.has_choices() {
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
            n_choices,
            too_much,
            readonly: engine.is_readonly(node),
            required: known.required,
            header: is_header(definition),
            violation: engine.violation(node).map(|violation| self.violation_view(violation)),
            widget: Widget::of(definition, &form.nodes[known.def]),
        }
    }

    /// The choices that a view carries, and how many there are.
    fn carried_choices(&self, control: ControlId, node: NodeId) -> ChoiceList {
        if !self.offers_choices(control) {
            return ChoiceList { choices: Vec::new(), total: 0, too_much: false };
        }
        let offer = self.engine.offer(control, node);
        let all = self.engine.choices_from(&offer, 0, control, node).enumerate();
        let answer = self.engine.chosen_values(control, node);
        let view = |(index, choice): (usize, Choice)| self.choice(control, node, &choice, index, &answer);
        let choices = if offer.len() <= MAX_CHOICES {
            all.map(view).collect()
        } else {
            // An answer names a value once: when all are found, the rest need not be looked at.
            all.filter(|(_, choice)| answer.contains(&choice.value)).take(answer.len()).map(view).collect()
        };
        ChoiceList { choices, total: offer.len(), too_much: offer.is_too_much }
    }

    /// A choice for one whose answer names these values.
    fn choice(&self, control: ControlId, node: NodeId, choice: &Choice, index: usize, answer: &[String]) -> ChoiceView {
        self.choice_labelled(control, node, choice, index, answer, self.choice_label(control, node, choice))
    }

    fn choice_labelled(
        &self,
        control: ControlId,
        node: NodeId,
        choice: &Choice,
        index: usize,
        answer: &[String],
        label: Text,
    ) -> ChoiceView {
        ChoiceView {
            index,
            value: choice.value.clone(),
            label,
            media: media(|form| self.engine.choice_media(control, node, choice, form)),
            chosen: answer.contains(&choice.value),
        }
    }

    fn choice_label(&self, control: ControlId, node: NodeId, choice: &Choice) -> Text {
        self.text(&self.engine.choice_words(control, node, choice), &choice.value)
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
    let big_image = find("big-image");
    Media { image: find("image").or_else(|| big_image.clone()), big_image, audio: find("audio"), video: find("video") }
}

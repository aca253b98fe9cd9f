//! A form read to a person: its questions in their order, and a record as question and answer.
//!
//! Labels come from the engine, which has the record as it arrived and calculates nothing; what was answered comes from
//! the record itself, so that nothing is shown that is not in it and nothing in it is hidden.

use crate::xml::{Node, Xml};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Part as EnginePart, Settings, Words};
use veldwerk::form::{Condition, Control, ControlKind, DataType, Files, FormDef, Label};
use veldwerk::ids::{ControlId, NodeId};
use veldwerk::instance::{Writer, new_record};
use veldwerk::text::{Language, Part, Text};
use veldwerk::{Error, ErrorKind, Result};

/// A form ready to label records with.
pub(crate) struct Reading {
    /// Nothing for a form that this program cannot fill: other programs may, and their records are shown bare.
    form: Option<Arc<FormDef>>,
    pub(crate) languages: Vec<Language>,
    /// Position of the form's own language.
    pub(crate) default_language: usize,
}

/// A line of a record.
pub(crate) struct Row {
    /// How many headings it stands under.
    pub(crate) depth: usize,
    pub(crate) label: Text,
    /// Which of the repeated parts a heading is of, from 1.
    pub(crate) position: Option<usize>,
    /// Nothing for a heading.
    pub(crate) answer: Option<Answer>,
}

/// What somebody answered.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    None,
    Text(String),
    /// Numbers, dates, places, codes: always read from left to right.
    Figures(String),
    /// Chosen values with their labels, where the form still knows them.
    Choices(Vec<(String, Option<Text>)>),
    /// The name of a file.
    File(String),
}

/// A question whose answers can be counted.
pub(crate) struct ClosedQuestion {
    /// Path of the question, repeats without position.
    pub(crate) path: String,
    pub(crate) label: Text,
    /// What it offers in an empty record; a choice that depends on another answer is not among them.
    pub(crate) choices: Vec<(String, Text)>,
    /// Whether several may be chosen.
    pub(crate) many: bool,
}

impl Reading {
    /// Reads an XForm with its files.
    pub(crate) fn read(xml: &[u8], files: &dyn Files) -> Self {
        let form = std::str::from_utf8(xml)
            .ok()
            .and_then(|xml| FormDef::load(xml, files).ok())
            .map(|(form, _)| Arc::new(form));
        let itext = form.as_ref().map(|form| &form.itext);
        Self {
            languages: itext.into_iter().flat_map(|itext| itext.languages()).map(Language::new).collect(),
            default_language: itext.map_or(0, |itext| itext.default),
            form,
        }
    }

    /// The questions that have a place in a record, under their headings.
    ///
    /// # Errors
    /// `not-xml`.
    pub(crate) fn rows(&self, record: &[u8], language: usize) -> Result<Vec<Row>> {
        let xml = Xml::read(record)?;
        let mut rows = Vec::new();
        match self.labelled(record, language) {
            Ok(labelled) => {
                let top = labelled.engine.tree().root();
                labelled.add_rows(&labelled.engine.form().body, top, xml.root(), 0, &mut rows);
            }
            Err(_) => add_bare_rows(xml.root(), 0, &mut rows),
        }
        Ok(rows)
    }

    /// The questions with choices, in the order of the form.
    pub(crate) fn closed_questions(&self, language: usize) -> Vec<ClosedQuestion> {
        let Some(form) = &self.form else { return Vec::new() };
        let empty = Writer::Draft.write(form, &new_record(form));
        self.labelled(empty.as_bytes(), language).map_or(Vec::new(), |labelled| labelled.closed_questions())
    }

    /// The label of a value that a question at `path` has in a record.
    pub(crate) fn choice_label(&self, record: &[u8], language: usize, path: &str, value: &str) -> Option<Text> {
        let labelled = self.labelled(record, language).ok()?;
        let (form, tree) = (labelled.engine.form(), labelled.engine.tree());
        let def = form.find(path)?;
        let control = form.nodes[def].control?;
        tree.instances_below(form, tree.root(), def).into_iter().find_map(|node| labelled.choice(control, node, value))
    }

    fn labelled(&self, record: &[u8], language: usize) -> Result<Labelled> {
        let form = self.form.clone().ok_or(ErrorKind::NotXforms)?;
        let record = std::str::from_utf8(record).map_err(|error| Error::from(ErrorKind::NotXml).caused_by(error))?;
        let settings = Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() };
        let mut engine = Engine::restore(form, settings, record, Step { at: 0, seed: 0, number: 0 }, None)?;
        if let Some(language) = self.languages.get(language) {
            engine.choose_language(&language.name)?;
        }
        Ok(Labelled { engine })
    }
}

/// A record whose questions can be named.
struct Labelled {
    engine: Engine,
}

impl Labelled {
    fn add_rows(&self, controls: &[ControlId], around: NodeId, record: Node<'_>, depth: usize, rows: &mut Vec<Row>) {
        for &id in controls {
            let control = &self.engine.form().controls[id];
            match control.kind {
                ControlKind::Group => match self.only_repeat(control) {
                    Some(repeat) => self.add_repeat(repeat, control.label.as_ref(), around, record, depth, rows),
                    None => {
                        let label = self.label(control.label.as_ref(), around, "");
                        add_part(label, None, depth, rows, |depth, rows| {
                            self.add_rows(&control.children, around, record, depth, rows);
                        });
                    }
                },
                ControlKind::Repeat => self.add_repeat(id, control.label.as_ref(), around, record, depth, rows),
                _ => {
                    for node in self.engine.nodes_of(id, around) {
                        rows.extend(self.row(id, node, record, depth));
                    }
                }
            }
        }
    }

    /// The repeat in a group that holds nothing else: the group is there to carry its label.
    fn only_repeat(&self, group: &Control) -> Option<ControlId> {
        match group.children.as_slice() {
            &[child] if self.engine.form().controls[child].kind == ControlKind::Repeat => Some(child),
            _ => None,
        }
    }

    fn add_repeat(
        &self,
        repeat: ControlId,
        label: Option<&Label>,
        around: NodeId,
        record: Node<'_>,
        depth: usize,
        rows: &mut Vec<Row>,
    ) {
        for (index, node) in self.engine.nodes_of(repeat, around).into_iter().enumerate() {
            let label = self.label(label, node, "");
            add_part(label, Some(index + 1), depth, rows, |depth, rows| {
                self.add_rows(&self.engine.form().controls[repeat].children, node, record, depth, rows);
            });
        }
    }

    /// A question that the record has a place for, unless it is only words.
    fn row(&self, control: ControlId, node: NodeId, record: Node<'_>, depth: usize) -> Option<Row> {
        let form = self.engine.form();
        let value = record.at(&self.engine.path(node))?.text();
        let definition = &form.nodes[self.engine.tree().node(node).def];
        let is_note = definition.readonly == Condition::Constant(true) && definition.calculate.is_none();
        // The head of a grid repeats the choices of the questions under it.
        let is_head = form.controls[control].appears("label");
        if value.is_empty() && (is_note || is_head) {
            return None;
        }
        let label = self.label(form.controls[control].label.as_ref(), node, form.names.get(definition.name));
        let answer = self.answer(control, node, &value, definition.data_type);
        Some(Row { depth, label, position: None, answer: Some(answer) })
    }

    fn answer(&self, control: ControlId, node: NodeId, value: &str, data_type: DataType) -> Answer {
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return Answer::None;
        }
        let labelled = |value: &str| (value.to_owned(), self.choice(control, node, value));
        match (self.engine.form().controls[control].kind, data_type) {
            (ControlKind::Select1, _) => Answer::Choices(vec![labelled(trimmed)]),
            (ControlKind::Select | ControlKind::Rank, _) => {
                Answer::Choices(trimmed.split_whitespace().map(labelled).collect())
            }
            (ControlKind::Upload, _) => Answer::File(trimmed.to_owned()),
            (_, DataType::String) => Answer::Text(value.to_owned()),
            (_, DataType::DateTime) => Answer::Figures(to_the_minute(trimmed)),
            _ => Answer::Figures(trimmed.to_owned()),
        }
    }

    fn choice(&self, control: ControlId, node: NodeId, value: &str) -> Option<Text> {
        let choices = self.engine.choices(control, node);
        let choice = choices.iter().find(|choice| choice.value == value)?;
        Some(self.text(&self.engine.choice_words(control, node, choice), value))
    }

    fn closed_questions(&self) -> Vec<ClosedQuestion> {
        let (form, tree) = (self.engine.form(), self.engine.tree());
        let mut closed = Vec::new();
        let mut waiting: Vec<ControlId> = form.body.iter().rev().copied().collect();
        while let Some(id) = waiting.pop() {
            let control = &form.controls[id];
            waiting.extend(control.children.iter().rev());
            let Some(def) = control.node.filter(|_| control.kind.has_choices() && !control.appears("label")) else {
                continue;
            };
            let Some(&node) = tree.instances_below(form, tree.root(), def).first() else { continue };
            let choices = self.engine.choices(id, node);
            closed.push(ClosedQuestion {
                path: form.path(def),
                label: self.label(control.label.as_ref(), node, form.names.get(form.nodes[def].name)),
                choices: choices
                    .iter()
                    .map(|choice| {
                        (choice.value.clone(), self.text(&self.engine.choice_words(id, node, choice), &choice.value))
                    })
                    .collect(),
                many: control.kind != ControlKind::Select1,
            });
        }
        closed
    }

    fn label(&self, label: Option<&Label>, node: NodeId, stand_in: &str) -> Text {
        self.text(&label.map(|label| self.engine.words(label, node)).unwrap_or_default(), stand_in)
    }

    /// Words as a text; `stand_in` where there are none.
    fn text(&self, words: &Words, stand_in: &str) -> Text {
        let parts: Vec<_> = words
            .parts
            .iter()
            .map(|part| match part {
                EnginePart::Authored(words) => Part::Authored(words),
                EnginePart::Value(value) if value.is_empty() => Part::Value("…"),
                EnginePart::Value(value) => Part::Value(value),
            })
            .collect();
        let tag = words.language.and_then(|language| self.engine.languages().get(language)?.tag.as_ref());
        let text = Text::new(&parts, tag, words.fallback);
        if text.is_empty() && !stand_in.is_empty() { Text::new(&[Part::Value(stand_in)], None, false) } else { text }
    }
}

/// Adds the rows of a part of the form, under its heading if it has one; nothing if there are none.
fn add_part(
    label: Text,
    position: Option<usize>,
    depth: usize,
    rows: &mut Vec<Row>,
    add: impl FnOnce(usize, &mut Vec<Row>),
) {
    let has_heading = !label.is_empty() || position.is_some();
    let before = rows.len();
    if has_heading {
        rows.push(Row { depth, label, position, answer: None });
    }
    add(depth + usize::from(has_heading), rows);
    if has_heading && rows.len() == before + 1 {
        rows.pop();
    }
}

/// A record without its form: the names of its nodes, and what they hold.
fn add_bare_rows(parent: Node<'_>, depth: usize, rows: &mut Vec<Row>) {
    for child in parent.children() {
        let is_part = child.children().next().is_some();
        let value = child.text();
        let answer = if value.trim().is_empty() { Answer::None } else { Answer::Text(value.into_owned()) };
        let label = Text::new(&[Part::Value(child.name())], None, false);
        rows.push(Row { depth, label, position: None, answer: (!is_part).then_some(answer) });
        add_bare_rows(child, depth + 1, rows);
    }
}

/// `2026-11-24 10:00` of `2026-11-24T10:00:00.000+01:00`.
fn to_the_minute(value: &str) -> String {
    match value.split_once('T') {
        Some((date, time)) => format!("{date} {}", time.get(..5).unwrap_or(time)),
        None => value.to_owned(),
    }
}

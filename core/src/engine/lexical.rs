//! How texts from outside become values: answers, a form's defaults, what a record holds.

use std::collections::HashSet;

use super::Engine;
use crate::Result;
use crate::form::{Control, ControlKind, DataType};
use crate::ids::{ControlId, NodeId};
use crate::instance::canonical;
use crate::xpath::date;

/// Who wrote the values that a record comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// The form: what is no value of its type is none.
    Form,
    /// Somebody who filled the record in: what they wrote stays.
    Person,
}

impl Engine {
    /// The text under which an answer is kept; none if it is no value of the question's type.
    pub(super) fn lexical(&self, id: NodeId, value: &str, at: i64) -> Option<String> {
        let definition = &self.form.nodes[self.tree.node(id).def];
        let control = definition.control.filter(|&control| self.form.controls[control].kind.has_choices());
        match control {
            Some(control) => {
                let answer = || Some(answers(&self.form.controls[control], value).collect::<Vec<_>>().join(" "));
                self.chosen(control, id, value).ok().flatten().or_else(answer)
            }
            None => canonical(value, definition.data_type, &self.settings.time_zone, at),
        }
    }

    /// An answer in the words of what is offered, or none if it names something else.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] if finding out what is offered is too much work.
    pub(super) fn chosen(&self, control: ControlId, question: NodeId, value: &str) -> Result<Option<String>> {
        let offered = self.offered_values(control, question)?;
        let chosen = answers(&self.form.controls[control], value).map(|value| {
            let found = self.meant(&offered, value, question);
            found.or_else(|| self.meant(&offered, value.trim(), question))
        });
        Ok(chosen.collect::<Option<Vec<_>>>().map(|chosen| chosen.join(" ")))
    }

    /// The offered value that a text means: the one written like it, else the one that is the same value of the question's
    /// type, as `02` is 2 (xforms.md §6).
    pub(super) fn meant<'o>(&self, offered: &'o HashSet<String>, text: &str, question: NodeId) -> Option<&'o str> {
        if let Some(written) = offered.get(text) {
            return Some(written);
        }
        let data_type = self.form.nodes[self.tree.node(question).def].data_type;
        let (zone, at) = (&self.settings.time_zone, self.step.at);
        let value =
            |text: &str| canonical(text, data_type, zone, at).filter(|text| !is_text(data_type) && !text.is_empty());
        let wanted = value(text)?;
        offered.iter().filter(|offered| value(offered).as_ref() == Some(&wanted)).min().map(String::as_str)
    }

    /// The choices that an answer names, in its order and in the words of what is offered.
    #[must_use]
    pub fn chosen_values(&self, control: ControlId, question: NodeId) -> Vec<String> {
        let node = self.tree.node(question);
        let answers = answers(&self.form.controls[control], &node.value);
        if is_text(self.form.nodes[node.def].data_type) || node.value.is_empty() {
            return answers.map(str::to_owned).collect();
        }
        let offered = self.offered_values(control, question).unwrap_or_default();
        answers.map(|value| self.meant(&offered, value, question).unwrap_or(value).to_owned()).collect()
    }

    /// Puts values below (and at) a node into their canonical forms (xforms.md §8).
    pub(super) fn normalise(&mut self, top: NodeId, author: Author) {
        for id in self.tree.subtree(top) {
            let value = &self.tree.node(id).value;
            if value.is_empty() {
                continue;
            }
            let normal = self.normal(id, author).unwrap_or_else(|| match author {
                Author::Form => String::new(),
                Author::Person => value.clone(),
            });
            if normal != *value {
                self.tree.set_value(id, normal);
            }
        }
    }

    /// Whether an answer is a value of its question's type; what nobody can change is not asked about.
    pub(super) fn is_of_its_type(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        let definition = &self.form.nodes[node.def];
        let is_of_a_person = definition.calculate.is_none() && node.kind.is_none() && !self.is_readonly(id);
        let has_choices = definition.control.is_some_and(|control| self.form.controls[control].kind.has_choices());
        node.value.is_empty()
            || !is_of_a_person
            || has_choices
            || canonical(&node.value, definition.data_type, &self.settings.time_zone, self.step.at).is_some()
    }

    /// The canonical form of a value that came with the record.
    fn normal(&self, id: NodeId, author: Author) -> Option<String> {
        let node = self.tree.node(id);
        let definition = &self.form.nodes[node.def];
        let (zone, at) = (&self.settings.time_zone, self.step.at);
        let control = definition.control.map(|control| &self.form.controls[control]);
        if let Some(control) = control.filter(|control| control.kind.has_choices()) {
            return normal_choices(control, &node.value, definition.data_type, |value| {
                canonical(value, definition.data_type, zone, at).is_some()
            });
        }
        let is_as_written = author == Author::Person && definition.data_type == DataType::Time;
        if is_as_written && date::is_own_time(&node.value, zone, at) {
            return Some(node.value.clone());
        }
        canonical(&node.value, definition.data_type, zone, at)
    }
}

/// A choice stays as it is written, because that is what it is compared by. Among choices written in the form an unknown one
/// goes, as in JavaRosa (xforms.md §6).
fn normal_choices(
    control: &Control,
    value: &str,
    data_type: DataType,
    is_of_type: impl Fn(&str) -> bool,
) -> Option<String> {
    let is_written = |value: &&str| control.items.iter().any(|item| *item.value == **value);
    let answers = answers(control, value.trim());
    match &control.itemset {
        None if is_text(data_type) => Some(answers.filter(is_written).collect::<Vec<_>>().join(" ")),
        _ => {
            let answers: Vec<_> = answers.collect();
            answers.iter().all(|value| is_written(value) || is_of_type(value)).then(|| answers.join(" "))
        }
    }
}

/// The choices that a text names, one by one.
fn answers<'t>(control: &Control, text: &'t str) -> impl Iterator<Item = &'t str> {
    let is_list = matches!(control.kind, ControlKind::Select | ControlKind::Rank);
    let one = (!is_list && !text.is_empty()).then_some(text);
    let several = if is_list { text } else { "" };
    one.into_iter().chain(several.split_ascii_whitespace())
}

/// Whether values of a type are compared letter by letter.
fn is_text(data_type: DataType) -> bool {
    matches!(data_type, DataType::String | DataType::Barcode | DataType::Binary)
}

use std::collections::HashSet;

use super::{Engine, Words};
use crate::form::{Itemset, Label};
use crate::ids::{ControlId, FormulaId, NodeId};
use crate::xpath::{EvalError, NodeRef, Nodes, Value, World};
use crate::{Error, ErrorKind, Result};

/// A choice that a question offers now.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The value stored.
    pub value: String,
    /// Where its texts come from.
    source: Source,
}

/// What a question offers, not looked up yet; see [`Engine::offer`].
#[derive(Clone, Debug)]
pub struct Offer {
    sources: Vec<Source>,
    /// Whether finding out what is offered is too much work, so that nothing is: a shell must not show that as "no choices".
    pub is_too_much: bool,
}

impl Offer {
    /// How many choices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// The n-th item written in the form.
    Item(usize),
    /// A node of a list.
    Node(NodeRef),
}

impl Engine {
    /// What a question offers, in order.
    #[must_use]
    pub fn choices(&self, control: ControlId, question: NodeId) -> Vec<Choice> {
        let offer = self.offer(control, question);
        offer.sources.iter().map(|&source| self.choice_from(source, control, question)).collect()
    }

    /// What a question offers, before any value or text is looked up: a list may have ten thousand rows of which three are
    /// shown.
    #[must_use]
    pub fn offer(&self, control: ControlId, question: NodeId) -> Offer {
        let definition = &self.form.controls[control];
        let mut sources: Vec<_> = (0..definition.items.len()).map(Source::Item).collect();
        let mut is_too_much = false;
        if let Some(itemset) = &definition.itemset {
            let offered = self.offered(itemset, question).unwrap_or_else(|error| {
                is_too_much = error == EvalError::TooMuchWork;
                Nodes::new()
            });
            let at = itemset.n_before.min(sources.len());
            sources.splice(at..at, offered.into_iter().map(Source::Node));
        }
        Offer { sources, is_too_much }
    }

    /// The choices of an offer from the `from`-th (counted from 0), each looked up when it is asked for.
    pub fn choices_from<'a>(
        &'a self,
        offer: &'a Offer,
        from: usize,
        control: ControlId,
        question: NodeId,
    ) -> impl Iterator<Item = Choice> + 'a {
        let sources = offer.sources.get(from..).unwrap_or_default();
        sources.iter().map(move |&source| self.choice_from(source, control, question))
    }

    fn choice_from(&self, source: Source, control: ControlId, question: NodeId) -> Choice {
        let definition = &self.form.controls[control];
        let value = match source {
            Source::Item(index) => definition.items.get(index).map(|item| item.value.to_string()),
            Source::Node(node) => {
                let text = |formula| self.item_text(formula, question, node).trim().to_owned();
                definition.itemset.as_ref().map(|itemset| text(itemset.value))
            }
        };
        Choice { value: value.unwrap_or_default(), source }
    }

    /// The values that a question offers.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if finding them is too much work.
    pub(super) fn offered_values(&self, control: ControlId, question: NodeId) -> Result<HashSet<String>> {
        let definition = &self.form.controls[control];
        let mut values: HashSet<_> = definition.items.iter().map(|item| item.value.to_string()).collect();
        if let Some(itemset) = &definition.itemset {
            match self.offered(itemset, question) {
                Err(EvalError::TooMuchWork) => {
                    return Err(Error::new(ErrorKind::TooLarge, "what the question offers"));
                }
                Err(_) => {}
                Ok(nodes) => values.extend(nodes.iter().map(|&node| self.item_text(itemset.value, question, node))),
            }
        }
        Ok(values)
    }

    /// The label of a choice in the language shown.
    #[must_use]
    pub fn choice_words(&self, control: ControlId, question: NodeId, choice: &Choice) -> Words {
        match (self.choice_label_of(control, choice), choice.source) {
            (Some(label), Source::Node(node)) => {
                let words = self.words_at(label, question, Some(node));
                let is_looked_up = matches!(label, Label::ByLanguage(_))
                    || self.form.controls[control].itemset.as_ref().is_some_and(|itemset| itemset.is_distinct);
                // As Collect does for what it looks up in a table of its own; an empty label of any other list is shown empty.
                if is_looked_up && words.plain().is_empty() { Words::value(&choice.value) } else { words }
            }
            (Some(label), Source::Item(_)) => self.words(label, question),
            (None, _) => Words::value(&choice.value),
        }
    }

    /// A picture, sound or video of a choice: a bare file name.
    #[must_use]
    pub fn choice_media(&self, control: ControlId, question: NodeId, choice: &Choice, form: &str) -> Option<String> {
        let node = match choice.source {
            Source::Node(node) => Some(node),
            Source::Item(_) => None,
        };
        self.media_at(self.choice_label_of(control, choice)?, question, node, form)
    }

    fn choice_label_of(&self, control: ControlId, choice: &Choice) -> Option<&Label> {
        let definition = &self.form.controls[control];
        match choice.source {
            Source::Item(index) => definition.items.get(index)?.label.as_ref(),
            Source::Node(_) => definition.itemset.as_ref()?.label.as_ref(),
        }
    }

    /// The nodes of an itemset.
    fn offered(&self, itemset: &Itemset, question: NodeId) -> Result<Nodes, EvalError> {
        let Value::Nodes(mut nodes) = self.try_evaluate(itemset.nodeset, question)? else { return Ok(Nodes::new()) };
        if itemset.is_distinct {
            let mut seen = HashSet::new();
            nodes.retain(|node| seen.insert(self.item_text(itemset.value, question, *node)));
        }
        Ok(nodes)
    }

    /// A formula on an offered node, as text.
    pub(super) fn item_text(&self, formula: FormulaId, question: NodeId, node: NodeRef) -> String {
        self.text_of(formula, question, node, |node| self.view().text(node).into_owned())
    }

    /// `jr:choice-name`: the label of a value of the select at `path`, seen from `context`.
    pub(super) fn choice_label(&self, context: NodeId, value: &str, path: &str) -> String {
        let target = self.tree.get(context).and_then(|node| self.form.find_from(path, node.def));
        let question = target.and_then(|target| self.nodes_beside(context, target).first().copied());
        let Some(question) = question else { return String::new() };
        let Some(control) = self.form.nodes[self.tree.node(question).def].control else { return String::new() };
        let offer = self.offer(control, question);
        if offer.is_too_much {
            self.budget.give_up();
        }
        let choices: Vec<_> = self.choices_from(&offer, 0, control, question).collect();
        let offered = choices.iter().map(|choice| choice.value.clone()).collect();
        let Some(value) = self.meant(&offered, value.trim(), question) else { return String::new() };
        let choice = choices.iter().find(|choice| choice.value == value);
        choice.map(|choice| self.choice_words(control, question, choice).plain()).unwrap_or_default()
    }
}

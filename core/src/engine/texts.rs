use super::Engine;
use super::world::reference;
use crate::form::Label;
use crate::ids::{ElementId, FormulaId, NodeId};
use crate::text::language::{fallback_order, is_missing};
use crate::xml::Piece;
use crate::xpath::{Context, EvalError, NodeRef, Value};

/// Stands in a text for a value that would be too much work.
pub const TOO_MUCH: &str = "⚠";

/// A part of a text: what its author wrote, or a value that an `<output>` put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written by the author; Markdown lives.
    Authored(String),
    /// Put in from the answers: letters and nothing else.
    Value(String),
}

/// A text with its values put in, before anybody draws it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its parts in order.
    pub parts: Vec<Part>,
    /// The language it was found in, by position; none for a text that is in no language.
    pub language: Option<usize>,
    /// Whether it is not in the language asked for.
    pub fallback: bool,
}

impl Words {
    /// A value that stands for a text.
    pub(super) fn value(value: &str) -> Self {
        Self { parts: vec![Part::Value(value.to_owned())], ..Self::default() }
    }

    /// The letters alone: no isolates, Markdown as written.
    #[must_use]
    pub fn plain(&self) -> String {
        let text: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Authored(text) | Part::Value(text) => text.as_str(),
            })
            .collect();
        text.trim().to_owned()
    }
}

impl Engine {
    /// A label of a question, hint or message, in the language shown or the nearest that has it.
    #[must_use]
    pub fn words(&self, label: &Label, question: NodeId) -> Words {
        self.words_at(label, question, None)
    }

    /// The guidance of a hint: more explanation on request.
    #[must_use]
    pub fn guidance(&self, hint: &Label, question: NodeId) -> Option<Words> {
        let id = self.text_id(hint, question, None)?;
        Some(self.itext_words(&id, Some("guidance"), question)).filter(|words| !words.parts.is_empty())
    }

    /// A picture, sound or video of a label: a bare file name, in the language shown or the default one.
    #[must_use]
    pub fn media(&self, label: &Label, question: NodeId, form: &str) -> Option<String> {
        self.media_at(label, question, None, form)
    }

    pub(super) fn media_at(
        &self,
        label: &Label,
        question: NodeId,
        node: Option<NodeRef>,
        form: &str,
    ) -> Option<String> {
        let id = self.text_id(label, question, node)?;
        let source = self.itext_words(&id, Some(form), question).plain();
        let name = source.rsplit('/').next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// A text by id.
    pub(super) fn itext(&self, id: &str) -> Words {
        self.itext_words(id, None, self.tree.root())
    }

    pub(super) fn words_at(&self, label: &Label, question: NodeId, node: Option<NodeRef>) -> Words {
        match label {
            Label::Literal(element) => Words { parts: self.parts(*element, question), ..Words::default() },
            Label::Plain(text) => Words { parts: vec![Part::Authored(text.to_string())], ..Words::default() },
            Label::Formula(formula) => {
                let node = node.unwrap_or_else(|| reference(question));
                Words { parts: vec![Part::Authored(self.item_text(*formula, question, node))], ..Words::default() }
            }
            Label::ByLanguage(formulas) => {
                let node = node.unwrap_or_else(|| reference(question));
                let said = self.text_languages().into_iter().find_map(|language| {
                    let text = self.item_text(*formulas.get(language)?, question, node);
                    (!is_missing(text.trim())).then_some((language, text))
                });
                let Some((language, text)) = said else { return Words::default() };
                let fallback = language != self.language;
                Words { parts: vec![Part::Authored(text)], language: Some(language), fallback }
            }
            Label::Itext(_) | Label::ItextOf(_) => {
                let id = self.text_id(label, question, node).unwrap_or_default();
                self.itext_words(&id, None, question)
            }
        }
    }

    fn text_id(&self, label: &Label, question: NodeId, node: Option<NodeRef>) -> Option<String> {
        match label {
            Label::Itext(id) => Some(id.to_string()),
            Label::ItextOf(formula) => {
                Some(self.item_text(*formula, question, node.unwrap_or_else(|| reference(question))))
            }
            Label::Literal(_) | Label::Plain(_) | Label::Formula(_) | Label::ByLanguage(_) => None,
        }
    }

    /// What an output shows.
    fn shown_text(&self, formula: FormulaId, question: NodeId, node: NodeRef) -> String {
        self.text_of(formula, question, node, |node| Value::Nodes([node].into_iter().collect()).to_text(&self.view()))
    }

    /// A formula on a node on behalf of a question, as text; what would be too much work is marked.
    pub(super) fn text_of(
        &self,
        formula: FormulaId,
        question: NodeId,
        node: NodeRef,
        of_node: impl Fn(NodeRef) -> String,
    ) -> String {
        let context = Context { node, current: reference(question), position: 1 };
        let expr = &self.form.formulas[formula].expr;
        match self.drawing(formula, question, || expr.eval(&self.view(), &context)) {
            Ok(Value::Nodes(nodes)) => nodes.first().map(|&node| of_node(node)).unwrap_or_default(),
            Ok(value) => value.to_text(&self.view()),
            Err(error) => {
                self.without_value(&error);
                if error == EvalError::TooMuchWork { TOO_MUCH.to_owned() } else { String::new() }
            }
        }
    }

    /// The languages that a text is looked for in, by position.
    fn text_languages(&self) -> Vec<usize> {
        let default = self.form.itext.default;
        if self.falls_back {
            fallback_order(&self.languages, self.language, default)
        } else {
            vec![self.language, default]
        }
    }

    /// The first language, in the order of fallback, that has something to say.
    fn itext_words(&self, id: &str, form: Option<&str>, question: NodeId) -> Words {
        let definition = &self.form;
        for language in self.text_languages() {
            let itext = &definition.itext;
            let text = itext.text(&definition.document, &definition.names, language, id);
            let value = text.and_then(|text| itext.value(&definition.document, &definition.names, text, form));
            let Some(value) = value else { continue };
            let words = Words {
                parts: self.parts(value, question),
                language: Some(language),
                fallback: language != self.language,
            };
            if !self.falls_back || !is_missing(words.plain().trim()) {
                return words;
            }
        }
        Words::default()
    }

    /// The content of a label or value element, its outputs evaluated on the question; white space around it is layout.
    fn parts(&self, element: ElementId, question: NodeId) -> Vec<Part> {
        let document = &self.form.document;
        let mut parts: Vec<_> = document
            .pieces(element)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(Part::Authored(text.into_owned())),
                Piece::Element(output) => {
                    let formula = *self.form.outputs.get(&output)?;
                    Some(Part::Value(self.shown_text(formula, question, reference(question))))
                }
            })
            .collect();
        if let Some(Part::Authored(first)) = parts.first_mut() {
            *first = first.trim_start().to_owned();
        }
        if let Some(Part::Authored(last)) = parts.last_mut() {
            last.truncate(last.trim_end().len());
        }
        parts.retain(|part| !matches!(part, Part::Authored(text) if text.is_empty()));
        parts
    }
}

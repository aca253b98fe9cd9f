//! A form read to a person: its questions in their order, and a record as question and answer.

use crate::xml::{Node, Xml};
use std::collections::HashMap;
use veldwerk::Result;
use veldwerk::text::language::{self, Language};
use veldwerk::text::{Part, Text};

/// A form ready to label records with.
pub(crate) struct Reading {
    pub(crate) languages: Vec<Language>,
    pub(crate) default_language: usize,
    /// Texts by id, for each language.
    texts: Vec<HashMap<String, Vec<Piece>>>,
    controls: Vec<Control>,
    root: String,
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
    /// Numbers, dates, codes: always read from left to right.
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
    pub(crate) choices: Vec<(String, Text)>,
    /// Whether several may be chosen.
    pub(crate) many: bool,
}

struct Control {
    kind: Kind,
    path: String,
    label: Label,
    choices: Vec<(String, Label)>,
    children: Vec<Control>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Group,
    Repeat,
    Text,
    Figures,
    One,
    Many,
    File,
    Note,
}

#[derive(Clone)]
enum Label {
    Text(String),
    Inline(Vec<Piece>),
}

#[derive(Clone)]
enum Piece {
    Words(String),
    /// The value at a path.
    Output(String),
}

impl Reading {
    /// Reads an XForm; `file` gives the files that came with it.
    ///
    /// # Errors
    /// `not-xml`.
    pub(crate) fn read(xml: &[u8], file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Self> {
        let xml = Xml::read(xml)?;
        let model = xml.root().child("head").and_then(|head| head.child("model"));
        let translations: Vec<_> = model
            .and_then(|model| model.child("itext"))
            .into_iter()
            .flat_map(|itext| itext.children())
            .filter(|child| child.name() == "translation")
            .collect();
        let languages =
            translations.iter().map(|one| Language::new(&one.attribute("lang").unwrap_or_default())).collect();
        let default_language = translations.iter().position(|one| one.attribute("default").is_some()).unwrap_or(0);
        let texts = translations.iter().map(|one| texts_of(*one)).collect();
        let instances: Vec<_> =
            model.into_iter().flat_map(|model| model.children()).filter(|child| child.name() == "instance").collect();
        let root = instances
            .first()
            .and_then(|one| one.children().next())
            .map_or(String::new(), |root| root.name().to_owned());
        let mut lists = HashMap::new();
        for instance in instances.iter().skip(1) {
            let id = instance.attribute("id").unwrap_or_default().into_owned();
            lists.insert(id, rows_of(*instance, file));
        }
        let types: HashMap<String, String> = model
            .into_iter()
            .flat_map(|model| model.children())
            .filter(|child| child.name() == "bind")
            .filter_map(|bind| Some((bind.attribute("nodeset")?.into_owned(), bind.attribute("type")?.into_owned())))
            .collect();
        let read_only: std::collections::HashSet<String> = model
            .into_iter()
            .flat_map(|model| model.children())
            .filter(|child| {
                child.name() == "bind"
                    && child.attribute("readonly").is_some()
                    && child.attribute("calculate").is_none()
            })
            .filter_map(|bind| bind.attribute("nodeset").map(std::borrow::Cow::into_owned))
            .collect();
        let body = xml.root().child("body");
        let reader = ControlReader { lists: &lists, types: &types, read_only: &read_only };
        let controls = body.map_or(Vec::new(), |body| reader.controls(body));
        Ok(Self { languages, default_language, texts, controls, root })
    }

    /// The questions of a record that have a place in it, with their headings.
    pub(crate) fn rows(&self, record: &Xml, language: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        let scope = Scope { root: record.root(), node: record.root(), path: format!("/{}", self.root) };
        self.add_rows(&self.controls, &scope, language, 0, &mut rows);
        rows
    }

    /// The questions with choices, in the order of the form.
    pub(crate) fn closed_questions(&self, language: usize) -> Vec<ClosedQuestion> {
        let mut closed = Vec::new();
        self.add_closed(&self.controls, language, &mut closed);
        closed
    }

    fn add_closed(&self, controls: &[Control], language: usize, closed: &mut Vec<ClosedQuestion>) {
        for control in controls {
            if matches!(control.kind, Kind::One | Kind::Many) && !control.choices.is_empty() {
                closed.push(ClosedQuestion {
                    path: control.path.clone(),
                    label: self.text(&control.label, None, language, &control.path),
                    choices: control
                        .choices
                        .iter()
                        .map(|(value, label)| (value.clone(), self.text(label, None, language, value)))
                        .collect(),
                    many: control.kind == Kind::Many,
                });
            }
            self.add_closed(&control.children, language, closed);
        }
    }

    fn add_rows(&self, controls: &[Control], scope: &Scope<'_>, language: usize, depth: usize, rows: &mut Vec<Row>) {
        for control in controls {
            match control.kind {
                Kind::Note => {}
                Kind::Group => match control.children.as_slice() {
                    // The label of a repeat stands on the group around it.
                    [repeat] if repeat.kind == Kind::Repeat => {
                        self.add_repeat(repeat, &control.label, scope, language, depth, rows)
                    }
                    children => {
                        let label = self.text(&control.label, Some(scope), language, "");
                        self.add_part(label, None, depth, rows, |depth, rows| {
                            self.add_rows(children, scope, language, depth, rows)
                        });
                    }
                },
                Kind::Repeat => self.add_repeat(control, &control.label, scope, language, depth, rows),
                _ => {
                    for node in scope.nodes(&control.path) {
                        let label = self.text(&control.label, Some(scope), language, node.name());
                        let answer = Some(self.answer(control, node, language));
                        rows.push(Row { depth, label, position: None, answer });
                    }
                }
            }
        }
    }

    fn add_repeat(
        &self,
        repeat: &Control,
        label: &Label,
        scope: &Scope<'_>,
        language: usize,
        depth: usize,
        rows: &mut Vec<Row>,
    ) {
        for (index, node) in scope.nodes(&repeat.path).into_iter().enumerate() {
            let inner = Scope { root: scope.root, node, path: repeat.path.clone() };
            let label = self.text(label, Some(&inner), language, "");
            self.add_part(label, Some(index + 1), depth, rows, |depth, rows| {
                self.add_rows(&repeat.children, &inner, language, depth, rows);
            });
        }
    }

    /// Rows under a heading; without rows no heading, without a label no heading.
    fn add_part(
        &self,
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

    fn answer(&self, control: &Control, node: Node<'_>, language: usize) -> Answer {
        let value = node.text().into_owned();
        if value.trim().is_empty() {
            return Answer::None;
        }
        match control.kind {
            Kind::File => Answer::File(value.trim().to_owned()),
            Kind::Figures => Answer::Figures(value),
            Kind::One | Kind::Many => {
                let chosen = |value: &str| {
                    let label = control.choices.iter().find(|(name, _)| name == value);
                    (value.to_owned(), label.map(|(_, label)| self.text(label, None, language, value)))
                };
                Answer::Choices(match control.kind {
                    Kind::Many => value.split_whitespace().map(chosen).collect(),
                    _ => vec![chosen(value.trim())],
                })
            }
            _ => Answer::Text(value),
        }
    }

    fn text(&self, label: &Label, scope: Option<&Scope<'_>>, language: usize, stand_in: &str) -> Text {
        let (pieces, found) = match label {
            Label::Inline(pieces) => (Some(pieces), language),
            Label::Text(id) => language::fallback_order(&self.languages, language, self.default_language)
                .into_iter()
                .find_map(|found| Some((Some(self.texts.get(found)?.get(id)?), found)))
                .unwrap_or((None, language)),
        };
        let Some(pieces) = pieces else { return Text::new(&[Part::Value(stand_in)], None, true) };
        let values: Vec<String> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Words(words) => words.clone(),
                Piece::Output(path) => scope.and_then(|scope| scope.value(path)).unwrap_or_else(|| "…".to_owned()),
            })
            .collect();
        let parts: Vec<_> = pieces
            .iter()
            .zip(&values)
            .map(|(piece, value)| match piece {
                Piece::Words(_) => Part::Authored(value),
                Piece::Output(_) => Part::Value(value),
            })
            .collect();
        let tag = self.languages.get(found).and_then(|language| language.tag.as_ref());
        Text::new(&parts, tag, found != language)
    }
}

/// A place in a record: the innermost repeat instance.
struct Scope<'a> {
    root: Node<'a>,
    node: Node<'a>,
    path: String,
}

impl<'a> Scope<'a> {
    fn nodes(&self, path: &str) -> Vec<Node<'a>> {
        let (from, rest) = match path.strip_prefix(&self.path) {
            Some(rest) => (self.node, rest),
            None => (self.root, path.trim_start_matches('/').split_once('/').map_or("", |(_, rest)| rest)),
        };
        let mut nodes = vec![from];
        for name in rest.split('/').filter(|name| !name.is_empty()) {
            nodes = nodes
                .into_iter()
                .flat_map(|node| node.children().filter(|child| child.name() == name).collect::<Vec<_>>())
                .collect();
        }
        nodes
    }

    fn value(&self, path: &str) -> Option<String> {
        let path = path.trim();
        let node = match path.strip_prefix("../") {
            Some(name) => self.node.descendant(name),
            None => self.nodes(path).into_iter().next(),
        };
        node.map(|node| node.text().into_owned()).filter(|text| !text.is_empty())
    }
}

struct ControlReader<'a> {
    lists: &'a HashMap<String, Vec<HashMap<String, String>>>,
    types: &'a HashMap<String, String>,
    read_only: &'a std::collections::HashSet<String>,
}

impl ControlReader<'_> {
    fn controls(&self, parent: Node<'_>) -> Vec<Control> {
        parent.children().filter_map(|element| self.control(element)).collect()
    }

    fn control(&self, element: Node<'_>) -> Option<Control> {
        let path =
            element.attribute("ref").or_else(|| element.attribute("nodeset")).unwrap_or_default().trim().to_owned();
        let kind = match element.name() {
            "group" => Kind::Group,
            "repeat" => Kind::Repeat,
            "select1" => Kind::One,
            "select" | "rank" => Kind::Many,
            "upload" => Kind::File,
            "input" if self.read_only.contains(&path) => Kind::Note,
            "input" | "range" | "trigger" | "secret" => match self.types.get(&path).map(String::as_str) {
                None | Some("string") => Kind::Text,
                _ => Kind::Figures,
            },
            _ => return None,
        };
        let appearance = element.attribute("appearance").unwrap_or_default();
        if kind == Kind::One && appearance.split(' ').any(|word| word == "label") {
            return None;
        }
        Some(Control {
            kind,
            path,
            label: element.child("label").map_or(Label::Inline(Vec::new()), label_of),
            choices: self.choices(element),
            children: if matches!(kind, Kind::Group | Kind::Repeat) { self.controls(element) } else { Vec::new() },
        })
    }

    fn choices(&self, element: Node<'_>) -> Vec<(String, Label)> {
        let mut choices: Vec<(String, Label)> = element
            .children()
            .filter(|child| child.name() == "item")
            .filter_map(|item| Some((item.child("value")?.text().into_owned(), label_of(item.child("label")?))))
            .collect();
        if let Some(itemset) = element.child("itemset") {
            let nodeset = itemset.attribute("nodeset").unwrap_or_default().into_owned();
            let list = nodeset.split_once("instance('").and_then(|(_, rest)| rest.split_once('\'')).map(|(id, _)| id);
            let column = |name: &str| {
                itemset.child(name).and_then(|child| child.attribute("ref")).unwrap_or_default().into_owned()
            };
            let (value, label) = (column("value"), column("label"));
            let text_column = label.strip_prefix("jr:itext(").and_then(|rest| rest.strip_suffix(')'));
            for row in list.and_then(|list| self.lists.get(list)).into_iter().flatten() {
                let Some(value) = row.get(&value) else { continue };
                let label = match text_column {
                    Some(column) => row.get(column).map(|id| Label::Text(id.clone())),
                    None => row.get(&label).map(|words| Label::Inline(vec![Piece::Words(words.clone())])),
                };
                choices.extend(label.map(|label| (value.clone(), label)));
            }
        }
        choices
    }
}

fn texts_of(translation: Node<'_>) -> HashMap<String, Vec<Piece>> {
    translation
        .children()
        .filter_map(|text| {
            let value = text.children().find(|value| value.attribute("form").is_none())?;
            Some((text.attribute("id")?.into_owned(), pieces_of(value)))
        })
        .collect()
}

fn label_of(label: Node<'_>) -> Label {
    let reference = label.attribute("ref").unwrap_or_default().into_owned();
    match reference.strip_prefix("jr:itext('").and_then(|rest| rest.strip_suffix("')")) {
        Some(id) => Label::Text(id.to_owned()),
        None => Label::Inline(pieces_of(label)),
    }
}

fn pieces_of(element: Node<'_>) -> Vec<Piece> {
    element
        .pieces()
        .into_iter()
        .map(|piece| match piece {
            Ok(words) => Piece::Words(words),
            Err(output) => Piece::Output(output.attribute("value").unwrap_or_default().into_owned()),
        })
        .collect()
}

fn rows_of(instance: Node<'_>, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<HashMap<String, String>> {
    let source = instance.attribute("src").unwrap_or_default().into_owned();
    if let Some(name) = source.strip_prefix("jr://file-csv/") {
        let bytes = file(name).unwrap_or_default();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        return reader.deserialize().filter_map(std::result::Result::ok).collect();
    }
    let Some(root) = instance.children().next() else { return Vec::new() };
    root.children()
        .map(|item| item.children().map(|column| (column.name().to_owned(), column.text().into_owned())).collect())
        .collect()
}

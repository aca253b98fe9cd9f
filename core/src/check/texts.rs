//! Texts: translations and sounds that are missing, files that are not there, texts that nothing shows.

use std::collections::{BTreeMap, BTreeSet};

use super::Told;
use super::spots::spots;
use super::tables::{Table, column_of, path_of};
use crate::form::{DiagnosticKind, Files, FormDef, Label, ListTree};
use crate::ids::ElementId;
use crate::text::language::is_missing;
use crate::xml::Piece;
use crate::xpath::{Expr, Function, Node, Start};

/// The kinds of `<value form>` that name a file.
const MEDIA: [&str; 4] = ["image", "big-image", "audio", "video"];

/// What is said in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageSummary {
    /// Its name, as the form writes it.
    pub name: String,
    /// Whether the form begins in it.
    pub is_default: bool,
    /// Texts that are there.
    pub texts: usize,
    /// Texts that other languages have and this one lacks.
    pub missing_texts: usize,
    /// Sounds that are there.
    pub sounds: usize,
    /// Sounds that other languages have and this one lacks.
    pub missing_sounds: usize,
}

/// Per language how much is there.
pub(super) fn summaries(form: &FormDef) -> Vec<LanguageSummary> {
    let texts = Texts::of(form);
    let count = |of: &BTreeMap<String, BTreeSet<usize>>, language: usize| {
        let there = of.values().filter(|languages| languages.contains(&language)).count();
        (there, of.len() - there)
    };
    let language = |(index, name): (usize, &str)| {
        let ((texts_there, missing_texts), (sounds, missing_sounds)) =
            (count(&texts.said, index), count(&texts.sounds, index));
        let is_default = index == form.itext.default;
        LanguageSummary { name: name.to_owned(), is_default, texts: texts_there, missing_texts, sounds, missing_sounds }
    };
    form.itext.languages().enumerate().map(language).collect()
}

pub(super) fn look(form: &FormDef, media: Option<&dyn Files>, told: &mut Told) {
    let texts = Texts::of(form);
    let languages: Vec<&str> = form.itext.languages().collect();
    let used = Used::of(form);
    let place = |id: &str| used.places.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let lacking = |there: &BTreeSet<usize>| {
        let lacking = languages.iter().enumerate().filter(|(index, _)| !there.contains(index));
        lacking.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    for (kind, there) in
        [(DiagnosticKind::MissingTranslation, &texts.said), (DiagnosticKind::MissingSound, &texts.sounds)]
    {
        for (id, there) in there.iter().filter(|(id, there)| used.shows(id) && there.len() < languages.len()) {
            told.tell(kind, place(id), format!("in {}", lacking(there)));
        }
    }
    // A form in which nearly every question can be heard means all of them.
    let labels: Vec<_> = used.labels.iter().filter(|id| texts.said.contains_key(*id)).collect();
    let silent: Vec<_> = labels.iter().filter(|id| !texts.sounds.contains_key(**id)).collect();
    if silent.len() * 3 < labels.len() {
        silent.iter().for_each(|id| told.tell(DiagnosticKind::MissingSound, place(id), "in every language"));
    }
    if let Some(media) = media {
        for (file, id) in &texts.files {
            if !media.contains(file) {
                told.tell(DiagnosticKind::MissingFile, file.as_str(), format!("shown with {}", place(id)));
            }
        }
    }
    if !used.is_open {
        let of_lists = texts_of_unused_lists(form);
        for id in texts.ids.iter().filter(|id| !used.places.contains_key(*id) && !of_lists.contains(*id)) {
            told.tell(DiagnosticKind::UnusedText, id.as_str(), "");
        }
    }
}

/// Whatever stands in lists that nothing uses: that they are not used is said of them, not of their texts.
fn texts_of_unused_lists(form: &FormDef) -> BTreeSet<String> {
    let used: BTreeSet<&str> = form.formulas.iter().flat_map(|(_, formula)| formula.expr.instance_ids()).collect();
    let mut found = BTreeSet::new();
    for list in form.lists.iter().filter(|list| !used.contains(&*list.id)) {
        let ListTree::Element(document, root) = &list.tree else { continue };
        let mut pending = vec![*root];
        while let Some(element) = pending.pop() {
            pending.extend(document.children(element));
            found.insert(document.text(element).trim().to_owned());
        }
    }
    found
}

/// What each text says, and in which languages.
#[derive(Default)]
struct Texts {
    ids: BTreeSet<String>,
    said: BTreeMap<String, BTreeSet<usize>>,
    sounds: BTreeMap<String, BTreeSet<usize>>,
    /// Files, and one of the texts that show each.
    files: BTreeMap<String, String>,
}

impl Texts {
    fn of(form: &FormDef) -> Self {
        let mut all = Self::default();
        let (document, names) = (&form.document, &form.names);
        for language in 0..form.itext.languages().len() {
            for (id, text) in form.itext.texts(document, names, language) {
                let id = id.into_owned();
                let words = form.itext.value(document, names, text, None);
                if words.is_some_and(|value| !is_missing(&written(form, value))) {
                    all.said.entry(id.clone()).or_default().insert(language);
                }
                for kind in MEDIA {
                    let value = form.itext.value(document, names, text, Some(kind));
                    let source = value.map(|value| written(form, value)).unwrap_or_default();
                    let file = source.rsplit('/').next().unwrap_or_default().trim();
                    if is_missing(file) {
                        continue;
                    }
                    if kind == "audio" {
                        all.sounds.entry(id.clone()).or_default().insert(language);
                    }
                    all.files.entry(file.to_owned()).or_insert_with(|| id.clone());
                }
                all.ids.insert(id);
            }
        }
        all
    }
}

/// The words of a value; something for each `<output>`, whose words come from the answers.
fn written(form: &FormDef, value: ElementId) -> String {
    let piece = |piece| match piece {
        Piece::Text(text) => text.into_owned(),
        Piece::Element(_) => "…".to_owned(),
    };
    form.document.pieces(value).into_iter().map(piece).collect()
}

/// Which texts the form shows, and where.
#[derive(Default)]
struct Used {
    /// The place that an author knows each by.
    places: BTreeMap<String, String>,
    /// Those that are the label of a question.
    labels: BTreeSet<String>,
    /// Whether others may be shown, because an id is computed.
    is_open: bool,
}

impl Used {
    fn of(form: &FormDef) -> Self {
        let mut used = Self::default();
        for (_, control) in form.controls.iter() {
            let path = control.node.map(|node| form.path(node)).unwrap_or_default();
            used.note(control.label.as_ref(), &format!("{path}, label"));
            used.note(control.hint.as_ref(), &format!("{path}, hint"));
            if let Some(Label::Itext(id)) = control.label.as_ref().filter(|_| control.kind.is_question()) {
                used.labels.insert(id.to_string());
            }
            for item in &control.items {
                used.note(item.label.as_ref(), &format!("{path}, choice {}", item.value));
            }
            let Some(itemset) = &control.itemset else { continue };
            match &itemset.label {
                Some(Label::ItextOf(label)) => {
                    let nodeset = &form.formulas[itemset.nodeset].expr;
                    if !used.note_column(form, nodeset, &form.formulas[*label].expr, &form.formulas[itemset.value].expr)
                    {
                        used.is_open = true;
                    }
                }
                label => used.note(label.as_ref(), &format!("{path}, choices")),
            }
        }
        for (def, node) in form.nodes.iter() {
            for (message, part) in [(&node.constraint_message, "constraint"), (&node.required_message, "required")] {
                used.note(message.as_ref(), &format!("{}, {part}_message", form.path(def)));
            }
        }
        for (id, spot) in spots(form) {
            let expr = &form.formulas[id].expr;
            for (_, node) in expr.iter() {
                let Node::Call { function: Function::Itext, args } = node else { continue };
                match args.first().map(|&arg| expr.node(arg)) {
                    Some(Node::Text(id)) => {
                        used.places.entry(id.to_string()).or_insert_with(|| form.path(spot.def));
                    }
                    _ => used.is_open = true,
                }
            }
        }
        used
    }

    fn shows(&self, id: &str) -> bool {
        self.is_open || self.places.contains_key(id)
    }

    fn note(&mut self, label: Option<&Label>, place: &str) {
        match label {
            Some(Label::Itext(id)) => {
                self.places.entry(id.to_string()).or_insert_with(|| place.to_owned());
            }
            Some(Label::ItextOf(_)) => self.is_open = true,
            Some(Label::Literal(_) | Label::Plain(_) | Label::Formula(_) | Label::ByLanguage(_)) | None => {}
        }
    }

    /// The ids in a column of a list; false if it cannot be told which they are.
    fn note_column(&mut self, form: &FormDef, nodeset: &Expr, label: &Expr, value: &Expr) -> bool {
        let Some(path) = path_of(nodeset) else { return false };
        let (Some(table), Some(label)) = (Table::of(form, path, path.steps.len()), column_of(label)) else {
            return false;
        };
        let list = match &path.start {
            Start::Instance(list) => list.to_string(),
            _ => return false,
        };
        for row in 0..table.len() {
            let value = column_of(value).map(|column| table.cell(row, column)).unwrap_or_default();
            let id = table.cell(row, label).into_owned();
            self.places.entry(id).or_insert_with(|| format!("{list}, choice {value}"));
        }
        true
    }
}

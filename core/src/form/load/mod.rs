mod actions;
mod binds;
mod body;
mod leftovers;
mod lists;
mod lookups;
mod nodes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use leftovers::Taken;

use super::graph::Graph;
use super::itext::Itext;
use super::{Action, Control, Diagnostic, DiagnosticKind, FormDef, Formula, Label, List, MAX_NODES, Structure};
use crate::ids::{ControlId, DefId, ElementId, FormulaId, IndexVec};
use crate::xml::{Document, Names, Namespace};
use crate::{Error, ErrorKind, Result, xpath};

/// Where the files of a form come from: CSV, XML and GeoJSON by bare name.
pub trait Files {
    /// The bytes of a file, or `None` if it is not there.
    fn read(&self, name: &str) -> Option<Vec<u8>>;

    /// Whether there is such a file.
    fn contains(&self, name: &str) -> bool {
        self.read(name).is_some()
    }
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).cloned()
    }
}

/// No files.
impl Files for () {
    fn read(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

impl FormDef {
    /// Reads a form and the data files it names.
    ///
    /// # Errors
    /// A form that cannot be filled: [`ErrorKind::NotXml`], [`ErrorKind::NotXforms`], an expression that cannot be read
    /// ([`ErrorKind::XpathSyntax`], [`ErrorKind::UnknownFunction`], [`ErrorKind::WrongArguments`]), [`ErrorKind::Cycle`], or
    /// [`ErrorKind::TooLarge`]. Everything else is a diagnostic.
    pub fn load(xml: &str, files: &dyn Files) -> Result<(Self, Vec<Diagnostic>)> {
        let Reading { form, diagnostics, failure } = Self::read(xml, files);
        match (failure, form) {
            (None, Some(form)) => Ok((form, diagnostics)),
            (failure, _) => Err(failure.unwrap_or_else(|| ErrorKind::NotXforms.into())),
        }
    }

    /// Reads as much of a form as can be read, also of one that cannot be filled, and tells all that is wrong with it.
    #[must_use]
    pub fn read(xml: &str, files: &dyn Files) -> Reading {
        Self::read_parts(xml, files).unwrap_or_else(|failure| Reading {
            form: None,
            diagnostics: vec![Diagnostic {
                kind: DiagnosticKind::Refused(failure.kind()),
                place: String::new(),
                detail: failure.detail().to_owned(),
            }],
            failure: Some(failure),
        })
    }

    fn read_parts(xml: &str, files: &dyn Files) -> Result<Reading> {
        let mut names = Names::default();
        let document = Arc::new(Document::parse(xml.into(), &mut names)?);
        let parts = Parts::find(&document, &names)?;
        let mut loader = Loader {
            document,
            names,
            nodes: Structure::default(),
            bind_ids: HashMap::new(),
            lookups: Vec::new(),
            samples: HashMap::new(),
            controls: IndexVec::default(),
            formulas: IndexVec::default(),
            outputs: HashMap::new(),
            actions: Vec::new(),
            taken: Taken::default(),
            prefixes: HashMap::new(),
            diagnostics: Vec::new(),
            failure: None,
        };
        loader.run(&parts, files)
    }

    /// Where a form wants its records sent (`<submission action>`), read without the rest; none for the project's own place.
    ///
    /// # Errors
    /// [`ErrorKind::NotXml`], [`ErrorKind::NotXforms`].
    pub fn submission_action(xml: &str) -> Result<Option<String>> {
        let mut names = Names::default();
        let document = Document::parse(xml.into(), &mut names)?;
        let parts = Parts::find(&document, &names)?;
        let action = submission_attribute(&document, &names, parts.model, "action");
        Ok(action.map(|action| action.trim().to_owned()).filter(|action| !action.is_empty()))
    }
}

/// What reading a form gives.
#[derive(Debug)]
pub struct Reading {
    /// The form, without the parts that cannot be read; none if there is no form at all.
    pub form: Option<FormDef>,
    /// All that its author should know.
    pub diagnostics: Vec<Diagnostic>,
    /// Why the form cannot be filled: the first thing that is in the way.
    pub failure: Option<Error>,
}

/// The parts of the document that the loader starts from.
struct Parts {
    title: Option<ElementId>,
    model: ElementId,
    itext: Option<ElementId>,
    instance: ElementId,
    body: Option<ElementId>,
}

impl Parts {
    fn find(document: &Document, names: &Names) -> Result<Self> {
        let not_a_form = |what: &str| Error::new(ErrorKind::NotXforms, what);
        let named = |parent: ElementId, name: &str| {
            document.children(parent).find(|&child| names.get(document.element(child).name) == name)
        };
        let root = document.root();
        if names.get(document.element(root).name) != "html" {
            return Err(not_a_form("the root element is not html"));
        }
        let head = named(root, "head").ok_or_else(|| not_a_form("there is no head"))?;
        let model = named(head, "model").ok_or_else(|| not_a_form("there is no model"))?;
        let holder = named(model, "instance").ok_or_else(|| not_a_form("there is no instance"))?;
        let instance = document.children(holder).next().ok_or_else(|| not_a_form("the instance is empty"))?;
        Ok(Self {
            title: named(head, "title"),
            model,
            itext: named(model, "itext"),
            instance,
            body: named(root, "body"),
        })
    }
}

struct Loader {
    document: Arc<Document>,
    names: Names,
    nodes: Structure,
    /// Binds by the ids that controls and actions name them with.
    bind_ids: HashMap<String, DefId>,
    /// Questions whose choices are looked up in a file that no instance declares.
    lookups: Vec<lookups::Lookup>,
    /// Per node the first template and the first plain element in the primary instance.
    samples: HashMap<DefId, (Option<ElementId>, Option<ElementId>)>,
    controls: IndexVec<ControlId, Control>,
    formulas: IndexVec<FormulaId, Formula>,
    outputs: HashMap<ElementId, FormulaId>,
    actions: Vec<Action>,
    taken: Taken,
    /// The prefixes that the root of a record declares.
    prefixes: HashMap<String, String>,
    diagnostics: Vec<Diagnostic>,
    /// The first thing that makes the form impossible to fill.
    failure: Option<Error>,
}

impl Loader {
    fn run(&mut self, parts: &Parts, files: &dyn Files) -> Result<Reading> {
        let document = Arc::clone(&self.document);
        self.take_sections(parts);
        let own_id = self.attribute(parts.instance, Namespace::None, "id").unwrap_or_default();
        let id = document.form_id(parts.instance, &self.names).ok_or_else(|| {
            Error::new(ErrorKind::NotXforms, "the record's root has neither an id nor a namespace of its own")
        })?;
        if own_id.trim().is_empty() {
            let root = self.names.get(document.element(parts.instance).name);
            self.warn(DiagnosticKind::NoFormId, format!("/{root}"), id.clone());
        }
        let prefixes = document.prefixes(parts.instance).into_iter();
        self.prefixes = prefixes.map(|(prefix, namespace)| (prefix.to_owned(), namespace.into_owned())).collect();
        // `version` counts in any namespace (xforms.md §3).
        let mut root_attributes = document.attributes(parts.instance).iter();
        let version = root_attributes
            .find(|attribute| self.names.get(attribute.name) == "version")
            .map(|attribute| document.attribute_value(attribute).trim().to_owned());

        if document.n_nodes(parts.instance) > MAX_NODES {
            return Err(Error::new(ErrorKind::TooLarge, format!("the record has more than {MAX_NODES} nodes")));
        }
        self.read_nodes(parts.instance, None);
        self.read_binds(parts.model);
        let body = parts.body.map(|body| self.read_controls(body, None, None)).unwrap_or_default();
        if parts.body.is_none() {
            self.warn(DiagnosticKind::NothingAsked, "body", "");
        }
        self.read_model_actions(parts.model);
        self.check_actions();
        self.place_templates();
        self.read_outputs();
        parts.itext.into_iter().for_each(|itext| self.take_itext(itext));
        let itext = parts.itext.map(|itext| Itext::read(&document, &self.names, itext)).unwrap_or_default();
        let looked_up = self.read_lookups(parts.model, &itext, files);
        let mut lists = self.read_lists(parts.model, files);
        lists.extend(looked_up);
        self.check_lists(&lists);
        let title = parts.title.map(|title| document.text(title).trim().to_owned());
        let title = title.filter(|title| !title.is_empty());
        let public_key = self.read_submission(parts.model);
        self.tell_leftovers();
        let mut form = FormDef {
            title: title.unwrap_or_else(|| id.clone()),
            id,
            version,
            names: std::mem::take(&mut self.names),
            document,
            nodes: std::mem::take(&mut self.nodes),
            controls: std::mem::take(&mut self.controls),
            body,
            formulas: std::mem::take(&mut self.formulas),
            outputs: std::mem::take(&mut self.outputs),
            itext,
            lists,
            actions: std::mem::take(&mut self.actions),
            graph: Graph::default(),
            instance: parts.instance,
            added_namespace: None,
            public_key,
        };
        self.check_texts(&form);
        match Graph::build(&form) {
            Ok(graph) => form.graph = graph,
            Err(refused) => self.refuse(&refused),
        }
        let diagnostics = std::mem::take(&mut self.diagnostics);
        Ok(Reading { form: Some(form), diagnostics, failure: self.failure.take() })
    }

    /// Marks the sections that the loader starts from.
    fn take_sections(&mut self, parts: &Parts) {
        let document = Arc::clone(&self.document);
        let around = std::iter::successors(Some(parts.instance), |&element| document.element(element).parent);
        around.chain(parts.title).chain(parts.itext).chain(parts.body).for_each(|section| self.taken.element(section));
        // Of the first instance only its place in the model says what it is.
        if let Some(holder) = document.element(parts.instance).parent {
            self.attribute(holder, Namespace::None, "id");
        }
        self.attribute(parts.model, Namespace::None, "id");
    }

    /// Reads where and how records are to be sent, as far as the form is concerned: the public key.
    fn read_submission(&mut self, model: ElementId) -> Option<String> {
        let document = Arc::clone(&self.document);
        let submission = document.children(model).find(|&child| self.name(child) == "submission")?;
        self.taken.element(submission);
        self.attribute(submission, Namespace::None, "action");
        let public_key = self.attribute(submission, Namespace::None, "base64RsaPublicKey")?;
        self.warn(DiagnosticKind::Refused(ErrorKind::EncryptionNeeded), "submission", "");
        Some(public_key)
    }

    fn warn(&mut self, kind: DiagnosticKind, place: impl Into<String>, detail: impl Into<String>) {
        self.diagnostics.push(Diagnostic { kind, place: place.into(), detail: detail.into() });
    }

    /// Tells what makes the form impossible to fill; the first such thing is the error it is refused with.
    fn fail(&mut self, kind: ErrorKind, place: &str, detail: &str) {
        let at = if place.is_empty() { detail.to_owned() } else { format!("{place}, {detail}") };
        self.failure.get_or_insert_with(|| Error::new(kind, at));
        self.warn(DiagnosticKind::Refused(kind), place, detail);
    }

    /// Tells each of several things of one kind, all of which make the form impossible to fill; the error names them all.
    fn refuse(&mut self, refused: &[Error]) {
        let details: Vec<_> = refused.iter().map(Error::detail).collect();
        if let Some(first) = refused.first() {
            self.failure.get_or_insert_with(|| Error::new(first.kind(), details.join("; ")));
        }
        for refused in refused {
            self.fail(refused.kind(), "", refused.detail());
        }
    }

    /// What an element is, by its local name; nothing for one with a prefix that stands for another program's namespace.
    fn name(&self, element: ElementId) -> &str {
        let read = self.document.element(element);
        let is_foreign = read.namespace == Namespace::Other && self.document.qualified_name(element).contains(':');
        if is_foreign { "" } else { self.names.get(read.name) }
    }

    /// The value of an attribute, which is marked as read.
    fn attribute(&mut self, element: ElementId, namespace: Namespace, name: &str) -> Option<String> {
        let name = self.names.find(name)?;
        let mut attributes = self.document.numbered_attributes(element);
        let (number, found) = attributes.find(|(_, found)| found.name == name && found.namespace == namespace)?;
        self.taken.attribute(number);
        Some(self.document.attribute_value(found).into_owned())
    }

    /// Compiles an expression. One that cannot be read makes the form impossible to fill; the first such is reported. `part` is
    /// what the expression is for, as a column of an XLSForm is called where there is one.
    fn formula(&mut self, source: &str, context: DefId, place: &str, part: &str) -> Option<FormulaId> {
        let on = self.nodes.way_to(context);
        self.compile(source, context, Some(&on), place, part)
    }

    /// The same on the node at `on`; where that is none it stands on a row, or on what shows it.
    fn compile(
        &mut self,
        source: &str,
        context: DefId,
        on: Option<&xpath::Path>,
        place: &str,
        part: &str,
    ) -> Option<FormulaId> {
        let parsed = xpath::parse(source, &mut self.names);
        match parsed.and_then(|expr| expr.check_on(on).map(|()| expr)) {
            Ok(expr) => Some(self.formulas.push(Formula { expr, context })),
            Err(error) => {
                let place = format!("{place}, {part}");
                let at = format!("{}: {}", position(source, error.span.start), error.reason);
                if error.kind == ErrorKind::Unsupported {
                    self.warn(DiagnosticKind::UnsupportedExpression, place, at);
                } else {
                    self.fail(error.kind, &place, &at);
                }
                None
            }
        }
    }

    /// A text reference: `jr:itext('id')`, `jr:itext(path)` or an expression, on the question that it is a text of.
    fn label_reference(&mut self, source: &str, context: DefId, place: &str, part: &str) -> Option<Label> {
        let on = self.nodes.way_to(context);
        self.label_reference_on(source, context, Some(&on), place, part)
    }

    /// The same on the node at `on`; where that is none it stands on the rows of a list.
    fn label_reference_on(
        &mut self,
        source: &str,
        context: DefId,
        on: Option<&xpath::Path>,
        place: &str,
        part: &str,
    ) -> Option<Label> {
        let source = source.trim();
        if let Some(argument) = source.strip_prefix("jr:itext(").and_then(|rest| rest.strip_suffix(')')) {
            let argument = argument.trim();
            for quote in ['\'', '"'] {
                if let Some(id) = argument.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
                    return Some(Label::Itext(id.into()));
                }
            }
            return self.compile(argument, context, on, place, part).map(Label::ItextOf);
        }
        self.compile(source, context, on, place, part).map(Label::Formula)
    }

    /// Compiles the `<output>` elements of the whole document, each on the node of the text it stands in.
    fn read_outputs(&mut self) {
        let document = Arc::clone(&self.document);
        let Some(output) = self.names.find("output") else { return };
        let found: Vec<_> =
            document.elements().filter(|(_, element)| element.name == output).map(|(id, _)| id).collect();
        for id in found {
            let parent = document.element(id).parent;
            if parent.is_some_and(|parent| matches!(self.name(parent), "label" | "hint" | "value")) {
                self.taken.element(id);
            }
            let place = self.place_of(&document, id);
            let Some(source) =
                self.attribute(id, Namespace::None, "value").or_else(|| self.attribute(id, Namespace::None, "ref"))
            else {
                self.warn(DiagnosticKind::NoEffect, place, "an output names no value");
                continue;
            };
            // Outputs are evaluated on the question that shows them, which is known where they stand in its own text; the root
            // only serves where there is none.
            let mut around = std::iter::successors(parent, |&element| document.element(element).parent);
            let on = around.find_map(|element| self.taken.node_of(element)).map(|def| self.nodes.way_to(def));
            if let Some(formula) = self.compile(&source, DefId(0), on.as_ref(), &place, "output") {
                self.outputs.insert(id, formula);
            }
        }
    }

    /// Warns of texts that the body refers to and no language has.
    fn check_texts(&mut self, form: &FormDef) {
        let mut missing = Vec::new();
        for (_, control) in form.controls.iter() {
            let labels = control
                .label
                .iter()
                .chain(&control.hint)
                .chain(control.items.iter().filter_map(|item| item.label.as_ref()));
            for label in labels {
                if let Label::Itext(id) = label
                    && form.itext.text(&form.document, &form.names, form.itext.default, id).is_none()
                {
                    missing.push(id.to_string());
                }
            }
        }
        for id in missing {
            self.warn(DiagnosticKind::MissingText, id, "");
        }
    }

    fn check_lists(&mut self, lists: &[List]) {
        let mut known: HashSet<&str> = lists.iter().map(|list| &*list.id).collect();
        let used = self.formulas.iter().flat_map(|(_, formula)| formula.expr.instance_ids());
        let unknown: Vec<_> = used.filter(|&id| known.insert(id)).map(str::to_owned).collect();
        for id in unknown {
            self.warn(DiagnosticKind::UnknownList, format!("instance('{id}')"), "");
        }
    }
}

/// Where in an expression a byte stands.
fn position(source: &str, byte: u32) -> String {
    let before = source.get(..byte as usize).unwrap_or(source);
    let column = before.chars().rev().take_while(|&character| character != '\n').count() + 1;
    match (before.matches('\n').count() + 1, source.trim().contains('\n')) {
        (line, true) => format!("line {line}, character {column}"),
        (_, false) => format!("character {column}"),
    }
}

/// An attribute of the model's `submission`.
fn submission_attribute(document: &Document, names: &Names, model: ElementId, name: &str) -> Option<String> {
    let mut children = document.children(model);
    let submission = children.find(|&child| names.get(document.element(child).name) == "submission")?;
    document.attribute(submission, Namespace::None, names.find(name)).map(|value| value.into_owned())
}

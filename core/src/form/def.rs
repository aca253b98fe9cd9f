use std::collections::HashMap;
use std::sync::Arc;

use super::graph::Graph;
use super::itext::Itext;
use super::structure::{Reference, Structure};
use crate::dataset::Rows;
use crate::ids::{ControlId, DefId, ElementId, FormulaId, IndexVec};
use crate::xml::{Document, NameId, Names};
use crate::xpath::Expr;

/// The most nodes a record may have, attributes among them: 10,000 instances of a repeat with thirty questions.
pub const MAX_NODES: usize = 300_000;

/// A questionnaire: everything an XForm says, compiled once and never changed.
#[derive(Debug)]
pub struct FormDef {
    /// Title shown to people.
    pub title: String,
    /// Form id: attribute `id` of the primary instance's root, else the namespace of its own.
    pub id: String,
    /// Version of the form; `None` if the form names none.
    pub version: Option<String>,
    /// Names of elements and columns.
    pub names: Names,
    /// The XML the form was read from; texts are ranges of it.
    pub document: Arc<Document>,
    /// The nodes of a record, one per path; the first is the root.
    pub nodes: Structure,
    /// The controls of the body.
    pub controls: IndexVec<ControlId, Control>,
    /// The top-level controls in order.
    pub body: Vec<ControlId>,
    /// Compiled expressions.
    pub formulas: IndexVec<FormulaId, Formula>,
    /// Expressions of `<output>` elements.
    pub outputs: HashMap<ElementId, FormulaId>,
    /// Texts per language.
    pub itext: Itext,
    /// Secondary instances; the tree number of the n-th is n + 1 (the record itself is 0).
    pub lists: Vec<List>,
    /// What happens at which event.
    pub actions: Vec<Action>,
    /// Who depends on whom.
    pub graph: Graph,
    /// Root of the primary instance in `document`.
    pub instance: ElementId,
    /// A prefix and its namespace that the form does not declare and an added node uses.
    pub added_namespace: Option<(Box<str>, Box<str>)>,
    /// Whether the form brings a public key: its records are encrypted before they are sent.
    pub public_key: Option<String>,
}

/// A node of the record's structure.
#[derive(Clone, Debug)]
pub struct NodeDef {
    /// Local name.
    pub name: NameId,
    /// Name as written in the form, prefix included.
    pub qualified: Box<str>,
    /// The namespaces that its elements declare because they are others than around them: attributes, ready to write.
    pub declares: Box<str>,
    /// The node around it; none for the root.
    pub parent: Option<DefId>,
    /// Child elements in order.
    pub children: Vec<DefId>,
    /// Attributes in order.
    pub attributes: Vec<DefId>,
    /// Whether this is an attribute.
    pub is_attribute: bool,
    /// Whether the core added it, so that no element of the form stands for it ([`FormDef::ensure_instance_id`]).
    pub is_added: bool,
    /// Whether instances of it can be added: it is the nodeset of a repeat.
    pub repeat: Option<ControlId>,
    /// What to clone for a new instance of a repeat.
    pub template: Option<Template>,
    /// Type of the value.
    pub data_type: DataType,
    /// Effective only where the parents are relevant too.
    pub relevant: Condition,
    /// Inherited by the nodes below.
    pub readonly: Condition,
    /// Of this node alone.
    pub required: Condition,
    /// What must hold for a value that is not empty.
    pub constraint: Option<FormulaId>,
    /// Where the value comes from, if it is calculated.
    pub calculate: Option<FormulaId>,
    /// Said when the constraint is violated.
    pub constraint_message: Option<Label>,
    /// Said when an answer is missing.
    pub required_message: Option<Label>,
    /// Value put in when the record is made (or, for `end`, finalised).
    pub preload: Option<Preload>,
    /// The control that asks it.
    pub control: Option<ControlId>,
    /// `orx:max-pixels`: longest edge of a captured image.
    pub max_pixels: Option<u32>,
    /// `odk:quality` of a recording.
    pub quality: Option<Box<str>>,
    /// `odk:allow-mock-accuracy`: whether a shell may take a made-up place.
    pub allows_mock_places: bool,
}

/// What a new instance of a repeat starts as.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Element to clone.
    pub element: ElementId,
    /// Whether its values are left out (no `jr:template`: the first instance with its values blanked).
    pub blank: bool,
}

/// A condition of a bind: most are constant and need no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always this.
    Constant(bool),
    /// Computed.
    Formula(FormulaId),
}

/// Types of xforms.md §8, as far as they differ in behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the type of its name")]
pub enum DataType {
    #[default]
    String,
    Int,
    /// A whole number of up to 64 bits.
    Long,
    Decimal,
    Boolean,
    Date,
    Time,
    DateTime,
    Geopoint,
    Geotrace,
    Geoshape,
    Barcode,
    Binary,
}

impl DataType {
    /// Its name, as a bind writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Long => "long",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "dateTime",
            Self::Geopoint => "geopoint",
            Self::Geotrace => "geotrace",
            Self::Geoshape => "geoshape",
            Self::Barcode => "barcode",
            Self::Binary => "binary",
        }
    }
}

/// A value put in without being asked (xforms.md §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preload {
    /// `uuid:` and a new UUID.
    Uid,
    /// The date of today.
    Today,
    /// The moment the record was begun.
    Start,
    /// The moment it was finalised.
    End,
    /// A property of the device or the account.
    Property(Box<str>),
}

/// A compiled expression and where it stands.
#[derive(Debug)]
pub struct Formula {
    /// The expression.
    pub expr: Expr,
    /// The node it is evaluated on.
    pub context: DefId,
}

/// Where a text comes from.
#[derive(Clone, Debug)]
pub enum Label {
    /// Written in place, `<output>` included.
    Literal(ElementId),
    /// Written in an attribute.
    Plain(Box<str>),
    /// `jr:itext('id')`.
    Itext(Box<str>),
    /// `jr:itext(path)`: the id is computed.
    ItextOf(FormulaId),
    /// A path or expression whose text is the label.
    Formula(FormulaId),
    /// The same with one for each language of the form, in their order.
    ByLanguage(Box<[FormulaId]>),
}

impl Label {
    /// The expressions that give its text or the id of its text.
    #[must_use]
    pub fn formulas(&self) -> &[FormulaId] {
        match self {
            Self::ItextOf(formula) | Self::Formula(formula) => std::slice::from_ref(formula),
            Self::ByLanguage(formulas) => formulas,
            Self::Literal(_) | Self::Plain(_) | Self::Itext(_) => &[],
        }
    }
}

/// A choice written in the form.
#[derive(Clone, Debug)]
pub struct Item {
    /// Value stored.
    pub value: Box<str>,
    /// Text shown.
    pub label: Option<Label>,
}

/// Choices that come from a list.
#[derive(Clone, Debug)]
pub struct Itemset {
    /// The nodes that are offered.
    pub nodeset: FormulaId,
    /// Value, relative to an offered node.
    pub value: FormulaId,
    /// Label, relative to an offered node.
    pub label: Option<Label>,
    /// How many of the choices written in the form stand before them; only a `search()` has both.
    pub n_before: usize,
    /// Whether of nodes with the same value only the first is offered, as `search()` does.
    pub is_distinct: bool,
}

/// Kinds of controls (xforms.md §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the element of its name")]
pub enum ControlKind {
    Input,
    Secret,
    Select1,
    Select,
    Rank,
    Range,
    Trigger,
    Upload,
    Group,
    Repeat,
}

impl ControlKind {
    /// Whether it is asked, as against a container.
    #[must_use]
    pub fn is_question(self) -> bool {
        !matches!(self, Self::Group | Self::Repeat)
    }

    /// Whether choices are offered.
    #[must_use]
    pub fn has_choices(self) -> bool {
        matches!(self, Self::Select1 | Self::Select | Self::Rank)
    }

    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Secret => "secret",
            Self::Select1 => "select1",
            Self::Select => "select",
            Self::Rank => "rank",
            Self::Range => "range",
            Self::Trigger => "trigger",
            Self::Upload => "upload",
            Self::Group => "group",
            Self::Repeat => "repeat",
        }
    }
}

/// A control of the body.
#[derive(Clone, Debug)]
pub struct Control {
    /// Which kind.
    pub kind: ControlKind,
    /// The node it asks; none for a group without `ref`.
    pub node: Option<DefId>,
    /// The container around it.
    pub parent: Option<ControlId>,
    /// What it contains, in order.
    pub children: Vec<ControlId>,
    /// `appearance`, as written.
    pub appearance: Box<str>,
    /// The question.
    pub label: Option<Label>,
    /// The explanation under it.
    pub hint: Option<Label>,
    /// Choices written in place.
    pub items: Vec<Item>,
    /// Choices from a list.
    pub itemset: Option<Itemset>,
    /// `jr:count` of a repeat: the node that holds the number.
    pub count: Option<FormulaId>,
    /// `jr:noAddRemove`: the person may not change the number of instances.
    pub fixed: bool,
    /// Other attributes that a widget may want: `mediatype`, `start`, `end`, `step`, `rows`, `accuracyThreshold` …
    pub settings: Vec<(Box<str>, Box<str>)>,
}

impl Control {
    /// Whether `word` is among the appearances, ignoring case.
    #[must_use]
    pub fn appears(&self, word: &str) -> bool {
        self.appearance.split_ascii_whitespace().any(|appearance| appearance.eq_ignore_ascii_case(word))
    }

    /// Whether everything inside is shown on one screen.
    #[must_use]
    pub fn is_field_list(&self) -> bool {
        self.appears("field-list") || self.appears("table-list")
    }

    /// One of the other attributes.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }
}

/// A secondary instance.
#[derive(Debug)]
pub struct List {
    /// Its id.
    pub id: Box<str>,
    /// The file of the form it comes from; none for one that stands in the form, or is the record before.
    pub file: Option<Box<str>>,
    /// Its nodes.
    pub tree: ListTree,
}

/// The nodes of a secondary instance.
#[derive(Debug)]
pub enum ListTree {
    /// An element of a document: of the form itself, or of an XML file.
    Element(Arc<Document>, ElementId),
    /// Rows, seen as `/root/item/column`.
    Rows(Rows),
    /// The previous record of this form; the session brings it.
    LastSaved,
    /// The file is missing: no nodes.
    Missing,
}

/// When an action runs (xforms.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the event of its name")]
pub enum FormEvent {
    FirstLoad,
    Load,
    NewRepeat,
    ValueChanged,
    Revalidate,
}

/// A `setvalue`.
#[derive(Clone, Debug)]
pub struct Action {
    /// When it runs.
    pub events: Vec<FormEvent>,
    /// The node that gets the value.
    pub target: DefId,
    /// The path to it, if predicates of it choose the rows.
    pub rows: Option<FormulaId>,
    /// Repeats on the way to it of which no predicate chooses a row, so that the place of the action must.
    pub open_repeats: Vec<DefId>,
    /// The value; none clears.
    pub value: Option<ActionValue>,
    /// The control it stands in; none for the model's own.
    pub scope: Option<ControlId>,
}

/// The value of a `setvalue`.
#[derive(Clone, Debug)]
pub enum ActionValue {
    /// Computed.
    Formula(FormulaId),
    /// Written in place.
    Text(Box<str>),
}

impl FormDef {
    /// The root of the record's structure.
    #[must_use]
    pub fn root(&self) -> DefId {
        self.nodes.root()
    }

    /// A definition with the ones around it, from itself up to the root.
    pub fn ancestors(&self, def: DefId) -> impl Iterator<Item = DefId> + '_ {
        self.nodes.ancestors(def)
    }

    /// The path of a definition, local names, without positions.
    #[must_use]
    pub fn path(&self, def: DefId) -> String {
        self.nodes.path(&self.names, def)
    }

    /// The definition that a reference leads to; a relative one counts from the record's root. Prefixes are ignored, and
    /// so are predicates.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<DefId> {
        self.find_from(reference, self.root())
    }

    /// The same with a relative reference counting from `context`.
    #[must_use]
    pub fn find_from(&self, reference: &str, context: DefId) -> Option<DefId> {
        self.nodes.follow(&self.names, &Reference::read(reference)?, context)
    }

    /// The node that an action runs on: that of the control it stands in, else the root.
    #[must_use]
    pub fn scope(&self, action: &Action) -> DefId {
        let around = std::iter::successors(action.scope, |&control| self.controls[control].parent);
        around.into_iter().find_map(|control| self.controls[control].node).unwrap_or(self.root())
    }

    /// Whether an action for new rows runs on those of a repeat: what stands in it, and what the model has about it.
    #[must_use]
    pub fn is_about_new_rows(&self, action: &Action, repeat: DefId) -> bool {
        let around = |def| self.ancestors(def).find(|&def| self.nodes[def].repeat.is_some());
        match action.scope {
            Some(_) => around(self.scope(action)) == Some(repeat),
            None => around(action.target).is_none_or(|concerned| concerned == repeat),
        }
    }

    /// A definition and everything below it, attributes too.
    #[must_use]
    pub fn subtree(&self, top: DefId) -> Vec<DefId> {
        let mut found = vec![top];
        let mut at = 0;
        while let Some(&def) = found.get(at) {
            found.extend(self.nodes[def].attributes.iter().chain(&self.nodes[def].children));
            at += 1;
        }
        found
    }

    /// The element of this local name below a node.
    #[must_use]
    pub fn named(&self, parent: DefId, name: &str) -> Option<DefId> {
        self.child(parent, self.names.find(name)?)
    }

    /// The element with this name in a node.
    #[must_use]
    pub fn child(&self, parent: DefId, name: NameId) -> Option<DefId> {
        self.nodes.child(parent, name)
    }

    /// The version as text; empty if there is none.
    #[must_use]
    pub fn version_text(&self) -> &str {
        self.version.as_deref().unwrap_or_default()
    }

    /// The position of a secondary instance by its id.
    #[must_use]
    pub fn list(&self, id: &str) -> Option<usize> {
        self.lists.iter().position(|list| &*list.id == id)
    }
}

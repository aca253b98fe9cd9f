//! A world of a few small documents, for the tests of this module.
//!
//! In the documents an attribute `type` gives a node its type and `off` makes it not relevant; neither is seen.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Axis, Context, EvalError, NameTest, NodeRef, Nodes, ParseError, Value, World, date, parse, parse_number};
use crate::ids::ElementId;
use crate::xml::{Document, NameId, Names};

pub(super) struct SmallWorld {
    names: Names,
    trees: Vec<(String, Vec<Entry>)>,
    pub(super) keeps_index: bool,
    pub(super) look_ups: Cell<usize>,
    shows_all: Cell<bool>,
    zone: TimeZone,
}

struct Entry {
    name: Option<NameId>,
    parent: Option<u32>,
    is_attribute: bool,
    data_type: String,
    relevant: bool,
    text: String,
}

const RECORD: &str = r#"<d version="7">
  <a>x</a><n type="int">5</n><dec type="decimal">1.5</dec><yes type="boolean">1</yes><empty/><list>a b</list>
  <day type="date">2026-03-09</day><moment type="dateTime">2026-03-09T17:05:00.000+01:00</moment>
  <hour type="time">17:05:00.000+01:00</hour><off off="">h</off>
  <r><v type="int">1</v><w/></r><r><v type="int">2</v><w>y</w></r><r off=""><v type="int">9</v></r>
  <o><i><v>1a</v></i><i><v>1b</v></i></o><o><i><v>2a</v></i></o>
  <cell>0 0 0 0; 0 1 0 0; 1 1 0 0; 1 0 0 0; 0 0 0 0</cell><p>0 0 0 0</p><p>0 1 0 0</p><bad>0 0; north</bad>
  <meta><entity id="e1" create="1"/></meta></d>"#;

const SITES: &str = r"<root>
  <item><code>u1</code><label>Uithof</label><town>u</town></item>
  <item><code>u2</code><label>Oog in Al</label><town>u</town></item>
  <item><code>z1</code><label>Dieserpoort</label><town>z</town></item>
  <item><code>05</code><label>Five</label><town>5</town></item>
  <item><code>it's</code><label>Quoted</label></item></root>";

impl SmallWorld {
    pub(super) fn new() -> Self {
        let mut names = Names::default();
        let trees = [("", RECORD), ("sites", SITES)]
            .map(|(id, source)| {
                let document = Document::parse(Arc::from(source), &mut names).unwrap();
                let mut entries = vec![Entry {
                    name: None,
                    parent: None,
                    is_attribute: false,
                    data_type: String::new(),
                    relevant: true,
                    text: String::new(),
                }];
                add(&document, document.root(), 0, &mut entries, &mut names);
                (id.to_owned(), entries)
            })
            .into();
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        Self { names, trees, keeps_index: true, look_ups: Cell::new(0), shows_all: Cell::new(false), zone }
    }

    /// The one node at `path`, relevant or not.
    pub(super) fn node(&self, path: &str) -> NodeRef {
        let document = Context::of(self.document(0));
        let mut names = self.names.clone();
        self.shows_all.set(true);
        let found = parse(path, &mut names).unwrap().eval(self, &document).unwrap();
        self.shows_all.set(false);
        match found {
            Value::Nodes(nodes) if nodes.len() == 1 => nodes[0],
            other => panic!("{path} leads to {other:?}"),
        }
    }

    /// What `source` yields at the node `path`.
    pub(super) fn eval_at(&self, path: &str, source: &str) -> Result<Value, EvalError> {
        let mut names = self.names.clone();
        parse(source, &mut names)
            .unwrap_or_else(|error| panic!("{source}: {error}"))
            .eval(self, &Context::of(self.node(path)))
    }

    /// The same as text; nodes by their texts, with blanks between.
    pub(super) fn text_at(&self, path: &str, source: &str) -> String {
        match self.eval_at(path, source) {
            Ok(Value::Nodes(nodes)) => nodes.iter().map(|&node| self.text(node)).collect::<Vec<_>>().join(" "),
            Ok(value) => value.to_text(self),
            Err(error) => format!("! {error}"),
        }
    }

    pub(super) fn parse(&self, source: &str) -> Result<super::Expr, ParseError> {
        parse(source, &mut self.names.clone())
    }

    fn entry(&self, node: NodeRef) -> Option<&Entry> {
        self.trees.get(usize::from(node.tree))?.1.get(node.node as usize)
    }
}

fn add(document: &Document, id: ElementId, parent: u32, entries: &mut Vec<Entry>, names: &mut Names) {
    let (type_name, off_name) = (names.intern("type"), names.intern("off"));
    let attributes = document.attributes(id);
    let value =
        |name| attributes.iter().find(|attribute| attribute.name == name).map(|it| document.attribute_value(it));
    let node = entries.len() as u32;
    let has_children = document.has_children(id);
    entries.push(Entry {
        name: Some(document.element(id).name),
        parent: Some(parent),
        is_attribute: false,
        data_type: value(type_name).unwrap_or_default().into_owned(),
        relevant: value(off_name).is_none() && entries[parent as usize].relevant,
        text: if has_children { String::new() } else { document.text(id).into_owned() },
    });
    for attribute in attributes.iter().filter(|attribute| ![type_name, off_name].contains(&attribute.name)) {
        entries.push(Entry {
            name: Some(attribute.name),
            parent: Some(node),
            is_attribute: true,
            data_type: String::new(),
            relevant: entries[node as usize].relevant,
            text: document.attribute_value(attribute).into_owned(),
        });
    }
    for child in document.children(id) {
        add(document, child, node, entries, names);
    }
}

impl World for SmallWorld {
    fn document(&self, tree: u16) -> NodeRef {
        NodeRef { tree, node: 0 }
    }

    fn instance(&self, id: &str) -> Option<u16> {
        self.trees.iter().position(|(known, _)| known == id).map(|tree| tree as u16)
    }

    fn parent(&self, node: NodeRef) -> Option<NodeRef> {
        self.entry(node)?.parent.map(|parent| NodeRef { tree: node.tree, node: parent })
    }

    fn children(&self, node: NodeRef, axis: Axis, test: NameTest, out: &mut Nodes) {
        let entries = &self.trees[usize::from(node.tree)].1;
        let found = entries.iter().enumerate().filter(|(_, entry)| {
            entry.parent == Some(node.node)
                && entry.is_attribute == (axis == Axis::Attribute)
                && matches!(axis, Axis::Child | Axis::Attribute)
                && (test == NameTest::Any || entry.name.map(NameTest::Name) == Some(test))
        });
        out.extend(found.map(|(index, _)| NodeRef { tree: node.tree, node: index as u32 }));
    }

    fn name(&self, node: NodeRef) -> Option<NameId> {
        self.entry(node)?.name
    }

    fn is_attribute(&self, node: NodeRef) -> bool {
        self.entry(node).is_some_and(|entry| entry.is_attribute)
    }

    fn value(&self, node: NodeRef) -> Value {
        if self.entry(node).is_some_and(|entry| entry.relevant) { self.raw_value(node) } else { Value::empty() }
    }

    fn raw_value(&self, node: NodeRef) -> Value {
        let Some(entry) = self.entry(node).filter(|entry| !entry.text.is_empty()) else { return Value::empty() };
        match entry.data_type.as_str() {
            "int" | "decimal" => Value::Number(parse_number(&entry.text)),
            "boolean" => Value::Bool(entry.text == "1"),
            "date" => Value::Date(date::parse_date(&entry.text).unwrap()),
            "dateTime" => Value::DateTime(date::parse_date_time(&entry.text, &self.zone).unwrap()),
            "time" => Value::Time(date::parse_time(&entry.text).unwrap()),
            _ => Value::Text(entry.text.clone()),
        }
    }

    fn text(&self, node: NodeRef) -> Cow<'_, str> {
        Cow::Borrowed(self.entry(node).filter(|_| self.is_relevant(node)).map_or("", |entry| &entry.text))
    }

    fn has_children(&self, node: NodeRef) -> bool {
        let mut children = Nodes::new();
        self.children(node, Axis::Child, NameTest::Any, &mut children);
        !children.is_empty()
    }

    fn is_relevant(&self, node: NodeRef) -> bool {
        self.shows_all.get() || self.entry(node).is_some_and(|entry| entry.relevant)
    }

    fn position(&self, node: NodeRef) -> usize {
        let (Some(parent), Some(name)) = (self.parent(node), self.name(node)) else { return 1 };
        let mut siblings = Nodes::new();
        self.children(parent, Axis::Child, NameTest::Name(name), &mut siblings);
        siblings.iter().position(|&sibling| sibling == node).map_or(0, |index| index + 1)
    }

    fn find(&self, parent: NodeRef, row: NameId, column: NameId, value: &str) -> Option<Nodes> {
        if !self.keeps_index || parent.tree == 0 {
            return None;
        }
        self.look_ups.set(self.look_ups.get() + 1);
        let mut rows = Nodes::new();
        self.children(parent, Axis::Child, NameTest::Name(row), &mut rows);
        rows.retain(|row| {
            let mut cells = Nodes::new();
            self.children(*row, Axis::Child, NameTest::Name(column), &mut cells);
            cells.iter().any(|&cell| self.text(cell) == value)
        });
        Some(rows)
    }

    fn now_ms(&self) -> i64 {
        date::parse_date_time("2026-03-09T23:30:00.250Z", &self.zone).unwrap() // already tomorrow in Amsterdam
    }

    fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    fn random(&self) -> f64 {
        0.25
    }

    fn order_seed(&self) -> u64 {
        84
    }

    fn uuid(&self) -> String {
        "7c1f4a8e-0000-4000-8000-000000000000".to_owned()
    }

    fn property(&self, name: &str) -> String {
        format!("<{name}>")
    }

    fn form_version(&self) -> String {
        "7".to_owned()
    }

    fn itext(&self, id: &str) -> String {
        format!("[{id}]")
    }

    fn choice_label(&self, _: NodeRef, value: &str, path: &str) -> String {
        format!("{value}@{path}")
    }

    fn month_name(&self, month: u8) -> String {
        ["jan", "feb", "mrt"].get(usize::from(month) - 1).unwrap_or(&"?").to_string()
    }

    fn weekday_name(&self, weekday: u8) -> String {
        ["zo", "ma", "di"].get(usize::from(weekday)).unwrap_or(&"?").to_string()
    }
}

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::Engine;
use crate::clock::Random;
use crate::dataset::Dataset;
use crate::form::{DataType, ListTree};
use crate::ids::{DefId, ElementId, Id, NodeId};
use crate::instance::{Node, typed};
use crate::xml::{Attribute, Document, NameId};
use crate::xpath::{Axis, NameTest, NodeRef, Nodes, Value, World};

/// The steps that it takes to find a text and its pieces, beside those of its expressions.
const LOOKING_UP: u64 = 500;

/// The number of a tree's document node.
const DOCUMENT: u32 = u32::MAX;

/// The next row of a range, which is not there yet: empty, behind the others.
pub(super) const ROW_TO_COME: NodeRef = NodeRef { tree: 0, node: u32::MAX - 1 };

/// What expressions see of an engine.
#[derive(Clone, Copy)]
pub(super) struct View<'e> {
    pub(super) engine: &'e Engine,
    /// Whether nodes that are not relevant are seen as well: a repeat's count is (xforms.md §6).
    pub(super) all_relevant: bool,
    /// The range that [`ROW_TO_COME`] belongs to: the node around it and the repeat.
    pub(super) row_to_come: Option<(NodeId, DefId)>,
}

/// The nodes behind a tree number.
enum Nodeset<'e> {
    Record,
    Element(&'e Document, ElementId),
    Rows(&'e crate::dataset::Rows),
    Nothing,
}

impl<'e> View<'e> {
    fn nodeset(&self, tree: u16) -> Nodeset<'e> {
        let Some(index) = usize::from(tree).checked_sub(1) else { return Nodeset::Record };
        match self.engine.form.lists.get(index).map(|list| &list.tree) {
            Some(ListTree::Element(document, root)) => Nodeset::Element(document, *root),
            Some(ListTree::Rows(rows)) => Nodeset::Rows(rows),
            Some(ListTree::LastSaved) => match &self.engine.last_saved {
                Some(document) => Nodeset::Element(document, document.root()),
                None => Nodeset::Nothing,
            },
            Some(ListTree::Missing) | None => Nodeset::Nothing,
        }
    }

    fn record(&self, node: NodeRef) -> Option<&'e Node> {
        if node.tree == 0 && node.node != DOCUMENT { self.engine.tree.get(NodeId(node.node)) } else { None }
    }

    fn shown(&self, node: &Node) -> bool {
        self.all_relevant || node.relevant
    }

    /// The lexical text whatever the relevance.
    fn raw_text(&self, node: NodeRef) -> Cow<'e, str> {
        if node.node == DOCUMENT {
            return Cow::Borrowed("");
        }
        match self.nodeset(node.tree) {
            Nodeset::Record => Cow::Borrowed(self.record(node).map_or("", |node| &node.value)),
            Nodeset::Element(document, _) => match part(document, node.node) {
                Some(Part::Element(element)) if document.has_children(element) => Cow::Borrowed(""),
                Some(Part::Element(element)) => trimmed(document.text(element)),
                Some(Part::Attribute(_, attribute)) => trimmed(document.attribute_value(attribute)),
                None => Cow::Borrowed(""),
            },
            Nodeset::Rows(rows) => match row_and_cell(rows, node.node) {
                Some((row, Some(cell))) => rows.cell(row, cell),
                _ => Cow::Borrowed(""),
            },
            Nodeset::Nothing => Cow::Borrowed(""),
        }
    }
}

/// A node of the record, for an expression.
pub(super) fn reference(node: NodeId) -> NodeRef {
    NodeRef { tree: 0, node: node.0 }
}

/// What a node of a document is: its elements are numbered first, then their attributes.
enum Part<'d> {
    Element(ElementId),
    Attribute(ElementId, &'d Attribute),
}

fn part(document: &Document, node: u32) -> Option<Part<'_>> {
    match (node as usize).checked_sub(document.n_elements()) {
        None => Some(Part::Element(ElementId(node))),
        Some(number) => document.numbered_attribute(number).map(|(owner, attribute)| Part::Attribute(owner, attribute)),
    }
}

/// Rows are numbered as nodes: 0 is `root`, then each row followed by its cells.
fn row_and_cell(rows: &crate::dataset::Rows, node: u32) -> Option<(usize, Option<usize>)> {
    let index = (node as usize).checked_sub(1)?;
    let width = rows.columns().len() + 1;
    Some((index / width, (index % width).checked_sub(1)))
}

fn row_node(rows: &crate::dataset::Rows, row: usize) -> u32 {
    u32::try_from(1 + row * (rows.columns().len() + 1)).unwrap_or(DOCUMENT - 1)
}

impl World for View<'_> {
    fn document(&self, tree: u16) -> NodeRef {
        NodeRef { tree, node: DOCUMENT }
    }

    fn instance(&self, id: &str) -> Option<u16> {
        self.engine.form.list(id).and_then(|index| u16::try_from(index + 1).ok())
    }

    fn parent(&self, node: NodeRef) -> Option<NodeRef> {
        if node.node == DOCUMENT {
            return None;
        }
        let parent = match self.nodeset(node.tree) {
            Nodeset::Record if node == ROW_TO_COME => self.row_to_come.map(|(parent, _)| parent.0),
            Nodeset::Record => self.record(node)?.parent.map(|parent| parent.0),
            Nodeset::Element(_, root) if root.0 == node.node => None,
            Nodeset::Element(document, _) => match part(document, node.node)? {
                Part::Element(element) => document.element(element).parent.map(|parent| parent.0),
                Part::Attribute(owner, _) => Some(owner.0),
            },
            Nodeset::Rows(rows) => match row_and_cell(rows, node.node) {
                None => None,
                Some((_, None)) => Some(0),
                Some((row, Some(_))) => Some(row_node(rows, row)),
            },
            Nodeset::Nothing => None,
        };
        Some(NodeRef { tree: node.tree, node: parent.unwrap_or(DOCUMENT) })
    }

    fn children(&self, node: NodeRef, axis: Axis, test: NameTest, out: &mut Nodes) {
        let fits = |name: NameId| match test {
            NameTest::Any => true,
            NameTest::Name(wanted) => wanted == name,
        };
        let tree = node.tree;
        match (self.nodeset(tree), axis) {
            (Nodeset::Record, Axis::Child | Axis::Attribute) => {
                let (form, record) = (&self.engine.form, &self.engine.tree);
                let id = NodeId(node.node);
                if node.node == DOCUMENT {
                    let is_meant = axis == Axis::Child && fits(form.nodes[form.root()].name);
                    out.extend(is_meant.then(|| reference(record.root())));
                } else if let Some(known) = record.get(id) {
                    match (axis, test) {
                        (Axis::Child, NameTest::Name(name)) => {
                            let children = form.child(known.def, name).map(|def| record.children_of(id, def));
                            out.extend(children.unwrap_or_default().iter().map(|&child| reference(child)));
                        }
                        _ => out.extend(record.children(id).filter_map(|child| {
                            let definition = &form.nodes[record.node(child).def];
                            let is_meant =
                                definition.is_attribute == (axis == Axis::Attribute) && fits(definition.name);
                            is_meant.then(|| reference(child))
                        })),
                    }
                }
            }
            (Nodeset::Element(document, root), Axis::Child) => {
                if node.node == DOCUMENT {
                    if fits(document.element(root).name) {
                        out.push(NodeRef { tree, node: root.0 });
                    }
                } else if let Some(Part::Element(element)) = part(document, node.node) {
                    let children = document.children(element).filter(|&child| fits(document.element(child).name));
                    out.extend(children.map(|child| NodeRef { tree, node: child.0 }));
                }
            }
            (Nodeset::Element(document, _), Axis::Attribute) if node.node != DOCUMENT => {
                if let Some(Part::Element(element)) = part(document, node.node) {
                    let attributes =
                        document.numbered_attributes(element).filter(|(_, attribute)| fits(attribute.name));
                    let first = document.n_elements();
                    out.extend(attributes.filter_map(|(number, _)| {
                        u32::try_from(first + number).ok().map(|node| NodeRef { tree, node })
                    }));
                }
            }
            (Nodeset::Rows(rows), Axis::Child) => {
                let names = &self.engine.form.names;
                let named = |name| names.find(name).is_some_and(fits) || test == NameTest::Any;
                match node.node {
                    DOCUMENT if named("root") => out.push(NodeRef { tree, node: 0 }),
                    DOCUMENT => {}
                    0 if named("item") => {
                        out.extend((0..rows.len()).map(|row| NodeRef { tree, node: row_node(rows, row) }))
                    }
                    0 => {}
                    _ => {
                        if row_and_cell(rows, node.node).is_some_and(|(_, cell)| cell.is_none()) {
                            let cells = rows.columns().iter().enumerate().filter(|&(_, &column)| fits(column));
                            out.extend(cells.map(|(index, _)| NodeRef { tree, node: node.node + 1 + index as u32 }));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn name(&self, node: NodeRef) -> Option<NameId> {
        if node.node == DOCUMENT {
            return None;
        }
        match self.nodeset(node.tree) {
            Nodeset::Record if node == ROW_TO_COME => {
                self.row_to_come.map(|(_, repeat)| self.engine.form.nodes[repeat].name)
            }
            Nodeset::Record => Some(self.engine.form.nodes[self.record(node)?.def].name),
            Nodeset::Element(document, _) => part(document, node.node).map(|part| match part {
                Part::Element(element) => document.element(element).name,
                Part::Attribute(_, attribute) => attribute.name,
            }),
            Nodeset::Rows(rows) => match row_and_cell(rows, node.node) {
                None => self.engine.form.names.find("root"),
                Some((_, None)) => self.engine.form.names.find("item"),
                Some((_, Some(cell))) => rows.columns().get(cell).copied(),
            },
            Nodeset::Nothing => None,
        }
    }

    fn is_attribute(&self, node: NodeRef) -> bool {
        match self.nodeset(node.tree) {
            Nodeset::Record => self.record(node).is_some_and(|node| self.engine.form.nodes[node.def].is_attribute),
            Nodeset::Element(document, _) => matches!(part(document, node.node), Some(Part::Attribute(..))),
            Nodeset::Rows(_) | Nodeset::Nothing => false,
        }
    }

    fn value(&self, node: NodeRef) -> Value {
        match self.record(node) {
            Some(record) if !self.shown(record) => Value::empty(),
            _ => self.raw_value(node),
        }
    }

    fn raw_value(&self, node: NodeRef) -> Value {
        match self.record(node) {
            Some(record) => {
                let definition = &self.engine.form.nodes[record.def];
                let data_type = definition.data_type;
                // The code of a choice is compared as it is written: 02 is not 2.
                if record.kind.is_none()
                    && matches!(data_type, DataType::Int | DataType::Long | DataType::Decimal)
                    && definition.control.is_some_and(|control| self.engine.form.controls[control].kind.has_choices())
                {
                    return Value::Text(record.value.clone());
                }
                typed(&record.value, data_type, record.kind, &self.engine.settings.time_zone)
            }
            None => Value::Text(self.raw_text(node).into_owned()),
        }
    }

    fn text(&self, node: NodeRef) -> Cow<'_, str> {
        match self.record(node) {
            Some(record) if !self.shown(record) => Cow::Borrowed(""),
            _ => self.raw_text(node),
        }
    }

    fn has_children(&self, node: NodeRef) -> bool {
        if node.node == DOCUMENT {
            return true;
        }
        match self.nodeset(node.tree) {
            Nodeset::Record => {
                self.record(node).is_some() && self.engine.tree.has_elements(&self.engine.form, NodeId(node.node))
            }
            Nodeset::Element(document, _) => {
                matches!(part(document, node.node), Some(Part::Element(element)) if document.has_children(element))
            }
            Nodeset::Rows(rows) => !matches!(row_and_cell(rows, node.node), Some((_, Some(_)))),
            Nodeset::Nothing => false,
        }
    }

    fn is_relevant(&self, node: NodeRef) -> bool {
        node.tree != 0 || node.node == DOCUMENT || self.record(node).is_some_and(|node| self.shown(node))
    }

    fn position(&self, node: NodeRef) -> usize {
        if node.node == DOCUMENT {
            return 1;
        }
        match self.nodeset(node.tree) {
            Nodeset::Record if node == ROW_TO_COME => {
                let there = self.row_to_come.map(|(parent, repeat)| self.engine.tree.children_of(parent, repeat).len());
                there.unwrap_or_default() + 1
            }
            Nodeset::Record => self.record(node).map_or(0, |_| self.engine.tree.position(NodeId(node.node))),
            Nodeset::Element(document, root) => {
                let Some(Part::Element(id)) = part(document, node.node) else { return 1 };
                let element = document.element(id);
                let Some(parent) = element.parent.filter(|_| id != root) else { return 1 };
                let same = document.children(parent).filter(|&sibling| document.element(sibling).name == element.name);
                same.take_while(|&sibling| sibling != id).count() + 1
            }
            Nodeset::Rows(rows) => match row_and_cell(rows, node.node) {
                Some((row, None)) => row + 1,
                _ => 1,
            },
            Nodeset::Nothing => 0,
        }
    }

    fn find(&self, parent: NodeRef, row: NameId, column: NameId, value: &str) -> Option<Nodes> {
        let Nodeset::Rows(rows) = self.nodeset(parent.tree) else { return None };
        if parent.node != 0 || self.engine.form.names.find("item") != Some(row) {
            return None;
        }
        let column = rows.columns().iter().position(|&known| known == column);
        let found = column.map(|column| rows.find(column, value)).unwrap_or_default();
        Some(found.into_iter().map(|row| NodeRef { tree: parent.tree, node: row_node(rows, row as usize) }).collect())
    }

    fn steps_left(&self) -> u64 {
        self.engine.budget.steps_left()
    }

    fn spend_steps(&self, steps: u64) {
        self.engine.budget.spend(steps);
    }

    fn depth_left(&self) -> u32 {
        self.engine.budget.depth_left()
    }

    fn set_depth_left(&self, depth: u32) {
        self.engine.budget.set_depth_left(depth);
    }

    fn now_ms(&self) -> i64 {
        self.engine.step.at
    }

    fn time_zone(&self) -> &TimeZone {
        &self.engine.settings.time_zone
    }

    fn random(&self) -> f64 {
        self.engine.draw(Random::unit)
    }

    fn order_seed(&self) -> u64 {
        self.engine.draw_order()
    }

    fn uuid(&self) -> String {
        self.engine.draw(Random::uuid)
    }

    fn property(&self, name: &str) -> String {
        self.engine.settings.property(name)
    }

    fn form_version(&self) -> String {
        self.engine.form.version_text().to_owned()
    }

    fn itext(&self, id: &str) -> String {
        self.engine.budget.spend(LOOKING_UP);
        self.engine.itext(id).plain()
    }

    fn choice_label(&self, context: NodeRef, value: &str, path: &str) -> String {
        self.engine.budget.spend(LOOKING_UP);
        let context = match self.row_to_come {
            Some((parent, _)) if context == ROW_TO_COME => parent,
            _ => NodeId::from_index(context.node as usize),
        };
        self.engine.choice_label(context, value, path)
    }

    fn month_name(&self, month: u8) -> String {
        super::calendar::month_name(self.engine.language_tag(), month)
    }

    fn weekday_name(&self, weekday: u8) -> String {
        super::calendar::weekday_name(self.engine.language_tag(), weekday)
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

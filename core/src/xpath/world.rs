use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::{Axis, NameTest, NodeRef, Nodes, Value};
use crate::xml::NameId;

/// How many subexpressions and nodes one evaluation may visit where nobody says otherwise.
pub const MAX_STEPS: u64 = 10_000_000;

/// How many subexpressions may be open at a time, those of texts that an expression shows among them. So many take less than
/// two megabytes of stack, even in code that is not optimised.
pub const MAX_DEPTH: u32 = 256;

/// The most bytes of text that one evaluation may make.
pub(super) const MAX_TEXT: usize = 64 << 20;

/// What an expression can see of a record, its lists and its surroundings.
///
/// Templates of repeats are never part of it. Methods take `&self`: a world whose random numbers advance keeps the
/// generator behind interior mutability.
pub trait World {
    /// The document node of a tree: the parent of its root element.
    fn document(&self, tree: u16) -> NodeRef;

    /// The tree of the secondary instance `id`; `None` if the form declares no such instance.
    fn instance(&self, id: &str) -> Option<u16>;

    /// The parent element, the document node for a root element, the owner for an attribute.
    fn parent(&self, node: NodeRef) -> Option<NodeRef>;

    /// Appends the children ([`Axis::Child`]) or attributes ([`Axis::Attribute`]) of `node` that pass `test`, in
    /// document order, relevant or not. Appends nothing for another axis.
    fn children(&self, node: NodeRef, axis: Axis, test: NameTest, out: &mut Nodes);

    /// The local name of an element or attribute; `None` for a document node.
    fn name(&self, node: NodeRef) -> Option<NameId>;

    /// Whether the node is an attribute.
    fn is_attribute(&self, node: NodeRef) -> bool;

    /// The value typed by the node's bind; empty text if it is empty, not relevant, or holds children. Never `Nodes`.
    fn value(&self, node: NodeRef) -> Value;

    /// The lexical text; empty if the node is not relevant.
    fn text(&self, node: NodeRef) -> Cow<'_, str>;

    /// The value whatever the relevance; what `once()` looks at.
    fn raw_value(&self, node: NodeRef) -> Value;

    /// Whether the node has element children.
    fn has_children(&self, node: NodeRef) -> bool;

    /// Whether the node and all its ancestors are relevant; always true in secondary instances.
    fn is_relevant(&self, node: NodeRef) -> bool;

    /// The 1-based place among the siblings of the same name.
    fn position(&self, node: NodeRef) -> usize;

    /// The children `row` of `parent` whose child `column` has exactly the text `value`, in document order; `None` if
    /// the tree keeps no index, so that the rows have to be scanned. An index answers for `=` only where that compares
    /// texts, so never for a typed column.
    fn find(&self, parent: NodeRef, row: NameId, column: NameId, value: &str) -> Option<Nodes>;

    /// How many subexpressions and nodes the next evaluation may visit.
    fn steps_left(&self) -> u64 {
        MAX_STEPS
    }

    /// Told at the end of each evaluation how many it has visited.
    fn spend_steps(&self, _steps: u64) {}

    /// How many subexpressions may be open at a time in the next evaluation.
    fn depth_left(&self) -> u32 {
        MAX_DEPTH
    }

    /// Told how many an evaluation leaves to the texts it asks for, which have expressions of their own.
    fn set_depth_left(&self, _depth: u32) {}

    /// The present moment in milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;

    /// The time zone of the person who answers.
    fn time_zone(&self) -> &TimeZone;

    /// A random number in `[0, 1)`.
    fn random(&self) -> f64;

    /// The seed of a `randomize()` that names none: the same for as long as the order it gives must last.
    fn order_seed(&self) -> u64;

    /// A new version 4 UUID in lower case.
    fn uuid(&self) -> String;

    /// A property of the device or the account, such as `deviceid`; empty if unknown.
    fn property(&self, name: &str) -> String;

    /// The version of the form; empty if it has none.
    fn form_version(&self) -> String;

    /// The text `id` in the current language.
    fn itext(&self, id: &str) -> String;

    /// The label, in the current language, of the choice `value` of the select whose node is `path`, absolute or
    /// relative to `context`; empty if there is none.
    fn choice_label(&self, context: NodeRef, value: &str, path: &str) -> String;

    /// The short name of a month (1 to 12) in the current language.
    fn month_name(&self, month: u8) -> String;

    /// The short name of a day of the week (0 = Sunday) in the current language.
    fn weekday_name(&self, weekday: u8) -> String;
}

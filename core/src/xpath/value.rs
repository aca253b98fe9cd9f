use smallvec::SmallVec;

use super::World;
use super::date;

/// A node of some instance. Tree 0 is the primary instance, the others are secondary instances in the world's own
/// order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NodeRef {
    /// Which instance.
    pub tree: u16,
    /// Which node of it; only the world knows what the number means.
    pub node: u32,
}

/// Nodes in document order; few in most cases, so without allocation.
pub type Nodes = SmallVec<[NodeRef; 4]>;

/// What an expression yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// Every number is a double; NaN stands for "no number".
    Number(f64),
    /// Text, also every empty node.
    Text(String),
    /// A day: days since 1970-01-01 in the civil calendar, without a time zone.
    Date(i64),
    /// A moment: milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// A time of day: milliseconds since local midnight.
    Time(i64),
    /// Nodes of one or more instances, in document order.
    Nodes(Nodes),
}

/// Numbers closer than this are equal, and a number closer to 0 is false (xforms.md §11).
const TOLERANCE: f64 = 1e-12;

pub(super) const MS_PER_DAY: f64 = 86_400_000.0;

impl Value {
    /// The empty text: what a missing or empty node reads as.
    #[must_use]
    pub fn empty() -> Self {
        Self::Text(String::new())
    }

    /// The value of the first node if this is a nodeset (empty text if it has none), else the value itself.
    ///
    /// A repeated field used as a scalar is its first occurrence (xforms.md §11, "many nodes as scalar").
    #[must_use]
    pub fn into_scalar<W: World>(self, world: &W) -> Self {
        match self {
            Self::Nodes(nodes) => nodes.first().map_or_else(Self::empty, |&node| world.value(node)),
            scalar => scalar,
        }
    }

    /// The number this value stands for, NaN if none; dates are days since 1970-01-01 in local civil time.
    #[must_use]
    pub fn to_number<W: World>(&self, world: &W) -> f64 {
        match self {
            Self::Bool(truth) => f64::from(u8::from(*truth)),
            Self::Number(number) => *number,
            Self::Text(text) => parse_number(text),
            Self::Date(days) => *days as f64,
            Self::DateTime(ms) => date::local_ms(*ms, world.time_zone()) as f64 / MS_PER_DAY,
            Self::Time(ms) => *ms as f64 / MS_PER_DAY,
            Self::Nodes(nodes) => nodes.first().map_or(f64::NAN, |&node| world.value(node).to_number(world)),
        }
    }

    /// The text of this value; dates and moments are `yyyy-mm-dd` (xforms.md §11), numbers plain digits or `NaN`.
    #[must_use]
    pub fn to_text<W: World>(&self, world: &W) -> String {
        match self {
            Self::Bool(truth) => truth.to_string(),
            Self::Number(number) if number.is_nan() => "NaN".to_owned(),
            Self::Number(number) => format_number(*number),
            Self::Text(text) => text.clone(),
            Self::Date(days) => date::format_date(*days),
            Self::DateTime(ms) => date::format_date(date::local_day(*ms, world.time_zone())),
            Self::Time(ms) => date::format_time(*ms, world.time_zone(), world.now_ms()),
            Self::Nodes(nodes) => nodes.first().map_or_else(String::new, |&node| node_text(node, world)),
        }
    }

    /// Whether this value counts as true: a number other than 0 and NaN, or any text but the empty one.
    #[must_use]
    pub fn to_bool<W: World>(&self, world: &W) -> bool {
        match self {
            Self::Bool(truth) => *truth,
            Self::Number(number) => number.abs() > TOLERANCE,
            Self::Text(text) => !text.is_empty(),
            Self::Date(_) | Self::DateTime(_) | Self::Time(_) => true,
            Self::Nodes(nodes) => nodes.first().is_some_and(|&node| world.value(node).to_bool(world)),
        }
    }

    /// Whether there is nothing to see: empty text, NaN, or a nodeset whose first node is so.
    #[must_use]
    pub fn is_empty<W: World>(&self, world: &W) -> bool {
        match self {
            Self::Number(number) => number.is_nan(),
            Self::Text(text) => text.is_empty(),
            Self::Nodes(nodes) => nodes.first().is_none_or(|&node| world.value(node).is_empty(world)),
            Self::Bool(_) | Self::Date(_) | Self::DateTime(_) | Self::Time(_) => false,
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The text of one node as `string()` sees it: typed values in their canonical form, a time as it was written.
pub(super) fn node_text<W: World>(node: NodeRef, world: &W) -> String {
    match world.value(node) {
        Value::Time(_) => world.text(node).into_owned(),
        Value::Nodes(_) => String::new(), // a world never nests nodesets
        value => value.to_text(world),
    }
}

/// `=` of xforms.md §11. If either is a boolean, as booleans; else if either is a number, as numbers; two moments as moments;
/// whatever else has a day in it by its ISO text, so a day equals a moment of that day. A time of day is a number.
pub(super) fn equal<W: World>(left: &Value, right: &Value, world: &W) -> bool {
    use Value::{Bool, Date, DateTime, Number, Text, Time};
    match (left, right) {
        (Bool(truth), Text(text)) | (Text(text), Bool(truth)) if matches!(text.as_str(), "true" | "false") => {
            *truth == (text == "true")
        }
        (Bool(_), _) | (_, Bool(_)) => left.to_bool(world) == right.to_bool(world),
        (Number(_) | Time(_), _) | (_, Number(_) | Time(_)) | (DateTime(_), DateTime(_)) => {
            let (left, right) = comparable(left, right, world);
            #[expect(clippy::float_cmp, reason = "infinities equal themselves, and have no difference")]
            let same = left == right;
            same || (left - right).abs() <= TOLERANCE
        }
        (Text(left), Text(right)) => left == right,
        (Date(_) | DateTime(_) | Text(_) | Value::Nodes(_), _) => left.to_text(world) == right.to_text(world),
    }
}

/// Both sides as numbers that may be compared. Two moments, or a moment and a day, compare as moments, so that a change
/// of the clock in autumn does not swap them; everything else compares by [`Value::to_number`].
pub(super) fn comparable<W: World>(left: &Value, right: &Value, world: &W) -> (f64, f64) {
    match (moment(left, world), moment(right, world)) {
        (Some(left_ms), Some(right_ms))
            if matches!(left, Value::DateTime(_)) || matches!(right, Value::DateTime(_)) =>
        {
            (left_ms as f64, right_ms as f64)
        }
        _ => (left.to_number(world), right.to_number(world)),
    }
}

fn moment<W: World>(value: &Value, world: &W) -> Option<i64> {
    match value {
        Value::DateTime(ms) => Some(*ms),
        Value::Date(days) => Some(date::midnight_ms(*days, world.time_zone())),
        _ => None,
    }
}

/// The number written in `text`, NaN if it is none: digits with at most one point or comma, a minus sign before them,
/// blanks around them; no exponent (xforms.md §11).
#[must_use]
pub fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'.' | b',')) {
        return f64::NAN;
    }
    if text.contains(',') { text.replace(',', ".").parse() } else { text.parse() }.unwrap_or(f64::NAN)
}

/// A number as it is stored: plain digits without exponent, no point when integral, NaN as empty text, infinities as
/// `Infinity` and `-Infinity` (xforms.md §8).
#[must_use]
pub fn format_number(number: f64) -> String {
    if number.is_nan() {
        String::new()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else if number == 0.0 {
        "0".to_owned() // also for -0
    } else {
        number.to_string()
    }
}

//! XPath as ODK forms speak it: parsed once, evaluated against whatever implements [`World`].
//!
//! [`parse`] reads an expression into an [`Expr`], an arena of nodes in which every operand stands before what uses it.
//! [`Expr::eval`] walks it at a [`Context`]. What an expression says about nodes it asks a [`World`]; it neither knows
//! how a record is kept nor reads a clock, so the same record, moment and random numbers give the same value.
//!
//! # Grammar
//!
//! ```text
//! expression = unary { operator unary }          or < and < = != < < <= > >= < + - < * div mod, each from the left
//! unary      = { "-" } primary
//! primary    = number | text | "(" expression ")" | call | path
//! call       = name "(" [ expression { "," expression } ] ")"
//! path       = ( "/" | [ "/" ] steps | "instance" "(" text ")" [ "/" steps ] | "current" "(" ")" [ "/" steps ] )
//! steps      = step { "/" step }
//! step       = ( "." | ".." | [ "@" | axis "::" ] test ) { "[" expression "]" }
//! axis       = "child" | "attribute" | "parent" | "self"
//! test       = name | "*" | "node" "(" ")"
//! number     = digits [ "." [ digits ] ] | "." digits
//! text       = "'" characters "'" | '"' characters '"'
//! ```
//!
//! Names are XML names and so may hold `-` and `.`: `a-1` is a name, `a - 1` and `a -1` are differences. As in XPath
//! 1.0, `*`, `and`, `or`, `div` and `mod` are operators wherever an operand has just ended, and names elsewhere.
//! Prefixes are read and dropped: nodes match by local name, functions by the whole name (`jr:itext`).
//!
//! # Where it is not XPath 1.0
//!
//! What JavaRosa does is the measure, since forms are written for it; xforms.md §11 and xforms-functions.md hold the
//! details, and the tests of this module a row for each.
//!
//! *Left out*, and refused when a form is read: `//`, `|`, variables, the other axes, `text()`, a predicate or a step
//! behind parentheses or a call, and the functions that JavaRosa lacks (`last`, `name`, `id`, `lang` and others). So
//! are unknown functions, wrong numbers of arguments, `count('a')`, and regular expressions, date formats and digests
//! that are written out and wrong. Lengths, depths and steps have limits; nothing panics.
//!
//! *Paths.* An absolute path binds its first steps to the ancestors of the context, as long as the names agree and no
//! predicate stands in between: within a row, `/d/r/v` is this row's `v`, `../../r/v` and `/d/r[true()]/v` are all of
//! them. Nodes that are not relevant are left out of every result, but count for the positions within a predicate.
//! A predicate that is a number asks for that position, which JavaRosa does not offer.
//!
//! *Nodesets are scalars* wherever one is needed: the first node's value, empty text without nodes. `=` does not
//! search, and a predicate `[a]` is as true as the text of `a`.
//!
//! *Values are typed* by the bind of their node: numbers, booleans, days, moments and times of day. `=` compares as
//! booleans if one side is a boolean, else as numbers if one side is a number or a date, else as text; numbers are
//! equal within 1e-12. `<` and its kin compare numbers, two moments as moments. A day or moment as a number is days
//! since 1970-01-01 on the local calendar, as text always `yyyy-mm-dd`. Text is a number only without an exponent, with
//! a comma for the point if one likes; a date in text is none.
//!
//! *Kinder than JavaRosa*: an impossible date is empty rather than an error, moments keep their time of day when
//! compared, times of day compare as such, `max(-3, -1)` is -1, big numbers are written in plain digits, and infinity
//! equals itself.
//!
//! # How it stays quick
//!
//! A predicate `column = key`, alone or among conditions joined by `and`, is answered by [`World::find`] if the key is
//! the same text for all candidates. Otherwise rows are scanned, and whatever in the predicate needs nothing of the
//! candidate is evaluated once.

mod ast;
pub mod date;
mod error;
mod eval;
mod functions;
mod lexer;
mod parser;
mod path;
mod shuffle;
#[cfg(test)]
mod small_world;
mod standing;
mod value;
mod world;

pub use ast::{Axis, Expr, ExprId, NameTest, Node, Operator, Path, PathUse, Start, Step};
pub use error::{EvalError, ParseError};
pub use eval::Context;
pub use functions::Function;
pub use parser::parse;
pub use shuffle::{seed_of, shuffle};
pub use value::{NodeRef, Nodes, Value, format_number, parse_number};
pub use world::{MAX_DEPTH, MAX_STEPS, World};

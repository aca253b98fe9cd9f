//! XPath as ODK forms speak it: parsed once, evaluated against whatever implements [`World`].

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
mod value;
mod world;

pub use ast::{Axis, Expr, ExprId, NameTest, Node, Operator, Path, PathUse, Start, Step};
pub use error::{EvalError, ParseError};
pub use eval::Context;
pub use functions::Function;
pub use parser::parse;
pub use shuffle::{seed_of, shuffle};
pub use value::{NodeRef, Nodes, Value, format_number, parse_number};
pub use world::World;

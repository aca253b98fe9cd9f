//! Records: the nodes of one filled form, the lexical forms of their values, and how a record is written and read.

mod codec;
mod tree;
mod xml;

pub use codec::{Kind, Stored, canonical, store, typed};
pub use tree::{MAX_BYTES, Node, Tree};
pub use xml::{Writer, add_instance, new_record, read_record};

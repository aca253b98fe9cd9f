//! Reading and writing XML: interned names, a document arena over quick-xml, and the canonical writer.

mod document;
mod names;
mod writer;

pub use document::{Attribute, Document, Element, Namespace, Piece};
pub use names::{NameId, Names, is_name};
pub use writer::{escape_attribute, escape_text, is_allowed};

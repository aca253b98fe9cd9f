//! Reading and writing XML: interned names, a document arena over quick-xml, and the canonical writer.

mod names;

pub use names::{NameId, Names};

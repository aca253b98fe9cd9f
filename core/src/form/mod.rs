//! Forms: an XForm read into an immutable definition, with everything that is wrong or unsupported said aloud.
//!
//! [`FormDef::load`] gives the definition and a list of [`Diagnostic`]s. A form with warnings can be filled; only one that
//! cannot be filled at all is an error.

mod appearance;
mod def;
mod diagnostics;
mod graph;
mod instance_id;
mod itext;
mod load;
mod own_rows;
mod structure;

pub use appearance::Fit;
pub use def::{
    Action, ActionValue, Condition, Control, ControlKind, DataType, FormDef, FormEvent, Formula, Item, Itemset, Label,
    List, ListTree, MAX_NODES, NodeDef, Preload, Template,
};
pub use diagnostics::{Diagnostic, DiagnosticKind, Level, diagnostics_page};
pub use graph::{Edge, Facet, Graph, Rule};
pub use itext::Itext;
pub use load::{Files, Reading};
pub(crate) use structure::Reference;
pub use structure::Structure;

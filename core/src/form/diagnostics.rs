use std::fmt;

use crate::ErrorKind;

/// Something in a form that its author should know; the form can be filled all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What it is.
    pub kind: ErrorKind,
    /// Where in the form: a path, a file, a line.
    pub place: String,
    /// More words, if the kind does not say enough.
    pub detail: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.kind.code(), self.place)?;
        if self.detail.is_empty() { write!(f, ": {}", self.kind.sentence()) } else { write!(f, ": {}", self.detail) }
    }
}

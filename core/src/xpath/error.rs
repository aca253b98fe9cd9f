use std::ops::Range;

use thiserror::Error;

use super::functions::Function;
use crate::error::{Error, ErrorKind};

/// Why a text is not an expression this dialect accepts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason} (at {}..{} of the expression)", span.start, span.end)]
pub struct ParseError {
    /// `XpathSyntax`, `UnknownFunction`, `WrongArguments`, `Unsupported` or `TooLarge`.
    pub kind: ErrorKind,
    /// The bytes of the source that are meant.
    pub span: Range<u32>,
    /// What is wrong, in words.
    pub reason: String,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// `instance('id')` names an instance that the form does not declare.
    #[error("there is no instance '{0}'")]
    UnknownInstance(Box<str>),
    /// The evaluation took more steps than any sensible expression needs.
    #[error("the expression takes too many steps")]
    TooMuchWork,
    /// An argument that is only known now has a value the function cannot work with, such as a broken pattern.
    #[error("{}(): {reason}", function.names().first().unwrap_or(&""))]
    Argument {
        /// The function called.
        function: Function,
        /// What is wrong, in words; never the argument itself.
        reason: &'static str,
    },
}

impl EvalError {
    /// The kind of error a person is told.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownInstance(_) => ErrorKind::UnknownInstance,
            Self::TooMuchWork => ErrorKind::TooLarge,
            Self::Argument { .. } => ErrorKind::Unsupported,
        }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::new(error.kind, error.to_string())
    }
}

impl From<EvalError> for Error {
    fn from(error: EvalError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

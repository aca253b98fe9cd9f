use std::fmt;

use crate::{Error, ErrorKind, Result};

/// One change of a session: what happened, not what followed from it. Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// An answer was given, or cleared.
    Answer {
        /// Path of the question, with positions.
        node: String,
        /// Lexical form of the submission; none clears.
        value: Option<String>,
    },
    /// An instance was added.
    Add {
        /// Path of the range, without the last position.
        range: String,
    },
    /// An instance was removed.
    Remove {
        /// Path of the instance.
        node: String,
    },
    /// Another language is shown.
    Language {
        /// Its tag or name.
        name: String,
    },
    /// Another screen is shown.
    Move {
        /// The screen, as [`super::FormSession::screen_path`] writes it.
        screen: String,
    },
    /// A file was put beside the record, and a question answered with its name.
    Attach {
        /// Path of the question; none in rows of earlier versions, where the answer has a row of its own.
        node: Option<String>,
        /// The name it goes by.
        name: String,
    },
    /// The record was opened again.
    Resume,
}

impl Edit {
    /// The word under which a journal row keeps it.
    #[must_use]
    pub fn op(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Language { .. } => "language",
            Self::Move { .. } => "move",
            Self::Attach { .. } => "attach",
            Self::Resume => "resume",
        }
    }

    /// The path that a journal row keeps.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Answer { node, .. } | Self::Remove { node } => Some(node),
            Self::Add { range } => Some(range),
            Self::Move { screen } => Some(screen),
            Self::Attach { node, .. } => node.as_deref(),
            Self::Language { .. } | Self::Resume => None,
        }
    }

    /// The value that a journal row keeps.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Answer { value, .. } => value.as_deref(),
            Self::Language { name } | Self::Attach { name, .. } => Some(name),
            Self::Add { .. } | Self::Remove { .. } | Self::Move { .. } | Self::Resume => None,
        }
    }

    /// The edit of a journal row.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`] for a row that no version of this program writes.
    pub fn from_row(op: &str, node: Option<&str>, value: Option<&str>) -> Result<Self> {
        let node = || node.map(str::to_owned);
        let name = || value.map(str::to_owned);
        let edit = match op {
            "answer" => node().map(|node| Self::Answer { node, value: name() }),
            "add" => node().map(|range| Self::Add { range }),
            "remove" => node().map(|node| Self::Remove { node }),
            "language" => name().map(|name| Self::Language { name }),
            "move" => node().map(|screen| Self::Move { screen }),
            "attach" => name().map(|name| Self::Attach { node: node(), name }),
            "resume" => Some(Self::Resume),
            _ => None,
        };
        edit.ok_or_else(|| Error::new(ErrorKind::UnreadableRecord, format!("a journal row says {op:?}")))
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("op", &self.op()).field("node", &self.node()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let edits = [
            Edit::Answer { node: "/d/r[2]/a".into(), value: Some("x".into()) },
            Edit::Answer { node: "/d/a".into(), value: None },
            Edit::Add { range: "/d/r".into() },
            Edit::Remove { node: "/d/r[1]".into() },
            Edit::Language { name: "ar".into() },
            Edit::Move { screen: "end".into() },
            Edit::Attach { node: Some("/d/photo".into()), name: "a.jpg".into() },
            Edit::Attach { node: None, name: "a.jpg".into() },
            Edit::Resume,
        ];
        for edit in edits {
            assert_eq!(Edit::from_row(edit.op(), edit.node(), edit.value()).unwrap(), edit);
        }
        assert_eq!(Edit::from_row("dance", None, None).unwrap_err().kind(), ErrorKind::UnreadableRecord);
    }
}

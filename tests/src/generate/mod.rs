//! Forms that nobody has thought of, filled at random: what must hold of any form is tried on them.
//!
//! All follows from one number. A [`Form`] is kept as parts, so that one that breaks can be made smaller ([`smallest`]); its
//! `Display` is the notation of the literate cases, and so is a [`Walk`]'s, so that what is found is a case at once.

mod author;
mod blind;
mod expressions;
mod readers;
mod shrink;
mod walk;

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use veldwerk::form::FormDef;

use crate::dice::Dice;
use crate::notation;
use crate::scenario::Files;

pub use blind::Blindness;
pub use shrink::smallest;
pub use walk::{Event, Walk};

/// A table beside every generated form.
const TOWNS: &str = "name,label,province,size\n1,Een,a,2\n2,Twee,a,4\n3,Drie,b,1\nx,Vier,b,9\n";

/// A form as parts.
#[derive(Clone, Debug)]
pub struct Form {
    items: Vec<Item>,
    /// Whether every value follows from the answers alone, not from clock or chance: then a full recalculation gives what
    /// is kept.
    pub is_steady: bool,
}

/// One item of the notation.
#[derive(Clone, Debug, Default)]
struct Item {
    /// What it begins with: `int v`, `group g`, `calc x`, `on EVENT PATH`.
    head: String,
    /// The expression behind `=`.
    value: Option<String>,
    /// What is said of it: each a word, and an expression that may be made simpler or a text that may not.
    said: Vec<(String, Said)>,
    /// What it offers, or all else that stands before its end.
    tail: String,
    /// The expression of `from`.
    from: Option<(String, String)>,
    inside: Option<Vec<Item>>,
}

#[derive(Clone, Debug)]
enum Said {
    Nothing,
    Text(String),
    Expression(String),
}

impl Form {
    /// The form of a number; every other one is steady.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        author::form(&mut Dice::new(seed, 0), seed.is_multiple_of(2))
    }

    /// What lies beside it.
    #[must_use]
    pub fn files() -> Files {
        Files::from([("towns.csv".to_owned(), TOWNS.as_bytes().to_vec())])
    }

    /// The form, compiled.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load(&self) -> veldwerk::Result<Arc<FormDef>> {
        compiled(&self.to_string()).map(Arc::new)
    }

    /// The same with an engine that does not see one thing.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load_blind(&self, blindness: Blindness) -> veldwerk::Result<Arc<FormDef>> {
        let mut form = compiled(&self.to_string())?;
        blindness.befall(&mut form, || compiled(&without_predicates(&self.to_string())))?;
        Ok(Arc::new(form))
    }
}

fn compiled(notation: &str) -> veldwerk::Result<FormDef> {
    FormDef::load(&notation::xform(notation), &Form::files()).map(|(form, _)| form)
}

/// A form without what stands in square brackets.
fn without_predicates(notation: &str) -> String {
    let mut depth = 0_u32;
    let is_outside = |c: &char| {
        depth += u32::from(*c == '[');
        let is_outside = depth == 0;
        depth -= u32::from(*c == ']');
        is_outside
    };
    notation.chars().filter(is_outside).collect()
}

impl Display for Form {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| item.write(f, 0))
    }
}

impl Item {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:1$}{2}", "", depth * 2, self.head)?;
        if let Some(value) = &self.value {
            write!(f, " = \"{value}\"")?;
        }
        for (word, said) in &self.said {
            match said {
                Said::Nothing => write!(f, " {word}")?,
                Said::Text(text) | Said::Expression(text) => write!(f, " {word} \"{}\"", text.replace('"', "\\\""))?,
            }
        }
        if let Some((nodeset, rest)) = &self.from {
            write!(f, " from \"{nodeset}\" {rest}")?;
        }
        match &self.inside {
            Some(items) => {
                writeln!(f, " {{")?;
                items.iter().try_for_each(|item| item.write(f, depth + 1))?;
                writeln!(f, "{:1$}}}", "", depth * 2)
            }
            None if self.tail.is_empty() => writeln!(f, ";"),
            None => writeln!(f, " {}", self.tail),
        }
    }
}

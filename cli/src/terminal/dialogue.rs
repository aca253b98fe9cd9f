//! Pages and lines in turn.

use std::io::{BufRead, Write};

use veldwerk::{Error, ErrorKind, Result};

use super::{Paragraph, Terminal};

/// A terminal, or a pipe, on which pages are shown and lines are read in turn.
#[derive(Debug)]
pub(crate) struct Dialogue<Input, Output> {
    pub(crate) terminal: Terminal,
    /// Whether the terminal shows what is typed, line ends among it.
    pub(crate) echoes: bool,
    pub(crate) input: Input,
    pub(crate) output: Output,
}

impl<Input: BufRead, Output: Write> Dialogue<Input, Output> {
    pub(crate) fn show(&mut self, page: &[Paragraph]) -> Result<()> {
        // A terminal shows one screen at a time; a pipe one after the other.
        let clear = if self.terminal.styled { "\u{1b}[H\u{1b}[2J" } else { "\n" };
        let drawing = self.terminal.draw(page);
        write!(self.output, "{clear}{drawing}").map_err(unwritable)
    }

    /// The next line; none at the end of the input.
    pub(crate) fn read(&mut self) -> Result<Option<String>> {
        write!(self.output, "> ").and_then(|()| self.output.flush()).map_err(unwritable)?;
        let mut line = String::new();
        let n_bytes = self.input.read_line(&mut line);
        let n_bytes = n_bytes.map_err(|error| Error::new(ErrorKind::Io, "standard input").caused_by(error))?;
        if !self.echoes {
            writeln!(self.output).map_err(unwritable)?;
        }
        Ok((n_bytes > 0).then_some(line))
    }
}

fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the terminal").caused_by(error)
}

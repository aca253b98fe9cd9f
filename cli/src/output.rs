//! Everything this program says passes here: as text that steers no terminal, and without a panic when nobody listens.
//!
//! What cannot be said does not stop what is being done; [`all_was_said`] tells in the end.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

use serde_json::Value;
use veldwerk::{Error, ErrorKind, Result};

use crate::terminal::{plain_json, plain_lines};

/// Why standard output could not be written, the first time.
static FAILED: OnceLock<io::ErrorKind> = OnceLock::new();

/// A line, or several, on standard output.
macro_rules! say {
    ($($words:tt)*) => { $crate::output::say_words(format_args!($($words)*)) };
}

/// A line, or several, on standard error.
macro_rules! tell {
    ($($words:tt)*) => { $crate::output::tell_words(format_args!($($words)*)) };
}

pub(crate) use {say, tell};

pub(crate) fn say_words(words: fmt::Arguments<'_>) {
    write(&format!("{}\n", plain_lines(&words.to_string())));
}

pub(crate) fn tell_words(words: fmt::Arguments<'_>) {
    // There is no other place to say that standard error cannot be written.
    let _ = io::stderr().lock().write_all(format!("{}\n", plain_lines(&words.to_string())).as_bytes());
}

/// The one JSON object of a command, or one of several, on a line.
pub(crate) fn say_json(value: &Value) {
    write(&format!("{}\n", plain_json(&value.to_string())));
}

/// A line of ours in bold, where the terminal has it.
pub(crate) fn say_bold(words: &str, styled: bool) {
    let words = plain_lines(words);
    write(&if styled { format!("\u{1b}[1m{words}\u{1b}[0m\n") } else { format!("{words}\n") });
}

/// A question on standard error, whose answer is typed behind it.
pub(crate) fn ask(words: &str) {
    let mut standard_error = io::stderr().lock();
    let _ = standard_error.write_all(plain_lines(words).as_bytes()).and_then(|()| standard_error.flush());
}

fn write(text: &str) {
    if FAILED.get().is_some() {
        return;
    }
    let mut standard_output = io::stdout().lock();
    if let Err(error) = standard_output.write_all(text.as_bytes()).and_then(|()| standard_output.flush()) {
        let _ = FAILED.set(error.kind());
    }
}

/// Whether everything was said.
///
/// # Errors
/// `Io` if standard output could not be written; `Ok(false)` if whoever read it went away, which needs no words.
pub(crate) fn all_was_said() -> Result<bool> {
    match FAILED.get() {
        None => Ok(true),
        Some(io::ErrorKind::BrokenPipe) => Ok(false),
        Some(_) => Err(Error::new(ErrorKind::Io, "standard output")),
    }
}

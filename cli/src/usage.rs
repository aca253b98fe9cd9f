//! What is wrong with a command line, without a word of it: what stands in a wrong place may be an address with its token, a
//! settings code, a password or an answer.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::{all_was_said, say, tell};

/// What stands for a word that was typed.
const TYPED: &str = "…";

/// Shows help, or what is wrong; the status is that of a wrong usage then.
pub(crate) fn show(error: clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    let text = without_typed_words(error).render().to_string();
    if is_help {
        say!("{}", text.trim_end());
        return if matches!(all_was_said(), Ok(true)) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    tell!("{}", text.trim_end());
    ExitCode::from(2)
}

/// The same error, with `…` for each word of the command line. Names of options, lists of what is possible and examples are
/// ours; they stay.
fn without_typed_words(mut error: clap::Error) -> clap::Error {
    let typed = || ContextValue::String(TYPED.to_owned());
    let mut hide = vec![ContextKind::InvalidSubcommand, ContextKind::InvalidValue];
    if error.kind() == ErrorKind::UnknownArgument {
        hide.push(ContextKind::InvalidArg);
        // Among them is how to pass the word as a value, which repeats it.
        error.remove(ContextKind::Suggested);
    }
    for kind in hide {
        if error.get(kind).is_some() {
            error.insert(kind, typed());
        }
    }
    error
}

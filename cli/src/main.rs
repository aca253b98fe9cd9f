//! The `veldwerk` command line: a terminal shell over the core.
#![warn(clippy::print_stdout, clippy::print_stderr)] // what is said goes through `output`
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

mod answer;
mod app;
mod check;
mod context;
mod demo;
mod drive;
mod exits;
mod fill;
mod home;
mod key_file;
mod output;
mod projects;
mod records;
mod serve;
mod stop;
mod terminal;
mod transfer;
mod usage;

use std::panic::Location;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use veldwerk::{Error, ErrorKind, Result};

use context::{Context, Global};
use output::tell;

/// Fill ODK questionnaires without a network, keep them encrypted, send them exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "veldwerk",
    version,
    after_help = "The road of a record:
  veldwerk project add -                                 the address or the code comes from standard input
  veldwerk refresh
  veldwerk fill household_survey
  veldwerk send --until-empty 600
  veldwerk export /media/stick                           where no network comes

`veldwerk help COMMAND` says more; `veldwerk demo` shows it all on this computer."
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The servers this home works with
    #[command(subcommand)]
    Project(projects::ProjectCommand),
    /// Download forms, media and lists
    Refresh,
    /// List the forms
    Forms,
    /// List the drafts
    Drafts,
    /// List the finalised records
    Outbox,
    App(app::AppArgs),
    Fill(fill::FillArgs),
    Check(check::CheckArgs),
    Answer(answer::AnswerArgs),
    Send(records::SendArgs),
    Retry(exits::RetryArgs),
    Discard(exits::DiscardArgs),
    Forget(exits::ForgetArgs),
    /// A file of an unsent record that cannot be sent as it is
    #[command(subcommand)]
    File(exits::FileCommand),
    /// Whether this home is sound, and what was put aside of it
    #[command(subcommand)]
    Home(home::HomeCommand),
    Export(transfer::ExportArgs),
    Import(transfer::ImportArgs),
    Drive(drive::DriveArgs),
    Batch(drive::BatchArgs),
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| tell!("veldwerk: {}", words_of_panic(panic.location()))));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::show(error),
    };
    let done = run(&arguments).and_then(|done| Ok(output::all_was_said()? && done));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell!("veldwerk: {}", terminal::plain(&error.to_string()));
            ExitCode::from(if error.kind() == ErrorKind::Usage { 2 } else { 1 })
        }
    }
}

/// What is said of a panic: where, and not what, for a message may quote an answer.
fn words_of_panic(location: Option<&Location<'_>>) -> String {
    let place = location.map(|place| {
        let file = Path::new(place.file()).file_name().unwrap_or_default().to_string_lossy();
        format!("{file}, line {}", place.line())
    });
    Error::new(ErrorKind::Internal, place.unwrap_or_default()).to_string()
}

/// Does what is asked; false if something is not as it must be: what the demo shows, a form that is checked.
fn run(arguments: &Arguments) -> Result<bool> {
    let open = || Context::open(&arguments.global);
    let done = match &arguments.command {
        Command::Demo(args) => return demo::run(args),
        Command::Check(args) => return check::run(args, arguments.global.json),
        Command::Project(command) => projects::run(&open()?, command),
        Command::Refresh => projects::refresh(&open()?),
        Command::Forms => records::forms(&open()?),
        Command::Drafts => records::drafts(&open()?),
        Command::Outbox => records::outbox(&open()?),
        Command::App(args) => app::run(&arguments.global, args),
        Command::Fill(args) => fill::run(&open()?, args),
        Command::Answer(args) => answer::run(&open()?, args),
        Command::Send(args) => records::send(&open()?, args),
        Command::Retry(args) => exits::retry(&open()?, args),
        Command::Discard(args) => exits::discard(&open()?, args),
        Command::Forget(args) => exits::forget(&open()?, args),
        Command::File(command) => exits::file(&open()?, command),
        Command::Home(command) => home::run(&open()?, command),
        Command::Export(args) => transfer::export(&open()?, args),
        Command::Import(args) => transfer::import(&open()?, args),
        Command::Drive(args) => drive::drive(args, &mut std::io::stdout().lock()),
        Command::Batch(args) => drive::batch(args),
        Command::Serve(args) => serve::run(&arguments.global, args),
    };
    done.map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_where_and_not_what() {
        let words = words_of_panic(Some(Location::caller()));
        assert!(words.contains("main.rs, line ") && words.contains("[internal]"), "{words}");
        assert!(!words.contains("cli/src"), "{words}");
    }
}

//! The `veldwerk` command line: a terminal shell over the core.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

mod answer;
mod context;
mod demo;
mod drive;
mod exits;
mod fill;
mod key_file;
mod projects;
mod records;
mod serve;
mod stop;
mod terminal;
mod transfer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use veldwerk::{ErrorKind, Result};

use context::{Context, Global};

/// Fill ODK questionnaires without a network, keep them encrypted, send them exactly once.
#[derive(Debug, Parser)]
#[command(name = "veldwerk", version)]
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
    Fill(fill::FillArgs),
    Answer(answer::AnswerArgs),
    Send(records::SendArgs),
    Retry(exits::RetryArgs),
    Discard(exits::DiscardArgs),
    Forget(exits::ForgetArgs),
    Export(transfer::ExportArgs),
    Import(transfer::ImportArgs),
    Drive(drive::DriveArgs),
    Batch(drive::BatchArgs),
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("veldwerk: {error}");
            ExitCode::from(if error.kind() == ErrorKind::Usage { 2 } else { 1 })
        }
    }
}

/// Shows help, or what is wrong with the command; an address or a settings code in the wrong place is not repeated, for it
/// may hold a token.
fn usage(error: &clap::Error) -> ExitCode {
    const LONGEST_PLAIN_WORD: usize = 40;
    let text = error.render().to_string();
    if !error.use_stderr() {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    let typed: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let values = typed.iter().filter_map(|word| word.split_once('=')).map(|(_, value)| value);
    let words = typed.iter().map(String::as_str).chain(values);
    let secret = words.filter(|word| word.contains("://") || word.len() > LONGEST_PLAIN_WORD);
    eprint!("{}", secret.fold(text, |text, word| text.replace(word, "…")));
    ExitCode::from(2)
}

/// Does what is asked; false if the demo found that something is not as it must be.
fn run(arguments: &Arguments) -> Result<bool> {
    let open = || Context::open(&arguments.global);
    let done = match &arguments.command {
        Command::Demo(args) => return demo::run(args),
        Command::Project(command) => projects::run(&open()?, command),
        Command::Refresh => projects::refresh(&open()?),
        Command::Forms => records::forms(&open()?),
        Command::Drafts => records::drafts(&open()?),
        Command::Outbox => records::outbox(&open()?),
        Command::Fill(args) => fill::run(&open()?, args),
        Command::Answer(args) => answer::run(&open()?, args),
        Command::Send(args) => records::send(&open()?, args),
        Command::Retry(args) => exits::retry(&open()?, args),
        Command::Discard(args) => exits::discard(&open()?, args),
        Command::Forget(args) => exits::forget(&open()?, args),
        Command::Export(args) => transfer::export(&open()?, args),
        Command::Import(args) => transfer::import(&open()?, args),
        Command::Drive(args) => drive::drive(args, &mut std::io::stdout().lock()),
        Command::Batch(args) => drive::batch(args),
        Command::Serve(args) => serve::run(&arguments.global, args),
    };
    done.map(|()| true)
}

//! The `veldwerk` command line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

mod drive;
#[expect(dead_code, reason = "the commands that draw come next")]
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Fill ODK questionnaires, keep them encrypted, send them exactly once.
#[derive(Debug, Parser)]
#[command(name = "veldwerk", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Drive(drive::DriveArgs),
    Batch(drive::BatchArgs),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Drive(args) => drive::drive(&args, &mut std::io::stdout().lock()),
        Command::Batch(args) => drive::batch(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("veldwerk: {error}");
            ExitCode::from(if error.kind() == veldwerk::ErrorKind::Usage { 2 } else { 1 })
        }
    }
}

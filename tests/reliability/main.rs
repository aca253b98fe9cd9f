//! The harnesses: what no single test can say, said with figures. Run by `cargo xtask crash|power|faults|soak`.
//!
//! Each prints a table and ends with 1 if a single thing was lost; everything that chance decides follows from `--seed`.
//! What is modelled and what is not stands in `docs/reliability.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot run says so by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a harness measures time and is told its orders")]

mod audit;
mod crash;
mod deed;
mod exports;
mod faults;
mod forms;
mod ledger;
mod power;
mod report;
mod soak;
mod stage;
mod worker;

use std::process::ExitCode;

use report::Report;

/// What a person may say to a harness.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How many: kills, cuts, records.
    pub(crate) count: u64,
    /// What chance follows from.
    pub(crate) seed: u64,
    /// When to stop whatever the count, in seconds.
    pub(crate) seconds: u64,
    /// This home or trace alone, to see a loss again.
    pub(crate) only: Option<u64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else { return usage() };
    if command == "worker" {
        let orders = rest.first().and_then(|orders| serde_json::from_str(orders).ok());
        worker::work(&orders.expect("orders"));
        return ExitCode::SUCCESS;
    }
    if command == "serve" {
        soak::serve();
        return ExitCode::SUCCESS;
    }
    let Some(options) = read(rest) else { return usage() };
    let report: Report = match command.as_str() {
        "crash" => crash::run(&options),
        "power" => power::run(&options),
        "faults" => faults::run(&options),
        "soak" => soak::run(&Options { seconds: options.count * 60, ..options }),
        _ => return usage(),
    };
    print!("{report}");
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("reliability crash|power|faults|soak [--count N] [--seed N] [--seconds N] [--only N]");
    ExitCode::FAILURE
}

fn read(arguments: &[String]) -> Option<Options> {
    let mut options = Options { count: 300, seed: 1, seconds: 600, only: None };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return None };
        let value = value.parse().ok()?;
        match name.as_str() {
            "--count" => options.count = value,
            "--seed" => options.seed = value,
            "--seconds" => options.seconds = value,
            "--only" => options.only = Some(value),
            _ => return None,
        }
    }
    Some(options)
}

//! `cargo xtask ci`: everything that must hold before a change lands, each step timed.

use std::time::Instant;

use crate::counts::Counts;
use crate::table::Table;
use crate::tools::{self, Permission};
use crate::workspace::{PACKAGES, cargo, program};
use crate::{Result, demo, reliability, run, setup, suites};

/// The steps in their order.
const STEPS: [(&str, Step); 11] = [
    ("set-up", set_up),
    ("fmt", |_| check(&["fmt", "--check"])),
    ("clippy", clippy),
    ("engine", engine),
    ("test", |permission| suites::run_and_show(&[], permission)),
    ("crash", |_| Ok(Counts::of_check(reliability::check("crash")?))),
    ("power", |_| Ok(Counts::of_check(reliability::check("power")?))),
    ("faults", |_| Ok(Counts::of_check(reliability::check("faults")?))),
    ("doc", doc),
    ("deny", deny),
    ("demo", |_| Ok(Counts::of_check(run::succeeds(demo::build()?.arg("--auto"))?))),
];

type Step = fn(&Permission) -> Result<Counts>;

/// Runs the steps called `only`, or all of them, whatever the ones before came to; `false` if one failed.
pub(crate) fn run(only: &[&str], permission: &Permission) -> Result<bool> {
    if let Some(unknown) = only.iter().find(|wanted| !STEPS.iter().any(|(name, _)| name == *wanted)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("There is no step `{unknown}`. There are: {}.", names.join(", ")));
    }
    let mut table = Table::new("step");
    for (name, step) in STEPS.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
        run::heading(name);
        let started = Instant::now();
        match step(permission) {
            Ok(counts) => table.ran(*name, counts, started.elapsed()),
            Err(why) => {
                println!("{why}");
                table.not_run(*name, "see above", Counts::ONE_FAILED);
            }
        }
    }
    let sum = table.sum();
    println!("\n{table}{sum}");
    Ok(sum.failed == 0)
}

/// Whatever a later step would have to fetch or install, so that each step's time is its own.
fn set_up(_: &Permission) -> Result<Counts> {
    setup::check(suites::GIBIBYTES)?;
    tools::CARGO_DENY.obtain()?;
    check(&["fetch", "--locked"])
}

/// The engine builds and passes its tests where SQLite, the network and tokio do not exist; and so does a client whose calls
/// are all local, where only the network and tokio do not.
fn engine(_: &Permission) -> Result<Counts> {
    let alone = ["test", "--locked", "--package", "veldwerk", "--no-default-features", "--lib"];
    let mut counts = tests(&alone)?;
    counts += tests(&[&alone[..], &["--features", "store"]].concat())?;
    Ok(counts)
}

/// In two calls: `--all-targets` leaves out those with `test = false`.
fn clippy(_: &Permission) -> Result<Counts> {
    let lints = |targets: &[&str]| {
        let mut command = cargo(["clippy", "--locked"]);
        run::succeeds(command.args(PACKAGES).args(targets).args(["--", "-D", "warnings"]))
    };
    Ok(Counts::of_check(lints(&["--all-targets"])? && lints(&["--test", "*"])?))
}

fn doc(_: &Permission) -> Result<Counts> {
    let mut command = cargo(["doc", "--locked", "--no-deps", "--lib"]);
    Ok(Counts::of_check(run::succeeds(command.args(PACKAGES).env("RUSTDOCFLAGS", "-D warnings"))?))
}

fn deny(_: &Permission) -> Result<Counts> {
    let mut command = program(tools::CARGO_DENY.obtain()?);
    Ok(Counts::of_check(run::succeeds(command.args(["--locked", "check", "licenses", "bans", "sources"]))?))
}

fn check(arguments: &[&str]) -> Result<Counts> {
    Ok(Counts::of_check(run::succeeds(&mut cargo(arguments))?))
}

fn tests(arguments: &[&str]) -> Result<Counts> {
    let (success, output) = run::watched(&mut cargo(arguments))?;
    Ok(Counts::of_cargo(&output).with_status(success))
}

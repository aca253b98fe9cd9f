//! The project's own build tool: `cargo demo` and `cargo xtask …` (aliases in `.cargo/config.toml`).
//!
//! It has no dependencies, so it builds in seconds, and it installs nothing outside this folder unless asked: what needs
//! no administrator goes to `.tools/`.

#![expect(
    clippy::disallowed_methods,
    reason = "a build tool measures time and reads its environment; the core is what must not"
)]

mod bench;
mod ci;
mod counts;
mod demo;
mod desktop;
mod forms;
mod fuzz;
mod machine;
mod peers;
mod reliability;
mod run;
mod setup;
mod suites;
mod table;
mod tools;
mod workspace;

use std::process::ExitCode;

use tools::Permission;

const HELP: &str = "\
Veldwerk's build tool. It sets up what it needs and says what it does.

  cargo demo [--auto]               build the command line and watch the whole road: forms to a phone's store, answers
                                    in five languages without a network, every record at the server exactly once
  cargo xtask desktop [--yes]       the app of phones in a window, with a try-out server behind it
  cargo xtask test                  all test suites, one table at the end
      --only SUITE                  this suite alone; may be given more than once
      --all                         a suite that cannot run for want of a tool is a failure
      --yes                         install missing tools with this system's package manager without asking
  cargo xtask ci                    everything that must hold before a change lands, step by step, timed
      --only STEP                   this step alone; may be given more than once
      --yes                         as above
  cargo xtask bench [ARGUMENTS]     the speed table, in release
  cargo xtask crash                 processes killed at random moments; fails if one answer, file or record is lost
      --runs N                      how many kills (default 500)
      --seed N                      another course of chance, the same for one number
      --seconds N                   stop then, whatever the count (default 600)
      --only N                      one home alone, as the table names it
      --release                     of a release build
  cargo xtask power                 states that a power cut may leave, rebuilt from a real run's writes and syncs (Linux)
      --runs N                      how many cuts (default 1000); the rest as above
  cargo xtask faults                records over a network that cuts, stalls, loses and lies, to a strict server
      --records N                   how many (default 1000); the rest as above
  cargo xtask soak                  twenty phones in one process; memory, files and threads must stay flat (Linux)
      --minutes N                   for how long (default 1)
  cargo xtask peers                 JavaRosa beside Veldwerk on random walks over forms, compared after every event
      --forms DIR                   these forms too; may be given more than once
      --seeds N                     so many walks over each form (default 2)
      --seed N                      the first walk's number (default 1)
      --form NAME                   the form of this file's name alone, and every event said
      --yes                         as above
  cargo xtask fuzz TARGET           feed mutated input to what reads strangers' words
      --seconds N                   for how long (default 60)
  cargo xtask help                  this text

Environment: CI=true installs missing tools if run as root and treats a suite that cannot run as a failure.
";

/// Why a command could not be done, as sentences for a person: what, and what to do.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("\n{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran and something in it failed.
fn dispatch(arguments: &[String]) -> Result<bool> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(true);
    };
    match command.as_str() {
        "demo" => demo::run(rest),
        "desktop" => desktop::run(&Options::read(rest, &[], &["--yes"])?.permission()),
        "test" => {
            let options = Options::read(rest, &["--only"], &["--all", "--yes"])?;
            suites::run(&options.values("--only"), &options.permission())
        }
        "ci" => {
            let options = Options::read(rest, &["--only"], &["--yes"])?;
            ci::run(&options.values("--only"), &options.permission())
        }
        "bench" => bench::run(rest),
        "peers" => peers::run(rest),
        harness if reliability::is_harness(harness) => reliability::run(harness, rest),
        "fuzz" => {
            let Some((target, rest)) = rest.split_first() else {
                return Err(format!("Which target? One of: {}.", fuzz::target_names()));
            };
            let options = Options::read(rest, &["--seconds"], &[])?;
            fuzz::run(target, options.values("--seconds").first().copied())
        }
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(format!("There is no command `{other}`. `cargo xtask help` lists them.")),
    }
}

/// Options of a command: pairs of a name and a value (empty for a flag).
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    /// Reads `arguments`, in which each of `valued` takes the next argument and each of `flags` stands alone.
    fn read(arguments: &'a [String], valued: &[&str], flags: &[&str]) -> Result<Self> {
        let mut options = Vec::new();
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(name) = rest.next() {
            if valued.contains(&name) {
                let value = rest.next().ok_or_else(|| format!("`{name}` wants a value after it."))?;
                options.push((name, value));
            } else if flags.contains(&name) {
                options.push((name, ""));
            } else {
                return Err(format!("This command does not know `{name}`. `cargo xtask help` lists what there is."));
            }
        }
        Ok(Self(options))
    }

    fn values(&self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| *key == name)
    }

    fn permission(&self) -> Permission {
        Permission { install: self.has("--yes"), all: self.has("--all"), ci: machine::is_ci() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_in_any_order_and_may_repeat() {
        let words = words("--only engine --yes --only sync");
        let options = Options::read(&words, &["--only"], &["--yes"]).unwrap();
        assert_eq!(options.values("--only"), ["engine", "sync"]);
        assert!(options.has("--yes") && !options.has("--all"));
    }

    #[test]
    fn an_unknown_or_half_option_is_refused() {
        assert!(Options::read(&words("--onyl engine"), &["--only"], &[]).is_err());
        assert!(Options::read(&words("--only"), &["--only"], &[]).is_err());
        assert!(dispatch(&words("tset")).is_err());
    }
}

//! `cargo xtask crash`, `power` and their kind: the harnesses of `tests/reliability`, built and run.

use crate::workspace::{PACKAGES, cargo, program, target};
use crate::{Options, Result, run, setup};

/// Free disk that the build and the homes need.
const GIBIBYTES: u64 = 4;

/// A harness, by its command.
struct Harness {
    command: &'static str,
    /// What `--runs`, `--records` or `--minutes` counts, as the option is called here.
    count: &'static str,
    /// How many when nothing is said; as many as fit into a coffee.
    default: u64,
    /// How many in `cargo xtask ci`.
    in_ci: u64,
}

const HARNESSES: [Harness; 4] = [
    Harness { command: "crash", count: "--runs", default: 500, in_ci: 200 },
    Harness { command: "power", count: "--runs", default: 1000, in_ci: 300 },
    Harness { command: "faults", count: "--records", default: 1000, in_ci: 300 },
    // A minute tells a leak of every sending or opening; it is left to nights, and out of `ci`.
    Harness { command: "soak", count: "--minutes", default: 1, in_ci: 0 },
];

/// Whether there is such a harness.
pub(crate) fn is_harness(command: &str) -> bool {
    HARNESSES.iter().any(|harness| harness.command == command)
}

/// Runs one with `arguments`; `false` if a single thing was lost.
pub(crate) fn run(command: &str, arguments: &[String]) -> Result<bool> {
    let harness = find(command)?;
    let options = Options::read(arguments, &[harness.count, "--seed", "--seconds", "--only"], &["--release"])?;
    let mut words = vec![command.to_owned()];
    for name in [harness.count, "--seed", "--seconds", "--only"] {
        let value = options.values(name).last().map(|value| number(name, value)).transpose()?;
        let value = value.or((name == harness.count).then_some(harness.default));
        if let Some(value) = value {
            let name = if name == harness.count { "--count" } else { name };
            words.extend([name.to_owned(), value.to_string()]);
        }
    }
    start(&words, options.has("--release"))
}

/// Runs as many as a change has to stand before it lands.
pub(crate) fn check(command: &str) -> Result<bool> {
    let words = [command, "--count", &find(command)?.in_ci.to_string()].map(str::to_owned);
    start(&words, false)
}

fn find(command: &str) -> Result<&'static Harness> {
    HARNESSES.iter().find(|harness| harness.command == command).ok_or_else(|| format!("There is no `{command}`."))
}

fn number(name: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| format!("`{value}` after `{name}` is not a number."))
}

fn start(words: &[String], release: bool) -> Result<bool> {
    setup::check(GIBIBYTES)?;
    let mut build = cargo(["build", "--locked"]);
    // The command line too: its key file is part of what is tried.
    build.args(PACKAGES).args(["--bin", "reliability", "--bin", "veldwerk"]);
    if release {
        build.arg("--release");
    }
    if !run::succeeds(&mut build)? {
        return Err("The build failed; the compiler's words above say why.".to_owned());
    }
    let profile = if release { "release" } else { "debug" };
    let harness = target().join(profile).join(format!("reliability{}", std::env::consts::EXE_SUFFIX));
    run::succeeds(program(harness).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_must_be_a_number_and_options_are_known() {
        assert!(run("crash", &["--runs".to_owned(), "many".to_owned()]).is_err_and(|why| why.contains("`many`")));
        assert!(run("crash", &["--records".to_owned(), "7".to_owned()]).is_err());
        assert!(is_harness("crash") && !is_harness("demo"));
    }
}

//! `cargo xtask test`: set-up, every suite, one table.
//!
//! Everything is built by one call of Cargo for all suites.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::counts::Counts;
use crate::table::Table;
use crate::tools::{self, Permission, Tool};
use crate::workspace::{PACKAGES, cargo, files_in, program, root, target};
use crate::{Result, desktop, forms, peers, run, setup};

/// Free disk that a build of everything needs.
pub(crate) const GIBIBYTES: u64 = 8;

/// A set of tests that has a row of its own.
struct Suite {
    name: String,
    needs: &'static [Tool],
    tests: Tests,
}

enum Tests {
    /// Unit tests of all packages, and the examples in their documentation.
    Unit,
    /// One target of integration tests.
    Target,
    /// Our questionnaires are what their scripts make.
    Forms,
    /// The Kotlin bindings on the JVM.
    Kotlin,
    /// The screens of the apps on Compose for desktops.
    Desktop,
    /// JavaRosa beside us on our own forms.
    Peers,
}

/// Runs the suites called `only`, or all; `false` if one failed.
pub(crate) fn run(only: &[&str], permission: &Permission) -> Result<bool> {
    setup::check(GIBIBYTES)?;
    let counts = run_and_show(only, permission)?;
    println!("{counts}");
    Ok(counts.failed == 0)
}

/// Runs them and prints the table, not its closing line.
pub(crate) fn run_and_show(only: &[&str], permission: &Permission) -> Result<Counts> {
    let suites = chosen(all(&root()), only)?;
    if suites.iter().any(|suite| matches!(suite.tests, Tests::Unit | Tests::Target | Tests::Peers)) {
        build()?;
    }
    let mut table = Table::new("suite");
    for suite in suites {
        run::heading(&suite.name);
        let ready = tools::obtain(suite.needs, permission);
        let started = Instant::now();
        match ready.and_then(|()| suite.tests.run(&suite.name)) {
            Ok(counts) => table.ran(suite.name, counts, started.elapsed()),
            Err(why) if permission.everything_must_run() => table.not_run(suite.name, &why, Counts::ONE_FAILED),
            Err(why) => table.not_run(suite.name, &why, Counts::ONE_SKIPPED),
        }
    }
    println!("\n{table}");
    Ok(table.sum())
}

/// Builds all tests, and the programs that some of them start; a test that does not compile fails its own suite.
fn build() -> Result {
    run::heading("build");
    let started = Instant::now();
    let mut build = cargo(["build", "--locked", "--keep-going", "--lib", "--bins", "--tests"]);
    let built = run::succeeds(build.args(PACKAGES))?;
    println!("{} in {:.0} s", if built { "built" } else { "not all built" }, started.elapsed().as_secs_f64());
    Ok(())
}

/// Every suite of the workspace in `root`; a target of integration tests becomes one by being there.
fn all(root: &Path) -> Vec<Suite> {
    let suite = |name: &str, needs, tests| Suite { name: name.to_owned(), needs, tests };
    let mut suites = vec![suite("unit", &[], Tests::Unit)];
    for name in test_targets(root) {
        let needs: &[Tool] = if name == "page" { &[Tool::Chromium] } else { &[] };
        suites.push(suite(&name, needs, Tests::Target));
    }
    if forms::scripts(root).exists() {
        suites.push(suite("xlsform", &[Tool::Python], Tests::Forms));
    }
    if root.join("bindings/kotlin/pom.xml").exists() {
        suites.push(suite("kotlin", &[Tool::Jdk, Tool::Maven], Tests::Kotlin));
    }
    if root.join("android-demo/ci/pom.xml").exists() {
        suites.push(suite("desktop", desktop::NEEDS, Tests::Desktop));
    }
    if root.join("tests/peers/javarosa/pom.xml").exists() {
        suites.push(suite("peers", peers::NEEDS, Tests::Peers));
    }
    suites
}

/// Run only when named: not yet tried on a bare machine, and it compiles the Kotlin library a second time.
const BY_NAME: [&str; 1] = ["desktop"];

/// The suites called `only`, or all but those that want to be named.
fn chosen(suites: Vec<Suite>, only: &[&str]) -> Result<Vec<Suite>> {
    let names: Vec<String> = suites.iter().map(|suite| suite.name.clone()).collect();
    if let Some(unknown) = only.iter().find(|wanted| !names.iter().any(|name| name == *wanted)) {
        return Err(format!("There is no suite `{unknown}`. There are: {}.", names.join(", ")));
    }
    let wanted = |name: &str| if only.is_empty() { !BY_NAME.contains(&name) } else { only.contains(&name) };
    Ok(suites.into_iter().filter(|suite| wanted(&suite.name)).collect())
}

impl Tests {
    fn run(&self, name: &str) -> Result<Counts> {
        match self {
            Self::Unit => cargo_test(&[&["--lib", "--bins"], &["--doc"]]),
            Self::Target => cargo_test(&[&["--test", name]]),
            Self::Forms => forms::check(),
            Self::Kotlin => kotlin(),
            Self::Desktop => desktop::check(),
            Self::Peers => peers::check(),
        }
    }
}

/// Maven builds the library, generates the sources from it, and tests them.
fn kotlin() -> Result<Counts> {
    let library = format!("{}veldwerk_ffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut maven = program("mvn");
    maven.args(["-B", "-ntp", "-f", "bindings/kotlin/pom.xml", "test"]);
    maven.arg(format!("-Dtarget.dir={}", target().display())).arg(format!("-Dlibrary={library}"));
    let (success, output) = run::watched(&mut maven)?;
    Ok(Counts::of_maven(&output).with_status(success))
}

/// Runs `cargo test` once per selection of targets.
fn cargo_test(selections: &[&[&str]]) -> Result<Counts> {
    let (mut all_good, mut counts) = (true, Counts::default());
    for selection in selections {
        let mut command = cargo(["test", "--locked", "--no-fail-fast"]);
        command.args(PACKAGES).args(*selection);
        if let Some(chromium) = tools::chromium() {
            command.env("VELDWERK_CHROMIUM", chromium);
        }
        let (success, output) = run::watched(&mut command)?;
        all_good &= success;
        counts += Counts::of_cargo(&output);
    }
    Ok(counts.with_status(all_good))
}

/// Names of all targets of integration tests: files in a package's `tests` folder, and those that `tests/Cargo.toml`
/// lists.
fn test_targets(root: &Path) -> BTreeSet<String> {
    let listed = fs::read_to_string(root.join("tests/Cargo.toml")).unwrap_or_default();
    let files = ["core", "core/sqlite", "cli", "server", "xtask"]
        .into_iter()
        .flat_map(|package| files_in(&root.join(package).join("tests"), "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    names_of_tests(&listed).chain(files).collect()
}

/// The `name` of each `[[test]]` in a manifest.
fn names_of_tests(manifest: &str) -> impl Iterator<Item = String> + '_ {
    manifest.split("\n[").filter_map(|table| table.strip_prefix("[test]]")).filter_map(|table| {
        let line = table.lines().find(|line| line.starts_with("name"))?;
        line.split('"').nth(1).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_are_found_in_the_manifest() {
        let manifest = "[package]\nname = \"veldwerk-tests\"\n\n[[test]]\nname = \"engine\"\npath = \"engine.rs\"\n\n\
            [[bin]]\nname = \"bench\"\n\n[[test]]\npath = \"sync.rs\"\nname = \"sync\"\n";
        assert_eq!(names_of_tests(manifest).collect::<Vec<_>>(), ["engine", "sync"]);
    }

    #[test]
    fn an_unknown_suite_is_refused_and_a_known_one_chosen() {
        assert!(chosen(all(&root()), &["unti"]).is_err());
        assert_eq!(chosen(all(&root()), &["unit"]).unwrap().len(), 1);
        assert!(!chosen(all(&root()), &[]).unwrap().is_empty());
    }
}

//! `cargo xtask peers`: JavaRosa beside Veldwerk on random walks; and the suite of that name, which walks over our own forms.

use std::path::PathBuf;

use crate::counts::Counts;
use crate::tools::{self, Permission, Tool};
use crate::workspace::{PACKAGES, cargo, program, target};
use crate::{Options, Result, run, setup};

/// What JavaRosa needs.
pub(crate) const NEEDS: &[Tool] = &[Tool::Jdk, Tool::Maven];

/// Free disk that the build and the outputs need.
const GIBIBYTES: u64 = 4;

/// Walks per form when nothing is said.
const SEEDS: &str = "2";

/// Walks over our own forms, those of `--forms` and those of the folder that `VELDWERK_FORMS_DIR` names; `false` if a
/// difference is in no row of `tests/ledger.toml`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let options = Options::read(arguments, &["--forms", "--seeds", "--seed", "--form"], &["--yes"])?;
    tools::obtain(NEEDS, &Permission { all: true, ..options.permission() })?;
    setup::check(GIBIBYTES)?;
    let mut build = cargo(["build", "--locked"]);
    if !run::succeeds(build.args(PACKAGES).args(["--bin", "peers", "--bin", "veldwerk"]))? {
        return Err("The build failed; the compiler's words above say why.".to_owned());
    }
    let mut words: Vec<String> = options.values("--forms").into_iter().map(str::to_owned).collect();
    words.extend(std::env::var("VELDWERK_FORMS_DIR").ok().filter(|folder| !folder.is_empty()));
    for name in ["--seed", "--form"] {
        words.extend(options.values(name).last().into_iter().flat_map(|value| [name.to_owned(), (*value).to_owned()]));
    }
    let seeds = options.values("--seeds").last().copied().unwrap_or(SEEDS).to_owned();
    words.extend(["--seeds".to_owned(), seeds]);
    walk(&words)
}

/// The suite: a bounded set. `build` has been called for all suites.
pub(crate) fn check() -> Result<Counts> {
    Ok(Counts::of_check(walk(&["--seeds".to_owned(), "1".to_owned()])?))
}

/// Maven fetches JavaRosa and builds its driver; then the walks begin.
fn walk(words: &[String]) -> Result<bool> {
    let mut maven = program("mvn");
    maven.args(["-B", "-q", "-ntp", "-f", "tests/peers/javarosa/pom.xml", "process-classes"]);
    maven.arg(format!("-Dtarget.dir={}", target().display()));
    if !run::succeeds(&mut maven)? {
        return Err("JavaRosa's driver was not built; Maven's words above say why.".to_owned());
    }
    let built = |name: &str| target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let java = target().join("peers-javarosa");
    let classes = std::env::join_paths([java.join("classes"), java.join("lib").join("*")])
        .map_err(|error| format!("The folder of the build cannot stand in a class path: {error}."))?;
    let mut peers = program(built("peers"));
    peers.arg("--veldwerk").arg(built("veldwerk")).arg("--classes").arg(PathBuf::from(classes));
    run::succeeds(peers.args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_before_anything_is_built() {
        assert!(run(&["--forms".to_owned()]).is_err_and(|why| why.contains("--forms")));
        assert!(run(&["--walks".to_owned(), "3".to_owned()]).is_err());
    }
}

//! `cargo xtask bench`: the speed table, of the binaries as they are given to people.

use crate::workspace::{cargo, program, target};
use crate::{Result, run, setup};

/// Free disk that the release build needs.
const GIBIBYTES: u64 = 2;

/// Builds in release and runs the measuring with `arguments`; `false` if it could not measure.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    setup::check(GIBIBYTES)?;
    // The command line too: its memory is measured, as that of a process of its own.
    let build =
        ["build", "--release", "--locked", "--package", "veldwerk-tests", "--package", "veldwerk-cli", "--bins"];
    if !run::succeeds(&mut cargo(build))? {
        return Err("The build failed; the compiler's words above say why.".to_owned());
    }
    let bench = target().join("release").join(format!("bench{}", std::env::consts::EXE_SUFFIX));
    run::succeeds(program(bench).args(arguments))
}

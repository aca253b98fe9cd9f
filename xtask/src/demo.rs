//! `cargo demo`: check, build, run.

use std::net::TcpListener;
use std::process::Command;

use crate::workspace::{cargo, program, target};
use crate::{Result, run, setup};

/// Free disk that this one build needs.
const GIBIBYTES: u64 = 2;

/// Builds the command line and becomes `veldwerk demo` with `arguments`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let mut demo = build()?;
    become_program(demo.args(arguments))
}

/// `veldwerk demo`, checked for and built.
pub(crate) fn build() -> Result<Command> {
    setup::check(GIBIBYTES)?;
    free_port()?;
    let veldwerk = target().join("demo").join(format!("veldwerk{}", std::env::consts::EXE_SUFFIX));
    if !veldwerk.exists() {
        println!(
            "Building Veldwerk for the first time. This takes about four minutes on two cores, because everything is \
             compiled\nfrom its source: encrypted SQLite, TLS, the web server. The next time it starts at once."
        );
    }
    if !run::succeeds(&mut cargo(["build", "--locked", "--profile", "demo", "--package", "veldwerk-cli"]))? {
        return Err("The build failed; the compiler's words above say why.".to_owned());
    }
    let mut demo = program(veldwerk);
    demo.arg("demo");
    Ok(demo)
}

/// The embedded server listens on this computer alone; some sandboxes allow not even that.
fn free_port() -> Result {
    TcpListener::bind(("127.0.0.1", 0)).map(drop).map_err(|error| {
        format!("The demo's server needs a free port on 127.0.0.1 and gets none: {error}. Run it outside the sandbox.")
    })
}

/// Gives our place to the program, so that it alone gets Ctrl-C and its status is ours.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<bool> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("`{}` could not be started: {error}.", command.get_program().to_string_lossy()))
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<bool> {
    let status = command.status().map_err(|error| format!("The demo could not be started: {error}."))?;
    Ok(status.success())
}

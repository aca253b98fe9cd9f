//! Where things are in this checkout, and Cargo called for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The git-ignored folder for tools that need no administrator.
pub(crate) fn tools_folder() -> PathBuf {
    root().join(".tools")
}

/// Where Cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The packages that are tested, linted and documented, selected in the same way each time: another selection would turn
/// other features of dependencies on, and compile them once more. The generator of bindings is left out: three lines of
/// ours, and two minutes of dependencies that nothing else has.
pub(crate) const PACKAGES: [&str; 3] = ["--workspace", "--exclude", "veldwerk-bindgen"];

/// `cargo` with `arguments`, in the workspace.
pub(crate) fn cargo<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = program("cargo");
    command.args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
    command
}

/// A program to be run in the workspace, without the variables that `cargo run` set for us: some build scripts watch
/// them, and would build again each time one is called by hand and then from here.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO" {
            command.env_remove(&name);
        }
    }
    command
}

/// The files in `folder` whose names end in `.extension`, sorted; none if there is no such folder.
pub(crate) fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

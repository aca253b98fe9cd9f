//! What has to be true of a machine before anything is compiled, checked in a second instead of found out after minutes.

use std::fs;
use std::path::Path;

use crate::workspace::{program, root, target};
use crate::{Result, machine};

/// The Rust that the workspace asks for (`rust-version`), as major and minor.
const RUST: (u32, u32) = (1, 95);

const FOUR_LINES_OF_C: &str = "\
#include <stdio.h>
int main(void) {
    return puts(\"this compiler works\") < 0;
}
";

/// Checks the toolchain, the C compiler and that `gibibytes` are free, and tells everything that is missing at once.
pub(crate) fn check(gibibytes: u64) -> Result {
    let problems: Vec<String> =
        [rust(), c_compiler(), disk(gibibytes)].into_iter().filter_map(std::result::Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn rust() -> Result {
    let text = machine::version_text("rustc", "--version").unwrap_or_default();
    match rust_version(&text) {
        Some(version) if version >= RUST => Ok(()),
        _ => Err(format!(
            "Rust {}.{} or newer is needed (found: {}). Install rustup from https://rustup.rs; it brings the right one.",
            RUST.0,
            RUST.1,
            if text.is_empty() { "none" } else { text.trim() },
        )),
    }
}

/// Major and minor from `rustc 1.95.0 (…)`.
fn rust_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split_whitespace().nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Compiles four lines: a compiler without its headers is as good as none.
fn c_compiler() -> Result {
    if cfg!(windows) {
        return Ok(()); // Rust's own linker there is the C compiler's, and it has linked this program.
    }
    let folder = target().join("xtask");
    let source = folder.join("four-lines.c");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&source, FOUR_LINES_OF_C))
        .map_err(|error| format!("`{}` cannot be written: {error}.", source.display()))?;
    let chosen = std::env::var("CC").unwrap_or_default();
    let compilers = if chosen.is_empty() { vec!["cc", "gcc", "clang"] } else { vec![chosen.as_str()] };
    let works = |compiler: &&str| {
        let mut compile = program(compiler);
        compile.arg("-o").arg(folder.join("four-lines")).arg(&source);
        compile.output().is_ok_and(|output| output.status.success())
    };
    if compilers.iter().any(works) {
        return Ok(());
    }
    Err("A C compiler is needed, because SQLite is compiled from its source, and none here compiles four lines. Install \
         one (Debian and Ubuntu: build-essential; Fedora: gcc; Arch: base-devel; macOS: xcode-select --install)."
        .to_owned())
}

fn disk(gibibytes: u64) -> Result {
    match free_kibibytes(&root()) {
        Some(free) if free < gibibytes << 20 => Err(format!(
            "{gibibytes} GiB of disk are needed for the build; {:.1} are free. Make room, or build elsewhere with \
             CARGO_TARGET_DIR.",
            free as f64 / f64::from(1 << 20)
        )),
        _ => Ok(()), // Not every system tells; the compiler will if it comes to that.
    }
}

/// Kibibytes free for us where `folder` lies, from the portable output of `df`.
fn free_kibibytes(folder: &Path) -> Option<u64> {
    let output = program("df").arg("-Pk").arg(folder).output().ok()?;
    available(&String::from_utf8_lossy(&output.stdout))
}

/// The fourth column of the second line.
fn available(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(rust_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert!(rust_version("rustc 1.100.0-nightly (abc 2027-01-01)") > Some(RUST));
        assert_eq!(rust_version(""), None);
    }

    #[test]
    fn free_space_is_the_fourth_column() {
        let df = "Filesystem 1024-blocks     Used Available Capacity Mounted on\n/dev/vda  264000000 13000000 82000000 14% /\n";
        assert_eq!(available(df), Some(82_000_000));
        assert_eq!(available("nonsense"), None);
    }

    #[test]
    fn too_little_disk_is_said() {
        assert!(disk(1 << 30).is_err_and(|problem| problem.contains("GiB")));
    }
}

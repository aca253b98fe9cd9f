//! Tools that a suite or step needs besides Rust: looked for first, then installed if that is allowed.
//!
//! What needs no administrator is put into `.tools/` at a pinned version; for the rest there is this system's package
//! manager, and never without a yes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::machine::{self, PackageManager, find_program, first_number, version_text};
use crate::workspace::{cargo, program, tools_folder};
use crate::{Result, run};

/// Something that a package manager installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Chromium,
    /// The libraries that Skia links, with or without a window.
    Drawing,
    Jdk,
    Maven,
    Python,
    /// A Java that opens windows.
    Window,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Chromium => "Chromium",
            Self::Drawing => "libGL, libX11 and libfontconfig",
            Self::Jdk => "a JDK (17 or newer)",
            Self::Maven => "Maven",
            Self::Python => "Python 3 with venv",
            Self::Window => "a Java with windows",
        }
    }

    fn is_here(self) -> bool {
        match self {
            Self::Chromium => chromium().is_some(),
            Self::Drawing => {
                !cfg!(target_os = "linux") || has_libraries(&["libGL.so.1", "libX11.so.6", "libfontconfig.so.1"])
            }
            Self::Jdk => {
                version_text("javac", "-version").and_then(|text| first_number(&text)).is_some_and(|major| major >= 17)
            }
            Self::Maven => version_text("mvn", "--version").is_some(),
            Self::Python => {
                program("python3").args(["-c", "import ensurepip, venv"]).output().is_ok_and(|o| o.status.success())
            }
            Self::Window => !cfg!(target_os = "linux") || java_has_windows(),
        }
    }

    fn packages(self, manager: PackageManager) -> &'static [&'static str] {
        use PackageManager::{Apt, Brew, Dnf, Pacman};
        match (self, manager) {
            (Self::Chromium, Brew) => &["--cask", "chromium"],
            (Self::Chromium, Apt | Dnf | Pacman) => &["chromium"],
            (Self::Drawing, Apt) => &["libgl1", "libx11-6", "libfontconfig1"],
            (Self::Drawing, Dnf) => &["libglvnd-glx", "libX11", "fontconfig"],
            (Self::Drawing, Pacman) => &["libglvnd", "libx11", "fontconfig"],
            (Self::Drawing | Self::Window, Brew) => &[],
            (Self::Window, Apt) => &["openjdk-17-jre"],
            (Self::Window, Dnf) => &["java-devel"],
            (Self::Window, Pacman) => &["jdk17-openjdk"],
            (Self::Jdk, Apt) => &["openjdk-17-jdk-headless"],
            (Self::Jdk, Dnf) => &["java-devel"],
            (Self::Jdk, Pacman) => &["jdk17-openjdk"],
            (Self::Jdk, Brew) => &["openjdk@17"],
            (Self::Maven, _) => &["maven"],
            (Self::Python, Apt) => &["python3", "python3-venv"],
            (Self::Python, Pacman) => &["python"],
            (Self::Python, Dnf | Brew) => &["python3"],
        }
    }
}

/// Whether the dynamic linker knows all of these.
fn has_libraries(names: &[&str]) -> bool {
    let listed =
        ["ldconfig", "/sbin/ldconfig"].into_iter().find_map(|ldconfig| program(ldconfig).arg("-p").output().ok());
    listed.is_some_and(|output| {
        let known = String::from_utf8_lossy(&output.stdout);
        names.iter().all(|name| known.contains(name))
    })
}

/// Whether the Java at hand was built with windows; a headless one has no toolkit for them.
fn java_has_windows() -> bool {
    let output = program("java").args(["-XshowSettings:properties", "-version"]).output();
    let home = output.ok().and_then(|output| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Some(said.lines().find_map(|line| line.trim().strip_prefix("java.home = "))?.to_owned())
    });
    home.is_some_and(|home| Path::new(&home).join("lib/libawt_xawt.so").exists())
}

/// What the caller allows, and how a missing tool is to be taken.
pub(crate) struct Permission {
    /// `--yes`: install without asking.
    pub(crate) install: bool,
    /// `--all`: not run is failed.
    pub(crate) all: bool,
    /// `CI=true`: not run is failed; and as root, install.
    pub(crate) ci: bool,
}

impl Permission {
    /// Whether something that could not run counts as failed.
    pub(crate) fn everything_must_run(&self) -> bool {
        self.all || self.ci
    }

    /// Whether `command` may be run: said so beforehand, or now at the terminal.
    fn grants(&self, command: &str) -> bool {
        println!("This installs it:\n\n    {command}\n");
        if self.install || (self.ci && machine::is_root()) {
            return true;
        }
        if self.ci || !machine::is_terminal() {
            return false;
        }
        print!("Run this command now? [y/N] ");
        let mut answer = String::new();
        let answered = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
        answered.is_ok() && answer.trim().eq_ignore_ascii_case("y")
    }
}

/// Sees to it that `needed` are here; the error says what is needed still, in the few words of a table.
pub(crate) fn obtain(needed: &[Tool], permission: &Permission) -> Result {
    let missing = || needed.iter().copied().filter(|tool| !tool.is_here()).collect::<Vec<_>>();
    let absent = missing();
    if absent.is_empty() {
        return Ok(());
    }
    let needs =
        |tools: &[Tool]| format!("needs {}", tools.iter().map(|tool| tool.name()).collect::<Vec<_>>().join(" and "));
    println!("It {}, which this machine does not have.", needs(&absent));
    let Some(manager) = PackageManager::of_this_system() else { return Err(needs(&absent)) };
    let packages: Vec<&str> = absent.iter().flat_map(|tool| tool.packages(manager)).copied().collect();
    let install = manager.install(&packages);
    if !permission.grants(&install.join(" ")) {
        return Err(needs(&absent));
    }
    for command in manager.refresh().into_iter().chain([install]) {
        if let Some((name, arguments)) = command.split_first() {
            run::succeeds(program(name).args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
        }
    }
    let absent = missing();
    if absent.is_empty() { Ok(()) } else { Err(format!("{}; installing failed", needs(&absent))) }
}

/// A browser to be driven without a window: `VELDWERK_CHROMIUM`, or the first one found.
pub(crate) fn chromium() -> Option<PathBuf> {
    let chosen = std::env::var("VELDWERK_CHROMIUM").unwrap_or_default();
    let usual = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    if chosen.is_empty() { usual.into_iter().find_map(find_program) } else { find_program(&chosen) }
}

/// A program from crates.io, at one version, in `.tools/bin`.
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
    features: &'static [&'static str],
}

/// Without its default features it cannot fetch advisories, which CI cannot either, and compiles in half the time.
pub(crate) const CARGO_DENY: CargoTool =
    CargoTool { name: "cargo-deny", version: "0.20.2", features: &["--no-default-features"] };

pub(crate) const CARGO_FUZZ: CargoTool = CargoTool { name: "cargo-fuzz", version: "0.13.2", features: &[] };

impl CargoTool {
    /// The program, installed first where it is not there in this version. Without optimisation: it runs for seconds, and
    /// would be compiled for minutes.
    pub(crate) fn obtain(&self) -> Result<PathBuf> {
        let path = tools_folder().join("bin").join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        let version = version_text(&path.to_string_lossy(), "--version").unwrap_or_default();
        if version.split_whitespace().any(|word| word == self.version) {
            return Ok(path);
        }
        println!("Installing {} {} into .tools/ (a minute or two, once).", self.name, self.version);
        let mut install = cargo(["install", self.name, "--version", self.version, "--locked", "--debug", "--quiet"]);
        install.args(self.features).arg("--root").arg(tools_folder()).env("CARGO_PROFILE_DEV_DEBUG", "false");
        if run::succeeds(&mut install)? { Ok(path) } else { Err(format!("needs {} {}", self.name, self.version)) }
    }
}

/// A Python of its own, with pyxform and whatever else `requirements` pins.
pub(crate) fn pyxform(requirements: &Path) -> Result<PathBuf> {
    let pinned = fs::read_to_string(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let folder = tools_folder().join("python");
    let stamp = folder.join("requirements.txt");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(python);
    }
    println!("Installing pyxform into .tools/python/ (some seconds, once).");
    let mut create = program("python3");
    create.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut install = program(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    if run::succeeds(&mut create)? && run::succeeds(&mut install)? && fs::write(&stamp, pinned).is_ok() {
        Ok(python)
    } else {
        Err("needs pyxform, which pip could not install".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_package_for_each_manager() {
        for tool in [Tool::Chromium, Tool::Drawing, Tool::Jdk, Tool::Maven, Tool::Python, Tool::Window] {
            for manager in [PackageManager::Apt, PackageManager::Dnf, PackageManager::Pacman, PackageManager::Brew] {
                let command = manager.install(tool.packages(manager)).join(" ");
                assert!(command.contains("install") || command.contains("pacman -S"), "{command}");
            }
        }
    }

    #[test]
    fn only_ci_and_all_make_a_missing_tool_a_failure() {
        let permission = |install, all, ci| Permission { install, all, ci };
        assert!(!permission(true, false, false).everything_must_run());
        assert!(permission(false, true, false).everything_must_run());
        assert!(permission(false, false, true).everything_must_run());
    }
}

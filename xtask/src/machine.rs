//! What this machine is: who we are on it, which programs it has, which package manager.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The package manager of a system, by its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackageManager {
    Apt,
    Dnf,
    Pacman,
    Brew,
}

impl PackageManager {
    /// The first one found here.
    pub(crate) fn of_this_system() -> Option<Self> {
        [("apt-get", Self::Apt), ("dnf", Self::Dnf), ("pacman", Self::Pacman), ("brew", Self::Brew)]
            .into_iter()
            .find_map(|(program, manager)| find_program(program).map(|_| manager))
    }

    /// The command that installs `packages`, as words.
    pub(crate) fn install(self, packages: &[&str]) -> Vec<String> {
        let command = match self {
            Self::Apt => "apt-get install -y --no-install-recommends",
            Self::Dnf => "dnf install -y",
            Self::Pacman => "pacman -S --noconfirm --needed",
            Self::Brew => "brew install",
        };
        let sudo = if self == Self::Brew || is_root() { None } else { Some("sudo") };
        sudo.into_iter().chain(command.split(' ')).chain(packages.iter().copied()).map(str::to_owned).collect()
    }

    /// What has to run before: Debian's images come without a list of packages.
    pub(crate) fn refresh(self) -> Option<Vec<String>> {
        (self == Self::Apt).then(|| {
            let sudo = if is_root() { None } else { Some("sudo") };
            sudo.into_iter().chain(["apt-get", "update"]).map(str::to_owned).collect()
        })
    }
}

/// The path of `program`, looked for on `PATH`; a path is taken as it is.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let executable = |path: PathBuf| path.is_file().then_some(path);
    if program.contains('/') {
        return executable(PathBuf::from(program));
    }
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).find_map(|folder| executable(folder.join(&name)))
}

/// What a program says of its own version: both its streams, or nothing if it cannot be run.
pub(crate) fn version_text(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    output.status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The first number in a text such as `javac 17.0.15`.
pub(crate) fn first_number(text: &str) -> Option<u32> {
    let digits: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

pub(crate) fn is_root() -> bool {
    version_text("id", "-u").is_some_and(|text| text.trim() == "0")
}

/// Whether somebody is there to answer a question.
pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_number() {
        assert_eq!(first_number("javac 17.0.15"), Some(17));
        assert_eq!(first_number("openjdk version \"21\""), Some(21));
        assert_eq!(first_number("none"), None);
    }

    #[test]
    fn cargo_is_found_and_nonsense_is_not() {
        assert!(find_program("cargo").is_some());
        assert!(find_program("no-such-program-anywhere").is_none());
    }
}

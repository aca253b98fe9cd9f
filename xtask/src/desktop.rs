//! `cargo xtask desktop`: the app of phones in a window, with a try-out server behind it; and the tests of its screens.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::counts::Counts;
use crate::tools::{self, Permission, Tool};
use crate::workspace::{cargo, program, root, target};
use crate::{Result, run, setup};

/// Free disk that the build and Maven's downloads need.
const GIBIBYTES: u64 = 4;

/// What the tests need; a window needs the same and a display.
pub(crate) const NEEDS: &[Tool] = &[Tool::Jdk, Tool::Maven, Tool::Drawing];

/// Builds the app, starts a server and opens the window; ends when the window is closed.
pub(crate) fn run(permission: &Permission) -> Result<bool> {
    setup::check(GIBIBYTES)?;
    tools::obtain(&[Tool::Jdk, Tool::Maven, Tool::Drawing, Tool::Window], permission)?;
    println!("Building the app for this computer; the first time Maven fetches about 150 MB.");
    let built = ["build", "--locked", "--package", "veldwerk-cli", "--package", "veldwerk-ffi"];
    let mut compile = maven("process-classes");
    compile.args(["-q", "-Dcargo.what=--package veldwerk-cli --package veldwerk-ffi"]);
    if !run::succeeds(&mut cargo(built))? || !run::succeeds(&mut compile)? {
        return Err("The build failed; the words above say why.".to_owned());
    }
    // Every time anew: the server has another address, and the person has not been here.
    let folder = target().join("desktop");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| format!("`{}` cannot be removed: {error}.", folder.display()))?;
    }
    let server = Server::start(&folder.join("server"))?;
    println!("Choose a language in the window; the invitation to this computer's own server is filled in.");
    let mut window = program("java");
    window.arg(format!("-Djna.library.path={}", target().join("debug").display()));
    window.arg("-cp").arg(class_path()?).arg("org.veldwerk.demo.desktop.MainKt");
    window.arg(folder.join("home")).arg(&server.invitation);
    run::succeeds(&mut window)
}

/// Runs the tests of the screens.
pub(crate) fn check() -> Result<Counts> {
    let mut test = maven("test");
    test.arg("-Dskip.library.tests=true");
    let (success, output) = run::watched(&mut test)?;
    Ok(Counts::of_maven(&output).with_status(success))
}

/// Maven on the app's modules.
fn maven(goal: &str) -> Command {
    let library = format!("{}veldwerk_ffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut maven = program("mvn");
    maven.args(["-B", "-ntp", "-f", "android-demo/ci/pom.xml", goal]).current_dir(root());
    maven.arg(format!("-Dtarget.dir={}", target().display())).arg(format!("-Dlibrary={library}"));
    maven.arg(format!("-Dskiko.platform={}", skiko_platform()));
    maven
}

/// What Skia's library for this computer is called.
fn skiko_platform() -> String {
    let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x64" };
    format!("{}-{architecture}", std::env::consts::OS)
}

/// The app's classes and all they need, as Maven wrote it down.
fn class_path() -> Result<std::ffi::OsString> {
    let module = root().join("android-demo/ci/ui-desktop/target");
    let listed = std::fs::read_to_string(module.join("classpath"))
        .map_err(|error| format!("Maven left no class path: {error}."))?;
    let jars = std::env::split_paths(listed.trim()).collect::<Vec<PathBuf>>();
    std::env::join_paths([module.join("classes")].into_iter().chain(jars)).map_err(|error| error.to_string())
}

/// `veldwerk serve`, for as long as this lives.
struct Server {
    process: Child,
    invitation: String,
}

impl Server {
    fn start(data: &std::path::Path) -> Result<Self> {
        let veldwerk = target().join("debug").join(format!("veldwerk{}", std::env::consts::EXE_SUFFIX));
        let mut serve = program(veldwerk);
        serve.args(["--json", "serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped());
        let mut process = serve.spawn().map_err(|error| format!("The server could not be started: {error}."))?;
        let mut line = String::new();
        let said = process.stdout.take().map(|output| BufReader::new(output).read_line(&mut line));
        match (said, text_of(&line, "settings_code")) {
            (Some(Ok(_)), Some(invitation)) => Ok(Self { process, invitation }),
            _ => {
                let _ = process.kill();
                Err("The server did not say how to join it.".to_owned())
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The text of `name` in a flat object of JSON, which holds no escaped quotes.
fn text_of(json: &str, name: &str) -> Option<String> {
    let after = json.split_once(&format!("\"{name}\""))?.1;
    let text = after.split('"').nth(1)?;
    Some(text.replace("\\/", "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_its_name() {
        let said = r#"{"page": "http:\/\/h", "settings_code": "eJx/+=="}"#;
        assert_eq!(text_of(said, "settings_code").as_deref(), Some("eJx/+=="));
        assert_eq!(text_of(said, "page").as_deref(), Some("http://h"));
        assert_eq!(text_of(said, "none"), None);
    }
}

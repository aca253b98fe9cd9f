//! Running a program: its output goes to ours as it comes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::Result;

/// Runs it with our own streams; `false` if it ended badly.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| could_not_start(command, &error))?;
    Ok(status.success())
}

/// Runs it and keeps what it wrote to standard output, which is shown as well.
pub(crate) fn watched(command: &mut Command) -> Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| could_not_start(command, &error))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut ours = std::io::stdout();
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())? > 0 {
            // Nobody may be reading any more; the child's result counts all the same.
            let _ = ours.write_all(&line).and_then(|()| ours.flush());
            text.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    Ok((status.success(), text))
}

/// A heading between the outputs of steps.
pub(crate) fn heading(text: &str) {
    println!("\n── {text} ──");
}

fn could_not_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}.", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::cargo;

    #[test]
    fn output_is_kept_and_the_status_told() {
        let (success, text) = watched(&mut cargo(["--version"])).unwrap();
        assert!(success && text.starts_with("cargo "));
        assert!(!succeeds(cargo(["no-such-subcommand"]).stderr(Stdio::null())).unwrap());
        assert!(succeeds(&mut Command::new("no-such-program-anywhere")).is_err());
    }
}

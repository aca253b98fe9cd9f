//! The demo from outside: its table, its exit status, and that nothing of it stays on the computer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Everything that the demo puts down lies in `folder`.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veldwerk"));
    command.arg("demo").args(arguments).env("TMPDIR", folder.path()).env("TMP", folder.path()).env("TZ", "UTC");
    command.stdin(Stdio::null());
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn every_record_arrives_exactly_once_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder, &["--auto"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let story = String::from_utf8(output.stdout).unwrap();
    assert!(!story.contains('\x1b'), "colours only at a terminal: {story}");
    let (_, table) = story.split_once("same bytes").expect("the story ends with a table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().rev().collect::<Vec<_>>())
        .filter(|row| row.first().is_some_and(|files| files.contains('/')))
        .collect();
    let mut attachments = 0;
    for row in &rows {
        let [files, same_bytes, copies, ..] = row[..] else { panic!("not a row: {row:?}") };
        assert_eq!((copies, same_bytes), ("1", "yes"), "{story}");
        let (there, here) = files.split_once('/').unwrap();
        assert_eq!(there, here, "{story}");
        attachments += here.parse::<usize>().unwrap();
    }
    assert_eq!((rows.len(), attachments), (7, 5), "{story}");
    assert!(is_empty(folder.path()));
}

#[cfg(unix)]
#[test]
fn a_demo_that_is_stopped_half_way_has_not_succeeded_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = demo(&folder, &["--auto"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut story = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(story.any(|line| line.unwrap().starts_with("2.")));
    let stopped = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert!(is_empty(folder.path()));
}

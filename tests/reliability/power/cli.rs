//! The command line makes a home, with its key in a file beside it, and the power fails meanwhile.

use std::process::Command;

use veldwerk_tests::dice::Dice;

use super::{Counts, Tracer, Walk, canonical, empty};
use crate::report::count;
use crate::stage::{self, Stage};

/// Traces `veldwerk project add` on nothing, and lets the command line look at each state after a cut.
pub(super) fn cut(stage: &Stage, tracer: &Tracer, dice: &mut Dice, n_cuts: u64, counts: &Counts) -> Vec<String> {
    let place = canonical(stage.place(7));
    let home = place.join("home");
    let veldwerk = |words: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap().with_file_name("veldwerk"));
        command.arg("--home").arg(&home).args(["--json", "--quiet"]).args(words);
        command.env_remove("VELDWERK_KEY_FILE");
        command
    };
    let add = &mut veldwerk(&["project", "add", "--url", &stage.url]);
    let mut walk = match Walk::record(tracer, add, &place, 7, dice, n_cuts, counts) {
        Ok(walk) => walk,
        Err(why) => return vec![why],
    };
    let mut losses = Vec::new();
    let mut told = false;
    while let Some(moment) = walk.next(dice, counts) {
        told |= !moment.said.is_empty();
        empty(&place);
        moment.state.lay(&place);
        count(&counts.of_command_line, 1);
        let listed = {
            let _forking = stage::FORKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            veldwerk(&["project", "list"]).output().unwrap()
        };
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let model = moment.model;
        if !listed.status.success() {
            let words = String::from_utf8_lossy(&listed.stderr).into_owned();
            let words = words.lines().next().unwrap_or(&text);
            losses.push(format!("the command line cannot open its home: {words} ({model:?} disk)"));
        } else if told && !text.contains("127.0.0.1") {
            losses.push(format!("a project that was told added is gone ({model:?} disk)"));
        }
    }
    losses
}

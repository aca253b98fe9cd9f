//! The drivers of two engines: programs that take `batch JOBS.jsonl` and write one output a job.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The status of a job that took longer than it may.
pub(crate) const TIMEOUT: &str = "timeout";

/// One form and what is done with it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) form: PathBuf,
    pub(crate) events: Vec<Value>,
    /// Whether the ledger says that JavaRosa does not end with it.
    pub(crate) is_endless: bool,
}

/// An engine behind the neutral interface.
pub(crate) struct Driver {
    /// The program and its first arguments.
    pub(crate) command: Vec<OsString>,
    /// How long a job may take; then the program is stopped and goes on with the next.
    pub(crate) patience: Duration,
    /// How long one that is said not to end may take.
    pub(crate) patience_with_endless: Duration,
}

impl Driver {
    /// The outputs of `jobs` in their order. One that never came says so as its status.
    pub(crate) fn run(&self, jobs: &[Job], now: &str, folder: &Path) -> Vec<Value> {
        fs::create_dir_all(folder).expect("a folder for the outputs");
        let out = |index: usize| folder.join(format!("{index}.json"));
        let mut outputs: Vec<Option<Value>> = vec![None; jobs.len()];
        while let Some(first) = outputs.iter().position(Option::is_none) {
            let waiting: Vec<usize> = (first..jobs.len()).filter(|&index| outputs[index].is_none()).collect();
            let lines = waiting.iter().map(|&index| {
                let job = &jobs[index];
                json!({"form": job.form, "events": job.events, "now": now, "out": out(index)}).to_string()
            });
            let list = folder.join("jobs.jsonl");
            fs::write(&list, lines.collect::<Vec<_>>().join("\n")).expect("the jobs are written");
            let patience = |job: &Job| if job.is_endless { self.patience_with_endless } else { self.patience };
            let awaited = waiting.iter().map(|&index| (out(index), patience(&jobs[index])));
            let ended = self.start(&list, &awaited.collect::<Vec<_>>());
            for &index in &waiting {
                let read = fs::read(out(index)).ok().and_then(|json| serde_json::from_slice(&json).ok());
                outputs[index] = read;
                let _ = fs::remove_file(out(index));
            }
            // The one it was at when it ended without writing it.
            if let Some(unwritten) = outputs.iter_mut().find(|output| output.is_none()) {
                *unwritten = Some(json!({"status": ended}));
            }
        }
        outputs.into_iter().flatten().collect()
    }

    /// Runs the program over a list of jobs; says how it ended if it did not write all that is `awaited`, each within its time.
    fn start(&self, list: &Path, awaited: &[(PathBuf, Duration)]) -> &'static str {
        let (program, first) = self.command.split_first().expect("a command");
        let mut command = Command::new(program);
        command.args(first).arg("batch").arg(list).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        let mut child = command.stdin(Stdio::null()).spawn().expect("the driver starts");
        let (mut written, mut since) = (0, Instant::now());
        while is_running(&mut child) {
            let now_written = awaited[written..].iter().take_while(|(out, _)| out.exists()).count();
            if now_written > 0 {
                (written, since) = (written + now_written, Instant::now());
            } else if awaited.get(written).is_some_and(|(_, patience)| since.elapsed() > *patience) {
                let _ = child.kill();
                let _ = child.wait();
                return TIMEOUT;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        "crash"
    }
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().expect("the driver is ours").is_none()
}

//! `power`: the states that a power cut may leave, rebuilt from what a real run did to the disk.
//!
//! A worker runs with `tests/power/trace.c` before the C library, which writes down every change of the files in its folder,
//! and what the worker told in between. Then the trace is gone through: at random places the power is cut, in thought, a
//! state that the disk may have then is laid into the folder, and the home in it is opened and compared with what had been
//! told by then. The command line makes homes too, with the key in a file; those are opened by the command line again.

mod cli;
mod disk;
mod trace;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

use tempfile::TempDir;
use veldwerk::client::{Client, Finalization};
use veldwerk::store::Key;
use veldwerk_tests::central::{Central, Rules};
use veldwerk_tests::dice::{Dice, bytes};

use crate::deed::Line;
use crate::forms::{FIRST_MOMENT, VISIT};
use crate::ledger::Ledger;
use crate::report::{Report, count, of};
use crate::stage::{self, Stage};
use crate::worker::Orders;
use crate::{Options, audit, exports};
use disk::{Disk, Model, State};
use trace::{Op, Trace};

/// Cuts of one trace.
const CUTS: u64 = 100;
/// What a traced worker does.
const DEEDS: u64 = 60;

/// What all threads count together.
#[derive(Default)]
struct Counts {
    cuts: AtomicU64,
    traces: AtomicU64,
    ops: AtomicU64,
    syncs: AtomicU64,
    ordered: AtomicU64,
    of_command_line: AtomicU64,
    deeds: AtomicU64,
}

pub(crate) fn run(options: &Options) -> Report {
    let mut report = Report::new("power: states that a power cut may leave", options.seed);
    let tracer = match Tracer::build() {
        Ok(tracer) => tracer,
        Err(why) => {
            report.lose(0, [why]);
            return report;
        }
    };
    let central = Central::start(Rules::default());
    let counts = Counts::default();
    let is_over = || of(&counts.cuts) >= options.count;
    stage::on_every_core(&central, options, &mut report, is_over, |stage, number| {
        let n_cuts = CUTS.min(options.count);
        // One trace in eight is of the command line.
        let losses = if number % 8 == 7 {
            cli::cut(stage, &tracer, &mut Dice::new(options.seed, number), n_cuts, &counts)
        } else {
            cut(stage, &tracer, options.seed, number, n_cuts, &counts)
        };
        count(&counts.traces, 1);
        stage.clear(&central);
        losses
    });
    let n_cuts = of(&counts.cuts);
    report.row("power cuts", n_cuts);
    report.row("  on a disk that keeps order (as ext4)", of(&counts.ordered));
    report.row("  on one that promises what POSIX does", n_cuts - of(&counts.ordered));
    report.row("  while the command line made a home", of(&counts.of_command_line));
    report.row("traces", of(&counts.traces));
    report.row("changes of files traced", of(&counts.ops));
    report.row("syncs among them", of(&counts.syncs));
    report.row("calls that had returned", of(&counts.deeds));
    report
}

/// The library that traces, compiled.
struct Tracer {
    folder: TempDir,
}

impl Tracer {
    fn build() -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Err("power runs on Linux only: nothing was tried".to_owned());
        }
        let folder = stage::folder();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/trace.c");
        let library = folder.path().join("trace.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library).arg(source);
        match cc.status() {
            Ok(status) if status.success() => Ok(Self { folder }),
            Ok(status) => Err(format!("the tracing library does not compile ({status}): nothing was tried")),
            Err(error) => Err(format!("there is no C compiler ({error}): nothing was tried")),
        }
    }

    /// Runs a program with everything it does in `root` written down.
    fn run(&self, command: &mut Command, root: &Path, name: &str) -> Result<Trace, String> {
        let log = self.folder.path().join(name);
        command.env("LD_PRELOAD", self.folder.path().join("trace.so")).env("TRACE_ROOT", root).env("TRACE_LOG", &log);
        let child = {
            let _forking = stage::FORKING.lock().unwrap_or_else(PoisonError::into_inner);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            return Err(format!("the traced process failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let trace = Trace::read(fs::read(&log).unwrap());
        fs::remove_file(&log).unwrap();
        Ok(trace)
    }
}

/// One trace of a worker and its cuts.
fn cut(stage: &Stage, tracer: &Tracer, seed: u64, number: u64, n_cuts: u64, counts: &Counts) -> Vec<String> {
    let mut dice = Dice::new(seed, number);
    let place = canonical(stage.place(number));
    let home = place.join("home");
    let mut ledger = Ledger::default();
    ledger.may_import(&stage.import.to_string_lossy(), stage.importable.clone());
    if dice.chance(0.8) {
        stage::copy(&stage.template, &home);
        ledger.has_project(1, &stage.url);
    }
    let orders = Orders {
        home,
        seed: dice.bits(),
        home_seed: seed.wrapping_mul(1_000_003).wrapping_add(number),
        now_ms: FIRST_MOMENT,
        url: stage.url.clone(),
        other_url: stage.other_url.clone(),
        exports: place.clone(),
        imports: vec![stage.import.clone()],
        deeds: DEEDS,
        largest_file: 300_000,
        online: true,
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["worker", &serde_json::to_string(&orders).unwrap()]);
    let mut walk = match Walk::record(tracer, &mut command, &place, number, &mut dice, n_cuts, counts) {
        Ok(walk) => walk,
        Err(why) => return vec![why],
    };
    let mut losses = Vec::new();
    while let Some(moment) = walk.next(&mut dice, counts) {
        for line in moment.said {
            ledger.hear(serde_json::from_slice::<Line>(&line).unwrap());
        }
        let mut ledger = ledger.clone();
        empty(&place);
        moment.state.lay(&place);
        let found = check(stage, &place, &orders, &mut ledger);
        losses.extend(found.into_iter().map(|loss| format!("{loss} ({:?} disk)", moment.model)));
    }
    count(&counts.deeds, ledger.n_ended);
    let _ = fs::remove_dir_all(&place);
    losses
}

/// Opens what is left, compares it with what was told, and goes on working with it.
fn check(stage: &Stage, place: &Path, orders: &Orders, ledger: &mut Ledger) -> Vec<String> {
    let client = match stage::open(&orders.home, orders.now_ms, orders.home_seed) {
        Ok(client) => client,
        Err(error) => return vec![format!("the home does not open: {error}")],
    };
    let mut losses = ledger.check(&client);
    if losses.is_empty()
        && let Err(error) = go_on(&client)
    {
        losses.push(format!("the home opens and cannot be worked with: {error}"));
    }
    drop(client);
    let secrets = ledger.removed().filter_map(|url| stage.token_of(url));
    losses.extend(audit::look(&orders.home, &Key::from_bytes([7; 32]), secrets));
    losses.extend(exports::check(stage, place, ledger));
    losses
}

/// A record more, with a file, in the project that every home has; nothing where there is none yet.
fn go_on(client: &Client) -> veldwerk::Result<()> {
    for project in client.projects()?.into_iter().take(1) {
        let Ok(form) = client.find_form(project.id, VISIT) else { continue };
        let mut draft = client.start_draft(form.key, None)?;
        draft.answer("/data/name", Some("after the cut"))?;
        draft.attach_from("/data/photo", "jpg", &mut &bytes(1, 10_000)[..])?;
        assert!(matches!(draft.finalize()?, Finalization::Finalized { .. }));
    }
    Ok(())
}

/// A trace that is gone through, and the moments at which the power is cut.
struct Walk {
    trace: Trace,
    disks: [Disk; 2],
    at: usize,
    moments: VecDeque<usize>,
    rest: Vec<u8>,
}

/// What there is at a cut.
struct Moment {
    /// The lines told since the moment before.
    said: Vec<Vec<u8>>,
    state: State,
    model: Model,
}

impl Walk {
    /// Runs a program in a place and chooses the moments. A trace that has missed something is worth nothing.
    fn record(
        tracer: &Tracer,
        command: &mut Command,
        place: &Path,
        number: u64,
        dice: &mut Dice,
        n_moments: u64,
        counts: &Counts,
    ) -> Result<Self, String> {
        let disks = [Model::Ordered, Model::Weak].map(|model| Disk::of(place, model));
        let trace = tracer.run(command, place, &format!("trace-{number}"))?;
        let mut whole = disks[0].clone();
        trace.ops.iter().for_each(|op| whole.carry_out(op, &trace.log));
        if let Some(difference) = whole.as_seen(&trace.log).difference(place) {
            return Err(format!("the trace has missed something: {difference}"));
        }
        let mut moments: Vec<usize> = (0..n_moments).map(|_| dice.below(trace.ops.len() as u64 + 1) as usize).collect();
        moments.sort_unstable();
        count(&counts.ops, trace.ops.iter().filter(|op| !matches!(op, Op::Said { .. })).count() as u64);
        count(&counts.syncs, trace.ops.iter().filter(|op| matches!(op, Op::Sync { .. })).count() as u64);
        Ok(Self { trace, disks, at: 0, moments: moments.into(), rest: Vec::new() })
    }

    fn next(&mut self, dice: &mut Dice, counts: &Counts) -> Option<Moment> {
        let moment = self.moments.pop_front()?;
        for op in &self.trace.ops[self.at..moment] {
            self.disks.iter_mut().for_each(|disk| disk.carry_out(op, &self.trace.log));
            if let Op::Said { bytes } = op {
                self.rest.extend_from_slice(&self.trace.log[bytes.clone()]);
            }
        }
        self.at = moment;
        let mut said: Vec<Vec<u8>> = self.rest.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        self.rest = said.pop().unwrap_or_default();

        let disk = &self.disks[dice.below(2) as usize];
        let model = disk.model();
        // The call under way may have come through, except a sync: of that nothing is known until it returns.
        let state = match self.trace.ops.get(moment) {
            Some(op) if !matches!(op, Op::Sync { .. } | Op::Said { .. }) && dice.chance(0.5) => {
                let mut disk = disk.clone();
                disk.carry_out(op, &self.trace.log);
                disk.cut(dice, &self.trace.log)
            }
            _ => disk.cut(dice, &self.trace.log),
        };
        count(&counts.cuts, 1);
        count(&counts.ordered, u64::from(model == Model::Ordered));
        Some(Moment { said, state, model })
    }
}

/// The folder as the kernel calls it: the trace knows no other name.
fn canonical(place: PathBuf) -> PathBuf {
    place.canonicalize().unwrap_or(place)
}

fn empty(place: &Path) {
    fs::remove_dir_all(place).unwrap();
    fs::create_dir_all(place).unwrap();
}

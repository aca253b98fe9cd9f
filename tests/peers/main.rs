//! Veldwerk and JavaRosa side by side: random walks over forms, replayed on both, compared after every event.
//! Run by `cargo xtask peers`; ends with 1 if a difference stands in no row of `tests/ledger.toml`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a harness that cannot run says so by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a harness measures time and stops what hangs")]

mod canonical;
mod compare;
mod driver;
mod ledger;
mod report;
mod said;
mod walk;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use veldwerk::engine::Settings;
use veldwerk::form::{Files, FormDef};

use compare::Difference;
use driver::{Driver, Job};
use ledger::Ledger;
use report::{Met, Report};

/// So many walks are replayed by one process; then their outputs are compared and forgotten.
const SLICE: usize = 60;
const PATIENCE: Duration = Duration::from_secs(15);
/// Ours is a debug build, and that it does not end would be a fault, never a difference on purpose.
const PATIENCE_WITH_US: Duration = Duration::from_secs(60);
/// Where the ledger says that JavaRosa does not end: time to begin and to end after all, also under load.
const PATIENCE_WITH_ENDLESS: Duration = Duration::from_secs(5);
const SECONDS_OF_DAY: i64 = 86_400;

/// What is asked for: `--veldwerk PROGRAM --classes CLASSPATH [--seeds N] [--seed N] [--form NAME] [FOLDER]...`
struct Options {
    veldwerk: PathBuf,
    classes: OsString,
    /// How many walks a form has.
    seeds: u64,
    /// The first one's.
    seed: u64,
    /// Forms of this name alone.
    only: Option<String>,
    folders: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::read();
    let ledger = Ledger::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger.toml"));
    let work = tempfile::tempdir().expect("a temporary folder");
    let forms = forms(&options, work.path());
    let mut comparison = Comparison::new(&options, &ledger, work.path());
    comparison.report.n_forms = forms.len();
    let names: Vec<String> = forms.iter().map(|form| name(form)).collect();
    let mut walks = Vec::new();
    for form in forms {
        for seed in options.seed..options.seed + options.seeds {
            let walk = comparison.walk(&form, seed);
            if options.only.is_some() {
                let acts = walk.job.events.iter().filter(|event| event["op"] != "snapshot");
                acts.for_each(|act| println!("{} {seed}: {act}", walk.name));
            }
            walks.push(walk);
            if walks.len() == SLICE {
                comparison.compare(&std::mem::take(&mut walks));
            }
        }
    }
    comparison.compare(&walks);
    for (reason, n_met) in ledger.reasons() {
        println!("ledger, {n_met} times: {reason}");
    }
    for unmet in ledger.unmet(&names) {
        println!("ledger, not met: {unmet}");
    }
    print!("{}", comparison.report);
    if comparison.report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Options {
    fn read() -> Self {
        let (veldwerk, classes) = Default::default();
        let mut options = Self { veldwerk, classes, seeds: 1, seed: 1, only: None, folders: Vec::new() };
        let mut arguments = std::env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value after the option");
            let number = |value: OsString| value.to_str().and_then(|n| n.parse().ok()).expect("a number");
            match argument.to_str() {
                Some("--veldwerk") => options.veldwerk = value().into(),
                Some("--classes") => options.classes = value(),
                Some("--seeds") => options.seeds = number(value()),
                Some("--seed") => options.seed = number(value()),
                Some("--form") => options.only = value().into_string().ok(),
                _ => options.folders.push(argument.into()),
            }
        }
        options
    }
}

/// Our own forms, those of the cases included, then those in the folders, by path.
fn forms(options: &Options, work: &Path) -> Vec<PathBuf> {
    let mut forms = Vec::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
    let cases = work.join("cases");
    write_cases(&cases).expect("the cases' forms are written");
    for folder in [&own, &cases].into_iter().chain(&options.folders) {
        find_forms(folder, &mut forms);
    }
    if let Some(only) = &options.only {
        forms.retain(|form| name(form) == *only);
    }
    forms
}

/// The forms of `tests/cases`, each under its name.
fn write_cases(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for case in veldwerk_tests::cases::all().into_iter().filter(veldwerk_tests::cases::Case::is_played) {
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = case.name.chars().map(letters).collect();
        let name = name.split('-').filter(|word| !word.is_empty()).take(8).collect::<Vec<_>>().join("-");
        fs::write(folder.join(format!("{name}.xml")), &case.xml)?;
        let media = folder.join(format!("{name}-media"));
        for (file, contents) in &case.files {
            fs::create_dir_all(&media)?;
            fs::write(media.join(file), contents)?;
        }
    }
    Ok(())
}

/// The files below `folder` that look like a questionnaire.
fn find_forms(folder: &Path, forms: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find_forms(&path, forms);
        } else if path.extension().is_some_and(|end| end == "xml")
            && fs::read(&path).is_ok_and(|xml| xml.windows(6).any(|part| part == b":body>" || part == b"<body>"))
        {
            forms.push(path);
        }
    }
}

fn name(form: &Path) -> String {
    form.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The form's files, found as the drivers find them.
struct Beside<'f>(&'f Path);

impl Files for Beside<'_> {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = Path::new(name).file_name()?;
        let own = self.0.parent()?;
        let media = own.join(format!("{}-media", self::name(self.0)));
        [media, own.to_owned()].into_iter().find_map(|folder| fs::read(folder.join(file)).ok())
    }
}

/// A form, and one walk over it.
struct Walk {
    name: String,
    seed: u64,
    form: Option<Arc<FormDef>>,
    job: Job,
}

impl ledger::Form for Walk {
    fn name(&self) -> &str {
        &self.name
    }

    fn says(&self, at: &str, part: &str) -> bool {
        self.form.as_ref().is_some_and(|form| said::says(form, at, part))
    }
}

struct Comparison<'c> {
    veldwerk: Driver,
    javarosa: Driver,
    ledger: &'c Ledger,
    folder: &'c Path,
    /// Noon of today: JavaRosa's `today()` is the machine's, so both clocks stand on its day.
    now: jiff::Timestamp,
    settings: Settings,
    loaded: Option<(PathBuf, Option<Arc<FormDef>>)>,
    report: Report,
}

impl<'c> Comparison<'c> {
    fn new(options: &Options, ledger: &'c Ledger, folder: &'c Path) -> Self {
        let java =
            ["java".into(), "-Xmx2g".into(), "-cp".into(), options.classes.clone(), "org.veldwerk.peers.Driver".into()];
        let day = jiff::Timestamp::now().as_second().div_euclid(SECONDS_OF_DAY);
        let now = jiff::Timestamp::from_second(day * SECONDS_OF_DAY + SECONDS_OF_DAY / 2).expect("noon");
        Self {
            veldwerk: Driver {
                command: vec![options.veldwerk.clone().into()],
                patience: PATIENCE_WITH_US,
                patience_with_endless: PATIENCE_WITH_US,
            },
            javarosa: Driver {
                command: java.to_vec(),
                patience: PATIENCE,
                patience_with_endless: PATIENCE_WITH_ENDLESS,
            },
            ledger,
            folder,
            now,
            settings: Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() },
            loaded: None,
            report: Report::default(),
        }
    }

    fn walk(&mut self, path: &Path, seed: u64) -> Walk {
        let form = match &self.loaded {
            Some((loaded, form)) if loaded == path => form.clone(),
            _ => {
                let xml = fs::read_to_string(path).unwrap_or_default();
                let form = FormDef::load(&xml, &Beside(path)).ok().map(|(form, _)| Arc::new(form));
                self.loaded = Some((path.to_owned(), form.clone()));
                form
            }
        };
        let now = self.now.as_millisecond();
        let events = form.as_ref().map(|form| walk::events(form, &self.settings, now, seed)).unwrap_or_default();
        let name = name(path);
        let is_endless = self.ledger.is_endless(&name);
        let job = Job { form: path.to_owned(), events: with_snapshots(events), is_endless };
        Walk { name, seed, form, job }
    }

    /// Replays the walks on both and notes what differs.
    fn compare(&mut self, walks: &[Walk]) {
        let jobs: Vec<Job> = walks.iter().map(|walk| walk.job.clone()).collect();
        let (theirs, ours) = self.replay(&jobs);
        let mut differing = Vec::new();
        for ((walk, theirs), ours) in walks.iter().zip(theirs).zip(ours) {
            let states = compare_outputs(&walk.job.events, &theirs, &ours);
            if states.iter().flatten().any(|difference| self.ledger.row(walk, difference).is_none()) {
                differing.push((walk, theirs, states));
            } else {
                self.count(walk, &states);
            }
        }
        // What no row explains is tried again: what differs between two runs of the same engine is chance.
        let again: Vec<Job> = differing.iter().map(|(walk, ..)| walk.job.clone()).collect();
        let again = self.javarosa.run(&again, &self.now.to_string(), &self.folder.join("again"));
        for ((walk, theirs, mut states), again) in differing.into_iter().zip(again) {
            let chance: Vec<Difference> =
                compare_outputs(&walk.job.events, &theirs, &again).into_iter().flatten().collect();
            for state in &mut states {
                state.retain(|difference| !chance.iter().any(|known| known.is_like(difference)));
            }
            self.count(walk, &states);
        }
    }

    /// The outputs of JavaRosa and of Veldwerk.
    fn replay(&self, jobs: &[Job]) -> (Vec<Value>, Vec<Value>) {
        let now = self.now.to_string();
        let (javarosa, veldwerk, folder) = (&self.javarosa, &self.veldwerk, self.folder);
        std::thread::scope(|scope| {
            let theirs = scope.spawn(|| javarosa.run(jobs, &now, &folder.join("javarosa")));
            let ours = veldwerk.run(jobs, &now, &folder.join("veldwerk"));
            (theirs.join().expect("JavaRosa's driver was run"), ours)
        })
    }

    fn count(&mut self, walk: &Walk, states: &[Vec<Difference>]) {
        let acts: Vec<&Value> = walk.job.events.iter().filter(|event| event["op"] != "snapshot").collect();
        self.report.n_walks += 1;
        self.report.n_events += acts.len() as u64;
        let mut has_told = false;
        for (index, state) in states.iter().enumerate() {
            self.report.n_states += 1;
            let unexplained: Vec<_> =
                state.iter().filter(|difference| !self.ledger.explains(walk, difference)).collect();
            if state.is_empty() {
                self.report.n_equal += 1;
            } else if unexplained.is_empty() {
                self.report.n_explained += 1;
            } else if !has_told {
                // What comes after the first may follow from it.
                has_told = true;
                let after =
                    index.checked_sub(1).and_then(|act| acts.get(act)).map_or("opening".into(), |act| act.to_string());
                for difference in unexplained {
                    let rule = walk.form.as_ref().and_then(|form| said::rule(form, difference));
                    let met = Met { form: &walk.name, seed: walk.seed, after: &after, rule };
                    self.report.unexplained(met, difference);
                }
            }
        }
    }
}

/// A snapshot before the first event and after each.
fn with_snapshots(events: Vec<Value>) -> Vec<Value> {
    let snapshot = |index: usize| json!({"op": "snapshot", "name": index.to_string()});
    let mut all = vec![snapshot(0)];
    for (index, event) in events.into_iter().enumerate() {
        all.extend([event, snapshot(index + 1)]);
    }
    all
}

/// The differences after opening and after each event.
fn compare_outputs(events: &[Value], theirs: &Value, ours: &Value) -> Vec<Vec<Difference>> {
    if let Some(status) = compare::statuses(theirs, ours) {
        return vec![vec![status]];
    }
    if theirs["status"] != "ok" {
        return vec![Vec::new()];
    }
    let mut states: Vec<Vec<Difference>> = Vec::new();
    let mut result = None;
    for (index, event) in events.iter().enumerate() {
        if let Some(name) = event["name"].as_str() {
            let mut differences = compare::states(&theirs["snapshots"][name], &ours["snapshots"][name]);
            differences.extend(result.take());
            states.push(differences);
        } else {
            result = compare::results(event, &theirs["results"][index], &ours["results"][index]);
        }
    }
    states
}

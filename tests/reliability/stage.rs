//! What a home is put on: a strict server with two projects, a home that is ready to copy, folders to import.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use veldwerk::ErrorKind;
use veldwerk::client::{Cancel, Client, Finalization, ProjectSource, Selection};
use veldwerk::store::ProjectId;
use veldwerk_tests::central::{Central, Received};
use veldwerk_tests::dice::bytes;

use crate::Options;
use crate::deed::File;
use crate::forms::{self, BARE, FIRST_MOMENT, VISIT};
use crate::ledger::ImportableRecord;
use crate::report::Report;
use crate::worker::{config, pause_us};

/// One stage for one home at a time.
pub(crate) struct Stage {
    folder: TempDir,
    tokens: [String; 2],
    /// Address of the project that every home has.
    pub(crate) url: String,
    /// Address of one that comes and goes.
    pub(crate) other_url: String,
    /// A home with the first project and its forms.
    pub(crate) template: PathBuf,
    /// A folder of records to import, and what lies in it.
    pub(crate) import: PathBuf,
    pub(crate) importable: Vec<ImportableRecord>,
}

/// A folder in memory where there is one: a killed process loses nothing that it wrote, so no disk need be waited for.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Works on one home or trace after the other, on a stage of its own on each core, until it is over or the time is. Each has a
/// number, and `work` says what was lost of it.
pub(crate) fn on_every_core(
    central: &Central,
    options: &Options,
    report: &mut Report,
    is_over: impl Fn() -> bool + Sync,
    work: impl Fn(&Stage, u64) -> Vec<String> + Sync,
) {
    if let Some(only) = options.only {
        report.lose(only, work(&Stage::new(central, 0), only));
        return;
    }
    let (began, next, report) = (Instant::now(), AtomicU64::new(0), Mutex::new(report));
    let is_over = || is_over() || began.elapsed() > Duration::from_secs(options.seconds);
    let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..n_threads {
            let (next, report, is_over, work) = (&next, &report, &is_over, &work);
            scope.spawn(move || {
                let stage = Stage::new(central, thread);
                while !is_over() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let losses = work(&stage, number);
                    report.lock().unwrap_or_else(PoisonError::into_inner).lose(number, losses);
                }
            });
        }
    });
}

impl Stage {
    /// Number `number` on this server.
    pub(crate) fn new(central: &Central, number: usize) -> Self {
        let folder = folder();
        let tokens = ["main", "other"].map(|name| format!("{name}{number:0>width$}", width = 64 - name.len()));
        for token in &tokens {
            central.open_project(token, forms::all("1"));
        }
        let (url, other_url) = (central.url(&tokens[0]), central.url(&tokens[1]));
        let template = folder.path().join("template");
        let import = folder.path().join("import");
        let (client, project) = begin(&template, &url, 1);
        drop(client);
        let (client, other) = begin(&folder.path().join("exporter"), &url, 2);
        assert_eq!(project, other);
        let importable = records_to_import(&client, project);
        assert!(client.export(&Selection::Unsent(project), &import).unwrap().is_complete());
        Self { folder, tokens, url, other_url, template, import, importable }
    }

    /// The folder of one home's things, made anew.
    pub(crate) fn place(&self, number: u64) -> PathBuf {
        let place = self.folder.path().join(format!("home-{number}"));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        place
    }

    /// What the server has of both projects.
    pub(crate) fn received(&self, central: &Central) -> Vec<Received> {
        self.tokens.iter().flat_map(|token| central.records(token)).collect()
    }

    /// Takes everything from the server that a home sent.
    pub(crate) fn clear(&self, central: &Central) {
        self.tokens.iter().for_each(|token| central.clear(token));
    }

    /// A token in an address.
    pub(crate) fn token_of<'t>(&'t self, url: &str) -> Option<&'t str> {
        self.tokens.iter().find(|token| url.contains(*token)).map(String::as_str)
    }
}

/// A home with a project and its forms.
fn begin(home: &Path, url: &str, seed: u64) -> (Client, ProjectId) {
    let client = open(home, FIRST_MOMENT, seed).unwrap();
    let source = ProjectSource::Url { url: url.to_owned(), account: None };
    let project = client.add_project(&source, None).unwrap().project.id;
    let report = client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(report.forms.iter().all(|form| form.outcome.is_ok()), "{report:?}");
    (client, project)
}

fn records_to_import(client: &Client, project: ProjectId) -> Vec<ImportableRecord> {
    let mut records = Vec::new();
    for n in 1..=4 {
        let form = client.find_form(project, if n == 4 { BARE } else { VISIT }).unwrap().key;
        let mut draft = client.start_draft(form, None).unwrap();
        draft.answer("/data/name", Some(&format!("imported {n}"))).unwrap();
        let file = File { seed: 1000 + n, size: 40_000 * n };
        let photo = bytes(file.seed, file.size);
        let name = draft.attach_from("/data/photo", "jpg", &mut &photo[..]).unwrap();
        let Finalization::Finalized { record, .. } = draft.finalize().unwrap() else { panic!("violations") };
        let xml = String::from_utf8(client.store().submission_xml(record).unwrap()).unwrap();
        records.push((xml, BTreeMap::from([(name, file)])));
    }
    records
}

/// Held while a process is being made. A child has its parent's files until it becomes another program, and so for a moment
/// the lock of a home that another thread has let go of.
pub(crate) static FORKING: Mutex<()> = Mutex::new(());

/// How long a new process may take, after its maker goes on, until it has let go of its maker's files: the kernel wakes the
/// maker a little earlier. In steps of a millisecond.
const LETTING_GO: usize = 1000;

/// Opens a home of a harness.
pub(crate) fn open(home: &Path, now_ms: i64, seed: u64) -> veldwerk::Result<Client> {
    let open = || Client::open(config(home, now_ms, seed));
    let is_locked =
        |opened: &veldwerk::Result<Client>| opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::StoreInUse);
    let mut opened = open();
    if is_locked(&opened) {
        let _nobody = FORKING.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..LETTING_GO {
            opened = open();
            if !is_locked(&opened) {
                break;
            }
            pause_us(1000);
        }
    }
    opened
}

/// Copies a home.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

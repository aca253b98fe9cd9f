//! The speed table: ours beside a yardstick, interleaved in one run, in release. Run by `cargo xtask bench`, which fails if
//! a bound is missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot run says so by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a bench asks for the time")]

mod large;
mod many;
mod refresh;
mod table;
mod traffic;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use quick_xml::events::Event;
use table::Table;
use veldwerk::client::{Client, ClientConfig};
use veldwerk::clock::Step;
use veldwerk::form::FormDef;
use veldwerk::session::{FormSession, Settings};
use veldwerk::store::{Auth, Content, Key, NewForm, NewFormFile, NewProject, ProjectSettings, Store};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["refresh", home, url] => refresh::refresh(Path::new(home), url),
        // What is measured in a process of its own.
        ["attach-and-send", home, url, folder] => large::attach_and_send(Path::new(home), url, Path::new(folder)),
        ["open", home] => many::open(Path::new(home)),
        _ => return measure(),
    }
    ExitCode::SUCCESS
}

fn measure() -> ExitCode {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
    let form = std::fs::read_to_string(forms.join("questionnaire.xml")).unwrap();
    let files = read_folder(&forms.join("questionnaire-media"));
    let mut table = Table::begin();
    opening(&mut table, &form, &files);
    answering(&mut table, &form, &files);
    memory(&mut table, &forms);
    many::measure(&mut table);
    traffic::measure(&mut table);
    refresh::measure(&mut table);
    large::measure(&mut table);
    table.end()
}

fn read_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

/// Bytes in memory to the first screen, as a multiple of a bare pass of quick-xml over the same bytes.
fn opening(table: &mut Table, form: &str, files: &BTreeMap<String, Vec<u8>>) {
    const ROUNDS: usize = 60;
    let (mut ours, mut bare, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(time(|| bare_pass(form)));
        // The lists are other bytes than the form's, so they count apart.
        ours.push(time(|| first_screen(form, &())));
        lists.push(time(|| first_screen(form, files)));
    }
    let (ours, bare, lists) = (median(&mut ours), median(&mut bare), median(&mut lists));
    let ratio = |time: Duration| time.as_secs_f64() / bare.as_secs_f64();
    table.say("bare quick-xml pass over questionnaire.xml", micros(bare), "µs");
    table.say("questionnaire.xml, bytes to first screen", micros(ours), "µs");
    table.at_most("  as a multiple of the bare pass", ratio(ours), "×", 8.0);
    table.say("  with its two CSV lists (20 kB more)", ratio(lists), "×");
}

fn bare_pass(form: &str) {
    let mut reader = quick_xml::Reader::from_str(form);
    while !matches!(black_box(reader.read_event().unwrap()), Event::Eof) {}
}

fn first_screen(form: &str, files: &dyn veldwerk::form::Files) {
    let (form, _) = FormDef::load(form, files).unwrap();
    let session = FormSession::begin(Arc::new(form), settings(), None, step(0), None).unwrap();
    black_box(session.screen(&session.first()));
}

/// `answer()` over all questions: the engine alone, and the whole call beside a one-row insert on the same connection.
fn answering(table: &mut Table, form: &str, files: &BTreeMap<String, Vec<u8>>) {
    let script = include_str!("../../cli/src/demo/cast/newcomer-en.jsonl");
    let events: Vec<(String, String)> = script.lines().map(event).collect();
    let (definition, _) = FormDef::load(form, files).unwrap();
    let definition = Arc::new(definition);
    let mut engine = Vec::new();
    for _ in 0..50 {
        let mut session = FormSession::begin(Arc::clone(&definition), settings(), None, step(0), None).unwrap();
        for (number, (node, value)) in events.iter().enumerate() {
            let edit = veldwerk::session::Edit::Answer { node: node.clone(), value: Some(value.clone()) };
            engine.push(time(|| black_box(session.apply(&edit, step(number as u64 + 1)).unwrap())));
        }
    }
    table.say("answer(), engine alone, p50", micros(percentile(&mut engine, 50)), "µs");
    table.say("answer(), engine alone, p99", micros(percentile(&mut engine, 99)), "µs");

    let folder = tempfile::tempdir().unwrap();
    let client = open_with_form(folder.path(), form, files);
    let key = client.store().forms(client.projects().unwrap()[0].id).unwrap()[0].key;
    let (mut whole, mut insert) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let mut draft = client.start_draft(key, None).unwrap();
        for (node, value) in &events {
            whole.push(time(|| black_box(draft.answer(node, Some(value)).unwrap())));
            insert.push(time(|| client.store().set_setting("bench", value).unwrap()));
        }
    }
    let ratio = |whole: Duration, insert: Duration| whole.as_secs_f64() / insert.as_secs_f64();
    let (p50, p99) = (percentile(&mut whole, 50), percentile(&mut whole, 99));
    let (insert50, insert99) = (percentile(&mut insert, 50), percentile(&mut insert, 99));
    table.say("answer(), on disk when it returns, p50", micros(p50), "µs");
    table.at_most("  as a multiple of a bare one-row commit, p50", ratio(p50, insert50), "×", 1.3);
    table.say("  as a multiple of a bare one-row commit, p99", ratio(p99, insert99), "×");
}

fn event(line: &str) -> (String, String) {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    (event["ref"].as_str().unwrap().to_owned(), event["value"].as_str().unwrap().to_owned())
}

fn open_with_form(folder: &Path, form: &str, files: &BTreeMap<String, Vec<u8>>) -> Client {
    let key = Key::generate().unwrap();
    let home = folder.join("home");
    let client = Client::open(ClientConfig::new(home, key, TimeZone::UTC)).unwrap();
    let project = client
        .store()
        .add_project(&NewProject {
            name: "Bench".into(),
            url_prefix: "https://h".into(),
            auth: Auth::None,
            settings: ProjectSettings::default(),
            ca: String::new(),
        })
        .unwrap();
    let lists = files.iter().filter(|(name, _)| name.ends_with(".csv"));
    let lists = lists.map(|(name, bytes)| list_file(client.store(), name, bytes));
    let form = NewForm {
        project,
        form_id: "pi_newcomers".into(),
        version: "1".into(),
        hash: String::new(),
        title: "Bench".into(),
        url: String::new(),
        xml: form.as_bytes().to_vec(),
        files: lists.collect(),
        fetched_at: 0,
    };
    client.store().install_form(&form).unwrap();
    client
}

/// A list of a form, in the database.
pub(crate) fn list_file(store: &Store, name: &str, bytes: &[u8]) -> NewFormFile {
    let mut writer = store.stage_data().unwrap();
    store.append_data(&mut writer, bytes).unwrap();
    NewFormFile {
        name: name.to_owned(),
        role: String::new(),
        hash: String::new(),
        etag: String::new(),
        md5: String::new(),
        content: Content::Data(store.finish_data(writer).unwrap()),
    }
}

/// Peak memory of `veldwerk drive` with 80 events, as the kernel counts it.
fn memory(table: &mut Table, forms: &Path) {
    let program = std::env::current_exe().unwrap().with_file_name("veldwerk");
    assert!(program.exists(), "build the command line into the same folder, as `cargo xtask bench` does");
    let events: String = include_str!("../../cli/src/demo/cast/newcomer-en.jsonl")
        .lines()
        .cycle()
        .take(80)
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("events.jsonl");
    std::fs::write(&path, events).unwrap();
    // `time -v` reads the peak of a child from the kernel; bash's own `time` does not tell memory.
    let out = Command::new("/usr/bin/env")
        .args(["sh", "-c", "\"$0\" drive \"$1\" \"$2\" > /dev/null & pid=$!; peak=0; while kill -0 $pid 2>/dev/null; do p=$(grep -s VmHWM /proc/$pid/status | tr -dc 0-9); [ -n \"$p\" ] && peak=$p; done; echo $peak"])
        .arg(&program)
        .arg(forms.join("questionnaire.xml"))
        .arg(&path)
        .output()
        .unwrap();
    let peak: f64 = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or(f64::NAN);
    table.at_most("veldwerk drive, 80 events, peak memory", peak * 1024.0 / 1e6, "MB", 20.0);
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() }
}

fn step(number: u64) -> Step {
    Step { at: 1_768_478_400_000, seed: 7, number }
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    percentile(times, 50)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

//! The speed table: ours beside a yardstick, interleaved in one run, in release. Run by `cargo xtask bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot run says so by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a bench asks for the time")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use quick_xml::events::Event;
use veldwerk::client::{Cancel, Client, ClientConfig, ProjectSource, Until};
use veldwerk::clock::Step;
use veldwerk::form::FormDef;
use veldwerk::session::{FormSession, Settings};
use veldwerk::store::{Auth, Content, Key, NewForm, NewFormFile, NewProject, NewRecord, ProjectSettings};
use veldwerk::sync::SyncPolicy;

fn main() {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
    let form = std::fs::read_to_string(forms.join("questionnaire.xml")).unwrap();
    let files = read_folder(&forms.join("questionnaire-media"));
    println!("{:<58} {:>14} {:>9}", "what", "measured", "bound");
    opening(&form, &files);
    answering(&form, &files);
    lists(&form, &files);
    choices();
    memory(&forms);
    sending();
}

fn read_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

fn row(what: &str, measured: String, bound: &str) {
    println!("{what:<58} {measured:>14} {bound:>9}");
}

/// Bytes in memory to the first screen, as a multiple of a bare pass of quick-xml over the same bytes.
fn opening(form: &str, files: &BTreeMap<String, Vec<u8>>) {
    const ROUNDS: usize = 60;
    let (mut ours, mut bare, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(time(|| bare_pass(form)));
        // The lists are other bytes than the form's, so they count apart.
        ours.push(time(|| first_screen(form, &())));
        lists.push(time(|| first_screen(form, files)));
    }
    let (ours, bare, lists) = (median(&mut ours), median(&mut bare), median(&mut lists));
    row("bare quick-xml pass over questionnaire.xml", format!("{:.0} µs", micros(bare)), "");
    row("questionnaire.xml, bytes to first screen", format!("{:.0} µs", micros(ours)), "");
    row("  as a multiple of the bare pass", format!("{:.1}×", ours.as_secs_f64() / bare.as_secs_f64()), "≤ 8×");
    row("  with its two CSV lists (20 kB more)", format!("{:.1}×", lists.as_secs_f64() / bare.as_secs_f64()), "");
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
fn answering(form: &str, files: &BTreeMap<String, Vec<u8>>) {
    let script = include_str!("../cli/src/demo/cast/newcomer-en.jsonl");
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
    row("answer(), engine alone, p50", format!("{:.1} µs", micros(percentile(&mut engine, 50))), "");
    row("answer(), engine alone, p99", format!("{:.1} µs", micros(percentile(&mut engine, 99))), "");

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
    let ratio = |whole: Duration, insert: Duration| format!("{:.2}×", whole.as_secs_f64() / insert.as_secs_f64());
    let (p50, p99) = (percentile(&mut whole, 50), percentile(&mut whole, 99));
    let (insert50, insert99) = (percentile(&mut insert, 50), percentile(&mut insert, 99));
    row("answer(), on disk when it returns, p50", format!("{:.0} µs", micros(p50)), "");
    row("  as a multiple of a one-row insert, p50", ratio(p50, insert50), "≤ 2×");
    row("  as a multiple of a one-row insert, p99", ratio(p99, insert99), "");
}

fn event(line: &str) -> (String, String) {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    (event["ref"].as_str().unwrap().to_owned(), event["value"].as_str().unwrap().to_owned())
}

fn open_home(folder: &Path) -> Client {
    Client::open(ClientConfig::new(folder.join("home"), Key::from_bytes([7; 32]), TimeZone::UTC)).unwrap()
}

fn open_with_form(folder: &Path, form: &str, files: &BTreeMap<String, Vec<u8>>) -> Client {
    let client = open_home(folder);
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
    let store = client.store();
    let lists = files.iter().filter(|(name, _)| name.ends_with(".csv")).map(|(name, bytes)| {
        let mut writer = store.stage_data().unwrap();
        store.append_data(&mut writer, bytes).unwrap();
        NewFormFile {
            name: name.clone(),
            role: String::new(),
            hash: String::new(),
            etag: String::new(),
            md5: String::new(),
            content: Content::Data(store.finish_data(writer).unwrap()),
        }
    });
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

/// A thousand small records to a server that answers after the 8 ms of a Central (central-server.md §6), beside a bare loop of
/// `reqwest` that posts the same bytes on one connection and keeps nothing.
fn sending() {
    const RECORDS: usize = 1_000;
    let address = slow_server(Duration::from_millis(8));
    let xml = |n: usize| {
        let story = "words ".repeat(150);
        format!("<data id=\"visit\"><story>{story}</story><meta><instanceID>uuid:{n}</instanceID></meta></data>")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The workspace's reqwest comes without a cryptography of its own, and asks for one even where there is none to do.
    tokio_rustls::rustls::crypto::ring::default_provider().install_default().unwrap();
    let bare = time(|| {
        runtime.block_on(async {
            let client = reqwest::Client::new();
            for n in 0..RECORDS {
                let part = reqwest::multipart::Part::bytes(xml(n).into_bytes()).file_name("submission.xml");
                let form = reqwest::multipart::Form::new().part("xml_submission_file", part);
                let sent = client.post(format!("http://{address}/p/submission")).multipart(form).send().await.unwrap();
                assert_eq!(sent.status(), 201);
                sent.bytes().await.unwrap();
            }
        });
    });

    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let config = ClientConfig {
        home,
        key: Key::generate().unwrap(),
        time_zone: TimeZone::UTC,
        fixed: None,
        policy: SyncPolicy::default(),
    };
    let client = Client::open(config).unwrap();
    let source = ProjectSource::Url { url: format!("http://{address}/p"), account: None };
    let project = client.add_project(&source, None).unwrap().project.id;
    for n in 0..RECORDS {
        let record = NewRecord {
            project,
            instance_id: format!("uuid:{n}"),
            form_id: "visit".into(),
            version: String::new(),
            title: "Visit".into(),
            name: String::new(),
            xml: xml(n).into_bytes(),
            finalized_at: n as i64,
        };
        client.store().import_record(&record, vec![]).unwrap();
    }
    let ours = time(|| {
        let sent = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
        assert!(sent.is_done() && sent.records.len() == RECORDS);
    });
    row("1,000 small records, a bare loop of reqwest", format!("{:.1} s", bare.as_secs_f64()), "");
    row("1,000 small records, sent and kept account of", format!("{:.1} s", ours.as_secs_f64()), "");
    row("  as a share of the bare loop's speed", format!("{:.2}×", bare.as_secs_f64() / ours.as_secs_f64()), "≥ 0.8×");
}

/// A server that takes every record so long after it has heard it; where it listens.
fn slow_server(latency: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer_all(stream.unwrap(), latency));
        }
    });
    address
}

fn answer_all(stream: TcpStream, latency: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut is_head, mut size) = (None, 0);
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line).ok()? == 0 {
                return None;
            }
            is_head.get_or_insert(line.starts_with("HEAD"));
            if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                size = length.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        std::io::copy(&mut (&mut requests).take(size), &mut std::io::sink()).ok()?;
        std::thread::sleep(latency);
        let reply = if is_head == Some(true) {
            "HTTP/1.1 204 X\r\nX-OpenRosa-Version: 1.0\r\n\r\n"
        } else {
            "HTTP/1.1 201 X\r\nContent-Type: text/xml\r\nX-OpenRosa-Version: 1.0\r\nContent-Length: 0\r\n\r\n"
        };
        (&stream).write_all(reply.as_bytes()).ok()?;
    }
}

/// Lists of a phone that has 10,000 records of 20 kB and 1,000 drafts, and opening one of these.
fn lists(form: &str, files: &BTreeMap<String, Vec<u8>>) {
    const N_RECORDS: usize = 10_000;
    const N_DRAFTS: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let client = open_with_form(folder.path(), form, files);
    let project = client.projects().unwrap()[0].id;
    let xml = format!("<data>{}</data>", "word ".repeat(4_000));
    for n in 0..N_RECORDS {
        let record = NewRecord {
            project,
            instance_id: format!("uuid:{n}"),
            form_id: "pi_newcomers".into(),
            version: "1".into(),
            title: "Bench".into(),
            name: format!("Súdwest-Fryslân {n}"),
            xml: xml.clone().into_bytes(),
            finalized_at: n as i64,
        };
        client.store().import_record(&record, Vec::new()).unwrap();
    }
    let key = client.store().forms(project).unwrap()[0].key;
    let mut last = None;
    for _ in 0..N_DRAFTS {
        let mut draft = client.start_draft(key, None).unwrap();
        draft.answer("/data/intro/consent", Some("yes")).unwrap();
        draft.save().unwrap();
        last = Some(draft.id());
    }
    let millis = |mut times: Vec<Duration>| format!("{:.1} ms", micros(median(&mut times)) / 1e3);
    let rounds = |work: &dyn Fn()| (0..15).map(|_| time(work)).collect::<Vec<_>>();
    let listed = rounds(&|| assert_eq!(client.outbox(None).unwrap().len(), N_RECORDS));
    row("10,000 records of 20 kB, listed", millis(listed), "≤ 20 ms");
    let searched = rounds(&|| assert_eq!(client.find_records(None, "sudwest fryslan 777").unwrap().len(), 11));
    row("10,000 records, searched by name", millis(searched), "≤ 20 ms");
    let drafts = rounds(&|| assert_eq!(client.drafts(None).unwrap().len(), N_DRAFTS));
    row("1,000 drafts, listed", millis(drafts), "≤ 20 ms");
    let opened = rounds(&|| drop(client.open_draft(last.unwrap()).unwrap()));
    row("a draft opened, 10,000 records beside it", millis(opened), "≤ 20 ms");
    // From nothing to the list of drafts: lock, key, database, marker, housekeeping.
    drop(client);
    let opened = rounds(&|| assert_eq!(open_home(folder.path()).drafts(None).unwrap().len(), N_DRAFTS));
    row("a home with 1,000 drafts opened, its drafts listed, closed", millis(opened), "≤ 50 ms");
}

/// A question with 10,000 choices.
fn choices() {
    let mut csv = String::from("name,label\n");
    (0..10_000).for_each(|n| csv.push_str(&format!("m{n},Súdwest-Fryslân {n}\n")));
    let files = BTreeMap::from([("places.csv".to_owned(), csv.into_bytes())]);
    let form = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head>
        <h:title>T</h:title><model><instance><d id="t"><a/><meta><instanceID/></meta></d></instance>
        <instance id="places" src="jr://file-csv/places.csv"/></model></h:head><h:body><select ref="/d/a">
        <itemset nodeset="instance('places')/root/item"><value ref="name"/><label ref="label"/></itemset></select></h:body></h:html>"#;
    let (form, _) = FormDef::load(form, &files).unwrap();
    let mut session = FormSession::begin(Arc::new(form), settings(), None, step(0), None).unwrap();
    let answer = veldwerk::session::Edit::Answer { node: "/d/a".into(), value: Some("m9999 m5 m7000".into()) };
    session.apply(&answer, step(1)).unwrap();
    let node = session.node("/d/a").unwrap();
    let millis = |mut times: Vec<Duration>| format!("{:.1} ms", micros(median(&mut times)) / 1e3);
    let rounds = |work: &dyn Fn()| (0..15).map(|_| time(work)).collect::<Vec<_>>();
    let shown = rounds(&|| assert_eq!(session.question_at(node).unwrap().choices.len(), 3));
    row("a question with 10,000 choices, 3 chosen: its view", millis(shown), "");
    let page = rounds(&|| assert_eq!(session.choices(node, "", 9_000, 50).unwrap().choices.len(), 50));
    row("  a page of 50", millis(page), "");
    let found = rounds(&|| assert_eq!(session.choices(node, "sudwest-fryslan 777", 0, 50).unwrap().total, 11));
    row("  searched", millis(found), "");
}

/// Peak memory of `veldwerk drive` with 80 events, as the kernel counts it.
fn memory(forms: &Path) {
    let program = std::env::current_exe().unwrap().with_file_name("veldwerk");
    let events: String = include_str!("../cli/src/demo/cast/newcomer-en.jsonl")
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
    row("veldwerk drive, 80 events, peak memory", format!("{:.1} MB", peak * 1024.0 / 1e6), "≤ 20 MB");
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

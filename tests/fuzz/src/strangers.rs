//! What strangers write and this program reads, a function each: any bytes give a value or a typed error; never a panic, a
//! hang, or a value that breaks what the rest relies on.
//!
//! The fuzz targets call them, and so does `tests/strangers.rs`, which includes this file, over the seeds and some thousand
//! mutations of them, so that every run of the tests does a little of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;
use veldwerk::client::{Client, ClientConfig, ImportFrom, ProjectSource};
use veldwerk::clock::Step;
use veldwerk::dataset::{self, Dataset, Rows};
use veldwerk::engine::{Engine, Limits, Settings};
use veldwerk::form::FormDef;
use veldwerk::ids::NodeId;
use veldwerk::instance::Writer;
use veldwerk::openrosa::{form_list, manifest, record, response, settings_qr};
use veldwerk::session::{FormSession, State};
use veldwerk::store::{Imported, Key, NewAttachment, ProjectId, ProjectSettings};
use veldwerk::xml::Names;

/// A form with a bit of everything.
const FORM: &str = include_str!("../seeds/form_load/small.xml");

/// Counted repeats in each other.
const NESTED: &str = include_str!("../seeds/form_load/nested.xml");

/// Repeats that a person extends, whose rows read each other.
const OPEN: &str = include_str!("../seeds/form_load/open.xml");

static FORMS: LazyLock<[Arc<FormDef>; 3]> =
    LazyLock::new(|| [FORM, NESTED, OPEN].map(|xml| Arc::new(FormDef::load(xml, &()).unwrap().0)));

/// A list of forms. What was read is written and read again the same.
pub fn list_of_forms(bytes: &[u8]) {
    let Ok(list) = form_list::read(bytes) else { return };
    assert!(list.forms.iter().all(|form| !form.form_id.is_empty() && !form.download_url.is_empty()));
    let again = form_list::read(form_list::write(&list.forms).as_bytes()).unwrap();
    assert_eq!(again.forms, list.forms);
    list.broken.iter().for_each(|entry| drop(entry.error.to_string()));
}

/// A manifest. Its names stay in their folder and are all different.
pub fn list_of_files(bytes: &[u8]) {
    let Ok(list) = manifest::read(bytes) else { return };
    let mut names: Vec<_> = list.files.iter().map(|file| file.name.as_str()).collect();
    assert!(names.iter().all(|name| Path::new(name).file_name().is_some_and(|plain| plain == *name)), "{names:?}");
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    assert_eq!(manifest::read(manifest::write(&list.files).as_bytes()).unwrap().files, list.files);
}

/// A reply to a record; and a record, which a server may send back.
pub fn reply(bytes: &[u8]) {
    let _ = response::read(bytes).text();
    if let Ok(read) = record::read(bytes) {
        assert!(!read.form_id.is_empty());
    }
}

/// A settings code. What was read is written and read again the same.
pub fn code(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = ProjectSource::of_text(text);
    let Ok(settings) = settings_qr::decode(text) else { return };
    let again = settings_qr::decode(&settings_qr::encode(&settings).unwrap()).unwrap();
    // Keys that changed nothing are named, and not written.
    assert!(again == settings_qr::Settings { unused: vec![], ..settings });
}

/// JSON that this program wrote once: the settings of a project, the state of a draft, `home.json`.
pub fn json_of_ours(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let settings = ProjectSettings::from_json(text);
        assert!(ProjectSettings::from_json(&settings.to_json()) == settings);
    }
    if let Ok(state) = State::from_bytes(bytes) {
        state_of_a_draft(&state);
    }
    HOME.with_borrow_mut(|home| home.get_or_insert_with(Home::new).reopens_after(bytes));
}

/// A session that a state gives goes on like any other.
fn state_of_a_draft(state: &State) {
    let [form, ..] = &*FORMS;
    let Ok(mut session) = FormSession::from_state(Arc::clone(form), settings(), state, 7, None) else { return };
    let again = State::from_bytes(&session.state().to_bytes().unwrap()).unwrap();
    assert!(again == session.state());
    for key in session.screens() {
        let _ = session.screen(&key);
    }
    let _ = session.finalize(step(1_000_000));
}

/// The folder of an exported record: `record.json`, XML and file, with a NUL between; a byte before them says whether the
/// hashes are made to fit, so that what lies behind them is reached.
pub fn exported_record(bytes: &[u8]) {
    HOME.with_borrow_mut(|home| home.get_or_insert_with(Home::new).takes(bytes));
}

/// A home that lasts: opening one for each input would take most of the time.
struct Home {
    folder: TempDir,
    project: ProjectId,
    client: Option<Client>,
}

thread_local! {
    static HOME: RefCell<Option<Home>> = const { RefCell::new(None) };
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = open(&folder.path().join("home")).unwrap();
        let url = "https://e.org/v1/key/token/projects/1".to_owned();
        let project = client.add_project(&ProjectSource::Url { url, account: None }, None).unwrap().project.id;
        Self { folder, project, client: Some(client) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Whatever stands in `home.json`, the home opens or says why not; with the right one again, all is there.
    fn reopens_after(&mut self, bytes: &[u8]) {
        let file = self.path().join("home.json");
        let right = fs::read(&file).unwrap();
        self.client = None;
        fs::write(&file, bytes).unwrap();
        drop(open(&self.path()));
        fs::write(&file, right).unwrap();
        let client = open(&self.path()).unwrap();
        assert_eq!(client.projects().unwrap().len(), 1);
        self.client = Some(client);
    }

    /// What comes in is what lies in the folder, under the ids in its XML.
    fn takes(&mut self, bytes: &[u8]) {
        let client = self.client.as_ref().unwrap();
        let stick = self.folder.path().join("stick/record");
        let _ = fs::remove_dir_all(&stick);
        fs::create_dir_all(&stick).unwrap();
        let (fit, bytes) = bytes.split_first().map_or((false, bytes), |(first, rest)| (first % 2 == 0, rest));
        let mut parts = bytes.splitn(3, |byte| *byte == 0);
        let [json, xml, photo] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let json = if fit { made_to_fit(json, xml, photo) } else { json.to_vec() };
        fs::write(stick.join("record.json"), json).unwrap();
        fs::write(stick.join("submission.xml"), xml).unwrap();
        fs::write(stick.join("photo.jpg"), photo).unwrap();

        let report = client.import(self.project, &self.folder.path().join("stick"), ImportFrom::SameServer).unwrap();
        let arrived = report.records.iter().filter_map(|record| record.outcome.as_ref().ok());
        let ids: Vec<_> = arrived
            .map(|import| match import.arrival {
                Imported::Queued(id) => id,
                other => panic!("{other:?}, though the outbox was empty"),
            })
            .collect();
        assert_eq!(client.outbox(None).unwrap().len(), ids.len());
        let store = client.store();
        for &id in &ids {
            assert_eq!(store.submission_xml(id).unwrap(), xml);
            let (row, head) = (store.submission(id).unwrap(), record::read(xml).unwrap());
            assert_eq!((row.instance_id, row.form_id, row.version), (head.instance_id, head.form_id, head.version));
            for attachment in store.submission_attachments(id).unwrap() {
                assert_eq!(store.read_attachment(attachment.id, 0, 1 << 20).unwrap(), photo);
            }
        }
        assert_eq!(store.discard(&ids).unwrap(), ids.len());
    }
}

fn open(home: &Path) -> veldwerk::Result<Client> {
    Client::open(ClientConfig::new(home.to_owned(), Key::from_bytes([7; 32]), TimeZone::UTC))
}

/// The same JSON with the sizes and hashes of what lies beside it.
fn made_to_fit(json: &[u8], xml: &[u8], photo: &[u8]) -> Vec<u8> {
    let Ok(mut record) = serde_json::from_slice::<Value>(json) else { return json.to_vec() };
    let of = |bytes: &[u8]| (bytes.len(), NewAttachment::of_bytes("", bytes).sha256);
    let (size, sha256) = of(xml);
    if record.is_object() {
        record["submission"] = json!({ "size": size, "sha256": sha256 });
    }
    let (size, sha256) = of(photo);
    for listed in record.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
        if listed.is_object() {
            listed["size"] = json!(size);
            listed["sha256"] = json!(sha256);
        }
    }
    record.to_string().into_bytes()
}

/// A written record of [`FORM`], from a draft, a server or another program: once read, it is written and read again the same.
pub fn written_record(bytes: &[u8]) {
    let (Ok(text), [form, ..]) = (std::str::from_utf8(bytes), &*FORMS) else { return };
    let Ok(engine) = Engine::restore(Arc::clone(form), settings(), text, step(1), None) else { return };
    let written = engine.write(Writer::Draft);
    let again = Engine::restore(Arc::clone(form), settings(), &written, step(1), None).unwrap();
    assert!(again == engine);
    assert_eq!(again.write(Writer::Draft), written);
    let Ok(mut reopened) = Engine::reopen(Arc::clone(form), settings(), text, step(2), None) else { return };
    let _ = reopened.finish(step(3));
}

/// A list in CSV: as many cells as columns in each row, and what a column holds is found in it.
pub fn csv_list(bytes: &[u8]) {
    let mut names = Names::default();
    let (rows, problems) = dataset::read_csv(bytes, &mut names);
    assert!(problems.iter().all(|(line, problem)| *line > 0 && !problem.is_empty()));
    finds_its_cells(&rows);
}

/// A list in GeoJSON: the same.
pub fn geojson_list(bytes: &[u8]) {
    let mut names = Names::default();
    match dataset::read_geojson(bytes, &mut names) {
        Ok(rows) => finds_its_cells(&rows),
        Err(problem) => assert!(!problem.is_empty()),
    }
}

fn finds_its_cells(rows: &Rows) {
    for column in 0..rows.columns().len().min(4) {
        for row in (0..rows.len()).take(20) {
            let cell = rows.cell(row, column).into_owned();
            assert!(rows.find(column, &cell).contains(&(row as u32)));
        }
    }
}

/// What a person or a driver does, an event a line: `a PLACE TEXT` answers the PLACE-th question, `+ PLACE` and `- PLACE` add
/// to a range and remove from it, `l TEXT` shows another language, `k` kills and restores. Incremental work gives what a full
/// recalculation gives, and a restored record is the one in memory.
pub fn events(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, lines) = text.split_once('\n').unwrap_or(("", text));
    let form = &FORMS[first.len() % FORMS.len()];
    let mut engine = Engine::begin(Arc::clone(form), settings(), step(0), None).unwrap();
    engine.set_limits(Limits { steps: 2_000_000, nodes: 3_000, bytes: 1 << 20 });
    for (number, line) in (1..).zip(lines.lines().take(60)) {
        let mut words = line.splitn(3, ' ');
        let [op, place, value] = std::array::from_fn(|_| words.next().unwrap_or_default());
        event(&mut engine, form, op, place.parse().unwrap_or_default(), value, number);
    }
    let full = engine.recomputed();
    assert!(engine == full, "incremental work differs from a full calculation");
}

fn event(engine: &mut Engine, form: &Arc<FormDef>, op: &str, place: usize, value: &str, number: u64) {
    let tree = engine.tree();
    let pick = |nodes: Vec<NodeId>| nodes.get(place % nodes.len().max(1)).copied();
    let repeats =
        |id: NodeId| form.nodes[tree.node(id).def].children.iter().filter(|&&def| form.nodes[def].repeat.is_some());
    match op {
        "a" => {
            // What a person puts in place of a calculated value stays until what it is calculated from changes.
            let is_asked = |&id: &NodeId| {
                let definition = &form.nodes[tree.node(id).def];
                definition.control.is_some() && definition.calculate.is_none()
            };
            let questions = tree.by_creation().filter(is_asked).collect();
            let Some(question) = pick(questions) else { return };
            let _ = engine.answer(question, Some(value), step(number));
        }
        "+" => {
            let ranges: Vec<String> = tree
                .by_creation()
                .flat_map(|id| repeats(id).map(move |&def| (id, def)))
                .map(|(id, def)| format!("{}/{}", engine.path(id), form.names.get(form.nodes[def].name)))
                .collect();
            let Some(range) = ranges.get(place % ranges.len().max(1)) else { return };
            let _ = engine.add_repeat(&range.clone(), step(number));
        }
        "-" => {
            let instances = tree.by_creation().filter(|&id| tree.node(id).serial > 0).collect();
            let Some(instance) = pick(instances) else { return };
            let _ = engine.remove_repeat(&engine.path(instance), step(number));
        }
        "l" => {
            let _ = engine.set_language(value, step(number));
        }
        "k" => {
            let state = engine.state();
            let restored = Engine::from_state(Arc::clone(form), settings(), &state, 7, None).unwrap();
            assert!(restored == *engine && restored.state() == state);
        }
        _ => {}
    }
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() }
}

fn step(number: u64) -> Step {
    Step { at: 1_790_000_000_000, seed: 7, number }
}

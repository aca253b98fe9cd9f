//! Ten thousand records, a thousand drafts, ten thousand choices.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use veldwerk::client::{Client, ClientConfig};
use veldwerk::store::{Auth, FormKey, Key, NewForm, NewProject, NewRecord, ProjectSettings};

use crate::table::Table;
use crate::{list_file, median, percentile, time};

const RECORDS: usize = 10_000;
const DRAFTS: usize = 1000;
const ROUNDS: usize = 20;

/// A form of a text and of a question with ten thousand choices.
const FORM: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
  <h:head><h:title>Many</h:title><model>
    <instance><data id="many" version="1"><name/><place/><meta><instanceID/><instanceName/></meta></data></instance>
    <instance id="places" src="jr://file-csv/places.csv"/>
    <bind nodeset="/data/name" type="string"/>
    <bind nodeset="/data/place" type="string"/>
    <bind nodeset="/data/meta/instanceID" type="string" calculate="once(concat('uuid:', uuid()))"/>
    <bind nodeset="/data/meta/instanceName" type="string" calculate="/data/name"/>
  </model></h:head>
  <h:body>
    <input ref="/data/name"><label>Name</label></input>
    <select1 ref="/data/place"><label>Place</label>
      <itemset nodeset="instance('places')/root/item"><value ref="name"/><label ref="label"/></itemset>
    </select1>
  </h:body></h:html>"#;

pub(crate) fn key() -> Key {
    Key::from_bytes([7; 32])
}

fn client(home: &Path) -> Client {
    Client::open(ClientConfig::new(home, key(), TimeZone::UTC)).unwrap()
}

fn install(client: &Client) -> FormKey {
    let project = NewProject {
        name: "Bench".into(),
        url_prefix: "https://h".into(),
        auth: Auth::None,
        settings: ProjectSettings::default(),
        ca: String::new(),
    };
    let project = client.store().add_project(&project).unwrap();
    let places: String = (0..RECORDS).map(|n| format!("p{n},Plaats {n} Súdwest\n")).collect();
    let file = list_file(client.store(), "places.csv", format!("name,label\n{places}").as_bytes());
    let form = NewForm {
        project,
        form_id: "many".into(),
        version: "1".into(),
        hash: String::new(),
        title: "Many".into(),
        url: String::new(),
        xml: FORM.as_bytes().to_vec(),
        files: vec![file],
        fetched_at: 0,
    };
    client.store().install_form(&form).unwrap()
}

pub(crate) fn measure(table: &mut Table) {
    // In memory where there is memory to write to: made only to be read.
    let folder = Path::new("/dev/shm");
    let folder = if folder.is_dir() { tempfile::tempdir_in(folder) } else { tempfile::tempdir() }.unwrap();
    let home = folder.path().join("home");
    let client = client(&home);
    let form = install(&client);
    let project = client.projects().unwrap()[0].id;
    for _ in 0..DRAFTS {
        client.start_draft(form, None).unwrap().answer("/data/name", Some("Somebody")).unwrap();
    }
    let xml = format!("<data id=\"many\">{}</data>", "word ".repeat(4000));
    for n in 0..RECORDS {
        let record = NewRecord {
            project,
            instance_id: format!("uuid:{n}"),
            form_id: "many".into(),
            version: "1".into(),
            title: "Many".into(),
            name: format!("Súdwest-Fryslân {n}"),
            xml: xml.clone().into_bytes(),
            finalized_at: n as i64,
        };
        client.store().import_record(&record, Vec::new()).unwrap();
    }
    let list = || assert_eq!(client.outbox(None).unwrap().len(), RECORDS);
    table.at_most("list of 10,000 records of 20 kB", rounds(list), "ms", 20.0);
    let search = || assert_eq!(client.find_records(None, "sudwest fryslan 777").unwrap().len(), 11);
    table.at_most("  search among them by name, letters folded", rounds(search), "ms", 20.0);

    let drafts = client.drafts(None).unwrap();
    let mut opened: Vec<Duration> =
        drafts.iter().step_by(DRAFTS / ROUNDS).map(|draft| time(|| client.open_draft(draft.id).unwrap())).collect();
    table.at_most("  open one of 1,000 drafts beside them, p95", millis(percentile(&mut opened, 95)), "ms", 20.0);

    let mut draft = client.open_draft(drafts[0].id).unwrap();
    draft.answer("/data/place", Some("p9999")).unwrap();
    let place = draft.session().node("/data/place").unwrap();
    let show = || assert_eq!(draft.session().question_at(place).unwrap().choices.len(), 1);
    table.say("a question with 10,000 choices, one chosen: its view", rounds(show), "ms");
    let page = || assert_eq!(draft.session().choices(place, "", 9000, 50).unwrap().choices.len(), 50);
    table.say("  a page of 50", rounds(page), "ms");
    let search = || assert!(draft.session().choices(place, "777 sudwest", 0, 50).unwrap().total > 0);
    table.at_most("  search in them, letters folded", rounds(search), "ms", 20.0);
    drop((draft, client));

    let mut cold: Vec<Duration> = (0..ROUNDS).map(|_| open_apart(&home)).collect();
    table.at_most("cold open of that store, in a new process", millis(median(&mut cold)), "ms", 50.0);
}

/// Opens a home in a process of its own, which says how long it took until the drafts could be shown.
fn open_apart(home: &Path) -> Duration {
    let program = std::env::current_exe().unwrap();
    let out = Command::new(program).arg("open").arg(home).output().unwrap();
    let micros: u64 = String::from_utf8_lossy(&out.stdout).trim().parse().expect("a time");
    Duration::from_micros(micros)
}

/// The child of [`open_apart`].
pub(crate) fn open(home: &Path) {
    let began = Instant::now();
    let drafts = client(home).drafts(None).unwrap();
    let took = began.elapsed();
    assert_eq!(drafts.len(), DRAFTS);
    println!("{}", took.as_micros());
}

/// The median of some rounds, in milliseconds.
fn rounds(work: impl Fn()) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time(&work)).collect();
    millis(median(&mut times))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

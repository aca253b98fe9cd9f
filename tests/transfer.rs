//! Records on a stick: whole or not there, whenever the phone dies, and believed as far as the hashes prove.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]
#![allow(clippy::disallowed_methods, reason = "the child is told its home in the environment")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use veldwerk::ErrorKind;
use veldwerk::client::{
    Client, ExportReport, ImportFrom, ImportReport, ProjectSource, RecordState, Selection, SubmissionId, Until,
};
use veldwerk::store::{Imported, ProjectId};
use veldwerk_tests::phone::{Phone, config};

const HOME: &str = "VELDWERK_TRANSFER_HOME";
const STICK: &str = "VELDWERK_TRANSFER_STICK";

/// A finished visit with a photo of this size; the record and its instanceID.
fn finished(phone: &Phone, name: &str, photo: usize) -> (SubmissionId, String) {
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some(name)).unwrap();
    draft.attach_from("/data/photo", "jpg", &mut vec![7; photo].as_slice()).unwrap();
    phone.finalized(draft.finalize().unwrap())
}

fn export(phone: &Phone, folder: &Path) -> ExportReport {
    phone.client().export(&Selection::Unsent(phone.project), folder).unwrap()
}

/// What comes in, whatever server it was made for.
fn import(phone: &Phone, folder: &Path) -> ImportReport {
    phone.client().import(phone.project, folder, ImportFrom::AnyServer).unwrap()
}

/// Whether each record came in as new, was there, or why it did not come in.
fn outcomes(report: &ImportReport) -> Vec<Result<bool, ErrorKind>> {
    let outcome = |outcome: &veldwerk::Result<veldwerk::client::Import>| match outcome {
        Ok(import) => Ok(matches!(import.arrival, Imported::Queued(_))),
        Err(error) => Err(error.kind()),
    };
    report.records.iter().map(|record| outcome(&record.outcome)).collect()
}

/// The folder of the one record on a stick.
fn only_folder(stick: &Path) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(stick).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

fn record_json(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("record.json")).unwrap()).unwrap()
}

fn write_json(folder: &Path, record: &Value) {
    fs::write(folder.join("record.json"), record.to_string()).unwrap();
}

/// The one photo beside a record.
fn photo_in(folder: &Path) -> PathBuf {
    folder.join(record_json(folder)["attachments"][0]["file"].as_str().unwrap())
}

/// What the first format knew of a record.
fn in_first_format(record: &Value) -> Value {
    let names: Vec<_> = record["attachments"].as_array().unwrap().iter().map(|listed| &listed["name"]).collect();
    json!({
        "instance_id": record["instance_id"], "form_id": record["form_id"], "version": record["version"],
        "title": record["title"], "name": record["name"], "finalized_at": record["finalized_at"], "attachments": names,
    })
}

#[test]
fn an_export_brings_the_same_bytes_through_another_phone() {
    let (phone, other) = (Phone::new(), Phone::new());
    let (record, instance_id) = finished(&phone, "Ada", 200_000);
    let xml = phone.client().store().submission_xml(record).unwrap();

    let stick = phone.path("stick");
    let exported = export(&phone, &stick);
    assert!(exported.is_complete(), "{exported:?}");
    assert_eq!(phone.client().outbox(None).unwrap()[0].state, RecordState::Ready);
    let folder = only_folder(&stick);
    let written = fs::read_to_string(folder.join("record.json")).unwrap();
    assert!(!written.contains(phone.server.token().unwrap().reveal()) && written.contains(&instance_id), "{written}");
    #[cfg(unix)]
    for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }

    for new in [true, false] {
        let imported = import(&other, &stick);
        assert_eq!(outcomes(&imported), [Ok(new)], "{imported:?}");
        assert!(imported.records[0].outcome.as_ref().is_ok_and(|import| import.is_proven), "{imported:?}");
    }
    assert_eq!(other.client().outbox(None).unwrap()[0].state, RecordState::Ready);
    assert!(other.send(Until::OnePass).is_done());
    let received = other.server.records("visit").unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!((&received[0].instance_id, &received[0].xml), (&instance_id, &xml));
    assert_eq!(received[0].attachments[0].1, vec![7; 200_000]);
    assert_eq!(outcomes(&import(&other, &stick)), [Ok(false)], "sent and still here");
}

#[test]
fn a_second_export_writes_nothing_and_a_new_record_is_added() {
    let phone = Phone::new();
    let stick = phone.path("stick");
    finished(&phone, "Ada", 1000);
    export(&phone, &stick);
    let folder = only_folder(&stick);
    let before = fs::metadata(folder.join("record.json")).unwrap().modified().unwrap();
    finished(&phone, "Eve", 1000);
    let again = export(&phone, &stick);
    let was_there: Vec<_> = again.records.iter().map(|record| record.outcome.as_ref().unwrap().was_there).collect();
    assert_eq!(was_there, [true, false]);
    assert_eq!(fs::metadata(folder.join("record.json")).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_dir(&stick).unwrap().count(), 2);
}

#[test]
fn sent_records_are_exported_when_asked_for() {
    let phone = Phone::new();
    finished(&phone, "Ada", 10);
    assert!(phone.send(Until::OnePass).is_done());
    assert_eq!(export(&phone, &phone.path("unsent")).records.len(), 0);
    let all = phone.client().export(&Selection::All(phone.project), &phone.path("all")).unwrap();
    assert_eq!(all.records.len(), 1);
    let these = Selection::Records(all.records.iter().map(|record| record.record).collect());
    assert!(phone.client().export(&these, &phone.path("all")).unwrap().records[0].outcome.as_ref().unwrap().was_there);
}

#[test]
fn two_records_with_one_instance_id_lie_side_by_side() {
    let phone = Phone::new();
    let xml = |name: &str| {
        format!("<data id=\"visit\" version=\"1\"><name>{name}</name><meta><instanceID>same</instanceID></meta></data>")
    };
    for (project, name) in [(phone.project, "Ada"), (another_project(&phone), "Eve")] {
        let stick = phone.path(name);
        fs::create_dir_all(stick.join("r")).unwrap();
        fs::write(stick.join("r/submission.xml"), xml(name)).unwrap();
        write_json(&stick.join("r"), &json!({ "instance_id": "same", "form_id": "visit", "attachments": [] }));
        assert_eq!(outcomes(&phone.client().import(project, &stick, ImportFrom::SameServer).unwrap()), [Ok(true)]);
    }
    let stick = phone.path("stick");
    let records: Vec<_> = phone.client().outbox(None).unwrap().iter().map(|record| record.id).collect();
    for was_there in [false, true] {
        let report = phone.client().export(&Selection::Records(records.clone()), &stick).unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert!(report.records.iter().all(|record| record.outcome.as_ref().unwrap().was_there == was_there));
    }
    assert_eq!(fs::read_dir(&stick).unwrap().count(), 2);
    let imported = import(&Phone::new(), &stick);
    assert_eq!(outcomes(&imported), [Ok(true), Err(ErrorKind::RecordDiffers)], "both are told of");
}

/// Another project of the phone's server, one more at each call.
fn another_project(phone: &Phone) -> ProjectId {
    let number = phone.client().projects().unwrap().len() + 1;
    let url = phone.server.project_url().unwrap().replace("projects/1", &format!("projects/{number}"));
    phone.client().add_project(&ProjectSource::Url { url, account: None }, None).unwrap().project.id
}

#[test]
fn one_bad_record_never_stops_the_others() {
    let phone = Phone::new();
    for name in ["Ada", "Bea", "Cleo"] {
        finished(&phone, name, 1000);
    }
    // The photo of the second is damaged where it lies.
    let records = phone.client().outbox(None).unwrap();
    let files: Vec<_> = fs::read_dir(phone.home().join("files")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let damaged = files.iter().find(|path| {
        let whole = fs::read(path).unwrap();
        fs::write(path, b"damaged").unwrap();
        let attachment = phone.client().store().submission_attachments(records[1].id).unwrap().remove(0);
        let is_it = phone.client().store().read_attachment(attachment.id, 0, 1).is_err();
        if !is_it {
            fs::write(path, whole).unwrap();
        }
        is_it
    });
    assert!(damaged.is_some());

    let stick = phone.path("stick");
    let report = export(&phone, &stick);
    let complete: Vec<_> = report.records.iter().map(|record| record.is_complete()).collect();
    assert_eq!(complete, [true, false, true], "{report:?}");
    let second = report.records[1].outcome.as_ref().unwrap();
    assert_eq!((second.attachments, second.missing[0].reason.as_str()), (0, "storage-damaged"));

    let imported = import(&Phone::new(), &stick);
    assert_eq!(outcomes(&imported), [Ok(true), Ok(true), Ok(true)], "the answers come first");
    let missing: usize = imported.records.iter().map(|record| record.outcome.as_ref().unwrap().missing).sum();
    assert_eq!(missing, 1);
}

#[test]
fn a_name_that_no_file_system_takes_is_no_obstacle() {
    let phone = Phone::new();
    let names = ["submission.xml", "record.json", "../up.jpg", "CON.png", "a/b.jpg", "é a.jpg", "Same.jpg", "same.jpg"];
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    for name in names {
        let mut draft = phone.client().start_draft(form.key, None).unwrap();
        draft.answer("/data/name", Some(name)).unwrap();
        phone.client().store().attach(draft.id(), name, &mut name.as_bytes()).unwrap();
        draft.answer("/data/photo", Some(name)).unwrap();
        let _ = phone.finalized(draft.finalize().unwrap());
    }
    let stick = phone.path("stick");
    assert!(export(&phone, &stick).is_complete());
    let other = Phone::new();
    assert!(import(&other, &stick).is_complete());
    let store = other.client().store();
    let mut arrived: Vec<_> = store
        .outbox(None)
        .unwrap()
        .iter()
        .map(|record| {
            let attachment = store.submission_attachments(record.id).unwrap().remove(0);
            assert_eq!(store.read_attachment(attachment.id, 0, 100).unwrap(), attachment.name.as_bytes());
            attachment.name
        })
        .collect();
    arrived.sort();
    let mut wanted = names;
    wanted.sort_unstable();
    assert_eq!(arrived, wanted);
}

/// Does something bad to the folder of a record.
type Harm = fn(&Path);

#[test]
fn only_what_the_hashes_prove_comes_in() {
    let phone = Phone::new();
    let outside = phone.path("outside.jpg");
    fs::write(&outside, vec![7; 1000]).unwrap();
    let harms: Vec<(&str, ErrorKind, Harm)> = vec![
        ("the XML is cut", ErrorKind::BrokenExport, |folder| cut(&folder.join("submission.xml"))),
        ("the XML has another answer", ErrorKind::BrokenExport, |folder| {
            let xml = fs::read_to_string(folder.join("submission.xml")).unwrap();
            fs::write(folder.join("submission.xml"), xml.replace("Ada", "Eve")).unwrap();
        }),
        ("the photo is cut", ErrorKind::BrokenExport, |folder| cut(&photo_in(folder))),
        ("the photo has other bytes", ErrorKind::BrokenExport, |folder| {
            fs::write(photo_in(folder), vec![8; 1000]).unwrap();
        }),
        ("the photo is gone", ErrorKind::BrokenExport, |folder| fs::remove_file(photo_in(folder)).unwrap()),
        ("the photo is a folder", ErrorKind::BrokenExport, |folder| {
            let photo = photo_in(folder);
            fs::remove_file(&photo).unwrap();
            fs::create_dir(photo).unwrap();
        }),
        ("the photo is a link to the very bytes", ErrorKind::BrokenExport, |folder| {
            let photo = photo_in(folder);
            fs::remove_file(&photo).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(folder.join("../../outside.jpg"), photo).unwrap();
        }),
        ("the photo is a device", ErrorKind::BrokenExport, |folder| {
            let photo = photo_in(folder);
            fs::remove_file(&photo).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink("/dev/zero", photo).unwrap();
        }),
        ("the photo lies elsewhere", ErrorKind::UnsafeFileName, |folder| list(folder, "../../outside.jpg")),
        ("the photo lies at a whole path", ErrorKind::UnsafeFileName, |folder| list(folder, "/etc/hostname")),
        ("the photo is the record itself", ErrorKind::UnsafeFileName, |folder| list(folder, "Submission.XML")),
        ("the photo has no name", ErrorKind::UnsafeFileName, |folder| list(folder, "")),
        ("a file is listed twice", ErrorKind::BrokenExport, |folder| {
            let mut record = record_json(folder);
            let twice = record["attachments"][0].clone();
            record["attachments"].as_array_mut().unwrap().push(twice);
            write_json(folder, &record);
        }),
        ("a file is listed under two names", ErrorKind::BrokenExport, |folder| {
            let mut record = record_json(folder);
            let mut twice = record["attachments"][0].clone();
            twice["name"] = json!("another.jpg");
            record["attachments"].as_array_mut().unwrap().push(twice);
            write_json(folder, &record);
        }),
        ("record.json is cut", ErrorKind::UnreadableRecord, |folder| cut(&folder.join("record.json"))),
        ("record.json is gone", ErrorKind::BrokenExport, |folder| fs::remove_file(folder.join("record.json")).unwrap()),
        ("record.json has no end", ErrorKind::BrokenExport, |folder| {
            fs::write(folder.join("record.json"), vec![b' '; 2 << 20]).unwrap();
        }),
        ("a later program wrote it", ErrorKind::UnreadableRecord, |folder| {
            let mut record = record_json(folder);
            record["format"] = json!(3);
            write_json(folder, &record);
        }),
        ("the first format with an id that is not in the XML", ErrorKind::BrokenExport, |folder| {
            let mut record = in_first_format(&record_json(folder));
            record["instance_id"] = json!("uuid:another");
            write_json(folder, &record);
        }),
        ("the first format with another form", ErrorKind::BrokenExport, |folder| {
            let mut record = in_first_format(&record_json(folder));
            record["form_id"] = json!("pi_interview");
            write_json(folder, &record);
        }),
        ("the first format without its photo", ErrorKind::BrokenExport, |folder| {
            let photo = photo_in(folder);
            write_json(folder, &in_first_format(&record_json(folder)));
            fs::remove_file(photo).unwrap();
        }),
        ("the first format with a cut XML", ErrorKind::UnreadableRecord, |folder| {
            write_json(folder, &in_first_format(&record_json(folder)));
            cut(&folder.join("submission.xml"));
        }),
        ("the first format with a file elsewhere", ErrorKind::UnsafeFileName, |folder| {
            let mut record = in_first_format(&record_json(folder));
            record["attachments"] = json!(["../../outside.jpg"]);
            write_json(folder, &record);
        }),
    ];
    let other = Phone::new();
    let mut n_records = 0;
    for (what, kind, harm) in harms {
        let (bad, _) = finished(&phone, "Ada", 1000);
        let (good, _) = finished(&phone, "Ada", 1000);
        let stick = phone.path(&format!("stick-{n_records}"));
        let report = phone.client().export(&Selection::Records(vec![bad, good]), &stick).unwrap();
        harm(&report.records[0].outcome.as_ref().unwrap().folder);
        let imported = import(&other, &stick);
        let mut came = outcomes(&imported);
        came.sort();
        assert_eq!(came, [Ok(true), Err(kind)], "{what}: {imported:?}");
        n_records += 1;
        assert_eq!(other.client().outbox(None).unwrap().len(), n_records, "{what}");
        let refused = imported.records.iter().find_map(|record| record.outcome.as_ref().err()).unwrap().to_string();
        assert!(!refused.contains("Ada") && !refused.contains("photo"), "{refused}");
    }
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// Lists the photo under another name on the disk.
fn list(folder: &Path, file: &str) {
    let mut record = record_json(folder);
    record["attachments"][0]["file"] = json!(file);
    write_json(folder, &record);
}

#[test]
#[cfg(unix)]
fn a_pipe_and_a_linked_folder_are_not_taken() {
    let (phone, other) = (Phone::new(), Phone::new());
    finished(&phone, "Ada", 1000);
    let stick = phone.path("stick");
    export(&phone, &stick);
    let folder = only_folder(&stick);
    let linked = phone.path("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(&folder, linked.join("record")).unwrap();
    assert_eq!(outcomes(&import(&other, &linked)), [Err(ErrorKind::BrokenExport)]);

    let photo = photo_in(&folder);
    fs::remove_file(&photo).unwrap();
    assert!(Command::new("mkfifo").arg(&photo).status().unwrap().success());
    assert_eq!(outcomes(&import(&other, &stick)), [Err(ErrorKind::BrokenExport)], "and nobody waits for its other end");
    assert_eq!(other.client().outbox(None).unwrap(), []);
}

#[test]
fn an_export_of_the_first_format_comes_in_unproven_and_after_the_proven() {
    let (phone, other) = (Phone::new(), Phone::new());
    finished(&phone, "Ada", 1000);
    let stick = phone.path("stick");
    export(&phone, &stick);
    // A cut copy of the first format, which stands before the whole one.
    let (folder, copy) = (only_folder(&stick), stick.join("a-copy"));
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
    }
    write_json(&copy, &in_first_format(&record_json(&folder)));
    fs::write(copy.join(photo_in(&folder).file_name().unwrap()), b"cut").unwrap();
    assert_eq!(outcomes(&import(&other, &stick)), [Err(ErrorKind::RecordDiffers), Ok(true)]);

    fs::write(stick.join("record.json"), "{}").unwrap();
    let stray = outcomes(&import(&other, &stick));
    assert_eq!(stray.iter().filter(|outcome| outcome.is_ok()).count(), 1, "a stray file hides nothing: {stray:?}");
    assert_eq!(stray.len(), 3);

    let third = Phone::new();
    fs::copy(photo_in(&folder), copy.join(photo_in(&folder).file_name().unwrap())).unwrap();
    let imported = import(&third, &copy);
    assert_eq!(outcomes(&imported), [Ok(true)], "the folder of one record is enough");
    assert!(imported.records[0].outcome.as_ref().is_ok_and(|import| !import.is_proven), "{imported:?}");
}

#[test]
fn ids_come_from_the_xml_and_files_it_does_not_name_are_left_out() {
    let (phone, other) = (Phone::new(), Phone::new());
    let (_, instance_id) = finished(&phone, "Ada", 1000);
    let stick = phone.path("stick");
    export(&phone, &stick);
    let folder = only_folder(&stick);
    let mut record = record_json(&folder);
    for key in ["instance_id", "form_id", "version", "title", "name"] {
        record[key] = json!("something else");
    }
    record["finalized_at"] = json!(i64::MAX);
    let mut extra = record["attachments"][0].clone();
    fs::copy(photo_in(&folder), folder.join("unnamed.jpg")).unwrap();
    (extra["name"], extra["file"]) = (json!("unnamed.jpg"), json!("unnamed.jpg"));
    record["attachments"].as_array_mut().unwrap().push(extra);
    write_json(&folder, &record);

    let imported = import(&other, &stick);
    assert_eq!(imported.records[0].outcome.as_ref().unwrap().left_out, 1, "{imported:?}");
    let queued = other.client().store().outbox(None).unwrap().remove(0);
    assert_eq!((queued.instance_id, queued.form_id, queued.version), (instance_id, "visit".into(), "1".into()));
    assert_eq!((queued.title.as_str(), queued.name.as_str()), ("Visit", ""));
    assert!(queued.form.is_some() && queued.finalized_at < i64::MAX / 2);
    assert_eq!(other.client().store().submission_attachments(queued.id).unwrap().len(), 1);
}

#[test]
fn records_go_to_another_project_of_the_same_server_and_no_further_unless_said() {
    let (phone, other) = (Phone::new(), Phone::new());
    finished(&phone, "Ada", 1000);
    let stick = phone.path("stick");
    export(&phone, &stick);
    let second = another_project(&phone);
    let same_server = phone.client().import(second, &stick, ImportFrom::SameServer).unwrap();
    assert_eq!(outcomes(&same_server), [Ok(true)]);
    let elsewhere = |from| outcomes(&other.client().import(other.project, &stick, from).unwrap());
    assert_eq!(elsewhere(ImportFrom::SameServer), [Err(ErrorKind::OtherServer)]);
    assert_eq!(elsewhere(ImportFrom::AnyServer), [Ok(true)]);
}

#[test]
fn a_full_store_still_exports() {
    let phone = Phone::new();
    finished(&phone, "Ada", 1000);
    phone.client().store().limit_pages(Some(1)).unwrap();
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let full = (0..10_000).find_map(|_| phone.client().start_draft(form.key, None).err()).unwrap();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert!(export(&phone, &phone.path("stick")).is_complete());
}

/// What the child does; in the parent, which names no home, nothing.
#[test]
fn child() {
    let (Some(home), Some(stick)) = (std::env::var_os(HOME), std::env::var_os(STICK)) else { return };
    let client = Client::open(config(Path::new(&home), None)).unwrap();
    let project = client.projects().unwrap()[0].id;
    client.export(&Selection::Unsent(project), Path::new(&stick)).unwrap();
}

/// How many files and folders lie below, those being written included.
fn n_entries(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| 1 + n_entries(&entry.path())).sum()
}

/// Exports in a child and kills it once so many files and folders are on the stick, or it has ended.
fn kill_at(home: &Path, stick: &Path, n_wanted: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--test-threads=1", "--quiet"])
        .env(HOME, home)
        .env(STICK, stick)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while n_entries(stick) < n_wanted && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_second_export_into_the_same_folder_that_is_killed_leaves_only_whole_records() {
    const N_FIRST: usize = 10;
    const N_RECORDS: usize = 13;
    /// A folder, its XML, its photo, its record.json.
    const PER_RECORD: usize = 4;
    let mut phone = Phone::new();
    for n in 0..N_FIRST {
        finished(&phone, &format!("visit {n}"), 100_000);
    }
    let first = phone.path("first");
    assert!(export(&phone, &first).is_complete());
    for n in N_FIRST..N_RECORDS {
        finished(&phone, &format!("visit {n}"), 100_000);
    }
    let xml: Vec<Vec<u8>> = {
        let store = phone.client().store();
        store.outbox(None).unwrap().iter().map(|record| store.submission_xml(record.id).unwrap()).collect()
    };
    phone.shut();
    let (other, mut n_half) = (Phone::new(), 0);
    for killed_at in N_FIRST * PER_RECORD + 1..=N_RECORDS * PER_RECORD {
        let stick = phone.path(&format!("stick-{killed_at}"));
        copy_all(&first, &stick);
        kill_at(&phone.home(), &stick, killed_at);

        n_half += fs::read_dir(&stick).unwrap().filter(|entry| is_pending(&entry.as_ref().unwrap().path())).count();

        let project = another_project(&other);
        let import = || other.client().import(project, &stick, ImportFrom::AnyServer).unwrap();
        let imported = import();
        assert!(imported.is_complete(), "killed at {killed_at}: {imported:?}");
        let store = other.client().store();
        let records = store.outbox(Some(project)).unwrap();
        assert!(records.len() >= N_FIRST, "killed at {killed_at}: {} records", records.len());
        for record in &records {
            assert!(xml.contains(&store.submission_xml(record.id).unwrap()));
            let photo = store.submission_attachments(record.id).unwrap().remove(0);
            assert_eq!(store.read_attachment(photo.id, 0, 200_000).unwrap(), vec![7; 100_000]);
        }
        // What was left half is taken away by the next one, and nothing is missing then.
        kill_at(&phone.home(), &stick, usize::MAX);
        assert_eq!(fs::read_dir(&stick).unwrap().count(), N_RECORDS, "killed at {killed_at}");
        assert!(import().is_complete());
        assert_eq!(store.outbox(Some(project)).unwrap().len(), N_RECORDS);
    }
    assert!(n_half > 0, "no kill struck while a record was written");
}

fn is_pending(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "new")
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

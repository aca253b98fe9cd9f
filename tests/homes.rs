//! Homes as people have them: of an older program, and on bad days.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde_json::Value;
use tempfile::TempDir;
use veldwerk::client::{Client, ClientConfig, DraftId, SubmissionId};
use veldwerk::store::{Attachment, Key};
use veldwerk::sync::SyncPolicy;

/// A copy of the home that a program of schema 1 made, and what was in it by that program's own account.
fn frozen_home() -> (TempDir, Value) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/store/testdata");
    let copy = tempfile::tempdir().unwrap();
    let home = testdata.join("home-0001");
    for folder in ["", "files", "media"] {
        fs::create_dir_all(copy.path().join(folder)).unwrap();
        for entry in fs::read_dir(home.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let contents = fs::read_to_string(testdata.join("home-0001.json")).unwrap();
    (copy, serde_json::from_str(&contents).unwrap())
}

fn open(home: PathBuf) -> Client {
    let mut key = [0; 32];
    (0..).zip(&mut key).for_each(|(n, byte)| *byte = n);
    let time_zone = TimeZone::get("Europe/Amsterdam").unwrap();
    Client::open(ClientConfig {
        home,
        key: Key::from_bytes(key),
        time_zone,
        fixed: None,
        policy: SyncPolicy::default(),
    })
    .unwrap()
}

/// The answers in a record's XML, each with the name of its element: `<name>Ada</name>` is `name>Ada<`.
fn answers(xml: &str) -> Vec<&str> {
    let pieces = xml.split("</").filter_map(|piece| piece.rsplit_once('<')).map(|(_, leaf)| leaf);
    pieces.filter(|leaf| leaf.split_once('>').is_some_and(|(_, text)| !text.is_empty())).collect()
}

fn assert_attachments(client: &Client, attachments: Vec<Attachment>, expected: &Value) {
    assert_eq!(attachments.len(), expected.as_array().unwrap().len());
    for (attachment, expected) in attachments.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(attachment.name, expected["name"]);
        assert_eq!(attachment.sent_at.is_some(), expected["sent"]);
        let bytes = client.store().read_attachment(attachment.id, 0, u64::MAX).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected["bytes"]);
    }
}

/// Twice, because the second opening meets what the first has made of it.
#[test]
fn every_draft_and_record_of_a_home_of_schema_1_is_there() {
    let (home, contents) = frozen_home();
    for _ in 0..2 {
        let client = open(home.path().to_owned());
        for expected in contents["drafts"].as_array().unwrap() {
            let id = DraftId(expected["id"].as_i64().unwrap());
            let draft = client.open_draft(id).unwrap();
            let (xml, was) = (draft.session().draft_xml(), expected["xml"].as_str().unwrap());
            // The draft that was killed before its first snapshot begins again under the id its row has.
            let known_as = client.store().draft(id).unwrap().summary.instance_id;
            assert!(known_as != "uuid:row-only" || xml.contains(&known_as), "{xml}");
            for answer in answers(was)
                .into_iter()
                .filter(|answer| known_as != "uuid:row-only" || !answer.starts_with("instanceID>"))
            {
                assert!(answers(&xml).contains(&answer), "draft {}: {answer} is not in {xml}", id.0);
            }
            assert_eq!(draft.session().language_name(), expected["language"].as_str(), "draft {}", id.0);
            assert_attachments(&client, client.store().draft_attachments(id).unwrap(), &expected["attachments"]);
        }
        assert_eq!(client.drafts(None).unwrap().len(), contents["drafts"].as_array().unwrap().len());
        for expected in contents["records"].as_array().unwrap() {
            let id = SubmissionId(expected["id"].as_i64().unwrap());
            let xml = client.store().submission_xml(id).unwrap();
            assert_eq!(String::from_utf8(xml).unwrap(), expected["xml"], "record {}", id.0);
            assert_attachments(&client, client.store().submission_attachments(id).unwrap(), &expected["attachments"]);
        }
        assert_eq!(client.outbox(None).unwrap().len(), contents["records"].as_array().unwrap().len());
        for project in client.projects().unwrap() {
            for form in client.forms(project.id).unwrap() {
                client.form(form.key).unwrap();
            }
        }
    }
}

//! The whole road: a questionnaire reaches a phone's store, is filled without a network, and arrives at a server exactly
//! once, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::client::{Cancel, Client, ClientConfig, Finalization, ProjectSource, RecordState, Until};
use veldwerk::form::Level;
use veldwerk::store::Key;
use veldwerk_server::{ServerConfig, serve};

#[test]
fn a_record_arrives_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
    let code = server.settings_code().unwrap().unwrap();
    let client =
        Client::open(ClientConfig::new(folder.path().join("home"), Key::generate().unwrap(), TimeZone::UTC)).unwrap();
    let project = client.add_project(&ProjectSource::SettingsCode(code), None).unwrap().project.id;
    let report = client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(report.forms.iter().all(|form| form.outcome.is_ok()), "{report:?}");

    let form = client.find_form(project, "pi_newcomers").unwrap();
    let notices = client.form_notices(form.key).unwrap();
    assert!(notices.iter().all(|notice| notice.level() == Level::Note), "{notices:?}");
    let mut draft = client.start_draft(form.key, Some("ar")).unwrap();
    draft.answer("/data/intro/consent", Some("no")).unwrap();
    draft.answer("/data/stopped/refuse_reason", Some("privacy")).unwrap();
    let Finalization::Finalized { record, instance_id, .. } = draft.finalize().unwrap() else { panic!("violations") };
    let sent = client.store().submission_xml(record).unwrap();

    let outcome = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(matches!(outcome.records[0].state, RecordState::Sent { .. }), "{outcome:?}");
    let received = server.records("pi_newcomers").unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].instance_id, instance_id);
    assert_eq!(received[0].xml, sent);
}

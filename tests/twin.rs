//! The same record from Rust and from Kotlin: one script of events, one clock, one seed, the same bytes.
//!
//! `bindings/kotlin` plays the same script through the bindings and compares with the same golden file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]
#![allow(clippy::disallowed_methods, reason = "the golden file is written anew on request")]

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::client::{Cancel, Client, ClientConfig, Finalization, Fixed, ProjectSource, Until};
use veldwerk::store::Key;
use veldwerk_server::{ServerConfig, serve};

#[test]
fn the_newcomer_in_arabic() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
    let fixed = Some(Fixed { now_ms: 1_768_478_400_000, seed: 7, device_id: "twin".into() });
    let time_zone = TimeZone::get("Europe/Amsterdam").unwrap();
    let config = ClientConfig::new(folder.path().join("home"), Key::generate().unwrap(), time_zone);
    let client = Client::open(ClientConfig { fixed, ..config }).unwrap();
    let code = server.settings_code().unwrap().unwrap();
    let project = client.add_project(&ProjectSource::SettingsCode(code), None).unwrap().project.id;
    client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    let form = client.find_form(project, "pi_newcomers").unwrap();
    let mut draft = client.start_draft(form.key, Some("ar")).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for line in std::fs::read_to_string(here.join("../cli/src/demo/cast/newcomer-ar.jsonl")).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        draft.answer(event["ref"].as_str().unwrap(), event["value"].as_str()).unwrap();
    }
    let Finalization::Finalized { .. } = draft.finalize().unwrap() else { panic!("violations") };
    let sent = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(sent.is_done(), "{sent:?}");

    let received = server.records("pi_newcomers").unwrap().remove(0).xml;
    let golden = here.join("golden/newcomer-ar.xml");
    if std::env::var_os("VELDWERK_UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &received).unwrap();
    }
    assert_eq!(String::from_utf8(received).unwrap(), std::fs::read_to_string(golden).unwrap());
}

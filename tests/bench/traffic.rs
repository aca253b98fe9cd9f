//! A thousand small records to a server that answers after eight milliseconds, beside a bare loop of requests.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::multipart::{Form, Part};
use veldwerk::client::{Cancel, Client, ClientConfig, Finalization, ProjectSource, Until};
use veldwerk_tests::central::{Central, Published, Rules};
use veldwerk_tests::phone::visit;

use crate::many::key;
use crate::table::Table;
use crate::time;

const ROUNDS: usize = 4;
const RECORDS: usize = 250;

pub(crate) fn measure(table: &mut Table) {
    let central = Central::start(Rules { latency: Duration::from_millis(8), ..Rules::default() });
    let token = "t".repeat(64);
    let xml = String::from_utf8(visit("1").xml).unwrap();
    let form = Published { form_id: "visit".into(), version: "1".into(), xml, ..Published::default() };
    central.open_project(&token, vec![form]);
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(ClientConfig::new(folder.path().join("home"), key(), TimeZone::UTC)).unwrap();
    client.add_project(&ProjectSource::Url { url: central.url(&token), account: None }, None).unwrap();
    let project = client.projects().unwrap()[0].id;
    client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    let form = client.find_form(project, "visit").unwrap().key;

    // reqwest wants to know a cipher suite, also for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bare = runtime.block_on(async { reqwest::Client::new() });
    let url = format!("{}/submission", central.url(&token));
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        let mut xml = String::new();
        for n in 0..RECORDS {
            let mut draft = client.start_draft(form, None).unwrap();
            draft.answer("/data/name", Some(&format!("somebody {n}"))).unwrap();
            let Finalization::Finalized { record, .. } = draft.finalize().unwrap() else { panic!("violations") };
            xml = String::from_utf8(client.store().submission_xml(record).unwrap()).unwrap();
        }
        let id = xml.split("<instanceID>").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
        theirs += time(|| {
            runtime.block_on(async {
                for n in 0..RECORDS {
                    let xml = xml.replace(&id, &format!("uuid:bare-{round}-{n}"));
                    post(&bare, &url, xml).await;
                }
            });
        });
        ours += time(|| {
            let sent = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
            assert!(sent.is_done(), "{sent:?}");
        });
    }
    assert_eq!(central.records(&token).len(), 2 * ROUNDS * RECORDS);
    let per_second = |time: Duration| (ROUNDS * RECORDS) as f64 / time.as_secs_f64();
    table.say("1,000 small records, server of 8 ms, bare reqwest loop", per_second(theirs), "/s");
    table.say("  sent from the outbox", per_second(ours), "/s");
    table.at_least("  as a share of the bare loop", per_second(ours) / per_second(theirs), "×", 0.8);
}

async fn post(client: &reqwest::Client, url: &str, xml: String) {
    let part = Part::text(xml).file_name("submission.xml").mime_str("text/xml").unwrap();
    let form = Form::new().part("xml_submission_file", part);
    let reply = client.post(url).header("X-OpenRosa-Version", "1.0").multipart(form).send().await.unwrap();
    assert_eq!(reply.status(), 201);
    reply.bytes().await.unwrap();
}

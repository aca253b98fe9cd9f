//! A phone that dies: a child process fills and sends, is killed with SIGKILL at every numbered point, and another goes on.
//!
//! The child says each point when it has passed it, and goes on; so the kill strikes anywhere behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]
#![allow(clippy::disallowed_methods, reason = "the child is told its home in the environment")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use veldwerk::client::{Cancel, Client, Finalization, Until};
use veldwerk_tests::phone::{Phone, config};

const HOME: &str = "VELDWERK_CRASH_HOME";
const POINT: &str = "passed a point";
const NAME: &str = "/data/name";
const STORY: &str = "/data/story";
const PHOTO: &[u8] = &[0xff; 100_000];
/// Begun, six answers, a move, a photo, finalised, sent.
const N_POINTS: usize = 11;

/// What the child does; in the parent, which names no home, nothing.
#[test]
fn child() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let client = Client::open(config(Path::new(&home), None)).unwrap();
    go_the_road(&client, &mut || {
        println!("\n{POINT}");
        std::io::stdout().flush().unwrap();
    });
}

/// Goes on with what is there, from nothing to a sent record, and says each point that it passes.
fn go_the_road(client: &Client, passed: &mut dyn FnMut()) {
    let project = client.projects().unwrap()[0].id;
    if client.outbox(None).unwrap().is_empty() {
        let mut draft = match client.drafts(None).unwrap().first() {
            Some(draft) => client.open_draft(draft.id).unwrap(),
            None => client.start_draft(client.find_form(project, "visit").unwrap().key, None).unwrap(),
        };
        passed();
        draft.answer(NAME, Some("Ada")).unwrap();
        passed();
        for n in 1..=5 {
            draft.answer(STORY, Some(&format!("sentence {n}"))).unwrap();
            passed();
        }
        let screen = draft.session().goto(draft.session().node(STORY).unwrap()).unwrap();
        draft.move_to(&screen).unwrap();
        passed();
        draft.attach_from("/data/photo", "jpg", &mut &PHOTO[..]).unwrap();
        passed();
        assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
    }
    passed();
    let sent = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(sent.is_done(), "{sent:?}");
    passed();
}

/// Runs the child and kills it when it has passed so many points.
fn kill_after(home: &Path, n_points: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(HOME, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let n_passed = lines.by_ref().filter(|line| line == POINT).take(n_points).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(n_passed, n_points);
}

/// How many of the script's answers an XML holds, in its order.
fn answers_in(xml: &str) -> usize {
    let sentences = (1..=5).find(|n| xml.contains(&format!("<story>sentence {n}</story>")));
    sentences.map_or(usize::from(xml.contains("<name>Ada</name>")), |n| n + 1)
}

#[test]
fn whenever_the_phone_dies_no_answer_is_lost_and_the_record_arrives_once() {
    for n_points in 1..=N_POINTS {
        let mut phone = Phone::new();
        phone.shut();
        kill_after(&phone.home(), n_points);
        phone.reopen(None);

        let n_answers = n_points.saturating_sub(1).min(6);
        let drafts = phone.client().drafts(None).unwrap();
        let records = phone.client().outbox(None).unwrap();
        assert_eq!(drafts.len() + records.len(), 1, "after point {n_points}");
        for draft in &drafts {
            let session = phone.client().open_draft(draft.id).unwrap();
            let xml = session.session().draft_xml();
            assert!(answers_in(&xml) >= n_answers, "after point {n_points}: {xml}");
            if n_points >= 8 {
                assert_eq!(session.session().screen_path(&session.session().current()), STORY);
            }
        }
        let instance_id = drafts.first().map(|draft| draft.instance_id.clone());
        let instance_id = instance_id.unwrap_or_else(|| records[0].instance_id.clone());

        go_the_road(phone.client(), &mut || {});
        let received = phone.server.records("visit").unwrap();
        let record = phone.client().outbox(None).unwrap().remove(0);
        let xml = phone.client().store().submission_xml(record.id).unwrap();
        assert_eq!(received.len(), 1, "after point {n_points}");
        assert_eq!(received[0].instance_id, instance_id);
        assert_eq!(received[0].xml, xml);
        assert_eq!(received[0].attachments.len(), 1, "after point {n_points}");
        assert_eq!(received[0].attachments[0].1, PHOTO);
        assert_eq!(answers_in(std::str::from_utf8(&xml).unwrap()), 6);
    }
}

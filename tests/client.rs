//! The client over real homes and a real server: what is on the disk, what survives, what arrives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::fs;

use veldwerk::ErrorKind;
use veldwerk::client::{Client, DraftSession, Finalization, RecordState, Until};
use veldwerk::session::FormSession;
use veldwerk_server::faults::{Fault, Proxy};
use veldwerk_tests::person::Person;
use veldwerk_tests::phone::{Phone, config, fixed, visit};

/// Everything a person has put into a draft and sees of it.
fn state(session: &FormSession) -> (String, String, Option<String>) {
    let screen = session.screen_path(&session.current());
    (session.draft_xml(), screen, session.language_name().map(str::to_owned))
}

fn assert_memory_is_disk(client: &Client, draft: &DraftSession) {
    let disk = client.replay_draft(draft.id()).unwrap();
    assert_eq!(disk.state(), draft.session().state());
    assert_eq!(state(&disk), state(draft.session()));
}

/// A draft of the form `visit` with its name answered.
fn begun_visit(phone: &Phone) -> DraftSession {
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some("Ada")).unwrap();
    draft
}

#[test]
fn a_file_larger_than_the_server_takes_is_warned_of_when_the_record_is_finalised() {
    let phone = Phone::new();
    for (limit, expected) in [(None, 0), (Some(2_000), 0), (Some(1_999), 1)] {
        if let Some(limit) = limit {
            phone.client().store().set_accept_length(phone.project, limit).unwrap();
        } else {
            assert!(phone.client().store().accept_length(phone.project).unwrap().is_some(), "learned at refresh");
        }
        let mut draft = begun_visit(&phone);
        draft.attach_from("/data/photo", "jpg", &mut &[7; 2_000][..]).unwrap();
        let Finalization::Finalized { too_large, .. } = draft.finalize().unwrap() else { panic!("violations") };
        let told: Vec<_> = too_large.iter().map(|file| (file.size, Some(file.limit))).collect();
        assert_eq!(told, vec![(2_000, limit); expected], "{limit:?}");
    }
}

/// Answers at length until the disk refuses.
fn fill_the_disk(draft: &mut DraftSession) -> ErrorKind {
    (0..).find_map(|n| draft.answer("/data/story", Some(&format!("{n} {}", "words ".repeat(60)))).err()).unwrap().kind()
}

#[test]
fn after_every_change_the_disk_has_what_memory_has() {
    let phone = Phone::new();
    for form_id in ["pi_newcomers", "pi_interview"] {
        let form = phone.client().find_form(phone.project, form_id).unwrap();
        for seed in 0..2 {
            let mut person = Person::new(seed);
            let mut draft = phone.client().start_draft(form.key, None).unwrap();
            assert_memory_is_disk(phone.client(), &draft);
            for n_acts in 1..=40 {
                person.act(&mut draft);
                assert_memory_is_disk(phone.client(), &draft);
                if n_acts % 15 == 0 {
                    draft.save_snapshot().unwrap();
                    assert_memory_is_disk(phone.client(), &draft);
                }
            }
            let n_changes = phone.client().store().draft(draft.id()).unwrap().summary.last_seq;
            assert!(n_changes > 40, "only {n_changes} changes");
        }
    }
}

#[test]
fn a_draft_opens_where_it_was_left() {
    let mut phone = Phone::new();
    let form = phone.client().find_form(phone.project, "pi_newcomers").unwrap();
    let mut draft = phone.client().start_draft(form.key, Some("ar")).unwrap();
    draft.answer("/data/intro/consent", Some("yes")).unwrap();
    let screen = draft.session().goto(draft.session().node("/data/intro/adult").unwrap()).unwrap();
    draft.move_to(&screen).unwrap();
    draft.set_language("nl").unwrap();
    let (id, left) = (draft.id(), state(draft.session()));
    drop(draft);
    phone.reopen(None);
    let listed = phone.client().drafts(Some(phone.project)).unwrap();
    assert_eq!(
        listed.iter().map(|draft| (draft.id, draft.screen.as_str())).collect::<Vec<_>>(),
        [(id, left.1.as_str())]
    );
    assert_eq!(state(phone.client().open_draft(id).unwrap().session()), left);
}

#[test]
fn a_draft_killed_before_its_first_snapshot_begins_again_the_same() {
    let phone = Phone::new();
    let draft = begun_visit(&phone);
    let kept = phone.client().store().draft(draft.id()).unwrap();
    // As a kill between the row and the snapshot leaves it: the same row, and nothing yet beside it.
    let (form, id) = (draft.form_key(), draft.id());
    drop(draft);
    phone.client().delete_draft(id).unwrap();
    let begun = veldwerk::store::NewDraft {
        form,
        instance_id: kept.summary.instance_id.clone(),
        seed: kept.seed,
        time_zone: kept.time_zone,
        language: String::new(),
        engine: "0.0.1".into(),
        last_saved: kept.last_saved,
        created_at: kept.summary.created_at,
    };
    let again = phone.client().store().create_draft(&begun).unwrap();
    let opened = phone.client().open_draft(again).unwrap();
    assert_eq!(opened.session().instance_id(), kept.summary.instance_id);

    // The program was updated meanwhile, so the whole record was kept before its journal went on.
    let row = phone.client().store().draft(again).unwrap();
    assert_eq!((row.engine, row.snapshot_seq), (kept.engine, 0));
    assert_eq!(phone.client().store().snapshots(again).unwrap().len(), 1);
    let edits = phone.client().store().edits(again).unwrap();
    assert_eq!(edits.iter().map(|edit| (edit.seq, edit.op.as_str())).collect::<Vec<_>>(), [(1, "resume")]);
}

/// A server may list a form under another id than its XML has; what was last saved is the form's under either.
#[test]
fn what_was_last_saved_is_found_where_list_and_xml_name_the_form_differently() {
    let phone = Phone::new();
    let client = phone.client();
    let xml = String::from_utf8(visit("1").xml).unwrap().replace("id=\"visit\"", "id=\"visit_of_the_xml\"");
    let form = veldwerk::store::NewForm {
        project: phone.project,
        form_id: "visit_of_the_list".into(),
        version: "1".into(),
        hash: String::new(),
        title: "Visit".into(),
        url: String::new(),
        xml: xml.into_bytes(),
        files: Vec::new(),
        fetched_at: 0,
    };
    let form = client.store().install_form(&form).unwrap();
    let previous_of_next = |name: &str| {
        let mut draft = client.start_draft(form, None).unwrap();
        draft.answer("/data/name", Some(name)).unwrap();
        let xml = draft.session().draft_xml();
        (draft, xml.split("<previous>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned())
    };
    let (mut saved, previous) = previous_of_next("Ada");
    assert_eq!(previous, "");
    saved.save().unwrap();
    let (mut finalized, previous) = previous_of_next("Grace");
    assert_eq!(previous, "Ada", "by saving");
    let _ = phone.finalized(finalized.finalize().unwrap());
    assert_eq!(previous_of_next("Hedy").1, "Grace", "by finalising");
}

#[test]
fn what_is_saved_later_does_not_change_a_draft() {
    let phone = Phone::new();
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    begun_visit(&phone).save().unwrap();
    draft.answer("/data/name", Some("Eve")).unwrap();
    assert!(draft.session().draft_xml().contains("<previous/>"));
    assert_memory_is_disk(phone.client(), &draft);
    assert!(begun_visit(&phone).session().draft_xml().contains("<previous>Ada</previous>"));
}

#[test]
fn a_full_disk_refuses_one_answer_and_memory_says_so() {
    let mut phone = Phone::new();
    let mut draft = begun_visit(&phone);
    phone.client().store().limit_pages(Some(1)).unwrap();
    assert_eq!(fill_the_disk(&mut draft), ErrorKind::StorageFull);
    assert_memory_is_disk(phone.client(), &draft);
    phone.client().store().limit_pages(None).unwrap();
    draft.answer("/data/story", Some("short")).unwrap();
    assert_memory_is_disk(phone.client(), &draft);
    let (id, left) = (draft.id(), state(draft.session()));
    drop(draft);
    phone.reopen(None);
    assert_eq!(state(phone.client().open_draft(id).unwrap().session()), left);
}

#[test]
fn an_answer_given_while_the_storage_is_paused_is_not_there_later() {
    let phone = Phone::new();
    let mut draft = begun_visit(&phone);
    phone.client().pause_storage().unwrap();
    assert_eq!(draft.answer("/data/name", Some("Eve")).unwrap_err().kind(), ErrorKind::StoragePaused);
    assert_eq!(draft.save_snapshot().unwrap_err().kind(), ErrorKind::StoragePaused);
    phone.client().resume_storage().unwrap();
    draft.answer("/data/story", Some("she came back")).unwrap();
    assert!(draft.session().draft_xml().contains("<name>Ada</name>"));
    assert_memory_is_disk(phone.client(), &draft);
}

#[test]
fn finalising_is_all_or_nothing() {
    let phone = Phone::new();
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    let Finalization::Violations(violations) = draft.finalize().unwrap() else { panic!("the name is required") };
    assert_eq!(violations.iter().map(|violation| violation.path.as_str()).collect::<Vec<_>>(), ["/data/name"]);

    draft.answer("/data/name", Some("Ada")).unwrap();
    draft.answer("/data/photo", Some("never-taken.jpg")).unwrap();
    let missing = draft.finalize().unwrap_err();
    assert_eq!((missing.kind(), missing.detail()), (ErrorKind::MissingAttachment, "1 of 1 files"));
    assert_memory_is_disk(phone.client(), &draft);

    let name = draft.attach_from("/data/photo", "JPG", &mut &b"a photo"[..]).unwrap();
    assert!(name.starts_with("photo-") && name.ends_with(".jpg"), "{name}");
    draft.answer("/data/story", Some(&"words ".repeat(10_000))).unwrap();
    phone.client().store().limit_pages(Some(1)).unwrap();
    assert_eq!(draft.finalize().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_memory_is_disk(phone.client(), &draft);
    assert_eq!(phone.client().outbox(None).unwrap(), []);

    phone.client().store().limit_pages(None).unwrap();
    let (record, _) = phone.finalized(draft.finalize().unwrap());
    assert_eq!(phone.client().drafts(None).unwrap(), []);
    let summary = phone.client().outbox(None).unwrap().remove(0);
    assert_eq!((summary.id, summary.state, summary.attachments), (record, RecordState::Ready, 1));
    assert_eq!(draft.answer("/data/name", Some("Eve")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_file_is_given_away_only_when_it_is_safe() {
    let phone = Phone::new();
    let mut draft = begun_visit(&phone);
    let source = phone.path("DCIM 0001.JPEG");
    fs::write(&source, "a photo").unwrap();
    assert_eq!(draft.attach("/data/nothing", &source, true).unwrap_err().kind(), ErrorKind::NoSuchNode);
    assert!(source.exists());
    assert_eq!(phone.client().store().draft_attachments(draft.id()).unwrap(), []);
    let name = draft.attach("/data/photo", &source, true).unwrap();
    assert!(!source.exists());
    assert!(!name.contains("0001") && name.ends_with(".jpeg"), "{name}");
    assert_eq!(draft.session().attachment_names(), [name]);
}

#[test]
fn a_draft_stays_on_its_version_whatever_the_server_lists() {
    let phone = Phone::new();
    let mut draft = begun_visit(&phone);
    phone.server.publish(&visit("2")).unwrap();
    let _ = phone.refresh();
    let newest = phone.client().find_form(phone.project, "visit").unwrap();
    assert_eq!(newest.version, "2");
    assert!(!phone.client().drafts(None).unwrap()[0].offered, "it says that its version is not offered any more");
    let before = phone.client().find_form(phone.project, "visit@1").unwrap();
    assert_eq!(phone.client().start_draft(before.key, None).unwrap_err().kind(), ErrorKind::FormNotOffered);
    draft.answer("/data/story", Some("of the first version")).unwrap();

    phone.server.withdraw("visit").unwrap();
    let _ = phone.refresh();
    let withdrawn = phone.client().find_form(phone.project, "visit@2").unwrap();
    assert_eq!((withdrawn.offered, withdrawn.closing), (false, Some(true)), "the server still takes its records");
    assert_eq!(phone.client().start_draft(withdrawn.key, None).unwrap_err().kind(), ErrorKind::FormNotOffered);
    let id = draft.id();
    drop(draft);
    let mut draft = phone.client().open_draft(id).unwrap();
    let (_, instance_id) = phone.finalized(draft.finalize().unwrap());
    let outcome = phone.send(Until::OnePass);
    assert!(outcome.is_done(), "{outcome:?}");
    let received = phone.server.records("visit").unwrap().remove(0);
    assert_eq!((received.instance_id, received.version.as_str()), (instance_id, "1"));
}

#[test]
fn over_a_bad_network_every_record_arrives_once_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut proxy = None;
    let phone = Phone::joined(None, |server| {
        let started = runtime.block_on(Proxy::start(server)).unwrap();
        proxy.insert(started).address()
    });
    let proxy = proxy.unwrap();
    let mut sent = Vec::new();
    for n in 0..3 {
        let mut draft = begun_visit(&phone);
        let photo = vec![n; 50_000];
        let name = draft.attach_from("/data/photo", "jpg", &mut photo.as_slice()).unwrap();
        let (record, instance_id) = phone.finalized(draft.finalize().unwrap());
        sent.push((instance_id, phone.client().store().submission_xml(record).unwrap(), vec![(name, photo)]));
    }
    proxy.plan([
        Fault::CutPost { after: 700 },
        Fault::LosePostReply,
        Fault::CutReply { after: 30 },
        Fault::CutPost { after: 20_000 },
        Fault::LosePostReply,
    ]);
    let outcome = phone.send(Until::Empty { limit_ms: 120_000, longest_wait_ms: 20 });
    assert!(outcome.is_done(), "{outcome:?}");
    assert_eq!(proxy.planned(), 0, "every fault was met");
    let mut received: Vec<_> = phone
        .server
        .records("visit")
        .unwrap()
        .into_iter()
        .map(|record| (record.instance_id, record.xml, record.attachments))
        .collect();
    received.sort();
    sent.sort();
    assert!(received == sent, "{} records", received.len());
}

#[test]
fn fixed_inputs_give_the_same_records_and_no_two_alike() {
    let instance_ids = || {
        let mut phone = Phone::fixed();
        let mut ids = vec![begun_visit(&phone).session().instance_id()];
        phone.reopen(Some(fixed()));
        ids.push(begun_visit(&phone).session().instance_id());
        ids
    };
    let ids = instance_ids();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids, instance_ids());
}

#[test]
fn fixed_inputs_are_refused_where_real_drafts_are() {
    let mut phone = Phone::fixed();
    drop(begun_visit(&phone));
    phone.reopen(None);
    drop(begun_visit(&phone));
    phone.shut();
    let refused = Client::open(config(&phone.home(), Some(fixed()))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FixedHome);
    phone.reopen(None);
    assert_eq!(phone.client().drafts(None).unwrap().len(), 2);
}

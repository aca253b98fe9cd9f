//! The journal tells facts: what was answered is there after a kill, whatever clock, list or program has changed since.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use veldwerk::ErrorKind;
use veldwerk::client::{DraftId, DraftSession, Fixed, Until};
use veldwerk::form::DiagnosticKind;
use veldwerk::store;
use veldwerk_server::FormSource;
use veldwerk_server::faults::{Fault, Proxy};
use veldwerk_tests::phone::{Phone, fixed};

const DAY_MS: i64 = 86_400_000;

/// The same clock, some days later.
fn days_later(days: i64) -> Option<Fixed> {
    Some(Fixed { now_ms: fixed().now_ms + days * DAY_MS, ..fixed() })
}

/// A form `f` with these nodes, binds and controls.
fn form(nodes: &str, binds: &str, body: &str) -> FormSource {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
                   xmlns:jr="http://openrosa.org/javarosa">
             <h:head><h:title>F</h:title><model>
               <instance><data id="f" version="1">{nodes}<meta><instanceID/></meta></data></instance>
               <instance id="towns"><root><item><name>ede</name><from>2026-01-16</from></item></root></instance>
               {binds}
               <bind nodeset="/data/meta/instanceID" type="string" jr:preload="uid"/>
             </model></h:head>
             <h:body>{body}</h:body>
           </h:html>"#
    );
    FormSource { xml: xml.into_bytes(), files: vec![] }
}

/// A phone with a draft of this form, begun on 15 January 2026 and left at once.
fn begun(form: &FormSource) -> (Phone, DraftId) {
    let phone = Phone::fixed();
    phone.server.publish(form).unwrap();
    let _ = phone.refresh();
    let key = phone.client().find_form(phone.project, "f").unwrap().key;
    let draft = phone.client().start_draft(key, None).unwrap().id();
    (phone, draft)
}

#[test]
fn what_is_answered_where_a_condition_opened_at_midnight_is_there_after_a_kill() {
    let input = r#"<input ref="/data/s/a"><label>A</label></input>"#;
    let select = r#"<select1 ref="/data/s/a"><label>A</label>
                      <itemset nodeset="instance('towns')/root/item[date(from) &lt;= today()]">
                        <value ref="name"/><label ref="name"/></itemset></select1>"#;
    let cases = [
        (r#"<bind nodeset="/data/s" relevant="today() &gt;= date('2026-01-16')"/>"#, input),
        (r#"<bind nodeset="/data/s/a" readonly="today() &lt; date('2026-01-16')"/>"#, input),
        ("", select),
    ];
    for (binds, body) in cases {
        let (mut phone, id) = begun(&form("<s><a/></s>", binds, body));
        phone.reopen(days_later(2));
        let mut draft = phone.client().open_draft(id).unwrap();
        draft.save().unwrap();
        draft.answer("/data/s/a", Some("ede")).unwrap();
        drop(draft);
        for days in [2, 3] {
            phone.reopen(days_later(days));
            let draft = phone.client().open_draft(id).unwrap();
            assert_eq!(draft.session().engine().value_at("/data/s/a"), "ede", "{binds}{body}");
            assert_eq!(draft.unreplayed().count(), 0);
        }
    }
}

#[test]
fn a_row_that_nothing_can_take_is_shown_and_holds_up_finalising_until_a_person_has_looked() {
    let (phone, id) = begun(&form("<a/>", "", r#"<input ref="/data/a"><label>A</label></input>"#));
    let row = |seq, op: &str, node: &str, value: &str| store::Edit {
        seq,
        op: op.into(),
        node: node.into(),
        value: Some(value.into()),
        at: fixed().now_ms + seq as i64,
    };
    for row in [
        row(1, "answer", "/data/gone", "seven"),
        row(2, "answer", "/data/a", "kept"),
        row(3, "dance", "/data/a", "a waltz"),
        row(4, "answer", "/data/meta", "a group holds no answer"),
    ] {
        phone.client().store().append_edit(id, &row).unwrap();
    }

    let draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.session().engine().value_at("/data/a"), "kept");
    let shown = |draft: &DraftSession| {
        draft.unreplayed().map(|row| (row.seq, row.op.clone(), row.value.clone())).collect::<Vec<_>>()
    };
    let waiting = shown(&draft);
    assert_eq!(
        waiting.iter().map(|row| (row.0, row.1.as_str())).collect::<Vec<_>>(),
        [(1, "answer"), (3, "dance"), (4, "answer")]
    );
    assert_eq!(phone.client().drafts(None).unwrap()[0].unreplayed, 3);
    drop(draft);

    // A snapshot does not hide them, and neither does another opening.
    let mut draft = phone.client().open_draft(id).unwrap();
    draft.save().unwrap();
    drop(draft);
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(shown(&draft), waiting);
    assert_eq!(draft.finalize().unwrap_err().kind(), ErrorKind::Unreplayed);

    draft.accept_unreplayed().unwrap();
    drop(draft);
    assert_eq!(phone.client().drafts(None).unwrap()[0].unreplayed, 0);
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(shown(&draft), []);
    assert_eq!(phone.client().store().edits(id).unwrap().len(), 4 + 4, "the rows stay as long as the draft");
    let (record, _) = phone.finalized(draft.finalize().unwrap());
    let xml = String::from_utf8(phone.client().store().submission_xml(record).unwrap()).unwrap();
    assert!(xml.contains("<a>kept</a>"), "{xml}");
}

#[test]
fn the_journal_is_whole_and_any_snapshot_of_it_gives_the_same() {
    let (phone, id) = begun(&form("<a/><b/>", "", r#"<input ref="/data/a"><label>A</label></input>"#));
    let mut draft = phone.client().open_draft(id).unwrap();
    for n in 0..450 {
        draft.answer("/data/a", Some(&n.to_string())).unwrap();
    }
    let left = draft.session().draft_xml();
    drop(draft);
    let store = phone.client().store();
    assert_eq!(store.edits(id).unwrap().len(), 451);
    assert_eq!(store.snapshots(id).unwrap().iter().map(|kept| kept.seq).collect::<Vec<_>>(), [400, 0]);
    assert_eq!(phone.client().replay_draft(id).unwrap().draft_xml(), left);

    // A program that cannot read the newest begins at an older one, and at the very beginning if it can read none.
    for seq in [400, 0] {
        let unreadable = store::Snapshot {
            seq,
            format: 1,
            state: b"from another world".to_vec(),
            name: String::new(),
            screen: String::new(),
            language: String::new(),
            engine: "99.0.0".into(),
            at: 0,
        };
        store.save_snapshot(id, &unreadable).unwrap();
        assert_eq!(phone.client().replay_draft(id).unwrap().draft_xml(), left);
    }
}

#[test]
fn a_draft_is_open_once_at_a_time() {
    let (phone, id) = begun(&form("<a/>", "", r#"<input ref="/data/a"><label>A</label></input>"#));
    let client = phone.client();
    let mut draft = client.open_draft(id).unwrap();
    assert_eq!(client.open_draft(id).unwrap_err().kind(), ErrorKind::DraftInUse);
    assert_eq!(client.delete_draft(id).unwrap_err().kind(), ErrorKind::DraftInUse);
    assert_eq!(client.remove_project(phone.project, true).unwrap_err().kind(), ErrorKind::DraftInUse);
    draft.answer("/data/a", Some("kept")).unwrap();
    drop(draft);
    let draft = client.open_draft(id).unwrap();
    assert_eq!(draft.session().engine().value_at("/data/a"), "kept");
    drop(draft);
    client.delete_draft(id).unwrap();
    assert_eq!(client.open_draft(id).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(client.open_draft(id).unwrap_err().kind(), ErrorKind::NotFound, "a refusal lets go again");
}

#[test]
fn the_order_of_randomize_without_a_seed_lasts_through_an_added_row_and_a_kill() {
    let choices =
        r#"<itemset nodeset="randomize(instance('towns')/root/item)"><value ref="name"/><label ref="name"/></itemset>"#;
    let towns: String = (0..12).map(|n| format!("<item><name>t{n}</name></item>")).collect();
    let mut form = form(
        r#"<r jr:template=""><v/><s/></r><q/>"#,
        "",
        &format!(
            r#"<repeat nodeset="/data/r"><input ref="/data/r/v"/><select1 ref="/data/r/s">{choices}</select1></repeat>
               <select1 ref="/data/q">{choices}</select1>"#
        ),
    );
    let xml = String::from_utf8(form.xml).unwrap();
    form.xml = xml.replace("<item><name>ede</name><from>2026-01-16</from></item>", &towns).into_bytes();

    let (mut phone, id) = begun(&form);
    let order = |draft: &DraftSession, path: &str| {
        let session = draft.session();
        let question = session.question_at(session.node(path).unwrap()).unwrap();
        question.choices.into_iter().map(|choice| choice.value).collect::<Vec<_>>()
    };
    let mut draft = phone.client().open_draft(id).unwrap();
    let first = order(&draft, "/data/q");
    for _ in 0..3 {
        draft.add_repeat("/data/r").unwrap();
    }
    let rows = [1, 2, 3].map(|row| order(&draft, &format!("/data/r[{row}]/s")));
    assert_ne!(rows[0], rows[1], "each row has an order of its own");
    assert_eq!(order(&draft, "/data/q"), first);
    drop(draft);

    phone.reopen(days_later(1));
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(order(&draft, "/data/q"), first);
    assert_eq!([1, 2, 3].map(|row| order(&draft, &format!("/data/r[{row}]/s"))), rows);
    // A row keeps its order when the one before it goes, also from the snapshot of that.
    draft.remove_repeat("/data/r[1]").unwrap();
    draft.save().unwrap();
    drop(draft);
    let draft = phone.client().open_draft(id).unwrap();
    assert_eq!([1, 2].map(|row| order(&draft, &format!("/data/r[{row}]/s")))[..], rows[1..]);
}

#[test]
fn a_draft_whose_snapshot_is_from_before_states_goes_on() {
    let body =
        r#"<input ref="/data/a"><label>A</label></input><repeat nodeset="/data/r"><input ref="/data/r/v"/></repeat>"#;
    let (phone, id) = begun(&form(r#"<a/><r jr:template=""><v/></r>"#, "", body));
    let mut draft = phone.client().open_draft(id).unwrap();
    draft.answer("/data/a", Some("kept")).unwrap();
    draft.add_repeat("/data/r").unwrap();
    draft.answer("/data/r[1]/v", Some(" two\r\nlines ")).unwrap();
    let xml = draft.session().draft_xml();
    let last_row = phone.client().store().draft(id).unwrap().summary.last_seq;
    drop(draft);
    let before = store::Snapshot {
        seq: last_row,
        format: 1,
        state: xml.clone().into_bytes(),
        name: String::new(),
        screen: "/data/r[1]/v".into(),
        language: String::new(),
        engine: "0.0.1".into(),
        at: 0,
    };
    phone.client().store().save_snapshot(id, &before).unwrap();

    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.session().screen_path(&draft.session().current()), "/data/r[1]/v");
    draft.answer("/data/a", Some("changed")).unwrap();
    assert_eq!(draft.session().draft_xml(), xml.replace(">kept<", ">changed<"));
    let newest = phone.client().store().snapshots(id).unwrap().remove(0);
    assert_eq!((newest.seq, newest.format), (last_row, 2), "another program keeps a state before it goes on");
}

/// A form `f` whose record has this inside.
fn bare_form(inside: &str, binds: &str) -> FormSource {
    let source = form("<a/>", binds, r#"<input ref="/data/a"><label>A</label></input>"#);
    let xml = String::from_utf8(source.xml).unwrap().replace("<meta><instanceID/></meta>", inside);
    let own_rule = r#"<bind nodeset="/data/meta/instanceID" type="string" jr:preload="uid"/>"#;
    FormSource { xml: xml.replace(own_rule, "").into_bytes(), files: vec![] }
}

#[test]
fn records_of_forms_without_an_id_of_their_own_get_one_and_live_side_by_side() {
    let calculate = |rule: &str| format!(r#"<bind nodeset="/data/meta/instanceID" calculate="{rule}"/>"#);
    let orx = r#"<orx:meta xmlns:orx="http://openrosa.org/xforms"><orx:instanceName/></orx:meta>"#;
    let cases = [
        ("no meta", "", String::new(), true),
        ("no id", "<meta><instanceName/></meta>", String::new(), true),
        ("no id in a namespace", orx, String::new(), true),
        ("no rule", "<meta><instanceID/></meta>", String::new(), true),
        ("a text", "<meta><instanceID>uuid:always</instanceID></meta>", String::new(), true),
        ("another at each load", "<meta><instanceID/></meta>", calculate("concat('uuid:', uuid())"), false),
        ("taken", "<meta><instanceID/></meta>", calculate("'uuid:always'"), false),
        ("from an answer", "<meta><instanceID/></meta>", calculate("/data/a"), false),
        ("nothing", "<meta><instanceID/></meta>", calculate("''"), false),
        (
            "not relevant",
            "<meta><instanceID/></meta>",
            r#"<bind nodeset="/data/meta" relevant="false()"/>"#.to_owned() + &calculate("'uuid:hidden'"),
            false,
        ),
    ];
    for (name, inside, binds, is_changed) in cases {
        let phone = Phone::new();
        phone.server.publish(&bare_form(inside, &binds)).unwrap();
        let report = phone.refresh();
        assert!(report.forms.iter().all(|form| form.outcome.is_ok()), "{name}: {report:?}");
        let client = phone.client();
        let key = client.find_form(phone.project, "f").unwrap().key;
        let notices = client.form_notices(key).unwrap();
        assert_eq!(notices.iter().any(|notice| notice.kind == DiagnosticKind::NoInstanceId), is_changed, "{name}");

        let ids = [1, 2].map(|_| client.start_draft(key, None).unwrap().id());
        let mut queued = Vec::new();
        for id in ids {
            let mut draft = client.open_draft(id).unwrap();
            draft.answer("/data/a", Some("same")).unwrap();
            let (record, instance_id) = phone.finalized(draft.finalize().unwrap());
            let xml = String::from_utf8(client.store().submission_xml(record).unwrap()).unwrap();
            assert!(xml.contains(&format!("instanceID>{instance_id}</")), "{name}: {xml}");
            assert_eq!(client.store().submission(record).unwrap().instance_id, instance_id, "{name}");
            queued.push(instance_id);
        }
        assert_ne!(queued[0], queued[1], "{name}");
        assert!(phone.send(Until::OnePass).is_done(), "{name}");
        let mut received: Vec<_> =
            phone.server.records("f").unwrap().into_iter().map(|record| record.instance_id).collect();
        received.sort();
        queued.sort();
        assert_eq!(received, queued, "{name}");
    }
}

#[test]
fn a_lost_reply_on_a_form_without_meta_leaves_one_record_on_the_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut proxy = None;
    let phone = Phone::joined(None, |server| {
        let started = runtime.block_on(Proxy::start(server)).unwrap();
        proxy.insert(started).address()
    });
    phone.server.publish(&bare_form("", "")).unwrap();
    let _ = phone.refresh();
    let key = phone.client().find_form(phone.project, "f").unwrap().key;
    let mut draft = phone.client().start_draft(key, None).unwrap();
    draft.answer("/data/a", Some("once")).unwrap();
    let (_, instance_id) = phone.finalized(draft.finalize().unwrap());
    let proxy = proxy.unwrap();
    proxy.plan([Fault::LosePostReply, Fault::LosePostReply]);
    let outcome = phone.send(Until::Empty { limit_ms: 60_000, longest_wait_ms: 20 });
    assert!(outcome.is_done(), "{outcome:?}");
    assert_eq!(proxy.planned(), 0, "every fault was met");
    let received = phone.server.records("f").unwrap();
    assert_eq!(received.iter().map(|record| &record.instance_id).collect::<Vec<_>>(), [&instance_id]);
}

/// A form `f` of a photo in a repeat, one outside with this text in it, and one of its own pictures.
fn photos(default: &str) -> FormSource {
    let mut source = form(
        &format!(r#"<on>1</on><photo>{default}</photo><copy/><r jr:template=""><photo/></r>"#),
        r#"<bind nodeset="/data/photo" type="binary" relevant="/data/on = '1'"/>
           <bind nodeset="/data/copy" type="binary" calculate="'of-the-form.jpg'"/>
           <bind nodeset="/data/r/photo" type="binary"/>"#,
        r#"<input ref="/data/on"><label>On</label></input>
           <upload ref="/data/photo" mediatype="image/*"><label>Photo</label></upload>
           <repeat nodeset="/data/r"><upload ref="/data/r/photo" mediatype="image/*"><label>Photo</label></upload></repeat>"#,
    );
    source.files = vec![("default.png".to_owned(), b"a picture".to_vec())];
    source
}

fn files(phone: &Phone, id: DraftId) -> Vec<String> {
    let store = phone.client().store();
    store.draft_attachments(id).unwrap().into_iter().map(|attachment| attachment.name).collect()
}

#[test]
fn attaching_is_one_row_and_replaced_files_leave_nothing_behind() {
    let (phone, id) = begun(&photos(""));
    let mut draft = phone.client().open_draft(id).unwrap();
    let attach = |draft: &mut DraftSession, node: &str| draft.attach_from(node, "jpg", &mut &b"photo"[..]).unwrap();
    let n_rows = phone.client().store().edits(id).unwrap().len();
    let first = attach(&mut draft, "/data/photo");
    let rows = phone.client().store().edits(id).unwrap();
    assert_eq!(rows.len(), n_rows + 1);
    let row = rows.last().unwrap();
    assert_eq!(
        (row.op.as_str(), row.node.as_str(), row.value.as_deref()),
        ("attach", "/data/photo", Some(first.as_str()))
    );

    // Taken again: the first goes at once. Not relevant for now: kept.
    let second = attach(&mut draft, "/data/photo");
    assert_eq!(files(&phone, id), [second.as_str()]);
    draft.answer("/data/on", Some("2")).unwrap();
    draft.add_repeat("/data/r").unwrap();
    let third = attach(&mut draft, "/data/r[1]/photo");
    assert_eq!(files(&phone, id).len(), 2);
    assert_eq!(phone.client().replay_draft(id).unwrap().state(), draft.session().state());

    // Gone with its row of the repeat; cleared: both go when the draft is left.
    draft.remove_repeat("/data/r[1]").unwrap();
    draft.answer("/data/on", Some("1")).unwrap();
    assert!(files(&phone, id).contains(&third));
    draft.save().unwrap();
    assert_eq!(files(&phone, id), [second]);
    draft.answer("/data/photo", None).unwrap();
    draft.save().unwrap();
    assert_eq!(files(&phone, id), [""; 0]);

    // A refused file leaves no row and no file.
    draft.answer("/data/on", Some("2")).unwrap();
    let n_rows = phone.client().store().edits(id).unwrap().len();
    let refused = draft.attach_from("/data/photo", "jpg", &mut &b"photo"[..]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotRelevant);
    assert_eq!((files(&phone, id), phone.client().store().edits(id).unwrap().len()), (Vec::new(), n_rows));
    let sealed = std::fs::read_dir(phone.home().join("files")).unwrap().count();
    assert_eq!(sealed, 0, "nothing is left of them on the disk");
}

#[test]
fn a_file_that_an_unreplayed_row_names_is_kept() {
    let (phone, id) = begun(&photos(""));
    let store = phone.client().store();
    store.attach(id, "gone-abc.jpg", &mut &b"photo"[..]).unwrap();
    let row = store::Edit {
        seq: 1,
        op: "attach".into(),
        node: "/data/gone".into(),
        value: Some("gone-abc.jpg".into()),
        at: fixed().now_ms,
    };
    store.append_edit(id, &row).unwrap();
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.unreplayed().map(|row| row.op.clone()).collect::<Vec<_>>(), ["attach"]);
    draft.attach_from("/data/photo", "jpg", &mut &b"photo"[..]).unwrap();
    draft.save().unwrap();
    assert!(files(&phone, id).contains(&"gone-abc.jpg".to_owned()));
}

#[test]
fn a_picture_of_the_form_itself_is_no_missing_attachment() {
    for default in ["jr://images/default.png", "default.png"] {
        let (phone, id) = begun(&photos(default));
        let mut draft = phone.client().open_draft(id).unwrap();
        let (record, _) = phone.finalized(draft.finalize().unwrap());
        assert_eq!(phone.client().store().submission_attachments(record).unwrap(), [], "{default}");
    }
    let (phone, id) = begun(&photos(""));
    let mut draft = phone.client().open_draft(id).unwrap();
    draft.answer("/data/photo", Some("never-taken.jpg")).unwrap();
    assert_eq!(draft.finalize().unwrap_err().kind(), ErrorKind::MissingAttachment);
}

#[test]
fn a_draft_opens_on_a_disk_that_takes_nothing_as_it_was_left() {
    let (phone, id) = begun(&form("<a/>", "", r#"<input ref="/data/a"><label>A</label></input>"#));
    let mut draft = phone.client().open_draft(id).unwrap();
    draft.answer("/data/a", Some("kept")).unwrap();
    drop(draft);
    let store = phone.client().store();
    store
        .append_edit(
            id,
            &store::Edit {
                seq: store.draft(id).unwrap().summary.last_seq + 1,
                op: "dance".into(),
                node: "x".repeat(100_000),
                value: None,
                at: 0,
            },
        )
        .unwrap();
    store.limit_pages(Some(0)).unwrap();
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.session().engine().value_at("/data/a"), "kept");
    assert_eq!(draft.unreplayed().count(), 1);
    let refused = (0..200).find_map(|n| draft.answer("/data/a", Some(&"x".repeat(100 * n))).err());
    assert_eq!(refused.unwrap().kind(), ErrorKind::StorageFull);
    store.limit_pages(None).unwrap();
    draft.answer("/data/a", Some("more")).unwrap();
    assert_eq!(phone.client().replay_draft(id).unwrap().state(), draft.session().state());
    drop(draft);

    phone.client().store().refuse_writes(true).unwrap();
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.session().engine().value_at("/data/a"), "more");
    assert_eq!(draft.answer("/data/a", Some("lost")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(draft.session().engine().value_at("/data/a"), "more");
}

#[test]
fn a_hole_in_the_journal_is_shown_once_and_holds_up_finalising() {
    let (phone, id) = begun(&form("<a/>", "", r#"<input ref="/data/a"><label>A</label></input>"#));
    let row = |seq, value: &str| store::Edit {
        seq,
        op: "answer".into(),
        node: "/data/a".into(),
        value: Some(value.into()),
        at: fixed().now_ms,
    };
    // What a damaged page leaves: rows 2 to 6 are gone.
    for row in [row(1, "one"), row(7, "seven")] {
        phone.client().store().append_edit(id, &row).unwrap();
    }
    for _ in 0..2 {
        let mut draft = phone.client().open_draft(id).unwrap();
        assert_eq!(draft.session().engine().value_at("/data/a"), "seven");
        assert_eq!(draft.unreplayed().map(|row| (row.seq, row.op.clone())).collect::<Vec<_>>(), [(2, "lost".into())]);
        assert_eq!(phone.client().drafts(None).unwrap()[0].unreplayed, 1);
        draft.save().unwrap();
    }
    let mut draft = phone.client().open_draft(id).unwrap();
    assert_eq!(draft.finalize().unwrap_err().kind(), ErrorKind::Unreplayed);
    draft.accept_unreplayed().unwrap();
    let _ = phone.finalized(draft.finalize().unwrap());
}

#[test]
fn digits_of_every_script_are_journalled_as_they_are_stored() {
    let types = ["int", "date", "geopoint", "string"];
    let nodes: String = types.map(|name| format!("<{name}/>")).concat();
    let binds: String = types.map(|name| format!(r#"<bind nodeset="/data/{name}" type="{name}"/>"#)).concat();
    let body: String = types.map(|name| format!(r#"<input ref="/data/{name}"><label>Q</label></input>"#)).concat();
    let (phone, id) = begun(&form(&nodes, &binds, &body));
    let mut draft = phone.client().open_draft(id).unwrap();
    let rows = [
        ("int", "۴۵", "45", "45"),
        ("date", "٢٠٢٦-٠٣-٠٩", "2026-03-09", "2026-03-09"),
        ("geopoint", "५२.५ ४", "52.5 4", "52.5 4.0 0.0 0.0"),
        ("string", "١٢", "١٢", "١٢"),
    ];
    for (name, given, journalled, stored) in rows {
        let path = format!("/data/{name}");
        draft.answer(&path, Some(given)).unwrap();
        let row = phone.client().store().edits(id).unwrap().pop().unwrap();
        assert_eq!(row.value.as_deref(), Some(journalled), "{name}");
        assert_eq!(draft.session().engine().value_at(&path), stored, "{name}");
    }
}

/// A journal of a version that made rows which are not made now: it tells that they were there.
#[test]
fn rows_of_a_counted_range_that_a_journal_names_are_there_again() {
    let nodes = r#"<n/><k/><r jr:template=""><v/><q jr:template=""><w/></q><s jr:template=""><x/></s></r><p jr:template=""><y/></p>"#;
    let binds = r#"<bind nodeset="/data/k" calculate="count(/data/r) + 1"/>"#;
    let body = r#"<repeat nodeset="/data/r" jr:count="/data/k"><input ref="/data/r/v"/>
                    <repeat nodeset="/data/r/q" jr:count="/data/n"><input ref="/data/r/q/w"/></repeat>
                    <repeat nodeset="/data/r/s"><input ref="/data/r/s/x"/></repeat></repeat>
                  <repeat nodeset="/data/p"><input ref="/data/p/y"/></repeat>"#;
    let (phone, id) = begun(&form(nodes, binds, body));
    let rows = [
        ("answer", "/data/r[6]/v", Some("six")),
        ("answer", "/data/r[2]/q[3]/w", Some("third")),
        ("add", "/data/r[7]/s", None),
        ("answer", "/data/r[7]/s[1]/x", Some("ex")),
        ("remove", "/data/r[8]/s[1]", None),
        // What a person adds has rows of its own in a journal, and a range has its most.
        ("answer", "/data/p[2]/y", Some("never added")),
        ("answer", "/data/r[10001]/v", Some("too far")),
        ("answer", "/data/r[0]/v", Some("nowhere")),
    ];
    for (seq, (op, node, value)) in (1..).zip(rows) {
        let at = fixed().now_ms + seq as i64;
        let row = store::Edit { seq, op: op.into(), node: node.into(), value: value.map(str::to_owned), at };
        phone.client().store().append_edit(id, &row).unwrap();
    }
    let draft = phone.client().open_draft(id).unwrap();
    let engine = draft.session().engine();
    for (node, value) in [("r[6]/v", "six"), ("r[2]/q[3]/w", "third"), ("r[7]/s[1]/x", "ex")] {
        assert_eq!(engine.value_at(&format!("/data/{node}")), value, "{node}");
    }
    assert_eq!(draft.unreplayed().map(|row| row.seq).collect::<Vec<_>>(), [5, 6, 7, 8]);
    let n_rows = |range: &str| {
        let (parent, repeat) = engine.find_range(range).unwrap();
        engine.tree().children_of(parent, repeat).len()
    };
    // The row that could not be taken at all leaves none behind.
    assert_eq!([n_rows("/data/r"), n_rows("/data/r[1]/q"), n_rows("/data/p")], [7, 0, 0]);
    assert_eq!(phone.client().replay_draft(id).unwrap().state(), draft.session().state());
}

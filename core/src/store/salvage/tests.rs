use std::fs;

use super::*;
use crate::store::fixture::{NOW, TestHome, answer, copy_folder, frozen_home, new_file, new_form};
use crate::store::{DraftId, Finalized, OpeningReport, RecordState, Store, Submission, SubmissionId};

const PAGE: usize = 4096;

/// A home with enough in it that every kind of table has pages of its own.
fn full_home() -> TestHome {
    let mut home = TestHome::new();
    let project = home.any_project();
    let list = new_file("list.csv", "h", home.data(&[b'x'; 20_000]));
    let form = home.install_form(&new_form(project, "visit", "1", vec![list])).unwrap();
    let large = crate::store::NewForm { xml: vec![b' '; 30_000], ..new_form(project, "large", "1", vec![]) };
    let large = home.install_form(&large).unwrap();
    for n in 0..40 {
        let draft = home.draft_of(if n % 4 == 0 { large } else { form }, &format!("uuid:draft-{n}"));
        for seq in 1..=10 {
            home.append_edit(draft, &answer(seq, "/data/a", &format!("answer {seq} of {n} {}", "x".repeat(40))))
                .unwrap();
        }
        if n % 2 == 0 {
            home.attach(draft, "a.jpg", &mut format!("photo of {n}").as_bytes()).unwrap();
        }
    }
    for n in 0..40 {
        let draft = home.draft_of(form, &format!("uuid:record-{n}"));
        home.attach(draft, "a.jpg", &mut format!("photo of record {n}").as_bytes()).unwrap();
        let finalized = Finalized {
            instance_id: format!("uuid:record-{n}"),
            xml: format!("<data>record {n} {}</data>", "y".repeat(300)).into_bytes(),
            name: String::new(),
            attachments: vec!["a.jpg".into()],
            last_saved: None,
            at: NOW,
        };
        home.finalize(draft, &finalized).unwrap();
    }
    home.shut();
    home
}

/// What a person has: of each draft its answers, of each record its bytes.
#[derive(PartialEq)]
struct Contents {
    drafts: Vec<(DraftId, Vec<String>)>,
    records: Vec<(SubmissionId, Vec<u8>)>,
}

fn contents(store: &Store) -> Result<Contents> {
    for project in store.projects()? {
        for form in store.forms(project.id)? {
            store.form(form.key)?;
            for file in store.form_files(form.key)? {
                store.form_data(file.id)?;
            }
        }
    }
    let answers =
        |draft| -> Result<Vec<String>> { Ok(store.edits(draft)?.into_iter().filter_map(|edit| edit.value).collect()) };
    let drafts: Vec<_> = store.drafts(None)?.into_iter().map(|draft| draft.id).collect();
    let mut drafts: Vec<_> = drafts.into_iter().map(|id| Ok((id, answers(id)?))).collect::<Result<_>>()?;
    drafts.sort();
    let records: Vec<_> = store.outbox(None)?.into_iter().map(|record| record.id).collect();
    for &record in &records {
        store.attempts(record)?;
        for attachment in store.submission_attachments(record)? {
            store.read_attachment(attachment.id, 0, 100)?;
        }
    }
    let records = records.into_iter().map(|id| Ok((id, store.submission_xml(id)?))).collect::<Result<_>>()?;
    Ok(Contents { drafts, records })
}

/// One page after the other is damaged. Whoever uses the home then meets the damage, or its page held nothing; the next
/// opening has mended it, and what is not there any more is counted.
#[test]
fn of_any_damaged_page_everything_else_is_salvaged_and_the_lost_is_counted() {
    let home = full_home();
    let store = Store::open(&home.path(), &home.key).unwrap();
    let whole = contents(&store).unwrap();
    drop(store);
    let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
    assert!(n_pages > 40, "{n_pages}");
    let (mut n_salvaged, mut n_lossless) = (0, 0);
    for page in (2..=n_pages).step_by(3) {
        let damaged = copy_folder(&home.path());
        let database = damaged.path().join("store.db");
        let mut bytes = fs::read(&database).unwrap();
        bytes[(page - 1) * PAGE + 1000] ^= 1;
        fs::write(&database, &bytes).unwrap();

        let open = || Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
        let first = open();
        let met = contents(&first).err().map(|error| error.kind());
        assert!(matches!(met, None | Some(ErrorKind::StorageDamaged | ErrorKind::NotFound)), "page {page}: {met:?}");
        let salvaged_at_once = first.opening().salvage.clone();
        drop(first);
        let store = open();
        let Some(salvage) = salvaged_at_once.or_else(|| store.opening().salvage.clone()) else {
            assert!(contents(&store).unwrap() == whole, "page {page} held nothing, and something is gone");
            continue;
        };
        n_salvaged += 1;
        assert!(!salvage.is_illegible, "page {page}: {salvage:?}");
        let after = store.read(|db| Ok(ids(db, "SELECT id FROM draft").unwrap())).unwrap();
        let (n_drafts, n_records) = (after.len() as u64, store.outbox(None).unwrap().len() as u64);
        assert_eq!((salvage.drafts.salvaged, salvage.records.salvaged), (n_drafts, n_records), "page {page}");
        assert_eq!(salvage.drafts.salvaged + salvage.drafts.lost, 40, "page {page}: {salvage:?}");
        assert_eq!(salvage.records.salvaged + salvage.records.lost, 40, "page {page}: {salvage:?}");
        // A page of 4 kB holds no more than this of anything.
        assert!(salvage.drafts.lost + salvage.drafts.damaged <= 40, "page {page}: {salvage:?}");
        let mut n_changed = 0;
        for (draft, was) in &whole.drafts {
            if !after.contains(&draft.0) {
                continue;
            }
            let now: Vec<_> = store.edits(*draft).unwrap().into_iter().filter_map(|edit| edit.value).collect();
            assert!(now.iter().all(|answer| was.contains(answer)), "page {page}: an answer nobody gave");
            n_changed += u64::from(now != *was);
        }
        assert!(
            n_changed == 0 || salvage.drafts.damaged > 0,
            "page {page}: {n_changed} drafts have lost answers unsaid"
        );
        for record in store.outbox(None).unwrap() {
            let (_, was) = whole.records.iter().find(|(id, _)| *id == record.id).unwrap();
            assert_eq!(&store.submission_xml(record.id).unwrap(), was, "page {page}");
        }
        n_lossless += u64::from(salvage.drafts.lost + salvage.records.lost + salvage.drafts.damaged == 0);
        let kept = fs::read(damaged.path().join("quarantine").join(&salvage.quarantine).join("store.db")).unwrap();
        assert!(kept == bytes, "page {page}: the damaged database is kept as it was");
        // It is mended: no further opening has anything to say, and no file went.
        drop(store);
        let again = open();
        assert_eq!(*again.opening(), OpeningReport::default(), "page {page}");
        assert!(again.maintenance(NOW).unwrap().salvage.is_none());
        assert_eq!(fs::read_dir(damaged.path().join("files")).unwrap().count(), 60, "page {page}");
    }
    assert!(n_salvaged > 10 && n_lossless > 2, "{n_salvaged} of {n_pages}, {n_lossless} without loss");
}

/// Within the salt of page 1 the proofs are passed over; in its header nothing can be read; elsewhere nothing is lost.
#[test]
fn a_damaged_first_page_is_salvaged_unproved_or_put_aside() {
    let home = full_home();
    for (place, is_proved, is_illegible) in
        [(3, false, false), (4050, true, false), (1000, true, false), (20, false, true)]
    {
        let damaged = copy_folder(&home.path());
        let database = damaged.path().join("store.db");
        let mut bytes = fs::read(&database).unwrap();
        bytes[place] ^= 1;
        fs::write(&database, &bytes).unwrap();
        assert_eq!(Store::open(damaged.path(), &home.key).unwrap_err().kind(), ErrorKind::StorageDamaged);
        let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
        let salvage = store.opening().salvage.clone().unwrap();
        assert_eq!((salvage.is_illegible, salvage.is_proved), (is_illegible, is_proved), "{place}");
        let n_drafts = if is_illegible { 0 } else { 40 };
        assert_eq!(
            (salvage.drafts.salvaged, store.drafts(None).unwrap().len()),
            (n_drafts, n_drafts as usize),
            "{place}"
        );
        let [kept] = &store.quarantines()[..] else { panic!("one quarantine") };
        assert_eq!(kept.name, salvage.quarantine);
        assert!(fs::read(damaged.path().join("quarantine").join(&kept.name).join("store.db")).unwrap() == bytes);
        assert_eq!(fs::read_dir(damaged.path().join("files")).unwrap().count(), 60);
        // What nothing proves is held back until a person says that it may go.
        let records = store.outbox(None).unwrap();
        let is_held = |record: &&Submission| matches!(&record.state, RecordState::NeedsAttention(reason) if reason.code == "unproved");
        let n_held = if is_proved { 0 } else { records.len() };
        assert_eq!(records.iter().filter(is_held).count(), n_held, "{place}");
        if let Some(record) = records.first() {
            store.retry(&crate::store::Records::One(record.id)).unwrap();
            assert_eq!(store.submission(record.id).unwrap().state, RecordState::Ready);
        }
    }
}

/// The first page of a table leads to all others; without it they are read one by one.
#[test]
fn rows_are_found_without_the_tree_that_led_to_them() {
    let home = full_home();
    let store = Store::open(&home.path(), &home.key).unwrap();
    let whole = contents(&store).unwrap();
    let root = |table: &str| -> usize {
        let query = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
        store.read(|db| Ok(db.query_row(query, [table], |row| row.get::<_, i64>(0))?)).unwrap() as usize
    };
    // Of what a person has; of a journal the first page holds rows itself.
    let roots = ["draft", "draft_edit", "submission", "attachment", "project", "last_saved", "receipt"].map(root);
    drop(store);
    for (n, page) in roots.into_iter().enumerate() {
        let damaged = copy_folder(&home.path());
        let mut bytes = fs::read(damaged.path().join("store.db")).unwrap();
        bytes[(page - 1) * PAGE + 1000] ^= 1;
        fs::write(damaged.path().join("store.db"), &bytes).unwrap();
        fs::write(damaged.path().join("suspect"), "").unwrap();
        let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
        let salvage = store.opening().salvage.clone().unwrap();
        assert_eq!((salvage.drafts.lost, salvage.records.lost), (0, 0), "{n}: {salvage:?}");
        let now = contents(&store).unwrap();
        assert!(now.records == whole.records, "{n}");
        let n_answers = |contents: &Contents| contents.drafts.iter().map(|(_, answers)| answers.len()).sum::<usize>();
        assert!(n_answers(&now) + 10 > n_answers(&whole), "{n}: {} answers", n_answers(&now));
        let n_changed = now.drafts.iter().zip(&whole.drafts).filter(|(now, was)| now != was).count() as u64;
        // On the journals' own first page lay a row here and there; only drafts beside such a place may have lost one.
        let told = if n == 1 { 1..20 } else { 0..1 };
        assert!(told.contains(&salvage.drafts.damaged) && n_changed <= salvage.drafts.damaged, "{n}: {salvage:?}");
        assert!(!damaged.path().join("quarantine").join(&salvage.quarantine).join(LEAVES).exists());
    }
}

/// Each draft keeps its answers whatever happened to its form or its project, and is whole again when these come back.
#[test]
fn no_draft_or_record_falls_because_of_its_project_or_form() {
    let home = full_home();
    let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
    let (mut n_without_project, mut n_empty_forms) = (0, 0);
    for page in (2..=n_pages).filter(|page| *page < 16 || page % 5 == 0) {
        let damaged = copy_folder(&home.path());
        let database = damaged.path().join("store.db");
        let mut bytes = fs::read(&database).unwrap();
        bytes[(page - 1) * PAGE + 3900] ^= 1;
        fs::write(&database, &bytes).unwrap();
        fs::write(damaged.path().join("suspect"), "").unwrap();
        let store = Store::open_or_salvage(damaged.path(), &home.key, NOW).unwrap();
        let Some(salvage) = store.opening().salvage.clone() else { continue };
        let [project] = &store.projects().unwrap()[..] else { panic!("page {page}: one project") };
        n_without_project += u64::from(project.url_prefix.is_empty());
        if salvage.forms.damaged > 0 {
            for form_id in ["visit", "large"] {
                let form =
                    crate::store::NewForm { xml: b"<form/>".to_vec(), ..new_form(project.id, form_id, "1", vec![]) };
                store.install_form(&form).unwrap();
            }
            let drafts = store.drafts(None).unwrap();
            let is_empty = |form| store.form(form).unwrap().xml.is_empty();
            n_empty_forms += u64::from(!drafts.iter().any(|draft| is_empty(draft.form)));
        }
        assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged, "page {page}");
        assert_eq!(store.outbox(None).unwrap().len() as u64, salvage.records.salvaged, "page {page}");
        // A page that names others of a table takes no rows with it but its own.
        for tally in [salvage.drafts, salvage.records] {
            assert!(tally.lost < 40, "page {page}: {salvage:?}");
        }
    }
    assert!(n_without_project > 0 && n_empty_forms > 0, "{n_without_project} {n_empty_forms}");
}

#[test]
fn a_home_without_a_database_is_not_salvaged_into_an_empty_one() {
    let home = full_home();
    let folder = tempfile::tempdir().unwrap();
    let away = folder.path().join("in its log.db");
    connection::create_at(&away, &home.key, 0).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    for left in [vec![], fs::read(away).unwrap()] {
        fs::write(home.path().join("store.db"), left).unwrap();
        let before = home.all_files();
        let refused = Store::open_or_salvage(&home.path(), &home.key, NOW).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageDamaged);
        assert_eq!(home.all_files(), before);
    }
}

#[test]
fn an_older_database_is_salvaged_too_and_then_updated() {
    let (home, key) = frozen_home();
    let database = home.path().join("store.db");
    let whole = fs::read(&database).unwrap();
    let (mut drafts, mut records) = (0, 0);
    for page in 2..=whole.len() / PAGE {
        let damaged = copy_folder(home.path());
        let mut bytes = whole.clone();
        bytes[(page - 1) * PAGE + 2000] ^= 1;
        fs::write(damaged.path().join("store.db"), &bytes).unwrap();
        let store = Store::open_or_salvage(damaged.path(), &key, NOW).unwrap();
        let Some(salvage) = store.opening().salvage.clone() else { continue };
        drafts += salvage.drafts.lost;
        records += salvage.records.lost;
        assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged, "page {page}: {salvage:?}");
        assert_eq!(store.outbox(None).unwrap().len() as u64, salvage.records.salvaged, "page {page}: {salvage:?}");
        assert_eq!(salvage.drafts.salvaged + salvage.drafts.lost, 8, "page {page}: {salvage:?}");
        assert_eq!(salvage.records.salvaged + salvage.records.lost, 6, "page {page}: {salvage:?}");
    }
    assert!(drafts > 0 && records > 0, "some page held them");
}

/// Every state of the disk between the first and the last step.
#[test]
fn a_salvage_can_be_cut_off_anywhere() {
    let home = full_home();
    let database = home.path().join("store.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[3] ^= 1;
    fs::write(&database, &bytes).unwrap();
    let mended = copy_folder(&home.path());
    drop(Store::open_or_salvage(mended.path(), &home.key, NOW).unwrap());
    let new = fs::read(mended.path().join("store.db")).unwrap();
    let log = &b"a log"[..];
    let half = &new[..10_000];
    type State<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);
    let states: [State<'_>; 7] = [
        ("nothing made", &[("store.db", &bytes)]),
        (
            "half written",
            &[("store.db", &bytes), ("quarantine/q/salvaging.db", half), ("quarantine/q/salvaging.db-journal", half)],
        ),
        ("written", &[("store.db", &bytes), ("quarantine/q/salvaging.db", &new)]),
        ("whole", &[("store.db", &bytes), ("store.db-wal", log), ("quarantine/q/salvaged.db", &new)]),
        ("log aside", &[("store.db", &bytes), ("quarantine/q/store.db-wal", log), ("quarantine/q/salvaged.db", &new)]),
        ("aside", &[("quarantine/q/store.db", &bytes), ("quarantine/q/salvaged.db", &new), ("open", b"")]),
        ("in place", &[("quarantine/q/store.db", &bytes), ("store.db", &new)]),
    ];
    for (what, files) in states {
        let cut = copy_folder(&home.path());
        fs::remove_file(cut.path().join("store.db")).unwrap();
        fs::create_dir_all(cut.path().join("quarantine/q")).unwrap();
        for (name, bytes) in files {
            fs::write(cut.path().join(name), bytes).unwrap();
        }
        for _ in 0..2 {
            let store = Store::open_or_salvage(cut.path(), &home.key, NOW).unwrap();
            assert_eq!(store.drafts(None).unwrap().len(), 40, "{what}");
            assert!(!store.opening().log_lost, "{what}");
            let [kept] = &store.quarantines()[..] else { panic!("{what}: {:?}", store.quarantines()) };
            let kept = cut.path().join("quarantine").join(&kept.name);
            assert!(fs::read(kept.join("store.db")).unwrap() == bytes, "{what}");
            assert!(!kept.join("salvaging.db").exists() && !kept.join("salvaged.db").exists(), "{what}");
        }
    }
}

#[test]
fn damage_that_shows_itself_while_it_is_open_is_mended_by_maintenance() {
    let home = full_home();
    let n_pages = fs::metadata(home.path().join("store.db")).unwrap().len() as usize / PAGE;
    let mut n_mended = 0;
    for page in (2..=n_pages).step_by(7) {
        let damaged = copy_folder(&home.path());
        let mut bytes = fs::read(damaged.path().join("store.db")).unwrap();
        bytes[(page - 1) * PAGE + 1000] ^= 1;
        fs::write(damaged.path().join("store.db"), &bytes).unwrap();
        let Ok(store) = Store::open(damaged.path(), &home.key) else { continue };
        let Some(salvage) = store.maintenance(NOW).unwrap().salvage else { continue };
        n_mended += 1;
        assert_eq!(store.drafts(None).unwrap().len() as u64, salvage.drafts.salvaged);
        assert!(store.maintenance(NOW).unwrap().salvage.is_none());
        // The new database is one like any other.
        let project = store.projects().unwrap()[0].id;
        let form = store.install_form(&new_form(project, "another", "1", vec![])).unwrap();
        let draft = store.create_draft(&crate::store::fixture::new_draft(form, "uuid:new")).unwrap();
        assert!(draft.0 > 80, "no number is given twice: {draft:?}");
        store.append_edit(draft, &answer(1, "/data/a", "new")).unwrap();
        drop(store);
        assert_eq!(Store::open(damaged.path(), &home.key).unwrap().edits(draft).unwrap().len(), 1);
    }
    assert!(n_mended > 3, "{n_mended} of {n_pages}");
}

#[test]
fn a_quarantine_is_named_and_goes_when_it_is_told_to() {
    let home = full_home();
    let database = home.path().join("store.db");
    for _ in 0..2 {
        let mut bytes = fs::read(&database).unwrap();
        bytes[3] ^= 1;
        fs::write(&database, &bytes).unwrap();
        drop(Store::open_or_salvage(&home.path(), &home.key, NOW).unwrap());
    }
    let store = Store::open(&home.path(), &home.key).unwrap();
    let names: Vec<_> = store.quarantines().into_iter().map(|kept| kept.name).collect();
    assert_eq!(names, ["2025-10-09T08-53-20Z", "2025-10-09T08-53-20Z-2"]);
    assert_eq!(store.delete_quarantine("../files").unwrap_err().kind(), ErrorKind::NotFound);
    for name in &names {
        store.delete_quarantine(name).unwrap();
    }
    assert_eq!((store.quarantines(), home.path().join("quarantine").exists()), (vec![], false));
}

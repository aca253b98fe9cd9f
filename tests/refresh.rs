//! The refresh against servers that list what changes, leaves, stalls, never ends or explodes, over real sockets. No test
//! measures time: where one has to pass, the limits are set short and the outcome is what counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veldwerk::error::ErrorKind;
use veldwerk::openrosa::digest_auth::Account;
use veldwerk::openrosa::form_list::{self, ListedForm};
use veldwerk::openrosa::manifest::{self, MediaFile, MediaKind};
use veldwerk::sync::policy::{Bounds, SyncPolicy, Timeouts};
use veldwerk::sync::{Cancel, Outcome, Project, RefreshReport, Step, SyncJob};
use veldwerk_tests::memory_store::MemoryStore;
use veldwerk_tests::raw_server::{Plan, RawServer};
use veldwerk_tests::site::{FORM, Site, job_with};

/// Enough never to be reached by a loaded machine, where nothing should stall.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// Patient throughout.
fn patient() -> SyncPolicy {
    let timeouts = Timeouts { connect: LONG, first_byte: LONG, reply: LONG, stall: LONG, ..Timeouts::default() };
    SyncPolicy { timeouts, ..SyncPolicy::default() }
}

fn with_timeouts(timeouts: Timeouts) -> SyncPolicy {
    SyncPolicy { timeouts, ..SyncPolicy::default() }
}

fn with_bounds(bounds: Bounds) -> SyncPolicy {
    SyncPolicy { bounds, ..patient() }
}

fn job(url: &str, store: &Arc<MemoryStore>) -> SyncJob<MemoryStore> {
    job_with(url, store, patient())
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 31 % 251) as u8).collect()
}

fn outcomes(report: &RefreshReport) -> Vec<(&str, Result<Outcome, ErrorKind>)> {
    let outcome = |outcome: &veldwerk::Result<Outcome>| outcome.as_ref().copied().map_err(|error| error.kind());
    report.forms.iter().map(|form| (form.form_id.as_str(), outcome(&form.outcome))).collect()
}

/// The paths asked for since the first `before` requests, but for `HEAD`, in the order of the alphabet: forms come at the same
/// time.
fn paths_since(server: &RawServer, before: usize) -> Vec<String> {
    let heard = server.heard().into_iter().skip(before).filter(|heard| heard.method == "GET");
    let mut paths: Vec<String> = heard.map(|heard| heard.path).collect();
    paths.sort();
    paths
}

/// The ids of the forms listed, as the store was told.
fn listed(store: &MemoryStore) -> Option<Vec<String>> {
    Some(store.listing()?.forms.into_iter().map(|form| form.form_id).collect())
}

#[tokio::test]
async fn forms_come_whole_and_only_once() {
    let site = Site::default();
    let server = site.start().await;
    let list_of_wells = MediaFile {
        kind: MediaKind::EntityList,
        hash: Some("md5:of-no-bytes-at-all".into()),
        ..site.media("wells.csv", b"name,label\n1,one\n")
    };
    let files = [site.media("site.png", &bytes(50_000)), list_of_wells.clone()];
    let visit = site.form("visit", "1", &files);
    let plain = ListedForm { manifest_url: None, ..site.form("plain", "", &[]) };
    site.list(&[visit.clone(), plain.clone()]);
    let store = Arc::new(MemoryStore::default());
    let job = job(&server.url(), &store);

    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::New)), ("plain", Ok(Outcome::New))]);
    let installed = store.installed();
    assert_eq!(installed[1].xml, format!("{FORM}<!-- visit 1 -->").as_bytes());
    assert_eq!(installed[1].bytes["site.png"], bytes(50_000));
    assert_eq!(listed(&store), Some(vec!["visit".to_owned(), "plain".to_owned()]));

    // Again: the documents are not modified, and nothing else is asked for.
    let n_asked = server.heard().len();
    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::UpToDate)), ("plain", Ok(Outcome::UpToDate))]);
    assert_eq!(paths_since(&server, n_asked), ["/p/formList", "/p/visit/manifest"]);
    let heard = server.heard();
    assert!(
        heard[n_asked..]
            .iter()
            .filter(|heard| heard.method == "GET")
            .all(|heard| heard.header("if-none-match").is_some())
    );

    // Another version and a changed picture: the new one is fetched, the list asked about, the rest is used again.
    let list_of_wells = MediaFile { hash: Some("md5:of-another-time".into()), ..list_of_wells };
    let files = [site.media("site.png", &bytes(60_000)), list_of_wells];
    let newer = site.form("visit", "2", &files);
    site.list(&[newer]);
    let n_asked = server.heard().len();
    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::UpdatedVersion))]);
    let asked = [
        "/p/formList",
        "/p/media/site.png",
        "/p/media/wells.csv",
        "/p/plain.xml", // it has left the list: is it closing?
        "/p/visit.xml",
        "/p/visit/manifest",
    ];
    assert_eq!(paths_since(&server, n_asked), asked);
    let heard = server.heard();
    let list = heard.iter().rfind(|heard| heard.path == "/p/media/wells.csv").unwrap();
    assert!(list.header("if-none-match").is_some());
    assert_eq!(listed(&store), Some(vec!["visit".to_owned()]));
    let versions: Vec<String> = store.installed().into_iter().map(|installed| installed.form.version).collect();
    assert_eq!(versions, ["", "1", "2"]);
    assert_eq!(store.installed()[2].bytes["wells.csv"], b"name,label\n1,one\n");

    // The same version with another picture: the form itself is not fetched again.
    let files = [site.media("site.png", &bytes(70_000))];
    site.put("/p/visit/manifest", Plan::open_rosa(200, &manifest::write(&files)));
    let n_asked = server.heard().len();
    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::UpdatedMedia))]);
    assert_eq!(paths_since(&server, n_asked), ["/p/formList", "/p/media/site.png", "/p/visit/manifest"]);
}

#[tokio::test]
async fn a_form_that_cannot_be_had_whole_is_left_out_and_the_others_come() {
    let site = Site::default();
    let server = site.start().await;
    let broken = |name: &str, plan: Plan| {
        let file = site.media(name, &bytes(40_000));
        site.put(&file.download_url, plan);
        file
    };
    let html = || Plan::reply(200, "<html>no</html>").with("Content-Type", "text/html");
    let entities = |file: MediaFile| MediaFile { kind: MediaKind::EntityList, ..file };
    let forms = [
        (
            site.form("cut", "1", &[broken("cut.png", Plan::CutReply { after: 9_000, body: bytes(40_000) })]),
            ErrorKind::Offline,
        ),
        (site.form("missing", "1", &[broken("gone.png", Plan::reply(404, ""))]), ErrorKind::MissingMedia),
        (site.form("portal-media", "1", &[broken("page.png", html())]), ErrorKind::NotAServer),
        (site.form("portal-list", "1", &[entities(broken("page.csv", html()))]), ErrorKind::NotAServer),
        (site.form("portal-xml", "1", &[]), ErrorKind::NotAServer),
        (site.form("masked-xml", "1", &[]), ErrorKind::NotAServer),
        (site.form("portal-manifest", "1", &[]), ErrorKind::NotAServer),
        (site.form("no-form", "1", &[]), ErrorKind::NotXforms),
        (site.form("forbidden", "1", &[]), ErrorKind::SignInNeeded),
        (site.form("broken", "1", &[]), ErrorKind::ServerError),
        (
            ListedForm { download_url: "http://survey.test/f.xml".into(), ..site.form("unprotected", "1", &[]) },
            ErrorKind::NotHttps,
        ),
    ];
    site.put("/p/portal-xml.xml", html());
    site.put("/p/masked-xml.xml", Plan::reply(200, "<!doctype html><html>").with("Content-Type", "application/xml"));
    site.put("/p/portal-manifest/manifest", html());
    site.put("/p/no-form.xml", Plan::reply(200, "<data/>"));
    site.put("/p/forbidden.xml", Plan::reply(403, "{}"));
    site.put("/p/broken.xml", Plan::reply(500, "{}"));
    let well = site.form("well", "1", &[site.media("well.png", &bytes(100))]);
    let listed: Vec<ListedForm> = forms.iter().map(|(form, _)| form.clone()).chain([well]).collect();
    site.list(&listed);

    let store = Arc::new(MemoryStore::default());
    let report = job(&server.url(), &store).refresh().await.unwrap();
    let expected = forms.iter().map(|(form, kind)| (form.form_id.as_str(), Err(*kind)));
    assert_eq!(outcomes(&report), expected.chain([("well", Ok(Outcome::New))]).collect::<Vec<_>>());
    let installed: Vec<String> = store.installed().into_iter().map(|installed| installed.form.form_id).collect();
    assert_eq!(installed, ["well"]);
    for form in &report.forms {
        let shown = format!("{:?}", form.outcome);
        assert!(!shown.contains("/p/") && !shown.contains("survey.test/f"), "an address is shown: {shown}");
    }
}

#[tokio::test]
async fn a_list_that_is_none_changes_nothing() {
    let cases = [
        (Plan::portal(), ErrorKind::NotAServer),
        (Plan::open_rosa(200, "<html/>"), ErrorKind::NotAServer),
        (Plan::reply(200, form_list::write(&[])).with("Content-Type", "text/xml"), ErrorKind::NotAServer),
        (Plan::reply(302, "").with("Location", "/p/portal"), ErrorKind::NotAServer),
        (Plan::reply(302, "").with("Location", "http://survey.test/p"), ErrorKind::NotHttps),
        (Plan::reply(401, ""), ErrorKind::SignInNeeded),
        (Plan::reply(403, ""), ErrorKind::SignInNeeded),
        (Plan::reply(502, "<html>"), ErrorKind::ServerError),
        (Plan::CutReply { after: 10, body: bytes(100) }, ErrorKind::Offline),
    ];
    for (plan, expected) in cases {
        let site = Site::default();
        let server = site.start().await;
        site.put("/p/formList", plan.clone());
        site.put("/p/portal", Plan::portal());
        let store = Arc::new(MemoryStore::default());
        let error = job(&server.url(), &store).refresh().await.unwrap_err();
        assert_eq!(error.kind(), expected, "{plan:?}");
        assert_eq!(listed(&store), None);
    }
}

#[tokio::test]
async fn a_broken_entry_costs_no_form_and_no_form_is_said_to_be_gone() {
    let site = Site::default();
    let server = site.start().await;
    site.list(&[ListedForm { name: String::new(), ..site.form("nameless", "1", &[]) }, site.form("well", "1", &[])]);
    let store = Arc::new(MemoryStore::default());
    let report = job(&server.url(), &store).refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("well", Ok(Outcome::New))]);
    assert_eq!(report.broken.len(), 1);
    let listing = store.listing().unwrap();
    assert!(listing.is_whole && listing.untold.contains("nameless"), "it says whose it is: {listing:?}");

    // One that does not even say that may be any form's.
    site.list(&[ListedForm { form_id: String::new(), ..site.form("x", "1", &[]) }, site.form("well", "1", &[])]);
    job(&server.url(), &store).refresh().await.unwrap();
    assert!(!store.listing().unwrap().is_whole);
}

#[tokio::test]
async fn files_lie_elsewhere_and_come_compressed() {
    let picture = bytes(30_000);
    let elsewhere = {
        let picture = picture.clone();
        RawServer::start(move |_| Plan::reply(200, picture.clone())).await
    };
    let site = Site::default();
    let server = site.start().await;
    let file = site.media("site.png", &picture);
    let target = format!("http://localhost:{}/signed?key=1", elsewhere.address.port());
    site.put(&file.download_url, Plan::reply(307, "").with("Location", &target));
    let visit = site.form("visit", "1", &[file]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(form_list::write(&[visit]).as_bytes()).unwrap();
    let compressed = Plan::Reply { status: 200, headers: Vec::new(), body: gzip.finish().unwrap() };
    let compressed =
        compressed.with("Content-Encoding", "gzip").with("Content-Type", "text/xml").with("X-OpenRosa-Version", "1.0");
    site.put("/p/formList", compressed);

    let store = Arc::new(MemoryStore::default());
    let account = Account { user: "ana".into(), password: "geheim".into() };
    let steps = Arc::new(Mutex::new(Vec::new()));
    let told = steps.clone();
    let job = SyncJob {
        project: Project::new(&server.url(), Some(account)).unwrap(),
        on_progress: Arc::new(move |progress| told.lock().unwrap().push(progress)),
        ..job(&server.url(), &store)
    };
    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::New))]);
    assert_eq!(store.installed()[0].bytes["site.png"], picture);
    assert!(
        server
            .heard()
            .iter()
            .all(|heard| heard.header("authorization").is_some_and(|given| given.starts_with("Basic ")))
    );
    let foreign = &elsewhere.heard()[0];
    assert_eq!(foreign.header("authorization"), None);
    let steps = steps.lock().unwrap();
    let last = steps.last().unwrap();
    let step = Step::Form { title: "The form visit".into(), file: Some("site.png".into()) };
    assert_eq!((&last.step, last.bytes, last.of_bytes), (&step, 30_000, Some(30_000)));
}

#[tokio::test]
async fn a_refresh_can_be_cancelled_in_the_middle_of_a_file() {
    let cancel = Cancel::default();
    let handle = cancel.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let list = form_list::write(&[ListedForm {
        form_id: "visit".into(),
        name: "Visit".into(),
        download_url: "/p/visit.xml".into(),
        ..ListedForm::default()
    }]);
    let server = RawServer::start(move |heard| {
        counter.fetch_add(1, Ordering::SeqCst);
        if heard.path == "/p/formList" {
            return Plan::open_rosa(200, &list);
        }
        handle.cancel();
        Plan::Stall
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let job = SyncJob { cancel, ..job(&server.url(), &store) };
    assert_eq!(job.refresh().await.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(store.installed().is_empty());
}

#[tokio::test]
async fn a_list_that_takes_long_to_make_is_waited_for_and_one_that_stops_half_way_is_not() {
    let list = form_list::write(&[]);
    let patient = Timeouts { connect: LONG, first_byte: LONG, reply: LONG, stall: SHORT, ..Timeouts::default() };
    let late = Plan::open_rosa(200, &list).late(SHORT * 2);
    let halting = Plan::stream("<xforms", "", LONG).with("Content-Type", "text/xml").with("X-OpenRosa-Version", "1.0");
    let cases = [
        (late, patient, Ok(())),
        (halting, patient, Err(ErrorKind::TooSlow)),
        (Plan::Stall, Timeouts { first_byte: SHORT, stall: LONG, ..patient }, Err(ErrorKind::TooSlow)),
    ];
    for (plan, timeouts, expected) in cases {
        let shown = format!("{plan:?}");
        let server = RawServer::start(move |_| plan.clone()).await;
        let came = job_with(&server.url(), &Arc::default(), with_timeouts(timeouts)).refresh().await;
        assert_eq!(came.map(|_| ()).map_err(|error| error.kind()), expected, "{shown}");
    }
}

/// Times so short that a stall is seen at once, and rates as for people.
fn quick() -> SyncPolicy {
    SyncPolicy::default().scaled(100)
}

/// A server that lists `bad`, whose XML or file answers as `plan` says, between two good forms.
async fn site_with(bad: Plan, is_file: bool) -> (Site, RawServer) {
    let site = Site::default();
    let server = site.start().await;
    let file = site.media("list.csv", b"name\n");
    let form = site.form("bad", "1", std::slice::from_ref(&file));
    site.put(if is_file { &file.download_url } else { &form.download_url }, bad);
    site.list(&[site.form("first", "1", &[]), form, site.form("last", "1", &[])]);
    (site, server)
}

#[tokio::test]
async fn one_byte_a_second_is_a_stall_and_the_others_come() {
    // A hundredth of a second is the second of a policy at a hundredth of its times.
    let drip = || Plan::stream("", "x", Duration::from_millis(10));
    for is_file in [false, true] {
        let (_site, server) = site_with(drip(), is_file).await;
        let store = Arc::new(MemoryStore::default());
        let report = job_with(&server.url(), &store, quick()).refresh().await.unwrap();
        let expected = [("first", Ok(Outcome::New)), ("bad", Err(ErrorKind::TooSlow)), ("last", Ok(Outcome::New))];
        assert_eq!(outcomes(&report), expected, "a file: {is_file}");
    }
    let server = RawServer::start(move |_| {
        Plan::stream("<xforms", " ", Duration::from_millis(10))
            .with("Content-Type", "text/xml")
            .with("X-OpenRosa-Version", "1.0")
    })
    .await;
    let error = job_with(&server.url(), &Arc::default(), quick()).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooSlow, "the list");
}

#[tokio::test]
async fn an_endless_csv_is_cut_at_its_bound_and_the_version_before_stays() {
    let (site, server) = site_with(Plan::reply(200, "name\n"), true).await;
    let store = Arc::new(MemoryStore::default());
    let bounds = Bounds { data: 1_000_000, ..Bounds::default() };
    let job = job_with(&server.url(), &store, with_bounds(bounds));
    job.refresh().await.unwrap();
    let before = store.installed();

    let endless = Plan::stream("name\n", "another row\n".repeat(1_000), Duration::ZERO);
    let file = MediaFile { hash: Some("another".into()), ..site.media("list.csv", b"") };
    site.put(&file.download_url, endless);
    let newer = site.form("bad", "2", &[file]);
    site.list(&[newer, site.form("last", "1", &[])]);
    let report = job.refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("bad", Err(ErrorKind::DownloadTooLarge)), ("last", Ok(Outcome::UpToDate))]);
    assert_eq!(
        store.installed().iter().map(|form| &form.xml).collect::<Vec<_>>(),
        before.iter().map(|form| &form.xml).collect::<Vec<_>>()
    );
}

/// Zeros of this size, packed.
fn bomb(size: usize) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let piece = vec![b' '; 1 << 20];
    let mut left = size;
    while left > 0 {
        gzip.write_all(&piece[..left.min(piece.len())]).unwrap();
        left = left.saturating_sub(piece.len());
    }
    gzip.finish().unwrap()
}

#[tokio::test]
async fn two_hundred_kilobytes_of_gzip_that_unpack_to_200_mb_are_cut() {
    let packed = bomb(200 << 20);
    assert!(packed.len() < 250_000, "{}", packed.len());
    let packed = Plan::reply(200, packed).with("Content-Encoding", "gzip");
    let document = packed.clone().with("Content-Type", "text/xml").with("X-OpenRosa-Version", "1.0");
    for is_file in [false, true] {
        let (_site, server) = site_with(packed.clone(), is_file).await;
        let store = Arc::new(MemoryStore::default());
        // Larger than the bomb, so that its ratio alone gives it away.
        let bounds = Bounds { data: 1 << 30, form: 1 << 30, ..Bounds::default() };
        let report = job_with(&server.url(), &store, with_bounds(bounds)).refresh().await.unwrap();
        assert_eq!(outcomes(&report)[1], ("bad", Err(ErrorKind::DownloadTooLarge)), "a file: {is_file}");
        assert_eq!(outcomes(&report)[2], ("last", Ok(Outcome::New)));
    }
    let server = RawServer::start(move |_| document.clone()).await;
    let error = job(&server.url(), &Arc::default()).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DownloadTooLarge, "the list");
}

#[tokio::test]
async fn every_reply_has_its_bound() {
    let whole = Bounds::default();
    let cases: [(&str, Bounds, Option<u64>); 6] = [
        ("form", Bounds { form: 10, ..whole }, None),
        ("manifest", Bounds { document: 900, ..whole }, None),
        ("list.csv", Bounds { data: 999, ..whole }, None),
        ("site.png", Bounds { media: 999, ..whole }, None),
        ("half of the disk", whole, Some(1_998)),
        ("all together", Bounds { refresh: 2_500, ..whole }, None),
    ];
    for (name, bounds, free_space) in cases {
        let site = Site::default();
        let server = site.start().await;
        let mut files = vec![site.media("list.csv", &bytes(1_000)), site.media("site.png", &bytes(1_000))];
        files.extend((0..4).map(|n| site.media(&format!("{n}.png"), b"")));
        let visit = site.form("visit", "1", &files);
        site.list(&[visit]);
        let store = Arc::new(MemoryStore::default());
        free_space.iter().for_each(|&bytes| store.set_free_space(bytes));
        let refresh = |bounds| job_with(&server.url(), &store, with_bounds(bounds));
        let report = refresh(bounds).refresh().await.unwrap();
        assert_eq!(outcomes(&report), [("visit", Err(ErrorKind::DownloadTooLarge))], "{name}");
        assert!(store.installed().is_empty());
        store.set_free_space(2_000);
        let just_enough = Bounds { document: 2_000, form: 200, data: 1_000, media: 1_000, refresh: 4_000, ..whole };
        let report = refresh(just_enough).refresh().await.unwrap();
        assert_eq!(outcomes(&report), [("visit", Ok(Outcome::New))], "{name}");
    }
}

#[tokio::test]
async fn forms_that_stall_do_not_keep_the_others_waiting() {
    let site = Site::default();
    let server = site.start().await;
    let mut forms: Vec<ListedForm> = ["s1", "s2", "s3"].map(|form_id| site.form(form_id, "1", &[])).into();
    for form in &forms {
        site.put(&form.download_url, Plan::Stall);
    }
    forms.extend((0..20).map(|n| site.form(&format!("good{n}"), "1", &[])));
    site.list(&forms);
    let store = Arc::new(MemoryStore::default());
    let cancel = Cancel::default();
    let (handle, seen) = (cancel.clone(), AtomicUsize::new(0));
    let on_progress = Arc::new(move |progress: veldwerk::sync::Progress| {
        // Once the last has begun, all before it are in or stalled.
        if progress.number == 23 && seen.fetch_add(1, Ordering::SeqCst) == 0 {
            handle.cancel();
        }
    });
    let job = SyncJob { cancel, on_progress, ..job(&server.url(), &store) };
    assert_eq!(job.refresh().await.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(store.installed().len() >= 19, "{}", store.installed().len());
}

#[tokio::test]
async fn a_refresh_is_linear_in_forms() {
    let mut per_form = Vec::new();
    for n_forms in [20, 200] {
        let site = Site::default();
        let server = site.start().await;
        let file = site.media("site.png", &bytes(100));
        site.list(
            &(0..n_forms).map(|n| site.form(&format!("f{n:04}"), "1", std::slice::from_ref(&file))).collect::<Vec<_>>(),
        );
        let store = Arc::new(MemoryStore::default());
        let job = job(&server.url(), &store);
        job.refresh().await.unwrap();
        let first = store.take_calls();
        job.refresh().await.unwrap();
        let second = store.take_calls();
        let read = |calls: &std::collections::BTreeMap<&str, usize>, call| calls.get(call).copied().unwrap_or(0);
        assert_eq!((read(&first, "forms"), read(&second, "forms")), (1, 1));
        assert_eq!(read(&first, "install"), n_forms);
        assert_eq!(read(&second, "remembered"), n_forms + 1);
        for call in ["install", "check_form", "form_xml", "stage", "remember"] {
            assert_eq!(read(&second, call), 0, "{call}: nothing has changed");
        }
        assert!(read(&first, "remember") <= 1 + n_forms / 50, "they are kept together");
        per_form.push([&first, &second].map(|calls| calls.values().sum::<usize>() as f64 / n_forms as f64));
    }
    // What a refresh costs once is spread over more forms, so a larger one costs less for each.
    for (small, large) in per_form[0].iter().zip(per_form[1]) {
        assert!(large <= *small, "{per_form:?}");
    }
}

#[tokio::test]
async fn the_largest_request_is_learned_and_a_server_that_does_not_tell_harms_nothing() {
    let head = |value: &str| Plan::open_rosa(204, "").with("X-OpenRosa-Accept-Content-Length", value);
    let cases = [
        (head("100000000"), Some(100_000_000)),
        (head("lots"), None),
        (head("0"), None),
        (Plan::reply(500, ""), None),
        (Plan::portal(), None),
        (Plan::CutReply { after: 0, body: vec![1] }, None),
        (Plan::reply(302, "").with("Location", "http://survey.test/"), None),
    ];
    for (plan, expected) in cases {
        let site = Site::default();
        let server = site.start().await;
        site.list(&[site.form("visit", "1", &[])]);
        site.put("/p/submission", plan.clone());
        let store = Arc::new(MemoryStore::default());
        let report = job(&server.url(), &store).refresh().await.unwrap();
        assert_eq!(outcomes(&report), [("visit", Ok(Outcome::New))], "{plan:?}");
        assert_eq!(store.limit(), expected, "{plan:?}");
    }
}

#[tokio::test]
async fn a_form_that_left_the_list_is_closing_or_gone() {
    let cases = [
        (Plan::reply(200, FORM).with("Content-Type", "application/xml"), Some(true)),
        (Plan::reply(404, "{}"), Some(false)),
        (Plan::reply(403, "{}"), Some(false)),
        (Plan::reply(409, "{}"), Some(false)),
        (Plan::reply(500, "{}"), None),
        (Plan::reply(401, "{}"), None),
        (Plan::portal(), None),
        (Plan::reply(404, "<html>").with("Content-Type", "text/html"), None),
    ];
    for (plan, expected) in cases {
        let site = Site::default();
        let server = site.start().await;
        site.list(&[site.form("visit", "1", &[]), site.form("other", "1", &[])]);
        let store = Arc::new(MemoryStore::default());
        let job = job(&server.url(), &store);
        job.refresh().await.unwrap();
        store.use_form("visit");
        site.list(&[site.form("other", "1", &[])]);
        site.put("/p/visit.xml", plan.clone());
        job.refresh().await.unwrap();
        assert_eq!(store.listing().unwrap().closing.get("visit").copied(), expected, "{plan:?}");

        // Asked again while a draft hangs on it, unless it is gone for good.
        let n_asked = server.heard().len();
        job.refresh().await.unwrap();
        let asked = paths_since(&server, n_asked).contains(&"/p/visit.xml".to_owned());
        assert_eq!(asked, expected != Some(false), "{plan:?}");
    }
}

#[tokio::test]
async fn that_the_newest_demands_encryption_is_told_however_it_fails() {
    let site = Site::default();
    let server = site.start().await;
    let store = Arc::new(MemoryStore::default());
    let job = job(&server.url(), &store);
    let said = site.form("said", "encrypted", &[]);
    // Never had, but Central marks the version.
    let marked = site.form("marked", "2[encrypted:5ecf1a2b]", &[]);
    site.put(&marked.download_url, Plan::reply(500, ""));
    let broken = site.form("broken", "2", &[]);
    site.put(&broken.download_url, Plan::reply(500, ""));
    site.list(&[said, marked, broken]);
    job.refresh().await.unwrap();
    let failures: Vec<_> =
        store.listing().unwrap().forms.into_iter().map(|form| (form.form_id, form.failure)).collect();
    assert_eq!(
        failures,
        [
            ("said".into(), Some(ErrorKind::EncryptionNeeded)),
            ("marked".into(), Some(ErrorKind::EncryptionNeeded)),
            ("broken".into(), Some(ErrorKind::ServerError)),
        ]
    );
}

#[tokio::test]
async fn a_hash_is_a_token_whatever_it_looks_like() {
    let content = bytes(10_000);
    let md5 = veldwerk::openrosa::hash(&content).trim_start_matches("md5:").to_owned();
    let tokens = [
        Some(md5.clone()),
        Some(format!("MD5:{}", md5.to_uppercase())),
        Some("md5:0000-1700000000".to_owned()),
        Some("anything".to_owned()),
        Some("md5:".to_owned()),
        None,
    ];
    for token in tokens {
        let site = Site::default();
        let server = site.start().await;
        let file = MediaFile { hash: token.clone(), ..site.media("site.png", &content) };
        site.list(&[site.form("visit", "1", std::slice::from_ref(&file))]);
        let store = Arc::new(MemoryStore::default());
        let job = job(&server.url(), &store);
        let refresh = async || outcomes(&job.refresh().await.unwrap())[0].1;
        assert_eq!(refresh().await, Ok(Outcome::New), "{token:?}: no hash is a reason to refuse");
        assert_eq!(refresh().await, Ok(Outcome::UpToDate), "{token:?}");
        assert_eq!(store.installed()[0].bytes["site.png"], content);

        // Without an ETag too: the bytes are the same.
        let anonymous = Plan::Late { pause: Duration::ZERO, plan: Box::new(Plan::reply(200, content.clone())) };
        site.put(&file.download_url, anonymous);
        assert_eq!(refresh().await, Ok(Outcome::UpToDate), "{token:?}");

        let changed =
            MediaFile { hash: token.as_ref().map(|token| format!("{token}1")), ..site.media("site.png", b"new") };
        let _ = site.form("visit", "1", &[changed]);
        assert_eq!(refresh().await, Ok(Outcome::UpdatedMedia), "{token:?}");
        assert_eq!(store.installed()[0].bytes["site.png"], b"new");
    }
}

#[tokio::test]
async fn a_file_whose_bytes_are_here_does_not_come_again() {
    let site = Site::default();
    let server = site.start().await;
    let file = site.media("site.png", &bytes(10_000));
    site.list(&[site.form("one", "1", std::slice::from_ref(&file))]);
    let store = Arc::new(MemoryStore::default());
    let job = job(&server.url(), &store);
    job.refresh().await.unwrap();
    let n_asked = server.heard().len();
    let renamed = MediaFile { name: "plan.png".into(), ..file.clone() };
    site.list(&[site.form("one", "1", &[file]), site.form("two", "1", &[renamed])]);
    job.refresh().await.unwrap();
    assert!(!paths_since(&server, n_asked).contains(&"/p/media/site.png".to_owned()));
    assert_eq!(store.installed()[1].bytes["plan.png"], bytes(10_000));
}

#[tokio::test]
async fn an_entry_of_a_manifest_that_is_of_no_use_costs_its_file_alone() {
    let site = Site::default();
    let server = site.start().await;
    let good = site.media("site.png", b"site");
    let hostile = MediaFile { name: "../..".into(), ..site.media("h.png", b"h") };
    let addressless = MediaFile { download_url: String::new(), ..site.media("a.png", b"a") };
    site.list(&[site.form("visit", "1", &[hostile, good, addressless])]);
    let store = Arc::new(MemoryStore::default());
    let report = job(&server.url(), &store).refresh().await.unwrap();
    assert_eq!(outcomes(&report), [("visit", Ok(Outcome::New))]);
    let broken: Vec<_> = report.forms[0].broken.iter().map(|entry| (entry.position, entry.error.kind())).collect();
    assert_eq!(broken, [(1, ErrorKind::UnsafeFileName), (3, ErrorKind::BrokenEntry)]);
    assert_eq!(store.installed()[0].bytes.keys().collect::<Vec<_>>(), ["site.png"]);
}

//! The network side against servers and networks that misbehave, over real sockets. No test measures time: where one has to
//! pass (a stall, a pause), the limits are set short and the outcome is what counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use veldwerk::client::{Client, Network, ProjectSource, RecordState, Records, SendOutcome, SubmissionId};
use veldwerk::error::ErrorKind;
use veldwerk::openrosa::digest_auth::{self, Account, Qop};
use veldwerk::openrosa::form_list::{self, ListedForm};
use veldwerk::openrosa::response;
use veldwerk::store::{Attachment, ForgetSent, Imported, NewAttachment, NewRecord, ProjectId, ProjectSettings};
use veldwerk::sync::policy::{SyncPolicy, Timeouts};
use veldwerk::sync::{Cancel, FileProblem, Project, Reason, State, SyncJob, Until};
use veldwerk_server::faults::{Fault, Proxy};
use veldwerk_tests::memory_store::MemoryStore;
use veldwerk_tests::phone::config;
use veldwerk_tests::raw_server::{Heard, Plan, RawServer};
use veldwerk_tests::site::job_with;

const XML: &str = "<?xml version=\"1.0\"?><visit id=\"visit\"><meta><instanceID>uuid:1</instanceID></meta></visit>";
const PATIENT: Until = Until::Empty { limit_ms: 60_000, longest_wait_ms: 5 };

/// Enough never to be reached by a loaded machine, where nothing should stall.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn job(url: &str, store: &Arc<MemoryStore>) -> SyncJob<MemoryStore> {
    impatient_job(url, store, LONG)
}

fn impatient_job(url: &str, store: &Arc<MemoryStore>, stall: Duration) -> SyncJob<MemoryStore> {
    let timeouts = Timeouts { connect: LONG, first_byte: stall, stall, reply: stall, ..Timeouts::default() };
    job_with(url, store, SyncPolicy { timeouts, ..SyncPolicy::default() })
}

fn stored() -> Plan {
    Plan::open_rosa(201, &response::write("full submission upload was successful!", false))
}

fn refused(status: u16, words: &str) -> Plan {
    Plan::open_rosa(status, &response::write(words, true))
}

/// A server for records: it answers `HEAD` as it should, and the *n*-th POST (from 0) as `posts` says.
async fn server_for_records(mut posts: impl FnMut(usize, &Heard) -> Plan + Send + 'static) -> RawServer {
    let mut n_posts = 0;
    RawServer::start(move |heard| match heard.method.as_str() {
        "HEAD" => Plan::open_rosa(204, "").with("X-OpenRosa-Accept-Content-Length", "100000"),
        "POST" => {
            n_posts += 1;
            posts(n_posts - 1, heard)
        }
        _ => Plan::open_rosa(200, &form_list::write(&[])),
    })
    .await
}

/// The parts of a multipart body: head and bytes of each.
fn parts(heard: &Heard) -> Vec<(String, Vec<u8>)> {
    let boundary = heard.header("content-type").unwrap().split("boundary=").nth(1).unwrap();
    let mark = format!("--{boundary}");
    let (mut found, mut rest) = (Vec::new(), heard.body.as_slice());
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    while let Some(begin) = find(rest, mark.as_bytes()) {
        let part = rest.get(begin + mark.len() + 2..).unwrap_or_default();
        let Some(end) = find(part, mark.as_bytes()) else { break };
        let head = find(part, b"\r\n\r\n").unwrap();
        found.push((String::from_utf8(part[..head].to_vec()).unwrap(), part[head + 4..end - 2].to_vec()));
        rest = &part[end..];
    }
    found
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn a_record_arrives_as_the_bytes_it_was() {
    let server = server_for_records(|_, _| stored()).await;
    let store = Arc::new(MemoryStore::default());
    let names = ["é a.jpg", "plain.m4a", "say \"hi\".png"];
    let record = store.queue("visit", XML, &names.map(|name| (name, Some(bytes(10_000)))));
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(report.states, BTreeMap::from([(record, State::Sent)]));
    assert_eq!(store.record(record).state, Some(State::Sent));
    assert_eq!(store.record(record).acknowledged, names);

    let heard = server.heard();
    assert_eq!(heard.iter().map(|heard| heard.method.as_str()).collect::<Vec<_>>(), ["HEAD", "POST"]);
    let post = &heard[1];
    assert_eq!(post.path, "/p/submission");
    assert_eq!(post.header("x-openrosa-version"), Some("1.0"));
    assert_eq!(post.header("date"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(post.header("content-length"), Some(post.body.len().to_string().as_str()));
    assert_eq!(post.header("transfer-encoding"), None);
    let parts = parts(post);
    let heads: Vec<&str> = parts.iter().map(|(head, _)| head.as_str()).collect();
    assert_eq!(
        heads,
        [
            "Content-Disposition: form-data; name=\"xml_submission_file\"; filename=\"submission.xml\"\r\nContent-Type: text/xml",
            "Content-Disposition: form-data; name=\"é a.jpg\"; filename=\"é a.jpg\"\r\nContent-Type: image/jpeg",
            "Content-Disposition: form-data; name=\"plain.m4a\"; filename=\"plain.m4a\"\r\nContent-Type: audio/mp4",
            "Content-Disposition: form-data; name=\"say \\\"hi\\\".png\"; filename=\"say \\\"hi\\\".png\"\r\nContent-Type: image/png",
        ]
    );
    assert_eq!(parts[0].1, XML.as_bytes());
    assert!(parts[1..].iter().all(|(_, part)| *part == bytes(10_000)));
}

#[tokio::test]
async fn a_broken_upload_continues_with_the_parts_left_and_the_same_bytes() {
    let server = server_for_records(|_, _| stored()).await;
    let proxy = Proxy::start(server.address).await.unwrap();
    // The first POST breaks in its body, the second arrives but its reply is lost, the next connection is good.
    proxy.plan([Fault::CutPost { after: 30_000 }, Fault::LosePostReply]);
    let store = Arc::new(MemoryStore::default());
    let attachments = ["a.jpg", "b.jpg", "c.jpg"].map(|name| (name, Some(bytes(60_000))));
    let record = store.queue("visit", XML, &attachments);
    let url = format!("http://{}/p", proxy.address());
    let report = job(&url, &store).send(PATIENT, false).await.unwrap();
    assert_eq!(report.states, BTreeMap::from([(record, State::Sent)]));
    assert_eq!(proxy.planned(), 0);

    let posts = server.heard_of("POST");
    let (xml, more) = ("xml_submission_file", "*isIncomplete*");
    assert_eq!(
        posts.iter().map(names).collect::<Vec<_>>(),
        [vec![xml, more], vec![xml, more], vec![xml, more, "a.jpg"], vec![xml, more, "b.jpg"], vec![xml, "c.jpg"]],
        "after a cut the answers alone, whose reply is lost, then what is left"
    );
    assert!(posts.iter().all(|post| parts(post)[0].1 == XML.as_bytes()), "the same bytes again");
}

#[tokio::test]
async fn a_server_cut_in_the_middle_of_a_body_is_tried_again() {
    let server = server_for_records(|n, _| if n == 0 { Plan::CutRequest { after: 20_000 } } else { stored() }).await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(90_000)))]);
    job(&server.url(), &store).send(PATIENT, false).await.unwrap();
    assert_eq!(store.record(record).state, Some(State::Sent));
    assert_eq!(store.record(record).tries, 2);
    let statuses: Vec<_> = store.record(record).attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [None, Some(201), Some(201)], "the answers, then the file");
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    let server = server_for_records(|n, _| if n == 0 { Plan::Stall } else { stored() }).await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(10_000)))]);
    let job = impatient_job(&server.url(), &store, SHORT);
    let report = job.send(Until::OnePass, false).await.unwrap();
    assert!(matches!(report.states[&record], State::Waiting { reason: Reason::Offline, .. }), "{report:?}");
    // The other tries may meet a machine too busy to answer in the short time, so they are given more than one.
    let report = job.send(PATIENT, true).await.unwrap();
    assert_eq!(report.states[&record], State::Sent);
}

#[tokio::test]
async fn a_busy_server_is_waited_for() {
    let plans = [
        Plan::reply(500, "{\"message\":\"broke\"}"),
        Plan::reply(429, "").with("Retry-After", "1800"),
        Plan::reply(503, ""),
    ];
    for plan in plans {
        let first = plan.clone();
        let server = server_for_records(move |n, _| if n == 0 { first.clone() } else { stored() }).await;
        let store = Arc::new(MemoryStore::default());
        let record = store.queue("visit", XML, &[]);
        let job = job(&server.url(), &store);
        let report = job.send(Until::OnePass, false).await.unwrap();
        let State::Waiting { until_ms, reason: Reason::ServerBusy, .. } = report.states[&record] else {
            panic!("{report:?}")
        };
        if matches!(plan, Plan::Reply { status: 429, .. }) {
            assert!(until_ms >= 1_700_000_000_000 + 1_800_000, "the server's own pause counts");
        }
        let report = job.send(Until::OnePass, false).await.unwrap();
        assert_eq!(report.states, BTreeMap::new(), "not due yet");
        let report = job.send(Until::OnePass, true).await.unwrap();
        assert_eq!(report.states[&record], State::Sent, "the person asks");
    }
}

#[tokio::test]
async fn a_digest_challenge_is_answered() {
    let account = Account { user: "ana".into(), password: "geheim".into() };
    let known = account.clone();
    let server = RawServer::start(move |heard| {
        let given = heard.header("authorization").unwrap_or_default();
        let field = |name: &str| {
            let value = given.split(&format!("{name}=")).nth(1).unwrap_or_default().trim_start_matches('"');
            value.split(['"', ',']).next().unwrap_or_default().to_owned()
        };
        let (count, client_nonce) = (field("nc"), field("cnonce"));
        let qop = Qop { count: &count, client_nonce: &client_nonce };
        let expected = digest_auth::response(&known, "veld", &heard.method, &heard.path, "n0nce", Some(qop));
        if !given.starts_with("Digest ") || field("response") != expected {
            return Plan::reply(401, "")
                .with("WWW-Authenticate", "Digest realm=\"veld\", nonce=\"n0nce\", qop=\"auth\"");
        }
        if heard.method == "HEAD" { Plan::open_rosa(204, "") } else { stored() }
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(1_000)))]);
    let with_account =
        |account| SyncJob { project: Project::new(&server.url(), account).unwrap(), ..job(&server.url(), &store) };
    let wrong = Account { password: "falsch".into(), ..account.clone() };
    let report = with_account(Some(wrong)).send(Until::OnePass, false).await.unwrap();
    assert!(matches!(report.states[&record], State::Waiting { reason: Reason::SignInNeeded, .. }), "{report:?}");
    assert_eq!(server.heard_of("POST").len(), 0);

    let report = with_account(Some(account)).send(Until::OnePass, true).await.unwrap();
    assert_eq!(report.states[&record], State::Sent);
    let posts = server.heard_of("POST");
    assert_eq!(posts.len(), 1, "the challenge was met at HEAD, before the body");
    assert!(posts[0].header("authorization").unwrap().contains("nc=00000002"));
}

#[tokio::test]
async fn a_portal_takes_no_record() {
    for portal_at in ["HEAD", "POST"] {
        let server = RawServer::start(move |heard| match heard.method.as_str() {
            method if method == portal_at => Plan::portal(),
            "HEAD" => Plan::open_rosa(204, ""),
            _ => stored(),
        })
        .await;
        let store = Arc::new(MemoryStore::default());
        let records = [(); 3].map(|()| store.queue("visit", XML, &[]));
        let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
        for record in records {
            assert!(matches!(report.states[&record], State::Waiting { reason: Reason::NotAServer, .. }), "{portal_at}");
        }
        assert!(server.heard_of("POST").len() <= 2, "the third record is not even tried");
    }
}

/// As nginx: answered from the head, before the body is read.
async fn server_that_takes(most: usize) -> RawServer {
    server_for_records(move |_, heard| {
        let size: usize = heard.header("content-length").unwrap().parse().unwrap();
        if size > most { Plan::Early { status: 413 } } else { stored() }
    })
    .await
}

fn names(heard: &Heard) -> Vec<String> {
    let name = |head: String| head.split("name=\"").nth(1).and_then(|rest| Some(rest.split('"').next()?.to_owned()));
    parts(heard).into_iter().filter_map(|(head, _)| name(head)).collect()
}

#[tokio::test]
async fn too_large_a_post_goes_in_smaller_ones_and_one_file_too_large_holds_back_nothing() {
    let server = server_that_takes(50_000).await;
    let store = Arc::new(MemoryStore::default());
    let small = ["a.jpg", "b.jpg", "c.jpg"].map(|name| (name, Some(bytes(20_000))));
    let fits = store.queue("visit", XML, &small);
    let large = store.queue("visit", XML, &[("d.jpg", Some(bytes(80_000))), ("e.jpg", Some(bytes(10)))]);
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(report.states[&fits], State::Sent);
    assert_eq!(store.record(fits).acknowledged, ["a.jpg", "b.jpg", "c.jpg"]);
    assert_eq!(report.states[&large], State::NeedsAttention(Reason::TooLarge));
    let large = store.record(large);
    assert!(large.answers_arrived);
    assert_eq!(large.acknowledged, ["e.jpg"]);
    assert_eq!(large.problems, [("d.jpg".to_owned(), FileProblem::TooLarge)]);
    assert_eq!(store.limit(), Some(100_000), "what the server says of itself is kept");
}

#[tokio::test]
async fn answers_of_every_record_go_before_large_files() {
    let server = server_for_records(|_, _| stored()).await;
    let store = Arc::new(MemoryStore::default());
    let video = || Some(bytes(400_000));
    let records = [
        store.queue("visit", XML, &[("one.mp4", video()), ("one.jpg", Some(bytes(1_000)))]),
        store.queue("visit", XML, &[("two.mp4", video())]),
        store.queue("visit", XML, &[]),
    ];
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert!(records.iter().all(|record| report.states[record] == State::Sent));
    let posts: Vec<_> = server.heard_of("POST").iter().map(names).collect();
    let (xml, more) = ("xml_submission_file", "*isIncomplete*");
    assert_eq!(
        posts,
        [vec![xml, more, "one.jpg"], vec![xml, more], vec![xml], vec![xml, "one.mp4"], vec![xml, "two.mp4"],]
    );
}

#[tokio::test]
async fn a_cut_costs_one_batch_or_one_file() {
    let server = RawServer::start(move |heard| match heard.method.as_str() {
        "HEAD" => Plan::open_rosa(204, "").with("X-OpenRosa-Accept-Content-Length", "10000000"),
        _ => stored(),
    })
    .await;
    let proxy = Proxy::start(server.address).await.unwrap();
    proxy.plan([Fault::LosePostReply, Fault::LosePostReply, Fault::LosePostReply]);
    let store = Arc::new(MemoryStore::default());
    let files: Vec<_> = (0..20).map(|n| format!("{n}.jpg")).collect();
    let files: Vec<_> = files.iter().map(|name| (name.as_str(), Some(bytes(100_000)))).collect();
    let record = store.queue("visit", XML, &files);
    job(&format!("http://{}/p", proxy.address()), &store).send(PATIENT, false).await.unwrap();
    assert_eq!(store.record(record).state, Some(State::Sent));
    let posts: Vec<_> = server.heard_of("POST").iter().map(names).collect();
    let n_files: Vec<usize> =
        posts.iter().map(|post| post.iter().filter(|name| name.ends_with(".jpg")).count()).collect();
    assert_eq!(n_files[..3], [2, 0, 0], "what was lost: a batch, then the answers alone");
    assert_eq!(n_files[3..].iter().sum::<usize>(), files.len());
}

#[tokio::test]
async fn one_sick_record_does_not_block_the_others() {
    let server = server_for_records(|_, heard| {
        let size: usize = heard.header("content-length").unwrap().parse().unwrap();
        if size > 5_000 { refused(404, "no such form") } else { stored() }
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let sick = store.queue("gone", XML, &[("a.jpg", Some(bytes(9_000)))]);
    let unreadable = store.queue("visit", XML, &[("b.jpg", None), ("c.jpg", Some(bytes(10)))]);
    let well = store.queue("visit", XML, &[]);
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(report.states[&sick], State::NeedsAttention(Reason::UnknownForm));
    assert_eq!(report.states[&unreadable], State::NeedsAttention(Reason::AttachmentDamaged));
    assert_eq!(store.record(unreadable).acknowledged, ["c.jpg"], "only the damaged file is left out");
    assert!(store.record(unreadable).answers_arrived);
    assert_eq!(report.states[&well], State::Sent);
}

#[tokio::test]
async fn a_false_deleted_is_tried_once_more() {
    let server = server_for_records(|n, _| match n {
        0 => refused(409, "This submission has been deleted. You may not resubmit it."),
        _ => stored(),
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(10)))]);
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(report.states[&record], State::Sent);
    let posts = server.heard_of("POST");
    assert_eq!(parts(&posts[0]), parts(&posts[1]));
}

#[tokio::test]
async fn a_form_not_allowed_is_told_from_a_wrong_account() {
    let server = server_for_records(|_, heard| {
        let size: usize = heard.header("content-length").unwrap().parse().unwrap();
        if size > 5_000 { refused(401, "not yours") } else { stored() }
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let refused = store.queue("theirs", XML, &[("a.jpg", Some(bytes(9_000)))]);
    let same_form = store.queue("theirs", XML, &[]);
    let well = store.queue("visit", XML, &[]);
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(report.states[&refused], State::NeedsAttention(Reason::NotAllowed));
    assert_eq!(report.states[&same_form], State::NeedsAttention(Reason::NotAllowed));
    assert_eq!(report.states[&well], State::Sent);
    assert_eq!(server.heard_of("GET")[0].path, "/p/formList");
}

#[tokio::test]
async fn redirects_lead_where_they_may() {
    let other = RawServer::start(|_| stored()).await;
    let elsewhere = format!("http://localhost:{}/submission", other.address.port());
    // Within the host a POST follows 307 and the Location of HEAD.
    let server = RawServer::start(|heard| match (heard.method.as_str(), heard.path.as_str()) {
        ("HEAD", _) => Plan::open_rosa(204, "").with("Location", "/p/one"),
        ("POST", "/p/one") => Plan::reply(307, "").with("Location", "/p/two"),
        _ => stored(),
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(10_000)))]);
    job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert_eq!(store.record(record).state, Some(State::Sent));
    let posts = server.heard_of("POST");
    assert_eq!(posts.iter().map(|post| post.path.as_str()).collect::<Vec<_>>(), ["/p/one", "/p/two"]);
    assert_eq!(parts(&posts[1])[1].1, bytes(10_000));

    // To another host it does not.
    let server = server_for_records(move |_, _| Plan::reply(307, "").with("Location", &elsewhere)).await;
    let record = store.queue("visit", XML, &[]);
    let report = job(&server.url(), &store).send(Until::OnePass, false).await.unwrap();
    assert!(matches!(report.states[&record], State::Waiting { reason: Reason::NotAServer, .. }), "{report:?}");
    assert_eq!(other.heard().len(), 0);
}

#[tokio::test]
async fn two_sendings_at_once_send_a_record_once() {
    let server = server_for_records(|_, _| stored()).await;
    let store = Arc::new(MemoryStore::default());
    let records: Vec<_> = (0..5).map(|_| store.queue("visit", XML, &[("a.jpg", Some(bytes(20_000)))])).collect();
    let one = job(&server.url(), &store);
    let other = SyncJob { turn: one.turn.clone(), ..job(&server.url(), &store) };
    let (one, other) = tokio::join!(one.send(Until::OnePass, false), other.send(Until::OnePass, true));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.states.len() + other.states.len(), records.len());
    assert_eq!(server.heard_of("POST").len(), records.len());
    assert!(records.iter().all(|&record| store.record(record).state == Some(State::Sent)));
}

#[tokio::test]
async fn a_sending_that_waits_lets_another_go_first() {
    let server = server_for_records(|n, _| if n == 0 { Plan::reply(503, "") } else { stored() }).await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[]);
    let hours = 10 * 60 * 60_000;
    let patient = job(&server.url(), &store);
    let asked = SyncJob { turn: patient.turn.clone(), ..job(&server.url(), &store) };
    let nudge = patient.nudge.clone();
    let waiting = async { patient.send(Until::Empty { limit_ms: hours, longest_wait_ms: hours }, false).await };
    let by_hand = async {
        let sent_by_hand = loop {
            let report = asked.send(Until::OnePass, true).await.unwrap();
            if report.states.get(&record) == Some(&State::Sent) {
                break report;
            }
            tokio::task::yield_now().await;
        };
        nudge.nudge();
        sent_by_hand
    };
    let (waited, _) = tokio::join!(waiting, by_hand);
    assert!(!waited.unwrap().states.values().any(|state| *state == State::Sent), "there was nothing left for it");
    assert_eq!(store.record(record).state, Some(State::Sent));
    assert_eq!(server.heard_of("POST").len(), 2);
}

#[tokio::test]
async fn a_network_that_is_back_ends_the_wait() {
    let server = server_for_records(|n, _| if n == 0 { Plan::reply(503, "") } else { stored() }).await;
    let home = Home::new(&server.url(), 1);
    let hours = 10 * 60 * 60_000;
    let until = Until::Empty { limit_ms: hours, longest_wait_ms: hours };
    let sending = home.client.send(home.project, until, Arc::new(|_| {}), Cancel::default());
    let network = async {
        let state = || home.client.outbox(None).unwrap().remove(0).state;
        while !matches!(state(), RecordState::Waiting { .. }) {
            tokio::task::yield_now().await;
        }
        home.client.network_changed(Network::None);
        assert!(matches!(state(), RecordState::Waiting { .. }));
        home.client.network_changed(Network::Metered);
    };
    let (sent, ()) = tokio::join!(sending, network);
    assert!(sent.unwrap().is_done());
}

/// A phone whose project is at `url`, with records of one attachment each.
struct Home {
    client: Client,
    project: ProjectId,
    records: Vec<SubmissionId>,
    _folder: tempfile::TempDir,
}

impl Home {
    fn new(url: &str, n_records: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
        let source = ProjectSource::Url { url: url.to_owned(), account: None };
        let project = client.add_project(&source, None).unwrap().project.id;
        let mut home = Self { client, project, records: Vec::new(), _folder: folder };
        for n in 0..n_records {
            let record = home.queue("visit", &n.to_string(), &[("a.jpg", &bytes(9_000))]);
            home.records.push(record);
        }
        home
    }

    fn queue(&self, form_id: &str, id: &str, files: &[(&str, &[u8])]) -> SubmissionId {
        let record = NewRecord {
            project: self.project,
            instance_id: format!("uuid:{id}"),
            form_id: form_id.into(),
            version: "1".into(),
            title: "Visit".into(),
            name: String::new(),
            xml: XML.as_bytes().to_vec(),
            finalized_at: self.records.len() as i64,
        };
        let files = files.iter().map(|(name, bytes)| NewAttachment::of_bytes(name, bytes));
        match self.client.store().import_record(&record, files.collect()).unwrap() {
            Imported::Queued(record) => record,
            Imported::Present(_) | Imported::SentBefore => panic!("it is here already"),
        }
    }

    async fn send(&self) -> veldwerk::Result<SendOutcome> {
        self.client.send(self.project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).await
    }

    fn states(&self) -> Vec<&'static str> {
        self.client.outbox(None).unwrap().iter().map(|record| record.state.name()).collect()
    }
}

#[tokio::test]
async fn storage_paused_in_the_middle_of_a_post_leaves_no_record_sending() {
    let paused: Arc<OnceLock<Client>> = Arc::default();
    let client = paused.clone();
    let server = server_for_records(move |n, _| {
        if n == 0 {
            client.get().unwrap().pause_storage().unwrap();
        }
        stored()
    })
    .await;
    let home = Home::new(&server.url(), 2);
    paused.set(home.client.clone()).unwrap();
    assert_eq!(home.send().await.unwrap_err().kind(), ErrorKind::StoragePaused);
    home.client.resume_storage().unwrap();
    assert_eq!(home.states(), ["sent", "ready"], "what the server has is known all the same");
    assert!(home.send().await.unwrap().is_done());
    assert_eq!(server.heard_of("POST").len(), 2);
}

#[tokio::test]
async fn storage_paused_when_a_post_breaks_leaves_no_record_sending() {
    let paused: Arc<OnceLock<Client>> = Arc::default();
    let client = paused.clone();
    let server = server_for_records(move |n, _| {
        if n == 0 {
            client.get().unwrap().pause_storage().unwrap();
            return Plan::CutRequest { after: 100 };
        }
        stored()
    })
    .await;
    let home = Home::new(&server.url(), 1);
    paused.set(home.client.clone()).unwrap();
    home.send().await.unwrap_err();
    home.client.resume_storage().unwrap();
    assert_eq!(home.states(), ["waiting"]);
    assert!(home.send().await.unwrap().is_done());
}

#[tokio::test]
async fn a_sending_that_is_dropped_leaves_no_record_sending() {
    let posted = Arc::new(tokio::sync::Notify::new());
    let notify = posted.clone();
    let server = server_for_records(move |n, _| {
        notify.notify_one();
        if n == 0 { Plan::Stall } else { stored() }
    })
    .await;
    let home = Home::new(&server.url(), 1);
    tokio::select! {
        _ = home.send() => panic!("nothing was answered"),
        () = posted.notified() => {}
    }
    assert_eq!(home.states(), ["ready"]);
    assert!(home.send().await.unwrap().is_done());
}

#[tokio::test]
async fn a_sending_that_panics_leaves_no_record_sending() {
    let server = server_for_records(|_, _| stored()).await;
    let home = Home::new(&server.url(), 1);
    let (client, project) = (home.client.clone(), home.project);
    let sending = tokio::spawn(async move {
        let on_progress = Arc::new(|_| panic!("a shell's mistake"));
        client.send(project, Until::OnePass, on_progress, Cancel::default()).await
    });
    assert!(sending.await.unwrap_err().is_panic());
    assert_eq!(home.states(), ["ready"]);
    assert!(home.send().await.unwrap().is_done());
}

#[tokio::test]
async fn what_was_left_sending_is_freed_by_retry_by_resume_and_by_the_next_sending() {
    let server = server_for_records(|_, _| stored()).await;
    let home = Home::new(&server.url(), 1);
    let lose_sight = || assert!(home.client.store().begin_sending(home.records[0]).unwrap().is_some());
    lose_sight();
    home.client.retry(&Records::OfProject(home.project)).unwrap();
    assert_eq!(home.states(), ["ready"]);
    lose_sight();
    home.client.resume_storage().unwrap();
    assert_eq!(home.states(), ["ready"]);
    lose_sight();
    assert!(home.send().await.unwrap().is_done());
}

#[tokio::test]
async fn a_record_on_the_road_is_not_freed() {
    let sending: Arc<OnceLock<Client>> = Arc::default();
    let client = sending.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let server = server_for_records(move |_, _| {
        let client = client.get().unwrap();
        client.resume_storage().unwrap();
        let record = client.outbox(None).unwrap()[0].id;
        assert_eq!(client.retry(&Records::One(record)).unwrap(), 0);
        log.lock().unwrap().push(client.outbox(None).unwrap()[0].state.name());
        stored()
    })
    .await;
    let home = Home::new(&server.url(), 1);
    sending.set(home.client.clone()).unwrap();
    assert!(home.send().await.unwrap().is_done());
    assert_eq!(*seen.lock().unwrap(), ["sending"]);
}

#[tokio::test]
async fn two_sends_of_one_client_send_every_record_once() {
    let server = server_for_records(|_, _| stored()).await;
    let home = Home::new(&server.url(), 5);
    let (one, other) = tokio::join!(home.send(), home.send());
    assert!(one.unwrap().is_done() && other.unwrap().is_done(), "both tell of every record");
    assert_eq!(server.heard_of("POST").len(), 5);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_sent_from_and_written_when_it_can() {
    let server = server_for_records(|n, _| if n == 1 { refused(404, "no such form") } else { stored() }).await;
    let home = Home::new(&server.url(), 3);
    home.client.store().refuse_writes(true).unwrap();
    let outcome = home.send().await.unwrap();
    let states: Vec<_> = outcome.records.iter().map(|record| record.state.name()).collect();
    assert_eq!(states, ["sent", "needs_attention", "sent"]);
    assert!(home.send().await.unwrap().records.iter().all(|record| record.id == home.records[1]), "nothing goes twice");
    assert_eq!(server.heard_of("POST").len(), 3);
    let on_disk = |n: usize| home.client.store().submission(home.records[n]).unwrap().state.name();
    assert_eq!([0, 1, 2].map(on_disk), ["ready"; 3]);
    home.client.store().refuse_writes(false).unwrap();
    home.send().await.unwrap();
    assert_eq!([0, 1, 2].map(on_disk), ["sent", "needs_attention", "sent"]);
    assert_eq!(server.heard_of("POST").len(), 3);
}

/// A server that refuses the records of a form until told otherwise; its list names the form then.
async fn server_that_opens(form_id: &'static str, status: u16, words: &'static str) -> (RawServer, Arc<AtomicBool>) {
    let is_open = Arc::new(AtomicBool::new(false));
    let open = is_open.clone();
    let server = RawServer::start(move |heard| {
        let is_open = open.load(Ordering::SeqCst);
        match heard.method.as_str() {
            "HEAD" => Plan::open_rosa(204, ""),
            "POST" if is_open => stored(),
            "POST" => refused(status, words),
            _ if heard.path == "/p/formList" => {
                let form = ListedForm {
                    form_id: form_id.into(),
                    name: "Visit".into(),
                    version: "1".into(),
                    download_url: "/p/visit.xml".into(),
                    ..ListedForm::default()
                };
                Plan::open_rosa(200, &form_list::write(if is_open { std::slice::from_ref(&form) } else { &[] }))
            }
            _ => Plan::reply(404, ""),
        }
    })
    .await;
    (server, is_open)
}

#[tokio::test]
async fn a_record_goes_by_itself_when_its_obstacle_is_gone() {
    let rows = [
        (401, "not yours", "not-allowed"),
        (409, "the form is not currently accepting submissions", "form-closed"),
        (404, "no such form", "unknown-form"),
        (405, "", "inactive"),
    ];
    for (status, words, code) in rows {
        let (server, is_open) = server_that_opens("visit", status, words).await;
        let home = Home::new(&server.url(), 0);
        let [mine, other] = ["visit", "elsewhere"].map(|form| home.queue(form, form, &[]));
        home.send().await.unwrap();
        let refresh = || home.client.refresh(home.project, Arc::new(|_| {}), Cancel::default());
        refresh().await.unwrap();
        let state = |record| home.client.store().submission(record).unwrap().state;
        for record in [mine, other] {
            assert!(matches!(state(record), RecordState::NeedsAttention(reason) if reason.code == code), "{code}");
        }
        is_open.store(true, Ordering::SeqCst);
        refresh().await.unwrap();
        assert_eq!([mine, other].map(|record| state(record).name()), ["ready", "needs_attention"], "{code}");
        assert_eq!(home.client.retry(&Records::OfProject(home.project)).unwrap(), 2);
        assert!(home.send().await.unwrap().is_done());
    }
}

#[tokio::test]
async fn unsent_records_are_given_up_after_an_export_or_by_word() {
    let server = server_for_records(|_, _| refused(404, "no such form")).await;
    let home = Home::new(&server.url(), 3);
    home.send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (first, rest) = (Records::One(home.records[0]), Records::OfProject(home.project));
    let discarded = home.client.discard(&first, Some(folder.path())).unwrap();
    assert_eq!((discarded.records, discarded.kept), (1, 0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // Nothing is given up that has no copy.
    let no_folder = folder.path().join("file");
    std::fs::write(&no_folder, "").unwrap();
    let _ = home.client.discard(&rest, Some(&no_folder));
    assert_eq!(home.states().len(), 2);
    assert_eq!(home.client.discard(&rest, None).unwrap().records, 2);
    assert_eq!(home.states(), [""; 0]);
    assert_eq!(home.client.discard(&first, None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(home.client.receipts(home.project).unwrap(), []);
}

#[tokio::test]
async fn a_file_too_large_damaged_or_gone_is_replaced_or_dropped_and_the_xml_stays() {
    let server = server_that_takes(50_000).await;
    let home = Home::new(&server.url(), 0);
    let large = bytes(80_000);
    let record = home.queue("visit", "a", &[("large.mp4", &large), ("gone.jpg", &bytes(3_000)), ("well.jpg", b"x")]);
    let sealed = home.client.store().attachment_source(file_of(&home, record, "gone.jpg").id).unwrap();
    std::fs::remove_file(sealed.path()).unwrap();

    home.send().await.unwrap();
    let summary = || home.client.outbox(None).unwrap().remove(0);
    assert!(matches!(&summary().state, RecordState::NeedsAttention(_)));
    assert!(summary().answers_arrived);
    let problems: Vec<_> = summary().problems.into_iter().map(|problem| (problem.name, problem.code)).collect();
    assert_eq!(problems, [("gone.jpg", "missing"), ("large.mp4", "too-large")].map(|(a, b)| (a.into(), b.into())));
    assert!(file_of(&home, record, "well.jpg").sent_at.is_some());

    home.client.replace_attachment(record, "gone.jpg", &mut &bytes(2_000)[..]).unwrap();
    home.send().await.unwrap();
    assert_eq!(summary().problems.len(), 1, "the other still is too large");
    assert_eq!(names(server.heard_of("POST").last().unwrap()), ["xml_submission_file", "*isIncomplete*", "gone.jpg"]);
    home.client.drop_attachment(record, "large.mp4").unwrap();
    assert!(home.send().await.unwrap().is_done());
    let taken = server.heard_of("POST").into_iter().filter(|post| !post.body.is_empty());
    assert!(taken.map(|post| parts(&post)).all(|parts| parts[0].1 == XML.as_bytes()), "the same bytes every time");
    let refused = home.client.replace_attachment(record, "well.jpg", &mut &b"y"[..]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound, "it is sent");
}

fn file_of(home: &Home, record: SubmissionId, name: &str) -> Attachment {
    let attachments = home.client.store().submission_attachments(record).unwrap();
    attachments.into_iter().find(|attachment| attachment.name == name).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_found_while_sending_and_only_that_part_is_left_out() {
    let server = server_for_records(|_, _| stored()).await;
    let home = Home::new(&server.url(), 0);
    let record = home.queue("visit", "a", &[("bad.jpg", &bytes(90_000)), ("well.jpg", &bytes(9_000))]);
    let sealed = home.client.store().attachment_source(file_of(&home, record, "bad.jpg").id).unwrap();
    let mut flipped = std::fs::read(sealed.path()).unwrap();
    flipped[70_000] ^= 1;
    std::fs::write(sealed.path(), flipped).unwrap();
    home.send().await.unwrap();
    let summary = home.client.outbox(None).unwrap().remove(0);
    assert!(matches!(&summary.state, RecordState::NeedsAttention(reason) if reason.code == "attachment-damaged"));
    assert!(summary.answers_arrived);
    assert_eq!(summary.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["damaged"]);
    assert!(file_of(&home, record, "well.jpg").sent_at.is_some());
}

#[tokio::test]
async fn the_limit_is_learned_at_refresh_and_a_larger_one_frees_what_was_too_large() {
    let limit = Arc::new(AtomicUsize::new(50_000));
    let said = limit.clone();
    let server = RawServer::start(move |heard| {
        let limit = said.load(Ordering::SeqCst);
        match heard.method.as_str() {
            "HEAD" => Plan::open_rosa(204, "").with("X-OpenRosa-Accept-Content-Length", &limit.to_string()),
            "POST" => {
                let size: usize = heard.header("content-length").unwrap().parse().unwrap();
                if size > limit { Plan::Early { status: 413 } } else { stored() }
            }
            _ => Plan::open_rosa(200, &form_list::write(&[])),
        }
    })
    .await;
    let home = Home::new(&server.url(), 0);
    let store = home.client.store();
    let refresh = || home.client.refresh(home.project, Arc::new(|_| {}), Cancel::default());
    assert_eq!(store.accept_length(home.project).unwrap(), None, "no verdict");
    refresh().await.unwrap();
    assert_eq!(store.accept_length(home.project).unwrap(), Some(50_000));
    home.queue("visit", "a", &[("large.mp4", &bytes(80_000))]);
    home.send().await.unwrap();
    assert_eq!(home.states(), ["needs_attention"]);
    limit.store(200_000, Ordering::SeqCst);
    refresh().await.unwrap();
    assert_eq!(home.states(), ["ready"]);
    assert!(home.send().await.unwrap().is_done());
}

#[tokio::test]
async fn sent_records_are_forgotten_by_hand_and_by_policy_and_leave_receipts() {
    let server = server_for_records(|n, _| if n == 1 { refused(404, "no such form") } else { stored() }).await;
    let home = Home::new(&server.url(), 3);
    home.send().await.unwrap();
    let unsent = Records::One(home.records[1]);
    assert_eq!(home.client.forget(&unsent).unwrap_err().kind(), ErrorKind::UnsentRecords);
    assert_eq!(home.client.forget(&Records::One(home.records[0])).unwrap(), 1);
    assert_eq!(home.states(), ["needs_attention", "sent"]);
    assert_eq!(home.client.receipts(home.project).unwrap()[0].instance_id, "uuid:0");

    let set = |forget_sent| {
        let settings = home.client.project_summary(home.project).unwrap().settings;
        home.client.set_project_settings(home.project, ProjectSettings { forget_sent, ..settings }).unwrap();
    };
    set(ForgetSent::AfterDays(30));
    assert_eq!(home.client.forget_by_policy(home.project).unwrap(), 0, "it was sent today");
    set(ForgetSent::AtOnce);
    home.client.retry(&unsent).unwrap();
    let outcome = home.send().await.unwrap();
    assert!(outcome.is_done() && outcome.records.len() == 1, "what was sent is told once more");
    assert_eq!(home.states(), [""; 0], "and then forgotten");
    assert_eq!(home.client.receipts(home.project).unwrap().len(), 3);
}

#[tokio::test]
async fn without_a_connection_records_wait_and_go_when_it_is_back() {
    let server = server_for_records(|_, _| stored()).await;
    let proxy = Proxy::start(server.address).await.unwrap();
    proxy.go_down();
    while tokio::net::TcpStream::connect(proxy.address()).await.is_ok() {}
    let store = Arc::new(MemoryStore::default());
    let records = [store.queue("visit", XML, &[]), store.queue("visit", XML, &[])];
    let job = job(&format!("http://{}/p", proxy.address()), &store);
    let report = job.send(Until::OnePass, false).await.unwrap();
    for record in records {
        assert!(matches!(report.states[&record], State::Waiting { reason: Reason::Offline, .. }), "{report:?}");
    }
    assert_eq!(job.refresh().await.unwrap_err().kind(), ErrorKind::Offline);
    proxy.go_up();
    let report = job.send(PATIENT, true).await.unwrap();
    assert!(records.iter().all(|record| report.states[record] == State::Sent));
}

#[tokio::test]
async fn a_nudge_ends_the_wait() {
    let server = server_for_records(|n, _| if n == 0 { Plan::reply(503, "") } else { stored() }).await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[]);
    let job = job(&server.url(), &store);
    job.nudge.nudge();
    let hours = 10 * 60 * 60_000;
    let report = job.send(Until::Empty { limit_ms: hours, longest_wait_ms: hours }, false).await.unwrap();
    assert_eq!(report.states[&record], State::Sent);
}

#[tokio::test]
async fn a_cancelled_record_is_ready_again() {
    let cancel = Cancel::default();
    let handle = cancel.clone();
    let server = server_for_records(move |_, _| {
        handle.cancel();
        Plan::Stall
    })
    .await;
    let store = Arc::new(MemoryStore::default());
    let record = store.queue("visit", XML, &[("a.jpg", Some(bytes(10_000)))]);
    let job = SyncJob { cancel, ..job(&server.url(), &store) };
    assert_eq!(job.send(PATIENT, false).await.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(store.record(record).state, Some(State::Ready));
}

//! Accounts, servers and certificates that change: the client over real homes and real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use veldwerk::client::{AddOutcome, Cancel, Client, Finalization, ProjectSource, RecordState, RefreshReport, Until};
use veldwerk::openrosa::form_list::{self, ListedForm};
use veldwerk::openrosa::settings_qr::{self, Autosend, ConstraintBehavior, Metadata, Settings};
use veldwerk::openrosa::{hash, response};
use veldwerk::store::{ProjectId, ProjectSettings};
use veldwerk::{Error, ErrorKind};
use veldwerk_server::FormSource;
use veldwerk_tests::phone::{Phone, config, visit};
use veldwerk_tests::raw_server::{Plan, RawServer};
use veldwerk_tests::tls_front::{Authority, TlsFront};

fn url(url: &str) -> ProjectSource {
    ProjectSource::Url { url: url.to_owned(), account: None }
}

/// The new code of a server.
fn code(phone: &Phone) -> ProjectSource {
    ProjectSource::of_text(&phone.server.settings_code().unwrap().unwrap())
}

/// A finalised record of the form `visit`.
fn record(phone: &Phone, name: &str) -> String {
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some(name)).unwrap();
    phone.finalized(draft.finalize().unwrap()).1
}

fn states(client: &Client) -> Vec<RecordState> {
    client.outbox(None).unwrap().into_iter().map(|record| record.state).collect()
}

fn reason_codes(client: &Client) -> Vec<String> {
    let code = |state| match state {
        RecordState::Waiting { reason, .. } | RecordState::NeedsAttention(reason) => reason.code,
        other => format!("{other:?}"),
    };
    states(client).into_iter().map(code).collect()
}

#[test]
fn a_revoked_token_with_three_records_in_the_outbox_and_a_new_code_sends_them() {
    let mut phone = Phone::new();
    let ids: Vec<String> = ["Ada", "Ben", "Cem"].map(|name| record(&phone, name)).into();
    let form = phone.client().find_form(phone.project, "visit").unwrap();
    let mut draft = phone.client().start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some("Dua")).unwrap();
    drop(draft);

    phone.server.renew_token().unwrap();
    let outcome = phone.send(Until::OnePass);
    assert!(!outcome.is_done());
    assert!(reason_codes(phone.client()).contains(&"sign-in-needed".to_owned()), "{outcome:?}");
    let refreshed = phone.client().refresh_blocking(phone.project, Arc::new(|_| {}), Cancel::default());
    assert_eq!(refreshed.unwrap_err().kind(), ErrorKind::SignInNeeded);

    let renewed = phone.client().renew(phone.project, &code(&phone), false).unwrap();
    assert_eq!((renewed.project.id, renewed.freed), (phone.project, 3));
    assert_eq!(states(phone.client()), [RecordState::Ready, RecordState::Ready, RecordState::Ready]);
    assert_eq!(phone.client().drafts(Some(phone.project)).unwrap().len(), 1);
    assert!(phone.client().find_form(phone.project, "visit").is_ok(), "the forms stay");

    assert!(phone.send(Until::OnePass).is_done());
    let mut arrived: Vec<String> =
        phone.server.records("visit").unwrap().into_iter().map(|record| record.instance_id).collect();
    let mut ids = ids;
    arrived.sort();
    ids.sort();
    assert_eq!(arrived, ids);
    assert!(phone.refresh().forms.iter().all(|form| form.outcome.is_ok()));
}

#[test]
fn another_server_or_project_takes_a_projects_records_only_when_confirmed() {
    let phone = Phone::new();
    let client = phone.client();
    let here = phone.server.project_url().unwrap();
    let elsewhere = [
        here.replace("http://127.0.0.1", "https://127.0.0.1"),
        here.replace("127.0.0.1", "localhost"),
        "https://other.test/v1/key/T0ken/projects/1".to_owned(),
        here.replace("/projects/1", "/projects/2"),
    ];
    for address in elsewhere {
        let refused = client.renew(phone.project, &url(&address), false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OtherServer, "{address}");
        assert!(!refused.to_string().contains("T0ken"), "{refused}");
    }
    assert_eq!(client.projects().unwrap()[0].server, format!("http://{}", phone.server.address()));
    let moved = client.renew(phone.project, &url("https://other.test/v1/key/T0ken/projects/1"), true).unwrap();
    assert_eq!(moved.project.server, "https://other.test");
    assert_eq!(client.projects().unwrap(), [moved.project]);
}

#[test]
fn a_password_stays_on_its_server() {
    let phone = Phone::new();
    let client = phone.client();
    let account = Some(("ana".to_owned(), "geheim".to_owned()));
    let source = ProjectSource::Url { url: "https://h.test/v1/projects/7".into(), account };
    let id = client.add_project(&source, None).unwrap().project.id;
    let user = |address: &str, move_there| client.renew(id, &url(address), move_there).unwrap().project.user;
    assert_eq!(user("https://h.test/v1/projects/7/", false).as_deref(), Some("ana"), "a new address, the same account");
    assert_eq!(client.renew_account(id, "ben", "nieuw").unwrap().project.user.as_deref(), Some("ben"));
    assert_eq!(user("https://other.test/v1/projects/7", true), None, "no password goes to another server");
    assert_eq!(user("https://other.test/v1/key/T0ken/projects/7", false), None);
    assert_eq!(client.renew_account(id, "ben", "nieuw").unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn the_same_address_and_account_are_the_same_project_and_another_token_is_a_new_one() {
    let phone = Phone::new();
    let client = phone.client();
    let add = |source: &ProjectSource| client.add_project(source, None).unwrap();
    let with_user = |user: &str| ProjectSource::Url {
        url: "https://h.test/v1/projects/7".into(),
        account: Some((user.into(), "geheim".into())),
    };
    let first = add(&url("https://h.test/v1/key/one/projects/7"));
    assert_eq!((first.outcome, first.project.name.as_str()), (AddOutcome::New, "h.test"));
    for same in ["https://H.test:443/v1/key/one/projects/7/", "h.test/v1/projects/7?st=one"] {
        let again = add(&url(same));
        assert_eq!((again.outcome, again.project.id), (AddOutcome::Present, first.project.id), "{same}");
    }
    let other = add(&url("https://h.test/v1/key/two/projects/7"));
    assert_eq!(other.outcome, AddOutcome::Beside(first.project.id));
    assert_eq!(add(&with_user("ana")).outcome, AddOutcome::Beside(first.project.id));
    assert_eq!(add(&with_user("ana")).outcome, AddOutcome::Present);
    assert_eq!(add(&url("https://h.test/v1/key/one/projects/8")).outcome, AddOutcome::New);
    assert_eq!(add(&url("https://h.test:8443/v1/key/one/projects/7")).outcome, AddOutcome::New);
    assert_eq!(client.projects().unwrap().len(), 6);
}

#[test]
fn no_renewal_makes_two_projects_the_same() {
    let phone = Phone::new();
    let client = phone.client();
    let add = |source: &ProjectSource| client.add_project(source, None).unwrap().project.id;
    let with_user = |user: &str| ProjectSource::Url {
        url: "https://h.test/v1/projects/7".into(),
        account: Some((user.into(), "geheim".into())),
    };
    let (one, two) =
        (add(&url("https://h.test/v1/key/one/projects/7")), add(&url("https://h.test/v1/key/two/projects/7")));
    let (ana, ben) = (add(&with_user("ana")), add(&with_user("ben")));
    let before = client.projects().unwrap();
    let refused = [
        client.renew(two, &url("https://H.test:443/v1/key/one/projects/7/"), false),
        client.renew(one, &with_user("ana"), true),
        client.renew_account(ben, "ana", "another"),
    ];
    for (refused, taken) in refused.into_iter().zip([one, ana, ana]) {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::ProjectPresent, format!("project {taken}").as_str()));
        assert!(!error.to_string().contains("ana") && !error.to_string().contains("one/"), "{error}");
    }
    assert_eq!(client.projects().unwrap(), before);
    for same in [one, two] {
        assert!(client.allow_host(same, "files.test").is_ok(), "what leaves address and account alone is no renewal");
    }
    assert!(client.renew_account(ana, "ana", "another").is_ok(), "nor is a new password");
}

#[test]
fn what_a_settings_code_says_of_the_person_reaches_forms_and_the_rest_reaches_the_shell() {
    let phone = Phone::new();
    let metadata = Metadata { username: "Ana".into(), phonenumber: "+31".into(), email: "ana@h.test".into() };
    let settings = Settings {
        server_url: phone.server.project_url().unwrap(),
        autosend: Autosend::WifiOnly,
        constraint_behavior: ConstraintBehavior::OnFinalize,
        metadata,
        project_name: Some("Wells".into()),
        ..Settings::default()
    };
    let source = ProjectSource::SettingsCode(settings_qr::encode(&settings).unwrap());
    phone.client().remove_project(phone.project, false).unwrap();
    let added = phone.client().add_project(&source, None).unwrap();
    assert_eq!((added.project.name.as_str(), added.unused), ("Wells", vec![]));
    let kept = phone.client().projects().unwrap().remove(0).settings;
    assert_eq!((kept.autosend, kept.constraint_behavior), (Autosend::WifiOnly, ConstraintBehavior::OnFinalize));

    let form = FormSource { xml: WHO.into(), files: vec![] };
    phone.server.publish(&form).unwrap();
    let refreshed = phone.client().refresh_blocking(added.project.id, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(refreshed.forms.iter().all(|form| form.outcome.is_ok()), "{refreshed:?}");
    let form = phone.client().find_form(added.project.id, "who").unwrap();
    let draft = phone.client().start_draft(form.key, None).unwrap();
    let xml = draft.session().draft_xml();
    for value in ["<name>Ana</name>", "<phone>+31</phone>", "<mail>ana@h.test</mail>", "<uri>mailto:ana@h.test</uri>"] {
        assert!(xml.contains(value), "{value}: {xml}");
    }
}

/// A form that asks who holds the device.
const WHO: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
        xmlns:jr="http://openrosa.org/javarosa">
    <h:head><h:title>Who</h:title><model>
      <instance><data id="who"><name/><phone/><mail/><uri/><meta><instanceID/></meta></data></instance>
      <bind nodeset="/data/name" type="string" jr:preload="property" jr:preloadParams="username"/>
      <bind nodeset="/data/phone" type="string" jr:preload="property" jr:preloadParams="phonenumber"/>
      <bind nodeset="/data/mail" type="string" jr:preload="property" jr:preloadParams="email"/>
      <bind nodeset="/data/uri" type="string" jr:preload="property" jr:preloadParams="uri:email"/>
      <bind nodeset="/data/meta/instanceID" type="string" jr:preload="uid"/>
    </model></h:head>
    <h:body><input ref="/data/name"><label>Name</label></input></h:body>
  </h:html>"#;

/// A server of the protocol: one form, and every record is taken.
async fn plain_server() -> RawServer {
    server_of(visit("1").xml).await
}

async fn server_of(form: Vec<u8>) -> RawServer {
    let listed = ListedForm {
        form_id: "visit".into(),
        name: "Visit".into(),
        version: "1".into(),
        hash: Some(hash(&form)),
        download_url: "forms/visit.xml".into(),
        manifest_url: None,
    };
    RawServer::start(move |heard| match (heard.method.as_str(), heard.path.as_str()) {
        ("HEAD", _) => Plan::open_rosa(204, ""),
        ("POST", _) => Plan::open_rosa(201, &response::write("stored", false)),
        (_, path) if path.starts_with("/p/formList") => {
            Plan::open_rosa(200, &form_list::write(std::slice::from_ref(&listed)))
        }
        (_, "/moved/formList") => Plan::reply(301, "").with("Location", "http://127.0.0.1/p/formList"),
        _ => Plan::reply(200, form.clone()).with("Content-Type", "application/xml"),
    })
    .await
}

async fn refresh(client: &Client, project: ProjectId) -> Result<RefreshReport, Error> {
    client.refresh(project, Arc::new(|_| {}), Cancel::default()).await
}

#[tokio::test]
async fn a_server_with_an_authority_of_its_own_is_trusted_once_the_project_has_its_certificate() {
    let (folder, authority, server) = (tempfile::tempdir().unwrap(), Authority::new(), plain_server().await);
    let front = TlsFront::start(authority.identity("localhost", (2020, 4000)), server.address).await;
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let address = format!("https://localhost:{}/p", front.address.port());
    let project = client.add_project(&url(&address), None).unwrap().project.id;
    assert_eq!(refresh(&client, project).await.unwrap_err().kind(), ErrorKind::UnknownIssuer);
    assert_eq!(server.heard().len(), 0, "nothing is said to a stranger");

    let renewed = client.trust(project, &format!("\n# ours\n{}", authority.pem())).unwrap();
    assert_eq!(renewed.freed, 0);
    let report = refresh(&client, project).await.unwrap();
    assert!(report.forms.iter().all(|form| form.outcome.is_ok()) && report.forms.len() == 1, "{report:?}");
    assert!(renewed.project.own_authority);

    let form = client.find_form(project, "visit").unwrap();
    let mut draft = client.start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some("Ada")).unwrap();
    assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
    client.trust(project, "").unwrap();
    client.send(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).await.unwrap();
    assert_eq!(reason_codes(&client), ["unknown-issuer"]);
    assert_eq!(client.trust(project, &Authority::new().pem()).unwrap().freed, 1);
    client.send(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).await.unwrap();
    assert_eq!(reason_codes(&client), ["unknown-issuer"], "another authority does not help");
    assert_eq!(server.heard_of("POST").len(), 0);
    assert_eq!(client.trust(project, &authority.pem()).unwrap().freed, 1);
    assert!(client.send(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).await.unwrap().is_done());
    assert_eq!(client.trust(project, "<html>").unwrap_err().kind(), ErrorKind::BadCertificate);
}

#[test]
fn the_same_project_added_from_many_threads_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let source = url("https://h.test/v1/key/abc/projects/1");
    let added: Vec<_> = std::thread::scope(|scope| {
        let adding: Vec<_> = (0..8).map(|_| scope.spawn(|| client.add_project(&source, None).unwrap())).collect();
        adding.into_iter().map(|adding| adding.join().unwrap()).collect()
    });
    assert_eq!(client.projects().unwrap().len(), 1);
    assert_eq!(added.iter().filter(|added| added.outcome == AddOutcome::New).count(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_apart() {
    let (folder, authority, server) = (tempfile::tempdir().unwrap(), Authority::new(), plain_server().await);
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let stranger = Authority::new();
    let rows = [
        (stranger.identity("localhost", (2020, 4000)), ErrorKind::UnknownIssuer, ""),
        (authority.identity("other.test", (2020, 4000)), ErrorKind::WrongCertificateName, ""),
        (authority.identity("localhost", (1990, 2001)), ErrorKind::CertificateExpired, "valid until 2001-01-01"),
        (authority.identity("localhost", (3999, 4000)), ErrorKind::CertificateNotYetValid, "valid from 3999-01-01"),
    ];
    for (identity, kind, detail) in rows {
        let front = TlsFront::start(identity, server.address).await;
        let address = format!("https://localhost:{}/v1/key/T0ken/projects/1", front.address.port());
        let project = client.add_project(&url(&address), None).unwrap().project.id;
        client.trust(project, &authority.pem()).unwrap();
        let error = refresh(&client, project).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.detail().ends_with(detail), "{error}");
        assert!(detail.is_empty() || error.detail().starts_with("this device says it is 2"), "{error}");
        assert!(!error.to_string().contains("T0ken"), "{error}");
    }
    assert_eq!(server.heard().len(), 0, "nothing is said to a stranger");

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let project =
        client.add_project(&url(&format!("https://{}/p", plain.local_addr().unwrap())), None).unwrap().project.id;
    let answering = async {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n").await.unwrap();
        stream
    };
    let (refreshed, _stream) = tokio::join!(refresh(&client, project), answering);
    assert_eq!(refreshed.unwrap_err().kind(), ErrorKind::NoSecureConnection);
}

#[tokio::test]
async fn no_redirect_leads_from_https_to_http() {
    let (folder, authority, server) = (tempfile::tempdir().unwrap(), Authority::new(), plain_server().await);
    let front = TlsFront::start(authority.identity("127.0.0.1", (2020, 4000)), server.address).await;
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let project = client.add_project(&url(&format!("https://{}/moved", front.address)), None).unwrap().project.id;
    client.trust(project, &authority.pem()).unwrap();
    assert_eq!(refresh(&client, project).await.unwrap_err().kind(), ErrorKind::NotHttps);
    assert_eq!(server.heard().len(), 1);
}

/// A project with an account on `server`, whose one form has a finalised record.
async fn project_with_a_record(client: &Client, server: &RawServer) -> ProjectId {
    let account = Some(("ana".to_owned(), "geheim".to_owned()));
    let source = ProjectSource::Url { url: server.url(), account };
    let project = client.add_project(&source, None).unwrap().project.id;
    refresh(client, project).await.unwrap();
    let form = client.find_form(project, "visit").unwrap();
    let mut draft = client.start_draft(form.key, None).unwrap();
    draft.answer("/data/name", Some("Ada")).unwrap();
    assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
    project
}

async fn send(client: &Client, project: ProjectId) {
    client.send(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).await.unwrap();
}

/// The form `visit` with a place of its own for records.
fn sent_to(action: &str) -> Vec<u8> {
    let xml = String::from_utf8(visit("1").xml).unwrap();
    xml.replace("</model>", &format!("<submission action=\"{action}\" method=\"post\"/></model>")).into_bytes()
}

#[tokio::test]
async fn a_form_sends_its_records_to_another_host_only_when_that_was_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let elsewhere = plain_server().await;
    let server = server_of(sent_to(&format!("http://{}/own/place", elsewhere.address))).await;
    let project = project_with_a_record(&client, &server).await;
    send(&client, project).await;
    assert_eq!(reason_codes(&client), ["other-host"]);
    assert!(elsewhere.heard().is_empty());

    assert_eq!(client.allow_host(project, "other.test").unwrap().freed, 1);
    send(&client, project).await;
    assert_eq!(reason_codes(&client), ["other-host"], "another host was allowed");
    let freed = client.allow_host(project, &format!("http://{}/own", elsewhere.address)).unwrap();
    assert_eq!((freed.freed, freed.project.settings.allowed_hosts.len()), (1, 2));
    let settings = ProjectSettings { device_id: true, ..freed.project.settings };
    client.set_project_settings(project, settings).unwrap();
    send(&client, project).await;
    assert!(matches!(states(&client)[..], [RecordState::Sent { .. }]));

    let heard = elsewhere.heard();
    assert_eq!(heard.iter().map(|heard| heard.method.as_str()).collect::<Vec<_>>(), ["HEAD", "POST"]);
    for heard in heard {
        assert_eq!(heard.path, "/own/place", "the device is told to the project's own server only");
        assert_eq!(heard.header("x-openrosa-version"), Some("1.0"));
        assert_eq!(heard.header("authorization"), None);
    }
    assert!(server.heard_of("POST").is_empty());
    assert!(server.heard().iter().all(|heard| heard.header("authorization").is_some()));
}

#[tokio::test]
async fn a_form_may_name_a_place_on_the_projects_own_host() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let server = server_of(sent_to("/own/place")).await;
    let project = project_with_a_record(&client, &server).await;
    send(&client, project).await;
    let posts = server.heard_of("POST");
    assert_eq!(posts.iter().map(|post| post.path.as_str()).collect::<Vec<_>>(), ["/own/place"]);
}

#[tokio::test]
async fn the_device_is_told_only_when_a_project_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let server = plain_server().await;
    let project = project_with_a_record(&client, &server).await;
    assert!(server.heard().iter().all(|heard| !heard.path.contains("deviceID")));
    let settings = ProjectSettings { device_id: true, ..ProjectSettings::default() };
    client.set_project_settings(project, settings).unwrap();
    let before = server.heard().len();
    refresh(&client, project).await.unwrap();
    send(&client, project).await;
    let asked: Vec<String> = server.heard()[before..].iter().map(|heard| heard.path.clone()).collect();
    assert!(asked.len() >= 3, "{asked:?}");
    for path in asked {
        let (_, query) = path.split_once('?').unwrap();
        assert!(query.starts_with("deviceID=veldwerk%3A") && !query.contains('/'), "{path}");
    }
}

#[tokio::test]
async fn the_front_page_of_a_website_in_the_place_of_a_list_is_no_portal() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(config(&folder.path().join("home"), None)).unwrap();
    let page = |title: &str| {
        let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><div id=\"app\"></div>");
        Plan::reply(200, page).with("Content-Type", "text/html")
    };
    let rows = [
        (page("ODK Central"), ErrorKind::CentralWebPage),
        (page("KoboToolbox"), ErrorKind::KoboWebPage),
        (page("Hotel"), ErrorKind::NotAServer),
        (Plan::portal(), ErrorKind::NotAServer),
    ];
    for (plan, kind) in rows {
        let server = RawServer::start(move |_| plan.clone()).await;
        let project = client.add_project(&url(&server.url()), None).unwrap().project.id;
        assert_eq!(refresh(&client, project).await.unwrap_err().kind(), kind);
    }
}

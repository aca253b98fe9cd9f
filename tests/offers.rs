//! What a person can begin, and what lies readable, after a refresh: the whole client against a server whose list changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use veldwerk::client::{Cancel, Client, FormSummary, ProjectSource, RefreshReport};
use veldwerk::error::ErrorKind;
use veldwerk::openrosa::form_list::ListedForm;
use veldwerk::openrosa::manifest::{MediaFile, MediaKind};
use veldwerk::store::ProjectId;
use veldwerk_tests::phone::{config, fixed};
use veldwerk_tests::raw_server::{Plan, RawServer};
use veldwerk_tests::site::Site;

/// A form of one question; `more` goes into the model, `body` into the body.
fn xform(form_id: &str, version: &str, more: &str, body: &str) -> String {
    format!(
        "<h:html xmlns=\"http://www.w3.org/2002/xforms\" xmlns:h=\"http://www.w3.org/1999/xhtml\" \
         xmlns:jr=\"http://openrosa.org/javarosa\"><h:head><h:title>Visit</h:title><model>\
         <instance><data id=\"{form_id}\" version=\"{version}\"><a/><meta><instanceID/></meta></data></instance>{more}\
         <bind nodeset=\"/data/a\" type=\"string\"/><bind nodeset=\"/data/meta/instanceID\" type=\"string\" jr:preload=\"uid\"/>\
         </model></h:head><h:body>{body}</h:body></h:html>"
    )
}

const QUESTION: &str = "<input ref=\"/data/a\"><label>A</label></input>";
const KEY: &str = "<submission base64RsaPublicKey=\"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\"/>";

/// A server, and a phone that has its address.
struct Scene {
    site: Site,
    _server: RawServer,
    client: Client,
    project: ProjectId,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let site = Site::default();
        let server = site.start().await;
        let folder = tempfile::tempdir().unwrap();
        let client = Client::open(config(&folder.path().join("home"), Some(fixed()))).unwrap();
        let source = ProjectSource::Url { url: server.url(), account: None };
        let project = client.add_project(&source, None).unwrap().project.id;
        Self { site, _server: server, client, project, folder }
    }

    /// A form that the server has; its list does not name it yet.
    fn form(&self, form_id: &str, xml: &str, version: &str, files: &[MediaFile]) -> ListedForm {
        let listed = self.site.form(form_id, version, files);
        self.site.put(&listed.download_url, Plan::reply(200, xml).with("Content-Type", "application/xml"));
        ListedForm { hash: Some(veldwerk::openrosa::hash(xml.as_bytes())), ..listed }
    }

    fn visit(&self, version: &str) -> ListedForm {
        self.form("visit", &xform("visit", version, "", QUESTION), version, &[])
    }

    async fn refresh(&self, list: &[ListedForm]) -> RefreshReport {
        self.site.list(list);
        self.client.refresh(self.project, Arc::new(|_| {}), Cancel::default()).await.unwrap()
    }

    fn found(&self, name: &str) -> FormSummary {
        self.client.find_form(self.project, name).unwrap()
    }

    /// Whether a record can be begun on `ID@VERSION`.
    fn begins(&self, name: &str) -> Result<(), ErrorKind> {
        self.client.start_draft(self.found(name).key, None).map(|_| ()).map_err(|error| error.kind())
    }

    /// Files in the clear.
    fn readable(&self) -> Vec<PathBuf> {
        let media = self.folder.path().join("home").join("media");
        fs::read_dir(media).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[tokio::test]
async fn only_the_version_that_the_server_lists_can_be_begun() {
    let scene = Scene::new().await;
    scene.refresh(&[scene.visit("1")]).await;
    assert_eq!(scene.begins("visit@1"), Ok(()));
    scene.refresh(&[scene.visit("2")]).await;
    assert_eq!(scene.found("visit").version, "2");
    assert_eq!((scene.begins("visit@1"), scene.begins("visit@2")), (Err(ErrorKind::FormNotOffered), Ok(())));
    let drafts = scene.client.drafts(None).unwrap();
    let offered: Vec<_> = drafts.iter().map(|draft| (draft.version.as_str(), draft.offered)).collect();
    assert!(offered.contains(&("1", false)) && offered.contains(&("2", true)), "{offered:?}");
    scene.client.open_draft(drafts[0].id).unwrap();

    // An account that has lost its forms.
    scene.refresh(&[]).await;
    assert_eq!(
        (scene.begins("visit@1"), scene.begins("visit@2")),
        (Err(ErrorKind::FormNotOffered), Err(ErrorKind::FormNotOffered))
    );
    assert_eq!(scene.client.forms(scene.project).unwrap().len(), 2, "and nothing is lost");
    assert_eq!(scene.found("visit").closing, Some(true));
    scene.refresh(&[scene.visit("2")]).await;
    assert_eq!(scene.begins("visit"), Ok(()));
}

#[tokio::test]
async fn where_the_newest_fails_the_one_before_may_be_begun_but_not_where_records_must_be_encrypted() {
    let broken = || ("not a form".to_owned(), ErrorKind::NotXml);
    let encrypted = |version: &str| (xform("visit", version, KEY, QUESTION), ErrorKind::EncryptionNeeded);
    // Even a form that cannot be used says that it demands encryption.
    let both = |version: &str| {
        let body = "<input ref=\"/data/a\"><label ref=\"jr:itext(\"/></input>";
        (xform("visit", version, KEY, body), ErrorKind::EncryptionNeeded)
    };
    let cases = [
        (broken(), Ok(())),
        (encrypted("2"), Err(ErrorKind::FormNotOffered)),
        (both("2"), Err(ErrorKind::FormNotOffered)),
    ];
    for ((xml, failure), expected) in cases {
        let scene = Scene::new().await;
        scene.refresh(&[scene.visit("1")]).await;
        let report = scene.refresh(&[scene.form("visit", &xml, "2", &[])]).await;
        assert!(report.forms[0].outcome.is_err());
        assert_eq!(scene.begins("visit@1"), expected, "{failure:?}");
        assert_eq!(scene.found("visit@1").failure.as_deref(), Some(failure.code()));
        // The version is mended.
        scene.refresh(&[scene.visit("2")]).await;
        assert_eq!((scene.begins("visit@2"), scene.found("visit@2").failure), (Ok(()), None));
    }
}

#[tokio::test]
async fn a_list_is_told_by_the_form_and_never_lies_readable() {
    let secret = "Tsehaytu,0612345678";
    let list = format!("name,label\n{secret},x\n");
    let instance = |id: &str, name: &str| format!("<instance id=\"{id}\" src=\"jr://file/{name}\"/>");
    let more = [instance("txt", "people.txt"), instance("png", "people.png"), instance("csv", "people.csv")].concat();
    let body = format!(
        "{QUESTION}<select1 ref=\"/data/a\"><label>B</label><itemset nodeset=\"instance('txt')/root/item\">\
         <value ref=\"name\"/><label ref=\"label\"/></itemset></select1>"
    );
    let shown = "<itext><translation lang=\"en\"><text id=\"t\"><value form=\"image\">jr://images/plan.dat</value>\
                 </text></translation></itext>";
    let scene = Scene::new().await;
    let lists = ["people.txt", "people.png", "people.csv", "unnamed", "unnamed.bin", "pulled.csv"];
    let mut files: Vec<MediaFile> = lists.iter().map(|name| scene.site.media(name, list.as_bytes())).collect();
    files.push(MediaFile { kind: MediaKind::EntityList, ..scene.site.media("entities.jpg", list.as_bytes()) });
    files.extend(["plan.dat", "site.jpg"].map(|name| scene.site.media(name, name.as_bytes())));
    let xml = xform("visit", "1", &format!("{shown}{more}"), &body);
    let report = scene.refresh(&[scene.form("visit", &xml, "1", &files)]).await;
    assert!(report.forms[0].outcome.is_ok(), "{report:?}");

    let mut readable: Vec<String> =
        scene.readable().into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    readable.sort();
    assert_eq!(readable, ["plan.dat", "site.jpg"], "only what is shown");
    let form = scene.found("visit").key;
    for name in lists.into_iter().chain(["entities.jpg"]) {
        assert_eq!(scene.client.media_path(form, name).unwrap(), None, "{name}");
        let file = scene.client.store().form_file(form, name).unwrap().unwrap();
        assert_eq!(scene.client.store().form_data(file.id).unwrap(), list.as_bytes(), "{name}");
    }
    assert!(scene.client.media_path(form, "plan.dat").unwrap().is_some());
}

#[tokio::test]
async fn a_list_that_breaks_off_leaves_nothing_behind() {
    let scene = Scene::new().await;
    let file = scene.site.media("people.csv", b"");
    let file = MediaFile { hash: Some("token".into()), ..file };
    scene.site.put(&file.download_url, Plan::CutReply { after: 3_000_000, body: vec![b'x'; 4_000_000] });
    let report = scene.refresh(&[scene.form("visit", &xform("visit", "1", "", QUESTION), "1", &[file])]).await;
    assert_eq!(report.forms[0].outcome.as_ref().unwrap_err().kind(), ErrorKind::Offline);
    let database = scene.folder.path().join("home").join("store.db");
    scene.client.pause_storage().unwrap();
    let before = fs::metadata(&database).unwrap().len();
    scene.client.resume_storage().unwrap();
    for _ in 0..3 {
        scene.client.refresh(scene.project, Arc::new(|_| {}), Cancel::default()).await.unwrap();
    }
    scene.client.pause_storage().unwrap();
    let after = fs::metadata(&database).unwrap().len();
    // What is left behind would be two megabytes a time.
    assert!(after <= before + 1_000_000, "the room is used again: {before} {after}");
    assert!(scene.readable().is_empty());
}

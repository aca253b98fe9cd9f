//! A phone that has joined an embedded server and has its forms.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use veldwerk::client::{
    Cancel, Client, ClientConfig, Finalization, Fixed, ProjectSource, RefreshReport, SendOutcome, SubmissionId, Until,
};
use veldwerk::store::{Key, ProjectId};
use veldwerk_server::{FormSource, Server, ServerConfig, serve};

/// A server with the two questionnaires and the form [`visit`], and a phone in front of it.
pub struct Phone {
    /// The server.
    pub server: Server,
    /// The project on the phone.
    pub project: ProjectId,
    client: Option<Client>,
    folder: TempDir,
}

/// How a home of these tests is opened.
#[must_use]
pub fn config(home: &Path, fixed: Option<Fixed>) -> ClientConfig {
    let time_zone = TimeZone::get("Europe/Amsterdam").unwrap();
    ClientConfig { fixed, ..ClientConfig::new(home, Key::from_bytes([7; 32]), time_zone) }
}

/// A clock that stands still and a seed.
#[must_use]
pub fn fixed() -> Fixed {
    Fixed { now_ms: 1_768_478_400_000, seed: 7, device_id: "veldwerk:test".into() }
}

/// A small form of one required text and one photo, which knows the text of the record before; in the version asked for.
#[must_use]
pub fn visit(version: &str) -> FormSource {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
                   xmlns:jr="http://openrosa.org/javarosa">
             <h:head><h:title>Visit</h:title><model>
               <instance><data id="visit" version="{version}">
                 <name/><story/><photo/><previous/><meta><instanceID/></meta>
               </data></instance>
               <instance id="__last-saved" src="jr://instance/last-saved"/>
               <bind nodeset="/data/name" type="string" required="true()"/>
               <bind nodeset="/data/story" type="string"/>
               <bind nodeset="/data/photo" type="binary"/>
               <bind nodeset="/data/previous" type="string"
                     calculate="if(/data/name = '', '', instance('__last-saved')/data/name)"/>
               <bind nodeset="/data/meta/instanceID" type="string" jr:preload="uid"/>
             </model></h:head>
             <h:body>
               <input ref="/data/name"><label>Name</label></input>
               <input ref="/data/story"><label>Story</label></input>
               <upload ref="/data/photo" mediatype="image/*"><label>Photo</label></upload>
             </h:body>
           </h:html>"#
    );
    FormSource { xml: xml.into_bytes(), files: vec![] }
}

impl Phone {
    /// One with real time and randomness.
    #[must_use]
    pub fn new() -> Self {
        Self::joined(None, |server| server)
    }

    /// One whose clock stands still and whose seeds follow from one.
    #[must_use]
    pub fn fixed() -> Self {
        Self::joined(Some(fixed()), |server| server)
    }

    /// One that reaches the server at the address that `network` gives for the server's own.
    #[must_use]
    pub fn joined(fixed: Option<Fixed>, network: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
        server.publish(&visit("1")).unwrap();
        let client = Client::open(config(&folder.path().join("home"), fixed)).unwrap();
        let url = server.project_url().unwrap();
        let url = url.replace(&server.address().to_string(), &network(server.address()).to_string());
        let project = client.add_project(&ProjectSource::Url { url, account: None }, None).unwrap().project.id;
        let phone = Self { server, project, client: Some(client), folder };
        let report = phone.refresh();
        assert!(report.forms.iter().all(|form| form.outcome.is_ok()), "{report:?}");
        phone
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// The home's folder.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A path in a folder of this test.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets go of the home. Nothing is saved by that: what is not on the disk by now is lost.
    pub fn shut(&mut self) {
        self.client = None;
    }

    /// Opens the home again.
    pub fn reopen(&mut self, fixed: Option<Fixed>) {
        self.shut();
        self.client = Some(Client::open(config(&self.home(), fixed)).unwrap());
    }

    /// Brings the forms up to date.
    #[must_use]
    pub fn refresh(&self) -> RefreshReport {
        self.client().refresh_blocking(self.project, Arc::new(|_| {}), Cancel::default()).unwrap()
    }

    /// Sends the outbox.
    #[must_use]
    pub fn send(&self, until: Until) -> SendOutcome {
        self.client().send_blocking(self.project, until, Arc::new(|_| {}), Cancel::default()).unwrap()
    }

    /// The record and instanceID of a finalising without violations.
    #[must_use]
    pub fn finalized(&self, outcome: Finalization) -> (SubmissionId, String) {
        match outcome {
            Finalization::Finalized { record, instance_id, .. } => (record, instance_id),
            Finalization::Violations(violations) => panic!("{violations:?}"),
        }
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self::new()
    }
}

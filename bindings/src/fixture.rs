//! A home with one form, as tests need it.

use std::sync::{Arc, Mutex};

use veldwerk::store::{Auth, NewForm, NewProject, ProjectSettings};

use crate::{Client, ClientConfig, SecretStore, SurveyError};

/// A field-list with a text, a number above it, a picture, a repeat, and a select of 150 municipalities.
const FORM: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
    xmlns:jr="http://openrosa.org/javarosa"><h:head><h:title>Visit</h:title><model>
    <instance><d id="visit"><g><low/><high/></g><photo/><place/><r jr:template=""><v/></r><meta><instanceID/></meta></d></instance>
    <instance id="places"><root>PLACES</root></instance>
    <bind nodeset="/d/g/low" type="int"/><bind nodeset="/d/g/high" type="int" constraint=". &gt; ../low"/>
    <bind nodeset="/d/photo" type="binary"/><bind nodeset="/d/meta/instanceID" jr:preload="uid"/></model></h:head>
    <h:body><group ref="/d/g" appearance="field-list"><input ref="/d/g/low"/><input ref="/d/g/high"/></group>
    <upload ref="/d/photo" mediatype="image/*"/>
    <select1 ref="/d/place"><itemset nodeset="instance('places')/root/item"><value ref="name"/><label ref="label"/></itemset></select1>
    <group ref="/d/r"><label>Person</label><repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat></group></h:body></h:html>"#;

/// Keeps the key in memory.
#[derive(Default)]
pub(crate) struct Keychain(Mutex<Option<Vec<u8>>>);

impl Keychain {
    pub(crate) fn of(key: [u8; 32]) -> Self {
        Self(Mutex::new(Some(key.to_vec())))
    }
}

impl SecretStore for Keychain {
    fn load_key(&self) -> Result<Option<Vec<u8>>, SurveyError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn save_key(&self, key: Vec<u8>) -> Result<(), SurveyError> {
        *self.0.lock().unwrap() = Some(key);
        Ok(())
    }

    fn forget_key(&self) -> Result<(), SurveyError> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }
}

pub(crate) struct TestHome {
    pub(crate) client: Arc<Client>,
    pub(crate) form: i64,
    pub(crate) folder: tempfile::TempDir,
}

impl TestHome {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home").to_string_lossy().into_owned();
        let config = ClientConfig { home, time_zone: "Europe/Amsterdam".into(), fixed: None };
        let client = Client::open(config, Arc::<Keychain>::default()).unwrap();
        let store = client.inner.store();
        let new = NewProject {
            name: "Test".into(),
            url_prefix: "https://h".into(),
            auth: Auth::None,
            settings: ProjectSettings::default(),
            ca: String::new(),
        };
        let project = store.add_project(&new).unwrap();
        let places: String = (0..150)
            .map(|n| {
                let name = if n == 42 { "Súdwest-Fryslân".to_owned() } else { format!("Place {n}") };
                format!("<item><name>p{n}</name><label>{name}</label></item>")
            })
            .collect();
        let form = NewForm {
            project,
            form_id: "visit".into(),
            version: String::new(),
            hash: String::new(),
            title: "Visit".into(),
            url: String::new(),
            xml: FORM.replace("PLACES", &places).into_bytes(),
            files: Vec::new(),
            fetched_at: 0,
        };
        store.install_form(&form).unwrap();
        let form = client.forms(project.0).unwrap()[0].id;
        Self { client, form, folder }
    }
}

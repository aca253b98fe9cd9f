//! A server of forms for the tests of the refresh, and the refresh in front of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use veldwerk::clock::FixedClock;
use veldwerk::openrosa::form_list::{self, ListedForm};
use veldwerk::openrosa::hash;
use veldwerk::openrosa::manifest::{self, MediaFile};
use veldwerk::sync::http::Http;
use veldwerk::sync::{Cancel, Nudge, Project, SyncJob, SyncPolicy, Turn};

use crate::memory_store::MemoryStore;
use crate::raw_server::{Plan, RawServer};

/// The beginning of every form of a [`Site`]; enough for [`MemoryStore`].
pub const FORM: &str = "<h:html xmlns:h=\"http://www.w3.org/1999/xhtml\"/>";

/// A job that is as patient as `policy`.
#[must_use]
pub fn job_with(url: &str, store: &Arc<MemoryStore>, policy: SyncPolicy) -> SyncJob<MemoryStore> {
    SyncJob {
        store: store.clone(),
        transport: Arc::new(Http::new(&policy).unwrap()),
        policy,
        project: Project::new(url, None).unwrap(),
        clock: Arc::new(FixedClock(1_700_000_000_000)),
        seed: 7,
        on_progress: Arc::new(|_| {}),
        cancel: Cancel::default(),
        nudge: Nudge::default(),
        turn: Turn::default(),
    }
}

/// A server of forms: paths with what they answer; everything with an ETag of its content.
#[derive(Clone, Debug, Default)]
pub struct Site(Arc<Mutex<BTreeMap<String, Plan>>>);

impl Site {
    /// Starts it.
    pub async fn start(&self) -> RawServer {
        let plans = self.0.clone();
        RawServer::start(move |heard| {
            let plan = plans.lock().unwrap().get(&heard.path).cloned().unwrap_or_else(|| Plan::reply(404, ""));
            match plan {
                Plan::Reply { status: 200, body, .. } if heard.header("if-none-match") == Some(&hash(&body)) => {
                    Plan::reply(304, "")
                }
                Plan::Reply { status: 200, ref body, .. } => plan.clone().with("ETag", &hash(body)),
                plan => plan,
            }
        })
        .await
    }

    /// What a path answers from now on.
    pub fn put(&self, path: &str, plan: Plan) {
        self.0.lock().unwrap().insert(path.to_owned(), plan);
    }

    /// What the list says from now on.
    pub fn list(&self, forms: &[ListedForm]) {
        self.put("/p/formList", Plan::open_rosa(200, &form_list::write(forms)));
    }

    /// A form with its manifest.
    #[must_use]
    pub fn form(&self, form_id: &str, version: &str, files: &[MediaFile]) -> ListedForm {
        let xml = format!("{FORM}<!-- {form_id} {version} -->");
        self.put(&format!("/p/{form_id}.xml"), Plan::reply(200, xml.as_str()).with("Content-Type", "application/xml"));
        self.put(&format!("/p/{form_id}/manifest"), Plan::open_rosa(200, &manifest::write(files)));
        ListedForm {
            form_id: form_id.into(),
            name: format!("The form {form_id}"),
            version: version.into(),
            hash: Some(hash(xml.as_bytes())),
            download_url: format!("/p/{form_id}.xml"),
            manifest_url: Some(format!("/p/{form_id}/manifest")),
        }
    }

    /// A file of a form.
    #[must_use]
    pub fn media(&self, name: &str, content: &[u8]) -> MediaFile {
        let path = format!("/p/media/{name}");
        self.put(&path, Plan::reply(200, content));
        MediaFile { name: name.into(), hash: Some(hash(content)), download_url: path, ..MediaFile::default() }
    }
}

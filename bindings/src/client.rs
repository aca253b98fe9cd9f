use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use veldwerk::client::{self as core, Cancel, ProjectSource, SecretError, Until, home_key};
use veldwerk::store::{DraftId, FormKey, Key, ProjectId, Records, SubmissionId};
use veldwerk::{Error, ErrorKind};

use crate::records::{DraftSummary, FormOutcome, FormSummary, Notice, ProjectSummary, RecordSummary};
use crate::{DraftSession, SurveyError, runtime};

/// What a client is opened with.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ClientConfig {
    /// The app's private folder for this home; made if it is not there.
    pub home: String,
    /// IANA name of the time zone of the person who answers, such as `Europe/Amsterdam`.
    pub time_zone: String,
    /// Only for tests: inputs that make two runs give the same bytes.
    pub fixed: Option<FixedInputs>,
}

/// Inputs of a test; refused on a home that holds drafts made without them.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FixedInputs {
    /// Where the clock stands, in milliseconds since 1970.
    pub now_ms: i64,
    /// What random numbers follow from.
    pub seed: u64,
    /// The device id.
    pub device_id: String,
}

/// The phone's keychain or keystore, as far as it is needed: one value of 32 bytes. Whatever it throws means that it cannot
/// be asked for the moment (locked, say); that there is no value is told by returning none.
#[uniffi::export(foreign)]
pub trait SecretStore: Send + Sync {
    /// The value kept before; null only if there surely is none. Class disk.
    fn load_key(&self) -> Result<Option<Vec<u8>>, SurveyError>;
    /// Keeps the value. When this returns it must be safe. Class disk.
    fn save_key(&self, key: Vec<u8>) -> Result<(), SurveyError>;
    /// Lets go of the value; if there is none, nothing happens. Class disk.
    fn forget_key(&self) -> Result<(), SurveyError>;
}

struct Keychain(Arc<dyn SecretStore>);

impl core::SecretStore for Keychain {
    fn load(&self) -> Result<Option<Key>, SecretError> {
        let Some(bytes) = self.0.load_key().map_err(unavailable)? else { return Ok(None) };
        let bytes = bytes.try_into().map_err(|_| SecretError::NotAKey)?;
        Ok(Some(Key::from_bytes(bytes)))
    }

    fn save(&self, key: &Key) -> Result<(), SecretError> {
        self.0.save_key(key.as_bytes().to_vec()).map_err(unavailable)
    }

    fn forget(&self) -> Result<(), SecretError> {
        self.0.forget_key().map_err(unavailable)
    }
}

fn unavailable(error: SurveyError) -> SecretError {
    SecretError::Unavailable(error.into())
}

/// Stops network work at its next step.
#[derive(uniffi::Object)]
pub struct SyncHandle {
    cancel: Mutex<Cancel>,
}

#[uniffi::export]
impl SyncHandle {
    /// A handle to give to [`Client::refresh`] or [`Client::send`]. Class instant.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { cancel: Mutex::default() })
    }

    /// Stops the work that was given this handle. Class instant.
    pub fn cancel(&self) {
        self.token().cancel();
    }
}

impl SyncHandle {
    fn token(&self) -> Cancel {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One home, open: projects, forms, drafts and the outbox.
#[derive(uniffi::Object)]
pub struct Client {
    inner: core::Client,
}

#[uniffi::export]
impl Client {
    /// Opens a home, or makes it together with its key. Class heavy. Throws `WrongKey`, `KeyMissing`, `KeyUnavailable`,
    /// `StoreInUse`,
    /// `StorageTooNew`, `StorageDamaged`, `StorageFull`, `Internal`.
    #[uniffi::constructor]
    pub fn open(config: ClientConfig, secrets: Arc<dyn SecretStore>) -> Result<Arc<Self>, SurveyError> {
        let home = PathBuf::from(config.home);
        let key = home_key(&home, &Keychain(secrets))?;
        let time_zone = TimeZone::get(&config.time_zone)
            .map_err(|error| Error::new(ErrorKind::Usage, "the time zone is unknown").caused_by(error))?;
        let fixed = config.fixed.map(|fixed| core::Fixed {
            now_ms: fixed.now_ms,
            seed: fixed.seed,
            device_id: fixed.device_id,
        });
        let inner = core::Client::open(core::ClientConfig { fixed, ..core::ClientConfig::new(home, key, time_zone) })?;
        Ok(Arc::new(Self { inner }))
    }

    /// Lets go of the database when the app goes to the background. Class disk.
    pub fn pause_storage(&self) -> Result<(), SurveyError> {
        Ok(self.inner.pause_storage()?)
    }

    /// Opens the database again. Class disk.
    pub fn resume_storage(&self) -> Result<(), SurveyError> {
        Ok(self.inner.resume_storage()?)
    }

    /// Adds a project from the text of a settings code or from an address; the network is not asked. Class disk. Throws
    /// `InvalidProject`.
    pub fn add_project(&self, text: String, name: Option<String>) -> Result<ProjectSummary, SurveyError> {
        Ok(self.inner.add_project(&ProjectSource::of_text(&text), name.as_deref())?.project.into())
    }

    /// Adds a project on a server that asks for a user. Class disk. Throws `InvalidProject`.
    pub fn add_project_with_account(
        &self,
        url: String,
        user: String,
        password: String,
        name: Option<String>,
    ) -> Result<ProjectSummary, SurveyError> {
        let source = ProjectSource::Url { url, account: Some((user, password)) };
        Ok(self.inner.add_project(&source, name.as_deref())?.project.into())
    }

    /// Every project. Class disk.
    pub fn projects(&self) -> Result<Vec<ProjectSummary>, SurveyError> {
        Ok(self.inner.projects()?.into_iter().map(Into::into).collect())
    }

    /// Removes a project; drafts and unsent records go only if `give_up_unsent`. Class disk.
    pub fn remove_project(&self, project: i64, give_up_unsent: bool) -> Result<(), SurveyError> {
        Ok(self.inner.remove_project(ProjectId(project), give_up_unsent)?)
    }

    /// The forms of a project that can be begun. Class disk.
    pub fn forms(&self, project: i64) -> Result<Vec<FormSummary>, SurveyError> {
        Ok(self.inner.forms(ProjectId(project))?.into_iter().map(Into::into).collect())
    }

    /// What the author of a form should know: what is missing, unsupported or without effect. Class heavy.
    pub fn form_notices(&self, form: i64) -> Result<Vec<Notice>, SurveyError> {
        Ok(self.inner.form_notices(FormKey(form))?.into_iter().map(Into::into).collect())
    }

    /// The path of a picture, sound or video of a form, by its bare name; null if it is not there. Class disk.
    pub fn media_path(&self, form: i64, name: String) -> Result<Option<String>, SurveyError> {
        let path = self.inner.media_path(FormKey(form), &name)?;
        Ok(path.map(|path| path.to_string_lossy().into_owned()))
    }

    /// Begins a draft; `language` by tag or name. Class heavy. Throws `NotFound`, `InvalidForm`, `InvalidAnswer` for a
    /// language that the form does not have.
    pub fn start_draft(&self, form: i64, language: Option<String>) -> Result<Arc<DraftSession>, SurveyError> {
        Ok(Arc::new(DraftSession::new(self.inner.start_draft(FormKey(form), language.as_deref())?)))
    }

    /// Opens a draft where it was left. Class heavy. Throws `NotFound`.
    pub fn open_draft(&self, draft: i64) -> Result<Arc<DraftSession>, SurveyError> {
        Ok(Arc::new(DraftSession::new(self.inner.open_draft(DraftId(draft))?)))
    }

    /// The drafts of a project, or of all, the last changed first. Class disk.
    pub fn drafts(&self, project: Option<i64>) -> Result<Vec<DraftSummary>, SurveyError> {
        Ok(self.inner.drafts(project.map(ProjectId))?.into_iter().map(Into::into).collect())
    }

    /// Deletes a draft for good. Class disk.
    pub fn delete_draft(&self, draft: i64) -> Result<(), SurveyError> {
        Ok(self.inner.delete_draft(DraftId(draft))?)
    }

    /// The records of a project, or of all, the oldest first. Class disk.
    pub fn outbox(&self, project: Option<i64>) -> Result<Vec<RecordSummary>, SurveyError> {
        Ok(self.inner.outbox(project.map(ProjectId))?.into_iter().map(Into::into).collect())
    }

    /// Lets a record that waits or needs attention be sent at the next occasion. Class disk.
    pub fn retry(&self, record: i64) -> Result<(), SurveyError> {
        self.inner.retry(&Records::One(SubmissionId(record)))?;
        Ok(())
    }

    /// Brings the forms of a project up to date. Class network. Throws `Offline`, `NotAServer`, `SignInNeeded`,
    /// `Interrupted`; what fails of one form is in its outcome.
    pub async fn refresh(&self, project: i64, handle: Arc<SyncHandle>) -> Result<Vec<FormOutcome>, SurveyError> {
        let (client, cancel) = (self.inner.clone(), handle.token());
        let report =
            runtime::run(async move { client.refresh(ProjectId(project), Arc::new(|_| {}), cancel).await }).await?;
        Ok(report.forms.into_iter().map(Into::into).collect())
    }

    /// Sends what is in the outbox, every record once, and gives those that were not sent before as they are now. Class
    /// network. Throws `Interrupted`; what a server says is a record's state.
    pub async fn send(&self, project: i64, handle: Arc<SyncHandle>) -> Result<Vec<RecordSummary>, SurveyError> {
        let (client, cancel) = (self.inner.clone(), handle.token());
        let work = async move { client.send(ProjectId(project), Until::OnePass, Arc::new(|_| {}), cancel).await };
        Ok(runtime::run(work).await?.records.into_iter().map(Into::into).collect())
    }
}

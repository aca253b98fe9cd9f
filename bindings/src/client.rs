use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::client::{self as core, SecretError, home_key};
use veldwerk::store::{FormKey, Key, ProjectId};
use veldwerk::{Error, ErrorKind};

use crate::SurveyError;
use crate::drafts::OpenDrafts;
use crate::records::{FailedForm, FormSummary, MaintenanceReport, Notice, OpeningReport, QuarantineSummary};

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

pub(crate) struct Keychain(pub(crate) Arc<dyn SecretStore>);

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

/// Opens the home, or makes it together with its key.
pub(crate) fn open_home(config: &ClientConfig, secrets: Arc<dyn SecretStore>) -> veldwerk::Result<core::Client> {
    let home = PathBuf::from(&config.home);
    let key = home_key(&home, &Keychain(secrets))?;
    let time_zone = TimeZone::get(&config.time_zone)
        .map_err(|error| Error::new(ErrorKind::Usage, "the time zone is unknown").caused_by(error))?;
    let fixed = config.fixed.as_ref().map(|fixed| core::Fixed {
        now_ms: fixed.now_ms,
        seed: fixed.seed,
        device_id: fixed.device_id.clone(),
    });
    core::Client::open(core::ClientConfig { fixed, ..core::ClientConfig::new(home, key, time_zone) })
}

fn unavailable(error: SurveyError) -> SecretError {
    SecretError::Unavailable(error.into())
}

/// One home, open: projects, forms, drafts and the outbox.
#[derive(uniffi::Object)]
pub struct Client {
    pub(crate) inner: core::Client,
    pub(crate) open_drafts: Arc<OpenDrafts>,
}

#[uniffi::export]
impl Client {
    /// Opens a home, or makes it together with its key. Class heavy. Throws `WrongKey`, `KeyMissing`, `KeyUnavailable`,
    /// `StoreInUse`,
    /// `StorageTooNew`, `StorageDamaged`, `StorageFull`, `Internal`.
    #[uniffi::constructor]
    pub fn open(config: ClientConfig, secrets: Arc<dyn SecretStore>) -> Result<Arc<Self>, SurveyError> {
        let inner = open_home(&config, secrets)?;
        Ok(Arc::new(Self { inner, open_drafts: Arc::default() }))
    }

    /// Lets go of the database when the app goes to the background. Class disk.
    pub fn pause_storage(&self) -> Result<(), SurveyError> {
        Ok(self.inner.pause_storage()?)
    }

    /// Opens the database again. Class disk.
    pub fn resume_storage(&self) -> Result<(), SurveyError> {
        Ok(self.inner.resume_storage()?)
    }

    /// What the opening found. Class instant.
    pub fn opening(&self) -> OpeningReport {
        self.inner.opening().into()
    }

    /// Looks the home through and tidies it; nothing is repaired, and nothing is deleted that is still in use. Class heavy:
    /// seconds for a large home, in which the database is busy; best while the phone charges. Throws `StoragePaused`,
    /// `StorageFull`, `Internal`.
    pub fn maintenance(&self) -> Result<MaintenanceReport, SurveyError> {
        Ok(self.inner.maintenance()?.into())
    }

    /// The damaged databases that were put aside, the oldest first. Class disk.
    #[must_use]
    pub fn quarantines(&self) -> Vec<QuarantineSummary> {
        self.inner.quarantines().into_iter().map(QuarantineSummary::from).collect()
    }

    /// Deletes a damaged database for good, with every answer in it that could not be salvaged. Class disk. Throws
    /// `NotFound`.
    pub fn delete_quarantine(&self, name: &str) -> Result<(), SurveyError> {
        Ok(self.inner.delete_quarantine(name)?)
    }

    /// The forms of a project that can be begun. Class disk.
    pub fn forms(&self, project: i64) -> Result<Vec<FormSummary>, SurveyError> {
        Ok(self.inner.forms(ProjectId(project))?.into_iter().map(Into::into).collect())
    }

    /// The forms that the server lists and of which no version could be installed. Class disk.
    pub fn failed_forms(&self, project: i64) -> Result<Vec<FailedForm>, SurveyError> {
        Ok(self.inner.failed_forms(ProjectId(project))?.into_iter().map(Into::into).collect())
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
}

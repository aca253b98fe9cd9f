//! The client: projects, forms, drafts and the outbox of one home. The only module that knows session, store and sync.
//!
//! A [`Client`] is cheap to clone and may be used from any thread. Everything local is synchronous and takes milliseconds;
//! only [`Client::refresh`] and [`Client::send`] use the network.

mod attachments;
mod draft_session;
mod drafts;
mod forms;
mod outbox;
mod projects;
mod secret;
#[cfg(feature = "sync")]
mod sender;
#[cfg(feature = "sync")]
mod sending;
#[cfg(feature = "sync")]
mod sync_store;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;

use crate::clock::{Clock, FixedClock, Random, Step, SystemClock};
use crate::engine::Settings;
use crate::openrosa::settings_qr::Mode;
use crate::store::{Key, Project, ProjectId, Store};
use crate::{Error, ErrorKind, Result};
use forms::FormCache;

pub use crate::store::{
    Attachment, AttachmentId, AttachmentWriter, DraftId, DraftSummary, FailedForm, FileProblem, FormSummary,
    MaintenanceReport, OpeningReport, QuarantineSummary, Receipt, RecordState, Records, Salvage, SealedAttachment,
    SubmissionId, Tally,
};
#[cfg(feature = "sync")]
pub use crate::sync::{Cancel, Outcome, Progress, RefreshReport, Step as ProgressStep, SyncPolicy, Until};
pub use attachments::MAX_PIECE;
pub use draft_session::{DraftSession, Finalization, LargeFile, seal_file};
pub use drafts::UnreplayedRow;
pub use outbox::{Discarded, RecordSummary};
pub use projects::{AddOutcome, Added, Invitation, ProjectSource, ProjectSummary, Renewed};
pub use secret::{SecretError, SecretStore, home_key};
#[cfg(feature = "sync")]
pub use sending::{Network, SendOutcome};
pub use transfer::{
    Export, ExportReport, ExportedRecord, Import, ImportFrom, ImportReport, ImportedRecord, Missing, Selection,
};

/// Setting: the device id of this home.
const DEVICE_ID: &str = "device-id";
/// Setting: how many drafts were begun with fixed inputs.
const FIXED_DRAFTS: &str = "fixed-drafts";
/// Setting: there are drafts that were begun without.
const REAL_DRAFTS: &str = "real-drafts";

/// What a client is opened with.
#[derive(Debug)]
pub struct ClientConfig {
    /// The home's folder; made if it is not there.
    pub home: PathBuf,
    /// The key of the home.
    pub key: Key,
    /// Time zone of the person who answers; a draft keeps the one it began in.
    pub time_zone: TimeZone,
    /// Fixed inputs for tests and demos; refused on a home in which drafts were begun without them.
    pub fixed: Option<Fixed>,
    /// How patient the network side is, and how much it takes; the default is meant for people.
    #[cfg(feature = "sync")]
    pub policy: SyncPolicy,
}

impl ClientConfig {
    /// What people get: the system's clock, real chance, the usual patience.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>, key: Key, time_zone: TimeZone) -> Self {
        Self {
            home: home.into(),
            key,
            time_zone,
            fixed: None,
            #[cfg(feature = "sync")]
            policy: SyncPolicy::default(),
        }
    }
}

/// Inputs that make two runs, or two languages, give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Where the clock stands, in milliseconds since 1970.
    pub now_ms: i64,
    /// What the seeds of drafts follow from.
    pub seed: u64,
    /// The device id.
    pub device_id: String,
}

/// One home, open. See the [module](self).
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    time_zone: TimeZone,
    fixed: Option<Fixed>,
    #[cfg(feature = "sync")]
    policy: SyncPolicy,
    forms: Mutex<FormCache>,
    /// Drafts that a session has open.
    open_drafts: Mutex<BTreeSet<DraftId>>,
    /// What the sendings of each project share.
    #[cfg(feature = "sync")]
    senders: Mutex<BTreeMap<ProjectId, Arc<sender::Sender>>>,
    /// Wakes sendings that wait.
    #[cfg(feature = "sync")]
    nudges: crate::sync::Nudges,
}

impl Client {
    /// Opens a home, or makes it. If its database is damaged, it is put aside and what can be read of it is salvaged;
    /// [`Client::opening`] says so.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`], [`ErrorKind::KeyMissing`], [`ErrorKind::StoreInUse`], [`ErrorKind::StorageTooNew`],
    /// [`ErrorKind::StorageDamaged`], [`ErrorKind::StorageFull`], [`ErrorKind::Io`], [`ErrorKind::FixedHome`].
    pub fn open(config: ClientConfig) -> Result<Self> {
        let clock: Arc<dyn Clock> = match &config.fixed {
            Some(fixed) => Arc::new(FixedClock(fixed.now_ms)),
            None => Arc::new(SystemClock),
        };
        let store = Store::open_or_salvage(&config.home, &config.key, clock.now_ms())?;
        if config.fixed.is_some() && store.setting(REAL_DRAFTS)?.is_some() {
            return Err(ErrorKind::FixedHome.into());
        }
        let inner = Inner {
            store: Arc::new(store),
            clock,
            time_zone: config.time_zone,
            fixed: config.fixed,
            #[cfg(feature = "sync")]
            policy: config.policy,
            forms: Mutex::default(),
            open_drafts: Mutex::default(),
            #[cfg(feature = "sync")]
            senders: Mutex::default(),
            #[cfg(feature = "sync")]
            nudges: crate::sync::Nudges::default(),
        };
        let client = Self { inner: Arc::new(inner) };
        for project in client.inner.store.projects()? {
            // Housekeeping: what cannot be done now is done another time.
            let _ = client.forget_by_policy(project.id);
        }
        Ok(client)
    }

    /// Lets go of the database, for an app that goes to the background; until [`Client::resume_storage`] every call gives
    /// [`ErrorKind::StoragePaused`]. Twice is once.
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`], [`ErrorKind::Io`].
    pub fn pause_storage(&self) -> Result<()> {
        self.inner.store.pause()
    }

    /// Opens the database again. Twice is once. Records whose sending ended meanwhile are not called `sending` any longer.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub fn resume_storage(&self) -> Result<()> {
        self.inner.store.resume()?;
        // A store that cannot be written is open all the same; the next sending does it.
        let _ = self.free_abandoned();
        Ok(())
    }

    /// What was found when the home was opened: whether anything needs to be said to a person.
    #[must_use]
    pub fn opening(&self) -> OpeningReport {
        self.inner.store.opening().clone()
    }

    /// Looks the home through and tidies it. It reads all of it, so it belongs where nobody waits: when the phone is being
    /// charged, at night, or when something has failed with [`ErrorKind::StorageDamaged`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn maintenance(&self) -> Result<MaintenanceReport> {
        for project in self.inner.store.projects()? {
            self.forget_by_policy(project.id)?;
        }
        self.inner.store.maintenance(self.now_ms())
    }

    /// The damaged databases that were put aside, the oldest first.
    #[must_use]
    pub fn quarantines(&self) -> Vec<QuarantineSummary> {
        self.inner.store.quarantines()
    }

    /// Deletes a damaged database for good, with every answer in it that could not be salvaged: only when a person has said
    /// so.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Io`].
    pub fn delete_quarantine(&self, name: &str) -> Result<()> {
        self.inner.store.delete_quarantine(name)
    }

    /// Erases the home for good: the key is forgotten, and with it what may remain of anything; then the files go. What is still
    /// open of it (drafts, sendings) gives [`ErrorKind::StoragePaused`]. If this is cut off, [`home_key`] finishes it.
    ///
    /// # Errors
    /// [`ErrorKind::KeyUnavailable`] if the keeper of the key cannot be asked now, [`ErrorKind::Io`].
    pub fn erase(self, secrets: &dyn SecretStore) -> Result<()> {
        let home = self.inner.store.home();
        self.pause_storage()?;
        Store::mark_erasing(&home)?;
        secrets.forget()?;
        Store::erase(&home)
    }

    /// A small thing that a shell has kept in the home, such as the language of the app; none if it was never kept.
    ///
    /// # Errors
    /// Those of the store.
    pub fn kept(&self, key: &str) -> Result<Option<String>> {
        Ok(self.inner.store.setting(&kept_key(key))?.filter(|kept| !kept.is_empty()))
    }

    /// Keeps a small thing for a shell, in the home and encrypted like the rest; an empty text is none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn keep(&self, key: &str, value: &str) -> Result<()> {
        self.inner.store.set_setting(&kept_key(key), value)
    }

    /// The store underneath, for tests that provoke its bad days.
    #[doc(hidden)]
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// The seed of a new draft.
    fn new_seed(&self) -> Result<u64> {
        let store = &self.inner.store;
        let Some(fixed) = &self.inner.fixed else { return system_random() };
        let number: u64 = store.setting(FIXED_DRAFTS)?.and_then(|number| number.parse().ok()).unwrap_or(0);
        store.set_setting(FIXED_DRAFTS, &(number + 1).to_string())?;
        Ok(Step { at: 0, seed: fixed.seed, number }.random().next_u64())
    }

    /// Notes that a draft was begun without fixed inputs.
    fn note_real_draft(&self) -> Result<()> {
        if self.inner.fixed.is_some() { Ok(()) } else { self.inner.store.set_setting(REAL_DRAFTS, "true") }
    }

    /// What a session is told of the device and the account.
    fn settings(&self, project: &Project, time_zone: TimeZone) -> Result<Settings> {
        let metadata = &project.settings.metadata;
        let user = if let crate::store::Auth::Basic { user, .. } = &project.auth { user.as_str() } else { "" };
        let username = if metadata.username.is_empty() { user } else { &metadata.username };
        let device_id = match project.settings.mode {
            Some(Mode::Newcomer) => String::new(),
            Some(Mode::Interviewer) | None => self.device_id()?,
        };
        let properties = [
            ("deviceid", device_id.as_str()),
            ("username", username),
            ("phonenumber", &metadata.phonenumber),
            ("email", &metadata.email),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(Settings { time_zone, properties })
    }

    /// `veldwerk:` and sixteen random characters, made once per home.
    fn device_id(&self) -> Result<String> {
        if let Some(fixed) = &self.inner.fixed {
            return Ok(fixed.device_id.clone());
        }
        let store = &self.inner.store;
        if let Some(known) = store.setting(DEVICE_ID)? {
            return Ok(known);
        }
        let mut random = Step { at: 0, seed: system_random()?, number: 0 }.random();
        let made = format!("veldwerk:{}", word(&mut random, 16));
        store.set_setting(DEVICE_ID, &made)?;
        Ok(made)
    }

    fn project_row(&self, id: ProjectId) -> Result<Project> {
        self.inner.store.project(id)
    }

    fn forms_read(&self) -> std::sync::MutexGuard<'_, FormCache> {
        self.inner.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("home", &self.inner.store.home()).finish_non_exhaustive()
    }
}

/// What shells keep has a name apart from what the client keeps.
fn kept_key(key: &str) -> String {
    format!("shell.{key}")
}

fn system_random() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Internal, "no random numbers").caused_by(error))?;
    Ok(u64::from_le_bytes(bytes))
}

/// Random letters and digits, lower case.
fn word(random: &mut Random, length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let draw = |_| ALPHABET.get((random.unit() * 36.0) as usize).map_or('0', |&byte| char::from(byte));
    (0..length).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewForm, ProjectSettings};

    const FORM: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head>
        <h:title>Bezoek Súdwest</h:title><model><instance><d id="visit"><name/><meta><instanceID/><instanceName/></meta></d></instance>
        <bind nodeset="/d/meta/instanceName" calculate="/d/name"/></model></h:head>
        <h:body><input ref="/d/name"/></h:body></h:html>"#;

    fn open(home: &std::path::Path, key: &Key) -> Client {
        Client::open(ClientConfig::new(home, key.clone(), TimeZone::UTC)).unwrap()
    }

    /// A project with one form.
    fn with_form(client: &Client) -> ProjectId {
        let source = ProjectSource::of_text("https://example.org/v1/key/abc/projects/1");
        let project = client.add_project(&source, None).unwrap().project.id;
        let form = NewForm {
            project,
            form_id: "visit".into(),
            version: String::new(),
            hash: String::new(),
            title: "Bezoek Súdwest".into(),
            url: String::new(),
            xml: FORM.into(),
            files: Vec::new(),
            fetched_at: 0,
        };
        client.store().install_form(&form).unwrap();
        project
    }

    /// Every file of a folder.
    fn files(folder: &std::path::Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(
                |path| if path.is_dir() { files(&path) } else { [(path.clone(), std::fs::read(path).unwrap())].into() },
            )
            .collect()
    }

    /// The promise of consent: until a person chooses, nothing is kept.
    #[test]
    fn what_is_begun_in_memory_is_on_the_disk_with_its_first_answer_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let (home, key) = (folder.path().join("home"), Key::generate().unwrap());
        let client = open(&home, &key);
        let project = with_form(&client);
        let newcomer = ProjectSettings { mode: Some(Mode::Newcomer), ..ProjectSettings::default() };
        client.set_project_settings(project, newcomer).unwrap();
        let form = client.find_form(project, "visit").unwrap();
        let before = files(&home);
        let mut given_up = client.begin(form.key, None).unwrap();
        let name = given_up.screen().key;
        given_up.move_to(&crate::session::ScreenKey::End).unwrap();
        given_up.move_to(&name).unwrap();
        given_up.save().unwrap();
        assert!(given_up.is_held() && given_up.aside().unwrap().is_none());
        assert_eq!(given_up.keep_aside("x").unwrap_err().kind(), ErrorKind::NotAllowed);
        drop(given_up);
        assert!(files(&home) == before, "not a byte");
        assert_eq!(client.drafts(None).unwrap(), []);

        let mut draft = client.begin(form.key, None).unwrap();
        draft.move_to(&crate::session::ScreenKey::End).unwrap();
        draft.move_to(&name).unwrap();
        // A disk that refuses it has none of it, and memory neither.
        client.store().refuse_writes(true).unwrap();
        draft.answer("/d/name", Some("Sami")).unwrap_err();
        client.store().refuse_writes(false).unwrap();
        assert!(draft.is_held() && !draft.session().has_value("Sami"));
        assert_eq!(client.drafts(None).unwrap(), []);
        draft.answer("/d/name", Some("Amal")).unwrap();
        let (id, record) = (draft.id(), draft.session().draft_xml());
        drop(draft);
        let rows: Vec<_> = client.store().edits(id).unwrap().into_iter().map(|row| row.op).collect();
        assert_eq!(rows, ["move", "move", "answer"]);
        assert_eq!(client.replay_draft(id).unwrap().draft_xml(), record);
        assert_eq!(client.open_draft(id).unwrap().id(), id);
    }

    #[test]
    fn a_newcomer_leaves_no_answers_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let client = open(&folder.path().join("home"), &Key::generate().unwrap());
        let project = with_form(&client);
        let form = client.find_form(project, "visit").unwrap();
        for (mode, keeps) in [(Mode::Newcomer, false), (Mode::Interviewer, true)] {
            let settings = ProjectSettings { mode: Some(mode), ..ProjectSettings::default() };
            client.set_project_settings(project, settings).unwrap();
            let mut draft = client.start_draft(form.key, None).unwrap();
            draft.answer("/d/name", Some("Sami")).unwrap();
            draft.save().unwrap();
            assert_eq!(client.store().last_saved(project, "visit").unwrap().is_some(), keeps);
            assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
            assert_eq!(client.store().last_saved(project, "visit").unwrap().is_some(), keeps);
            assert!(client.has_unsent(project).unwrap());
        }
    }

    /// A keeper that can be asked, or not.
    #[derive(Default)]
    struct Keeper {
        key: Mutex<Option<Key>>,
        is_locked: std::sync::atomic::AtomicBool,
    }

    impl SecretStore for Keeper {
        fn load(&self) -> std::result::Result<Option<Key>, SecretError> {
            Ok(self.key.lock().unwrap().clone())
        }

        fn save(&self, key: &Key) -> std::result::Result<(), SecretError> {
            self.key.lock().unwrap().get_or_insert_with(|| key.clone());
            Ok(())
        }

        fn forget(&self) -> std::result::Result<(), SecretError> {
            if self.is_locked.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(SecretError::Unavailable("locked".into()));
            }
            *self.key.lock().unwrap() = None;
            Ok(())
        }
    }

    #[test]
    fn what_is_erased_is_gone_and_an_erasing_that_was_cut_off_is_finished() {
        for is_cut_off in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().join("home");
            let keeper = Keeper::default();
            let key = home_key(&home, &keeper).unwrap();
            let client = open(&home, &key);
            let project = with_form(&client);
            let mut draft = client.start_draft(client.find_form(project, "visit").unwrap().key, None).unwrap();
            draft.answer("/d/name", Some("Sami")).unwrap();
            keeper.is_locked.store(is_cut_off, std::sync::atomic::Ordering::Relaxed);
            let erased = client.clone().erase(&keeper).map_err(|error| error.kind());
            assert_eq!(erased, if is_cut_off { Err(ErrorKind::KeyUnavailable) } else { Ok(()) });
            assert_eq!(draft.answer("/d/name", Some("Amal")).unwrap_err().kind(), ErrorKind::StoragePaused);
            drop((draft, client));
            keeper.is_locked.store(false, std::sync::atomic::Ordering::Relaxed);
            let other = home_key(&home, &keeper).unwrap();
            assert_ne!(other.id(), key.id());
            assert!(files(&home).into_keys().all(|file| file.ends_with("lock")), "{:?}", files(&home).keys());
            assert_eq!(open(&home, &other).projects().unwrap(), []);
        }
    }

    /// Also where nothing of the network is compiled in.
    #[test]
    fn local_calls_need_no_network() {
        let folder = tempfile::tempdir().unwrap();
        let client = open(&folder.path().join("home"), &Key::generate().unwrap());
        let project = with_form(&client);
        let form = client.find_form(project, "visit").unwrap();
        let mut draft = client.start_draft(form.key, None).unwrap();
        draft.answer("/d/name", Some("Jelle")).unwrap();
        draft.save().unwrap();
        let mut given_up = client.start_draft(form.key, None).unwrap();
        for (draft, text) in [(&mut given_up, "of the other"), (&mut draft, "zomer")] {
            draft.keep_aside(text).unwrap();
            assert_eq!(draft.aside().unwrap().as_deref(), Some(text));
        }
        let (beside, other) = (format!("draft.{}", draft.id()), given_up.id());
        drop(given_up);
        client.delete_draft(other).unwrap();
        assert_eq!(client.kept(&format!("draft.{other}")).unwrap(), None, "it goes with its draft");
        assert_eq!(client.find_drafts(None, "jellé").unwrap().len(), 1);
        assert_eq!(client.find_drafts(None, "sudwest").unwrap().len(), 1);
        assert_eq!(client.find_drafts(None, "Tseh").unwrap().len(), 0);
        assert!(client.kept(&beside).unwrap().is_some());
        assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
        assert_eq!(client.kept(&beside).unwrap(), None);
        let record = client.find_records(Some(project), "JELLE").unwrap().remove(0);
        assert_eq!(client.record(record.id).unwrap().as_ref(), Some(&record));
        assert_eq!((record.name.as_str(), record.project, record.attachments), ("Jelle", project, 0));
        assert_eq!(record.bytes, client.store().submission_xml(record.id).unwrap().len() as u64);
        assert_eq!(client.retry(&Records::One(record.id)).unwrap(), 1);
        assert_eq!(client.discard(&Records::One(record.id), None).unwrap().records, 1);
        assert_eq!(client.outbox(None).unwrap(), []);
        assert_eq!(client.record(record.id).unwrap(), None);
        client.maintenance().unwrap();
        client.remove_project(project, false).unwrap();
    }
}

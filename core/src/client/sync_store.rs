use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::forms::utf8;
use super::sender::{Sender, is_unwritable};
use crate::clock::Clock;
use crate::form::{Files, FormDef};
use crate::openrosa::manifest::MediaKind;
use crate::store::{
    self, AttachmentId, Content, Fault, FormFileId, FormKey, NewFormFile, ProjectId, RecordState, Settled, Store,
    SubmissionId,
};
use crate::sync::machine::State;
use crate::sync::{
    Attempt, Claim, ClaimNumber, Destination, Failing, FileContent, FileProblem, InstalledFile, InstalledForm, NewForm,
    Outgoing, OutgoingAttachment, Project, Queued, RecordId, Remembered, Settlement, SyncStore,
};
use crate::{Error, ErrorKind, Result};

/// One project of the store, as the network side sees it.
pub(super) struct ProjectStore {
    store: Arc<Store>,
    project: ProjectId,
    clock: Arc<dyn Clock>,
    sender: Arc<Sender>,
    /// The project as the network side sees it.
    at_home: Project,
    /// Where the records of a form go; a form version never changes.
    destinations: Mutex<BTreeMap<FormKey, Destination>>,
}

impl ProjectStore {
    pub(super) fn new(
        store: Arc<Store>,
        project: ProjectId,
        at_home: Project,
        clock: Arc<dyn Clock>,
        sender: Arc<Sender>,
    ) -> Self {
        Self { store, project, clock, sender, at_home, destinations: Mutex::default() }
    }

    /// Where the records of a form go; where the form is no longer here, or cannot be read, to the project's own place.
    fn destination(&self, form: Option<FormKey>) -> Result<Destination> {
        let Some(form) = form else { return Ok(Destination::Home) };
        let mut known = self.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(destination) = known.get(&form) {
            return Ok(destination.clone());
        }
        let xml = utf8(self.store.form(form)?.xml)?;
        let destination = self.at_home.destination(FormDef::submission_action(&xml).unwrap_or_default().as_deref());
        known.insert(form, destination.clone());
        Ok(destination)
    }

    /// What is to be sent of a record. A file that is seen not to be what was stored is left out at once.
    fn outgoing(&self, id: SubmissionId, claim: Option<ClaimNumber>) -> Result<Outgoing> {
        let mut outgoing = Outgoing { claim, xml: self.store.submission_xml(id)?.into(), ..Outgoing::default() };
        let mut seen = Settled::default();
        for attachment in self.store.submission_attachments(id)? {
            if attachment.sent_at.is_some() || self.sender.is_sent(id, attachment.id) {
                continue;
            }
            let source = Arc::new(self.store.attachment_source(attachment.id)?);
            let known = Some(attachment.problem.as_str()).filter(|code| !code.is_empty()).map(FileProblem::from_code);
            if let Some(problem) = known.or_else(|| source.glance().map(file_problem)) {
                outgoing.left_out.get_or_insert(problem);
                if known.is_none() {
                    seen.problems.push((attachment.id, problem.code()));
                }
                continue;
            }
            let file = Arc::clone(&source);
            outgoing.attachments.push(OutgoingAttachment {
                attachment: attachment.id.0,
                name: attachment.name,
                size: attachment.size,
                open: Arc::new(move || Ok(Box::new(file.open()?) as Box<dyn Read + Send>)),
                prove: Arc::new(move || source.prove().map(file_problem)),
            });
        }
        if !seen.problems.is_empty() {
            self.sender.settle(&self.store, id, claim, seen)?;
        }
        Ok(outgoing)
    }
}

impl SyncStore for ProjectStore {
    type Staged = Staged;

    fn outbox(&self) -> Result<Vec<Queued>> {
        let mut queued = Vec::new();
        for record in self.store.unsent(self.project)? {
            let due_ms = match self.sender.state(record.id).unwrap_or(record.state) {
                // The sending that asks has nothing on the road: what is still called so could not be made ready.
                RecordState::Ready | RecordState::Sending => 0,
                RecordState::Waiting { next_attempt_at, .. } => next_attempt_at,
                RecordState::Sent { .. } | RecordState::NeedsAttention(_) => continue,
            };
            let failing = record.failing.map(|failing| Failing { count: failing.count, since_ms: failing.since });
            queued.push(Queued {
                record: record.id.0,
                form_id: record.form_id,
                tries: record.attempts,
                due_ms,
                failing,
                answers_arrived: record.answers_at.is_some() || self.sender.has_answers(record.id),
                goes_to: self.destination(record.form)?,
            });
        }
        Ok(queued)
    }

    fn release(&self) -> Result<()> {
        match self.sender.release(&self.store, self.project) {
            Err(error) if is_unwritable(&error) => Ok(()),
            released => released,
        }
    }

    fn claim(&self, record: RecordId) -> Result<Claim> {
        let id = SubmissionId(record);
        self.sender.write_what_is_left(&self.store);
        let claim = match self.store.begin_sending(id) {
            Ok(Some(claim)) => Some(claim),
            Ok(None) => return Ok(Claim::Gone),
            // The same bytes may be sent twice, so nothing is lost if a crash forgets that they were.
            Err(error) if is_unwritable(&error) => match self.store.submission(id) {
                Ok(record) => match self.sender.state(id).unwrap_or(record.state) {
                    RecordState::Ready | RecordState::Waiting { .. } => None,
                    RecordState::Sending => Some(record.claim),
                    RecordState::Sent { .. } | RecordState::NeedsAttention(_) => return Ok(Claim::Gone),
                },
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Claim::Gone),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        match self.outgoing(id, claim) {
            Ok(outgoing) => Ok(Claim::Taken(outgoing)),
            Err(error) if error.kind() == ErrorKind::StoragePaused => Err(error),
            Err(_) => Ok(Claim::Broken(claim)),
        }
    }

    fn settle(&self, record: RecordId, claim: Option<ClaimNumber>, settlement: &Settlement) -> Result<()> {
        let at = self.clock.now_ms();
        let reason =
            |reason: crate::sync::Reason| store::Reason { code: reason.code().into(), text: reason.sentence().into() };
        let mut failing = None;
        let state = settlement.state.map(|state| match state {
            State::Ready => RecordState::Ready,
            State::Waiting { until_ms, reason: why, failing: row } => {
                failing = row.map(|row| store::Failing { count: row.count, since: row.since_ms });
                RecordState::Waiting { next_attempt_at: until_ms, reason: reason(why) }
            }
            State::Sent => RecordState::Sent { at },
            State::NeedsAttention(why) => RecordState::NeedsAttention(reason(why)),
        });
        let attempt = |attempt: &Attempt| store::Attempt {
            started_at: attempt.started_ms,
            ended_at: attempt.ended_ms,
            outcome: if attempt.status.is_some() { "answered" } else { "no answer" }.into(),
            http_status: attempt.status,
            note: String::new(),
        };
        let problem = |&(attachment, problem): &(i64, FileProblem)| (AttachmentId(attachment), problem.code());
        let settled = Settled {
            at,
            answers_arrived: settlement.answers_arrived,
            arrived: settlement.arrived.iter().copied().map(AttachmentId).collect(),
            problems: settlement.problems.iter().map(problem).collect(),
            state,
            failing,
            attempts: settlement.attempts.iter().map(attempt).collect(),
        };
        self.sender.settle(&self.store, SubmissionId(record), claim, settled)
    }

    fn limit_learned(&self, bytes: u64) -> Result<()> {
        match self.store.set_accept_length(self.project, bytes) {
            // It is learned again.
            Err(error) if is_unwritable(&error) => Ok(()),
            learned => learned,
        }
    }

    fn forms(&self) -> Result<Vec<InstalledForm>> {
        let mut installed = Vec::new();
        for form in self.store.forms(self.project)?.into_iter().filter(|form| !form.superseded) {
            let files = self.store.form_files(form.key)?.into_iter().map(|file| InstalledFile {
                file: file.id.0,
                kind: media_kind(&file.role),
                name: file.name,
                hash: file.hash,
                etag: file.etag,
            });
            installed.push(InstalledForm {
                form: form.key.0,
                form_id: form.form_id,
                version: form.version,
                hash: form.hash,
                files: files.collect(),
            });
        }
        Ok(installed)
    }

    fn form_xml(&self, form: i64) -> Result<Vec<u8>> {
        Ok(self.store.form(FormKey(form))?.xml)
    }

    fn stage(&self, name: &str) -> Result<Staged> {
        Staged::new(&self.store, name)
    }

    fn check_form(&self, xml: &[u8], files: &[String]) -> Result<()> {
        let (form, _) = FormDef::load(&utf8(xml.to_vec())?, &Named(files))?;
        if form.public_key.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "records of this form must be encrypted before sending"));
        }
        Ok(())
    }

    fn install(&self, form: NewForm<Staged>) -> Result<()> {
        let mut files = Vec::new();
        for file in form.files {
            let content = match file.content {
                FileContent::SameAs(known) => Content::SameAs(FormFileId(known)),
                FileContent::Staged(staged) => staged.into_content(&self.store)?,
            };
            let role = role(file.kind).to_owned();
            files.push(NewFormFile { name: file.name, role, hash: file.hash, etag: file.etag, content });
        }
        self.store.install_form(&store::NewForm {
            project: self.project,
            form_id: form.form_id,
            version: form.version,
            hash: form.hash,
            title: form.title,
            xml: form.xml,
            files,
            fetched_at: form.fetched_ms,
        })?;
        Ok(())
    }

    fn keep_listed(&self, form_ids: &[String]) -> Result<()> {
        let form_ids: Vec<_> = form_ids.iter().map(String::as_str).collect();
        self.store.keep_listed(self.project, &form_ids)
    }

    fn remembered(&self, url: &str) -> Result<Option<Remembered>> {
        Ok(self.store.document(self.project, url)?.map(|(etag, body)| Remembered { etag, body }))
    }

    fn remember(&self, url: &str, document: &Remembered) -> Result<()> {
        self.store.set_document(self.project, url, &document.etag, &document.body)
    }
}

fn file_problem(fault: Fault) -> FileProblem {
    match fault {
        Fault::Missing => FileProblem::Missing,
        Fault::Damaged => FileProblem::Damaged,
    }
}

/// Files that are announced but not looked into: a form is checked before its lists are read.
struct Named<'n>(&'n [String]);

impl Files for Named<'_> {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.0.iter().any(|known| known == name).then(Vec::new)
    }
}

fn role(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Media => "",
        MediaKind::EntityList => "entityList",
        MediaKind::ApprovalEntityList => "approvalEntityList",
    }
}

fn media_kind(role: &str) -> MediaKind {
    match role {
        "entityList" => MediaKind::EntityList,
        "approvalEntityList" => MediaKind::ApprovalEntityList,
        _ => MediaKind::Media,
    }
}

/// A file being downloaded. Lists name people, so they stay in memory until they lie in the database; pictures, sound and
/// video go to a file, which is gone when this is dropped.
#[derive(Debug)]
pub(super) enum Staged {
    List(Vec<u8>),
    Media { file: File, path: PathBuf },
}

impl Staged {
    fn new(store: &Store, name: &str) -> Result<Self> {
        let extension = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(extension.as_str(), "csv" | "xml" | "geojson" | "json") {
            return Ok(Self::List(Vec::new()));
        }
        let unwritable = |error| Error::new(ErrorKind::Io, "a download").caused_by(error);
        let path = store.home().join("media").join(format!("download-{:016x}", super::system_random()?));
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(unwritable)?;
        Ok(Self::Media { file, path })
    }

    fn into_content(mut self, store: &Store) -> Result<Content> {
        match &mut self {
            Self::List(bytes) => Ok(Content::Data(std::mem::take(bytes))),
            Self::Media { file, .. } => {
                file.rewind().map_err(|error| Error::new(ErrorKind::Io, "a download").caused_by(error))?;
                Ok(Content::Media(store.put_media(file)?))
            }
        }
    }
}

impl Write for Staged {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::List(bytes) => bytes.write(buffer),
            Self::Media { file, .. } => file.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::List(_) => Ok(()),
            Self::Media { file, .. } => file.flush(),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Self::Media { path, .. } = self {
            // What stays behind is removed when the home is opened again.
            let _ = std::fs::remove_file(path);
        }
    }
}

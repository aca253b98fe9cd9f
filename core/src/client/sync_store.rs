use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::forms::utf8;
use super::sender::{Sender, is_unwritable};
use crate::clock::Clock;
use crate::form::{Files, FormDef};
use crate::openrosa::form_list::Listing;
use crate::openrosa::manifest::MediaKind;
use crate::openrosa::submission;
use crate::store::{
    self, AttachmentId, Content, DataWriter, Fault, FormFileId, FormKey, MediaWriter, NewFormFile, ProjectId,
    RecordState, Settled, StagedData, Store, SubmissionId,
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
            |reason: crate::sync::Reason| store::Reason { code: reason.code().into(), text: settlement.detail.clone() };
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

    fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    fn limit_learned(&self, bytes: u64) -> Result<()> {
        match self.store.set_accept_length(self.project, bytes) {
            // It is learned again.
            Err(error) if is_unwritable(&error) => Ok(()),
            learned => learned,
        }
    }

    fn forms(&self) -> Result<Vec<InstalledForm>> {
        Ok(self.store.installed_forms(self.project)?.into_iter().map(installed_form).collect())
    }

    fn form_xml(&self, form: i64) -> Result<Vec<u8>> {
        self.store.form_xml(FormKey(form))
    }

    fn check_form(&self, xml: &[u8], files: &[String]) -> Result<BTreeSet<String>> {
        let xml = utf8(xml.to_vec())?;
        let loaded = FormDef::load(&xml, &Named(files));
        // Looked at first, and even in a form that cannot be used: it decides whether the version before may be.
        match loaded {
            Ok((form, _)) if form.public_key.is_some() => Err(ErrorKind::EncryptionNeeded.into()),
            Ok((form, _)) => Ok(files.iter().filter(|name| is_list(&form, &xml, name)).cloned().collect()),
            Err(error) if xml.contains(PUBLIC_KEY) => Err(Error::from(ErrorKind::EncryptionNeeded).caused_by(error)),
            Err(error) => Err(error),
        }
    }

    fn stage(&self, is_data: bool) -> Result<Staged> {
        Ok(if is_data { Staged::List(StagedList::new(&self.store)?) } else { Staged::Media(self.store.stage_media()?) })
    }

    fn free_space(&self) -> Option<u64> {
        self.store.free_space()
    }

    fn install(&self, form: NewForm<Staged>) -> Result<()> {
        let mut files = Vec::new();
        let mut lists = Vec::new();
        for file in form.files {
            let content = match file.content {
                FileContent::SameAs(known) => Content::SameAs(FormFileId(known)),
                FileContent::Staged(Staged::Media(writer)) => Content::Media(writer.keep()?),
                FileContent::Staged(Staged::List(mut list)) => {
                    let data = list.finish()?;
                    // Discarded at the end, unless the form has come to own it.
                    lists.push(list);
                    Content::Data(data)
                }
            };
            files.push(NewFormFile {
                name: file.name,
                role: role(file.kind).to_owned(),
                hash: file.hash.unwrap_or_default(),
                etag: file.etag,
                md5: file.md5,
                content,
            });
        }
        self.store.install_form(&store::NewForm {
            project: self.project,
            form_id: form.form_id,
            version: form.version,
            hash: form.hash,
            title: form.title,
            url: form.url,
            xml: form.xml,
            files,
            fetched_at: form.fetched_ms,
        })?;
        lists.iter_mut().for_each(StagedList::keep);
        Ok(())
    }

    fn settle_offers(&self, listing: Listing) -> Result<()> {
        self.store.settle_offers(self.project, &listing)
    }

    fn remembered(&self, url: &str) -> Result<Option<Remembered>> {
        Ok(self.store.document(self.project, url)?.map(|(etag, body)| Remembered { etag, body }))
    }

    fn remember(&self, documents: &[(String, Remembered)]) -> Result<()> {
        let documents: Vec<_> = documents
            .iter()
            .map(|(url, document)| (url.as_str(), document.etag.as_str(), document.body.as_slice()))
            .collect();
        self.store.set_documents(self.project, &documents)
    }
}

fn file_problem(fault: Fault) -> FileProblem {
    match fault {
        Fault::Missing => FileProblem::Missing,
        Fault::Damaged => FileProblem::Damaged,
    }
}

fn installed_form(form: store::InstalledForm) -> InstalledForm {
    let files = form.files.into_iter().map(|file| InstalledFile {
        file: file.id.0,
        kind: media_kind(&file.role),
        name: file.name,
        hash: Some(file.hash).filter(|hash| !hash.is_empty()),
        md5: file.md5,
        etag: file.etag,
        is_data: file.is_data,
    });
    InstalledForm {
        form: form.summary.key.0,
        form_id: form.summary.form_id,
        version: form.summary.version,
        hash: form.summary.hash,
        url: form.url,
        is_listed: form.summary.left_at.is_none(),
        closing: form.summary.closing,
        in_use: form.in_use,
        files: files.collect(),
    }
}

/// The attribute of a form whose records must be encrypted.
const PUBLIC_KEY: &str = "base64RsaPublicKey";

/// Whether a file of a form is a list, and so must never be readable: one that the form takes choices or answers from. One that
/// it shows is not. One that it does not name is a list unless its name is that of a picture, a sound or a video, which a
/// list may name in its place.
fn is_list(form: &FormDef, xml: &str, name: &str) -> bool {
    if form.lists.iter().any(|list| list.file.as_deref() == Some(name)) {
        return true;
    }
    let escaped = name.replace('&', "&amp;").replace('<', "&lt;");
    let is_shown = ["images", "audio", "video"]
        .iter()
        .any(|kind| xml.contains(&format!("jr://{kind}/{name}")) || xml.contains(&format!("jr://{kind}/{escaped}")));
    let kind = submission::content_type(name);
    !is_shown && !["image/", "audio/", "video/"].iter().any(|prefix| kind.starts_with(prefix))
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

/// A file being downloaded; dropped, it is gone. Lists name people, so they go straight into the database.
#[derive(Debug)]
pub(super) enum Staged {
    List(StagedList),
    Media(MediaWriter),
}

/// A list on its way into the database, which is discarded unless it is kept.
pub(super) struct StagedList {
    store: Arc<Store>,
    dataset: i64,
    /// None once it has ended.
    writer: Option<DataWriter>,
    is_kept: bool,
}

impl StagedList {
    fn new(store: &Arc<Store>) -> Result<Self> {
        let writer = store.stage_data()?;
        Ok(Self { store: Arc::clone(store), dataset: writer.dataset(), writer: Some(writer), is_kept: false })
    }

    fn finish(&mut self) -> Result<StagedData> {
        let writer = self.writer.take().ok_or(ErrorKind::Internal)?;
        self.store.finish_data(writer)
    }

    fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for StagedList {
    fn drop(&mut self) {
        if !self.is_kept {
            // What stays behind is discarded when the home is opened again.
            let _ = self.store.discard_data(self.dataset);
        }
    }
}

impl fmt::Debug for StagedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedList").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Media(media) => media.write(bytes),
            Self::List(StagedList { store, writer: Some(writer), .. }) => {
                store.append_data(writer, bytes).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
            Self::List(_) => Err(io::Error::other("the list has ended")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Media(media) => media.flush(),
            Self::List(_) => Ok(()),
        }
    }
}

//! A draft being filled: every change is a journal row, on disk before the call returns.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::drafts::{Claim, Replayed, UnreplayedRow};
use super::{Client, word};
use crate::clock::Step;
use crate::form::FormDef;
use crate::session::{Changes, Edit, FormSession, Policy, ScreenKey, ScreenView, State, Violation};
use crate::store::{
    self, AttachmentWriter, Draft, DraftId, Finalized, FormKey, FormSummary, NewDraft, ProjectId, SealedAttachment,
    Snapshot, SubmissionId,
};
use crate::{Error, ErrorKind, Result};

/// Written into snapshots: another version of the engine may derive other calculated values.
pub(super) const ENGINE: &str = env!("CARGO_PKG_VERSION");
/// After so many journal rows a snapshot is made, so that opening stays quick.
const ROWS_PER_SNAPSHOT: u64 = 200;

/// A draft being filled: a [`FormSession`] whose every change is a journal row, on disk before the call returns. While it
/// lives nobody else can open the draft. Its `Debug` tells no answer.
pub struct DraftSession {
    claim: Claim,
    form: FormKey,
    project: ProjectId,
    /// The form id under which the server lists the form.
    form_id: String,
    seed: u64,
    session: FormSession,
    /// Number of the last journal row.
    last_row: u64,
    /// Number of the last row that the newest snapshot contains.
    snapshot_row: u64,
    /// The rows that could not be applied when the draft was opened.
    unreplayed: Vec<UnreplayedRow>,
    /// Another version of this program wrote the newest snapshot: its own comes before anything is appended.
    owes_snapshot: bool,
    /// Memory holds a change that the disk refused, because the disk could not be read either: it is read again before
    /// anything else is done.
    is_ahead: bool,
    /// What is not on the disk yet; none once it is a draft.
    held: Option<Box<Held>>,
}

/// A draft that is in memory alone.
struct Held {
    draft: NewDraft,
    beginning: Snapshot,
    /// What has happened since.
    rows: Vec<store::Edit>,
}

/// What came of finalising.
#[derive(Clone, Debug, PartialEq)]
pub enum Finalization {
    /// The record is in the outbox.
    Finalized {
        /// The record.
        record: SubmissionId,
        /// Its instanceID.
        instance_id: String,
        /// Files that the server will not take, as far as it has said so; the answers go all the same.
        too_large: Vec<LargeFile>,
    },
    /// Nothing has changed; these stand in the way, in the order of the form.
    Violations(Vec<Violation>),
}

/// A file that is larger than the server takes.
#[derive(Clone, PartialEq, Eq)]
pub struct LargeFile {
    /// What the answer calls it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// What the server takes, in bytes.
    pub limit: u64,
}

impl fmt::Debug for LargeFile {
    /// Tells no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeFile").field("size", &self.size).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl DraftSession {
    pub(super) fn new(claim: Claim, row: &Draft, replayed: Replayed) -> Self {
        let Replayed { session, last_row, snapshot_row, unreplayed, .. } = replayed;
        Self {
            claim,
            form: row.summary.form,
            project: row.summary.project,
            form_id: row.summary.form_id.clone(),
            seed: row.seed,
            session,
            last_row,
            snapshot_row,
            unreplayed,
            owes_snapshot: row.engine != ENGINE,
            is_ahead: false,
            held: None,
        }
    }

    /// One that is in memory alone.
    pub(super) fn held(client: &Client, draft: NewDraft, form: &FormSummary, session: FormSession) -> Result<Self> {
        let mut begun = Self {
            // There is no such draft, so nobody else can open it.
            claim: Claim { client: client.clone(), draft: DraftId(0) },
            form: draft.form,
            project: form.project,
            form_id: form.form_id.clone(),
            seed: draft.seed,
            session,
            last_row: 0,
            snapshot_row: 0,
            unreplayed: Vec::new(),
            owes_snapshot: false,
            is_ahead: false,
            held: None,
        };
        // What the record began with must not change under the draft, whatever engine reads it next.
        let beginning = begun.snapshot()?;
        begun.held = Some(Box::new(Held { draft, beginning, rows: Vec::new() }));
        Ok(begun)
    }

    /// Whether it is in memory alone ([`Client::begin`]): then it has no [id](Self::id) yet.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Makes it a draft, if it is in memory alone.
    ///
    /// # Errors
    /// Those of the store: then it is as before.
    pub(super) fn hold_no_longer(&mut self) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        let client = self.claim.client.clone();
        client.note_real_draft()?;
        let id = client.inner.store.create_draft_with(&held.draft, &held.beginning, &held.rows)?;
        self.claim = client.claim(id)?;
        self.held = None;
        Ok(())
    }

    /// Runs what a record runs when it is opened again.
    pub(super) fn resume(&mut self) -> Result<()> {
        self.apply(&Edit::Resume).map(|_| ())
    }

    /// The draft; 0 while it is in memory alone.
    #[must_use]
    pub fn id(&self) -> DraftId {
        self.claim.draft
    }

    pub(super) fn client(&self) -> &Client {
        &self.claim.client
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> ProjectId {
        self.project
    }

    /// The form version it stays on.
    #[must_use]
    pub fn form_key(&self) -> FormKey {
        self.form
    }

    /// The session, to look at.
    #[must_use]
    pub fn session(&self) -> &FormSession {
        &self.session
    }

    /// Answers a question, by its path with positions; none or empty clears.
    ///
    /// # Errors
    /// Why it is refused; then nothing has changed. [`ErrorKind::StorageFull`] and others of the store: the session is as
    /// it is on the disk.
    pub fn answer(&mut self, node: &str, value: Option<&str>) -> Result<Changes> {
        self.apply(&Edit::Answer { node: node.to_owned(), value: value.map(str::to_owned) })
    }

    /// Appends an instance to a range, by the range's path.
    ///
    /// # Errors
    /// As [`DraftSession::answer`].
    pub fn add_repeat(&mut self, range: &str) -> Result<Changes> {
        self.apply(&Edit::Add { range: range.to_owned() })
    }

    /// Removes an instance, by its path.
    ///
    /// # Errors
    /// As [`DraftSession::answer`].
    pub fn remove_repeat(&mut self, node: &str) -> Result<Changes> {
        self.apply(&Edit::Remove { node: node.to_owned() })
    }

    /// Shows another language, by tag or name.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchLanguage`], those of the store.
    pub fn set_language(&mut self, name: &str) -> Result<Changes> {
        self.apply(&Edit::Language { name: name.to_owned() })
    }

    /// Goes to a screen; a draft opened again opens there.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], those of the store.
    pub fn move_to(&mut self, key: &ScreenKey) -> Result<()> {
        let screen = self.session.screen_path(key);
        self.apply(&Edit::Move { screen }).map(|_| ())
    }

    /// Goes to the next screen; behind the last row of a repeat whose count follows from its own rows, to the row that is due.
    ///
    /// # Errors
    /// Those of the store. `Ok(Err(violations))`: the policy does not let go of this screen.
    pub fn next(&mut self, policy: Policy) -> Result<Result<ScreenKey, Vec<Violation>>> {
        match self.session.next(&self.session.current(), policy) {
            Ok(key) => self.move_to(&key).map(|()| Ok(self.session.current())),
            Err(violations) => Ok(Err(violations)),
        }
    }

    /// Goes to the screen before; stays at the first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn previous(&mut self) -> Result<ScreenKey> {
        let current = self.session.current();
        let key = self.session.previous(&current).unwrap_or(current);
        self.move_to(&key).map(|()| key)
    }

    /// The screen shown.
    #[must_use]
    pub fn screen(&self) -> ScreenView {
        self.session.screen(&self.session.current())
    }

    /// Seals a file beside the draft and answers the question with its name, which is chosen here and tells nothing: the
    /// question's name, random letters, the file's extension. When this returns, the file is in the store; `give_away`
    /// then removes the source, if that is possible.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read; as [`DraftSession::answer`].
    pub fn attach(&mut self, node: &str, source: &Path, give_away: bool) -> Result<String> {
        self.hold_no_longer()?;
        let (sealed, extension) = seal_file(self.attachment_writer()?, source)?;
        let name = self.attach_sealed(node, &extension, sealed)?;
        if give_away {
            // It is in the store; that the source stays is the shell's to clean up, not a failure of this.
            let _ = std::fs::remove_file(source);
        }
        Ok(name)
    }

    /// The same for bytes that are no file.
    ///
    /// # Errors
    /// As [`DraftSession::attach`].
    pub fn attach_from(&mut self, node: &str, extension: &str, source: &mut dyn Read) -> Result<String> {
        let mut writer = self.attachment_writer()?;
        writer.write_all_of(source)?;
        self.attach_sealed(node, extension, writer.finish()?)
    }

    /// Begins a file that is sealed while it is written; the session is not needed until [`DraftSession::attach_sealed`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn attachment_writer(&self) -> Result<AttachmentWriter> {
        self.claim.client.inner.store.attachment_writer()
    }

    /// Answers a question with a sealed file, under a name chosen as by [`DraftSession::attach`]; gives the name. File and
    /// answer are one journal row and one commit. Files that nothing in the record names any more, such as the photo before
    /// this one, go with it.
    ///
    /// # Errors
    /// As [`DraftSession::answer`]; then the file is gone.
    pub fn attach_sealed(&mut self, node: &str, extension: &str, sealed: SealedAttachment) -> Result<String> {
        self.hold_no_longer()?;
        let name = self.file_name(node, extension);
        let edit = Edit::Attach { node: Some(node.to_owned()), name: name.clone() };
        let mut sealed = Some(sealed);
        let answered = self.apply_and(&edit, |session, row| {
            let Some(sealed) = sealed.take() else { return Ok(()) };
            let store = &session.claim.client.inner.store;
            store.append_attachment(session.claim.draft, row, sealed, |name| session.names(name))
        });
        if let Some(refused) = sealed {
            self.claim.client.inner.store.discard_sealed(&refused);
        }
        answered.map(|_| name)
    }

    /// Whether a file of this name may still be wanted: something in the record names it, or a row that could not be applied.
    fn names(&self, file: &str) -> bool {
        let in_a_row = self.unreplayed.iter().any(|row| row.value.as_deref() == Some(file));
        in_a_row || self.session.has_value(file)
    }

    /// A name for a file of a question: `[a-z0-9-]+.ext`.
    #[must_use]
    pub fn file_name(&self, node: &str, extension: &str) -> String {
        let question = node.rsplit('/').next().unwrap_or_default();
        let slug: String =
            question.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let slug = slug.trim_matches('-');
        let extension: String =
            extension.chars().filter(char::is_ascii_alphanumeric).take(5).map(|c| c.to_ascii_lowercase()).collect();
        // Drawn apart from the step's own numbers, so that the name does not shift what the form draws.
        let mut random = Step { at: 0, seed: !self.seed, number: self.last_row }.random();
        let stem = if slug.is_empty() { "file" } else { slug };
        let extension = if extension.is_empty() { "bin" } else { &extension };
        format!("{stem}-{}.{extension}", word(&mut random, 8))
    }

    /// The changes that could not be carried over when the draft was opened, in order, and that nobody has looked at yet.
    pub fn unreplayed(&self) -> impl Iterator<Item = &UnreplayedRow> {
        self.unreplayed.iter().filter(|row| row.accepted_at.is_none())
    }

    /// Keeps that a person has looked at what could not be carried over; the draft can be finalised then. The rows stay in
    /// the journal as long as the draft does.
    ///
    /// # Errors
    /// Those of the store.
    pub fn accept_unreplayed(&mut self) -> Result<()> {
        self.catch_up()?;
        let at = self.claim.client.now_ms();
        self.claim.client.inner.store.accept_unreplayed(self.claim.draft, at)?;
        for row in &mut self.unreplayed {
            row.accepted_at.get_or_insert(at);
        }
        Ok(())
    }

    /// What a shell has kept beside the draft, such as text that is no value of its question's kind yet; none if there is
    /// nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub fn aside(&self) -> Result<Option<String>> {
        if self.is_held() {
            return Ok(None);
        }
        self.claim.client.kept(&aside_key(self.claim.draft))
    }

    /// Keeps something beside the draft; it goes when the draft is finalised or deleted. An empty text is nothing. Beside one
    /// that is in memory alone nothing can be kept.
    ///
    /// # Errors
    /// [`ErrorKind::NotAllowed`], those of the store.
    pub fn keep_aside(&self, text: &str) -> Result<()> {
        if self.is_held() {
            return Err(ErrorKind::NotAllowed.into());
        }
        self.claim.client.keep(&aside_key(self.claim.draft), text)
    }

    /// Finalises the record into the outbox, or says what stands in the way.
    ///
    /// # Errors
    /// [`ErrorKind::Unreplayed`] while something could not be carried over and nobody has looked;
    /// [`ErrorKind::MissingAttachment`]; [`ErrorKind::TooLarge`] if end-of-form processing would pass a budget; [`ErrorKind::Unsupported`] for a form whose records must be encrypted; those of
    /// the store. The draft is as it was then.
    pub fn finalize(&mut self) -> Result<Finalization> {
        if self.session.form().public_key.is_some() {
            return Err(ErrorKind::EncryptionNeeded.into());
        }
        self.hold_no_longer()?;
        self.catch_up()?;
        let n_unreplayed = self.unreplayed().count();
        if n_unreplayed > 0 {
            return Err(Error::new(ErrorKind::Unreplayed, format!("{n_unreplayed} of draft {}", self.claim.draft)));
        }
        let at = self.claim.client.now_ms();
        let mut finished = match self.session.finalize(self.step(at))? {
            Ok(finished) => finished,
            Err(violations) => return Ok(Finalization::Violations(violations)),
        };
        // A rule of the form may give nothing, or the id of a record that is here already: two would become one on the server.
        let id = &finished.instance_id;
        if id.is_empty()
            || self.claim.client.inner.store.has_instance_id(id).map_err(|error| self.back_to_disk(error))?
        {
            finished = self.session.finished_anew(self.step(at));
        }
        let attachments = self.attachment_names().map_err(|error| self.back_to_disk(error))?;
        let keeps_last_saved = self.claim.client.keeps_last_saved(self.project);
        let keeps_last_saved = keeps_last_saved.map_err(|error| self.back_to_disk(error))?;
        let finalized = Finalized {
            xml: finished.xml.into_bytes(),
            instance_id: finished.instance_id.clone(),
            name: finished.instance_name,
            attachments,
            last_saved: keeps_last_saved.then(|| finished.draft_xml.into_bytes()),
            at,
        };
        self.claim.client.drop_aside(self.claim.draft)?;
        match self.claim.client.inner.store.finalize(self.claim.draft, &finalized) {
            Ok(record) => {
                // It is finalised; a warning that cannot be given now shows when it is sent.
                let too_large = self.too_large(record).unwrap_or_default();
                Ok(Finalization::Finalized { record, instance_id: finished.instance_id, too_large })
            }
            Err(error) => Err(self.back_to_disk(error)),
        }
    }

    /// The files of a record that are larger than the server takes; none while that is not known.
    fn too_large(&self, record: SubmissionId) -> Result<Vec<LargeFile>> {
        let store = &self.claim.client.inner.store;
        let Some(limit) = store.accept_length(self.project)? else { return Ok(Vec::new()) };
        let attachments = store.submission_attachments(record)?.into_iter();
        let large = attachments.filter(|attachment| attachment.size > limit);
        Ok(large.map(|attachment| LargeFile { name: attachment.name, size: attachment.size, limit }).collect())
    }

    /// The files that must go with the record. An answer that names one of the form's own files, as a default picture does,
    /// has none of its own; and where nobody is asked, nobody could bring a missing one.
    fn attachment_names(&self) -> Result<Vec<String>> {
        let store = &self.claim.client.inner.store;
        let attached: BTreeSet<_> =
            store.draft_attachments(self.claim.draft)?.into_iter().map(|attachment| attachment.name).collect();
        let mut names = Vec::new();
        for name in self.session.attachment_names() {
            let is_needed = attached.contains(&name)
                || self.session.asks_for_file(&name) && store.form_file(self.form, &name)?.is_none();
            names.extend(is_needed.then_some(name));
        }
        Ok(names)
    }

    /// Keeps the whole record as it is now, so that opening it again takes no replay up to here. One that is in memory alone
    /// stays there.
    ///
    /// # Errors
    /// Those of the store.
    pub fn save_snapshot(&mut self) -> Result<()> {
        if self.is_held() {
            return Ok(());
        }
        self.catch_up()?;
        self.claim.client.inner.store.save_snapshot(self.claim.draft, &self.snapshot()?)?;
        self.snapshot_row = self.last_row;
        self.owes_snapshot = false;
        Ok(())
    }

    /// The record as it is now.
    fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            seq: self.last_row,
            format: State::FORMAT,
            state: self.session.state().to_bytes()?,
            name: self.session.instance_name(),
            screen: self.session.screen_path(&self.session.current()),
            language: self.session.language_name().unwrap_or_default().to_owned(),
            engine: ENGINE.to_owned(),
            at: self.claim.client.now_ms(),
        })
    }

    /// Leaves the draft for now: a snapshot, and last-saved. Files that nothing in the record names any more are erased.
    ///
    /// # Errors
    /// Those of the store; every answer is on the disk all the same.
    pub fn save(&mut self) -> Result<()> {
        if self.is_held() {
            return Ok(());
        }
        self.save_snapshot()?;
        let store = &self.claim.client.inner.store;
        store.erase_unnamed_attachments(self.claim.draft, |name| self.names(name))?;
        if self.session.form().public_key.is_none() && self.claim.client.keeps_last_saved(self.project)? {
            let (xml, at) = (self.session.draft_xml(), self.claim.client.now_ms());
            self.claim.client.inner.store.set_last_saved(self.project, &self.form_id, xml.as_bytes(), at)?;
        }
        Ok(())
    }

    fn step(&self, at: i64) -> Step {
        Step { at, seed: self.seed, number: self.last_row + 1 }
    }

    /// One change: in memory first, because it may be refused; then on the disk. If the disk refuses, memory goes back to
    /// what the disk has.
    fn apply(&mut self, edit: &Edit) -> Result<Changes> {
        self.apply_and(edit, |session, row| session.claim.client.inner.store.append_edit(session.claim.draft, row))
    }

    /// The same where more than the row goes to the disk.
    fn apply_and(&mut self, edit: &Edit, append: impl FnOnce(&Self, &store::Edit) -> Result<()>) -> Result<Changes> {
        self.catch_up()?;
        if self.owes_snapshot {
            self.save_snapshot()?;
        }
        let before = self.is_held().then(|| self.session.clone());
        let at = self.claim.client.now_ms();
        let edit = &self.session.in_plain_writing(edit);
        let changes = self.session.apply(edit, self.step(at))?;
        let row = store::Edit {
            seq: self.last_row + 1,
            op: edit.op().to_owned(),
            node: edit.node().unwrap_or_default().to_owned(),
            value: edit.value().map(str::to_owned),
            at,
        };
        if let Some(before) = before {
            return self.hold(edit, row, before).map(|()| changes);
        }
        append(self, &row).map_err(|error| self.back_to_disk(error))?;
        self.last_row += 1;
        if self.last_row - self.snapshot_row >= ROWS_PER_SNAPSHOT {
            // The change itself is safe; a full disk may well refuse the larger snapshot.
            let _ = self.save_snapshot();
        }
        Ok(changes)
    }

    /// Notes in memory what has happened; the first answer writes it all. What the disk refuses has not happened.
    fn hold(&mut self, edit: &Edit, row: store::Edit, before: FormSession) -> Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        held.rows.push(row);
        self.last_row += 1;
        if matches!(edit, Edit::Move { .. } | Edit::Language { .. }) {
            return Ok(());
        }
        self.hold_no_longer().inspect_err(|_| {
            if let Some(held) = &mut self.held {
                held.rows.pop();
            }
            self.session = before;
            self.last_row -= 1;
        })
    }

    /// Undoes in memory what the disk has refused with `error`.
    fn back_to_disk(&mut self, error: Error) -> Error {
        self.is_ahead = true;
        // A store that is paused cannot be read now; then the next change begins with it.
        let _ = self.catch_up();
        error
    }

    /// Makes memory what the disk has, if it is not.
    fn catch_up(&mut self) -> Result<()> {
        if self.is_ahead {
            let client = &self.claim.client;
            let replayed = client.replayed(&client.inner.store.draft(self.claim.draft)?)?;
            let Replayed { session, last_row, snapshot_row, unreplayed, .. } = replayed;
            self.session = session;
            (self.last_row, self.snapshot_row, self.unreplayed) = (last_row, snapshot_row, unreplayed);
            self.is_ahead = false;
        }
        Ok(())
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> &Arc<FormDef> {
        self.session.form()
    }
}

/// Under which key something is kept beside a draft.
fn aside_key(draft: DraftId) -> String {
    format!("draft.{draft}")
}

impl Client {
    /// Lets go of what is kept beside a draft that is about to go.
    pub(super) fn drop_aside(&self, draft: DraftId) -> Result<()> {
        let key = aside_key(draft);
        if self.kept(&key)?.is_some() { self.keep(&key, "") } else { Ok(()) }
    }
}

/// Seals a file; with it comes the file's extension. Nothing is held meanwhile.
///
/// # Errors
/// [`ErrorKind::Io`] if the file cannot be read; those of the store.
pub fn seal_file(mut writer: AttachmentWriter, source: &Path) -> Result<(SealedAttachment, String)> {
    let unreadable = |error: std::io::Error| Error::new(ErrorKind::Io, "the file to attach").caused_by(error);
    writer.write_all_of(&mut std::fs::File::open(source).map_err(unreadable)?)?;
    let extension = source.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((writer.finish()?, extension))
}

impl fmt::Debug for DraftSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut session = f.debug_struct("DraftSession");
        session.field("draft", &self.claim.draft).field("last_row", &self.last_row).finish_non_exhaustive()
    }
}

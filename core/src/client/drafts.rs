use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::forms::utf8;
use super::{Client, word};
use crate::clock::Step;
use crate::form::FormDef;
use crate::session::{Changes, Edit, FormSession, Policy, ScreenKey, ScreenView, Violation};
use crate::store::{
    self, Draft, DraftId, DraftSummary, Finalized, FormKey, NewDraft, ProjectId, Snapshot, SubmissionId,
};
use crate::{Error, ErrorKind, Result};

/// Written into snapshots: another version of the engine may derive other calculated values.
const ENGINE: &str = env!("CARGO_PKG_VERSION");
/// After so many journal rows a snapshot is made, so that opening stays quick.
const ROWS_PER_SNAPSHOT: u64 = 200;

/// A draft being filled: a [`FormSession`] whose every change is a journal row, on disk before the call returns.
#[derive(Debug)]
pub struct DraftSession {
    client: Client,
    draft: DraftId,
    form: FormKey,
    project: ProjectId,
    seed: u64,
    session: FormSession,
    /// Number of the last journal row.
    last_row: u64,
    /// Number of the last row that the snapshot contains.
    snapshot_row: u64,
    /// Whether a row of the journal could not be replayed: then no snapshot may take its place.
    keeps_journal: bool,
    /// Memory holds a change that the disk refused, because the disk could not be read either: it is read again before
    /// anything else is done.
    is_ahead: bool,
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
    },
    /// Nothing has changed; these stand in the way, in the order of the form.
    Violations(Vec<Violation>),
}

impl Client {
    /// Begins a draft on a form version; `language` by tag or name, else the form's default.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NoSuchLanguage`], those of [`Client::form`] and of the store.
    pub fn start_draft(&self, form: FormKey, language: Option<&str>) -> Result<DraftSession> {
        let definition = self.form(form)?;
        let project = self.inner.store.form(form)?.summary.project;
        let time_zone = self.inner.time_zone.iana_name().unwrap_or("UTC").to_owned();
        let settings = self.settings(&self.project_row(project)?, zone(&time_zone))?;
        let seed = self.new_seed()?;
        let now = self.now_ms();
        let last_saved = self.inner.store.last_saved(project, &definition.id)?;
        let saved_xml = last_saved.clone().map(utf8).transpose()?;
        let step = Step { at: now, seed, number: 0 };
        let session = FormSession::begin(definition, settings, language, step, saved_xml.as_deref())?;
        let draft = self.inner.store.create_draft(&NewDraft {
            form,
            instance_id: session.instance_id(),
            seed,
            time_zone,
            language: session.language_name().unwrap_or_default().to_owned(),
            engine: ENGINE.to_owned(),
            last_saved,
            created_at: now,
        })?;
        let mut begun = DraftSession {
            client: self.clone(),
            draft,
            form,
            project,
            seed,
            session,
            last_row: 0,
            snapshot_row: 0,
            keeps_journal: false,
            is_ahead: false,
        };
        // What the record began with must not change under the draft, whatever engine reads it next.
        begun.save_snapshot().inspect_err(|_| {
            // A draft that cannot even keep its beginning is none.
            let _ = self.inner.store.delete_draft(draft);
        })?;
        Ok(begun)
    }

    /// Opens a draft where it was left: the last snapshot, then the journal, then the record's own load actions.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::UnreadableRecord`], those of [`Client::form`] and of the store.
    pub fn open_draft(&self, draft: DraftId) -> Result<DraftSession> {
        let mut session = self.replay_draft(draft)?;
        if self.inner.store.draft(draft)?.engine != ENGINE {
            session.save_snapshot()?;
        }
        session.apply(&Edit::Resume)?;
        Ok(session)
    }

    /// A draft as it was in memory: what a kill leaves behind. To go on with it, [`Client::open_draft`].
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn replay_draft(&self, draft: DraftId) -> Result<DraftSession> {
        let store = &self.inner.store;
        let row = store.draft(draft)?;
        let Draft { summary: DraftSummary { form, project, created_at, .. }, seed, .. } = row;
        let definition = self.form(form)?;
        let settings = self.settings(&self.project_row(project)?, zone(&row.time_zone))?;
        let last_saved = row.last_saved.map(utf8).transpose()?;
        let language = named(&row.snapshot_language);
        let step = Step { at: created_at, seed, number: row.snapshot_seq };
        let session = match row.snapshot {
            Some(snapshot) => {
                let screen = named(&row.snapshot_screen);
                let snapshot = utf8(snapshot)?;
                FormSession::restore(definition, settings, &snapshot, language, screen, step, last_saved.as_deref())?
            }
            // Killed between its row and its first snapshot: it begins once more, the same.
            None => FormSession::begin(definition, settings, language, step, last_saved.as_deref())?,
        };
        let mut replayed = DraftSession {
            client: self.clone(),
            draft,
            form,
            project,
            seed,
            session,
            last_row: row.snapshot_seq,
            snapshot_row: row.snapshot_seq,
            keeps_journal: false,
            is_ahead: false,
        };
        for edit in store.edits(draft)? {
            replayed.last_row = edit.seq;
            let step = Step { at: edit.at, seed, number: edit.seq };
            let change = Edit::from_row(&edit.op, named(&edit.node), edit.value.as_deref())?;
            // An engine that has learnt since may refuse what an older one took: the other rows hold, and this one stays.
            replayed.keeps_journal |= replayed.session.apply(&change, step).is_err();
        }
        Ok(replayed)
    }

    /// The drafts of one project or of all, the last changed first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn drafts(&self, project: Option<ProjectId>) -> Result<Vec<DraftSummary>> {
        self.inner.store.drafts(project)
    }

    /// Deletes a draft with its journal and attachments.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn delete_draft(&self, draft: DraftId) -> Result<()> {
        self.inner.store.delete_draft(draft)
    }
}

impl DraftSession {
    /// The draft.
    #[must_use]
    pub fn id(&self) -> DraftId {
        self.draft
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

    /// Goes to the next screen.
    ///
    /// # Errors
    /// Those of the store. `Ok(Err(violations))`: the policy does not let go of this screen.
    pub fn next(&mut self, policy: Policy) -> Result<Result<ScreenKey, Vec<Violation>>> {
        match self.session.next(&self.session.current(), policy) {
            Ok(key) => self.move_to(&key).map(|()| Ok(key)),
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
    /// then removes the source.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read; as [`DraftSession::answer`].
    pub fn attach(&mut self, node: &str, source: &Path, give_away: bool) -> Result<String> {
        let unreadable = |error: std::io::Error| Error::new(ErrorKind::Io, "the file to attach").caused_by(error);
        let mut file = std::fs::File::open(source).map_err(unreadable)?;
        let extension =
            source.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
        let name = self.attach_from(node, &extension, &mut file)?;
        if give_away {
            std::fs::remove_file(source).map_err(unreadable)?;
        }
        Ok(name)
    }

    /// The same for bytes that are no file.
    ///
    /// # Errors
    /// As [`DraftSession::attach`].
    pub fn attach_from(&mut self, node: &str, extension: &str, source: &mut dyn Read) -> Result<String> {
        let name = self.file_name(node, extension);
        let attachment = self.client.inner.store.attach(self.draft, &name, source)?.id;
        let answered = self.apply(&Edit::Attach { name: name.clone() }).and_then(|_| self.answer(node, Some(&name)));
        answered.inspect_err(|_| {
            // Nothing names it. If it cannot be erased now, it is when the draft is finalised.
            let _ = self.client.inner.store.remove_attachment(attachment);
        })?;
        Ok(name)
    }

    /// Seals a file under a name of ours; the answer that names it comes from elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], those of the store.
    pub fn attach_named(&mut self, name: &str, source: &mut dyn Read) -> Result<()> {
        self.client.inner.store.attach(self.draft, name, source)?;
        self.apply(&Edit::Attach { name: name.to_owned() }).map(|_| ())
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

    /// Finalises the record into the outbox, or says what stands in the way.
    ///
    /// # Errors
    /// [`ErrorKind::MissingAttachment`]; [`ErrorKind::Unsupported`] for a form whose records must be encrypted; those of
    /// the store. The draft is as it was then.
    pub fn finalize(&mut self) -> Result<Finalization> {
        if self.session.form().public_key.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "records of this form must be encrypted before sending"));
        }
        self.catch_up()?;
        let at = self.client.now_ms();
        let finished = match self.session.finalize(self.step(at)) {
            Ok(finished) => finished,
            Err(violations) => return Ok(Finalization::Violations(violations)),
        };
        let finalized = Finalized {
            xml: finished.xml.into_bytes(),
            name: finished.instance_name,
            attachments: self.session.attachment_names(),
            last_saved: Some(finished.draft_xml.into_bytes()),
            at,
        };
        match self.client.inner.store.finalize(self.draft, &finalized) {
            Ok(record) => Ok(Finalization::Finalized { record, instance_id: finished.instance_id }),
            Err(error) => Err(self.back_to_disk(error)),
        }
    }

    /// Keeps the whole record as it is now; the journal up to here is no longer needed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn save_snapshot(&mut self) -> Result<()> {
        self.catch_up()?;
        if self.keeps_journal {
            return Ok(());
        }
        let at = self.client.now_ms();
        self.client.inner.store.save_snapshot(
            self.draft,
            &Snapshot {
                seq: self.last_row,
                xml: self.session.draft_xml().into_bytes(),
                name: self.session.instance_name(),
                screen: self.session.screen_path(&self.session.current()),
                language: self.session.language_name().unwrap_or_default().to_owned(),
                engine: ENGINE.to_owned(),
                at,
            },
        )?;
        self.snapshot_row = self.last_row;
        Ok(())
    }

    /// Leaves the draft for now: a snapshot, and last-saved.
    ///
    /// # Errors
    /// Those of the store; every answer is on the disk all the same.
    pub fn save(&mut self) -> Result<()> {
        self.save_snapshot()?;
        let form = self.session.form();
        if form.public_key.is_none() {
            let xml = self.session.draft_xml();
            self.client.inner.store.set_last_saved(self.project, &form.id, xml.as_bytes(), self.client.now_ms())?;
        }
        Ok(())
    }

    fn step(&self, at: i64) -> Step {
        Step { at, seed: self.seed, number: self.last_row + 1 }
    }

    /// One change: in memory first, because it may be refused; then on the disk. If the disk refuses, memory goes back to
    /// what the disk has.
    fn apply(&mut self, edit: &Edit) -> Result<Changes> {
        self.catch_up()?;
        let at = self.client.now_ms();
        let changes = self.session.apply(edit, self.step(at))?;
        let row = store::Edit {
            seq: self.last_row + 1,
            op: edit.op().to_owned(),
            node: edit.node().unwrap_or_default().to_owned(),
            value: edit.value().map(str::to_owned),
            at,
        };
        self.client.inner.store.append_edit(self.draft, &row).map_err(|error| self.back_to_disk(error))?;
        self.last_row += 1;
        if self.last_row - self.snapshot_row >= ROWS_PER_SNAPSHOT {
            // The change itself is safe; a full disk may well refuse the larger snapshot.
            let _ = self.save_snapshot();
        }
        Ok(changes)
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
            *self = self.client.replay_draft(self.draft)?;
        }
        Ok(())
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> &Arc<FormDef> {
        self.session.form()
    }
}

/// The time zone a draft names. A system's own zone without a name cannot be kept with a draft; it counts as UTC.
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// What a row says, if it says anything.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

//! Drafts of a home: beginning one, reading one back from the disk, and who has it open.

use std::sync::PoisonError;

use jiff::tz::TimeZone;

use super::Client;
use super::draft_session::{DraftSession, ENGINE};
use super::forms::utf8;
use crate::clock::Step;
use crate::openrosa::settings_qr::Mode;
use crate::session::{Edit, FormSession, State};
use crate::store::{self, Draft, DraftId, DraftSummary, FormKey, JournalRow, KeptSnapshot, NewDraft, ProjectId};
use crate::text::fold::fold;
use crate::{Error, ErrorKind, Result};

/// The format of snapshots before [`State`]: the record as XML.
const XML: u32 = 1;

/// What a row says that stands where the journal has a hole: rows that a damaged disk has lost.
const LOST: &str = "lost";

/// A change that could not be carried over when a draft was read back: a row of its journal that nothing in the record can
/// take. Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreplayedRow {
    /// Number of the row in the journal.
    pub seq: u64,
    /// What happened: `answer`, `add`, `remove`, `attach`, or a word of another version of this program; `lost` where a
    /// damaged disk has lost what happened.
    pub op: String,
    /// Where, as a path; may be empty.
    pub node: String,
    /// The value given; none if an answer was cleared.
    pub value: Option<String>,
    /// When it happened, in milliseconds since 1970.
    pub at: i64,
    /// When a person let go of it; none while it waits.
    pub accepted_at: Option<i64>,
}

/// What the disk has of a draft, as it was in memory when its last row was written.
pub(super) struct Replayed {
    pub(super) session: FormSession,
    /// Number of the last journal row.
    pub(super) last_row: u64,
    /// Number of the last row that the newest snapshot contains.
    pub(super) snapshot_row: u64,
    /// The rows that could not be applied, in order.
    pub(super) unreplayed: Vec<UnreplayedRow>,
    /// Rows to stand in holes of the journal.
    holes: Vec<store::Edit>,
}

impl Replayed {
    /// Notes that what came after the last row is not there.
    fn add_hole(&mut self, at: i64) {
        let seq = self.last_row + 1;
        let hole = store::Edit { seq, op: LOST.to_owned(), node: String::new(), value: None, at };
        self.unreplayed.push(UnreplayedRow {
            seq,
            op: hole.op.clone(),
            node: String::new(),
            value: None,
            at,
            accepted_at: None,
        });
        self.holes.push(hole);
    }

    /// A record that was just begun.
    fn begun(session: FormSession) -> Self {
        Self { session, last_row: 0, snapshot_row: 0, unreplayed: Vec::new(), holes: Vec::new() }
    }
}

impl Client {
    /// Begins a draft on a form version; `language` by tag or name, else the form's default.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::FormNotOffered`], [`ErrorKind::NoSuchLanguage`], those of [`Client::form`] and of
    /// the store.
    pub fn start_draft(&self, form: FormKey, language: Option<&str>) -> Result<DraftSession> {
        let mut begun = self.begin(form, language)?;
        begun.hold_no_longer()?;
        Ok(begun)
    }

    /// The same in memory alone: nothing is on the disk until the first answer, which writes the draft with itself and with what
    /// was moved and shown before. Dropped or killed before that, it has never been. This is for a questionnaire that asks
    /// first whether a person wants to take part.
    ///
    /// # Errors
    /// As [`Client::start_draft`].
    pub fn begin(&self, form: FormKey, language: Option<&str>) -> Result<DraftSession> {
        let summary = self.inner.store.form_summary(form)?;
        if !summary.offered {
            return Err(Error::new(ErrorKind::FormNotOffered, format!("form {}", summary.form_id)));
        }
        let definition = self.form(form)?;
        let time_zone = self.inner.time_zone.iana_name().unwrap_or("UTC").to_owned();
        let settings = self.settings(&self.project_row(summary.project)?, zone(&time_zone))?;
        let seed = self.new_seed()?;
        let now = self.now_ms();
        let last_saved = match self.keeps_last_saved(summary.project)? {
            true => self.inner.store.last_saved(summary.project, &summary.form_id)?,
            false => None,
        };
        let saved_xml = last_saved.clone().map(utf8).transpose()?;
        let step = Step { at: now, seed, number: 0 };
        let session = FormSession::begin(definition, settings, language, step, saved_xml.as_deref())?;
        let draft = NewDraft {
            form,
            instance_id: session.instance_id(),
            seed,
            time_zone,
            language: session.language_name().unwrap_or_default().to_owned(),
            engine: ENGINE.to_owned(),
            last_saved,
            created_at: now,
        };
        DraftSession::held(self, draft, &summary, session)
    }

    /// Whether what was answered last is offered to the next record. On a phone in a newcomer's hand it is not: it may be
    /// somebody else's hand by then.
    pub(super) fn keeps_last_saved(&self, project: ProjectId) -> Result<bool> {
        Ok(self.project_row(project)?.settings.mode != Some(Mode::Newcomer))
    }

    /// Opens a draft where it was left: a snapshot, then the journal, then the record's own load actions (not where the
    /// disk takes nothing, and so could not keep what they do). A draft is open once at a time, until its session is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::DraftInUse`], [`ErrorKind::NotFound`], [`ErrorKind::UnreadableRecord`], those of [`Client::form`] and of
    /// the store.
    pub fn open_draft(&self, draft: DraftId) -> Result<DraftSession> {
        let claim = self.claim(draft)?;
        let row = self.inner.store.draft(draft)?;
        let replayed = self.replayed(&row)?;
        let marked = self.mark_unreplayed(&row, &replayed);
        let mut session = DraftSession::new(claim, &row, replayed);
        // Where nothing can be written the draft is there to be read, as it was left; and so where what it runs now would be
        // too much: its answers are there all the same.
        let is_bearable =
            |error: &Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Io | ErrorKind::TooLarge);
        match marked.and_then(|()| session.resume()) {
            Err(error) if !is_bearable(&error) => Err(error),
            _ => Ok(session),
        }
    }

    /// A draft as it was in memory: what a kill leaves behind. To go on with it, [`Client::open_draft`].
    ///
    /// # Errors
    /// As there, but for a draft that is open.
    #[doc(hidden)]
    pub fn replay_draft(&self, draft: DraftId) -> Result<FormSession> {
        Ok(self.replayed(&self.inner.store.draft(draft)?)?.session)
    }

    /// Reads a draft back: the newest snapshot that this program can read and the rows after it. An older snapshot with more
    /// rows gives the same, and so does a new record with the whole journal.
    pub(super) fn replayed(&self, row: &Draft) -> Result<Replayed> {
        let store = &self.inner.store;
        let draft = row.summary.id;
        let snapshots = store.snapshots(draft)?;
        let mut unreadable = None;
        for snapshot in &snapshots {
            match self.restored(row, snapshot) {
                Ok(session) => return self.with_journal(row, session, snapshot.seq),
                Err(error) if error.kind() == ErrorKind::UnreadableRecord => unreadable = Some(error),
                Err(error) => return Err(error),
            }
        }
        // Killed between its row and its first snapshot; or none can be read, which is mended if no row is missing.
        let is_whole = store.edits(draft)?.len() as u64 == row.summary.last_seq;
        match unreadable {
            Some(error) if !is_whole => Err(error),
            _ => self.with_journal(row, self.begun_again(row)?, 0),
        }
    }

    fn begun_again(&self, row: &Draft) -> Result<FormSession> {
        let (settings, last_saved) = self.surroundings(row)?;
        let step = Step { at: row.summary.created_at, seed: row.seed, number: 0 };
        let language = named(&row.snapshot_language);
        let form = self.form(row.summary.form)?;
        let mut session = FormSession::begin(form, settings, language, step, last_saved.as_deref())?;
        // The program that began it may have drawn other random numbers.
        session.keep_instance_id(&row.summary.instance_id);
        Ok(session)
    }

    fn restored(&self, row: &Draft, snapshot: &KeptSnapshot) -> Result<FormSession> {
        let form = self.form(row.summary.form)?;
        let (settings, last_saved) = self.surroundings(row)?;
        match snapshot.format {
            State::FORMAT => {
                let state = State::from_bytes(&snapshot.state)?;
                FormSession::from_state(form, settings, &state, row.seed, last_saved.as_deref())
            }
            XML => {
                let (language, screen) = (named(&row.snapshot_language), named(&row.snapshot_screen));
                let step = Step { at: row.summary.created_at, seed: row.seed, number: snapshot.seq };
                let xml = String::from_utf8(snapshot.state.clone()).map_err(|_| ErrorKind::UnreadableRecord)?;
                FormSession::restore(form, settings, &xml, language, screen, step, last_saved.as_deref())
            }
            other => Err(Error::new(ErrorKind::UnreadableRecord, format!("a snapshot of format {other}"))),
        }
    }

    /// What a draft sees besides its record: the person's settings, and the record saved before it was begun.
    fn surroundings(&self, row: &Draft) -> Result<(crate::engine::Settings, Option<String>)> {
        let settings = self.settings(&self.project_row(row.summary.project)?, zone(&row.time_zone))?;
        Ok((settings, row.last_saved.clone().map(utf8).transpose()?))
    }

    /// Replays the rows behind a snapshot. Rows that cannot be applied are set aside, and so are those that the last opening
    /// set aside before the snapshot was made. A hole in the journal is such a row, too: nobody knows what was in it.
    fn with_journal(&self, row: &Draft, session: FormSession, snapshot_row: u64) -> Result<Replayed> {
        let store = &self.inner.store;
        let draft = row.summary.id;
        let earlier = store.unreplayed(draft)?.into_iter().filter(|row| row.edit.seq <= snapshot_row);
        let unreplayed = earlier.map(UnreplayedRow::from).collect();
        let mut replayed = Replayed { last_row: snapshot_row, snapshot_row, unreplayed, ..Replayed::begun(session) };
        let mut is_hole = false;
        for journalled in store.journal(draft, snapshot_row)? {
            let edit = &journalled.edit;
            if edit.seq > replayed.last_row + 1 && !is_hole {
                replayed.add_hole(edit.at);
            }
            is_hole = edit.op == LOST;
            replayed.last_row = edit.seq;
            let step = Step { at: edit.at, seed: row.seed, number: edit.seq };
            let change = Edit::from_row(&edit.op, named(&edit.node), edit.value.as_deref());
            if change.and_then(|change| replayed.session.replay(&change, step)).is_err() {
                replayed.unreplayed.push(journalled.into());
            }
        }
        // A newer snapshot is gone, and so is what was between.
        if replayed.last_row < row.snapshot_seq {
            if !is_hole {
                replayed.add_hole(row.summary.updated_at);
            }
            replayed.last_row = row.snapshot_seq;
        }
        Ok(replayed)
    }

    /// Writes down which rows could not be applied, so that lists say it and a later snapshot does not hide it.
    fn mark_unreplayed(&self, row: &Draft, replayed: &Replayed) -> Result<()> {
        let store = &self.inner.store;
        for hole in &replayed.holes {
            store.append_edit(row.summary.id, hole)?;
        }
        let after = replayed.snapshot_row;
        let known = store.unreplayed(row.summary.id)?.into_iter().map(|row| row.edit.seq);
        let found = replayed.unreplayed.iter().map(|row| row.seq).filter(|&seq| seq > after).collect::<Vec<_>>();
        if known.filter(|&seq| seq > after).eq(found.iter().copied()) {
            return Ok(());
        }
        store.mark_unreplayed(row.summary.id, after, &found)
    }

    /// The drafts of one project or of all, the last changed first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn drafts(&self, project: Option<ProjectId>) -> Result<Vec<DraftSummary>> {
        self.inner.store.drafts(project)
    }

    /// The drafts whose name or form's title contains `search`, letters folded ([`fold`]), in the order of
    /// [`Client::drafts`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn find_drafts(&self, project: Option<ProjectId>, search: &str) -> Result<Vec<DraftSummary>> {
        let search = fold(search);
        let mut drafts = self.drafts(project)?;
        drafts.retain(|draft| [&draft.name, &draft.title].iter().any(|text| fold(text).contains(&search)));
        Ok(drafts)
    }

    /// Deletes a draft with its journal and attachments.
    ///
    /// # Errors
    /// [`ErrorKind::DraftInUse`], [`ErrorKind::NotFound`], those of the store.
    pub fn delete_draft(&self, draft: DraftId) -> Result<()> {
        let _claim = self.claim(draft)?;
        self.drop_aside(draft)?;
        self.inner.store.delete_draft(draft)
    }

    /// Takes a draft for one session: two would number their rows alike, and one of two answers would be lost.
    pub(super) fn claim(&self, draft: DraftId) -> Result<Claim> {
        let mut open = self.inner.open_drafts.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.insert(draft) {
            return Err(Error::new(ErrorKind::DraftInUse, format!("draft {draft}")));
        }
        Ok(Claim { client: self.clone(), draft })
    }

    /// Takes every draft of a project.
    pub(super) fn claim_drafts(&self, project: ProjectId) -> Result<Vec<Claim>> {
        self.drafts(Some(project))?.iter().map(|draft| self.claim(draft.id)).collect()
    }
}

/// That a draft is open; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) client: Client,
    pub(super) draft: DraftId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.client.inner.open_drafts.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.draft);
    }
}

impl From<JournalRow> for UnreplayedRow {
    fn from(row: JournalRow) -> Self {
        let JournalRow { edit, accepted_at, .. } = row;
        Self { seq: edit.seq, op: edit.op, node: edit.node, value: edit.value, at: edit.at, accepted_at }
    }
}

impl std::fmt::Debug for UnreplayedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnreplayedRow").field("seq", &self.seq).field("op", &self.op).finish_non_exhaustive()
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

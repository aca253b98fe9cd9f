//! Drafts and their journals.
//!
//! The state of a draft is a snapshot with the edits after it replayed. The journal is kept whole until the draft is
//! finalised: a snapshot saves time and takes the place of nothing, so that any older one with the edits after it gives the
//! same. Appending an edit is the hot path: one row, one commit, the same cost however large the form is.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{DraftId, FormKey, ProjectId, Store, attachments, forms};
use crate::{Error, ErrorKind, Result};

/// A draft to begin.
#[derive(Clone, Debug)]
pub struct NewDraft {
    /// The form version it stays on.
    pub form: FormKey,
    /// Its instance id as of the beginning; the frozen bytes say the last word.
    pub instance_id: String,
    /// Seed of all its random numbers.
    pub seed: u64,
    /// IANA name of the time zone its dates are in.
    pub time_zone: String,
    /// The form language it begins in; empty for the default.
    pub language: String,
    /// Version of the program.
    pub engine: String,
    /// The form's last-saved record, which it goes on seeing whatever is saved later; `None` if there is none.
    pub last_saved: Option<Vec<u8>>,
    /// The moment.
    pub created_at: i64,
}

/// A row of the journal: what happened, as text (session.md, Journal). Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Number within the draft, from 1.
    pub seq: u64,
    /// What happened: `answer`, `add`, `remove`, `language`, `move`, `attach`, `resume`.
    pub op: String,
    /// Where, as a path; for `move` the key of the screen.
    pub node: String,
    /// The value; for `language` its tag. `None` clears an answer.
    pub value: Option<String>,
    /// The moment.
    pub at: i64,
}

/// The journal row as it lies there: the edit, and whether it could be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// What happened.
    pub edit: Edit,
    /// Whether it was found impossible to apply when the draft was opened.
    pub unreplayed: bool,
    /// When a person let go of a row that cannot be applied.
    pub accepted_at: Option<i64>,
}

/// The state of a draft after edit `seq`, which saves replaying the edits up to it. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct Snapshot {
    /// The last edit it contains.
    pub seq: u64,
    /// How `state` is to be read.
    pub format: u32,
    /// The state itself.
    pub state: Vec<u8>,
    /// `instanceName` at this moment; empty for none.
    pub name: String,
    /// The key of the screen shown, as a path.
    pub screen: String,
    /// The form language shown.
    pub language: String,
    /// Version of the program that wrote it.
    pub engine: String,
    /// The moment.
    pub at: i64,
}

/// A draft in a list. Its `Debug` tells no name.
#[derive(Clone, PartialEq, Eq)]
pub struct DraftSummary {
    /// Its row.
    pub id: DraftId,
    /// The form version it is on.
    pub form: FormKey,
    /// The project.
    pub project: ProjectId,
    /// The form id of the XML.
    pub form_id: String,
    /// The form's version.
    pub version: String,
    /// The form's title.
    pub title: String,
    /// Its instance id.
    pub instance_id: String,
    /// `instanceName` as of the snapshot; empty for none.
    pub name: String,
    /// When it was begun.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// The form language last shown; empty for the default.
    pub language: String,
    /// The key of the screen last shown, as a path; empty for the first.
    pub screen: String,
    /// The number of its last edit; 0 for none.
    pub last_seq: u64,
    /// How many rows of its journal could not be applied and wait for a person to look, as of the last opening.
    pub unreplayed: u64,
    /// Whether the server still offers the form version it was begun on; if not, it is finished and sent as it was begun.
    pub offered: bool,
}

/// A draft as it is opened; its snapshots come from [`Store::snapshots`], its edits from [`Store::journal`]. Its `Debug`
/// tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// What a list says of it.
    pub summary: DraftSummary,
    /// Seed of all its random numbers.
    pub seed: u64,
    /// IANA name of the time zone its dates are in.
    pub time_zone: String,
    /// The form's last-saved record when the draft was begun.
    pub last_saved: Option<Vec<u8>>,
    /// The last edit that the newest snapshot contains; 0 without one.
    pub snapshot_seq: u64,
    /// The language shown when the newest snapshot was made; empty for the form's default.
    pub snapshot_language: String,
    /// The screen shown when the newest snapshot was made; empty for the first.
    pub snapshot_screen: String,
    /// Version of the program that wrote the newest snapshot, or made the draft. Another program must write a snapshot
    /// before it appends.
    pub engine: String,
}

/// A snapshot as it is read back. Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptSnapshot {
    /// The last edit it contains.
    pub seq: u64,
    /// How `state` is to be read.
    pub format: u32,
    /// The state itself.
    pub state: Vec<u8>,
}

/// What a list says of a draft. What was last shown stands in the snapshot's columns or in the few rows after it.
const SUMMARY: &str = "
    draft.id, draft.form, form.project, form.form_id, form.version, form.title, draft.instance_id, draft.name,
    draft.created_at, max(draft.updated_at, coalesce(last.at, draft.updated_at)) AS updated_at,
    coalesce((SELECT value FROM draft_edit
              WHERE draft = draft.id AND seq > draft.snapshot_seq AND op = 'language' ORDER BY seq DESC LIMIT 1),
             draft.language) AS language,
    coalesce((SELECT node FROM draft_edit
              WHERE draft = draft.id AND seq > draft.snapshot_seq AND op = 'move' ORDER BY seq DESC LIMIT 1),
             draft.screen) AS screen,
    coalesce(last.seq, draft.snapshot_seq) AS last_seq,
    (SELECT count(*) FROM draft_edit WHERE draft = draft.id AND unreplayed = 1 AND accepted_at IS NULL) AS n_unreplayed,
    EXISTS (SELECT 1 FROM form AS now
            WHERE now.project = form.project AND now.form_id = form.form_id AND now.version = form.version
              AND now.superseded = 0 AND now.offered = 1) AS offered";

const FROM: &str = "
    FROM draft
    JOIN form ON form.id = draft.form
    LEFT JOIN draft_edit AS last
           ON last.draft = draft.id AND last.seq = (SELECT max(seq) FROM draft_edit WHERE draft = draft.id)";

impl Store {
    /// Begins a draft.
    ///
    /// # Errors
    /// `NotFound` if there is no such form; `StorageFull`, `StoragePaused`.
    pub fn create_draft(&self, draft: &NewDraft) -> Result<DraftId> {
        self.read(|connection| create(connection, draft))
    }

    /// Begins a draft with what it began as, and with what has happened in it so far: all of it or nothing.
    ///
    /// # Errors
    /// As [`Store::create_draft`].
    pub fn create_draft_with(&self, draft: &NewDraft, beginning: &Snapshot, edits: &[Edit]) -> Result<DraftId> {
        self.write(|transaction| {
            let id = create(transaction, draft)?;
            keep_snapshot(transaction, id, beginning)?;
            edits.iter().try_for_each(|edit| append(transaction, id, edit))?;
            Ok(id)
        })
    }

    /// Appends to the journal of a draft. When this returns, the edit is on the disk; when it fails, every edit before is.
    ///
    /// # Errors
    /// `StorageFull`; `NotFound` if there is no such draft; `StoragePaused`, `Internal` if `seq` was used before.
    pub fn append_edit(&self, draft: DraftId, edit: &Edit) -> Result<()> {
        self.read(|connection| append(connection, draft, edit))
    }

    /// The journal of a draft behind edit `after`, in order; all of it behind 0. Only a draft from before the journal was
    /// kept whole lacks the rows that its first snapshot contains.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn journal(&self, draft: DraftId, after: u64) -> Result<Vec<JournalRow>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT seq, op, node, value, at, unreplayed, accepted_at FROM draft_edit
                 WHERE draft = ? AND seq > ? ORDER BY seq",
            )?;
            let rows = query.query_map(params![draft, after.cast_signed()], JournalRow::read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The edits of the whole journal.
    ///
    /// # Errors
    /// As [`Store::journal`].
    pub fn edits(&self, draft: DraftId) -> Result<Vec<Edit>> {
        Ok(self.journal(draft, 0)?.into_iter().map(|row| row.edit).collect())
    }

    /// The rows that could not be applied when the draft was last opened, in order, accepted ones among them.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn unreplayed(&self, draft: DraftId) -> Result<Vec<JournalRow>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT seq, op, node, value, at, unreplayed, accepted_at FROM draft_edit
                 WHERE draft = ? AND unreplayed = 1 ORDER BY seq",
            )?;
            let rows = query.query_map([draft], JournalRow::read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Keeps which of the edits behind `after` cannot be applied.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn mark_unreplayed(&self, draft: DraftId, after: u64, unreplayed: &[u64]) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE draft_edit SET unreplayed = 0 WHERE draft = ? AND seq > ? AND unreplayed = 1",
                params![draft, after.cast_signed()],
            )?;
            let mut mark = transaction.prepare("UPDATE draft_edit SET unreplayed = 1 WHERE draft = ? AND seq = ?")?;
            for seq in unreplayed {
                mark.execute(params![draft, seq.cast_signed()])?;
            }
            Ok(())
        })
    }

    /// Keeps that a person has looked at the rows that cannot be applied. They stay in the journal.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn accept_unreplayed(&self, draft: DraftId, at: i64) -> Result<()> {
        self.read(|connection| {
            connection.execute(
                "UPDATE draft_edit SET accepted_at = ? WHERE draft = ? AND unreplayed = 1 AND accepted_at IS NULL",
                params![at, draft],
            )?;
            Ok(())
        })
    }

    /// Keeps a snapshot; of those between it and the first none is needed any more. The journal stays as it is.
    ///
    /// # Errors
    /// `NotFound`, `StorageFull`, `StoragePaused`.
    pub fn save_snapshot(&self, draft: DraftId, snapshot: &Snapshot) -> Result<()> {
        self.write(|transaction| keep_snapshot(transaction, draft, snapshot))
    }

    /// The snapshots of a draft, the newest first; none: a new instance is where the replay begins.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn snapshots(&self, draft: DraftId) -> Result<Vec<KeptSnapshot>> {
        self.read(|connection| {
            let mut query = connection
                .prepare("SELECT seq, format, state FROM draft_snapshot WHERE draft = ? ORDER BY seq DESC")?;
            let snapshots = query.query_map([draft], KeptSnapshot::read)?.collect::<Result<_, _>>()?;
            Ok(snapshots)
        })
    }

    /// All drafts, of one project or of all, the last changed first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn drafts(&self, project: Option<ProjectId>) -> Result<Vec<DraftSummary>> {
        self.read(|connection| {
            let mut query = connection.prepare(&format!(
                "SELECT {SUMMARY} {FROM} WHERE ?1 IS NULL OR form.project = ?1 ORDER BY updated_at DESC, draft.id DESC"
            ))?;
            let drafts = query.query_map([project], DraftSummary::read)?.collect::<Result<_, _>>()?;
            Ok(drafts)
        })
    }

    /// One draft.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn draft(&self, id: DraftId) -> Result<Draft> {
        self.read(|connection| {
            let query = format!(
                "SELECT {SUMMARY}, draft.seed, draft.time_zone, draft.last_saved, draft.snapshot_seq,
                        draft.language AS snapshot_language, draft.screen AS snapshot_screen, draft.engine
                 {FROM} WHERE draft.id = ?"
            );
            connection.query_row(&query, [id], Draft::read).optional()?.ok_or_else(|| not_found(id))
        })
    }

    /// Deletes a draft with its journal and attachments. The keys of the attachments go with it: what may remain of their
    /// files is noise.
    ///
    /// # Errors
    /// `NotFound`, `StorageFull`, `StoragePaused`.
    pub fn delete_draft(&self, id: DraftId) -> Result<()> {
        let erased = self.write(|transaction| {
            let erased = attachments::erase(transaction, "draft = ?", [id])?;
            remove(transaction, id)?;
            forms::drop_unused_forms(transaction)?;
            Ok(erased)
        })?;
        self.forget(erased);
        Ok(())
    }
}

fn create(connection: &Connection, draft: &NewDraft) -> Result<DraftId> {
    connection.execute(
        "INSERT INTO draft (form, instance_id, created_at, updated_at, language, seed, time_zone, engine, last_saved)
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            draft.form,
            draft.instance_id,
            draft.created_at,
            draft.language,
            draft.seed.cast_signed(),
            draft.time_zone,
            draft.engine,
            draft.last_saved
        ],
    )?;
    Ok(DraftId(connection.last_insert_rowid()))
}

fn keep_snapshot(transaction: &Transaction<'_>, draft: DraftId, snapshot: &Snapshot) -> Result<()> {
    let seq = snapshot.seq.cast_signed();
    let changed = transaction.execute(
        "UPDATE draft SET snapshot_seq = ?, name = ?, screen = ?, language = ?, engine = ?, updated_at = ?
         WHERE id = ?",
        params![seq, snapshot.name, snapshot.screen, snapshot.language, snapshot.engine, snapshot.at, draft],
    )?;
    if changed == 0 {
        return Err(not_found(draft));
    }
    transaction.execute(
        "INSERT OR REPLACE INTO draft_snapshot (draft, seq, format, engine, state, at)
         VALUES (?, ?, ?, ?, ?, ?)",
        params![draft, seq, snapshot.format, snapshot.engine, snapshot.state, snapshot.at],
    )?;
    transaction.execute(
        "DELETE FROM draft_snapshot WHERE draft = ?1 AND seq <> ?2
         AND seq > (SELECT min(seq) FROM draft_snapshot WHERE draft = ?1)",
        params![draft, seq],
    )?;
    Ok(())
}

pub(super) fn append(connection: &Connection, draft: DraftId, edit: &Edit) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO draft_edit (draft, seq, op, node, value, at) VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![draft, edit.seq.cast_signed(), edit.op, edit.node, edit.value, edit.at])?;
    Ok(())
}

/// Takes the row of a draft away, and its journal with it.
pub(super) fn remove(transaction: &Transaction<'_>, id: DraftId) -> Result<()> {
    if transaction.execute("DELETE FROM draft WHERE id = ?", [id])? == 0 { Err(not_found(id)) } else { Ok(()) }
}

pub(super) fn not_found(id: DraftId) -> Error {
    Error::new(ErrorKind::NotFound, format!("draft {id}"))
}

impl Edit {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get::<_, i64>("seq")?.cast_unsigned(),
            op: row.get("op")?,
            node: row.get("node")?,
            value: row.get("value")?,
            at: row.get("at")?,
        })
    }
}

impl JournalRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { edit: Edit::read(row)?, unreplayed: row.get("unreplayed")?, accepted_at: row.get("accepted_at")? })
    }
}

impl KeptSnapshot {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get::<_, i64>("seq")?.cast_unsigned(),
            format: row.get("format")?,
            state: row.get("state")?,
        })
    }
}

impl DraftSummary {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            form: row.get("form")?,
            project: row.get("project")?,
            form_id: row.get("form_id")?,
            version: row.get("version")?,
            title: row.get("title")?,
            instance_id: row.get("instance_id")?,
            name: row.get("name")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            language: row.get("language")?,
            screen: row.get("screen")?,
            last_seq: row.get::<_, i64>("last_seq")?.cast_unsigned(),
            unreplayed: row.get::<_, i64>("n_unreplayed")?.cast_unsigned(),
            offered: row.get("offered")?,
        })
    }
}

impl Draft {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            summary: DraftSummary::read(row)?,
            seed: row.get::<_, i64>("seed")?.cast_unsigned(),
            time_zone: row.get("time_zone")?,
            last_saved: row.get("last_saved")?,
            snapshot_seq: row.get::<_, i64>("snapshot_seq")?.cast_unsigned(),
            snapshot_language: row.get("snapshot_language")?,
            snapshot_screen: row.get("snapshot_screen")?,
            engine: row.get("engine")?,
        })
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("seq", &self.seq).field("op", &self.op).finish_non_exhaustive()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("seq", &self.seq).field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeptSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSnapshot").field("seq", &self.seq).field("format", &self.format).finish_non_exhaustive()
    }
}

impl fmt::Debug for DraftSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut summary = f.debug_struct("DraftSummary");
        summary
            .field("id", &self.id)
            .field("form", &self.form)
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("summary", &self.summary).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, SECRET, TestHome, answer};

    fn edit(seq: u64, op: &str, node: &str, value: Option<&str>) -> Edit {
        Edit { seq, op: op.into(), node: node.into(), value: value.map(Into::into), at: NOW + seq as i64 }
    }

    fn snapshot(seq: u64, xml: &str) -> Snapshot {
        Snapshot {
            seq,
            format: 1,
            state: xml.into(),
            name: "Well 7".into(),
            screen: "/data/b".into(),
            language: "ti".into(),
            engine: "0.2.0".into(),
            at: NOW + 1000,
        }
    }

    #[test]
    fn a_draft_comes_back_as_it_was_begun() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.reopen();
        let read = home.draft(draft).unwrap();
        let summary = &read.summary;
        assert_eq!((read.seed, &read.time_zone[..], &read.engine[..]), (u64::MAX - 1, "Europe/Amsterdam", "0.1.0"));
        assert_eq!((read.snapshot_seq, summary.last_seq, summary.unreplayed), (0, 0, 0));
        assert_eq!(home.snapshots(draft).unwrap(), []);
        assert_eq!((&summary.instance_id[..], &summary.language[..], &summary.screen[..]), ("uuid:a", "nl", ""));
        assert_eq!((&summary.title[..], summary.created_at, summary.updated_at), ("Title of visit", NOW, NOW));
    }

    #[test]
    fn edits_come_back_in_order_word_for_word() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        let edits = [
            edit(1, "answer", "/data/a", Some("ሰላም \u{0} '; DROP TABLE draft; --")),
            edit(2, "answer", "/data/a", None),
            edit(3, "answer", "/data/a", Some("")),
            edit(4, "add", "/data/r", None),
        ];
        for edit in &edits {
            home.append_edit(draft, edit).unwrap();
            home.reopen();
        }
        assert_eq!(home.edits(draft).unwrap(), edits);
    }

    #[test]
    fn the_first_and_the_newest_snapshot_are_kept_and_the_journal_whole() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        for seq in 1..=5 {
            home.append_edit(draft, &answer(seq, "/data/a", "x")).unwrap();
        }
        for seq in [0, 3, 5] {
            home.save_snapshot(draft, &snapshot(seq, &format!("<data>{seq}</data>"))).unwrap();
        }
        home.reopen();
        let kept: Vec<_> =
            home.snapshots(draft).unwrap().into_iter().map(|kept| (kept.seq, kept.format, kept.state)).collect();
        assert_eq!(kept, [(5, 1, b"<data>5</data>".to_vec()), (0, 1, b"<data>0</data>".to_vec())]);
        let read = home.draft(draft).unwrap();
        assert_eq!((read.snapshot_seq, read.summary.last_seq, &read.engine[..]), (5, 5, "0.2.0"));
        assert_eq!(home.edits(draft).unwrap().len(), 5);
        let behind = home.journal(draft, 3).unwrap();
        assert_eq!(behind.iter().map(|row| row.edit.seq).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn rows_that_cannot_be_applied_wait_for_a_person() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        for seq in 1..=4 {
            home.append_edit(draft, &answer(seq, "/data/gone", "x")).unwrap();
        }
        let unreplayed = |home: &TestHome| home.drafts(None).unwrap()[0].unreplayed;
        home.mark_unreplayed(draft, 0, &[1, 3]).unwrap();
        assert_eq!(unreplayed(&home), 2);
        // The program has learnt to apply row 3; what lies before the snapshot stays as it was found.
        home.mark_unreplayed(draft, 2, &[4]).unwrap();
        home.reopen();
        let rows = home.unreplayed(draft).unwrap();
        assert_eq!(rows.iter().map(|row| (row.edit.seq, row.accepted_at)).collect::<Vec<_>>(), [(1, None), (4, None)]);

        home.accept_unreplayed(draft, NOW).unwrap();
        assert_eq!(unreplayed(&home), 0);
        let rows = home.unreplayed(draft).unwrap();
        assert_eq!(rows.iter().map(|row| row.accepted_at).collect::<Vec<_>>(), [Some(NOW), Some(NOW)]);
        assert_eq!(home.edits(draft).unwrap().len(), 4);
    }

    #[test]
    fn the_list_says_what_was_last_shown_and_changed() {
        let home = TestHome::new();
        let form = home.any_form(home.any_project(), "visit", "1");
        let (one, two) = (home.draft_of(form, "uuid:1"), home.draft_of(form, "uuid:2"));
        home.append_edit(one, &edit(1, "move", "/data/c", None)).unwrap();
        home.append_edit(one, &edit(2, "language", "", Some("ar"))).unwrap();
        let drafts = home.drafts(None).unwrap();
        assert_eq!(drafts.iter().map(|draft| draft.id).collect::<Vec<_>>(), [one, two]);
        assert_eq!((&drafts[0].screen[..], &drafts[0].language[..]), ("/data/c", "ar"));
        assert_eq!(drafts[0].updated_at, NOW + 2);

        home.save_snapshot(two, &snapshot(0, "<data/>")).unwrap();
        let drafts = home.drafts(Some(drafts[0].project)).unwrap();
        assert_eq!(drafts.iter().map(|draft| draft.id).collect::<Vec<_>>(), [two, one]);
        assert_eq!((&drafts[0].screen[..], &drafts[0].language[..], &drafts[0].name[..]), ("/data/b", "ti", "Well 7"));
        assert_eq!(home.drafts(Some(ProjectId(99))).unwrap(), []);
    }

    #[test]
    fn nothing_happens_to_a_draft_that_is_not_there() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let nowhere = DraftId(draft.0 + 1);
        for refused in [
            home.append_edit(nowhere, &answer(1, "/a", "x")),
            home.save_snapshot(nowhere, &snapshot(1, "<a/>")),
            home.delete_draft(nowhere),
            home.draft(nowhere).map(drop),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(home.drafts(None).unwrap().len(), 1);
    }

    #[test]
    fn a_number_is_used_once() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "first")).unwrap();
        assert!(home.append_edit(draft, &answer(1, "/a", "second")).is_err());
        assert_eq!(home.edits(draft).unwrap(), [answer(1, "/a", "first")]);
    }

    #[test]
    fn deleting_takes_everything_along() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        home.delete_draft(draft).unwrap();
        assert_eq!(home.drafts(None).unwrap(), []);
        assert_eq!(home.edits(draft).unwrap(), []);
        assert_eq!(home.n_files("files"), 0);
    }

    #[test]
    fn debug_tells_no_answer() {
        let mut snapshot = snapshot(1, SECRET);
        snapshot.name = SECRET.into();
        assert!(!format!("{:?} {snapshot:?}", answer(1, SECRET, SECRET)).contains(SECRET));
    }
}

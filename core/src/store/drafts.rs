//! Drafts and their journals.
//!
//! The state of a draft is its snapshot with the edits after it replayed. Appending an edit is the hot path: one row, one
//! commit, the same cost however large the form is.

use std::fmt;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{DraftId, FormKey, ProjectId, Store, attachments, forms};
use crate::{Error, ErrorKind, Result};

/// A draft to begin.
#[derive(Clone, Debug)]
pub struct NewDraft {
    /// The form version it stays on.
    pub form: FormKey,
    /// Its instance id, unique among drafts.
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

/// The state of a draft after edit `seq`, to be kept instead of the edits up to it. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct Snapshot {
    /// The last edit it contains.
    pub seq: u64,
    /// The instance, as the draft writer writes it.
    pub xml: Vec<u8>,
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
}

/// A draft as it is opened; its edits come from [`Store::edits`]. Its `Debug` tells no answer.
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
    /// The newest snapshot; `None`: a new instance is where the replay begins.
    pub snapshot: Option<Vec<u8>>,
    /// The last edit that the snapshot contains; 0 without one.
    pub snapshot_seq: u64,
    /// The language shown when the snapshot was made; empty for the form's default.
    pub snapshot_language: String,
    /// The screen shown when the snapshot was made; empty for the first.
    pub snapshot_screen: String,
    /// Version of the program that wrote the snapshot, or made the draft. Another program must write a snapshot before it
    /// appends.
    pub engine: String,
}

const DRAFT: &str = "
    SELECT draft.id, draft.form, form.project, form.form_id, form.version, form.title, draft.instance_id, draft.name,
           draft.created_at, max(draft.updated_at, coalesce(last.at, draft.updated_at)) AS updated_at,
           coalesce((SELECT value FROM draft_edit WHERE draft = draft.id AND op = 'language' ORDER BY seq DESC LIMIT 1),
                    draft.language) AS language,
           coalesce((SELECT node FROM draft_edit WHERE draft = draft.id AND op = 'move' ORDER BY seq DESC LIMIT 1),
                    draft.screen) AS screen,
           coalesce(last.seq, draft.snapshot_seq) AS last_seq,
           draft.seed, draft.time_zone, draft.last_saved, draft.snapshot, draft.snapshot_seq,
           draft.language AS snapshot_language, draft.screen AS snapshot_screen, draft.engine
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
        self.read(|connection| {
            connection.execute(
                "INSERT INTO draft (form, instance_id, created_at, updated_at, language, seed, time_zone, engine,
                                    last_saved)
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
        })
    }

    /// Appends to the journal of a draft. When this returns, the edit is on the disk; when it fails, every edit before is.
    ///
    /// # Errors
    /// `StorageFull`; `NotFound` if there is no such draft; `StoragePaused`, `Internal` if `seq` was used before.
    pub fn append_edit(&self, draft: DraftId, edit: &Edit) -> Result<()> {
        self.read(|connection| {
            connection
                .prepare_cached("INSERT INTO draft_edit (draft, seq, op, node, value, at) VALUES (?, ?, ?, ?, ?, ?)")?
                .execute(params![draft, edit.seq.cast_signed(), edit.op, edit.node, edit.value, edit.at])?;
            Ok(())
        })
    }

    /// The edits of a draft that its snapshot does not contain, in order.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn edits(&self, draft: DraftId) -> Result<Vec<Edit>> {
        self.read(|connection| {
            let mut query =
                connection.prepare("SELECT seq, op, node, value, at FROM draft_edit WHERE draft = ? ORDER BY seq")?;
            let edits = query.query_map([draft], Edit::read)?.collect::<Result<_, _>>()?;
            Ok(edits)
        })
    }

    /// Keeps a snapshot and deletes the edits it contains, in one transaction.
    ///
    /// # Errors
    /// `NotFound`, `StorageFull`, `StoragePaused`.
    pub fn save_snapshot(&self, draft: DraftId, snapshot: &Snapshot) -> Result<()> {
        let seq = snapshot.seq.cast_signed();
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE draft SET snapshot = ?, snapshot_seq = ?, name = ?, screen = ?, language = ?, engine = ?,
                                  updated_at = ? WHERE id = ?",
                params![
                    snapshot.xml,
                    seq,
                    snapshot.name,
                    snapshot.screen,
                    snapshot.language,
                    snapshot.engine,
                    snapshot.at,
                    draft
                ],
            )?;
            if changed == 0 {
                return Err(not_found(draft));
            }
            transaction.execute("DELETE FROM draft_edit WHERE draft = ? AND seq <= ?", params![draft, seq])?;
            Ok(())
        })
    }

    /// All drafts, of one project or of all, the last changed first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn drafts(&self, project: Option<ProjectId>) -> Result<Vec<DraftSummary>> {
        self.read(|connection| {
            let mut query = connection.prepare(&format!(
                "{DRAFT} WHERE ?1 IS NULL OR form.project = ?1 ORDER BY updated_at DESC, draft.id DESC"
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
            let query = format!("{DRAFT} WHERE draft.id = ?");
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
            snapshot: row.get("snapshot")?,
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
            xml: xml.into(),
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
        assert_eq!((read.snapshot, read.snapshot_seq, summary.last_seq), (None, 0, 0));
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
    fn a_snapshot_takes_the_place_of_the_edits_it_contains() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        for seq in 1..=5 {
            home.append_edit(draft, &answer(seq, "/data/a", "x")).unwrap();
        }
        home.save_snapshot(draft, &snapshot(3, "<data>3</data>")).unwrap();
        home.reopen();
        let read = home.draft(draft).unwrap();
        assert_eq!(read.snapshot.as_deref(), Some(&b"<data>3</data>"[..]));
        assert_eq!((read.snapshot_seq, read.summary.last_seq, &read.engine[..]), (3, 5, "0.2.0"));
        assert_eq!(home.edits(draft).unwrap(), [answer(4, "/data/a", "x"), answer(5, "/data/a", "x")]);
        home.save_snapshot(draft, &snapshot(5, "<data>5</data>")).unwrap();
        assert_eq!(home.edits(draft).unwrap(), []);
        assert_eq!(home.draft(draft).unwrap().summary.last_seq, 5);
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

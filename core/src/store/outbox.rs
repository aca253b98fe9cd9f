//! The outbox: finalised records with their frozen bytes, and how far their sending is.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{DraftId, FormKey, ProjectId, Store, SubmissionId, attachments, drafts, forms, last_saved};
use crate::{Error, ErrorKind, Result};

/// What a draft becomes when it is finalised. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct Finalized {
    /// The frozen bytes, as they are sent every time.
    pub xml: Vec<u8>,
    /// The instanceID in these bytes.
    pub instance_id: String,
    /// `instanceName`; empty for none.
    pub name: String,
    /// The attachments that the answers name. The draft's others are erased.
    pub attachments: Vec<String>,
    /// What to keep as last-saved of the form, as XML; `None` leaves it (a form sealed by a public key).
    pub last_saved: Option<Vec<u8>>,
    /// The moment.
    pub at: i64,
}

/// A record in the outbox; its bytes come from [`Store::submission_xml`]. Its `Debug` tells no name.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its row.
    pub id: SubmissionId,
    /// Where it goes.
    pub project: ProjectId,
    /// The form version it was filled on; `None` if that is not on this device.
    pub form: Option<FormKey>,
    /// Its instance id.
    pub instance_id: String,
    /// The form id of the XML.
    pub form_id: String,
    /// The form's version.
    pub version: String,
    /// The form's title.
    pub title: String,
    /// `instanceName`; empty for none.
    pub name: String,
    /// When it was finalised.
    pub finalized_at: i64,
    /// How far its sending is.
    pub state: RecordState,
    /// How often sending was begun since it was last made ready by a person.
    pub attempts: u32,
    /// The number of the sending that claimed it last.
    pub claim: ClaimNumber,
    /// Size of its XML in bytes.
    pub xml_size: u64,
    /// How many attachments it has.
    pub attachments: u32,
    /// Size of its attachments together, in bytes.
    pub attachments_size: u64,
}

/// The right of one sending to write what becomes of the record that it claimed.
pub type ClaimNumber = i64;

/// How far the sending of a record is (openrosa.md §6). A draft is not in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// To be sent.
    Ready,
    /// Being sent now; after a crash it is ready again.
    Sending,
    /// Sending failed for the moment.
    Waiting {
        /// When to try again.
        next_attempt_at: i64,
        /// Why.
        reason: Reason,
    },
    /// The server has it, attachments included.
    Sent {
        /// Since when.
        at: i64,
    },
    /// It cannot be sent until a person does something.
    NeedsAttention(Reason),
}

/// Why a record is not sent, without personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A stable code.
    pub code: String,
    /// The same in plain words.
    pub text: String,
}

/// One try to send a record, kept for support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub started_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// How it ended: a stable code.
    pub outcome: String,
    /// The status of the response, if there was one.
    pub http_status: Option<u16>,
    /// A note without personal data.
    pub note: String,
}

/// Attempts kept of one record.
const MAX_ATTEMPTS_KEPT: i64 = 50;

/// A list reads no blob: `length` of one is known without it.
pub(super) const SUBMISSION: &str = "SELECT id, project, form, instance_id, form_id, version, title, name, finalized_at, state, \
                          reason, reason_text, attempts, next_attempt_at, sent_at, claim, length(xml) AS xml_size, \
                          coalesce(files.n, 0) AS attachments, coalesce(files.size, 0) AS attachments_size \
                          FROM submission LEFT JOIN (SELECT submission AS record, count(*) AS n, sum(size) AS size \
                          FROM attachment WHERE submission IS NOT NULL GROUP BY submission) files ON files.record = id";

impl Store {
    /// Makes a draft a record that is ready to be sent, in one transaction: the bytes are frozen, the attachments pass to
    /// the record, last-saved is kept, the draft and its journal are gone.
    ///
    /// # Errors
    /// `NotFound` if there is no such draft; `MissingAttachment` if the draft does not have one of the attachments;
    /// `StorageFull`, `StoragePaused`. Then nothing has changed.
    pub fn finalize(&self, draft: DraftId, finalized: &Finalized) -> Result<SubmissionId> {
        let (submission, erased) = self.write(|transaction| {
            let submission = freeze(transaction, draft, finalized)?;
            let erased = pass_attachments(transaction, draft, submission, &finalized.attachments)?;
            drafts::remove(transaction, draft)?;
            forms::drop_unused_forms(transaction)?;
            Ok((submission, erased))
        })?;
        self.forget(erased);
        Ok(submission)
    }

    /// The records of one project or of all, the oldest first; sent ones are among them until they are deleted.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn outbox(&self, project: Option<ProjectId>) -> Result<Vec<Submission>> {
        self.read(|connection| {
            let mut query = connection
                .prepare(&format!("{SUBMISSION} WHERE ?1 IS NULL OR project = ?1 ORDER BY finalized_at, id"))?;
            let records = query.query_map([project], Submission::read)?.collect::<Result<_, _>>()?;
            Ok(records)
        })
    }

    /// One record.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn submission(&self, id: SubmissionId) -> Result<Submission> {
        self.read(|connection| {
            let query = format!("{SUBMISSION} WHERE id = ?");
            connection.query_row(&query, [id], Submission::read).optional()?.ok_or_else(|| not_found(id))
        })
    }

    /// Whether a record with this instanceID is here, or was and has arrived.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn has_instance_id(&self, instance_id: &str) -> Result<bool> {
        self.read(|connection| {
            let query = "SELECT EXISTS (SELECT 1 FROM submission WHERE instance_id = ?1)
                             OR EXISTS (SELECT 1 FROM receipt WHERE instance_id = ?1)";
            Ok(connection.query_row(query, [instance_id], |row| row.get(0))?)
        })
    }

    /// The frozen bytes of a record.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn submission_xml(&self, id: SubmissionId) -> Result<Vec<u8>> {
        self.read(|connection| {
            let xml = connection.query_row("SELECT xml FROM submission WHERE id = ?", [id], |row| row.get(0));
            xml.optional()?.ok_or_else(|| not_found(id))
        })
    }

    /// Marks a record that is ready or waiting as being sent and counts the attempt, **before** anything is sent. `None`: it
    /// is not there, someone else is sending it, or it is not to be sent now.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn begin_sending(&self, id: SubmissionId) -> Result<Option<ClaimNumber>> {
        // In a transaction, because a statement that returns rows and commits by itself says nothing of a commit that fails.
        self.write(|transaction| {
            let mut claim = transaction.prepare_cached(
                "UPDATE submission SET state = 'sending', claim = claim + 1, attempts = attempts + 1, reason = '',
                                       reason_text = '', next_attempt_at = NULL
                 WHERE id = ? AND state IN ('ready', 'waiting') RETURNING claim",
            )?;
            Ok(claim.query_row([id], |row| row.get(0)).optional()?)
        })
    }

    /// Writes what became of a record: of one that this sending claimed, under its number; without a number, of one that
    /// nobody claimed and that is ready or waits. False: the record is in another state by now, and nothing was changed.
    /// `Ready` counts attempts from the beginning again.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn mark(&self, id: SubmissionId, claim: Option<ClaimNumber>, state: &RecordState) -> Result<bool> {
        let (mut reason, mut next_attempt_at, mut sent_at) = (None, None, None);
        match state {
            RecordState::Ready | RecordState::Sending => {}
            RecordState::Waiting { next_attempt_at: at, reason: why } => {
                (reason, next_attempt_at) = (Some(why), Some(at))
            }
            RecordState::Sent { at } => sent_at = Some(at),
            RecordState::NeedsAttention(why) => reason = Some(why),
        }
        let (code, text) = reason.map_or(("", ""), |reason| (&reason.code, &reason.text));
        self.write(|transaction| {
            let mut mark = transaction.prepare_cached(
                "UPDATE submission SET state = ?1, reason = ?2, reason_text = ?3, next_attempt_at = ?4, sent_at = ?5,
                                       attempts = CASE ?1 WHEN 'ready' THEN 0 ELSE attempts END
                 WHERE id = ?6 AND CASE WHEN ?7 IS NULL THEN state IN ('ready', 'waiting')
                                        ELSE state = 'sending' AND claim = ?7 END",
            )?;
            let changed = mark.execute(params![state.name(), code, text, next_attempt_at, sent_at, id, claim])?;
            if matches!(state, RecordState::Sent { .. }) {
                forms::drop_unused_forms(transaction)?;
            }
            Ok(changed == 1)
        })
    }

    /// Makes ready what is marked as being sent: in a project, or everywhere. For whoever knows that no sending is alive
    /// there. What was on the road may or may not have arrived; the same bytes under the same instance id may be sent again.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn release(&self, project: Option<ProjectId>) -> Result<()> {
        self.read(|connection| {
            connection.execute(
                "UPDATE submission SET state = 'ready' WHERE state = 'sending' AND (?1 IS NULL OR project = ?1)",
                [project],
            )?;
            Ok(())
        })
    }

    /// Keeps what came of a try to send, for support; of each record the latest 50.
    ///
    /// # Errors
    /// `NotFound` if there is no such record; `StoragePaused`, `StorageFull`.
    pub fn add_attempt(&self, id: SubmissionId, attempt: &Attempt) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO attempt (submission, started_at, ended_at, outcome, http_status, note)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![id, attempt.started_at, attempt.ended_at, attempt.outcome, attempt.http_status, attempt.note],
            )?;
            transaction.execute(
                "DELETE FROM attempt WHERE submission = ?1 AND id NOT IN
                     (SELECT id FROM attempt WHERE submission = ?1 ORDER BY id DESC LIMIT ?2)",
                params![id, MAX_ATTEMPTS_KEPT],
            )?;
            Ok(())
        })
    }

    /// What came of the tries to send a record, the oldest first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn attempts(&self, id: SubmissionId) -> Result<Vec<Attempt>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT started_at, ended_at, outcome, http_status, note FROM attempt WHERE submission = ? ORDER BY id",
            )?;
            let attempts = query.query_map([id], Attempt::read)?.collect::<Result<_, _>>()?;
            Ok(attempts)
        })
    }
}

/// Adds the record of a draft, and what it leaves as last-saved.
fn freeze(transaction: &Transaction<'_>, draft: DraftId, finalized: &Finalized) -> Result<SubmissionId> {
    let added = transaction.execute(
        "INSERT INTO submission (project, form, instance_id, form_id, version, title, name, xml, finalized_at)
         SELECT form.project, form.id, ?, form.form_id, form.version, form.title, ?, ?, ?
         FROM draft JOIN form ON form.id = draft.form WHERE draft.id = ?",
        params![finalized.instance_id, finalized.name, finalized.xml, finalized.at, draft],
    )?;
    if added == 0 {
        return Err(drafts::not_found(draft));
    }
    let id = SubmissionId(transaction.last_insert_rowid());
    if let Some(xml) = &finalized.last_saved {
        let (project, form_id): (ProjectId, String) =
            transaction.query_row("SELECT project, form_id FROM submission WHERE id = ?", [id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        last_saved::put(transaction, project, &form_id, xml, finalized.at)?;
    }
    Ok(id)
}

/// Passes the attachments named in the answers to the record and erases the others; returns the files of these.
fn pass_attachments(
    transaction: &Transaction<'_>,
    draft: DraftId,
    submission: SubmissionId,
    names: &[String],
) -> Result<Vec<String>> {
    let mut n_missing = 0;
    for name in names.iter().collect::<BTreeSet<_>>() {
        let passed = transaction.execute(
            "UPDATE attachment SET draft = NULL, submission = ? WHERE draft = ? AND name = ?",
            params![submission, draft, name],
        )?;
        n_missing += usize::from(passed == 0);
    }
    if n_missing > 0 {
        // Their names stay here: an answer may be one.
        return Err(Error::new(ErrorKind::MissingAttachment, format!("{n_missing} of {} files", names.len())));
    }
    attachments::erase(transaction, "draft = ?", [draft])
}

impl RecordState {
    /// The word for it, in the database and on every screen.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::Waiting { .. } => "waiting",
            Self::Sent { .. } => "sent",
            Self::NeedsAttention(_) => "needs_attention",
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let reason = || Ok::<_, rusqlite::Error>(Reason { code: row.get("reason")?, text: row.get("reason_text")? });
        Ok(match row.get_ref("state")?.as_str()? {
            "sending" => Self::Sending,
            "waiting" => Self::Waiting {
                next_attempt_at: row.get::<_, Option<i64>>("next_attempt_at")?.unwrap_or_default(),
                reason: reason()?,
            },
            "sent" => Self::Sent { at: row.get::<_, Option<i64>>("sent_at")?.unwrap_or_default() },
            "needs_attention" => Self::NeedsAttention(reason()?),
            _ => Self::Ready,
        })
    }
}

impl Submission {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            project: row.get("project")?,
            form: row.get("form")?,
            instance_id: row.get("instance_id")?,
            form_id: row.get("form_id")?,
            version: row.get("version")?,
            title: row.get("title")?,
            name: row.get("name")?,
            finalized_at: row.get("finalized_at")?,
            state: RecordState::read(row)?,
            attempts: row.get("attempts")?,
            claim: row.get("claim")?,
            xml_size: row.get::<_, i64>("xml_size")?.cast_unsigned(),
            attachments: row.get("attachments")?,
            attachments_size: row.get::<_, i64>("attachments_size")?.cast_unsigned(),
        })
    }
}

impl Attempt {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            started_at: row.get("started_at")?,
            ended_at: row.get("ended_at")?,
            outcome: row.get("outcome")?,
            http_status: row.get("http_status")?,
            note: row.get("note")?,
        })
    }
}

impl fmt::Debug for Finalized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalized").field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut submission = f.debug_struct("Submission");
        submission.field("id", &self.id).field("instance_id", &self.instance_id).field("state", &self.state);
        submission.finish_non_exhaustive()
    }
}

fn not_found(id: SubmissionId) -> Error {
    Error::new(ErrorKind::NotFound, format!("record {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, SECRET, TestHome, answer};
    use crate::store::{Imported, NewRecord, Records};

    fn finalized(attachments: &[&str]) -> Finalized {
        Finalized {
            xml: b"<?xml version='1.0'?><data \xc3\xa9/>".to_vec(),
            instance_id: "uuid:a".into(),
            name: "Well 7".into(),
            attachments: attachments.iter().map(|&name| name.to_owned()).collect(),
            last_saved: Some(b"<data>saved</data>".to_vec()),
            at: NOW,
        }
    }

    fn record(project: ProjectId, instance_id: &str) -> NewRecord {
        NewRecord {
            project,
            instance_id: instance_id.into(),
            form_id: "visit".into(),
            version: "1".into(),
            title: "Visit".into(),
            name: String::new(),
            xml: b"<data/>".to_vec(),
            finalized_at: NOW,
        }
    }

    fn reason() -> Reason {
        Reason { code: "not-allowed".into(), text: "The server refuses this form.".into() }
    }

    #[test]
    fn a_draft_becomes_a_record_at_once() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let draft = home.draft_of(form, "uuid:a");
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        let kept = home.attach(draft, "kept.jpg", &mut &b"kept"[..]).unwrap();
        let dropped = home.attach(draft, "dropped.jpg", &mut &b"dropped"[..]).unwrap();

        let id = home.finalize(draft, &finalized(&["kept.jpg", "kept.jpg"])).unwrap();
        home.reopen();
        assert_eq!(home.drafts(None).unwrap(), []);
        assert_eq!(home.edits(draft).unwrap(), []);
        let submission = Submission {
            id,
            project,
            form: Some(form),
            instance_id: "uuid:a".into(),
            form_id: "visit".into(),
            version: "1".into(),
            title: "Title of visit".into(),
            name: "Well 7".into(),
            finalized_at: NOW,
            state: RecordState::Ready,
            attempts: 0,
            claim: 0,
            xml_size: finalized(&[]).xml.len() as u64,
            attachments: 1,
            attachments_size: 4,
        };
        assert_eq!(home.outbox(None).unwrap(), [submission]);
        assert_eq!(home.submission_xml(id).unwrap(), finalized(&[]).xml);
        assert_eq!(home.submission_attachments(id).unwrap(), std::slice::from_ref(&kept));
        assert_eq!(home.read_attachment(kept.id, 0, 10).unwrap(), b"kept");
        assert_eq!(home.open_attachment(dropped.id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(home.n_files("files"), 1);
        assert_eq!(home.last_saved(project, "visit").unwrap().unwrap(), b"<data>saved</data>");
    }

    #[test]
    fn a_missing_attachment_stops_it_and_nothing_changes() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        home.attach(draft, "here.jpg", &mut &b"x"[..]).unwrap();
        let refused = home.finalize(draft, &finalized(&["there.jpg", "here.jpg", "also.jpg"])).unwrap_err();
        assert_eq!((refused.kind(), refused.detail()), (ErrorKind::MissingAttachment, "2 of 3 files"));
        home.reopen();
        assert_eq!(home.outbox(None).unwrap(), []);
        assert_eq!(home.edits(draft).unwrap().len(), 1);
        assert_eq!(home.draft_attachments(draft).unwrap().len(), 1);
        let project = home.draft(draft).unwrap().summary.project;
        assert_eq!(home.last_saved(project, "visit").unwrap(), None);
    }

    #[test]
    fn a_full_disk_stops_it_and_nothing_changes() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        home.limit_pages(Some(1)).unwrap();
        let large = Finalized { xml: vec![b'x'; 500_000], ..finalized(&[]) };
        assert_eq!(home.finalize(draft, &large).unwrap_err().kind(), ErrorKind::StorageFull);
        home.reopen();
        assert_eq!(home.edits(draft).unwrap().len(), 1);
        assert_eq!(home.outbox(None).unwrap(), []);
        home.finalize(draft, &large).unwrap();
    }

    #[test]
    fn finalising_without_last_saved_leaves_the_old_one() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let project = home.draft(draft).unwrap().summary.project;
        home.set_last_saved(project, "visit", b"<old/>", 1).unwrap();
        home.finalize(draft, &Finalized { last_saved: None, ..finalized(&[]) }).unwrap();
        assert_eq!(home.last_saved(project, "visit").unwrap().unwrap(), b"<old/>");
        assert_eq!(home.finalize(draft, &finalized(&[])).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn the_oldest_goes_first() {
        let home = TestHome::new();
        let (one, two) = (home.any_project(), home.any_project());
        for (project, instance_id, at) in [(one, "uuid:late", 3), (two, "uuid:early", 1), (one, "uuid:middle", 2)] {
            let record = NewRecord { finalized_at: at, ..record(project, instance_id) };
            home.import_record(&record, vec![]).unwrap();
        }
        let ids = |project| -> Vec<_> {
            home.outbox(project).unwrap().into_iter().map(|record| record.instance_id).collect()
        };
        assert_eq!(ids(None), ["uuid:early", "uuid:middle", "uuid:late"]);
        assert_eq!(ids(Some(one)), ["uuid:middle", "uuid:late"]);
    }

    #[test]
    fn every_state_comes_back() {
        let mut home = TestHome::new();
        let id = home.finalize(home.any_draft(), &finalized(&[])).unwrap();
        for state in [
            RecordState::Waiting { next_attempt_at: NOW + 2000, reason: reason() },
            RecordState::Ready,
            RecordState::NeedsAttention(reason()),
        ] {
            assert!(home.mark(id, None, &state).unwrap());
            home.reopen();
            assert_eq!(home.submission(id).unwrap().state, state);
        }
        assert_eq!(home.retry(&Records::One(id)).unwrap(), 1);
        let claim = home.begin_sending(id).unwrap();
        assert!(home.mark(id, claim, &RecordState::Sent { at: NOW + 5 }).unwrap());
        home.reopen();
        assert_eq!(home.submission(id).unwrap().state, RecordState::Sent { at: NOW + 5 });
        assert!(!home.mark(SubmissionId(99), None, &RecordState::Ready).unwrap());
    }

    #[test]
    fn a_record_is_sent_by_one_at_a_time_and_counted_before() {
        let mut home = TestHome::new();
        let id = home.finalize(home.any_draft(), &finalized(&[])).unwrap();
        assert!(home.begin_sending(id).unwrap().is_some());
        assert_eq!(home.begin_sending(id).unwrap(), None, "it is being sent");
        home.reopen();
        let after_crash = home.submission(id).unwrap();
        assert_eq!((after_crash.state, after_crash.attempts), (RecordState::Ready, 1));

        let claim = home.begin_sending(id).unwrap();
        let waiting = RecordState::Waiting { next_attempt_at: NOW, reason: reason() };
        assert!(home.mark(id, claim, &waiting).unwrap());
        assert_eq!(home.submission(id).unwrap().attempts, 2);
        assert!(home.mark(id, None, &RecordState::Ready).unwrap());
        assert_eq!(home.submission(id).unwrap().attempts, 0);
        let claim = home.begin_sending(id).unwrap();
        assert!(home.mark(id, claim, &RecordState::Sent { at: NOW }).unwrap());
        assert_eq!(home.begin_sending(id).unwrap(), None, "it has been sent");
        assert_eq!(home.begin_sending(SubmissionId(99)).unwrap(), None);
    }

    #[test]
    fn a_state_is_written_only_from_the_state_it_was_claimed_in() {
        let home = TestHome::new();
        let id = home.finalize(home.any_draft(), &finalized(&[])).unwrap();
        let first = home.begin_sending(id).unwrap();
        let attention = RecordState::NeedsAttention(reason());
        assert!(!home.mark(id, None, &attention).unwrap(), "someone is sending it");
        home.release(None).unwrap();
        assert!(!home.mark(id, first, &attention).unwrap(), "the claim was given up");
        let second = home.begin_sending(id).unwrap();
        assert_ne!(first, second);
        assert!(!home.mark(id, first, &attention).unwrap(), "another has claimed it since");
        assert!(home.mark(id, second, &RecordState::Sent { at: NOW }).unwrap());
        for claim in [None, first, second] {
            assert!(!home.mark(id, claim, &attention).unwrap(), "a sent record stays sent");
        }
        assert_eq!(home.retry(&Records::One(id)).unwrap(), 0);
        assert_eq!(home.submission(id).unwrap().state, RecordState::Sent { at: NOW });
    }

    #[test]
    fn what_is_released_is_of_the_project_meant() {
        let home = TestHome::new();
        let (one, two) = (home.any_project(), home.any_project());
        let ids = [(one, "uuid:a"), (two, "uuid:b")].map(|(project, instance_id)| {
            let Imported::Queued(id) = home.import_record(&record(project, instance_id), vec![]).unwrap() else {
                panic!("it was not there before");
            };
            home.begin_sending(id).unwrap();
            id
        });
        home.release(Some(one)).unwrap();
        let states = ids.map(|id| home.submission(id).unwrap().state);
        assert_eq!(states, [RecordState::Ready, RecordState::Sending]);
    }

    #[test]
    fn attachments_are_acknowledged_one_by_one() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        for name in ["a.jpg", "b.jpg"] {
            home.attach(draft, name, &mut &b"x"[..]).unwrap();
        }
        let id = home.finalize(draft, &finalized(&["a.jpg", "b.jpg"])).unwrap();
        let first = home.submission_attachments(id).unwrap()[0].id;
        home.mark_attachment_sent(first, NOW).unwrap();
        home.reopen();
        let sent: Vec<_> = home.submission_attachments(id).unwrap().iter().map(|file| file.sent_at).collect();
        assert_eq!(sent, [Some(NOW), None]);
    }

    #[test]
    fn the_latest_attempts_are_kept() {
        let mut home = TestHome::new();
        let id = home.finalize(home.any_draft(), &finalized(&[])).unwrap();
        let attempt = |n| Attempt {
            started_at: n,
            ended_at: n + 1,
            outcome: "offline".into(),
            http_status: (n % 2 == 0).then_some(503),
            note: String::new(),
        };
        for n in 0..60 {
            home.add_attempt(id, &attempt(n)).unwrap();
        }
        home.reopen();
        assert_eq!(home.attempts(id).unwrap(), (10..60).map(attempt).collect::<Vec<_>>());
        assert_eq!(home.add_attempt(SubmissionId(99), &attempt(1)).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn debug_tells_no_answer() {
        let home = TestHome::new();
        let record = NewRecord { xml: SECRET.into(), name: SECRET.into(), ..record(home.any_project(), "uuid:a") };
        home.import_record(&record, vec![]).unwrap();
        let finalized = Finalized { xml: SECRET.into(), name: SECRET.into(), ..finalized(&[]) };
        let shown = format!("{finalized:?} {:?}", home.outbox(None).unwrap());
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

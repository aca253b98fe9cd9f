//! The outbox: finalised records with their frozen bytes, and how far their sending is.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::sending::{ClaimNumber, Failing};
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
    /// When the server had its XML; files of it may still be missing there.
    pub answers_at: Option<i64>,
    /// A row of failures that are the server's own, or a web page's.
    pub failing: Option<Failing>,
    /// Size of its XML in bytes.
    pub xml_size: u64,
    /// How many attachments it has.
    pub attachments: u32,
    /// Size of its attachments together, in bytes.
    pub attachments_size: u64,
}

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
    /// What was found beside it, in English, for whoever runs the study; may be empty.
    pub text: String,
}

/// A list reads no row: the index `submission_list` holds all of this.
pub(super) const SUBMISSION: &str = "SELECT id, project, form, instance_id, form_id, version, title, name, finalized_at, state, \
                          reason, reason_text, attempts, next_attempt_at, sent_at, claim, answers_at, \
                          failing_count, failing_since, xml_size, \
                          (SELECT count(*) FROM attachment WHERE submission = submission.id), \
                          (SELECT coalesce(sum(size), 0) FROM attachment WHERE submission = submission.id) \
                          FROM submission";

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
            self.check_attachments(transaction, draft, &finalized.attachments)?;
            let erased = pass_attachments(transaction, draft, submission, &finalized.attachments)?;
            drafts::remove(transaction, draft)?;
            forms::drop_unused_forms(transaction)?;
            Ok((submission, erased))
        })?;
        self.forget(erased);
        Ok(submission)
    }

    /// A file that is not there, or has another length than it had, is missing: its question must be answered again. What is
    /// in it is proved when it is sent.
    fn check_attachments(&self, transaction: &Transaction<'_>, draft: DraftId, names: &[String]) -> Result<()> {
        let sources = self.sources(transaction, "draft = ?", [draft])?;
        let missing = sources.iter().filter(|(name, source)| names.contains(name) && source.glance().is_some());
        let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::MissingAttachment, missing.join(", "))) }
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

    /// Whether a project has a record that is ready or waits.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn has_unsent(&self, project: ProjectId) -> Result<bool> {
        self.read(|connection| {
            let query = "SELECT EXISTS (SELECT 1 FROM submission WHERE project = ? AND state IN ('ready', 'waiting'))";
            Ok(connection.query_row(query, [project], |row| row.get(0))?)
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
            let mut query = connection.prepare_cached("SELECT xml FROM submission WHERE id = ?")?;
            query.query_row([id], |row| row.get(0)).optional()?.ok_or_else(|| not_found(id))
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
        let reason = || Ok::<_, rusqlite::Error>(Reason { code: row.get(10)?, text: row.get(11)? });
        Ok(match row.get_ref(9)?.as_str()? {
            "sending" => Self::Sending,
            "waiting" => {
                Self::Waiting { next_attempt_at: row.get::<_, Option<i64>>(13)?.unwrap_or_default(), reason: reason()? }
            }
            "sent" => Self::Sent { at: row.get::<_, Option<i64>>(14)?.unwrap_or_default() },
            "needs_attention" => Self::NeedsAttention(reason()?),
            _ => Self::Ready,
        })
    }
}

impl Submission {
    /// By position in [`SUBMISSION`]: to look a column up by its name takes longer than to read it.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project: row.get(1)?,
            form: row.get(2)?,
            instance_id: row.get(3)?,
            form_id: row.get(4)?,
            version: row.get(5)?,
            title: row.get(6)?,
            name: row.get(7)?,
            finalized_at: row.get(8)?,
            state: RecordState::read(row)?,
            attempts: row.get(12)?,
            claim: row.get(15)?,
            answers_at: row.get(16)?,
            failing: Failing::of_counts(row.get(17)?, row.get(18)?),
            xml_size: row.get::<_, i64>(19)?.cast_unsigned(),
            attachments: row.get(20)?,
            attachments_size: row.get::<_, i64>(21)?.cast_unsigned(),
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
    use crate::store::NewRecord;
    use crate::store::fixture::{NOW, SECRET, TestHome, answer, record};

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
            answers_at: None,
            failing: None,
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
    fn a_file_that_is_gone_or_was_cut_stops_it() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &[7; 1000][..]).unwrap();
        let (path, bytes) = home.all_files().into_iter().find(|(path, _)| path.starts_with("files")).unwrap();
        let path = home.path().join(path);
        for cut in [Some(&bytes[..500]), None] {
            match cut {
                Some(cut) => std::fs::write(&path, cut).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let refused = home.finalize(draft, &finalized(&["a.jpg"])).unwrap_err();
            assert_eq!((refused.kind(), refused.detail()), (ErrorKind::MissingAttachment, "a.jpg"));
        }
        std::fs::write(&path, &bytes).unwrap();
        home.finalize(draft, &finalized(&["a.jpg"])).unwrap();
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
    fn debug_tells_no_answer() {
        let home = TestHome::new();
        let record = NewRecord { xml: SECRET.into(), name: SECRET.into(), ..record(home.any_project(), "uuid:a") };
        home.import_record(&record, vec![]).unwrap();
        let finalized = Finalized { xml: SECRET.into(), name: SECRET.into(), ..finalized(&[]) };
        let shown = format!("{finalized:?} {:?}", home.outbox(None).unwrap());
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

//! The ways out of the outbox: tried again, given up, forgotten.

use std::fmt;
use std::io::Read;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction, params, params_from_iter};
use sha2::{Digest, Sha256};

use super::outbox::{SUBMISSION, Submission};
use super::{Attachment, ProjectId, Store, SubmissionId, attachments, forms, hex};
use crate::{Error, ErrorKind, Result};

/// Which records are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// This one.
    One(SubmissionId),
    /// Those of a form, whatever its version.
    OfForm {
        /// The project.
        project: ProjectId,
        /// The form's id.
        form_id: String,
    },
    /// Those of a project.
    OfProject(ProjectId),
}

/// What stays of a record that was sent and forgotten: that it arrived, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it went.
    pub project: ProjectId,
    /// Its instance id.
    pub instance_id: String,
    /// The form id of the XML.
    pub form_id: String,
    /// The form's version.
    pub version: String,
    /// When it was finalised.
    pub finalized_at: i64,
    /// When the server had it.
    pub sent_at: i64,
}

/// An attachment that cannot be sent. Its `Debug` tells no name.
#[derive(Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Its record.
    pub record: SubmissionId,
    /// What the answer calls it.
    pub name: String,
    /// The code of why.
    pub code: String,
}

impl fmt::Debug for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileProblem").field("record", &self.record).field("code", &self.code).finish_non_exhaustive()
    }
}

/// What a record is after a person, or what is known of the world, has given reason for hope.
const READY_AGAIN: &str = "UPDATE submission SET state = 'ready', reason = '', reason_text = '', next_attempt_at = NULL, \
                           attempts = 0, failing_count = 0, failing_since = NULL";
const IS_UNSENT: &str = "state IN ('ready', 'waiting', 'needs_attention')";

impl Store {
    /// The records meant, the oldest first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn records(&self, records: &Records) -> Result<Vec<Submission>> {
        self.read(|connection| {
            let (condition, parameters) = records.condition();
            let mut query = connection.prepare(&format!("{SUBMISSION} WHERE {condition} ORDER BY finalized_at, id"))?;
            let found = query.query_map(params_from_iter(parameters), Submission::read)?.collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// Makes records that wait or need attention ready, with all patience restored; says how many. Those that are being sent
    /// or have been stay as they are.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn retry(&self, records: &Records) -> Result<usize> {
        self.write(|transaction| {
            let (condition, parameters) = records.condition();
            transaction.execute(
                &format!(
                    "UPDATE attachment SET problem = '' WHERE problem <> '' AND submission IN
                         (SELECT id FROM submission WHERE {IS_UNSENT} AND {condition})"
                ),
                params_from_iter(&parameters),
            )?;
            let again = format!("{READY_AGAIN} WHERE {IS_UNSENT} AND {condition}");
            Ok(transaction.execute(&again, params_from_iter(&parameters))?)
        })
    }

    /// Gives up those of these records that are unsent and that nobody is sending, with their attachments and keys; says how
    /// many.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`; then all are there.
    pub fn discard(&self, ids: &[SubmissionId]) -> Result<usize> {
        let (n_discarded, erased) = self.write(|transaction| {
            let (mut n_discarded, mut erased) = (0, Vec::new());
            for id in ids {
                let query = format!("SELECT count(*) FROM submission WHERE id = ? AND {IS_UNSENT}");
                if transaction.query_row(&query, [id], |row| row.get::<_, u32>(0))? == 1 {
                    erased.append(&mut remove(transaction, *id)?);
                    n_discarded += 1;
                }
            }
            forms::drop_unused_forms(transaction)?;
            Ok((n_discarded, erased))
        })?;
        self.forget(erased);
        Ok(n_discarded)
    }

    /// Deletes sent records with their attachments and keys; a receipt of each stays. Only those that were sent before a
    /// moment, if one is given. Says how many.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`; then all are there.
    pub fn forget_sent(&self, records: &Records, sent_before: Option<i64>) -> Result<usize> {
        let (n_forgotten, erased) = self.write(|transaction| {
            let (condition, mut parameters) = records.condition();
            parameters.push(sent_before.unwrap_or(i64::MAX).into());
            let query =
                format!("SELECT id FROM submission WHERE state = 'sent' AND {condition} AND coalesce(sent_at, 0) < ?");
            let mut query = transaction.prepare(&query)?;
            let ids = query.query_map(params_from_iter(parameters), |row| row.get(0))?;
            let ids: Vec<SubmissionId> = ids.collect::<Result<_, _>>()?;
            let mut erased = Vec::new();
            for &id in &ids {
                let xml = "SELECT xml FROM submission WHERE id = ?";
                let xml: Vec<u8> = transaction.query_row(xml, [id], |row| row.get(0))?;
                transaction.execute(
                    "INSERT INTO receipt (project, instance_id, form_id, version, xml_sha256, finalized_at, sent_at)
                     SELECT project, instance_id, form_id, version, ?, finalized_at, coalesce(sent_at, 0)
                     FROM submission WHERE id = ?",
                    params![hex::encode(&Sha256::digest(&xml)), id],
                )?;
                erased.append(&mut remove(transaction, id)?);
            }
            Ok((ids.len(), erased))
        })?;
        self.forget(erased);
        Ok(n_forgotten)
    }

    /// Puts another file in the place of an attachment of an unsent record, under the same name: the frozen XML stays as it
    /// is. The record is ready again.
    ///
    /// # Errors
    /// `NotFound` if there is no such attachment of an unsent record that nobody is sending; `StorageFull`, `Io`,
    /// `StoragePaused`. Then the one that was there still is.
    pub fn replace_attachment(&self, id: SubmissionId, name: &str, source: &mut dyn Read) -> Result<Attachment> {
        let file = self.seal(name, source)?;
        let stored = self.write(|transaction| {
            let replaced = take_out(transaction, id, name)?;
            Ok((file.insert(transaction, "submission", id.0)?, replaced))
        });
        let (attachment, replaced) = stored.inspect_err(|_| self.unlink(&file.file))?;
        self.forget(replaced);
        Ok(file.into_attachment(attachment))
    }

    /// Gives up an attachment of an unsent record; the frozen XML goes on naming it. The record is ready again.
    ///
    /// # Errors
    /// `NotFound` if there is no such attachment of an unsent record that nobody is sending; `StorageFull`,
    /// `StoragePaused`.
    pub fn drop_attachment(&self, id: SubmissionId, name: &str) -> Result<()> {
        let dropped = self.write(|transaction| take_out(transaction, id, name))?;
        self.forget(dropped);
        Ok(())
    }

    /// Keeps the largest request that the server of a project takes, in bytes. If that is more than before, the files that
    /// were too large are tried again where they fit now.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn set_accept_length(&self, project: ProjectId, bytes: u64) -> Result<()> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let known = self.accept_length(project)?.map(|known| i64::try_from(known).unwrap_or(i64::MAX));
        if known == Some(bytes) {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.execute("UPDATE project SET accept_length = ? WHERE id = ?", params![bytes, project])?;
            if known.is_some_and(|known| known < bytes) {
                let of_project = "(SELECT id FROM submission WHERE project = ?1 AND state = 'needs_attention')";
                transaction.execute(
                    &format!(
                        "UPDATE attachment SET problem = '' WHERE problem = 'too-large' AND size < ?2
                             AND submission IN {of_project}"
                    ),
                    params![project, bytes],
                )?;
                transaction.execute(
                    &format!(
                        "{READY_AGAIN} WHERE project = ? AND state = 'needs_attention' AND reason = 'too-large'
                             AND id NOT IN (SELECT submission FROM attachment WHERE problem <> '' AND submission IS NOT NULL)"
                    ),
                    [project],
                )?;
            }
            Ok(())
        })
    }

    /// The largest request that the server of a project takes, in bytes; `None` while that is not known.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn accept_length(&self, project: ProjectId) -> Result<Option<u64>> {
        self.read(|connection| {
            let query = "SELECT accept_length FROM project WHERE id = ?";
            let bytes: Option<Option<i64>> = connection.query_row(query, [project], |row| row.get(0)).optional()?;
            Ok(bytes.flatten().map(i64::cast_unsigned))
        })
    }

    /// The attachments that cannot be sent, of one project or of all, each with the code of why.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn file_problems(&self, project: Option<ProjectId>) -> Result<Vec<FileProblem>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT submission.id, attachment.name, attachment.problem
                 FROM attachment JOIN submission ON submission.id = attachment.submission
                 WHERE attachment.problem <> '' AND (?1 IS NULL OR submission.project = ?1) ORDER BY attachment.name",
            )?;
            let problem = |row: &Row<'_>| Ok(FileProblem { record: row.get(0)?, name: row.get(1)?, code: row.get(2)? });
            let problems = query.query_map([project], problem)?.collect::<Result<_, _>>()?;
            Ok(problems)
        })
    }

    /// The attachments of one record that cannot be sent.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn file_problems_of(&self, record: SubmissionId) -> Result<Vec<FileProblem>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT submission, name, problem FROM attachment WHERE submission = ? AND problem <> '' ORDER BY name",
            )?;
            let problem = |row: &Row<'_>| Ok(FileProblem { record: row.get(0)?, name: row.get(1)?, code: row.get(2)? });
            let problems = query.query_map([record], problem)?.collect::<Result<_, _>>()?;
            Ok(problems)
        })
    }

    /// The receipts of a project, the latest first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn receipts(&self, project: ProjectId) -> Result<Vec<Receipt>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT project, instance_id, form_id, version, finalized_at, sent_at FROM receipt WHERE project = ?
                 ORDER BY sent_at DESC, id DESC",
            )?;
            let receipts = query.query_map([project], Receipt::read)?.collect::<Result<_, _>>()?;
            Ok(receipts)
        })
    }
}

/// Forgets what of the unsent records of a project has arrived already: another server may have none of it.
pub(super) fn begin_anew(transaction: &Transaction<'_>, project: ProjectId) -> Result<()> {
    transaction.execute(
        "UPDATE attachment SET sent_at = NULL
         WHERE submission IN (SELECT id FROM submission WHERE project = ? AND state <> 'sent')",
        [project],
    )?;
    transaction.execute("UPDATE submission SET answers_at = NULL WHERE project = ? AND state <> 'sent'", [project])?;
    Ok(())
}

/// Erases an attachment of an unsent record and makes the record ready; returns the file that became noise.
fn take_out(transaction: &Transaction<'_>, id: SubmissionId, name: &str) -> Result<Vec<String>> {
    let erased = attachments::erase(transaction, "submission = ? AND name = ?", params![id, name])?;
    let ready = transaction.execute(&format!("{READY_AGAIN} WHERE id = ? AND {IS_UNSENT}"), [id])?;
    // Not named: a name may say something.
    let found = !erased.is_empty() && ready == 1;
    if found {
        Ok(erased)
    } else {
        Err(Error::new(ErrorKind::NotFound, format!("such a file of an unsent record {id}")))
    }
}

/// Makes the records of a project ready that wait, or need attention for one of `reasons` (codes). Says how many they are.
pub(super) fn free(transaction: &Transaction<'_>, project: ProjectId, reasons: &[&str]) -> Result<usize> {
    let mut freed = 0;
    let mut update = transaction.prepare(&format!(
        "{READY_AGAIN} WHERE project = ?1 AND (state = 'waiting' OR state = 'needs_attention' AND reason = ?2)"
    ))?;
    for reason in reasons {
        freed += update.execute(params![project, reason])?;
    }
    Ok(freed)
}

/// Deletes a record; returns the files that became noise.
fn remove(transaction: &Transaction<'_>, id: SubmissionId) -> Result<Vec<String>> {
    let erased = attachments::erase(transaction, "submission = ?", params![id])?;
    transaction.execute("DELETE FROM submission WHERE id = ?", [id])?;
    Ok(erased)
}

impl Records {
    /// The same for a query: a condition on `submission`, and what stands for its question marks.
    fn condition(&self) -> (&'static str, Vec<Value>) {
        match self {
            Self::One(id) => ("id = ?", vec![id.0.into()]),
            Self::OfForm { project, form_id } => {
                ("project = ? AND form_id = ?", vec![project.0.into(), form_id.clone().into()])
            }
            Self::OfProject(project) => ("project = ?", vec![project.0.into()]),
        }
    }
}

impl Receipt {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            project: row.get("project")?,
            instance_id: row.get("instance_id")?,
            form_id: row.get("form_id")?,
            version: row.get("version")?,
            finalized_at: row.get("finalized_at")?,
            sent_at: row.get("sent_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome};
    use crate::store::{Imported, NewAttachment, NewRecord, Reason, RecordState, Settled};

    /// A record of a form with one attachment.
    fn queue(home: &TestHome, project: ProjectId, form_id: &str, instance_id: &str) -> SubmissionId {
        let record = NewRecord {
            project,
            instance_id: instance_id.into(),
            form_id: form_id.into(),
            version: "1".into(),
            title: "Visit".into(),
            name: String::new(),
            xml: b"<data/>".to_vec(),
            finalized_at: NOW,
        };
        let photo = NewAttachment::of_bytes("a.jpg", b"photo");
        match home.import_record(&record, vec![photo]).unwrap() {
            Imported::Queued(id) => id,
            Imported::Present(_) | Imported::SentBefore => panic!("it was not there before"),
        }
    }

    fn sent(home: &TestHome, id: SubmissionId, at: i64) {
        let claim = home.begin_sending(id).unwrap();
        assert!(home.mark(id, claim, &RecordState::Sent { at }).unwrap());
    }

    fn attention() -> RecordState {
        RecordState::NeedsAttention(Reason { code: "not-allowed".into(), text: String::new() })
    }

    #[test]
    fn retried_are_those_meant_and_no_sent_ones() {
        let home = TestHome::new();
        let (one, two) = (home.any_project(), home.any_project());
        let rows = [(one, "visit"), (one, "other"), (two, "visit"), (one, "visit")];
        let ids: Vec<_> =
            (0..).zip(rows).map(|(n, (project, form))| queue(&home, project, form, &format!("uuid:{n}"))).collect();
        sent(&home, ids[3], NOW);
        let of_form = Records::OfForm { project: one, form_id: "visit".into() };
        for (records, expected) in
            [(of_form, &ids[..1]), (Records::One(ids[1]), &ids[1..2]), (Records::OfProject(one), &ids[..2])]
        {
            for id in &ids[..3] {
                home.retry(&Records::One(*id)).unwrap();
                home.mark(*id, None, &attention()).unwrap();
            }
            assert_eq!(home.retry(&records).unwrap(), expected.len());
            let is_ready = |id: &&SubmissionId| home.submission(**id).unwrap().state == RecordState::Ready;
            assert_eq!(ids.iter().filter(is_ready).copied().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn only_unsent_records_that_nobody_sends_are_given_up() {
        let home = TestHome::new();
        let project = home.any_project();
        let ids: Vec<_> = (0..4).map(|n| queue(&home, project, "visit", &format!("uuid:{n}"))).collect();
        home.mark(ids[1], None, &attention()).unwrap();
        home.begin_sending(ids[2]).unwrap();
        sent(&home, ids[3], NOW);
        assert_eq!(home.discard(&ids).unwrap(), 2);
        let left: Vec<_> = home.outbox(None).unwrap().iter().map(|record| record.id).collect();
        assert_eq!(left, ids[2..]);
        assert_eq!(home.n_files("files"), 2);
        assert_eq!(home.receipts(project).unwrap(), []);
    }

    #[test]
    fn a_forgotten_record_leaves_a_receipt_and_nothing_else() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let ids: Vec<_> = (0..3).map(|n| queue(&home, project, "visit", &format!("uuid:{n}"))).collect();
        sent(&home, ids[0], NOW + 10);
        sent(&home, ids[1], NOW + 20);
        let all = Records::OfProject(project);
        assert_eq!(home.forget_sent(&all, Some(NOW + 20)).unwrap(), 1);
        assert_eq!(home.forget_sent(&all, Some(NOW + 20)).unwrap(), 0);
        home.reopen();
        assert_eq!(home.outbox(None).unwrap().len(), 2);
        assert_eq!(home.n_files("files"), 2);
        let receipt = Receipt {
            project,
            instance_id: "uuid:0".into(),
            form_id: "visit".into(),
            version: "1".into(),
            finalized_at: NOW,
            sent_at: NOW + 10,
        };
        assert_eq!(home.receipts(project).unwrap(), std::slice::from_ref(&receipt));
        assert_eq!(home.forget_sent(&all, None).unwrap(), 1, "an unsent one is not forgotten");
        assert_eq!(home.receipts(project).unwrap().len(), 2);
        home.remove_project(project, true).unwrap();
        assert_eq!(home.receipts(project).unwrap(), [], "they go with their project");
    }

    #[test]
    fn a_file_of_an_unsent_record_is_replaced_or_dropped_and_the_xml_stays() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let id = queue(&home, project, "visit", "uuid:0");
        let old = home.submission_attachments(id).unwrap()[0].id;
        let problem = Settled { problems: vec![(old, "damaged")], state: Some(attention()), ..Settled::default() };
        assert!(home.settle_sending(id, None, &problem).unwrap());
        let told = FileProblem { record: id, name: "a.jpg".into(), code: "damaged".into() };
        assert_eq!(home.file_problems(None).unwrap(), std::slice::from_ref(&told));

        let nowhere = home.replace_attachment(id, "b.jpg", &mut &b"new"[..]).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
        let new = home.replace_attachment(id, "a.jpg", &mut &b"new"[..]).unwrap();
        home.reopen();
        assert_eq!(home.submission_attachments(id).unwrap(), std::slice::from_ref(&new));
        assert_eq!(home.read_attachment(new.id, 0, 10).unwrap(), b"new");
        assert_eq!(home.submission(id).unwrap().state, RecordState::Ready);
        assert_eq!(home.submission_xml(id).unwrap(), b"<data/>");
        assert_eq!(home.n_files("files"), 1);

        let claim = home.begin_sending(id).unwrap();
        for refused in
            [home.drop_attachment(id, "a.jpg"), home.replace_attachment(id, "a.jpg", &mut &b"x"[..]).map(drop)]
        {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound, "it is being sent");
        }
        assert_eq!(home.submission_attachments(id).unwrap().len(), 1);
        home.mark(id, claim, &attention()).unwrap();
        home.drop_attachment(id, "a.jpg").unwrap();
        assert_eq!(home.submission_attachments(id).unwrap(), []);
        assert_eq!((home.n_files("files"), home.submission(id).unwrap().state), (0, RecordState::Ready));
    }

    #[test]
    fn what_was_too_large_goes_when_the_server_takes_more() {
        let home = TestHome::new();
        let project = home.any_project();
        let ids: Vec<_> = (0..2).map(|n| queue(&home, project, "visit", &format!("uuid:{n}"))).collect();
        for (id, code) in ids.iter().zip(["too-large", "damaged"]) {
            let photo = home.submission_attachments(*id).unwrap()[0].id;
            let state = Some(RecordState::NeedsAttention(Reason { code: "too-large".into(), text: String::new() }));
            home.settle_sending(*id, None, &Settled { problems: vec![(photo, code)], state, ..Settled::default() })
                .unwrap();
        }
        let states = || ids.iter().map(|id| home.submission(*id).unwrap().state.name()).collect::<Vec<_>>();
        assert_eq!(home.accept_length(project).unwrap(), None);
        for (bytes, expected) in [(3, "needs_attention"), (2, "needs_attention"), (5, "needs_attention"), (6, "ready")]
        {
            home.set_accept_length(project, bytes).unwrap();
            assert_eq!(home.accept_length(project).unwrap(), Some(bytes));
            assert_eq!(states(), [expected, "needs_attention"], "{bytes}");
        }
    }
}

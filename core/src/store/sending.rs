//! How far records are on the road: claimed by a sending, and what became of them.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::outbox::{RecordState, SUBMISSION, Submission};
use super::{AttachmentId, ProjectId, Store, SubmissionId, forms};
use crate::Result;

/// The right of one sending to write what becomes of the record that it claimed.
pub type ClaimNumber = i64;

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

/// A row of failures without another outcome in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// How many there were.
    pub count: u32,
    /// When the first of them came.
    pub since: i64,
}

/// What became of a record in one step of its sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// When, for what has arrived.
    pub at: i64,
    /// Whether the server has the XML.
    pub answers_arrived: bool,
    /// The attachments that the server has.
    pub arrived: Vec<AttachmentId>,
    /// The attachments that cannot be sent, with the code of why.
    pub problems: Vec<(AttachmentId, &'static str)>,
    /// Its state; `None` leaves it as it is.
    pub state: Option<RecordState>,
    /// The row of failures that it waits with.
    pub failing: Option<Failing>,
    /// What came of the tries, for support.
    pub attempts: Vec<Attempt>,
}

/// Attempts kept of one record.
const MAX_ATTEMPTS_KEPT: i64 = 50;

impl Store {
    /// The records of a project that are ready, wait, or were left behind by a sending, the oldest first.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn unsent(&self, project: ProjectId) -> Result<Vec<Submission>> {
        self.read(|connection| {
            let mut query = connection.prepare(&format!(
                "{SUBMISSION} WHERE project = ? AND state <> 'sent' AND state <> 'needs_attention'
                 ORDER BY finalized_at, id"
            ))?;
            let records = query.query_map([project], Submission::read)?.collect::<Result<_, _>>()?;
            Ok(records)
        })
    }

    /// Marks a record that is ready or waiting as being sent and counts the attempt, **before** anything is sent. `None`: it
    /// is not there, someone else is sending it, or it is not to be sent now.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn begin_sending(&self, id: SubmissionId) -> Result<Option<ClaimNumber>> {
        // In a transaction, because a statement that returns rows and commits by itself says nothing of a commit that fails.
        self.write_soon(|transaction| {
            let mut claim = transaction.prepare_cached(
                "UPDATE submission SET state = 'sending', claim = claim + 1, attempts = attempts + 1, reason = '',
                                       reason_text = '', next_attempt_at = NULL
                 WHERE id = ? AND state IN ('ready', 'waiting') RETURNING claim",
            )?;
            Ok(claim.query_row([id], |row| row.get(0)).optional()?)
        })
    }

    /// Writes the state of a record, and nothing else. As [`settle_sending`](Self::settle_sending).
    ///
    /// # Errors
    /// As there.
    pub fn mark(&self, id: SubmissionId, claim: Option<ClaimNumber>, state: &RecordState) -> Result<bool> {
        self.settle_sending(id, claim, &Settled { state: Some(state.clone()), ..Settled::default() })
    }

    /// Writes what became of a record, all of it or nothing: of one that this sending claimed, under its number; without a
    /// number, of one that nobody claimed and that is ready or waits. False: the record is in another state by now, and its
    /// state was not changed; what the server has, it has all the same. `Ready` counts attempts from the beginning again.
    ///
    /// A power cut may forget it until [`sync`](Self::sync): the record is sent again then, the same bytes.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn settle_sending(&self, id: SubmissionId, claim: Option<ClaimNumber>, settled: &Settled) -> Result<bool> {
        self.write_soon(|transaction| {
            if settled.answers_arrived {
                let mut arrived = transaction
                    .prepare_cached("UPDATE submission SET answers_at = coalesce(answers_at, ?) WHERE id = ?")?;
                arrived.execute(params![settled.at, id])?;
            }
            for attachment in &settled.arrived {
                let mut arrived = transaction.prepare_cached("UPDATE attachment SET sent_at = ? WHERE id = ?")?;
                arrived.execute(params![settled.at, attachment])?;
            }
            for (attachment, problem) in &settled.problems {
                transaction.execute("UPDATE attachment SET problem = ? WHERE id = ?", params![problem, attachment])?;
            }
            for attempt in &settled.attempts {
                add_attempt(transaction, id, attempt)?;
            }
            match &settled.state {
                Some(state) => write_state(transaction, id, claim, state, settled.failing),
                None => Ok(true),
            }
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

fn write_state(
    transaction: &Transaction<'_>,
    id: SubmissionId,
    claim: Option<ClaimNumber>,
    state: &RecordState,
    failing: Option<Failing>,
) -> Result<bool> {
    let (mut reason, mut next_attempt_at, mut sent_at) = (None, None, None);
    match state {
        RecordState::Ready | RecordState::Sending => {}
        RecordState::Waiting { next_attempt_at: at, reason: why } => (reason, next_attempt_at) = (Some(why), Some(at)),
        RecordState::Sent { at } => sent_at = Some(at),
        RecordState::NeedsAttention(why) => reason = Some(why),
    }
    let (code, text) = reason.map_or(("", ""), |reason| (&reason.code, &reason.text));
    let mut mark = transaction.prepare_cached(
        "UPDATE submission SET state = ?1, reason = ?2, reason_text = ?3, next_attempt_at = ?4, sent_at = ?5,
                               failing_count = ?8, failing_since = ?9,
                               attempts = CASE ?1 WHEN 'ready' THEN 0 ELSE attempts END
         WHERE id = ?6 AND CASE WHEN ?7 IS NULL THEN state IN ('ready', 'waiting')
                                ELSE state = 'sending' AND claim = ?7 END",
    )?;
    let (count, since) = failing.map_or((0, None), |failing| (failing.count, Some(failing.since)));
    let changed = mark.execute(params![state.name(), code, text, next_attempt_at, sent_at, id, claim, count, since])?;
    if changed == 1 && matches!(state, RecordState::Sent { .. }) {
        drop_form_of(transaction, id)?;
    }
    Ok(changed == 1)
}

/// Of the forms only that of the record can have become unused, and only if new records do not use it either.
fn drop_form_of(transaction: &Transaction<'_>, id: SubmissionId) -> Result<()> {
    let mut query = transaction.prepare_cached(
        "SELECT count(*) FROM submission JOIN form ON form.id = submission.form
         WHERE submission.id = ? AND form.superseded = 1",
    )?;
    let may_go: u32 = query.query_row([id], |row| row.get(0))?;
    if may_go > 0 { forms::drop_unused_forms(transaction) } else { Ok(()) }
}

fn add_attempt(transaction: &Transaction<'_>, id: SubmissionId, attempt: &Attempt) -> Result<()> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO attempt (submission, started_at, ended_at, outcome, http_status, note)
         SELECT id, ?2, ?3, ?4, ?5, ?6 FROM submission WHERE id = ?1",
    )?;
    add.execute(params![id, attempt.started_at, attempt.ended_at, attempt.outcome, attempt.http_status, attempt.note])?;
    let mut make_room = transaction.prepare_cached(
        "DELETE FROM attempt WHERE submission = ?1 AND id <=
             (SELECT id FROM attempt WHERE submission = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?;
    make_room.execute(params![id, MAX_ATTEMPTS_KEPT])?;
    Ok(())
}

impl Failing {
    pub(super) fn of_counts(count: u32, since: Option<i64>) -> Option<Self> {
        since.filter(|_| count > 0).map(|since| Self { count, since })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome, record};
    use crate::store::{Finalized, Imported, Reason, Records};

    fn finalized(attachments: &[&str]) -> Finalized {
        Finalized {
            instance_id: "uuid:a".into(),
            xml: b"<data/>".to_vec(),
            name: String::new(),
            attachments: attachments.iter().map(|&name| name.to_owned()).collect(),
            last_saved: None,
            at: NOW,
        }
    }

    fn reason() -> Reason {
        Reason { code: "not-allowed".into(), text: "The server refuses this form.".into() }
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
        let arrived = Settled { at: NOW, arrived: vec![first], ..Settled::default() };
        assert!(home.settle_sending(id, None, &arrived).unwrap());
        home.reopen();
        let sent: Vec<_> = home.submission_attachments(id).unwrap().iter().map(|file| file.sent_at).collect();
        assert_eq!(sent, [Some(NOW), None]);
    }

    #[test]
    fn what_arrived_is_kept_even_if_the_claim_was_lost() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"x"[..]).unwrap();
        let id = home.finalize(draft, &finalized(&["a.jpg"])).unwrap();
        let claim = home.begin_sending(id).unwrap();
        home.release(None).unwrap();
        let photo = home.submission_attachments(id).unwrap()[0].id;
        let settled = Settled {
            at: NOW + 7,
            answers_arrived: true,
            arrived: vec![photo],
            state: Some(RecordState::Sent { at: NOW + 7 }),
            ..Settled::default()
        };
        assert!(!home.settle_sending(id, claim, &settled).unwrap());
        home.reopen();
        let record = home.submission(id).unwrap();
        assert_eq!((record.state, record.answers_at), (RecordState::Ready, Some(NOW + 7)));
        assert_eq!(home.submission_attachments(id).unwrap()[0].sent_at, Some(NOW + 7));
    }

    #[test]
    fn a_row_of_failures_is_kept_while_it_waits_and_ends_with_a_retry() {
        let mut home = TestHome::new();
        let id = home.finalize(home.any_draft(), &finalized(&[])).unwrap();
        let failing = Some(Failing { count: 3, since: NOW - 5 });
        let waiting = RecordState::Waiting { next_attempt_at: NOW, reason: reason() };
        let claim = home.begin_sending(id).unwrap();
        home.settle_sending(id, claim, &Settled { state: Some(waiting), failing, ..Settled::default() }).unwrap();
        home.reopen();
        assert_eq!(home.unsent(home.submission(id).unwrap().project).unwrap()[0].failing, failing);
        home.retry(&Records::One(id)).unwrap();
        assert_eq!(home.submission(id).unwrap().failing, None);
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
            home.settle_sending(id, None, &Settled { attempts: vec![attempt(n)], ..Settled::default() }).unwrap();
        }
        home.reopen();
        assert_eq!(home.attempts(id).unwrap(), (10..60).map(attempt).collect::<Vec<_>>());
    }
}

use std::collections::BTreeMap;
#[cfg(feature = "sync")]
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use super::{Client, Selection};
use crate::store::{FileProblem, ForgetSent, ProjectId, Receipt, RecordState, Records, Submission, SubmissionId};
#[cfg(feature = "sync")]
use crate::sync::Reason;
use crate::text::fold::fold;
use crate::{Error, ErrorKind, Result};

/// A finalised record as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// The record.
    pub id: SubmissionId,
    /// Its project.
    pub project: ProjectId,
    /// Its instanceID.
    pub instance_id: String,
    /// Its form's id.
    pub form_id: String,
    /// Its form's title.
    pub title: String,
    /// Its own name, as the form makes it; empty for none.
    pub name: String,
    /// When it was finalised, in milliseconds since 1970.
    pub finalized_at: i64,
    /// How far it is, and why it is not further.
    pub state: RecordState,
    /// How often sending was tried.
    pub attempts: u32,
    /// Size of the record with its attachments, in bytes.
    pub bytes: u64,
    /// Attachments.
    pub attachments: u32,
    /// Whether the server has its answers; files of it may still be missing there.
    pub answers_arrived: bool,
    /// The attachments that cannot be sent, and why.
    pub problems: Vec<FileProblem>,
}

/// What came of giving records up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// How many are gone.
    pub records: usize,
    /// How many stayed: a sending has them on the road, or they could not be exported whole.
    pub kept: usize,
}

impl Client {
    /// The records of one project or of all, the oldest first; sent ones among them.
    ///
    /// # Errors
    /// Those of the store.
    pub fn outbox(&self, project: Option<ProjectId>) -> Result<Vec<RecordSummary>> {
        let mut problems: BTreeMap<SubmissionId, Vec<FileProblem>> = BTreeMap::new();
        for problem in self.inner.store.file_problems(project)? {
            problems.entry(problem.record).or_default().push(problem);
        }
        let records = self.inner.store.outbox(project)?.into_iter();
        Ok(records.map(|record| self.record_summary(problems.remove(&record.id).unwrap_or_default(), record)).collect())
    }

    /// One record; none if it is not there, as one that was sent and forgotten.
    ///
    /// # Errors
    /// Those of the store.
    pub fn record(&self, id: SubmissionId) -> Result<Option<RecordSummary>> {
        match self.inner.store.submission(id) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(record) => {
                let problems = self.inner.store.file_problems_of(id)?;
                Ok(Some(self.record_summary(problems, record)))
            }
        }
    }

    /// Whether a project has records that are ready to be sent, or wait for something that may have changed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn has_unsent(&self, project: ProjectId) -> Result<bool> {
        self.inner.store.has_unsent(project)
    }

    /// The records whose name or form's title contains `search`, letters folded ([`fold`]), in the order of
    /// [`Client::outbox`].
    ///
    /// # Errors
    /// Those of the store.
    pub fn find_records(&self, project: Option<ProjectId>, search: &str) -> Result<Vec<RecordSummary>> {
        let search = fold(search);
        let mut records = self.outbox(project)?;
        records.retain(|record| [&record.name, &record.title].iter().any(|text| fold(text).contains(&search)));
        Ok(records)
    }

    fn record_summary(&self, problems: Vec<FileProblem>, record: Submission) -> RecordSummary {
        RecordSummary {
            problems,
            answers_arrived: record.answers_at.is_some(),
            state: self.state_of(&record),
            id: record.id,
            project: record.project,
            bytes: record.xml_size + record.attachments_size,
            attachments: record.attachments,
            instance_id: record.instance_id,
            form_id: record.form_id,
            title: record.title,
            name: record.name,
            finalized_at: record.finalized_at,
            attempts: record.attempts,
        }
    }

    /// Lets records that need attention, or wait, be sent at the next occasion, with all patience restored; says how many.
    /// Those that a sending has on the road, or that were sent, stay as they are.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for one that is not there; those of the store.
    pub fn retry(&self, records: &Records) -> Result<usize> {
        self.meant(records)?;
        self.free_abandoned()?;
        self.inner.store.retry(records)
    }

    /// Gives up unsent records, with their attachments: after an export to a folder, of which each must have come through
    /// whole, or without one. A record that a sending has on the road, or that could not be exported whole, stays.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for one that is not there; [`ErrorKind::Io`], those of the store.
    pub fn discard(&self, records: &Records, export_to: Option<&Path>) -> Result<Discarded> {
        let mut unsent = self.meant(records)?;
        self.free_abandoned()?;
        unsent.retain(|record| !matches!(self.state_of(record), RecordState::Sent { .. }));
        let may_go = match export_to {
            Some(folder) => self.exported(&unsent, folder)?,
            None => unsent.iter().map(|record| record.id).collect(),
        };
        let discarded = self.inner.store.discard(&may_go)?;
        Ok(Discarded { records: discarded, kept: unsent.len() - discarded })
    }

    /// Which of these records an export has brought whole to a folder.
    fn exported(&self, records: &[Submission], folder: &Path) -> Result<Vec<SubmissionId>> {
        let selection = Selection::Records(records.iter().map(|record| record.id).collect());
        let report = self.export(&selection, folder)?;
        Ok(report.records.iter().filter(|record| record.is_complete()).map(|record| record.record).collect())
    }

    /// Puts another file in the place of an attachment of an unsent record, under the same name; the frozen XML stays as it is,
    /// and the record is ready again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such attachment of an unsent record that no sending has on the road;
    /// [`ErrorKind::Io`], those of the store.
    pub fn replace_attachment(&self, record: SubmissionId, name: &str, source: &mut dyn Read) -> Result<()> {
        self.free_abandoned()?;
        self.inner.store.replace_attachment(record, name, source).map(drop)
    }

    /// Gives up an attachment of an unsent record, so that the rest counts as all of it. The frozen XML goes on naming it.
    ///
    /// # Errors
    /// As [`Client::replace_attachment`].
    pub fn drop_attachment(&self, record: SubmissionId, name: &str) -> Result<()> {
        self.free_abandoned()?;
        self.inner.store.drop_attachment(record, name)
    }

    /// Deletes sent records with their attachments and keys; a [receipt](Receipt) of each stays. Says how many.
    ///
    /// # Errors
    /// [`ErrorKind::UnsentRecords`] for one that is not sent, [`ErrorKind::NotFound`] for one that is not there; those of
    /// the store.
    pub fn forget(&self, records: &Records) -> Result<usize> {
        let meant = self.meant(records)?;
        if let (Records::One(id), [record]) = (records, meant.as_slice())
            && !matches!(record.state, RecordState::Sent { .. })
        {
            return Err(Error::new(ErrorKind::UnsentRecords, format!("record {id}")));
        }
        self.inner.store.forget_sent(records, None)
    }

    /// The receipts of records of a project that were sent and forgotten, the latest first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn receipts(&self, project: ProjectId) -> Result<Vec<Receipt>> {
        self.inner.store.receipts(project)
    }

    /// Forgets the sent records of a project whose time has come by the project's own setting. It is asked at opening and
    /// after each sending.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn forget_by_policy(&self, project: ProjectId) -> Result<usize> {
        const DAY_MS: i64 = 24 * 60 * 60_000;
        let sent_before = match self.project_row(project)?.settings.forget_sent {
            ForgetSent::Never => return Ok(0),
            ForgetSent::AtOnce => None,
            ForgetSent::AfterDays(days) => Some(self.now_ms().saturating_sub(DAY_MS.saturating_mul(days.into()))),
        };
        self.inner.store.forget_sent(&Records::OfProject(project), sent_before)
    }

    /// Makes ready what was held up by something that this list of forms, by id and version, shows to be gone; says how
    /// many. It also came from a survey server and with the account that there is.
    ///
    /// # Errors
    /// Those of the store.
    #[cfg(feature = "sync")]
    pub(super) fn forms_listed(&self, project: ProjectId, listed: &BTreeSet<(String, String)>) -> Result<usize> {
        let mut n_freed = 0;
        for record in self.inner.store.outbox(Some(project))? {
            let is_freed = match &record.state {
                RecordState::NeedsAttention(reason) => is_freed(&record, &reason.code, listed),
                RecordState::Waiting { reason, .. } => {
                    let reason = Reason::from_code(&reason.code);
                    reason.is_some_and(|reason| {
                        matches!(reason, Reason::SignInNeeded | Reason::NotAServer) || reason.is_distrust()
                    })
                }
                RecordState::Ready | RecordState::Sending | RecordState::Sent { .. } => false,
            };
            if is_freed {
                n_freed += self.inner.store.retry(&Records::One(record.id))?;
            }
        }
        Ok(n_freed)
    }

    fn meant(&self, records: &Records) -> Result<Vec<Submission>> {
        match records {
            Records::One(id) => Ok(vec![self.inner.store.submission(*id)?]),
            Records::OfForm { .. } | Records::OfProject(_) => self.inner.store.records(records),
        }
    }

    fn state_of(&self, record: &Submission) -> RecordState {
        self.unwritten_state(record).unwrap_or_else(|| record.state.clone())
    }
}

/// Whether a record that needs attention for a reason can be sent again now that these forms are listed.
#[cfg(feature = "sync")]
fn is_freed(record: &Submission, code: &str, listed: &BTreeSet<(String, String)>) -> bool {
    match code {
        "not-a-server" => true,
        // Only this version is known to be there.
        "unknown-form" => listed.contains(&(record.form_id.clone(), record.version.clone())),
        "not-allowed" | "form-closed" | "inactive" => {
            let mut of_form = listed.range((record.form_id.clone(), String::new())..);
            of_form.next().is_some_and(|(form_id, _)| *form_id == record.form_id)
        }
        _ => false,
    }
}

/// Without a network side nothing is ever on the road.
#[cfg(not(feature = "sync"))]
impl Client {
    fn unwritten_state(&self, _: &Submission) -> Option<RecordState> {
        None
    }

    pub(super) fn free_abandoned(&self) -> Result<()> {
        self.inner.store.release(None)
    }
}

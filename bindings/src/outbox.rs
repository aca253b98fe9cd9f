use std::path::Path;

use veldwerk::client::Records as CoreRecords;
use veldwerk::store::{AttachmentId, ProjectId, SubmissionId};
use veldwerk::{Error, ErrorKind};

use crate::records::{AttachmentSummary, Discarded, Receipt, RecordSummary};
use crate::{Client, SurveyError};

/// Which records are meant.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Records {
    /// This one.
    One {
        /// The record.
        record: i64,
    },
    /// Those of a form, whatever its version.
    OfForm {
        /// The project.
        project: i64,
        /// The form's id.
        form_id: String,
    },
    /// Those of a project.
    OfProject {
        /// The project.
        project: i64,
    },
}

impl From<Records> for CoreRecords {
    fn from(records: Records) -> Self {
        match records {
            Records::One { record } => Self::One(SubmissionId(record)),
            Records::OfForm { project, form_id } => Self::OfForm { project: ProjectId(project), form_id },
            Records::OfProject { project } => Self::OfProject(ProjectId(project)),
        }
    }
}

#[uniffi::export]
impl Client {
    /// The records of a project, or of all, the oldest first; sent ones among them until they are forgotten. Class disk.
    pub fn outbox(&self, project: Option<i64>) -> Result<Vec<RecordSummary>, SurveyError> {
        Ok(self.inner.outbox(project.map(ProjectId))?.into_iter().map(Into::into).collect())
    }

    /// The records whose name or form's title contains `search`, in the order of [`Client::outbox`]; case, accents and
    /// variants of letters make no difference. Class disk.
    pub fn find_records(&self, project: Option<i64>, search: String) -> Result<Vec<RecordSummary>, SurveyError> {
        Ok(self.inner.find_records(project.map(ProjectId), &search)?.into_iter().map(Into::into).collect())
    }

    /// Lets records that wait or need attention be sent at the next occasion; says how many. Class disk. Throws `NotFound`.
    pub fn retry(&self, records: Records) -> Result<u64, SurveyError> {
        Ok(self.inner.retry(&records.into())? as u64)
    }

    /// Gives up unsent records for good, after an export to the folder `export_to`, of which each must have come through
    /// whole, or without one. Class heavy. Throws `NotFound`, `Internal` (`io`).
    pub fn discard(&self, records: Records, export_to: Option<String>) -> Result<Discarded, SurveyError> {
        Ok(self.inner.discard(&records.into(), export_to.as_deref().map(Path::new))?.into())
    }

    /// Deletes sent records with their files; a receipt of each stays. Says how many. Class disk. Throws `ServerRejected`
    /// (`unsent-records`), `NotFound`.
    pub fn forget(&self, records: Records) -> Result<u64, SurveyError> {
        Ok(self.inner.forget(&records.into())? as u64)
    }

    /// The receipts of records of a project that were sent and forgotten, the latest first. Class disk.
    pub fn receipts(&self, project: i64) -> Result<Vec<Receipt>, SurveyError> {
        Ok(self.inner.receipts(ProjectId(project))?.into_iter().map(Into::into).collect())
    }

    /// The files of a record, by name. Class disk. Throws `NotFound`.
    pub fn record_attachments(&self, record: i64) -> Result<Vec<AttachmentSummary>, SurveyError> {
        Ok(self.inner.record_attachments(SubmissionId(record))?.into_iter().map(Into::into).collect())
    }

    /// Puts the file at the path `source` in the place of a file of an unsent record, under the same name; the answers stay as they
    /// are, and the record is ready again. Class heavy for a long video. Throws `NotFound`, `StorageFull`, `Internal` (`io`).
    pub fn replace_attachment(&self, record: i64, name: String, source: String) -> Result<(), SurveyError> {
        let file = std::fs::File::open(source);
        let mut file = file.map_err(|error| Error::new(ErrorKind::Io, "the file to attach").caused_by(error))?;
        Ok(self.inner.replace_attachment(SubmissionId(record), &name, &mut file)?)
    }

    /// Gives up a file of an unsent record, so that the rest counts as all of it. The answers go on naming it. Class disk.
    /// Throws `NotFound`.
    pub fn drop_attachment(&self, record: i64, name: String) -> Result<(), SurveyError> {
        Ok(self.inner.drop_attachment(SubmissionId(record), &name)?)
    }

    /// Up to `len` bytes of a file of a draft or record from `offset`, never more than a megabyte; fewer at its end, none
    /// behind it. Class disk. Throws `NotFound`, `StorageDamaged`.
    pub fn attachment_read(&self, attachment: i64, offset: u64, len: u32) -> Result<Vec<u8>, SurveyError> {
        Ok(self.inner.read_attachment(AttachmentId(attachment), offset, len)?)
    }
}

use std::path::Path;

use veldwerk::client::{self as core, ImportFrom, Selection};
use veldwerk::store::{Imported, ProjectId, SubmissionId};

use crate::records::Problem;
use crate::{Client, SurveyError};

/// Which records to export.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum ExportSelection {
    /// Those of a project that have not arrived.
    Unsent {
        /// The project.
        project: i64,
    },
    /// All of a project, those that have arrived too.
    All {
        /// The project.
        project: i64,
    },
    /// These.
    Records {
        /// The records.
        records: Vec<i64>,
    },
}

impl From<ExportSelection> for Selection {
    fn from(selection: ExportSelection) -> Self {
        match selection {
            ExportSelection::Unsent { project } => Self::Unsent(ProjectId(project)),
            ExportSelection::All { project } => Self::All(ProjectId(project)),
            ExportSelection::Records { records } => Self::Records(records.into_iter().map(SubmissionId).collect()),
        }
    }
}

/// What became of one record of an export.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ExportedRecord {
    /// The record.
    pub record: i64,
    /// Its instanceID.
    pub instance_id: String,
    /// Its folder; null if it could not be exported.
    pub folder: Option<String>,
    /// Files of it that could not be read here, and so are not there.
    pub missing: Vec<MissingExport>,
    /// Why it is not there; null if it is.
    pub problem: Option<Problem>,
}

/// A file that could not be exported.
#[derive(Clone, Debug, uniffi::Record)]
pub struct MissingExport {
    /// What the answer calls it.
    pub name: String,
    /// The code of what was wrong with it.
    pub code: String,
}

impl From<core::ExportedRecord> for ExportedRecord {
    fn from(record: core::ExportedRecord) -> Self {
        let (folder, missing, problem) = match record.outcome {
            Ok(export) => (Some(export.folder.to_string_lossy().into_owned()), export.missing, None),
            Err(error) => (None, Vec::new(), Some((&error).into())),
        };
        let missing = missing.into_iter().map(|file| MissingExport { name: file.name, code: file.reason });
        Self { record: record.record.0, instance_id: record.instance_id, folder, missing: missing.collect(), problem }
    }
}

/// What became of one record of an import.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ImportedRecord {
    /// The name of its folder.
    pub folder: String,
    /// The instanceID in its XML; empty for none, or if it cannot be read.
    pub instance_id: String,
    /// What was done; null if it did not come in.
    pub arrival: Option<Arrival>,
    /// Files that could not be read when it was exported, and so are not here.
    pub missing: u64,
    /// Why it did not come in; null if it did.
    pub problem: Option<Problem>,
}

/// How a record came in.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Arrival {
    /// It is in the outbox now, ready to be sent.
    Queued {
        /// The record.
        record: i64,
        /// Whether hashes prove that it is what was exported.
        proven: bool,
    },
    /// It was here already; nothing was changed.
    Present,
    /// It was sent from here before and is forgotten; nothing was changed.
    SentBefore,
}

impl From<core::ImportedRecord> for ImportedRecord {
    fn from(record: core::ImportedRecord) -> Self {
        let (arrival, missing, problem) = match record.outcome {
            Ok(import) => {
                let arrival = match import.arrival {
                    Imported::Queued(record) => Arrival::Queued { record: record.0, proven: import.is_proven },
                    Imported::Present(_) => Arrival::Present,
                    Imported::SentBefore => Arrival::SentBefore,
                };
                (Some(arrival), import.missing as u64, None)
            }
            Err(error) => (None, 0, Some((&error).into())),
        };
        Self { folder: record.folder, instance_id: record.instance_id, arrival, missing, problem }
    }
}

#[uniffi::export]
impl Client {
    /// Writes records, readable, each to a folder of its own below `folder`; the outbox stays as it is. Whoever has the folder
    /// can read the answers. Works also when the storage is full. Class heavy. Throws `StorageFull`, `Internal` (`io`) if the folder
    /// cannot be made; what fails of one record is in its outcome.
    pub fn export_records(
        &self,
        selection: ExportSelection,
        folder: String,
    ) -> Result<Vec<ExportedRecord>, SurveyError> {
        let report = self.inner.export(&selection.into(), Path::new(&folder))?;
        Ok(report.records.into_iter().map(Into::into).collect())
    }

    /// Queues the records of an export with their very bytes: `folder` is what was exported to, or the folder of one record.
    /// Records made for another server come in only with `any_server`. Class heavy. Throws `NotFound`, `Internal` (`io`); what fails of
    /// one record is in its outcome.
    pub fn import_records(
        &self,
        project: i64,
        folder: String,
        any_server: bool,
    ) -> Result<Vec<ImportedRecord>, SurveyError> {
        let from = if any_server { ImportFrom::AnyServer } else { ImportFrom::SameServer };
        let report = self.inner.import(ProjectId(project), Path::new(&folder), from)?;
        Ok(report.records.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::TestHome;
    use crate::{Finalization, Records};

    #[test]
    fn a_record_leaves_on_a_stick_and_comes_back_as_it_was() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let photo = home.folder.path().join("photo.jpg");
        std::fs::write(&photo, b"a photo").unwrap();
        session.attach("/d/photo".into(), photo.to_string_lossy().into_owned(), false).unwrap();
        let Finalization::Finalized { record, instance_id, .. } = session.finalize().unwrap() else {
            panic!("refused")
        };
        let stick = home.folder.path().join("stick").to_string_lossy().into_owned();
        let project = home.client.projects().unwrap()[0].id;

        let out = home.client.export_records(ExportSelection::Unsent { project }, stick.clone()).unwrap();
        assert!(out[0].folder.is_some() && out[0].missing.is_empty() && out[0].problem.is_none(), "{out:?}");
        let given_up = home.client.discard(Records::One { record }, Some(stick.clone())).unwrap();
        assert_eq!((given_up.records, given_up.kept), (1, 0));
        assert!(home.client.outbox(None).unwrap().is_empty());

        let back = home.client.import_records(project, stick.clone(), false).unwrap();
        let Some(Arrival::Queued { record, proven: true }) = back[0].arrival else { panic!("{back:?}") };
        assert_eq!(back[0].instance_id, instance_id);
        let files = home.client.record_attachments(record).unwrap();
        assert_eq!(home.client.attachment_read(files[0].id, 0, 100).unwrap(), b"a photo");
        let again = home.client.import_records(project, stick, false).unwrap();
        assert!(matches!(again[0].arrival, Some(Arrival::Present)), "{again:?}");

        let name = files[0].name.clone();
        std::fs::write(&photo, b"another photo").unwrap();
        home.client.replace_attachment(record, name.clone(), photo.to_string_lossy().into_owned()).unwrap();
        let files = home.client.record_attachments(record).unwrap();
        assert_eq!(home.client.attachment_read(files[0].id, 0, 100).unwrap(), b"another photo");
        home.client.drop_attachment(record, name).unwrap();
        assert!(home.client.record_attachments(record).unwrap().is_empty());
        assert!(home.client.drop_attachment(record, "x.jpg".into()).is_err());
    }
}

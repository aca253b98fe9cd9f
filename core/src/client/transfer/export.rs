use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{self, CopyFailed, Proof};
use super::names::{file_names, folder_name};
use super::record_file::{Found, Listed, Missing, RECORD, RecordFile, XML};
use super::server_of;
use crate::client::Client;
use crate::store::{ProjectId, RecordState, Submission, SubmissionId, io_error, make_folders, sync_folder};
use crate::{Error, ErrorKind, Result};

/// The end of a folder's name that is not yet valid.
const PENDING: &str = ".new";
/// How many records one instanceID may have in one folder; more are no accident.
const MOST_OF_ONE_ID: usize = 1000;

/// Which records to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of a project that have not arrived.
    Unsent(ProjectId),
    /// All of a project, those that have arrived too.
    All(ProjectId),
    /// These.
    Records(Vec<SubmissionId>),
}

/// What an export did, record by record.
#[derive(Debug)]
pub struct ExportReport {
    /// Every record that was selected, the oldest first.
    pub records: Vec<ExportedRecord>,
}

/// What became of one record.
#[derive(Debug)]
pub struct ExportedRecord {
    /// The record.
    pub record: SubmissionId,
    /// Its instanceID.
    pub instance_id: String,
    /// Where it is, or why it is not.
    pub outcome: Result<Export>,
}

/// A record in a folder, read back and found to be what it is here.
#[derive(Clone, PartialEq, Eq)]
pub struct Export {
    /// Its folder.
    pub folder: PathBuf,
    /// Attachments beside it.
    pub attachments: usize,
    /// Whether an earlier export had written it already.
    pub was_there: bool,
    /// Attachments that could not be read here, and so are not there.
    pub missing: Vec<Missing>,
}

impl ExportReport {
    /// Whether every record is there with all its files.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.records.iter().all(ExportedRecord::is_complete)
    }
}

impl ExportedRecord {
    /// Whether the record is there with all its files, so that the one here could go.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|export| export.missing.is_empty())
    }
}

impl Client {
    /// Writes records, readable, each to a folder of its own below `folder`; the outbox stays as it is. A record is there
    /// as a whole or not at all, whenever this is killed, and what is there is never written to. A record that cannot be
    /// exported does not stop the others; an attachment that cannot be read is named as missing. Nothing is written to the
    /// store, so this works when it is full.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] and [`ErrorKind::StorageFull`] if the folder cannot be made; those of the store when it is asked
    /// for the records. What fails of one record is in the report.
    pub fn export(&self, selection: &Selection, folder: &Path) -> Result<ExportReport> {
        let records = self.selected(selection)?;
        make_folders(folder)?;
        let export = |record: Submission| ExportedRecord {
            record: record.id,
            outcome: self.export_record(&record, folder),
            instance_id: record.instance_id,
        };
        Ok(ExportReport { records: records.into_iter().map(export).collect() })
    }

    fn selected(&self, selection: &Selection) -> Result<Vec<Submission>> {
        let store = &self.inner.store;
        match selection {
            Selection::Records(ids) => ids.iter().map(|&id| store.submission(id)).collect(),
            Selection::All(project) => store.outbox(Some(*project)),
            Selection::Unsent(project) => {
                let mut records = store.outbox(Some(*project))?;
                records.retain(|record| !matches!(record.state, RecordState::Sent { .. }));
                Ok(records)
            }
        }
    }

    fn export_record(&self, record: &Submission, root: &Path) -> Result<Export> {
        let store = &self.inner.store;
        let xml = store.submission_xml(record.id)?;
        let attachments = store.submission_attachments(record.id)?;
        let files = file_names(attachments.iter().map(|attachment| attachment.name.as_str()));
        let listed = attachments.iter().zip(files).map(|(attachment, file)| Listed {
            name: attachment.name.clone(),
            file,
            proof: Proof { size: attachment.size, sha256: attachment.sha256.clone() },
        });
        let mut described = RecordFile {
            server: server_of(&self.project_row(record.project)?),
            instance_id: record.instance_id.clone(),
            form_id: record.form_id.clone(),
            version: record.version.clone(),
            title: record.title.clone(),
            name: record.name.clone(),
            finalized_at: record.finalized_at,
            attachments: listed.collect(),
            ..RecordFile::new(&xml)
        };
        let folder = match place(&described, root)? {
            Place::There(there) => return Ok(there),
            Place::Free(folder) => folder,
        };
        let mut pending = folder.clone().into_os_string();
        pending.push(PENDING);
        let pending = PathBuf::from(pending);
        let written = self.write_record(&mut described, record.id, &xml, &pending).and_then(|()| {
            described.verify(&pending)?;
            // A folder that has come there meanwhile and holds anything is not replaced: that is an error.
            fs::rename(&pending, &folder).map_err(io_error)?;
            sync_folder(root)
        });
        if let Err(error) = written {
            // What stays is no record, and the next export takes it away.
            let _ = fs::remove_dir_all(&pending);
            return Err(error);
        }
        Ok(described.into_export(folder, false))
    }

    /// Writes the record's files to a folder of their own; `described` learns which of them cannot be read.
    fn write_record(&self, described: &mut RecordFile, id: SubmissionId, xml: &[u8], folder: &Path) -> Result<()> {
        let store = &self.inner.store;
        disk::make_empty_folder(folder)?;
        write(&folder.join(XML), xml)?;
        for attachment in store.submission_attachments(id)? {
            let Some(at) = described.attachments.iter().position(|listed| listed.name == attachment.name) else {
                continue;
            };
            let Some(path) = described.attachments.get(at).map(|listed| listed.path(folder)) else { continue };
            let path = path?;
            let copied = match store.open_attachment(attachment.id) {
                Ok(mut source) => disk::write(&path, &mut source),
                Err(error) => Err(CopyFailed::Source(error)),
            };
            match copied {
                Ok(_) => {}
                Err(CopyFailed::Target(error)) => return Err(error),
                Err(CopyFailed::Source(error)) => {
                    let _ = fs::remove_file(&path);
                    described.attachments.remove(at);
                    described.missing.push(Missing { name: attachment.name, reason: error.kind().code().to_owned() });
                }
            }
        }
        write(&folder.join(RECORD), &described.to_json()?)?;
        sync_folder(folder)
    }
}

impl RecordFile {
    fn into_export(self, folder: PathBuf, was_there: bool) -> Export {
        Export { folder, attachments: self.attachments.len(), was_there, missing: self.missing }
    }

    /// Whether `folder` holds this very record, as far as it could be read when it was exported.
    fn is_in(&self, folder: &Path) -> Option<RecordFile> {
        let found = Found::read(folder).ok().filter(|found| found.is_proven)?.record;
        let has = |wanted: &Listed| {
            let is_same = |listed: &Listed| (&listed.name, &listed.proof) == (&wanted.name, &wanted.proof);
            found.attachments.iter().any(is_same) || found.missing.iter().any(|missing| missing.name == wanted.name)
        };
        let is_same = found.submission == self.submission
            && found.server == self.server
            && found.attachments.len() + found.missing.len() == self.attachments.len()
            && self.attachments.iter().all(has);
        (is_same && found.verify(folder).is_ok()).then_some(found)
    }
}

/// Where a record is or goes.
enum Place {
    There(Export),
    Free(PathBuf),
}

/// The folder named after the instanceID; if another record has it, one beside it that is named after the bytes, too.
fn place(described: &RecordFile, root: &Path) -> Result<Place> {
    let name = folder_name(&described.instance_id);
    let digest: String = described.submission.sha256.chars().take(8).collect();
    let beside = (2..MOST_OF_ONE_ID).map(|number| format!("{name}-{digest}-{number}"));
    for candidate in [name.clone(), format!("{name}-{digest}")].into_iter().chain(beside) {
        let folder = root.join(candidate);
        match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Place::Free(folder)),
            Err(error) => return Err(io_error(error)),
            Ok(_) => {}
        }
        if let Some(found) = described.is_in(&folder) {
            return Ok(Place::There(found.into_export(folder, true)));
        }
    }
    Err(Error::new(ErrorKind::Io, "the folder holds too many records of this id"))
}

fn write(path: &Path, mut bytes: &[u8]) -> Result<()> {
    match disk::write(path, &mut bytes) {
        Ok(_) => Ok(()),
        Err(CopyFailed::Source(error) | CopyFailed::Target(error)) => Err(error),
    }
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut export = f.debug_struct("Export");
        export.field("attachments", &self.attachments).field("was_there", &self.was_there);
        export.field("missing", &self.missing.len()).finish_non_exhaustive()
    }
}

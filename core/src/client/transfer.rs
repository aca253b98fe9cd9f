use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Client;
use crate::store::{self, NewAttachment, NewRecord, ProjectId, RecordState, Submission};
use crate::{Error, ErrorKind, Result};

const RECORD: &str = "record.json";
const XML: &str = "submission.xml";

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records written.
    pub records: usize,
    /// Attachments written.
    pub attachments: usize,
}

/// What an import queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records that are new here.
    pub queued: usize,
    /// Records that were here already, the same bytes.
    pub present: usize,
}

/// What lies beside the XML of an exported record: no token, no address.
#[derive(Serialize, Deserialize)]
struct RecordFile {
    instance_id: String,
    form_id: String,
    version: String,
    title: String,
    name: String,
    finalized_at: i64,
    attachments: Vec<String>,
}

impl Client {
    /// Writes every unsent record of a project, readable, to `folder/<instanceID>/`; the outbox stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], those of the store.
    pub fn export(&self, project: ProjectId, folder: &Path) -> Result<Exported> {
        let mut exported = Exported::default();
        for record in self.inner.store.outbox(Some(project))? {
            if !matches!(record.state, RecordState::Sent { .. }) {
                exported.attachments += self.export_record(&record, folder)?;
                exported.records += 1;
            }
        }
        Ok(exported)
    }

    pub(super) fn export_record(&self, record: &Submission, folder: &Path) -> Result<usize> {
        let store = &self.inner.store;
        let folder = folder.join(folder_name(&record.instance_id));
        fs::create_dir_all(&folder).map_err(io_error)?;
        fs::write(folder.join(XML), store.submission_xml(record.id)?).map_err(io_error)?;
        let mut names = Vec::new();
        for attachment in store.submission_attachments(record.id)? {
            let mut target = File::create(folder.join(safe_name(&attachment.name)?)).map_err(io_error)?;
            io::copy(&mut store.open_attachment(attachment.id)?, &mut target).map_err(io_error)?;
            names.push(attachment.name);
        }
        let n_attachments = names.len();
        let file = RecordFile {
            instance_id: record.instance_id.clone(),
            form_id: record.form_id.clone(),
            version: record.version.clone(),
            title: record.title.clone(),
            name: record.name.clone(),
            finalized_at: record.finalized_at,
            attachments: names,
        };
        let json = serde_json::to_vec_pretty(&file)
            .map_err(|error| Error::new(ErrorKind::Internal, RECORD).caused_by(error))?;
        fs::write(folder.join(RECORD), json).map_err(io_error)?;
        Ok(n_attachments)
    }

    /// Queues the records of an export with their very bytes, under the same instanceIDs.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`], [`ErrorKind::RecordDiffers`], [`ErrorKind::UnsafeFileName`],
    /// [`ErrorKind::MissingAttachment`], [`ErrorKind::Io`], those of the store. Records before the failing one are queued.
    pub fn import(&self, project: ProjectId, folder: &Path) -> Result<Imported> {
        self.project_row(project)?;
        let folders: Result<BTreeSet<_>, _> =
            fs::read_dir(folder).map_err(io_error)?.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut imported = Imported::default();
        for folder in folders.map_err(io_error)?.into_iter().filter(|folder| folder.join(RECORD).is_file()) {
            match self.import_record(project, &folder)? {
                store::Imported::Queued(_) => imported.queued += 1,
                store::Imported::Present(_) => imported.present += 1,
            }
        }
        Ok(imported)
    }

    fn import_record(&self, project: ProjectId, folder: &Path) -> Result<store::Imported> {
        let json = fs::read(folder.join(RECORD)).map_err(io_error)?;
        let file: RecordFile = serde_json::from_slice(&json)
            .map_err(|error| Error::new(ErrorKind::UnreadableRecord, RECORD).caused_by(error))?;
        let mut attachments = Vec::new();
        for name in &file.attachments {
            let source = File::open(folder.join(safe_name(name)?))
                .map_err(|error| Error::new(ErrorKind::MissingAttachment, name.clone()).caused_by(error))?;
            attachments.push(NewAttachment { name: name.clone(), source: Box::new(source) });
        }
        let record = NewRecord {
            project,
            instance_id: file.instance_id,
            form_id: file.form_id,
            version: file.version,
            title: file.title,
            name: file.name,
            xml: fs::read(folder.join(XML)).map_err(io_error)?,
            finalized_at: file.finalized_at,
        };
        self.inner.store.import_record(&record, attachments)
    }
}

/// An instanceID as the name of a folder, on every system.
fn folder_name(instance_id: &str) -> String {
    // Windows takes no colon in a name; `uuid:…` has one.
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || (c == ':' && !cfg!(windows));
    instance_id.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// A name that stays in its folder and takes no other file's place there.
fn safe_name(name: &str) -> Result<&str> {
    let is_plain = Path::new(name).file_name().is_some_and(|plain| plain == name) && !name.contains('\\');
    if is_plain && ![XML, RECORD].contains(&name) { Ok(name) } else { Err(ErrorKind::UnsafeFileName.into()) }
}

fn io_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "a file of the transfer").caused_by(error)
}

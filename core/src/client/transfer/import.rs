use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::disk;
use super::record_file::{Found, RECORD, XML};
use super::server_of;
use crate::client::Client;
use crate::openrosa::record;
use crate::store::{Imported, NewAttachment, NewRecord, Project, ProjectId, io_error};
use crate::{Error, ErrorKind, Result};

/// A title longer than this is no title.
const LONGEST_TITLE: usize = 250;
/// No attachment is longer: it is what the file systems of most sticks can hold.
const LONGEST_FILE: u64 = 4 << 30;

/// Whose records come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFrom {
    /// Those made for the project's server: the same scheme, host and port.
    SameServer,
    /// Those made for any server.
    AnyServer,
}

/// What an import did, record by record.
#[derive(Debug)]
pub struct ImportReport {
    /// Every folder that holds a record, or something that looks like one, by name.
    pub records: Vec<ImportedRecord>,
}

/// What became of one exported record.
#[derive(Debug)]
pub struct ImportedRecord {
    /// The name of its folder.
    pub folder: String,
    /// The instanceID in its XML; empty for none, or if it cannot be read.
    pub instance_id: String,
    /// What was done, or why it is not here.
    pub outcome: Result<Import>,
}

/// A record that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Whether it is new.
    pub arrival: Imported,
    /// Whether hashes prove that it is what was exported. Exports of the first format bring none.
    pub is_proven: bool,
    /// Files beside it that its XML does not name: they were left out.
    pub left_out: usize,
    /// Attachments that could not be read when it was exported, and so are not here.
    pub missing: usize,
}

impl ImportReport {
    /// Whether every record is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.records.iter().all(|record| record.outcome.is_ok())
    }
}

impl Client {
    /// Queues the records of an export with their very bytes. Ids, form and version are read from the XML; files are taken
    /// if the XML names them and they are what their hashes say. Records without hashes (the first format) come last, and
    /// only if the ids beside the XML are those in it. A record that cannot come in does not stop the others. One that is
    /// here, or was sent from here, stays as it is.
    ///
    /// `folder` is what was exported to, or the folder of one record, or both.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such project; [`ErrorKind::Io`] if the folder cannot be listed. What fails of
    /// one record is in the report: [`ErrorKind::UnreadableRecord`], [`ErrorKind::BrokenExport`],
    /// [`ErrorKind::UnsafeFileName`], [`ErrorKind::OtherServer`], [`ErrorKind::RecordDiffers`], those of the store.
    pub fn import(&self, project: ProjectId, folder: &Path, from: ImportFrom) -> Result<ImportReport> {
        let project = self.project_row(project)?;
        let mut candidates = BTreeSet::from([folder.to_owned()]);
        for entry in fs::read_dir(folder).map_err(io_error)? {
            candidates.insert(entry.map_err(io_error)?.path());
        }
        candidates.retain(|path| looks_like_a_record(path));
        // What is proven goes first: a cut copy of the same record is then seen to differ, not taken in its place.
        let (proven, unproven): (Vec<_>, Vec<_>) = candidates.iter().partition(|path| Found::has_hashes(path));
        let import = |path: &PathBuf| self.import_folder(&project, path, from);
        let mut records: Vec<_> = proven.into_iter().chain(unproven).map(import).collect();
        records.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(ImportReport { records })
    }

    fn import_folder(&self, project: &Project, folder: &Path, from: ImportFrom) -> ImportedRecord {
        let mut instance_id = String::new();
        let outcome = self.import_record(project, folder, from, &mut instance_id);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ImportedRecord { folder: name, instance_id, outcome }
    }

    fn import_record(
        &self,
        project: &Project,
        folder: &Path,
        from: ImportFrom,
        instance_id: &mut String,
    ) -> Result<Import> {
        if !fs::symlink_metadata(folder).map_err(io_error)?.is_dir() {
            return Err(Error::new(ErrorKind::BrokenExport, "a link stands where a folder should be"));
        }
        let Found { record: described, xml, is_proven } = Found::read(folder)?;
        let head = record::read(&xml)?;
        instance_id.clone_from(&head.instance_id);
        let is_believed = (&described.instance_id, &described.form_id) == (&head.instance_id, &head.form_id);
        if !is_proven && !is_believed {
            return Err(Error::new(ErrorKind::BrokenExport, "the ids beside the XML are not those in it"));
        }
        if is_proven && from == ImportFrom::SameServer && described.server != server_of(project) {
            return Err(ErrorKind::OtherServer.into());
        }
        let (named, unnamed): (Vec<_>, Vec<_>) =
            described.attachments.iter().partition(|listed| head.names_file(&listed.name));
        let mut attachments = Vec::new();
        for listed in named {
            let (source, size) = disk::open(&listed.path(folder)?)?;
            if size != listed.proof.size || size > LONGEST_FILE {
                return Err(Error::new(ErrorKind::BrokenExport, "an attachment has another length"));
            }
            attachments.push(NewAttachment {
                name: listed.name.clone(),
                size,
                sha256: listed.proof.sha256.clone(),
                source: Box::new(source),
            });
        }
        let new = NewRecord {
            project: project.id,
            title: self.title_of(project.id, &head)?.unwrap_or_else(|| clipped(&described.title, &head.form_id)),
            instance_id: head.instance_id,
            form_id: head.form_id,
            version: head.version,
            name: head.instance_name,
            xml,
            finalized_at: described.finalized_at.clamp(0, self.now_ms().max(0)),
        };
        let arrival = self.inner.store.import_record(&new, attachments)?;
        Ok(Import { arrival, is_proven, left_out: unnamed.len(), missing: described.missing.len() })
    }

    /// The title of the record's form, if the project has the form.
    fn title_of(&self, project: ProjectId, head: &record::Record) -> Result<Option<String>> {
        match self.inner.store.find_form(project, &head.form_id, Some(&head.version)) {
            Ok(form) => Ok(Some(form.title)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether this is the folder of a record, pretends to be one, or cannot be looked into. One that is still being written is
/// not.
fn looks_like_a_record(path: &Path) -> bool {
    let is_pending = path.extension().is_some_and(|extension| extension == "new");
    let may_be_there = |file: &&str| match fs::symlink_metadata(path.join(file)) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    };
    !is_pending && [RECORD, XML].iter().any(may_be_there)
}

fn clipped(title: &str, instead: &str) -> String {
    let title: String = title.chars().take(LONGEST_TITLE).collect();
    if title.trim().is_empty() { instead.to_owned() } else { title }
}

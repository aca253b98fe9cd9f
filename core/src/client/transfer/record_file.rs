//! `record.json`: what lies beside the XML of an exported record. No token, no address but the server's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{self, Proof};
use crate::{Error, ErrorKind, Result};

pub(super) const RECORD: &str = "record.json";
pub(super) const XML: &str = "submission.xml";

/// The format written here. The first had no number and no hashes.
const FORMAT: u32 = 2;
/// No record has a longer list of files.
const LONGEST_RECORD: u64 = 1 << 20;
/// No record has a longer XML.
const LONGEST_XML: u64 = 100 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordFile {
    pub(super) format: u32,
    /// Scheme, host and port.
    pub(super) server: String,
    pub(super) instance_id: String,
    pub(super) form_id: String,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) name: String,
    pub(super) finalized_at: i64,
    pub(super) submission: Proof,
    pub(super) attachments: Vec<Listed>,
    #[serde(default)]
    pub(super) missing: Vec<Missing>,
}

/// A file of the record: what the answer calls it, and what it is called here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) file: String,
    #[serde(flatten)]
    pub(super) proof: Proof,
}

/// An attachment that could not be exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What the answer calls it.
    pub name: String,
    /// The code of what was wrong with it.
    pub reason: String,
}

/// The first format: names alone.
#[derive(Deserialize)]
struct FirstFormat {
    instance_id: String,
    form_id: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    finalized_at: i64,
    #[serde(default)]
    attachments: Vec<String>,
}

/// An exported record as it was found. Its attachments are proved when they are read.
pub(super) struct Found {
    pub(super) record: RecordFile,
    pub(super) xml: Vec<u8>,
    /// Whether the hashes come from the export, and not from what was found.
    pub(super) is_proven: bool,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Option<u32>,
}

impl RecordFile {
    /// One of this format, without files yet.
    pub(super) fn new(xml: &[u8]) -> Self {
        Self {
            format: FORMAT,
            server: String::new(),
            instance_id: String::new(),
            form_id: String::new(),
            version: String::new(),
            title: String::new(),
            name: String::new(),
            finalized_at: 0,
            submission: Proof::of(xml),
            attachments: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|error| Error::new(ErrorKind::Internal, RECORD).caused_by(error))
    }

    /// Whether every file in `folder` is what is listed here.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenExport`], [`ErrorKind::UnreadableRecord`], [`ErrorKind::Io`].
    pub(super) fn verify(&self, folder: &Path) -> Result<()> {
        let found = Found::read(folder)?;
        if found.record != *self {
            return Err(Error::new(ErrorKind::BrokenExport, "record.json is not what was written"));
        }
        for listed in &self.attachments {
            let (mut file, _) = disk::open(&listed.path(folder)?)?;
            if disk::prove(&mut file)? != listed.proof {
                return Err(Error::new(ErrorKind::BrokenExport, "an attachment is not what was written"));
            }
        }
        Ok(())
    }
}

impl Listed {
    /// Where the file lies.
    ///
    /// # Errors
    /// [`ErrorKind::UnsafeFileName`] for a name that leads elsewhere or is that of the record itself.
    pub(super) fn path(&self, folder: &Path) -> Result<PathBuf> {
        let is_plain = Path::new(&self.file).file_name().is_some_and(|plain| plain == self.file.as_str());
        let is_own = [XML, RECORD].iter().any(|own| self.file.eq_ignore_ascii_case(own));
        if !is_plain || is_own || self.file.contains(['\\', '\0']) {
            return Err(ErrorKind::UnsafeFileName.into());
        }
        Ok(folder.join(&self.file))
    }
}

impl Found {
    /// Reads the record in `folder`; its XML is what the hash says, or it has none.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`], [`ErrorKind::BrokenExport`], [`ErrorKind::UnsafeFileName`], [`ErrorKind::Io`].
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let json = disk::read(&folder.join(RECORD), LONGEST_RECORD)?;
        let xml = disk::read(&folder.join(XML), LONGEST_XML)?;
        let head: Head = parse(&json)?;
        let record = match head.format {
            None => FirstFormat::complete(parse(&json)?, folder, &xml)?,
            Some(FORMAT) => parse::<RecordFile>(&json)?,
            Some(_) => return Err(unreadable("the export is of another version of the program")),
        };
        if record.submission != Proof::of(&xml) {
            return Err(Error::new(ErrorKind::BrokenExport, "the XML has other bytes"));
        }
        let names: BTreeSet<_> = record.attachments.iter().map(|listed| &listed.name).collect();
        let files: BTreeSet<_> = record.attachments.iter().map(|listed| &listed.file).collect();
        if names.len().min(files.len()) < record.attachments.len() {
            return Err(Error::new(ErrorKind::BrokenExport, "a file is listed twice"));
        }
        Ok(Self { record, xml, is_proven: head.format.is_some() })
    }

    /// Whether the record in `folder` seems to bring hashes.
    pub(super) fn has_hashes(folder: &Path) -> bool {
        let head = disk::read(&folder.join(RECORD), LONGEST_RECORD).and_then(|json| parse::<Head>(&json));
        head.is_ok_and(|head| head.format.is_some())
    }
}

impl FirstFormat {
    /// The same in this format, with the hashes of what is there: they show later changes, and prove nothing of before.
    fn complete(self, folder: &Path, xml: &[u8]) -> Result<RecordFile> {
        let mut attachments = Vec::new();
        for name in self.attachments {
            let mut listed = Listed { file: name.clone(), name, proof: Proof::of(b"") };
            let (mut file, _) = disk::open(&listed.path(folder)?)?;
            listed.proof = disk::prove(&mut file)?;
            attachments.push(listed);
        }
        Ok(RecordFile {
            instance_id: self.instance_id,
            form_id: self.form_id,
            version: self.version,
            title: self.title,
            name: self.name,
            finalized_at: self.finalized_at,
            attachments,
            ..RecordFile::new(xml)
        })
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    // The parser's own words may quote what it read, so they stay in the cause.
    serde_json::from_slice(json).map_err(|error| unreadable("record.json").caused_by(error))
}

fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::UnreadableRecord, what)
}

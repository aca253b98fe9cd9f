use super::machine::{FileProblem, Queued, RecordId, State};
use super::transport::Opener;
use crate::error::Result;
use crate::openrosa::form_list::Listing;
use crate::openrosa::manifest::MediaKind;
use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// Where the forms and the outbox of one project are kept. Every call is short and blocking, and is made from a thread that
/// may block; none is made while a request is under way, except writing a download piece by piece.
pub trait SyncStore: Send + Sync + 'static {
    /// A file being downloaded; dropped, it is gone.
    type Staged: Write + Send + 'static;

    /// The records that are `ready` or `waiting`, the oldest first.
    ///
    /// # Errors
    /// Those of the store, as for every call here.
    fn outbox(&self) -> Result<Vec<Queued>>;

    /// Makes ready what is marked as `sending`; called by a sending that has the project's [turn](super::Turn) and no record
    /// on the road, so that what it finds was left behind.
    fn release(&self) -> Result<()>;

    /// Marks a record that is `ready` or `waiting` as `sending` and counts the try; in one step, so that of two senders one
    /// gets it.
    fn claim(&self, record: RecordId) -> Result<Claim>;

    /// Writes what became of a record, all of it or nothing: of one that this sending claimed, under its number; without a
    /// number, of one that is `ready` or `waiting`. In any other state its state stays as it is: what another sending or a
    /// person did since counts. What has arrived, has arrived all the same.
    fn settle(&self, record: RecordId, claim: Option<ClaimNumber>, settlement: &Settlement) -> Result<()>;

    /// Waits until everything that was written is on the disk; a sending does it before it ends or rests. Until then a power
    /// cut may forget what became of records: they are sent again, the same bytes.
    fn sync(&self) -> Result<()>;

    /// Keeps how large a request the server takes, in bytes.
    fn limit_learned(&self, bytes: u64) -> Result<()>;

    /// The installed form versions that are not superseded, the oldest first, with their files.
    fn forms(&self) -> Result<Vec<InstalledForm>>;

    /// The XML of an installed form version.
    fn form_xml(&self, form: i64) -> Result<Vec<u8>>;

    /// Whether the form can be filled, given the names of its files; `Err` says why not, and it is not installed. Gives those
    /// of its files that are lists, and so must never be readable.
    fn check_form(&self, xml: &[u8], files: &[String]) -> Result<BTreeSet<String>>;

    /// Opens a place for a file of a form: a list, or a picture, sound or video.
    fn stage(&self, is_data: bool) -> Result<Self::Staged>;

    /// Bytes free where pictures, sound and video are kept; `None` where that cannot be known.
    fn free_space(&self) -> Option<u64>;

    /// Installs a form version with all its files, or nothing; in the place of the same version, if that is there.
    fn install(&self, form: NewForm<Self::Staged>) -> Result<()>;

    /// Takes in which forms the server lists now, and with that which can be begun.
    fn settle_offers(&self, listing: Listing) -> Result<()>;

    /// What a document said when it was last read; the address is a secret where it holds a token.
    fn remembered(&self, url: &str) -> Result<Option<Remembered>>;

    /// Keeps what documents say, by their addresses; all in one step.
    fn remember(&self, documents: &[(String, Remembered)]) -> Result<()>;
}

/// What came of [`SyncStore::claim`].
#[derive(Debug)]
pub enum Claim {
    /// The record is the caller's.
    Taken(Outgoing),
    /// It is not there any more, or someone else is sending it.
    Gone,
    /// It is the caller's, under this number, but its XML cannot be read.
    Broken(Option<ClaimNumber>),
}

/// The right of one sending to write what becomes of the record that it claimed.
pub type ClaimNumber = i64;

/// A claimed record: the frozen bytes, and the attachments that the server has not acknowledged.
#[derive(Clone, Default)]
pub struct Outgoing {
    /// The number of the claim; `None` if the store cannot be written and the claim is not in it.
    pub claim: Option<ClaimNumber>,
    /// The XML, the same bytes at every try.
    pub xml: Arc<[u8]>,
    /// The attachments that can be sent.
    pub attachments: Vec<OutgoingAttachment>,
    /// What is wrong with one that is not among them for that.
    pub left_out: Option<FileProblem>,
}

/// An attachment to be sent.
#[derive(Clone)]
pub struct OutgoingAttachment {
    /// Its row.
    pub attachment: i64,
    /// What the XML calls it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Opens it for reading.
    pub open: Opener,
    /// Reads all of it and says what is wrong with it.
    pub prove: Prover,
}

/// Reads a file and says what is wrong with it, if anything is.
pub type Prover = Arc<dyn Fn() -> Option<FileProblem> + Send + Sync>;

/// What became of a record in one step of its sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// What came of the tries since the last step, for support.
    pub attempts: Vec<Attempt>,
    /// Whether the server has the XML.
    pub answers_arrived: bool,
    /// The attachments that the server has, by their rows.
    pub arrived: Vec<i64>,
    /// The attachments that cannot be sent.
    pub problems: Vec<(i64, FileProblem)>,
    /// Its state; `None` leaves it as it is.
    pub state: Option<State>,
    /// What was found beside the reason of the state, in English; no personal data, may be empty.
    pub detail: String,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("attachments", &self.attachments.len()).finish_non_exhaustive()
    }
}

/// What came of one POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// The status of the reply; `None` if none came.
    pub status: Option<u16>,
}

/// A form version on this device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledForm {
    /// Its row.
    pub form: i64,
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// The hash of the list it was installed from; empty for none.
    pub hash: String,
    /// Where its XML was had from, as in [`NewForm`].
    pub url: String,
    /// Whether the server listed it when its list was last read.
    pub is_listed: bool,
    /// If it did not: whether the form was still to be had; `None` where that is not known.
    pub closing: Option<bool>,
    /// Whether a draft or an unsent record uses it.
    pub in_use: bool,
    /// Its files.
    pub files: Vec<InstalledFile>,
}

/// A file of an installed form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledFile {
    /// Its row.
    pub file: i64,
    /// What the form calls it.
    pub name: String,
    /// What it is.
    pub kind: MediaKind,
    /// The hash of the manifest; `None` for none.
    pub hash: Option<String>,
    /// MD5 of its bytes in lower-case hex; empty where not known.
    pub md5: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// Whether it is a list, and so not readable.
    pub is_data: bool,
}

/// A form version to install.
#[derive(Debug)]
pub struct NewForm<Staged> {
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// The hash of the list; empty for none.
    pub hash: String,
    /// Its title.
    pub title: String,
    /// Where its XML is: below the project's own address without that part, so that no token is kept and a new one does not
    /// matter.
    pub url: String,
    /// The XForm.
    pub xml: Vec<u8>,
    /// Its files.
    pub files: Vec<NewFile<Staged>>,
    /// When it was fetched, in milliseconds since 1970.
    pub fetched_ms: i64,
}

/// A file of a form version to install.
#[derive(Debug)]
pub struct NewFile<Staged> {
    /// What the form calls it.
    pub name: String,
    /// What it is.
    pub kind: MediaKind,
    /// The hash of the manifest; `None` for none.
    pub hash: Option<String>,
    /// MD5 of its bytes in lower-case hex; empty where not known.
    pub md5: String,
    /// The ETag it came with; empty for none.
    pub etag: String,
    /// Its bytes.
    pub content: FileContent<Staged>,
}

/// Where the bytes of a new file are.
#[derive(Debug)]
pub enum FileContent<Staged> {
    /// Downloaded.
    Staged(Staged),
    /// Those of a file that is installed already, by its row.
    SameAs(i64),
}

/// A document of the server as it was last read, so that it need not come again.
#[derive(Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its ETag.
    pub etag: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("etag", &self.etag).finish_non_exhaustive()
    }
}

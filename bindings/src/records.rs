//! Rows of lists: plain records, each converted from the core's type of the same name.

use veldwerk::form::{Diagnostic, Level};
use veldwerk::openrosa::BrokenEntry;
use veldwerk::store::{self, RecordState};
use veldwerk::{client, sync};

/// A form version as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FormSummary {
    /// The form version.
    pub id: i64,
    /// Its project.
    pub project: i64,
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title.
    pub title: String,
    /// Whether new records may be begun on it.
    pub offered: bool,
    /// Of a form that left the server's list: true if it still takes records begun before, false if it is gone; null where
    /// that is not known.
    pub closing: Option<bool>,
    /// Code of the reason why the version on the server could not be installed; null if it could.
    pub problem: Option<String>,
}

impl From<client::FormSummary> for FormSummary {
    fn from(form: client::FormSummary) -> Self {
        Self {
            id: form.key.0,
            project: form.project.0,
            form_id: form.form_id,
            version: form.version,
            title: form.title,
            offered: form.offered,
            closing: form.closing,
            problem: form.failure,
        }
    }
}

/// Something in a form that its author should know.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Notice {
    /// Stable code of `docs/diagnostics.md`.
    pub code: String,
    /// How much it matters.
    pub level: NoticeLevel,
    /// Where in the form: the path of a question, a file, the id of a text; may be empty.
    pub place: String,
    /// What it is, in English.
    pub text: String,
    /// What the author can do about it, in English.
    pub advice: String,
}

/// How much something in a form matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum NoticeLevel {
    /// The form, or a part of it, does not do what it is there for.
    Error,
    /// The form works; what its author meant may not.
    Warning,
    /// Good to know; nothing is wrong.
    Note,
}

impl From<Diagnostic> for Notice {
    fn from(notice: Diagnostic) -> Self {
        let level = match notice.level() {
            Level::Error => NoticeLevel::Error,
            Level::Warning => NoticeLevel::Warning,
            Level::Note => NoticeLevel::Note,
        };
        let text = notice.words();
        let (code, advice) = (notice.kind.code().to_owned(), notice.kind.advice().to_owned());
        Self { code, level, place: notice.place, text, advice }
    }
}

/// What a refresh did.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RefreshReport {
    /// Every form of the server's list.
    pub forms: Vec<FormOutcome>,
    /// Entries of the list that are of no use.
    pub skipped: Vec<SkippedEntry>,
}

impl From<sync::RefreshReport> for RefreshReport {
    fn from(report: sync::RefreshReport) -> Self {
        Self {
            forms: report.forms.into_iter().map(Into::into).collect(),
            skipped: report.broken.iter().map(Into::into).collect(),
        }
    }
}

/// An entry of a list of the server that is of no use; the others are used.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SkippedEntry {
    /// What it is about, a form's id or a file's name; null where it does not even say that.
    pub name: Option<String>,
    /// Its place in the list, from 1.
    pub position: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

impl From<&BrokenEntry> for SkippedEntry {
    fn from(entry: &BrokenEntry) -> Self {
        Self { name: entry.name.clone(), position: entry.position as u64, problem: (&entry.error).into() }
    }
}

/// A form that the server lists and of which no version is here, so that it is in no list of forms.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FailedForm {
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title, in the server's words.
    pub title: String,
    /// Code of the reason why it could not be installed; [`crate::error_text`] has words for people.
    pub problem: String,
    /// When that was found, in milliseconds since 1970.
    pub at: i64,
}

impl From<client::FailedForm> for FailedForm {
    fn from(form: client::FailedForm) -> Self {
        Self { form_id: form.form_id, version: form.version, title: form.title, problem: form.code, at: form.at }
    }
}

/// What a refresh did with one form.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FormOutcome {
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title.
    pub title: String,
    /// Whether anything was fetched.
    pub changed: bool,
    /// Why it could not be brought up to date; null if it is.
    pub problem: Option<Problem>,
    /// Files of it that the server names in a way that is of no use; the form is here without them.
    pub skipped: Vec<SkippedEntry>,
}

/// What went wrong with one thing of several.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Problem {
    /// Stable code of `docs/errors.md`; [`crate::error_text`] has words for people.
    pub code: String,
    /// The same with its place, in English, for whoever runs the study; no personal data.
    pub detail: String,
}

impl From<&veldwerk::Error> for Problem {
    fn from(error: &veldwerk::Error) -> Self {
        Self { code: error.kind().code().to_owned(), detail: error.to_string() }
    }
}

impl From<sync::FormOutcome> for FormOutcome {
    fn from(form: sync::FormOutcome) -> Self {
        let (changed, problem) = match form.outcome {
            Ok(outcome) => (outcome != sync::Outcome::UpToDate, None),
            Err(error) => (false, Some((&error).into())),
        };
        let skipped = form.broken.iter().map(Into::into).collect();
        Self { form_id: form.form_id, version: form.version, title: form.title, changed, problem, skipped }
    }
}

/// A draft as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DraftSummary {
    /// The draft.
    pub id: i64,
    /// Its project.
    pub project: i64,
    /// Its form version.
    pub form: i64,
    /// The form's title.
    pub title: String,
    /// The form's id.
    pub form_id: String,
    /// The form's version; empty for none.
    pub version: String,
    /// Its own name, as the form makes it; empty for none.
    pub name: String,
    /// When it was begun, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// The language last shown, as the form names it; empty for the form's default.
    pub language: String,
    /// How many changes could not be carried over and wait for a person to look.
    pub unreplayed: u64,
    /// Whether the server still offers the form version it was begun on; if not, it is finished and sent as it was begun.
    pub offered: bool,
}

impl From<client::DraftSummary> for DraftSummary {
    fn from(draft: client::DraftSummary) -> Self {
        Self {
            id: draft.id.0,
            project: draft.project.0,
            form: draft.form.0,
            title: draft.title,
            form_id: draft.form_id,
            version: draft.version,
            name: draft.name,
            created_at: draft.created_at,
            updated_at: draft.updated_at,
            language: draft.language,
            unreplayed: draft.unreplayed,
            offered: draft.offered,
        }
    }
}

/// A change that could not be carried over when a draft was opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct UnreplayedRow {
    /// What happened: `answer`, `add`, `remove`, `attach`, or a word of another version of the program.
    pub op: String,
    /// Where, as a path; may be empty.
    pub node: String,
    /// The value given; null if an answer was cleared.
    pub value: Option<String>,
    /// When it happened, in milliseconds since 1970.
    pub at: i64,
}

impl From<&client::UnreplayedRow> for UnreplayedRow {
    fn from(row: &client::UnreplayedRow) -> Self {
        Self { op: row.op.clone(), node: row.node.clone(), value: row.value.clone(), at: row.at }
    }
}

/// How far a record is.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum SendState {
    /// To be sent.
    Ready,
    /// Being sent.
    Sending,
    /// To be tried again.
    Waiting {
        /// When, in milliseconds since 1970.
        next_attempt_at: i64,
        /// Why, as a stable code; [`crate::reason_text`] has the words.
        code: String,
    },
    /// The server has it, attachments included.
    Sent {
        /// Since when, in milliseconds since 1970.
        at: i64,
    },
    /// A person has to look.
    NeedsAttention {
        /// Why, as a stable code; [`crate::reason_text`] has the words.
        code: String,
    },
}

/// A finalised record as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RecordSummary {
    /// The record.
    pub id: i64,
    /// Its project.
    pub project: i64,
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
    /// How far it is.
    pub state: SendState,
    /// How often sending was tried.
    pub attempts: u32,
    /// Its size with attachments, in bytes.
    pub bytes: u64,
    /// How many files it has.
    pub attachments: u32,
    /// Whether the server has its answers; files of it may still be missing there.
    pub answers_arrived: bool,
    /// The files that cannot be sent, and why.
    pub problems: Vec<FileProblem>,
}

/// A file that cannot be sent.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FileProblem {
    /// What the answer calls it.
    pub name: String,
    /// Why, as a stable code; [`crate::file_problem_text`] has the words.
    pub code: String,
}

impl From<store::FileProblem> for FileProblem {
    fn from(problem: store::FileProblem) -> Self {
        Self { name: problem.name, code: problem.code }
    }
}

impl From<client::RecordSummary> for RecordSummary {
    fn from(record: client::RecordSummary) -> Self {
        let state = match record.state {
            RecordState::Ready => SendState::Ready,
            RecordState::Sending => SendState::Sending,
            RecordState::Waiting { next_attempt_at, reason } => {
                SendState::Waiting { next_attempt_at, code: reason.code }
            }
            RecordState::Sent { at } => SendState::Sent { at },
            RecordState::NeedsAttention(reason) => SendState::NeedsAttention { code: reason.code },
        };
        Self {
            id: record.id.0,
            project: record.project.0,
            instance_id: record.instance_id,
            form_id: record.form_id,
            title: record.title,
            name: record.name,
            finalized_at: record.finalized_at,
            state,
            attempts: record.attempts,
            bytes: record.bytes,
            attachments: record.attachments,
            answers_arrived: record.answers_arrived,
            problems: record.problems.into_iter().map(Into::into).collect(),
        }
    }
}

/// What stays of a record that was sent and forgotten.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Receipt {
    /// Its instanceID.
    pub instance_id: String,
    /// Its form's id.
    pub form_id: String,
    /// Its form's version; empty for none.
    pub version: String,
    /// When it was finalised, in milliseconds since 1970.
    pub finalized_at: i64,
    /// When the server had it, in milliseconds since 1970.
    pub sent_at: i64,
}

impl From<store::Receipt> for Receipt {
    fn from(receipt: store::Receipt) -> Self {
        Self {
            instance_id: receipt.instance_id,
            form_id: receipt.form_id,
            version: receipt.version,
            finalized_at: receipt.finalized_at,
            sent_at: receipt.sent_at,
        }
    }
}

/// What came of giving records up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Discarded {
    /// How many are gone.
    pub records: u64,
    /// How many stayed: a sending has them on the road, or they could not be exported whole.
    pub kept: u64,
}

impl From<client::Discarded> for Discarded {
    fn from(discarded: client::Discarded) -> Self {
        Self { records: discarded.records as u64, kept: discarded.kept as u64 }
    }
}

/// A file of a draft or record; [`crate::Client::attachment_read`] has its bytes.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AttachmentSummary {
    /// The file.
    pub id: i64,
    /// What the answer calls it.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When the server had it, in milliseconds since 1970; null if it has not.
    pub sent_at: Option<i64>,
    /// The code of why it cannot be sent; null if nothing is known of that.
    pub problem: Option<String>,
}

impl From<store::Attachment> for AttachmentSummary {
    fn from(attachment: store::Attachment) -> Self {
        Self {
            id: attachment.id.0,
            name: attachment.name,
            bytes: attachment.size,
            sent_at: attachment.sent_at,
            problem: Some(attachment.problem).filter(|code| !code.is_empty()),
        }
    }
}

/// What an opening found.
#[derive(Clone, Debug, uniffi::Record)]
pub struct OpeningReport {
    /// The program was stopped, and the log of its last changes has gone since: the newest answers may be missing.
    pub log_lost: bool,
    /// Nothing can be written here: what is there can be read, exported and sent, and no answer can be given.
    pub is_read_only: bool,
    /// The database was damaged, and this became of it.
    pub salvage: Option<Salvage>,
}

impl From<client::OpeningReport> for OpeningReport {
    fn from(report: client::OpeningReport) -> Self {
        Self {
            log_lost: report.log_lost,
            is_read_only: report.is_read_only,
            salvage: report.salvage.map(Salvage::from),
        }
    }
}

/// What became of a damaged database: it was put aside, and what could be read of it is in a new one.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Salvage {
    /// The name of the quarantine with the damaged files.
    pub quarantine: String,
    /// Drafts; a damaged one may have lost some of its changes.
    pub drafts: Tally,
    /// Records.
    pub records: Tally,
    /// Forms; a damaged one is empty until it is downloaded again.
    pub forms: Tally,
    /// Every row was proved to be what was written. If not, whoever knows the answers should look at them.
    pub is_proved: bool,
    /// Nothing could be read, and the new database is empty.
    pub is_illegible: bool,
}

/// How many of one kind a damaged database has held.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct Tally {
    /// There, the damaged ones included.
    pub salvaged: u64,
    /// There, and not complete.
    pub damaged: u64,
    /// Only in the quarantine.
    pub lost: u64,
}

impl From<client::Salvage> for Salvage {
    fn from(salvage: client::Salvage) -> Self {
        Self {
            quarantine: salvage.quarantine,
            drafts: salvage.drafts.into(),
            records: salvage.records.into(),
            forms: salvage.forms.into(),
            is_proved: salvage.is_proved,
            is_illegible: salvage.is_illegible,
        }
    }
}

impl From<client::Tally> for Tally {
    fn from(tally: client::Tally) -> Self {
        Self { salvaged: tally.salvaged, damaged: tally.damaged, lost: tally.lost }
    }
}

/// A damaged database that was put aside.
#[derive(Clone, Debug, uniffi::Record)]
pub struct QuarantineSummary {
    /// Its name: when it was put aside, in UTC.
    pub name: String,
    /// What it takes on the disk.
    pub bytes: u64,
}

impl From<client::QuarantineSummary> for QuarantineSummary {
    fn from(quarantine: client::QuarantineSummary) -> Self {
        Self { name: quarantine.name, bytes: quarantine.size }
    }
}

/// What a look through the home found.
#[derive(Clone, Debug, uniffi::Record)]
pub struct MaintenanceReport {
    /// The database did not hold together, and this became of it.
    pub salvage: Option<Salvage>,
    /// Files that are not there or have another length.
    pub missing: Vec<MissingFile>,
    /// Files that nothing names and that are kept for now.
    pub n_strays: u64,
    /// Files that nothing had named for a month, deleted.
    pub n_deleted: u64,
    /// Bytes of disk that the database has given back.
    pub bytes_freed: u64,
}

/// A file of an answer that is not there.
#[derive(Clone, Debug, uniffi::Record)]
pub struct MissingFile {
    /// The file.
    pub attachment: i64,
    /// The draft it belongs to.
    pub draft: Option<i64>,
    /// The record it belongs to.
    pub record: Option<i64>,
}

impl From<client::MaintenanceReport> for MaintenanceReport {
    fn from(report: client::MaintenanceReport) -> Self {
        let missing = |file: &store::MissingFile| MissingFile {
            attachment: file.attachment.0,
            draft: file.draft.map(|draft| draft.0),
            record: file.submission.map(|record| record.0),
        };
        Self {
            salvage: report.salvage.map(Salvage::from),
            missing: report.missing.iter().map(missing).collect(),
            n_strays: report.n_strays,
            n_deleted: report.n_deleted,
            bytes_freed: report.bytes_freed,
        }
    }
}

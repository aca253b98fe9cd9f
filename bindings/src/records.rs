//! Rows of lists: plain records, each converted from the core's type of the same name.

use veldwerk::form::Diagnostic;
use veldwerk::store::RecordState;
use veldwerk::{client, sync};

/// A project as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ProjectSummary {
    /// The project.
    pub id: i64,
    /// The name people see.
    pub name: String,
    /// Scheme, host and port of the server.
    pub server: String,
    /// The user it signs in as; null with a token.
    pub user: Option<String>,
}

impl From<client::ProjectSummary> for ProjectSummary {
    fn from(project: client::ProjectSummary) -> Self {
        Self { id: project.id.0, name: project.name, server: project.server, user: project.user }
    }
}

/// A form version as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FormSummary {
    /// The form version.
    pub id: i64,
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title.
    pub title: String,
    /// Whether the server still lists it.
    pub listed: bool,
}

impl From<client::FormSummary> for FormSummary {
    fn from(form: client::FormSummary) -> Self {
        Self { id: form.key.0, form_id: form.form_id, version: form.version, title: form.title, listed: form.listed }
    }
}

/// Something in a form that its author should know.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Notice {
    /// Stable code of `docs/errors.md`.
    pub code: String,
    /// Where in the form.
    pub place: String,
    /// In words.
    pub text: String,
}

impl From<Diagnostic> for Notice {
    fn from(notice: Diagnostic) -> Self {
        let text = if notice.detail.is_empty() { notice.kind.sentence().to_owned() } else { notice.detail };
        Self { code: notice.kind.code().to_owned(), place: notice.place, text }
    }
}

/// What a refresh did with one form.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FormOutcome {
    /// The form's id.
    pub form_id: String,
    /// Its title.
    pub title: String,
    /// Whether anything was fetched.
    pub changed: bool,
    /// Why it could not be brought up to date; null if it is.
    pub problem: Option<Problem>,
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
        Self { form_id: form.form_id, title: form.title, changed, problem }
    }
}

/// A draft as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DraftSummary {
    /// The draft.
    pub id: i64,
    /// The form's title.
    pub title: String,
    /// The form's id.
    pub form_id: String,
    /// The form's version; empty for none.
    pub version: String,
    /// When it was begun, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

impl From<client::DraftSummary> for DraftSummary {
    fn from(draft: client::DraftSummary) -> Self {
        Self {
            id: draft.id.0,
            title: draft.title,
            form_id: draft.form_id,
            version: draft.version,
            created_at: draft.created_at,
            updated_at: draft.updated_at,
        }
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
    /// Its instanceID.
    pub instance_id: String,
    /// Its form's title.
    pub title: String,
    /// When it was finalised, in milliseconds since 1970.
    pub finalized_at: i64,
    /// How far it is.
    pub state: SendState,
    /// How often sending was tried.
    pub attempts: u32,
    /// Its size with attachments, in bytes.
    pub bytes: u64,
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
            instance_id: record.instance_id,
            title: record.title,
            finalized_at: record.finalized_at,
            state,
            attempts: record.attempts,
            bytes: record.bytes,
        }
    }
}

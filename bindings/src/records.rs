//! What crosses the border: plain records, each converted from the core's type of the same name.

use veldwerk::form::{ControlKind, DataType, Diagnostic};
use veldwerk::ids::NodeId;
use veldwerk::session::{self, FormSession};
use veldwerk::store::RecordState;
use veldwerk::{client, sync, text};

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
    pub problem: Option<String>,
}

impl From<sync::FormOutcome> for FormOutcome {
    fn from(form: sync::FormOutcome) -> Self {
        let (changed, problem) = match form.outcome {
            Ok(outcome) => (outcome != sync::Outcome::UpToDate, None),
            Err(error) => (false, Some(error.to_string())),
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
        /// Stable code.
        code: String,
        /// In words a person can act on.
        text: String,
    },
    /// The server has it, attachments included.
    Sent {
        /// Since when, in milliseconds since 1970.
        at: i64,
    },
    /// A person has to look.
    NeedsAttention {
        /// Stable code.
        code: String,
        /// In words a person can act on.
        text: String,
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
                SendState::Waiting { next_attempt_at, code: reason.code, text: reason.text }
            }
            RecordState::Sent { at } => SendState::Sent { at },
            RecordState::NeedsAttention(reason) => SendState::NeedsAttention { code: reason.code, text: reason.text },
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

/// A language of a form.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Language {
    /// Its name, as the form writes it.
    pub name: String,
    /// Its BCP 47 tag; null if the form gives none.
    pub tag: Option<String>,
    /// Whether it is written from right to left; null if the tag does not tell.
    pub right_to_left: Option<bool>,
}

impl From<&text::Language> for Language {
    fn from(language: &text::Language) -> Self {
        let tag = language.tag.as_ref();
        Self {
            name: language.name.clone(),
            tag: tag.map(|tag| tag.as_str().to_owned()),
            right_to_left: tag.map(|tag| tag.direction() == text::Direction::RightToLeft),
        }
    }
}

/// A run of letters that look the same.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Span {
    /// The letters.
    pub text: String,
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Red, green and blue in one number `0xRRGGBB`; null for the usual colour.
    pub color: Option<u32>,
    /// Where a tap leads: http, https, mailto or tel.
    pub link: Option<String>,
}

/// A paragraph or heading.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Block {
    /// 1 to 6 for a heading, 0 for a paragraph.
    pub heading: u8,
    /// Its runs in order.
    pub spans: Vec<Span>,
}

/// A text for people: Markdown made safe, with its language and direction.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Text {
    /// Its blocks in order.
    pub blocks: Vec<Block>,
    /// The letters alone.
    pub plain: String,
    /// BCP 47 tag of the language it is in; null if unknown.
    pub language: Option<String>,
    /// Whether it runs from right to left.
    pub right_to_left: bool,
    /// Whether it stands in for a missing translation.
    pub fallback: bool,
}

impl From<&text::Text> for Text {
    fn from(text: &text::Text) -> Self {
        let span = |span: &text::Span| Span {
            text: span.text.clone(),
            bold: span.style.bold,
            italic: span.style.italic,
            color: span
                .style
                .color
                .map(|color| u32::from(color.red) << 16 | u32::from(color.green) << 8 | u32::from(color.blue)),
            link: span.style.link.clone(),
        };
        let block = |block: &text::Block| Block {
            heading: match block.kind {
                text::BlockKind::Heading(level) => level,
                text::BlockKind::Paragraph(_) => 0,
            },
            spans: block.spans.iter().map(span).collect(),
        };
        Self {
            blocks: text.blocks.iter().map(block).collect(),
            plain: text.plain.clone(),
            language: text.language.clone(),
            right_to_left: text.direction == text::Direction::RightToLeft,
            fallback: text.fallback,
        }
    }
}

/// Kinds of questions; an app has a widget for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum QuestionKind {
    /// A field, by the type of the answer.
    Input,
    /// A field that hides what is typed.
    Secret,
    /// One of the choices.
    SelectOne,
    /// Any of the choices.
    SelectMany,
    /// All choices in an order.
    Rank,
    /// A number on a scale.
    Range,
    /// An acknowledgement: the value `OK`.
    Trigger,
    /// A picture, sound, video or file.
    Upload,
}

impl QuestionKind {
    fn of(control: ControlKind) -> Self {
        match control {
            ControlKind::Secret => Self::Secret,
            ControlKind::Select1 => Self::SelectOne,
            ControlKind::Select => Self::SelectMany,
            ControlKind::Rank => Self::Rank,
            ControlKind::Range => Self::Range,
            ControlKind::Trigger => Self::Trigger,
            ControlKind::Upload => Self::Upload,
            // Containers are never asked.
            ControlKind::Input | ControlKind::Group | ControlKind::Repeat => Self::Input,
        }
    }
}

/// Types of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
#[expect(missing_docs, reason = "each is the type of its name")]
pub enum AnswerType {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Time,
    DateTime,
    Geopoint,
    Geotrace,
    Geoshape,
    Barcode,
    File,
}

impl From<DataType> for AnswerType {
    fn from(data_type: DataType) -> Self {
        match data_type {
            DataType::String => Self::Text,
            DataType::Int => Self::Integer,
            DataType::Decimal => Self::Decimal,
            DataType::Boolean => Self::Boolean,
            DataType::Date => Self::Date,
            DataType::Time => Self::Time,
            DataType::DateTime => Self::DateTime,
            DataType::Geopoint => Self::Geopoint,
            DataType::Geotrace => Self::Geotrace,
            DataType::Geoshape => Self::Geoshape,
            DataType::Barcode => Self::Barcode,
            DataType::Binary => Self::File,
        }
    }
}

/// Bare names of media files; [`crate::Client::media_path`] tells where they lie.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(missing_docs, reason = "each is the medium of its name")]
pub struct Media {
    pub image: Option<String>,
    pub audio: Option<String>,
    pub video: Option<String>,
}

impl From<&session::Media> for Media {
    fn from(media: &session::Media) -> Self {
        Self { image: media.image.clone(), audio: media.audio.clone(), video: media.video.clone() }
    }
}

/// One choice as it is shown.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ChoiceView {
    /// The value stored.
    pub value: String,
    /// Its words.
    pub label: Text,
    /// Picture, sound and video.
    pub media: Media,
    /// Whether it is (part of) the answer.
    pub chosen: bool,
}

/// One question as it is shown.
#[derive(Clone, Debug, uniffi::Record)]
pub struct QuestionView {
    /// Its path, with positions: how calls name it.
    pub node: String,
    /// Kind of question.
    pub kind: QuestionKind,
    /// Type of the answer.
    pub answer_type: AnswerType,
    /// `appearance`, as the form writes it.
    pub appearance: String,
    /// The question.
    pub label: Text,
    /// The explanation under it.
    pub hint: Option<Text>,
    /// More explanation, on request.
    pub guidance: Option<Text>,
    /// Picture, sound and video.
    pub media: Media,
    /// What is offered, in order.
    pub choices: Vec<ChoiceView>,
    /// The answer, in the lexical form of the submission.
    pub value: String,
    /// The answer as a person reads it.
    pub shown_value: String,
    /// It only shows.
    pub readonly: bool,
    /// It must be answered.
    pub required: bool,
    /// The header row of a grid: shown, not asked.
    pub header: bool,
    /// What is wrong with the answer now.
    pub violation: Option<Violation>,
}

impl From<&session::QuestionView> for QuestionView {
    fn from(question: &session::QuestionView) -> Self {
        let choice = |choice: &session::ChoiceView| ChoiceView {
            value: choice.value.clone(),
            label: (&choice.label).into(),
            media: (&choice.media).into(),
            chosen: choice.chosen,
        };
        Self {
            node: question.path.clone(),
            kind: QuestionKind::of(question.control),
            answer_type: question.data_type.into(),
            appearance: question.appearance.clone(),
            label: (&question.label).into(),
            hint: question.hint.as_ref().map(Into::into),
            guidance: question.guidance.as_ref().map(Into::into),
            media: (&question.media).into(),
            choices: question.choices.iter().map(choice).collect(),
            value: question.value.clone(),
            shown_value: question.shown_value.clone(),
            readonly: question.readonly,
            required: question.required,
            header: question.header,
            violation: question.violation.as_ref().map(Into::into),
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Violation {
    /// The question.
    pub node: String,
    /// Whether an answer is missing, as against one that breaks the constraint.
    pub missing: bool,
    /// What the form says about it; empty if it says nothing.
    pub text: Text,
}

impl From<&session::Violation> for Violation {
    fn from(violation: &session::Violation) -> Self {
        Self {
            node: violation.path.clone(),
            missing: violation.kind == session::ViolationKind::Required,
            text: (&violation.text).into(),
        }
    }
}

/// Kinds of screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ScreenKind {
    /// One question.
    Question,
    /// Several questions together.
    FieldList,
    /// "Another?": `range` is what to add to.
    Add,
    /// After the last question.
    End,
}

/// What one screen shows.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ScreenView {
    /// The screen's name.
    pub name: String,
    /// What kind of screen.
    pub kind: ScreenKind,
    /// Headings, outermost first.
    pub path: Vec<Text>,
    /// Its questions in order.
    pub questions: Vec<QuestionView>,
    /// Screens before this one.
    pub done: u64,
    /// Screens in all, the end not counted.
    pub total: u64,
    /// On an `Add` screen the range to add to.
    pub range: Option<String>,
    /// At the end: what stands in the way of finalising.
    pub violations: Vec<Violation>,
}

impl ScreenView {
    pub(crate) fn of(session: &FormSession, screen: &session::ScreenView) -> Self {
        let name = session.screen_path(&screen.key);
        Self {
            kind: match screen.kind {
                session::ScreenKind::Question => ScreenKind::Question,
                session::ScreenKind::FieldList => ScreenKind::FieldList,
                session::ScreenKind::Add => ScreenKind::Add,
                session::ScreenKind::End => ScreenKind::End,
            },
            path: screen.path.iter().map(Into::into).collect(),
            questions: screen.questions.iter().map(Into::into).collect(),
            done: screen.progress.done as u64,
            total: screen.progress.total as u64,
            range: name.strip_suffix('+').map(str::to_owned),
            violations: screen.violations.iter().map(Into::into).collect(),
            name,
        }
    }
}

/// What a change did, as data: apply it to what is drawn.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Changes {
    /// Questions that look different now.
    pub questions: Vec<QuestionView>,
    /// Instances of repeats that are new.
    pub added: Vec<String>,
    /// Whether an instance of a repeat is gone.
    pub removed: bool,
    /// Whether every text changed.
    pub language: bool,
}

impl Changes {
    pub(crate) fn of(session: &FormSession, changes: &session::Changes) -> Self {
        let question = |&node: &NodeId| session.question_at(node).as_ref().map(QuestionView::from);
        Self {
            questions: changes.touched.iter().filter_map(question).collect(),
            added: changes.added.iter().map(|&node| session.path(node)).collect(),
            removed: !changes.removed.is_empty(),
            language: changes.language,
        }
    }
}

/// What `next` does with violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum MovePolicy {
    /// It refuses while a question of the screen violates.
    OnMove,
    /// It never refuses; finalising does.
    OnFinalize,
}

/// What came of a move.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Moved {
    /// The next screen.
    To {
        /// What it shows.
        screen: ScreenView,
    },
    /// The screen stays.
    Refused {
        /// What stands in the way.
        violations: Vec<Violation>,
    },
}

/// What came of finalising.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Finalization {
    /// The record is in the outbox.
    Finalized {
        /// The record.
        record: i64,
        /// Its instanceID.
        instance_id: String,
    },
    /// Nothing has changed.
    Refused {
        /// What stands in the way.
        violations: Vec<Violation>,
    },
}

impl From<client::Finalization> for Finalization {
    fn from(finalization: client::Finalization) -> Self {
        match finalization {
            client::Finalization::Finalized { record, instance_id } => {
                Self::Finalized { record: record.0, instance_id }
            }
            client::Finalization::Violations(violations) => {
                Self::Refused { violations: violations.iter().map(Into::into).collect() }
            }
        }
    }
}

//! What a screen shows: plain records, each converted from the core's type of the same name.

use veldwerk::form::{ControlKind, DataType};
use veldwerk::session::{self, FormSession};
use veldwerk::{client, text};

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
    /// A family of fonts, as CSS names it; null for the usual one.
    pub font: Option<String>,
    /// Where a tap leads: http, https, mailto or tel.
    pub link: Option<String>,
}

/// To which side the lines of a paragraph are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Alignment {
    /// Where reading begins.
    Start,
    /// The middle.
    Center,
    /// Where reading ends.
    End,
    /// Left, whatever the language.
    Left,
    /// Right, whatever the language.
    Right,
}

impl From<text::Align> for Alignment {
    fn from(align: text::Align) -> Self {
        match align {
            text::Align::Start => Self::Start,
            text::Align::Center => Self::Center,
            text::Align::End => Self::End,
            text::Align::Left => Self::Left,
            text::Align::Right => Self::Right,
        }
    }
}

/// A paragraph or heading.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Block {
    /// 1 to 6 for a heading, 0 for a paragraph.
    pub heading: u8,
    /// To which side its lines are moved.
    pub alignment: Alignment,
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
            font: span.style.font.clone(),
            link: span.style.link.clone(),
        };
        let block = |block: &text::Block| Block {
            heading: match block.kind {
                text::BlockKind::Heading(level) => level,
                text::BlockKind::Paragraph(_) => 0,
            },
            alignment: match block.kind {
                text::BlockKind::Paragraph(align) => align.into(),
                text::BlockKind::Heading(_) => Alignment::Start,
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
            DataType::Int | DataType::Long => Self::Integer,
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
#[expect(missing_docs, reason = "the others are the media of their names")]
pub struct Media {
    pub image: Option<String>,
    /// The picture shown large when the other is touched.
    pub big_image: Option<String>,
    pub audio: Option<String>,
    pub video: Option<String>,
}

impl From<&session::Media> for Media {
    fn from(media: &session::Media) -> Self {
        Self {
            image: media.image.clone(),
            big_image: media.big_image.clone(),
            audio: media.audio.clone(),
            video: media.video.clone(),
        }
    }
}

/// One choice as it is shown.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ChoiceView {
    /// Its place among all that is offered, from 0.
    pub index: u64,
    /// The value stored.
    pub value: String,
    /// Its words.
    pub label: Text,
    /// Picture, sound and video.
    pub media: Media,
    /// Whether it is (part of) the answer.
    pub chosen: bool,
}

impl From<&session::ChoiceView> for ChoiceView {
    fn from(choice: &session::ChoiceView) -> Self {
        Self {
            index: choice.index as u64,
            value: choice.value.clone(),
            label: (&choice.label).into(),
            media: (&choice.media).into(),
            chosen: choice.chosen,
        }
    }
}

/// Some of the choices of a question.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ChoiceList {
    /// The choices asked for, in the order of the form.
    pub choices: Vec<ChoiceView>,
    /// How many are found in all.
    pub total: u64,
    /// As in [`QuestionView`].
    pub too_much: bool,
}

impl From<session::ChoiceList> for ChoiceList {
    fn from(list: session::ChoiceList) -> Self {
        Self {
            choices: list.choices.iter().map(Into::into).collect(),
            total: list.total as u64,
            too_much: list.too_much,
        }
    }
}

/// Bounds, limits and looks of one question; what the form does not say is null.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Widget {
    /// The words of `appearance`, in lower case; what stands in parentheses stays with its word, as written.
    pub appearances: Vec<String>,
    /// Of a range with usable bounds.
    pub scale: Option<Scale>,
    /// Of an upload.
    pub upload: Option<Upload>,
    /// Of a place, a line or an area.
    pub place: Option<Place>,
    /// Of an answer that is typed with digits.
    pub number: Option<Number>,
    /// Rows of a text field.
    pub rows: Option<u32>,
    /// The medium that plays by itself when the question appears: `audio` or `video`.
    pub autoplay: Option<String>,
    /// The program that answers instead.
    pub intent: Option<String>,
}

/// The scale of a range. It may run downwards.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Scale {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// From one value to the next; above 0.
    pub step: f64,
    /// Digits behind the point with which an answer is written.
    pub decimals: u32,
    /// From one tick to the next; their labels are the question's choices.
    pub tick_interval: Option<f64>,
    /// Where the mark stands before there is an answer; it is no answer.
    pub placeholder: Option<f64>,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
#[expect(missing_docs, reason = "each is the medium of its name; `File` is any other")]
pub enum Medium {
    Image,
    Audio,
    Video,
    File,
}

/// What a file may be.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Upload {
    /// What it shows.
    pub medium: Medium,
    /// `mediatype`, as the form writes it.
    pub mediatype: String,
    /// Extensions and media types that are taken; empty for all of `mediatype`.
    pub accept: Vec<String>,
    /// Longest edge of a picture, in pixels.
    pub max_pixels: Option<u32>,
    /// Quality of a recording: `voice-only`, `low`, `normal`, `external`.
    pub quality: Option<String>,
}

/// How exact a place must be, in metres.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Place {
    /// A fix this exact may be taken at once.
    pub accuracy: f64,
    /// A fix less exact than this is pointed out, and taken all the same.
    pub unacceptable_accuracy: f64,
    /// Points are written as they are captured.
    pub incremental: bool,
    /// A made-up place is fine.
    pub allows_mock: bool,
}

/// How a number is typed.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Number {
    /// Whether it may have a fraction.
    pub is_decimal: bool,
    /// Longest text of it; null for no limit.
    pub max_length: Option<u32>,
}

impl From<&session::Widget> for Widget {
    fn from(widget: &session::Widget) -> Self {
        Self {
            appearances: widget.appearances.clone(),
            scale: widget.scale.as_ref().map(|scale| Scale {
                start: scale.start,
                end: scale.end,
                step: scale.step,
                decimals: scale.decimals,
                tick_interval: scale.tick_interval,
                placeholder: scale.placeholder,
            }),
            upload: widget.upload.as_ref().map(|upload| Upload {
                medium: match upload.medium {
                    session::Medium::Image => Medium::Image,
                    session::Medium::Audio => Medium::Audio,
                    session::Medium::Video => Medium::Video,
                    session::Medium::File => Medium::File,
                },
                mediatype: upload.mediatype.clone(),
                accept: upload.accept.clone(),
                max_pixels: upload.max_pixels,
                quality: upload.quality.clone(),
            }),
            place: widget.place.as_ref().map(|place| Place {
                accuracy: place.accuracy,
                unacceptable_accuracy: place.unacceptable_accuracy,
                incremental: place.incremental,
                allows_mock: place.allows_mock,
            }),
            number: widget.number.map(|number| Number { is_decimal: number.is_decimal, max_length: number.max_length }),
            rows: widget.rows,
            autoplay: widget.autoplay.clone(),
            intent: widget.intent.clone(),
        }
    }
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
    /// The question.
    pub label: Text,
    /// The explanation under it.
    pub hint: Option<Text>,
    /// More explanation, on request.
    pub guidance: Option<Text>,
    /// Picture, sound and video.
    pub media: Media,
    /// What is offered, in order; of more than a hundred only what is chosen, and
    /// [`crate::DraftSession::choices`] gives the others. Of a range the labels of its ticks.
    pub choices: Vec<ChoiceView>,
    /// How many choices are offered in all.
    pub n_choices: u64,
    /// Whether finding out what is offered is too much work, so that nothing is: say so (`error.download_too_large` has words)
    /// rather than show an empty list.
    pub too_much: bool,
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
    /// Bounds, limits and looks.
    pub widget: Widget,
}

impl From<&session::QuestionView> for QuestionView {
    fn from(question: &session::QuestionView) -> Self {
        Self {
            node: question.path.clone(),
            kind: QuestionKind::of(question.control),
            answer_type: question.data_type.into(),
            label: (&question.label).into(),
            hint: question.hint.as_ref().map(Into::into),
            guidance: question.guidance.as_ref().map(Into::into),
            media: (&question.media).into(),
            choices: question.choices.iter().map(Into::into).collect(),
            n_choices: question.n_choices as u64,
            too_much: question.too_much,
            value: question.value.clone(),
            shown_value: question.shown_value.clone(),
            readonly: question.readonly,
            required: question.required,
            header: question.header,
            violation: question.violation.as_ref().map(Into::into),
            widget: (&question.widget).into(),
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

/// An instance of a repeat around a screen.
#[derive(Clone, Debug, uniffi::Record)]
pub struct InstanceView {
    /// Its path, by which [`crate::DraftSession::remove_repeat`] names it.
    pub node: String,
    /// Which one it is, from 1.
    pub position: u64,
    /// Of how many.
    pub of: u64,
    /// Whether the person may remove it, and add others.
    pub may_change: bool,
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
    /// The instances of repeats around it, outermost first.
    pub instances: Vec<InstanceView>,
    /// Screens before this one.
    pub done: u64,
    /// Screens in all, the end not counted.
    pub total: u64,
    /// On an `Add` screen the range to add to.
    pub range: Option<String>,
    /// At the end: what stands in the way of finalising.
    pub violations: Vec<Violation>,
}

impl From<&session::InstanceView> for InstanceView {
    fn from(instance: &session::InstanceView) -> Self {
        Self {
            node: instance.path.clone(),
            position: instance.position as u64,
            of: instance.of as u64,
            may_change: instance.may_change,
        }
    }
}

impl ScreenView {
    /// What the current screen shows.
    pub(crate) fn current(session: &FormSession) -> Self {
        let screen = &session.screen(&session.current());
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
            instances: screen.instances.iter().map(Into::into).collect(),
            done: screen.progress.done as u64,
            total: screen.progress.total as u64,
            range: name.strip_suffix('+').map(str::to_owned),
            violations: screen.violations.iter().map(Into::into).collect(),
            name,
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
    /// It went on: this is the next screen.
    To {
        /// What it shows.
        screen: ScreenView,
    },
    /// The screen stays.
    Refused {
        /// What it shows.
        screen: ScreenView,
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
        /// Names of the files that the server will not take, as far as it has said so; the answers go all the same.
        too_large: Vec<String>,
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
            client::Finalization::Finalized { record, instance_id, too_large } => Self::Finalized {
                record: record.0,
                instance_id,
                too_large: too_large.into_iter().map(|file| file.name).collect(),
            },
            client::Finalization::Violations(violations) => {
                Self::Refused { violations: violations.iter().map(Into::into).collect() }
            }
        }
    }
}

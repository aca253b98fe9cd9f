//! What is drawn at one moment.

use serde::Serialize;
use veldwerk::session;

use crate::action::Action;
use crate::text::UiText;

/// All that is needed to draw one moment. Equal views look equal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiView"))]
pub struct View {
    /// Which view this is: an act names the one that it was made on. It changes with every act, and where another place is shown.
    pub rev: u64,
    /// The language that lays out the screen, as a BCP 47 tag.
    pub language: String,
    /// Whether the screen is laid out from right to left.
    pub right_to_left: bool,
    /// What stands at the top: the way out, the language.
    pub bar: Vec<Button>,
    /// How far a questionnaire is.
    pub progress: Option<Progress>,
    /// The screen.
    pub screen: Screen,
    /// What stands at the bottom and never moves.
    pub dock: Dock,
    /// What lies over the screen.
    pub sheet: Option<Sheet>,
    /// What a screen reader is to say now.
    pub announce: Option<Announcement>,
    /// The id of what has the focus.
    pub focus: Option<String>,
    /// What did not work, and that nothing is lost: a calm line until the next act.
    pub trouble: Option<UiText>,
    /// What takes longer than a second, in words.
    pub busy: Option<UiText>,
    /// When a `Tick` is wanted, in milliseconds since 1970.
    pub wake_at: Option<i64>,
}

/// What a screen reader says, once per `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiAnnouncement"))]
pub struct Announcement {
    /// Counts the announcements.
    pub seq: u64,
    /// What is said.
    pub text: UiText,
    /// Whether it interrupts.
    pub assertive: bool,
}

/// The screens (screens.md §7).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiScreen"))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each holds what the screen of its name shows")]
pub enum Screen {
    Language(LanguageScreen),
    Join(JoinScreen),
    JoinCheck(JoinCheckScreen),
    Home(HomeScreen),
    Question(QuestionScreen),
    Overview(OverviewScreen),
    Review(ReviewScreen),
    Done(DoneScreen),
    Settings(SettingsScreen),
    Privacy(PrivacyScreen),
    Erase(EraseScreen),
    Erased(ErasedScreen),
    Cover(CoverScreen),
    Trouble(TroubleScreen),
}

/// What lies over a screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiSheet"))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sheet {
    /// Another language.
    Language {
        /// What it asks.
        title: UiText,
        /// What stays as it is.
        explain: UiText,
        /// A row per language, in its own words.
        rows: Vec<Button>,
        /// Closes it.
        close: Button,
    },
    /// Whether to stop for now.
    Stop {
        /// What happens to the answers.
        explain: UiText,
        /// Stops.
        stop: Button,
        /// Goes on.
        go_on: Button,
    },
    /// Whether an instance of a repeat is really to go.
    Delete {
        /// What it asks.
        title: UiText,
        /// Which one.
        which: UiText,
        /// Deletes it.
        delete: Button,
        /// Leaves it.
        cancel: Button,
    },
}

/// The languages of the app, each in its own words; nothing else is said, for nobody has chosen yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiLanguageScreen"))]
pub struct LanguageScreen {
    /// What a screen reader says; it is not shown.
    pub spoken: UiText,
    /// A row per language.
    pub rows: Vec<LanguageRow>,
}

/// A language to choose.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiLanguageRow"))]
pub struct LanguageRow {
    /// Its own name.
    pub button: Button,
    /// "Welcome" in it.
    pub welcome: UiText,
}

/// The way into a study.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiJoinScreen"))]
pub struct JoinScreen {
    /// What it is.
    pub title: UiText,
    /// What to do.
    pub explain: UiText,
    /// What is not needed.
    pub no_account: UiText,
    /// Scans a code; none where there is no camera.
    pub scan: Option<Button>,
    /// Where a link or a code is put.
    pub code: Field,
}

/// Whether the study that was found is the right one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiJoinCheckScreen"))]
pub struct JoinCheckScreen {
    /// What it asks.
    pub title: UiText,
    /// The name of the project.
    pub project: UiText,
    /// The server it is on.
    pub server: UiText,
    /// Who answers, if the code does not say.
    pub who: Option<UiText>,
    /// The answers, equally large.
    pub answers: Vec<Button>,
    /// Leaves it.
    pub cancel: Button,
}

/// The questionnaires.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiHomeScreen"))]
pub struct HomeScreen {
    /// What it is.
    pub title: UiText,
    /// What there is to do: what was begun, then what can be begun, then what was finished.
    pub cards: Vec<Card>,
    /// Said where there is no card.
    pub empty: Option<UiText>,
    /// What else can be done: look for questionnaires, join another study.
    pub more: Vec<Button>,
}

/// One questionnaire on Home.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiCard"))]
pub struct Card {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: UiText,
    /// What is said of it.
    pub lines: Vec<UiText>,
    /// Where its answers are.
    pub stage: Option<StageMark>,
    /// What can be done with it.
    pub button: Option<Button>,
}

/// The five places where answers can be (screens.md §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiStage"))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the state of its name")]
pub enum Stage {
    Saved,
    Waiting,
    Sending,
    Received,
    Attention,
}

/// A stage in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiStageMark"))]
pub struct StageMark {
    /// Which one.
    pub stage: Stage,
    /// Its name.
    pub text: UiText,
    /// What it means now, in a sentence.
    pub explain: UiText,
}

/// How far a questionnaire is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiProgress"))]
pub struct Progress {
    /// Opens Overview.
    pub overview: Button,
    /// Which part, from 1; 0 of 0 in a form without parts.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// The same in words, with the name of the part.
    pub text: UiText,
    /// What a screen reader says.
    pub spoken: UiText,
    /// Said when an answer has just reached the disk.
    pub saved: Option<UiText>,
}

/// The questions of one screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiQuestionScreen"))]
pub struct QuestionScreen {
    /// Labels of the groups around it, outermost first.
    pub headings: Vec<UiText>,
    /// What holds until the person has chosen whether to take part.
    pub promise: Option<UiText>,
    /// Said once, after coming back to a questionnaire that was left.
    pub note: Option<UiText>,
    /// What stands under each other.
    pub items: Vec<Item>,
}

/// One question, or words between questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiItem"))]
pub struct Item {
    /// Its id.
    pub id: String,
    /// What is asked.
    pub label: UiText,
    /// The explanation under it.
    pub hint: Option<UiText>,
    /// More explanation, folded.
    pub guidance: Option<Fold>,
    /// Bare names of the form's own files beside the label.
    pub media: Media,
    /// What is wrong with the answer.
    pub complaint: Option<Complaint>,
    /// Said where the answer cannot be changed.
    pub read_only: Option<UiText>,
    /// Whether it must be answered.
    pub required: bool,
    /// How it is answered.
    pub control: Control,
}

/// Files of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiMedia"))]
#[expect(missing_docs, reason = "each is the medium of its name")]
pub struct Media {
    pub image: Option<String>,
    pub audio: Option<String>,
    pub video: Option<String>,
}

/// Text that opens on request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiFold"))]
pub struct Fold {
    /// Opens and closes it.
    pub button: Button,
    /// What it says, while it is open.
    pub text: Option<UiText>,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiComplaint"))]
pub struct Complaint {
    /// Asks for another look.
    pub title: UiText,
    /// What is wrong: the form's own words, else ours.
    pub text: UiText,
    /// What a screen reader says.
    pub spoken: UiText,
}

/// How a question is answered (screens.md §6).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiControl"))]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Nothing to answer.
    Note,
    /// Something is typed.
    Field(Field),
    /// One or more are chosen from a list.
    Choices(Choices),
    /// Answers that are the buttons of the screen, equally large; choosing one goes on.
    Decision {
        /// The answers, in the order of the form.
        answers: Vec<Button>,
    },
    /// Up to eleven steps, each a button.
    Levels {
        /// One per step, in order.
        steps: Vec<Button>,
        /// What the ends mean; empty where the form does not say.
        ends: Vec<UiText>,
    },
    /// Something that is read and ticked.
    Tick(Button),
    /// A file is chosen.
    File {
        /// The name of what was chosen; none yet.
        chosen: Option<UiText>,
        /// Chooses one.
        choose: Button,
        /// Takes it away.
        delete: Option<Button>,
    },
    /// Rounds of a repeat: those that are there, and another.
    Rounds {
        /// One per round; leads into it.
        rounds: Vec<Button>,
        /// Adds one.
        add: Button,
        /// Goes on.
        done: Button,
        /// Takes the last away.
        delete: Option<Button>,
    },
    /// For this no phone of today has a control.
    Unsupported(UiText),
}

/// A list to choose from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiChoices"))]
pub struct Choices {
    /// Whether more than one can be chosen.
    pub many: bool,
    /// Whether the order of choosing counts.
    pub ranked: bool,
    /// Whether the rows stand beside each other as steps of a scale.
    pub scale: bool,
    /// The rows shown; of a long list those that are found, up to a page, and always those that are chosen.
    pub rows: Vec<ChoiceRow>,
    /// How many are offered, or found.
    pub total: u32,
    /// Where letters to look for are typed; only over a long list.
    pub search: Option<Field>,
    /// How many are found.
    pub found: Option<UiText>,
    /// How many are chosen.
    pub chosen: Option<UiText>,
    /// How to answer, where the form does not say.
    pub how: Option<UiText>,
}

/// One row to choose.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiChoiceRow"))]
pub struct ChoiceRow {
    /// Its words, and what touching it does.
    pub button: Button,
    /// Files of its label.
    pub media: Media,
    /// Its place in the order, from 1, where order counts.
    pub rank: Option<u32>,
    /// Whether it stands apart at the end: "I don't know", "prefer not to say".
    pub apart: bool,
}

/// Where something is typed. Its text belongs to the shell while it is typed: it is replaced only when `rev` changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiField"))]
pub struct Field {
    /// Its id.
    pub id: String,
    /// What stands in it.
    pub text: String,
    /// Changes when the shell must take `text` over.
    pub rev: u64,
    /// What is typed.
    pub keypad: Keypad,
    /// How it is written.
    pub how: UiText,
    /// Whether nobody may read along.
    pub masked: bool,
    /// How many lines it shows.
    pub lines: u32,
}

/// What is typed into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiKeypad"))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is for what its name says")]
pub enum Keypad {
    Text,
    Address,
    Integer,
    Decimal,
    Digits,
    Date,
    MonthYear,
    Year,
    Time,
    DateTime,
    Place,
    Places,
    Search,
}

/// Something that can be touched.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiButton"))]
pub struct Button {
    /// Its id: a test tag.
    pub id: String,
    /// Its words.
    pub text: UiText,
    /// What a screen reader says instead.
    pub spoken: Option<UiText>,
    /// How much it stands out.
    pub look: Look,
    /// Whether it is chosen.
    pub chosen: bool,
    /// What it does; given back unread.
    #[serde(skip)]
    pub action: Action,
}

/// How much a button stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiLook"))]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The next thing to do.
    Filled,
    /// As good as others.
    #[default]
    Outlined,
    /// In passing.
    Plain,
}

/// What stands at the bottom.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiDock"))]
pub struct Dock {
    /// To what was before.
    pub back: Option<Button>,
    /// The big button.
    pub main: Option<Button>,
}

/// The questionnaire at a glance, by its parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiOverviewScreen"))]
pub struct OverviewScreen {
    /// What it is.
    pub title: UiText,
    /// How many answers need another look.
    pub errors: Option<UiText>,
    /// The parts that apply or may come to.
    pub parts: Vec<OverviewPart>,
    /// Said where no question has the letters.
    pub none_found: Option<UiText>,
    /// Where letters to look for are typed.
    pub search: Field,
    /// Leads to Review.
    pub review: Button,
}

/// A part of the questionnaire.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiOverviewPart"))]
pub struct OverviewPart {
    /// Its number and name; opens and closes it. None in a form without parts.
    pub button: Option<Button>,
    /// How it stands.
    pub state: PartState,
    /// The same in words.
    pub text: UiText,
    /// Its questions, while it is open.
    pub rows: Vec<OverviewRow>,
}

/// How a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiPartState"))]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It was gone through.
    Done,
    /// An answer of it needs another look.
    Check,
    /// The person is in it.
    Here,
    /// It comes later.
    Later,
}

/// A question in Overview.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiOverviewRow"))]
pub struct OverviewRow {
    /// Leads to it.
    pub button: Button,
    /// Its answer.
    pub answer: Option<UiText>,
    /// What is wrong with it.
    pub problem: Option<UiText>,
}

/// What is asked, what was answered, what still needs an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiReviewScreen"))]
pub struct ReviewScreen {
    /// What it is.
    pub title: UiText,
    /// How many were answered and skipped.
    pub lines: Vec<UiText>,
    /// One per answer that does not fit; leads to it. Its words name the question.
    pub problems: Vec<Problem>,
    /// What cannot be changed afterwards.
    pub closing: UiText,
}

/// An answer that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiProblem"))]
pub struct Problem {
    /// The question; leads to it.
    pub button: Button,
    /// What is wrong.
    pub text: UiText,
}

/// Thanks, and where the answers are now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiDoneScreen"))]
pub struct DoneScreen {
    /// Thanks.
    pub title: UiText,
    /// The stages that are behind, and the one it is at.
    pub stages: Vec<StageMark>,
    /// That nobody needs to do anything.
    pub nothing_to_do: Option<UiText>,
    /// What else can be done.
    pub more: Vec<Button>,
}

/// The settings of the app.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiSettingsScreen"))]
pub struct SettingsScreen {
    /// What it is.
    pub title: UiText,
    /// What can be changed, looked at or done; one that is on or off is chosen or not.
    pub rows: Vec<Button>,
    /// Which version it is.
    pub version: UiText,
}

/// What the app promises.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiPrivacyScreen"))]
pub struct PrivacyScreen {
    /// What it is.
    pub title: UiText,
    /// One per promise.
    pub lines: Vec<UiText>,
}

/// Whether everything is really to go. Both answers are equally large.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiEraseScreen"))]
pub struct EraseScreen {
    /// What it asks.
    pub title: UiText,
    /// What goes.
    pub explain: UiText,
    /// What was never sent and would be lost.
    pub unsent: Option<UiText>,
    /// What stays with the study.
    pub stays: UiText,
    /// Erases everything.
    pub confirm: Button,
    /// Keeps everything.
    pub keep: Button,
}

/// That everything is gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiErasedScreen"))]
pub struct ErasedScreen {
    /// What has happened.
    pub title: UiText,
    /// What can be done now.
    pub explain: UiText,
}

/// Nothing that tells anything of what is behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiCoverScreen"))]
pub struct CoverScreen {
    /// Back to where the person was.
    pub tap: Button,
}

/// What stands in the way of everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiTroubleScreen"))]
pub struct TroubleScreen {
    /// What it is, in a sentence.
    pub text: UiText,
    /// The code of the error, for whoever helps.
    pub code: String,
}

/// A count as it crosses the border; no form has as many of anything.
pub(crate) fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl From<&session::Media> for Media {
    fn from(media: &session::Media) -> Self {
        Self { image: media.image.clone(), audio: media.audio.clone(), video: media.video.clone() }
    }
}

impl Button {
    /// One that stands beside others.
    pub(crate) fn new(id: impl Into<String>, text: UiText, action: Action) -> Self {
        Self { id: id.into(), text, spoken: None, look: Look::default(), chosen: false, action }
    }

    /// The same as the next thing to do.
    pub(crate) fn filled(self) -> Self {
        Self { look: Look::Filled, ..self }
    }

    /// The same in passing.
    pub(crate) fn in_passing(self) -> Self {
        Self { look: Look::Plain, ..self }
    }

    /// The same, chosen or not.
    pub(crate) fn chosen_if(self, chosen: bool) -> Self {
        Self { chosen, ..self }
    }

    /// The same with other words for a screen reader.
    pub(crate) fn spoken_as(self, spoken: UiText) -> Self {
        Self { spoken: Some(spoken), ..self }
    }
}

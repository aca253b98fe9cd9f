use veldwerk::client::DraftId;
use veldwerk::ids::NodeId;
use veldwerk::openrosa::settings_qr::Mode;
use veldwerk::store::FormKey;

/// What a touch does. Buttons carry the one that [`App`](crate::App) made for them, and the shell gives it back unread; only
/// [`Action::Typing`] is made by shells. Its `Debug` tells nothing that was typed.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiAction"))]
#[non_exhaustive]
pub enum Action {
    /// A field holds this text now.
    Typing {
        /// The field's id.
        id: String,
        /// All of its text.
        text: String,
    },
    /// To what was before: what the system's own "back" does too.
    Back,
    /// What the big button does on the screens that ask questions.
    Next,
    /// Shows the app, or the questionnaire, in another language: by its tag or, in a questionnaire, its name.
    Language(String),
    /// Opens the list of languages.
    Languages,
    /// Closes the sheet.
    CloseSheet,
    /// Asks whether to stop for now.
    Stop,
    /// Stops for now.
    StopNow,
    /// Scans an invitation.
    Scan,
    /// Reads the code that was typed.
    ReadCode,
    /// Joins the study that was found.
    Join(Option<Mode>),
    /// Another study.
    JoinAnother,
    /// Looks for questionnaires.
    Refresh,
    /// Begins a questionnaire.
    Begin(FormKey),
    /// Goes on with one.
    Open(DraftId),
    /// Chooses, or takes a choice back.
    Choose {
        /// The question.
        node: NodeId,
        /// The value.
        value: String,
    },
    /// Takes an answer away.
    Clear(NodeId),
    /// Opens or closes more explanation.
    Guidance(NodeId),
    /// Chooses a file.
    ChooseFile(NodeId),
    /// Adds a round of the repeat that is asked about.
    AddRound,
    /// Asks whether the last round is to go.
    AskDelete,
    /// Deletes it.
    DeleteRound(String),
    /// Shows all questions.
    Overview,
    /// Opens or closes a part of them.
    Part(u32),
    /// Goes to the end, where everything is looked over.
    Review,
    /// Goes to the screen of a question.
    GoTo(NodeId),
    /// Goes to a screen, by its path.
    GoToScreen(String),
    /// Finishes the questionnaire.
    Finish,
    /// Shows the settings of the app.
    Settings,
    /// Lets records go over the mobile network, or no longer.
    MobileData,
    /// Shows what the app promises.
    Privacy,
    /// Hides what is shown.
    Hide,
    /// Shows it again.
    Uncover,
    /// Asks whether everything is to go.
    Erase,
    /// Erases everything.
    EraseAll,
    /// Back to the questionnaires.
    Home,
    /// Tries again what did not work.
    Retry,
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Typing { .. } => "Typing",
            Self::Back => "Back",
            Self::Next => "Next",
            Self::Language(_) => "Language",
            Self::Languages => "Languages",
            Self::CloseSheet => "CloseSheet",
            Self::Stop => "Stop",
            Self::StopNow => "StopNow",
            Self::Scan => "Scan",
            Self::ReadCode => "ReadCode",
            Self::Join(_) => "Join",
            Self::JoinAnother => "JoinAnother",
            Self::Refresh => "Refresh",
            Self::Begin(_) => "Begin",
            Self::Open(_) => "Open",
            Self::Choose { .. } => "Choose",
            Self::Clear(_) => "Clear",
            Self::Guidance(_) => "Guidance",
            Self::ChooseFile(_) => "ChooseFile",
            Self::AddRound => "AddRound",
            Self::AskDelete => "AskDelete",
            Self::DeleteRound(_) => "DeleteRound",
            Self::Overview => "Overview",
            Self::Part(_) => "Part",
            Self::Review => "Review",
            Self::GoTo(_) => "GoTo",
            Self::GoToScreen(_) => "GoToScreen",
            Self::Finish => "Finish",
            Self::Settings => "Settings",
            Self::MobileData => "MobileData",
            Self::Privacy => "Privacy",
            Self::Hide => "Hide",
            Self::Uncover => "Uncover",
            Self::Erase => "Erase",
            Self::EraseAll => "EraseAll",
            Self::Home => "Home",
            Self::Retry => "Retry",
        };
        f.write_str(name)
    }
}

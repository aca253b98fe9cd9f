//! What is done with the app itself: its settings, what it promises, and that everything of it goes.

use veldwerk::client::ProjectSummary;
use veldwerk::openrosa::settings_qr::{Autosend, Mode};

use crate::action::Action;
use crate::text::Speech;
use crate::view::{Button, CoverScreen, Dock, EraseScreen, ErasedScreen, PrivacyScreen, Screen, SettingsScreen};

/// The settings of the app.
pub(crate) fn settings(projects: &[ProjectSummary], speech: Speech) -> (Screen, Dock) {
    let mut rows = vec![Button::new("settings.language", speech.say("language.title"), Action::Languages)];
    if !projects.is_empty() {
        let text = speech.say("settings.mobile_data");
        rows.push(Button::new("settings.mobile", text, Action::MobileData).chosen_if(uses_mobile_data(projects)));
    }
    rows.push(Button::new("settings.privacy", speech.say("privacy.title"), Action::Privacy));
    rows.push(erase_button("settings.erase", speech));
    let version = speech.with("settings.version", &[("version", env!("CARGO_PKG_VERSION"))]);
    let screen = SettingsScreen { title: speech.say("settings.title"), rows, version };
    (Screen::Settings(screen), back(speech))
}

/// Whether finished records go over the mobile network too, of every study.
pub(crate) fn uses_mobile_data(projects: &[ProjectSummary]) -> bool {
    let is_mobile = |autosend| matches!(autosend, Autosend::CellularOnly | Autosend::WifiAndCellular);
    projects.iter().all(|project| is_mobile(project.settings.autosend))
}

/// What the app promises.
pub(crate) fn privacy(projects: &[ProjectSummary], speech: Speech) -> (Screen, Dock) {
    let mut lines = vec![speech.say("privacy.locked")];
    if !projects.is_empty() && projects.iter().all(|project| project.settings.mode == Some(Mode::Newcomer)) {
        lines.push(speech.say("privacy.no_id"));
    }
    (Screen::Privacy(PrivacyScreen { title: speech.say("privacy.title"), lines }), back(speech))
}

/// The first of the two taps that erase everything.
pub(crate) fn erase_button(id: &str, speech: Speech) -> Button {
    Button::new(id, speech.say("erase.title"), Action::Erase).in_passing()
}

/// What would go, what is not sent yet, and what stays with the study. Yes and no are equally large.
pub(crate) fn erase(unsent: usize, speech: Speech) -> (Screen, Dock) {
    let screen = EraseScreen {
        title: speech.say("erase.title"),
        explain: speech.say("erase.explain"),
        unsent: (unsent > 0).then(|| speech.with("erase.unsent", &[("n", &unsent.to_string())])),
        stays: speech.say("erase.stays"),
        confirm: Button::new("erase.confirm", speech.say("erase.confirm"), Action::EraseAll),
        keep: Button::new("erase.keep", speech.say("erase.keep"), Action::Back),
    };
    (Screen::Erase(screen), Dock::default())
}

/// That everything is gone.
pub(crate) fn erased(speech: Speech) -> (Screen, Dock) {
    let screen = ErasedScreen { title: speech.say("erase.done"), explain: speech.say("erase.done_explain") };
    let main = Button::new("dock.close", speech.say("action.close"), Action::Back).filled();
    (Screen::Erased(screen), Dock { back: None, main: Some(main) })
}

/// Nothing but the way back to where the person was.
pub(crate) fn cover(speech: Speech) -> (Screen, Dock) {
    let tap = Button::new("cover.tap", speech.say("cover.tap"), Action::Uncover).filled();
    (Screen::Cover(CoverScreen { tap }), Dock::default())
}

fn back(speech: Speech) -> Dock {
    let back = Button::new("dock.back", speech.say("action.back"), Action::Back);
    Dock { back: Some(back), main: None }
}

use veldwerk::client::Invitation;
use veldwerk::openrosa::settings_qr::Mode;

use crate::action::Action;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, Field, JoinCheckScreen, JoinScreen, Keypad, Screen};

/// The id of the field for a link or a code.
pub(crate) const CODE: &str = "join.code";

/// The way into a study; `code` is what was typed so far, `rev` counts when that was not typed.
pub(crate) fn view(code: &str, rev: u64, has_camera: bool, speech: Speech) -> (Screen, Dock) {
    let scan = Button::new("join.scan", speech.say("join.scan"), Action::Scan).filled();
    let screen = JoinScreen {
        title: speech.say("join.title"),
        explain: speech.say(if has_camera { "join.explain" } else { "join.paste" }),
        no_account: speech.say("join.no_account"),
        scan: has_camera.then_some(scan),
        code: Field {
            id: CODE.to_owned(),
            text: code.to_owned(),
            rev,
            keypad: Keypad::Address,
            how: speech.say("join.paste"),
            masked: false,
            lines: 1,
        },
    };
    let main = Button::new("dock.next", speech.say("action.next"), Action::ReadCode).filled();
    let back = Button::new("dock.back", speech.say("action.back"), Action::Back);
    (Screen::Join(screen), Dock { back: Some(back), main: Some(main) })
}

/// Whether the study that was found is the right one, and who answers, if nobody has said.
pub(crate) fn check(found: &Invitation, speech: Speech) -> (Screen, Dock) {
    let answers = match found.mode {
        Some(_) => vec![Button::new("join.yes", speech.say("action.continue"), Action::Join(None)).filled()],
        None => {
            let who = |id: &str, key: &str, mode| Button::new(id, speech.say(key), Action::Join(Some(mode)));
            vec![
                who("join.self", "join.who_self", Mode::Newcomer),
                who("join.staff", "join.who_staff", Mode::Interviewer),
            ]
        }
    };
    let screen = JoinCheckScreen {
        title: speech.say("join.found"),
        project: UiText::value(&found.name),
        server: UiText::value(&found.server),
        who: found.mode.is_none().then(|| speech.say("join.who")),
        answers,
        cancel: Button::new("join.cancel", speech.say("action.cancel"), Action::Back).in_passing(),
    };
    (Screen::JoinCheck(screen), Dock::default())
}

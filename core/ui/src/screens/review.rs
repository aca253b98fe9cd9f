use veldwerk::session::ScreenView;

use crate::action::Action;
use crate::control::is_asked;
use crate::filling::Filling;
use crate::screens::question::sentence;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, Problem, ReviewScreen, Screen};

/// What was answered and skipped, and what stands in the way of finishing.
pub(crate) fn view(filling: &Filling, shown: &ScreenView, speech: Speech) -> (Screen, Dock) {
    let session = filling.session.session();
    let (mut answered, mut skipped) = (0, 0);
    let mut problems: Vec<Problem> = Vec::new();
    for question in session.screens().iter().flat_map(|key| session.screen(key).questions) {
        if !is_asked(&question) {
            continue;
        }
        let is_unfit = filling.is_unfit(&question.path);
        if question.value.is_empty() && !is_unfit {
            skipped += 1
        } else {
            answered += 1
        }
        let violation = shown.violations.iter().find(|violation| violation.node == question.node);
        let text = match violation {
            _ if is_unfit => speech.say("error.invalid_answer"),
            Some(violation) => sentence(violation, speech),
            None => continue,
        };
        let id = format!("review:{}", question.path);
        let button = Button::new(id, UiText::from(&question.label), Action::GoTo(question.node));
        problems.push(Problem { button, text });
    }
    let mut lines = vec![speech.with("review.answered", &[("n", &answered.to_string())])];
    if skipped > 0 {
        lines.push(speech.with("review.skipped", &[("n", &skipped.to_string())]));
        lines.push(speech.say("review.skipping_ok"));
    }
    if !problems.is_empty() {
        lines.push(speech.with("review.errors", &[("n", &problems.len().to_string())]));
    }
    let main = match problems.first() {
        Some(first) => Button::new("dock.check", speech.say("fill.check"), first.button.action.clone()),
        None => Button::new("dock.finish", speech.say("action.finish"), Action::Finish),
    };
    let back = Button::new("dock.back", speech.say("action.back"), Action::Back);
    let title = speech.say("review.title");
    let screen = ReviewScreen { title, lines, problems, closing: speech.say("review.final") };
    (Screen::Review(screen), Dock { back: Some(back), main: Some(main.filled()) })
}

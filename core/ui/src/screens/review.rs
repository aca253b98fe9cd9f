use veldwerk::session::ScreenView;

use crate::action::Action;
use crate::filling::Filling;
use crate::screens::question::sentence;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, Problem, ReviewScreen, Screen};

/// What was answered and skipped, and what stands in the way of finishing.
pub(crate) fn view(filling: &Filling, shown: &ScreenView, speech: Speech) -> (Screen, Dock) {
    let session = filling.session.session();
    let (engine, form) = (session.engine(), session.form());
    let (mut answered, mut skipped) = (0, 0);
    let mut problems: Vec<Problem> = Vec::new();
    // One walk over the record; only what does not fit is put into words.
    for id in engine.tree().subtree(engine.tree().root()) {
        let node = engine.tree().node(id);
        let control = form.nodes[node.def].control.map(|control| &form.controls[control]);
        let is_asked = node.relevant
            && !engine.is_readonly(id)
            && control.is_some_and(|control| control.kind.is_question() && !control.appears("label"));
        if !is_asked {
            continue;
        }
        let path = session.path(id);
        let is_unfit = filling.is_unfit(&path);
        if node.value.is_empty() && !is_unfit {
            skipped += 1
        } else {
            answered += 1
        }
        let violation = shown.violations.iter().find(|violation| violation.node == id);
        let text = match violation {
            _ if is_unfit => speech.say("error.invalid_answer"),
            Some(violation) => sentence(violation, speech),
            None => continue,
        };
        let Some(question) = session.question_at(id) else { continue };
        let button = Button::new(format!("review:{path}"), UiText::from(&question.label), Action::GoTo(id));
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

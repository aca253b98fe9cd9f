use crate::action::Action;
use crate::asked;
use crate::filling::Filling;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, Problem, ReviewScreen, Screen};

/// What was answered and skipped, and what stands in the way of finishing.
pub(crate) fn view(filling: &Filling, speech: Speech) -> (Screen, Dock) {
    let session = filling.session.session();
    let asked = asked::all(filling, speech);
    let answered = asked.iter().filter(|asked| asked.is_answered).count();
    let skipped = asked.len() - answered;
    let problem = |asked: asked::Asked| {
        let question = session.question_at(asked.node)?;
        let id = format!("review:{}", asked.path);
        Some(Problem {
            button: Button::new(id, UiText::from(&question.label), Action::GoTo(asked.node)),
            text: asked.problem?,
        })
    };
    // Only what does not fit is put into words.
    let wrong = asked.into_iter().filter(|asked| asked.problem.is_some());
    let problems: Vec<Problem> = wrong.filter_map(problem).collect();
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

use veldwerk::ids::ControlId;
use veldwerk::text::fold::fold;

use crate::action::Action;
use crate::asked::{self, Asked};
use crate::filling::Filling;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, Field, Keypad, OverviewPart, OverviewRow, OverviewScreen, PartState, Screen};

/// The id of the field for letters.
pub(crate) const SEARCH: &str = "overview.search";

/// What is open of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The part whose questions are listed.
    pub(crate) part: Option<ControlId>,
    /// The letters that questions are looked for by.
    pub(crate) letters: String,
}

/// The questionnaire at a glance, by its parts: what is done, what needs another look, where the person is, what comes later.
pub(crate) fn view(filling: &Filling, opened: &Opened, speech: Speech) -> (Screen, Dock) {
    let session = filling.session.session();
    let here = filling.parts.place(session, &session.current());
    let letters = fold(&opened.letters);
    let asked = asked::all(filling, speech);
    let errors = asked.iter().filter(|asked| asked.problem.is_some()).count();
    let mut parts = Vec::new();
    let counted = here.map_or_else(Vec::new, |_| filling.parts.counted(session, &session.current()));
    for (index, &part) in counted.iter().enumerate() {
        let within: Vec<&Asked> = asked.iter().filter(|asked| asked.part == Some(part)).collect();
        let is_here = here.is_some_and(|here| here.group == part);
        let is_behind = here.is_some_and(|here| index + 1 < here.part);
        let is_open = opened.part == Some(part) && letters.is_empty();
        let found = found(filling, &within, is_open, &letters);
        if !letters.is_empty() && found.is_empty() {
            continue;
        }
        let (state, text) = told(&within, is_here, is_behind, speech);
        let mut name = (index + 1).to_string();
        if let Some(label) = filling.parts.name(session, part) {
            name.push_str(" · ");
            name.push_str(&speech.words().isolated(&label));
        }
        let id = format!("part.{}", index + 1);
        let button = Button::new(id, speech.own(&name), Action::Part(part.0)).chosen_if(is_open);
        parts.push(OverviewPart { button: Some(button), state, text, rows: found });
    }
    if counted.is_empty() {
        let all: Vec<&Asked> = asked.iter().collect();
        let (state, text) = told(&all, true, false, speech);
        parts.push(OverviewPart { button: None, state, text, rows: found(filling, &all, true, &letters) });
    }
    let is_found = parts.iter().any(|part| !part.rows.is_empty());
    let screen = OverviewScreen {
        title: speech.say("overview.title"),
        errors: (errors > 0).then(|| speech.with("review.errors", &[("n", &errors.to_string())])),
        parts,
        none_found: (!letters.is_empty() && !is_found).then(|| speech.say("fill.none_found")),
        search: Field {
            id: SEARCH.to_owned(),
            text: opened.letters.clone(),
            rev: 0,
            keypad: Keypad::Search,
            how: speech.say("fill.search_hint"),
            masked: false,
            lines: 1,
        },
        review: Button::new("overview.review", speech.say("review.title"), Action::Review),
    };
    let back = Button::new("dock.back", speech.say("action.back"), Action::CloseSheet);
    (Screen::Overview(screen), Dock { back: Some(back), main: None })
}

/// How a part stands, in words.
fn told(asked: &[&Asked], is_here: bool, is_behind: bool, speech: Speech) -> (PartState, UiText) {
    let n = |of: usize| of.to_string();
    let errors = asked.iter().filter(|asked| asked.problem.is_some()).count();
    let answered = asked.iter().filter(|asked| asked.is_answered).count();
    let skipped = asked.iter().filter(|asked| asked.is_behind && !asked.is_answered).count();
    let say = |key: &str, of: usize| speech.words().with(key, &[("n", &n(of))]).unwrap_or_default();
    if errors > 0 {
        let text = [say("review.errors", errors), say("review.answered", answered)].join(" · ");
        return (PartState::Check, speech.own(&text));
    }
    if is_here {
        return (PartState::Here, speech.say("overview.here"));
    }
    if !is_behind && answered == 0 {
        return (PartState::Later, speech.say("overview.later"));
    }
    let skipped = (skipped > 0).then(|| say("review.skipped", skipped));
    let text: Vec<String> = [say("review.answered", answered)].into_iter().chain(skipped).collect();
    (PartState::Done, speech.own(&text.join(" · ")))
}

/// The questions to list: all of an open part, or those in which the letters are found.
fn found(filling: &Filling, asked: &[&Asked], is_open: bool, letters: &str) -> Vec<OverviewRow> {
    if !is_open && letters.is_empty() {
        return Vec::new();
    }
    let session = filling.session.session();
    let row = |asked: &&Asked| {
        let question = session.question_at(asked.node)?;
        let answer = filling.field_text(&question).map_or(question.shown_value.as_str(), |text| text);
        let is_found = |text: &str| fold(text).contains(letters);
        let is_wanted = letters.is_empty() || is_found(&question.label.plain) || is_found(answer);
        is_wanted.then(|| OverviewRow {
            button: Button::new(format!("go:{}", asked.path), UiText::from(&question.label), Action::GoTo(asked.node)),
            answer: Some(answer).filter(|answer| !answer.is_empty()).map(UiText::value),
            problem: asked.problem.clone(),
        })
    };
    asked.iter().filter_map(row).collect()
}

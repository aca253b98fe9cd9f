use veldwerk::session::{QuestionView, ScreenKind, ScreenView, Violation, ViolationKind};

use crate::action::Action;
use crate::control::{self, control, is_asked, item_id};
use crate::filling::Filling;
use crate::text::{Speech, UiText};
use crate::view::{Button, Complaint, Control, Dock, Fold, Item, Media, Progress, QuestionScreen, Screen, to_u32};

/// The questions of the screen that is shown.
pub(crate) fn view(filling: &Filling, shown: &ScreenView, speech: Speech) -> (Screen, Dock) {
    let mut headings: Vec<UiText> = shown.path.iter().map(UiText::from).collect();
    let items = match shown.kind {
        ScreenKind::Add => vec![rounds(filling, headings.pop().unwrap_or_default(), speech)],
        ScreenKind::Question | ScreenKind::FieldList | ScreenKind::End => {
            let has_words = |question: &&QuestionView| !(question.header && is_nameless(question));
            shown.questions.iter().filter(has_words).map(|question| item(filling, question, speech)).collect()
        }
    };
    let promise = filling.session.is_held().then(|| speech.say("consent.nothing_sent"));
    let note = filling.resumed.then(|| speech.say("fill.resumed"));
    (Screen::Question(QuestionScreen { headings, promise, note, items }), dock(filling, shown, speech))
}

/// Whether a form has no words for a question, so that its name stands in: in the header of a grid that is nothing to show.
fn is_nameless(question: &QuestionView) -> bool {
    question.label.fallback && question.label.plain.trim_matches(['\u{2068}', '\u{2069}']) == question.name
}

fn item(filling: &Filling, question: &QuestionView, speech: Speech) -> Item {
    let id = item_id(&question.path);
    let guidance = question.guidance.as_ref().map(|guidance| Fold {
        button: Button::new(format!("{id}#more"), speech.say("action.more_info"), Action::Guidance(question.node))
            .in_passing()
            .chosen_if(filling.is_open(question.node)),
        text: filling.is_open(question.node).then(|| guidance.into()),
    });
    Item {
        label: (&question.label).into(),
        hint: question.hint.as_ref().map(UiText::from),
        guidance,
        media: Media::from(&question.media),
        complaint: complaint(filling, question, speech),
        read_only: (question.readonly && !question.value.is_empty()).then(|| speech.say("fill.read_only")),
        required: question.required,
        control: control(filling, question, speech),
        id,
    }
}

/// What is wrong with an answer, once the person has tried to go on.
pub(crate) fn complaint(filling: &Filling, question: &QuestionView, speech: Speech) -> Option<Complaint> {
    if !filling.complains {
        return None;
    }
    let text = if filling.is_unfit(&question.path) {
        speech.say("error.invalid_answer")
    } else {
        sentence(question.violation.as_ref()?, speech)
    };
    Some(Complaint {
        title: speech.say("fill.check"),
        spoken: speech.with("a11y.error", &[("message", &text.plain)]),
        text,
    })
}

/// What a violation says: the form's words, else ours.
pub(crate) fn sentence(violation: &Violation, speech: Speech) -> UiText {
    if !violation.text.is_empty() {
        return (&violation.text).into();
    }
    speech.say(match violation.kind {
        ViolationKind::Required => "fill.answer_needed",
        _ => "error.invalid_answer",
    })
}

fn rounds(filling: &Filling, name: UiText, speech: Speech) -> Item {
    let range = filling.range();
    let id = item_id(&range);
    let rounds = filling.rounds(&range);
    let entries = rounds.iter().enumerate().filter_map(|(index, round)| {
        let key = filling.screen_of_round(round)?;
        let text = speech.own(&format!("{} {}", speech.words().isolated(&name.plain), index + 1));
        let screen = filling.session.session().screen_path(&key);
        Some(Button::new(item_id(round), text, Action::GoToScreen(screen)))
    });
    let delete = Button::new(format!("{id}#delete"), speech.say("action.delete"), Action::AskDelete).in_passing();
    let control = Control::Rounds {
        rounds: entries.collect(),
        add: Button::new(format!("{id}#add"), speech.with("repeat.add", &[("name", &name.plain)]), Action::AddRound),
        done: Button::new(format!("{id}#done"), speech.say("repeat.done"), Action::Next),
        delete: (!rounds.is_empty()).then_some(delete),
    };
    Item {
        id,
        label: speech.say("repeat.ask"),
        hint: None,
        guidance: None,
        media: Media::default(),
        complaint: None,
        read_only: None,
        required: false,
        control,
    }
}

fn dock(filling: &Filling, shown: &ScreenView, speech: Speech) -> Dock {
    let back = Button::new("dock.back", speech.say("action.back"), Action::Back);
    // "Another?" has its two answers for buttons, and so has a decision.
    let decides = shown.questions.iter().any(control::is_decision);
    let main = (shown.kind != ScreenKind::Add && !decides).then(|| {
        let mut asked = shown.questions.iter().filter(|question| is_asked(question)).peekable();
        let is_note = asked.peek().is_none();
        let is_answered = |question: &QuestionView| {
            filling.field_text(question).map_or(!question.value.is_empty(), |text| !text.trim().is_empty())
        };
        let asked: Vec<_> = asked.collect();
        let may_skip = !is_note && !asked.iter().any(|question| question.required || is_answered(question));
        let key = if may_skip { "action.skip" } else { "action.next" };
        let button = Button::new("dock.next", speech.say(key), Action::Next);
        if may_skip { button } else { button.filled() }
    });
    Dock { back: Some(back), main }
}

/// How far the questionnaire is, by its parts.
pub(crate) fn progress(filling: &Filling, shown: &ScreenView, speech: Speech) -> Progress {
    let session = filling.session.session();
    let words = speech.words();
    let saved = filling.saved.then(|| speech.say("fill.saved"));
    let overview = Button::new("progress", speech.say("overview.title"), Action::Overview).in_passing();
    let Some(place) = filling.parts.place(session, &shown.key) else {
        let text = speech.say("overview.title");
        return Progress { overview, part: 0, parts: 0, spoken: text.clone(), text, saved };
    };
    let values = [("part", place.part.to_string()), ("parts", place.parts.to_string())];
    let [part, parts] = [&values[0], &values[1]].map(|(name, value)| (*name, value.as_str()));
    let mut text = words.with("fill.part", &[part, parts]).unwrap_or_default();
    let name = filling.parts.name(session, place.group);
    let spoken = match &name {
        Some(name) => {
            text.push_str(" · ");
            text.push_str(&words.isolated(name));
            speech.with("a11y.progress", &[part, parts, ("name", name)])
        }
        None => speech.own(&text),
    };
    Progress { overview, part: to_u32(place.part), parts: to_u32(place.parts), text: speech.own(&text), spoken, saved }
}

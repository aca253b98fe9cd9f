//! Control, type and appearance of a question → how it is answered (screens.md §6).

use veldwerk::form::ControlKind;
use veldwerk::session::{ChoiceView, FormSession, QuestionView, Scale};

use crate::action::Action;
use crate::answer::{how, keypad, shown};
use crate::consent;
use crate::filling::{Filling, takes_many};
use crate::text::{Speech, UiText};
use crate::view::{Button, ChoiceRow, Choices, Control, Field, Keypad, Media, to_u32};

/// A list with more choices than this is found by letters.
const LONG: usize = 20;
/// One that is to take little room, from so many on.
const LONG_IF_MINIMAL: usize = 12;
/// So many rows of a long list are shown at once.
pub(crate) const PAGE: usize = 20;
/// So many steps of a scale are buttons.
const MOST_LEVELS: usize = 11;
/// From so many choices on, it is said how many are chosen.
const COUNTED: usize = 5;
/// Names of choices that say there is no answer; they stand last, apart.
const NO_ANSWERS: [&str; 7] = ["dk", "dont_know", "pnts", "prefer_not", "refused", "na", "prefer_not_to_say"];

/// The id of a question's item.
pub(crate) fn item_id(path: &str) -> String {
    format!("q:{path}")
}

/// The path of the question behind an id of one of its fields, and whether it is the field for letters.
pub(crate) fn field_of(id: &str) -> Option<(&str, bool)> {
    let path = id.strip_prefix("q:")?;
    Some(path.strip_suffix("#search").map_or((path, false), |path| (path, true)))
}

/// How a question is answered.
pub(crate) fn control(filling: &Filling, question: &QuestionView, speech: Speech) -> Control {
    match question.control {
        _ if question.header => Control::Note,
        _ if question.too_much => Control::Unsupported(speech.say("error.download_too_large")),
        ControlKind::Input | ControlKind::Secret if is_note(question) => Control::Note,
        ControlKind::Input | ControlKind::Secret => Control::Field(field(filling, question, speech)),
        ControlKind::Select1 if is_decision(question) => {
            let answers = question.choices.iter().map(|choice| row(question, choice).button);
            Control::Decision { answers: answers.collect() }
        }
        ControlKind::Select1 | ControlKind::Select | ControlKind::Rank => choices(filling, question, speech),
        ControlKind::Range => match question.widget.scale.as_ref().and_then(levels) {
            Some(values) => steps(question, &values),
            None => Control::Field(field(filling, question, speech)),
        },
        ControlKind::Trigger => {
            let action = if question.value.is_empty() {
                Action::Choose { node: question.node, value: "OK".to_owned() }
            } else {
                Action::Clear(question.node)
            };
            let id = format!("{}=OK", item_id(&question.path));
            Control::Tick(Button::new(id, speech.say("fill.read_ok"), action).chosen_if(!question.value.is_empty()))
        }
        ControlKind::Upload => {
            let (id, is_there) = (item_id(&question.path), !question.value.is_empty());
            let choose =
                Button::new(format!("{id}#file"), speech.say("file.choose"), Action::ChooseFile(question.node));
            let delete = Button::new(format!("{id}#delete"), speech.say("action.delete"), Action::Clear(question.node));
            Control::File {
                chosen: is_there.then(|| UiText::value(&question.value)),
                choose,
                delete: is_there.then(|| delete.in_passing()),
            }
        }
        ControlKind::Group | ControlKind::Repeat => Control::Unsupported(speech.say("fill.unsupported")),
    }
}

/// Whether the answers of a question are the buttons of its screen: consent, and two that go on by themselves.
pub(crate) fn is_decision(question: &QuestionView) -> bool {
    let is_quick = question.widget.appearances.iter().any(|appearance| appearance == "quick");
    let is_one = question.control == ControlKind::Select1 && !question.readonly;
    is_one && (consent::is_asked_by(question) || is_quick && question.n_choices == 2)
}

/// Whether an input only shows words.
pub(crate) fn is_note(question: &QuestionView) -> bool {
    question.header || question.readonly && question.value.is_empty()
}

/// Whether a question waits for an answer.
pub(crate) fn is_asked(question: &QuestionView) -> bool {
    !question.header && !question.readonly
}

fn field(filling: &Filling, question: &QuestionView, speech: Speech) -> Field {
    let keypad = match (&question.widget.scale, question.control) {
        (Some(scale), ControlKind::Range) if scale.decimals == 0 => Keypad::Integer,
        (_, ControlKind::Range) => Keypad::Decimal,
        _ => keypad(question),
    };
    let text = match filling.field_text(question) {
        Some(text) => text.to_owned(),
        None => shown(keypad, &question.value, speech.words()),
    };
    let how = match (&question.widget.scale, question.control) {
        (Some(scale), ControlKind::Range) => UiText::value(&format!("{} – {}", scale.start, scale.end)),
        _ => speech.own(&how(keypad, speech.words())),
    };
    let appears = |word: &str| question.widget.appearances.iter().any(|appearance| appearance == word);
    Field {
        id: item_id(&question.path),
        text,
        rev: filling.field_rev,
        keypad,
        how,
        masked: question.control == ControlKind::Secret || appears("masked"),
        lines: question.widget.rows.unwrap_or(if appears("multiline") { 4 } else { 1 }),
    }
}

fn choices(filling: &Filling, question: &QuestionView, speech: Speech) -> Control {
    let appears = |word: &str| question.widget.appearances.iter().any(|appearance| appearance == word);
    let is_long = question.n_choices > LONG
        || appears("autocomplete")
        || appears("minimal") && question.n_choices >= LONG_IF_MINIMAL;
    let letters = filling.letters(&question.path);
    let (mut shown, total) = if is_long {
        let session = filling.session.session();
        let found = session.choices(question.node, letters, 0, PAGE);
        let (mut rows, total) = found.map_or((Vec::new(), 0), |list| (list.choices, list.total));
        // What is chosen is always seen.
        let chosen = question.choices.iter().filter(|choice| choice.chosen);
        let unseen: Vec<_> =
            chosen.filter(|choice| rows.iter().all(|row| row.index != choice.index)).cloned().collect();
        rows.splice(0..0, unseen);
        (rows, total)
    } else {
        (question.choices.clone(), question.n_choices)
    };
    shown.sort_by_key(|choice| is_no_answer(&choice.value));
    let rows = shown.iter().map(|choice| row(question, choice)).collect();
    let many = takes_many(question.control);
    let n_chosen = question.value.split_ascii_whitespace().count();
    let ranked = question.control == ControlKind::Rank;
    let search = is_long.then(|| Field {
        id: format!("{}#search", item_id(&question.path)),
        text: letters.to_owned(),
        rev: 0,
        keypad: Keypad::Search,
        how: speech.say("fill.search_hint"),
        masked: false,
        lines: 1,
    });
    let found = (is_long && !letters.is_empty()).then(|| match total {
        0 => speech.say("fill.none_found"),
        _ => speech.with("fill.found", &[("n", &total.to_string())]),
    });
    Control::Choices(Choices {
        many,
        ranked,
        scale: appears("likert") || appears("list-nolabel"),
        rows,
        total: to_u32(total),
        search,
        found,
        chosen: (many && question.n_choices >= COUNTED && n_chosen > 0)
            .then(|| speech.with("fill.chosen", &[("n", &n_chosen.to_string())])),
        how: match (ranked, many && question.hint.is_none()) {
            (true, _) => Some(speech.say("rank.explain")),
            (false, true) => Some(speech.say("fill.choose_many")),
            (false, false) => None,
        },
    })
}

/// The rows of a long list from one on, as they are found by the letters typed.
pub(crate) fn rows(filling: &Filling, id: &str, from: usize, limit: usize) -> Vec<ChoiceRow> {
    let session: &FormSession = filling.session.session();
    let question = field_of(id).and_then(|(path, _)| session.question_at(session.node(path)?));
    let Some(question) = question else { return Vec::new() };
    let list = session.choices(question.node, filling.letters(&question.path), from, limit);
    list.map_or_else(Vec::new, |list| list.choices.iter().map(|choice| row(&question, choice)).collect())
}

fn row(question: &QuestionView, choice: &ChoiceView) -> ChoiceRow {
    let id = format!("{}={}", item_id(&question.path), choice.value);
    let action = Action::Choose { node: question.node, value: choice.value.clone() };
    let rank = question.value.split_ascii_whitespace().position(|value| value == choice.value);
    ChoiceRow {
        button: Button::new(id, UiText::from(&choice.label), action).chosen_if(choice.chosen),
        media: Media::from(&choice.media),
        rank: rank.filter(|_| question.control == ControlKind::Rank).map(|place| to_u32(place + 1)),
        apart: is_no_answer(&choice.value),
    }
}

/// Whether a choice says that there is no answer.
fn is_no_answer(value: &str) -> bool {
    NO_ANSWERS.iter().any(|name| value.eq_ignore_ascii_case(name))
}

/// The values of a scale whose steps can be buttons: few of them, and whole.
fn levels(scale: &Scale) -> Option<Vec<i64>> {
    let (start, end) = (whole(scale.start)?, whole(scale.end)?);
    let step = usize::try_from(whole(scale.step)?).ok()?;
    let values: Vec<i64> =
        if start < end { (start..=end).step_by(step).collect() } else { (end..=start).rev().step_by(step).collect() };
    (values.len() <= MOST_LEVELS).then_some(values)
}

#[expect(clippy::float_cmp, reason = "whether a number is whole is exact")]
fn whole(number: f64) -> Option<i64> {
    (number.trunc() == number && number.abs() < 1e6).then_some(number as i64)
}

fn steps(question: &QuestionView, values: &[i64]) -> Control {
    let steps = values.iter().map(|value| {
        let value = value.to_string();
        let id = format!("{}={value}", item_id(&question.path));
        let action = Action::Choose { node: question.node, value: value.clone() };
        Button::new(id, UiText::value(&value), action).chosen_if(question.value == value)
    });
    // Labels of its ticks, if the form has them: what the ends mean.
    let ends = [question.choices.first(), question.choices.last()];
    let ends = ends.into_iter().flatten().map(|choice| UiText::from(&choice.label));
    Control::Levels { steps: steps.collect(), ends: ends.collect() }
}

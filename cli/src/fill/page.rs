//! What one screen looks like.

use veldwerk::form::{ControlKind, DataType};
use veldwerk::session::{
    ChoiceView, FormSession, Progress, QuestionView, ScreenKind, ScreenView, Violation, ViolationKind,
};
use veldwerk::text::fold::fold;
use veldwerk::text::{Color, Text};

use super::answer::{self, MANY};
use super::words::Words;
use crate::terminal::{Look, Paragraph};

/// What is chosen and what was answered.
const ANSWER: Look = Look { color: Some(Color { red: 0x3e, green: 0x8a, blue: 0x70 }), ..Look::BOLD };
/// What needs a second look.
const CARE: Look = Look { color: Some(Color { red: 0xc8, green: 0x5a, blue: 0x2c }), ..Look::BOLD };
const PLAIN: Look = Look { bold: false, ..Look::BOLD };
const BAR: usize = 24;

/// Where on the screen the person is.
#[derive(Clone, Debug, Default)]
pub(super) struct Focus {
    /// Position of the question asked among the questions of the screen.
    pub(super) question: usize,
    /// The letters that its choices are looked for by.
    pub(super) letters: String,
    /// Whether its guidance is open.
    pub(super) guidance: bool,
    /// Whether an answer has just reached the disk.
    pub(super) saved: bool,
    /// What there is to say about what happened last.
    pub(super) notice: Vec<Paragraph>,
}

/// The screen with the question in focus.
pub(super) fn screen(view: &ScreenView, focus: &Focus, words: Words) -> Vec<Paragraph> {
    let mut page = vec![progress(view.progress, focus.saved, words)];
    page.extend(headings(&view.path, words));
    page.push(empty(words));
    match view.kind {
        ScreenKind::Question | ScreenKind::FieldList => {
            for earlier in view.questions.iter().take(focus.question) {
                page.extend(earlier_question(earlier, words));
            }
            if let Some(asked) = view.questions.get(focus.question) {
                page.extend(question(asked, focus, words));
            }
        }
        ScreenKind::Add => page.extend(another(view, words)),
        ScreenKind::End => page.extend(review(&view.violations, words)),
    }
    if !focus.notice.is_empty() {
        page.push(empty(words));
        page.extend(focus.notice.iter().cloned());
    }
    page.push(empty(words));
    page.push(keys(view, focus, words));
    page
}

/// Every question with its answer; those that contain `letters`, numbered as in the whole list.
pub(super) fn overview(
    session: &FormSession,
    questions: &[QuestionView],
    letters: &str,
    words: Words,
) -> Vec<Paragraph> {
    let mut page = vec![line(words, words.get("overview.title"), Look::BOLD), empty(words)];
    let width = questions.len().to_string().len();
    let current = session.current();
    let letters = fold(letters);
    for (i, question) in questions.iter().enumerate() {
        let is_found = |text: &str| fold(text).contains(&letters);
        if !is_found(&question.label.plain) && !is_found(&question.shown_value) {
            continue;
        }
        let is_here = session.goto(question.node) == Some(current);
        let sign = if is_here { "▸" } else { " " };
        let mut entry = Paragraph::new(question.label.direction);
        entry.push(&question.label.plain, if is_here { Look::BOLD } else { PLAIN });
        let answer = shown_answer(question, words);
        if !answer.is_empty() {
            entry.push("  ", PLAIN);
            entry.push(&words.isolated(&answer), ANSWER);
        }
        entry.mark(&format!("{sign} {:>width$}  ", i + 1), Look::DIM);
        page.push(entry);
    }
    if page.len() == 2 {
        page.push(line(words, words.get("fill.none_found"), CARE));
    }
    page.push(empty(words));
    let search = words.get("fill.search_hint");
    page.push(legend(
        words,
        &[("1 …", words.get("action.next")), ("abc", search), ("Enter", words.get("action.back"))],
    ));
    page
}

/// The languages of the form, each in its own words.
pub(super) fn languages(session: &FormSession, words: Words) -> Vec<Paragraph> {
    let mut page = vec![line(words, words.get("language.title"), Look::BOLD)];
    page.push(line(words, words.get("language.keeps_answers"), Look::DIM));
    page.push(empty(words));
    for (i, language) in session.languages().iter().enumerate() {
        let is_shown = i == session.language();
        let mut entry = Paragraph::new(words.direction);
        entry.push(&words.isolated(&language.name), if is_shown { ANSWER } else { PLAIN });
        entry.mark(&marker(is_shown, i + 1, 1), if is_shown { ANSWER } else { Look::DIM });
        page.push(entry);
    }
    page.push(empty(words));
    page.push(legend(words, &[("Enter", words.get("action.back"))]));
    page
}

/// Asks whether the last of `n_instances` is really to be removed.
pub(super) fn remove(view: &ScreenView, n_instances: usize, words: Words) -> Vec<Paragraph> {
    let name = view.path.last().map(|name| name.plain.as_str()).unwrap_or_default();
    let which = format!("{} ({n_instances})", words.isolated(name));
    let question = line(words, words.get("repeat.delete_ask"), Look::BOLD);
    let keys = [("1", words.get("action.delete")), ("Enter", words.get("action.cancel"))];
    vec![question, line(words, &which, PLAIN), empty(words), legend(words, &keys)]
}

/// What happens after the last question.
pub(super) fn finished(words: Words) -> Vec<Paragraph> {
    let mut send = line(words, &format!("{}: ", words.get("outbox.send")), PLAIN);
    send.push(&words.isolated("veldwerk send"), Look::BOLD);
    vec![line(words, words.get("done.title"), ANSWER), line(words, words.get("state.waiting"), PLAIN), send]
}

/// What is kept, and the command that goes on with it.
pub(super) fn left(resume: &str, words: Words) -> Vec<Paragraph> {
    vec![line(words, words.get("fill.stop_explain"), PLAIN), line(words, &words.isolated(resume), Look::BOLD)]
}

/// What is wrong with an answer: the form's words, else ours.
pub(super) fn violation(violation: &Violation, words: Words) -> Vec<Paragraph> {
    let mut said = vec![line(words, words.get("fill.check"), CARE)];
    said.extend(complaint(violation, words));
    said
}

/// A line of our own words.
pub(super) fn line(words: Words, text: &str, look: Look) -> Paragraph {
    let mut paragraph = Paragraph::new(words.direction);
    paragraph.push(text, look);
    paragraph
}

/// A line of our own words that asks for care.
pub(super) fn caution(words: Words, text: &str) -> Paragraph {
    line(words, text, CARE)
}

fn empty(words: Words) -> Paragraph {
    Paragraph::new(words.direction)
}

fn progress(progress: Progress, saved: bool, words: Words) -> Paragraph {
    let Progress { done, total } = progress;
    let full = (done * BAR).checked_div(total).unwrap_or(BAR).min(BAR);
    let mut bar = Paragraph::new(words.direction);
    bar.push(&"━".repeat(full), ANSWER);
    bar.push(&"─".repeat(BAR - full), Look::DIM);
    bar.push(&format!("  {}/{total}", (done + 1).min(total)), Look::DIM);
    if saved {
        bar.push(&format!("   ✓ {}", words.get("fill.saved")), ANSWER);
    }
    bar
}

fn headings(path: &[Text], words: Words) -> Option<Paragraph> {
    let names: Vec<String> = path.iter().map(|heading| words.isolated(&heading.plain)).collect();
    (!names.is_empty()).then(|| line(words, &names.join(" › "), Look::DIM))
}

/// A question of the same screen that was asked before this one.
fn earlier_question(question: &QuestionView, words: Words) -> Vec<Paragraph> {
    if question.readonly || question.header {
        let mut shown = Paragraph::of_text(&question.label, PLAIN);
        shown.push(empty(words));
        return shown;
    }
    let mut entry = Paragraph::new(question.label.direction);
    entry.push(&question.label.plain, Look::DIM);
    entry.push("  ", PLAIN);
    entry.push(&words.isolated(&shown_answer(question, words)), ANSWER);
    vec![entry, empty(words)]
}

fn question(question: &QuestionView, focus: &Focus, words: Words) -> Vec<Paragraph> {
    let mut shown = Paragraph::of_text(&question.label, if question.readonly { PLAIN } else { Look::BOLD });
    if let Some(hint) = &question.hint {
        shown.extend(Paragraph::of_text(hint, Look::DIM));
    }
    if let Some(guidance) = question.guidance.as_ref().filter(|_| focus.guidance) {
        shown.push(empty(words));
        shown.extend(Paragraph::of_text(guidance, Look { italic: true, ..PLAIN }));
    }
    let media = &question.media;
    for (sign, file) in [("▣", &media.image), ("♪", &media.audio), ("▶", &media.video)] {
        if let Some(file) = file {
            shown.push(line(words, &format!("{sign} {}", words.isolated(file)), Look::DIM));
        }
    }
    let offered = choices(question, focus, words);
    if !offered.is_empty() {
        shown.push(empty(words));
        shown.extend(offered);
    }
    let answer = shown_answer(question, words);
    let is_seen_above = question.control.has_choices() && !answer::is_long(question);
    if !answer.is_empty() && !is_seen_above {
        shown.push(empty(words));
        let mut paragraph = line(words, &words.isolated(&answer), ANSWER);
        paragraph.mark("● ", ANSWER);
        shown.push(paragraph);
    }
    if let Some(how) = how_to_answer(question, words) {
        shown.push(empty(words));
        shown.push(line(words, &how, Look::DIM));
    }
    shown
}

fn choices(question: &QuestionView, focus: &Focus, words: Words) -> Vec<Paragraph> {
    if question.control == ControlKind::Trigger {
        let is_read = !question.value.is_empty();
        let mut entry = line(words, words.get("fill.read_ok"), if is_read { ANSWER } else { PLAIN });
        entry.mark(&marker(is_read, 1, 1), if is_read { ANSWER } else { Look::DIM });
        return vec![entry];
    }
    if question.too_much {
        return vec![line(words, words.get("error.download_too_large"), Look::DIM)];
    }
    if answer::is_long(question) && focus.letters.is_empty() {
        return Vec::new();
    }
    let found = answer::found(question, &focus.letters);
    if answer::appears(question, "likert") || answer::appears(question, "list-nolabel") {
        return vec![in_a_row(question, &found, words)];
    }
    let width = question.n_choices.to_string().len();
    let mut offered = Vec::new();
    for (number, choice) in found.iter().take(MANY) {
        let look = if choice.chosen { ANSWER } else { PLAIN };
        let marker = marker(choice.chosen, *number, width);
        let mut paragraphs = Paragraph::of_text(&choice.label, look).into_iter();
        if let Some(mut first) = paragraphs.next() {
            first.mark(&marker, if choice.chosen { ANSWER } else { Look::DIM });
            offered.push(first);
        }
        offered.extend(paragraphs.map(|mut more| {
            more.indent(marker.chars().count());
            more
        }));
    }
    if !focus.letters.is_empty() {
        let n_found = found.len().to_string();
        let said =
            if found.is_empty() { words.get("fill.none_found").to_owned() } else { words.with("fill.found", &n_found) };
        offered.push(line(words, &said, Look::DIM));
    }
    offered
}

/// A scale: its steps beside each other, each unbroken.
fn in_a_row(question: &QuestionView, found: &[(usize, &ChoiceView)], words: Words) -> Paragraph {
    let mut row = Paragraph::new(question.label.direction);
    for (i, (number, choice)) in found.iter().enumerate() {
        if i > 0 {
            row.push("   ", PLAIN);
        }
        let label = words.isolated(&choice.label.plain.replace(' ', "\u{a0}"));
        if choice.chosen {
            row.push(&format!("●\u{a0}{number}\u{a0}{label}"), ANSWER);
        } else {
            row.push(&format!("{number}\u{a0}"), Look::DIM);
            row.push(&label, PLAIN);
        }
    }
    row.indent(2);
    row
}

/// The sign and number before a choice.
fn marker(is_chosen: bool, number: usize, width: usize) -> String {
    let sign = if is_chosen { "●" } else { " " };
    format!("{sign} {number:>width$}  ")
}

fn how_to_answer(question: &QuestionView, words: Words) -> Option<String> {
    if question.readonly {
        return None;
    }
    let written = answer::pattern(question).map(|pattern| words.isolated(pattern));
    match question.control {
        ControlKind::Select1 | ControlKind::Select | ControlKind::Rank if answer::is_long(question) => {
            Some(words.get("fill.search_hint").to_owned())
        }
        ControlKind::Select | ControlKind::Rank if question.hint.is_none() => {
            Some(words.get("fill.choose_many").to_owned())
        }
        ControlKind::Range => {
            let scale = question.widget.scale.as_ref()?;
            Some(words.isolated(&format!("{} – {}", scale.start, scale.end)))
        }
        ControlKind::Upload => Some(words.get("file.choose").to_owned()),
        ControlKind::Input | ControlKind::Secret if question.data_type == DataType::Geopoint => {
            Some([words.get("place.record").to_owned(), written?].join("  "))
        }
        ControlKind::Input | ControlKind::Secret => match written {
            Some(written) => Some([words.get("fill.write_here").to_owned(), written].join("  ")),
            None => Some(words.get("fill.write_here").to_owned()),
        },
        _ => None,
    }
}

/// The answer as a person reads it: months by their names, secrets not at all.
fn shown_answer(question: &QuestionView, words: Words) -> String {
    if question.control == ControlKind::Secret {
        return "•".repeat(question.value.chars().count());
    }
    if question.control == ControlKind::Trigger {
        return String::new();
    }
    let parts: Vec<&str> = question.value.split('-').collect();
    if let ([year, month, _], true) = (parts.as_slice(), answer::appears(question, "month-year")) {
        let name = words.get(&format!("month.{}", month.trim_start_matches('0')));
        return format!("{month} · {name} {year}");
    }
    question.shown_value.clone()
}

fn another(view: &ScreenView, words: Words) -> Vec<Paragraph> {
    let name = view.path.last().map(|name| name.plain.as_str()).unwrap_or_default();
    let mut shown = vec![line(words, words.get("repeat.ask"), Look::BOLD), empty(words)];
    let mut add = line(words, &words.with("repeat.add", name), PLAIN);
    add.mark(&marker(false, 1, 1), Look::DIM);
    shown.push(add);
    shown
}

fn review(violations: &[Violation], words: Words) -> Vec<Paragraph> {
    let mut shown = vec![line(words, words.get("review.title"), Look::BOLD), empty(words)];
    if violations.is_empty() {
        shown.push(line(words, words.get("review.final"), PLAIN));
        return shown;
    }
    shown.push(line(words, &words.with("review.errors", &violations.len().to_string()), CARE));
    let width = violations.len().to_string().len();
    for (i, violation) in violations.iter().enumerate() {
        let mut paragraphs = complaint(violation, words).into_iter();
        if let Some(mut first) = paragraphs.next() {
            first.mark(&marker(false, i + 1, width), Look::DIM);
            shown.push(first);
        }
        shown.extend(paragraphs);
    }
    shown
}

fn complaint(violation: &Violation, words: Words) -> Vec<Paragraph> {
    if !violation.text.is_empty() {
        return Paragraph::of_text(&violation.text, PLAIN);
    }
    let key = match violation.kind {
        ViolationKind::Required => "fill.answer_needed",
        ViolationKind::Constraint => "error.invalid_answer",
    };
    vec![line(words, words.get(key), PLAIN)]
}

/// What the keys do here.
fn keys(view: &ScreenView, focus: &Focus, words: Words) -> Paragraph {
    let asked = view.questions.get(focus.question);
    let letter = |letter: &'static str, with_colon: &'static str| {
        if asked.is_some_and(answer::is_text) { with_colon } else { letter }
    };
    let mut keys = Vec::new();
    match view.kind {
        ScreenKind::End => keys.push(("f", words.get("action.finish"))),
        _ => keys.push(("Enter", words.get("action.next"))),
    }
    keys.push((letter("b", ":b"), words.get("action.back")));
    keys.push((letter("j", ":j"), words.get("overview.title")));
    keys.push((letter("l", ":l"), words.get("language.title")));
    if asked.is_some_and(|asked| asked.guidance.is_some()) {
        keys.push((letter("?", ":?"), words.get("action.more_info")));
    }
    if asked.is_some_and(|asked| !asked.value.is_empty() && !asked.readonly) {
        keys.push(("-", words.get("action.clear_answer")));
    } else if view.kind == ScreenKind::Add {
        keys.push(("-", words.get("action.delete")));
    }
    keys.push((letter("q", ":q"), words.get("action.stop_now")));
    legend(words, &keys)
}

fn legend(words: Words, keys: &[(&str, &str)]) -> Paragraph {
    let mut legend = Paragraph::new(words.direction);
    for (i, (key, does)) in keys.iter().enumerate() {
        if i > 0 {
            legend.push("   ", Look::DIM);
        }
        legend.push(&words.isolated(key), Look::BOLD);
        legend.push(&format!("\u{a0}{}", does.replace(' ', "\u{a0}")), Look::DIM);
    }
    legend
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use veldwerk::clock::Step;
    use veldwerk::form::FormDef;
    use veldwerk::session::{Edit, Settings};

    use super::*;
    use crate::terminal::{Bidi, Terminal};

    /// The questionnaire in a language, at the question about taking part.
    fn at_consent(language: &str) -> FormSession {
        let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
        let files = std::fs::read_dir(forms.join("questionnaire-media")).unwrap().map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        });
        let files: BTreeMap<String, Vec<u8>> = files.collect();
        let form = std::fs::read_to_string(forms.join("questionnaire.xml")).unwrap();
        let (form, _) = FormDef::load(&form, &files).unwrap();
        let settings = Settings { time_zone: jiff::tz::TimeZone::UTC, properties: BTreeMap::new() };
        let step = Step { at: 0, seed: 1, number: 0 };
        let mut session = FormSession::begin(Arc::new(form), settings, Some(language), step, None).unwrap();
        session.apply(&Edit::Move { screen: "/data/intro/consent".to_owned() }, step).unwrap();
        session
    }

    fn draw(session: &FormSession, bidi: Bidi) -> String {
        let words = Words::of(session.languages().get(session.language()));
        let page = screen(&session.screen(&session.current()), &Focus::default(), words);
        Terminal { width: 60, bidi, styled: false }.draw(&page)
    }

    #[test]
    fn arabic_for_a_terminal_that_turns_text_around() {
        assert_eq!(
            draw(&at_consent("ar"), Bidi::Logical),
            [
                "                               \u{2067}━━━━━━━━━━━━━━━━────────  3/3\u{2069}\n",
                "                                                  \u{2067}\u{2068}أهلاً وسهلاً\u{2069}\u{2069}\n",
                "\n",
                "                                           \u{2067}هل تريد المشاركة؟\u{2069}\n",
                "            \u{2067}إذا اخترت «لا» يتوقف الاستبيان. لا مشكلة في ذلك.\u{2069}\n",
                "\n",
                "                                                    \u{2067}  1  نعم\u{2069}\n",
                "                                                     \u{2067}  2  لا\u{2069}\n",
                "\n",
                "          \u{2067}\u{2068}Enter\u{2069}\u{a0}التالي   \u{2068}b\u{2069}\u{a0}رجوع   ",
                "\u{2068}j\u{2069}\u{a0}كل\u{a0}الأسئلة   \u{2068}l\u{2069}\u{a0}اختر\u{a0}لغتك\u{2069}\n",
                "                                    ",
                "\u{2067}\u{2068}?\u{2069}\u{a0}شرح\u{a0}أكثر   \u{2068}q\u{2069}\u{a0}توقف\u{a0}الآن\u{2069}\n",
            ]
            .concat()
        );
    }

    #[test]
    fn arabic_for_a_terminal_that_does_not() {
        assert_eq!(
            draw(&at_consent("ar"), Bidi::Visual),
            [
                "                               3/3  ────────━━━━━━━━━━━━━━━━\n",
                "                                                  اًلهسو اًلهأ\n",
                "\n",
                "                                           ؟ةكراشملا ديرت له\n",
                "            .كلذ يف ةلكشم ال .نايبتسالا فقوتي «ال» ترتخا اذإ\n",
                "\n",
                "                                                    معن  1  \n",
                "                                                     ال  2  \n",
                "\n",
                "          كتغل\u{a0}رتخا\u{a0}l   ةلئسألا\u{a0}لك\u{a0}j   عوجر\u{a0}b   يلاتلا\u{a0}Enter\n",
                "                                    نآلا\u{a0}فقوت\u{a0}q   رثكأ\u{a0}حرش\u{a0}?\n",
            ]
            .concat()
        );
    }

    #[test]
    fn a_chosen_answer_is_marked() {
        let mut session = at_consent("nl");
        let node = "/data/intro/consent".to_owned();
        session
            .apply(&Edit::Answer { node, value: Some("no".to_owned()) }, Step { at: 0, seed: 1, number: 1 })
            .unwrap();
        let shown = draw(&session, Bidi::Logical);
        assert!(shown.contains("\n  1  Ja\n● 2  Nee\n"), "{shown}");
        assert!(shown.ends_with("\u{a0}Antwoord\u{a0}wissen   q\u{a0}Stop\u{a0}voor\u{a0}nu\n"), "{shown}");
    }
}

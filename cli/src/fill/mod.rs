//! `fill`: a questionnaire answered by a person at a terminal, one screen at a time.

mod answer;
mod command;
mod page;
mod words;

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use clap::Args;
use serde_json::json;
use veldwerk::client::{DraftSession, Finalization};
use veldwerk::ids::NodeId;
use veldwerk::session::{Policy, QuestionView, ScreenKey, ScreenKind, ScreenView, Violation};
use veldwerk::{Error, ErrorKind, Result};

use crate::answer::{open, show_unreplayed};
use crate::context::Context;
use crate::output::say_json;
use crate::terminal::{Bidi, Dialogue, Look, Paragraph, Terminal};
use answer::Typed;
use command::Command;
use page::Focus;
use words::Words;

/// Answer a form at the terminal
///
/// Enter goes on, `b` back, `j` to any question, `l` to another language, `?` opens more explanation, `-` takes an answer
/// away, `f` goes to the end and there finishes the record, `q` keeps the draft and leaves. Where any text may be the
/// answer, write `:b`, `:j` and so on; `::` before an answer takes it as it stands. Every answer is kept at once.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk fill household_survey --language nl
  veldwerk fill household_survey --draft 3")]
pub(crate) struct FillArgs {
    /// Form id (newest version) or ID@VERSION
    form: String,
    /// Go on with this draft
    #[arg(long, value_name = "ID")]
    draft: Option<i64>,
    /// Language to fill in
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Who turns right-to-left text around: the terminal (`logical`) or we (`visual`) [default: by the terminal's name]
    #[arg(long, value_name = "KIND")]
    bidi: Option<Bidi>,
    /// Let go of the changes that could not be carried over (they are shown), so that the draft can be finalised
    #[arg(long)]
    accept_unreplayed: bool,
}

pub(crate) fn run(context: &Context, args: &FillArgs) -> Result<()> {
    let mut draft = open(context, &args.form, args.draft, args.language.as_deref())?;
    show_unreplayed(&mut draft, args.accept_unreplayed)?;
    let mut terminal = Terminal::detect(args.bidi);
    // With --json the object alone is on standard output; the screens go where people still see them.
    let output: Box<dyn Write> = if context.global.json {
        terminal.styled = false;
        Box::new(std::io::stderr())
    } else {
        Box::new(std::io::stdout())
    };
    let stdin = std::io::stdin();
    let echoes = stdin.is_terminal();
    let dialogue = Dialogue { terminal, echoes, input: stdin.lock(), output };
    let mut filling = Filling { draft: &mut draft, dialogue, focus: Focus::default() };
    if args.draft.is_some() {
        filling.say("fill.resumed");
    }
    let left = filling.converse()?;
    if context.global.json {
        let instance = match left {
            Left::Finalized(instance) => Some(instance),
            Left::Kept => None,
        };
        say_json(&json!({ "draft": draft.id().0, "instance": instance }));
    }
    Ok(())
}

/// How a person left the questionnaire.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    /// The draft is kept.
    Kept,
    /// The record with this instanceID waits in the outbox.
    Finalized(String),
}

/// The conversation about one draft.
struct Filling<'a, Input, Output> {
    draft: &'a mut DraftSession,
    dialogue: Dialogue<Input, Output>,
    focus: Focus,
}

impl<Input: BufRead, Output: Write> Filling<'_, Input, Output> {
    /// Shows screens and does what is typed, until the person leaves or the input ends.
    fn converse(&mut self) -> Result<Left> {
        loop {
            let view = self.view();
            let page = page::screen(&view, &self.focus, self.words());
            self.dialogue.show(&page)?;
            let Some(line) = self.dialogue.read()? else { return self.leave() };
            self.focus.notice.clear();
            self.focus.saved = false;
            let asked = view.questions.get(self.focus.question);
            match Command::read(&line, asked.is_some_and(answer::is_text)) {
                Command::Next => self.next(&view)?,
                Command::Back => self.back(&view)?,
                Command::Jump => self.jump()?,
                Command::Language => self.choose_language()?,
                Command::Guidance => self.focus.guidance = !self.focus.guidance,
                Command::Leave => return self.leave(),
                Command::Finish if view.kind == ScreenKind::End => {
                    if let Some(instance) = self.finalize()? {
                        return Ok(Left::Finalized(instance));
                    }
                }
                Command::Finish => self.go(ScreenKey::End)?,
                Command::Clear => match (view.kind, asked) {
                    (ScreenKind::Add, _) => self.remove_last(&view)?,
                    (_, Some(question)) => self.answer(question, None)?,
                    (_, None) => {}
                },
                Command::Answer(line) => match (view.kind, asked) {
                    (ScreenKind::Add, _) => self.add(&view, line)?,
                    (ScreenKind::End, _) => self.look_at(&view.violations, line)?,
                    (_, Some(question)) => self.take(question, line)?,
                    (_, None) => self.say("error.invalid_answer"),
                },
            }
        }
    }

    /// The screen shown, with the focus on a question that is asked.
    fn view(&mut self) -> ScreenView {
        let mut view = self.draft.screen();
        for question in &mut view.questions {
            // A terminal numbers choices as in the whole list, so it wants them all.
            if question.choices.len() < question.n_choices
                && let Some(all) = self.draft.session().choices(question.node, "", 0, usize::MAX)
            {
                question.choices = all.choices;
            }
        }
        let stops = stops(&view);
        if !stops.contains(&self.focus.question) {
            let later = stops.iter().find(|&&stop| stop > self.focus.question);
            self.focus.question = later.or(stops.last()).copied().unwrap_or(0);
        }
        view
    }

    fn next(&mut self, view: &ScreenView) -> Result<()> {
        if view.kind == ScreenKind::End {
            return view.violations.first().map_or(Ok(()), |violation| self.go_to_question(violation.node));
        }
        if let Some(stop) = stops(view).into_iter().find(|&stop| stop > self.focus.question) {
            match view.questions.get(self.focus.question).and_then(|question| question.violation.as_ref()) {
                Some(violation) => self.warn(violation),
                None => self.focus_on(stop),
            }
            return Ok(());
        }
        match self.draft.next(Policy::OnMove)? {
            Ok(_) => self.focus_on(0),
            Err(violations) => {
                if let Some(violation) = violations.first() {
                    let at = view.questions.iter().position(|question| question.node == violation.node);
                    self.focus_on(at.unwrap_or(self.focus.question));
                    self.warn(violation);
                }
            }
        }
        Ok(())
    }

    fn back(&mut self, view: &ScreenView) -> Result<()> {
        match stops(view).into_iter().rev().find(|&stop| stop < self.focus.question) {
            Some(stop) => self.focus_on(stop),
            None => {
                self.draft.previous()?;
                self.focus_on(0);
            }
        }
        Ok(())
    }

    /// Takes what was typed at a question for an answer, a file, or letters to look for choices.
    fn take(&mut self, question: &QuestionView, line: &str) -> Result<()> {
        match answer::typed(question, line) {
            _ if question.readonly => self.say("fill.read_only"),
            Typed::Value(value) => self.answer(question, Some(&value))?,
            Typed::File(path) => self.attach(question, &path)?,
            Typed::Letters(letters) => self.focus.letters = letters,
            Typed::Unfit => self.say("error.invalid_answer"),
        }
        Ok(())
    }

    /// Answers, or clears; goes on if the form agrees.
    fn answer(&mut self, question: &QuestionView, value: Option<&str>) -> Result<()> {
        let outcome = self.draft.answer(&question.path, value).map(|_| ());
        self.answered(question.node, value.is_some(), outcome)
    }

    fn attach(&mut self, question: &QuestionView, path: &Path) -> Result<()> {
        let outcome = self.draft.attach(&question.path, path, false).map(|_| ());
        self.answered(question.node, true, outcome)
    }

    fn answered(&mut self, node: NodeId, goes_on: bool, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::InvalidValue => {
                self.say("error.invalid_answer");
                return Ok(());
            }
            Err(error) => {
                self.tell(&error);
                return Ok(());
            }
        }
        self.focus.letters.clear();
        self.focus.saved = true;
        let view = self.draft.screen();
        let Some(at) = view.questions.iter().position(|question| question.node == node) else { return Ok(()) };
        self.focus.question = at;
        match view.questions.get(at).and_then(|question| question.violation.as_ref()) {
            Some(violation) if goes_on => self.warn(violation),
            _ if goes_on => {
                self.next(&view)?;
                self.focus.saved = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds an instance of the repeat and goes into it.
    fn add(&mut self, view: &ScreenView, line: &str) -> Result<()> {
        if line != "1" {
            self.say("error.invalid_answer");
            return Ok(());
        }
        let range = self.range(view);
        self.draft.add_repeat(&range)?;
        let session = self.draft.session();
        let added = format!("{range}[{}]", self.n_instances(&range));
        let is_inside = |key: &ScreenKey| {
            session.screen_path(key).strip_prefix(&added).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match session.screens().into_iter().find(is_inside) {
            Some(key) => self.go(key),
            None => Ok(()),
        }
    }

    /// Removes the last instance of the repeat, once the person has said so twice.
    fn remove_last(&mut self, view: &ScreenView) -> Result<()> {
        let range = self.range(view);
        let n_instances = self.n_instances(&range);
        if n_instances == 0 {
            return Ok(());
        }
        let page = page::remove(view, n_instances, self.words());
        self.dialogue.show(&page)?;
        if self.dialogue.read()?.is_some_and(|line| line.trim() == "1") {
            self.draft.remove_repeat(&format!("{range}[{n_instances}]"))?;
        }
        Ok(())
    }

    /// The path of the range that an `Add` screen extends.
    fn range(&self, view: &ScreenView) -> String {
        self.draft.session().screen_path(&view.key).trim_end_matches('+').to_owned()
    }

    fn n_instances(&self, range: &str) -> usize {
        let session = self.draft.session();
        (1..).take_while(|n| session.node(&format!("{range}[{n}]")).is_some()).count()
    }

    /// Goes to the question behind one of the numbered violations.
    fn look_at(&mut self, violations: &[Violation], line: &str) -> Result<()> {
        let chosen = line.parse::<usize>().ok().and_then(|number| violations.get(number.checked_sub(1)?));
        match chosen {
            Some(violation) => {
                self.go_to_question(violation.node)?;
                self.warn(violation);
            }
            None => self.say("error.invalid_answer"),
        }
        Ok(())
    }

    /// Shows all questions and goes to the one chosen.
    fn jump(&mut self) -> Result<()> {
        let session = self.draft.session();
        let screens = session.screens().into_iter();
        let questions = screens.flat_map(|key| session.screen(&key).questions);
        let questions: Vec<QuestionView> = questions.filter(is_asked).collect();
        let mut letters = String::new();
        loop {
            let page = page::overview(self.draft.session(), &questions, &letters, self.words());
            self.dialogue.show(&page)?;
            let Some(line) = self.dialogue.read()?.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
            else {
                return Ok(());
            };
            let Ok(number) = line.parse::<usize>() else {
                letters = line;
                continue;
            };
            if let Some(question) = number.checked_sub(1).and_then(|i| questions.get(i)) {
                return self.go_to_question(question.node);
            }
        }
    }

    fn choose_language(&mut self) -> Result<()> {
        let page = page::languages(self.draft.session(), self.words());
        self.dialogue.show(&page)?;
        let Some(line) = self.dialogue.read()?.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
        else {
            return Ok(());
        };
        let numbered = line.parse::<usize>().ok().and_then(|n| self.draft.session().languages().get(n.checked_sub(1)?));
        let name = numbered.map_or(line, |language| language.name.clone());
        match self.draft.set_language(&name) {
            Err(error) if error.kind() == ErrorKind::NoSuchLanguage => self.say("error.not_found"),
            outcome => drop(outcome?),
        }
        Ok(())
    }

    fn finalize(&mut self) -> Result<Option<String>> {
        let instance_id = match self.draft.finalize() {
            Ok(Finalization::Finalized { instance_id, .. }) => instance_id,
            // The screen shows them.
            Ok(Finalization::Violations(_)) => return Ok(None),
            Err(error) => {
                self.tell(&error);
                return Ok(None);
            }
        };
        let words = self.words();
        self.dialogue.show(&page::finished(words))?;
        Ok(Some(instance_id))
    }

    fn leave(&mut self) -> Result<Left> {
        self.draft.save()?;
        let resume = format!("veldwerk fill {} --draft {}", self.draft.session().form().id, self.draft.id().0);
        self.dialogue.show(&page::left(&resume, self.words()))?;
        Ok(Left::Kept)
    }

    fn go(&mut self, key: ScreenKey) -> Result<()> {
        self.draft.move_to(&key)?;
        self.focus_on(0);
        Ok(())
    }

    fn go_to_question(&mut self, node: NodeId) -> Result<()> {
        let Some(key) = self.draft.session().goto(node) else { return Ok(()) };
        self.go(key)?;
        let questions = self.draft.screen().questions;
        self.focus.question = questions.iter().position(|question| question.node == node).unwrap_or(0);
        Ok(())
    }

    fn focus_on(&mut self, question: usize) {
        self.focus = Focus { question, ..Focus::default() };
    }

    fn words(&self) -> Words {
        let session = self.draft.session();
        Words::of(session.languages().get(session.language()))
    }

    /// Says one of our own texts under the next screen.
    fn say(&mut self, key: &str) {
        let words = self.words();
        self.focus.notice = vec![page::caution(words, words.get(key))];
    }

    fn warn(&mut self, violation: &Violation) {
        self.focus.notice = page::violation(violation, self.words());
    }

    fn tell(&mut self, error: &Error) {
        let mut sentence = Paragraph::new(veldwerk::text::Direction::LeftToRight);
        sentence.push(&error.to_string(), Look::BOLD);
        self.focus.notice = vec![sentence];
    }
}

/// The questions of a screen that wait for the person; of a screen that only shows, its last.
fn stops(view: &ScreenView) -> Vec<usize> {
    let asked = view.questions.iter().enumerate().filter(|(_, question)| is_asked(question));
    let asked: Vec<usize> = asked.map(|(i, _)| i).collect();
    if asked.is_empty() { vec![view.questions.len().saturating_sub(1)] } else { asked }
}

/// Whether a question waits for an answer: notes and the header rows of grids do not.
fn is_asked(question: &QuestionView) -> bool {
    !question.header && !question.readonly
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;
    use veldwerk::client::{Cancel, Client, ClientConfig, ProjectSource};
    use veldwerk::store::Key;
    use veldwerk_server::{ServerConfig, serve};

    use super::*;

    /// A home that has the questionnaire.
    fn home() -> (tempfile::TempDir, Client) {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
        let (home, key) = (folder.path().join("home"), Key::generate().unwrap());
        let client = Client::open(ClientConfig::new(home, key, TimeZone::UTC)).unwrap();
        let code = ProjectSource::SettingsCode(server.settings_code().unwrap().unwrap());
        let project = client.add_project(&code, None).unwrap().project.id;
        client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
        (folder, client)
    }

    fn start(client: &Client, form: &str) -> DraftSession {
        let project = client.projects().unwrap()[0].id;
        let form = client.find_form(project, form).unwrap();
        client.start_draft(form.key, Some("nl")).unwrap()
    }

    /// What is shown while `typed` is read, and how it ends.
    fn converse(draft: &mut DraftSession, typed: &str) -> (String, Left) {
        let mut output = Vec::new();
        let terminal = Terminal { width: 80, bidi: Bidi::Logical, styled: false };
        let focus = Focus::default();
        let input = typed.as_bytes();
        let dialogue = Dialogue { terminal, echoes: false, input, output: &mut output };
        let left = Filling { draft, dialogue, focus }.converse().unwrap();
        (String::from_utf8(output).unwrap(), left)
    }

    #[test]
    fn who_refuses_is_thanked_and_the_record_waits() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        let (shown, left) = converse(&mut draft, "\n\n2\n1\n\nf\n");
        let Left::Finalized(instance) = left else { panic!("{shown}") };
        assert!(shown.contains("Wilt u meedoen?") && shown.contains("Dank u wel!"), "{shown}");
        let records = client.outbox(None).unwrap();
        assert_eq!(records.iter().map(|record| &record.instance_id).collect::<Vec<_>>(), [&instance]);
    }

    #[test]
    fn the_end_of_the_input_keeps_the_draft_where_it_was() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        let (shown, left) = converse(&mut draft, "\n\n1\n");
        assert_eq!(left, Left::Kept);
        assert!(shown.contains(&format!("--draft {}", draft.id().0)), "{shown}");
        let id = draft.id();
        drop(draft);
        let (shown, _) = converse(&mut client.open_draft(id).unwrap(), "");
        assert!(shown.contains("Bent u 18 jaar of ouder?"), "{shown}");
    }

    #[test]
    fn nothing_typed_is_lost_and_what_does_not_fit_is_said() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        // To the year of birth by its letters: a number that cannot be a year, then a word that is no number.
        let (shown, _) = converse(&mut draft, "\n\n1\n1\nj\ngeboren\nj\n\n");
        let number = shown.lines().find_map(|line| line.trim().strip_suffix("In welk jaar bent u geboren?"));
        let number = number.unwrap().trim();
        let (shown, _) = converse(&mut draft, &format!("j\n{number}\n1\nzomer\nb\n"));
        assert!(shown.contains("Kijk nog even\nDit jaar kan niet. Vul 4 cijfers in.\n"), "{shown}");
        assert!(shown.contains("Dit antwoord past hier niet.\n"), "{shown}");
        let node = draft.session().node("/data/main/g_about/birth_year").unwrap();
        assert_eq!(draft.session().question_at(node).unwrap().value, "1");
    }

    #[test]
    fn letters_find_choices_and_questions_and_languages_change() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        let (shown, _) = converse(&mut draft, "\n\nnee\nb\nprat\nl\nar\nl\n2\n\n");
        assert!(shown.contains("Niets gevonden. Typ minder letters."), "{shown}");
        assert!(shown.contains("هل تريد المشاركة؟") && shown.contains("Do you want to take part?"), "{shown}");
    }

    #[test]
    fn a_grid_is_asked_row_by_row() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        let answers =
            [("/data/intro/consent", "yes"), ("/data/intro/adult", "yes"), ("/data/main/g_muni/contact_person", "yes")];
        for (node, value) in answers {
            draft.answer(node, Some(value)).unwrap();
        }
        let grid = draft.session().screen_at("/data/main/g_muni/contact_grid").unwrap();
        draft.move_to(&grid).unwrap();
        let (shown, _) = converse(&mut draft, "4\n2\nb\n5\n\n");
        let value = |row: &str| {
            let node = draft.session().node(&format!("/data/main/g_muni/contact_grid/{row}")).unwrap();
            draft.session().question_at(node).unwrap()
        };
        let chosen = |row: &str| value(row).choices.iter().position(|choice| choice.chosen);
        assert_eq!([chosen("c_listen"), chosen("c_clear"), chosen("c_reach")], [Some(3), Some(4), None], "{shown}");
        assert_ne!(draft.session().current(), grid, "after its last row the grid is left");
    }

    #[test]
    fn persons_are_added_and_taken_away() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_interview");
        let answers = [
            ("/data/g_case/result", "start"),
            ("/data/g_consent/consent", "yes"),
            ("/data/g_consent/adult", "yes"),
            ("/data/g_talk/g_home/hh_any", "yes"),
        ];
        for (node, value) in answers {
            draft.answer(node, Some(value)).unwrap();
        }
        let range = "/data/g_talk/g_home/member";
        let another = draft.session().screen_at(&format!("{range}+")).unwrap();
        let n_members = |draft: &DraftSession| {
            (1..).take_while(|n| draft.session().node(&format!("{range}[{n}]")).is_some()).count()
        };
        let before = n_members(&draft);
        draft.move_to(&another).unwrap();
        converse(&mut draft, "1\n");
        assert_eq!(n_members(&draft), before + 1);
        let here = draft.session().screen_path(&draft.session().current());
        assert!(here.starts_with(&format!("{range}[{}]/", before + 1)), "{here}");
        draft.move_to(&another).unwrap();
        converse(&mut draft, "-\n\n");
        assert_eq!(n_members(&draft), before + 1, "not without being asked");
        converse(&mut draft, "-\n1\n");
        assert_eq!(n_members(&draft), before);
    }
}

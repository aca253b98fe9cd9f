//! `fill`: one questionnaire answered by a person at a terminal. What is drawn and what a line does is the app's (`crate::app`).

use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::json;
use veldwerk::Result;
use veldwerk::client::{DraftSession, Network};
use veldwerk::text::words::Words;
use veldwerk_ui::{App, Device};

use crate::answer::{open, show_unreplayed};
use crate::app::Shell;
use crate::context::{self, Context};
use crate::output::say_json;
use crate::terminal::{Bidi, Dialogue, Look, Paragraph, Terminal};

/// Answer a form at the terminal
///
/// Enter does what the big button does, a number chooses what it stands before, `b` goes back, `j` to any question, `l` to
/// another language, `?` opens more explanation, `-` takes an answer away, `f` goes to the end and there finishes the record,
/// `q` keeps the draft and leaves. Where any text may be the answer, write `:b`, `:j` and so on; `::` before an answer takes
/// it as it stands. Every answer is kept at once.
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
    let id = draft.id();
    let left = fill(context.client.clone(), draft, args.draft.is_some(), dialogue)?;
    if context.global.json {
        say_json(&json!({ "draft": id.0, "instance": left }));
    }
    Ok(())
}

/// Has one draft answered; the instanceID of the record, if it was finished.
fn fill<Input: std::io::BufRead, Output: Write>(
    client: veldwerk::client::Client,
    draft: DraftSession,
    resumed: bool,
    dialogue: Dialogue<Input, Output>,
) -> Result<Option<String>> {
    let resume = format!("veldwerk fill {} --draft {}", draft.session().form().id, draft.id().0);
    let device = Device {
        locales: context::language().map(|tag| tag.as_str().to_owned()).into_iter().collect(),
        zone: context::time_zone()?,
        has_camera: false,
        // Sending is a command of its own.
        network: Network::None,
    };
    let mut shell = Shell::new(App::for_draft(client, draft, device, resumed), dialogue);
    shell.converse()?;
    let (app, mut dialogue) = shell.into_parts();
    let view = app.view();
    let words = Words::of(veldwerk::text::Tag::parse(&view.language).as_ref());
    let said = |key: &str| words.get(key).unwrap_or_default();
    let line = |text: &str, look: Look| {
        let mut line = Paragraph::new(words.direction());
        line.push(text, look);
        line
    };
    match app.finished() {
        Some(record) => {
            let instance = record.instance_id.clone();
            let mut send = line(&format!("{}: ", said("outbox.send")), Look::default());
            send.push(&words.isolated("veldwerk send"), Look::BOLD);
            let thanks = [line(said("done.title"), Look::BOLD), line(said("state.waiting"), Look::default()), send];
            dialogue.show(&thanks)?;
            Ok(Some(instance))
        }
        None => {
            let kept = line(said("fill.stop_explain"), Look::default());
            dialogue.show(&[kept, line(&words.isolated(&resume), Look::BOLD)])?;
            Ok(None)
        }
    }
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

    /// What is shown while `typed` is read, and the record that came of it.
    fn converse(client: &Client, draft: DraftSession, typed: &str) -> (String, Option<String>) {
        let mut output = Vec::new();
        let terminal = Terminal { width: 80, bidi: Bidi::Logical, styled: false };
        let dialogue = Dialogue { terminal, echoes: false, input: typed.as_bytes(), output: &mut output };
        let left = fill(client.clone(), draft, false, dialogue).unwrap();
        (String::from_utf8(output).unwrap(), left)
    }

    /// The same for the only draft of a home.
    fn again(client: &Client, typed: &str) -> String {
        let id = client.drafts(None).unwrap()[0].id;
        converse(client, client.open_draft(id).unwrap(), typed).0
    }

    fn with_draft<T>(client: &Client, look: impl FnOnce(&mut DraftSession) -> T) -> T {
        let id = client.drafts(None).unwrap()[0].id;
        look(&mut client.open_draft(id).unwrap())
    }

    #[test]
    fn who_refuses_is_thanked_and_the_record_waits() {
        let (_folder, client) = home();
        let draft = start(&client, "pi_newcomers");
        let (shown, instance) = converse(&client, draft, "\n\n2\n1\n\nf\n");
        assert!(shown.contains("Wilt u meedoen?") && shown.contains("Dank u wel!"), "{shown}");
        let records = client.outbox(None).unwrap();
        let instances: Vec<_> = records.iter().map(|record| record.instance_id.clone()).collect();
        assert_eq!(instances, [instance.unwrap()], "{shown}");
        assert_eq!(client.kept("ui.route").unwrap(), None, "the app of this home is where it was");
    }

    #[test]
    fn the_end_of_the_input_keeps_the_draft_where_it_was() {
        let (_folder, client) = home();
        let draft = start(&client, "pi_newcomers");
        let id = draft.id();
        let (shown, left) = converse(&client, draft, "\n\n1\n");
        assert_eq!(left, None);
        assert!(shown.contains(&format!("--draft {id}")), "{shown}");
        assert!(again(&client, "").contains("Bent u 18 jaar of ouder?"));
    }

    #[test]
    fn nothing_typed_is_lost_and_what_does_not_fit_is_said() {
        let (_folder, client) = home();
        let draft = start(&client, "pi_newcomers");
        // To the year of birth by its letters: a number that cannot be a year, then a word that is no number.
        let (shown, _) = converse(&client, draft, "\n\n1\n1\nj\ngeboren\n");
        let number = shown.lines().rev().find_map(|line| line.trim().strip_suffix("In welk jaar bent u geboren?"));
        let number = number.unwrap_or_else(|| panic!("{shown}")).trim();
        let shown = again(&client, &format!("j\ngeboren\n{number}\n1\nzomer\nq\n"));
        assert!(shown.contains("Kijk nog even\nDit jaar kan niet. Vul 4 cijfers in.\n"), "{shown}");
        assert!(shown.contains("Dit antwoord past hier niet.\n"), "{shown}");
        assert!(again(&client, "").contains("● zomer\n"));
    }

    #[test]
    fn letters_find_choices_and_questions_and_languages_change() {
        let (_folder, client) = home();
        let draft = start(&client, "pi_newcomers");
        let (shown, _) = converse(&client, draft, "\n\nnee\nb\nj\nzzz\nb\nl\nar\nl\n2\n\n");
        assert!(shown.contains("Niets gevonden. Typ minder letters."), "{shown}");
        assert!(shown.contains("هل تريد المشاركة؟") && shown.contains("Do you want to take part?"), "{shown}");
    }

    #[test]
    fn a_grid_is_asked_row_by_row_and_shows_no_name_of_a_node() {
        let (_folder, client) = home();
        let mut draft = start(&client, "pi_newcomers");
        let answers =
            [("/data/intro/consent", "yes"), ("/data/intro/adult", "yes"), ("/data/main/g_muni/contact_person", "yes")];
        for (node, value) in answers {
            draft.answer(node, Some(value)).unwrap();
        }
        let grid = draft.session().screen_at("/data/main/g_muni/contact_grid").unwrap();
        draft.move_to(&grid).unwrap();
        let (shown, _) = converse(&client, draft, "4\n2\nb\n5\n\n");
        with_draft(&client, |draft| {
            let chosen = |row: &str| {
                let node = draft.session().node(&format!("/data/main/g_muni/contact_grid/{row}")).unwrap();
                let question = draft.session().question_at(node).unwrap();
                question.choices.iter().position(|choice| choice.chosen)
            };
            assert_eq!([chosen("c_listen"), chosen("c_clear"), chosen("c_reach")], [Some(3), Some(4), None], "{shown}");
            assert_ne!(draft.session().current(), grid, "after its last row the grid is left");
        });
        assert!(!shown.contains("c_label") && !shown.contains("contact_grid"), "{shown}");
    }

    #[test]
    fn review_names_each_question_and_its_number_leads_there() {
        let (_folder, client) = home();
        let draft = start(&client, "pi_newcomers");
        let (shown, _) = converse(&client, draft, "f\n1\n");
        let (_, review) = shown.split_once("Nakijken: 1").unwrap_or_else(|| panic!("{shown}"));
        let (named, question) = review.split_once("   1  Wilt u meedoen?\n").unwrap_or_else(|| panic!("{shown}"));
        assert!(!named.contains("consent") && question.contains("   1  Ja\n   2  Nee\n"), "{shown}");
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
        let n_members = |draft: &mut DraftSession| {
            (1..).take_while(|n| draft.session().node(&format!("{range}[{n}]")).is_some()).count()
        };
        let before = n_members(&mut draft);
        draft.move_to(&another).unwrap();
        // The rounds that are there stand before the button that adds one.
        converse(&client, draft, &format!("{}\n", before + 1));
        with_draft(&client, |draft| {
            assert_eq!(n_members(draft), before + 1);
            let here = draft.session().screen_path(&draft.session().current());
            assert!(here.starts_with(&format!("{range}[{}]/", before + 1)), "{here}");
            draft.move_to(&another).unwrap();
        });
        again(&client, "-\n\n");
        assert_eq!(with_draft(&client, n_members), before + 1, "not without being asked");
        again(&client, "-\n1\n");
        assert_eq!(with_draft(&client, n_members), before);
    }
}

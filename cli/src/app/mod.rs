//! `app`: the whole app at a terminal, as people have it on their phones: what is shown and what a touch does is decided in
//! `veldwerk-ui`; here it is drawn, and lines are read as touches.

mod draw;
mod line;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use veldwerk::client::{Client, Network};
use veldwerk::clock::{Clock, SystemClock};
use veldwerk::{Error, ErrorKind, Result};
use veldwerk_ui::{Action, App, Device, Effect, Event, Outcome, View};

use crate::context::{self, Context, Global};
use crate::terminal::{Bidi, Dialogue, Terminal};
use draw::Page;

/// Open the app as people have it on their phones
///
/// The first thing asked is the language. Enter does what the big button does, a number chooses what it stands before, `b`
/// goes back, `j` shows all questions, `l` another language, `?` opens more explanation, `-` takes an answer away, `f` goes to the
/// end, `q` stops for now. Where any text may be the answer, write `:b`, `:q` and so on. Every answer is kept at once.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  veldwerk app --home demo-phone")]
pub(crate) struct AppArgs {
    /// Who turns right-to-left text around: the terminal (`logical`) or we (`visual`) [default: by the terminal's name]
    #[arg(long, value_name = "KIND")]
    bidi: Option<Bidi>,
}

pub(crate) fn run(global: &Global, args: &AppArgs) -> Result<()> {
    let own = global.clone();
    let open = move || Context::open(&own).map(|context| context.client);
    let own = global.clone();
    let erase = move |client: Client| client.erase(&Context::keeper(&own)?);
    let device = Device {
        locales: context::language().map(|tag| tag.as_str().to_owned()).into_iter().collect(),
        zone: context::time_zone()?,
        has_camera: false,
        // Nobody here knows what the line costs; what cannot be reached says so when it is tried.
        network: Network::Unmetered,
    };
    let stdin = std::io::stdin();
    let echoes = stdin.is_terminal();
    let app = App::open(Box::new((open, erase)), device);
    let terminal = Terminal::detect(args.bidi);
    let dialogue = Dialogue { terminal, echoes, input: stdin.lock(), output: std::io::stdout() };
    Shell::new(app, dialogue).converse()
}

/// The app and the terminal it is drawn on.
pub(crate) struct Shell<Input, Output> {
    app: App,
    dialogue: Dialogue<Input, Output>,
    /// Which item of the screen is asked: one after the other, for a terminal has no fields to go to.
    focus: usize,
    /// The file whose path was typed, until the app asks for it.
    file: Option<PathBuf>,
    /// Whether the last line meant nothing here.
    is_wrong: bool,
    now: fn() -> i64,
}

impl<Input: BufRead, Output: Write> Shell<Input, Output> {
    pub(crate) fn new(app: App, dialogue: Dialogue<Input, Output>) -> Self {
        Self { app, dialogue, focus: 0, file: None, is_wrong: false, now: || SystemClock.now_ms() }
    }

    pub(crate) fn into_parts(self) -> (App, Dialogue<Input, Output>) {
        (self.app, self.dialogue)
    }

    /// Shows and reads, until the person leaves or the input ends; one questionnaire by itself ends with its record.
    pub(crate) fn converse(&mut self) -> Result<()> {
        self.tell(Event::Foreground);
        while self.do_what_is_due()? && !self.app.is_over() {
            let view = self.app.view();
            let focus = self.focus_on(&view);
            let page = draw::page(&view, focus, self.is_wrong);
            self.is_wrong = false;
            self.dialogue.show(&page.paragraphs)?;
            let Some(line) = self.dialogue.read()? else { break };
            self.take(&view, &page, focus, &line);
        }
        self.tell(Event::Background);
        Ok(())
    }

    /// Does the effects and the work that the app wants done; false when it wants to be left.
    fn do_what_is_due(&mut self) -> Result<bool> {
        loop {
            // Nobody types on while a line is waited for, so what was typed is written now.
            if let Some(at) = self.app.view().wake_at {
                self.app.tell(at.max((self.now)()), Event::Tick);
            }
            let out = self.app.take();
            if out.effects.is_empty() && out.jobs.is_empty() {
                return Ok(true);
            }
            for effect in out.effects {
                match effect {
                    Effect::LeaveApp => return Ok(false),
                    Effect::Ask { id, .. } => {
                        let outcome = self.file.take().map_or(Outcome::Cancelled, Outcome::File);
                        self.tell(Event::Answered { id, outcome });
                    }
                }
            }
            for job in out.jobs {
                let ended = runtime()?.block_on(job.run(Arc::new(|_| {})));
                self.app.report((self.now)(), ended);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.app.tell((self.now)(), event);
    }

    /// The item that is asked: where the app has put the focus, else where it was, if that is still one to answer.
    fn focus_on(&mut self, view: &View) -> usize {
        let stops = line::stops(view);
        let sent = view.focus.as_ref().and_then(|id| line::position(view, id));
        if let Some(sent) = sent {
            self.focus = sent;
        }
        if !stops.contains(&self.focus) {
            let later = stops.iter().find(|&&stop| stop > self.focus);
            self.focus = later.or(stops.last()).copied().unwrap_or(0);
        }
        self.focus
    }

    /// Does what a line asks for.
    fn take(&mut self, view: &View, page: &Page, focus: usize, line: &str) {
        let touches = line::touches(view, page, focus, line);
        let Some(touches) = touches else {
            self.is_wrong = true;
            return;
        };
        for touch in touches {
            match touch {
                line::Touch::Act(action) => self.act(action),
                line::Touch::Type(id, text) => self.act(Action::Typing { id, text }),
                line::Touch::File(choose, path) => {
                    self.file = Some(path);
                    self.act(choose);
                }
                line::Touch::Focus(item) => self.focus = item,
                line::Touch::First => self.focus = 0,
                line::Touch::SystemBack => self.tell(Event::SystemBack),
            }
        }
    }

    /// Touches what is shown now.
    fn act(&mut self, action: Action) {
        let seen = self.app.view().rev;
        self.app.act(seen, action);
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::new(ErrorKind::Internal, "no runtime").caused_by(error))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use veldwerk::client::ClientConfig;
    use veldwerk::store::Key;
    use veldwerk_server::{Server, ServerConfig, serve};

    use super::*;

    /// A phone that has nothing yet, and a server to join.
    struct Phone {
        folder: tempfile::TempDir,
        server: Server,
    }

    impl Phone {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
            Self { folder, server }
        }

        /// What is shown while `typed` is read; the phone goes out at the end.
        fn type_in(&self, typed: &str) -> String {
            let home = self.folder.path().join("home");
            let open = move || Client::open(ClientConfig::new(&home, Key::from_bytes([7; 32]), TimeZone::UTC));
            let erase = |_| unreachable!();
            let device =
                Device { locales: Vec::new(), zone: TimeZone::UTC, has_camera: false, network: Network::Unmetered };
            let typed = typed.replace("CODE", &self.server.settings_code().unwrap().unwrap());
            let mut output = Vec::new();
            let terminal = Terminal { width: 80, bidi: Bidi::Logical, styled: false };
            let dialogue = Dialogue { terminal, echoes: false, input: typed.as_bytes(), output: &mut output };
            Shell::new(App::open(Box::new((open, erase)), device), dialogue).converse().unwrap();
            String::from_utf8(output).unwrap()
        }
    }

    /// Dutch, the code, who answers, the questionnaire, two notes.
    const AT_CONSENT: &str = "1\nCODE\n1\n1\n\n\n";

    #[test]
    fn from_nothing_to_received() {
        let phone = Phone::new();
        // No; no reason; a note; finish.
        let shown = phone.type_in(&format!("{AT_CONSENT}2\n\n\n\n"));
        for words in ["Welkom", "Doe mee", "Wie beantwoordt de vragen?", "Wilt u meedoen?", "Dank u wel!", "Aangekomen"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert_eq!(phone.server.records("pi_newcomers").unwrap().len(), 1);
    }

    #[test]
    fn a_phone_that_goes_out_comes_back_to_the_question() {
        let phone = Phone::new();
        phone.type_in(&format!("{AT_CONSENT}1\n"));
        let shown = phone.type_in("");
        assert!(shown.contains("Bent u 18 jaar of ouder?") && shown.contains("U was hier gebleven."), "{shown}");
    }

    #[test]
    fn a_mistyped_word_hides_nothing_and_skips_nothing() {
        let phone = Phone::new();
        let shown = phone.type_in(&format!("{AT_CONSENT}jaa\n7\nb\n"));
        let at_consent = shown.matches("   1  Ja\n   2  Nee\n").count();
        assert_eq!(at_consent, 3, "{shown}");
        assert!(!shown.contains("Bent u 18"), "{shown}");
    }

    #[test]
    fn letters_then_a_number_choose_what_is_shown() {
        let phone = Phone::new();
        let draft = phone.type_in(&format!("{AT_CONSENT}1\n1\nq\n1\n"));
        assert!(draft.contains("Alles is bewaard."), "{draft}");
        // Past what need not be answered, in Friesland to the municipality.
        let home = phone.folder.path().join("home");
        let client = Client::open(ClientConfig::new(home, Key::from_bytes([7; 32]), TimeZone::UTC)).unwrap();
        let mut session = client.open_draft(client.drafts(None).unwrap()[0].id).unwrap();
        for (node, value) in
            [("g_about/migrant_group", "asylum"), ("g_muni/same_muni", "no"), ("g_muni/province", "FR")]
        {
            let node = format!("/data/main/{node}");
            if session.session().node(&node).is_some() {
                let _ = session.answer(&node, Some(value));
            }
        }
        let question = "/data/main/g_muni/municipality";
        let provinces = session.session().node("/data/main/g_muni/province").unwrap();
        let friesland = session.session().choices(provinces, "friesland", 0, 1).unwrap().choices.remove(0).value;
        session.answer("/data/main/g_muni/province", Some(&friesland)).unwrap();
        let screen = session.session().screen_at(question).unwrap();
        session.move_to(&screen).unwrap();
        drop((session, client));
        let shown = phone.type_in("1\nzzz\n\nsudwest\n1\nb\n");
        assert!(shown.contains("Niets gevonden. Typ minder letters."), "{shown}");
        assert!(shown.contains("   1  Súdwest-Fryslân\n") && shown.contains("● 13  Súdwest-Fryslân\n"), "{shown}");
    }

    #[test]
    fn arabic_stands_on_the_right_and_the_words_are_arabic() {
        let phone = Phone::new();
        let shown = phone.type_in("4\nCODE\n1\n1\n\n\n");
        assert!(shown.contains("هل تريد المشاركة؟"), "{shown}");
        let choice = shown.lines().rev().find(|line| line.contains("نعم")).unwrap();
        assert!(choice.starts_with("          ") && !shown.contains("Next"), "{shown}");
    }
}

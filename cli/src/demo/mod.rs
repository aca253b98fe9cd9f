//! `demo`: the whole road on one computer, with real pieces. A server, a phone's encrypted store, a network that is cut
//! and comes back bad, a process that is killed; at the end every record is compared byte for byte.

mod cast;
mod network;
mod proof;

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clap::Args;
use veldwerk::client::{Cancel, Client, DraftSession, Finalization, ProjectSource, Until};
use veldwerk::openrosa::settings_qr;
use veldwerk::store::ProjectId;
use veldwerk::{Error, ErrorKind, Result};
use veldwerk_server::{Server, ServerConfig, serve};

use crate::answer::Script;
use crate::context::{Context, Global, bytes, end_progress, show_progress, variable};
use crate::output::{say, say_bold};
use cast::Part;
use network::Network;

/// Shows the whole road on this computer.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// End when the story ends: status 0 if every record arrived exactly once, else 1
    #[arg(long)]
    auto: bool,
}

/// How many answers the interrupted newcomer has given when the phone dies.
const ANSWERS_BEFORE_THE_KILL: usize = 17;

/// How long that newcomer thinks about each: long enough for the kill to strike while a question waits.
const PAUSE_MS: &str = "50";

/// Plays the demo. Gives whether everything arrived exactly once.
pub(crate) fn run(args: &DemoArgs) -> Result<bool> {
    let folder = Folder::new()?;
    // A demo that is stopped before the end has shown nothing.
    let proven = Arc::new(AtomicBool::new(false));
    folder.remove_when_stopped(&proven);
    let story = Story::new();
    story.title("Veldwerk: a questionnaire that survives");
    story.say(
        "People who are new in a country answer questions on a cheap phone with little data. Nothing they say may get",
    );
    story.say("lost, nothing may arrive twice, and nobody else may read it. Watch that happen, with real pieces.");

    story.act("1", "A server, a phone, two questionnaires");
    let server = serve(ServerConfig::new(folder.path.join("server")))?;
    let network = Network::in_front_of(server.address())?;
    story.say("A survey server runs on this computer, with the manners of ODK Central.");
    let phone = Phone::join(&folder.path, &server, &network)?;
    story.say("A phone scans the code that the study handed out, and downloads the forms:");
    phone.download(&story)?;

    story.act("2", "The connection goes");
    network.cut();
    let refused = phone.open()?.refresh_blocking(phone.project, Arc::new(|_| {}), Cancel::default());
    match refused {
        Err(error) if error.kind() == ErrorKind::Offline => {
            story.say(
                "No internet from here on. The phone notices at once, and nobody needs to care: filling in needs none.",
            );
        }
        Err(error) => return Err(error),
        Ok(_) => return Err(Error::new(ErrorKind::Internal, "the cut connection still answers")),
    }

    story.act("3", "People answer, in five languages");
    {
        let client = phone.open()?;
        for part in cast::NEWCOMERS {
            phone.play(&client, part, &story)?;
        }
    }

    story.act("4", "A phone dies in the middle of a question");
    phone.die_and_go_on(&cast::INTERRUPTED, &story)?;

    story.act("5", "An interviewer at a reception location, without wifi");
    {
        let client = phone.open()?;
        for part in cast::INTERVIEWS {
            phone.play(&client, part, &story)?;
        }
    }

    story.act("6", "The connection comes back, and it is a bad one");
    story.say("It breaks in the middle of records, and it swallows replies: the server has the record, the phone cannot know.");
    story.say("So the phone sends the very same bytes again, until the server has said yes to each.");
    network.come_back_bad();
    let client = phone.open()?;
    phone.send(&client, &story)?;
    story.say(&format!("{} times it broke, or swallowed a reply.", network.troubles_met()));

    story.act("7", "Is it true?");
    let holds = prove(&client, &server, &story)?;
    drop(client);
    proven.store(holds, Ordering::Relaxed);
    if holds {
        story.say("Every record lies on the server exactly once, byte for byte, with every photo and sound.");
        story.say(
            "On the phone everything was encrypted all the time, each single answer on disk before the next was asked.",
        );
    } else {
        story.say("NOT every record arrived exactly once. This is a bug: please report it.");
    }
    if !args.auto {
        say!("");
        story.say(&format!("Look at the answers in your browser: {}", server.page_url()));
        story.say("(Try-out server: answers lie readable on this computer. The Arabic, Tigrinya and Turkish texts are");
        story.say("unreviewed drafts.) Ctrl-C ends it and removes everything.");
        // Ctrl-C ends the program from the thread that waits for it, which removes the folder first.
        loop {
            std::thread::park();
        }
    }
    Ok(holds)
}

/// A phone: a home, closed whenever nobody uses it, as on a phone that the system may kill at any time.
struct Phone {
    global: Global,
    home: PathBuf,
    folder: PathBuf,
    project: ProjectId,
}

impl Phone {
    fn join(folder: &Path, server: &Server, network: &Network) -> Result<Self> {
        let code = server.settings_code()?.ok_or(ErrorKind::Internal)?;
        // The code that is scanned leads over the mobile network.
        let mut settings = settings_qr::decode(&code)?;
        settings.server_url =
            settings.server_url.replace(&server.address().to_string(), &network.address().to_string());
        let code = settings_qr::encode(&settings)?;
        let home = folder.join("phone");
        let global = Global { home: Some(home.clone()), key_file: None, project: None, json: false, quiet: true };
        let client = Context::open(&global)?.client;
        let project = client.add_project(&ProjectSource::SettingsCode(code), Some("Demo"))?.project.id;
        Ok(Self { global, home, folder: folder.to_owned(), project })
    }

    fn open(&self) -> Result<Client> {
        Ok(Context::open(&self.global)?.client)
    }

    fn download(&self, story: &Story) -> Result<()> {
        let client = self.open()?;
        let report = client.refresh_blocking(self.project, story.on_progress(), Cancel::default())?;
        story.end_progress();
        for form in report.forms {
            form.outcome?;
            let known = client.find_form(self.project, &form.form_id)?;
            let languages = client.form(known.key)?.itext.languages().len();
            story.item(&format!("{} ({languages} languages)", form.title));
        }
        Ok(())
    }

    /// One person answers from beginning to end.
    fn play(&self, client: &Client, part: &Part, story: &Story) -> Result<()> {
        let form = client.find_form(self.project, part.form)?;
        let mut draft = client.start_draft(form.key, Some(part.language))?;
        let script = self.script(part)?;
        for event in self.events(client, part)?.lines() {
            script.play_line(&mut draft, event)?;
        }
        finalize(&mut draft)?;
        story.item(&format!("{}. {} answers.", part.who, part.events.lines().count()));
        Ok(())
    }

    /// The events of a part; `@case` is the first open case at the interviewer's location.
    fn events(&self, client: &Client, part: &Part) -> Result<String> {
        if !part.events.contains("@case") {
            return Ok(part.events.to_owned());
        }
        let form = client.find_form(self.project, part.form)?;
        let mut draft = client.start_draft(form.key, None)?;
        let script = self.script(part)?;
        for event in part.events.lines().take_while(|event| !event.contains("@case")) {
            script.play_line(&mut draft, event)?;
        }
        let cases = draft.session().node("/data/g_case/case");
        let first = cases.and_then(|cases| draft.session().choices(cases, "", 0, 1));
        let case = first.and_then(|first| first.choices.into_iter().next()).ok_or(ErrorKind::NotFound)?;
        let id = draft.id();
        drop(draft);
        client.delete_draft(id)?;
        Ok(part.events.replace("@case", &case.value))
    }

    /// The files a part names lie in a folder, as a camera would put them there.
    fn script(&self, part: &Part) -> Result<Script> {
        let mut script = Script::default();
        for name in ["place.png", "mark.png", "voice.wav", "story.wav"] {
            if part.events.contains(name)
                && let Some(file) = cast::file(name)
            {
                let path = self.folder.join(name);
                std::fs::write(&path, file).map_err(io_error)?;
                script.files.insert(name.to_owned(), path);
            }
        }
        Ok(script)
    }

    /// A process of its own fills in, is killed, and another goes on.
    fn die_and_go_on(&self, part: &Part, story: &Story) -> Result<()> {
        let events = self.folder.join("events.jsonl");
        std::fs::write(&events, part.events).map_err(io_error)?;
        let program = std::env::current_exe().map_err(io_error)?;
        let mut process = Command::new(program)
            .args(["--quiet", "--json", "--home"])
            .arg(&self.home)
            .args(["answer", part.form, "--language", part.language, "--pause", PAUSE_MS, "--events"])
            .arg(&events)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io_error)?;
        let mut accepted = 0;
        if let Some(output) = process.stdout.take() {
            for line in BufReader::new(output).lines() {
                accepted += usize::from(line.map_err(io_error)?.contains("\"r\":\"ok\""));
                if accepted == ANSWERS_BEFORE_THE_KILL {
                    // The loop goes on: what it says until it dies is accepted too.
                    process.kill().map_err(io_error)?;
                }
            }
        }
        process.wait().map_err(io_error)?;
        if accepted < ANSWERS_BEFORE_THE_KILL || accepted >= part.events.lines().count() {
            return Err(Error::new(ErrorKind::Internal, "the process was not killed in the middle"));
        }
        story.item(&format!("{}.", part.who));
        story.say(&format!(
            "After {accepted} answers the process is killed (SIGKILL): no warning, no time to save anything."
        ));

        let client = self.open()?;
        let draft = client.drafts(Some(self.project))?.into_iter().next().ok_or(ErrorKind::NotFound)?;
        let mut draft = client.open_draft(draft.id)?;
        let kept = kept_answers(&draft, part.events, accepted)?;
        let question = question_of_death(&draft, part.events, accepted)?;
        story.say(&format!(
            "Opened again: {kept} of {accepted} answers are there, and the phone shows the same question:"
        ));
        story.say(&format!("   {question}"));
        if kept != accepted {
            return Err(Error::new(ErrorKind::StorageDamaged, "an accepted answer is gone"));
        }
        let script = self.script(part)?;
        for event in part.events.lines().skip(accepted) {
            script.play_line(&mut draft, event)?;
        }
        finalize(&mut draft)?;
        story.say("He answers the rest, and finishes.");
        Ok(())
    }

    fn send(&self, client: &Client, story: &Story) -> Result<()> {
        let until = Until::Empty { limit_ms: 45_000, longest_wait_ms: 300 };
        let outcome = client.send_blocking(self.project, until, story.on_progress(), Cancel::default())?;
        story.end_progress();
        let tries: u32 = outcome.records.iter().map(|record| record.attempts).sum();
        story.item(&format!("{} records, {tries} tries.", outcome.records.len()));
        Ok(())
    }
}

/// How many of the first `accepted` answers of a script are in a draft.
fn kept_answers(draft: &DraftSession, events: &str, accepted: usize) -> Result<usize> {
    let mut kept = 0;
    for event in events.lines().take(accepted) {
        kept += usize::from(draft.session().engine().value_at(&field(event, "ref")?) == field(event, "value")?);
    }
    Ok(kept)
}

/// The question that is shown, if it is the one at which the process died: that of the last answer it told of, or of one
/// more that was on disk before it could tell.
fn question_of_death(draft: &DraftSession, events: &str, accepted: usize) -> Result<String> {
    let mut asked = Vec::new();
    for event in events.lines().take(accepted + 1).skip(accepted - 1) {
        asked.extend(draft.session().node(&field(event, "ref")?));
    }
    let question = draft.screen().questions.into_iter().find(|question| asked.contains(&question.node));
    let question = question.ok_or_else(|| Error::new(ErrorKind::Internal, "another question is shown than before"))?;
    Ok(question.label.plain)
}

/// A field of an event of a script.
fn field(event: &str, name: &str) -> Result<String> {
    let event: serde_json::Value = serde_json::from_str(event)
        .map_err(|error| Error::new(ErrorKind::Internal, "the demo's events").caused_by(error))?;
    Ok(event.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned())
}

fn finalize(draft: &mut DraftSession) -> Result<()> {
    match draft.finalize()? {
        Finalization::Finalized { .. } => Ok(()),
        Finalization::Violations(violations) => {
            let first = violations.first().map(|violation| violation.path.clone()).unwrap_or_default();
            Err(Error::new(ErrorKind::Internal, format!("the demo's answers do not fit: {first}")))
        }
    }
}

fn prove(client: &Client, server: &Server, story: &Story) -> Result<bool> {
    let rows = proof::compare(client, server)?;
    say!("   {:<28} {:>9} {:>6} {:>7} {:>12} {:>6}", "record", "size", "tries", "copies", "same bytes", "files");
    for row in &rows {
        say!(
            "   {:<28} {:>9} {:>6} {:>7} {:>12} {:>6}",
            row.title,
            bytes(row.bytes),
            row.attempts,
            row.copies,
            if row.same_bytes { "yes" } else { "NO" },
            format!("{}/{}", row.attachments.1, row.attachments.0)
        );
    }
    let on_server = server.records("pi_newcomers")?.len() + server.records("pi_interview")?.len();
    story.say(&format!("{} records on the phone, {on_server} on the server.", rows.len()));
    let everybody = cast::NEWCOMERS.len() + 1 + cast::INTERVIEWS.len();
    Ok(rows.len() == everybody && on_server == everybody && rows.iter().all(proof::Row::holds))
}

/// How the demo speaks.
struct Story {
    styled: bool,
}

impl Story {
    fn new() -> Self {
        Self { styled: std::io::stdout().is_terminal() && variable("NO_COLOR").is_none() }
    }

    fn title(&self, text: &str) {
        say!("");
        say_bold(text, self.styled);
        say!("");
    }

    fn act(&self, number: &str, text: &str) {
        say!("");
        say_bold(&format!("{number}. {text}"), self.styled);
    }

    fn say(&self, text: &str) {
        say!("   {text}");
    }

    fn item(&self, text: &str) {
        say!("   · {text}");
    }

    fn on_progress(&self) -> veldwerk::sync::OnProgress {
        if std::io::stderr().is_terminal() { Arc::new(|progress| show_progress(&progress)) } else { Arc::new(|_| {}) }
    }

    fn end_progress(&self) {
        if std::io::stderr().is_terminal() {
            end_progress();
        }
    }
}

/// A folder that is gone when the demo ends.
struct Folder {
    path: PathBuf,
    /// Held by who removes it, so that the program does not end half-way through.
    removing: Arc<Mutex<()>>,
}

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("veldwerk-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(io_error)?;
        Ok(Self { path, removing: Arc::default() })
    }

    /// The phone's home, its key and the readable answers must not outlive a demo that is stopped half-way.
    /// The status is 0 if everything was proven before.
    fn remove_when_stopped(&self, proven: &Arc<AtomicBool>) {
        let (path, removing, proven) = (self.path.clone(), self.removing.clone(), proven.clone());
        std::thread::spawn(move || {
            if crate::stop::asked().is_ok() {
                let _alone = removing.lock();
                remove(&path);
                std::process::exit(i32::from(!proven.load(Ordering::Relaxed)));
            }
        });
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _alone = self.removing.lock();
        remove(&self.path);
    }
}

/// A story that is still being told may put a file down meanwhile: hence more than one try. What cannot be removed is
/// left to the system's own cleaning of temporary folders.
fn remove(folder: &Path) {
    for _ in 0..20 {
        let _ = std::fs::remove_dir_all(folder);
        if !folder.exists() {
            return;
        }
    }
}

fn io_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the demo").caused_by(error)
}

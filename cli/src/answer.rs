//! `answer`: a script of events, each on disk before the next is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use veldwerk::client::{DraftId, DraftSession, Finalization};
use veldwerk::session::ViolationKind;
use veldwerk::{Error, ErrorKind, Result};

use crate::context::Context;
use crate::output::{say, say_json, tell};
use crate::records::moment;
use crate::terminal::plain;

/// Answers a form from a script of events.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk answer household_survey --events answers.jsonl --finalize
  veldwerk answer household_survey --draft 3 --events - --attach photo.jpg=DCIM/1.jpg")]
pub(crate) struct AnswerArgs {
    /// Form id (newest version) or ID@VERSION
    form: String,
    /// The events, one JSON object a line; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Go on with this draft
    #[arg(long, value_name = "ID")]
    draft: Option<i64>,
    /// Language to fill in
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Seal the file at PATH; an answer that says NAME gets the name it goes by
    #[arg(long, value_name = "NAME=PATH", value_parser = attachment)]
    attach: Vec<(String, PathBuf)>,
    /// Wait so long between events
    #[arg(long, value_name = "MS")]
    pause: Option<u64>,
    /// Finalise the record at the end
    #[arg(long)]
    finalize: bool,
    /// Let go of the changes that could not be carried over (they are shown), so that the draft can be finalised
    #[arg(long)]
    accept_unreplayed: bool,
}

fn attachment(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it must be NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    Answer { r#ref: String, value: Option<String> },
    AddRepeat { r#ref: String },
    RemoveRepeat { r#ref: String },
    Language { value: String },
}

pub(crate) fn run(context: &Context, args: &AnswerArgs) -> Result<()> {
    let mut draft = open(context, &args.form, args.draft, args.language.as_deref())?;
    show_unreplayed(&mut draft, args.accept_unreplayed)?;
    if !context.global.json {
        // Said first, so that a run that is killed has told which draft to go on with.
        say!("{}", draft.id().0);
    }
    let script = Script { files: args.attach.iter().cloned().collect(), pause: args.pause.map(Duration::from_millis) };
    let events: Box<dyn BufRead> = if args.events.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(&args.events);
        Box::new(BufReader::new(file.map_err(|error| Error::new(ErrorKind::Io, "the events").caused_by(error))?))
    };
    let played = script.play(context, &mut draft, events);
    if let Err(error) = played {
        if !context.global.json {
            tell!("Draft {} keeps what was answered before.", draft.id().0);
        }
        return Err(error);
    }
    let instance = if args.finalize { Some(finalize(&mut draft)?) } else { None };
    if instance.is_none() {
        draft.save()?;
    }
    if context.global.json {
        say_json(&json!({ "draft": draft.id().0, "instance": instance }));
    } else {
        instance.iter().for_each(|instance| say!("{}", plain(instance)));
    }
    Ok(())
}

/// A new draft of the form, or the draft named, in the language wanted.
pub(crate) fn open(context: &Context, form: &str, draft: Option<i64>, language: Option<&str>) -> Result<DraftSession> {
    let Some(id) = draft else {
        let form = context.client.find_form(context.project()?.id, form)?;
        return context.client.start_draft(form.key, language);
    };
    let mut draft = context.client.open_draft(DraftId(id))?;
    let own = &draft.form().id;
    if *own != form && !form.starts_with(&format!("{own}@")) {
        return Err(Error::new(ErrorKind::Usage, format!("draft {id} is one of the form {own}")));
    }
    if let Some(language) = language {
        draft.set_language(language)?;
    }
    Ok(draft)
}

/// Shows what could not be carried over when a draft was opened, and lets go of it if that is wanted.
pub(crate) fn show_unreplayed(draft: &mut DraftSession, accept: bool) -> Result<()> {
    if draft.unreplayed().next().is_none() {
        return Ok(());
    }
    tell!("These changes could not be carried over:");
    for row in draft.unreplayed() {
        let value = row.value.as_deref().map(|value| format!(" = {}", plain(value))).unwrap_or_default();
        tell!("  {}  {} {}{value}", moment(row.at), plain(&row.op), plain(&row.node));
    }
    if accept {
        draft.accept_unreplayed()?;
    } else {
        tell!("Enter again what is missing; --accept-unreplayed lets go of them.");
    }
    Ok(())
}

/// How a script of events is played.
#[derive(Default)]
pub(crate) struct Script {
    /// Files by the name that answers give them.
    pub(crate) files: BTreeMap<String, PathBuf>,
    pause: Option<Duration>,
}

impl Script {
    /// Plays one event.
    pub(crate) fn play_line(&self, draft: &mut DraftSession, line: &str) -> Result<()> {
        let event = serde_json::from_str(line);
        self.event(draft, event.map_err(|error| Error::new(ErrorKind::Usage, "an event").caused_by(error))?)
    }

    fn play(&self, context: &Context, draft: &mut DraftSession, events: impl BufRead) -> Result<()> {
        let mut number = 0;
        for (index, line) in events.lines().enumerate() {
            let line = line.map_err(|error| Error::new(ErrorKind::Io, "the events").caused_by(error))?;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let event: Event = serde_json::from_str(&line).map_err(|error| {
                Error::new(ErrorKind::Usage, format!("the event on line {}", index + 1)).caused_by(error)
            })?;
            let done = self.event(draft, event);
            if context.global.json {
                let code = done.as_ref().map_or_else(|error| error.kind().code(), |()| "ok");
                say_json(&json!({ "draft": draft.id().0, "event": number, "r": code }));
            }
            done.map_err(|error| {
                Error::new(error.kind(), format!("the event on line {}", index + 1)).caused_by(error)
            })?;
            number += 1;
            self.rest();
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "asked for, so that a demo can strike in between")]
    fn rest(&self) {
        if let Some(pause) = self.pause {
            std::thread::sleep(pause);
        }
    }

    fn event(&self, draft: &mut DraftSession, event: Event) -> Result<()> {
        match event {
            Event::Answer { r#ref: node, value } => {
                match value.as_ref().and_then(|value| Some((value, self.files.get(value)?))) {
                    Some((value, path)) => self.attach(draft, &node, value, path)?,
                    None => draft.answer(&node, value.as_deref()).map(|_| ())?,
                }
                // The screen follows the answers, so that a draft opened again opens where this one was.
                if let Some(key) = draft.session().node(&node).and_then(|node| draft.session().goto(node)) {
                    draft.move_to(&key)?;
                }
                Ok(())
            }
            Event::AddRepeat { r#ref: range } => draft.add_repeat(&range).map(|_| ()),
            Event::RemoveRepeat { r#ref: node } => draft.remove_repeat(&node).map(|_| ()),
            Event::Language { value } => draft.set_language(&value).map(|_| ()),
        }
    }

    /// Answers with a file given on the command line, under the name it goes by once it is sealed.
    fn attach(&self, draft: &mut DraftSession, node: &str, value: &str, path: &Path) -> Result<()> {
        let extension = extension(path).or_else(|| extension(Path::new(value))).unwrap_or_default();
        let mut file =
            File::open(path).map_err(|error| Error::new(ErrorKind::Io, "a file to attach").caused_by(error))?;
        draft.attach_from(node, &extension, &mut file).map(|_| ())
    }
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().into_owned())
}

fn finalize(draft: &mut DraftSession) -> Result<String> {
    match draft.finalize()? {
        Finalization::Finalized { instance_id, too_large, .. } => {
            for file in too_large {
                tell!(
                    "{} is larger than the server takes ({} bytes); the answers go without it.",
                    plain(&file.name),
                    file.limit
                );
            }
            Ok(instance_id)
        }
        Finalization::Violations(violations) => {
            for violation in &violations {
                let what = match violation.kind {
                    ViolationKind::Required => "an answer is missing",
                    ViolationKind::Constraint => "the answer does not fit",
                };
                tell!("{}: {what}. {}", plain(&violation.path), plain(&violation.text.plain));
            }
            Err(Error::new(ErrorKind::NotComplete, format!("{} answers stand in the way", violations.len())))
        }
    }
}

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use veldwerk::client::{Cancel, FormSummary, RecordState, RecordSummary, Until};
use veldwerk::store::Reason;
use veldwerk::{Error, ErrorKind, Result};

use crate::context::{Context, bytes};
use crate::output::{say, say_json};
use crate::terminal::plain;

/// Sends the outbox.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk send
  veldwerk send --until-empty 600 --quiet")]
pub(crate) struct SendArgs {
    /// Try until nothing is left that could be sent, or so many seconds are over
    #[arg(long, value_name = "SECONDS")]
    until_empty: Option<u32>,
}

/// `forms`: what can be begun.
pub(crate) fn forms(context: &Context) -> Result<()> {
    let project = context.project()?.id;
    let (forms, failed) = (context.client.forms(project)?, context.client.failed_forms(project)?);
    if context.global.json {
        let failed: Vec<_> = failed
            .iter()
            .map(|form| json!({ "form": form.form_id, "version": form.version, "title": form.title, "problem": form.code }))
            .collect();
        let forms: Vec<_> = forms
            .iter()
            .map(|form| {
                json!({ "form": form.form_id, "version": form.version, "title": form.title, "offered": form.offered,
                               "closing": form.closing, "problem": form.failure })
            })
            .collect();
        say_json(&json!({ "forms": forms, "failed": failed }));
        return Ok(());
    }
    if forms.is_empty() && failed.is_empty() {
        say!("There is no form yet; `veldwerk refresh` downloads them.");
    }
    for form in forms {
        let (form_id, version, title) = (plain(&form.form_id), plain(&form.version), plain(&form.title));
        say!("{form_id}@{version}  {title}{}", standing(&form));
    }
    for form in failed {
        let (form_id, version, title) = (plain(&form.form_id), plain(&form.version), plain(&form.title));
        say!("{form_id}@{version}  {title}  (could not be installed: {})", failure_words(&form.code));
    }
    Ok(())
}

/// Why a form could not be installed, for people and with the code for whoever runs the study.
fn failure_words(code: &str) -> String {
    format!("{} [{code}]", Context::words().error(code))
}

/// What a list says after the title of a form that is not simply offered.
fn standing(form: &FormSummary) -> String {
    let failure = form
        .failure
        .as_ref()
        .map(|code| format!("; the version on the server could not be installed: {}", failure_words(code)));
    let offer = match (form.offered, form.closing) {
        (true, _) => "",
        (false, Some(true)) => "closing: drafts can be finished and sent",
        (false, Some(false)) => "gone from the server; drafts can be finished",
        (false, None) => "not offered any more; drafts can be finished and sent",
    };
    match (offer, failure.unwrap_or_default()) {
        ("", failure) if failure.is_empty() => String::new(),
        (offer, failure) => format!("  ({})", format!("{offer}{failure}").trim_start_matches("; ")),
    }
}

/// `drafts`: what was begun.
pub(crate) fn drafts(context: &Context) -> Result<()> {
    let drafts = context.client.drafts(Some(context.project()?.id))?;
    if context.global.json {
        let drafts: Vec<_> = drafts
            .iter()
            .map(|draft| {
                json!({ "draft": draft.id.0, "form": draft.form_id, "version": draft.version, "title": draft.title,
                        "created": moment(draft.created_at), "updated": moment(draft.updated_at), "edits": draft.last_seq,
                        "unreplayed": draft.unreplayed, "offered": draft.offered })
            })
            .collect();
        say_json(&json!({ "drafts": drafts }));
        return Ok(());
    }
    if drafts.is_empty() {
        say!("There is no draft.");
    }
    for draft in drafts {
        let note =
            if draft.offered { "" } else { "  (this version is not offered any more; finish it as it was begun)" };
        let (title, form_id) = (plain(&draft.title), plain(&draft.form_id));
        let unreplayed = match draft.unreplayed {
            0 => String::new(),
            n => format!("  {n} changes could not be carried over"),
        };
        say!("{:>3}  {title}  {form_id}  last changed {}{unreplayed}{note}", draft.id.0, moment(draft.updated_at));
    }
    Ok(())
}

/// `outbox`: what was finalised.
pub(crate) fn outbox(context: &Context) -> Result<()> {
    let records = context.client.outbox(Some(context.project()?.id))?;
    show(context, &records);
    if records.is_empty() && !context.global.json {
        say!("The outbox is empty.");
    }
    Ok(())
}

/// `send`: every record once, or until nothing is left.
pub(crate) fn send(context: &Context, args: &SendArgs) -> Result<()> {
    const LONGEST_WAIT_MS: i64 = 5000;
    let project = context.project()?;
    let until = match args.until_empty {
        Some(seconds) => Until::Empty { limit_ms: i64::from(seconds) * 1000, longest_wait_ms: LONGEST_WAIT_MS },
        None => Until::OnePass,
    };
    let outcome = context.client.send_blocking(project.id, until, context.on_progress(), Cancel::default());
    context.end_progress();
    let outcome = outcome?;
    show(context, &outcome.records);
    if outcome.records.is_empty() && !context.global.json {
        say!("There was nothing to send.");
    }
    let left = outcome.records.iter().filter(|record| !matches!(record.state, RecordState::Sent { .. })).count();
    if left > 0 {
        return Err(Error::new(
            ErrorKind::SomeFailed,
            format!("{left} of {} records are not sent", outcome.records.len()),
        ));
    }
    Ok(())
}

/// A line per record: its state, and what to do.
fn show(context: &Context, records: &[RecordSummary]) {
    if context.global.json {
        let records: Vec<_> = records.iter().map(as_json).collect();
        say_json(&json!({ "records": records }));
        return;
    }
    for record in records {
        let (state, why) = words(&record.state);
        let (title, instance_id) = (plain(&record.title), plain(&record.instance_id));
        say!("{state:>15}  {:>3}  {title}  {instance_id}  {}", record.id.0, bytes(record.bytes));
        if !why.is_empty() {
            say!("                 {}", plain(&why));
        }
        if record.answers_arrived && !matches!(record.state, RecordState::Sent { .. }) {
            say!("                 The answers have arrived; files are missing.");
        }
        for problem in &record.problems {
            let words = Context::words().problem(&problem.code);
            say!("                 {}: {words} (`veldwerk file replace`, `veldwerk file drop`)", plain(&problem.name));
        }
    }
}

fn words(state: &RecordState) -> (&'static str, String) {
    match state {
        RecordState::Ready => ("ready", "It goes with the next `veldwerk send`.".into()),
        RecordState::Sending => ("sending", String::new()),
        RecordState::Waiting { reason, .. } => ("waiting", reason_words(reason)),
        RecordState::Sent { .. } => ("sent", String::new()),
        RecordState::NeedsAttention(reason) => ("needs attention", reason_words(reason)),
    }
}

/// Why a record is not sent, with what was found beside it.
fn reason_words(reason: &Reason) -> String {
    let words = Context::words().reason(&reason.code);
    if reason.text.is_empty() { words } else { format!("{words} ({})", reason.text) }
}

fn as_json(record: &RecordSummary) -> Value {
    let (reason, next) = match &record.state {
        RecordState::Waiting { reason, next_attempt_at } => (Some(reason), Some(moment(*next_attempt_at))),
        RecordState::NeedsAttention(reason) => (Some(reason), None),
        RecordState::Ready | RecordState::Sending | RecordState::Sent { .. } => (None, None),
    };
    let problems: Vec<_> =
        record.problems.iter().map(|problem| json!({ "name": problem.name, "code": problem.code })).collect();
    json!({
        "answers_arrived": record.answers_arrived, "problems": problems,
        "record": record.id.0, "instance": record.instance_id, "form": record.form_id, "title": record.title,
        "state": record.state.name(), "reason": reason.map(|reason| &reason.code), "text": reason.map(reason_words),
        "next": next, "attempts": record.attempts, "bytes": record.bytes, "attachments": record.attachments,
    })
}

/// A moment in milliseconds, as ISO text.
pub(crate) fn moment(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|moment| format!("{moment:.0}")).unwrap_or_default()
}

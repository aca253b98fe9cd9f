//! `export` and `import`: records as readable files, and back.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use veldwerk::client::{ExportedRecord, ImportFrom, ImportedRecord, Selection};
use veldwerk::store::Imported;
use veldwerk::{Error, ErrorKind, Result};

use crate::context::Context;
use crate::output::{ask, say, say_json, tell};
use crate::terminal::plain;

/// Writes records to a folder, readable.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk export /media/stick --yes
  veldwerk export /media/stick --sent")]
pub(crate) struct ExportArgs {
    /// Folder to write to; what is in it stays
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Also the records that have arrived
    #[arg(long)]
    sent: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Queues the records of an export here.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk import /media/stick
  veldwerk import /media/stick --project 2 --yes")]
pub(crate) struct ImportArgs {
    /// Folder that `export` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Also records that were made for another server
    #[arg(long)]
    yes: bool,
}

/// `export`: readable files, with a warning.
pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<()> {
    let project = context.project()?;
    if !args.yes {
        tell!("What is written there is readable by everybody who can open the folder.");
        if !confirmed()? {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "nothing was exported; say --yes to do it without a question",
            ));
        }
    }
    let selection = if args.sent { Selection::All(project.id) } else { Selection::Unsent(project.id) };
    let report = context.client.export(&selection, &args.folder)?;
    let n_records = report.records.len();
    let n_files: usize =
        report.records.iter().flat_map(|record| &record.outcome).map(|export| export.attachments).sum();
    let n_incomplete = report.records.iter().filter(|record| !record.is_complete()).count();
    if context.global.json {
        let records: Vec<_> = report.records.iter().map(exported_as_json).collect();
        say_json(&json!({ "records": n_records - n_incomplete, "attachments": n_files, "outcomes": records }));
    } else {
        report.records.iter().for_each(show_exported);
        say!(
            "{} of {n_records} records with {n_files} files are there, readable. The outbox is as it was.",
            n_records - n_incomplete
        );
    }
    all_done(n_incomplete, n_records, "are not there, or not with all their files")
}

fn show_exported(record: &ExportedRecord) {
    let (word, why) = match &record.outcome {
        Ok(export) if !export.missing.is_empty() => {
            let codes: Vec<_> = export.missing.iter().map(|missing| missing.reason.as_str()).collect();
            ("incomplete", format!("{} files could not be read: {}", export.missing.len(), codes.join(", ")))
        }
        Ok(export) if export.was_there => ("was there", String::new()),
        Ok(_) => ("written", String::new()),
        Err(error) => ("failed", error.to_string()),
    };
    show_row(word, &record.instance_id, &[why]);
}

fn exported_as_json(record: &ExportedRecord) -> Value {
    let mut row = json!({ "record": record.record.0, "instance": record.instance_id });
    let facts = match &record.outcome {
        Ok(export) => json!({
            "outcome": if export.was_there { "was-there" } else { "written" },
            "attachments": export.attachments,
            "missing": export.missing.iter().map(|missing| &missing.reason).collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "outcome": "failed", "reason": error.kind().code(), "text": error.to_string() }),
    };
    merge(&mut row, facts);
    row
}

/// `import`: the same bytes, queued here.
pub(crate) fn import(context: &Context, args: &ImportArgs) -> Result<()> {
    let from = if args.yes { ImportFrom::AnyServer } else { ImportFrom::SameServer };
    let report = context.client.import(context.project()?.id, &args.folder, from)?;
    if report.records.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "there is no exported record in that folder"));
    }
    let n_queued = report.records.iter().filter(|record| is_queued(record)).count();
    let n_refused = report.records.iter().filter(|record| record.outcome.is_err()).count();
    let n_present = report.records.len() - n_queued - n_refused;
    if context.global.json {
        let records: Vec<_> = report.records.iter().map(imported_as_json).collect();
        say_json(&json!({ "queued": n_queued, "present": n_present, "refused": n_refused, "records": records }));
    } else {
        report.records.iter().for_each(show_imported);
        say!("{n_queued} records are in the outbox now, {n_present} were here already.");
    }
    all_done(n_refused, report.records.len(), "did not come in")
}

fn is_queued(record: &ImportedRecord) -> bool {
    record.outcome.as_ref().is_ok_and(|import| matches!(import.arrival, Imported::Queued(_)))
}

fn arrival(arrival: Imported) -> &'static str {
    match arrival {
        Imported::Queued(_) => "queued",
        Imported::Present(_) => "present",
        Imported::SentBefore => "sent before",
    }
}

fn show_imported(record: &ImportedRecord) {
    let name = if record.instance_id.is_empty() { &record.folder } else { &record.instance_id };
    match &record.outcome {
        Ok(import) => {
            let mut notes = Vec::new();
            if !import.is_proven {
                notes.push("unproven: the export is an old one, without hashes".to_owned());
            }
            if import.left_out > 0 {
                notes.push(format!("{} files were left out: the record does not name them", import.left_out));
            }
            if import.missing > 0 {
                notes.push(format!("{} files could not be read when it was exported", import.missing));
            }
            show_row(arrival(import.arrival), name, &notes);
        }
        Err(error) => show_row("refused", name, &[error.to_string()]),
    }
}

fn imported_as_json(record: &ImportedRecord) -> Value {
    let mut row = json!({ "folder": record.folder, "instance": record.instance_id });
    let facts = match &record.outcome {
        Ok(import) => json!({
            "outcome": arrival(import.arrival).replace(' ', "-"), "proven": import.is_proven,
            "left_out": import.left_out, "missing": import.missing,
        }),
        Err(error) => json!({ "outcome": "refused", "reason": error.kind().code(), "text": error.to_string() }),
    };
    merge(&mut row, facts);
    row
}

/// A line per record, and what is to be said about it below.
fn show_row(word: &str, name: &str, notes: &[String]) {
    say!("{word:>11}  {}", plain(name));
    for note in notes.iter().filter(|note| !note.is_empty()) {
        say!("             {}", plain(note));
    }
}

fn merge(row: &mut Value, facts: Value) {
    if let (Value::Object(row), Value::Object(facts)) = (row, facts) {
        row.extend(facts);
    }
}

fn all_done(n_failed: usize, n_records: usize, what: &str) -> Result<()> {
    match n_failed {
        0 => Ok(()),
        _ => Err(Error::new(ErrorKind::SomeFailed, format!("{n_failed} of {n_records} records {what}"))),
    }
}

fn confirmed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    ask("Go on? [y/N] ");
    let failed = |error| Error::new(ErrorKind::Io, "the terminal").caused_by(error);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

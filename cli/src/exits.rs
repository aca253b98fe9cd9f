//! `retry`, `discard`, `forget` and `file`: the ways out of the outbox.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use veldwerk::client::Records;
use veldwerk::store::{ProjectId, SubmissionId};
use veldwerk::{Error, ErrorKind, Result};

use crate::context::Context;
use crate::output::{say, say_json};

/// Which records.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Selection {
    /// One record, by its number or its instanceID, as `outbox` shows them
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    /// Those of a form
    #[arg(long, value_name = "ID")]
    form: Option<String>,
    /// Those of the project
    #[arg(long)]
    all: bool,
}

/// Lets records that wait or need attention be sent again.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk retry 7
  veldwerk retry --all")]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    selection: Selection,
}

/// Gives up unsent records.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk discard 7 --export /media/stick
  veldwerk discard --form household_survey --yes")]
pub(crate) struct DiscardArgs {
    #[command(flatten)]
    selection: Selection,
    /// Write them to this folder first, readable; what cannot be written whole stays in the outbox
    #[arg(long, value_name = "DIR", conflicts_with = "yes")]
    export: Option<PathBuf>,
    /// Give them up for good, without a copy
    #[arg(long)]
    yes: bool,
}

/// Deletes sent records from this device; receipts stay.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk forget --all")]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    selection: Selection,
}

impl Selection {
    fn records(&self, context: &Context, project: ProjectId) -> Result<Records> {
        match (&self.record, &self.form) {
            (Some(record), _) => Ok(Records::One(found(context, project, record)?)),
            (None, Some(form_id)) => Ok(Records::OfForm { project, form_id: form_id.clone() }),
            (None, None) => Ok(Records::OfProject(project)),
        }
    }
}

/// The record of the project with this number or instanceID.
fn found(context: &Context, project: ProjectId, named: &str) -> Result<SubmissionId> {
    let number: Option<i64> = named.parse().ok();
    let mut same = context.client.outbox(Some(project))?.into_iter().map(|record| (record.id, record.instance_id));
    let found = same.find(|(id, instance_id)| Some(id.0) == number || instance_id == named);
    // What was typed is not repeated: it may be anything.
    found.map(|(id, _)| id).ok_or_else(|| Error::new(ErrorKind::NotFound, "a record of this number or instanceID"))
}

/// `retry`: at the next `send`.
pub(crate) fn retry(context: &Context, args: &RetryArgs) -> Result<()> {
    let records = args.selection.records(context, context.project()?.id)?;
    let n_ready = context.client.retry(&records)?;
    if context.global.json {
        say_json(&json!({ "ready": n_ready }));
    } else {
        say!("{n_ready} records go with the next `veldwerk send`.");
    }
    Ok(())
}

/// `discard`: with a copy, or for good.
pub(crate) fn discard(context: &Context, args: &DiscardArgs) -> Result<()> {
    let records = args.selection.records(context, context.project()?.id)?;
    if args.export.is_none() && !args.yes {
        return Err(Error::new(
            ErrorKind::UnsentRecords,
            "nothing was discarded; say --export DIR to keep a copy, or --yes to give them up for good",
        ));
    }
    let discarded = context.client.discard(&records, args.export.as_deref())?;
    if context.global.json {
        say_json(&json!({ "discarded": discarded.records, "kept": discarded.kept }));
    } else {
        say!("{} records are discarded, {} stay.", discarded.records, discarded.kept);
    }
    if discarded.kept > 0 {
        return Err(Error::new(ErrorKind::UnsentRecords, format!("{} records were not discarded", discarded.kept)));
    }
    Ok(())
}

/// `forget`: sent ones only.
pub(crate) fn forget(context: &Context, args: &ForgetArgs) -> Result<()> {
    let records = args.selection.records(context, context.project()?.id)?;
    let n_forgotten = context.client.forget(&records)?;
    if context.global.json {
        say_json(&json!({ "forgotten": n_forgotten }));
    } else {
        say!("{n_forgotten} sent records are deleted here.");
    }
    Ok(())
}

/// A file of an unsent record, that cannot be sent as it is.
#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// Put another file in its place, under the same name
    Replace {
        /// The record, by its number or its instanceID
        record: String,
        /// The file's name, as `outbox` shows it
        name: String,
        /// The file to take instead
        #[arg(value_name = "FILE")]
        source: PathBuf,
    },
    /// Send the record without it
    Drop {
        /// The record, by its number or its instanceID
        record: String,
        /// The file's name, as `outbox` shows it
        name: String,
    },
}

/// `file`: another one, or none.
pub(crate) fn file(context: &Context, command: &FileCommand) -> Result<()> {
    let project = context.project()?.id;
    match command {
        FileCommand::Replace { record, name, source } => {
            let unreadable = |error| Error::new(ErrorKind::Io, "the file to take instead").caused_by(error);
            let mut source = std::fs::File::open(source).map_err(unreadable)?;
            context.client.replace_attachment(found(context, project, record)?, name, &mut source)?;
        }
        FileCommand::Drop { record, name } => {
            context.client.drop_attachment(found(context, project, record)?, name)?;
        }
    }
    if context.global.json {
        say_json(&json!({ "ready": 1 }));
    } else {
        say!("The record goes with the next `veldwerk send`.");
    }
    Ok(())
}

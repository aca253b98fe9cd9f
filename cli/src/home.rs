//! `veldwerk home`: is the home sound, and what was put aside.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use veldwerk::client::{MaintenanceReport, OpeningReport, Salvage, Tally};
use veldwerk::{Error, ErrorKind, Result};

use crate::context::{Context, bytes};
use crate::output::{say, say_json, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum HomeCommand {
    /// Look the home through: the database, every attachment, files that nothing names
    Check,
    /// List the damaged databases that were put aside
    Quarantine,
    Delete(DeleteArgs),
}

/// Delete a damaged database that was put aside, with every answer in it that could not be salvaged
#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    /// Its name, as `home quarantine` lists it
    #[arg(value_name = "NAME")]
    name: String,
    /// Yes, for good
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(context: &Context, command: &HomeCommand) -> Result<()> {
    match command {
        HomeCommand::Check => check(context),
        HomeCommand::Quarantine => list(context),
        HomeCommand::Delete(args) => delete(context, args),
    }
}

fn check(context: &Context) -> Result<()> {
    let report = context.client.maintenance()?;
    if context.global.json {
        say_json(&report_json(&report));
    } else {
        report_words(&report).iter().for_each(|line| say!("{line}"));
    }
    let n_missing = report.missing.len();
    if n_missing == 0 { Ok(()) } else { Err(Error::new(ErrorKind::MissingAttachment, format!("{n_missing} files"))) }
}

fn list(context: &Context) -> Result<()> {
    let quarantines = context.client.quarantines();
    if context.global.json {
        let listed: Vec<_> = quarantines.iter().map(|kept| json!({ "name": kept.name, "bytes": kept.size })).collect();
        say_json(&json!({ "quarantines": listed }));
    } else if quarantines.is_empty() {
        say!("No damaged database was put aside.");
    } else {
        quarantines.iter().for_each(|kept| say!("{}  {}", kept.name, bytes(kept.size)));
    }
    Ok(())
}

fn delete(context: &Context, args: &DeleteArgs) -> Result<()> {
    if !args.yes {
        let detail = "the answers in it that could not be salvaged go for good; say --yes";
        return Err(Error::new(ErrorKind::UnsentRecords, detail));
    }
    context.client.delete_quarantine(&args.name)?;
    if context.global.json {
        say_json(&json!({ "deleted": args.name }));
    } else {
        say!("Deleted.");
    }
    Ok(())
}

/// Says on standard error what an opening has found, if a person should hear of it.
pub(crate) fn tell_opening(report: &OpeningReport) {
    if report.log_lost {
        tell!("The log of the last changes is gone since the program was stopped: the newest answers may be missing.");
    }
    if report.is_read_only {
        tell!("Nothing can be written in this home: it can be read, exported and sent, and no answer can be kept.");
    }
    report.salvage.iter().flat_map(salvage_words).for_each(|line| tell!("{line}"));
}

fn salvage_words(salvage: &Salvage) -> Vec<String> {
    let mut lines = vec![format!("The database was damaged. It was put aside: quarantine/{}.", salvage.quarantine)];
    if salvage.is_illegible {
        lines.push("Nothing of it could be read. Keep it, and ask for help: the home is empty.".into());
        return lines;
    }
    for (what, tally) in [("drafts", salvage.drafts), ("records", salvage.records), ("forms", salvage.forms)] {
        let Tally { salvaged, damaged, lost } = tally;
        lines.push(format!("  {what}: {salvaged} salvaged, {damaged} of them not complete; {lost} lost"));
    }
    if !salvage.is_proved {
        lines.push("Not all of it is proved to be unchanged: look the answers through before they are sent.".into());
    }
    lines
}

fn report_words(report: &MaintenanceReport) -> Vec<String> {
    let mut lines = report.salvage.as_ref().map_or_else(|| vec!["The database is sound.".to_owned()], salvage_words);
    for file in &report.missing {
        let owner = match (file.draft, file.submission) {
            (Some(draft), _) => format!("draft {draft}"),
            (_, Some(record)) => format!("record {record}"),
            _ => String::new(),
        };
        lines.push(format!("The file of attachment {} of {owner} is missing or was cut.", file.attachment));
    }
    if report.n_strays > 0 {
        lines.push(format!("{} files belong to nothing; each is kept for a month.", report.n_strays));
    }
    if report.bytes_freed > 0 {
        lines.push(format!("The database has given back {}.", bytes(report.bytes_freed)));
    }
    lines
}

fn report_json(report: &MaintenanceReport) -> Value {
    let missing: Vec<_> = report
        .missing
        .iter()
        .map(|file| {
            json!({
                "attachment": file.attachment.0,
                "draft": file.draft.map(|draft| draft.0),
                "record": file.submission.map(|record| record.0),
            })
        })
        .collect();
    let tally = |tally: Tally| json!({ "salvaged": tally.salvaged, "damaged": tally.damaged, "lost": tally.lost });
    let salvage = report.salvage.as_ref().map(|salvage| {
        json!({
            "quarantine": salvage.quarantine,
            "drafts": tally(salvage.drafts),
            "records": tally(salvage.records),
            "forms": tally(salvage.forms),
            "proved": salvage.is_proved,
            "illegible": salvage.is_illegible,
        })
    });
    json!({
        "salvage": salvage, "missing": missing, "strays": report.n_strays, "deleted": report.n_deleted,
        "freed": report.bytes_freed,
    })
}

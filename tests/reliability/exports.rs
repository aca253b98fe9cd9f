//! What an export is worth: what of it comes in at another home.

use std::fs;
use std::path::Path;

use veldwerk::client::ImportFrom;
use veldwerk_tests::dice::bytes;

use crate::forms::FIRST_MOMENT;
use crate::ledger::Ledger;
use crate::stage::{self, Stage};

/// Every export folder goes into a home of its own: what comes in is what was exported, whole.
pub(crate) fn check(stage: &Stage, place: &Path, ledger: &Ledger) -> Vec<String> {
    let mut losses = Vec::new();
    for (folder, promised) in &ledger.exports {
        if !Path::new(folder).is_dir() {
            if !promised.is_empty() {
                losses.push("an export is gone".to_owned());
            }
            continue;
        }
        let reader = place.join("reader");
        let _ = fs::remove_dir_all(&reader);
        stage::copy(&stage.template, &reader);
        let client = stage::open(&reader, FIRST_MOMENT, 3).unwrap();
        // An export of the other project comes into this one: it is the same server.
        let project = client.projects().unwrap()[0].id;
        let imported = client.import(project, Path::new(folder), ImportFrom::SameServer).unwrap();
        for error in imported.records.into_iter().filter_map(|record| record.outcome.err()) {
            losses.push(format!("an exported record cannot be imported: {}", error.kind().code()));
        }
        let mut missing = promised.clone();
        for record in client.outbox(None).unwrap() {
            let xml = client.store().submission_xml(record.id).unwrap();
            let xml = String::from_utf8_lossy(&xml).into_owned();
            missing.remove(&xml);
            let Some(files) = ledger.record_files(&xml) else {
                losses.push("an export holds a record that nobody finalised".to_owned());
                continue;
            };
            let attached = client.store().submission_attachments(record.id).unwrap();
            let whole = files.iter().all(|(name, file)| {
                let row = attached.iter().find(|row| row.name == *name);
                row.is_some_and(|row| {
                    client.store().read_attachment(row.id, 0, file.size + 1).ok() == Some(bytes(file.seed, file.size))
                })
            });
            if !whole {
                losses.push("an export was imported with a file cut short or missing".to_owned());
            }
        }
        if !missing.is_empty() {
            losses.push(format!("{} of {} records are missing in an export", missing.len(), promised.len()));
        }
    }
    losses
}

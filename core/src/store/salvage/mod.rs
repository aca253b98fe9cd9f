//! What is done with a damaged database: it is put aside, and a new one gets every row that can still be read.
//!
//! The damaged files are opened for reading only and end in `quarantine/<time>/`, byte for byte. The new database is written
//! beside them, gets its last name in that folder when it is whole (`salvaged.db`), and then takes the place of the old one;
//! whatever a kill leaves, the next opening goes on from there ([`Home::finish_salvage`]). Every page carries a proof, so a row
//! that is read is the row that was written; only where the beginning of the first page is damaged are the proofs passed over,
//! and then the report says so.
//!
//! No answer falls because of what stood around it: a project or form that cannot be read leaves an empty one in its place,
//! which renewing the project and refreshing fill again.

mod journal;
mod leaves;
mod references;
mod source;
mod table;
mod tally;

use std::path::Path;

use rusqlite::Transaction;

use self::journal::Journals;
use self::leaves::Leaves;
use self::source::{Source, mend_schema, sources, version};
use self::table::tables;
use self::tally::{DRAFTS, FORMS, RECORDS, ids, tally};
use super::home::Home;
use super::quarantine::{LEAVES, MENDING};
use super::{Key, connection};
use crate::{Error, ErrorKind, Result};

/// What the server has too: better downloaded again than taken without a proof.
const DOWNLOADED: [&str; 5] = ["form_xml", "form_file", "dataset", "dataset_piece", "document"];

/// What became of a damaged database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvage {
    /// The folder in `quarantine/` where the damaged files are.
    pub quarantine: String,
    /// Drafts; a damaged one may have lost some of its changes.
    pub drafts: Tally,
    /// Records.
    pub records: Tally,
    /// Forms; a damaged one is empty until it is downloaded again.
    pub forms: Tally,
    /// Every row was proved to be what was written. If not, whoever knows the answers should look at them.
    pub is_proved: bool,
    /// Not even the list of tables could be read, so nothing is known of what was there, and the new database is empty.
    pub is_illegible: bool,
}

/// How many of one kind. What has left no trace at all is in no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the new database, the damaged ones included.
    pub salvaged: u64,
    /// In the new database, and not complete.
    pub damaged: u64,
    /// Only in the quarantine.
    pub lost: u64,
}

/// Puts the database of a home aside and what can be read of it into a new one. `now` names the quarantine.
///
/// # Errors
/// `StorageDamaged` if there is no database at all: then nothing is made. `StorageFull`, `Io`: the home is as it was.
pub(super) fn salvage(home: &Home, key: &Key, now: i64) -> Result<Salvage> {
    if !connection::is_there(&home.database()) {
        return Err(Error::new(ErrorKind::StorageDamaged, "the database is not there"));
    }
    let quarantine = home.begin_quarantine(now)?;
    let made = copy(&home.database(), key, &quarantine.unfinished()).and_then(|salvage| {
        quarantine.keep(home)?;
        Ok(Salvage { quarantine: quarantine.name.clone(), ..salvage })
    });
    made.inspect_err(|_| quarantine.abandon())
}

fn copy(path: &Path, key: &Key, target: &Path) -> Result<Salvage> {
    let Some(version) = version(path, key)? else {
        connection::create(target, key)?;
        return Ok(Salvage { is_illegible: true, ..Salvage::default() });
    };
    let mended = target.with_file_name(MENDING);
    let mut target = connection::create_at(target, key, version)?;
    // A disk without room for it, say, is no reason to give up.
    let _ = mend_schema(path, &mended, key, &target);
    let Some(sources) = sources(path, &mended, key, tables(&target)?.len())? else {
        return Ok(Salvage { is_illegible: true, ..Salvage::default() });
    };
    let transaction = target.transaction()?;
    let copied = copy_rows(&sources, &mended, key, &transaction)?;
    hold_back(&transaction, &copied.unproved_records)?;
    let Some(source) = sources.first() else { return Ok(Salvage::default()) };
    references::keep_numbers(source, &transaction)?;
    let known_dead = references::dead(&transaction)?;
    references::restore_parents(&transaction)?;
    let n_damaged_forms = references::empty_forms(&transaction)?;
    references::drop_orphans(&transaction)?;
    references::forget_dead(&transaction, known_dead.as_ref())?;
    let mut damaged_drafts = copied.journals.incomplete(&ids(&transaction, "SELECT id FROM draft")?);
    damaged_drafts.append(&mut journal::gaps(&transaction)?);
    let report = Salvage {
        drafts: Tally { damaged: damaged_drafts.len() as u64, ..tally(&sources, &transaction, DRAFTS)? },
        records: tally(&sources, &transaction, RECORDS)?,
        forms: Tally { damaged: n_damaged_forms, ..tally(&sources, &transaction, FORMS)? },
        is_proved: copied.is_proved,
        ..Salvage::default()
    };
    transaction.commit()?;
    Ok(report)
}

/// What came of copying all tables.
struct Copied {
    is_proved: bool,
    journals: Journals,
    unproved_records: Vec<i64>,
}

/// Copies every row that can be read: by the tree, then by pages that no tree leads to, then what nothing proves.
fn copy_rows(sources: &[Source], mended: &Path, key: &Key, target: &Transaction<'_>) -> Result<Copied> {
    let is_proved = sources.first().is_some_and(|source| source.is_proved);
    let mut copied = Copied { is_proved, journals: Journals::default(), unproved_records: Vec::new() };
    let mut leaves = None;
    for table in tables(target)? {
        let is_downloaded = DOWNLOADED.contains(&table.name.as_str());
        for (n, source) in sources.iter().enumerate() {
            if n > 0 && is_downloaded {
                break;
            }
            let mut found = table.copy(source, target)?;
            if !found.is_whole && source.is_proved && !is_downloaded {
                // Without room for another copy, say, there is what the tree leads to.
                let leaves = leaves.get_or_insert_with(|| Leaves::of(mended, mended.with_file_name(LEAVES), key));
                if let Ok(leaves) = leaves {
                    table.copy_leaves(leaves, source, target, &mut found)?;
                }
            }
            copied.is_proved &= n == 0 || found.n_new == 0;
            copied.unproved_records.append(&mut found.unproved_records);
            if table.name == journal::TABLE {
                match n {
                    0 => copied.journals = found.journals,
                    _ => copied.journals.read_unproved(found.journals),
                }
            }
            if found.is_whole {
                break;
            }
        }
    }
    Ok(copied)
}

/// Records that are not proved to be what was written go to nobody until a person has looked.
fn hold_back(target: &Transaction<'_>, records: &[i64]) -> Result<()> {
    let mut hold = target.prepare(
        "UPDATE submission SET state = 'needs_attention', reason = 'unproved', reason_text = '' WHERE id = ? AND state <> 'sent'",
    )?;
    for record in records {
        hold.execute([record])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

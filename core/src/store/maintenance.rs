//! What is done when nobody waits: is the database sound, is every attachment there, what may go.

use std::fs;

use super::salvage::Salvage;
use super::{AttachmentId, DraftId, Store, SubmissionId, checkpoint, vault};
use crate::Result;

/// So many free pages are worth giving back: 4 MB.
const FREE_PAGES: u64 = 1024;
/// So many pages in use are written anew at most: 64 MB.
const LARGEST_REWRITTEN: u64 = 16_384;

/// What maintenance found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaintenanceReport {
    /// The database did not hold together, and this became of it.
    pub salvage: Option<Salvage>,
    /// Attachments whose file is not there or has another length.
    pub missing: Vec<MissingFile>,
    /// Files that no row names and that are kept for now.
    pub n_strays: u64,
    /// Files that no row had named for a month, deleted.
    pub n_deleted: u64,
    /// Bytes by which the database has become smaller.
    pub bytes_freed: u64,
}

/// An attachment without its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingFile {
    /// The attachment.
    pub attachment: AttachmentId,
    /// The draft it belongs to.
    pub draft: Option<DraftId>,
    /// The record it belongs to.
    pub submission: Option<SubmissionId>,
}

impl Store {
    /// Looks the home through and tidies it; `now` is the moment. It reads the whole database: seconds for a large home, and
    /// the store is busy meanwhile, so it belongs where nobody waits. A damaged database is put aside and salvaged; nothing is
    /// deleted that a row names.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`, `Io`.
    pub fn maintenance(&self, now: i64) -> Result<MaintenanceReport> {
        let is_sound = self.read(|connection| Ok(is_sound(connection)))?;
        let salvage = if is_sound { None } else { Some(self.salvage(now)?) };
        let missing = self.missing_files()?;
        self.drop_forms_that_left(now)?;
        let (n_strays, n_deleted) = self.clean_strays(now)?;
        let bytes_freed = self.shrink()?;
        self.read(checkpoint)?;
        self.home.keep_reserve();
        Ok(MaintenanceReport { salvage, missing, n_strays, n_deleted, bytes_freed })
    }

    /// Gives the system back what the database does not use, where that is much: a quarter of it, and some megabytes. What is in
    /// use is written anew, in memory first, so a large database stays as it is; its room is used again.
    ///
    /// SQLite could give back single pages instead, but then every commit would write a page more to know where they are.
    fn shrink(&self) -> Result<u64> {
        self.read(|connection| {
            let number = |name: &str| {
                Ok::<u64, rusqlite::Error>(
                    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))?.cast_unsigned(),
                )
            };
            let (pages, free) = (number("page_count")?, number("freelist_count")?);
            if free < FREE_PAGES || free * 4 < pages || pages - free > LARGEST_REWRITTEN {
                return Ok(0);
            }
            connection.execute_batch("VACUUM")?;
            Ok((pages - number("page_count")?) * number("page_size")?)
        })
    }

    fn missing_files(&self) -> Result<Vec<MissingFile>> {
        let attachments = self.read(|connection| {
            let mut query =
                connection.prepare("SELECT file, size, id, draft, submission FROM attachment ORDER BY id")?;
            let rows = query.query_map([], |row| {
                let (file, size): (String, i64) = (row.get(0)?, row.get(1)?);
                let found = MissingFile { attachment: row.get(2)?, draft: row.get(3)?, submission: row.get(4)? };
                Ok((file, size.cast_unsigned(), found))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let is_there = |file: &str, size| {
            fs::metadata(self.files().join(file)).is_ok_and(|file| file.len() == vault::sealed_size(size))
        };
        Ok(attachments.into_iter().filter(|(file, size, _)| !is_there(file, *size)).map(|(.., found)| found).collect())
    }
}

/// Whether every page can be read and they fit together. One that cannot even be asked is not.
pub(super) fn is_sound(connection: &rusqlite::Connection) -> bool {
    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).is_ok_and(|found| found == "ok")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openrosa::form_list::Listing;
    use crate::store::fixture::{NOW, TestHome, answer, new_file, new_form};

    #[test]
    fn a_healthy_home_has_nothing_to_say() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        home.reopen();
        assert_eq!(home.maintenance(NOW).unwrap(), MaintenanceReport::default());
        assert_eq!(fs::metadata(home.path().join("store.db-wal")).unwrap().len(), 0);
    }

    #[test]
    fn room_that_is_not_used_is_given_back() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/data/a", "stays")).unwrap();
        let size = |home: &TestHome| {
            home.read(checkpoint).unwrap();
            fs::metadata(home.path().join("store.db")).unwrap().len()
        };
        let before = size(&home);
        let list = home.data(&vec![b'x'; 6_000_000]);
        let form = home.install_form(&new_form(project, "listed", "1", vec![new_file("l.csv", "h", list)])).unwrap();
        let large = size(&home);
        assert_eq!(home.maintenance(NOW).unwrap().bytes_freed, 0, "all of it is used");
        home.remove_form(form).unwrap();
        assert_eq!(size(&home), large);
        let freed = home.maintenance(NOW).unwrap().bytes_freed;
        assert!(freed > 5_000_000 && size(&home) == large - freed && size(&home) < before + 200_000, "{freed}");
        assert_eq!(home.maintenance(NOW).unwrap(), MaintenanceReport::default());
        home.reopen();
        assert_eq!(home.edits(draft).unwrap(), [answer(1, "/data/a", "stays")]);
    }

    #[test]
    fn a_form_that_left_goes_also_where_nobody_refreshes() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let nothing = Listing { is_whole: true, at_ms: NOW, ..Listing::default() };
        home.settle_offers(project, &nothing).unwrap();
        let month = 30 * 24 * 60 * 60_000;
        for (now, is_there) in [(NOW + month - 1, true), (NOW + month, false)] {
            home.maintenance(now).unwrap();
            assert_eq!(home.form(form).is_ok(), is_there);
        }
    }

    #[test]
    fn an_attachment_whose_file_went_or_was_cut_is_named_and_stays_where_it_is() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let ids: Vec<_> = ["a.jpg", "b.jpg", "c.jpg"]
            .iter()
            .map(|name| home.attach(draft, name, &mut &[7; 100_000][..]).unwrap().id)
            .collect();
        let path = |id: AttachmentId| {
            let query = "SELECT file FROM attachment WHERE id = ?";
            let file: String = home.read(|db| Ok(db.query_row(query, [id], |row| row.get(0))?)).unwrap();
            home.path().join("files").join(file)
        };
        fs::remove_file(path(ids[0])).unwrap();
        fs::File::options().write(true).open(path(ids[2])).unwrap().set_len(50_000).unwrap();
        let missing = |attachment| MissingFile { attachment, draft: Some(draft), submission: None };
        assert_eq!(home.maintenance(NOW).unwrap().missing, [missing(ids[0]), missing(ids[2])]);
        assert_eq!(home.draft_attachments(draft).unwrap().len(), 3);
    }
}

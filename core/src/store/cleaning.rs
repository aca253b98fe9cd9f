//! Which files go, and when.
//!
//! A sealed file or a form's picture is deleted only when the database says that it is dead: a row of `dead_file`, written in
//! the transaction that let it go. It is unlinked after the commit, and the row goes last, so a kill in between leaves work
//! for the next opening and nothing else. A file that no row names is a *stray*: it is what a lost log or a restored backup
//! leaves behind, so it is kept for a month after it was first seen, and for as long as a quarantined database may name it.
//! Folders and files of others are not looked at.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::{Store, checkpoint, folder};
use crate::Result;

/// How long a stray is kept after it was first seen, in milliseconds: thirty days.
const STRAY_KEPT: i64 = 30 * 24 * 60 * 60 * 1000;

/// No clock that is right shows less: the beginning of 2026.
const EARLIEST: i64 = 1_767_225_600_000;

/// The folder of sealed attachments.
pub(super) const FILES: &str = "files";
/// The folder of the forms' pictures, sound and video.
pub(super) const MEDIA: &str = "media";

impl Store {
    /// Unlinks the sealed files that the database has called dead; what cannot be unlinked now is at the next opening. Their
    /// keys leave the log first: what may remain of the files is noise.
    pub(super) fn bury_files(&self) {
        let _ = self.read(checkpoint).and_then(|()| self.bury(FILES));
    }

    /// At an opening: everything dead goes, and what was being written when the program was last stopped.
    ///
    /// Pictures of forms go only here, when nobody can be about to install a form with the same picture.
    pub(super) fn clean_up(&self) {
        for folder in [FILES, MEDIA] {
            let path = self.home.path().join(folder);
            // Housekeeping never stops an opening. A folder is made again if a backup left it out for being empty.
            let _ = fs::create_dir_all(&path);
            folder::remove_pending(&path);
            let _ = self.bury(folder);
        }
        folder::remove_pending(self.home.path());
        self.home.clean_quarantines();
        let _ = self.discard_staged_data();
    }

    fn bury(&self, folder: &str) -> Result<()> {
        let dead = self.read(|connection| {
            let mut query = connection.prepare_cached("SELECT file FROM dead_file WHERE file LIKE ? || '/%'")?;
            let names: Vec<String> = query.query_map([folder], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        })?;
        let buried: Vec<_> = dead.into_iter().filter(|file| self.is_gone(file)).collect();
        if buried.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            buried.iter().try_for_each(|file| {
                transaction.execute("DELETE FROM dead_file WHERE file = ?", [file])?;
                Ok(())
            })
        })
    }

    /// Unlinks a file of the home; whether it is gone.
    fn is_gone(&self, file: &str) -> bool {
        match fs::remove_file(self.home.path().join(file)) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Notes the files that no row names, and deletes those that were noted a month before `now`. Returns how many strays are
    /// kept and how many were deleted.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`, `StorageDamaged`.
    pub(super) fn clean_strays(&self, now: i64) -> Result<(u64, u64)> {
        let found: BTreeSet<String> = [(FILES, 32), (MEDIA, 64)]
            .into_iter()
            .flat_map(|(folder, digits)| ours(&self.home.path().join(folder), digits, folder))
            .collect();
        let may_go = !self.home.has_quarantine();
        // Under the lock of the database, so that no form comes to name a picture between the look and the unlinking.
        self.write(|transaction| {
            let strays: BTreeSet<_> = &found - &named(transaction)?;
            note(transaction, &strays, now)?;
            let mut query = transaction.prepare("SELECT file FROM stray_file WHERE seen_at <= ?")?;
            let due: Vec<String> = query.query_map([now - STRAY_KEPT], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let n_deleted = due.iter().filter(|file| may_go && self.is_gone(file)).count();
            Ok(((strays.len() - n_deleted) as u64, n_deleted as u64))
        })
    }
}

/// Files that carry a name of this program, as paths within the home. A folder that cannot be read has none to offer.
fn ours(path: &Path, digits: usize, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| folder::is_hex(name, digits)).map(|name| format!("{folder}/{name}")).collect()
}

/// Every file that a row names, the dead included.
fn named(connection: &Connection) -> Result<BTreeSet<String>> {
    let mut query = connection.prepare(
        "SELECT 'files/' || file FROM attachment
         UNION SELECT 'media/' || sha256 FROM form_file WHERE dataset IS NULL
         UNION SELECT file FROM dead_file",
    )?;
    Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Brings the list of strays up to date. A moment that no clock of today can mean says nothing about how long ago it was.
fn note(transaction: &Transaction<'_>, strays: &BTreeSet<String>, now: i64) -> Result<()> {
    let mut query = transaction.prepare("SELECT file FROM stray_file")?;
    let noted: BTreeSet<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for file in &noted - strays {
        transaction.execute("DELETE FROM stray_file WHERE file = ?", [file])?;
    }
    for file in strays {
        transaction.execute(
            "INSERT INTO stray_file (file, seen_at) VALUES (?1, ?2)
             ON CONFLICT (file) DO UPDATE SET seen_at = excluded.seen_at WHERE seen_at < ?3",
            params![file, now, EARLIEST],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome, new_file, new_form};
    use crate::store::{Content, FormKey, ProjectId};
    use std::path::PathBuf;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn with_picture(home: &TestHome, project: ProjectId, form_id: &str, picture: &[u8]) -> FormKey {
        let media = home.put_media(&mut &*picture).unwrap();
        home.install_form(&new_form(project, form_id, "1", vec![new_file("p.png", "h", Content::Media(media))]))
            .unwrap()
    }

    fn dead(home: &TestHome) -> i64 {
        home.read(|db| Ok(db.query_row("SELECT count(*) FROM dead_file", [], |row| row.get(0))?)).unwrap()
    }

    #[test]
    fn a_file_goes_when_its_row_has_gone_and_not_before() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"one"[..]).unwrap();
        home.attach(draft, "a.jpg", &mut &b"two"[..]).unwrap();
        assert_eq!((home.n_files("files"), dead(&home)), (1, 0));
        home.delete_draft(draft).unwrap();
        assert_eq!((home.n_files("files"), dead(&home)), (0, 0));
        home.reopen();
        assert_eq!(dead(&home), 0);
    }

    /// Whatever takes a row away, the file is called dead in the same transaction: also by a cascade, by any statement.
    #[test]
    fn a_kill_between_the_commit_and_the_unlinking_leaves_it_to_the_next_opening() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let form = with_picture(&home, project, "visit", b"picture");
        let draft = home.draft_of(form, "uuid:a");
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        home.read(|db| Ok(db.execute_batch("DELETE FROM attachment; DELETE FROM draft; DELETE FROM form")?)).unwrap();
        assert_eq!((home.n_files("files"), home.n_files("media"), dead(&home)), (1, 1, 2));
        home.reopen();
        assert_eq!((home.n_files("files"), home.n_files("media"), dead(&home)), (0, 0, 0));
    }

    #[test]
    fn a_picture_stays_while_any_form_has_it_and_when_it_comes_back() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let (one, two) = (with_picture(&home, project, "one", b"same"), with_picture(&home, project, "two", b"same"));
        home.remove_form(one).unwrap();
        assert_eq!(dead(&home), 0);
        home.remove_form(two).unwrap();
        assert_eq!((home.n_files("media"), dead(&home)), (1, 1));
        with_picture(&home, project, "three", b"same");
        home.reopen();
        assert_eq!((home.n_files("media"), dead(&home)), (1, 0));
    }

    #[test]
    fn a_stray_is_kept_for_thirty_days_since_it_was_seen() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        let now = EARLIEST + 100 * DAY;
        let stray = home.path().join("files").join("0".repeat(32));
        fs::write(&stray, "sealed under a key that a lost log held").unwrap();
        fs::write(home.path().join("media").join("1".repeat(64)), "picture").unwrap();
        home.reopen();
        assert_eq!(home.clean_strays(now).unwrap(), (2, 0));
        assert_eq!(home.clean_strays(now - 5 * DAY).unwrap(), (2, 0), "the clock was set back");
        home.reopen();
        assert_eq!(home.clean_strays(now + 30 * DAY - 1).unwrap(), (2, 0));
        fs::create_dir(home.path().join(QUARANTINED)).unwrap();
        assert_eq!(home.clean_strays(now + 31 * DAY).unwrap(), (2, 0), "a quarantined database may name it");
        fs::remove_dir(home.path().join(QUARANTINED)).unwrap();
        assert_eq!(home.clean_strays(now + 31 * DAY).unwrap(), (0, 2));
        assert_eq!((home.n_files("files"), home.n_files("media")), (1, 0));
        assert_eq!(home.clean_strays(now + 32 * DAY).unwrap(), (0, 0));
    }

    const QUARANTINED: &str = "quarantine";

    #[test]
    fn a_stray_first_seen_by_a_clock_that_was_wrong_is_kept_as_long() {
        let home = TestHome::new();
        fs::write(home.path().join("files").join("0".repeat(32)), "sealed").unwrap();
        for now in [0, NOW.max(EARLIEST), NOW.max(EARLIEST) + 29 * DAY] {
            assert_eq!(home.clean_strays(now).unwrap(), (1, 0));
        }
        assert_eq!(home.clean_strays(NOW.max(EARLIEST) + 30 * DAY).unwrap(), (0, 1));
    }

    /// Folders, links, files of other programs, in any folder of the home.
    #[test]
    fn what_others_put_there_is_not_touched_and_stops_no_opening() {
        let mut home = TestHome::new();
        let others: Vec<PathBuf> = ["files/.thumbnails", "media/.nomedia", "files/IMG_1.jpg", "notes.txt", "media/ABC"]
            .map(|name| home.path().join(name))
            .into();
        others.iter().for_each(|path| fs::write(path, "of another").unwrap());
        let folder = home.path().join("files").join("a".repeat(32));
        fs::create_dir_all(folder.join("inside")).unwrap();
        home.reopen();
        home.clean_strays(EARLIEST).unwrap();
        home.clean_strays(EARLIEST + 40 * DAY).unwrap();
        assert!(others.iter().all(|path| path.exists()) && folder.join("inside").exists());
    }

    #[test]
    fn a_file_that_cannot_be_unlinked_stays_dead_and_stops_no_opening() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        let (sealed, _) = home.all_files().into_iter().find(|(path, _)| path.starts_with("files")).unwrap();
        // A folder in its place is what no unlinking removes, whoever runs the tests.
        fs::remove_file(home.path().join(&sealed)).unwrap();
        fs::create_dir(home.path().join(&sealed)).unwrap();
        home.delete_draft(draft).unwrap();
        home.reopen();
        assert_eq!(dead(&home), 1);
        fs::remove_dir(home.path().join(&sealed)).unwrap();
        home.reopen();
        assert_eq!(dead(&home), 0);
    }
}

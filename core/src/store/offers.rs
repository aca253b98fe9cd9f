//! Which forms can be begun: those that the server's list names, as it was read last.
//!
//! A version that the list no longer names stays for the drafts and records begun on it, and 30 days beyond: an account that
//! lost its forms for a week finds them again. Then it goes, with its files.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, params};

use super::forms::drop_forms;
use super::{ProjectId, Store};
use crate::openrosa::form_list::{ListedVersion, Listing};
use crate::{ErrorKind, Result};

/// How long a form version stays after it left the list, unless a draft or a record uses it: 30 days.
const KEPT_MS: i64 = 30 * 24 * 60 * 60_000;

struct Row {
    id: i64,
    form_id: String,
    version: String,
    offer: Offer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Offer {
    offered: bool,
    left_at: Option<i64>,
    closing: Option<bool>,
}

/// A form that the server lists and of which no version is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedForm {
    /// The form id of the list.
    pub form_id: String,
    /// The version of the list; empty for none.
    pub version: String,
    /// The title of the list; empty until the next refresh of a home that an earlier version has filled.
    pub title: String,
    /// Code of the reason why it could not be installed.
    pub code: String,
    /// When that was found.
    pub at: i64,
}

impl Store {
    /// The forms that the server lists and that could not be installed in any version, by id. Where an older version is here,
    /// [`FormSummary::failure`](super::FormSummary::failure) says it.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn failed_forms(&self, project: ProjectId) -> Result<Vec<FailedForm>> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT form_id, version, title, code, at FROM form_failure AS failed
                 WHERE project = ? AND NOT EXISTS (
                     SELECT 1 FROM form WHERE form.project = failed.project AND form.form_id = failed.form_id AND superseded = 0)
                 ORDER BY form_id",
            )?;
            let failed = query.query_map([project], |row| {
                Ok(FailedForm {
                    form_id: row.get(0)?,
                    version: row.get(1)?,
                    title: row.get(2)?,
                    code: row.get(3)?,
                    at: row.get(4)?,
                })
            })?;
            Ok(failed.collect::<Result<_, _>>()?)
        })
    }

    /// Takes in what the server lists: which versions can be begun, which have left, what failed. Removes the versions that
    /// left 30 days ago and that no draft or record uses.
    ///
    /// A version that could not be installed is stood in for by the newest one that is here, so that work can go on — except
    /// where the newer one demands that records be encrypted: on the old one the answers would travel readable.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn settle_offers(&self, project: ProjectId, listing: &Listing) -> Result<()> {
        self.write(|transaction| {
            let failures = settle_failures(transaction, project, listing)?;
            let mut listed: BTreeMap<&str, Vec<&ListedVersion>> = BTreeMap::new();
            for version in &listing.forms {
                listed.entry(&version.form_id).or_default().push(version);
            }
            let rows = rows(transaction, project)?;
            let newest: BTreeMap<&str, i64> = rows.iter().map(|row| (row.form_id.as_str(), row.id)).collect();
            let here: BTreeSet<(&str, &str)> =
                rows.iter().map(|row| (row.form_id.as_str(), row.version.as_str())).collect();
            let mut update =
                transaction.prepare_cached("UPDATE form SET offered = ?, left_at = ?, closing = ? WHERE id = ?")?;
            for row in &rows {
                let form_id = row.form_id.as_str();
                let offer = match listed.get(form_id) {
                    None if !listing.is_whole || listing.untold.contains(form_id) => row.offer,
                    None => Offer {
                        offered: false,
                        left_at: row.offer.left_at.or(Some(listing.at_ms)),
                        closing: listing.closing.get(form_id).copied().or(row.offer.closing),
                    },
                    Some(versions) => {
                        let this = versions.iter().find(|listed| listed.version == row.version);
                        let must_encrypt =
                            failures.get(form_id).is_some_and(|code| code == ErrorKind::EncryptionNeeded.code());
                        let stands_in = || {
                            let is_newest = newest.get(form_id) == Some(&row.id);
                            is_newest && !versions.iter().any(|listed| here.contains(&(form_id, &listed.version)))
                        };
                        let is_good = this.is_some_and(|listed| listed.failure.is_none());
                        Offer {
                            offered: is_good || (!must_encrypt && (this.is_some() || stands_in())),
                            left_at: if this.is_some() { None } else { row.offer.left_at.or(Some(listing.at_ms)) },
                            closing: None,
                        }
                    }
                };
                if offer != row.offer {
                    update.execute(params![offer.offered, offer.left_at, offer.closing, row.id])?;
                }
            }
            drop_old(transaction, project, listing.at_ms)
        })
    }

    /// Removes the versions of every project that left 30 days before `now` and that no draft or record uses.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub(super) fn drop_forms_that_left(&self, now: i64) -> Result<()> {
        let projects = self.projects()?;
        self.write(|transaction| projects.iter().try_for_each(|project| drop_old(transaction, project.id, now)))
    }
}

/// The newest version of a form that could not be installed, and why.
#[derive(PartialEq, Eq)]
struct Failure {
    version: String,
    title: String,
    code: String,
}

/// Notes the failures of the versions listed now, and gives their codes by form id.
fn settle_failures(
    transaction: &Transaction<'_>,
    project: ProjectId,
    listing: &Listing,
) -> Result<BTreeMap<String, String>> {
    let mut before: BTreeMap<String, Failure> = BTreeMap::new();
    let mut query =
        transaction.prepare_cached("SELECT form_id, version, title, code FROM form_failure WHERE project = ?")?;
    let mut found = query.query([project])?;
    while let Some(row) = found.next()? {
        before.insert(row.get(0)?, Failure { version: row.get(1)?, title: row.get(2)?, code: row.get(3)? });
    }
    let must_encrypt = ErrorKind::EncryptionNeeded.code();
    let mut now: BTreeMap<String, Failure> = BTreeMap::new();
    for ListedVersion { form_id, version, title, failure } in &listing.forms {
        let Some(failure) = failure else { continue };
        // That a version demands encryption stays true while it cannot even be fetched.
        let stays = before.get(form_id).is_some_and(|known| known.version == *version && known.code == must_encrypt);
        let code = if stays { must_encrypt } else { failure.code() }.to_owned();
        now.insert(form_id.clone(), Failure { version: version.clone(), title: title.clone(), code });
    }
    let mut remove = transaction.prepare_cached("DELETE FROM form_failure WHERE project = ? AND form_id = ?")?;
    for form_id in before.keys().filter(|form_id| !now.contains_key(*form_id)) {
        remove.execute(params![project, form_id])?;
    }
    let mut note = transaction.prepare_cached(
        "INSERT INTO form_failure (project, form_id, version, title, code, at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (project, form_id) DO UPDATE
             SET version = excluded.version, title = excluded.title, code = excluded.code, at = excluded.at",
    )?;
    for (form_id, failed) in now.iter().filter(|(form_id, failed)| before.get(*form_id) != Some(*failed)) {
        note.execute(params![project, form_id, failed.version, failed.title, failed.code, listing.at_ms])?;
    }
    Ok(now.into_iter().map(|(form_id, failed)| (form_id, failed.code)).collect())
}

/// The versions in use, the oldest first.
fn rows(connection: &Connection, project: ProjectId) -> Result<Vec<Row>> {
    let mut query = connection.prepare_cached(
        "SELECT id, form_id, version, offered, left_at, closing FROM form
         WHERE project = ? AND superseded = 0 ORDER BY id",
    )?;
    let rows = query.query_map([project], |row| {
        Ok(Row {
            id: row.get(0)?,
            form_id: row.get(1)?,
            version: row.get(2)?,
            offer: Offer { offered: row.get(3)?, left_at: row.get(4)?, closing: row.get(5)? },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes the versions that left the list 30 days before `at`, and that no draft or record uses.
fn drop_old(transaction: &Transaction<'_>, project: ProjectId, at: i64) -> Result<()> {
    let condition = "project = :project AND offered = 0 AND left_at <= :before
        AND NOT EXISTS (SELECT 1 FROM draft WHERE draft.form = form.id)
        AND NOT EXISTS (SELECT 1 FROM submission WHERE submission.form = form.id)";
    let values = BTreeMap::from([(":project", project.0), (":before", at.saturating_sub(KEPT_MS))]);
    drop_forms(transaction, condition, &values)
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, TestHome};
    use crate::store::{Finalized, FormKey, RecordState};

    const DAY: i64 = 24 * 60 * 60_000;

    fn listing(forms: &[(&str, &str, Option<ErrorKind>)], at_ms: i64) -> Listing {
        let listed = |(form_id, version, failure): &(&str, &str, Option<ErrorKind>)| ListedVersion {
            form_id: (*form_id).into(),
            version: (*version).into(),
            title: format!("The {form_id}"),
            failure: *failure,
        };
        Listing { forms: forms.iter().map(listed).collect(), is_whole: true, at_ms, ..Listing::default() }
    }

    /// The versions that can be begun.
    fn offered(home: &TestHome, project: ProjectId) -> Vec<String> {
        let forms = home.forms(project).unwrap().into_iter().filter(|form| form.offered);
        forms.map(|form| format!("{}@{}", form.form_id, form.version)).collect()
    }

    fn is_there(home: &TestHome, form: FormKey) -> bool {
        home.form(form).is_ok()
    }

    #[test]
    fn only_what_the_server_lists_can_be_begun() {
        let home = TestHome::new();
        let project = home.any_project();
        for (form_id, version) in [("visit", "1"), ("visit", "2"), ("census", "1")] {
            home.any_form(project, form_id, version);
        }
        let settle = |forms: &[_]| home.settle_offers(project, &listing(forms, NOW)).unwrap();
        settle(&[("visit", "2", None), ("census", "1", None)]);
        assert_eq!(offered(&home, project), ["census@1", "visit@2"], "the version before is not offered any more");
        settle(&[("visit", "1", None), ("visit", "2", None)]);
        assert_eq!(offered(&home, project), ["visit@2", "visit@1"], "both are listed");
        settle(&[]);
        assert_eq!(offered(&home, project), [""; 0], "an account without forms");
        assert_eq!(home.forms(project).unwrap().len(), 3, "and nothing is lost");
        settle(&[("visit", "2", None), ("census", "1", None)]);
        assert_eq!(offered(&home, project), ["census@1", "visit@2"]);
    }

    #[test]
    fn a_form_that_never_came_in_is_told_until_it_does_or_leaves_the_list() {
        let home = TestHome::new();
        let project = home.any_project();
        home.any_form(project, "visit", "1");
        let failed = || -> Vec<String> {
            home.failed_forms(project)
                .unwrap()
                .into_iter()
                .map(|form| format!("{} “{}” {}", form.form_id, form.title, form.code))
                .collect()
        };
        let missing = Some(ErrorKind::MissingMedia);
        let listed = [("visit", "2", missing), ("census", "1", missing)];
        home.settle_offers(project, &listing(&listed, NOW)).unwrap();
        assert_eq!(
            failed(),
            ["census “The census” missing-media"],
            "of the other one a version is here, which says it"
        );
        home.settle_offers(project, &listing(&[("visit", "1", None)], NOW)).unwrap();
        assert_eq!(failed(), [""; 0]);
    }

    #[test]
    fn a_version_that_failed_is_stood_in_for_unless_it_demands_encryption() {
        use ErrorKind::{EncryptionNeeded, MissingMedia, Offline};
        type Case<'c> = (&'c [(&'c str, &'c str, Option<ErrorKind>)], &'c [&'c str], Option<&'c str>);
        let cases: &[Case<'_>] = &[
            (&[("visit", "3", Some(MissingMedia))], &["visit@2"], Some("missing-media")),
            (&[("visit", "3", Some(EncryptionNeeded))], &[], Some("encryption-needed")),
            // That it does is not forgotten while it cannot even be fetched.
            (&[("visit", "3", Some(Offline))], &[], Some("encryption-needed")),
            (&[("visit", "4", Some(Offline))], &["visit@2"], Some("offline")),
            // The same version with other contents.
            (&[("visit", "2", Some(MissingMedia))], &["visit@2"], Some("missing-media")),
            (&[("visit", "2", Some(EncryptionNeeded))], &[], Some("encryption-needed")),
            (&[("visit", "2", None)], &["visit@2"], None),
            // An older version is listed again: the newer one that is here does not stand in for it.
            (&[("visit", "1", Some(MissingMedia))], &["visit@1"], Some("missing-media")),
            (&[("visit", "1", None), ("visit", "3", Some(EncryptionNeeded))], &["visit@1"], Some("encryption-needed")),
        ];
        let home = TestHome::new();
        let project = home.any_project();
        home.any_form(project, "visit", "1");
        home.any_form(project, "visit", "2");
        for (forms, expected, failure) in cases {
            home.settle_offers(project, &listing(forms, NOW)).unwrap();
            assert_eq!(offered(&home, project), *expected, "{forms:?}");
            let failures: Vec<_> = home.forms(project).unwrap().into_iter().map(|form| form.failure).collect();
            assert_eq!(failures, [failure.map(str::to_owned), failure.map(str::to_owned)], "{forms:?}");
        }
    }

    #[test]
    fn what_left_stays_for_thirty_days_and_for_its_drafts_and_records() {
        let home = TestHome::new();
        let project = home.any_project();
        let forms = ["plain", "drafted", "recorded", "listed"].map(|form_id| home.any_form(project, form_id, "1"));
        let [plain, drafted, recorded, listed] = forms;
        let draft = home.draft_of(drafted, "uuid:a");
        let begun = home.draft_of(recorded, "uuid:b");
        let finalized = Finalized {
            xml: b"<a/>".to_vec(),
            instance_id: "uuid:b".into(),
            name: String::new(),
            attachments: vec![],
            last_saved: None,
            at: NOW,
        };
        let record = home.finalize(begun, &finalized).unwrap();
        let settle = |days: i64| {
            home.settle_offers(project, &listing(&[("listed", "1", None)], NOW + days * DAY)).unwrap();
            [plain, drafted, recorded, listed].map(|form| is_there(&home, form))
        };
        assert_eq!(settle(0), [true; 4]);
        assert!(!home.draft(draft).unwrap().summary.offered, "a draft from before says so");
        assert_eq!(settle(29), [true; 4], "counted from the day it left");
        assert_eq!(settle(30), [false, true, true, true]);
        home.delete_draft(draft).unwrap();
        assert!(is_there(&home, drafted), "it goes at a refresh, not under a list that is shown");
        let claim = home.begin_sending(record).unwrap();
        home.mark(record, claim, &RecordState::Sent { at: NOW }).unwrap();
        assert_eq!(settle(31), [false, false, true, true], "a sent record is still looked at");
    }

    #[test]
    fn back_in_the_list_the_thirty_days_begin_anew() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let settle = |forms: &[_], days: i64| home.settle_offers(project, &listing(forms, NOW + days * DAY)).unwrap();
        settle(&[], 0);
        settle(&[("visit", "1", None)], 20);
        settle(&[], 40);
        settle(&[], 69);
        assert!(is_there(&home, form));
        settle(&[], 70);
        assert!(!is_there(&home, form));
    }

    #[test]
    fn whether_a_form_is_closing_or_gone_is_kept_until_it_is_listed_again() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let closing = || home.form(form).unwrap().summary.closing;
        let gone =
            |is_closing| Listing { closing: BTreeMap::from([("visit".to_owned(), is_closing)]), ..listing(&[], NOW) };
        home.settle_offers(project, &gone(true)).unwrap();
        assert_eq!(closing(), Some(true));
        home.settle_offers(project, &listing(&[], NOW)).unwrap();
        assert_eq!(closing(), Some(true), "not asked about");
        home.settle_offers(project, &gone(false)).unwrap();
        assert_eq!(closing(), Some(false));
        home.settle_offers(project, &listing(&[("visit", "1", None)], NOW)).unwrap();
        assert_eq!(closing(), None);
    }

    #[test]
    fn a_list_that_does_not_say_all_takes_nothing_away() {
        let home = TestHome::new();
        let project = home.any_project();
        home.any_form(project, "visit", "1");
        home.any_form(project, "census", "1");
        let partial = Listing { is_whole: false, ..listing(&[], NOW) };
        home.settle_offers(project, &partial).unwrap();
        assert_eq!(offered(&home, project), ["census@1", "visit@1"]);
        let untold = Listing { untold: BTreeSet::from(["visit".to_owned()]), ..listing(&[], NOW) };
        home.settle_offers(project, &untold).unwrap();
        assert_eq!(offered(&home, project), ["visit@1"]);
    }

    #[test]
    fn nothing_is_written_when_nothing_has_changed() {
        let home = TestHome::new();
        let project = home.any_project();
        home.any_form(project, "visit", "1");
        let same = listing(&[("visit", "1", None), ("census", "1", Some(ErrorKind::NotXml))], NOW);
        home.settle_offers(project, &same).unwrap();
        let changes = || home.read(|connection| Ok(connection.total_changes())).unwrap();
        let before = changes();
        home.settle_offers(project, &Listing { at_ms: NOW + DAY, ..same }).unwrap();
        assert_eq!(changes(), before);
    }
}

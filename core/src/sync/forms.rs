//! Forms come in: the server's list is compared with what is here, and what is new or changed is fetched with all its files
//! and handed over in one piece (openrosa.md §3–§5). What happens to one form is the business of `download`.
//!
//! A form that cannot be had completely is not installed, the version before stays in use, and the other forms go on: a few at
//! a time, so that one that stalls does not keep the others waiting.

use super::download::{Asked, Download, NewDocument};
use super::exchange::Ask;
use super::machine::limit_said;
use super::progress::{Progress, Step};
use super::runner::on_store;
use super::store::{InstalledForm, SyncStore};
use super::transport::Method;
use crate::error::{Error, ErrorKind, Result};
use crate::openrosa::form_list::{self, ListedForm, ListedVersion, Listing};
use crate::openrosa::{BrokenEntry, submission};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;
use url::Url;

/// What a refresh did.
#[derive(Debug)]
pub struct RefreshReport {
    /// Every form of the list.
    pub forms: Vec<FormOutcome>,
    /// Entries of the list that are of no use.
    pub broken: Vec<BrokenEntry>,
}

/// What became of a form of the list.
#[derive(Debug)]
pub struct FormOutcome {
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title.
    pub title: String,
    /// What was done, or why it could not be.
    pub outcome: Result<Outcome>,
    /// Entries of its manifest that are of no use; the form is installed without these files.
    pub broken: Vec<BrokenEntry>,
}

/// How a form of the list compares with what was here; all but the first were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was here, with every file.
    UpToDate,
    /// There was none of this id.
    New,
    /// There was another version of it, which stays for its drafts.
    UpdatedVersion,
    /// There was the same version with another content, which this one replaces.
    UpdatedHash,
    /// The form was here, but a file of it has changed.
    UpdatedMedia,
}

/// So many forms are fetched at once.
const AT_ONCE: usize = 4;
/// After so many requests in a row without a connection the other forms are not tried.
const HOPELESS: usize = 2;
/// Documents are remembered so many at a time, or earlier if they have so many bytes together.
const DOCUMENTS: usize = 100;
const DOCUMENT_BYTES: usize = 1 << 20;
/// What ODK Central adds to the version of a form whose records must be encrypted.
const ENCRYPTED_MARK: &str = "[encrypted:";

/// What one of the tasks of a refresh has done.
enum Done {
    /// The versions of one form, each with its place in the list.
    Form(Vec<(usize, FormOutcome, Option<NewDocument>)>),
    /// The server was asked how much it takes.
    Limit,
}

/// Brings the forms of a project up to date.
pub(super) struct Refresh<S> {
    download: Arc<Download<S>>,
    /// What the server said that is not kept yet.
    documents: Vec<NewDocument>,
}

impl<S: SyncStore> Refresh<S> {
    pub(super) fn new(download: Download<S>) -> Self {
        Self { download: Arc::new(download), documents: Vec::new() }
    }

    pub(super) async fn run(mut self) -> Result<RefreshReport> {
        let (list, document) = self.list().await?;
        self.documents.extend(document);
        let installed = on_store(&self.download.store, S::forms).await?;
        let download = Arc::clone(&self.download);
        let before = download.compare_with(installed);
        let mut listing = Listing {
            untold: list.broken.iter().filter_map(|entry| entry.name.clone()).collect(),
            is_whole: list.broken.iter().all(|entry| entry.name.is_some()),
            ..Listing::default()
        };
        let forms = self.forms(list.forms).await?;
        listing.forms = forms.iter().map(listed_version).collect();
        listing.at_ms = self.download.clock.now_ms();
        let listed: BTreeSet<&str> = listing.forms.iter().map(|form| form.form_id.as_str()).collect();
        if listing.is_whole {
            let left = before
                .iter()
                .filter(|form| !listed.contains(form.form_id.as_str()) && !listing.untold.contains(&form.form_id));
            listing.closing = self.closing(left).await?;
        }
        self.keep_documents().await?;
        on_store(&self.download.store, move |store| store.settle_offers(listing)).await?;
        Ok(RefreshReport { forms, broken: list.broken })
    }

    async fn list(&self) -> Result<(form_list::FormList, Option<NewDocument>)> {
        let url = form_list::url(self.download.exchange.project().base_url().as_str());
        let progress = Progress { step: Step::FormList, number: 1, of: 1, bytes: 0, of_bytes: None };
        let meter = self.download.reporter.begin(progress);
        self.download.document(Asked::List, &url, meter, form_list::read).await
    }

    /// Brings every form of the list up to date, a few at a time; the outcomes are in the order of the list.
    async fn forms(&mut self, listed: Vec<ListedForm>) -> Result<Vec<FormOutcome>> {
        let of = listed.len();
        let mut waiting = by_form(listed);
        let mut outcomes = BTreeMap::new();
        let mut running = JoinSet::new();
        let mut n_running = 0;
        let download = Arc::clone(&self.download);
        running.spawn(async move {
            learn_limit(&download).await;
            Done::Limit
        });
        loop {
            while n_running < AT_ONCE
                && let Some(versions) = waiting.pop_front()
            {
                if self.download.unreachable() >= HOPELESS {
                    outcomes.extend(
                        versions
                            .into_iter()
                            .map(|(place, form)| (place, outcome(form, Err(ErrorKind::Offline.into()), Vec::new()))),
                    );
                    continue;
                }
                let download = Arc::clone(&self.download);
                n_running += 1;
                running.spawn(async move { Done::Form(versions_of_one(&download, versions, of).await) });
            }
            let Some(ended) = running.join_next().await else { break };
            let done = ended.map_err(|_| Error::new(ErrorKind::Internal, "the download of a form ended early"))?;
            let Done::Form(versions) = done else { continue };
            n_running -= 1;
            for (place, outcome, document) in versions {
                if outcome.outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
                    return Err(ErrorKind::Interrupted.into());
                }
                outcomes.insert(place, outcome);
                self.documents.extend(document);
            }
            let bytes: usize = self.documents.iter().map(|(_, document)| document.body.len()).sum();
            if self.documents.len() >= DOCUMENTS || bytes >= DOCUMENT_BYTES {
                self.keep_documents().await?;
            }
        }
        Ok(outcomes.into_values().collect())
    }

    async fn keep_documents(&mut self) -> Result<()> {
        let documents = std::mem::take(&mut self.documents);
        if documents.is_empty() {
            return Ok(());
        }
        on_store(&self.download.store, move |store| store.remember(&documents)).await
    }

    /// Of forms that have left the list, whether they are closing: then their XML is still to be had, and records begun before
    /// are taken. Asked once when a form leaves, and again while drafts or unsent records hang on the answer.
    async fn closing(&self, left: impl Iterator<Item = &InstalledForm>) -> Result<BTreeMap<String, bool>> {
        // The newest version of each speaks for the form.
        let mut newest: BTreeMap<&str, (&InstalledForm, bool)> = BTreeMap::new();
        for form in left {
            let asks = form.is_listed || (form.in_use && form.closing != Some(false));
            let (_, before) = newest.insert(&form.form_id, (form, false)).unwrap_or((form, false));
            newest.insert(&form.form_id, (form, asks || before));
        }
        let mut closing = BTreeMap::new();
        for (form_id, (form, _)) in newest.into_iter().filter(|(_, (_, asks))| *asks) {
            if self.download.unreachable() >= HOPELESS {
                break;
            }
            if let Some(is_closing) = self.download.is_still_there(form).await? {
                closing.insert(form_id.to_owned(), is_closing);
            }
        }
        Ok(closing)
    }
}

/// The versions of each form together, each with its place in the list: they are fetched one after the other.
fn by_form(listed: Vec<ListedForm>) -> VecDeque<Vec<(usize, ListedForm)>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut forms: VecDeque<Vec<(usize, ListedForm)>> = VecDeque::new();
    for (place, form) in listed.into_iter().enumerate() {
        let group = *places.entry(form.form_id.clone()).or_insert(forms.len());
        match forms.get_mut(group) {
            Some(versions) => versions.push((place, form)),
            None => forms.push_back(vec![(place, form)]),
        }
    }
    forms
}

async fn versions_of_one<S: SyncStore>(
    download: &Download<S>,
    versions: Vec<(usize, ListedForm)>,
    of: usize,
) -> Vec<(usize, FormOutcome, Option<NewDocument>)> {
    let mut done = Vec::new();
    for (place, form) in versions {
        let brought = download.form(&form, (place + 1, of)).await;
        done.push((place, outcome(form, brought.outcome, brought.broken), brought.document));
    }
    done
}

/// Asks how large a request the server takes, so that a person is warned of a file too large for it before it is sent. A
/// server that does not say it, or cannot be asked, leaves what was known.
async fn learn_limit<S: SyncStore>(download: &Download<S>) {
    let Ok(url) = Url::parse(&submission::url(download.exchange.project().base_url().as_str())) else { return };
    let Ok((response, _)) = download.exchange.ask(Ask::new(Method::Head, url)).await else { return };
    if let Some(bytes) = limit_said(&response).filter(|_| response.status == 204) {
        // It is learned again.
        let _ = on_store(&download.store, move |store| store.limit_learned(bytes)).await;
    }
}

fn outcome(form: ListedForm, outcome: Result<Outcome>, broken: Vec<BrokenEntry>) -> FormOutcome {
    FormOutcome { form_id: form.form_id, version: form.version, title: form.name, outcome, broken }
}

fn listed_version(form: &FormOutcome) -> ListedVersion {
    let failure = form.outcome.as_ref().err().map(|error| match error.kind() {
        _ if form.version.contains(ENCRYPTED_MARK) => ErrorKind::EncryptionNeeded,
        kind => kind,
    });
    ListedVersion { form_id: form.form_id.clone(), version: form.version.clone(), title: form.title.clone(), failure }
}

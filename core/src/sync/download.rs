//! One form comes in: what of it is here already, what is fetched, and within which bounds.
//!
//! A hash of a list or a manifest is a *change token*: compared with the one stored at the last download, never with bytes
//! that came, because servers send what is the MD5 of nothing (openrosa.md §4). Only the other way round it helps: where it is
//! the MD5 of a file that is here, the file need not come again.

use super::exchange::{Ask, Exchange};
use super::policy::Bounds;
use super::progress::{Meter, Progress, Reporter, Step};
use super::runner::on_store;
use super::store::{FileContent, InstalledFile, InstalledForm, NewFile, NewForm, Remembered, SyncStore};
use super::transport::{Failure, Method, Response};
use super::{Outcome, Project};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::openrosa::address::website;
use crate::openrosa::form_list::ListedForm;
use crate::openrosa::manifest::{self, Manifest, MediaFile, MediaKind};
use crate::openrosa::response::{self, Reply};
use crate::openrosa::{BrokenEntry, Md5Writer, md5_digits};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use url::Url;

/// A document of the server to be remembered, under its address.
pub(super) type NewDocument = (String, Remembered);

/// Fetches what a refresh needs.
pub(super) struct Download<S> {
    pub(super) exchange: Exchange,
    pub(super) store: Arc<S>,
    pub(super) reporter: Reporter,
    pub(super) clock: Arc<dyn Clock>,
    bounds: Bounds,
    /// What was here when the refresh began.
    installed: OnceLock<Installed>,
    /// Plain bytes that may still come.
    budget: Budget,
    /// Requests in a row that found no connection.
    unreachable: AtomicUsize,
}

/// What came of one form.
pub(super) struct Brought {
    pub(super) outcome: Result<Outcome>,
    /// Entries of its manifest that are of no use.
    pub(super) broken: Vec<BrokenEntry>,
    /// Its manifest, if it is another than the one remembered.
    pub(super) document: Option<NewDocument>,
}

impl<S: SyncStore> Download<S> {
    pub(super) fn new(
        exchange: Exchange,
        store: Arc<S>,
        reporter: Reporter,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
    ) -> Self {
        Self {
            exchange,
            store,
            reporter,
            clock,
            bounds,
            installed: OnceLock::new(),
            budget: Budget(AtomicU64::new(bounds.refresh)),
            unreachable: AtomicUsize::new(0),
        }
    }

    /// Takes in what is here, to compare what the server has with it.
    pub(super) fn compare_with(&self, installed: Vec<InstalledForm>) -> &[InstalledForm] {
        &self.installed.get_or_init(|| Installed::new(installed)).forms
    }

    /// How many requests in a row have found no connection.
    pub(super) fn unreachable(&self) -> usize {
        self.unreachable.load(Ordering::Relaxed)
    }

    /// Brings one form up to date. `place` is which one it is, and of how many.
    pub(super) async fn form(&self, listed: &ListedForm, place: (usize, usize)) -> Brought {
        let mut brought = Brought { outcome: Ok(Outcome::UpToDate), broken: Vec::new(), document: None };
        brought.outcome = self.bring(listed, place, &mut brought).await;
        if brought.outcome.is_err() {
            // What was not taken in whole must come again.
            brought.document = None;
        }
        brought
    }

    async fn bring(&self, listed: &ListedForm, place: (usize, usize), brought: &mut Brought) -> Result<Outcome> {
        let installed = self.installed.get_or_init(Installed::default);
        let Manifest { files, broken } = match &listed.manifest_url {
            Some(url) => {
                let (manifest, document) = self.document(Asked::Form, url, Arc::new(|_, _| {}), manifest::read).await?;
                brought.document = document;
                manifest
            }
            None => Manifest::default(),
        };
        brought.broken = broken;
        let known = installed.same_xml(listed);
        if known.is_some_and(|known| files.iter().all(|file| has_file(known, file))) {
            return Ok(Outcome::UpToDate);
        }
        // The form comes before its files: it may be one that cannot be used, and it says which of them are lists.
        let xml = match known {
            Some(known) => {
                let form = known.form;
                on_store(&self.store, move |store| store.form_xml(form)).await?
            }
            None => self.form_xml(listed, self.meter(listed, None, place)).await?,
        };
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let (xml, lists) = on_store(&self.store, move |store| {
            let lists = store.check_form(&xml, &names).map_err(|error| unmask(error, &xml))?;
            Ok((xml, lists))
        })
        .await?;
        let mut new_files = Vec::new();
        for file in files {
            let is_data = file.kind != MediaKind::Media || lists.contains(&file.name);
            new_files.push(self.file(listed, file, is_data, place).await?);
        }
        if known.is_some_and(|known| new_files.iter().all(|file| is_unchanged(known, file))) {
            return Ok(Outcome::UpToDate);
        }
        let form = NewForm {
            form_id: listed.form_id.clone(),
            version: listed.version.clone(),
            hash: listed.hash.clone().unwrap_or_default(),
            title: listed.name.clone(),
            url: below(self.exchange.project(), &listed.download_url)?,
            xml,
            files: new_files,
            fetched_ms: self.clock.now_ms(),
        };
        on_store(&self.store, move |store| store.install(form)).await?;
        Ok(installed.compare(listed))
    }

    async fn form_xml(&self, listed: &ListedForm, meter: Meter) -> Result<Vec<u8>> {
        let url = self.exchange.project().resolve(&listed.download_url)?;
        let response = self.ask(Ask { meter, max_reply: self.bounds.form, ..Ask::new(Method::Get, url) }).await?;
        match response.status {
            200 if response.media_type() != "text/html" => Ok(response.body),
            _ => Err(refusal(&response, Asked::Form)),
        }
    }

    /// A file of a form, from this device if it is here already, else from the server.
    async fn file(
        &self,
        listed: &ListedForm,
        file: MediaFile,
        is_data: bool,
        place: (usize, usize),
    ) -> Result<NewFile<S::Staged>> {
        let installed = self.installed.get_or_init(Installed::default);
        let new = |file: MediaFile, content, md5, etag| NewFile {
            name: file.name,
            kind: file.kind,
            hash: file.hash,
            md5,
            etag,
            content,
        };
        let same = |file, here: &InstalledFile, etag: Option<String>| {
            let etag = etag.unwrap_or_else(|| here.etag.clone());
            new(file, FileContent::SameAs(here.file), here.md5.clone(), etag)
        };
        if let Some(here) = installed.same_file(listed, &file, is_data) {
            return Ok(same(file, here, None));
        }
        let before = installed.file_before(listed, &file, is_data);
        let staged = on_store(&self.store, move |store| store.stage(is_data)).await?;
        let mut sink = Charged { budget: &self.budget, inner: Md5Writer::new(staged) };
        let ask = Ask {
            etag: before.map(|before| before.etag.clone()).filter(|etag| !etag.is_empty()),
            sink: Some(&mut sink),
            max_reply: self.largest_file(is_data),
            meter: self.meter(listed, Some(&file.name), place),
            ..Ask::new(Method::Get, self.exchange.project().resolve(&file.download_url)?)
        };
        let response = self.ask(ask).await?;
        let is_page = response.media_type() == "text/html" && !is_html(&file.name);
        match (response.status, before) {
            (304, Some(before)) => Ok(same(file, before, None)),
            (200, _) if !is_page => {
                let (staged, hash) = sink.inner.finish();
                let md5 = md5_digits(&hash).unwrap_or_default();
                let etag = response.header("etag").unwrap_or_default();
                match before.filter(|before| before.md5 == md5) {
                    Some(before) => Ok(same(file, before, Some(etag))),
                    None => Ok(new(file, FileContent::Staged(staged), md5, etag)),
                }
            }
            (404 | 410, _) => Err(ErrorKind::MissingMedia.into()),
            _ => Err(refusal(&response, Asked::Form)),
        }
    }

    fn largest_file(&self, is_data: bool) -> u64 {
        if is_data {
            return self.bounds.data;
        }
        // The other half is for answers.
        let half = self.store.free_space().map_or(u64::MAX, |free| free / 2);
        self.bounds.media.min(half)
    }

    /// A document of the protocol, and what is to be remembered of it; one that has not changed comes from memory.
    pub(super) async fn document<T>(
        &self,
        asked: Asked,
        url: &str,
        meter: Meter,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<(T, Option<NewDocument>)> {
        let key = url.to_owned();
        let remembered = on_store(&self.store, move |store| store.remembered(&key)).await?;
        let target = self.exchange.project().resolve(url)?;
        let etag = remembered.as_ref().map(|document| document.etag.clone());
        let max_reply = self.bounds.document;
        let response = self.ask(Ask { etag, meter, max_reply, ..Ask::new(Method::Get, target) }).await?;
        match remembered {
            Some(document) if response.status == 304 => Ok((read(&document.body)?, None)),
            _ if response.is_open_rosa() => {
                let content = read(&response.body)
                    .map_err(|error| Error::new(error.kind(), what_came(&response)).caused_by(error))?;
                let new =
                    response.header("etag").map(|etag| (url.to_owned(), Remembered { etag, body: response.body }));
                Ok((content, new))
            }
            _ => Err(refusal(&response, asked)),
        }
    }

    /// Whether the XML of a form is still to be had; `None` where the reply does not tell.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] alone.
    pub(super) async fn is_still_there(&self, form: &InstalledForm) -> Result<Option<bool>> {
        if form.url.is_empty() {
            return Ok(None);
        }
        let Ok(url) = at(self.exchange.project(), &form.url) else { return Ok(None) };
        let max_reply = self.bounds.form;
        match self.ask(Ask { max_reply, ..Ask::new(Method::Get, url) }).await {
            Ok(response) if response.media_type() == "text/html" => Ok(None),
            Ok(response) => Ok(match response.status {
                200 => Some(true),
                403 | 404 | 409 | 410 => Some(false),
                _ => None,
            }),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Asks, counts what came into memory, and notes whether there is a connection.
    async fn ask(&self, ask: Ask<'_>) -> Result<Response> {
        match self.exchange.ask(ask).await {
            Ok((response, _)) => {
                self.unreachable.store(0, Ordering::Relaxed);
                self.budget.charge(response.body.len())?;
                Ok(response)
            }
            Err(failure) => {
                if matches!(failure, Failure::NoConnection) {
                    self.unreachable.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure.into())
            }
        }
    }

    fn meter(&self, listed: &ListedForm, file: Option<&str>, (number, of): (usize, usize)) -> Meter {
        let step = Step::Form { title: listed.name.clone(), file: file.map(str::to_owned) };
        self.reporter.begin(Progress { step, number, of, bytes: 0, of_bytes: None })
    }
}

/// What is here, found by what is asked of it, so that a refresh of many forms looks at each but once.
#[derive(Debug, Default)]
struct Installed {
    forms: Vec<InstalledForm>,
    /// Places of the versions of a form, the oldest first.
    by_id: BTreeMap<String, Vec<usize>>,
    /// Place of the form and of the file in it that has these bytes.
    by_md5: BTreeMap<String, (usize, usize)>,
}

impl Installed {
    fn new(forms: Vec<InstalledForm>) -> Self {
        let mut this = Self { forms, ..Self::default() };
        for (place, form) in this.forms.iter().enumerate() {
            this.by_id.entry(form.form_id.clone()).or_default().push(place);
            let files = form.files.iter().enumerate().filter(|(_, file)| !file.md5.is_empty());
            this.by_md5.extend(files.map(|(number, file)| (file.md5.clone(), (place, number))));
        }
        this
    }

    /// The versions of a form that are here, the newest first.
    fn versions(&self, form_id: &str) -> impl Iterator<Item = &InstalledForm> {
        let places = self.by_id.get(form_id).into_iter().flatten().rev();
        places.filter_map(|&place| self.forms.get(place))
    }

    /// The installed form with the very same XML. Without a hash in the list, the same version counts as the same.
    fn same_xml(&self, listed: &ListedForm) -> Option<&InstalledForm> {
        let same_hash = |form: &InstalledForm| listed.hash.as_ref().is_none_or(|hash| *hash == form.hash);
        self.versions(&listed.form_id).find(|form| form.version == listed.version && same_hash(form))
    }

    /// How a listed form that had to be installed compares with what was here.
    fn compare(&self, listed: &ListedForm) -> Outcome {
        let mut versions = self.versions(&listed.form_id).peekable();
        if self.same_xml(listed).is_some() {
            Outcome::UpdatedMedia
        } else if versions.peek().is_none() {
            Outcome::New
        } else if versions.any(|form| form.version == listed.version) {
            Outcome::UpdatedHash
        } else {
            Outcome::UpdatedVersion
        }
    }

    /// An installed file that need not come again: the one of that name in a version of the form, if its token has not
    /// changed; or any whose bytes have the MD5 that the token is.
    fn same_file(&self, listed: &ListedForm, file: &MediaFile, is_data: bool) -> Option<&InstalledFile> {
        let token = file.hash.as_ref()?;
        let of_form = self.versions(&listed.form_id).flat_map(|form| &form.files);
        let mut by_name = of_form.filter(|here| is_same_kind(here, file, is_data) && here.name == file.name);
        by_name.find(|here| here.hash.as_ref() == Some(token)).or_else(|| {
            let (form, number) = self.by_md5.get(&md5_digits(token)?)?;
            let here = self.forms.get(*form)?.files.get(*number)?;
            (file.kind == MediaKind::Media && is_same_kind(here, file, is_data)).then_some(here)
        })
    }

    /// The newest file of that name in a version of the form: the server may say that it is still the same.
    fn file_before(&self, listed: &ListedForm, file: &MediaFile, is_data: bool) -> Option<&InstalledFile> {
        let mut files = self.versions(&listed.form_id).flat_map(|form| &form.files);
        files.find(|here| here.name == file.name && is_same_kind(here, file, is_data))
    }
}

fn is_same_kind(here: &InstalledFile, file: &MediaFile, is_data: bool) -> bool {
    here.kind == file.kind && here.is_data == is_data
}

/// Whether a version has a file of the manifest with the same token. A file without a token has to be asked about.
fn has_file(form: &InstalledForm, file: &MediaFile) -> bool {
    let same = |here: &InstalledFile| here.name == file.name && here.kind == file.kind && here.hash == file.hash;
    file.hash.is_some() && form.files.iter().any(same)
}

/// Whether a file, now that it has been asked about, is the one that the version has.
fn is_unchanged<Staged>(form: &InstalledForm, file: &NewFile<Staged>) -> bool {
    let same = |here: &InstalledFile| {
        let is_here = matches!(file.content, FileContent::SameAs(row) if row == here.file);
        is_here && here.name == file.name && here.hash == file.hash
    };
    form.files.iter().any(same)
}

/// An address as it is kept: below the project's own without that part, so that no token is kept, and a new one does not
/// matter; any other as it is.
fn below(project: &Project, given: &str) -> Result<String> {
    let url = project.resolve(given)?;
    let base = format!("{}/", project.base_url().as_str().trim_end_matches('/'));
    Ok(url.as_str().strip_prefix(&base).unwrap_or(url.as_str()).to_owned())
}

/// The address that was kept.
fn at(project: &Project, kept: &str) -> Result<Url> {
    let base = project.base_url().as_str().trim_end_matches('/');
    project.resolve(&if kept.contains("://") { kept.to_owned() } else { format!("{base}/{kept}") })
}

/// The bytes that a refresh may still bring.
struct Budget(AtomicU64);

impl Budget {
    fn charge(&self, bytes: usize) -> Result<()> {
        let take = |left: u64| left.checked_sub(bytes as u64);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| ()).map_err(|_| Error::new(ErrorKind::DownloadTooLarge, "all forms together"))
    }
}

/// Passes bytes on and charges them.
struct Charged<'a, W> {
    budget: &'a Budget,
    inner: W,
}

impl<W: Write> Write for Charged<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.budget.charge(bytes.len()).map_err(io::Error::other)?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What was asked for, which says what it means that it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The list of all forms: the project itself.
    List,
    /// A form, its manifest or a file of it: the list names it, and it has gone since.
    Form,
}

/// What a reply means that is not what was asked for: its status and media type, never its body. A web page comes from
/// somewhere else than the server, whatever its status; only 401 and the server's own failures are as good with one. Whose
/// page it is may tell what was mistyped.
fn refusal(response: &Response, asked: Asked) -> Error {
    let is_page = response.media_type() == "text/html" || response::read(&response.body) == Reply::Html;
    let kind = match response.status {
        401 => ErrorKind::SignInNeeded,
        500..=510 | 512..=599 => ErrorKind::ServerError,
        _ if is_page => website(&response.body).unwrap_or(ErrorKind::NotAServer),
        403 => ErrorKind::SignInNeeded,
        404 | 410 if asked == Asked::List => ErrorKind::UnknownProject,
        404 | 410 => ErrorKind::FormNotOffered,
        408 | 423 | 425 | 429 => ErrorKind::ServerError,
        _ => ErrorKind::NotAServer,
    };
    Error::new(kind, what_came(response))
}

fn what_came(response: &Response) -> String {
    let media_type = response.media_type();
    format!("status {}{}{media_type}", response.status, if media_type.is_empty() { "" } else { ", " })
}

/// A web page in the place of a form is no broken form: something else than the server has answered.
fn unmask(error: Error, xml: &[u8]) -> Error {
    let is_page =
        matches!(error.kind(), ErrorKind::NotXml | ErrorKind::NotXforms) && response::read(xml) == Reply::Html;
    if is_page { Error::new(ErrorKind::NotAServer, "form").caused_by(error) } else { error }
}

fn is_html(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| matches!(extension.to_ascii_lowercase().as_str(), "html" | "htm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(version: &str, hash: Option<&str>) -> ListedForm {
        ListedForm {
            form_id: "visit".into(),
            version: version.into(),
            hash: hash.map(str::to_owned),
            ..ListedForm::default()
        }
    }

    fn file(name: &str, hash: &str, kind: MediaKind) -> MediaFile {
        let hash = Some(hash.to_owned()).filter(|hash| !hash.is_empty());
        MediaFile { name: name.into(), hash, kind, ..MediaFile::default() }
    }

    const MD5: &str = "9e107d9d372bb6826bd81d3542a419d6";

    fn installed() -> Installed {
        let site = InstalledFile {
            file: 7,
            name: "site.png".into(),
            hash: Some("token".into()),
            md5: MD5.into(),
            ..InstalledFile::default()
        };
        let wells = InstalledFile {
            file: 8,
            name: "wells.csv".into(),
            hash: Some("md5:w".into()),
            kind: MediaKind::EntityList,
            etag: "\"e\"".into(),
            is_data: true,
            ..InstalledFile::default()
        };
        let visit = InstalledForm {
            form: 3,
            form_id: "visit".into(),
            version: "1".into(),
            hash: "md5:1".into(),
            files: vec![site, wells],
            ..InstalledForm::default()
        };
        Installed::new(vec![visit])
    }

    #[test]
    fn verdicts_follow_the_table() {
        let site = |hash| vec![file("site.png", hash, MediaKind::Media)];
        let other = ListedForm { form_id: "census".into(), ..listed("1", Some("md5:1")) };
        let rows = [
            (listed("1", Some("md5:1")), site("token"), Outcome::UpToDate),
            (listed("1", Some("md5:1")), vec![], Outcome::UpToDate),
            (listed("1", None), site("token"), Outcome::UpToDate),
            (listed("1", Some("md5:1")), site("other"), Outcome::UpdatedMedia),
            (listed("1", Some("md5:1")), site(""), Outcome::UpdatedMedia),
            (listed("1", None), vec![file("new.png", "token", MediaKind::Media)], Outcome::UpdatedMedia),
            (listed("1", Some("md5:2")), site("token"), Outcome::UpdatedHash),
            (listed("2", Some("md5:2")), site("token"), Outcome::UpdatedVersion),
            (listed("2", None), vec![], Outcome::UpdatedVersion),
            (other, vec![], Outcome::New),
        ];
        let installed = installed();
        for (listed, files, expected) in rows {
            let known = installed.same_xml(&listed);
            let is_whole = known.is_some_and(|known| files.iter().all(|file| has_file(known, file)));
            let verdict = if is_whole { Outcome::UpToDate } else { installed.compare(&listed) };
            assert_eq!(verdict, expected, "{listed:?} {files:?}");
        }
    }

    #[test]
    fn a_file_need_not_come_again_if_its_token_is_the_same_or_its_bytes_are_here() {
        let installed = installed();
        let here = |form_id: &str, name, hash, kind, is_data| {
            let listed = ListedForm { form_id: form_id.into(), ..listed("2", None) };
            installed.same_file(&listed, &file(name, hash, kind), is_data).map(|file| file.file)
        };
        let (media, list) = (MediaKind::Media, MediaKind::EntityList);
        let capitals = format!("MD5:{}", MD5.to_uppercase());
        assert_eq!(here("visit", "site.png", "token", media, false), Some(7));
        assert_eq!(here("visit", "other.png", "token", media, false), None, "a token is the file's own");
        assert_eq!(here("census", "site.png", "token", media, false), None, "and the form's");
        for hash in [MD5, &capitals] {
            assert_eq!(here("census", "other.png", hash, media, false), Some(7), "{hash}");
        }
        assert_eq!(here("census", "people.png", MD5, media, true), None, "a list is not shared with what is readable");
        assert_eq!(here("visit", "site.png", "", media, false), None, "without a token it is asked for each time");
        assert_eq!(here("visit", "wells.csv", "md5:w", list, true), Some(8));
        assert_eq!(here("visit", "other.csv", "md5:w", list, true), None);

        let before = |name, kind, is_data| {
            installed.file_before(&listed("2", None), &file(name, "x", kind), is_data).map(|file| file.file)
        };
        assert_eq!(before("wells.csv", list, true), Some(8));
        assert_eq!(before("site.png", media, false), Some(7));
        assert_eq!(before("site.png", media, true), None);
    }

    #[test]
    fn an_address_is_kept_without_the_project_and_its_token() {
        let old = Project::new("https://h.test/v1/key/Old/projects/1", None).unwrap();
        let new = Project::new("https://h.test/v1/key/New/projects/1", None).unwrap();
        let kept = below(&old, "https://h.test/v1/key/Old/projects/1/forms/well%20visit.xml").unwrap();
        assert_eq!(kept, "forms/well%20visit.xml");
        assert_eq!(at(&new, &kept).unwrap().as_str(), "https://h.test/v1/key/New/projects/1/forms/well%20visit.xml");
        let elsewhere = below(&old, "https://s3.test/x?a=1").unwrap();
        assert_eq!(at(&new, &elsewhere).unwrap().as_str(), "https://s3.test/x?a=1");
    }

    #[test]
    fn a_reply_that_is_no_list_is_told_by_its_status_and_type() {
        use ErrorKind::{NotAServer, ServerError, SignInNeeded, UnknownProject};
        let rows = [
            (200, "text/html", NotAServer),
            (200, "application/json", NotAServer),
            (204, "", NotAServer),
            (302, "", NotAServer),
            (401, "text/html", SignInNeeded),
            (403, "text/xml", SignInNeeded),
            (403, "text/html", NotAServer),
            (404, "text/html", NotAServer),
            (404, "application/json", UnknownProject),
            (410, "text/xml", UnknownProject),
            (407, "", NotAServer),
            (429, "", ServerError),
            (502, "text/html", ServerError),
            (511, "text/html", NotAServer),
        ];
        for (status, media_type, expected) in rows {
            let headers = vec![("content-type".to_owned(), format!("{media_type}; charset=utf-8"))];
            let error = refusal(&Response { status, headers, body: b"secret".to_vec() }, Asked::List);
            assert_eq!(error.kind(), expected, "{status} {media_type}");
            assert!(error.detail().contains(&status.to_string()) && error.detail().contains(media_type));
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn what_the_list_names_and_is_not_there_has_gone_since() {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let gone = Response { status: 404, headers, body: br#"{"code":404.1}"#.to_vec() };
        assert_eq!(refusal(&gone, Asked::Form).kind(), ErrorKind::FormNotOffered);
        assert_eq!(refusal(&gone, Asked::List).kind(), ErrorKind::UnknownProject);
    }

    #[test]
    fn a_page_in_the_place_of_a_form_is_a_portal() {
        let error = |kind| Error::from(kind);
        let page = b"<!DOCTYPE html><html><body>Sign in";
        assert_eq!(unmask(error(ErrorKind::NotXml), page).kind(), ErrorKind::NotAServer);
        assert_eq!(unmask(error(ErrorKind::NotXml), b"<h:html>").kind(), ErrorKind::NotXml);
        assert_eq!(unmask(error(ErrorKind::Cycle), page).kind(), ErrorKind::Cycle);
    }
}

//! Forms come in: the server's list is compared with what is here, and what is new or changed is fetched with all its files
//! and handed over in one piece (openrosa.md §3–§5).
//!
//! A form that cannot be had completely is not installed, the version before stays in use, and the other forms go on.

use super::exchange::{Ask, Exchange};
use super::progress::{Meter, Progress, Reporter, Step};
use super::runner::on_store;
use super::store::{FileContent, InstalledFile, InstalledForm, NewFile, NewForm, Remembered, SyncStore};
use super::transport::{Method, Response};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::openrosa::form_list::{self, ListedForm};
use crate::openrosa::manifest::{self, Manifest, MediaFile};
use crate::openrosa::response::{self, Reply};
use crate::openrosa::{BrokenEntry, Md5Writer};
use std::sync::Arc;

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

/// After so many forms in a row without a connection the others are not tried.
const HOPELESS: usize = 2;

/// Brings the forms of a project up to date.
pub(super) struct Refresh<'a, S> {
    pub(super) exchange: &'a Exchange,
    pub(super) store: &'a Arc<S>,
    pub(super) reporter: &'a Reporter,
    pub(super) clock: &'a dyn Clock,
}

impl<S: SyncStore> Refresh<'_, S> {
    pub(super) async fn run(&self) -> Result<RefreshReport> {
        let url = form_list::url(self.exchange.project().base_url().as_str());
        let meter = self.reporter.begin(Progress { step: Step::FormList, number: 1, of: 1, bytes: 0, of_bytes: None });
        let list = self.document(&url, meter, form_list::read).await?;
        let mut report = RefreshReport { forms: Vec::new(), broken: list.broken };
        let mut offline = 0;
        for (number, form) in (1..).zip(&list.forms) {
            let outcome = if offline < HOPELESS {
                self.form(form, (number, list.forms.len())).await
            } else {
                Err(ErrorKind::Offline.into())
            };
            match outcome.as_ref().map_err(Error::kind) {
                Err(ErrorKind::Interrupted) => return Err(ErrorKind::Interrupted.into()),
                Err(ErrorKind::Offline) => offline += 1,
                _ => offline = 0,
            }
            let ListedForm { form_id, version, name, .. } = form.clone();
            report.forms.push(FormOutcome { form_id, version, title: name, outcome });
        }
        // An entry that cannot be read may be any form's, so then none is said to be gone.
        if report.broken.is_empty() {
            let form_ids: Vec<String> = list.forms.into_iter().map(|form| form.form_id).collect();
            on_store(self.store, move |store| store.keep_listed(&form_ids)).await?;
        }
        Ok(report)
    }

    async fn form(&self, listed: &ListedForm, place: (usize, usize)) -> Result<Outcome> {
        let installed = on_store(self.store, S::forms).await?;
        let manifest = match &listed.manifest_url {
            Some(url) => self.document(url, Arc::new(|_, _| {}), manifest::read).await?,
            None => Manifest::default(),
        };
        if let Some(broken) = manifest.broken.into_iter().next() {
            return Err(broken.error);
        }
        let outcome = compare(listed, &manifest.files, &installed);
        if outcome != Outcome::UpToDate {
            self.install(listed, manifest.files, &installed, place).await?;
        }
        Ok(outcome)
    }

    async fn install(
        &self,
        listed: &ListedForm,
        files: Vec<MediaFile>,
        installed: &[InstalledForm],
        place: (usize, usize),
    ) -> Result<()> {
        let xml = match same_xml(listed, installed).map(|form| form.form) {
            Some(form) => on_store(self.store, move |store| store.form_xml(form)).await?,
            None => self.form_xml(listed, self.meter(listed, None, place)).await?,
        };
        let mut new_files = Vec::new();
        for file in files {
            let (content, etag) = self.file(listed, &file, installed, place).await?;
            let MediaFile { name, kind, hash, .. } = file;
            new_files.push(NewFile { name, kind, hash, etag, content });
        }
        let form = NewForm {
            form_id: listed.form_id.clone(),
            version: listed.version.clone(),
            hash: listed.hash.clone().unwrap_or_default(),
            title: listed.name.clone(),
            xml,
            files: new_files,
            fetched_ms: self.clock.now_ms(),
        };
        on_store(self.store, move |store| {
            let names: Vec<String> = form.files.iter().map(|file| file.name.clone()).collect();
            store.check_form(&form.xml, &names).map_err(|error| unmask(error, &form.xml))?;
            store.install(form)
        })
        .await
    }

    async fn form_xml(&self, listed: &ListedForm, meter: Meter) -> Result<Vec<u8>> {
        let url = self.exchange.project().resolve(&listed.download_url)?;
        let (response, _) = self.exchange.ask(Ask { meter, ..Ask::new(Method::Get, url) }).await?;
        match response.status {
            200 if response.media_type() != "text/html" => Ok(response.body),
            _ => Err(refusal(&response)),
        }
    }

    /// A file of a form, from this device if it is here already, else from the server; with its ETag.
    async fn file(
        &self,
        listed: &ListedForm,
        file: &MediaFile,
        installed: &[InstalledForm],
        place: (usize, usize),
    ) -> Result<(FileContent<S::Staged>, String)> {
        if let Some(same) = same_file(file, installed) {
            return Ok((FileContent::SameAs(same.file), same.etag.clone()));
        }
        let before = file_before(listed, file, installed);
        let name = file.name.clone();
        let staged = on_store(self.store, move |store| store.stage(&name)).await?;
        let mut sink = Md5Writer::new(staged);
        let ask = Ask {
            etag: before.map(|before| before.etag.clone()),
            sink: Some(&mut sink),
            meter: self.meter(listed, Some(&file.name), place),
            ..Ask::new(Method::Get, self.exchange.project().resolve(&file.download_url)?)
        };
        let (response, _) = self.exchange.ask(ask).await?;
        let is_page = response.media_type() == "text/html" && !is_html(&file.name);
        match (response.status, before) {
            (304, Some(before)) => Ok((FileContent::SameAs(before.file), before.etag.clone())),
            (200, _) if !is_page => {
                let (staged, hash) = sink.finish();
                if file.kind.hash_is_of_content() && !file.hash.eq_ignore_ascii_case(&hash) {
                    return Err(ErrorKind::HashMismatch.into());
                }
                Ok((FileContent::Staged(staged), response.header("etag").unwrap_or_default()))
            }
            (404 | 410, _) => Err(ErrorKind::MissingMedia.into()),
            _ => Err(refusal(&response)),
        }
    }

    /// A document of the protocol; one that has not changed comes from memory.
    async fn document<T>(&self, url: &str, meter: Meter, read: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
        let key = url.to_owned();
        let remembered = on_store(self.store, move |store| store.remembered(&key)).await?;
        let etag = remembered.as_ref().map(|document| document.etag.clone());
        let target = self.exchange.project().resolve(url)?;
        let (response, _) = self.exchange.ask(Ask { etag, meter, ..Ask::new(Method::Get, target) }).await?;
        match remembered {
            Some(document) if response.status == 304 => read(&document.body),
            _ if response.is_open_rosa() => {
                let content = read(&response.body)?;
                if let Some(etag) = response.header("etag") {
                    let (url, document) = (url.to_owned(), Remembered { etag, body: response.body });
                    on_store(self.store, move |store| store.remember(&url, &document)).await?;
                }
                Ok(content)
            }
            _ => Err(refusal(&response)),
        }
    }

    fn meter(&self, listed: &ListedForm, file: Option<&str>, (number, of): (usize, usize)) -> Meter {
        let step = Step::Form { title: listed.name.clone(), file: file.map(str::to_owned) };
        self.reporter.begin(Progress { step, number, of, bytes: 0, of_bytes: None })
    }
}

/// How a listed form compares with what is installed. Hashes are compared with those of earlier lists and manifests, never with
/// bytes: Kobo mixes other things into a form's hash, and an entity list's is of no bytes at all.
fn compare(listed: &ListedForm, files: &[MediaFile], installed: &[InstalledForm]) -> Outcome {
    let mut of_id = installed.iter().filter(|form| form.form_id == listed.form_id).peekable();
    if let Some(known) = same_xml(listed, installed) {
        let is_here =
            |file: &MediaFile| known.files.iter().any(|here| here.name == file.name && here.hash == file.hash);
        if files.iter().all(is_here) { Outcome::UpToDate } else { Outcome::UpdatedMedia }
    } else if of_id.peek().is_none() {
        Outcome::New
    } else if of_id.any(|form| form.version == listed.version) {
        Outcome::UpdatedHash
    } else {
        Outcome::UpdatedVersion
    }
}

/// The installed form with the very same XML. Without a hash in the list, the same version counts as the same.
fn same_xml<'a>(listed: &ListedForm, installed: &'a [InstalledForm]) -> Option<&'a InstalledForm> {
    let same_version = |form: &&InstalledForm| form.form_id == listed.form_id && form.version == listed.version;
    let same_hash = |form: &InstalledForm| listed.hash.as_ref().is_none_or(|hash| *hash == form.hash);
    installed.iter().filter(same_version).find(|form| same_hash(form))
}

/// An installed file with the same bytes: by hash where it is of the content; of an entity list the same list.
fn same_file<'a>(file: &MediaFile, installed: &'a [InstalledForm]) -> Option<&'a InstalledFile> {
    let by_content = file.kind.hash_is_of_content();
    let mut files = installed.iter().flat_map(|form| &form.files);
    files.find(|here| here.hash == file.hash && here.kind == file.kind && (by_content || here.name == file.name))
}

/// The file of that name before, if the server may say that it is still the same. A file whose hash is of its content has
/// changed if the hash has; of an entity list the ETag is worth asking about.
fn file_before<'a>(listed: &ListedForm, file: &MediaFile, installed: &'a [InstalledForm]) -> Option<&'a InstalledFile> {
    let of_id = installed.iter().filter(|form| form.form_id == listed.form_id);
    let mut files = of_id.flat_map(|form| &form.files).filter(|_| !file.kind.hash_is_of_content());
    files.find(|here| here.name == file.name && here.kind == file.kind && !here.etag.is_empty())
}

/// What a reply means that is not what was asked for: its status and media type, never its body.
fn refusal(response: &Response) -> Error {
    let kind = match response.status {
        401 | 403 => ErrorKind::SignInNeeded,
        100..=399 | 407 | 511 => ErrorKind::NotAServer,
        _ if response.media_type() == "text/html" && response.status < 500 => ErrorKind::NotAServer,
        _ => ErrorKind::ServerError,
    };
    let media_type = response.media_type();
    let detail = format!("status {}{}{media_type}", response.status, if media_type.is_empty() { "" } else { ", " });
    Error::new(kind, detail)
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
    use crate::openrosa::manifest::MediaKind;

    fn listed(version: &str, hash: Option<&str>) -> ListedForm {
        ListedForm {
            form_id: "visit".into(),
            version: version.into(),
            hash: hash.map(str::to_owned),
            ..ListedForm::default()
        }
    }

    fn file(name: &str, hash: &str, kind: MediaKind) -> MediaFile {
        MediaFile { name: name.into(), hash: hash.into(), kind, ..MediaFile::default() }
    }

    fn installed() -> Vec<InstalledForm> {
        let site = InstalledFile { file: 7, name: "site.png".into(), hash: "md5:s".into(), ..InstalledFile::default() };
        let wells = InstalledFile {
            file: 8,
            name: "wells.csv".into(),
            hash: "md5:w".into(),
            kind: MediaKind::EntityList,
            etag: "\"e\"".into(),
        };
        vec![InstalledForm {
            form: 3,
            form_id: "visit".into(),
            version: "1".into(),
            hash: "md5:1".into(),
            files: vec![site, wells],
        }]
    }

    #[test]
    fn verdicts_follow_the_table() {
        let site = |hash| vec![file("site.png", hash, MediaKind::Media)];
        let other = ListedForm { form_id: "census".into(), ..listed("1", Some("md5:1")) };
        let rows = [
            (listed("1", Some("md5:1")), site("md5:s"), Outcome::UpToDate),
            (listed("1", Some("md5:1")), vec![], Outcome::UpToDate),
            (listed("1", None), site("md5:s"), Outcome::UpToDate),
            (listed("1", Some("md5:1")), site("md5:other"), Outcome::UpdatedMedia),
            (listed("1", None), vec![file("new.png", "md5:s", MediaKind::Media)], Outcome::UpdatedMedia),
            (listed("1", Some("md5:2")), site("md5:s"), Outcome::UpdatedHash),
            (listed("2", Some("md5:2")), site("md5:s"), Outcome::UpdatedVersion),
            (listed("2", None), vec![], Outcome::UpdatedVersion),
            (other, vec![], Outcome::New),
        ];
        for (listed, files, expected) in rows {
            assert_eq!(compare(&listed, &files, &installed()), expected, "{listed:?} {files:?}");
        }
    }

    #[test]
    fn equal_files_are_used_again() {
        let installed = installed();
        let here = |name, hash, kind| same_file(&file(name, hash, kind), &installed).map(|file| file.file);
        assert_eq!(here("renamed.png", "md5:s", MediaKind::Media), Some(7));
        assert_eq!(here("site.png", "md5:x", MediaKind::Media), None);
        assert_eq!(here("wells.csv", "md5:w", MediaKind::EntityList), Some(8));
        assert_eq!(here("other.csv", "md5:w", MediaKind::EntityList), None, "a list's hash is not its content's");
        let before =
            |name, kind| file_before(&listed("2", None), &file(name, "md5:x", kind), &installed).map(|file| file.file);
        assert_eq!(before("wells.csv", MediaKind::EntityList), Some(8));
        assert_eq!(before("site.png", MediaKind::Media), None);
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

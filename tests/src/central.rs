//! A strict server: what an ODK Central was seen to do (central-server.md), in memory, with its traps.
//!
//! The embedded server of `server/` is kind; this one is not. It answers JSON, HTML and XML where Central does, drops a file
//! whose part has another name without a word, keeps a record without an instanceID again each time it comes, and tells the
//! loser of two first POSTs at once that the record had been deleted. Of a file it keeps size and digest, so that tens of
//! thousands fit.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use md5::{Digest as _, Md5};
use quick_xml::events::{BytesStart, Event};
use sha2::Sha256;
use tokio::sync::oneshot;

use crate::dice::Dice;

/// How this server differs from another of its kind.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The size of a request that it advertises, in bytes.
    pub accept_length: u64,
    /// Beyond this many bytes the proxy in front of it refuses: 413 in HTML, before any body is read.
    pub hard_limit: u64,
    /// How long it works on a record before it is there.
    pub latency: Duration,
    /// How often a first POST is answered with the false 409, its files dropped, as if another had been under way.
    pub false_deleted: f64,
    /// What those follow from.
    pub seed: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            accept_length: 100_000_000,
            hard_limit: 104_857_600,
            latency: Duration::ZERO,
            false_deleted: 0.0,
            seed: 0,
        }
    }
}

/// A form as its author published it.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Its id, as its root names it.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its XML.
    pub xml: String,
    /// Its files by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether it takes no records any more.
    pub closed: bool,
}

/// A record as it lies on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The id of its form.
    pub form_id: String,
    /// Its instanceID; invented where the XML has none.
    pub instance_id: String,
    /// Its bytes.
    pub xml: Vec<u8>,
    /// Size and SHA-256 of its files by name.
    pub files: BTreeMap<String, (u64, [u8; 32])>,
}

/// Size and digest of a file, as [`Received`] keeps them.
#[must_use]
pub fn digest(bytes: &[u8]) -> (u64, [u8; 32]) {
    (bytes.len() as u64, Sha256::digest(bytes).into())
}

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Central {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    rules: Rules,
    projects: Mutex<BTreeMap<String, Project>>,
    dice: Mutex<Dice>,
    /// Bytes of files that came although they were there.
    again: AtomicU64,
}

#[derive(Debug, Default)]
struct Project {
    forms: Vec<Published>,
    records: Vec<Received>,
    /// Ids of records whose first POST is being worked on.
    under_way: BTreeSet<String>,
    /// Ids of records that somebody deleted on the server.
    deleted: BTreeSet<String>,
    n_invented: u64,
}

impl Central {
    /// Starts a server on a free port of this computer.
    #[must_use]
    pub fn start(rules: Rules) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let dice = Mutex::new(Dice::new(rules.seed, 0));
        let shared = Arc::new(Shared { rules, projects: Mutex::default(), dice, again: AtomicU64::new(0) });
        let router = axum::Router::new().fallback(answer).with_state(shared.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    _ = axum::serve(listener, router) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// How many bytes of files have come although they were here already, whole.
    #[must_use]
    pub fn bytes_again(&self) -> u64 {
        self.shared.again.load(Ordering::Relaxed)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a project with these forms under a token, of which Central's have 64 characters.
    pub fn open_project(&self, token: &str, forms: Vec<Published>) {
        assert_eq!(token.len(), 64, "a token has 64 characters");
        self.projects().insert(token.to_owned(), Project { forms, ..Project::default() });
    }

    /// The address of a project, with its token, as a client adds it.
    #[must_use]
    pub fn url(&self, token: &str) -> String {
        format!("http://{}/v1/key/{token}/projects/1", self.address)
    }

    /// Publishes a form, or another version of one; the newest is published last.
    pub fn publish(&self, token: &str, form: Published) {
        if let Some(project) = self.projects().get_mut(token) {
            project.forms.push(form);
        }
    }

    /// Revokes a token: from now on it is well formed and unknown.
    pub fn revoke(&self, token: &str) {
        self.projects().remove(token);
    }

    /// Deletes a record on the server, as an administrator may.
    pub fn delete(&self, token: &str, instance_id: &str) {
        if let Some(project) = self.projects().get_mut(token) {
            project.records.retain(|record| record.instance_id != instance_id);
            project.deleted.insert(instance_id.to_owned());
        }
    }

    /// Every record of a project, oldest first.
    #[must_use]
    pub fn records(&self, token: &str) -> Vec<Received> {
        self.projects().get(token).map(|project| project.records.clone()).unwrap_or_default()
    }

    /// Forgets the records of a project, so that the next test begins with none.
    pub fn clear(&self, token: &str) {
        if let Some(project) = self.projects().get_mut(token) {
            *project = Project { forms: std::mem::take(&mut project.forms), ..Project::default() };
        }
    }

    fn projects(&self) -> MutexGuard<'_, BTreeMap<String, Project>> {
        self.shared.projects()
    }
}

impl Drop for Central {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn projects(&self) -> MutexGuard<'_, BTreeMap<String, Project>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whatever is asked.
async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > shared.rules.hard_limit) {
        return html(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    }
    let path = request.uri().path().to_owned();
    let segments: Vec<String> = path.trim_start_matches('/').split('/').map(percent_decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["v1", "key", token, "projects", project, rest @ ..] = segments.as_slice() else {
        return match path.as_str() {
            "/formList" => html(StatusCode::OK, "ODK Central"),
            _ => json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for."),
        };
    };
    // The header is looked at before the token is.
    let is_open_rosa = matches!(rest, ["formList" | "submission"] | ["forms", _, "manifest"]);
    if is_open_rosa && request.headers().get("x-openrosa-version").is_none_or(|version| version != "1.0") {
        return early(StatusCode::BAD_REQUEST, "Invalid OpenRosa version header.");
    }
    let refuse = if is_open_rosa { early } else { json };
    if token.len() != 64 || !token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '!' | '$')) {
        return refuse(StatusCode::UNAUTHORIZED, "Could not authenticate with the provided credentials.");
    }
    if !shared.projects().contains_key(*token) {
        return refuse(StatusCode::FORBIDDEN, "The authentication you provided does not have rights to do that.");
    }
    if *project != "1" {
        return refuse(StatusCode::NOT_FOUND, "Could not find the resource you were looking for.");
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let base = format!("http://{host}/v1/key/{token}/projects/1");
    let token = (*token).to_owned();
    match (request.method().clone(), rest) {
        (Method::HEAD, ["submission"]) => with_open_rosa(&shared.rules, StatusCode::NO_CONTENT.into_response()),
        (Method::POST, ["submission"]) => receive(shared, token, request).await,
        (Method::GET, ["formList"]) => {
            let document = form_list(&shared.projects()[&token], &base);
            with_open_rosa(&shared.rules, fetched(request.headers(), "text/xml; charset=utf-8", None, document))
        }
        (Method::GET, ["forms", form, "manifest"]) => match newest(&shared.projects()[&token], form) {
            Some(form) if !form.closed => {
                let document = manifest(form, &base);
                with_open_rosa(&shared.rules, fetched(request.headers(), "text/xml; charset=utf-8", None, document))
            }
            _ => json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for."),
        },
        (Method::GET, ["forms", form, "attachments", name]) => {
            let projects = shared.projects();
            let file =
                newest(&projects[&token], form).and_then(|form| form.files.iter().find(|(file, _)| file == name));
            match file {
                Some((_, bytes)) => {
                    let tag = format!("\"{}\"", md5_hex(bytes));
                    fetched(request.headers(), "application/octet-stream", Some(tag), bytes.clone())
                }
                None => json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for."),
            }
        }
        (Method::GET, ["forms", file]) => {
            let projects = shared.projects();
            match file.strip_suffix(".xml").and_then(|form| newest(&projects[&token], form)) {
                Some(form) if form.closed => json(StatusCode::FORBIDDEN, "The form is closed."),
                Some(form) => fetched(request.headers(), "application/xml", None, form.xml.clone()),
                None => json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for."),
            }
        }
        _ => json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for."),
    }
}

/// A record arrives. What is begun is ended, whether the client is still there or not.
async fn receive(shared: Arc<Shared>, token: String, request: Request) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.split_once("boundary=").map(|(_, boundary)| boundary.trim_matches('"').to_owned());
    let Some(boundary) = boundary.filter(|_| kind.starts_with("multipart/form-data")) else {
        return json(StatusCode::BAD_REQUEST, "Multipart: Boundary not found");
    };
    let limit = usize::try_from(shared.rules.hard_limit).unwrap_or(usize::MAX);
    let Ok(body) = axum::body::to_bytes(request.into_body(), limit).await else {
        return json(StatusCode::BAD_REQUEST, "Unexpected end of form");
    };
    let Some(parts) = parts(&body, &boundary) else {
        return json(StatusCode::BAD_REQUEST, "Unexpected end of form");
    };
    let work = tokio::spawn(async move {
        let outcome = keep(&shared, &token, parts).await;
        let (status, words) = match outcome {
            Ok(()) => (StatusCode::CREATED, "full submission upload was successful!"),
            Err(refused) => refused,
        };
        with_open_rosa(&shared.rules, message(status, words))
    });
    work.await.unwrap_or_else(|_| json(StatusCode::INTERNAL_SERVER_ERROR, "Completely unhandled exception"))
}

type Refused = (StatusCode, &'static str);

const DELETED: &str = "This submission has been deleted. You may not resubmit it.";

/// Decides at once, works for a while, and then has the record.
async fn keep(shared: &Shared, token: &str, parts: Vec<Part>) -> Result<(), Refused> {
    let Some(received) = decide(shared, token, &parts)? else { return Ok(()) };
    tokio::time::sleep(shared.rules.latency).await;
    if let Some(project) = shared.projects().get_mut(token) {
        project.under_way.remove(&received.instance_id);
        project.records.push(received);
    }
    Ok(())
}

/// What is known before any work on the record: a refusal, nothing to do any more, or a new record.
fn decide(shared: &Shared, token: &str, parts: &[Part]) -> Result<Option<Received>, Refused> {
    let is_xml = |part: &&Part| part.name == b"xml_submission_file" && part.is_file;
    let xml = parts.iter().find(is_xml).map(|part| part.bytes.clone());
    let xml = xml.ok_or((StatusCode::BAD_REQUEST, "Required multipart POST field xml_submission_file missing."))?;
    let text = std::str::from_utf8(&xml).map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "unhandled"))?;
    let record = Facts::read(text);
    let form_id =
        record.form_id.clone().ok_or((StatusCode::BAD_REQUEST, "Required parameter missing: form ID xml."))?;
    if record.instance_id.as_ref().is_some_and(|id| id.len() > 255) {
        return Err((StatusCode::BAD_REQUEST, "Invalid input value for instanceID."));
    }

    let mut projects = shared.projects();
    let project = projects.get_mut(token).ok_or((StatusCode::FORBIDDEN, "The token was revoked."))?;
    let mut of_id = project.forms.iter().filter(|form| form.form_id == form_id).peekable();
    if of_id.peek().is_none() {
        return Err((StatusCode::NOT_FOUND, "The form you are submitting to was not found."));
    }
    let form = of_id.find(|form| form.version == record.version);
    let form = form.ok_or((StatusCode::NOT_FOUND, "The form version specified in this submission was not found."))?;
    if form.closed {
        return Err((StatusCode::CONFLICT, "This form is not currently accepting submissions."));
    }
    let files = files(parts, &record.names_at(&binary_paths(&form.xml)));
    let instance_id = record.instance_id.unwrap_or_else(|| {
        project.n_invented += 1;
        format!("uuid:invented-{}", project.n_invented)
    });
    if project.deleted.contains(&instance_id) {
        return Err((StatusCode::CONFLICT, DELETED));
    }
    // The same id in another form is another record.
    let here = project.records.iter_mut().find(|here| here.instance_id == instance_id && here.form_id == form_id);
    if let Some(here) = here {
        if here.xml != xml {
            return Err((StatusCode::CONFLICT, "A submission already exists with this ID, but with different XML."));
        }
        let again = files.iter().filter(|(name, file)| here.files.get(*name) == Some(file));
        shared.again.fetch_add(again.map(|(_, (size, _))| size).sum(), Ordering::Relaxed);
        here.files.extend(files);
        return Ok(None);
    }
    if !project.under_way.insert(instance_id.clone()) {
        return Err((StatusCode::CONFLICT, DELETED));
    }
    let received = Received { form_id, instance_id, xml: xml.to_vec(), files };
    if shared.dice.lock().unwrap_or_else(PoisonError::into_inner).chance(shared.rules.false_deleted) {
        project.under_way.remove(&received.instance_id);
        project.records.push(Received { files: BTreeMap::new(), ..received });
        return Err((StatusCode::CONFLICT, DELETED));
    }
    Ok(Some(received))
}

/// The parts that are files of the record: by the name of the part, and only where the record names it.
fn files(parts: &[Part], named: &BTreeSet<String>) -> BTreeMap<String, (u64, [u8; 32])> {
    let file = |part: &Part| {
        let name = std::str::from_utf8(&part.name).ok().filter(|name| part.is_file && named.contains(*name))?;
        Some((name.to_owned(), digest(&part.bytes)))
    };
    parts.iter().filter_map(file).collect()
}

/// A part of a multipart body.
struct Part {
    /// The very bytes of its name, `\"` read as `"` and nothing else decoded.
    name: Vec<u8>,
    /// Whether it has a file name; without one it is a field, whatever it is called.
    is_file: bool,
    bytes: Bytes,
}

/// The parts of a whole body; none if it is cut short.
fn parts(body: &Bytes, boundary: &str) -> Option<Vec<Part>> {
    let opening = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}");
    let mut at = opening.len();
    body.starts_with(opening.as_bytes()).then_some(())?;
    let mut parts = Vec::new();
    loop {
        let head_end = at + find(&body[at..], b"\r\n\r\n")?;
        let head = &body[at..head_end];
        let begin = head_end + 4;
        let end = begin + find(&body[begin..], between.as_bytes())?;
        let disposition = head
            .split(|&byte| byte == b'\n')
            .find(|line| line.to_ascii_lowercase().starts_with(b"content-disposition:"))?;
        parts.push(Part {
            name: parameter(disposition, b" name=\"").unwrap_or_default(),
            is_file: parameter(disposition, b" filename=\"").is_some(),
            bytes: body.slice(begin..end),
        });
        at = end + between.len();
        match body.get(at..at + 2)? {
            b"--" => return Some(parts),
            _ => at += 2,
        }
    }
}

/// A quoted parameter; `name*=` is another one and unknown here.
fn parameter(line: &[u8], opening: &[u8]) -> Option<Vec<u8>> {
    let begin = find(line, opening)? + opening.len();
    let mut value = Vec::new();
    let mut bytes = line[begin..].iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return Some(value),
            b'\\' => value.push(*bytes.next()?),
            _ => value.push(byte),
        }
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(step) = haystack.get(from..)?.iter().position(|&byte| byte == first) {
        if haystack[from + step..].starts_with(needle) {
            return Some(from + step);
        }
        from += step + 1;
    }
    None
}

/// What the server reads in a record, as leniently as Central does: as far as it can be read.
struct Facts {
    form_id: Option<String>,
    version: String,
    instance_id: Option<String>,
    /// Paths with their texts.
    texts: Vec<(String, String)>,
}

impl Facts {
    fn read(xml: &str) -> Self {
        let mut facts = Self { form_id: None, version: String::new(), instance_id: None, texts: Vec::new() };
        each_text(xml, |path, root, text| {
            if let Some(root) = root {
                // References in the root's attributes are not decoded (seen).
                facts.form_id = attribute(root, "id");
                facts.version = attribute(root, "version").unwrap_or_default();
            }
            if path.ends_with("/meta/instanceID") && !text.is_empty() {
                facts.instance_id = Some(text.to_owned());
            }
            facts.texts.push((path.to_owned(), text.to_owned()));
        });
        facts
    }

    fn names_at(&self, paths: &BTreeSet<String>) -> BTreeSet<String> {
        let named = self.texts.iter().filter(|(path, text)| paths.contains(path) && !text.is_empty());
        named.map(|(_, text)| text.trim().to_owned()).collect()
    }
}

/// Calls `each` with every element's path, without prefixes, and its text; for the root with its tag.
pub fn each_text(xml: &str, mut each: impl FnMut(&str, Option<&BytesStart<'_>>, &str)) {
    let mut reader = quick_xml::Reader::from_str(xml.trim_start_matches('\u{feff}'));
    let mut path = String::new();
    let mut texts: Vec<String> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                let is_root = path.is_empty();
                path = format!("{path}/{}", tag.local_name().as_ref());
                texts.push(String::new());
                if is_root {
                    each(&path, Some(&tag), "");
                }
            }
            Ok(Event::Empty(tag)) => {
                let is_root = path.is_empty();
                let path = format!("{path}/{}", tag.local_name().as_ref());
                each(&path, is_root.then_some(&tag), "");
            }
            Ok(Event::End(_)) => {
                let text = texts.pop().unwrap_or_default();
                each(&path, None, &text);
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            Ok(Event::Text(text)) => {
                if let Some(last) = texts.last_mut() {
                    last.push_str(text.as_ref());
                }
            }
            Ok(Event::GeneralRef(name)) => {
                let name = name.as_ref().to_owned();
                let text = match name.as_str() {
                    "amp" => "&".to_owned(),
                    "lt" => "<".to_owned(),
                    "gt" => ">".to_owned(),
                    "quot" => "\"".to_owned(),
                    "apos" => "'".to_owned(),
                    other => {
                        let number = other.strip_prefix('#').unwrap_or_default();
                        let code = match number.strip_prefix('x') {
                            Some(hex) => u32::from_str_radix(hex, 16).ok(),
                            None => number.parse().ok(),
                        };
                        code.and_then(char::from_u32).map(String::from).unwrap_or_default()
                    }
                };
                if let Some(last) = texts.last_mut() {
                    last.push_str(&text);
                }
            }
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    Some(tag.try_get_attribute(name).ok()??.value.into_owned())
}

/// The paths of a form whose answers name files.
fn binary_paths(form: &str) -> BTreeSet<String> {
    let mut reader = quick_xml::Reader::from_str(form);
    let mut paths = BTreeSet::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) if tag.local_name().as_ref() == "bind" => {
                if attribute(&tag, "type").as_deref() == Some("binary") {
                    paths.extend(attribute(&tag, "nodeset"));
                }
            }
            Ok(Event::Eof) | Err(_) => return paths,
            Ok(_) => {}
        }
    }
}

fn newest<'a>(project: &'a Project, form_id: &str) -> Option<&'a Published> {
    project.forms.iter().rfind(|form| form.form_id == form_id)
}

fn form_list(project: &Project, base: &str) -> String {
    let ids: BTreeSet<&str> = project.forms.iter().map(|form| form.form_id.as_str()).collect();
    let listed = ids.into_iter().filter_map(|id| newest(project, id)).filter(|form| !form.closed);
    let entries: String = listed
        .map(|form| {
            let address = format!("{base}/forms/{}", percent_encoded(&form.form_id));
            let manifest = if form.files.is_empty() {
                String::new()
            } else {
                format!("<manifestUrl>{}</manifestUrl>", mustache(&format!("{address}/manifest")))
            };
            format!(
                "\n  <xform><formID>{id}</formID><name>{id}</name><version>{}</version><hash>md5:{}</hash>\
                 <downloadUrl>{}</downloadUrl>{manifest}</xform>",
                mustache(&form.version),
                md5_hex(form.xml.as_bytes()),
                mustache(&format!("{address}.xml")),
                id = mustache(&form.form_id),
            )
        })
        .collect();
    format!("\n<xforms xmlns=\"http://openrosa.org/xforms/xformsList\">{entries}\n</xforms>")
}

fn manifest(form: &Published, base: &str) -> String {
    let entry = |(name, bytes): &(String, Vec<u8>)| {
        let address = format!("{base}/forms/{}/attachments/{}", percent_encoded(&form.form_id), percent_encoded(name));
        format!(
            "\n  <mediaFile><filename>{}</filename><hash>md5:{}</hash><downloadUrl>{}</downloadUrl></mediaFile>",
            mustache(name),
            md5_hex(bytes),
            mustache(&address)
        )
    };
    let entries: String = form.files.iter().map(entry).collect();
    format!("\n<manifest xmlns=\"http://openrosa.org/xforms/xformsManifest\">{entries}\n</manifest>")
}

/// As Central's templates escape: slash and equals sign too, as numbers.
fn mustache(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        '/' => "&#x2F;".to_owned(),
        '=' => "&#x3D;".to_owned(),
        '`' => "&#x60;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Something that can be fetched, or 304 where the client has it.
fn fetched(asked: &HeaderMap, kind: &str, tag: Option<String>, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let tag = tag.unwrap_or_else(|| format!("W/\"{:x}-{}\"", body.len(), md5_hex(&body)));
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    let headers = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::VARY, "Accept-Encoding, Origin".to_owned()),
    ];
    if known.split(',').any(|known| opaque(known) == opaque(&tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, kind.to_owned())], Body::from(body)).into_response()
}

/// An OpenRosa reply; its body begins with a line end and has no XML declaration.
fn message(status: StatusCode, words: &str) -> Response {
    let nature = if status.is_success() { "" } else { "error" };
    let body = format!(
        "\n<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\" items=\"0\">\
         <message nature=\"{nature}\">{}</message></OpenRosaResponse>",
        mustache(words)
    );
    let headers = [(header::CONTENT_TYPE, "text/xml; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, [(header::VARY, "*")], body).into_response()
}

/// A refusal before the handler is reached: OpenRosa's shape without its headers.
fn early(status: StatusCode, words: &str) -> Response {
    message(status, words)
}

fn json(status: StatusCode, words: &str) -> Response {
    let body = serde_json::json!({ "message": words, "code": status.as_u16() }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// What nginx says in front of it.
fn html(status: StatusCode, words: &str) -> Response {
    let body =
        format!("<html>\r\n<head><title>{0} {words}</title></head>\r\n<body>{words}</body></html>", status.as_u16());
    (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

fn with_open_rosa(rules: &Rules, mut reply: Response) -> Response {
    let headers = reply.headers_mut();
    for (name, value) in [
        ("x-openrosa-version", "1.0".to_owned()),
        ("x-openrosa-accept-content-length", rules.accept_length.to_string()),
        ("content-language", "en".to_owned()),
    ] {
        headers.insert(header::HeaderName::from_static(name), value.parse().expect("a header"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_the_bytes_of_its_name() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"a.xml\"\r\n\r\n<a/>\r\n\
                    --B\r\ncontent-disposition: form-data; name=\"é \\\"a\\\".jpg\"; filename=\"x\"\r\nContent-Type: image/jpeg\r\n\r\n\
                    \r\nbytes\r\n\r\n--B\r\nContent-Disposition: form-data; name*=utf-8''%C3%A9.jpg; filename=\"x\"\r\n\r\nlost\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"*isIncomplete*\"\r\n\r\nyes\r\n--B--\r\n";
        let parts = parts(&Bytes::from(body), "B").unwrap();
        let read: Vec<_> =
            parts.iter().map(|part| (String::from_utf8_lossy(&part.name), part.is_file, &part.bytes[..])).collect();
        assert_eq!(
            read,
            [
                ("xml_submission_file".into(), true, &b"<a/>"[..]),
                ("é \"a\".jpg".into(), true, b"\r\nbytes\r\n"),
                ("".into(), true, b"lost"),
                ("*isIncomplete*".into(), false, b"yes"),
            ]
        );
        for cut in 0..body.len() - 4 {
            assert!(super::parts(&Bytes::from(body).slice(..cut), "B").is_none(), "{cut}");
        }
    }

    #[test]
    fn a_record_is_read_as_far_as_it_goes() {
        let xml = "<?xml version='1.0'?><data id=\"a\" version=\"2\"><photo>b &amp; c.jpg</photo><orx:meta xmlns:orx='x'>\
                   <orx:instanceID> uuid:1</orx:instanceID></orx:meta></data>";
        let facts = Facts::read(xml);
        assert_eq!((facts.form_id.as_deref(), facts.version.as_str()), (Some("a"), "2"));
        assert_eq!(facts.instance_id.as_deref(), Some(" uuid:1"), "blanks stay");
        assert!(facts.names_at(&["/data/photo".to_owned()].into()).contains("b & c.jpg"));
        let cut = Facts::read(xml.get(..60).unwrap());
        assert_eq!((cut.form_id.as_deref(), cut.instance_id), (Some("a"), None));
    }

    #[test]
    fn values_are_escaped_as_central_does() {
        assert_eq!(mustache("http://h/a?b=c&d"), "http:&#x2F;&#x2F;h&#x2F;a?b&#x3D;c&amp;d");
        assert_eq!(percent_decoded(&percent_encoded("é/ %")), "é/ %");
    }
}

//! A store of one project in memory, for tests of the network side.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard};
use veldwerk::openrosa::form_list::Listing;
use veldwerk::sync::{
    Attempt, Claim, ClaimNumber, Destination, Failing, FileContent, FileProblem, InstalledFile, InstalledForm, NewForm,
    Outgoing, OutgoingAttachment, Queued, RecordId, Remembered, Settlement, State, SyncStore,
};
use veldwerk::{Error, ErrorKind, Result};

/// A record in the outbox.
#[derive(Clone, Debug)]
pub struct Record {
    /// The id of its form.
    pub form_id: String,
    /// Its bytes.
    pub xml: Vec<u8>,
    /// Names with bytes of its attachments; `None` for one that cannot be read.
    pub attachments: Vec<(String, Option<Vec<u8>>)>,
    /// Names of those that the server has.
    pub acknowledged: Vec<String>,
    /// Names of those that cannot be sent, with why.
    pub problems: Vec<(String, FileProblem)>,
    /// Whether the server has its XML.
    pub answers_arrived: bool,
    /// The row of failures it waits with.
    pub failing: Option<Failing>,
    /// The number of the latest claim.
    pub claim: ClaimNumber,
    /// Its state; `None` while it is being sent.
    pub state: Option<State>,
    /// Tries begun.
    pub tries: u32,
    /// What came of each POST.
    pub attempts: Vec<Attempt>,
}

/// A form as it was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What the refresh sees of it.
    pub form: InstalledForm,
    /// Its XML.
    pub xml: Vec<u8>,
    /// The bytes of its files, by name.
    pub bytes: BTreeMap<String, Vec<u8>>,
}

/// The store.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    records: BTreeMap<RecordId, Record>,
    forms: Vec<Installed>,
    documents: BTreeMap<String, Remembered>,
    listing: Option<Listing>,
    limit: Option<u64>,
    free_space: Option<u64>,
    /// How often each call of the refresh was made.
    calls: BTreeMap<&'static str, usize>,
    n_rows: i64,
}

impl Record {
    /// Whether it may be claimed.
    fn is_open(&self) -> bool {
        matches!(self.state, Some(State::Ready | State::Waiting { .. }))
    }
}

impl MemoryStore {
    /// Puts a record into the outbox and says its row.
    pub fn queue(&self, form_id: &str, xml: &str, attachments: &[(&str, Option<Vec<u8>>)]) -> RecordId {
        let mut content = self.content();
        let id = content.records.len() as RecordId + 1;
        let record = Record {
            form_id: form_id.to_owned(),
            xml: xml.as_bytes().to_vec(),
            attachments: attachments.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect(),
            acknowledged: Vec::new(),
            problems: Vec::new(),
            answers_arrived: false,
            failing: None,
            claim: 0,
            state: Some(State::Ready),
            tries: 0,
            attempts: Vec::new(),
        };
        content.records.insert(id, record);
        id
    }

    /// A record as it is now.
    #[must_use]
    pub fn record(&self, id: RecordId) -> Record {
        self.content().records.get(&id).expect("the record is there").clone()
    }

    /// The forms as they are now, by id and version.
    #[must_use]
    pub fn installed(&self) -> Vec<Installed> {
        let mut forms = self.content().forms.clone();
        forms.sort_by(|one, other| {
            let key = |installed: &Installed| (installed.form.form_id.clone(), installed.form.version.clone());
            key(one).cmp(&key(other))
        });
        forms
    }

    /// What the list said when it was read last.
    #[must_use]
    pub fn listing(&self) -> Option<Listing> {
        self.content().listing.clone()
    }

    /// How often each call of the refresh was made since this was asked last.
    pub fn take_calls(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.content().calls)
    }

    /// How much room the disk has from now on.
    pub fn set_free_space(&self, bytes: u64) {
        self.content().free_space = Some(bytes);
    }

    /// A draft is begun on every version of a form.
    pub fn use_form(&self, form_id: &str) {
        let mut content = self.content();
        content.forms.iter_mut().filter(|installed| installed.form.form_id == form_id).for_each(|installed| {
            installed.form.in_use = true;
        });
    }

    fn counted(&self, call: &'static str) -> MutexGuard<'_, Content> {
        let mut content = self.content();
        *content.calls.entry(call).or_default() += 1;
        content
    }

    /// How large a request the server takes, as far as it has said so.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.content().limit
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("no panic")
    }
}

impl SyncStore for MemoryStore {
    type Staged = Vec<u8>;

    fn outbox(&self) -> Result<Vec<Queued>> {
        let content = self.content();
        let unsent = content.records.iter().filter_map(|(&record, row)| {
            let due_ms = match row.state? {
                State::Ready => 0,
                State::Waiting { until_ms, .. } => until_ms,
                State::Sent | State::NeedsAttention(_) => return None,
            };
            Some(Queued {
                record,
                form_id: row.form_id.clone(),
                tries: row.tries,
                due_ms,
                failing: row.failing,
                answers_arrived: row.answers_arrived,
                goes_to: Destination::Home,
            })
        });
        Ok(unsent.collect())
    }

    fn release(&self) -> Result<()> {
        for row in self.content().records.values_mut() {
            row.state.get_or_insert(State::Ready);
        }
        Ok(())
    }

    fn claim(&self, record: RecordId) -> Result<Claim> {
        let mut content = self.content();
        let Some(row) = content.records.get_mut(&record) else { return Ok(Claim::Gone) };
        if !row.is_open() {
            return Ok(Claim::Gone);
        }
        row.state = None;
        row.claim += 1;
        row.tries += 1;
        let is_left = |name: &String| !row.acknowledged.contains(name) && row.problems.iter().all(|(n, _)| n != name);
        let left = (0..).zip(&row.attachments).filter(|(_, (name, _))| is_left(name));
        let attachments = left.map(|(attachment, (name, bytes))| {
            let (name, bytes) = (name.clone(), bytes.clone());
            let size = bytes.as_ref().map_or(1, Vec::len) as u64;
            let is_damaged = bytes.is_none();
            let open = move || match bytes.clone() {
                Some(bytes) => Ok(Box::new(Cursor::new(bytes)) as Box<dyn std::io::Read + Send>),
                None => Err(Error::from(ErrorKind::StorageDamaged)),
            };
            let prove = move || is_damaged.then_some(FileProblem::Damaged);
            OutgoingAttachment { attachment, name, size, open: Arc::new(open), prove: Arc::new(prove) }
        });
        let left_out = row.problems.first().map(|(_, problem)| *problem);
        let (claim, xml) = (Some(row.claim), row.xml.clone().into());
        Ok(Claim::Taken(Outgoing { claim, attachments: attachments.collect(), xml, left_out }))
    }

    fn settle(&self, record: RecordId, claim: Option<ClaimNumber>, settlement: &Settlement) -> Result<()> {
        let mut content = self.content();
        let row = content.records.get_mut(&record).ok_or(ErrorKind::NotFound)?;
        row.attempts.extend_from_slice(&settlement.attempts);
        row.answers_arrived |= settlement.answers_arrived;
        for (n, (name, _)) in (0..).zip(&row.attachments) {
            if settlement.arrived.contains(&n) {
                row.acknowledged.push(name.clone());
            }
            let problems = settlement.problems.iter().filter(|(attachment, _)| *attachment == n);
            row.problems.extend(problems.map(|(_, problem)| (name.clone(), *problem)));
        }
        let may_be_written = match claim {
            Some(claim) => row.state.is_none() && row.claim == claim,
            None => row.is_open(),
        };
        if let (Some(state), true) = (settlement.state, may_be_written) {
            row.state = Some(state);
            row.failing = match state {
                State::Waiting { failing, .. } => failing,
                State::Ready | State::Sent | State::NeedsAttention(_) => None,
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn limit_learned(&self, bytes: u64) -> Result<()> {
        self.content().limit = Some(bytes);
        Ok(())
    }

    fn forms(&self) -> Result<Vec<InstalledForm>> {
        let content = self.counted("forms");
        Ok(content.forms.iter().map(|installed| installed.form.clone()).collect())
    }

    fn form_xml(&self, form: i64) -> Result<Vec<u8>> {
        let content = self.counted("form_xml");
        let found = content.forms.iter().find(|installed| installed.form.form == form);
        found.map(|installed| installed.xml.clone()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Files called `*.csv` are lists; a form that says `encrypt` demands it.
    fn check_form(&self, xml: &[u8], files: &[String]) -> Result<BTreeSet<String>> {
        drop(self.counted("check_form"));
        if !xml.starts_with(b"<h:html") {
            return Err(ErrorKind::NotXforms.into());
        }
        if String::from_utf8_lossy(xml).contains("encrypt") {
            return Err(ErrorKind::EncryptionNeeded.into());
        }
        Ok(files.iter().filter(|name| name.ends_with(".csv")).cloned().collect())
    }

    fn stage(&self, _: bool) -> Result<Vec<u8>> {
        drop(self.counted("stage"));
        Ok(Vec::new())
    }

    fn free_space(&self) -> Option<u64> {
        self.content().free_space
    }

    fn install(&self, new: NewForm<Vec<u8>>) -> Result<()> {
        let mut content = self.counted("install");
        let mut bytes = BTreeMap::new();
        let mut files = Vec::new();
        for file in new.files {
            content.n_rows += 1;
            let row = content.n_rows;
            bytes.insert(
                file.name.clone(),
                match file.content {
                    FileContent::Staged(bytes) => bytes,
                    FileContent::SameAs(file) => content.bytes_of(file).ok_or(ErrorKind::NotFound)?,
                },
            );
            let is_data = file.name.ends_with(".csv");
            let (name, kind, hash, md5, etag) = (file.name, file.kind, file.hash, file.md5, file.etag);
            files.push(InstalledFile { file: row, name, kind, hash, md5, etag, is_data });
        }
        content.n_rows += 1;
        let form = InstalledForm {
            form: content.n_rows,
            form_id: new.form_id,
            version: new.version,
            hash: new.hash,
            url: new.url,
            is_listed: true,
            closing: None,
            in_use: false,
            files,
        };
        content.forms.retain(|old| (&old.form.form_id, &old.form.version) != (&form.form_id, &form.version));
        content.forms.push(Installed { form, xml: new.xml, bytes });
        Ok(())
    }

    fn settle_offers(&self, listing: Listing) -> Result<()> {
        let mut content = self.counted("settle_offers");
        for installed in &mut content.forms {
            let form = &mut installed.form;
            form.is_listed =
                listing.forms.iter().any(|listed| listed.form_id == form.form_id && listed.version == form.version);
            form.closing = listing.closing.get(&form.form_id).copied().or(form.closing);
        }
        content.listing = Some(listing);
        Ok(())
    }

    fn remembered(&self, url: &str) -> Result<Option<Remembered>> {
        Ok(self.counted("remembered").documents.get(url).cloned())
    }

    fn remember(&self, documents: &[(String, Remembered)]) -> Result<()> {
        self.counted("remember").documents.extend(documents.iter().cloned());
        Ok(())
    }
}

impl Content {
    fn bytes_of(&self, file: i64) -> Option<Vec<u8>> {
        self.forms.iter().find_map(|installed| {
            let found = installed.form.files.iter().find(|here| here.file == file)?;
            installed.bytes.get(&found.name).cloned()
        })
    }
}

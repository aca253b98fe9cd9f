//! The process that is killed: it does whatever chance says with a home, without an end, and says each thing twice: before,
//! and when the call has returned.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::client::{
    Cancel, Client, ClientConfig, DraftId, DraftSession, Finalization, Fixed, ImportFrom, ProjectSource, RecordState,
    Selection, SubmissionId, SyncPolicy, Until,
};
use veldwerk::store::{Key, ProjectId, Records};
use veldwerk::{Error, ErrorKind};
use veldwerk_tests::dice::{Dice, bytes};

use crate::deed::{Deed, File, Line, Outcome};
use crate::forms::{BARE, VISIT};

/// What a worker is told.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Orders {
    /// The home.
    pub(crate) home: PathBuf,
    /// What chance follows from.
    pub(crate) seed: u64,
    /// What the seeds of drafts follow from: one for all lives of a home.
    pub(crate) home_seed: u64,
    /// Where the clock stands.
    pub(crate) now_ms: i64,
    /// The project to work in, added if it is not there.
    pub(crate) url: String,
    /// Another one, to be added and removed.
    pub(crate) other_url: String,
    /// Where exports go.
    pub(crate) exports: PathBuf,
    /// Folders of records to be imported.
    pub(crate) imports: Vec<PathBuf>,
    /// After so many deeds it ends by itself.
    pub(crate) deeds: u64,
    /// The largest file, in bytes.
    pub(crate) largest_file: u64,
    /// Whether the server is there.
    pub(crate) online: bool,
}

/// How every home of the harnesses is opened.
pub(crate) fn config(home: &Path, now_ms: i64, seed: u64) -> ClientConfig {
    ClientConfig {
        home: home.to_owned(),
        key: Key::from_bytes([7; 32]),
        time_zone: TimeZone::UTC,
        fixed: Some(Fixed { now_ms, seed, device_id: "veldwerk:harness".into() }),
        policy: SyncPolicy::default().scaled(100),
    }
}

/// Works until it is killed, or has done what it was told.
pub(crate) fn work(orders: &Orders) {
    let mut worker = None;
    say(Deed::Open, || {
        worker = Some(Worker::open(orders)?);
        Ok(Outcome::Done)
    });
    let Some(mut worker) = worker else { return };
    for _ in 0..orders.deeds {
        let deed = worker.next_deed();
        say(deed.clone(), || worker.carry_out(&deed));
    }
}

fn say(deed: Deed, act: impl FnOnce() -> veldwerk::Result<Outcome>) {
    line(&Line::Begun(deed));
    let outcome = act().unwrap_or_else(|error| refusal(&error));
    line(&Line::Ended(outcome));
}

/// Refusals that are right; everything else nobody expected.
fn refusal(error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::NotRelevant | ErrorKind::NoSuchNode | ErrorKind::UnsentRecords | ErrorKind::Offline => {
            Outcome::Refused
        }
        other => Outcome::Failed { code: format!("{}: {error}", other.code()) },
    }
}

/// One write, so that a line is there as a whole or not at all.
fn line(line: &Line) {
    let mut text = serde_json::to_string(line).unwrap();
    text.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap();
}

struct Worker<'o> {
    orders: &'o Orders,
    client: Client,
    dice: Dice,
    open: BTreeMap<i64, DraftSession>,
    n_words: u64,
}

impl<'o> Worker<'o> {
    fn open(orders: &'o Orders) -> veldwerk::Result<Self> {
        let client = Client::open(config(&orders.home, orders.now_ms, orders.home_seed))?;
        Ok(Self { orders, client, dice: Dice::new(orders.seed, 1), open: BTreeMap::new(), n_words: 0 })
    }

    /// What chance says, of what can be done now.
    fn next_deed(&mut self) -> Deed {
        let projects = self.client.projects().unwrap();
        let drafts = self.client.drafts(None).unwrap();
        let Some(first) = projects.first().map(|project| project.id.0) else {
            return Deed::AddProject { url: self.orders.url.clone() };
        };
        let project = self.dice.pick(&projects).map_or(first, |project| project.id.0);
        // A refresh that was killed may have brought one form and not the other.
        let forms = self.client.forms(ProjectId(project)).unwrap();
        if ![VISIT, BARE].iter().all(|form_id| forms.iter().any(|form| form.form_id == *form_id)) {
            return Deed::Refresh { project };
        }
        let form_id = if self.dice.chance(0.8) { VISIT } else { BARE }.to_owned();
        let Some(draft) = self.dice.pick(&drafts).map(|draft| draft.id.0) else {
            return Deed::Start { project, form_id };
        };
        let dice = self.dice.below(1000);
        match dice {
            0..50 => Deed::Start { project, form_id },
            50..100 => Deed::Reopen { draft },
            100..450 => self.answer(draft),
            450..600 => self.attach(draft),
            600..640 => self.member(draft),
            640..690 => Deed::Move { draft, node: "/data/name".into() },
            690..710 => Deed::Save { draft },
            710..715 => Deed::Retry { project },
            715..720 => self.discard(project).unwrap_or(Deed::Save { draft }),
            720..820 => Deed::Finalize { draft },
            820..826 => Deed::DeleteDraft { draft },
            826..830 => Deed::Forget { project },
            830..895 if self.orders.online => Deed::Send { project, at_once: 1 },
            895..910 if self.orders.online => Deed::Send { project, at_once: 2 },
            910..925 if self.orders.online => Deed::SendCancelled { project },
            925..940 if self.orders.online => Deed::Refresh { project },
            940..960 => {
                let folder = self.orders.exports.join(format!("export-{}-{}", project, self.dice.below(2)));
                Deed::Export { project, folder: folder.to_string_lossy().into_owned() }
            }
            960..975 => match self.dice.pick(&self.orders.imports) {
                Some(folder) => Deed::Import { project: first, folder: folder.to_string_lossy().into_owned() },
                None => Deed::Pause,
            },
            975..985 if self.orders.online => match projects.get(1) {
                Some(second) => Deed::RemoveProject { project: second.id.0 },
                None => Deed::AddProject { url: self.orders.other_url.clone() },
            },
            985..1000 => Deed::Pause,
            _ => self.answer(draft),
        }
    }

    /// An unsent record of a project, if there is one.
    fn discard(&mut self, project: i64) -> Option<Deed> {
        let records = self.client.outbox(Some(ProjectId(project))).ok()?;
        let unsent: Vec<i64> = records
            .iter()
            .filter(|record| !matches!(record.state, RecordState::Sent { .. }))
            .map(|record| record.id.0)
            .collect();
        let folder = self.orders.exports.join("discarded");
        let folder = self.dice.chance(0.5).then(|| folder.to_string_lossy().into_owned());
        self.dice.pick(&unsent).map(|record| Deed::Discard { record: *record, folder })
    }

    fn answer(&mut self, draft: i64) -> Deed {
        let n_members = self.members(draft);
        let node = match self.dice.below(5) {
            0 => "/data/name".to_owned(),
            1 => "/data/age".to_owned(),
            2 => "/data/late".to_owned(),
            3 if n_members > 0 => format!("/data/member[{}]/nick", 1 + self.dice.below(n_members as u64)),
            _ => "/data/story".to_owned(),
        };
        self.n_words += 1;
        let text = match node.as_str() {
            "/data/age" => self.dice.below(150).to_string(),
            _ => {
                let length = self.dice.small_below(4000) as usize;
                format!("{:x}-{} {}", self.orders.seed & 0xffff, self.n_words, "word ".repeat(length / 5))
                    .trim()
                    .to_owned()
            }
        };
        let node = if self.is_bare(draft) { "/data/name".to_owned() } else { node };
        Deed::Answer { draft, node, text: if self.is_bare(draft) { format!("bare {}", self.n_words) } else { text } }
    }

    fn attach(&mut self, draft: i64) -> Deed {
        let n_members = self.members(draft);
        let node = match self.dice.below(3) {
            0 if !self.is_bare(draft) => "/data/video".to_owned(),
            1 if n_members > 0 => format!("/data/member[{}]/face", 1 + self.dice.below(n_members as u64)),
            _ => "/data/photo".to_owned(),
        };
        let file = File { seed: self.dice.bits(), size: self.dice.small_below(self.orders.largest_file) };
        Deed::Attach { draft, node, file }
    }

    fn member(&mut self, draft: i64) -> Deed {
        let n = self.members(draft);
        match n {
            _ if self.is_bare(draft) => Deed::Save { draft },
            2.. if self.dice.chance(0.4) => Deed::RemoveMember { draft, n },
            n => Deed::AddMember { draft, n: n + 1 },
        }
    }

    fn is_bare(&mut self, draft: i64) -> bool {
        self.session(draft).is_ok_and(|session| session.form().id == BARE)
    }

    fn members(&mut self, draft: i64) -> usize {
        let Ok(session) = self.session(draft) else { return 0 };
        (1..).take_while(|n| session.session().node(&format!("/data/member[{n}]")).is_some()).count()
    }

    fn session(&mut self, draft: i64) -> veldwerk::Result<&mut DraftSession> {
        if !self.open.contains_key(&draft) {
            let session = self.client.open_draft(DraftId(draft))?;
            self.open.insert(draft, session);
        }
        self.open.get_mut(&draft).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn carry_out(&mut self, deed: &Deed) -> veldwerk::Result<Outcome> {
        match deed {
            Deed::Open => {}
            Deed::AddProject { url } => {
                let source = ProjectSource::Url { url: url.clone(), account: None };
                let id = self.client.add_project(&source, None)?.project.id.0;
                return Ok(Outcome::Project { id });
            }
            Deed::Refresh { project } => {
                self.client.refresh_blocking(ProjectId(*project), Arc::new(|_| {}), Cancel::default())?;
            }
            Deed::Start { project, form_id } => {
                let form = self.client.find_form(ProjectId(*project), form_id)?.key;
                let session = self.client.start_draft(form, None)?;
                let id = session.id().0;
                self.open.insert(id, session);
                return Ok(Outcome::Draft { id });
            }
            Deed::Reopen { draft } => {
                self.open.remove(draft);
                self.session(*draft)?;
            }
            Deed::Answer { draft, node, text } => {
                self.session(*draft)?.answer(node, Some(text))?;
            }
            Deed::Attach { draft, node, file } => {
                let photo = bytes(file.seed, file.size);
                let name = self.session(*draft)?.attach_from(node, "jpg", &mut &photo[..])?;
                return Ok(Outcome::Attached { name });
            }
            Deed::AddMember { draft, .. } => {
                self.session(*draft)?.add_repeat("/data/member")?;
            }
            Deed::RemoveMember { draft, n } => {
                self.session(*draft)?.remove_repeat(&format!("/data/member[{n}]"))?;
            }
            Deed::Move { draft, node } => {
                let session = self.session(*draft)?;
                let node = session.session().node(node).ok_or(ErrorKind::NoSuchNode)?;
                if let Some(screen) = session.session().goto(node) {
                    session.move_to(&screen)?;
                }
            }
            Deed::Save { draft } => self.session(*draft)?.save()?,
            Deed::Finalize { draft } => {
                let finalization = self.session(*draft)?.finalize()?;
                let Finalization::Finalized { record, .. } = finalization else { return Ok(Outcome::Refused) };
                self.open.remove(draft);
                let xml = self.client.store().submission_xml(record)?;
                return Ok(Outcome::Finalized { record: record.0, xml: String::from_utf8(xml).unwrap() });
            }
            Deed::DeleteDraft { draft } => {
                self.open.remove(draft);
                self.client.delete_draft(DraftId(*draft))?;
            }
            Deed::Send { project, at_once } => return self.send(ProjectId(*project), *at_once),
            Deed::SendCancelled { project } => return self.send_cancelled(ProjectId(*project)),
            Deed::Export { project, folder } => {
                let report = self.client.export(&Selection::Unsent(ProjectId(*project)), folder.as_ref())?;
                report.records.into_iter().try_for_each(|record| record.outcome.map(drop))?;
            }
            Deed::Import { project, folder } => {
                let report = self.client.import(ProjectId(*project), folder.as_ref(), ImportFrom::SameServer)?;
                report.records.into_iter().try_for_each(|record| record.outcome.map(drop))?;
            }
            Deed::Forget { project } => {
                let records = self.client.forget(&Records::OfProject(ProjectId(*project)))?;
                return Ok(Outcome::Gone { records });
            }
            Deed::Discard { record, folder } => {
                let meant = Records::One(SubmissionId(*record));
                let records = self.client.discard(&meant, folder.as_ref().map(Path::new))?.records;
                return Ok(Outcome::Gone { records });
            }
            Deed::Retry { project } => {
                self.client.retry(&Records::OfProject(ProjectId(*project)))?;
            }
            Deed::RemoveProject { project } => {
                self.open.retain(|_, session| {
                    self.client.store().form(session.form_key()).is_ok_and(|form| form.summary.project.0 != *project)
                });
                self.client.remove_project(ProjectId(*project), true)?;
            }
            Deed::Pause => {
                self.client.pause_storage()?;
                self.client.resume_storage()?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Sends by several senders at once; each must end well.
    fn send(&self, project: ProjectId, at_once: usize) -> veldwerk::Result<Outcome> {
        std::thread::scope(|scope| {
            let client = &self.client;
            let send = || client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default());
            let senders: Vec<_> = (0..at_once).map(|_| scope.spawn(send)).collect();
            senders.into_iter().try_for_each(|sender| sender.join().unwrap().map(drop))
        })?;
        self.sent(project)
    }

    fn send_cancelled(&mut self, project: ProjectId) -> veldwerk::Result<Outcome> {
        let cancel = Cancel::default();
        let patience = self.dice.small_below(3000);
        let ended = std::thread::scope(|scope| {
            let sender =
                scope.spawn(|| self.client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), cancel.clone()));
            pause_us(patience);
            cancel.cancel();
            sender.join().unwrap()
        });
        match ended {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => self.sent(project),
        }
    }

    /// What the outbox says after a sending has ended.
    fn sent(&self, project: ProjectId) -> veldwerk::Result<Outcome> {
        let records = self.client.outbox(Some(project))?;
        let of = |wanted: fn(&RecordState) -> bool| {
            records.iter().filter(|record| wanted(&record.state)).map(|record| record.id.0).collect()
        };
        Ok(Outcome::Sent {
            sent: of(|state| matches!(state, RecordState::Sent { .. })),
            stuck: of(|state| matches!(state, RecordState::Sending)),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "chance says when to cancel, not an event")]
pub(crate) fn pause_us(micros: u64) {
    std::thread::sleep(std::time::Duration::from_micros(micros));
}

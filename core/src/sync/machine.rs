//! The road of records to the server, as a pure machine: events in, effects out, no clock, no network, no store.
//!
//! A record is `ready`, then `sending`, then `sent`, or `waiting` for its next try, or `needs_attention`. Each state is
//! written before the next effect is carried out, so wherever the process ends, the store knows no more than is true. A record
//! whose reply was lost goes again under the same instanceID with the same bytes, and the server takes both as one.
//!
//! One record is on the road at a time. A record that fails waits by itself and goes behind the others; only what concerns
//! them all (no server in sight, an account that is not accepted, a server that asks for patience) makes them all wait.
//!
//! **Answers first**: the XML and the small files of every record leave before the large files of any. What goes together in
//! one POST grows while the link carries it and shrinks when it breaks, so that a cut costs one batch or one file, and the XML.
//! A file that cannot be sent is left out and named; the record needs attention when everything else has arrived.

use super::policy::{Backoff, Batches};
use super::project::{Destination, follow};
use super::retry::{self, Failing, Reason, Verdict};
use crate::clock::Random;
use crate::openrosa::address::same_host;
use crate::openrosa::headers::{ACCEPT_CONTENT_LENGTH, DEFAULT_ACCEPT_CONTENT_LENGTH};
use crate::openrosa::response::{self, Reply};
use crate::openrosa::submission::{self, Part, Post};
use crate::sync::transport::Response;
use std::collections::BTreeSet;
use url::Url;

/// A record's row in the outbox.
pub type RecordId = i64;

/// An unsent record, as the outbox lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The record.
    pub record: RecordId,
    /// The id of its form: a form that is refused is refused for all its records.
    pub form_id: String,
    /// How often it was tried since the last time a person or the network gave reason for hope.
    pub tries: u32,
    /// When it may be tried next, in milliseconds since 1970; 0 for at once.
    pub due_ms: i64,
    /// The failures on it so far that are the server's own, or a web page's.
    pub failing: Option<Failing>,
    /// Whether the server has its XML, so that only files are left.
    pub answers_arrived: bool,
    /// Where it goes.
    pub goes_to: Destination,
}

/// What is to be sent of a claimed record: the attachments that the server has not acknowledged yet and that can be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// Size of the record's XML in bytes.
    pub xml_size: u64,
    /// The attachments left.
    pub parts: Vec<Part>,
    /// What is wrong with a file that is not among them for that.
    pub left_out: Option<FileProblem>,
}

/// Why a file cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileProblem {
    /// It is not there.
    Missing,
    /// It is not what was stored.
    Damaged,
    /// It is larger than the server takes.
    TooLarge,
}

impl FileProblem {
    /// The stable code, kebab-case.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::TooLarge => "too-large",
        }
    }

    /// The problem behind a code; one that this version does not know is damage.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        [Self::Missing, Self::TooLarge].into_iter().find(|problem| problem.code() == code).unwrap_or(Self::Damaged)
    }

    /// Why its record is not sent.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Missing => Reason::AttachmentMissing,
            Self::Damaged => Reason::AttachmentDamaged,
            Self::TooLarge => Reason::TooLarge,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// These lie in the outbox now; what was known of the others is forgotten.
    Found(Vec<Queued>),
    /// The record asked for by [`Effect::Claim`] is marked as `sending`.
    Claimed(Parcel),
    /// It is not there any more, or someone else is sending it.
    Gone,
    /// It is there, and marked as `sending`, but it cannot be read.
    Broken,
    /// What came of the request asked for last.
    Answered(Answer),
    /// The time of [`Effect::Pause`] or [`Effect::Idle`] has come.
    Woken,
    /// The network is back, or the person asks: nothing waits any longer.
    Hurry,
    /// The work is to end.
    Cancelled,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// A reply.
    Reply {
        /// The reply.
        response: Response,
        /// The address that gave it, after redirects.
        url: Url,
    },
    /// None: no connection, or it broke. Whether the request arrived is not known.
    Lost,
    /// None: who answers cannot prove to be the server, for this reason.
    Untrusted(Reason),
    /// A way that must not be gone: to `http`, or in a circle.
    Elsewhere,
    /// None, because these attachments cannot be read on this device; positions in [`Parcel::parts`].
    Unreadable(Vec<(usize, FileProblem)>),
}

/// What is to be done, in the order given, each finished before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Mark the record as `sending`, count the try, and say what is to be sent of it.
    Claim {
        /// The record.
        record: RecordId,
    },
    /// Ask the submission address what it is.
    Head {
        /// Where.
        url: Url,
    },
    /// Keep how large a request the server takes.
    Limit {
        /// In bytes.
        bytes: u64,
    },
    /// Post the XML and some attachments of the claimed record.
    Post {
        /// The record.
        record: RecordId,
        /// Where.
        url: Url,
        /// Which, and whether more follows; positions in [`Parcel::parts`].
        post: Post,
    },
    /// Ask for the form list, to learn whether the account is good for anything.
    FormList,
    /// Note that the server has the XML and these attachments; positions in [`Parcel::parts`].
    Arrived {
        /// The record.
        record: RecordId,
        /// Which.
        parts: Vec<usize>,
    },
    /// Note that an attachment cannot be sent.
    LeaveOut {
        /// The record.
        record: RecordId,
        /// Which; a position in [`Parcel::parts`].
        part: usize,
        /// Why.
        problem: FileProblem,
    },
    /// Write the record's state.
    Mark {
        /// The record.
        record: RecordId,
        /// Its state.
        state: State,
    },
    /// Go on at this time, with the record claimed.
    Pause {
        /// When.
        until_ms: i64,
    },
    /// Nothing to do before this time; never, if it is `None`.
    Idle {
        /// When the next record is due.
        until_ms: Option<i64>,
    },
}

/// The states that follow on `sending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent at the next occasion.
    Ready,
    /// To be tried again.
    Waiting {
        /// When, in milliseconds since 1970.
        until_ms: i64,
        /// Why it is not sent yet.
        reason: Reason,
        /// The failures so far that are the server's own, or a web page's.
        failing: Option<Failing>,
    },
    /// The server has it, with every attachment.
    Sent,
    /// A person has to look.
    NeedsAttention(Reason),
}

/// How patient a machine is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Try no record twice.
    pub once: bool,
    /// Wait no longer than this, whatever the policy says, in milliseconds.
    pub longest_wait_ms: Option<i64>,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// How much goes together.
    pub batches: Batches,
}

/// The machine of one project.
#[derive(Debug)]
pub struct Machine {
    url: Url,
    patience: Patience,
    random: Random,
    queue: Vec<Entry>,
    /// What `HEAD` told; forgotten as soon as a reply raises doubts.
    server: Option<Server>,
    /// What goes together in one POST, in bytes.
    batch: u64,
    /// The POST before met a web page. One may be the fault of its record (a filter in front of the server), two in a row are
    /// the network's.
    met_a_page: bool,
    phase: Phase,
    effects: Vec<Effect>,
}

#[derive(Debug)]
struct Entry {
    queued: Queued,
    tried: bool,
}

#[derive(Clone, Debug)]
struct Server {
    /// The address that was asked.
    asked: Url,
    /// The one that records go to.
    url: Url,
    limit: u64,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Claiming(Queued),
    /// Waiting for the answer to `HEAD`.
    Asking(Sending),
    /// Waiting for the answer to a POST.
    Posting(Sending, Post),
    /// Waiting for the form list, after the record was refused.
    Checking(Sending),
    /// Waiting before the record is posted once more.
    Pausing(Sending, i64),
    Ended,
}

/// The record on the road.
#[derive(Debug)]
struct Sending {
    queued: Queued,
    parcel: Parcel,
    /// Positions of the attachments not acknowledged yet, the smallest first.
    left: Vec<usize>,
    was_deleted: bool,
}

impl Sending {
    fn new(queued: Queued, parcel: Parcel) -> Self {
        let mut left: Vec<usize> = (0..parcel.parts.len()).collect();
        left.sort_by_key(|&part| parcel.parts.get(part).map(|part| part.size));
        Self { queued, parcel, left, was_deleted: false }
    }

    fn parts<'s>(&'s self, positions: &'s [usize]) -> impl Iterator<Item = &'s Part> {
        positions.iter().filter_map(|&position| self.parcel.parts.get(position))
    }

    /// What goes next, in `most` bytes.
    fn next(&self, most: u64) -> Post {
        let n_parts =
            submission::batch(self.parcel.xml_size, self.parts(&self.left), most, !self.queued.answers_arrived);
        let parts: Vec<usize> = self.left.iter().take(n_parts).copied().collect();
        Post { incomplete: parts.len() < self.left.len() || self.parcel.left_out.is_some(), parts }
    }

    fn size(&self, post: &Post) -> u64 {
        submission::post_size(self.parcel.xml_size, self.parts(&post.parts))
    }

    /// Whether nothing is left to post.
    fn is_done(&self) -> bool {
        self.queued.answers_arrived && self.left.is_empty()
    }

    /// The state when nothing is left to post.
    fn end_state(&self) -> State {
        self.parcel.left_out.map_or(State::Sent, |problem| State::NeedsAttention(problem.reason()))
    }
}

impl Machine {
    /// A machine that sends to `url`.
    #[must_use]
    pub fn new(url: Url, patience: Patience, random: Random) -> Self {
        Self {
            url,
            patience,
            random,
            queue: Vec::new(),
            server: None,
            batch: patience.batches.first,
            met_a_page: false,
            phase: Phase::Idle,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened at `now_ms` (milliseconds since 1970) and says what to do.
    pub fn on(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        match (std::mem::replace(&mut self.phase, Phase::Idle), event) {
            (phase, Event::Found(records)) => {
                self.phase = phase;
                self.found(records);
                self.go_on(now_ms);
            }
            (phase, Event::Hurry) => {
                self.phase = phase;
                for entry in &mut self.queue {
                    entry.queued.hurry();
                    entry.tried = false;
                }
                self.go_on(now_ms);
            }
            (phase, Event::Cancelled) => self.cancelled(phase),
            (Phase::Claiming(queued), Event::Claimed(_)) if queued.goes_to == Destination::NotAllowed => {
                self.end(queued.record, State::NeedsAttention(Reason::OtherHost), now_ms);
            }
            (Phase::Claiming(queued), Event::Claimed(parcel)) => self.send(Sending::new(queued, parcel), now_ms),
            (Phase::Claiming(_), Event::Gone) => self.go_on(now_ms),
            (Phase::Claiming(queued), Event::Broken) => {
                self.end(queued.record, State::NeedsAttention(Reason::UnreadableRecord), now_ms);
            }
            (Phase::Asking(sending), Event::Answered(answer)) => self.asked(sending, answer, now_ms),
            (Phase::Posting(sending, post), Event::Answered(answer)) => self.posted(sending, &post, answer, now_ms),
            (Phase::Checking(sending), Event::Answered(answer)) => self.checked(sending, answer, now_ms),
            (Phase::Pausing(sending, until_ms), _) if now_ms >= until_ms => self.send(sending, now_ms),
            (Phase::Pausing(sending, until_ms), _) => {
                self.phase = Phase::Pausing(sending, until_ms);
                self.effects.push(Effect::Pause { until_ms });
            }
            (Phase::Idle, _) => self.go_on(now_ms),
            // What belongs to no phase changes nothing.
            (phase, _) => self.phase = phase,
        }
        std::mem::take(&mut self.effects)
    }

    fn found(&mut self, records: Vec<Queued>) {
        let on_the_road = match &self.phase {
            Phase::Claiming(queued) => Some(queued.record),
            Phase::Asking(sending)
            | Phase::Posting(sending, _)
            | Phase::Checking(sending)
            | Phase::Pausing(sending, _) => Some(sending.queued.record),
            Phase::Idle | Phase::Ended => None,
        };
        let tried: BTreeSet<RecordId> =
            self.queue.iter().filter(|entry| entry.tried).map(|entry| entry.queued.record).collect();
        let others = records.into_iter().filter(|queued| on_the_road != Some(queued.record));
        self.queue = others.map(|queued| Entry { tried: tried.contains(&queued.record), queued }).collect();
    }

    /// Takes up the next record, if none is on the road: of those due one whose answers have not arrived, the one tried least
    /// often, the oldest among equals. So large files and a sick record go behind the others.
    fn go_on(&mut self, now_ms: i64) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        let once = self.patience.once;
        let open = || self.queue.iter().enumerate().filter(|(_, entry)| !(once && entry.tried));
        let due = open().filter(|(_, entry)| entry.queued.due_ms <= now_ms);
        let next = due.min_by_key(|(_, entry)| (entry.queued.answers_arrived, entry.queued.tries));
        if let Some((position, _)) = next {
            let mut queued = self.queue.remove(position).queued;
            queued.tries = queued.tries.saturating_add(1);
            self.effects.push(Effect::Claim { record: queued.record });
            self.phase = Phase::Claiming(queued);
        } else {
            let until_ms = open().map(|(_, entry)| entry.queued.due_ms).min();
            self.effects.push(Effect::Idle { until_ms });
        }
    }

    /// The next request for a record: `HEAD` where the server is not known, else a POST.
    fn send(&mut self, sending: Sending, now_ms: i64) {
        if sending.is_done() {
            let state = sending.end_state();
            return self.end(sending.queued.record, state, now_ms);
        }
        let place = self.place(&sending.queued);
        let Some(server) = self.server.clone().filter(|server| server.asked == place) else {
            self.effects.push(Effect::Head { url: place });
            self.phase = Phase::Asking(sending);
            return;
        };
        let post = sending.next(self.batch.min(server.limit));
        self.effects.push(Effect::Post { record: sending.queued.record, url: server.url, post: post.clone() });
        self.phase = Phase::Posting(sending, post);
    }

    /// The address that a record goes to.
    fn place(&self, queued: &Queued) -> Url {
        match &queued.goes_to {
            Destination::Named(url) => url.clone(),
            Destination::Home | Destination::NotAllowed => self.url.clone(),
        }
    }

    fn asked(&mut self, sending: Sending, answer: Answer, now_ms: i64) {
        let (response, url) = match answer {
            Answer::Reply { response, url } => (response, url),
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted(reason) => return self.all_wait(sending, reason, None, now_ms),
            Answer::Lost | Answer::Unreadable(_) => return self.all_wait(sending, Reason::Offline, None, now_ms),
        };
        match response.status {
            401 | 403 => self.all_wait(sending, Reason::SignInNeeded, None, now_ms),
            status if retry::is_transient(status) => {
                self.all_wait(sending, Reason::ServerBusy, retry_after(&response, now_ms), now_ms);
            }
            // 204 is the sign of a server; any other success, or a way elsewhere, is the sign of something else. What a
            // server without this method answers is no sign at all.
            200..=203 | 205..=399 | 407 | 511 => self.all_wait(sending, Reason::NotAServer, None, now_ms),
            _ => {
                let asked = self.place(&sending.queued);
                let said = limit_said(&response);
                if asked == self.url {
                    self.effects.extend(said.map(|bytes| Effect::Limit { bytes }));
                }
                let limit = said.unwrap_or(DEFAULT_ACCEPT_CONTENT_LENGTH);
                // Only a survey server may send records to another place; a way that ends at anything else leads nowhere.
                let url = if response.status == 204 { post_url(&url, &response) } else { asked.clone() };
                self.server = Some(Server { asked, url, limit });
                self.send(sending, now_ms);
            }
        }
    }

    fn posted(&mut self, mut sending: Sending, post: &Post, answer: Answer, now_ms: i64) {
        let record = sending.queued.record;
        let (response, from) = match answer {
            Answer::Reply { response, url } => (response, url),
            Answer::Lost => {
                self.batch = (self.batch.min(sending.size(post)) / 2).max(self.patience.batches.smallest);
                return self.waits(sending, Reason::Offline, now_ms);
            }
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted(reason) => return self.all_wait(sending, reason, None, now_ms),
            Answer::Unreadable(parts) => return self.unreadable(sending, &parts, now_ms),
        };
        let mut verdict = retry::verdict(response.status, &response.media_type(), &response.body);
        // Where a sign-in page sends a request, nobody can say what becomes of a record.
        if verdict != Verdict::Sent && self.server.as_ref().is_some_and(|server| server.url != from) {
            verdict = Verdict::NotAServer;
        }
        if verdict == Verdict::NotAServer {
            return self.met_a_page(sending, now_ms);
        }
        self.met_a_page = false;
        match verdict {
            Verdict::NotAServer => {}
            Verdict::Sent => self.acknowledged(sending, post, now_ms),
            Verdict::Refused => {
                self.effects.push(Effect::FormList);
                self.phase = Phase::Checking(sending);
            }
            Verdict::Deleted if !sending.was_deleted => {
                sending.was_deleted = true;
                let until_ms = now_ms.saturating_add(self.patience.backoff.deleted_pause_ms);
                self.effects.push(Effect::Pause { until_ms });
                self.phase = Phase::Pausing(sending, until_ms);
            }
            Verdict::Deleted => self.end(record, State::NeedsAttention(Reason::DeletedOnServer), now_ms),
            Verdict::TooLarge => self.too_large(sending, post, now_ms),
            Verdict::NeedsAttention(reason) => self.end(record, State::NeedsAttention(reason), now_ms),
            Verdict::Transient => {
                let patience_asked = retry_after(&response, now_ms);
                if response.status >= 500 {
                    sending.queued.failing = Some(Failing::one_more(sending.queued.failing, now_ms));
                    if self.is_lasting(&sending.queued, now_ms) {
                        let is_page = response::read_as(&response.media_type(), &response.body) == Reply::Html;
                        let reason = if is_page { Reason::NotAServer } else { Reason::ServerError };
                        return self.end(record, State::NeedsAttention(reason), now_ms);
                    }
                }
                if response.status == 429 || patience_asked.is_some() {
                    self.all_wait(sending, Reason::ServerBusy, patience_asked, now_ms);
                } else {
                    self.waits(sending, Reason::ServerBusy, now_ms);
                }
            }
        }
    }

    fn acknowledged(&mut self, mut sending: Sending, post: &Post, now_ms: i64) {
        let record = sending.queued.record;
        let size = sending.size(post);
        if size >= self.batch / 2 {
            // Only what was carried says anything of the link.
            self.batch = self.batch.max(size).saturating_mul(2);
        }
        self.effects.push(Effect::Arrived { record, parts: post.parts.clone() });
        sending.left.retain(|part| !post.parts.contains(part));
        sending.queued.answers_arrived = true;
        sending.queued.tries = 1; // it gets on, so a later failure is a first one
        sending.queued.failing = None;
        if !sending.is_done() && self.others_wait_for_answers(&sending, now_ms) {
            self.steps_back(sending.queued, now_ms);
        } else {
            self.send(sending, now_ms);
        }
    }

    /// Whether what is left of a record is large, while the answers of another could go.
    fn others_wait_for_answers(&self, sending: &Sending, now_ms: i64) -> bool {
        let is_open = |entry: &Entry| {
            !entry.queued.answers_arrived && entry.queued.due_ms <= now_ms && !(self.patience.once && entry.tried)
        };
        let is_large = |part: &Part| part.size > self.batch;
        sending.parts(&sending.left).next().is_some_and(is_large) && self.queue.iter().any(is_open)
    }

    /// Puts a record back that gets on, for the others to go first.
    fn steps_back(&mut self, mut queued: Queued, now_ms: i64) {
        queued.hurry();
        self.effects.push(Effect::Mark { record: queued.record, state: State::Ready });
        self.enqueue(Entry { queued, tried: false });
        self.go_on(now_ms);
    }

    /// Several files together, or one with the answers, are tried in smaller requests. A file too large by itself is left out;
    /// answers too large by themselves are for a person.
    fn too_large(&mut self, mut sending: Sending, post: &Post, now_ms: i64) {
        match post.parts.as_slice() {
            [] => self.end(sending.queued.record, State::NeedsAttention(Reason::TooLarge), now_ms),
            [part] if sending.queued.answers_arrived => {
                self.leave_out(&mut sending, *part, FileProblem::TooLarge);
                self.send(sending, now_ms);
            }
            _ => {
                self.batch = self.batch.min(sending.size(post)) / 2;
                if let Some(server) = &mut self.server {
                    server.limit = server.limit.min(sending.size(post).saturating_sub(1));
                }
                self.send(sending, now_ms);
            }
        }
    }

    /// What cannot be read here is left out, and the rest goes. If every file can be read after all, it was the moment's.
    fn unreadable(&mut self, mut sending: Sending, parts: &[(usize, FileProblem)], now_ms: i64) {
        if parts.is_empty() {
            return self.waits(sending, Reason::Io, now_ms);
        }
        for (part, problem) in parts {
            self.leave_out(&mut sending, *part, *problem);
        }
        self.send(sending, now_ms);
    }

    fn leave_out(&mut self, sending: &mut Sending, part: usize, problem: FileProblem) {
        self.effects.push(Effect::LeaveOut { record: sending.queued.record, part, problem });
        sending.left.retain(|left| *left != part);
        sending.parcel.left_out.get_or_insert(problem);
    }

    /// A web page has answered in the place of the server.
    fn met_a_page(&mut self, mut sending: Sending, now_ms: i64) {
        if std::mem::replace(&mut self.met_a_page, true) {
            return self.all_wait(sending, Reason::NotAServer, None, now_ms);
        }
        sending.queued.failing = Some(Failing::one_more(sending.queued.failing, now_ms));
        if self.is_lasting(&sending.queued, now_ms) {
            self.server = None;
            self.end(sending.queued.record, State::NeedsAttention(Reason::NotAServer), now_ms);
        } else {
            self.waits(sending, Reason::NotAServer, now_ms);
        }
    }

    /// A record was refused; the form list has answered.
    fn checked(&mut self, sending: Sending, answer: Answer, now_ms: i64) {
        let response = match answer {
            Answer::Reply { response, .. } => response,
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted(reason) => return self.all_wait(sending, reason, None, now_ms),
            Answer::Lost | Answer::Unreadable(_) => return self.waits(sending, Reason::Offline, now_ms),
        };
        match response.status {
            200 if response.is_open_rosa() => {
                // The account is good, but not for this form: its other records need not be tried.
                let refused = sending.queued.form_id;
                let (same_form, others): (Vec<_>, Vec<_>) =
                    self.queue.drain(..).partition(|entry| entry.queued.form_id == refused);
                self.queue = others;
                let records =
                    std::iter::once(sending.queued.record).chain(same_form.iter().map(|entry| entry.queued.record));
                let state = State::NeedsAttention(Reason::NotAllowed);
                self.effects.extend(records.map(|record| Effect::Mark { record, state }));
                self.go_on(now_ms);
            }
            401 | 403 => self.all_wait(sending, Reason::SignInNeeded, None, now_ms),
            status if retry::is_transient(status) => self.waits(sending, Reason::ServerBusy, now_ms),
            _ => self.all_wait(sending, Reason::NotAServer, None, now_ms),
        }
    }

    /// The record on the road waits, the others go on; but whether there is a server is asked anew.
    fn waits(&mut self, sending: Sending, reason: Reason, now_ms: i64) {
        let pause_ms = self.pause_ms(&sending, reason, None);
        self.server = None;
        self.wait(sending.queued, now_ms.saturating_add(pause_ms), reason);
        self.go_on(now_ms);
    }

    /// The record on the road waits, and with it every record that could go to the same place now.
    fn all_wait(&mut self, sending: Sending, reason: Reason, retry_after_ms: Option<i64>, now_ms: i64) {
        let until_ms = now_ms.saturating_add(self.pause_ms(&sending, reason, retry_after_ms));
        self.server = None;
        let meets_the_same =
            |entry: &Entry| entry.queued.due_ms <= now_ms && entry.queued.goes_to == sending.queued.goes_to;
        let (due, later): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(meets_the_same);
        self.queue = later;
        for mut queued in std::iter::once(sending.queued).chain(due.into_iter().map(|entry| entry.queued)) {
            if reason == Reason::NotAServer {
                queued.failing = Some(Failing::one_more(queued.failing, now_ms));
            }
            if reason == Reason::NotAServer && self.is_lasting(&queued, now_ms) {
                let state = State::NeedsAttention(reason);
                self.effects.push(Effect::Mark { record: queued.record, state });
            } else {
                self.wait(queued, until_ms, reason);
            }
        }
        self.go_on(now_ms);
    }

    /// A record waits. One that was not on the road counts as tried: it would have met the same.
    fn wait(&mut self, mut queued: Queued, until_ms: i64, reason: Reason) {
        queued.due_ms = until_ms;
        let state = State::Waiting { until_ms, reason, failing: queued.failing };
        self.effects.push(Effect::Mark { record: queued.record, state });
        self.enqueue(Entry { queued, tried: true });
    }

    fn enqueue(&mut self, entry: Entry) {
        let newer = self.queue.iter().position(|other| other.queued.record > entry.queued.record);
        self.queue.insert(newer.unwrap_or(self.queue.len()), entry);
    }

    fn is_lasting(&self, queued: &Queued, now_ms: i64) -> bool {
        queued.failing.is_some_and(|failing| failing.is_lasting(now_ms, &self.patience.backoff))
    }

    fn pause_ms(&mut self, sending: &Sending, reason: Reason, retry_after_ms: Option<i64>) -> i64 {
        let pause_ms = match reason {
            // Knocking with a password that is not accepted locks accounts.
            Reason::SignInNeeded => self.patience.backoff.longest_pause_ms,
            _ => retry::pause_ms(sending.queued.tries, retry_after_ms, &self.patience.backoff, &mut self.random),
        };
        self.patience.longest_wait_ms.map_or(pause_ms, |longest| pause_ms.min(longest))
    }

    fn end(&mut self, record: RecordId, state: State, now_ms: i64) {
        self.effects.push(Effect::Mark { record, state });
        self.go_on(now_ms);
    }

    fn cancelled(&mut self, phase: Phase) {
        self.phase = Phase::Ended;
        let record = match phase {
            Phase::Asking(sending)
            | Phase::Posting(sending, _)
            | Phase::Checking(sending)
            | Phase::Pausing(sending, _) => sending.queued.record,
            Phase::Idle | Phase::Claiming(_) | Phase::Ended => return,
        };
        self.effects.push(Effect::Mark { record, state: State::Ready });
    }
}

impl Queued {
    /// Makes it due at once, with all patience restored.
    pub fn hurry(&mut self) {
        self.due_ms = 0;
        self.tries = 0;
    }
}

/// Where records go: the `Location` of the reply to `HEAD`, if it is on the same host and as well protected; else the address
/// that was asked.
fn post_url(asked: &Url, response: &Response) -> Url {
    let location = response.header("location").and_then(|location| follow(asked, &location).ok());
    location.filter(|location| same_host(asked, location)).unwrap_or_else(|| asked.clone())
}

/// How many bytes one request may have, if the reply to `HEAD` says so.
pub(super) fn limit_said(response: &Response) -> Option<u64> {
    let said = response.header(ACCEPT_CONTENT_LENGTH).and_then(|limit| limit.trim().parse().ok());
    said.filter(|&limit| limit > 0)
}

fn retry_after(response: &Response, now_ms: i64) -> Option<i64> {
    response.header("retry-after").and_then(|header| retry::retry_after_ms(&header, now_ms))
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

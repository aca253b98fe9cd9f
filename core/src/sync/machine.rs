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

use super::policy::Backoff;
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

/// What goes together at first, in bytes, while nothing is known of the link.
const FIRST_BATCH: u64 = 256 * 1_000;
/// What goes together at least, however often the link breaks.
const SMALLEST_BATCH: u64 = 32 * 1_000;

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
            Self::Missing | Self::Damaged => Reason::AttachmentUnreadable,
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
    /// None: who answers cannot prove to be the server.
    Untrusted,
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
            batch: FIRST_BATCH,
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
                self.end(queued.record, State::NeedsAttention(Reason::AttachmentUnreadable), now_ms);
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
            Answer::Untrusted => return self.all_wait(sending, Reason::NotSecure, None, now_ms),
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
                self.batch = (self.batch.min(sending.size(post)) / 2).max(SMALLEST_BATCH);
                return self.waits(sending, Reason::Offline, now_ms);
            }
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted => return self.all_wait(sending, Reason::NotSecure, None, now_ms),
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
            return self.waits(sending, Reason::Offline, now_ms);
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
            Answer::Untrusted => return self.all_wait(sending, Reason::NotSecure, None, now_ms),
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
mod tests {
    use super::*;
    use crate::clock::Step;
    use crate::openrosa::response;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};

    const HOME: &str = "https://h.test/v1/key/T/projects/1/submission";

    fn machine(patience: Patience) -> Machine {
        Machine::new(Url::parse(HOME).unwrap(), patience, Step { at: 0, seed: 1, number: 0 }.random())
    }

    fn queued(record: RecordId, form_id: &str) -> Queued {
        let goes_to = Destination::Home;
        Queued { record, form_id: form_id.into(), tries: 0, due_ms: 0, failing: None, answers_arrived: false, goes_to }
    }

    fn parcel(sizes: &[u64]) -> Parcel {
        let parts = sizes.iter().enumerate().map(|(n, &size)| Part { name: format!("{n}.jpg"), size }).collect();
        Parcel { xml_size: 1_000, parts, left_out: None }
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Event {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = Response { status, headers, body: body.as_bytes().to_vec() };
        Event::Answered(Answer::Reply { response, url: Url::parse(HOME).unwrap() })
    }

    /// A reply from where the request was sent on to.
    fn reply_from(url: &str, status: u16) -> Event {
        let response = Response { status, ..Response::default() };
        Event::Answered(Answer::Reply { response, url: Url::parse(url).unwrap() })
    }

    fn error(status: u16, words: &str) -> Event {
        reply(status, &[], &response::write(words, true))
    }

    fn lost() -> Event {
        Event::Answered(Answer::Lost)
    }

    fn home() -> Url {
        Url::parse(HOME).unwrap()
    }

    fn post(parts: &[usize], incomplete: bool) -> Post {
        Post { parts: parts.to_vec(), incomplete }
    }

    /// A machine with `records` of the forms given, the first claimed and posted.
    fn posting(forms: &[&str], parcel: Parcel) -> Machine {
        let mut machine = machine(Patience::default());
        let records = (1..).zip(forms).map(|(record, form)| queued(record, form)).collect();
        assert_eq!(machine.on(Event::Found(records), 0), [Effect::Claim { record: 1 }]);
        assert_eq!(machine.on(Event::Claimed(parcel), 0), [Effect::Head { url: home() }]);
        let effects = machine.on(reply(204, &[("x-openrosa-accept-content-length", "10000")], ""), 0);
        assert!(
            matches!(effects[..], [Effect::Limit { bytes: 10_000 }, Effect::Post { record: 1, .. }]),
            "{effects:?}"
        );
        machine
    }

    fn attention(record: RecordId, reason: Reason) -> Effect {
        Effect::Mark { record, state: State::NeedsAttention(reason) }
    }

    fn waiting_of(effects: &[Effect]) -> Vec<(RecordId, Reason)> {
        let waiting = effects.iter().filter_map(|effect| match effect {
            Effect::Mark { record, state: State::Waiting { reason, .. } } => Some((*record, *reason)),
            _ => None,
        });
        waiting.collect()
    }

    #[test]
    fn a_record_goes_in_posts_and_is_sent_after_the_last() {
        let mut machine = posting(&["a"], parcel(&[6_000, 6_000, 10]));
        assert_eq!(
            machine.on(error(201, ""), 5),
            [
                Effect::Arrived { record: 1, parts: vec![2, 0] },
                Effect::Post { record: 1, url: home(), post: post(&[1], false) }
            ]
        );
        assert_eq!(
            machine.on(error(202, ""), 6),
            [
                Effect::Arrived { record: 1, parts: vec![1] },
                Effect::Mark { record: 1, state: State::Sent },
                Effect::Idle { until_ms: None }
            ]
        );
    }

    #[test]
    fn a_record_goes_where_its_form_says_if_that_is_allowed() {
        let there = Url::parse("https://o.test/own/place").unwrap();
        let bound_for = |record, goes_to| Queued { goes_to, ..queued(record, "a") };
        let mut machine = machine(Patience::default());
        let records = vec![
            bound_for(1, Destination::Named(there.clone())),
            bound_for(2, Destination::NotAllowed),
            bound_for(3, Destination::Home),
        ];
        machine.on(Event::Found(records), 0);
        assert_eq!(machine.on(Event::Claimed(parcel(&[])), 0), [Effect::Head { url: there.clone() }]);
        let response = Response { status: 204, ..Response::default() };
        let answered = Event::Answered(Answer::Reply { response, url: there.clone() });
        assert_eq!(machine.on(answered, 0), [Effect::Post { record: 1, url: there, post: post(&[], false) }]);
        let effects = machine.on(reply(201, &[], ""), 0);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
        let effects = machine.on(Event::Claimed(parcel(&[])), 0);
        assert_eq!(effects, [attention(2, Reason::OtherHost), Effect::Claim { record: 3 }]);
        assert_eq!(
            machine.on(Event::Claimed(parcel(&[])), 0),
            [Effect::Head { url: home() }],
            "the other place was asked"
        );
    }

    #[test]
    fn one_places_trouble_holds_up_no_record_that_goes_elsewhere() {
        let there = Destination::Named(Url::parse("https://o.test/own/place").unwrap());
        let bound_for = |record, goes_to: &Destination| Queued { goes_to: goes_to.clone(), ..queued(record, "a") };
        let mut machine = machine(Patience::default());
        let home = Destination::Home;
        machine.on(Event::Found(vec![bound_for(1, &there), bound_for(2, &home), bound_for(3, &there)]), 0);
        machine.on(Event::Claimed(parcel(&[])), 0);
        let effects = machine.on(lost(), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::Offline), (3, Reason::Offline)]);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    }

    #[test]
    fn a_refusal_from_where_a_post_was_sent_on_to_is_none() {
        for (url, expected) in [
            (HOME, State::NeedsAttention(Reason::UnknownForm)),
            ("https://h.test/login", State::Waiting { until_ms: 0, reason: Reason::NotAServer, failing: None }),
        ] {
            let mut machine = posting(&["a"], parcel(&[]));
            let effects = machine.on(reply_from(url, 404), 0);
            let marked = effects.iter().find_map(|effect| match effect {
                Effect::Mark { state, .. } => Some(std::mem::discriminant(state)),
                _ => None,
            });
            assert_eq!(marked, Some(std::mem::discriminant(&expected)), "{url}: {effects:?}");
        }
    }

    #[test]
    fn head_decides_where_and_how_records_go() {
        let here = |url: &str| Some(Url::parse(url).unwrap());
        let rows = [
            (reply(204, &[], ""), here(HOME), None),
            (reply(204, &[("location", "https://h.test/submit?x=1")], ""), here("https://h.test/submit?x=1"), None),
            (reply(204, &[("Location", "/other")], ""), here("https://h.test/other"), None),
            (reply(204, &[("location", "http://h.test/submission")], ""), here(HOME), None),
            (reply(204, &[("location", "https://elsewhere.test/submission")], ""), here(HOME), None),
            (reply(404, &[], ""), here(HOME), None),
            (reply_from("https://h.test/login", 404), here(HOME), None),
            (reply_from("https://h.test/submit", 204), here("https://h.test/submit"), None),
            (reply(400, &[], ""), here(HOME), None),
            (reply(200, &[], "<html>"), None, Some(Reason::NotAServer)),
            (reply(201, &[], ""), None, Some(Reason::NotAServer)),
            (reply(302, &[("location", "https://portal.test/")], ""), None, Some(Reason::NotAServer)),
            (reply(401, &[], ""), None, Some(Reason::SignInNeeded)),
            (reply(403, &[], ""), None, Some(Reason::SignInNeeded)),
            (reply(502, &[], "<html>"), None, Some(Reason::ServerBusy)),
            (reply(429, &[], ""), None, Some(Reason::ServerBusy)),
            (reply(511, &[], "<html>"), None, Some(Reason::NotAServer)),
            (lost(), None, Some(Reason::Offline)),
            (Event::Answered(Answer::Elsewhere), None, Some(Reason::NotAServer)),
            (Event::Answered(Answer::Untrusted), None, Some(Reason::NotSecure)),
        ];
        for (answer, to, reason) in rows {
            let mut machine = machine(Patience::default());
            machine.on(Event::Found(vec![queued(1, "a"), queued(2, "b")]), 0);
            machine.on(Event::Claimed(parcel(&[])), 0);
            let shown = format!("{answer:?}");
            let effects = machine.on(answer, 0);
            match (to, reason) {
                (Some(url), _) => {
                    assert_eq!(effects, [Effect::Post { record: 1, url, post: post(&[], false) }], "{shown}")
                }
                (None, Some(reason)) => {
                    assert_eq!(waiting_of(&effects), [(1, reason), (2, reason)], "{shown}");
                    assert!(matches!(effects.last(), Some(Effect::Idle { until_ms: Some(1_000..) })), "{effects:?}");
                }
                (None, None) => unreachable!(),
            }
        }
    }

    #[test]
    fn a_sick_record_does_not_block_the_others() {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(error(500, ""), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::ServerBusy)]);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
        assert_eq!(
            machine.on(Event::Claimed(parcel(&[])), 0),
            [Effect::Head { url: home() }],
            "is the server still there?"
        );
        machine.on(reply(204, &[], ""), 0);
        let effects = machine.on(error(201, ""), 0);
        assert!(effects.contains(&Effect::Mark { record: 2, state: State::Sent }));
        assert!(matches!(effects.last(), Some(Effect::Idle { until_ms: Some(1_000..=3_000) })), "{effects:?}");
    }

    #[test]
    fn after_a_pause_for_all_the_sick_record_goes_last() {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(reply(429, &[("retry-after", "60")], ""), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::ServerBusy), (2, Reason::ServerBusy)]);
        assert_eq!(effects.last(), Some(&Effect::Idle { until_ms: Some(60_000) }));
        assert_eq!(machine.on(Event::Woken, 59_999), [Effect::Idle { until_ms: Some(60_000) }]);
        assert_eq!(machine.on(Event::Woken, 60_000), [Effect::Claim { record: 2 }]);
    }

    #[test]
    fn a_refused_form_is_told_from_a_refused_account() {
        let list = [("content-type", "text/xml"), ("x-openrosa-version", "1.0")];
        let mut machine = posting(&["a", "b", "a"], parcel(&[]));
        assert_eq!(machine.on(error(401, ""), 0), [Effect::FormList]);
        assert_eq!(
            machine.on(reply(200, &list, "<xforms/>"), 0),
            [attention(1, Reason::NotAllowed), attention(3, Reason::NotAllowed), Effect::Claim { record: 2 }]
        );
        let rows = [
            (reply(401, &[], ""), vec![(1, Reason::SignInNeeded), (2, Reason::SignInNeeded)]),
            (
                reply(200, &[("content-type", "text/html")], "<html>"),
                vec![(1, Reason::NotAServer), (2, Reason::NotAServer)],
            ),
            (reply(503, &[], ""), vec![(1, Reason::ServerBusy)]),
            (lost(), vec![(1, Reason::Offline)]),
            (Event::Answered(Answer::Elsewhere), vec![(1, Reason::NotAServer), (2, Reason::NotAServer)]),
            (Event::Answered(Answer::Untrusted), vec![(1, Reason::NotSecure), (2, Reason::NotSecure)]),
        ];
        for (answer, expected) in rows {
            let mut machine = posting(&["a", "b"], parcel(&[]));
            machine.on(error(403, ""), 0);
            assert_eq!(waiting_of(&machine.on(answer, 0)), expected);
        }
    }

    #[test]
    fn a_deleted_record_goes_once_more_after_a_second() {
        let deleted = || error(409, "This submission has been deleted. You may not resubmit it.");
        let mut machine = posting(&["a"], parcel(&[5]));
        assert_eq!(machine.on(deleted(), 500), [Effect::Pause { until_ms: 1_500 }]);
        assert_eq!(machine.on(Event::Woken, 1_499), [Effect::Pause { until_ms: 1_500 }]);
        assert_eq!(machine.on(Event::Woken, 1_500), [Effect::Post { record: 1, url: home(), post: post(&[0], false) }]);
        assert_eq!(machine.on(deleted(), 1_600)[0], attention(1, Reason::DeletedOnServer));
    }

    fn too_large() -> Event {
        reply(413, &[("content-type", "text/html")], "<html>")
    }

    fn page(status: u16) -> Event {
        reply(status, &[("content-type", "text/html")], "<html>sign in")
    }

    #[test]
    fn what_is_too_large_goes_in_smaller_posts_and_one_file_too_large_holds_back_nothing() {
        let mut machine = posting(&["a", "b"], parcel(&[1_000, 2_000, 1_000]));
        let next = |effects: Vec<Effect>| match effects.last() {
            Some(Effect::Post { post, .. }) => (post.parts.clone(), post.incomplete),
            other => panic!("{other:?}"),
        };
        assert_eq!(next(machine.on(too_large(), 0)), (vec![0], true));
        assert_eq!(next(machine.on(too_large(), 0)), (vec![], true), "the answers alone");
        assert_eq!(next(machine.on(error(201, ""), 0)), (vec![0], true));
        let effects = machine.on(too_large(), 0);
        assert_eq!(effects[0], Effect::LeaveOut { record: 1, part: 0, problem: FileProblem::TooLarge });
        assert_eq!(next(effects), (vec![2], true));
        assert_eq!(next(machine.on(error(201, ""), 0)), (vec![1], true), "the record is not whole without the other");
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(
            effects,
            [
                Effect::Arrived { record: 1, parts: vec![1] },
                attention(1, Reason::TooLarge),
                Effect::Claim { record: 2 }
            ]
        );
        machine.on(Event::Claimed(parcel(&[])), 0);
        assert_eq!(machine.on(too_large(), 0)[0], attention(2, Reason::TooLarge), "answers too large by themselves");
    }

    #[test]
    fn a_page_is_no_verdict_and_one_is_not_yet_the_network() {
        for status in [200, 201, 202, 302, 400, 401, 403, 404, 405, 409, 410] {
            let mut machine = posting(&["a", "b", "c"], parcel(&[]));
            let effects = machine.on(page(status), 0);
            assert_eq!(waiting_of(&effects), [(1, Reason::NotAServer)], "{status}");
            assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }), "it may be the record");
            machine.on(Event::Claimed(parcel(&[])), 0);
            machine.on(reply(204, &[], ""), 0);
            let effects = machine.on(page(status), 0);
            assert_eq!(waiting_of(&effects), [(2, Reason::NotAServer), (3, Reason::NotAServer)], "{status}");
        }
        let mut machine = posting(&["a", "b", "c"], parcel(&[]));
        machine.on(page(403), 0);
        machine.on(Event::Claimed(parcel(&[])), 0);
        machine.on(reply(204, &[], ""), 0);
        machine.on(error(201, ""), 0);
        machine.on(Event::Claimed(parcel(&[])), 0);
        let effects = machine.on(page(403), 0);
        assert_eq!(waiting_of(&effects), [(3, Reason::NotAServer)], "the one between was taken");
    }

    #[test]
    fn pages_over_a_day_need_a_person() {
        let day = 24 * 60 * 60_000;
        for answer in [page(404), page(200), page(502)] {
            let mut machine = machine(Patience::default());
            let failing = Some(Failing { count: 9, since_ms: 0 });
            machine.on(Event::Found(vec![Queued { failing, ..queued(1, "a") }]), day);
            machine.on(Event::Claimed(parcel(&[])), day);
            machine.on(reply(204, &[], ""), day);
            assert_eq!(machine.on(answer, day)[0], attention(1, Reason::NotAServer));
        }
        let mut machine = machine(Patience::default());
        let failing = Some(Failing { count: 9, since_ms: 0 });
        machine.on(Event::Found(vec![queued(1, "a"), Queued { failing, ..queued(2, "b") }]), day);
        machine.on(Event::Claimed(parcel(&[])), day);
        let effects = machine.on(reply(200, &[], "<html>"), day);
        assert_eq!(waiting_of(&effects), [(1, Reason::NotAServer)]);
        assert!(effects.contains(&attention(2, Reason::NotAServer)), "it met the same");
    }

    #[test]
    fn a_lost_reply_leaves_the_record_waiting() {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(lost(), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::Offline)]);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    }

    #[test]
    fn answers_and_small_files_go_before_large_files_of_any_record() {
        let mut machine = machine(Patience { once: true, ..Patience::default() });
        machine.on(Event::Found(vec![queued(1, "a"), queued(2, "b")]), 0);
        let kb = |n: u64| n * 1_000;
        machine.on(Event::Claimed(parcel(&[kb(900), kb(10), kb(500), kb(20)])), 0);
        let post_of = |effects: &[Effect]| match effects.last() {
            Some(Effect::Post { record, post, .. }) => (*record, post.parts.clone(), post.incomplete),
            other => panic!("{other:?}"),
        };
        let effects = machine.on(reply(204, &[], ""), 0);
        assert_eq!(post_of(&effects), (1, vec![1, 3], true));
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(
            effects[1..],
            [Effect::Mark { record: 1, state: State::Ready }, Effect::Claim { record: 2 }],
            "the answers of the other go first"
        );
        let effects = machine.on(Event::Claimed(parcel(&[kb(800)])), 0);
        assert_eq!(post_of(&effects), (2, vec![], true));
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(post_of(&effects), (2, vec![0], false), "nobody's answers wait");
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 1 }), "also in one pass");
        let effects = machine.on(Event::Claimed(parcel(&[kb(900), kb(500)])), 0);
        assert_eq!(post_of(&effects), (1, vec![1, 0], false), "the link has shown what it carries");
    }

    #[test]
    fn a_batch_grows_with_what_the_link_carries_and_shrinks_with_a_cut() {
        let mut machine = machine(Patience::default());
        machine.on(Event::Found(vec![queued(1, "a")]), 0);
        machine.on(Event::Claimed(parcel(&[100_000; 20])), 0);
        let mut effects = machine.on(reply(204, &[("x-openrosa-accept-content-length", "1000000")], ""), 0);
        let mut sizes = Vec::new();
        while let Some(Effect::Post { post, .. }) = effects.last() {
            sizes.push(post.parts.len());
            effects = machine.on(error(201, ""), 0);
        }
        assert_eq!(sizes, [2, 5, 9, 4], "up to what the server takes");

        machine.on(Event::Found(vec![queued(2, "a")]), 0);
        let mut sizes = Vec::new();
        let mut now_ms = 0;
        for _ in 0..6 {
            let effects = machine.on(Event::Claimed(parcel(&[100_000; 20])), now_ms);
            let effects = if effects == [Effect::Head { url: home() }] {
                machine.on(reply(204, &[("x-openrosa-accept-content-length", "1000000")], ""), now_ms)
            } else {
                effects
            };
            let Some(Effect::Post { post, .. }) = effects.last() else { panic!("{effects:?}") };
            sizes.push(post.parts.len());
            machine.on(lost(), now_ms);
            now_ms += 60 * 60_000;
            machine.on(Event::Woken, now_ms);
        }
        assert_eq!(sizes, [9, 4, 1, 0, 0, 0], "in the end the answers alone");
    }

    #[test]
    fn a_record_of_which_only_a_bad_file_is_left_is_not_posted_again() {
        let mut machine = machine(Patience::default());
        machine.on(Event::Found(vec![Queued { answers_arrived: true, ..queued(1, "a") }]), 0);
        let left_out = Some(FileProblem::Missing);
        let effects = machine.on(Event::Claimed(Parcel { xml_size: 10, parts: vec![], left_out }), 0);
        assert_eq!(effects, [attention(1, Reason::AttachmentUnreadable), Effect::Idle { until_ms: None }]);
    }

    #[test]
    fn server_errors_over_a_day_need_a_person() {
        let mut machine = machine(Patience::default());
        let failing = Some(Failing { count: 9, since_ms: 0 });
        let day = 24 * 60 * 60_000;
        machine.on(Event::Found(vec![Queued { failing, ..queued(1, "a") }]), day);
        machine.on(Event::Claimed(parcel(&[])), day);
        machine.on(reply(204, &[], ""), day);
        assert_eq!(machine.on(error(500, ""), day)[0], attention(1, Reason::ServerError));
    }

    #[test]
    fn what_cannot_be_read_here_is_left_out_and_the_rest_goes() {
        let mut machine = posting(&["a", "b"], parcel(&[5, 6]));
        let unreadable = |parts: &[(usize, FileProblem)]| Event::Answered(Answer::Unreadable(parts.to_vec()));
        assert_eq!(
            machine.on(unreadable(&[(0, FileProblem::Damaged)]), 0),
            [
                Effect::LeaveOut { record: 1, part: 0, problem: FileProblem::Damaged },
                Effect::Post { record: 1, url: home(), post: post(&[1], true) }
            ]
        );
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(effects[1..], [attention(1, Reason::AttachmentUnreadable), Effect::Claim { record: 2 }]);
        assert_eq!(machine.on(Event::Broken, 0)[0], attention(2, Reason::AttachmentUnreadable));
        let mut machine = posting(&["a", "b"], parcel(&[5]));
        assert_eq!(waiting_of(&machine.on(unreadable(&[]), 0)), [(1, Reason::Offline)], "the disk's moment");
    }

    #[test]
    fn one_pass_tries_no_record_twice_and_hurry_makes_all_due() {
        let mut machine = machine(Patience { once: true, longest_wait_ms: Some(500), ..Patience::default() });
        machine.on(Event::Found(vec![queued(1, "a")]), 0);
        machine.on(Event::Claimed(parcel(&[])), 0);
        let effects = machine.on(lost(), 0);
        assert!(
            matches!(effects[0], Effect::Mark { state: State::Waiting { until_ms: 500, .. }, .. }),
            "the policy says at least a second: {effects:?}"
        );
        assert_eq!(machine.on(Event::Woken, 10_000), [Effect::Idle { until_ms: None }]);
        assert_eq!(machine.on(Event::Hurry, 10_000), [Effect::Claim { record: 1 }]);
        assert_eq!(machine.on(Event::Gone, 10_000), [Effect::Idle { until_ms: None }]);
    }

    #[test]
    fn a_cancelled_record_is_ready_again() {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        assert_eq!(machine.on(Event::Cancelled, 0), [Effect::Mark { record: 1, state: State::Ready }]);
        assert_eq!(machine.on(error(201, ""), 0), []);
        assert_eq!(machine.on(Event::Woken, 0), []);
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
        assert_eq!(machine.on(Event::Cancelled, 0), [], "what was not claimed may be someone else's");
    }

    #[test]
    fn found_again_is_not_sent_twice() {
        let mut machine = posting(&["a"], parcel(&[]));
        assert_eq!(machine.on(Event::Found(vec![queued(1, "a")]), 0), []);
        let effects = machine.on(error(201, ""), 0);
        assert_eq!(effects.last(), Some(&Effect::Idle { until_ms: None }));
    }

    /// What happens to a request on the way, and to who has sent it.
    #[derive(Clone, Copy, Debug)]
    enum Luck {
        Good,
        RequestLost,
        ReplyLost,
        Busy,
        Patience,
        Portal,
        FalselyDeleted,
        TooLarge,
        Unreadable,
        /// The process dies before or after the request arrived.
        KilledBefore,
        KilledAfter,
        /// The sending alone ends: a panic, or its future is dropped.
        Dropped,
        Cancelled,
        /// The storage is closed while the request is on its way, for some steps.
        Paused,
    }

    fn luck() -> impl Strategy<Value = Luck> {
        use Luck::{
            Busy, Cancelled, Dropped, FalselyDeleted, Good, KilledAfter, KilledBefore, Patience, Paused, Portal,
            ReplyLost, RequestLost, TooLarge, Unreadable,
        };
        prop_oneof![
            6 => Just(Good), 2 => Just(RequestLost), 2 => Just(ReplyLost), 1 => Just(Busy), 1 => Just(Patience),
            1 => Just(Portal), 1 => Just(FalselyDeleted), 1 => Just(TooLarge), 1 => Just(Unreadable),
            1 => Just(KilledBefore), 1 => Just(KilledAfter), 1 => Just(Dropped), 1 => Just(Cancelled), 2 => Just(Paused),
        ]
    }

    #[derive(Debug)]
    struct Row {
        queued: Queued,
        parcel: Parcel,
        acknowledged: BTreeSet<usize>,
        left_out: BTreeSet<usize>,
        state: State,
        /// The claim it is `sending` under; then `state` is the one before.
        sending: Option<u64>,
        n_claims: u64,
    }

    impl Row {
        fn is_unsent(&self) -> bool {
            matches!(self.state, State::Ready | State::Waiting { .. })
        }
    }

    /// A machine with what a runner keeps for it.
    #[derive(Debug)]
    struct Sender {
        machine: Machine,
        effects: VecDeque<Effect>,
        claim: Option<(RecordId, u64)>,
        /// Positions in the record of what was claimed.
        claimed: Vec<usize>,
        is_cancelled: bool,
    }

    /// What a sending writes of a record.
    #[derive(Clone, Debug)]
    enum Write {
        Arrived(BTreeSet<usize>),
        LeftOut(usize),
        State(State),
    }

    /// A store, a server and the way between them, with the clock in hand, and two sendings that take turns.
    struct World {
        rows: BTreeMap<RecordId, Row>,
        /// Per record the attachments the server has.
        server: BTreeMap<RecordId, BTreeSet<usize>>,
        luck: VecDeque<Luck>,
        schedule: VecDeque<usize>,
        now_ms: i64,
        senders: [Option<Sender>; 2],
        turn: Option<usize>,
        paused_for: usize,
        /// What could not be written while the storage was closed.
        unwritten: Vec<(RecordId, Option<u64>, Write)>,
        n_requests: usize,
    }

    impl World {
        fn new(records: &[Vec<u64>], luck: Vec<Luck>, schedule: Vec<usize>) -> Self {
            let rows = (1..).zip(records).map(|(record, sizes)| {
                let row = Row {
                    queued: queued(record, "a"),
                    parcel: parcel(sizes),
                    acknowledged: BTreeSet::new(),
                    left_out: BTreeSet::new(),
                    state: State::Ready,
                    sending: None,
                    n_claims: 0,
                };
                (record, row)
            });
            Self {
                rows: rows.collect(),
                server: BTreeMap::new(),
                luck: luck.into(),
                schedule: schedule.into(),
                now_ms: 0,
                senders: [None, None],
                turn: None,
                paused_for: 0,
                unwritten: Vec::new(),
                n_requests: 0,
            }
        }

        /// Lets sendings begin and end until nothing is left to send.
        fn run(&mut self) {
            for step in 0.. {
                assert!(step < 20_000 && self.n_requests < 2_000, "does not end");
                self.now_ms += 10;
                if self.paused_for > 0 {
                    self.paused_for -= 1;
                    if self.paused_for == 0 {
                        self.resume();
                    }
                }
                assert!(self.rows.values().filter(|row| row.sending.is_some()).count() <= 1, "two on the road");
                let chosen = self.schedule.pop_front().unwrap_or(step % 2);
                // Whoever does not have the turn waits for it.
                let who = self.turn.unwrap_or(chosen);
                if self.senders[who].is_none() {
                    if self.rows.values().all(|row| !row.is_unsent() && row.sending.is_none()) && self.paused_for == 0 {
                        return;
                    }
                    self.senders[who] = Some(Sender {
                        machine: machine(Patience::default()),
                        effects: VecDeque::new(),
                        claim: None,
                        claimed: Vec::new(),
                        is_cancelled: false,
                    });
                }
                self.step(who);
            }
        }

        /// One effect of a sending; at its beginning, and after each pause, it takes the turn and looks at what there is.
        fn step(&mut self, who: usize) {
            if self.turn.is_none() {
                if self.paused_for > 0 {
                    return self.ends(who);
                }
                self.turn = Some(who);
                self.release();
                let found = Event::Found(self.unsent());
                return self.tell(who, found);
            }
            let Some(effect) = self.senders[who].as_mut().and_then(|sender| sender.effects.pop_front()) else {
                assert!(self.senders[who].as_ref().is_some_and(|sender| sender.is_cancelled), "stopped in the middle");
                return self.ends(who);
            };
            match effect {
                Effect::Idle { until_ms: None } => self.ends(who),
                Effect::Idle { until_ms: Some(until_ms) } => {
                    self.now_ms = self.now_ms.max(until_ms);
                    self.turn = None;
                }
                Effect::Pause { until_ms } => {
                    self.now_ms = self.now_ms.max(until_ms);
                    self.tell(who, Event::Woken);
                }
                Effect::Claim { record } => self.claim(who, record),
                Effect::Limit { .. } => {}
                Effect::Head { .. } => {
                    self.n_requests += 1;
                    assert!(self.rows.values().any(|row| row.sending.is_some()) || self.paused_for > 0);
                    let luck = self.luck.pop_front().unwrap_or(Luck::Good);
                    self.meets(who, luck, || match luck {
                        Luck::RequestLost | Luck::ReplyLost | Luck::Unreadable => lost(),
                        Luck::Busy => reply(502, &[], "<html>"),
                        Luck::Patience => reply(429, &[("retry-after", "7")], ""),
                        Luck::Portal => reply(200, &[], "<html>"),
                        _ => reply(204, &[("x-openrosa-accept-content-length", "8000")], ""),
                    });
                }
                Effect::Post { record, post, .. } => self.post(who, record, &post),
                Effect::FormList => unreachable!("nobody is refused here"),
                Effect::Arrived { record, parts } => {
                    let arrived: BTreeSet<usize> = parts.iter().map(|&part| self.of_claimed(who, part)).collect();
                    assert!(arrived.is_subset(&self.server[&record]), "acknowledged, but not there");
                    self.write(who, record, Write::Arrived(arrived));
                }
                Effect::LeaveOut { record, part, .. } => {
                    let part = self.of_claimed(who, part);
                    self.write(who, record, Write::LeftOut(part));
                }
                Effect::Mark { record, state } => self.write(who, record, Write::State(state)),
            }
        }

        fn of_claimed(&self, who: usize, part: usize) -> usize {
            self.senders[who].as_ref().unwrap().claimed[part]
        }

        fn tell(&mut self, who: usize, event: Event) {
            let now_ms = self.now_ms;
            if let Some(sender) = &mut self.senders[who] {
                let effects = sender.machine.on(event, now_ms);
                sender.effects.extend(effects);
            }
        }

        /// A sending ends, whyever: the record it has on the road is ready again, and the turn is free.
        fn ends(&mut self, who: usize) {
            if let Some((record, claim)) = self.senders[who].take().and_then(|sender| sender.claim) {
                self.write_now_or_later(record, Some(claim), Write::State(State::Ready));
            }
            if self.turn == Some(who) {
                self.turn = None;
            }
        }

        fn killed(&mut self) {
            self.senders = [None, None];
            self.turn = None;
            self.paused_for = 0;
            self.unwritten.clear();
            self.release();
        }

        fn resume(&mut self) {
            for (record, claim, write) in std::mem::take(&mut self.unwritten) {
                self.apply(record, claim, write);
            }
            if self.turn.is_none() {
                self.release();
                assert!(self.rows.values().all(|row| row.sending.is_none()), "left behind");
            }
        }

        /// Who has the turn, or opens the store, knows that nothing is on the road.
        fn release(&mut self) {
            for row in self.rows.values_mut() {
                if row.sending.take().is_some() {
                    row.state = State::Ready;
                }
            }
        }

        fn unsent(&self) -> Vec<Queued> {
            self.rows.values().filter(|row| row.is_unsent()).map(|row| row.queued.clone()).collect()
        }

        fn claim(&mut self, who: usize, record: RecordId) {
            if self.paused_for > 0 {
                return self.ends(who);
            }
            let row = self.rows.get_mut(&record).unwrap();
            if !row.is_unsent() || row.sending.is_some() {
                return self.tell(who, Event::Gone);
            }
            row.n_claims += 1;
            row.queued.tries += 1;
            row.sending = Some(row.n_claims);
            let claimed: Vec<usize> = (0..row.parcel.parts.len())
                .filter(|part| !row.acknowledged.contains(part) && !row.left_out.contains(part))
                .collect();
            let parts = claimed.iter().map(|&part| row.parcel.parts[part].clone()).collect();
            let left_out = (!row.left_out.is_empty()).then_some(FileProblem::Damaged);
            let parcel = Parcel { parts, left_out, ..row.parcel };
            let claim = row.n_claims;
            let sender = self.senders[who].as_mut().unwrap();
            (sender.claim, sender.claimed) = (Some((record, claim)), claimed);
            self.tell(who, Event::Claimed(parcel));
        }

        fn post(&mut self, who: usize, record: RecordId, post: &Post) {
            self.n_requests += 1;
            let row = &self.rows[&record];
            assert!(row.sending.is_some() || self.paused_for > 0, "sent before written");
            let parts: Vec<usize> = post.parts.iter().map(|&part| self.of_claimed(who, part)).collect();
            assert!(parts.iter().all(|part| !row.acknowledged.contains(part)), "an acknowledged part goes again");
            let mut luck = self.luck.pop_front().unwrap_or(Luck::Good);
            if parts.is_empty() && matches!(luck, Luck::Unreadable | Luck::TooLarge) {
                luck = Luck::Busy;
            }
            if matches!(
                luck,
                Luck::Good | Luck::ReplyLost | Luck::KilledAfter | Luck::Dropped | Luck::Cancelled | Luck::Paused
            ) {
                self.server.entry(record).or_default().extend(parts);
            }
            let first = post.parts.first().copied();
            self.meets(who, luck, || match luck {
                Luck::RequestLost | Luck::ReplyLost => lost(),
                Luck::Busy => error(500, ""),
                Luck::Patience => reply(429, &[("retry-after", "7")], ""),
                Luck::Portal => page(403),
                Luck::FalselyDeleted => error(409, "has been deleted"),
                Luck::TooLarge => too_large(),
                Luck::Unreadable => Event::Answered(Answer::Unreadable(
                    first.map(|part| (part, FileProblem::Damaged)).into_iter().collect(),
                )),
                _ => reply(201, &[], &response::write("", false)),
            });
        }

        /// Carries out what befalls a sending, else gives it the answer.
        fn meets(&mut self, who: usize, luck: Luck, answer: impl FnOnce() -> Event) {
            match luck {
                Luck::KilledBefore | Luck::KilledAfter => self.killed(),
                Luck::Dropped => self.ends(who),
                Luck::Cancelled => {
                    self.senders[who].as_mut().unwrap().is_cancelled = true;
                    self.tell(who, Event::Cancelled);
                }
                Luck::Paused => {
                    self.paused_for = self.paused_for.max(4);
                    self.tell(who, answer());
                }
                _ => self.tell(who, answer()),
            }
        }

        fn write(&mut self, who: usize, record: RecordId, write: Write) {
            let sender = self.senders[who].as_mut().unwrap();
            let claim = sender.claim.filter(|(claimed, _)| *claimed == record).map(|(_, claim)| claim);
            if claim.is_some() && matches!(write, Write::State(_)) {
                sender.claim = None;
            }
            self.write_now_or_later(record, claim, write);
        }

        fn write_now_or_later(&mut self, record: RecordId, claim: Option<u64>, write: Write) {
            if self.paused_for > 0 {
                self.unwritten.push((record, claim, write));
            } else {
                self.apply(record, claim, write);
            }
        }

        fn apply(&mut self, record: RecordId, claim: Option<u64>, write: Write) {
            let row = self.rows.get_mut(&record).unwrap();
            match write {
                Write::Arrived(parts) => {
                    row.queued.answers_arrived = true;
                    row.acknowledged.extend(parts);
                }
                Write::LeftOut(part) => {
                    row.left_out.insert(part);
                }
                Write::State(state) if row.sending == claim && (claim.is_some() || row.is_unsent()) => {
                    row.sending = None;
                    row.state = state;
                    if let State::Waiting { until_ms, failing, .. } = state {
                        (row.queued.due_ms, row.queued.failing) = (until_ms, failing);
                    }
                    if state == State::Sent {
                        assert_eq!(self.server[&record].len(), row.parcel.parts.len(), "called sent, but not whole");
                    }
                }
                // Another sending, or who opened the store again, was there first.
                Write::State(_) => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn two_sendings_never_lose_never_double_and_always_end(
            records in prop::collection::vec(prop::collection::vec(0..6_000_u64, 0..5), 1..6),
            luck in prop::collection::vec(luck(), 0..60),
            schedule in prop::collection::vec(0..2_usize, 0..200),
        ) {
            let mut world = World::new(&records, luck, schedule);
            world.run();
            for (record, row) in &world.rows {
                let all: BTreeSet<usize> = (0..row.parcel.parts.len()).collect();
                match row.state {
                    State::Sent => prop_assert_eq!(&world.server[record], &all),
                    State::NeedsAttention(Reason::DeletedOnServer) => {}
                    // Everything else of it has arrived, the answers first of all.
                    State::NeedsAttention(Reason::AttachmentUnreadable | Reason::TooLarge) => {
                        prop_assert!(!row.left_out.is_empty() && row.queued.answers_arrived);
                        let has: BTreeSet<usize> = row.acknowledged.union(&row.left_out).copied().collect();
                        prop_assert_eq!(&has, &all);
                    }
                    ref state => prop_assert!(false, "{:?} is left {:?}", record, state),
                }
            }
        }
    }
}

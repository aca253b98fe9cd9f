//! The road of records to the server, as a pure machine: events in, effects out, no clock, no network, no store.
//!
//! A record is `ready`, then `sending`, then `sent`, or `waiting` for its next try, or `needs_attention`. Each state is
//! written before the next effect is carried out, so wherever the process ends, the store knows no more than is true. A record
//! whose reply was lost goes again under the same instanceID with the same bytes, and the server takes both as one.
//!
//! One record is on the road at a time. A record that fails waits by itself and goes behind the others; only what concerns
//! them all (no server in sight, an account that is not accepted, a server that asks for patience) makes them all wait.

use super::policy::Backoff;
use super::project::{Destination, follow};
use super::retry::{self, Reason, ServerErrors, Verdict};
use crate::clock::Random;
use crate::openrosa::address::same_host;
use crate::openrosa::headers::{ACCEPT_CONTENT_LENGTH, DEFAULT_ACCEPT_CONTENT_LENGTH};
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
    /// The server's own failures on it so far.
    pub server_errors: Option<ServerErrors>,
    /// Where it goes.
    pub goes_to: Destination,
}

/// What is to be sent of a claimed record: the attachments that the server has not acknowledged yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// Size of the record's XML in bytes.
    pub xml_size: u64,
    /// The attachments left.
    pub parts: Vec<Part>,
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
    /// It is there, and marked as `sending`, but a file of it cannot be read.
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
    /// None, because a part could not be read on this device.
    PartUnreadable,
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
    /// Note that the server has these attachments; positions in [`Parcel::parts`].
    PartsSent {
        /// The record.
        record: RecordId,
        /// Which.
        parts: Vec<usize>,
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
    /// Positions of the attachments not acknowledged yet.
    left: Vec<usize>,
    was_deleted: bool,
}

impl Machine {
    /// A machine that sends to `url`.
    #[must_use]
    pub fn new(url: Url, patience: Patience, random: Random) -> Self {
        Self { url, patience, random, queue: Vec::new(), server: None, phase: Phase::Idle, effects: Vec::new() }
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
            (Phase::Claiming(queued), Event::Claimed(parcel)) => {
                let left = (0..parcel.parts.len()).collect();
                self.send(Sending { queued, parcel, left, was_deleted: false });
            }
            (Phase::Claiming(_), Event::Gone) => self.go_on(now_ms),
            (Phase::Claiming(queued), Event::Broken) => {
                self.end(queued.record, State::NeedsAttention(Reason::AttachmentUnreadable), now_ms);
            }
            (Phase::Asking(sending), Event::Answered(answer)) => self.asked(sending, answer, now_ms),
            (Phase::Posting(sending, post), Event::Answered(answer)) => self.posted(sending, &post, answer, now_ms),
            (Phase::Checking(sending), Event::Answered(answer)) => self.checked(sending, answer, now_ms),
            (Phase::Pausing(sending, until_ms), _) if now_ms >= until_ms => self.send(sending),
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

    /// Takes up the next record, if none is on the road: the one tried least often among those due, the oldest among equals.
    /// So a sick record goes behind the others.
    fn go_on(&mut self, now_ms: i64) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        let once = self.patience.once;
        let open = || self.queue.iter().enumerate().filter(|(_, entry)| !(once && entry.tried));
        let next =
            open().filter(|(_, entry)| entry.queued.due_ms <= now_ms).min_by_key(|(_, entry)| entry.queued.tries);
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
    fn send(&mut self, sending: Sending) {
        let place = self.place(&sending.queued);
        let Some(server) = self.server.clone().filter(|server| server.asked == place) else {
            self.effects.push(Effect::Head { url: place });
            self.phase = Phase::Asking(sending);
            return;
        };
        let parts: Vec<Part> =
            sending.left.iter().filter_map(|&part| sending.parcel.parts.get(part).cloned()).collect();
        let posts = submission::plan(sending.parcel.xml_size, &parts, server.limit);
        let mut post = posts.into_iter().next().unwrap_or_else(|| Post { parts: Vec::new(), incomplete: false });
        post.parts = post.parts.iter().filter_map(|&position| sending.left.get(position).copied()).collect();
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
            Answer::Lost | Answer::PartUnreadable => return self.all_wait(sending, Reason::Offline, None, now_ms),
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
                self.server = Some(Server { asked, url: post_url(&url, &response), limit: limit(&response) });
                self.send(sending);
            }
        }
    }

    fn posted(&mut self, mut sending: Sending, post: &Post, answer: Answer, now_ms: i64) {
        let record = sending.queued.record;
        let response = match answer {
            Answer::Reply { response, .. } => response,
            Answer::Lost => return self.waits(sending, Reason::Offline, now_ms),
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted => return self.all_wait(sending, Reason::NotSecure, None, now_ms),
            Answer::PartUnreadable => {
                return self.end(record, State::NeedsAttention(Reason::AttachmentUnreadable), now_ms);
            }
        };
        match retry::verdict(response.status, &response.body) {
            Verdict::Sent => self.acknowledged(sending, post, now_ms),
            Verdict::NotAServer => self.all_wait(sending, Reason::NotAServer, None, now_ms),
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
                    let errors = ServerErrors::one_more(sending.queued.server_errors, now_ms);
                    if errors.are_lasting(now_ms, &self.patience.backoff) {
                        return self.end(record, State::NeedsAttention(Reason::ServerError), now_ms);
                    }
                    sending.queued.server_errors = Some(errors);
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
        if !post.parts.is_empty() {
            self.effects.push(Effect::PartsSent { record, parts: post.parts.clone() });
            sending.left.retain(|part| !post.parts.contains(part));
            sending.queued.tries = 1; // it gets on, so a later failure is a first one
            sending.queued.server_errors = None;
        }
        if post.incomplete { self.send(sending) } else { self.end(record, State::Sent, now_ms) }
    }

    /// Several files together are tried in smaller requests; a file too large by itself is for a person.
    fn too_large(&mut self, sending: Sending, post: &Post, now_ms: i64) {
        let size: u64 =
            post.parts.iter().filter_map(|&part| sending.parcel.parts.get(part)).map(|part| part.size).sum();
        match &mut self.server {
            Some(server) if post.parts.len() > 1 => {
                server.limit = server.limit.min(sending.parcel.xml_size.saturating_add(size)) / 2;
                self.send(sending);
            }
            _ => self.end(sending.queued.record, State::NeedsAttention(Reason::TooLarge), now_ms),
        }
    }

    /// A record was refused; the form list has answered.
    fn checked(&mut self, sending: Sending, answer: Answer, now_ms: i64) {
        let response = match answer {
            Answer::Reply { response, .. } => response,
            Answer::Elsewhere => return self.all_wait(sending, Reason::NotAServer, None, now_ms),
            Answer::Untrusted => return self.all_wait(sending, Reason::NotSecure, None, now_ms),
            Answer::Lost | Answer::PartUnreadable => return self.waits(sending, Reason::Offline, now_ms),
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
        self.wait(Entry { queued: sending.queued, tried: true }, now_ms.saturating_add(pause_ms), reason);
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
        for queued in std::iter::once(sending.queued).chain(due.into_iter().map(|entry| entry.queued)) {
            // Those that were due count as tried: they would have met the same.
            self.wait(Entry { queued, tried: true }, until_ms, reason);
        }
        self.go_on(now_ms);
    }

    fn wait(&mut self, mut entry: Entry, until_ms: i64, reason: Reason) {
        entry.queued.due_ms = until_ms;
        let record = entry.queued.record;
        self.effects.push(Effect::Mark { record, state: State::Waiting { until_ms, reason } });
        let newer = self.queue.iter().position(|other| other.queued.record > record);
        self.queue.insert(newer.unwrap_or(self.queue.len()), entry);
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

/// How many bytes one POST may have.
fn limit(response: &Response) -> u64 {
    let said = response.header(ACCEPT_CONTENT_LENGTH).and_then(|limit| limit.trim().parse().ok());
    said.filter(|&limit| limit > 0).unwrap_or(DEFAULT_ACCEPT_CONTENT_LENGTH)
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
        Queued { record, form_id: form_id.into(), tries: 0, due_ms: 0, server_errors: None, goes_to: Destination::Home }
    }

    fn parcel(sizes: &[u64]) -> Parcel {
        let parts = sizes.iter().enumerate().map(|(n, &size)| Part { name: format!("{n}.jpg"), size }).collect();
        Parcel { xml_size: 1_000, parts }
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Event {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = Response { status, headers, body: body.as_bytes().to_vec() };
        Event::Answered(Answer::Reply { response, url: Url::parse(HOME).unwrap() })
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
        assert!(matches!(effects[..], [Effect::Post { record: 1, .. }]), "{effects:?}");
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
                Effect::PartsSent { record: 1, parts: vec![0] },
                Effect::Post { record: 1, url: home(), post: post(&[1, 2], false) }
            ]
        );
        assert_eq!(
            machine.on(error(202, ""), 6),
            [
                Effect::PartsSent { record: 1, parts: vec![1, 2] },
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
    fn head_decides_where_and_how_records_go() {
        let here = |url: &str| Some(Url::parse(url).unwrap());
        let rows = [
            (reply(204, &[], ""), here(HOME), None),
            (reply(204, &[("location", "https://h.test/submit?x=1")], ""), here("https://h.test/submit?x=1"), None),
            (reply(204, &[("Location", "/other")], ""), here("https://h.test/other"), None),
            (reply(204, &[("location", "http://h.test/submission")], ""), here(HOME), None),
            (reply(204, &[("location", "https://elsewhere.test/submission")], ""), here(HOME), None),
            (reply(404, &[], ""), here(HOME), None),
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

    #[test]
    fn what_is_too_large_goes_in_smaller_posts() {
        let mut machine = posting(&["a"], parcel(&[1_000, 1_000, 1_000, 1_000]));
        let refused = || reply(413, &[], "<html>");
        assert_eq!(machine.on(refused(), 0), [Effect::Post { record: 1, url: home(), post: post(&[0], true) }]);
        assert_eq!(machine.on(refused(), 0)[0], attention(1, Reason::TooLarge));
    }

    #[test]
    fn a_portal_or_a_lost_reply_leaves_the_record_waiting() {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(reply(200, &[("content-type", "text/html")], "<html>sign in"), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::NotAServer), (2, Reason::NotAServer)]);
        let mut machine = posting(&["a", "b"], parcel(&[]));
        let effects = machine.on(lost(), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::Offline)]);
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    }

    #[test]
    fn server_errors_over_a_day_need_a_person() {
        let mut machine = machine(Patience::default());
        let errors = Some(ServerErrors { count: 9, since_ms: 0 });
        let day = 24 * 60 * 60_000;
        machine.on(Event::Found(vec![Queued { server_errors: errors, ..queued(1, "a") }]), day);
        machine.on(Event::Claimed(parcel(&[])), day);
        machine.on(reply(204, &[], ""), day);
        assert_eq!(machine.on(error(500, ""), day)[0], attention(1, Reason::ServerError));
    }

    #[test]
    fn what_cannot_be_read_here_needs_a_person() {
        let mut machine = posting(&["a", "b"], parcel(&[5]));
        let effects = machine.on(Event::Answered(Answer::PartUnreadable), 0);
        assert_eq!(effects, [attention(1, Reason::AttachmentUnreadable), Effect::Claim { record: 2 }]);
        assert_eq!(machine.on(Event::Broken, 0)[0], attention(2, Reason::AttachmentUnreadable));
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

    /// What happens to a request on the way.
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
        KilledBefore,
        KilledAfter,
    }

    fn luck() -> impl Strategy<Value = Luck> {
        use Luck::{
            Busy, FalselyDeleted, Good, KilledAfter, KilledBefore, Patience, Portal, ReplyLost, RequestLost, TooLarge,
        };
        prop_oneof![
            4 => Just(Good), 2 => Just(RequestLost), 2 => Just(ReplyLost), 1 => Just(Busy), 1 => Just(Patience),
            1 => Just(Portal), 1 => Just(FalselyDeleted), 1 => Just(TooLarge), 1 => Just(KilledBefore), 1 => Just(KilledAfter),
        ]
    }

    #[derive(Debug)]
    struct Row {
        queued: Queued,
        parcel: Parcel,
        acknowledged: BTreeSet<usize>,
        state: Option<State>,
        sending: bool,
    }

    /// A store, a server and the way between them, with the clock in hand.
    struct World {
        rows: BTreeMap<RecordId, Row>,
        /// Per record the attachments the server has.
        server: BTreeMap<RecordId, BTreeSet<usize>>,
        luck: VecDeque<Luck>,
        now_ms: i64,
        /// Positions in the parcel as claimed, for the record on the road.
        claimed: Vec<usize>,
    }

    struct Killed;

    impl World {
        fn new(records: &[Vec<u64>], luck: Vec<Luck>) -> Self {
            let rows = (1..).zip(records).map(|(record, sizes)| {
                let row = Row {
                    queued: queued(record, "a"),
                    parcel: parcel(sizes),
                    acknowledged: BTreeSet::new(),
                    state: None,
                    sending: false,
                };
                (record, row)
            });
            Self { rows: rows.collect(), server: BTreeMap::new(), luck: luck.into(), now_ms: 0, claimed: Vec::new() }
        }

        /// What a new process finds: what was being sent is ready again.
        fn open(&mut self) -> Vec<Queued> {
            self.rows.values_mut().for_each(|row| row.sending = false);
            let unsent = |row: &&Row| !matches!(row.state, Some(State::Sent | State::NeedsAttention(_)));
            self.rows.values().filter(unsent).map(|row| row.queued.clone()).collect()
        }

        /// Runs machines until one has nothing left to do; the number of requests made.
        fn run(&mut self) -> usize {
            let mut requests = 0;
            'process: loop {
                let mut machine = machine(Patience::default());
                let mut effects = VecDeque::from(machine.on(Event::Found(self.open()), self.now_ms));
                while let Some(effect) = effects.pop_front() {
                    self.now_ms += 10;
                    requests += usize::from(matches!(effect, Effect::Head { .. } | Effect::Post { .. }));
                    assert!(requests < 1_000, "does not end");
                    if effect == (Effect::Idle { until_ms: None }) {
                        return requests;
                    }
                    match self.carry_out(effect) {
                        Ok(Some(event)) => effects.extend(machine.on(event, self.now_ms)),
                        Ok(None) => {}
                        Err(Killed) => continue 'process,
                    }
                }
                panic!("stopped in the middle: {machine:?}");
            }
        }

        fn carry_out(&mut self, effect: Effect) -> Result<Option<Event>, Killed> {
            match effect {
                Effect::Claim { record } => {
                    assert!(self.rows.values().all(|row| !row.sending), "two on the road");
                    let row = self.rows.get_mut(&record).unwrap();
                    assert!(!matches!(row.state, Some(State::Sent)), "sent twice");
                    row.queued.tries += 1;
                    row.sending = true;
                    self.claimed =
                        (0..row.parcel.parts.len()).filter(|part| !row.acknowledged.contains(part)).collect();
                    let parts = self.claimed.iter().map(|&part| row.parcel.parts[part].clone()).collect();
                    Ok(Some(Event::Claimed(Parcel { parts, ..row.parcel })))
                }
                Effect::Head { .. } => {
                    assert!(self.rows.values().any(|row| row.sending), "asked before written");
                    match self.luck.pop_front().unwrap_or(Luck::Good) {
                        Luck::RequestLost | Luck::ReplyLost => Ok(Some(lost())),
                        Luck::Busy => Ok(Some(reply(502, &[], "<html>"))),
                        Luck::Patience => Ok(Some(reply(429, &[("retry-after", "7")], ""))),
                        Luck::Portal => Ok(Some(reply(200, &[], "<html>"))),
                        Luck::KilledBefore | Luck::KilledAfter => Err(Killed),
                        Luck::Good | Luck::FalselyDeleted | Luck::TooLarge => {
                            Ok(Some(reply(204, &[("x-openrosa-accept-content-length", "8000")], "")))
                        }
                    }
                }
                Effect::Post { record, post, .. } => {
                    let row = &self.rows[&record];
                    assert!(row.sending, "sent before written");
                    let parts: Vec<usize> = post.parts.iter().map(|&part| self.claimed[part]).collect();
                    assert!(
                        parts.iter().all(|part| !row.acknowledged.contains(part)),
                        "an acknowledged part goes again"
                    );
                    let luck = self.luck.pop_front().unwrap_or(Luck::Good);
                    if matches!(luck, Luck::Good | Luck::ReplyLost | Luck::KilledAfter) {
                        self.server.entry(record).or_default().extend(parts);
                    }
                    match luck {
                        Luck::Good => Ok(Some(reply(201, &[], &response::write("", false)))),
                        Luck::RequestLost | Luck::ReplyLost => Ok(Some(lost())),
                        Luck::Busy => Ok(Some(error(500, ""))),
                        Luck::Patience => Ok(Some(reply(429, &[("retry-after", "7")], ""))),
                        Luck::Portal => Ok(Some(reply(200, &[], "<html>"))),
                        Luck::FalselyDeleted => Ok(Some(error(409, "has been deleted"))),
                        Luck::TooLarge if post.parts.len() > 1 => Ok(Some(reply(413, &[], "<html>"))),
                        Luck::TooLarge => Ok(Some(error(503, ""))),
                        Luck::KilledBefore | Luck::KilledAfter => Err(Killed),
                    }
                }
                Effect::FormList => unreachable!("nobody is refused here"),
                Effect::PartsSent { record, parts } => {
                    let row = self.rows.get_mut(&record).unwrap();
                    row.acknowledged.extend(parts.iter().map(|&part| self.claimed[part]));
                    let has = &self.server[&record];
                    assert!(row.acknowledged.is_subset(has), "acknowledged, but not there");
                    Ok(None)
                }
                Effect::Mark { record, state } => {
                    let row = self.rows.get_mut(&record).unwrap();
                    if let State::Waiting { until_ms, .. } = state {
                        row.queued.due_ms = until_ms;
                    }
                    row.state = Some(state);
                    row.sending = false;
                    if state == State::Sent {
                        assert_eq!(self.server[&record].len(), row.parcel.parts.len(), "called sent, but not whole");
                    }
                    Ok(None)
                }
                Effect::Pause { until_ms } | Effect::Idle { until_ms: Some(until_ms) } => {
                    self.now_ms = self.now_ms.max(until_ms);
                    Ok(Some(Event::Woken))
                }
                Effect::Idle { until_ms: None } => unreachable!("handled above"),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_lost_never_doubled_always_ends(
            records in prop::collection::vec(prop::collection::vec(0..6_000_u64, 0..5), 1..6),
            luck in prop::collection::vec(luck(), 0..60),
        ) {
            let mut world = World::new(&records, luck);
            world.run();
            for (record, row) in &world.rows {
                match row.state {
                    Some(State::Sent) => {
                        let all: BTreeSet<usize> = (0..row.parcel.parts.len()).collect();
                        prop_assert_eq!(&world.server[record], &all);
                    }
                    Some(State::NeedsAttention(reason)) => prop_assert_eq!(reason, Reason::DeletedOnServer),
                    ref state => prop_assert!(false, "{:?} is left {:?}", record, state),
                }
            }
        }
    }
}

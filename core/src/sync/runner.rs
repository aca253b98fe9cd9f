//! Carries out what the machine and the refresh decide, one project at a time.

use super::download::Download;
use super::exchange::{Ask, Exchange};
use super::forms::{Refresh, RefreshReport};
use super::machine::{Answer, Effect, Event, FileProblem, Machine, Parcel, Patience, Queued, RecordId, State};
use super::policy::SyncPolicy;
use super::progress::{Cancel, Nudge, OnProgress, Progress, Reporter, Step};
use super::project::Project;
use super::retry::Reason;
use super::store::{Attempt, Claim, Outgoing, OutgoingAttachment, Settlement, SyncStore};
use super::transport::{Content, Failure, Method, Part, Transport};
use super::turn::{Turn, TurnGuard};
use crate::clock::{self, Clock};
use crate::error::{Error, ErrorKind, Result};
use crate::openrosa::form_list;
use crate::openrosa::submission::{self, INCOMPLETE_FIELD, Post, XML_CONTENT_TYPE, XML_FILE_NAME, XML_PART};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Everything a project's sync needs. Runs on a tokio runtime with time and I/O.
pub struct SyncJob<S> {
    /// Where the project's forms and records are kept.
    pub store: Arc<S>,
    /// How requests are made.
    pub transport: Arc<dyn Transport>,
    /// Server and account.
    pub project: Project,
    /// How patient it is, and how much it takes.
    pub policy: SyncPolicy,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Seed of the random numbers: pauses, and the client's part of Digest.
    pub seed: u64,
    /// Told what is going on.
    pub on_progress: OnProgress,
    /// Ends the work.
    pub cancel: Cancel,
    /// Ends a wait.
    pub nudge: Nudge,
    /// Shared by all jobs of the project.
    pub turn: Turn,
}

/// When a sending ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When every record was tried once.
    OnePass,
    /// When nothing is left that could be sent, or the time is over.
    Empty {
        /// How long it may take, in milliseconds.
        limit_ms: i64,
        /// The longest wait between two tries, whatever the policy says, in milliseconds.
        longest_wait_ms: i64,
    },
}

/// What a sending did: the last state written of every record that was touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    /// By record.
    pub states: BTreeMap<RecordId, State>,
}

impl<S: SyncStore> SyncJob<S> {
    /// Brings the project's forms up to date.
    ///
    /// # Errors
    /// [`ErrorKind::Offline`], [`ErrorKind::NotAServer`], [`ErrorKind::SignInNeeded`], [`ErrorKind::ServerError`] if there is
    /// no list; [`ErrorKind::Interrupted`]; those of the store. What fails of one form is in the report.
    pub async fn refresh(&self) -> Result<RefreshReport> {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let download = Download::new(self.exchange(), store, self.reporter(), clock, self.policy.bounds);
        Refresh::new(download).run().await
    }

    /// Sends what is in the outbox. With `asked`, because a person asks or the network is back, records that wait are not
    /// waited for. While another sending of the project has a record on the road, this one waits for its [turn](Turn); then
    /// it goes on with what is left.
    ///
    /// However it ends, also by a panic or by being dropped, no record stays `sending`.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`]; those of the store. What a server says is no error but a record's state.
    pub async fn send(&self, until: Until, asked: bool) -> Result<SendReport> {
        let exchange = self.exchange();
        let url = Url::parse(&submission::url(self.project.base_url().as_str())).map_err(|_| ErrorKind::BadUrl)?;
        let SyncPolicy { backoff, batches, .. } = self.policy;
        let patience = match until {
            Until::OnePass => Patience { once: true, longest_wait_ms: None, backoff, batches },
            Until::Empty { longest_wait_ms, .. } => {
                Patience { once: false, longest_wait_ms: Some(longest_wait_ms), backoff, batches }
            }
        };
        let mut sending = Sending {
            job: self,
            exchange: &exchange,
            reporter: self.reporter(),
            machine: Machine::new(url, patience, self.random(1)),
            began_ms: self.clock.now_ms(),
            began: Instant::now(),
            claimed: None,
            turn: None,
            of: 0,
            distrust: String::new(),
            report: SendReport::default(),
        };
        let ended = sending.run(until, asked).await;
        sending.sync().await;
        ended.map(|()| std::mem::take(&mut sending.report))
    }

    fn exchange(&self) -> Exchange {
        let transport = self.transport.clone();
        Exchange::new(transport, self.project.clone(), self.clock.clone(), self.random(0), self.cancel.clone())
    }

    fn reporter(&self) -> Reporter {
        Reporter::new(self.on_progress.clone(), self.clock.clone())
    }

    fn random(&self, number: u64) -> clock::Random {
        clock::Step { at: self.clock.now_ms(), seed: self.seed, number }.random()
    }
}

/// A call of the store, on a thread that may block.
pub(super) async fn on_store<S: SyncStore, T: Send + 'static>(
    store: &Arc<S>,
    call: impl FnOnce(&S) -> Result<T> + Send + 'static,
) -> Result<T> {
    let store = store.clone();
    let ended = tokio::task::spawn_blocking(move || call(&store)).await;
    ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a call of the store ended early")))
}

/// A record on the road. If nothing was written of it when this goes, it is ready again.
struct OnTheRoad<S: SyncStore> {
    store: Arc<S>,
    record: RecordId,
    outgoing: Outgoing,
    /// What is known of it and not written yet.
    notes: Settlement,
    is_settled: bool,
}

/// Whether a claimed record can be read.
type IsWhole = bool;

impl<S: SyncStore> OnTheRoad<S> {
    /// Claims a record, bound to its end at once: a sending that is dropped meanwhile drops the record with it.
    fn claim(store: Arc<S>, record: RecordId) -> Result<Option<(Self, IsWhole)>> {
        let (outgoing, is_whole) = match store.claim(record)? {
            Claim::Taken(outgoing) => (outgoing, true),
            Claim::Broken(claim) => (Outgoing { claim, ..Outgoing::default() }, false),
            Claim::Gone => return Ok(None),
        };
        Ok(Some((Self { store, record, outgoing, notes: Settlement::default(), is_settled: false }, is_whole)))
    }
}

impl<S: SyncStore> Drop for OnTheRoad<S> {
    fn drop(&mut self) {
        if !self.is_settled {
            // If this fails, whoever has the turn next makes it ready.
            let settlement = Settlement { state: Some(State::Ready), ..std::mem::take(&mut self.notes) };
            let _ = self.store.settle(self.record, self.outgoing.claim, &settlement);
        }
    }
}

/// One sending under way.
struct Sending<'a, S: SyncStore> {
    job: &'a SyncJob<S>,
    exchange: &'a Exchange,
    reporter: Reporter,
    machine: Machine,
    began_ms: i64,
    began: Instant,
    // Above the turn, so that a record that is dropped is ready before another sending begins.
    claimed: Option<OnTheRoad<S>>,
    turn: Option<TurnGuard>,
    /// How many records were found.
    of: usize,
    /// What was wrong with who answered last and was not trusted: dates, where they are the trouble.
    distrust: String,
    report: SendReport,
}

impl<S: SyncStore> Sending<'_, S> {
    async fn run(&mut self, until: Until, asked: bool) -> Result<()> {
        let found = self.begin(asked).await?;
        let mut effects = VecDeque::from(self.on(found));
        while let Some(effect) = effects.pop_front() {
            // What is known is written even then.
            let is_known = matches!(
                effect,
                Effect::Mark { .. } | Effect::Arrived { .. } | Effect::LeaveOut { .. } | Effect::Limit { .. }
            );
            let event = match effect {
                _ if self.job.cancel.is_cancelled() && !is_known => Some(Event::Cancelled),
                Effect::Idle { until_ms } => match self.idle(until, until_ms).await? {
                    Some(event) => Some(event),
                    None => return Ok(()),
                },
                Effect::Mark { record, state } => {
                    let is_cancelled = self.job.cancel.is_cancelled();
                    let next = match effects.front() {
                        Some(&Effect::Claim { record: next }) if !is_cancelled => Some(next),
                        _ => None,
                    };
                    effects.drain(..usize::from(next.is_some()));
                    self.mark(record, state, next).await?
                }
                effect => self.carry_out(effect).await?,
            };
            effects.extend(event.map(|event| self.on(event)).unwrap_or_default());
        }
        // Only a machine that was cancelled runs out of effects.
        Err(ErrorKind::Interrupted.into())
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        let now_ms = self.now_ms();
        self.machine.on(event, now_ms)
    }

    /// The time since the beginning is measured, so that a clock that stands still, or is set, delays nothing.
    fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.began_ms.saturating_add(passed)
    }

    /// Takes the turn and looks at what there is.
    async fn begin(&mut self, asked: bool) -> Result<Event> {
        if self.turn.is_none() {
            let turn = tokio::select! {
                () = self.job.cancel.cancelled() => return Err(ErrorKind::Interrupted.into()),
                turn = self.job.turn.take() => turn,
            };
            self.turn = Some(turn);
            on_store(&self.job.store, S::release).await?;
        }
        let mut records = on_store(&self.job.store, S::outbox).await?;
        if asked {
            records.iter_mut().for_each(Queued::hurry);
        }
        self.of =
            self.of.max(records.len() + self.report.states.values().filter(|state| **state == State::Sent).count());
        Ok(Event::Found(records))
    }

    /// Waits until the next record is due; `None` ends the sending.
    async fn idle(&mut self, until: Until, due_ms: Option<i64>) -> Result<Option<Event>> {
        let (Until::Empty { limit_ms, .. }, Some(due_ms)) = (until, due_ms) else { return Ok(None) };
        let end_ms = self.began_ms.saturating_add(limit_ms);
        if self.now_ms() >= end_ms {
            return Ok(None);
        }
        self.sync().await;
        self.turn = None;
        let is_nudged = self.wait_until(due_ms.min(end_ms)).await;
        self.begin(is_nudged).await.map(Some)
    }

    async fn sync(&self) {
        // A store that is closed or cannot be written has nothing to wait for.
        let _ = on_store(&self.job.store, S::sync).await;
    }

    /// Waits until then; earlier if cancelled, or if nudged, which is what comes back.
    async fn wait_until(&self, until_ms: i64) -> bool {
        let left = Duration::from_millis(until_ms.saturating_sub(self.now_ms()).max(0).unsigned_abs());
        tokio::select! {
            () = self.job.cancel.cancelled() => false,
            () = self.job.nudge.nudged() => true,
            () = tokio::time::sleep(left) => false,
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<Option<Event>> {
        match effect {
            Effect::Claim { record } => self.claim(record).await.map(Some),
            Effect::Head { url } => Ok(Some(self.request(Ask::new(Method::Head, url)).await?.0)),
            Effect::Post { record, url, post } => {
                self.write_notes().await?;
                self.post(record, url, &post).await.map(Some)
            }
            Effect::FormList => {
                let list = form_list::url(self.job.project.base_url().as_str());
                let url = Url::parse(&list).map_err(|_| ErrorKind::BadUrl)?;
                Ok(Some(self.request(Ask::new(Method::Get, url)).await?.0))
            }
            Effect::Limit { bytes } => {
                on_store(&self.job.store, move |store| store.limit_learned(bytes)).await.map(|()| None)
            }
            Effect::Arrived { parts, .. } => {
                self.note(|notes, attachments| {
                    notes.answers_arrived = true;
                    let rows = parts.iter().filter_map(|&part| attachments.get(part));
                    notes.arrived.extend(rows.map(|attachment| attachment.attachment));
                });
                Ok(None)
            }
            Effect::LeaveOut { part, problem, .. } => {
                self.note(|notes, attachments| {
                    notes.problems.extend(attachments.get(part).map(|attachment| (attachment.attachment, problem)));
                });
                Ok(None)
            }
            Effect::Pause { until_ms } => {
                self.write_notes().await?;
                self.wait_until(until_ms).await;
                Ok(Some(Event::Woken))
            }
            // Carried out where the effects behind them are known.
            Effect::Mark { .. } | Effect::Idle { .. } => Ok(None),
        }
    }

    async fn claim(&mut self, record: RecordId) -> Result<Event> {
        let store = self.job.store.clone();
        let claimed = on_store(&self.job.store, move |_| OnTheRoad::claim(store, record)).await?;
        Ok(self.claimed(claimed))
    }

    /// Writes the state of a record, with all that is known of it, and claims the next one with the same call: between two
    /// records the road is empty, and every call of the store is a wait for a thread.
    async fn mark(&mut self, record: RecordId, state: State, next: Option<RecordId>) -> Result<Option<Event>> {
        let on_the_road = self.claimed.take_if(|claimed| claimed.record == record);
        let (claim, notes) = match &on_the_road {
            Some(claimed) => (claimed.outgoing.claim, claimed.notes.clone()),
            None => (None, Settlement::default()),
        };
        let is_distrust = matches!(state, State::Waiting { reason, .. } if reason.is_distrust());
        let detail = if is_distrust { self.distrust.clone() } else { String::new() };
        let settlement = Settlement { state: Some(state), detail, ..notes };
        let store = self.job.store.clone();
        let claimed = on_store(&self.job.store, move |here| {
            here.settle(record, claim, &settlement)?;
            Ok(next.map(|next| OnTheRoad::claim(store, next)))
        });
        let claimed = claimed.await?;
        // It is, whether or not the next one could be claimed.
        if let Some(mut settled) = on_the_road {
            settled.is_settled = true;
        }
        self.report.states.insert(record, state);
        Ok(claimed.transpose()?.map(|claimed| self.claimed(claimed)))
    }

    /// What a claim has come to, as the machine wants to hear of it.
    fn claimed(&mut self, claimed: Option<(OnTheRoad<S>, IsWhole)>) -> Event {
        let Some((claimed, is_whole)) = claimed else { return Event::Gone };
        let outgoing = &claimed.outgoing;
        let part =
            |attachment: &OutgoingAttachment| submission::Part { name: attachment.name.clone(), size: attachment.size };
        let parts = outgoing.attachments.iter().map(part).collect();
        let parcel = Parcel { xml_size: outgoing.xml.len() as u64, parts, left_out: outgoing.left_out };
        self.claimed = Some(claimed);
        if is_whole { Event::Claimed(parcel) } else { Event::Broken }
    }

    /// Writes what is known of the record on the road, before it goes on: what has arrived need not go again.
    async fn write_notes(&mut self) -> Result<()> {
        let Some(claimed) = &mut self.claimed else { return Ok(()) };
        let (record, claim, notes) = (claimed.record, claimed.outgoing.claim, std::mem::take(&mut claimed.notes));
        if notes == Settlement::default() {
            return Ok(());
        }
        on_store(&self.job.store, move |store| store.settle(record, claim, &notes)).await
    }

    fn note(&mut self, note: impl FnOnce(&mut Settlement, &[OutgoingAttachment])) {
        if let Some(claimed) = &mut self.claimed {
            note(&mut claimed.notes, &claimed.outgoing.attachments);
        }
    }

    async fn post(&mut self, record: RecordId, url: Url, post: &Post) -> Result<Event> {
        let parts = self.parts(post);
        let size = parts.iter().map(|part| part.size).sum();
        let number = 1 + self.report.states.values().filter(|state| **state == State::Sent).count();
        let step = Step::Record { record };
        let meter = self.reporter.begin(Progress { step, number, of: self.of, bytes: 0, of_bytes: Some(size) });
        let started_ms = self.now_ms();
        let (event, status) = self.request(Ask { parts, meter, ..Ask::new(Method::Post, url) }).await?;
        let attempt = Attempt { started_ms, ended_ms: self.now_ms(), status };
        self.note(|notes, _| notes.attempts.push(attempt));
        match event {
            Event::Answered(Answer::Unreadable(_)) => {
                Ok(Event::Answered(Answer::Unreadable(self.faults(&post.parts).await?)))
            }
            event => Ok(event),
        }
    }

    /// The parts of one POST: the XML, whether more follows, and the attachments, each under its own name.
    fn parts(&self, post: &Post) -> Vec<Part> {
        let Some(OnTheRoad { outgoing, .. }) = &self.claimed else { return Vec::new() };
        let mut parts = vec![Part {
            name: XML_PART.to_owned(),
            file_name: Some(XML_FILE_NAME.to_owned()),
            content_type: Some(XML_CONTENT_TYPE),
            size: outgoing.xml.len() as u64,
            content: Content::Bytes(outgoing.xml.clone()),
        }];
        if post.incomplete {
            parts.push(Part {
                name: INCOMPLETE_FIELD.to_owned(),
                file_name: None,
                content_type: None,
                size: 3,
                content: Content::Bytes(Arc::from(*b"yes")),
            });
        }
        parts.extend(post.parts.iter().filter_map(|&part| outgoing.attachments.get(part)).map(|attachment| Part {
            name: attachment.name.clone(),
            file_name: Some(attachment.name.clone()),
            content_type: Some(submission::content_type(&attachment.name)),
            size: attachment.size,
            content: Content::File(attachment.open.clone()),
        }));
        parts
    }

    /// What is wrong with the attachments of the record on the road, found out by reading those of the POST that broke.
    async fn faults(&self, parts: &[usize]) -> Result<Vec<(usize, FileProblem)>> {
        let attachments = self.claimed.iter().flat_map(|claimed| &claimed.outgoing.attachments).enumerate();
        let of_these = attachments.filter(|(part, _)| parts.contains(part));
        let provers: Vec<_> = of_these.map(|(part, attachment)| (part, attachment.prove.clone())).collect();
        on_store(&self.job.store, move |_| {
            Ok(provers.into_iter().filter_map(|(part, prove)| Some((part, prove()?))).collect())
        })
        .await
    }

    /// A request, as the machine wants to hear of it, and its status.
    async fn request(&mut self, ask: Ask<'_>) -> Result<(Event, Option<u16>)> {
        let answer = match self.exchange.ask(ask).await {
            Ok((response, url)) => {
                let status = response.status;
                return Ok((Event::Answered(Answer::Reply { response, url }), Some(status)));
            }
            Err(Failure::Part(_)) => Answer::Unreadable(Vec::new()),
            Err(Failure::Cancelled) => return Ok((Event::Cancelled, None)),
            Err(Failure::NoConnection | Failure::Cut | Failure::TooSlow | Failure::TooLong) => Answer::Lost,
            Err(Failure::Untrusted(error)) => {
                let reason = Reason::of_untrusted(error.kind());
                self.distrust = error.detail().to_owned();
                Answer::Untrusted(reason)
            }
            // A way that must not be gone is no way to the server.
            Err(Failure::Refused(_)) => Answer::Elsewhere,
            Err(Failure::Sink(error)) => return Err(error),
        };
        Ok((Event::Answered(answer), None))
    }
}

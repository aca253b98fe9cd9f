//! The machine against a model of phones and a server: two sendings, kills, pauses, and every kind of bad luck.

use super::tests::*;
use super::*;
use crate::openrosa::response;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

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
        Busy, Cancelled, Dropped, FalselyDeleted, Good, KilledAfter, KilledBefore, Patience, Paused, Portal, ReplyLost,
        RequestLost, TooLarge, Unreadable,
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
                State::NeedsAttention(Reason::AttachmentMissing | Reason::AttachmentDamaged | Reason::TooLarge) => {
                    prop_assert!(!row.left_out.is_empty() && row.queued.answers_arrived);
                    let has: BTreeSet<usize> = row.acknowledged.union(&row.left_out).copied().collect();
                    prop_assert_eq!(&has, &all);
                }
                ref state => prop_assert!(false, "{:?} is left {:?}", record, state),
            }
        }
    }
}

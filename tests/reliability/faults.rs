//! `faults`: records over a network that fails most of the time, to a strict server.
//!
//! Eight phones with homes of their own make records with files, in which every name and size occurs, and send them through
//! a proxy that cuts, resets, stalls, drips, loses replies and answers as portals do. The server is strict and tells, of one
//! record in fifty, that it had been deleted. At the end every record must be there once, with the bytes that were frozen
//! and with all of its files. What a cut costs is counted at the proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use veldwerk::client::{Cancel, Client, Finalization, ProjectSource, RecordState, SubmissionId, Until};
use veldwerk::store::{ProjectId, Records};
use veldwerk_server::faults::{Fault, LostPost, Proxy, Traffic};
use veldwerk_tests::central::{Central, Received, Rules, digest};
use veldwerk_tests::dice::{Dice, bytes};

use crate::Options;
use crate::forms::{self, BARE, FIRST_MOMENT, VISIT};
use crate::ledger::Files;
use crate::report::{Report, count, of, size};
use crate::stage;

const PHONES: u64 = 8;
/// Records made before they are sent.
const BATCH: u64 = 20;
/// What the server advertises, so that records are cut into several POSTs.
const ACCEPT_LENGTH: u64 = 500_000;
/// What the proxy in front of the server takes at most.
const HARD_LIMIT: u64 = 4_000_000;
/// How long one batch may take: hundreds of tries.
const PATIENCE: Until = Until::Empty { limit_ms: 120_000, longest_wait_ms: 20 };
/// Statuses of a portal.
const PORTAL: [u16; 16] = [200, 200, 201, 202, 302, 307, 308, 401, 403, 404, 405, 409, 410, 500, 503, 511];

#[derive(Default)]
struct Counts {
    made: AtomicU64,
    files: AtomicU64,
    useful_bytes: AtomicU64,
    refreshes_failed: AtomicU64,
}

pub(crate) fn run(options: &Options) -> Report {
    let central = Central::start(Rules {
        accept_length: ACCEPT_LENGTH,
        hard_limit: HARD_LIMIT,
        latency: Duration::from_millis(1),
        false_deleted: 0.02,
        seed: options.seed,
    });
    let report = Mutex::new(Report::new("faults: records over a network that fails", options.seed));
    let counts = Counts::default();
    let traffic = Mutex::new(Traffic::default());
    let began = Instant::now();
    let is_over = || of(&counts.made) >= options.count || began.elapsed() > Duration::from_secs(options.seconds);
    let network = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proxies: Vec<Proxy> = (0..PHONES).map(|_| network.block_on(Proxy::start(central.address())).unwrap()).collect();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        let carrying = scope.spawn(|| network.block_on(stopped));
        let phones: Vec<_> = (0..PHONES)
            .zip(&proxies)
            .map(|(number, proxy)| {
                let (central, report, counts, traffic, is_over) = (&central, &report, &counts, &traffic, &is_over);
                scope.spawn(move || {
                    let mut phone = Phone::new(central, proxy, options.seed, number);
                    while !is_over() {
                        let losses = phone.batch(counts);
                        report.lock().unwrap_or_else(PoisonError::into_inner).lose(number, losses);
                    }
                    let losses = phone.compare(&central.records(&phone.token));
                    report.lock().unwrap_or_else(PoisonError::into_inner).lose(number, losses);
                    add(&mut traffic.lock().unwrap_or_else(PoisonError::into_inner), proxy.take_traffic());
                })
            })
            .collect();
        let ended: Vec<_> = phones.into_iter().map(|phone| phone.join()).collect();
        drop(stop);
        let _ = carrying.join();
        ended.into_iter().for_each(|ended| ended.expect("a phone ended"));
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    let traffic = traffic.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.lose(0, wasted(&traffic, central.bytes_again()));
    report.row("bytes of files that came again", size(central.bytes_again()));
    tell(&mut report, &counts, &traffic);
    report
}

/// What was sent in vain beyond what a cut may cost: one batch or one file, with the XML.
fn wasted(traffic: &Traffic, again: u64) -> Vec<String> {
    /// The head of a request, its boundaries and headers of parts.
    const AROUND: u64 = 4_000;
    /// The XML, the mark that more follows, and a file.
    const PARTS_OF_ONE_FILE: u64 = 3;
    let is_too_dear = |post: &&LostPost| post.bytes > ACCEPT_LENGTH + AROUND && post.parts > PARTS_OF_ONE_FILE;
    let mut wasted: Vec<String> = traffic
        .lost
        .iter()
        .filter(is_too_dear)
        .map(|post| format!("a cut cost {} bytes in {} parts: neither one batch nor one file", post.bytes, post.parts))
        .collect();
    // A file that is there goes again only if the reply that said so did not come through.
    let lost: u64 = traffic.lost.iter().map(|post| post.bytes).sum();
    if again > lost {
        wasted.push(format!("{again} bytes of files went again, though no more than {lost} were in doubt"));
    }
    wasted
}

fn add(sum: &mut Traffic, more: Traffic) {
    sum.posts += more.posts;
    sum.post_bytes += more.post_bytes;
    sum.lost.extend(more.lost);
    sum.refused_bytes += more.refused_bytes;
    sum.portals += more.portals;
}

/// What befalls the next connection. Few live long: one without a fault of its own is cut after some replies.
fn weather(dice: &mut Dice) -> Fault {
    let after = dice.small_below(ACCEPT_LENGTH) as usize;
    match dice.below(100) {
        0..20 => Fault::CutPost { after },
        20..27 => Fault::ResetPost { after },
        27..42 => Fault::LosePostReply,
        42..62 => Fault::CutReply { after: dice.small_below(1500) as usize },
        62..65 => Fault::StallPost { after },
        65..67 => Fault::StallReply { after: dice.small_below(4000) as usize },
        67..69 => Fault::Slow { bytes: 8192, pause: Duration::from_millis(2) },
        69..71 => Fault::Slow { bytes: 1, pause: Duration::from_millis(20) },
        71..85 => Fault::Portal { status: *dice.pick(&PORTAL).unwrap_or(&200) },
        85..91 => Fault::Refuse,
        _ => Fault::CutReply { after: 1500 },
    }
}

/// A phone, its home, and everything it has made.
struct Phone<'c> {
    client: Client,
    project: ProjectId,
    central: &'c Central,
    token: String,
    dice: Dice,
    made: Vec<(String, Files)>,
    /// XMLs of records that did not go; of these the server may have something.
    given_up: BTreeSet<Vec<u8>>,
    _folder: tempfile::TempDir,
}

impl<'c> Phone<'c> {
    /// One whose forms were fetched while the network was still good.
    fn new(central: &'c Central, proxy: &Proxy, seed: u64, number: u64) -> Self {
        let token = format!("phone{number:0>59}");
        central.open_project(&token, forms::all("1"));
        let folder = stage::folder();
        let client = stage::open(&folder.path().join("home"), FIRST_MOMENT, seed.wrapping_add(number)).unwrap();
        let url = central.url(&token).replace(&central.address().to_string(), &proxy.address().to_string());
        client.add_project(&ProjectSource::Url { url, account: None }, None).unwrap();
        let project = client.projects().unwrap()[0].id;
        client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
        let mut weather_dice = Dice::new(seed, 1000 + number);
        proxy.weather(move || weather(&mut weather_dice));
        let dice = Dice::new(seed, number);
        Self { client, project, central, token, dice, made: Vec::new(), given_up: BTreeSet::new(), _folder: folder }
    }

    /// Makes records, sends them until they are there, compares, and forgets them.
    fn batch(&mut self, counts: &Counts) -> Vec<String> {
        let refreshed = self.client.refresh_blocking(self.project, Arc::new(|_| {}), Cancel::default());
        count(&counts.refreshes_failed, u64::from(refreshed.is_err()));
        let ids: Vec<SubmissionId> = (0..BATCH).map(|_| self.make(counts)).collect();
        // Pressed again and again, as a person would whose records do not go.
        let began = Instant::now();
        while self.unsent() > 0 && began.elapsed() < Duration::from_secs(180) {
            self.client.send_blocking(self.project, PATIENCE, Arc::new(|_| {}), Cancel::default()).unwrap();
            if self.n_stopped() > 0 {
                break;
            }
        }
        let mut losses = Vec::new();
        for record in self.client.outbox(Some(self.project)).unwrap() {
            if !matches!(record.state, RecordState::Sent { .. }) {
                losses.push(format!("a record ({}) does not go: {:?}", record.form_id, record.state));
                // Said once.
                let xml = self.client.store().submission_xml(record.id).unwrap();
                self.made.retain(|(made, _)| made.as_bytes() != xml);
                self.given_up.insert(xml);
                let _ = self.client.discard(&Records::One(record.id), None);
            }
        }
        if losses.is_empty() {
            losses = self.compare(&self.central.records(&self.token));
        }
        for id in ids {
            let _ = self.client.forget(&Records::One(id));
        }
        losses
    }

    fn unsent(&self) -> usize {
        let records = self.client.outbox(Some(self.project)).unwrap();
        records.iter().filter(|record| !matches!(record.state, RecordState::Sent { .. })).count()
    }

    /// How many records wait for a person.
    fn n_stopped(&self) -> usize {
        let records = self.client.outbox(Some(self.project)).unwrap();
        records.iter().filter(|record| matches!(record.state, RecordState::NeedsAttention(_))).count()
    }

    fn make(&mut self, counts: &Counts) -> SubmissionId {
        let is_bare = self.dice.chance(0.1);
        let form = self.client.find_form(self.project, if is_bare { BARE } else { VISIT }).unwrap().key;
        let mut draft = self.client.start_draft(form, None).unwrap();
        let n = self.made.len();
        draft.answer("/data/name", Some(&format!("record {n}"))).unwrap();
        let mut nodes = vec!["/data/photo".to_owned()];
        if !is_bare {
            let words = "word ".repeat(self.dice.small_below(2000) as usize);
            draft.answer("/data/story", Some(&format!("{n} {words}"))).unwrap();
            nodes.push("/data/video".to_owned());
            let n_there = (1..).take_while(|n| draft.session().node(&format!("/data/member[{n}]")).is_some()).count();
            for member in 1..=self.dice.small_below(12) as usize {
                if member > n_there {
                    draft.add_repeat("/data/member").unwrap();
                }
                nodes.push(format!("/data/member[{member}]/face"));
            }
        }
        let mut files = Files::new();
        for node in nodes {
            if self.dice.chance(0.3) {
                continue;
            }
            let largest = if self.dice.chance(0.02) { HARD_LIMIT - 200_000 } else { 200_000 };
            let file = crate::deed::File { seed: self.dice.bits(), size: self.dice.small_below(largest) };
            let content = bytes(file.seed, file.size);
            let name = if self.dice.chance(0.1) {
                let name = strange_name(&mut self.dice, files.len());
                self.client.store().attach(draft.id(), &name, &mut &content[..]).unwrap();
                draft.answer(&node, Some(&name)).unwrap();
                name
            } else {
                draft.attach_from(&node, "jpg", &mut &content[..]).unwrap()
            };
            count(&counts.files, 1);
            count(&counts.useful_bytes, file.size);
            files.insert(name, file);
        }
        let Finalization::Finalized { record, .. } = draft.finalize().unwrap() else { panic!("violations") };
        let xml = String::from_utf8(self.client.store().submission_xml(record).unwrap()).unwrap();
        count(&counts.made, 1);
        count(&counts.useful_bytes, xml.len() as u64);
        self.made.push((xml, files));
        record
    }

    /// Everything made so far against everything at the server.
    fn compare(&self, server: &[Received]) -> Vec<String> {
        let mut by_xml: BTreeMap<&[u8], Vec<&Received>> = BTreeMap::new();
        for received in server {
            by_xml.entry(&received.xml).or_default().push(received);
        }
        let mut losses = Vec::new();
        for (xml, files) in &self.made {
            let copies = by_xml.remove(xml.as_bytes()).unwrap_or_default();
            match copies.as_slice() {
                [received] => {
                    let whole = |(name, file): (&String, &crate::deed::File)| {
                        received.files.get(name).is_some_and(|(size, _)| *size == file.size)
                            && received.files.get(name) == Some(&digest(&bytes(file.seed, file.size)))
                    };
                    let missing = files.iter().filter(|file| !whole(*file)).count();
                    if missing > 0 {
                        losses.push(format!("a record arrived without {missing} of its {} files", files.len()));
                    }
                }
                [] => losses.push("a record never arrived".to_owned()),
                copies => losses.push(format!("a record ({}) arrived {} times", copies[0].form_id, copies.len())),
            }
        }
        by_xml.retain(|xml, _| !self.given_up.contains(*xml));
        if !by_xml.is_empty() {
            losses.push(format!("{} records at the server that nobody made", by_xml.len()));
        }
        losses
    }
}

/// Names as other clients, and people, give them.
fn strange_name(dice: &mut Dice, number: usize) -> String {
    let stems =
        ["é a", "na\u{1EF1}ve \"quoted\"", "صورة", "a%20b", "100 %", "ё&<b>", "back\\slash", "semi;colon", "it's"];
    format!("{} {number}.jpg", dice.pick(&stems).unwrap_or(&"a"))
}

fn tell(report: &mut Report, counts: &Counts, traffic: &Traffic) {
    report.row("records", of(&counts.made));
    report.row("files", of(&counts.files));
    report.row("bytes of both", size(of(&counts.useful_bytes)));
    report.row("requests answered by a portal", traffic.portals);
    report.row("refreshes that failed (and were made up for)", of(&counts.refreshes_failed));
    report.row("POSTs begun", traffic.posts);
    report.row("POSTs whose success did not come through", traffic.lost.len());
    let mut by_fault: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for &LostPost { fault, bytes, .. } in &traffic.lost {
        by_fault.entry(name(fault)).or_default().push(bytes);
        by_fault.entry("sent in vain, all cuts").or_default().push(bytes);
    }
    for (fault, bytes) in by_fault {
        let mean = bytes.iter().sum::<u64>() / bytes.len().max(1) as u64;
        let mut words = String::new();
        let _ = write!(
            words,
            "{} ×, mean {}, worst {}",
            bytes.len(),
            size(mean),
            size(bytes.iter().copied().max().unwrap_or(0))
        );
        report.row(&format!("  {fault}"), words);
    }
    report.row("bytes of POSTs that the server refused", size(traffic.refused_bytes));
    let share = traffic.post_bytes as f64 / of(&counts.useful_bytes).max(1) as f64;
    report.row("bytes sent, as a multiple of what there was", format!("{share:.2}×"));
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "no fault of the proxy's (the client gave up)",
        Fault::CutPost { .. } => "cut in the POST",
        Fault::ResetPost { .. } => "reset in the POST",
        Fault::LosePostReply => "reply lost",
        Fault::CutReply { .. } => "reply cut",
        Fault::StallPost { .. } => "stalled in the POST",
        Fault::StallReply { .. } => "stalled in the reply",
        Fault::Slow { .. } => "slow",
        Fault::Portal { .. } => "portal",
        Fault::Refuse => "refused",
    }
}

//! `crash`: processes that are killed in the middle of whatever they do.
//!
//! A worker does what chance says with a home, and tells before and after each thing. It is killed with SIGKILL after a
//! random number of lines and a random moment more, so mostly inside a call. Then the home is opened and compared with what
//! was told. A home lives up to five times; after the last everything is sent, and the server must have every record once.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

use veldwerk::client::{Cancel, Client, Until};
use veldwerk::store::Key;
use veldwerk_tests::central::{Central, Rules};
use veldwerk_tests::dice::Dice;

use crate::deed::Line;
use crate::forms::FIRST_MOMENT;
use crate::ledger::Ledger;
use crate::report::{Report, count, of};
use crate::stage::{self, Stage};
use crate::worker::{Orders, pause_us};
use crate::{Options, audit, exports};

/// From one life of a home to the next; midnight lies between the first two.
const BETWEEN_LIVES_MS: i64 = 18 * 3_600_000;
/// Deeds after which a worker ends by itself: longer than anybody waits.
const MANY: u64 = 100_000;

/// What all threads count together.
#[derive(Default)]
struct Counts {
    kills: AtomicU64,
    homes: AtomicU64,
    deeds: AtomicU64,
    drafts: AtomicU64,
    records: AtomicU64,
    received: AtomicU64,
    exports: AtomicU64,
    removals: AtomicU64,
}

pub(crate) fn run(options: &Options) -> Report {
    let central = Central::start(Rules { latency: Duration::from_millis(2), ..Rules::default() });
    let mut report = Report::new("crash: a process killed at random moments", options.seed);
    let counts = Counts::default();
    let is_over = || of(&counts.kills) >= options.count;
    stage::on_every_core(&central, options, &mut report, is_over, |stage, number| {
        live(stage, &central, options.seed, number, &counts)
    });
    report.row("kills", of(&counts.kills));
    report.row("homes", of(&counts.homes));
    report.row("calls that had returned", of(&counts.deeds));
    report.row("drafts compared", of(&counts.drafts));
    report.row("records compared", of(&counts.records));
    report.row("records at the server", of(&counts.received));
    report.row("exports read back", of(&counts.exports));
    report.row("removed projects looked for", of(&counts.removals));
    report
}

/// One home, from its first life to the moment when everything has arrived.
fn live(stage: &Stage, central: &Central, seed: u64, number: u64, counts: &Counts) -> Vec<String> {
    let mut dice = Dice::new(seed, number);
    let place = stage.place(number);
    let home = place.join("home");
    let mut ledger = Ledger::default();
    ledger.may_import(&stage.import.to_string_lossy(), stage.importable.clone());
    // One home in five begins from nothing, so that its making is killed too.
    if dice.chance(0.8) {
        stage::copy(&stage.template, &home);
        ledger.has_project(1, &stage.url);
    }
    let mut losses = Vec::new();
    let n_lives = 1 + dice.below(5);
    for life in 0..n_lives {
        let orders = Orders {
            home: home.clone(),
            seed: dice.bits(),
            home_seed: seed.wrapping_mul(1_000_003).wrapping_add(number),
            now_ms: FIRST_MOMENT + life as i64 * BETWEEN_LIVES_MS,
            url: stage.url.clone(),
            other_url: stage.other_url.clone(),
            exports: place.clone(),
            imports: vec![stage.import.clone()],
            deeds: MANY,
            largest_file: 200_000,
            online: true,
        };
        let n_lines = dice.small_below(300);
        let after_us = dice.small_below(8000);
        losses.extend(kill(&orders, n_lines, after_us, &mut ledger));
        count(&counts.kills, 1);

        let client = match stage::open(&home, orders.now_ms, orders.home_seed) {
            Ok(client) => client,
            Err(error) => {
                losses.push(format!("the home does not open: {}", error.kind().code()));
                break;
            }
        };
        losses.extend(ledger.check(&client));
        losses.extend(ledger.check_server(&client, &stage.received(central), false));
        drop(client);
        let secrets = ledger.removed().filter_map(|url| stage.token_of(url));
        count(&counts.removals, ledger.removed().count().min(1) as u64);
        losses.extend(audit::look(&home, &Key::from_bytes([7; 32]), secrets));
        losses.extend(exports::check(stage, &place, &ledger));
        count(&counts.exports, ledger.exports.len() as u64);
        if !losses.is_empty() {
            break;
        }
    }
    let (drafts, records) = ledger.size();
    count(&counts.homes, 1);
    count(&counts.deeds, ledger.n_ended);
    count(&counts.drafts, drafts as u64);
    count(&counts.records, records as u64);
    if losses.is_empty() {
        let now_ms = FIRST_MOMENT + n_lives as i64 * BETWEEN_LIVES_MS;
        let client = stage::open(&home, now_ms, 1).unwrap();
        send_everything(&client);
        let received = stage.received(central);
        count(&counts.received, received.len() as u64);
        losses.extend(ledger.check_server(&client, &received, true));
        drop(client);
        losses.extend(clean(&home, now_ms));
    }
    stage.clear(central);
    if losses.is_empty() {
        let _ = fs::remove_dir_all(&place);
    }
    losses
}

/// Lets a worker live until so many lines and microseconds have passed, and hears what it said.
fn kill(orders: &Orders, n_lines: u64, after_us: u64, ledger: &mut Ledger) -> Vec<String> {
    let forking = stage::FORKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["worker", &serde_json::to_string(orders).unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(forking);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (said, hear) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in output.split(b'\n').map_while(Result::ok) {
            // The last line of a killed process may be cut short.
            if let Ok(line) = serde_json::from_slice::<Line>(&line) {
                let _ = said.send(line);
            }
        }
    });
    for line in hear.iter().take(n_lines as usize) {
        ledger.hear(line);
    }
    pause_us(after_us);
    let ended_itself = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    hear.into_iter().for_each(|line| ledger.hear(line));
    let Some(status) = ended_itself else { return Vec::new() };
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    let words: Vec<&str> = words.lines().filter(|line| !line.starts_with("note:")).collect();
    vec![format!("the worker ended by itself ({status}): {}", words.join(" / "))]
}

/// What no row names is noted, and a month later gone.
fn clean(home: &Path, now_ms: i64) -> Vec<String> {
    for now_ms in [now_ms, now_ms + 31 * 24 * 3_600_000] {
        stage::open(home, now_ms, 1).unwrap().maintenance().unwrap();
    }
    audit::look_for_strays(home, &Key::from_bytes([7; 32]))
}

/// Sends until nothing is left, as a person would who presses the button again.
fn send_everything(client: &Client) {
    let until = Until::Empty { limit_ms: 20_000, longest_wait_ms: 20 };
    for project in client.projects().unwrap() {
        let _ = client.refresh_blocking(project.id, Arc::new(|_| {}), Cancel::default());
        let _ = client.send_blocking(project.id, until, Arc::new(|_| {}), Cancel::default());
    }
}

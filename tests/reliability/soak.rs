//! `soak`: twenty phones in one process work for minutes, and what they hold of the machine stays what it was.
//!
//! Each phone has a home of its own and does over and over what a day brings: refresh, answer, attach, finalise, send,
//! export, forget, open the home again. The server is another process, so that what is measured is the client's. Memory,
//! open files, threads and the size of the homes are sampled; the first fifth of the time is for warming up, and a line laid
//! through the rest must be flat.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use veldwerk::client::{Cancel, Client, Finalization, ProjectSource, RecordState, Selection, Until};
use veldwerk::store::Records;
use veldwerk_tests::central::{Central, Rules};
use veldwerk_tests::dice::{Dice, bytes};

use crate::Options;
use crate::forms::{self, FIRST_MOMENT, VISIT};
use crate::report::{Report, size};
use crate::stage;

const PHONES: u64 = 20;
const SAMPLES: u32 = 200;
/// Twenty phones on a small machine: the times of the harnesses' policy may well pass.
const PATIENCE: Until = Until::Empty { limit_ms: 60_000, longest_wait_ms: 100 };
/// What the memory may have grown by the line laid through it, whatever the length of the run: an allocator is no clockwork.
const MEMORY_SLACK: f64 = 6e6;
/// The same for the homes: each holds for a while what it has not sent yet.
const HOMES_SLACK: f64 = 4e6;
/// The same as a share of what is held.
const MEMORY_SHARE: f64 = 0.1;

/// What the process holds at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    memory: f64,
    files: f64,
    threads: f64,
    homes: f64,
}

/// Runs as long as the options' seconds say.
pub(crate) fn run(options: &Options) -> Report {
    let mut report = Report::new("soak: twenty phones in one process", options.seed);
    if !cfg!(target_os = "linux") {
        report.lose(0, ["soak reads /proc, so it runs on Linux only: nothing was tried".to_owned()]);
        return report;
    }
    let server = ServerProcess::start();
    let folder = stage::folder();
    let is_over = AtomicBool::new(false);
    let (records, rounds) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut samples = Vec::new();
    let mut losses = Vec::new();
    std::thread::scope(|scope| {
        let phones: Vec<_> = (0..PHONES)
            .map(|number| {
                let (server, folder, is_over, records, rounds) = (&server, folder.path(), &is_over, &records, &rounds);
                scope.spawn(move || {
                    let home = folder.join(format!("phone-{number}"));
                    let mut dice = Dice::new(options.seed, number);
                    let mut losses = Vec::new();
                    while !is_over.load(Ordering::Relaxed) && losses.is_empty() {
                        losses = day(&home, &server.url(number), &mut dice, records);
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    losses
                })
            })
            .collect();
        let began = Instant::now();
        let pause = Duration::from_secs(options.seconds) / SAMPLES;
        while began.elapsed() < Duration::from_secs(options.seconds) {
            wait(pause);
            samples.push(Sample::now(folder.path()));
        }
        is_over.store(true, Ordering::Relaxed);
        losses = phones.into_iter().flat_map(|phone| phone.join().expect("a phone ended")).collect::<Vec<String>>();
    });
    report.lose(0, losses);
    report.row("phones", PHONES);
    report.row("days (a home opened, worked with, closed)", rounds.load(Ordering::Relaxed));
    report.row("records sent", records.load(Ordering::Relaxed));
    judge(&mut report, &samples);
    report
}

/// What a phone does between opening its home and closing it.
fn day(home: &Path, url: &str, dice: &mut Dice, records: &AtomicU64) -> Vec<String> {
    let client = stage::open(home, FIRST_MOMENT, dice.bits()).unwrap();
    if client.projects().unwrap().is_empty() {
        client.add_project(&ProjectSource::Url { url: url.to_owned(), account: None }, None).unwrap();
    }
    let project = client.projects().unwrap()[0].id;
    client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    let form = client.find_form(project, VISIT).unwrap().key;
    for _ in 0..1 + dice.below(5) {
        let mut draft = client.start_draft(form, None).unwrap();
        draft.answer("/data/name", Some("somebody")).unwrap();
        for n in 0..dice.below(20) {
            draft.answer("/data/story", Some(&format!("sentence {n}"))).unwrap();
        }
        let content = bytes(dice.bits(), dice.small_below(300_000));
        draft.attach_from("/data/photo", "jpg", &mut &content[..]).unwrap();
        draft.save().unwrap();
        let id = draft.id();
        drop(draft);
        let mut draft = client.open_draft(id).unwrap();
        assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
    }
    let exports = home.with_extension("export");
    client.export(&Selection::Unsent(project), &exports).unwrap();
    client.send_blocking(project, PATIENCE, Arc::new(|_| {}), Cancel::default()).unwrap();
    let _ = fs::remove_dir_all(&exports);
    let outbox = client.outbox(Some(project)).unwrap();
    let sent = outbox.iter().filter(|record| matches!(record.state, RecordState::Sent { .. })).count();
    records.fetch_add(sent as u64, Ordering::Relaxed);
    client.forget(&Records::OfProject(project)).unwrap();
    if sent < outbox.len() { vec![unsent(&client)] } else { Vec::new() }
}

fn unsent(client: &Client) -> String {
    let states: Vec<_> = client.outbox(None).unwrap().into_iter().map(|record| record.state).collect();
    format!("records that did not go on a good network: {states:?}")
}

impl Sample {
    fn now(homes: &Path) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN)
        };
        Self {
            memory: number("VmRSS:") * 1024.0,
            threads: number("Threads:"),
            files: fs::read_dir("/proc/self/fd").unwrap().count() as f64,
            homes: bytes_in(homes) as f64,
        }
    }
}

/// Bytes of all files below a folder; what vanishes meanwhile counts as nothing.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_in(&entry.path()),
            _ => entry.metadata().map_or(0, |metadata| metadata.len()),
        })
        .sum()
}

/// Lays a line through what was sampled after warming up, and says whether it is flat.
fn judge(report: &mut Report, samples: &[Sample]) {
    let warm = &samples[samples.len() / 5..];
    let of = |value: fn(&Sample) -> f64| warm.iter().map(value).collect::<Vec<f64>>();
    for (what, values, slack) in [
        ("memory", of(|sample| sample.memory), MEMORY_SLACK),
        ("open files", of(|sample| sample.files), PHONES as f64),
        ("threads", of(|sample| sample.threads), PHONES as f64),
        ("homes on the disk", of(|sample| sample.homes), HOMES_SLACK),
    ] {
        let (mean, growth) = line(&values);
        let highest = values.iter().copied().fold(0.0, f64::max);
        let text = |value: f64| if slack > 1e3 { size(value.max(0.0) as u64) } else { format!("{value:.0}") };
        let sign = if growth < 0.0 { "−" } else { "+" };
        let words = format!("mean {}, highest {}, grown {sign}{}", text(mean), text(highest), text(growth.abs()));
        report.row(what, words);
        if growth > slack.max(mean * MEMORY_SHARE) {
            report.lose(0, [format!("{what} grows: {} in {:.0} % of the run", text(growth), 80.0)]);
        }
    }
}

/// The mean of values at equal distances, and by how much the line of least squares rises from the first to the last.
fn line(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let middle = (n - 1.0) / 2.0;
    let (mut covered, mut spread) = (0.0, 0.0);
    for (position, value) in values.iter().enumerate() {
        let distance = position as f64 - middle;
        covered += distance * (value - mean);
        spread += distance * distance;
    }
    let slope = if spread > 0.0 { covered / spread } else { 0.0 };
    (mean, slope * (n - 1.0))
}

/// A strict server in a process of its own.
struct ServerProcess {
    child: Child,
    address: String,
}

impl ServerProcess {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    fn url(&self, phone: u64) -> String {
        format!("http://{}/v1/key/{}/projects/1", self.address, token(phone))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(phone: u64) -> String {
    format!("phone{phone:0>59}")
}

/// The server's process: serves until nobody holds its input any more.
pub(crate) fn serve() {
    let central = Central::start(Rules { latency: Duration::from_millis(2), ..Rules::default() });
    for phone in 0..PHONES {
        central.open_project(&token(phone), forms::all("1"));
    }
    println!("{}", central.address());
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

fn wait(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_laid_through_what_was_sampled() {
        let close = |(mean, growth): (f64, f64), expected: (f64, f64)| {
            (mean - expected.0).abs() < 1e-9 && (growth - expected.1).abs() < 1e-9
        };
        assert!(close(line(&[5.0; 10]), (5.0, 0.0)));
        assert!(close(line(&[0.0, 1.0, 2.0, 3.0]), (1.5, 3.0)));
        assert!(close(line(&[]), (0.0, 0.0)));
        let leak: Vec<Sample> =
            (0..100).map(|n| Sample { memory: 3e7 + f64::from(n) * 2e5, ..Sample::default() }).collect();
        let mut report = Report::new("soak", 1);
        judge(&mut report, &leak);
        assert!(!report.is_clean(), "two hundred kilobytes a sample are a leak");
        let mut report = Report::new("soak", 1);
        judge(&mut report, &[Sample { memory: 3e7, files: 60.0, threads: 40.0, homes: 1e6 }; 100]);
        assert!(report.is_clean(), "{report}");
    }
}

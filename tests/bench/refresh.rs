//! Two thousand forms: fetched, and asked about when nothing has changed.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;
use veldwerk::client::{Cancel, Client, ClientConfig, ProjectSource};
use veldwerk_tests::central::{Central, Published, Rules};
use veldwerk_tests::phone::visit;

use crate::many::key;
use crate::table::Table;

const FORMS: usize = 2000;

pub(crate) fn measure(table: &mut Table) {
    let central = Central::start(Rules::default());
    let token = "r".repeat(64);
    let xml = String::from_utf8(visit("1").xml).unwrap();
    let form = |n: usize| Published {
        form_id: format!("visit{n}"),
        version: "1".into(),
        xml: xml.replace("id=\"visit\"", &format!("id=\"visit{n}\"")),
        ..Published::default()
    };
    central.open_project(&token, (0..FORMS).map(form).collect());
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    for what in ["refresh of 2,000 forms, all new: CPU of the client", "  again, nothing has changed"] {
        // In a process of its own, so that the server's work is not counted.
        let out = Command::new(std::env::current_exe().unwrap())
            .args([Path::new("refresh"), &home, Path::new(&central.url(&token))])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let mut seconds = said.split_whitespace().map(|word| word.parse::<f64>().unwrap_or(f64::NAN));
        table.at_most(what, seconds.next().unwrap_or(f64::NAN), "s", 5.0);
        table.say("    and on the clock", seconds.next().unwrap_or(f64::NAN), "s");
    }
}

/// The child of [`measure`]: says the CPU time and the time on the clock of one refresh, in seconds.
pub(crate) fn refresh(home: &Path, url: &str) {
    let client = Client::open(ClientConfig::new(home, key(), TimeZone::UTC)).unwrap();
    let project =
        client.add_project(&ProjectSource::Url { url: url.to_owned(), account: None }, None).unwrap().project.id;
    let (cpu, clock) = (cpu_seconds(), Instant::now());
    let report = client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(report.forms.len() == FORMS && report.forms.iter().all(|form| form.outcome.is_ok()), "{report:?}");
    println!("{} {}", cpu_seconds() - cpu, clock.elapsed().as_secs_f64());
}

/// What this process has had of the processor; none where the system does not tell.
fn cpu_seconds() -> f64 {
    /// Ticks of the kernel a second, as Linux shows them to programs.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: utime and stime are the 12th and 13th.
    let ticks = |at: usize| stat.rsplit(") ").next()?.split_whitespace().nth(at)?.parse::<f64>().ok();
    ticks(11).zip(ticks(12)).map_or(f64::NAN, |(user, system)| (user + system) / TICKS)
}

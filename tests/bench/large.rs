//! Three hundred megabytes, in files of ninety at most, attached and sent, and what a process needs for it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::client::{Cancel, Client, ClientConfig, Finalization, ProjectSource, Until};
use veldwerk_tests::central::{Central, Published, Rules};

use crate::many::key;
use crate::table::Table;

const MEGABYTES: [u64; 4] = [90, 90, 90, 30];

const FORM: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
  <h:head><h:title>Large</h:title><model>
    <instance><data id="large" version="1"><a/><b/><c/><d/><meta><instanceID/></meta></data></instance>
    <bind nodeset="/data/a" type="binary"/><bind nodeset="/data/b" type="binary"/>
    <bind nodeset="/data/c" type="binary"/><bind nodeset="/data/d" type="binary"/>
    <bind nodeset="/data/meta/instanceID" type="string" calculate="once(concat('uuid:', uuid()))"/>
  </model></h:head>
  <h:body>
    <upload ref="/data/a" mediatype="video/*"><label>A</label></upload>
    <upload ref="/data/b" mediatype="video/*"><label>B</label></upload>
    <upload ref="/data/c" mediatype="video/*"><label>C</label></upload>
    <upload ref="/data/d" mediatype="video/*"><label>D</label></upload>
  </h:body></h:html>"#;

pub(crate) fn measure(table: &mut Table) {
    let central = Central::start(Rules::default());
    let token = "l".repeat(64);
    let form = Published { form_id: "large".into(), version: "1".into(), xml: FORM.into(), ..Published::default() };
    central.open_project(&token, vec![form]);
    let folder = tempfile::tempdir().unwrap();
    for (number, megabytes) in MEGABYTES.iter().enumerate() {
        let mut file = File::create(folder.path().join(format!("{number}.mp4"))).unwrap();
        io::copy(&mut io::repeat(0x5a).take(megabytes * 1_000_000), &mut file).unwrap();
    }
    let out = Command::new(std::env::current_exe().unwrap())
        .args([
            Path::new("attach-and-send"),
            &folder.path().join("home"),
            Path::new(&central.url(&token)),
            folder.path(),
        ])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut peaks = text.split_whitespace().map(|peak| peak.parse::<f64>().unwrap_or(f64::NAN) / 1e6);
    let mut peak = || peaks.next().unwrap_or(f64::NAN);
    table.at_most("300 MB in files of 90 MB, attached: peak memory", peak(), "MB", 16.0);
    table.at_most("  and sent", peak(), "MB", 16.0);
    let received = central.records(&token);
    let bytes: u64 = received[0].files.values().map(|(size, _)| size).sum();
    assert_eq!(bytes, MEGABYTES.iter().sum::<u64>() * 1_000_000);
}

/// The child of [`measure`]: says its peak after attaching, and after sending.
pub(crate) fn attach_and_send(home: &Path, url: &str, folder: &Path) {
    let client = Client::open(ClientConfig::new(home, key(), TimeZone::UTC)).unwrap();
    client.add_project(&ProjectSource::Url { url: url.to_owned(), account: None }, None).unwrap();
    let project = client.projects().unwrap()[0].id;
    client.refresh_blocking(project, Arc::new(|_| {}), Cancel::default()).unwrap();
    let mut draft = client.start_draft(client.find_form(project, "large").unwrap().key, None).unwrap();
    for (number, node) in ["/data/a", "/data/b", "/data/c", "/data/d"].into_iter().enumerate() {
        draft.attach(node, &folder.join(format!("{number}.mp4")), true).unwrap();
    }
    println!("{}", peak());
    assert!(matches!(draft.finalize().unwrap(), Finalization::Finalized { .. }));
    let sent = client.send_blocking(project, Until::OnePass, Arc::new(|_| {}), Cancel::default()).unwrap();
    assert!(sent.is_done(), "{sent:?}");
    println!("{}", peak());
}

/// The most memory that this process ever held, in bytes; none where the system does not tell.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(f64::NAN, |kilobytes| kilobytes * 1024.0)
}

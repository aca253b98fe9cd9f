//! The command line from outside: its exit statuses, its JSON, what it keeps through a kill, and what it never shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use veldwerk_server::{Server, ServerConfig, serve};

const CONSENT: &str = r#"{"op":"answer","ref":"/data/intro/consent","value":"no"}"#;
const REASON: &str = r#"{"op":"answer","ref":"/data/stopped/refuse_reason","value":"privacy"}"#;

/// A phone that knows the study, and the study's server.
struct Phone {
    folder: TempDir,
    server: Option<Server>,
    token: String,
}

impl Phone {
    fn joined() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
        let token = server.token().unwrap().reveal().to_owned();
        let phone = Self { folder, server: Some(server), token };
        let url = phone.server().project_url().unwrap();
        let added = phone.json(&["project", "add", "-"], &url);
        assert_eq!(added["id"], 1, "{added}");
        let refreshed = phone.run(&["refresh"], "");
        assert_eq!(refreshed.status.code(), Some(0), "{refreshed:?}");
        phone
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.home(), arguments)
    }

    /// Runs a command to its end. Whatever it says, it does not say the token.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let output = run(self.command(arguments), input);
        for said in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(said).contains(&self.token), "{arguments:?} shows the token");
        }
        output
    }

    /// The one JSON object that a command says.
    fn json(&self, arguments: &[&str], input: &str) -> Value {
        let output = self.run(&[&["--json"], arguments].concat(), input);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let lines = lines(&output);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A finished record that says no, and its instanceID.
    fn finished(&self) -> String {
        let events = self.file("events.jsonl", &format!("# a refusal\n\n{CONSENT}\n{REASON}\n"));
        let said = self.run(&["--json", "answer", "pi_newcomers", "--events", &events, "--finalize"], "");
        assert_eq!(said.status.code(), Some(0), "{said:?}");
        lines(&said).last().unwrap()["instance"].as_str().unwrap().to_owned()
    }
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veldwerk"));
    command.arg("--home").arg(home).args(arguments).env("TZ", "UTC").env("LC_ALL", "C").env_remove("VELDWERK_KEY_FILE");
    command
}

fn run(mut command: Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that reads no input may have ended before it was given.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    for arguments in [
        &["dance"][..],
        &["project", "add"],
        &["project", "add", "--url", "https://e.org", "--qr", "x"],
        &["project", "add", "--url", "https://e.org", "--user", "u"],
        &["answer", "f"],
        &["serve", "--listen", "somewhere"],
        &["fill", "f", "--bidi", "sideways"],
    ] {
        let output = run(command(&home, arguments), "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
    assert!(!home.exists());
}

#[test]
fn an_address_in_the_wrong_place_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let address = "https://e.org/v1/key/Secret/projects/1";
    let code = "eJyrVkrLL8pNLFGyUsooKSmw0tdPzNVLzs/SrQopTSxKBAA".repeat(2) + "Secret";
    for arguments in [
        &["project", "add", address][..],
        &["project", "add", &code],
        &["refresh", address],
        &[address],
        &["--project", address, "forms"],
        &[&format!("--project={address}"), "forms"],
    ] {
        let output = run(command(&home, arguments), "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!error(&output).contains("Secret"), "{arguments:?}: {output:?}");
        assert!(error(&output).contains('…'), "{arguments:?}: {output:?}");
    }
    let help = run(command(&home, &["--help"]), "");
    assert_eq!(help.status.code(), Some(0), "{help:?}");
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: veldwerk"), "{help:?}");
}

#[test]
fn what_could_not_be_done_is_1_with_words_and_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    for (arguments, code) in [
        (&["project", "add", "--url", "http://example.org/v1/key/abc/projects/1"][..], "not-https"),
        (&["project", "add", "--qr", "nonsense"], "bad-settings-code"),
        (&["project", "remove", "7", "--yes"], "not-found"),
        (&["forms"], "not-found"),
        (&["serve", "--listen", "0.0.0.0:0", "--data", folder.path().join("s").to_str().unwrap()], "not-https"),
    ] {
        let output = run(command(&home, arguments), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(error(&output).contains(&format!("[{code}]")), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn lists_speak_json() {
    let phone = Phone::joined();
    let forms = phone.json(&["forms"], "");
    let ids: Vec<_> = forms["forms"].as_array().unwrap().iter().map(|form| form["form"].as_str().unwrap()).collect();
    assert!(ids.contains(&"pi_newcomers") && ids.contains(&"pi_interview"), "{ids:?}");
    assert_eq!(phone.json(&["drafts"], "")["drafts"], serde_json::json!([]));
    let instance = phone.finished();
    assert_eq!(phone.json(&["outbox"], "")["records"][0]["instance"], instance.as_str());
    let projects = phone.json(&["project", "list"], "");
    assert_eq!(projects["projects"].as_array().unwrap().len(), 1, "{projects}");
}

#[test]
fn a_project_is_added_once_renewed_and_set() {
    let mut phone = Phone::joined();
    let code = |url: &str| {
        json!({ "general": { "server_url": url, "font_size": "21", "autosend": "wifi_only" },
                "admin": { "edit_saved": false } })
        .to_string()
    };
    let url = phone.server().project_url().unwrap();
    let again = phone.json(&["project", "add", "-"], &url);
    assert_eq!((&again["id"], &again["new"]), (&json!(1), &json!(false)));

    phone.server.as_mut().unwrap().renew_token().unwrap();
    let token = phone.server().token().unwrap().reveal().to_owned();
    let old = std::mem::replace(&mut phone.token, token);
    assert_eq!(phone.run(&["refresh"], "").status.code(), Some(1));
    let url = phone.server().project_url().unwrap();
    let renewed = phone.json(&["project", "renew", "1", "-"], &code(&url));
    assert_eq!(renewed["unused"], json!(["font_size", "edit_saved"]));
    assert_eq!(renewed["settings"]["autosend"], "wifi_only");
    assert_eq!(phone.run(&["refresh"], "").status.code(), Some(0));

    let beside = phone.json(&["project", "add", "-"], &url.replace(&phone.token, &old));
    assert_eq!((&beside["id"], &beside["beside"]), (&json!(2), &json!(1)));
    let elsewhere = code("https://other.test/v1/key/T0ken/projects/1");
    let refused = phone.run(&["project", "renew", "1", "-"], &elsewhere);
    assert!(error(&refused).contains("[other-server]") && !error(&refused).contains("T0ken"), "{refused:?}");
    let moved = phone.json(&["project", "renew", "1", "-", "--yes"], &elsewhere);
    assert_eq!(moved["server"], "https://other.test");

    let set = ["project", "set", "1", "--device-id", "on", "--forget-sent", "30", "--name", "Wells"];
    let set = phone.json(&set, "");
    assert_eq!((&set["name"], &set["settings"]["device_id"]), (&json!("Wells"), &json!(true)));
    assert_eq!(set["settings"]["forget_sent"], json!({ "after_days": 30 }));
    let allowed = phone.json(&["project", "allow-host", "1", "o.test"], "");
    assert_eq!(allowed["settings"]["allowed_hosts"], json!(["https://o.test"]));

    let file = phone.folder.path().join("ca.pem");
    std::fs::write(&file, "<html>").unwrap();
    let refused = phone.run(&["project", "renew", "1", "--ca", &file.to_string_lossy()], "");
    assert!(error(&refused).contains("[bad-certificate]"), "{refused:?}");
    for (address, code) in [
        ("https://h.test/#/projects/1/app-users", "[central-web-page]"),
        ("https://kf.kobotoolbox.org/#/forms/x", "[kobo-web-page]"),
        ("https://h.test/f/0123456789abcdef?st=T0ken", "[form-link]"),
    ] {
        let refused = phone.run(&["project", "add", "-"], address);
        assert!(error(&refused).contains(code) && !error(&refused).contains("T0ken"), "{refused:?}");
    }
}

#[test]
fn the_key_is_private_said_once_and_never_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let key_file = folder.path().join("home.key");
    let first = run(command(&home, &["project", "list"]), "");
    assert!(error(&first).contains("Key: beside the home, with its name and .key. "), "{first:?}");
    assert!(!error(&first).contains(std::fs::read_to_string(&key_file).unwrap().trim()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(error(&run(command(&home, &["project", "list"]), "")), "");

    let elsewhere = folder.path().join("moved.key");
    std::fs::rename(&key_file, &elsewhere).unwrap();
    let missing = run(command(&home, &["project", "list"]), "");
    assert_eq!(missing.status.code(), Some(1));
    assert!(error(&missing).contains("[key-missing]"), "{missing:?}");
    assert!(!key_file.exists());
    let named = run(command(&home, &["--key-file", elsewhere.to_str().unwrap(), "project", "list"]), "");
    assert_eq!(named.status.code(), Some(0), "{named:?}");
    std::fs::write(&elsewhere, "0".repeat(64)).unwrap();
    let wrong = run(command(&home, &["--key-file", elsewhere.to_str().unwrap(), "project", "list"]), "");
    assert!(error(&wrong).contains("[wrong-key]"), "{wrong:?}");
}

/// As a power cut left it of a program that wrote the key in place.
#[test]
fn an_empty_key_file_blocks_no_home_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let (home, key_file) = (folder.path().join("home"), folder.path().join("home.key"));
    std::fs::write(&key_file, "").unwrap();
    let first = run(command(&home, &["project", "list"]), "");
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let key = std::fs::read_to_string(&key_file).unwrap();
    assert_eq!(key.len(), 64);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");

    // A home that is there is another matter: it has a key, and no new one would fit.
    for kept in ["", "not a key"] {
        std::fs::write(&key_file, kept).unwrap();
        let refused = run(command(&home, &["project", "list"]), "");
        assert_eq!(refused.status.code(), Some(1));
        let code = if kept.is_empty() { "[key-missing]" } else { "[wrong-key]" };
        assert!(error(&refused).contains(code), "{refused:?}");
        assert_eq!(std::fs::read_to_string(&key_file).unwrap(), kept);
    }
    std::fs::write(&key_file, key).unwrap();
    assert_eq!(run(command(&home, &["project", "list"]), "").status.code(), Some(0));
}

#[test]
fn a_key_that_cannot_be_read_now_is_not_called_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (home, key_file) = (folder.path().join("home"), folder.path().join("home.key"));
    std::fs::create_dir(&key_file).unwrap();
    let refused = run(command(&home, &["project", "list"]), "");
    assert!(error(&refused).contains("[key-unavailable]"), "{refused:?}");
    assert!(!home.exists());
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (home, key_file) = (folder.path().join("home"), folder.path().join("home.key"));
    run(command(&home, &["project", "list"]), "");
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(mode)).unwrap();
        let listed = run(command(&home, &["project", "list"]), "");
        assert_eq!(listed.status.code(), Some(0));
        assert_eq!(error(&listed).contains("Others can read the key"), warned, "{mode:o}: {listed:?}");
    }
}

/// `mv store.db away`, one start, `mv` back: every picture is still there.
#[test]
fn a_database_that_was_away_for_one_start_is_not_made_anew() {
    let phone = Phone::joined();
    let (database, away) = (phone.home().join("store.db"), phone.folder.path().join("away.db"));
    let pictures = || {
        let folder = std::fs::read_dir(phone.home().join("media")).unwrap();
        folder.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = pictures();
    assert!(!before.is_empty(), "the study has pictures");
    std::fs::rename(&database, &away).unwrap();
    let refused = phone.run(&["forms"], "");
    assert!(error(&refused).contains("[storage-damaged]"), "{refused:?}");
    assert!(!database.exists());
    std::fs::rename(&away, &database).unwrap();
    assert_eq!(phone.run(&["forms"], "").status.code(), Some(0));
    assert_eq!(pictures(), before);
}

#[test]
fn every_event_is_kept_through_a_kill() {
    let phone = Phone::joined();
    let arguments = ["--json", "answer", "pi_newcomers", "--language", "tr", "--events", "-"];
    let mut child = phone.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(input, "{CONSENT}").unwrap();
    let reply: Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
    assert_eq!((&reply["event"], &reply["r"]), (&0.into(), &"ok".into()), "{reply}");
    let second = run(phone.command(&["drafts"]), "");
    assert!(error(&second).contains("[store-in-use]"), "{second:?}");
    write!(input, "{}", REASON.split_at(20).0).unwrap(); // in the middle of an event
    child.kill().unwrap();
    child.wait().unwrap();

    let id = reply["draft"].to_string();
    let events = phone.file("rest.jsonl", REASON);
    let arguments = ["--json", "answer", "pi_newcomers", "--draft", &id, "--events", &events, "--finalize"];
    let resumed = phone.run(&arguments, "");
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
    let said = lines(&resumed);
    assert_eq!(said[0], serde_json::json!({ "draft": reply["draft"], "event": 0, "r": "ok" }));
    let sent = phone.run(&["send"], "");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let received = phone.server().records("pi_newcomers").unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(said[1]["instance"], received[0].instance_id.as_str());
    let xml = String::from_utf8_lossy(&received[0].xml);
    assert!(xml.contains("<consent>no</consent>") && xml.contains("<refuse_reason>privacy</refuse_reason>"), "{xml}");
}

#[test]
fn a_refused_event_ends_the_script_and_leaves_the_draft() {
    let phone = Phone::joined();
    let refused = r#"{"op":"answer","ref":"/data/intro/consent","value":"perhaps"}"#;
    let events = phone.file("events.jsonl", &format!("{CONSENT}\n{refused}\n{REASON}\n"));
    let output = phone.run(&["--json", "answer", "pi_newcomers", "--events", &events, "--finalize"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let codes: Vec<_> = lines(&output).iter().map(|line| line["r"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes, ["ok", "invalid-choice"]);
    assert_eq!(phone.json(&["drafts"], "")["drafts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_record_that_is_not_complete_stays_a_draft() {
    let phone = Phone::joined();
    let output = phone.run(&["--json", "answer", "pi_newcomers", "--events", "-", "--finalize"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(error(&output).contains("/data/intro/consent: an answer is missing"), "{output:?}");
    assert!(error(&output).contains("[not-complete]"), "{output:?}");
    assert_eq!(phone.json(&["drafts"], "")["drafts"].as_array().unwrap().len(), 1);
    assert_eq!(phone.json(&["outbox"], "")["records"], serde_json::json!([]));
}

/// A finished record with a photo, and its instanceID.
fn photographed(phone: &Phone, photo: &str) -> String {
    let events = [
        ("g_setup/interviewer_id", "INT01"),
        ("g_setup/location", "LOC05"),
        ("g_case/case_kind", "walkin"),
        ("g_case/result", "not_found"),
        ("g_after/photo_place", "photo"),
    ];
    let events = events.map(|(node, value)| format!(r#"{{"op":"answer","ref":"/data/{node}","value":"{value}"}}"#));
    let attach = format!("photo={photo}");
    let arguments = ["--json", "answer", "pi_interview", "--events", "-", "--attach", &attach, "--finalize"];
    let output = phone.run(&arguments, &events.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    lines(&output).last().unwrap()["instance"].as_str().unwrap().to_owned()
}

#[test]
fn an_attachment_arrives_under_the_name_that_the_core_gave_it() {
    let phone = Phone::joined();
    let photo = phone.file("me.png", "\u{89}PNG, more or less");
    photographed(&phone, &photo);
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
    let received = phone.server().records("pi_interview").unwrap();
    let (name, bytes) = &received[0].attachments[0];
    assert_eq!(bytes, &std::fs::read(&photo).unwrap());
    assert!(name.starts_with("photo-place-") && name.ends_with(".png"), "{name}");
    assert!(String::from_utf8_lossy(&received[0].xml).contains(name.as_str()));
}

#[test]
fn a_file_of_an_unsent_record_is_replaced_or_dropped() {
    let phone = Phone::joined();
    let photo = phone.file("me.png", "a photo");
    let records: Vec<String> = (0..2).map(|_| photographed(&phone, &photo)).collect();
    std::fs::read_dir(phone.home().join("files"))
        .unwrap()
        .for_each(|file| std::fs::remove_file(file.unwrap().path()).unwrap());
    assert_eq!(phone.run(&["send"], "").status.code(), Some(1));
    let told = phone.run(&["outbox"], "");
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("needs attention") && told.contains("not on this phone any more"), "{told}");
    let listed = phone.json(&["outbox"], "");
    let names: Vec<&str> = listed["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["problems"][0]["name"].as_str().unwrap())
        .collect();
    assert_eq!(listed["records"][0]["reason"], "attachment-missing");

    let other = phone.file("other.png", "another photo");
    for (arguments, status) in [
        (&["file", "replace", &records[0], "nobody.png", &other][..], 1),
        (&["file", "replace", "99", names[0], &other], 1),
        (&["file", "replace", &records[0], names[0], "nowhere.png"], 1),
        (&["file", "replace", &records[0], names[0]], 2),
        (&["file", "drop", &records[1], "nobody.png"], 1),
        (&["file", "replace", &records[0], names[0], &other], 0),
        (&["file", "drop", &records[1], names[1]], 0),
    ] {
        let output = phone.run(arguments, "");
        assert_eq!(output.status.code(), Some(status), "{arguments:?} {output:?}");
    }
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
    let received = phone.server().records("pi_interview").unwrap();
    let files: Vec<_> = received.iter().flat_map(|record| &record.attachments).collect();
    assert_eq!(files.len(), 1, "the other goes without");
    assert_eq!((files[0].0.as_str(), files[0].1.as_slice()), (names[0], &b"another photo"[..]));
    assert_eq!(phone.run(&["file", "drop", &records[1], names[1]], "").status.code(), Some(1), "it is sent");
}

#[test]
fn what_cannot_be_sent_is_1_and_says_what_to_do() {
    let mut phone = Phone::joined();
    let instance = phone.finished();
    phone.server = None;
    let output = phone.run(&["send", "--until-empty", "1"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&instance) && said.contains("No internet.") && said.contains("[some-failed]"), "{said}");
    let mut in_dutch = phone.command(&["outbox"]);
    in_dutch.env("LC_ALL", "nl_NL.UTF-8");
    assert!(String::from_utf8_lossy(&run(in_dutch, "").stdout).contains("Geen internet."));
    let kept = phone.run(&["project", "remove", "1"], "");
    assert_eq!(kept.status.code(), Some(1), "{kept:?}");
    assert!(error(&kept).contains("[unsent-records]"), "{kept:?}");
}

#[test]
fn an_exported_record_is_queued_elsewhere_with_the_same_bytes() {
    let phone = Phone::joined();
    let instance = phone.finished();
    let folder = phone.folder.path().join("export");
    let folder = folder.to_str().unwrap();
    assert_eq!(phone.run(&["export", folder], "").status.code(), Some(1), "nobody said yes");
    let exported = phone.run(&["export", folder, "--yes"], "");
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    assert!(String::from_utf8_lossy(&exported.stdout).contains("readable"), "{exported:?}");
    let record = Path::new(folder).join(instance.replace(':', "_"));
    let xml = std::fs::read(record.join("submission.xml")).unwrap();
    assert!(!std::fs::read_to_string(record.join("record.json")).unwrap().contains(&phone.token));

    let other = phone.folder.path().join("other");
    let url = phone.server().project_url().unwrap();
    assert_eq!(run(command(&other, &["project", "add", "-"]), &url).status.code(), Some(0));
    let imported = run(command(&other, &["import", folder]), "");
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    assert!(String::from_utf8_lossy(&imported.stdout).contains(&format!("queued  {instance}")), "{imported:?}");
    assert_eq!(run(command(&other, &["send"]), "").status.code(), Some(0));
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
    let received = phone.server().records("pi_newcomers").unwrap();
    assert_eq!(received.len(), 1, "the same record twice is one");
    assert_eq!((&received[0].instance_id, &received[0].xml), (&instance, &xml));
}

#[test]
fn a_record_that_does_not_come_in_is_1_with_its_reason() {
    let phone = Phone::joined();
    phone.finished();
    let instance = phone.finished();
    let folder = phone.folder.path().join("export");
    let folder = folder.to_str().unwrap();
    assert_eq!(phone.run(&["export", folder, "--yes"], "").status.code(), Some(0));
    let xml = Path::new(folder).join(instance.replace(':', "_")).join("submission.xml");
    std::fs::write(xml, "<data/>").unwrap();
    let imported = phone.run(&["--json", "import", folder], "");
    assert_eq!(imported.status.code(), Some(1), "{imported:?}");
    let said = &lines(&imported)[0];
    assert_eq!([&said["queued"], &said["present"], &said["refused"]], [0, 1, 1], "{said}");
    let reasons: Vec<_> =
        said["records"].as_array().unwrap().iter().filter_map(|record| record["reason"].as_str()).collect();
    assert_eq!(reasons, ["broken-export"], "{said}");
    let nothing = phone.run(&["import", phone.folder.path().to_str().unwrap()], "");
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(error(&nothing).contains("no exported record"), "{nothing:?}");
}

#[test]
fn a_damaged_database_is_put_aside_said_and_deleted_only_with_yes() {
    let phone = Phone::joined();
    let instance = phone.finished();
    let database = phone.home().join("store.db");
    let sound = phone.json(&["home", "check"], "");
    assert_eq!((&sound["salvage"], &sound["missing"]), (&Value::Null, &serde_json::json!([])), "{sound}");

    // Within the proof of page 1: nothing can be opened as it is, and nothing is lost.
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[4050] ^= 1;
    std::fs::write(&database, &bytes).unwrap();
    let opened = phone.run(&["outbox"], "");
    assert_eq!(opened.status.code(), Some(0), "{opened:?}");
    assert!(String::from_utf8_lossy(&opened.stdout).contains(&instance), "{opened:?}");
    assert!(error(&opened).contains("records: 1 salvaged, 0 of them not complete; 0 lost"), "{opened:?}");
    assert_eq!(error(&phone.run(&["outbox"], "")), "", "it is said once");

    let kept = phone.json(&["home", "quarantine"], "");
    let name = kept["quarantines"][0]["name"].as_str().unwrap().to_owned();
    let put_aside = phone.home().join("quarantine").join(&name).join("store.db");
    assert!(std::fs::read(&put_aside).unwrap() == bytes);
    assert_eq!(phone.run(&["home", "delete", &name], "").status.code(), Some(1), "nobody said yes");
    assert!(put_aside.exists());
    assert_eq!(phone.run(&["home", "delete", &name, "--yes"], "").status.code(), Some(0));
    assert!(!put_aside.exists());
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
}

/// What one sees of a home where nothing can be written, whoever runs the tests: forms, drafts and records are listed, and
/// the record of the outbox leaves. `command` is how the program is run there.
fn assert_read_and_sent_from(phone: &Phone, command: impl Fn(&[&str]) -> Command) {
    let instance = phone.finished();
    let before = phone.server().records("pi_newcomers").unwrap().len();
    for arguments in [&["forms"][..], &["drafts"], &["outbox"]] {
        let listed = run(command(arguments), "");
        assert_eq!(listed.status.code(), Some(0), "{arguments:?}: {listed:?}");
        let said = String::from_utf8_lossy(&listed.stdout).contains("pi_newcomers");
        assert!(said || arguments != ["forms"], "{listed:?}");
    }
    let events = phone.file("more.jsonl", &format!("{CONSENT}\n"));
    let refused = run(command(&["answer", "pi_newcomers", "--events", &events]), "");
    assert_eq!(refused.status.code(), Some(1), "no answer can be kept: {refused:?}");
    let sent = run(command(&["send"]), "");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let received = phone.server().records("pi_newcomers").unwrap();
    assert_eq!(received.len(), before + 1);
    assert!(received.iter().any(|record| record.instance_id == instance), "{instance}");
    // It is written when it can be: at the latest it is sent again, the same bytes under the same id.
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
    assert_eq!(phone.server().records("pi_newcomers").unwrap().len(), before + 1);
}

/// No file may grow by a byte: what is left on a disk that is full to the last one.
#[test]
#[cfg(unix)]
fn full_to_the_last_byte_it_opens_is_read_and_sends() {
    let phone = Phone::joined();
    assert_read_and_sent_from(&phone, |arguments| {
        let inner = phone.command(arguments);
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        command.env("TZ", "UTC");
        command
    });
}

/// As somebody who may read everything and write nothing: root, whom no permission stops, becomes nobody for it.
#[test]
#[cfg(target_os = "linux")]
fn a_home_that_cannot_be_written_is_read_exported_and_sent_from() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let phone = Phone::joined();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let program = phone.folder.path().join("veldwerk");
    std::fs::copy(env!("CARGO_BIN_EXE_veldwerk"), &program).unwrap();
    let open_to = phone.folder.path().join("exports");
    std::fs::create_dir(&open_to).unwrap();
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let as_nobody = |arguments: &[&str]| {
        for path in [phone.folder.path(), &open_to] {
            set(path, 0o777);
        }
        let mut paths = vec![phone.home(), phone.home().with_extension("key")];
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if is_root {
                chown(&path, Some(NOBODY), None).unwrap();
            }
            set(&path, if path.is_dir() { 0o500 } else { 0o400 });
        }
        let mut command = Command::new(&program);
        command.args(phone.command(arguments).get_args()).env("TZ", "UTC");
        if is_root {
            command.uid(NOBODY);
        }
        command
    };
    let instance = phone_writes(&phone, || phone.finished());
    let folder = open_to.join("all");
    let exported = run(as_nobody(&["export", folder.to_str().unwrap(), "--yes"]), "");
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    assert!(folder.join(instance.replace(':', "_")).join("submission.xml").exists());
    phone_writes(&phone, || assert_eq!(phone.run(&["send"], "").status.code(), Some(0)));
    let read_only = |arguments: &[&str]| as_nobody(arguments);
    phone_writes(&phone, || ());
    assert_read_and_sent_from(&phone, read_only);
}

/// Folders that may not be entered or written: what cannot be done says so, and nothing is lost by it.
#[test]
#[cfg(target_os = "linux")]
fn folders_without_permission_are_told_and_cost_nothing() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let phone = Phone::joined();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let program = phone.folder.path().join("veldwerk");
    std::fs::copy(env!("CARGO_BIN_EXE_veldwerk"), &program).unwrap();
    let photo = phone.file("me.png", "a photo");
    photographed(&phone, &photo);
    let locked = phone.folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(phone.folder.path(), 0o755);
    // Root, whom no permission stops, becomes nobody, to whom all of it belongs.
    if is_root {
        let mut paths = vec![phone.home(), phone.home().with_extension("key"), locked.clone()];
        while let Some(path) = paths.pop() {
            chown(&path, Some(NOBODY), None).unwrap();
            if path.is_dir() {
                paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(phone.command(arguments).get_args()).env("TZ", "UTC").env("LC_ALL", "C");
        if is_root {
            command.uid(NOBODY);
        }
        run(command, "")
    };
    let refused = |arguments: &[&str], code: &str| {
        let output = as_nobody(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
        assert!(error(&output).contains(code), "{arguments:?} {output:?}");
    };
    set(&locked, 0o000);
    let (below, inside) = (locked.join("copies"), locked.to_str().unwrap());
    refused(&["export", below.to_str().unwrap(), "--yes"], "[io]");
    refused(&["discard", "--all", "--export", below.to_str().unwrap()], "[io]");
    refused(&["import", inside], "[io]");
    let files = phone.home().join("files");
    set(&files, 0o000);
    refused(&["send"], "[some-failed]");
    let waiting = String::from_utf8(as_nobody(&["outbox"]).stdout).unwrap();
    assert!(waiting.contains("A file cannot be read or saved.") && !waiting.contains("internet"), "{waiting}");
    refused(&["export", phone.home().join("copies").to_str().unwrap(), "--yes"], "[some-failed]");
    set(&phone.home(), 0o000);
    refused(&["outbox"], "[io]");
    for path in [&phone.home(), &files] {
        set(path, 0o700);
    }
    let sent = as_nobody(&["send"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(phone.server().records("pi_interview").unwrap()[0].attachments[0].1, b"a photo");
}

/// Gives the home back to its owner for a moment.
#[cfg(target_os = "linux")]
fn phone_writes<T>(phone: &Phone, act: impl FnOnce() -> T) -> T {
    use std::os::unix::fs::PermissionsExt;
    let mut paths = vec![phone.home()];
    while let Some(path) = paths.pop() {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    act()
}

#[test]
fn serve_says_how_to_join_and_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--json", "serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut child = command(&folder.path().join("home"), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let project = said["project_url"].as_str().unwrap();
    assert!(project.contains("/v1/key/") && project.ends_with("/projects/1"), "{said}");
    assert!(!said["settings_code"].as_str().unwrap().is_empty());
    let texts = said.as_object().unwrap().values().filter_map(Value::as_str);
    assert!(texts.clone().any(|text| text.contains("/?key=")), "{said}");
}

/// What a person sees who refuses in Arabic before leaving; the draft is finished later, and arrives.
fn refusal_in_arabic(bidi: &str) -> String {
    let phone = Phone::joined();
    let arguments = ["fill", "pi_newcomers", "--language", "ar", "--bidi", bidi];
    // Two notes to read, no as the second choice, and away.
    let left = phone.run(&arguments, "\n\n2\nq\n");
    assert_eq!(left.status.code(), Some(0), "{left:?}");
    let drafts = phone.json(&["drafts"], "");
    let id = drafts["drafts"][0]["draft"].to_string();
    let again = ["fill", "pi_newcomers", "--draft", &id, "--bidi", bidi];
    // The reason, a note to read, and finished; where it stands at first does not matter.
    let finished = phone.run(&again, "2\n\nf\nf\n");
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(phone.run(&["send"], "").status.code(), Some(0));
    let received = phone.server().records("pi_newcomers").unwrap();
    let xml = String::from_utf8_lossy(&received[0].xml).into_owned();
    assert!(xml.contains("<consent>no</consent>") && xml.contains("<refuse_reason>privacy</refuse_reason>"), "{xml}");
    String::from_utf8_lossy(&left.stdout).into_owned()
}

#[test]
fn right_to_left_text_goes_to_the_terminal_as_it_is_read_or_as_it_stands() {
    // "Do you want to take part?"
    let question = "هل تريد المشاركة؟";
    let left = refusal_in_arabic("logical");
    assert!(left.contains(&format!("\u{2067}{question}\u{2069}")), "{left}");
    let left = refusal_in_arabic("visual");
    let turned: String = question.chars().rev().collect();
    assert!(left.contains(&turned) && !left.contains(question), "{left}");
    assert!(!left.contains(['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}']), "{left}");
}

#[test]
fn an_answer_that_is_needed_is_asked_for_until_it_is_there() {
    let phone = Phone::joined();
    let output = phone.run(&["fill", "pi_newcomers", "--language", "en"], "\n\n\n9\n1\nq\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Please check"), "{said}");
    assert!(said.contains("This answer does not fit here."), "{said}");
    let drafts = phone.json(&["drafts"], "");
    assert_eq!(drafts["drafts"].as_array().unwrap().len(), 1);
    assert!(said.contains(&format!("--draft {}", drafts["drafts"][0]["draft"])), "{said}");
}

#[test]
fn records_leave_the_outbox_by_retry_discard_and_forget() {
    let phone = Phone::joined();
    let (sent, unsent) = (phone.finished(), {
        let sent = phone.run(&["send"], "");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        phone.finished()
    });
    for arguments in [&["retry"][..], &["discard", "--all", "--form", "x"], &["forget", "1", "--all"]] {
        assert_eq!(phone.run(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(phone.run(&["forget", &unsent], "").status.code(), Some(1), "it is not sent");
    assert_eq!(phone.json(&["forget", &sent], "")["forgotten"], 1);
    assert_eq!(phone.json(&["retry", "--form", "pi_newcomers"], "")["ready"], 1);
    assert_eq!(phone.run(&["discard", "--all"], "").status.code(), Some(1), "neither --export nor --yes");
    let folder = phone.folder.path().join("copies");
    let discarded = phone.json(&["discard", "--all", "--export", folder.to_str().unwrap()], "");
    assert_eq!((&discarded["discarded"], &discarded["kept"]), (&1.into(), &0.into()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(phone.json(&["outbox"], "")["records"], serde_json::json!([]));
}

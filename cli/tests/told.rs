//! What the command line tells: no secret that was typed in a wrong place, nothing that steers a terminal, and no panic when
//! nobody can be told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use veldwerk_server::{FormSource, Server, ServerConfig, serve};

/// In every secret, and in nothing else.
const MARK: &str = "S3cr3t";

/// What people paste: tokens, addresses that hold one, codes, passwords, answers, names of files.
const SECRETS: [&str; 10] = [
    "S3cr3t",
    "https://e.org/v1/key/S3cr3t/projects/1",
    "https://e.org/-/single/x?st=S3cr3t",
    "https://ada:S3cr3t@e.org/",
    "https%3A%2F%2Fe.org%2Fv1%2Fkey%2FS3cr3t",
    "eJyrVkrLL8pNLFGyUsooKSmw0tdPzNVLzs/SrQopTSxKBAAS3cr3t",
    r#"{"general":{"server_url":"https://e.org/v1/key/S3cr3t"}}"#,
    "/home/ada/S3cr3t.jpg",
    "7 S3cr3t\u{1b}]0;S3cr3t\u{7}",
    "1=S3cr3t",
];

/// A home with a project, in a folder where everything runs.
struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    fn joined() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
        let place = Self { folder, server };
        let added = place.run(&["project", "add", "-"], &place.server.project_url().unwrap());
        assert_eq!(added.status.code(), Some(0), "{added:?}");
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veldwerk"));
        command.current_dir(self.folder.path()).env("TZ", "UTC").env_remove("VELDWERK_KEY_FILE");
        // The default home lies in the folder, too, whatever --home says.
        command.env("XDG_DATA_HOME", self.folder.path()).env("HOME", self.folder.path()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that reads no input may have ended before it was given.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A command with all that its help names.
#[derive(Debug)]
struct Form {
    words: Vec<String>,
    options: Vec<String>,
    /// Options that must be there, with a value that will do.
    required: Vec<(String, &'static str)>,
    /// Values that will do.
    positions: Vec<&'static str>,
}

/// Every command and what it takes, as the help says.
fn forms(place: &Place, words: &[String]) -> Vec<Form> {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["-h"]).collect();
    let help = told(&place.run(&arguments, ""));
    let names: Vec<String> = section(&help, "Commands:")
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    if !names.is_empty() {
        let inner = |name: &String| forms(place, &[words, std::slice::from_ref(name)].concat());
        return names.iter().flat_map(inner).collect();
    }
    let options =
        section(&help, "Options:").map(str::trim).filter(|line| line.contains(" <") && line.starts_with("--"));
    let options: Vec<String> = options.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    let usage = help.lines().find(|line| line.starts_with("Usage:")).unwrap().to_owned();
    let usage = usage.split("[OPTIONS]").nth(1).unwrap_or_default().to_owned();
    let mut required = Vec::new();
    let mut positions = Vec::new();
    let mut before = String::new();
    for word in usage.split_whitespace() {
        if word.starts_with('<') && word.ends_with('>') {
            if before.starts_with("--") {
                required.push((before.clone(), value(word)))
            } else {
                positions.push(value(word))
            }
        }
        before = word.to_owned();
    }
    vec![Form { words: words.to_vec(), options, required, positions }]
}

fn section<'a>(help: &'a str, title: &'a str) -> impl Iterator<Item = &'a str> {
    help.lines().skip_while(move |line| *line != title).skip(1).take_while(|line| !line.is_empty())
}

/// What a command takes for this word of its usage.
fn value(placeholder: &str) -> &'static str {
    match placeholder {
        "<FORM>" => "pi_newcomers",
        "<FORM.xml>" => "form.xml",
        "<FILE>" | "<EVENTS.jsonl>" | "<JOBS.jsonl>" => "events.jsonl",
        "<DIR>" => "stick",
        _ => "1",
    }
}

#[test]
fn no_secret_in_a_wrong_place_of_any_command_is_repeated() {
    let place = Place::joined();
    assert_eq!(place.run(&["refresh"], "").status.code(), Some(0));
    place.write("events.jsonl", "{\"op\":\"answer\",\"ref\":\"/data/S3cr3t\",\"value\":\"S3cr3t\"}\n");
    place.write("form.xml", "<S3cr3t>");
    let forms = forms(&place, &[]);
    let known: Vec<_> = forms.iter().map(|form| form.words.join(" ")).collect();
    assert!(known.len() >= 15 && known.contains(&"project add".to_owned()), "{known:?}");

    let mut n_lines = 0;
    let mut secrets = SECRETS.iter().cycle();
    let mut check = |arguments: &[&str], may_start: bool| {
        // What would begin to serve or to show is stopped by one word more.
        let stop: &[&str] = if may_start { &["--stop"] } else { &[] };
        let arguments = [arguments, stop].concat();
        for json in [&["--json"][..], &[]] {
            let output = place.run(&[json, &arguments].concat(), "S3cr3t\n");
            assert!(!told(&output).contains(MARK), "{arguments:?}: {}", told(&output));
            assert!(!told(&output).contains("panicked"), "{arguments:?}: {}", told(&output));
            n_lines += 1;
        }
    };
    for secret in SECRETS {
        check(&[secret], false);
        check(&["project", secret], false);
        check(&["project", "add", secret], false);
        check(&["project", "add", "--qr", secret], false);
        check(&["answer", secret, "--events", "events.jsonl"], false);
        check(&["answer", "pi_newcomers", "--events", "events.jsonl", "--language", secret], false);
        check(&["answer", "pi_newcomers", "--events", secret], false);
        check(&["import", secret], false);
        check(&["drive", secret, "events.jsonl"], false);
    }
    for form in &forms {
        let words: Vec<&str> = form.words.iter().map(String::as_str).collect();
        let may_start = matches!(words.as_slice(), ["serve" | "demo"]);
        let base = |skipped: &str| -> Vec<&str> {
            let required = form.required.iter().filter(|(name, _)| name != skipped);
            let required = required.flat_map(|(name, value)| [name.as_str(), *value]);
            words.iter().copied().chain(required).chain(form.positions.iter().copied()).collect()
        };
        let mut next = || *secrets.next().unwrap();
        check(&[base(""), vec![next()]].concat(), may_start);
        check(&[base(""), vec![&format!("--{}", next())]].concat(), may_start);
        check(&[base(""), vec![&format!("-{}", next())]].concat(), may_start);
        for name in &form.options {
            // The name that a person gives a project is there to be shown.
            if name == "--name" {
                continue;
            }
            check(&[base(name), vec![name, next()]].concat(), may_start);
            check(&[base(name), vec![&format!("{name}={}", next())]].concat(), may_start);
        }
        for at in 0..form.positions.len() {
            let mut arguments = base("");
            let place = arguments.len() - form.positions.len() + at;
            arguments[place] = next();
            check(&arguments, may_start);
        }
    }
    assert!(n_lines > 300, "only {n_lines} command lines");
}

/// A form whose author, or whose server, means harm.
const HOSTILE_TITLE: &str = "Visit\u{9b}31m\u{202e}7\u{9d}0;x\u{9c}\u{2067}";

fn hostile_form() -> FormSource {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa">
             <h:head><h:title>{HOSTILE_TITLE}</h:title><model>
               <instance><data id="hostile" version="1{HOSTILE_TITLE}"><a/><meta><instanceID/><instanceName/></meta></data></instance>
               <bind nodeset="/data/a" type="string" required="true()" jr:requiredMsg="{HOSTILE_TITLE}" constraint=". != 'no'" jr:constraintMsg="{HOSTILE_TITLE}"/>
               <bind nodeset="/data/meta/instanceID" type="string" calculate="'id:{HOSTILE_TITLE}'"/>
               <bind nodeset="/data/meta/instanceName" type="string" calculate="'{HOSTILE_TITLE}'"/>
             </model></h:head>
             <h:body><input ref="/data/a"><label>{HOSTILE_TITLE}</label><hint>{HOSTILE_TITLE}</hint></input></h:body>
           </h:html>"#
    );
    FormSource { xml: xml.into_bytes(), files: vec![] }
}

/// Whether a terminal would take any of it for more than text.
fn steers(told: &str) -> bool {
    let balance = |line: &str| {
        line.chars().try_fold(0_i32, |open, c| match c {
            '\u{2066}'..='\u{2068}' => Some(open + 1),
            '\u{2069}' if open == 0 => None,
            '\u{2069}' => Some(open - 1),
            _ => Some(open),
        })
    };
    told.contains(|c: char| c != '\n' && c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'))
        || told.lines().any(|line| balance(line) != Some(0))
}

#[test]
fn the_words_of_strangers_steer_no_terminal_in_any_command() {
    let place = Place::joined();
    place.server.publish(&hostile_form()).unwrap();
    place.write("hostile.xml", std::str::from_utf8(&hostile_form().xml).unwrap());
    place.write("wrong.jsonl", "{\"op\":\"answer\",\"ref\":\"/data/a\",\"value\":\"no\"}\n");
    place.write("right.jsonl", "{\"op\":\"answer\",\"ref\":\"/data/a\",\"value\":\"yes\"}\n");
    let bad = place.folder.path().join("bad-stick/\u{1b}[2J");
    fs::create_dir_all(&bad).unwrap();
    fs::write(bad.join("record.json"), "{}").unwrap();

    let mut n_told = 0;
    let mut check = |arguments: &[&str], input: &str, status: i32| {
        let output = place.run(arguments, input);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        assert!(!steers(&told(&output)), "{arguments:?}: {:?}", told(&output));
        n_told += usize::from(told(&output).contains("31m"));
    };
    for json in [&["--json"][..], &[]] {
        let with = |arguments: &[&'static str]| [json, arguments].concat();
        check(&with(&["project", "add", "--url", "https://e.org", "--name", HOSTILE_TITLE]), "", 0);
        check(&with(&["project", "set", "2", "--name", HOSTILE_TITLE]), "", 0);
        check(&with(&["project", "list"]), "", 0);
        check(&with(&["refresh", "--project", "1"]), "", 0);
        for command in ["forms", "drafts"] {
            check(&with(&[command, "--project", "1"]), "", 0);
        }
        check(&with(&["fill", "hostile", "--project", "1"]), "\n?\nno\nyes\nq\n", 0);
        check(&with(&["drafts", "--project", "1"]), "", 0);
        check(&with(&["answer", "hostile", "--project", "1", "--events", "wrong.jsonl", "--finalize"]), "", 1);
        check(&with(&["answer", "hostile", "--project", "1", "--events", "right.jsonl", "--finalize"]), "", 0);
        check(&with(&["outbox", "--project", "1"]), "", 0);
        check(&with(&["export", "stick", "--yes", "--project", "1"]), "", 0);
        check(&with(&["import", "stick", "--project", "1"]), "", 0);
        check(&with(&["import", "bad-stick", "--project", "1"]), "", 1);
        check(&with(&["discard", "--form", HOSTILE_TITLE, "--yes", "--project", "1"]), "", 0);
        check(&with(&["send", "--project", "1"]), "", 0);
        check(&with(&["retry", HOSTILE_TITLE, "--project", "1"]), "", 1);
        check(&with(&["forget", "--form", "hostile", "--project", "1"]), "", 0);
        check(&with(&["drive", "hostile.xml", "right.jsonl"]), "", 0);
    }
    assert!(n_told >= 20, "only {n_told} commands showed the title");
}

#[test]
#[cfg(target_os = "linux")]
fn nobody_who_listens_is_no_panic() {
    let place = Place::joined();
    assert_eq!(place.run(&["refresh"], "").status.code(), Some(0));
    for arguments in [&["forms"][..], &["--json", "forms"], &["project", "list"], &["--help"], &["outbox"], &["drafts"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(!told(&output).contains("panicked"), "{arguments:?}: {output:?}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert_eq!(told(&output), "", "{arguments:?}");

        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let nowhere = place.command(&["no-such-command"]).stderr(full).status().unwrap();
        assert_eq!(nowhere.code(), Some(2));
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place.command(&["forms"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert!(told(&output).contains("[io]"), "{output:?}");
}

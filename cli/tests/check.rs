//! `veldwerk check` from outside: its statuses, its JSON, its words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const QUESTION: &str =
    r#"<select1 ref="/d/a"><label ref="jr:itext('a')"/><item><label>x</label><value>x</value></item></select1>"#;
const ITEXT: &str = r#"<itext><translation lang="en"><text id="a"><value>A</value><value form="image">jr://images/a.png</value></text></translation></itext>"#;

fn form(model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa">
        <h:head><h:title>Wells</h:title><model>{ITEXT}<instance><d id="wells" version="2"><a/><b/><meta><instanceID/></meta></d></instance>
        {model}<bind nodeset="/d/meta/instanceID" jr:preload="uid"/></model></h:head><h:body>{body}</h:body></h:html>"#
    )
}

fn run(arguments: &[&str]) -> Output {
    // A home that does not exist: checking needs none, and makes none.
    let mut command = Command::new(env!("CARGO_BIN_EXE_veldwerk"));
    command.env("VELDWERK_HOME", "/nonexistent/home").args(arguments).output().unwrap()
}

fn checked(form: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = run(&[&["--json", "check", form.to_str().unwrap()], more].concat());
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), said)
}

fn codes(said: &Value) -> Vec<&str> {
    said["diagnostics"].as_array().unwrap().iter().map(|told| told["code"].as_str().unwrap()).collect()
}

#[test]
fn the_status_says_whether_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wells.xml");
    let rows = [
        (form("", QUESTION), 0, vec![]),
        (form(r#"<bind nodeset="/d/z" type="int"/>"#, QUESTION), 0, vec!["rule-of-nothing"]),
        (form("", &QUESTION.replace("/d/a", "/d/z")), 1, vec!["bad-reference", "nothing-asked", "unused-text"]),
        (form(r#"<bind nodeset="/d/a" relevant="1 +"/>"#, QUESTION), 1, vec!["xpath-syntax"]),
        ("<html".to_owned(), 1, vec!["not-xml"]),
    ];
    for (xml, status, expected) in rows {
        std::fs::write(&file, &xml).unwrap();
        let (code, said) = checked(&file, &[]);
        assert_eq!((code, codes(&said)), (Some(status), expected), "{xml}");
        let words = run(&["check", file.to_str().unwrap()]);
        assert_eq!(words.status.code(), Some(status));
        let text = String::from_utf8(words.stdout).unwrap();
        assert!(codes(&said).iter().all(|code| text.contains(&format!("[{code}]"))), "{text}");
        assert!(text.lines().last().unwrap().ends_with("notes"), "{text}");
    }
    for wrong in [&["check"][..], &["check", "/nonexistent/form.xml"], &["check", "--nope", "x.xml"]] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let no_folder = run(&["check", file.to_str().unwrap(), "--media", "/nonexistent"]);
    assert_eq!(no_folder.status.code(), Some(2));
}

#[test]
fn a_program_reads_where_what_and_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wells.xml");
    std::fs::write(&file, form(r#"<bind nodeset="/d/b" calculate="/d/a = 'y'"/>"#, QUESTION)).unwrap();
    let (code, said) = checked(&file, &[]);
    assert_eq!(code, Some(0));
    let of_the_form = [said["form"].clone(), said["version"].clone(), said["title"].clone(), said["questions"].clone()];
    assert_eq!(of_the_form, [json!("wells"), json!("2"), json!("Wells"), json!(1)]);
    assert_eq!([&said["errors"], &said["warnings"], &said["notes"]], [&json!(0), &json!(1), &json!(0)]);
    let told = &said["diagnostics"][0];
    assert_eq!(
        [&told["code"], &told["level"], &told["place"], &told["name"]],
        [&json!("never-chosen"), &json!("warning"), &json!("/d/b"), &json!("b")]
    );
    assert!(told["text"].as_str().unwrap().contains("/d/a with 'y' in calculation"), "{told}");
    assert!(!told["advice"].as_str().unwrap().is_empty());
    let dearest = &said["dearest"][0];
    assert_eq!(
        [&dearest["name"], &dearest["part"], &dearest["evaluations"]],
        [&json!("b"), &json!("calculation"), &json!(2)]
    );
    assert_eq!(
        said["languages"],
        json!([{ "name": "en", "default": true, "texts": 1, "missing_texts": 0, "sounds": 0, "missing_sounds": 0 }])
    );
}

#[test]
fn files_are_looked_for_in_the_folder_named_or_beside_the_form() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wells.xml");
    let list = r#"<instance id="l" src="jr://file-csv/l.csv"/><bind nodeset="/d/b" calculate="count(instance('l')/root/item)"/>"#;
    std::fs::write(&file, form(list, QUESTION)).unwrap();
    // Lists beside the form; of pictures nothing is said.
    assert_eq!(codes(&checked(&file, &[]).1), ["missing-file"]);
    std::fs::write(folder.path().join("l.csv"), "name\na\n").unwrap();
    assert_eq!(codes(&checked(&file, &[]).1), [""; 0]);
    // The folder that pyxform and Central name.
    let media = folder.path().join("wells-media");
    std::fs::create_dir(&media).unwrap();
    let places = |said: &Value| {
        said["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|told| told["place"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&checked(&file, &[]).1), ["l.csv", "a.png"]);
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, content) in [("l.csv", "name\na\n"), ("a.png", "")] {
        std::fs::write(elsewhere.path().join(name), content).unwrap();
    }
    assert_eq!(codes(&checked(&file, &["--media", elsewhere.path().to_str().unwrap()]).1), [""; 0]);
}

/// A list that is too much work to find out is no empty list, for a program either.
#[test]
fn drive_says_that_choices_are_too_much_work() {
    let folder = tempfile::tempdir().unwrap();
    let (file, events) = (folder.path().join("wells.xml"), folder.path().join("events.jsonl"));
    let list = format!("<instance id='l'><root>{}</root></instance>", "<i><n>1</n></i>".repeat(2_000));
    let dear = "count(instance('l')/root/i[count(../i[n = '2']) &gt; 0])";
    let offering = |rows: &str| {
        format!(
            "<select1 ref='/d/a'><itemset nodeset=\"instance('l')/root/i[{rows}]\"><value ref='n'/></itemset></select1>"
        )
    };
    std::fs::write(&events, "").unwrap();
    for (rows, n, error) in [(format!("{dear} = 0"), 0, json!("too-large")), ("n = '2'".to_owned(), 0, Value::Null)] {
        std::fs::write(&file, form(&list, &offering(&rows))).unwrap();
        let output = run(&["drive", file.to_str().unwrap(), events.to_str().unwrap()]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let control = &said["state"]["controls"][0];
        assert_eq!((control["choices"].as_array().unwrap().len(), &control["error"]), (n, &error), "{rows}");
    }
}

//! Forms that are broken, and what their author is told: a stable code, where it is, and a form that works as far as it can.
//!
//! Bad days of the store are tested in `core/src/store`, of the network in `sync.rs`, of drafts in `client.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;

use veldwerk::ErrorKind;
use veldwerk::form::{Diagnostic, DiagnosticKind, FormDef};

fn form(model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa"
            xmlns:odk="http://www.opendatakit.org/xforms"><h:head><h:title>T</h:title><model>
            <instance><d id="t"><a/><b/><meta><instanceID/></meta></d></instance>{model}</model></h:head><h:body>{body}</h:body></h:html>"#
    )
}

fn refused(xml: &str) -> ErrorKind {
    let error = FormDef::load(xml, &()).unwrap_err();
    assert!(!error.kind().advice().is_empty() && error.to_string().contains(error.kind().code()));
    error.kind()
}

fn told(xml: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<Diagnostic> {
    FormDef::load(xml, files).unwrap().1
}

#[test]
fn forms_that_cannot_be_filled_are_refused_with_a_code() {
    let calculate = |expression: &str| form(&format!(r#"<bind nodeset="/d/a" calculate="{expression}"/>"#), "");
    let rows = [
        ("", ErrorKind::NotXml),
        ("<h:html", ErrorKind::NotXml),
        ("\u{0}\u{1}", ErrorKind::NotXml),
        ("<html><body/></html>", ErrorKind::NotXforms),
        ("<xforms xmlns='http://openrosa.org/xforms/xformsList'/>", ErrorKind::NotXforms),
        (&form("", "").replace("id=\"t\"", ""), ErrorKind::NotXforms),
        (&calculate("1 +"), ErrorKind::XpathSyntax),
        (&calculate("no-such-thing(1)"), ErrorKind::UnknownFunction),
        (&calculate("if(1)"), ErrorKind::WrongArguments),
        (&calculate("/d/a + 1"), ErrorKind::Cycle),
    ];
    for (xml, expected) in rows {
        assert_eq!(refused(xml), expected, "{xml}");
    }
}

#[test]
fn everything_else_is_said_and_the_form_works() {
    let list = r#"<instance id="l" src="jr://file-csv/l.csv"/><bind nodeset="/d/b" calculate="count(instance('l')/root/item)"/>"#;
    let rows: [(String, DiagnosticKind, &str); 8] = [
        (form(list, ""), DiagnosticKind::MissingFile, "l.csv"),
        (form(r#"<bind nodeset="/d/x" type="int"/>"#, ""), DiagnosticKind::RuleOfNothing, "/d/x"),
        (form("", r#"<input ref="/d/x"/>"#), DiagnosticKind::BadReference, "/d/x"),
        (form("", r#"<input ref="/d/a"><label ref="jr:itext('gone')"/></input>"#), DiagnosticKind::MissingText, "gone"),
        (form(r#"<bind nodeset="/d/a" calculate="instance('x')/root/item"/>"#, ""), DiagnosticKind::UnknownList, "x"),
        (form("", r#"<dance ref="/d/a"/>"#), DiagnosticKind::UnknownPart, "/d/a"),
        (form(r#"<odk:setgeopoint ref="/d/a" event="odk-instance-load"/>"#, ""), DiagnosticKind::Unsupported, "/d/a"),
        (
            form(r#"<submission base64RsaPublicKey="k"/>"#, ""),
            DiagnosticKind::Refused(ErrorKind::EncryptionNeeded),
            "submission",
        ),
    ];
    for (xml, expected, place) in rows {
        let told = told(&xml, &BTreeMap::new());
        assert!(told.iter().any(|told| told.kind == expected && told.place.contains(place)), "{expected:?}: {told:?}");
    }
}

#[test]
fn a_broken_line_of_a_list_costs_only_itself() {
    let list = r#"<instance id="l" src="jr://file-csv/l.csv"/><bind nodeset="/d/b" calculate="count(instance('l')/root/item)"/>"#;
    let files = BTreeMap::from([("l.csv".to_owned(), b"name,label\na,1\nb,\"open\nc,3\n".to_vec())]);
    let (definition, told) = FormDef::load(&form(list, ""), &files).unwrap();
    assert_eq!(
        told.iter().map(|told| (told.kind, told.place.as_str())).collect::<Vec<_>>(),
        [(DiagnosticKind::BadCsv, "l.csv, line 3")]
    );
    let settings = veldwerk::engine::Settings { time_zone: jiff::tz::TimeZone::UTC, properties: BTreeMap::new() };
    let step = veldwerk::clock::Step { at: 0, seed: 0, number: 0 };
    let engine = veldwerk::engine::Engine::begin(definition.into(), settings, step, None).unwrap();
    assert_eq!(engine.value_at("/d/b"), "2");
}

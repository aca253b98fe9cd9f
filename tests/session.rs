//! Screens, moving, and the journal: a session replayed from its edits is the session that was in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::clock::Step;
use veldwerk::form::FormDef;
use veldwerk::ids::NodeId;
use veldwerk::session::{Edit, FormSession, Policy, ScreenKey, ScreenKind, Settings, State, ViolationKind};

fn settings() -> Settings {
    Settings { time_zone: TimeZone::get("Europe/Amsterdam").unwrap(), properties: BTreeMap::new() }
}

/// Every step has a moment of its own, as in a real journal.
fn step(number: u64) -> Step {
    Step { at: 1_768_478_400_000 + number as i64 * 61_000, seed: 99, number }
}

fn load(xml: &str) -> Arc<FormDef> {
    Arc::new(FormDef::load(xml, &()).unwrap().0)
}

fn small() -> Arc<FormDef> {
    load(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms">
          <h:head><h:title>T</h:title><model>
            <itext><translation lang="Nederlands (nl)" default=""><text id="a"><value>Eerste **vraag**</value></text><text id="b"><value>Tweede</value></text></translation>
                   <translation lang="العربية (ar)"><text id="a"><value>-</value></text><text id="b"><value>ثانيا <output value="/d/a"/></value></text></translation></itext>
            <instance><d id="t" version="1"><a/><g><x/><y/></g><on/><off/><r jr:template=""><v/><when/><id/></r><f jr:template=""><p/></f><f><p/></f><hidden/><meta><instanceID/></meta></d></instance>
            <bind nodeset="/d/a" required="true()" jr:requiredMsg="Please"/>
            <bind nodeset="/d/g/x" type="int" constraint=". &lt; 10" jr:constraintMsg="Below ten"/>
            <bind nodeset="/d/off" relevant="/d/on = '1'"/>
            <bind nodeset="/d/r/when" calculate="once(string(now()))"/>
            <bind nodeset="/d/r/id" calculate="once(uuid())"/>
            <bind nodeset="/d/meta/instanceID" jr:preload="uid"/></model></h:head>
          <h:body>
            <input ref="/d/a"><label ref="jr:itext('a')"/></input>
            <group ref="/d/g" appearance="field-list"><label>Both</label><input ref="/d/g/x"><label ref="jr:itext('b')"/></input><input ref="/d/g/y"/></group>
            <input ref="/d/on"/><input ref="/d/off"/>
            <group ref="/d/r"><label>People</label><repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat></group>
            <repeat nodeset="/d/f" appearance="field-list" jr:noAddRemove="true()"><input ref="/d/f/p"/></repeat>
          </h:body></h:html>"#,
    )
}

fn names(session: &FormSession) -> Vec<String> {
    session.screens().iter().map(|key| session.screen_path(key)).collect()
}

fn answer(node: &str, value: &str) -> Edit {
    Edit::Answer { node: node.into(), value: Some(value.into()) }
}

#[test]
fn screens_follow_the_body() {
    let mut session = FormSession::begin(small(), settings(), None, step(0), None).unwrap();
    assert_eq!(names(&session), ["/d/a", "/d/g", "/d/on", "/d/r+", "/d/f[1]", "end"]);
    session.apply(&answer("/d/on", "1"), step(1)).unwrap();
    session.apply(&Edit::Add { range: "/d/r".into() }, step(2)).unwrap();
    assert_eq!(names(&session), ["/d/a", "/d/g", "/d/on", "/d/off", "/d/r[1]/v", "/d/r+", "/d/f[1]", "end"]);
    let group = session.screen_at("/d/g").unwrap();
    let view = session.screen(&group);
    assert_eq!((view.kind, view.questions.len(), view.path[0].plain.as_str()), (ScreenKind::FieldList, 2, "Both"));
    assert_eq!(session.screen(&session.screen_at("/d/r+").unwrap()).kind, ScreenKind::Add);
    assert_eq!(session.goto(session.node("/d/g/y").unwrap()), Some(group));
}

/// A form of one group, its attributes and its controls given.
fn group(attributes: &str, binds: &str, controls: &str) -> Arc<FormDef> {
    load(&format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa"><h:head><h:title>T</h:title><model>
            <instance><d id="t"><g><a/><b/><h/><r jr:template=""><v/></r></g><n/><meta><instanceID/></meta></d></instance>
            <bind nodeset="/d/n" type="int"/>{binds}</model></h:head>
            <h:body><group ref="/d/g" {attributes}>{controls}</group><input ref="/d/n"/></h:body></h:html>"#
    ))
}

#[test]
fn what_is_a_screen_of_its_own() {
    let two = r#"<input ref="/d/g/a"/><input ref="/d/g/b"/>"#;
    let header = r#"<select1 ref="/d/g/h" appearance="label"><item><label>1</label><value>1</value></item></select1>
        <select1 ref="/d/g/a" appearance="list-nolabel"><item><label>1</label><value>1</value></item></select1>"#;
    let counted =
        r#"<group ref="/d/g/r"><repeat nodeset="/d/g/r" jr:count="/d/n"><input ref="/d/g/r/v"/></repeat></group>"#;
    let inner = r#"<group appearance="field-list"><group><input ref="/d/g/a"/></group></group><input ref="/d/g/b"/>"#;
    let list = r#"appearance="field-list""#;
    let off = r#"<bind nodeset="/d/g/a" relevant="false()"/><bind nodeset="/d/g/b" relevant="/d/n = 2"/>"#;
    let rows: [(&str, &str, &str, &[&str]); 7] = [
        ("", "", two, &["/d/g/a", "/d/g/b"]),
        (list, "", two, &["/d/g"]),
        ("", off, two, &["/d/g/b"]),
        ("", "", header, &["/d/g/a"]),
        ("", "", counted, &["/d/g/r[1]/v", "/d/g/r[2]/v"]),
        (list, "", counted, &["/d/g"]),
        (list, "", inner, &["/d/g"]),
    ];
    for (attributes, binds, controls, expected) in rows {
        let mut session =
            FormSession::begin(group(attributes, binds, controls), settings(), None, step(0), None).unwrap();
        session.apply(&answer("/d/n", "2"), step(1)).unwrap();
        assert_eq!(names(&session), [expected, &["/d/n", "end"]].concat(), "{attributes} {binds} {controls}");
    }
    let mut session = FormSession::begin(group(list, off, two), settings(), None, step(0), None).unwrap();
    assert_eq!(names(&session), ["/d/n", "end"], "a list without a relevant question is skipped");
    session.apply(&answer("/d/n", "2"), step(1)).unwrap();
    assert_eq!(names(&session), ["/d/g", "/d/n", "end"]);
}

#[test]
fn the_header_row_of_a_grid_stands_in_nobody_s_way() {
    let header = r#"<select1 ref="/d/g/h" appearance="label"><item><label>1</label><value>1</value></item></select1>"#;
    for attributes in ["", r#"appearance="field-list""#] {
        let form = group(attributes, r#"<bind nodeset="/d/g/h" required="true()"/>"#, header);
        let session = FormSession::begin(form, settings(), None, step(0), None).unwrap();
        assert_eq!(names(&session), ["/d/n", "end"], "{attributes}");
        assert_eq!(session.violations(), [], "{attributes}");
    }
}

#[test]
fn moving_on_waits_for_the_screen_s_own_answers() {
    let mut session = FormSession::begin(small(), settings(), None, step(0), None).unwrap();
    let first = session.first();
    let refused = session.next(&first, Policy::OnMove).unwrap_err();
    assert_eq!(
        (refused[0].path.as_str(), refused[0].kind, refused[0].text.plain.as_str()),
        ("/d/a", ViolationKind::Required, "Please")
    );
    let second = session.next(&first, Policy::OnFinalize).unwrap();
    assert_eq!(session.previous(&second), Some(first));
    assert_eq!(session.previous(&first), None);
    session.apply(&answer("/d/g/x", "12"), step(1)).unwrap();
    let refused = session.next(&second, Policy::OnMove).unwrap_err();
    assert_eq!((refused[0].path.as_str(), refused[0].kind), ("/d/g/x", ViolationKind::Constraint));
    assert!(session.draft_xml().contains("<x>12</x>"), "what was typed is kept");
    assert_eq!(session.violations().len(), 2);
    assert_eq!(session.finalize(step(2)).unwrap().unwrap_err().len(), 2);
}

#[test]
fn a_screen_that_disappears_gives_way_to_the_one_before() {
    let mut session = FormSession::begin(small(), settings(), None, step(0), None).unwrap();
    session.apply(&answer("/d/on", "1"), step(1)).unwrap();
    session.apply(&Edit::Move { screen: "/d/off".into() }, step(2)).unwrap();
    session.apply(&answer("/d/on", "2"), step(3)).unwrap();
    assert_eq!(session.screen_path(&session.current()), "/d/on");
    assert_ne!(session.current(), ScreenKey::End);
}

#[test]
fn texts_carry_language_direction_and_fallback() {
    let mut session = FormSession::begin(small(), settings(), Some("AR"), step(0), None).unwrap();
    let label = |session: &FormSession, path: &str| session.question_at(session.node(path).unwrap()).unwrap().label;
    let first = label(&session, "/d/a");
    assert_eq!((first.plain.as_str(), first.language.as_deref(), first.fallback), ("Eerste vraag", Some("nl"), true));
    session.apply(&answer("/d/a", "**x**"), step(1)).unwrap();
    let second = label(&session, "/d/g/x");
    assert_eq!(second.plain, "ثانيا \u{2068}**x**\u{2069}");
    assert_eq!((second.language.as_deref(), second.fallback), (Some("ar"), false));
    let nameless = label(&session, "/d/g/y");
    assert_eq!((nameless.plain.contains('y'), nameless.fallback), (true, true));
}

/// After every edit: from the beginning by its own step, from the state at the beginning, and from the state of this moment.
fn replay_equals_memory(form: &Arc<FormDef>, edits: &[Edit]) {
    let begin = || FormSession::begin(Arc::clone(form), settings(), None, step(0), None).unwrap();
    let restore = |bytes: &[u8]| {
        let state = State::from_bytes(bytes).unwrap();
        FormSession::from_state(Arc::clone(form), settings(), &state, step(0).seed, None).unwrap()
    };
    let beginning = begin().state().to_bytes().unwrap();
    let mut memory = begin();
    for n in 1..=edits.len() {
        memory.apply(&edits[n - 1], step(n as u64)).unwrap();
        for mut session in [begin(), restore(&beginning)] {
            for (index, edit) in edits[..n].iter().enumerate() {
                session.replay(edit, step(index as u64 + 1)).unwrap();
            }
            assert_eq!(session.state(), memory.state(), "after {n} edits");
            assert_eq!((session.draft_xml(), names(&session)), (memory.draft_xml(), names(&memory)));
        }
        assert_eq!(restore(&memory.state().to_bytes().unwrap()).state(), memory.state());
    }
}

#[test]
fn replay_is_memory_with_moments_and_random_numbers() {
    let edits = [
        answer("/d/a", " spaces \r\n and lines "),
        Edit::Add { range: "/d/r".into() },
        answer("/d/r[1]/v", "one"),
        Edit::Language { name: "ar".into() },
        Edit::Add { range: "/d/r".into() },
        Edit::Move { screen: "/d/r[2]/v".into() },
        answer("/d/r[2]/v", "two"),
        Edit::Remove { node: "/d/r[1]".into() },
        answer("/d/on", "1"),
        answer("/d/off", "kept"),
        answer("/d/on", "2"),
        Edit::Resume,
        Edit::Add { range: "/d/r".into() },
        Edit::Move { screen: "end".into() },
    ];
    replay_equals_memory(&small(), &edits);
}

#[test]
fn replay_is_memory_on_the_questionnaire() {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
    let files: BTreeMap<String, Vec<u8>> = ["municipalities.csv", "previous_wave.csv"]
        .map(|name| (name.to_owned(), std::fs::read(forms.join("questionnaire-media").join(name)).unwrap()))
        .into();
    let form = FormDef::load(&std::fs::read_to_string(forms.join("questionnaire.xml")).unwrap(), &files).unwrap().0;
    let script = include_str!("../cli/src/demo/cast/newcomer-nl.jsonl").lines();
    let edits: Vec<_> = script
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            answer(event["ref"].as_str().unwrap(), event["value"].as_str().unwrap())
        })
        .collect();
    replay_equals_memory(&Arc::new(form), &edits);
}

#[test]
fn a_count_of_its_own_rows_goes_on_from_its_state_as_in_memory_a_row_for_each_that_is_left() {
    let form = load(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa">
          <h:head><h:title>T</h:title><model>
            <instance><d id="t" version="1"><a/><n/><r jr:template=""><v/></r></d></instance>
            <bind nodeset="/d/n" type="int" calculate="count(/d/r) + 1"/></model></h:head>
          <h:body><input ref="/d/a"/><repeat nodeset="/d/r" jr:count="/d/n"><input ref="/d/r/v"/></repeat></h:body></h:html>"#,
    );
    let n_rows = |session: &FormSession| (1..).take_while(|n| session.node(&format!("/d/r[{n}]")).is_some()).count();
    let mut memory = FormSession::begin(Arc::clone(&form), settings(), None, step(0), None).unwrap();
    for number in 1..4 {
        let left = n_rows(&memory);
        let bytes = memory.state().to_bytes().unwrap();
        let state = State::from_bytes(&bytes).unwrap();
        let mut restored = FormSession::from_state(Arc::clone(&form), settings(), &state, step(0).seed, None).unwrap();
        for session in [&mut memory, &mut restored] {
            session.apply(&answer("/d/a", &number.to_string()), step(3 * number)).unwrap();
            assert_eq!(n_rows(session), left, "an answer elsewhere makes no row");
            session.apply(&Edit::Move { screen: format!("/d/r[{left}]/v") }, step(3 * number + 1)).unwrap();
            let due = session.screen_path(&session.next(&session.current(), Policy::OnMove).unwrap());
            assert_eq!(due, "/d/r+");
            session.apply(&Edit::Move { screen: due }, step(3 * number + 2)).unwrap();
            assert_eq!(session.screen_path(&session.current()), format!("/d/r[{}]/v", left + 1));
        }
        assert_eq!(n_rows(&memory), left + 1);
        assert_eq!(restored.state(), memory.state());
    }
}

#[test]
fn a_node_of_another_record_is_nowhere_and_no_fault() {
    let session = FormSession::begin(small(), settings(), None, step(0), None).unwrap();
    let stranger = NodeId(1_000_000);
    assert_eq!((session.path(stranger).as_str(), session.goto(stranger)), ("", None));
    assert!(session.question_at(stranger).is_none());
    assert!(session.engine().violation(stranger).is_none());
    let range = session.form().find("/d/r").unwrap();
    for key in [ScreenKey::Node(stranger), ScreenKey::Add { parent: stranger, repeat: range }] {
        assert!(session.screens().contains(&session.nearest(&key)));
        assert!(session.screen(&key).questions.len() <= 1);
        let _ = (session.screen_path(&key), session.next(&key, Policy::OnMove), session.previous(&key));
    }
}

//! Forms and answers made to hurt, by malice or by a slip: each ends in a value, a mark or a typed error, with the record as it
//! was, on a stack of two megabytes. The largest that must work stand here, too.
//!
//! What is counted is work and nodes, never time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Limits, Settings, TOO_MUCH, ViolationKind};
use veldwerk::form::FormDef;
use veldwerk::instance::Writer;
use veldwerk::session::{FormSession, Policy, ScreenKey};
use veldwerk::{Error, ErrorKind, Result};

fn form(instance: &str, model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa"><h:head><h:title>T</h:title><model>
            <instance><d id="t">{instance}</d></instance>{model}</model></h:head><h:body>{body}</h:body></h:html>"#
    )
}

/// Runs on the stack that a worker thread of a phone has.
fn on_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    const STACK: usize = 2 * 1024 * 1024;
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap()
}

fn load(xml: &str) -> Result<Arc<FormDef>> {
    Ok(Arc::new(FormDef::load(xml, &())?.0))
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() }
}

fn step(number: u64) -> Step {
    Step { at: 1_790_000_000_000, seed: 7, number }
}

fn begin(xml: &str) -> Result<Engine> {
    Engine::begin(load(xml)?, settings(), step(0), None)
}

fn begin_session(xml: &str) -> FormSession {
    FormSession::begin(load(xml).unwrap(), settings(), None, step(0), None).unwrap()
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error: Error| error.kind())
}

/// Whether an answer is refused as too large, with the record as it was and a smaller answer taken after it.
fn is_undone(xml: &str, node: &str, too_much: &str, bearable: &str) {
    is_undone_within(Limits::default(), xml, node, too_much, bearable);
}

fn is_undone_within(limits: Limits, xml: &str, node: &str, too_much: &str, bearable: &str) {
    let mut engine = begin(xml).unwrap();
    engine.set_limits(limits);
    let id = engine.find(node).unwrap();
    let before = (engine.state(), engine.write(Writer::Draft));
    assert_eq!(kind(engine.answer(id, Some(too_much), step(1))), Some(ErrorKind::TooLarge));
    assert!((engine.state(), engine.write(Writer::Draft)) == before);
    engine.answer(id, Some(bearable), step(2)).unwrap();
    assert_eq!(engine.value_at(node), bearable);
}

fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect()
}

const NESTED_COUNTS: &str = r#"<repeat nodeset="/d/a" jr:count="/d/n"><repeat nodeset="/d/a/b" jr:count="/d/n">
    <repeat nodeset="/d/a/b/c" jr:count="/d/m"><input ref="/d/a/b/c/v"/></repeat></repeat></repeat>"#;
const NESTED_NODES: &str = r#"<a jr:template=""><b jr:template=""><c jr:template=""><v/></c></b></a>"#;

#[test]
fn counts_in_counts_stop_at_what_a_record_can_hold() {
    on_small_stack(|| {
        for (n, m) in [("100", "100"), ("9999", "9999"), ("9999", "0")] {
            let begun = form(&format!("<n>{n}</n><m>{m}</m>{NESTED_NODES}"), "", NESTED_COUNTS);
            assert_eq!(kind(begin(&begun)), Some(ErrorKind::TooLarge), "{n} {m}");
            let answered =
                form(&format!("<n/><m>{m}</m>{NESTED_NODES}"), "", &format!("<input ref='/d/n'/>{NESTED_COUNTS}"));
            is_undone(&answered, "/d/n", n, "2");
        }
    });
}

#[test]
fn ten_thousand_rows_of_ten_questions_work() {
    on_small_stack(|| {
        let questions = lines(10, |i| format!("<q{i}/>"));
        let binds = lines(10, |i| match i {
            0 => r#"<bind nodeset="/d/r/q0" calculate="position(..)"/>"#.to_owned(),
            1 => r#"<bind nodeset="/d/r/q1" type="int" relevant="../q2 = ''"/>"#.to_owned(),
            _ => String::new(),
        });
        let body = lines(10, |i| format!(r#"<input ref="/d/r/q{i}"/>"#));
        let xml = form(
            &format!("<n>10000</n><r jr:template=''>{questions}</r><all/>"),
            &format!("{binds}<bind nodeset='/d/all' calculate='count(/d/r)'/>"),
            &format!("<input ref='/d/n'/><repeat nodeset='/d/r' jr:count='/d/n'>{body}</repeat>"),
        );
        let mut session = begin_session(&xml);
        let engine = session.engine();
        assert_eq!((engine.value_at("/d/all"), engine.value_at("/d/r[9999]/q0")), ("10000", "9999"));
        assert_eq!(session.screens().len(), 1 + 9 * 10_000 + 10_000 + 1);
        let last = session.node("/d/r[10000]/q9").unwrap();
        assert_eq!(session.goto(last), Some(ScreenKey::Node(last)));
        assert_eq!(session.next(&ScreenKey::Node(last), Policy::OnMove).unwrap(), ScreenKey::End);
        assert!(session.previous(&ScreenKey::Node(last)).is_some());

        let answer = veldwerk::session::Edit::Answer { node: "/d/r[5000]/q2".to_owned(), value: Some("x".to_owned()) };
        let changes = session.apply(&answer, step(1)).unwrap();
        assert_eq!(changes.touched.len(), 2, "an answer in a row is the row's own matter");

        let state = session.state();
        let form = Arc::clone(session.form());
        let restored = FormSession::from_state(Arc::clone(&form), settings(), &state, 7, None).unwrap();
        assert!(restored.state() == state);
        let reopened = Engine::reopen(form, settings(), &session.draft_xml(), step(2), None).unwrap();
        assert!(reopened == *session.engine());
    });
}

#[test]
fn a_range_of_9999_rows_with_twenty_readers_works() {
    on_small_stack(|| {
        let readers = lines(20, |i| format!("<s{i}/>"));
        let inside = lines(10, |i| format!("<c{i}/>"));
        let binds = lines(10, |i| {
            format!(
                r#"<bind nodeset="/d/s{i}" calculate="sum(/d/r/v) + {i}"/>
                   <bind nodeset="/d/r/c{i}" calculate="count(../../r) + position(..) * 0 + {i}"/>"#
            )
        });
        let alike = r#"<bind nodeset="/d/r/share" calculate="count(../../r) + sum(../../r/v)"/>"#;
        let xml = form(
            &format!("<n/><r jr:template=''><v>1</v><share/></r>{readers}"),
            &format!(
                "<bind nodeset='/d/n' type='int'/>{}{alike}",
                lines(20, |i| format!(r#"<bind nodeset="/d/s{i}" calculate="sum(/d/r/v) + {i}"/>"#))
            ),
            "<input ref='/d/n'/><repeat nodeset='/d/r' jr:count='/d/n'><input ref='/d/r/v'/></repeat>",
        );
        let mut engine = begin(&xml).unwrap();
        engine.answer(engine.find("/d/n").unwrap(), Some("9999"), step(1)).unwrap();
        assert_eq!((engine.value_at("/d/s19"), engine.value_at("/d/r[9999]/share")), ("10018", "19998"));
        // The oracle takes no short cuts, so it gets fewer rows.
        let mut fewer = begin(&xml).unwrap();
        fewer.answer(fewer.find("/d/n").unwrap(), Some("150"), step(1)).unwrap();
        assert!(fewer == fewer.recomputed());

        // Readers that are not alike in all rows look at each row once for each row: more than a phone does in a step.
        let quadratic = form(
            &format!("<n/><r jr:template=''><v>1</v>{inside}</r>{readers}"),
            &binds,
            "<input ref='/d/n'/><repeat nodeset='/d/r' jr:count='/d/n'><input ref='/d/r/v'/></repeat>",
        );
        is_undone(&quadratic, "/d/n", "9999", "30");
    });
}

#[test]
fn six_thousand_questions_in_one_group_work() {
    on_small_stack(|| {
        const N: usize = 6_000;
        let xml = form(
            &lines(N, |i| format!("<q{i}/>")),
            &lines(N, |i| format!(r#"<bind nodeset="/d/q{i}" type="int"/>"#)),
            &lines(N, |i| format!(r#"<input ref="/d/q{i}"/>"#)),
        );
        let session = begin_session(&xml);
        assert_eq!(session.screens().len(), N + 1);
        let middle = ScreenKey::Node(session.node("/d/q3000").unwrap());
        let next = session.next(&middle, Policy::OnMove).unwrap();
        assert_eq!(session.screen_path(&next), "/d/q3001");
        assert_eq!(session.previous(&next), Some(middle));
    });
}

#[test]
fn a_long_expression_is_walked_and_a_deep_one_refused() {
    on_small_stack(|| {
        let with =
            |expression: &str| form("<a/><b/>", &format!(r#"<bind nodeset="/d/a" calculate="{expression}"/>"#), "");
        let long = format!("1{}", "+1".repeat(15_999));
        assert_eq!(begin(&with(&long)).unwrap().value_at("/d/a"), "16000");
        let either = format!("/d/b = 1{}", " or /d/b = 2".repeat(2_000));
        assert_eq!(begin(&with(&either)).unwrap().value_at("/d/a"), "0");
        let nested = |before: &str, n: usize, behind: &str| with(&format!("{}1{}", before.repeat(n), behind.repeat(n)));
        assert_eq!(begin(&nested("if(/d/b = '', ", 120, ", 2)")).unwrap().value_at("/d/a"), "1");
        for (before, behind) in [
            ("(", ")"),
            ("if(true(), ", ", 2)"),
            ("/d[", "]"),
            ("concat(", ")"),
            ("-(", ")"),
            ("1 or 1 and 1 = 1 + 1 * (", ")"),
        ] {
            for n in [200, 2_000] {
                assert_eq!(kind(load(&nested(before, n, behind))), Some(ErrorKind::TooLarge), "{before} {n}");
            }
        }
        assert_eq!(kind(load(&with(&"1+".repeat(100_000)))), Some(ErrorKind::TooLarge));
    });
}

#[test]
fn elements_nest_as_deep_as_they_are_taken() {
    on_small_stack(|| {
        let nested = |n: usize| {
            let instance = format!("{}<x/>{}", "<g>".repeat(n), "</g>".repeat(n));
            let path = |n: usize| format!("/d{}", "/g".repeat(n));
            let binds =
                lines(n, |i| format!(r#"<bind nodeset="{}" relevant="/d{}/x = ''"/>"#, path(i + 1), "/g".repeat(0)));
            let body = format!(
                "{}<input ref='{}/x'/>{}",
                lines(n, |i| format!("<group ref='{}'>", path(i + 1))),
                path(n),
                "</group>".repeat(n)
            );
            form(&instance, &binds, &body)
        };
        let session = begin_session(&nested(240));
        assert_eq!(session.screens().len(), 2);
        assert!(session.draft_xml().len() > 240 * 7);
        let again =
            Engine::reopen(Arc::clone(session.form()), settings(), &session.draft_xml(), step(1), None).unwrap();
        assert!(again == *session.engine());
        assert_eq!(kind(load(&nested(300))), Some(ErrorKind::TooLarge));
        assert_eq!(kind(load(&"<a>".repeat(100_000))), Some(ErrorKind::TooLarge));
    });
}

#[test]
fn what_is_too_large_to_be_a_form_is_refused() {
    on_small_stack(|| {
        let nodes = form(&"<a/>".repeat(1_000_000), "", "");
        assert_eq!(kind(load(&nodes)), Some(ErrorKind::TooLarge));
        let attributes = form(&format!("<a {}/>", lines(100_000, |i| format!(" a{i}=''"))), "", "");
        assert_eq!(kind(load(&attributes)), Some(ErrorKind::TooLarge));
        let namespaces = form(&format!("<a {}/>", lines(100_000, |i| format!(" xmlns:a{i}='u'"))), "", "");
        assert_eq!(kind(load(&namespaces)), Some(ErrorKind::TooLarge));
        let all_of_all = form(
            &lines(3_000, |i| format!("<a{i}/>")),
            &lines(3_000, |i| format!(r#"<bind nodeset="/d/a{i}" required="count(/d/*[. = 1]) &gt; 1"/>"#)),
            "",
        );
        assert_eq!(kind(load(&all_of_all)), Some(ErrorKind::TooLarge));
    });
}

#[test]
fn many_binds_and_a_long_chain_of_conditions_work() {
    on_small_stack(|| {
        const N: usize = 50_000;
        let binds = lines(N, |i| match i {
            0 => String::new(),
            _ => format!(
                r#"<bind nodeset="/d/a{i}" type="string"/><bind nodeset="/d/a{i}" relevant="/d/a{} = 'x'"/>"#,
                i - 1
            ),
        });
        let xml = form(&lines(N, |i| format!("<a{i}>x</a{i}>")), &binds, "<input ref='/d/a0'/>");
        let mut engine = begin(&xml).unwrap();
        let (first, last) = (engine.find("/d/a0").unwrap(), engine.find(&format!("/d/a{}", N - 1)).unwrap());
        assert!(engine.tree().node(last).relevant);
        engine.answer(first, Some("y"), step(1)).unwrap();
        assert!(!engine.tree().node(last).relevant);

        // A circle with a long tail is named without the tail.
        let tail = lines(5_000, |i| format!(r#"<bind nodeset="/d/a{}" calculate="/d/a{i}"/>"#, i + 1));
        let circle = form(
            &lines(5_001, |i| format!("<a{i}/>")),
            &format!(r#"{tail}<bind nodeset="/d/a0" calculate="/d/a1"/>"#),
            "",
        );
        let error = load(&circle).unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Cycle, "/d/a0, /d/a1"));
    });
}

#[test]
fn texts_that_double_are_stopped() {
    on_small_stack(|| {
        let doubling =
            lines(40, |i| format!(r#"<bind nodeset="/d/a{}" calculate="concat(/d/a{i}, /d/a{i})"/>"#, i + 1));
        let nodes = |first: &str| format!("<a0>{first}</a0>{}", lines(40, |i| format!("<a{}/>", i + 1)));
        assert_eq!(kind(begin(&form(&nodes("ab"), &doubling, ""))), Some(ErrorKind::TooLarge));
        is_undone(&form(&nodes(""), &doubling, "<input ref='/d/a0'/>"), "/d/a0", "ab", "");

        // Within one expression nothing is stored, and it is stopped all the same.
        let (long, few_steps) = ("x".repeat(1 << 16), Limits { steps: 20_000, ..Limits::default() });
        for expression in [
            format!("string-length(concat({}))", ["/d/a"; 200].join(", ")),
            format!("string-length(join(/d/a, {}))", ["/d/a"; 200].join(", ")),
            format!("{}string(/d/a){}", "concat(string(/d/a), ".repeat(100), ")".repeat(100)),
            ["string-length(translate(/d/a, 'x', 'y'))"; 100].join(" + "),
        ] {
            let xml =
                form("<a/><b/>", &format!(r#"<bind nodeset="/d/b" calculate="{expression}"/>"#), "<input ref='/d/a'/>");
            is_undone_within(few_steps, &xml, "/d/a", &long, "y");
        }
    });
}

#[test]
fn texts_that_show_themselves_are_marked_and_nothing_is_calculated_from_them() {
    on_small_stack(|| {
        let text = |id: &str, shown: &str| format!("<text id='{id}'><value>{shown}</value></text>");
        let output = |id: &str| format!("<output value=\"jr:itext('{id}')\"/>");
        let round = text("a", &format!("A {}", output("b"))) + &text("b", &format!("B {}", output("a")));
        let doubling = lines(60, |i| text(&format!("t{i}"), &output(&format!("t{}", i + 1)).repeat(2)));
        let itext =
            format!("<itext><translation lang='en'>{round}{doubling}{}</translation></itext>", text("t60", "x"));
        for id in ["a", "t0"] {
            let asked = form("<q/>", &itext, &format!("<input ref='/d/q'><label ref=\"jr:itext('{id}')\"/></input>"));
            let session = begin_session(&asked);
            let shown = session.screen(&session.first());
            assert!(shown.questions[0].label.plain.contains(TOO_MUCH), "{id}");
            let calculated = form("<q/>", &format!("{itext}<bind nodeset='/d/q' calculate=\"jr:itext('{id}')\"/>"), "");
            assert_eq!(kind(begin(&calculated)), Some(ErrorKind::TooLarge), "{id}");
        }

        // Names of choices, too, can lead back to where they come from.
        let xml = form(
            "<q>1</q><c/>",
            "<bind nodeset='/d/c' calculate=\"jr:choice-name(/d/q, '/d/q')\"/>",
            "<select1 ref='/d/q'><item><label><output value=\"jr:choice-name('1', '/d/q')\"/></label><value>1</value></item></select1>",
        );
        assert_eq!(kind(begin(&xml)), Some(ErrorKind::TooLarge));
    });
}

#[test]
fn what_is_too_dear_to_know_is_never_taken_for_empty() {
    on_small_stack(|| {
        let list = format!("<instance id='l'><root>{}</root></instance>", "<i><n>1</n></i>".repeat(2_000));
        let dear = "count(instance('l')/root/i[count(../i[n = '2']) &gt; 0])";
        // A condition: the answer that needs it is refused.
        let asked = form(
            "<a/><b/>",
            &format!("{list}<bind nodeset='/d/b' relevant=\"/d/a != 'x' or {dear} &gt; 0\"/>"),
            "<input ref='/d/a'/><input ref='/d/b'/>",
        );
        is_undone_within(Limits { steps: 1_000_000, ..Limits::default() }, &asked, "/d/a", "x", "y");
        // A constraint: nobody can say that it holds.
        let checked =
            form("<a/>", &format!("{list}<bind nodeset='/d/a' constraint=\"{dear} = 0\"/>"), "<input ref='/d/a'/>");
        let mut engine = begin(&checked).unwrap();
        let a = engine.find("/d/a").unwrap();
        engine.answer(a, Some("x"), step(1)).unwrap();
        assert_eq!(engine.violation(a).map(|violation| violation.kind), Some(ViolationKind::Constraint));
        // Choices: an answer cannot be compared with them.
        let offered = form(
            "<a/>",
            &list,
            &format!(
                "<select1 ref='/d/a'><itemset nodeset=\"instance('l')/root/i[{dear} = 0]\"><value ref='n'/></itemset></select1>"
            ),
        );
        let mut engine = begin(&offered).unwrap();
        assert_eq!(kind(engine.answer(engine.find("/d/a").unwrap(), Some("1"), step(1))), Some(ErrorKind::TooLarge));
        // Nor are they shown as none.
        let mut session = begin_session(&offered);
        session.set_limits(Limits { steps: 1_000_000, ..Limits::default() });
        let shown = session.screen(&session.first()).questions.remove(0);
        assert_eq!((shown.choices.len(), shown.n_choices, shown.too_much), (0, 0, true));
        for letters in ["", "1"] {
            let list = session.choices(shown.node, letters, 0, 10).unwrap();
            assert_eq!((list.choices.len(), list.total, list.too_much), (0, 0, true));
        }
        // The label of one of them, in a calculation: the answer that asks for it is refused.
        let named = form(
            "<a/><b/><c/>",
            &format!("{list}<bind nodeset='/d/c' calculate=\"if(/d/b = 'x', jr:choice-name('1', '/d/a'), '')\"/>"),
            &format!(
                "<select1 ref='/d/a'><itemset nodeset=\"instance('l')/root/i[{dear} = 0]\"><value ref='n'/></itemset></select1><input ref='/d/b'/>"
            ),
        );
        is_undone_within(Limits { steps: 1_000_000, ..Limits::default() }, &named, "/d/b", "x", "y");
        // A text: it is marked.
        let shown = form(
            "<a/>",
            &list,
            &format!("<input ref='/d/a'><label>So many: <output value=\"{dear}\"/></label></input>"),
        );
        let session = begin_session(&shown);
        assert!(session.screen(&session.first()).questions[0].label.plain.contains(TOO_MUCH));
        // End-of-form processing: the record is not finalised.
        let ending = form(
            "<a/><b/>",
            &format!("{list}<setvalue ref='/d/b' event='xforms-revalidate' value=\"{dear}\"/>"),
            "<input ref='/d/a'/>",
        );
        let mut session = begin_session(&ending);
        session.set_limits(Limits { steps: 1_000_000, ..Limits::default() });
        let before = session.draft_xml();
        assert_eq!(kind(session.finalize(step(1))), Some(ErrorKind::TooLarge));
        assert_eq!(session.draft_xml(), before);
    });
}

#[test]
fn patterns_and_traces_are_paid_for() {
    on_small_stack(|| {
        let checked = |pattern: &str| {
            form(
                "<a/><b/>",
                &format!("<bind nodeset='/d/b' calculate=\"regex(/d/a, '{pattern}')\"/>"),
                "<input ref='/d/a'/>",
            )
        };
        is_undone(&checked("(?=a)(a|aa)+(?&lt;!b)"), "/d/a", &format!("{}!", "a".repeat(60)), "b");
        let mut engine = begin(&checked("(a+)+b")).unwrap();
        engine.answer(engine.find("/d/a").unwrap(), Some(&"a".repeat(20_000)), step(1)).unwrap();
        assert_eq!(engine.value_at("/d/b"), "0");

        let trace = form(
            "<a/><b/>",
            "<bind nodeset='/d/a' type='geotrace'/><bind nodeset='/d/b' calculate='intersects(/d/a)'/>",
            "<input ref='/d/a'/>",
        );
        let points = |n: usize| {
            lines(n, |i| format!("{}{}.{:03} 4.5 0.0 0.0", if i == 0 { "" } else { ";" }, i / 1000, i % 1000))
        };
        let mut engine = begin(&trace).unwrap();
        let a = engine.find("/d/a").unwrap();
        assert_eq!(kind(engine.answer(a, Some(&points(12_000)), step(1))), Some(ErrorKind::TooLarge));
        engine.answer(a, Some(&points(300)), step(2)).unwrap();
    });
}

#[test]
fn lists_beyond_what_is_kept_are_told_and_the_form_works() {
    on_small_stack(|| {
        let uses = |file: &str| {
            form(
                "<a/>",
                &format!(
                    "<instance id='l' src='jr://file-csv/{file}'/><bind nodeset='/d/a' calculate=\"count(instance('l')/root/item)\"/>"
                ),
                "",
            )
        };
        let wide = lines(1_000_000, |i| format!("c{i},"));
        let long = format!("{}\n{}", lines(4_999, |i| format!("c{i},")) + "c", "1\n".repeat(1_500));
        let geojson =
            format!(r#"{{"type":"FeatureCollection","features":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for (name, text, rows) in
            [("w.csv", format!("{wide}\n1,2\n3,4\n"), "0"), ("l.csv", long, "1000"), ("g.geojson", geojson, "0")]
        {
            let files = BTreeMap::from([(name.to_owned(), text.into_bytes())]);
            let (form, told) = FormDef::load(&uses(name), &files).unwrap();
            assert_eq!(told.len(), 1, "{name}: {told:?}");
            let engine = Engine::begin(Arc::new(form), settings(), step(0), None).unwrap();
            assert_eq!(engine.value_at("/d/a"), rows, "{name}");
        }
    });
}

#[test]
fn a_record_from_elsewhere_is_bounded_like_our_own() {
    on_small_stack(|| {
        let row = lines(100, |i| format!("<q{i}/>"));
        let xml =
            form(&format!("<r jr:template=''>{row}</r>"), "", "<repeat nodeset='/d/r'><input ref='/d/r/q0'/></repeat>");
        let form = load(&xml).unwrap();
        let record = |n: usize| format!("<d id='t'>{}</d>", "<r/>".repeat(n));
        let reopen = |xml: &str| Engine::reopen(Arc::clone(&form), settings(), xml, step(0), None);
        assert_eq!(kind(reopen(&record(50_000))), Some(ErrorKind::TooLarge));
        assert_eq!(
            kind(Engine::restore(Arc::clone(&form), settings(), &record(50_000), step(0), None)),
            Some(ErrorKind::TooLarge)
        );
        assert_eq!(
            reopen(&record(50)).unwrap().tree().children_of(veldwerk::ids::NodeId(0), form.find("/d/r").unwrap()).len(),
            50
        );
    });
}

#[test]
fn actions_that_set_each_other_end_and_many_are_paid_for() {
    on_small_stack(|| {
        let actions = "<setvalue event='odk-new-repeat' ref='/d/r/v' value='1'/>".repeat(20_000);
        let rows = form(
            "<n/><r jr:template=''><v/></r>",
            "",
            &format!(
                "<input ref='/d/n'/><repeat nodeset='/d/r' jr:count='/d/n'><input ref='/d/r/v'/>{actions}</repeat>"
            ),
        );
        is_undone_within(Limits { steps: 2_000_000, ..Limits::default() }, &rows, "/d/n", "9999", "0");

        let sets = |own: &str, other: &str| {
            format!(
                "<input ref='/d/{own}'><setvalue event='xforms-value-changed' ref='/d/{other}' value='concat(/d/{other}, /d/{own}, 1)'/></input>"
            )
        };
        let xml = form("<a/><b/>", "", &(sets("a", "b") + &sets("b", "a")));
        is_undone(&xml, "/d/a", "x", "");
    });
}

#[test]
fn ids_from_before_a_rebuild_show_what_there_is() {
    let xml = form("<a/><r><v/></r>", "", "<input ref='/d/a'/><repeat nodeset='/d/r'><input ref='/d/r/v'/></repeat>");
    let mut session = begin_session(&xml);
    for number in 0..40 {
        session.apply(&veldwerk::session::Edit::Add { range: "/d/r".to_owned() }, step(number + 1)).unwrap();
    }
    let old = session.node("/d/r[41]/v").unwrap();
    let range = load(&xml).unwrap().find("/d/r").unwrap();
    let mut other = begin_session(&xml);
    let keys = [
        ScreenKey::Node(old),
        ScreenKey::Add { parent: old, repeat: range },
        ScreenKey::Add { parent: old, repeat: veldwerk::ids::DefId(9_999) },
    ];
    for key in keys {
        let shown = other.screen(&key).key;
        assert!(other.screens().contains(&shown));
        assert!(other.next(&key, Policy::OnMove).is_ok());
        let _ = (other.previous(&key), other.nearest(&key), other.screen_path(&key));
        let edit = veldwerk::session::Edit::Move { screen: other.screen_path(&key) };
        let _ = other.apply(&edit, step(1));
    }
    assert_eq!(other.goto(old), None);
    assert_eq!(other.question_at(old), None);
    assert_eq!(other.choices(old, "", 0, 9), None);
    assert_eq!(other.path(old), "");
    let mut written = String::new();
    write!(written, "{:?}", other.engine().violation(old)).unwrap();
    assert_eq!(written, "None");
}

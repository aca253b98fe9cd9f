//! The engine's promise: whatever is answered, in whatever order, incremental work gives the state that a full
//! recalculation gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use veldwerk::ErrorKind;
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Limits, Settings, ViolationKind};
use veldwerk::form::{ControlKind, DataType, FormDef};
use veldwerk::ids::NodeId;
use veldwerk::instance::Writer;

/// A form from its instance, binds and body; the rest is always the same.
fn form(instance: &str, model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms">
            <h:head><h:title>T</h:title><model><instance>{instance}</instance>{model}</model></h:head>
            <h:body>{body}</h:body></h:html>"#
    )
}

fn load(xml: &str, files: &BTreeMap<String, Vec<u8>>) -> Arc<FormDef> {
    Arc::new(FormDef::load(xml, files).unwrap().0)
}

fn step(number: u64) -> Step {
    Step { at: 1_768_478_400_000, seed: 7, number }
}

fn begin(form: &Arc<FormDef>) -> Engine {
    let settings = Settings { time_zone: TimeZone::get("Europe/Amsterdam").unwrap(), properties: BTreeMap::new() };
    Engine::begin(Arc::clone(form), settings, step(0), None).unwrap()
}

fn questionnaire(name: &str) -> Arc<FormDef> {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/forms");
    let media = std::fs::read_dir(forms.join(format!("{name}-media"))).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeMap<_, _> = media
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    load(&std::fs::read_to_string(forms.join(format!("{name}.xml"))).unwrap(), &files)
}

/// Forms that are small and mean.
fn small_forms() -> Vec<Arc<FormDef>> {
    let none = BTreeMap::new();
    let open_repeat = form(
        r#"<d id="open"><on/><r jr:template=""><n/><v/><share/></r><r><n/><v/><share/></r><total/><many/><last/></d>"#,
        r#"<bind nodeset="/d/on" type="int"/>
           <bind nodeset="/d/r" relevant="/d/on &gt; 0"/>
           <bind nodeset="/d/r/n" calculate="position(..)"/>
           <bind nodeset="/d/r/v" type="int" relevant="position(..) &lt;= /d/on"/>
           <bind nodeset="/d/r/share" calculate="if(/d/total &gt; 0, round(../v div /d/total, 3), '')"/>
           <bind nodeset="/d/total" calculate="sum(/d/r/v)"/>
           <bind nodeset="/d/many" calculate="count(/d/r[v != ''])"/>
           <bind nodeset="/d/last" calculate="indexed-repeat(/d/r/v, /d/r, /d/many)"/>"#,
        r#"<input ref="/d/on"/><group ref="/d/r"><repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat></group>"#,
    );
    let counted_and_nested = form(
        r#"<d id="nested"><many/><o jr:template=""><k/><i jr:template=""><a/><b/></i><s/></o><all/><pick/></d>"#,
        r#"<bind nodeset="/d/many" type="int"/>
           <bind nodeset="/d/o/k" type="int"/>
           <bind nodeset="/d/o/i/a" type="int"/>
           <bind nodeset="/d/o/i/b" calculate="../a * 2 + position(../..)"/>
           <bind nodeset="/d/o/s" calculate="sum(../i/b)"/>
           <bind nodeset="/d/all" calculate="sum(/d/o/s)"/>"#,
        r#"<input ref="/d/many"/>
           <repeat nodeset="/d/o" jr:count="/d/many"><input ref="/d/o/k"/>
             <repeat nodeset="/d/o/i" jr:count="../k"><input ref="/d/o/i/a"/></repeat></repeat>
           <select1 ref="/d/pick"><itemset nodeset="/d/o[k &gt; 1]"><value ref="k"/><label ref="s"/></itemset></select1>"#,
    );
    let cascade = form(
        r#"<d id="cascade"><a/><b/><c/><shown/></d>"#,
        r#"<instance id="l"><root><item><n>x</n><g>1</g></item><item><n>y</n><g>2</g></item><item><n>z</n><g>2</g></item></root></instance>
           <bind nodeset="/d/b" relevant="/d/a != ''"/>
           <bind nodeset="/d/c" relevant="selected(/d/b, 'y')"/>
           <bind nodeset="/d/shown" calculate="concat(/d/a, '-', /d/b, '-', /d/c)"/>"#,
        r#"<select1 ref="/d/a"><item><label>1</label><value>1</value></item><item><label>2</label><value>2</value></item></select1>
           <select ref="/d/b"><itemset nodeset="randomize(instance('l')/root/item[g = /d/a], 42)"><value ref="n"/><label ref="n"/></itemset></select>
           <input ref="/d/c"/>"#,
    );
    let open_in_open = form(
        r#"<d id="deep"><o jr:template=""><name/><i jr:template=""><a/><at/><best/><among/><of/></i><n/><sum/></o><who/><friend/><all/></d>"#,
        r#"<bind nodeset="/d/o/i/a" type="int" required="position(..) = 1" readonly="../../name = 'x'"/>
           <bind nodeset="/d/o/i/at" calculate="concat(position(../..), '.', position(..))"/>
           <bind nodeset="/d/o/i/best" calculate="../a = max(../../i/a)"/>
           <bind nodeset="/d/o/i/among" calculate="concat(count(../../i), ' of ', count(../../../o), ' with ', sum(../../../o/i/a))"/>
           <bind nodeset="/d/o/i/of" relevant="count(../../i) &gt; 1" calculate="../../name"/>
           <bind nodeset="/d/o/i" relevant="../name != 'INT07'"/>
           <bind nodeset="/d/o/n" calculate="count(../i)"/>
           <bind nodeset="/d/o/sum" calculate="sum(/d/o/i/a)"/>
           <bind nodeset="/d/friend" relevant="count(/d/o) &gt; 1"/>
           <bind nodeset="/d/all" calculate="join(' ', /d/o/i/at)"/>"#,
        r#"<repeat nodeset="/d/o"><input ref="/d/o/name"/>
             <repeat nodeset="/d/o/i"><input ref="/d/o/i/a"/></repeat></repeat>
           <select1 ref="/d/who"><itemset nodeset="/d/o[name != '']"><value ref="name"/><label ref="name"/></itemset></select1>
           <select ref="/d/friend"><itemset nodeset="/d/o/i[a &gt; 0]"><value ref="at"/><label ref="a"/></itemset></select>"#,
    );
    let csv_in_repeat = form(
        r#"<d id="csv"><low/><r jr:template=""><p/><t/><label/></r><r><p/><t/><label/></r><picked/></d>"#,
        r#"<instance id="towns" src="jr://file-csv/towns.csv"/>
           <bind nodeset="/d/low" type="int"/>
           <bind nodeset="/d/r/t" relevant="../p != ''"/>
           <bind nodeset="/d/r/label" calculate="instance('towns')/root/item[name = current()/../t]/label"/>
           <bind nodeset="/d/picked" calculate="count(/d/r[t != ''])"/>"#,
        r#"<input ref="/d/low"/><repeat nodeset="/d/r">
           <select1 ref="/d/r/p"><item><label>A</label><value>a</value></item><item><label>B</label><value>b</value></item></select1>
           <select1 ref="/d/r/t"><itemset nodeset="instance('towns')/root/item[province = current()/../p and size &gt; /d/low]">
             <value ref="name"/><label ref="label"/></itemset></select1></repeat>"#,
    );
    let towns = BTreeMap::from([(
        "towns.csv".to_owned(),
        b"name,label,province,size\n1,Een,a,2\n2,Twee,a,4\n3,Drie,b,1\n4,Vier,b,9\n".to_vec(),
    )]);
    let mut forms: Vec<_> =
        [open_repeat, counted_and_nested, cascade, open_in_open].iter().map(|xml| load(xml, &none)).collect();
    forms.push(load(&csv_in_repeat, &towns));
    forms
}

/// One thing a person might do, chosen by numbers: which question (or range), and what.
fn act(engine: &mut Engine, which: usize, what: usize, number: u64) {
    let mut questions: Vec<NodeId> = Vec::new();
    engine.walk(&mut |engine, control, node| {
        if engine.form().controls[control].kind.is_question() && !engine.is_readonly(node) {
            questions.push(node);
        }
    });
    let ranges: Vec<String> = {
        let (form, tree) = (engine.form(), engine.tree());
        let nodes = tree.subtree(tree.root()).into_iter().filter(|&id| tree.node(id).relevant);
        let open = nodes.flat_map(|id| {
            let repeats = form.nodes[tree.node(id).def].children.iter().filter(|&&def| engine.may_add(def));
            repeats
                .map(|&def| format!("{}/{}", engine.path(id), form.names.get(form.nodes[def].name)))
                .collect::<Vec<_>>()
        });
        open.collect()
    };
    if !ranges.is_empty() && what.is_multiple_of(8) {
        let range = &ranges[which % ranges.len()];
        let _ = if what.is_multiple_of(16) {
            engine.add_repeat(range, step(number))
        } else {
            engine.remove_repeat(&format!("{range}[{}]", 1 + which % 3), step(number))
        };
        return;
    }
    let Some(&question) = questions.get(which % questions.len().max(1)) else { return };
    let value = value(engine, question, what);
    let done = engine.answer(question, value.as_deref(), step(number));
    if let Err(error) = done {
        panic!("{} to {value:?}: {error}", engine.path(question));
    }
}

fn value(engine: &Engine, question: NodeId, what: usize) -> Option<String> {
    if what % 7 == 6 {
        return None;
    }
    let definition = &engine.form().nodes[engine.tree().node(question).def];
    let control = definition.control.unwrap();
    let kind = engine.form().controls[control].kind;
    if kind.has_choices() {
        let choices = engine.choices(control, question);
        let chosen = |index: usize| choices.get(index % choices.len().max(1)).map(|choice| choice.value.clone());
        let first = chosen(what)?;
        let second = chosen(what / 3 + 1)?;
        return Some(if kind == ControlKind::Select1 || first == second { first } else { format!("{first} {second}") });
    }
    Some(match definition.data_type {
        DataType::Int | DataType::Decimal => (what % 5).to_string(),
        DataType::Date => format!("202{}-0{}-01", what % 6, 1 + what % 9),
        DataType::DateTime => format!("2027-01-0{}T10:00:00.000Z", 1 + what % 9),
        DataType::Geopoint => "52.0 4.9 0.0 5.0".to_owned(),
        _ => ["INT07", "CY3QJVZH", "x", "ج 1", "a & <b>"][what % 5].to_owned(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn incremental_is_full_recalculation(acts in prop::collection::vec((any::<u16>(), any::<u16>()), 1..40)) {
        for form in small_forms() {
            check(&form, &acts, 1);
        }
    }

    #[test]
    fn also_on_the_two_questionnaires(acts in prop::collection::vec((any::<u16>(), any::<u16>()), 1..60)) {
        static FORMS: LazyLock<[Arc<FormDef>; 2]> = LazyLock::new(|| ["questionnaire", "interview"].map(questionnaire));
        for form in &*FORMS {
            check(form, &acts, 4);
        }
    }
}

/// Plays the acts and compares after every `every`-th.
fn check(form: &Arc<FormDef>, acts: &[(u16, u16)], every: usize) {
    let mut engine = begin(form);
    for (index, &(which, what)) in acts.iter().enumerate() {
        act(&mut engine, which.into(), what.into(), index as u64 + 1);
        if index.is_multiple_of(every) || index + 1 == acts.len() {
            let full = engine.recomputed();
            let (ours, theirs) = (engine.write(Writer::Draft), full.write(Writer::Draft));
            assert_eq!(ours, theirs, "{} after {:?}", form.id, &acts[..=index]);
            assert!(engine == full, "{}: states differ after {:?}", form.id, &acts[..=index]);
        }
    }
}

/// Answers a form and gives what a node holds.
fn play(xml: &str, answers: &[(&str, &str)]) -> Engine {
    let mut engine = begin(&load(xml, &BTreeMap::new()));
    for (index, (path, value)) in answers.iter().enumerate() {
        let node = engine.find(path).unwrap_or_else(|| panic!("no {path}"));
        engine.answer(node, Some(value), step(index as u64 + 1)).unwrap();
    }
    engine
}

#[test]
fn the_golden_record_of_the_reference() {
    let xml = form(
        r#"<data id="t" version="1"><a>x</a><b/><r jr:template=""><v>9</v><w/></r><r><v>1</v><w/></r><r><v>2</v><w/></r><z/><hid>h</hid><bo/><t/><meta><instanceID/></meta></data>"#,
        r#"<bind nodeset="/data/b" type="int" calculate="count(/data/r)"/>
           <bind nodeset="/data/r/w" type="decimal" calculate="../v div 4"/>
           <bind nodeset="/data/z" type="decimal" calculate="sum(/data/r/v)"/>
           <bind nodeset="/data/hid" relevant="/data/a = 'y'"/>
           <bind nodeset="/data/bo" calculate="/data/a = 'x'"/>
           <bind nodeset="/data/t" type="date" calculate="date('2026-03-09')"/>"#,
        r#"<repeat nodeset="/data/r"><input ref="/data/r/v"/></repeat>"#,
    );
    let engine = play(&xml, &[]);
    let body = "<a>x</a><b>2</b><r><v>1</v><w>0.25</w></r><r><v>2</v><w>0.5</w></r><z>3</z>";
    let end = "<bo>1</bo><t>2026-03-09</t><meta><instanceID/></meta></data>";
    let head = "<?xml version='1.0' encoding='UTF-8' ?><data id=\"t\" version=\"1\">";
    assert_eq!(engine.write(Writer::Submission), format!("{head}{body}{end}"));
    assert_eq!(engine.write(Writer::Draft), format!("{head}{body}<hid>h</hid>{end}"));
}

#[test]
fn what_is_switched_off_reads_as_empty_and_comes_back() {
    let xml = form(
        r#"<d id="t"><a/><b/><c/></d>"#,
        r#"<bind nodeset="/d/b" relevant="/d/a = '1'"/><bind nodeset="/d/c" calculate="concat('[', /d/b, ']')"/>"#,
        r#"<input ref="/d/a"/><input ref="/d/b"/>"#,
    );
    let mut engine = play(&xml, &[("/d/a", "1"), ("/d/b", "x")]);
    assert_eq!(engine.value_at("/d/c"), "[x]");
    let a = engine.find("/d/a").unwrap();
    engine.answer(a, Some("2"), step(9)).unwrap();
    assert_eq!((engine.value_at("/d/b"), engine.value_at("/d/c")), ("x", "[]"));
    assert!(!engine.write(Writer::Submission).contains("<b>"));
    engine.answer(a, Some("1"), step(10)).unwrap();
    assert_eq!(engine.value_at("/d/c"), "[x]");
}

#[test]
fn a_choice_that_is_no_longer_offered_is_dropped_only_where_it_is_asked() {
    let xml = form(
        r#"<d id="t"><a/><on/><b/></d>"#,
        r#"<instance id="l"><root><item><n>x</n><g>1</g></item><item><n>y</n><g>2</g></item></root></instance>
           <bind nodeset="/d/b" relevant="/d/on = ''"/>"#,
        r#"<input ref="/d/a"/><input ref="/d/on"/>
           <select1 ref="/d/b"><itemset nodeset="instance('l')/root/item[g = /d/a]"><value ref="n"/><label ref="n"/></itemset></select1>"#,
    );
    let mut engine = play(&xml, &[("/d/a", "1"), ("/d/b", "x"), ("/d/on", "no"), ("/d/a", "2")]);
    assert_eq!(engine.value_at("/d/b"), "x");
    let on = engine.find("/d/on").unwrap();
    engine.answer(on, None, step(9)).unwrap();
    assert_eq!(engine.value_at("/d/b"), "");
}

#[test]
fn positions_move_up_behind_a_removed_instance() {
    let xml = form(
        r#"<d id="t"><r jr:template=""><n/><v/></r><r><n/><v/></r><all/></d>"#,
        r#"<bind nodeset="/d/r/n" calculate="position(..)"/><bind nodeset="/d/r/v" type="int"/>
           <bind nodeset="/d/all" calculate="concat(join(',', /d/r/n), ' ', sum(/d/r/v))"/>"#,
        r#"<repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat>"#,
    );
    let mut engine = play(&xml, &[("/d/r[1]/v", "1")]);
    assert_eq!(engine.value_at("/d/all"), "1 1", "a template and one instance are one instance");
    for (number, value) in [(2, "20"), (3, "300")] {
        engine.add_repeat("/d/r", step(number)).unwrap();
        let node = engine.find(&format!("/d/r[{number}]/v")).unwrap();
        engine.answer(node, Some(value), step(number + 10)).unwrap();
    }
    assert_eq!(engine.value_at("/d/all"), "1,2,3 321");
    engine.remove_repeat("/d/r[2]", step(20)).unwrap();
    assert_eq!((engine.value_at("/d/all"), engine.value_at("/d/r[2]/v")), ("1,2 301", "300"));
}

#[test]
fn required_comes_before_constraint_and_only_of_what_is_asked() {
    let xml = form(
        r#"<d id="t"><a/><b/><c/></d>"#,
        r#"<bind nodeset="/d/a" type="int" required="true()" constraint=". &gt; 3"/>
           <bind nodeset="/d/b" required="/d/a &gt; 5" relevant="/d/a != 9"/><bind nodeset="/d/c" required="true()"/>"#,
        r#"<input ref="/d/a"/><input ref="/d/b"/>"#,
    );
    let rows = [
        (None, Some(("/d/a", ViolationKind::Required))),
        (Some("2"), Some(("/d/a", ViolationKind::Constraint))),
        (Some("5"), None),
        (Some("7"), Some(("/d/b", ViolationKind::Required))),
        (Some("9"), None),
    ];
    for (answer, expected) in rows {
        let answers: Vec<_> = answer.map(|value| ("/d/a", value)).into_iter().collect();
        let engine = play(&xml, &answers);
        let found: Vec<_> = engine.violations().iter().map(|found| (engine.path(found.node), found.kind)).collect();
        let expected: Vec<_> = expected.map(|(path, kind)| (path.to_owned(), kind)).into_iter().collect();
        assert_eq!(found, expected, "{answer:?}");
    }
}

#[test]
fn attributes_are_calculated_like_elements() {
    let xml = form(
        r#"<d id="t"><a/><b kind="" fixed="f"/></d>"#,
        r#"<bind nodeset="/d/b/@kind" calculate="concat(/d/a, '!')"/>"#,
        r#"<input ref="/d/a"/>"#,
    );
    let written = play(&xml, &[("/d/a", "<x&y")]).write(Writer::Submission);
    assert!(written.contains(r#"<b kind="&lt;x&amp;y!" fixed="f"/>"#), "{written}");
}

#[test]
fn counts_create_and_never_delete() {
    let xml = form(
        r#"<d id="t"><n/><r jr:template=""><v>d</v></r><c/></d>"#,
        r#"<bind nodeset="/d/n" type="int"/><bind nodeset="/d/c" calculate="count(/d/r)"/>"#,
        r#"<input ref="/d/n"/><repeat nodeset="/d/r" jr:count="/d/n"><input ref="/d/r/v"/></repeat>"#,
    );
    let engine = play(&xml, &[("/d/n", "3"), ("/d/n", "1")]);
    assert_eq!(engine.value_at("/d/c"), "3");
    let mut engine = play(&xml, &[("/d/n", "-2")]);
    assert_eq!(engine.value_at("/d/c"), "0");
    assert_eq!(engine.add_repeat("/d/r", step(9)).unwrap_err().kind(), ErrorKind::NotAllowed);
}

#[test]
fn actions_run_at_their_events() {
    let xml = form(
        r#"<d id="t"><a/><b/><c/><n/><r jr:template=""><x/></r></d>"#,
        r#"<setvalue event="odk-instance-first-load" ref="/d/a" value="'first'"/>"#,
        r#"<input ref="/d/b"><setvalue event="xforms-value-changed" ref="/d/c" value="concat(../b, '!')"/></input>
           <input ref="/d/c"><setvalue event="xforms-value-changed" ref="/d/n" value="string-length(../c)"/></input>
           <repeat nodeset="/d/r"><setvalue event="odk-new-repeat" ref="/d/r/x" value="position(..) * 10"/><input ref="/d/r/x"/></repeat>"#,
    );
    let mut engine = play(&xml, &[("/d/b", "go")]);
    engine.add_repeat("/d/r", step(8)).unwrap();
    engine.add_repeat("/d/r", step(9)).unwrap();
    let values = ["/d/a", "/d/c", "/d/n", "/d/r[2]/x"].map(|path| engine.value_at(path).to_owned());
    assert_eq!(values, ["first", "go!", "3", "20"]);
}

#[test]
fn values_are_stored_in_the_form_of_their_type() {
    let xml = form(
        r#"<d id="t"><day/><text/><yes/><int/></d>"#,
        r#"<bind nodeset="/d/day" type="date"/><bind nodeset="/d/text" calculate="/d/day"/>
           <bind nodeset="/d/yes" calculate="/d/day != ''"/><bind nodeset="/d/int" type="int" calculate="7 div 2"/>"#,
        r#"<input ref="/d/day"/>"#,
    );
    let engine = play(&xml, &[("/d/day", "2026-3-9")]);
    let values = ["/d/day", "/d/text", "/d/yes", "/d/int"].map(|path| engine.value_at(path).to_owned());
    assert_eq!(values, ["2026-03-09", "2026-03-09T00:00:00.000+01:00", "1", "3"]);
}

#[test]
fn answers_are_refused_in_the_driver_s_order() {
    let xml = form(
        r#"<d id="t"><a/><b/><c/><n/></d>"#,
        r#"<bind nodeset="/d/b" relevant="false()"/><bind nodeset="/d/c" readonly="true()"/><bind nodeset="/d/n" type="int"/>"#,
        r#"<select1 ref="/d/a"><item><label>x</label><value>x y</value></item></select1><input ref="/d/b"/><input ref="/d/c"/><input ref="/d/n"/>"#,
    );
    let mut engine = play(&xml, &[("/d/a", "x y")]);
    let rows = [
        ("/d", "1", ErrorKind::NotAQuestion),
        ("/d/b", "1", ErrorKind::NotRelevant),
        ("/d/c", "1", ErrorKind::Readonly),
        ("/d/a", "x", ErrorKind::InvalidChoice),
        ("/d/n", "one", ErrorKind::InvalidValue),
    ];
    for (path, value, expected) in rows {
        let before = engine.write(Writer::Draft);
        let node = engine.find(path).unwrap();
        assert_eq!(engine.answer(node, Some(value), step(5)).unwrap_err().kind(), expected, "{path}");
        assert_eq!(engine.write(Writer::Draft), before);
    }
}

#[test]
fn circles_are_refused_by_name() {
    let rows = [
        (r#"<bind nodeset="/d/a" calculate="coalesce(., 1)"/>"#, "/d/a"),
        (r#"<bind nodeset="/d/a" calculate="/d/b"/><bind nodeset="/d/b" calculate="/d/a"/>"#, "/d/a, /d/b"),
        (r#"<bind nodeset="/d/r" relevant="/d/r/v = 1"/>"#, "/d/r"),
        (r#"<bind nodeset="/d/r/v" calculate="sum(/d/r[position() &lt; 3]/v)"/>"#, "/d/r/v"),
    ];
    for (binds, names) in rows {
        let xml =
            form("<d id='t'><a/><b/><r><v/></r></d>", binds, "<repeat nodeset='/d/r'><input ref='/d/r/v'/></repeat>");
        let error = FormDef::load(&xml, &()).unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Cycle, names), "{binds}");
    }
}

#[test]
fn a_change_that_would_pass_a_budget_is_undone_whole() {
    let limits = Limits { steps: 20_000, nodes: 2_000, bytes: 10_000 };
    let rows = [
        (
            "nodes",
            "<n/><r jr:template=''><m>100</m><q jr:template=''><v/></q></r>",
            "",
            "<repeat nodeset='/d/r' jr:count='/d/n'><repeat nodeset='/d/r/q' jr:count='../m'><input ref='/d/r/q/v'/></repeat></repeat>",
            "30",
        ),
        (
            "steps of one expression",
            "<n/><c/>",
            &format!(
                "<instance id='l'><root>{}</root></instance>
                 <bind nodeset='/d/c' calculate=\"if(/d/n = '30', {}, 1)\"/>",
                "<i/>".repeat(400),
                ["count(instance('l')/root/i[position() mod 7 = position() mod 5 + 1])"; 5].join(" + "),
            ),
            "",
            "30",
        ),
        (
            "rules woken",
            "<n/><r jr:template=''><v/><c/></r>",
            "<bind nodeset='/d/r/c' calculate='count(../../r)'/>",
            "<repeat nodeset='/d/r' jr:count='/d/n'><input ref='/d/r/v'><setvalue event='xforms-value-changed' ref='/d/r/c'/></input></repeat>",
            "900",
        ),
        (
            "bytes",
            "<n/><a/><b/><c/><e/>",
            "<bind nodeset='/d/a' calculate=\"concat(/d/n, /d/n, /d/n, /d/n, /d/n, /d/n)\"/>
             <bind nodeset='/d/b' calculate='concat(/d/a, /d/a, /d/a, /d/a, /d/a, /d/a)'/>
             <bind nodeset='/d/c' calculate='concat(/d/b, /d/b, /d/b, /d/b, /d/b, /d/b)'/>
             <bind nodeset='/d/e' calculate='concat(/d/c, /d/c, /d/c, /d/c, /d/c, /d/c)'/>",
            "",
            "a text of some length",
        ),
    ];
    for (name, nodes, binds, body, too_much) in rows {
        let xml = form(&format!("<d id='t'>{nodes}</d>"), binds, &format!("<input ref='/d/n'/>{body}"));
        let mut engine = play(&xml, &[("/d/n", "2")]);
        engine.set_limits(limits);
        let n = engine.find("/d/n").unwrap();
        let before = (engine.state(), engine.write(Writer::Draft));
        let refused = engine.answer(n, Some(too_much), step(5)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{name}");
        assert_eq!((engine.state(), engine.write(Writer::Draft)), before, "{name}");

        // The record goes on, and a journal row of the same, made when the limits were wider, is no matter of limits.
        engine.answer(n, Some("1"), step(6)).unwrap();
        let mut replayed = engine.clone();
        replayed.replay_answer("/d/n", Some(too_much), step(7)).unwrap();
        let mut unlimited = engine.clone();
        unlimited.set_limits(Limits::default());
        unlimited.answer(n, Some(too_much), step(7)).unwrap();
        assert_eq!(replayed.state(), unlimited.state(), "{name}");
    }
}

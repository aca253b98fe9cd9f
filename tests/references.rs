//! Where the references of a form lead: binds, controls, actions, attributes, rows; and that one which leads nowhere is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::ErrorKind;
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Settings};
use veldwerk::form::{ControlKind, FormDef};
use veldwerk::instance::Writer;
use veldwerk::xml::{Document, Names};

/// A form from its instance, the rest of its model, and its body.
fn form(instance: &str, model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms">
            <h:head><h:title>T</h:title><model><instance>{instance}</instance>{model}</model></h:head>
            <h:body>{body}</h:body></h:html>"#
    )
}

/// A record of a form, step by step.
struct Record {
    engine: Engine,
    told: Vec<String>,
    steps: u64,
}

impl Record {
    fn of(xml: &str) -> Self {
        let (form, diagnostics) = FormDef::load(xml, &BTreeMap::new()).unwrap();
        let told = diagnostics.iter().map(|told| format!("{} {}", told.kind.code(), told.place)).collect();
        let engine = Engine::begin(Arc::new(form), settings(), step(0), None).unwrap();
        Self { engine, told, steps: 0 }
    }

    fn step(&mut self) -> Step {
        self.steps += 1;
        step(self.steps)
    }

    fn answer(&mut self, path: &str, value: &str) -> &mut Self {
        let node = self.engine.find(path).unwrap_or_else(|| panic!("there is no {path}"));
        let step = self.step();
        self.engine.answer(node, Some(value), step).unwrap_or_else(|error| panic!("{path}: {error}"));
        self
    }

    fn add(&mut self, range: &str) -> &mut Self {
        let step = self.step();
        self.engine.add_repeat(range, step).unwrap_or_else(|error| panic!("{range}: {error}"));
        self
    }

    /// What is sent, between the root's tags.
    fn sent(&self) -> String {
        let sent = self.engine.write(Writer::Submission);
        let (_, inside) = sent.split_once("<d ").and_then(|(_, rest)| rest.split_once('>')).unwrap();
        inside.strip_suffix("</d>").unwrap().to_owned()
    }

    /// The start tag of the root.
    fn root(&self) -> String {
        let sent = self.engine.write(Writer::Submission);
        let (_, rest) = sent.split_once("<d").unwrap();
        format!("<d{}>", rest.split_once('>').unwrap().0)
    }
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() }
}

fn step(number: u64) -> Step {
    Step { at: 1_768_478_400_000, seed: 7, number }
}

#[test]
fn a_bind_counts_from_the_root_however_it_is_written() {
    for nodeset in ["/d/g/b", "g/b", "./g/b", " g / b ", "x:g/y:b", "g/../g/b", "/d/g[1]/b"] {
        let xml = form(
            r#"<d id="t"><a/><g><b/></g></d>"#,
            &format!(r#"<bind nodeset="a" type="int"/><bind nodeset="{nodeset}" calculate="../../a + 1"/>"#),
            r#"<input ref="/d/a"/>"#,
        );
        let mut record = Record::of(&xml);
        record.answer("/d/a", "07");
        assert_eq!((record.sent().as_str(), &record.told), ("<a>7</a><g><b>8</b></g>", &Vec::new()), "{nodeset}");
    }
    for nodeset in ["/other/a", "b", "g/b/c", "../d/a", "", "//a", "instance('l')/root/a"] {
        let xml = form(
            r#"<d id="t"><a/><g><b/></g></d>"#,
            &format!(r#"<bind nodeset="{nodeset}" calculate="1"/>"#),
            r#"<input ref="/d/a"/>"#,
        );
        let record = Record::of(&xml);
        assert_eq!(record.told, [format!("rule-of-nothing {nodeset}")]);
        assert_eq!(record.sent(), "<a/><g><b/></g>");
    }
}

#[test]
fn controls_and_actions_are_bound_by_the_id_of_a_bind() {
    let xml = form(
        r#"<d id="t"><a/><g><b/></g><r><v/><seen/></r><s/></d>"#,
        r#"<bind id="a" nodeset="/d/a" type="int"/><bind id="gg" nodeset="g" relevant="/d/a &gt; 1"/>
           <bind id="b" nodeset="g/b"/><bind id="rr" nodeset="/d/r"/><bind id="v" nodeset="/d/r/v"/>
           <bind id="seen" nodeset="/d/r/seen"/><bind id="s" nodeset="/d/s"/>"#,
        r#"<input bind="a"><setvalue event="xforms-value-changed" bind="s" value="concat('a', /d/a)"/></input>
           <group bind="gg"><input bind="b"/></group>
           <group><repeat bind="rr"><input bind="v"/><setvalue event="odk-new-repeat" bind="seen" value="position(..)"/></repeat></group>
           <input bind="/d/s"/>"#,
    );
    let mut record = Record::of(&xml);
    record.answer("/d/a", "2").answer("/d/g/b", "x").add("/d/r").answer("/d/r[2]/v", "y");
    assert_eq!(record.sent(), "<a>2</a><g><b>x</b></g><r><v/><seen/></r><r><v>y</v><seen>2</seen></r><s>a2</s>");
    assert_eq!(record.told, Vec::<String>::new());
    let kinds: Vec<_> = record.engine.form().controls.iter().map(|(_, control)| control.kind).collect();
    use ControlKind::{Group, Input, Repeat};
    assert_eq!(kinds, [Input, Group, Input, Repeat, Input, Input]);
}

#[test]
fn an_id_that_no_bind_has_and_one_that_two_have_are_told() {
    let xml = form(
        r#"<d id="t"><a/><b/></d>"#,
        r#"<bind id="one" nodeset="/d/a"/><bind id="one" nodeset="/d/b"/>"#,
        r#"<input bind="one"/><input bind="two"/><setvalue event="odk-instance-first-load" bind="three" value="1"/>"#,
    );
    let record = Record::of(&xml);
    assert_eq!(record.told, ["duplicate /d/b", "bad-reference two", "action-on-nothing three"]);
    assert!(record.engine.find("/d/a").is_some_and(|a| {
        let def = record.engine.tree().node(a).def;
        record.engine.form().nodes[def].control.is_some()
    }));
}

#[test]
fn body_references_count_from_the_control_around_them() {
    for (group, input) in [
        ("/d/g", "b"),
        ("/d/g", "./b"),
        ("/d/g", "../g/b"),
        ("/d/g", "current()/b"),
        ("g", "current()/../g/b"),
        ("/d/g", "/d/g/b"),
        ("/d/g", "g/b"), // from the root, where nothing else is meant
    ] {
        let xml = form(
            r#"<d id="t"><g><b/></g></d>"#,
            "",
            &format!(r#"<group ref="{group}"><input ref="{input}"/></group>"#),
        );
        let mut record = Record::of(&xml);
        record.answer("/d/g/b", "x");
        assert_eq!(record.told, Vec::<String>::new(), "{group} {input}");
    }
}

#[test]
fn attributes_of_lists_are_read_in_every_place() {
    let xml = form(
        r#"<d id="t"><a/><label/><all/><n/><up/></d>"#,
        r#"<instance id="l"><root xmlns:x="urn:x" kind="towns"><item id="p" x:size="2"><label lang="en">X</label></item>
             <item id="q" x:size=" 10 "><label lang="nl">Y</label></item></root></instance>
           <bind nodeset="/d/label" calculate="instance('l')/root/item[@id = /d/a]/label"/>
           <bind nodeset="/d/all" calculate="concat(instance('l')/root/@kind, join(',', instance('l')/root/item/label/@lang))"/>
           <bind nodeset="/d/n" calculate="concat(count(instance('l')/root/@*), sum(instance('l')/root/item/@size))"/>
           <bind nodeset="/d/up" calculate="instance('l')/root/item/label[@lang = 'nl']/@lang/../../@id"/>"#,
        r#"<select1 ref="/d/a"><itemset nodeset="instance('l')/root/item[@size &gt; 1]"><value ref="@id"/><label ref="label"/></itemset></select1>"#,
    );
    let mut record = Record::of(&xml);
    record.answer("/d/a", "q");
    assert_eq!(record.sent(), "<a>q</a><label>Y</label><all>townsen,nl</all><n>112</n><up>q</up>");
}

#[test]
fn attributes_of_the_root_can_be_read_and_set() {
    let xml = form(
        r#"<d xmlns:my="urn:my" id="t" version="3" my:who="" kind="k"><a/><read/></d>"#,
        r#"<bind nodeset="/d/@my:who" calculate="concat('w', /d/a)"/>
           <bind nodeset="/d/read" calculate="concat(/d/@kind, /d/@version, ../@who)"/>"#,
        r#"<input ref="/d/a"/>"#,
    );
    let mut record = Record::of(&xml);
    record.answer("/d/a", "1");
    assert_eq!(record.root(), r#"<d xmlns:my="urn:my" id="t" version="3" my:who="w1" kind="k">"#);
    assert_eq!(record.sent(), "<a>1</a><read>k3w1</read>");
    let saved = record.engine.write(Writer::Draft).replace(r#"version="3""#, r#"version="2""#);
    let again = Engine::reopen(Arc::clone(record.engine.form()), settings(), &saved, step(9), None).unwrap();
    assert_eq!(again.write(Writer::Submission), record.engine.write(Writer::Submission), "the version is the form's");
}

#[test]
fn a_new_row_without_a_template_keeps_attributes_and_blanks_texts() {
    let xml = form(
        r#"<d id="t"><p><n kind="x">default</n><meta><entity dataset="trees" id="" create="1"><label/></entity></meta></p></d>"#,
        r#"<bind nodeset="/d/p/meta/entity/label" calculate="../../../n"/>"#,
        r#"<repeat nodeset="/d/p"><input ref="/d/p/n"/>
             <setvalue ref="/d/p/meta/entity/@id" event="odk-new-repeat" value="concat('row', position(../../..))"/></repeat>"#,
    );
    let mut record = Record::of(&xml);
    record.add("/d/p").answer("/d/p[2]/n", "Oak");
    let row = |n: &str, id: &str| {
        format!(
            r#"<p><n kind="x">{n}</n><meta><entity dataset="trees" id="{id}" create="1"><label>{n}</label></entity></meta></p>"#
        )
    };
    assert_eq!(record.sent(), row("default", "") + &row("Oak", "row2"));
}

#[test]
fn a_new_row_is_its_template_and_nothing_of_its_neighbours() {
    let xml = form(
        r#"<d id="t"><r jr:template=""><a x="1">t</a></r><r><a y="2">r</a></r></d>"#,
        "",
        r#"<repeat nodeset="/d/r"><input ref="/d/r/a"/></repeat>"#,
    );
    let mut record = Record::of(&xml);
    record.add("/d/r");
    assert_eq!(record.sent(), r#"<r><a y="2">r</a></r><r><a x="1">t</a></r>"#);
}

/// Each row: what the form has, and what it has after one more outer row.
#[test]
fn a_new_outer_row_has_the_inner_rows_that_a_template_gives_it() {
    for (instance, after) in [
        // No template anywhere: the first row with its texts blanked and its rows left out.
        ("<o><a>x</a><i><c>y</c></i></o>", "<o><a>x</a><i><c>y</c></i></o><o><a/></o>"),
        ("<o><a/><i><c>1</c></i><i><c>2</c></i></o>", "<o><a/><i><c>1</c></i><i><c>2</c></i></o><o><a/></o>"),
        // The outer one has a template with a plain inner row, or without any.
        (r#"<o jr:template=""><a/><i><c>y</c></i></o>"#, "<o><a/><i><c>y</c></i></o>"),
        (r#"<o jr:template=""><a/><i jr:template=""><c>y</c></i></o>"#, "<o><a/></o>"),
        (r#"<o jr:template=""><a/><i jr:template=""><c/></i><i><c>1</c></i></o>"#, "<o><a/><i><c>1</c></i></o>"),
        // Only the inner one has a template.
        (r#"<o><a/><i jr:template=""><c>y</c></i></o>"#, "<o><a/></o><o><a/></o>"),
    ] {
        let xml = form(
            &format!(r#"<d id="t">{instance}</d>"#),
            "",
            r#"<repeat nodeset="/d/o"><input ref="/d/o/a"/><repeat nodeset="/d/o/i"><input ref="/d/o/i/c"/></repeat></repeat>"#,
        );
        let mut record = Record::of(&xml);
        record.add("/d/o");
        assert_eq!(record.sent(), after, "{instance}");
    }
}

#[test]
fn a_reopened_row_takes_what_it_lacks_from_the_row_of_the_form_in_its_place() {
    let xml = form(
        r#"<d id="t"><on/><r><a>1</a><b>x</b></r><r><a>2</a><b>y</b></r></d>"#,
        r#"<bind nodeset="/d/r/b" relevant="/d/on = 1"/>"#,
        r#"<input ref="/d/on"/><repeat nodeset="/d/r"><input ref="/d/r/a"/><input ref="/d/r/b"/></repeat>"#,
    );
    let mut record = Record::of(&xml);
    record.add("/d/r");
    let saved = record.engine.write(Writer::Submission);
    assert!(!saved.contains("<b>"), "{saved}");
    record.engine = Engine::reopen(Arc::clone(record.engine.form()), settings(), &saved, step(9), None).unwrap();
    record.answer("/d/on", "1");
    assert_eq!(
        record.sent(),
        "<on>1</on><r><a>1</a><b>x</b></r><r><a>2</a><b>y</b></r><r><a/><b/></r>",
        "the third row is a new one, and blank"
    );
}

/// An action outside of the repeat, by what chooses the row.
#[test]
fn predicates_choose_the_rows_that_an_action_sets() {
    for (reference, rows, told) in [
        ("/d/r[position() = 1]/v", ["new", "keep", "keep"], None),
        ("/d/r[position() = /d/which]/v", ["keep", "new", "keep"], None),
        ("/d/r[on = 1]/v", ["keep", "new", "new"], None),
        ("/d/r[true()]/v", ["new", "new", "new"], None),
        ("/d/r[on = 9]/v", ["keep", "keep", "keep"], None),
        ("/d/r/v", ["keep", "keep", "keep"], Some("unbound-row /d/r/v")),
        ("../r/v", ["keep", "keep", "keep"], Some("unbound-row /d/r/v")),
        ("../r[on = 1][2]/v", ["keep", "keep", "new"], None),
        ("/d/r/v[. = 'keep']", ["keep", "keep", "keep"], Some("unbound-row /d/r/v")),
    ] {
        let xml = form(
            r#"<d id="t"><src/><which>2</which><r><v/><on/></r></d>"#,
            r#"<bind nodeset="/d/r/v" readonly="true()" relevant="../on != 'x'"/>"#,
            &format!(
                r#"<input ref="/d/src"><setvalue ref="{reference}" event="xforms-value-changed" value="/d/src"/></input>
                   <repeat nodeset="/d/r"><input ref="/d/r/on"><setvalue ref="/d/r/v" event="xforms-value-changed">keep</setvalue></input></repeat>"#
            ),
        );
        let mut record = Record::of(&xml);
        record.add("/d/r").add("/d/r");
        record.answer("/d/r[1]/on", "0").answer("/d/r[2]/on", "1").answer("/d/r[3]/on", "1").answer("/d/src", "new");
        let values = [1, 2, 3].map(|row| record.engine.value_at(&format!("/d/r[{row}]/v")));
        assert_eq!(values, rows, "{reference}");
        assert_eq!(record.told, told.into_iter().collect::<Vec<_>>(), "{reference}");
    }
}

#[test]
fn a_row_that_nobody_chooses_is_meant_while_it_is_the_only_one() {
    let xml = form(
        r#"<d id="t"><src/><r jr:template=""><v/></r><r><v/></r></d>"#,
        r#"<setvalue event="odk-instance-first-load" ref="/d/r/v" value="'first'"/>"#,
        r#"<input ref="/d/src"><setvalue ref="/d/r/v" event="xforms-value-changed" value="/d/src"/></input>
           <repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat>"#,
    );
    let mut record = Record::of(&xml);
    assert_eq!(record.sent(), "<src/><r><v>first</v></r>");
    record.answer("/d/src", "one").add("/d/r").answer("/d/src", "two");
    assert_eq!(record.sent(), "<src>two</src><r><v>one</v></r><r><v/></r>");
}

#[test]
fn an_action_in_a_row_sets_that_row() {
    let xml = form(
        r#"<d id="t"><o><a/><i><b/><c/></i><sum/></o></d>"#,
        "",
        r#"<repeat nodeset="/d/o"><input ref="/d/o/a"><setvalue ref="/d/o/sum" event="xforms-value-changed" value="../a"/></input>
           <repeat nodeset="/d/o/i"><input ref="/d/o/i/b"><setvalue ref="../c" event="xforms-value-changed" value="../b"/>
             <setvalue ref="/d/o/sum" event="xforms-value-changed" value="sum(../i/b)"/></input></repeat></repeat>"#,
    );
    let mut record = Record::of(&xml);
    record.add("/d/o").add("/d/o[1]/i").add("/d/o[2]/i");
    record.answer("/d/o[1]/i[1]/b", "1").answer("/d/o[1]/i[2]/b", "2").answer("/d/o[2]/a", "x");
    assert_eq!(
        record.sent(),
        "<o><a/><i><b>1</b><c>1</c></i><i><b>2</b><c>2</c></i><sum>3</sum></o><o><a>x</a><i><b/><c/></i><sum>x</sum></o>"
    );
}

#[test]
fn actions_run_at_their_events_wherever_they_stand() {
    let xml = form(
        r#"<d id="t"><model/><nested/><both/><r><default/><row/><out/></r><n/></d>"#,
        r#"<setvalue event="odk-instance-first-load" ref="/d/model" value="'m'"/>
           <setvalue event="odk-instance-first-load xforms-revalidate" ref="both" value="concat(., 'b')"/>
           <setvalue event="odk-instance-first-load odk-new-repeat" ref="/d/r/default" value="concat('d', position(..))"/>
           <setvalue event="odk-new-repeat" ref="/d/n" value="count(/d/r)"/>"#,
        r#"<input ref="/d/nested"><setvalue event="odk-instance-first-load" ref="." value="'n'"/></input>
           <repeat nodeset="/d/r"><input ref="/d/r/row"><setvalue event="odk-instance-first-load" ref="/d/r/row" value="'loaded'"/></input>
             <setvalue event="odk-new-repeat" ref="/d/r/out" value="'new'"/></repeat>"#,
    );
    let mut record = Record::of(&xml);
    assert_eq!(
        record.sent(),
        "<model>m</model><nested>n</nested><both>b</both><r><default>d1</default><row>loaded</row><out/></r><n/>"
    );
    record.add("/d/r");
    let step = record.step();
    record.engine.finish(step).unwrap();
    assert_eq!(
        record.sent(),
        "<model>m</model><nested>n</nested><both>bb</both><r><default>d1</default><row>loaded</row><out/></r>\
         <r><default>d2</default><row/><out>new</out></r><n>2</n>"
    );
    assert_eq!(record.told, ["misplaced-action /d/r/default", "misplaced-action /d/n"]);
}

#[test]
fn an_empty_value_beats_the_text_within() {
    let xml = form(
        r#"<d id="t"><a>x</a><b>x</b><c>x</c><e>x</e></d>"#,
        r#"<setvalue event="odk-instance-first-load" ref="/d/a" value="">text</setvalue>
           <setvalue event="odk-instance-first-load" ref="/d/b" value="'v'">text</setvalue>
           <setvalue event="odk-instance-first-load" ref="/d/c">text</setvalue>
           <setvalue event="odk-instance-first-load" ref="/d/e"/>"#,
        r#"<input ref="/d/a"/>"#,
    );
    assert_eq!(Record::of(&xml).sent(), "<a/><b>v</b><c>text</c><e/>");
}

#[test]
fn an_action_that_cannot_do_what_it_says_is_told_and_does_no_harm() {
    let xml = form(
        r#"<d id="t"><a>keep</a><g><b>keep</b></g><r><v/></r></d>"#,
        r#"<setvalue event="odk-instance-first-load" ref="/d/g" value="'x'"/>
           <setvalue event="odk-instance-first-load" ref="/d/a" value="//b"/>
           <setvalue event="odk-instance-firstload" ref="/d/a" value="'x'"/>
           <setvalue ref="/d/a" value="'x'"/>
           <setvalue event="xforms-value-changed" ref="/d/a" value="'x'"/>
           <setvalue event="odk-instance-first-load" value="'x'"/>"#,
        r#"<group ref="/d/g"><setvalue event="odk-new-repeat" ref="/d/a" value="'x'"/><input ref="/d/g/b"/></group>
           <repeat nodeset="/d/r"><input ref="/d/r/v"/></repeat>"#,
    );
    let record = Record::of(&xml);
    assert_eq!(record.sent(), "<a>keep</a><g><b>keep</b></g><r><v/></r>");
    assert_eq!(
        record.told,
        [
            "unsupported-expression /d/a, setvalue",
            "unknown-event /d/a",
            "unknown-event /d/a",
            "action-on-nothing ",
            "no-effect /d/a",
            "no-effect /d/g",
            "no-effect /d/a",
        ]
    );
}

#[test]
fn a_root_of_another_name_is_no_root() {
    let xml = form(r#"<d id="t"><a/></d>"#, "", r#"<input ref="/other/a"/><input ref="/d/a"/>"#);
    let record = Record::of(&xml);
    assert_eq!(record.told, ["bad-reference /other/a"]);
    let mut engine = record.engine;
    let a = engine.find("/d/a").unwrap();
    assert!(engine.find("/other/a").is_none());
    engine.answer(a, Some("x"), step(1)).unwrap();
    assert_eq!(engine.add_repeat("/d/a", step(2)).unwrap_err().kind(), ErrorKind::NoSuchNode);
}

#[test]
fn choices_that_are_grouped_are_offered_one_after_the_other() {
    let record = Record::of(&form(
        "<d id='f'><s/></d>",
        "<bind nodeset='/d/s'/>",
        "<select1 ref='/d/s'><label>s</label><choices><label>Old</label><item><label>A</label><value>a</value></item></choices>
            <item><label>B</label><value>b</value></item>
            <choices><choices><item><label>C</label><value>c</value></item></choices></choices></select1>",
    ));
    let node = record.engine.find("/d/s").unwrap();
    let control = record.engine.form().nodes[record.engine.tree().node(node).def].control.unwrap();
    let offered: Vec<_> = record.engine.choices(control, node).into_iter().map(|choice| choice.value).collect();
    assert_eq!(offered, ["a", "b", "c"]);
    assert_eq!(record.told, ["no-effect /d/s"], "the heading is not shown, and that is told");
}

#[test]
fn a_prefix_that_an_element_declares_for_itself_is_declared_in_what_is_sent() {
    let record = Record::of(&form(
        "<d id='f'><a><o:b xmlns:o='urn:o'/></a><orx:meta xmlns:orx='http://openrosa.org/xforms'><orx:instanceID/></orx:meta></d>",
        "",
        "",
    ));
    let sent = record.engine.write(Writer::Submission);
    Document::parse(sent.as_str().into(), &mut Names::default()).unwrap_or_else(|error| panic!("{error}: {sent}"));
    assert_eq!(sent.matches("xmlns:o=").count(), 1, "{sent}");
}

#[test]
fn a_repeat_that_is_not_on_the_way_to_what_is_wanted_is_refused_with_its_place() {
    for (calculate, at) in [
        ("indexed-repeat(/d/r/v, ../s, 1)", "/d/c, calculation, character 24"),
        ("indexed-repeat(../r/v, /d/s, 1)", "/d/c, calculation, character 24"),
        ("1 + indexed-repeat(../r/v, ., 1)", "/d/c, calculation, character 28"),
    ] {
        let xml = form(
            "<d id='t'><r><v/></r><s><w/></s><c/></d>",
            &format!(r#"<bind nodeset="/d/c" calculate="{calculate}"/>"#),
            "<repeat nodeset='/d/r'><input ref='/d/r/v'/></repeat><repeat nodeset='/d/s'><input ref='/d/s/w'/></repeat>",
        );
        let error = FormDef::load(&xml, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongArguments, "{calculate}");
        assert!(error.detail().starts_with(at), "{calculate}: {}", error.detail());
    }
}

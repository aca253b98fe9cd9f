//! What a screen's view carries: all that a widget needs, and of long lists no more than it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::clock::Step;
use veldwerk::form::FormDef;
use veldwerk::session::{
    ChoiceView, Edit, FormSession, Medium, Number, Place, QuestionView, Scale, ScreenKey, Settings, ViolationKind,
};

fn step(number: u64) -> Step {
    Step { at: 1_768_478_400_000, seed: 99, number }
}

/// A session of a form with these nodes, binds and controls.
fn session(nodes: &str, binds: &str, body: &str) -> FormSession {
    session_with(nodes, binds, body, &BTreeMap::new())
}

fn session_with(nodes: &str, binds: &str, body: &str, files: &BTreeMap<String, Vec<u8>>) -> FormSession {
    let lists: String = files
        .keys()
        .map(|file| format!(r#"<instance id="{}" src="jr://file-csv/{file}"/>"#, file.trim_end_matches(".csv")))
        .collect();
    let form = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms"
            xmlns:orx="http://openrosa.org/xforms"><h:head><h:title>T</h:title><model>
            <instance><d id="t">{nodes}<meta><instanceID/></meta></d></instance>{lists}{binds}</model></h:head>
            <h:body>{body}</h:body></h:html>"#
    );
    let (form, notices) = FormDef::load(&form, files).unwrap();
    assert!(notices.is_empty(), "{notices:?}");
    let settings = Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() };
    FormSession::begin(Arc::new(form), settings, None, step(0), None).unwrap()
}

fn question(session: &FormSession, path: &str) -> QuestionView {
    session.question_at(session.node(path).unwrap()).unwrap()
}

fn answer(session: &mut FormSession, node: &str, value: &str) {
    session.apply(&Edit::Answer { node: node.into(), value: Some(value.into()) }, step(1)).unwrap();
}

fn values(choices: &[ChoiceView]) -> Vec<&str> {
    choices.iter().map(|choice| choice.value.as_str()).collect()
}

#[test]
fn a_range_says_its_bounds_its_step_and_its_ticks() {
    let range = |attributes: &str, inside: &str| {
        let session = session(
            "<a/>",
            r#"<bind nodeset="/d/a" type="decimal"/>"#,
            &format!(r#"<range ref="/d/a" {attributes}>{inside}</range>"#),
        );
        question(&session, "/d/a")
    };
    let scale =
        |start, end, step, decimals| Some(Scale { start, end, step, decimals, tick_interval: None, placeholder: None });
    let rows = [
        (r#"start="1" end="10" step="1""#, scale(1.0, 10.0, 1.0, 0)),
        (r#"start="0" end="1" step="0.25""#, scale(0.0, 1.0, 0.25, 2)),
        (r#"start=" 10 " end="-10" step="-2.50""#, scale(10.0, -10.0, 2.5, 1)),
        (r#"start="1" end="10""#, scale(1.0, 10.0, 1.0, 0)),
        (r#"start="1" end="10" step="0""#, None),
        (r#"start="1" end="1" step="1""#, None),
        (r#"start="one" end="10" step="1""#, None),
        (r#"start="1" end="NaN" step="1""#, None),
        (r#"end="10" step="1""#, None),
    ];
    for (attributes, expected) in rows {
        assert_eq!(range(attributes, "").widget.scale, expected, "{attributes}");
    }
    let ticks = range(
        r#"start="1" end="5" step="1" odk:tick-interval="2" odk:placeholder="3""#,
        "<item><label>Never</label><value>1</value></item><item><label>Always</label><value>5</value></item>",
    );
    let scale = ticks.widget.scale.unwrap();
    assert_eq!((scale.tick_interval, scale.placeholder), (Some(2.0), Some(3.0)));
    assert_eq!((values(&ticks.choices), ticks.n_choices), (vec!["1", "5"], 2));
    assert_eq!(ticks.value, "", "a placeholder is no answer");
}

#[test]
fn an_upload_says_what_it_takes_and_how_large() {
    let rows = [
        ("image/*", Medium::Image),
        ("audio/*", Medium::Audio),
        ("video/mp4", Medium::Video),
        ("application/pdf", Medium::File),
        ("", Medium::File),
    ];
    for (mediatype, medium) in rows {
        let body = format!(r#"<upload ref="/d/a" mediatype="{mediatype}" accept=".pdf, .doc"/>"#);
        let binds = r#"<bind nodeset="/d/a" type="binary" orx:max-pixels="1024" odk:quality="voice-only"/>"#;
        let upload = question(&session("<a/>", binds, &body), "/d/a").widget.upload.unwrap();
        assert_eq!((upload.medium, upload.mediatype.as_str()), (medium, mediatype));
        assert_eq!(upload.accept, [".pdf", ".doc"]);
        assert_eq!((upload.max_pixels, upload.quality.as_deref()), (Some(1024), Some("voice-only")));
    }
}

#[test]
fn places_numbers_and_texts_say_their_limits() {
    let session = session(
        "<p/><t/><n/><m/><s/><x/>",
        r#"<bind nodeset="/d/p" type="geopoint" odk:allow-mock-accuracy="true"/><bind nodeset="/d/t" type="geotrace"/>
           <bind nodeset="/d/n" type="int"/><bind nodeset="/d/m" type="decimal"/>"#,
        r#"<input ref="/d/p" accuracyThreshold="2.5" unacceptableAccuracyThreshold="30"/><input ref="/d/t" incremental="true"/>
           <input ref="/d/n"/><input ref="/d/m"/><input ref="/d/s" appearance="Numbers"/>
           <input ref="/d/x" appearance="multiline ex:org.App(a='b c')" rows="4" autoplay="audio" intent="org.app.GO"/>"#,
    );
    let place = |accuracy, unacceptable_accuracy, incremental, allows_mock| {
        Some(Place { accuracy, unacceptable_accuracy, incremental, allows_mock })
    };
    assert_eq!(question(&session, "/d/p").widget.place, place(2.5, 30.0, false, true));
    assert_eq!(question(&session, "/d/t").widget.place, place(5.0, 100.0, true, false));
    let number = |path| question(&session, path).widget.number;
    assert_eq!(number("/d/n"), Some(Number { is_decimal: false, max_length: Some(9) }));
    assert_eq!(number("/d/m"), Some(Number { is_decimal: true, max_length: Some(15) }));
    assert_eq!(number("/d/s"), Some(Number { is_decimal: true, max_length: None }));
    let text = question(&session, "/d/x").widget;
    assert_eq!((text.number, text.rows, text.autoplay.as_deref()), (None, Some(4), Some("audio")));
    assert_eq!(text.intent.as_deref(), Some("org.app.GO"));
    assert_eq!(text.appearances, ["multiline", "ex:org.app(a='b c')"]);
}

#[test]
fn a_screen_says_which_instances_are_around_it() {
    let mut session = session(
        "<o><i><v/></i></o><c><w/></c>",
        "",
        r#"<repeat nodeset="/d/o"><repeat nodeset="/d/o/i"><input ref="/d/o/i/v"/></repeat></repeat>
           <repeat nodeset="/d/c" jr:noAddRemove="true()"><input ref="/d/c/w"/></repeat>"#,
    );
    session.apply(&Edit::Add { range: "/d/o".into() }, step(1)).unwrap();
    session.apply(&Edit::Add { range: "/d/o[2]/i".into() }, step(2)).unwrap();
    session.apply(&Edit::Add { range: "/d/o[2]/i".into() }, step(3)).unwrap();
    let around = |screen: &str| {
        let view = session.screen(&session.screen_at(screen).unwrap());
        let row = |instance: &veldwerk::session::InstanceView| {
            (instance.path.clone(), instance.position, instance.of, instance.may_change)
        };
        view.instances.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(around("/d/o[2]/i[1]/v"), [("/d/o[2]".into(), 2, 2, true), ("/d/o[2]/i[1]".into(), 1, 2, true)]);
    assert_eq!(around("/d/o[2]/i+"), [("/d/o[2]".into(), 2, 2, true)]);
    assert_eq!(around("/d/c[1]/w"), [("/d/c[1]".into(), 1, 1, false)]);
    assert_eq!(session.screen(&ScreenKey::End).instances, []);
}

#[test]
fn an_answer_shows_on_the_other_questions_of_the_screen() {
    let mut session = session(
        "<g><start/><end/><note/></g>",
        r#"<bind nodeset="/d/g/start" type="int"/>
           <bind nodeset="/d/g/end" type="int" constraint=". &gt; ../start" jr:constraintMsg="After the start"/>"#,
        r#"<group ref="/d/g" appearance="field-list"><input ref="/d/g/start"/><input ref="/d/g/end"/>
           <group><label>From <output value="/d/g/start"/></label><select1 ref="/d/g/note">
           <item><label>Until <output value="/d/g/end"/></label><value>a</value></item></select1></group></group>"#,
    );
    answer(&mut session, "/d/g/start", "3");
    answer(&mut session, "/d/g/end", "5");
    let shown = |session: &FormSession| session.screen(&session.first());
    assert_eq!(shown(&session).questions[1].violation, None);
    answer(&mut session, "/d/g/start", "9");
    let view = shown(&session);
    assert_eq!(view.questions[1].violation.as_ref().unwrap().kind, ViolationKind::Constraint);
    assert_eq!(view.questions[2].choices[0].label.plain, "Until \u{2068}5\u{2069}");
}

/// Municipalities of a country that has very many.
fn municipalities(n: usize) -> BTreeMap<String, Vec<u8>> {
    let mut csv = String::from("name,label\n");
    for row in 0..n {
        match row {
            42 => csv.push_str("m42,Súdwest-Fryslân\n"),
            43 => csv.push_str("m43,مُحَافَظَة أَرْبِيل\n"),
            _ => writeln!(csv, "m{row},**Place** number {row}").unwrap(),
        }
    }
    BTreeMap::from([("places.csv".to_owned(), csv.into_bytes())])
}

fn select(kind: &str, n: usize) -> FormSession {
    let list = r#"<itemset nodeset="instance('places')/root/item"><value ref="name"/><label ref="label"/></itemset>"#;
    session_with("<a/>", "", &format!(r#"<{kind} ref="/d/a">{list}</{kind}>"#), &municipalities(n))
}

#[test]
fn up_to_a_hundred_choices_come_with_the_view() {
    let shown = question(&select("select1", 100), "/d/a");
    assert_eq!((shown.choices.len(), shown.n_choices), (100, 100));
    let shown = question(&select("select1", 101), "/d/a");
    assert_eq!((shown.choices.len(), shown.n_choices), (0, 101));
}

#[test]
fn of_more_only_the_chosen_come_with_their_labels() {
    let mut one = select("select1", 10_000);
    answer(&mut one, "/d/a", "m42");
    let shown = question(&one, "/d/a");
    assert_eq!((values(&shown.choices), shown.n_choices), (vec!["m42"], 10_000));
    assert_eq!((shown.shown_value.as_str(), shown.choices[0].index), ("Súdwest-Fryslân", 42));
    assert!(shown.choices[0].chosen);

    let mut many = select("odk:rank", 150);
    let all: Vec<String> = (0..150).rev().map(|row| format!("m{row}")).collect();
    answer(&mut many, "/d/a", &all.join(" "));
    let shown = question(&many, "/d/a");
    assert_eq!(shown.choices.len(), 150, "all are chosen");
    assert!(shown.shown_value.starts_with("Place number 149, Place number 148"), "{}", shown.shown_value);
}

#[test]
fn the_others_come_by_their_place_in_the_list() {
    let mut session = select("select", 10_000);
    answer(&mut session, "/d/a", "m9999 m7");
    let node = session.node("/d/a").unwrap();
    let list = session.choices(node, "", 9_998, 10).unwrap();
    assert_eq!((values(&list.choices), list.total), (vec!["m9998", "m9999"], 10_000));
    assert_eq!(list.choices.iter().map(|choice| choice.chosen).collect::<Vec<_>>(), [false, true]);
    assert_eq!(session.choices(node, " ", 0, 2).unwrap().choices[1].index, 1);
    assert_eq!(session.choices(node, "", 10_000, 10).unwrap().choices, []);
    assert_eq!(session.choices(node, "", usize::MAX, usize::MAX).unwrap().choices, []);
    assert_eq!(session.choices(session.engine().tree().root(), "", 0, 1), None);
}

#[test]
fn sudwest_finds_sudwest_fryslan() {
    let session = select("select1", 200);
    let node = session.node("/d/a").unwrap();
    let found = |letters: &str| {
        let found = session.choices(node, letters, 0, 10).unwrap();
        assert_eq!(found.choices.len(), found.total.min(10));
        values(&found.choices).join(" ")
    };
    assert_eq!(found("sudwest"), "m42");
    assert_eq!(found("  SÚDWEST fry"), "m42");
    assert_eq!(found("محافظه اربيل"), "m43");
    assert_eq!(found("place number 19"), "m19 m190 m191 m192 m193 m194 m195 m196 m197 m198");
    assert_eq!(found("number ١٥٠"), "m150");
    assert_eq!(found("**"), "", "the label is searched as it is shown");
    assert_eq!(found("nowhere"), "");
    let page = session.choices(node, "place", 195, 100).unwrap();
    assert_eq!((values(&page.choices), page.total), (vec!["m197", "m198", "m199"], 198));
}

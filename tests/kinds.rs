//! Values and their kinds: what a calculation gives stays what it is, and choices are compared as they are written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::ErrorKind;
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Settings};
use veldwerk::form::FormDef;
use veldwerk::instance::Writer;
use veldwerk::session::{Edit, FormSession, State};

/// A form from its instance, model and body.
fn form(instance: &str, model: &str, body: &str) -> Arc<FormDef> {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms">
            <h:head><h:title>T</h:title><model><instance><d id="t">{instance}</d></instance>{model}</model></h:head>
            <h:body>{body}</h:body></h:html>"#
    );
    Arc::new(FormDef::load(&xml, &()).unwrap_or_else(|error| panic!("{error}\n{xml}")).0)
}

/// Noon of 15 January 2026 in Amsterdam.
fn step(number: u64) -> Step {
    Step { at: 1_768_474_800_000, seed: 7, number }
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::get("Europe/Amsterdam").unwrap(), properties: [].into() }
}

fn begin(form: &Arc<FormDef>) -> Engine {
    Engine::begin(Arc::clone(form), settings(), step(0), None).unwrap()
}

fn reopen(engine: &Engine) -> Engine {
    Engine::reopen(Arc::clone(engine.form()), settings(), &engine.write(Writer::Submission), step(99), None).unwrap()
}

fn answer(engine: &mut Engine, path: &str, value: &str) {
    let node = engine.find(path).unwrap_or_else(|| panic!("no {path}"));
    engine.answer(node, Some(value), step(1)).unwrap_or_else(|error| panic!("{path} to {value}: {error}"));
}

/// What is written of a calculation in a node of a type, and what an expression then makes of that node (`x`).
#[test]
fn a_calculation_keeps_its_kind_whatever_the_bind_says() {
    const MIDNIGHT: &str = "2026-03-09T00:00:00.000+01:00";
    let rows = [
        ("string", "/d/day", MIDNIGHT, "x - /d/other", "8"),
        ("string", "/d/day", MIDNIGHT, "x > /d/other", "1"),
        ("string", "/d/day", MIDNIGHT, "x = '2026-03-09'", "1"),
        ("string", "/d/day", MIDNIGHT, "concat(x, '!')", "2026-03-09!"),
        ("string", "/d/day", MIDNIGHT, "number(x)", "20521"),
        ("string", "/d/day", MIDNIGHT, "x", MIDNIGHT),
        ("string", "date('2026-03-09') + 1", "20522", "x - /d/other", "9"),
        ("string", "if(/d/day != '', /d/day, '')", MIDNIGHT, "x - /d/other", "8"),
        ("string", "coalesce('', /d/day)", MIDNIGHT, "x - /d/other", "8"),
        ("string", "once(/d/day)", MIDNIGHT, "x - /d/other", "8"),
        ("string", "indexed-repeat(/d/r/v, /d/r, 1)", MIDNIGHT, "x - /d/other", "8"),
        ("string", "string(/d/day)", "2026-03-09", "x - /d/other", ""),
        ("string", "/d/moment", "2026-03-09T17:05:00.000+01:00", "x - /d/other > 8.7", "1"),
        ("string", "/d/hour", "17:05:00.000+01:00", "x * 24 > 17", "1"),
        ("string", "/d/day = /d/other", "0", "if(x, 'yes', 'no')", "no"),
        ("string", "/d/day > /d/other", "1", "if(x, 'yes', 'no')", "yes"),
        ("string", "/d/day = /d/other", "0", "concat(x, '')", "false"),
        ("string", "/d/day = /d/other", "0", "x = 'false'", "1"),
        ("string", "/d/day = /d/other", "0", "x = 0", "1"),
        ("string", "/d/day > /d/other", "1", "x + 1", "2"),
        ("string", "/d/day > /d/other", "1", "x", "1"),
        ("int", "/d/day > /d/other", "1", "concat(x, '')", "true"),
        ("boolean", "/d/day > /d/other", "1", "concat(x, '')", "true"),
        ("boolean", "7", "1", "concat(x, '')", "true"),
        ("string", "2 + 3", "5", "x = '05'", "1"),
        ("string", "'05'", "05", "x = '5'", "0"),
        ("string", "1 div 0", "Infinity", "x > 5", "1"),
        ("string", "number('')", "", "x = ''", "1"),
        ("int", "7 div 2", "3", "x * 2", "6"),
        ("int", "'1.0E3'", "1000", "x + 1", "1001"),
        ("int", "/d/day", "20521", "x + 1", "20522"),
        ("date", "20521.7", "2026-03-09", "x = /d/day", "1"),
        ("date", "/d/moment", "2026-03-09", "x = /d/day", "1"),
        ("dateTime", "/d/day", MIDNIGHT, "x = /d/day", "1"),
        ("time", "/d/moment", "17:05:00.000+01:00", "x = /d/hour", "1"),
        ("time", "/d/day", "00:00:00.000+01:00", "x < /d/hour", "1"),
    ];
    for (data_type, source, text, reader, seen) in rows {
        let reader = reader.replace('x', "/d/c");
        let form = form(
            "<day/><other>2026-03-01</other><moment/><hour/><r><v/></r><c/><s/>",
            &format!(
                r#"<bind nodeset="/d/day" type="date"/><bind nodeset="/d/other" type="date"/>
                   <bind nodeset="/d/moment" type="dateTime"/><bind nodeset="/d/hour" type="time"/>
                   <bind nodeset="/d/r/v" type="date" calculate="/d/day"/>
                   <bind nodeset="/d/c" type="{data_type}" calculate="{}"/>
                   <bind nodeset="/d/s" calculate="{}"/>"#,
                source.replace('>', "&gt;"),
                reader.replace('>', "&gt;").replace('<', "&lt;")
            ),
            r#"<input ref="/d/day"/><input ref="/d/moment"/><input ref="/d/hour"/><repeat nodeset="/d/r"/>"#,
        );
        let mut engine = begin(&form);
        answer(&mut engine, "/d/day", "2026-03-09");
        answer(&mut engine, "/d/moment", "2026-03-09T16:05:00Z");
        answer(&mut engine, "/d/hour", "17:05");
        let shown = |engine: &Engine| (engine.value_at("/d/c").to_owned(), engine.value_at("/d/s").to_owned());
        assert_eq!(shown(&engine), (text.to_owned(), seen.to_owned()), "{source} in a {data_type}, then {reader}");
        // A state keeps the kind; so does calculating everything anew.
        let state = engine.state();
        let restored = Engine::from_state(Arc::clone(&form), settings(), &state, 7, None).unwrap();
        assert!(restored == engine && restored.recomputed() == engine, "{source} in a {data_type}");
        if !source.starts_with("once") {
            assert_eq!(shown(&reopen(&engine)), shown(&engine), "{source} in a {data_type}, reopened");
        }
    }
}

#[test]
fn a_flag_that_is_false_hides_and_lets_be() {
    let form = form(
        "<a/><flag/><more/><yes/><no/>",
        r#"<bind nodeset="/d/a" type="int"/><bind nodeset="/d/flag" type="string" calculate="/d/a &gt; 5"/>
           <bind nodeset="/d/more" relevant="/d/flag" required="/d/flag" readonly="not(/d/flag)"/>
           <bind nodeset="/d/yes" relevant="/d/flag = 'true'"/><bind nodeset="/d/no" relevant="/d/flag = 'false'"/>"#,
        r#"<input ref="/d/a"/><input ref="/d/more"/><input ref="/d/yes"/><input ref="/d/no"/>"#,
    );
    let mut engine = begin(&form);
    for (value, is_on) in [(None, false), (Some("2"), false), (Some("9"), true), (Some("3"), false)] {
        if let Some(value) = value {
            answer(&mut engine, "/d/a", value);
        }
        for engine in [&engine, &reopen(&engine)] {
            let known = |path| engine.tree().node(engine.find(path).unwrap());
            let more = known("/d/more");
            assert_eq!((more.relevant, more.required, more.own_readonly), (is_on, is_on, !is_on), "{value:?}");
            assert_eq!((known("/d/yes").relevant, known("/d/no").relevant), (is_on, !is_on), "{value:?}");
        }
    }
}

/// What a person or an action sets is read as the bind says, until the calculation runs again.
#[test]
fn the_kind_goes_with_the_value_it_came_with() {
    let form = form(
        "<a/><flag/><set/><seen/>",
        r#"<bind nodeset="/d/a" type="int"/><bind nodeset="/d/flag" calculate="/d/a &gt; 5"/>
           <bind nodeset="/d/seen" calculate="concat(/d/flag, ' ', /d/set)"/>"#,
        r#"<input ref="/d/a"><setvalue event="xforms-value-changed" ref="/d/set" value="/d/a &gt; 5"/></input><input ref="/d/flag"/>"#,
    );
    let mut engine = begin(&form);
    let rows = [
        ("/d/a", "9", "true 1"),
        ("/d/flag", "1", "true 1"), // the same answer is no change
        ("/d/flag", "0", "0 1"),
        ("/d/a", "9", "0 1"),
        ("/d/a", "3", "false 0"),
    ];
    for (path, value, seen) in rows {
        answer(&mut engine, path, value);
        assert_eq!(engine.value_at("/d/seen"), seen, "{path} to {value}");
        assert!(Engine::from_state(Arc::clone(&form), settings(), &engine.state(), 7, None).unwrap() == engine);
    }
}

/// A snapshot of before there were kinds has none, and still opens.
#[test]
fn a_state_without_kinds_is_one() {
    let form = form(
        "<a>9</a><flag/><more/>",
        r#"<bind nodeset="/d/a" type="int"/><bind nodeset="/d/flag" calculate="/d/a &lt; 5"/>
           <bind nodeset="/d/more" relevant="/d/flag"/>"#,
        r#"<input ref="/d/a"/><input ref="/d/more"/>"#,
    );
    let memory = FormSession::begin(Arc::clone(&form), settings(), None, step(0), None).unwrap();
    let written = String::from_utf8(memory.state().to_bytes().unwrap()).unwrap();
    let old = written.replace(r#","k":"boolean""#, "");
    assert_ne!(written, old);
    let state = State::from_bytes(old.as_bytes()).unwrap();
    let mut session = FormSession::from_state(form, settings(), &state, 7, None).unwrap();
    session.replay(&Edit::Resume, step(1)).unwrap();
    assert!(*session.engine() == *memory.engine());
}

/// An answer, and how it is kept; none if it is refused.
type Given<'a> = (&'a str, Option<&'a str>);

#[test]
fn choices_are_compared_as_written_then_by_type() {
    let rows: &[(&str, &[&str], &[Given<'_>])] = &[
        ("int", &["01", "02"], &[("02", Some("02")), ("2", Some("02")), ("3", None), ("x", None)]),
        ("int", &["2", "02"], &[("02", Some("02")), ("2", Some("2"))]),
        ("decimal", &["0.50", "1"], &[("0.50", Some("0.50")), ("0.5", Some("0.50")), ("1.0", Some("1"))]),
        ("boolean", &["true", "false"], &[("false", Some("false")), ("0", Some("false"))]),
        ("time", &["09:00", "14:30"], &[("14:30", Some("14:30")), ("14:30:00.000+01:00", Some("14:30"))]),
        ("date", &["2026-3-8"], &[("2026-3-8", Some("2026-3-8")), ("2026-03-08", Some("2026-3-8"))]),
        ("dateTime", &["2026-03-08T10:00"], &[("2026-03-08T10:00:00.000+01:00", Some("2026-03-08T10:00"))]),
        ("string", &["05"], &[("05", Some("05")), ("5", None), (" 05 ", Some("05"))]),
    ];
    for (data_type, written, answers) in rows {
        let items: String =
            written.iter().map(|value| format!("<item><label>l</label><value>{value}</value></item>")).collect();
        let list: String = written.iter().map(|value| format!("<item><name> {value} </name></item>")).collect();
        let itemset = r#"<itemset nodeset="instance('l')/root/item"><value ref="name"/><label ref="name"/></itemset>"#;
        for offered in [items.as_str(), itemset] {
            let form = form(
                "<a/><b/><name/>",
                &format!(
                    r#"<instance id="l"><root>{list}</root></instance><bind nodeset="/d/a" type="{data_type}"/>
                       <bind nodeset="/d/name" calculate="jr:choice-name(/d/a, '/d/a')"/>"#
                ),
                &format!(r#"<select1 ref="/d/a">{offered}</select1><input ref="/d/b"/>"#),
            );
            for &(given, kept) in *answers {
                let mut session = FormSession::begin(Arc::clone(&form), settings(), None, step(0), None).unwrap();
                let edit = Edit::Answer { node: "/d/a".into(), value: Some(given.into()) };
                let done = session.apply(&edit, step(1));
                let context = format!("{given} among {written:?} in a {data_type}");
                let Some(kept) = kept else {
                    assert_eq!(done.unwrap_err().kind(), ErrorKind::InvalidChoice, "{context}");
                    continue;
                };
                done.unwrap_or_else(|error| panic!("{context}: {error}"));
                session.apply(&Edit::Answer { node: "/d/b".into(), value: Some("x".into()) }, step(2)).unwrap();
                let engine = session.engine();
                assert_eq!(engine.value_at("/d/a"), kept, "{context}");
                assert_ne!(engine.value_at("/d/name"), "", "{context}");
                assert_eq!(reopen(engine).value_at("/d/a"), kept, "{context}");
                let view = session.question_at(session.node("/d/a").unwrap()).unwrap();
                let chosen: Vec<_> =
                    view.choices.iter().filter(|choice| choice.chosen).map(|choice| &choice.value).collect();
                assert_eq!(chosen, [kept], "{context}");
            }
        }
    }
}

#[test]
fn what_is_calculated_or_set_stays_outside_the_choices_written_in_the_form() {
    let items = "<item><label>One</label><value>1</value></item>";
    let list = "<itemset nodeset=\"instance('l')/root/item\"><value ref=\"v\"/></itemset>";
    let form = form(
        "<k/><calculated/><set/><many/><given>7</given><listed/>",
        r#"<instance id="l"><root><item><v>1</v></item></root></instance>
           <bind nodeset="/d/calculated" calculate="/d/k"/><bind nodeset="/d/listed" calculate="/d/k"/>"#,
        &format!(
            r#"<input ref="/d/k"><setvalue event="xforms-value-changed" ref="/d/set" value="/d/k"/>
                 <setvalue event="xforms-value-changed" ref="/d/many" value="concat('1 ', /d/k)"/></input>
               <select1 ref="/d/calculated">{items}</select1><select1 ref="/d/set">{items}</select1>
               <select ref="/d/many">{items}</select><select1 ref="/d/given">{items}</select1>
               <select1 ref="/d/listed">{list}</select1>"#
        ),
    );
    let mut engine = begin(&form);
    assert_eq!(engine.value_at("/d/given"), "", "a default that is none of the choices");
    answer(&mut engine, "/d/k", "9");
    let values = |engine: &Engine| {
        ["/d/calculated", "/d/set", "/d/many", "/d/listed"].map(|path| engine.value_at(path).to_owned())
    };
    assert_eq!(values(&engine), ["9", "9", "1 9", ""]);
    // On the way in unknown ones go, as in JavaRosa; the calculation brings its own back.
    assert_eq!(values(&reopen(&engine)), ["9", "", "1", ""]);
}

/// In a predicate over a list the path is the question's, not the row's.
#[test]
fn choice_names_in_predicates_are_seen_from_the_question() {
    let form = form(
        "<a/><r><q/><n/></r><r><q/><n/></r>",
        r#"<instance id="l"><root><item><v>1</v><name>One</name></item><item><v>2</v><name>Two</name></item></root></instance>
           <bind nodeset="/d/r/n" calculate="instance('l')/root/item[name = jr:choice-name(current()/../q, '../q')]/v"/>"#,
        r#"<repeat nodeset="/d/r"><select1 ref="/d/r/q"><itemset nodeset="instance('l')/root/item"><value ref="v"/><label ref="name"/></itemset></select1></repeat>"#,
    );
    let mut engine = begin(&form);
    answer(&mut engine, "/d/r[1]/q", "2");
    answer(&mut engine, "/d/r[2]/q", "1");
    assert_eq!([engine.value_at("/d/r[1]/n"), engine.value_at("/d/r[2]/n")], ["2", "1"]);
}

#[test]
fn a_time_of_another_zone_is_another_time_here_and_last_summer_s_stays() {
    let form = form("<t/>", r#"<bind nodeset="/d/t" type="time"/>"#, r#"<input ref="/d/t"/>"#);
    let mut engine = begin(&form);
    for (given, kept) in [
        ("10:00", "10:00:00.000+01:00"),
        ("10:00:00.000Z", "11:00:00.000+01:00"),
        ("10:00+02:00", "09:00:00.000+01:00"),
    ] {
        answer(&mut engine, "/d/t", given);
        assert_eq!((engine.value_at("/d/t"), reopen(&engine).value_at("/d/t")), (kept, kept), "{given}");
    }
    let record = |time: &str| format!("<d id='t'><t>{time}</t></d>");
    for (written, kept) in [("10:00:00.000+02:00", "10:00:00.000+02:00"), ("10:00:00.000+03:00", "08:00:00.000+01:00")]
    {
        let engine = Engine::reopen(Arc::clone(&form), settings(), &record(written), step(0), None).unwrap();
        assert_eq!(engine.value_at("/d/t"), kept, "{written}");
    }
}

/// What another program wrote, or an earlier version of the form took, stays as it is, and stands in the way until a person has
/// looked; what nobody can change does not.
#[test]
fn a_kept_text_that_is_no_value_of_its_type_is_told() {
    let form = form(
        "<n/><g/><p/><t/><s/>",
        r#"<bind nodeset="/d/n" type="int"/><bind nodeset="/d/g" type="geopoint" constraint="true()"/>
           <bind nodeset="/d/p" type="date" readonly="true()"/><bind nodeset="/d/s" type="int" calculate="5000000000"/>"#,
        r#"<input ref="/d/n"/><input ref="/d/g"/><input ref="/d/p"/><input ref="/d/t"/><input ref="/d/s"/>"#,
    );
    let record = "<d id='t'><n>3000000000</n><g>1 2 3 4 5</g><p>never</p><t>any</t><s/></d>";
    let mut engine = Engine::reopen(Arc::clone(&form), settings(), record, step(0), None).unwrap();
    let wrong = |engine: &Engine| {
        let told = engine.violations().into_iter().map(|told| (engine.path(told.node), told.kind.name(), told.message));
        told.collect::<Vec<_>>()
    };
    assert_eq!(engine.value_at("/d/n"), "3000000000");
    assert_eq!(wrong(&engine), [("/d/n".into(), "constraint", None), ("/d/g".into(), "constraint", None)]);
    answer(&mut engine, "/d/n", "3");
    assert_eq!(wrong(&engine), [("/d/g".into(), "constraint", None)]);
    answer(&mut engine, "/d/g", "");
    assert_eq!(wrong(&engine), []);
}

/// What is said in the language shown, by calculations and conditions, in rows too.
#[test]
fn what_follows_the_language_is_calculated_anew_when_it_changes() {
    let text = |lang: &str, word: &str| {
        format!(r#"<translation lang="{lang}"><text id="w"><value>{word}</value></text></translation>"#)
    };
    let form = form(
        "<q>ap</q><name/><word/><first/><month/><number/><dutch/><r><n/></r><r><n/></r>",
        &format!(
            r#"<itext>{}{}</itext><instance id="l"><root><item><v>ap</v><id>w</id></item></root></instance>
               <bind nodeset="/d/name" calculate="jr:choice-name(/d/q, '/d/q')"/><bind nodeset="/d/word" calculate="jr:itext('w')"/>
               <bind nodeset="/d/first" calculate="once(jr:itext('w'))"/>
               <bind nodeset="/d/month" calculate="format-date('2026-03-04', '%b')"/>
               <bind nodeset="/d/number" calculate="format-date('2026-03-04', '%m')"/>
               <bind nodeset="/d/dutch" relevant="jr:itext('w') = 'Appel'"/>
               <bind nodeset="/d/r/n" calculate="concat(position(..), ' ', /d/name)"/>"#,
            text("English (en)", "Apple"),
            text("Nederlands (nl)", "Appel")
        ),
        r#"<select1 ref="/d/q"><itemset nodeset="instance('l')/root/item"><value ref="v"/><label ref="jr:itext(id)"/></itemset></select1>
           <input ref="/d/word"/><repeat nodeset="/d/r"><input ref="/d/r/n"/></repeat>"#,
    );
    let shown = |session: &FormSession| {
        let engine = session.engine();
        let paths = ["/d/name", "/d/word", "/d/first", "/d/month", "/d/number", "/d/r[2]/n"];
        let dutch = engine.tree().node(engine.find("/d/dutch").unwrap()).relevant;
        (paths.map(|path| engine.value_at(path).to_owned()).join(", "), dutch)
    };
    let begin = |language| FormSession::begin(Arc::clone(&form), settings(), language, step(0), None).unwrap();
    // The language chosen at the start is the one of the first calculation.
    assert_eq!(shown(&begin(None)), ("Apple, Apple, Apple, Mar, 03, 2 Apple".into(), false));
    assert_eq!(shown(&begin(Some("nl"))), ("Appel, Appel, Appel, mrt, 03, 2 Appel".into(), true));
    assert_eq!(
        FormSession::begin(Arc::clone(&form), settings(), Some("fr"), step(0), None).unwrap_err().kind(),
        ErrorKind::NoSuchLanguage
    );

    let mut memory = begin(None);
    let journal = [
        Edit::Language { name: "nl".into() },
        Edit::Answer { node: "/d/word".into(), value: Some("edited".into()) },
        Edit::Language { name: "nl".into() },
        Edit::Language { name: "English (en)".into() },
    ];
    let seen = [
        "Appel, Appel, Apple, mrt, 03, 2 Appel",
        "Appel, edited, Apple, mrt, 03, 2 Appel",
        "Appel, edited, Apple, mrt, 03, 2 Appel", // the same language changes nothing
        "Apple, Apple, Apple, Mar, 03, 2 Apple",
    ];
    for (number, (edit, seen)) in journal.iter().zip(seen).enumerate() {
        let changes = memory.apply(edit, step(number as u64 + 1)).unwrap();
        assert_eq!(changes.language, matches!(edit, Edit::Language { .. }));
        assert_eq!(shown(&memory).0, seen, "{edit:?}");
        let mut replayed = begin(None);
        for (number, edit) in journal.iter().enumerate().take(number + 1) {
            replayed.replay(edit, step(number as u64 + 1)).unwrap();
        }
        assert_eq!(replayed.state(), memory.state());
    }
    let before = memory.state();
    let unknown = Edit::Language { name: "fr".into() };
    assert_eq!(memory.apply(&unknown, step(9)).unwrap_err().kind(), ErrorKind::NoSuchLanguage);
    assert_eq!(memory.state(), before);
}

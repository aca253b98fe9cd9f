use std::collections::BTreeMap;

use super::*;
use crate::ErrorKind;
use crate::form::DiagnosticKind as K;

/// A form of the record `<d>` around `nodes`.
fn form(nodes: &str, model: &str, body: &str) -> String {
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa">
        <h:head><h:title>T</h:title><model><instance><d id="t">{nodes}<meta><instanceID/></meta></d></instance>{model}
        <bind nodeset="/d/meta/instanceID" jr:preload="uid"/></model></h:head><h:body>{body}</h:body></h:html>"#
    )
}

fn input(name: &str) -> String {
    format!(r#"<input ref="/d/{name}"><label>{name}</label></input>"#)
}

fn select(name: &str, element: &str, values: &[&str]) -> String {
    let items: String =
        values.iter().map(|value| format!("<item><label>{value}!</label><value>{value}</value></item>")).collect();
    format!(r#"<{element} ref="/d/{name}"><label>{name}</label>{items}</{element}>"#)
}

fn calculated(name: &str, expression: &str) -> String {
    let expression = expression.replace('<', "&lt;").replace('"', "&quot;");
    format!(r#"<bind nodeset="/d/{name}" calculate="{expression}"/>"#)
}

/// What is told, as kind, place and detail.
fn told(xml: &str) -> Vec<(K, String, String)> {
    let report = check(xml, &(), None);
    report.diagnostics.into_iter().map(|told| (told.kind, told.place, told.detail)).collect()
}

/// Kind, place and detail.
type Said<'a> = (K, &'a str, &'a str);

/// Each form says exactly this.
fn expect(rows: Vec<(String, Vec<Said<'_>>)>) {
    for (xml, expected) in rows {
        let told = told(&xml);
        let told: Vec<_> = told.iter().map(|(kind, place, detail)| (*kind, place.as_str(), detail.as_str())).collect();
        assert_eq!(told, expected, "{xml}");
    }
}

const REPEAT: &str = r#"<r jr:template=""><v/><x/></r><n/>"#;
const REPEAT_BODY: &str = r#"<group ref="/d/r"><label>R</label><repeat nodeset="/d/r"><input ref="/d/r/v"><label>v</label></input></repeat></group>"#;

#[test]
fn one_value_of_many_rows_is_pointed_out() {
    let outside = |expression: &str| form(REPEAT, &calculated("n", expression), REPEAT_BODY);
    let inside = |expression: &str| form(REPEAT, &calculated("r/x", expression), REPEAT_BODY);
    let many = |place, detail| vec![(K::ManyNodes, place, detail)];
    let list = r#"<instance id="l"><root><item><name>a</name></item><item><name>b</name></item></root></instance>"#;
    let of_list = |expression: &str| form("<n/>", &(list.to_owned() + &calculated("n", expression)), &input("n"));
    expect(vec![
        (outside("/d/r/v + 1"), many("/d/n", "/d/r/v in calculation")),
        (outside("if(/d/r/v > 1, 1, 2)"), many("/d/n", "/d/r/v in calculation")),
        (outside("sum(/d/r/v)"), vec![]),
        (outside("join(',', /d/r/v)"), vec![]),
        (outside("max(/d/r/v, 3)"), vec![]),
        (outside("/d/r[position() = 1]/v"), vec![]),
        (outside("indexed-repeat(/d/r/v, /d/r, 1)"), vec![]),
        (inside("/d/r/v"), vec![]),
        (inside("../v"), vec![]),
        (inside("../../r/v"), many("/d/r/x", "../../r/v in calculation")),
        (inside("count(../../r)"), vec![]),
        (inside("sum(../../r[v > current()/../v]/v)"), vec![]),
        (of_list("instance('l')/root/item/name"), many("/d/n", "instance('l')/root/item/name in calculation")),
        (of_list("instance('l')/root/item[name = 'a']/name"), vec![]),
        (of_list("count(instance('l')/root/item)"), vec![]),
    ]);
}

#[test]
fn a_circle_is_told_with_its_questions() {
    let circle = |detail: &'static str| (K::Refused(ErrorKind::Cycle), "", detail);
    let binds =
        [calculated("a", "/d/b"), calculated("b", "/d/a"), calculated("e", "/d/a"), calculated("g", "/d/g + 1")];
    expect(vec![
        (form("<a/><b/><e/>", &binds[..3].concat(), &input("a")), vec![circle("/d/a, /d/b")]),
        (form("<g/>", &binds[3], &input("g")), vec![circle("/d/g")]),
    ]);
    // Each circle is named apart, in the order in which one reads the next; what only hangs on them is not named.
    let binds = [
        calculated("a", "/d/c"),
        calculated("b", "/d/a"),
        calculated("c", "/d/b"),
        calculated("e", "/d/a + /d/g"),
        calculated("f", "/d/f + /d/e"),
        calculated("g", "/d/h"),
        calculated("h", "/d/g + /d/b"),
        r#"<bind nodeset="/d/i" required="/d/i = ''" readonly="/d/i = 1"/>"#.to_owned(),
        r#"<bind nodeset="/d/j" relevant="/d/j/k = 1"/>"#.to_owned(),
    ];
    let nodes = "<a/><b/><c/><e/><f/><g/><h/><i/><j><k/></j>";
    let circles = ["/d/a, /d/c, /d/b", "/d/f", "/d/g, /d/h", "/d/i", "/d/j"];
    let xml = form(nodes, &binds.concat(), &input("a"));
    expect(vec![(xml.clone(), circles.map(circle).to_vec())]);
    assert_eq!(FormDef::load(&xml, &()).unwrap_err().detail(), circles.join("; "));
    let many: String = (0..60).map(|n| format!("<a{n}/>")).collect();
    let binds: String = (0..60).map(|n| calculated(&format!("a{n}"), &format!("/d/a{n} + 1"))).collect();
    let told = told(&form(&many, &binds, &input("a0")));
    assert_eq!((told.len(), told[50].2.as_str()), (51, "10 more circles"));
}

#[test]
fn a_form_that_cannot_be_filled_is_told_all_that_is_wrong() {
    let syntax = K::Refused(ErrorKind::XpathSyntax);
    let unknown = K::Refused(ErrorKind::UnknownFunction);
    let binds = [calculated("a", "1 +"), calculated("b", "nope()"), r#"<bind nodeset="/d/z" type="int"/>"#.to_owned()];
    let told = told(&form("<a/><b/>", &binds.concat(), &select("a", "select1", &["x", "x"])));
    let kinds: Vec<_> = told.iter().map(|(kind, place, _)| (*kind, place.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (syntax, "/d/a, calculation"),
            (unknown, "/d/b, calculation"),
            (K::RuleOfNothing, "/d/z"),
            (K::DuplicateChoice, "/d/a")
        ]
    );
    for (xml, kind) in [("<html/>", ErrorKind::NotXforms), ("<a", ErrorKind::NotXml)] {
        let report = check(xml, &(), None);
        assert_eq!(report.diagnostics.iter().map(|told| told.kind).collect::<Vec<_>>(), [K::Refused(kind)]);
    }
}

#[test]
fn choices_have_values_of_their_own() {
    let one = |values: &[&str]| form("<q/>", "", &select("q", "select1", values));
    let several = |values: &[&str]| form("<q/>", "", &select("q", "select", values));
    let list = |predicate: &str| {
        let item = |name: &str, of: &str| format!("<item><name>{name}</name><label>{name}</label><of>{of}</of></item>");
        let items = [item("a", "1"), item("a", "2"), item("", "1")].concat();
        let model = format!(r#"<instance id="l"><root>{items}</root></instance>"#);
        let body = format!(
            r#"<select1 ref="/d/q"><label>q</label><itemset nodeset="instance('l')/root/item{predicate}"><value ref="name"/><label ref="label"/></itemset></select1>"#
        );
        form("<q/><of/>", &model, &(input("of") + &body))
    };
    expect(vec![
        (one(&["a", "b"]), vec![]),
        (one(&["a", "b", "a"]), vec![(K::DuplicateChoice, "/d/q", "a")]),
        (one(&["a", ""]), vec![(K::ChoiceWithoutValue, "/d/q", "1 of 2")]),
        (one(&["a b"]), vec![]),
        (several(&["a b", "c"]), vec![(K::ChoiceWithBlank, "/d/q", "a b")]),
        (one(&[]), vec![(K::NoChoices, "/d/q", "")]),
        (list(""), vec![(K::ChoiceWithoutValue, "/d/q", "1 of 3"), (K::DuplicateChoice, "/d/q", "a")]),
        // Two of one name that are never offered together are none too many.
        (list("[of = /d/of]"), vec![(K::ChoiceWithoutValue, "/d/q", "1 of 3")]),
        (list("[name != '']"), vec![(K::DuplicateChoice, "/d/q", "a")]),
    ]);
}

#[test]
fn what_is_never_offered_is_never_chosen() {
    let compare = |expression: &str| {
        form("<q/><n/>", &calculated("n", expression), &(select("q", "select", &["a", "02"]) + &input("n")))
    };
    let never = |detail| vec![(K::NeverChosen, "/d/n", detail)];
    expect(vec![
        (compare("/d/q = 'a'"), vec![]),
        (compare("../q = 'a b'"), never("/d/q with 'a b' in calculation")),
        (compare("'yes' != ../q"), never("/d/q with 'yes' in calculation")),
        (compare("selected(/d/q, 'A')"), never("/d/q with 'A' in calculation")),
        (compare("/d/q = 2"), vec![]),
        (compare("/d/q = ''"), vec![]),
        (compare("count-selected(/d/q) = 7"), vec![]),
    ]);
}

#[test]
fn lists_and_their_columns_are_there_and_used() {
    let list = r#"<instance id="l"><root><item><name>a</name></item></root></instance>"#;
    let with = |expression: &str| form("<n/>", &(list.to_owned() + &calculated("n", expression)), &input("n"));
    expect(vec![
        (with("1"), vec![(K::UnusedList, "l", "")]),
        (with("instance('l')/root/item[nam = 'a']/name"), vec![(K::MissingColumn, "l", "nam")]),
        (with("instance('l')/root/item[name = 'a']/label"), vec![(K::MissingColumn, "l", "label")]),
        (with("pulldata('l', 'name', 'name', 'a')"), vec![]),
    ]);
    let csv =
        r#"<instance id="c" src="jr://file-csv/c.csv"/>"#.to_owned() + &calculated("n", "pulldata('c', 'x', 'y', 'a')");
    let files = BTreeMap::from([("c.csv".to_owned(), b"y,z\na,1\n".to_vec())]);
    let report = check(&form("<n/>", &csv, &input("n")), &files, None);
    let told: Vec<_> = report.diagnostics.iter().map(|told| (told.kind, told.detail.as_str())).collect();
    assert_eq!(told, [(K::MissingColumn, "x")]);
}

#[test]
fn questions_that_must_and_cannot_be_answered_are_errors() {
    let with = |rules: &str, value: &str| {
        form(&format!("<a>{value}</a>"), &format!(r#"<bind nodeset="/d/a" {rules}/>"#), &input("a"))
    };
    let stuck = vec![(K::RequiredReadonly, "/d/a", "")];
    expect(vec![
        (with(r#"required="true()" readonly="true()""#, ""), stuck),
        (with(r#"required="true()" readonly="true()""#, "x"), vec![]),
        (with(r#"required="true()" readonly="true()" calculate="1""#, ""), vec![]),
        (with(r#"required="true()" readonly="true()" relevant="1 = 2""#, ""), vec![]),
        (with(r#"required="true()""#, ""), vec![]),
        (form("<a/>", "", r#"<input ref="/d/a"/>"#), vec![(K::NoLabel, "/d/a", "")]),
    ]);
}

#[test]
fn appearances_are_known_and_in_their_place() {
    let looks = |kind: &str, data_type: &str, appearance: &str| {
        let bind = format!(r#"<bind nodeset="/d/a" type="{data_type}"/>"#);
        let items = if kind.starts_with("select") { "<item><label>x</label><value>x</value></item>" } else { "" };
        let scale = if kind == "range" { r#"start="1" end="5""# } else { "" };
        let body = format!(r#"<{kind} ref="/d/a" {scale} appearance="{appearance}"><label>a</label>{items}</{kind}>"#);
        form("<a/>", &bind, &body)
    };
    let unknown = |word| vec![(K::UnknownAppearance, "/d/a", word)];
    let elsewhere = |word| vec![(K::MisplacedAppearance, "/d/a", word)];
    expect(vec![
        (looks("input", "string", "multiline"), vec![]),
        (looks("input", "string", "multilin"), unknown("multilin")),
        (looks("input", "date", "Month-Year"), vec![]),
        (looks("input", "string", "month-year"), elsewhere("month-year")),
        (looks("select1", "string", "columns-3 no-buttons"), vec![]),
        (looks("select1", "string", "columns-x"), unknown("columns-x")),
        (looks("input", "int", "ex:org.app.SCAN(a='b c')"), vec![]),
        (looks("range", "int", "vertical w4"), vec![]),
        (looks("upload", "binary", "signature"), vec![]),
        (looks("input", "geopoint", "placement-map"), vec![]),
    ]);
}

#[test]
fn each_language_says_and_sounds_the_same() {
    let text = |id: &str, values: &str| format!(r#"<text id="{id}">{values}</text>"#);
    let value = |words: &str| format!("<value>{words}</value>");
    let sound = |name: &str| format!(r#"<value form="audio">jr://audio/{name}</value>"#);
    let itext = |en: &str, fr: &str| {
        format!(
            r#"<itext><translation lang="English (en)">{en}</translation><translation lang="French (fr)">{fr}</translation></itext>"#
        )
    };
    let body = r#"<input ref="/d/a"><label ref="jr:itext('a')"/></input>"#;
    let with = |en: &str, fr: &str| form("<a/>", &itext(en, fr), body);
    let a = text("a", &value("A"));
    expect(vec![
        (with(&a, &a), vec![]),
        (with(&a, ""), vec![(K::MissingTranslation, "/d/a, label", "in French (fr)")]),
        (with(&a, &text("a", &value("-"))), vec![(K::MissingTranslation, "/d/a, label", "in French (fr)")]),
        (with(&(a.clone() + &text("z", &value("Z"))), &a), vec![(K::UnusedText, "z", "")]),
        (
            with(&text("a", &(value("A") + &sound("a.mp3"))), &a),
            vec![(K::MissingSound, "/d/a, label", "in French (fr)")],
        ),
        (with("", ""), vec![(K::MissingText, "a", "")]),
    ]);
    // Of files is spoken only where they are at hand.
    let xml = with(&text("a", &(value("A") + &sound("a.mp3"))), &text("a", &(value("A") + &sound("b.mp3"))));
    let files = BTreeMap::from([("b.mp3".to_owned(), Vec::new())]);
    let report = check(&xml, &files, Some(&files));
    let told: Vec<_> = report.diagnostics.iter().map(|told| (told.kind, told.place.as_str())).collect();
    assert_eq!(told, [(K::MissingFile, "a.mp3")]);
    let french = report.languages.iter().find(|language| language.name.contains("fr")).unwrap();
    assert_eq!((french.texts, french.missing_texts, french.sounds, french.missing_sounds), (1, 0, 1, 0));
}

#[test]
fn the_dearest_expression_is_the_one_that_reads_most() {
    let items: String = (0..500).map(|n| format!("<item><name>n{n}</name><v>{n}</v></item>")).collect();
    let list = format!(r#"<instance id="l"><root>{items}</root></instance>"#);
    let binds =
        list + &calculated("n", "sum(instance('l')/root/item[v > string-length(/d/a)]/v)") + &calculated("m", "/d/a");
    let xml = form("<a/><n/><m/>", &binds, &input("a"));
    let dearest = check(&xml, &(), None).dearest;
    let names: Vec<_> = dearest.iter().map(|cost| (cost.place.as_str(), cost.part, cost.evaluations)).collect();
    // Once when the record is begun, once for the answer.
    assert_eq!(names, [("/d/n", "calculation", 2), ("/d/m", "calculation", 2)]);
    assert!(dearest[0].steps > 1000 && dearest[1].steps < 20, "{dearest:?}");
    assert_eq!(check(&xml, &(), None).dearest, dearest, "work is counted, not timed");
}

#[test]
fn a_repeat_that_goes_on_as_long_as_the_answer_is_one_ends_the_count() {
    let body = REPEAT_BODY.replace("<repeat nodeset", r#"<repeat jr:count="/d/n" nodeset"#);
    let of_rows = form(REPEAT, &calculated("n", "count(/d/r[v = 'a']) + 1"), &body);
    let report = check(&of_rows, &(), None);
    assert!(report.dearest.iter().any(|cost| cost.place == "/d/n" && cost.evaluations < 10), "{:?}", report.dearest);
}

#[test]
fn choices_that_look_the_same_are_told() {
    let item = |value: &str, label: &str| format!("<item><value>{value}</value><label>{label}</label></item>");
    let one = |items: &str| form("<q/>", "", &format!(r#"<select1 ref="/d/q"><label>q</label>{items}</select1>"#));
    let list = |predicate: &str| {
        let item = |name: &str, of: &str| format!("<item><n>{name}</n><l>Same</l><of>{of}</of></item>");
        let model = format!(r#"<instance id="l"><root>{}{}</root></instance>"#, item("a", "1"), item("b", "2"));
        let body = format!(
            r#"<select1 ref="/d/q"><label>q</label><itemset nodeset="instance('l')/root/item{predicate}"><value ref="n"/><label ref="l"/></itemset></select1>"#
        );
        form("<q/><of/>", &model, &(input("of") + &body))
    };
    let alike = |words| vec![(K::DuplicateLabel, "/d/q", words)];
    expect(vec![
        (one(&(item("a", "Yes") + &item("b", " Yes "))), alike("Yes")),
        (one(&(item("a", "Yes") + &item("b", "No"))), vec![]),
        (one(&(item("a", "") + &item("b", ""))), vec![]),
        (one(&(item("a", "<output value='1'/>") + &item("b", "<output value='2'/>"))), vec![]),
        (list(""), alike("Same")),
        (list("[of = /d/of]"), vec![]),
    ]);
}

#[test]
fn a_form_asks_something_and_its_records_have_an_id() {
    expect(vec![(form("<a/>", "", ""), vec![(K::NothingAsked, "body", "")])]);
    let without = form("<a/>", "", &input("a")).replace("jr:preload=\"uid\"", "");
    let kinds: Vec<_> = told(&without).into_iter().map(|(kind, place, _)| (kind, place)).collect();
    assert_eq!(kinds, [(K::NoInstanceId, "/d/meta/instanceID".to_owned())]);
}

#[test]
fn a_range_has_a_scale() {
    let range = |bounds: &str| form("<q/>", "", &format!(r#"<range ref="/d/q" {bounds}><label>q</label></range>"#));
    let none = || vec![(K::NoScale, "/d/q", "")];
    expect(vec![
        (range(r#"start="1" end="5" step="1""#), vec![]),
        (range(r#"start="5" end="1""#), vec![]),
        (range(""), none()),
        (range(r#"start="1" end="1" step="1""#), none()),
        (range(r#"start="x" end="5" step="1""#), none()),
        (range(r#"start="1" end="5" step="0""#), none()),
    ]);
}

#[test]
fn an_expression_that_cannot_be_read_is_told_with_its_place() {
    let broken = |rules: &str| form("<a/>", &format!(r#"<bind nodeset="/d/a" {rules}/>"#), &input("a"));
    let told = |rules: &str| {
        let told = check(&broken(rules), &(), None).diagnostics.remove(0);
        (told.place, told.detail.split(':').next().unwrap_or_default().to_owned())
    };
    for (rules, place, at) in [
        (r#"relevant="1 + ""#, "/d/a, relevant", "character 5"),
        (r#"readonly=" é + nope()""#, "/d/a, read_only", "character 6"),
        ("constraint=\". = 1\n and nope() = 1\"", "/d/a, constraint", "line 2, character 6"),
        (r#"jr:constraintMsg="jr:itext(nope())""#, "/d/a, constraint_message", "character 1"),
    ] {
        assert_eq!(told(rules), (place.to_owned(), at.to_owned()), "{rules}");
    }
    let body = r#"<input ref="/d/a"><label>A <output value="nope()"/></label></input>"#;
    let error = FormDef::load(&form("<a/>", "", body), &()).unwrap_err();
    assert!(error.detail().starts_with("/d/a, output, character 1: "), "{}", error.detail());
}

#[test]
fn what_the_form_puts_in_fits_its_question() {
    let typed = |nodes: &str, types: &[(&str, &str)], more: &str| {
        let binds: String =
            types.iter().map(|(name, of)| format!(r#"<bind nodeset="/d/{name}" type="{of}"/>"#)).collect();
        form(nodes, &(binds + more), &input("n"))
    };
    let one = |of: &str, text: &str| typed(&format!("<n>{text}</n>"), &[("n", of)], "");
    let unfit = |place, detail| vec![(K::UnfitDefault, place, detail)];
    let on_select = |text: &str, element: &str| form(&format!("<q>{text}</q>"), "", &select("q", element, &["a", "b"]));
    let range = |text: &str| {
        form(
            &format!("<n>{text}</n>"),
            r#"<bind nodeset="/d/n" type="int"/>"#,
            r#"<range ref="/d/n" start="2" end="10" step="2"><label>n</label></range>"#,
        )
    };
    let listed = |text: &str| {
        form(
            &format!("<q>{text}</q>"),
            r#"<instance id="l"><root><i><n>a</n></i><i><n>b</n></i></root></instance>"#,
            r#"<select1 ref="/d/q"><label>q</label><itemset nodeset="instance('l')/root/i"><value ref="n"/><label ref="n"/></itemset></select1>"#,
        )
    };
    let rows = |template: &str, row: &str| {
        let nodes = format!("<r jr:template=''><v>{template}</v><x/></r><r><v>{row}</v><x/></r><n/>");
        form(&nodes, r#"<bind nodeset="/d/r/v" type="int"/>"#, &(REPEAT_BODY.to_owned() + &input("n")))
    };
    let set = |value: &str| typed("<n/>", &[("n", "int")], value);
    expect(vec![
        (one("int", "abc"), unfit("/d/n", "'abc' is no int, so the question starts empty")),
        (one("int", "3000000000"), unfit("/d/n", "'3000000000' is no int, so the question starts empty")),
        (one("long", "3000000000"), vec![]),
        (one("int", "007"), vec![]),
        (one("decimal", "1,5"), unfit("/d/n", "'1,5' is no decimal, so the question starts empty")),
        (one("boolean", "yes"), unfit("/d/n", "'yes' is no boolean, so the question starts empty")),
        (one("date", "2020-1-5"), vec![]),
        (one("date", "5/1/2020"), unfit("/d/n", "'5/1/2020' is no date, so the question starts empty")),
        (one("time", "12:30"), vec![]),
        (one("time", "noon"), unfit("/d/n", "'noon' is no time, so the question starts empty")),
        (one("geopoint", "1 2"), vec![]),
        (one("geopoint", "1 2 3 4 5"), unfit("/d/n", "'1 2 3 4 5' is no geopoint, so the question starts empty")),
        (on_select("a", "select1"), vec![]),
        (on_select("c", "select1"), unfit("/d/q", "'c' is none of the choices, so it is dropped")),
        (on_select("a c d", "select"), unfit("/d/q", "'c d' is none of the choices, so it is dropped")),
        (listed("b"), vec![]),
        (listed("c"), unfit("/d/q", "'c' is none of the choices of l, so it is dropped")),
        (range("4"), vec![]),
        (range("5"), unfit("/d/n", "'5' is not on the scale; it is kept")),
        (range("12"), unfit("/d/n", "'12' is not on the scale; it is kept")),
        (rows("1", "2"), vec![]),
        (rows("x", "2"), unfit("/d/r/v", "'x' is no int, so the question starts empty")),
        (rows("1", "y"), unfit("/d/r/v", "'y' is no int, so the question starts empty")),
        (
            set(r#"<setvalue ref="/d/n" event="odk-instance-first-load">x</setvalue>"#),
            unfit("/d/n", "'x' is no int, so default puts nothing in"),
        ),
        (
            set(r#"<setvalue ref="/d/n" event="odk-instance-first-load" value="'x'"/>"#),
            unfit("/d/n", "'x' is no int, so default puts nothing in"),
        ),
        (set(r#"<setvalue ref="/d/n" event="odk-instance-first-load">1.5</setvalue>"#), vec![]),
        (set(&calculated("n", "'x'")), unfit("/d/n", "'x' is no int, so calculation puts nothing in")),
        (set(r#"<bind nodeset="/d/n" jr:preload="uid"/>"#), unfit("/d/n", "the uid is no int, so nothing is put in")),
        (typed("<n/>", &[("n", "date")], r#"<bind nodeset="/d/n" jr:preload="date"/>"#), vec![]),
        (
            typed(
                "<n/>",
                &[("n", "dateTime")],
                r#"<bind nodeset="/d/n" jr:preload="timestamp" jr:preloadParams="start"/>"#,
            ),
            vec![],
        ),
    ]);
}

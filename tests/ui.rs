//! The app without a screen: journeys in five languages, and what holds on every screen of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use veldwerk::store::NewForm;
use veldwerk::text::words::LANGUAGES;
use veldwerk_tests::journey::{Traveller, ids, plain_texts};
use veldwerk_ui::{Action, Event, Outcome, Report, Screen, View};

const JOURNEYS: [(&str, &str); 4] = [
    ("newcomer", include_str!("journeys/newcomer.jsonl")),
    ("refusal", include_str!("journeys/refusal.jsonl")),
    ("erase", include_str!("journeys/erase.jsonl")),
    ("overview", include_str!("journeys/overview.jsonl")),
];

#[test]
fn every_journey_goes_the_same_way_in_every_language() {
    for lang in LANGUAGES {
        for (name, journey) in JOURNEYS {
            let mut traveller = Traveller::new(lang);
            traveller.travel(journey);
            for view in &traveller.seen {
                looks_right(view, name);
            }
        }
    }
}

/// What holds on every screen: ids are there once, every button has words, nothing is empty and nothing is a key.
fn looks_right(view: &View, name: &str) {
    let ids = ids(view);
    let once: BTreeSet<_> = ids.iter().collect();
    assert_eq!(once.len(), ids.len(), "{name}: twice among {ids:?}");
    for button in view.buttons() {
        assert!(!button.text.is_empty(), "{name}: {} says nothing", button.id);
    }
    let json = serde_json::to_value(view).unwrap();
    let mut said = Vec::new();
    plain_texts(&json, &mut said);
    for text in said {
        assert!(!text.contains(['{', '}']), "{name}: {text}");
        assert!(!veldwerk::text::words::word(&text, "en").is_some_and(|_| text.contains('.')), "{name}: {text}");
    }
    speaks_one_language(&json, &view.language, name);
}

/// The app's own words are all in the language of the screen, but for the names of languages.
fn speaks_one_language(json: &Value, language: &str, name: &str) {
    match json {
        Value::Object(fields) => {
            let of = fields.get("language").and_then(Value::as_str).unwrap_or_default();
            let is_text = fields.contains_key("plain");
            let base = |tag: &str| tag.split('-').next().unwrap_or_default().to_owned();
            let is_own = !is_text || of.is_empty() || base(of) == base(language) || fields["fallback"] == true;
            let is_choice = |key: &str| fields.get(key).and_then(Value::as_str) == Some("language");
            assert!(is_own, "{name}: {json} on a screen in {language}");
            // Languages to choose stand in their own words.
            if !is_choice("kind") {
                fields.values().for_each(|value| speaks_one_language(value, language, name));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| speaks_one_language(value, language, name)),
        _ => {}
    }
}

fn at_first_question(lang: &str) -> Traveller {
    let mut traveller = Traveller::new(lang);
    traveller.tap(&format!("language.{lang}"));
    traveller.type_into("join.code", "$code");
    traveller.tap("dock.next");
    traveller.tap("join.self");
    traveller.tap("form.pi_newcomers.start");
    traveller
}

/// A note, consent, and a question for those who take part.
const CONSENT: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head>
    <h:title>Taking part</h:title><model><instance><d id="taking_part"><what/><consent/><name/><bye/>
    <meta><instanceID/></meta></d></instance>
    <bind nodeset="/d/what" readonly="true()"/><bind nodeset="/d/bye" readonly="true()" relevant="/d/consent = 'no'"/>
    <bind nodeset="/d/name" relevant="/d/consent = 'yes'"/></model></h:head><h:body>
    <input ref="/d/what"><label>A study</label></input>
    <select1 ref="/d/consent" appearance="consent"><label>Do you take part?</label>
    <item><label>Yes</label><value>yes</value></item><item><label>No</label><value>no</value></item></select1>
    <input ref="/d/name"><label>What is your name?</label></input>
    <input ref="/d/bye"><label>Goodbye</label></input></h:body></h:html>"#;

/// One photo.
const PHOTO: &str = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head>
    <h:title>House</h:title><model><instance><d id="house"><photo/><meta><instanceID/></meta></d></instance>
    <bind nodeset="/d/photo" type="binary"/></model></h:head><h:body>
    <upload ref="/d/photo" mediatype="image/*"><label>Your house</label></upload></h:body></h:html>"#;

/// In front of a form, which nobody has begun.
fn in_front_of(form_id: &str, xml: &str, lang: &str) -> Traveller {
    let mut traveller = Traveller::new(lang);
    traveller.tap(&format!("language.{lang}"));
    traveller.type_into("join.code", "$code");
    traveller.tap("dock.next");
    traveller.tap("join.self");
    traveller.while_closed(|client| {
        let form = NewForm {
            project: client.projects().unwrap()[0].id,
            form_id: form_id.into(),
            version: String::new(),
            hash: String::new(),
            title: form_id.into(),
            url: String::new(),
            xml: xml.into(),
            files: Vec::new(),
            fetched_at: 0,
        };
        client.store().install_form(&form).unwrap();
    });
    traveller
}

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        if path.is_dir() { files(&path) } else { [(path.clone(), std::fs::read(path).unwrap())].into() }
    };
    paths.flat_map(read).collect()
}

/// "Until you choose, we send nothing."
#[test]
fn until_somebody_has_chosen_nothing_is_written_and_nothing_is_sent() {
    for lang in LANGUAGES {
        let mut traveller = in_front_of("taking_part", CONSENT, lang);
        let before = files(&traveller.home());
        traveller.tap("form.taking_part.start");
        traveller.travel(r#"{"expect": {"says": ["consent.nothing_sent"], "words": {"dock.next": "action.next"}}}"#);
        traveller.tap("dock.next");
        traveller.travel(
            r#"{"expect": {"says": ["consent.nothing_sent"], "ids": ["q:/d/consent=yes", "q:/d/consent=no"], "absent": ["dock.next"]}}"#,
        );
        // What the network does meanwhile starts no work.
        traveller.travel("{\"network\": \"none\"}\n{\"network\": \"unmetered\"}\n{\"tell\": \"tick\"}");
        assert!(files(&traveller.home()) == before, "{lang}: something was written");
        traveller.kill();
        traveller.travel(r#"{"expect": {"screen": "home", "ids": ["form.taking_part.start"]}}"#);
        // Who turns round is not told that anything was saved.
        traveller.tap("form.taking_part.start");
        traveller.tap("bar.stop");
        traveller.travel(r#"{"expect": {"screen": "home", "sheet": "", "ids": ["form.taking_part.start"]}}"#);
        for view in &traveller.seen {
            looks_right(view, "consent");
        }
    }
}

#[test]
fn who_has_chosen_goes_on_and_comes_back_there_and_who_refuses_needs_no_review() {
    let mut traveller = in_front_of("taking_part", CONSENT, "nl");
    traveller.tap("form.taking_part.start");
    traveller.tap("dock.next");
    traveller.tap("q:/d/consent=yes");
    traveller.travel(r#"{"expect": {"screen": "question", "ids": ["q:/d/name"], "silent": ["consent.nothing_sent"]}}"#);
    traveller.kill();
    traveller.travel(r#"{"expect": {"screen": "question", "ids": ["q:/d/name"]}}"#);
    traveller.tap("dock.back");
    traveller.tap("q:/d/consent=no");
    traveller.travel(r#"{"expect": {"screen": "question", "words": {"dock.next": "action.next"}}}"#);
    traveller.tap("dock.next");
    traveller.travel(r#"{"expect": {"screen": "done"}}"#);
}

/// Killed while the camera is open: what comes back counts, once, and only as an answer to what was asked.
#[test]
fn what_was_asked_of_the_device_is_answered_also_after_a_kill() {
    let mut traveller = in_front_of("house", PHOTO, "nl");
    let photo = traveller.home().parent().unwrap().join("photo.jpg");
    std::fs::write(&photo, b"a house").unwrap();
    traveller.tap("form.house.start");
    traveller.tap("q:/d/photo#file");
    // The system's own camera lies over the app; that is no reason to hide it.
    traveller.travel("{\"tell\": \"background\"}\n{\"expect\": {\"screen\": \"question\"}}");
    let id = traveller.asked.unwrap();
    traveller.kill();
    let outcome = || Outcome::File(photo.clone());
    traveller.tell(Event::Answered { id: id + 1, outcome: outcome() });
    traveller.travel(r#"{"expect": {"absent": ["q:/d/photo#delete"]}}"#);
    traveller.tell(Event::Answered { id, outcome: outcome() });
    traveller.travel(r#"{"expect": {"ids": ["q:/d/photo#delete"]}}"#);
    traveller.tap("q:/d/photo#delete");
    traveller.kill();
    traveller.tell(Event::Answered { id, outcome: outcome() });
    traveller.travel(r#"{"expect": {"absent": ["q:/d/photo#delete"]}}"#);
    traveller.tap("q:/d/photo#file");
    assert_ne!(traveller.asked, Some(id), "no id comes again");
}

#[test]
fn what_takes_long_says_how_far_it_is() {
    let mut traveller = in_front_of("house", PHOTO, "nl");
    let view = traveller.view();
    let refresh = view.buttons().into_iter().find(|button| button.id == "home.refresh").unwrap().action.clone();
    let app = traveller.app();
    app.act(view.rev, refresh);
    let job = app.take().jobs.remove(0);
    let later = 1_764_288_060_000;
    app.report(later, Report::Progress { job: job.id, percent: 40 });
    app.tell(later, Event::Tick);
    assert_eq!(app.view().busy.map(|busy| busy.plain), Some("Ophalen: 40 %".to_owned()));
}

#[test]
fn a_second_tap_on_the_same_view_does_nothing() {
    let mut traveller = at_first_question("nl");
    let view = traveller.view();
    let next = view.dock.main.clone().unwrap().action;
    traveller.app().act(view.rev, next.clone());
    let after = traveller.view();
    traveller.app().act(view.rev, next);
    assert_eq!(traveller.view(), after);
    assert_ne!(after.screen, view.screen);
}

#[test]
fn the_first_question_is_three_taps_behind_the_language() {
    // The code, who answers, start.
    let mut traveller = at_first_question("ti");
    assert!(matches!(traveller.view().screen, Screen::Question(_)));
}

#[test]
fn what_is_typed_is_written_after_half_a_second_and_by_any_other_touch() {
    let mut traveller = at_year_of_birth();
    let id = "q:/data/main/g_about/birth_year";
    traveller.type_into(id, "19");
    assert!(traveller.view().wake_at.is_some());
    traveller.type_into(id, "١٩٩٠");
    traveller.travel("{\"at\": 500}");
    assert!(traveller.view().wake_at.is_none());
    traveller.kill();
    traveller.travel(&format!("{{\"expect\": {{\"fields\": {{\"{id}\": \"1990\"}}}}}}"));
    traveller.type_into(id, "1985");
    traveller.tap("dock.next");
    traveller.tap("dock.back");
    traveller.travel(&format!("{{\"expect\": {{\"fields\": {{\"{id}\": \"1985\"}}}}}}"));
}

#[test]
fn text_that_is_no_value_stays_is_said_and_outlives_a_kill() {
    let mut traveller = at_year_of_birth();
    let id = "q:/data/main/g_about/birth_year";
    traveller.type_into(id, "zomer");
    traveller.tap("dock.next");
    let held = format!("{{\"expect\": {{\"focus\": \"{id}\", \"says\": [\"fill.check\"]}}}}");
    traveller.travel(&held);
    traveller.kill();
    traveller.travel(&format!(
        "{{\"expect\": {{\"says\": [\"fill.check\", \"error.invalid_answer\"], \"fields\": {{\"{id}\": \"zomer\"}}}}}}"
    ));
    traveller.type_into(id, "1990");
    traveller.tap("dock.next");
    traveller.tap("dock.back");
    traveller.travel("{\"expect\": {\"silent\": [\"fill.check\"]}}");
}

/// At the question for the year of birth.
fn at_year_of_birth() -> Traveller {
    let mut traveller = at_first_question("nl");
    walk_to(&mut traveller, "q:/data/main/g_about/birth_year");
    traveller
}

/// Goes on until something is shown whose id begins like this. What must be answered gets its first choice, but the
/// province is Friesland and everybody takes part.
fn walk_to(traveller: &mut Traveller, id: &str) {
    for _ in 0..100 {
        let view = traveller.view();
        let known = ids(&view);
        if known.iter().any(|known| known.starts_with(id)) {
            return;
        }
        let wanted = |button: &&&veldwerk_ui::Button| button.text.plain.contains("Friesland");
        let choices: Vec<_> = view.buttons().into_iter().filter(|button| button.id.contains('=')).collect();
        let is_open = choices.iter().all(|choice| !choice.chosen);
        if let Some(choice) = choices.iter().find(wanted).or(choices.first()).filter(|_| is_open) {
            traveller.app().act(view.rev, choice.action.clone());
        }
        let view = traveller.view();
        let next = view.buttons().into_iter().find(|button| matches!(button.action, Action::Next)).unwrap();
        traveller.app().act(view.rev, next.action.clone());
    }
    panic!("no {id}: {:?}", ids(&traveller.view()));
}

#[test]
fn letters_find_choices_and_a_touch_takes_what_is_shown() {
    let mut traveller = at_first_question("nl");
    let municipality = "q:/data/main/g_muni/municipality";
    walk_to(&mut traveller, municipality);
    traveller.type_into(&format!("{municipality}#search"), "sudwest");
    let view = traveller.view();
    let found = view.buttons().into_iter().find(|button| button.id.starts_with(municipality)).unwrap().clone();
    assert_eq!(found.text.plain, "Súdwest-Fryslân");
    traveller.tap(&found.id);
    let view = traveller.view();
    let is_chosen = |button: &&veldwerk_ui::Button| button.chosen && button.id.starts_with(municipality);
    let chosen: Vec<_> =
        view.buttons().into_iter().filter(is_chosen).map(|button| button.text.plain.as_str()).collect();
    assert_eq!(chosen, ["Súdwest-Fryslân"]);
}

#[test]
fn progress_never_goes_back_by_more_than_one_part() {
    let mut traveller = at_first_question("en");
    let (mut last, mut steps) = (0, 0);
    while let Screen::Question(_) = traveller.view().screen {
        let view = traveller.view();
        let part = view.progress.as_ref().unwrap().part;
        assert!(part + 1 >= last, "from part {last} to {part}");
        assert!(part <= view.progress.as_ref().unwrap().parts);
        last = part;
        let first = view.buttons().into_iter().find(|button| button.id.starts_with("q:") && button.id.contains('='));
        if let Some(choice) = first.filter(|button| !button.chosen) {
            traveller.app().act(view.rev, choice.action.clone());
        }
        let view = traveller.view();
        let main = view.buttons().into_iter().find(|button| matches!(button.action, Action::Next)).unwrap().clone();
        traveller.app().act(view.rev, main.action);
        steps += 1;
        if traveller.view().focus.is_some() {
            let view = traveller.view();
            let field = view.fields().first().unwrap().id.clone();
            let text = if field.contains("birth_year") { "1990" } else { "2021-03" };
            traveller.type_into(&field, text);
        }
        assert!(steps < 300, "{:?}", ids(&traveller.view()));
    }
    assert!(last > 5 && steps > 20, "{last} {steps}");
}

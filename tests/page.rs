//! The try-out server's page in a real browser: opened with its key, read in Arabic, a table taken home.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod browser;
#[path = "../server/tests/client/mod.rs"]
mod client;

use browser::Browser;
use client::Place;
use veldwerk_server::{ServerConfig, serve};

const HOSTILE: &str = "&lt;script&gt;document.title = 'taken over'&lt;/script&gt;&lt;img src=x onerror=&quot;document.title = 'taken over'&quot;&gt;";

/// A question and its answers, which take turns.
type Question = (&'static str, &'static [&'static str]);

/// Questions of the newcomers' questionnaire by group.
const ANSWERS: [(&str, &[Question]); 4] = [
    (
        "g_about",
        &[
            ("migrant_group", &["asylum", "family", "asylum", "asylum"]),
            ("gender", &["f", "m", "f", "f", "pnts"]),
            ("birth_year", &["1990", "1984", "2001"]),
            ("school_years", &["7_12", "13", "1_6", "7_12", "0"]),
            ("literacy", &["good", "little", "good"]),
            ("housing", &["own", "azc", "own", "temp", "family", "own"]),
        ],
    ),
    (
        "g_muni",
        &[("province", &["PV30", "PV30", "PV26"]), ("info_missing", &["work school", "house", "money work", "none"])],
    ),
    ("g_plan", &[("route", &["b1", "z", "b1", "edu"]), ("route_fit", &["ok", "hard", "ok", "easy"])]),
    ("g_money", &[("ends_meet", &["2", "3", "1", "2", "4"])]),
];

/// The `number`th newcomer's record, in the form's version of 24 November 2026; the last question has hostile answers.
fn newcomer(number: usize) -> String {
    let groups = ANSWERS.map(|(group, questions)| {
        let answers =
            questions.iter().map(|(name, values)| format!("<{name}>{}</{name}>", values[number % values.len()]));
        format!("<{group}>{}</{group}>", answers.collect::<String>())
    });
    format!(
        "<data id=\"pi_newcomers\" version=\"2026112402\"><intro><consent>yes</consent><adult>yes</adult></intro>\
         <main>{}<g_end><helps_joining>7</helps_joining><good>=1+1</good><better>{HOSTILE}</better>\
         <better_voice>voice.wav</better_voice></g_end></main>\
         <meta><instanceID>uuid:00000000-0000-4000-8000-{number:012}</instanceID>\
         <instanceName>Inburgering 2026-11-24</instanceName></meta></data>",
        groups.concat()
    )
}

/// A record of the interview, with a photo.
fn interview() -> String {
    "<data id=\"pi_interview\" version=\"2026112401\"><g_consent><consent>yes</consent></g_consent>\
     <g_talk><g_home><hh_any>yes</hh_any><member><m_rel>child</m_rel></member><member><m_rel>partner</m_rel></member></g_home></g_talk>\
     <g_after><photo_place>place.png</photo_place></g_after>\
     <meta><instanceID>uuid:00000000-0000-4000-8000-000000000099</instanceID><instanceName>TEST-045</instanceName></meta></data>"
        .to_owned()
}

/// The questionnaires, with an interview (record 1) and twelve newcomers (2 to 13).
fn visited() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(ServerConfig::new(folder.path())).unwrap();
    let place = Place { server, folder };
    let photo = include_bytes!("../server/forms/questionnaire-media/smile5.png");
    assert_eq!(place.send(&interview(), &[("place.png", Some("place.png"), photo)]).status, 201);
    let sound = include_bytes!("../server/forms/questionnaire-media/consent_ar.wav");
    for number in 1..=12 {
        assert_eq!(place.send(&newcomer(number), &[("voice.wav", Some("voice.wav"), sound)]).status, 201);
    }
    place
}

fn base(place: &Place) -> String {
    format!("http://{}", place.server.address())
}

#[test]
fn a_reader_opens_it_switches_to_arabic_reads_a_record_and_takes_the_table() {
    let place = visited();
    let mut browser = Browser::start();
    browser.open(&place.server.page_url());
    assert_eq!(browser.evaluate("location.href"), format!("{}/", base(&place)));
    assert!(browser.text(".notice").contains("Try-out server: answers lie readable on this computer"));

    browser.click("a[href='/forms/pi_newcomers']");
    browser.click(".languages a[lang=ar]");
    assert_eq!(browser.evaluate("getComputedStyle(document.documentElement).direction"), "rtl");
    browser.click("a.row");
    assert_eq!(browser.evaluate("getComputedStyle(document.documentElement).direction"), "rtl");
    assert_eq!(browser.text("dt"), "هل تريد المشاركة؟");
    assert_eq!(browser.text("dd"), "نعم");
    // Reading begins at the right: the question stands there, its answer to the left of it.
    assert_eq!(
        browser.evaluate("document.querySelector('dt').getBoundingClientRect().left > document.querySelector('dd').getBoundingClientRect().right"),
        true
    );
    let shown = browser.text(".answers");
    assert!(shown.contains("<script>document.title = 'taken over'</script>") && shown.contains("=1+1"));
    assert_eq!(browser.evaluate("document.title"), "Record · Veldwerk");
    assert_eq!(browser.evaluate("document.scripts.length"), 0);
    assert_eq!(
        browser.evaluate("new Promise(done => { const a = document.querySelector('audio'); if (a.readyState) done(a.duration > 0); else a.onloadedmetadata = () => done(a.duration > 0) })"),
        true
    );

    browser.click(".back a");
    let (name, table) = browser.download("a[href^='/forms/pi_newcomers/records.csv']");
    assert_eq!(name, "pi_newcomers.csv");
    let table = String::from_utf8(table).unwrap();
    let mut lines = table.trim_start_matches('\u{feff}').lines();
    let (columns, row) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(columns.starts_with("KEY,RECEIVED,VERSION,") && columns.contains(",main/g_end/good,"));
    assert!(row.starts_with("uuid:00000000-0000-4000-8000-000000000001,") && row.contains(",'=1+1,"));
    assert_eq!(lines.count(), 11);

    assert_eq!(browser.complaints(), Vec::<String>::new());
    // The buttons of the player are pictures inside the browser (`data:`).
    let is_elsewhere = |url: &String| !url.starts_with(&base(&place)) && !url.starts_with("data:");
    let elsewhere: Vec<_> = browser.requests().into_iter().filter(is_elsewhere).collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn pictures_and_repeats_of_an_interview_are_shown() {
    let place = visited();
    let mut browser = Browser::start();
    browser.open(&place.server.page_url());
    browser.open(&format!("{}/forms/pi_interview/records/1?language=nl", base(&place)));
    assert_eq!(browser.evaluate("document.querySelector('.file img').decode().then(() => document.querySelector('.file img').naturalWidth > 0)"), true);
    assert_eq!(
        browser.evaluate("[...document.querySelectorAll('h4')].filter(e => / [12]$/.test(e.innerText)).length"),
        2
    );
    browser.open(&format!("{}/forms/pi_interview/charts?language=ti", base(&place)));
    assert_eq!(browser.evaluate("document.querySelectorAll('figure svg rect.fill').length > 0"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn every_page_fits_a_phone_in_every_language() {
    let place = visited();
    let mut browser = Browser::start();
    browser.open(&place.server.page_url());
    for dark in [false, true] {
        browser.resize(360, 780, dark);
        for language in ["nl", "en", "ar", "ti", "tr"] {
            for path in [
                "/",
                "/forms/pi_newcomers",
                "/forms/pi_newcomers/charts",
                "/forms/pi_newcomers/records/13",
                "/forms/pi_interview/records/1",
            ] {
                browser.open(&format!("{}{path}?language={language}", base(&place)));
                assert_eq!(browser.evaluate("document.documentElement.scrollWidth"), 360, "{path} {language}");
                assert_eq!(browser.evaluate("document.documentElement.lang"), language);
            }
        }
    }
}

/// Pictures for the README, drawn anew with `VELDWERK_UPDATE_PICTURES=1`; without it the pages are only opened.
#[test]
fn pictures_of_the_page() {
    let place = visited();
    let mut browser = Browser::start();
    browser.open(&place.server.page_url());
    browser.resize(900, 1000, false);
    for (name, path) in [
        ("page-record-ar", "/forms/pi_newcomers/records/13?language=ar"),
        ("page-record-nl", "/forms/pi_interview/records/1?language=nl"),
        ("page-charts-nl", "/forms/pi_newcomers/charts?language=nl"),
    ] {
        browser.open(&format!("{}{path}", base(&place)));
        assert_eq!(browser.evaluate("document.querySelector('main') !== null"), true, "{path}");
        if std::env::var_os("VELDWERK_UPDATE_PICTURES").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");
            std::fs::create_dir_all(folder).unwrap();
            browser.picture(&std::path::Path::new(folder).join(format!("{name}.png")));
        }
    }
}

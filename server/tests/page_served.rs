//! The page in the browser, as a client without one sees it: who may look, what hostile answers can do, the tables.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod client;

use client::{Place, Reply, form, record, request, start};

/// The address behind the key and the cookie that it gives.
fn cookie(place: &Place) -> String {
    let url = place.server.page_url();
    let path = url.strip_prefix(&format!("http://{}", place.server.address())).unwrap();
    let reply = place.get(path, &[]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

fn look(place: &Place, path: &str) -> Reply {
    place.get(path, &[&cookie(place)])
}

#[test]
fn only_the_key_opens_the_page() {
    let place = start();
    let cookie = cookie(&place);
    let (name, key) = cookie.trim_start_matches("Cookie: ").split_once('=').unwrap();
    assert_eq!(place.get("/", &[]).status, 403);
    assert_eq!(place.get("/?key=wrong", &[]).status, 403);
    assert_eq!(place.get("/", &[&format!("Cookie: {name}=wrong")]).status, 403);
    assert_eq!(place.get("/", &[&format!("Cookie: other={key}")]).status, 403);
    assert_eq!(place.get("/forms/trees/records.csv", &[]).status, 403);
    assert_eq!(place.get("/", &[&cookie]).status, 200);
    assert_eq!(place.get("/", &[&format!("Cookie: a=b; {name}={key}")]).status, 200);

    let kept = place.get(&format!("/forms/trees?language=ar&key={key}"), &[]);
    assert_eq!(kept.header("location"), Some("/forms/trees?language=ar"));
    let elsewhere = place.get(&format!("//evil.example/?key={key}"), &[]);
    assert_eq!(elsewhere.header("location"), Some("/evil.example/"));
}

#[test]
fn only_our_own_names_lead_to_the_page() {
    let place = start();
    let (cookie, port) = (cookie(&place), place.server.address().port());
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("LOCALHOST:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("127.0.0.1".into(), 403),
        (format!("127.0.0.1:{}", port ^ 1), 403),
        (format!("evil.example:{port}"), 403),
        (format!("localhost.evil.example:{port}"), 403),
        (format!("192.168.0.1:{port}"), 403),
        (format!("localhost:{port}@evil.example"), 403),
        (String::new(), 403),
    ] {
        let reply = request(place.server.address(), "GET", "/", &[&format!("Host: {host}"), &cookie], b"");
        assert_eq!(reply.status, status, "{host}");
    }
}

#[test]
fn every_page_is_hardened_and_warns() {
    let place = start();
    place.send(&record("uuid:1", "<name>Old oak</name>"), &[]);
    for path in ["/", "/forms/trees", "/forms/trees/charts", "/forms/trees/records/1", "/forms/none", "/nowhere"] {
        let reply = look(&place, path);
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'self'"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        let page = reply.text();
        assert!(page.contains("Try-out server: answers lie readable on this computer"), "{path}");
        assert!(!page.contains("<script") && !page.contains("<style") && !page.contains("style=\""), "{path}");
    }
    assert_eq!(look(&place, "/forms/none").status, 404);
    assert_eq!(look(&place, "/forms/trees/records/2").status, 404);
    assert_eq!(look(&place, "/forms/trees/records/x").status, 400);
}

#[test]
fn hostile_answers_stay_letters() {
    let place = start();
    let script = "<script>alert(1)</script>";
    let hostile = format!(
        "<name>=1+1</name><kind>&lt;i&gt; oak</kind><photo>&quot;&gt;&lt;script&gt;.svg</photo>\
         <birds><bird>{}</bird><seen>-3</seen></birds><birds><bird>ordinary</bird><seen>2</seen></birds>",
        "&lt;script&gt;alert(1)&lt;/script&gt;"
    );
    let meta = "<instanceName>&lt;script&gt;</instanceName>";
    let xml = record("uuid:&lt;script&gt;", &hostile).replace("</meta>", &format!("{meta}</meta>"));
    assert_eq!(place.send(&xml, &[("\\\"><script>.svg", Some("x"), script.as_bytes())]).status, 201);
    for path in ["/", "/forms/trees", "/forms/trees/charts", "/forms/trees/records/1"] {
        let page = look(&place, path).text();
        assert!(!page.contains("<script"), "{path}");
    }
    let page = look(&place, "/forms/trees/records/1").text();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));

    let attachment = look(&place, "/forms/trees/records/1/attachments/%22%3E%3Cscript%3E.svg");
    assert_eq!((attachment.status, attachment.body.as_slice()), (200, script.as_bytes()));
    assert_eq!(attachment.header("content-type"), Some("application/octet-stream"));
    assert_eq!(attachment.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(attachment.header("content-disposition"), Some("attachment; filename*=UTF-8''%22%3E%3Cscript%3E.svg"));
}

#[test]
fn tables_hold_every_node_and_no_formula() {
    let place = start();
    let answers = "<name>=1+1</name><kind>oak yew</kind><birds><bird>a \"b\", c</bird><seen>-3</seen></birds>\
                   <birds><bird>@x</bird><seen>2</seen></birds>";
    place.send(&record("uuid:1", answers), &[]);
    place.send(&record("uuid:2", "<name>+</name>"), &[]);

    let reply = look(&place, "/forms/trees/records.csv");
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename*=UTF-8''trees.csv"));
    let text = reply.text();
    let mut lines = text.strip_prefix('\u{feff}').unwrap().lines();
    assert_eq!(lines.next(), Some("KEY,RECEIVED,VERSION,name,kind,leaf,photo,meta/instanceID,meta/instanceName"));
    let first = lines.next().unwrap();
    assert!(first.starts_with("uuid:1,20") && first.ends_with("Z,1,'=1+1,oak yew,,,uuid:1,"), "{first}");
    assert!(lines.next().unwrap().ends_with(",1,'+,,,,uuid:2,"));
    assert_eq!(lines.next(), None);

    let reply = look(&place, "/forms/trees/repeats/birds.csv");
    assert_eq!(
        reply.text(),
        "\u{feff}PARENT_KEY,KEY,birds/bird,birds/seen\n\
         uuid:1,uuid:1/birds[1],\"a \"\"b\"\", c\",'-3\n\
         uuid:1,uuid:1/birds[2],'@x,2\n"
    );
    assert_eq!(look(&place, "/forms/trees/repeats/none.csv").status, 404);
}

#[test]
fn labels_direction_and_words_follow_the_language() {
    let place = start();
    place.send(&record("uuid:1", "<name>Old &lt;oak&gt;</name><kind>oak</kind><birds><bird>owl</bird></birds>"), &[]);
    let english = look(&place, "/forms/trees/records/1").text();
    assert!(english.contains("<html lang=\"en\" dir=\"ltr\">") && english.contains("What kind is it?"));
    assert!(english.contains("An oak") && !english.contains("A yew"));
    assert!(english.contains("Which bird lives in \u{2068}Old &lt;oak&gt;\u{2069}?"));

    let arabic = look(&place, "/forms/trees/records/1?language=ar").text();
    assert!(
        arabic.contains("<html lang=\"ar\" dir=\"rtl\">") && arabic.contains("ما نوعها؟") && arabic.contains("بلوط")
    );
    assert!(arabic.contains("<bdi lang=\"en\" dir=\"ltr\">Try-out server"));
    assert!(arabic.contains("href=\"/forms/trees?language=ar\""));

    let asked = place.get("/forms/trees", &[&cookie(&place), "Accept-Language: fr, ar-EG;q=0.8, en;q=0.5"]);
    assert!(asked.text().contains("<html lang=\"ar\" dir=\"rtl\">"));
}

#[test]
fn charts_count_every_answer_and_grow_from_the_side_where_reading_begins() {
    let place = start();
    for (number, kind) in ["oak", "oak yew", ""].iter().enumerate() {
        place.send(&record(&format!("uuid:{number}"), &format!("<kind>{kind}</kind>")), &[]);
    }
    let left = look(&place, "/forms/trees/charts").text();
    assert!(
        left.contains("Answers: 2") && left.contains("aria-label=\"2 / 2\"") && left.contains("aria-label=\"1 / 2\"")
    );
    assert!(left.contains("x=\"0\" width=\"500\""));
    assert!(look(&place, "/forms/trees/charts?language=ar").text().contains("x=\"500\" width=\"500\""));
}

#[test]
fn choices_that_depend_on_another_answer_have_their_labels_too() {
    let place = start();
    place.send(&record("uuid:1", "<kind>yew</kind><leaf>needle</leaf>"), &[]);
    place.send(&record("uuid:2", "<kind>oak</kind><leaf>gone</leaf>"), &[]);
    assert!(look(&place, "/forms/trees/records/1").text().contains("Like a needle"));
    let charts = look(&place, "/forms/trees/charts").text();
    assert!(charts.contains("What is its leaf like?") && charts.contains("Like a needle") && charts.contains("gone"));
    assert!(!charts.contains("With lobes"));
}

#[test]
fn records_of_a_form_that_cannot_be_filled_here_are_shown_bare() {
    let place = start();
    let mut odd = form("9");
    let xml = String::from_utf8(odd.xml).unwrap();
    odd.xml = xml.replace("/data/name\" type", "/data/name\" calculate=\"no-such-function()\" type").into_bytes();
    place.server.publish(&odd).unwrap();
    place.send(&record("uuid:1", "<name>Old oak</name>").replace("version=\"1\"", "version=\"9\""), &[]);
    for path in ["/", "/forms/trees", "/forms/trees/charts", "/forms/trees/records.csv"] {
        assert_eq!(look(&place, path).status, 200, "{path}");
    }
    let page = look(&place, "/forms/trees/records/1").text();
    assert!(page.contains("\u{2068}name\u{2069}") && page.contains("Old oak"));
}

#[test]
fn attachments_are_shown_when_they_are_here() {
    let place = start();
    let xml = record("uuid:1", "<photo>a b.jpg</photo>");
    place.send(&xml, &[]);
    assert!(look(&place, "/forms/trees/records/1").text().contains("Has not arrived yet"));
    place.send(&xml, &[("a b.jpg", Some("a b.jpg"), b"JPEG")]);
    let page = look(&place, "/forms/trees/records/1").text();
    assert!(page.contains("<img src=\"/forms/trees/records/1/attachments/a%20b.jpg\" alt=\"a b.jpg\""));
    let picture = look(&place, "/forms/trees/records/1/attachments/a%20b.jpg");
    assert_eq!((picture.header("content-type"), picture.body.as_slice()), (Some("image/jpeg"), b"JPEG".as_slice()));
    assert_eq!(look(&place, "/forms/other/records/1/attachments/a%20b.jpg").status, 404);
}

#[test]
fn long_lists_come_in_pages() {
    let place = start();
    for number in 1..=101 {
        place.send(&record(&format!("uuid:{number}"), ""), &[]);
    }
    let first = look(&place, "/forms/trees?language=en").text();
    assert!(first.contains("uuid:101<") && !first.contains("uuid:1<"));
    assert!(first.contains("href=\"/forms/trees?language=en&amp;page=2\""));
    let second = look(&place, "/forms/trees?page=2").text();
    assert!(second.contains("uuid:1<") && !second.contains("uuid:2<"));
    for page in ["0", "-1", "9223372036854775807", "x", "3"] {
        assert_eq!(look(&place, &format!("/forms/trees?page={page}")).status, 200, "{page}");
    }
}

#[test]
fn a_record_is_labelled_by_the_version_it_was_filled_in_on() {
    let place = start();
    place.send(&record("uuid:1", "<name>Old oak</name>"), &[]);
    let mut changed = form("2");
    changed.xml = String::from_utf8(changed.xml).unwrap().replace("What is it called?", "Its name?").into_bytes();
    place.server.publish(&changed).unwrap();
    assert!(look(&place, "/forms/trees/records/1").text().contains("What is it called?"));
}

#[test]
fn the_questionnaires_say_that_texts_are_drafts() {
    let folder = tempfile::tempdir().unwrap();
    let server = veldwerk_server::serve(veldwerk_server::ServerConfig::new(folder.path())).unwrap();
    let place = Place { server, folder };
    for path in ["/", "/forms/pi_newcomers?language=ti", "/forms/pi_interview/charts?language=tr"] {
        assert!(
            look(&place, path).text().contains("Arabic, Tigrinya and Turkish texts are unreviewed drafts"),
            "{path}"
        );
    }
    assert!(!look(&start(), "/").text().contains("unreviewed drafts"));
}

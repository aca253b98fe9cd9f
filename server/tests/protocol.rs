//! The protocol, case by case as central-server.md has it.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod client;

use client::{form, record, request, start};
use veldwerk::ErrorKind;
use veldwerk::openrosa::{form_list, manifest, settings_qr};
use veldwerk_server::{Forms, ServerConfig, serve};

const V1: &str = "X-OpenRosa-Version: 1.0";

#[test]
fn the_road_from_list_to_file() {
    let place = start();
    let reply = place.ask("/formList");
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("content-type", "text/xml; charset=utf-8"),
        ("x-openrosa-version", "1.0"),
        ("x-openrosa-accept-content-length", "100000000"),
        ("content-language", "en"),
        ("cache-control", "private, no-cache"),
        ("vary", "Accept-Encoding, Origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    let list = form_list::read(&reply.body).unwrap();
    assert_eq!(list.forms.len(), 1);
    let listed = &list.forms[0];
    assert_eq!((listed.form_id.as_str(), listed.version.as_str()), ("trees", "1"));
    assert_eq!(listed.name, "Trees & shrubs");
    assert_eq!(listed.hash.as_deref(), Some(veldwerk::openrosa::hash(&form("1").xml).as_str()));

    let base = format!("http://{}", place.server.address());
    let path = |url: &str| url.strip_prefix(&base).unwrap().to_owned();
    let xml = place.get(&path(&listed.download_url), &[]);
    assert_eq!((xml.status, xml.header("content-type")), (200, Some("application/xml")));
    assert_eq!(xml.body, form("1").xml);

    let manifest = place.get(&path(listed.manifest_url.as_ref().unwrap()), &[V1]);
    let files = manifest::read(&manifest.body).unwrap().files;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name, "tree é.png");
    let file = place.get(&path(&files[0].download_url), &[]);
    assert_eq!((file.status, file.body.as_slice()), (200, b"PNG".as_slice()));
    let hash = files[0].hash.as_deref().unwrap();
    assert_eq!(hash, veldwerk::openrosa::hash(&file.body));
    assert_eq!(file.header("etag").unwrap(), hash.replace("md5:", "\"") + "\"");
}

#[test]
fn addresses_follow_the_host_the_client_used() {
    let place = start();
    let path = place.in_project("/formList");
    let reply = request(place.server.address(), "GET", &path, &["Host: localhost:9", V1], b"");
    let list = form_list::read(&reply.body).unwrap();
    assert!(list.forms[0].download_url.starts_with("http://localhost:9/v1/key/"));
}

#[test]
fn what_a_client_has_is_answered_with_304() {
    let place = start();
    for path in ["/formList", "/forms/trees.xml", "/forms/trees/manifest", "/forms/trees/attachments/tree%20%C3%A9.png"]
    {
        let etag = place.ask(path).header("etag").unwrap().to_owned();
        assert_eq!(etag.starts_with("W/\""), !path.contains("attachments"), "{path}");
        let weak = format!("W/{}", etag.trim_start_matches("W/"));
        for known in [etag.as_str(), &weak, "*", &format!("\"other\", {etag}")] {
            let reply = place.get(&place.in_project(path), &[V1, &format!("If-None-Match: {known}")]);
            assert_eq!((reply.status, reply.body.len()), (304, 0), "{path} {known}");
        }
        let reply = place.get(&place.in_project(path), &[V1, "If-None-Match: \"other\""]);
        assert_eq!(reply.status, 200, "{path}");
    }
}

#[test]
fn who_may_ask() {
    let place = start();
    let token = place.server.token().unwrap().reveal().to_owned();
    let unknown = "a".repeat(64);
    let escaped: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for (path, headers, status) in [
        (format!("/v1/key/{token}/projects/1/formList"), vec![V1], 200),
        (format!("/v1/key/{escaped}/projects/1/formList"), vec![V1], 200),
        (format!("/v1/projects/1/formList?st={escaped}"), vec![V1], 200),
        (format!("/v1/key/{token}/projects/1/formList"), vec![], 400),
        (format!("/v1/key/{token}/projects/1/formList"), vec!["X-OpenRosa-Version: 2.0"], 400),
        (format!("/v1/key/{unknown}/projects/1/formList"), vec![], 400),
        ("/v1/key/short/projects/1/formList".into(), vec![V1], 401),
        ("/v1/projects/1/formList".into(), vec![V1], 401),
        ("/v1/projects/1/formList".into(), vec![V1, "Authorization: Basic YTpi"], 401),
        (format!("/v1/key/{unknown}/projects/1/formList"), vec![V1], 403),
        (format!("/v1/key/{unknown}/projects/1/forms/trees.xml"), vec![], 403),
        (format!("/v1/key/{token}/projects/2/formList"), vec![V1], 404),
        (format!("/v1/key/{token}/projects/1/forms/none.xml"), vec![], 404),
        (format!("/v1/key/{token}/projects/1/forms/trees/attachments/none.png"), vec![], 404),
        (format!("/v1/key/{token}/projects/1/forms/none/manifest"), vec![V1], 404),
        (format!("/v1/key/{token}/projects/1/forms/trees.xml"), vec![], 200),
        (format!("/v1/key/{token}/projects/1/elsewhere"), vec![], 404),
    ] {
        let reply = place.get(&path, &headers);
        assert_eq!(reply.status, status, "{path} {headers:?}");
        assert_eq!(reply.header("www-authenticate"), None);
        if status == 400 || status == 401 {
            assert!(reply.text().contains("OpenRosaResponse"), "{path}");
            assert_eq!(reply.header("x-openrosa-version"), None, "{path}");
        }
    }
    let rewritten = place.get(&format!("/v1/projects/1/formList?st={escaped}"), &[V1]);
    assert!(form_list::read(&rewritten.body).unwrap().forms[0].download_url.contains("/v1/key/"));
}

#[test]
fn a_head_request_greets() {
    let place = start();
    let reply = place.request("HEAD", &place.in_project("/submission"), &[V1], b"");
    assert_eq!((reply.status, reply.header("x-openrosa-accept-content-length")), (204, Some("100000000")));
    assert_eq!(place.ask("/submission").status, 204);
    assert_eq!(place.request("HEAD", &place.in_project("/submission"), &[], b"").status, 400);
}

#[test]
fn the_same_bytes_arrive_once() {
    let place = start();
    let xml = record("uuid:1", "<name>Old oak</name>");
    for _ in 0..2 {
        let reply = place.send(&xml, &[]);
        assert_eq!(
            (reply.status, reply.header("cache-control"), reply.header("vary")),
            (201, Some("no-store"), Some("*"))
        );
        assert!(reply.text().contains("nature=\"\""));
    }
    let reply = place.send(&format!("{xml}\n"), &[]);
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("different XML") && reply.text().contains("nature=\"error\""));
    let records = place.server.records("trees").unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].xml, xml.as_bytes());
}

#[test]
fn only_files_that_the_record_names_are_kept() {
    let place = start();
    let xml = record("uuid:1", "<name>b.jpg</name><photo>é a.jpg</photo>");
    let files: [client::PartOf<'_>; 4] = [
        ("é a.jpg", Some("other name"), b"one"),
        ("b.jpg", Some("b.jpg"), b"two"),
        ("%C3%A9%20a.jpg", Some("c"), b"three"),
        ("", Some("d"), b"four"),
    ];
    assert_eq!(place.send(&xml, &files).status, 201);
    assert_eq!(place.server.records("trees").unwrap()[0].attachments, [("é a.jpg".to_owned(), b"one".to_vec())]);
    assert_eq!(place.send(&xml, &[("é a.jpg", None, b"no file name")]).status, 201);
    assert_eq!(place.send(&xml, &[("é a.jpg", Some("x"), b"")]).status, 201);
    assert_eq!(place.server.records("trees").unwrap()[0].attachments, [("é a.jpg".to_owned(), Vec::new())]);
}

#[test]
fn what_is_refused() {
    let place = start();
    let good = record("uuid:1", "");
    for (xml, status, words) in [
        (good.replace("trees", "shrubs"), 404, "form"),
        (good.replace("version=\"1\"", "version=\"9\""), 404, "version"),
        (good.replace(" version=\"1\"", ""), 404, "version"),
        ("<data>".into(), 400, "not-xml"),
        ("<data/>".into(), 400, "no form"),
        (String::new(), 400, "not-xml"),
    ] {
        let reply = place.send(&xml, &[]);
        assert_eq!(reply.status, status, "{xml}");
        assert!(reply.text().contains("nature=\"error\"") && reply.text().contains(words), "{}", reply.text());
    }
    let bytes = good.as_bytes();
    assert_eq!(place.post(&[("xml_submission_file", None, bytes)]).status, 400);
    assert_eq!(place.post(&[("other", Some("a.xml"), bytes)]).status, 400);
    let raw = place.request("POST", &place.in_project("/submission"), &[V1, "Content-Type: text/xml"], bytes);
    assert_eq!((raw.status, raw.header("content-type")), (400, Some("application/json; charset=utf-8")));
    let cut = [V1, "Content-Type: multipart/form-data; boundary=B"];
    let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\nhal";
    assert_eq!(place.request("POST", &place.in_project("/submission"), &cut, body).status, 400);
    assert!(place.server.records("trees").unwrap().is_empty());
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let place = start();
    let headers = [V1, "Content-Type: multipart/form-data; boundary=B", "Content-Length: 104857601"];
    let reply = place.request("POST", &place.in_project("/submission"), &headers, b"");
    assert_eq!((reply.status, reply.header("content-type")), (413, Some("text/html")));
}

#[test]
fn a_record_without_instance_id_is_new_each_time() {
    let place = start();
    let xml = "<data id='trees' version='1'/>";
    assert_eq!(place.send(xml, &[]).status, 201);
    assert_eq!(place.send(xml, &[]).status, 201);
    assert_eq!(place.server.records("trees").unwrap().len(), 2);
}

#[test]
fn the_false_409_on_request() {
    let place = start();
    place.server.answer_falsely(1);
    let xml = record("uuid:1", "<photo>a.jpg</photo>");
    let photo: [client::PartOf<'_>; 1] = [("a.jpg", Some("a.jpg"), b"photo")];
    let reply = place.send(&xml, &photo);
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("has been deleted"));
    assert!(place.server.records("trees").unwrap()[0].attachments.is_empty());
    assert_eq!(place.send(&xml, &photo).status, 201);
    assert_eq!(place.server.records("trees").unwrap()[0].attachments.len(), 1);
    assert_eq!(place.send(&record("uuid:2", ""), &[]).status, 201);
}

#[test]
fn versions_of_a_form_stand_side_by_side() {
    let place = start();
    place.server.publish(&form("2")).unwrap();
    let list = form_list::read(&place.ask("/formList").body).unwrap();
    assert_eq!(list.forms.iter().map(|form| form.version.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(place.ask("/forms/trees.xml").body, form("2").xml);
    assert_eq!(place.send(&record("uuid:1", ""), &[]).status, 201);
    assert_eq!(place.send(&record("uuid:2", "").replace("version=\"1\"", "version=\"2\""), &[]).status, 201);

    place.server.withdraw("trees").unwrap();
    assert!(form_list::read(&place.ask("/formList").body).unwrap().forms.is_empty());
    assert_eq!(place.ask("/forms/trees.xml").status, 200);
    assert_eq!(place.send(&record("uuid:3", ""), &[]).status, 201);
    place.server.publish(&form("2")).unwrap();
    assert_eq!(form_list::read(&place.ask("/formList?formID=trees").body).unwrap().forms.len(), 1);
    assert_eq!(form_list::read(&place.ask("/formList?formID=other").body).unwrap().forms.len(), 0);
}

#[test]
fn form_ids_of_any_kind_have_addresses_that_work() {
    let place = start();
    let mut odd = form("1");
    odd.xml = String::from_utf8(odd.xml).unwrap().replace("\"trees\"", "\"a b/c?d#e%f+é&amp;\"").into_bytes();
    place.server.publish(&odd).unwrap();
    let list = form_list::read(&place.ask("/formList").body).unwrap();
    let listed = list.forms.iter().find(|form| form.form_id == "a b/c?d#e%f+é&").unwrap();
    let base = format!("http://{}", place.server.address());
    let xml = place.get(listed.download_url.strip_prefix(&base).unwrap(), &[]);
    assert_eq!(xml.body, odd.xml);
    let manifest = place.get(listed.manifest_url.as_ref().unwrap().strip_prefix(&base).unwrap(), &[V1]);
    let files = manifest::read(&manifest.body).unwrap().files;
    assert_eq!(place.get(files[0].download_url.strip_prefix(&base).unwrap(), &[]).body, b"PNG");
}

#[test]
fn everything_is_there_after_a_restart_but_the_token() {
    let place = start();
    assert_eq!(place.send(&record("uuid:1", ""), &[]).status, 201);
    let token = place.server.token().unwrap().reveal().to_owned();
    let code = settings_qr::decode(&place.server.settings_code().unwrap().unwrap()).unwrap();
    assert_eq!(code.server_url, place.server.project_url().unwrap());
    let client::Place { server, folder } = place;
    drop(server);

    let (data, forms) = (folder.path().join("data"), folder.path().join("forms"));
    std::fs::write(forms.join("trees.xml"), form("1").xml).unwrap();
    let server = serve(ServerConfig { forms: Forms::Folder(forms.clone()), ..ServerConfig::new(&data) }).unwrap();
    assert!(server.token().is_none() && server.project_url().is_none() && server.settings_code().unwrap().is_none());
    let path = format!("/v1/key/{token}/projects/1/formList");
    let reply = request(server.address(), "GET", &path, &["Host: localhost", V1], b"");
    assert_eq!(form_list::read(&reply.body).unwrap().forms.len(), 1);
    assert_eq!(server.records("trees").unwrap().len(), 1);
    drop(server);

    std::fs::remove_file(forms.join("trees.xml")).unwrap();
    let server = serve(ServerConfig { forms: Forms::Folder(forms), ..ServerConfig::new(&data) }).unwrap();
    let reply = request(server.address(), "GET", &path, &["Host: localhost", V1], b"");
    assert!(form_list::read(&reply.body).unwrap().forms.is_empty());
    assert_eq!(server.records("trees").unwrap().len(), 1);
    drop(server);
    for entry in std::fs::read_dir(data).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[test]
fn other_computers_are_kept_out_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = ServerConfig { listen: ([0, 0, 0, 0], 0).into(), ..ServerConfig::new(folder.path()) };
    assert_eq!(serve(everywhere.clone()).unwrap_err().kind(), ErrorKind::NotHttps);
    assert!(serve(ServerConfig { i_know_it_is_plain_http: true, ..everywhere }).is_ok());
}

#[test]
fn a_folder_with_a_broken_form_says_which_kind_of_broken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xml"), "<h:html").unwrap();
    let config =
        ServerConfig { forms: Forms::Folder(folder.path().into()), ..ServerConfig::new(folder.path().join("d")) };
    assert_eq!(serve(config).unwrap_err().kind(), ErrorKind::NotXml);
}

//! A bare HTTP client: every byte of a request is the test's own choice, hostile ones included.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use veldwerk_server::{FormSource, Forms, Server, ServerConfig, serve};

/// A form with a text, a choice, a photo and a repeat; `{version}` is filled in.
pub const FORM: &str = include_str!("form.xml");

/// A server on a folder of its own.
pub struct Place {
    pub server: Server,
    pub folder: tempfile::TempDir,
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Starts a server with version 1 of [`FORM`] and its picture.
pub fn start() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let forms = folder.path().join("forms");
    std::fs::create_dir(&forms).unwrap();
    let config = ServerConfig { forms: Forms::Folder(forms), ..ServerConfig::new(folder.path().join("data")) };
    let server = serve(config).unwrap();
    server.publish(&form("1")).unwrap();
    Place { server, folder }
}

/// [`FORM`] in a version.
pub fn form(version: &str) -> FormSource {
    let xml = FORM.replace("{version}", version).into_bytes();
    FormSource { xml, files: vec![("tree é.png".to_owned(), b"PNG".to_vec())] }
}

/// A record of [`FORM`], version 1.
pub fn record(instance_id: &str, answers: &str) -> String {
    format!("<data id=\"trees\" version=\"1\">{answers}<meta><instanceID>{instance_id}</instanceID></meta></data>")
}

/// The parts of a multipart body: name, file name, bytes.
pub type PartOf<'a> = (&'a str, Option<&'a str>, &'a [u8]);

impl Place {
    pub fn get(&self, path: &str, headers: &[&str]) -> Reply {
        self.request("GET", path, headers, b"")
    }

    /// A path inside the project, asked with the version header.
    pub fn ask(&self, path: &str) -> Reply {
        self.get(&self.in_project(path), &["X-OpenRosa-Version: 1.0"])
    }

    pub fn in_project(&self, path: &str) -> String {
        format!("/v1/key/{}/projects/1{path}", self.server.token().unwrap().reveal())
    }

    pub fn send(&self, xml: &str, files: &[PartOf<'_>]) -> Reply {
        let mut parts = vec![("xml_submission_file", Some("r.xml"), xml.as_bytes())];
        parts.extend_from_slice(files);
        self.post(&parts)
    }

    pub fn post(&self, parts: &[PartOf<'_>]) -> Reply {
        let mut body = Vec::new();
        for (name, file_name, bytes) in parts {
            body.extend_from_slice(format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
            if let Some(file_name) = file_name {
                body.extend_from_slice(format!("; filename=\"{file_name}\"").as_bytes());
            }
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--B--\r\n");
        let headers = ["X-OpenRosa-Version: 1.0", "Content-Type: multipart/form-data; boundary=B"];
        self.request("POST", &self.in_project("/submission"), &headers, &body)
    }

    pub fn request(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
        let host = format!("Host: {}", self.server.address());
        let mut all = vec![host.as_str()];
        all.extend_from_slice(headers);
        request(self.server.address(), method, path, &all, body)
    }
}

/// Sends a request as it stands, `Host` only if `headers` says so.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    if !headers.iter().any(|header| header.starts_with("Content-Length")) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();

    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(reply[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    Reply { status, headers, body: reply[end + 4..].to_vec() }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

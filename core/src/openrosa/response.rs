//! What a server says in words about a submission (openrosa.md §6).

use super::element::Element;
use quick_xml::escape::escape;

const NAMESPACE: &str = "http://openrosa.org/http/response";

/// The body of a reply, as far as it speaks to us. Its status decides what happens; the words only tell apart what one
/// status means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An `OpenRosaResponse`.
    OpenRosa {
        /// The server's words.
        text: String,
    },
    /// JSON, as ODK Central answers on other routes and for unexpected faults.
    Json {
        /// Its `message`, where it has one.
        text: String,
    },
    /// A web page: from a proxy, or from whoever runs the wifi network.
    Html,
    /// Anything else, an empty body included.
    Other,
}

impl Reply {
    /// The server's words; empty for a web page, whose words are not for a person to act on.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::OpenRosa { text } | Self::Json { text } => text,
            Self::Html | Self::Other => "",
        }
    }
}

/// Reads whatever came back; never fails, because servers, proxies and portals all answer in their own way.
#[must_use]
pub fn read(body: &[u8]) -> Reply {
    if let Some(text) = open_rosa_text(body) {
        Reply::OpenRosa { text }
    } else if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) {
        let text = object.get("message").and_then(|message| message.as_str()).unwrap_or_default();
        Reply::Json { text: text.to_owned() }
    } else if looks_like_html(body) {
        Reply::Html
    } else {
        Reply::Other
    }
}

/// The same where the media type is known, as in a reply: it tells a web page that does not look like one. What the body is
/// counts more.
#[must_use]
pub fn read_as(media_type: &str, body: &[u8]) -> Reply {
    let is_page = || matches!(media_type, "text/html" | "application/xhtml+xml") && !body.trim_ascii().is_empty();
    match read(body) {
        Reply::Other if is_page() => Reply::Html,
        reply => reply,
    }
}

fn open_rosa_text(body: &[u8]) -> Option<String> {
    let root = Element::read(body).ok().filter(|root| root.name == "OpenRosaResponse")?;
    Some(root.child_text("message").unwrap_or_default().to_owned())
}

fn looks_like_html(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(body.get(..1024).unwrap_or(body)).to_ascii_lowercase();
    start.contains("<html") || start.contains("<!doctype html") || start.trim_start().starts_with("<head>")
}

/// Writes a reply; `error` says whether the request failed.
#[must_use]
pub fn write(text: &str, error: bool) -> String {
    let nature = if error { "error" } else { "" };
    format!(
        "<OpenRosaResponse xmlns=\"{NAMESPACE}\" items=\"0\"><message nature=\"{nature}\">{}</message></OpenRosaResponse>\n",
        escape(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for error in [false, true] {
            let text = "id <1> & 'co'".to_owned();
            assert_eq!(read(write(&text, error).as_bytes()), Reply::OpenRosa { text });
        }
        assert!(write("", true).contains("nature=\"error\""));
    }

    #[test]
    fn every_kind_of_body_is_understood() {
        let central = b"\n<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\" items=\"0\"><message nature=\"\">done</message></OpenRosaResponse>";
        assert_eq!(read(central).text(), "done");
        assert_eq!(read(b"<OpenRosaResponse/>"), Reply::OpenRosa { text: String::new() });
        assert_eq!(read(br#"{"message":"broke","code":500.1}"#), Reply::Json { text: "broke".into() });
        assert_eq!(read(br#"{"code":1}"#).text(), "");
        assert_eq!(read(b"<!DOCTYPE html>\n<p>log in"), Reply::Html);
        assert_eq!(read(b"<HTML><title>413</title></HTML>"), Reply::Html);
        assert_eq!(read(b""), Reply::Other);
        assert_eq!(read(&[0xff, 0xfe, 0x00]), Reply::Other);
        assert_eq!(read(b"[1]"), Reply::Other);
    }

    #[test]
    fn a_media_type_tells_a_page_that_does_not_look_like_one_and_a_body_beats_it() {
        let html = "text/html";
        assert_eq!(read_as(html, b"<p>Log in to go on"), Reply::Html);
        assert_eq!(read_as("application/xhtml+xml", b"Log in"), Reply::Html);
        assert_eq!(read_as("text/plain", b"Log in"), Reply::Other);
        assert_eq!(read_as(html, b" \r\n"), Reply::Other, "an empty body is no page");
        assert_eq!(read_as(html, write("done", false).as_bytes()).text(), "done");
        assert_eq!(read_as(html, br#"{"message":"broke"}"#).text(), "broke");
        assert_eq!(read_as("text/xml", b"<!doctype html><p>"), Reply::Html);
    }
}

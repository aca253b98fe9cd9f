//! The shapes of replies: OpenRosa's XML, JSON for the rest, a web page from the proxy in front.

use super::{ADVERTISED_LIMIT, HARD_LIMIT};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use veldwerk::openrosa::{headers, response};

/// A request that cannot be granted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) words: String,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// From an OpenRosa address.
    OpenRosa,
    /// From an OpenRosa address before it was known who asks, so without OpenRosa's headers.
    EarlyOpenRosa,
    /// From any other address, and for every fault.
    Json,
    /// From the proxy in front.
    Html,
}

impl Refusal {
    pub(super) fn openrosa(status: StatusCode, words: &str) -> Self {
        Self { status, words: words.to_owned(), shape: Shape::OpenRosa }
    }

    pub(super) fn early(status: StatusCode, words: &str) -> Self {
        Self { status, words: words.to_owned(), shape: Shape::EarlyOpenRosa }
    }

    pub(super) fn json(status: StatusCode, words: &str) -> Self {
        Self { status, words: words.to_owned(), shape: Shape::Json }
    }

    pub(super) fn not_found() -> Self {
        Self::json(StatusCode::NOT_FOUND, "Could not find the resource you were looking for.")
    }

    pub(super) fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, words: "Request Entity Too Large".to_owned(), shape: Shape::Html }
    }
}

/// A fault of ours: JSON, whatever the address, and no word about what it was doing.
impl From<veldwerk::Error> for Refusal {
    fn from(error: veldwerk::Error) -> Self {
        Self::json(StatusCode::INTERNAL_SERVER_ERROR, error.kind().sentence())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self.shape {
            Shape::OpenRosa => openrosa_message(self.status, &self.words),
            Shape::EarlyOpenRosa => {
                (self.status, [(header::CONTENT_TYPE, headers::TEXT_XML)], response::write(&self.words, true))
                    .into_response()
            }
            Shape::Json => {
                let body = serde_json::json!({ "message": self.words, "code": self.status.as_u16() });
                (self.status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string())
                    .into_response()
            }
            Shape::Html => {
                let title = format!("{} {}", self.status.as_u16(), self.words);
                let page = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
                (self.status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
        }
    }
}

/// What became of a record, in words.
pub(super) fn openrosa_message(status: StatusCode, words: &str) -> Response {
    let body = response::write(words, !status.is_success());
    let caching = [(header::CACHE_CONTROL, "no-store"), (header::VARY, "*")];
    let reply = (status, caching, [(header::CONTENT_TYPE, headers::TEXT_XML)], body).into_response();
    with_openrosa_headers(reply)
}

/// A list or a manifest.
pub(super) fn openrosa_document(request: &HeaderMap, body: String) -> Response {
    with_openrosa_headers(document(request, headers::TEXT_XML, &weak_etag(body.as_bytes()), body))
}

/// The headers of every reply from an OpenRosa address.
pub(super) fn with_openrosa_headers(mut reply: Response) -> Response {
    let names = [
        (headers::VERSION, headers::VERSION_VALUE.to_owned()),
        (headers::ACCEPT_CONTENT_LENGTH, ADVERTISED_LIMIT.to_string()),
        ("Content-Language", "en".to_owned()),
    ];
    for (name, value) in names {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// Something that can be fetched, or 304 when the client has it already.
pub(super) fn document(request: &HeaderMap, content_type: &str, etag: &str, body: impl Into<Body>) -> Response {
    let caching =
        [(header::ETAG, etag), (header::CACHE_CONTROL, "private, no-cache"), (header::VARY, "Accept-Encoding, Origin")];
    if is_known(request, etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, content_type)], body.into()).into_response()
}

/// The tag of a body that is written anew for each request: its length and its SHA-1.
pub(super) fn weak_etag(body: &[u8]) -> String {
    let digest = STANDARD.encode(Sha1::digest(body));
    format!("W/\"{:x}-{}\"", body.len(), digest.trim_end_matches('='))
}

/// Whether `If-None-Match` names the tag; weak and strong are equal here (RFC 9110, 13.1.2).
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

/// A body that says it is too large is refused before any of it is read, as the proxy in front of Central does.
pub(super) async fn refuse_large_bodies(request: Request, next: Next) -> Response {
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > HARD_LIMIT as u64) {
        return Refusal::too_large().into_response();
    }
    next.run(request).await
}

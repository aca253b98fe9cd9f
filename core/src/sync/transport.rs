//! One HTTP exchange, behind a trait: `reqwest` is one way to make it, an app's own network stack may be another.

use super::progress::Meter;
use crate::error::{Error, ErrorKind, Result};
use crate::openrosa::address::redact;
use crate::openrosa::headers;
use std::fmt;
use std::future::Future;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use url::Url;

/// A future behind a pointer, so that [`Transport`] can be one too.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries one request to a server and its reply back. Follows no redirect, knows no account, tries once.
pub trait Transport: Send + Sync {
    /// Sends `request`. With a `sink`, the body of a reply of status 200 goes there and not into the [`Response`]; it comes
    /// in pieces, and after a failure the sink holds only a part. `meter` is told the bytes of the larger direction as they
    /// pass: of the request's body if it has one, else of the reply's.
    ///
    /// # Errors
    /// A [`Failure`] where no whole reply came; any status is a reply.
    fn send<'a>(
        &'a self,
        request: Request,
        sink: Option<&'a mut (dyn Write + Send)>,
        meter: &'a Meter,
    ) -> BoxFuture<'a, Result<Response, Failure>>;
}

/// A request to be sent.
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom; a secret where it holds a token.
    pub url: Url,
    /// Names with values.
    pub headers: Vec<(&'static str, String)>,
    /// The parts of a form, for `POST`; empty for no body.
    pub parts: Vec<Part>,
    /// The largest body of a reply that is taken, in plain bytes.
    pub max_reply: u64,
}

/// The methods the protocol uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of its name")]
pub enum Method {
    Get,
    Head,
    Post,
}

impl Method {
    /// As HTTP writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// A part of a multipart body; its length is known before it is read.
#[derive(Clone)]
pub struct Part {
    /// Name of the form field, as UTF-8.
    pub name: String,
    /// Name of the file; `None` for a plain field.
    pub file_name: Option<String>,
    /// Its media type.
    pub content_type: Option<&'static str>,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes.
    pub content: Content,
}

/// The bytes of a part.
#[derive(Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// Read when needed, from the beginning each time.
    File(Opener),
}

/// Opens a file for reading; may be called again for another try.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn Read + Send>> + Send + Sync>;

/// A reply of any status.
#[derive(Clone, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body, unless it went into the sink.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header; its name in any case. Several of one name are joined by commas.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether it may be a document of the protocol: the right status, media type and version header.
    #[must_use]
    pub fn is_open_rosa(&self) -> bool {
        let version = self.header(headers::VERSION);
        headers::is_document(self.status, self.header("content-type").as_deref(), version.as_deref())
    }

    /// The media type without its parameters, in lower case; empty where none is given.
    #[must_use]
    pub fn media_type(&self) -> String {
        let header = self.header("content-type").unwrap_or_default();
        header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// Why no whole reply came.
#[derive(Debug)]
pub enum Failure {
    /// No connection could be made.
    NoConnection,
    /// Who answers cannot prove who it is, or speaks no TLS.
    Untrusted(Error),
    /// The connection broke.
    Cut,
    /// Nothing moved for too long, or too little for very long.
    TooSlow,
    /// The reply is larger than what was asked for may be.
    TooLong,
    /// A part of the request could not be read on this device.
    Part(Error),
    /// What came could not be written on this device.
    Sink(Error),
    /// The request was cancelled.
    Cancelled,
    /// The request is not allowed or cannot be made: an address without protection, too many redirects.
    Refused(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoConnection => ErrorKind::Offline.into(),
            Failure::Cut => Self::new(ErrorKind::Offline, "the connection broke off"),
            Failure::TooSlow => ErrorKind::TooSlow.into(),
            Failure::TooLong => ErrorKind::DownloadTooLarge.into(),
            Failure::Untrusted(error) | Failure::Part(error) | Failure::Sink(error) | Failure::Refused(error) => error,
            Failure::Cancelled => ErrorKind::Interrupted.into(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.len();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redact(&self.url))
            .field("parts", &parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("media_type", &self.media_type())
            .finish_non_exhaustive()
    }
}

//! The requests of one project: the headers every request has, the account, and where redirects may lead.

use super::policy::Bounds;
use super::progress::{Cancel, Meter};
use super::project::{Project, follow};
use super::transport::{Failure, Method, Part, Request, Response, Transport};
use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind};
use crate::openrosa::address::same_host;
use crate::openrosa::digest_auth::{Challenge, DigestAuth, challenge};
use crate::openrosa::headers;
use base64::Engine as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// More redirects in a row lead in a circle.
const MAX_REDIRECTS: usize = 5;

/// Speaks to one project's server.
pub struct Exchange {
    transport: Arc<dyn Transport>,
    project: Project,
    clock: Arc<dyn Clock>,
    random: Mutex<Random>,
    /// The challenge answered last; later requests answer it ahead.
    digest: Mutex<Option<DigestAuth>>,
    cancel: Cancel,
}

/// What is asked, before account and redirects.
pub struct Ask<'a> {
    /// What to do.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// The ETag of what is there already; then a reply of status 304 has no body.
    pub etag: Option<String>,
    /// The parts of a form, for `POST`.
    pub parts: Vec<Part>,
    /// The largest body of a reply that is taken, in plain bytes.
    pub max_reply: u64,
    /// Where the body of a reply of status 200 goes, if not into memory.
    pub sink: Option<&'a mut (dyn Write + Send)>,
    /// Counts bytes.
    pub meter: Meter,
}

impl Ask<'_> {
    /// A request without body, ETag and sink, whose bytes nobody counts, for a reply no larger than a document of the protocol.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        let max_reply = Bounds::default().document;
        Self { method, url, etag: None, parts: Vec::new(), max_reply, sink: None, meter: Arc::new(|_, _| {}) }
    }
}

impl Exchange {
    /// An exchange with the server of `project`.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        project: Project,
        clock: Arc<dyn Clock>,
        random: Random,
        cancel: Cancel,
    ) -> Self {
        Self { transport, project, clock, random: Mutex::new(random), digest: Mutex::new(None), cancel }
    }

    /// The project spoken to.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Asks, and follows where the server sends. Returns the reply with the address that gave it; a redirect that is not
    /// followed is a reply too.
    ///
    /// A challenge is answered on the project's own host only, and the account is shown nowhere else. `GET` may be sent to
    /// another host (files often lie elsewhere), `HEAD` and `POST` stay: a record goes to nobody else. No redirect leads
    /// from `https` to `http`.
    ///
    /// # Errors
    /// A [`Failure`] where no reply came.
    pub async fn ask(&self, mut ask: Ask<'_>) -> Result<(Response, Url), Failure> {
        let mut redirects = 0;
        let mut challenges = 0;
        loop {
            let response = self.once(&mut ask).await?;
            if response.status == 401 && challenges < 2 && self.take_challenge(&ask.url, &response) {
                challenges += 1;
            } else if let Some(target) = target(&ask, &response)? {
                redirects += 1;
                if redirects > MAX_REDIRECTS {
                    let circle = Error::new(ErrorKind::NotAServer, "too many redirects");
                    return Err(Failure::Refused(circle));
                }
                ask.url = target;
            } else {
                return Ok((response, ask.url));
            }
        }
    }

    async fn once(&self, ask: &mut Ask<'_>) -> Result<Response, Failure> {
        let url = self.project.as_asked(&ask.url);
        let mut headers = vec![
            ("User-Agent", concat!("Veldwerk/", env!("CARGO_PKG_VERSION")).to_owned()),
            (headers::VERSION, headers::VERSION_VALUE.to_owned()),
            ("Date", headers::date(self.clock.now_ms())),
        ];
        if self.project.is_home(&url) {
            headers.extend(self.authorization(ask.method, &url).map(|value| ("Authorization", value)));
        }
        headers.extend(ask.etag.clone().map(|etag| ("If-None-Match", etag)));
        let request = Request { method: ask.method, url, headers, parts: ask.parts.clone(), max_reply: ask.max_reply };
        let sink = ask.sink.as_mut().map(|sink| &mut **sink as &mut (dyn Write + Send));
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
            response = self.transport.send(request, sink, &ask.meter) => response,
        }
    }

    /// The account as a header: Digest if the server has asked for it, else Basic ahead, because ODK Central never asks.
    fn authorization(&self, method: Method, url: &Url) -> Option<String> {
        let account = self.project.account()?;
        if let Some(digest) = self.digest.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let uri = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            let client_nonce = format!("{:016x}", random.next_u64());
            return Some(digest.authorization(account, method.name(), &uri, &client_nonce));
        }
        let pair = format!("{}:{}", account.user, account.password);
        Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
    }

    /// Takes up the Digest challenge of a reply. False if it holds none, or if the one before was answered and found wrong:
    /// then asking again is of no use, unless only the nonce was too old.
    fn take_challenge(&self, url: &Url, response: &Response) -> bool {
        if self.project.account().is_none() || !self.project.is_home(url) {
            return false;
        }
        let header = response.header("www-authenticate").unwrap_or_default();
        let Some(Challenge::Digest(challenge)) = challenge(&header) else { return false };
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        if digest.is_some() && !challenge.stale {
            *digest = None;
            return false;
        }
        *digest = Some(DigestAuth::new(challenge));
        true
    }
}

/// Where a reply sends this request, if it may go there.
fn target(ask: &Ask<'_>, response: &Response) -> Result<Option<Url>, Failure> {
    let followed = match ask.method {
        Method::Get | Method::Head => matches!(response.status, 301..=303 | 307 | 308),
        Method::Post => matches!(response.status, 307 | 308),
    };
    let Some(location) = response.header("location").filter(|_| followed) else { return Ok(None) };
    let target = follow(&ask.url, &location).map_err(Failure::Refused)?;
    Ok(Some(target).filter(|target| ask.method == Method::Get || same_host(&ask.url, target)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{FixedClock, Step};
    use crate::openrosa::digest_auth::Account;
    use crate::sync::transport::BoxFuture;
    use std::collections::VecDeque;

    type Seen = Arc<Mutex<Vec<(Method, String, Vec<(&'static str, String)>)>>>;

    /// Replies in turn, and keeps what it was asked.
    struct Script {
        replies: Mutex<VecDeque<Response>>,
        seen: Seen,
    }

    impl Transport for Script {
        fn send<'a>(
            &'a self,
            request: Request,
            _: Option<&'a mut (dyn Write + Send)>,
            _: &'a Meter,
        ) -> BoxFuture<'a, Result<Response, Failure>> {
            self.seen.lock().unwrap().push((request.method, request.url.to_string(), request.headers));
            let reply = self.replies.lock().unwrap().pop_front().expect("asked too often");
            Box::pin(async move { Ok(reply) })
        }
    }

    fn reply(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { status, headers, body: Vec::new() }
    }

    fn exchange(account: bool, replies: Vec<Response>) -> (Exchange, Seen) {
        let seen = Seen::default();
        let account = account.then(|| Account { user: "ana".into(), password: "geheim".into() });
        let project = Project::new("https://h.test/p", account).unwrap();
        let transport = Arc::new(Script { replies: Mutex::new(replies.into()), seen: seen.clone() });
        let random = Step { at: 0, seed: 3, number: 0 }.random();
        (Exchange::new(transport, project, Arc::new(FixedClock(784_111_777_000)), random, Cancel::default()), seen)
    }

    fn ask(exchange: &Exchange, method: Method, url: &str) -> Result<(Response, Url), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(exchange.ask(Ask::new(method, Url::parse(url).unwrap())))
    }

    fn header(seen: &Seen, request: usize, name: &str) -> Option<String> {
        let seen = seen.lock().unwrap();
        seen[request].2.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn the_protocol_headers_and_basic_go_ahead() {
        let (exchange, seen) = exchange(true, vec![reply(200, &[])]);
        ask(&exchange, Method::Get, "https://h.test/p/formList").unwrap();
        assert_eq!(header(&seen, 0, "X-OpenRosa-Version").as_deref(), Some("1.0"));
        assert_eq!(header(&seen, 0, "Date").as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(header(&seen, 0, "Authorization").as_deref(), Some("Basic YW5hOmdlaGVpbQ=="));
    }

    #[test]
    fn a_download_elsewhere_gets_the_protocol_and_no_account() {
        let elsewhere = reply(307, &[("location", "https://s3.test/x?sig=1")]);
        let (exchange, seen) = exchange(true, vec![elsewhere, reply(200, &[])]);
        let (_, url) = ask(&exchange, Method::Get, "https://h.test/p/a.png").unwrap();
        assert_eq!(url.as_str(), "https://s3.test/x?sig=1");
        assert!(header(&seen, 0, "Authorization").is_some());
        assert_eq!(header(&seen, 1, "Authorization"), None);
        assert_eq!(header(&seen, 1, "X-OpenRosa-Version").as_deref(), Some("1.0"));
    }

    #[test]
    fn digest_is_answered_once_and_then_ahead() {
        let challenge = ("www-authenticate", "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"");
        let stale = ("www-authenticate", "Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=true");
        let replies = vec![
            reply(401, &[challenge]),
            reply(204, &[]),
            reply(401, &[stale]),
            reply(201, &[]),
            reply(401, &[challenge]),
        ];
        let (exchange, seen) = exchange(true, replies);
        assert_eq!(ask(&exchange, Method::Head, "https://h.test/p/submission?x=1").unwrap().0.status, 204);
        assert_eq!(ask(&exchange, Method::Post, "https://h.test/p/submission").unwrap().0.status, 201);
        let authorization = |request| header(&seen, request, "Authorization").unwrap();
        assert!(authorization(0).starts_with("Basic "));
        assert!(authorization(1).contains("uri=\"/p/submission?x=1\"") && authorization(1).contains("nc=00000001"));
        assert!(authorization(2).contains("nonce=\"n1\"") && authorization(2).contains("nc=00000002"));
        assert!(authorization(3).contains("nonce=\"n2\"") && authorization(3).contains("nc=00000001"));
        assert_eq!(
            ask(&exchange, Method::Get, "https://h.test/p").unwrap().0.status,
            401,
            "a wrong answer is not repeated"
        );
    }

    #[test]
    fn without_an_account_no_challenge_is_answered() {
        let (exchange, seen) = exchange(false, vec![reply(401, &[("www-authenticate", "Digest nonce=\"n\"")])]);
        assert_eq!(ask(&exchange, Method::Head, "https://h.test/p").unwrap().0.status, 401);
        assert_eq!(header(&seen, 0, "Authorization"), None);
    }

    #[test]
    fn redirects_follow_their_rules() {
        let to = |status, location| reply(status, &[("location", location)]);
        let rows = [
            (Method::Get, to(301, "/b"), Ok("https://h.test/b")),
            (Method::Get, to(302, "https://o.test/b"), Ok("https://o.test/b")),
            (Method::Head, to(301, "/b"), Ok("https://h.test/b")),
            (Method::Head, to(302, "https://portal.test/"), Ok("https://h.test/a")),
            (Method::Post, to(301, "/b"), Ok("https://h.test/a")),
            (Method::Post, to(307, "/b"), Ok("https://h.test/b")),
            (Method::Post, to(308, "https://o.test/b"), Ok("https://h.test/a")),
            (Method::Get, to(302, "http://h.test/b"), Err(ErrorKind::NotHttps)),
            (Method::Get, to(302, "http://127.0.0.1/b"), Err(ErrorKind::NotHttps)),
            (Method::Get, to(200, "/b"), Ok("https://h.test/a")),
        ];
        for (method, first, expected) in rows {
            let shown = format!("{method:?} {first:?}");
            let (exchange, _) = exchange(false, vec![first, reply(200, &[])]);
            let came = ask(&exchange, method, "https://h.test/a");
            let came = came.map(|(_, url)| url.to_string()).map_err(|failure| Error::from(failure).kind());
            assert_eq!(came, expected.map(str::to_owned), "{shown}");
        }
        let circle = (0..=MAX_REDIRECTS).map(|_| to(302, "/a")).collect();
        let (exchange, _) = exchange(false, circle);
        let failure = ask(&exchange, Method::Get, "https://h.test/a").unwrap_err();
        assert_eq!(Error::from(failure).kind(), ErrorKind::NotAServer);
    }
}

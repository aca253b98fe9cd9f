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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    digest: Mutex<Option<Digest>>,
    cancel: Cancel,
}

/// A Digest challenge, and whether the server has taken the account with it or with one before.
struct Digest {
    auth: DigestAuth,
    was_accepted: bool,
}

/// The nonce that a request was signed with; `None` without one.
type Nonce = Option<String>;

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
            let (response, nonce) = self.once(&mut ask).await?;
            if response.status == 401 && challenges < 2 && self.take_challenge(&ask.url, &response, nonce) {
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

    async fn once(&self, ask: &mut Ask<'_>) -> Result<(Response, Nonce), Failure> {
        let url = self.project.as_asked(&ask.url);
        let mut headers = vec![
            ("User-Agent", concat!("Veldwerk/", env!("CARGO_PKG_VERSION")).to_owned()),
            (headers::VERSION, headers::VERSION_VALUE.to_owned()),
            ("Date", headers::date(self.clock.now_ms())),
        ];
        let (account, nonce) =
            if self.project.is_home(&url) { self.authorization(ask.method, &url) } else { (None, None) };
        headers.extend(account.map(|value| ("Authorization", value)));
        headers.extend(ask.etag.clone().map(|etag| ("If-None-Match", etag)));
        let request = Request { method: ask.method, url, headers, parts: ask.parts.clone(), max_reply: ask.max_reply };
        let sink = ask.sink.as_mut().map(|sink| &mut **sink as &mut (dyn Write + Send));
        let response = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Failure::Cancelled),
            response = self.transport.send(request, sink, &ask.meter) => response?,
        };
        if response.status != 401
            && let Some(digest) = self.digest().as_mut()
        {
            digest.was_accepted |= nonce.is_some();
        }
        Ok((response, nonce))
    }

    fn digest(&self) -> MutexGuard<'_, Option<Digest>> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account as a header: Digest if the server has asked for it, else Basic ahead, because ODK Central never asks.
    fn authorization(&self, method: Method, url: &Url) -> (Option<String>, Nonce) {
        let Some(account) = self.project.account() else { return (None, None) };
        if let Some(Digest { auth, .. }) = self.digest().as_mut() {
            let uri = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            let client_nonce = format!("{:016x}", random.next_u64());
            let header = auth.authorization(account, method.name(), &uri, &client_nonce);
            return (Some(header), Some(auth.nonce().to_owned()));
        }
        let pair = format!("{}:{}", account.user, account.password);
        (Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))), None)
    }

    /// Takes up the Digest challenge of a reply to a request that was signed with `signed`; whether asking again is of use.
    ///
    /// Requests run side by side, so another may have taken up a newer one meanwhile: that one is answered. An answer that is
    /// refused is a wrong account, unless the server says that only the nonce was too old, or took the account before: not
    /// every server says it, and then one more try tells.
    fn take_challenge(&self, url: &Url, response: &Response, signed: Nonce) -> bool {
        if self.project.account().is_none() || !self.project.is_home(url) {
            return false;
        }
        let header = response.header("www-authenticate").unwrap_or_default();
        let Some(Challenge::Digest(challenge)) = challenge(&header) else { return false };
        let mut digest = self.digest();
        match digest.as_ref() {
            Some(newer) if signed.as_deref() != Some(newer.auth.nonce()) => return true,
            Some(before) if !challenge.stale && !before.was_accepted => {
                *digest = None;
                return false;
            }
            // The account was found wrong by another request.
            None if signed.is_some() => return false,
            Some(_) | None => {}
        }
        *digest = Some(Digest { auth: DigestAuth::new(challenge), was_accepted: false });
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
        let replies = vec![reply(401, &[challenge]), reply(204, &[]), reply(401, &[stale]), reply(201, &[])];
        let (exchange, seen) = exchange(true, replies);
        assert_eq!(ask(&exchange, Method::Head, "https://h.test/p/submission?x=1").unwrap().0.status, 204);
        assert_eq!(ask(&exchange, Method::Post, "https://h.test/p/submission").unwrap().0.status, 201);
        let authorization = |request| header(&seen, request, "Authorization").unwrap();
        assert!(authorization(0).starts_with("Basic "));
        assert!(authorization(1).contains("uri=\"/p/submission?x=1\"") && authorization(1).contains("nc=00000001"));
        assert!(authorization(2).contains("nonce=\"n1\"") && authorization(2).contains("nc=00000002"));
        assert!(authorization(3).contains("nonce=\"n2\"") && authorization(3).contains("nc=00000001"));
    }

    fn digest(nonce: &str) -> Response {
        reply(401, &[("www-authenticate", &format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\""))])
    }

    #[test]
    fn a_wrong_account_is_shown_once_and_an_old_nonce_costs_one_more_request_whether_or_not_it_is_called_stale() {
        let get = |exchange: &Exchange| ask(exchange, Method::Get, "https://h.test/p").unwrap().0.status;
        let (wrong, _) = exchange(true, vec![digest("n1"), digest("n2")]);
        assert_eq!(get(&wrong), 401);

        let replies = vec![digest("n1"), reply(200, &[]), digest("n2"), reply(200, &[]), digest("n3"), digest("n4")];
        let (old, seen) = exchange(true, replies);
        assert_eq!([get(&old), get(&old)], [200, 200]);
        assert_eq!(get(&old), 401, "changed at the server meanwhile");
        let nonces: Vec<_> = (0..6).filter_map(|n| header(&seen, n, "Authorization")).collect();
        for (authorization, nonce) in nonces.iter().skip(1).zip(["n1", "n1", "n2", "n2", "n3"]) {
            assert!(authorization.contains(&format!("nonce=\"{nonce}\"")), "{authorization}");
        }
    }

    /// Challenges three requests, each in its own way, once all of them are there; takes all others.
    struct Together {
        first: tokio::sync::Barrier,
        seen: Mutex<Vec<String>>,
    }

    impl Transport for Together {
        fn send<'a>(
            &'a self,
            request: Request,
            _: Option<&'a mut (dyn Write + Send)>,
            _: &'a Meter,
        ) -> BoxFuture<'a, Result<Response, Failure>> {
            let authorization = request.headers.iter().find(|(name, _)| *name == "Authorization");
            let number = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(authorization.unwrap().1.clone());
                seen.len()
            };
            Box::pin(async move {
                if number > 3 {
                    return Ok(reply(200, &[]));
                }
                self.first.wait().await;
                Ok(digest(&format!("n{number}")))
            })
        }
    }

    #[test]
    fn requests_side_by_side_take_up_one_challenge() {
        let transport = Arc::new(Together { first: tokio::sync::Barrier::new(3), seen: Mutex::default() });
        let account = Account { user: "ana".into(), password: "geheim".into() };
        let project = Project::new("https://h.test/p", Some(account)).unwrap();
        let random = Step { at: 0, seed: 3, number: 0 }.random();
        let exchange = Exchange::new(transport.clone(), project, Arc::new(FixedClock(0)), random, Cancel::default());
        let get = || async { exchange.ask(Ask::new(Method::Get, Url::parse("https://h.test/p").unwrap())).await };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (a, b, c) = runtime.block_on(async { tokio::join!(get(), get(), get()) });
        assert_eq!([a, b, c].map(|reply| reply.unwrap().0.status), [200; 3]);
        let seen = transport.seen.lock().unwrap();
        let nonce =
            |header: &String| header.split("nonce=").nth(1).map(|rest| rest.chars().take(4).collect::<String>());
        assert_eq!(seen.len(), 6);
        assert!(seen[3..].iter().all(|header| nonce(header) == nonce(&seen[3])), "{seen:?}");
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

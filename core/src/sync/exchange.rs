//! The requests of one project: the headers every request has, the account, and where redirects may lead.

use super::policy::Bounds;
use super::progress::{Cancel, Meter};
use super::project::{Project, follow};
use super::transport::{Failure, Method, Part, Request, Response, Transport};
use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind};
use crate::openrosa::address::same_host;
use crate::openrosa::digest_auth::{Challenge, DigestAuth, DigestChallenge, challenge};
use crate::openrosa::headers;
use base64::Engine as _;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// More redirects in a row lead in a circle.
const MAX_REDIRECTS: usize = 5;

/// A server that finds more nonces of its own in a row too old takes none.
const MAX_CHALLENGES: usize = 3;

/// Speaks to one project's server.
pub struct Exchange {
    transport: Arc<dyn Transport>,
    project: Project,
    clock: Arc<dyn Clock>,
    random: Mutex<Random>,
    /// The challenge that the server last took an answer to; later requests answer it ahead.
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
    /// A request that is challenged answers its own challenge, which no other request uses meanwhile: whatever a server thinks of
    /// old nonces, or of counts that arrive out of order, a refusal then means the account.
    ///
    /// # Errors
    /// A [`Failure`] where no reply came.
    pub async fn ask(&self, mut ask: Ask<'_>) -> Result<(Response, Url), Failure> {
        let mut redirects = 0;
        let mut challenges = 0;
        let mut own: Option<DigestAuth> = None;
        loop {
            let response = self.once(&mut ask, own.as_mut()).await?;
            let challenge = self.challenge(&ask.url, &response);
            if let Some(challenge) = challenge.filter(|new| own.is_none() || (new.stale && challenges < MAX_CHALLENGES))
            {
                challenges += 1;
                own = Some(DigestAuth::new(challenge));
            } else if let Some(target) = target(&ask, &response)? {
                redirects += 1;
                if redirects > MAX_REDIRECTS {
                    let circle = Error::new(ErrorKind::NotAServer, "too many redirects");
                    return Err(Failure::Refused(circle));
                }
                ask.url = target;
            } else {
                if own.is_some() {
                    *self.digest() = own.filter(|_| response.status != 401);
                }
                return Ok((response, ask.url));
            }
        }
    }

    async fn once(&self, ask: &mut Ask<'_>, own: Option<&mut DigestAuth>) -> Result<Response, Failure> {
        let url = self.project.as_asked(&ask.url);
        let mut headers = vec![
            ("User-Agent", concat!("Veldwerk/", env!("CARGO_PKG_VERSION")).to_owned()),
            (headers::VERSION, headers::VERSION_VALUE.to_owned()),
            ("Date", headers::date(self.clock.now_ms())),
        ];
        let account = if self.project.is_home(&url) { self.authorization(ask.method, &url, own) } else { None };
        headers.extend(account.map(|value| ("Authorization", value)));
        headers.extend(ask.etag.clone().map(|etag| ("If-None-Match", etag)));
        let request = Request { method: ask.method, url, headers, parts: ask.parts.clone(), max_reply: ask.max_reply };
        let sink = ask.sink.as_mut().map(|sink| &mut **sink as &mut (dyn Write + Send));
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
            response = self.transport.send(request, sink, &ask.meter) => response,
        }
    }

    fn digest(&self) -> MutexGuard<'_, Option<DigestAuth>> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account as a header: Digest if the server has asked for it, else Basic ahead, because ODK Central never asks.
    fn authorization(&self, method: Method, url: &Url, own: Option<&mut DigestAuth>) -> Option<String> {
        let account = self.project.account()?;
        let mut taken = self.digest();
        if let Some(digest) = own.or(taken.as_mut()) {
            let uri = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            let client_nonce = format!("{:016x}", random.next_u64());
            return Some(digest.authorization(account, method.name(), &uri, &client_nonce));
        }
        let pair = format!("{}:{}", account.user, account.password);
        Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
    }

    /// The Digest challenge of a reply from the project's own host, if there is an account to answer it with.
    fn challenge(&self, url: &Url, response: &Response) -> Option<DigestChallenge> {
        if response.status != 401 || self.project.account().is_none() || !self.project.is_home(url) {
            return None;
        }
        match challenge(&response.header("www-authenticate").unwrap_or_default()) {
            Some(Challenge::Digest(challenge)) => Some(challenge),
            _ => None,
        }
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
    use std::collections::{BTreeSet, VecDeque};
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// A server whose nonces are good for one request each, and which does not say that one is too old.
    #[derive(Default)]
    struct OneUse {
        unused: Mutex<BTreeSet<String>>,
        n_asked: AtomicUsize,
    }

    impl Transport for OneUse {
        fn send<'a>(
            &'a self,
            request: Request,
            _: Option<&'a mut (dyn Write + Send)>,
            _: &'a Meter,
        ) -> BoxFuture<'a, Result<Response, Failure>> {
            let authorization = request.headers.iter().find(|(name, _)| *name == "Authorization").unwrap().1.clone();
            Box::pin(async move {
                tokio::task::yield_now().await;
                let n = self.n_asked.fetch_add(1, Ordering::SeqCst);
                let nonce = authorization.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
                let mut unused = self.unused.lock().unwrap();
                if nonce.is_some_and(|nonce| unused.remove(nonce)) {
                    return Ok(reply(200, &[]));
                }
                unused.insert(format!("n{n}"));
                Ok(digest(&format!("n{n}")))
            })
        }
    }

    #[test]
    fn requests_side_by_side_each_answer_their_own_challenge_and_nonces_may_be_good_once() {
        let transport = Arc::new(OneUse::default());
        let account = Account { user: "ana".into(), password: "geheim".into() };
        let project = Project::new("https://h.test/p", Some(account)).unwrap();
        let random = Step { at: 0, seed: 3, number: 0 }.random();
        let exchange = Exchange::new(transport.clone(), project, Arc::new(FixedClock(0)), random, Cancel::default());
        let get = || async { exchange.ask(Ask::new(Method::Get, Url::parse("https://h.test/p").unwrap())).await };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..5 {
            let (a, b, c, d) = runtime.block_on(async { tokio::join!(get(), get(), get(), get()) });
            assert_eq!([a, b, c, d].map(|reply| reply.unwrap().0.status), [200; 4]);
        }
        assert!(transport.n_asked.load(Ordering::SeqCst) <= 40, "no request goes more than twice");
    }

    #[test]
    fn a_server_that_finds_every_nonce_too_old_is_not_asked_for_ever() {
        let stale = |n: usize| {
            let header = format!("Digest realm=\"r\", nonce=\"n{n}\", qop=\"auth\", stale=true");
            reply(401, &[("www-authenticate", &header)])
        };
        let (exchange, seen) = exchange(true, (0..=MAX_CHALLENGES).map(stale).collect());
        assert_eq!(ask(&exchange, Method::Get, "https://h.test/p").unwrap().0.status, 401);
        assert_eq!(seen.lock().unwrap().len(), 1 + MAX_CHALLENGES);
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

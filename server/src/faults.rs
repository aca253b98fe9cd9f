//! A bad network: a proxy between a client and a server that can be switched off, cuts connections in the middle, loses
//! replies, stalls, drips, and answers itself as the sign-in page of a wifi network does. The faults are real ones: the port
//! is closed, the connections break.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What befalls one connection; on it the proxy speaks plain HTTP/1.1, so that it can tell a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It breaks when the server was given this many bytes of a POST, head included.
    CutPost {
        /// Bytes passed on.
        after: usize,
    },
    /// The same, but both ends see a reset and not an end.
    ResetPost {
        /// Bytes passed on.
        after: usize,
    },
    /// The server gets a POST whole and does what it does; the reply never comes.
    LosePostReply,
    /// It breaks when the client was given this many bytes.
    CutReply {
        /// Bytes passed on.
        after: usize,
    },
    /// Nothing moves any more when the server was given this many bytes of a POST; the connection stays.
    StallPost {
        /// Bytes passed on.
        after: usize,
    },
    /// Nothing moves any more when the client was given this many bytes; the connection stays.
    StallReply {
        /// Bytes passed on.
        after: usize,
    },
    /// Bytes go through so slowly, both ways.
    Slow {
        /// At once.
        bytes: usize,
        /// With so much time between.
        pause: Duration,
    },
    /// Something else answers, in HTML and with this status; the server hears nothing.
    Portal {
        /// The status.
        status: u16,
    },
    /// The connection is closed as soon as it is there.
    Refuse,
}

/// What went through a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// POSTs begun, those of a portal not among them.
    pub posts: u64,
    /// Bytes of POSTs that were passed on, heads included.
    pub post_bytes: u64,
    /// The POSTs whose success did not come through to the client.
    pub lost: Vec<LostPost>,
    /// Bytes of POSTs to which the server itself said no.
    pub refused_bytes: u64,
    /// Requests that something else answered.
    pub portals: u64,
}

/// A POST whose success did not come through to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPost {
    /// What broke it.
    pub fault: Fault,
    /// How many of its bytes were passed on in vain, its head included.
    pub bytes: u64,
    /// How many parts of a form had begun in them.
    pub parts: u64,
}

/// What the next connections meet when nothing is planned.
type Weather = Box<dyn FnMut() -> Fault + Send>;

/// What the proxy and its connections share.
struct Shared {
    planned: Mutex<VecDeque<Fault>>,
    weather: Mutex<Option<Weather>>,
    traffic: Mutex<Traffic>,
}

/// A proxy in front of one server, with faults to be switched on. Ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    is_up: watch::Sender<bool>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Begins to pass connections on to `server`; runs on the present tokio runtime.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((server.ip(), 0)).await?;
        let address = listener.local_addr()?;
        let (is_up, watching) = watch::channel(true);
        let shared =
            Arc::new(Shared { planned: Mutex::default(), weather: Mutex::default(), traffic: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, server, watching, shared.clone()));
        Ok(Self { address, is_up, shared, accepting })
    }

    /// Where clients connect; the same whether it is up or not.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection and closes the port, until [`Proxy::go_up`].
    pub fn go_down(&self) {
        self.is_up.send_replace(false);
    }

    /// Opens the port again.
    pub fn go_up(&self) {
        self.is_up.send_replace(true);
    }

    /// The next connections get one of these each, after those planned before; then all is well.
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared.planned).extend(faults);
    }

    /// Every connection for which nothing is planned asks what befalls it.
    pub fn weather(&self, choose: impl FnMut() -> Fault + Send + 'static) {
        *lock(&self.shared.weather) = Some(Box::new(choose));
    }

    /// How many of the planned faults no connection has met yet.
    #[must_use]
    pub fn planned(&self) -> usize {
        lock(&self.shared.planned).len()
    }

    /// What went through since this was asked last; connections that are still open are told at their next request.
    #[must_use]
    pub fn take_traffic(&self) -> Traffic {
        std::mem::take(&mut *lock(&self.shared.traffic))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server: SocketAddr, mut is_up: watch::Receiver<bool>, shared: Arc<Shared>) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    loop {
        if !*is_up.borrow_and_update() {
            listener = None; // closes the port: whoever knocks now is refused
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        tokio::select! {
            changed = is_up.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            accepted = next_client(listener.as_ref()) => {
                if let Some(client) = accepted {
                    let fault = shared.next_fault();
                    tokio::spawn(carry(client, server, fault, is_up.clone(), shared.clone()));
                }
            }
        }
    }
}

impl Shared {
    fn next_fault(&self) -> Fault {
        let planned = lock(&self.planned).pop_front();
        planned.or_else(|| lock(&self.weather).as_mut().map(|choose| choose())).unwrap_or(Fault::None)
    }
}

/// The next client; without a port a pause, and none.
async fn next_client(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(client, _)| client),
        None => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Carries one connection until an end closes it, the fault strikes or the network goes down. Dropping both ends breaks it.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    fault: Fault,
    mut is_up: watch::Receiver<bool>,
    shared: Arc<Shared>,
) {
    let mut course = Course::new(fault);
    match fault {
        Fault::Refuse => return,
        Fault::Portal { status } => {
            lock(&shared.traffic).portals += 1;
            tokio::select! {
                _ = is_up.changed() => {}
                _ = answer_as_portal(&mut client, status) => {}
            }
            return;
        }
        _ => {}
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = is_up.changed() => {}
        () = pass(&mut client, &mut server, &mut course, &shared) => {
            if let Fault::ResetPost { .. } = fault {
                // Where this cannot be set, the ends see a close: another fault, and one that is tried too.
                let _ = client.set_zero_linger().and_then(|()| server.set_zero_linger());
            }
            if let Fault::StallPost { .. } | Fault::StallReply { .. } = fault {
                let mut nowhere = vec![0; 16 << 10];
                drop(server);
                tokio::select! {
                    _ = is_up.changed() => {}
                    () = async { while client.read(&mut nowhere).await.is_ok_and(|n_read| n_read > 0) {} } => {}
                }
            }
        }
    }
    course.end_post(&shared);
}

/// Passes pieces both ways until an end closes or the fault strikes.
async fn pass(client: &mut TcpStream, server: &mut TcpStream, course: &mut Course, shared: &Shared) {
    let (size, pause) = match course.fault {
        Fault::Slow { bytes, pause } => (bytes.max(1), pause),
        _ => (16 << 10, Duration::ZERO),
    };
    let (mut from_client, mut from_server) = (vec![0; size], vec![0; size]);
    loop {
        let passed = tokio::select! {
            n_read = client.read(&mut from_client) => match n_read {
                Ok(n_read @ 1..) => {
                    let piece = from_client.get(..n_read).unwrap_or_default();
                    let passed = course.upstream(piece, shared);
                    server.write_all(passed).await.is_ok() && passed.len() == piece.len()
                }
                _ => return,
            },
            n_read = server.read(&mut from_server) => match n_read {
                Ok(n_read @ 1..) => {
                    let piece = from_server.get(..n_read).unwrap_or_default();
                    let passed = course.downstream(piece);
                    client.write_all(passed).await.is_ok() && passed.len() == piece.len()
                }
                _ => return,
            },
        };
        if !passed {
            return;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Reads a request's head and answers it in HTML; what still comes of its body is read away, so that the reply is not lost
/// with the connection.
async fn answer_as_portal(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let mut heard = Vec::new();
    while !heard.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        match client.read(&mut piece).await? {
            0 => return Ok(()),
            n_read => heard.extend_from_slice(piece.get(..n_read).unwrap_or_default()),
        }
    }
    let page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Sign in to the wifi</body></html>";
    let body = if heard.starts_with(b"HEAD ") { "" } else { page };
    let reply = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/html; charset=utf-8\r\nLocation: /login\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        page.len()
    );
    client.write_all(reply.as_bytes()).await?;
    client.shutdown().await?;
    let mut nowhere = vec![0; 16 << 10];
    while client.read(&mut nowhere).await? > 0 {}
    Ok(())
}

/// How far a connection is, and how much of the next piece gets through.
struct Course {
    fault: Fault,
    /// Whether the next bytes of the client begin a request.
    begins: bool,
    /// The POST under way, if the request is one.
    post: Option<Post>,
    /// Bytes for the client passed on so far.
    of_replies: usize,
}

/// A POST under way: its bytes passed on, and what came back to the client as a whole.
#[derive(Default)]
struct Post {
    bytes: usize,
    parts: u64,
    /// The last bytes, in which the beginning of a part may have begun.
    end: Vec<u8>,
    reply: Option<Reply>,
}

/// What every part of a form begins with.
const PART: &[u8] = b"Content-Disposition: form-data;";

impl Post {
    fn pass(&mut self, piece: &[u8]) {
        self.bytes += piece.len();
        self.end.extend_from_slice(piece);
        self.parts += self.end.windows(PART.len()).filter(|window| *window == PART).count() as u64;
        self.end.drain(..self.end.len().saturating_sub(PART.len() - 1));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reply {
    Success,
    Refusal,
    Cut,
}

impl Course {
    fn new(fault: Fault) -> Self {
        Self { fault, begins: true, post: None, of_replies: 0 }
    }

    fn upstream<'a>(&mut self, piece: &'a [u8], shared: &Shared) -> &'a [u8] {
        if std::mem::take(&mut self.begins) {
            self.end_post(shared);
            if piece.starts_with(b"POST ") {
                self.post = Some(Post::default());
                lock(&shared.traffic).posts += 1;
            }
        }
        let Some(post) = &mut self.post else { return piece };
        let room = match self.fault {
            Fault::CutPost { after } | Fault::ResetPost { after } | Fault::StallPost { after } => {
                after.saturating_sub(post.bytes)
            }
            _ => usize::MAX,
        };
        let passed = piece.get(..room).unwrap_or(piece);
        post.pass(passed);
        lock(&shared.traffic).post_bytes += passed.len() as u64;
        passed
    }

    fn downstream<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        self.begins = true;
        let room = match self.fault {
            Fault::LosePostReply if self.post.is_some() => 0,
            Fault::CutReply { after } | Fault::StallReply { after } => after.saturating_sub(self.of_replies),
            _ => usize::MAX,
        };
        self.of_replies += piece.len().min(room);
        if let Some(post) = &mut self.post {
            let is_success = piece.starts_with(b"HTTP/1.1 201") || piece.starts_with(b"HTTP/1.1 202");
            let begun = post.reply.unwrap_or(if is_success { Reply::Success } else { Reply::Refusal });
            post.reply = Some(if room < piece.len() { Reply::Cut } else { begun });
        }
        piece.get(..room).unwrap_or(piece)
    }

    /// Counts the POST that was under way, now that it has ended one way or the other.
    fn end_post(&mut self, shared: &Shared) {
        let Some(post) = self.post.take() else { return };
        let mut traffic = lock(&shared.traffic);
        match post.reply {
            Some(Reply::Success) => {}
            Some(Reply::Refusal) => traffic.refused_bytes += post.bytes as u64,
            Some(Reply::Cut) | None => {
                traffic.lost.push(LostPost { fault: self.fault, bytes: post.bytes as u64, parts: post.parts });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared { planned: Mutex::default(), weather: Mutex::default(), traffic: Mutex::default() }
    }

    #[test]
    fn faults_strike_where_they_should() {
        let shared = &shared();
        let mut course = Course::new(Fault::CutPost { after: 9 });
        assert_eq!(course.upstream(b"HEAD /submission", shared), b"HEAD /submission");
        assert_eq!(course.downstream(b"204"), b"204");
        assert_eq!(course.upstream(b"POST /", shared), b"POST /");
        assert_eq!(course.upstream(b"submission", shared), b"sub");

        let mut course = Course::new(Fault::LosePostReply);
        course.upstream(b"HEAD /", shared);
        assert_eq!(course.downstream(b"204"), b"204");
        assert_eq!(course.upstream(b"POST /", shared), b"POST /");
        assert_eq!(course.downstream(b"201"), b"");

        let mut course = Course::new(Fault::CutReply { after: 4 });
        assert_eq!(course.upstream(b"GET /", shared), b"GET /");
        assert_eq!(course.downstream(b"200"), b"200");
        assert_eq!(course.downstream(b" OK"), b" ");
    }

    #[test]
    fn bytes_of_a_post_that_came_to_nothing_are_counted() {
        let lost = |fault, bytes| LostPost { fault, bytes, parts: 0 };
        let rows: [(Fault, &[u8], Traffic); 4] = [
            (Fault::None, b"HTTP/1.1 201 Created", Traffic { posts: 1, post_bytes: 10, ..Traffic::default() }),
            (
                Fault::None,
                b"HTTP/1.1 409 Conflict",
                Traffic { posts: 1, post_bytes: 10, refused_bytes: 10, ..Traffic::default() },
            ),
            (
                Fault::LosePostReply,
                b"HTTP/1.1 201 Created",
                Traffic { posts: 1, post_bytes: 10, lost: vec![lost(Fault::LosePostReply, 10)], ..Traffic::default() },
            ),
            (
                Fault::CutPost { after: 6 },
                b"",
                Traffic {
                    posts: 1,
                    post_bytes: 6,
                    lost: vec![lost(Fault::CutPost { after: 6 }, 6)],
                    ..Traffic::default()
                },
            ),
        ];
        for (fault, reply, expected) in rows {
            let shared = shared();
            let mut course = Course::new(fault);
            course.upstream(b"POST / abc", &shared);
            if !reply.is_empty() {
                course.downstream(reply);
            }
            course.end_post(&shared);
            assert_eq!(*lock(&shared.traffic), expected, "{fault:?}");
        }
    }

    #[test]
    fn parts_are_counted_wherever_a_piece_ends() {
        let body = "POST /\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"xml\"\r\n\r\n<a/>\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"a.jpg\"\r\n\r\n";
        for size in 1..=body.len() {
            let mut post = Post::default();
            body.as_bytes().chunks(size).for_each(|piece| post.pass(piece));
            assert_eq!((post.parts, post.bytes), (2, body.len()), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn a_portal_answers_in_the_place_of_the_server_and_a_stall_says_nothing() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap()).await.unwrap();
        proxy.plan([Fault::Portal { status: 511 }, Fault::Refuse]);
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"POST /submission HTTP/1.1\r\n\r\nbody").await.unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 511") && reply.contains("Sign in to the wifi"), "{reply}");
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(!matches!(client.read(&mut [0]).await, Ok(1..)), "refused");
        proxy.weather(|| Fault::StallPost { after: 5 });
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"POST / abc").await.unwrap();
        let (mut at_server, _) = server.accept().await.unwrap();
        let mut heard = Vec::new();
        at_server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"POST ");
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "nothing came, and then the end");
        assert_eq!(proxy.take_traffic().portals, 1);
    }

    #[tokio::test]
    async fn a_proxy_passes_refuses_and_passes_again() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(echo.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = client.split();
                    tokio::io::copy(&mut reader, &mut writer).await
                });
            }
        });
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let mut byte = [0];
        client.write_all(b"a").await.unwrap();
        client.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");
        proxy.go_down();
        assert!(!matches!(client.read(&mut byte).await, Ok(1..)), "the connection is broken");
        while TcpStream::connect(proxy.address()).await.is_ok() {}
        proxy.go_up();
        let mut client = loop {
            match TcpStream::connect(proxy.address()).await {
                Ok(client) => break client,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        client.write_all(b"b").await.unwrap();
        client.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");
    }
}

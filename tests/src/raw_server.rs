//! A server of bytes: it keeps what it hears as it came, and answers, cuts or stalls as a test tells it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it was heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// `GET`, `HEAD` or `POST`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Head, from the second line on.
    pub head: String,
    /// Body; empty while the answer is being decided.
    pub body: Vec<u8>,
}

impl Heard {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What the server does with a request, decided from its head.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Reads the body and replies.
    Reply {
        /// The status.
        status: u16,
        /// Header lines.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The same, but breaks off after so many bytes of the reply's body.
    CutReply {
        /// Bytes sent.
        after: usize,
        /// The body announced.
        body: Vec<u8>,
    },
    /// Replies without reading the body, and closes.
    Early {
        /// The status.
        status: u16,
    },
    /// Reads so many bytes of the body and closes.
    CutRequest {
        /// Bytes read.
        after: usize,
    },
    /// Reads everything and says nothing.
    Stall,
    /// Thinks for a while before it does so.
    Late {
        /// How long.
        pause: Duration,
        /// What then.
        plan: Box<Plan>,
    },
    /// Replies 200 and sends the same piece again and again, without saying how often.
    Stream {
        /// Header lines.
        headers: Vec<(String, String)>,
        /// What is sent first.
        start: Vec<u8>,
        /// What is sent then, until the client has enough.
        piece: Vec<u8>,
        /// Before each piece.
        pause: Duration,
    },
}

impl Plan {
    /// A reply of the protocol.
    #[must_use]
    pub fn open_rosa(status: u16, body: &str) -> Self {
        Self::reply(status, body).with("Content-Type", "text/xml; charset=utf-8").with("X-OpenRosa-Version", "1.0")
    }

    /// A reply without headers of its own.
    #[must_use]
    pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.into() }
    }

    /// A reply without an end: `start`, then `piece` after every `pause`.
    #[must_use]
    pub fn stream(start: impl Into<Vec<u8>>, piece: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self::Stream { headers: Vec::new(), start: start.into(), piece: piece.into(), pause }
    }

    /// The same, after a while of thought.
    #[must_use]
    pub fn late(self, pause: Duration) -> Self {
        Self::Late { pause, plan: Box::new(self) }
    }

    /// What the sign-in page of a wifi network answers to everything.
    #[must_use]
    pub fn portal() -> Self {
        Self::reply(200, "<!DOCTYPE html><html><body>Sign in to the hotel</body></html>")
            .with("Content-Type", "text/html")
    }

    /// The same with a header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } | Self::Stream { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A server on this device; ends when dropped.
#[derive(Debug)]
pub struct RawServer {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    accepting: JoinHandle<()>,
}

impl RawServer {
    /// Starts a server that asks `decide` what to do with each request.
    pub async fn start(decide: impl FnMut(&Heard) -> Plan + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let decide = Arc::new(Mutex::new(decide));
        let log = heard.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, decide.clone(), log.clone()));
            }
        });
        Self { address, heard, accepting }
    }

    /// Every request heard whole, in order.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic").clone()
    }

    /// The requests of one method.
    #[must_use]
    pub fn heard_of(&self, method: &str) -> Vec<Heard> {
        self.heard().into_iter().filter(|heard| heard.method == method).collect()
    }

    /// The address of the server, as the base of a project.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/p", self.address)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    decide: Arc<Mutex<impl FnMut(&Heard) -> Plan + Send + 'static>>,
    log: Arc<Mutex<Vec<Heard>>>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let end = loop {
            match read.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => more(&mut stream, &mut read).await?,
            }
        };
        let rest = read.split_off(end + 4);
        let head = String::from_utf8(std::mem::replace(&mut read, rest)).ok()?;
        let (line, head) = head.split_once("\r\n")?;
        let mut words = line.split(' ');
        let mut heard = Heard {
            method: words.next()?.to_owned(),
            path: words.next()?.to_owned(),
            head: head.to_owned(),
            body: Vec::new(),
        };
        let mut plan = (decide.lock().expect("no panic"))(&heard);
        while let Plan::Late { pause, plan: then } = plan {
            tokio::time::sleep(pause).await;
            plan = *then;
        }
        let size: usize = heard.header("content-length").map_or(Some(0), |size| size.parse().ok())?;
        let wanted = match plan {
            Plan::Early { .. } => 0,
            Plan::CutRequest { after } => after.min(size),
            _ => size,
        };
        while read.len() < wanted {
            more(&mut stream, &mut read).await?;
        }
        let rest = read.split_off(wanted);
        heard.body = std::mem::replace(&mut read, rest);
        let is_head = heard.method == "HEAD";
        log.lock().expect("no panic").push(heard);
        match plan {
            Plan::Reply { status, headers, body } => {
                let headers = lines(&headers);
                let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.ok()?;
                if !is_head && status != 304 {
                    stream.write_all(&body).await.ok()?;
                }
            }
            Plan::CutReply { after, body } => {
                let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.ok()?;
                stream.write_all(body.get(..after)?).await.ok()?;
                return None;
            }
            Plan::Early { status } => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                // As nginx lingers: what still comes is read away, so that the reply is not lost with the connection.
                while more(&mut stream, &mut read).await.is_some() {
                    read.clear();
                }
                return None;
            }
            Plan::CutRequest { .. } => return None,
            Plan::Stream { headers, start, piece, pause } => {
                let head = format!("HTTP/1.1 200 X\r\n{}Connection: close\r\n\r\n", lines(&headers));
                stream.write_all(head.as_bytes()).await.ok()?;
                stream.write_all(&start).await.ok()?;
                loop {
                    tokio::time::sleep(pause).await;
                    stream.write_all(&piece).await.ok()?;
                }
            }
            Plan::Late { .. } => return None,
            Plan::Stall => {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn lines(headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut piece = vec![0; 16 << 10];
    let n_read = stream.read(&mut piece).await.ok().filter(|&n_read| n_read > 0)?;
    read.extend_from_slice(piece.get(..n_read)?);
    Some(())
}

//! A bad network: a proxy between a client and a server that can be switched off, cuts connections in the middle and loses
//! replies. The faults are real ones: the port is closed, the connections break.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// The server gets a POST whole and does what it does; the reply never comes.
    LosePostReply,
    /// It breaks when the client was given this many bytes.
    CutReply {
        /// Bytes passed on.
        after: usize,
    },
}

/// A proxy in front of one server, with faults to be switched on. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    is_up: watch::Sender<bool>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
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
        let faults = Arc::new(Mutex::new(VecDeque::new()));
        let accepting = tokio::spawn(accept(listener, server, watching, faults.clone()));
        Ok(Self { address, is_up, faults, accepting })
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
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    /// How many of the planned faults no connection has met yet.
    #[must_use]
    pub fn planned(&self) -> usize {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    mut is_up: watch::Receiver<bool>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
) {
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
                    let fault = faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Fault::None);
                    tokio::spawn(carry(client, server, fault, is_up.clone()));
                }
            }
        }
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
async fn carry(mut client: TcpStream, server: SocketAddr, fault: Fault, mut is_up: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    let mut course = Course::new(fault);
    loop {
        let passed = tokio::select! {
            _ = is_up.changed() => return,
            n_read = client.read(&mut from_client) => match n_read {
                Ok(n_read @ 1..) => {
                    let piece = from_client.get(..n_read).unwrap_or_default();
                    let passed = course.upstream(piece);
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
    }
}

/// How far a connection is, and how much of the next piece gets through.
struct Course {
    fault: Fault,
    /// Whether the next bytes of the client begin a request.
    begins: bool,
    is_post: bool,
    /// Bytes of the present POST, and bytes for the client, passed on so far.
    of_post: usize,
    of_replies: usize,
}

impl Course {
    fn new(fault: Fault) -> Self {
        Self { fault, begins: true, is_post: false, of_post: 0, of_replies: 0 }
    }

    fn upstream<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.begins) {
            self.is_post = piece.starts_with(b"POST ");
            self.of_post = 0;
        }
        let room = match self.fault {
            Fault::CutPost { after } if self.is_post => after.saturating_sub(self.of_post),
            _ => usize::MAX,
        };
        self.of_post += piece.len().min(room);
        piece.get(..room).unwrap_or(piece)
    }

    fn downstream<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        self.begins = true;
        let room = match self.fault {
            Fault::LosePostReply if self.is_post => 0,
            Fault::CutReply { after } => after.saturating_sub(self.of_replies),
            _ => usize::MAX,
        };
        self.of_replies += piece.len().min(room);
        piece.get(..room).unwrap_or(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_where_they_should() {
        let mut course = Course::new(Fault::CutPost { after: 9 });
        assert_eq!(course.upstream(b"HEAD /submission"), b"HEAD /submission");
        assert_eq!(course.downstream(b"204"), b"204");
        assert_eq!(course.upstream(b"POST /"), b"POST /");
        assert_eq!(course.upstream(b"submission"), b"sub");

        let mut course = Course::new(Fault::LosePostReply);
        course.upstream(b"HEAD /");
        assert_eq!(course.downstream(b"204"), b"204");
        assert_eq!(course.upstream(b"POST /"), b"POST /");
        assert_eq!(course.downstream(b"201"), b"");

        let mut course = Course::new(Fault::CutReply { after: 4 });
        assert_eq!(course.upstream(b"GET /"), b"GET /");
        assert_eq!(course.downstream(b"200"), b"200");
        assert_eq!(course.downstream(b" OK"), b" ");
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

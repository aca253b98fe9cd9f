//! The transport over `reqwest`: rustls with ring.

use super::policy::{SyncPolicy, Timeouts};
use super::progress::Meter;
use super::reply::{Receiver, Target};
use super::tls;
use super::transport::{BoxFuture, Content, Failure, Method, Opener, Part, Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result, io_error};
use bytes::Bytes;
use futures_core::Stream;
use reqwest::multipart;
use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How much of a reply that is no success is read: enough for its words.
const MAX_WORDS: u64 = 64 << 10;
/// Files are read in pieces of this size: small enough that one passes within the time of a stall on the slowest network.
const PIECE: usize = 16 << 10;

/// HTTP over `reqwest`.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    policy: SyncPolicy,
}

impl Http {
    /// A transport that is as patient as `policy` says.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the cryptography cannot be set up.
    pub fn new(policy: &SyncPolicy) -> Result<Self> {
        Self::trusting(policy, "")
    }

    /// One that trusts other authorities besides the public ones: `ca`, their certificates in PEM.
    ///
    /// # Errors
    /// [`ErrorKind::BadCertificate`], [`ErrorKind::Internal`].
    pub fn trusting(policy: &SyncPolicy, ca: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(ca)?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(policy.timeouts.connect)
            // ODK Central closes idle connections after six seconds; a record sent on one just closed is a lost try.
            .pool_idle_timeout(Duration::from_secs(4))
            .build()
            .map_err(internal)?;
        Ok(Self { client, policy: *policy })
    }

    async fn exchange(
        &self,
        request: Request,
        sink: Option<&mut (dyn Write + Send)>,
        meter: &Meter,
    ) -> Result<Response, Failure> {
        let Timeouts { first_byte, reply, stall, .. } = self.policy.timeouts;
        let (has_body, is_head, max_reply) =
            (!request.parts.is_empty(), request.method == Method::Head, request.max_reply);
        let life = Arc::new(Life::new(self.policy.timeouts));
        let patience = || match (has_body, life.body_is_out.load(Ordering::Relaxed)) {
            (false, _) => first_byte,
            (true, false) => stall,
            (true, true) => reply,
        };
        let sending = self.build(request, meter, &life)?.send();
        let response = patiently(&life, patience, sending).await?;
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let reply = Response { status: response.status().as_u16(), headers, body: Vec::new() };
        if is_head {
            return Ok(reply);
        }
        let (target, limit) = match sink {
            Some(sink) if reply.status == 200 => (Target::Sink(sink), max_reply),
            _ if response.status().is_success() => (Target::Memory(Vec::new()), max_reply),
            _ => (Target::Words(Vec::new()), MAX_WORDS.min(max_reply)),
        };
        let coding = reply.header("content-encoding").unwrap_or_default();
        let receiver = Receiver::new(&coding, target, limit, &self.policy.bounds)?;
        let meter = (!has_body).then_some(meter);
        let body = self.receive(response, receiver, meter, &life).await?;
        Ok(Response { body, ..reply })
    }

    async fn receive(
        &self,
        mut response: reqwest::Response,
        mut receiver: Receiver<'_>,
        meter: Option<&Meter>,
        life: &Life,
    ) -> Result<Vec<u8>, Failure> {
        let size = response.content_length();
        let stall = self.policy.timeouts.stall;
        life.reply_begins();
        while let Some(piece) = patiently(life, || stall, response.chunk()).await? {
            life.moves(piece.len());
            life.keeps_pace()?;
            if let Some(meter) = meter {
                meter(piece.len() as u64, size);
            }
            if receiver.take(&piece)? {
                break;
            }
        }
        receiver.finish()
    }

    fn build(&self, request: Request, meter: &Meter, life: &Arc<Life>) -> Result<reqwest::RequestBuilder, Failure> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = self.client.request(method, request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if request.parts.is_empty() {
            // Unpacked by [`Receiver`], not by `reqwest`, which would not say how much came over the wire.
            return Ok(if request.method == Method::Get { builder.header("Accept-Encoding", "gzip") } else { builder });
        }
        life.parts_left.store(request.parts.len() as u64, Ordering::Relaxed);
        let parts = request.parts.into_iter().map(|part| (escaped(&part.name), form_part(part, meter, life)));
        // Names as they are: encoded ones are matched with no question, and the attachment is dropped without a word.
        let form = parts.into_iter().try_fold(multipart::Form::new().percent_encode_noop(), |form, (name, part)| {
            Ok::<_, Failure>(form.part(name, part?))
        });
        Ok(builder.multipart(form?))
    }
}

/// Waits as long as there are signs of life: no longer than `patience` without one. (`reqwest` has a read timeout, but it runs
/// from the beginning of a request and would end every upload that takes longer.)
async fn patiently<T>(
    life: &Life,
    patience: impl Fn() -> Duration,
    work: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    loop {
        let before = life.moved.load(Ordering::Relaxed);
        match tokio::time::timeout(patience(), &mut work).await {
            Ok(result) => return result.map_err(|error| life.failure(&error)),
            Err(_) if life.moved.load(Ordering::Relaxed) == before => return Err(Failure::TooSlow),
            Err(_) => life.keeps_pace()?,
        }
    }
}

impl Transport for Http {
    fn send<'a>(
        &'a self,
        request: Request,
        sink: Option<&'a mut (dyn Write + Send)>,
        meter: &'a Meter,
    ) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(self.exchange(request, sink, meter))
    }
}

/// What is known of a request under way.
#[derive(Debug)]
struct Life {
    timeouts: Timeouts,
    /// Bytes of bodies that have moved, in either direction.
    moved: AtomicU64,
    parts_left: AtomicU64,
    /// The request's body is handed over and the reply has not begun: nothing can be seen to move.
    body_is_out: AtomicBool,
    /// When the present stretch of time began, and how many bytes had moved by then.
    stretch: Mutex<(Instant, u64)>,
    /// Why a part could not be read.
    part_error: Mutex<Option<Error>>,
}

impl Life {
    fn new(timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            moved: AtomicU64::new(0),
            parts_left: AtomicU64::new(0),
            body_is_out: AtomicBool::new(false),
            stretch: Mutex::new((Instant::now(), 0)),
            part_error: Mutex::new(None),
        }
    }

    fn moves(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn part_is_out(&self) {
        if self.parts_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.body_is_out.store(true, Ordering::Relaxed);
        }
    }

    fn reply_begins(&self) {
        self.body_is_out.store(false, Ordering::Relaxed);
        self.begin_stretch();
    }

    fn begin_stretch(&self) {
        let moved = self.moved.load(Ordering::Relaxed);
        *self.stretch.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), moved);
    }

    /// Bytes that drip steadily but too slowly are a stall too.
    fn keeps_pace(&self) -> Result<(), Failure> {
        let (began, before) = *self.stretch.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = began.elapsed();
        if passed < self.timeouts.floor_window || self.body_is_out.load(Ordering::Relaxed) {
            return Ok(());
        }
        let moved = self.moved.load(Ordering::Relaxed) - before;
        if u128::from(moved) * 1_000 < u128::from(self.timeouts.floor_rate) * passed.as_millis() {
            return Err(Failure::TooSlow);
        }
        self.begin_stretch();
        Ok(())
    }

    /// What an error of `reqwest` means; its words may hold the address, so they are left out.
    fn failure(&self, error: &reqwest::Error) -> Failure {
        if let Some(part) = self.part_error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Failure::Part(part)
        } else if let Some(untrusted) = tls::failure(error).filter(|_| error.is_connect()) {
            Failure::Untrusted(untrusted)
        } else if error.is_connect() {
            Failure::NoConnection
        } else if error.is_builder() {
            Failure::Refused(Error::new(ErrorKind::Internal, "request"))
        } else {
            Failure::Cut
        }
    }
}

/// A part's name for a quoted string. Line ends, which would begin a header of their own, cannot stand in one.
fn escaped(name: &str) -> String {
    name.replace(['\r', '\n'], " ").replace('\\', "\\\\").replace('"', "\\\"")
}

fn form_part(part: Part, meter: &Meter, life: &Arc<Life>) -> Result<multipart::Part, Failure> {
    let reading =
        PartStream { content: Some((part.content, part.size)), pieces: None, meter: meter.clone(), life: life.clone() };
    let mut form_part = multipart::Part::stream_with_length(reqwest::Body::wrap_stream(reading), part.size);
    if let Some(file_name) = part.file_name {
        form_part = form_part.file_name(file_name.replace(['\r', '\n'], " "));
    }
    match part.content_type {
        Some(kind) => form_part.mime_str(kind).map_err(|error| Failure::Refused(internal(error))),
        None => Ok(form_part),
    }
}

/// The bytes of a part, read by a thread that may block, begun when the first of them are wanted.
struct PartStream {
    content: Option<(Content, u64)>,
    pieces: Option<mpsc::Receiver<io::Result<Bytes>>>,
    meter: Meter,
    life: Arc<Life>,
}

impl Stream for PartStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((content, size)) = self.content.take() {
            match content {
                // What is in memory needs no thread to be read.
                Content::Bytes(bytes) => {
                    self.life.moves(bytes.len());
                    (self.meter)(size, None);
                    self.life.part_is_out();
                    return Poll::Ready(Some(Ok(Bytes::copy_from_slice(&bytes))));
                }
                Content::File(open) => {
                    let (sender, receiver) = mpsc::channel(2);
                    let life = self.life.clone();
                    tokio::task::spawn_blocking(move || read_pieces(&open, size, &sender, &life));
                    self.pieces = Some(receiver);
                }
            }
        }
        let Some(pieces) = self.pieces.as_mut() else { return Poll::Ready(None) };
        let piece = pieces.poll_recv(context);
        match &piece {
            Poll::Ready(Some(Ok(piece))) => {
                self.life.moves(piece.len());
                (self.meter)(piece.len() as u64, None);
            }
            Poll::Ready(None) => {
                self.pieces = None;
                self.life.part_is_out();
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        piece
    }
}

fn read_pieces(open: &Opener, size: u64, sender: &mpsc::Sender<io::Result<Bytes>>, life: &Life) {
    let sent = open().and_then(|mut reader| {
        let mut left = size;
        while left > 0 {
            let mut piece = Vec::with_capacity(PIECE);
            let n_read = (&mut reader).take(left.min(PIECE as u64)).read_to_end(&mut piece).map_err(io_error)?;
            if n_read == 0 {
                return Err(Error::new(ErrorKind::Io, "an attachment is shorter than it was"));
            }
            left -= n_read as u64;
            if sender.blocking_send(Ok(piece.into())).is_err() {
                break; // the request has ended
            }
        }
        Ok(())
    });
    if let Err(error) = sent {
        *life.part_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        // Whether anyone still listens does not matter: the error is kept in `life`.
        let _ = sender.blocking_send(Err(io::Error::other("part")));
    }
}

fn text(value: &reqwest::header::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "network").caused_by(error)
}

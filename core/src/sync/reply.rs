//! The body of a reply: unpacked here, piece by piece, so that every plain byte is counted before it goes on and a small reply
//! that unpacks to a huge one is cut in time.

use super::policy::Bounds;
use super::transport::Failure;
use crate::error::{Error, ErrorKind, io_error};
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};

/// Where the plain bytes of a reply go.
pub(super) enum Target<'a> {
    /// Into memory.
    Memory(Vec<u8>),
    /// Into memory, and no more of them than the limit: enough for the words of a refusal.
    Words(Vec<u8>),
    /// To whoever asked.
    Sink(&'a mut (dyn Write + Send)),
}

/// Takes the bytes of one reply as they come over the wire and passes the plain ones on, within bounds.
pub(super) struct Receiver<'a> {
    coding: Coding<'a>,
}

enum Coding<'a> {
    Plain(Counted<'a>),
    Gzip(Box<MultiGzDecoder<Counted<'a>>>),
}

impl<'a> Receiver<'a> {
    /// A receiver for a body in the `Content-Encoding` `coding`, of at most `limit` plain bytes.
    ///
    /// # Errors
    /// A [`Failure`] for a coding that was not asked for.
    pub(super) fn new(coding: &str, target: Target<'a>, limit: u64, bounds: &Bounds) -> Result<Self, Failure> {
        let counted = Counted {
            target,
            limit,
            ratio: bounds.ratio,
            ratio_from: bounds.ratio_from,
            on_wire: 0,
            plain: 0,
            failure: None,
        };
        let coding = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Coding::Plain(counted),
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(counted))),
            _ => return Err(unreadable()),
        };
        Ok(Self { coding })
    }

    /// Takes a piece; true if no more is wanted.
    ///
    /// # Errors
    /// [`Failure::TooLong`] where the bytes exceed their bounds, [`Failure::Sink`] where they cannot be written.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<bool, Failure> {
        let counted = self.counted();
        counted.on_wire += piece.len() as u64;
        let taken = match &mut self.coding {
            Coding::Plain(counted) => counted.write_all(piece),
            Coding::Gzip(gzip) => gzip.write_all(piece),
        };
        self.outcome(taken)?;
        Ok(self.counted().has_enough())
    }

    /// What came into memory, once the body is over.
    ///
    /// # Errors
    /// As [`Receiver::take`]; [`Failure::Cut`] for a compressed body that ends too early.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Failure> {
        let has_enough = self.counted().has_enough();
        let ended = match &mut self.coding {
            Coding::Gzip(gzip) if !has_enough && gzip.get_ref().on_wire > 0 => gzip.try_finish(),
            Coding::Plain(_) | Coding::Gzip(_) => Ok(()),
        };
        match ended {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Failure::Cut),
            ended => self.outcome(ended)?,
        }
        let flushed = match &mut self.counted().target {
            Target::Sink(sink) => sink.flush(),
            Target::Memory(_) | Target::Words(_) => Ok(()),
        };
        flushed.map_err(|error| Failure::Sink(io_error(error)))?;
        match std::mem::replace(&mut self.counted().target, Target::Memory(Vec::new())) {
            Target::Memory(body) | Target::Words(body) => Ok(body),
            Target::Sink(_) => Ok(Vec::new()),
        }
    }

    fn counted(&mut self) -> &mut Counted<'a> {
        match &mut self.coding {
            Coding::Plain(counted) => counted,
            Coding::Gzip(gzip) => gzip.get_mut(),
        }
    }

    /// What a write means: the counter knows better than the decoder why it failed.
    fn outcome(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        let counted = self.counted();
        match (counted.failure.take(), written) {
            (Some(failure), _) => Err(failure),
            (None, Err(_)) if !counted.has_enough() => Err(unreadable()),
            (None, _) => Ok(()),
        }
    }
}

/// Counts plain bytes on their way to the target.
struct Counted<'a> {
    target: Target<'a>,
    limit: u64,
    ratio: u64,
    ratio_from: u64,
    on_wire: u64,
    plain: u64,
    failure: Option<Failure>,
}

impl Counted<'_> {
    fn has_enough(&self) -> bool {
        matches!(self.target, Target::Words(_)) && self.plain >= self.limit
    }

    fn is_beyond_bounds(&self) -> bool {
        self.plain > self.limit
            || (self.plain > self.ratio_from && self.plain > self.on_wire.saturating_mul(self.ratio))
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.limit.saturating_sub(self.plain)).unwrap_or(usize::MAX);
        self.plain += bytes.len() as u64;
        if let Target::Words(words) = &mut self.target {
            words.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            return Ok(bytes.len());
        }
        if self.is_beyond_bounds() {
            self.failure = Some(Failure::TooLong);
            return Err(io::Error::other("bounds"));
        }
        match &mut self.target {
            Target::Memory(body) | Target::Words(body) => body.extend_from_slice(bytes),
            Target::Sink(sink) => {
                if let Err(error) = sink.write_all(bytes) {
                    self.failure = Some(Failure::Sink(io_error(error)));
                    return Err(io::Error::other("sink"));
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unreadable() -> Failure {
    Failure::Refused(Error::new(ErrorKind::NotAServer, "a compressed reply that cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    const BOUNDS: Bounds =
        Bounds { document: 0, form: 0, data: 0, media: 0, refresh: 0, ratio: 100, ratio_from: 10_000 };

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(plain).unwrap();
        packed.finish().unwrap()
    }

    fn receive(coding: &str, body: &[u8], limit: u64, target: Target<'_>) -> Result<Vec<u8>, Failure> {
        let mut receiver = Receiver::new(coding, target, limit, &BOUNDS)?;
        for piece in body.chunks(100) {
            if receiver.take(piece)? {
                break;
            }
        }
        receiver.finish()
    }

    fn in_memory(coding: &str, body: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
        receive(coding, body, limit, Target::Memory(Vec::new()))
    }

    #[test]
    fn plain_and_packed_bodies_come_out_the_same() {
        let plain: Vec<u8> = (0..30_000_u32).map(|n| (n * n % 251) as u8).collect();
        assert_eq!(in_memory("", &plain, 30_000).unwrap(), plain);
        assert_eq!(in_memory("GZIP", &gzip(&plain), 30_000).unwrap(), plain);
        let (one, other) = plain.split_at(10_000);
        let members = [gzip(one), gzip(other)].concat();
        assert_eq!(in_memory("x-gzip", &members, 30_000).unwrap(), plain);
        assert!(in_memory("gzip", &[], 1).unwrap().is_empty());
    }

    #[test]
    fn what_exceeds_its_bounds_is_cut_before_it_is_passed_on() {
        assert!(matches!(in_memory("", &[0; 101], 100), Err(Failure::TooLong)));
        assert_eq!(in_memory("", &[0; 100], 100).unwrap().len(), 100);
        let zeros = gzip(&vec![0; 1_000_000]);
        assert!(zeros.len() < 2_000);
        assert!(matches!(in_memory("gzip", &zeros, u64::MAX), Err(Failure::TooLong)), "by its ratio");
        let few_zeros = gzip(&[0; 9_000]);
        assert_eq!(in_memory("gzip", &few_zeros, u64::MAX).unwrap().len(), 9_000, "a short one is no attack");
        let mut sink = Vec::new();
        assert!(matches!(receive("gzip", &zeros, 50_000, Target::Sink(&mut sink)), Err(Failure::TooLong)));
        assert!(sink.len() <= 50_000);
    }

    #[test]
    fn of_a_refusal_the_first_words_are_enough() {
        for (coding, body) in [("", vec![b'x'; 1_000_000]), ("gzip", gzip(&vec![b'x'; 1_000_000]))] {
            assert_eq!(receive(coding, &body, 1_000, Target::Words(Vec::new())).unwrap(), [b'x'; 1_000]);
        }
    }

    #[test]
    fn a_packed_body_that_is_none_or_ends_early_is_told_apart() {
        let whole = gzip(&[7; 5_000]);
        assert!(matches!(in_memory("gzip", whole.get(..whole.len() / 2).unwrap(), 10_000), Err(Failure::Cut)));
        assert!(matches!(in_memory("gzip", b"<html>not packed</html>", 10_000), Err(Failure::Refused(_))));
        assert!(matches!(in_memory("br", b"x", 10_000), Err(Failure::Refused(_))));
    }
}

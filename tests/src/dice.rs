//! Chance that can be had again: everything the harnesses draw follows from one seed.

use veldwerk::clock::{Random, Step};

/// A generator with the questions that harnesses ask.
#[derive(Clone, Debug)]
pub struct Dice(Random);

impl Dice {
    /// The dice of one seed; `number` makes many of it.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        Self(Step { at: 0, seed, number }.random())
    }

    /// Sixty-four random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..end`; 0 if that is empty.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.0.unit() * end as f64) as u64
    }

    /// A number in `0..end`, small ones far more often: every order of magnitude is as likely as any other.
    pub fn small_below(&mut self, end: u64) -> u64 {
        (((end as f64 + 1.0).ln() * self.0.unit()).exp() - 1.0) as u64
    }

    /// Whether something happens that happens with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.unit() < probability
    }

    /// A share between nothing and everything; the two ends are as likely as all between.
    pub fn unit_or_end(&mut self) -> f64 {
        match self.below(3) {
            0 => 0.0,
            1 => 1.0,
            _ => self.0.unit(),
        }
    }

    /// One of several; none of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len() as u64) as usize)
    }
}

/// Bytes that follow from a seed: what a photo is made of, so that it need not be kept to be compared with.
#[must_use]
pub fn bytes(seed: u64, size: u64) -> Vec<u8> {
    // xorshift64*: megabytes at once, and nothing that compresses.
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

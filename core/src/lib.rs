//! Veldwerk: an offline-first survey client core.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

pub mod clock;
pub mod dataset;
pub mod error;
pub mod ids;
pub mod openrosa;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "sync")]
pub mod sync;
pub mod text;
pub mod xml;
pub mod xpath;

pub use error::{Error, ErrorKind, Result};

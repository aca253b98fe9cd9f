//! Veldwerk: an offline-first survey client core.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

pub mod check;
#[cfg(feature = "store")]
pub mod client;
pub mod clock;
pub mod dataset;
pub mod engine;
pub mod error;
pub mod form;
pub mod ids;
pub mod instance;
pub mod openrosa;
pub mod session;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "sync")]
pub mod sync;
pub mod text;
pub mod xml;
pub mod xpath;

pub use error::{Error, ErrorKind, Result};

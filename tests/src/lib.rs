//! Support for the integration tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

pub mod cases;
pub mod central;
pub mod dice;
pub mod generate;
pub mod journey;
pub mod matrix;
pub mod memory_store;
pub mod notation;
pub mod pages;
pub mod person;
pub mod phone;
pub mod raw_server;
pub mod scenario;
pub mod seen;
pub mod site;
pub mod tls_front;

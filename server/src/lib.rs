//! An OpenRosa server small enough to live inside the program: for demos, for tests, and for trying a form out.
//!
//! It answers as ODK Central does (addresses, headers, status codes, the words that tell one refusal from another), so
//! that a client which works here works there. It listens on this computer only, keeps everything in one SQLite file,
//! and shows what arrived on a page in the browser. Real studies use ODK Central or KoboToolbox: same protocol, but with
//! accounts, https, backups and room for many machines.
//!
//! ```no_run
//! use veldwerk_server::{ServerConfig, serve};
//!
//! let server = serve(ServerConfig::new("try-out-data"))?;
//! if let Some(code) = server.settings_code()? {
//!     println!("Scan this with a phone: {code}"); // only at the first start: the token is kept as a hash
//! }
//! println!("Look at what arrives: {}", server.page_url());
//! # Ok::<(), veldwerk::Error>(())
//! ```
//!
//! Where it differs from Central on purpose: a record that is not well-formed XML is refused with 400 (Central takes
//! it), and nothing is compressed.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice))]

mod database;
pub mod faults;
mod form;
mod page;
mod protocol;
mod reading;
mod record;
mod server;
mod site;
mod token;
mod xml;

pub use form::{FormSource, Forms};
pub use server::{ReceivedRecord, Server, ServerConfig, serve};
pub use token::Token;

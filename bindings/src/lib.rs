//! Veldwerk for Kotlin, Swift and Python.
//!
//! Everything starts with a [`Client`] on the app's private folder and a [`SecretStore`] over the phone's keychain:
//!
//! 1. [`Client::open`], then [`Client::add_project`] with what the person scanned or typed, and [`Client::refresh`].
//! 2. [`Client::forms`], [`Client::start_draft`] or [`Client::open_draft`] give a [`DraftSession`]. Draw
//!    [`DraftSession::screen`], call [`DraftSession::answer`] for everything the person does, draw what it gives back.
//! 3. [`DraftSession::finalize`], then [`Client::send`] when there is a connection.
//!
//! An app that draws the screens of `veldwerk-ui` instead of its own needs an [`AppHandle`] and nothing else of these.
//!
//! Every call says its class: *instant* computes only; *disk* takes milliseconds and belongs on a background thread;
//! *heavy* may take tenths of a second; *network* is `async`. No survey logic lives here: the core decides, this crate
//! converts.

// UniFFI's generated code documents itself in the foreign language.
#![allow(missing_docs, reason = "the generated scaffolding has items without documentation")]

mod app;
mod attachments;
mod client;
mod drafts;
mod error;
#[cfg(test)]
mod fixture;
mod outbox;
mod projects;
mod records;
mod runtime;
mod session;
mod sync;
mod transfer;
mod views;
mod words;

pub use app::{AppHandle, AppUpdate};
pub use attachments::AttachmentWriter;
pub use client::{Client, ClientConfig, FixedInputs, SecretStore};
pub use error::SurveyError;
pub use outbox::Records;
pub use projects::*;
pub use records::*;
pub use runtime::end_threads;
pub use session::DraftSession;
pub use sync::*;
pub use transfer::*;
pub use views::*;
pub use words::*;

uniffi::setup_scaffolding!("veldwerk");

//! The app without a screen: which screen is shown, what stands on it in which language, what each button does.
//!
//! Several shells draw this product (a terminal, Compose, SwiftUI, a browser). Everything that is neither drawing nor hardware
//! stands here, once, so that a shell that holds no knowledge can hardly be wrong. Whoever draws an app of their own uses
//! [`Client`](veldwerk::client::Client) and never needs this crate.
//!
//! The loop: a shell draws [`App::view`], hands touches to [`App::act`] and what happens to [`App::tell`], and does what
//! [`App::take`] gives it. There is no thread, no network and no clock in it: moments come in with events, and what takes
//! time goes out as a [`Job`].
//!
//! ```
//! use veldwerk::client::{Client, ClientConfig, Network};
//! use veldwerk::store::Key;
//! use veldwerk_ui::{App, Device, Event, Screen};
//!
//! # struct Safe;
//! # impl veldwerk::client::SecretStore for Safe {
//! #     fn load(&self) -> Result<Option<Key>, veldwerk::client::SecretError> { Ok(Some(Key::from_bytes([7; 32]))) }
//! #     fn save(&self, _: &Key) -> Result<(), veldwerk::client::SecretError> { Ok(()) }
//! #     fn forget(&self) -> Result<(), veldwerk::client::SecretError> { Ok(()) }
//! # }
//! let folder = tempfile::tempdir()?;
//! let home = folder.path().join("home");
//! let zone = jiff::tz::TimeZone::UTC;
//! let open = move || Client::open(ClientConfig::new(&home, Key::from_bytes([7; 32]), jiff::tz::TimeZone::UTC));
//! let device = Device { locales: vec!["ar-SY".into()], zone, has_camera: false, network: Network::None };
//! // Whoever keeps the key in a safe forgets it there.
//! let erase = |client: Client| client.erase(&Safe);
//! let mut app = App::open(Box::new((open, erase)), device);
//! app.tell(1_764_288_000_000, Event::Foreground);
//!
//! // Nobody has chosen a language yet: each stands there in its own words.
//! let view = app.view();
//! let Screen::Language(languages) = view.screen else { panic!() };
//! let arabic = languages.rows.iter().find(|row| row.button.id == "language.ar").unwrap();
//! app.act(view.rev, arabic.button.action.clone());
//!
//! let view = app.view();
//! assert!(view.right_to_left && matches!(view.screen, Screen::Join(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What UniFFI generates documents itself in the foreign language.
#![cfg_attr(
    feature = "uniffi",
    allow(missing_docs, reason = "the generated scaffolding has items without documentation")
)]

mod action;
mod answer;
mod app;
mod asked;
mod consent;
mod control;
mod event;
#[cfg(feature = "uniffi")]
mod ffi;
mod filling;
mod parts;
mod route;
mod screens;
mod states;
mod text;
mod touch;
mod view;
mod work;

pub use action::Action;
pub use app::{App, Host};
pub use event::{Device, Event, Outcome};
pub use text::{Script, Side, UiBlock, UiSpan, UiText};
pub use view::*;
pub use work::{Ask, Done, Effect, Job, Outbound, Report};

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!("veldwerk_ui");

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FormSession, ScreenKey};
use crate::engine::{Engine, EngineState, Settings};
use crate::form::FormDef;
use crate::{Error, ErrorKind, Result};

/// The state of a session as a snapshot keeps it (session.md, Journal): restoring it evaluates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The screen a move last went to, as [`FormSession::screen_path`] writes it.
    screen: String,
    record: EngineState,
}

impl State {
    /// How states are written now; another number means another way.
    pub const FORMAT: u32 = 2;

    /// The state as bytes of [`State::FORMAT`].
    ///
    /// # Errors
    /// [`ErrorKind::Internal`], which a state of ours never gives.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::new(ErrorKind::Internal, "a state").caused_by(error))
    }

    /// Reads bytes of [`State::FORMAT`].
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        // What serde says may repeat an answer.
        serde_json::from_slice(bytes).map_err(|_| Error::new(ErrorKind::UnreadableRecord, "not a state"))
    }
}

impl FormSession {
    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> State {
        State { screen: self.screen_path(&self.current), record: self.engine.state() }
    }

    /// A session exactly as its state says; `seed` is the draft's.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableRecord`] if the form has no place for a part of it.
    pub fn from_state(
        form: Arc<FormDef>,
        settings: Settings,
        state: &State,
        seed: u64,
        last_saved: Option<&str>,
    ) -> Result<Self> {
        let engine = Engine::from_state(form, settings, &state.record, seed, last_saved)?;
        let mut session = Self { engine, current: ScreenKey::End };
        session.current = session.screen_at(&state.screen).unwrap_or_else(|| session.first());
        Ok(session)
    }
}

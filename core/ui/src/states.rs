//! The five states of answers, in words (screens.md §9).

use veldwerk::client::RecordState;

use crate::text::Speech;
use crate::view::{Stage, StageMark};

/// Where the answers of a draft are.
pub(crate) fn of_draft(speech: Speech) -> StageMark {
    mark(Stage::Saved, speech)
}

/// Where the answers of a record are, and why they are not further.
pub(crate) fn of_record(state: &RecordState, speech: Speech) -> StageMark {
    match state {
        RecordState::Ready => mark(Stage::Waiting, speech),
        RecordState::Sending => mark(Stage::Sending, speech),
        RecordState::Sent { .. } => mark(Stage::Received, speech),
        RecordState::Waiting { reason, .. } if reason.code == "offline" => mark(Stage::Waiting, speech),
        // It does not wait for internet, so that is not said.
        RecordState::Waiting { reason, .. } => {
            let why = speech.own(&speech.words().reason(&reason.code));
            StageMark { stage: Stage::Waiting, text: why, explain: speech.say("state.saved") }
        }
        RecordState::NeedsAttention(reason) => {
            StageMark { explain: speech.own(&speech.words().reason(&reason.code)), ..mark(Stage::Attention, speech) }
        }
    }
}

/// A stage with its usual sentence.
pub(crate) fn mark(stage: Stage, speech: Speech) -> StageMark {
    let name = match stage {
        Stage::Saved => "saved",
        Stage::Waiting => "waiting",
        Stage::Sending => "sending",
        Stage::Received => "received",
        Stage::Attention => "attention",
    };
    let explain = speech.say(&format!("state.{name}_explain"));
    StageMark { stage, text: speech.say(&format!("state.{name}")), explain }
}

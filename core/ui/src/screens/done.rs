use veldwerk::client::RecordState;

use crate::action::Action;
use crate::screens::settings::erase_button;
use crate::states;
use crate::text::Speech;
use crate::view::{Button, Dock, DoneScreen, Screen, Stage};

/// Thanks, and where the answers are; the record may be gone already, once it was received.
pub(crate) fn view(state: Option<&RecordState>, may_erase: bool, speech: Speech) -> (Screen, Dock) {
    let now = state.map_or_else(|| states::mark(Stage::Received, speech), |state| states::of_record(state, speech));
    let behind = [Stage::Saved, Stage::Waiting, Stage::Sending].into_iter().filter(|stage| *stage < now.stage);
    let behind = behind.filter(|_| now.stage != Stage::Attention);
    let nothing_to_do = (now.stage != Stage::Attention).then(|| speech.say("done.nothing_to_do"));
    let mut stages: Vec<_> = behind.map(|stage| states::mark(stage, speech)).collect();
    stages.push(now);
    let home = Button::new("dock.home", speech.say("done.home"), Action::Home).filled();
    let more = if may_erase { vec![erase_button("done.erase", speech)] } else { Vec::new() };
    let screen = DoneScreen { title: speech.say("done.title"), stages, nothing_to_do, more };
    (Screen::Done(screen), Dock { back: None, main: Some(home) })
}

use crate::action::Action;
use crate::filling::Filling;
use crate::screens::language::{AUTONYMS, choice};
use crate::text::{Speech, UiText};
use crate::view::{Button, Sheet};
use veldwerk::text::Tag;

/// The languages of the questionnaire, or of the app where there is none.
pub(crate) fn languages(filling: Option<&Filling>, shown: &str, speech: Speech) -> Sheet {
    let rows = match filling.map(|filling| filling.session.session()) {
        Some(session) => session
            .languages()
            .iter()
            .enumerate()
            .map(|(index, language)| {
                let tag = language.tag.as_ref().map(|tag| tag.as_str().to_owned()).unwrap_or_default();
                let name = UiText { language: tag, ..UiText::value(&autonym(language)) };
                choice(&language.name, name).chosen_if(index == session.language())
            })
            .collect(),
        None => AUTONYMS
            .iter()
            .map(|(tag, name)| choice(tag, Speech::of(Tag::parse(tag).as_ref()).own(name)).chosen_if(*tag == shown))
            .collect(),
    };
    Sheet::Language {
        title: speech.say("language.title"),
        explain: speech.say("language.keeps_answers"),
        rows,
        close: Button::new("sheet.close", speech.say("action.close"), Action::CloseSheet).in_passing(),
    }
}

/// The name of a form's language without its tag: `العربية (ar)` is `العربية`.
pub(crate) fn autonym(language: &veldwerk::text::Language) -> String {
    let bare = language.name.rsplit_once('(').map_or(language.name.as_str(), |(name, _)| name).trim();
    if bare.is_empty() || language.tag.is_none() { language.name.clone() } else { bare.to_owned() }
}

pub(crate) fn stop(speech: Speech) -> Sheet {
    Sheet::Stop {
        explain: speech.say("fill.stop_explain"),
        stop: Button::new("sheet.stop", speech.say("action.stop_now"), Action::StopNow).filled(),
        go_on: Button::new("sheet.continue", speech.say("action.continue"), Action::CloseSheet),
    }
}

/// Whether the round at `path` is really to go.
pub(crate) fn delete(name: &str, round: &str, number: usize, speech: Speech) -> Sheet {
    Sheet::Delete {
        title: speech.say("repeat.delete_ask"),
        which: speech.own(&format!("{} {number}", speech.words().isolated(name))),
        delete: Button::new("sheet.delete", speech.say("action.delete"), Action::DeleteRound(round.to_owned())),
        cancel: Button::new("sheet.cancel", speech.say("action.cancel"), Action::CloseSheet),
    }
}

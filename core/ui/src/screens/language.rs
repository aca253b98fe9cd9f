use veldwerk::text::Tag;
use veldwerk::text::words::LANGUAGES;

use crate::action::Action;
use crate::text::{Speech, UiText};
use crate::view::{Button, Dock, LanguageRow, LanguageScreen, Screen};

/// The languages of the app in their own words and scripts, in the order of the words' own names for nobody: Dutch, English,
/// Turkish, Arabic, Tigrinya.
pub(crate) const AUTONYMS: [(&str, &str); LANGUAGES.len()] =
    [("nl", "Nederlands"), ("en", "English"), ("tr", "Türkçe"), ("ar", "العربية"), ("ti", "ትግርኛ")];

pub(crate) fn view(proposed: Speech) -> (Screen, Dock) {
    let rows = AUTONYMS.map(|(tag, name)| {
        let own = Speech::of(Tag::parse(tag).as_ref());
        LanguageRow { button: choice(tag, own.own(name)), welcome: own.say("language.welcome") }
    });
    let screen = LanguageScreen { spoken: proposed.say("language.title"), rows: rows.into() };
    (Screen::Language(screen), Dock::default())
}

/// A language to choose, by its tag or name.
pub(crate) fn choice(name: &str, text: UiText) -> Button {
    Button::new(format!("language.{name}"), text, Action::Language(name.to_owned()))
}

//! The words of the screens themselves, in the language the form is shown in.

use veldwerk::text::words;
use veldwerk::text::{Direction, Language};

/// The words of one language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    words: words::Words,
    pub(super) direction: Direction,
}

impl Words {
    /// The words of `language`; English where there are none.
    pub(super) fn of(language: Option<&Language>) -> Self {
        let words = words::Words::of(language.and_then(|language| language.tag.as_ref()));
        Self { words, direction: words.direction() }
    }

    /// The text of `key`; empty for a key that the table does not have.
    pub(super) fn get(self, key: &str) -> &'static str {
        self.words.get(key).unwrap_or_default()
    }

    /// The same with `value` in its one gap, kept apart from the words around it.
    pub(super) fn with(self, key: &str, value: &str) -> String {
        self.words.with(key, &[("n", value), ("name", value)]).unwrap_or_default()
    }

    /// `text` so that its direction does not disturb the words around it: between isolates, if it could.
    pub(super) fn isolated(self, text: &str) -> String {
        self.words.isolated(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_the_form_chooses_the_words() {
        let next = |lang: &str| Words::of(Some(&Language::new(lang))).get("action.next");
        assert_eq!([next("Nederlands (nl)"), next("العربية (ar)"), next("Deutsch (de)")], ["Verder", "التالي", "Next"]);
        assert_eq!(Words::of(Some(&Language::new("ar"))).with("fill.found", "3"), "النتائج: \u{2068}3\u{2069}");
    }
}

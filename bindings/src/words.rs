//! The program's own words for people, in five languages (`core/src/text/words.csv`).

use veldwerk::text::Tag;
use veldwerk::text::words::{LANGUAGES, Words};

fn words(language: &str) -> Words {
    Words::of(Tag::parse(language).as_ref())
}

/// The languages that there are words in, as BCP 47 tags. Class instant.
#[uniffi::export]
pub fn word_languages() -> Vec<String> {
    LANGUAGES.map(str::to_owned).to_vec()
}

/// The text of a key such as `action.next`, its gaps (`{n}`) open; English in a language without words, null for an
/// unknown key. Class instant.
#[uniffi::export]
pub fn word(key: String, language: String) -> Option<String> {
    words(&language).get(&key).map(str::to_owned)
}

/// What an error says to people, by its code. Class instant.
#[uniffi::export]
pub fn error_text(code: String, language: String) -> String {
    words(&language).error(&code)
}

/// Why a record is not sent, by the code of the reason. Class instant.
#[uniffi::export]
pub fn reason_text(code: String, language: String) -> String {
    words(&language).reason(&code)
}

/// Why a file of a record cannot be sent, by the code of the problem. Class instant.
#[uniffi::export]
pub fn file_problem_text(code: String, language: String) -> String {
    words(&language).problem(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_words_of_the_language() {
        assert_eq!(word("action.next".into(), "nl-NL".into()).as_deref(), Some("Verder"));
        assert_eq!(word("action.fly".into(), "nl".into()), None);
        assert_eq!(error_text("storage-full".into(), "tr".into()), "Telefon dolu. Önce yer açın.");
        assert!(error_text("internal".into(), "ti".into()).contains("internal"));
        assert_ne!(reason_text("form-closed".into(), "ar".into()), reason_text("form-closed".into(), "xx".into()));
        assert_ne!(
            file_problem_text("missing".into(), "nl".into()),
            file_problem_text("too-large".into(), "nl".into())
        );
        assert_eq!(word_languages(), ["en", "nl", "tr", "ar", "ti"]);
    }
}

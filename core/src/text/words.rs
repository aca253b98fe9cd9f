//! The program's own words for people, in five languages: errors, reasons, and every text of the apps.
//!
//! They stand in one table, `words.csv`, so that no shell has words of its own. The column `draft` names the languages in
//! which a text still waits for a speaker's eye. What form authors are told (diagnostics) is English and stands elsewhere.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::language::{Direction, Tag};
use crate::ErrorKind;

const TABLE: &str = include_str!("words.csv");

/// The languages of the table, as tags, in the order of its columns.
pub const LANGUAGES: [&str; 5] = ["en", "nl", "tr", "ar", "ti"];

type Row = [String; LANGUAGES.len()];

/// The text of `key` in `language`, a BCP 47 tag; English where the table does not have the language, none for a key that
/// it does not have.
#[must_use]
pub fn word(key: &str, language: &str) -> Option<&'static str> {
    Words::of(Tag::parse(language).as_ref()).get(key)
}

/// The key of the words for an error, by the code of its kind: `error.` and the code, with underscores. All that is wrong
/// with a form is one text; its author reads the diagnostic.
#[must_use]
pub fn error_key(code: &str) -> String {
    let own = key("error", code);
    if table().contains_key(own.as_str()) {
        return own;
    }
    let kind = ErrorKind::ALL.iter().find(|kind| kind.code() == code);
    if kind.is_some_and(|&kind| is_of_the_form(kind)) { "error.invalid_form" } else { "error.internal" }.to_owned()
}

/// The key of the words for a reason why a record is not sent (`sync::Reason`): `reason.` and its code, with underscores, else
/// that of the error of the same code.
#[must_use]
pub fn reason_key(code: &str) -> String {
    let known = [key("reason", code), key("error", code)].into_iter().find(|key| table().contains_key(key.as_str()));
    known.unwrap_or_else(|| "reason.rejected".to_owned())
}

/// The key of the words for why a file cannot be sent (`sync::FileProblem`): `problem.` and its code, with
/// underscores.
#[must_use]
pub fn problem_key(code: &str) -> String {
    let own = key("problem", code);
    if table().contains_key(own.as_str()) { own } else { "problem.damaged".to_owned() }
}

fn key(group: &str, code: &str) -> String {
    format!("{group}.{}", code.replace('-', "_"))
}

/// Whether only the author of a form can mend it.
const fn is_of_the_form(kind: ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::NotXml
            | K::NotXforms
            | K::XpathSyntax
            | K::UnknownFunction
            | K::WrongArguments
            | K::Cycle
            | K::UnknownInstance
            | K::Unsupported
            | K::MissingMedia
            | K::UnsafeFileName
            | K::BrokenEntry
            | K::EncryptionNeeded
    )
}

/// The words in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    column: usize,
    direction: Direction,
}

impl Words {
    /// The words in the language of `tag`; English where the table does not have it.
    #[must_use]
    pub fn of(tag: Option<&Tag>) -> Self {
        let column = |tag: &Tag| LANGUAGES.iter().position(|language| *language == tag.base());
        match tag.and_then(|tag| Some((column(tag)?, tag.direction()))) {
            Some((column, direction)) => Self { column, direction },
            None => Self { column: 0, direction: Direction::LeftToRight },
        }
    }

    /// The tag of the language.
    #[must_use]
    pub fn language(self) -> &'static str {
        LANGUAGES.get(self.column).copied().unwrap_or_default()
    }

    /// How the words are read.
    #[must_use]
    pub const fn direction(self) -> Direction {
        self.direction
    }

    /// The text of `key`, its gaps open; none for a key that the table does not have.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'static str> {
        table().get(key)?.get(self.column).map(String::as_str)
    }

    /// The text of `key` with its gaps (`{n}`) filled, each value kept apart from the words around it. A gap without a
    /// value stays.
    #[must_use]
    pub fn with(self, key: &str, values: &[(&str, &str)]) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.get(key)?;
        // From left to right and once: a value may itself look like a gap.
        while let Some((before, gap, after)) = next_gap(rest) {
            text.push_str(before);
            match values.iter().find(|(name, _)| *name == gap) {
                Some((_, value)) => text.push_str(&self.isolated(value)),
                None => text.extend(["{", gap, "}"]),
            }
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// `text` so that its direction does not disturb the words around it: between isolates, if it could.
    #[must_use]
    pub fn isolated(self, text: &str) -> String {
        let is_harmless = self.direction == Direction::LeftToRight && !text.chars().any(is_right_to_left);
        if is_harmless { text.to_owned() } else { format!("\u{2068}{text}\u{2069}") }
    }

    /// What an error says to people, by the code of its kind.
    #[must_use]
    pub fn error(self, code: &str) -> String {
        self.with(&error_key(code), &[("code", code)]).unwrap_or_default()
    }

    /// Why a file of a record cannot be sent, by the code of the problem.
    #[must_use]
    pub fn problem(self, code: &str) -> String {
        self.with(&problem_key(code), &[("code", code)]).unwrap_or_default()
    }

    /// Why a record is not sent, by the code of its reason.
    #[must_use]
    pub fn reason(self, code: &str) -> String {
        self.with(&reason_key(code), &[("code", code)]).unwrap_or_default()
    }
}

/// What stands before the first gap, its name, and what stands behind it.
fn next_gap(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (gap, after) = rest.split_once('}')?;
    Some((before, gap, after))
}

/// Whether a letter of its own reads from right to left.
fn is_right_to_left(letter: char) -> bool {
    Direction::of_text(letter.encode_utf8(&mut [0; 4])) == Some(Direction::RightToLeft)
}

/// The table by key, read once.
fn table() -> &'static BTreeMap<String, Row> {
    static READ: OnceLock<BTreeMap<String, Row>> = OnceLock::new();
    READ.get_or_init(|| {
        // The tests read every row of the same bytes, so none is lost here.
        records().map(|record| (cell(&record, 0), std::array::from_fn(|column| cell(&record, column + 1)))).collect()
    })
}

fn records() -> impl Iterator<Item = csv::StringRecord> {
    csv::Reader::from_reader(TABLE.as_bytes()).into_records().filter_map(Result::ok)
}

fn cell(record: &csv::StringRecord, column: usize) -> String {
    record.get(column).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn gaps(text: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut rest = text;
        while let Some((_, gap, after)) = next_gap(rest) {
            assert!(found.insert(gap), "twice: {text}");
            rest = after;
        }
        assert!(!rest.contains(['{', '}']), "{text}");
        found
    }

    #[test]
    fn every_text_is_there_in_every_language_with_the_same_gaps() {
        let header: Vec<&str> = ["key"].into_iter().chain(LANGUAGES).chain(["draft", "context"]).collect();
        assert_eq!(csv::Reader::from_reader(TABLE.as_bytes()).headers().unwrap(), header);
        let mut keys = BTreeSet::new();
        for record in csv::Reader::from_reader(TABLE.as_bytes()).into_records() {
            let record = record.unwrap();
            let (key, texts) = (cell(&record, 0), (1..6).map(|column| cell(&record, column)).collect::<Vec<_>>());
            assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b)), "{key}");
            assert!(texts.iter().all(|text| !text.is_empty() && text.trim() == text), "{key}");
            for text in &texts {
                assert_eq!(gaps(text), gaps(&texts[0]), "{key}: {text}");
            }
            assert!(cell(&record, 6).split_whitespace().all(|language| LANGUAGES.contains(&language)), "{key}");
            assert!(keys.insert(key.clone()), "{key} stands twice");
            assert_eq!(word(&key, "ti"), Some(texts[4].as_str()));
        }
        assert!(keys.len() > 290, "{}", keys.len());
    }

    #[test]
    fn every_error_has_words_of_its_own_or_is_of_the_form() {
        // Whoever gets these writes programs, not answers.
        let of_programs = [ErrorKind::Usage, ErrorKind::FixedHome];
        let has_own = |kind: ErrorKind| table().contains_key(&key("error", kind.code()));
        let needs_own = |kind: ErrorKind| !is_of_the_form(kind) && !of_programs.contains(&kind);
        let amiss: Vec<_> =
            ErrorKind::ALL.iter().filter(|&&kind| has_own(kind) != needs_own(kind)).map(|kind| kind.code()).collect();
        assert!(amiss.is_empty(), "give each a row error.<code> in words.csv, or name it above: {amiss:?}");
        for &kind in ErrorKind::ALL {
            for language in LANGUAGES {
                let text = Words::of(Tag::parse(language).as_ref()).error(kind.code());
                assert!(!text.is_empty() && gaps(&text).is_empty(), "{} {language}", kind.code());
            }
        }
    }

    #[cfg(feature = "sync")]
    #[test]
    fn every_reason_has_words() {
        use crate::sync::Reason;
        for reason in Reason::ALL {
            let is_rejected = reason_key(reason.code()) == "reason.rejected";
            assert_eq!(is_rejected, *reason == Reason::Rejected, "words.csv: {}", reason.code());
        }
        let of_reasons = table().keys().filter(|key| key.starts_with("reason."));
        assert!(
            of_reasons.into_iter().all(|known| Reason::ALL.iter().any(|reason| key("reason", reason.code()) == *known))
        );
    }

    #[cfg(feature = "sync")]
    #[test]
    fn every_problem_of_a_file_has_words() {
        use crate::sync::FileProblem;
        for problem in [FileProblem::Missing, FileProblem::Damaged, FileProblem::TooLarge] {
            assert_eq!(problem_key(problem.code()), key("problem", problem.code()));
        }
        assert_eq!(problem_key("a-code-of-tomorrow"), "problem.damaged");
    }

    #[test]
    fn the_language_chooses_the_column_and_english_stands_in() {
        let next = |tag| word("action.next", tag).unwrap();
        assert_eq!(
            [next("nl"), next("ar-SY"), next("ti-ER"), next("de"), next("")],
            ["Verder", "التالي", "ቀጽሉ", "Next", "Next"]
        );
        assert_eq!(word("action.fly", "nl"), None);
        assert_eq!(Words::of(None).error("not-xml"), word("error.invalid_form", "en").unwrap());
        assert_eq!(Words::of(None).error("internal"), "Something went wrong. Your answers are saved. Code: internal");
        assert_eq!(Words::of(None).reason("a-code-of-tomorrow"), word("reason.rejected", "en").unwrap());
    }

    #[test]
    fn gaps_are_filled_once_and_kept_apart() {
        let arabic = Words::of(Tag::parse("ar").as_ref());
        assert_eq!(arabic.with("fill.found", &[("n", "3")]).unwrap(), "النتائج: \u{2068}3\u{2069}");
        let english = Words::of(None);
        assert_eq!(english.with("fill.found", &[("n", "3")]).unwrap(), "Found: 3");
        assert_eq!(english.with("fill.part", &[("part", "{parts}"), ("parts", "4")]).unwrap(), "Part {parts} of 4");
        assert_eq!(english.with("fill.part", &[("part", "1")]).unwrap(), "Part 1 of {parts}");
        assert_eq!(english.with("repeat.add", &[("name", "بيت")]).unwrap(), "Another one: \u{2068}بيت\u{2069}");
    }
}

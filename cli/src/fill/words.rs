//! The words of the screens themselves, in the language the form is shown in.

use veldwerk::text::{Direction, Language, Tag};

/// One row a text, one column a language; a tab between them.
const TABLE: &str = include_str!("words.tsv");

/// The column of one language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    column: usize,
    pub(super) direction: Direction,
}

impl Words {
    /// The words of `language`; English where there are none.
    pub(super) fn of(language: Option<&Language>) -> Self {
        let tag = language.and_then(|language| language.tag.as_ref());
        let found = tag.and_then(|tag| Some((tag, columns().position(|column| column == tag.base())?)));
        match found {
            Some((tag, column)) => Self { column: column + 1, direction: Tag::direction(tag) },
            None => Self { column: 1, direction: Direction::LeftToRight },
        }
    }

    /// The text of `key`; empty for a key that the table does not have.
    pub(super) fn get(self, key: &str) -> &'static str {
        let row = TABLE.lines().find(|row| row.split('\t').next() == Some(key));
        row.and_then(|row| row.split('\t').nth(self.column)).unwrap_or_default()
    }

    /// The same with `value` in its one gap, kept apart from the words around it.
    pub(super) fn with(self, key: &str, value: &str) -> String {
        let value = self.isolated(value);
        self.get(key).replace("{n}", &value).replace("{name}", &value)
    }

    /// `text` so that its direction does not disturb the words around it: between isolates, if it could.
    pub(super) fn isolated(self, text: &str) -> String {
        let is_harmless = self.direction == Direction::LeftToRight && !text.chars().any(is_right_to_left);
        if is_harmless { text.to_owned() } else { format!("\u{2068}{text}\u{2069}") }
    }
}

/// Whether a letter of its own reads from right to left.
fn is_right_to_left(letter: char) -> bool {
    Direction::of_text(letter.encode_utf8(&mut [0; 4])) == Some(Direction::RightToLeft)
}

/// The languages of the table.
fn columns() -> impl Iterator<Item = &'static str> {
    TABLE.lines().next().unwrap_or_default().split('\t').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_every_language_with_the_same_gap() {
        for row in TABLE.lines() {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(cells.len(), 6, "{row}");
            assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
            for gap in ["{n}", "{name}"] {
                assert!(cells[1..].iter().all(|cell| cell.contains(gap) == cells[1].contains(gap)), "{row}");
            }
        }
    }

    #[test]
    fn the_language_of_the_form_chooses_the_column() {
        let next = |lang: &str| Words::of(Some(&Language::new(lang))).get("action.next");
        assert_eq!([next("Nederlands (nl)"), next("العربية (ar)"), next("Deutsch (de)")], ["Verder", "التالي", "Next"]);
        let arabic = Words::of(Some(&Language::new("ar")));
        assert_eq!(arabic.with("fill.found", "3"), "النتائج: \u{2068}3\u{2069}");
        assert_eq!(Words::of(None).with("fill.found", "3"), "Found: 3");
    }
}

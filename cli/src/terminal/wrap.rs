//! Where lines end.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::Letter;

/// The lines of `letters`, none wider than `width` columns unless a single word is; all but the first leave `hang` columns.
/// White space where a line ends belongs to no line.
///
/// A line ends at white space or after a stop or comma of Ethiopic, which may have no space behind it; never inside a word.
pub(super) fn lines(letters: &[Letter], width: usize, hang: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut last_chance = None;
    let mut n_columns = 0;
    let mut i = 0;
    while let Some(letter) = letters.get(i) {
        let room = width.saturating_sub(if lines.is_empty() { 0 } else { hang });
        if i > start && may_break(letters, i) {
            last_chance = Some(i);
        }
        n_columns += columns(letter.char);
        match last_chance.take_if(|_| n_columns > room && !is_space(letter.char)) {
            Some(end) => {
                lines.push(trimmed(letters, start..end));
                start = end;
                i = end;
                n_columns = 0;
            }
            None => i += 1,
        }
    }
    lines.push(trimmed(letters, start..letters.len()));
    lines.retain(|line| !line.is_empty());
    lines
}

/// How many columns `letters` take.
pub(super) fn width(letters: &[Letter]) -> usize {
    letters.iter().map(|letter| columns(letter.char)).sum()
}

/// How many columns `c` takes: none for marks that stand on other letters and for controls of direction, two for what is wide.
pub(super) fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Whether a line may begin with the letter at `i`.
fn may_break(letters: &[Letter], i: usize) -> bool {
    let at = |i: usize| letters.get(i).map_or(' ', |letter| letter.char);
    let (before, after) = (at(i.wrapping_sub(1)), at(i));
    let begins_word = after.is_alphanumeric() || matches!(after, '\u{2066}'..='\u{2068}');
    let ends_phrase = matches!(before, '፡'..='፨');
    !is_space(after) && (is_space(before) || ends_phrase && begins_word)
}

/// White space that may be the end of a line; a no-break space is none.
fn is_space(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}') || c == '\u{200b}'
}

fn trimmed(letters: &[Letter], line: Range<usize>) -> Range<usize> {
    let is_blank = |i: &usize| letters.get(*i).is_some_and(|letter| is_space(letter.char));
    let n_blank = line.clone().rev().take_while(is_blank).count();
    line.start..line.end - n_blank
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Look;

    fn wrap(text: &str, width: usize, hang: usize) -> Vec<String> {
        let letters: Vec<Letter> = text.chars().map(|char| Letter { char, look: Look::default() }).collect();
        let lines = lines(&letters, width, hang);
        lines.into_iter().map(|line| letters[line].iter().map(|letter| letter.char).collect()).collect()
    }

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrap("een twee drie", 8, 0), ["een twee", "drie"]);
        assert_eq!(wrap("een twee   drie  ", 9, 0), ["een twee", "drie"]);
        assert_eq!(wrap("onafgebroken ja", 5, 0), ["onafgebroken", "ja"], "never inside a word");
        assert_eq!(wrap("10\u{a0}km ver", 6, 0), ["10\u{a0}km", "ver"]);
        assert_eq!(
            wrap("1 een twee drie", 9, 2),
            ["1 een", "twee", "drie"].map(String::from),
            "room is less after the first"
        );
        assert_eq!(wrap("  ingesprongen", 40, 0), ["  ingesprongen"]);
        assert!(wrap("", 5, 0).is_empty() && wrap("   ", 5, 0).is_empty());
    }

    #[test]
    fn ethiopic_ends_after_its_punctuation() {
        assert_eq!(wrap("ሰላም።ከመይ፣ኣለኻ", 6, 0), ["ሰላም።", "ከመይ፣", "ኣለኻ"]);
        assert_eq!(wrap("(ሰላም።)ከመይ", 6, 0), ["(ሰላም።)ከመይ"], "but not before a bracket that closes");
    }

    #[test]
    fn columns_are_counted_not_characters() {
        assert_eq!(wrap("شهرًا شهرًا", 11, 0), ["شهرًا شهرًا".to_owned()], "marks take no column");
        assert_eq!(wrap("\u{2068}ab\u{2069} cd", 5, 0), ["\u{2068}ab\u{2069} cd"]);
        assert_eq!(wrap("漢字 漢字", 8, 0), ["漢字", "漢字"], "wide letters take two");
    }
}

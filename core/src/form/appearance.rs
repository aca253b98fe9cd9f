//! Appearances: how a form wishes a question to look (xforms.md §6), and which of them some ODK client knows.

use super::{Control, ControlKind, DataType, FormDef};

/// The kinds of questions that an appearance is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Text,
    Number,
    Date,
    Place,
    Choices,
    Range,
    File,
    Group,
}

/// Whether an appearance has a meaning where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is for this kind of question.
    Fits,
    /// Some client knows it, for other kinds of questions.
    Elsewhere,
    /// No client knows it.
    Unknown,
}

/// Every appearance that ODK Collect, Web Forms, Enketo or KoboToolbox know. A word that ends in `-`, `:` or `(` is the start
/// of one: a number, a program or a look-up follows.
const KNOWN: &[(Kind, &[&str])] = &[
    (
        Kind::Text,
        &["multiline", "numbers", "url", "masked", "printer", "printer:", "thousands-sep", "textarea", "comment"],
    ),
    (Kind::Text, &["autocomplete", "search", "minimal", "autocomplete_chars", "literacy", "front", "new-front"]),
    (Kind::Number, &["thousands-sep", "counter", "bearing", "printer", "masked", "numbers"]),
    (Kind::Date, &["no-calendar", "month-year", "year", "ethiopian", "coptic", "islamic", "bikram-sambat", "myanmar"]),
    (Kind::Date, &["persian", "buddhist"]),
    (Kind::Place, &["maps", "placement-map", "hide-input", "streets", "satellite", "terrain"]),
    (
        Kind::Choices,
        &["minimal", "autocomplete", "search", "quick", "columns", "columns-", "columns-pack", "no-buttons"],
    ),
    (
        Kind::Choices,
        &["likert", "list", "label", "list-nolabel", "image-map", "map", "compact", "compact-", "quickcompact"],
    ),
    (
        Kind::Choices,
        &["quickcompact-", "horizontal", "horizontal-compact", "search(", "autocomplete_chars", "distress"],
    ),
    (
        Kind::Range,
        &["vertical", "no-ticks", "picker", "rating", "horizontal", "show-scale", "analog-scale", "distress"],
    ),
    (
        Kind::File,
        &["signature", "draw", "annotate", "new", "new-front", "front", "selfie", "new-rear", "hidden-answer"],
    ),
    (Kind::Group, &["field-list", "table-list", "accordion", "summary", "no-collapse", "compact", "pages", "minimal"]),
    (Kind::Any, &["hidden-answer", "ex:", "intent:", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10"]),
];

impl Control {
    /// The arguments of a `search(…)` among the appearances, as written; none if there is no such word.
    pub(super) fn search(&self) -> Option<Vec<&str>> {
        search(&self.appearance)
    }

    /// The words of `appearance`, in lower case; what stands in parentheses stays with its word, as written.
    #[must_use]
    pub fn appearances(&self) -> Vec<String> {
        words(&self.appearance)
    }
}

impl Fit {
    /// How an appearance fits a control.
    #[must_use]
    pub fn of(word: &str, form: &FormDef, control: &Control) -> Self {
        let means = |known: &str| match known.as_bytes().last() {
            Some(b'-') => word.strip_prefix(known).is_some_and(|rest| rest.parse::<u8>().is_ok()),
            Some(b':' | b'(') => word.starts_with(known),
            _ => word == known,
        };
        let kinds = KNOWN.iter().filter(|(_, words)| words.iter().any(|known| means(known))).map(|&(kind, _)| kind);
        let kinds: Vec<Kind> = kinds.collect();
        let own = kinds_of(form, control);
        if kinds.is_empty() {
            Self::Unknown
        } else if kinds.iter().any(|kind| own.contains(kind)) {
            Self::Fits
        } else {
            Self::Elsewhere
        }
    }
}

fn kinds_of(form: &FormDef, control: &Control) -> Vec<Kind> {
    let data_type = control.node.map(|node| form.nodes[node].data_type).unwrap_or_default();
    let own = match (control.kind, data_type) {
        (ControlKind::Select1 | ControlKind::Select | ControlKind::Rank, _) => Kind::Choices,
        (ControlKind::Range, _) => Kind::Range,
        (ControlKind::Upload, _) => Kind::File,
        (ControlKind::Group | ControlKind::Repeat, _) => Kind::Group,
        (ControlKind::Trigger, _) => return vec![Kind::Any],
        (_, DataType::Int | DataType::Long | DataType::Decimal) => Kind::Number,
        (_, DataType::Date | DataType::Time | DataType::DateTime) => Kind::Date,
        (_, DataType::Geopoint | DataType::Geotrace | DataType::Geoshape) => Kind::Place,
        _ => Kind::Text,
    };
    vec![Kind::Any, own]
}

/// The arguments of the call of `search`; what is not closed ends with the text.
fn search(written: &str) -> Option<Vec<&str>> {
    const NAME: &str = "search";
    let lower = written.to_ascii_lowercase();
    let arguments = lower.match_indices(NAME).find_map(|(at, _)| {
        let is_word = written.get(..at)?.chars().next_back().is_none_or(char::is_whitespace);
        let rest = written.get(at + NAME.len()..)?.trim_start();
        rest.strip_prefix('(').filter(|_| is_word)
    })?;
    let mut found = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_usize, None);
    for (at, letter) in arguments.char_indices() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(letter),
            ('(' | '[', None) => depth += 1,
            (')', None) if depth == 0 => {
                found.push(arguments.get(start..at)?.trim());
                return Some(found);
            }
            (')' | ']', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                found.push(arguments.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(arguments.get(start..)?.trim());
    Some(found)
}

/// The words of an appearance; blanks inside parentheses do not part it (`ex:org.app.SCAN(mode='a b')`).
fn words(written: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_usize;
    for letter in written.chars() {
        // `search ('wells')` is one word, too.
        while letter == '(' && words.len() > 1 && words.last().is_some_and(String::is_empty) {
            words.pop();
        }
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match words.last_mut() {
            Some(_) if depth == 0 && letter.is_whitespace() => words.push(String::new()),
            Some(word) if depth == 0 => word.extend(letter.to_lowercase()),
            Some(word) => word.push(letter),
            None => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_a_search_are_as_written() {
        let rows: [(&str, Option<&[&str]>); 8] = [
            ("search", None),
            ("research('a')", None),
            ("minimal search('a')", Some(&["'a'"])),
            ("SEARCH ( 'a' , 'matches', 'b,c', /d/x ) quick", Some(&["'a'", "'matches'", "'b,c'", "/d/x"])),
            ("search('a)', concat(/d/x, 'y'), /d/r[n = 1]/v)", Some(&["'a)'", "concat(/d/x, 'y')", "/d/r[n = 1]/v"])),
            ("search()", Some(&[""])),
            ("autocomplete search('a'", Some(&["'a'"])),
            ("İsearch('a') search('b')", Some(&["'b'"])),
        ];
        for (written, expected) in rows {
            assert_eq!(search(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn appearances_are_words_and_parentheses_hold_together() {
        let rows: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("quick  search ('a b')", &["quick", "search('a b')"]),
            ("  Minimal   quick ", &["minimal", "quick"]),
            ("ex:org.App.SCAN(mode='A b', n=(1 2)) Draw", &["ex:org.app.scan(mode='A b', n=(1 2))", "draw"]),
            ("columns-3 ) no-buttons", &["columns-3", ")", "no-buttons"]),
            ("search('f' never closed", &["search('f' never closed"]),
        ];
        for (written, expected) in rows {
            assert_eq!(words(written), expected, "{written}");
        }
    }
}

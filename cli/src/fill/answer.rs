//! From what a person types to the answer as the record holds it.

use std::path::PathBuf;

use veldwerk::form::{ControlKind, DataType};
use veldwerk::session::{ChoiceView, QuestionView};
use veldwerk::text::fold::fold;

/// More choices than this are found by their letters, not shown at once.
pub(super) const MANY: usize = 20;

/// What a person typed at a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// The answer; whether it fits, the form says.
    Value(String),
    /// A file to put beside the record.
    File(PathBuf),
    /// Letters to find choices by.
    Letters(String),
    /// Nothing that could be an answer here.
    Unfit,
}

/// Reads an answer to `question`.
pub(super) fn typed(question: &QuestionView, line: &str) -> Typed {
    match question.control {
        ControlKind::Select1 => chosen(question, line, true),
        ControlKind::Select | ControlKind::Rank => chosen(question, line, false),
        ControlKind::Trigger if matches!(plain_digits(line).as_str(), "1" | "OK" | "ok") => {
            Typed::Value("OK".to_owned())
        }
        ControlKind::Trigger | ControlKind::Group | ControlKind::Repeat => Typed::Unfit,
        ControlKind::Upload => Typed::File(line.into()),
        ControlKind::Range => Typed::Value(number(line)),
        ControlKind::Input | ControlKind::Secret => Typed::Value(lexical(question, line)),
    }
}

/// Whether any line may be the answer, so that letters cannot be commands.
pub(super) fn is_text(question: &QuestionView) -> bool {
    let asks = matches!(question.control, ControlKind::Input | ControlKind::Secret) && !question.readonly;
    asks && matches!(question.data_type, DataType::String | DataType::Barcode)
}

/// Whether the question has so many choices that they are found by their letters.
pub(super) fn is_long(question: &QuestionView) -> bool {
    question.n_choices > MANY
}

/// The choices that contain the letters, folded, those that begin with them first; numbered as in the whole list.
pub(super) fn found<'a>(question: &'a QuestionView, letters: &str) -> Vec<(usize, &'a ChoiceView)> {
    let letters = fold(letters);
    let labelled = question.choices.iter().map(|choice| (fold(&choice.label.plain), (choice.index + 1, choice)));
    let (mut begin, mut contain) = (Vec::new(), Vec::new());
    for (label, choice) in labelled.filter(|(label, _)| label.contains(&letters)) {
        if label.starts_with(&letters) { begin.push(choice) } else { contain.push(choice) }
    }
    begin.append(&mut contain);
    begin
}

/// How the answer is written, where that needs saying.
pub(super) fn pattern(question: &QuestionView) -> Option<&'static str> {
    match question.data_type {
        DataType::Date if appears(question, "month-year") => Some("YYYY-MM"),
        DataType::Date if appears(question, "year") => Some("YYYY"),
        DataType::Date => Some("YYYY-MM-DD"),
        DataType::DateTime => Some("YYYY-MM-DD HH:MM"),
        DataType::Time => Some("HH:MM"),
        DataType::Geopoint => Some("52.37 4.89"),
        DataType::Geotrace | DataType::Geoshape => Some("52.37 4.89; 52.38 4.90"),
        DataType::String
        | DataType::Int
        | DataType::Long
        | DataType::Decimal
        | DataType::Boolean
        | DataType::Barcode
        | DataType::Binary => None,
    }
}

/// Whether `appearance` holds the word.
pub(super) fn appears(question: &QuestionView, word: &str) -> bool {
    question.appearance.split_ascii_whitespace().any(|appearance| appearance.eq_ignore_ascii_case(word))
}

/// Numbers choose; a whole label does too; other letters look for one.
fn chosen(question: &QuestionView, line: &str, only_one: bool) -> Typed {
    let named = question.choices.iter().find(|choice| choice.label.plain.eq_ignore_ascii_case(line));
    if let Some(choice) = named {
        return Typed::Value(choice.value.clone());
    }
    let digits = plain_digits(line);
    let words = digits.split([' ', ',', '،', '፣']).filter(|word| !word.is_empty());
    let Ok(numbers) = words.map(str::parse::<usize>).collect::<Result<Vec<_>, _>>() else {
        return Typed::Letters(line.to_owned());
    };
    let mut values: Vec<&str> = Vec::new();
    for number in numbers {
        let Some(choice) = number.checked_sub(1).and_then(|i| question.choices.get(i)) else { return Typed::Unfit };
        if !values.contains(&choice.value.as_str()) {
            values.push(&choice.value);
        }
    }
    if only_one && values.len() != 1 {
        return Typed::Unfit;
    }
    Typed::Value(values.join(" "))
}

fn lexical(question: &QuestionView, line: &str) -> String {
    match question.data_type {
        DataType::Int | DataType::Long | DataType::Decimal => number(line),
        DataType::Date => date(&plain_digits(line)),
        DataType::DateTime => plain_digits(line).replacen(' ', "T", 1),
        DataType::Time => plain_digits(line),
        DataType::Geopoint => plain_digits(line).replace(',', " "),
        DataType::Geotrace | DataType::Geoshape => plain_digits(line),
        DataType::String | DataType::Boolean | DataType::Barcode | DataType::Binary => line.to_owned(),
    }
}

fn number(line: &str) -> String {
    plain_digits(line).replace([',', '٫'], ".")
}

/// A day, month or year with `-`, `/`, `.` or spaces between, year first or last, as a date.
fn date(line: &str) -> String {
    let mut parts: Vec<&str> = line.split(['-', '/', '.', ' ']).filter(|part| !part.is_empty()).collect();
    if parts.first().is_some_and(|first| first.len() < 4) {
        parts.reverse();
    }
    parts.resize(3.max(parts.len()), "1");
    parts.join("-")
}

/// `line` with the digits of Arabic keyboards as the digits that the record holds.
fn plain_digits(line: &str) -> String {
    let plain = |c: char| match c {
        '٠'..='٩' => char::from_digit(u32::from(c) - u32::from('٠'), 10).unwrap_or(c),
        '۰'..='۹' => char::from_digit(u32::from(c) - u32::from('۰'), 10).unwrap_or(c),
        _ => c,
    };
    line.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_in_many_ways() {
        for line in ["2021-03", "03-2021", "3/2021", "3 2021", "2021-3-1", "1-3-2021", "1.3.2021"] {
            let read = date(line);
            assert!(["2021-03-1", "2021-3-1"].contains(&read.as_str()), "{line}: {read}");
        }
        assert_eq!(date("2021"), "2021-1-1");
        assert_eq!(date("soon"), "soon-1-1", "the form refuses it");
    }

    #[test]
    fn digits_of_arabic_keyboards_are_digits() {
        assert_eq!(plain_digits("٢٠٢١-٠٣"), "2021-03");
        assert_eq!(number("٣٫٥"), "3.5");
        assert_eq!(number("3,5"), "3.5");
    }
}

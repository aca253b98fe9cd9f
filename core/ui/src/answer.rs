//! What was typed into a field, as the record keeps it, and the other way round.

use veldwerk::form::DataType;
use veldwerk::session::QuestionView;
use veldwerk::text::digits;
use veldwerk::text::fold::fold;
use veldwerk::text::words::{LANGUAGES, Words, word};

use crate::view::Keypad;

/// What is typed at a question.
pub(crate) fn keypad(question: &QuestionView) -> Keypad {
    let appears = |word: &str| question.widget.appearances.iter().any(|appearance| appearance == word);
    match question.data_type {
        DataType::Int | DataType::Long => Keypad::Integer,
        DataType::Decimal => Keypad::Decimal,
        DataType::Date if appears("month-year") => Keypad::MonthYear,
        DataType::Date if appears("year") => Keypad::Year,
        DataType::Date => Keypad::Date,
        DataType::DateTime => Keypad::DateTime,
        DataType::Time => Keypad::Time,
        DataType::Geopoint => Keypad::Place,
        DataType::Geotrace | DataType::Geoshape => Keypad::Places,
        DataType::String if appears("numbers") => Keypad::Digits,
        DataType::String if appears("url") => Keypad::Address,
        DataType::String | DataType::Boolean | DataType::Barcode | DataType::Binary => Keypad::Text,
    }
}

/// What was typed as the record keeps it; none if it is no value of the kind at all. Whether it is a possible one (a day of
/// that month, a number not too large) is the engine's to say.
pub(crate) fn lexical(keypad: Keypad, typed: &str) -> Option<String> {
    let typed = typed.trim();
    let plain = || digits::plain(typed);
    match keypad {
        Keypad::Text | Keypad::Address | Keypad::Search => Some(typed.to_owned()),
        Keypad::Integer | Keypad::Digits => Some(plain().into_owned()),
        Keypad::Decimal => Some(plain().replace([',', '٫'], ".")),
        Keypad::Date => date(&plain(), 3),
        Keypad::MonthYear => date(&plain(), 2),
        Keypad::Year => date(&plain(), 1),
        Keypad::Time => time(&plain()),
        Keypad::DateTime => {
            let plain = plain().into_owned();
            let (day, clock) = plain.rsplit_once([' ', 'T'])?;
            Some(format!("{}T{}", date(day, 3)?, time(clock)?))
        }
        Keypad::Place => Some(plain().replace(',', " ")),
        Keypad::Places => Some(plain().into_owned()),
    }
}

/// A stored value as it stands in a field.
pub(crate) fn shown(keypad: Keypad, value: &str, words: Words) -> String {
    let day = || -> Option<[String; 3]> {
        let mut parts = value.get(..10)?.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let number: u8 = month.parse().ok()?;
        let bare = |digits: &str| digits.trim_start_matches('0').to_owned();
        Some([bare(day), words.get(&format!("month.{number}"))?.to_owned(), year.to_owned()])
    };
    match (keypad, day()) {
        (Keypad::Date, Some([day, month, year])) => format!("{day} {month} {year}"),
        (Keypad::MonthYear, Some([_, month, year])) => format!("{month} {year}"),
        (Keypad::Year, Some([_, _, year])) => year,
        (Keypad::DateTime, Some([day, month, year])) => {
            format!("{day} {month} {year} {}", value.get(11..16).unwrap_or_default())
        }
        (Keypad::Time, _) => value.get(..5).unwrap_or(value).to_owned(),
        _ => value.to_owned(),
    }
}

/// How the answer is written, in words of the table.
pub(crate) fn how(keypad: Keypad, words: Words) -> String {
    let say = |key: &str| words.get(key).unwrap_or_default();
    let join = |keys: &[&str]| keys.iter().map(|key| say(key)).collect::<Vec<_>>().join(" · ");
    match keypad {
        Keypad::Date => join(&["date.day", "date.month", "date.year"]),
        Keypad::MonthYear => join(&["date.month", "date.year"]),
        Keypad::Year => say("date.year").to_owned(),
        Keypad::Time => join(&["date.hour", "date.minute"]),
        Keypad::DateTime => join(&["date.day", "date.month", "date.year", "date.hour", "date.minute"]),
        Keypad::Place | Keypad::Places => {
            format!("{} {}", say("place.record"), words.isolated("52.37 4.89"))
        }
        Keypad::Search => say("fill.search_hint").to_owned(),
        Keypad::Text | Keypad::Address | Keypad::Integer | Keypad::Decimal | Keypad::Digits => {
            say("fill.write_here").to_owned()
        }
    }
}

/// A date of which `n_given` parts are given: all, month and year, or the year. Written in the order of day, month, year or
/// the other way round, the month as a number or by its name in any language of the table.
fn date(typed: &str, n_given: usize) -> Option<String> {
    let (month, rest) = match named_month(typed) {
        Some((month, rest)) => (Some(month), rest),
        None => (None, typed.to_owned()),
    };
    let numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let mut numbers: Vec<&str> = numbers.collect();
    // The year is the one with four digits; where it stands first, the rest is turned round too.
    if numbers.len() > 1 && numbers.first().is_some_and(|first| first.len() == 4) {
        numbers.reverse();
    }
    let year = numbers.pop().filter(|year| year.len() == 4)?;
    let month = match month {
        Some(month) => month,
        None if n_given > 1 => numbers.pop()?.parse().ok()?,
        None => 1,
    };
    let day: u8 = if n_given > 2 { numbers.pop()?.parse().ok()? } else { 1 };
    numbers.is_empty().then(|| format!("{year}-{month:02}-{day:02}"))
}

/// The month that is named in what was typed, and the rest.
fn named_month(typed: &str) -> Option<(u8, String)> {
    let is_letter = |c: char| c.is_alphabetic() || matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{652}');
    let start = typed.find(is_letter)?;
    let end = typed.rfind(is_letter).and_then(|last| typed.get(last..)?.chars().next().map(|c| last + c.len_utf8()))?;
    let typed_names = typed.get(start..end)?.split(['(', ')']).map(|name| fold(name.trim()));
    let typed_names: Vec<String> = typed_names.filter(|name| !name.is_empty()).collect();
    let names = |month: u8| {
        LANGUAGES.into_iter().filter_map(move |language| word(&format!("month.{month}"), language)).flat_map(|names| {
            // Arabic has two: the one of the Levant, and in parentheses the one of Egypt.
            names.split(['(', ')']).map(|name| fold(name.trim())).filter(|name| !name.is_empty()).collect::<Vec<_>>()
        })
    };
    let exact = (1..=12).find(|&month| typed_names.iter().all(|name| names(month).any(|known| known == *name)));
    let month = exact.or_else(|| {
        // The first letters do where they leave no doubt.
        let [name] = typed_names.as_slice() else { return None };
        let is_begun = |month: &u8| name.chars().count() > 2 && names(*month).any(|known| known.starts_with(name));
        let mut begun = (1..=12).filter(is_begun);
        begun.next().filter(|_| begun.next().is_none())
    })?;
    Some((month, format!("{} {}", typed.get(..start)?, typed.get(end..)?)))
}

fn time(typed: &str) -> Option<String> {
    let mut parts = typed.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let (hour, minute) = (parts.next()?, parts.next()?);
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    parts.next().is_none().then(|| format!("{hour:02}:{minute:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use veldwerk::text::Tag;

    #[test]
    fn dates_are_written_in_many_ways() {
        for (keypad, typed, expected) in [
            (Keypad::Date, "1-3-2021", Some("2021-03-01")),
            (Keypad::Date, "2021-3-1", Some("2021-03-01")),
            (Keypad::Date, "1 maart 2021", Some("2021-03-01")),
            (Keypad::Date, "١ آذار ٢٠٢١", Some("2021-03-01")),
            (Keypad::Date, "1 مارس 2021", Some("2021-03-01")),
            (Keypad::Date, "March 1, 2021", Some("2021-03-01")),
            (Keypad::Date, "3 2021", None),
            (Keypad::Date, "2021", None),
            (Keypad::MonthYear, "maart 2023", Some("2023-03-01")),
            (Keypad::MonthYear, "Mrt 2023", None),
            (Keypad::MonthYear, "sept 2023", Some("2023-09-01")),
            (Keypad::MonthYear, "መጋቢት 2023", Some("2023-03-01")),
            (Keypad::MonthYear, "3/2023", Some("2023-03-01")),
            (Keypad::MonthYear, "2023-03", Some("2023-03-01")),
            (Keypad::MonthYear, "zomer 2023", None),
            (Keypad::MonthYear, "ju 2023", None),
            (Keypad::Year, "۱۹۹۰", Some("1990-01-01")),
            (Keypad::Year, "90", None),
            (Keypad::Time, "9:5", Some("09:05")),
            (Keypad::Time, "9", None),
            (Keypad::DateTime, "1 maart 2021 9:05", Some("2021-03-01T09:05")),
            (Keypad::Decimal, "٣٫٥", Some("3.5")),
            (Keypad::Decimal, "3,5", Some("3.5")),
            (Keypad::Integer, " ١٢ ", Some("12")),
        ] {
            assert_eq!(lexical(keypad, typed).as_deref(), expected, "{typed}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for language in LANGUAGES {
            let words = Words::of(Tag::parse(language).as_ref());
            for month in 1..=12 {
                let value = format!("2021-{month:02}-09");
                let text = shown(Keypad::Date, &value, words);
                assert_eq!(lexical(Keypad::Date, &text), Some(value), "{text}");
            }
            assert_eq!(
                lexical(Keypad::MonthYear, &shown(Keypad::MonthYear, "2021-05-01", words)).unwrap(),
                "2021-05-01"
            );
        }
        let words = Words::of(None);
        assert_eq!(shown(Keypad::DateTime, "2021-03-01T09:05:00.000+01:00", words), "1 March 2021 09:05");
        assert_eq!(shown(Keypad::Time, "09:05:00.000+01:00", words), "09:05");
        assert_eq!(shown(Keypad::Date, "soon", words), "soon");
    }
}

//! Letters folded for searching: who types *sudwest* finds *Súdwest-Fryslân*, *احمد* finds *أَحْمَد*.
//!
//! Folding forgets what people leave out or type otherwise on a phone: case, accents and vowel points, the shapes of one
//! Arabic letter in different languages, the width of letters, the script of digits, dashes and apostrophes. Two strings
//! that fold to the same are found for each other; it never changes what is shown or stored.

use super::digits;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// `text` folded: compatibility decomposition (UAX #15) without accents and points, lower case, the variants below.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().flat_map(char::to_lowercase) {
        push(&mut folded, letter);
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn push(folded: &mut String, letter: char) {
    if is_left_out(letter) {
        return;
    }
    if is_gap(letter) {
        // Runs of white space, dashes and apostrophes are one space; none at the beginning.
        if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
        return;
    }
    match several(letter) {
        Some(letters) => folded.push_str(letters),
        None => folded.push(digits::digit(letter).unwrap_or_else(|| one(letter))),
    }
}

/// Accents, Arabic and Hebrew points, the kashida, and characters that only steer direction or joining. Signs of the
/// combining classes below 10 are letters of their scripts (Indic vowels and viramas, kana voicing) and stay.
fn is_left_out(letter: char) -> bool {
    matches!(letter, '\u{0640}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{00AD}')
        || matches!(canonical_combining_class(letter), 1 | 10..)
}

/// White space, dashes, apostrophes and quotation marks.
fn is_gap(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\'' | '`' | '\u{00B4}' | '\u{02B9}'..='\u{02BC}' | '\u{2018}'..='\u{201F}' | '"')
}

/// Letters that are two in plain writing.
fn several(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

/// Letters of one sound or one shape that people type for each other, and that no decomposition joins.
fn one(letter: char) -> char {
    match letter {
        // Latin: strokes, and the two Turkish i.
        'ı' => 'i',
        'đ' | 'ð' => 'd',
        'ħ' => 'h',
        'ł' => 'l',
        'ø' => 'o',
        'ŧ' => 't',
        'ς' => 'σ',
        // Arabic: alef wasla, alef maksura and the Persian and Kurdish shapes of one letter; ta marbuta.
        'ٱ' => 'ا',
        'ى' | 'ی' | 'ې' | 'ێ' | 'ے' => 'ي',
        'ک' | 'ڪ' => 'ك',
        'ة' | 'ہ' | 'ھ' | 'ە' | 'ۃ' => 'ه',
        'ۆ' | 'ۇ' => 'و',
        'ڕ' => 'ر',
        'ڵ' => 'ل',
        // Ethiopic: series of one sound in Tigrinya, written differently in Eritrea and Ethiopia.
        'ሠ'..='ሧ' => shifted(letter, 'ሠ', 'ሰ'),
        'ፀ'..='ፇ' => shifted(letter, 'ፀ', 'ጸ'),
        _ => letter,
    }
}

fn shifted(letter: char, from: char, to: char) -> char {
    char::from_u32(u32::from(letter) - u32::from(from) + u32::from(to)).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_typed_is_found_in_what_is_shown() {
        let rows = [
            ("sudwest", "Súdwest-Fryslân"),
            ("sudwest fryslan", "Súdwest-Fryslân"),
            ("SÚDWEST", "súdwest"),
            ("s hertogenbosch", "’s-Hertogenbosch"),
            ("'s-hertogen", "’s‑Hertogenbosch"),
            ("istanbul", "İstanbul"),
            ("ISTANBUL", "ıstanbul"),
            ("diyarbakır", "DİYARBAKIR"),
            ("izmir", "İZMİR"),
            ("isik", "Işık"),
            ("strasse", "Straße"),
            ("malmo", "Malmø"),
            ("lodz", "Łódź"),
            ("ijsselstein", "Ĳsselstein"),
            ("cafe", "Cafe\u{301}"),
            ("احمد", "أَحْمَد"),
            ("ال", "آل"),
            ("اربيل", "إربيل"),
            ("على", "علي"),
            ("مدرسه", "مدرسة"),
            ("كرمان", "کرمان"),
            ("تهران", "تـــهران"),
            ("فارسي", "فارسی"),
            ("مؤمن", "مومن"),
            ("لا", "ﻻ"),
            ("2026", "٢٠٢٦"),
            ("2026", "۲۰۲۶"),
            ("۵", "5"),
            ("ሰላም", "ሠላም"),
            ("ጸሃይ", "ፀሃይ"),
            ("abc", "ａｂｃ"),
            ("a b", "a \u{00a0}  b"),
            ("nuenen", "\u{2068}Nuenen\u{2069}"),
            ("σοφος", "ΣΟΦΌΣ"),
            ("", "anything"),
        ];
        for (typed, shown) in rows {
            assert!(fold(shown).contains(&fold(typed)), "{typed} in {shown}: {} in {}", fold(typed), fold(shown));
        }
    }

    #[test]
    fn different_words_stay_different() {
        for (typed, shown) in
            [("sud", "Noord"), ("كتاب", "باب"), ("ሰ", "ሸ"), ("కి", "కు"), ("か", "は"), ("3", "٤"), ("o", "u")]
        {
            assert!(!fold(shown).contains(&fold(typed)), "{typed} in {shown}");
        }
        // Signs that carry the meaning of their scripts stay.
        assert_ne!(fold("कि"), fold("कु"));
        assert_ne!(fold("か"), fold("が"));
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,12}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn case_and_composition_make_no_difference(text in "[a-zA-ZÀ-ÿĀ-ž ء-ي٠-٩]{0,12}") {
            prop_assert_eq!(fold(&text.to_lowercase()), fold(&text));
            prop_assert_eq!(fold(&text.nfd().collect::<String>()), fold(&text));
            prop_assert_eq!(fold(&text.nfc().collect::<String>()), fold(&text));
        }
    }
}

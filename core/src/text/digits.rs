//! Digits of all scripts: ١٢, ۱۲, १२ and １２ are 12.

use std::borrow::Cow;

/// Where the ten digits of a script begin: general category Nd of Unicode, whose members stand in runs of ten.
#[rustfmt::skip]
const ZEROS: [u32; 76] = [
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
    0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// The digit 0 to 9 that a character is, in whatever script.
#[must_use]
pub fn digit(character: char) -> Option<char> {
    let code = u32::from(character);
    let zero = ZEROS.get(ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?)?;
    char::from_digit(code - zero, 10)
}

/// A number, date or place with its digits in plain writing, and the point for the Arabic decimal sign `٫`.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    const ARABIC_POINT: char = '٫';
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = |c| if c == ARABIC_POINT { '.' } else { digit(c).unwrap_or(c) };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decimal_digit_of_unicode_is_known_and_nothing_else() {
        let is_decimal = fancy_regex::Regex::new(r"^\p{Nd}$").unwrap();
        let mut value = 0;
        for character in char::MIN..=char::MAX {
            let expected = is_decimal.is_match(&character.to_string()).unwrap();
            assert_eq!(digit(character).is_some(), expected, "U+{:04X}", u32::from(character));
            if let Some(digit) = digit(character) {
                assert_eq!(digit.to_digit(10), Some(value), "U+{:04X}", u32::from(character));
                value = (value + 1) % 10;
            }
        }
    }

    #[test]
    fn numbers_dates_and_places_in_plain_writing() {
        for (text, expected) in [
            ("١٢", "12"),
            ("-۴۵٫۵", "-45.5"),
            ("२०२६-०३-०९", "2026-03-09"),
            ("１７:０５", "17:05"),
            ("٥٢٫١ ٥", "52.1 5"),
            ("فصل ٣", "فصل 3"),
            ("7", "7"),
            ("½ Ⅷ ፩", "½ Ⅷ ፩"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}

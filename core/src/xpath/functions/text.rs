use std::collections::HashMap;

use crate::xpath::World;

/// The UTF-16 units from `start` (included) to `end` (excluded), both from 0; negative ones count from the end.
pub(super) fn substr(text: &str, start: f64, end: f64) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = units.len() as f64;
    let place = |index: f64| {
        let index = index.trunc();
        (if index < 0.0 { length + index } else { index }).clamp(0.0, length) as usize // NaN becomes 0
    };
    let (start, end) = (place(start), place(end));
    units.get(start..end).map(String::from_utf16_lossy).unwrap_or_default()
}

/// `text` with each character of `from` replaced by the one at the same place of `to`, or dropped if `to` is shorter.
pub(super) fn translate(text: &str, from: &str, to: &str) -> String {
    let mut to = to.chars();
    let mut replaced = HashMap::new();
    for c in from.chars() {
        let other = to.next();
        replaced.entry(c).or_insert(other);
    }
    text.chars().filter_map(|c| replaced.get(&c).copied().unwrap_or(Some(c))).collect()
}

/// `text` without blanks at its ends, and with single ones inside.
pub(super) fn normalize_space(text: &str) -> String {
    text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Random characters of `0-9A-Z`, a thousand at most.
pub(super) fn random_word<W: World>(length: f64, world: &W) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const LONGEST: f64 = 1000.0;
    let draw = |_| ALPHABET.get((world.random() * 36.0) as usize).map_or('0', |&byte| char::from(byte));
    (0..length.clamp(0.0, LONGEST) as usize).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_texts() {
        const END: f64 = f64::INFINITY;
        for (text, start, end, expected) in [
            ("abcdef", -3.0, END, "def"),
            ("abcdef", 1.0, -1.0, "bcde"),
            ("abcdef", 0.0, 1.0, "a"),
            ("abcdef", -0.5, END, "abcdef"),
            ("abcdef", 1.9, 2.9, "b"),
            ("abc", 2.0, 9.0, "c"),
            ("abc", -9.0, 1.0, "a"),
            ("abc", 3.0, 1.0, ""),
            ("abc", f64::NAN, END, "abc"),
            ("abc", 1.0, f64::NAN, ""),
            ("é1", 1.0, END, "1"),
            ("🐐!", 2.0, END, "!"),
        ] {
            assert_eq!(substr(text, start, end), expected, "{text} {start} {end}");
        }
    }

    #[test]
    fn letters_are_translated_one_by_one() {
        assert_eq!(translate("a-b٣", "ab٣-", "AB3"), "AB3");
        assert_eq!(translate("bar", "abc", "AB"), "BAr");
        assert_eq!(translate("aaa", "aa", "bc"), "bbb");
    }
}

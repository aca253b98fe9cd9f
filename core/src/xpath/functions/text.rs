use crate::xpath::World;

/// The characters from `start` up to `end`, counted from 0 in UTF-16 units; negative numbers count from the end.
pub(super) fn substr(text: &str, start: f64, end: Option<f64>) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let clamp = |index: f64| {
        let index = if index < 0.0 { index + units.len() as f64 } else { index };
        (index.max(0.0) as usize).min(units.len())
    };
    let (start, end) = (clamp(start), end.map_or(units.len(), clamp));
    String::from_utf16_lossy(units.get(start..end).unwrap_or_default())
}

/// Replaces each character of `from` by its counterpart in `to`, or drops it where there is none.
pub(super) fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    let replaced = text.chars().filter_map(|c| match from.chars().position(|known| known == c) {
        Some(index) => to.get(index).copied(),
        None => Some(c),
    });
    replaced.collect()
}

/// Random characters of `0-9A-Z`.
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
        for (text, start, end, expected) in [
            ("abcdef", -3.0, None, "def"),
            ("abcdef", 1.0, Some(-1.0), "bcde"),
            ("abcdef", 0.0, Some(1.0), "a"),
            ("abc", 2.0, Some(9.0), "c"),
            ("abc", 3.0, Some(1.0), ""),
            ("abc", f64::NAN, None, "abc"),
            ("é1", 1.0, None, "1"),
        ] {
            assert_eq!(substr(text, start, end), expected, "{text} {start}");
        }
        assert_eq!(translate("a-b٣", "ab٣-", "AB3"), "AB3");
    }
}

//! Words of strangers, who write form titles, file names, answers and what servers say, made harmless for a terminal.

use unicode_bidi::{BidiClass, bidi_class};

const POP_ISOLATE: char = '\u{2069}';

/// What a terminal is sent for a character: nothing for one that steers it or turns what stands around it, a space for one
/// that would end the line.
pub(super) fn printable(c: char) -> Option<char> {
    match bidi_class(c) {
        BidiClass::B | BidiClass::S => Some(' '),
        // Embeddings and overrides reach beyond their text; isolates, which do not, are balanced where they stand.
        BidiClass::LRE | BidiClass::RLE | BidiClass::LRO | BidiClass::RLO | BidiClass::PDF => None,
        _ if is_hidden(c) => None,
        _ => Some(c),
    }
}

/// Whether a character is not seen and says something: to the terminal, to a program, or to nobody.
fn is_hidden(c: char) -> bool {
    // Line separators, interlinear annotations, the byte order mark, tags: none is part of a language.
    c.is_control() || matches!(c, '\u{2028}' | '\u{fff9}'..='\u{fffb}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as it stands in a line of ours.
pub(crate) fn plain(text: &str) -> String {
    let mut n_open = 0_usize;
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter_map(printable) {
        match c {
            '\u{2066}'..='\u{2068}' => n_open += 1,
            POP_ISOLATE if n_open == 0 => continue,
            POP_ISOLATE => n_open -= 1,
            _ => {}
        }
        plain.push(c);
    }
    plain.extend(std::iter::repeat_n(POP_ISOLATE, n_open));
    plain
}

/// The same for several lines of ours: what steers a terminal is left out wherever it came from.
pub(crate) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// JSON that no terminal takes for more than text: what the format lets stand is escaped, too.
pub(crate) fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        if printable(c) == Some(c) && !matches!(c, '\u{2066}'..='\u{2069}') {
            plain.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| plain.push_str(&format!("\\u{unit:04x}")));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What strangers write, and what of it reaches a terminal.
    const ROWS: &[(&str, &str)] = &[
        ("Visit 7", "Visit 7"),
        ("é 中 مرحبا ሰላም 👩‍👩‍👧", "é 中 مرحبا ሰላም 👩‍👩‍👧"),
        ("a\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{1b}]8;;http://e.org\u{1b}\\d", "a[2Jb]0;titlec]8;;http://e.org\\d"),
        ("a\u{9b}31mb\u{9d}52;c;x\u{9c}c\u{90}d", "a31mb52;c;xcd"),
        ("a\u{0}b\u{8}c\u{7f}d\u{85}e", "abcd e"),
        ("one\ntwo\rthree\tfour\u{2028}five\u{2029}six", "one two three fourfive six"),
        ("a\u{202e}fdp.exe\u{202c}b", "afdp.exeb"),
        ("a\u{2067}b", "a\u{2067}b\u{2069}"),
        ("a\u{2069}b\u{2066}c\u{2069}", "ab\u{2066}c\u{2069}"),
        ("a\u{feff}\u{e0041}\u{fff9}b", "ab"),
    ];

    #[test]
    fn no_words_of_strangers_steer_a_terminal() {
        for (text, shown) in ROWS {
            assert_eq!(plain(text), *shown, "{text:?}");
            assert_eq!(plain(&plain(text)), *shown, "twice is once: {text:?}");
        }
        let every: String = ('\0'..='\u{10ffff}').collect();
        let shown = plain(&every);
        assert!(!shown.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')));
        assert_eq!(plain_lines("a\u{1b}\nb\u{2066}\nc"), "a\nb\u{2066}\u{2069}\nc");
    }

    #[test]
    fn json_says_the_same_and_steers_nothing() {
        for (text, _) in ROWS {
            let json = plain_json(&serde_json::json!({ "title": text }).to_string());
            assert!(!json.contains(|c| printable(c) != Some(c) || matches!(c, '\u{2066}'..='\u{2069}')), "{json:?}");
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["title"], *text);
        }
    }
}

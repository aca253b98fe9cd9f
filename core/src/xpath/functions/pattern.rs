use fancy_regex::{Regex, RegexBuilder};

/// How often the matcher may step back before it gives up on a text.
const MAX_STEPS_BACK: usize = 200_000;

/// The largest compiled form of a pattern, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// The regular expression as `regex()` uses it: it must match the whole text, and `\d`, `\w` and `\s` mean ASCII, as in
/// Java. `None` if it cannot be compiled.
pub(in crate::xpath) fn compile_pattern(pattern: &str) -> Option<Regex> {
    let whole = format!(r"\A(?:{})\z", with_ascii_classes(pattern));
    RegexBuilder::new(&whole).backtrack_limit(MAX_STEPS_BACK).delegate_size_limit(MAX_SIZE).build().ok()
}

fn with_ascii_classes(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            translated.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => translated.push_str("[0-9]"),
            Some('D') => translated.push_str("[^0-9]"),
            Some('w') => translated.push_str("[A-Za-z0-9_]"),
            Some('W') => translated.push_str("[^A-Za-z0-9_]"),
            Some('s') => translated.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => translated.push_str(r"[^ \t\n\x0B\f\r]"),
            escaped => {
                translated.push('\\');
                translated.extend(escaped);
            }
        }
    }
    translated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_text_as_in_java() {
        for (pattern, text, matches) in [
            ("b", "abc", false),
            ("abc", "abc", true),
            ("^abc$", "abc", true),
            ("a|abc", "abc", true),
            (r"\d{3}", "123", true),
            (r"\d{3}", "١٢٣", false),
            (r"[\d\s-]+", "1 2-3", true),
            (r"[^\d]", "x", true),
            (r"[^\d]", "7", false),
            (r"\w+", "a_1", true),
            (r"\w+", "é", false),
            (r"\D\W\S", "a-b", true),
            (r"\\d", r"\d", true),
            (r"(?=.*\d)(?=.*[a-z]).{4,}", "abc1", true),
            (r"(?=.*\d)(?=.*[a-z]).{4,}", "abcd", false),
            (r"(a)\1", "aa", true),
            (r"\p{L}+", "été", true),
            ("", "", true),
        ] {
            let compiled = compile_pattern(pattern).unwrap();
            assert_eq!(compiled.is_match(text).unwrap(), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["(", "[a", "*", "\\", "(?:a{1000}){1000}"] {
            assert!(compile_pattern(pattern).is_none(), "{pattern}");
        }
    }
}

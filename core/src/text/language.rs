//! Languages of a form: their tags, their direction, how one is chosen and what stands in where a translation is missing.
//!
//! A form names its languages in free words (`lang="ትግርኛ (ti)"`). What follows from such a name is decided in
//! `session.md`, Language.

use std::fmt;

use unicode_bidi::{BidiClass, bidi_class};

/// A language of a form: the words its author gave it, and the tag found in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// The `lang` attribute, as shown to people.
    pub name: String,
    /// The tag in it, if there is one.
    pub tag: Option<Tag>,
}

impl Language {
    /// Reads a `lang` attribute: the tag is the text in the last parentheses if that is one, else the whole if that is
    /// one, else there is none.
    #[must_use]
    pub fn new(lang: &str) -> Self {
        let in_parentheses =
            lang.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside.trim());
        let tag = in_parentheses.and_then(Tag::parse).or_else(|| Tag::parse(lang.trim()));
        Self { name: lang.to_owned(), tag }
    }

    fn base(&self) -> Option<&str> {
        self.tag.as_ref().map(Tag::base)
    }
}

/// The language a person asked for, by full name or by tag, ignoring case; a tag also chooses another one of the same base
/// language (`ti-ER` chooses `ti`). `None` if the form has nothing of the kind.
#[must_use]
pub fn choose(languages: &[Language], wanted: &str) -> Option<usize> {
    let wanted = wanted.trim();
    let name = wanted.to_lowercase();
    let tag = Tag::parse(wanted);
    let by_name = || languages.iter().position(|language| language.name.trim().to_lowercase() == name);
    let by_tag = || languages.iter().position(|language| language.tag.is_some() && language.tag == tag);
    let by_base = || {
        let base = tag.as_ref()?.base();
        languages.iter().position(|language| language.base() == Some(base))
    };
    by_name().or_else(by_tag).or_else(by_base)
}

/// In which order the translations of one string are tried: the chosen language, others of the same base language, the
/// default, all others in the order of the form. Every language occurs once; after the last, the question's name stands in.
///
/// An index outside `languages` is left out.
#[must_use]
pub fn fallback_order(languages: &[Language], chosen: usize, default: usize) -> Vec<usize> {
    let base = languages.get(chosen).and_then(Language::base);
    let same_base =
        (0..languages.len()).filter(|&i| base.is_some() && languages.get(i).and_then(Language::base) == base);
    let mut order = Vec::with_capacity(languages.len());
    for i in [chosen].into_iter().chain(same_base).chain([default]).chain(0..languages.len()) {
        if i < languages.len() && !order.contains(&i) {
            order.push(i);
        }
    }
    order
}

/// Whether a translation counts as missing: nothing, white space, or the `-` that form tools write for nothing.
#[must_use]
pub fn is_missing(text: &str) -> bool {
    matches!(text.trim(), "" | "-")
}

/// The way a string is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// As Dutch and Tigrinya.
    #[default]
    LeftToRight,
    /// As Arabic.
    RightToLeft,
}

impl Direction {
    /// The direction of the first strong letter outside isolates (UAX #9, P2), else of the first inside them; `None`
    /// where there is no letter.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let mut isolates = 0_usize;
        let mut inside = None;
        for c in text.chars() {
            let direction = match bidi_class(c) {
                BidiClass::L => Self::LeftToRight,
                BidiClass::R | BidiClass::AL => Self::RightToLeft,
                BidiClass::LRI | BidiClass::RLI | BidiClass::FSI => {
                    isolates += 1;
                    continue;
                }
                BidiClass::PDI => {
                    isolates = isolates.saturating_sub(1);
                    continue;
                }
                _ => continue,
            };
            if isolates == 0 {
                return Some(direction);
            }
            inside = inside.or(Some(direction));
        }
        inside
    }
}

/// A well-formed BCP 47 language tag, in the usual case (`ku-Arab-IQ`), so that equal tags are equal strings.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// Reads a tag by the grammar of RFC 5646 §2.1.
    ///
    /// Narrower than the grammar in one point: the primary language has two or three letters. Longer ones are only
    /// reserved, and would make tags of `English` and `default`. The grandfathered tags are left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let subtags: Vec<&str> = text.split('-').collect();
        let is_subtag = |s: &&str| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
        if !subtags.iter().all(is_subtag) {
            return None;
        }
        let mut rest = subtags.as_slice();
        if !is_private_use(rest) {
            take(&mut rest, |s| is_alphabetic(s, 2..=3))?;
            // Up to three extended language subtags may follow a two or three letter language.
            for _ in 0..3 {
                take(&mut rest, |s| is_alphabetic(s, 3..=3));
            }
            take(&mut rest, is_script);
            take(&mut rest, is_region);
            while take(&mut rest, is_variant).is_some() {}
            while let Some(after) = extension(rest) {
                rest = after;
            }
            if !rest.is_empty() && !is_private_use(rest) {
                return None;
            }
        }
        Some(Self(in_usual_case(&subtags)))
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The primary language: `ti` of `ti-ER`. Of a tag for private use it is the whole.
    #[must_use]
    pub fn base(&self) -> &str {
        match self.0.split_once('-') {
            Some((language, _)) if language != "x" => language,
            _ => &self.0,
        }
    }

    /// The direction: of the script the tag names, else of the script its language is usually written in.
    #[must_use]
    pub fn direction(&self) -> Direction {
        let right_to_left = match self.script() {
            Some(script) => RIGHT_TO_LEFT_SCRIPTS.contains(&script),
            None => match self.region().and_then(|region| script_differs(self.base(), region)) {
                Some(direction) => return direction,
                None => RIGHT_TO_LEFT_LANGUAGES.contains(&self.base()),
            },
        };
        if right_to_left { Direction::RightToLeft } else { Direction::LeftToRight }
    }

    fn script(&self) -> Option<&str> {
        self.before_singletons().find(|s| is_script(s))
    }

    fn region(&self) -> Option<&str> {
        self.before_singletons().find(|s| is_region(s))
    }

    /// The subtags after the language and before extensions and private use, where four letters are a script.
    fn before_singletons(&self) -> impl Iterator<Item = &str> {
        self.0.split('-').take_while(|s| s.len() > 1).skip(1)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// ISO 15924 codes of the scripts that run from right to left (Unicode Character Database, `Bidi_Class` R and AL).
const RIGHT_TO_LEFT_SCRIPTS: &[&str] = &[
    "Adlm", "Arab", "Aran", "Armi", "Avst", "Chrs", "Cprt", "Elym", "Gara", "Hatr", "Hebr", "Hung", "Khar", "Lydi",
    "Mand", "Mani", "Mend", "Merc", "Mero", "Narb", "Nbat", "Nkoo", "Orkh", "Ougr", "Palm", "Phli", "Phlp", "Phnx",
    "Prti", "Rohg", "Samr", "Sarb", "Sogd", "Sogo", "Syrc", "Syre", "Syrj", "Syrn", "Thaa", "Yezi",
];

/// Languages usually written in such a script: ISO 639-1 where it exists, with the three-letter codes people also write.
const RIGHT_TO_LEFT_LANGUAGES: &[&str] = &[
    // Arabic and what is spoken of it
    "ar", "ara", "arb", "abh", "abv", "acm", "acq", "acw", "acx", "acy", "adf", "aeb", "aec", "afb", "ajp", "apc",
    "apd", "arq", "ars", "ary", "arz", "auz", "avl", "ayh", "ayl", "ayn", "ayp", "pga", "shu", "ssh",
    // in Arabic script
    "azb", "bal", "bcc", "bft", "bgn", "bgp", "bqi", "brh", "ckb", "fa", "fas", "per", "pes", "prs", "glk", "haz",
    "khw", "ks", "kas", "lki", "lrc", "luz", "mzn", "pnb", "ps", "pus", "pbt", "pbu", "pst", "sd", "snd", "sdh", "skr",
    "ug", "uig", "ur", "urd", "zdj",
    // in Hebrew, Syriac, Thaana, N'Ko, Samaritan, Mandaic, Hanifi Rohingya script
    "he", "heb", "iw", "hbo", "jpr", "jrb", "lad", "yi", "yid", "ji", "ydd", "yih", "arc", "aii", "cld", "syc", "syr",
    "tru", "dv", "div", "nqo", "sam", "smp", "mid", "rhg",
];

/// Where a region decides the script (Unicode CLDR, likely subtags).
fn script_differs(language: &str, region: &str) -> Option<Direction> {
    match (language, region) {
        ("az", "IR" | "IQ") | ("kk", "AF" | "CN" | "IR" | "MN") | ("ky", "CN") | ("pa", "PK") | ("uz", "AF") => {
            Some(Direction::RightToLeft)
        }
        ("ug", "KZ" | "MN") | ("sd", "IN") => Some(Direction::LeftToRight),
        _ => None,
    }
}

fn take<'a>(rest: &mut &[&'a str], fits: impl Fn(&str) -> bool) -> Option<&'a str> {
    let (first, after) = rest.split_first()?;
    fits(first).then(|| {
        *rest = after;
        *first
    })
}

/// What follows an extension: a singleton other than `x`, then subtags of two and more characters.
fn extension<'a, 'b>(subtags: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let (singleton, after) = subtags.split_first()?;
    let n_parts = after.iter().take_while(|s| s.len() > 1).count();
    (singleton.len() == 1 && !singleton.eq_ignore_ascii_case("x") && n_parts > 0).then(|| after.get(n_parts..))?
}

fn is_private_use(subtags: &[&str]) -> bool {
    subtags.len() > 1 && subtags.first().is_some_and(|s| s.eq_ignore_ascii_case("x"))
}

fn is_alphabetic(s: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_script(s: &str) -> bool {
    is_alphabetic(s, 4..=4)
}

fn is_region(s: &str) -> bool {
    is_alphabetic(s, 2..=2) || (s.len() == 3 && s.bytes().all(|b| b.is_ascii_digit()))
}

fn is_variant(s: &str) -> bool {
    s.len() >= 5 || (s.len() == 4 && s.starts_with(|c: char| c.is_ascii_digit()))
}

/// RFC 5646 §2.1.1: lower case, but two letters upper and four letters in title case, unless first or after a singleton.
fn in_usual_case(subtags: &[&str]) -> String {
    let mut tag = String::new();
    let mut may_be_upper = false;
    for subtag in subtags {
        if !tag.is_empty() {
            tag.push('-');
        }
        let lower = subtag.to_ascii_lowercase();
        match lower.len() {
            2 if may_be_upper => tag.push_str(&lower.to_ascii_uppercase()),
            4 if may_be_upper => {
                tag.extend(lower.char_indices().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }))
            }
            _ => tag.push_str(&lower),
        }
        may_be_upper = lower.len() > 1 && (may_be_upper || tag.len() == lower.len());
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn five() -> Vec<Language> {
        ["Nederlands (nl)", "English (en)", "العربية (ar)", "ትግርኛ (ti)", "Türkçe (tr)"].map(Language::new).to_vec()
    }

    #[test]
    fn the_tag_is_in_the_last_parentheses_or_is_the_whole() {
        for (lang, tag) in [
            ("Nederlands (nl)", Some("nl")),
            ("العربية (ar)", Some("ar")),
            ("中文 (简体) (zh-hans)", Some("zh-Hans")),
            ("ti-er", Some("ti-ER")),
            (" fr ", Some("fr")),
            ("Lao", Some("lao")),
            ("English", None),
            ("default", None),
            ("Español", None),
            ("English (easy words)", None),
            ("English (en", None),
            ("(en) English (spoken)", None),
            ("", None),
        ] {
            assert_eq!(Language::new(lang).tag.as_ref().map(Tag::as_str), tag, "{lang}");
        }
    }

    #[test]
    fn tags_follow_the_grammar_of_rfc_5646() {
        for (text, tag) in [
            ("en", "en"),
            ("SR-latn-rs", "sr-Latn-RS"),
            ("zh-yue-HK", "zh-yue-HK"),
            ("es-419", "es-419"),
            ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
            ("en-u-ca-ethiopic-x-AB", "en-u-ca-ethiopic-x-ab"),
            ("x-Field-Team", "x-field-team"),
        ] {
            assert_eq!(Tag::parse(text).as_ref().map(Tag::as_str), Some(tag), "{text}");
        }
        for text in [
            "",
            "-",
            "e",
            "en-",
            "en--US",
            "en_US",
            "en-US-GB",
            "en-u",
            "x",
            "en-x",
            "i-klingon",
            "1en",
            "nl-toolongsub",
        ] {
            assert_eq!(Tag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn direction_follows_the_script_then_the_usual_script() {
        use Direction::{LeftToRight, RightToLeft};
        for (tag, direction) in [
            ("ar", RightToLeft),
            ("ar-Latn", LeftToRight),
            ("ti", LeftToRight),
            ("ku", LeftToRight),
            ("ku-Arab", RightToLeft),
            ("pa", LeftToRight),
            ("pa-PK", RightToLeft),
            ("pa-Guru-PK", LeftToRight),
            ("ug-KZ", LeftToRight),
            ("en-x-arab", LeftToRight),
            ("yi", RightToLeft),
        ] {
            assert_eq!(Tag::parse(tag).unwrap().direction(), direction, "{tag}");
        }
        for tag in ["ar", "arc", "ckb", "dv", "fa", "he", "ks", "nqo", "ps", "sd", "ug", "ur", "yi"] {
            assert_eq!(Tag::parse(tag).unwrap().direction(), RightToLeft, "{tag}");
        }
    }

    #[test]
    fn without_a_tag_the_first_strong_letter_decides() {
        use Direction::{LeftToRight, RightToLeft};
        assert_eq!(Direction::of_text("12. مرحبا Nuenen"), Some(RightToLeft));
        assert_eq!(Direction::of_text("(1) Nuenen مرحبا"), Some(LeftToRight));
        assert_eq!(Direction::of_text("\u{2068}Nuenen\u{2069} مدينة"), Some(RightToLeft), "isolates are skipped");
        assert_eq!(Direction::of_text("\u{2068}مدينة\u{2069} 3"), Some(RightToLeft), "unless there is nothing else");
        assert_eq!(Direction::of_text("1 + 2"), None);
    }

    #[test]
    fn a_language_is_chosen_by_name_or_tag_ignoring_case() {
        let languages = five();
        assert_eq!(choose(&languages, "türkçe (TR)"), Some(4));
        assert_eq!(choose(&languages, "EN"), Some(1));
        assert_eq!(choose(&languages, "ti-ER"), Some(3));
        assert_eq!(choose(&languages, "fr"), None);
        assert_eq!(choose(&languages, "Deutsch"), None);
        let unnamed = [Language::new("default"), Language::new("Other")];
        assert_eq!(choose(&unnamed, "Default"), Some(0));
        assert_eq!(choose(&unnamed, "en"), None, "languages without a tag are not all the same language");
    }

    #[test]
    fn an_exact_tag_wins_over_the_same_base_language() {
        let languages = ["en-GB", "en-US"].map(Language::new);
        assert_eq!(choose(&languages, "en-us"), Some(1));
        assert_eq!(choose(&languages, "en-AU"), Some(0));
    }

    #[test]
    fn fallback_goes_from_near_to_far() {
        let languages = ["fr", "en-GB", "ar", "en-US", "Other"].map(Language::new);
        assert_eq!(fallback_order(&languages, 3, 2), [3, 1, 2, 0, 4]);
        assert_eq!(fallback_order(&languages, 4, 0), [4, 0, 1, 2, 3]);
        assert_eq!(fallback_order(&languages, 9, 0), [0, 1, 2, 3, 4]);
        assert!(fallback_order(&[], 0, 0).is_empty());
        assert!(is_missing("") && is_missing(" - ") && !is_missing("–") && !is_missing("-1"));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_a_tag_reads_as_itself(lang in "\\PC{0,40}|[a-zA-Z0-9-]{0,24}") {
            if let Some(tag) = Language::new(&lang).tag {
                prop_assert_eq!(Tag::parse(tag.as_str()), Some(tag.clone()));
                prop_assert!(tag.as_str().starts_with(tag.base()));
                let _ = tag.direction();
            }
        }

        #[test]
        fn every_language_is_tried_once(chosen in 0_usize..5, default in 0_usize..5) {
            let mut order = fallback_order(&five(), chosen, default);
            prop_assert_eq!(order[0], chosen);
            order.sort_unstable();
            prop_assert_eq!(order, vec![0, 1, 2, 3, 4]);
        }
    }
}

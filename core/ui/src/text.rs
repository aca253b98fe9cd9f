//! A string on its way to the screen, and the words of the app in one language.

use serde::Serialize;
use veldwerk::text::words::Words;
use veldwerk::text::{Align, BlockKind, Direction, Tag, Text};

/// One string for people, resolved: a shell draws it and looks nothing up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct UiText {
    /// The string with its shape; empty if there is nothing to show.
    pub blocks: Vec<UiBlock>,
    /// The same without its shape: what a screen reader says and a search finds. Lines are parted by `\n`.
    pub plain: String,
    /// The language it is in, as a BCP 47 tag; empty if nobody says.
    pub language: String,
    /// Whether it is read from right to left.
    pub right_to_left: bool,
    /// Whether it stands in for a translation that the chosen language lacks.
    pub fallback: bool,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct UiBlock {
    /// A heading from 1, the largest, to 6; 0 for running text.
    pub heading: u8,
    /// To which side its lines are moved.
    pub align: Side,
    /// Its text in order; never empty.
    pub spans: Vec<UiSpan>,
}

/// Where the lines of a block stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiSide"))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the side of its name; start and end follow the direction of reading")]
pub enum Side {
    Start,
    Center,
    End,
    Left,
    Right,
}

/// Text of one look and one script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct UiSpan {
    /// What it says.
    pub text: String,
    /// The script of its letters, so that a shell knows the font.
    pub script: Script,
    /// Bold.
    pub bold: bool,
    /// Italic, where the script has it.
    pub italic: bool,
    /// The colour of the letters, `rrggbb`; none for the usual one.
    pub color: Option<String>,
    /// An address that may be shown and opened.
    pub link: Option<String>,
}

/// The scripts that have a font of their own (screens.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiScript"))]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is the script of its name; Latin has the digits and all that has no font of its own"
)]
pub enum Script {
    Latin,
    Arabic,
    Ethiopic,
}

impl Script {
    /// The script of a letter; none for what goes with any script: blanks, marks, digits.
    fn of(letter: char) -> Option<Self> {
        match letter {
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{8a0}'..='\u{8ff}' | '\u{fb50}'..='\u{fdff}' => {
                Some(Self::Arabic)
            }
            '\u{fe70}'..='\u{feff}' => Some(Self::Arabic),
            '\u{1200}'..='\u{139f}' | '\u{2d80}'..='\u{2ddf}' | '\u{ab00}'..='\u{ab2f}' => Some(Self::Ethiopic),
            // Noto Sans Ethiopic has neither digits nor a question mark, Noto Sans Arabic no Latin letters.
            letter if letter.is_alphanumeric() || letter == '?' => Some(Self::Latin),
            _ => None,
        }
    }
}

impl UiText {
    /// Words of our own in one language, without markup.
    #[must_use]
    pub fn plain(text: &str, words: Words) -> Self {
        Self::of_run(text, words.language(), words.direction() == Direction::RightToLeft)
    }

    /// A name or a value, which has the direction of its own letters.
    #[must_use]
    pub fn value(text: &str) -> Self {
        Self::of_run(text, "", Direction::of_text(text) == Some(Direction::RightToLeft))
    }

    fn of_run(text: &str, language: &str, right_to_left: bool) -> Self {
        let look = UiSpan {
            text: text.to_owned(),
            script: Script::Latin,
            bold: false,
            italic: false,
            color: None,
            link: None,
        };
        let blocks = if text.is_empty() {
            Vec::new()
        } else {
            vec![UiBlock { heading: 0, align: Side::Start, spans: by_script(&look) }]
        };
        Self { blocks, plain: text.to_owned(), language: language.to_owned(), right_to_left, fallback: false }
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

impl From<&Text> for UiText {
    fn from(text: &Text) -> Self {
        let blocks = text.blocks.iter().map(|block| {
            let (heading, align) = match block.kind {
                BlockKind::Heading(level) => (level, Align::Start),
                BlockKind::Paragraph(align) => (0, align),
            };
            let spans = block.spans.iter().flat_map(|span| {
                let color = span.style.color.map(|c| format!("{:02x}{:02x}{:02x}", c.red, c.green, c.blue));
                by_script(&UiSpan {
                    text: span.text.clone(),
                    script: Script::Latin,
                    bold: span.style.bold,
                    italic: span.style.italic,
                    color,
                    link: span.style.link.clone(),
                })
            });
            UiBlock { heading, align: side(align), spans: spans.collect() }
        });
        Self {
            blocks: blocks.collect(),
            plain: text.plain.clone(),
            language: text.language.clone().unwrap_or_default(),
            right_to_left: text.direction == Direction::RightToLeft,
            fallback: text.fallback,
        }
    }
}

const fn side(align: Align) -> Side {
    match align {
        Align::Start => Side::Start,
        Align::Center => Side::Center,
        Align::End => Side::End,
        Align::Left => Side::Left,
        Align::Right => Side::Right,
    }
}

/// The text of a span, parted where its script changes; what has no script goes with the letters before it.
fn by_script(span: &UiSpan) -> Vec<UiSpan> {
    let mut parts: Vec<UiSpan> = Vec::new();
    let first = span.text.chars().find_map(Script::of).unwrap_or(Script::Latin);
    for letter in span.text.chars() {
        let now = parts.last().map_or(first, |part| part.script);
        let script = Script::of(letter).unwrap_or(now);
        match parts.last_mut() {
            Some(part) if part.script == script => part.text.push(letter),
            _ => parts.push(UiSpan { text: letter.to_string(), script, ..span.clone() }),
        }
    }
    parts
}

/// The words of the app in one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    words: Words,
}

impl Speech {
    /// The words in the language of a tag; English where there are none.
    pub(crate) fn of(tag: Option<&Tag>) -> Self {
        Self { words: Words::of(tag) }
    }

    pub(crate) const fn words(self) -> Words {
        self.words
    }

    pub(crate) fn is_right_to_left(self) -> bool {
        self.words.direction() == Direction::RightToLeft
    }

    /// The text of `key`.
    pub(crate) fn say(self, key: &str) -> UiText {
        self.with(key, &[])
    }

    /// The text of `key` with its gaps filled.
    pub(crate) fn with(self, key: &str, values: &[(&str, &str)]) -> UiText {
        UiText::plain(&self.words.with(key, values).unwrap_or_default(), self.words)
    }

    /// Words that are put together here.
    pub(crate) fn own(self, text: &str) -> UiText {
        UiText::plain(text, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parted_where_its_script_changes() {
        let arabic = Words::of(Tag::parse("ar").as_ref());
        let text = UiText::plain("النتائج: \u{2068}12 km\u{2069} ቃል", arabic);
        let parts: Vec<_> = text.blocks[0].spans.iter().map(|span| (span.text.as_str(), span.script)).collect();
        assert_eq!(
            parts,
            [("النتائج: \u{2068}", Script::Arabic), ("12 km\u{2069} ", Script::Latin), ("ቃል", Script::Ethiopic)]
        );
        assert!(text.right_to_left && text.language == "ar");
        assert!(UiText::value("").is_empty());
    }
}

//! What a form says to people: labels, hints, messages and the names of choices, in the language they chose.
//!
//! A [`Text`] is one such string, ready to be drawn without knowing HTML or Markdown, in any language: it says which
//! language it is in, how it is read, and whether it stands in for a missing translation. It is made of [`Part`]s: words of
//! the author, in which Markdown is live, and values of answers, which are never anything but letters.

mod color;
pub mod digits;
pub mod fold;
mod html;
pub mod language;
mod link;
pub mod markdown;
pub mod words;

pub use color::Color;
pub use language::{Direction, Language, Tag};
pub use markdown::{Align, Block, BlockKind, Span, Style};

/// A piece of a string on its way to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Words of the form's author: Markdown in them is live.
    Authored(&'a str),
    /// What an `<output>` puts in, or a name: shown as it is, between bidi isolates.
    Value(&'a str),
}

/// One string for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The string with its shape; empty if there is nothing to show.
    pub blocks: Vec<Block>,
    /// The same without its shape: for a list, a screen reader, a search. Lines are parted by `\n`.
    pub plain: String,
    /// The language it is in, as a BCP 47 tag; `None` if the form does not say.
    pub language: Option<String>,
    /// How it is read.
    pub direction: Direction,
    /// Whether it stands in for a translation that the chosen language lacks.
    pub fallback: bool,
}

impl Text {
    /// Reads `parts`, which are in the language `tag`.
    #[must_use]
    pub fn new(parts: &[Part<'_>], tag: Option<&Tag>, fallback: bool) -> Self {
        let blocks = markdown::parse(parts);
        let plain = markdown::plain(&blocks);
        let direction = tag.map(Tag::direction).or_else(|| Direction::of_text(&plain)).unwrap_or_default();
        Self { blocks, plain, language: tag.map(|tag| tag.as_str().to_owned()), direction, fallback }
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_its_language_and_direction() {
        let arabic = Tag::parse("ar");
        let parts = [Part::Authored("كنت تسكن في **"), Part::Value("Nuenen"), Part::Authored("**؟")];
        let text = Text::new(&parts, arabic.as_ref(), false);
        assert_eq!(text.plain, "كنت تسكن في \u{2068}Nuenen\u{2069}؟");
        assert_eq!(text.language.as_deref(), Some("ar"));
        assert_eq!(text.direction, Direction::RightToLeft);
        assert!(!text.fallback);
        assert_eq!(text.blocks[0].spans.len(), 3);
    }

    #[test]
    fn direction_without_a_tag_is_that_of_the_words_not_of_the_value() {
        let parts = [Part::Value("Nuenen"), Part::Authored(" مدينة")];
        assert_eq!(Text::new(&parts, None, true).direction, Direction::RightToLeft);
        assert_eq!(Text::new(&[Part::Value("q_1")], None, true).direction, Direction::LeftToRight);
        assert!(Text::new(&[], None, false).is_empty());
    }
}

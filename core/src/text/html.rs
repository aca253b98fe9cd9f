//! The inline HTML that authors use, one tag at a time: what it means here, or that it means nothing.

use super::markdown::{Align, BlockKind, Glyph, Style};
use super::{Color, link};

/// What a tag does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tag {
    /// Changes how what follows looks, up to the closing tag of the same name.
    Open(Name, Look),
    /// Ends the element opened last under this name.
    Close(Name),
    /// Begins a new line.
    Break,
    /// HTML, but without a meaning here: left out, its content stays.
    Nothing,
}

/// Elements with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Span,
    Font,
    Bold,
    Italic,
    Link,
    /// `p` and `div`.
    Paragraph,
    /// `h1` to `h6`.
    Heading(u8),
}

impl Name {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "span" => Self::Span,
            "font" => Self::Font,
            "b" | "strong" => Self::Bold,
            "i" | "em" => Self::Italic,
            "a" => Self::Link,
            "p" | "div" => Self::Paragraph,
            "h1" => Self::Heading(1),
            "h2" => Self::Heading(2),
            "h3" => Self::Heading(3),
            "h4" => Self::Heading(4),
            "h5" => Self::Heading(5),
            "h6" => Self::Heading(6),
            _ => return None,
        })
    }

    /// Whether the element stands on lines of its own.
    pub(super) fn is_block(self) -> bool {
        matches!(self, Self::Paragraph | Self::Heading(_))
    }
}

/// What an element changes; `None` leaves things as they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    bold: bool,
    italic: bool,
    color: Option<Color>,
    font: Option<String>,
    link: Option<String>,
    align: Align,
}

impl Look {
    pub(super) fn apply(&self, style: &mut Style) {
        style.bold |= self.bold;
        style.italic |= self.italic;
        style.color = self.color.or(style.color);
        if self.font.is_some() {
            style.font.clone_from(&self.font);
        }
        if self.link.is_some() {
            style.link.clone_from(&self.link);
        }
    }

    pub(super) fn block(&self, name: Name) -> BlockKind {
        match name {
            Name::Heading(level) => BlockKind::Heading(level),
            _ => BlockKind::Paragraph(self.align),
        }
    }

    fn of(name: Name, attributes: &[Attribute<'_, '_>]) -> Self {
        let mut look = Self { bold: name == Name::Bold, italic: name == Name::Italic, ..Self::default() };
        for (attribute, value) in attributes {
            match attribute.as_str() {
                "style" => look.read_css(&text(value)),
                "color" => look.color = Color::parse(&text(value)),
                "face" => look.font = font(&text(value)),
                "align" => look.align = align(&text(value)),
                "href" if name == Name::Link => look.link = link::target(value),
                _ => {}
            }
        }
        look
    }

    fn read_css(&mut self, css: &str) {
        for (property, value) in css.split(';').filter_map(|declaration| declaration.split_once(':')) {
            let value = value.trim();
            match property.trim().to_ascii_lowercase().as_str() {
                "color" => self.color = Color::parse(value),
                "font-family" => self.font = font(value),
                "font-weight" => {
                    self.bold |= value.eq_ignore_ascii_case("bold") || value.parse::<u16>().is_ok_and(|n| n >= 600)
                }
                "font-style" => self.italic |= value.eq_ignore_ascii_case("italic"),
                "text-align" => self.align = align(value),
                _ => {}
            }
        }
    }
}

/// Reads the inside of `<…>`; `None` if it is no HTML, and so words of the author (`<name>`).
pub(super) fn parse(inside: &[Glyph<'_>]) -> Option<Tag> {
    let (closes, inside) = match inside {
        [Glyph::Char('/'), rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    let is_name = |glyph: &&Glyph<'_>| matches!(glyph, Glyph::Char(c) if c.is_ascii_alphanumeric());
    let (name, rest) = inside.split_at_checked(inside.iter().take_while(is_name).count())?;
    // A name ends at white space or a slash: `<a@b.org>` is an address, not a link.
    if !matches!(rest, [] | [Glyph::Char('/' | ' ' | '\t' | '\n'), ..]) {
        return None;
    }
    let name = text(name).to_ascii_lowercase();
    Some(match Name::parse(&name) {
        Some(name) if closes => Tag::Close(name),
        Some(name) => Tag::Open(name, Look::of(name, &attributes(rest))),
        None if name == "br" => Tag::Break,
        None if WITHOUT_MEANING.contains(&name.as_str()) => Tag::Nothing,
        None => return None,
    })
}

/// Elements that are left out. What is not in the list is no HTML to us and is shown as it stands, `<script>` too.
const WITHOUT_MEANING: &[&str] = &[
    "big",
    "blockquote",
    "center",
    "code",
    "dd",
    "del",
    "dl",
    "dt",
    "hr",
    "img",
    "ins",
    "label",
    "li",
    "mark",
    "ol",
    "pre",
    "s",
    "small",
    "strike",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
];

/// A name in lower case and the glyphs of its value.
type Attribute<'a, 'g> = (String, &'g [Glyph<'a>]);

fn attributes<'a, 'g>(mut rest: &'g [Glyph<'a>]) -> Vec<Attribute<'a, 'g>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let name = split(&mut rest, |c| c == '=' || c.is_whitespace());
        skip(&mut rest, |c| c.is_whitespace());
        if !matches!(rest.first(), Some(Glyph::Char('='))) {
            continue;
        }
        skip(&mut rest, |c| c == '=' || c.is_whitespace());
        let value = match rest.first() {
            Some(Glyph::Char(quote @ ('"' | '\''))) => {
                rest = rest.get(1..).unwrap_or_default();
                let value = split(&mut rest, |c| c == *quote);
                rest = rest.get(1..).unwrap_or_default();
                value
            }
            _ => split(&mut rest, char::is_whitespace),
        };
        found.push((text(name).to_ascii_lowercase(), value));
    }
    found
}

/// Takes what comes before the first character that `ends`.
fn split<'a, 'g>(rest: &mut &'g [Glyph<'a>], ends: impl Fn(char) -> bool) -> &'g [Glyph<'a>] {
    let n = rest.iter().take_while(|glyph| !matches!(glyph, Glyph::Char(c) if ends(*c))).count();
    let (before, after) = rest.split_at_checked(n).unwrap_or((rest, &[]));
    *rest = after;
    before
}

fn skip(rest: &mut &[Glyph<'_>], belongs: impl Fn(char) -> bool) {
    split(rest, |c| !belongs(c));
}

fn text(glyphs: &[Glyph<'_>]) -> String {
    let mut text = String::new();
    for glyph in glyphs {
        match glyph {
            Glyph::Char(c) => text.push(*c),
            Glyph::Value(value) => text.push_str(value),
        }
    }
    text
}

fn align(css: &str) -> Align {
    match css.trim().to_ascii_lowercase().as_str() {
        "left" => Align::Left,
        "center" => Align::Center,
        "right" => Align::Right,
        "end" => Align::End,
        _ => Align::Start,
    }
}

/// The first family, if it is a plain name.
fn font(css: &str) -> Option<String> {
    let family = css.split(',').next()?.trim().trim_matches(['"', '\'']);
    let is_plain =
        (1..=64).contains(&family.len()) && family.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '-');
    is_plain.then(|| family.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inside: &str) -> Option<Tag> {
        parse(&inside.chars().map(Glyph::Char).collect::<Vec<_>>())
    }

    #[test]
    fn tags_and_attributes() {
        let red = Some(Color { red: 255, green: 0, blue: 0 });
        let look = Look { color: red, font: Some("cursive".into()), ..Look::default() };
        for inside in [
            r#"span style="color:red;font-family:cursive""#,
            "SPAN STYLE = 'Color: RED; font-family: \"cursive\", serif; background: url(x)'",
            "span hidden style='color:#f00;font-family:cursive' onclick=\"x()\" /",
        ] {
            assert_eq!(of(inside), Some(Tag::Open(Name::Span, look.clone())), "{inside}");
        }
        assert_eq!(of("/p "), Some(Tag::Close(Name::Paragraph)));
        assert_eq!(of("br/"), Some(Tag::Break));
        assert_eq!(of("u"), Some(Tag::Nothing));
        for inside in ["name", "script", "a@example.org", "", "/", "https://example.org", "b=1"] {
            assert_eq!(of(inside), None, "{inside}");
        }
    }

    #[test]
    fn an_answer_cannot_leave_its_attribute() {
        let glyphs = "span style='color:".chars().map(Glyph::Char).chain([Glyph::Value("red' onclick='x")]);
        let glyphs: Vec<_> = glyphs.chain([Glyph::Char('\'')]).collect();
        assert_eq!(parse(&glyphs), Some(Tag::Open(Name::Span, Look::default())));
    }
}

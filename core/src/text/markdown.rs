//! The Markdown that ODK forms use, read into blocks of spans that any shell can draw.
//!
//! | written | becomes |
//! |---|---|
//! | `# …` to `###### …` at the start of a line | a heading |
//! | `*…*` `_…_`, `**…**` `__…__`, `***…***` | italic, bold, both |
//! | `[text](address)` | a link, to a web page, a mail address or a telephone number only |
//! | `\*` and so on | the character itself |
//! | a line break | a line break |
//! | `<span style>` `<font>` `<p style>` `<b>` `<i>` `<a>` `<h1>`… `<br>` | their colour, font, alignment, shape |
//! | anything else | itself |
//!
//! A CommonMark library is the wrong tool. To it `1.` and `-` begin a list and four spaces or `>` a block of their own, so it
//! would eat the numbers of questions and the dashes of an enumeration; it joins lines that the author broke; it knows no
//! colour except as raw HTML. And it takes one string, so answers would have to be escaped into it, where one forgotten
//! character makes an answer into markup. Here an answer is a glyph of its own that no rule looks into.
//!
//! Reading takes two passes over the glyphs: the first finds tokens and pairs marks, the second makes spans. Marks switch
//! a property of the text on and off rather than build a tree, so nothing nests but elements of HTML, and those only
//! sixteen deep; time and space are linear whatever the input.

use std::ops::Range;

use unicode_bidi::{BidiClass, bidi_class};

use super::html::{self, Name, Tag};
use super::{Color, Part, link};

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its shape.
    pub kind: BlockKind,
    /// Its text, in order; never empty. Lines are parted by `\n`.
    pub spans: Vec<Span>,
}

/// The shape of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A heading, from 1, the largest, to 6.
    Heading(u8),
    /// Running text.
    Paragraph(Align),
}

/// To which side the lines of a paragraph are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// To the side where reading begins.
    #[default]
    Start,
    /// To the middle.
    Center,
    /// To the side where reading ends.
    End,
    /// To the left, whatever the language.
    Left,
    /// To the right, whatever the language.
    Right,
}

/// Text of one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What it says; answers in it stand between U+2068 and U+2069.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// A look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Italic; a script without italics may show it otherwise.
    pub italic: bool,
    /// The colour of the letters; shells see to contrast.
    pub color: Option<Color>,
    /// A family of fonts, as CSS names it (`cursive`, `Noto Serif`).
    pub font: Option<String>,
    /// A safe `http`, `https`, `mailto` or `tel` address.
    pub link: Option<String>,
}

/// Reads a text. White space at its ends and at the ends of its blocks is left out, for form tools add it.
#[must_use]
pub fn parse(parts: &[Part<'_>]) -> Vec<Block> {
    let glyphs = glyphs(parts);
    let tokens = Lexer::new(&glyphs).tokens();
    let partners = pair(&tokens);
    let mut builder = Builder::default();
    for (i, token) in tokens.iter().enumerate() {
        let partner = partners.get(i).copied().flatten();
        match (token, partner) {
            (Token::Char(c), _) => builder.push(*c),
            (Token::Value(value), _) => builder.push_value(value),
            (Token::Break, _) => builder.line_break(),
            (Token::Heading(level), _) => builder.heading(*level),
            (Token::Mark(mark), Some(partner)) => builder.switch(mark.strength, partner > i),
            (Token::Mark(mark), None) => (0..mark.strength).for_each(|_| builder.push(mark.char)),
            (Token::Bracket, Some(partner)) => match tokens.get(partner) {
                Some(Token::Link { target, .. }) => builder.set_link(target.clone()),
                _ => builder.push('['),
            },
            (Token::Bracket, None) => builder.push('['),
            (Token::EndBracket, _) => builder.push(']'),
            (Token::Link { .. }, Some(_)) => builder.set_link(None),
            (Token::Link { raw, .. }, None) => {
                for glyph in glyphs.get(raw.clone()).unwrap_or_default() {
                    match glyph {
                        Glyph::Char(c) => builder.push(*c),
                        Glyph::Value(value) => builder.push_value(value),
                    }
                }
            }
            (Token::Tag(tag), _) => builder.tag(tag),
        }
    }
    builder.finish()
}

/// The text of `blocks` without its shape, a line per line.
#[must_use]
pub fn plain(blocks: &[Block]) -> String {
    let mut plain = String::new();
    for (i, block) in blocks.iter().enumerate() {
        if i > 0 {
            plain.push('\n');
        }
        plain.extend(block.spans.iter().map(|span| span.text.as_str()));
    }
    plain
}

/// How many elements of HTML may be open at once; further ones are left out.
const MAX_DEPTH: usize = 16;

/// What the rules look at: a character of the author, or an answer as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph<'a> {
    Char(char),
    Value(&'a str),
}

impl Glyph<'_> {
    fn is_space(self) -> bool {
        matches!(self, Self::Char(c) if c.is_whitespace())
    }

    fn is_word(self) -> bool {
        match self {
            Self::Char(c) => c.is_alphanumeric(),
            Self::Value(_) => true,
        }
    }

    fn is_digit(self) -> bool {
        matches!(self, Self::Char(c) if c.is_numeric())
    }
}

fn glyphs<'a>(parts: &[Part<'a>]) -> Vec<Glyph<'a>> {
    let mut glyphs = Vec::new();
    for part in parts {
        match *part {
            // A carriage return before a line feed is how some tools end lines.
            Part::Authored(text) => glyphs.extend(text.chars().filter(|c| *c != '\r').map(Glyph::Char)),
            Part::Value("") => {}
            Part::Value(value) => glyphs.push(Glyph::Value(value)),
        }
    }
    let n_leading = glyphs.iter().take_while(|glyph| glyph.is_space()).count();
    glyphs.drain(..n_leading);
    glyphs
}

#[derive(Debug)]
enum Token<'a> {
    Char(char),
    Value(&'a str),
    Break,
    Heading(u8),
    Mark(Mark),
    /// `[`
    Bracket,
    /// `]` without an address.
    EndBracket,
    /// `](address)`; `raw` is where it stands among the glyphs.
    Link {
        target: Option<String>,
        raw: Range<usize>,
    },
    Tag(Tag),
}

/// One to three `*` or `_`.
#[derive(Debug)]
struct Mark {
    char: char,
    strength: u8,
    opens: bool,
    closes: bool,
}

struct Lexer<'a, 'g> {
    glyphs: &'g [Glyph<'a>],
    next: usize,
    /// Only white space since the last line break.
    at_line_start: bool,
    in_heading: bool,
    tokens: Vec<Token<'a>>,
}

impl<'a, 'g> Lexer<'a, 'g> {
    fn new(glyphs: &'g [Glyph<'a>]) -> Self {
        Self { glyphs, next: 0, at_line_start: true, in_heading: false, tokens: Vec::with_capacity(glyphs.len()) }
    }

    fn tokens(mut self) -> Vec<Token<'a>> {
        while let Some(glyph) = self.peek(0) {
            let was_line_start = self.at_line_start;
            self.at_line_start &= glyph.is_space();
            match glyph {
                Glyph::Value(value) => self.take(1, Token::Value(value)),
                Glyph::Char('\n') => {
                    self.at_line_start = true;
                    self.in_heading = false;
                    self.take(1, Token::Break);
                }
                Glyph::Char('#') => self.hashes(was_line_start),
                Glyph::Char(c @ ('*' | '_')) => self.mark(c),
                Glyph::Char('[') => self.take(1, Token::Bracket),
                Glyph::Char(']') => self.link(),
                Glyph::Char('\\') => self.escape(),
                Glyph::Char('&') => self.entity(),
                Glyph::Char('<') => self.tag(),
                Glyph::Char(c) => self.take(1, Token::Char(c)),
            }
        }
        self.tokens
    }

    /// The glyph `ahead` of the next one.
    fn peek(&self, ahead: usize) -> Option<Glyph<'a>> {
        self.glyphs.get(self.next + ahead).copied()
    }

    /// How many glyphs from the next one on fulfil `condition`.
    fn count(&self, condition: impl Fn(Glyph<'a>) -> bool) -> usize {
        self.glyphs.iter().skip(self.next).take_while(|glyph| condition(**glyph)).count()
    }

    fn take(&mut self, n_glyphs: usize, token: Token<'a>) {
        self.next += n_glyphs;
        self.tokens.push(token);
    }

    fn take_all(&mut self, n_glyphs: usize, c: char) {
        self.next += n_glyphs;
        self.tokens.extend((0..n_glyphs).map(|_| Token::Char(c)));
    }

    /// A heading, unless it is a number sign (`#1`); the hashes that close a heading are left out.
    fn hashes(&mut self, at_line_start: bool) {
        let n = self.count(|glyph| glyph == Glyph::Char('#'));
        let after = self.peek(n);
        let is_number = after.is_some_and(|glyph| glyph.is_digit() || matches!(glyph, Glyph::Value(_)));
        let ends_line = matches!(after, None | Some(Glyph::Char('\n')));
        match u8::try_from(n) {
            Ok(level @ 1..=6) if at_line_start && !is_number && !ends_line => {
                self.in_heading = true;
                self.take(n, Token::Heading(level));
            }
            _ if self.in_heading && ends_line => self.next += n,
            _ => self.take_all(n, '#'),
        }
    }

    /// A mark opens before and closes after a word. `_` does so only at the ends of words (`first_name`), and a `*` between
    /// digits is a multiplication. Four and more are no mark but a line to write on.
    fn mark(&mut self, char: char) {
        let n = self.count(|glyph| glyph == Glyph::Char(char));
        let before = self.next.checked_sub(1).and_then(|i| self.glyphs.get(i)).copied();
        let after = self.peek(n);
        let strength = match u8::try_from(n) {
            Ok(strength @ 1..=3) => strength,
            _ => return self.take_all(n, char),
        };
        let stands_at = |glyph: Option<Glyph<'a>>| glyph.is_some_and(|glyph| !glyph.is_space());
        let is_word = |glyph: Option<Glyph<'a>>| glyph.is_some_and(Glyph::is_word);
        let is_digit = |glyph: Option<Glyph<'a>>| glyph.is_some_and(Glyph::is_digit);
        let is_product = strength == 1 && is_digit(before) && is_digit(after);
        let opens = stands_at(after) && !is_product && !(char == '_' && is_word(before));
        let closes = stands_at(before) && !is_product && !(char == '_' && is_word(after));
        self.take(n, Token::Mark(Mark { char, strength, opens, closes }));
    }

    fn link(&mut self) {
        if self.peek(1) != Some(Glyph::Char('(')) {
            return self.take(1, Token::EndBracket);
        }
        // An address holds no white space and no bracket, so each `](` is looked at once.
        let is_address = |glyph: Glyph<'a>| !glyph.is_space() && !matches!(glyph, Glyph::Char('[' | ']' | ')'));
        let start = self.next + 2;
        let end = start + self.glyphs.iter().skip(start).take_while(|glyph| is_address(**glyph)).count();
        if self.glyphs.get(end) != Some(&Glyph::Char(')')) || start == end {
            return self.take(1, Token::EndBracket);
        }
        let target = link::target(self.glyphs.get(start..end).unwrap_or_default());
        let raw = self.next..end + 1;
        self.take(raw.len(), Token::Link { target, raw });
    }

    fn escape(&mut self) {
        match self.peek(1) {
            Some(Glyph::Char(c @ ('\\' | '*' | '_' | '#' | '[' | ']' | '(' | ')' | '<' | '>' | '&'))) => {
                self.take(2, Token::Char(c));
            }
            _ => self.take(1, Token::Char('\\')),
        }
    }

    fn entity(&mut self) {
        let mut name = String::new();
        for ahead in 1..=9 {
            match self.peek(ahead) {
                Some(Glyph::Char(';')) => match character(&name) {
                    Some(c) => return self.take(ahead + 1, Token::Char(c)),
                    None => break,
                },
                Some(Glyph::Char(c)) if c == '#' || c.is_ascii_alphanumeric() => name.push(c),
                _ => break,
            }
        }
        self.take(1, Token::Char('&'));
    }

    fn tag(&mut self) {
        let start = self.next + 1;
        let is_inside = |glyph: &&Glyph<'_>| !matches!(glyph, Glyph::Char('<' | '>'));
        let end = start + self.glyphs.iter().skip(start).take_while(is_inside).count();
        let tag = match self.glyphs.get(end) {
            Some(Glyph::Char('>')) => html::parse(self.glyphs.get(start..end).unwrap_or_default()),
            _ => None,
        };
        match tag {
            Some(tag) => {
                self.at_line_start |= matches!(&tag, Tag::Break | Tag::Open(Name::Paragraph, _));
                self.take(end + 1 - self.next, Token::Tag(tag));
            }
            None => self.take(1, Token::Char('<')),
        }
    }
}

/// The character that an entity of HTML names.
fn character(entity: &str) -> Option<char> {
    let code = match entity {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        "nbsp" => return Some('\u{a0}'),
        _ => entity.strip_prefix('#')?,
    };
    let code = match code.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => code.parse().ok()?,
    };
    char::from_u32(code).filter(|c| !c.is_control())
}

/// For each token the index of the one it belongs to: marks and brackets that open with those that close.
///
/// A mark is closed by the same mark; if another opens in between, the earlier one was none. Italics and links end with their
/// line, bold with its block.
fn pair(tokens: &[Token<'_>]) -> Vec<Option<usize>> {
    let mut partners = vec![None; tokens.len()];
    let mut open = Open::default();
    for (i, token) in tokens.iter().enumerate() {
        let (slot, opens, closes) = match token {
            Token::Char(_) | Token::Value(_) => continue,
            Token::Tag(Tag::Open(name, _) | Tag::Close(name)) if !name.is_block() => continue,
            Token::Tag(Tag::Nothing) => continue,
            Token::Break | Token::Tag(Tag::Break) => {
                open.end_line();
                continue;
            }
            Token::EndBracket => {
                open.bracket = None;
                continue;
            }
            Token::Heading(_) | Token::Tag(_) => {
                open = Open::default();
                continue;
            }
            Token::Mark(mark) => (open.mark(mark), mark.opens, mark.closes),
            Token::Bracket => (&mut open.bracket, true, false),
            Token::Link { .. } => (&mut open.bracket, false, true),
        };
        if let (true, Some(start)) = (closes, *slot) {
            *slot = None;
            for (one, other) in [(start, i), (i, start)] {
                if let Some(partner) = partners.get_mut(one) {
                    *partner = Some(other);
                }
            }
        } else if opens {
            *slot = Some(i);
        }
    }
    partners
}

/// What is open at a place, by the index of its token.
#[derive(Default)]
struct Open {
    stars: [Option<usize>; 3],
    underscores: [Option<usize>; 3],
    bracket: Option<usize>,
}

impl Open {
    fn mark(&mut self, mark: &Mark) -> &mut Option<usize> {
        let [italic, bold, both] = if mark.char == '*' { &mut self.stars } else { &mut self.underscores };
        match mark.strength {
            1 => italic,
            2 => bold,
            _ => both,
        }
    }

    fn end_line(&mut self) {
        for [italic, _, both] in [&mut self.stars, &mut self.underscores] {
            *italic = None;
            *both = None;
        }
        self.bracket = None;
    }
}

/// Collects spans into blocks.
#[derive(Default)]
struct Builder {
    blocks: Vec<Block>,
    kind: BlockKind,
    /// Spans of the block at hand that are complete, and the one at hand.
    spans: Vec<Span>,
    span: Span,
    /// In a heading that its line ends: what goes on after it.
    after_heading: Option<BlockKind>,
    /// Open elements of HTML with the style and the paragraph to go back to.
    elements: Vec<(Name, Style, BlockKind)>,
    /// The style of the open elements.
    base: Style,
    n_bold: usize,
    n_italic: usize,
    link: Option<String>,
    /// Whether the style may have changed since the last character.
    has_new_style: bool,
}

impl Default for BlockKind {
    fn default() -> Self {
        Self::Paragraph(Align::Start)
    }
}

impl Builder {
    fn push(&mut self, c: char) {
        self.span().text.push(c);
    }

    /// Shows an answer between isolates, line by line, for an isolate ends with its line. Characters that would end the
    /// isolate early or turn its letters around are left out.
    fn push_value(&mut self, value: &str) {
        let ends_line = |c: char| bidi_class(c) == BidiClass::B;
        let steers = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let text = &mut self.span().text;
        for (i, line) in value.replace("\r\n", "\n").split(ends_line).enumerate() {
            if i > 0 {
                text.push('\n');
            }
            if !line.is_empty() {
                text.push('\u{2068}');
                text.extend(line.chars().filter(|c| !steers(*c)));
                text.push('\u{2069}');
            }
        }
    }

    fn heading(&mut self, level: u8) {
        let kind = self.kind;
        self.begin(BlockKind::Heading(level));
        self.after_heading = Some(kind);
    }

    fn line_break(&mut self) {
        match self.after_heading.take() {
            Some(kind) => self.begin(kind),
            None => self.push('\n'),
        }
    }

    fn switch(&mut self, strength: u8, on: bool) {
        let switch = |n: &mut usize| *n = if on { *n + 1 } else { n.saturating_sub(1) };
        if strength >= 2 {
            switch(&mut self.n_bold);
        }
        if strength != 2 {
            switch(&mut self.n_italic);
        }
        self.has_new_style = true;
    }

    fn set_link(&mut self, target: Option<String>) {
        self.link = target;
        self.has_new_style = true;
    }

    fn tag(&mut self, tag: &Tag) {
        match tag {
            Tag::Break => self.push('\n'),
            Tag::Nothing => {}
            Tag::Open(name, look) => {
                if self.elements.len() < MAX_DEPTH {
                    self.elements.push((*name, self.base.clone(), self.kind));
                    look.apply(&mut self.base);
                }
                if name.is_block() {
                    self.begin(look.block(*name));
                }
            }
            Tag::Close(name) => {
                let Some(opened) = self.elements.iter().rposition(|(open, ..)| open == name) else { return };
                let closed = self.elements.drain(opened..).next();
                if let Some((_, style, kind)) = closed {
                    self.base = style;
                    if name.is_block() {
                        self.begin(kind);
                    }
                }
            }
        }
        self.has_new_style = true;
    }

    /// Ends the block at hand, if there is something in it, and begins another.
    fn begin(&mut self, kind: BlockKind) {
        self.end_span();
        let spans = trim(std::mem::take(&mut self.spans));
        if !spans.is_empty() {
            self.blocks.push(Block { kind: self.kind, spans });
        }
        self.kind = kind;
        self.after_heading = None;
    }

    fn finish(mut self) -> Vec<Block> {
        self.begin(BlockKind::default());
        self.blocks
    }

    /// The span that text at this place belongs to.
    fn span(&mut self) -> &mut Span {
        if std::mem::take(&mut self.has_new_style) {
            let style = self.style();
            if style != self.span.style {
                self.end_span();
                self.span.style = style;
            }
        }
        &mut self.span
    }

    fn end_span(&mut self) {
        if !self.span.text.is_empty() {
            let text = std::mem::take(&mut self.span.text);
            self.spans.push(Span { text, style: self.span.style.clone() });
        }
    }

    fn style(&self) -> Style {
        let mut style = self.base.clone();
        style.bold |= self.n_bold > 0;
        style.italic |= self.n_italic > 0;
        if self.link.is_some() {
            style.link.clone_from(&self.link);
        }
        style
    }
}

/// Without white space at both ends.
fn trim(mut spans: Vec<Span>) -> Vec<Span> {
    let n_blank = spans.iter().take_while(|span| span.text.trim().is_empty()).count();
    spans.drain(..n_blank);
    while spans.pop_if(|span| span.text.trim().is_empty()).is_some() {}
    if let Some(first) = spans.first_mut() {
        first.text.drain(..first.text.len() - first.text.trim_start().len());
    }
    if let Some(last) = spans.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A drawing of blocks that a table can hold: `¶` before each block, `{look: text}` around what is not plain.
    fn draw(blocks: &[Block]) -> String {
        let mut drawing = String::new();
        for block in blocks {
            drawing += &match block.kind {
                BlockKind::Heading(level) => format!("¶h{level} "),
                BlockKind::Paragraph(Align::Start) => "¶".to_owned(),
                BlockKind::Paragraph(align) => format!("¶{align:?} ").to_lowercase(),
            };
            for Span { text, style } in &block.spans {
                let mut look = Vec::new();
                look.extend(style.bold.then(|| "b".to_owned()));
                look.extend(style.italic.then(|| "i".to_owned()));
                look.extend(style.color.map(|c| format!("#{:02x}{:02x}{:02x}", c.red, c.green, c.blue)));
                look.extend(style.font.clone());
                look.extend(style.link.clone());
                let text = text.replace('\u{2068}', "‹").replace('\u{2069}', "›").replace('\n', "⏎");
                drawing += &if look.is_empty() { text } else { format!("{{{}: {text}}}", look.join(" ")) };
            }
        }
        drawing
    }

    /// Authored text with `‹answers›` in it.
    fn read(text: &str) -> Vec<Block> {
        let mut parts = Vec::new();
        for piece in text.split('‹') {
            match piece.split_once('›') {
                Some((value, authored)) => parts.extend([Part::Value(value), Part::Authored(authored)]),
                None => parts.push(Part::Authored(piece)),
            }
        }
        parse(&parts)
    }

    #[track_caller]
    fn check(table: &[(&str, &str)]) {
        for (text, drawing) in table {
            assert_eq!(&draw(&read(text)), drawing, "{text}");
        }
    }

    #[test]
    fn numbers_lists_and_lines_stay_as_written() {
        check(&[
            ("", ""),
            (" \n ", ""),
            ("1. How old are you?", "¶1. How old are you?"),
            ("- one\n- two\n\n    four spaces\n> said", "¶- one⏎- two⏎⏎    four spaces⏎> said"),
            ("`code` ~~no~~ --- ***", "¶`code` ~~no~~ --- ***"),
            ("one\r\ntwo", "¶one⏎two"),
            (" Form tools add spaces ", "¶Form tools add spaces"),
            ("a < b > c, <5 years, R&D; 3 > 2", "¶a < b > c, <5 years, R&D; 3 > 2"),
        ]);
    }

    #[test]
    fn marks() {
        check(&[
            ("*a* _b_ **c** __d__ ***e*** ___f___", "¶{i: a} {i: b} {b: c} {b: d} {b i: e} {b i: f}"),
            ("**bold with *italic* in it**", "¶{b: bold with }{b i: italic}{b:  in it}"),
            ("**crossing *over** marks*", "¶{b: crossing }{b i: over}{i:  marks}"),
            ("ال**كلمة**", "¶ال{b: كلمة}"),
            ("first_name and last_name", "¶first_name and last_name"),
            ("2*3*4 and 2 * 3 * 4 and 2 ** 3", "¶2*3*4 and 2 * 3 * 4 and 2 ** 3"),
            ("Name: ____ **** ______", "¶Name: ____ **** ______"),
            ("*open and __open", "¶*open and __open"),
            ("*one *two*", "¶*one {i: two}"),
            ("*note: a\n*other: b", "¶*note: a⏎*other: b"),
            ("**over\ntwo lines**", "¶{b: over⏎two lines}"),
            ("****", "¶****"),
        ]);
    }

    #[test]
    fn escapes_and_entities() {
        check(&[
            (r"\*no\* \_no\_ \# \\ \[a](b) \<b> C:\dir\", r"¶*no* _no_ # \ [a](b) <b> C:\dir\"),
            (r"\# no heading", "¶# no heading"),
            ("&lt;b&gt; &amp;amp; &#42;a&#x2a; &#0; &#xffffff; &nope; &", "¶<b> &amp; *a* &#0; &#xffffff; &nope; &"),
        ]);
    }

    #[test]
    fn headings() {
        check(&[
            ("# One\n###### Six\ntext", "¶h1 One¶h6 Six¶text"),
            ("text\n\n## *Two* ##\n\nmore", "¶text¶h2 {i: Two}¶more"),
            ("##Title", "¶h2 Title"),
            ("#1 of ‹3›, #‹2›", "¶#1 of ‹3›, #‹2›"),
            ("#‹2›", "¶#‹2›"),
            ("####### Seven, a # b, #", "¶####### Seven, a # b, #"),
            ("#\n# \n##", "¶#¶##"),
            ("**a\n# b**", "¶**a¶h1 b**"),
            ("#### <span style=\"color:blue\">Blue</span>\nnot", "¶h4 {#0000ff: Blue}¶not"),
        ]);
    }

    #[test]
    fn links() {
        check(&[
            (
                "see [the *page*](https://e.org/a_b_c).",
                "¶see {https://e.org/a_b_c: the }{i https://e.org/a_b_c: page}.",
            ),
            ("[call](tel:+3140) [mail](mailto:a@e.org)", "¶{tel:+3140: call} {mailto:a@e.org: mail}"),
            ("[x](javascript:alert(1))", "¶x)"),
            ("[x](data:text/html,y) [x](/etc)", "¶x x"),
            ("[a] (b) [c]() ](d) [e](f g)", "¶[a] (b) [c]() ](d) [e](f g)"),
            ("[[a]](https://e.org/)", "¶[[a]](https://e.org/)"),
            ("[a\nb](https://e.org/)", "¶[a⏎b](https://e.org/)"),
            ("[you](https://e.org/?id=‹a b)›)", "¶{https://e.org/?id=a%20b%29: you}"),
            ("[you](‹javascript:x›)", "¶you"),
            ("<a href='https://e.org/' onclick='x()'>a</a> <a href=javascript:x>b</a>", "¶{https://e.org/: a} b"),
        ]);
    }

    #[test]
    fn inline_html() {
        check(&[
            (
                "You _can_ try <span style=\"color:red;font-family:cursive\">colours</span>; **most**",
                "¶You {i: can} try {#ff0000 cursive: colours}; {b: most}",
            ),
            ("*You said: <span style='color:red'>‹*x*›</span>*", "¶{i: You said: }{i #ff0000: ‹*x*›}"),
            ("<b>b <i>bi</b> plain</i>", "¶{b: b }{b i: bi} plain"),
            ("a<p style=\"text-align:center\">b</p>c", "¶a¶center b¶c"),
            ("<p># a</p><h3>b</h3>c<br/>d", "¶h1 a¶h3 b¶c⏎d"),
            ("<u>a</u> <name> <script>alert(1)</script> <ul><li>x</ul>", "¶a <name> <script>alert(1)</script> x"),
            ("<font color=\"#0f0\" face=\"Noto Serif\">a", "¶{#00ff00 Noto Serif: a}"),
            ("<span style=\"color:‹red›\">a</span>", "¶{#ff0000: a}"),
            ("</b> a <b", "¶a <b"),
        ]);
    }

    #[test]
    fn answers_are_inert_and_isolated() {
        check(&[("‹**a**› _‹# b\n<b>c›_", "¶‹**a**› {i: ‹# b›⏎‹<b>c›}"), ("**‹›**", "¶****")]);
    }

    #[test]
    fn an_answer_cannot_leave_its_isolate() {
        let blocks =
            parse(&[Part::Authored("a "), Part::Value("x\u{2069}\u{202e}y\u{2067}\r\nz\u{2029}"), Part::Authored("b")]);
        assert_eq!(plain(&blocks), "a \u{2068}xy\u{2069}\n\u{2068}z\u{2069}\nb");
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for piece in
            ["<a", "<b>", "[", "](", "[a](", "*", "*a ", "**a", "_a_ ", "# ", "#\n", "&#", "\\", "<p>", "<span a=\""]
        {
            let blocks = parse(&[Part::Authored(&piece.repeat(200_000))]);
            assert!(blocks.len() <= 200_000, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(authored in any::<String>(), value in any::<String>(), markup in "[*_#<>/bpa=' \"\\[\\]()&;\\\\\n1]{0,80}") {
            let blocks = parse(&[Part::Authored(&markup), Part::Value(&value), Part::Authored(&authored), Part::Authored(&markup)]);
            prop_assert!(blocks.iter().all(|block| !block.spans.is_empty()));
            prop_assert!(blocks.iter().flat_map(|block| &block.spans).all(|span| !span.text.is_empty()));
        }

        #[test]
        fn text_without_markup_comes_back_unchanged(text in "[^*_#\\[\\]<>&\\\\\r]{0,60}") {
            let blocks = parse(&[Part::Authored(&text)]);
            prop_assert_eq!(plain(&blocks), text.trim());
            prop_assert!(blocks.iter().all(|block| block.spans.len() == 1 && block.spans[0].style == Style::default()));
        }

        #[test]
        fn answers_never_become_markup(value in "[*_#<>/bpa=' \"\\[\\]()&;\\\\1:]{1,40}") {
            let blocks = parse(&[Part::Authored("a "), Part::Value(&value), Part::Authored(" b")]);
            prop_assert_eq!(plain(&blocks), format!("a \u{2068}{value}\u{2069} b"));
            prop_assert!(blocks.len() == 1 && blocks[0].spans.len() == 1);
        }

        #[test]
        fn escaped_text_comes_back_as_it_was(text in "[a*_#<>&()\\[\\]\\\\ 1]{0,40}") {
            let mut escaped = String::new();
            for c in text.chars() {
                if "*_#<>&()[]\\".contains(c) {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            prop_assert_eq!(plain(&parse(&[Part::Authored(&escaped)])), text.trim());
        }
    }
}

//! Words on a terminal: wrapped at its width, in the direction of their language, with colour where it is wanted.
//!
//! A [`Terminal`] is what the terminal can do; a [`Paragraph`] is what is to be drawn on it.

mod bidi;
mod dialogue;
mod look;
mod paragraph;
mod plain;
mod wrap;

use std::io::IsTerminal;
use std::iter::repeat_n;

use veldwerk::text::{Align, Direction};

pub(crate) use bidi::Bidi;
pub(crate) use dialogue::Dialogue;
pub(crate) use look::Look;
pub(crate) use paragraph::{Letter, Paragraph};
pub(crate) use plain::{plain, plain_json, plain_lines};

/// What standard output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Its width in columns.
    pub(crate) width: usize,
    /// Who turns right-to-left text around.
    pub(crate) bidi: Bidi,
    /// Whether bold, dim and colour are shown.
    pub(crate) styled: bool,
}

impl Terminal {
    /// Asks the system; `bidi` overrides what the environment says about right-to-left text.
    pub(crate) fn detect(bidi: Option<Bidi>) -> Self {
        let size = terminal_size::terminal_size();
        let variable = crate::context::variable;
        Self {
            width: size.map_or(80, |(width, _)| usize::from(width.0)).max(20),
            bidi: bidi.unwrap_or_else(|| Bidi::of_environment(variable)),
            styled: std::io::stdout().is_terminal() && is_styled(variable),
        }
    }

    /// The lines of `paragraphs`, each ended by a line feed.
    pub(crate) fn draw<'a>(&self, paragraphs: impl IntoIterator<Item = &'a Paragraph>) -> String {
        let mut drawing = String::new();
        for paragraph in paragraphs {
            let lines = wrap::lines(&paragraph.letters, self.width, paragraph.hang);
            let widths = lines.iter().map(|line| wrap::width(paragraph.letters.get(line.clone()).unwrap_or_default()));
            let widths: Vec<usize> = widths.collect();
            let ordered = self.bidi.order(&paragraph.letters, &lines, paragraph.direction);
            for (i, (letters, width)) in ordered.iter().zip(widths).enumerate() {
                let hang = if i == 0 { 0 } else { paragraph.hang };
                drawing.extend(repeat_n(' ', self.margin(paragraph, hang, width)));
                look::encode(letters, self.styled, &mut drawing);
                drawing.push('\n');
            }
            if lines.is_empty() {
                drawing.push('\n');
            }
        }
        drawing
    }

    /// The blank columns to the left of a line of `width`.
    fn margin(&self, paragraph: &Paragraph, hang: usize, width: usize) -> usize {
        let free = self.width.saturating_sub(hang + width);
        let right_to_left = paragraph.direction == Direction::RightToLeft;
        let before = match (paragraph.align, right_to_left) {
            (Align::Start, _) | (Align::Left, false) | (Align::Right, true) => 0,
            (Align::Center, _) => free / 2,
            (Align::End, _) | (Align::Right, false) | (Align::Left, true) => free,
        };
        if right_to_left { free - before } else { hang + before }
    }
}

/// By the conventions of <https://no-color.org> and of terminals that call themselves dumb.
fn is_styled(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|value| value != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;
    use veldwerk::text::{Part, Tag, Text};

    fn draw(width: usize, bidi: Bidi, tag: &str, parts: &[Part<'_>]) -> String {
        let text = Text::new(parts, Tag::parse(tag).as_ref(), false);
        Terminal { width, bidi, styled: false }.draw(&Paragraph::of_text(&(&text).into(), Look::default()))
    }

    const DUTCH: &[Part<'_>] =
        &[Part::Authored("Vorig jaar woonde u in "), Part::Value("Nuenen"), Part::Authored(". Woont u daar nog?")];
    const ARABIC: &[Part<'_>] = &[
        Part::Authored("كنت تسكن في "),
        Part::Value("Nuenen (NB)"),
        Part::Authored(" منذ "),
        Part::Value("12"),
        Part::Authored(" شهرًا."),
    ];
    const TIGRINYA: &[Part<'_>] =
        &[Part::Authored("ክሳብ ሕጂ "), Part::Value("12"), Part::Authored(" ኣዋርሕ ተጸቢኹም።ቅኑዕ ድዩ፧")];

    #[test]
    fn dutch() {
        assert_eq!(
            draw(29, Bidi::Logical, "nl", DUTCH),
            "Vorig jaar woonde u in\n\u{2068}Nuenen\u{2069}. Woont u daar nog?\n"
        );
        assert_eq!(draw(29, Bidi::Visual, "nl", DUTCH), "Vorig jaar woonde u in\nNuenen. Woont u daar nog?\n");
    }

    #[test]
    fn arabic_with_a_latin_name_and_a_number() {
        // 40 columns; the letters take 36, the mark over one of them none.
        assert_eq!(
            draw(40, Bidi::Logical, "ar", ARABIC),
            "    \u{2067}كنت تسكن في \u{2068}Nuenen (NB)\u{2069} منذ \u{2068}12\u{2069} شهرًا.\u{2069}\n"
        );
        let words = ["كنت", "تسكن", "في", "Nuenen (NB)", "منذ", "12"];
        let [was, living, inside, nuenen, since, twelve] = words.map(reversed_if_arabic);
        // The mark stays behind the letter it stands on.
        let months = ".ارًهش";
        assert_eq!(
            draw(40, Bidi::Visual, "ar", ARABIC),
            format!("    {months} {twelve} {since} {nuenen} {inside} {living} {was}\n")
        );
    }

    #[test]
    fn arabic_wraps_before_it_is_turned_around() {
        let first = reversed_if_arabic("كنت تسكن في");
        let drawing = draw(19, Bidi::Visual, "ar", ARABIC);
        let lines: Vec<&str> = drawing.lines().collect();
        assert_eq!(lines, [format!(" Nuenen {first}"), "  .ارًهش 12 ذنم (NB)".to_owned()]);
    }

    #[test]
    fn an_isolate_broken_over_two_lines_is_closed_and_opened_again() {
        assert_eq!(
            draw(19, Bidi::Logical, "ar", ARABIC),
            " \u{2067}كنت تسكن في \u{2068}Nuenen\u{2069}\u{2069}\n  \
             \u{2067}\u{2068}(NB)\u{2069} منذ \u{2068}12\u{2069} شهرًا.\u{2069}\n"
        );
    }

    #[test]
    fn tigrinya_breaks_after_its_full_stop() {
        assert_eq!(draw(23, Bidi::Logical, "ti", TIGRINYA), "ክሳብ ሕጂ \u{2068}12\u{2069} ኣዋርሕ ተጸቢኹም።\nቅኑዕ ድዩ፧\n");
        assert_eq!(draw(23, Bidi::Visual, "ti", TIGRINYA), "ክሳብ ሕጂ 12 ኣዋርሕ ተጸቢኹም።\nቅኑዕ ድዩ፧\n");
    }

    #[test]
    fn a_marker_hangs_in_the_margin_on_the_side_where_reading_begins() {
        let terminal = |bidi| Terminal { width: 17, bidi, styled: false };
        let choice = |direction, label: &str| {
            let mut paragraph = Paragraph::new(direction);
            paragraph.push(label, Look::default());
            paragraph.mark("1 ", Look::default());
            paragraph.indent(1);
            [paragraph]
        };
        let dutch = choice(Direction::LeftToRight, "Nee, dat wil ik liever niet");
        assert_eq!(terminal(Bidi::Visual).draw(&dutch), " 1 Nee, dat wil\n   ik liever niet\n");
        let arabic = choice(Direction::RightToLeft, "نعم نعم (لا) نعم نعم");
        assert_eq!(terminal(Bidi::Visual).draw(&arabic), "  (ال) معن معن 1 \n       معن معن\n");
        assert_eq!(
            terminal(Bidi::Logical).draw(&arabic),
            "  \u{2067} 1 نعم نعم (لا)\u{2069}\n       \u{2067}نعم نعم\u{2069}\n"
        );
    }

    #[test]
    fn paragraphs_align_as_their_author_asked() {
        let html = |align: &str| format!("<p style=\"text-align:{align}\">abc</p>");
        let shown = |tag, align: &str| draw(20, Bidi::Visual, tag, &[Part::Authored(&html(align))]);
        for (tag, align, margin) in [
            ("nl", "start", 0),
            ("nl", "center", 8),
            ("nl", "right", 17),
            ("ar", "start", 17),
            ("ar", "end", 0),
            ("ar", "left", 0),
        ] {
            assert_eq!(shown(tag, align), format!("{}abc\n", " ".repeat(margin)), "{tag} {align}");
        }
    }

    #[test]
    fn no_text_can_steer_the_terminal() {
        let parts = [Part::Authored("a\u{1b}[2J\u{9b}b\tc"), Part::Value("\u{7}\u{1b}]0;x\u{1b}\\\u{2069}\u{202e}d")];
        assert_eq!(draw(40, Bidi::Visual, "nl", &parts), "a[2Jb c]0;x\\d\n");
        let unbalanced = [Part::Authored("\u{2069}مرحبا\u{2066}")];
        assert_eq!(draw(9, Bidi::Logical, "ar", &unbalanced), "    \u{2067}مرحبا\u{2066}\u{2069}\u{2069}\n");
    }

    #[test]
    fn styles() {
        let text = Text::new(&[Part::Authored("a **b** [c](https://e.org/)")], Tag::parse("nl").as_ref(), false);
        let paragraphs = Paragraph::of_text(&(&text).into(), Look::default());
        let terminal = |styled| Terminal { width: 40, bidi: Bidi::Logical, styled };
        assert_eq!(terminal(false).draw(&paragraphs), "a b c (https://e.org/)\n");
        assert_eq!(
            terminal(true).draw(&paragraphs),
            "a \u{1b}[1mb\u{1b}[0m \u{1b}[4mc\u{1b}[0m\u{1b}[2m (https://e.org/)\u{1b}[0m\n"
        );
        let environment = |no_color: &str, term: &str| {
            let (no_color, term) = (no_color.to_owned(), term.to_owned());
            is_styled(move |name| Some(if name == "TERM" { term.clone() } else { no_color.clone() }))
        };
        assert!(environment("", "xterm") && !environment("1", "xterm") && !environment("", "dumb"));
    }

    /// What stands where in left-to-right order, for words without marks and brackets.
    fn reversed_if_arabic(words: &str) -> String {
        if words.is_ascii() { words.to_owned() } else { words.chars().rev().collect() }
    }
}

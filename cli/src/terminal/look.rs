//! How letters look on a terminal.

use std::fmt::Write;

use veldwerk::text::Color;
use veldwerk_ui::UiSpan;

use super::Letter;

/// A look in the terms of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) italic: bool,
    pub(crate) underlined: bool,
    pub(crate) color: Option<Color>,
}

impl Look {
    /// For what matters.
    pub(crate) const BOLD: Self = Self { bold: true, ..Self::PLAIN };
    /// For what stands aside: hints, keys, addresses.
    pub(crate) const DIM: Self = Self { dim: true, ..Self::PLAIN };

    const PLAIN: Self = Self { bold: false, dim: false, italic: false, underlined: false, color: None };

    /// This look with what a span adds. A family of fonts has no meaning here.
    pub(crate) fn with(self, span: &UiSpan) -> Self {
        let hex = |digits: &str| u8::from_str_radix(digits, 16).ok();
        let color = span.color.as_deref().and_then(|color| {
            Some(Color { red: hex(color.get(..2)?)?, green: hex(color.get(2..4)?)?, blue: hex(color.get(4..6)?)? })
        });
        Self {
            bold: self.bold || span.bold,
            italic: self.italic || span.italic,
            underlined: self.underlined || span.link.is_some(),
            color: color.or(self.color),
            ..self
        }
    }

    /// The parameters of ECMA-48's "select graphic rendition".
    fn parameters(self) -> String {
        let mut parameters = Vec::new();
        parameters.extend(self.bold.then(|| "1".to_owned()));
        parameters.extend(self.dim.then(|| "2".to_owned()));
        parameters.extend(self.italic.then(|| "3".to_owned()));
        parameters.extend(self.underlined.then(|| "4".to_owned()));
        parameters.extend(self.color.filter(|c| is_seen_on_any_ground(*c)).map(|c| format!("38;5;{}", of_256(c))));
        parameters.join(";")
    }
}

/// Appends `letters` to `line`; with `styled`, with escape sequences where the look changes.
pub(super) fn encode(letters: &[Letter], styled: bool, line: &mut String) {
    let mut current = String::new();
    for letter in letters {
        if styled {
            let wanted = letter.look.parameters();
            if wanted != current {
                let reset = if current.is_empty() { "" } else { "\u{1b}[0m" };
                line.push_str(reset);
                if !wanted.is_empty() {
                    let _ = write!(line, "\u{1b}[{wanted}m");
                }
                current = wanted;
            }
        }
        line.push(letter.char);
    }
    if !current.is_empty() {
        line.push_str("\u{1b}[0m");
    }
}

/// The nearest colour of the 6 × 6 × 6 cube that nearly all terminals have; true colour is rarer.
fn of_256(color: Color) -> u16 {
    let step = |n: u8| (u16::from(n) * 5 + 127) / 255;
    16 + 36 * step(color.red) + 6 * step(color.green) + step(color.blue)
}

/// We do not know whether the terminal is light or dark: nearly white and nearly black letters keep its own colour.
fn is_seen_on_any_ground(color: Color) -> bool {
    let luma = (u32::from(color.red) * 299 + u32::from(color.green) * 587 + u32::from(color.blue) * 114) / 1000;
    (28..=220).contains(&luma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_of_the_cube_and_seen() {
        let look = |red, green, blue| Look { color: Some(Color { red, green, blue }), ..Look::default() };
        assert_eq!(look(255, 0, 0).parameters(), "38;5;196");
        assert_eq!(look(0, 0, 255).parameters(), "38;5;21");
        assert_eq!(look(255, 255, 255).parameters(), "");
        assert_eq!(look(0, 0, 0).parameters(), "");
        assert_eq!(Look { bold: true, ..look(0, 128, 0) }.parameters(), "1;38;5;34");
    }

    #[test]
    fn a_look_lasts_until_it_changes() {
        let letters = |text: &str, look| text.chars().map(move |char| Letter { char, look }).collect::<Vec<_>>();
        let all = [letters("ab", Look::BOLD), letters("c", Look::DIM), letters("d", Look::default())].concat();
        let mut line = String::new();
        encode(&all, true, &mut line);
        assert_eq!(line, "\u{1b}[1mab\u{1b}[0m\u{1b}[2mc\u{1b}[0md");
        line.clear();
        encode(&all, false, &mut line);
        assert_eq!(line, "abcd");
    }
}

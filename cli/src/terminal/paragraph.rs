//! A paragraph on its way to a terminal.

use veldwerk::text::{Align, Direction};
use veldwerk_ui::{Side, UiText};

use super::plain::printable;
use super::{Look, wrap};

/// Letters that are wrapped and turned around together.
#[derive(Clone, Debug)]
pub(crate) struct Paragraph {
    pub(super) direction: Direction,
    pub(super) align: Align,
    /// How many columns the lines after the first stand in from where reading begins.
    pub(super) hang: usize,
    pub(super) letters: Vec<Letter>,
}

/// A character with its look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(super) char: char,
    pub(super) look: Look,
}

impl Paragraph {
    /// An empty one; drawn, it is an empty line.
    pub(crate) fn new(direction: Direction) -> Self {
        Self { direction, align: Align::default(), hang: 0, letters: Vec::new() }
    }

    /// The direction that a text is read in.
    pub(crate) fn direction_of(text: &UiText) -> Direction {
        if text.right_to_left { Direction::RightToLeft } else { Direction::LeftToRight }
    }

    /// The paragraphs of `text`, a line of it each. Headings are bold, links are followed by their address.
    pub(crate) fn of_text(text: &UiText, look: Look) -> Vec<Self> {
        let mut paragraphs = Vec::new();
        for block in &text.blocks {
            let align = match block.align {
                Side::Start => Align::Start,
                Side::Center => Align::Center,
                Side::End => Align::End,
                Side::Left => Align::Left,
                Side::Right => Align::Right,
            };
            let look = if block.heading > 0 { Look { bold: true, ..look } } else { look };
            let new = || Self { align, ..Self::new(Self::direction_of(text)) };
            let mut paragraph = new();
            let mut spans = block.spans.iter().peekable();
            while let Some(span) = spans.next() {
                for (index, line) in span.text.split('\n').enumerate() {
                    if index > 0 {
                        paragraphs.push(std::mem::replace(&mut paragraph, new()));
                    }
                    paragraph.push(line, look.with(span));
                }
                let goes_on = spans.peek().is_some_and(|next| next.link == span.link);
                if let Some(address) = span.link.as_deref().filter(|_| !goes_on) {
                    paragraph.push(&format!(" ({address})"), Look::DIM);
                }
            }
            paragraphs.push(paragraph);
        }
        paragraphs
    }

    /// Appends `text`. Characters that steer a terminal are left out; what would end the line is a space.
    pub(crate) fn push(&mut self, text: &str, look: Look) {
        self.letters.extend(text.chars().filter_map(printable).map(|char| Letter { char, look }));
    }

    /// Hangs `marker` (a number, a dot) in the margin before the first line, outside of earlier ones.
    pub(crate) fn mark(&mut self, marker: &str, look: Look) {
        let marker: Vec<Letter> = marker.chars().filter_map(printable).map(|char| Letter { char, look }).collect();
        self.hang += wrap::width(&marker);
        self.letters.splice(0..0, marker);
    }

    /// Moves the whole paragraph in by `n_columns` from where reading begins.
    pub(crate) fn indent(&mut self, n_columns: usize) {
        self.mark(&" ".repeat(n_columns), Look::default());
    }
}

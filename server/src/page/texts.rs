//! A form's texts as HTML: each in its own language and direction.

use super::View;
use super::words::Words;
use maud::{Markup, html};
use veldwerk::text::{BlockKind, Direction, Span, Text};

/// `rtl` or `ltr`.
pub(super) fn dir(direction: Direction) -> &'static str {
    match direction {
        Direction::LeftToRight => "ltr",
        Direction::RightToLeft => "rtl",
    }
}

/// A text of the form, on its own line or lines.
pub(super) fn text(view: &View, text: &Text) -> Markup {
    html! {
        @for block in &text.blocks {
            @let level = match block.kind { BlockKind::Heading(level) => Some(level), BlockKind::Paragraph(_) => None };
            span.line.heading[level.is_some()] lang=[text.language.as_deref()] dir=(dir(text.direction)) { (spans(&block.spans)) }
        }
        @if text.fallback && text.language.is_some() {
            span.mark { (say(view, view.words.stand_in)) }
        }
    }
}

/// A text of the form inside a line of something else.
pub(super) fn inline(text: &Text) -> Markup {
    html! { bdi lang=[text.language.as_deref()] dir=(dir(text.direction)) { (text.plain) } }
}

/// Our own words, which need not be in the language of the page.
pub(super) fn say(view: &View, words: &str) -> Markup {
    let own: &Words = view.words;
    if view.language == own.language {
        html! { (words) }
    } else {
        html! { bdi lang=(own.language) dir="ltr" { (words) } }
    }
}

fn spans(spans: &[Span]) -> Markup {
    html! {
        @for span in spans {
            @let style = &span.style;
            @if let Some(address) = &style.link {
                a href=(address) rel="noopener noreferrer" target="_blank" { (span.text) }
            } @else if style.bold || style.italic {
                strong { (span.text) }
            } @else {
                (span.text)
            }
        }
    }
}

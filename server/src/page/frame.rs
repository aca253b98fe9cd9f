//! What is around every page: the mark, the languages, the two warnings.

use super::texts::{dir, say};
use super::{View, link};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use veldwerk::text::{Direction, Language, Tag};

/// Forms whose Arabic, Tigrinya and Turkish texts no native speaker has read.
const DRAFTS: [&str; 2] = ["pi_newcomers", "pi_interview"];

/// A page.
pub(super) struct Page<'a> {
    pub(super) view: &'a View,
    /// The name of the window, in plain words without answers.
    pub(super) title: &'a str,
    /// Where this page is, for the links that choose a language.
    pub(super) here: &'a [&'a str],
    /// Languages to choose from.
    pub(super) languages: &'a [Language],
    /// The forms that are on it.
    pub(super) form_ids: &'a [&'a str],
    pub(super) content: Markup,
}

/// Draws a page.
pub(super) fn page(page: &Page<'_>) -> Markup {
    let view = page.view;
    let has_drafts = page.form_ids.iter().any(|form| DRAFTS.contains(form));
    document(
        &view.language,
        dir(view.direction),
        page.title,
        html! {
            header.top {
                a.brand href=(view.link(&[])) { (mark()) span { "Veldwerk" } }
                @if page.languages.len() > 1 { (languages(page)) }
            }
            aside.notice {
                (icon(WARNING))
                div {
                    p { (say(view, view.words.try_out)) }
                    @if has_drafts { p { (say(view, view.words.drafts)) } }
                }
            }
            main { (page.content) }
            footer { p { (say(view, view.words.real_studies)) } }
        },
    )
}

/// A page without a form or a choice: for what went wrong.
pub(super) fn plain(title: &str, content: Markup) -> Markup {
    document(
        "en",
        "ltr",
        title,
        html! {
            header.top { span.brand { (mark()) span { "Veldwerk" } } }
            aside.notice { (icon(WARNING)) div { p { "Try-out server: answers lie readable on this computer" } } }
            main { section.card.words { h1 { (title) } (content) } }
        },
    )
}

fn document(language: &str, direction: &str, title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language) dir=(direction) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Veldwerk" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/mark.svg";
            }
            body { (body) }
        }
    }
}

/// The languages of the form, each in its own script and direction.
fn languages(page: &Page<'_>) -> Markup {
    html! {
        nav.languages aria-label=(page.view.words.language_of_form) {
            @for language in page.languages {
                @let tag = language.tag.as_ref();
                @let chosen = tag.is_some_and(|tag| tag.as_str() == page.view.language);
                a href=(link(page.here, Some(tag.map_or(language.name.as_str(), Tag::as_str))))
                    lang=[tag.map(Tag::as_str)] dir=(dir(tag.map(Tag::direction).unwrap_or_default()))
                    aria-current=[chosen.then_some("true")] { (short_name(language)) }
            }
        }
    }
}

/// `Nederlands` of `Nederlands (nl)`.
fn short_name(language: &Language) -> &str {
    language.name.rsplit_once('(').map_or(language.name.as_str(), |(name, _)| name.trim())
}

/// A way back: what stands above this page.
pub(super) fn back(view: &View, to: &[&str], words: Markup) -> Markup {
    html! { p.back { a href=(view.link(to)) { (icon(if view.direction == Direction::RightToLeft { FORWARD } else { BACK })) span { (words) } } } }
}

/// An arrow in the reading direction.
pub(super) fn onward(view: &View) -> Markup {
    icon(if view.direction == Direction::RightToLeft { CHEVRON_LEFT } else { CHEVRON_RIGHT })
}

/// The mark: a field under a low sun. Never mirrored, for it is a picture.
fn mark() -> Markup {
    PreEscaped(include_str!("mark.svg").to_owned())
}

/// A line drawing beside a word; silent, for the word says it.
pub(super) fn icon(path: &str) -> Markup {
    html! { svg.icon viewBox="0 0 24 24" aria-hidden="true" { path d=(path); } }
}

const WARNING: &str = "M12 4 2.8 19.5h18.4L12 4ZM12 10v4.5M12 17v.1";
const BACK: &str = "M19 12H5M11 6l-6 6 6 6";
const FORWARD: &str = "M5 12h14M13 6l6 6-6 6";
const CHEVRON_RIGHT: &str = "m9 5 7 7-7 7";
const CHEVRON_LEFT: &str = "m15 5-7 7 7 7";
pub(super) const DOWNLOAD: &str = "M12 4v11M7 10.5l5 5 5-5M5 20h14";
pub(super) const CLIP: &str =
    "m20 11-8.2 8.2a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.2 8.2a1.7 1.7 0 0 1-2.4-2.4L14.5 7";
pub(super) const CLOCK: &str = "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM12 8v4.5l3 2";

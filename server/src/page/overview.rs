//! The first page: the forms and how much arrived for each.

use super::frame::{self, Page, icon, onward};
use super::texts::say;
use super::{Asked, Trouble, View};
use crate::database::FormCount;
use crate::site::Site;
use axum::extract::State;
use maud::{Markup, html};
use std::sync::Arc;
use veldwerk::text::{Language, Tag};

pub(super) async fn overview(State(site): State<Arc<Site>>, asked: Asked) -> Result<Markup, Trouble> {
    let (counts, languages) = site
        .ask(|site| {
            let counts = site.database.form_counts()?;
            let mut languages: Vec<Language> = Vec::new();
            for count in &counts {
                for language in &site.readings.of(site, &count.form)?.languages {
                    if !languages.iter().any(|known| known.tag == language.tag) {
                        languages.push(language.clone());
                    }
                }
            }
            Ok((counts, languages))
        })
        .await?;
    Ok(draw(&asked, &counts, &languages))
}

fn draw(asked: &Asked, counts: &[FormCount], languages: &[Language]) -> Markup {
    let chosen = asked.among(languages);
    let english = Tag::parse("en");
    let tag = chosen.and_then(|chosen| languages.get(chosen)?.tag.as_ref()).or(english.as_ref());
    let view = View::new(asked, tag);
    let form_ids: Vec<_> = counts.iter().map(|count| count.form.form_id.as_str()).collect();
    frame::page(&Page {
        view: &view,
        title: view.words.forms,
        here: &[],
        languages,
        form_ids: &form_ids,
        content: html! {
            h1 { (say(&view, view.words.forms)) }
            @if counts.is_empty() { p.empty { (say(&view, view.words.no_forms)) } }
            ul.cards { @for count in counts { li { (card(&view, count)) } } }
        },
    })
}

fn card(view: &View, count: &FormCount) -> Markup {
    let words = view.words;
    html! {
        a.card.form href=(view.link(&["forms", &count.form.form_id])) {
            span.name {
                h2 { bdi { (count.form.title) } }
                span.small { bdi dir="ltr" { (count.form.form_id) } " · " (say(view, &format!("{} {}", words.version, count.form.version))) }
            }
            span.count {
                b { (count.n_records) }
                span.small { (say(view, if count.n_records == 1 { words.record } else { words.records })) }
            }
            @if let Some(last) = count.last_received {
                span.state.received { (icon(frame::CLOCK)) (say(view, &format!("{}: {}", words.last_received, words.time(last)))) }
            } @else {
                span.state { (say(view, words.no_records)) }
            }
            (onward(view))
        }
    }
}

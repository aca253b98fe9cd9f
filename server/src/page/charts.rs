//! A bar chart for each question with choices.

use super::records::FormPage;
use super::texts::{say, text};
use super::{Asked, Trouble, View};
use crate::reading::ClosedQuestion;
use crate::site::Site;
use crate::xml::{Node, Xml};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::collections::HashMap;
use std::sync::Arc;
use veldwerk::text::Direction;

/// How often each question was answered, and each of its values given.
#[derive(Default)]
struct Tally {
    n_answers: u64,
    by_value: HashMap<String, u64>,
}

pub(super) async fn charts(
    State(site): State<Arc<Site>>,
    Path(form_id): Path<String>,
    asked: Asked,
) -> Result<Markup, Trouble> {
    let (page, questions, tallies) = site
        .ask(move |site| {
            let page = FormPage::open(site, &form_id, &asked)?;
            let questions = page.reading.closed_questions(page.language);
            let mut tallies: HashMap<String, Tally> =
                questions.iter().map(|question| (question.path.clone(), Tally::default())).collect();
            site.database.each_record(&form_id, |_, xml| {
                count(Xml::read(xml)?.root(), "", &mut tallies);
                Ok(())
            })?;
            Ok((page, questions, tallies))
        })
        .await?;
    let (view, id) = (&page.view, page.form.form_id.as_str());
    let answered: Vec<_> = questions
        .iter()
        .filter_map(|question| Some((question, tallies.get(&question.path).filter(|tally| tally.n_answers > 0)?)))
        .collect();
    Ok(page.draw(
        &["forms", id, "charts"],
        view.words.charts,
        html! {
            (page.heading(true))
            @if questions.is_empty() {
                p.empty { (say(view, view.words.no_closed_questions)) }
            } @else if answered.is_empty() {
                p.empty { (say(view, view.words.no_records)) }
            }
            div.charts { @for (question, tally) in answered { (chart(view, question, tally)) } }
        },
    ))
}

fn count(element: Node<'_>, parent: &str, tallies: &mut HashMap<String, Tally>) {
    let path = format!("{parent}/{}", element.name());
    if let Some(tally) = tallies.get_mut(&path) {
        let value = element.text();
        if !value.trim().is_empty() {
            tally.n_answers += 1;
            for value in value.split_whitespace() {
                *tally.by_value.entry(value.to_owned()).or_default() += 1;
            }
        }
    }
    for child in element.children() {
        count(child, &path, tallies);
    }
}

/// Choices nobody gave are shown while there are few; of a long list only those that were.
const SHOWN_IN_FULL: usize = 10;

fn chart(view: &View, question: &ClosedQuestion, tally: &Tally) -> Markup {
    let is_short = question.choices.len() <= SHOWN_IN_FULL;
    let of = |value: &str| tally.by_value.get(value).copied().unwrap_or(0);
    html! {
        figure.card {
            figcaption {
                (text(view, &question.label))
                span.small {
                    (say(view, &format!("{}: {}", view.words.answered_by, tally.n_answers)))
                    @if question.many { " · " (say(view, view.words.several)) }
                }
            }
            ol.bars {
                @for (value, label) in question.choices.iter().filter(|(value, _)| is_short || of(value) > 0) {
                    li {
                        span.label { (text(view, label)) }
                        (bar(view, of(value), tally.n_answers))
                        span.number { (of(value)) " " bdi.small dir="ltr" { (percent(of(value), tally.n_answers)) "%" } }
                    }
                }
            }
        }
    }
}

fn percent(n: u64, of: u64) -> u64 {
    (n * 100 + of / 2).checked_div(of).unwrap_or(0)
}

/// One bar, growing from where reading begins.
fn bar(view: &View, n: u64, of: u64) -> Markup {
    let width = if of == 0 { 0 } else { (n * 1000).div_ceil(of).min(1000) };
    let x = if view.direction == Direction::RightToLeft { 1000 - width } else { 0 };
    html! {
        svg.bar viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label=(format!("{n} / {of}")) {
            rect.track width="1000" height="20" {}
            rect.fill x=(x) width=(width) height="20" {}
        }
    }
}

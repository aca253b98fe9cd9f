//! A bar chart for each question with choices.

use super::records::FormPage;
use super::texts::{say, text};
use super::{Asked, Trouble, View};
use crate::reading::ClosedQuestion;
use crate::site::Site;
use crate::xml::{Node, Xml};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use veldwerk::text::{Direction, Part, Text};

/// How often each question was answered, and each of its values given.
#[derive(Default)]
struct Tally {
    n_answers: u64,
    by_value: BTreeMap<String, Given>,
}

/// How often a value was given, and the first record that has it.
struct Given {
    n: u64,
    first: i64,
}

pub(super) async fn charts(
    State(site): State<Arc<Site>>,
    Path(form_id): Path<String>,
    asked: Asked,
) -> Result<Markup, Trouble> {
    let (page, questions, tallies) = site
        .ask(move |site| {
            let page = FormPage::open(site, &form_id, &asked)?;
            let mut questions = page.reading.closed_questions(page.language);
            let mut tallies: HashMap<String, Tally> =
                questions.iter().map(|question| (question.path.clone(), Tally::default())).collect();
            site.database.each_record(&form_id, |row, xml| {
                count(Xml::read(xml)?.root(), "", row.id, &mut tallies);
                Ok(())
            })?;
            for question in &mut questions {
                if let Some(tally) = tallies.get(&question.path) {
                    add_given(site, &page, question, tally)?;
                }
            }
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

fn count(element: Node<'_>, parent: &str, record: i64, tallies: &mut HashMap<String, Tally>) {
    let path = format!("{parent}/{}", element.name());
    if let Some(tally) = tallies.get_mut(&path) {
        let value = element.text();
        if !value.trim().is_empty() {
            tally.n_answers += 1;
            for value in value.split_whitespace() {
                tally.by_value.entry(value.to_owned()).or_insert(Given { n: 0, first: record }).n += 1;
            }
        }
    }
    for child in element.children() {
        count(child, &path, record, tallies);
    }
}

/// Adds the values that an empty record does not offer (the municipalities of a province), labelled as the first record
/// that has them labels them.
fn add_given(site: &Site, page: &FormPage, question: &mut ClosedQuestion, tally: &Tally) -> veldwerk::Result<()> {
    let offered: BTreeSet<_> = question.choices.iter().map(|(value, _)| value.clone()).collect();
    for (value, given) in tally.by_value.iter().filter(|(value, _)| !offered.contains(*value)) {
        let Some((_, _, xml)) = site.database.record(&page.form.form_id, given.first)? else { continue };
        let label = page.reading.choice_label(&xml, page.language, &question.path, value);
        let label = label.unwrap_or_else(|| Text::new(&[Part::Value(value)], None, false));
        question.choices.push((value.clone(), label));
    }
    Ok(())
}

/// Choices nobody gave are shown while there are few; of a long list only those that were.
const SHOWN_IN_FULL: usize = 10;

fn chart(view: &View, question: &ClosedQuestion, tally: &Tally) -> Markup {
    let is_short = question.choices.len() <= SHOWN_IN_FULL;
    let of = |value: &str| tally.by_value.get(value).map_or(0, |given| given.n);
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

//! The records of a form, newest first, and the tables to take away.

use super::frame::{self, CLIP, DOWNLOAD, Page, icon, onward};
use super::texts::say;
use super::{Asked, Trouble, View};
use crate::database::{FormRow, RecordRow};
use crate::reading::Reading;
use crate::site::Site;
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::sync::Arc;

/// Records on one page of the list.
const PER_PAGE: i64 = 100;

/// A form with what its pages have in common.
pub(super) struct FormPage {
    pub(super) form: FormRow,
    pub(super) reading: Arc<Reading>,
    pub(super) view: View,
    pub(super) language: usize,
}

impl FormPage {
    /// The newest version of a form, in the language asked for.
    pub(super) fn open(site: &Site, form_id: &str, asked: &Asked) -> veldwerk::Result<Self> {
        let form = site.database.newest_form(form_id)?.ok_or(veldwerk::ErrorKind::NotFound)?;
        let reading = site.readings.of(site, &form)?;
        let (view, language) = View::of_form(asked, &reading);
        Ok(Self { form, reading, view, language })
    }

    /// The frame around `content`, for the page at `here`.
    pub(super) fn draw(&self, here: &[&str], title: &str, content: Markup) -> Markup {
        frame::page(&Page {
            view: &self.view,
            title,
            here,
            languages: &self.reading.languages,
            form_ids: &[&self.form.form_id],
            content,
        })
    }

    /// The form's name, and its two pages.
    pub(super) fn heading(&self, charts: bool) -> Markup {
        let (view, id) = (&self.view, self.form.form_id.as_str());
        html! {
            (frame::back(view, &[], say(view, view.words.forms)))
            h1 { bdi { (self.form.title) } }
            nav.tabs {
                a href=(view.link(&["forms", id])) aria-current=[(!charts).then_some("page")] { (say(view, view.words.records)) }
                a href=(view.link(&["forms", id, "charts"])) aria-current=[charts.then_some("page")] { (say(view, view.words.charts)) }
            }
        }
    }
}

pub(super) async fn records(
    State(site): State<Arc<Site>>,
    Path(form_id): Path<String>,
    asked: Asked,
) -> Result<Markup, Trouble> {
    let number = asked.page.unwrap_or(1).clamp(1, i64::MAX / PER_PAGE);
    let (page, records, repeats) = site
        .ask(move |site| {
            let page = FormPage::open(site, &form_id, &asked)?;
            // One more than is shown tells whether there are older ones.
            let records = site.database.records(&form_id, (number - 1) * PER_PAGE, PER_PAGE + 1)?;
            let repeats = super::tables::repeat_names(site, &form_id)?;
            Ok((page, records, repeats))
        })
        .await?;
    let id = page.form.form_id.as_str();
    let (view, words) = (&page.view, page.view.words);
    let shown = records.iter().take(usize::try_from(PER_PAGE).unwrap_or(usize::MAX));
    let has_older = i64::try_from(records.len()).unwrap_or(i64::MAX) > PER_PAGE;
    let to_page = |number: i64| {
        format!("{}{}page={number}", view.link(&["forms", id]), if view.chosen.is_some() { "&" } else { "?" })
    };
    Ok(page.draw(
        &["forms", id],
        words.records,
        html! {
            (page.heading(false))
            @if records.is_empty() {
                p.empty { (say(view, words.no_records)) }
            } @else {
                p.take {
                    a.button href=(view.link(&["forms", id, "records.csv"])) download { (icon(DOWNLOAD)) (say(view, words.all_records)) }
                    @for repeat in &repeats {
                        a.button.quiet href=(view.link(&["forms", id, "repeats", &format!("{repeat}.csv")])) download {
                            (icon(DOWNLOAD)) (say(view, &format!("{} {}", words.repeats, repeat.rsplit('-').next().unwrap_or_default())))
                        }
                    }
                }
                ul.card.list { @for record in shown { li { (line(view, id, record)) } } }
            }
            @if number > 1 || has_older {
                nav.pages {
                    @if number > 1 { a.button.quiet href=(to_page(number - 1)) { (say(view, words.newer)) } }
                    @if has_older { a.button.quiet href=(to_page(number + 1)) { (say(view, words.older)) } }
                }
            }
        },
    ))
}

fn line(view: &View, form_id: &str, record: &RecordRow) -> Markup {
    let words = view.words;
    let name = if record.name.is_empty() { record.instance_id.as_str() } else { record.name.as_str() };
    html! {
        a.row href=(view.link(&["forms", form_id, "records", &record.id.to_string()])) {
            span.name { span.number { (record.id) } bdi { (name) } }
            span.small { (say(view, &words.time(record.received_at))) }
            span.small {
                (say(view, &words.bytes(record.size)))
                @if record.n_attachments > 0 { " · " (icon(CLIP)) (record.n_attachments) }
                " · " (say(view, &format!("{} {}", words.version, record.version)))
            }
            (onward(view))
        }
    }
}

//! One record: what was asked and what was answered.

use super::frame::{self, CLIP, DOWNLOAD, icon};
use super::records::FormPage;
use super::texts::{inline, say, text};
use super::{Asked, Trouble, View, attachment};
use crate::database::{AttachmentRow, RecordRow};
use crate::reading::{Answer, Row};
use crate::site::Site;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn record(
    State(site): State<Arc<Site>>,
    Path((form_id, id)): Path<(String, i64)>,
    asked: Asked,
) -> Result<Markup, Trouble> {
    let (page, record, attachments, neighbours, rows) = site
        .ask(move |site| {
            let (record, form, xml) = site.database.record(&form_id, id)?.ok_or(veldwerk::ErrorKind::NotFound)?;
            let mut page = FormPage::open(site, &form_id, &asked)?;
            // Its labels come from the version it was filled in on.
            if let Some((form, _)) = site.database.form_versions(&form_id)?.into_iter().find(|(row, _)| row.id == form)
            {
                page.reading = site.readings.of(site, &form)?;
                (page.view, page.language) = View::of_form(&asked, &page.reading);
            }
            let rows = page.reading.rows(&xml, page.language)?;
            Ok((page, record, site.database.attachments(id)?, site.database.neighbours(&form_id, id)?, rows))
        })
        .await?;
    let (view, form) = (&page.view, &page.form);
    let (newer, older) = neighbours;
    let to_record = |id: i64| view.link(&["forms", &form.form_id, "records", &id.to_string()]);
    let number = record.id.to_string();
    let base = ["forms", form.form_id.as_str(), "records", &number];
    Ok(page.draw(
        &base,
        view.words.record,
        html! {
            (frame::back(view, &["forms", &form.form_id], html! { bdi { (form.title) } }))
            h1 { bdi { (if record.name.is_empty() { &record.instance_id } else { &record.name }) } }
            (facts(view, &record))
            div.card.answers { @for row in &rows { (line(view, &base, row, &attachments)) } }
            p.take {
                a.button.quiet href=(view.link(&["forms", &form.form_id, "records", &number, "submission.xml"])) download {
                    (icon(DOWNLOAD)) "submission.xml"
                }
            }
            nav.pages {
                @if let Some(newer) = newer { a.button.quiet href=(to_record(newer)) { (say(view, view.words.newer)) } }
                @if let Some(older) = older { a.button.quiet href=(to_record(older)) { (say(view, view.words.older)) } }
            }
        },
    ))
}

/// The very bytes that were received; never shown, because a browser would run what a hostile record may hold.
pub(super) async fn xml(
    State(site): State<Arc<Site>>,
    Path((form_id, id)): Path<(String, i64)>,
) -> Result<Response, Trouble> {
    let (_, _, xml) = site.ask(move |site| site.database.record(&form_id, id)).await?.ok_or(Trouble::Missing)?;
    let headers = [
        (header::CONTENT_TYPE, "application/xml"),
        (header::CONTENT_DISPOSITION, "attachment; filename=submission.xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, xml).into_response())
}

fn facts(view: &View, record: &RecordRow) -> Markup {
    let words = view.words;
    html! {
        ul.facts {
            li { span.small { (say(view, words.received)) } (say(view, &words.time(record.received_at))) }
            li { span.small { (say(view, words.size)) } (say(view, &words.bytes(record.size))) }
            li { span.small { (say(view, words.version)) } bdi dir="ltr" { (record.version) } }
            li { span.small { "instanceID" } bdi.code dir="ltr" { (record.instance_id) } }
        }
    }
}

fn line(view: &View, base: &[&str], row: &Row, attachments: &[AttachmentRow]) -> Markup {
    let label = html! { (text(view, &row.label)) @if let Some(position) = row.position { " " (position) } };
    match (&row.answer, row.depth) {
        (None, 0) => html! { h2 { (label) } },
        (None, 1) => html! { h3 { (label) } },
        (None, _) => html! { h4 { (label) } },
        (Some(answer), _) => html! { dl { dt { (label) } dd { (shown(view, base, answer, attachments)) } } },
    }
}

fn shown(view: &View, base: &[&str], answer: &Answer, attachments: &[AttachmentRow]) -> Markup {
    let words = view.words;
    match answer {
        Answer::None => html! { span.none { (say(view, words.no_answer)) } },
        Answer::Text(value) => html! { bdi.said { (value) } },
        Answer::Figures(value) => html! { bdi.figures dir="ltr" { (value) } },
        Answer::Choices(choices) => html! {
            ul.chosen {
                @for (value, label) in choices {
                    li { @match label { Some(label) => { (inline(label)) }, None => bdi.code dir="ltr" { (value) } } }
                }
            }
        },
        Answer::File(name) => match attachments.iter().find(|attachment| attachment.name == *name) {
            Some(attachment) => file(view, base, attachment),
            None => {
                html! { span.state.waiting { (icon(frame::CLOCK)) (say(view, words.not_arrived)) } " " bdi.code { (name) } }
            }
        },
    }
}

/// An attachment, seen or heard if it is of a kind that a browser can show without running anything.
fn file(view: &View, base: &[&str], attachment: &AttachmentRow) -> Markup {
    let address = super::link(&[base, &["attachments", &attachment.name]].concat(), None);
    html! {
        div.file {
            @match attachment::kind(&attachment.name) {
                attachment::Kind::Picture(_) => a href=(address) { img src=(address) alt=(attachment.name) loading="lazy"; },
                attachment::Kind::Sound(_) => audio controls preload="metadata" src=(address) {},
                attachment::Kind::Film(_) => video controls preload="metadata" src=(address) {},
                attachment::Kind::Other => (icon(CLIP)),
            }
            a.small href=(address) download=(attachment.name) {
                (icon(DOWNLOAD)) bdi { (attachment.name) } " · " (say(view, &view.words.bytes(attachment.size)))
            }
        }
    }
}

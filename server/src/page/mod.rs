//! The page in the browser: what arrived, readable for people.
//!
//! Nothing comes from elsewhere: one style sheet of ours, no script, no font, no picture but those of the forms and the
//! records. Answers are hostile until proven otherwise: `maud` escapes every value, attachments are shown only as
//! pictures or sound of a few known kinds and never as documents, and cells of a table cannot become formulas.

mod attachment;
mod charts;
mod frame;
mod guard;
mod overview;
mod record;
mod records;
mod tables;
mod texts;
mod words;

use crate::reading::Reading;
use crate::site::Site;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use url::Url;
use veldwerk::ErrorKind;
use veldwerk::form::Files;
use veldwerk::text::{Direction, Language, Tag, language};
use words::Words;

/// Every address of the page.
pub(crate) fn routes(site: &Arc<Site>) -> Router {
    Router::new()
        .route("/", get(overview::overview))
        .route("/forms/{form}", get(records::records))
        .route("/forms/{form}/charts", get(charts::charts))
        .route("/forms/{form}/records.csv", get(tables::records))
        .route("/forms/{form}/repeats/{repeat}", get(tables::repeat))
        .route("/forms/{form}/records/{record}", get(record::record))
        .route("/forms/{form}/records/{record}/submission.xml", get(record::xml))
        .route("/forms/{form}/records/{record}/attachments/{name}", get(attachment::attachment))
        .fallback(async || Missing)
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::guard))
        // Fetched by the page that says what is wrong with the key, too.
        .route("/style.css", get(style))
        .route("/mark.svg", get(mark))
        .layer(middleware::map_response(guard::harden))
        .with_state(Arc::clone(site))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css"))
}

async fn mark() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("mark.svg"))
}

/// How the reader wants a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The form language chosen on the page (`?language=`), by tag or name.
    chosen: Option<String>,
    /// The languages of the browser, the best first; they count while nothing is chosen.
    accepted: Vec<String>,
    /// The page of a long list, from 1.
    page: Option<i64>,
}

impl Asked {
    /// The language of a form to show: the chosen one, else the browser's, if the form has it.
    fn among(&self, languages: &[Language]) -> Option<usize> {
        self.chosen.iter().chain(&self.accepted).find_map(|wanted| language::choose(languages, wanted))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut asked = Self::default();
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "language" => asked.chosen = Some(value.into_owned()),
                "page" => asked.page = value.parse().ok(),
                _ => {}
            }
        }
        let accepted =
            parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers list the best first, so the weights after `;` add nothing.
        let tags = accepted.split(',').map(|tag| tag.split(';').next().unwrap_or_default().trim().to_owned());
        asked.accepted = tags.filter(|tag| !tag.is_empty()).collect();
        Ok(asked)
    }
}

/// How a page is shown: the language of the form that was chosen, and our own words to go with it.
#[derive(Clone, Debug)]
struct View {
    /// Carried along in every link; nothing while nobody chose.
    chosen: Option<String>,
    /// BCP 47 tag of the chosen form language; it decides the direction of the page.
    language: String,
    direction: Direction,
    words: &'static Words,
}

impl View {
    /// The view of a form in the language asked for, else in the form's own.
    fn of_form(asked: &Asked, reading: &Reading) -> (Self, usize) {
        let index = asked.among(&reading.languages).unwrap_or(reading.default_language);
        let tag = reading.languages.get(index).and_then(|language| language.tag.as_ref());
        (Self::new(asked, tag), index)
    }

    fn new(asked: &Asked, tag: Option<&Tag>) -> Self {
        let language = tag.map_or("en", |tag| tag.as_str()).to_owned();
        Self {
            chosen: asked.chosen.clone(),
            direction: tag.map(Tag::direction).unwrap_or_default(),
            words: Words::of(tag.map_or("en", |tag| tag.base())),
            language,
        }
    }

    /// A link to another page, in the same language.
    fn link(&self, segments: &[&str]) -> String {
        link(segments, self.chosen.as_deref())
    }
}

fn link(segments: &[&str], language: Option<&str>) -> String {
    // The host is only there because an address needs one; it does not leave this function.
    let Ok(mut address) = Url::parse("http://page/") else { return "/".to_owned() };
    if let Ok(mut path) = address.path_segments_mut() {
        path.clear().extend(segments);
    }
    if let Some(language) = language {
        address.query_pairs_mut().append_pair("language", language);
    }
    address.as_str().trim_start_matches("http://page").to_owned()
}

/// There is no such page.
#[derive(Debug)]
struct Missing;

impl IntoResponse for Missing {
    fn into_response(self) -> Response {
        (StatusCode::NOT_FOUND, frame::plain("Nothing here", html! { p { "There is no such page, form or record." } }))
            .into_response()
    }
}

/// Why a page cannot be shown.
#[derive(Debug)]
enum Trouble {
    Missing,
    Failed(veldwerk::Error),
}

impl From<veldwerk::Error> for Trouble {
    fn from(error: veldwerk::Error) -> Self {
        if error.kind() == ErrorKind::NotFound { Self::Missing } else { Self::Failed(error) }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Self::Missing => Missing.into_response(),
            Self::Failed(error) => {
                let page = frame::plain(
                    "This could not be shown",
                    html! { p { (error.kind().sentence()) " " (error.kind().advice()) } },
                );
                (StatusCode::INTERNAL_SERVER_ERROR, page).into_response()
            }
        }
    }
}

/// Forms that were read once, by row id and hash: reading one takes longer than showing it.
#[derive(Default)]
pub(crate) struct Readings(std::sync::Mutex<HashMap<(i64, String), Arc<Reading>>>);

impl Readings {
    /// The form version `form`, read.
    pub(crate) fn of(&self, site: &Site, form: &crate::database::FormRow) -> veldwerk::Result<Arc<Reading>> {
        let key = (form.id, form.md5.clone());
        let mut readings = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(reading) = readings.get(&key) {
            return Ok(Arc::clone(reading));
        }
        let files = FormFiles { site, form: form.id };
        let reading = Arc::new(Reading::read(&site.database.form_xml(form.id)?, &files));
        readings.insert(key, Arc::clone(&reading));
        Ok(reading)
    }
}

/// The files of a form version.
struct FormFiles<'a> {
    site: &'a Site,
    form: i64,
}

impl Files for FormFiles<'_> {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.site.database.form_file(self.form, name).ok().flatten().map(|(_, bytes)| bytes)
    }
}

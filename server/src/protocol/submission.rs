//! Records arriving.

use super::access::OpenRosa;
use super::reply::{Refusal, openrosa_message, with_openrosa_headers};
use crate::database::{Kept, Part};
use crate::record::RecordFacts;
use crate::site::{Site, now};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use veldwerk::openrosa::submission::XML_PART;

/// HEAD: tells a client that here is an OpenRosa server and how much it takes at once.
pub(super) async fn greet(_: OpenRosa) -> Response {
    with_openrosa_headers(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn receive(
    _: OpenRosa,
    State(site): State<Arc<Site>>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Refusal> {
    let form = form.map_err(|rejection| Refusal::json(StatusCode::BAD_REQUEST, &rejection.body_text()))?;
    let (xml, parts) = read_parts(form).await?;
    let xml = xml.ok_or_else(|| {
        Refusal::openrosa(StatusCode::BAD_REQUEST, &format!("Required multipart POST field {XML_PART} missing."))
    })?;
    let facts = RecordFacts::read(&xml)
        .map_err(|error| Refusal::openrosa(StatusCode::BAD_REQUEST, &format!("The record cannot be read: {error}")))?;
    match site.ask(move |site| keep(site, &facts, &xml, &parts)).await? {
        Outcome::Kept(kept) => reply_to(kept),
        Outcome::FalselyDeleted => {
            Err(Refusal::openrosa(StatusCode::CONFLICT, "This submission has been deleted. It may not be sent again."))
        }
    }
}

enum Outcome {
    Kept(Kept),
    FalselyDeleted,
}

fn keep(site: &Site, facts: &RecordFacts, xml: &[u8], parts: &[Part]) -> veldwerk::Result<Outcome> {
    let is_new = match &facts.instance_id {
        Some(instance_id) => !site.database.has_record(&facts.form_id, instance_id)?,
        None => true,
    };
    let falsely = is_new && site.takes_false_conflict();
    let kept = site.database.keep(facts, xml, if falsely { &[] } else { parts }, now())?;
    Ok(if falsely && kept == Kept::New { Outcome::FalselyDeleted } else { Outcome::Kept(kept) })
}

fn reply_to(kept: Kept) -> Result<Response, Refusal> {
    let (status, words) = match kept {
        Kept::New | Kept::Again => {
            return Ok(openrosa_message(StatusCode::CREATED, "full submission upload was successful!"));
        }
        Kept::Different => (
            StatusCode::CONFLICT,
            "A submission already exists with this ID, but with different XML. It was not changed.",
        ),
        Kept::UnknownForm => (StatusCode::NOT_FOUND, "The form this submission was made for could not be found."),
        Kept::UnknownVersion => {
            (StatusCode::NOT_FOUND, "The form version specified in this submission could not be found.")
        }
    };
    Err(Refusal::openrosa(status, words))
}

/// The record's XML, and the other parts that are files. A part without a file name is not one, whatever its name.
async fn read_parts(mut form: Multipart) -> Result<(Option<Bytes>, Vec<Part>), Refusal> {
    let mut xml = None;
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some();
        let bytes = field.bytes().await.map_err(broken)?;
        if is_file && name == XML_PART {
            xml = Some(bytes);
        } else if is_file {
            parts.push(Part { name, bytes });
        }
    }
    Ok((xml, parts))
}

fn broken(error: MultipartError) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal::too_large();
    }
    Refusal::json(StatusCode::BAD_REQUEST, "The multipart body could not be read.")
}

//! The list of forms, a form, its manifest, its files.

use super::access::{Access, OpenRosa};
use super::reply::{Refusal, document, openrosa_document, weak_etag};
use crate::database::FormRow;
use crate::site::Site;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use veldwerk::openrosa::form_list::{self, ListedForm};
use veldwerk::openrosa::manifest::{self, MediaFile};
use veldwerk::openrosa::submission::content_type;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListQuery {
    #[serde(rename = "formID")]
    form_id: Option<String>,
}

pub(super) async fn form_list(
    OpenRosa(access): OpenRosa,
    State(site): State<Arc<Site>>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let forms = site.ask(move |site| site.database.listed_forms(query.form_id.as_deref())).await?;
    let listed: Vec<_> = forms.into_iter().map(|form| listed_form(&access, form)).collect();
    Ok(openrosa_document(&headers, form_list::write(&listed)))
}

fn listed_form(access: &Access, form: FormRow) -> ListedForm {
    ListedForm {
        hash: Some(format!("md5:{}", form.md5)),
        download_url: access.address(&["forms", &format!("{}.xml", form.form_id)]),
        manifest_url: form.has_manifest.then(|| access.address(&["forms", &form.form_id, "manifest"])),
        form_id: form.form_id,
        name: form.title,
        version: form.version,
    }
}

#[derive(Deserialize)]
pub(super) struct FormFileName {
    file: String,
}

/// `ID.xml`: the newest version.
pub(super) async fn form(
    _: Access,
    State(site): State<Arc<Site>>,
    Path(path): Path<FormFileName>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let xml = site
        .ask(move |site| {
            let Some(form_id) = path.file.strip_suffix(".xml") else { return Ok(None) };
            let form = site.database.newest_form(form_id)?;
            form.map(|form| site.database.form_xml(form.id)).transpose()
        })
        .await?
        .ok_or_else(Refusal::not_found)?;
    Ok(document(&headers, "application/xml", &weak_etag(&xml), xml))
}

#[derive(Deserialize)]
pub(super) struct FormPath {
    form: String,
}

pub(super) async fn manifest(
    OpenRosa(access): OpenRosa,
    State(site): State<Arc<Site>>,
    Path(path): Path<FormPath>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let form_id = path.form.clone();
    let files = site
        .ask(move |site| {
            let form = site.database.newest_form(&form_id)?;
            form.map(|form| site.database.form_files(form.id)).transpose()
        })
        .await?
        .ok_or_else(Refusal::not_found)?;
    let files: Vec<_> = files
        .into_iter()
        .map(|file| MediaFile {
            download_url: access.address(&["forms", &path.form, "attachments", &file.name]),
            hash: Some(format!("md5:{}", file.md5)),
            name: file.name,
            ..MediaFile::default()
        })
        .collect();
    Ok(openrosa_document(&headers, manifest::write(&files)))
}

#[derive(Deserialize)]
pub(super) struct FilePath {
    form: String,
    name: String,
}

pub(super) async fn file(
    _: Access,
    State(site): State<Arc<Site>>,
    Path(path): Path<FilePath>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let name = path.name.clone();
    let (md5, bytes) = site
        .ask(move |site| match site.database.newest_form(&path.form)? {
            Some(form) => site.database.form_file(form.id, &path.name),
            None => Ok(None),
        })
        .await?
        .ok_or_else(Refusal::not_found)?;
    Ok(document(&headers, content_type(&name), &format!("\"{md5}\""), bytes))
}

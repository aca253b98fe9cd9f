//! Attachments: pictures, sound and film of known kinds are shown; everything else is only offered for download.

use super::Trouble;
use crate::site::Site;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// What a browser may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Show it, as this media type.
    Picture(&'static str),
    /// Play it.
    Sound(&'static str),
    /// Play it.
    Film(&'static str),
    /// Only save it.
    Other,
}

/// The kind of a file by the end of its name; what the sender called it is not believed.
pub(super) fn kind(name: &str) -> Kind {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "jpg" | "jpeg" => Kind::Picture("image/jpeg"),
        "png" => Kind::Picture("image/png"),
        "gif" => Kind::Picture("image/gif"),
        "webp" => Kind::Picture("image/webp"),
        "wav" => Kind::Sound("audio/wav"),
        "mp3" => Kind::Sound("audio/mpeg"),
        "m4a" | "aac" => Kind::Sound("audio/mp4"),
        "ogg" | "oga" | "opus" => Kind::Sound("audio/ogg"),
        "flac" => Kind::Sound("audio/flac"),
        "mp4" => Kind::Film("video/mp4"),
        "webm" => Kind::Film("video/webm"),
        _ => Kind::Other,
    }
}

pub(super) async fn attachment(
    State(site): State<Arc<Site>>,
    Path((form_id, record, name)): Path<(String, i64, String)>,
) -> Result<Response, Trouble> {
    let wanted = name.clone();
    let bytes = site
        .ask(move |site| {
            let here = site.database.record(&form_id, record)?.is_some();
            if here { site.database.attachment(record, &wanted) } else { Ok(None) }
        })
        .await?
        .ok_or(Trouble::Missing)?;
    let (content_type, disposition) = match kind(&name) {
        Kind::Picture(kind) | Kind::Sound(kind) | Kind::Film(kind) => (kind, "inline"),
        Kind::Other => ("application/octet-stream", "attachment"),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("{disposition}; {}", file_name(&name))),
        // Opened by itself it may do nothing, whatever it turns out to be.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// A file name for `Content-Disposition`, in the form that holds any letter (RFC 8187).
pub(super) fn file_name(name: &str) -> String {
    let mut encoded = String::from("filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

//! Who may ask: a token in the path or in `?st=`, and for the OpenRosa addresses the version header.

use super::reply::Refusal;
use crate::site::Site;
use crate::token::Token;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use std::collections::HashMap;
use std::sync::Arc;
use url::Url;
use veldwerk::openrosa::headers;

/// A request that may see the project.
#[derive(Debug)]
pub(super) struct Access {
    base: Url,
}

/// A request that may see the project and speaks OpenRosa 1.0.
#[derive(Debug)]
pub(super) struct OpenRosa(pub(super) Access);

impl Access {
    /// The address of something in the project, as the client reached us, each segment escaped.
    pub(super) fn address(&self, segments: &[&str]) -> String {
        let mut address = self.base.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.extend(segments);
        }
        address.into()
    }
}

impl FromRequestParts<Arc<Site>> for OpenRosa {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        let version = parts.headers.get(headers::VERSION).map(|version| version.as_bytes());
        if version != Some(headers::VERSION_VALUE.as_bytes()) {
            let words = format!("The header {} is missing or is not {}.", headers::VERSION, headers::VERSION_VALUE);
            return Err(Refusal::early(StatusCode::BAD_REQUEST, &words));
        }
        let access = Access::from_request_parts(parts, site).await;
        access.map(Self).map_err(|refusal| Refusal::early(refusal.status, &refusal.words))
    }
}

impl FromRequestParts<Arc<Site>> for Access {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, site).await;
        let path = path.map_err(|_| Refusal::not_found())?.0;
        let query = Query::<HashMap<String, String>>::from_request_parts(parts, site).await;
        let query = query.map(|query| query.0).unwrap_or_default();

        let token = path.get("token").or_else(|| query.get("st"));
        let token = token.and_then(|text| Token::parse(text));
        let token = token.ok_or_else(|| {
            Refusal::json(StatusCode::UNAUTHORIZED, "Could not authenticate with the provided credentials.")
        })?;
        if token.hash() != site.token_hash() {
            return Err(Refusal::json(StatusCode::FORBIDDEN, "The authenticated actor may not do this."));
        }
        if path.get("project").map(String::as_str) != Some("1") {
            return Err(Refusal::not_found());
        }
        // The client may have come through a proxy, so it is answered with the address that it used.
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let with_host = |host: &str| Url::parse(&format!("http://{host}/v1/key/{}/projects/1", token.reveal())).ok();
        let base = with_host(host).or_else(|| with_host(&site.address.to_string()));
        Ok(Self { base: base.ok_or_else(Refusal::not_found)? })
    }
}

//! The protocol as ODK Central speaks it (central-server.md): what a phone asks for.

mod access;
mod forms;
mod reply;
mod submission;

use crate::site::Site;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use reply::Refusal;
use std::sync::Arc;

/// Central advertises this many bytes for one request …
const ADVERTISED_LIMIT: u64 = 100_000_000;
/// … and the proxy in front of it refuses more than this.
const HARD_LIMIT: usize = 104_857_600;

/// Every address under `/v1`.
pub(crate) fn routes(site: &Arc<Site>) -> Router {
    let project = Router::new()
        .route("/formList", get(forms::form_list))
        .route("/forms/{file}", get(forms::form))
        .route("/forms/{form}/manifest", get(forms::manifest))
        .route("/forms/{form}/attachments/{name}", get(forms::file))
        .route("/submission", get(submission::greet).post(submission::receive))
        .fallback(async || Refusal::not_found());
    Router::new()
        .nest("/v1/key/{token}/projects/{project}", project.clone())
        .nest("/v1/projects/{project}", project)
        .layer(DefaultBodyLimit::max(HARD_LIMIT))
        .layer(middleware::from_fn(reply::refuse_large_bodies))
        .with_state(Arc::clone(site))
}

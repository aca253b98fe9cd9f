//! Who may see the page: whoever was given the key, from a browser that knows us by our own address.

use super::frame;
use crate::site::Site;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use std::net::IpAddr;
use std::sync::Arc;
use url::{Host, Url};

/// Lets a request through that carries the key's cookie. One with `?key=` gets the cookie and is sent on to the same
/// address without the key, so that it stays neither in the address bar nor in the history.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if !is_our_host(&site, request.headers()) {
        let page = frame::plain(
            "Not this address",
            html! { p { "This page answers only to the address that the server printed." } },
        );
        return (StatusCode::FORBIDDEN, page).into_response();
    }
    let cookie_name = cookie_name(&site);
    if let Some(key) = key_in(request.uri()).filter(|key| site.page_key.opens(key)) {
        let cookie = format!("{cookie_name}={key}; Path=/; HttpOnly; SameSite=Strict");
        return ([(header::SET_COOKIE, cookie)], Redirect::to(&without_key(request.uri()))).into_response();
    }
    if cookies(request.headers(), &cookie_name).any(|key| site.page_key.opens(key)) {
        return next.run(request).await;
    }
    let page = frame::plain(
        "This page needs its key",
        html! { p { "Open the address that the server printed when it started; it ends in " code { "?key=…" } ". The key is new at every start." } },
    );
    (StatusCode::FORBIDDEN, page).into_response()
}

/// The headers of every page: nothing from elsewhere, no guessing of types, no traces.
pub(super) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether the browser asked for this computer by a name that nobody else can point here: a page elsewhere that makes
/// its own name lead to us (DNS rebinding) is turned away.
fn is_our_host(site: &Site, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(address) = Url::parse(&format!("http://{host}/")) else { return false };
    let is_ours = |ip: IpAddr| ip.is_loopback() || !site.address.ip().is_loopback();
    let name_is_ours = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => is_ours(ip.into()),
        Some(Host::Ipv6(ip)) => is_ours(ip.into()),
        None => false,
    };
    name_is_ours && address.port_or_known_default() == Some(site.address.port())
}

fn key_in(uri: &Uri) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
}

fn without_key(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("key="));
    let query: Vec<_> = query.collect();
    // A path of two slashes would lead to another host.
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// Cookies do not know ports, so two servers on one computer need two names.
fn cookie_name(site: &Site) -> String {
    format!("veldwerk-{}", site.address.port())
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

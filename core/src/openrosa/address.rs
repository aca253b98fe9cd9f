//! Addresses as people type, copy and paste them (openrosa.md §1, §7, §8): taken as they were meant where that is sure, and
//! where they lead to a website instead of a survey server, the error says what to paste.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use url::{Host, Url};

/// Where forms come from and records go, taken apart. Its `Debug` tells no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The address without a slash at its end; `{}` stands where the token goes.
    pub prefix: String,
    /// The token of an app user: a secret.
    pub token: Option<String>,
    /// Name and password, if the address holds them: a secret.
    pub account: Option<(String, String)>,
}

/// Where a token stands in the path, before it.
const TOKEN_MARKERS: [&str; 3] = ["/key/", "/test/", "/collector/"];

/// Ends that the client adds itself.
const ENDS: [&str; 2] = ["/formlist", "/submission"];

/// Websites of KoboToolbox whose name does not begin with `kf.`; the server for phones has another name.
const KOBO_WEBSITES: [(&str, &str); 3] = [
    ("eu.kobotoolbox.org", "kc-eu.kobotoolbox.org"),
    ("kobo.humanitarianresponse.info", "kc.humanitarianresponse.info"),
    ("www.kobotoolbox.org", "kc.kobotoolbox.org"),
];

impl Address {
    /// Whether a text is meant as an address, and not as a settings code: JSON begins with a brace, and base64 knows neither
    /// dots nor colons.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        let text = text.trim();
        !text.starts_with('{') && text.contains(['.', ':'])
    }

    /// Reads an address. A missing scheme is `https`; blanks, slashes, `/formList` and `/submission` at the end go, and so do
    /// fragment and query, whose token (`?st=`) moves to where ODK Central has it.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`]; [`ErrorKind::NotHttps`] for `http` to anything but this device itself;
    /// [`ErrorKind::CentralWebPage`], [`ErrorKind::KoboWebPage`], [`ErrorKind::FormLink`] for what opens
    /// in a browser only.
    pub fn read(text: &str) -> Result<Self> {
        let text = text.trim();
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            false if text.contains('@') => return Err(ErrorKind::BadUrl.into()), // an e-mail address
            false => format!("https://{text}"),
        };
        let mut url = Url::parse(&with_scheme).map_err(|_| ErrorKind::BadUrl)?;
        no_website(&url)?;
        check_protection(&url)?;
        let account = account(&url);
        let st = url.query_pairs().find(|(key, _)| key == "st").map(|(_, token)| token.into_owned());
        url.set_query(None);
        url.set_fragment(None);
        let no_host = |()| Error::from(ErrorKind::BadUrl);
        url.set_username("").map_err(no_host)?;
        url.set_password(None).map_err(no_host)?;

        let prefix = without_end(url.as_str());
        let (prefix, token) = match (st, prefix.split_once("/v1/projects/")) {
            (Some(token), Some((server, project))) => (format!("{server}/v1/key/{{}}/projects/{project}"), Some(token)),
            _ => split_token(prefix),
        };
        Ok(Self { prefix, token, account })
    }

    /// The whole address, token and all: a secret.
    #[must_use]
    pub fn reveal(&self) -> String {
        self.token.as_ref().map_or_else(|| self.prefix.clone(), |token| self.prefix.replace("{}", token))
    }

    /// What may be shown of it: scheme, host and port.
    #[must_use]
    pub fn server(&self) -> String {
        server(&self.prefix)
    }

    /// What stays the same when an account gets another token, or a user takes the place of a token: the server with the
    /// number of the project in ODK Central, else the whole address.
    #[must_use]
    pub fn place(&self) -> String {
        match self.prefix.split_once("/v1/key/{}/projects/") {
            Some((server, project)) => format!("{server}/v1/projects/{project}"),
            None => self.prefix.clone(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address { .. }")
    }
}

/// Whether two addresses lie on one host and port.
#[must_use]
pub fn same_host(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port_or_known_default() == other.port_or_known_default()
}

/// What may be shown of an address: scheme, host and port; empty where it is none.
#[must_use]
pub fn server(address: &str) -> String {
    Url::parse(address).map(|url| redact(&url).trim_end_matches("/…").to_owned()).unwrap_or_default()
}

/// A server as lists of allowed ones name it: scheme, host and port, the port only where it is not the scheme's own.
#[must_use]
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The [origin] of a server that a person names: a host, a host with a port, or a whole address of it.
///
/// # Errors
/// [`ErrorKind::BadUrl`]; [`ErrorKind::NotHttps`] for `http` to anything but this device itself.
pub fn read_origin(text: &str) -> Result<String> {
    let text = text.trim();
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&with_scheme).map_err(|_| ErrorKind::BadUrl)?;
    check_protection(&url)?;
    Ok(origin(&url))
}

/// What may be shown of an address: its host. Everything after it may hold a token.
#[must_use]
pub fn redact(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{}{port}/…", url.scheme(), url.host_str().unwrap_or_default())
}

/// Refuses what is neither `https` nor on this device itself.
///
/// # Errors
/// [`ErrorKind::NotHttps`], [`ErrorKind::BadUrl`].
pub fn check_protection(url: &Url) -> Result<()> {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if is_loopback(&host) => Ok(()),
        ("http", Some(_)) => Err(Error::new(ErrorKind::NotHttps, redact(url))),
        _ => Err(ErrorKind::BadUrl.into()),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Which website a page is of that stands where a list of forms was asked for, by its title: those whose address is often
/// taken for that of the server for phones. Any other page may be a sign-in page of a wifi network.
#[must_use]
pub fn website(page: &[u8]) -> Option<ErrorKind> {
    const TITLES: [(&str, ErrorKind); 2] =
        [("odk central", ErrorKind::CentralWebPage), ("kobotoolbox", ErrorKind::KoboWebPage)];
    let page = String::from_utf8_lossy(page).to_lowercase();
    let title = page.split_once("<title")?.1.split_once('>')?.1.split_once("</title")?.0.trim();
    TITLES.iter().find(|(website, _)| title.starts_with(website)).map(|(_, kind)| *kind)
}

/// Refuses addresses of pages that only a browser can use.
fn no_website(url: &Url) -> Result<()> {
    let host = url.host_str().unwrap_or_default();
    let kobo_server =
        KOBO_WEBSITES.iter().find(|(website, _)| *website == host).map(|(_, server)| (*server).to_owned());
    if let Some(server) = kobo_server.or_else(|| host.strip_prefix("kf.").map(|rest| format!("kc.{rest}"))) {
        return Err(Error::new(ErrorKind::KoboWebPage, format!("https://{server}")));
    }
    let path: Vec<&str> = url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty()).collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let route = url.fragment().unwrap_or_default();
    let is_end = |segment: &&str| ENDS.iter().any(|end| end.trim_start_matches('/').eq_ignore_ascii_case(segment));
    match path.as_slice() {
        // Enketo: the links of ODK Central, and hosts of Enketo beside a server.
        ["f" | "-", .., last] if !is_end(last) => Err(ErrorKind::FormLink.into()),
        _ if host.starts_with("ee.") || host.starts_with("enketo.") => Err(ErrorKind::FormLink.into()),
        ["projects", number, ..] if is_number(number) => Err(ErrorKind::CentralWebPage.into()),
        ["login"] => Err(ErrorKind::CentralWebPage.into()),
        [] if route.starts_with('/') => Err(ErrorKind::CentralWebPage.into()),
        _ => Ok(()),
    }
}

fn account(url: &Url) -> Option<(String, String)> {
    let plain = |text: &str| percent_decoded(text);
    Some((plain(url.username()), plain(url.password().unwrap_or_default()))).filter(|(user, _)| !user.is_empty())
}

/// The address without slashes at its end and without what the client adds itself.
fn without_end(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    let cut = |end: &&str| {
        let (rest, last) = url.split_at_checked(url.len().checked_sub(end.len())?)?;
        last.eq_ignore_ascii_case(end).then_some(rest)
    };
    ENDS.iter().find_map(cut).map_or(url, |rest| rest.trim_end_matches('/'))
}

/// The address with `{}` in the place of the token of `…/key/TOKEN/…`, `…/test/TOKEN/…` or `…/collector/TOKEN/…`, and the token
/// as it is written raw: `!` and `$` may stand percent-encoded.
fn split_token(url: &str) -> (String, Option<String>) {
    for marker in TOKEN_MARKERS {
        if let Some((before, rest)) = url.split_once(marker) {
            let (token, after) = match rest.split_once('/') {
                Some((token, after)) => (token, format!("/{after}")),
                None => (rest, String::new()),
            };
            if !token.is_empty() {
                let token = token.replace("%21", "!").replace("%24", "$");
                return (format!("{before}{marker}{{}}{after}"), Some(token));
            }
        }
    }
    (url.to_owned(), None)
}

/// The text behind `%xx`; what is no such code stays.
fn percent_decoded(text: &str) -> String {
    // A form's value is decoded the same way but for the plus, which here is a plus.
    let query = format!("a={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_they_were_meant() {
        let rows = [
            ("https://h.test/v1/key/a$b!c/projects/1", "https://h.test/v1/key/{}/projects/1", Some("a$b!c")),
            ("https://h.test/v1/key/a%24b%21c/projects/1", "https://h.test/v1/key/{}/projects/1", Some("a$b!c")),
            ("https://h.test/v1/key/T", "https://h.test/v1/key/{}", Some("T")),
            ("https://h.test/v1/key/T/projects/1/formList", "https://h.test/v1/key/{}/projects/1", Some("T")),
            ("https://h.test/v1/key/T/projects/1/submission/", "https://h.test/v1/key/{}/projects/1", Some("T")),
            ("https://h.test/v1/projects/1?st=T", "https://h.test/v1/key/{}/projects/1", Some("T")),
            (
                "https://h.test/v1/test/T/projects/1/forms/a%20b/draft",
                "https://h.test/v1/test/{}/projects/1/forms/a%20b/draft",
                Some("T"),
            ),
            ("https://kc.test/collector/T", "https://kc.test/collector/{}", Some("T")),
            ("https://h.test/ana", "https://h.test/ana", None),
            ("  https://h.test/ana/ \n", "https://h.test/ana", None),
            ("https://h.test/ana/FORMLIST", "https://h.test/ana", None),
            ("HTTPS://H.test:443", "https://h.test", None),
            ("h.test/ana", "https://h.test/ana", None),
            ("https://h.te\nst/a\nna", "https://h.test/ana", None),
            ("http://[::1]:8480/", "http://[::1]:8480", None),
            ("https://h.test/formList?deviceID=a/b", "https://h.test", None),
            ("https://h.test/f/formList", "https://h.test/f", None),
            ("https://h.test/v1/projects/1#top", "https://h.test/v1/projects/1", None),
        ];
        for (text, prefix, token) in rows {
            let address = Address::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((address.prefix.as_str(), address.token.as_deref()), (prefix, token), "{text}");
            assert_eq!(Address::read(&address.reveal()).unwrap(), address, "{text}");
        }
    }

    #[test]
    fn pages_for_a_browser_are_told_apart() {
        use ErrorKind::{BadUrl, CentralWebPage, FormLink, KoboWebPage};
        let rows = [
            ("https://h.test/#/projects/1/app-users", CentralWebPage),
            ("https://h.test/#/login?next=%2F", CentralWebPage),
            ("https://h.test/projects/1/app-users", CentralWebPage),
            ("https://h.test/projects/12", CentralWebPage),
            ("https://h.test/login", CentralWebPage),
            ("https://h.test/f/0123456789abcdef?st=T0ken", FormLink),
            ("https://h.test/f/0123456789abcdef/offline?st=T0ken", FormLink),
            ("https://h.test/-/0123456789abcdef", FormLink),
            ("https://h.test/-/single/0123456789abcdef?st=T0ken", FormLink),
            ("https://ee.kobotoolbox.org/x/AbC", FormLink),
            ("https://kf.kobotoolbox.org/#/forms/aBc/summary", KoboWebPage),
            ("https://kf.own.test", KoboWebPage),
            ("eu.kobotoolbox.org", KoboWebPage),
            ("", BadUrl),
            ("https://", BadUrl),
            ("ftp://h.test", BadUrl),
            ("http://h.test/v1/key/T0ken/projects/1", ErrorKind::NotHttps),
            ("file:///etc/passwd", BadUrl),
            ("mailto:ana@h.test", BadUrl),
            ("ana@h.test", BadUrl),
        ];
        for (text, kind) in rows {
            let error = Address::read(text).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(!error.to_string().contains("T0ken"), "{error}");
        }
        assert_eq!(Address::read("https://kf.own.test/").unwrap_err().detail(), "https://kc.own.test");
    }

    #[test]
    fn name_and_password_leave_the_address() {
        let address = Address::read("https://ana%40h:p%26+w@h.test/ana").unwrap();
        assert_eq!(address.prefix, "https://h.test/ana");
        assert_eq!(address.account, Some(("ana@h".into(), "p&+w".into())));
        assert!(!format!("{address:?}").contains("ana"));
    }

    #[test]
    fn one_place_whatever_the_account() {
        let place = |text| Address::read(text).unwrap().place();
        assert_eq!(place("https://h.test/v1/key/T/projects/7"), place("https://h.test/v1/projects/7"));
        assert_ne!(place("https://h.test/v1/key/T/projects/7"), place("https://h.test/v1/projects/8"));
        assert_ne!(place("https://h.test/ana"), place("https://h.test/ben"));
    }

    #[test]
    fn a_website_is_told_from_a_portal_by_its_title() {
        let rows = [
            ("<!DOCTYPE html><html><head><title>ODK Central</title>", Some(ErrorKind::CentralWebPage)),
            ("<html><TITLE lang='en'>\n KoboToolbox | Log in</TITLE>", Some(ErrorKind::KoboWebPage)),
            ("<html><title>Hotel</title><p>ODK Central guests sign in here", None),
            ("<html><title>ODK Central", None),
            ("<title", None),
            ("", None),
        ];
        for (page, kind) in rows {
            assert_eq!(website(page.as_bytes()), kind, "{page}");
        }
    }

    #[test]
    fn a_server_may_be_named_in_any_way() {
        for text in ["o.test", " https://o.test:443 ", "https://O.test/v1/key/T/submission", "o.test/"] {
            assert_eq!(read_origin(text).unwrap(), "https://o.test", "{text}");
        }
        assert_eq!(read_origin("o.test:8443").unwrap(), "https://o.test:8443");
        assert_eq!(read_origin("http://127.0.0.1:80/x").unwrap(), "http://127.0.0.1");
        for text in ["", "http://o.test", "ftp://o.test", "a b"] {
            assert!(read_origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_code_is_no_address() {
        for text in ["eJyr-_/+==", r#"{"general":{"server_url":"https://h.test"}}"#, ""] {
            assert!(!Address::is_meant_by(text), "{text}");
        }
        for text in [" https://h.test ", "h.test", "localhost:8480"] {
            assert!(Address::is_meant_by(text), "{text}");
        }
    }
}

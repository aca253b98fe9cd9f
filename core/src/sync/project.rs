use crate::error::{ErrorKind, Result};
use crate::openrosa::address::{check_protection, origin, redact, same_host};
use crate::openrosa::digest_auth::Account;
use std::fmt;
use url::Url;

/// The parameter that tells which device asks.
const DEVICE_ID: &str = "deviceID";

/// A server address with its account, as the network side sees it.
#[derive(Clone)]
pub struct Project {
    base_url: Url,
    account: Option<Account>,
    device_id: Option<String>,
    allowed_hosts: Vec<String>,
}

/// Where a record goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To the project's own place for records.
    #[default]
    Home,
    /// To the address that its form names.
    Named(Url),
    /// Nowhere: its form names a server that nobody has allowed.
    NotAllowed,
}

impl Project {
    /// The project at `base_url`, with the token in its place if it has one.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`]; [`ErrorKind::NotHttps`] for `http` to anything but this device itself.
    pub fn new(base_url: &str, account: Option<Account>) -> Result<Self> {
        let base_url = Url::parse(base_url.trim()).map_err(|_| ErrorKind::BadUrl)?;
        check_protection(&base_url)?;
        Ok(Self { base_url, account, device_id: None, allowed_hosts: Vec::new() })
    }

    /// The same, telling its server which device asks (`?deviceID=`).
    #[must_use]
    pub fn with_device_id(self, device_id: Option<String>) -> Self {
        Self { device_id, ..self }
    }

    /// The same, with other servers ([origins](crate::openrosa::address::origin)) that a form may name for its records.
    #[must_use]
    pub fn with_allowed_hosts(self, allowed_hosts: Vec<String>) -> Self {
        Self { allowed_hosts, ..self }
    }

    /// The address as it is asked: with the device id on the project's own host, if it is to be told. Percent-encoded, for a
    /// raw `/` in the query makes ODK Central write addresses that lead nowhere (central-server.md §3).
    #[must_use]
    pub fn as_asked(&self, url: &Url) -> Url {
        let mut asked = url.clone();
        let is_said = || url.query_pairs().any(|(key, _)| key == DEVICE_ID);
        if let Some(device_id) = self.device_id.as_ref().filter(|_| self.is_home(url) && !is_said()) {
            asked.query_pairs_mut().append_pair(DEVICE_ID, device_id);
        }
        asked
    }

    /// Where the records of a form go whose `<submission action>` is `action`: there, if it is on the project's own host or
    /// on one that was allowed, and as well protected.
    #[must_use]
    pub fn destination(&self, action: Option<&str>) -> Destination {
        let Some(action) = action else { return Destination::Home };
        let is_allowed = |url: &Url| self.is_home(url) || self.allowed_hosts.contains(&origin(url));
        match self.resolve(action) {
            Ok(url) if is_allowed(&url) => Destination::Named(url),
            _ => Destination::NotAllowed,
        }
    }

    /// The address that paths are added to; a secret where it holds a token.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// User and password, where the address holds no token.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The address `given` by the server, whole or relative to the project's.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`]; [`ErrorKind::NotHttps`] if it is less protected than the project's own.
    pub fn resolve(&self, given: &str) -> Result<Url> {
        follow(&self.base_url, given)
    }

    /// Whether `url` is on the project's host, so that its account may be shown there.
    #[must_use]
    pub fn is_home(&self, url: &Url) -> bool {
        same_host(&self.base_url, url)
    }
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("base_url", &redact(&self.base_url)).field("account", &self.account).finish()
    }
}

/// Where `location` leads from `from`.
///
/// # Errors
/// [`ErrorKind::BadUrl`]; [`ErrorKind::NotHttps`] for a step from `https` to `http`, or to `http` elsewhere.
pub(super) fn follow(from: &Url, location: &str) -> Result<Url> {
    let url = from.join(location.trim()).map_err(|_| ErrorKind::BadUrl)?;
    if from.scheme() == "https" && url.scheme() != "https" {
        return Err(ErrorKind::NotHttps.into());
    }
    check_protection(&url)?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_device_only() {
        let rows = [
            ("https://h.test/v1/key/T/projects/1", None),
            ("http://127.0.0.1:8480/v1", None),
            ("http://127.8.9.1", None),
            ("http://[::1]:8480", None),
            ("http://LOCALHOST", None),
            ("http://h.test", Some(ErrorKind::NotHttps)),
            ("http://10.0.0.1", Some(ErrorKind::NotHttps)),
            ("http://localhost.h.test", Some(ErrorKind::NotHttps)),
            ("http://0.0.0.0", Some(ErrorKind::NotHttps)),
            ("ftp://h.test", Some(ErrorKind::BadUrl)),
            ("h.test", Some(ErrorKind::BadUrl)),
            ("file:///etc/passwd", Some(ErrorKind::BadUrl)),
            ("", Some(ErrorKind::BadUrl)),
        ];
        for (url, expected) in rows {
            assert_eq!(Project::new(url, None).err().map(|error| error.kind()), expected, "{url}");
        }
    }

    #[test]
    fn an_address_of_the_server_never_loses_protection() {
        let project = Project::new("https://h.test/v1/key/T/projects/1/", None).unwrap();
        assert_eq!(project.resolve("forms/a.xml").unwrap().as_str(), "https://h.test/v1/key/T/projects/1/forms/a.xml");
        assert_eq!(project.resolve("https://s3.test/a?b=c").unwrap().as_str(), "https://s3.test/a?b=c");
        for url in ["http://h.test/a", "http://127.0.0.1/a"] {
            assert_eq!(project.resolve(url).unwrap_err().kind(), ErrorKind::NotHttps);
        }
        assert!(project.is_home(&Url::parse("https://h.test:443/x").unwrap()));
        for url in ["https://s3.test/", "https://h.test:8443/", "https://h.test.evil.test/"] {
            assert!(!project.is_home(&Url::parse(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn the_device_id_is_told_to_the_projects_own_host_and_percent_encoded() {
        let project = Project::new("https://h.test/v1/key/a$b/projects/1", None).unwrap();
        let telling = project.clone().with_device_id(Some("veld/werk:a&b".into()));
        let rows = [
            ("https://h.test/v1/key/a$b/projects/1/formList", "?deviceID=veld%2Fwerk%3Aa%26b"),
            ("https://h.test/a.csv?formID=x%20y", "&deviceID=veld%2Fwerk%3Aa%26b"),
            ("https://h.test/a?deviceID=other", ""),
            ("https://s3.test/a?sig=1", ""),
            ("https://h.test:8443/a", ""),
        ];
        for (url, added) in rows {
            let url = Url::parse(url).unwrap();
            assert_eq!(telling.as_asked(&url).as_str(), format!("{url}{added}"));
            assert_eq!(project.as_asked(&url), url);
        }
    }

    #[test]
    fn a_form_names_a_place_only_on_a_host_that_is_known() {
        use Destination::{Home, NotAllowed};
        let project = Project::new("https://h.test/p", None).unwrap().with_allowed_hosts(vec!["https://o.test".into()]);
        let named = |url: &str| Destination::Named(Url::parse(url).unwrap());
        let rows = [
            (None, Home),
            (Some("https://h.test/own/place"), named("https://h.test/own/place")),
            (Some("https://h.test:443/own"), named("https://h.test/own")),
            (Some("own/place"), named("https://h.test/own/place")),
            (Some("https://o.test/submission"), named("https://o.test/submission")),
            (Some("https://o.test:8443/submission"), NotAllowed),
            (Some("https://evil.test/submission"), NotAllowed),
            (Some("https://h.test@evil.test/"), NotAllowed),
            (Some("http://h.test/submission"), NotAllowed),
            (Some("http://127.0.0.1/submission"), NotAllowed),
            (Some("mailto:ana@h.test"), NotAllowed),
            (Some("https://"), NotAllowed),
        ];
        for (action, expected) in rows {
            assert_eq!(project.destination(action), expected, "{action:?}");
        }
    }

    #[test]
    fn debug_and_errors_show_the_host_alone() {
        let account = Account { user: "ana".into(), password: "geheim".into() };
        let project = Project::new("https://h.test:8443/v1/key/T0ken/projects/1?st=T0ken", Some(account)).unwrap();
        let shown = format!("{project:?}");
        assert!(shown.contains("https://h.test:8443/…"), "{shown}");
        assert!(!shown.contains("T0ken") && !shown.contains("ana") && !shown.contains("geheim"), "{shown}");
        let refused = Project::new("http://h.test/v1/key/T0ken", None).unwrap_err().to_string();
        assert!(!refused.contains("T0ken"), "{refused}");
    }
}

//! Digest authentication (RFC 2617): MD5, with `qop=auth` or without (openrosa.md §7).
//!
//! ODK Central knows none of it; Kobo and older servers challenge with it.

use super::hex;
use md5::{Digest as _, Md5};
use std::fmt;

/// What a server asks for in `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User and password in the clear: only over https.
    Basic,
    /// A hash of them.
    Digest(DigestChallenge),
}

/// The parameters of a Digest challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop_auth: bool,
    /// Whether only the nonce was too old: user and password were right.
    pub stale: bool,
}

/// The challenge to answer among those of a `WWW-Authenticate` header: Digest before Basic, because it keeps the password.
/// `None` if it asks for nothing we know.
#[must_use]
pub fn challenge(header: &str) -> Option<Challenge> {
    let challenges = read_header(header);
    let digest = challenges.iter().find_map(|(scheme, parameters)| {
        scheme.eq_ignore_ascii_case("digest").then(|| DigestChallenge::from_parameters(parameters)).flatten()
    });
    let basic = challenges.iter().any(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    digest.map(Challenge::Digest).or_else(|| basic.then_some(Challenge::Basic))
}

impl DigestChallenge {
    /// What tells one challenge from the next.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    fn from_parameters(parameters: &[(String, String)]) -> Option<Self> {
        let get = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        if get("algorithm").is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("md5")) {
            return None;
        }
        let qop = get("qop");
        let qop_auth =
            qop.as_ref().is_some_and(|all| all.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
        if qop.is_some() && !qop_auth {
            return None; // only auth-int, which hashes the whole body
        }
        Some(Self {
            realm: get("realm").unwrap_or_default(),
            nonce: get("nonce")?,
            opaque: get("opaque"),
            qop_auth,
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

/// The schemes of the header with their parameters; `Basic realm="a", Digest realm="b", nonce="c"` holds two.
fn read_header(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut challenges: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start_matches([',', ' ', '\t']);
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (after, has_value) = match after.trim_start().strip_prefix('=') {
            Some(value) => (value.trim_start(), true),
            None => (after, false),
        };
        if has_value {
            let (value, after) = read_value(after);
            challenges
                .iter_mut()
                .next_back()
                .into_iter()
                .for_each(|(_, parameters)| parameters.push((word.to_owned(), value.clone())));
            rest = after;
        } else {
            challenges.push((word.to_owned(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([',', ' ', '\t']);
    }
    challenges
}

/// A token or a quoted string at the start of `text`, and what follows it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) =
            text.split_at_checked(text.find([',', ' ', '\t']).unwrap_or(text.len())).unwrap_or((text, ""));
        return (token.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

/// A challenge together with how often it was answered: one nonce serves many requests, each with a higher count.
#[derive(Clone, Debug)]
pub struct DigestAuth {
    challenge: DigestChallenge,
    count: u32,
}

impl DigestAuth {
    /// Begins to answer `challenge`.
    #[must_use]
    pub const fn new(challenge: DigestChallenge) -> Self {
        Self { challenge, count: 0 }
    }

    /// The nonce that is answered.
    #[must_use]
    pub fn nonce(&self) -> &str {
        self.challenge.nonce()
    }

    /// The value of the `Authorization` header of the next request. `uri` is its path with the query, `client_nonce` a fresh
    /// random text.
    #[must_use]
    pub fn authorization(&mut self, account: &Account, method: &str, uri: &str, client_nonce: &str) -> String {
        self.count += 1;
        let DigestChallenge { realm, nonce, opaque, qop_auth, .. } = &self.challenge;
        let count = format!("{:08x}", self.count);
        let qop = qop_auth.then_some(Qop { count: &count, client_nonce });
        let response = response(account, realm, method, uri, nonce, qop);
        let mut header = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", algorithm=MD5, response=\"{response}\"",
            quoted(&account.user),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
        );
        if *qop_auth {
            header.push_str(&format!(", qop=auth, nc={count}, cnonce=\"{}\"", quoted(client_nonce)));
        }
        if let Some(opaque) = opaque {
            header.push_str(&format!(", opaque=\"{}\"", quoted(opaque)));
        }
        header
    }
}

/// User and password of a project.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Name of the user.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account { .. }")
    }
}

/// What `qop=auth` adds to the hash.
#[derive(Clone, Copy, Debug)]
pub struct Qop<'a> {
    /// How often this nonce was used, eight hexadecimal digits.
    pub count: &'a str,
    /// The random text of the client.
    pub client_nonce: &'a str,
}

/// The `response` of RFC 2617 §3.2.2.1: what the client sends and the server compares.
#[must_use]
pub fn response(account: &Account, realm: &str, method: &str, uri: &str, nonce: &str, qop: Option<Qop<'_>>) -> String {
    let secret = md5(&format!("{}:{realm}:{}", account.user, account.password));
    let request = md5(&format!("{method}:{uri}"));
    match qop {
        Some(Qop { count, client_nonce }) => md5(&format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{request}")),
        None => md5(&format!("{secret}:{nonce}:{request}")),
    }
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &str = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
                       nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

    fn mufasa() -> Account {
        Account { user: "Mufasa".into(), password: "Circle Of Life".into() }
    }

    fn digest(header: &str) -> DigestChallenge {
        match challenge(header) {
            Some(Challenge::Digest(challenge)) => challenge,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let header = DigestAuth::new(digest(RFC)).authorization(&mufasa(), "GET", "/dir/index.html", "0a4f113b");
        assert!(header.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{header}");
        assert!(header.contains("qop=auth, nc=00000001, cnonce=\"0a4f113b\""), "{header}");
        assert!(header.ends_with("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""), "{header}");
    }

    #[test]
    fn without_qop_as_in_rfc_2069() {
        let expected = "670fd8c2df070c60b045671b8b24ff02";
        assert_eq!(
            response(
                &mufasa(),
                "testrealm@host.com",
                "GET",
                "/dir/index.html",
                "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                None
            ),
            expected
        );
        let header = DigestAuth::new(digest(
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
        ))
        .authorization(&mufasa(), "GET", "/dir/index.html", "unused");
        assert!(header.contains(expected) && !header.contains("nc="), "{header}");
    }

    #[test]
    fn a_nonce_is_used_again_with_a_rising_count() {
        let mut auth = DigestAuth::new(digest(RFC));
        for count in ["nc=00000001", "nc=00000002", "nc=00000003"] {
            assert!(auth.authorization(&mufasa(), "HEAD", "/submission", "c").contains(count));
        }
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        assert_eq!(challenge("Basic realm=\"x, Digest nonce=1\""), Some(Challenge::Basic));
        assert!(matches!(challenge("Basic realm=\"a\", Digest realm=\"b\", nonce=\"c\""), Some(Challenge::Digest(_))));
        assert_eq!(digest("digest REALM=\"a \\\"b\\\"\" , nonce = c,stale=TRUE").realm, "a \"b\"");
        assert!(digest("Digest nonce=\"c\", stale=true").stale);
        assert!(!digest("Digest nonce=\"c\", stale=\"false\"").stale);
        for header in [
            "",
            "Bearer",
            "Digest realm=\"no nonce\"",
            "Digest nonce=\"n\", algorithm=SHA-256",
            "Digest nonce=n, qop=\"auth-int\"",
            "=,=\"",
            ",,,",
        ] {
            assert_eq!(challenge(header), None, "{header}");
        }
        assert_eq!(challenge("Digest nonce=\"n\", algorithm=SHA-256, Basic realm=\"x\""), Some(Challenge::Basic));
    }

    #[test]
    fn challenges_that_stricter_parsers_refuse_are_read() {
        assert_eq!(digest("Digest realm=\"Büro\", nonce=\"n\"").realm, "Büro");
        assert_eq!(digest("Digest realm=\"\", nonce=bm9uY2U=").nonce, "bm9uY2U=");
        assert_eq!(challenge("Basic realm=\"x\", \u{1}"), Some(Challenge::Basic));
        assert_eq!(challenge("Basic realm=Field Team"), Some(Challenge::Basic));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_server_writes_is_read_without_a_panic(header in "(Digest |Basic |, |=|\"|nonce|realm|\\\\|.){0,12}") {
            if let Some(Challenge::Digest(digest)) = challenge(&header) {
                let answer = DigestAuth::new(digest).authorization(&mufasa(), "GET", "/", "c");
                proptest::prop_assert!(answer.starts_with("Digest username="));
            }
        }
    }

    #[test]
    fn names_with_quotes_are_quoted() {
        let account = Account { user: "a\"b\\c".into(), password: "p".into() };
        let header = DigestAuth::new(digest(RFC)).authorization(&account, "GET", "/", "c");
        assert!(header.starts_with("Digest username=\"a\\\"b\\\\c\", "), "{header}");
        assert!(!format!("{account:?}").contains('p'), "{account:?}");
    }
}

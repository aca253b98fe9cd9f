//! Where a link may lead: to a web page, a mail address or a telephone number, and nowhere else.

use url::Url;

use super::markdown::Glyph;

/// The address that `glyphs` spell, if it is safe.
///
/// An answer inside an address is percent-encoded, so it stays within its place (`…?id=` + answer); an answer that is the
/// whole address must be a safe one by itself.
pub(super) fn target(glyphs: &[Glyph<'_>]) -> Option<String> {
    let mut address = String::new();
    for glyph in glyphs {
        match *glyph {
            Glyph::Char(c) => address.push(c),
            Glyph::Value(value) if glyphs.len() == 1 => address.push_str(value),
            Glyph::Value(value) => encode(value, &mut address),
        }
    }
    safe(address.trim())
}

fn safe(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let leads_somewhere = match url.scheme() {
        "http" | "https" => url.has_host(),
        "mailto" | "tel" => !url.path().is_empty(),
        _ => false,
    };
    leads_somewhere.then(|| url.into())
}

/// Percent-encodes all but RFC 3986's unreserved characters; telephone numbers and mail addresses keep their `+` and `@`.
fn encode(value: &str, address: &mut String) {
    let keeps = if address.starts_with("http") { "-._~" } else { "-._~+@" };
    for byte in value.trim().bytes() {
        if byte.is_ascii_alphanumeric() || keeps.as_bytes().contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authored: &str) -> Option<String> {
        target(&authored.chars().map(Glyph::Char).collect::<Vec<_>>())
    }

    fn with_value(authored: &str, value: &str) -> Option<String> {
        target(&authored.chars().map(Glyph::Char).chain([Glyph::Value(value)]).collect::<Vec<_>>())
    }

    #[test]
    fn only_pages_mail_and_telephones() {
        for address in
            ["https://example.org/a_b?c=d", "http://example.org/", "mailto:a@example.org", "tel:+31401234567"]
        {
            assert_eq!(of(address).as_deref(), Some(address));
        }
        for address in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "intent:#Intent;end",
            "//example.org",
            "example.org",
            "https://",
            "tel:",
            "",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }

    #[test]
    fn an_answer_stays_in_its_place() {
        let page = with_value("https://example.org/?id=", "a&b=c#d /../é");
        assert_eq!(page.as_deref(), Some("https://example.org/?id=a%26b%3Dc%23d%20%2F..%2F%C3%A9"));
        assert_eq!(with_value("tel:", "+31 40").as_deref(), Some("tel:+31%2040"));
        assert_eq!(with_value("", "https://example.org/x").as_deref(), Some("https://example.org/x"));
        assert_eq!(with_value("", "javascript:alert(1)"), None);
        assert_eq!(with_value("java", "script:alert(1)"), None);
    }
}

//! Names and values of the headers that OpenRosa adds to HTTP (openrosa.md §2).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Which version of the protocol a request or a reply speaks; ODK Central refuses a request without it.
pub const VERSION: &str = "X-OpenRosa-Version";
/// The one value of [`VERSION`].
pub const VERSION_VALUE: &str = "1.0";
/// How many bytes one POST may carry, in the reply to `HEAD` on the submission address.
pub const ACCEPT_CONTENT_LENGTH: &str = "X-OpenRosa-Accept-Content-Length";
/// The limit where a server names none, in bytes.
pub const DEFAULT_ACCEPT_CONTENT_LENGTH: u64 = 10_000_000;
/// The media type of every OpenRosa document.
pub const TEXT_XML: &str = "text/xml; charset=utf-8";

/// The value of a `Date` header; `ms` counts from 1970-01-01T00:00:00Z. Empty for a moment outside years 1 to 9999.
#[must_use]
pub fn date(ms: i64) -> String {
    let moment = Timestamp::from_millisecond(ms).unwrap_or_default();
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default()
}

/// Whether a reply may be an OpenRosa document: status 200, `text/xml`, and the version header. What the root element
/// is, the reader of the document says.
#[must_use]
pub fn is_document(status: u16, content_type: Option<&str>, version: Option<&str>) -> bool {
    let is_xml = content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/xml"));
    status == 200 && is_xml && version.is_some_and(|version| version.trim() == VERSION_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_in_the_form_of_http() {
        assert_eq!(date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(46_800_000), "Thu, 01 Jan 1970 13:00:00 GMT");
    }

    #[test]
    fn a_portal_is_no_document() {
        let rows = [
            (200, Some("text/xml; charset=utf-8"), Some("1.0"), true),
            (200, Some("Text/XML"), Some(" 1.0"), true),
            (200, Some("text/html"), Some("1.0"), false),
            (200, Some("text/xml"), None, false),
            (200, None, Some("1.0"), false),
            (201, Some("text/xml"), Some("1.0"), false),
        ];
        for (status, content_type, version, expected) in rows {
            assert_eq!(is_document(status, content_type, version), expected, "{status} {content_type:?} {version:?}");
        }
    }
}

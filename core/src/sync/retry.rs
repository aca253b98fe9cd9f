//! What a reply to a record means, and how long to wait before the next try (openrosa.md §6, "Our rules").

use super::policy::Backoff;
use crate::clock::Random;
use crate::error::ErrorKind;
use crate::openrosa::response::{self, Reply};
use std::ops::RangeInclusive;

/// What a reply to the POST of a record means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server has it.
    Sent,
    /// The server cannot now; later it may.
    Transient,
    /// What answered is no survey server: a sign-in page of a wifi network, a proxy, another site.
    NotAServer,
    /// The account may not send this; whether it may send anything, the form list tells.
    Refused,
    /// The server says the record was deleted there, sometimes falsely: two first POSTs at once provoke it.
    Deleted,
    /// One request was too large; smaller ones may pass.
    TooLarge,
    /// Trying again brings the same; a person has to look.
    NeedsAttention(Reason),
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal)*) => {
        /// Why a record is not sent: in the state `waiting` or `needs_attention`. The words for people are those of
        /// [`crate::text::words`], by the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable code, kebab-case; where an error has the same, it says the same.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// Waiting: there is no connection.
    Offline "offline"
    /// Waiting: a file of it cannot be read on this device for the moment.
    Io "io"
    /// Waiting: the server cannot now.
    ServerBusy "server-busy"
    /// Waiting: something else than a survey server answers.
    NotAServer "not-a-server"
    /// Waiting: nobody this device trusts has signed the certificate of who answers.
    UnknownIssuer "unknown-issuer"
    /// Waiting: the certificate of who answers is for another name.
    WrongCertificateName "wrong-certificate-name"
    /// Waiting: the certificate is no longer valid on the date of this device.
    CertificateExpired "certificate-expired"
    /// Waiting: the certificate is not valid yet on the date of this device.
    CertificateNotYetValid "certificate-not-yet-valid"
    /// Waiting: no secure connection can be made, for another reason.
    NoSecureConnection "no-secure-connection"
    /// Waiting: the account or the token is not accepted.
    SignInNeeded "sign-in-needed"
    /// The form names another server for its records, which nobody has allowed.
    OtherHost "other-host"
    /// The account may not send records of this form.
    NotAllowed "not-allowed"
    /// The server has another record of the same instanceID.
    DifferentRecord "different-record"
    /// The record was deleted on the server.
    DeletedOnServer "deleted-on-server"
    /// The form takes no records any more.
    FormClosed "form-closed"
    /// The record on the server was edited since.
    OutOfDate "out-of-date"
    /// The instanceID of an edit is taken.
    AlreadyThere "already-there"
    /// The server does not know the form or its version.
    UnknownForm "unknown-form"
    /// The server cannot read the record.
    Unreadable "unreadable"
    /// A file of the record is larger than the server takes.
    TooLarge "too-large"
    /// The account of the server is full.
    QuotaReached "quota-reached"
    /// The form or the account is switched off.
    Inactive "inactive"
    /// The server keeps failing on this record.
    ServerError "server-error"
    /// The server refuses it for a reason of its own.
    Rejected "rejected"
    /// A file of the record is not on this device any more.
    AttachmentMissing "attachment-missing"
    /// A file of the record is not what was stored.
    AttachmentDamaged "attachment-damaged"
    /// It was read back from a damaged database, and nothing proves that it is what was written.
    Unproved "unproved"
    /// The record cannot be read on this device.
    UnreadableRecord "unreadable-record"
}

impl Reason {
    /// Why nothing is sent to who cannot prove to be the server.
    #[must_use]
    pub const fn of_untrusted(error: ErrorKind) -> Self {
        match error {
            ErrorKind::UnknownIssuer => Self::UnknownIssuer,
            ErrorKind::WrongCertificateName => Self::WrongCertificateName,
            ErrorKind::CertificateExpired => Self::CertificateExpired,
            ErrorKind::CertificateNotYetValid => Self::CertificateNotYetValid,
            _ => Self::NoSecureConnection,
        }
    }

    /// Whether it is for want of trust in who answers.
    #[must_use]
    pub const fn is_distrust(self) -> bool {
        matches!(
            self,
            Self::UnknownIssuer
                | Self::WrongCertificateName
                | Self::CertificateExpired
                | Self::CertificateNotYetValid
                | Self::NoSecureConnection
        )
    }

    /// The reason behind a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

struct Row(RangeInclusive<u16>, &'static str, Verdict);

impl Row {
    fn fits(&self, status: u16, words: &str) -> bool {
        self.0.contains(&status) && words.contains(self.1)
    }
}

/// The first row whose status and fragment fit decides; fragments are those of ODK Central, whose dotted codes are not sent.
const TABLE: &[Row] = {
    use Reason as R;
    use Verdict::{Deleted, NeedsAttention, NotAServer, Refused, Sent, TooLarge, Transient};
    &[
        Row(201..=202, "", Sent),
        Row(200..=399, "", NotAServer),
        Row(400..=400, "", NeedsAttention(R::Unreadable)),
        Row(401..=401, "", Refused),
        Row(402..=402, "", NeedsAttention(R::QuotaReached)),
        Row(403..=403, "", Refused),
        Row(404..=404, "", NeedsAttention(R::UnknownForm)),
        Row(405..=405, "", NeedsAttention(R::Inactive)),
        Row(407..=407, "", NotAServer),
        Row(408..=408, "", Transient),
        Row(409..=409, "has been deleted", Deleted),
        Row(409..=409, "different xml", NeedsAttention(R::DifferentRecord)),
        Row(409..=409, "not currently accepting", NeedsAttention(R::FormClosed)),
        Row(409..=409, "out of date", NeedsAttention(R::OutOfDate)),
        Row(409..=409, "already exists on this server", NeedsAttention(R::AlreadyThere)),
        Row(409..=409, "", NeedsAttention(R::DifferentRecord)),
        Row(410..=410, "", NeedsAttention(R::OutOfDate)),
        Row(413..=413, "", TooLarge),
        Row(423..=423, "", Transient),
        Row(425..=425, "", Transient),
        Row(429..=429, "", Transient),
        Row(400..=499, "", NeedsAttention(R::Rejected)),
        Row(511..=511, "", NotAServer),
        Row(500..=599, "", Transient),
    ]
};

/// The same for a web page: not the server has answered, so it is no verdict on the record. Only that nginx, which stands in
/// front of a server, takes no body of this size is to be believed, and that something there cannot now.
const PAGES: &[Row] = {
    use Verdict::{NotAServer, TooLarge, Transient};
    &[
        Row(413..=413, "", TooLarge),
        Row(408..=408, "", Transient),
        Row(423..=423, "", Transient),
        Row(425..=425, "", Transient),
        Row(429..=429, "", Transient),
        Row(511..=511, "", NotAServer),
        Row(500..=599, "", Transient),
        Row(100..=599, "", NotAServer),
    ]
};

/// What the reply to a POST of a record means.
#[must_use]
pub fn verdict(status: u16, media_type: &str, body: &[u8]) -> Verdict {
    let reply = response::read_as(media_type, body);
    let table = if reply == Reply::Html { PAGES } else { TABLE };
    let words = reply.text().to_lowercase();
    let row = table.iter().find(|row| row.fits(status, &words));
    row.map_or(Verdict::NotAServer, |Row(_, _, verdict)| *verdict)
}

/// Whether a status promises that the same request may succeed later.
#[must_use]
pub const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 423 | 425 | 429 | 500..=510 | 512..=599)
}

/// How long to wait after the `tries`-th failure (from 1), in milliseconds: doubling, with up to half added or taken away, so
/// that devices which failed together do not come back together. A `Retry-After` of the server counts instead, up to an hour.
#[must_use]
pub fn pause_ms(tries: u32, retry_after_ms: Option<i64>, backoff: &Backoff, random: &mut Random) -> i64 {
    if let Some(asked) = retry_after_ms {
        return asked.clamp(0, backoff.longest_retry_after_ms);
    }
    let doublings = tries.saturating_sub(1).min(20);
    let doubled = backoff.first_pause_ms.saturating_mul(1 << doublings).min(backoff.longest_pause_ms);
    doubled / 2 + (random.next_u64() % doubled.unsigned_abs().max(1)).cast_signed()
}

/// A row of failures on one record that are the server's own (5xx), or a web page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// How many there were without another outcome in between.
    pub count: u32,
    /// When the first of them came, in milliseconds since 1970.
    pub since_ms: i64,
}

impl Failing {
    /// The row with one more at `now_ms`.
    #[must_use]
    pub fn one_more(row: Option<Self>, now_ms: i64) -> Self {
        let Self { count, since_ms } = row.unwrap_or(Self { count: 0, since_ms: now_ms });
        Self { count: count.saturating_add(1), since_ms }
    }

    /// Whether it lasts: then the fault is not the moment's but has to do with this record.
    #[must_use]
    pub const fn is_lasting(self, now_ms: i64, backoff: &Backoff) -> bool {
        self.count >= backoff.lasting_tries && now_ms.saturating_sub(self.since_ms) >= backoff.lasting_ms
    }
}

/// The pause a `Retry-After` header asks for, in milliseconds: it holds seconds or a date.
#[must_use]
pub fn retry_after_ms(header: &str, now_ms: i64) -> Option<i64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(date.as_millisecond().saturating_sub(now_ms).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Step;
    use std::collections::BTreeSet;

    fn random() -> Random {
        Step { at: 0, seed: 7, number: 0 }.random()
    }

    #[test]
    fn every_row_of_the_table_is_reached() {
        use Reason as R;
        use Verdict::{Deleted, NeedsAttention, NotAServer, Refused, Sent, TooLarge, Transient};
        let central = |words: &str| response::write(words, true);
        let html = || "<html><body>nginx</body></html>".to_owned();
        let rows = [
            (201, response::write("full submission upload was successful!", false), Sent),
            (202, String::new(), Sent),
            (200, html(), NotAServer),
            (200, response::write("fine", false), NotAServer),
            (204, String::new(), NotAServer),
            (302, html(), NotAServer),
            (400, central("bad XML"), NeedsAttention(R::Unreadable)),
            (401, central("no"), Refused),
            (402, String::new(), NeedsAttention(R::QuotaReached)),
            (403, r#"{"message":"no","code":403.1}"#.into(), Refused),
            (404, r#"{"message":"Could not find the resource","code":404.1}"#.into(), NeedsAttention(R::UnknownForm)),
            (405, String::new(), NeedsAttention(R::Inactive)),
            (407, String::new(), NotAServer),
            (408, String::new(), Transient),
            (409, central("This submission has been deleted. You may not resubmit it."), Deleted),
            (
                409,
                central("it already exists with this ID, but with different XML"),
                NeedsAttention(R::DifferentRecord),
            ),
            (409, central("the form is not currently accepting submissions"), NeedsAttention(R::FormClosed)),
            (409, central("the copy you were editing is now out of date"), NeedsAttention(R::OutOfDate)),
            (409, central("the instanceID already exists on this server"), NeedsAttention(R::AlreadyThere)),
            (409, String::new(), NeedsAttention(R::DifferentRecord)),
            (410, String::new(), NeedsAttention(R::OutOfDate)),
            (413, String::new(), TooLarge),
            (418, String::new(), NeedsAttention(R::Rejected)),
            (423, String::new(), Transient),
            (425, String::new(), Transient),
            (429, String::new(), Transient),
            (500, r#"{"message":"broke"}"#.into(), Transient),
            (502, html(), Transient),
            (503, html(), Transient),
            (511, String::new(), NotAServer),
            (599, String::new(), Transient),
            (100, String::new(), NotAServer),
            (999, String::new(), NotAServer),
        ];
        let pages = [
            (200, NotAServer),
            (201, NotAServer),
            (202, NotAServer),
            (302, NotAServer),
            (400, NotAServer),
            (401, NotAServer),
            (402, NotAServer),
            (403, NotAServer),
            (404, NotAServer),
            (405, NotAServer),
            (406, NotAServer),
            (407, NotAServer),
            (408, Transient),
            (409, NotAServer),
            (410, NotAServer),
            (413, TooLarge),
            (423, Transient),
            (425, Transient),
            (429, Transient),
            (500, Transient),
            (502, Transient),
            (511, NotAServer),
        ];
        let rows = rows.into_iter().map(|(status, body, expected)| (status, "text/xml", body, expected));
        let pages = pages.into_iter().flat_map(|(status, expected)| {
            [(status, "", html(), expected), (status, "text/html", "Sign in".to_owned(), expected)]
        });
        let mut reached = BTreeSet::new();
        for (status, media_type, body, expected) in rows.chain(pages) {
            assert_eq!(verdict(status, media_type, body.as_bytes()), expected, "{status} {media_type} {body}");
            let reply = response::read_as(media_type, body.as_bytes());
            let (name, table) = if reply == Reply::Html { ("pages", PAGES) } else { ("table", TABLE) };
            let row = table.iter().position(|row| row.fits(status, &reply.text().to_lowercase()));
            reached.extend(row.map(|row| (name, row)));
        }
        assert_eq!(reached.len(), TABLE.len() + PAGES.len(), "rows reached: {reached:?}");
    }

    #[test]
    fn an_answer_of_the_protocol_beats_its_content_type() {
        let words = response::write("has been deleted", true);
        assert_eq!(verdict(409, "text/html", words.as_bytes()), Verdict::Deleted);
        let stored = response::write("stored", false);
        assert_eq!(verdict(201, "text/html", stored.as_bytes()), Verdict::Sent);
    }

    #[test]
    fn transient_statuses_are_those_of_the_table() {
        for status in 400..600 {
            assert_eq!(is_transient(status), verdict(status, "", b"") == Verdict::Transient, "{status}");
        }
    }

    #[test]
    fn reasons_have_unique_codes_and_are_found_by_them() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for &reason in Reason::ALL {
            assert!(reason.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            // One code, one meaning.
            let kind = ErrorKind::ALL.iter().find(|kind| kind.code() == reason.code());
            assert_eq!(
                kind.is_some_and(|&kind| Reason::of_untrusted(kind) == reason),
                reason.is_distrust(),
                "{reason:?}"
            );
        }
        assert_eq!(Reason::from_code("elsewhere"), None);
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let (mut random, backoff) = (random(), Backoff::default());
        let middle = [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 900_000, 900_000];
        for (tries, middle) in (1..).zip(middle) {
            for _ in 0..100 {
                let pause = pause_ms(tries, None, &backoff, &mut random);
                assert!((middle / 2..=middle + middle / 2).contains(&pause), "{tries}: {pause}");
            }
        }
        assert!(pause_ms(u32::MAX, None, &backoff, &mut random) <= backoff.longest_pause_ms * 3 / 2);
        assert!(pause_ms(0, None, &backoff, &mut random) >= 1_000);
        assert_ne!(pause_ms(5, None, &backoff, &mut random), pause_ms(5, None, &backoff, &mut random));
    }

    #[test]
    fn retry_after_counts_up_to_an_hour() {
        let (mut random, backoff) = (random(), Backoff::default());
        assert_eq!(pause_ms(1, Some(30_000), &backoff, &mut random), 30_000);
        assert_eq!(pause_ms(1, Some(i64::MAX), &backoff, &mut random), 3_600_000);
        assert_eq!(pause_ms(1, Some(-5), &backoff, &mut random), 0);
        assert_eq!(retry_after_ms("120", 0), Some(120_000));
        assert_eq!(retry_after_ms(" Thu, 01 Jan 1970 00:02:00 GMT ", 60_000), Some(60_000));
        assert_eq!(retry_after_ms("Thu, 01 Jan 1970 00:02:00 GMT", 600_000), Some(0));
        assert_eq!(retry_after_ms("soon", 0), None);
        assert_eq!(retry_after_ms("-1", 0), None);
    }

    #[test]
    fn server_errors_last_after_ten_over_a_day() {
        let day = 24 * 60 * 60_000;
        let mut row = None;
        for n in 1..=10 {
            let now = n * day;
            let errors = Failing::one_more(row, now);
            assert_eq!(errors.is_lasting(now, &Backoff::default()), n == 10, "{n}");
            row = Some(errors);
        }
        let quick = (0..50).fold(None, |row, n| Some(Failing::one_more(row, n * 1_000)));
        assert!(
            quick.is_some_and(|errors| !errors.is_lasting(50_000, &Backoff::default())),
            "fifty within a minute are the moment's"
        );
    }
}

//! Whom a connection trusts, and why one is not trusted: the roots of Mozilla inside the program, so that no device's own
//! certificate store (on Android reached over JNI) is asked, and the authorities of the project at hand.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;

/// Reads the certificates of authorities from a PEM file, for a project to keep: certificates only, whatever else the file holds.
///
/// # Errors
/// [`ErrorKind::BadCertificate`] if there is none, or one that cannot be used.
pub fn authorities(pem: &[u8]) -> Result<String> {
    let certificates = certificates(pem)?;
    if certificates.is_empty() {
        return Err(Error::new(ErrorKind::BadCertificate, "no certificate in PEM"));
    }
    add(&mut RootCertStore::empty(), &certificates)?;
    Ok(certificates.iter().map(|certificate| to_pem(certificate)).collect())
}

/// What TLS is set up with. `ca`: certificates of the project's own authorities in PEM, empty for none.
pub(super) fn config(ca: &str) -> Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    add(&mut roots, &certificates(ca.as_bytes())?)?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "network").caused_by(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Why no secure connection was made; `None` if that is not what an error is about.
pub(super) fn failure(error: &reqwest::Error) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(told(tls));
        }
        // An error of I/O names as its source that of the error inside, and not the one inside.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

fn told(error: &rustls::Error) -> Error {
    use CertificateError as C;
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return ErrorKind::NoSecureConnection.into();
    };
    match certificate {
        C::NotValidForName | C::NotValidForNameContext { .. } => ErrorKind::WrongCertificateName.into(),
        C::Expired => ErrorKind::CertificateExpired.into(),
        C::ExpiredContext { time, not_after } => dated(ErrorKind::CertificateExpired, *time, "until", *not_after),
        C::NotValidYet => ErrorKind::CertificateNotYetValid.into(),
        C::NotValidYetContext { time, not_before } => {
            dated(ErrorKind::CertificateNotYetValid, *time, "from", *not_before)
        }
        C::Revoked => Error::new(ErrorKind::NoSecureConnection, "the certificate was revoked"),
        C::BadEncoding => Error::new(ErrorKind::NoSecureConnection, "the certificate cannot be read"),
        // A bad signature, a certificate that signs itself, a chain that ends nowhere.
        _ => ErrorKind::UnknownIssuer.into(),
    }
}

fn dated(kind: ErrorKind, now: UnixTime, word: &str, limit: UnixTime) -> Error {
    Error::new(kind, format!("this device says it is {}; valid {word} {}", day(now), day(limit)))
}

/// The day in UTC, as certificates count.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(|_| Error::new(ErrorKind::BadCertificate, "not readable as PEM"))
}

fn add(roots: &mut RootCertStore, certificates: &[CertificateDer<'static>]) -> Result<()> {
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|_| Error::new(ErrorKind::BadCertificate, "a certificate cannot be read"))?;
    }
    Ok(())
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    const LINE: usize = 64;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        let page = "<html>sign in</html>";
        for pem in ["", page, broken, key, open, "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n"] {
            assert_eq!(authorities(pem.as_bytes()).unwrap_err().kind(), ErrorKind::BadCertificate, "{pem}");
        }
    }

    #[test]
    fn a_date_is_told_as_the_day() {
        let day_of = |seconds| day(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)));
        assert_eq!(
            (day_of(0).as_str(), day_of(1_764_201_600).as_str(), day_of(u64::MAX).as_str()),
            ("1970-01-01", "2025-11-27", "?")
        );
    }
}

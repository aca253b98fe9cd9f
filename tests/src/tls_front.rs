//! TLS in front of a server: an authority of a test's own, and certificates that are as good or as bad as it likes.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Someone who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Identity(Arc<ServerConfig>);

/// A server behind TLS; it ends when this is dropped.
pub struct TlsFront {
    /// Where it listens.
    pub address: SocketAddr,
    work: JoinHandle<()>,
}

impl Authority {
    /// One that nobody knows yet.
    #[must_use]
    pub fn new() -> Self {
        let mut about = CertificateParams::default();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate, as an administrator hands it out.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` (a host's or an address), valid from the first day of one year to that of another.
    #[must_use]
    pub fn identity(&self, name: &str, (from, until): (i32, i32)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut about = CertificateParams::new([name.to_owned()]).unwrap();
        (about.not_before, about.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let certificate = about.signed_by(&key, &self.0).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Identity(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsFront {
    /// Passes on to `server` what comes to a free port of this computer.
    pub async fn start(identity: Identity, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(identity.0);
        let work = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut plain = TcpStream::connect(server).await.ok()?;
                    let mut secret = acceptor.accept(stream).await.ok()?;
                    copy_bidirectional(&mut secret, &mut plain).await.ok()
                });
            }
        });
        Self { address, work }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.work.abort();
    }
}

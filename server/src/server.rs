//! Starting and stopping the server, and what a program that runs it may ask of it.

use crate::database::Database;
use crate::form::{FormSource, Forms};
use crate::page;
use crate::protocol;
use crate::site::{Site, now};
use crate::token::{PageKey, Token};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use veldwerk::openrosa::settings_qr::{self, Autosend, FormUpdateMode, Settings};
use veldwerk::{Error, ErrorKind, Result};

/// How long running requests may go on once the server is told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The folder that keeps the project, its forms and the records; made if it is not there.
    pub data: PathBuf,
    /// The forms to publish at start; one that is no longer among them leaves the list, and its records stay.
    pub forms: Forms,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Allows an address other than this computer's own, where anybody on the network can read answers on their way.
    pub i_know_it_is_plain_http: bool,
    /// The name of the project on a phone.
    pub project_name: String,
}

impl ServerConfig {
    /// The two questionnaires, on a free port of this computer.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            forms: Forms::Embedded,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            i_know_it_is_plain_http: false,
            project_name: "Veldwerk".to_owned(),
        }
    }
}

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    site: Arc<Site>,
    token: Option<Token>,
    project_name: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A record as it lies on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRecord {
    /// The record's `meta/instanceID`.
    pub instance_id: String,
    /// The version of the form it was filled in on.
    pub version: String,
    /// The bytes that came.
    pub xml: Vec<u8>,
    /// Names and bytes of the attachments that came, by name.
    pub attachments: Vec<(String, Vec<u8>)>,
}

/// Starts a server on a thread of its own and returns once it listens.
///
/// # Errors
/// `not-https` for an address beyond this computer without leave; `io` when the address is taken or the folder cannot
/// be used; whatever [`Forms`] may say of a form.
pub fn serve(config: ServerConfig) -> Result<Server> {
    if !config.listen.ip().is_loopback() && !config.i_know_it_is_plain_http {
        let detail = format!("{} can be reached from other computers", config.listen);
        return Err(Error::new(ErrorKind::NotHttps, detail));
    }
    let database = Database::open(&config.data)?;
    let (token_hash, token) = match database.token_hash()? {
        Some(hash) => (hash, None),
        None => {
            let token = Token::generate()?;
            database.make_project(&token, now())?;
            (token.hash(), Some(token))
        }
    };
    let forms = config.forms.read()?;
    database.withdraw_all()?;
    for form in forms {
        database.publish(&form, now())?;
    }

    let cannot_listen = |error| Error::new(ErrorKind::Io, format!("listening on {}", config.listen)).caused_by(error);
    let listener = std::net::TcpListener::bind(config.listen).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let site = Arc::new(Site::new(database, token_hash, PageKey::generate()?, address));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_listen)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(cannot_listen)?
    };
    let routes = protocol::routes(&site).merge(page::routes(&site));
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("veldwerk-server".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = axum::serve(listener, routes) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(STOP_WITHIN);
        })
        .map_err(cannot_listen)?;
    Ok(Server { site, token, project_name: config.project_name, stop: Some(stop), thread: Some(thread) })
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.site.address
    }

    /// Revokes the token of the project and makes another: whoever comes with the old one is refused from now on.
    ///
    /// # Errors
    /// `internal` when there are no random numbers, or an error of the database; then the old one still holds.
    pub fn renew_token(&mut self) -> Result<()> {
        let token = Token::generate()?;
        self.site.database.set_token(&token)?;
        self.site.set_token_hash(token.hash());
        self.token = Some(token);
        Ok(())
    }

    /// The token of the project, when it was made at this start; of an older one only a hash is kept.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The project's address with its token, which a client adds as a project; only at the first start.
    #[must_use]
    pub fn project_url(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("http://{}/v1/key/{}/projects/1", self.address(), token.reveal()))
    }

    /// The text of the settings QR code of the project, which ODK Collect and Veldwerk can scan; only at the first start.
    ///
    /// # Errors
    /// `internal` when it cannot be written.
    pub fn settings_code(&self) -> Result<Option<String>> {
        let Some(server_url) = self.project_url() else { return Ok(None) };
        let settings = Settings {
            server_url,
            form_update_mode: FormUpdateMode::MatchExactly,
            autosend: Autosend::WifiAndCellular,
            project_name: Some(self.project_name.clone()),
            ..Settings::default()
        };
        settings_qr::encode(&settings).map(Some)
    }

    /// The page in the browser, with the key that opens it.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("http://{}/?key={}", self.address(), self.site.page_key.reveal())
    }

    /// Publishes a form, or a new version of one, while the server runs.
    ///
    /// # Errors
    /// `not-xml`, `not-xforms`, or an error of the database.
    pub fn publish(&self, form: &FormSource) -> Result<()> {
        self.site.database.publish(form, now()).map(drop)
    }

    /// Takes a form off the list; it can still be fetched, and records of it still arrive.
    ///
    /// # Errors
    /// An error of the database.
    pub fn withdraw(&self, form_id: &str) -> Result<()> {
        self.site.database.withdraw(form_id)
    }

    /// Answers the next `times` records that are new as Central answers the loser of two first POSTs at the same moment:
    /// the record is kept without its attachments, and the reply is a false 409 that says it had been deleted.
    pub fn answer_falsely(&self, times: u32) {
        self.site.false_conflicts.store(times, std::sync::atomic::Ordering::SeqCst);
    }

    /// Every record of a form, oldest first.
    ///
    /// # Errors
    /// An error of the database.
    pub fn records(&self, form_id: &str) -> Result<Vec<ReceivedRecord>> {
        let database = &self.site.database;
        let mut rows = Vec::new();
        database.each_record(form_id, |row, xml| {
            rows.push((row, xml.to_vec()));
            Ok(())
        })?;
        rows.into_iter()
            .map(|(row, xml)| {
                let mut attachments = Vec::new();
                for attachment in database.attachments(row.id)? {
                    let bytes = database.attachment(row.id, &attachment.name)?.unwrap_or_default();
                    attachments.push((attachment.name, bytes));
                }
                Ok(ReceivedRecord { instance_id: row.instance_id, version: row.version, xml, attachments })
            })
            .collect()
    }

    /// Waits until the server ends by itself, which it does not do in ordinary life.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // It ends with nothing to hand over, and a panic in it was already reported.
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

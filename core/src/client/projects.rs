use super::Client;
use crate::openrosa::address::{self, Address};
#[cfg(feature = "sync")]
use crate::openrosa::digest_auth::Account;
use crate::openrosa::settings_qr::{self, Autosend, Mode};
use crate::store::{Auth, ForgetSent, NewProject, Project, ProjectId, ProjectSettings};
#[cfg(feature = "sync")]
use crate::sync;
use crate::{Error, ErrorKind, Result};

/// Where a project's address comes from.
#[derive(Clone)]
pub enum ProjectSource {
    /// A server URL; one of an app user holds its token.
    Url {
        /// The address.
        url: String,
        /// Name and password of a user, if the server asks for them.
        account: Option<(String, String)>,
    },
    /// The text of an ODK settings code.
    SettingsCode(String),
}

/// A project as a list shows it; no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSummary {
    /// The project.
    pub id: ProjectId,
    /// The name people see.
    pub name: String,
    /// The server: scheme, host and port.
    pub server: String,
    /// The user it signs in as; none with a token.
    pub user: Option<String>,
    /// Whether it trusts an authority of its own besides the public ones.
    pub own_authority: bool,
    /// What the shell carries out (autosend, constraints, looking for forms) or shows (icon, colour), and the rest.
    pub settings: ProjectSettings,
}

/// What a source says of its project; no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The name people see.
    pub name: String,
    /// The server: scheme, host and port.
    pub server: String,
    /// Who holds the device; none if the source does not say.
    pub mode: Option<Mode>,
}

/// What came of [`Client::add_project`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The project.
    pub project: ProjectSummary,
    /// Whether it is a new one.
    pub outcome: AddOutcome,
    /// The keys of the settings code that change nothing here.
    pub unused: Vec<String>,
}

/// Whether a project was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// It was.
    New,
    /// It was, and another account of the same project of the same server is here already: perhaps that one was to be
    /// renewed ([`Client::renew`]).
    Beside(ProjectId),
    /// The same address with the same account is here already; nothing was changed.
    Present,
}

/// What came of [`Client::renew`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The project as it is now.
    pub project: ProjectSummary,
    /// The keys of the settings code that change nothing here.
    pub unused: Vec<String>,
    /// How many records waited because of the account or the address, and are ready now.
    pub freed: usize,
}

impl ProjectSource {
    /// Reads what a person typed or scanned: an address, or the text of a settings code.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let text = text.trim().to_owned();
        if Address::is_meant_by(&text) { Self::Url { url: text, account: None } } else { Self::SettingsCode(text) }
    }

    /// What an invitation says before anybody has said yes; nothing is kept and the network is not asked.
    ///
    /// # Errors
    /// As [`Client::add_project`], but for those of the store.
    pub fn invitation(&self) -> Result<Invitation> {
        let joining = self.read()?;
        let mode = joining.code.as_ref().and_then(|code| code.mode);
        let project = joining.into_project(None);
        Ok(Invitation { name: project.name, server: address::server(&project.url_prefix), mode })
    }

    fn read(&self) -> Result<Joining> {
        match self {
            Self::Url { url, account } => Joining::new(url, account.clone()),
            Self::SettingsCode(text) => {
                let mut code = settings_qr::decode(text)?;
                let account = code.username.take().map(|user| (user, code.password.take().unwrap_or_default()));
                Ok(Joining { code: Some(code.clone()), ..Joining::new(&code.server_url, account)? })
            }
        }
    }
}

impl std::fmt::Debug for ProjectSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url { .. } => f.write_str("Url(…)"),
            Self::SettingsCode(_) => f.write_str("SettingsCode(…)"),
        }
    }
}

/// A source that was read.
struct Joining {
    address: Address,
    auth: Auth,
    /// The settings code, if it is one.
    code: Option<settings_qr::Settings>,
}

impl Joining {
    fn new(url: &str, account: Option<(String, String)>) -> Result<Self> {
        let address = Address::read(url)?;
        let auth = match (&address.token, account.or_else(|| address.account.clone())) {
            (Some(token), _) => Auth::Token(token.clone()),
            (None, Some((user, password))) => Auth::Basic { user, password },
            (None, None) => Auth::None,
        };
        Ok(Self { address, auth, code: None })
    }

    /// The project to add, under a name of its own or one that can be read off its source.
    fn into_project(self, name: Option<&str>) -> NewProject {
        let Self { address, auth, code } = self;
        let code = code.unwrap_or_default();
        let server = address.server();
        let host = server.split_once("://").map_or("", |(_, host)| host).to_owned();
        let name = name.map(str::to_owned).or(code.project_name.clone());
        let name = name.filter(|name| !name.trim().is_empty()).unwrap_or(host);
        let settings = followed(&code, ProjectSettings::default());
        NewProject { name, url_prefix: address.prefix, auth, settings, ca: String::new() }
    }

    fn unused(&self) -> Vec<String> {
        self.code.as_ref().map(|code| code.unused.clone()).unwrap_or_default()
    }
}

impl Client {
    /// Adds a project; the network is not asked. `name` beats the one of a settings code, and that the server's host. The same
    /// address with the same account is the same project, and is not added again.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`], [`ErrorKind::NotHttps`], [`ErrorKind::BadSettingsCode`]; [`ErrorKind::CentralWebPage`],
    /// [`ErrorKind::KoboWebPage`], [`ErrorKind::FormLink`] for an address that only a browser can use; those of the store.
    pub fn add_project(&self, source: &ProjectSource, name: Option<&str>) -> Result<Added> {
        let joining = source.read()?;
        let unused = joining.unused();
        let (mut outcome, mut present) = (AddOutcome::New, None);
        let added = self.inner.store.add_project_beside(|projects| {
            for project in projects {
                let Ok(address) = Address::read(&project.url()) else { continue };
                if is_same(&project, &joining.address.prefix, &joining.auth) {
                    outcome = AddOutcome::Present;
                    present = Some(summary(&project));
                    return Ok(None);
                }
                if outcome == AddOutcome::New && joining.address.place() == address.place() {
                    outcome = AddOutcome::Beside(project.id);
                }
            }
            Ok(Some(joining.into_project(name)))
        })?;
        let project = match (added, present) {
            (None, Some(present)) => present,
            (None, None) => return Err(ErrorKind::NotFound.into()),
            (Some(id), _) => self.project_summary(id)?,
        };
        Ok(Added { project, outcome, unused })
    }

    /// Gives a project a new token, password or address. Drafts, records and forms stay, and records that waited because of
    /// the account or the address are ready to be sent. What a settings code says of anything else counts too.
    ///
    /// Where the source names no account, the one of before stays, but never goes to another server. Another server (scheme,
    /// host, port) or another project of the same ODK Central only with `move_there`: records would go to others.
    ///
    /// # Errors
    /// [`ErrorKind::OtherServer`]; [`ErrorKind::ProjectPresent`] if another project has that address and account: then nothing
    /// has changed; those of [`Client::add_project`]; [`ErrorKind::NotFound`].
    pub fn renew(&self, id: ProjectId, source: &ProjectSource, move_there: bool) -> Result<Renewed> {
        let joining = source.read()?;
        let unused = joining.unused();
        self.renewed(id, unused, |before| renewal(before, joining, move_there))
    }

    /// Gives a project the name and the password of a user, at the address of before. As [`Client::renew`].
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the address holds a token; [`ErrorKind::ProjectPresent`], [`ErrorKind::NotFound`], those of the
    /// store.
    pub fn renew_account(&self, id: ProjectId, user: &str, password: &str) -> Result<Renewed> {
        self.renewed(id, Vec::new(), |before| {
            if matches!(before.auth, Auth::Token(_)) {
                return Err(Error::new(ErrorKind::Usage, "the project signs in with a token and not as a user"));
            }
            let auth = Auth::Basic { user: user.to_owned(), password: password.to_owned() };
            Ok(Project { auth, ..before })
        })
    }

    fn renewed(
        &self,
        id: ProjectId,
        unused: Vec<String>,
        change: impl FnOnce(Project) -> Result<Project>,
    ) -> Result<Renewed> {
        let (project, freed) = self.inner.store.renew_project(id, &REASONS_OF_ACCOUNT, |before, all| {
            let after = change(before)?;
            let same: Vec<ProjectId> = all
                .iter()
                .filter(|known| is_same(known, &after.url_prefix, &after.auth))
                .map(|known| known.id)
                .collect();
            match same.first() {
                Some(other) if !same.contains(&id) => {
                    Err(Error::new(ErrorKind::ProjectPresent, format!("project {other}")))
                }
                _ => Ok(after),
            }
        })?;
        Ok(Renewed { project: summary(&project), unused, freed })
    }

    /// Has a project trust authorities of its own besides the public ones: their certificates in PEM, an empty text for none any
    /// more. Records that wait for a trusted connection are ready.
    ///
    /// # Errors
    /// [`ErrorKind::BadCertificate`], [`ErrorKind::NotFound`], those of the store.
    #[cfg(feature = "sync")]
    pub fn trust(&self, id: ProjectId, ca: &str) -> Result<Renewed> {
        let ca = if ca.is_empty() { String::new() } else { sync::tls::authorities(ca.as_bytes())? };
        self.renewed(id, Vec::new(), |before| Ok(Project { ca, ..before }))
    }

    /// Lets records of forms that name another server for them (`<submission action>`) go there, without the account: `host` is
    /// its name, with its port where that is not the usual one, or an address of it. Those that waited for it are ready.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`], [`ErrorKind::NotHttps`], [`ErrorKind::NotFound`], those of the store.
    pub fn allow_host(&self, id: ProjectId, host: &str) -> Result<Renewed> {
        let host = address::read_origin(host)?;
        self.renewed(id, Vec::new(), |mut project| {
            let hosts = &mut project.settings.allowed_hosts;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
            Ok(project)
        })
    }

    /// Keeps other settings for a project.
    ///
    /// # Errors
    /// [`ErrorKind::BadUrl`], [`ErrorKind::NotHttps`] for an allowed host that is no address of a server;
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn set_project_settings(&self, id: ProjectId, mut settings: ProjectSettings) -> Result<ProjectSummary> {
        for host in &mut settings.allowed_hosts {
            *host = address::read_origin(host)?;
        }
        let changed = self.inner.store.change_project(id, |project| Ok(Project { settings, ..project }))?;
        Ok(summary(&changed))
    }

    /// Gives a project another name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Usage`] for an empty name; those of the store.
    pub fn rename_project(&self, id: ProjectId, name: &str) -> Result<ProjectSummary> {
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "a project needs a name"));
        }
        let changed = self.inner.store.change_project(id, |project| Ok(Project { name, ..project }))?;
        Ok(summary(&changed))
    }

    /// One project.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn project_summary(&self, id: ProjectId) -> Result<ProjectSummary> {
        Ok(summary(&self.project_row(id)?))
    }

    /// Every project.
    ///
    /// # Errors
    /// Those of the store.
    pub fn projects(&self) -> Result<Vec<ProjectSummary>> {
        Ok(self.inner.store.projects()?.iter().map(summary).collect())
    }

    /// Removes a project with everything of it. Drafts and unsent records go only if `give_up_unsent`, and not while one of
    /// the drafts is open.
    ///
    /// # Errors
    /// [`ErrorKind::DraftInUse`], [`ErrorKind::UnsentRecords`], [`ErrorKind::NotFound`], those of the store.
    pub fn remove_project(&self, id: ProjectId, give_up_unsent: bool) -> Result<()> {
        let claims = self.claim_drafts(id)?;
        if give_up_unsent {
            claims.iter().try_for_each(|claim| self.drop_aside(claim.draft))?;
        }
        self.inner.store.remove_project(id, give_up_unsent)
    }

    /// The project as the network side wants it.
    #[cfg(feature = "sync")]
    pub(super) fn sync_project(&self, id: ProjectId) -> Result<sync::Project> {
        let project = self.project_row(id)?;
        let account = match &project.auth {
            Auth::Basic { user, password } => Some(Account { user: user.clone(), password: password.clone() }),
            Auth::Token(_) | Auth::None => None,
        };
        let device_id = if project.settings.device_id { Some(self.device_id()?) } else { None };
        let at_home = sync::Project::new(&project.url(), account)?;
        Ok(at_home.with_device_id(device_id).with_allowed_hosts(project.settings.allowed_hosts))
    }
}

/// The reasons of records that a new account, address or authority may take away: codes of `sync::Reason`.
const REASONS_OF_ACCOUNT: [&str; 9] = [
    "sign-in-needed",
    "not-allowed",
    "not-a-server",
    "unknown-issuer",
    "wrong-certificate-name",
    "certificate-expired",
    "certificate-not-yet-valid",
    "no-secure-connection",
    "other-host",
];

/// The project at the address and with the account of `joining`; elsewhere only if that is said.
fn renewal(before: Project, joining: Joining, move_there: bool) -> Result<Project> {
    let Joining { address, auth, code } = joining;
    let stays = address::server(&before.url_prefix) == address.server();
    let old_place = Address::read(&before.url()).map(|address| address.place()).unwrap_or_default();
    let is_central = |place: &str| place.contains("/v1/projects/");
    let other_project = is_central(&old_place) && is_central(&address.place()) && old_place != address.place();
    if !move_there && (!stays || other_project) {
        let detail = if stays { "another project of the same server".to_owned() } else { address.server() };
        return Err(Error::new(ErrorKind::OtherServer, detail));
    }
    let keeps_account = auth == Auth::None && stays && matches!(before.auth, Auth::Basic { .. });
    let auth = if keeps_account { before.auth.clone() } else { auth };
    let settings = match &code {
        Some(code) => followed(code, before.settings.clone()),
        None => before.settings.clone(),
    };
    Ok(Project { url_prefix: address.prefix, auth, settings, ..before })
}

/// Whether a project is reached at this address under this account, which makes it the same one. A password may have been
/// changed.
fn is_same(project: &Project, prefix: &str, auth: &Auth) -> bool {
    let same_account = match (auth, &project.auth) {
        (Auth::Basic { user, .. }, Auth::Basic { user: known, .. }) => user == known,
        (auth, known) => auth == known,
    };
    same_account && Address::read(&project.url()).is_ok_and(|address| address.prefix == prefix)
}

fn summary(project: &Project) -> ProjectSummary {
    let user = match &project.auth {
        Auth::Basic { user, .. } => Some(user.clone()),
        Auth::Token(_) | Auth::None => None,
    };
    ProjectSummary {
        id: project.id,
        name: project.name.clone(),
        server: address::server(&project.url_prefix),
        user,
        own_authority: !project.ca.is_empty(),
        settings: project.settings.clone(),
    }
}

/// The settings that a code asks for, in the place of those of `before`; our own, which no code holds, stay. A newcomer's
/// records go by themselves and do not stay.
fn followed(code: &settings_qr::Settings, before: ProjectSettings) -> ProjectSettings {
    let mode = code.mode.or(before.mode);
    let is_newcomer = mode == Some(Mode::Newcomer);
    let or_before = |said: &Option<String>, before: String| said.clone().unwrap_or(before);
    ProjectSettings {
        mode,
        icon: or_before(&code.project_icon, before.icon),
        color: or_before(&code.project_color, before.color),
        metadata: code.metadata.clone(),
        form_update_mode: code.form_update_mode,
        autosend: if is_newcomer { Autosend::WifiAndCellular } else { code.autosend },
        constraint_behavior: code.constraint_behavior,
        forget_sent: if is_newcomer || code.delete_send { ForgetSent::AtOnce } else { before.forget_sent },
        ..before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_or_scanned_is_told_apart() {
        for address in [" https://h ", "h.test", "http://[::1]:80"] {
            assert!(matches!(ProjectSource::of_text(address), ProjectSource::Url { .. }), "{address}");
        }
        for code in ["eJyr", r#" {"general":{"server_url":"https://h"},"admin":{}}"#] {
            assert!(matches!(ProjectSource::of_text(code), ProjectSource::SettingsCode(_)), "{code}");
        }
    }

    #[test]
    fn a_newcomer_leaves_nothing_behind() {
        let code = settings_qr::Settings { mode: Some(Mode::Newcomer), ..settings_qr::Settings::default() };
        let settings = followed(&code, ProjectSettings::default());
        assert_eq!((settings.autosend, settings.forget_sent), (Autosend::WifiAndCellular, ForgetSent::AtOnce));
        let later = followed(&settings_qr::Settings::default(), ProjectSettings { device_id: true, ..settings });
        assert_eq!((later.mode, later.device_id), (Some(Mode::Newcomer), true), "what a code does not hold stays");
    }
}

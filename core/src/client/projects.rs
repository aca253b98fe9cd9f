use super::Client;
use crate::Result;
use crate::openrosa::digest_auth::Account;
use crate::openrosa::settings_qr::{self, Autosend, Mode};
use crate::store::{Auth, ForgetSent, NewProject, Project, ProjectId, ProjectSettings};
use crate::sync;

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
    /// What the shell carries out (autosend, constraints, looking for forms) or shows (icon, colour), and the rest.
    pub settings: ProjectSettings,
}

impl ProjectSource {
    /// Reads what a person typed or scanned: an address, or the text of a settings code.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let text = text.trim();
        if text.contains("://") && !text.starts_with('{') {
            Self::Url { url: text.to_owned(), account: None }
        } else {
            Self::SettingsCode(text.to_owned())
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

impl Client {
    /// Adds a project; the network is not asked. `name` beats the one of a settings code, and that the server's host.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadUrl`], [`crate::ErrorKind::NotHttps`], [`crate::ErrorKind::BadSettingsCode`], those of the store.
    pub fn add_project(&self, source: &ProjectSource, name: Option<&str>) -> Result<ProjectSummary> {
        let (url, account, own_name, settings) = match source {
            ProjectSource::Url { url, account } => (url.clone(), account.clone(), None, ProjectSettings::default()),
            ProjectSource::SettingsCode(text) => {
                let code = settings_qr::decode(text)?;
                let settings = settings_of(&code);
                let account = code.username.map(|user| (user, code.password.unwrap_or_default()));
                (code.server_url, account, code.project_name, settings)
            }
        };
        let url = url.trim().trim_end_matches('/').to_owned();
        let checked = sync::Project::new(&url, None)?;
        let (url_prefix, token) = split_token(&url);
        let auth = match (token, account) {
            (Some(token), _) => Auth::Token(token),
            (None, Some((user, password))) => Auth::Basic { user, password },
            (None, None) => Auth::None,
        };
        let host = checked.base_url().host_str().unwrap_or_default().to_owned();
        let name = name.map(str::to_owned).or(own_name).filter(|name| !name.trim().is_empty()).unwrap_or(host);
        let id = self.inner.store.add_project(&NewProject { name, url_prefix, auth, settings, ca: String::new() })?;
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
    /// [`crate::ErrorKind::DraftInUse`], [`crate::ErrorKind::UnsentRecords`], [`crate::ErrorKind::NotFound`], those of the store.
    pub fn remove_project(&self, id: ProjectId, give_up_unsent: bool) -> Result<()> {
        let _claims = self.claim_drafts(id)?;
        self.inner.store.remove_project(id, give_up_unsent)
    }

    /// The project as the network side wants it.
    pub(super) fn sync_project(&self, id: ProjectId) -> Result<sync::Project> {
        let project = self.project_row(id)?;
        let account = match &project.auth {
            Auth::Basic { user, password } => Some(Account { user: user.clone(), password: password.clone() }),
            Auth::Token(_) | Auth::None => None,
        };
        sync::Project::new(&project.url(), account)
    }
}

fn summary(project: &Project) -> ProjectSummary {
    let server = sync::Project::new(&project.url_prefix.replace("{}", "-"), None);
    let user = match &project.auth {
        Auth::Basic { user, .. } => Some(user.clone()),
        Auth::Token(_) | Auth::None => None,
    };
    let server = server.map(|server| sync::redact(server.base_url()).trim_end_matches("/…").to_owned());
    ProjectSummary {
        id: project.id,
        name: project.name.clone(),
        server: server.unwrap_or_default(),
        user,
        settings: project.settings.clone(),
    }
}

/// What a settings code asks for. A newcomer's records go by themselves and do not stay.
fn settings_of(code: &settings_qr::Settings) -> ProjectSettings {
    let is_newcomer = code.mode == Some(Mode::Newcomer);
    ProjectSettings {
        mode: code.mode,
        icon: code.project_icon.clone().unwrap_or_default(),
        color: code.project_color.clone().unwrap_or_default(),
        metadata: code.metadata.clone(),
        form_update_mode: code.form_update_mode,
        autosend: if is_newcomer { Autosend::WifiAndCellular } else { code.autosend },
        constraint_behavior: code.constraint_behavior,
        forget_sent: if is_newcomer || code.delete_send { ForgetSent::AtOnce } else { ForgetSent::Never },
        ..ProjectSettings::default()
    }
}

/// The token of `…/key/TOKEN/…` or `…/test/TOKEN/…`, and the address with `{}` in its place.
fn split_token(url: &str) -> (String, Option<String>) {
    for marker in ["/key/", "/test/"] {
        if let Some((before, rest)) = url.split_once(marker) {
            let (token, after) = match rest.split_once('/') {
                Some((token, after)) => (token, format!("/{after}")),
                None => (rest, String::new()),
            };
            if !token.is_empty() {
                return (format!("{before}{marker}{{}}{after}"), Some(token.to_owned()));
            }
        }
    }
    (url.to_owned(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_leaves_the_address() {
        let split = |url| split_token(url);
        assert_eq!(
            split("https://h/v1/key/a$b!c/projects/1"),
            ("https://h/v1/key/{}/projects/1".to_owned(), Some("a$b!c".to_owned()))
        );
        assert_eq!(split("https://h/v1/key/T"), ("https://h/v1/key/{}".to_owned(), Some("T".to_owned())));
        assert_eq!(split("https://h/ana"), ("https://h/ana".to_owned(), None));
        assert!(matches!(ProjectSource::of_text(" https://h "), ProjectSource::Url { .. }));
        for code in ["eJyr", r#" {"general":{"server_url":"https://h"},"admin":{}}"#] {
            assert!(matches!(ProjectSource::of_text(code), ProjectSource::SettingsCode(_)));
        }
    }
}

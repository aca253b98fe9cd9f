use veldwerk::client;
use veldwerk::client::{AddOutcome as CoreAddOutcome, Added as CoreAdded, ProjectSource, Renewed as CoreRenewed};
use veldwerk::openrosa::settings_qr as code;
use veldwerk::store::{self, ProjectId};

use crate::{Client, SurveyError};

/// A project as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ProjectSummary {
    /// The project.
    pub id: i64,
    /// The name people see.
    pub name: String,
    /// Scheme, host and port of the server.
    pub server: String,
    /// The user it signs in as; null with a token.
    pub user: Option<String>,
    /// Whether it trusts an authority of its own besides the public ones.
    pub own_authority: bool,
    /// What was agreed for it.
    pub settings: ProjectSettings,
}

impl From<client::ProjectSummary> for ProjectSummary {
    fn from(project: client::ProjectSummary) -> Self {
        Self {
            id: project.id.0,
            name: project.name,
            server: project.server,
            user: project.user,
            own_authority: project.own_authority,
            settings: (&project.settings).into(),
        }
    }
}

/// What was agreed for a project, mostly by its settings code. What the app carries out says so.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ProjectSettings {
    /// Who holds the phone; null if nobody has said.
    pub mode: Option<Mode>,
    /// A sign or two that stand for the project; empty for none.
    pub icon: String,
    /// Its colour, `#rrggbb`; empty for none.
    pub color: String,
    /// When forms are looked for; the app carries it out.
    pub form_update_mode: FormUpdateMode,
    /// Over which networks finished records go by themselves; the app carries it out.
    pub autosend: Autosend,
    /// What to give [`crate::DraftSession::next`].
    pub move_policy: crate::MovePolicy,
    /// When sent records are forgotten.
    pub forget_sent: ForgetSent,
    /// Whether requests tell the server the id of this phone.
    pub device_id: bool,
    /// Servers besides the project's own that forms may send records to.
    pub allowed_hosts: Vec<String>,
}

/// Who holds the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Mode {
    /// The person who answers, on a phone of their own.
    Newcomer,
    /// Someone who asks others.
    Interviewer,
}

/// When the phone looks for forms and what it does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FormUpdateMode {
    /// When the person asks.
    Manual,
    /// Looks for new versions of the forms that are there.
    PreviouslyDownloaded,
    /// Keeps the forms equal to the server's list.
    MatchExactly,
}

/// Over which networks finished records go without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Autosend {
    /// Never.
    Off,
    /// Over wifi.
    WifiOnly,
    /// Over the mobile network.
    CellularOnly,
    /// Over both.
    WifiAndCellular,
}

/// When a sent record leaves the phone; a receipt of it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ForgetSent {
    /// When a person says so.
    Never,
    /// As soon as it was sent.
    AtOnce,
    /// So many days later.
    AfterDays {
        /// The days.
        days: u32,
    },
}

impl From<&store::ProjectSettings> for ProjectSettings {
    fn from(settings: &store::ProjectSettings) -> Self {
        Self {
            mode: settings.mode.map(|mode| match mode {
                code::Mode::Newcomer => Mode::Newcomer,
                code::Mode::Interviewer => Mode::Interviewer,
            }),
            icon: settings.icon.clone(),
            color: settings.color.clone(),
            form_update_mode: match settings.form_update_mode {
                code::FormUpdateMode::Manual => FormUpdateMode::Manual,
                code::FormUpdateMode::PreviouslyDownloaded => FormUpdateMode::PreviouslyDownloaded,
                code::FormUpdateMode::MatchExactly => FormUpdateMode::MatchExactly,
            },
            autosend: match settings.autosend {
                code::Autosend::Off => Autosend::Off,
                code::Autosend::WifiOnly => Autosend::WifiOnly,
                code::Autosend::CellularOnly => Autosend::CellularOnly,
                code::Autosend::WifiAndCellular => Autosend::WifiAndCellular,
            },
            move_policy: match settings.constraint_behavior {
                code::ConstraintBehavior::OnSwipe => crate::MovePolicy::OnMove,
                code::ConstraintBehavior::OnFinalize => crate::MovePolicy::OnFinalize,
            },
            forget_sent: match settings.forget_sent {
                store::ForgetSent::Never => ForgetSent::Never,
                store::ForgetSent::AtOnce => ForgetSent::AtOnce,
                store::ForgetSent::AfterDays(days) => ForgetSent::AfterDays { days },
            },
            device_id: settings.device_id,
            allowed_hosts: settings.allowed_hosts.clone(),
        }
    }
}

impl ProjectSettings {
    /// The settings of the core with these in place of theirs; what does not cross the border stays.
    fn over(self, settings: store::ProjectSettings) -> store::ProjectSettings {
        store::ProjectSettings {
            mode: self.mode.map(|mode| match mode {
                Mode::Newcomer => code::Mode::Newcomer,
                Mode::Interviewer => code::Mode::Interviewer,
            }),
            icon: self.icon,
            color: self.color,
            form_update_mode: match self.form_update_mode {
                FormUpdateMode::Manual => code::FormUpdateMode::Manual,
                FormUpdateMode::PreviouslyDownloaded => code::FormUpdateMode::PreviouslyDownloaded,
                FormUpdateMode::MatchExactly => code::FormUpdateMode::MatchExactly,
            },
            autosend: match self.autosend {
                Autosend::Off => code::Autosend::Off,
                Autosend::WifiOnly => code::Autosend::WifiOnly,
                Autosend::CellularOnly => code::Autosend::CellularOnly,
                Autosend::WifiAndCellular => code::Autosend::WifiAndCellular,
            },
            constraint_behavior: match self.move_policy {
                crate::MovePolicy::OnMove => code::ConstraintBehavior::OnSwipe,
                crate::MovePolicy::OnFinalize => code::ConstraintBehavior::OnFinalize,
            },
            forget_sent: match self.forget_sent {
                ForgetSent::Never => store::ForgetSent::Never,
                ForgetSent::AtOnce => store::ForgetSent::AtOnce,
                ForgetSent::AfterDays { days } => store::ForgetSent::AfterDays(days),
            },
            device_id: self.device_id,
            allowed_hosts: self.allowed_hosts,
            ..settings
        }
    }
}

/// What came of adding a project.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Added {
    /// The project.
    pub project: ProjectSummary,
    /// Whether it is a new one.
    pub outcome: AddOutcome,
    /// The keys of the settings code that change nothing here.
    pub unused: Vec<String>,
}

/// Whether a project was added.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum AddOutcome {
    /// It was.
    New,
    /// It was, and another account of the same project of the same server is here already: perhaps that one was to be
    /// renewed ([`Client::renew_project`]).
    Beside {
        /// That project.
        project: i64,
    },
    /// The same address with the same account is here already; nothing was changed.
    Present,
}

impl From<CoreAdded> for Added {
    fn from(added: CoreAdded) -> Self {
        Self {
            project: added.project.into(),
            outcome: match added.outcome {
                CoreAddOutcome::New => AddOutcome::New,
                CoreAddOutcome::Beside(project) => AddOutcome::Beside { project: project.0 },
                CoreAddOutcome::Present => AddOutcome::Present,
            },
            unused: added.unused,
        }
    }
}

/// What came of renewing a project.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Renewed {
    /// The project as it is now.
    pub project: ProjectSummary,
    /// The keys of the settings code that change nothing here.
    pub unused: Vec<String>,
    /// How many records waited because of the account or the address, and are ready now.
    pub freed: u64,
}

impl From<CoreRenewed> for Renewed {
    fn from(renewed: CoreRenewed) -> Self {
        Self { project: renewed.project.into(), unused: renewed.unused, freed: renewed.freed as u64 }
    }
}

#[uniffi::export]
impl Client {
    /// Adds a project from the text of a settings code or from an address; the network is not asked. The same address with
    /// the same account is not added again. Class disk. Throws `InvalidProject`.
    pub fn add_project(&self, text: String, name: Option<String>) -> Result<Added, SurveyError> {
        Ok(self.inner.add_project(&ProjectSource::of_text(&text), name.as_deref())?.into())
    }

    /// Adds a project on a server that asks for a user. Class disk. Throws `InvalidProject`.
    pub fn add_project_with_account(
        &self,
        url: String,
        user: String,
        password: String,
        name: Option<String>,
    ) -> Result<Added, SurveyError> {
        let source = ProjectSource::Url { url, account: Some((user, password)) };
        Ok(self.inner.add_project(&source, name.as_deref())?.into())
    }

    /// Gives a project a new token or address, from a settings code or an address. Drafts, records and forms stay; records
    /// that waited because of the account are ready to be sent. Another server, or another project of it, only with
    /// `move_there`: records would go to others. Class disk. Throws `InvalidProject`, `NotFound`.
    pub fn renew_project(&self, project: i64, text: String, move_there: bool) -> Result<Renewed, SurveyError> {
        Ok(self.inner.renew(ProjectId(project), &ProjectSource::of_text(&text), move_there)?.into())
    }

    /// Gives a project the name and the password of a user, at the address of before. Class disk. Throws `NotFound`,
    /// `Internal` for a project that signs in with a token.
    pub fn renew_account(&self, project: i64, user: String, password: String) -> Result<Renewed, SurveyError> {
        Ok(self.inner.renew_account(ProjectId(project), &user, &password)?.into())
    }

    /// Has a project trust authorities of its own besides the public ones: their certificates in PEM; an empty text takes that
    /// back. Records that waited for a trusted connection are ready. Class disk. Throws `InvalidProject`, `NotFound`.
    pub fn trust_authority(&self, project: i64, pem: String) -> Result<Renewed, SurveyError> {
        Ok(self.inner.trust(ProjectId(project), &pem)?.into())
    }

    /// Lets records of forms that name another server for them go there. Those that waited for it are ready. Class disk. Throws
    /// `InvalidProject`, `NotFound`.
    pub fn allow_host(&self, project: i64, host: String) -> Result<Renewed, SurveyError> {
        Ok(self.inner.allow_host(ProjectId(project), &host)?.into())
    }

    /// Gives a project another name. Class disk. Throws `NotFound`.
    pub fn rename_project(&self, project: i64, name: String) -> Result<ProjectSummary, SurveyError> {
        Ok(self.inner.rename_project(ProjectId(project), &name)?.into())
    }

    /// Keeps other settings for a project. Class disk. Throws `InvalidProject` for a host that is no address, `NotFound`.
    pub fn set_project_settings(&self, project: i64, settings: ProjectSettings) -> Result<ProjectSummary, SurveyError> {
        let kept = self.inner.project_summary(ProjectId(project))?.settings;
        Ok(self.inner.set_project_settings(ProjectId(project), settings.over(kept))?.into())
    }

    /// Every project. Class disk.
    pub fn projects(&self) -> Result<Vec<ProjectSummary>, SurveyError> {
        Ok(self.inner.projects()?.into_iter().map(Into::into).collect())
    }

    /// Removes a project; drafts and unsent records go only if `give_up_unsent`. Class disk. Throws `StoreInUse` while one
    /// of its drafts is open, `ServerRejected` (`unsent-records`), `NotFound`.
    pub fn remove_project(&self, project: i64, give_up_unsent: bool) -> Result<(), SurveyError> {
        Ok(self.inner.remove_project(ProjectId(project), give_up_unsent)?)
    }
}

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use veldwerk::client::{Client, ClientConfig, Progress, ProgressStep, ProjectSummary, SyncPolicy, home_key};
use veldwerk::store::ProjectId;
use veldwerk::text::Tag;
use veldwerk::text::words::Words;
use veldwerk::{Error, ErrorKind, Result};

use crate::key_file::KeyFile;
use crate::terminal::plain;

/// What every command is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Folder that holds projects, drafts and records, encrypted [default: the platform's data folder + veldwerk]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// File that holds the key of the home [default: HOME.key beside it; or VELDWERK_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Which project; may be left out while there is one
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) project: Option<i64>,
    /// One JSON object on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress and no explanations
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
}

/// An open home and how to talk about it.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) global: Global,
}

fn home(global: &Global) -> Result<PathBuf> {
    match &global.home {
        Some(home) => Ok(home.clone()),
        None => Ok(data_folder()?.join("veldwerk")),
    }
}

impl Context {
    pub(crate) fn open(global: &Global) -> Result<Self> {
        let home = home(global)?;
        let key_file = Self::keeper(global)?;
        if let Some(parent) = home.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| Error::new(ErrorKind::Io, "the home's folder").caused_by(error))?;
        }
        let key = home_key(&home, &key_file)?;
        let policy = sync_policy()?;
        let client = Client::open(ClientConfig { policy, ..ClientConfig::new(home, key, time_zone()?) })?;
        crate::home::tell_opening(&client.opening());
        Ok(Self { client, global: global.clone() })
    }

    /// The file that keeps the key of the home.
    pub(crate) fn keeper(global: &Global) -> Result<KeyFile> {
        let path = key_path(&home(global)?, global)?;
        Ok(KeyFile { place: place(&path, global), path, quiet: global.quiet })
    }

    /// The project meant: the one named, or the only one.
    pub(crate) fn project(&self) -> Result<ProjectSummary> {
        let projects = self.client.projects()?;
        if let Some(wanted) = self.global.project {
            let found = projects.into_iter().find(|project| project.id == ProjectId(wanted));
            return found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("project {wanted}")));
        }
        let mut projects = projects.into_iter();
        match (projects.next(), projects.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::new(ErrorKind::NotFound, "there is no project yet; add one with `project add`")),
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorKind::Usage, "there are several projects; name one with --project"))
            }
        }
    }

    /// The program's own words, in the language of the person.
    pub(crate) fn words() -> Words {
        Words::of(language().as_ref())
    }

    /// Where progress goes: a line on standard error, at a terminal only.
    pub(crate) fn on_progress(&self) -> Arc<dyn Fn(Progress) + Send + Sync> {
        if self.global.quiet || self.global.json || !std::io::stderr().is_terminal() {
            return Arc::new(|_| {});
        }
        Arc::new(|progress| show_progress(&progress))
    }

    /// Ends a line of progress.
    pub(crate) fn end_progress(&self) {
        if !self.global.quiet && !self.global.json && std::io::stderr().is_terminal() {
            end_progress();
        }
    }
}

/// Wipes the line of progress.
pub(crate) fn end_progress() {
    let _ = std::io::stderr().write_all(b"\r\x1b[K");
}

/// One line that is drawn over itself: what, how much of it, a bar.
pub(crate) fn show_progress(progress: &Progress) {
    const WIDTH: usize = 24;
    let what = match &progress.step {
        ProgressStep::FormList => "list of forms".to_owned(),
        ProgressStep::Form { title, file: None } => title.clone(),
        ProgressStep::Form { title, file: Some(file) } => format!("{title}: {file}"),
        ProgressStep::Record { .. } => "record".to_owned(),
    };
    let part = progress.of_bytes.filter(|&total| total > 0).map_or(0.0, |total| progress.bytes as f64 / total as f64);
    let full = ((part * WIDTH as f64) as usize).min(WIDTH);
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
    let mut line = std::io::stderr().lock();
    // A progress line that cannot be drawn is no reason to stop.
    let _ =
        write!(line, "\r\x1b[K{bar} {}/{} {}, {}", progress.number, progress.of, plain(&what), bytes(progress.bytes));
    let _ = line.flush();
}

/// A size for people.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1000 => format!("{count} B"),
        1000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `TZ`, else the system's.
pub(crate) fn time_zone() -> Result<TimeZone> {
    match variable("TZ") {
        Some(name) => TimeZone::get(&name)
            .map_err(|error| Error::new(ErrorKind::Usage, "TZ is not a known time zone").caused_by(error)),
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

/// The language of the person as the system tells it: `nl-NL` of `nl_NL.UTF-8`.
pub(crate) fn language() -> Option<Tag> {
    let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable)?;
    Tag::parse(&said.split(['.', '@']).next().unwrap_or_default().replace('_', "-"))
}

/// What people get; harnesses divide all its times by `VELDWERK_TIME_SCALE`, a whole number.
fn sync_policy() -> Result<SyncPolicy> {
    let Some(divisor) = variable("VELDWERK_TIME_SCALE") else { return Ok(SyncPolicy::default()) };
    let divisor =
        divisor.parse().map_err(|_| Error::new(ErrorKind::Usage, "VELDWERK_TIME_SCALE is no whole number"))?;
    Ok(SyncPolicy::default().scaled(divisor))
}

/// An environment variable that says something.
#[expect(clippy::disallowed_methods, reason = "the environment belongs to the shells, and this is one")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where programs of this system keep their data.
pub(crate) fn data_folder() -> Result<PathBuf> {
    let folder = if cfg!(target_os = "windows") {
        variable("APPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| Path::new(&home).join("Library/Application Support"))
    } else {
        let data = variable("XDG_DATA_HOME").map(PathBuf::from);
        data.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/share")))
    };
    folder.ok_or_else(|| Error::new(ErrorKind::Usage, "there is no data folder; name one with --home or --data"))
}

fn key_path(home: &Path, global: &Global) -> Result<PathBuf> {
    if let Some(path) = global.key_file.clone().or_else(|| variable("VELDWERK_KEY_FILE").map(PathBuf::from)) {
        return Ok(path);
    }
    let name = home.file_name().ok_or_else(|| Error::new(ErrorKind::Usage, "the home needs a name"))?;
    let mut name = name.to_owned();
    name.push(".key");
    Ok(home.with_file_name(name))
}

/// Where the key file is, without a path that was typed: what stands in a wrong place may be a secret.
fn place(path: &Path, global: &Global) -> String {
    match (&global.key_file, variable("VELDWERK_KEY_FILE"), &global.home) {
        (Some(_), ..) => "the file named by --key-file".to_owned(),
        (None, Some(_), _) => "the file named by VELDWERK_KEY_FILE".to_owned(),
        (None, None, Some(_)) => "beside the home, with its name and .key".to_owned(),
        (None, None, None) => path.display().to_string(),
    }
}

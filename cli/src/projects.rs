use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use veldwerk::client::{AddOutcome, Added, Cancel, Outcome, ProjectSource, ProjectSummary, Renewed};
use veldwerk::openrosa::BrokenEntry;
use veldwerk::store::{ForgetSent, ProjectId, ProjectSettings};
use veldwerk::sync::tls::authorities;
use veldwerk::{Error, ErrorKind, Result};

use crate::check;
use crate::context::Context;
use crate::output::{say, say_json, tell};
use crate::terminal::plain;

/// The servers this home works with.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Add a server by its address or an ODK settings code
    Add(AddArgs),
    /// Give a project a new token, password or address; drafts, records and forms stay
    Renew(RenewArgs),
    /// Change what a project does
    Set(SetArgs),
    /// Let records of forms that name another server for them go there
    AllowHost {
        /// The project
        id: i64,
        /// The server: its name, with its port if that is not the usual one
        host: String,
    },
    /// List the projects
    List,
    /// Remove a project with its forms and sent records
    Remove {
        /// The project
        id: i64,
        /// Also give up drafts and unsent records
        #[arg(long)]
        yes: bool,
    },
}

/// Where the project is.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// Address of the server
    #[arg(long)]
    url: Option<String>,
    /// Text of an ODK settings code
    #[arg(long, value_name = "TEXT", conflicts_with = "url")]
    qr: Option<String>,
    /// `-` reads the address or the code from standard input, so that no token stays in the shell's history
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["url", "qr"])]
    stdin: Option<String>,
    /// User on the server
    #[arg(long, value_name = "U", requires = "password_stdin")]
    user: Option<String>,
    /// Read the user's password from standard input
    #[arg(long, requires = "user", conflicts_with = "stdin")]
    password_stdin: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk project add - < code.txt
  veldwerk project add --url https://central.example.org/v1/projects/1 --user ada --password-stdin < password.txt")]
#[command(group = clap::ArgGroup::new("joins").args(["url", "qr", "stdin"]).required(true))]
pub(crate) struct AddArgs {
    #[command(flatten)]
    source: Source,
    /// Name of the project
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Certificates (PEM) of the authority that signs the server's, if it is none that everybody trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Tell the server which device asks
    #[arg(long, value_name = "on|off")]
    device_id: Option<Switch>,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk project renew 1 - < code.txt
  veldwerk project renew 1 --user ada --password-stdin < password.txt")]
#[command(group = clap::ArgGroup::new("renews").args(["url", "qr", "stdin", "user", "ca"]).required(true).multiple(true))]
pub(crate) struct RenewArgs {
    /// The project
    id: i64,
    #[command(flatten)]
    source: Source,
    /// Certificates (PEM) of the authority that signs the server's, if it is none that everybody trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Also if it leads to another server or to another project there
    #[arg(long)]
    yes: bool,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("sets").args(["name", "device_id", "forget_sent", "no_ca"]).required(true).multiple(true))]
pub(crate) struct SetArgs {
    /// The project
    id: i64,
    /// Its name
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Tell the server which device asks
    #[arg(long, value_name = "on|off")]
    device_id: Option<Switch>,
    /// When sent records are forgotten: never, at-once, or after so many days
    #[arg(long, value_name = "never|at-once|DAYS", value_parser = forget_sent)]
    forget_sent: Option<ForgetSent>,
    /// Trust no authority of its own any more
    #[arg(long)]
    no_ca: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

fn forget_sent(text: &str) -> std::result::Result<ForgetSent, &'static str> {
    match text {
        "never" => Ok(ForgetSent::Never),
        "at-once" => Ok(ForgetSent::AtOnce),
        days => days.parse().map(ForgetSent::AfterDays).map_err(|_| "never, at-once or a number of days"),
    }
}

/// Name and password of a user.
type Account = (String, String);

impl Source {
    /// The address or the code, with the account if it is given beside it; `None` if only the account is.
    fn read(&self) -> Result<(Option<ProjectSource>, Option<Account>)> {
        let account = match &self.user {
            Some(user) => Some((user.clone(), read_stdin()?)),
            None => None,
        };
        let mut source = match (&self.url, &self.qr, &self.stdin) {
            (Some(url), ..) => Some(ProjectSource::Url { url: url.clone(), account: None }),
            (None, Some(code), _) => Some(ProjectSource::SettingsCode(code.clone())),
            (None, None, Some(_)) => Some(ProjectSource::of_text(&read_stdin()?)),
            (None, None, None) => None,
        };
        match (&mut source, &account) {
            (Some(ProjectSource::Url { account: own, .. }), Some(account)) => *own = Some(account.clone()),
            (Some(ProjectSource::SettingsCode(_)), Some(_)) => {
                return Err(Error::new(ErrorKind::Usage, "a settings code brings its own user"));
            }
            _ => {}
        }
        Ok((source, account))
    }
}

pub(crate) fn run(context: &Context, command: &ProjectCommand) -> Result<()> {
    match command {
        ProjectCommand::Add(args) => add(context, args),
        ProjectCommand::Renew(args) => renew(context, args),
        ProjectCommand::Set(args) => set(context, args),
        ProjectCommand::AllowHost { id, host } => {
            let Renewed { project, freed, .. } = context.client.allow_host(ProjectId(*id), host)?;
            if context.global.json {
                say_json(&with_ready(&project, freed));
            } else {
                let hosts = project.settings.allowed_hosts.join(", ");
                say!("Project {id} sends records also to: {}. Ready to be sent again: {freed}.", plain(&hosts));
            }
            Ok(())
        }
        ProjectCommand::List => list(context),
        ProjectCommand::Remove { id, yes } => {
            context.client.remove_project(ProjectId(*id), *yes)?;
            if context.global.json {
                say_json(&json!({ "removed": id }));
            } else {
                say!("Project {id} is removed.");
            }
            Ok(())
        }
    }
}

fn add(context: &Context, args: &AddArgs) -> Result<()> {
    let (Some(source), _) = args.source.read()? else {
        return Err(Error::new(ErrorKind::Usage, "an address or a settings code is needed: --url, --qr or -"));
    };
    let ca = read_ca(args.ca.as_ref())?;
    let Added { project, outcome, unused } = context.client.add_project(&source, args.name.as_deref())?;
    let id = project.id.0;
    if let Some(ca) = ca {
        context.client.trust(project.id, &ca)?;
    }
    let project = switch_device_id(context, project, args.device_id)?;
    let beside = if let AddOutcome::Beside(other) = outcome { Some(other.0) } else { None };
    if context.global.json {
        let mut shown = as_json(&project);
        shown["new"] = json!(outcome != AddOutcome::Present);
        shown["beside"] = json!(beside);
        shown["unused"] = json!(unused);
        say_json(&shown);
        return Ok(());
    }
    let (name, server) = (plain(&project.name), plain(&project.server));
    match outcome {
        AddOutcome::Present => {
            say!(
                "Project {id} is here already: {name} on {server}. `veldwerk project renew {id}` changes its account."
            );
        }
        AddOutcome::New | AddOutcome::Beside(_) => {
            say!("Project {id}: {name} on {server}. Next: `veldwerk refresh` downloads its forms.");
        }
    }
    if let Some(other) = beside {
        say!(
            "Project {other} is the same project with another account. If this was a new code for that one, remove project {id} \
             and give the code to `veldwerk project renew {other}`: its drafts and records stay."
        );
    }
    name_unused(&unused);
    Ok(())
}

fn renew(context: &Context, args: &RenewArgs) -> Result<()> {
    let id = ProjectId(args.id);
    let ca = read_ca(args.ca.as_ref())?;
    let mut renewed = match args.source.read()? {
        (Some(source), _) => Some(context.client.renew(id, &source, args.yes)?),
        (None, Some((user, password))) => Some(context.client.renew_account(id, &user, &password)?),
        (None, None) => None,
    };
    if let Some(ca) = ca {
        let Renewed { project, freed, .. } = context.client.trust(id, &ca)?;
        let before = renewed.take();
        let (unused, freed_before) = before.map_or((Vec::new(), 0), |before| (before.unused, before.freed));
        renewed = Some(Renewed { project, unused, freed: freed + freed_before });
    }
    let Some(Renewed { project, unused, freed }) = renewed else {
        return Err(Error::new(ErrorKind::Usage, "what is new? --url, --qr, -, --user or --ca"));
    };
    if context.global.json {
        let mut shown = with_ready(&project, freed);
        shown["unused"] = json!(unused);
        say_json(&shown);
        return Ok(());
    }
    say!(
        "Project {} is renewed: {} on {}. Records ready to be sent again: {freed}.",
        args.id,
        project.name,
        project.server
    );
    name_unused(&unused);
    Ok(())
}

fn set(context: &Context, args: &SetArgs) -> Result<()> {
    let (client, id) = (&context.client, ProjectId(args.id));
    let mut project = client.project_summary(id)?;
    if let Some(name) = &args.name {
        project = client.rename_project(id, name)?;
    }
    if args.no_ca {
        project = client.trust(id, "")?.project;
    }
    if let Some(forget_sent) = args.forget_sent {
        project = client.set_project_settings(id, ProjectSettings { forget_sent, ..project.settings })?;
    }
    project = switch_device_id(context, project, args.device_id)?;
    if context.global.json {
        say_json(&as_json(&project));
    } else {
        say!("Project {}: {} on {}.", args.id, plain(&project.name), plain(&project.server));
    }
    Ok(())
}

fn switch_device_id(context: &Context, project: ProjectSummary, switch: Option<Switch>) -> Result<ProjectSummary> {
    match switch {
        Some(switch) => {
            let settings = ProjectSettings { device_id: switch == Switch::On, ..project.settings };
            context.client.set_project_settings(project.id, settings)
        }
        None => Ok(project),
    }
}

fn with_ready(project: &ProjectSummary, freed: usize) -> serde_json::Value {
    let mut shown = as_json(project);
    shown["ready"] = json!(freed);
    shown
}

/// Says what of a settings code changes nothing here.
fn name_unused(unused: &[String]) {
    if !unused.is_empty() {
        say!("Not used of the code: {}.", plain(&unused.join(", ")));
    }
}

/// The certificates in a file, found usable before anything is changed.
fn read_ca(file: Option<&PathBuf>) -> Result<Option<String>> {
    let Some(file) = file else { return Ok(None) };
    let pem = std::fs::read(file);
    let pem = pem.map_err(|error| Error::new(ErrorKind::Io, "the file of --ca").caused_by(error))?;
    authorities(&pem).map(Some)
}

fn read_stdin() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Error::new(ErrorKind::Io, "standard input").caused_by(error))?;
    Ok(text.trim().to_owned())
}

fn list(context: &Context) -> Result<()> {
    let projects = context.client.projects()?;
    if context.global.json {
        say_json(&json!({ "projects": projects.iter().map(as_json).collect::<Vec<_>>() }));
    } else if projects.is_empty() {
        say!("There is no project yet. Add one: `veldwerk project add --url …` or `… project add -`.");
    }
    for project in projects.iter().filter(|_| !context.global.json) {
        let user = project.user.as_deref().map(|user| format!(" as {user}")).unwrap_or_default();
        say!("{:>3}  {}  {}{}", project.id.0, plain(&project.name), plain(&project.server), plain(&user));
    }
    Ok(())
}

fn as_json(project: &ProjectSummary) -> serde_json::Value {
    json!({ "id": project.id.0, "name": project.name, "server": project.server, "user": project.user,
            "own_authority": project.own_authority, "settings": project.settings })
}

/// An entry of a list or a manifest that is of no use.
fn skipped_entry(entry: &BrokenEntry) -> String {
    let name = entry.name.as_deref().unwrap_or("?");
    format!("entry {}, {name}: {}", entry.position, entry.error)
}

/// `refresh`: forms, media, lists.
pub(crate) fn refresh(context: &Context) -> Result<()> {
    let project = context.project()?;
    let report = context.client.refresh_blocking(project.id, context.on_progress(), Cancel::default());
    context.end_progress();
    let report = report?;
    let mut failed = 0;
    let mut forms = Vec::new();
    for form in &report.forms {
        let (word, problem) = match &form.outcome {
            Ok(Outcome::UpToDate) => ("up to date", None),
            Ok(Outcome::New) => ("new", None),
            Ok(Outcome::UpdatedVersion | Outcome::UpdatedHash) => ("updated", None),
            Ok(Outcome::UpdatedMedia) => ("files updated", None),
            Err(error) => ("failed", Some(error.to_string())),
        };
        failed += usize::from(problem.is_some());
        let notices = match context.client.find_form(project.id, &form.form_id) {
            Ok(found) if form.outcome.as_ref().is_ok_and(|&outcome| outcome != Outcome::UpToDate) => {
                context.client.form_notices(found.key)?
            }
            _ => Vec::new(),
        };
        let skipped: Vec<String> = form.broken.iter().map(skipped_entry).collect();
        if context.global.json {
            forms.push(json!({ "form": form.form_id, "version": form.version, "title": form.title, "outcome": word,
                               "problem": problem, "notices": check::as_json(&notices), "skipped": skipped }));
        } else {
            say!("{word:>13}  {}  {} {}", plain(&form.title), plain(&form.form_id), plain(&form.version));
            problem.iter().for_each(|problem| tell!("               {}", plain(problem)));
            check::lines(&notices).iter().for_each(|line| say!("               {}", plain(line)));
            skipped.iter().for_each(|entry| say!("               skipped: {}", plain(entry)));
        }
    }
    let skipped: Vec<String> = report.broken.iter().map(skipped_entry).collect();
    if context.global.json {
        say_json(&json!({ "forms": forms, "skipped": skipped }));
    } else if report.forms.is_empty() {
        say!("The server offers no form to this account.");
    }
    if !context.global.json {
        skipped.iter().for_each(|entry| say!("      skipped  {}", plain(entry)));
    }
    if failed > 0 {
        return Err(Error::new(ErrorKind::SomeFailed, format!("{failed} of {} forms", report.forms.len())));
    }
    Ok(())
}

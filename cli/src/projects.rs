use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::json;
use veldwerk::client::{Cancel, Outcome, ProjectSource, ProjectSummary};
use veldwerk::store::ProjectId;
use veldwerk::{Error, ErrorKind, Result};

use crate::context::Context;

/// The servers this home works with.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Add a server by its address or an ODK settings code
    Add(AddArgs),
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
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct AddArgs {
    /// Address of the server
    #[arg(long, group = "source")]
    url: Option<String>,
    /// Text of an ODK settings code
    #[arg(long, group = "source", value_name = "TEXT")]
    qr: Option<String>,
    /// `-` reads the address or the code from standard input, so that no token stays in the shell's history
    #[arg(group = "source", value_name = "-", value_parser = ["-"])]
    stdin: Option<String>,
    /// User on the server
    #[arg(long, value_name = "U", requires = "password_stdin")]
    user: Option<String>,
    /// Read the user's password from standard input
    #[arg(long, requires = "user", conflicts_with = "stdin")]
    password_stdin: bool,
    /// Name of the project
    #[arg(long, value_name = "N")]
    name: Option<String>,
}

pub(crate) fn run(context: &Context, command: &ProjectCommand) -> Result<()> {
    match command {
        ProjectCommand::Add(args) => add(context, args),
        ProjectCommand::List => list(context),
        ProjectCommand::Remove { id, yes } => {
            context.client.remove_project(ProjectId(*id), *yes)?;
            if context.global.json {
                println!("{}", json!({ "removed": id }));
            } else {
                println!("Project {id} is removed.");
            }
            Ok(())
        }
    }
}

fn add(context: &Context, args: &AddArgs) -> Result<()> {
    let mut source = match (&args.url, &args.qr) {
        (Some(url), _) => ProjectSource::Url { url: url.clone(), account: None },
        (None, Some(code)) => ProjectSource::SettingsCode(code.clone()),
        (None, None) => ProjectSource::of_text(&read_stdin()?),
    };
    if let Some(user) = &args.user {
        let password = read_stdin()?;
        match &mut source {
            ProjectSource::Url { account, .. } => *account = Some((user.clone(), password)),
            ProjectSource::SettingsCode(_) => {
                return Err(Error::new(ErrorKind::Usage, "a settings code brings its own user"));
            }
        }
    }
    let project = context.client.add_project(&source, args.name.as_deref())?;
    if context.global.json {
        println!("{}", as_json(&project));
    } else {
        println!(
            "Project {}: {} on {}. Next: `veldwerk refresh` downloads its forms.",
            project.id.0, project.name, project.server
        );
    }
    Ok(())
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
        println!("{}", json!({ "projects": projects.iter().map(as_json).collect::<Vec<_>>() }));
    } else if projects.is_empty() {
        println!("There is no project yet. Add one: `veldwerk project add --url …` or `… project add -`.");
    }
    for project in projects.iter().filter(|_| !context.global.json) {
        let user = project.user.as_deref().map(|user| format!(" as {user}")).unwrap_or_default();
        println!("{:>3}  {}  {}{user}", project.id.0, project.name, project.server);
    }
    Ok(())
}

fn as_json(project: &ProjectSummary) -> serde_json::Value {
    json!({ "id": project.id.0, "name": project.name, "server": project.server, "user": project.user })
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
                context.client.form_notices(found.key)?.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        };
        if context.global.json {
            forms.push(json!({ "form": form.form_id, "version": form.version, "title": form.title, "outcome": word,
                               "problem": problem, "notices": notices }));
        } else {
            println!("{word:>13}  {}  {} {}", form.title, form.form_id, form.version);
            problem.iter().for_each(|problem| eprintln!("               {problem}"));
            notices.iter().for_each(|notice| println!("               {notice}"));
        }
    }
    if context.global.json {
        println!("{}", json!({ "forms": forms }));
    } else if report.forms.is_empty() {
        println!("The server offers no form to this account.");
    }
    if failed > 0 {
        return Err(Error::new(ErrorKind::Interrupted, format!("{failed} of {} forms", report.forms.len())));
    }
    Ok(())
}

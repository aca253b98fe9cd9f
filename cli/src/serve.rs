use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use veldwerk::Result;
use veldwerk_server::{Forms, ServerConfig, serve};

use crate::context::{Global, data_folder};
use crate::output::{say, say_json};
use crate::stop;

/// Runs the try-out server.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk serve
  veldwerk serve --forms forms --data arrived")]
pub(crate) struct ServeArgs {
    /// Folder for what arrives, readable [default: the platform's data folder + veldwerk-try-out]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder with forms, .xml or .xlsx [default: the two questionnaires in the program]
    #[arg(long, value_name = "DIR")]
    forms: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// Allow an address that other computers reach, although everything crosses the network readable
    #[arg(long)]
    i_know_it_is_plain_http: bool,
}

/// Starts the server, says how to reach it, and runs until it is stopped.
pub(crate) fn run(global: &Global, args: &ServeArgs) -> Result<()> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => data_folder()?.join("veldwerk-try-out"),
    };
    let mut config = ServerConfig::new(data);
    if let Some(folder) = &args.forms {
        config.forms = Forms::Folder(folder.clone());
    }
    config.listen = args.listen;
    config.i_know_it_is_plain_http = args.i_know_it_is_plain_http;
    let server = serve(config)?;
    let (page, project, code) = (server.page_url(), server.project_url(), server.settings_code()?);
    if global.json {
        say_json(
            &json!({ "page": page, "project_url": project, "settings_code": code, "address": server.address().to_string() }),
        );
    } else {
        say!("Try-out server: answers lie readable on this computer.\n");
        say!("Look at what arrives:   {page}");
        match (project, code) {
            (Some(project), Some(code)) => {
                say!("Join with a phone's store:   veldwerk project add --url '{project}'");
                say!("or with this settings code:  {code}\n");
                say!("The token in them is shown this once; only its hash is kept.");
            }
            _ => say!("Phones that joined before know their token; it is not kept here."),
        }
    }
    stop::asked()
}

//! `mxcp serve`: the daemon.

use super::context::{Common, LoadWishes};
use super::output::Report;
use crate::adapters::start_pages;
use crate::config::{Configuration, EndpointFaults, EndpointKind, LogLevel, Openness};
use crate::wiring::{Daemon, ServeOptions};
use clap::{Args, ValueEnum};
use std::io::Write as _;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args, Clone, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) common: Common,
    /// How clients talk to the server
    #[arg(long, value_enum, default_value_t = Transport::StreamableHttp)]
    transport: Transport,
    /// The port to listen on
    #[arg(long)]
    port: Option<u16>,
    /// Keep no MCP session between requests
    #[arg(long)]
    stateless: bool,
    /// Whether to offer tools that run SQL of their callers, which can only look; otherwise as mxcp-site.yml says
    #[arg(long, value_name = "BOOLEAN")]
    sql_tools: Option<bool>,
    /// Serve what can be served when some endpoint files are faulty
    #[arg(long)]
    ignore_errors: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    StreamableHttp,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<Report> {
    let endpoint_faults = if args.ignore_errors { EndpointFaults::Skip } else { EndpointFaults::Refuse };
    let is_profile_required = args.common.profile.is_some() || std::env::var_os("MXCP_PROFILE").is_some();
    let wishes =
        LoadWishes { log_level: LogLevel::Info, endpoint_faults, is_profile_required, sql_tools: args.sql_tools };
    let configuration = args.common.load(wishes)?;
    // Before the sockets open, so that a signal during the start is not lost.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let daemon = Daemon::start(&configuration, &ServeOptions { port: args.port, is_stateless: args.stateless }).await?;
    start_pages::give_back();
    warn_of_plain_http(daemon.base_url());
    tell_of_openness(&configuration);
    announce(&configuration, daemon.base_url())?;
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    daemon.run(shutdown).await?;
    Ok(Report::text("Server stopped"))
}

/// Says where the server listens; by now it does.
fn announce(configuration: &Configuration, base_url: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let auth = match &configuration.auth.verifier {
        Some(issuer) => format!("by tokens of {}", issuer.title()),
        None if configuration.auth.is_enabled() => "on".to_owned(),
        None => "off: everybody may call".to_owned(),
    };
    let audit = if configuration.audit.is_enabled { "on" } else { "off" };
    let count = |kind| configuration.tools.iter().filter(|tool| tool.kind() == kind).count();
    writeln!(
        out,
        "mxcp {} serves project '{}' with profile '{}'\n  \
           tools           {}\n  \
           resources       {}\n  \
           prompts         {}\n  \
           authentication  {auth}\n  \
           audit log       {audit}\n  \
           pages           {base_url}\n  \
           MCP endpoint    {base_url}/mcp\n\
         Ready. Stop with Ctrl-C.",
        env!("CARGO_PKG_VERSION"),
        configuration.project,
        configuration.profile,
        count(EndpointKind::Tool),
        count(EndpointKind::Resource),
        count(EndpointKind::Prompt),
    )?;
    out.flush()
}

/// Whoever requires scopes may believe that this alone keeps somebody out.
fn tell_of_openness(configuration: &Configuration) {
    match configuration.auth.openness() {
        Some(Openness::Ungranted) => tracing::warn!(
            "auth.authorization.required_scopes keeps nobody out: everybody who signs in may have them; say in grants \
             who may, or in the endpoints' own scopes what is not for everybody"
        ),
        Some(Openness::Granted) => tracing::info!(
            "auth.authorization.required_scopes keeps nobody out: a rule in grants gives them to everybody who signs in"
        ),
        None => {}
    }
}

/// Tokens that travel unencrypted can be read by everyone on the way (OAuth 2.1 section 1.5).
fn warn_of_plain_http(base_url: &str) {
    let host = base_url.strip_prefix("http://").map(|rest| rest.rsplit_once(':').map_or(rest, |(host, _)| host));
    if host.is_some_and(|host| !matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
        tracing::warn!(
            "clients are told to use {base_url}, which is not encrypted: put a proxy with TLS in front and set \
             transport.http.base_url to its https URL"
        );
    }
}

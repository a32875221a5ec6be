//! What the commands share: options, configuration, and the log on standard error.

use crate::config::{self, ConfigErrors, Configuration, EndpointFaults, LoadOptions, LogLevel, LoggingSettings};
use clap::Args;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Options of every command that works on a project.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    /// The profile; otherwise `MXCP_PROFILE`, otherwise that of mxcp-site.yml
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Log what helps to find a fault
    #[arg(long)]
    pub(super) debug: bool,
    /// Open the database for reading only
    #[arg(long)]
    pub(super) readonly: bool,
}

/// Options of a command that changes what the daemon keeps, and not the database.
#[derive(Args, Clone, Debug)]
pub(super) struct StoreOptions {
    /// Print one JSON document
    #[arg(long = "json")]
    pub(super) is_json: bool,
    /// The profile; otherwise `MXCP_PROFILE`, otherwise that of mxcp-site.yml
    #[arg(long)]
    profile: Option<String>,
    /// Log what helps to find a fault
    #[arg(long)]
    debug: bool,
}

impl StoreOptions {
    /// Reads the configuration. There is no falling back on another profile than the one that was
    /// named, which may keep things elsewhere.
    pub(super) fn load(&self) -> anyhow::Result<Configuration> {
        let common = Common { profile: self.profile.clone(), debug: self.debug, readonly: false };
        let is_profile_required = self.profile.is_some() || std::env::var_os("MXCP_PROFILE").is_some();
        common.load(LoadWishes { is_profile_required, ..LoadWishes::default() })
    }
}

/// What a command needs beyond the common options.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadWishes {
    /// What is logged when the configuration does not say.
    pub(super) log_level: LogLevel,
    pub(super) endpoint_faults: EndpointFaults,
    pub(super) is_profile_required: bool,
    /// Whether the built-in SQL tools are served, over the site file.
    pub(super) sql_tools: Option<bool>,
}

impl Common {
    /// Reads the configuration of the project that the working directory is in.
    pub(super) fn load(&self, wishes: LoadWishes) -> anyhow::Result<Configuration> {
        let configuration = self.load_quietly(wishes)??;
        for warning in &configuration.warnings {
            tracing::warn!("{warning}");
        }
        Ok(configuration)
    }

    /// The same for a command that reports faults and warnings itself.
    pub(super) fn load_quietly(&self, wishes: LoadWishes) -> anyhow::Result<Result<Configuration, ConfigErrors>> {
        let options = LoadOptions {
            working_directory: std::env::current_dir()?,
            profile: self.profile.clone(),
            is_readonly: self.readonly,
            is_debug: self.debug,
            endpoint_faults: wishes.endpoint_faults,
            is_profile_required: wishes.is_profile_required,
            sql_tools: wishes.sql_tools,
        };
        let loaded = config::load(&options, &|name| std::env::var(name).ok());
        if let Ok(configuration) = &loaded {
            start_log(configuration.logging, wishes.log_level);
        }
        Ok(loaded)
    }
}

/// Starts the log on standard error, as the configuration says. `MXCP_LOG` may say it finer,
/// in the directives of `tracing`.
fn start_log(logging: LoggingSettings, default: LogLevel) {
    if !logging.is_enabled {
        return;
    }
    let level = match logging.level.unwrap_or(default) {
        LogLevel::Debug => "info,mxcp=debug,mxcp_actors=debug",
        LogLevel::Info => "info,actix_server=warn",
        LogLevel::Warning => "warn",
        LogLevel::Error => "error",
    };
    let filter = EnvFilter::try_from_env("MXCP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    // A second start in one process, as in tests, keeps the first.
    let _already_started = log.with_writer(std::io::stderr).try_init();
}

impl Default for LoadWishes {
    fn default() -> Self {
        Self {
            log_level: LogLevel::Warning,
            endpoint_faults: EndpointFaults::Skip,
            is_profile_required: false,
            sql_tools: None,
        }
    }
}

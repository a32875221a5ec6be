//! What became of one endpoint file.

use super::error::ConfigErrors;
pub use mxcp_actors::model::endpoint::EndpointKind;
use std::path::PathBuf;

/// One file below `tools`, `resources` or `prompts`.
#[derive(Clone, Debug)]
pub struct EndpointFile {
    /// The file, relative to the project's root when it lies below it.
    pub path: PathBuf,
    /// What it defines, as far as it could be read.
    pub kind: Option<EndpointKind>,
    /// The endpoint's name, as far as it could be read.
    pub name: Option<String>,
    /// Whether the endpoint is served; false only when the file says so.
    pub is_enabled: bool,
    /// What is wrong with it.
    pub errors: Option<ConfigErrors>,
}

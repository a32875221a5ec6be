//! What became of one endpoint file.

use super::error::ConfigErrors;
use std::path::PathBuf;

/// The kinds of endpoints that a file can define.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// A tool.
    Tool,
    /// A resource.
    Resource,
    /// A prompt.
    Prompt,
}

impl EndpointKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Resource, Self::Prompt];

    /// The key that opens such a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }
}

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

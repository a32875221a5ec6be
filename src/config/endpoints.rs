use super::endpoint_file::EndpointFile;
use super::settings::ProjectPaths;
use mxcp_actors::model::tool::ToolDefinition;
use std::path::Path;
pub(super) struct Endpoints {
    pub(super) tools: Vec<ToolDefinition>,
    pub(super) files: Vec<EndpointFile>,
    pub(super) warnings: Vec<String>,
}
pub(super) fn load(_root: &Path, _paths: &ProjectPaths) -> Endpoints {
    Endpoints { tools: vec![], files: vec![], warnings: vec![] }
}

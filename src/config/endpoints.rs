//! All endpoint files of a project.

use super::endpoint_file::{EndpointFile, EndpointKind};
use super::error::{ConfigError, ConfigErrors};
use super::files;
use super::reader::{Field, Notes, Source};
use super::settings::ProjectPaths;
use super::tool_file::{self, Contents, FilePlace};
use super::tree;
use mxcp_actors::model::tool::ToolDefinition;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders below a folder of endpoints; deeper ones are links that lead in a circle.
const DEPTH_MAX: usize = 16;

/// What the endpoint files hold.
pub(super) struct Endpoints {
    /// The enabled endpoints without a fault, in the order of their files.
    pub(super) tools: Vec<ToolDefinition>,
    /// Every file.
    pub(super) files: Vec<EndpointFile>,
    /// What deserves a look.
    pub(super) warnings: Vec<String>,
}

impl Endpoints {
    /// Every fault of every file, once.
    pub(super) fn faults(&self) -> Vec<ConfigError> {
        let mut faults: Vec<ConfigError> = Vec::new();
        for fault in self.files.iter().filter_map(|file| file.errors.as_ref()).flat_map(|errors| &errors.errors) {
            // A doubled name is a fault of several files.
            if fault.file.is_some() || !faults.contains(fault) {
                faults.push(fault.clone());
            }
        }
        faults
    }
}

/// Reads every `*.yml` and `*.yaml` below the project's folders, in the order of their paths.
pub(super) fn load(root: &Path, paths: &ProjectPaths, has_authentication: bool) -> Endpoints {
    let mut endpoints = Endpoints { tools: Vec::new(), files: Vec::new(), warnings: Vec::new() };
    let folders = [
        (EndpointKind::Tool, &paths.tools),
        (EndpointKind::Resource, &paths.resources),
        (EndpointKind::Prompt, &paths.prompts),
    ];
    for (kind, folder) in folders {
        let mut found = Vec::new();
        if let Err(error) = collect(folder, DEPTH_MAX, &mut found) {
            endpoints.files.push(unreadable(root, &error));
        }
        found.sort();
        for path in found {
            load_file((root, has_authentication), &path, kind, &mut endpoints);
        }
    }
    refuse_doubled_names(&mut endpoints);
    if endpoints.files.is_empty() {
        endpoints.warnings.push(format!("there are no tools in {}", paths.tools.display()));
    }
    endpoints
}

/// A folder or file that stopped the search.
struct Unreadable {
    path: PathBuf,
    why: String,
}

fn unreadable(root: &Path, error: &Unreadable) -> EndpointFile {
    let path = relative(root, &error.path);
    let fault = ConfigError::of_file(&path, format!("cannot be read: {}", error.why));
    EndpointFile { path, kind: None, name: None, is_enabled: true, errors: Some(fault.into()) }
}

/// Adds the endpoint files below `folder` to `found`. Hidden files are editors' leavings.
fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    let failure = |error: std::io::Error| Unreadable { path: folder.to_owned(), why: error.to_string() };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failure(error)),
    };
    for entry in entries {
        let path = entry.map_err(failure)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            if depth == 0 {
                return Err(Unreadable { path, why: "the folders are nested too deeply".to_owned() });
            }
            collect(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            found.push(path);
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn load_file((root, has_authentication): (&Path, bool), path: &Path, kind: EndpointKind, endpoints: &mut Endpoints) {
    let name = relative(root, path);
    let node = files::read_text(path)
        .map_err(|why| ConfigError::of_file(&name, format!("the file {why}")))
        .and_then(|text| Ok((tree::parse(&text).map_err(|error| error.in_file(&name))?, text)));
    let (contents, faults) = match node {
        Ok((node, text)) => {
            let source = Source::new(&name, None).with_text(text);
            let contents = tool_file::read(
                &Field::root(&node, &source),
                kind,
                FilePlace { root, path, name: &name, has_authentication },
            );
            let Notes { faults, warnings, .. } = source.finish();
            if !contents.is_disabled {
                endpoints.warnings.extend(warnings);
            }
            (contents, faults)
        }
        Err(error) => (Contents::default(), vec![error]),
    };
    // What is not served may be unfinished.
    let is_faulty = !faults.is_empty() && !contents.is_disabled;
    if !is_faulty && !contents.is_disabled {
        endpoints.tools.extend(contents.definition);
    }
    endpoints.files.push(EndpointFile {
        path: name,
        kind: contents.kind,
        name: contents.name,
        is_enabled: !contents.is_disabled,
        errors: is_faulty.then_some(ConfigErrors { errors: faults }),
    });
}

/// Of endpoints with one name none is served: which one was meant cannot be known.
fn refuse_doubled_names(endpoints: &mut Endpoints) {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in endpoints.files.iter().filter(|file| file.is_enabled) {
        if let Some(name) = &file.name {
            places.entry(name.clone()).or_default().push(file.path.clone());
        }
    }
    for (name, paths) in places.into_iter().filter(|(_, paths)| paths.len() > 1) {
        let list: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let fault = ConfigError::general(format!("Duplicate endpoint name '{name}' found in: {}", list.join(", ")));
        for file in endpoints.files.iter_mut().filter(|file| paths.contains(&file.path)) {
            file.errors.get_or_insert_with(|| ConfigErrors { errors: Vec::new() }).errors.push(fault.clone());
        }
        endpoints.tools.retain(|tool| tool.name != name);
    }
}

//! From a working directory to a whole configuration.

use super::audit::AuditSettings;
use super::endpoints;
use super::error::{ConfigError, ConfigErrors};
use super::files;
use super::http_settings::HttpSettings;
use super::reader::{Field, Source, is_loopback, parse_boolean};
use super::references::{Environment, References, expand_path};
use super::result_rules;
use super::settings::{Configuration, DuckdbSettings, LogLevel, LoggingSettings};
use super::site::{self, PathBase, Site};
use super::tree;
use super::user::{self, User};
use mxcp_actors::model::tool::ToolDefinition;
use std::path::{Path, PathBuf};
use url::Url;

/// The name of the site file.
const SITE_FILE: &str = "mxcp-site.yml";

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
    /// Where the search for `mxcp-site.yml` begins.
    pub working_directory: PathBuf,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--readonly`.
    pub is_readonly: bool,
    /// `--debug`.
    pub is_debug: bool,
    /// What to do about endpoint files that cannot be used.
    pub endpoint_faults: EndpointFaults,
    /// Whether a profile that was asked for by name must be in one of the files: a slip of the pen
    /// would otherwise serve an empty database without authentication.
    pub is_profile_required: bool,
    /// `--sql-tools`, over the site file.
    pub sql_tools: Option<bool>,
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
    let root = find_root(&options.working_directory)?;
    let mut findings = Findings::default();
    let asked_profile = options.profile.clone().or_else(|| variable(env, "MXCP_PROFILE"));
    let site = read_site(&root, asked_profile.as_deref(), env, &mut findings);
    let user_file = find_user_file(options, env)?;
    let user = match (&user_file, &site) {
        (Some(path), Some(site)) => read_user(path, site, &root, env, &mut findings),
        _ => User::default(),
    };
    let Some(mut site) = site else { return Err(findings.into_errors()) };
    if options.is_profile_required && !user.has_profile && !site.has_profile {
        let message = format!("Profile '{}' not found in project '{}'", site.profile, site.project);
        findings.errors.push(ConfigError::general(message));
    }
    // What is wrong with the user configuration is told by itself, and not by every tool again.
    let has_authentication = user.auth.is_enabled() || !findings.errors.is_empty();
    let loaded = endpoints::load(&root, &site.paths, has_authentication);
    let faults = loaded.faults();
    findings.warnings.extend(loaded.warnings);
    match options.endpoint_faults {
        EndpointFaults::Refuse => findings.errors.extend(faults),
        EndpointFaults::Skip => findings.warnings.extend(faults.iter().map(ToString::to_string)),
    }
    let environment = Overrides::read(options, env, &mut findings);
    warn_of_open_doors(&user, &mut findings.warnings);
    warn_of_mixed_tokens(&user, &loaded.tools, &mut findings.warnings);
    warn_of_unreachable_tools(&user, &loaded.tools, &mut findings.warnings);
    let has_sql_tools = options.sql_tools.unwrap_or(site.sql_tools.is_enabled);
    if has_sql_tools {
        findings.errors.extend(result_rules::refuse_beside_sql_tools(&user.auth.result_rules, &site.sql_tools));
        findings.errors.extend(site.sql_tools.refuse_scopes_of_nobody().filter(|_| !has_authentication));
    } else if loaded.files.iter().all(|file| file.errors.is_none()) {
        findings.warnings.extend(result_rules::idle_rules(&user.auth.result_rules, &loaded.tools));
    }
    if !findings.errors.is_empty() {
        return Err(findings.into_errors());
    }
    let is_auth_enabled = user.auth.is_enabled();
    let mut tools = loaded.tools;
    if has_sql_tools {
        tools.extend(std::mem::take(&mut site.sql_tools).definitions());
    }
    let audit = environment.audit(&site, &root, env, is_auth_enabled);
    warn_of_idle_viewers(&audit, &user, &mut findings.warnings);
    Ok(Configuration {
        http: user.http,
        http_fetch: user.http_fetch,
        logging: environment.logging(user.logging),
        duckdb: environment.duckdb(&site, &root, env),
        audit,
        auth: user.auth,
        project: site.project,
        profile: site.profile,
        paths: site.paths,
        tools,
        endpoint_files: loaded.files,
        warnings: findings.warnings,
        literal_secrets: findings.literal_secrets,
        user_file,
        root,
    })
}

/// What was found on the way.
#[derive(Default)]
struct Findings {
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    literal_secrets: Vec<String>,
}

impl Findings {
    fn take(&mut self, source: Source<'_>) {
        let notes = source.finish();
        self.errors.extend(notes.faults);
        self.warnings.extend(notes.warnings);
        self.literal_secrets.extend(notes.literal_secrets);
    }

    fn into_errors(self) -> ConfigErrors {
        ConfigErrors { errors: self.errors }
    }
}

/// A variable that is set to something.
fn variable(env: Environment<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

fn find_root(working_directory: &Path) -> Result<PathBuf, ConfigError> {
    let working_directory = std::path::absolute(working_directory)
        .map_err(|error| ConfigError::general(format!("the current directory is not known: {error}")))?;
    working_directory
        .ancestors()
        .find(|folder| folder.join(SITE_FILE).is_file())
        .map(Path::to_owned)
        .ok_or_else(|| ConfigError::general(format!("No {SITE_FILE} found in current directory or parents")))
}

fn find_user_file(options: &LoadOptions, env: Environment<'_>) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(path) = variable(env, "MXCP_CONFIG") {
        let path = expand_path(&path, &options.working_directory, env);
        if !path.exists() {
            return Err(ConfigError::general(format!("MXCP user config not found at {}", path.display())));
        }
        return Ok(Some(path));
    }
    let path = variable(env, "HOME").map(|home| Path::new(&home).join(".mxcp").join("config.yml"));
    Ok(path.filter(|path| path.exists()))
}

/// Reads `path` as YAML and hands its root to `read`.
fn read_file<T>(
    path: &Path,
    name: &Path,
    references: Option<References<'_>>,
    findings: &mut Findings,
    read: impl FnOnce(&Field<'_>) -> T,
) -> Option<T> {
    let node = files::read_text(path)
        .map_err(|why| ConfigError::of_file(name, format!("the file {why}")))
        .and_then(|text| Ok((tree::parse(&text).map_err(|error| error.in_file(name))?, text)));
    match node {
        Ok((node, text)) => {
            let source = Source::new(name, references).with_text(text);
            let value = read(&Field::root(&node, &source));
            findings.take(source);
            Some(value)
        }
        Err(error) => {
            findings.errors.push(error);
            None
        }
    }
}

fn read_site(root: &Path, profile: Option<&str>, env: Environment<'_>, findings: &mut Findings) -> Option<Site> {
    let base = PathBase { root, env };
    let site = read_file(&root.join(SITE_FILE), Path::new(SITE_FILE), None, findings, |file| {
        site::read(file, profile, base)
    })??;
    if site.profile.contains(['/', '\\', '\0']) || site.profile.starts_with('.') {
        // It becomes a part of file names.
        findings.errors.push(ConfigError::general("a profile's name must not contain slashes or begin with a dot"));
    }
    Some(site)
}

fn read_user(path: &Path, site: &Site, root: &Path, env: Environment<'_>, findings: &mut Findings) -> User {
    let name = path.strip_prefix(root).unwrap_or(path);
    let references = References { env, root };
    read_file(path, name, Some(references), findings, |file| user::read(file, &site.project, &site.profile))
        .unwrap_or_default()
}

/// Settings that let the wrong people in, or nobody.
fn warn_of_open_doors(user: &User, warnings: &mut Vec<String>) {
    let HttpSettings { host, public_url, .. } = &user.http;
    let is_private = is_loopback(host);
    if !user.auth.is_enabled() {
        if !is_private || public_url.is_some() {
            warnings.push(format!(
                "the server on {host} has no authentication: everybody who can reach it may call every tool"
            ));
        }
        return;
    }
    match public_url.as_ref().map(|url| Url::parse(url)) {
        None if !is_private => warnings.push(
            "transport.http.base_url is not set; set it to the URL that clients use, or their sign-ins will fail"
                .into(),
        ),
        Some(Ok(url)) if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) => {
            warnings.push("transport.http.base_url is plain http: tokens can be read on their way".into());
        }
        _ => (),
    }
}

/// SQL that sends the token of one provider to the API of another.
fn warn_of_mixed_tokens(user: &User, tools: &[ToolDefinition], warnings: &mut Vec<String>) {
    let with_tokens = user.auth.providers.iter().filter(|provider| provider.callback_path().is_some()).count();
    let names: Vec<&str> =
        tools.iter().filter(|tool| tool.needs_external_token).map(|tool| tool.name.as_str()).collect();
    if with_tokens > 1 && !names.is_empty() {
        warnings.push(format!(
            "get_user_external_token() is the token of whichever provider the caller chose; let a policy of {} deny \
             callers by user.provider, or the API of one provider is shown tokens of another",
            names.join(", ")
        ));
    }
}

/// Endpoints that need a scope which nobody can have.
fn warn_of_unreachable_tools(user: &User, tools: &[ToolDefinition], warnings: &mut Vec<String>) {
    let Some(granted) = user.auth.authorization.granted() else { return };
    for tool in tools {
        let missing: Vec<&str> = tool.scopes.iter().filter(|scope| !granted.contains(scope)).collect();
        if !missing.is_empty() {
            let (path, kind, name, missing) =
                (tool.path.display(), tool.kind().as_str(), &tool.name, missing.join(", "));
            warnings.push(format!(
                "{path}: nobody can use {kind} '{name}': no rule in auth.authorization.grants gives {missing}"
            ));
        }
    }
}

/// Roles that nobody can have here, or that there is nothing to see for.
fn warn_of_idle_viewers(audit: &AuditSettings, user: &User, warnings: &mut Vec<String>) {
    if audit.viewers.is_empty() {
        return;
    }
    if !audit.is_enabled {
        warnings.push("audit.viewers is of no use, because there is no audit log (audit.enabled)".to_owned());
    } else if user.auth.providers.is_empty() {
        warnings.push("audit.viewers is of no use, because nobody signs in at this server (auth.provider)".to_owned());
    }
}

/// What the command line and the environment say over the files.
struct Overrides {
    duckdb_path: Option<String>,
    is_audit_enabled: Option<bool>,
    is_socket_enabled: bool,
    socket: Option<String>,
    is_readonly: bool,
    is_debug: bool,
}

impl Overrides {
    fn read(options: &LoadOptions, env: Environment<'_>, findings: &mut Findings) -> Self {
        let mut flag = |name| {
            let text = variable(env, name)?;
            let value = parse_boolean(&text);
            if value.is_none() {
                findings
                    .errors
                    .push(ConfigError::general(format!("environment variable {name}: expected true or false")));
            }
            value
        };
        let is_audit_enabled = flag("MXCP_AUDIT_ENABLED");
        let is_socket_enabled = flag("MXCP_ADMIN_ENABLED").unwrap_or(true);
        let is_readonly = flag("MXCP_READONLY").unwrap_or(false) || options.is_readonly;
        let is_debug = flag("MXCP_DEBUG").unwrap_or(false) || options.is_debug;
        let duckdb_path = variable(env, "MXCP_DUCKDB_PATH");
        if duckdb_path.as_ref().is_some_and(|path| site::is_in_memory(path)) {
            let message = format!("environment variable MXCP_DUCKDB_PATH: {}", site::NOT_IN_MEMORY);
            findings.errors.push(ConfigError::general(message));
        }
        let socket = variable(env, "MXCP_ADMIN_SOCKET");
        Self { duckdb_path, is_audit_enabled, is_socket_enabled, socket, is_readonly, is_debug }
    }

    fn logging(&self, logging: LoggingSettings) -> LoggingSettings {
        if self.is_debug { LoggingSettings { is_enabled: true, level: Some(LogLevel::Debug) } } else { logging }
    }

    fn duckdb(&self, site: &Site, root: &Path, env: Environment<'_>) -> DuckdbSettings {
        let given = self.duckdb_path.as_ref().map(|path| expand_path(path, root, env));
        let path = given.or_else(|| site.duckdb.path.clone());
        DuckdbSettings {
            path: path.unwrap_or_else(|| site.paths.data.join(format!("db-{}.duckdb", site.profile))),
            is_readonly: self.is_readonly || site.duckdb.is_readonly,
            connections: site.duckdb.connections,
            query_timeout: site.duckdb.query_timeout,
            max_rows: site.duckdb.max_rows,
        }
    }

    fn audit(&self, site: &Site, root: &Path, env: Environment<'_>, is_auth_enabled: bool) -> AuditSettings {
        let default_path = || site.paths.audit.join(format!("logs-{}.jsonl", site.profile));
        let path = site.audit.path.clone().unwrap_or_else(default_path);
        let given = self.socket.as_ref().map(|path| expand_path(path, root, env));
        let socket = given.unwrap_or_else(|| path.with_extension("sock"));
        AuditSettings {
            is_enabled: self.is_audit_enabled.or(site.audit.is_enabled).unwrap_or(is_auth_enabled),
            path,
            keeping: site.audit.keeping,
            viewers: site.audit.viewers.clone(),
            socket: self.is_socket_enabled.then_some(socket),
        }
    }
}

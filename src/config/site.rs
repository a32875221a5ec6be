//! `mxcp-site.yml`: what belongs to the project, and is the same for everybody who runs it.

use super::audit::{SiteAudit, read_audit};
use super::reader::{Field, Table};
use super::references::{Environment, expand_path};
use super::settings::ProjectPaths;
use super::sql_tools::{self, SqlTools};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a query may take when the file does not say.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// The rows that a query may return when the file does not say.
const MAX_ROWS: usize = 10_000;

/// What is said of a database that is no file.
pub(super) const NOT_IN_MEMORY: &str = "a database in memory would be lost at every restart; name a file";

/// Whether DuckDB would take `path` for a database in memory.
pub(super) fn is_in_memory(path: &str) -> bool {
    path.starts_with(":memory:")
}

/// The site file, for one profile.
pub(super) struct Site {
    /// `project`.
    pub(super) project: String,
    /// The profile in force.
    pub(super) profile: String,
    /// Whether the file speaks of that profile.
    pub(super) has_profile: bool,
    /// `paths`.
    pub(super) paths: ProjectPaths,
    /// `profiles.<profile>.duckdb`.
    pub(super) duckdb: SiteDuckdb,
    /// `profiles.<profile>.audit`.
    pub(super) audit: SiteAudit,
    /// `sql_tools`.
    pub(super) sql_tools: SqlTools,
}

/// `profiles.<profile>.duckdb`, as far as it is written.
pub(super) struct SiteDuckdb {
    pub(super) path: Option<PathBuf>,
    pub(super) is_readonly: bool,
    pub(super) connections: Option<usize>,
    pub(super) query_timeout: Duration,
    pub(super) max_rows: usize,
}

impl Default for SiteDuckdb {
    fn default() -> Self {
        Self { path: None, is_readonly: false, connections: None, query_timeout: QUERY_TIMEOUT, max_rows: MAX_ROWS }
    }
}

/// What paths mean in a project.
#[derive(Clone, Copy)]
pub(super) struct PathBase<'a> {
    /// The project's root, where relative paths begin.
    pub(super) root: &'a Path,
    /// Knows the home folder.
    pub(super) env: Environment<'a>,
}

impl PathBase<'_> {
    /// The absolute path that `text` means.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        expand_path(text, self.root, self.env)
    }

    pub(super) fn read(&self, field: Option<Field<'_>>) -> Option<PathBuf> {
        Some(self.path(&field?.nonempty_text()?))
    }
}

/// Reads the site file; `profile` is the one that was asked for, over the file's own.
pub(super) fn read(file: &Field<'_>, profile: Option<&str>, base: PathBase<'_>) -> Option<Site> {
    file.table(|table| {
        read_version(table);
        let project = table.require("project").and_then(|field| field.nonempty_text());
        let own_profile = table.require("profile").and_then(|field| field.nonempty_text());
        let is_own = profile.is_none() || profile == own_profile.as_deref();
        let profile = profile.map(str::to_owned).or(own_profile);
        let paths = read_paths(table, base);
        read_unused(table);
        let sql_tools = table.get("sql_tools").and_then(|field| sql_tools::read(&field)).unwrap_or_default();
        table.refuse("plugin", "remove it");
        table.refuse("extensions", "remove it");
        let settings = read_profiles(table, profile.as_deref(), base);
        let has_profile = is_own || settings.is_some();
        let (duckdb, audit) = settings.unwrap_or_default();
        Some(Site { project: project?, profile: profile?, has_profile, paths, duckdb, audit, sql_tools })
    })
}

/// Checks `mxcp: 1`, the version of the file format.
pub(super) fn read_version(table: &mut Table<'_, '_>) {
    if let Some(version) = table.get("mxcp") {
        version.whole_number(1..=1);
    }
}

fn read_paths(table: &mut Table<'_, '_>, base: PathBase<'_>) -> ProjectPaths {
    let mut paths = ProjectPaths {
        tools: base.path("tools"),
        resources: base.path("resources"),
        prompts: base.path("prompts"),
        data: base.path("data"),
        audit: base.path("audit"),
    };
    if let Some(field) = table.get("paths") {
        field.visit(|table| {
            let mut read = |key, path: &mut PathBuf| {
                if let Some(given) = base.read(table.get(key)) {
                    *path = given;
                }
            };
            read("tools", &mut paths.tools);
            read("resources", &mut paths.resources);
            read("prompts", &mut paths.prompts);
            read("data", &mut paths.data);
            read("audit", &mut paths.audit);
            for key in ["python", "plugins", "sql", "drift", "evals"] {
                table.get(key).inspect(Field::unused_text);
            }
        });
    }
    paths
}

/// Sections of commands that this version does not have: nothing that the daemon does depends on
/// them, so a project that has them is served as well.
fn read_unused(table: &mut Table<'_, '_>) {
    if let Some(secrets) = table.get("secrets") {
        if secrets.is_list() { drop(secrets.texts()) } else { secrets.unused_text() }
    }
    if let Some(dbt) = table.get("dbt") {
        dbt.visit(|table| {
            table.get("enabled").and_then(|field| field.boolean());
            table.skip(&["model_paths", "analysis_paths", "test_paths", "seed_paths", "macro_paths", "snapshot_paths"]);
            table.skip(&["target_path", "clean_targets"]);
        });
    }
}

fn read_profiles(
    table: &mut Table<'_, '_>,
    profile: Option<&str>,
    base: PathBase<'_>,
) -> Option<(SiteDuckdb, SiteAudit)> {
    let mut settings = None;
    for (name, field) in table.get("profiles").and_then(|field| field.entries()).unwrap_or_default() {
        if Some(name) == profile {
            settings = Some(read_profile(&field, base).unwrap_or_default());
        } else {
            read_profile(&field.inactive(), base);
        }
    }
    settings
}

fn read_profile(field: &Field<'_>, base: PathBase<'_>) -> Option<(SiteDuckdb, SiteAudit)> {
    field.table(|table| {
        let duckdb = table.get("duckdb").and_then(|field| read_duckdb(&field, base)).unwrap_or_default();
        let audit = table.get("audit").and_then(|field| read_audit(&field, base)).unwrap_or_default();
        if let Some(drift) = table.get("drift") {
            drift.visit(|table| {
                table.get("path").inspect(Field::unused_text);
            });
        }
        Some((duckdb, audit))
    })
}

fn read_duckdb(field: &Field<'_>, base: PathBase<'_>) -> Option<SiteDuckdb> {
    field.table(|table| {
        let default = SiteDuckdb::default();
        Some(SiteDuckdb {
            path: table.get("path").and_then(|field| read_database_path(&field, base)),
            is_readonly: table.get_or_null("readonly").and_then(|field| field.boolean()).unwrap_or(false),
            connections: table.get("connections").and_then(|field| count(&field, 1..=1024)),
            query_timeout: table
                .get("query_timeout")
                .and_then(|field| positive_duration(&field))
                .unwrap_or(default.query_timeout),
            max_rows: table.get("max_rows").and_then(|field| count(&field, 1..=10_000_000)).unwrap_or(default.max_rows),
        })
    })
}

fn read_database_path(field: &Field<'_>, base: PathBase<'_>) -> Option<PathBuf> {
    let path = field.nonempty_text()?;
    if is_in_memory(&path) {
        field.fault(NOT_IN_MEMORY);
        return None;
    }
    Some(base.path(&path))
}

fn count(field: &Field<'_>, range: std::ops::RangeInclusive<u64>) -> Option<usize> {
    field.whole_number(range).and_then(|number| usize::try_from(number).ok())
}

/// A duration that is longer than nothing.
pub(super) fn positive_duration(field: &Field<'_>) -> Option<Duration> {
    let duration = field.duration()?;
    if duration.is_zero() {
        field.fault("must be longer than nothing");
        return None;
    }
    Some(duration)
}

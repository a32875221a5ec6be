//! A project with two tools, and somebody who may log in to it.

use anyhow::Context as _;
use mxcp::adapters::local_users::hash_password;
use mxcp::adapters::system::SystemEntropy;
use mxcp_actors::model::secret::Secret;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    returns: &'static str,
}

/// Answers one number: what remains of a call when the query is nothing.
pub(crate) const SMALL: Tool = Tool { name: "answer", sql: "SELECT 42 AS answer", returns: "{type: integer}" };
/// Answers a thousand rows.
pub(crate) const LARGE: Tool = Tool {
    name: "rows",
    sql: "SELECT i AS id, 'the name of item ' || i AS name, i * 1.5::DOUBLE AS price, 'city ' || i % 10 AS city \
          FROM range(1000) AS items(i)",
    returns: "{type: array, items: {type: object, properties: {id: {type: integer}, name: {type: string}, \
              price: {type: number}, city: {type: string}}}}",
};

/// Who logs in.
pub(crate) const USERNAME: &str = "ada";

/// The folder of a project; removed in the end.
#[derive(Debug)]
pub(crate) struct Project {
    folder: TempDir,
    pub(crate) password: Secret,
}

impl Project {
    /// Writes its files.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn create() -> anyhow::Result<Self> {
        Self::with("")
    }

    /// The same, which keeps its sessions in a store.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn create_kept() -> anyhow::Result<Self> {
        Self::with("          persistence: {type: sqlite, path: kept/oauth.db}\n")
    }

    fn with(more_of_auth: &str) -> anyhow::Result<Self> {
        let folder = TempDir::new().context("cannot create a folder for the project")?;
        let password = Secret::new("correct horse battery staple");
        let hash = hash_password(&password, &SystemEntropy)?;
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
        std::fs::create_dir(folder.path().join("tools"))?;
        write("mxcp-site.yml", SITE.to_owned())?;
        let config = CONFIG.replace("{username}", USERNAME).replace("{hash}", &hash);
        write("config.yml", format!("{config}{more_of_auth}"))?;
        for Tool { name, sql, returns } in [SMALL, LARGE] {
            let text = TOOL_FILE.replace("{name}", name).replace("{returns}", returns).replace("{sql}", sql);
            write(&format!("tools/{name}.yml"), text)?;
        }
        Ok(Self { folder, password })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn user_configuration(&self) -> PathBuf {
        self.folder.path().join("config.yml")
    }
}

const SITE: &str = "\
mxcp: 1
project: bench
profile: default
profiles:
  default:
    duckdb:
      path: data.duckdb
    audit:
      enabled: true
";

const CONFIG: &str = "\
mxcp: 1
transport:
  http:
    host: 127.0.0.1
projects:
  bench:
    profiles:
      default:
        auth:
          provider: local
          local:
            users:
              - username: {username}
                password_hash: \"{hash}\"
                role: admin
";

const TOOL_FILE: &str = "\
mxcp: 1
tool:
  name: {name}
  description: Answers
  return: {returns}
  source:
    code: \"{sql}\"
";

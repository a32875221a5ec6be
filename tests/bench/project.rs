//! A project with one trivial tool, and somebody who may log in to it.

use anyhow::Context as _;
use mxcp::adapters::local_users::hash_password;
use mxcp::adapters::system::SystemEntropy;
use mxcp_actors::model::secret::Secret;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The tool.
pub(crate) const TOOL: &str = "answer";
/// Its SQL.
pub(crate) const SQL: &str = "SELECT 42 AS answer";
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
        let folder = TempDir::new().context("cannot create a folder for the project")?;
        let password = Secret::new("correct horse battery staple");
        let hash = hash_password(&password, &SystemEntropy)?;
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
        std::fs::create_dir(folder.path().join("tools"))?;
        write("mxcp-site.yml", SITE.to_owned())?;
        write("config.yml", CONFIG.replace("{username}", USERNAME).replace("{hash}", &hash))?;
        write("tools/answer.yml", TOOL_FILE.replace("{name}", TOOL).replace("{sql}", SQL))?;
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
  return: {type: integer}
  source:
    code: {sql}
";

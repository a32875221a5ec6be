//! A project on disk, for the tests of the configuration.

use mxcp::config::{ConfigErrors, Configuration, LoadOptions, load};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// The site file of a project that has nothing to say.
pub(crate) const PLAIN_SITE: &str = "mxcp: 1\nproject: my-project\nprofile: default\n";

/// The hash of a password that nobody knows.
pub(crate) const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$rx2WPSOSJ2lEMgHgkcC1uA$QFARMVgZbgKmaWcEDJBNa6pm1ngq1CEI0APFQ/lct9Q";

/// A project in a folder of its own, which goes when the value is dropped.
pub(crate) struct Project {
    folder: TempDir,
    /// The environment that it is loaded in.
    pub(crate) env: BTreeMap<String, String>,
    /// What the command line says.
    pub(crate) options: LoadOptions,
}

impl Project {
    /// A project whose site file is `site`.
    pub(crate) fn new(site: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LoadOptions { working_directory: folder.path().to_owned(), ..Default::default() };
        let project = Self { folder, env: BTreeMap::new(), options };
        project.write("mxcp-site.yml", site);
        project
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Makes `text` the user configuration.
    pub(crate) fn with_user(mut self, text: &str) -> Self {
        self.write("config.yml", text);
        let path = self.root().join("config.yml").display().to_string();
        self.env.insert("MXCP_CONFIG".to_owned(), path);
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Loads it.
    pub(crate) fn load(&self) -> Result<Configuration, ConfigErrors> {
        load(&self.options, &|name| self.env.get(name).cloned())
    }

    /// What is wrong with it; the folder's own name is replaced by `<root>`.
    pub(crate) fn errors(&self) -> Vec<String> {
        let root = self.root().display().to_string();
        match self.load() {
            Ok(_) => Vec::new(),
            Err(errors) => errors.errors.iter().map(|error| error.to_string().replace(&root, "<root>")).collect(),
        }
    }
}

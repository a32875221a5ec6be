//! What is wrong with a configuration, in words for the person who must repair it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One fault: where it is, and what was expected there.
///
/// It never quotes a value of a file, because the user configuration holds secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, relative to the project's root when it lies below it; `None` for a fault outside of any file.
    pub file: Option<PathBuf>,
    /// The line, counted from 1; `None` when the fault concerns the file as a whole.
    pub line: Option<u32>,
    /// The path of keys that leads to the fault, such as `projects.p.profiles.default.auth`; may be empty.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ConfigError {
    /// A fault that concerns no file.
    #[must_use]
    pub fn general(message: impl Into<String>) -> Self {
        Self { file: None, line: None, key: String::new(), message: message.into() }
    }

    /// A fault that concerns a whole file.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), line: None, key: String::new(), message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Every fault that was found, in the order in which a person would repair them: never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The faults, by file and line.
    pub errors: Vec<ConfigError>,
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self { errors: vec![error] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_file_line_and_key() {
        let error = ConfigError {
            file: Some("mxcp-site.yml".into()),
            line: Some(7),
            key: "profiles.default.duckdb.pth".into(),
            message: "unknown key; did you mean 'path'?".into(),
        };
        assert_eq!(
            error.to_string(),
            "mxcp-site.yml:7: profiles.default.duckdb.pth: unknown key; did you mean 'path'?"
        );
        assert_eq!(ConfigError::general("no file").to_string(), "no file");
        assert_eq!(ConfigError::of_file(Path::new("a.yml"), "is empty").to_string(), "a.yml: is empty");
    }
}

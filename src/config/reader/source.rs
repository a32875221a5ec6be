//! One file while it is read, and what was found in it.

use crate::config::error::ConfigError;
use crate::config::references::References;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// One file while it is read: its name, how its texts are to be understood, and what was found.
pub(in crate::config) struct Source<'a> {
    /// The file as it is named in errors.
    pub(super) file: PathBuf,
    /// Replaces references; `None` where texts mean just what they say.
    pub(super) references: Option<References<'a>>,
    /// What the file says, to point at places in it.
    pub(super) text: Option<String>,
    /// Faults so far.
    faults: RefCell<Vec<ConfigError>>,
    /// Things that deserve a look so far.
    pub(super) warnings: RefCell<Vec<String>>,
    /// Where secrets stand in the file itself.
    pub(super) literal_secrets: RefCell<Vec<String>>,
}

/// What was noted of a file.
pub(in crate::config) struct Notes {
    /// Faults, by line.
    pub(in crate::config) faults: Vec<ConfigError>,
    /// Warnings.
    pub(in crate::config) warnings: Vec<String>,
    /// Where secrets stand in the file itself, as file, line and key.
    pub(in crate::config) literal_secrets: Vec<String>,
}

impl<'a> Source<'a> {
    /// Begins to read `file`, whose texts may hold references if `references` are given.
    pub(in crate::config) fn new(file: &Path, references: Option<References<'a>>) -> Self {
        Self {
            file: file.to_owned(),
            references,
            text: None,
            faults: RefCell::default(),
            warnings: RefCell::default(),
            literal_secrets: RefCell::default(),
        }
    }

    /// The same with what the file says.
    pub(in crate::config) fn with_text(self, text: String) -> Self {
        Self { text: Some(text), ..self }
    }

    /// Notes a fault.
    pub(in crate::config) fn fault(&self, line: u32, key: &str, message: String) {
        let error =
            ConfigError { file: Some(self.file.clone()), line: Some(line.max(1)), key: key.to_owned(), message };
        self.faults.borrow_mut().push(error);
    }

    /// Everything that was noted.
    pub(in crate::config) fn finish(self) -> Notes {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        Notes { faults, warnings: self.warnings.into_inner(), literal_secrets: self.literal_secrets.into_inner() }
    }
}

//! Files of the log that could not be read, so that the others are shown all the same.

use super::AuditFileError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[expect(
    clippy::disallowed_types,
    reason = "segments are read by several threads of one search, which end with it"
)]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

/// What could not be read, each file once.
#[derive(Clone, Debug, Default)]
pub(super) struct Damaged {
    // Locked only when something is wrong, or when all is over.
    #[expect(clippy::disallowed_types, reason = "as above")]
    files: Arc<Mutex<BTreeMap<PathBuf, String>>>,
}

impl Damaged {
    /// Notes why the file at `path` was passed over.
    #[expect(clippy::needless_pass_by_value, reason = "whoever notes an error has no further use for it")]
    pub(super) fn note(&self, path: &Path, error: AuditFileError) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(path.to_owned()).or_insert_with(|| {
            tracing::debug!(file = %path.display(), %error, "passed over a damaged file of the audit log");
            error.to_string()
        });
    }

    /// The same when there is an error.
    pub(super) fn note_any(&self, path: &Path, error: Option<AuditFileError>) {
        if let Some(error) = error {
            self.note(path, error);
        }
    }

    /// What each of them was passed over for, and where it is.
    pub(super) fn told(&self) -> Vec<(PathBuf, String)> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().map(|(path, error)| (path.clone(), error.clone())).collect()
    }
}

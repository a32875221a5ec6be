//! Files that hold secrets: whether they are there, and whether others may read them.

use super::{Finding, Verdict};
use crate::config::Configuration;
use crate::wiring::persistence_settings;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What others may not have on a file of secrets.
const OF_OTHERS: u32 = 0o077;

pub(super) fn check(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(file) = &configuration.user_file {
        findings.push(user_file(file, configuration));
    }
    if let Some(settings) = persistence_settings(configuration) {
        findings.push(private(&settings.path, "the OAuth database"));
        if let Some(key_file) = settings.key_file() {
            findings.push(key(key_file, &settings.path));
        } else {
            findings.push(Finding::skipped(
                "encryption_key",
                "a key is configured; whether it is the database's is seen at the start",
            ));
        }
    }
    findings.extend(audit(configuration));
    findings
}

/// The user configuration may be read by others if all its secrets are elsewhere.
fn user_file(file: &Path, configuration: &Configuration) -> Finding {
    let finding = private(file, "the user configuration");
    if finding.status == Verdict::Error && configuration.literal_secrets.is_empty() {
        return Finding { status: Verdict::Warning, ..finding };
    }
    finding
}

/// The seed of every trouble: a secret that anybody on the machine can read.
fn private(path: &Path, what: &str) -> Finding {
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("{what} {} is not there yet; it will be made for its owner only", path.display());
            return Finding::skipped("file_mode", message);
        }
        Err(error) => {
            let message = format!("{what} {} cannot be looked at: {error}", path.display());
            return Finding::error("file_mode", message, "run this as the user that runs the server");
        }
    };
    let wanted = if path.is_dir() { "700" } else { "600" };
    if mode & OF_OTHERS == 0 {
        return Finding::ok("file_mode", format!("{what} {} has mode {mode:03o}", path.display()));
    }
    let message = format!("{what} {} has mode {mode:03o}: others on this machine may read it", path.display());
    Finding::error("file_mode", message, format!("chmod {wanted} {}", path.display()))
}

fn key(key_file: &Path, store: &Path) -> Finding {
    if key_file.exists() {
        return private(key_file, "the key file");
    }
    if !store.exists() {
        let message = format!("the key file {} will be made with the database", key_file.display());
        return Finding::skipped("encryption_key", message);
    }
    Finding::error(
        "encryption_key",
        format!("the OAuth database {} is there, but its key file {} is not", store.display(), key_file.display()),
        "put the key file back from a backup; without it nothing in the database can be read",
    )
}

fn audit(configuration: &Configuration) -> Option<Finding> {
    let audit = &configuration.audit;
    if !audit.is_enabled {
        return None;
    }
    let folder = audit.path.parent()?;
    match std::fs::metadata(folder) {
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => Some(Finding::warning(
            "file_mode",
            format!("the folder of the audit log {} can be written by others", folder.display()),
            format!("chmod go-w {}", folder.display()),
        )),
        Ok(_) => Some(Finding::ok("file_mode", format!("the audit log is in {}", folder.display()))),
        Err(_) => Some(Finding::skipped(
            "file_mode",
            format!("the folder of the audit log {} is not there yet", folder.display()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn files_of_secrets_are_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oauth.db");
        assert_eq!(private(&file, "it").status, Verdict::Skipped);
        std::fs::write(&file, "").unwrap();
        for (mode, verdict) in
            [(0o600, Verdict::Ok), (0o400, Verdict::Ok), (0o640, Verdict::Error), (0o604, Verdict::Error)]
        {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let finding = private(&file, "it");
            assert_eq!(finding.status, verdict, "{mode:o}");
            assert_eq!(finding.advice.is_some(), verdict == Verdict::Error);
        }
    }

    #[test]
    fn a_database_without_its_key_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (store, key_file) = (folder.path().join("oauth.db"), folder.path().join("oauth.db.key"));
        assert_eq!(key(&key_file, &store).status, Verdict::Skipped);
        std::fs::write(&store, "").unwrap();
        let finding = key(&key_file, &store);
        assert_eq!((finding.check, finding.status), ("encryption_key", Verdict::Error));
    }
}

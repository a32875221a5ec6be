//! `mxcp hash-password`: the hash that stands in the configuration in place of a password.

use super::output::Report;
use crate::adapters::local_users::hash_password;
use crate::adapters::system::SystemEntropy;
use anyhow::{Context as _, anyhow};
use mxcp_actors::model::secret::Secret;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Reads the password from standard input, so that it stands in no shell's history.
pub(super) fn run() -> anyhow::Result<Report> {
    let is_asking = std::io::stdin().is_terminal();
    if is_asking {
        let mut err = std::io::stderr();
        write!(err, "Password (it will show as you type): ")?;
        err.flush()?;
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
    let password = Secret::new(line.trim_end_matches(['\n', '\r']));
    if password.is_empty() {
        return Err(anyhow!(
            "the password is empty; type it, or pipe it in: printf %s 'password' | mxcp hash-password"
        ));
    }
    Ok(Report::text(hash_password(&password, &SystemEntropy)?))
}

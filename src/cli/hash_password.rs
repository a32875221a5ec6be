//! `mxcp hash-password`: the hash that stands in the configuration in place of a password.

use super::output::Report;
use crate::adapters::local_users::hash_password;
use crate::adapters::system::SystemEntropy;
use anyhow::{Context as _, anyhow};
use mxcp_actors::model::secret::Secret;
use std::io::{BufRead as _, IsTerminal as _};

/// Reads the password from the terminal without showing it, or from a pipe: never from an
/// argument, which would stand in the shell's history and in the list of processes.
pub(super) fn run() -> anyhow::Result<Report> {
    let password = if std::io::stdin().is_terminal() { ask()? } else { read_line()? };
    if password.is_empty() {
        return Err(anyhow!(
            "the password is empty; type it, or pipe it in: printf %s 'password' | mxcp hash-password"
        ));
    }
    Ok(Report::text(hash_password(&password, &SystemEntropy)?))
}

fn ask() -> anyhow::Result<Secret> {
    let first = Secret::new(rpassword::prompt_password("Password: ").context("cannot read from the terminal")?);
    let second = Secret::new(rpassword::prompt_password("Again: ").context("cannot read from the terminal")?);
    if first.matches(second.expose()) { Ok(first) } else { Err(anyhow!("the two are not the same")) }
}

fn read_line() -> anyhow::Result<Secret> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
    Ok(Secret::new(line.trim_end_matches(['\n', '\r'])))
}

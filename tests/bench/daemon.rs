//! The daemon, and how long it takes to start.

use super::http::{Connection, Request};
use super::process::Running;
use super::project::Project;
use anyhow::ensure;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// Starts the daemon for `project` on a free port.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start(project: &Project) -> anyhow::Result<Running> {
    start_at(project, 0)
}

/// The same on a given port.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start_at(project: &Project, port: u16) -> anyhow::Result<Running> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxcp"));
    command
        .args(["serve", "--stateless", "--port", &port.to_string()])
        .current_dir(project.folder())
        .env("MXCP_CONFIG", project.user_configuration())
        .stdin(Stdio::null());
    Running::start(&mut command, address_in)
}

/// How long it takes from nothing to the first answer.
///
/// # Errors
/// When it does not come up, or is not well.
pub(crate) async fn time_to_first_answer(project: &Project) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let daemon = start(project)?;
    let status = Connection::open(daemon.address).await?.exchange(&Request::get(daemon.address, "/health")).await?;
    ensure!(status == 200, "the daemon is not well: {status}");
    Ok(started.elapsed())
}

/// Reads where it listens from the lines in which it says so.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split_once("http://")?.1.split('/').next()?.trim().parse().ok()
}

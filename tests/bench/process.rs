//! Processes: starting them, ending them, and what the kernel tells of them.

use anyhow::{Context as _, anyhow};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Linux counts CPU time in hundredths of a second towards programs, whatever it does inside.
const TICK: Duration = Duration::from_millis(10);

/// A server in a process, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Kept open, since a server whose output nobody takes may fail.
    _output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts `command` and waits until it says where it listens, which `find` reads from a line
    /// of its output.
    ///
    /// # Errors
    /// When it ends before it says so.
    pub(crate) fn start(command: &mut Command, find: fn(&str) -> Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start a process")?;
        let mut output = BufReader::new(child.stdout.take().ok_or_else(|| anyhow!("a process without output"))?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some(address) = find(&line) {
                return Ok(Self { child, _output: output, address });
            }
            line.clear();
        }
        Err(anyhow!("a process did not say where it listens; it ended with {}", child.wait()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended by itself.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The CPU time that all threads of a process have used.
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu_time(id: u32) -> anyhow::Result<Duration> {
    let text = read(id, "stat")?;
    // The name in parentheses may hold spaces; user and system time are fields 14 and 15, which
    // are the 12th and 13th behind it.
    let (_, fields) = text.rsplit_once(')').ok_or_else(|| anyhow!("/proc/{id}/stat has no name"))?;
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdings {
    /// Memory in MiB.
    pub(crate) resident: f64,
    /// As far as it is not parts of files, such as the program itself.
    pub(crate) anonymous: f64,
    /// Threads.
    pub(crate) threads: f64,
}

/// Tells what a process holds now.
///
/// # Errors
/// When there is no such process.
pub(crate) fn holdings(id: u32) -> anyhow::Result<Holdings> {
    let text = read(id, "status")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        number.ok_or_else(|| anyhow!("/proc/{id}/status has no {name}"))
    };
    let (resident, anonymous) = (field("VmRSS")? / 1024.0, field("RssAnon")? / 1024.0);
    Ok(Holdings { resident, anonymous, threads: field("Threads")? })
}

fn read(id: u32, file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(format!("/proc/{id}/{file}")).with_context(|| format!("cannot read /proc/{id}/{file}"))
}

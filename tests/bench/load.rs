//! A load: many connections that each send the next request when the last one is answered.

use super::http::{Connection, Request};
use super::process::cpu_time;
use anyhow::ensure;
use futures_util::future::try_join_all;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 16;
/// A load ends then, however far it is.
const TIME_MAX: Duration = Duration::from_secs(20);

/// What is sent where, and what has to come back.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The process that serves it.
    pub(crate) process: u32,
    pub(crate) request: Request,
    pub(crate) status: u16,
}

/// How a load went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Answers in each second.
    pub(crate) per_second: f64,
    /// The server's CPU time for each answer, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Milliseconds in which half of the answers came.
    pub(crate) median_millis: f64,
    /// Milliseconds in which 99 of 100 answers came.
    pub(crate) slow_millis: f64,
}

impl Target {
    /// Sends `count` requests over all connections.
    ///
    /// # Errors
    /// When an answer has another status than expected.
    pub(crate) async fn load(&self, count: usize) -> anyhow::Result<Load> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(self.address).await?);
        }
        let (cpu_before, started) = (cpu_time(self.process)?, Instant::now());
        let each = connections.into_iter().map(|connection| self.send(connection, count / CONNECTIONS, started));
        let mut latencies: Vec<Duration> = try_join_all(each).await?.into_iter().flatten().collect();
        let (elapsed, cpu) = (started.elapsed(), cpu_time(self.process)?.saturating_sub(cpu_before));
        latencies.sort_unstable();
        let answers = as_f64(latencies.len());
        Ok(Load {
            per_second: answers / elapsed.as_secs_f64(),
            cpu_micros: cpu.as_secs_f64() * 1e6 / answers,
            median_millis: millis_of_share(&latencies, 50),
            slow_millis: millis_of_share(&latencies, 99),
        })
    }

    async fn send(&self, mut connection: Connection, count: usize, started: Instant) -> anyhow::Result<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(count);
        let mut sent = started;
        while latencies.len() < count && sent.duration_since(started) < TIME_MAX {
            let status = connection.exchange(&self.request).await?;
            ensure!(status == self.status, "the status {status} instead of {}", self.status);
            let now = Instant::now();
            latencies.push(now.duration_since(sent));
            sent = now;
        }
        Ok(latencies)
    }
}

fn millis_of_share(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
}

/// Counts of a run are far below where this loses anything.
pub(crate) fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

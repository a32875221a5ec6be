//! What answers local programs.

use crate::config::AuditSettings;
use crate::http::admin::{AdminServer, LocalSocket, SocketError};
use anyhow::Context as _;
use mxcp_actors::audit_log::AuditLogHandle;
use std::io;
use tokio::task::JoinHandle;

/// The local socket and its server.
pub(super) struct LocalAnswers {
    admin: AdminServer,
    serving: JoinHandle<io::Result<()>>,
}

impl LocalAnswers {
    /// Opens the local socket, if there is a log to be asked for.
    ///
    /// # Errors
    /// When another server answers there, or something that is no socket is in its place.
    pub(super) fn start(audit: &AuditSettings, log: AuditLogHandle) -> anyhow::Result<Option<Self>> {
        let Some(path) = audit.socket.as_deref().filter(|_| audit.is_enabled) else { return Ok(None) };
        let socket = match LocalSocket::open(path) {
            // Without it people follow the log by its files, so nobody has to be kept waiting for it.
            Err(error @ SocketError::Refused { .. }) => {
                tracing::warn!("{error}");
                return Ok(None);
            }
            socket => socket?,
        };
        let (admin, server) = AdminServer::start(log, socket).context("cannot serve local programs")?;
        Ok(Some(Self { admin, serving: actix_rt::spawn(server) }))
    }

    /// Ends all streams, and the server.
    pub(super) async fn stop(self) {
        self.admin.stop().await;
        if let Ok(Err(error)) = self.serving.await {
            tracing::warn!(%error, "the local socket's server ended with an error");
        }
    }
}

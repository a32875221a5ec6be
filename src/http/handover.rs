//! The last requests of a daemon that stops: their connections end with them, so that clients
//! come back on new ones, which the next daemon takes.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tokio::sync::watch;

/// Changes once: when the daemon begins to stop.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Listens to `is_stopping`.
    #[must_use]
    pub const fn new(is_stopping: watch::Receiver<bool>) -> Self {
        Self(is_stopping)
    }

    /// One atomic load, because every request asks. When nobody is left to say so, it stops too.
    fn is_given(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }
}

/// Tells clients of a stopping daemon not to use the connection again. For
/// [`actix_web::middleware::from_fn`].
///
/// # Errors
/// Those of the inner service.
pub async fn end_connections(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    if response.request().app_data::<web::Data<StopSignal>>().is_some_and(|signal| signal.is_given()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

//! Metadata documents of clients, from wherever their identifiers point to.
//!
//! Strangers choose the URLs, so everything about a fetch has a limit: where it may go (see
//! [`super::outgoing_guard`]), how long it may take, how much is read, and that nothing but JSON is.

mod freshness;

use super::http_client::{HttpClient, HttpClientError, HttpClientSettings, HttpFault};
use super::outgoing_guard::OutgoingGuard;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use mxcp_actors::model::client_id_url::ClientIdUrl;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::client_metadata::{ClientFetchError, ClientMetadataSource, FetchedDocument};
use mxcp_actors::ports::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// The largest document (OAuth Client ID Metadata Document, section 6.6).
pub const DOCUMENT_BYTES_MAX: usize = 5 * 1024;

/// How long a fetch may take: a person is waiting at the browser.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches documents over HTTP.
#[derive(Clone, Debug)]
pub struct HttpClientMetadata {
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl HttpClientMetadata {
    /// Fetches from where `guard` lets requests go.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(guard: OutgoingGuard, clock: Arc<dyn Clock>) -> Result<Self, HttpClientError> {
        Self::with_timeout(guard, clock, TOTAL_TIMEOUT)
    }

    /// The same with another time limit.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn with_timeout(
        guard: OutgoingGuard,
        clock: Arc<dyn Clock>,
        total_timeout: Duration,
    ) -> Result<Self, HttpClientError> {
        let settings = HttpClientSettings {
            connect_timeout: total_timeout,
            total_timeout,
            body_bytes_max: DOCUMENT_BYTES_MAX,
            ..HttpClientSettings::default()
        };
        Ok(Self { http: HttpClient::guarded(&settings, guard)?, clock })
    }

    async fn get(&self, url: &ClientIdUrl) -> Result<FetchedDocument, ClientFetchError> {
        let request = http::Request::get(url.as_str()).header(ACCEPT, "application/json").body(Vec::new());
        let request = request.map_err(|_| ClientFetchError::NoAnswer("the request could not be built"))?;
        let response = self.http.send(request).await.map_err(|fault| {
            tracing::info!(client_id = url.as_str(), %fault, "a client's metadata document could not be fetched");
            no_document(&fault)
        })?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(ClientFetchError::Redirect),
            status => return Err(ClientFetchError::Status(status.as_u16())),
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_json) {
            return Err(ClientFetchError::NotJson);
        }
        let fresh_for = freshness::fresh_for(response.headers(), self.clock.now());
        Ok(FetchedDocument { body: response.into_body(), fresh_for })
    }
}

impl ClientMetadataSource for HttpClientMetadata {
    fn fetch(&self, url: ClientIdUrl) -> PortFuture<'_, Result<FetchedDocument, ClientFetchError>> {
        Box::pin(async move { self.get(&url).await })
    }
}

/// Whether a content type is JSON or a kind of it, such as `application/cimd+json`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || essence.strip_prefix("application/").is_some_and(|kind| kind.ends_with("+json") && kind.len() > 5)
}

/// Why there is no document, without the details, which are not for strangers.
fn no_document(fault: &HttpFault) -> ClientFetchError {
    ClientFetchError::NoAnswer(match fault {
        HttpFault::ForbiddenAddress => return ClientFetchError::ForbiddenAddress,
        HttpFault::TooLarge(max) => return ClientFetchError::TooLarge(*max),
        HttpFault::TimedOut(_) => "its host did not answer in time",
        HttpFault::ConnectionRefused => "its host refused the connection",
        HttpFault::NameNotResolved => "its host name could not be resolved",
        HttpFault::TlsFailed(_) => "the TLS handshake with its host failed",
        HttpFault::ConnectFailed(_) => "its host could not be connected to",
        HttpFault::BrokenOff | HttpFault::Undecodable => "its host did not send a whole answer",
        HttpFault::InvalidRequest => "the request could not be built",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_several_names() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/cimd+json", true),
            ("application/+json", false),
            ("text/json", false),
            ("text/html", false),
            ("application/jsonp", false),
            ("text/html+json", false),
            ("", false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }
}

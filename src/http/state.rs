//! What the handlers share.

use super::audit::AuditViewing;
use super::cookies::Cookies;
use super::oauth::MetadataDocuments;
use super::pages::{Home, Pages};
use super::request_id::RequestId;
use actix_web::HttpRequest;
use mxcp_actors::authorization::Visitor;
use mxcp_actors::handles::Handles;
use mxcp_actors::ports::token_verifier::TokenVerifier;
use std::sync::Arc;

/// Where the tokens come from that calls need.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// None are needed: everybody may call.
    NotNeeded,
    /// From this server, where people sign in.
    ThisServer,
    /// From another issuer, which this server trusts: nobody signs in here.
    OtherIssuer(Arc<dyn TokenVerifier>),
}

impl TokenSource {
    /// Whether calls need a token.
    #[must_use]
    pub const fn needs_token(&self) -> bool {
        !matches!(self, Self::NotNeeded)
    }
}

/// What every handler may use. Shared by all workers.
#[derive(Debug)]
pub struct AppState {
    /// The actors.
    pub handles: Handles,
    /// The pages.
    pub pages: Pages,
    /// What the home page says.
    pub home: Home,
    /// The cookies.
    pub cookies: Cookies,
    /// The metadata documents.
    pub metadata: MetadataDocuments,
    /// Where tokens come from.
    pub tokens: TokenSource,
    /// The audit log's page; `None` when there is none.
    pub audit_viewing: Option<AuditViewing>,
    /// Whether a proxy in front says who calls.
    pub trusts_proxy: bool,
}

impl AppState {
    /// Who asks, as far as the request tells.
    #[must_use]
    pub fn visitor(&self, request: &HttpRequest) -> Visitor {
        Visitor {
            browser: self.cookies.browser(request),
            session: self.cookies.session(request),
            peer: self.peer(request),
            trace_id: RequestId::of(request).map(|id| id.as_str().to_owned()),
            login: None,
        }
    }

    /// The address of the caller. Behind a trusted proxy it is the last one that the proxy
    /// noted: what stands before it the caller may have made up.
    pub(super) fn peer(&self, request: &HttpRequest) -> String {
        if self.trusts_proxy {
            let noted = request.headers().get_all("x-forwarded-for").last().and_then(|value| value.to_str().ok());
            if let Some(address) = noted.and_then(|list| list.rsplit(',').next()) {
                return address.trim().to_owned();
            }
        }
        request.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default()
    }
}

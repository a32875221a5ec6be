//! What authorization works with, and what its flows share.

use super::messages::{LoginError, Visitor};
use crate::audit_log::{AuditError, AuditLogHandle};
use crate::authorization_codes::AuthorizationCodesHandle;
use crate::client_registry::ClientRegistryHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::secret::Secret;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::password_directory::PasswordDirectory;
use crate::ports::upstream_idp::UpstreamIdp;
use crate::sessions::SessionsHandle;
use crate::settings::Settings;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Where people prove who they are.
#[derive(Clone, Debug)]
pub enum LoginMethod {
    /// Authentication is off.
    Off,
    /// At our own login page.
    Password(Arc<dyn PasswordDirectory>),
    /// At an identity provider.
    Provider(Arc<dyn UpstreamIdp>),
}

/// Codes that are redeemed at the same moment take turns by this many queues.
const TURNS: usize = 64;

/// What authorization works with.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) client_registry: ClientRegistryHandle,
    pub(crate) authorization_codes: AuthorizationCodesHandle,
    pub(crate) sessions: SessionsHandle,
    pub(crate) audit_log: AuditLogHandle,
    pub(crate) login_method: LoginMethod,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) turns: Turns,
}

/// Lets attempts at one code go one after the other, from redeeming to tokens: a replay must
/// not end the session between the two, or of twenty attempts none would win.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Mutex::new(())).collect())
    }
}

impl Turns {
    pub(super) async fn take(&self, code: &Secret) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let digits = code.hash().to_hex();
        let queue = digits.get(..4).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0);
        match self.0.get(queue % TURNS) {
            Some(queue) => Some(queue.lock().await),
            None => None,
        }
    }
}

/// The browser's cookie, and whether it is new and must be set.
pub(super) struct Browser {
    pub(super) cookie: Secret,
    pub(super) is_new: bool,
}

impl Browser {
    pub(super) fn to_set(&self) -> Option<Secret> {
        self.is_new.then(|| self.cookie.clone())
    }
}

impl Authorizer {
    /// The browser's cookie; a browser without one gets one.
    pub(super) fn browser(&self, visitor: &Visitor) -> Browser {
        match &visitor.browser {
            Some(cookie) => Browser { cookie: cookie.clone(), is_new: false },
            None => Browser { cookie: self.entropy.token("mxcp_br_"), is_new: true },
        }
    }

    pub(super) fn provider_title(&self) -> String {
        match &self.login_method {
            LoginMethod::Provider(idp) => idp.title().to_owned(),
            LoginMethod::Password(_) | LoginMethod::Off => "this server".to_owned(),
        }
    }

    pub(super) fn provider_scopes(&self) -> Vec<String> {
        match &self.login_method {
            LoginMethod::Provider(idp) => idp.requested_scopes(),
            LoginMethod::Password(_) | LoginMethod::Off => Vec::new(),
        }
    }

    pub(super) async fn record(&self, event: AuditEvent) -> Result<(), AuditError> {
        self.audit_log.record(event).await.map(|_| ())
    }

    pub(super) async fn record_login(
        &self,
        name: &str,
        status: OperationStatus,
        caller: AuditCaller,
        error: Option<String>,
    ) -> Result<(), LoginError> {
        let mut event = AuditEvent::auth(name, status, caller);
        event.error = error;
        Ok(self.record(event).await?)
    }
}

/// A caller that comes by HTTP and is not known yet.
pub(super) fn http_caller(trace_id: Option<&String>) -> AuditCaller {
    AuditCaller { caller_type: "http".to_owned(), trace_id: trace_id.cloned(), ..AuditCaller::default() }
}

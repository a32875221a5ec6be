//! What authorization works with, and what its flows share.

use super::login_methods::LoginMethods;
use super::messages::{LoginError, Visitor};
use super::rules::csrf_token;
use crate::audit_log::{AuditError, AuditLogHandle};
use crate::authorization_codes::AuthorizationCodesHandle;
use crate::client_registry::ClientRegistryHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::grant::{LoginPurpose, PendingLogin};
use crate::model::secret::Secret;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::sessions::SessionsHandle;
use crate::settings::Settings;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Codes that are redeemed at the same moment take turns by this many queues.
const TURNS: usize = 64;

/// What authorization works with.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) client_registry: ClientRegistryHandle,
    pub(crate) authorization_codes: AuthorizationCodesHandle,
    pub(crate) sessions: SessionsHandle,
    pub(crate) audit_log: AuditLogHandle,
    pub(crate) login_methods: LoginMethods,
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

    pub(super) async fn record(&self, event: AuditEvent) -> Result<(), AuditError> {
        self.audit_log.record(event).await.map(|_| ())
    }

    pub(super) async fn record_login(
        &self,
        name: &str,
        status: OperationStatus,
        (caller, visitor): (AuditCaller, &Visitor),
        error: Option<String>,
    ) -> Result<(), LoginError> {
        let mut event = AuditEvent::auth(name, status, caller).with_details(json!({"peer": visitor.peer}));
        event.error = error;
        Ok(self.record(event).await?)
    }
}

/// A caller that comes by HTTP and is not known yet.
pub(super) fn http_caller(trace_id: Option<&String>) -> AuditCaller {
    AuditCaller { caller_type: "http".to_owned(), trace_id: trace_id.cloned(), ..AuditCaller::default() }
}

/// The browser that a form came from, if the form is ours.
pub(super) fn known_browser(visitor: &Visitor, handle: &Secret, csrf: &Secret) -> Result<Browser, LoginError> {
    let cookie = visitor.browser.clone().ok_or(LoginError::OtherBrowser)?;
    let expected = csrf_token(&cookie, handle.expose());
    if expected.is_empty() || !expected.matches(csrf.expose()) {
        return Err(LoginError::Forged);
    }
    Ok(Browser { cookie, is_new: false })
}

pub(super) fn login_caller(login: &PendingLogin, visitor: &Visitor) -> AuditCaller {
    let mut caller = visitor.within(login).caller();
    caller.client_id = login.purpose.request().map(|request| request.client_id.clone());
    caller
}

pub(super) fn redirect_scheme(purpose: &LoginPurpose) -> Option<String> {
    purpose.request().map(|request| request.redirect_uri.scheme().to_owned())
}

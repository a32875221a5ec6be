//! A person's visit of the server's own pages.

use super::flow::{Authorizer, http_caller};
use super::messages::{BeginVisit, BrowserStep, FindVisit, LoginError, SignOut, Visit, VisitError};
use super::rules::csrf_token;
use crate::model::audit_event::{AuditEvent, OperationStatus};
use crate::model::grant::LoginPurpose;
use crate::model::session::EndReason;
use serde_json::json;

/// What the sign-out form's token is made from, beside the cookie.
const SIGN_OUT_FORM: &str = "sign-out";

impl Authorizer {
    pub(super) async fn begin_visit(&self, asked: BeginVisit) -> Result<BrowserStep, LoginError> {
        let browser = self.browser(&asked.visitor);
        let next = self.to_login(LoginPurpose::Visit, &browser, &asked.visitor, None).await?;
        Ok(BrowserStep { next, browser: browser.to_set() })
    }

    pub(super) async fn find_visit(&self, asked: FindVisit) -> Result<Option<Visit>, VisitError> {
        let csrf = csrf_token(&asked.session, SIGN_OUT_FORM);
        let session = self.sessions.find_browser_session(asked.session).await?;
        Ok(session.map(|session| Visit {
            reach: self.sessions.scope_rules().reach(&session.user, None),
            user: session.user,
            csrf,
            expires_at: session.expires_at,
        }))
    }

    pub(super) async fn sign_out(&self, asked: SignOut) -> Result<(), VisitError> {
        let expected = csrf_token(&asked.session, SIGN_OUT_FORM);
        if expected.is_empty() || !expected.matches(asked.csrf.expose()) {
            return Err(VisitError::Forged);
        }
        let Some(session) = self.sessions.find_browser_session(asked.session).await? else { return Ok(()) };
        let mut caller = http_caller(asked.trace_id.as_ref());
        caller.user_id = Some(session.user.id.to_string());
        caller.session_id = Some(session.id.clone());
        if asked.is_everywhere {
            self.sessions.end_user_sessions(session.user.id, EndReason::SignedOut).await?;
        } else {
            self.sessions.end_session(session.id, EndReason::SignedOut).await?;
        }
        let event = AuditEvent::auth("auth.signed_out", OperationStatus::Success, caller)
            .with_details(json!({"everywhere": asked.is_everywhere}));
        Ok(self.record(event).await?)
    }
}

//! A person's visit of the server's own pages.

use super::flow::{Authorizer, http_caller};
use super::messages::{BeginVisit, BrowserStep, FindVisit, LoginError, SignOut, ViewAudit, Viewing, Visit, VisitError};
use super::rules::csrf_token;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::grant::LoginPurpose;
use crate::model::session::{EndReason, Session};
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
        Ok(session.map(|session| {
            let is_audit_viewer = self.is_audit_viewer(&session);
            let reach = self.sessions.scope_rules().reach(&session.user, None);
            Visit { reach, user: session.user, csrf, expires_at: session.expires_at, is_audit_viewer }
        }))
    }

    pub(super) async fn view_audit(&self, asked: ViewAudit) -> Result<Viewing, VisitError> {
        let Some(session) = self.sessions.find_browser_session(asked.session).await? else {
            return Ok(Viewing::SignedOut);
        };
        let caller = visitor_of(&session, asked.visitor.trace_id.as_ref());
        if !self.is_audit_viewer(&session) {
            let refused = AuditEvent::auth("auth.viewer_refused", OperationStatus::Error, caller)
                .with_error("the role is none of audit.viewers")
                .with_details(json!({"role": session.user.role, "peer": asked.visitor.peer}));
            self.record(refused).await?;
            return Ok(Viewing::Refused);
        }
        if let Some(query) = asked.shown {
            let viewed = AuditEvent::auth("auth.audit_viewed", OperationStatus::Success, caller)
                .with_details(json!({"query": query, "peer": asked.visitor.peer}));
            self.record(viewed).await?;
        }
        Ok(Viewing::Allowed)
    }

    fn is_audit_viewer(&self, session: &Session) -> bool {
        session.user.role.as_ref().is_some_and(|role| self.settings.audit_viewers.contains(role))
    }

    pub(super) async fn sign_out(&self, asked: SignOut) -> Result<(), VisitError> {
        let expected = csrf_token(&asked.session, SIGN_OUT_FORM);
        if expected.is_empty() || !expected.matches(asked.csrf.expose()) {
            return Err(VisitError::Forged);
        }
        let Some(session) = self.sessions.find_browser_session(asked.session).await? else { return Ok(()) };
        let caller = visitor_of(&session, asked.trace_id.as_ref());
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

/// Who is signed in with `session`, on our own pages.
fn visitor_of(session: &Session, trace_id: Option<&String>) -> AuditCaller {
    AuditCaller {
        user_id: Some(session.user.id.to_string()),
        session_id: Some(session.id.clone()),
        ..http_caller(trace_id)
    }
}

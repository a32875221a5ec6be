//! `/token` and `/revoke`: from a grant to tokens, and back.

use super::flow::{Authorizer, http_caller};
use super::messages::{RevokeRequest, TokenError, TokenGrant, TokenRequest};
use super::rules::{check_resource, invalid_grant};
use crate::authorization_codes::{RedeemCode, RedeemError};
use crate::client_registry::AuthenticationError;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::client::{Client, ClientCredentials, GrantType};
use crate::model::ids::SessionId;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::session::EndReason;
use crate::model::token::IssuedTokens;
use crate::sessions::RefreshError;
use serde_json::json;

impl Authorizer {
    pub(super) async fn exchange_token(&self, request: TokenRequest) -> Result<IssuedTokens, TokenError> {
        let mut caller = http_caller(request.trace_id.as_ref());
        caller.client_id = Some(request.credentials.client_id.clone());
        let mut login = None;
        let (event, outcome) = match &request.grant {
            TokenGrant::AuthorizationCode { .. } => {
                ("auth.token_issued", self.exchange_code(&request, &mut login).await)
            }
            TokenGrant::RefreshToken { .. } => ("auth.token_refreshed", self.exchange_refresh(&request).await),
        };
        caller = caller.within(login);
        match &outcome {
            Ok(tokens) => {
                caller.session_id = Some(tokens.session_id.clone());
                caller.user_id = Some(tokens.user_id.to_string());
                self.record_grant(event, caller, &tokens.scopes).await?;
            }
            Err(error) => self.record_refusal("auth.token_refused", (caller, &request.peer), error).await?,
        }
        outcome
    }

    /// Records why a client was refused. A failure of our own says nothing about the client.
    async fn record_refusal(
        &self,
        name: &str,
        (caller, peer): (AuditCaller, &str),
        error: &TokenError,
    ) -> Result<(), TokenError> {
        match error {
            TokenError::Refused(error) => {
                let refused =
                    AuditEvent::auth(name, OperationStatus::Error, caller).with_details(json!({"peer": peer}));
                Ok(self.record(refused.with_error(error.to_string())).await?)
            }
            TokenError::NotRecorded(_) | TokenError::Store(_) | TokenError::Unavailable(_) => Ok(()),
        }
    }

    async fn record_grant(&self, name: &str, caller: AuditCaller, scopes: &ScopeSet) -> Result<(), TokenError> {
        let event = AuditEvent::auth(name, OperationStatus::Success, caller);
        Ok(self.record(event.with_details(json!({"scope": scopes.to_string()}))).await?)
    }

    /// The client, if it proves itself, may use `grant` and asks for our audience.
    async fn check_client(&self, request: &TokenRequest, grant: GrantType) -> Result<Client, TokenError> {
        let client = self.authenticate(request.credentials.clone()).await?;
        if !client.may_use(grant) {
            let text = format!("this client is not registered for the grant type {}", grant.as_str());
            return Err(TokenError::Refused(OAuthError::new(OAuthErrorCode::UnauthorizedClient, text)));
        }
        check_resource(&request.resource, &self.settings).map_err(TokenError::Refused)?;
        Ok(client)
    }

    async fn authenticate(&self, credentials: ClientCredentials) -> Result<Client, TokenError> {
        self.client_registry.authenticate_client(credentials).await.map_err(|error| match error {
            AuthenticationError::Failed => {
                let text =
                    "the client is unknown or did not prove itself; register it again if its registration has expired";
                TokenError::Refused(OAuthError::new(OAuthErrorCode::InvalidClient, text))
            }
            AuthenticationError::Assertion(fault) => TokenError::Refused(not_proven(fault.is_passing(), &fault)),
            AuthenticationError::Document(error) => TokenError::Refused(not_proven(error.is_passing(), &error)),
            AuthenticationError::Store(error) => TokenError::Store(error),
            AuthenticationError::Unavailable(error) => TokenError::Unavailable(error),
        })
    }

    /// Says of which `login` the code is as soon as that is known, for the record of what comes of it.
    async fn exchange_code(
        &self,
        request: &TokenRequest,
        login: &mut Option<String>,
    ) -> Result<IssuedTokens, TokenError> {
        let TokenGrant::AuthorizationCode { code, redirect_uri, verifier } = &request.grant else {
            return Err(TokenError::Refused(invalid_grant("not a code")));
        };
        let client = self.check_client(request, GrantType::AuthorizationCode).await?;
        let attempt = RedeemCode {
            code: code.clone(),
            client_id: client.id.clone(),
            redirect_uri: redirect_uri.clone(),
            verifier: verifier.clone(),
        };
        let _turn = self.turns.take(code).await;
        match self.authorization_codes.redeem_code(attempt).await {
            Ok(code) => {
                *login = code.trace_id;
                let with_refresh = client.may_use(GrantType::RefreshToken);
                Ok(self.sessions.issue_tokens(code.session_id, with_refresh).await?)
            }
            Err(RedeemError::AlreadyRedeemed { session_id, trace_id }) => {
                *login = trace_id;
                self.take_back(session_id).await
            }
            Err(RedeemError::Invalid) => {
                Err(TokenError::Refused(invalid_grant("the code is not valid or has expired")))
            }
            Err(RedeemError::Mismatch { what, trace_id }) => {
                let text = format!("the code does not belong to this request: {what} differs");
                *login = trace_id;
                Err(TokenError::Refused(invalid_grant(text)))
            }
            Err(RedeemError::Store(error)) => Err(TokenError::Store(error)),
            Err(RedeemError::Unavailable(error)) => Err(TokenError::Unavailable(error)),
        }
    }

    /// Somebody redeems a code for the second time: whoever was first may have stolen it, so
    /// what it gave is taken back (OAuth 2.1 section 4.1.3).
    async fn take_back(&self, session_id: SessionId) -> Result<IssuedTokens, TokenError> {
        self.sessions.end_session(session_id, EndReason::CodeReplayed).await?;
        let text = "the code was already redeemed; the tokens that it gave have been revoked";
        Err(TokenError::Refused(invalid_grant(text)))
    }

    async fn exchange_refresh(&self, request: &TokenRequest) -> Result<IssuedTokens, TokenError> {
        let TokenGrant::RefreshToken { token, scope } = &request.grant else {
            return Err(TokenError::Refused(invalid_grant("not a refresh token")));
        };
        let client = self.check_client(request, GrantType::RefreshToken).await?;
        let scopes = scope.as_deref().map(parse_scope).transpose().map_err(TokenError::Refused)?;
        self.refresh(token.clone(), client, scopes).await
    }

    async fn refresh(
        &self,
        token: Secret,
        client: Client,
        scopes: Option<ScopeSet>,
    ) -> Result<IssuedTokens, TokenError> {
        self.sessions.refresh_tokens(token, client, scopes).await.map_err(|error| match error {
            RefreshError::Invalid => TokenError::Refused(invalid_grant(
                "Token expired: the refresh token is not valid any more; log in again",
            )),
            RefreshError::Replayed => TokenError::Refused(invalid_grant(
                "the refresh token was replaced before; the session has been ended, log in again",
            )),
            RefreshError::ScopeTooWide => {
                let text = "a refresh may only narrow the scope";
                TokenError::Refused(OAuthError::new(OAuthErrorCode::InvalidScope, text))
            }
            RefreshError::NothingLeft => {
                let text = "the person is not entitled to any of this scope any more";
                TokenError::Refused(OAuthError::new(OAuthErrorCode::InvalidScope, text))
            }
            RefreshError::Store(error) => TokenError::Store(error),
            RefreshError::Unavailable(error) => TokenError::Unavailable(error),
        })
    }

    pub(super) async fn revoke_token(&self, request: RevokeRequest) -> Result<(), TokenError> {
        let mut caller = http_caller(request.trace_id.as_ref());
        caller.client_id = Some(request.credentials.client_id.clone());
        let client = self.authenticate(request.credentials).await;
        if let Err(error) = &client {
            self.record_refusal("auth.revocation_refused", (caller.clone(), &request.peer), error).await?;
        }
        let client = client?;
        // A token that does not exist, or is another client's, is as good as revoked (RFC 7009
        // section 2.2).
        if let Some(session) = self.sessions.revoke_token(request.token, client.id.clone()).await? {
            caller.user_id = Some(session.user.id.to_string());
            caller.session_id = Some(session.id);
            self.record(AuditEvent::auth("auth.token_revoked", OperationStatus::Success, caller)).await?;
        }
        Ok(())
    }
}

/// A client whose metadata document or keys cannot be had right now is told to come back, and not
/// that it is unknown: clients that are told so throw away what they have.
fn not_proven(is_passing: bool, why: &dyn std::fmt::Display) -> OAuthError {
    let code = if is_passing { OAuthErrorCode::TemporarilyUnavailable } else { OAuthErrorCode::InvalidClient };
    OAuthError::new(code, why.to_string())
}

fn parse_scope(text: &str) -> Result<ScopeSet, OAuthError> {
    let invalid = || OAuthError::new(OAuthErrorCode::InvalidScope, "scope holds a forbidden character");
    ScopeSet::parse(text).ok_or_else(invalid)
}

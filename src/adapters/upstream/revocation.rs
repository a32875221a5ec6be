//! The revocation endpoint of a provider (RFC 7009).

use super::error::{check_status, clean_code, clean_text, no_answer, unusable};
use super::form::{ClientCredentials, post_form};
use crate::adapters::http_client::HttpClient;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{RevocationResult, UpstreamError};
use oauth2::AuthType;
use serde::Deserialize;
use url::Url;

/// What kind of token is to be revoked, for the hint (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    /// A refresh token.
    Refresh,
    /// An access token.
    Access,
}

impl TokenKind {
    const fn hint(self) -> &'static str {
        match self {
            Self::Refresh => "refresh_token",
            Self::Access => "access_token",
        }
    }
}

/// A provider's revocation endpoint, and who we are there: the same as at its token endpoint.
#[derive(Debug)]
pub(super) struct RevocationEndpoint<'a> {
    /// Carries the requests.
    pub(super) http: &'a HttpClient,
    /// The provider's name, for errors.
    pub(super) provider: &'a str,
    /// Where it is.
    pub(super) url: &'a Url,
    /// Our identifier.
    pub(super) client_id: &'a str,
    /// Our secret; empty when the provider gave none.
    pub(super) client_secret: &'a Secret,
    /// Whether identifier and secret travel in the header or in the body.
    pub(super) auth_type: &'a AuthType,
}

/// An error answer of RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl RevocationEndpoint<'_> {
    /// Revokes the tokens of a login, the refresh token first: while it works it gives new access
    /// tokens. The access token is named as well, because not every provider ends it with the
    /// other (RFC 7009 section 2.1).
    ///
    /// # Errors
    /// As for [`Self::revoke`].
    pub(super) async fn revoke_both(&self, tokens: &UpstreamTokens) -> Result<RevocationResult, UpstreamError> {
        let refresh = match &tokens.refresh_token {
            Some(token) => self.revoke(token, TokenKind::Refresh).await?,
            None => RevocationResult::NotOffered,
        };
        let access = self.revoke(&tokens.access_token, TokenKind::Access).await?;
        Ok(if refresh == RevocationResult::Revoked { refresh } else { access })
    }

    /// Revokes `token`. One that is not valid any more is as good as revoked.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal or of no use.
    async fn revoke(&self, token: &Secret, kind: TokenKind) -> Result<RevocationResult, UpstreamError> {
        let request = self
            .prepare(token, kind)
            .ok_or_else(|| unusable(self.provider, "the request that revokes a token could not be built"))?;
        let response = self.http.send(request).await.map_err(|fault| no_answer(self.provider, "revocation", &fault))?;
        check_status(self.provider, "revocation", &response)?;
        if response.status().is_success() {
            return Ok(RevocationResult::Revoked);
        }
        let Ok(refusal) = serde_json::from_slice::<Refusal>(response.body()) else {
            let detail = format!("the revocation endpoint answered with status {}", response.status().as_u16());
            return Err(unusable(self.provider, detail));
        };
        match refusal.error.as_str() {
            // Such a token deserves a 200 (section 2.2), but not every provider has read that far.
            "invalid_token" | "invalid_grant" => Ok(RevocationResult::Revoked),
            "unsupported_token_type" => Ok(RevocationResult::NotOffered),
            _ => Err(self.refused(&refusal, token)),
        }
    }

    fn refused(&self, refusal: &Refusal, token: &Secret) -> UpstreamError {
        let sent = [token, self.client_secret];
        UpstreamError::Refused {
            provider: self.provider.to_owned(),
            error: clean_text(&clean_code(&refusal.error), &sent),
            detail: refusal.error_description.as_deref().map(|text| clean_text(text, &sent)),
        }
    }

    fn prepare(&self, token: &Secret, kind: TokenKind) -> Option<http::Request<Vec<u8>>> {
        let Self { url, client_id: id, client_secret: secret, auth_type, .. } = *self;
        let fields = [("token", token.expose()), ("token_type_hint", kind.hint())];
        post_form(url, ClientCredentials { id, secret, auth_type }, &fields)
    }
}

//! Who has signed in: what the provider says in its tokens and at its userinfo endpoint.

use super::discovery::Metadata;
use super::id_token::{Expected, IdTokenFault};
use super::signed_token::{Claims, SignedToken, TokenFault};
use super::{OidcIdp, access_token, id_token, profile};
use crate::adapters::upstream::api::{JsonRequest, get_json};
use crate::adapters::upstream::error::unusable;
use crate::adapters::upstream::token::TokenAnswer;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde_json::Value;

/// Why a token is not believed.
#[derive(Debug, thiserror::Error)]
enum Doubt {
    /// It is not as it must be.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// It is not the `id_token` of this login.
    #[error(transparent)]
    IdToken(#[from] IdTokenFault),
    /// There are no keys to check it with.
    #[error(transparent)]
    Keys(#[from] UpstreamError),
}

impl OidcIdp {
    /// Tells who it is, from the tokens of a login.
    pub(super) async fn identify(
        &self,
        metadata: &Metadata,
        answer: &TokenAnswer,
        nonce: &Secret,
    ) -> Result<User, UpstreamError> {
        let claims = self.read_id_token(metadata, answer, nonce).await.map_err(|doubt| match doubt {
            Doubt::Token(fault) => unusable(&self.name, IdTokenFault::from(fault).to_string()),
            Doubt::IdToken(fault) => unusable(&self.name, fault.to_string()),
            Doubt::Keys(error) => error,
        })?;
        let subject = subject_of(&claims).to_owned();
        let userinfo = self.fetch_userinfo(metadata, answer, &subject).await?;
        let mut claims = profile::merge(claims, userinfo);
        self.add_access_token_claims(metadata, answer, &subject, &mut claims).await;
        let mut user = profile::user(&self.name, &subject, claims);
        self.flavour.complete(&mut user);
        Ok(user)
    }

    async fn read_id_token(&self, metadata: &Metadata, answer: &TokenAnswer, nonce: &Secret) -> Result<Claims, Doubt> {
        let text = answer.id_token.as_ref().ok_or(IdTokenFault::Missing)?;
        let token = id_token::read(text, &metadata.algorithms)?;
        let claims = self.verify_signature(metadata, &token).await?;
        let expected = Expected {
            issuer: &metadata.issuer,
            issuer_alias: self.flavour.issuer_alias(&metadata.issuer),
            client_id: &self.settings.client_id,
            nonce,
            access_token: answer.access_token(),
            now: self.clock.now(),
        };
        id_token::check(&token, &claims, &expected)?;
        Ok(claims)
    }

    /// Checks the `id_token` of a refresh, if there is one. Keys that cannot be had are no reason to
    /// throw tokens away which the provider will not give again: they came from its own endpoint.
    pub(super) async fn check_refreshed(
        &self,
        metadata: &Metadata,
        answer: &TokenAnswer,
        subject: &str,
    ) -> Result<(), UpstreamError> {
        match self.judge_refreshed(metadata, answer, subject).await {
            Ok(()) => Ok(()),
            Err(Doubt::Keys(error)) => {
                tracing::warn!(provider = self.name, %error, "the id_token of a refresh could not be checked");
                Ok(())
            }
            Err(doubt) => Err(unusable(&self.name, format!("asked for tokens again: {doubt}"))),
        }
    }

    async fn judge_refreshed(&self, metadata: &Metadata, answer: &TokenAnswer, subject: &str) -> Result<(), Doubt> {
        let Some(text) = &answer.id_token else { return Ok(()) };
        let token = id_token::read(text, &metadata.algorithms)?;
        let claims = self.verify_signature(metadata, &token).await?;
        let alias = self.flavour.issuer_alias(&metadata.issuer);
        id_token::check_party(&claims, (&metadata.issuer, alias), &self.settings.client_id)?;
        if subject_of(&claims) == subject { Ok(()) } else { Err(IdTokenFault::WrongSubject.into()) }
    }

    async fn verify_signature(&self, metadata: &Metadata, token: &SignedToken<'_>) -> Result<Claims, Doubt> {
        Ok(self.keys.verify(self.key_source(metadata), token).await??)
    }

    /// Adds what only the access token says. One that cannot be read or checked says nothing, and
    /// is no reason to refuse the person: whether it is a JWT at all is the provider's affair.
    async fn add_access_token_claims(
        &self,
        metadata: &Metadata,
        answer: &TokenAnswer,
        subject: &str,
        claims: &mut Claims,
    ) {
        let names = self.flavour.access_token_claims();
        if names.is_empty() {
            return;
        }
        match self.read_access_token(metadata, answer, subject).await {
            Ok(more) => profile::add(claims, more, names),
            Err(doubt) => tracing::debug!(provider = self.name, ?doubt, "no claims are read from the access token"),
        }
    }

    async fn read_access_token(
        &self,
        metadata: &Metadata,
        answer: &TokenAnswer,
        subject: &str,
    ) -> Result<Claims, Doubt> {
        let token = access_token::read(answer.access_token(), &metadata.algorithms)?;
        let claims = self.verify_signature(metadata, &token).await?;
        let (issuer, client_id) = (metadata.issuer.as_str(), self.settings.client_id.as_str());
        let expected = access_token::Expected { issuer, subject, client_id, now: self.clock.now() };
        access_token::check(&claims, &expected)?;
        Ok(claims)
    }

    /// Fetches more claims where the provider has an endpoint for them. They count only if they
    /// are about the same person (OpenID Connect Core section 5.3.2).
    async fn fetch_userinfo(
        &self,
        metadata: &Metadata,
        answer: &TokenAnswer,
        subject: &str,
    ) -> Result<Option<Claims>, UpstreamError> {
        let Some(url) = &metadata.userinfo_endpoint else {
            return Ok(None);
        };
        let request = JsonRequest {
            provider: &self.name,
            what: "the user's profile",
            url: url.as_str(),
            bearer: Some(answer.access_token()),
            headers: &[],
        };
        let Value::Object(claims) = get_json(&self.http, &request).await? else {
            return Err(unusable(&self.name, "the user's profile is not a JSON object"));
        };
        if subject_of(&claims) != subject {
            return Err(unusable(&self.name, "the user's profile is about somebody else than the id_token"));
        }
        Ok(Some(claims))
    }
}

fn subject_of(claims: &Claims) -> &str {
    claims.get("sub").and_then(Value::as_str).unwrap_or_default()
}

//! An identity provider that exists only in the test.

use super::samples::{upstream_tokens, user};
use crate::model::grant::SignedIn;
use crate::model::pkce::CodeChallenge;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::token::UpstreamTokens;
use crate::ports::PortFuture;
use crate::ports::clock::Clock;
use crate::ports::upstream_idp::{
    ProviderEndpoint, RevocationReach, RevocationResult, UpstreamAuthorization, UpstreamError, UpstreamExchange,
    UpstreamIdp,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a request to the provider takes.
const REQUEST: Duration = Duration::from_millis(200);
/// How long its access tokens work.
const TOKEN: Duration = Duration::from_secs(3_600);

/// What it does when it is asked to revoke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Revocation {
    #[default]
    OfTokens,
    OfGrants,
    NotOffered,
    NeverAnswered,
}

#[derive(Debug, Default)]
struct State {
    challenges: Vec<(CodeChallenge, Secret)>,
    refreshed_with: Vec<String>,
    failures: Vec<UpstreamError>,
    refused: Option<&'static str>,
    is_keeping_refresh_tokens: bool,
    revoked: Vec<String>,
    revocation: Revocation,
    missing_scopes: ScopeSet,
    count: usize,
}

/// Signs in whoever the code names: `code-of-ada` is ada's. Every token that it gives out is
/// numbered.
#[derive(Debug)]
pub struct FakeIdp {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl FakeIdp {
    /// A provider whose tokens end by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Makes the next request fail; several fail in the order of telling.
    pub fn fail_next(&self, error: UpstreamError) {
        self.state.lock().unwrap().failures.push(error);
    }

    /// From now on refresh tokens that start so are refused, always.
    pub fn refuse(&self, prefix: &'static str) {
        self.state.lock().unwrap().refused = Some(prefix);
    }

    /// From now on a refresh gives no new refresh token.
    pub fn keep_refresh_tokens(&self) {
        self.state.lock().unwrap().is_keeping_refresh_tokens = true;
    }

    /// The refresh tokens that were shown, in order.
    #[must_use]
    pub fn refreshed_with(&self) -> Vec<String> {
        self.state.lock().unwrap().refreshed_with.clone()
    }

    /// From now on a revocation may reach beyond the tokens that it names.
    pub fn revoke_whole_grants(&self) {
        self.state.lock().unwrap().revocation = Revocation::OfGrants;
    }

    /// From now on people keep these scopes from us.
    pub fn withhold(&self, scopes: &str) {
        self.state.lock().unwrap().missing_scopes = ScopeSet::parse(scopes).unwrap_or_default();
    }

    /// From now on nothing can be revoked.
    pub fn offer_no_revocation(&self) {
        self.state.lock().unwrap().revocation = Revocation::NotOffered;
    }

    /// From now on a revocation is never answered.
    pub fn hang(&self) {
        self.state.lock().unwrap().revocation = Revocation::NeverAnswered;
    }

    /// The access tokens that were to be revoked, in order.
    #[must_use]
    pub fn revoked(&self) -> Vec<String> {
        self.state.lock().unwrap().revoked.clone()
    }

    /// A provider that is down for a moment.
    #[must_use]
    pub fn faulty() -> UpstreamError {
        UpstreamError::Faulty { provider: "fake".to_owned(), what: "tokens", status: 503 }
    }

    /// A provider that has ended the grant.
    #[must_use]
    pub fn invalid_grant() -> UpstreamError {
        UpstreamError::InvalidGrant { provider: "fake".to_owned(), detail: "revoked".to_owned() }
    }

    async fn answer(&self) -> Result<(), UpstreamError> {
        tokio::time::sleep(REQUEST).await;
        let mut state = self.state.lock().unwrap();
        if state.failures.is_empty() { Ok(()) } else { Err(state.failures.remove(0)) }
    }

    fn tokens(&self, is_first: bool) -> UpstreamTokens {
        let mut state = self.state.lock().unwrap();
        state.count += 1;
        let (access, refresh) = (format!("upstream-at-{}", state.count), format!("upstream-rt-{}", state.count));
        let refresh = (is_first || !state.is_keeping_refresh_tokens).then_some(refresh.as_str());
        let expires_at: Timestamp = self.clock.now() + TOKEN;
        upstream_tokens(&access, refresh, Some(expires_at))
    }
}

impl UpstreamIdp for FakeIdp {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn title(&self) -> &'static str {
        "Fake"
    }

    fn requested_scopes(&self) -> Vec<String> {
        vec!["profile".to_owned()]
    }

    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>> {
        Box::pin(std::future::ready(Ok(vec![ProviderEndpoint::new("login page", "https://fake.example.com/login")])))
    }

    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>> {
        Box::pin(async move {
            let mut state = self.state.lock().unwrap();
            if !state.failures.is_empty() {
                return Err(state.failures.remove(0));
            }
            state.challenges.push((request.challenge, request.nonce));
            Ok(format!("https://idp.example.com/authorize?state={}", request.state.expose()))
        })
    }

    fn exchange(&self, request: UpstreamExchange) -> PortFuture<'_, Result<SignedIn, UpstreamError>> {
        Box::pin(async move {
            self.answer().await?;
            let is_ours = self.state.lock().unwrap().challenges.iter().any(|(challenge, nonce)| {
                challenge.accepts(&request.verifier) && nonce.matches(request.nonce.expose())
            });
            let username = request.code.expose().strip_prefix("code-of-").filter(|_| is_ours);
            let username = username.ok_or_else(Self::invalid_grant)?.to_owned();
            let missing_scopes = self.state.lock().unwrap().missing_scopes.clone();
            Ok(SignedIn { user: user(&username), upstream: Some(self.tokens(true)), missing_scopes })
        })
    }

    fn refresh(
        &self,
        refresh_token: Secret,
        _subject: String,
    ) -> PortFuture<'_, Result<UpstreamTokens, UpstreamError>> {
        Box::pin(async move {
            self.state.lock().unwrap().refreshed_with.push(refresh_token.expose().to_owned());
            self.answer().await?;
            let refused = self.state.lock().unwrap().refused;
            if refused.is_some_and(|prefix| refresh_token.expose().starts_with(prefix)) {
                let (provider, error) = ("fake".to_owned(), "unauthorized_client".to_owned());
                return Err(UpstreamError::Refused { provider, error, detail: None });
            }
            Ok(self.tokens(false))
        })
    }

    fn revocation_reach(&self) -> RevocationReach {
        if self.state.lock().unwrap().revocation == Revocation::OfGrants {
            RevocationReach::Grant
        } else {
            RevocationReach::Tokens
        }
    }

    fn revoke(&self, tokens: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>> {
        Box::pin(async move {
            let revocation = self.state.lock().unwrap().revocation;
            if revocation == Revocation::NotOffered {
                return Ok(RevocationResult::NotOffered);
            }
            self.state.lock().unwrap().revoked.push(tokens.access_token.expose().to_owned());
            if revocation == Revocation::NeverAnswered {
                std::future::pending::<()>().await;
            }
            self.answer().await?;
            Ok(RevocationResult::Revoked)
        })
    }
}

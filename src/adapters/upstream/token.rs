//! The token endpoint of a provider: redeeming codes and refreshing tokens.
//!
//! The `oauth2` crate writes the requests (RFC 6749 sections 4.1.3 and 6, client authentication
//! of section 2.3.1) and reads the answers. What it does not know is settled before it sees an
//! answer: faults of the server, and errors that come with status 200.

use super::error::{check_status, clean_code, clean_text, no_answer, unusable};
use super::scopes::{self, Included};
use super::settings::UpstreamApp;
use crate::adapters::http_client::HttpClient;
use http::StatusCode;
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use oauth2::basic::{BasicErrorResponse, BasicTokenType};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, StandardRevocableToken, StandardTokenResponse,
    TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The longest lifetime that is believed, so that adding it to a time cannot overflow.
const LIFETIME_MAX: Duration = Duration::from_hours(10 * 366 * 24);

type TokenBody = StandardTokenResponse<MoreFields, BasicTokenType>;
type TokenFault = RequestTokenError<UpstreamError, BasicErrorResponse>;
type TokenClient = oauth2::Client<
    BasicErrorResponse,
    TokenBody,
    oauth2::basic::BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What is added to a token answer.
#[derive(Debug, Serialize, Deserialize)]
struct MoreFields {
    /// By OpenID Connect (OpenID Connect Core section 3.1.3.3).
    id_token: Option<Secret>,
    /// By Salesforce: the server that the person's organization is on. Another provider may give
    /// the name another meaning and type, and so it is with `id`.
    instance_url: Option<Value>,
    /// By Salesforce: the address at which the person is described.
    id: Option<Value>,
}

impl ExtraTokenFields for MoreFields {}

/// How a provider's token endpoint differs from RFC 6749.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// What stands between two granted scopes.
    pub(super) scope_separators: &'static [char],
    /// Error codes that mean `invalid_grant`, besides itself.
    pub(super) invalid_grant_codes: &'static [&'static str],
    /// Descriptions that mean `invalid_grant`, whatever code they come with.
    pub(super) invalid_grant_descriptions: &'static [&'static str],
    /// Whether an answer may leave out `token_type`, which is then `bearer`.
    pub(super) may_omit_token_type: bool,
    /// Scopes that come with others, so that they are not missed.
    pub(super) included_scopes: &'static [Included],
}

/// The plain protocol.
pub(super) const STANDARD: Dialect = Dialect {
    scope_separators: &[' '],
    invalid_grant_codes: &[],
    invalid_grant_descriptions: &[],
    may_omit_token_type: false,
    included_scopes: &[],
};

/// Who we are at a token endpoint.
#[derive(Debug)]
pub(super) struct TokenClientSettings<'a> {
    /// The provider's name, for errors.
    pub(super) provider: &'a str,
    /// The endpoint.
    pub(super) token_url: &'a Url,
    /// Our identifier.
    pub(super) client_id: &'a str,
    /// Our secret; empty when the provider gave none.
    pub(super) client_secret: &'a Secret,
    /// Whether identifier and secret travel in the header or in the body.
    pub(super) auth_type: AuthType,
    /// Where the code was sent to.
    pub(super) redirect_uri: &'a str,
    /// The scopes that we ask for: granted, unless the answer says otherwise.
    pub(super) requested_scope: &'a str,
    /// The provider's peculiarities.
    pub(super) dialect: Dialect,
}

/// A provider's token endpoint.
pub(super) struct TokenEndpoint<'a> {
    client: TokenClient,
    wire: Wire<'a>,
    settings: TokenClientSettings<'a>,
}

/// What a token endpoint answered.
#[derive(Debug)]
pub(super) struct TokenAnswer {
    access_token: Secret,
    refresh_token: Option<Secret>,
    expires_in: Option<Duration>,
    scope: ScopeSet,
    missing_scopes: ScopeSet,
    /// The identity token, when there is one.
    pub(super) id_token: Option<Secret>,
    /// Salesforce's server of the person's organization, as it stands in the answer.
    pub(super) instance_url: Option<String>,
    /// Salesforce's address of the person, as it stands in the answer.
    pub(super) identity_url: Option<String>,
}

impl TokenAnswer {
    /// The access token.
    pub(super) fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// The scopes that the access token has.
    pub(super) fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The tokens as they are kept, with the time counted from `received_at`.
    pub(super) fn into_tokens(self, received_at: Timestamp) -> UpstreamTokens {
        UpstreamTokens {
            access_token: self.access_token,
            refresh_token: self.refresh_token,
            expires_at: self.expires_in.map(|lifetime| received_at + lifetime.min(LIFETIME_MAX)),
            scope: self.scope,
        }
    }

    /// The outcome of a login. It goes on with less than was asked for, because people may choose
    /// at some providers; what needs the rest will fail, and the log says why.
    pub(super) fn into_signed_in(mut self, user: User, received_at: Timestamp) -> SignedIn {
        let missing_scopes = std::mem::take(&mut self.missing_scopes);
        if !missing_scopes.is_empty() {
            let (provider, user) = (&user.provider, &user.id);
            tracing::warn!(%provider, %user, missing = %missing_scopes, "fewer scopes were granted than asked for");
        }
        SignedIn { user, upstream: Some(self.into_tokens(received_at)), missing_scopes }
    }

    /// Keeps `old` when the provider gave no new refresh token (RFC 6749 section 6).
    pub(super) fn or_refresh_token(mut self, old: Secret) -> Self {
        self.refresh_token.get_or_insert(old);
        self
    }
}

impl<'a> TokenEndpoint<'a> {
    /// Prepares to speak to a token endpoint.
    pub(super) fn new(http: &'a HttpClient, settings: TokenClientSettings<'a>) -> Result<Self, UpstreamError> {
        let invalid = |what: &str| unusable(settings.provider, format!("the configured {what} is not a URL"));
        let redirect_uri = RedirectUrl::new(settings.redirect_uri.to_owned()).map_err(|_| invalid("redirect URI"))?;
        let mut client = oauth2::Client::new(ClientId::new(settings.client_id.to_owned()))
            .set_token_uri(TokenUrl::from_url(settings.token_url.clone()))
            .set_redirect_uri(redirect_uri)
            .set_auth_type(settings.auth_type.clone());
        if !settings.client_secret.is_empty() {
            client = client.set_client_secret(ClientSecret::new(settings.client_secret.expose().to_owned()));
        }
        let wire = Wire { http, provider: settings.provider, dialect: settings.dialect };
        Ok(Self { client, wire, settings })
    }

    /// The same for an app whose secret travels in the body.
    pub(super) fn of_app(
        http: &'a HttpClient,
        provider: &'a str,
        app: &'a UpstreamApp,
        token_url: &'a Url,
        dialect: Dialect,
    ) -> Result<Self, UpstreamError> {
        let settings = TokenClientSettings {
            provider,
            token_url,
            client_id: &app.client_id,
            client_secret: &app.client_secret,
            auth_type: AuthType::RequestBody,
            redirect_uri: &app.redirect_uri,
            requested_scope: &app.scope,
            dialect,
        };
        Self::new(http, settings)
    }

    /// Redeems a code, with the verifier of our own PKCE unless the provider cannot take it.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal or of no use.
    pub(super) async fn redeem(&self, code: &Secret, verifier: Option<&Secret>) -> Result<TokenAnswer, UpstreamError> {
        let mut request = self.client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        }
        let answer = request.request_async(&self.wire).await;
        let sent = [code, verifier.unwrap_or(self.settings.client_secret), self.settings.client_secret];
        self.read(answer, &sent)
    }

    /// Gets new tokens; the answer holds `refresh_token` again when the provider gave no new one.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal or of no use.
    pub(super) async fn refresh(&self, refresh_token: Secret) -> Result<TokenAnswer, UpstreamError> {
        let sent = RefreshToken::new(refresh_token.expose().to_owned());
        let request = self.client.exchange_refresh_token(&sent);
        let answer = request.request_async(&self.wire).await;
        let answer = self.read(answer, &[&refresh_token, self.settings.client_secret])?;
        Ok(answer.or_refresh_token(refresh_token))
    }

    fn read(&self, answer: Result<TokenBody, TokenFault>, sent: &[&Secret]) -> Result<TokenAnswer, UpstreamError> {
        let body = answer.map_err(|fault| self.explain(fault, sent))?;
        let unusable = |detail: &str| unusable(self.settings.provider, detail);
        if *body.token_type() != BasicTokenType::Bearer {
            return Err(unusable("the access token is not a bearer token"));
        }
        if body.access_token().secret().is_empty() {
            return Err(unusable("the access token is empty"));
        }
        let (scope, refresh_token) = (self.granted_scope(&body), refresh_token(&body));
        let id_token = body.extra_fields().id_token.clone();
        let effects = [id_token.as_ref().map(|_| "openid"), refresh_token.as_ref().map(|_| "offline_access")];
        let effects: Vec<&str> = effects.into_iter().flatten().collect();
        let included = self.settings.dialect.included_scopes;
        Ok(TokenAnswer {
            access_token: Secret::new(body.access_token().secret().as_str()),
            expires_in: body.expires_in(),
            missing_scopes: scopes::missing(self.settings.requested_scope, &scope, included, &effects),
            refresh_token,
            scope,
            id_token,
            instance_url: text(body.extra_fields().instance_url.as_ref()),
            identity_url: text(body.extra_fields().id.as_ref()),
        })
    }

    fn granted_scope(&self, body: &TokenBody) -> ScopeSet {
        let separators = self.settings.dialect.scope_separators;
        let split = |text: &str| -> Vec<String> {
            text.split(separators).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        };
        match body.scopes() {
            Some(scopes) => scopes.iter().flat_map(|scope| split(scope)).collect(),
            // Left out, it is what was asked for (RFC 6749 section 5.1).
            None => self.settings.requested_scope.split_ascii_whitespace().collect(),
        }
    }

    fn explain(&self, fault: TokenFault, sent: &[&Secret]) -> UpstreamError {
        match fault {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(refusal) => self.explain_refusal(&refusal, sent),
            // The parser's own error could quote a token.
            RequestTokenError::Parse(error, _) if error.inner().is_data() => {
                unusable(self.settings.provider, "a field of the token answer is missing or has the wrong type")
            }
            RequestTokenError::Parse(..) => unusable(self.settings.provider, "the token answer is not JSON"),
            RequestTokenError::Other(text) => unusable(self.settings.provider, clean_text(&text, sent)),
        }
    }

    fn explain_refusal(&self, refusal: &BasicErrorResponse, sent: &[&Secret]) -> UpstreamError {
        let provider = self.settings.provider.to_owned();
        let code = refusal.error().as_ref();
        let error = clean_text(&clean_code(code), sent);
        let detail = refusal.error_description().map(|text| clean_text(text, sent));
        let dialect = self.settings.dialect;
        let is_named = code == "invalid_grant" || dialect.invalid_grant_codes.contains(&code);
        let is_described =
            refusal.error_description().is_some_and(|text| dialect.invalid_grant_descriptions.contains(&text.as_str()));
        if is_named || is_described {
            UpstreamError::InvalidGrant { provider, detail: detail.unwrap_or(error) }
        } else {
            UpstreamError::Refused { provider, error, detail }
        }
    }
}

/// Carries the requests of the `oauth2` crate with our client, and settles what the crate does
/// not know.
struct Wire<'a> {
    http: &'a HttpClient,
    provider: &'a str,
    dialect: Dialect,
}

impl<'c> oauth2::AsyncHttpClient<'c> for Wire<'_> {
    type Error = UpstreamError;
    type Future = PortFuture<'c, Result<oauth2::HttpResponse, UpstreamError>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Wire<'_> {
    async fn send(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, UpstreamError> {
        let mut response = self.http.send(request).await.map_err(|fault| no_answer(self.provider, "tokens", &fault))?;
        check_status(self.provider, "tokens", &response)?;
        let is_error = is_oauth_error(response.body());
        if response.status() == StatusCode::OK && is_error {
            // GitHub reports errors with status 200; the crate would take them for tokens.
            *response.status_mut() = StatusCode::BAD_REQUEST;
        } else if response.status() != StatusCode::OK && !is_error {
            let detail = format!("the token endpoint answered with status {}", response.status().as_u16());
            return Err(unusable(self.provider, detail));
        }
        if response.status() == StatusCode::OK && self.dialect.may_omit_token_type {
            add_token_type(response.body_mut());
        }
        Ok(response)
    }
}

/// Writes into an answer what its provider takes for granted.
fn add_token_type(body: &mut Vec<u8>) {
    if let Ok(Value::Object(mut answer)) = serde_json::from_slice(body)
        && !answer.contains_key("token_type")
    {
        answer.insert("token_type".to_owned(), Value::from("bearer"));
        *body = Value::Object(answer).to_string().into_bytes();
    }
}

fn text(field: Option<&Value>) -> Option<String> {
    field.and_then(Value::as_str).map(str::to_owned)
}

fn refresh_token(body: &TokenBody) -> Option<Secret> {
    body.refresh_token().map(|token| Secret::new(token.secret().as_str())).filter(|token| !token.is_empty())
}

/// Whether a body is an error answer of RFC 6749 section 5.2, whatever its status.
fn is_oauth_error(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("error").is_some_and(Value::is_string))
}

use super::rules::{check_request, check_resource, csrf_token};
use super::{
    AuthorizeParameters, BeginAuthorization, BeginError, BrowserStep, CompleteLogin, ConsentPrompt, DecideConsent,
    LoginError, NextStep, PasswordPrompt, ProviderAnswer, RevokeRequest, SubmitPassword, TokenError, TokenGrant,
    TokenRequest, Viewing, VisitError, Visitor,
};
use crate::model::client::{Client, ClientCredentials, ClientProof, GrantType};
use crate::model::ids::ClientId;
use crate::model::oauth_error::OAuthErrorCode;
use crate::model::redirect_uri::RedirectUri;
use crate::model::scope_hierarchy::ScopeHierarchy;
use crate::model::secret::Secret;
use crate::model::token::IssuedTokens;
use crate::scope_rules::ScopeRules;
use crate::settings::Settings;
use crate::testkit::fake_idp::FakeIdp;
use crate::testkit::rig::{Login, Rig, settings};
use crate::testkit::samples::{self, VERIFIER, scopes};
use futures_util::future::join_all;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;
use url::Url;

mod consent;
mod entitlement;
mod errors;
mod logins;
mod tokens;

/// A rig that knows client `app`, which may have `mxcp:access`, `read` and `write`.
async fn rig(login: Login) -> Rig {
    Rig::with(login, Settings { configured_clients: vec![samples::client("app")], ..settings() }).await
}

fn parameters() -> AuthorizeParameters {
    AuthorizeParameters {
        client_id: Some("app".to_owned()),
        redirect_uri: Some(samples::REDIRECT_URI.to_owned()),
        response_type: Some("code".to_owned()),
        state: Some("client state".to_owned()),
        scope: Some("mxcp:access".to_owned()),
        code_challenge: Some(samples::request("app").challenge.as_str().to_owned()),
        code_challenge_method: Some("S256".to_owned()),
        ..AuthorizeParameters::default()
    }
}

/// A browser that keeps its cookies.
#[derive(Clone, Debug)]
struct Person {
    visitor: Visitor,
}

impl Person {
    fn new() -> Self {
        Self { visitor: Visitor { peer: "192.0.2.1".to_owned(), ..Visitor::default() } }
    }

    fn keep(&mut self, step: BrowserStep) -> NextStep {
        if let Some(cookie) = step.browser {
            self.visitor.browser = Some(cookie);
        }
        if let NextStep::SignedIn { session } = &step.next {
            self.visitor.session = Some(session.clone());
        }
        step.next
    }

    async fn begin(&mut self, rig: &Rig, parameters: AuthorizeParameters) -> NextStep {
        let asked = BeginAuthorization { parameters, visitor: self.visitor.clone() };
        let step = rig.authorization.begin_authorization(asked).await.unwrap();
        self.keep(step)
    }

    fn decision(&self, prompt: &ConsentPrompt, is_approved: bool) -> DecideConsent {
        DecideConsent {
            handle: prompt.handle.clone(),
            csrf: prompt.csrf.clone(),
            is_approved,
            visitor: self.visitor.clone(),
        }
    }

    async fn decide(&mut self, rig: &Rig, prompt: &ConsentPrompt, is_approved: bool) -> NextStep {
        let step = rig.authorization.decide_consent(self.decision(prompt, is_approved)).await.unwrap();
        self.keep(step)
    }

    fn back_as(&self, url: &str, username: &str) -> CompleteLogin {
        CompleteLogin {
            provider: "fake".to_owned(),
            state: Secret::new(query(url)["state"].clone()),
            answer: ProviderAnswer::Code(Secret::new(format!("code-of-{username}"))),
            issuer: None,
            visitor: self.visitor.clone(),
        }
    }

    async fn come_back(&mut self, rig: &Rig, url: &str, username: &str) -> NextStep {
        let step = rig.authorization.complete_login(self.back_as(url, username)).await.unwrap();
        self.keep(step)
    }

    /// From the request to the provider's page, giving consent where it is asked.
    async fn reach_provider(&mut self, rig: &Rig, parameters: AuthorizeParameters) -> String {
        match self.begin(rig, parameters).await {
            NextStep::Consent(prompt) => url(self.decide(rig, &prompt, true).await),
            next => url(next),
        }
    }

    /// From the request to the client's code.
    async fn code(&mut self, rig: &Rig, username: &str) -> Secret {
        let url = self.reach_provider(rig, parameters()).await;
        code(self.come_back(rig, &url, username).await)
    }
}

fn consent(next: NextStep) -> ConsentPrompt {
    let NextStep::Consent(prompt) = next else { panic!("no consent page but {next:?}") };
    prompt
}

fn password(next: NextStep) -> PasswordPrompt {
    let NextStep::Password(prompt) = next else { panic!("no login page but {next:?}") };
    prompt
}

fn url(next: NextStep) -> String {
    match next {
        NextStep::ToProvider { url } | NextStep::ToClient { url } => url,
        next => panic!("no redirect but {next:?}"),
    }
}

fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// What the client was answered: at its own URI, with its state and our issuer.
fn answer(next: NextStep) -> HashMap<String, String> {
    let NextStep::ToClient { url } = next else { panic!("no answer but {next:?}") };
    check_answer(&url)
}

fn check_answer(url: &str) -> HashMap<String, String> {
    assert!(url.starts_with(&format!("{}?", samples::REDIRECT_URI)), "{url}");
    let query = query(url);
    assert_eq!(query["state"], "client state");
    assert_eq!(query["iss"], "https://mxcp.example.com");
    query
}

fn code(next: NextStep) -> Secret {
    Secret::new(answer(next)["code"].clone())
}

fn public(client: &str) -> ClientCredentials {
    ClientCredentials { client_id: ClientId::new(client), proof: ClientProof::None }
}

fn code_request(code: &Secret) -> TokenRequest {
    TokenRequest {
        credentials: public("app"),
        grant: TokenGrant::AuthorizationCode {
            code: code.clone(),
            redirect_uri: Some(samples::REDIRECT_URI.to_owned()),
            verifier: Secret::new(VERIFIER),
        },
        resource: Vec::new(),
        peer: String::new(),
        trace_id: None,
    }
}

fn refresh_request(tokens: &IssuedTokens, scope: Option<&str>) -> TokenRequest {
    let token = tokens.refresh_token.clone().unwrap();
    TokenRequest {
        grant: TokenGrant::RefreshToken { token, scope: scope.map(str::to_owned) },
        ..code_request(&Secret::default())
    }
}

fn works(rig: &Rig, tokens: &IssuedTokens) -> bool {
    rig.sessions.verify_access_token(tokens.access_token.expose()).is_ok()
}

fn refused(outcome: Result<IssuedTokens, TokenError>) -> OAuthErrorCode {
    let Err(TokenError::Refused(error)) = outcome else { panic!("not refused but {outcome:?}") };
    error.code
}

proptest! {
    #[test]
    fn a_request_is_never_granted_more_than_the_client_may_have(asked in proptest::option::of("[a-d ]{0,8}"), allowed in "[a-d] [a-d]") {
        let client = Client { scope: scopes(&allowed), ..samples::client("app") };
        let settings = Settings { configured_clients: vec![client.clone()], ..settings() };
        let rules = ScopeRules::new(ScopeHierarchy::default(), None, [(&client.id, &client.scope)]);
        let uri = RedirectUri::parse(samples::REDIRECT_URI).unwrap();
        let parameters = AuthorizeParameters { scope: asked.clone(), ..parameters() };
        match check_request(&parameters, &client, uri, (&settings, &rules)) {
            Ok(request) => {
                prop_assert!(client.scope.contains_all(&request.scopes) && !request.scopes.is_empty());
                let asked = scopes(asked.as_deref().unwrap_or_default());
                prop_assert!(asked.is_empty() || asked.contains_all(&request.scopes));
            }
            Err(error) => prop_assert_eq!(error.code, OAuthErrorCode::InvalidScope),
        }
    }

    #[test]
    fn a_form_of_another_browser_or_login_does_not_match(cookie in "[a-z]{1,9}", form in "[a-z]{1,9}", other in "[a-z]{1,9}") {
        let token = csrf_token(&Secret::new(cookie.clone()), &form);
        prop_assert_eq!(token.matches(csrf_token(&Secret::new(other.clone()), &form).expose()), cookie == other);
        prop_assert_eq!(token.matches(csrf_token(&Secret::new(cookie), &other).expose()), form == other);
    }
}

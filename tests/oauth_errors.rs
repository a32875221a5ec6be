//! What is refused, and how: at the authorization endpoint, the token endpoint and the resource.

use crate::common::{
    Browser, OAuthClient, Pairs, REDIRECT_URI, Setup, TestApp, Tokens, basic, change, give_password, header,
    legacy_initialize, oauth_error,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A request that differs from one that would do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    set: BTreeMap<String, Option<String>>,
    #[serde(default)]
    add: BTreeMap<String, String>,
    page: Option<u16>,
    status: Option<u16>,
    error: Option<String>,
}

impl Case {
    /// Changes `pairs`; names with a dollar stand for the values in `known`.
    fn apply(&self, pairs: &mut Pairs, known: &[(&str, &str)]) {
        let fill = |text: &String| {
            known.iter().fold(text.clone(), |text, (name, value)| text.replace(&format!("${name}"), value))
        };
        for (name, value) in &self.set {
            change(pairs, name, value.as_ref().map(fill).as_deref());
        }
        pairs.extend(self.add.iter().map(|(name, value)| (name.clone(), fill(value))));
    }
}

fn cases(text: &str) -> Vec<Case> {
    let cases: Vec<Case> = serde_yaml::from_str(text).unwrap();
    assert!(!cases.is_empty());
    cases
}

/// A browser whose person is signed in and has approved the client, so that a request that does
/// is answered at once.
async fn ready(app: &TestApp, client: &OAuthClient) -> Browser {
    let mut browser = Browser::new(app);
    let page = browser.open(app.url("/")).await;
    give_password(&mut browser, &page, "ada").await;
    let consent = browser.open(client.authorize_url(app, &[])).await;
    browser.submit(&consent, "approve", &[]).await;
    browser
}

/// A code from such a browser.
async fn code(app: &TestApp, client: &OAuthClient, browser: &mut Browser) -> String {
    let back = browser.open(client.authorize_url(app, &[])).await;
    client.answer(&back)["code"].clone()
}

fn authorize(app: &TestApp, request: &Pairs) -> String {
    url::Url::parse_with_params(&app.url("/authorize"), request).unwrap().into()
}

#[tokio::test]
async fn authorization_requests_are_refused_where_it_is_safe() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = ready(&app, &client).await;
    let (resource, known_origin) = (app.resource(), app.issuer.clone());
    for case in cases(include_str!("cases/authorize_refused.yaml")) {
        let mut request = client.request();
        case.apply(&mut request, &[("resource", &resource), ("origin", &known_origin)]);
        let page = browser.open(authorize(&app, &request)).await;
        match (case.page, &case.error) {
            (Some(status), None) => page.assert_error_page(status),
            (None, Some(error)) => {
                assert_eq!(page.status, 303, "{}: {}", case.name, page.body);
                let answer = client.answer(&page);
                assert_eq!(&answer["error"], error, "{}", case.name);
                assert_eq!(answer["state"], "state of the client", "{}", case.name);
                assert_eq!(answer["iss"], app.issuer, "{}", case.name);
                assert!(!answer["error_description"].is_empty(), "{}", case.name);
                assert!(!answer.contains_key("code"), "{}", case.name);
            }
            _ => panic!("{} must say what is expected", case.name),
        }
    }
    for case in cases(include_str!("cases/authorize_accepted.yaml")) {
        let mut request = client.request();
        case.apply(&mut request, &[("resource", &resource), ("origin", &known_origin)]);
        let page = browser.open(authorize(&app, &request)).await;
        assert_eq!(page.status, 303, "{}: {}", case.name, page.body);
        assert!(client.answer(&page).contains_key("code"), "{}: {:?}", case.name, client.answer(&page));
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortCase {
    registered: String,
    presented: String,
    accepted: bool,
}

#[tokio::test]
async fn only_the_port_of_a_loopback_uri_may_differ() {
    let app = TestApp::start().await;
    let cases: Vec<PortCase> = serde_yaml::from_str(include_str!("cases/redirect_ports.yaml")).unwrap();
    for case in cases {
        let client = OAuthClient::register_as(&app, "Local", &case.registered).await;
        let url = client.authorize_url(&app, &[("redirect_uri", Some(&case.presented))]);
        let mut browser = Browser::new(&app);
        let page = browser.open(url).await;
        if !case.accepted {
            page.assert_error_page(400);
            continue;
        }
        // Where the refusal goes is where an answer goes.
        let back = browser.submit(&page, "refuse", &[]).await;
        assert!(back.location().as_str().starts_with(&case.presented), "{case:?}");
    }
}

#[tokio::test]
async fn a_redirect_uri_must_be_named_when_several_are_registered() {
    let app = TestApp::start().await;
    let uris = json!([REDIRECT_URI, "https://elsewhere.example.com/callback"]);
    let client = OAuthClient::register_with(&app, &json!({"redirect_uris": uris})).await;
    let url = client.authorize_url(&app, &[("redirect_uri", None)]);
    Browser::new(&app).open(url).await.assert_error_page(400);
}

#[tokio::test]
async fn redemptions_that_do_not_fit_are_refused() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let other = OAuthClient::register(&app).await;
    let mut browser = ready(&app, &client).await;
    let challenge = client.request().into_iter().find(|(name, _)| name == "code_challenge").unwrap().1;
    let known = [("resource", app.resource()), ("challenge", challenge), ("other", other.id.clone())];
    let known: Vec<(&str, &str)> = known.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for case in cases(include_str!("cases/token_refused.yaml")) {
        let mut form = client.redemption(&code(&app, &client, &mut browser).await);
        case.apply(&mut form, &known);
        let response = app.post_form("/token", &form).await;
        assert_eq!(Some(response.status().as_u16()), case.status, "{}", case.name);
        assert_eq!(header(&response, "cache-control"), "no-store", "{}", case.name);
        assert_eq!(header(&response, "www-authenticate"), "", "{}", case.name);
        let expected = (case.status.unwrap(), case.error.clone().unwrap());
        assert_eq!(oauth_error(response).await, expected, "{}", case.name);
    }
    for resource in [app.resource(), app.issuer.clone(), format!("{}/", app.issuer)] {
        let mut form = client.redemption(&code(&app, &client, &mut browser).await);
        change(&mut form, "resource", Some(&resource));
        let tokens = Tokens::of(app.post_form("/token", &form).await).await;
        assert_eq!(app.status_with(&tokens.access).await, 200, "{resource}");
    }
    // OAuth 2.1 has no redirect URI here any more; clients of OAuth 2.0 send it.
    let mut form = client.redemption(&code(&app, &client, &mut browser).await);
    change(&mut form, "redirect_uri", None);
    Tokens::of(app.post_form("/token", &form).await).await;
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthenticationCase {
    client: String,
    basic: Option<String>,
    header: Option<String>,
    post: Option<String>,
    id: Option<String>,
    status: u16,
    #[serde(default)]
    challenge: bool,
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way_at_a_time() {
    let app = TestApp::start().await;
    let mut clients = BTreeMap::new();
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let metadata = json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": method});
        let client = OAuthClient::register_with(&app, &metadata).await;
        let browser = ready(&app, &client).await;
        clients.insert(method.to_owned(), (client, browser));
    }
    let cases: Vec<AuthenticationCase> =
        serde_yaml::from_str(include_str!("cases/client_authentication.yaml")).unwrap();
    for case in cases {
        let (client, browser) = clients.get_mut(&case.client).unwrap();
        let secret = client.secret.clone().unwrap_or_default();
        let secret_of = |kind: &str| if kind == "right" { secret.clone() } else { kind.to_owned() };
        let code = code(&app, client, browser).await;
        for (path, mut form) in
            [("/token", client.redemption(&code)), ("/revoke", vec![("token".to_owned(), "unknown".to_owned())])]
        {
            let id = case.id.as_ref().map(|id| if id == "own" { client.id.clone() } else { id.clone() });
            change(&mut form, "client_id", id.as_deref());
            change(&mut form, "client_secret", case.post.as_deref().map(secret_of).as_deref());
            let mut request = app.post(path).form(&form);
            if let Some(value) = case.basic.as_deref().map(secret_of) {
                request = request.header("authorization", basic(&client.id, &value));
            }
            if let Some(value) = &case.header {
                request = request.header("authorization", value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), case.status, "{path}: {case:?}");
            let challenge = if case.challenge { "Basic realm=\"mxcp\"" } else { "" };
            assert_eq!(header(&response, "www-authenticate"), challenge, "{path}: {case:?}");
            match case.status {
                200 => {}
                401 => assert_eq!(oauth_error(response).await.1, "invalid_client", "{path}: {case:?}"),
                _ => assert_eq!(oauth_error(response).await.1, "invalid_request", "{path}: {case:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_code_that_is_redeemed_twice_gives_nothing_and_takes_back_what_it_gave() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let code = client.code(&app, "ada").await;
    let tokens = Tokens::of(client.redeem(&app, &code).await).await;
    assert_eq!(app.status_with(&tokens.access).await, 200);
    assert_eq!(oauth_error(client.redeem(&app, &code).await).await, (400, "invalid_grant".to_owned()));
    assert_eq!(app.status_with(&tokens.access).await, 401);
    let refreshed = client.refresh(&app, &tokens.refresh).await;
    assert_eq!(oauth_error(refreshed).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn of_twenty_redemptions_at_once_exactly_one_gets_tokens_and_they_are_taken_back() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = ready(&app, &client).await;
    // Several rounds, since the order of the twenty is a matter of luck.
    for round in 0..10 {
        let code = code(&app, &client, &mut browser).await;
        let attempts = (0..20).map(|_| client.redeem(&app, &code));
        let mut answers = futures_util::future::join_all(attempts).await;
        answers.sort_by_key(reqwest::Response::status);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
        assert_eq!((statuses[0], &statuses[1..]), (200, [400; 19].as_slice()), "round {round}");
        let tokens = Tokens::of(answers.remove(0)).await;
        assert_eq!(app.status_with(&tokens.access).await, 401);
    }
}

#[tokio::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let app = TestApp::start().await;
    let metadata = json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"});
    let client = OAuthClient::register_with(&app, &metadata).await;
    let tokens = client.tokens(&app, "ada").await;
    assert_eq!(tokens.refresh, "");
    let refused = client.refresh(&app, &tokens.access).await;
    assert_eq!(oauth_error(refused).await, (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn the_resource_takes_only_its_own_tokens_and_only_in_the_header() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let code = client.code(&app, "ada").await;
    let tokens = Tokens::of(client.redeem(&app, &code).await).await;
    let access = tokens.access.as_str();
    let body = legacy_initialize();

    let in_query = app.mcp(&body).query(&[("access_token", access)]).send().await.unwrap();
    assert_eq!(in_query.status(), 401);
    assert!(!header(&in_query, "www-authenticate").contains("error="));
    let in_both = app.mcp(&body).query(&[("access_token", access)]).bearer_auth(access).send().await.unwrap();
    assert_eq!(in_both.status(), 400);
    assert!(header(&in_both, "www-authenticate").contains("error=\"invalid_request\""));
    let twice = app.mcp(&body).bearer_auth(access).bearer_auth(access).send().await.unwrap();
    assert_eq!(twice.status(), 400);

    for token in ["", "x", "mxcp_at_unknown", &tokens.refresh, &code, &access[..access.len() - 1], &client.id] {
        let response = app.mcp(&body).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 401, "{token}");
        let challenge = header(&response, "www-authenticate").to_owned();
        for part in ["Bearer error=\"invalid_token\"", "resource_metadata=\"", "scope=\"mxcp:access\""] {
            assert!(challenge.contains(part), "{token}: {challenge}");
        }
        assert_eq!(oauth_error(response).await.1, "invalid_token");
    }
    let odd = app.mcp(&body).header("authorization", b"Bearer \xff\xfe".as_slice()).send().await.unwrap();
    assert_eq!(odd.status(), 401);
    for request in [app.get("/mcp"), app.http.delete(app.url("/mcp")), app.mcp(&json!({"method": "tools/list"}))] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert_eq!(app.status_with(access).await, 200);
}

#[tokio::test]
async fn an_mcp_session_is_of_use_only_with_its_own_token() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let ada = client.tokens(&app, "ada").await;
    let ben = client.tokens(&app, "ben").await;
    let opened = app.mcp(&legacy_initialize()).bearer_auth(&ada.access).send().await.unwrap();
    let session = header(&opened, "mcp-session-id").to_owned();
    assert!(!session.is_empty());
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let with = |token: Option<&str>| {
        let request = app.mcp(&list).header("mcp-session-id", &session).header("mcp-protocol-version", "2025-11-25");
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };
    assert_eq!(with(Some(&ada.access)).send().await.unwrap().status(), 200);
    assert_eq!(with(Some(&ben.access)).send().await.unwrap().status(), 404);
    assert_eq!(with(None).send().await.unwrap().status(), 401);
    assert_eq!(client.revoke(&app, &ada.access).await.status(), 200);
    assert_eq!(with(Some(&ada.access)).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn an_access_token_expires() {
    let app = TestApp::with(Setup::default().with_lifetime("access_token", "1s")).await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    let until_refused = async { while app.status_with(&tokens.access).await == 200 {} };
    tokio::time::timeout(Duration::from_secs(20), until_refused).await.unwrap();
    assert_eq!(app.status_with(&tokens.access).await, 401);
    let again = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert_ne!(again.access, tokens.access);
}

#[tokio::test]
async fn a_token_without_the_required_scopes_is_refused_with_all_that_are_needed() {
    let mut setup = Setup::default();
    setup.auth["authorization"] = json!({"required_scopes": ["mxcp:access", "mxcp:admin"]});
    let app = TestApp::with(setup).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let answer = client.sign_in_with(&app, &mut browser, "ada", &[("scope", Some("mxcp:access"))]).await;
    let few = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    assert_eq!(few.scope, "mxcp:access");
    let response = app.call(&few.access, "whoami").send().await.unwrap();
    assert_eq!(response.status(), 403);
    let challenge = header(&response, "www-authenticate").to_owned();
    for part in ["error=\"insufficient_scope\"", "scope=\"mxcp:access mxcp:admin\"", "resource_metadata=\""] {
        assert!(challenge.contains(part), "{challenge}");
    }
    let all = client.tokens(&app, "ada").await;
    assert_eq!(all.scope, "mxcp:access mxcp:admin");
    assert_eq!(app.status_with(&all.access).await, 200);
}

#[tokio::test]
async fn the_scope_that_was_granted_is_told_when_it_is_not_what_was_asked() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let changes = [("scope", Some("openid mxcp:access offline_access"))];
    let answer = client.sign_in_with(&app, &mut Browser::new(&app), "ada", &changes).await;
    let tokens = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    assert_eq!(tokens.scope, "mxcp:access");
}

#[tokio::test]
async fn a_server_without_authentication_has_no_authorization_endpoints() {
    let auth = json!({"provider": "none"});
    let app = TestApp::with(Setup { auth, ..Setup::default() }).await;
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", "/authorize"] {
        let response = app.get(path).send().await.unwrap();
        assert_eq!(oauth_error(response).await, (404, "not_found".to_owned()), "{path}");
    }
    let response = app.mcp(&legacy_initialize()).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn no_secret_is_in_the_audit_log() {
    let app = TestApp::start().await;
    let metadata = json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]});
    let client = OAuthClient::register_with(&app, &metadata).await;
    let mut browser = Browser::new(&app);
    let answer = client.sign_in(&app, &mut browser, "ada").await;
    let first = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    let second = Tokens::of(client.refresh(&app, &first.refresh).await).await;
    assert_eq!(app.status_with(&second.access).await, 200);
    client.revoke(&app, &second.refresh).await;
    client.redeem(&app, &answer["code"]).await;
    let log = Value::from(app.audit()).to_string();
    let secret = client.secret.unwrap();
    let secrets = [&answer["code"], &first.access, &first.refresh, &second.access, &second.refresh, &secret];
    for secret in
        secrets.into_iter().map(String::as_str).chain(["analytical-engine", browser.cookie("mxcp-browser").unwrap()])
    {
        assert!(!log.contains(secret), "{log}");
    }
    for event in
        ["client_registered", "login_started", "consent_given", "login_succeeded", "token_issued", "token_refreshed"]
    {
        assert!(log.contains(&format!("auth.{event}")), "{event} is not in {log}");
    }
}

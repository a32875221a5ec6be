//! The authorization code flow as a client goes through it (RFC 9728, RFC 8414, RFC 7591, OAuth
//! 2.1 section 4.1), with people who sign in here.

use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens, VERIFIER, change, header, query_of, set_cookies};
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_that_knows_only_the_url_gets_to_a_call_step_by_step() {
    let app = TestApp::start().await;

    // RFC 9728 section 5: the refusal says where to read about the resource.
    let refusal = app.get("/mcp").send().await.unwrap();
    assert_eq!(refusal.status(), 401);
    let challenge = header(&refusal, "www-authenticate");
    assert!(challenge.starts_with("Bearer ") && !challenge.contains("error="), "{challenge}");
    let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
    let resource: Value = get_json(&app, rest.split('"').next().unwrap()).await;
    assert_eq!(resource["resource"], app.resource());

    // RFC 8414: the authorization server says what it has.
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let server = get_json(&app, &format!("{issuer}/.well-known/oauth-authorization-server")).await;
    assert_eq!(server["issuer"], issuer);

    // RFC 7591: the client registers.
    let metadata = json!({"client_name": "Reading Room", "redirect_uris": ["http://127.0.0.1:33418/"],
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"]});
    let registered = app.http.post(server["registration_endpoint"].as_str().unwrap()).json(&metadata).send();
    let registered: Value = registered.await.unwrap().json().await.unwrap();
    let id = registered["client_id"].as_str().unwrap().to_owned();
    let client = OAuthClient { id, secret: None, redirect_uri: "http://127.0.0.1:33418/".to_owned() };

    // OAuth 2.1 section 4.1.1: the browser is sent here with PKCE and the resource.
    let mut request = client.request();
    change(&mut request, "resource", Some(&app.resource()));
    let endpoint = server["authorization_endpoint"].as_str().unwrap();
    let url = url::Url::parse_with_params(endpoint, &request).unwrap();
    let mut browser = Browser::new(&app);
    let consent = browser.open(url).await;
    assert_eq!(consent.status, 200);
    let password = browser.submit(&consent, "approve", &[]).await;
    assert_eq!(password.status, 200);
    let form = [("username", "ada"), ("password", "analytical-engine")];
    let back = browser.submit(&password, "", &form).await;

    // Section 4.1.2: back to the client, with the code, the state and the issuer.
    let location = back.location();
    assert!(location.as_str().starts_with("http://127.0.0.1:33418/?"), "{location}");
    let answer = query_of(&location);
    assert_eq!(answer["state"], "state of the client");
    assert_eq!(answer["iss"], issuer);
    assert_eq!(answer.len(), 3, "{answer:?}");

    // Section 4.1.3: the code for tokens.
    let mut redemption = client.redemption(&answer["code"]);
    change(&mut redemption, "resource", Some(&app.resource()));
    let endpoint = server["token_endpoint"].as_str().unwrap();
    let tokens = Tokens::of(app.http.post(endpoint).form(&redemption).send().await.unwrap()).await;
    assert_eq!(tokens.scope, "mxcp:access");

    assert!(app.whoami(&tokens.access).await.contains("ada"));
}

async fn get_json(app: &TestApp, url: &str) -> Value {
    let response = app.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    assert_eq!(header(&response, "content-type"), "application/json", "{url}");
    response.json().await.unwrap()
}

#[tokio::test]
async fn the_documents_are_the_same_at_every_place_and_name_one_issuer() {
    let app = TestApp::start().await;
    let server = get_json(&app, &app.url("/.well-known/oauth-authorization-server")).await;
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        assert_eq!(get_json(&app, &app.url(path)).await, server, "{path}");
    }
    let resource = get_json(&app, &app.url("/.well-known/oauth-protected-resource/mcp")).await;
    for path in ["/.well-known/oauth-protected-resource", "/mcp/.well-known/oauth-protected-resource"] {
        assert_eq!(get_json(&app, &app.url(path)).await, resource, "{path}");
    }
    let issuer = &app.issuer;
    let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    let algorithms = ["ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
    assert_eq!(
        server,
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "registration_endpoint": format!("{issuer}/register"),
            "scopes_supported": ["mxcp:access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
        })
    );
    assert_eq!(
        resource,
        json!({
            "resource": format!("{issuer}/mcp"),
            "authorization_servers": [issuer],
            "scopes_supported": ["mxcp:access"],
            "bearer_methods_supported": ["header"],
            "resource_name": "mxcp: bookshop",
        })
    );
}

#[tokio::test]
async fn the_issuer_is_the_configured_url_byte_for_byte() {
    let http = json!({"host": "127.0.0.1", "base_url": "https://mcp.example.com"});
    let app = TestApp::with(Setup { http, ..Setup::default() }).await;
    let server = get_json(&app, &app.url("/.well-known/oauth-authorization-server")).await;
    let resource = get_json(&app, &app.url("/.well-known/oauth-protected-resource/mcp")).await;
    assert_eq!(server["issuer"], "https://mcp.example.com");
    assert_eq!(resource["authorization_servers"], json!(["https://mcp.example.com"]));
    assert_eq!(resource["resource"], "https://mcp.example.com/mcp");
    let client = OAuthClient::register(&app).await;
    let answer = client.sign_in(&app, &mut Browser::new(&app), "ada").await;
    assert_eq!(answer["iss"], "https://mcp.example.com");
}

#[tokio::test]
async fn a_state_comes_back_as_it_was_sent() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    visit(&app, &mut browser, "ada").await;
    let long = "0123456789abcdef".repeat(64);
    let states = ["a b", " ", "a&b=c#d", "a+b", "a%2Bb%20c", "grüße 日本 🦀", "\"<>\\^`{|}", "a;b,c", "a\r\nb", &long];
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    browser.submit(&consent, "approve", &[]).await;
    for state in states {
        let url = client.authorize_url(&app, &[("state", Some(state))]);
        let answer = client.answer(&browser.open(&url).await);
        assert_eq!(answer["state"], state);
        assert!(answer.contains_key("code"), "{answer:?}");
        let refused = client.authorize_url(&app, &[("state", Some(state)), ("code_challenge", None)]);
        assert_eq!(client.answer(&browser.open(&refused).await)["state"], state);
    }
    let answer = client.answer(&browser.open(client.authorize_url(&app, &[("state", None)])).await);
    assert!(!answer.contains_key("state"), "{answer:?}");
}

/// Signs in at the server's own pages.
async fn visit(app: &TestApp, browser: &mut Browser, user: &str) {
    let page = browser.open(app.url("/")).await;
    let back = crate::common::give_password(browser, &page, user).await;
    assert_eq!(back.location().path(), "/");
}

#[tokio::test]
async fn an_authorization_request_may_be_posted() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.post(&app.url("/authorize"), &client.request()).await;
    assert_eq!(consent.status, 200);
    let password = browser.submit(&consent, "approve", &[]).await;
    let back = crate::common::give_password(&mut browser, &password, "ben").await;
    assert!(client.answer(&back).contains_key("code"));
}

#[tokio::test]
async fn a_redirect_uri_that_was_registered_alone_may_be_left_out() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let answer = client.sign_in_with(&app, &mut browser, "ada", &[("redirect_uri", None)]).await;
    let mut redemption = client.redemption(&answer["code"]);
    change(&mut redemption, "redirect_uri", None);
    Tokens::of(client.post(&app, "/token", &redemption).await).await;
}

#[tokio::test]
async fn an_answer_is_added_to_the_query_of_the_redirect_uri() {
    let app = TestApp::start().await;
    let client = OAuthClient::register_as(&app, "Tenant", "https://app.example.com/callback?tenant=7").await;
    let answer = client.sign_in(&app, &mut Browser::new(&app), "ada").await;
    assert_eq!(answer["tenant"], "7");
    Tokens::of(client.redeem(&app, &answer["code"]).await).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_may_be_corrected() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    let password = browser.submit(&consent, "approve", &[]).await;
    let again = browser.submit(&password, "", &[("username", "ada"), ("password", "wrong")]).await;
    assert_eq!(again.status, 403);
    assert_eq!(again.form().value("username"), "ada");
    assert!(!again.body.contains("wrong\""), "the password is not in the page");
    let back = crate::common::give_password(&mut browser, &again, "ada").await;
    assert!(client.answer(&back).contains_key("code"));
    // The form was for one login.
    crate::common::give_password(&mut browser, &again, "ada").await.assert_error_page(400);
}

#[tokio::test]
async fn whoever_tries_passwords_is_slowed_down() {
    let app = TestApp::start().await;
    let mut browser = Browser::new(&app);
    let page = browser.open(app.url("/")).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = browser.submit(&page, "", &[("username", "ada"), ("password", "guess")]).await;
        statuses.push(answer.status);
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        }
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
    crate::common::give_password(&mut browser, &page, "ada").await.assert_error_page(429);
    let other = crate::common::give_password(&mut browser, &page, "ben").await;
    assert_eq!(other.location().path(), "/");
}

#[tokio::test]
async fn a_code_is_for_whoever_has_the_verifier() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let code = client.code(&app, "ada").await;
    let mut redemption = client.redemption(&code);
    change(&mut redemption, "code_verifier", Some(&VERIFIER.to_uppercase()));
    let refused = client.post(&app, "/token", &redemption).await;
    assert_eq!(crate::common::oauth_error(refused).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn pages_cannot_be_framed_stored_or_told_about() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    let password = browser.submit(&consent, "approve", &[]).await;
    let error = browser.open(app.url("/authorize")).await;
    let signed_out = browser.open(app.url("/signed-out")).await;
    visit(&app, &mut browser, "ada").await;
    let home = browser.open(app.url("/")).await;
    for page in [consent, password, error, signed_out, home] {
        let policy = page.header("content-security-policy");
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
            assert!(policy.contains(rule), "{}: {policy}", page.url);
        }
        assert!(!policy.contains("unsafe-inline"), "{}: {policy}", page.url);
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn cookies_are_for_this_host_and_for_http_alone() {
    for (base_url, prefix, secure) in [(None, "", ""), (Some("https://mcp.example.com"), "__Host-", "; Secure")] {
        let mut http = json!({"host": "127.0.0.1"});
        if let Some(url) = base_url {
            http["base_url"] = json!(url);
        }
        let app = TestApp::with(Setup { http, ..Setup::default() }).await;
        let mut browser = Browser::new(&app);
        let page = browser.open(app.url("/")).await;
        let back = crate::common::give_password(&mut browser, &page, "ada").await;
        for (page, name) in [(&page, "mxcp-browser"), (&back, "mxcp-session")] {
            let cookies = set_cookies(&page.headers);
            assert_eq!(cookies.len(), 1, "{cookies:?}");
            let cookie = &cookies[0];
            assert!(cookie.starts_with(&format!("{prefix}{name}=")), "{cookie}");
            for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=", secure] {
                assert!(cookie.contains(attribute), "{cookie} lacks {attribute}");
            }
            assert_eq!(cookie.contains("Secure"), base_url.is_some(), "{cookie}");
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    }
}

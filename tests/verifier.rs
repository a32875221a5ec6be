//! `mode: verifier`: a server that issues no tokens and accepts those of an issuer on this
//! machine, over HTTP from end to end.

mod configuration;
mod defects;
mod introspection;
mod issuer;
mod memory;
mod metadata;

use crate::common::{TestApp, header, listen, text_of};
use crate::daemon_process::{repository, run};
use crate::upstream_keys::{P256, RSA, signed};
use issuer::{Issuer, now, sign};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How long a stream may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_good_token_calls_a_tool_and_the_sql_knows_who_calls() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let token = issuer.token(&app);
    let response = app.call(&token, "identity").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let row: Value = serde_json::from_str(&text_of(&response.json().await.unwrap())).unwrap();
    let expected = json!({"username": "ada", "email": "ada@example.com", "provider": "corp", "token": ""});
    assert_eq!(row, expected);
    let log = app.audit();
    let call = log.iter().find(|record| record["operation_name"] == "identity").unwrap();
    assert_eq!(call["user_id"], "corp:user-7");
    let signature = token.rsplit_once('.').unwrap().1;
    assert!(!serde_json::to_string(&log).unwrap().contains(signature), "no token is written down");
}

#[tokio::test]
async fn a_hot_token_is_looked_up_and_the_issuer_asked_for_its_keys_once() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let token = issuer.token(&app);
    for _ in 0..5 {
        assert_eq!(app.status_with(&token).await, 200);
    }
    assert_eq!(issuer.requests_to("/jwks").await, 1);
    assert_eq!(issuer.requests_to("/.well-known/openid-configuration").await, 1);
}

#[tokio::test]
async fn a_token_of_the_type_for_access_tokens_may_carry_what_others_do_not() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    for kind in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let mut claims = issuer.claims(&app);
        claims["nonce"] = json!("n");
        claims["auth_time"] = json!(now());
        let token = signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "typ": kind}), &claims);
        assert_eq!(app.status_with(&token).await, 200, "{kind}");
    }
    for header in [json!({"alg": "RS256", "kid": "k1"}), json!({"alg": "PS256", "kid": "k1", "typ": "JWT"})] {
        assert_eq!(app.status_with(&signed(&RSA, &header, &issuer.claims(&app))).await, 200, "{header}");
    }
}

#[tokio::test]
async fn what_the_operator_says_about_people_holds_for_those_of_the_issuer() {
    let issuer = Issuer::start().await;
    let mut setup = issuer.setup();
    setup.auth["oidc"]["claim_mappings"] = json!({"department": {"finance": ["see_prices"]}});
    setup.auth["user_mapping"] = json!([{"when": "'admins' in claims.groups", "role": "admin"}]);
    let condition = "!(user.role == 'admin' && 'see_prices' in user.capabilities)";
    let policies = json!({"input": [{"condition": condition, "action": "deny", "reason": "not for you"}]});
    setup.tools.get_mut("whoami").unwrap()["policies"] = policies;
    let app = TestApp::with(setup).await;
    for (groups, department, is_error) in
        [("admins", "finance", false), ("admins", "sales", true), ("staff", "finance", true)]
    {
        let mut claims = issuer.claims(&app);
        claims["groups"] = json!([groups]);
        claims["department"] = json!(department);
        let response: Value = app.call(&sign(&claims), "whoami").send().await.unwrap().json().await.unwrap();
        assert_eq!(response["result"]["isError"], is_error, "{groups} of {department}: {response}");
    }
}

#[tokio::test]
async fn the_operator_may_say_what_follows_from_the_scopes_of_a_token_and_who_may_not_have_them() {
    let issuer = Issuer::start().await;
    let mut setup = issuer.setup_with_scopes(&["mcp:read"]);
    setup.auth["authorization"]["implies"] = json!({"mcp:write": ["mcp:read"]});
    setup.auth["authorization"]["grants"] = json!([
        {"when": "user.username == 'ada'", "scopes": ["mcp:write"]}, {"when": "true", "scopes": ["mcp:read"]},
    ]);
    setup.tools.get_mut("whoami").unwrap()["scopes"] = json!(["mcp:write"]);
    let app = TestApp::with(setup).await;
    for (username, scope, status) in
        [("ada", "mcp:write", 200), ("ada", "mcp:read", 403), ("ben", "mcp:write", 403), ("ben", "openid", 403)]
    {
        let mut claims = issuer.claims(&app);
        (claims["preferred_username"], claims["scope"]) = (json!(username), json!(scope));
        let response = app.call(&sign(&claims), "whoami").send().await.unwrap();
        assert_eq!(response.status(), status, "{username} {scope}");
        if username == "ada" && status == 403 {
            assert!(header(&response, "www-authenticate").ends_with("scope=\"mcp:read mcp:write\""));
        }
    }
}

#[tokio::test]
async fn scopes_are_those_of_the_token_and_never_those_of_the_configuration() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup_with_scopes(&["mcp:read", "mcp:write"])).await;
    for (claim, value, status) in [
        ("scope", json!("openid mcp:read mcp:write"), 200),
        ("scope", json!(["mcp:write", "mcp:read"]), 200),
        ("scp", json!("mcp:read mcp:write"), 200),
        ("scp", json!(["mcp:read", "mcp:write"]), 200),
        ("scope", json!("mcp:read"), 403),
        ("scope", json!(""), 403),
        ("scope", json!("mcp:read mcp:writes"), 403),
        ("other", json!("mcp:read mcp:write"), 403),
        ("scope", json!(7), 401),
        ("scope", json!(["mcp:read", 7]), 401),
    ] {
        let mut claims = issuer.claims(&app);
        claims.as_object_mut().unwrap().remove("scope");
        claims[claim] = value.clone();
        let response = app.call(&sign(&claims), "whoami").send().await.unwrap();
        assert_eq!(response.status(), status, "{claim}: {value}");
        if status == 403 {
            let challenge = header(&response, "www-authenticate");
            assert!(challenge.starts_with("Bearer error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.ends_with("scope=\"openid mcp:read mcp:write\""), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_when_a_token_names_it() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    assert_eq!(app.status_with(&issuer.token(&app)).await, 200);
    issuer.publish(&json!([P256.jwk("k2")])).await;
    let new = signed(&P256, &json!({"alg": "ES256", "kid": "k2"}), &issuer.claims(&app));
    assert_eq!(app.status_with(&new).await, 200);
    assert_eq!(issuer.requests_to("/jwks").await, 1);
    let unknown = signed(&P256, &json!({"alg": "ES256", "kid": "k3"}), &issuer.claims(&app));
    for _ in 0..3 {
        assert_eq!(app.status_with(&unknown).await, 401);
    }
    assert_eq!(issuer.requests_to("/jwks").await, 1, "made-up keys are looked for once a minute");
}

#[tokio::test]
async fn an_issuer_that_is_away_stops_nobody_once_its_keys_are_known() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let old = issuer.token(&app);
    assert_eq!(app.status_with(&old).await, 200);
    issuer.go_away().await;
    assert_eq!(app.status_with(&old).await, 200);
    let mut claims = issuer.claims(&app);
    claims["sub"] = json!("somebody new");
    assert_eq!(app.status_with(&sign(&claims)).await, 200);
}

#[tokio::test]
async fn before_the_keys_are_known_a_good_token_is_not_called_invalid() {
    let issuer = Issuer::start().await;
    issuer.go_away().await;
    let app = TestApp::with(issuer.setup()).await;
    let response = app.call(&issuer.token(&app), "whoami").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "5");
    assert_eq!(header(&response, "www-authenticate"), "");
    assert_eq!(app.status_with("no token at all").await, 401);
}

#[tokio::test]
async fn an_open_stream_ends_with_its_token() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let mut claims = issuer.claims(&app);
    // The minute of grace for clocks is nearly over.
    claims["exp"] = json!(now() - 57);
    let ending = sign(&claims);
    let open = listen(&app.http, &app.address).bearer_auth(&ending).send().await.unwrap();
    assert_eq!(open.status(), 200);
    let rest = tokio::time::timeout(ENDS_WITHIN, open.text()).await.unwrap_or_else(|_| panic!("the stream goes on"));
    assert!(!rest.unwrap().contains("resultType"), "it ends without a result, so that its client comes back");
    assert_eq!(app.status_with(&ending).await, 401);
}

#[tokio::test]
async fn the_python_sdks_call_with_a_token_that_they_were_given() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let (url, token) = (app.url("/mcp"), issuer.token(&app));
    let calls = tokio::task::spawn_blocking(move || {
        for sdk in ["python1", "python2"] {
            let folder = PathBuf::from(std::env::var_os("MXCP_TEST_SDKS").unwrap()).join(sdk);
            let mut python = Command::new(folder.join("bin/python"));
            python.arg(repository().join("tests/clients/python_token.py")).args([&url, &token, "identity"]);
            let report: Value = serde_json::from_str(&run(&mut python)).unwrap();
            assert_eq!(report["tools"], json!(["identity", "whoami"]), "{sdk}: {report}");
            assert!(report["result"].to_string().contains("ada@example.com"), "{sdk}: {report}");
        }
    });
    calls.await.unwrap();
}

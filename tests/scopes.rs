//! Scopes: what people are entitled to, what a tool needs, and how a client comes by what it lacks.

use crate::common::{
    Browser, OAuthClient, Page, Setup, TestApp, Tokens, give_password, header, legacy_initialize, oauth_error, text_of,
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// Everybody may sign in, and admins may have `reports:admin`, of which `reports:read` is a part.
fn authorization() -> Value {
    json!({
        "required_scopes": ["mxcp:access"],
        "implies": {"reports:admin": ["reports:write"], "reports:write": ["reports:read"]},
        "grants": [
            {"when": "true", "scopes": ["mxcp:access"]},
            {"when": "user.role == 'admin'", "scopes": ["reports:admin"]},
        ],
    })
}

/// A server with a tool for everybody, and one that needs a scope.
fn setup() -> Setup {
    let mut setup = Setup::default().with_tool("report", "SELECT get_username() AS reader");
    setup.tools.get_mut("report").unwrap()["scopes"] = json!(["reports:read"]);
    setup.auth["authorization"] = authorization();
    setup
}

async fn sign_in(app: &TestApp, client: &OAuthClient, user: &str, scope: &str) -> Tokens {
    let answer = client.sign_in_with(app, &mut Browser::new(app), user, &[("scope", Some(scope))]).await;
    Tokens::of(client.redeem(app, &answer["code"]).await).await
}

async fn status(app: &TestApp, token: &str, tool: &str) -> u16 {
    app.call(token, tool).send().await.unwrap().status().as_u16()
}

/// A request of the newest revision.
fn modern(app: &TestApp, method: &str, mut params: Value) -> RequestBuilder {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = app.mcp(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
    request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method)
}

/// The names in `tools/list`.
async fn listed(app: &TestApp, token: &str) -> Vec<String> {
    let request = modern(app, "tools/list", json!({})).bearer_auth(token);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["result"]["cacheScope"], "private", "{answer}");
    names(&answer)
}

fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn clients_are_told_of_default_scopes_and_people_get_of_them_what_they_may_have() {
    let mut setup = setup();
    setup.auth["authorization"]["default_scopes"] = json!(["reports:read", "other"]);
    let app = TestApp::with(setup).await;
    let response = app.mcp(&legacy_initialize()).send().await.unwrap();
    let challenge = header(&response, "www-authenticate").to_owned();
    let told = "scope=\"mxcp:access reports:read other\"";
    assert!(response.status() == 401 && challenge.contains(told), "{challenge}");
    let client = OAuthClient::register(&app).await;
    for (user, granted) in [("ada", "mxcp:access reports:read"), ("ben", "mxcp:access")] {
        let answer = client.sign_in_with(&app, &mut Browser::new(&app), user, &[("scope", None)]).await;
        let tokens = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
        assert_eq!(tokens.scope, granted, "{user}");
    }
}

fn refusals(app: &TestApp) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == "auth.scope_refused").collect()
}

#[tokio::test]
async fn a_call_that_needs_more_is_challenged_before_anything_runs_and_passes_after_a_new_login() {
    let app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let few = client.tokens(&app, "ada").await;
    assert_eq!(few.scope, "mxcp:access");
    assert_eq!(status(&app, &few.access, "whoami").await, 200);
    let response = app.call(&few.access, "report").send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(
        header(&response, "www-authenticate"),
        format!(
            "Bearer error=\"insufficient_scope\", error_description=\"the access token lacks a scope that this call \
             needs\", resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", \
             scope=\"mxcp:access reports:read\"",
            app.issuer
        )
    );
    assert_eq!(oauth_error(response).await, (403, "insufficient_scope".to_owned()));
    assert_eq!(app.audit().iter().filter(|record| record["operation_name"] == "report").count(), 0);
    let refused = refusals(&app);
    let details = json!({"needed": "mxcp:access reports:read", "held": "mxcp:access", "operation": "tool report", "peer": "127.0.0.1"});
    assert_eq!((refused.len(), &refused[0]["input_data"]), (1, &details));
    assert_eq!(refused[0]["user_id"], "local:ada");

    let more = sign_in(&app, &client, "ada", "mxcp:access reports:read").await;
    assert_eq!(more.scope, "mxcp:access reports:read");
    assert_eq!(status(&app, &more.access, "report").await, 200);
}

#[tokio::test]
async fn older_revisions_are_challenged_alike_and_with_what_they_have() {
    let app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let few = sign_in(&app, &client, "ada", "mxcp:access").await;
    let opened = app.mcp(&legacy_initialize()).bearer_auth(&few.access).send().await.unwrap();
    let session = header(&opened, "mcp-session-id").to_owned();
    let legacy = |token: &str, method: &str| {
        let params = json!({"name": "report", "arguments": {}});
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        let request = app.mcp(&body).bearer_auth(token);
        request.header("mcp-session-id", &session).header("mcp-protocol-version", "2025-11-25").send()
    };
    let response = legacy(&few.access, "tools/call").await.unwrap();
    assert_eq!(response.status(), 403);
    let challenge = header(&response, "www-authenticate");
    assert!(challenge.ends_with("scope=\"mxcp:access reports:read\""), "{challenge}");
    assert_eq!(names(&legacy(&few.access, "tools/list").await.unwrap().json().await.unwrap()), ["report", "whoami"]);
}

#[tokio::test]
async fn a_broad_scope_is_enough_for_what_follows_from_it() {
    let app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let broad = sign_in(&app, &client, "ada", "mxcp:access reports:admin").await;
    assert_eq!(broad.scope, "mxcp:access reports:admin");
    let answer: Value = app.call(&broad.access, "report").send().await.unwrap().json().await.unwrap();
    assert!(text_of(&answer).contains("ada"), "{answer}");
}

#[tokio::test]
async fn nobody_gets_more_than_they_are_entitled_to_or_is_shown_it() {
    let app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let wanted = "mxcp:access reports:read reports:admin";
    let ben = sign_in(&app, &client, "ben", wanted).await;
    assert_eq!(ben.scope, "mxcp:access");
    let response = app.call(&ben.access, "report").send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(header(&response, "www-authenticate").contains("a new login will not help"));
    assert_eq!(listed(&app, &ben.access).await, ["whoami"]);
    let ada = sign_in(&app, &client, "ada", "mxcp:access").await;
    assert_eq!(listed(&app, &ada.access).await, ["report", "whoami"]);
    for (user, sees_report) in [("ada", true), ("ben", false)] {
        let mut browser = Browser::new(&app);
        let page = browser.open(app.url("/")).await;
        let back = give_password(&mut browser, &page, user).await;
        let home = browser.open(back.location()).await;
        assert_eq!(
            (home.body.contains("<code>report</code>"), home.body.contains("<code>whoami</code>")),
            (sees_report, true)
        );
    }
}

#[tokio::test]
async fn who_is_entitled_to_nothing_that_is_asked_is_sent_back_without_a_code() {
    let mut setup = setup();
    setup.auth["authorization"]["grants"] = json!([{"when": "user.role == 'admin'", "scopes": ["mxcp:access"]}]);
    let app = TestApp::with(setup).await;
    let client = OAuthClient::register(&app).await;
    let answer = client.sign_in(&app, &mut Browser::new(&app), "ben").await;
    assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None));
    assert!(answer["error_description"].contains("not entitled"), "{answer:?}");
    let audit = app.audit();
    let failed = audit.iter().find(|record| record["operation_name"] == "auth.login_failed").unwrap();
    assert_eq!(failed["user_id"], "local:ben");
    assert!(audit.iter().all(|record| record["operation_name"] != "auth.login_succeeded"));
    assert_eq!(client.tokens(&app, "ada").await.scope, "mxcp:access");
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_from_tokens_that_exist() {
    let before = setup().with_persistence("sqlite");
    let mut app = TestApp::with(before).await;
    let client = OAuthClient::register(&app).await;
    let tokens = sign_in(&app, &client, "ada", "mxcp:access reports:write").await;
    assert_eq!(status(&app, &tokens.access, "report").await, 200);
    app.stop().await;
    let mut after = setup().with_persistence("sqlite");
    after.auth["authorization"]["grants"][1]["scopes"] = json!(["reports:other"]);
    app.project().write("config.yml", &after.user_file());
    app.start_again().await;
    assert_eq!(status(&app, &tokens.access, "report").await, 403);
    assert_eq!(status(&app, &tokens.access, "whoami").await, 200);
    let refreshed = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert_eq!(refreshed.scope, "mxcp:access");
}

#[tokio::test]
async fn a_flood_of_refused_calls_is_recorded_once_and_as_a_number() {
    let mut app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let few = client.tokens(&app, "ada").await;
    for _ in 0..20 {
        assert_eq!(status(&app, &few.access, "report").await, 403);
    }
    assert_eq!(refusals(&app).len(), 1);
    app.stop().await;
    let refused = refusals(&app);
    assert_eq!((refused.len(), &refused[1]["input_data"]["repeated"]), (2, &json!(19)));
}

#[tokio::test]
async fn a_token_that_is_not_enough_for_anything_is_recorded_too() {
    let mut setup = setup();
    setup.auth["authorization"]["required_scopes"] = json!(["mxcp:access", "reports:read"]);
    let app = TestApp::with(setup).await;
    let client = OAuthClient::register(&app).await;
    let few = sign_in(&app, &client, "ada", "mxcp:access").await;
    assert_eq!(status(&app, &few.access, "whoami").await, 403);
    let refused = refusals(&app);
    assert_eq!(
        refused[0]["input_data"],
        json!({"needed": "mxcp:access reports:read", "held": "mxcp:access", "peer": "127.0.0.1"})
    );
}

#[tokio::test]
async fn the_metadata_name_every_scope_and_clients_are_told_to_begin_with_few() {
    let app = TestApp::with(setup()).await;
    let fetch = |path: &'static str| async { app.get(path).send().await.unwrap().json::<Value>().await.unwrap() };
    let server = fetch("/.well-known/oauth-authorization-server").await;
    let all = ["mxcp:access", "reports:admin", "reports:write", "reports:read"];
    let mut supported: Vec<_> =
        server["scopes_supported"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    supported.sort_unstable();
    let mut expected = all.to_vec();
    expected.sort_unstable();
    assert_eq!(supported, expected);
    let resource = fetch("/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(resource["scopes_supported"], json!(["mxcp:access"]));
}

#[tokio::test]
async fn what_a_configured_client_may_not_have_is_not_granted() {
    let clients = json!([{
        "client_id": "desk", "name": "Desk", "redirect_uris": ["https://app.example.com/callback"],
        "scopes": ["mxcp:access", "reports:write"],
    }]);
    let app = TestApp::with(setup().with_clients(clients)).await;
    let client = OAuthClient {
        id: "desk".to_owned(),
        secret: None,
        redirect_uri: "https://app.example.com/callback".to_owned(),
    };
    for (asked, granted) in [
        ("mxcp:access reports:admin", "mxcp:access reports:write"),
        ("mxcp:access reports:read", "mxcp:access reports:read"),
        ("", "mxcp:access reports:write"),
    ] {
        assert_eq!(sign_in(&app, &client, "ada", asked).await.scope, granted, "{asked}");
    }
}

#[tokio::test]
async fn the_consent_page_says_what_follows_and_what_the_person_will_not_give() {
    let app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let open = async |browser: &mut Browser| -> Page {
        browser.open(client.authorize_url(&app, &[("scope", Some("mxcp:access reports:write"))])).await
    };
    let page = open(&mut Browser::new(&app)).await;
    let text = page.text();
    assert!(text.contains("what follows from it: reports:read") && !text.contains("will not get"), "{text}");
    let mut browser = Browser::new(&app);
    let home = browser.open(app.url("/")).await;
    give_password(&mut browser, &home, "ben").await;
    let page = open(&mut browser).await;
    assert!(page.text().contains("It will not get</dt><dd>reports:write"), "{}", page.text());
}

#[tokio::test]
async fn resources_and_prompts_are_challenged_like_tools() {
    let project = setup().write();
    let needed = json!(["reports:read"]);
    let resource = json!({"uri": "reports://{month}", "scopes": needed, "source": {"code": "SELECT $month AS month"},
        "parameters": [{"name": "month", "type": "string", "sensitive": true}]});
    project.write("resources/report.yml", &json!({"mxcp": 1, "resource": resource}).to_string());
    let prompt = json!({"name": "summary", "scopes": needed, "messages": [{"prompt": "Sum it up"}]});
    project.write("prompts/summary.yml", &json!({"mxcp": 1, "prompt": prompt}).to_string());
    let mut app = TestApp::outside(project, 0);
    app.start_again().await;
    let client = OAuthClient::register(&app).await;
    let few = client.tokens(&app, "ada").await;
    let more = sign_in(&app, &client, "ada", "mxcp:access reports:read").await;
    let ben = client.tokens(&app, "ben").await;
    for (method, params, name) in [
        ("resources/read", json!({"uri": "reports://may"}), "reports://may"),
        ("resources/read", json!({"uri": "reports://june"}), "reports://june"),
        ("prompts/get", json!({"name": "summary"}), "summary"),
    ] {
        let ask = |token: &str| {
            let token = token.to_owned();
            let request = modern(&app, method, params.clone()).header("mcp-name", name).bearer_auth(token);
            async { request.send().await.unwrap() }
        };
        let refused = ask(&few.access).await;
        assert_eq!(refused.status(), 403, "{method}");
        assert!(header(&refused, "www-authenticate").ends_with("scope=\"mxcp:access reports:read\""));
        let answer: Value = ask(&more.access).await.json().await.unwrap();
        assert!(answer["result"].is_object(), "{method}: {answer}");
    }
    for (method, key) in [("resources/templates/list", "resourceTemplates"), ("prompts/list", "prompts")] {
        for (token, count) in [(&few, 1), (&ben, 0)] {
            let answer = modern(&app, method, json!({})).bearer_auth(&token.access).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(answer["result"][key].as_array().map(Vec::len), Some(count), "{method}: {answer}");
        }
    }
    let refused = refusals(&app);
    let places: Vec<_> = refused.iter().map(|record| record["input_data"]["operation"].as_str().unwrap()).collect();
    assert_eq!(places, ["resource reports://{month}", "prompt summary"]);
}

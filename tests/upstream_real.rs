//! A certified OpenID provider that others have written, as it is and in the shapes of Google and
//! Keycloak: whole logins, refreshing, and what ends a session.

use crate::common::{OAuthClient, Setup, TestApp, text_of};
use rig::{BRIEF, LASTING, RealProvider, Shape, come_back, tokens};
use serde_json::{Value, json};

mod rig;

/// The provider's token, as SQL sees it.
async fn upstream_token(app: &TestApp, access: &str) -> String {
    let answer: Value = app.call(access, "token").send().await.unwrap().json().await.unwrap();
    let row: Value = serde_json::from_str(&text_of(&answer)).unwrap();
    row["token"].as_str().unwrap_or_else(|| panic!("{row}")).to_owned()
}

/// The records of that event, without what everybody's have.
fn records(app: &TestApp, event: &str) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == event).collect()
}

/// A tool that says which of these conditions does not hold.
fn with_conditions(mut setup: Setup, conditions: &[&str]) -> Setup {
    let rule = |condition: &&str| json!({"condition": format!("!({condition})"), "action": "deny", "reason": format!("not: {condition}")});
    let rules: Vec<Value> = conditions.iter().map(rule).collect();
    setup.tools.insert(
        "conditions",
        json!({
            "description": "A tool of the tests", "parameters": [], "source": {"code": "SELECT 'all hold' AS answer"},
            "policies": {"input": rules},
        }),
    );
    setup
}

/// What policies see of ada, whose claims and roles are those of the rig.
fn conditions(shape: Shape) -> &'static [&'static str] {
    match shape {
        Shape::Plain => &[
            "user.id == 'oidc:ada'",
            "user.role == 'analyst'",
            "user.groups == ['staff']",
            "user.permissions == ['editor']",
            "user.claims.name == 'Ada Falk'",
        ],
        Shape::Google => &[
            "user.id == 'google:ada'",
            "user.role == null",
            "user.groups == ['example.com']",
            "user.permissions == []",
            "user.claims.hd == 'example.com'",
        ],
        Shape::Keycloak => &[
            "user.id == 'keycloak:ada'",
            "user.role == 'analyst'",
            "user.groups == ['staff/readers']",
            "user.permissions == ['analyst', 'offline_access', 'default-roles-myrealm']",
            "'analyst' in user.claims.realm_access.roles",
            "user.claims.resource_access.account.roles == ['manage-account']",
        ],
    }
}

#[tokio::test]
async fn a_person_of_a_real_provider_gets_to_a_call_with_their_rights_and_their_token() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, LASTING);
        let common = ["user.email == 'ada@example.com'", "user.email_verified", "user.name == 'Ada Falk'"];
        let all = [conditions(shape), &common].concat();
        let app = TestApp::with(with_conditions(provider.setup(), &all)).await;
        let client = OAuthClient::register(&app).await;
        let ours = tokens(&app, &provider, &client).await;
        assert!(app.whoami(&ours.access).await.contains("ada.falk"), "{shape:?}");
        let answer: Value = app.call(&ours.access, "conditions").send().await.unwrap().json().await.unwrap();
        assert!(text_of(&answer).contains("all hold"), "{shape:?}: {answer}");
        let theirs = upstream_token(&app, &ours.access).await;
        assert_ne!(theirs, ours.access);
        assert_eq!(theirs, upstream_token(&app, &ours.access).await, "{shape:?}: it is fresh");
        if shape != Shape::Keycloak {
            assert_eq!(provider.subject_of(&app, &theirs).await.as_deref(), Some("ada"), "{shape:?}");
        }
        let details = &records(&app, "auth.login_succeeded")[0]["input_data"];
        assert_eq!(details["missing_scopes"], Value::Null, "nothing is missing");
    }
}

#[tokio::test]
async fn a_token_that_is_nearly_over_is_replaced_before_each_call() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, BRIEF);
        let app = TestApp::with(provider.setup()).await;
        let client = OAuthClient::register(&app).await;
        let ours = tokens(&app, &provider, &client).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let theirs = upstream_token(&app, &ours.access).await;
            assert!(!seen.contains(&theirs), "{shape:?}");
            seen.push(theirs);
        }
        assert_eq!(app.status_with(&ours.access).await, 200, "{shape:?}");
    }
}

#[tokio::test]
async fn a_grant_that_the_provider_ended_ends_the_session() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, BRIEF);
        let app = TestApp::with(provider.setup()).await;
        let client = OAuthClient::register(&app).await;
        let ours = tokens(&app, &provider, &client).await;
        upstream_token(&app, &ours.access).await;
        provider.end_grants(&app).await;
        app.call(&ours.access, "token").send().await.unwrap();
        assert_eq!(app.status_with(&ours.access).await, 401, "{shape:?}");
        assert_eq!(client.refresh(&app, &ours.refresh).await.status(), 400, "{shape:?}");
    }
}

#[tokio::test]
async fn ending_a_session_revokes_the_tokens_at_the_provider() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, LASTING);
        let app = TestApp::with(provider.setup()).await;
        let client = OAuthClient::register(&app).await;
        let ours = tokens(&app, &provider, &client).await;
        let theirs = upstream_token(&app, &ours.access).await;
        assert_eq!(client.revoke(&app, &ours.refresh).await.status(), 200);
        let provider = provider.revocation().await;
        if shape != Shape::Keycloak {
            assert_eq!(provider.subject_of(&app, &theirs).await, None, "{shape:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_at_a_real_provider_is_told_to_the_client() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, LASTING);
        let app = TestApp::with(provider.setup()).await;
        let client = OAuthClient::register(&app).await;
        let answer = come_back(&app, &provider, &client, "deny=1").await;
        assert_eq!(answer["error"], "access_denied", "{shape:?}: {answer:?}");
        assert_eq!(answer["iss"], app.issuer);
        let failed = records(&app, "auth.login_failed");
        assert!(failed[0]["error"].as_str().unwrap().contains("the person said no"), "{shape:?}: {failed:?}");
    }
}

#[tokio::test]
async fn what_the_person_keeps_back_is_on_record() {
    for shape in [Shape::Plain, Shape::Google] {
        let provider = RealProvider::start(shape, LASTING);
        let app = TestApp::with(provider.setup()).await;
        let client = OAuthClient::register(&app).await;
        let answer = come_back(&app, &provider, &client, "as=ada&only=openid+profile+offline_access").await;
        assert!(answer.contains_key("code"), "{shape:?}: {answer:?}");
        let details = &records(&app, "auth.login_succeeded")[0]["input_data"];
        assert_eq!(*details, json!({"peer": "127.0.0.1", "missing_scopes": "email"}), "{shape:?}");
    }
}

#[tokio::test]
async fn a_provider_that_goes_by_another_name_is_refused_with_what_to_set() {
    for shape in Shape::ALL {
        let provider = RealProvider::start(shape, LASTING);
        let auth = provider.auth_at(&provider.other_origin());
        let app = TestApp::with(Setup { auth, ..Setup::default() }).await;
        let client = OAuthClient::register(&app).await;
        let answer = come_back(&app, &provider, &client, "as=ada").await;
        assert_eq!(answer["error"], "server_error", "{shape:?}: {answer:?}");
        let failed = records(&app, "auth.login_failed");
        let advice = match shape {
            Shape::Plain => format!("its issuer is {}, but config_url is that of", provider.origin()),
            Shape::Google => format!("its issuer is {}, but auth_url is at", provider.origin()),
            Shape::Keycloak => format!("; set server_url to {}", provider.origin()),
        };
        assert!(failed[0]["error"].as_str().unwrap().contains(&advice), "{shape:?}: {failed:?}");
    }
}

//! Clients that come with a metadata document: the whole flow, with a host of documents on this
//! machine.

use crate::common::{Browser, OAuthClient, Page, Setup, TestApp, Tokens, oauth_error, query_of};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A host of documents.
struct Host(MockServer);

impl Host {
    async fn start() -> Self {
        Self(MockServer::start().await)
    }

    fn url(&self, at: &str) -> String {
        format!("{}{at}", self.0.uri())
    }

    /// Answers at a path.
    async fn put(&self, at: &str, answer: ResponseTemplate) -> String {
        Mock::given(path(at)).respond_with(answer).mount(&self.0).await;
        self.url(at)
    }

    /// Puts an ordinary document with some fields changed there; null removes one.
    async fn put_document(&self, at: &str, changes: &Value) -> String {
        let mut document = json!({
            "client_id": self.url(at), "client_name": "Reading Desk", "redirect_uris": ["http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.put(at, ResponseTemplate::new(200).set_body_json(document)).await
    }

    /// How often a path was asked for.
    async fn fetches(&self, at: &str) -> usize {
        self.0.received_requests().await.unwrap().iter().filter(|request| request.url.path() == at).count()
    }
}

fn client(id: &str) -> OAuthClient {
    OAuthClient { id: id.to_owned(), secret: None, redirect_uri: "http://localhost:51234/callback".to_owned() }
}

async fn begin(app: &TestApp, id: &str) -> Page {
    Browser::new(app).open(client(id).authorize_url(app, &[])).await
}

#[tokio::test]
async fn a_client_that_never_registered_signs_people_in() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let client = client(&host.put_document("/client.json", &json!({})).await);
    let mut browser = Browser::new(&app);
    let mut answer = client.sign_in(&app, &mut browser, "ada").await;
    assert_eq!(answer["iss"], app.issuer);
    let tokens = Tokens::of(client.redeem(&app, &answer.remove("code").unwrap()).await).await;
    assert_eq!(app.status_with(&tokens.access).await, 200);
    let refreshed = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert_eq!(app.status_with(&refreshed.access).await, 200);
    assert_eq!(client.revoke(&app, &refreshed.refresh).await.status(), 200);
    assert_eq!(app.status_with(&refreshed.access).await, 401);
    assert_eq!(host.fetches("/client.json").await, 1, "the document is kept for a while");
    let records = app.audit();
    let read = records.iter().find(|record| record["operation_name"] == "auth.client_document_read").unwrap();
    assert_eq!((&read["client_id"], &read["operation_status"]), (&json!(client.id), &json!("success")));
    assert!(records.iter().all(|record| record["operation_name"] != "auth.client_registered"));
}

#[tokio::test]
async fn the_metadata_say_so_as_clients_want_it() {
    let app = TestApp::start().await;
    for document in ["oauth-authorization-server", "openid-configuration"] {
        let metadata: Value = app.get(&format!("/.well-known/{document}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["client_id_metadata_document_supported"], true, "{document}");
        let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(methods.contains(&json!("none")), "{document}");
    }
}

#[tokio::test]
async fn the_page_names_the_host_and_warns_of_programs_on_this_machine() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let local = host.put_document("/local.json", &json!({})).await;
    let page = begin(&app, &local).await;
    for text in ["Reading Desk", &local, "127.0.0.1", "Nothing proves that this is really Reading Desk"] {
        assert!(page.text().contains(text), "{text}: {}", page.body);
    }
    let uris = json!({"redirect_uris": ["http://localhost/callback", "https://desk.example.com/callback"]});
    let page = begin(&app, &host.put_document("/web.json", &uris).await).await;
    assert!(page.text().contains("a program on your own machine"), "{}", page.body);
    assert!(!page.text().contains("Nothing proves"), "{}", page.body);
}

#[tokio::test]
async fn consent_is_of_one_client() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let (one, other) =
        (host.put_document("/one.json", &json!({})).await, host.put_document("/other.json", &json!({})).await);
    let mut browser = Browser::new(&app);
    client(&one).sign_in(&app, &mut browser, "ada").await;
    let again = browser.open(client(&one).authorize_url(&app, &[])).await;
    assert_eq!(again.form().action, "/login");
    assert_eq!(browser.open(client(&other).authorize_url(&app, &[])).await.form().action, "/consent");
}

#[tokio::test]
async fn redirect_uris_are_matched_as_those_of_registered_clients() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let uris = json!({"redirect_uris": ["http://localhost/callback", "https://desk.example.com/callback"]});
    let client = client(&host.put_document("/client.json", &uris).await);
    for (uri, is_accepted) in [
        ("http://localhost/callback", true),
        ("http://localhost:4711/callback", true),
        ("https://desk.example.com/callback", true),
        ("http://127.0.0.1:4711/callback", false),
        ("http://localhost:4711/callback/", false),
        ("https://desk.example.com:8443/callback", false),
        ("https://desk.example.com/callback?x=1", false),
        ("https://evil.example.com/callback", false),
    ] {
        let page = Browser::new(&app).open(client.authorize_url(&app, &[("redirect_uri", Some(uri))])).await;
        if is_accepted {
            assert_eq!(page.form().action, "/consent", "{uri}");
        } else {
            page.assert_error_page(400);
        }
    }
}

#[tokio::test]
async fn a_document_that_is_wrong_is_explained_on_a_page_and_refused_at_the_token_endpoint() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let html = ResponseTemplate::new(200).set_body_raw("<h1>Hello</h1>", "text/html");
    let huge = ResponseTemplate::new(200).set_body_raw(format!("\"{}\"", "x".repeat(1_000_000)), "application/json");
    let moved = ResponseTemplate::new(302).insert_header("location", host.url("/good.json"));
    host.put_document("/good.json", &json!({})).await;
    let other = json!({"client_id": host.url("/good.json")});
    for (id, reason) in [
        (host.put_document("/other.json", &other).await, "Its client_id is not the URL at which it is"),
        (host.put_document("/name.json", &json!({"client_name": null})).await, "client_name is missing"),
        (
            host.put_document("/uris.json", &json!({"redirect_uris": null})).await,
            "redirect_uris must hold at least one",
        ),
        (host.put_document("/uri.json", &json!({"redirect_uris": ["javascript:x"]})).await, "redirect_uris, entry 1"),
        (host.put_document("/secret.json", &json!({"client_secret": "x"})).await, "it must not have client_secret"),
        (
            host.put_document("/basic.json", &json!({"token_endpoint_auth_method": "client_secret_basic"})).await,
            "token_endpoint_auth_method must be none",
        ),
        (host.put("/html.json", html).await, "its content type is not JSON"),
        (host.put("/huge.json", huge).await, "it is larger than 5120 bytes"),
        (host.put("/moved.json", moved).await, "a redirect, which is not followed"),
        (host.url("/nothing.json"), "status 404"),
        (format!("{}/", host.0.uri()), "must have a path"),
        (host.url("/a/../good.json"), "must not have . or .. in its path"),
        (host.url("/good.json#me"), "must not have a fragment"),
        (host.url("/good.json").replace("//", "//me@"), "must not carry a user name"),
        ("http://app.example.com/client.json".to_owned(), "must be an https URL"),
        ("https://10.0.0.1/client.json".to_owned(), "its host is not on the public internet"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "its host is not on the public internet"),
    ] {
        let page = begin(&app, &id).await;
        page.assert_error_page(400);
        assert!(page.text().to_lowercase().contains(&reason.to_lowercase()), "{id}: {}", page.body);
        let refused = client(&id).redeem(&app, "no-code").await;
        assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()), "{id}");
    }
    let reasons = app.audit();
    let refused = |record: &&Value| {
        record["operation_name"] == "auth.client_document_read" && record["operation_status"] == "error"
    };
    assert!(
        reasons
            .iter()
            .filter(refused)
            .any(|record| record["error"].as_str().unwrap().contains("client_name is missing"))
    );
}

#[tokio::test]
async fn a_host_that_is_away_is_no_reason_to_forget_a_client() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let id = host.put("/client.json", ResponseTemplate::new(503)).await;
    let page = begin(&app, &id).await;
    page.assert_error_page(503);
    assert_eq!(page.header("retry-after"), "5");
    let later = client(&id).refresh(&app, "no-token").await;
    assert_eq!(later.headers()["retry-after"], "5");
    assert_eq!(oauth_error(later).await, (503, "temporarily_unavailable".to_owned()));
    assert_eq!(host.fetches("/client.json").await, 2, "a failure is not kept");
}

#[tokio::test]
async fn the_operator_says_whose_clients_are_accepted() {
    let host = Host::start().await;
    let id = host.put_document("/client.json", &json!({})).await;
    let closed = json!({"enabled": false});
    for (setting, is_on, is_accepted) in [
        (json!({"client_metadata_documents": {"allowed_hosts": ["127.0.0.1"]}}), true, true),
        (json!({"client_metadata_documents": {"allowed_hosts": ["*.example.com"]}}), true, false),
        (json!({"client_metadata_documents": {"denied_hosts": ["127.0.0.1"]}}), true, false),
        (json!({"client_metadata_documents": closed}), false, false),
        (json!({"registration": closed}), false, false),
        (json!({"registration": closed, "client_metadata_documents": {"enabled": true}}), true, true),
    ] {
        let mut setup = Setup::default();
        for (name, value) in setting.as_object().unwrap() {
            setup.auth[name] = value.clone();
        }
        let app = TestApp::with(setup).await;
        let page = begin(&app, &id).await;
        if is_accepted {
            assert_eq!(page.form().action, "/consent");
        } else {
            page.assert_error_page(400);
        }
        let metadata: Value =
            app.get("/.well-known/oauth-authorization-server").send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["client_id_metadata_document_supported"], is_on, "{setting}");
    }
    assert_eq!(host.fetches("/client.json").await, 2);
}

#[tokio::test]
async fn a_server_for_others_does_not_ask_this_machine() {
    let host = Host::start().await;
    let id = host.put_document("/client.json", &json!({})).await;
    for http in [json!({"host": "127.0.0.1", "base_url": "https://mcp.example.com"}), json!({"host": "0.0.0.0"})] {
        let app = TestApp::with(Setup { http, ..Setup::default() }).await;
        begin(&app, &id).await.assert_error_page(400);
        let page = begin(&app, &id.replace("http://", "https://")).await;
        page.assert_error_page(400);
        assert!(page.text().contains("not on the public internet"), "{}", page.body);
    }
    assert_eq!(host.fetches("/client.json").await, 0);
}

#[tokio::test]
async fn errors_after_the_redirect_uri_go_to_the_client() {
    let app = TestApp::start().await;
    let host = Host::start().await;
    let client = client(&host.put_document("/client.json", &json!({})).await);
    let page = Browser::new(&app).open(client.authorize_url(&app, &[("code_challenge", None)])).await;
    assert_eq!(query_of(&page.location())["error"], "invalid_request");
}

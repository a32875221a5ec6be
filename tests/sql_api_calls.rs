//! SQL that asks an API for the person who calls, through the daemon and the commands.

use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens, query_of, text_of};
use crate::daemon_process::{mxcp, run};
use crate::upstream_support::{TEST_AUTHORITY, tls_server};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The SQL of the documentation, at another address.
fn repositories(api: &str) -> String {
    format!(
        "SELECT *\nFROM read_json_auto(\n    '{api}/user/repos',\n    headers = MAP {{\n        'Authorization': 'Bearer ' || \
         get_user_external_token(),\n        'User-Agent': 'MXCP'\n    }}\n);\n"
    )
}

/// A GitHub where a code is a person's name, and a token tells whose it is.
struct GitHub;

impl Respond for GitHub {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form: HashMap<_, _> = url::form_urlencoded::parse(&request.body).collect();
        let authorization = request.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
        let person = authorization.rsplit_once("token-of-").map_or("", |(_, person)| person);
        ResponseTemplate::new(200).set_body_json(match request.url.path() {
            "/login/oauth/access_token" => {
                json!({"access_token": format!("gho_token-of-{}", form["code"]), "token_type": "bearer", "scope": "repo"})
            }
            "/api/v3/user" => json!({"id": person.len(), "login": person, "name": person, "email": null}),
            "/user/repos" => json!([{"name": format!("repository-of-{person}")}]),
            _ => json!([]),
        })
    }
}

/// The daemon, and the provider whose API its tools ask.
async fn start() -> (TestApp, MockServer) {
    let github = MockServer::start().await;
    let refusal = ResponseTemplate::new(401).set_body_json(json!({"message": "Bad credentials"}));
    Mock::given(method("GET")).and(path("/refused/user/repos")).respond_with(refusal).mount(&github).await;
    Mock::given(wiremock::matchers::any()).respond_with(GitHub).mount(&github).await;
    let origin = github.uri();
    let auth = json!({"provider": "github", "github": {
        "client_id": "Ov23li", "client_secret": "secret-at-github", "callback_path": "/auth/callback",
        "auth_url": format!("{origin}/login/oauth/authorize"), "token_url": format!("{origin}/login/oauth/access_token"),
    }});
    let setup = Setup { auth, http_fetch: json!({"allow": ["127.0.0.1"]}), ..Setup::default() };
    let setup = setup
        .with_tool("repositories", &repositories(&origin))
        .with_tool("refused", &repositories(&format!("{origin}/refused")));
    (TestApp::with(setup).await, github)
}

async fn sign_in(app: &TestApp, client: &OAuthClient, person: &str) -> Tokens {
    let mut browser = Browser::new(app);
    let consent = browser.open(client.authorize_url(app, &[])).await;
    let at_provider = browser.submit(&consent, "approve", &[]).await.location();
    let state = &query_of(&at_provider)["state"];
    let callback = Url::parse_with_params(&app.url("/auth/callback"), [("code", person), ("state", state)]).unwrap();
    let answer = client.answer(&browser.open(callback).await);
    Tokens::of(client.redeem(app, &answer["code"]).await).await
}

async fn call(app: &TestApp, tokens: &Tokens, tool: &str) -> Value {
    app.call(&tokens.access, tool).send().await.unwrap().json().await.unwrap()
}

fn requests(received: &[Request]) -> Vec<String> {
    let at_api = received.iter().filter(|request| request.url.path() == "/user/repos");
    at_api.map(|request| request.headers["authorization"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_person_sees_their_own_repositories_by_their_own_token() {
    let (app, github) = start().await;
    let at_start = github.received_requests().await.unwrap();
    assert_eq!(requests(&at_start), [] as [&str; 0], "nothing is asked when tools are loaded");
    let client = OAuthClient::register(&app).await;
    let (ada, grace) = (sign_in(&app, &client, "ada").await, sign_in(&app, &client, "grace").await);
    let mut expected = Vec::new();
    for (person, tokens) in [("ada", &ada), ("grace", &grace), ("grace", &grace), ("ada", &ada)] {
        let text = text_of(&call(&app, tokens, "repositories").await);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"name": format!("repository-of-{person}")}));
        expected.push(format!("Bearer gho_token-of-{person}"));
        assert_eq!(requests(&github.received_requests().await.unwrap()), expected);
    }
    let refused = call(&app, &ada, "refused").await;
    let text = refused.to_string();
    assert!(text.contains("/refused/user/repos answered with status 401: Bad credentials"), "{text}");
    let records = serde_json::to_string(&app.audit()).unwrap();
    assert!(records.contains("answered with status 401: Bad credentials"), "{records}");
    for text in [text, records] {
        assert!(!text.contains("gho_") && !text.contains("__mxcp"), "{text}");
    }
}

/// A project without sign-ins, whose tool asks the API at that address.
fn project(api: &str) -> crate::config_project::Project {
    let setup = Setup {
        auth: json!({"provider": "none"}),
        http_fetch: json!({"allow": ["127.0.0.1", "localhost"], "timeout": "20s"}),
        ..Setup::default()
    };
    setup.with_tool("repositories", &repositories(api)).write()
}

async fn output(project: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command: Command = mxcp(project);
    command.args(arguments).args(["--json-output", "--debug"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

#[tokio::test]
async fn a_tool_is_tried_with_a_token_that_is_shown_nowhere() {
    let github = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(GitHub).mount(&github).await;
    let project = project(&github.uri());
    let user = r#"{"username": "ada", "external_token": "gho_token-of-ada"}"#;
    let run_tool = ["run", "tool", "repositories", "--user-context"];
    let (is_fine, text) = output(project.root(), &[run_tool.as_slice(), &[user]].concat()).await;
    assert!(is_fine && text.contains("repository-of-ada") && !text.contains("gho_"), "{text}");
    let wrong = user.replace("\"gho_token-of-ada\"", "7");
    let (is_fine, text) = output(project.root(), &[run_tool.as_slice(), &[&wrong]].concat()).await;
    assert!(!is_fine && text.contains("external_token in --user-context must be a text"), "{text}");
    assert_eq!(requests(&github.received_requests().await.unwrap()), ["Bearer gho_token-of-ada"]);
}

#[tokio::test]
async fn the_operator_asks_an_api_by_https() {
    let api = tls_server(|_| r#"[{"a": 7}]"#.to_owned()).await;
    let project = project("https://api.example");
    let url = format!("https://localhost:{}/data", api.port());
    let sql = "SELECT a FROM read_json($url, headers = MAP {'X-Key': 'a key of the operator'})";
    let parameter = format!("url={url}");
    let mut query = mxcp(project.root());
    query.env("SSL_CERT_FILE", TEST_AUTHORITY).args(["query", sql, "--param", &parameter, "--json-output"]);
    let text = tokio::task::spawn_blocking(move || run(&mut query)).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["result"], json!([{"a": 7}]));
    // The certificate is not one that everybody trusts.
    let (is_fine, text) = output(project.root(), &["query", sql, "--param", &parameter]).await;
    assert!(!is_fine && text.contains(&format!("GET {url} failed: the TLS handshake failed")), "{text}");
    assert!(!text.contains("a key of the operator"), "{text}");
}

#[tokio::test]
async fn a_setting_that_cannot_be_meant_is_refused() {
    let errors = |http_fetch: Value| Setup { http_fetch, ..Setup::default() }.write().errors().join("\n");
    assert_eq!(errors(json!({"allow": ["*.example.com", "10.0.0.0/8", "::1"], "timeout": "5s", "max_size": 4096})), "");
    for (http_fetch, expected) in [
        (json!({"allow": ["https://a.com"]}), "http_fetch.allow[0]: expected a host name such as api.example.com"),
        (json!({"allow": "a.com"}), "http_fetch.allow: "),
        (json!({"timeout": "0s"}), "http_fetch.timeout: must be longer than nothing"),
        (json!({"max_size": 0}), "http_fetch.max_size: expected a whole number from 1024 to 4294967296"),
        (json!({"allowed": []}), "http_fetch.allowed: unknown key; did you mean 'allow'?"),
    ] {
        let errors = errors(http_fetch);
        assert!(errors.contains(expected), "{errors}");
    }
}

//! What pages of other origins may do (the Fetch standard's CORS protocol): OAuth's endpoints are
//! open to all, the MCP endpoint to those that are known, our own pages to none.

use crate::common::{TestApp, header};
use reqwest::{Method, RequestBuilder, Response};

const HEADERS: &str =
    "authorization,content-type,last-event-id,mcp-method,mcp-name,mcp-protocol-version,mcp-session-id";
const OPEN: [(&str, &str); 6] = [
    ("/.well-known/oauth-authorization-server", "GET"),
    ("/.well-known/openid-configuration/mcp", "GET"),
    ("/.well-known/oauth-protected-resource/mcp", "GET"),
    ("/register", "POST"),
    ("/token", "POST"),
    ("/revoke", "POST"),
];

fn preflight(app: &TestApp, path: &str, method: &str, origin: &str) -> RequestBuilder {
    app.http
        .request(Method::OPTIONS, app.url(path))
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", HEADERS)
}

fn words(response: &Response, name: &str) -> Vec<String> {
    header(response, name).split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

fn assert_allows(response: &Response, path: &str, method: &str) {
    assert_eq!(response.status(), 200, "{path}");
    assert!(words(response, "access-control-allow-methods").contains(&method.to_ascii_lowercase()), "{path}");
    let allowed = words(response, "access-control-allow-headers");
    for name in HEADERS.split(',') {
        assert!(allowed.iter().any(|word| word == name), "{path}: {name} is not in {allowed:?}");
    }
    assert_eq!(header(response, "access-control-allow-credentials"), "", "{path}");
}

fn assert_exposes(response: &Response, path: &str) {
    let exposed = words(response, "access-control-expose-headers");
    for name in ["www-authenticate", "mcp-protocol-version", "mcp-session-id"] {
        assert!(exposed.iter().any(|word| word == name), "{path}: {name} is not in {exposed:?}");
    }
}

#[tokio::test]
async fn any_page_may_read_the_documents_and_use_the_endpoints_of_oauth() {
    let app = TestApp::start().await;
    for (path, method) in OPEN {
        let asked = preflight(&app, path, method, "https://anything.example").send().await.unwrap();
        assert_allows(&asked, path, method);
        assert_eq!(header(&asked, "access-control-allow-origin"), "*", "{path}");
        let request = app.http.request(method.parse().unwrap(), app.url(path));
        let answer = request.header("origin", "https://anything.example").send().await.unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin"), "*", "{path}: errors are readable too");
        assert_exposes(&answer, path);
    }
    let huge = app.post("/token").header("origin", "https://anything.example").body("x".repeat(200_000));
    let answer = huge.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-origin")), (413, "*"));
}

#[tokio::test]
async fn pages_that_are_known_may_call_and_read_the_challenge() {
    let app = TestApp::start().await;
    for origin in ["https://claude.ai", "https://chatgpt.com", "http://localhost:6274", "http://127.0.0.1:6276"] {
        for method in ["POST", "GET", "DELETE"] {
            let asked = preflight(&app, "/mcp", method, origin).send().await.unwrap();
            assert_allows(&asked, "/mcp", method);
            assert_eq!(header(&asked, "access-control-allow-origin"), origin);
        }
        let refused = app.post("/mcp").header("origin", origin).send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(header(&refused, "access-control-allow-origin"), origin);
        assert_exposes(&refused, "/mcp");
    }
    let strange = app.post("/mcp").header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(strange.status(), 403);
    assert_eq!(header(&strange, "access-control-allow-origin"), "");
    let asked = preflight(&app, "/mcp", "POST", "https://evil.example").send().await.unwrap();
    assert_ne!(header(&asked, "access-control-allow-origin"), "https://evil.example");
}

#[tokio::test]
async fn no_page_may_reach_into_ours() {
    let app = TestApp::start().await;
    for (path, method) in
        [("/authorize", "GET"), ("/consent", "POST"), ("/login", "POST"), ("/logout", "POST"), ("/", "GET")]
    {
        for origin in ["https://evil.example", "https://claude.ai"] {
            let asked = preflight(&app, path, method, origin).send().await.unwrap();
            assert!(!asked.status().is_success(), "{path}");
            assert_eq!(header(&asked, "access-control-allow-origin"), "", "{path}");
            let request = app.http.request(method.parse().unwrap(), app.url(path)).header("origin", origin);
            let answer = request.send().await.unwrap();
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_not_answered_to() {
    let app = TestApp::start().await;
    for path in ["/", "/mcp", "/authorize", "/token", "/.well-known/oauth-authorization-server"] {
        let request = app.get(path).header("host", "rebound.evil.example");
        assert_eq!(request.send().await.unwrap().status(), 421, "{path}");
    }
}

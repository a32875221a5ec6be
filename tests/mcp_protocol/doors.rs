//! Who gets in: tokens, scopes, audiences, host names and web pages.

use super::rig::{Setup, TestServer, initialize, legacy};
use mxcp_actors::model::session::EndReason;
use reqwest::{Method, Response};
use serde_json::{Value, json};

fn challenge(answer: &Response) -> String {
    answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[actix_web::test]
async fn without_a_token_the_challenge_says_where_to_get_one_and_names_no_error() {
    let server = TestServer::start(Setup::default()).await;
    for method in [Method::POST, Method::GET, Method::DELETE, Method::PUT] {
        let answer = server.request(method.clone()).body("not even JSON").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{method}");
        let expected = format!(
            "Bearer resource_metadata=\"{}.well-known/oauth-protected-resource/mcp\", scope=\"mxcp:access\"",
            server.base
        );
        assert_eq!(challenge(&answer), expected, "{method}");
        assert!(answer.json::<Value>().await.unwrap()["error_description"].is_string());
    }
}

#[actix_web::test]
async fn a_token_that_is_not_ours_is_an_invalid_token() {
    let server = TestServer::start(Setup::default()).await;
    let foreign = server.token_for("alice", "client", "mxcp:access", "https://elsewhere.example/mcp").await;
    for token in ["nonsense", "a b", &foreign] {
        let answer = server.post(token, &initialize("2025-11-25")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token}");
        assert!(challenge(&answer).starts_with("Bearer error=\"invalid_token\", error_description=\""), "{token}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_token");
    }
}

#[actix_web::test]
async fn a_token_in_the_query_is_not_looked_at_and_with_another_refused() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let url = format!("{}mcp?access_token={token}", server.base);
    let alone = server.http.post(&url).json(&initialize("2025-11-25")).send().await.unwrap();
    assert_eq!(alone.status(), 401);
    assert!(!challenge(&alone).contains("error="));
    let both = server.http.post(&url).bearer_auth(&token).json(&initialize("2025-11-25")).send().await.unwrap();
    assert_eq!(both.status(), 400);
    assert!(challenge(&both).contains("error=\"invalid_request\""));
}

#[actix_web::test]
async fn a_token_without_a_required_scope_is_told_all_that_is_needed() {
    let setup = Setup { required_scopes: "mxcp:read mxcp:write", ..Setup::default() };
    let server = TestServer::start(setup).await;
    let resource = format!("{}mcp", server.base);
    let narrow = server.token_for("alice", "client", "mxcp:access mxcp:read", &resource).await;
    let answer = server.post(&narrow, &initialize("2025-11-25")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let text = challenge(&answer);
    assert!(text.starts_with("Bearer error=\"insufficient_scope\""), "{text}");
    assert!(text.contains("scope=\"mxcp:access mxcp:read mxcp:write\""), "{text}");
    assert!(text.contains("resource_metadata=\""), "{text}");
    let wide = server.token_for("alice", "client", "mxcp:read mxcp:write", &resource).await;
    assert_eq!(server.post(&wide, &initialize("2025-11-25")).send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_revoked_token_is_refused_over_an_open_session() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let ping = legacy(&json!(1), "ping", &json!({}));
    let before = server.post(&token, &ping).header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(before.status(), 200);
    let sessions = &server.supervisor.handles().sessions;
    let id = sessions.verify_access_token(&token).unwrap().principal.session_id.clone().unwrap();
    sessions.end_session(id, EndReason::Revoked).await.unwrap();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let request = server.request(method).bearer_auth(&token).header("mcp-session-id", &session);
        let answer = request.json(&ping).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(challenge(&answer).contains("error=\"invalid_token\""));
    }
}

#[actix_web::test]
async fn many_refusals_keep_one_connection() {
    let server = TestServer::start(Setup::default()).await;
    let body = "x".repeat(10_000);
    for _ in 0..3 {
        let answer = server.request(Method::POST).bearer_auth("bad").body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers().get("connection"), None);
        answer.bytes().await.unwrap();
    }
}

#[actix_web::test]
async fn without_authentication_everybody_is_served_as_nobody() {
    let server = TestServer::start(Setup { is_protected: false, ..Setup::default() }).await;
    let call = legacy(&json!(1), "tools/call", &json!({"name": "greet", "arguments": {"name": "Ada"}}));
    let session = server.open_mcp_session("ignored").await;
    let answer = server.request(Method::POST).header("mcp-session-id", session).json(&call).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["result"]["isError"], false);
}

#[actix_web::test]
async fn a_strange_host_name_is_misdirected_and_the_answer_says_what_to_set() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let ask = |host: String| server.post(&token, &initialize("2025-11-25")).header("host", host).send();
    let answer = ask("evil.example".to_owned()).await.unwrap();
    assert_eq!(answer.status(), 421);
    assert!(answer.text().await.unwrap().contains("transport.http.base_url"));
    let port = server.base.port().unwrap();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(ask(host.clone()).await.unwrap().status(), 200, "{host}");
    }
}

#[actix_web::test]
async fn pages_that_may_not_call_are_refused_before_tokens_are_looked_at() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let ask = |origin: &str| server.post(&token, &initialize("2025-11-25")).header("origin", origin).send();
    for origin in ["https://evil.example", "null"] {
        let answer = ask(origin).await.unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
        assert_eq!(answer.headers().get("access-control-allow-origin"), None);
    }
    for origin in ["http://localhost:6274", "https://app.example.com", "https://claude.ai"] {
        let answer = ask(origin).await.unwrap();
        assert_eq!(answer.status(), 200, "{origin}");
        assert_eq!(answer.headers()["access-control-allow-origin"], origin);
        assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
        let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
        for header in ["www-authenticate", "mcp-protocol-version", "mcp-session-id"] {
            assert!(exposed.contains(header), "{exposed}");
        }
    }
}

#[actix_web::test]
async fn a_page_may_read_a_refusal() {
    let server = TestServer::start(Setup::default()).await;
    let answer = server.request(Method::POST).header("origin", "http://localhost:6274").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["access-control-allow-origin"], "http://localhost:6274");
    assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("www-authenticate"));
}

#[actix_web::test]
async fn a_preflight_needs_no_token() {
    let server = TestServer::start(Setup::default()).await;
    let headers =
        "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id";
    for method in ["GET", "POST", "DELETE"] {
        let preflight = server
            .request(Method::OPTIONS)
            .header("origin", "http://localhost:6274")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{method}");
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
        for header in headers.split(", ") {
            assert!(allowed.contains(header), "{allowed}");
        }
        assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains(method));
    }
}

#[actix_web::test]
async fn the_endpoint_answers_with_a_slash_behind_it_too() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let url = format!("{}mcp/", server.base);
    let answer = server.http.post(url).bearer_auth(token).json(&initialize("2025-11-25")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

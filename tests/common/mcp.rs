//! Calls of tools, as clients of the newest revision make them.

use super::TestApp;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// The handshake of the revisions before the newest.
pub(crate) fn legacy_initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }})
}

impl TestApp {
    /// A request to the MCP endpoint with that body.
    pub(crate) fn mcp(&self, body: &Value) -> RequestBuilder {
        self.post("/mcp").header("accept", "application/json, text/event-stream").json(body)
    }

    /// A call of a tool without arguments.
    pub(crate) fn call(&self, token: &str, tool: &str) -> RequestBuilder {
        call(&self.http, &self.address, tool).bearer_auth(token)
    }

    /// The status of a call with that token.
    pub(crate) async fn status_with(&self, token: &str) -> u16 {
        self.call(token, "whoami").send().await.unwrap().status().as_u16()
    }

    /// Who the daemon says is calling.
    pub(crate) async fn whoami(&self, token: &str) -> String {
        let response = self.call(token, "whoami").send().await.unwrap();
        assert_eq!(response.status(), 200);
        text_of(&response.json().await.unwrap())
    }
}

/// A call of a tool without arguments at any daemon.
pub(crate) fn call(http: &Client, address: &str, tool: &str) -> RequestBuilder {
    modern(http, address, "tools/call", json!({"name": tool, "arguments": {}})).header("mcp-name", tool)
}

/// A subscription at any daemon.
pub(crate) fn listen(http: &Client, address: &str) -> RequestBuilder {
    modern(http, address, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}))
}

/// A request of the newest revision.
pub(crate) fn modern(http: &Client, address: &str, method: &str, mut params: Value) -> RequestBuilder {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    http.post(format!("{address}/mcp"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

/// The text of a tool's result.
pub(crate) fn text_of(answer: &Value) -> String {
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

//! How to connect the usual clients to this server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

/// What one client needs.
#[derive(Debug, Serialize)]
pub(super) struct Snippet {
    client: &'static str,
    how: &'static str,
    text: String,
    /// A link that does it at once, where the client has such links.
    link: Option<String>,
}

/// What to give the usual clients; `url` is that of the MCP endpoint.
pub(super) fn snippets(project: &str, url: &str) -> Vec<Snippet> {
    let name = short_name(project);
    let cursor = json!({"url": url});
    let vs_code = json!({"name": name, "type": "http", "url": url});
    let cursor_link = format!(
        "cursor://anysphere.cursor-deeplink/mcp/install?name={name}&config={}",
        percent_encoding::utf8_percent_encode(&STANDARD.encode(cursor.to_string()), percent_encoding::NON_ALPHANUMERIC)
    );
    let vs_code_link = format!(
        "vscode:mcp/install?{}",
        percent_encoding::utf8_percent_encode(&vs_code.to_string(), percent_encoding::NON_ALPHANUMERIC)
    );
    vec![
        Snippet {
            client: "Claude",
            how: "Settings, Connectors, Add custom connector, then this URL:",
            text: url.to_owned(),
            link: None,
        },
        Snippet {
            client: "Claude Code",
            how: "In a terminal:",
            text: format!("claude mcp add --transport http {name} {url}"),
            link: None,
        },
        Snippet {
            client: "Cursor",
            how: "In .cursor/mcp.json:",
            text: json!({"mcpServers": {name.as_str(): cursor}}).to_string(),
            link: Some(cursor_link),
        },
        Snippet {
            client: "VS Code",
            how: "In a terminal:",
            text: format!("code --add-mcp '{vs_code}'"),
            link: Some(vs_code_link),
        },
        Snippet {
            client: "MCP Inspector",
            how: "In a terminal, then choose Streamable HTTP and this server's URL:",
            text: format!("npx @modelcontextprotocol/inspector --transport http --server-url {url}"),
            link: None,
        },
    ]
}

/// A name that every client and shell takes as it is.
fn short_name(project: &str) -> String {
    let name: String = project.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_ascii_lowercase();
    if name.is_empty() { "mxcp".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_name_cannot_break_a_command() {
        assert_eq!(short_name("My Shop; rm -rf /"), "my-shop--rm--rf");
        assert_eq!(short_name("日本"), "mxcp");
        let texts: Vec<String> = snippets("x'y", "http://localhost:8000/mcp").into_iter().map(|s| s.text).collect();
        assert!(texts.iter().all(|text| text.contains("http://localhost:8000/mcp")));
        assert!(texts.iter().all(|text| !text.contains("x'y")));
    }
}

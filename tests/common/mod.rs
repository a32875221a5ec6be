//! What the tests of the whole daemon share: a daemon in process, a browser, an OAuth client and
//! a caller of tools. Each of them speaks HTTP and knows nothing of the daemon's inside.

mod app;
mod browser;
mod github;
mod html;
mod mcp;
mod oauth_client;
mod provider;

pub(crate) use app::{Setup, TestApp, audit_of};
pub(crate) use browser::{Browser, Page, set_cookies};
pub(crate) use github::GitHubApp;
pub(crate) use mcp::{call, legacy_initialize, listen, modern, text_of};
pub(crate) use oauth_client::{OAuthClient, REDIRECT_URI, Tokens, VERIFIER, basic, give_password, query_of};
pub(crate) use provider::{FakeProvider, UPSTREAM_TOKEN};

use reqwest::Response;
use serde_json::Value;

/// Text that a test compares with what it got; a header that is not there is the empty text.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Reads an answer that must be an error as OAuth writes it, and returns its code.
pub(crate) async fn oauth_error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: Value = response.json().await.unwrap();
    let description = body["error_description"].as_str().unwrap_or_default();
    assert!(!description.is_empty(), "{body}");
    (status, body["error"].as_str().unwrap().to_owned())
}

/// Parameters of a query or a form, in order.
pub(crate) type Pairs = Vec<(String, String)>;

/// Replaces, adds or (with `None`) removes a parameter.
pub(crate) fn change(pairs: &mut Pairs, name: &str, value: Option<&str>) {
    pairs.retain(|(other, _)| other != name);
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

/// Owned pairs.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

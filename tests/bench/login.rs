//! Logging in as a client and its user do: registration, consent, password, code, token.

use super::project::{Project, USERNAME};
use anyhow::{Context as _, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use url::Url;

const CALLBACK: &str = "http://127.0.0.1:1/callback";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rules-of-pkce";
/// Pages on the way to a code.
const PAGES_MAX: usize = 6;

/// A browser, as far as a login needs one.
struct Browser<'a> {
    base: String,
    client: Client,
    cookies: Vec<(String, String)>,
    project: &'a Project,
}

/// Logs in and returns an access token.
///
/// # Errors
/// When a step does not lead to the next.
pub(crate) async fn log_in(address: SocketAddr, project: &Project) -> anyhow::Result<String> {
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let mut browser = Browser { base: format!("http://{address}"), client, cookies: Vec::new(), project };
    let client_id = browser.register().await?;
    let code = browser.authorize(&client_id).await?;
    browser.redeem(&client_id, &code).await
}

impl Browser<'_> {
    async fn register(&self) -> anyhow::Result<String> {
        let metadata = json!({
            "client_name": "bench",
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
        });
        let answer = self.client.post(format!("{}/register", self.base)).json(&metadata).send().await?;
        text_of(&answer.error_for_status()?.json().await?, "client_id")
    }

    /// Follows redirects and answers pages until the code comes.
    async fn authorize(&mut self, client_id: &str) -> anyhow::Result<String> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("state", "bench"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut answer = self.send(self.client.get(format!("{}/authorize", self.base)).query(&query)).await?;
        for _ in 0..PAGES_MAX {
            if let Some(location) = answer.headers().get(LOCATION) {
                let location = Url::parse(&self.base)?.join(location.to_str()?)?;
                if location.as_str().starts_with(CALLBACK) {
                    let code = location.query_pairs().find(|(name, _)| name == "code");
                    return code.map(|(_, code)| code.into_owned()).ok_or_else(|| anyhow!("refused: {location}"));
                }
                answer = self.send(self.client.get(location)).await?;
            } else {
                let page = answer.error_for_status()?.text().await?;
                answer = self.submit(&page).await?;
            }
        }
        Err(anyhow!("no code came"))
    }

    /// Says yes to the consent page, and its password to the login page.
    async fn submit(&mut self, page: &str) -> anyhow::Result<Response> {
        let path = between(page, "action=\"", "\"").context("a page without a form")?;
        let hidden = |name: &str| between(page, &format!("name=\"{name}\" value=\""), "\"").unwrap_or_default();
        let form = [
            ("login", hidden("login")),
            ("csrf", hidden("csrf")),
            ("decision", "approve"),
            ("username", USERNAME),
            ("password", self.project.password.expose()),
        ];
        let request = self.client.post(format!("{}{path}", self.base)).header("origin", &self.base).form(&form);
        self.send(request).await
    }

    async fn send(&mut self, request: RequestBuilder) -> anyhow::Result<Response> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.ok_or_else(|| anyhow!("a cookie without a value"))?;
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        Ok(answer)
    }

    async fn redeem(&self, client_id: &str, code: &str) -> anyhow::Result<String> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.client.post(format!("{}/token", self.base)).form(&form).send().await?;
        ensure!(answer.status().is_success(), "no token was given: {}", answer.text().await?);
        text_of(&answer.json().await?, "access_token")
    }
}

fn text_of(answer: &Value, key: &str) -> anyhow::Result<String> {
    answer.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| anyhow!("an answer without {key}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

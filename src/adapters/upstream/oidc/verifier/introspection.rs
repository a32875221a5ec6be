//! The introspection endpoint of an issuer (RFC 7662).

use super::super::signed_token::Claims;
use super::settings::IntrospectionClient;
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::error::{check_status, no_answer, unusable};
use crate::adapters::upstream::form::{ClientCredentials, post_form};
use http::StatusCode;
use mxcp_actors::model::secret::{Secret, TokenHash};
use mxcp_actors::ports::upstream_idp::UpstreamError;
use oauth2::AuthType;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::timeout;
use url::Url;

/// How many tokens are asked about at the same time: whoever makes tokens up must not make us
/// flood the issuer.
const REQUESTS_MAX: usize = 64;
/// How long a token may wait for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How many queues the tokens wait in. Two that share one wait for each other, which costs time
/// and nothing else.
const QUEUES: usize = 1_024;

/// Where the issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint<'a> {
    /// Carries the requests.
    pub(super) http: &'a HttpClient,
    /// The issuer's name, for errors.
    pub(super) provider: &'a str,
    /// Where it is.
    pub(super) url: &'a Url,
    /// Whether identifier and secret travel in the header or in the body.
    pub(super) auth_type: &'a AuthType,
}

/// Asks an issuer about tokens: about one token once at a time, and about not too many at once.
#[derive(Debug)]
pub(super) struct Introspection {
    client: IntrospectionClient,
    requests: Semaphore,
    queues: Vec<Mutex<()>>,
}

impl Introspection {
    /// Asks as that client.
    pub(super) fn new(client: IntrospectionClient) -> Self {
        let queues = (0..QUEUES).map(|_| Mutex::new(())).collect();
        Self { client, requests: Semaphore::new(REQUESTS_MAX), queues }
    }

    /// Waits until nobody else asks about the token.
    pub(super) async fn take_turn(&self, token: &TokenHash) -> Option<MutexGuard<'_, ()>> {
        let number = token.as_bytes().first_chunk().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        let queue = self.queues.get(number % QUEUES)?;
        timeout(WAIT_MAX, queue.lock()).await.ok()
    }

    /// What the issuer says about `token`; `None` when it says that it is not active.
    ///
    /// # Errors
    /// When it says nothing, or nothing that is of use.
    pub(super) async fn ask(&self, endpoint: Endpoint<'_>, token: &Secret) -> Result<Option<Claims>, UpstreamError> {
        let Endpoint { http, provider, url, auth_type } = endpoint;
        let credentials =
            ClientCredentials { id: &self.client.client_id, secret: &self.client.client_secret, auth_type };
        let fields = [("token", token.expose()), ("token_type_hint", "access_token")];
        let request = post_form(url, credentials, &fields)
            .ok_or_else(|| unusable(provider, "the introspection request could not be built"))?;
        let busy = || unusable(provider, "too many tokens wait for its introspection endpoint");
        let _place = timeout(WAIT_MAX, self.requests.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)?;
        let response = http.send(request).await.map_err(|fault| no_answer(provider, "a token's state", &fault))?;
        check_status(provider, "a token's state", &response)?;
        read(&response).map_err(|problem| unusable(provider, problem))
    }
}

fn read(response: &http::Response<Vec<u8>>) -> Result<Option<Claims>, String> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let status = response.status().as_u16();
            return Err(format!(
                "its introspection endpoint refused this server with status {status}; are client_id and client_secret \
                 right, and may that client introspect?"
            ));
        }
        status => return Err(format!("its introspection endpoint answered with status {}", status.as_u16())),
    }
    // The parser's own error could quote the answer.
    let Ok(Value::Object(answer)) = serde_json::from_slice(response.body()) else {
        return Err("its introspection answer is not a JSON object".to_owned());
    };
    match answer.get("active") {
        Some(Value::Bool(true)) => Ok(Some(answer)),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err("its introspection answer does not say whether the token is active".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Result<Option<Claims>, String> {
        read(&http::Response::builder().status(status).body(body.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn only_the_word_true_makes_a_token_active() {
        let claims = answer(200, r#"{"active": true, "sub": "7"}"#).unwrap().unwrap();
        assert_eq!(claims["sub"], json!("7"));
        assert_eq!(answer(200, r#"{"active": false, "sub": "7"}"#), Ok(None));
        for body in [r#"{"active": "true"}"#, r#"{"active": 1}"#, "{}", "[]", "true", "", "<html>"] {
            assert!(answer(200, body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_refusal_of_ourselves_is_no_word_about_the_token() {
        for status in [400, 401, 403] {
            assert!(answer(status, r#"{"active": true}"#).unwrap_err().contains("client_secret"), "{status}");
        }
        assert!(answer(404, r#"{"active": true}"#).is_err());
        assert!(answer(204, "").is_err());
    }
}

//! Ending one token at GitHub, which has its own endpoint for that instead of RFC 7009.
//!
//! It takes access tokens only. Where an app's tokens expire they are refreshed ahead of their end,
//! so the one that is named here still works as a rule.

use super::{API_HEADERS, NAME};
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::error::{check_status, no_answer, unusable};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::{RevocationResult, UpstreamError};
use serde_json::json;
use url::Url;

/// Where the tokens of our app are ended.
pub(super) fn url(api: &str, client_id: &str) -> Option<Url> {
    let mut url = Url::parse(api).ok()?;
    url.path_segments_mut().ok()?.extend(["applications", client_id, "token"]);
    Some(url)
}

/// Ends `token`; the app itself asks, not the person.
///
/// # Errors
/// When there is no answer, or it is a refusal.
pub(super) async fn revoke(
    http: &HttpClient,
    url: &Url,
    (client_id, client_secret): (&str, &Secret),
    token: &Secret,
) -> Result<RevocationResult, UpstreamError> {
    let request = prepare(url, (client_id, client_secret), token)
        .ok_or_else(|| unusable(NAME, "the request that revokes a token could not be built"))?;
    let response = http.send(request).await.map_err(|fault| no_answer(NAME, "revocation", &fault))?;
    check_status(NAME, "revocation", &response)?;
    match response.status() {
        // Not found and not valid both mean that the token had ended before.
        status if status.is_success() => Ok(RevocationResult::Revoked),
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => Ok(RevocationResult::Revoked),
        status => Err(unusable(NAME, format!("asked to revoke a token, it answered with status {}", status.as_u16()))),
    }
}

fn prepare(url: &Url, (id, secret): (&str, &Secret), token: &Secret) -> Option<http::Request<Vec<u8>>> {
    let credentials = STANDARD.encode(format!("{id}:{}", secret.expose()));
    let mut authorization = HeaderValue::from_str(&format!("Basic {credentials}")).ok()?;
    authorization.set_sensitive(true);
    let mut builder = http::Request::delete(url.as_str())
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in API_HEADERS {
        builder = builder.header(*name, *value);
    }
    builder.body(json!({"access_token": token.expose()}).to_string().into_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_one_segment_of_the_path() {
        for (api, id, expected) in [
            ("https://api.github.com", "Ov23li", "https://api.github.com/applications/Ov23li/token"),
            (
                "https://git.example.com/api/v3",
                "a/../b",
                "https://git.example.com/api/v3/applications/a%2F..%2Fb/token",
            ),
        ] {
            assert_eq!(url(api, id).unwrap().as_str(), expected);
        }
    }
}

//! GET requests for JSON at a provider.

use super::error::{check_status, no_answer, unusable};
use crate::adapters::http_client::HttpClient;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde_json::Value;
use std::future::Future;
use std::time::Duration;

/// How long is waited for what a login can do without. The whole login has a minute.
const EXTRA_TIMEOUT: Duration = Duration::from_secs(10);

/// One GET request.
pub(super) struct JsonRequest<'a> {
    /// The provider's name, for errors.
    pub(super) provider: &'a str,
    /// What is asked for, in words: `its user profile`.
    pub(super) what: &'static str,
    /// Where.
    pub(super) url: &'a str,
    /// The token to ask with.
    pub(super) bearer: Option<&'a Secret>,
    /// More headers, names in lower case.
    pub(super) headers: &'a [(&'static str, &'static str)],
}

/// Gets a document.
///
/// # Errors
/// Also when the status is not 200.
pub(super) async fn get_json(http: &HttpClient, request: &JsonRequest<'_>) -> Result<Value, UpstreamError> {
    let response = get(http, request).await?;
    if response.status() != StatusCode::OK {
        let detail = format!("asked for {}, it answered with status {}", request.what, response.status().as_u16());
        return Err(unusable(request.provider, detail));
    }
    parse(request, response.body())
}

/// Gets a document that the token may not be allowed to see: `None` when it is not.
pub(super) async fn get_json_if_allowed(
    http: &HttpClient,
    request: &JsonRequest<'_>,
) -> Result<Option<Value>, UpstreamError> {
    let response = get(http, request).await?;
    if response.status() != StatusCode::OK {
        return Ok(None);
    }
    parse(request, response.body()).map(Some)
}

async fn get(http: &HttpClient, request: &JsonRequest<'_>) -> Result<http::Response<Vec<u8>>, UpstreamError> {
    let prepared = prepare(request)
        .ok_or_else(|| unusable(request.provider, format!("the request for {} could not be built", request.what)))?;
    let response = http.send(prepared).await.map_err(|fault| no_answer(request.provider, request.what, &fault))?;
    check_status(request.provider, request.what, &response)?;
    Ok(response)
}

fn prepare(request: &JsonRequest<'_>) -> Option<http::Request<Vec<u8>>> {
    let mut builder = http::Request::get(request.url);
    if let Some(token) = request.bearer {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    if !request.headers.iter().any(|(name, _)| *name == ACCEPT) {
        builder = builder.header(ACCEPT, "application/json");
    }
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Vec::new()).ok()
}

/// Does what a login can do without, if it does not take long.
///
/// # Errors
/// Those of `work`, or that it took too long.
pub(super) async fn in_good_time<T>(
    provider: &str,
    work: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    let is_late = |_| UpstreamError::Unreachable {
        provider: provider.to_owned(),
        what: "more about the person",
        detail: format!("it did not answer within {} s", EXTRA_TIMEOUT.as_secs()),
    };
    tokio::time::timeout(EXTRA_TIMEOUT, work).await.map_err(is_late)?
}

/// A field that is a text and not empty.
pub(super) fn text(document: &Value, field: &str) -> Option<String> {
    document.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What stands before the `@` of an address, unless that is nothing.
pub(super) fn local_part(address: &str) -> Option<String> {
    address.split('@').next().filter(|part| !part.is_empty()).map(str::to_owned)
}

fn parse(request: &JsonRequest<'_>, body: &[u8]) -> Result<Value, UpstreamError> {
    // The parser's own error could quote the document.
    serde_json::from_slice(body)
        .map_err(|_| unusable(request.provider, format!("asked for {}, it did not answer with JSON", request.what)))
}

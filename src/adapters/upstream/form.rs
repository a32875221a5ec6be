//! Forms that we post to a provider as one of its clients (RFC 6749 section 2.3.1).
//!
//! Written here and not with the `oauth2` crate, which takes no such endpoint without TLS, not
//! even on this machine, where our other endpoints may be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use mxcp_actors::model::secret::Secret;
use oauth2::AuthType;
use url::{Url, form_urlencoded};

/// Who we are at a provider, and how we prove it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientCredentials<'a> {
    /// Our identifier.
    pub(super) id: &'a str,
    /// Our secret; empty when the provider gave none.
    pub(super) secret: &'a Secret,
    /// Whether identifier and secret travel in the header or in the body.
    pub(super) auth_type: &'a AuthType,
}

/// Writes a form; `None` when the URL cannot be asked.
pub(super) fn post_form(
    url: &Url,
    credentials: ClientCredentials<'_>,
    fields: &[(&str, &str)],
) -> Option<http::Request<Vec<u8>>> {
    let mut builder = http::Request::post(url.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    if matches!(credentials.auth_type, AuthType::BasicAuth) && !credentials.secret.is_empty() {
        builder = builder.header(AUTHORIZATION, basic(credentials)?);
    } else {
        form.append_pair("client_id", credentials.id);
        if !credentials.secret.is_empty() {
            form.append_pair("client_secret", credentials.secret.expose());
        }
    }
    builder.body(form.finish().into_bytes()).ok()
}

/// Identifier and secret, both form-encoded.
fn basic(credentials: ClientCredentials<'_>) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(credentials.id), encode(credentials.secret.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

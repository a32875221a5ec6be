//! One identifier per request: in the answer's header, in the log, and in the audit record.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken over from a proxy.
const TAKEN_OVER_MAX: usize = 64;

thread_local! {
    /// A random start for each worker, so that counting up from it is enough. It is not a
    /// secret: knowing an identifier grants nothing.
    static NEXT: Cell<u128> = Cell::new(uuid::Uuid::new_v4().as_u128());
}

/// The identifier of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The identifier of `request`; `None` outside the middleware.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// The identifier of `request` as text, for records.
    #[must_use]
    pub fn text_of(request: &HttpRequest) -> Option<String> {
        Self::of(request).map(|id| id.as_str().to_owned())
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn next() -> Self {
        let number = NEXT.with(|next| next.replace(next.get().wrapping_add(1)));
        let mut text = String::with_capacity(32);
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{number:032x}");
        Self(text.into())
    }

    /// A proxy's identifier, so that its log and ours can be read side by side; only if it cannot
    /// upset a log line.
    fn taken_over(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let fits = !text.is_empty() && text.len() <= TAKEN_OVER_MAX && text.bytes().all(is_harmless);
        fits.then(|| Self(text.into()))
    }
}

/// Gives every request its identifier and sends it back. For [`actix_web::middleware::from_fn`].
///
/// # Errors
/// Those of the inner service.
pub async fn assign(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request.headers().get(&HEADER).and_then(RequestId::taken_over).unwrap_or_else(RequestId::next);
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER.clone(), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_do_not_repeat() {
        let (first, second) = (RequestId::next(), RequestId::next());
        assert_ne!(first, second);
        assert_eq!(first.as_str().len(), 32);
    }

    #[test]
    fn a_proxys_identifier_is_taken_over_unless_it_could_upset_a_log() {
        let taken = |text: &str| RequestId::taken_over(&HeaderValue::from_str(text).unwrap());
        assert_eq!(taken("abc-1._Z").unwrap().as_str(), "abc-1._Z");
        for bad in ["", "a b", "a\"b", "a=b", &"x".repeat(65)] {
            assert_eq!(taken(bad), None, "{bad:?}");
        }
    }
}

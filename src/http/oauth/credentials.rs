//! How a client says who it is (RFC 6749 section 2.3, RFC 7617).

use super::form::Parameters;
use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mxcp_actors::model::client::{AuthMethod, ClientCredentials};
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::secret::Secret;

/// Reads the client's credentials from the header or the form, never from both.
///
/// # Errors
/// `invalid_client` when there are none or they cannot be read, `invalid_request` when there
/// are two kinds at once.
pub(super) fn read(request: &HttpRequest, form: &Parameters) -> Result<ClientCredentials, OAuthError> {
    let in_form = form.first("client_id");
    let secret = form.secret("client_secret");
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        let client_id = in_form.ok_or_else(|| invalid_client("client_id is missing"))?;
        let method = if secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
        return Ok(ClientCredentials { client_id: ClientId::new(client_id), method, secret });
    };
    let (client_id, basic_secret) =
        header.to_str().ok().and_then(read_basic).ok_or_else(|| {
            invalid_client("the Authorization header is not HTTP Basic with client_id and client_secret")
        })?;
    if secret.is_some() || in_form.is_some_and(|id| id != client_id) {
        let text = "the client may use the Authorization header or the form to prove itself, not both";
        return Err(OAuthError::new(OAuthErrorCode::InvalidRequest, text));
    }
    let secret = (!basic_secret.is_empty()).then_some(basic_secret);
    Ok(ClientCredentials { client_id: ClientId::new(client_id), method: AuthMethod::ClientSecretBasic, secret })
}

fn invalid_client(text: &str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidClient, text)
}

/// Both halves are form-encoded inside (RFC 6749 section 2.3.1).
fn read_basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let (client_id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decode(client_id)?, Secret::new(form_decode(secret)?)))
}

fn form_decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn basic(text: &str) -> HttpRequest {
        let value = format!("Basic {}", STANDARD.encode(text));
        TestRequest::post().insert_header((AUTHORIZATION, value)).to_http_request()
    }

    #[test]
    fn both_halves_of_a_basic_header_are_decoded() {
        let read = read(&basic("my%20app:s%3Ae+c%25"), &Parameters::default()).unwrap();
        assert_eq!(read.client_id.as_str(), "my app");
        assert_eq!(read.secret.unwrap().expose(), "s:e c%");
    }

    #[test]
    fn two_kinds_at_once_are_refused() {
        let form = Parameters::parse(b"client_id=a&client_secret=x");
        assert_eq!(read(&basic("a:x"), &form).unwrap_err().code, OAuthErrorCode::InvalidRequest);
        let other = Parameters::parse(b"client_id=b");
        assert_eq!(read(&basic("a:x"), &other).unwrap_err().code, OAuthErrorCode::InvalidRequest);
        let same = Parameters::parse(b"client_id=a");
        assert!(read(&basic("a:x"), &same).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_no_client() {
        for header in ["Basic", "Basic !!", "Bearer x", "Basic YQ=="] {
            let request = TestRequest::post().insert_header((AUTHORIZATION, header)).to_http_request();
            let error = read(&request, &Parameters::default()).unwrap_err();
            assert_eq!(error.code, OAuthErrorCode::InvalidClient, "{header}");
        }
    }
}

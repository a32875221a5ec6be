//! How a client says who it is (RFC 6749 section 2.3, RFC 7617, RFC 7521 section 4.2).

use super::form::Parameters;
use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mxcp_actors::model::client::{ClientCredentials, ClientProof};
use mxcp_actors::model::client_assertion::ClientAssertion;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::secret::Secret;

/// The one kind of assertion that proves a client (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Reads the client's credentials from the header or the form, never from both, and never of two
/// kinds.
///
/// # Errors
/// `invalid_client` when there are none or they cannot be read, `invalid_request` when there
/// are two kinds at once.
pub(super) fn read(request: &HttpRequest, form: &Parameters) -> Result<ClientCredentials, OAuthError> {
    let in_form = form.first("client_id");
    let secret = form.secret("client_secret");
    let header = request.headers().get(AUTHORIZATION);
    if let Some(assertion) = read_assertion(form)? {
        if secret.is_some() || header.is_some() {
            return Err(invalid_request(
                "client_assertion must come without a client_secret or an Authorization header",
            ));
        }
        // Whom it is about need not be said twice (RFC 7521 section 4.2); whether both agree is
        // judged with the assertion.
        let client_id = in_form.map_or_else(|| assertion.subject(), ClientId::new);
        return Ok(ClientCredentials { client_id, proof: ClientProof::Assertion(Box::new(assertion)) });
    }
    let Some(header) = header else {
        let client_id = in_form.ok_or_else(|| invalid_client("client_id is missing"))?;
        let proof = secret.map_or(ClientProof::None, ClientProof::Secret);
        return Ok(ClientCredentials { client_id: ClientId::new(client_id), proof });
    };
    let (client_id, basic_secret) =
        header.to_str().ok().and_then(read_basic).ok_or_else(|| {
            invalid_client("the Authorization header is not HTTP Basic with client_id and client_secret")
        })?;
    if secret.is_some() || in_form.is_some_and(|id| id != client_id) {
        return Err(invalid_request(
            "the client may use the Authorization header or the form to prove itself, not both",
        ));
    }
    Ok(ClientCredentials { client_id: ClientId::new(client_id), proof: ClientProof::Secret(basic_secret) })
}

/// The assertion of the form, if there is one.
fn read_assertion(form: &Parameters) -> Result<Option<ClientAssertion>, OAuthError> {
    match (form.first("client_assertion_type"), form.secret("client_assertion")) {
        (None, None) => Ok(None),
        (Some(kind), Some(_)) if kind != JWT_BEARER => {
            Err(invalid_client(&format!("client_assertion_type must be {JWT_BEARER}")))
        }
        (Some(_), Some(text)) => {
            ClientAssertion::read(text).map(Some).map_err(|fault| invalid_client(&fault.to_string()))
        }
        (Some(_), None) => Err(invalid_request("client_assertion is missing")),
        (None, Some(_)) => Err(invalid_request("client_assertion_type is missing")),
    }
}

fn invalid_request(text: &str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, text)
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
        let ClientProof::Secret(secret) = read.proof else { panic!("{:?}", read.proof) };
        assert_eq!(secret.expose(), "s:e c%");
    }

    /// A form with an assertion about `app`, and `more`.
    fn assertion(more: &str) -> Parameters {
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let jwt = format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(r#"{"sub":"app"}"#));
        Parameters::parse(format!("client_assertion_type={JWT_BEARER}&client_assertion={jwt}&{more}").as_bytes())
    }

    #[test]
    fn an_assertion_says_whom_it_is_about() {
        let request = TestRequest::post().to_http_request();
        for (more, client_id) in [("", "app"), ("client_id=app", "app"), ("client_id=other", "other")] {
            let read = read(&request, &assertion(more)).unwrap();
            assert_eq!(read.client_id.as_str(), client_id);
            assert!(matches!(read.proof, ClientProof::Assertion(_)));
        }
    }

    #[test]
    fn an_assertion_comes_alone_and_whole() {
        use OAuthErrorCode::{InvalidClient, InvalidRequest};
        let plain = TestRequest::post().to_http_request();
        let bearer = TestRequest::post().insert_header((AUTHORIZATION, "Bearer x")).to_http_request();
        let form = |text: &str| Parameters::parse(text.as_bytes());
        let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
        for (request, form, code) in [
            (&basic("app:x"), assertion(""), InvalidRequest),
            (&bearer, assertion(""), InvalidRequest),
            (&plain, assertion("client_secret=x"), InvalidRequest),
            (&plain, form("client_id=app&client_assertion=a.b.c"), InvalidRequest),
            (&plain, form(&format!("client_id=app&client_assertion_type={JWT_BEARER}")), InvalidRequest),
            (&plain, form(&format!("client_assertion_type={saml}&client_assertion=a.b.c")), InvalidClient),
            (&plain, form(&format!("client_assertion_type={JWT_BEARER}&client_assertion=a.b.c")), InvalidClient),
        ] {
            let error = read(request, &form).unwrap_err();
            assert_eq!(error.code, code, "{error}");
        }
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

//! Who is told when a part of the server fails: until the redirect URI is verified the person, on
//! a page, and from then on the client, which waits there for an answer (RFC 6749 section
//! 4.1.2.1).

use super::flow::Authorizer;
use super::messages::LoginError;
use super::rules::error_redirect;
use crate::authorization_codes::TooManyAttempts;
use crate::model::grant::AuthorizationRequest;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};

impl Authorizer {
    /// Turns failures of the server into an answer at the client's verified redirect URI. What
    /// the person can mend, and what is not about a client, stays as it is.
    pub(super) fn at_client(
        &self,
        request: Option<&AuthorizationRequest>,
    ) -> impl FnOnce(LoginError) -> LoginError + use<> {
        let url = request.map(|request| {
            let text = "the server cannot do this right now; try again";
            let error = OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, text);
            error_redirect(&request.redirect_uri, request.state.as_deref(), &error, &self.settings.issuer)
        });
        move |error| match url {
            Some(url) if is_of_the_server(&error) => LoginError::AtClient { url, cause: Box::new(error) },
            _ => error,
        }
    }
}

fn is_of_the_server(error: &LoginError) -> bool {
    match error {
        LoginError::PasswordCheck
        | LoginError::NotRecorded(_)
        | LoginError::Store(_)
        | LoginError::Unavailable(_)
        | LoginError::TooManyAttempts(TooManyAttempts::Unavailable(_)) => true,
        LoginError::Unknown
        | LoginError::OtherBrowser
        | LoginError::Forged
        | LoginError::TooManyAttempts(TooManyAttempts::Wait(_))
        | LoginError::Provider(_)
        // Who takes the document back vouches for the redirect URI no longer.
        | LoginError::Document(_)
        | LoginError::AtClient { .. }
        | LoginError::Off => false,
    }
}

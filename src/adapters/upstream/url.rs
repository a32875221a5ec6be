//! The URL that sends the browser to a provider.
//!
//! Built here and not with the `oauth2` crate: its builder makes the PKCE challenge from the
//! verifier, and all that we have at this step is the challenge; the verifier stays with the
//! pending login.

use mxcp_actors::model::pkce::CodeChallenge;
use url::Url;

/// Collects the query of an authorization request (RFC 6749 section 4.1.1).
pub(super) struct AuthorizationUrl(Url);

impl AuthorizationUrl {
    /// Starts with what every request has. A query that the endpoint has already is kept.
    pub(super) fn new(endpoint: &Url, client_id: &str, redirect_uri: &str) -> Self {
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("response_type", "code");
        Self(url)
    }

    /// Adds one parameter.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Adds a parameter unless it is empty: an empty `scope` is not the same as none.
    pub(super) fn with_nonempty(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// Adds the challenge of our own PKCE (RFC 7636 section 4.3).
    pub(super) fn with_challenge(self, challenge: &CodeChallenge) -> Self {
        self.with("code_challenge", challenge.as_str()).with("code_challenge_method", "S256")
    }

    /// The URL.
    pub(super) fn into_string(self) -> String {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_the_endpoint_is_kept_and_values_are_escaped() {
        let endpoint = Url::parse("https://idp.example.com/authorize?tenant=a").unwrap();
        let url = AuthorizationUrl::new(&endpoint, "id", "http://localhost:8000/callback")
            .with_nonempty("scope", "")
            .with("state", "a&b=c d")
            .into_string();
        assert_eq!(
            url,
            "https://idp.example.com/authorize?tenant=a&client_id=id&redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fcallback\
             &response_type=code&state=a%26b%3Dc+d"
        );
    }
}

//! Client identifiers that are URLs: where the client's metadata document is (OAuth Client ID
//! Metadata Document, section 3).

use super::ids::ClientId;
use super::loopback::is_this_machine;
use std::fmt;
use url::Url;

/// The longest identifier; it is kept with every session and shown to people.
const BYTES_MAX: usize = 512;

/// The URL of a client's metadata document, which is the client's identifier.
///
/// It is in the normal form of a URL, so that what is compared, what is shown and what is
/// fetched are the same text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientIdUrl(String);

/// Why a URL cannot be a client's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdUrlError {
    /// Not https.
    #[error("must be an https URL")]
    NotHttps,
    /// It is longer than 512 bytes.
    #[error("is too long for a URL that identifies a client")]
    TooLong,
    /// It is no URL.
    #[error("is not a valid URL")]
    Malformed,
    /// It carries a user name or password.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// It has a fragment.
    #[error("must not have a fragment")]
    Fragment,
    /// It is a bare origin.
    #[error("must have a path, such as /client.json")]
    NoPath,
    /// A segment of its path is `.` or `..`, perhaps in disguise.
    #[error("must not have . or .. in its path")]
    DotSegment,
    /// Written in another way than URLs are compared in: capitals in the host, the default port, or
    /// characters that must be escaped.
    #[error("must be written in the normal form of a URL: lower-case host, no default port, odd characters escaped")]
    NotNormal,
}

impl ClientIdUrl {
    /// Whether `id` means to be a URL. Identifiers that the registration endpoint gives out never
    /// look like one.
    #[must_use]
    pub fn is_meant_by(id: &ClientId) -> bool {
        let begins_with =
            |scheme: &str| id.as_str().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        begins_with("https:") || begins_with("http:")
    }

    /// Checks the shape of an identifier.
    ///
    /// With `allows_plain_loopback` plain http is good enough for this machine itself: for
    /// servers that run there, where somebody develops a client.
    ///
    /// # Errors
    /// What is wrong with its shape.
    pub fn parse(text: &str, allows_plain_loopback: bool) -> Result<Self, ClientIdUrlError> {
        if text.len() > BYTES_MAX {
            return Err(ClientIdUrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| ClientIdUrlError::Malformed)?;
        if !(url.scheme() == "https" || (allows_plain_loopback && url.scheme() == "http" && is_this_machine(&url))) {
            return Err(ClientIdUrlError::NotHttps);
        }
        // Of the text, because an empty name or fragment leaves no trace in the parsed URL.
        let authority = text.split("//").nth(1).and_then(|rest| rest.split(['/', '?', '#', '\\']).next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(ClientIdUrlError::UserInfo);
        }
        if text.contains('#') {
            return Err(ClientIdUrlError::Fragment);
        }
        if has_dot_segment(text) {
            return Err(ClientIdUrlError::DotSegment);
        }
        if url.path() == "/" {
            return Err(ClientIdUrlError::NoPath);
        }
        if url.as_str() != text {
            return Err(ClientIdUrlError::NotNormal);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier that it is.
    #[must_use]
    pub fn to_client_id(&self) -> ClientId {
        ClientId::new(self.0.as_str())
    }

    /// The host without its port: who vouches for the client.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of a URL.
pub(super) fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// Whether a segment of the path is a dot or two, plain or escaped; parsing would swallow it.
fn has_dot_segment(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default();
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    path.split(['/', '\\']).skip(3).any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifiers_of_clients_in_the_wild_are_accepted() {
        for text in [
            "https://claude.ai/oauth/claude-code-client-metadata",
            "https://vscode.dev/oauth/client-metadata.json",
            "https://app.example.com/client.json",
            "https://app.example.com:8443/client?version=2",
            "https://app.example.com/a..b/.well-known/c.",
            "https://xn--bcher-kva.example/client.json",
        ] {
            let url = ClientIdUrl::parse(text, false).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.as_str(), url.to_client_id().as_str()), (text, text));
            assert!(ClientIdUrl::is_meant_by(&url.to_client_id()));
        }
    }

    #[test]
    fn malformed_identifiers_are_refused() {
        use ClientIdUrlError as E;
        for (text, error) in [
            ("http://app.example.com/client.json", E::NotHttps),
            ("http://127.0.0.1/client.json", E::NotHttps),
            ("ftp://app.example.com/client.json", E::NotHttps),
            ("https:///", E::Malformed),
            ("https://", E::Malformed),
            ("https://app.example.com:99999/c", E::Malformed),
            ("https://app.example.com", E::NoPath),
            ("https://app.example.com/", E::NoPath),
            ("https://app.example.com/?client=1", E::NoPath),
            ("https://app.example.com?client=1", E::NoPath),
            ("https://app.example.com/../client.json", E::DotSegment),
            ("https://app.example.com/a/./client.json", E::DotSegment),
            ("https://app.example.com/a/..", E::DotSegment),
            ("https://app.example.com/a/%2e%2E/client.json", E::DotSegment),
            ("https://app.example.com/a/.%2e/client.json", E::DotSegment),
            ("https://app.example.com/client.json#", E::Fragment),
            ("https://app.example.com/client.json#a", E::Fragment),
            ("https://user@app.example.com/client.json", E::UserInfo),
            ("https://user:secret@app.example.com/client.json", E::UserInfo),
            ("https://@app.example.com/client.json", E::UserInfo),
            ("https:app.example.com/client.json", E::NotNormal),
            ("https://APP.example.com/client.json", E::NotNormal),
            ("HTTPS://app.example.com/client.json", E::NotNormal),
            ("https://app.example.com:443/client.json", E::NotNormal),
            ("https://app.example.com/client .json", E::NotNormal),
            (" https://app.example.com/client.json", E::NotNormal),
            ("https://app.example.com\\client.json", E::NotNormal),
            ("https://bücher.example/client.json", E::NotNormal),
            ("https://0x7f.1/client.json", E::NotNormal),
        ] {
            assert_eq!(ClientIdUrl::parse(text, false), Err(error), "{text}");
        }
        let long = format!("https://app.example.com/{}", "x".repeat(BYTES_MAX));
        assert_eq!(ClientIdUrl::parse(&long, false), Err(E::TooLong));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in ["http://localhost:8000/c", "http://127.0.0.1:8000/c", "http://[::1]:8000/c"] {
            assert!(ClientIdUrl::parse(text, true).is_ok(), "{text}");
            assert_eq!(ClientIdUrl::parse(text, false), Err(ClientIdUrlError::NotHttps), "{text}");
        }
        for text in ["http://localhost.example.com/c", "http://10.0.0.1/c", "http://[::ffff:7f00:1]/c"] {
            assert_eq!(ClientIdUrl::parse(text, true), Err(ClientIdUrlError::NotHttps), "{text}");
        }
    }

    #[test]
    fn an_identifier_of_another_kind_is_no_url() {
        for (id, is_meant) in [
            ("1c2d7a52-9a4c-4f0c-9d2a-2b8a4bb3c001", false),
            ("my-app", false),
            ("httpsapp", false),
            ("", false),
            ("h", false),
            ("https://x/y", true),
            ("HTTP://x/y", true),
            ("https:x", true),
        ] {
            assert_eq!(ClientIdUrl::is_meant_by(&ClientId::new(id)), is_meant, "{id}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_url_without_its_port() {
        let host = |text: &str| ClientIdUrl::parse(text, true).unwrap().host();
        assert_eq!(host("https://app.example.com:8443/c"), "app.example.com");
        assert_eq!(host("http://[::1]:8000/c"), "[::1]");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_what_is_fetched(text in "https?://[a-zA-Z0-9.@:%-]{1,20}[/?#\\\\a-z.%2eE ]{0,20}") {
            if let Ok(url) = ClientIdUrl::parse(&text, true) {
                let parsed = Url::parse(&text).unwrap();
                prop_assert_eq!(parsed.as_str(), text.as_str());
                prop_assert!(parsed.username().is_empty() && parsed.password().is_none());
                prop_assert!(parsed.fragment().is_none() && parsed.path().len() > 1);
                prop_assert_eq!(url.host(), parsed.host_str().unwrap());
            }
        }

        #[test]
        fn parsing_any_text_never_panics(text in "\\PC{0,60}") {
            let _outcome = ClientIdUrl::parse(&text, true).map(|url| url.host());
        }
    }
}

//! Where an authorization response may go (RFC 9700 section 4.1, RFC 8252 section 7).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A redirect URI as a client registered it: kept and sent byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Why a text may not be registered as a redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It is no absolute URI.
    #[error("is not an absolute URI")]
    NotAbsolute,
    /// It is longer than 2,048 bytes, or holds spaces or control characters.
    #[error("is too long or holds spaces or control characters")]
    Malformed,
    /// It has a fragment (RFC 6749 section 3.1.2).
    #[error("must not have a fragment")]
    Fragment,
    /// It carries a user name or password.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// Plain http to a host that is not this machine.
    #[error("must use https, unless its host is localhost, 127.0.0.1 or [::1]")]
    InsecureHost,
    /// A scheme that browsers run or show instead of handing over, such as `javascript`.
    #[error("has a scheme that is not allowed")]
    ForbiddenScheme,
}

/// Schemes that are never handed to an application.
const FORBIDDEN_SCHEMES: &[&str] = &[
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
    "mailto",
    "view-source",
    "filesystem",
    "chrome",
    "jar",
    "tel",
    "sms",
    "intent",
];

impl RedirectUri {
    /// Accepts https, http to this machine, and an application's own scheme such as `cursor://`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.len() > 2_048 || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(RedirectUriError::Malformed);
        }
        let uri = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        if !uri.username().is_empty() || uri.password().is_some() {
            return Err(RedirectUriError::UserInfo);
        }
        match uri.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(&uri) => Ok(()),
            "http" => Err(RedirectUriError::InsecureHost),
            scheme if FORBIDDEN_SCHEMES.contains(&scheme) => Err(RedirectUriError::ForbiddenScheme),
            _ => Ok(()),
        }?;
        Ok(Self(text.to_owned()))
    }

    /// Whether a request may use `presented` on the strength of this registration.
    ///
    /// Only the exact same text, except that the port of an http loopback URI does not count:
    /// a native application listens on whatever port is free (RFC 8252 section 7.3). The host
    /// text, the path and the query must still be the same.
    #[must_use]
    pub fn accepts(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        let (Ok(registered), Ok(presented_uri)) = (Url::parse(&self.0), Self::parse(presented)) else {
            return false;
        };
        let Ok(presented_uri) = Url::parse(&presented_uri.0) else { return false };
        registered.scheme() == "http"
            && is_loopback(&registered)
            && without_port(&self.0).is_some()
            && without_port(&self.0) == without_port(presented)
            && presented_uri.port() != Some(0)
    }

    /// The URI as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a person should be shown as the place that gets the answer: the host, or the
    /// scheme of an application's own URI.
    #[must_use]
    pub fn destination(&self) -> String {
        match Url::parse(&self.0) {
            Ok(uri) => match uri.host_str() {
                Some(host) if matches!(uri.scheme(), "http" | "https") => host.to_owned(),
                _ => format!("the application that opens {}: links", uri.scheme()),
            },
            Err(_) => String::new(),
        }
    }

    /// The scheme, such as `https` or `cursor`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Whether the answer stays on the machine of the person who logs in.
    #[must_use]
    pub fn is_local(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|uri| uri.scheme() == "http" && is_loopback(&uri))
    }

    /// The URI with `parameters` appended to its query.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            query.append_pair(name, value);
        }
        let separator = match self.0.find('?') {
            None => "?",
            Some(at) if at + 1 == self.0.len() => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.0, query.finish())
    }
}

/// Whether the host is this machine, by one of the three names that clients use.
fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The text of an http URI without its port, to compare the rest byte for byte.
fn without_port(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = match authority.rfind(':') {
        // The colons inside the brackets of an IPv6 address are not the port's.
        Some(colon) if authority.rfind(']').is_none_or(|bracket| bracket < colon) => {
            let (host, port) = authority.split_at(colon);
            let digits = port.strip_prefix(':')?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)?
        }
        _ => authority,
    };
    Some(format!("{host}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uris_of_clients_in_the_wild_are_accepted() {
        for uri in [
            "https://claude.ai/api/mcp/auth_callback",
            "http://localhost:8787/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1/",
            "https://vscode.dev/redirect",
            "http://[::1]:6274/oauth/callback",
        ] {
            assert!(RedirectUri::parse(uri).is_ok(), "{uri}");
        }
    }

    #[test]
    fn dangerous_uris_are_refused() {
        use RedirectUriError as E;
        for (uri, error) in [
            ("javascript:alert(1)", E::ForbiddenScheme),
            ("data:text/html,x", E::ForbiddenScheme),
            ("http://example.com/cb", E::InsecureHost),
            ("http://localhost.example.com/cb", E::InsecureHost),
            ("https://example.com/cb#x", E::Fragment),
            ("https://user:secret@example.com/cb", E::UserInfo),
            ("/callback", E::NotAbsolute),
            ("https://example.com/a b", E::Malformed),
            ("https://example.com\\@evil.example", E::Malformed),
        ] {
            assert_eq!(RedirectUri::parse(uri), Err(error), "{uri}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_uri_may_differ() {
        let local = RedirectUri::parse("http://localhost/callback").unwrap();
        assert!(local.accepts("http://localhost:51234/callback"));
        for other in [
            "http://127.0.0.1:51234/callback",
            "http://localhost:51234/callback/",
            "http://localhost:51234/Callback",
            "http://localhost:51234/callback?x=1",
            "https://localhost:51234/callback",
            "http://localhost:51234@evil.example/callback",
            "http://LOCALHOST:51234/callback",
            "http://localhost:51234/callback#x",
            "http://localhost.evil.example:51234/callback",
            "http://localhost:/../callback",
        ] {
            assert!(!local.accepts(other), "{other}");
        }
        let web = RedirectUri::parse("https://app.example.com/callback").unwrap();
        for other in [
            "https://app.example.com:444/callback",
            "https://app.example.com/callback/",
            "https://APP.example.com/callback",
            "https://app.example.com/callback?x",
            "https://app.example.com.evil.example/callback",
        ] {
            assert!(!web.accepts(other), "{other}");
        }
    }

    #[test]
    fn an_answer_is_appended_to_an_existing_query() {
        let uri = RedirectUri::parse("https://app.example.com/cb?tenant=7").unwrap();
        assert_eq!(uri.with_query(&[("state", "a b&c")]), "https://app.example.com/cb?tenant=7&state=a+b%26c");
    }

    proptest! {
        #[test]
        fn no_text_but_the_registered_one_is_accepted_off_this_machine(tail in "[a-zA-Z0-9/?#@:.%-]{1,20}") {
            let web = RedirectUri::parse("https://app.example.com/cb").unwrap();
            let presented = format!("https://app.example.com/cb{tail}");
            prop_assert!(!web.accepts(&presented));
        }

        #[test]
        fn parsing_any_text_never_panics(text in "\\PC{0,60}") {
            let _outcome = RedirectUri::parse(&text).map(|uri| uri.accepts(&text));
        }
    }
}

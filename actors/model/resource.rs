//! The protected resource that tokens are bound to (RFC 8707, RFC 9728).

use serde::{Deserialize, Serialize};
use url::Url;

/// The canonical identifier of a resource: lower-case scheme and host, no default port, no
/// trailing slash, no fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(String);

impl Resource {
    /// Reads an absolute URI without a fragment; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri = Url::parse(text).ok()?;
        if uri.cannot_be_a_base() || uri.host_str().is_none() || text.contains('#') {
            return None;
        }
        let text = uri.as_str();
        Some(Self(text.strip_suffix('/').unwrap_or(text).to_owned()))
    }

    /// The identifier as it is published.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a client that names `asked` means this resource.
    ///
    /// Some clients name the bare origin although the published identifier has a path; with
    /// `origin_is_alias` that is taken for this resource. The token is bound to this one anyway.
    #[must_use]
    pub fn is_meant_by(&self, asked: &str, origin_is_alias: bool) -> bool {
        let Some(asked) = Self::parse(asked) else { return false };
        if asked == *self {
            return true;
        }
        origin_is_alias && Url::parse(&self.0).is_ok_and(|own| own.origin().ascii_serialization() == asked.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_resource_are_the_same() {
        let own = Resource::parse("http://localhost:8000/mcp").unwrap();
        for asked in [
            "http://localhost:8000/mcp",
            "HTTP://LOCALHOST:8000/mcp/",
            "http://localhost:8000",
            "http://localhost:8000/",
        ] {
            assert!(own.is_meant_by(asked, true), "{asked}");
        }
        assert!(!own.is_meant_by("http://localhost:8000/", false));
        assert_eq!(Resource::parse("https://a.example:443/mcp").unwrap().as_str(), "https://a.example/mcp");
    }

    #[test]
    fn anything_else_is_another_resource() {
        let own = Resource::parse("http://localhost:8000/mcp").unwrap();
        for asked in [
            "http://localhost:8001/mcp",
            "https://localhost:8000/mcp",
            "http://127.0.0.1:8000/mcp",
            "http://localhost:8000/mcp/x",
            "http://localhost:8000/mcp#x",
            "http://localhost:8000/MCP",
            "http://localhost:8000/mcp?x",
            "/mcp",
            "",
        ] {
            assert!(!own.is_meant_by(asked, true), "{asked}");
        }
    }
}

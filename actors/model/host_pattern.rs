//! Hosts that an operator names.

use std::fmt;
use url::Host;

/// A host, or every host below one: `app.example.com`, `*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    is_suffix: bool,
}

/// The text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a host name without scheme, port and path, such as app.example.com, or *.example.com for all below it"
)]
pub struct HostPatternError;

impl HostPattern {
    /// Reads a pattern; names are compared as URLs write them.
    ///
    /// # Errors
    /// When it is no host.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let (host, is_suffix) = text.strip_prefix("*.").map_or((text, false), |host| (host, true));
        match Host::parse(host).map_err(|_| HostPatternError)? {
            Host::Domain(_) if host.contains('*') => Err(HostPatternError),
            Host::Ipv4(_) | Host::Ipv6(_) if is_suffix => Err(HostPatternError),
            host => Ok(Self { host: host.to_string(), is_suffix }),
        }
    }

    /// Whether it means `host`, which is written as in a URL.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        if self.is_suffix {
            host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_suffix { "*." } else { "" }, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_itself_and_a_star_all_below() {
        for (pattern, host, is_meant) in [
            ("app.example.com", "app.example.com", true),
            ("App.Example.com", "app.example.com", true),
            ("app.example.com", "x.app.example.com", false),
            ("example.com", "notexample.com", false),
            ("*.example.com", "app.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "notexample.com", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
            ("bücher.example", "xn--bcher-kva.example", true),
        ] {
            assert_eq!(HostPattern::parse(pattern).unwrap().matches(host), is_meant, "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "*", "*.", "a.*.com", "*.127.0.0.1", "https://a.com", "a.com:443", "a.com/x", "a b", "::1"] {
            assert_eq!(HostPattern::parse(text), Err(HostPatternError), "{text}");
        }
    }
}

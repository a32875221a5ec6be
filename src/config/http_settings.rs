//! The HTTP server's settings, and the URL that follows from them.

use super::reader::is_loopback;
use std::net::{IpAddr, SocketAddr};
use url::Url;

/// How clients reach the server: over TLS, which a proxy ends, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it is written in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL may leave out.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// The name or address to listen on.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
    /// How clients reach the server.
    pub scheme: Scheme,
    /// The URL that clients use, when it does not follow from the other settings: scheme, host
    /// and port, without a trailing slash.
    pub public_url: Option<String>,
    /// Whether `X-Forwarded-*` headers are believed.
    pub trust_proxy: bool,
    /// Whether no MCP session is kept between requests.
    pub is_stateless: bool,
    /// Further values of `Host` that are served, as `name` or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Further values of `Origin` that are served, as `scheme://name` or `scheme://name:port`.
    pub allowed_origins: Vec<String>,
}

impl HttpSettings {
    /// The URL that clients use, without a trailing slash.
    ///
    /// `port` is the port listened on when it is not the configured one. A server that listens on
    /// every address is `localhost` to the machine that it runs on.
    #[must_use]
    pub fn base_url(&self, port: Option<u16>) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let host = match self.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => "localhost".to_owned(),
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.to_ascii_lowercase(),
        };
        let port = port.unwrap_or(self.port);
        if port == self.scheme.default_port() {
            format!("{}://{host}", self.scheme.as_str())
        } else {
            format!("{}://{host}:{port}", self.scheme.as_str())
        }
    }
}

impl HttpSettings {
    /// Whether a server that listens on `addresses` is for this machine alone: none of them can be
    /// reached by others, and it is not called by a name that others use, as it would be behind a
    /// proxy.
    #[must_use]
    pub fn is_for_this_machine_alone(&self, addresses: &[SocketAddr]) -> bool {
        let url = Url::parse(&self.base_url(None));
        addresses.iter().all(|address| address.ip().is_loopback())
            && url.is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 8000,
            scheme: Scheme::Http,
            public_url: None,
            trust_proxy: false,
            is_stateless: false,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_follows_from_scheme_host_and_port() {
        let settings =
            |host: &str, port, scheme| HttpSettings { host: host.into(), port, scheme, ..Default::default() };
        for (settings, url) in [
            (HttpSettings::default(), "http://localhost:8000"),
            (settings("0.0.0.0", 8000, Scheme::Http), "http://localhost:8000"),
            (settings("::", 8000, Scheme::Http), "http://localhost:8000"),
            (settings("::1", 8000, Scheme::Http), "http://[::1]:8000"),
            (settings("[::1]", 80, Scheme::Http), "http://[::1]"),
            (settings("MXCP.example.com", 443, Scheme::Https), "https://mxcp.example.com"),
            (settings("127.0.0.1", 443, Scheme::Http), "http://127.0.0.1:443"),
        ] {
            assert_eq!(settings.base_url(None), url);
        }
    }

    #[test]
    fn a_server_is_for_this_machine_alone_when_nobody_else_can_reach_it() {
        for (host, public_url, addresses, expected) in [
            ("localhost", None, vec!["127.0.0.1:8000", "[::1]:8000"], true),
            ("[::1]", None, vec!["[::1]:8000"], true),
            ("127.0.0.1", Some("https://localhost:8443"), vec!["127.0.0.1:8000"], true),
            ("127.0.0.1", Some("https://mcp.example.com"), vec!["127.0.0.1:8000"], false),
            ("0.0.0.0", None, vec!["0.0.0.0:8000"], false),
            ("::", None, vec!["[::]:8000"], false),
            ("localhost", None, vec!["127.0.0.1:8000", "0.0.0.0:8000"], false),
            ("0.0.0.0", Some("http://localhost:8000"), vec!["0.0.0.0:8000"], false),
            ("192.168.1.7", None, vec!["192.168.1.7:8000"], false),
        ] {
            let public_url = public_url.map(str::to_owned);
            let settings = HttpSettings { host: host.to_owned(), public_url, ..Default::default() };
            let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(settings.is_for_this_machine_alone(&addresses), expected, "{settings:?}");
        }
    }

    #[test]
    fn another_port_changes_the_url_unless_the_url_is_given() {
        let mut settings = HttpSettings::default();
        assert_eq!(settings.base_url(Some(9000)), "http://localhost:9000");
        settings.public_url = Some("https://mxcp.example.com".into());
        assert_eq!(settings.base_url(Some(9000)), "https://mxcp.example.com");
    }
}

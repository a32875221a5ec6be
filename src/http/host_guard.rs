//! Names that the server answers to, and web pages that may talk to it.
//!
//! A page on the internet can make a browser send requests to a server on the reader's own
//! machine, under any host name that resolves there (DNS rebinding). Both the name that was
//! asked for and the page that asks give it away.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use mxcp_actors::model::loopback::is_this_machine;
use serde_json::json;
use url::Url;

/// Where Claude and `ChatGPT` run in a browser.
const KNOWN_CLIENTS: [&str; 3] = ["https://claude.ai", "https://claude.com", "https://chatgpt.com"];

/// What the server is called, and who may call from a browser.
#[derive(Clone, Debug)]
pub struct Names {
    /// Lower case, each `host` or `host:port` as a Host header writes it.
    hosts: Vec<Box<str>>,
    /// Lower case, each `scheme://host` or `scheme://host:port`.
    origins: Vec<Box<str>>,
    allows_loopback_origins: bool,
    allows_any_host: bool,
}

/// What the names are made from.
#[derive(Clone, Debug)]
pub struct NamesOf<'a> {
    /// The public base URL.
    pub base_url: &'a Url,
    /// The port that is listened on.
    pub port: u16,
    /// Further host names from the configuration; `*` allows any.
    pub allowed_hosts: &'a [String],
    /// Further origins from the configuration.
    pub allowed_origins: &'a [String],
    /// Whether callers have to log in.
    pub needs_token: bool,
}

impl Names {
    /// The names of a server.
    ///
    /// Pages from loopback (the MCP Inspector, an app that somebody develops) may call a server
    /// on loopback, and any server that asks for a token; the pages of known clients only one
    /// that does.
    #[must_use]
    pub fn new(of: &NamesOf<'_>) -> Self {
        let base_host = of.base_url.host_str().unwrap_or_default();
        let mut hosts = vec![authority(base_host, of.base_url.port())];
        if let Some(port) = of.base_url.port_or_known_default() {
            hosts.push(authority(base_host, Some(port)));
        }
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(authority(name, Some(of.port)));
            if of.port == 80 {
                hosts.push(authority(name, None));
            }
        }
        hosts.extend(of.allowed_hosts.iter().map(|host| host.to_ascii_lowercase().into_boxed_str()));
        let mut origins = vec![of.base_url.origin().ascii_serialization().into_boxed_str()];
        origins
            .extend(of.allowed_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase().into()));
        if of.needs_token {
            origins.extend(KNOWN_CLIENTS.map(Into::into));
        }
        Self {
            allows_any_host: of.allowed_hosts.iter().any(|host| host == "*"),
            allows_loopback_origins: of.needs_token || is_loopback(of.base_url),
            hosts,
            origins,
        }
    }

    /// Whether the server is called `host`, as a Host header writes it.
    #[must_use]
    pub fn answers_to(&self, host: &str) -> bool {
        self.allows_any_host || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether a page of `origin` may call the MCP endpoint.
    #[must_use]
    pub fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        if self.origins.iter().any(|own| own.eq_ignore_ascii_case(origin)) {
            return true;
        }
        self.allows_loopback_origins && Url::parse(origin).is_ok_and(|url| is_loopback(&url) && is_bare(&url))
    }

    /// Checks the Origin header, which browsers send and others need not.
    ///
    /// # Errors
    /// When a page that may not call is calling: the answer to give.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Box<HttpResponse>> {
        match headers.get(ORIGIN) {
            Some(origin) if !self.allows_origin(origin) => Err(Box::new(HttpResponse::Forbidden().json(json!({
                "error": "forbidden_origin",
                "error_description": "pages of this origin may not call this server; \
                    add it to transport.http.allowed_origins to allow them",
            })))),
            Some(_) | None => Ok(()),
        }
    }
}

fn authority(host: &str, port: Option<u16>) -> Box<str> {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")).to_ascii_lowercase().into()
}

/// Browsers keep every name below `.localhost` on this machine.
fn is_loopback(url: &Url) -> bool {
    is_this_machine(url) || url.domain().is_some_and(|name| name.ends_with(".localhost"))
}

/// An origin has no path, user or query.
fn is_bare(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
}

/// Refuses requests for a name that is not the server's. For
/// [`actix_web::middleware::from_fn`]; needs [`Names`] as `app_data`.
///
/// # Errors
/// Those of the inner service.
pub async fn check_host(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, Error> {
    let is_known = match request.app_data::<Data<Names>>() {
        // A load balancer asks by address whether the server lives, and learns nothing else.
        _ if request.path() == "/health" => true,
        Some(names) => asked_host(&request).is_some_and(|host| names.answers_to(host)),
        None => false,
    };
    if is_known {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let answer = HttpResponse::build(actix_web::http::StatusCode::MISDIRECTED_REQUEST).json(json!({
        "error": "unknown_host",
        "error_description": "this server is not called by that name; set transport.http.base_url to the URL \
            that clients use, or add the name to transport.http.allowed_hosts",
    }));
    Ok(request.into_response(answer).map_into_right_body())
}

fn asked_host(request: &ServiceRequest) -> Option<&str> {
    match request.headers().get(HOST) {
        Some(value) => value.to_str().ok(),
        None => request.uri().authority().map(Authority::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base_url: &str, needs_token: bool, hosts: &[&str], origins: &[&str]) -> Names {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Names::new(&NamesOf {
            base_url: &Url::parse(base_url).unwrap(),
            port: 8000,
            allowed_hosts: &owned(hosts),
            allowed_origins: &owned(origins),
            needs_token,
        })
    }

    #[test]
    fn a_server_is_called_by_its_base_url_its_loopback_names_and_what_is_configured() {
        let own = names("https://mcp.example.com", true, &["inner:9000"], &[]);
        for host in
            ["mcp.example.com", "MCP.example.com:443", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "inner:9000"]
        {
            assert!(own.answers_to(host), "{host}");
        }
        for host in
            ["evil.example", "localhost", "localhost:80", "mcp.example.com:8000", "mcp.example.com.evil.example", ""]
        {
            assert!(!own.answers_to(host), "{host}");
        }
        assert!(names("http://localhost:8000", false, &["*"], &[]).answers_to("anything"));
    }

    #[test]
    fn pages_of_other_origins_may_not_call() {
        let allowed = |own: &Names, origin: &str| own.allows_origin(&HeaderValue::from_str(origin).unwrap());
        let public = names("https://mcp.example.com", true, &[], &["https://app.example.com/"]);
        for origin in [
            "https://mcp.example.com",
            "https://app.example.com",
            "http://localhost:6274",
            "http://127.0.0.1:1",
            "http://[::1]:9",
            "https://claude.ai",
        ] {
            assert!(allowed(&public, origin), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://mcp.example.com",
            "https://mcp.example.com:444",
            "http://localhost.evil.example",
            "http://user@localhost",
            "http://localhost/x",
            "file://localhost",
        ] {
            assert!(!allowed(&public, origin), "{origin}");
        }
        let unprotected = names("https://mcp.example.com", false, &[], &[]);
        assert!(!allowed(&unprotected, "http://localhost:6274"));
        assert!(!allowed(&unprotected, "https://claude.ai"));
        assert!(allowed(&names("http://localhost:8000", false, &[], &[]), "http://localhost:6274"));
    }
}

//! `transport` and `logging` of the user configuration.

use super::http_settings::{HttpSettings, Scheme};
use super::reader::{Field, Table};
use super::settings::{LogLevel, LoggingSettings};
use url::Url;

/// Reads `transport`.
pub(super) fn read_transport(field: &Field<'_>) -> Option<HttpSettings> {
    field.table(|table| {
        if let Some(provider) = table.get("provider") {
            let is_http = provider.choice(&[("streamable-http", true), ("sse", false), ("stdio", false)]);
            if is_http == Some(false) {
                provider.not_supported("use streamable-http");
            }
        }
        table.get("http").and_then(|field| field.table(|table| Some(read_http(table))))
    })
}

fn read_http(table: &mut Table<'_, '_>) -> HttpSettings {
    let default = HttpSettings::default();
    let port =
        table.get("port").and_then(|field| field.whole_number(1..=65535)).and_then(|port| u16::try_from(port).ok());
    let port = port.unwrap_or(default.port);
    let base_url = table.get("base_url").and_then(|field| read_base_url(&field));
    let scheme = table
        .get("scheme")
        .and_then(|field| field.choice(&[("http", Scheme::Http), ("https", Scheme::Https)]))
        .unwrap_or(if port == Scheme::Https.default_port() { Scheme::Https } else { default.scheme });
    HttpSettings {
        host: table.get("host").and_then(|field| read_host(&field)).unwrap_or(default.host),
        port,
        // What clients see is what counts.
        scheme: base_url.as_ref().map_or(scheme, |(_, scheme)| *scheme),
        public_url: base_url.map(|(url, _)| url),
        trust_proxy: table.get("trust_proxy").and_then(|field| field.boolean()).unwrap_or(default.trust_proxy),
        is_stateless: table.get("stateless").and_then(|field| field.boolean()).unwrap_or(default.is_stateless),
        allowed_hosts: read_names(table, "allowed_hosts", "a name or name:port without scheme and path", |text| {
            !text.contains("//") && is_origin(&format!("http://{text}"))
        }),
        allowed_origins: read_names(table, "allowed_origins", "an origin such as https://app.example.com", is_origin),
    }
}

/// The URL that clients use, without a trailing slash, and its scheme.
///
/// It has no path, because the metadata documents live at the root of a host (RFC 8414 section 3).
fn read_base_url(field: &Field<'_>) -> Option<(String, Scheme)> {
    let text = field.nonempty_text()?;
    let scheme = match text.trim().split_once("://") {
        _ if !is_origin(text.trim().trim_end_matches('/')) => None,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => Some(Scheme::Https),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Some(Scheme::Http),
        _ => None,
    };
    let base_url = scheme.zip(Url::parse(text.trim()).ok());
    if base_url.is_none() {
        field.fault("expected an http or https URL without path, query and fragment, such as https://mxcp.example.com");
    }
    base_url.map(|(scheme, url)| (url.origin().ascii_serialization(), scheme))
}

/// Whether `text` is scheme, host and perhaps port, and nothing else.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.has_host()
            && url.path().trim_start_matches('/').is_empty()
            && !text.ends_with('/')
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn read_host(field: &Field<'_>) -> Option<String> {
    let host = field.nonempty_text()?;
    let bare = host.trim_matches(['[', ']']);
    let is_host = bare.parse::<std::net::IpAddr>().is_ok() || (url::Host::parse(bare).is_ok() && !bare.contains(':'));
    if !is_host {
        field.fault("expected a host name or an address, without scheme and port");
        return None;
    }
    Some(host)
}

fn read_names(
    table: &mut Table<'_, '_>,
    key: &'static str,
    expected: &str,
    is_name: impl Fn(&str) -> bool,
) -> Vec<String> {
    let read = |item: Field<'_>| {
        let text = item.nonempty_text()?;
        if !is_name(&text) {
            item.fault(format!("expected {expected}"));
            return None;
        }
        Some(text)
    };
    table.get(key).and_then(|field| field.list(read)).unwrap_or_default()
}

/// Reads `logging`.
pub(super) fn read_logging(field: &Field<'_>) -> Option<LoggingSettings> {
    field.table(|table| {
        let levels = [
            ("DEBUG", LogLevel::Debug),
            ("INFO", LogLevel::Info),
            ("WARNING", LogLevel::Warning),
            ("ERROR", LogLevel::Error),
            ("CRITICAL", LogLevel::Error),
        ];
        table.refuse("path", "remove it; the log goes to standard error");
        // They speak of the file that is not written.
        table.skip(&["max_bytes", "backup_count"]);
        Some(LoggingSettings {
            is_enabled: table.get("enabled").and_then(|field| field.boolean()).unwrap_or(true),
            level: table.get("level").and_then(|field| field.choice(&levels)),
        })
    })
}

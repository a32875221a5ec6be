//! The public URL: whether it is safe, and whether what answers there is this server.

use super::Finding;
use crate::adapters::http_client::{HttpClient, HttpFault};
use crate::config::{Configuration, HttpSettings};
use mxcp_actors::model::loopback::is_this_machine;
use serde_json::Value;
use url::Url;

/// A name that the server has for itself, and where it says it.
#[derive(Clone, Copy, Debug)]
struct OwnName {
    check: &'static str,
    document: &'static str,
    member: &'static str,
    /// What follows the public URL in the name.
    path: &'static str,
}

/// As an authorization server (RFC 8414 section 3).
const ISSUER: OwnName =
    OwnName { check: "issuer", document: "/.well-known/oauth-authorization-server", member: "issuer", path: "" };
/// As a resource server, which is all that it is in verifier mode (RFC 9728 section 3).
const RESOURCE: OwnName = OwnName {
    check: "resource",
    document: "/.well-known/oauth-protected-resource/mcp",
    member: "resource",
    path: "/mcp",
};

pub(super) async fn check(configuration: &Configuration, http: &HttpClient) -> Vec<Finding> {
    let base_url = configuration.http.base_url(None);
    let Ok(url) = Url::parse(&base_url) else {
        let advice = "set transport.http.base_url to the URL that clients use";
        return vec![Finding::error("base_url", format!("{base_url} is not a URL"), advice)];
    };
    let mut findings = vec![scheme(&url, &configuration.http)];
    if configuration.auth.is_enabled() {
        let own_name = if configuration.auth.verifier.is_some() { RESOURCE } else { ISSUER };
        findings.push(answers_to(own_name, &base_url, http).await);
    }
    findings
}

fn scheme(url: &Url, http: &HttpSettings) -> Finding {
    if url.scheme() == "https" {
        return Finding::ok("https", format!("clients use {url} over TLS"));
    }
    if is_this_machine(url) && http.public_url.is_none() && is_open_to_others(http) {
        return Finding::error(
            "https",
            format!("the server listens on {} and calls itself {url}, where nobody else finds it", http.host),
            "set transport.http.base_url to the https URL that clients use",
        );
    }
    if is_this_machine(url) {
        return Finding::warning(
            "https",
            format!("{url} can be used on this machine only"),
            "to serve others, put a proxy with TLS in front and set transport.http.base_url to its https URL",
        );
    }
    Finding::error(
        "https",
        format!("{url} is plain http: tokens and passwords can be read on their way"),
        "put a proxy with TLS in front and set transport.http.base_url to its https URL",
    )
}

fn is_open_to_others(http: &HttpSettings) -> bool {
    http.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| !address.is_loopback())
}

/// Whether what answers at the public URL has that very name. Clients compare the two, character
/// by character.
async fn answers_to(name: OwnName, base_url: &str, http: &HttpClient) -> Finding {
    let url = format!("{base_url}{}", name.document);
    let request = http::Request::get(&url).header("accept", "application/json").body(Vec::new());
    let Ok(request) = request else {
        return Finding::error(name.check, format!("{url} is not a URL"), "check transport.http.base_url");
    };
    match http.send(request).await {
        Err(HttpFault::ConnectionRefused) => {
            let message = format!("nothing answers at {base_url}: the server does not run, or on another port");
            Finding::skipped(name.check, message)
        }
        Err(fault) => Finding::warning(
            name.check,
            format!("{base_url} could not be asked: {fault}"),
            "if clients can reach it from where they are, all is well; otherwise check the proxy, DNS and certificate",
        ),
        Ok(response) => compare(name, base_url, &response),
    }
}

fn compare(name: OwnName, base_url: &str, response: &http::Response<Vec<u8>>) -> Finding {
    let OwnName { check, document, member, path } = name;
    let status = response.status().as_u16();
    let metadata: Option<Value> = serde_json::from_slice(response.body()).ok();
    match metadata.as_ref().and_then(|metadata| metadata.get(member)).and_then(Value::as_str) {
        Some(own) if own == format!("{base_url}{path}") => Finding::ok(check, format!("{base_url} answers as {own}")),
        Some(own) => Finding::error(
            check,
            format!("what answers at {base_url} calls itself {}", printable(own)),
            "set transport.http.base_url of the running server to the URL that clients use, and restart it",
        ),
        None => Finding::error(
            check,
            format!("{base_url}{document} answered with status {status} and no {member}"),
            "check that the proxy passes /.well-known on to the server, and that the server runs with this configuration",
        ),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn verdict(host: &str, base_url: &str, is_given: bool) -> Verdict {
        let public_url = is_given.then(|| base_url.to_owned());
        let http = HttpSettings { host: host.to_owned(), public_url, ..HttpSettings::default() };
        scheme(&Url::parse(base_url).unwrap(), &http).status
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert_eq!(verdict("localhost", "https://mxcp.example.com", true), Verdict::Ok);
        assert_eq!(verdict("localhost", "http://localhost:8000", false), Verdict::Warning);
        assert_eq!(verdict("0.0.0.0", "http://localhost:8000", false), Verdict::Error);
        assert_eq!(verdict("localhost", "http://mxcp.example.com", true), Verdict::Error);
    }

    #[test]
    fn the_issuer_must_be_the_public_url_to_the_letter() {
        let answer = |body: &str| http::Response::builder().status(200).body(body.as_bytes().to_vec()).unwrap();
        let verdict = |body: &str| compare(ISSUER, "https://a.example", &answer(body)).status;
        assert_eq!(verdict(r#"{"issuer": "https://a.example"}"#), Verdict::Ok);
        assert_eq!(verdict(r#"{"issuer": "https://a.example/"}"#), Verdict::Error);
        assert_eq!(verdict("<html>"), Verdict::Error);
        assert_eq!(verdict(r#"{"issuer": 7}"#), Verdict::Error);
    }
}

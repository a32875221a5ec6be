//! The identity providers: whether they can be reached, and what must be registered there.

use super::Finding;
use crate::adapters::http_client::{HttpClient, HttpFault};
use crate::config::{Configuration, ProviderSettings};
use crate::wiring::{identity_providers, trusted_issuer};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock as _;
use mxcp_actors::ports::upstream_idp::{ProviderEndpoint, UpstreamError, UpstreamIdp};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How far our clock may be from a provider's before its tokens look too old or too new.
const SKEW_MAX: Duration = Duration::from_secs(60);

pub(super) async fn check(configuration: &Configuration, http: &HttpClient) -> Vec<Finding> {
    let auth = &configuration.auth;
    if !auth.is_enabled() {
        let advice = "set auth.provider unless everybody who reaches the server may call every tool";
        return vec![Finding::warning("authentication", "nobody has to sign in", advice)];
    }
    let base_url = configuration.http.base_url(None);
    match trusted_issuer(configuration) {
        Ok(None) => {}
        Ok(Some(issuer)) => return reach(&auth_name(configuration), issuer.endpoints().await, http).await,
        Err(error) => return vec![Finding::error("provider", format!("{error:#}"), "correct that setting")],
    }
    let mut findings: Vec<Finding> =
        auth.providers.iter().filter_map(|provider| callback(provider, &base_url)).collect();
    match identity_providers(&auth.providers, &base_url) {
        Ok(providers) => {
            for provider in &providers {
                let endpoints = provider.endpoints().await;
                let is_known = endpoints.is_ok();
                findings.extend(reach(provider.name(), endpoints, http).await);
                if is_known {
                    findings.push(refresh(provider.as_ref()));
                }
            }
        }
        Err(error) => findings.push(Finding::error("provider", format!("{error:#}"), "correct that setting")),
    }
    findings
}

/// What nobody can check from here.
fn callback(provider: &ProviderSettings, base_url: &str) -> Option<Finding> {
    let url = format!("{base_url}{}", provider.callback_path()?);
    let message = format!("{} must send people back to exactly {url}", provider.name);
    Some(Finding::skipped("callback", message + ": compare it with what is registered there"))
}

fn auth_name(configuration: &Configuration) -> String {
    configuration.auth.verifier.as_ref().map(|issuer| issuer.provider_name.clone()).unwrap_or_default()
}

async fn reach(name: &str, endpoints: Result<Vec<ProviderEndpoint>, UpstreamError>, http: &HttpClient) -> Vec<Finding> {
    let endpoints = match endpoints {
        Ok(endpoints) => endpoints,
        Err(error) => {
            let advice = if error.is_passing() {
                "check the network and the address, or wait until the provider is back; until then nobody gets in"
            } else {
                "correct its block in the configuration; until then nobody gets in"
            };
            return vec![Finding::error("provider", error.to_string(), advice)];
        }
    };
    let (mut findings, mut skew) = (Vec::new(), None);
    for endpoint in endpoints {
        let place = format!("{name}: {} at {}", endpoint.what, endpoint.url);
        match ask(http, &endpoint.url).await {
            Ok(answered_at) => {
                findings.push(Finding::ok("provider", format!("{place} answers")));
                skew = skew.or_else(|| answered_at.and_then(clock_skew));
            }
            Err(problem) => findings.push(Finding::error(
                "provider",
                format!("Connection refused to provider: {place}: {problem}"),
                "verify auth_url and token_url (or config_url, server_url), and the network: DNS, proxy, certificates",
            )),
        }
    }
    findings.extend(skew);
    findings
}

/// When it answered, whatever it said: endpoints refuse requests that carry nothing.
async fn ask(http: &HttpClient, url: &str) -> Result<Option<OffsetDateTime>, String> {
    let request =
        http::Request::get(url).header("accept", "*/*").body(Vec::new()).map_err(|error| error.to_string())?;
    let response = match http.send(request).await {
        Ok(response) => response,
        // A login page may be as large as it likes.
        Err(HttpFault::TooLarge(_)) => return Ok(None),
        Err(fault) => return Err(fault.to_string()),
    };
    if response.status().is_server_error() {
        return Err(format!("it answered with status {}", response.status().as_u16()));
    }
    let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    Ok(date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()))
}

fn clock_skew(answered_at: OffsetDateTime) -> Option<Finding> {
    let theirs = Timestamp::from_secs(answered_at.unix_timestamp());
    let ours = crate::adapters::system::SystemClock.now();
    let skew = ours.since(theirs).max(theirs.since(ours));
    (skew > SKEW_MAX).then(|| {
        Finding::error(
            "clock",
            format!("this machine's clock is {} s away from the provider's", skew.as_secs()),
            "set it by NTP: tokens that are not yet valid or have expired are refused",
        )
    })
}

fn refresh(provider: &dyn UpstreamIdp) -> Finding {
    match provider.refresh_hint() {
        Some(hint) => Finding::warning("refresh", hint, "add it, and have people sign in again"),
        None => Finding::ok("refresh", format!("{}: nothing keeps its tokens from being refreshed", provider.name())),
    }
}

//! Where a person's organization is, and whether the address may be trusted with a token.

use super::NAME;
use crate::adapters::upstream::error::unusable;
use crate::adapters::upstream::settings::parse_endpoint;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use url::{Host, Url};

/// Domains that Salesforce alone gives hosts in.
const DOMAINS: [&str; 5] = [".salesforce.com", ".force.com", ".my.site.com", ".cloudforce.com", ".salesforce.mil"];

/// Where the profile of a token's owner is: on the server that the token answer names, never at a
/// fixed host. Unlike the identity URL, the profile is always that of the token's owner.
///
/// The answer comes from Salesforce, but a token must not go anywhere else even if it does not.
///
/// # Errors
/// When the answer names no server, or one that is not known to be Salesforce's.
pub(super) fn userinfo_url(
    instance_url: Option<&str>,
    identity_url: Option<&str>,
    token_url: &Url,
) -> Result<Url, UpstreamError> {
    let (named, keeps_path) = match (instance_url, identity_url) {
        (Some(instance), _) => (instance, true),
        (None, Some(identity)) => (identity, false),
        (None, None) => return Err(unusable(NAME, "the token answer does not say where the organization is")),
    };
    let mut url = parse_endpoint(named)
        .ok()
        .filter(|url| is_trusted(url, token_url))
        .ok_or_else(|| unusable(NAME, "the token answer names a server that is not known to be Salesforce's"))?;
    let path = if keeps_path { url.path().trim_end_matches('/').to_owned() } else { String::new() };
    url.set_path(&format!("{path}/services/oauth2/userinfo"));
    url.set_query(None);
    Ok(url)
}

/// Whether a server may be sent a token: the one that gave it, or one of Salesforce.
fn is_trusted(url: &Url, token_url: &Url) -> bool {
    url.origin() == token_url.origin() || (url.scheme() == "https" && url.port().is_none() && is_salesforce(url))
}

/// Whether only people of one organization can sign in at that address. At `login.salesforce.com`
/// everybody with an account at Salesforce can, whoever set their organization up.
pub(super) fn is_of_one_organization(url: &Url) -> bool {
    !is_salesforce(url) || matches!(url.host(), Some(Host::Domain(name)) if name.contains(".my."))
}

fn is_salesforce(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(name)) if DOMAINS.iter().any(|domain| name.ends_with(domain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "https://login.salesforce.com/services/oauth2/token";

    fn found(instance: Option<&str>, identity: Option<&str>, token_url: &str) -> Option<String> {
        userinfo_url(instance, identity, &Url::parse(token_url).unwrap()).ok().map(String::from)
    }

    #[test]
    fn the_profile_is_where_the_token_answer_says() {
        let at = |host: &str| Some(format!("{host}/services/oauth2/userinfo"));
        for instance in [
            "https://acme.my.salesforce.com",
            "https://acme--dev.sandbox.my.salesforce.com",
            "https://acme.my.salesforce.mil",
            "https://acme.my.site.com",
            "https://na1.salesforce.com",
        ] {
            assert_eq!(found(Some(instance), None, LOGIN), at(instance));
            assert_eq!(found(Some(&format!("{instance}/")), Some("https://evil.example/id"), LOGIN), at(instance));
        }
        let identity = "https://test.salesforce.com/id/00D/005?x=y";
        assert_eq!(found(None, Some(identity), LOGIN), at("https://test.salesforce.com"));
        assert_eq!(found(None, None, LOGIN), None);
    }

    #[test]
    fn a_token_goes_to_salesforce_or_to_where_it_came_from() {
        for bad in [
            "https://evil.example",
            "https://salesforce.com.evil.example",
            "https://evilsalesforce.com",
            "https://login.salesforce.com@evil.example",
            "https://user@acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://acme.my.salesforce.com.",
            "http://acme.my.salesforce.com",
            "http://127.0.0.1:9000",
            "https://127.0.0.1",
            "https://169.254.169.254",
            "//acme.my.salesforce.com",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(found(Some(bad), None, LOGIN), None, "{bad}");
            assert_eq!(found(Some(bad), Some("https://login.salesforce.com/id/x"), LOGIN), None, "{bad}");
            assert_eq!(found(None, Some(bad), LOGIN), None, "{bad}");
        }
        let here = "http://127.0.0.1:4321/services/oauth2/token";
        let expected = "http://127.0.0.1:4321/instance/services/oauth2/userinfo";
        assert_eq!(found(Some("http://127.0.0.1:4321/instance"), None, here).as_deref(), Some(expected));
        assert_eq!(found(Some("http://127.0.0.1:4322"), None, here), None);
    }

    #[test]
    fn a_domain_of_ones_own_is_of_one_organization() {
        let is_of_one = |url: &str| is_of_one_organization(&Url::parse(url).unwrap());
        for one in [
            "https://acme.my.salesforce.com/services/oauth2/token",
            "https://acme--dev.sandbox.my.salesforce.com/x",
            "https://acme.my.site.com/x",
            "http://127.0.0.1:80/x",
            "https://login.acme.example/x",
        ] {
            assert!(is_of_one(one), "{one}");
        }
        for everybody in
            [LOGIN, "https://test.salesforce.com/x", "https://na1.salesforce.com/", "https://login.salesforce.mil"]
        {
            assert!(!is_of_one(everybody), "{everybody}");
        }
    }
}

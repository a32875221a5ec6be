//! The sites that a person let us into.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// How many sites are looked at. Few people have more than a handful.
const SITES_MAX: usize = 100;

/// A site, as `user.claims.accessible_resources` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Site {
    /// The cloud id, by which the API knows it. It stays when the site is renamed.
    id: String,
    name: String,
    url: String,
    #[serde(default)]
    scopes: Vec<String>,
}

/// Reads the list; `None` when it is none.
pub(super) fn read(list: &Value) -> Option<Vec<Site>> {
    let sites: Vec<Site> = Vec::deserialize(list).ok()?;
    Some(sites.into_iter().take(SITES_MAX).collect())
}

/// The list as a claim.
pub(super) fn claim(sites: &[Site]) -> Value {
    serde_json::to_value(sites).unwrap_or_default()
}

/// The groups that follow from the sites: their hosts. Anybody may give a site any name, but each
/// host is somebody's alone. A site is in the list once for each product.
pub(super) fn groups(sites: &[Site]) -> Vec<String> {
    let mut hosts: Vec<String> = sites.iter().filter_map(host).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn host(site: &Site) -> Option<String> {
    Url::parse(&site.url).ok().filter(|url| url.scheme() == "https")?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_host_is_one_group() {
        let site = |url: &str| json!({"id": "1", "name": "Acme", "url": url, "scopes": ["read:me"], "avatarUrl": "x"});
        let list = json!([
            site("https://b.atlassian.net"),
            site("https://ACME.atlassian.net/wiki"),
            site("https://acme.atlassian.net"),
            site("nonsense"),
            site("http://plain.atlassian.net"),
        ]);
        let sites = read(&list).unwrap();
        assert_eq!(groups(&sites), ["acme.atlassian.net", "b.atlassian.net"]);
        let expected = json!({"id": "1", "name": "Acme", "url": "https://b.atlassian.net", "scopes": ["read:me"]});
        assert_eq!(claim(&sites)[0], expected);
    }

    #[test]
    fn what_is_no_list_of_sites_is_refused_and_a_long_one_is_cut() {
        for bad in [json!({}), json!([{"id": 1}]), json!("x"), json!([{"name": "a", "url": "https://a"}])] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        let site = json!({"id": "1", "name": "a", "url": "https://a.atlassian.net"});
        assert_eq!(read(&json!(vec![site; 500])).unwrap().len(), SITES_MAX);
    }
}

//! Where the public keys of a client are (RFC 7591 section 2: `jwks` and `jwks_uri`).

use super::loopback::is_this_machine;
use super::signing_key::{KeyFault, KeySet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use url::Url;

/// The longest `jwks_uri`.
const URI_BYTES_MAX: usize = 2_000;

/// The keys of a client that proves itself with `private_key_jwt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientKeys {
    /// The keys themselves.
    #[serde(rename = "jwks")]
    Set(Arc<KeySet>),
    /// Where the client publishes them.
    #[serde(rename = "jwks_uri")]
    Published(String),
}

/// Why the keys of a client cannot be used; for its developer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeysFault {
    /// There are none.
    #[error("the method private_key_jwt needs jwks or jwks_uri")]
    Missing,
    /// There are two sets, of which nobody knows which one counts.
    #[error("jwks and jwks_uri must not be there at once")]
    Both,
    /// The set cannot be used.
    #[error(transparent)]
    Set(#[from] KeyFault),
    /// The address cannot be used.
    #[error("jwks_uri must be an https URL without a user and a fragment; http only on this machine")]
    Uri,
}

impl ClientKeys {
    /// Reads `jwks` or `jwks_uri` from a client's metadata.
    ///
    /// # Errors
    /// Unless there is exactly one of them and it can be used.
    pub fn read(metadata: &Map<String, Value>) -> Result<Self, ClientKeysFault> {
        let field = |name: &str| metadata.get(name).filter(|value| !value.is_null());
        match (field("jwks"), field("jwks_uri")) {
            (None, None) => Err(ClientKeysFault::Missing),
            (Some(_), Some(_)) => Err(ClientKeysFault::Both),
            (Some(set), None) => Ok(Self::Set(Arc::new(KeySet::read(set)?))),
            (None, Some(uri)) => {
                let uri = uri.as_str().filter(|uri| is_fetchable(uri)).ok_or(ClientKeysFault::Uri)?;
                Ok(Self::Published(uri.to_owned()))
            }
        }
    }
}

/// Whether keys at `uri` cannot be changed on their way. Which hosts may be asked is the
/// fetcher's business.
fn is_fetchable(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let is_safe = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_this_machine(&url),
        _ => false,
    };
    let is_plain = url.username().is_empty() && url.password().is_none() && !uri.contains('#');
    is_safe && is_plain && uri.len() <= URI_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(metadata: &Value) -> Result<ClientKeys, ClientKeysFault> {
        ClientKeys::read(metadata.as_object().unwrap())
    }

    fn jwks() -> Value {
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
    }

    #[test]
    fn there_is_one_place_where_the_keys_are() {
        let uri = "https://app.example.com/keys.json";
        let set = ClientKeys::Set(Arc::new(KeySet::read(&jwks()).unwrap()));
        assert_eq!(read(&json!({"jwks": jwks(), "jwks_uri": null})), Ok(set));
        assert_eq!(read(&json!({ "jwks_uri": uri })), Ok(ClientKeys::Published(uri.to_owned())));
        assert_eq!(read(&json!({"jwks": jwks(), "jwks_uri": uri})), Err(ClientKeysFault::Both));
        assert_eq!(read(&json!({"jwks": null})), Err(ClientKeysFault::Missing));
        assert_eq!(read(&json!({"jwks": "x"})), Err(ClientKeysFault::Set(KeyFault::NotASet)));
    }

    #[test]
    fn keys_are_fetched_only_where_nobody_can_change_them_on_their_way() {
        for uri in ["https://a.example/k", "https://a.example:8443/k?x=1", "http://localhost:1/k", "http://[::1]/k"] {
            assert!(read(&json!({ "jwks_uri": uri })).is_ok(), "{uri}");
        }
        let long = format!("https://a.example/{}", "x".repeat(URI_BYTES_MAX));
        for uri in [
            "http://a.example/k",
            "http://localhost.a.example/k",
            "ftp://a.example/k",
            "file:///etc/keys",
            "data:application/json,{}",
            "https://user@a.example/k",
            "https://a.example/k#x",
            "/k",
            "",
            &long,
        ] {
            assert_eq!(read(&json!({ "jwks_uri": uri })), Err(ClientKeysFault::Uri), "{uri}");
        }
        assert_eq!(read(&json!({"jwks_uri": ["https://a.example"]})), Err(ClientKeysFault::Uri));
    }
}

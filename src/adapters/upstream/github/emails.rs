//! Which of a person's addresses counts.

use serde::Deserialize;
use serde_json::Value;

/// One address of a person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Address {
    /// The address.
    pub(super) email: String,
    /// Whether GitHub has seen the person receive mail there.
    #[serde(default)]
    pub(super) verified: bool,
    #[serde(default)]
    primary: bool,
}

/// Chooses the address: the public one when there is one, which GitHub lets nobody show that it has
/// not verified, else the primary verified, else a verified one. Others say nothing: anybody may
/// have an account, and enter any address. Whether the public one is verified is looked up in the list; when
/// the list is not to be had, nobody vouches for it.
pub(super) fn choose(public: Option<String>, list: Option<Value>) -> Option<Address> {
    let addresses: Vec<Address> = list.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
    match public {
        Some(email) => {
            let verified = addresses.iter().any(|known| known.verified && known.email.eq_ignore_ascii_case(&email));
            Some(Address { email, verified, primary: false })
        }
        None => best(&addresses).cloned(),
    }
}

fn best(addresses: &[Address]) -> Option<&Address> {
    addresses
        .iter()
        .find(|address| address.primary && address.verified)
        .or_else(|| addresses.iter().find(|address| address.verified))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chosen(public: Option<&str>, list: Value) -> Option<(String, bool)> {
        choose(public.map(str::to_owned), Some(list)).map(|address| (address.email, address.verified))
    }

    #[test]
    fn primary_and_verified_beats_verified_and_others_do_not_count() {
        let first = json!({"email": "first@x", "verified": false, "primary": true});
        let verified = json!({"email": "verified@x", "verified": true, "primary": false});
        let best = json!({"email": "best@x", "verified": true, "primary": true});
        assert_eq!(chosen(None, json!([first, verified, best])), Some(("best@x".to_owned(), true)));
        assert_eq!(chosen(None, json!([first, verified])), Some(("verified@x".to_owned(), true)));
        assert_eq!(chosen(None, json!([first])), None);
        assert_eq!(chosen(None, json!([])), None);
    }

    #[test]
    fn a_public_address_is_verified_only_if_the_list_says_so() {
        let list =
            json!([{"email": "Me@x", "verified": true, "primary": false}, {"email": "other@x", "verified": false}]);
        assert_eq!(chosen(Some("me@x"), list.clone()), Some(("me@x".to_owned(), true)));
        assert_eq!(chosen(Some("other@x"), list), Some(("other@x".to_owned(), false)));
        assert_eq!(chosen(Some("me@x"), json!({"message": "odd"})), Some(("me@x".to_owned(), false)));
    }
}

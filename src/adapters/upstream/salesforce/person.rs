//! From a profile of Salesforce to a user.

use super::NAME;
use crate::adapters::upstream::api::{local_part, text};
use crate::adapters::upstream::error::unusable;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde_json::Value;
use url::Url;

/// Identifiers have fifteen characters that count; three more may follow that are computed from
/// them.
const ID_CHARS: usize = 15;
const LONG_ID_CHARS: usize = 18;

/// Whether the attributes that an organization gives its people become role, groups and permissions.
///
/// Where people of any organization can sign in they do not: anybody may set up an organization
/// and call themselves an administrator in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attributes {
    /// They do.
    Granting,
    /// They do not, and are claims only.
    Ignored,
}

/// Describes the person of a profile.
///
/// The subject is organization and user together: a sandbox has the users of production under
/// the same identifiers, and people of all sandboxes sign in at the same host.
///
/// # Errors
/// When the profile does not say who it is about, is about somebody else than `identity_url`, or
/// about somebody who has left.
pub(super) fn user(profile: Value, identity_url: Option<&str>, attributes: Attributes) -> Result<User, UpstreamError> {
    let (organization, person) = (id(&profile, "organization_id")?, id(&profile, "user_id")?);
    if identity_url.is_some_and(|url| !names(url, &organization, &person)) {
        return Err(unusable(NAME, "the user's profile is about somebody else than the token answer"));
    }
    if profile.get("active") == Some(&Value::Bool(false)) {
        return Err(unusable(NAME, "the user is not active"));
    }
    let written = text(&profile, "email");
    let username = text(&profile, "preferred_username").or_else(|| written.as_deref().and_then(local_part));
    let is_verified = profile.get("email_verified") == Some(&Value::Bool(true));
    // Where people of every organization sign in an address counts if Salesforce vouches for it.
    let email = written.filter(|_| is_verified || attributes == Attributes::Granting);
    let subject = format!("{organization}/{person}");
    let mut user = User {
        id: UserId::of(NAME, &subject),
        provider: NAME.to_owned(),
        subject,
        username: username.unwrap_or(person),
        email_verified: email.is_some() && is_verified,
        email,
        name: text(&profile, "name"),
        role: None,
        permissions: Vec::new(),
        groups: Vec::new(),
        capabilities: Vec::new(),
        claims: Value::Null,
    };
    if attributes == Attributes::Granting {
        grant(&mut user, &profile);
    }
    user.claims = profile;
    Ok(user)
}

/// Describes a person whose profile another program has fetched and kept, as a sign-in would, but
/// without what the organization grants: that is known at the next sign-in. `None` when the profile
/// is not that of the user with this identifier.
pub(in crate::adapters) fn described_before(user_id: &str, profile: &Value) -> Option<User> {
    user(profile.clone(), None, Attributes::Ignored)
        .ok()
        .filter(|_| text(profile, "user_id").as_deref() == Some(user_id))
}

/// Takes role, groups and permissions from the attributes that the app is set up with, and
/// permissions also from the custom permissions that the person has.
fn grant(user: &mut User, profile: &Value) {
    if let Some(attributes) = profile.get("custom_attributes") {
        user.role = text(attributes, "role");
        user.groups = list(attributes, "groups");
        user.permissions = list(attributes, "permissions");
    }
    if let Some(Value::Object(permissions)) = profile.get("custom_permissions") {
        let held = permissions.iter().filter(|(_, is_held)| **is_held == Value::Bool(true));
        user.permissions.extend(held.map(|(name, _)| name.clone()));
    }
}

/// The values of an attribute. Salesforce puts a semicolon between those of a picklist.
fn list(attributes: &Value, name: &str) -> Vec<String> {
    let values = text(attributes, name).unwrap_or_default();
    values.split(';').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

fn id(profile: &Value, field: &str) -> Result<String, UpstreamError> {
    text(profile, field)
        .filter(|id| is_id(id))
        .ok_or_else(|| unusable(NAME, format!("the user's profile has no proper {field}")))
}

fn is_id(id: &str) -> bool {
    [ID_CHARS, LONG_ID_CHARS].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether an identity URL, which ends with organization and user, names these two.
fn names(identity_url: &str, organization: &str, person: &str) -> bool {
    let Ok(url) = Url::parse(identity_url) else { return false };
    let Some(mut segments) = url.path_segments() else { return false };
    let (last, before) = (segments.next_back(), segments.next_back());
    last.is_some_and(|id| is_same(id, person)) && before.is_some_and(|id| is_same(id, organization))
}

fn is_same(a: &str, b: &str) -> bool {
    is_id(a) && is_id(b) && a.get(..ID_CHARS) == b.get(..ID_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ORGANIZATION: &str = "00D5g000004AbCdEAK";
    const PERSON: &str = "0055g00000AbCdEAAV";

    fn profile() -> Value {
        json!({
            "organization_id": ORGANIZATION, "user_id": PERSON, "preferred_username": "ada@acme.example.crm",
            "email": "ada@acme.example", "email_verified": true, "active": true, "user_type": "STANDARD",
            "custom_attributes": {"role": "System Administrator", "groups": "sales; emea;;", "permissions": "read"},
            "custom_permissions": {"Export": true, "Delete": false, "Odd": "true"},
        })
    }

    fn described(change: impl FnOnce(&mut Value)) -> Result<User, UpstreamError> {
        let mut profile = profile();
        change(&mut profile);
        user(profile, None, Attributes::Granting)
    }

    #[test]
    fn the_subject_is_organization_and_user_together() {
        let ada = described(|_| ()).unwrap();
        assert_eq!(ada.subject, format!("{ORGANIZATION}/{PERSON}"));
        assert_eq!(ada.id, UserId::of("salesforce", &ada.subject));
        for (field, bad) in
            [("user_id", json!("")), ("user_id", json!("a/b")), ("organization_id", json!(7)), ("user_id", json!(null))]
        {
            let fault = described(|profile| profile[field] = bad).unwrap_err().to_string();
            assert!(fault.ends_with(&format!("the user's profile has no proper {field}")), "{fault}");
        }
    }

    #[test]
    fn attributes_grant_only_where_one_organization_signs_in() {
        let ada = user(profile(), None, Attributes::Granting).unwrap();
        assert_eq!(ada.role.as_deref(), Some("System Administrator"));
        assert_eq!(
            (ada.groups, ada.permissions),
            (vec!["sales".into(), "emea".into()], vec!["read".into(), "Export".into()])
        );
        let anybody = user(profile(), None, Attributes::Ignored).unwrap();
        assert_eq!((anybody.role, anybody.groups, anybody.permissions), (None, Vec::new(), Vec::new()));
        assert_eq!(anybody.claims["custom_attributes"]["role"], "System Administrator");
    }

    #[test]
    fn the_profile_is_about_the_person_of_the_identity_url() {
        let at =
            |path: &str| user(profile(), Some(&format!("https://login.salesforce.com/{path}")), Attributes::Ignored);
        assert!(at(&format!("id/{ORGANIZATION}/{PERSON}")).is_ok());
        // Fifteen characters name the same as eighteen.
        assert!(at("id/00D5g000004AbCd/0055g00000AbCdE").is_ok());
        for other in
            ["id/00D5g000004AbCd/0055g00000AbCdX", "id/00D5g000004AbCX/0055g00000AbCdE", "id/00D5g000004AbCd", ""]
        {
            assert!(
                at(other).unwrap_err().to_string().ends_with("about somebody else than the token answer"),
                "{other}"
            );
        }
        assert!(user(profile(), Some("nonsense"), Attributes::Ignored).is_err());
    }

    #[test]
    fn who_has_left_does_not_sign_in() {
        let fault = described(|profile| profile["active"] = json!(false)).unwrap_err().to_string();
        assert!(fault.ends_with("the user is not active"), "{fault}");
    }

    #[test]
    fn a_person_is_called_by_the_login_name_or_the_address_or_the_identifier() {
        assert_eq!(described(|_| ()).unwrap().username, "ada@acme.example.crm");
        assert_eq!(described(|profile| profile["preferred_username"] = json!(null)).unwrap().username, "ada");
        let nameless = described(|profile| {
            profile["preferred_username"] = json!(null);
            profile["email"] = json!(null);
        });
        let nameless = nameless.unwrap();
        assert_eq!((nameless.username.as_str(), nameless.email_verified), (PERSON, false));
    }
}

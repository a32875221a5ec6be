//! `--user-context`: a user made up on the command line, to see what an endpoint does for them.

use super::run::{read_json, usage};
use crate::config::closest;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::{Principal, User};
use mxcp_actors::model::secret::Secret;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The provider of users that the command line makes up.
const PROVIDER: &str = "cli";
/// The key with the user's token at their provider.
const EXTERNAL_TOKEN: &str = "external_token";
/// The key whose entries are claims; so are all other keys.
const CLAIMS: &str = "claims";
const DEFAULT_USER: &str = "cli_user";

const TEXTS: [&str; 6] = ["id", "user_id", "username", "email", "name", "role"];
const LISTS: [&str; 3] = ["permissions", "groups", "capabilities"];
const EMAIL_VERIFIED: &str = "email_verified";

/// Who calls.
pub(super) struct GivenUser {
    pub(super) principal: Principal,
    /// Their token at the provider, which is kept apart: rules and records see the user whole.
    pub(super) external_token: Option<Secret>,
    /// What was probably not meant.
    warnings: Vec<String>,
}

impl GivenUser {
    /// Reads the option; nobody is known without it.
    pub(super) fn read(text: Option<&str>) -> anyhow::Result<Self> {
        let Some(text) = text else {
            return Ok(Self { principal: Principal::anonymous(), external_token: None, warnings: Vec::new() });
        };
        let Value::Object(mut fields) = read_json("--user-context", text)? else {
            return Err(usage("--user-context must be a JSON object".to_owned()));
        };
        let external_token = match fields.shift_remove(EXTERNAL_TOKEN) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(Secret::new(token)),
            Some(_) => return Err(usage(format!("{EXTERNAL_TOKEN} in --user-context must be a text"))),
        };
        let warnings = warnings(&fields);
        let user = user_of(fields)?;
        // The operator needs no scopes: nothing of a command goes through the door that asks for them.
        let principal = Principal { user: Some(Arc::new(user)), ..Principal::anonymous() };
        Ok(Self { principal, external_token, warnings })
    }

    /// Says what was probably not meant, once there is a log.
    pub(super) fn warn(&self) {
        for warning in &self.warnings {
            tracing::warn!("--user-context: {warning}");
        }
    }
}

fn user_of(mut fields: Map<String, Value>) -> anyhow::Result<User> {
    let claims = match fields.shift_remove(CLAIMS) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err(usage(format!("{CLAIMS} in --user-context must be an object"))),
    };
    let text_of = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let list_of = |name: &str| {
        let items = fields.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
    };
    let subject = text_of("user_id").or_else(|| text_of("id")).unwrap_or_else(|| DEFAULT_USER.to_owned());
    Ok(User {
        id: UserId::of(PROVIDER, &subject),
        provider: PROVIDER.to_owned(),
        subject,
        username: text_of("username").unwrap_or_else(|| DEFAULT_USER.to_owned()),
        email: text_of("email"),
        email_verified: fields.get(EMAIL_VERIFIED).and_then(Value::as_bool).unwrap_or(false),
        name: text_of("name"),
        role: text_of("role"),
        permissions: list_of("permissions"),
        groups: list_of("groups"),
        capabilities: list_of("capabilities"),
        claims: Value::Object(fields.into_iter().chain(claims).collect()),
    })
}

/// Keys that are not what they look like. Their values are not repeated.
fn warnings(fields: &Map<String, Value>) -> Vec<String> {
    let given = fields.iter().filter(|(_, value)| !value.is_null());
    given.filter_map(|(name, value)| warning(name, value)).collect()
}

fn warning(name: &str, value: &Value) -> Option<String> {
    let kind = if TEXTS.contains(&name) {
        (!value.is_string()).then_some("text")
    } else if LISTS.contains(&name) {
        let is_list = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        (!is_list).then_some("list of texts")
    } else if name == EMAIL_VERIFIED {
        (!value.is_boolean()).then_some("true or false")
    } else if name == CLAIMS {
        None
    } else if name == "provider" {
        return Some(format!("provider is always '{PROVIDER}' here; conditions find yours as user.claims.provider"));
    } else {
        let known: Vec<&str> = TEXTS.into_iter().chain(LISTS).chain([EMAIL_VERIFIED, EXTERNAL_TOKEN]).collect();
        let hint = closest(name, &known).map(|known| format!(" (did you mean '{known}'?)")).unwrap_or_default();
        return Some(format!("'{name}' is no field of user; conditions find it as user.claims.{name}{hint}"));
    };
    kind.map(|kind| format!("{name} is no {kind}, so it is left out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_made_up_user_is_no_claim() {
        let text = r#"{"username": "ada", "external_token": "gho_0123456789", "team": "x", "claims": {"hd": "y", "role": "admin"}}"#;
        let GivenUser { principal, external_token, .. } = GivenUser::read(Some(text)).unwrap();
        assert!(external_token.unwrap().matches("gho_0123456789"));
        assert!(!format!("{principal:?}").contains("gho_"));
        let user = principal.user.unwrap();
        assert_eq!(user.claims, serde_json::json!({"username": "ada", "team": "x", "hd": "y", "role": "admin"}));
        assert_eq!(user.role, None, "a claim alone gives no role");
        assert!(GivenUser::read(Some(r#"{"external_token": null}"#)).unwrap().external_token.is_none());
        let error = |text: &str| GivenUser::read(Some(text)).err().unwrap().to_string();
        let token = error(r#"{"external_token": ["gho_0123456789"]}"#);
        assert_eq!(token, "external_token in --user-context must be a text");
        assert_eq!(error(r#"{"claims": 1}"#), "claims in --user-context must be an object");
    }
}

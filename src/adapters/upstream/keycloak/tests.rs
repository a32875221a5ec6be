use super::*;
use mxcp_actors::model::ids::UserId;
use serde_json::json;

fn flavour() -> Keycloak {
    Keycloak { realm: "MyRealm".to_owned(), client_id: "mxcp-server".to_owned() }
}

fn completed(claims: Value) -> User {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |name: &str| claims.get(name).map(|list| serde_json::from_value(list.clone()).unwrap());
    let mut user = User {
        id: UserId::of(NAME, "7"),
        provider: NAME.to_owned(),
        subject: "7".to_owned(),
        username: "ada".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        role: text("role"),
        permissions: list("permissions").unwrap_or_default(),
        groups: list("groups").unwrap_or_default(),
        capabilities: Vec::new(),
        claims,
    };
    flavour().complete(&mut user);
    user
}

fn role_of(realm_roles: &[&str]) -> Option<String> {
    completed(json!({"realm_access": {"roles": realm_roles}})).role
}

#[test]
fn roles_of_the_realm_and_of_our_client_are_permissions() {
    let user = completed(json!({
        "permissions": ["books:read"],
        "realm_access": {"roles": ["analyst", "offline_access", "books:read"]},
        "resource_access": {"mxcp-server": {"roles": ["editor", "analyst"]}, "account": {"roles": ["manage-account"]}},
    }));
    assert_eq!(user.permissions, ["books:read", "analyst", "offline_access", "editor"]);
    assert_eq!(user.role, None, "there are three");
}

#[test]
fn the_only_role_that_not_everybody_has_is_the_role() {
    assert_eq!(role_of(&["offline_access", "admin", "uma_authorization", "default-roles-myrealm"]).unwrap(), "admin");
    assert_eq!(role_of(&["admin", "analyst"]), None);
    assert_eq!(role_of(&["offline_access", "uma_authorization"]), None);
    assert_eq!(role_of(&["default-roles-other"]).unwrap(), "default-roles-other");
    let in_client = json!({"resource_access": {"mxcp-server": {"roles": ["admin"]}}});
    assert_eq!(completed(in_client).role.unwrap(), "admin");
    let of_another = json!({"resource_access": {"account": {"roles": ["admin"]}}});
    assert_eq!(completed(of_another).role, None, "a role in another client is none here");
}

#[test]
fn a_role_that_was_mapped_is_the_role_whatever_the_others() {
    let user = completed(json!({"role": "owner", "realm_access": {"roles": ["admin"]}}));
    assert_eq!(user.role.unwrap(), "owner");
    assert_eq!(user.permissions, ["admin"]);
}

#[test]
fn groups_lose_the_slash_in_front_and_keep_their_path() {
    let user = completed(json!({"groups": ["/staff", "/staff/readers", "plain"]}));
    assert_eq!(user.groups, ["staff", "staff/readers", "plain"]);
}

#[test]
fn claims_of_another_shape_give_no_rights() {
    for odd in
        [json!("admin"), json!(["admin"]), json!({"roles": "admin"}), json!({"roles": [1, null, ""]}), json!(null)]
    {
        let user = completed(json!({"realm_access": odd, "resource_access": {"mxcp-server": odd}}));
        assert_eq!((user.role, user.permissions), (None, Vec::new()), "{odd}");
    }
}

#[test]
fn the_discovery_document_is_found_from_server_and_realm() {
    for (server_url, realm, expected) in [
        ("https://id.example.com", "myrealm", "https://id.example.com/realms/myrealm"),
        ("https://id.example.com/", "myrealm", "https://id.example.com/realms/myrealm"),
        ("https://id.example.com/auth", "myrealm", "https://id.example.com/auth/realms/myrealm"),
        ("https://id.example.com/auth/", "My realm", "https://id.example.com/auth/realms/My%20realm"),
    ] {
        assert_eq!(config_url(server_url, realm).unwrap(), format!("{expected}{DISCOVERY_SUFFIX}"));
    }
    for bad in ["http://id.example.com", "https://id.example.com/?a=b", "id.example.com", ""] {
        assert_eq!(config_url(bad, "myrealm").unwrap_err().field, "server_url", "{bad}");
    }
}

#[test]
fn an_issuer_by_another_name_says_what_to_set() {
    let told = |issuer: &str| flavour().explain_issuer(issuer, "http://keycloak:8080/auth/realms/myrealm");
    assert_eq!(
        told("https://id.example.com/auth/realms/myrealm"),
        "its issuer is https://id.example.com/auth/realms/myrealm; set server_url to https://id.example.com/auth"
    );
    assert!(told("https://id.example.com").ends_with("those of http://keycloak:8080/auth/realms/myrealm"));
}

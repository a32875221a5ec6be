mod documents;

use super::state::{proves, register};
use super::{AuthenticationError, RegistrationError, RegistryError};
use crate::model::client::{
    AuthMethod, Client, ClientCredentials, ClientMetadata, ClientOrigin, ClientProof, GrantType,
};
use crate::model::ids::ClientId;
use crate::model::redirect_uri::RedirectUri;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::testkit::rig::{Login, Rig, settings};
use crate::testkit::samples::{self, scopes};
use futures_util::future::join_all;
use std::time::Duration;

mod assertions;

fn metadata() -> ClientMetadata {
    ClientMetadata {
        name: Some("Editor".to_owned()),
        redirect_uris: vec![RedirectUri::parse(samples::REDIRECT_URI).unwrap()],
        grant_types: vec![GrantType::AuthorizationCode],
        auth_method: AuthMethod::ClientSecretBasic,
        keys: None,
        scope: None,
    }
}

fn registered(metadata: ClientMetadata) -> Result<super::RegisteredClient, RegistrationError> {
    let known = (&scopes("mxcp:access read write"), &scopes("mxcp:access read"));
    register(metadata, ClientId::new("id"), Secret::new("secret"), known, Timestamp::from_secs(9))
}

#[test]
fn a_client_gets_the_scopes_that_exist_and_the_default_when_none_does() {
    for (asked, given) in [
        (None, "mxcp:access read"),
        (Some(""), "mxcp:access read"),
        (Some("nonsense"), "mxcp:access read"),
        (Some("write"), "write"),
        (Some("write offline_access"), "write"),
    ] {
        let client = registered(ClientMetadata { scope: asked.map(scopes), ..metadata() }).unwrap().client;
        assert_eq!(client.scope, scopes(given), "{asked:?}");
    }
}

#[test]
fn a_name_is_cleaned_before_anyone_is_shown_it() {
    for (name, shown) in [
        (None, "Unnamed application"),
        (Some("  "), "Unnamed application"),
        (Some("\u{202e}\u{200b}"), "Unnamed application"),
        (Some("Edi\u{202e}tor\n\u{0}"), "Editor"),
        (Some(" Zoë's editor "), "Zoë's editor"),
        (Some(&"x".repeat(200)), &"x".repeat(80)),
    ] {
        let client = registered(ClientMetadata { name: name.map(str::to_owned), ..metadata() }).unwrap().client;
        assert_eq!(client.name, shown);
    }
}

#[test]
fn a_client_that_could_never_get_a_token_is_refused() {
    let no_uri = ClientMetadata { redirect_uris: Vec::new(), ..metadata() };
    let no_code = ClientMetadata { grant_types: vec![GrantType::RefreshToken], ..metadata() };
    for metadata in [no_uri, no_code] {
        assert!(matches!(registered(metadata), Err(RegistrationError::InvalidMetadata(_))));
    }
}

#[test]
fn only_a_confidential_client_gets_a_secret() {
    let confidential = registered(metadata()).unwrap();
    assert!(confidential.secret.unwrap().matches("secret"));
    assert_eq!(confidential.client.secret_hash, Some(Secret::new("secret").hash()));
    let public = registered(ClientMetadata { auth_method: AuthMethod::None, ..metadata() }).unwrap();
    assert!(public.secret.is_none() && public.client.secret_hash.is_none());
    assert_eq!((public.client.issued_at, public.client.origin), (Timestamp::from_secs(9), ClientOrigin::Registered));
}

fn secret(text: &str) -> ClientProof {
    ClientProof::Secret(Secret::new(text))
}

#[test]
fn a_client_with_a_secret_must_show_it_and_one_without_must_not() {
    let public = samples::client("app");
    let secret_hash = Some(Secret::new("secret").hash());
    let confidential = Client { secret_hash, auth_method: AuthMethod::ClientSecretBasic, ..samples::client("app") };
    let posting = Client { auth_method: AuthMethod::ClientSecretPost, ..confidential.clone() };
    let signing = Client { auth_method: AuthMethod::PrivateKeyJwt, ..samples::client("app") };
    // Neither of these two is ever made; if it were, it would be nobody.
    let strange = Client { auth_method: AuthMethod::PrivateKeyJwt, ..confidential.clone() };
    let hollow = Client { auth_method: AuthMethod::ClientSecretBasic, ..samples::client("app") };
    for (client, shown, expected) in [
        (&public, None, true),
        (&public, Some(""), false),
        (&public, Some("secret"), false),
        (&confidential, Some("secret"), true),
        (&confidential, Some("Secret"), false),
        (&confidential, Some(""), false),
        (&confidential, None, false),
        (&posting, Some("secret"), true),
        (&posting, None, false),
        (&signing, None, false),
        (&signing, Some(""), false),
        (&strange, Some("secret"), false),
        (&hollow, None, false),
    ] {
        let proof = shown.map_or(ClientProof::None, secret);
        assert_eq!(proves(client, &proof), expected, "{:?} {shown:?}", client.auth_method);
    }
}

#[actix::test]
async fn a_registered_client_is_known_again_by_its_secret() {
    let rig = Rig::start(Login::Provider).await;
    let new = rig.client_registry.register_client(metadata(), String::new(), Some("trace".to_owned())).await.unwrap();
    let (id, own) = (new.client.id.clone(), new.secret.unwrap());
    let authenticate = |text: &str| {
        rig.client_registry.authenticate_client(ClientCredentials { client_id: id.clone(), proof: secret(text) })
    };
    assert_eq!(authenticate(own.expose()).await.unwrap(), new.client);
    assert_eq!(authenticate("wrong").await.unwrap_err(), AuthenticationError::Failed);
    assert_eq!(rig.client_registry.resolve_client(ClientId::new("nobody")).await, Ok(None));
    let record = rig.audit.records().pop().unwrap();
    assert_eq!((record.operation_name.as_str(), record.client_id.as_ref()), ("auth.client_registered", Some(&id)));
    assert!(!serde_json::to_string(&*record).unwrap().contains(own.expose()));
}

#[actix::test]
async fn a_configured_client_is_known_and_never_dropped() {
    let configured = Client { origin: ClientOrigin::Configured, ..samples::client("portal") };
    let rig = Rig::with(Login::Provider, Settings { configured_clients: vec![configured.clone()], ..settings() }).await;
    rig.client_store.break_operation("find_client");
    rig.client_store.break_operation("mark_client_used");
    assert_eq!(rig.client_registry.resolve_client(ClientId::new("portal")).await, Ok(Some(configured)));
    assert_eq!(rig.client_registry.mark_client_used(ClientId::new("portal")).await, Ok(()));
    let other = rig.client_registry.resolve_client(ClientId::new("other")).await;
    assert!(matches!(other, Err(RegistryError::Store(_))));
}

#[actix::test]
async fn nobody_registers_while_registration_is_closed() {
    let rig = Rig::with(Login::Provider, Settings { is_registration_open: false, ..settings() }).await;
    let refused = rig.client_registry.register_client(metadata(), String::new(), None).await;
    assert_eq!(refused.unwrap_err(), RegistrationError::Closed);
}

#[actix::test]
async fn no_more_clients_register_than_allowed_even_at_once() {
    let rig = Rig::start(Login::Provider).await;
    let registrations =
        join_all((0..20).map(|_| rig.client_registry.register_client(metadata(), String::new(), None))).await;
    assert_eq!(registrations.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    assert!(registrations.iter().filter_map(|outcome| outcome.as_ref().err()).all(|e| *e == RegistrationError::Full));
}

#[actix::test]
async fn a_registration_that_cannot_be_recorded_fails() {
    let rig = Rig::start(Login::Provider).await;
    rig.audit.fail_next();
    let failed = rig.client_registry.register_client(metadata(), String::new(), None).await;
    assert!(matches!(failed, Err(RegistrationError::NotRecorded(_))));
}

#[actix::test]
async fn a_client_that_nobody_logs_in_through_is_dropped_after_a_day() {
    let rig = Rig::start(Login::Provider).await;
    let used = rig.client_registry.register_client(metadata(), String::new(), None).await.unwrap().client.id;
    let unused = rig.client_registry.register_client(metadata(), String::new(), None).await.unwrap().client.id;
    rig.client_registry.mark_client_used(used.clone()).await.unwrap();
    rig.pass(Duration::from_secs(24 * 60 * 60 - 1)).await;
    assert!(rig.client_registry.resolve_client(unused.clone()).await.unwrap().is_some());
    rig.pass(Duration::from_secs(11 * 60)).await;
    assert!(rig.client_registry.resolve_client(unused).await.unwrap().is_none());
    assert!(rig.client_registry.resolve_client(used).await.unwrap().is_some());
    assert_eq!(rig.recorded("auth.client_expired"), 1);
}

#[actix::test]
async fn who_registers_too_many_is_told_when_to_come_back_and_keeps_nobody_out() {
    let settings =
        Settings { registered_clients_max: 10_000, configured_clients: vec![samples::client("app")], ..settings() };
    let rig = Rig::with(Login::Off, settings).await;
    let register = |peer: &str| rig.client_registry.register_client(metadata(), peer.to_owned(), None);
    for _ in 0..100 {
        register("203.0.113.7").await.unwrap();
    }
    let Err(RegistrationError::TooFast(wait)) = register("203.0.113.7").await else { panic!() };
    assert!(wait <= Duration::from_secs(6) && !wait.is_zero(), "{wait:?}");
    register("203.0.113.8").await.unwrap();
    assert!(rig.client_registry.resolve_client(ClientId::new("app")).await.unwrap().is_some());
    rig.pass(wait).await;
    register("203.0.113.7").await.unwrap();
    assert_eq!(rig.recorded("auth.client_registered"), 102);
}

//! Clients that prove themselves with what they sign.

use super::metadata;
use crate::client_registry::AuthenticationError;
use crate::model::client::{AuthMethod, Client, ClientCredentials, ClientMetadata, ClientProof};
use crate::model::client_assertion::AssertionFault;
use crate::model::client_keys::ClientKeys;
use crate::model::ids::ClientId;
use crate::model::secret::Secret;
use crate::model::signing_key::KeySet;
use crate::testkit::fake_signatures::{assertion, key_set};
use crate::testkit::rig::{Login, Rig, settings};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const URI: &str = "https://app.example.com/keys.json";

/// A registered client that signs with these keys.
async fn signing(rig: &Rig, keys: ClientKeys) -> Client {
    let metadata = ClientMetadata { auth_method: AuthMethod::PrivateKeyJwt, keys: Some(keys), ..metadata() };
    let registered = rig.client_registry.register_client(metadata, String::new(), None).await.unwrap();
    assert!(registered.secret.is_none() && registered.client.secret_hash.is_none());
    registered.client
}

fn inline(keys: &KeySet) -> ClientKeys {
    ClientKeys::Set(Arc::new(keys.clone()))
}

fn claims(rig: &Rig, id: &ClientId, jti: &str) -> Value {
    json!({"iss": id, "sub": id, "aud": settings().issuer, "exp": rig.now().as_secs() + 60, "jti": jti})
}

async fn show(rig: &Rig, client: &Client, proof: ClientProof) -> Result<Client, AuthenticationError> {
    rig.client_registry.authenticate_client(ClientCredentials { client_id: client.id.clone(), proof }).await
}

/// Shows an assertion of these claims, signed with these keys.
async fn prove(rig: &Rig, client: &Client, keys: &KeySet, kid: Option<&str>, claims: &Value) -> Option<AssertionFault> {
    match show(rig, client, ClientProof::Assertion(Box::new(assertion(keys, kid, claims)))).await {
        Ok(found) => {
            assert_eq!(found, *client);
            None
        }
        Err(AuthenticationError::Assertion(fault)) => Some(fault),
        Err(error) => panic!("{error}"),
    }
}

#[actix::test]
async fn a_client_that_signs_is_known_by_its_signature_alone() {
    let rig = Rig::start(Login::Provider).await;
    let keys = key_set("k", 1);
    let client = signing(&rig, inline(&keys)).await;
    assert_eq!(prove(&rig, &client, &keys, Some("k"), &claims(&rig, &client.id, "1")).await, None);
    assert_eq!(prove(&rig, &client, &keys, None, &claims(&rig, &client.id, "2")).await, None);
    for proof in [ClientProof::None, ClientProof::Secret(Secret::new("")), ClientProof::Secret(Secret::new("x"))] {
        let refused = show(&rig, &client, proof).await.unwrap_err();
        assert_eq!(refused, AuthenticationError::Assertion(AssertionFault::Missing));
    }
}

#[actix::test]
async fn an_assertion_of_another_key_is_refused_and_uses_nothing_up() {
    let rig = Rig::start(Login::Provider).await;
    let (keys, stolen_kid, other_kid) = (key_set("k", 1), key_set("k", 2), key_set("other", 1));
    let client = signing(&rig, inline(&keys)).await;
    let right = claims(&rig, &client.id, "1");
    for (keys, kid, fault) in [
        (&stolen_kid, Some("k"), AssertionFault::BadSignature),
        (&stolen_kid, None, AssertionFault::BadSignature),
        (&other_kid, Some("other"), AssertionFault::UnknownKey),
    ] {
        assert_eq!(prove(&rig, &client, keys, kid, &right).await, Some(fault));
    }
    let mut expired = right.clone();
    expired["exp"] = json!(rig.now().as_secs() - 60);
    assert_eq!(prove(&rig, &client, &keys, None, &expired).await, Some(AssertionFault::Expired));
    assert_eq!(prove(&rig, &client, &keys, None, &right).await, None, "its first use is still to come");
}

#[actix::test]
async fn an_assertion_works_once_until_it_is_over() {
    let rig = Rig::start(Login::Provider).await;
    let keys = key_set("k", 1);
    let client = signing(&rig, inline(&keys)).await;
    let mut long = claims(&rig, &client.id, "1");
    long["exp"] = json!(rig.now().as_secs() + 600);
    let attempts = join_all((0..20).map(|_| prove(&rig, &client, &keys, None, &long))).await;
    assert_eq!(attempts.iter().filter(|fault| fault.is_none()).count(), 1);
    assert_eq!(attempts.iter().filter(|fault| **fault == Some(AssertionFault::Replayed)).count(), 19);
    // Beyond the sweep in between, and within the leeway at its end.
    rig.pass(Duration::from_secs(600 + 29)).await;
    assert_eq!(prove(&rig, &client, &keys, None, &long).await, Some(AssertionFault::Replayed));
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(prove(&rig, &client, &keys, None, &long).await, Some(AssertionFault::Expired));
}

#[actix::test]
async fn two_clients_may_choose_the_same_name_for_an_assertion() {
    let rig = Rig::start(Login::Provider).await;
    let keys = key_set("k", 1);
    let (one, other) = (signing(&rig, inline(&keys)).await, signing(&rig, inline(&keys)).await);
    for client in [&one, &other] {
        assert_eq!(prove(&rig, client, &keys, None, &claims(&rig, &client.id, "1")).await, None);
    }
    // The same key is not the same client.
    let borrowed = claims(&rig, &other.id, "2");
    assert_eq!(prove(&rig, &one, &keys, None, &borrowed).await, Some(AssertionFault::WrongSubject));
}

#[actix::test]
async fn the_server_has_a_few_names_and_answers_to_no_other() {
    let mut settings = settings();
    settings.alias_origins = vec!["http://127.0.0.1:8000".to_owned()];
    let rig = Rig::with(Login::Provider, settings.clone()).await;
    let keys = key_set("k", 1);
    let client = signing(&rig, inline(&keys)).await;
    for (number, (aud, is_right)) in [
        (settings.issuer.clone(), true),
        (format!("{}/", settings.issuer), true),
        (format!("{}/token", settings.issuer), true),
        ("http://127.0.0.1:8000".to_owned(), true),
        ("http://127.0.0.1:8000/token".to_owned(), true),
        (format!("{}/revoke", settings.issuer), false),
        (format!("{}/mcp", settings.issuer), false),
        ("http://localhost:8000".to_owned(), false),
        (client.id.to_string(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = claims(&rig, &client.id, &number.to_string());
        claims["aud"] = json!(aud);
        let expected = (!is_right).then(|| AssertionFault::WrongAudience(settings.issuer.clone()));
        assert_eq!(prove(&rig, &client, &keys, None, &claims).await, expected, "{aud}");
    }
}

#[actix::test]
async fn only_a_client_that_registered_for_it_proves_itself_by_signatures() {
    let rig = Rig::start(Login::Provider).await;
    let keys = key_set("k", 1);
    for auth_method in [AuthMethod::None, AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost] {
        let metadata = ClientMetadata { auth_method, keys: Some(inline(&keys)), ..metadata() };
        let client = rig.client_registry.register_client(metadata, String::new(), None).await.unwrap().client;
        assert_eq!(client.keys, None, "keys that nothing is checked with are not kept");
        let fault = prove(&rig, &client, &keys, None, &claims(&rig, &client.id, "1")).await;
        assert_eq!(fault, Some(AssertionFault::NotRegistered));
    }
    let without = ClientMetadata { auth_method: AuthMethod::PrivateKeyJwt, ..metadata() };
    let refused = rig.client_registry.register_client(without, String::new(), None).await.unwrap_err();
    assert!(refused.to_string().contains("jwks"), "{refused}");
}

#[actix::test]
async fn an_assertion_about_nobody_proves_nothing() {
    let rig = Rig::start(Login::Provider).await;
    let nobody = ClientId::new("nobody");
    let shown = assertion(&key_set("k", 1), None, &claims(&rig, &nobody, "1"));
    let credentials = ClientCredentials { client_id: nobody, proof: ClientProof::Assertion(Box::new(shown)) };
    let refused = rig.client_registry.authenticate_client(credentials).await.unwrap_err();
    assert_eq!(refused, AuthenticationError::Failed);
}

#[actix::test]
async fn an_assertion_that_cannot_be_remembered_proves_nothing() {
    let rig = Rig::start(Login::Provider).await;
    let keys = key_set("k", 1);
    let client = signing(&rig, inline(&keys)).await;
    rig.assertion_store.break_operation("use_assertion");
    let shown = assertion(&keys, None, &claims(&rig, &client.id, "1"));
    let failed = show(&rig, &client, ClientProof::Assertion(Box::new(shown))).await.unwrap_err();
    assert!(matches!(failed, AuthenticationError::Store(_)), "{failed}");
}

#[actix::test]
async fn published_keys_are_fetched_again_for_a_signature_that_none_of_them_made() {
    let rig = Rig::start(Login::Provider).await;
    let (old, new) = (key_set("old", 1), key_set("new", 2));
    let client = signing(&rig, ClientKeys::Published(URI.to_owned())).await;
    let fault = prove(&rig, &client, &old, None, &claims(&rig, &client.id, "1")).await;
    assert_eq!(fault, Some(AssertionFault::NoKeys { detail: "nobody answers".to_owned(), is_passing: true }));
    rig.key_source.publish(URI, old.clone());
    for jti in ["1", "2"] {
        assert_eq!(prove(&rig, &client, &old, Some("old"), &claims(&rig, &client.id, jti)).await, None);
    }
    assert_eq!(rig.key_source.fetches(), 2, "known keys are not fetched again");
    rig.key_source.publish(URI, new.clone());
    assert_eq!(prove(&rig, &client, &new, Some("new"), &claims(&rig, &client.id, "3")).await, None);
    let fault = prove(&rig, &client, &old, Some("old"), &claims(&rig, &client.id, "4")).await;
    assert_eq!(fault, Some(AssertionFault::UnknownKey), "a key that was taken away counts no longer");
}

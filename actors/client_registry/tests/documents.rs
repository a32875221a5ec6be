//! Clients whose identifier is the URL of a document.

use super::super::{AuthenticationError, DocumentError, RegistryError};
use super::secret;
use crate::model::client::{Client, ClientCredentials, ClientOrigin, ClientProof};
use crate::model::client_document::ClientDocumentError;
use crate::model::client_id_url::ClientIdUrlError;
use crate::model::host_pattern::HostPattern;
use crate::model::ids::ClientId;
use crate::ports::client_metadata::ClientFetchError;
use crate::settings::{ClientDocumentSettings, Settings};
use crate::testkit::fake_client_metadata::document;
use crate::testkit::rig::{Login, Rig, settings};
use crate::testkit::samples::{self, REDIRECT_URI};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const URL: &str = "https://app.example.com/client.json";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const AWAY: ClientFetchError = ClientFetchError::NoAnswer("it did not answer in time");

/// A rig with an ordinary document at [`URL`].
async fn rig() -> Rig {
    let rig = Rig::start(Login::Provider).await;
    rig.client_metadata.put(URL, &document(URL, REDIRECT_URI), None);
    rig
}

async fn resolve(rig: &Rig, url: &str) -> Result<Client, DocumentError> {
    match rig.client_registry.resolve_client(ClientId::new(url)).await {
        Ok(client) => Ok(client.unwrap()),
        Err(RegistryError::Document(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

async fn show(rig: &Rig, proof: ClientProof) -> Result<Client, AuthenticationError> {
    rig.client_registry.authenticate_client(ClientCredentials { client_id: ClientId::new(URL), proof }).await
}

async fn authenticate(rig: &Rig) -> Result<Client, AuthenticationError> {
    show(rig, ClientProof::None).await
}

#[actix::test]
async fn the_client_is_what_its_document_says() {
    let rig = rig().await;
    let client = resolve(&rig, URL).await.unwrap();
    assert_eq!((client.id.as_str(), client.name.as_str()), (URL, "Editor"));
    assert_eq!((client.origin, client.secret_hash.as_ref()), (ClientOrigin::Document, None));
    assert_eq!(client.document_host().as_deref(), Some("app.example.com"));
    assert_eq!(authenticate(&rig).await.unwrap(), client);
    let record = rig.audit.records().pop().unwrap();
    assert_eq!(record.operation_name, "auth.client_document_read");
    assert_eq!(record.client_id.as_ref().map(ClientId::as_str), Some(URL));
    assert!(serde_json::to_string(&*record).unwrap().contains(REDIRECT_URI));
}

#[actix::test]
async fn a_client_with_a_document_has_no_secret_to_show() {
    let rig = rig().await;
    for shown in ["", "secret"] {
        let refused = show(&rig, secret(shown)).await.unwrap_err();
        assert_eq!(refused, AuthenticationError::Failed);
    }
}

#[actix::test]
async fn a_document_is_no_registration() {
    let rig = rig().await;
    rig.client_store.break_operation("insert_client");
    rig.client_store.break_operation("find_client");
    rig.client_store.break_operation("mark_client_used");
    resolve(&rig, URL).await.unwrap();
    assert_eq!(rig.client_registry.mark_client_used(ClientId::new(URL)).await, Ok(()));
    rig.client_store.heal();
    rig.pass(HOUR * 25).await;
    assert_eq!(rig.recorded("auth.client_expired"), 0);
}

#[actix::test]
async fn a_client_of_the_configuration_needs_no_document_whatever_its_name() {
    let configured = Client { origin: ClientOrigin::Configured, ..samples::client(URL) };
    let rig = Rig::with(Login::Provider, Settings { configured_clients: vec![configured.clone()], ..settings() }).await;
    assert_eq!(resolve(&rig, URL).await, Ok(configured));
    assert_eq!(rig.client_metadata.fetched().len(), 0);
}

#[actix::test]
async fn a_document_is_fetched_once_while_it_is_fresh() {
    let rig = rig().await;
    rig.client_metadata.put(URL, &document(URL, REDIRECT_URI), Some(MINUTE * 5));
    for _ in 0..3 {
        resolve(&rig, URL).await.unwrap();
        authenticate(&rig).await.unwrap();
    }
    assert_eq!(rig.client_metadata.fetched(), [URL]);
    rig.pass(MINUTE * 5).await;
    let other = "https://app.example.com/other";
    rig.client_metadata.put(URL, &document(URL, other), Some(MINUTE * 5));
    assert_eq!(resolve(&rig, URL).await.unwrap().redirect_uris[0].as_str(), other, "a URI that was replaced is dead");
    assert_eq!(rig.client_metadata.fetched().len(), 2);
    assert_eq!(rig.recorded("auth.client_document_read"), 2, "a change is recorded");
    rig.pass(MINUTE * 5).await;
    resolve(&rig, URL).await.unwrap();
    assert_eq!(rig.recorded("auth.client_document_read"), 2, "no change is not");
}

#[actix::test]
async fn everybody_waits_for_the_one_fetch() {
    let rig = rig().await;
    let found = join_all((0..50).map(|_| resolve(&rig, URL))).await;
    assert!(found.iter().all(|client| client == &found[0] && client.is_ok()));
    assert_eq!(rig.client_metadata.fetched(), [URL]);
    rig.client_metadata.remove(URL);
    rig.pass(HOUR).await;
    let failed = join_all((0..50).map(|_| resolve(&rig, URL))).await;
    assert!(failed.iter().all(|client| *client == Err(ClientFetchError::Status(404).into())));
    assert_eq!(rig.client_metadata.fetched().len(), 2);
}

#[actix::test]
async fn a_failure_is_not_kept() {
    let rig = rig().await;
    rig.client_metadata.fail_next(AWAY);
    rig.client_metadata.fail_next(ClientFetchError::NotJson);
    assert_eq!(resolve(&rig, URL).await, Err(AWAY.into()));
    assert_eq!(resolve(&rig, URL).await, Err(ClientFetchError::NotJson.into()));
    assert!(resolve(&rig, URL).await.is_ok());
    let errors = rig.audit.records().iter().filter(|record| record.error.is_some()).count();
    assert_eq!(errors, 2, "the operator can see both");
}

#[actix::test]
async fn a_grant_goes_on_while_the_host_is_away_but_nothing_new_begins() {
    let rig = rig().await;
    let client = resolve(&rig, URL).await.unwrap();
    rig.pass(HOUR).await;
    rig.client_metadata.fail_next(AWAY);
    assert_eq!(authenticate(&rig).await, Ok(client.clone()));
    assert_eq!(rig.client_metadata.fetched().len(), 2);
    assert_eq!(authenticate(&rig).await, Ok(client.clone()));
    assert_eq!(rig.client_registry.recall_client(ClientId::new(URL)).await, Ok(Some(client)));
    assert_eq!(rig.client_metadata.fetched().len(), 2, "the host is left alone for a moment");
    rig.client_metadata.fail_next(AWAY);
    assert_eq!(resolve(&rig, URL).await, Err(AWAY.into()));
    rig.pass(HOUR * 48).await;
    rig.client_metadata.fail_next(AWAY);
    assert_eq!(authenticate(&rig).await, Err(AuthenticationError::Document(AWAY.into())), "the document is too old");
}

#[actix::test]
async fn a_document_that_was_taken_back_ends_its_grants() {
    let rig = rig().await;
    resolve(&rig, URL).await.unwrap();
    rig.pass(HOUR).await;
    rig.client_metadata.remove(URL);
    let gone = Err(AuthenticationError::Document(ClientFetchError::Status(404).into()));
    assert_eq!(authenticate(&rig).await, gone);
    rig.client_metadata.fail_next(AWAY);
    assert_eq!(authenticate(&rig).await, Err(AuthenticationError::Document(AWAY.into())), "nothing is left of it");
}

#[actix::test]
async fn a_document_that_is_wrong_is_refused_with_the_reason() {
    let rig = rig().await;
    let mut wrong = document(URL, REDIRECT_URI);
    wrong["client_id"] = json!("https://app.example.com/other.json");
    rig.client_metadata.put(URL, &wrong, None);
    let refused = resolve(&rig, URL).await.unwrap_err();
    assert_eq!(refused, DocumentError::Content(ClientDocumentError::OtherClient));
    assert!(!refused.is_passing());
    let record = rig.audit.records().pop().unwrap();
    assert_eq!(record.error, Some(refused.to_string()));
}

#[actix::test]
async fn what_cannot_be_a_document_is_not_fetched() {
    let rig = rig().await;
    for (url, error) in [
        ("http://app.example.com/client.json", ClientIdUrlError::NotHttps),
        ("https://app.example.com/", ClientIdUrlError::NoPath),
        ("https://app.example.com/a/../client.json", ClientIdUrlError::DotSegment),
        ("HTTPS://app.example.com/client.json", ClientIdUrlError::NotNormal),
    ] {
        assert_eq!(resolve(&rig, url).await, Err(DocumentError::Url(error)), "{url}");
    }
    assert_eq!(rig.client_metadata.fetched().len(), 0);
}

#[actix::test]
async fn hosts_that_the_operator_does_not_accept_are_not_asked() {
    let allowed_hosts = Some(vec![HostPattern::parse("other.example.com").unwrap()]);
    let documents = ClientDocumentSettings { allowed_hosts, ..ClientDocumentSettings::default() };
    let rig = Rig::with(Login::Provider, Settings { client_documents: Some(documents), ..settings() }).await;
    assert_eq!(resolve(&rig, URL).await, Err(DocumentError::HostNotAccepted));
    assert_eq!(rig.client_metadata.fetched().len(), 0);
}

#[actix::test]
async fn without_documents_a_url_is_an_identifier_like_any_other() {
    let rig = Rig::with(Login::Provider, Settings { client_documents: None, ..settings() }).await;
    assert_eq!(rig.client_registry.resolve_client(ClientId::new(URL)).await, Ok(None));
    assert_eq!(rig.client_metadata.fetched().len(), 0);
}

#[actix::test]
async fn strangers_cannot_make_the_server_fetch_without_end() {
    let rig = rig().await;
    let urls: Vec<String> = (0..200).map(|number| format!("https://app.example.com/{number}.json")).collect();
    let outcomes = join_all(urls.iter().map(|url| resolve(&rig, url))).await;
    let busy = outcomes.iter().filter(|outcome| **outcome == Err(DocumentError::Busy)).count();
    assert_eq!((busy, rig.client_metadata.fetched().len()), (80, 120));
}

#[actix::test]
async fn a_client_that_cannot_be_recorded_is_not_let_in() {
    let rig = rig().await;
    rig.audit.fail_next();
    assert!(matches!(resolve(&rig, URL).await, Err(DocumentError::NotRecorded(_))));
    assert!(resolve(&rig, URL).await.is_ok());
}

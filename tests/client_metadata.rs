//! Fetching metadata documents: limits, what counts as a document, and where requests may go.

use crate::upstream_support::{Misbehaviour, StandingClock, dead_address, misbehaving_server};
use mxcp::adapters::client_metadata::{DOCUMENT_BYTES_MAX, HttpClientMetadata};
use mxcp::adapters::outgoing_guard::OutgoingGuard;
use mxcp_actors::model::client_id_url::ClientIdUrl;
use mxcp_actors::ports::client_metadata::{ClientFetchError, ClientMetadataSource as _, FetchedDocument};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Leads every name to the same addresses.
struct Names(Vec<IpAddr>);

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Vec<SocketAddr> = self.0.iter().map(|address| (*address, 0).into()).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

fn names(addresses: &[&str]) -> Arc<dyn Resolve> {
    Arc::new(Names(addresses.iter().map(|address| address.parse().unwrap()).collect()))
}

async fn serve(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn fetch_with(guard: OutgoingGuard, url: &str) -> Result<FetchedDocument, ClientFetchError> {
    let url = ClientIdUrl::parse(url, true).unwrap_or_else(|error| panic!("{url}: {error}"));
    let source = HttpClientMetadata::with_timeout(guard, StandingClock::new(), Duration::from_secs(2)).unwrap();
    source.fetch(url).await
}

/// Fetches from this machine, for a server of this machine.
async fn fetch(server: &MockServer) -> Result<FetchedDocument, ClientFetchError> {
    fetch_with(OutgoingGuard::new(true), &format!("{}/client.json", server.uri())).await
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

#[tokio::test]
async fn a_document_comes_back_with_what_its_host_says_about_keeping_it() {
    let server = serve(json("{}").insert_header("cache-control", "max-age=600")).await;
    let expected = FetchedDocument { body: b"{}".to_vec(), fresh_for: Some(Duration::from_mins(10)) };
    assert_eq!(fetch(&server).await, Ok(expected));
    let request = server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!((request.method.as_str(), request.url.path()), ("GET", "/client.json"));
    assert_eq!(request.headers["accept"], "application/json");
    assert!(!request.headers.contains_key("cookie") && !request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let largest = json(&"x".repeat(DOCUMENT_BYTES_MAX));
    assert_eq!(fetch(&serve(largest).await).await.unwrap().body.len(), DOCUMENT_BYTES_MAX);
    let bomb = include_bytes!("cases/zeros.gz").as_slice();
    for (answer, error) in [
        (json(&"x".repeat(DOCUMENT_BYTES_MAX + 1)), ClientFetchError::TooLarge(DOCUMENT_BYTES_MAX)),
        (json(&"x".repeat(1024 * 1024)), ClientFetchError::TooLarge(DOCUMENT_BYTES_MAX)),
        (
            ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_raw(bomb, "application/json"),
            ClientFetchError::TooLarge(DOCUMENT_BYTES_MAX),
        ),
        (ResponseTemplate::new(200).set_body_raw("<!doctype html>", "text/html"), ClientFetchError::NotJson),
        (ResponseTemplate::new(200).set_body_raw("{}", "text/plain"), ClientFetchError::NotJson),
        (ResponseTemplate::new(200), ClientFetchError::NotJson),
        (ResponseTemplate::new(404), ClientFetchError::Status(404)),
        (ResponseTemplate::new(500), ClientFetchError::Status(500)),
        (ResponseTemplate::new(201).set_body_raw("{}", "application/json"), ClientFetchError::Status(201)),
    ] {
        assert_eq!(fetch(&serve(answer).await).await, Err(error));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = serve(json("{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/client.json", target.uri());
        let server = serve(ResponseTemplate::new(status).insert_header("location", location)).await;
        assert_eq!(fetch(&server).await, Err(ClientFetchError::Redirect), "{status}");
    }
    assert_eq!(target.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_not_waited_for() {
    let slow = serve(json("{}").set_delay(Duration::from_mins(10))).await;
    let error = fetch(&slow).await.unwrap_err();
    assert_eq!(error, ClientFetchError::NoAnswer("its host did not answer in time"));
    assert!(error.is_passing());
    let (_reserved, dead) = dead_address();
    for (address, text) in [
        (dead, "its host refused the connection"),
        (misbehaving_server(Misbehaviour::HangUp).await, "its host did not send a whole answer"),
    ] {
        let failed = fetch_with(OutgoingGuard::new(true), &format!("http://{address}/client.json")).await;
        assert_eq!(failed, Err(ClientFetchError::NoAnswer(text)));
    }
}

#[tokio::test]
async fn this_machine_and_its_network_are_not_asked_by_any_name() {
    let server = serve(json("{}")).await;
    let port = server.address().port();
    for address in [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "192.168.1.1",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        let guard = OutgoingGuard::new(false).with_names(names(&[address]));
        let refused = fetch_with(guard, &format!("https://app.example.com:{port}/client.json")).await;
        assert_eq!(refused, Err(ClientFetchError::ForbiddenAddress), "{address}");
    }
    for host in ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "169.254.169.254", "10.0.0.1"] {
        let refused = fetch_with(OutgoingGuard::new(false), &format!("https://{host}:{port}/client.json")).await;
        assert_eq!(refused, Err(ClientFetchError::ForbiddenAddress), "{host}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_server_of_this_machine_asks_this_machine_and_no_neighbours() {
    let server = serve(json("{}")).await;
    let url = format!("http://localhost:{}/client.json", server.address().port());
    // The connection goes to the address that was checked, past one that is not allowed.
    let guard = OutgoingGuard::new(true).with_names(names(&["10.0.0.1", "127.0.0.1"]));
    assert!(fetch_with(guard, &url).await.is_ok());
    for address in ["10.0.0.1", "169.254.169.254", "192.168.1.1", "fe80::1"] {
        let guard = OutgoingGuard::new(true).with_names(names(&[address]));
        assert_eq!(fetch_with(guard, &url).await, Err(ClientFetchError::ForbiddenAddress), "{address}");
    }
}

//! The HTTP client: limits, faults, certificates, and one client for all threads.
use crate::upstream_support::{
    Misbehaviour, TEST_AUTHORITY, dead_address, http_client, impatient_client, misbehaving_server, tls_server,
};
use mxcp::adapters::http_client::{HttpClient, HttpClientSettings, HttpFault};
use mxcp::adapters::outgoing_guard::OutgoingGuard;
use std::process::Command;
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn get(url: impl Into<String>) -> http::Request<Vec<u8>> {
    http::Request::get(url.into()).body(Vec::new()).unwrap()
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn fault(client: &HttpClient, url: impl Into<String>) -> HttpFault {
    client.send(get(url)).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_comes_back_whole_and_we_say_who_we_are() {
    let server = server(ResponseTemplate::new(418).set_body_string("short and stout").insert_header("x-a", "b")).await;
    let answer = http_client().send(get(server.uri())).await.unwrap();
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["x-a"], "b");
    assert_eq!(answer.body(), b"short and stout");
    let request = server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(request.headers["user-agent"], concat!("mxcp/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = server(ResponseTemplate::new(200)).await;
    let server = server(ResponseTemplate::new(302).insert_header("location", target.uri())).await;
    assert_eq!(http_client().send(get(server.uri())).await.unwrap().status(), 302);
    assert!(target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_of_the_largest_size_is_read_and_one_byte_more_is_not() {
    let limit = HttpClientSettings::default().body_bytes_max;
    let largest = server(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; limit])).await;
    assert_eq!(http_client().send(get(largest.uri())).await.unwrap().body().len(), limit);
    let larger = server(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; limit + 1])).await;
    assert_eq!(fault(&http_client(), larger.uri()).await, HttpFault::TooLarge(limit));
}

#[tokio::test]
async fn a_body_is_measured_after_decompression() {
    // A gzip stream of 4 MiB of zeros in 4 kB.
    let bomb = include_bytes!("cases/zeros.gz").as_slice();
    assert!(bomb.len() < 8192);
    let server =
        server(ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_bytes(bomb)).await;
    let limit = HttpClientSettings::default().body_bytes_max;
    assert_eq!(fault(&http_client(), server.uri()).await, HttpFault::TooLarge(limit));
}

#[tokio::test]
async fn faults_are_told_apart() {
    let slow = server(ResponseTemplate::new(200).set_delay(Duration::from_mins(10))).await;
    assert_eq!(fault(&impatient_client(), slow.uri()).await, HttpFault::TimedOut(Duration::from_millis(100)));

    let client = http_client();
    let (_reserved, dead) = dead_address();
    assert_eq!(fault(&client, format!("http://{dead}/")).await, HttpFault::ConnectionRefused);
    // A label of 64 characters is no host name, so that no name server has to be asked.
    let nowhere = format!("http://{}.invalid/", "x".repeat(64));
    assert_eq!(fault(&client, nowhere).await, HttpFault::NameNotResolved);

    for misbehaviour in [
        Misbehaviour::HangUp,
        Misbehaviour::Reset,
        Misbehaviour::Send(b"this is not HTTP\r\n\r\n"),
        Misbehaviour::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
    ] {
        let address = misbehaving_server(misbehaviour).await;
        assert_eq!(fault(&client, format!("http://{address}/")).await, HttpFault::BrokenOff, "{misbehaviour:?}");
    }

    let garbage =
        server(ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_string("no")).await;
    assert_eq!(fault(&client, garbage.uri()).await, HttpFault::Undecodable);
}

#[tokio::test]
async fn a_plain_server_fails_the_tls_handshake() {
    let plain = misbehaving_server(Misbehaviour::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let fault = fault(&http_client(), format!("https://{plain}/")).await;
    assert!(matches!(&fault, HttpFault::TlsFailed(detail) if !detail.is_empty()), "{fault:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let address = tls_server(|_| "hello over TLS".to_owned()).await;
    let fault = fault(&http_client(), format!("https://{address}/")).await;
    assert_eq!(fault, HttpFault::TlsFailed("invalid peer certificate: UnknownIssuer".to_owned()));
}

#[tokio::test]
async fn certificates_of_ssl_cert_file_are_trusted() {
    if let Some(target) = in_child() {
        assert_eq!(http_client().send(get(target)).await.unwrap().body(), b"hello over TLS");
        return;
    }
    let target = format!("https://localhost:{}/", tls_server(|_| "hello over TLS".to_owned()).await.port());
    let authority = TEST_AUTHORITY.to_owned();
    let name = "certificates_of_ssl_cert_file_are_trusted";
    run_in_child(name, &target, vec![("SSL_CERT_FILE", authority), ("SSL_CERT_DIR", String::new())]).await;
}

#[tokio::test]
async fn a_machine_without_certificates_is_told_what_to_do() {
    if in_child().is_some() {
        let error = HttpClient::new(&HttpClientSettings::default()).unwrap_err().to_string();
        assert!(error.ends_with("is the ca-certificates package installed, or SSL_CERT_FILE set?"), "{error}");
        return;
    }
    let nothing = ("SSL_CERT_FILE", "/dev/null".to_owned());
    let name = "a_machine_without_certificates_is_told_what_to_do";
    run_in_child(name, "none", vec![nothing, ("SSL_CERT_DIR", String::new())]).await;
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used_unless_the_host_is_excepted() {
    if let Some(target) = in_child() {
        let client = HttpClient::new(&HttpClientSettings::default()).unwrap();
        let through = client.send(get("http://idp.invalid/through")).await.unwrap();
        assert_eq!(through.body(), b"from the proxy");
        assert_eq!(client.send(get(target)).await.unwrap().body(), b"direct");
        return;
    }
    let proxy = server(ResponseTemplate::new(200).set_body_string("from the proxy")).await;
    let direct = server(ResponseTemplate::new(200).set_body_string("direct")).await;
    let excepted = || "127.0.0.1".to_owned();
    let environment = vec![
        ("HTTP_PROXY", proxy.uri()),
        ("http_proxy", proxy.uri()),
        ("NO_PROXY", excepted()),
        ("no_proxy", excepted()),
    ];
    let name = "a_proxy_of_the_environment_is_used_unless_the_host_is_excepted";
    run_in_child(name, &direct.uri(), environment).await;
    assert_eq!(proxy.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_guarded_client_goes_through_a_proxy_but_not_to_it_nor_to_private_addresses() {
    if let Some(proxy) = in_child() {
        let client = HttpClient::guarded(&HttpClientSettings::default(), OutgoingGuard::new(false)).unwrap();
        assert_eq!(client.send(get("http://app.invalid/through")).await.unwrap().body(), b"from the proxy");
        for forbidden in [&proxy, "http://127.0.0.1/", "http://169.254.169.254/", "http://[::ffff:a00:1]/"] {
            assert_eq!(fault(&client, forbidden).await, HttpFault::ForbiddenAddress, "{forbidden}");
        }
        return;
    }
    let proxy = server(ResponseTemplate::new(200).set_body_string("from the proxy")).await;
    let named = format!("http://localhost:{}", proxy.address().port());
    let environment = vec![
        ("HTTP_PROXY", named.clone()),
        ("http_proxy", named.clone()),
        ("NO_PROXY", String::new()),
        ("no_proxy", String::new()),
    ];
    let name = "a_guarded_client_goes_through_a_proxy_but_not_to_it_nor_to_private_addresses";
    run_in_child(name, &named, environment).await;
    assert_eq!(proxy.received_requests().await.unwrap().len(), 1);
}

const CHILD: &str = "MXCP_TEST_CHILD_TARGET";

/// What the child was told, if this process is one.
fn in_child() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs one test of this file once more in a process with another environment, because that of
/// a running process cannot be changed safely. Empty variables are taken away.
async fn run_in_child(test: &str, target: &str, environment: Vec<(&'static str, String)>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("upstream_http::{test}"), "--nocapture"]).env(CHILD, target);
    // With it set, the client takes itself for a CGI program and distrusts HTTP_PROXY.
    command.env_remove("REQUEST_METHOD");
    for (name, value) in environment {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[actix_rt::test]
async fn one_client_serves_several_arbiters_at_once() {
    let server = server(ResponseTemplate::new(200).set_body_string("ok")).await;
    let client = http_client();
    let arbiters = [actix_rt::Arbiter::new(), actix_rt::Arbiter::new(), actix_rt::Arbiter::new()];
    for _round in 0..5 {
        let answers = arbiters.iter().map(|arbiter| {
            let (client, url) = (client.clone(), server.uri());
            let (sender, receiver) = tokio::sync::oneshot::channel();
            assert!(arbiter.spawn(async move {
                let answers = futures_util::future::join_all((0..4).map(|_| client.send(get(url.clone())))).await;
                assert!(sender.send(answers.iter().flatten().count()).is_ok());
            }));
            receiver
        });
        for good in futures_util::future::join_all(answers).await {
            assert_eq!(good.unwrap(), 4);
        }
    }
    for arbiter in arbiters {
        arbiter.stop();
        tokio::task::spawn_blocking(move || arbiter.join().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_outlives_the_runtime_that_its_connections_were_opened_on() {
    let server = server(ResponseTemplate::new(200).set_body_string("ok")).await;
    let client = http_client();
    for _round in 0..3 {
        let (client, url) = (client.clone(), server.uri());
        let on_own_runtime = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let answer = runtime.block_on(client.send(get(url)));
            drop(runtime);
            answer
        });
        assert_eq!(on_own_runtime.await.unwrap().unwrap().body(), b"ok");
        assert_eq!(http_client().send(get(server.uri())).await.unwrap().body(), b"ok");
    }
    assert_eq!(client.send(get(server.uri())).await.unwrap().body(), b"ok");
}

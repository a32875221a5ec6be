//! What the tests of the identity providers share.
use mxcp::adapters::http_client::{HttpClient, HttpClientSettings};
use mxcp_actors::model::pkce::CodeChallenge;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::{UpstreamAuthorization, UpstreamError, UpstreamExchange};
use std::collections::HashMap;
use std::io::BufReader;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;
use wiremock::{MockServer, Request};

pub(crate) const CLIENT_SECRET: &str = "client-secret-3fa1";
pub(crate) const CODE: &str = "code-secret-77b2";
pub(crate) const VERIFIER: &str = "verifier-secret-0123456789-0123456789-0123456789";
pub(crate) const NONCE: &str = "nonce-secret-c0de";
pub(crate) const STATE: &str = "state-secret-5a5a";
pub(crate) const ACCESS_TOKEN: &str = "access-secret-91ee";
pub(crate) const REFRESH_TOKEN: &str = "refresh-secret-12ab";
pub(crate) const NEW_REFRESH_TOKEN: &str = "refresh-secret-new-34cd";

/// Everything that no error may ever show.
pub(crate) const SECRETS: &[&str] =
    &[CLIENT_SECRET, CODE, VERIFIER, NONCE, STATE, ACCESS_TOKEN, REFRESH_TOKEN, NEW_REFRESH_TOKEN];

/// The person of most simulators.
pub(crate) const SUBJECT: &str = "user-7";

pub(crate) const REDIRECT_URI: &str = "http://localhost:8000/callback";

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct StandingClock;

impl StandingClock {
    pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self)
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Self::START
    }
}

/// A client with the daemon's limits that never goes through a proxy of the test machine.
pub(crate) fn http_client() -> HttpClient {
    HttpClient::new(&HttpClientSettings { uses_system_proxy: false, ..HttpClientSettings::default() }).unwrap()
}

/// A client that gives up soon.
pub(crate) fn impatient_client() -> HttpClient {
    let settings = HttpClientSettings {
        total_timeout: Duration::from_millis(100),
        uses_system_proxy: false,
        ..HttpClientSettings::default()
    };
    HttpClient::new(&settings).unwrap()
}

pub(crate) fn authorization() -> UpstreamAuthorization {
    UpstreamAuthorization {
        state: Secret::new(STATE),
        nonce: Secret::new(NONCE),
        challenge: CodeChallenge::of(&Secret::new(VERIFIER)),
    }
}

pub(crate) fn exchange() -> UpstreamExchange {
    UpstreamExchange {
        code: Secret::new(CODE),
        verifier: Secret::new(VERIFIER),
        nonce: Secret::new(NONCE),
        issuer: None,
    }
}

/// The query of a URL, which must not name a parameter twice.
pub(crate) fn query_of(url: &str) -> HashMap<String, String> {
    pairs(Url::parse(url).unwrap().query_pairs())
}

/// The form that a request carried, which must not name a parameter twice.
pub(crate) fn form_of(request: &Request) -> HashMap<String, String> {
    pairs(url::form_urlencoded::parse(&request.body))
}

fn pairs<'a>(
    parsed: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
) -> HashMap<String, String> {
    let mut all = HashMap::new();
    for (name, value) in parsed {
        assert!(all.insert(name.to_string(), value.into_owned()).is_none(), "{name} is there twice");
    }
    all
}

/// The requests that the server got for that path.
pub(crate) async fn requests_to(server: &MockServer, path: &str) -> Vec<Request> {
    let all = server.received_requests().await.unwrap();
    all.into_iter().filter(|request| request.url.path() == path).collect()
}

/// Fails when the error shows a secret in any form that it can be printed in.
pub(crate) fn assert_no_secret(case: &str, error: &UpstreamError) {
    for text in [error.to_string(), format!("{error:?}")] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{case}: {text}");
        }
        assert!(text.len() < 600, "{case}: the error is too long: {text}");
        assert!(!text.contains('\n'), "{case}: {text}");
    }
}

/// What a server that is no proper HTTP server does with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misbehaviour {
    /// Takes the request and hangs up.
    HangUp,
    /// Sends these bytes and hangs up.
    Send(&'static [u8]),
    /// Hangs up without reading, so that the connection is reset.
    Reset,
}

/// Starts a server that misbehaves on every connection.
pub(crate) async fn misbehaving_server(misbehaviour: Misbehaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0_u8; 4096];
            match misbehaviour {
                Misbehaviour::HangUp => drop(stream.read(&mut request).await),
                Misbehaviour::Send(bytes) => {
                    drop(stream.read(&mut request).await);
                    drop(stream.write_all(bytes).await);
                    drop(stream.shutdown().await);
                }
                // A socket that is closed with unread bytes in it sends a reset.
                Misbehaviour::Reset => drop(stream.readable().await),
            }
        }
    });
    address
}

/// An address at which nobody listens, as long as the socket is kept.
pub(crate) fn dead_address() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The file of the authority that the certificates of tests come from.
pub(crate) const TEST_AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/keys/test-only-ca.pem");

/// Starts a server at `localhost` that [`TEST_AUTHORITY`] vouches for. Whatever it is asked, it
/// answers with the same body, as JSON.
pub(crate) async fn tls_server(body: impl FnOnce(SocketAddr) -> String) -> SocketAddr {
    let certificate = include_bytes!("cases/keys/test-only-server.pem").as_slice();
    let key = include_bytes!("cases/keys/test-only-server.key").as_slice();
    let chain = CertificateDer::pem_reader_iter(BufReader::new(certificate)).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = body(address);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
    let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0_u8; 4096];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    address
}

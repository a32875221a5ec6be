//! `mxcp migrate-oauth-db`: who was signed in at the Python product goes on here.

use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens, oauth_error};
use crate::daemon_process::{mxcp, run};
use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mxcp::adapters::persistence::StoreKind;
use mxcp_actors::model::secret::TokenHash;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::Sha256;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const TABLES: &str = include_str!("cases/python_oauth_db.sql");
/// The key of an encrypted database.
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const REDIRECT_URI: &str = "https://app.example.com/callback";
/// Two clients that had registered.
const CLIENTS: [&str; 2] = ["5d5a0f0e-9a4b-4b60-8a7c-0c7a6f2d1e01", "5d5a0f0e-9a4b-4b60-8a7c-0c7a6f2d1e02"];

/// A daemon that is stopped, and whose configuration says where it listens, as tokens depend on it.
async fn stopped_app(kind: &str, key: Option<&str>) -> TestApp {
    let mut setup = Setup::default().with_tool("token", "SELECT get_user_external_token() AS token");
    setup.auth = json!({"provider": "github", "github": {
        "client_id": "app", "client_secret": "secret", "callback_path": "/callback", "scope": "read:user",
        "auth_url": "https://git.example.com/login/oauth/authorize",
        "token_url": "https://git.example.com/login/oauth/access_token",
    }});
    let mut setup = setup.with_persistence(kind);
    if let Some(key) = key {
        setup.auth["persistence"]["auth_encryption_key"] = json!(key);
    }
    let mut app = TestApp::with(setup).await;
    app.stop().await;
    std::fs::remove_dir_all(app.project().root().join("kept")).unwrap();
    std::fs::create_dir(app.project().root().join("kept")).unwrap();
    let path = app.project().root().join("config.yml");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let port: u16 = app.address.rsplit_once(':').unwrap().1.parse().unwrap();
    config["transport"]["http"]["port"] = json!(port);
    std::fs::write(path, config.to_string()).unwrap();
    app
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// A database as the Python product leaves it, with two clients and three sessions.
struct OldDatabase {
    path: PathBuf,
    is_encrypted: bool,
}

impl OldDatabase {
    fn create(path: &Path, is_encrypted: bool) -> Self {
        Connection::open(path).unwrap().execute_batch(TABLES).unwrap();
        let old = Self { path: path.to_owned(), is_encrypted };
        old.add_client(CLIENTS[0], None);
        old.add_client(CLIENTS[1], Some("s3cret"));
        old.add_session("live", now() + 1_200.0, None);
        old.add_session("refreshable", now() - 60.0, Some("ghr_refreshable"));
        old.add_session("expired", now() - 60.0, None);
        old
    }

    fn text(&self, plain: &str) -> String {
        if self.is_encrypted { fernet(plain) } else { plain.to_owned() }
    }

    fn add_client(&self, id: &str, secret: Option<&str>) {
        let sql = "INSERT INTO oauth_clients VALUES (?1, ?2, ?3, ?4, ?5, '[\"code\"]', '', 'Reading Room', ?6)";
        let method = secret.map_or("none", |_| "client_secret_post");
        let (uris, grants) = (json!([REDIRECT_URI, "javascript:x"]), json!(["authorization_code", "refresh_token"]));
        let secret = secret.map(|secret| self.text(secret));
        let row = (id, secret, method, uris.to_string(), grants.to_string(), now() - 86_400.0);
        Connection::open(&self.path).unwrap().execute(sql, row).unwrap();
    }

    fn add_session(&self, name: &str, access_expires_at: f64, upstream_refresh: Option<&str>) {
        let (access, refresh) = (access(name), refresh(name));
        let hash = |token: &str| TokenHash::of(token).to_hex();
        let user = json!({"provider": "github", "user_id": "4711", "username": "ada", "email": null, "name": "Ada Falk",
            "avatar_url": null, "raw_profile": {"id": 4711, "login": "ada"}, "provider_scopes_granted": ["read:user"],
            "capabilities": []});
        let sql = "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, 'github', ?6, ?7, ?8, ?9, ?10, NULL, ?11)";
        let row = (
            hash(&access),
            self.text(&access),
            hash(&refresh),
            self.text(&refresh),
            name,
            user.to_string(),
            self.text("gho_of_ada"),
            upstream_refresh.map(|token| self.text(token)),
            now() + 86_400.0,
            access_expires_at,
            now() - 3_600.0,
        );
        Connection::open(&self.path).unwrap().execute(sql, row).unwrap();
    }
}

fn access(name: &str) -> String {
    format!("mcp_access_{name}")
}

fn refresh(name: &str) -> String {
    format!("mcp_refresh_{name}")
}

/// What `cryptography.fernet` makes of a text.
fn fernet(plain: &str) -> String {
    let key = URL_SAFE.decode(KEY).unwrap();
    let cipher = UnboundCipherKey::new(&AES_128, &key[16..]).unwrap();
    let (iv, mut text) = ([9; 16], plain.as_bytes().to_vec());
    let context = EncryptionContext::Iv128(FixedLength::from(&iv));
    PaddedBlockEncryptingKey::cbc_pkcs7(cipher).unwrap().less_safe_encrypt(&mut text, context).unwrap();
    let signed = [&[0x80][..], &1_700_000_000_u64.to_be_bytes(), &iv, &text].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key[..16]).unwrap();
    mac.update(&signed);
    URL_SAFE.encode([&signed[..], &mac.finalize().into_bytes()].concat())
}

fn client(index: usize) -> OAuthClient {
    let secret = (index == 1).then(|| "s3cret".to_owned());
    OAuthClient { id: CLIENTS[index].to_owned(), secret, redirect_uri: REDIRECT_URI.to_owned() }
}

/// What the moved sessions and clients can do, and what they cannot.
async fn assert_moved(app: &TestApp) {
    assert!(app.whoami(&access("live")).await.contains("ada"));
    assert_eq!(app.status_with(&access("refreshable")).await, 401);
    for token in [access("expired"), refresh("live")] {
        assert_eq!(app.status_with(&token).await, 401);
    }
    let newcomer = OAuthClient::register(app).await;
    for (client, name) in [(&newcomer, "live"), (&client(0), "expired")] {
        let refused = client.refresh(app, &refresh(name)).await;
        assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()), "{name}");
    }
    let next = Tokens::of(client(0).refresh(app, &refresh("refreshable")).await).await;
    assert!(app.whoami(&next.access).await.contains("ada"));
    let stranger = client(1).refresh(app, &next.refresh).await;
    assert_eq!(oauth_error(stranger).await, (400, "invalid_grant".to_owned()), "it is bound by now");
    let third = Tokens::of(client(0).refresh(app, &next.refresh).await).await;
    assert!(app.whoami(&third.access).await.contains("ada"));
    Tokens::of(client(1).refresh(app, &refresh("live")).await).await;

    let consent = Browser::new(app).open(client(0).authorize_url(app, &[])).await;
    assert!(consent.text().contains("Reading Room"), "{}", consent.text());
}

#[tokio::test]
async fn a_plain_database_is_taken_over_where_it_is() {
    let mut app = stopped_app("sqlite", None).await;
    let root = app.project().root().to_owned();
    let old = OldDatabase::create(&root.join("kept/oauth.sqlite"), false);
    let error = app.refusal().await;
    assert!(error.contains("take over its sessions and clients with: mxcp migrate-oauth-db"), "{error}");

    let answer = run(mxcp(&root).args(["migrate-oauth-db", "kept/oauth.sqlite", "--json"]));
    let document: Value = serde_json::from_str(&answer).unwrap();
    let result = &document["result"];
    assert_eq!((&result["sessions"]["moved"], &result["clients"]["moved"]), (&json!(2), &json!(2)), "{answer}");
    assert_eq!(result["sessions"]["left_out"], json!([{"reason": "expired", "count": 1}]));
    assert_eq!(result["clients"]["redirect_uris_left_out"][0]["client_name"], "Reading Room");
    let aside = PathBuf::from(result["set_aside"].as_str().unwrap());
    assert!(aside.ends_with("kept/oauth.sqlite.python-backup") && aside.is_file() && old.path.is_file());
    for secret in ["mcp_", "gho_", "ghr_", "s3cret"] {
        assert!(!answer.contains(secret), "{answer}");
    }

    app.start_again().await;
    assert_moved(&app).await;
    app.restart().await;
    assert!(app.whoami(&access("live")).await.contains("ada"), "and it stays so");
    app.stop().await;
    let again = run(mxcp(&root).args(["migrate-oauth-db", "kept/oauth.sqlite.python-backup"]));
    assert!(again.contains("Sessions moved: 0 (2 moved before)"), "{again}");
}

#[tokio::test]
async fn an_encrypted_database_is_taken_over_from_elsewhere() {
    for kind in ["sqlite", "sled"].into_iter().filter(|kind| *kind != "sled" || StoreKind::Sled.is_built()) {
        let mut app = stopped_app(kind, None).await;
        let root = app.project().root().to_owned();
        OldDatabase::create(&root.join("old.db"), true);
        let refused = mxcp(&root).args(["migrate-oauth-db", "old.db"]).output().unwrap();
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && error.contains("--key-file"), "{error}");
        app.project().write("old.key", KEY);
        let answer = run(mxcp(&root).args(["migrate-oauth-db", "old.db", "--key-file", "old.key"]));
        assert!(answer.contains("Sessions moved: 2") && answer.contains("Clients moved:  2"), "{answer}");
        app.start_again().await;
        let text = app.call(&access("live"), "token").send().await.unwrap().text().await.unwrap();
        assert!(text.contains("gho_of_ada"), "{text}");
        assert_moved(&app).await;
    }
}

#[tokio::test]
async fn the_configured_key_of_the_python_product_reads_its_database_and_protects_ours() {
    let mut app = stopped_app("sqlite", Some(KEY)).await;
    let root = app.project().root().to_owned();
    OldDatabase::create(&root.join("kept/oauth.sqlite"), true);
    let answer = run(mxcp(&root).args(["migrate-oauth-db", "kept/oauth.sqlite"]));
    assert!(answer.contains("Sessions moved: 2") && answer.contains("python-backup"), "{answer}");
    assert!(!root.join("kept/oauth.sqlite.key").exists());
    app.start_again().await;
    assert_moved(&app).await;
    let refused = mxcp(&root).args(["migrate-oauth-db", "kept/oauth.sqlite.python-backup"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("in use by another mxcp; stop that one first"), "{error}");
}

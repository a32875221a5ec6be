//! What goes over from the Python product's database, what does not, and what never happens.

mod clients;
mod files;
mod sessions;

use super::super::tests::{given, kinds, open, settings, surroundings};
use super::*;
use mxcp_actors::settings::Settings;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

const TABLES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/python_oauth_db.sql"));
/// The old key.
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
/// Identifiers of clients that registered themselves.
const APP: &str = "0b6f2f7e-6a43-4c02-9d55-6ad3a35c6f01";
const OTHER_APP: &str = "0b6f2f7e-6a43-4c02-9d55-6ad3a35c6f02";
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// A database of the Python product, and the place that its contents move to.
struct Case {
    folder: TempDir,
    path: PathBuf,
    /// What texts are encrypted with.
    key: Option<Secret>,
    home: NewHome,
}

/// A session of ada, as it is to be written: `Value`s that are left out have these defaults.
fn session(name: &str, changes: &Value) -> Value {
    let mut session = json!({
        "access": format!("mcp_{name}"), "refresh": format!("mcp_refresh_{name}"), "session_id": name,
        "provider": "github", "upstream_access": "gho_access", "upstream_refresh": null,
        "upstream_expires_at": null, "access_expires_at": now() + HOUR / 2.0, "refresh_expires_at": null,
        "created_at": now() - HOUR / 2.0,
        "user_info": {
            "provider": "github", "user_id": "4711", "username": "ada", "email": "ada@example.com",
            "name": "Ada Falk", "avatar_url": null, "raw_profile": {"id": 4711, "login": "ada"},
            "provider_scopes_granted": ["read:user", "user:email"], "capabilities": [],
        },
    });
    merge(&mut session, changes);
    session
}

/// A public client that registered two days ago.
fn client(id: &str, changes: &Value) -> Value {
    let mut client = json!({
        "client_id": id, "client_secret": null, "token_endpoint_auth_method": "none",
        "redirect_uris": ["https://app.example.com/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "",
        "client_name": "Reading Room", "created_at": now() - 2.0 * DAY,
    });
    merge(&mut client, changes);
    client
}

fn merge(value: &mut Value, changes: &Value) {
    changes.as_object().unwrap().iter().for_each(|(name, change)| value[name] = change.clone());
}

fn now() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
    let micros = surroundings().clock.now().as_micros() as f64;
    micros / 1e6
}

impl Case {
    fn new(key: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("old.db");
        Connection::open(&path).unwrap().execute_batch(TABLES).unwrap();
        let home = NewHome {
            people: vec![PeopleOf { provider: "github".to_owned(), has_openid_claims: false }],
            resource: Resource::parse("https://mxcp.example.com/mcp").unwrap(),
            default_scopes: [Settings::DEFAULT_SCOPE].into_iter().collect(),
            scope_catalogue: [Settings::DEFAULT_SCOPE, "reports"].into_iter().collect(),
            lifetimes: Lifetimes::default(),
            configured_clients: Vec::new(),
        };
        Self { folder, path, key: key.map(Secret::new), home }
    }

    /// A case with a client of that identifier and a session `s1`.
    fn usual(key: Option<&str>) -> Self {
        let case = Self::new(key);
        case.add_client(&client(APP, &json!({})));
        case.add_session(&session("s1", &json!({})));
        case
    }

    fn stored(&self, text: &Value) -> Option<String> {
        let text = text.as_str()?;
        Some(self.key.as_ref().map_or_else(|| text.to_owned(), |key| fernet::encrypt(key, text)))
    }

    fn add_session(&self, session: &Value) {
        let hash = |name: &str| session[name].as_str().map(|token| Secret::new(token).hash().to_hex());
        let sql = "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let row = (
            hash("access"),
            self.stored(&session["access"]),
            hash("refresh"),
            self.stored(&session["refresh"]),
            session["session_id"].as_str(),
            session["provider"].as_str(),
            session["user_info"].to_string(),
            self.stored(&session["upstream_access"]),
            self.stored(&session["upstream_refresh"]),
            session["upstream_expires_at"].as_f64(),
            session["access_expires_at"].as_f64(),
            session["refresh_expires_at"].as_f64(),
            session["created_at"].as_f64(),
        );
        assert_eq!(Connection::open(&self.path).unwrap().execute(sql, row).unwrap(), 1);
    }

    fn add_client(&self, client: &Value) {
        let sql = "INSERT INTO oauth_clients VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let row = (
            client["client_id"].as_str(),
            self.stored(&client["client_secret"]),
            client["token_endpoint_auth_method"].as_str(),
            client["redirect_uris"].to_string(),
            client["grant_types"].to_string(),
            client["response_types"].to_string(),
            client["scope"].as_str(),
            client["client_name"].as_str(),
            client["created_at"].as_f64(),
        );
        assert_eq!(Connection::open(&self.path).unwrap().execute(sql, row).unwrap(), 1);
    }

    /// Where the contents go; not where the old database is.
    fn store(&self) -> PersistenceSettings {
        settings(StoreKind::Sqlite, &self.folder)
    }

    fn take_over(&self, store: &PersistenceSettings) -> Result<Takeover, TakeoverError> {
        let keys: Vec<Secret> = self.key.iter().cloned().collect();
        take_over(&self.path, &keys, store, &self.home, &surroundings())
    }

    /// Moves everything into a new store.
    fn moved(&self) -> (Takeover, super::super::Stores) {
        let moved = self.take_over(&self.store()).unwrap();
        (moved, open(&self.store()))
    }
}

//! Metadata documents that exist only in the test.

use crate::model::client_id_url::ClientIdUrl;
use crate::ports::PortFuture;
use crate::ports::client_metadata::{ClientFetchError, ClientMetadataSource, FetchedDocument};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// How long a fetch takes.
const FETCH: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct State {
    documents: HashMap<String, FetchedDocument>,
    failures: Vec<ClientFetchError>,
    fetched: Vec<String>,
}

/// Serves what the test put there; everything else is not found.
#[derive(Debug, Default)]
pub struct FakeClientMetadata {
    state: Mutex<State>,
}

/// An ordinary document at `url`, with that redirect URI.
#[must_use]
pub fn document(url: &str, redirect_uri: &str) -> Value {
    json!({
        "client_id": url, "client_name": "Editor", "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

impl FakeClientMetadata {
    /// From now on `document` is at `url`, and may be kept for `fresh_for`.
    pub fn put(&self, url: &str, document: &Value, fresh_for: Option<Duration>) {
        let document = FetchedDocument { body: document.to_string().into_bytes(), fresh_for };
        self.state.lock().unwrap().documents.insert(url.to_owned(), document);
    }

    /// From now on there is nothing at `url`.
    pub fn remove(&self, url: &str) {
        self.state.lock().unwrap().documents.remove(url);
    }

    /// Makes the next fetch fail; several fail in the order of telling.
    pub fn fail_next(&self, error: ClientFetchError) {
        self.state.lock().unwrap().failures.push(error);
    }

    /// What was fetched, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        self.state.lock().unwrap().fetched.clone()
    }
}

impl ClientMetadataSource for FakeClientMetadata {
    fn fetch(&self, url: ClientIdUrl) -> PortFuture<'_, Result<FetchedDocument, ClientFetchError>> {
        Box::pin(async move {
            self.state.lock().unwrap().fetched.push(url.to_string());
            tokio::time::sleep(FETCH).await;
            let mut state = self.state.lock().unwrap();
            if !state.failures.is_empty() {
                return Err(state.failures.remove(0));
            }
            state.documents.get(url.as_str()).cloned().ok_or(ClientFetchError::Status(404))
        })
    }
}

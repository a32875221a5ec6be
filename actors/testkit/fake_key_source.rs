//! Published keys that a test changes as it likes.

use crate::model::signing_key::KeySet;
use crate::ports::PortFuture;
use crate::ports::client_key_source::{ClientKeySource, KeySourceError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Shelf {
    published: HashMap<String, Arc<KeySet>>,
    held: HashMap<String, Arc<KeySet>>,
    fetches: usize,
}

/// Keeps what it fetched until it is asked for something newer.
#[derive(Debug, Default)]
pub struct FakeKeySource {
    shelf: Mutex<Shelf>,
}

impl FakeKeySource {
    /// From now on these are the keys at `uri`.
    pub fn publish(&self, uri: &str, keys: KeySet) {
        self.shelf.lock().unwrap().published.insert(uri.to_owned(), Arc::new(keys));
    }

    /// How often keys were fetched.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.shelf.lock().unwrap().fetches
    }
}

impl Shelf {
    fn fetch(&mut self, uri: &str) -> Option<Arc<KeySet>> {
        self.fetches += 1;
        let keys = self.published.get(uri).map(Arc::clone)?;
        self.held.insert(uri.to_owned(), Arc::clone(&keys));
        Some(keys)
    }
}

impl ClientKeySource for FakeKeySource {
    fn keys(&self, uri: &str) -> PortFuture<'_, Result<Arc<KeySet>, KeySourceError>> {
        let mut state = self.shelf.lock().unwrap();
        let held = state.held.get(uri).map(Arc::clone);
        let keys = held.or_else(|| state.fetch(uri));
        let keys = keys.ok_or_else(|| KeySourceError { detail: "nobody answers".to_owned(), is_passing: true });
        Box::pin(std::future::ready(keys))
    }

    fn newer_keys(&self, uri: &str, seen: Arc<KeySet>) -> PortFuture<'_, Option<Arc<KeySet>>> {
        let newer = self.shelf.lock().unwrap().fetch(uri).filter(|newer| !Arc::ptr_eq(newer, &seen));
        Box::pin(std::future::ready(newer))
    }
}

//! `auth.persistence`: where sign-ins and registered clients survive a restart.

use super::reader::{Field, Table};
use super::settings::{PersistenceConfiguration, PersistenceKind};
use crate::adapters::persistence::{StoreKind, is_key};
use mxcp_actors::model::secret::Secret;

const KINDS: [(&str, PersistenceKind); 2] = [("sqlite", PersistenceKind::Sqlite), ("sled", PersistenceKind::Sled)];

/// Reads the block.
pub(super) fn read(field: &Field<'_>) -> Option<PersistenceConfiguration> {
    field.table(|table| {
        let kind = table.get_or_null("type");
        let kind = kind.map_or(Some(PersistenceKind::Sqlite), |field| read_kind(&field));
        let path = match table.get("path") {
            Some(field) => field.path(),
            None => kind.map(|kind| table.field().path_of(kind.default_path())),
        };
        let mut encryption_keys = table.get("encryption_key").and_then(|field| read_keys(&field)).unwrap_or_default();
        // The Python product's name for it; its keys are as long as ours.
        encryption_keys.extend(read_key_of(table, "auth_encryption_key"));
        Some(PersistenceConfiguration { kind: kind?, path: path?, encryption_keys })
    })
}

fn read_kind(field: &Field<'_>) -> Option<PersistenceKind> {
    let kind = field.choice(&KINDS)?;
    if kind == PersistenceKind::Sled && !StoreKind::Sled.is_built() {
        field.fault("this mxcp was built without sled; build it with the feature sled-store, or use sqlite");
    }
    Some(kind)
}

/// One key, or several of which the first one seals.
fn read_keys(field: &Field<'_>) -> Option<Vec<Secret>> {
    if !field.is_list() {
        return read_key(field).map(|key| vec![key]);
    }
    if field.is_empty() {
        field.fault("must hold at least one key; without encryption_key a key file is made beside the database");
    }
    field.list(|item| read_key(&item))
}

fn read_key_of(table: &mut Table<'_, '_>, key: &'static str) -> Option<Secret> {
    table.get(key).and_then(|field| read_key(&field))
}

fn read_key(field: &Field<'_>) -> Option<Secret> {
    let secret = field.secret()?;
    let text = secret.expose();
    if !is_key(text.trim()) {
        field.fault("expected 32 random bytes in base64 or hexadecimal, such as `openssl rand -base64 32` prints");
        return None;
    }
    Some(Secret::new(text.trim()))
}

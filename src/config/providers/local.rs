//! `auth.local`: people who sign in with a password of ours.

use super::super::reader::{Field, Table};
use super::settings::{LocalSettings, LocalUser};
use argon2::password_hash::phc::PasswordHash;
use mxcp_actors::model::secret::Secret;

/// Reads the block.
pub(super) fn read(table: &mut Table<'_, '_>) -> Option<LocalSettings> {
    let field = table.require("users")?;
    let mut names: Vec<String> = Vec::new();
    let users = field.list(|item| item.table(|table| read_user(table, &mut names)))?;
    if field.is_empty() {
        field.fault("must hold at least one user");
    }
    Some(LocalSettings { users })
}

fn read_user(table: &mut Table<'_, '_>, names: &mut Vec<String>) -> Option<LocalUser> {
    let username = table.require("username").and_then(|field| {
        let name = field.nonempty_text()?;
        if names.contains(&name) {
            field.fault("another user has the same username");
            return None;
        }
        names.push(name.clone());
        Some(name)
    });
    let password_hash = table.require("password_hash").and_then(|field| read_hash(&field));
    let mut text = |key| table.get(key).and_then(|field| field.nonempty_text());
    let (email, name, role) = (text("email"), text("name"), text("role"));
    let mut texts = |key| table.get(key).and_then(|field| field.texts()).unwrap_or_default();
    let (permissions, groups) = (texts("permissions"), texts("groups"));
    Some(LocalUser { username: username?, password_hash: password_hash?, email, name, role, permissions, groups })
}

fn read_hash(field: &Field<'_>) -> Option<Secret> {
    let text = field.text()?;
    let is_argon2id = PasswordHash::new(&text)
        .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some());
    if !is_argon2id {
        field.fault("expected an argon2id hash in PHC format, such as $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>");
        return None;
    }
    Some(Secret::new(text))
}

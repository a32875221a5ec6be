//! `mxcp migrate-oauth-db`: who is signed in at the Python product stays signed in here.

use super::context::StoreOptions;
use super::log::printable;
use super::output::Report;
use crate::adapters::persistence::{LeftOut, Takeover, read_old_keys, take_over};
use crate::wiring::{new_home, persistence_settings, surroundings};
use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
pub(super) struct MigrateOauthDbArgs {
    /// The database of the Python product; it is read and not changed
    old: PathBuf,
    /// A file with the key that the old database is encrypted with, unless it stands in the
    /// configuration as `auth.persistence.auth_encryption_key`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreOptions,
}

pub(super) fn run(args: &MigrateOauthDbArgs) -> anyhow::Result<Report> {
    let configuration = args.store.load()?;
    let settings = persistence_settings(&configuration).ok_or_else(|| {
        anyhow!("auth.persistence is not configured, so there is no place to move sessions and clients to")
    })?;
    let home = new_home(&configuration)?;
    let old_keys = args.key_file.as_deref().map(read_old_keys).transpose()?.unwrap_or_default();
    let moved = take_over(&args.old, &old_keys, &settings, &home, &surroundings())
        .with_context(|| format!("nothing was moved from {}", args.old.display()))?;
    Ok(Report::new(as_text(&moved), as_json(&moved)))
}

fn as_text(moved: &Takeover) -> String {
    let mut lines = vec![
        format!("Sessions moved: {}{}", moved.sessions, before(moved.sessions_before, "moved before")),
        format!("Clients moved:  {}{}", moved.clients, before(moved.clients_before, "there already")),
    ];
    let left_out = moved.sessions_left_out.iter();
    lines.extend(left_out.map(|(reason, count)| format!("Sessions left out: {count} ({})", printable(reason))));
    lines.extend(moved.clients_left_out.iter().map(|left| line("Client left out", left)));
    lines.extend(moved.redirect_uris_left_out.iter().map(|left| line("Redirect URI left out of", left)));
    if let Some(aside) = &moved.set_aside {
        lines.push(format!(
            "The old database is now {}; it may hold tokens that can be read, so delete it when all is well.",
            aside.display()
        ));
    }
    lines.join("\n")
}

fn before(count: usize, what: &str) -> String {
    if count == 0 { String::new() } else { format!(" ({count} {what})") }
}

fn line(what: &str, left: &LeftOut) -> String {
    let name = if left.client_name.is_empty() { &left.client_id } else { &left.client_name };
    format!("{what}: {} ({})", printable(name), printable(&left.reason))
}

fn as_json(moved: &Takeover) -> Value {
    let of_clients = |all: &[LeftOut]| -> Vec<Value> {
        let entry = |left: &LeftOut| json!({"client_id": left.client_id, "client_name": left.client_name, "reason": left.reason});
        all.iter().map(entry).collect()
    };
    let sessions = moved.sessions_left_out.iter().map(|(reason, count)| json!({"reason": reason, "count": count}));
    json!({
        "sessions": {
            "moved": moved.sessions,
            "moved_before": moved.sessions_before,
            "left_out": sessions.collect::<Vec<_>>(),
        },
        "clients": {
            "moved": moved.clients,
            "there_already": moved.clients_before,
            "left_out": of_clients(&moved.clients_left_out),
            "redirect_uris_left_out": of_clients(&moved.redirect_uris_left_out),
        },
        "set_aside": moved.set_aside,
    })
}

//! `mxcp rotate-key`: another key for what `auth.persistence` keeps.

use super::context::StoreOptions;
use super::output::Report;
use crate::adapters::persistence::{KeyRotation, rotate_key};
use crate::wiring::{persistence_settings, surroundings};
use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;

#[derive(Args, Clone, Debug)]
pub(super) struct RotateKeyArgs {
    #[command(flatten)]
    pub(super) store: StoreOptions,
}

pub(super) fn run(args: &RotateKeyArgs) -> anyhow::Result<Report> {
    let configuration = args.store.load()?;
    let settings = persistence_settings(&configuration)
        .ok_or_else(|| anyhow!("auth.persistence is not configured, so nothing is kept that a key protects"))?;
    let rotation = rotate_key(&settings, &surroundings()).context("cannot change the key (auth.persistence)")?;
    Ok(report(&rotation))
}

fn report(rotation: &KeyRotation) -> Report {
    let KeyRotation { records, key, retired, key_file, is_resumed } = rotation;
    let mut lines = vec![format!("Sealed {records} records anew; everything is under the key {key} now.")];
    if *is_resumed {
        lines.push("This finished a change of the key that had been interrupted.".to_owned());
    }
    let list = retired.join(", ");
    lines.push(match (key_file, retired.as_slice()) {
        (Some(file), _) => format!("{} holds the new key alone; {list} is not needed any more.", file.display()),
        (None, []) => "The configuration lists no other key. To change it, put a new one in front: \
                       encryption_key: [new, old]"
            .to_owned(),
        (None, [_]) => format!("Remove the key {list} from the configuration: it is not needed any more."),
        (None, _) => format!("Remove the keys {list} from the configuration: they are not needed any more."),
    });
    let result = json!({
        "records": records,
        "key": key,
        "retired_keys": retired,
        "key_file": key_file,
        "is_resumed": is_resumed,
    });
    Report::new(lines.join("\n"), result)
}

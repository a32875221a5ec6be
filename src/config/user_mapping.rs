//! What the operator says about people: `auth.user_mapping` and the `claim_mappings` of providers.

use super::reader::{Field, Table};
use mxcp_actors::user_mapping::{ClaimMapping, MappingRule};

/// Reads `user_mapping`.
pub(super) fn read_rules(field: &Field<'_>) -> Option<Vec<MappingRule>> {
    field.list(|item| item.table(|table| read_rule(table)))
}

fn read_rule(table: &mut Table<'_, '_>) -> Option<MappingRule> {
    let when = table.require("when");
    let role = table.get("role").and_then(|field| field.nonempty_text());
    let permissions = table.get("permissions").and_then(|field| field.texts()).unwrap_or_default();
    let groups = table.get("groups").and_then(|field| field.texts()).unwrap_or_default();
    if role.is_none() && permissions.is_empty() && groups.is_empty() {
        table.field().fault("gives nothing; add role, permissions or groups");
    }
    let condition = when?;
    let compiled = MappingRule::new(&condition.nonempty_text()?, role, permissions, groups);
    compiled.map_err(|error| condition.condition_fault(&error)).ok()
}

/// Reads the `claim_mappings` of a provider: for each claim, for each of its values, the names of
/// the capabilities that it gives.
pub(super) fn read_claims(field: &Field<'_>) -> Option<Vec<ClaimMapping>> {
    let mappings = field.entries()?.into_iter().filter_map(|(path, of_claim)| {
        let values = of_claim.entries()?.into_iter().filter_map(|(value, of_value)| {
            let capabilities = of_value.texts()?;
            if capabilities.is_empty() {
                of_value.fault("names no capability");
            }
            Some((value.to_owned(), capabilities))
        });
        Some(ClaimMapping { path: path.to_owned(), values: values.collect() })
    });
    Some(mappings.collect())
}

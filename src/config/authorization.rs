//! `auth.authorization`: which scopes a call needs, who may have which, and what follows from which.

use super::clients::read_scopes;
use super::reader::{Field, Table};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::scope_hierarchy::ScopeHierarchy;
use mxcp_actors::scope_rules::GrantRule;
use mxcp_actors::settings::Settings;

/// What is wrong with scopes of an endpoint where nobody signs in.
pub(super) const SCOPES_OF_NOBODY: &str =
    "nobody signs in without auth.provider, so nobody would have these scopes; set one up or remove them";

/// Who may have which scopes.
#[derive(Clone, Debug, Default)]
pub struct AuthorizationConfiguration {
    /// Scopes that a token must have for any call; all of them.
    pub required_scopes: ScopeSet,
    /// Scopes that clients are told to ask for at first, beside those.
    pub default_scopes: ScopeSet,
    /// What follows from broad scopes.
    pub hierarchy: ScopeHierarchy,
    /// What people are entitled to; `None` when everybody may have everything.
    pub grants: Option<Vec<GrantRule>>,
}

impl AuthorizationConfiguration {
    /// Every scope that it names.
    #[must_use]
    pub fn scopes(&self) -> ScopeSet {
        let of_rules = self.granted().unwrap_or_default().union(&self.hierarchy.names());
        of_rules.union(&self.required_scopes).union(&self.default_scopes)
    }

    /// Everything that somebody can be entitled to, as far as that is limited.
    #[must_use]
    pub fn granted(&self) -> Option<ScopeSet> {
        let grants = self.grants.as_ref()?;
        Some(self.hierarchy.closure(&grants.iter().flat_map(|grant| grant.scopes().iter()).collect()))
    }

    /// Whether `required_scopes` tells nobody apart, and if so whether somebody wrote it so; only
    /// for scopes that this server gives.
    #[must_use]
    pub fn openness(&self) -> Option<Openness> {
        let is_for_all = self.granted_to_all().is_none_or(|scopes| scopes.contains_all(&self.required_scopes));
        let openness = if self.grants.is_some() { Openness::Granted } else { Openness::Ungranted };
        (is_for_all && !self.required_scopes.is_empty()).then_some(openness)
    }

    /// What everybody is entitled to, as far as that is limited.
    fn granted_to_all(&self) -> Option<ScopeSet> {
        let grants = self.grants.as_ref()?.iter().filter(|grant| grant.is_for_everybody());
        Some(self.hierarchy.closure(&grants.flat_map(|grant| grant.scopes().iter()).collect()))
    }
}

/// Why `required_scopes` keeps nobody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// There are no `grants`, so that everybody may have everything: perhaps somebody believes
    /// otherwise.
    Ungranted,
    /// A grant says that everybody may have them.
    Granted,
}

/// Reads the block; `is_issuer` says whether tokens are given by this server.
pub(super) fn read(table: &mut Table<'_, '_>, is_issuer: bool) -> Option<AuthorizationConfiguration> {
    let Some(field) = table.get("authorization") else { return Some(AuthorizationConfiguration::default()) };
    field.table(|table| {
        // What was left blank must not be taken for none.
        let required_scopes = table.get_or_null("required_scopes").map(|field| read_scopes(&field));
        let default_scopes = table.get_or_null("default_scopes").and_then(|field| {
            if !is_issuer {
                field.fault("means nothing with mode: verifier: what clients ask for is oidc.scope");
            }
            read_scopes(&field)
        });
        let hierarchy = table.get_or_null("implies").map(|field| read_hierarchy(&field));
        let grants = table.get_or_null("grants").map(|field| field.list(|item| item.table(read_grant)));
        let authorization = AuthorizationConfiguration {
            required_scopes: required_scopes.unwrap_or_else(|| Some(ScopeSet::default()))?,
            default_scopes: default_scopes.unwrap_or_default(),
            hierarchy: hierarchy.unwrap_or_else(|| Some(ScopeHierarchy::default()))?,
            grants: grants.map_or(Some(None), |grants| grants.map(Some))?,
        };
        warn_of_idle_rules(table.field(), &authorization, is_issuer);
        Some(authorization)
    })
}

fn read_hierarchy(field: &Field<'_>) -> Option<ScopeHierarchy> {
    let mut direct = Vec::new();
    for (scope, implied) in field.entries()? {
        if scope.contains(' ') || ScopeSet::parse(scope).is_none_or(|scopes| scopes.is_empty()) {
            implied.fault("is no scope: expected a key without spaces, quotes, backslashes and letters beyond ASCII");
            continue;
        }
        let follows = read_scopes(&implied).unwrap_or_default();
        // Noted where the circle begins, if there is one: so far there was none.
        direct.push((scope.to_owned(), follows));
        if let Err(circle) = ScopeHierarchy::new(direct.iter().cloned()) {
            implied.fault(circle.to_string());
            return None;
        }
    }
    ScopeHierarchy::new(direct).ok()
}

fn read_grant(table: &mut Table<'_, '_>) -> Option<GrantRule> {
    let when = table.require("when");
    let scopes = table.require("scopes").and_then(|field| {
        let scopes = read_scopes(&field)?;
        if scopes.is_empty() {
            field.fault("gives nothing; name a scope");
        }
        Some(scopes)
    });
    let condition = when?;
    let rule = GrantRule::new(&condition.nonempty_text()?, scopes?);
    rule.map_err(|error| condition.condition_fault(&error)).ok()
}

/// Says so when the rules keep everybody out.
fn warn_of_idle_rules(field: &Field<'_>, authorization: &AuthorizationConfiguration, is_issuer: bool) {
    let Some(granted) = authorization.granted() else { return };
    let required = &authorization.required_scopes;
    let missing: Vec<&str> = required.iter().filter(|scope| !granted.contains(scope)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        field
            .warn(&format!("nobody can call anything: no rule in grants gives {missing}, which required_scopes names"));
    } else if is_issuer && required.is_empty() && !granted.contains(Settings::DEFAULT_SCOPE) {
        field.warn(&format!(
            "no rule in grants gives {scope}, which is what clients ask for at first: they will be refused; add a rule \
             that gives it to whoever may sign in",
            scope = Settings::DEFAULT_SCOPE
        ));
    }
}

/// Reads the `scopes` of an endpoint: what its callers need, beyond `required_scopes`.
pub(super) fn read_endpoint_scopes(table: &mut Table<'_, '_>, has_authentication: bool) -> Option<ScopeSet> {
    let Some(field) = table.get_or_null("scopes") else { return Some(ScopeSet::default()) };
    let scopes = read_scopes(&field)?;
    if !scopes.is_empty() && !has_authentication {
        field.fault(SCOPES_OF_NOBODY);
        return None;
    }
    Some(scopes)
}

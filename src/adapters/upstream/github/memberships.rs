//! The organizations and teams that a person is in.

use super::{NAME, api_request};
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::api::get_json;
use crate::adapters::upstream::error::unusable;
use crate::adapters::upstream::token::TokenAnswer;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many entries GitHub puts on a page, at most.
const PER_PAGE: usize = 100;

/// How many pages are read.
const PAGES_MAX: usize = 10;

/// What a person is in.
#[derive(Debug)]
pub(super) struct Memberships {
    organizations: Vec<Organization>,
    teams: Vec<Team>,
}

/// An organization, as `user.claims.organizations` holds it.
#[derive(Debug, Deserialize, Serialize)]
struct Organization {
    id: u64,
    login: String,
}

/// A team, as `user.claims.teams` holds it.
#[derive(Debug, Deserialize, Serialize)]
struct Team {
    id: u64,
    slug: String,
    organization: Organization,
}

/// Asks for both.
///
/// # Errors
/// When one of the lists is not to be had: half of them would look like all.
pub(super) async fn fetch(http: &HttpClient, api: &str, answer: &TokenAnswer) -> Result<Memberships, UpstreamError> {
    let organizations = fetch_list(http, &format!("{api}/user/orgs"), "the user's organizations", answer).await?;
    let teams = fetch_list(http, &format!("{api}/user/teams"), "the user's teams", answer).await?;
    Ok(Memberships { organizations, teams })
}

/// Reads a list page by page, until one is not full.
async fn fetch_list<T: DeserializeOwned>(
    http: &HttpClient,
    url: &str,
    what: &'static str,
    answer: &TokenAnswer,
) -> Result<Vec<T>, UpstreamError> {
    let mut entries = Vec::new();
    for page in 1..=PAGES_MAX {
        let url = format!("{url}?per_page={PER_PAGE}&page={page}");
        let document = get_json(http, &api_request(&url, what, answer)).await?;
        let found: Vec<T> =
            serde_json::from_value(document).map_err(|_| unusable(NAME, format!("{what} are not a list of them")))?;
        let is_last = found.len() < PER_PAGE;
        entries.extend(found);
        if is_last {
            return Ok(entries);
        }
    }
    tracing::warn!(provider = NAME, read = entries.len(), "{what} are too many; the rest is left out");
    Ok(entries)
}

impl Memberships {
    /// The groups: `organization` and `organization/team`.
    pub(super) fn groups(&self) -> Vec<String> {
        let organizations = self.organizations.iter().map(|organization| organization.login.clone());
        let teams = self.teams.iter().map(|team| format!("{}/{}", team.organization.login, team.slug));
        organizations.chain(teams).collect()
    }

    /// The lists as claims.
    pub(super) fn claims(&self) -> [(String, Value); 2] {
        [("organizations".to_owned(), to_value(&self.organizations)), ("teams".to_owned(), to_value(&self.teams))]
    }
}

fn to_value(list: &impl Serialize) -> Value {
    serde_json::to_value(list).unwrap_or_default()
}

//! Organizations and teams at GitHub, against a simulator.
use crate::upstream_github::{GitHub, TOKEN_PATH, ok, settings};
use crate::upstream_support::{ACCESS_TOKEN, StandingClock, exchange, http_client, requests_to};
use mxcp::adapters::upstream::github::GitHubIdp;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::ports::upstream_idp::UpstreamIdp as _;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, ResponseTemplate};

const ORGANIZATIONS_PATH: &str = "/api/v3/user/orgs";
const TEAMS_PATH: &str = "/api/v3/user/teams";

fn organization(id: u64, login: &str) -> Value {
    json!({"id": id, "login": login, "node_id": "MDEy", "url": "https://api.github.com/orgs/x", "description": null})
}

fn team(id: u64, slug: &str, organization: &Value) -> Value {
    json!({"id": id, "slug": slug, "name": "Team", "privacy": "closed", "organization": organization})
}

impl GitHub {
    /// The tokens that a login gives have these scopes.
    async fn granting(self, scope: &str) -> Self {
        let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": scope});
        self.with("POST", TOKEN_PATH, ok(&answer)).await
    }

    /// That page of a list, in which a hundred entries have room.
    async fn with_page(self, at: &str, page: usize, entries: &[Value]) -> Self {
        let full = Mock::given(method("GET")).and(path(at)).and(query_param("per_page", "100"));
        let mock = full.and(query_param("page", page.to_string())).respond_with(ok(&json!(entries)));
        mock.mount(&self.server).await;
        self
    }
}

#[tokio::test]
async fn organizations_and_teams_are_groups_and_claims() {
    let acme = organization(9, "Acme");
    let github = GitHub::start().await.granting("read:org,read:user").await;
    let github = github.with_page(ORGANIZATIONS_PATH, 1, &[acme.clone(), organization(8, "guild")]).await;
    let github = github.with_page(TEAMS_PATH, 1, &[team(5, "release-team", &acme)]).await.with_defaults().await;
    let user = github.sign_in().await.unwrap().user;
    assert_eq!(user.groups, ["Acme", "guild", "Acme/release-team"]);
    assert_eq!(user.claims["organizations"], json!([{"id": 9, "login": "Acme"}, {"id": 8, "login": "guild"}]));
    let team = json!({"id": 5, "slug": "release-team", "organization": {"id": 9, "login": "Acme"}});
    assert_eq!(user.claims["teams"], json!([team]));
    for at in [ORGANIZATIONS_PATH, TEAMS_PATH] {
        let requests = requests_to(&github.server, at).await;
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].headers["authorization"], format!("Bearer {ACCESS_TOKEN}"));
        assert_eq!(requests[0].headers["x-github-api-version"], "2022-11-28");
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page_up_to_a_limit() {
    let page = |number: u64, length: u64| -> Vec<Value> {
        (0..length).map(|at| organization(number * 1000 + at, &format!("o{number}-{at}"))).collect()
    };
    let github = GitHub::start().await.granting("read:org").await.with_page(TEAMS_PATH, 1, &[]).await;
    let github = github.with_page(ORGANIZATIONS_PATH, 1, &page(1, 100)).await;
    let github = github.with_page(ORGANIZATIONS_PATH, 2, &page(2, 3)).await.with_defaults().await;
    let groups = github.sign_in().await.unwrap().user.groups;
    assert_eq!((groups.len(), groups[0].as_str(), groups[102].as_str()), (103, "o1-0", "o2-2"));

    let endless = GitHub::start().await.granting("read:org").await.with_page(TEAMS_PATH, 1, &[]).await;
    let endless = endless.with("GET", ORGANIZATIONS_PATH, ok(&json!(page(1, 100)))).await.with_defaults().await;
    assert_eq!(endless.sign_in().await.unwrap().user.groups.len(), 1000);
    assert_eq!(requests_to(&endless.server, ORGANIZATIONS_PATH).await.len(), 10);
}

#[tokio::test]
async fn nobody_is_asked_for_organizations_without_the_scope() {
    for scope in ["read:user,user:email", "repo", ""] {
        let github = GitHub::start().await.granting(scope).await.with_defaults().await;
        let user = github.sign_in().await.unwrap().user;
        assert_eq!(user.groups, [""; 0]);
        assert_eq!(user.claims.get("organizations"), None);
        assert!(requests_to(&github.server, ORGANIZATIONS_PATH).await.is_empty(), "{scope}");
    }
}

#[tokio::test]
async fn a_github_app_is_asked_for_organizations_when_the_configuration_says_so() {
    let github = GitHub::start().await.granting("").await.with_page(TEAMS_PATH, 1, &[]).await;
    let github = github.with_page(ORGANIZATIONS_PATH, 1, &[organization(9, "acme")]).await.with_defaults().await;
    let settings = UpstreamApp { scope: "read:user read:org".to_owned(), ..settings(&github.server.uri()) };
    let idp = GitHubIdp::new(settings, http_client(), StandingClock::new()).unwrap();
    assert_eq!(idp.exchange(exchange()).await.unwrap().user.groups, ["acme"]);
}

#[tokio::test]
async fn a_list_that_is_not_to_be_had_leaves_the_groups_empty_and_the_person_signed_in() {
    let acme = organization(9, "acme");
    for (at, other) in [(ORGANIZATIONS_PATH, TEAMS_PATH), (TEAMS_PATH, ORGANIZATIONS_PATH)] {
        for answer in [
            ResponseTemplate::new(500),
            ResponseTemplate::new(403),
            ResponseTemplate::new(200),
            ok(&json!({"message": ACCESS_TOKEN})),
            ok(&json!([{"id": "x"}])),
        ] {
            let entry = if other == TEAMS_PATH { team(5, "t", &acme) } else { acme.clone() };
            let github = GitHub::start().await.granting("read:org").await.with("GET", at, answer).await;
            let github = github.with_page(other, 1, &[entry]).await.with_defaults().await;
            let user = github.sign_in().await.unwrap().user;
            assert_eq!((user.username.as_str(), user.groups.len()), ("octocat", 0), "{at}");
            assert_eq!(user.claims.get("organizations"), None);
        }
    }
}

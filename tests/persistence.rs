//! What survives a restart when `auth.persistence` is set, and what happens when it cannot be kept.

use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens, give_password, header, oauth_error};
use crate::config_project::PASSWORD_HASH;
use mxcp::adapters::persistence::StoreKind;
use serde_json::json;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

/// Every kind of store that this build has.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    ["sqlite", "sled"].into_iter().filter(|kind| *kind != "sled" || StoreKind::Sled.is_built())
}

async fn start(kind: &str) -> TestApp {
    TestApp::with(Setup::default().with_persistence(kind)).await
}

#[tokio::test]
async fn tokens_work_on_after_a_restart_and_dead_ones_stay_dead() {
    for kind in kinds() {
        let mut app = start(kind).await;
        let client = OAuthClient::register(&app).await;
        let (ada, ben) = (client.tokens(&app, "ada").await, client.tokens(&app, "ben").await);
        let used = client.tokens(&app, "ben").await;
        let newer = Tokens::of(client.refresh(&app, &used.refresh).await).await;
        assert_eq!(client.revoke(&app, &ben.refresh).await.status(), 200);
        app.restart().await;
        assert!(app.whoami(&ada.access).await.contains("ada"), "{kind}");
        assert_eq!(app.status_with(&ben.access).await, 401, "revoked is revoked");
        assert_eq!(oauth_error(client.refresh(&app, &ben.refresh).await).await, (400, "invalid_grant".to_owned()));
        let next = Tokens::of(client.refresh(&app, &ada.refresh).await).await;
        assert!(app.whoami(&next.access).await.contains("ada"));
        // The successor is used, and then the token before it is a replay, also across a restart.
        Tokens::of(client.refresh(&app, &newer.refresh).await).await;
        app.restart().await;
        assert_eq!(oauth_error(client.refresh(&app, &used.refresh).await).await, (400, "invalid_grant".to_owned()));
        assert_eq!(app.status_with(&newer.access).await, 401, "a replay ends the session");
        assert!(app.whoami(&next.access).await.contains("ada"), "of that person alone");
    }
}

#[tokio::test]
async fn a_login_goes_on_where_it_was() {
    for kind in kinds() {
        let mut app = start(kind).await;
        let client = OAuthClient::register(&app).await;
        let mut browser = Browser::new(&app);
        let consent = browser.open(client.authorize_url(&app, &[])).await;
        app.restart().await;
        let password = browser.submit(&consent, "approve", &[]).await;
        app.restart().await;
        let back = give_password(&mut browser, &password, "ada").await;
        let code = client.answer(&back)["code"].clone();
        app.restart().await;
        let tokens = Tokens::of(client.redeem(&app, &code).await).await;
        app.restart().await;
        assert!(app.whoami(&tokens.access).await.contains("ada"));
        let replayed = client.redeem(&app, &code).await;
        assert_eq!(oauth_error(replayed).await, (400, "invalid_grant".to_owned()), "a code is redeemed once in all");
        assert_eq!(app.status_with(&tokens.access).await, 401);

        let again = browser.open(client.authorize_url(&app, &[])).await;
        assert_eq!(again.form().action, "/login", "the approval is remembered");
    }
}

#[tokio::test]
async fn a_visitor_stays_signed_in() {
    for kind in kinds() {
        let mut app = start(kind).await;
        let mut browser = Browser::new(&app);
        let page = browser.open(app.url("/")).await;
        give_password(&mut browser, &page, "ada").await;
        app.restart().await;
        assert!(browser.open(app.url("/")).await.text().contains("Ada Falk"));
    }
}

#[tokio::test]
async fn after_a_restart_people_are_who_the_configuration_says_they_are() {
    let setup = || Setup::default().with_persistence("sqlite");
    let mut app = TestApp::with(setup()).await;
    let client = OAuthClient::register(&app).await;
    let (ada, ben) = (client.tokens(&app, "ada").await, client.tokens(&app, "ben").await);
    let mut browser = Browser::new(&app);
    let page = browser.open(app.url("/")).await;
    give_password(&mut browser, &page, "ben").await;

    let mut changed = setup();
    let ben_now = json!({"username": "ben", "role": "librarian", "password_hash": PASSWORD_HASH});
    changed.auth["local"]["users"] = json!([ben_now]);
    app.project().write("config.yml", &changed.user_file());
    app.restart().await;
    assert_eq!(app.status_with(&ada.access).await, 401, "who was removed is signed out");
    assert!(app.whoami(&ben.access).await.contains("ben"));
    assert!(browser.open(app.url("/")).await.text().contains("librarian"), "a role is what it is now");
    let ended = app.audit().into_iter().find(|record| record["input_data"]["reason"] == "user_removed").unwrap();
    assert_eq!(ended["operation_name"], "auth.session_ended");

    app.project().write("config.yml", &setup().user_file());
    app.restart().await;
    assert_eq!(app.status_with(&ada.access).await, 401, "and does not come back without signing in");
    let refused = client.refresh(&app, &ada.refresh).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn without_persistence_nothing_of_a_login_is_left_on_disk() {
    let mut app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    app.restart().await;
    assert_eq!(app.status_with(&tokens.access).await, 401);
    let mut names: Vec<_> =
        std::fs::read_dir(app.project().root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("kept")), "{names:?}");
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("oauth")), "{names:?}");
}

#[tokio::test]
async fn the_files_are_the_owners_alone() {
    for kind in kinds() {
        let app = start(kind).await;
        OAuthClient::register(&app).await.tokens(&app, "ada").await;
        let folder = app.project().root().join("kept");
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(metadata.mode() & 0o777, wanted, "{}", entry.path().display());
        }
    }
}

#[tokio::test]
async fn a_store_that_others_may_read_is_refused_with_the_command_that_mends_it() {
    let mut app = start("sqlite").await;
    let stopping = app.begin_stop();
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    let path = app.project().root().join("kept/oauth.sqlite");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = app.refusal().await;
    assert!(error.contains("auth.persistence") && error.contains("chmod 600"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    app.start_again().await;
}

#[tokio::test]
async fn while_the_store_cannot_be_written_calls_go_on_and_the_rest_is_told_to_wait() {
    let app = start("sqlite").await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    let mut browser = Browser::new(&app);
    let code = client.sign_in(&app, &mut browser, "ben").await["code"].clone();
    let other = rusqlite::Connection::open(app.project().root().join("kept/oauth.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    for refused in [client.redeem(&app, &code).await, client.refresh(&app, &tokens.refresh).await] {
        assert_eq!(refused.status(), 503);
        assert!(header(&refused, "retry-after").parse::<u32>().is_ok());
        assert_eq!(oauth_error(refused).await, (503, "temporarily_unavailable".to_owned()));
    }
    assert!(app.whoami(&tokens.access).await.contains("ada"), "a call needs nothing of the store");
    assert_eq!(app.get("/health").send().await.unwrap().status(), 200);

    other.execute_batch("ROLLBACK").unwrap();
    let next = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert!(app.whoami(&next.access).await.contains("ada"), "nothing was used up by the attempt");
    Tokens::of(client.redeem(&app, &code).await).await;
}

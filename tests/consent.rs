//! Consent: asked of everybody for every client, and remembered for just what was approved.

use crate::common::{Browser, OAuthClient, Page, Setup, TestApp, change, give_password};
use serde_json::json;

fn is_consent_page(page: &Page) -> bool {
    page.status == 200 && page.form().action == "/consent"
}

#[tokio::test]
async fn a_new_client_is_asked_about_even_when_the_person_is_signed_in() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(app.url("/")).await;
    give_password(&mut browser, &page, "ada").await;
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    assert!(is_consent_page(&consent), "{}", consent.body);
    assert!(consent.text().contains("ada"));
    // Whoever is signed in need not give the password again.
    let back = browser.submit(&consent, "approve", &[]).await;
    assert!(client.answer(&back).contains_key("code"));
}

#[tokio::test]
async fn an_approval_is_remembered_for_the_same_browser_client_place_and_scopes() {
    let required = json!({"required_scopes": ["mxcp:admin"]});
    let mut setup = Setup::default();
    setup.auth["authorization"] = required;
    let app = TestApp::with(setup).await;
    let places = json!(["https://app.example.com/callback", "https://elsewhere.example.com/callback"]);
    let metadata =
        json!({"client_name": "Reading Room", "redirect_uris": places, "token_endpoint_auth_method": "none"});
    let client = OAuthClient::register_with(&app, &metadata).await;
    let mut browser = Browser::new(&app);
    client.sign_in_with(&app, &mut browser, "ada", &[("scope", Some("mxcp:access"))]).await;

    let again = browser.open(client.authorize_url(&app, &[("scope", Some("mxcp:access"))])).await;
    assert_eq!(again.form().action, "/login", "the approval is remembered");
    let other_client = OAuthClient::register(&app).await;
    let urls = [
        client.authorize_url(&app, &[("scope", Some("mxcp:access mxcp:admin"))]),
        client.authorize_url(
            &app,
            &[("scope", Some("mxcp:access")), ("redirect_uri", Some("https://elsewhere.example.com/callback"))],
        ),
        other_client.authorize_url(&app, &[("scope", Some("mxcp:access"))]),
    ];
    for url in &urls {
        assert!(is_consent_page(&browser.open(url).await), "{url}");
    }
    let elsewhere = Browser::new(&app).open(client.authorize_url(&app, &[("scope", Some("mxcp:access"))])).await;
    assert!(is_consent_page(&elsewhere));
}

#[tokio::test]
async fn an_approval_of_one_person_is_none_of_another() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    client.sign_in(&app, &mut browser, "ada").await;
    let password = browser.open(client.authorize_url(&app, &[])).await;
    let consent = give_password(&mut browser, &password, "ben").await;
    assert!(is_consent_page(&consent), "{}", consent.body);
    assert!(consent.text().contains("ben"));
    let back = browser.submit(&consent, "approve", &[]).await;
    assert!(client.answer(&back).contains_key("code"));
}

#[tokio::test]
async fn a_refusal_goes_to_the_client_and_is_not_remembered() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    for _ in 0..2 {
        let consent = browser.open(client.authorize_url(&app, &[])).await;
        assert!(is_consent_page(&consent));
        let answer = client.answer(&browser.submit(&consent, "refuse", &[]).await);
        assert_eq!(answer["error"], "access_denied");
        assert_eq!(answer["state"], "state of the client");
        assert_eq!(answer["iss"], app.issuer);
        assert!(!answer.contains_key("code"));
        // The form was for one answer.
        browser.submit(&consent, "approve", &[]).await.assert_error_page(400);
    }
}

#[tokio::test]
async fn anything_but_a_clear_yes_is_a_no() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    for decision in [None, Some(""), Some("APPROVE"), Some("yes")] {
        let mut browser = Browser::new(&app);
        let consent = browser.open(client.authorize_url(&app, &[])).await;
        let mut form = consent.form().filled("approve", &[]);
        change(&mut form, "decision", decision);
        let answer = client.answer(&browser.post(&app.url("/consent"), &form).await);
        assert_eq!(answer["error"], "access_denied", "{decision:?}");
    }
}

#[tokio::test]
async fn a_form_that_is_not_from_our_page_in_this_browser_is_refused() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    let other = browser.open(client.authorize_url(&app, &[])).await;
    let form = consent.form().filled("approve", &[]);
    let foreign_token = other.form().value("csrf").to_owned();
    for token in [None, Some("x"), Some(foreign_token.as_str())] {
        let mut forged = form.clone();
        change(&mut forged, "csrf", token);
        browser.post(&app.url("/consent"), &forged).await.assert_error_page(403);
    }
    let mut strange = Browser::new(&app);
    strange.post(&app.url("/consent"), &form).await.assert_error_page(403);
    strange.open(client.authorize_url(&app, &[])).await;
    strange.post(&app.url("/consent"), &form).await.assert_error_page(403);
    // None of this used the login up.
    let password = browser.post(&app.url("/consent"), &form).await;
    let login = password.form().filled("", &[("username", "ada"), ("password", "analytical-engine")]);
    let mut forged = login.clone();
    change(&mut forged, "csrf", None);
    browser.post(&app.url("/login"), &forged).await.assert_error_page(403);
    strange.post(&app.url("/login"), &login).await.assert_error_page(403);
    // A login form cannot be answered before consent was given, nor the other way round.
    browser.post(&app.url("/consent"), &login).await.assert_error_page(400);
}

#[tokio::test]
async fn the_page_says_who_asks_for_what_and_where_the_answer_goes() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let page = Browser::new(&app).open(client.authorize_url(&app, &[])).await;
    for text in ["Reading Room", &client.id, "app.example.com", "mxcp:access"] {
        assert!(page.text().contains(text), "{text}");
    }
    let local = OAuthClient::register_as(&app, "Reading Room", "http://localhost/callback").await;
    let changes = [("redirect_uri", Some("http://localhost:51234/callback"))];
    let page = Browser::new(&app).open(local.authorize_url(&app, &changes)).await;
    assert!(page.text().contains("a program on your own machine"), "{}", page.body);
}

#[tokio::test]
async fn a_name_cannot_pass_for_something_else() {
    let app = TestApp::start().await;
    for (name, shown, hidden) in [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)", "<script>alert"),
        ("Claude\u{202e}moc.live", "Claudemoc.live", "\u{202e}"),
        ("Cl\u{200b}aude\u{2066}", "Claude", "\u{200b}"),
        ("line\r\nbreak\u{0}", "linebreak", "\u{0}"),
    ] {
        let client = OAuthClient::register_as(&app, name, "https://app.example.com/callback").await;
        let page = Browser::new(&app).open(client.authorize_url(&app, &[])).await;
        assert!(page.body.contains(shown), "{name:?}: {}", page.body);
        assert!(!page.body.contains(hidden), "{name:?}: {}", page.body);
    }
    let long = OAuthClient::register_as(&app, &"n".repeat(1_900), "https://app.example.com/callback").await;
    let page = Browser::new(&app).open(long.authorize_url(&app, &[])).await;
    assert!(!page.body.contains(&"n".repeat(100)));
}

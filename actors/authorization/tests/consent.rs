//! Who is asked whether a client may act for them, and when.

use super::*;

#[actix::test]
async fn consent_is_asked_before_anything_else_and_says_what_it_is_for() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    assert!(ada.visitor.browser.is_some(), "a browser without a cookie is given one");
    assert_eq!((prompt.client_name.as_str(), prompt.client_id.as_str()), ("Application app", "app"));
    assert_eq!((prompt.redirect_destination.as_str(), prompt.is_redirect_local), ("app.example.com", false));
    assert_eq!((prompt.scopes, prompt.provider_scopes), (vec!["mxcp:access".to_owned()], vec!["profile".to_owned()]));
    assert_eq!((prompt.provider_title.as_str(), prompt.username), ("Fake", None));
}

#[actix::test]
async fn a_consent_is_remembered_for_the_same_browser_client_destination_and_scopes() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    ada.code(&rig, "ada").await;
    let narrower = AuthorizeParameters { state: None, ..parameters() };
    assert!(matches!(ada.begin(&rig, narrower).await, NextStep::ToProvider { .. }));
    consent(Person::new().begin(&rig, parameters()).await);
}

#[actix::test]
async fn consent_is_asked_again_for_more_scopes_and_then_covers_both() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    ada.code(&rig, "ada").await;
    let wider = AuthorizeParameters { scope: Some("mxcp:access write".to_owned()), ..parameters() };
    let prompt = consent(ada.begin(&rig, wider.clone()).await);
    assert_eq!(prompt.scopes, ["mxcp:access", "write"]);
    let url = url(ada.decide(&rig, &prompt, true).await);
    ada.come_back(&rig, &url, "ada").await;
    for parameters in [wider, parameters()] {
        assert!(matches!(ada.begin(&rig, parameters).await, NextStep::ToProvider { .. }));
    }
}

#[actix::test]
async fn consent_is_asked_again_for_another_destination_and_another_client() {
    let uris = [samples::REDIRECT_URI, "https://elsewhere.example.com/cb"].map(|uri| RedirectUri::parse(uri).unwrap());
    let app = Client { redirect_uris: uris.to_vec(), ..samples::client("app") };
    let configured_clients = vec![app, samples::client("other")];
    let rig = Rig::with(Login::Provider, Settings { configured_clients, ..settings() }).await;
    let mut ada = Person::new();
    ada.code(&rig, "ada").await;
    let elsewhere =
        AuthorizeParameters { redirect_uri: Some("https://elsewhere.example.com/cb".to_owned()), ..parameters() };
    assert_eq!(consent(ada.begin(&rig, elsewhere).await).redirect_destination, "elsewhere.example.com");
    let other = AuthorizeParameters { client_id: Some("other".to_owned()), ..parameters() };
    assert_eq!(consent(ada.begin(&rig, other).await).client_id, "other");
}

#[actix::test]
async fn somebody_else_in_the_same_browser_is_asked_by_name_before_there_is_a_code() {
    let rig = rig(Login::Provider).await;
    let mut shared = Person::new();
    shared.code(&rig, "ada").await;
    let url = url(shared.begin(&rig, parameters()).await);
    let prompt = consent(shared.come_back(&rig, &url, "bob").await);
    assert_eq!(prompt.username.as_deref(), Some("bob"));
    let code = code(shared.decide(&rig, &prompt, true).await);
    let tokens = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    let grant = rig.sessions.verify_access_token(tokens.access_token.expose()).unwrap();
    assert_eq!(grant.principal.user.as_ref().unwrap().username, "bob");
}

#[actix::test]
async fn a_refusal_is_told_to_the_client_and_remembered_by_nobody() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    let answer = answer(ada.decide(&rig, &prompt, false).await);
    assert_eq!(answer["error"], "access_denied");
    assert_eq!(rig.recorded("auth.consent_refused"), 1);
    let again = rig.authorization.decide_consent(ada.decision(&prompt, true)).await;
    assert_eq!(again.unwrap_err(), LoginError::Unknown, "a no cannot be turned into a yes");
    consent(ada.begin(&rig, parameters()).await);
}

#[actix::test]
async fn a_form_that_is_not_ours_decides_nothing() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    let mut eve = Person::new();
    let of_eve = consent(eve.begin(&rig, parameters()).await);
    for csrf in [Secret::default(), Secret::new("guessed"), of_eve.csrf.clone()] {
        let forged = DecideConsent { csrf, ..ada.decision(&prompt, true) };
        assert_eq!(rig.authorization.decide_consent(forged).await.unwrap_err(), LoginError::Forged);
    }
    let stolen = DecideConsent { visitor: eve.visitor.clone(), ..ada.decision(&prompt, true) };
    assert_eq!(rig.authorization.decide_consent(stolen).await.unwrap_err(), LoginError::Forged);
    let no_cookie = DecideConsent { visitor: Visitor::default(), ..ada.decision(&prompt, true) };
    assert_eq!(rig.authorization.decide_consent(no_cookie).await.unwrap_err(), LoginError::OtherBrowser);
    assert!(matches!(ada.decide(&rig, &prompt, true).await, NextStep::ToProvider { .. }), "nor uses it up");
}

#[actix::test]
async fn of_many_decisions_at_once_one_counts() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    let decided = join_all((0..20).map(|_| rig.authorization.decide_consent(ada.decision(&prompt, true)))).await;
    assert_eq!(decided.iter().filter(|decided| decided.is_ok()).count(), 1);
}

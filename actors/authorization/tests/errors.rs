//! Requests that are not valid, and who is told.

use super::*;

/// What is wrong with a request.
type Change = fn(&mut AuthorizeParameters);

async fn begin(rig: &Rig, parameters: AuthorizeParameters) -> Result<BrowserStep, BeginError> {
    let visitor = Person::new().visitor;
    rig.authorization.begin_authorization(BeginAuthorization { parameters, visitor }).await
}

#[actix::test]
async fn nothing_is_sent_to_a_redirect_uri_that_is_not_verified() {
    let rig = rig(Login::Provider).await;
    let with = |change: Change| {
        let mut parameters = parameters();
        change(&mut parameters);
        parameters
    };
    for (parameters, code) in [
        (with(|p| p.client_id = None), OAuthErrorCode::InvalidRequest),
        (with(|p| p.client_id = Some("nobody".to_owned())), OAuthErrorCode::InvalidClient),
        (with(|p| p.redirect_uri = Some("https://evil.example.com/cb".to_owned())), OAuthErrorCode::InvalidRequest),
        (with(|p| p.redirect_uri = Some(format!("{}/", samples::REDIRECT_URI))), OAuthErrorCode::InvalidRequest),
        (with(|p| p.repeated = vec!["redirect_uri".to_owned()]), OAuthErrorCode::InvalidRequest),
        (with(|p| p.repeated = vec!["client_id".to_owned()]), OAuthErrorCode::InvalidRequest),
    ] {
        let refused = begin(&rig, parameters.clone()).await.unwrap_err();
        assert!(matches!(&refused, BeginError::Unverified(error) if error.code == code), "{parameters:?}: {refused:?}");
    }
    rig.audit_log.flush().await.unwrap();
    assert!(rig.audit.names().iter().all(|name| name == "auth.authorization_refused"), "nobody began to log in");
}

#[actix::test]
async fn every_other_error_goes_to_the_redirect_uri_with_state_and_issuer() {
    use OAuthErrorCode as E;
    let rig = rig(Login::Provider).await;
    let plain = "a-plain-challenge-of-forty-three-characters";
    let changes: [(Change, E); 12] = [
        (|p| p.repeated = vec!["scope".to_owned()], E::InvalidRequest),
        (|p| p.has_request_object = true, E::InvalidRequest),
        (|p| p.response_type = None, E::InvalidRequest),
        (|p| p.response_type = Some("token".to_owned()), E::UnsupportedResponseType),
        (|p| p.response_mode = Some("fragment".to_owned()), E::InvalidRequest),
        (|p| p.code_challenge = None, E::InvalidRequest),
        (|p| p.code_challenge = Some("short".to_owned()), E::InvalidRequest),
        (|p| p.code_challenge_method = None, E::InvalidRequest),
        (|p| p.code_challenge_method = Some("plain".to_owned()), E::InvalidRequest),
        (|p| p.scope = Some("admin".to_owned()), E::InvalidScope),
        (|p| p.scope = Some("a\"b".to_owned()), E::InvalidScope),
        (|p| p.resource = vec!["https://elsewhere.example.com/mcp".to_owned()], E::InvalidTarget),
    ];
    for (change, code) in changes {
        let mut parameters = AuthorizeParameters { code_challenge: Some(plain.to_owned()), ..parameters() };
        change(&mut parameters);
        let refused = begin(&rig, parameters).await.unwrap_err();
        let BeginError::ToClient { url, error } = refused else { panic!("{refused:?}") };
        assert_eq!(error.code, code, "{error}");
        assert_eq!(check_answer(&url)["error"], code.as_str());
    }
}

#[actix::test]
async fn a_client_without_the_grant_is_told_at_its_uri() {
    let client = Client { grant_types: vec![GrantType::RefreshToken], ..samples::client("app") };
    let rig = Rig::with(Login::Provider, Settings { configured_clients: vec![client], ..settings() }).await;
    let refused = begin(&rig, parameters()).await.unwrap_err();
    let BeginError::ToClient { url, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(check_answer(&url)["error"], "unauthorized_client");
}

#[actix::test]
async fn nobody_begins_anything_while_authentication_is_off() {
    let rig = rig(Login::Off).await;
    assert_eq!(begin(&rig, parameters()).await.unwrap_err(), BeginError::Failed(LoginError::Off));
    assert_eq!(rig.authorization.begin_visit(Visitor::default()).await.unwrap_err(), LoginError::Off);
}

#[actix::test]
async fn a_login_that_cannot_be_recorded_does_not_begin() {
    let rig = rig(Login::Provider).await;
    rig.audit.fail_next();
    let BeginError::Failed(refused) = begin(&rig, parameters()).await.unwrap_err() else { panic!() };
    assert!(matches!(failed_at_client(refused), LoginError::NotRecorded(_)));
}

/// What failed, which the client is told at its URI.
fn failed_at_client(error: LoginError) -> LoginError {
    let LoginError::AtClient { url, cause } = error else { panic!("not told at the client: {error:?}") };
    assert_eq!(check_answer(&url)["error"], "temporarily_unavailable");
    *cause
}

#[actix::test]
async fn a_store_that_fails_is_told_at_the_client_from_the_first_page_to_the_code() {
    let rig = rig(Login::Provider).await;
    rig.grant_store.break_operation("insert_login");
    let BeginError::Failed(refused) = begin(&rig, parameters()).await.unwrap_err() else { panic!() };
    assert!(matches!(failed_at_client(refused), LoginError::Store(_)), "before the first page");
    rig.grant_store.heal();

    let mut person = Person::new();
    let prompt = consent(person.begin(&rig, parameters()).await);
    rig.grant_store.break_operation("insert_login");
    let refused = rig.authorization.decide_consent(person.decision(&prompt, true)).await.unwrap_err();
    assert!(matches!(failed_at_client(refused), LoginError::Store(_)), "after the consent");
    rig.grant_store.heal();

    let prompt = consent(person.begin(&rig, parameters()).await);
    rig.audit.fail_next();
    let refused = rig.authorization.decide_consent(person.decision(&prompt, false)).await.unwrap_err();
    assert!(matches!(failed_at_client(refused), LoginError::NotRecorded(_)), "after a no");

    let url = person.reach_provider(&rig, parameters()).await;
    rig.session_store.break_operation("insert_session");
    let refused = rig.authorization.complete_login(person.back_as(&url, "ada")).await.unwrap_err();
    assert!(matches!(failed_at_client(refused), LoginError::Store(_)), "after the login");
    let refused = rig.authorization.complete_login(person.back_as(&url, "ada")).await.unwrap_err();
    assert_eq!(refused, LoginError::Unknown, "a login that is over is nobody's to be told");
}

#[actix::test]
async fn a_store_that_fails_before_the_redirect_uri_is_verified_is_told_to_the_person() {
    let rig = Rig::start(Login::Provider).await;
    rig.client_store.break_operation("find_client");
    let refused = begin(&rig, parameters()).await.unwrap_err();
    assert!(matches!(refused, BeginError::Failed(LoginError::Store(_))), "{refused:?}");
}

#[test]
fn only_our_own_resource_is_an_audience() {
    let settings = settings();
    for (asked, is_ours) in [
        (vec![], true),
        (vec!["https://mxcp.example.com/mcp"], true),
        (vec!["https://mxcp.example.com/mcp/", "https://mxcp.example.com"], true),
        (vec!["https://mxcp.example.com/mcp", "https://other.example.com/mcp"], false),
        (vec!["https://mxcp.example.com/mcp#x"], false),
        (vec![""], false),
    ] {
        let asked: Vec<String> = asked.into_iter().map(str::to_owned).collect();
        assert_eq!(check_resource(&asked, &settings).is_ok(), is_ours, "{asked:?}");
    }
}

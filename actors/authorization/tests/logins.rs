//! Proving who one is: at the provider, with a password, on our own pages.

use super::*;

#[actix::test]
async fn a_login_leads_to_a_code_for_the_person_who_logged_in() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    let tokens = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    let grant = rig.sessions.verify_access_token(tokens.access_token.expose()).unwrap();
    let session = rig.sessions.find_session(tokens.session_id.clone()).await.unwrap().unwrap();
    assert_eq!(grant.principal.user.as_ref().unwrap().username, "ada");
    assert!(session.upstream.unwrap().access_token.matches("upstream-at-1"));
    let events = ["auth.login_started", "auth.consent_given", "auth.login_succeeded", "auth.token_issued"];
    assert_eq!(rig.audit.names(), events);
    for record in rig.audit.records() {
        let line = serde_json::to_string(&*record).unwrap();
        assert!(!line.contains(code.expose()) && !line.contains(tokens.access_token.expose()), "{line}");
    }
}

#[actix::test]
async fn the_way_back_from_the_provider_is_open_once_and_in_one_browser() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let url = ada.reach_provider(&rig, parameters()).await;
    let mut eve = Person::new();
    eve.begin(&rig, parameters()).await;
    for stranger in [&eve, &Person::new()] {
        let back = rig.authorization.complete_login(stranger.back_as(&url, "eve")).await;
        assert_eq!(back.unwrap_err(), LoginError::OtherBrowser);
    }
    let back = join_all((0..20).map(|_| rig.authorization.complete_login(ada.back_as(&url, "ada")))).await;
    assert_eq!(back.iter().filter(|back| back.is_ok()).count(), 1);
    assert!(back.iter().filter_map(|back| back.as_ref().err()).all(|error| *error == LoginError::Unknown));
}

#[actix::test]
async fn a_state_of_another_stage_does_not_come_back_from_the_provider() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    let url = format!("https://idp.example.com/authorize?state={}", prompt.handle.expose());
    let back = rig.authorization.complete_login(ada.back_as(&url, "ada")).await;
    assert_eq!(back.unwrap_err(), LoginError::Unknown, "consent cannot be left out");
}

#[actix::test]
async fn a_provider_that_fails_on_the_way_there_or_back_is_told_to_the_client() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    for (failure, expected) in
        [(FakeIdp::faulty(), "temporarily_unavailable"), (FakeIdp::invalid_grant(), "server_error")]
    {
        let url = ada.reach_provider(&rig, parameters()).await;
        rig.idp.fail_next(failure.clone());
        assert_eq!(answer(ada.come_back(&rig, &url, "ada").await)["error"], expected);
        rig.idp.fail_next(failure);
        let prompt = consent(ada.begin(&rig, parameters()).await);
        assert_eq!(answer(ada.decide(&rig, &prompt, true).await)["error"], expected);
    }
    assert_eq!(rig.recorded("auth.login_failed"), 4);
}

#[actix::test]
async fn a_person_who_refuses_at_the_provider_is_a_refusal() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    for (error, expected) in [("access_denied", "access_denied"), ("consent_required", "server_error")] {
        let url = ada.reach_provider(&rig, parameters()).await;
        let refusal = ProviderAnswer::Error { error: error.to_owned(), description: Some("<b>no</b>".to_owned()) };
        let back = CompleteLogin { answer: refusal, ..ada.back_as(&url, "ada") };
        let step = rig.authorization.complete_login(back).await.unwrap();
        let answer = answer(ada.keep(step));
        assert_eq!(answer["error"], expected);
        assert!(!answer["error_description"].contains('<'), "the provider's own words go no further");
    }
}

fn submission(person: &Person, prompt: &PasswordPrompt, username: &str, password: &str) -> SubmitPassword {
    SubmitPassword {
        handle: prompt.handle.clone(),
        csrf: prompt.csrf.clone(),
        username: username.to_owned(),
        password: Secret::new(password),
        visitor: person.visitor.clone(),
    }
}

async fn to_password(rig: &Rig, person: &mut Person) -> PasswordPrompt {
    let prompt = consent(person.begin(rig, parameters()).await);
    password(person.decide(rig, &prompt, true).await)
}

#[actix::test]
async fn a_right_password_leads_to_a_code_and_a_wrong_one_back_to_the_page() {
    let rig = rig(Login::Password).await;
    let mut ada = Person::new();
    let prompt = to_password(&rig, &mut ada).await;
    assert_eq!(prompt.client_name.as_deref(), Some("Application app"));
    let submit =
        |name: &str, password: &str| rig.authorization.submit_password(submission(&ada, &prompt, name, password));
    for (name, wrong) in [("ada", "wrong"), ("ada", ""), ("mallory", "password-of-mallory")] {
        let again = password(submit(name, wrong).await.unwrap().next);
        assert_eq!((again.message.is_some(), again.username.as_str()), (true, name));
    }
    let submitted = join_all((0..5).map(|_| submit("ada", "password-of-ada"))).await;
    let mut right: Vec<_> = submitted.into_iter().flatten().collect();
    assert_eq!(right.len(), 1, "a login is used once");
    let code = code(right.remove(0).next);
    assert!(rig.authorization.exchange_token(code_request(&code)).await.is_ok());
    assert_eq!(rig.recorded("auth.login_failed"), 3);
}

#[actix::test]
async fn passwords_are_tried_a_few_times_only_and_not_even_looked_at_after_that() {
    let rig = rig(Login::Password).await;
    let mut eve = Person::new();
    let prompt = to_password(&rig, &mut eve).await;
    let submit = |password: &str| rig.authorization.submit_password(submission(&eve, &prompt, "ada", password));
    for _ in 0..5 {
        password(submit("wrong").await.unwrap().next);
    }
    assert!(matches!(submit("password-of-ada").await, Err(LoginError::TooManyAttempts(_))));
    assert_eq!((rig.passwords.checks(), rig.recorded("auth.rate_limited")), (5, 1));
    rig.pass(Duration::from_secs(301)).await;
    assert!(submit("password-of-ada").await.is_ok());
}

#[actix::test]
async fn a_login_form_that_is_not_ours_checks_no_password() {
    let rig = rig(Login::Password).await;
    let mut ada = Person::new();
    let prompt = to_password(&rig, &mut ada).await;
    let right = || submission(&ada, &prompt, "ada", "password-of-ada");
    let forged = SubmitPassword { csrf: Secret::new("guessed"), ..right() };
    assert_eq!(rig.authorization.submit_password(forged).await.unwrap_err(), LoginError::Forged);
    let elsewhere = SubmitPassword { visitor: Visitor::default(), ..right() };
    assert_eq!(rig.authorization.submit_password(elsewhere).await.unwrap_err(), LoginError::OtherBrowser);
    let early = consent(Person::new().begin(&rig, parameters()).await);
    let skipped = SubmitPassword { handle: early.handle, csrf: early.csrf, ..right() };
    assert_eq!(rig.authorization.submit_password(skipped).await.unwrap_err(), LoginError::Forged);
    assert_eq!(rig.passwords.checks(), 0);
}

#[actix::test]
async fn the_login_page_cannot_be_used_to_leave_consent_out() {
    let rig = rig(Login::Password).await;
    let mut ada = Person::new();
    let prompt = consent(ada.begin(&rig, parameters()).await);
    let page = PasswordPrompt {
        handle: prompt.handle,
        csrf: prompt.csrf,
        message: None,
        username: String::new(),
        client_name: None,
        redirect_scheme: None,
    };
    let submitted = rig.authorization.submit_password(submission(&ada, &page, "ada", "password-of-ada")).await;
    assert_eq!(submitted.unwrap_err(), LoginError::Unknown);
    assert_eq!(rig.passwords.checks(), 0);
}

async fn sign_in(rig: &Rig) -> Person {
    let mut ada = Person::new();
    let step = rig.authorization.begin_visit(ada.visitor.clone()).await.unwrap();
    let url = url(ada.keep(step));
    assert!(matches!(ada.come_back(rig, &url, "ada").await, NextStep::SignedIn { .. }));
    ada
}

#[actix::test]
async fn a_login_with_less_than_was_asked_for_goes_on_and_says_so() {
    let rig = rig(Login::Provider).await;
    sign_in(&rig).await;
    rig.idp.withhold("profile");
    sign_in(&rig).await;
    Person::new().code(&rig, "bob").await;
    let records = rig.audit.records().into_iter().filter(|record| record.operation_name == "auth.login_succeeded");
    let details: Vec<_> = records.map(|record| record.input_data.clone()).collect();
    let missing = Some(serde_json::json!({"peer": "192.0.2.1", "missing_scopes": "profile"}));
    assert_eq!(details, [Some(serde_json::json!({"peer": "192.0.2.1"})), missing.clone(), missing]);
}

#[actix::test]
async fn a_visit_ends_with_the_form_of_the_page_only() {
    let rig = rig(Login::Provider).await;
    let session = sign_in(&rig).await.visitor.session.unwrap();
    let visit = rig.authorization.find_visit(session.clone()).await.unwrap().unwrap();
    assert_eq!(visit.user.username, "ada");
    for csrf in ["", "guessed"] {
        let forged = rig.authorization.sign_out(session.clone(), Secret::new(csrf), true, None).await;
        assert_eq!(forged, Err(VisitError::Forged));
    }
    assert!(rig.authorization.find_visit(session.clone()).await.unwrap().is_some());
    for _ in 0..2 {
        assert_eq!(rig.authorization.sign_out(session.clone(), visit.csrf.clone(), false, None).await, Ok(()));
        assert!(rig.authorization.find_visit(session.clone()).await.unwrap().is_none());
    }
    assert_eq!(rig.recorded("auth.signed_out"), 1);
}

#[actix::test]
async fn who_has_none_of_the_roles_may_not_see_the_audit_log() {
    let rig = rig(Login::Provider).await;
    let session = sign_in(&rig).await.visitor.session.unwrap();
    for _ in 0..2 {
        let viewing = rig.authorization.view_audit(session.clone(), Some(String::new()), Visitor::default()).await;
        assert_eq!(viewing, Ok(Viewing::Refused));
    }
    let viewing = rig.authorization.view_audit(Secret::new("unknown"), Some(String::new()), Visitor::default()).await;
    assert_eq!(viewing, Ok(Viewing::SignedOut));
    assert_eq!((rig.recorded("auth.viewer_refused"), rig.recorded("auth.audit_viewed")), (2, 0));
}

#[actix::test]
async fn signing_out_everywhere_ends_all_tokens_before_it_is_answered() {
    let rig = rig(Login::Provider).await;
    let mut tokens = Vec::new();
    for username in ["ada", "ada", "bob"] {
        let code = Person::new().code(&rig, username).await;
        tokens.push(rig.authorization.exchange_token(code_request(&code)).await.unwrap());
    }
    let session = sign_in(&rig).await.visitor.session.unwrap();
    let visit = rig.authorization.find_visit(session.clone()).await.unwrap().unwrap();
    rig.authorization.sign_out(session, visit.csrf, true, None).await.unwrap();
    assert_eq!(tokens.iter().map(|tokens| works(&rig, tokens)).collect::<Vec<_>>(), [false, false, true]);
    let outcome = rig.authorization.exchange_token(refresh_request(&tokens[0], None)).await;
    assert_eq!(refused(outcome), OAuthErrorCode::InvalidGrant);
}

#[actix::test]
async fn a_local_user_who_is_signed_in_gives_consent_but_no_password() {
    let rig = rig(Login::Password).await;
    let mut ada = Person::new();
    let step = rig.authorization.begin_visit(ada.visitor.clone()).await.unwrap();
    let prompt = password(ada.keep(step));
    let step = rig.authorization.submit_password(submission(&ada, &prompt, "ada", "password-of-ada")).await.unwrap();
    ada.keep(step);
    let prompt = consent(ada.begin(&rig, parameters()).await);
    assert_eq!(prompt.username.as_deref(), Some("ada"));
    code(ada.decide(&rig, &prompt, true).await);
}

//! Codes and refresh tokens for tokens, and back.

use super::*;

#[actix::test]
async fn of_many_redemptions_at_once_one_wins_and_a_replay_ends_what_it_gave() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    let redeemed = join_all((0..20).map(|_| rig.authorization.exchange_token(code_request(&code)))).await;
    let tokens: Vec<_> = redeemed.iter().flatten().collect();
    assert_eq!(tokens.len(), 1);
    let tokens = tokens[0].clone();
    assert!(!works(&rig, &tokens), "the other nineteen were replays");
    assert_eq!(rig.recorded("auth.token_refused"), 19);
}

#[actix::test]
async fn a_code_that_is_replayed_later_takes_all_tokens_back() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    let first = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    let second = rig.authorization.exchange_token(refresh_request(&first, None)).await.unwrap();
    assert!(works(&rig, &first) && works(&rig, &second));
    rig.pass(Duration::from_secs(300)).await;
    assert_eq!(refused(rig.authorization.exchange_token(code_request(&code)).await), OAuthErrorCode::InvalidGrant);
    assert!(!works(&rig, &first) && !works(&rig, &second));
    let refreshed = rig.authorization.exchange_token(refresh_request(&second, None)).await;
    assert_eq!(refused(refreshed), OAuthErrorCode::InvalidGrant);
}

#[actix::test]
async fn a_code_gives_nothing_to_a_request_that_is_not_its_own() {
    use OAuthErrorCode as E;
    let configured_clients = vec![samples::client("app"), samples::client("other")];
    let rig = Rig::with(Login::Provider, Settings { configured_clients, ..settings() }).await;
    let grant = |code: &Secret, redirect_uri: &str, verifier: &str| TokenGrant::AuthorizationCode {
        code: code.clone(),
        redirect_uri: Some(redirect_uri.to_owned()),
        verifier: Secret::new(verifier),
    };
    let uri = samples::REDIRECT_URI;
    let mut ada = Person::new();
    for (client, redirect_uri, verifier, resource, expected, is_used_up) in [
        ("other", uri, VERIFIER, None, E::InvalidGrant, true),
        ("nobody", uri, VERIFIER, None, E::InvalidClient, false),
        ("app", "https://app.example.com/", VERIFIER, None, E::InvalidGrant, true),
        ("app", uri, "another-verifier-of-forty-three-characters-or-more", None, E::InvalidGrant, true),
        ("app", uri, VERIFIER, Some("https://elsewhere.example.com"), E::InvalidTarget, false),
    ] {
        let code = ada.code(&rig, "ada").await;
        let wrong = TokenRequest {
            credentials: public(client),
            grant: grant(&code, redirect_uri, verifier),
            resource: resource.into_iter().map(str::to_owned).collect(),
            peer: String::new(),
            trace_id: None,
        };
        assert_eq!(refused(rig.authorization.exchange_token(wrong).await), expected, "{client} {redirect_uri}");
        let right = rig.authorization.exchange_token(code_request(&code)).await;
        assert_eq!(right.is_err(), is_used_up, "{client} {redirect_uri} {verifier}");
    }
    let unknown = rig.authorization.exchange_token(code_request(&Secret::new("mxcp_ac_unknown"))).await;
    assert_eq!(refused(unknown), E::InvalidGrant);
}

#[actix::test]
async fn a_code_is_too_old_after_a_minute() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(refused(rig.authorization.exchange_token(code_request(&code)).await), OAuthErrorCode::InvalidGrant);
}

#[actix::test]
async fn only_a_client_that_may_refresh_gets_a_refresh_token() {
    let client = Client { grant_types: vec![GrantType::AuthorizationCode], ..samples::client("app") };
    let rig = Rig::with(Login::Provider, Settings { configured_clients: vec![client], ..settings() }).await;
    let code = Person::new().code(&rig, "ada").await;
    let tokens = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    let asked = IssuedTokens { refresh_token: Some(Secret::new("mxcp_rt_x")), ..tokens };
    let refreshed = rig.authorization.exchange_token(refresh_request(&asked, None)).await;
    assert_eq!(refused(refreshed), OAuthErrorCode::UnauthorizedClient);
}

#[actix::test]
async fn a_refresh_narrows_the_scope_and_never_widens_it() {
    let rig = rig(Login::Provider).await;
    let mut ada = Person::new();
    let both = AuthorizeParameters { scope: Some("mxcp:access read".to_owned()), ..parameters() };
    let url = ada.reach_provider(&rig, both).await;
    let code = code(ada.come_back(&rig, &url, "ada").await);
    let first = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    for (asked, expected) in [("read write", OAuthErrorCode::InvalidScope), ("a\"b", OAuthErrorCode::InvalidScope)] {
        let outcome = rig.authorization.exchange_token(refresh_request(&first, Some(asked))).await;
        assert_eq!(refused(outcome), expected, "{asked}");
    }
    let narrow = rig.authorization.exchange_token(refresh_request(&first, Some("read"))).await.unwrap();
    assert_eq!(narrow.scopes, scopes("read"));
    assert_eq!(rig.recorded("auth.token_refreshed"), 1);
}

#[actix::test]
async fn a_replayed_refresh_token_ends_the_session_and_tells_the_client_to_log_in() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    let first = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    let second = rig.authorization.exchange_token(refresh_request(&first, None)).await.unwrap();
    rig.pass(Duration::from_secs(60)).await;
    let replayed = rig.authorization.exchange_token(refresh_request(&first, None)).await;
    assert_eq!(refused(replayed), OAuthErrorCode::InvalidGrant);
    assert!(!works(&rig, &second));
}

#[actix::test]
async fn tokens_that_could_not_be_recorded_are_not_given_out() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    rig.audit.fail_next();
    let outcome = rig.authorization.exchange_token(code_request(&code)).await;
    assert!(matches!(outcome, Err(TokenError::NotRecorded(_))), "{outcome:?}");
}

#[actix::test]
async fn a_store_that_fails_is_no_refusal() {
    let rig = rig(Login::Provider).await;
    let code = Person::new().code(&rig, "ada").await;
    rig.grant_store.break_operation("redeem_code");
    assert!(matches!(rig.authorization.exchange_token(code_request(&code)).await, Err(TokenError::Store(_))));
    rig.grant_store.heal();
    assert!(rig.authorization.exchange_token(code_request(&code)).await.is_ok());
}

#[actix::test]
async fn a_client_revokes_its_own_tokens_and_no_others() {
    let configured_clients = vec![samples::client("app"), samples::client("other")];
    let rig = Rig::with(Login::Provider, Settings { configured_clients, ..settings() }).await;
    let code = Person::new().code(&rig, "ada").await;
    let first = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    let second = rig.authorization.exchange_token(refresh_request(&first, None)).await.unwrap();
    let revoke = |client: &str, token: &Secret| {
        let request =
            RevokeRequest { credentials: public(client), token: token.clone(), peer: String::new(), trace_id: None };
        rig.authorization.revoke_token(request)
    };
    let refresh_token = second.refresh_token.clone().unwrap();
    for token in [&first.access_token, &refresh_token, &Secret::new("unknown")] {
        assert_eq!(revoke("other", token).await, Ok(()), "what is not one's own counts as revoked");
    }
    assert!(matches!(revoke("nobody", &refresh_token).await, Err(TokenError::Refused(_))));
    assert!(works(&rig, &first) && works(&rig, &second));
    assert_eq!(rig.recorded("auth.token_revoked"), 0);
    assert_eq!(revoke("app", &first.access_token).await, Ok(()));
    assert!(!works(&rig, &first) && works(&rig, &second));
    assert_eq!(revoke("app", &refresh_token).await, Ok(()));
    assert!(!works(&rig, &second));
    assert_eq!(rig.recorded("auth.token_revoked"), 2);
}

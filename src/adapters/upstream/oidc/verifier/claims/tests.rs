use super::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const US: &str = "https://mcp.example.com/mcp";

fn claims(change: impl FnOnce(&mut Value)) -> Claims {
    let mut claims = json!({
        "iss": "https://idp", "aud": US, "sub": "7", "exp": 1_800_000_300, "client_id": "agent", "azp": "party",
    });
    change(&mut claims);
    claims.as_object().unwrap().clone()
}

fn answer_fault(change: impl FnOnce(&mut Value)) -> Option<AccessTokenFault> {
    let audiences = [US.to_owned(), "http://localhost:8000/mcp".to_owned()];
    check_answer(&claims(change), Expected { issuer: "https://idp", audiences: &audiences, now: NOW }).err()
}

#[test]
fn an_issuer_may_leave_out_what_it_vouches_for_by_answering() {
    for name in ["iss", "exp", "client_id"] {
        assert_eq!(answer_fault(|answer| drop(answer.as_object_mut().unwrap().remove(name))), None, "{name}");
    }
    assert_eq!(answer_fault(|answer| answer["aud"] = json!(["x", "http://localhost:8000/mcp"])), None);
    assert_eq!(answer_fault(|answer| answer["token_type"] = json!("bearer")), None);
}

#[test]
fn an_issuer_that_names_no_audience_is_told_what_to_name() {
    for missing in [json!(null), json!([]), json!("")] {
        let fault = answer_fault(|answer| answer["aud"] = missing.clone()).unwrap().to_string();
        assert!(fault.contains(US), "{fault}");
    }
}

#[test]
fn the_end_includes_the_minute_of_grace() {
    let audiences = [US.to_owned()];
    let expected = Expected { issuer: "https://idp", audiences: &audiences, now: NOW };
    assert_eq!(check_answer(&claims(|_| ()), expected), Ok(Some(Timestamp::from_secs(1_800_000_360))));
}

#[test]
fn who_calls_is_named_by_the_issuer_and_its_subject() {
    let principal = principal("corp", claims(|claims| claims["nonce"] = json!("n"))).unwrap();
    let user = principal.user.unwrap();
    assert_eq!((user.id.as_str(), user.username.as_str(), user.provider.as_str()), ("corp:7", "7", "corp"));
    assert!(user.claims.get("nonce").is_none(), "policies see no values of the protocol");
    assert_eq!(principal.client_id, Some(ClientId::new("agent")));
    assert_eq!(principal.session_id, None);
    assert!(principal.scopes.is_empty());
}

#[test]
fn the_client_is_the_authorized_party_where_it_is_not_named_otherwise() {
    let client = |change: fn(&mut Value)| principal("corp", claims(change)).unwrap().client_id;
    assert_eq!(client(|claims| claims["client_id"] = json!(null)), Some(ClientId::new("party")));
    let neither = |claims: &mut Value| {
        claims["client_id"] = json!(null);
        claims["azp"] = json!(7);
    };
    assert_eq!(client(neither), None);
}

#[test]
fn scopes_in_every_form_that_issuers_write() {
    let scopes = |name: &str, value: Value| scopes(&claims(|claims| claims[name] = value)).map(|set| set.to_string());
    assert_eq!(scopes("scope", json!("a b")), Ok("a b".to_owned()));
    assert_eq!(scopes("scope", json!(["a", "b"])), Ok("a b".to_owned()));
    assert_eq!(scopes("scp", json!("a b")), Ok("a b".to_owned()));
    assert_eq!(scopes("scp", json!(["a"])), Ok("a".to_owned()));
    assert_eq!(scopes("scope", json!(null)), Ok(String::new()));
    assert_eq!(scopes("other", json!("a")), Ok(String::new()));
    for bad in [json!(1), json!({}), json!(["a", 1]), json!("a\"b")] {
        assert_eq!(scopes("scope", bad), Err(TokenFault::BadClaim("scope")));
    }
    let both = claims(|claims| {
        claims["scope"] = json!("a");
        claims["scp"] = json!("b");
    });
    assert_eq!(super::scopes(&both).unwrap().to_string(), "a");
}

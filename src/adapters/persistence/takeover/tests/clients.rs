//! Clients.

use super::*;
use mxcp_actors::model::client::{AuthMethod, ClientOrigin, GrantType};
use mxcp_actors::model::redirect_uri::RedirectUri;

fn reasons(left_out: &[LeftOut]) -> Vec<(&str, &str)> {
    left_out.iter().map(|left| (left.client_name.as_str(), left.reason.as_str())).collect()
}

fn id(number: u32) -> String {
    format!("0b6f2f7e-6a43-4c02-9d55-{number:012}")
}

#[actix_rt::test]
async fn a_client_keeps_its_identifier_and_secret_and_is_registered_as_today() {
    for kind in kinds() {
        for key in [None, Some(KEY)] {
            let case = Case::new(key);
            let changes = json!({"client_secret": "s3cret", "token_endpoint_auth_method": "client_secret_post",
                "scope": "reports elsewhere", "client_name": "Back\u{202e}office"});
            case.add_client(&client(APP, &changes));
            let store = settings(kind, &case.folder);
            assert_eq!(case.take_over(&store).unwrap().clients, 1);
            let clients = open(&store).clients;
            let moved = clients.find_client(ClientId::new(APP)).await.unwrap().unwrap();
            assert_eq!((moved.name.as_str(), moved.scope.to_string().as_str()), ("Backoffice", "reports"));
            assert_eq!((moved.auth_method, moved.origin), (AuthMethod::ClientSecretPost, ClientOrigin::Registered));
            assert_eq!(moved.secret_hash, Some(Secret::new("s3cret").hash()));
            assert_eq!(moved.grant_types, GrantType::ALL);
            let swept = clients.remove_unused_clients(surroundings().clock.now(), 10).await.unwrap();
            assert_eq!(swept, [], "it may be in use, so it stays");
        }
    }
}

#[actix_rt::test]
async fn redirect_uris_that_are_not_allowed_are_left_out_by_the_clients_name() {
    let case = Case::new(None);
    let some = json!({"redirect_uris": ["http://evil.example/cb", "http://localhost:3000/cb", "javascript:alert(1)"]});
    case.add_client(&client(&id(1), &some));
    let none = json!({"redirect_uris": ["http://evil.example/cb"], "client_name": "Evil", "created_at": now()});
    case.add_client(&client(&id(2), &none));
    let (moved, stores) = case.moved();
    let kept = stores.clients.find_client(ClientId::new(id(1))).await.unwrap().unwrap();
    assert_eq!(kept.redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>(), ["http://localhost:3000/cb"]);
    let refused = reasons(&moved.redirect_uris_left_out);
    assert_eq!(refused.len(), 2);
    assert!(refused[0].0 == "Reading Room" && refused[0].1.contains("http://evil.example/cb must use https"));
    let left_out = reasons(&moved.clients_left_out);
    assert!(left_out[0].0 == "Evil" && left_out[0].1.contains("none of its redirect URIs is allowed"), "{left_out:?}");
    assert!(stores.clients.find_client(ClientId::new(id(2))).await.unwrap().is_none());
}

#[actix_rt::test]
async fn clients_of_the_configuration_and_those_that_cannot_work_are_left_out() {
    let mut case = Case::new(None);
    let cases = [
        ("desk", json!({}), "it did not register itself but stood in the configuration"),
        (&id(1), json!({}), "it stands in the configuration, which is what counts"),
        (&id(2), json!({"response_types": ["token"]}), "it does not use the response type code"),
        (&id(3), json!({"grant_types": ["refresh_token"]}), "grant_types must include authorization_code"),
        (&id(4), json!({"token_endpoint_auth_method": "private_key_jwt"}), "it proves itself in a way"),
        (&id(5), json!({"token_endpoint_auth_method": "client_secret_post"}), "it has no secret, and needs one"),
        (&id(6), json!({"redirect_uris": "x"}), "its redirect_uris are not a list of texts"),
        (&id(7), json!({"redirect_uris": []}), "redirect_uris must hold at least one URI"),
        (&id(8), json!({"created_at": 1e300}), "its time of registration makes no sense"),
    ];
    let configured = mxcp_actors::testkit::samples::client(&id(1));
    case.home.configured_clients = vec![configured];
    for (id, changes, _) in &cases {
        case.add_client(&client(id, changes));
    }
    let (moved, _) = case.moved();
    assert_eq!((moved.clients, moved.clients_left_out.len()), (0, cases.len()));
    for (id, _, wanted) in &cases {
        let left = moved.clients_left_out.iter().find(|left| left.client_id == **id).unwrap();
        assert!(left.reason.starts_with(wanted), "{left:?}");
    }
}

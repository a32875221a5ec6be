//! `mxcp rotate-key`, from the outside.

use crate::common::{OAuthClient, Setup, TestApp, Tokens};
use crate::daemon_process::{mxcp, run};
use mxcp::adapters::persistence::StoreKind;
use serde_json::Value;

fn kinds() -> impl Iterator<Item = &'static str> {
    ["sqlite", "sled"].into_iter().filter(|kind| *kind != "sled" || StoreKind::Sled.is_built())
}

#[tokio::test]
async fn after_a_change_of_the_key_everybody_is_still_signed_in() {
    for kind in kinds() {
        let mut app = TestApp::with(Setup::default().with_persistence(kind)).await;
        let client = OAuthClient::register(&app).await;
        let tokens = client.tokens(&app, "ada").await;
        let root = app.project().root().to_owned();
        let key_file = root.join(format!("kept/oauth.{kind}.key"));
        let old = std::fs::read_to_string(&key_file).unwrap();

        let refused = mxcp(&root).args(["rotate-key", "--json"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let document: Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert!(document["error"].as_str().unwrap().contains("in use by another mxcp; stop that one first"));
        assert_eq!(std::fs::read_to_string(&key_file).unwrap(), old);

        app.stop().await;
        let answer = run(mxcp(&root).args(["rotate-key", "--json"]));
        let document: Value = serde_json::from_str(&answer).unwrap();
        let result = &document["result"];
        assert!(document["status"] == "ok" && result["records"].as_u64().unwrap() >= 1, "{answer}");
        assert_eq!((result["retired_keys"].as_array().unwrap().len(), &result["is_resumed"]), (1, &Value::from(false)));
        let new = std::fs::read_to_string(&key_file).unwrap();
        assert!(new != old && new.lines().count() == 1);
        assert!(!answer.contains(new.trim()) && !answer.contains(old.trim()), "no key is shown");

        app.start_again().await;
        assert!(app.whoami(&tokens.access).await.contains("ada"), "{kind}");
        let next = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
        assert!(app.whoami(&next.access).await.contains("ada"), "{kind}");
    }
}

#[tokio::test]
async fn without_persistence_there_is_no_key_to_change() {
    let app = TestApp::start().await;
    let refused = mxcp(app.project().root()).arg("rotate-key").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("auth.persistence is not configured"));
}

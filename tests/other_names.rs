//! A server on this machine is reached by several names, and each client trusts only its own.

use crate::common::{Browser, OAuthClient, TestApp, header};
use serde_json::Value;

#[actix_web::test]
async fn the_resource_is_published_under_the_name_by_which_it_was_reached() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let port = url::Url::parse(&app.url("/")).unwrap().port().unwrap();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let resource = format!("http://{host}/mcp");
        let refused = app.post("/mcp").header("host", &host).send().await.unwrap();
        let challenge = header(&refused, "www-authenticate").to_owned();
        let metadata = format!("resource_metadata=\"http://{host}/.well-known/oauth-protected-resource/mcp\"");
        assert!(refused.status() == 401 && challenge.contains(&metadata), "{challenge}");

        let document = app.get("/.well-known/oauth-protected-resource/mcp").header("host", &host);
        let document: Value = document.send().await.unwrap().json().await.unwrap();
        assert_eq!(document["resource"], resource.as_str());
        assert_eq!(document["authorization_servers"][0], app.url(""), "the issuer has one name");

        let mut browser = Browser::new(&app);
        let page = browser.open(client.authorize_url(&app, &[("resource", Some(&resource))])).await;
        assert_eq!(page.status, 200, "the consent page, for {resource}");
    }
    let foreign = format!("http://127.0.0.1:{}/mcp", port + 1);
    let page = Browser::new(&app).open(client.authorize_url(&app, &[("resource", Some(&foreign))])).await;
    assert!(page.location().query().unwrap().contains("error=invalid_target"));
}

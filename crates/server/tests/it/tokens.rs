//! `POST /oauth/token`, and what a token is good for.

use crate::support::*;
use reqwest::Method;
use serde_json::json;
use server::clock;
use store::{Admin, Keyring};

#[tokio::test]
async fn a_token_is_answered_as_documented() {
    let server = TestServer::start("").await;
    let TestApplication { id, secret, .. } = &server.application;
    let request = server.client.post(format!("{}/oauth/token", server.url));
    let request =
        request.basic_auth(id, Some(secret)).header("content-type", "application/x-www-form-urlencoded");
    let (status, body) = answer(request.body("grant_type=client_credentials")).await;
    assert_eq!(status, 200);
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(
        body["permissions"],
        json!(["MT_ROLE_SMS", "MT_ROLE_VIBER", "MT_ROLE_VOICE", "MT_ROLE_FAILOVER"])
    );
}

#[tokio::test]
async fn wrong_credentials_and_grants_are_refused_as_rfc_6749_says() {
    let server = TestServer::start("").await;
    let id = &server.application.id;
    let ask = |body: &'static str, id: &str, secret: &str| {
        let request = server.client.post(format!("{}/oauth/token", server.url)).basic_auth(id, Some(secret));
        answer(request.header("content-type", "application/x-www-form-urlencoded").body(body))
    };
    let secret = &server.application.secret;
    for (id, secret) in [(id.as_str(), "wrong"), ("000000000000000000000000", secret)] {
        let (status, body) = ask("grant_type=client_credentials", id, secret).await;
        assert_eq!((status.as_u16(), &body["error"]), (401, &json!("invalid_client")));
        assert!(body["error_description"].is_string());
    }
    let (status, body) = ask("grant_type=password", id, secret).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("unsupported_grant_type")));
    let twice = format!("{}/oauth/token?scope=a&scope=b", server.url);
    let (status, body) = answer(server.client.post(twice).basic_auth(id, Some(secret))).await;
    assert_eq!((status.as_u16(), &body["errors"][0]["field"]), (400, &json!("query")));
    let (status, body) = ask("grant_type=client_credentials&scope=MT_ROLE_KING", id, secret).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn a_narrowed_token_may_not_do_more() {
    let mut server = TestServer::start("").await;
    let url = format!("{}/oauth/token", server.url);
    let request =
        server.client.post(url).basic_auth(&server.application.id, Some(&server.application.secret));
    let form = "grant_type=client_credentials&scope=MT_ROLE_SMS+MT_ROLE_FAILOVER";
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let (_, body) = answer(request).await;
    assert_eq!(body["scope"], "MT_ROLE_SMS MT_ROLE_FAILOVER");
    server.token = body["access_token"].as_str().unwrap().into();
    server.send(&json!({"flow": [sms(1, "+306900000010")]})).await;
    let (status, body) = server.post("/failover", &json!({"flow": [viber(1, "+306900000010")]})).await;
    assert_eq!(status, 403);
    assert_eq!(body["code"], "403010002");
    assert!(body["developerMessage"].as_str().unwrap().contains("MT_ROLE_VIBER"));
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_done() {
    let mut server = TestServer::start("").await;
    for token in ["", "guess"] {
        server.token = token.into();
        let (status, body) = server.post("/failover", &json!({"flow": [sms(1, "+306900000010")]})).await;
        assert_eq!(status, 401);
        assert_eq!(body["code"], "401010001");
        let (status, _) = server.post("/failover/tracking", &json!([])).await;
        assert_eq!(status, 401);
    }
}

#[tokio::test]
async fn a_revocation_from_beside_is_felt_within_seconds() {
    let server = TestServer::start("").await;
    assert_eq!(server.post("/failover/tracking", &json!([])).await.0, 200);
    let mut admin = Admin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    assert!(admin.revoke_application(&server.application.id, 1).unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(15);
    while server.post("/failover/tracking", &json!([])).await.0 != 401 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_revoked_application_is_out_in_seconds_though_the_clock_goes_back() {
    let server = TestServer::start("").await;
    let ask = async || answer(server.request(Method::GET, "/suppressions/Viber")).await.0.as_u16();
    assert_eq!(ask().await, 200);
    // This thread, and with it the server, lives an hour ago from now on.
    let back_ms = clock::now_ms() - 3_600_000;
    clock::simulate(move || back_ms);
    let mut admin = Admin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    assert!(admin.revoke_application(&server.application.id, back_ms).unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while ask().await != 401 {
        assert!(tokio::time::Instant::now() < deadline, "the token still works");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

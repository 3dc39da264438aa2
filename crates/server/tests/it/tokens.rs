//! `POST /oauth/token`, and what a token is good for.

use crate::support::*;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::clock;
use store::{Admin, Keyring, SqliteAdmin};

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
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_request")));
    let (status, body) = ask("grant_type=client_credentials&scope=MT_ROLE_KING", id, secret).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_scope")));
}

/// Takes a token of a scope; answers with the status and the body.
async fn ask_for(server: &TestServer, parameters: &str, form: &'static str) -> (StatusCode, Value) {
    let request = server.client.post(format!("{}/oauth/token?{parameters}", server.url));
    let TestApplication { id, secret, .. } = &server.application;
    let request = request.basic_auth(id, Some(secret)).body(form);
    answer(request.header("content-type", "application/x-www-form-urlencoded")).await
}

async fn narrow(server: &mut TestServer, scope: &str) {
    let (status, body) = ask_for(server, &format!("grant_type=client_credentials&scope={scope}"), "").await;
    assert_eq!(status, 200, "{scope}: {body}");
    server.token = body["access_token"].as_str().unwrap().into();
}

#[tokio::test]
async fn a_scope_is_asked_for_and_answered_in_words() {
    let server = TestServer::start("").await;
    let every_role = json!(["MT_ROLE_SMS", "MT_ROLE_VIBER", "MT_ROLE_VOICE", "MT_ROLE_FAILOVER"]);
    for (asked, scope, permissions) in [
        ("", "sms viber voice failover", every_role.clone()),
        ("all", "sms viber voice failover", every_role.clone()),
        ("SMS", "sms", json!(["MT_ROLE_SMS"])),
        ("sms,failover", "sms failover", json!(["MT_ROLE_SMS", "MT_ROLE_FAILOVER"])),
        ("MT_ROLE_FAILOVER_READ", "failover:read", json!(["MT_ROLE_FAILOVER_READ"])),
        ("voice+lookup+2step+payments", "voice lookup 2step", json!(["MT_ROLE_VOICE"])),
        ("account", "account", json!([])),
    ] {
        let parameters = format!("grant_type=client_credentials&scope={asked}");
        let (status, body) = ask_for(&server, &parameters, "").await;
        assert_eq!(status, 200, "{asked}: {body}");
        assert_eq!((&body["scope"], &body["permissions"]), (&json!(scope), &permissions), "{asked}");
    }
    let (status, body) = ask_for(&server, "grant_type=client_credentials&scope=payments", "").await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn a_scope_that_is_given_unclearly_is_never_read_as_none() {
    let server = TestServer::start("").await;
    let grant = "grant_type=client_credentials";
    for (query, form) in
        [(grant, "scope=sms&scope=all"), ("grant_type=client_credentials&scope=sms", "scope=all")]
    {
        let (status, body) = ask_for(&server, query, form).await;
        assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_request")), "{query} {form}");
    }
    let (_, body) =
        ask_for(&server, "grant_type=client_credentials&scope=sms", "grant_type=client_credentials&scope=")
            .await;
    assert_eq!(body["scope"], "sms");
}

#[tokio::test]
async fn a_scope_narrows_everything() {
    let mut server = TestServer::start("").await;
    let flow = json!({"flow": [viber(1, "+306900000010"), sms(2, "+306900000010")]});
    let id = server.send(&flow).await;
    let one = format!("/failover/tracking/{id}");
    let opt_out = "/suppressions/Sms/+306900000099".to_owned();
    let read = [(Method::GET, one.clone()), (Method::POST, "/failover/tracking".to_owned())];
    let manage = [
        (Method::PUT, opt_out.clone()),
        (Method::GET, "/suppressions/Sms".to_owned()),
        (Method::DELETE, opt_out),
        (Method::DELETE, format!("/failover/{id}")),
        (Method::DELETE, "/failover/tracking?to=%2B306900000011".to_owned()),
        (Method::DELETE, one.clone()),
    ];
    for (scope, may_read) in
        [("sms", false), ("sms+viber+voice", false), ("account", false), ("sms+failover:read", true)]
    {
        narrow(&mut server, scope).await;
        let (status, body) = server.post("/failover", &flow).await;
        assert_eq!((status.as_u16(), &body["code"]), (403, &json!("403010002")), "{scope}: send");
        for (method, path) in &manage {
            let (status, _) = answer(server.request(method.clone(), path)).await;
            assert_eq!(status, 403, "{scope}: {method} {path}");
        }
        for (method, path) in &read {
            let (status, _) = answer(server.request(method.clone(), path)).await;
            assert_eq!(status.as_u16(), if may_read { 200 } else { 403 }, "{scope}: {method} {path}");
        }
        let export = server.request(Method::POST, "/failover/tracking").header("accept", "text/csv");
        assert_eq!(answer(export).await.0.as_u16(), if may_read { 200 } else { 403 }, "{scope}: export");
    }
    narrow(&mut server, "failover").await;
    assert_eq!(server.search("", json!([])).await["totalElements"], 1);
    for (method, path) in read.iter().chain(&manage) {
        let (status, body) = answer(server.request(method.clone(), path)).await;
        // A flow that has ended meanwhile is not cancelled.
        assert!(status.is_success() || status == 409, "{method} {path}: {status} {body}");
    }
}

#[tokio::test]
async fn a_narrowed_token_sends_over_its_channels_alone() {
    let mut server = TestServer::start("").await;
    narrow(&mut server, "MT_ROLE_SMS+MT_ROLE_FAILOVER").await;
    server.send(&json!({"flow": [sms(1, "+306900000010")]})).await;
    let later = json!({"flow": [sms(1, "+306900000010"), viber(2, "+306900000010")]});
    for flow in [json!({"flow": [viber(1, "+306900000010")]}), later] {
        let (status, body) = server.post("/failover", &flow).await;
        assert_eq!((status.as_u16(), &body["code"]), (403, &json!("403010002")));
        assert!(body["developerMessage"].as_str().unwrap().contains("MT_ROLE_VIBER"));
    }
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
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    assert!(admin.revoke_application(&server.application.id, 1).await.unwrap());
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
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    assert!(admin.revoke_application(&server.application.id, back_ms).await.unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while ask().await != 401 {
        assert!(tokio::time::Instant::now() < deadline, "the token still works");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

//! Applications, tokens, balances and opt-outs.

use crate::support::*;
use flow::{Channel, Event, FlowStatus};
use std::sync::Arc;
use store::*;

pub async fn applications_are_made_and_revoked_from_beside<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let admin = backend.admin(&Keyring::default());
    let new =
        NewApplication::draw("A".into(), ApplicationSettings::default(), store.secret_key(), 1).unwrap();
    admin.add_application(&new).await.unwrap();
    let id = new.application.id.clone();
    let found = store.application(id.clone()).await.unwrap().unwrap();
    assert!(found.has_secret(store.secret_key(), &new.secret));
    assert!(!found.has_secret(store.secret_key(), "guess"));
    let token = || Token { hash: [1; 32], application: id.clone(), expires_ms: 9, scope: String::new() };
    store.add_token(token(), 1000).await.unwrap();
    let secret = admin.rotate_secret(&id).await.unwrap().unwrap();
    let found = store.application(id.clone()).await.unwrap().unwrap();
    assert!(
        found.has_secret(store.secret_key(), &secret) && !found.has_secret(store.secret_key(), &new.secret)
    );
    assert!(store.token([1; 32]).await.unwrap().is_none());
    assert_eq!(admin.rotate_secret("nobody").await.unwrap(), None);
    store.add_token(token(), 1000).await.unwrap();
    assert_eq!(store.token([1; 32]).await.unwrap().unwrap().1.name, "A");
    assert!(admin.revoke_application(&id, 5).await.unwrap());
    assert!(!admin.revoke_application(&id, 6).await.unwrap());
    assert!(store.token([1; 32]).await.unwrap().is_none());
    assert_eq!(store.application(id).await.unwrap().unwrap().revoked_ms, Some(5));
}

pub async fn living_tokens_are_limited_and_those_that_end_first_go<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let admin = backend.admin(&Keyring::default());
    let mut ids = Vec::new();
    for name in ["A", "B"] {
        let settings = ApplicationSettings::default();
        let new = NewApplication::draw(name.into(), settings, store.secret_key(), 1).unwrap();
        admin.add_application(&new).await.unwrap();
        ids.push(new.application.id);
    }
    let add = async |application: &str, number: u8, expires_ms: i64| {
        let token =
            Token { hash: [number; 32], application: application.into(), expires_ms, scope: String::new() };
        store.add_token(token, 2).await.unwrap();
    };
    add(&ids[1], 9, 1).await;
    add(&ids[0], 1, 300).await;
    add(&ids[0], 2, 200).await;
    add(&ids[0], 3, 400).await;
    let lives = async |number: u8| store.token([number; 32]).await.unwrap().is_some();
    assert!(lives(1).await && !lives(2).await && lives(3).await, "the second would have ended first");
    // A new one lives, also where it ends before all others; another application's are not concerned.
    add(&ids[0], 4, 100).await;
    assert!(!lives(1).await && lives(3).await && lives(4).await && lives(9).await);
}

/// Each reservation counts at once, also beside others in the same commit, and gives back what was not
/// charged.
pub async fn a_balance_is_never_promised_twice<B: Backend>(backend: &B) {
    let store = Arc::new(open(backend, &Keyring::default()).await.store);
    let admin = backend.admin(&Keyring::default());
    application(&admin, "app").await;
    let reserve =
        async |flow: uuid::Uuid| store.reserve(flow, 0, 0, "0.4".parse().unwrap(), 1001).await.unwrap();
    let flows: Vec<_> = (0..5).map(|_| new_flow(1000)).collect();
    for flow in &flows {
        store.accept(flow.clone(), None, 1000).await.unwrap();
    }
    // Without a balance nothing is counted.
    assert_eq!(reserve(flows[0].id).await, Reserved::Yes);
    assert!(admin.set_balance("app", Some("1.0".parse().unwrap())).await.unwrap());
    assert_eq!(store.submit_checks().await.unwrap().balances, ["app"]);
    let (second, third, fourth) =
        tokio::join!(reserve(flows[1].id), reserve(flows[2].id), reserve(flows[3].id));
    let mut all = [second, third, fourth];
    all.sort_by_key(|reserved| *reserved == Reserved::No);
    assert_eq!(all, [Reserved::Yes, Reserved::Yes, Reserved::No]);
    let left = async || admin.balance("app").await.unwrap().unwrap().to_string();
    assert_eq!(left().await, "0.2");
    // The same again costs nothing more; the flow that could not be paid has ended.
    let mut paid = Vec::new();
    for flow in &flows[1..4] {
        match load(&*store, flow.id).await.state.status {
            FlowStatus::Failed => assert_eq!(reserve(flow.id).await, Reserved::Gone),
            _ => paid.push(flow.id),
        }
    }
    assert_eq!((paid.len(), reserve(paid[0]).await, left().await), (2, Reserved::Yes, "0.2".into()));
    store.apply(paid[0], Event::Cancel { by: None }, 1002).await.unwrap();
    store.erase("app".into(), vec![paid[1]], 1003).await.unwrap();
    assert_eq!(left().await, "1.0");
    assert_eq!(reserve(id()).await, Reserved::Gone);
}

/// The first reason stays; lists are by number, in pieces.
pub async fn opt_outs_are_kept_listed_and_forgotten<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let admin = backend.admin(&Keyring::default());
    application(&admin, "a").await;
    let channel = Channel::ALL[0];
    let suppression = |recipient: &str, reason: &str| Suppression {
        application: "a".into(),
        channel,
        recipient: recipient.into(),
        reason: reason.into(),
        since_ms: 5,
    };
    store.suppress(suppression(OTHER, "STOP")).await.unwrap();
    admin.suppress(&[suppression(FIRST, "told us"), suppression(OTHER, "again")]).await.unwrap();
    let has = async |application: &str, channel: Channel, recipient: &str| {
        store.is_suppressed(application.into(), channel, recipient.into()).await.unwrap()
    };
    assert!(has("a", channel, FIRST).await && has("a", channel, OTHER).await);
    assert!(!has("a", Channel::ALL[1], FIRST).await && !has("b", channel, FIRST).await);
    assert_eq!(store.submit_checks().await.unwrap().suppressions, ["a"]);
    let list = async |after: &str, limit: usize| {
        store.suppressions("a".into(), channel, after.into(), limit).await.unwrap()
    };
    assert_eq!(list("", 1).await, [suppression(FIRST, "told us")]);
    assert_eq!(list(FIRST, 9).await, [suppression(OTHER, "STOP")]);
    let forget = || store.unsuppress("a".into(), channel, FIRST.into());
    assert_eq!((forget().await.unwrap(), forget().await.unwrap()), (true, false));
    assert!(!has("a", channel, FIRST).await);
    assert!(admin.unsuppress("a", channel, OTHER).await.unwrap());
    assert!(store.submit_checks().await.unwrap().suppressions.is_empty());
}

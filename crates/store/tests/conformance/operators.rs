//! Operators, their links and their sessions.

use crate::support::*;
use store::*;

fn operator(name: &str, role: Role) -> Operator {
    Operator {
        name: name.into(),
        role,
        applications: vec!["app".into()],
        has_password: false,
        identity: None,
        created_ms: 1,
        disabled_ms: None,
    }
}

fn link(number: u8, operator: &str, purpose: LinkPurpose) -> OneTimeLink {
    OneTimeLink { hash: [number; 32], operator: operator.into(), purpose, ends_ms: 9 }
}

fn session(number: u8, operator: &str, started_ms: i64) -> Session {
    Session { hash: [number; 32], operator: operator.into(), started_ms, seen_ms: started_ms }
}

/// Administration of a new database with two operators.
async fn admin_of<B: Backend>(backend: &B) -> B::Admin {
    let admin = backend.admin(&Keyring::default());
    for (name, role) in [("bob", Role::Admin), ("ann", Role::Viewer)] {
        assert!(admin.add_operator(&operator(name, role)).await.unwrap());
    }
    admin
}

pub async fn operators_are_made_changed_listed_and_removed<B: Backend>(backend: &B) {
    let admin = admin_of(backend).await;
    let outside =
        Operator { identity: Some("https://id.example 7".into()), ..operator("cleo", Role::Support) };
    assert!(admin.add_operator(&outside).await.unwrap());
    assert!(!admin.add_operator(&operator("ann", Role::Admin)).await.unwrap(), "a name is taken once");
    let changes = [
        OperatorChange::Role(Role::Operator),
        OperatorChange::Applications(Vec::new()),
        OperatorChange::Disable(5),
        OperatorChange::Disable(6),
    ];
    for change in &changes {
        assert!(admin.change_operator("ann", change).await.unwrap());
        assert!(!admin.change_operator("nobody", change).await.unwrap());
    }
    let ann = Operator { applications: Vec::new(), disabled_ms: Some(5), ..operator("ann", Role::Operator) };
    let all = [ann.clone(), operator("bob", Role::Admin), outside];
    // Also by another handle.
    assert_eq!(backend.admin(&Keyring::default()).operators().await.unwrap(), all);
    assert!(admin.change_operator("ann", &OperatorChange::Enable).await.unwrap());
    let enabled = Operator { disabled_ms: None, ..ann };
    assert_eq!(admin.operator("ann").await.unwrap(), Some(enabled));
    assert!(admin.remove_operator("ann").await.unwrap());
    assert!(!admin.remove_operator("ann").await.unwrap());
    assert_eq!(admin.operator("ann").await.unwrap(), None);
}

pub async fn a_link_works_once_and_the_newest_of_an_operator_alone<B: Backend>(backend: &B) {
    let admin = admin_of(backend).await;
    let (first, second) = (link(1, "ann", LinkPurpose::Password), link(2, "ann", LinkPurpose::Password));
    let others = link(3, "bob", LinkPurpose::SignIn);
    for one in [&first, &second, &others] {
        assert!(admin.add_link(one).await.unwrap());
    }
    assert!(!admin.add_link(&link(4, "nobody", LinkPurpose::Password)).await.unwrap());
    assert_eq!(admin.link(&first.hash).await.unwrap(), None);
    assert_eq!(admin.link(&second.hash).await.unwrap(), Some(second.clone()));
    assert_eq!(admin.link(&others.hash).await.unwrap(), Some(others.clone()));
    assert!(!admin.use_link(&first.hash, Some("wrong")).await.unwrap());
    assert_eq!(admin.password_hash("ann").await.unwrap(), None);
    assert!(admin.use_link(&second.hash, Some("$argon2id$x")).await.unwrap());
    assert!(!admin.use_link(&second.hash, Some("again")).await.unwrap());
    assert_eq!(admin.password_hash("ann").await.unwrap().as_deref(), Some("$argon2id$x"));
    assert!(admin.operator("ann").await.unwrap().unwrap().has_password);
    // One to sign in with sets no password.
    assert!(admin.use_link(&others.hash, None).await.unwrap());
    assert_eq!(admin.password_hash("bob").await.unwrap(), None);
    // One to sign in with ends nothing, one for a password ends what was before.
    assert!(admin.add_session(&session(1, "ann", 1), 9).await.unwrap());
    assert!(admin.add_link(&link(5, "ann", LinkPurpose::SignIn)).await.unwrap());
    assert!(admin.session(&[1; 32]).await.unwrap().is_some());
    assert!(admin.password_hash("ann").await.unwrap().is_some());
    assert!(admin.add_link(&link(6, "ann", LinkPurpose::Password)).await.unwrap());
    assert_eq!(admin.session(&[1; 32]).await.unwrap(), None);
    assert_eq!(admin.password_hash("ann").await.unwrap(), None);
}

pub async fn sessions_are_bounded_and_end_with_their_operator<B: Backend>(backend: &B) {
    let admin = admin_of(backend).await;
    assert!(!admin.add_session(&session(9, "nobody", 1), 2).await.unwrap());
    // The third began before the others: a clock was wrong. It stays, being the newest.
    for (number, started_ms) in [(1, 100), (2, 200), (3, 50)] {
        assert!(admin.add_session(&session(number, "ann", started_ms), 2).await.unwrap());
    }
    assert!(admin.add_session(&session(4, "bob", 1), 2).await.unwrap());
    let lives = async |number: u8| admin.session(&[number; 32]).await.unwrap().is_some();
    assert!(!lives(1).await && lives(2).await && lives(3).await && lives(4).await);
    admin.touch_session(&[2; 32], 777).await.unwrap();
    let touched = Session { seen_ms: 777, ..session(2, "ann", 200) };
    assert_eq!(admin.session(&[2; 32]).await.unwrap(), Some(touched));
    assert!(admin.end_session(&[3; 32]).await.unwrap());
    assert!(!admin.end_session(&[3; 32]).await.unwrap());
    assert_eq!(admin.end_sessions("ann").await.unwrap(), 1);
    assert!(!lives(2).await && lives(4).await);
    // Who is disabled or removed has neither sessions nor links.
    for (name, number) in [("ann", 10), ("bob", 20)] {
        assert!(admin.add_session(&session(number, name, 1), 2).await.unwrap());
        assert!(admin.add_link(&link(number, name, LinkPurpose::SignIn)).await.unwrap());
    }
    assert!(admin.change_operator("ann", &OperatorChange::Disable(5)).await.unwrap());
    assert!(admin.remove_operator("bob").await.unwrap());
    for number in [10, 20] {
        assert!(!lives(number).await);
        assert_eq!(admin.link(&[number; 32]).await.unwrap(), None);
    }
}

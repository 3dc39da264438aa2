//! The audit.

use crate::support::*;
use store::*;

fn entry(at_ms: i64, operator: &str, action: &str, subject: &str) -> NewAuditEntry {
    let [operator, action, subject] = [operator, action, subject].map(str::to_owned);
    NewAuditEntry { at_ms, operator, action, subject, detail: "detail".into() }
}

const ALL: AuditQuery = AuditQuery { before: None, limit: 100, operator: None, action: None, subject: None };

pub async fn entries_stay_and_get_an_outcome_once<B: Backend>(backend: &B) {
    let admin = backend.admin(&Keyring::default());
    let new = [
        entry(1, "ann", "flow.cancel", "f1"),
        // A clock may go back; numbers don't.
        entry(0, "bob", "flow.erase", "f1"),
        entry(2, "ann", "flow.erase", "f2"),
    ];
    let mut ids = Vec::new();
    for one in &new {
        ids.push(admin.add_audit_entry(one).await.unwrap());
    }
    assert!(ids.is_sorted() && ids[0] < ids[1] && ids[1] < ids[2]);
    assert!(admin.set_audit_outcome(ids[0], &Outcome::Done).await.unwrap());
    let failed = Outcome::Failed("no such flow".into());
    assert!(admin.set_audit_outcome(ids[1], &failed).await.unwrap());
    assert!(!admin.set_audit_outcome(ids[1], &Outcome::Done).await.unwrap(), "an outcome stays");
    assert!(!admin.set_audit_outcome(ids[2] + 1, &Outcome::Done).await.unwrap());
    let outcomes = [Some(Outcome::Done), Some(failed), None];
    let kept = ids.iter().zip(new).zip(outcomes);
    let kept: Vec<_> = kept.map(|((&id, entry), outcome)| AuditEntry { id, entry, outcome }).collect();
    let newest_first: Vec<_> = kept.iter().rev().cloned().collect();
    assert_eq!(backend.admin(&Keyring::default()).audit_entries(&ALL).await.unwrap(), newest_first);
    let find = async |query: AuditQuery| {
        let found = admin.audit_entries(&query).await.unwrap();
        found.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(find(AuditQuery { limit: 2, ..ALL }).await, [ids[2], ids[1]]);
    assert_eq!(find(AuditQuery { before: Some(ids[2]), limit: 1, ..ALL }).await, [ids[1]]);
    assert_eq!(find(AuditQuery { operator: Some("ann".into()), ..ALL }).await, [ids[2], ids[0]]);
    assert_eq!(find(AuditQuery { action: Some("flow.erase".into()), ..ALL }).await, [ids[2], ids[1]]);
    let both = AuditQuery { subject: Some("f1".into()), operator: Some("bob".into()), ..ALL };
    assert_eq!(find(both).await, [ids[1]]);
    assert_eq!(find(AuditQuery { subject: Some("f".into()), ..ALL }).await, Vec::<i64>::new());
}

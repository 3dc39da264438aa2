//! Carriers that operators paused or drain.

use crate::support::*;
use store::*;

/// Who asks for the same again changes nothing; who asks for the other halt does.
pub async fn carriers_are_halted_and_resumed_from_beside<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let admin = backend.admin(&Keyring::default());
    let halted = |carrier: &str, halt, since_ms| HaltedCarrier {
        carrier: carrier.into(),
        halt,
        since_ms,
        by: format!("at {since_ms}"),
    };
    assert!(store.halted_carriers().await.unwrap().is_empty());
    let both = [halted("b", Halt::Paused, 1), halted("a", Halt::Draining, 1)];
    admin.halt_carriers(&both).await.unwrap();
    admin.halt_carriers(&[halted("a", Halt::Draining, 2), halted("b", Halt::Draining, 2)]).await.unwrap();
    let now = [halted("a", Halt::Draining, 1), halted("b", Halt::Draining, 2)];
    assert_eq!(store.halted_carriers().await.unwrap(), now);
    assert_eq!(admin.halted_carriers().await.unwrap(), now);
    // It holds over restarts.
    backend.close(&store).await;
    let store = open(backend, &Keyring::default()).await.store;
    assert_eq!(store.halted_carriers().await.unwrap(), now);
    assert_eq!(admin.resume_carriers(Some("a")).await.unwrap(), 1);
    assert_eq!(admin.resume_carriers(Some("a")).await.unwrap(), 0);
    assert_eq!(admin.resume_carriers(None).await.unwrap(), 1);
    assert!(store.halted_carriers().await.unwrap().is_empty());
}

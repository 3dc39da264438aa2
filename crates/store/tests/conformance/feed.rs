//! The change feed.

use crate::support::*;
use flow::FlowStatus;
use flow::sample::submitted;
use store::*;

pub async fn the_change_feed_yields_every_flow_at_its_last_change<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flows = [new_flow(1000), new_flow(1001), new_flow(1002)];
    for flow in &flows {
        store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
    }
    let put = |change: &Change| match change {
        Change::Put { id, facets, .. } => (*id, facets.status),
        Change::Removed { .. } => panic!("nothing was removed"),
    };
    let first = feed(&store, 2).await;
    let ids: Vec<_> = first.changes.iter().map(|change| put(change).0).collect();
    assert_eq!(ids, [flows[0].id, flows[1].id]);
    store.apply(flows[0].id, submitted(0, 0, "c", "r1"), 1010).await.unwrap();
    let rest = store.changes(&first.position, 10).await.unwrap();
    let ids: Vec<_> = rest.changes.iter().map(|change| put(change).0).collect();
    assert_eq!(ids, [flows[2].id, flows[0].id]);
    assert_eq!(put(&rest.changes[1]).1, FlowStatus::InProgress);
    assert_eq!(store.position().await.unwrap(), rest.position);
}

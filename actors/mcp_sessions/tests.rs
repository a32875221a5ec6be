use super::in_flight::CallTable;
use super::state::{McpOwner, SessionTable};
use crate::model::ids::ClientId;
use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use std::sync::Arc;
use std::time::Duration;

fn principal(client: &str) -> Principal {
    Principal { client_id: Some(ClientId::new(client)), ..Principal::anonymous() }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn a_session_exists_for_its_owner_only() {
    let (table, owner, other) = (SessionTable::default(), principal("a"), principal("b"));
    table.open("s", McpOwner::from(&owner), "2025-11-25", at(0));
    assert_eq!(table.find("s", &owner, at(0)).unwrap().revision(), "2025-11-25");
    assert!(table.find("s", &other, at(0)).is_none());
    assert!(table.find("s", &Principal::anonymous(), at(0)).is_none());
    assert!(!table.close("s", &McpOwner::from(&other)));
    assert!(table.close("s", &McpOwner::from(&owner)));
    assert!(table.find("s", &owner, at(0)).is_none());
}

#[test]
fn a_session_ends_when_it_has_been_idle() {
    let (table, owner) = (SessionTable::default(), principal("a"));
    table.open("used", McpOwner::from(&owner), "2025-11-25", at(0));
    table.open("idle", McpOwner::from(&owner), "2025-11-25", at(0));
    table.find("used", &owner, at(50)).unwrap();
    table.end_idle(at(60), Duration::from_secs(60));
    assert!(table.find("used", &owner, at(60)).is_some());
    assert!(table.find("idle", &owner, at(60)).is_none());
}

#[test]
fn when_there_are_too_many_the_idlest_goes() {
    let (table, owner) = (SessionTable::default(), principal("a"));
    for (id, used) in [("first", 3), ("second", 1), ("third", 2)] {
        table.open(id, McpOwner::from(&owner), "2025-11-25", at(used));
    }
    table.make_room(3);
    assert!(table.find("second", &owner, at(4)).is_none());
    assert!(table.find("first", &owner, at(4)).is_some());
    assert!(table.find("third", &owner, at(4)).is_some());
}

#[tokio::test]
async fn a_call_is_cancelled_by_its_session_and_identifier() {
    let calls = Arc::new(CallTable::default());
    let mut call = calls.begin("s", "1");
    assert!(!calls.cancel("other", "1"));
    assert!(!calls.cancel("s", "\"1\""));
    assert!(calls.cancel("s", "1"));
    call.cancelled().await;
    drop(call);
    assert!(!calls.cancel("s", "1"));
}

#[tokio::test]
async fn a_call_that_ended_leaves_nothing_behind_and_spares_its_successor() {
    let calls = Arc::new(CallTable::default());
    let first = calls.begin("s", "1");
    let mut second = calls.begin("s", "1");
    drop(first);
    assert!(calls.cancel("s", "1"));
    second.cancelled().await;
}

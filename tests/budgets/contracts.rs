//! What clients tell of their types, and what is made of it.

use super::*;

/// A call of `Depot.echo` by one who knows it so.
fn bulky_call(connection: u64, arguments: usize) -> raw::Frame {
    raw::call(connection, 1, "Depot.echo", &[&[5][..], &vec![0; 32 * arguments]].concat())
}

/// So many connections, each of which tells such a contract and makes a call that is read by it. What is kept for them after each.
async fn tell(yard: &mut Yard, connections: u64, arguments: usize) -> (usize, usize) {
    let (mut echoed, mut refused) = (0, 0);
    for connection in (0..connections).map(|n| 2 * n + 3) {
        let contract = raw::bulky_contract(("Depot.echo", "number"), connection, arguments as u64);
        let open = raw::open_by(connection, "Depot", &contract);
        yard.raw.send(&open).await;
        yard.raw.read_kind(raw::CONTRACT).await;
        yard.raw.send(&raw::contract_on(connection, &contract)).await;
        yard.raw.send(&bulky_call(connection, arguments)).await;
        let reply = yard.raw.read_kind(raw::REPLY).await;
        match reply.body[reply.body.len() - 2..] {
            [0, 5] => echoed += 1,
            _ => {
                let mut fields = reply.reader();
                assert_eq!([fields.var(), fields.var()], [connection, 1]);
                assert_eq!([fields.u8(), fields.u8(), fields.u8()], [1, 3, 2], "busy, for session_memory");
                let (needed, limit) = (fields.var(), fields.var());
                assert!(needed > limit && limit == Limits::default().session_memory as u64, "{needed} of {limit}");
                refused += 1;
            }
        }
    }
    (echoed, refused)
}

#[tokio::test(start_paused = true)]
async fn contracts_and_what_is_made_of_them_are_within_the_budget() {
    let mut yard = Yard::new(Limits::default()).await;
    let (echoed, refused) = tell(&mut yard, 15, 54).await;
    report("contracts", yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!((budget - 8 * MIB..budget + 8 * MIB).contains(&yard.server.memory()), "{}", yard.server.memory());
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    assert!(yard.grown() <= yard.server.memory() + 4 * MIB, "{} of {}", yard.grown(), yard.server.memory());
    assert_eq!(echoed + refused, 15);
    assert!(echoed >= 5 && refused >= 5, "{echoed} and {refused}");
    assert_eq!(yard.server.refusals().calls, refused as u64);
    // A connection that is shut gives its own back, and the next has room.
    for connection in [3, 5] {
        yard.raw.send(&frame(raw::SHUT).var(connection)).await;
    }
    settle().await;
    assert!(yard.server.memory() < budget - 4 * MIB, "{}", yard.server.memory());
    yard.leaves_no_trace().await;
}

/// Contracts of many sessions are kept once where they are the same, and count once for the server.
#[tokio::test(start_paused = true)]
async fn a_contract_that_many_clients_have_counts_once_for_their_server() {
    let mut yard = Yard::new(Limits { server_memory: 16 * MIB, ..Limits::default() }).await;
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (raw, accepted) =
            tokio::join!(Raw::initiate(ours, Some("Depot")), yard.server.accept(Link::new(theirs, "hostile")));
        accepted.expect("a session");
        let before = std::mem::replace(&mut yard.raw, raw);
        assert_eq!(tell(&mut yard, 1, 20).await, (1, 0));
        crowd.push(std::mem::replace(&mut yard.raw, before));
    }
    report("one contract", yard.grown(), yard.server.memory());
    assert!(yard.server.memory() > 40 * MIB, "each session keeps it alive: {}", yard.server.memory());
    assert!((2 * MIB..6 * MIB).contains(&yard.server.memory_taken()), "{}", yard.server.memory_taken());
    assert!(yard.grown() < 8 * MIB, "{}", yard.grown());
    drop(crowd);
    settle().await;
    assert_eq!(yard.server.memory_taken(), 0);
    yard.leaves_no_trace().await;
}

/// A contract is left for later as arguments are: its connection would have no terms, however much room there is soon after.
#[tokio::test(start_paused = true)]
async fn a_contract_waits_while_its_server_is_full() {
    let mut yard = Yard::new(Limits { server_memory: 16 * MIB, ..Limits::default() }).await;
    yard.call(1, "Depot.hold", 100 << 10, 0).await;
    let contract = raw::bulky_contract(("Depot.echo", "number"), 3, 12);
    yard.raw.send(&raw::open_by(3, "Depot", &contract)).await;
    yard.raw.read_kind(raw::CONTRACT).await;
    let crowd = fill(&mut yard).await;
    let before = yard.server.refusals().pauses;
    yard.raw.send(&raw::contract_on(3, &contract)).await;
    yard.raw.send(&bulky_call(3, 12)).await;
    settle().await;
    assert_eq!(yard.server.refusals().pauses, before + 1, "the peer is read no further");
    drop(crowd);
    let reply = yard.raw.read_kind(raw::REPLY).await;
    assert!(reply.body.ends_with(&[0, 5]), "{reply:?}");
    yard.leaves_no_trace().await;
}

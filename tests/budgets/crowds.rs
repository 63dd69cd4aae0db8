//! What a server keeps for many clients.

use super::*;

/// 40 clients, each of which would make the server keep 48 MiB, and one that means well: what a server keeps is bounded too.
#[tokio::test(start_paused = true)]
async fn a_server_keeps_no_more_than_its_memory_whatever_its_clients_try() {
    let limits = Limits { server_memory: 32 * MIB, ..Limits::default() };
    let mut yard = Yard::new(limits).await;
    let mut crowd = Vec::new();
    for number in 0..40 {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (raw, accepted) =
            tokio::join!(Raw::initiate(ours, Some("Depot")), yard.server.accept(Link::new(theirs, "hostile")));
        accepted.expect("a session");
        let before = std::mem::replace(&mut yard.raw, raw);
        for call in 1..=3 {
            yard.call(call, "Depot.hold", MIB, 0).await;
        }
        crowd.push(std::mem::replace(&mut yard.raw, before));
        assert!(yard.server.memory_taken() <= 32 * MIB, "{} after {number}", yard.server.memory_taken());
        assert_eq!(yard.honest.echo(number).await, Ok(number), "it has its free share");
    }
    settle().await;
    report("a crowd", yard.grown(), yard.server.memory());
    assert!(yard.server.memory() <= 32 * MIB + 42 * (64 << 10), "{}", yard.server.memory());
    assert!(yard.server.memory() >= 29 * MIB, "{}", yard.server.memory());
    assert!(yard.grown() <= 48 * MIB, "{}", yard.grown());
    drop(crowd);
    settle().await;
    assert_eq!(yard.server.memory_taken(), 0);
    yard.leaves_no_trace().await;
}

/// So many clients of a server that may keep 32 MiB, each of which sends this.
async fn many(count: u64, bytes: &[u8]) -> (Yard, Vec<Raw>) {
    let yard = Yard::new(Limits { server_memory: 32 * MIB, ..Limits::default() }).await;
    let mut crowd = Vec::new();
    for number in 0..count {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (mut raw, accepted) =
            tokio::join!(Raw::initiate(ours, Some("Depot")), yard.server.accept(Link::new(theirs, "hostile")));
        accepted.expect("a session");
        // It may end the session, or be read no further.
        let _ = tokio::time::timeout(Duration::from_secs(10), raw.try_write(bytes)).await;
        crowd.push(raw);
        assert_eq!(yard.honest.echo(number).await, Ok(number), "it has its free share");
    }
    settle().await;
    (yard, crowd)
}

/// What has come of a frame that is not whole is kept as well, whatever kind it has.
#[tokio::test(start_paused = true)]
async fn frames_that_are_never_whole_are_within_what_a_server_may_keep() {
    let mut bytes = (4 * MIB as u32).to_le_bytes().to_vec();
    bytes.push(raw::CALL);
    bytes.resize(3 * MIB, 7);
    let (yard, crowd) = many(40, &bytes).await;
    report("frames that are never whole", yard.grown(), yard.server.memory());
    assert!(yard.server.memory() <= 32 * MIB + 42 * (64 << 10), "{}", yard.server.memory());
    assert!(yard.server.memory() >= 20 * MIB, "{}", yard.server.memory());
    assert!(yard.grown() <= 48 * MIB, "{}", yard.grown());
    drop(crowd);
    settle().await;
    assert_eq!(yard.server.memory_taken(), 0);
    yard.leaves_no_trace().await;
}

/// A part of up to 1 MiB belongs to a call that is refused already: nothing of it is kept.
#[tokio::test(start_paused = true)]
async fn parts_of_calls_that_are_refused_are_not_kept() {
    let mut yard = Yard::new(Limits::default()).await;
    for number in 1..=24 {
        yard.call(number, "Depot.hold", 2 * MIB, 0).await;
    }
    assert!(yard.refused().await > 0);
    let before = yard.grown();
    let head = frame(raw::LONG).var(25).var(4 * MIB as u64).u8(raw::CALL).var(1).var(49).method("Depot.hold").u8(0);
    yard.raw.send(&head).await;
    yard.raw.write(&[&(1u32 << 20).to_le_bytes()[..], &[raw::PART, 25], &[7; (1 << 20) - 3]].concat()).await;
    settle().await;
    assert!(yard.grown() <= before + (200 << 10), "{} after {before}", yard.grown());
    // It is refused once it is whole, and the frames after it are read as ever.
    yard.raw.write(&[7]).await;
    for _ in 0..3 {
        yard.raw.send(&frame(raw::PART).var(25).bytes(&[7; 1 << 20])).await;
    }
    yard.raw.send(&frame(raw::PART).var(25).bytes(&[7; 2])).await;
    assert_eq!(yard.refused().await, 1);
    yard.leaves_no_trace().await;
}

/// A session that waits for others to give back what the server may keep goes on when they do: it does not wait out its second.
#[tokio::test(start_paused = true)]
async fn who_waits_for_the_memory_of_others_goes_on_when_they_give_it_back() {
    let mut yard = Yard::new(Limits { server_memory: 16 * MIB, ..Limits::default() }).await;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (raw, accepted) =
            tokio::join!(Raw::initiate(ours, Some("Depot")), yard.server.accept(Link::new(theirs, "hostile")));
        accepted.expect("a session");
        let before = std::mem::replace(&mut yard.raw, raw);
        yard.call(1, "Depot.hold", 100 << 10, 0).await;
        waiting.push(std::mem::replace(&mut yard.raw, before));
    }
    let crowd = fill(&mut yard).await;
    let (pauses, begun) = (yard.server.refusals().pauses, tokio::time::Instant::now());
    for raw in &mut waiting {
        raw.send(&raw::call(1, 3, "Depot.echo", &[5])).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(yard.server.refusals().pauses, pauses + 40, "they are read no further");
    drop(crowd);
    for raw in &mut waiting {
        assert!(raw.read_kind(raw::REPLY).await.body.ends_with(&[0, 5]));
    }
    assert_eq!(begun.elapsed(), Duration::from_millis(300));
    drop(waiting);
    yard.leaves_no_trace().await;
}

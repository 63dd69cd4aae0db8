//! Floods, and peers that do not read.

use super::*;

// proves: flood.unread
#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_that_reads_no_pong_is_named() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let mark = mark();
    let ping = frame(raw::PING).var(1).wire();
    for _ in 0..5_000 {
        peer.try_write(&ping).await;
    }
    assert_eq!(peer.accused_of().await, FLOOD);
    assert!(grown(mark) < 200 << 10, "{}", grown(mark));
    server.await.expect("no panic").expect("an end");
}

// proves: flood.unread
#[tokio::test(start_paused = true)]
async fn a_flood_of_opens_that_reads_no_answer_is_named() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let mark = mark();
    for n in 1..1_200u64 {
        // One by one: many at once would be more connections than were announced.
        peer.try_write(&open(2 * n + 1, "Nothing").wire()).await;
        settle().await;
    }
    assert_eq!(peer.accused_of().await, FLOOD);
    assert!(grown(mark) < 1 << 20, "{}", grown(mark));
    server.await.expect("no panic").expect("an end");
}

/// A peer that reads no replies cannot make calls without end either: a call counts until its reply was handed to the link.
// proves: call.unread
#[tokio::test(start_paused = true)]
async fn calls_beyond_unread_replies_are_named() {
    let (mut peer, _, server) = cornered(64).await;
    for n in 0..100u64 {
        peer.try_write(&call(1, 2 * n + 1, "Prey.echo", &[1]).wire()).await;
    }
    assert_eq!(peer.accused_of().await, CALLS);
    server.await.expect("no panic").expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_given_up_in_time_and_memory() {
    let (mut peer, deer, server) = cornered(256).await;
    let pour = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    peer.send(&pour).await;
    peer.send(&frame(raw::CREDIT).var(1).var(1).var(1 << 30).var(1 << 30)).await;
    let mark = mark();
    let before = tokio::time::Instant::now();
    server.await.expect("no panic").expect("an end");
    assert_eq!(before.elapsed().as_secs(), 30, "the write stall");
    assert!(grown(mark) < 2 << 20, "{}", grown(mark));
    drop((peer, deer));
}

/// Large replies to small calls: no further handlers start while nobody reads what is there.
#[tokio::test(start_paused = true)]
async fn replies_that_nobody_reads_are_not_made_without_end() {
    let limits = Limits { max_calls: 1_000, outbox_long_bytes: 1 << 20, ..Limits::default() };
    let (mut peer, _, _server) = cornered_with(1 << 10, limits).await;
    let marked = mark();
    for n in 0..100u64 {
        peer.send(&call(1, 2 * n + 1, "Prey.big", &[0x80, 0x80, 0x08])).await;
        if n == 50 {
            peer.send(&frame(raw::CANCEL).var(1).var(101)).await;
        }
    }
    settle().await;
    assert!(grown(marked) < 2 << 20, "{}", grown(marked));
    let mut answered = Vec::new();
    for _ in 0..100 {
        let (request, payload) = reply(&mut peer).await;
        assert_eq!(payload.len(), if request == 101 { 2 } else { (128 << 10) + 4 });
        answered.push(request);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..100).map(|n| 2 * n + 1).collect::<Vec<_>>());
}

/// The same where they are read and never acknowledged, in a session that can be resumed, though all are asked for at once.
#[tokio::test(start_paused = true)]
async fn replies_that_nobody_acknowledges_are_not_made_without_end() {
    watch_panics();
    let limits = Limits { replay_bytes: 2 << 20, ..Limits::default() };
    let server =
        Server::builder().service(PreyDispatcher::new(Deer::default())).limits(limits).start().expect("a server");
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let mut peer = Raw::new(ours);
    peer.send(&raw::resumable_hello("Prey", raw::LIMITS)).await;
    let (accepted, welcome) = tokio::join!(server.accept(Link::new(theirs, "hostile")), peer.read());
    accepted.expect("a session");
    assert_eq!(welcome.expect("an answer").kind, raw::WELCOME);
    let calls: Vec<u8> = (0..100u64).flat_map(|n| call(1, 2 * n + 1, "Prey.big", &[0x80, 0x80, 0x08]).wire()).collect();
    let marked = mark();
    peer.write(&calls).await;
    let (mut received, mut begun) = (0, 0);
    while let Ok(Some(read)) = tokio::time::timeout(Duration::from_secs(1), peer.read_frame()).await {
        received += 5 + read.body.len() as u64;
        begun += usize::from(read.kind == raw::LONG);
    }
    assert!((14..=18).contains(&begun), "{begun} replies of 128 KiB");
    assert!(grown(marked) < 3 << 20, "{}", grown(marked));
    // Who acknowledges gets the rest.
    while begun < 100 {
        peer.send(&frame(raw::ACK).var(received)).await;
        let read = peer.read_frame().await.expect("the session goes on");
        received += 5 + read.body.len() as u64;
        begun += usize::from(read.kind == raw::LONG);
    }
    assert!(grown(marked) < 3 << 20, "{}", grown(marked));
}

// proves: frame.length.limit
#[tokio::test(start_paused = true)]
async fn pitfall_34_no_memory_is_made_for_a_length_before_its_bytes_come() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let marked = mark();
    peer.write(&(1u32 << 16).to_le_bytes()).await;
    peer.write(&[raw::CALL]).await;
    settle().await;
    assert!(grown(marked) < 16 << 10, "{}", grown(marked));
    // The largest list that a frame's few bytes can claim.
    drop(peer);
    server.await.expect("no panic").expect("an end");
    let (mut peer, _, _server) = cornered(1 << 10).await;
    let marked = mark();
    peer.send(&call(1, 1, "Prey.list", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).await;
    let (_, payload) = reply(&mut peer).await;
    assert_eq!(payload[..2], [1, 2]);
    assert!(grown(marked) < 32 << 10, "{}", grown(marked));
}

#[tokio::test(start_paused = true)]
async fn pitfall_14_replies_that_the_runtime_makes_leave_no_memory_behind() {
    let (mut peer, _, _server) = cornered(1 << 12).await;
    let mut request = 1;
    let mut marked = 0;
    for n in 0..3_000 {
        if n == 1_000 {
            marked = mark();
        }
        let made = match n % 3 {
            0 => call(1, request, "Prey.absent", &[]),
            1 => call(1, request, "Prey.echo", &[]),
            _ => call(1, request, "Prey.wait", &[]),
        };
        peer.write(&wire([made, frame(raw::CANCEL).var(1).var(request)])).await;
        assert_eq!(reply(&mut peer).await.0, request);
        request += 2;
    }
    let kept = heap::live() - marked;
    assert!(kept < 8 << 10, "{kept}");
}

#[tokio::test(start_paused = true)]
async fn pitfall_30_items_that_come_with_their_call_or_before_its_handler_are_received_in_order() {
    let (mut peer, _, _server) = cornered(1 << 12).await;
    for n in 0..100u64 {
        let (request, channel) = (2 * n + 1, 2 * n + 1);
        let close = frame(raw::CLOSE).var(1).var(channel).var(0);
        let drink = call_with(1, request, "Prey.drink", &[(channel, 0)], &[0]);
        let all = wire([drink, items(channel, 3), items(channel, 5), close]);
        // In one go, or in two pieces: whichever part is there when the handler starts.
        let cut = all.len() * n as usize / 99;
        peer.write(&all[..cut]).await;
        settle().await;
        peer.write(&all[cut..]).await;
        assert_eq!(reply(&mut peer).await, (request, vec![0, 8]));
    }
}

/// What waits for a slow reader is bounded by the window, whatever it came in among.
#[tokio::test(start_paused = true)]
async fn pitfall_29_items_that_wait_do_not_keep_what_came_with_them() {
    let (mut peer, deer, _server) = cornered(1 << 18).await;
    peer.send(&held()).await;
    settle().await;
    assert_eq!(deer.started.get(), 1);
    let marked = mark();
    let noise = wire((0..20_000).map(|n| frame(raw::PONG).var(n)));
    for _ in 0..8 {
        // One small item each in a quarter of a megabyte of pongs that nobody asked for.
        peer.write(&noise).await;
        peer.send(&items(1, 1)).await;
        peer.write(&noise).await;
        settle().await;
    }
    drop(noise);
    settle().await;
    let kept = heap::live() - marked;
    assert!(kept < 600 << 10, "{kept}");
}

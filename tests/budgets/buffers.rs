//! Buffers of which something is kept or borrowed count as long as it is.

use super::*;

/// So many items of 4,100 bytes that nobody takes, each behind so much that is for nobody: each keeps the buffer that it was read into. `rests`: what
/// comes next waits until all before it is read.
async fn pinned(items: u64, filler: usize, rests: bool) {
    let mut yard = Yard::new(Limits { max_calls: 256, ..Limits::default() }).await;
    let channels = items.div_ceil(15);
    for n in 0..=channels {
        let (request, channel) = (2 * n + 1, 2 * n + 1);
        let call = frame(raw::CALL).var(1).var(request).method("Depot.sit_on").u8(4).var(1).var(channel).u8(0).u8(0);
        yard.raw.send(&call).await;
    }
    // The first goes, and what comes on its channel is dropped.
    yard.raw.send(&frame(raw::CANCEL).var(1).var(1)).await;
    settle().await;
    let filler = frame(raw::ITEMS).var(1).var(1).bytes(&vec![0; filler]);
    for n in 0..items {
        yard.raw.send(&filler).await;
        yard.raw.send(&frame(raw::ITEMS).var(1).var(2 * (n / 15) + 3).var(4100).bytes(&[7; 4100])).await;
        if rests {
            settle().await;
        }
    }
    settle().await;
    report("pinned", yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!((budget - 4 * MIB..budget + MIB).contains(&yard.server.memory()), "{}", yard.server.memory());
    assert!(yard.server.refusals().channels > 0, "{:?}", yard.server.refusals());
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
}

#[tokio::test(start_paused = true)]
async fn buffers_that_a_small_item_keeps_are_within_the_budget() {
    pinned(1_500, 65_000, false).await;
}

#[tokio::test(start_paused = true)]
async fn buffers_that_sessions_share_are_within_the_budget_of_who_keeps_them() {
    pinned(3_600, 20_000, true).await;
}

/// Sessions of one thread read into buffers that they leave to each other.
#[tokio::test(start_paused = true)]
async fn a_buffer_of_which_something_is_kept_is_charged_to_the_session_that_it_is_kept_for() {
    let mut yard = Yard::new(Limits { max_calls: 256, ..Limits::default() }).await;
    yard.raw.send(&raw::call_with(1, 1, "Depot.sit_on", &[(1, 0)], &[0])).await;
    yard.raw.send(&frame(raw::CANCEL).var(1).var(1)).await;
    settle().await;
    // For a channel that is gone: it takes room in the buffer, and nothing of it is kept.
    for n in 1..=100 {
        yard.raw.send(&frame(raw::ITEMS).var(1).var(1).bytes(&vec![0; 13_000 + (n as usize % 8) * 400])).await;
        yard.raw.send(&raw::call(1, 2 * n + 1, "Depot.lend", &[2, 7, 7])).await;
        settle().await;
        let kept = yard.honest.kept().await.expect("an answer");
        assert!(kept < 16 << 10, "{kept} bytes are kept of the one who means well, after {n} calls of the other");
    }
    report("lent", yard.grown(), yard.server.memory());
    assert!(yard.server.memory() > 600_000, "{}", yard.server.memory());
    yard.leaves_no_trace().await;
}

/// A long frame comes in by and by. The room that is made for the rest of it counts at once, though nothing more may ever come.
#[tokio::test(start_paused = true)]
async fn the_room_for_a_frame_that_is_not_whole_counts_as_soon_as_it_is_made() {
    let mut yard = Yard::new(Limits::default()).await;
    yard.raw.write(&[&(2 * MIB as u32).to_le_bytes()[..], &[raw::CALL]].concat()).await;
    let before = heap::live();
    for step in 0..1_200 {
        yard.raw.write(&[7; 1 << 10]).await;
        settle().await;
        let (held, counted) = (heap::live() - before, yard.server.memory() as isize);
        assert!(held <= counted + (100 << 10), "{held} bytes are held and {counted} counted, after {step} KiB");
    }
    assert!(yard.server.memory() > MIB);
    yard.leaves_no_trace().await;
}

/// What a receiver takes of a channel that has ended is answered by nothing: nobody writes, and the peer is read on all the same.
#[tokio::test(start_paused = true)]
async fn a_peer_is_read_on_as_soon_as_a_receiver_has_made_room_though_nothing_is_written() {
    let limits = Limits { session_memory: 100_000, max_message_bytes: 16 << 10, ..Limits::default() };
    let mut yard = Yard::new(limits).await;
    yard.raw.send(&raw::call_with(1, 1, "Depot.sit_on", &[(1, 0)], &[0])).await;
    yard.raw.send(&raw::call_with(1, 3, "Depot.take_when_told", &[(3, 0)], &[0])).await;
    let items = |channel: u64| frame(raw::ITEMS).var(1).var(channel).var(1_002).bytes(&[0xe8, 7]).bytes(&[7; 1_000]);
    for _ in 0..30 {
        yard.raw.send(&items(3)).await;
    }
    yard.raw.send(&frame(raw::CLOSE).var(1).var(3).var(0)).await;
    while yard.server.refusals().pauses == 0 {
        yard.raw.send(&items(1)).await;
        settle().await;
    }
    yard.raw.send(&raw::call(1, 5, "Depot.echo", &[5])).await;
    settle().await;
    assert_eq!(yard.server.refusals().pauses, 1, "it is read no further: {} bytes are kept", yard.server.memory());
    let told = tokio::time::Instant::now();
    yard.shed.told.notify_one();
    assert_eq!(yard.raw.read().await.expect("the session goes on").kind, raw::REPLY);
    assert_eq!(told.elapsed(), Duration::ZERO, "nobody waited for the time");
    yard.leaves_no_trace().await;
}

#[tokio::test(start_paused = true)]
async fn buffers_that_handlers_borrow_from_are_given_back_though_nothing_is_read_any_more() {
    let mut yard = Yard::new(Limits::default()).await;
    let filler = frame(raw::CANCEL).var(1).var(1).wire().repeat(9_000);
    for n in 0..20 {
        yard.raw.send(&raw::call(1, 2 * n + 1, "Depot.lend_a_while", &[2, 7, 7])).await;
        // Of a call that has ended nothing is left to cancel. The first has not: it is answered as that.
        yard.raw.write(&filler).await;
    }
    settle().await;
    let kept = yard.server.memory();
    assert!(kept > MIB, "{kept}");
    for _ in 0..20 {
        assert_eq!(yard.raw.read().await.expect("the session goes on").kind, raw::REPLY);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(yard.server.memory(), 0, "nobody uses any of them");
    assert_eq!(yard.honest.echo(5).await, Ok(5));
}

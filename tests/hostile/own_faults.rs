//! What is one call's own fault, and what is nobody's.

use super::*;

// proves: call.own-error
#[tokio::test]
async fn truncated_and_over_long_arguments_are_their_calls_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    let cases: [(&str, &[u8]); 9] = [
        ("none", &[]),
        ("half a varint", &[0x80]),
        ("too many", &[1, 2]),
        ("past 64 bits", &[0xff; 10]),
        ("a long list", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("a list that lacks one", &[3, 1, 2]),
        ("2⁶³ units", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("10⁹ units", &[0x80, 0x94, 0xeb, 0xdc, 0x03]),
        ("a channel that was not opened", &[0]),
    ];
    for (n, (what, arguments)) in cases.into_iter().enumerate() {
        let method = match n {
            0..4 => "Prey.echo",
            4 | 5 => "Prey.list",
            6 | 7 => "Prey.units",
            _ => "Prey.drink",
        };
        let request = 2 * n as u64 + 1;
        peer.send(&call(1, request, method, arguments)).await;
        let (answered, payload) = reply(&mut peer).await;
        assert_eq!((answered, &payload[..2]), (request, &[1, 2][..]), "{what}: InvalidPayload");
    }
    peer.send(&call(1, 101, "Prey.absent", &[])).await;
    assert_eq!(reply(&mut peer).await, (101, vec![1, 1]), "UnknownMethod");
    peer.send(&call(1, 103, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (103, vec![0, 5]), "the session lives");
    drop(peer);
    field.is_unharmed().await;
}

#[tokio::test]
async fn channels_that_arguments_name_wrongly_are_their_calls_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    type Case = (&'static str, [(u64, u8); 1], &'static [u8]);
    let cases: [Case; 4] = [
        ("the other direction", [(1, 1)], &[0]),
        ("an index past the list", [(3, 0)], &[1]),
        ("a huge index", [(5, 0)], &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("an index that is not there", [(7, 0)], &[]),
    ];
    for (n, (what, channels, arguments)) in cases.into_iter().enumerate() {
        let request = 2 * n as u64 + 1;
        peer.send(&call_with(1, request, "Prey.drink", &channels, arguments)).await;
        let reset = peer.read_kind(raw::RESET).await;
        assert_eq!(reset.body, [1, channels[0].0 as u8, 0, 0], "{what}");
        let (answered, payload) = reply(&mut peer).await;
        assert_eq!((answered, &payload[..2]), (request, &[1, 2][..]), "{what}");
    }
    // What comes late for them is ignored.
    peer.send(&items(1, 3)).await;
    peer.send(&frame(raw::CLOSE).var(1).var(1).var(0)).await;
    peer.send(&call(1, 99, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (99, vec![0, 5]));
    drop(peer);
    field.is_unharmed().await;
}

/// Items and ends that cross the end of their channel could not have known; a second end from the same half could.
#[tokio::test]
async fn what_comes_after_a_channels_end_is_ignored() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    peer.send(&call_with(1, 1, "Prey.drink", &[(1, 0)], &[0])).await;
    peer.send(&items(1, 2)).await;
    peer.send(&frame(raw::CLOSE).var(1).var(1).var(0)).await;
    assert_eq!(reply(&mut peer).await, (1, vec![0, 2]));
    for late in [items(1, 100), frame(raw::CLOSE).var(1).var(1).var(0), frame(raw::RESET).var(1).var(1).u8(0).var(0)] {
        peer.send(&late).await;
    }
    peer.send(&frame(raw::CANCEL).var(1).var(1)).await;
    peer.send(&call(1, 3, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (3, vec![0, 5]));
    peer.send(&frame(raw::SHUT).var(1)).await;
    for late in [call(1, 5, "Prey.wait", &[]), items(1, 1), frame(raw::CANCEL).var(1).var(1), frame(raw::SHUT).var(1)] {
        peer.send(&late).await;
    }
    peer.send(&frame(raw::PING).var(77)).await;
    assert_eq!(peer.read_kind(raw::PONG).await.body, [77]);
    drop(peer);
    field.is_unharmed().await;
    assert_eq!(field.deer.started.get(), 0);
}

// proves: call.reply.once, call.cancel.late
#[tokio::test]
async fn every_request_of_a_flood_of_cancels_has_one_reply() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 0..500u64 {
        let request = 2 * n + 1;
        let cancel = frame(raw::CANCEL).var(1).var(request);
        let mut frames = vec![call(1, request, "Prey.wait", &[])];
        frames.extend(std::iter::repeat_n(cancel, 20));
        peer.write(&wire(frames)).await;
        assert_eq!(reply(&mut peer).await, (request, vec![1, 4]), "Cancelled");
    }
    drop(peer);
    field.is_unharmed().await;
}

#[tokio::test]
async fn refused_opens_leave_nothing_behind() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 1..500u64 {
        peer.send(&open(2 * n + 1, "Nothing")).await;
        let refused = peer.read_kind(raw::REFUSE).await;
        let mut fields = refused.reader();
        assert_eq!((fields.var(), fields.u8()), (2 * n + 1, 1));
    }
    peer.send(&open(1001, "Prey")).await;
    peer.read_kind(raw::ACCEPT).await;
    peer.send(&call(1001, 1, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (1, vec![0, 5]));
    drop(peer);
    field.is_unharmed().await;
}

//! What breaks the protocol ends the session with a named violation.

use super::*;

// proves: frame.length.zero, frame.length.limit, items.empty
#[tokio::test]
async fn garbage_and_lengths_that_lie_are_named() {
    let field = Field::new().await;
    field.accuses("no kind", &[0, 0, 0, 0], MALFORMED).await;
    field.accuses("an unknown kind", &frame(0x7f).wire(), MALFORMED).await;
    field.accuses("a second hello", &raw::hello(None, raw::LIMITS).wire(), MALFORMED).await;
    field.accuses("an empty call", &frame(raw::CALL).wire(), MALFORMED).await;
    field.accuses("bytes past a frame's end", &frame(raw::PING).var(1).u8(0).wire(), MALFORMED).await;
    field.accuses("a varint without an end", &frame(raw::PING).bytes(&[0xff; 11]).wire(), MALFORMED).await;
    let flags = |flags| frame(raw::CALL).var(1).var(1).method("Prey.echo").u8(flags).wire();
    field.accuses("unknown flags", &flags(32), MALFORMED).await;
    field.accuses("an operation that is not there", &flags(8), MALFORMED).await;
    field.accuses("an empty run", &wire([held(), items(1, 0)]), MALFORMED).await;
    let run = frame(raw::ITEMS).var(1).var(1).var(1000).u8(7);
    field.accuses("an item past its frame", &wire([held(), run]), MALFORMED).await;
    field.accuses("text that is none", &frame(raw::GOODBYE).var(1).u8(0xff).wire(), MALFORMED).await;
    field.accuses("a length past the limit", &((1u32 << 16) + 1).to_le_bytes(), TOO_LARGE).await;
    field.accuses("the longest length", &[0xff; 4], TOO_LARGE).await;
    field.accuses("noise", &[0x80; 4096], TOO_LARGE).await;
    field.reads_as("garbage.txt");
}

// proves: long.part.fits
#[tokio::test]
async fn parts_that_do_not_fit_are_named() {
    let field = Field::new().await;
    let begun = || long_call(1, 100, 1);
    let hundred = [7; 100];
    field.accuses("a part of nothing", &part(1, &[7]).wire(), WRONG_PART).await;
    field.accuses("a part of another message", &wire([begun(), part(2, &[7])]), WRONG_PART).await;
    field.accuses("an empty part", &wire([begun(), part(1, &[])]), WRONG_PART).await;
    field
        .accuses("a part past the total", &wire([begun(), part(1, &hundred[1..]), part(1, &[7; 2])]), WRONG_PART)
        .await;
    field.accuses("a doubled last part", &wire([begun(), part(1, &hundred), part(1, &hundred)]), WRONG_PART).await;
    field.accuses("a part after a cancel", &wire([begun(), part(1, &[7]), forget(1), part(1, &[7])]), WRONG_PART).await;
    field.accuses("a cancel twice", &wire([begun(), forget(1), forget(1)]), WRONG_PART).await;
    field.accuses("a cancel of nothing", &forget(1).wire(), WRONG_PART).await;
    // Long enough to be read straight into its message's memory, and cut short before the part ends.
    let long = part(1, &[7; 60_000]).wire();
    field.accuses("a long part of nothing", &long[..30_000], WRONG_PART).await;
    field.accuses("a long part past the total", &[wire([begun()]), long[..30_000].to_vec()].concat(), WRONG_PART).await;
    let item = |number: u64| frame(raw::LONG).var(number).var(2).u8(raw::ITEMS).var(1).var(1);
    field.accuses("an item before the long one is whole", &wire([held(), item(1), items(1, 1)]), WRONG_PART).await;
    field.accuses("a second long item at once", &wire([held(), item(1), item(2)]), WRONG_PART).await;
    let close = frame(raw::CLOSE).var(1).var(1).var(0);
    field.accuses("a close in the middle of an item", &wire([held(), item(1), part(1, &[1]), close]), WRONG_PART).await;
    field.reads_as("parts.txt");
}

// proves: limit.partial.messages, limit.partial.bytes, long.number
#[tokio::test]
async fn totals_that_lie_and_many_begun_messages_are_named() {
    let field = Field::new().await;
    field.accuses("a total past the limit", &long_call(1, (1 << 16) + 1, 1).wire(), TOO_LARGE).await;
    field.accuses("the largest total", &long_call(1, u64::MAX, 1).wire(), TOO_LARGE).await;
    field.accuses("no total", &long_call(1, 0, 1).wire(), MALFORMED).await;
    field.accuses("a number again", &wire([long_call(5, 9, 1), long_call(5, 9, 3)]), REUSED).await;
    field
        .accuses("a long message of another kind", &frame(raw::LONG).var(1).var(9).u8(raw::OPEN).wire(), MALFORMED)
        .await;
    let begin = |n: u64| [long_call(n, 1 << 16, 2 * n - 1), part(n, &[7])];
    field.accuses("as many long calls as there are none", &wire((1..=5).flat_map(begin)), CALLS).await;
    field.reads_as("totals.txt");

    let limits = Limits { max_partial_messages: 3, max_partial_bytes: 0, ..limits() };
    let builder = Server::builder().service(PreyDispatcher::new(Deer::default())).limits(limits);
    let server = builder.bind("tcp://127.0.0.1:0").await.expect("a port is free");
    let address = server.address().trim_start_matches("tcp://").to_owned();
    for (what, total) in [("more bytes begun than are taken", 40_000), ("more messages begun than are taken", 100)] {
        let stream = TcpStream::connect(&address).await.expect("accepted");
        let mut peer = Raw::initiate(stream, Some("Prey")).await;
        // Announced, they cost nothing.
        for n in 1..=4 {
            peer.send(&long_call(n, total, 2 * n - 1)).await;
        }
        peer.send(&frame(raw::PING).var(7)).await;
        peer.read_kind(raw::PONG).await;
        for n in 1..=4 {
            peer.try_write(&part(n, &[7]).wire()).await;
        }
        assert_eq!(peer.accused_of().await, TOO_MANY_PARTS, "{what}");
    }
}

// proves: long.short
#[tokio::test]
async fn parts_of_several_calls_are_put_together_each_to_its_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 1..=3 {
        peer.send(&long_call(n, 2, 2 * n - 1)).await;
    }
    peer.send(&call(1, 7, "Prey.echo", &[9])).await;
    let mut answers = Vec::new();
    // 128 × n + n.
    for n in [3, 1, 2] {
        peer.send(&part(n, &[0x80 | n as u8])).await;
    }
    for n in [2, 3] {
        peer.send(&part(n, &[n as u8])).await;
    }
    peer.send(&forget(1)).await;
    for _ in 0..3 {
        let reply = peer.read_kind(raw::REPLY).await;
        let mut fields = reply.reader();
        answers.push((fields.var(), fields.var(), fields.u8(), fields.var()));
    }
    assert_eq!(answers, [(1, 7, 0, 9), (1, 3, 0, 258), (1, 5, 0, 387)]);
    drop(peer);
    field.is_unharmed().await;
}

// proves: id.increasing, id.parity
#[tokio::test]
async fn pitfall_16_ids_of_the_wrong_parity_or_used_before_are_named() {
    let field = Field::new().await;
    field.accuses("an even request", &call(1, 2, "Prey.echo", &[1]).wire(), PARITY).await;
    field.accuses("request zero", &call(1, 0, "Prey.echo", &[1]).wire(), PARITY).await;
    field.accuses("an even connection", &open(2, "Prey").wire(), PARITY).await;
    field.accuses("an even channel", &call_with(1, 1, "Prey.drink", &[(2, 0)], &[0]).wire(), PARITY).await;
    let twice = [call(1, 5, "Prey.wait", &[]), call(1, 5, "Prey.wait", &[])];
    field.accuses("a request in flight again", &wire(twice), REUSED).await;
    let back = [call(1, 5, "Prey.echo", &[1]), call(1, 3, "Prey.echo", &[1])];
    field.accuses("a request before the last", &wire(back), REUSED).await;
    field.accuses("the handshake's connection again", &open(1, "Prey").wire(), REUSED).await;
    field.accuses("a connection again", &wire([open(5, "Prey"), open(3, "Prey")]), REUSED).await;
    let same = call_with(1, 1, "Prey.drink", &[(1, 0), (1, 0)], &[0]);
    field.accuses("one channel twice", &same.wire(), REUSED).await;
    field.reads_as("ids.txt");
}

// proves: limit.connections, limit.calls, limit.channels, limit.channel.items, limit.channel.bytes, credit.overrun
// proves: credit.overflow
#[tokio::test]
async fn pitfall_16_one_past_each_announced_limit_is_named() {
    let field = Field::new().await;
    let calls = (0..5).map(|n| call(1, 2 * n + 1, "Prey.wait", &[]));
    field.accuses("five calls of four", &wire(calls), CALLS).await;
    let opens = (1..4).map(|n| open(2 * n + 1, "Prey"));
    field.accuses("four connections of three", &wire(opens), CONNECTIONS).await;
    let channels: Vec<_> = (0..6).map(|n| (2 * n + 1, 0)).collect();
    field.accuses("six channels of five", &call_with(1, 1, "Prey.sit_on", &channels, &[0]).wire(), CHANNELS).await;
    field.accuses("nine items of eight", &wire([held(), items(1, 9)]), OVERRUN).await;
    field
        .accuses("nine items one by one", &wire([held()].into_iter().chain((0..9).map(|_| items(1, 1)))), OVERRUN)
        .await;
    let large = frame(raw::ITEMS).var(1).var(1).var(1024).bytes(&[0; 1024]).var(1).var(7);
    field.accuses("an item past the window in bytes", &wire([held(), large]), OVERRUN).await;
    let grant = frame(raw::CREDIT).var(1).var(1).var(u64::from(u32::MAX)).var(1);
    let pour = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    field.accuses("credit past its ceiling", &wire([pour, grant]), OVERFLOW).await;
    field.reads_as("limits.txt");
}

// proves: id.never, channel.direction
#[tokio::test]
async fn messages_for_what_never_was_are_named() {
    let field = Field::new().await;
    field.accuses("a call on no connection", &call(9, 1, "Prey.echo", &[1]).wire(), NO_CONNECTION).await;
    field.accuses("a shut of no connection", &frame(raw::SHUT).var(9).wire(), NO_CONNECTION).await;
    field.accuses("an answer nobody waits for", &frame(raw::ACCEPT).var(2).u8(0).wire(), NO_CONNECTION).await;
    field.accuses("a refusal nobody waits for", &frame(raw::REFUSE).var(2).u8(1).text("").wire(), NO_CONNECTION).await;
    field.accuses("items on no channel", &items(1, 1).wire(), NO_CHANNEL).await;
    field.accuses("a close of no channel", &frame(raw::CLOSE).var(1).var(1).var(0).wire(), NO_CHANNEL).await;
    field.accuses("a reset of no channel", &frame(raw::RESET).var(1).var(1).u8(0).var(0).wire(), NO_CHANNEL).await;
    field.accuses("credit for no channel", &frame(raw::CREDIT).var(1).var(1).var(1).var(1).wire(), NO_CHANNEL).await;
    field.accuses("a cancel of no request", &frame(raw::CANCEL).var(1).var(1).wire(), NO_REQUEST).await;
    field.accuses("a reply from the caller", &frame(raw::REPLY).var(1).var(1).u8(0).wire(), DIRECTION).await;
    let call = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    field.accuses("items from the receiver", &wire([call.clone(), items(1, 1)]), DIRECTION).await;
    field.accuses("a close from the receiver", &wire([call, frame(raw::CLOSE).var(1).var(1).var(0)]), DIRECTION).await;
    let credit = frame(raw::CREDIT).var(1).var(1).var(1).var(1);
    field.accuses("credit from the sender", &wire([held(), credit]), DIRECTION).await;
    field.reads_as("unknown.txt");
}

// proves: metadata.limits
#[tokio::test]
async fn metadata_bombs_are_named() {
    let field = Field::new().await;
    let with = |metadata: fn(Frame) -> Frame| metadata(frame(raw::CALL).var(1).var(1).method("Prey.echo").u8(2)).wire();
    let entries = |frame: Frame| (0..65).fold(frame.var(65), |frame, _| frame.text("k").u8(0).text("v"));
    field.accuses("65 entries", &with(entries), METADATA).await;
    field.accuses("2⁶⁰ entries", &with(|frame| frame.var(1 << 60)), METADATA).await;
    field.accuses("9 KiB", &with(|frame| frame.var(1).text("k").u8(0).text(&"v".repeat(9 << 10))), METADATA).await;
    field
        .accuses("a key of 129 bytes", &with(|frame| frame.var(1).text(&"k".repeat(129)).u8(0).text("")), METADATA)
        .await;
    field.accuses("a key of none", &with(|frame| frame.var(1).text("").u8(0).text("")), METADATA).await;
    let close = frame(raw::CLOSE).var(1).var(1).var(1).text("k").u8(0).text(&"v".repeat(9 << 10));
    field.accuses("at a close", &wire([held(), close]), METADATA).await;
    let opened = frame(raw::OPEN).var(3).text("Prey").var(1).text("k").u8(0).text(&"v".repeat(9 << 10));
    field.accuses("at an open", &opened.wire(), METADATA).await;
    field.reads_as("metadata.txt");
}

/// A violation stops at its frame: what was done before it stays done, and nothing after it is.
// proves: violation.nothing
#[tokio::test]
async fn nothing_after_a_violation_is_read() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    peer.send(&call(1, 1, "Prey.echo", &[9])).await;
    let reply = peer.read().await.expect("a reply");
    assert_eq!((reply.kind, reply.body.as_slice()), (raw::REPLY, &[1, 1, 0, 9][..]));
    peer.write(&wire([frame(0x7f), call(1, 3, "Prey.wait", &[])])).await;
    assert_eq!(peer.accused_of().await, MALFORMED);
    field.is_unharmed().await;
    assert_eq!(field.deer.started.get(), 0);
}

//! Servers that are hostile to their clients.

use super::*;

/// A client of a raw server.
async fn lured(limits: [u64; 9]) -> (PreyClient, Raw) {
    watch_panics();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let accept = tokio::spawn(async move { Raw::accept(theirs, limits).await });
    let client = vox::connect(Link::new(ours, "hostile")).await.expect("welcome");
    (client, accept.await.expect("no panic"))
}

/// What the server sends costs the session; the call under way is indeterminate.
async fn lure(what: &str, bytes: &[u8], rule: u8) {
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.wait().into_future());
    server.read_kind(raw::CALL).await;
    server.write(bytes).await;
    assert_eq!(server.accused_of().await, rule, "{what}");
    assert_eq!(call.await.expect("no panic"), Err(vox::VoxError::Indeterminate), "{what}");
    let reason = vox::Client::caller(&client).closed().await;
    assert!(matches!(&reason, vox::EndReason::PeerViolation(v) if v.rule.code() == rule), "{what}: {reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_server_is_named_too() {
    let ok = |request: u64| frame(raw::REPLY).var(1).var(request).u8(0);
    lure("a reply to nothing", &ok(3).wire(), NO_REQUEST).await;
    lure("a call to the opener", &call(1, 1, "Prey.echo", &[1]).wire(), DIRECTION).await;
    lure("a cancel from the server", &frame(raw::CANCEL).var(1).var(1).wire(), DIRECTION).await;
    lure("a second accept", &frame(raw::ACCEPT).var(1).u8(0).wire(), NO_CONNECTION).await;
    lure("an odd connection", &open(3, "Prey").wire(), PARITY).await;
    lure("items on no channel", &items(1, 1).wire(), NO_CHANNEL).await;
    lure("too long", &[0xff; 4], TOO_LARGE).await;
    lure("another welcome", &raw::welcome(raw::LIMITS).wire(), MALFORMED).await;
    assert_eq!(PANICS.get(), 0);
}

// proves: call.reply.unasked
#[tokio::test(start_paused = true)]
async fn a_second_reply_is_named_and_the_first_stands() {
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    let reply = frame(raw::REPLY).var(1).var(1).u8(0).var(4);
    server.write(&wire([reply.clone(), reply])).await;
    assert_eq!(server.accused_of().await, NO_REQUEST);
    assert_eq!(call.await.expect("no panic"), Ok(4));
}

/// Neither a call that is still on its way nor one whose reply has begun waits for ever.
#[tokio::test(start_paused = true)]
async fn a_reply_out_of_turn_is_named_and_its_call_ends() {
    let named = async |server: &mut Raw| loop {
        let read = server.read_frame().await.expect("a violation comes first");
        if read.kind == raw::VIOLATION {
            break read.body[0];
        }
    };
    let reply = frame(raw::REPLY).var(1).var(1).u8(0).var(4);
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.list(vec![u64::MAX; 400_000]).into_future());
    while server.read_frame().await.expect("a call").kind != raw::LONG {}
    server.send(&reply).await;
    assert_eq!(named(&mut server).await, NO_REQUEST);
    let outcome = tokio::time::timeout(Duration::from_secs(60), call).await.expect("it ends").expect("no panic");
    assert!(matches!(outcome, Err(vox::VoxError::NotSent(_))), "{outcome:?}");

    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    let begun = frame(raw::LONG).var(1).var(9).u8(raw::REPLY).var(1).var(1);
    server.write(&wire([begun, reply])).await;
    assert_eq!(named(&mut server).await, NO_REQUEST);
    let outcome = tokio::time::timeout(Duration::from_secs(60), call).await.expect("it ends").expect("no panic");
    assert_eq!(outcome, Err(vox::VoxError::Indeterminate));
}

// proves: outcome.invalid
#[tokio::test(start_paused = true)]
async fn replies_that_are_none_are_invalid_responses() {
    let (client, mut server) = lured(raw::LIMITS).await;
    let payloads: [&[u8]; 9] =
        [&[], &[0], &[0, 1, 2], &[2], &[1], &[1, 99], &[1, 2, 0xff], &[1, 13], &[0, 0xff, 0xff, 0xff]];
    for (n, payload) in payloads.into_iter().enumerate() {
        let call = tokio::spawn(client.echo(4).into_future());
        server.read_kind(raw::CALL).await;
        server.send(&frame(raw::REPLY).var(1).var(2 * n as u64 + 1).bytes(payload)).await;
        let outcome = call.await.expect("no panic");
        assert!(matches!(outcome, Err(vox::VoxError::InvalidResponse(_))), "{payload:?}: {outcome:?}");
    }
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    server.send(&frame(raw::REPLY).var(1).var(19).u8(0).var(4)).await;
    assert_eq!(call.await.expect("no panic"), Ok(4), "the session lives");
    assert_eq!(PANICS.get(), 0);
}

/// What a server is told of its client's types is read when a method of theirs is called, and answered there.
#[tokio::test(start_paused = true)]
async fn types_that_no_opener_has_cost_their_server_no_memory() {
    watch_panics();
    let fields = |count: u64, ty: &[u8]| {
        let schema = frame(1).u8(2).var(count);
        (0..count).fold(schema, |schema, n| schema.text(&n.to_string()).bytes(ty)).into_bytes()
    };
    let variants = (0..20_000).fold(frame(1).u8(3).var(20_000), |schema, n| schema.text(&n.to_string()).var(0));
    let doubling = (1..2000u64).fold(frame(1).u8(2).var(2000).text("0").u8(2).var(0), |schema, n| {
        schema.text(&n.to_string()).u8(2).var(2).text("a").u8(12).var(n).text("b").u8(12).var(n)
    });
    let cases = [
        ("counts that lie", raw::bomb(200 << 10), "cannot be read"),
        ("a type inside itself", b"\x01\x02\x01\x01x\x0c\x00".to_vec(), "without end"),
        ("129 levels", [&[1][..], &[6; 130], b"\x01\x02u8"].concat(), "more than 128 deep"),
        ("4,097 types", fields(4097, b"\x04\x01\x02u8"), "more than 4096 types"),
        ("20,000 fields", fields(20_000, b"\x01\x02u8"), "more than 16384 fields and variants"),
        ("20,000 variants", variants.into_bytes(), "more than 16384 fields and variants"),
        ("2¹⁹⁹⁹ empty structs", doubling.into_bytes(), "is sent, which is another type"),
        ("a name of 200 KB", frame(1).u8(1).text(&"x".repeat(200_000)).into_bytes(), "is sent, which is another type"),
        ("no bytes", Vec::new(), "cannot be read"),
    ];
    for (what, schema, why) in cases {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let builder = Server::builder().service(PreyDispatcher::new(Deer::default()));
        let _server = tokio::spawn(builder.serve_link(Link::new(theirs, "hostile")));
        let mut peer = Raw::new(ours);
        peer.send(&raw::hello_of_another("Prey", raw::LIMITS)).await;
        peer.read_kind(raw::CONTRACT).await;
        let contract = raw::contract(&raw::contract_of("Prey.list", "numbers", &schema));
        let begun = mark();
        peer.send(&contract).await;
        peer.send(&call(1, 1, "Prey.list", &[1, 7])).await;
        let (request, payload) = reply(&mut peer).await;
        let words = String::from_utf8_lossy(&payload);
        assert_eq!((request, &payload[..2]), (1, &[1, 2][..]), "{what}: InvalidPayload, {words}");
        assert!(words.contains(why), "{what}: {words}");
        let held = grown(begun);
        assert!(held < 6 << 20, "{what}: {held} bytes");
        peer.send(&call(1, 3, "Prey.echo", &[5])).await;
        assert_eq!(reply(&mut peer).await, (3, vec![0, 5]), "{what}: what it leaves alone can be called");
        peer.send(&contract).await;
        let named = peer.read_kind(raw::VIOLATION).await;
        assert!(String::from_utf8_lossy(&named.body).contains("which waits for none"), "{what}: it is told once");
    }
    assert_eq!(PANICS.get(), 0);
}

/// Each level of the types that it describes claims all the bytes that follow.
#[tokio::test(start_paused = true)]
async fn a_contract_whose_counts_lie_costs_its_client_no_memory() {
    watch_panics();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut server = Raw::new(theirs);
    let lying = raw::contract_of("Prey.list", "numbers", &raw::bomb(255 << 10));
    let accept = tokio::spawn(async move {
        server.read_kind(raw::HELLO).await;
        server.send(&raw::welcome_to_another(raw::LIMITS)).await;
        server
    });
    let client: PreyClient = vox::connect(Link::new(ours, "hostile")).await.expect("welcome");
    let (mut server, begun) = (accept.await.expect("no panic"), mark());
    server.send(&raw::contract(&lying)).await;
    let outcome = client.list(Vec::new()).await;
    assert!(
        matches!(&outcome, Err(vox::VoxError::NotSent(why)) if why.to_string().contains("cannot be read")),
        "{outcome:?}"
    );
    let held = grown(begun);
    assert!(held < 3 << 20, "{held} bytes for a contract of {}", lying.len());
    // What it leaves alone can be called.
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    server.send(&frame(raw::REPLY).var(1).var(1).u8(0).var(4)).await;
    assert_eq!(call.await.expect("no panic"), Ok(4));
    assert_eq!(PANICS.get(), 0);
}

/// Limits of nothing, and of everything, are obeyed as well as can be.
#[tokio::test(start_paused = true)]
async fn absurd_limits_of_a_peer_harm_nobody() {
    let (client, _server) = lured([0, 0, 0, 0, 1, 1, 0, 0, 0]).await;
    let outcome = client.echo(1).timeout(Duration::from_secs(1)).await;
    assert!(matches!(outcome, Err(vox::VoxError::NotSent(_))), "{outcome:?}");
    let (client, mut server) = lured([u64::MAX; 9]).await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(client.drink(rx).into_future());
    server.read_kind(raw::CALL).await;
    tx.send(1).await.expect("credit enough");
    server.read_kind(raw::ITEMS).await;
    server.send(&frame(raw::REPLY).var(1).var(1).u8(0).var(1)).await;
    assert_eq!(call.await.expect("no panic"), Ok(1));
    assert_eq!(PANICS.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_no_caller_past_its_deadline() {
    let (client, mut server) = lured(raw::LIMITS).await;
    for _ in 0..3 {
        let before = tokio::time::Instant::now();
        let outcome = client.echo(1).timeout(Duration::from_millis(50)).await;
        assert_eq!(outcome, Err(vox::VoxError::DeadlineExceeded));
        assert!(before.elapsed() < Duration::from_secs(1));
        server.read_kind(raw::CALL).await;
        server.read_kind(raw::CANCEL).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

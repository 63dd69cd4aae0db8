//! What one peer can take of a server: sessions, places at the door, places among those that wait for a link.

use std::time::Duration;

use vox::Limits;

use crate::stealing::{Den, SLOW, confirm, works};
use crate::support::raw;
use crate::support::settle;

const BUSY: u8 = 2;

/// Nothing of the strangers' ever came over theirs.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_used_outlives_any_number_of_handshakes() {
    let den = Den::new(Limits { max_detached_sessions: 16, ..Limits::default() });
    let (mut raw, ticket) = den.client().await;
    works(&mut raw, 1).await;
    drop(raw);
    settle().await;
    for _ in 0..200 {
        drop(den.client().await);
        settle().await;
    }
    assert_eq!(den.server.detached_sessions(), 16);
    let (mut raw, _) = den.resume(&ticket).await.expect("it is kept");
    confirm(&mut raw).await;
    // The reply again, which it has not acknowledged, and the next.
    assert_eq!(raw.read_kind(raw::REPLY).await.body[1], 1);
    works(&mut raw, 3).await;
}

/// Strangers who use their share push out sessions of their own, even where others have waited longer.
#[tokio::test(start_paused = true)]
async fn of_too_many_sessions_without_a_link_the_peer_that_has_the_most_loses_one() {
    for name in [None, Some("mallory")] {
        let den = Den::new(Limits { max_detached_sessions: 16, ..Limits::default() });
        // Known by its principal or by its address, and so are the others.
        let honest = den.link_of(name.is_none().then_some("10.0.0.1"));
        let (mut raw, ticket) = den.client_over(honest, name.map(|_| "honest")).await;
        works(&mut raw, 1).await;
        drop(raw);
        settle().await;
        for n in 0..100 {
            let link = den.link_of(name.is_none().then(|| format!("2001:db8:1:2::{n:x}")).as_deref());
            let (mut raw, _) = den.client_over(link, name).await;
            works(&mut raw, 1).await;
            drop(raw);
            settle().await;
        }
        assert_eq!(den.server.detached_sessions(), 16);
        let (mut raw, _) = den.resume(&ticket).await.expect("it is kept");
        confirm(&mut raw).await;
        assert_eq!(raw.read_kind(raw::REPLY).await.body[1], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn handshakes_under_way_do_not_keep_a_session_from_its_link() {
    let den = Den::new(Limits { max_pending_handshakes: 64, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    drop(raw);
    settle().await;
    let started = tokio::time::Instant::now();
    // Some say nothing, and some want a session and wait for the room.
    let mut strangers = Vec::new();
    for n in 0..90 {
        let mut raw = den.link();
        settle().await;
        if n % 4 == 3 {
            raw.try_write(&raw::hello(Some("Lab"), raw::LIMITS).wire()).await;
            settle().await;
        }
        strangers.push(raw);
    }
    let (mut raw, _) = den.resume(&ticket).await.expect("it has its place");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
    assert!(started.elapsed() < Duration::from_secs(1), "it waits for nobody");
}

/// Who shows a secret that is wrong is refused before the application is asked who that is.
#[tokio::test(start_paused = true)]
async fn forged_resumes_take_no_place_while_the_application_thinks() {
    let den = Den::new(Limits { max_pending_handshakes: 8, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    let (mallorys, of_mallory) = den.client_called(Some(SLOW)).await;
    drop((raw, mallorys));
    settle().await;
    let (started, mut strangers) = (tokio::time::Instant::now(), Vec::new());
    for _ in 0..100 {
        let mut raw = den.link();
        raw.send(&of_mallory.forged()).await;
        strangers.push(raw);
    }
    let (mut raw, _) = den.resume(&ticket).await.expect("a session between its links outlives them");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
    drop(den.client().await);
    assert_eq!(started.elapsed(), Duration::ZERO, "nobody waits");
    for raw in &mut strangers {
        assert_eq!(raw.read().await.map(|answer| answer.kind), Some(raw::REJECTED));
    }
    assert_eq!(den.server.refusals().handshakes, 100);
}

/// Each shows a secret that is right, of a peer about whom the application thinks for long: of three sessions, which have more places than there are
/// at the door.
// proves: resume.four
#[tokio::test(start_paused = true)]
async fn the_resumes_of_some_sessions_keep_no_other_from_its_link() {
    let den = Den::new(Limits { max_pending_handshakes: 8, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    let mut of_mallory = Vec::new();
    for _ in 0..3 {
        of_mallory.push(den.client_called(Some(SLOW)).await.1);
    }
    drop(raw);
    settle().await;
    let (started, mut links) = (tokio::time::Instant::now(), Vec::new());
    for n in 0..99 {
        let mut raw = den.link();
        raw.send(&of_mallory[n % 3].resume()).await;
        settle().await;
        links.push(raw);
    }
    let (mut raw, _) = den.resume(&ticket).await.expect("it has its place");
    confirm(&mut raw).await;
    works(&mut raw, 1).await;
    drop(den.client().await);
    assert!(started.elapsed() < Duration::from_secs(1), "nobody waits");
    let last = links.split_off(99 - 3 * 4);
    for mut raw in links {
        assert_eq!(raw.read().await, None, "it made way");
    }
    assert!(started.elapsed() < Duration::from_secs(1), "at once");
    assert_eq!(den.server.refusals().handshakes, 99 - 3 * 4);
    for mut raw in last {
        assert_eq!(raw.read().await.map(|answer| answer.kind), Some(raw::RESUMED));
    }
}

/// Links that end in their handshake are counted, for whatever reason; those that get a session are not, nor those that a shutdown ends.
#[tokio::test(start_paused = true)]
async fn links_that_get_no_session_are_counted() {
    let den = Den::new(Limits { max_sessions: 1, ..Limits::default() });
    let counted = || den.server.refusals().handshakes;
    let (_raw, ticket) = den.client().await;
    assert_eq!(counted(), 0);
    let mut full = den.link();
    full.send(&raw::hello(Some("Lab"), raw::LIMITS)).await;
    assert_eq!(full.read().await.map(|answer| answer.kind), Some(raw::REJECTED));
    assert_eq!(counted(), 1);
    let mut forged = den.link();
    forged.send(&ticket.forged()).await;
    assert_eq!(forged.read().await.map(|answer| answer.kind), Some(raw::REJECTED));
    assert_eq!(counted(), 2);
    let mut wild = den.link();
    wild.write(&[0xff; 64]).await;
    assert_eq!(wild.read().await, None);
    assert_eq!(counted(), 3);
    drop(den.link());
    settle().await;
    assert_eq!(counted(), 4);
    let mut mute = den.link();
    assert_eq!(mute.read().await, None, "it was too slow");
    assert_eq!(counted(), 5);
    let mut late = den.link();
    settle().await;
    den.server.shutdown(Duration::ZERO).await;
    assert_eq!(late.read().await.map(|answer| answer.kind), Some(raw::REJECTED));
    assert_eq!(counted(), 5);
}

/// Who they are is not known yet: in its handshake a link counts for the address that it comes from.
#[tokio::test(start_paused = true)]
async fn one_address_has_no_more_handshakes_than_its_share() {
    let den = Den::new(Limits { max_peer_handshakes: 2, ..Limits::default() });
    let mallory = || den.link_of(Some("2001:db8:1:2::1"));
    let (raw, ticket) = den.client_over(den.link_of(Some("2001:db8:1:2::7")), None).await;
    drop(raw);
    settle().await;
    let mut asked_about = (mallory(), mallory());
    for raw in [&mut asked_about.0, &mut asked_about.1] {
        raw.send(&raw::hello_with(&[("name", 0, SLOW)], raw::LIMITS)).await;
    }
    // Links that say nothing take nothing of it.
    let _silent = (mallory(), mallory(), mallory());
    settle().await;
    let mut third = mallory();
    let came = tokio::time::Instant::now();
    third.send(&raw::hello(Some("Lab"), raw::LIMITS)).await;
    let refused = third.read().await.expect("an answer");
    assert_eq!((refused.kind, refused.body[4]), (raw::REJECTED, BUSY));
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(text.contains("2001:db8:1:2::/64 has 2 of 2 links in their handshake (`max_peer_handshakes`)"), "{text}");
    // A session that there is gets its link all the same, and other addresses have their own.
    let mut resuming = mallory();
    resuming.send(&ticket.resume()).await;
    assert_eq!(resuming.read().await.expect("an answer").kind, raw::RESUMED);
    drop(den.client_over(den.link_of(Some("2001:db8:1:3::1")), None).await);
    drop(den.client_over(den.link_of(Some("customer 7")), None).await);
    assert_eq!(came.elapsed(), Duration::ZERO, "nobody waits");
    assert_eq!(asked_about.0.read().await.expect("an answer").kind, raw::WELCOME);
    drop(den.client_over(mallory(), None).await);
}

/// Each has sent half of its hello, and comes again as often as it is sent away.
#[tokio::test(start_paused = true)]
async fn links_that_do_not_finish_their_hello_keep_nobody_out() {
    let den = Den::new(Limits { max_pending_handshakes: 60, ..Limits::default() });
    let (raw, ticket) = den.client().await;
    drop(raw);
    let hello = raw::hello(Some("Lab"), raw::LIMITS).wire();
    let half = async |n: usize| {
        let mut raw = den.link_of(Some(["10.0.0.1", "10.0.0.2", "10.0.0.3"][n % 3]));
        raw.try_write(&hello[..hello.len() / 2]).await;
        settle().await;
        raw
    };
    let mut attackers = Vec::new();
    for n in 0..90 {
        attackers.push(half(n).await);
    }
    // One whose line is slow is from an address of its own.
    let mut slow = den.link_of(Some("192.0.2.7"));
    slow.try_write(&hello[..9]).await;
    for round in 0..10 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        for peer in [Some("192.0.2.1"), Some("10.0.0.1"), None] {
            let came = tokio::time::Instant::now();
            drop(den.client_over(den.link_of(peer), None).await);
            assert!(came.elapsed() <= Duration::from_millis(100), "round {round}, {peer:?}: {:?}", came.elapsed());
        }
        let came = tokio::time::Instant::now();
        drop(den.resume(&ticket).await.expect("its own"));
        assert!(came.elapsed() <= Duration::from_millis(100), "round {round}, resuming: {:?}", came.elapsed());
        for n in 0..10 {
            attackers.push(half(n).await);
        }
    }
    slow.try_write(&hello[9..]).await;
    assert_eq!(slow.read().await.expect("an answer").kind, raw::WELCOME);
}

#[tokio::test(start_paused = true)]
async fn one_peer_has_no_more_sessions_than_its_share() {
    for by_name in [false, true] {
        let den = Den::new(Limits { max_peer_sessions: 2, ..Limits::default() });
        let come = async |peer: &'static str| {
            let (link, name) = if by_name { (den.link(), Some(peer)) } else { (den.link_of(Some(peer)), None) };
            den.client_over(link, name).await.0
        };
        let (_first, second) = (come("10.0.0.1").await, come("10.0.0.1").await);
        let metadata: raw::Entries<'_> = if by_name { &[("name", 0, "10.0.0.1")] } else { &[] };
        let mut third = if by_name { den.link() } else { den.link_of(Some("::ffff:10.0.0.1")) };
        third.send(&raw::hello_with(metadata, raw::LIMITS)).await;
        let refused = third.read().await.expect("an answer");
        assert_eq!(refused.kind, raw::REJECTED);
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(text.contains("may have: 2") && text.contains("`Limits::max_peer_sessions`"), "{text}");
        // Others have their own, and one that leaves makes room.
        let _other = come("10.0.0.2").await;
        drop(second);
        tokio::time::sleep(Limits::default().resume_window * 2).await;
        come("10.0.0.1").await;
    }
    // Nobody knows whose these are, so they have no share.
    let den = Den::new(Limits { max_peer_sessions: 1, ..Limits::default() });
    let (_one, _two) = (den.client().await, den.client().await);
    assert_eq!(den.server.sessions(), 2);
}

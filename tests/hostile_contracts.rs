//! Descriptions of a service that are made to harm who reads them, told to servers and to clients: each is refused by a limit that its error names, in
//! no more memory than a session may have, and a session beside it goes on.
//!
//! Everything runs on one thread, whose heap is counted. `docs/protocol.md` has the limits.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::fmt::Write as _;

use support::heap::{self, grown, live, mark};
use support::raw::{self, Frame, Raw, call, contract_of, frame};
use vox::transport::Link;
use vox::{Limits, NotSent, Server, VoxError};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// The most bytes that the process may have more than before, at any time. [`MEASURED`] is what it has.
const MOST: isize = 64 << 20;
/// What they have at most: a frame of 4 MB, as it is read.
const MEASURED: isize = 8 << 20;

/// A tree, as this end knows it.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
struct Tree {
    left: Option<Box<Tree>>,
    right: Option<Box<Tree>>,
}

#[vox::service]
trait Prey {
    async fn grow(&self, tree: Tree) -> u64;
    async fn echo(&self, number: u64) -> u64;
}

struct Deer;

impl Prey for Deer {
    async fn grow(&self, tree: Tree) -> u64 {
        u64::from(tree.left.is_some()) + u64::from(tree.right.is_some())
    }
    async fn echo(&self, number: u64) -> u64 {
        number
    }
}

/// How a contract is refused.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The session ends, and is told so.
    Accused(&'static str),
    /// The method alone cannot be called, for this reason; the others can.
    Refused(&'static str),
}

use End::{Accused, Refused};

struct Attack {
    what: &'static str,
    /// The contract's frame.
    told: Frame,
    end: End,
}

/// Told with the hash that it has.
fn told(what: &'static str, contract: &[u8], end: End) -> Attack {
    Attack { what, told: raw::contract(contract), end }
}

/// The method takes an argument of this schema.
fn of_schema(what: &'static str, schema: &[u8], end: End) -> Attack {
    told(what, &contract_of("Prey.grow", "tree", schema), end)
}

/// A schema that begins so.
fn schema() -> Frame {
    frame(1)
}

/// Results in results, down to units: so many levels, of which each has twice as many types as the one above.
fn doubled(schema: Frame, levels: u32) -> Frame {
    match levels {
        0 => schema.u8(2).var(0),
        _ => doubled(doubled(schema.u8(5), levels - 1), levels - 1),
    }
}

/// An enum of so many variants, whose names differ.
fn variants(count: u64) -> Frame {
    (0..count).fold(schema().u8(3).var(count), |schema, number| schema.text(&format!("{number:x}")).var(0))
}

/// A tree each of whose parts is a type of its own, used twice: 2 to the power of `levels` places. At the last there is what `end` writes.
fn dag(levels: u64, end: impl FnOnce(Frame) -> Frame) -> Frame {
    // An option and a struct each, in which the second part is the first one again.
    let mut tree = schema();
    for _ in 0..levels {
        tree = tree.u8(2).var(2).text("left").u8(4);
    }
    tree = end(tree);
    for level in (0..levels).rev() {
        tree = tree.text("right").u8(12).var(2 * level + 1);
    }
    tree
}

fn attacks() -> Vec<Attack> {
    let types = |levels| doubled(schema(), levels).into_bytes();
    let names: String = "x".repeat(1 << 20);
    let many = contract_of("Prey.grow", "tree", &variants(1_000_000).into_bytes());
    let mut lie = frame(raw::CONTRACT).var(1).bytes(&[7; 32]);
    lie = lie.bytes(&contract_of("Prey.grow", "tree", b"\x01\x01\x03u64"));
    let mut names_of_fields = schema().u8(2).var(64);
    for number in 0..64 {
        names_of_fields = names_of_fields.text(&format!("{number}{}", "x".repeat(16 << 10))).bytes(b"\x01\x02u8");
    }
    let methods = (0..40_000u64)
        .fold(frame(1).var(40_000), |contract, id| contract.bytes(&id.to_le_bytes()).var(0).u8(0).var(0).var(0).var(0));
    vec![
        of_schema(
            "a struct in itself",
            b"\x01\x02\x01\x04left\x0c\x00",
            Refused("a type that stands in itself without end"),
        ),
        of_schema(
            "a round of arrays and structs",
            &schema().u8(2).u8(1).text("left").u8(7).var(2).u8(2).u8(1).text("a").u8(12).var(0).into_bytes(),
            Refused("a type that stands in itself without end"),
        ),
        of_schema(
            "2⁶³ leaves",
            &dag(63, |tree| tree.u8(1).text("u8")).into_bytes(),
            Refused("is u8 here and a struct of 2 fields there"),
        ),
        of_schema(
            "2⁶⁵ leaves, too deep",
            &dag(65, |tree| tree.u8(1).text("u8")).into_bytes(),
            Refused("more than 128 deep"),
        ),
        of_schema("131,071 types", &types(16), Refused("more than 4096 types")),
        of_schema("262,143 types", &types(17), Accused("over the limit of 262144")),
        of_schema("a name of 1 MiB", &schema().u8(1).text(&names).into_bytes(), Accused("over the limit of 262144")),
        of_schema("64 names of 16 KiB", &names_of_fields.into_bytes(), Accused("over the limit of 262144")),
        told(
            "a method's name of 1 MiB",
            &frame(1).var(1).method("Prey.grow").text(&names).into_bytes(),
            Accused("over the limit of 262144"),
        ),
        told("1,000,000 variants", &many[..4_000_000], Accused("over the limit of 262144")),
        of_schema("30,000 variants", &variants(30_000).into_bytes(), Refused("more than 16384 fields and variants")),
        of_schema(
            "1,000,000 variants that are not there",
            &schema().u8(3).var(1_000_000).text("a").var(0).into_bytes(),
            Refused("a count of more than there are bytes for"),
        ),
        told("40,000 methods", &methods.into_bytes(), Accused("over the limit of 262144")),
        Attack { what: "a hash that lies", told: lie, end: Accused("a contract that is not the one of its hash") },
    ]
}

/// A server and a client of it, which both mean well.
async fn honest() -> (Server, PreyClient) {
    let server = Server::builder().service(PreyDispatcher::new(Deer)).start().expect("a server");
    let (ours, theirs) = vox::transport::memory_pair();
    let (_, client) = tokio::join!(server.accept(theirs), async { vox::connect(ours).await.expect("a session") });
    (server, client)
}

/// One that knows the service otherwise, and was told how the server knows it.
async fn hostile_client(server: &Server) -> Raw {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let hello = async {
        let mut peer = Raw::new(ours);
        peer.send(&raw::hello_of_another("Prey", raw::LIMITS)).await;
        peer.read_kind(raw::CONTRACT).await;
        peer
    };
    tokio::join!(server.accept(Link::new(theirs, "hostile")), hello).1
}

/// What each attack took, for who wants to see it.
#[derive(Default)]
struct Taken(String);

impl Taken {
    fn note(&mut self, what: &str, mark: isize) {
        let most = grown(mark);
        let _ = writeln!(self.0, "{what}: {} KiB", most >> 10);
        assert!(most < MEASURED && MEASURED < MOST, "{what}: {most} bytes");
    }
}

/// Hears what comes of a contract and of a call: `Err`: the violation.
async fn answer(peer: &mut Raw) -> Result<Vec<u8>, String> {
    loop {
        let read = peer.read().await.expect("an answer");
        match read.kind {
            raw::VIOLATION => return Err(String::from_utf8_lossy(&read.body).into_owned()),
            raw::REPLY => return Ok(read.body),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_refuses_each_by_a_limit_that_it_names() {
    let (server, beside) = honest().await;
    let mut taken = Taken::default();
    for Attack { what, told, end } in attacks() {
        let told = told.wire();
        let mut peer = hostile_client(&server).await;
        let before = mark();
        // The rest may not be taken any more.
        peer.try_write(&told).await;
        peer.try_write(&call(1, 1, "Prey.grow", &[0, 0]).wire()).await;
        match (answer(&mut peer).await, end) {
            (Err(named), Accused(why)) => assert!(named.contains(why), "{what}: {named}"),
            (Ok(reply), Refused(why)) => {
                let words = String::from_utf8_lossy(&reply).into_owned();
                let why = if why.contains(" here and ") { "is sent, which is another type" } else { why };
                assert!(words.contains(why), "{what}: {words}");
                peer.send(&call(1, 3, "Prey.echo", &[5])).await;
                assert_eq!(answer(&mut peer).await, Ok(vec![1, 3, 0, 5]), "{what}: the other method can be called");
            }
            (came, end) => panic!("{what}: {came:?}, where it is {end:?}"),
        }
        taken.note(what, before);
        drop(peer);
        assert_eq!(beside.echo(1).await, Ok(1), "{what}");
        assert_eq!(beside.grow(Tree { left: None, right: None }).await, Ok(0), "{what}");
    }
    println!("{}", taken.0);
}

#[tokio::test(start_paused = true)]
async fn a_client_refuses_each_by_a_limit_that_it_names() {
    let (_server, beside) = honest().await;
    let mut taken = Taken::default();
    for Attack { what, told, end } in attacks() {
        let told = told.wire();
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (client, mut peer) = tokio::join!(
            async { vox::connect::<PreyClient>(Link::new(ours, "hostile")).await.expect("a welcome") },
            async {
                let mut peer = Raw::new(theirs);
                peer.read_kind(raw::HELLO).await;
                peer.send(&raw::welcome_to_another(raw::LIMITS)).await;
                peer
            }
        );
        let before = mark();
        let growing = tokio::spawn(client.grow(Tree { left: None, right: None }).into_future());
        peer.try_write(&told).await;
        let grown = match end {
            Accused(why) => {
                let named = answer(&mut peer).await.expect_err("a violation");
                assert!(named.contains(why), "{what}: {named}");
                growing.await.expect("no panic").expect_err("the session has ended").to_string()
            }
            Refused(why) => {
                let error = growing.await.expect("no panic").expect_err("it cannot be called");
                assert!(matches!(error, VoxError::NotSent(NotSent::Incompatible(_))), "{what}: {error:?}");
                let words = error.to_string();
                let turned = why
                    .replace("is u8 here and a struct of 2 fields there", "is a struct of 2 fields here and u8 there");
                assert!(words.contains(&turned), "{what}: {words}");
                let echoing = tokio::spawn(client.echo(5).into_future());
                peer.read_kind(raw::CALL).await;
                peer.send(&frame(raw::REPLY).var(1).var(1).u8(0).var(5)).await;
                assert_eq!(echoing.await.expect("no panic"), Ok(5), "{what}: the other method can be called");
                words
            }
        };
        // An error is short, however long its cause.
        assert!(grown.len() < 2048, "{what}: {} bytes", grown.len());
        taken.note(what, before);
        drop((client, peer));
        assert_eq!(beside.echo(1).await, Ok(1), "{what}");
    }
    println!("{}", taken.0);
}

/// Nothing is kept of contracts that were told and refused.
#[tokio::test(start_paused = true)]
async fn what_was_refused_is_let_go_of() {
    let (server, beside) = honest().await;
    let attack = || attacks().into_iter().find(|attack| attack.what == "131,071 types").expect("it is one");
    let told = attack().told.wire();
    let round = async || {
        let mut peer = hostile_client(&server).await;
        peer.try_write(&told).await;
        peer.try_write(&call(1, 1, "Prey.grow", &[0, 0]).wire()).await;
        let _ = answer(&mut peer).await;
        drop(peer);
        while server.sessions() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(beside.echo(1).await, Ok(1));
    };
    for _ in 0..3 {
        round().await;
    }
    let before = live();
    for _ in 0..50 {
        round().await;
    }
    let kept = live() - before;
    assert!(kept < 64 << 10, "{kept} bytes are kept of 50 contracts");
    assert!(server.memory() <= Limits::default().session_memory);
}

//! Two ends that know one service otherwise: what they tell each other, and what can still be called.

use std::sync::Arc;

use bytes::Bytes;

use super::testing::{Bench, OURS, PERSIST, Pot, SERVICE, VOLATILE, two_of_each};
use super::{Gate, NoTerms, Output, Recalled, Token};
use crate::codec::Plan;
use crate::error::{RefusalCode, Rule, Scarce};
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::limits::{HEAD_ROOM, Limits};
use crate::metadata::Metadata;
use crate::schema::{Contract, Described, Method, Optional, SchemaHash};
use crate::terms::MethodTerms;
use crate::wire::{Frame, Named, Open, PART, Recalls, Telling};

const U8: &[u8] = b"\x01\x01\x02u8";
const I8: &[u8] = b"\x01\x01\x02i8";
/// The contracts differ, and each end tells its own.
const BOTH: Telling = Telling { acceptors: true, openers: true };
/// The connection that the bench opens in these tests.
const OPENED: ConnectionId = ConnectionId(4);

/// A contract of the bench's service, in which the persist method answers with this.
fn contract(response: &'static [u8]) -> Arc<Contract> {
    let method = |name: &str, response| Method {
        name: name.to_owned(),
        policy: 0,
        arguments: Vec::new(),
        response: Described { schema: Bytes::from_static(response), optional: Optional::default() },
    };
    let methods = [(VOLATILE, method("volatile", U8)), (PERSIST, method("persist", response))];
    Arc::new(Contract::new(methods.into_iter().collect()))
}

/// On what terms the bench calls this method.
fn terms(bench: &mut Bench, connection: ConnectionId, method: MethodId) -> Option<Arc<MethodTerms>> {
    bench.session.terms(connection, method).expect("there is memory")
}

fn told(connection: ConnectionId, contract: &Contract) -> Frame {
    Frame::Contract { connection, hash: contract.hash(), contract: contract.bytes().clone() }
}

/// A bench that asks for a connection to a service that it knows so.
fn asking(ours: &Arc<Contract>) -> Bench {
    let mut bench = Bench::new(two_of_each());
    let ours = Some(Arc::clone(ours));
    bench.change(|session| session.open("alpha", Metadata::new(), ours, None, Token(1))).expect("there is room");
    bench
}

#[test]
fn the_opener_names_its_contract() {
    let ours = contract(U8);
    let open =
        Open { service: "alpha".to_owned(), metadata: Metadata::new(), contract: Some(Named::new(ours.hash(), None)) };
    assert_eq!(asking(&ours).sent(), [Frame::Open { connection: OPENED, open }]);
}

#[test]
fn where_the_contracts_are_equal_nothing_is_told_and_all_may_be_called() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: None });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert!(terms(&mut bench, OPENED, PERSIST).is_none());
}

// proves: contract.before-call
#[test]
fn calls_wait_for_the_contract_and_then_those_that_differ_have_terms() {
    let (ours, theirs) = (contract(U8), contract(I8));
    let mut bench = asking(&ours);
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Wait);
    bench.outputs.clear();
    bench.accept(told(OPENED, &theirs));
    let [Output::Heard { ours: kept, theirs: heard }, Output::Room] = &bench.outputs[..] else {
        panic!("{:?}", bench.outputs)
    };
    assert_eq!((*kept, heard.bytes()), (ours.hash(), theirs.bytes()));
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert_eq!(bench.sent()[1..], [told(OPENED, &ours)], "the acceptor is told too, before any call");
    assert!(terms(&mut bench, OPENED, VOLATILE).is_none());
    assert!(terms(&mut bench, OPENED, PERSIST).is_some());
    assert!(terms(&mut bench, OURS, PERSIST).is_none(), "another connection was not compared");
    let again = bench.receive(&told(OPENED, &theirs)).expect_err("it is told once");
    assert_eq!(again.rule, Rule::UnknownConnection);
}

/// A bench that asks for a connection, and recalls how another peer knew the service.
fn recalling(ours: &Arc<Contract>, theirs: &Contract) -> Bench {
    let mut bench = Bench::new(two_of_each());
    let (ours, recalled) = (Some(Arc::clone(ours)), Recalled { hash: theirs.hash(), contract: theirs.bytes().clone() });
    bench
        .change(|session| session.open("alpha", Metadata::new(), ours, Some(recalled), Token(1)))
        .expect("there is room");
    bench
}

#[test]
fn the_opener_names_the_contract_that_it_recalls() {
    let (ours, theirs) = (contract(U8), contract(I8));
    let named = Named { hash: ours.hash(), recalls: Recalls::Both(theirs.hash()) };
    let open = Open { service: "alpha".to_owned(), metadata: Metadata::new(), contract: Some(named) };
    assert_eq!(recalling(&ours, &theirs).sent(), [Frame::Open { connection: OPENED, open }]);
}

#[test]
fn a_recalled_contract_is_not_waited_for() {
    let (ours, theirs) = (contract(U8), contract(I8));
    for openers in [true, false] {
        let mut bench = recalling(&ours, &theirs);
        bench.accept(Frame::Accept { connection: OPENED, differs: Some(Telling { acceptors: false, openers }) });
        assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
        assert!(terms(&mut bench, OPENED, VOLATILE).is_none());
        assert!(terms(&mut bench, OPENED, PERSIST).is_some());
        let told: &[Frame] = if openers { &[told(OPENED, &ours)] } else { &[] };
        assert_eq!(bench.sent()[1..], *told, "the acceptor is told what it waits for");
        let again = bench.receive(&self::told(OPENED, &theirs)).expect_err("it was not to be told");
        assert_eq!(again.rule, Rule::UnknownConnection);
    }
}

/// What was recalled is the contract of another peer.
#[test]
fn an_acceptor_of_yet_another_contract_tells_it() {
    let (ours, other) = (contract(U8), contract(b"\x01\x01\x03u16"));
    let mut bench = recalling(&ours, &other);
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(Telling { acceptors: true, openers: false }) });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Wait);
    bench.accept(told(OPENED, &contract(I8)));
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert_eq!(bench.sent().len(), 1, "the acceptor was told before");
    let mut bench = recalling(&ours, &other);
    bench.accept(Frame::Accept { connection: OPENED, differs: None });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert!(terms(&mut bench, OPENED, PERSIST).is_none(), "it has the same as this end");
}

/// How the bench answers an opener that names its contract so, with what was told before.
fn answer(recalls: Recalls, heard: Option<&Contract>) -> (Bench, Telling) {
    let mut bench = Bench::new(two_of_each());
    let named = Named { hash: contract(I8).hash(), recalls };
    offer_by(&mut bench, 3, Some(named), heard);
    let sent = bench.sent();
    let [Frame::Accept { differs: Some(telling), .. }, rest @ ..] = &sent[..] else { panic!("{sent:?}") };
    let ours = [told(ConnectionId(3), &SERVICE.contract())];
    assert_eq!(rest, if telling.acceptors { &ours[..] } else { &[] });
    (bench, *telling)
}

#[test]
fn the_acceptor_waits_for_no_contract_that_it_was_told_before() {
    let (theirs, ours) = (contract(I8), SERVICE.contract().hash());
    let known = Telling { acceptors: true, openers: false };
    assert_eq!(answer(Recalls::Own, Some(&theirs)).1, known);
    assert_eq!(answer(Recalls::Both(SchemaHash([7; 32])), Some(&theirs)).1, known);
    let (mut bench, telling) = answer(Recalls::Both(ours), Some(&theirs));
    assert_eq!(telling, Telling { acceptors: false, openers: false }, "nothing is told");
    assert!(served(&mut bench, 3, PERSIST).expect("there is memory").is_some());
    let again = bench.receive(&told(ConnectionId(3), &theirs)).expect_err("it was not to be told");
    assert_eq!(again.rule, Rule::UnknownConnection);
}

#[test]
fn what_was_not_told_before_is_told() {
    let ours = SERVICE.contract().hash();
    assert_eq!(answer(Recalls::Nothing, Some(&contract(I8))).1, BOTH, "the opener may not know that it need not");
    assert_eq!(answer(Recalls::Own, None).1, BOTH);
    assert_eq!(answer(Recalls::Both(ours), None).1, Telling { acceptors: false, openers: true });
    assert_eq!(answer(Recalls::Own, Some(&contract(U8))).1, BOTH, "it is not the one of that hash");
}

#[test]
fn only_a_contract_of_its_hash_is_kept_for_later() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    bench.outputs.clear();
    let lie = Frame::Contract { connection: OPENED, hash: SchemaHash([7; 32]), contract: contract(I8).bytes().clone() };
    assert!(bench.receive(&lie).is_err());
    assert!(!bench.outputs.iter().any(|output| matches!(output, Output::Heard { .. })), "{:?}", bench.outputs);
}

// proves: contract.hash
#[test]
fn a_contract_that_is_not_the_one_of_its_hash_ends_the_session() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    let lie = Frame::Contract { connection: OPENED, hash: SchemaHash([7; 32]), contract: contract(I8).bytes().clone() };
    assert_eq!(bench.receive(&lie).expect_err("a lie").rule, Rule::MalformedFrame);
}

// proves: contract.opener-cannot
#[test]
fn an_acceptor_that_can_take_no_contract_is_called_by_the_methods_that_are_the_same() {
    let (ours, theirs) = (contract(U8), contract(I8));
    let len = ours.bytes().len();
    let mut bench = Bench::new(Limits { max_message_bytes: len + HEAD_ROOM - 1, ..two_of_each() });
    bench.change(|session| session.open("alpha", Metadata::new(), Some(ours), None, Token(1))).expect("there is room");
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    bench.accept(told(OPENED, &theirs));
    assert!(!bench.sent().iter().any(|frame| matches!(frame, Frame::Contract { .. })));
    assert!(terms(&mut bench, OPENED, VOLATILE).is_none());
    let terms = terms(&mut bench, OPENED, PERSIST).expect("it differs");
    let why = terms.refusal(&Plan::<u8>::new(), &Plan::<u8>::new(), std::iter::empty());
    let most = len - 1;
    assert_eq!(
        why.as_deref(),
        Some(&*format!("it differs, and the {len} bytes that say how are over the peer's max_message_bytes, {most}"))
    );
}

/// A call comes before its connection's contract, and another after it.
// proves: contract.unwaited
#[test]
fn a_request_has_terms_once_its_callers_contract_is_there() {
    let mut bench = Bench::new(two_of_each());
    offer(&mut bench, 3, Some(SchemaHash([7; 32])));
    let theirs = contract(I8);
    bench.accept(told(ConnectionId(3), &theirs));
    let again = bench.receive(&told(ConnectionId(3), &theirs)).expect_err("it is told once");
    assert_eq!(again.rule, Rule::UnknownConnection);
}

fn offer(bench: &mut Bench, connection: u64, theirs: Option<SchemaHash>) {
    offer_by(bench, connection, theirs.map(|hash| Named { hash, recalls: Recalls::Nothing }), None);
}

/// The peer opens a connection and names its contract so; this one is what the bench was told before.
fn offer_by(bench: &mut Bench, connection: u64, theirs: Option<Named>, heard: Option<&Contract>) {
    let open = Open { service: "alpha".to_owned(), metadata: Metadata::new(), contract: theirs };
    let heard = heard.map(|contract| contract.bytes().clone());
    let connection = ConnectionId(connection);
    bench.session.handle(bench.now, body(&Frame::Open { connection, open })).expect("no rule is broken");
    while bench.session.poll_output().is_some() {}
    bench.change(|session| session.accept(connection, 0, &SERVICE, theirs, heard));
}

fn body(frame: &Frame) -> Bytes {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    Bytes::from(bytes.split_off(crate::wire::LENGTH_BYTES))
}

#[test]
fn the_acceptor_tells_its_contract_only_to_one_that_names_another() {
    let ours = SERVICE.contract();
    let connection = ConnectionId(3);
    for same in [None, Some(ours.hash())] {
        let mut bench = Bench::new(two_of_each());
        offer(&mut bench, 3, same);
        assert_eq!(bench.sent(), [Frame::Accept { connection, differs: None }]);
    }
    let mut bench = Bench::new(two_of_each());
    offer(&mut bench, 3, Some(SchemaHash([7; 32])));
    assert_eq!(bench.sent(), [Frame::Accept { connection, differs: Some(BOTH) }, told(connection, &ours)]);
}

// proves: contract.acceptor-cannot
#[test]
fn a_peer_that_can_take_no_contract_is_refused_and_told_why() {
    let len = SERVICE.contract().bytes().len();
    let mut bench = Bench::new(Limits { max_message_bytes: len + HEAD_ROOM - 1, ..two_of_each() });
    offer(&mut bench, 3, Some(SchemaHash([7; 32])));
    let sent = bench.sent();
    let [Frame::Refuse { refusal, .. }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(refusal.code, RefusalCode::Other);
    assert!(
        refusal.reason.contains("`alpha`") && refusal.reason.ends_with(&format!("max_message_bytes, {}", len - 1)),
        "{refusal}"
    );
}

/// A peer that opens and shuts, and acknowledges nothing, is told contracts only as long as there is room for them.
#[test]
fn contracts_are_not_kept_without_bound() {
    let limits = Limits { replay_bytes: Limits::LEAST_REPLAY, ..two_of_each() };
    let mut bench = Bench::resumable(limits);
    let kept = 30 * PART;
    bench.call_with(1, &[], None, kept);
    bench.write_parts(usize::MAX);
    let len = SERVICE.contract().bytes().len();
    for n in 1..40_000 {
        let connection = ConnectionId(2 * n + 1);
        offer(&mut bench, connection.0, Some(SchemaHash([7; 32])));
        let told = bench.sent().iter().filter(|frame| matches!(frame, Frame::Contract { .. })).count();
        bench.accept(Frame::Shut { connection });
        if told == 0 {
            assert!(n as usize * len < Limits::LEAST_REPLAY - kept, "{n} contracts of {len} bytes are kept");
            return;
        }
    }
    panic!("it is told for ever");
}

#[test]
fn a_shut_before_the_contract_ends_the_wait_for_it() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    bench.accept(Frame::Shut { connection: OPENED });
    bench.accept(told(OPENED, &contract(I8)));
    assert!(matches!(bench.session.gate(OPENED, 0), Gate::Closed(_)));
}

/// A contract that says `name` of the bench's persist method, in which both differ from the bench's own.
fn other(name: &str) -> Arc<Contract> {
    let method = |name: &str| Method {
        name: name.to_owned(),
        policy: 0,
        arguments: Vec::new(),
        response: Described { schema: Bytes::from_static(I8), optional: Optional::default() },
    };
    let methods = [(VOLATILE, method("volatile")), (PERSIST, method(name))];
    Arc::new(Contract::new(methods.into_iter().collect()))
}

/// The peer opens a connection, and says that it knows the service so.
fn differ(bench: &mut Bench, connection: u64, theirs: &Contract) {
    offer(bench, connection, Some(theirs.hash()));
    bench.accept(told(ConnectionId(connection), theirs));
}

/// Limits with room for connections, and so much memory.
fn roomy(session_memory: usize) -> Limits {
    Limits { max_connections: 16, session_memory, ..Limits::default() }
}

fn memory(bench: &mut Bench) -> usize {
    bench.write();
    bench.session.check_memory();
    bench.session.memory()
}

/// On what terms the bench serves a request.
fn served(bench: &mut Bench, connection: u64, method: MethodId) -> Result<Option<Arc<MethodTerms>>, NoTerms> {
    bench.change(|session| session.serving_terms(ConnectionId(connection), RequestId(1), method))
}

#[test]
fn terms_are_charged_while_their_connection_is_open() {
    let mut bench = Bench::new(roomy(48 << 20));
    let before = memory(&mut bench);
    let (short, long) = (other("a"), other(&"a".repeat(10_000)));
    differ(&mut bench, 3, &short);
    let one = memory(&mut bench) - before;
    assert!((500..2000).contains(&one), "{one}");
    differ(&mut bench, 5, &long);
    let both = memory(&mut bench) - before;
    assert_eq!(both, 2 * one + 9_999, "its name is kept");
    bench.accept(Frame::Shut { connection: ConnectionId(3) });
    assert_eq!(memory(&mut bench) - before, both - one);
    // What this end asks for is charged as well.
    let ours = contract(U8);
    bench.change(|session| session.open("alpha", Metadata::new(), Some(ours), None, Token(1))).expect("there is room");
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    bench.accept(told(OPENED, &long));
    assert!(memory(&mut bench) - before > 20_000);
    bench.change(|session| session.shut(OPENED));
    bench.accept(Frame::Shut { connection: ConnectionId(5) });
    assert_eq!(memory(&mut bench), before);
    differ(&mut bench, 7, &long);
    bench.accept(Frame::Goodbye { reason: String::new() });
    assert_eq!(memory(&mut bench), 0);
}

#[test]
fn what_is_made_for_terms_is_charged_when_it_is_settled() {
    let mut bench = Bench::new(roomy(48 << 20));
    differ(&mut bench, 3, &other("a"));
    let before = memory(&mut bench);
    let terms = served(&mut bench, 3, PERSIST).expect("there is memory").expect("it differs");
    let made = terms.made();
    assert_eq!(
        terms.refusal(&Plan::<u8>::new(), &Plan::<u8>::new(), std::iter::empty()).as_deref().map(|_| ()),
        Some(())
    );
    assert!(terms.made() > made, "its words are kept");
    bench.change(|session| session.settle_terms(ConnectionId(3)));
    assert_eq!(memory(&mut bench) - before, terms.made() - made);
    bench.accept(Frame::Shut { connection: ConnectionId(3) });
    bench.session.check_memory();
}

// proves: memory.contract
#[test]
fn past_the_sessions_memory_what_differs_is_not_served_and_the_rest_is() {
    let mut bench = Bench::new(roomy(30_000));
    let before = memory(&mut bench);
    // One that is alone always fits.
    differ(&mut bench, 3, &other(&"a".repeat(40_000)));
    assert!(served(&mut bench, 3, PERSIST).expect("it is alone").is_some());
    let kept = memory(&mut bench);
    assert!(kept > 40_000);
    differ(&mut bench, 5, &other(&"b".repeat(100)));
    assert_eq!(memory(&mut bench), kept, "nothing is kept of the second");
    let Err(NoTerms::Short(short)) = served(&mut bench, 5, PERSIST) else { panic!("it has no terms") };
    assert_eq!((short.of(), short.limit), (Some(Scarce::SessionMemory), 30_000));
    assert!(short.needed > kept as u64 + 100, "{short:?}");
    assert!(matches!(served(&mut bench, 5, MethodId(9)), Ok(None)), "what is alike needs no terms");
    // And nothing more is made for the first, once something else is kept.
    bench.accept(super::testing::call(ConnectionId(1), 1, &[]));
    assert!(matches!(served(&mut bench, 3, PERSIST), Err(NoTerms::Short(_))), "it is no longer alone");
    bench.returns(ConnectionId(1), 1);
    for connection in [3, 5] {
        bench.accept(Frame::Shut { connection: ConnectionId(connection) });
    }
    assert_eq!(memory(&mut bench), before);
    differ(&mut bench, 7, &other(&"b".repeat(100)));
    assert!(matches!(served(&mut bench, 7, PERSIST), Ok(Some(_))), "there is room again");
}

// proves: memory.contract
#[test]
fn past_its_memory_an_opener_calls_what_is_alike_and_says_nothing_of_the_rest() {
    let mut bench = Bench::new(roomy(30_000));
    differ(&mut bench, 3, &other(&"a".repeat(29_000)));
    let ours = contract(U8);
    bench.change(|session| session.open("alpha", Metadata::new(), Some(ours), None, Token(1))).expect("there is room");
    bench.accept(Frame::Accept { connection: OPENED, differs: Some(BOTH) });
    let _ = bench.sent();
    bench.accept(told(OPENED, &contract(I8)));
    assert!(!bench.sent().iter().any(|frame| matches!(frame, Frame::Contract { .. })));
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert!(terms(&mut bench, OPENED, VOLATILE).is_none());
    let short = bench.session.terms(OPENED, PERSIST).expect_err("there is no memory");
    assert_eq!((short.of(), short.limit), (Some(Scarce::SessionMemory), 30_000));
    bench.session.check_memory();
}

#[test]
fn sessions_with_the_same_two_contracts_take_of_what_they_have_in_common_once() {
    let purse = Pot::purse(8, 1 << 20);
    let [mut one, mut other_one] = [0, 1].map(|_| {
        let mut bench = Bench::new(roomy(48 << 20));
        bench.session.takes_from(purse.clone());
        bench
    });
    let theirs = other(&"a".repeat(200_000));
    differ(&mut one, 3, &theirs);
    let (kept, taken) = (memory(&mut one), Pot::taken(8));
    assert!((200_000..kept + (64 << 10) + 1).contains(&taken), "{taken}");
    differ(&mut other_one, 3, &theirs);
    differ(&mut other_one, 5, &theirs);
    assert!(memory(&mut other_one) > 400_000, "each is charged for what it keeps alive");
    [&one, &other_one].into_iter().for_each(|bench| bench.session.check_lease());
    assert!((taken..taken + (128 << 10) + 1).contains(&Pot::taken(8)), "{}", Pot::taken(8));
    one.accept(Frame::Shut { connection: ConnectionId(3) });
    assert!(Pot::taken(8) >= 200_000, "the other still has them");
    drop(one);
    // Another contract takes of it as well, until there is no more.
    let more = |name: &str, bench: &mut Bench, connection| differ(bench, connection, &other(&name.repeat(200_000)));
    (7..).step_by(2).zip(["b", "c", "d"]).for_each(|(connection, name)| more(name, &mut other_one, connection));
    assert!(Pot::taken(8) > 800_000);
    let before = Pot::taken(8);
    more("e", &mut other_one, 13);
    assert_eq!(Pot::taken(8), before, "nothing is taken for what is not kept");
    let Err(NoTerms::Short(short)) = served(&mut other_one, 13, PERSIST) else { panic!("it has no terms") };
    assert_eq!((short.of(), short.limit), (Some(Scarce::ServerMemory), 1 << 20));
    // What is small always has room, if its session keeps nothing else.
    let mut third = Bench::new(roomy(48 << 20));
    third.session.takes_from(purse.clone());
    assert!(purse.take((1 << 20) - before, false));
    differ(&mut third, 3, &other("f"));
    assert!(matches!(served(&mut third, 3, PERSIST), Ok(Some(_))));
    purse.give_back((1 << 20) - before);
    third.accept(Frame::Shut { connection: ConnectionId(3) });
    other_one.accept(Frame::Goodbye { reason: String::new() });
    assert_eq!(memory(&mut other_one), 0);
    assert_eq!(Pot::taken(8), 0);
}

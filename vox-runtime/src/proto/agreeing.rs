//! Two ends that know one service otherwise: what they tell each other, and what can still be called.

use std::sync::Arc;

use bytes::Bytes;

use super::testing::{Bench, OURS, PERSIST, SERVICE, VOLATILE, two_of_each};
use super::{Gate, Output, Token};
use crate::codec::Plan;
use crate::error::{RefusalCode, Rule};
use crate::ids::ConnectionId;
use crate::limits::{HEAD_ROOM, Limits};
use crate::metadata::Metadata;
use crate::schema::{Contract, Described, Method, Optional, SchemaHash};
use crate::wire::{Frame, Open, PART};

const U8: &[u8] = b"\x01\x01\x02u8";
const I8: &[u8] = b"\x01\x01\x02i8";
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

fn told(connection: ConnectionId, contract: &Contract) -> Frame {
    Frame::Contract { connection, hash: contract.hash(), contract: contract.bytes().clone() }
}

/// A bench that asks for a connection to a service that it knows so.
fn asking(ours: &Arc<Contract>) -> Bench {
    let mut bench = Bench::new(two_of_each());
    let ours = Some(Arc::clone(ours));
    bench.change(|session| session.open("alpha", Metadata::new(), ours, Token(1))).expect("there is room");
    bench
}

#[test]
fn the_opener_names_its_contract() {
    let ours = contract(U8);
    let open = Open { service: "alpha".to_owned(), metadata: Metadata::new(), contract: Some(ours.hash()) };
    assert_eq!(asking(&ours).sent(), [Frame::Open { connection: OPENED, open }]);
}

#[test]
fn where_the_contracts_are_equal_nothing_is_told_and_all_may_be_called() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: false });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert!(bench.session.terms(OPENED, PERSIST).is_none());
}

#[test]
fn calls_wait_for_the_contract_and_then_those_that_differ_have_terms() {
    let (ours, theirs) = (contract(U8), contract(I8));
    let mut bench = asking(&ours);
    bench.accept(Frame::Accept { connection: OPENED, differs: true });
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Wait);
    bench.outputs.clear();
    bench.accept(told(OPENED, &theirs));
    assert!(matches!(bench.outputs[..], [Output::Room]), "{:?}", bench.outputs);
    assert_eq!(bench.session.gate(OPENED, 0), Gate::Open);
    assert_eq!(bench.sent()[1..], [told(OPENED, &ours)], "the acceptor is told too, before any call");
    assert!(bench.session.terms(OPENED, VOLATILE).is_none());
    assert!(bench.session.terms(OPENED, PERSIST).is_some());
    assert!(bench.session.terms(OURS, PERSIST).is_none(), "another connection was not compared");
    let again = bench.receive(&told(OPENED, &theirs)).expect_err("it is told once");
    assert_eq!(again.rule, Rule::UnknownConnection);
}

#[test]
fn a_contract_that_is_not_the_one_of_its_hash_ends_the_session() {
    let mut bench = asking(&contract(U8));
    bench.accept(Frame::Accept { connection: OPENED, differs: true });
    let lie = Frame::Contract { connection: OPENED, hash: SchemaHash([7; 32]), contract: contract(I8).bytes().clone() };
    assert_eq!(bench.receive(&lie).expect_err("a lie").rule, Rule::MalformedFrame);
}

#[test]
fn an_acceptor_that_can_take_no_contract_is_called_by_the_methods_that_are_the_same() {
    let (ours, theirs) = (contract(U8), contract(I8));
    let len = ours.bytes().len();
    let mut bench = Bench::new(Limits { max_message_bytes: len + HEAD_ROOM - 1, ..two_of_each() });
    bench.change(|session| session.open("alpha", Metadata::new(), Some(ours), Token(1))).expect("there is room");
    bench.accept(Frame::Accept { connection: OPENED, differs: true });
    bench.accept(told(OPENED, &theirs));
    assert!(!bench.sent().iter().any(|frame| matches!(frame, Frame::Contract { .. })));
    assert!(bench.session.terms(OPENED, VOLATILE).is_none());
    let terms = bench.session.terms(OPENED, PERSIST).expect("it differs");
    let why = terms.refusal(&Plan::<u8>::new(), &Plan::<u8>::new(), std::iter::empty());
    let most = len - 1;
    assert_eq!(
        why.as_deref(),
        Some(&*format!("it differs, and the {len} bytes that say how are over the peer's max_message_bytes, {most}"))
    );
}

/// A call comes before its connection's contract, and another after it.
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
    let open = Open { service: "alpha".to_owned(), metadata: Metadata::new(), contract: theirs };
    let connection = ConnectionId(connection);
    bench.session.handle(bench.now, body(&Frame::Open { connection, open })).expect("no rule is broken");
    while bench.session.poll_output().is_some() {}
    bench.change(|session| session.accept(connection, 0, &SERVICE, theirs));
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
        assert_eq!(bench.sent(), [Frame::Accept { connection, differs: false }]);
    }
    let mut bench = Bench::new(two_of_each());
    offer(&mut bench, 3, Some(SchemaHash([7; 32])));
    assert_eq!(bench.sent(), [Frame::Accept { connection, differs: true }, told(connection, &ours)]);
}

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
    bench.accept(Frame::Accept { connection: OPENED, differs: true });
    bench.accept(Frame::Shut { connection: OPENED });
    bench.accept(told(OPENED, &contract(I8)));
    assert!(matches!(bench.session.gate(OPENED, 0), Gate::Closed(_)));
}

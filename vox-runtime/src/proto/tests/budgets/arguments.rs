//! What arguments decode to is charged as well.

use super::*;

// proves: memory.arguments
#[test]
fn what_arguments_decode_to_is_charged_up_to_the_last_byte() {
    for (room, fits) in [(2 * cost(1000) + 5000, true), (2 * cost(1000) + 4999, false)] {
        let mut bench = Bench::new(limits(room));
        bench.accept(call_with(1, 1000));
        bench.accept(call_with(3, 1000));
        let more = bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), 5000, 0));
        let short = Short::new(SessionMemory, room + 1, room);
        assert_eq!(more, if fits { Ok(()) } else { Err(short) });
        assert_eq!(bench.session.kept_of_peer(), 2 * cost(1000) + if fits { 5000 } else { 0 });
        bench.session.check_memory();
        bench.returns(THEIRS, 1);
        let alone = bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), 1 << 20, 0));
        assert_eq!(alone, Ok(()), "one that is alone always fits");
        bench.returns(THEIRS, 3);
        is_at_rest(&mut bench);
    }
}

// proves: memory.call
#[test]
fn a_call_that_is_alone_decodes_to_no_more_than_one_message_may_with_all_that_is_kept_beside() {
    for unread in [0, 15_000] {
        let mut bench = Bench::new(Limits { max_decoded_bytes: 100_000, ..limits(20_000) });
        if unread > 0 {
            bench.accept(call_with(1, 0));
            let end = HandlerEnd::Returned(&mut vec![0; unread].into());
            bench.change(|session| session.handler_ended(THEIRS, RequestId(1), end));
        }
        bench.accept(call_with(3, 1000));
        let most = 100_000;
        let left = most - 7 - bench.session.memory();
        assert!(left + unread < most - cost(1000) + 50, "{left} is left");
        let mut decode = |bytes| bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), bytes, 7));
        assert_eq!(decode(left + 1), Err(Short::new(SessionMemory, most + 1 - 7, 20_000)), "the frame is there too");
        assert_eq!(decode(left), Ok(()));
        assert_eq!(decode(1), Err(Short::new(SessionMemory, most + 1 - 7, 20_000)));
        bench.returns(THEIRS, 3);
        is_at_rest(&mut bench);
    }
}

#[test]
fn what_arguments_decode_to_is_charged_wherever_their_handler_is() {
    let mut bench = Bench::new(limits(1 << 20));
    bench.accept(call_with(1, 5000));
    bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
    bench.accept(Frame::Shut { connection: THEIRS });
    for request in [1, 3] {
        let before = bench.session.kept_of_peer();
        assert_eq!(bench.change(|session| session.keep_decoded(THEIRS, RequestId(request), 700, 0)), Ok(()));
        assert_eq!(bench.session.kept_of_peer(), before + 700, "request {request}");
        bench.session.check_memory();
        bench.change(|session| session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Aborted));
    }
    assert_eq!(bench.change(|session| session.keep_decoded(THEIRS, RequestId(1), 700, 0)), Ok(()), "it is over");
    is_at_rest(&mut bench);
}

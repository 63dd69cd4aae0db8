//! The time of a patient call is moved on by its parts.

use super::*;

/// A call of four parts that may stand still for a second, and takes until `latest`.
fn patient_call(bench: &mut Bench, latest: Option<std::time::Instant>) {
    let (now, each) = (bench.now, Duration::from_secs(1));
    let new = NewCall {
        method: VOLATILE,
        operation: None,
        deadline: Some(now + each),
        patience: Some(Patience { each, latest }),
        metadata: Metadata::new(),
        channels: Vec::new(),
    };
    bench.change(|session| session.call(now, OURS, Token(1), new, &mut vec![7; 4 * PART].into())).expect("open");
}

#[test]
fn the_time_of_a_patient_call_is_moved_on_no_further_than_its_handler_has() {
    let mut bench = Bench::new(roomy());
    let latest = bench.now + Duration::from_millis(2000);
    patient_call(&mut bench, Some(latest));
    for millis in [900, 900, 190, 20] {
        assert_eq!(finished(&bench), []);
        bench.now += Duration::from_millis(millis);
        let now = bench.now;
        bench.change(|session| session.handle_timeout(now));
        bench.write_parts(PART);
    }
    assert_eq!(finished(&bench), [(Token(1), CallEnd::NeverLeftInTime)]);
}

#[test]
fn the_time_of_a_patient_call_is_never_moved_to_an_earlier_time() {
    let mut bench = Bench::new(roomy());
    let now = bench.now;
    let new = NewCall {
        method: VOLATILE,
        operation: None,
        deadline: Some(now + Duration::from_secs(9)),
        patience: Some(Patience { each: Duration::from_secs(1), latest: None }),
        metadata: Metadata::new(),
        channels: Vec::new(),
    };
    bench.change(|session| session.call(now, OURS, Token(1), new, &mut vec![7; 4 * PART].into())).expect("open");
    bench.write_parts(PART);
    // Because of this one, deadlines are looked at before the other's.
    bench.call_with(2, &[], Some(Duration::from_secs(7)), 1);
    bench.now += Duration::from_secs(8);
    let now = bench.now;
    bench.change(|session| session.handle_timeout(now));
    assert!(finished(&bench).iter().all(|(token, _)| *token != Token(1)), "{:?}", finished(&bench));
}

#[test]
fn the_time_of_a_patient_call_is_moved_on_by_every_part_that_leaves_and_that_comes() {
    let mut bench = Bench::new(roomy());
    patient_call(&mut bench, None);
    let wait = |bench: &mut Bench| {
        bench.now += Duration::from_millis(900);
        let now = bench.now;
        bench.change(|session| session.handle_timeout(now));
    };
    for _ in 0..4 {
        wait(&mut bench);
        bench.write_parts(PART);
    }
    let seen = bench.seen();
    assert!(matches!(&seen[0], Frame::Long { head: LongHead::Call(head), .. } if head.patient), "{seen:?}");
    bench.accept(long(1, 30, LongHead::Reply { connection: OURS, request: RequestId(2) }));
    for _ in 0..2 {
        wait(&mut bench);
        bench.accept(part(1, 10));
    }
    assert_eq!(finished(&bench), []);
    wait(&mut bench);
    wait(&mut bench);
    assert_eq!(finished(&bench), [(Token(1), CallEnd::DeadlineExceeded)]);
    // The rest of the reply still comes, and frees the place.
    bench.accept(part(1, 10));
    assert_eq!(bench.session.calls_in_flight(OURS), 0);
}

// proves: call.patient
#[test]
fn the_servers_time_begins_with_the_last_part_where_the_call_is_patient_and_else_with_the_first() {
    for patient in [false, true] {
        let mut bench = Bench::new(roomy());
        let Frame::Call { head, .. } = call(THEIRS, 1, &[]) else { panic!("a call") };
        let timeout = Some(Duration::from_secs(10));
        bench.accept(long(1, 20, LongHead::Call(crate::wire::CallHead { timeout, patient, ..head })));
        let announced = bench.now;
        bench.now += Duration::from_secs(5);
        bench.accept(part(1, 20));
        let begins = if patient { bench.now } else { announced };
        let Some(Output::Dispatch(request)) = bench.outputs.last() else { panic!("{:?}", bench.outputs) };
        assert_eq!(request.deadline, Some(begins + Duration::from_secs(10)));
    }
}

//! What is charged is what is allocated: the peak of a decoding is within its charge, and its charge within its budget.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use facet::Facet;
use vox_runtime::codec::{Budget, DecodeErrorKind, Decoder, Plan};

use super::support::{encode, fewer, peak_of};

/// What may be held beside what is charged: an error's text, an allocation for one item's way into a container.
const SLACK: usize = 256;

#[track_caller]
fn check<T: Facet<'static> + Debug>(value: &T) {
    let name = std::any::type_name::<T>();
    let plan = Plan::<T>::new();
    plan.program().unwrap();
    let frame = Bytes::from(encode(value));
    let run = |budget: Budget| {
        let mut from = Decoder::new(&frame, budget);
        let (result, peak) = peak_of(|| plan.decode(&mut from).map(drop));
        (result, peak, budget.bytes() - from.budget().bytes())
    };
    let (result, peak, charged) = run(Budget::new(usize::MAX >> 1, Budget::DEPTH));
    assert_eq!(result, Ok(()), "{name}");
    assert!(peak <= charged + SLACK, "{name}: {peak} bytes are held, {charged} are charged");
    // Whatever the budget is, no more is held.
    for part in 0..8 {
        let budget = charged * part / 8;
        let (result, peak, _) = run(Budget::new(budget, Budget::DEPTH));
        match result {
            Err(error) => assert!(matches!(error.kind, DecodeErrorKind::OverBudget { .. }), "{name}: {error}"),
            Ok(()) => assert_eq!(charged, 0, "{name}"),
        }
        assert!(peak <= budget + SLACK, "{name}: {peak} bytes are held of a budget of {budget}");
    }
}

type Wide = Option<[u64; 40]>;

#[test]
fn one_of_each_container_holds_no_more_than_it_is_charged() {
    check(&BTreeMap::from([(1u8, None::<[u64; 400]>)]));
    check(&BTreeSet::from([(7u16, None::<[u8; 300]>)]));
    check(&HashMap::from([(1u8, None::<[u64; 400]>)]));
    check(&HashSet::from([(7u16, None::<[u8; 300]>)]));
    check(&Box::new(None::<[u64; 400]>));
    check(&Rc::new(None::<[u64; 400]>));
    check(&Arc::<[Wide]>::from(vec![None]));
    check(&Rc::<[Wide]>::from(vec![None; 3]));
    check(&(BTreeMap::from([(1u8, None::<[u64; 4000]>)]), BTreeMap::from([(1u8, None::<[u64; 4000]>)])));
    check(&Arc::<str>::from("shared"));
    check(&"x".repeat(10_000));
}

#[test]
fn many_of_each_container_hold_no_more_than_they_are_charged() {
    for len in [2, 3, 4, 5, 7, 8, 11, 12, 14, 15, 29, 30, 100].into_iter().take(fewer(100, 4)) {
        let numbers = 0..len as u64;
        check(&numbers.clone().map(|n| (n, None::<[u32; 9]>)).collect::<BTreeMap<_, _>>());
        check(&numbers.clone().rev().collect::<BTreeSet<_>>());
        check(&numbers.clone().map(|n| (n, n as u8)).collect::<HashMap<_, _>>());
        check(&numbers.clone().map(|n| n as u8).collect::<HashSet<_>>());
        check(&numbers.clone().map(|n| BTreeMap::from([(n as u8, n as u8)])).collect::<Vec<_>>());
        check(&numbers.clone().map(|n| HashSet::from([n])).collect::<Vec<_>>());
        check(&vec![None::<[u8; 77]>; len].into_boxed_slice());
        check(&Arc::<[Box<u64>]>::from(numbers.clone().map(Box::new).collect::<Vec<_>>()));
        check(&vec![(); len]);
        check(&vec![vec!["text".to_owned(); 3]; len]);
    }
}

#[test]
fn containers_that_grow_hold_no_more_than_they_are_charged() {
    if cfg!(miri) {
        return;
    }
    for len in [5_000, 16_384, 16_385, 40_001] {
        check(&vec![None::<[u64; 30]>; len]);
        check(&vec![None::<[u64; 30]>; len].into_boxed_slice());
        check(&Rc::<[Wide]>::from(vec![None; len]));
        let numbers = 0..len as u64;
        check(&numbers.clone().map(|n| (n, None::<[u64; 20]>)).collect::<HashMap<_, _>>());
        check(&numbers.clone().map(|n| (n, None::<[u64; 20]>)).collect::<HashSet<_>>());
        check(&numbers.clone().map(|n| (n.reverse_bits(), None::<[u64; 20]>)).collect::<BTreeMap<_, _>>());
        check(&numbers.map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect::<BTreeSet<_>>());
    }
}

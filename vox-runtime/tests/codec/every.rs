//! Every kind of type, with every cut and many changes of its bytes: nothing is undefined, leaked, or decoded twice.
//!
//! Natively all cuts run, and every byte takes every odd value. Miri takes a sample, drawn from a seed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use facet::Facet;
use vox_runtime::codec::{Budget, Decoder, Encoder, Plan, schema_of};

use super::support::{encode, held};
use super::types::*;

/// What a byte is changed to, beside its neighbours.
const ODD: [u8; 8] = [0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff];

/// How many cuts and changes of a value run under Miri.
const SAMPLE: u64 = 24;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

fn check<T: Facet<'static> + Debug>(dice: &mut Dice, value: T) {
    let plan = Plan::<T>::new();
    plan.program().unwrap();
    schema_of(T::SHAPE).unwrap();
    let bytes = encode(&value);
    drop(value);
    super::json::comes_back::<T>(&bytes);
    let before = held();
    attempt(&plan, &bytes, true);
    if cfg!(miri) {
        for _ in 0..SAMPLE {
            attempt(&plan, &bytes[..dice.below(bytes.len())], false);
            let mut bad = bytes.clone();
            if let Some(len) = bad.len().checked_sub(1) {
                let at = dice.below(len + 1);
                bad[at] = ODD[dice.below(ODD.len())] ^ (dice.below(2) as u8);
                let at = dice.below(len + 1);
                bad[at] = ODD[dice.below(ODD.len())];
            }
            attempt(&plan, &bad, false);
        }
    } else {
        for cut in 0..bytes.len() {
            attempt(&plan, &bytes[..cut], false);
            let mut bad = bytes.clone();
            for odd in ODD.into_iter().chain([bytes[cut] ^ 1, bytes[cut].wrapping_add(1)]) {
                bad[cut] = odd;
                attempt(&plan, &bad, false);
                // A second change, further on.
                let other = dice.below(bad.len());
                let was = std::mem::replace(&mut bad[other], ODD[dice.below(ODD.len())]);
                attempt(&plan, &bad, false);
                bad[other] = was;
            }
        }
    }
    assert_eq!(held(), before, "{} leaks", std::any::type_name::<T>());
}

/// Decodes, and encodes the result: that is decoded to the same again.
fn attempt<T: Facet<'static> + Debug>(plan: &Plan<T>, bytes: &[u8], is_whole: bool) {
    let frame = Bytes::copy_from_slice(bytes);
    let decode = |frame: &Bytes| plan.decode(&mut Decoder::new(frame, Budget::new(1 << 20, Budget::DEPTH)));
    let decoded = decode(&frame);
    assert!(decoded.is_ok() || !is_whole, "{decoded:?}");
    let Ok(value) = decoded else { return };
    let mut again = Vec::new();
    plan.encode(&value, &mut Encoder::new(&mut again, usize::MAX)).expect("what was decoded can be encoded");
    // Maps in another order are as long.
    let third = decode(&Bytes::from(again.clone())).map(|value| encode(&value).len());
    assert_eq!(third, Ok(again.len()), "{bytes:?}");
}

#[derive(Facet, Clone, Debug, PartialEq)]
#[repr(C)]
#[allow(dead_code)]
enum Wire {
    Unit,
    Pair(u8, String),
    Named { wide: u128, list: Vec<Option<u16>> },
}

#[derive(Facet, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
enum Far {
    Low = -300,
    High = 300,
}

#[test]
fn every_type_takes_every_cut_and_change() {
    let dice = &mut Dice(0x5eed_0f5e_ed0f_5eed);
    let s = |text: &str| text.to_owned();
    check(dice, (true, 'ß', 1u8, -1i8, 300u16, -300i16));
    check(dice, (70_000u32, -70_000i32, 1u64 << 40, i64::MIN, u128::MAX, i128::MIN));
    check(dice, (usize::MAX, isize::MIN, 1.5f32, f64::NAN));
    check(dice, vec![s("a"), s("ß"), s(""), s("a longer text than sixteen bytes")]);
    check(dice, (Some(s("a")), None::<String>, Some(Some(7u64)), Some(())));
    check(dice, (Ok::<u8, String>(1), Err::<u8, String>(s("no")), Ok::<(), Box<u8>>(())));
    check(dice, vec![Wire::Unit, Wire::Pair(7, s("x")), Wire::Named { wide: 1 << 90, list: vec![None, Some(9)] }]);
    check(dice, vec![Far::Low, Far::High]);
    check(dice, (Box::new(7u64), Rc::new(s("r")), Arc::new(vec![1u16]), Box::new(())));
    check(dice, vec![s("a"), s("b")].into_boxed_slice());
    check(dice, (Rc::<[u32]>::from(vec![1, 2, 300]), Arc::<[Arc<String>]>::from(vec![Arc::new(s("x"))])));
    check(dice, (Vec::<u8>::new(), vec![1u8, 2], vec![-1i8], vec![1.5f32], vec![2.5f64]));
    check(dice, (vec![1u32, 70_000], vec![-1i32], vec![1u64 << 60], vec![i64::MIN], vec![true, false]));
    check(dice, ([1u8; 5], [s("a"), s("b")], [Some(7u64); 20], [[1u16; 2]; 2]));
    check(dice, vec![(); 3]);
    check(dice, vec![vec![vec![1u64], vec![]], vec![]]);
    check(dice, HashMap::from([(1u8, s("one")), (2, s("two"))]));
    check(dice, HashMap::from([(s("k"), 1u64 << 40)]));
    check(dice, HashMap::from([(1u64, ()), (2, ())]));
    check(dice, HashMap::from([(1u64, 2u8), (3, 4)]));
    check(dice, BTreeMap::from([(1u8, 1u64), (2, 2)]));
    check(dice, (0..13u16).map(|n| (n, Some(n.to_string()))).collect::<BTreeMap<_, _>>());
    check(dice, (HashSet::from([s("a"), s("b")]), HashSet::from([Far::Low]), HashSet::from([()])));
    check(dice, (BTreeSet::from([3u64, 1, 2]), BTreeSet::from([Box::new(1u8)])));
    check(dice, List { value: 1, next: Some(Box::new(List { value: 2, next: None })) });
    check(dice, Tree::Pair(Box::new(Tree::Leaf(1)), Box::new(Tree::Node(vec![Tree::Leaf(-2)]))));
    check(dice, (Bytes::from_static(b"frame"), ByteString::from_static("slice"), BytesMut::from(&b"own"[..])));
    check(dice, (Box::<str>::from("b"), Rc::<str>::from("r"), Arc::<[u8]>::from(&b"a"[..])));
    check(dice, (std::time::Duration::new(5, 6), std::num::NonZero::new(7u32), std::path::PathBuf::from("/x")));
    check(dice, (std::net::Ipv4Addr::LOCALHOST, std::net::IpAddr::from([0u8; 16])));
    check(dice, (1u8..9, std::marker::PhantomData::<String>, Newtype(s("n"))));
    check(dice, Point { x: 1, y: -70_000 });
}

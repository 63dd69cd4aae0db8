//! Pairs of services that are made from a seed: the checker and the runtime never disagree, and what passes is read.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::change::Position;
use super::code::Code;
use super::compare::compare;
use super::snapshot::{Snapshot, SnapshotArgument, SnapshotMethod, contract_of};
use super::text::is_option;
use crate::schema::{Container, Graph, NodeField, NodeKind, NodeVariant};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const NAMED: [&str; 9] = ["u8", "u16", "u32", "u64", "i16", "i64", "string", "bool", "bytes"];

/// A type, and what is in it.
fn ty(graph: &mut Graph, depth: usize, dice: &mut Dice) -> usize {
    let named = NodeKind::Named(NAMED[dice.roll(NAMED.len())].to_owned());
    let kind = match dice.roll(if depth > 3 { 4 } else { 13 }) {
        0..=3 => named,
        4..=6 => {
            let at = graph.begin(Some(format!("S{}", graph.len())));
            let fields = fields(graph, depth, Some(at), dice);
            graph.fill(at, NodeKind::Struct(fields));
            return at;
        }
        7 | 8 => {
            let at = graph.begin(Some(format!("E{}", graph.len())));
            let count = 1 + dice.roll(3);
            let variant = |number| NodeVariant { name: format!("V{number}"), fields: fields(graph, depth, None, dice) };
            let kind = NodeKind::Enum((0..count).map(variant).collect());
            graph.fill(at, kind);
            return at;
        }
        9 => NodeKind::Of(Container::Option, vec![ty(graph, depth + 1, dice)]),
        10 => NodeKind::Of(Container::List, vec![ty(graph, depth + 1, dice)]),
        11 => NodeKind::Of(Container::Map, vec![ty(graph, depth + 2, dice), ty(graph, depth + 1, dice)]),
        _ => NodeKind::Array(1 + dice.roll(3) as u64, ty(graph, depth + 1, dice)),
    };
    graph.add(None, kind)
}

/// Fields; one of them may be a list of what they stand in.
fn fields(graph: &mut Graph, depth: usize, whole: Option<usize>, dice: &mut Dice) -> Vec<NodeField> {
    let mut fields = Vec::new();
    for number in 0..dice.roll(4) {
        let ty = match whole {
            Some(whole) if dice.roll(6) == 0 => graph.add(None, NodeKind::Of(Container::List, vec![whole])),
            _ => ty(graph, depth + 1, dice),
        };
        let optional = is_option(graph, ty) || dice.roll(4) == 0;
        fields.push(NodeField { name: format!("f{number}"), ty, optional });
    }
    fields
}

/// Changes some of the types.
fn change(graph: &mut Graph, dice: &mut Dice) {
    for at in 0..graph.len() {
        if dice.roll(3) > 0 {
            continue;
        }
        let kind = match graph.get(at).kind.clone() {
            NodeKind::Named(_) => NodeKind::Named(NAMED[dice.roll(NAMED.len())].to_owned()),
            NodeKind::Struct(mut fields) => {
                change_fields(graph, &mut fields, dice);
                NodeKind::Struct(fields)
            }
            NodeKind::Enum(mut variants) => {
                match dice.roll(4) {
                    0 => variants.push(NodeVariant { name: "New".to_owned(), fields: Vec::new() }),
                    1 if variants.len() > 1 => drop(variants.remove(0)),
                    2 => variants.reverse(),
                    _ => {
                        let number = dice.roll(variants.len());
                        change_fields(graph, &mut variants[number].fields, dice);
                    }
                }
                NodeKind::Enum(variants)
            }
            NodeKind::Array(len, item) => NodeKind::Array(len + dice.roll(2) as u64, item),
            other => other,
        };
        graph.fill(at, kind);
    }
}

fn change_fields(graph: &mut Graph, fields: &mut Vec<NodeField>, dice: &mut Dice) {
    match dice.roll(4) {
        0 => {
            let ty = ty(graph, 4, dice);
            fields.insert(
                dice.roll(fields.len() + 1),
                NodeField { name: "new".to_owned(), ty, optional: dice.roll(3) > 0 },
            );
        }
        1 if !fields.is_empty() => drop(fields.remove(dice.roll(fields.len()))),
        2 => fields.reverse(),
        _ => fields.iter_mut().for_each(|field| field.optional |= dice.roll(2) == 0),
    }
}

/// A service of one method, which takes and returns the type.
fn service(graph: Graph, root: usize) -> Snapshot {
    let mut graph = graph;
    let never = graph.add(None, NodeKind::Named("Infallible".to_owned()));
    let response = graph.add(None, NodeKind::Of(Container::Result, vec![root, never]));
    let may_miss = is_option(&graph, root);
    let arguments = vec![SnapshotArgument { name: "a".to_owned(), may_miss, ty: root }];
    let method = SnapshotMethod { idem: false, persist: false, timeout: None, arguments, response };
    let methods = BTreeMap::from([("m".to_owned(), method)]);
    let contract = contract_of("S", &methods, &graph);
    Snapshot { service: "S".to_owned(), methods, graph, accepted: Vec::new(), contract }
}

#[test]
fn the_checker_and_the_runtime_never_disagree() {
    let pairs = std::env::var("VOX_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(1000u64);
    let (mut refused, mut for_values, mut passed) = (0, 0, 0);
    for seed in 0..pairs {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut graph = Graph::default();
        let root = ty(&mut graph, 0, &mut dice);
        let old = service(graph.clone(), root);
        change(&mut graph, &mut dice);
        let new = service(graph, root);
        if old.fault().or_else(|| new.fault()).is_some() {
            continue;
        }
        // Read again, they are the same.
        for snapshot in [&old, &new] {
            let text = snapshot.to_string();
            let read = Snapshot::parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(read.to_string(), text, "seed {seed}");
        }
        let changes = compare(&old, &new);
        let (before, after) = (old.contract_method("m").expect("it"), new.contract_method("m").expect("it"));
        let is_of_values = |code| [Code::VariantAdded, Code::VariantRemoved].contains(&code);
        for (is_old, runtime) in [(true, before.refusal(after)), (false, after.refusal(before))] {
            let fault = |change: &&super::Change| if is_old { &change.old_client } else { &change.new_client }.clone();
            let faults: Vec<_> = changes.iter().filter(|change| fault(change).is_some()).collect();
            match &runtime {
                Some(words) => {
                    refused += 1;
                    let says = faults.iter().any(|change| fault(change).as_ref() == Some(words));
                    assert!(says, "seed {seed}: the runtime says {words}, the checker {faults:?}");
                }
                None => {
                    assert!(faults.iter().all(|change| is_of_values(change.code)), "seed {seed}: {faults:?}");
                    passed += usize::from(faults.is_empty());
                }
            }
        }
        for change in changes.iter().filter(|change| change.position != Position::Method) {
            let fails = change.old_client.is_some() || change.new_client.is_some();
            let bites = change.witness.as_ref().map(|witness| Bytes::copy_from_slice(&witness.bytes));
            for_values += usize::from(is_of_values(change.code));
            // One who refuses an argument as a whole has no value to show.
            let is_whole = [Code::ArgumentAdded, Code::ArgumentRemoved].contains(&change.code);
            assert_eq!(bites.is_some(), fails && !is_whole, "seed {seed}: {change}");
        }
    }
    assert!(refused > 300 && for_values > 50 && passed > 300, "{refused} {for_values} {passed}");
}

//! What two ends that call and serve one service must agree on: its methods, and what crosses the wire for each.
//!
//! A contract is a service's description in canonical bytes, and the hash of these. They start with [`VERSION`]; then come
//! how many methods there are and, in the order of their ids, of each
//!
//! | field | type | |
//! |---|---|---|
//! | id | u64le | the method's id |
//! | name | text | its name |
//! | policy | u8 | 1: `idem`, 2: `persist` |
//! | arguments | varint | how many |
//! | per argument: name | text | |
//! | schema | bytes | varint length, then the [schema](super::Schema) |
//! | response | bytes | varint length, then the schema of `Result<T, E>` |

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::SchemaHash;
use super::cursor::{Cursor, SchemaFault};
use super::difference::{Pairs, difference};
use crate::ids::MethodId;
use crate::shown::Shown;

/// What the bytes of a contract start with.
const VERSION: u8 = 1;

/// The methods of a service, as one end knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contract {
    hash: SchemaHash,
    bytes: Bytes,
    methods: BTreeMap<MethodId, Method>,
}

/// A method, as its contract has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: String,
    /// 1: `idem`, 2: `persist`.
    pub(crate) policy: u8,
    /// Names and schemas.
    pub(crate) arguments: Vec<(String, Bytes)>,
    pub(crate) response: Bytes,
}

/// The methods that the two ends of a connection do not agree on, and where they differ.
pub(crate) type Disagreements = BTreeMap<MethodId, Arc<str>>;

impl Contract {
    /// The most bytes that a contract may have.
    pub(crate) const MAX_BYTES: usize = 256 << 10;

    /// The contract of these methods.
    pub(crate) fn new(methods: BTreeMap<MethodId, Method>) -> Self {
        let mut bytes = vec![VERSION];
        put_number(&mut bytes, methods.len());
        for (id, method) in &methods {
            bytes.extend_from_slice(&id.0.to_le_bytes());
            put_bytes(&mut bytes, method.name.as_bytes());
            bytes.push(method.policy);
            put_number(&mut bytes, method.arguments.len());
            for (name, schema) in &method.arguments {
                put_bytes(&mut bytes, name.as_bytes());
                put_bytes(&mut bytes, schema);
            }
            put_bytes(&mut bytes, &method.response);
        }
        Self { hash: hash(&bytes), bytes: bytes.into(), methods }
    }

    /// Reads a contract that a peer sent, and checks that it is the one of this hash.
    pub(crate) fn read(bytes: Bytes, expected: SchemaHash) -> Result<Self, SchemaFault> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(SchemaFault(format!(
                "a contract of {} bytes, over the limit of {}",
                bytes.len(),
                Self::MAX_BYTES
            )));
        }
        if hash(&bytes) != expected {
            return Err(SchemaFault("a contract that is not the one of its hash".to_owned()));
        }
        let mut cursor = Cursor::new(&bytes);
        if cursor.byte()? != VERSION {
            return Err(cursor.fault("a contract of another version"));
        }
        // An id, two lengths, a policy and a count.
        let count = cursor.count(12)?;
        let mut methods = BTreeMap::new();
        for _ in 0..count {
            let id = cursor.take(8)?.try_into().map_err(|_| cursor.fault("no id"))?;
            let name = cursor.text()?.to_owned();
            let policy = cursor.byte()?;
            let mut arguments = Vec::new();
            for _ in 0..cursor.count(2)? {
                let name = cursor.text()?.to_owned();
                arguments.push((name, bytes.slice_ref(cursor.bytes()?)));
            }
            let response = bytes.slice_ref(cursor.bytes()?);
            let method = Method { name, policy, arguments, response };
            if methods.insert(MethodId(u64::from_le_bytes(id)), method).is_some() {
                return Err(cursor.fault("a method that was there before"));
            }
        }
        cursor.end()?;
        Ok(Self { hash: expected, bytes: bytes.clone(), methods })
    }

    /// What names it: BLAKE3 of its bytes.
    pub(crate) fn hash(&self) -> SchemaHash {
        self.hash
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The methods of this end's service that the peer, whose contract is `theirs`, knows otherwise. One that the peer does not
    /// know is not among them: it answers for that itself.
    pub(crate) fn disagreements(&self, theirs: &Self) -> Disagreements {
        let (mut found, mut pairs) = (Disagreements::new(), Pairs::of_a_contract());
        for (id, ours) in &self.methods {
            let Some(method) = theirs.methods.get(id) else { continue };
            match ours.difference(method, &mut pairs) {
                Ok(None) => {}
                Ok(Some(words)) => {
                    found.insert(*id, words.into());
                }
                Err(SchemaFault(fault)) => {
                    found.insert(*id, format!("the peer's description of it cannot be read: {fault}").into());
                }
            }
        }
        found
    }
}

impl Method {
    fn difference(&self, theirs: &Self, pairs: &mut Pairs) -> Result<Option<String>, SchemaFault> {
        for at in 0..self.arguments.len().max(theirs.arguments.len()) {
            match (self.arguments.get(at), theirs.arguments.get(at)) {
                (Some((name, ours)), Some((other, theirs))) if name == other => {
                    if let Some(words) = difference(&format!("argument `{name}`"), ours, theirs, pairs)? {
                        return Ok(Some(words));
                    }
                }
                (ours, theirs) => {
                    let words = |argument: Option<&(String, Bytes)>| {
                        argument.map_or("missing".to_owned(), |(name, _)| format!("`{}`", Shown::name(name)))
                    };
                    return Ok(Some(format!("argument {at} is {} here and {} there", words(ours), words(theirs))));
                }
            }
        }
        difference("the response", &self.response, &theirs.response, pairs)
    }
}

fn hash(bytes: &[u8]) -> SchemaHash {
    SchemaHash(*blake3::hash(bytes).as_bytes())
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    let mut number = number as u64;
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const U64: &[u8] = b"\x01\x01\x03u64";
    const I64: &[u8] = b"\x01\x01\x03i64";

    fn method(name: &str, arguments: &[(&str, &'static [u8])], response: &'static [u8]) -> (MethodId, Method) {
        let arguments = arguments.iter().map(|(name, schema)| ((*name).to_owned(), Bytes::from_static(schema)));
        let method = Method {
            name: name.to_owned(),
            policy: 0,
            arguments: arguments.collect(),
            response: Bytes::from_static(response),
        };
        (id(name), method)
    }

    fn id(name: &str) -> MethodId {
        MethodId(name.bytes().fold(0, |id, byte| id << 7 ^ u64::from(byte)))
    }

    fn contract(methods: Vec<(MethodId, Method)>) -> Contract {
        Contract::new(methods.into_iter().collect())
    }

    #[test]
    fn what_was_written_is_read_and_has_its_hash() {
        let ours = contract(vec![method("balance", &[("account", U64)], U64), method("total", &[], I64)]);
        assert_eq!(Contract::read(ours.bytes().clone(), ours.hash()).as_ref(), Ok(&ours));
        for cut in 0..ours.bytes().len() {
            let cut = ours.bytes().slice(..cut);
            let named = hash(&cut);
            assert!(Contract::read(cut.clone(), named).is_err(), "{cut:?}");
        }
        let other = contract(vec![method("total", &[], I64)]);
        let lie = Contract::read(other.bytes().clone(), ours.hash());
        assert_eq!(lie, Err(SchemaFault("a contract that is not the one of its hash".to_owned())));
    }

    #[test]
    fn the_order_of_declaration_does_not_matter() {
        let (a, b) = (method("balance", &[("account", U64)], U64), method("total", &[], I64));
        assert_eq!(contract(vec![a.clone(), b.clone()]), contract(vec![b, a]));
    }

    /// Each pair of these types stands beside each other in 16,002 ways.
    #[test]
    fn what_is_compared_has_one_bound_for_a_whole_contract() {
        let ring = |len| Bytes::from([b"\x01".as_slice(), &b"\x02\x01\x01n".repeat(len), b"\x0c\x00"].concat());
        let of = |ring: Bytes| {
            let method = |name: &str| {
                let (id, method) = method(name, &[], U64);
                (id, Method { response: ring.clone(), ..method })
            };
            contract(["a", "b", "c", "d", "e"].map(method).to_vec())
        };
        let found = of(ring(127)).disagreements(&of(ring(126)));
        let words: Vec<&str> = found.values().map(|words| &**words).collect();
        assert_eq!(words, ["the peer's description of it cannot be read: more than 65536 pairs of types to compare"]);
    }

    #[test]
    fn methods_are_judged_one_by_one() {
        let ours = contract(vec![
            method("same", &[("a", U64)], U64),
            method("retyped", &[("a", U64)], U64),
            method("swapped", &[("from", U64), ("to", U64)], U64),
            method("longer", &[("a", U64)], U64),
            method("answer", &[], U64),
            method("ours", &[], U64),
            method("broken", &[], U64),
        ]);
        let theirs = contract(vec![
            method("same", &[("a", U64)], U64),
            method("retyped", &[("a", I64)], U64),
            method("swapped", &[("to", U64), ("from", U64)], U64),
            method("longer", &[("a", U64), ("b", U64)], U64),
            method("answer", &[], I64),
            method("theirs", &[], U64),
            method("broken", &[], b"\x01\x63"),
        ]);
        let found = ours.disagreements(&theirs);
        let words = |name: &str| found.get(&id(name)).map(|words| &**words);
        assert_eq!(words("retyped"), Some("argument `a` is u64 here and i64 there"));
        assert_eq!(words("swapped"), Some("argument 0 is `from` here and `to` there"));
        assert_eq!(words("longer"), Some("argument 1 is missing here and `b` there"));
        assert_eq!(words("answer"), Some("the response is u64 here and i64 there"));
        let broken = "the peer's description of it cannot be read: at byte 2: an unknown kind of type, 99";
        assert_eq!(words("broken"), Some(broken));
        assert_eq!(found.len(), 5);
    }
}

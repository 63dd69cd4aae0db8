//! Contracts: what two ends of one service must agree on, its methods and the types of each.
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
//! | may be missing | u8 | 1: the handler does without it |
//! | type | type | |
//! | response | type | that of `Result<T, E>` |
//!
//! where a type is
//!
//! | field | type | |
//! |---|---|---|
//! | schema | bytes | varint length, then the [schema](super::Schema) |
//! | optional fields | varint | how many fields this end, when it reads the type, does without |
//! | per field | varint | its number among all fields of the schema, less that of the one before |

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use super::SchemaHash;
use super::cursor::{Cursor, SchemaFault};
use super::judge::{self, Finding, Known, Writer};
use super::types::{MAX_PARTS, Optional, Types};
use crate::escaped::Escaped;
use crate::ids::MethodId;

/// What the bytes of a contract start with.
const VERSION: u8 = 1;
/// How many arguments a method of a peer may have.
const MAX_ARGUMENTS: usize = 256;

/// The methods of a service, as one end knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contract {
    hash: SchemaHash,
    bytes: Bytes,
    methods: BTreeMap<MethodId, Arc<Method>>,
}

/// A method, as its contract has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: String,
    /// 1: `idem`, 2: `persist`.
    pub(crate) policy: u8,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) response: Described,
}

/// An argument, as its method's contract has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    /// The handler does without it.
    pub(crate) may_miss: bool,
    pub(crate) ty: Described,
}

/// A type, as one end knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Described {
    /// The bytes of its schema.
    pub(crate) schema: Bytes,
    /// What the end does without when it reads the type.
    pub(crate) optional: Optional,
}

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
            for argument in &method.arguments {
                put_bytes(&mut bytes, argument.name.as_bytes());
                bytes.push(argument.may_miss.into());
                argument.ty.put(&mut bytes);
            }
            method.response.put(&mut bytes);
        }
        let methods = methods.into_iter().map(|(id, method)| (id, Arc::new(method))).collect();
        Self { hash: hash(&bytes), bytes: bytes.into(), methods }
    }

    /// Reads a contract that a peer sent, and checks that it is the one of this hash. Keeps what it says of the methods that
    /// `ours` has too.
    pub(crate) fn read(bytes: &Bytes, expected: SchemaHash, ours: &Self) -> Result<Self, SchemaFault> {
        Self::read_those(bytes, Some(expected), |id| ours.methods.contains_key(&id))
    }

    /// Reads all of a contract that a peer described.
    pub(crate) fn read_all(bytes: &Bytes) -> Result<Self, SchemaFault> {
        Self::read_those(bytes, None, |_| true)
    }

    fn read_those(
        bytes: &Bytes,
        expected: Option<SchemaHash>,
        keep: impl Fn(MethodId) -> bool,
    ) -> Result<Self, SchemaFault> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(SchemaFault(format!(
                "a contract of {} bytes, over the limit of {}",
                bytes.len(),
                Self::MAX_BYTES
            )));
        }
        let found = hash(bytes);
        if expected.is_some_and(|expected| expected != found) {
            return Err(SchemaFault("a contract that is not the one of its hash".to_owned()));
        }
        let mut cursor = Cursor::new(bytes);
        if cursor.byte()? != VERSION {
            return Err(cursor.fault("a contract of another version"));
        }
        // An id, two lengths, a policy and two counts.
        let count = cursor.count(13)?;
        let mut methods = BTreeMap::new();
        let mut last = None;
        for _ in 0..count {
            let id = cursor.take(8)?.try_into().map_err(|_| cursor.fault("no id"))?;
            let id = MethodId(u64::from_le_bytes(id));
            if last.replace(id).is_some_and(|last| last >= id) {
                return Err(cursor.fault("a method out of order"));
            }
            let method = Method::read(&mut cursor, bytes)?;
            if keep(id) {
                methods.insert(id, Arc::new(method));
            }
        }
        cursor.end()?;
        Ok(Self { hash: found, bytes: bytes.clone(), methods })
    }

    /// What names it: BLAKE3 of its bytes.
    pub(crate) fn hash(&self) -> SchemaHash {
        self.hash
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its methods.
    pub(crate) fn methods(&self) -> &BTreeMap<MethodId, Arc<Method>> {
        &self.methods
    }
}

impl Method {
    fn read(cursor: &mut Cursor<'_>, bytes: &Bytes) -> Result<Self, SchemaFault> {
        let name = cursor.text()?.to_owned();
        let policy = cursor.byte()?;
        let mut arguments = Vec::new();
        let count = cursor.count(4)?;
        if count > MAX_ARGUMENTS {
            return Err(cursor.fault(&format!("more than {MAX_ARGUMENTS} arguments")));
        }
        for _ in 0..count {
            let name = cursor.text()?.to_owned();
            let may_miss = match cursor.byte()? {
                0 => false,
                1 => true,
                _ => return Err(cursor.fault("neither 0 nor 1")),
            };
            arguments.push(Argument { name, may_miss, ty: Described::read(cursor, bytes)? });
        }
        Ok(Self { name, policy, arguments, response: Described::read(cursor, bytes)? })
    }

    /// The same, in memory that is not the contract's.
    pub(crate) fn detached(&self) -> Self {
        let arguments = self.arguments.iter().map(|argument| {
            let Argument { name, may_miss, ty } = argument;
            Argument { name: name.as_str().into(), may_miss: *may_miss, ty: ty.detached() }
        });
        let (name, arguments) = (self.name.as_str().into(), arguments.collect());
        Self { name, policy: self.policy, arguments, response: self.response.detached() }
    }

    /// What it takes, in bytes, if it is [detached](Self::detached).
    pub(crate) fn bytes(&self) -> usize {
        let argument = |argument: &Argument| size_of::<Argument>() + argument.name.len() + argument.ty.bytes();
        let arguments: usize = self.arguments.iter().map(argument).sum();
        size_of::<Self>() + self.name.len() + arguments + self.response.bytes()
    }

    /// Whether what crosses the wire is the same on both ends.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.response.schema == other.response.schema && self.takes_same(other)
    }

    /// Whether the arguments are the same on both ends.
    pub(crate) fn takes_same(&self, other: &Self) -> bool {
        let same = |a: &Argument, b: &Argument| a.name == b.name && a.ty.schema == b.ty.schema;
        self.arguments.len() == other.arguments.len()
            && self.arguments.iter().zip(&other.arguments).all(|(a, b)| same(a, b))
    }

    /// Why the method cannot be called where the peer knows it as `theirs`; `None` where it can.
    pub(crate) fn refusal(&self, theirs: &Self) -> Option<String> {
        self.judged(theirs)
            .unwrap_or_else(|SchemaFault(fault)| Some(format!("the peer's description of it cannot be read: {fault}")))
    }

    fn judged(&self, theirs: &Self) -> Result<Option<String>, SchemaFault> {
        let mut words = Ok(None);
        self.survey(theirs, &mut |difference| {
            words = difference.refusal();
            if matches!(words, Ok(None)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        words
    }

    /// Goes through all that differs between the method as this end calls it and as the peer serves it, until `each` breaks it off.
    pub(crate) fn survey(
        &self,
        theirs: &Self,
        each: &mut dyn FnMut(Difference<'_>) -> ControlFlow<()>,
    ) -> Result<(), SchemaFault> {
        let mut goes_on = ControlFlow::Continue(());
        let (mut last, mut moved) = (0, false);
        for argument in &theirs.arguments {
            let Some(at) = self.arguments.iter().position(|ours| ours.name == argument.name) else {
                goes_on = each(Difference::MissingArgument(argument));
                if goes_on.is_break() {
                    return Ok(());
                }
                continue;
            };
            moved |= at < last;
            last = at;
            let place = format!("argument `{}`", Escaped::name(&argument.name));
            let (written, read) = (self.arguments[at].ty.known(), argument.ty.known());
            judge::survey(&place, written, read, Writer::Here, &mut |finding| {
                goes_on = each(Difference::Inside(Some(argument), finding));
                goes_on
            })?;
            if goes_on.is_break() {
                return Ok(());
            }
        }
        for ours in self.arguments.iter().filter(|ours| theirs.argument(&ours.name).is_none()) {
            let has_channel = judge::has_channel(&Types::read(&ours.ty.schema)?, 0);
            if each(Difference::ExtraArgument { argument: ours, has_channel }).is_break() {
                return Ok(());
            }
        }
        if moved && each(Difference::ArgumentsMoved).is_break() {
            return Ok(());
        }
        let (written, read) = (theirs.response.known(), self.response.known());
        judge::survey("the response", written, read, Writer::There, &mut |finding| {
            each(Difference::Inside(None, finding))
        })
    }

    /// The argument of this name.
    pub(crate) fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}

/// Why what is written as one of these types, here, cannot be read as the other, there.
#[cfg(test)]
pub(crate) fn judged_alone(written: &Described, read: &Described) -> Option<String> {
    judge::refusal("it", written.known(), read.known(), Writer::Here).expect("both are schemas")
}

/// What differs between a method as one end calls it and as the other serves it.
pub(crate) enum Difference<'t> {
    /// The caller does not have it.
    MissingArgument(&'t Argument),
    /// The handler does not have it.
    ExtraArgument {
        argument: &'t Argument,
        has_channel: bool,
    },
    ArgumentsMoved,
    /// In the type of an argument, or in that of the response.
    Inside(Option<&'t Argument>, Finding<'t>),
}

impl Difference<'_> {
    /// Why the caller cannot call the method; `None`: this does not keep it from that.
    pub(crate) fn refusal(&self) -> Result<Option<String>, SchemaFault> {
        Ok(match self {
            Self::MissingArgument(argument) if !argument.may_miss => {
                let (name, there) = (Escaped::name(&argument.name), Types::read(&argument.ty.schema)?.words(0));
                Some(format!(
                    "argument `{name}` is missing here and {there} there; the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it"
                ))
            }
            Self::ExtraArgument { argument, has_channel: true } => {
                let (name, here) = (Escaped::name(&argument.name), Types::read(&argument.ty.schema)?.words(0));
                Some(format!(
                    "argument `{name}` is {here} here and missing there; the peer must keep it, for a channel has two ends"
                ))
            }
            Self::MissingArgument(_) | Self::ExtraArgument { .. } | Self::ArgumentsMoved => None,
            Self::Inside(_, finding) => finding.refusal(),
        })
    }
}

impl Described {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.schema);
        put_number(out, self.optional.numbers().len());
        let mut last = 0;
        for &number in self.optional.numbers() {
            put_number(out, (number - last) as usize);
            last = number;
        }
    }

    fn read(cursor: &mut Cursor<'_>, bytes: &Bytes) -> Result<Self, SchemaFault> {
        let schema = bytes.slice_ref(cursor.bytes()?);
        let mut numbers: Vec<u32> = Vec::new();
        let count = cursor.count(1)?;
        if count > MAX_PARTS {
            return Err(cursor.fault(&format!("more than {MAX_PARTS} optional fields")));
        }
        for _ in 0..count {
            let step = cursor.number()?;
            let number = match numbers.last() {
                Some(_) if step == 0 => None,
                Some(&last) => u32::try_from(step).ok().and_then(|step| last.checked_add(step)),
                None => u32::try_from(step).ok(),
            };
            numbers.push(number.ok_or_else(|| cursor.fault("a field out of order"))?);
        }
        Ok(Self { schema, optional: Optional::new(numbers) })
    }

    fn detached(&self) -> Self {
        Self { schema: Bytes::copy_from_slice(&self.schema), optional: self.optional.detached() }
    }

    /// What its parts take beside itself.
    fn bytes(&self) -> usize {
        self.schema.len() + size_of_val(self.optional.numbers())
    }

    fn known(&self) -> Known<'_> {
        Known { schema: &self.schema, optional: &self.optional }
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
    const U32: &[u8] = b"\x01\x01\x03u32";
    const I64: &[u8] = b"\x01\x01\x03i64";
    const OPTION: &[u8] = b"\x01\x04\x01\x03u64";
    const TX: &[u8] = b"\x01\x0a\x01\x03u64";

    fn described(schema: &'static [u8]) -> Described {
        Described { schema: Bytes::from_static(schema), optional: Optional::default() }
    }

    fn method(name: &str, arguments: &[(&str, &'static [u8])], response: &'static [u8]) -> (MethodId, Method) {
        let arguments = arguments.iter().map(|(name, schema)| Argument {
            name: (*name).to_owned(),
            may_miss: *schema == OPTION,
            ty: described(schema),
        });
        let arguments = arguments.collect();
        (id(name), Method { name: name.to_owned(), policy: 0, arguments, response: described(response) })
    }

    fn id(name: &str) -> MethodId {
        MethodId(name.bytes().fold(0, |id, byte| id << 7 ^ u64::from(byte)))
    }

    fn contract(methods: Vec<(MethodId, Method)>) -> Contract {
        Contract::new(methods.into_iter().collect())
    }

    #[test]
    fn what_was_written_is_read_and_has_its_hash() {
        let mut total = method("total", &[("of", OPTION)], I64);
        total.1.response.optional = Optional::new(vec![0, 1, 200, 70_000]);
        let ours = contract(vec![method("balance", &[("account", U64)], U64), total]);
        assert_eq!(Contract::read(ours.bytes(), ours.hash(), &ours).as_ref(), Ok(&ours));
        for cut in 0..ours.bytes().len() {
            let cut = ours.bytes().slice(..cut);
            assert!(Contract::read(&cut, hash(&cut), &ours).is_err(), "{cut:?}");
        }
        let other = contract(vec![method("total", &[], I64)]);
        let lie = Contract::read(other.bytes(), ours.hash(), &ours);
        assert_eq!(lie, Err(SchemaFault("a contract that is not the one of its hash".to_owned())));
    }

    #[test]
    fn methods_that_this_end_does_not_have_are_not_kept() {
        let ours = contract(vec![method("balance", &[], U64)]);
        let theirs = contract(vec![method("balance", &[], I64), method("total", &[("a", U64)], U64)]);
        let read = Contract::read(theirs.bytes(), theirs.hash(), &ours).expect("a contract");
        assert_eq!(read.methods().keys().copied().collect::<Vec<_>>(), [id("balance")]);
    }

    #[test]
    fn a_contract_is_bounded_in_all_it_says() {
        let ours = contract(vec![method("a", &[], U64)]);
        let refused = |bytes: &[u8], why: &str| {
            let bytes = Bytes::copy_from_slice(bytes);
            let fault = Contract::read(&bytes, hash(&bytes), &ours).expect_err("no contract");
            assert!(fault.0.contains(why), "{fault:?}, without {why}");
        };
        let one = [b"\x01\x01".as_slice(), &[1; 8], b"\x01a\x00"].concat();
        refused(&vec![1; Contract::MAX_BYTES + 1], "over the limit of 262144");
        refused(b"\x01\xff\xff\xff\x0f", "a count of more than there are bytes for");
        let many = [&one, [0x81, 2].as_slice(), &[1; 2000]].concat();
        refused(&many, "more than 256 arguments");
        let optional = [&one, b"\x00\x01\x00\x81\x80\x01".as_slice(), &[1; 20_000]].concat();
        refused(&optional, "more than 16384 optional fields");
        refused(&[&one, b"\x00\x01\x00\x02\x01\x00".as_slice()].concat(), "a field out of order");
        refused(&[&one, b"\x01\x01b\x02\x01\x00\x00".as_slice()].concat(), "neither 0 nor 1");
        let twice = [b"\x01\x02".as_slice(), &one[2..], b"\x00\x01\x00\x00", &one[2..], b"\x00\x01\x00\x00"].concat();
        refused(&twice, "a method out of order");
    }

    #[test]
    fn the_order_of_declaration_does_not_matter() {
        let (a, b) = (method("balance", &[("account", U64)], U64), method("total", &[], I64));
        assert_eq!(contract(vec![a.clone(), b.clone()]), contract(vec![b, a]));
    }

    type Parts<'a> = (&'a [(&'a str, &'static [u8])], &'static [u8]);

    /// What keeps one that knows a method so from calling it where it is known so.
    fn refusal(ours: Parts<'_>, theirs: Parts<'_>) -> Option<String> {
        method("m", ours.0, ours.1).1.refusal(&method("m", theirs.0, theirs.1).1)
    }

    #[track_caller]
    fn refused(ours: Parts<'_>, theirs: Parts<'_>, words: &str) {
        assert_eq!(refusal(ours, theirs).as_deref(), Some(words));
    }

    #[test]
    fn arguments_go_by_their_names() {
        assert_eq!(refusal((&[("from", U64), ("to", I64)], U64), (&[("to", I64), ("from", U64)], U64)), None);
        assert_eq!(refusal((&[("a", U64)], U64), (&[("a", U64), ("b", OPTION)], U64)), None);
        assert_eq!(refusal((&[("a", U64), ("b", U64)], U64), (&[("b", U64)], U64)), None);
        refused(
            (&[("a", U64)], U64),
            (&[("a", U64), ("b", U64)], U64),
            "argument `b` is missing here and u64 there; the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it",
        );
        refused(
            (&[("a", TX)], U64),
            (&[], U64),
            "argument `a` is Tx<u64> here and missing there; the peer must keep it, for a channel has two ends",
        );
    }

    #[test]
    fn arguments_are_read_there_and_responses_here() {
        assert_eq!(refusal((&[("a", U32)], U64), (&[("a", U64)], U32)), None);
        refused(
            (&[("a", U64)], U64),
            (&[("a", U32)], U64),
            "argument `a` is u64 here and u32 there; the newer of the two must keep the type of the older",
        );
        refused(
            (&[], U32),
            (&[], U64),
            "the response is u32 here and u64 there; the newer of the two must keep the type of the older",
        );
    }

    #[test]
    fn a_description_that_cannot_be_read_refuses_its_method() {
        let broken = "the peer's description of it cannot be read: at byte 2: an unknown kind of type, 99";
        refused((&[], U64), (&[], b"\x01\x63"), broken);
    }
}

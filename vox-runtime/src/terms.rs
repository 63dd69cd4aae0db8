//! On which terms two ends deal with each other that know one service otherwise: of each method, whether it can be called,
//! and how each end reads what the other writes.
//!
//! The terms of a connection are found when the peer's contract is there, and what of them costs work is done when a method
//! is first called. Connections of the same two contracts share them, so that a thousand peers of one old version
//! cost as much as one. Nothing here is asked where the contracts are equal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use facet::Shape;

use crate::codec::{ChannelKind, DecodeError, Decoder, Passing, Plan, Translation, items_beside, translation_of};
use crate::ids::MethodId;
use crate::schema::{Container, Contract, Method, SchemaFault, SchemaHash, Type, Types};
use crate::shown::Shown;

/// How two contracts of one service go together.
pub(crate) struct Terms {
    /// Those that are not the same on both ends.
    methods: BTreeMap<MethodId, Arc<MethodTerms>>,
    /// Its address names the service, and so it stays.
    _ours: Arc<Contract>,
}

/// How a method goes that the two ends know otherwise.
pub(crate) struct MethodTerms {
    ours: Method,
    theirs: Method,
    /// Why this end cannot call it.
    refusal: OnceLock<Option<Arc<str>>>,
    /// How this end reads the arguments that the peer writes, in this end's order.
    arguments: Vec<OnceLock<Slot>>,
    /// How this end passes over arguments of the peer's, in the peer's order.
    passing: Vec<OnceLock<Result<Passing, Arc<str>>>>,
    ok: OnceLock<Slot>,
    err: OnceLock<Slot>,
    /// How this end reads the items that the handler sends.
    items: OnceLock<Result<Vec<Item>, Arc<str>>>,
}

/// How the items of one type are read, of the channels in one argument.
struct Item {
    argument: usize,
    shape: &'static Shape,
    by: Arc<Translation>,
}

/// How to read a value; `Err`: why that cannot be.
type Slot = Result<Translation, Arc<str>>;

/// The terms that live, by this end's contract and the hash of the peer's.
#[derive(Default)]
struct Living {
    terms: BTreeMap<(usize, SchemaHash), Weak<Terms>>,
    /// At so many those are let go of that live no more.
    most: usize,
}

static LIVING: Mutex<Living> = Mutex::new(Living { terms: BTreeMap::new(), most: 64 });

impl Terms {
    /// The terms of these two contracts: those that live already, if some do.
    pub(crate) fn between(ours: &Arc<Contract>, theirs: &Contract) -> Arc<Self> {
        // A service's contract is made once, so its address names the service.
        let key = (Arc::as_ptr(ours) as usize, theirs.hash());
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(terms) = living.terms.get(&key).and_then(Weak::upgrade) {
            return terms;
        }
        if living.terms.len() >= living.most {
            living.terms.retain(|_, terms| terms.strong_count() > 0);
            living.most = living.terms.len() * 2 + 64;
        }
        let terms = Arc::new(Self::new(ours, theirs));
        living.terms.insert(key, Arc::downgrade(&terms));
        terms
    }

    /// The terms of these two contracts where the peer cannot be told this end's: what differs cannot be called.
    pub(crate) fn untold(ours: &Arc<Contract>, theirs: &Contract, why: &str) -> Arc<Self> {
        let terms = Self::new(ours, theirs);
        for method in terms.methods.values() {
            method.refusal.get_or_init(|| Some(why.into()));
        }
        Arc::new(terms)
    }

    fn new(ours: &Arc<Contract>, theirs: &Contract) -> Self {
        let both = ours.methods().iter().filter_map(|(id, ours)| Some((*id, ours, theirs.methods().get(id)?)));
        let differ = both.filter(|(_, ours, theirs)| !ours.is_same(theirs));
        let methods = differ.map(|(id, ours, theirs)| (id, Arc::new(MethodTerms::new(ours, theirs)))).collect();
        Self { methods, _ours: Arc::clone(ours) }
    }

    /// The terms of a method, where the two ends know it otherwise.
    pub(crate) fn method(&self, id: MethodId) -> Option<&Arc<MethodTerms>> {
        self.methods.get(&id)
    }
}

impl MethodTerms {
    fn new(ours: &Method, theirs: &Method) -> Self {
        Self {
            refusal: OnceLock::new(),
            arguments: ours.arguments.iter().map(|_| OnceLock::new()).collect(),
            passing: theirs.arguments.iter().map(|_| OnceLock::new()).collect(),
            ok: OnceLock::new(),
            err: OnceLock::new(),
            items: OnceLock::new(),
            ours: ours.clone(),
            theirs: theirs.clone(),
        }
    }

    /// Why this end cannot call the method, whose response it reads by these plans, and whose arguments are of these shapes;
    /// `None` where it can.
    pub(crate) fn refusal<T, E>(
        &self,
        ok: &Plan<T>,
        err: &Plan<E>,
        arguments: impl Iterator<Item = &'static Shape>,
    ) -> Option<Arc<str>> {
        let refusal = self.refusal.get_or_init(|| self.ours.refusal(&self.theirs).map(Arc::from));
        let unread = || self.ok(ok).err().or_else(|| self.err(err).err());
        let unread = || unread().map(|why| Arc::from(format!("the response cannot be read here: {why}")));
        let items = || self.items.get_or_init(|| self.items_of(arguments)).as_ref().err().cloned();
        refusal.clone().or_else(unread).or_else(items)
    }

    fn items_of(&self, arguments: impl Iterator<Item = &'static Shape>) -> Result<Vec<Item>, Arc<str>> {
        let mut items: Vec<Item> = Vec::new();
        for (argument, (ours, of)) in self.ours.arguments.iter().zip(arguments).enumerate() {
            let Some(theirs) = self.theirs.argument(&ours.name) else { continue };
            let schema = &theirs.ty.schema;
            let types = Types::read(schema).map_err(unreadable)?;
            let mut found = items_beside(of, &types, ChannelKind::Tx);
            found.sort_unstable_by_key(|(shape, at)| (shape.id, *at));
            found.dedup();
            if let Some(pair) = found.windows(2).find(|pair| pair[0].0.id == pair[1].0.id) {
                let (name, shape) = (Shown::name(&ours.name), pair[0].0);
                let why = format!("argument `{name}` has channels of `{shape}`, which are of two types there");
                return Err(why.into());
            }
            for (shape, at) in found {
                let by = translation_of(shape, schema, &types, at);
                let by = by.map_err(|why| format!("items of argument `{}` cannot be read here: {why}", ours.name))?;
                items.push(Item { argument, shape, by: by.into() });
            }
        }
        Ok(items)
    }

    /// How this end reads the items of this shape that the handler sends on a channel in the argument of this number.
    pub(crate) fn item(&self, argument: usize, shape: &'static Shape) -> Option<Arc<Translation>> {
        let items = self.items.get()?.as_ref().ok()?;
        let item = items.iter().find(|item| item.argument == argument && item.shape.id == shape.id)?;
        Some(Arc::clone(&item.by))
    }

    /// How this end reads what the method returns.
    pub(crate) fn ok<T>(&self, plan: &Plan<T>) -> Result<&Translation, Arc<str>> {
        known(self.ok.get_or_init(|| translation_of_response(plan, &self.theirs.response.schema, 0)))
    }

    /// How this end reads the method's own error.
    pub(crate) fn err<E>(&self, plan: &Plan<E>) -> Result<&Translation, Arc<str>> {
        known(self.err.get_or_init(|| translation_of_response(plan, &self.theirs.response.schema, 1)))
    }

    /// How this end reads an argument of this number, by its own count, which the peer's has at another place.
    fn argument<T>(&self, plan: &Plan<T>, ours: usize, theirs: usize) -> Result<&Translation, Arc<str>> {
        known(self.arguments[ours].get_or_init(|| {
            let schema = &self.theirs.arguments[theirs].ty.schema;
            let types = Types::read(schema).map_err(unreadable)?;
            Ok(plan.translation(schema, &types, 0)?)
        }))
    }

    fn missing(&self, ours: usize) -> Misread {
        let name = self.ours.arguments.get(ours).map_or("?", |argument| &argument.name);
        Misread::Incompatible(format!("the peer sends no `{name}`, and this end cannot do without it").into())
    }

    fn pass(&self, theirs: usize, from: &mut Decoder<'_>) -> Result<(), Misread> {
        let passing = self.passing[theirs].get_or_init(|| {
            let types = Types::read(&self.theirs.arguments[theirs].ty.schema).map_err(unreadable)?;
            Ok(Passing::of(&types)?)
        });
        Ok(known(passing)?.pass(from)?)
    }
}

/// How a response is read whose schema is this, its `Ok` (0) or its `Err` (1), as what the plan is of.
pub(crate) fn translation_of_response<T>(plan: &Plan<T>, schema: &Bytes, part: usize) -> Result<Translation, Arc<str>> {
    let types = Types::read(schema).map_err(unreadable)?;
    match types.get(0) {
        Type::Of(Container::Result, parts) => Ok(plan.translation(schema, &types, parts[part])?),
        _ => Err("it is no `Result` there".into()),
    }
}

/// Why something that the peer wrote cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misread {
    /// Its version of it cannot be.
    Incompatible(Arc<str>),
    /// The bytes are wrong.
    Decode(DecodeError),
}

impl From<Arc<str>> for Misread {
    fn from(why: Arc<str>) -> Self {
        Self::Incompatible(why)
    }
}

impl From<DecodeError> for Misread {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// The arguments of one request of a peer that knows the method otherwise: where each of them stands.
pub(crate) struct Arriving {
    /// `Err`: the connection is gone, and its terms with it.
    terms: Result<Arc<MethodTerms>, Arc<str>>,
    /// Where the arguments begin that were come to, in the peer's order, and where the next does.
    begins: Vec<usize>,
}

impl Arriving {
    pub(crate) fn new(terms: Result<Arc<MethodTerms>, Arc<str>>) -> Self {
        Self { terms, begins: vec![0] }
    }

    /// Reads the argument of this number, by this end's count. One that the peer does not send is its default.
    pub(crate) fn read<T>(
        &mut self,
        plan: &Plan<T>,
        ours: usize,
        decoder: &mut Decoder<'_>,
        default: Option<fn() -> T>,
    ) -> Result<T, Misread> {
        let terms = self.terms.clone()?;
        let Some(theirs) = self.find(ours, decoder)? else {
            if let Some(default) = default {
                return Ok(default());
            }
            // `None`, as it is written.
            let absent = Bytes::from_static(&[0]);
            return Ok(plan.decode(&mut Decoder::new(&absent, decoder.budget()))?);
        };
        let value = plan.decode_by(terms.argument(plan, ours, theirs)?, decoder)?;
        self.passed(theirs, decoder);
        Ok(value)
    }

    /// Reads the argument of this number, which is borrowed: text, or bytes. It is the same on both ends. `None`: the peer
    /// does not send it, and it has a default.
    pub(crate) fn borrow<R>(
        &mut self,
        ours: usize,
        decoder: &mut Decoder<'_>,
        read: impl FnOnce(&mut Decoder<'_>) -> Result<R, DecodeError>,
    ) -> Result<Option<R>, Misread> {
        let terms = self.terms.clone()?;
        let Some(theirs) = self.find(ours, decoder)? else { return Ok(None) };
        if terms.ours.arguments[ours].ty.schema != terms.theirs.arguments[theirs].ty.schema {
            return Err(Misread::Incompatible("the peer sends another type".into()));
        }
        let value = read(decoder)?;
        self.passed(theirs, decoder);
        Ok(Some(value))
    }

    /// Whether the peer writes the arguments as this end would.
    pub(crate) fn are_same(&self) -> bool {
        self.terms.as_ref().is_ok_and(|terms| terms.ours.takes_same(&terms.theirs))
    }

    /// Comes to the end of the arguments.
    pub(crate) fn finish(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Misread> {
        self.come_to(self.terms.clone()?.theirs.arguments.len(), decoder)
    }

    /// Goes to the argument of this number, by this end's count: its number by the peer's. `None`: the peer does not have it,
    /// and this end does without.
    fn find(&mut self, ours: usize, decoder: &mut Decoder<'_>) -> Result<Option<usize>, Misread> {
        let terms = self.terms.clone()?;
        let Some(argument) = terms.ours.arguments.get(ours) else { return Err(terms.missing(ours)) };
        let theirs = terms.theirs.arguments.iter().position(|theirs| theirs.name == argument.name);
        match theirs {
            Some(theirs) => self.come_to(theirs, decoder)?,
            None if argument.may_miss => {}
            None => return Err(terms.missing(ours)),
        }
        Ok(theirs)
    }

    /// Comes to the argument of this number, by the peer's count, and passes over those before it that were not read.
    fn come_to(&mut self, theirs: usize, decoder: &mut Decoder<'_>) -> Result<(), Misread> {
        let terms = self.terms.clone()?;
        while self.begins.len() <= theirs {
            let last = self.begins.len() - 1;
            decoder.go_to(self.begins[last]);
            terms.pass(last, decoder)?;
            self.begins.push(decoder.position());
        }
        decoder.go_to(self.begins[theirs]);
        Ok(())
    }

    /// The argument of this number, by the peer's count, was read.
    fn passed(&mut self, theirs: usize, decoder: &Decoder<'_>) {
        if self.begins.len() == theirs + 1 {
            self.begins.push(decoder.position());
        }
    }
}

/// As what was found out once is given to each that asks.
fn known<T>(slot: &Result<T, Arc<str>>) -> Result<&T, Arc<str>> {
    slot.as_ref().map_err(Arc::clone)
}

fn unreadable(SchemaFault(fault): SchemaFault) -> Arc<str> {
    format!("the peer's description of it cannot be read: {fault}").into()
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Terms({} methods differ)", self.methods.len())
    }
}

impl PartialEq for Terms {
    /// Of the same contracts they are one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Terms {}

impl fmt::Debug for MethodTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodTerms({})", self.ours.name)
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arriving({:?})", self.terms)
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incompatible(why) => Shown::new(why).fmt(f),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

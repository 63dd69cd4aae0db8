//! The terms between two versions of one service: for each method, whether it can be called,
//! and how each end reads what the other writes.
//!
//! The terms of a connection are found when the peer's contract is there, and what of them costs work is done when a method
//! is first called. Connections of the same two contracts share them, so that a thousand peers of one old version
//! cost as much as one. Nothing here is asked where the contracts are equal.

mod arriving;
mod untyped;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use facet::Shape;

pub(crate) use self::arriving::Arriving;
use crate::codec::{
    ALLOCATION, ChannelKind, DecodeError, Decoder, Passing, Plan, Translation, Weight, items_beside, many,
    translation_of,
};
use crate::escaped::Escaped;
use crate::ids::MethodId;
use crate::limits::Purse;
use crate::schema::{Container, Contract, Method, SchemaFault, SchemaHash, Type, Types};

/// How two contracts of one service go together.
pub(crate) struct Terms {
    /// Those that are not the same on both ends.
    methods: BTreeMap<MethodId, Arc<MethodTerms>>,
    /// Its address names the service, and so it stays.
    _ours: Arc<Contract>,
    /// What it takes, with all that was made for its methods.
    weight: Weight,
    /// So much of that is taken of the memory that sessions have in common, and where from.
    taken: AtomicUsize,
    purse: Option<Arc<Box<dyn Purse>>>,
}

/// How a method goes that the two ends know otherwise.
pub(crate) struct MethodTerms {
    ours: Arc<Method>,
    theirs: Method,
    weight: Weight,
    /// The arguments of a request were read, so nothing more is made for those.
    was_read: AtomicBool,
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
    /// How this end reads it all where it does not have the types.
    untyped: OnceLock<Result<untyped::Untyped, Arc<str>>>,
    untyped_arguments: OnceLock<Result<untyped::UntypedArguments, Arc<str>>>,
}

/// How the items of one type are read, of the channels in one argument.
struct Item {
    argument: usize,
    shape: &'static Shape,
    by: Arc<Translation>,
}

/// How to read a value; `Err`: why that cannot be.
type Slot = Result<Translation, Arc<str>>;

/// The terms that live, by this end's contract, the hash of the peer's, and the memory that they are taken of.
#[derive(Default)]
struct Living {
    terms: BTreeMap<(usize, SchemaHash, usize), Weak<Terms>>,
    /// At so many those are let go of that live no more.
    most: usize,
}

static LIVING: Mutex<Living> = Mutex::new(Living { terms: BTreeMap::new(), most: 64 });

/// There is no room for terms, which would take so many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoRoom(pub(crate) usize);

impl Terms {
    /// The terms of these two contracts: those that live already, if some do. What they take is taken from the purse, once for all
    /// connections that share them; `at_any_rate` says of so many bytes whether they are even if there is not so much left.
    pub(crate) fn between(
        ours: &Arc<Contract>,
        theirs: &Contract,
        purse: Option<&Arc<Box<dyn Purse>>>,
        at_any_rate: impl Fn(usize) -> bool,
    ) -> Result<Arc<Self>, NoRoom> {
        // A service's contract is made once, so its address names the service. A purse is not dropped before the terms that take from it.
        let place = purse.map_or(0, |purse| Arc::as_ptr(purse).cast::<()>() as usize);
        let key = (Arc::as_ptr(ours) as usize, theirs.hash(), place);
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(terms) = living.terms.get(&key).and_then(Weak::upgrade) {
            return Ok(terms);
        }
        if living.terms.len() >= living.most {
            living.terms.retain(|_, terms| terms.strong_count() > 0);
            living.most = living.terms.len() * 2 + 64;
        }
        let terms = Self::new(ours, theirs).taken_from(purse, at_any_rate)?;
        living.terms.insert(key, Arc::downgrade(&terms));
        Ok(terms)
    }

    /// The terms of these two contracts where the peer cannot be told this end's: what differs cannot be called.
    pub(crate) fn untold(
        ours: &Arc<Contract>,
        theirs: &Contract,
        why: &str,
        purse: Option<&Arc<Box<dyn Purse>>>,
        at_any_rate: impl Fn(usize) -> bool,
    ) -> Result<Arc<Self>, NoRoom> {
        let terms = Self::new(ours, theirs);
        for method in terms.methods.values() {
            method.refusal.get_or_init(|| Some(method.noted(why.into())));
        }
        terms.taken_from(purse, at_any_rate)
    }

    fn new(ours: &Arc<Contract>, theirs: &Contract) -> Self {
        let weight = Weight::default();
        let methods = differing(ours, theirs).map(|(id, ours, theirs)| {
            let terms = MethodTerms::new(ours, theirs.detached(), weight.clone());
            weight.add(BESIDE + terms.bytes());
            (id, Arc::new(terms))
        });
        let methods = methods.collect();
        weight.add(size_of::<Self>() + BESIDE);
        Self { methods, _ours: Arc::clone(ours), weight, taken: AtomicUsize::new(0), purse: None }
    }

    fn taken_from(
        mut self,
        purse: Option<&Arc<Box<dyn Purse>>>,
        at_any_rate: impl Fn(usize) -> bool,
    ) -> Result<Arc<Self>, NoRoom> {
        let weight = self.weight.get();
        if let Some(purse) = purse {
            if !purse.take(weight, at_any_rate(weight)) {
                return Err(NoRoom(weight));
            }
            (self.taken, self.purse) = (AtomicUsize::new(weight), Some(Arc::clone(purse)));
        }
        Ok(self.into())
    }

    /// What they take by now, in bytes. All of that is taken from the purse.
    pub(crate) fn settle(&self) -> usize {
        let weight = self.weight.get();
        let before = self.taken.fetch_max(weight, Ordering::AcqRel);
        if let Some(purse) = &self.purse
            && weight > before
        {
            // It is kept already.
            purse.take(weight - before, true);
        }
        weight
    }

    /// The terms of a method, where the two ends know it otherwise.
    pub(crate) fn method(&self, id: MethodId) -> Option<&Arc<MethodTerms>> {
        self.methods.get(&id)
    }
}

impl Drop for Terms {
    fn drop(&mut self) {
        if let Some(purse) = &self.purse {
            purse.give_back(*self.taken.get_mut());
        }
    }
}

/// What a method's terms take beside what is in them: their place among the others, and what their allocation takes.
const BESIDE: usize = 48;

/// The methods that the two contracts know otherwise, as each does.
pub(crate) fn differing<'c>(
    ours: &'c Contract,
    theirs: &'c Contract,
) -> impl Iterator<Item = (MethodId, &'c Arc<Method>, &'c Method)> {
    let both = ours.methods().iter().filter_map(|(id, ours)| Some((*id, ours, &**theirs.methods().get(id)?)));
    both.filter(|(_, ours, theirs)| !ours.is_same(theirs))
}

impl MethodTerms {
    fn new(ours: &Arc<Method>, theirs: Method, weight: Weight) -> Self {
        Self {
            weight,
            was_read: AtomicBool::new(false),
            refusal: OnceLock::new(),
            arguments: ours.arguments.iter().map(|_| OnceLock::new()).collect(),
            passing: theirs.arguments.iter().map(|_| OnceLock::new()).collect(),
            ok: OnceLock::new(),
            err: OnceLock::new(),
            items: OnceLock::new(),
            untyped: OnceLock::new(),
            untyped_arguments: OnceLock::new(),
            ours: Arc::clone(ours),
            theirs,
        }
    }

    /// What they take before anything is made for the method.
    fn bytes(&self) -> usize {
        let slots = many::<OnceLock<Slot>>(self.arguments.len())
            + many::<OnceLock<Result<Passing, Arc<str>>>>(self.passing.len());
        size_of::<Self>() - size_of::<Method>() + self.theirs.bytes() + slots
    }

    /// Words that are kept.
    fn noted(&self, words: Arc<str>) -> Arc<str> {
        self.weight.add(ALLOCATION + words.len());
        words
    }

    /// What these and their like take by now.
    pub(crate) fn made(&self) -> usize {
        self.weight.get()
    }

    /// Whether nothing more is to be kept for calls.
    pub(crate) fn was_judged(&self) -> bool {
        self.items.get().is_some() || self.untyped.get().is_some()
    }

    /// Whether nothing more is to be kept to read arguments.
    pub(crate) fn was_read(&self) -> bool {
        self.was_read.load(Ordering::Acquire)
    }

    /// Why this end cannot call the method, whose response it reads by these plans, and whose arguments are of these shapes;
    /// `None` where it can.
    pub(crate) fn refusal<T, E>(
        &self,
        ok: &Plan<T>,
        err: &Plan<E>,
        arguments: impl Iterator<Item = &'static Shape>,
    ) -> Option<Arc<str>> {
        let refusal =
            self.refusal.get_or_init(|| self.ours.refusal(&self.theirs).map(|words| self.noted(words.into())));
        let unread = || self.ok(ok).err().or_else(|| self.err(err).err());
        let unread = || unread().map(|why| Arc::from(format!("the response cannot be read here: {why}")));
        let items = || {
            self.items.get_or_init(|| self.items_of(arguments).map_err(|why| self.noted(why))).as_ref().err().cloned()
        };
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
                let (name, shape) = (Escaped::name(&ours.name), pair[0].0);
                let why = format!("argument `{name}` has channels of `{shape}`, which are of two types there");
                return Err(why.into());
            }
            for (shape, at) in found {
                let by = translation_of(shape, schema, &types, at, &self.weight);
                let by = by.map_err(|why| format!("items of argument `{}` cannot be read here: {why}", ours.name))?;
                items.push(Item { argument, shape, by: by.into() });
            }
        }
        self.weight.add(many::<Item>(items.capacity()));
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
        known(self.ok.get_or_init(|| self.response(plan, 0)))
    }

    /// How this end reads the method's own error.
    pub(crate) fn err<E>(&self, plan: &Plan<E>) -> Result<&Translation, Arc<str>> {
        known(self.err.get_or_init(|| self.response(plan, 1)))
    }

    fn response<T>(&self, plan: &Plan<T>, part: usize) -> Slot {
        let made = translation_of_response(plan, &self.theirs.response.schema, part, &self.weight);
        made.map_err(|why| self.noted(why))
    }

    /// How this end reads an argument of this number, by its own count, which the peer's has at another place.
    fn argument<T>(&self, plan: &Plan<T>, ours: usize, theirs: usize) -> Result<&Translation, Arc<str>> {
        known(self.arguments[ours].get_or_init(|| {
            let schema = &self.theirs.arguments[theirs].ty.schema;
            let made = Types::read(schema).map_err(unreadable);
            let made = made.and_then(|types| Ok(plan.translation(schema, &types, 0, &self.weight)?));
            made.map_err(|why| self.noted(why))
        }))
    }

    fn missing(&self, ours: usize) -> Misread {
        let name = self.ours.arguments.get(ours).map_or("?", |argument| &argument.name);
        Misread::Incompatible(format!("the peer sends no `{name}`, and this end cannot do without it").into())
    }

    fn pass(&self, theirs: usize, from: &mut Decoder<'_>) -> Result<(), Misread> {
        let passing = self.passing[theirs].get_or_init(|| {
            let made = Types::read(&self.theirs.arguments[theirs].ty.schema).map_err(unreadable);
            let made = made.and_then(|types| Ok(Passing::of(&types, &self.weight)?));
            made.map_err(|why| self.noted(why))
        });
        Ok(known(passing)?.pass(from)?)
    }
}

/// How a response is read whose schema is this, its `Ok` (0) or its `Err` (1), as what the plan is of.
pub(crate) fn translation_of_response<T>(
    plan: &Plan<T>,
    schema: &Bytes,
    part: usize,
    weight: &Weight,
) -> Result<Translation, Arc<str>> {
    let types = Types::read(schema).map_err(unreadable)?;
    match types.get(0) {
        Type::Of(Container::Result, parts) => Ok(plan.translation(schema, &types, parts[part], weight)?),
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

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incompatible(why) => Escaped::new(why).fmt(f),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

//! Channels inside values, with hooks that only count.

use std::cell::Cell;
use std::marker::PhantomData;

use bytes::Bytes;
use facet::{Facet, Shape};

use super::*;
use crate::codec::{Budget, DecodeErrorKind, Decoder, Encoder, Plan, PlanError};
use crate::error::{Scarce, Short};

#[test]
fn what_marks_a_channel_looks_like_nothing_else() {
    let says = |mark: &VTableDirect| Mark(mark.display.expect("a mark has contents of its own")).to_string();
    assert_ne!(says(&TX_MARK), says(&RX_MARK));
}

struct Mark(unsafe fn(*const (), &mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the functions of a mark read no value.
        unsafe { (self.0)(ptr::null(), f) }
    }
}

fn encode<T: Facet<'static>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    Plan::new().encode(value, &mut Encoder::new(&mut out, usize::MAX)).expect("it can be encoded");
    out
}

fn refusal<T: Facet<'static>>() -> PlanError {
    Plan::<T>::new().program().expect_err("it cannot be sent").clone()
}

/// A channel half that knows its number, until it is given away.
#[derive(Debug, PartialEq)]
struct Half<T, const TX: bool> {
    number: Cell<Option<u32>>,
    items: PhantomData<fn(T)>,
}

type Tx<T> = Half<T, true>;
type Rx<T> = Half<T, false>;

impl<T, const TX: bool> Half<T, TX> {
    fn new(number: u32) -> Self {
        Self { number: Cell::new(Some(number)), items: PhantomData }
    }
}

thread_local! {
    static LIVE: Cell<i32> = const { Cell::new(0) };
}

impl<T, const TX: bool> Drop for Half<T, TX> {
    fn drop(&mut self) {
        if self.number.get().is_some_and(|number| number >= 1000) {
            LIVE.with(|live| live.set(live.get() - 1));
        }
    }
}

// SAFETY: the shape is the one made for this type.
unsafe impl<T: Facet<'static>, const TX: bool> Facet<'static> for Half<T, TX> {
    const SHAPE: &'static Shape = &const {
        match TX {
            // SAFETY: the hooks of these tests know this type and no other.
            true => unsafe { channel_shape::<Self, T>(ChannelKind::Tx, "Tx") },
            // SAFETY: as above.
            false => unsafe { channel_shape::<Self, T>(ChannelKind::Rx, "Rx") },
        }
    };
}

#[derive(Default)]
struct Hook {
    seen: Vec<(ChannelKind, u32, &'static Shape)>,
    /// What it says of the layout, where that is not the truth.
    layout: Option<Layout>,
    /// How much it was asked to keep.
    kept: usize,
}

/// How much it keeps.
const MAY_KEEP: usize = 100_000;

// SAFETY: halves of all item types have one layout.
unsafe impl ChannelEncoder for Hook {
    fn layout(&self, _: ChannelKind) -> Layout {
        self.layout.unwrap_or(Layout::new::<Tx<()>>())
    }

    unsafe fn give(&mut self, half: *const u8, kind: ChannelKind, item: &Arc<Program>) -> Result<u32, EncodeError> {
        // SAFETY: halves of all item types have one layout.
        let half = unsafe { &*half.cast::<Tx<()>>() };
        let number = half.number.take().ok_or(EncodeError::Channel("given twice".into()))?;
        self.seen.push((kind, number, item.shape()));
        Ok(number + 100)
    }
}

// SAFETY: as above; `take` writes a half and cannot fail after that.
unsafe impl ChannelDecoder for Hook {
    fn layout(&self, _: ChannelKind) -> Layout {
        self.layout.unwrap_or(Layout::new::<Tx<()>>())
    }

    unsafe fn take(
        &mut self,
        index: u32,
        kind: ChannelKind,
        item: &Arc<Program>,
        _: Option<&Arc<Translation>>,
        dst: *mut u8,
    ) -> Result<(), DecodeError> {
        if index == 99 {
            return Err(DecodeError::new(DecodeErrorKind::Channel("no such".into()), 0));
        }
        self.seen.push((kind, index, item.shape()));
        LIVE.with(|live| live.set(live.get() + 1));
        // SAFETY: halves of all item types have one layout.
        unsafe { dst.cast::<Tx<()>>().write(Tx::new(index + 1000)) };
        Ok(())
    }

    fn keep(&mut self, bytes: usize) -> Result<(), DecodeErrorKind> {
        match self.kept.checked_add(bytes).filter(|kept| *kept <= MAY_KEEP) {
            Some(kept) => {
                self.kept = kept;
                Ok(())
            }
            None => Err(over_memory(self.kept + bytes)),
        }
    }
}

fn over_memory(kept: usize) -> DecodeErrorKind {
    DecodeErrorKind::OverMemory { short: Short::new(Scarce::SessionMemory, kept, MAY_KEEP).into() }
}

#[derive(Facet, Debug, PartialEq)]
struct Call {
    name: String,
    out: Tx<u64>,
    back: Option<Box<Rx<String>>>,
    choice: Choice,
    pair: (u8, Tx<Vec<u8>>),
}

#[derive(Facet, Debug, PartialEq)]
#[repr(u8)]
#[allow(dead_code)]
enum Choice {
    Plain,
    With { rx: Rx<u8> },
}

fn call() -> Call {
    Call {
        name: "n".into(),
        out: Tx::new(1),
        back: Some(Box::new(Rx::new(2))),
        choice: Choice::With { rx: Rx::new(3) },
        pair: (9, Tx::new(4)),
    }
}

const CALL_BYTES: &[u8] = &[1, b'n', 101, 1, 102, 1, 103, 9, 104];

fn take(bytes: &[u8], hook: &mut Hook) -> Result<Call, DecodeError> {
    let frame = Bytes::copy_from_slice(bytes);
    let mut from = Decoder::new(&frame, Budget::default_for(bytes.len())).with_channels(hook);
    Plan::new().decode(&mut from)
}

#[test]
fn channels_are_given_in_the_order_of_the_fields() {
    let (mut out, mut hook) = (Vec::new(), Hook::default());
    let plan = Plan::<Call>::new();
    assert!(plan.program().unwrap().has_channels());
    let call = call();
    plan.encode(&call, &mut Encoder::new(&mut out, 1024).with_channels(&mut hook)).unwrap();
    assert_eq!(out, CALL_BYTES);
    assert_eq!(
        hook.seen,
        [
            (ChannelKind::Tx, 1, u64::SHAPE),
            (ChannelKind::Rx, 2, String::SHAPE),
            (ChannelKind::Rx, 3, u8::SHAPE),
            (ChannelKind::Tx, 4, <Vec<u8>>::SHAPE),
        ]
    );
    assert_eq!(call.out.number.get(), None);
}

#[test]
fn channels_are_taken_where_they_stand() {
    let mut hook = Hook::default();
    let call = take(CALL_BYTES, &mut hook).unwrap();
    assert_eq!(call.out.number.get(), Some(1101));
    assert_eq!(call.back.as_ref().unwrap().number.get(), Some(1102));
    assert_eq!(call.pair.1.number.get(), Some(1104));
    assert_eq!(hook.seen.len(), 4);
    drop(call);
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn a_decoding_that_fails_drops_the_halves_it_took() {
    for len in 0..CALL_BYTES.len() {
        take(&CALL_BYTES[..len], &mut Hook::default()).unwrap_err();
        assert_eq!(LIVE.get(), 0, "after {len} bytes");
    }
    let refused = [1, b'n', 101, 1, 102, 1, 103, 9, 99];
    let error = take(&refused, &mut Hook::default()).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Channel("no such".into()));
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn without_hooks_channels_do_not_cross() {
    let mut out = vec![7];
    let result = Plan::new().encode(&call(), &mut Encoder::new(&mut out, 1024));
    assert_eq!(result, Err(EncodeError::NoChannels));
    assert_eq!(out, [7]);
    let frame = Bytes::from_static(CALL_BYTES);
    let result = Plan::<Call>::new().decode(&mut Decoder::new(&frame, Budget::default_for(9)));
    assert_eq!(result.unwrap_err().kind, DecodeErrorKind::NoChannels);
}

#[test]
fn an_error_of_the_hook_comes_back() {
    let (mut out, mut hook) = (Vec::new(), Hook::default());
    let call = call();
    call.pair.1.number.set(None);
    let result = Plan::new().encode(&call, &mut Encoder::new(&mut out, 1024).with_channels(&mut hook));
    assert_eq!(result, Err(EncodeError::Channel("given twice".into())));
    assert_eq!(out, []);
}

/// A half of another layout than the hook's never reaches the hook.
#[test]
fn a_half_of_another_layout_is_refused_both_ways() {
    for layout in [Layout::new::<[u64; 4]>(), Layout::new::<u8>(), Layout::new::<(u32, u8)>()] {
        let mut hook = Hook { layout: Some(layout), ..Hook::default() };
        let (mut out, call) = (Vec::new(), call());
        let result = Plan::new().encode(&call, &mut Encoder::new(&mut out, 1024).with_channels(&mut hook));
        let agrees = layout == Layout::new::<Tx<()>>();
        assert_eq!(result.is_err(), !agrees, "{layout:?}: {result:?}");
        if !agrees {
            assert!(result.unwrap_err().to_string().contains("vox's own"));
            assert!(take(CALL_BYTES, &mut hook).unwrap_err().to_string().contains("vox's own"));
            assert_eq!((hook.seen.len(), out.len()), (0, 0));
        }
    }
}

#[test]
fn channels_inside_collections_are_refused() {
    #[derive(Facet)]
    struct Many {
        list: Vec<(u8, Tx<u8>)>,
    }
    #[derive(Facet)]
    struct Shared {
        tx: Arc<Tx<u8>>,
    }
    assert_eq!(refusal::<Many>().path, "Many.list[].1");
    assert_eq!(refusal::<Many>().type_name, "Tx<u8>");
    assert_eq!(refusal::<[Rx<u8>; 2]>().reason, "a channel cannot stand inside a collection");
    assert_eq!(refusal::<std::collections::BTreeMap<u8, Rx<u8>>>().type_name, "Rx<u8>");
    assert_eq!(refusal::<Box<[Rx<u8>]>>().type_name, "Rx<u8>");
    assert_eq!(refusal::<Shared>().reason, "a channel cannot stand inside a shared owner");
}

#[test]
fn a_channel_of_its_own_messages_compiles() {
    #[derive(Facet)]
    struct Message {
        #[facet(recursive_type)]
        reply: Option<Tx<Message>>,
    }
    assert!(Plan::<Message>::new().program().unwrap().has_channels());
    assert_eq!(encode(&Message { reply: None }), [0]);
}

#[test]
fn an_item_that_cannot_be_sent_is_found_with_the_channel() {
    #[derive(Facet)]
    struct Bad {
        tx: Tx<&'static str>,
    }
    assert_eq!(refusal::<Bad>().path, "Bad.tx<item>");
}

#[test]
fn a_program_runs_for_its_own_type_only() {
    let plan = Plan::<Vec<u8>>::new();
    let program = plan.program().unwrap();
    let mut out = Vec::new();
    assert!(program.encode(&vec![1u8], &mut Encoder::new(&mut out, 64)).is_ok());
    assert!(program.encode(&vec![1i8], &mut Encoder::new(&mut out, 64)).is_err());
    let frame = out.into();
    let decode = || Decoder::new(&frame, Budget::default_for(frame.len()));
    assert_eq!(program.decode::<Vec<u8>>(&mut decode()).unwrap(), [1]);
    assert!(program.decode::<Vec<i8>>(&mut decode()).is_err());
}

#[test]
fn memory_beyond_what_a_value_was_given_is_asked_for_before_it_is_used() {
    let read = |count: usize, hook: Option<&mut Hook>| {
        let frame = Bytes::from(encode(&vec![String::new(); count]));
        let budget = Budget::default_for(frame.len()).with_first(1000);
        let from = Decoder::new(&frame, budget);
        let mut from = match hook {
            Some(hook) => from.with_channels(hook),
            None => from,
        };
        Plan::<Vec<String>>::new().decode(&mut from).map(|texts| texts.len()).map_err(|error| error.kind)
    };
    let mut hook = Hook::default();
    assert_eq!((read(40, Some(&mut hook)), hook.kept), (Ok(40), 0), "what it was given is enough");
    assert_eq!(read(4000, Some(&mut hook)), Ok(4000));
    assert!((95_000..=MAY_KEEP).contains(&hook.kept), "{}", hook.kept);
    let refused = read(4000, Some(&mut hook));
    assert!(matches!(refused, Err(DecodeErrorKind::OverMemory { .. })), "{refused:?}");
    assert!(matches!(read(4000, None), Err(DecodeErrorKind::OverBudget { .. })), "there is nobody to ask");
}

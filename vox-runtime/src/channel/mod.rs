//! Channels as users hold them: [`Tx`] sends items one way, [`Rx`] receives them.
//!
//! A pair is made by [`channel`]; one half goes into a call's arguments, which binds both halves to a channel
//! of that call's connection, and the other half stays. A handler gets halves that are bound from the start.

mod bound;
mod cell;
mod errors;
#[allow(unsafe_code, reason = "reads and makes the halves that the codec points at")]
mod hooks;
mod items;
mod local;
mod raw;
mod rx;
mod slow;
mod tx;

pub(crate) use bound::Bound;
pub(crate) use cell::CallWaits;
pub use errors::{RecvError, SendError, TryRecvError, TrySendError};
pub(crate) use hooks::{HalfDecoder, HalfEncoder, OutgoingHalf};
pub(crate) use raw::RawHalf;
pub use rx::Rx;
pub use tx::Tx;

use std::marker::PhantomData;

use cell::Half;

/// A channel that no call carries yet: give one half to a call, keep the other.
///
/// Up to 256 items may be sent before the `Rx` is given to a call, and leave with it. If the call is never sent, the kept half says so. Where both
/// halves are kept, they are a channel within this process, as tests of handlers like to have: it ends as others do.
///
/// ```
/// # extern crate vox_runtime as vox;
/// let (tx, rx) = vox::channel::<u64>();
/// # drop((tx, rx));
/// ```
pub fn channel<T>() -> (Tx<T>, Rx<T>) {
    let (a, b) = Half::pair();
    (Tx { half: a, item: PhantomData }, Rx { half: b, reader: rx::Reader::default(), item: PhantomData })
}

//! Halves whose items are bytes, for calls and handlers without types.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::hooks::{HalfDecoder, HalfEncoder};
use super::rx::{Reader, Rx};
use super::tx::Tx;
use super::{RecvError, channel};
use crate::codec::{Budget, ChannelKind, DecodeError, EncodeError, Plan, Program, Rest};
use crate::driver::HalfEnd;
use crate::error::Place;
use crate::reply;
use crate::wire::Reset;

/// A half whose items are bytes as they are encoded.
pub(crate) enum RawHalf {
    Tx(Tx<Rest>),
    Rx(Rx<Rest>),
}

/// How bytes are written: as they are.
fn program() -> &'static Arc<Program> {
    static PLAN: OnceLock<Plan<Rest>> = OnceLock::new();
    PLAN.get_or_init(Plan::new).program().expect("bytes cross as they are")
}

impl Tx<Rest> {
    /// The call that the channel comes with, for errors.
    #[cold]
    pub(crate) fn place(&self) -> Place {
        self.half.place()
    }
}

impl Rx<Rest> {
    /// What reading an item may cost.
    pub(crate) fn budget(&self) -> Budget {
        self.half.get().map_or_else(|| Budget::default_for(0), |bound| reply::budget(&bound.shared.limits))
    }

    /// The item that was received last is none of the channel's type: the channel ends with it.
    #[cold]
    pub(crate) fn refuse(&mut self, error: DecodeError) -> RecvError {
        let error = RecvError::BadItem { error, at: self.half.place() };
        self.half.end(HalfEnd::Reset(Reset::Gone));
        self.fail(error.clone());
        error
    }
}

impl HalfEncoder<'_> {
    /// Gives a half of this kind to the call, and keeps the other.
    pub(crate) fn give_raw(&mut self, kind: ChannelKind) -> Result<RawHalf, EncodeError> {
        let (tx, rx) = channel::<Rest>();
        Ok(match kind {
            ChannelKind::Tx => {
                self.give_half(&tx.half, kind, program())?;
                RawHalf::Rx(rx)
            }
            ChannelKind::Rx => {
                self.give_half(&rx.half, kind, program())?;
                RawHalf::Tx(tx)
            }
        })
    }
}

impl HalfDecoder<'_> {
    /// The half of this number, if it is of this kind.
    pub(crate) fn take_raw(&mut self, index: u32, kind: ChannelKind) -> Result<RawHalf, DecodeError> {
        let half = self.take_half(index, kind, program(), None)?;
        Ok(match kind {
            ChannelKind::Tx => RawHalf::Tx(Tx { half, item: PhantomData }),
            ChannelKind::Rx => RawHalf::Rx(Rx { half, reader: Reader::default(), item: PhantomData }),
        })
    }
}

//! Writing to the link, by one task or call at a time.

use super::super::shared::Shared;
use super::super::state::{Flush, State};
use super::super::sync::MutexGuard;
use super::super::writer::Writer;
use crate::catch_panic::catch_panic;

impl Shared {
    /// Lets go of something, which may end the session. Its last words are written here and now, unless somebody is just writing: in
    /// a program that ends, the driver may never have another turn.
    pub(crate) fn let_go(&self, change: impl FnOnce(&mut State)) {
        let has_ended = |state: &State| state.session.end_reason().is_some();
        let here = |state: &State| match state.driver_is_awake() && !has_ended(state) {
            true => Flush::Driver,
            false => Flush::Here,
        };
        let ended = self.with(here, |state| {
            change(state);
            has_ended(state)
        });
        if ended {
            // It may have looked for the link meanwhile, to close it, and not found it.
            self.wake_driver();
        }
    }

    /// Writes what was taken. Only for the one that began to write, but the driver.
    pub(in crate::driver) fn write(&self, mut writer: Box<Writer>) {
        let outcome = writer.write_batch();
        let gone = self.change(|state| state.end_write(writer, outcome, Flush::Here));
        if let Err(Some(writer)) = gone {
            catch_panic(move || drop(writer));
        }
    }

    /// As [`write`](Self::write), for the driver, which goes on until the outbox is empty.
    #[inline]
    pub(in crate::driver) fn write_all(&self, mut writer: Box<Writer>) -> MutexGuard<'_, State> {
        loop {
            let outcome = writer.write_batch();
            let mut state = self.lock();
            let ended = state.end_write(writer, outcome, Flush::Driver);
            state.settle(&self.router);
            let deferred = state.deferred.take();
            if let (Err(None), None) = (&ended, &deferred) {
                return state;
            }
            drop(state);
            if let Some(deferred) = deferred {
                self.run_deferred(deferred);
            }
            match ended {
                Ok(again) => writer = again,
                Err(gone) => {
                    catch_panic(move || drop(gone));
                    return self.lock();
                }
            }
        }
    }
}

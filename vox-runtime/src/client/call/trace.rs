//! A call carries the trace context of the handler that makes it, as far as there is room.

use super::Call;
use crate::descriptor::MethodDescriptor;

/// What an entry of metadata takes at most beside its key and its value.
const ENTRY_ROOM: usize = 11;

impl<T, E> Call<T, E> {
    /// Passes on the trace context of the handler that makes the call, as far as there is room for it: no call fails of it.
    pub(super) fn inherit_trace(&mut self) {
        let Some(trace) = self.scope.trace.take() else { return };
        for (key, value, sensitive) in trace.entries() {
            if self.metadata.get(key).is_some() {
                continue;
            }
            let len = key.len() + value.len();
            if self.metadata.has_room(len) && self.bare_len() + len + ENTRY_ROOM <= self.handle().shared().max_payload {
                self.metadata.push(key, value, sensitive);
                self.inherited += 1;
            } else {
                self.goes_without(key, len);
            }
        }
    }

    /// The call has moved to another session, whose peer may take less: leaves of the trace context what does not fit, the last first.
    pub(in super::super) fn fit_trace(&mut self) {
        while self.inherited > 0 && self.bare_len() > self.handle().shared().max_payload {
            self.inherited -= 1;
            if let Some((key, len)) = self.metadata.pop() {
                self.goes_without(&key, len);
            }
        }
    }

    #[cold]
    fn goes_without(&self, key: &str, len: usize) {
        let MethodDescriptor { service, name, .. } = self.method;
        tracing::warn!("`{key}` of {len} bytes does not fit into a call of `{service}::{name}`, which goes without it");
    }
}

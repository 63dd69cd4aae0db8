//! A call of a method that the peer has in another version.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use super::Call;
use crate::descriptor::MethodDescriptor;
use crate::error::{NotSent, VoxError};
use crate::terms::MethodTerms;

impl<T, E> Call<T, E> {
    /// Why the method cannot be called on these terms; `None` where it can. What is made to find that out is kept with its connection.
    #[cold]
    pub(super) fn refusal(&self, terms: &MethodTerms) -> Option<Arc<str>> {
        let before = terms.made();
        let refusal = self.reply.refusal(terms, self.method.args);
        if terms.made() != before {
            self.handle().shared().settle_terms(self.handle().connection());
        }
        refusal
    }

    #[cold]
    pub(super) fn differ(&mut self, why: &dyn fmt::Display) -> Poll<Result<T, VoxError<E>>> {
        self.leave_queue();
        let MethodDescriptor { service, name, .. } = self.method;
        let why = format!("`{service}.{name}`: {why}");
        Poll::Ready(Err(VoxError::NotSent(NotSent::Incompatible(why.into()))))
    }
}

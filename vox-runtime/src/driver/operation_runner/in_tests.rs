//! An operation of a handler that a test calls itself.

use std::sync::Arc;

use super::{Granted, OperationRunner};
use crate::descriptor::MethodDescriptor;
use crate::operation::{Fence, NewOperation, Operation};
use crate::store::OperationStore;

impl Granted {
    /// An operation that this store has admitted. Its handler is a test's, which nobody hears the end of.
    pub(crate) fn for_test(
        store: Arc<dyn OperationStore>,
        method: &'static MethodDescriptor,
        operation: NewOperation,
        fence: Fence,
    ) -> Arc<Self> {
        let NewOperation { key, schema, .. } = operation;
        let operation = Operation { key, fence, method };
        Arc::new(Self { operation, schema, runner: OperationRunner::new(store), unnamed: false })
    }
}

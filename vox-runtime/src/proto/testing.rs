//! What tests of the core have in common: a service, and a time to begin at.

use std::time::Instant;

use crate::descriptor::{MethodDescriptor, RetryPolicy, ServiceDescriptor};
use crate::ids::MethodId;

/// A method that dies with its caller.
pub(crate) const VOLATILE: MethodId = MethodId(1);
/// A method that runs to its end.
pub(crate) const PERSIST: MethodId = MethodId(2);

/// The one service that tests serve.
pub(crate) static SERVICE: ServiceDescriptor = ServiceDescriptor {
    name: "alpha",
    docs: "",
    methods: &[method("volatile", VOLATILE, RetryPolicy::VOLATILE), method("persist", PERSIST, RetryPolicy::PERSIST)],
};

const fn method(name: &'static str, id: MethodId, policy: RetryPolicy) -> MethodDescriptor {
    MethodDescriptor {
        id,
        service: "alpha",
        name,
        docs: "",
        args: &[],
        response: <u8 as facet::Facet>::SHAPE,
        policy,
        timeout: None,
    }
}

/// Some instant: only what is added to it matters. The one look at a clock in all tests of the core.
pub(crate) fn epoch() -> Instant {
    Instant::now()
}

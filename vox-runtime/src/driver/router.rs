//! Which services are served, by name.

use std::sync::Arc;

use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::server::Dispatcher;

/// The services that one end of a session serves.
#[derive(Clone, Default)]
pub(crate) struct Router {
    services: Arc<[Arc<dyn Dispatcher>]>,
}

impl Router {
    pub(crate) fn new(services: Vec<Arc<dyn Dispatcher>>) -> Self {
        Self { services: services.into() }
    }

    /// The service of this name: its index and what is known of it.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &'static ServiceDescriptor)> {
        let index = self.services.iter().position(|dispatcher| dispatcher.service().name == name)?;
        Some((index, self.services[index].service()))
    }

    pub(crate) fn get(&self, index: usize) -> &Arc<dyn Dispatcher> {
        &self.services[index]
    }

    /// Why a connection to `name` is refused.
    pub(crate) fn refusal(&self, name: &str) -> Refusal {
        let served: Vec<&str> = self.services.iter().map(|dispatcher| dispatcher.service().name).collect();
        let served = match served.is_empty() {
            true => "none".to_owned(),
            false => served.join(", "),
        };
        Refusal::new(RefusalCode::UnknownService, format!("no service `{name}` here; served: {served}"))
    }
}

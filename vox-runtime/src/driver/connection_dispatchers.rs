//! Dispatchers that serve one connection each. The server's `accept_with` chose them.

use std::ops::Deref;
use std::sync::Arc;

use super::dispatch::Dispatcher;
use crate::ids::{ConnectionId, ServiceIndex};

/// The dispatchers of one session that are for one connection each. Their indices come after those of the server's own services.
#[derive(Default)]
pub(super) struct ChosenTable(pub(super) Vec<Option<(ConnectionId, Arc<dyn Dispatcher>)>>);

/// What serves a request: lent by the server, or of its connection alone.
pub(super) enum Serves<'a> {
    Own(&'a Arc<dyn Dispatcher>),
    Chosen(Arc<dyn Dispatcher>),
}

impl Serves<'_> {
    /// What is kept with a request that waits. `None`: the server has it.
    pub(super) fn chosen(self) -> Option<Arc<dyn Dispatcher>> {
        match self {
            Self::Own(_) => None,
            Self::Chosen(dispatcher) => Some(dispatcher),
        }
    }
}

impl Deref for Serves<'_> {
    type Target = Arc<dyn Dispatcher>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Own(dispatcher) => dispatcher,
            Self::Chosen(dispatcher) => dispatcher,
        }
    }
}

impl ChosenTable {
    /// Puts one in, behind so many services of the server's own: its index.
    pub(super) fn put(
        &mut self,
        own: usize,
        connection: ConnectionId,
        dispatcher: Arc<dyn Dispatcher>,
    ) -> ServiceIndex {
        let place = self.0.iter().position(Option::is_none).unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        self.0[place] = Some((connection, dispatcher));
        (own + place) as ServiceIndex
    }

    #[cold]
    pub(super) fn get(&self, own: usize, index: ServiceIndex) -> Option<Arc<dyn Dispatcher>> {
        let place = (index as usize).checked_sub(own)?;
        self.0.get(place)?.as_ref().map(|(_, dispatcher)| Arc::clone(dispatcher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::{DynamicDispatcher, ServiceType};

    #[test]
    fn a_place_that_is_free_is_used_again() {
        let service = ServiceType::builder("Chosen").build().expect("a service");
        let dispatcher = || -> Arc<dyn Dispatcher> { Arc::new(DynamicDispatcher::new(service.clone())) };
        let mut table = ChosenTable::default();
        assert_eq!((table.put(3, ConnectionId(1), dispatcher()), table.put(3, ConnectionId(3), dispatcher())), (3, 4));
        assert!(table.get(3, 4).is_some() && table.get(3, 5).is_none() && table.get(3, 2).is_none());
        table.0[0] = None;
        assert!(table.get(3, 3).is_none());
        assert_eq!(table.put(3, ConnectionId(5), dispatcher()), 3);
    }
}

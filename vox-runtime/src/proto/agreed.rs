//! The agreed terms of a connection whose ends have different versions of its service, and the charge for them.

use std::sync::Arc;

use super::Effects;
use super::memory_ledger::Standing;
use crate::error::Short;
use crate::ids::MethodId;
use crate::schema::Contract;
use crate::terms::{MethodTerms, Terms, differing};

/// On what terms a connection goes.
#[derive(Debug)]
pub(crate) enum Agreed {
    /// These, which are charged so.
    Terms { terms: Arc<Terms>, charge: Standing },
    /// There was no memory for any: what was short, and for which methods there would have been some, in the order of their ids.
    NoRoom { methods: Box<[MethodId]>, short: Short },
}

impl Agreed {
    /// There is no memory for the terms of these contracts.
    pub(super) fn no_room(ours: &Contract, theirs: &Contract, short: Short) -> Self {
        let methods = differing(ours, theirs).map(|(id, ..)| id).collect();
        Self::NoRoom { methods, short }
    }

    /// The terms of this method; `None` where both ends know it alike. `Err`: what was short for them.
    #[inline]
    pub(super) fn method(&self, method: MethodId) -> Result<Option<&Arc<MethodTerms>>, Short> {
        match self {
            Self::Terms { terms, .. } => Ok(terms.method(method)),
            Self::NoRoom { methods, short } => match methods.binary_search(&method) {
                Ok(_) => Err(*short),
                Err(_) => Ok(None),
            },
        }
    }

    /// Charges what was made since, too.
    pub(super) fn settle(&mut self, fx: &mut Effects) {
        if let Self::Terms { terms, charge } = self {
            fx.ledger.stand(charge, terms.settle());
        }
    }

    /// What is charged.
    pub(super) fn charged(&self) -> usize {
        match self {
            Self::Terms { charge, .. } => charge.bytes(),
            Self::NoRoom { .. } => 0,
        }
    }

    /// The connection is gone.
    pub(super) fn end(self, fx: &mut Effects) {
        if let Self::Terms { charge, .. } = self {
            fx.ledger.end_standing(charge);
        }
    }
}

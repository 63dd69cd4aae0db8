//! Everything generated is as visible as the trait, and no more.

#![deny(warnings, unreachable_pub, private_interfaces, private_bounds)]

mod inner {
    #[derive(facet::Facet)]
    struct Hidden {
        number: u64,
    }

    #[vox::service]
    trait Private {
        async fn call(&self, hidden: Hidden) -> Hidden;
    }

    #[vox::service]
    pub(super) trait Above {
        async fn call(&self);
    }

    #[vox::service]
    pub(crate) trait InCrate {
        async fn call(&self);
    }

    #[vox::service]
    pub(in crate::inner) trait Inside {
        async fn call(&self);
    }

    struct Mine;

    impl Private for Mine {
        async fn call(&self, hidden: Hidden) -> Hidden {
            Hidden { number: hidden.number + 1 }
        }
    }

    impl Inside for Mine {
        async fn call(&self) {}
    }

    pub(super) fn uses() -> usize {
        let _ = PrivateDispatcher::new(Mine);
        let _ = InsideDispatcher::new(Mine);
        let private: Option<PrivateClient> = None;
        let _ = private.map(|client| client.call(Hidden { number: 1 }));
        PrivateClient::SERVICE.methods.len() + InsideClient::SERVICE.methods.len()
    }
}

struct Mine;

impl inner::Above for Mine {
    async fn call(&self) {}
}

impl inner::InCrate for Mine {
    async fn call(&self) {}
}

fn main() {
    assert_eq!(inner::uses(), 2);
    let _ = inner::AboveDispatcher::new(Mine);
    let _ = inner::InCrateDispatcher::from_arc(std::sync::Arc::new(Mine));
}

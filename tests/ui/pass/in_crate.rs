//! A `pub(crate)` service stays in its crate, and may speak of the crate's own types.

#![deny(warnings, unreachable_pub)]

mod inner {
    #[derive(Debug, facet::Facet)]
    pub(crate) struct Own {
        pub(crate) number: u64,
    }

    #[vox::service]
    pub(crate) trait Inner {
        async fn get(&self, own: Own) -> Own;
    }
}

use inner::{Inner, InnerClient, InnerDispatcher, Own};

struct Mine;

impl Inner for Mine {
    async fn get(&self, own: Own) -> Own {
        Own { number: own.number + 1 }
    }
}

fn call(client: &InnerClient) -> vox::Call<Own, vox::Never> {
    client.get(Own { number: 1 })
}

fn main() {
    let _ = (InnerDispatcher::new(Mine), call);
}

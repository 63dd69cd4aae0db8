//! A service inside of a function, with types of the same function.

fn main() {
    #[derive(facet::Facet)]
    struct Local {
        number: u64,
    }

    #[vox::service]
    trait Inside {
        async fn get(&self, local: Local) -> u64;
    }

    struct Mine;

    impl Inside for Mine {
        async fn get(&self, local: Local) -> u64 {
            local.number
        }
    }

    let _ = InsideDispatcher::new(Mine);
    assert_eq!(InsideClient::SERVICE.methods.len(), 1);
}

//! A service of which a crate uses only a part gives no warnings.

#![deny(warnings)]

mod client_only {
    #[vox::service]
    trait Asked {
        async fn ask(&self, question: String) -> String;
    }
    pub fn uses(client: &dyn std::any::Any) -> bool {
        client.is::<AskedClient>()
    }
}

mod server_only {
    #[vox::service]
    trait Answering {
        async fn ask(&self, question: String) -> String;
    }
    struct Mine;
    impl Answering for Mine {
        async fn ask(&self, question: String) -> String {
            question
        }
    }
    pub fn uses() {
        let _ = AnsweringDispatcher::new(Mine);
    }
}

fn main() {
    assert!(!client_only::uses(&1_u64));
    server_only::uses();
}

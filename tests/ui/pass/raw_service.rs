//! Raw identifiers for a service, its methods, arguments and types.

#[derive(facet::Facet)]
pub struct Kind {
    pub r#fn: u64,
}

#[vox::service]
pub trait r#Match {
    async fn r#loop(&self, r#type: Kind, r#for: &str) -> Result<u64, String>;
}

struct Mine;

impl Match for Mine {
    async fn r#loop(&self, r#type: Kind, _: &str) -> Result<u64, String> {
        Ok(r#type.r#fn)
    }
}

fn call(client: &MatchClient) -> vox::Call<u64, String> {
    client.r#loop(Kind { r#fn: 1 }, "")
}

fn main() {
    let _ = (MatchDispatcher::new(Mine), call);
    let method = &MatchClient::SERVICE.methods[0];
    assert_eq!((MatchClient::SERVICE.name, method.name), ("Match", "loop"));
    assert_eq!((method.args[0].name, method.args[1].name), ("type", "for"));
}

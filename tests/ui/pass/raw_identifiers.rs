//! Raw identifiers lose their `r#` on the wire.

#[vox::service]
pub trait r#Match {
    async fn r#type(&self, r#fn: u64) -> u64;
    async fn r#async(&self, r#struct: &str) -> u64;
}

struct Mine;

impl Match for Mine {
    async fn r#type(&self, r#fn: u64) -> u64 {
        r#fn
    }
    async fn r#async(&self, r#struct: &str) -> u64 {
        r#struct.len() as u64
    }
}

fn main() {
    let _ = MatchDispatcher::new(Mine);
    let service = MatchClient::SERVICE;
    assert_eq!(service.name, "Match");
    assert_eq!(service.methods[0].name, "type");
    assert_eq!(service.methods[0].args[0].name, "fn");
    assert_eq!(service.methods[1].name, "async");
}

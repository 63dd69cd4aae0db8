//! Channels inside of structs and behind aliases are found by type.

#[derive(facet::Facet)]
pub struct Feeds {
    pub rows: vox::Rx<u64>,
    pub done: Option<vox::Tx<()>>,
}

pub type Rows = vox::Rx<(u64, String)>;

#[vox::service]
pub trait Feed {
    async fn take(&self, feeds: Feeds) -> u64;
    async fn alias(&self, rows: Rows);
    async fn none(&self, number: u64);
}

fn main() {
    let carries: Vec<bool> = FeedClient::SERVICE.methods.iter().map(|method| method.has_channels()).collect();
    assert_eq!(carries, [true, true, false]);
}

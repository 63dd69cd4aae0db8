//! Generic types inside of generic types.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

#[derive(Debug, Clone, facet::Facet)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Box<Page<T>>>,
}

#[vox::service]
pub trait Pages {
    async fn deep(&self, page: Page<Page<Option<Vec<u64>>>>) -> Option<Option<Vec<Page<String>>>>;
    async fn maps(&self, map: HashMap<String, BTreeMap<u64, Vec<Page<u8>>>>) -> BTreeMap<u64, HashMap<String, u8>>;
    async fn sets(&self, hashed: HashSet<String>, sorted: BTreeSet<u64>) -> Result<BTreeSet<u8>, Page<String>>;
}

fn main() {
    assert_eq!(PagesClient::SERVICE.methods[2].args.len(), 2);
}

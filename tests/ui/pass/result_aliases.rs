//! A `Result` is recognised by type, however it is spelt, and nothing else is taken for one.

use vox::Never;

use vox::{Call, VoxError};

#[derive(Debug, facet::Facet)]
pub struct SearchResult {
    pub hits: u64,
}

#[derive(Debug, facet::Facet)]
pub struct Failure {
    pub why: String,
}

pub type FailureResult<T> = Result<T, Failure>;

pub mod prelude {
    pub type Result<T, E = super::Failure> = std::result::Result<T, E>;
}

macro_rules! answer {
    () => { u64 };
}

#[vox::service]
pub trait Search {
    async fn plain(&self) -> SearchResult;
    async fn spelt_out(&self) -> Result<u64, Failure>;
    async fn qualified(&self) -> std::result::Result<u64, Failure>;
    async fn alias(&self) -> FailureResult<u64>;
    async fn alias_called_result(&self) -> prelude::Result<SearchResult>;
    async fn alias_with_error(&self) -> prelude::Result<u64, String>;
    async fn within(&self) -> Option<Result<u64, Failure>>;
    async fn twice(&self) -> Result<Result<u64, String>, Failure>;
    async fn by_macro(&self) -> answer!();
    async fn unit(&self) -> ();
    async fn parenthesized(&self) -> (Result<u64, Failure>);
}

struct Mine;

impl Search for Mine {
    async fn plain(&self) -> SearchResult {
        SearchResult { hits: 0 }
    }
    async fn spelt_out(&self) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn qualified(&self) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn alias(&self) -> FailureResult<u64> {
        Err(Failure { why: String::new() })
    }
    async fn alias_called_result(&self) -> prelude::Result<SearchResult> {
        Ok(SearchResult { hits: 0 })
    }
    async fn alias_with_error(&self) -> prelude::Result<u64, String> {
        Ok(0)
    }
    async fn within(&self) -> Option<Result<u64, Failure>> {
        None
    }
    async fn twice(&self) -> Result<Result<u64, String>, Failure> {
        Ok(Ok(0))
    }
    async fn by_macro(&self) -> u64 {
        0
    }
    async fn unit(&self) {}
    async fn parenthesized(&self) -> Result<u64, Failure> {
        Ok(0)
    }
}

fn calls(search: &SearchClient) {
    let _: Call<SearchResult, Never> = search.plain();
    let _: Call<u64, Failure> = search.spelt_out();
    let _: Call<u64, Failure> = search.qualified();
    let _: Call<u64, Failure> = search.alias();
    let _: Call<SearchResult, Failure> = search.alias_called_result();
    let _: Call<u64, String> = search.alias_with_error();
    let _: Call<Option<Result<u64, Failure>>, Never> = search.within();
    let _: Call<Result<u64, String>, Failure> = search.twice();
    let _: Call<u64, Never> = search.by_macro();
    let _: Call<(), Never> = search.unit();
    let _: Call<u64, Failure> = search.parenthesized();
}

fn main() {
    let _ = calls;
    let _ = SearchDispatcher::new(Mine);
    let plain = SearchClient::SERVICE.methods[0].response;
    assert_eq!(plain, <Result<SearchResult, VoxError<std::convert::Infallible>> as facet::Facet>::SHAPE);
    let alias = SearchClient::SERVICE.methods[3].response;
    assert_eq!(alias, <Result<u64, VoxError<Failure>> as facet::Facet>::SHAPE);
}

//! `#[vox(default)]` and `#[vox(default = expression)]` before arguments of any kind.

#![deny(warnings)]

use std::collections::BTreeMap;

#[derive(Debug, Default, PartialEq, facet::Facet)]
pub struct Filter {
    pub tag: String,
}

const LIMIT: u32 = 50;

fn base() -> Filter {
    Filter { tag: "base".to_owned() }
}

#[vox::service]
pub trait Search {
    async fn find(
        &self,
        #[vox(default)] filter: Filter,
        #[vox(default = LIMIT * 2)] limit: u32,
        cx: &vox::Context,
        #[vox(default)] text: &str,
        #[vox(default = "en")] language: &str,
        #[vox(default)] key: &[u8],
        #[vox(default = b"salt")] salt: &[u8],
        #[vox(default = Some(7))] seed: Option<u64>,
        #[vox(default = BTreeMap::<u8, bool>::new())] mut flags: BTreeMap<u8, bool>,
        #[vox(default = base())] r#type: Filter,
    ) -> String;

    #[cfg(any())]
    async fn gone(&self, #[vox(default = no_such_function())] limit: u32);

    async fn last(&self, #[vox(default)] limit: u32);
}

struct Mine;

impl Search for Mine {
    async fn find(
        &self,
        filter: Filter,
        limit: u32,
        _cx: &vox::Context,
        text: &str,
        language: &str,
        key: &[u8],
        salt: &[u8],
        seed: Option<u64>,
        mut flags: BTreeMap<u8, bool>,
        r#type: Filter,
    ) -> String {
        flags.clear();
        format!("{} {limit} {text} {language} {key:?} {salt:?} {seed:?} {}", filter.tag, r#type.tag)
    }

    async fn last(&self, _limit: u32) {}
}

fn main() {
    let _ = SearchDispatcher::new(Mine);
    let args = SearchClient::SERVICE.methods[0].args;
    assert!(args.iter().all(|argument| argument.has_default && argument.may_miss()));
}

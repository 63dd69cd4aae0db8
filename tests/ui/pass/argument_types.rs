//! Owned types of any form.

#![allow(unused_braces, unused_parens)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const SIDE: usize = 3;

#[derive(Debug, Clone, facet::Facet)]
pub struct Page<T> {
    pub items: Vec<T>,
}

#[derive(Debug, Clone, facet::Facet)]
pub struct Matrix<const N: usize> {
    pub cells: [f64; N],
}

#[derive(facet::Facet)]
pub struct Feeds {
    pub name: String,
    pub rows: vox::Rx<u64>,
    pub events: vox::Tx<String>,
}

pub type Bytes32 = [u8; 32];
pub type Rows = vox::Rx<Page<u64>>;

pub trait Has {
    type Item;
}

impl Has for u64 {
    type Item = Page<u64>;
}

macro_rules! number {
    () => { u32 };
}

#[vox::service]
pub trait Types {
    async fn arrays(&self, hash: [u8; 32], grid: [[u8; SIDE]; { SIDE + 1 }], alias: Bytes32) -> [u8; SIDE];
    async fn tuples(&self, unit: (), one: (u64,), three: (u64, String, bool)) -> (u64, (u8, u8));
    async fn generics(&self, page: Page<Page<Option<u64>>>, map: HashMap<String, Vec<u64>>, tree: BTreeMap<u64, Box<str>>);
    async fn const_generics(&self, matrix: Matrix<4>, braced: Matrix<{ SIDE * SIDE }>);
    async fn qualified(&self, path: std::string::String, projected: <u64 as Has>::Item, global: ::std::vec::Vec<u8>);
    async fn owners(&self, cow: Cow<'static, str>, shared: Arc<u64>, slice: Arc<[u8]>, boxed: Box<u64>, text: Box<str>);
    async fn by_macro(&self, number: number!()) -> number!();
    async fn channels(&self, rows: Rows, feeds: Feeds, maybe: Option<vox::Tx<u64>>, mut last: vox::Rx<(u64, String)>);
    async fn mutable(&self, mut count: u64, cx: &vox::Context) -> u64;
    async fn parenthesized(&self, number: (u64), text: &(str), bytes: (&[u8]));
    async fn elided(&self, text: &'_ str, bytes: &'_ [u8], cx: &'_ vox::Context);
    async fn wide(&self, a: u128, b: i128, c: char, d: f32, e: isize) -> Result<(), ()>;
}

struct Mine;

impl Types for Mine {
    async fn arrays(&self, _: [u8; 32], _: [[u8; SIDE]; 4], _: Bytes32) -> [u8; SIDE] {
        [0; SIDE]
    }
    async fn tuples(&self, _: (), (one,): (u64,), (_, _, _): (u64, String, bool)) -> (u64, (u8, u8)) {
        (one, (0, 0))
    }
    async fn generics(&self, _: Page<Page<Option<u64>>>, _: HashMap<String, Vec<u64>>, _: BTreeMap<u64, Box<str>>) {}
    async fn const_generics(&self, _: Matrix<4>, _: Matrix<9>) {}
    async fn qualified(&self, _: String, _: Page<u64>, _: Vec<u8>) {}
    async fn owners(&self, _: Cow<'static, str>, _: Arc<u64>, _: Arc<[u8]>, _: Box<u64>, _: Box<str>) {}
    async fn by_macro(&self, number: u32) -> u32 {
        number
    }
    async fn channels(&self, _: Rows, _: Feeds, _: Option<vox::Tx<u64>>, _: vox::Rx<(u64, String)>) {}
    async fn mutable(&self, mut count: u64, _: &vox::Context) -> u64 {
        count += 1;
        count
    }
    async fn parenthesized(&self, _: u64, _: &str, _: &[u8]) {}
    async fn elided(&self, _: &str, _: &[u8], _: &vox::Context) {}
    async fn wide(&self, _: u128, _: i128, _: char, _: f32, _: isize) -> Result<(), ()> {
        Ok(())
    }
}

fn main() {
    let _ = TypesDispatcher::new(Mine);
    assert_eq!(TypesClient::SERVICE.methods.len(), 12);
}

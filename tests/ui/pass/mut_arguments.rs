//! `mut` before an argument, in the trait and in the `impl`.

#![deny(warnings)]

#[vox::service]
pub trait Counter {
    async fn add(&self, mut count: u64, mut rows: vox::Rx<u64>) -> u64;
    async fn plain(&self, text: String) -> String;
}

struct Mine;

impl Counter for Mine {
    async fn add(&self, mut count: u64, mut rows: vox::Rx<u64>) -> u64 {
        while let Ok(Some(more)) = rows.recv().await {
            count += more;
        }
        count
    }
    async fn plain(&self, mut text: String) -> String {
        text.push('!');
        text
    }
}

fn main() {
    let _ = CounterDispatcher::new(Mine);
}

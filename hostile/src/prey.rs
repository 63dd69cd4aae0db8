//! The service that is attacked.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vox::{Rx, Tx};

/// As deep as its sender likes.
#[derive(Debug, Default, facet::Facet)]
pub(crate) struct Nest {
    inner: Option<Box<Nest>>,
}

#[vox::service]
pub(crate) trait Prey {
    async fn echo(&self, n: u64) -> u64;
    async fn blob(&self, bytes: Vec<u8>) -> u64;
    /// Takes its bytes, and ends when it is told to.
    async fn hold(&self, bytes: Vec<u8>);
    /// As `hold`.
    async fn hold_texts(&self, texts: Vec<String>);
    async fn list(&self, numbers: Vec<u64>) -> u64;
    async fn texts(&self, texts: Vec<String>) -> u64;
    async fn units(&self, units: Vec<()>) -> u64;
    async fn nest(&self, nest: Nest) -> u64;
    async fn wait(&self);
    async fn big(&self, len: u64) -> Vec<u8>;
    async fn explode(&self);
    async fn drink(&self, numbers: Rx<u64>) -> u64;
    async fn sit_on(&self, numbers: Rx<u64>);
    /// Takes items until an empty one comes, and then no more.
    async fn sip(&self, items: Rx<Vec<u8>>);
    async fn pour(&self, to: u64, numbers: Tx<u64>) -> u64;
    #[vox(idem)]
    async fn look(&self, n: u64) -> u64;
    #[vox(persist)]
    async fn keep(&self, n: u64) -> u64;
    #[vox(persist)]
    async fn keep_big(&self, len: u64) -> Vec<u8>;
    #[vox(persist)]
    async fn linger(&self);
    /// Another number each time that it runs.
    #[vox(persist)]
    async fn draw(&self, n: u64) -> u64;
}

#[derive(Clone, Default)]
pub(crate) struct Deer {
    /// How many items have left `pour`.
    pub(crate) poured: Arc<AtomicU64>,
    drawn: Arc<AtomicU64>,
}

impl Prey for Deer {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn blob(&self, bytes: Vec<u8>) -> u64 {
        bytes.len() as u64
    }
    async fn hold(&self, bytes: Vec<u8>) {
        let _bytes = bytes;
        pending::<()>().await;
    }
    async fn hold_texts(&self, texts: Vec<String>) {
        let _texts = texts;
        pending::<()>().await;
    }
    async fn list(&self, numbers: Vec<u64>) -> u64 {
        numbers.len() as u64
    }
    async fn texts(&self, texts: Vec<String>) -> u64 {
        texts.len() as u64
    }
    async fn units(&self, units: Vec<()>) -> u64 {
        units.len() as u64
    }
    async fn nest(&self, nest: Nest) -> u64 {
        let (mut depth, mut at) = (0, &nest);
        while let Some(inner) = &at.inner {
            (depth, at) = (depth + 1, inner);
        }
        depth
    }
    async fn wait(&self) {
        pending::<()>().await;
    }
    async fn big(&self, len: u64) -> Vec<u8> {
        vec![1; len.min(1 << 20) as usize]
    }
    async fn explode(&self) {
        // Quietly: the hook that prints panics is not asked.
        std::panic::resume_unwind(Box::new("planned"));
    }
    async fn drink(&self, mut numbers: Rx<u64>) -> u64 {
        let mut sum = 0u64;
        while let Ok(Some(n)) = numbers.recv().await {
            sum = sum.wrapping_add(n);
        }
        sum
    }
    async fn sit_on(&self, numbers: Rx<u64>) {
        let _numbers = numbers;
        pending::<()>().await;
    }
    async fn sip(&self, mut items: Rx<Vec<u8>>) {
        while items.recv().await.is_ok_and(|item| item.is_some_and(|item| !item.is_empty())) {}
        pending::<()>().await;
    }
    async fn look(&self, n: u64) -> u64 {
        n
    }
    async fn pour(&self, to: u64, numbers: Tx<u64>) -> u64 {
        for n in 0..to {
            if numbers.send(n).await.is_err() {
                return n;
            }
            self.poured.fetch_add(1, Ordering::SeqCst);
        }
        numbers.close();
        to
    }
    async fn keep(&self, n: u64) -> u64 {
        n
    }
    async fn keep_big(&self, len: u64) -> Vec<u8> {
        vec![1; len.min(4 << 20) as usize]
    }
    async fn linger(&self) {
        pending::<()>().await;
    }
    async fn draw(&self, _: u64) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst)
    }
}

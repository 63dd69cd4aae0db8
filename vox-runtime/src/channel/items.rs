//! The types that [`Tx::send_all`](super::Tx::send_all) takes.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// Many items of type `T`: an iterator of them, or a stream of them. `K` tells which, and is left to the compiler.
pub trait Items<T, K>: sealed::Sealed<K> {
    /// The items as a stream.
    fn into_stream(self) -> impl Stream<Item = T> + Send
    where
        Self: Sized;
}

/// Marks what is an iterator.
#[derive(Debug)]
pub enum Iterates {}

/// Marks what is a stream.
#[derive(Debug)]
pub enum Streams {}

mod sealed {
    pub trait Sealed<K> {}
    impl<I: IntoIterator> Sealed<super::Iterates> for I {}
    impl<S: super::Stream> Sealed<super::Streams> for S {}
}

impl<I: IntoIterator<IntoIter: Send>> Items<I::Item, Iterates> for I {
    fn into_stream(self) -> impl Stream<Item = I::Item> + Send {
        Iterated(self.into_iter())
    }
}

impl<S: Stream + Send> Items<S::Item, Streams> for S {
    fn into_stream(self) -> impl Stream<Item = S::Item> + Send {
        self
    }
}

struct Iterated<I>(I);

// The iterator is never pinned.
impl<I> Unpin for Iterated<I> {}

impl<I: Iterator> Stream for Iterated<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

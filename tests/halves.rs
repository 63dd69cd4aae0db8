//! Channel halves wherever they may stand in arguments. There is no socket here, so that Miri can run it: the runtime's
//! hooks read and make halves through pointers.

use std::future::IntoFuture;

use vox::transport::memory_pair;
use vox::{Rx, Tx};

#[derive(facet::Facet)]
struct Order {
    name: String,
    updates: Tx<u64>,
    more: Option<Box<Rx<String>>>,
    way: Report,
    pair: (u8, Tx<Vec<u8>>),
}

#[derive(facet::Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "a variant without a channel")]
enum Report {
    Silent,
    Told { each: u16, to: Tx<Option<String>> },
}

#[vox::service]
trait Counter {
    async fn work(&self, order: Order, numbers: Rx<u32>) -> u64;
    async fn ignore(&self, order: Order) -> u64;
}

struct Clerk;

impl Counter for Clerk {
    async fn work(&self, order: Order, mut numbers: Rx<u32>) -> u64 {
        let mut sum = 0;
        while let Ok(Some(number)) = numbers.recv().await {
            sum += u64::from(number);
            let _ = order.updates.send(sum).await;
        }
        if let Some(mut more) = order.more {
            while let Ok(Some(text)) = more.recv().await {
                sum += text.len() as u64;
            }
        }
        if let Report::Told { each, to } = order.way {
            sum += u64::from(each);
            let _ = to.send(Some(order.name)).await;
            to.close();
        }
        let _ = order.pair.1.send(vec![order.pair.0; 3]).await;
        order.pair.1.close();
        order.updates.close();
        sum
    }
    async fn ignore(&self, order: Order) -> u64 {
        order.name.len() as u64
    }
}

fn run(test: impl AsyncFnOnce(CounterClient)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (ours, theirs) = memory_pair();
        let serving = tokio::spawn(vox::serve(theirs, CounterDispatcher::new(Clerk)));
        test(vox::connect(ours).await.expect("a session")).await;
        serving.abort();
    });
}

#[test]
fn halves_cross_in_every_place() {
    run(async |counter| {
        let (updates, mut seen) = vox::channel();
        let (texts, more) = vox::channel();
        let (to, mut told) = vox::channel();
        let (bytes, mut parts) = vox::channel();
        let (numbers, for_handler) = vox::channel();
        let order = Order {
            name: "order".to_owned(),
            updates,
            more: Some(Box::new(more)),
            way: Report::Told { each: 1000, to },
            pair: (7, bytes),
        };
        let call = tokio::spawn(counter.work(order, for_handler).into_future());
        for number in [1, 2, 70_000] {
            numbers.send(number).await.expect("the handler reads");
        }
        numbers.close();
        texts.send("four".to_owned()).await.expect("the handler reads");
        texts.close();
        for sum in [1, 3, 70_003] {
            assert_eq!(seen.recv().await, Ok(Some(sum)));
        }
        assert_eq!(told.recv().await, Ok(Some(Some("order".to_owned()))));
        assert_eq!(told.recv().await, Ok(None));
        assert_eq!(parts.recv().await, Ok(Some(vec![7; 3])));
        assert_eq!(call.await.expect("no panic"), Ok(70_003 + 4 + 1000));
    });
}

#[test]
fn halves_that_nobody_takes_up_end() {
    run(async |counter| {
        let (updates, mut seen) = vox::channel();
        let (bytes, mut parts) = vox::channel();
        let order = Order { name: "four".to_owned(), updates, more: None, way: Report::Silent, pair: (0, bytes) };
        assert_eq!(counter.ignore(order).await, Ok(4));
        assert!(!matches!(seen.recv().await, Ok(Some(_))));
        assert!(!matches!(parts.recv().await, Ok(Some(_))));
        // Halves of a call that is never made.
        let (updates, mut seen) = vox::channel();
        let (bytes, _parts) = vox::channel();
        let order = Order { name: String::new(), updates, more: None, way: Report::Silent, pair: (0, bytes) };
        drop(counter.ignore(order));
        assert!(!matches!(seen.recv().await, Ok(Some(_))));
    });
}

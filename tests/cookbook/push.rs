//! A server that tells many watchers what happens.

use std::sync::{Arc, Mutex};

use vox::{RecvError, Tx};

use super::Tested;

#[vox::service]
trait Exchange {
    /// Sends each price from now on.
    async fn watch(&self, prices: Tx<u64>);
}

#[derive(Clone, Default)]
struct MyExchange {
    watchers: Arc<Mutex<Vec<Tx<u64>>>>,
}

impl Exchange for MyExchange {
    async fn watch(&self, prices: Tx<u64>) {
        self.watchers.lock().expect("not poisoned").push(prices); // a channel outlives its call
    }
}

impl MyExchange {
    /// Waits for nobody: a watcher that is too slow, or is gone, is dropped.
    fn publish(&self, price: u64) {
        self.watchers.lock().expect("not poisoned").retain(|watcher| watcher.try_send(price).is_ok());
    }
}

#[tokio::test]
async fn every_watcher_hears_every_price() -> Tested {
    let handler = MyExchange::default();
    let exchange = ExchangeClient::over_memory(handler.clone()).await?;
    let (tx, mut prices) = vox::channel();
    exchange.watch(tx).await?;
    handler.publish(100);
    handler.publish(101);
    assert_eq!(prices.recv().await?, Some(100));
    assert_eq!(prices.recv().await?, Some(101));

    let watched = || !handler.watchers.lock().expect("not poisoned").is_empty();
    let mut published = 0;
    while watched() {
        handler.publish(published); // nobody reads meanwhile, so the window fills
        published += 1;
        assert!(published < 1_000_000, "a watcher that never reads is kept");
    }
    let mut next = 0;
    let end = loop {
        match prices.recv().await {
            Ok(Some(price)) => assert_eq!(price, next, "what was sent arrives first"),
            end => break end,
        }
        next += 1;
    };
    assert!(matches!(end, Err(RecvError::Dropped { .. })), "{end:?}");
    assert_eq!(next, published - 1, "all but the one that found no room");
    assert!(next > 0);
    Ok(())
}

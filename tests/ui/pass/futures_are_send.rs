//! The handler's futures, and clients and dispatchers themselves, move between threads.

#[vox::service]
pub trait Counter {
    async fn add(&self, by: u64) -> u64;
    async fn greet(&self, cx: &vox::Context, name: &str) -> String;
}

fn moves<T: Send + Sync + 'static>() {}
fn future_moves<F: Future + Send>(_: F) {}

pub fn generic<C: Counter>(counter: &C, cx: &vox::Context) {
    future_moves(counter.add(1));
    future_moves(counter.greet(cx, "Ann"));
}

struct Delegate<C>(C);

impl<C: Counter> Counter for Delegate<C> {
    async fn add(&self, by: u64) -> u64 {
        self.0.add(by).await
    }

    // The form without `async` implements the trait as well.
    fn greet(&self, cx: &vox::Context, name: &str) -> impl Future<Output = String> + Send {
        self.0.greet(cx, name)
    }
}

fn main() {
    moves::<CounterClient>();
    fn dispatcher_moves<C: Counter>() {
        moves::<CounterDispatcher<Delegate<C>>>();
    }
    struct Zero;
    impl Counter for Zero {
        async fn add(&self, by: u64) -> u64 {
            by
        }
        async fn greet(&self, _: &vox::Context, name: &str) -> String {
            name.to_owned()
        }
    }
    dispatcher_moves::<Zero>();
}

//! A server that ends in good order.

use std::future::Future;
use std::time::Duration;

use vox::{Server, ShutdownReport};

use super::Tested;

#[vox::service]
trait Oven {
    async fn bake(&self, seconds: u64) -> String;
}

struct MyOven;

impl Oven for MyOven {
    async fn bake(&self, seconds: u64) -> String {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        "bread".to_owned()
    }
}

async fn run(server: Server, stop: impl Future<Output = ()>) -> ShutdownReport {
    stop.await;
    let report = server.shutdown(Duration::from_secs(10)).await;
    println!("{} sessions ended, {} calls were stopped", report.sessions, report.aborted_calls);
    report
}

async fn ctrl_c() {
    tokio::signal::ctrl_c().await.expect("the signal can be listened for");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_oven_is_baked() -> Tested {
    let server = Server::builder().service(OvenDispatcher::new(MyOven)).bind("mem://cookbook-oven").await?;
    let oven: OvenClient = vox::connect(server.address()).await?;
    let short = tokio::spawn(oven.bake(5));
    let long = tokio::spawn(oven.bake(60));
    let stop = async {
        tokio::select! {
            () = ctrl_c() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    };
    let report = run(server, stop).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 1));
    assert_eq!(short.await?, Ok("bread".to_owned()));
    assert_eq!(long.await?, Err(vox::VoxError::Indeterminate));
    Ok(())
}

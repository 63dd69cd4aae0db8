//! jsonrpsee over WebSockets, as in its `examples/proc_macro.rs` and `examples/ws.rs`: the macro, the server's and the client's builders,
//! streams as subscriptions. TCP only.

use std::sync::Arc;

use jsonrpsee::core::{SubscriptionResult, async_trait};
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::{Server, ServerConfig};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use jsonrpsee::{PendingSubscriptionSink, SubscriptionMessage};
use serde_bytes::ByteBuf;
use vox_bench::calls::{Calls, Driven, Hundred, Record};
use vox_bench::contender::{Client, Contender, Fault, Link, Pending, Setting, Work, expect};

/// The contender.
pub struct Jsonrpsee;

#[rpc(server, client)]
trait Bench {
    #[method(name = "echo")]
    async fn echo(&self, number: u64) -> Result<u64, ErrorObjectOwned>;
    #[method(name = "blob")]
    async fn blob(&self, bytes: ByteBuf) -> Result<ByteBuf, ErrorObjectOwned>;
    #[method(name = "records")]
    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, ErrorObjectOwned>;
    #[subscription(name = "numbers" => "number", unsubscribe = "no_numbers", item = u64)]
    async fn numbers(&self, items: u64) -> SubscriptionResult;
    #[subscription(name = "structs" => "struct", unsubscribe = "no_structs", item = Hundred)]
    async fn structs(&self, items: u64) -> SubscriptionResult;
    #[method(name = "hold")]
    async fn hold(&self) -> Result<(), ErrorObjectOwned>;
    #[method(name = "held")]
    async fn held(&self) -> Result<u64, ErrorObjectOwned>;
}

struct Bencher;

#[async_trait]
impl BenchServer for Bencher {
    async fn echo(&self, number: u64) -> Result<u64, ErrorObjectOwned> {
        Ok(number)
    }

    async fn blob(&self, bytes: ByteBuf) -> Result<ByteBuf, ErrorObjectOwned> {
        Ok(bytes)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, ErrorObjectOwned> {
        Ok(records)
    }

    async fn numbers(&self, pending: PendingSubscriptionSink, items: u64) -> SubscriptionResult {
        stream(pending, items, |item| item).await
    }

    async fn structs(&self, pending: PendingSubscriptionSink, items: u64) -> SubscriptionResult {
        stream(pending, items, Hundred::of).await
    }

    async fn hold(&self) -> Result<(), ErrorObjectOwned> {
        crate::hold().await;
        Ok(())
    }

    async fn held(&self) -> Result<u64, ErrorObjectOwned> {
        Ok(crate::held())
    }
}

async fn stream<T: serde::Serialize>(
    pending: PendingSubscriptionSink,
    items: u64,
    item: fn(u64) -> T,
) -> SubscriptionResult {
    let sink = pending.accept().await?;
    for id in 0..items {
        let message = jsonrpsee::core::to_json_raw_value(&item(id))?;
        sink.send(SubscriptionMessage::from(message)).await?;
    }
    Ok(())
}

impl Contender for Jsonrpsee {
    fn name(&self) -> &'static str {
        "jsonrpsee"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !setting.kept && setting.link == Link::Tcp
    }

    fn calls_per_connection(&self) -> usize {
        // Its client lets 256 wait at once.
        255
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(async move {
            let mut config = ServerConfig::builder().set_tcp_no_delay(true).max_connections(20_000);
            if let Some(size) = size(setting) {
                config = config.max_request_body_size(size).max_response_body_size(size);
            }
            let server = Server::builder().set_config(config.build()).build("127.0.0.1:0").await?;
            let address = format!("ws://{}", server.local_addr()?);
            let serving = server.start(Bencher.into_rpc());
            tokio::spawn(serving.stopped());
            Ok(address)
        })
    }

    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            // It ends the subscription of a reader that is further behind than this; the default of 1,024 items is soon passed.
            let mut client = WsClientBuilder::default().max_buffer_capacity_per_subscription(1 << 20);
            if let Some(size) = size(setting) {
                client = client.max_request_size(size).max_response_size(size).max_frame_size(size);
            }
            let client = client.build(address).await?;
            Ok(Box::new(Driven(JsonClient(Arc::new(client)))) as Box<dyn Client>)
        })
    }

    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move { Err("it has nothing for inside a process".into()) })
    }
}

/// How large a message must be able to be, where that is more than the default of 10 MiB; a byte is up to four letters of JSON.
fn size(setting: Setting) -> Option<u32> {
    let Work::Blob { bytes, .. } = setting.work else { return None };
    u32::try_from(bytes * 4 + (64 << 10)).ok().filter(|size| *size > 10 << 20)
}

#[derive(Clone)]
struct JsonClient(Arc<WsClient>);

impl Calls for JsonClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(self.0.echo(number).await?)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.blob(ByteBuf::from(bytes)).await?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.0.records(records).await?)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.numbers(items).await?;
        for item in 0..items {
            expect(stream.next().await.transpose()?, Some(item))?;
        }
        Ok(())
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.structs(items).await?;
        for item in 0..items {
            expect(stream.next().await.transpose()?.map(|of| of.id), Some(item))?;
        }
        Ok(())
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        Ok(self.0.hold().await?)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.0.held().await?)
    }
}

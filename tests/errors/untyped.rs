//! Errors of calls and handlers without types, and of what servers say of themselves.

use std::convert::Infallible;
use std::time::Duration;

use vox::dynamic::{DynamicDispatcher, MethodSpec, RawChannel, ServiceType};
use vox::{RetryPolicy, Server, Session};

use super::{BankClient, BankDispatcher, Found, MyBank, text};

pub(super) async fn provoke(found: &mut Found) {
    let server = Server::builder().service(BankDispatcher::new(MyBank)).describe();
    let server = server.bind("mem://untyped").await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    let bank = ServiceType::of(BankClient::SERVICE).expect("it is known");
    let bank = session.open_dynamic(&bank).await.expect("it is served");
    found.push(("DynamicError::NoMethod", text(bank.call_json("balanse", "{}"))));
    found.push(("DynamicError::Channels", text(bank.call_json("add", "{}"))));
    found.push(("DynamicError::Arguments", text(bank.call_json("balance", r#"{"account": "x"}"#))));

    found.push(("DecodeErrorKind::Value", deep().await));
    found.push(("VoxError::NotSent(Incompatible), without types", no_default().await));
    let describer = session.describe().await.expect("it describes itself");
    found.push(("DescribeError::NotServed", text(describer.service("Bonk").await)));
    session.close("that is all").await;
    found.push(("DescribeError::Call", text(describer.services().await)));

    let twice = || MethodSpec::new("balance").returns::<u64, Infallible>().expect("types");
    found.push(("InvalidService", text(ServiceType::builder("Bank").method(twice()).method(twice()).build())));
    found.push(("DescribeError::Invalid", lied().await));
}

/// What `vox.Describe.describe` returns, as a server has it that does not make it by `describe`.
#[derive(facet::Facet)]
struct Description {
    name: String,
    docs: String,
    contract: Vec<u8>,
    methods: Vec<Method>,
}

#[derive(facet::Facet)]
struct Method {
    id: u64,
    docs: String,
    timeout: Option<Duration>,
    argument_names: Vec<Vec<String>>,
    response_names: Vec<String>,
}

#[derive(facet::Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "it is the shape that counts")]
enum Undescribed {
    Unknown(Vec<String>),
}

/// A service whose client reads a field that its server does not send, and whose default only its type knows.
mod defaulted {
    #[derive(facet::Facet)]
    pub(super) struct Sum {
        pub(super) cents: u64,
        #[facet(default = 3)]
        pub(super) times: u64,
    }

    #[vox::service]
    #[allow(dead_code, reason = "it is called by its name")]
    pub(super) trait Bank {
        async fn sum(&self) -> Sum;
    }
}

#[derive(facet::Facet)]
struct Cents {
    cents: u64,
}

async fn no_default() -> String {
    let sum = MethodSpec::new("sum").returns::<Cents, Infallible>().expect("types");
    let older = ServiceType::builder("Bank").method(sum).build().expect("a service");
    let server =
        Server::builder().service(DynamicDispatcher::new(older)).bind("mem://older").await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    let newer = ServiceType::of(defaulted::BankClient::SERVICE).expect("it is known");
    let client = session.open_dynamic(&newer).await.expect("it is served");
    text(client.call_json("sum", "{}").expect("a call").await)
}

#[derive(facet::Facet)]
struct Tree {
    child: Option<Box<Tree>>,
}

/// What is said of an item that is nested deeper than any value may be.
async fn deep() -> String {
    let watch = MethodSpec::new("watch").argument::<vox::Tx<Tree>>("trees").expect("a type");
    let watch = watch.returns::<(), Infallible>().expect("types");
    let wood = ServiceType::builder("Bank").method(watch).build().expect("a service");
    let sends = DynamicDispatcher::new(wood.clone()).raw_method("watch", async |mut request| {
        let Some(RawChannel::Tx(trees)) = request.take_channels().pop() else { panic!("it sends") };
        trees.send(vec![1; 1000]).await.expect("it is read");
        trees.closed().await;
        Ok(Vec::new().into())
    });
    let server = Server::builder().service(sends).bind("mem://wood").await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    let client = session.open_dynamic(&wood).await.expect("it is served");
    let (call, mut channels) = client.call_json_with_channels("watch", "{}").expect("a call");
    let call = tokio::spawn(call);
    let mut trees = channels.receiver("trees").expect("it is received on here");
    let said = text(trees.recv().await);
    drop(trees);
    call.await.expect("no panic").expect("it ends");
    said
}

/// What is said where a server describes itself in bytes that mean nothing.
async fn lied() -> String {
    let describe = MethodSpec::new("describe").argument::<String>("service").expect("a type");
    let describe = describe.returns::<Description, Undescribed>().expect("types").policy(RetryPolicy::IDEM);
    let service = ServiceType::builder("vox.Describe").method(describe).build().expect("a service");
    let answers = DynamicDispatcher::new(service).raw_method("describe", async |_| Ok(vec![0xff; 100].into()));
    let server = Server::builder().service(answers).bind("mem://liar").await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    let describer = session.describe().await.expect("it says that it does");
    text(describer.service("Bank").await)
}

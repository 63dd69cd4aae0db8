//! Errors of calls and handlers without types, and of what servers say of themselves.

use std::convert::Infallible;
use std::time::Duration;

use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
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

//! Calls and handlers without types, over real sessions.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use facet::Facet;
use vox::dynamic::{DynamicClient, DynamicDispatcher, DynamicError, MethodSpec, ServiceType};
use vox::value::Value;
use vox::{Dispatcher, NotSent, Ran, Server, Session, VoxError};

#[derive(Debug, Clone, PartialEq, Facet)]
struct Transfer {
    from: u64,
    to: u64,
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Facet)]
#[repr(u8)]
enum BankError {
    Unknown(u64),
    Short { by: u64 },
}

#[vox::service]
trait Bank {
    /// What is in an account.
    #[vox(idem)]
    async fn balance(&self, account: u64) -> Result<u64, BankError>;
    async fn transfer(&self, cx: &vox::Context, order: Transfer, tag: &str) -> Result<String, BankError>;
    async fn blob(&self, bytes: &[u8]) -> Vec<u8>;
    async fn fail(&self, how: u8) -> u8;
    async fn watch(&self, account: u64, events: vox::Tx<u64>);
    #[vox(persist)]
    async fn pay(&self, cents: u64) -> Result<u64, BankError>;
}

#[derive(Default)]
struct Vault {
    paid: std::sync::atomic::AtomicU64,
}

impl Bank for Vault {
    async fn balance(&self, account: u64) -> Result<u64, BankError> {
        match account {
            7 => Ok(u64::MAX),
            other => Err(BankError::Unknown(other)),
        }
    }

    async fn transfer(&self, cx: &vox::Context, order: Transfer, tag: &str) -> Result<String, BankError> {
        if order.from == 0 {
            return Err(BankError::Short { by: 3 });
        }
        let all: Vec<_> = cx.metadata().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let late = cx.time_left().is_some();
        Ok(format!("{}>{} {:?} {tag} [{}] {late} {:?}", order.from, order.to, order.note, all.join(","), cx.metadata()))
    }

    async fn blob(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().rev().copied().collect()
    }

    async fn fail(&self, how: u8) -> u8 {
        match how {
            0 => panic!("as it was told"),
            1 => std::future::pending().await,
            how => how,
        }
    }

    async fn watch(&self, _: u64, events: vox::Tx<u64>) {
        drop(events);
    }

    async fn pay(&self, cents: u64) -> Result<u64, BankError> {
        Ok(cents + self.paid.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    }
}

fn bank() -> ServiceType {
    ServiceType::of(BankClient::SERVICE).expect("it is known")
}

/// A server of these, and a session with it.
async fn served(name: &str, dispatcher: impl Dispatcher) -> (Server, Session) {
    let address = format!("mem://{name}");
    let server = Server::builder().service(dispatcher).bind(address.as_str()).await.expect("it listens");
    (server, Session::connect(address.as_str()).await.expect("it answers"))
}

#[tokio::test]
async fn a_method_is_called_by_its_name() {
    let (_server, session) = served("by-name", BankDispatcher::new(Vault::default())).await;
    let client = session.open_dynamic(&bank()).await.expect("it is served");

    let call = client.call("balance", [("account", Value::from(7u64))]).expect("it is a call");
    assert_eq!(call.await, Ok(Value::from(u64::MAX)));
    let error = client.call_json("balance", r#"{"account": 8}"#).expect("it is a call").await.expect_err("unknown");
    assert_eq!((error.ran(), error.user()), (Ran::Yes, Some(Value::variant("Unknown", Value::from(8u64)))));

    let order = r#"{"tag": "t", "order": {"to": 2, "from": 1}}"#;
    let call = client.call_json("transfer", order).expect("it is a call");
    let call = call.metadata("tenant", "acme").sensitive_metadata("colour", "secret").timeout(Duration::from_secs(60));
    let said = call.await.expect("it works");
    let said = said.as_str().expect("it is text");
    assert!(said.starts_with("1>2 None t [tenant=acme,colour=secret] true"), "{said}");
    let refused = client.call_json("transfer", r#"{"tag": "", "order": {"to": 2, "from": 0, "note": "x"}}"#);
    let error = refused.expect("it is a call").await.expect_err("it is short");
    assert_eq!(error.to_string(), r#"Short({"by": 3})"#);
    let ty = client.service().method("transfer").expect("it is there").error().clone();
    assert_eq!(ty.write_json(&error.user().expect("its own")).as_deref(), Ok(r#"{"Short":{"by":3}}"#));

    let raw = client.call_raw("balance", vec![7]).expect("it is a call").await;
    assert_eq!(raw.as_deref(), Ok(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..]));
    let raw = client.call_raw("balance", vec![8]).expect("it is a call").await;
    assert_eq!(raw.expect_err("unknown").user().as_deref(), Some(&[0, 8][..]));

    let long = vec![7u8; 300_000];
    let value = Value::Bytes(long.clone().into());
    let back = client.call("blob", [("bytes", value.clone())]).expect("it is a call").await;
    assert_eq!(back, Ok(value));
}

#[tokio::test]
async fn what_cannot_be_called_is_said_before_anything_is_sent() {
    let (_server, session) = served("cannot", BankDispatcher::new(Vault::default())).await;
    let client = session.open_dynamic(&bank()).await.expect("it is served");
    let words =
        |call: Result<_, DynamicError>| call.map(|_: vox::dynamic::ValueCall| ()).expect_err("no call").to_string();
    assert_eq!(words(client.call_json("balanc", "{}")), "`Bank` has no method `balanc`; did you mean `balance`?");
    assert_eq!(words(client.call_json("balance", "")), "`Bank.balance`: $.account: missing, expected u64");
    assert_eq!(
        words(client.call_json("balance", r#"{"acount": 1}"#)),
        "`Bank.balance`: $: there is no argument `acount`; did you mean `account`?"
    );
    assert_eq!(
        words(client.call_json("balance", r#"{"account": 1, "account": 2}"#)),
        "`Bank.balance`: $.account: given twice"
    );
    assert_eq!(
        words(client.call_json("transfer", r#"{"tag": "", "order": {"from": 1, "to": "x"}}"#)),
        r#"`Bank.transfer`: $.order.to: expected u64, got "x""#
    );
    assert_eq!(
        words(client.call("transfer", [("order", Value::Unit), ("tag", Value::from("x"))])),
        "`Bank.transfer`: $.order: expected a struct of 3 fields, got ()"
    );
    assert_eq!(
        words(client.call_json("watch", "{}")),
        "`Bank.watch` takes channels, which cannot be given to it without its types"
    );
    let too_long = client.call_raw("blob", vec![0; 5 << 20]).expect("it is a call").await.expect_err("too long");
    assert!(matches!(too_long, VoxError::NotSent(NotSent::TooLarge(_))), "{too_long:?}");
}

#[tokio::test]
async fn the_runtimes_own_outcomes_are_those_of_any_call() {
    let (_server, session) = served("own-outcomes", BankDispatcher::new(Vault::default())).await;
    let client = session.open_dynamic(&bank()).await.expect("it is served");
    let fail = |how: u8| client.call("fail", [("how", Value::from(how))]).expect("it is a call");
    assert_eq!(fail(0).await, Err(VoxError::Panicked));
    assert_eq!(fail(1).timeout(Duration::from_millis(20)).await, Err(VoxError::DeadlineExceeded));
    assert_eq!(fail(2).await, Ok(Value::from(2u8)));
    let raw = client.call_raw("fail", vec![]).expect("it is a call").await.expect_err("no argument");
    assert!(raw.to_string().contains("argument `how` of `fail`"), "{raw}");
    // One operation, whatever its calls know of its types.
    let (id, typed) = (client.caller().new_operation(), session.open::<BankClient>().await.expect("it is served"));
    let first = client.call("pay", [("cents", Value::from(5u64))]).expect("it is a call").operation(id).await;
    assert_eq!(first, Ok(Value::from(5u64)));
    assert_eq!(typed.pay(5).operation(id).await, Ok(5));
    assert_eq!(typed.pay(6).operation(id).await, Err(VoxError::OperationConflict));
}

/// As much of the bank as is made up.
fn made_up() -> ServiceType {
    let balance = MethodSpec::new("balance").argument::<u64>("account").expect("a type");
    let transfer = MethodSpec::new("transfer").argument::<Transfer>("order").expect("a type");
    let transfer = transfer.argument::<String>("tag").expect("a type");
    let fail = MethodSpec::new("fail").argument::<u8>("how").expect("a type");
    ServiceType::builder("Bank")
        .method(balance.returns::<u64, BankError>().expect("types").policy(vox::RetryPolicy::IDEM))
        .method(transfer.returns::<String, BankError>().expect("types"))
        .method(fail.returns::<u8, Infallible>().expect("types"))
        .build()
        .expect("a service")
}

#[tokio::test]
async fn methods_are_served_that_are_made_up() {
    let dispatcher = DynamicDispatcher::new(made_up())
        .method("balance", async |request| match request.argument("account").and_then(Value::as_u64) {
            Some(7) => Ok(Value::from(300u64)),
            Some(account) => Err(Value::variant("Unknown", account.into())),
            None => Ok(Value::Unit),
        })
        .method("transfer", async |request| {
            let order = request.argument("order").and_then(|order| order.get("to")).cloned();
            let key = request.context().metadata().get("key").unwrap_or("none").to_owned();
            Ok(Value::from(format!("{order:?} {key} {}", request.arguments().count())))
        })
        .method("fail", async |request| match request.argument("how").and_then(Value::as_u64) {
            Some(0) => Err(Value::Unit),
            _ => Ok(Value::from(300u64)),
        });
    // A dispatcher that is known as one alone is a service too.
    let boxed: Box<dyn Dispatcher> = Box::new(dispatcher);
    let (_server, session) = served("made-up", Arc::new(boxed)).await;
    let typed = session.open::<BankClient>().await.expect("it is served");
    assert_eq!(typed.balance(7).await, Ok(300));
    assert_eq!(typed.balance(9).await, Err(VoxError::User(BankError::Unknown(9))));
    let order = Transfer { from: 1, to: 2, note: None };
    assert_eq!(typed.transfer(order, "t").metadata("key", "k").await.as_deref(), Ok("Some(2) k 2"));
    assert_eq!(typed.blob(&[1]).await, Err(VoxError::UnknownMethod));
    // What is not of the method's types is no response of it.
    let error = typed.fail(1).await.expect_err("no u8");
    assert_eq!(error.ran(), Ran::Yes);
    assert!(error.to_string().contains("$: expected u8, got 300"), "{error}");
    let error = typed.fail(0).await.expect_err("no error");
    assert!(error.to_string().contains("$: expected Infallible, got ()"), "{error}");
}

#[tokio::test]
async fn a_handler_without_types_refuses_what_it_would_have_to_translate() {
    let changed = MethodSpec::new("balance").argument::<u128>("account").expect("a type");
    let changed = changed.returns::<u64, BankError>().expect("types");
    let service = ServiceType::builder("Bank").method(changed).build().expect("a service");
    let dispatcher = DynamicDispatcher::new(service).method("balance", async |_| Ok(Value::from(1u64)));
    let (_server, session) = served("translate", dispatcher).await;
    let typed = session.open::<BankClient>().await.expect("it is served");
    let error = typed.balance(7).await.expect_err("another version");
    assert_eq!(error.ran(), Ran::No);
    assert!(error.to_string().contains("a handler without types cannot translate"), "{error}");
}

#[tokio::test]
async fn a_call_is_forwarded_unseen() {
    let (_far, session) = served("far", BankDispatcher::new(Vault::default())).await;
    let behind = session.open_dynamic(&bank()).await.expect("it is served");
    let (_near, session) = served("near", DynamicDispatcher::forwarding(&behind)).await;
    let typed = session.open::<BankClient>().await.expect("it is served");
    assert_eq!(typed.balance(7).await, Ok(u64::MAX));
    assert_eq!(typed.balance(8).await, Err(VoxError::User(BankError::Unknown(8))));
    let order = Transfer { from: 1, to: 2, note: Some("n".into()) };
    let call = typed.transfer(order, "t").metadata("tenant", "acme").sensitive_metadata("colour", "secret");
    let said = call.timeout(Duration::from_secs(60)).await.expect("it works");
    assert!(said.starts_with(r#"1>2 Some("n") t [tenant=acme,colour=secret] true"#), "{said}");
    assert_eq!(said.matches("secret").count(), 1, "what is sensitive stays so: {said}");
    assert_eq!(typed.fail(0).await, Err(VoxError::Panicked));
    let long = vec![1u8; 1 << 20];
    assert_eq!(typed.blob(&long).await, Ok(long));
    let (events, _rx) = vox::channel();
    assert_eq!(typed.watch(1, events).await, Err(VoxError::UnknownMethod));
    // What is behind is gone.
    session_of(&behind).close("done").await;
    drop(_far);
    let error = typed.balance(7).timeout(Duration::from_millis(500)).await.expect_err("nobody is there");
    assert_ne!(error.ran(), Ran::Yes, "{error}");
}

fn session_of(client: &DynamicClient) -> Session {
    client.caller().session()
}

#[tokio::test]
async fn what_a_value_may_cost_is_bounded_as_that_of_a_type() {
    let list = MethodSpec::new("list").argument::<Vec<Option<u8>>>("of").expect("a type");
    let list = list.returns::<Vec<Option<u8>>, Infallible>().expect("types");
    let service = ServiceType::builder("Lists").method(list).build().expect("a service");
    let dispatcher =
        DynamicDispatcher::new(service.clone()).raw_method("list", async |request| Ok(request.arguments().clone()));
    let (_server, session) = served("costs", dispatcher).await;
    let client = session.open_dynamic(&service).await.expect("it is served");
    let many = [&[0x80, 0x80, 0x80, 0x01][..], &vec![0; 1 << 21]].concat();
    let raw = client.call_raw("list", many.clone()).expect("it is a call").await;
    assert_eq!(raw.map(|bytes| bytes.len()), Ok(many.len()));
    // As values the same bytes are over what a message may cost, at either end.
    let of_values = DynamicDispatcher::new(service.clone()).method("list", async |_| Ok(Value::List(Vec::new())));
    let (_server, session) = served("costs-there", of_values).await;
    let client = session.open_dynamic(&service).await.expect("it is served");
    let error = client.call_raw("list", many).expect("it is a call").await.expect_err("too much");
    assert_eq!(error.ran(), Ran::No);
    assert!(error.to_string().contains("over the limit"), "{error}");
}

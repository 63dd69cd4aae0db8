//! Calls and handlers without types, over real sessions.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "dynamic/channels.rs"]
mod channels;
#[path = "dynamic/forwarding.rs"]
mod forwarding;
mod support;
#[path = "dynamic/versions.rs"]
mod versions;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use facet::Facet;
use vox::dynamic::{DescribeError, DynamicClient, DynamicDispatcher, DynamicError, MethodSpec, ServiceType};
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
        "`Bank.transfer`: $.order: expected Transfer, got ()"
    );
    assert_eq!(
        words(client.call_json("watch", "{}")),
        "`Bank.watch` takes channels: call it by `call_with_channels`, `call_json_with_channels` or `call_raw_with_channels`"
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
async fn a_handler_without_types_translates() {
    let changed = MethodSpec::new("balance").argument::<u128>("account").expect("a type");
    let changed = changed.returns::<u64, BankError>().expect("types");
    let service = ServiceType::builder("Bank").method(changed).build().expect("a service");
    let dispatcher = DynamicDispatcher::new(service).method("balance", async |_| Ok(Value::from(1u64)));
    let (_server, session) = served("translate", dispatcher).await;
    let typed = session.open::<BankClient>().await.expect("it is served");
    assert_eq!(typed.balance(7).await, Ok(1));
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
    let (events, mut rx) = vox::channel();
    assert_eq!(typed.watch(1, events).await, Ok(()));
    assert!(matches!(rx.recv().await, Err(vox::RecvError::Dropped { .. })), "as its handler dropped it");
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

#[tokio::test]
async fn a_server_describes_itself() {
    let server = Server::builder().service(BankDispatcher::new(Vault::default())).describe();
    let server = server.bind("mem://describes").await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    let describer = session.describe().await.expect("it describes itself");
    let listed = describer.services().await.expect("it lists");
    assert_eq!(listed.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["Bank"]);
    let limits = describer.limits().await.expect("it lists");
    assert!(limits.contains(&("max_calls".to_owned(), 128)), "{limits:?}");
    let bank = describer.service("Bank").await.expect("it is described");
    let balance = bank.method("balance").expect("it is there");
    assert_eq!((balance.docs(), balance.policy()), ("What is in an account.", vox::RetryPolicy::IDEM));
    assert_eq!(balance.to_string(), "balance(account: u64) -> Result<u64, BankError>");
    let transfer = bank.method("transfer").expect("it is there");
    assert_eq!(transfer.to_string(), "transfer(order: Transfer, tag: string) -> Result<string, BankError>");
    assert!(bank.method("watch").expect("it is there").has_channels());
    // It is the very service: its connections compare as equal, and its methods are called.
    let client = session.open_dynamic(&bank).await.expect("it is served");
    let call = client.call_json("balance", r#"{"account": 7}"#).expect("it is a call");
    assert_eq!(call.await, Ok(Value::from(u64::MAX)));
    let error = client.call_json("transfer", r#"{"tag": "", "order": 7}"#).expect_err("no order");
    assert_eq!(error.to_string(), "`Bank.transfer`: $.order: expected Transfer, got 7");
    // One that forwards to it describes the same.
    let forwarder = Server::builder().service(DynamicDispatcher::forwarding(&client)).describe();
    let forwarder = forwarder.bind("mem://describes-again").await.expect("it listens");
    let near = Session::connect(forwarder.address()).await.expect("it answers");
    let again = near.describe().await.expect("it describes itself").service("Bank").await.expect("it is described");
    let shown = |bank: &ServiceType| {
        bank.methods().iter().map(|method| format!("{method} {}", method.docs())).collect::<Vec<_>>()
    };
    assert_eq!(shown(&again), shown(&bank));
    let error = describer.service("Bonk").await.expect_err("there is none");
    assert!(matches!(error, DescribeError::NotServed { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the server at mem://describes has no service `Bonk`; did you mean `Bank`?");
    // One that does not describe itself says what it has.
    let (_server, session) = served("silent", BankDispatcher::new(Vault::default())).await;
    let error = session.describe().await.expect_err("it does not");
    assert_eq!(error.to_string(), "mem://silent refused: no service `vox.Describe` here; served: Bank");
}

/// What a hostile server answers when it is asked to describe itself.
#[derive(Facet)]
struct Lie {
    name: String,
    docs: String,
    contract: Vec<u8>,
    methods: Vec<LieOfMethod>,
}

#[derive(Facet)]
struct LieOfMethod {
    id: u64,
    docs: String,
    timeout: Option<Duration>,
    argument_names: Vec<Vec<String>>,
    response_names: Vec<String>,
}

#[derive(Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "it is the shape that counts")]
enum NoLie {
    Unknown(Vec<String>),
}

/// Describes the service `Lie` so, and gives back what a client says of it.
async fn lied(name: &str, answer: Vec<u8>) -> String {
    let describe = MethodSpec::new("describe").argument::<String>("service").expect("a type");
    let describe = describe.returns::<Lie, NoLie>().expect("types").policy(vox::RetryPolicy::IDEM);
    let service = ServiceType::builder("vox.Describe").method(describe).build().expect("a service");
    let dispatcher = DynamicDispatcher::new(service).raw_method("describe", move |_| {
        let answer = answer.clone();
        async move { Ok(answer.into()) }
    });
    let server =
        Server::builder().service(dispatcher).limits(vox::Limits { max_message_bytes: 16 << 20, ..Default::default() });
    let server = server.bind(format!("mem://{name}").as_str()).await.expect("it listens");
    let session =
        Session::connect(server.address()).limits(vox::Limits { max_message_bytes: 16 << 20, ..Default::default() });
    let session = session.await.expect("it answers");
    let describer = session.describe().await.expect("it is served");
    describer.service("Lie").await.expect_err("it is a lie").to_string()
}

fn lie(contract: Vec<u8>, methods: Vec<LieOfMethod>) -> Vec<u8> {
    let lie = Lie { name: "Lie".into(), docs: String::new(), contract, methods };
    let mut out = Vec::new();
    let plan = vox::codec::Plan::<Lie>::new();
    plan.encode(&lie, &mut vox::codec::Encoder::new(&mut out, usize::MAX)).expect("it can be encoded");
    out
}

#[tokio::test]
async fn hostile_descriptions_are_refused_and_said() {
    let method = |id: u64, argument: &[u8], response: &[u8]| {
        let mut contract = vec![1u8, 1];
        contract.extend(id.to_le_bytes());
        contract.extend(b"\x01m\x00\x01\x01a\x00");
        for schema in [argument, response] {
            let mut len = schema.len();
            while len >= 0x80 {
                contract.push(len as u8 | 0x80);
                len >>= 7;
            }
            contract.push(len as u8);
            contract.extend_from_slice(schema);
            contract.push(0);
        }
        contract
    };
    let id = vox::descriptor::MethodId::of("Lie", "m").0;
    let (u8s, result) = (&b"\x01\x01\x02u8"[..], &b"\x01\x05\x01\x02u8\x01\x02u8"[..]);
    let starts = |said: String, words: &str| assert!(said.contains(words), "{said}, without {words}");
    starts(lied("garbage", vec![0xff; 100]).await, "cannot be known without its trait: at byte");
    starts(lied("no-contract", lie(vec![9, 9, 9], vec![])).await, "a contract of another version");
    starts(lied("too-long", lie(vec![1; 300 << 10], vec![])).await, "over the limit of 262144");
    starts(lied("wrong-id", lie(method(7, u8s, result), vec![])).await, "has an id that is not that of its name");
    starts(lied("no-result", lie(method(id, u8s, u8s), vec![])).await, "$: it is no `Result`");
    starts(
        lied("no-schema", lie(method(id, b"\x01\x63", result), vec![])).await,
        "the argument `a` of the method `m`: $: no schema",
    );
    let unknown = lied("unknown-type", lie(method(id, b"\x01\x01\x05Later", result), vec![])).await;
    starts(unknown, "the encoding of `Later` is not known here");
    let endless = lied("endless", lie(method(id, b"\x01\x02\x01\x01a\x0c\x00", result), vec![])).await;
    starts(endless, "a type that stands in itself without end");
    let deep = [&[1u8][..], &[4; 200], b"\x01\x02u8"].concat();
    starts(lied("deep", lie(method(id, &deep, result), vec![])).await, "types more than 128 deep");
    let many = (0..200_000).map(|id| LieOfMethod {
        id,
        docs: String::new(),
        timeout: None,
        argument_names: Vec::new(),
        response_names: Vec::new(),
    });
    starts(lied("many", lie(method(id, u8s, result), many.collect())).await, "over the limit of 8388608 bytes");
    let other = Lie { name: "Other".into(), docs: String::new(), contract: Vec::new(), methods: Vec::new() };
    let mut out = Vec::new();
    vox::codec::Plan::<Lie>::new().encode(&other, &mut vox::codec::Encoder::new(&mut out, 1000)).expect("it fits");
    starts(lied("other", out).await, "the server describes `Other`");
}

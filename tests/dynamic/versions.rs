//! Calls and handlers without types whose other end has another version of the service.

#[path = "versions/missing.rs"]
mod missing;

use std::convert::Infallible;

use facet::Facet;
use vox::dynamic::{DynamicClient, DynamicDispatcher, MethodSpec, ServiceType};
use vox::value::Value;
use vox::{NotSent, Ran, RecvError, Server, Session, VoxError};

/// As the trait of this process has it.
mod typed {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Facet)]
    pub struct Order {
        pub to: u64,
        pub note: Option<String>,
        #[facet(default = 3)]
        pub times: u8,
        pub gone: bool,
    }

    #[derive(Debug, Clone, PartialEq, Facet)]
    #[repr(u8)]
    pub enum Light {
        Off,
        Dim { by: u8, why: Option<String> },
        New,
    }

    #[derive(Debug, Clone, PartialEq, Facet)]
    pub struct Receipt {
        pub lights: Vec<Light>,
        pub number: u64,
        pub added: Option<u8>,
        pub pair: (u8, [u8; 2]),
    }

    #[vox::service]
    pub trait Shop {
        async fn buy(&self, first: u16, order: Order, extra: Option<u8>) -> Result<Receipt, Light>;
        async fn weigh(&self, grams: u64) -> u64;
        async fn lacks(&self) -> Receipt;
        async fn watch(&self, events: vox::Tx<u64>);
    }
}

use typed::{Light, Order, Receipt, Shop, ShopClient, ShopDispatcher};

/// The same service in another version, of which there is no trait in the program.
mod other {
    use super::*;

    #[derive(Facet)]
    pub struct Order {
        gone: bool,
        note: Option<String>,
        to: u32,
        more: Option<Vec<u8>>,
    }

    #[derive(Facet)]
    #[repr(u8)]
    #[allow(dead_code, reason = "it is the shape that counts")]
    pub enum Light {
        Dim { why: Option<String>, by: u64 },
        Off,
    }

    #[derive(Facet)]
    pub struct Receipt {
        number: u128,
        pair: (u32, [u32; 2]),
        lights: Vec<Light>,
        missing: Option<bool>,
    }

    #[derive(Facet)]
    pub struct Needs {
        number: u64,
        needed: u64,
    }

    /// Its orders are written here and read there.
    pub fn shop() -> ServiceType {
        let buy = MethodSpec::new("buy").argument::<Order>("order").expect("a type").argument::<u8>("first");
        let buy = buy.expect("a type").returns::<Receipt, Light>().expect("types");
        let weigh = MethodSpec::new("weigh").argument::<i64>("grams").expect("a type").returns::<u64, Infallible>();
        let lacks = MethodSpec::new("lacks").returns::<Needs, Infallible>().expect("types");
        let watch = MethodSpec::new("watch").argument::<vox::Tx<u32>>("events").expect("a type");
        let watch = watch.returns::<(), Infallible>().expect("types");
        let shop = ServiceType::builder("Shop").method(buy).method(weigh.expect("types")).method(lacks).method(watch);
        shop.build().expect("a service")
    }
}

struct MyShop;

impl Shop for MyShop {
    async fn buy(&self, first: u16, order: Order, extra: Option<u8>) -> Result<Receipt, Light> {
        assert_eq!((first, order.times, extra), (7, 3, None));
        assert_eq!((order.note.as_deref(), order.gone), (Some("n"), true));
        match order.to {
            0 => Err(Light::Dim { by: 200, why: None }),
            1 => Err(Light::New),
            to => Ok(Receipt {
                lights: vec![Light::Off, Light::Dim { by: 9, why: Some("w".to_owned()) }],
                number: to,
                added: Some(1),
                pair: (1, [2, 3]),
            }),
        }
    }

    async fn weigh(&self, grams: u64) -> u64 {
        grams
    }

    async fn lacks(&self) -> Receipt {
        unimplemented!("nobody can read it")
    }

    async fn watch(&self, events: vox::Tx<u64>) {
        drop(events);
    }
}

async fn served(name: &str, builder: vox::ServerBuilder) -> (Server, Session) {
    let server = builder.bind(format!("mem://versions-{name}")).await.expect("it listens");
    let session = Session::connect(server.address()).await.expect("it answers");
    (server, session)
}

const ORDER: &str = r#"{"order": {"to": TO, "note": "n", "gone": true, "more": "AP8Q"}, "first": 7}"#;

async fn buy(client: &DynamicClient, to: &str) -> Result<String, VoxError<Value>> {
    let call = client.call_json("buy", &ORDER.replace("TO", to)).expect("a call");
    let ok = client.service().method("buy").expect("it is there").ok().clone();
    call.await.map(|value| ok.write_json(&value).expect("JSON"))
}

async fn check_caller(client: &DynamicClient) {
    let read = r#"{"number":5,"pair":[1,[2,3]],"lights":["Off",{"Dim":{"why":"w","by":9}}],"missing":null}"#;
    assert_eq!(buy(client, "5").await.as_deref(), Ok(read));
    let error = buy(client, "0").await.expect_err("its own error");
    let dim = Value::structure([("why", Value::NONE), ("by", Value::from(200u64))]);
    assert_eq!(error.user(), Some(Value::variant("Dim", dim)));
    let error = buy(client, "1").await.expect_err("a variant that is not known here");
    assert!(matches!(error, VoxError::InvalidResponse(_)), "{error}");
    assert!(error.to_string().contains("there is no variant `New`"), "{error}");
    assert_eq!(error.ran(), Ran::Yes);
}

#[tokio::test]
async fn a_caller_without_types_reads_what_another_version_returns() {
    let (_server, session) = served("caller", Server::builder().service(ShopDispatcher::new(MyShop))).await;
    let client = session.open_dynamic(&other::shop()).await.expect("it is served");
    check_caller(&client).await;
    // Bytes are those of this end's version too.
    let raw = client.call_raw("buy", vec![1, 1, 1, b'n', 5, 0, 7]).expect("a call").await.expect("it is bought");
    assert_eq!(raw[..], [5, 1, 2, 3, 2, 1, 0, 1, 1, b'w', 9, 0]);

    for (method, arguments, why) in [
        ("weigh", r#"{"grams": 1}"#, "`Shop.weigh`: argument `grams` is i64 here and u64 there"),
        ("lacks", "{}", "the response.Ok.needed is u64 here and missing there"),
    ] {
        let error = client.call_json(method, arguments).expect("a call").await.expect_err("they do not go together");
        assert!(matches!(&error, VoxError::NotSent(NotSent::Incompatible(_))), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let (call, mut channels) = client.call_json_with_channels("watch", "{}").expect("a call");
    let mut events = channels.receiver("events").expect("it is received on here");
    let error = call.await.expect_err("its items differ");
    assert!(matches!(error, VoxError::NotSent(NotSent::Incompatible(_))), "{error}");
    assert!(matches!(events.recv().await, Err(RecvError::NotBound(_))));
}

/// By values and by bytes.
fn closures() -> [DynamicDispatcher; 2] {
    let receipt = |to: u64| {
        let dim = Value::structure([("why", Value::some("w")), ("by", Value::from(9u64))]);
        let lights = Value::List(vec![Value::variant("Off", Value::Unit), Value::variant("Dim", dim)]);
        let pair = Value::Tuple(vec![Value::from(1u8), Value::List(vec![Value::from(2u8), Value::from(3u8)])]);
        let fields = [("number", Value::from(to)), ("pair", pair), ("lights", lights), ("missing", Value::NONE)];
        Value::structure(fields)
    };
    let values = DynamicDispatcher::new(other::shop()).method("buy", move |request| async move {
        let order = request.argument("order").expect("it is there").clone();
        assert_eq!(request.argument("first"), Some(&Value::from(7u8)));
        assert_eq!((order.get("more"), order.get("gone")), (Some(&Value::NONE), Some(&Value::Bool(true))));
        match order.get("to").and_then(Value::as_u64).expect("a number") {
            0 => {
                let dim = Value::structure([("why", Value::NONE), ("by", Value::from(200u64))]);
                Err(Value::variant("Dim", dim))
            }
            to => Ok(receipt(to)),
        }
    });
    let bytes = DynamicDispatcher::new(other::shop()).raw_method("buy", async |request| {
        let arguments = request.arguments();
        assert_eq!(arguments[..4], [1, 1, 1, b'n'], "as this end would write them");
        assert_eq!(arguments[5..], [0, 7]);
        match arguments[4] {
            0 => Err(VoxError::User(vec![0, 0, 200, 1].into())),
            to => Ok(vec![to, 1, 2, 3, 2, 1, 0, 1, 1, b'w', 9, 0].into()),
        }
    });
    [values, bytes]
}

/// The caller's version is read by the handler's, and what the handler returns by the caller's.
#[tokio::test]
async fn a_handler_without_types_reads_what_another_version_sends() {
    // A version of the caller's whose numbers are no wider than the handler's.
    mod caller {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Order {
            pub(super) to: u16,
            pub(super) note: Option<String>,
            pub(super) times: u8,
            pub(super) gone: bool,
        }

        #[derive(Debug, Clone, PartialEq, Facet)]
        #[repr(u8)]
        pub(super) enum Light {
            Off,
            Dim { by: u64, why: Option<String> },
        }

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Receipt {
            pub(super) lights: Vec<Light>,
            pub(super) number: u128,
            pub(super) added: Option<u8>,
            pub(super) pair: (u64, [u64; 2]),
        }

        #[vox::service]
        pub(super) trait Shop {
            async fn buy(&self, first: u8, order: Order, extra: Option<u8>) -> Result<Receipt, Light>;
            async fn weigh(&self, grams: u64) -> u64;
        }
    }

    for (dispatcher, name) in closures().into_iter().zip(["values", "bytes"]) {
        let (_server, session) = served(name, Server::builder().service(dispatcher)).await;
        let client: caller::ShopClient = session.open().await.expect("it is served");
        let order = |to| caller::Order { to, note: Some("n".to_owned()), times: 9, gone: true };
        let bought = client.buy(7, order(5), Some(1)).await;
        let dim = caller::Light::Dim { by: 9, why: Some("w".to_owned()) };
        let lights = vec![caller::Light::Off, dim];
        assert_eq!(bought, Ok(caller::Receipt { lights, number: 5, added: None, pair: (1, [2, 3]) }));
        let error = client.buy(7, order(0), None).await.expect_err("its own error");
        assert_eq!(error, VoxError::User(caller::Light::Dim { by: 200, why: None }));
        let error = client.weigh(1).await.expect_err("they do not go together");
        assert!(error.to_string().contains("argument `grams` is u64 here and i64 there"), "{error}");
        assert_eq!(error.ran(), Ran::No);
    }
}

/// Through a forwarder of one version, a caller of that version reaches a server of another.
#[tokio::test]
async fn a_forwarder_may_have_another_version_than_the_server_behind() {
    let (_behind, session) = served("behind", Server::builder().service(ShopDispatcher::new(MyShop))).await;
    let client = session.open_dynamic(&other::shop()).await.expect("it is served");
    let forwarding = DynamicDispatcher::forwarding(&client);
    let (_server, session) = served("forwarder", Server::builder().service(forwarding)).await;
    check_caller(&session.open_dynamic(&other::shop()).await.expect("it is served")).await;
    // The trait's own version takes less than a handler without types could be sent: its numbers are wider.
    let client: ShopClient = session.open().await.expect("it is served");
    let order = Order { to: 5, note: None, times: 3, gone: true };
    let error = client.buy(7, order, None).await.expect_err("it does not fit");
    assert!(matches!(error, VoxError::NotSent(NotSent::Incompatible(_))), "{error}");
}

/// What the caller does not have is `None` for the forwarder, so the arguments become longer on their way.
#[tokio::test]
async fn arguments_that_become_longer_in_a_forwarder_go_on() {
    mod short {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, cents: u16, note: Option<String>) -> u64;
        }
    }
    mod long {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, day: Option<u32>, cents: [Option<u8>; 2], note: Option<String>) -> u64;
        }
    }
    mod longer {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, day: Option<u32>, cents: u64, more: Option<u8>, note: Option<String>) -> u64;
        }

        pub(super) struct MyTill;

        impl Till for MyTill {
            async fn pay(&self, day: Option<u32>, cents: u64, more: Option<u8>, note: Option<String>) -> u64 {
                assert_eq!((day, more), (None, None));
                cents + note.map_or(0, |note| note.len() as u64)
            }
        }
    }
    let server = Server::builder().service(longer::TillDispatcher::new(longer::MyTill));
    let (_behind, session) = served("longer", server).await;
    let till = ServiceType::of(longer::TillClient::SERVICE).expect("it is known");
    let client = session.open_dynamic(&till).await.expect("it is served");
    let server = Server::builder().service(DynamicDispatcher::forwarding(&client));
    let (_server, session) = served("shorter", server).await;
    let near: short::TillClient = session.open().await.expect("it is served");
    assert_eq!(near.pay(300, None).await, Ok(300));
    // Short ones are read where they stand, and long ones as well.
    for len in [1, 1000, 100_000] {
        assert_eq!(near.pay(300, Some("x".repeat(len))).await, Ok(300 + len as u64));
    }
    // What does not go together is refused as ever.
    let far: long::TillClient = session.open().await.expect("it is served");
    assert!(matches!(far.pay(None, [None; 2], None).await, Err(VoxError::NotSent(NotSent::Incompatible(_)))));
}

/// A value takes more memory than its bytes. That there are many is no reason to refuse them.
#[tokio::test]
async fn many_values_of_another_version_are_read_without_their_types() {
    mod near {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Row {
            pub(super) id: u32,
            pub(super) gone: Vec<Option<bool>>,
            pub(super) name: String,
        }

        #[vox::service]
        pub(super) trait Mill {
            async fn sum(&self, rows: Vec<Row>, gone: Vec<Vec<String>>) -> u64;
        }
    }
    mod far {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Row {
            pub(super) name: String,
            pub(super) id: u32,
        }

        #[vox::service]
        pub(super) trait Mill {
            async fn sum(&self, rows: Vec<Row>) -> u64;
        }

        pub(super) struct MyMill;

        impl Mill for MyMill {
            async fn sum(&self, rows: Vec<Row>) -> u64 {
                rows.iter().map(|row| u64::from(row.id) + row.name.len() as u64).sum()
            }
        }
    }
    let mill = ServiceType::of(far::MillClient::SERVICE).expect("it is known");
    let (_behind, session) = served("mill", Server::builder().service(far::MillDispatcher::new(far::MyMill))).await;
    let forwarding = DynamicDispatcher::forwarding(&session.open_dynamic(&mill).await.expect("it is served"));
    let values = DynamicDispatcher::new(mill).method("sum", async |request| {
        let Some(Value::List(rows)) = request.argument("rows") else { panic!("a list") };
        let sum = |row: &Value| {
            let name = row.get("name").and_then(Value::as_str).expect("text").len() as u64;
            row.get("id").and_then(Value::as_u64).expect("a number") + name
        };
        Ok(Value::from(rows.iter().map(sum).sum::<u64>()))
    });
    let typed = far::MillDispatcher::new(far::MyMill);
    let servers = [
        ("forwarded", Server::builder().service(forwarding)),
        ("by value", Server::builder().service(values)),
        ("typed", Server::builder().service(typed)),
    ];
    for (name, builder) in servers {
        let (_server, session) = served(&name.replace(' ', "-"), builder).await;
        let client: near::MillClient = session.open().await.expect("it is served");
        for count in [3, 20_000] {
            let row = |id| near::Row { id, gone: vec![Some(true), None], name: "four".to_owned() };
            let gone = vec![vec![String::new(); 2]; count as usize];
            let sum = client.sum((0..count).map(row).collect(), gone).await;
            assert_eq!(sum, Ok((0..count).map(|id| u64::from(id) + 4).sum()), "{name}, {count}");
        }
    }
}

/// The server behind has another version than the forwarder, and the call can never be sent on: it is no use to try again.
#[tokio::test]
async fn a_call_that_can_never_be_sent_on_says_why_and_is_not_tried_again() {
    mod near {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, cents: u64) -> u64;
            async fn watch(&self, events: vox::Tx<u64>);
            async fn note(&self, text: String) -> u64;
        }
    }
    mod far {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, cents: String) -> u64;
            async fn watch(&self, events: vox::Tx<u32>);
            async fn note(&self, text: String) -> u64;
        }

        pub(super) struct MyTill;

        impl Till for MyTill {
            async fn pay(&self, _cents: String) -> u64 {
                unreachable!("it differs")
            }

            async fn watch(&self, _events: vox::Tx<u32>) {
                unreachable!("it differs")
            }

            async fn note(&self, _text: String) -> u64 {
                unreachable!("it is too large")
            }
        }
    }
    let limits = vox::Limits { max_message_bytes: 64 << 10, ..vox::Limits::default() };
    let server = Server::builder().service(far::TillDispatcher::new(far::MyTill)).limits(limits);
    let (_behind, session) = served("far", server).await;
    let till = ServiceType::of(near::TillClient::SERVICE).expect("it is known");
    let client = session.open_dynamic(&till).await.expect("it is served");
    let server = Server::builder().service(DynamicDispatcher::forwarding(&client));
    let (_server, session) = served("near", server).await;
    let till: near::TillClient = session.open().await.expect("it is served");
    let (events, _read) = vox::channel();
    let outcomes = [
        (till.pay(1).await.map(drop), "argument `cents` is u64 here and string there"),
        (till.watch(events).await, "its channels differ"),
        (till.note("x".repeat(100_000)).await.map(drop), "max_message_bytes"),
    ];
    for (outcome, why) in outcomes {
        let error = outcome.expect_err("it cannot be sent on");
        assert!(matches!(error, VoxError::InvalidPayload(_)), "{error}");
        assert_eq!((error.ran(), error.is_retryable()), (Ran::No, false));
        let said = error.to_string();
        assert!(said.contains("the call could not be sent on: ") && said.contains(why), "{said}");
    }
}

/// Items that are sent are read by the other end, which has their types.
#[tokio::test]
async fn a_caller_without_types_sends_items_to_another_version() {
    mod wide {
        #[vox::service]
        pub(super) trait Feed {
            async fn sum(&self, numbers: vox::Rx<u64>) -> u64;
        }

        pub(super) struct MyFeed;

        impl Feed for MyFeed {
            async fn sum(&self, mut numbers: vox::Rx<u64>) -> u64 {
                let mut sum = 0;
                while let Some(number) = numbers.recv().await.expect("it is closed") {
                    sum += number;
                }
                sum
            }
        }
    }
    let sum = MethodSpec::new("sum").argument::<vox::Rx<u8>>("numbers").expect("a type");
    let sum = sum.returns::<u128, Infallible>().expect("types");
    let narrow = ServiceType::builder("Feed").method(sum).build().expect("a service");
    let (_server, session) = served("items", Server::builder().service(wide::FeedDispatcher::new(wide::MyFeed))).await;
    let client = session.open_dynamic(&narrow).await.expect("it is served");
    let (call, mut channels) = client.call_json_with_channels("sum", "{}").expect("a call");
    let numbers = channels.sender("numbers").expect("it is sent on here");
    let call = tokio::spawn(call);
    numbers.send_json("200").await.expect("there is credit");
    numbers.send_json("55").await.expect("there is credit");
    numbers.close();
    assert_eq!(call.await.expect("it ends"), Ok(Value::from(255u64)));
}

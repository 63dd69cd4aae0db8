//! RPC from an annotated Rust trait: typed client, dispatcher, channels, honest failure.
//!
//! This page is a tour. Each program on it is compiled and run by the tests.
//!
//! # A trait is the schema
//!
//! [`#[vox::service]`](macro@service) keeps the trait as what you implement, and writes beside it a client and a
//! dispatcher. [`serve`] and [`connect`] take an address (`tcp://host:port`, `unix://path`, `mem://name`) or a
//! [link](transport::Link) that is made already.
//!
//! ```
//! # use std::error::Error;
//! #[derive(Debug, Clone, PartialEq, facet::Facet)]
//! #[repr(u8)]
//! enum BankError {
//!     UnknownAccount(u64),
//! }
//!
//! #[vox::service]
//! trait Bank {
//!     async fn balance(&self, account: u64) -> Result<u64, BankError>;
//! }
//!
//! struct MyBank;
//!
//! impl Bank for MyBank {
//!     async fn balance(&self, account: u64) -> Result<u64, BankError> {
//!         if account == 7 { Ok(1_000) } else { Err(BankError::UnknownAccount(account)) }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let server = vox::Server::builder().service(BankDispatcher::new(MyBank)).bind("tcp://127.0.0.1:0").await?;
//!
//!     let bank: BankClient = vox::connect(server.address()).await?;
//!     assert_eq!(bank.balance(7).await, Ok(1_000));
//!     assert_eq!(bank.balance(8).await, Err(vox::VoxError::User(BankError::UnknownAccount(8))));
//!     Ok(())
//! }
//! ```
//!
//! Types of your own cross the wire with `#[derive(facet::Facet)]`, so your crate depends on `facet` too.
//!
//! # Calls
//!
//! A client's method gives a [`Call`], which is a future: its first poll sends it, and dropping it then cancels it. Before that it
//! can be told how long it may take, and what to say beside its arguments. The handler sees that in its [`Context`], an
//! argument that the client does not have. A call inside a handler inherits what is left of its time. Calls go wherever futures
//! go: to `tokio::spawn`, a `JoinSet`, `join!`, and by `&mut` to `select!`.
//!
//! What can go wrong is a [`VoxError`], and [`ran`](VoxError::ran) says whether the handler ran.
//!
//! ```
//! # use std::error::Error;
//! use std::time::Duration;
//! use vox::{Ran, VoxError};
//!
//! #[vox::service]
//! trait Clock {
//!     async fn wait(&self, cx: &vox::Context, seconds: u64) -> String;
//! }
//!
//! struct MyClock;
//!
//! impl Clock for MyClock {
//!     async fn wait(&self, cx: &vox::Context, seconds: u64) -> String {
//!         tokio::time::sleep(Duration::from_secs(seconds)).await;
//!         format!("for {}", cx.metadata().get("tenant").unwrap_or("nobody"))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     // No network: the same code over memory.
//!     let (ours, theirs) = vox::transport::memory_pair();
//!     tokio::spawn(vox::serve(theirs, ClockDispatcher::new(MyClock)));
//!     let clock: ClockClient = vox::connect(ours).await?;
//!
//!     assert_eq!(clock.wait(0).metadata("tenant", "acme").await?, "for acme");
//!
//!     // Beside others, and together.
//!     let beside = tokio::spawn(clock.wait(0).timeout(Duration::from_secs(5)));
//!     let mut slow = clock.wait(60);
//!     tokio::select! {
//!         _ = &mut slow => panic!("a minute is not over"),
//!         one = clock.wait(0) => assert_eq!(one?, "for nobody"),
//!     }
//!     assert_eq!(beside.await??, "for nobody");
//!
//!     let error = clock.wait(60).timeout(Duration::from_millis(20)).await.unwrap_err();
//!     assert_eq!(error, VoxError::DeadlineExceeded);
//!     assert_eq!(error.ran(), Ran::Unknown);
//!     Ok(())
//! }
//! ```
//!
//! # Channels
//!
//! A [`Tx`] or an [`Rx`] among the arguments is a stream of items during the call, and after it if its holder likes. Make
//! both halves with [`channel()`], give one away, keep the other. Senders wait while the receiver is slow. Close a `Tx` when all is
//! sent: one that is only dropped aborts the channel, and the receiver gets an error in place of the end.
//!
//! ```
//! # use std::error::Error;
//! use vox::{Rx, Tx};
//!
//! #[vox::service]
//! trait Sums {
//!     /// The caller sends; the handler says how far it got.
//!     async fn add(&self, numbers: Rx<u64>, so_far: Tx<u64>) -> u64;
//! }
//!
//! struct MySums;
//!
//! impl Sums for MySums {
//!     async fn add(&self, mut numbers: Rx<u64>, so_far: Tx<u64>) -> u64 {
//!         let mut sum = 0;
//!         while let Ok(Some(number)) = numbers.recv().await {
//!             sum += number;
//!             let _ = so_far.send(sum).await;
//!         }
//!         so_far.close();
//!         sum
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let (ours, theirs) = vox::transport::memory_pair();
//!     tokio::spawn(vox::serve(theirs, SumsDispatcher::new(MySums)));
//!     let sums: SumsClient = vox::connect(ours).await?;
//!
//!     let (numbers, rx) = vox::channel();
//!     let (tx, mut so_far) = vox::channel();
//!     let call = tokio::spawn(sums.add(rx, tx));
//!     for number in [1, 20, 300] {
//!         numbers.send(number).await?;
//!     }
//!     numbers.close();
//!     assert_eq!(so_far.recv().await?, Some(1));
//!     assert_eq!(so_far.recv().await?, Some(21));
//!     assert_eq!(call.await??, 321);
//!     Ok(())
//! }
//! ```
//!
//! # Both directions, many services
//!
//! A [`Session`] is two peers and everything between them. Either end serves and calls: the one that connects serves with
//! [`serving`](Connect::serving), and a handler calls back through [`cx.session()`](Context::session). Further services are
//! [opened](Session::open) on the same session. One that only serves connects as a [`NoopClient`].
//!
//! ```
//! # use std::error::Error;
//! #[vox::service]
//! trait Shop {
//!     async fn order(&self, cx: &vox::Context, what: String) -> bool;
//! }
//!
//! #[vox::service]
//! trait Customer {
//!     async fn confirm(&self, question: String) -> bool;
//! }
//!
//! struct MyShop;
//!
//! impl Shop for MyShop {
//!     async fn order(&self, cx: &vox::Context, what: String) -> bool {
//!         let Ok(customer) = cx.session().open::<CustomerClient>().await else { return false };
//!         customer.confirm(format!("{what}, really?")).await.unwrap_or(false)
//!     }
//! }
//!
//! struct Me;
//!
//! impl Customer for Me {
//!     async fn confirm(&self, question: String) -> bool {
//!         question == "cake, really?"
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let server = vox::Server::builder().service(ShopDispatcher::new(MyShop)).bind("mem://shop").await?;
//!
//!     let session = vox::Session::connect(server.address()).serving(CustomerDispatcher::new(Me)).await?;
//!     let shop: ShopClient = session.open().await?;
//!     assert!(shop.order("cake".to_owned()).await?);
//!
//!     // What is not there is refused, with the reason.
//!     let refused = session.open::<CustomerClient>().await.unwrap_err();
//!     assert_eq!(refused.to_string(), "mem://shop refused: no service `Customer` here; served: Shop");
//!     Ok(())
//! }
//! ```
//!
//! # Servers and limits
//!
//! [`Server::builder`] serves several services, within [`Limits`] on everything that a peer can ask for, and ends in
//! good order.
//!
//! ```
//! # use std::error::Error;
//! use std::time::Duration;
//!
//! #[vox::service]
//! trait Echo {
//!     async fn echo(&self, text: &str) -> String;
//! }
//!
//! struct MyEcho;
//!
//! impl Echo for MyEcho {
//!     async fn echo(&self, text: &str) -> String {
//!         text.to_owned()
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let server = vox::Server::builder()
//!         .service(EchoDispatcher::new(MyEcho))
//!         .limits(vox::Limits { max_message_bytes: 64 << 10, ..Default::default() })
//!         .bind("tcp://127.0.0.1:0")
//!         .await?;
//!     let echo: EchoClient = vox::connect(server.address()).await?;
//!
//!     // The peer's limits are known, so what is over them is not even sent.
//!     let error = echo.echo(&"x".repeat(100_000)).await.unwrap_err();
//!     assert!(matches!(error, vox::VoxError::NotSent(vox::NotSent::TooLarge(_))));
//!
//!     let report = server.shutdown(Duration::from_secs(5)).await;
//!     assert_eq!(report.aborted_calls, 0);
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

pub use vox_macros::service;

// What users hold. Beside it are the rooms of those who look closer: what remembers operations, what crosses the wire and how, what is
// known of a service, what carries the bytes.
pub use vox_runtime::assert_compatible;
pub use vox_runtime::{
    Backoff, Call, Caller, Choice, Client, Closing, Connect, Connected, ConnectionId, Context, ContextBuilder,
    Credentials, Dispatcher, HandlerFuture, Incoming, Limits, Metadata, NoopClient, Offer, Operation, OperationId,
    Peer, Principal, RequestId, RetryPolicy, Rx, Server, ServerBuilder, Session, SessionState, SessionWatch,
    ShutdownReport, Target, TestContext, Tx, channel, connect, serve,
};
pub use vox_runtime::{
    CallError, Cause, Clocks, ConnectError, EndReason, InvalidOperationId, LimitError, MethodError, Never, NotSent,
    OpenError, Place, ProtocolViolation, Ran, Reason, RecvError, Refusal, RefusalCode, Refusals, Rule, SendError,
    ServeError, ServiceError, Shortage, TryRecvError, TrySendError, VoxError,
};
pub use vox_runtime::{codec, compat, descriptor, dynamic, facet, store, transport, value};

#[doc(hidden)]
pub use vox_runtime::__private;

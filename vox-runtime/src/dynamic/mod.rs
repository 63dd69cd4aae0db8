//! Calls and handlers without types: services that are known by what their peers say of them, or made up while the program runs.
//!
//! A [`ServiceType`] is a service as a program knows it without its trait: its methods, with their arguments and what they return as
//! [`ValueType`](crate::value::ValueType)s. [`Session::open_dynamic`] gives a [`DynamicClient`] of one, to call its methods by name
//! with values, JSON or bytes, and a [`DynamicDispatcher`] serves one by closures.
//!
//! ```
//! # extern crate vox_runtime as vox;
//! use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
//! use vox::value::Value;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let double = MethodSpec::new("double").argument::<u32>("of")?.returns::<u64, String>()?;
//! let calculator = ServiceType::builder("Calculator").method(double).build()?;
//! let dispatcher = DynamicDispatcher::new(calculator.clone()).method("double", async |request| {
//!     match request.argument("of").and_then(Value::as_u64) {
//!         Some(of) if of > 0 => Ok(Value::from(2 * of)),
//!         _ => Err(Value::from("nothing to double")),
//!     }
//! });
//!
//! let server = vox::Server::builder().service(dispatcher).bind("mem://calculator").await?;
//! let session = vox::Session::connect("mem://calculator").await?;
//! let client = session.open_dynamic(&calculator).await?;
//! assert_eq!(client.call_json("double", r#"{"of": 21}"#)?.await?, Value::from(42u64));
//! # drop(server);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! A call without types is a call: deadlines, metadata, operations, cancelling, policies and channels are those of any other.

mod channels;
mod client;
mod describe;
mod handler;
mod invalid_service;
mod service;

pub use channels::{Channels, RawChannel, RawRx, RawTx, Sender, ValueRx, ValueTx};
pub use client::{DynamicClient, DynamicError, RawCall, ValueCall};
pub use describe::{DescribeError, Describer, ListedService};
pub use handler::{DynamicDispatcher, RawRequest, ValueRequest};
pub use invalid_service::InvalidService;
pub use service::{ArgumentType, MethodSpec, MethodType, ServiceBuilder, ServiceType};

#[cfg(doc)]
use crate::client::Session;

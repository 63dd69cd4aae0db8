//! A type that changes, in each position where it can cross the wire.
//!
//! The table of changes is in `table`. The crates `old` and `new` each make services of their own version of every type by `change`;
//! the test in `new` lets each call the other.

mod stage;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use facet::Facet;
use vox::{OperationId, Rx, ServerBuilder, Session, Tx, VoxError};

pub use stage::{ITEMS, Stage};

/// Where a value of the type stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Position {
    Argument,
    Response,
    Error,
    ItemToServer,
    ItemToClient,
    KeptOutcome,
}

impl Position {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Argument, Self::Response, Self::Error, Self::ItemToServer, Self::ItemToClient, Self::KeptOutcome];

    /// Whether clients write there and servers read.
    pub fn is_written_by_clients(self) -> bool {
        matches!(self, Self::Argument | Self::ItemToServer)
    }
}

/// How one value ended: how the reader prints it, or why it has none.
pub type Read = Result<String, String>;

/// What a client does.
pub type Calling = Pin<Box<dyn Future<Output = Vec<Read>> + Send>>;

/// One change, as one of the two versions has it.
#[derive(Debug)]
pub struct Case {
    /// What the service is called.
    pub name: &'static str,
    /// The line of docs/changing.md that says of it.
    pub line: &'static str,
    /// How many values this version writes.
    pub writes: usize,
    /// What this version makes of each value of the other: `None` where it cannot read that one. Empty: it reads none.
    pub reads: fn() -> Vec<Option<String>>,
    /// Adds its service to a server.
    pub serve: fn(ServerBuilder) -> ServerBuilder,
    /// Calls the service of the other version for each value that is written at this position: so many, by these operations.
    pub call: fn(Session, Position, Vec<OperationId>) -> Calling,
}

/// Prints what was read.
pub fn shown<T: Debug>(result: Result<T, VoxError>) -> Read {
    result.map(|value| format!("{value:?}")).map_err(|error| error.to_string())
}

/// Prints what was read as an error.
pub fn shown_error<E: Debug>(result: Result<(), VoxError<E>>) -> Read {
    match result {
        Err(VoxError::User(error)) => Ok(format!("{error:?}")),
        Err(error) => Err(error.map_user(|error| format!("{error:?}")).to_string()),
        Ok(()) => Err("it succeeds".to_owned()),
    }
}

/// Sends one item.
pub async fn send<T: Facet<'static> + Send>(items: Tx<T>, item: T) {
    if items.send(item).await.is_ok() {
        items.close();
    }
}

/// Prints the one item that comes.
pub async fn receive<T: Facet<'static> + Debug + Send>(mut items: Rx<T>) -> Read {
    match items.recv().await {
        Ok(Some(item)) => Ok(format!("{item:?}")),
        Ok(None) => Err("no item".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Joins two futures.
pub async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    tokio::join!(one, other)
}

/// Adds a [`Case`] of one version of a type: its name, the line of the documentation, the type, the values that it writes, those that it
/// makes of what the other version writes, and the items that the type is made of.
#[macro_export]
macro_rules! case {
    ($cases:ident, $name:literal, $line:literal, $T:ty, [$($value:expr),*], [$($read:expr),*], { $($item:item)* }) => {{
        $(
            #[allow(dead_code)]
            #[derive(Debug, ::facet::Facet)]
            $item
        )*

        #[vox::service(name = $name)]
        trait Change {
            async fn argument(&self, value: $T) -> String;
            #[vox(persist)]
            async fn response(&self, number: u32) -> $T;
            async fn error(&self, number: u32) -> Result<(), $T>;
            async fn item_to_server(&self, item: ::vox::Rx<$T>) -> Result<String, String>;
            async fn item_to_client(&self, number: u32, item: ::vox::Tx<$T>);
        }

        fn values() -> Vec<$T> {
            vec![$($value),*]
        }

        fn value(number: u32) -> $T {
            values().swap_remove(number as usize)
        }

        struct Handler;

        impl Change for Handler {
            async fn argument(&self, value: $T) -> String {
                format!("{value:?}")
            }
            async fn response(&self, number: u32) -> $T {
                value(number)
            }
            async fn error(&self, number: u32) -> Result<(), $T> {
                Err(value(number))
            }
            async fn item_to_server(&self, item: ::vox::Rx<$T>) -> Result<String, String> {
                $crate::receive(item).await
            }
            async fn item_to_client(&self, number: u32, item: ::vox::Tx<$T>) {
                $crate::send(item, value(number)).await;
            }
        }

        async fn call(
            session: ::vox::Session,
            position: $crate::Position,
            operations: Vec<::vox::OperationId>,
        ) -> Vec<$crate::Read> {
            let client: ChangeClient = session.open().await.expect("it is served");
            let mut read = Vec::new();
            for (number, id) in (0..).zip(operations) {
                read.push(match position {
                    $crate::Position::Argument => match client.argument(value(number)).await {
                        Ok(printed) => Ok(printed),
                        Err(error) => Err(error.to_string()),
                    },
                    $crate::Position::Response => $crate::shown(client.response(number).await),
                    $crate::Position::Error => $crate::shown_error(client.error(number).await),
                    $crate::Position::ItemToServer => {
                        let (tx, rx) = ::vox::channel();
                        let calling = ::std::future::IntoFuture::into_future(client.item_to_server(rx));
                        match $crate::both(calling, $crate::send(tx, value(number))).await.0 {
                            Ok(printed) => Ok(printed),
                            Err(::vox::VoxError::User(why)) => Err(why),
                            Err(error) => Err(error.to_string()),
                        }
                    }
                    $crate::Position::ItemToClient => {
                        let (tx, rx) = ::vox::channel();
                        let calling = ::std::future::IntoFuture::into_future(client.item_to_client(number, tx));
                        let (called, received) = $crate::both(calling, $crate::receive(rx)).await;
                        called.map_err(|error| error.to_string()).and(received)
                    }
                    $crate::Position::KeptOutcome => $crate::shown(client.response(number).operation(id).await),
                });
            }
            read
        }

        fn reads() -> Vec<Option<String>> {
            let reads: Vec<Option<$T>> = vec![$($read),*];
            reads.into_iter().map(|read| read.map(|value| format!("{value:?}"))).collect()
        }

        $cases.push($crate::Case {
            name: $name,
            line: $line,
            writes: values().len(),
            reads,
            serve: |server| server.service(ChangeDispatcher::new(Handler)),
            call: |session, position, operations| Box::pin(call(session, position, operations)),
        });
    }};
}

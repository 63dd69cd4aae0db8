//! Outcomes that an older version of the service sealed.

use std::sync::Arc;
use std::time::Duration;

use vox::store::{MemoryStore, OperationStore};
use vox::{Client, OperationId, Ran, Server, VoxError};

use crate::support::Count;

mod old {
    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    #[repr(u8)]
    pub enum Refused {
        TooMuch { most: u32 },
        Closed,
    }

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Receipt {
        pub number: u32,
        pub note: String,
    }

    #[vox::service]
    pub trait Shop {
        #[vox(persist)]
        async fn buy(&self, amount: u32) -> Result<Receipt, Refused>;
        #[vox(persist)]
        async fn weigh(&self) -> u64;
        #[vox(idem, persist)]
        async fn count(&self) -> u64;
        #[vox(persist)]
        async fn name(&self) -> String;
    }
}

mod new {
    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    #[repr(u8)]
    pub enum Refused {
        Sold,
        TooMuch { most: u64, least: Option<u64> },
    }

    #[derive(Debug, Clone, PartialEq, facet::Facet)]
    pub struct Receipt {
        #[facet(default = "EUR".to_owned())]
        pub currency: String,
        pub number: u64,
    }

    #[vox::service]
    pub trait Shop {
        #[vox(persist)]
        async fn buy(&self, amount: u32) -> Result<Receipt, Refused>;
        #[vox(persist)]
        async fn weigh(&self) -> u32;
        #[vox(idem, persist)]
        async fn count(&self) -> u32;
        #[vox(persist)]
        async fn name(&self) -> String;
    }
}

/// Counts the handlers that ran.
#[derive(Clone, Default)]
struct Counting(Count);

impl old::Shop for Counting {
    async fn buy(&self, amount: u32) -> Result<old::Receipt, old::Refused> {
        self.0.add();
        match amount {
            0 => Err(old::Refused::Closed),
            1..100 => Ok(old::Receipt { number: amount, note: "wrapped".to_owned() }),
            _ => Err(old::Refused::TooMuch { most: 99 }),
        }
    }
    async fn weigh(&self) -> u64 {
        self.0.add();
        7
    }
    async fn count(&self) -> u64 {
        self.0.add();
        7
    }
    async fn name(&self) -> String {
        self.0.add();
        "old".to_owned()
    }
}

impl new::Shop for Counting {
    async fn buy(&self, _amount: u32) -> Result<new::Receipt, new::Refused> {
        self.0.add();
        Err(new::Refused::Sold)
    }
    async fn weigh(&self) -> u32 {
        self.0.add();
        8
    }
    async fn count(&self) -> u32 {
        self.0.add();
        8
    }
    async fn name(&self) -> String {
        self.0.add();
        "new".to_owned()
    }
}

/// The operations: three of `buy`, one of each other method.
fn ids() -> [OperationId; 6] {
    std::array::from_fn(|_| OperationId::new())
}

/// An old server seals the outcomes of these operations.
async fn sealed_by_the_old(store: Arc<dyn OperationStore>, ids: &[OperationId; 6], address: &str) {
    let handler = Counting::default();
    let ran = handler.0.clone();
    let server = Server::builder().service(old::ShopDispatcher::new(handler)).store(store);
    let server = server.bind(address).await.expect("bound");
    let shop: old::ShopClient = vox::connect(server.address()).await.expect("connected");
    let receipt = old::Receipt { number: 5, note: "wrapped".to_owned() };
    assert_eq!(shop.buy(5).operation(ids[0]).await, Ok(receipt));
    let refused = shop.buy(500).operation(ids[1]).await;
    assert_eq!(refused, Err(VoxError::User(old::Refused::TooMuch { most: 99 })));
    assert_eq!(shop.buy(0).operation(ids[2]).await, Err(VoxError::User(old::Refused::Closed)));
    assert_eq!(shop.weigh().operation(ids[3]).await, Ok(7));
    assert_eq!(shop.count().operation(ids[4]).await, Ok(7));
    assert_eq!(shop.name().operation(ids[5]).await.as_deref(), Ok("old"));
    assert_eq!(ran.get(), 6);
    server.shutdown(Duration::from_secs(1)).await;
}

/// A new server on the same store is asked for them again, by new callers and by old ones.
async fn replayed_by_the_new(store: Arc<dyn OperationStore>, ids: &[OperationId; 6], address: &str) {
    let handler = Counting::default();
    let ran = handler.0.clone();
    let server = Server::builder().service(new::ShopDispatcher::new(handler)).store(store);
    let server = server.bind(address).await.expect("bound");
    let shop: new::ShopClient = vox::connect(server.address()).await.expect("connected");

    let receipt = new::Receipt { currency: "EUR".to_owned(), number: 5 };
    for _ in 0..2 {
        assert_eq!(shop.buy(5).operation(ids[0]).await, Ok(receipt.clone()));
        let refused = shop.buy(500).operation(ids[1]).await;
        assert_eq!(refused, Err(VoxError::User(new::Refused::TooMuch { most: 99, least: None })));
        assert_eq!(shop.name().operation(ids[5]).await.as_deref(), Ok("old"));

        // It cannot be read any more: of one that must not run again, it is said why.
        let unknown = shop.buy(0).operation(ids[2]).await.expect_err("a variant that is gone");
        assert_eq!(unknown.ran(), Ran::Yes);
        assert!(!unknown.is_retryable());
        assert_eq!(
            unknown.to_string(),
            format!(
                "Shop.buy at {address}: the call ran, but its response is lost: `Shop.buy` has run, and another version of the \
             service (`there`) sealed its outcome: at byte 2: the variant `Closed`, which `Refused` does not have here"
            )
        );
        let narrower = shop.weigh().operation(ids[3]).await.expect_err("a number that may not fit");
        assert_eq!(
            narrower.to_string(),
            format!(
                "Shop.weigh at {address}: the call ran, but its response is lost: `Shop.weigh` has run, and another version of \
             the service (`there`) sealed its outcome: the response.Ok is u32 here and u64 there; the newer of the two must keep \
             the type of the older"
            )
        );
        assert_eq!(ran.get(), 0, "nothing runs again");
    }

    // An old caller gets what a new server makes of it.
    let asking: old::ShopClient = vox::connect(server.address()).await.expect("connected");
    assert_eq!(asking.name().operation(ids[5]).await.as_deref(), Ok("old"));
    let why = asking.buy(5).operation(ids[0]).await.expect_err("a new server sends no note");
    assert_eq!(why.ran(), Ran::No);
    assert!(why.to_string().contains("the response.Ok.note is string here and missing there"), "{why}");

    // One that may run again does.
    assert_eq!(shop.count().operation(ids[4]).await, Ok(8));
    assert_eq!(shop.count().operation(ids[4]).await, Ok(8));
    assert_eq!(ran.get(), 1);
    shop.caller().acknowledge(ids[0]);
    server.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn an_outcome_that_an_older_version_sealed_is_translated_or_says_why_not() {
    let (store, ids): (Arc<dyn OperationStore>, _) = (Arc::new(MemoryStore::new()), ids());
    sealed_by_the_old(Arc::clone(&store), &ids, "mem://replayed").await;
    replayed_by_the_new(store, &ids, "mem://replayed").await;
}

/// Arguments are compared as they are written, so those of a client that was upgraded are others. Nothing runs twice.
#[tokio::test]
async fn an_attempt_of_a_client_that_was_upgraded_is_in_conflict_where_it_writes_its_arguments_otherwise() {
    mod before {
        #[derive(facet::Facet)]
        pub(super) struct Order {
            pub(super) cents: u32,
        }

        #[vox::service]
        pub(super) trait Till {
            #[vox(persist)]
            async fn pay(&self, order: Order) -> u32;
            #[vox(persist)]
            async fn note(&self, text: &str) -> u32;
        }
    }
    mod after {
        use super::Count;

        #[derive(facet::Facet)]
        pub(super) struct Order {
            pub(super) cents: u32,
            pub(super) day: Option<u32>,
        }

        #[vox::service]
        pub(super) trait Till {
            #[vox(persist)]
            async fn pay(&self, order: Order) -> u32;
            #[vox(persist)]
            async fn note(&self, text: &str) -> u32;
        }

        #[derive(Clone, Default)]
        pub(super) struct MyTill(pub(super) Count);

        impl Till for MyTill {
            async fn pay(&self, order: Order) -> u32 {
                self.0.add();
                order.cents
            }

            async fn note(&self, text: &str) -> u32 {
                self.0.add();
                text.len() as u32
            }
        }
    }
    let till = after::MyTill::default();
    let server = Server::builder().service(after::TillDispatcher::new(till.clone()));
    let server = server.bind("mem://upgraded").await.expect("bound");
    let client: before::TillClient = vox::connect(server.address()).await.expect("connected");
    let [paid, noted, ..] = ids();
    assert_eq!(client.pay(before::Order { cents: 7 }).operation(paid).await, Ok(7));
    assert_eq!(client.note("four").operation(noted).await, Ok(4));
    let upgraded: after::TillClient = vox::connect(server.address()).await.expect("connected");
    let again = upgraded.pay(after::Order { cents: 7, day: None }).operation(paid).await;
    assert_eq!(again, Err(VoxError::OperationConflict));
    let said = again.expect_err("it is in conflict").to_string();
    assert!(said.contains("or of another version of the client; this one did not run"), "{said}");
    assert_eq!(upgraded.note("four").operation(noted).await, Ok(4), "what is written alike is the same");
    assert_eq!(client.pay(before::Order { cents: 7 }).operation(paid).await, Ok(7), "the first outcome stays");
    assert_eq!(till.0.get(), 2);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_database_that_the_old_version_wrote_is_replayed_by_the_new() {
    let directory = std::env::temp_dir().join(format!("vox-versions-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("operations.db");
    let ids = ids();
    let store = Arc::new(vox::store::SqliteStore::open(&path).await.expect("it opens"));
    sealed_by_the_old(store.clone(), &ids, "mem://replayed-sqlite").await;
    store.close().await;
    let store = Arc::new(vox::store::SqliteStore::open(&path).await.expect("it opens"));
    replayed_by_the_new(store.clone(), &ids, "mem://replayed-sqlite").await;
    store.close().await;
    std::fs::remove_dir_all(&directory).expect("it is ours");
}

//! The service of the public documentation, in a crate that warns about much.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, missing_debug_implementations)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]
#![allow(missing_docs)]

pub mod bank {
    //! A bank.

    /// An order.
    #[derive(Debug, Clone, facet::Facet)]
    pub struct Transfer {
        /// From here.
        pub from: u64,
        /// To there.
        pub to: u64,
    }

    /// A failure.
    #[derive(Debug, Clone, facet::Facet)]
    #[repr(u8)]
    pub enum BankError {
        /// Too little.
        Overdrawn,
        /// Nobody.
        NoSuchAccount(u64),
    }

    /// Keeps money.
    #[vox::service]
    pub trait Bank {
        /// Safe to run again.
        #[vox(idem)]
        async fn balance(&self, account: u64) -> Result<u64, BankError>;

        /// Runs at most once.
        #[vox(persist, timeout = "2s")]
        async fn transfer(&self, cx: &vox::Context, order: Transfer) -> Result<(), BankError>;

        /// The caller sends.
        async fn import(&self, rows: vox::Rx<Transfer>) -> u64;

        /// The handler sends.
        #[vox(idem)]
        async fn watch(&self, account: u64, events: vox::Tx<Transfer>);

        /// Borrows.
        async fn greet(&self, name: &str, picture: &[u8]) -> String;
    }
}

use bank::{Bank, BankClient, BankDispatcher, BankError, Transfer};

struct Mine;

impl Bank for Mine {
    async fn balance(&self, account: u64) -> Result<u64, BankError> {
        Err(BankError::NoSuchAccount(account))
    }

    async fn transfer(&self, _cx: &vox::Context, order: Transfer) -> Result<(), BankError> {
        if order.from == order.to { Err(BankError::Overdrawn) } else { Ok(()) }
    }

    async fn import(&self, _rows: vox::Rx<Transfer>) -> u64 {
        0
    }

    async fn watch(&self, _account: u64, _events: vox::Tx<Transfer>) {}

    async fn greet(&self, name: &str, picture: &[u8]) -> String {
        format!("{name} {}", picture.len())
    }
}

fn is_client<C: vox::Client + Clone + std::fmt::Debug>() {}
fn is_dispatcher<D: vox::Dispatcher + Clone + std::fmt::Debug>(_: D) {}

async fn calls(bank: BankClient, rows: vox::Rx<Transfer>) -> Result<u64, vox::VoxError<BankError>> {
    bank.transfer(Transfer { from: 1, to: 2 }).await?;
    let _greeting: Result<String, vox::VoxError<vox::Never>> = bank.greet("Ann", b"png").await;
    let _rows: Result<u64, _> = bank.import(rows).await;
    bank.balance(7).await
}

fn main() {
    is_client::<BankClient>();
    is_dispatcher(BankDispatcher::new(Mine));
    is_dispatcher(BankDispatcher::from_arc(std::sync::Arc::new(Mine)));
    let _ = calls;
    assert_eq!(BankClient::SERVICE.name, "Bank");
    assert_eq!(BankClient::SERVICE.docs, "Keeps money.");
    let [balance, transfer, import, watch, greet] = BankClient::SERVICE.methods else { panic!("five methods") };
    assert_eq!(balance.policy, vox::RetryPolicy::IDEM);
    assert_eq!(balance.docs, "Safe to run again.");
    assert_eq!(transfer.policy, vox::RetryPolicy::PERSIST);
    assert_eq!(transfer.timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!(transfer.args.len(), 1);
    assert_eq!(transfer.args[0].name, "order");
    assert_eq!(import.policy, vox::RetryPolicy::VOLATILE);
    assert_eq!(watch.args.len(), 2);
    assert_eq!(greet.args[0].shape, <String as facet::Facet>::SHAPE);
    assert_eq!(greet.args[1].shape, <Vec<u8> as facet::Facet>::SHAPE);
}

//! One client for the whole program.

use std::future::IntoFuture;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::OnceCell;
use vox::{ConnectError, NotSent, VoxError};

use super::Tested;

#[vox::service]
trait Bank {
    #[vox(idem)]
    async fn balance(&self, account: u64) -> u64;
}

const ADDRESS: &str = "mem://cookbook-bank"; // or tcp://bank.example:9000

/// Connects when it is first used. The first use must be inside a tokio runtime.
static BANK: LazyLock<BankClient> = LazyLock::new(|| vox::connect(ADDRESS).lazy().expect("the address can be read"));

async fn anywhere() -> Result<u64, VoxError> {
    BANK.balance(7).timeout(Duration::from_secs(2)).await
}

static CONNECTED: OnceCell<BankClient> = OnceCell::const_new();

/// Fails at once where there is no server, and tries again when it is next asked.
async fn connected() -> Result<&'static BankClient, ConnectError> {
    CONNECTED.get_or_try_init(|| vox::connect(ADDRESS).into_future()).await
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> u64 {
        account * 100
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_is_there_before_its_server() -> Tested {
    let error = anywhere().await.expect_err("there is no server yet");
    assert!(matches!(error, VoxError::NotSent(NotSent::NoLink(_))), "{error:?}");

    assert!(connected().await.is_err());

    let server = vox::Server::builder().service(BankDispatcher::new(MyBank)).bind(ADDRESS).await?;
    assert_eq!(anywhere().await?, 700);
    assert_eq!(connected().await?.balance(8).await?, 800);
    drop(server);
    Ok(())
}

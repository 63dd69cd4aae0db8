//! Several services on one server, and on one session.

use super::Tested;

#[vox::service]
trait Bank {
    async fn balance(&self, account: u64) -> u64;
}

#[vox::service]
trait Clock {
    async fn hour(&self) -> u8;
}

#[vox::service]
trait Weather {
    async fn raining(&self) -> bool;
}

struct House;

impl Bank for House {
    async fn balance(&self, account: u64) -> u64 {
        account * 100
    }
}

impl Clock for House {
    async fn hour(&self) -> u8 {
        12
    }
}

#[tokio::test]
async fn two_services_share_a_session() -> Tested {
    let server = vox::Server::builder()
        .service(BankDispatcher::new(House))
        .service(ClockDispatcher::new(House))
        .bind("tcp://127.0.0.1:0")
        .await?;
    let session = vox::Session::connect(server.address()).await?;
    let bank: BankClient = session.open().await?;
    let clock: ClockClient = session.open().await?;
    assert_eq!((bank.balance(7).await?, clock.hour().await?), (700, 12));

    let refused = session.open::<WeatherClient>().await.expect_err("nobody serves it").to_string();
    assert!(refused.ends_with("refused: no service `Weather` here; served: Bank, Clock"), "{refused}");
    Ok(())
}

//! A call by name and in JSON, for programs that do not have the trait.

use super::Tested;

#[vox::service]
trait Bank {
    async fn balance(&self, account: u64) -> Result<u64, String>;
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u64, String> {
        if account == 7 { Ok(1_000) } else { Err(format!("no account {account}")) }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

async fn call(address: &str, service: &str, method: &str, arguments: &str) -> Outcome<String> {
    let session = vox::Session::connect(address).await?;
    let service = session.describe().await?.service(service).await?;
    let call = session.open_dynamic(&service).await?.call_json(method, arguments)?;
    let known = call.method().clone();
    match call.await {
        Ok(value) => Ok(known.ok().write_json(&value)?),
        Err(vox::VoxError::User(error)) => Err(known.error().write_json(&error)?.into()),
        Err(error) => Err(error.to_string().into()),
    }
}

#[tokio::test]
async fn a_method_is_called_by_name() -> Tested {
    let server = vox::Server::builder().service(BankDispatcher::new(MyBank)).describe();
    let server = server.bind("tcp://127.0.0.1:0").await?;
    let address = server.address();

    assert_eq!(call(&address, "Bank", "balance", r#"{"account": 7}"#).await?, "1000");
    let own = call(&address, "Bank", "balance", r#"{"account": 8}"#).await.expect_err("no account 8");
    assert_eq!(own.to_string(), r#""no account 8""#);
    let wrong = call(&address, "Bank", "balance", r#"{"account": "x"}"#).await.expect_err("no number");
    assert!(wrong.to_string().contains("account"), "{wrong}");
    Ok(())
}

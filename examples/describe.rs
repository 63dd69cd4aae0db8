//! A server that describes itself, and a client that knows nothing but its address: it lists what there is, and calls it with JSON.
//!
//! ```text
//! describe                                        both, in one process
//! describe ADDRESS                                lists the services at an address
//! describe ADDRESS Service.method '{"name": …}'   calls a method there
//! ```

use facet::Facet;

/// What is to be moved.
#[derive(Debug, Clone, Facet)]
struct Transfer {
    from: u64,
    to: u64,
    note: Option<String>,
}

#[derive(Debug, Clone, Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "who calls reads it by its schema")]
enum BankError {
    NoAccount(u64),
}

/// Keeps accounts.
#[vox::service]
trait Bank {
    /// What is in an account.
    #[vox(idem)]
    async fn balance(&self, account: u64) -> Result<u128, BankError>;
    /// Moves all there is.
    #[vox(persist, timeout = "2s")]
    async fn transfer(&self, order: Transfer) -> Result<String, BankError>;
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u128, BankError> {
        if account == 7 { Ok(u128::MAX) } else { Err(BankError::NoAccount(account)) }
    }

    async fn transfer(&self, order: Transfer) -> Result<String, BankError> {
        let note = order.note.unwrap_or_else(|| "no note".to_owned());
        Ok(format!("moved from {} to {}: {note}", order.from, order.to))
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let server = vox::Server::builder().service(BankDispatcher::new(MyBank)).describe();
            let server = server.bind("tcp://127.0.0.1:0").await?;
            let address = server.address();
            list(&address).await?;
            call(&address, "Bank.balance", r#"{"account": 7}"#).await?;
            call(&address, "Bank.balance", r#"{"account": 8}"#).await?;
            call(&address, "Bank.transfer", r#"{"order": {"from": 7, "to": 9, "note": "rent"}}"#).await?;
            call(&address, "Bank.transfer", r#"{"order": {"from": 7, "to": "x"}}"#).await
        }
        [address] => list(address).await,
        [address, method, rest @ ..] => call(address, method, rest.first().unwrap_or(&"{}")).await,
    }
}

/// Prints what there is at an address.
async fn list(address: &str) -> Outcome<()> {
    let session = vox::Session::connect(address).await?;
    let describer = session.describe().await?;
    for listed in describer.services().await? {
        let service = describer.service(&listed.name).await?;
        println!("{}: {}", service.name(), service.docs());
        for method in service.methods() {
            let policy = method.policy();
            let words = [(policy.idem, "idem "), (policy.persist, "persist ")];
            let policy: String = words.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect();
            println!("  {policy}{method}  // {}", method.docs());
        }
    }
    Ok(())
}

/// Calls a method at an address, and prints what it returns.
async fn call(address: &str, method: &str, arguments: &str) -> Outcome<()> {
    let (service, method) = method.rsplit_once('.').ok_or("write `Service.method`")?;
    let session = vox::Session::connect(address).await?;
    let service = session.describe().await?.service(service).await?;
    let client = session.open_dynamic(&service).await?;
    let call = match client.call_json(method, arguments) {
        Ok(call) => call,
        Err(error) => {
            println!("{error}");
            return Ok(());
        }
    };
    let known = call.method().clone();
    match call.await {
        Ok(value) => println!("{}", known.ok().write_json(&value)?),
        Err(vox::VoxError::User(error)) => println!("failed: {}", known.error().write_json(&error)?),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

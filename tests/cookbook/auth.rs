//! A token that expires, shown anew in each handshake.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use vox::{ConnectError, Metadata, NotSent, Principal, Refusal, RefusalCode, Target, VoxError};

use super::Tested;

#[path = "../support/cable.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod cable;

#[vox::service]
trait Bank {
    async fn owner(&self, cx: &vox::Context) -> String;
}

struct MyBank;

impl Bank for MyBank {
    async fn owner(&self, cx: &vox::Context) -> String {
        cx.principal().as_str().to_owned()
    }
}

/// Who holds a token, and until when.
#[derive(Clone, Default)]
struct Tokens(Arc<Mutex<HashMap<String, (String, Instant)>>>);

impl Tokens {
    async fn issue(&self, name: &str) -> io::Result<String> {
        let mut tokens = self.0.lock().expect("not poisoned");
        let token = format!("token {}", tokens.len());
        tokens.insert(token.clone(), (name.to_owned(), Instant::now() + Duration::from_secs(600)));
        Ok(token)
    }

    fn holder(&self, token: &str) -> Option<String> {
        let tokens = self.0.lock().expect("not poisoned");
        tokens.get(token).filter(|(_, until)| Instant::now() < *until).map(|(name, _)| name.clone())
    }
}

fn server(tokens: Tokens) -> vox::ServerBuilder {
    vox::Server::builder().service(BankDispatcher::new(MyBank)).authenticate(move |peer| {
        let holder = tokens.holder(peer.metadata().get("token").unwrap_or_default());
        async move {
            let refused = || Refusal::new(RefusalCode::Unauthorized, "the token is unknown or has expired");
            holder.map(Principal::new).ok_or_else(refused)
        }
    })
}

async fn connect(target: impl Into<Target>, tokens: Tokens) -> Result<BankClient, ConnectError> {
    let fresh_token = move || {
        let tokens = tokens.clone();
        async move {
            let mut shown = Metadata::new();
            shown.insert("token", tokens.issue("emma").await?);
            Ok::<_, io::Error>(shown)
        }
    };
    vox::connect(target).credentials(fresh_token).await
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_the_token_that_it_began_with() -> Tested {
    let tokens = Tokens::default();
    let cable = cable::Cable::to(server(tokens.clone()).start()?);
    let bank = connect(cable.connector(), tokens.clone()).await?;
    assert_eq!(bank.owner().await?, "emma");

    tokio::time::sleep(Duration::from_secs(3600)).await;
    cable.cut();
    assert_eq!(bank.owner().await?, "emma");
    assert_eq!(tokens.0.lock().expect("not poisoned").len(), 2, "one token for each handshake");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_is_refused() -> Tested {
    let tokens = Tokens::default();
    let cable = cable::Cable::to(server(tokens.clone()).start()?);
    let token = tokens.issue("emma").await?;
    let bank: BankClient = vox::connect(cable.connector()).sensitive_metadata("token", token).await?;

    tokio::time::sleep(Duration::from_secs(3600)).await;
    cable.cut();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let error = bank.owner().await.expect_err("the token has expired");
    assert!(matches!(&error, VoxError::NotSent(NotSent::Closed(_))), "{error:?}");
    assert!(error.to_string().contains("the token is unknown or has expired"), "{error}");

    let refused = vox::connect::<BankClient>(cable.connector()).await.expect_err("no token at all");
    assert!(refused.to_string().contains("the token is unknown or has expired"), "{refused}");
    Ok(())
}

//! A client used with the crates that its users have beside it: their errors, their futures, their handlers.

#![cfg(test)]

mod web;

use std::fmt;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{FutureExt, StreamExt, TryFutureExt};
use tokio::task::JoinSet;
use vox::{MethodError, Ran, VoxError};

/// The tour's error: no text of its own.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum BankError {
    UnknownAccount(u64),
}

#[derive(Debug, Clone, PartialEq, facet::Facet, thiserror::Error)]
#[repr(u8)]
pub enum Refused {
    #[error("account {0} is frozen")]
    Frozen(u64),
}

#[vox::service]
pub trait Bank {
    async fn balance(&self, account: u64) -> Result<u64, BankError>;
    async fn withdraw(&self, account: u64) -> Result<u64, Refused>;
    async fn accounts(&self) -> u64;
    async fn rename(&self, account: u64) -> Result<(), String>;
    async fn audit(&self);
}

struct MyBank;

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u64, BankError> {
        if account < 8 { Ok(1_000) } else { Err(BankError::UnknownAccount(account)) }
    }
    async fn withdraw(&self, account: u64) -> Result<u64, Refused> {
        Err(Refused::Frozen(account))
    }
    async fn accounts(&self) -> u64 {
        8
    }
    async fn rename(&self, _: u64) -> Result<(), String> {
        Err("not today".to_owned())
    }
    async fn audit(&self) {
        std::future::pending().await
    }
}

async fn bank() -> BankClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, BankDispatcher::new(MyBank)));
    vox::connect(ours).await.expect("a session")
}

const SOON: Duration = Duration::from_millis(5);

/// Every method's error through `?` into one error type.
macro_rules! all_of {
    ($bank:ident, $which:ident) => {
        match $which {
            0 => $bank.balance($bank.accounts().await?).await.map(drop)?,
            1 => $bank.withdraw(7).await.map(drop)?,
            2 => $bank.rename(7).await?,
            _ => $bank.audit().timeout(SOON).await?,
        }
    };
}

const TEXTS: [&str; 4] = [
    "UnknownAccount(8)",
    "account 7 is frozen",
    "not today",
    "Bank.audit at mem://pair: the deadline passed; whether the call ran is unknown",
];

#[tokio::test]
async fn anyhow_takes_every_error_and_prints_it_once() {
    async fn run(bank: &BankClient, which: usize) -> anyhow::Result<()> {
        all_of!(bank, which);
        Ok(())
    }
    let bank = bank().await;
    for (which, text) in TEXTS.into_iter().enumerate() {
        let error = run(&bank, which).await.expect_err("it fails");
        assert_eq!(format!("{error:#}"), text);
        assert_eq!(error.is::<VoxError<Refused>>(), which == 1);
    }
}

#[tokio::test]
async fn eyre_takes_every_error_and_prints_it_once() {
    async fn run(bank: &BankClient, which: usize) -> eyre::Result<()> {
        all_of!(bank, which);
        Ok(())
    }
    let bank = bank().await;
    for (which, text) in TEXTS.into_iter().enumerate() {
        assert_eq!(format!("{:#}", run(&bank, which).await.expect_err("it fails")), text);
    }
}

/// What is no call's error goes the same way: of connecting, serving, opening and channels, and the reasons within others.
#[tokio::test]
async fn anyhow_and_eyre_take_the_errors_of_everything_else() {
    #[vox::service]
    trait Weather {
        async fn sun(&self) -> bool;
    }
    async fn run<E>(which: usize) -> Result<(), E>
    where
        E: From<vox::ConnectError> + From<vox::ServeError> + From<vox::OpenError> + From<vox::SendError>,
        E: From<vox::RecvError> + From<vox::NotSent> + From<vox::EndReason> + From<vox::Refusal>,
    {
        let bank = bank().await;
        let session = vox::Client::caller(&bank).session();
        let (tx, mut rx) = vox::channel::<u64>();
        match which {
            0 => drop(vox::connect::<BankClient>("mem://compose-nobody").await?),
            1 => drop(vox::Server::builder().bind("mail://bank").await?),
            2 => drop(session.open::<WeatherClient>().await?),
            3 => {
                drop(rx);
                tx.send(1).await?;
            }
            4 => {
                drop(tx);
                rx.recv().await?;
            }
            5 => match bank.audit().timeout(Duration::ZERO).await {
                Err(VoxError::NotSent(why)) => return Err(why.into()),
                other => panic!("{other:?}"),
            },
            6 => {
                session.close("done").await;
                return Err(session.closed().await.into());
            }
            _ => return Err(vox::Refusal::new(vox::RefusalCode::Unauthorized, "who are you?").into()),
        }
        Ok(())
    }
    for (which, text) in [
        "no link to mem://compose-nobody: nobody listens",
        "`mail://bank` is no address: its scheme is unknown; write tcp://host:port, host:port, unix://path or mem://name",
        "mem://pair refused: no service `Weather` here; served: Bank",
        "a channel that no call carries: the receiver is gone",
        "a channel that no call carries: the sender was dropped without close()",
        "Bank.audit at mem://pair: the call was not sent: its deadline passed before it had left",
        "closed by this end",
        "who are you?",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(format!("{:#}", run::<anyhow::Error>(which).await.expect_err("it fails")), text);
        assert_eq!(format!("{:#}", run::<eyre::Report>(which).await.expect_err("it fails")), text);
    }
}

#[tokio::test]
async fn thiserror_holds_every_error_as_a_source() {
    #[derive(Debug, thiserror::Error)]
    enum AppError {
        #[error("the balance could not be read")]
        Balance(#[from] VoxError<BankError>),
        #[error("the account could not be renamed")]
        Rename(#[from] VoxError<String>),
        #[error(transparent)]
        Plain(#[from] VoxError),
    }
    async fn run(bank: &BankClient) -> Result<(), AppError> {
        bank.balance(bank.accounts().await? - 1).await?;
        bank.balance(8).await?;
        bank.rename(1).await?;
        Ok(())
    }
    let error = anyhow::Error::from(run(&bank().await).await.expect_err("no account 8"));
    assert_eq!(format!("{error:#}"), "the balance could not be read: UnknownAccount(8)");
}

#[tokio::test]
async fn calls_go_through_the_combinators_of_futures() {
    let bank = bank().await;
    let all = futures::future::join_all((0..4).map(|account| bank.balance(account))).await;
    assert_eq!(all, vec![Ok(1_000); 4]);
    let tried = futures::future::try_join_all((6..9).map(|account| bank.balance(account))).await;
    assert_eq!(tried, Err(VoxError::User(BankError::UnknownAccount(8))));
    let mut found: Vec<_> =
        futures::stream::iter((0..8).map(|account| bank.balance(account))).buffer_unordered(3).collect().await;
    found.sort_by_key(|answer| answer.clone().ok());
    assert_eq!(found.len(), 8);
    assert_eq!(bank.balance(1).map(|answer| answer.is_ok()).await, true);
    assert_eq!(bank.balance(1).map_ok(|cents| cents / 100).await, Ok(10));
    let mut audit = bank.audit().fuse();
    futures::select! {
        _ = audit => panic!("it never ends"),
        accounts = bank.accounts().fuse() => assert_eq!(accounts, Ok(8)),
    }
}

#[tokio::test]
async fn calls_are_tasks() {
    let bank = bank().await;
    let mut set = JoinSet::new();
    for account in 0..8 {
        set.spawn(bank.balance(account));
    }
    assert_eq!(set.join_all().await, vec![Ok(1_000); 8]);
    assert_eq!(tokio::spawn(bank.accounts()).await.expect("no panic"), Ok(8));
    let mut audit = bank.audit();
    tokio::select! {
        _ = &mut audit => panic!("it never ends"),
        accounts = bank.accounts() => assert_eq!(accounts, Ok(8)),
    }
}

/// What a web server makes of any call's failure.
struct Failed(StatusCode, String);

impl<E: MethodError> From<VoxError<E>> for Failed {
    fn from(error: VoxError<E>) -> Self {
        let status = match (&error, error.ran()) {
            (VoxError::User(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
            (_, Ran::No) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

async fn balance(State(bank): State<BankClient>, Path(account): Path<u64>) -> Result<String, Failed> {
    if account >= bank.accounts().await? {
        bank.rename(account).await?;
    }
    Ok(bank.balance(account).await?.to_string())
}

#[tokio::test]
async fn an_axum_handler_holds_a_client() {
    let bank = bank().await;
    let _: axum::Router = axum::Router::new().route("/balance/{account}", get(balance)).with_state(bank.clone());
    assert_eq!(balance(State(bank.clone()), Path(7)).await.expect("it is there"), "1000");
    let failed = balance(State(bank), Path(9)).await.expect_err("no such account");
    assert_eq!((failed.0, &*failed.1), (StatusCode::UNPROCESSABLE_ENTITY, "not today"));
}

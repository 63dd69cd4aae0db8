//! The cookbook's recipe for axum: a client as the router's state, and a channel as server-sent events.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures::{Stream, StreamExt, TryStreamExt};
use vox::{Ran, RecvError, SendError, Tx, VoxError};

#[vox::service]
pub trait Feed {
    #[vox(idem)]
    async fn price(&self, stock: String) -> Result<u64, String>;
    async fn watch(&self, stock: String, prices: Tx<u64>);
}

type Failed = (StatusCode, String);

fn failed<E: vox::MethodError>(error: VoxError<E>) -> Failed {
    let status = match (&error, error.ran()) {
        (VoxError::User(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
        (_, Ran::No) => StatusCode::SERVICE_UNAVAILABLE,
        (_, Ran::Yes | Ran::Unknown) => StatusCode::BAD_GATEWAY,
    };
    (status, error.to_string())
}

async fn price(State(feed): State<FeedClient>, Path(stock): Path<String>) -> Result<String, Failed> {
    Ok(feed.price(stock).await.map_err(failed)?.to_string())
}

async fn prices(
    State(feed): State<FeedClient>,
    Path(stock): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, RecvError>>>, Failed> {
    let (tx, rx) = vox::channel();
    feed.watch(stock, tx).await.map_err(failed)?;
    Ok(Sse::new(rx.map_ok(|price| Event::default().data(price.to_string()))))
}

fn router(feed: FeedClient) -> Router {
    Router::new().route("/price/{stock}", get(price)).route("/prices/{stock}", get(prices)).with_state(feed)
}

#[derive(Clone, Default)]
struct MyFeed(Arc<Mutex<Vec<Tx<u64>>>>);

impl Feed for MyFeed {
    async fn price(&self, stock: String) -> Result<u64, String> {
        if stock == "ACME" { Ok(100) } else { Err(format!("no stock {stock}")) }
    }
    async fn watch(&self, _stock: String, prices: Tx<u64>) {
        self.0.lock().expect("not poisoned").push(prices);
    }
}

#[tokio::test]
async fn an_axum_router_shows_a_channel_as_events() {
    let handler = MyFeed::default();
    let feed = FeedClient::over_memory(handler.clone()).await.expect("a client");
    let _: Router = router(feed.clone());
    let stock = || Path("ACME".to_owned());

    assert_eq!(price(State(feed.clone()), stock()).await.expect("it is known"), "100");
    let unknown = price(State(feed.clone()), Path("MOON".to_owned())).await.expect_err("no stock");
    assert_eq!(unknown, (StatusCode::UNPROCESSABLE_ENTITY, "no stock MOON".to_owned()));

    let page = prices(State(feed), stock()).await.expect("it is watched").into_response();
    let watcher = handler.0.lock().expect("not poisoned").remove(0);
    watcher.send(101).await.expect("somebody reads");
    let mut body = page.into_body().into_data_stream();
    assert_eq!(body.next().await.expect("an event").expect("no error"), "data: 101\n\n");

    drop(body); // the browser has left
    assert!(matches!(watcher.closed().await, SendError::Reset { .. }));
}

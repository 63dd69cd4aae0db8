//! Channels of calls and of handlers without types.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use facet::Facet;
use vox::dynamic::{DynamicClient, DynamicDispatcher, MethodSpec, RawChannel, Sender, ServiceType};
use vox::value::Value;
use vox::{Limits, Metadata, RecvError, Rx, SendError, Server, Session, Tx, VoxError};

#[derive(Facet)]
struct Parts {
    name: String,
    numbers: Rx<u64>,
    answer: Answer,
}

#[derive(Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "made by callers")]
enum Answer {
    Nothing,
    To(Tx<Row>),
}

#[derive(Debug, Clone, PartialEq, Facet)]
struct Row {
    number: u64,
    text: String,
}

#[vox::service]
trait Feed {
    async fn sum(&self, from: u64, numbers: Rx<u64>) -> Result<u64, String>;
    async fn count(&self, to: u64, rows: Tx<Row>) -> u64;
    async fn parts(&self, parts: Parts) -> u64;
    async fn reverse(&self, rows: Rx<Row>, reversed: Tx<Row>);
    async fn endless(&self, rows: Tx<Row>);
}

/// How many items its handlers have sent.
#[derive(Clone, Default)]
struct MyFeed(Arc<AtomicU64>);

fn row(number: u64) -> Row {
    Row { number, text: format!("row {number}") }
}

impl Feed for MyFeed {
    async fn sum(&self, from: u64, mut numbers: Rx<u64>) -> Result<u64, String> {
        let mut sum = from;
        while let Some(number) = numbers.recv().await.map_err(|error| error.to_string())? {
            sum += number;
        }
        let noted = numbers.close_metadata().and_then(|metadata| metadata.get("times")).map(str::to_owned);
        Ok(sum * noted.map_or(1, |times| times.parse().expect("a number")))
    }

    async fn count(&self, to: u64, rows: Tx<Row>) -> u64 {
        for number in 0..to {
            rows.send(row(number)).await.expect("it is read");
        }
        match to {
            13 => rows.abort("unlucky"),
            14 => drop(rows),
            _ => {
                let mut metadata = Metadata::new();
                metadata.insert("rows", to.to_string());
                rows.close_with(metadata).expect("it is short");
            }
        }
        to
    }

    async fn parts(&self, mut parts: Parts) -> u64 {
        let mut sum = parts.name.len() as u64;
        let Answer::To(rows) = parts.answer else { return 0 };
        while let Some(number) = parts.numbers.recv().await.expect("it is closed") {
            sum += number;
            rows.send(row(number)).await.expect("it is read");
        }
        rows.close();
        sum
    }

    async fn reverse(&self, mut rows: Rx<Row>, reversed: Tx<Row>) {
        let mut all = Vec::new();
        while let Some(row) = rows.recv().await.expect("it is closed") {
            all.push(row);
        }
        all.reverse();
        reversed.send_all(all).await.expect("it is read");
    }

    async fn endless(&self, rows: Tx<Row>) {
        for number in 0.. {
            if rows.send(row(number)).await.is_err() {
                return;
            }
            self.0.fetch_add(1, SeqCst);
        }
    }
}

fn feed() -> ServiceType {
    ServiceType::of(FeedClient::SERVICE).expect("it is known")
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The server of the trait, and a server that forwards to it without its types: a session with each.
async fn both(name: &str) -> (Vec<Server>, [Session; 2], MyFeed) {
    let served = MyFeed::default();
    let behind = Server::builder().service(FeedDispatcher::new(served.clone()));
    let behind = behind.bind(format!("mem://feed-{name}")).await.expect("it listens");
    let session = Session::connect(behind.address()).await.expect("it answers");
    let client = session.open_dynamic(&feed()).await.expect("it is served");
    let proxy = Server::builder().service(DynamicDispatcher::forwarding(&client));
    let proxy = proxy.bind(format!("mem://feed-{name}-proxy")).await.expect("it listens");
    let further = Session::connect(proxy.address()).await.expect("it answers");
    (vec![behind, proxy], [session, further], served)
}

async fn dynamic(session: &Session) -> DynamicClient {
    session.open_dynamic(&feed()).await.expect("it is served")
}

fn value(row: &Row) -> Value {
    Value::structure([("number", Value::from(row.number)), ("text", Value::from(&*row.text))])
}

#[tokio::test]
async fn a_caller_without_types_sends_items() {
    let (_servers, sessions, _) = both("sends").await;
    for session in &sessions {
        let client = dynamic(session).await;
        let (call, mut channels) = client.call_with_channels("sum", [("from", Value::from(7u64))]).expect("a call");
        assert_eq!(channels.paths().collect::<Vec<_>>(), ["numbers"]);
        assert!(channels.receiver("numbers").is_none() && channels.sender("number").is_none());
        let numbers = channels.sender("numbers").expect("it is sent on here");
        assert!(channels.sender("numbers").is_none(), "it was taken");
        let call = tokio::spawn(call);
        for number in 0..1000u64 {
            numbers.send(&Value::from(number)).await.expect("there is credit, in time");
        }
        numbers.send_json("1").await.expect("there is credit");
        let wrong = numbers.send_json("true").await.expect_err("it is no number");
        assert!(matches!(wrong, SendError::InvalidItem(_)) && wrong.to_string().contains("$: expected u64"), "{wrong}");
        let mut metadata = Metadata::new();
        metadata.insert("times", "2");
        numbers.close_with(metadata).expect("it is short");
        assert_eq!(call.await.expect("it ends"), Ok(Value::from(2 * (7 + 999 * 500 + 1u64))));

        for (how, said) in [("aborted", "on purpose"), ("dropped", "dropped without close()")] {
            let (call, mut channels) = client.call_json_with_channels("sum", r#"{"from": 1}"#).expect("a call");
            let numbers = channels.sender("numbers").expect("it is sent on here");
            let call = tokio::spawn(call);
            numbers.send(&Value::from(1u64)).await.expect("there is credit");
            match how {
                "aborted" => numbers.abort("on purpose"),
                _ => drop(numbers),
            }
            let error = call.await.expect("it ends").expect_err("half a stream");
            let error = error.user().expect("its own error").as_str().expect("text").to_owned();
            assert!(error.contains(said), "{error}");
        }
    }
}

#[tokio::test]
async fn a_caller_without_types_receives_items() {
    let (_servers, sessions, _) = both("receives").await;
    for session in &sessions {
        let client = dynamic(session).await;
        let receive = async |to: u64| {
            let (call, mut channels) = client.call_with_channels("count", [("to", Value::from(to))]).expect("a call");
            let mut rows = channels.receiver("rows").expect("it is received on here");
            let call = tokio::spawn(call);
            let mut received = Vec::new();
            let end = loop {
                match rows.recv().await {
                    Ok(Some(row)) => received.push(row),
                    Ok(None) => {
                        break Ok(rows.close_metadata().and_then(|metadata| metadata.get("rows")).map(str::to_owned));
                    }
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(call.await.expect("it ends"), Ok(Value::from(to)));
            assert_eq!(received, (0..to).map(|number| value(&row(number))).collect::<Vec<_>>());
            end
        };
        assert_eq!(receive(1000).await, Ok(Some("1000".to_owned())));
        assert!(matches!(receive(13).await, Err(RecvError::Aborted(why)) if why.as_str() == "unlucky"));
        assert!(matches!(receive(14).await, Err(RecvError::Dropped { .. })));
    }
}

#[tokio::test]
async fn channels_stand_at_any_depth_of_the_arguments() {
    let (_servers, sessions, _) = both("depth").await;
    for session in &sessions {
        let client = dynamic(session).await;
        let arguments = r#"{"parts": {"answer": {"To": null}, "name": "seven!!"}}"#;
        let (call, mut channels) = client.call_json_with_channels("parts", arguments).expect("a call");
        assert_eq!(channels.paths().collect::<Vec<_>>(), ["parts.numbers", "parts.answer.To"]);
        let numbers = channels.sender("parts.numbers").expect("it is sent on here");
        let mut rows = channels.receiver("parts.answer.To").expect("it is received on here");
        let call = tokio::spawn(call);
        numbers.send_json("5").await.expect("there is credit");
        assert_eq!(rows.recv_json().await, Ok(Some(r#"{"number":5,"text":"row 5"}"#.to_owned())));
        numbers.close();
        assert_eq!((rows.recv().await, call.await.expect("it ends")), (Ok(None), Ok(Value::from(12u64))));
        let wrong = client.call_json_with_channels("parts", r#"{"parts": {"numbers": 7}}"#).expect_err("no channel");
        assert!(wrong.to_string().ends_with("$.parts.numbers: a channel (`Rx`) is given as `null` in JSON"), "{wrong}");
    }
}

#[tokio::test]
async fn bytes_are_passed_as_they_are() {
    let (_servers, sessions, _) = both("bytes").await;
    for session in &sessions {
        let client = dynamic(session).await;
        let senders = [Sender::Caller, Sender::Handler];
        let (call, channels) = client.call_raw_with_channels("reverse", vec![0, 1], &senders).expect("a call");
        let Ok([RawChannel::Tx(rows), RawChannel::Rx(mut reversed)]) = <[_; 2]>::try_from(channels) else { panic!() };
        let call = tokio::spawn(call);
        for item in [&b"\x01\x01a"[..], b"\x02\x00"] {
            rows.send(item.to_vec()).await.expect("there is credit");
        }
        rows.close();
        assert_eq!(reversed.recv().await.expect("an item").as_deref(), Some(&b"\x02\x00"[..]));
        assert_eq!(reversed.recv().await.expect("an item").as_deref(), Some(&b"\x01\x01a"[..]));
        assert_eq!(reversed.recv().await, Ok(None));
        assert!(call.await.expect("it ends").is_ok());

        let (call, _) = client.call_raw_with_channels("reverse", vec![0, 1], &[Sender::Caller]).expect("a call");
        let error = call.await.expect_err("there is one channel");
        assert!(matches!(error, VoxError::InvalidPayload(_)), "{error}");
    }
}

/// Nobody keeps more than the windows of the channels, however long the stream is.
#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_slowly_slows_the_handler_behind() {
    let (servers, sessions, feed) = both("slow").await;
    for (session, hops) in sessions.iter().zip(1..) {
        let sent = || feed.0.load(SeqCst);
        let before = sent();
        let client = dynamic(session).await;
        let (call, mut channels) = client.call_json_with_channels("endless", "{}").expect("a call");
        let mut rows = channels.receiver("rows").expect("it is received on here");
        let call = tokio::spawn(call);
        settle().await;
        let ahead = sent() - before;
        let window = u64::from(Limits::default().channel_items);
        assert!((window..=hops * (window + 2)).contains(&ahead), "{ahead} items over {hops} hops");
        for number in 0..3 * window {
            assert_eq!(rows.recv().await, Ok(Some(value(&row(number)))));
        }
        settle().await;
        let more = sent() - before - ahead;
        // The reader kept up, so the windows may have grown.
        let limits = Limits::default();
        let most = window * u64::from(limits.max_channel_bytes / limits.channel_bytes);
        assert!((2 * window..=3 * window + hops * most).contains(&more), "{more} more items");
        drop(rows);
        assert_eq!(call.await.expect("it ends"), Ok(Value::Unit), "its handler heard that the reader left");
    }
    assert!(servers.iter().all(|server| server.memory() < 4 << 10), "{servers:?}");
}

/// A service of the same contract whose methods are closures.
fn closures() -> DynamicDispatcher {
    DynamicDispatcher::new(feed())
        .method("sum", async |mut request| {
            let mut sum = request.argument("from").and_then(Value::as_u64).expect("a number");
            let mut numbers = request.channels().receiver("numbers").expect("it is received on here");
            loop {
                match numbers.recv().await {
                    Ok(Some(number)) => sum += number.as_u64().expect("a number"),
                    Ok(None) => return Ok(Value::from(sum)),
                    Err(error) => return Err(Value::from(error.to_string())),
                }
            }
        })
        .method("count", async |mut request| {
            let to = request.argument("to").and_then(Value::as_u64).expect("a number");
            let rows = request.channels().sender("rows").expect("it is sent on here");
            for number in 0..to {
                rows.send_json(&format!(r#"{{"number": {number}, "text": "row {number}"}}"#))
                    .await
                    .expect("it is read");
            }
            match to {
                13 => rows.abort("unlucky"),
                _ => rows.close(),
            }
            Ok(Value::from(to))
        })
        .method("parts", async |mut request| {
            let paths: Vec<_> = request.channels().paths().map(str::to_owned).collect();
            let name = request.argument("parts").and_then(|parts| parts.get("name")).and_then(Value::as_str);
            assert_eq!(
                (name, &paths[..]),
                (Some("x"), &["parts.numbers".to_owned(), "parts.answer.To".to_owned()][..])
            );
            Ok(Value::from(2u64))
        })
        .raw_method("reverse", async |mut request| {
            let channels = request.take_channels();
            let Ok([RawChannel::Rx(mut rows), RawChannel::Tx(reversed)]) = <[_; 2]>::try_from(channels) else {
                panic!()
            };
            let mut all = Vec::new();
            while let Some(row) = rows.recv().await.expect("it is closed") {
                all.push(row);
            }
            for row in all.into_iter().rev() {
                reversed.send(row).await.expect("it is read");
            }
            reversed.close();
            Ok(Vec::new().into())
        })
}

#[tokio::test]
async fn a_handler_without_types_has_channels_both_ways() {
    let server = Server::builder().service(closures()).bind("mem://feed-closures").await.expect("it listens");
    let client: FeedClient = vox::connect(server.address()).await.expect("it answers");

    let (tx, rx) = vox::channel();
    let call = tokio::spawn(client.sum(5, rx));
    tx.send_all(0..1000).await.expect("it is read");
    assert_eq!(call.await.expect("it ends"), Ok(5 + 999 * 500));
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(client.sum(5, rx));
    tx.send(1).await.expect("it is read");
    tx.abort("enough");
    let error = call.await.expect("it ends").expect_err("half a stream");
    assert!(error.user().expect("its own error").contains("enough"));

    for to in [500, 13] {
        let (tx, mut rx) = vox::channel();
        let call = tokio::spawn(client.count(to, tx));
        for number in 0..to {
            assert_eq!(rx.recv().await, Ok(Some(row(number))));
        }
        match rx.recv().await {
            Ok(None) => assert_eq!(to, 500),
            Err(RecvError::Aborted(why)) => assert_eq!((to, why.as_str()), (13, "unlucky")),
            other => panic!("{other:?}"),
        }
        assert_eq!(call.await.expect("it ends"), Ok(to));
    }

    let ((numbers, rx), (tx, mut answer)) = (vox::channel(), vox::channel());
    let parts = Parts { name: "x".to_owned(), numbers: rx, answer: Answer::To(tx) };
    assert_eq!(client.parts(parts).await, Ok(2));
    assert!(matches!(answer.recv().await, Err(RecvError::Dropped { .. })), "its handler took none");
    numbers.closed().await;

    let ((tx, rx), (back, mut reversed)) = (vox::channel(), vox::channel());
    let call = tokio::spawn(client.reverse(rx, back));
    tx.send_all([row(1), row(2)]).await.expect("it is read");
    assert_eq!((reversed.recv().await, reversed.recv().await), (Ok(Some(row(2))), Ok(Some(row(1)))));
    assert_eq!((reversed.recv().await, call.await.expect("it ends")), (Ok(None), Ok(())));
}

#[tokio::test]
async fn an_item_that_is_no_value_of_its_type_ends_the_channel() {
    let endless = |item: &'static [u8]| {
        DynamicDispatcher::new(feed()).raw_method("endless", move |mut request| async move {
            let Some(RawChannel::Tx(rows)) = request.take_channels().pop() else { panic!("it sends") };
            rows.send(item).await.expect("it is read");
            rows.closed().await;
            Ok(Vec::new().into())
        })
    };
    for (name, item) in [("short", &b"\x01\x05a"[..]), ("long", b"\x01\x01ab")] {
        let server = Server::builder().service(endless(item)).bind(format!("mem://feed-bad-{name}")).await;
        let server = server.expect("it listens");
        let session = Session::connect(server.address()).await.expect("it answers");
        let (call, mut channels) = dynamic(&session).await.call_json_with_channels("endless", "{}").expect("a call");
        let mut rows = channels.receiver("rows").expect("it is received on here");
        let call = tokio::spawn(call);
        let error = rows.recv().await.expect_err("it is no row");
        assert!(matches!(error, RecvError::BadItem { .. }), "{error}");
        assert_eq!(rows.recv().await, Err(error));
        assert_eq!(call.await.expect("it ends"), Ok(Value::Unit), "its handler is told");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_call_that_cannot_be_sent_on_ends_its_channels() {
    let (mut servers, [behind, further], _) = both("gone").await;
    behind.close("the proxy's own session").await;
    servers.remove(0).shutdown(Duration::ZERO).await;
    let client = dynamic(&further).await;
    let (call, mut channels) = client.call_json_with_channels("sum", r#"{"from": 1}"#).expect("a call");
    let numbers = channels.sender("numbers").expect("it is sent on here");
    let error = call.await.expect_err("nobody is there");
    assert!(matches!(error, VoxError::Busy { .. }), "{error}");
    tokio::time::timeout(Duration::from_secs(60), numbers.closed()).await.expect("its reader is gone");
}

#[test]
fn a_persist_method_takes_no_channels() {
    let method = MethodSpec::new("watch").argument::<Tx<u64>>("events").expect("a type");
    let method = method.returns::<(), Infallible>().expect("types").policy(vox::RetryPolicy::PERSIST);
    let error = ServiceType::builder("Feed").method(method).build().expect_err("it streams");
    assert!(error.to_string().ends_with("an outcome can be replayed, a stream cannot"), "{error}");
}

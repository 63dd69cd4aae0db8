//! Honest sessions, recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use vox::transport::Link;
use vox::{Client, Server};

use crate::prey::{Deer, PreyClient, PreyDispatcher};

/// The frames of sessions, without their lengths: of each session what its client said, and what its server said.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) client: Vec<Vec<Vec<u8>>>,
    pub(crate) server: Vec<Vec<Vec<u8>>>,
}

/// How many kinds of sessions there are.
pub(crate) const KINDS: usize = 5;

/// Records a session of each kind.
pub(crate) async fn all() -> Recorded {
    let mut recorded = Recorded::default();
    for kind in 0..KINDS {
        let server = Server::builder().service(PreyDispatcher::new(Deer::default())).start().expect("a server");
        let (ours, near) = tokio::io::duplex(64 << 10);
        let (theirs, far) = tokio::io::duplex(64 << 10);
        let said = tapped(near, far);
        let accepting = tokio::spawn(async move {
            let _ = server.accept(Link::new(theirs, "recorded")).await;
            server
        });
        let client: PreyClient =
            vox::connect(Link::new(ours, "recorded")).resume(Duration::from_secs(120)).await.expect("a session");
        let server = accepting.await.expect("no panic");
        work(&client, kind).await;
        client.caller().session().close("done");
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(server);
        let said = said.lock().expect("no panic");
        recorded.client.push(frames(&said[0]));
        recorded.server.push(frames(&said[1]));
    }
    recorded
}

/// What a client does in a session of this kind. However its calls end, they end.
pub(crate) async fn work(client: &PreyClient, kind: usize) {
    let soon = Duration::from_secs(5);
    match kind {
        0 => {
            for n in 0..4 {
                let _ = client.echo(n).timeout(soon).await;
            }
            let _ = client.list((0..50).collect()).timeout(soon).await;
            let _ = client.explode().timeout(soon).await;
            let _ = client.wait().timeout(Duration::from_millis(5)).await;
        }
        1 => {
            let (tx, rx) = vox::channel();
            let drink = tokio::spawn(client.drink(rx).timeout(soon).into_future());
            for n in 0..300 {
                if tx.send(n).await.is_err() {
                    break;
                }
            }
            tx.close();
            let _ = drink.await;
        }
        2 => {
            let (tx, mut rx) = vox::channel();
            let pour = tokio::spawn(client.pour(400, tx).timeout(soon).into_future());
            while let Ok(Ok(Some(_))) = tokio::time::timeout(soon, rx.recv()).await {}
            let _ = pour.await;
        }
        3 => {
            let _ = client.blob(vec![7; 200 << 10]).timeout(soon).await;
            let _ = client.big(150 << 10).timeout(soon).await;
            let _ = client.keep(4).timeout(soon).await;
        }
        _ => {
            let session = client.caller().session();
            if let Ok(Ok(other)) = tokio::time::timeout(soon, session.open::<PreyClient>()).await {
                let _ = other.echo(5).timeout(soon).await;
                let _ = other.units(vec![(); 9]).timeout(soon).await;
            }
            let _ = client.texts(vec!["one".to_owned(), "two".to_owned()]).metadata("key", "value").timeout(soon).await;
        }
    }
}

type Said = Arc<Mutex<[Vec<u8>; 2]>>;

/// Carries bytes both ways, and keeps what was said.
fn tapped(near: DuplexStream, far: DuplexStream) -> Said {
    let said = Said::default();
    let (from_client, to_client) = tokio::io::split(near);
    let (from_server, to_server) = tokio::io::split(far);
    tokio::spawn(carry(from_client, to_server, Arc::clone(&said), 0));
    tokio::spawn(carry(from_server, to_client, Arc::clone(&said), 1));
    said
}

async fn carry(
    mut from: tokio::io::ReadHalf<DuplexStream>,
    mut to: tokio::io::WriteHalf<DuplexStream>,
    said: Said,
    by: usize,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        said.lock().expect("no panic")[by].extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((frame, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

//! A transport of your own: TLS, a pipe, a serial line, a tunnel.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use vox::transport::{Connector, Link};

use super::Tested;

#[vox::service]
trait Echo {
    async fn echo(&self, text: &str) -> String;
}

struct MyEcho;

impl Echo for MyEcho {
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// Stands for what you listen with: gives each byte stream that comes in.
type Streams = mpsc::Receiver<tokio::io::DuplexStream>;

async fn serve(mut streams: Streams) -> Result<(), vox::ServeError> {
    let server = Arc::new(vox::Server::builder().service(EchoDispatcher::new(MyEcho)).start()?);
    while let Some(stream) = streams.recv().await {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.accept(Link::new(stream, "a pipe")).await });
    }
    Ok(())
}

fn connector(dialled: mpsc::Sender<tokio::io::DuplexStream>) -> Connector {
    Connector::new("a pipe", move || {
        let dialled = dialled.clone();
        async move {
            // Anything that is `AsyncRead + AsyncWrite`: here a TLS handshake would be made.
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            dialled.send(theirs).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Link::new(ours, "a pipe"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_pipe_is_a_link() -> Tested {
    let (dialled, streams) = mpsc::channel(1);
    let serving = tokio::spawn(serve(streams));
    let echo: EchoClient = vox::connect(connector(dialled)).await?;
    assert_eq!(echo.echo("hello").await?, "hello");

    serving.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = echo.echo("hello").timeout(Duration::from_secs(3)).await.expect_err("nobody listens");
    assert_eq!(error.ran(), vox::Ran::No);
    assert!(error.to_string().contains("connection refused"), "{error}");
    Ok(())
}

//! A line that can be cut: stands between the two processes and passes bytes on.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A cable to a server. Dropping it cuts it for good.
pub struct Cable {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Cable {
    /// A cable whose other end is at `server`, an address of the form `tcp://host:port`.
    pub async fn to(server: &str) -> io::Result<Self> {
        let server = server.trim_start_matches("tcp://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server.clone(), cut.clone()));
            }
        });
        Ok(Self { address, cuts })
    }

    pub fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Cuts the links that go through here. The next one holds.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Passes bytes on, both ways, until the cable is cut. Then both ends are dropped.
async fn carry(mut near: TcpStream, server: String, mut cut: watch::Receiver<u32>) -> io::Result<()> {
    cut.mark_unchanged();
    let mut far = TcpStream::connect(server).await?;
    tokio::select! {
        ended = tokio::io::copy_bidirectional(&mut near, &mut far) => ended.map(drop),
        _ = cut.changed() => Ok(()),
    }
}

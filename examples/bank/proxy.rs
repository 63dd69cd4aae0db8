//! What is between the client and the server: an address that stays, and links that can be cut.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes links on to whichever server there is.
pub struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = Arc::new(Mutex::new(String::new()));
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(accept(listener, Arc::clone(&server), cut));
        Ok(Self { address, server, cuts })
    }

    pub fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Where links go from now on.
    pub fn lead_to(&self, address: &str) {
        let address = address.trim_start_matches("tcp://").to_owned();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Cuts every link there is, wherever in a message it may be.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn accept(listener: TcpListener, server: Arc<Mutex<String>>, cut: watch::Receiver<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        let address = server.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut cut = cut.clone();
        cut.mark_unchanged();
        tokio::spawn(async move {
            tokio::select! {
                _ = cut.changed() => {}
                _ = pass(client, address) => {}
            }
        });
    }
}

async fn pass(mut client: TcpStream, address: String) -> io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

//! The contenders of this package, least first, and what those of others may share.

mod raw;
mod rawmux;
mod vox;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::contender::{Contender, Fault, Link};

/// Everything that is compared. The first is what the others are measured in.
pub fn all() -> Vec<Box<dyn Contender>> {
    vec![
        Box::new(raw::Raw),
        Box::new(rawmux::RawMux),
        Box::new(vox::Vox { keeps: false }),
        Box::new(vox::Vox { keeps: true }),
    ]
}

/// As much as a memory link of vox holds each way.
pub const MEMORY: usize = 64 << 10;

/// A stream whose halves are as cheap as its kind allows.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The two halves.
    fn halves(self) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static);
}

impl Stream for TcpStream {
    fn halves(self) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        self.into_split()
    }
}

impl Stream for UnixStream {
    fn halves(self) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        self.into_split()
    }
}

impl Stream for tokio::io::DuplexStream {
    fn halves(self) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        tokio::io::split(self)
    }
}

/// Where nothing listens yet.
pub fn free_address(link: Link) -> Result<String, Fault> {
    match link {
        Link::Tcp => Ok("tcp://127.0.0.1:0".to_owned()),
        Link::Unix => {
            static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = format!("vox-bench-{}-{next}.sock", std::process::id());
            let path = std::env::temp_dir().join(name);
            // Left by an earlier process of the same number, which cannot be there any more.
            let _ = std::fs::remove_file(&path);
            Ok(format!("unix://{}", path.display()))
        }
        Link::Memory => Err("a memory link has no address".into()),
    }
}

/// Hands every stream that comes in to `tcp` or `unix`. Gives the address.
pub async fn listen(
    link: Link,
    tcp: impl Fn(TcpStream) + Send + 'static,
    unix: impl Fn(UnixStream) + Send + 'static,
) -> Result<String, Fault> {
    let address = free_address(link)?;
    if let Some(path) = address.strip_prefix("unix://") {
        let listener = UnixListener::bind(path)?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                unix(stream);
            }
        });
        return Ok(address);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("tcp://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if stream.set_nodelay(true).is_ok() {
                tcp(stream);
            }
        }
    });
    Ok(address)
}

/// A stream to there, without delays.
pub async fn connect_tcp(address: &str) -> Result<TcpStream, Fault> {
    let stream = TcpStream::connect(address.strip_prefix("tcp://").unwrap_or(address)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

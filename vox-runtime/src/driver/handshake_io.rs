//! Writes and reads the messages of a handshake.

use std::io;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect_error::ConnectError;
use crate::limits::Limits;
use crate::transport::Link;
use crate::wire::{Greeting, LENGTH_BYTES, body_length};

pub(super) async fn write_handshake(link: &mut Link, greeting: &Greeting) -> Result<(), ConnectError> {
    let mut bytes = Vec::new();
    greeting.put(&mut bytes);
    link.write.write_all(&bytes).await.map_err(ConnectError::broken)?;
    link.write.flush().await.map_err(ConnectError::broken)
}

pub(super) async fn read_handshake(
    read: &mut (dyn AsyncRead + Send + Unpin),
    limits: &Limits,
) -> Result<Greeting, ConnectError> {
    let mut length = [0; LENGTH_BYTES];
    read.read_exact(&mut length).await.map_err(closed_early)?;
    let length = body_length(&length).unwrap_or(usize::MAX);
    if length > limits.max_handshake_bytes {
        let why =
            format!("a handshake of {length} bytes, over the limit of {}: not a vox peer?", limits.max_handshake_bytes);
        return Err(ConnectError::handshake(why));
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.map_err(closed_early)?;
    Greeting::parse(&Bytes::from(body)).map_err(|violation| ConnectError::handshake(violation.to_string()))
}

fn closed_early(error: io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ConnectError::handshake("the peer closed the link during the handshake"),
        _ => ConnectError::broken(error),
    }
}

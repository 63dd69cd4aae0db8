//! A client that does not tell the server its contract, as one in another language may do: nothing is compared, and what
//! differs is found only when it arrives.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vox::transport::Link;

use super::raw;

/// How the contract stands at the end of a `Hello` or an `Open`: a flag, and a hash.
const NAMED: usize = 1 + 32;

/// A link whose first end is for such a client. Not for sessions that are resumed: their streams are counted in bytes.
pub fn undescribed_pair() -> (Link, Link) {
    let (ours, near) = tokio::io::duplex(64 << 10);
    let (theirs, far) = tokio::io::duplex(64 << 10);
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (tokio::io::split(near), tokio::io::split(far));
    tokio::spawn(async move {
        while let Ok(len) = from_client.read_u32_le().await {
            let mut body = vec![0; len as usize];
            if from_client.read_exact(&mut body).await.is_err() {
                break;
            }
            if body[0] == raw::OPEN || body[0] == raw::HELLO && asks_for_a_service(&body) {
                let at = body.len() - NAMED;
                // A client that would not tell its contract twice, and recalls none of its server's.
                assert_eq!(body[at], 2, "the client names its contract");
                body.truncate(at);
                body.push(0);
            }
            let frame = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
            if to_server.write_all(&frame).await.is_err() {
                break;
            }
        }
        let _ = to_server.shutdown().await;
    });
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    (Link::new(ours, "undescribed"), Link::new(theirs, "undescribed"))
}

/// Whether this `Hello`, which has no metadata, opens a connection as well.
fn asks_for_a_service(hello: &[u8]) -> bool {
    let mut rest = &hello[1 + raw::MAGIC.len()..];
    // Versions, features, limits, the time and the number of entries of metadata.
    let fields = 2 + 1 + raw::LIMITS.len() + 1 + 1;
    for _ in 0..fields {
        let end = rest.iter().position(|byte| byte & 0x80 == 0).expect("a whole number");
        rest = &rest[end + 1..];
    }
    rest[0] == 1
}

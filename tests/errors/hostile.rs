//! What a peer sends that it should not: bytes that cannot be decoded, and frames that break the protocol.

use std::num::NonZeroU8;
use std::time::Duration;

use vox::transport::Link;
use vox::{Limits, VoxError};

use super::support::raw::{CALL, Frame, LIMITS, REPLY, Raw, VIOLATION, frame};
use super::{Found, text};

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
enum Kind {
    Only,
}

#[vox::service]
trait Shapes {
    async fn flag(&self) -> bool;
    async fn maybe(&self) -> Option<u8>;
    async fn letter(&self) -> char;
    async fn words(&self) -> String;
    async fn kind(&self) -> Kind;
    async fn some(&self) -> NonZeroU8;
    async fn short(&self) -> u16;
    async fn numbers(&self) -> Vec<u64>;
    async fn units(&self) -> Vec<()>;
    async fn deep(&self) -> Vec<Vec<Vec<u8>>>;
}

/// A client of a peer that answers each call with this success.
async fn shapes(answer: &'static [u8]) -> ShapesClient {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        let mut raw = Raw::accept(theirs, LIMITS).await;
        while let Some(read) = raw.read().await {
            if read.kind == CALL {
                let mut fields = read.reader();
                let (connection, request) = (fields.var(), fields.var());
                raw.send(&frame(REPLY).var(connection).var(request).u8(0).bytes(answer)).await;
            }
        }
    });
    let limits = Limits { max_decoded_bytes: 4096, max_depth: 2, ..Limits::default() };
    vox::connect(Link::new(ours, "raw://peer")).limits(limits).await.expect("a session")
}

pub(super) async fn provoke(found: &mut Found) {
    found.push(("DecodeErrorKind::UnexpectedEnd", text(shapes(&[]).await.flag().await)));
    found.push(("DecodeErrorKind::TrailingBytes", text(shapes(&[1, 1]).await.flag().await)));
    found.push(("DecodeErrorKind::BadVarint", text(shapes(&[0xff, 0xff, 0xff]).await.short().await)));
    found.push(("DecodeErrorKind::BadBool", text(shapes(&[2]).await.flag().await)));
    found.push(("DecodeErrorKind::BadOption", text(shapes(&[2]).await.maybe().await)));
    found.push(("DecodeErrorKind::BadChar", text(shapes(&[1, 0xff]).await.letter().await)));
    found.push(("DecodeErrorKind::BadUtf8", text(shapes(&[1, 0xff]).await.words().await)));
    found.push(("DecodeErrorKind::BadVariant", text(shapes(&[9]).await.kind().await)));
    found.push(("DecodeErrorKind::BadValue", text(shapes(&[0]).await.some().await)));
    found.push(("DecodeErrorKind::BadLength", text(shapes(&[200, 1]).await.numbers().await)));
    found.push(("DecodeErrorKind::TooManyEmptyItems", text(shapes(&[0xff, 0xff, 0xff, 0x7f]).await.units().await)));
    found.push(("DecodeErrorKind::OverBudget", text(shapes(MANY).await.numbers().await)));
    found.push(("DecodeErrorKind::TooDeep", text(shapes(&[1, 1, 1, 1]).await.deep().await)));
    let (tx, rx) = (frame(0x7f), frame(VIOLATION).u8(1).text("a frame of no kind"));
    ended(found, "EndReason::PeerViolation", Some(tx)).await;
    ended(found, "EndReason::AccusedByPeer", Some(rx)).await;
    ended(found, "EndReason::LinkLost", None).await;
}

/// A thousand numbers, which take more memory than they may.
const MANY: &[u8] = &{
    let mut bytes = [0; 1002];
    bytes[0] = 0xe8;
    bytes[1] = 0x07;
    bytes
};

/// A call on a session whose peer sent this last, and hung up.
async fn ended(found: &mut Found, name: &'static str, last: Option<Frame>) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let peer = tokio::spawn(async move {
        let mut raw = Raw::accept(theirs, LIMITS).await;
        if let Some(last) = last {
            raw.send(&last).await;
            while raw.read().await.is_some() {}
        }
    });
    let shapes: ShapesClient = vox::connect(Link::new(ours, "raw://peer")).await.expect("a session");
    tokio::time::timeout(Duration::from_secs(60), vox::Client::caller(&shapes).session().closed())
        .await
        .expect("it ends");
    let error = shapes.flag().await.expect_err("it is closed");
    assert!(matches!(error, VoxError::NotSent(_)), "{error:?}");
    found.push((name, text::<(), _>(Err(error))));
    peer.await.expect("no panic");
}

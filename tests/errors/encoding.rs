//! Values that cannot be encoded, as the arguments of a call or by hand.

use vox::codec::{Encoder, Plan};
use vox::facet::Facet;
use vox::{Limits, Server};

use super::{Found, text};

/// A list within a list, and so on.
#[derive(Debug, facet::Facet)]
struct Nest {
    within: Vec<Nest>,
}

#[vox::service]
trait Shapes {
    async fn nested(&self, nest: Nest);
    async fn sparse(&self, rows: Vec<Option<[u64; 8]>>);
    async fn units(&self, units: Vec<()>);
    async fn text(&self, text: String);
    async fn path(&self, path: std::path::PathBuf);
    async fn follow(&self, numbers: vox::Tx<u8>);
}

struct Mine;

impl Shapes for Mine {
    async fn nested(&self, _: Nest) {}
    async fn sparse(&self, _: Vec<Option<[u64; 8]>>) {}
    async fn units(&self, _: Vec<()>) {}
    async fn text(&self, _: String) {}
    async fn path(&self, _: std::path::PathBuf) {}
    async fn follow(&self, _: vox::Tx<u8>) {}
}

pub(super) async fn provoke(found: &mut Found) {
    let limits = Limits { max_message_bytes: 64 << 10, max_decoded_bytes: 64 << 10, ..Limits::default() };
    let server = Server::builder().service(ShapesDispatcher::new(Mine)).limits(limits);
    let _server = server.bind("mem://errors-shapes").await.expect("it is free");
    let shapes: ShapesClient = vox::connect("mem://errors-shapes").await.expect("a session");
    let nest = (0..200).fold(Nest { within: Vec::new() }, |nest, _| Nest { within: vec![nest] });
    found.push(("EncodeError::TooDeep", text(shapes.nested(nest).await)));
    found.push(("EncodeError::OverBudget", text(shapes.sparse(vec![None; 2_000]).await)));
    found.push(("EncodeError::TooManyEmptyItems", text(shapes.units(vec![(); 70_000]).await)));
    found.push(("EncodeError::TooLarge", text(shapes.text("x".repeat(70_000)).await)));
    let (tx, _rx) = vox::channel();
    tx.send(1).await.expect("it is kept");
    found.push(("EncodeError::Channel", text(shapes.follow(tx).await)));
    #[cfg(unix)]
    found.push(("EncodeError::PathNotUtf8", {
        let bytes = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        let bytes: std::ffi::OsString = bytes;
        text(shapes.path(bytes.into()).await)
    }));
    found.push(("EncodeError::NoChannels", encoded(&vox::channel::<u8>().0)));
    found.push(("EncodeError::Plan", encoded(&"a text that is borrowed")));
}

/// What is said of a value that is encoded by hand.
fn encoded<T: Facet<'static>>(value: &T) -> String {
    let plan: Plan<T> = Plan::new();
    text(plan.encode(value, &mut Encoder::new(&mut Vec::new(), 1 << 10)))
}

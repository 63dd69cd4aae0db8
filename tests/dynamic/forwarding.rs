//! Operations that are forwarded: they run once at the end.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use vox::dynamic::{DynamicDispatcher, ServiceType};
use vox::{Connect, Context, OperationId, Principal, Refusal, Server, ServerBuilder, Session, VoxError};

use crate::support::cable::Cable;
use crate::support::settle;

#[vox::service]
trait Till {
    #[vox(persist)]
    async fn pay(&self, cx: &Context, cents: u64) -> Result<u64, String>;
    async fn note(&self, cx: &Context);
}

/// Which operations ran, of which each waits for a permit.
#[derive(Clone)]
struct MyTill {
    ran: Arc<Mutex<Vec<OperationId>>>,
    gate: Arc<Semaphore>,
}

impl MyTill {
    fn new(permits: usize) -> Self {
        Self { ran: Arc::default(), gate: Arc::new(Semaphore::new(permits)) }
    }

    fn ran(&self) -> Vec<OperationId> {
        self.ran.lock().expect("no panic").clone()
    }

    fn served(&self) -> Server {
        Server::builder().service(TillDispatcher::new(self.clone())).start().expect("a server")
    }
}

impl Till for MyTill {
    async fn pay(&self, cx: &Context, cents: u64) -> Result<u64, String> {
        let id = cx.operation().expect("its outcome is kept").id();
        let number = {
            let mut ran = self.ran.lock().expect("no panic");
            ran.push(id);
            ran.len() as u64
        };
        self.gate.acquire().await.expect("it stays").forget();
        Ok(1000 * number + cents)
    }

    async fn note(&self, cx: &Context) {
        assert!(cx.operation().is_none());
    }
}

/// A server that forwards to the one at the end of this cable, and its session with it.
async fn forwards(to: &Cable, builder: ServerBuilder) -> (Server, Session) {
    let session = Session::connect(to.connector()).await.expect("it answers");
    let till = ServiceType::of(TillClient::SERVICE).expect("it is known");
    let client = session.open_dynamic(&till).await.expect("it is served");
    let server = builder.service(DynamicDispatcher::forwarding(&client)).start().expect("a server");
    (server, session)
}

fn connect(cable: &Cable) -> Connect<TillClient> {
    vox::connect(cable.connector())
}

#[tokio::test(start_paused = true)]
async fn an_operation_keeps_its_id_through_a_forwarder() {
    let till = MyTill::new(10);
    let behind = Cable::to(till.served());
    let (near, _session) = forwards(&behind, Server::builder()).await;
    let cable = Cable::to(near);
    let client = connect(&cable).await.expect("it answers");
    let id = OperationId::new();
    assert_eq!(client.pay(7).operation(id).await, Ok(1007));
    assert_eq!(client.pay(7).operation(id).await, Ok(1007), "from the forwarder's own store");
    assert_eq!(client.pay(8).operation(id).await, Err(VoxError::OperationConflict));
    assert_eq!(till.ran(), [id]);
    client.note().operation(OperationId::new()).await.expect("it is no operation behind");
    assert!(client.pay(1).await.is_ok(), "one that the caller does not name has an id too");
    assert_eq!(till.ran().len(), 2);
}

/// The link to the server behind is cut while the handler runs, and resumed.
#[tokio::test(start_paused = true)]
async fn a_link_that_is_cut_behind_a_forwarder_makes_nothing_run_twice() {
    let till = MyTill::new(0);
    let behind = Cable::to(till.served());
    let (near, _session) = forwards(&behind, Server::builder()).await;
    let cable = Cable::to(near);
    let client = connect(&cable).await.expect("it answers");
    let paying = tokio::spawn(client.pay(7).into_future());
    settle().await;
    assert_eq!(till.ran().len(), 1);
    behind.cut();
    settle().await;
    till.gate.add_permits(1);
    assert_eq!(paying.await.expect("it ends"), Ok(1007));
    assert_eq!((till.ran().len(), behind.links()), (1, 2));
}

/// The forwarder is replaced by one that knows nothing, while the handler runs behind it and once more when it has ended.
#[tokio::test(start_paused = true)]
async fn a_forwarder_that_is_replaced_makes_nothing_run_twice() {
    let till = MyTill::new(0);
    let behind = Cable::to(till.served());
    let (near, first) = forwards(&behind, Server::builder()).await;
    let cable = Cable::to(near);
    let client = connect(&cable).await.expect("it answers");
    let id = OperationId::new();
    let paying = tokio::spawn(client.pay(7).operation(id).into_future());
    settle().await;
    assert_eq!(till.ran(), [id]);

    let old = cable.unplug();
    first.close("it is gone").await;
    let (near, second) = forwards(&behind, Server::builder()).await;
    cable.plug(Arc::new(near));
    drop(old);
    settle().await;
    till.gate.add_permits(10);
    assert_eq!(paying.await.expect("it ends"), Ok(1007), "its attempt was made again and joined the first");

    let old = cable.unplug();
    second.close("it is gone").await;
    let (near, _third) = forwards(&behind, Server::builder()).await;
    cable.plug(Arc::new(near));
    drop(old);
    assert_eq!(client.pay(7).operation(id).await, Ok(1007), "the server behind has its outcome");
    assert_eq!(till.ran(), [id]);
}

/// For the server behind all callers are the forwarder, and yet none gets another's outcome.
#[tokio::test(start_paused = true)]
async fn an_operation_of_one_principal_is_no_others_behind_a_forwarder() {
    let till = MyTill::new(10);
    let behind = Cable::to(till.served());
    let named = || {
        Server::builder().authenticate(async |peer: vox::Peer| {
            Ok::<_, Refusal>(Principal::new(peer.metadata().get("name").unwrap_or("nobody")))
        })
    };
    let id = OperationId::new();
    let mut said = Vec::new();
    for name in ["emma", "mallory", "emma"] {
        let (near, session) = forwards(&behind, named()).await;
        let cable = Cable::to(near);
        let client = connect(&cable).metadata("name", name).await.expect("it answers");
        said.push(client.pay(7).operation(id).await.expect("it is paid"));
        session.close("done").await;
    }
    assert_eq!(said, [1007, 2007, 1007]);
    let ran = till.ran();
    assert!(ran.len() == 2 && ran[0] != ran[1] && !ran.contains(&id), "{ran:?}");
    assert!(ran.iter().all(|ran| ran.time() == id.time()), "they expire as it does");
}

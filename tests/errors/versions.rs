//! Errors between ends that were built from different traits, and of services that cannot cross the wire.

use vox::store::StoreError;
use vox::{Server, Session};

use super::scripted::Scripted;
use super::support::undescribed::undescribed_pair;
use super::{BankClient, BankDispatcher, Found, MyBank, text};

/// The same service in another version.
mod newer {
    #[vox::service]
    pub(super) trait Bank {
        async fn name(&self, text: u64) -> String;
        async fn gone(&self);
        async fn add(&self, numbers: vox::Rx<String>) -> Result<u64, String>;
    }
}

/// A service whose client is newer than its server, and translates.
mod lamp {
    #[derive(facet::Facet)]
    #[repr(u8)]
    #[allow(dead_code, reason = "the server sends the other one")]
    pub(super) enum Light {
        Off,
        Dim,
    }

    #[derive(facet::Facet)]
    pub(super) struct Glow {
        pub(super) watts: u8,
    }

    #[vox::service]
    pub(super) trait Lamp {
        async fn light(&self) -> Light;
        async fn glow(&self) -> Glow;
    }

    pub(super) struct MyLamp;

    impl Lamp for MyLamp {
        async fn light(&self) -> Light {
            Light::Dim
        }
        async fn glow(&self) -> Glow {
            Glow { watts: 7 }
        }
    }

    pub(super) mod newer {
        #[derive(Debug, facet::Facet)]
        #[repr(u8)]
        #[allow(dead_code, reason = "the server sends the other one")]
        pub(crate) enum Light {
            Off,
        }

        #[derive(Debug, facet::Facet)]
        #[allow(dead_code, reason = "it is never made")]
        pub(crate) struct Glow {
            watts: u8,
            #[facet(default = colour())]
            colour: String,
        }

        fn colour() -> String {
            panic!("on purpose")
        }

        #[vox::service]
        pub(crate) trait Lamp {
            async fn light(&self) -> Light;
            async fn glow(&self) -> Glow;
        }
    }
}

async fn translated(found: &mut Found) {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, lamp::LampDispatcher::new(lamp::MyLamp)));
    let lamp: lamp::newer::LampClient = vox::connect(ours).await.expect("a session");
    found.push(("DecodeErrorKind::UnknownVariant", text(lamp.light().await)));
    found.push(("DecodeErrorKind::NoDefault", text(lamp.glow().await)));
}

/// A `persist` method whose channel stands in a struct, where no macro sees it.
mod broken {
    #[derive(facet::Facet)]
    pub(super) struct Hidden {
        pub(super) out: vox::Tx<u64>,
    }

    #[vox::service]
    pub(super) trait Weather {
        #[vox(persist)]
        async fn record(&self, hidden: Hidden);
    }

    pub(super) struct Station;

    impl Weather for Station {
        async fn record(&self, hidden: Hidden) {
            drop(hidden.out);
        }
    }
}

pub(super) async fn provoke(found: &mut Found) {
    let (ours, theirs) = undescribed_pair();
    tokio::spawn(vox::serve(theirs, BankDispatcher::new(MyBank)));
    let bank: newer::BankClient = vox::connect(ours).await.expect("a session");
    found.push(("VoxError::UnknownMethod", text(bank.gone().await)));
    found.push(("VoxError::InvalidPayload", text(bank.name(7).await)));
    let (tx, rx) = vox::channel();
    let adding = tokio::spawn(bank.add(rx));
    tx.send("no number".to_owned()).await.expect("there is room");
    // The handler's: what it was told comes back as its own error.
    found.push(("RecvError::BadItem", text(adding.await.expect("no panic"))));
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, BankDispatcher::new(MyBank)));
    let bank: newer::BankClient = vox::connect(ours).await.expect("a session");
    found.push(("VoxError::NotSent(Incompatible)", text(bank.name(7).await)));
    found.push(("NotSent::Incompatible", text(bank.name(7).await.map_err(not_sent))));
    translated(found).await;
    services(found).await;
    stores(found).await;
}

fn not_sent<E: std::fmt::Debug>(error: vox::VoxError<E>) -> vox::NotSent {
    match error {
        vox::VoxError::NotSent(why) => why,
        error => panic!("{error:?}"),
    }
}

async fn services(found: &mut Found) {
    let server = Server::builder().service(BankDispatcher::new(MyBank)).bind("mem://errors-types").await.expect("it");
    let broken = broken::WeatherDispatcher::new(broken::Station);
    let bound = Server::builder().service(broken).bind("mem://errors-broken").await;
    found.push(("ServeError::Service(Type)", text(bound)));
    let connected = vox::connect::<broken::WeatherClient>("mem://errors-types").await;
    found.push(("ConnectError::Service(Type)", text(connected)));
    let session = Session::connect("mem://errors-types").await.expect("a session");
    let refused = session.open::<broken::WeatherClient>().await;
    found.push(("OpenError::Service(Type)", text(refused)));
    let Err(vox::OpenError::Service(why)) = session.open::<broken::WeatherClient>().await else { panic!("it opens") };
    found.push(("ServiceError::Type", text::<(), _>(Err(why))));
    let mut heavy = vox::Metadata::new();
    heavy.insert("tenant", "x".repeat(10_000));
    found.push(("OpenError::Metadata", text(session.open_with::<BankClient>(heavy).await)));
    server.shutdown(std::time::Duration::ZERO).await;
}

async fn stores(found: &mut Found) {
    let store = Scripted::new();
    let server = Server::builder().service(BankDispatcher::new(MyBank)).store(store.clone());
    let _server = server.bind("mem://errors-store").await.expect("it");
    let bank: BankClient = vox::connect("mem://errors-store").await.expect("a session");
    store.next_admission(Err(StoreError::Unavailable("on purpose".to_owned())));
    let id = bank_id(&bank);
    found.push(("VoxError::StoreUnavailable, before it ran", text(bank.transfer(1).operation(id).await)));
    store.fail_a_seal();
    found.push(("VoxError::StoreUnavailable, after it ran", text(bank.transfer(1).operation(id).await)));
}

fn bank_id(bank: &BankClient) -> vox::OperationId {
    vox::Client::caller(bank).new_operation()
}

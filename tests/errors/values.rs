//! Errors of values by themselves, of types too long to describe, and of stores: what an application meets that encodes, or keeps, by hand.

use std::time::SystemTime;

use vox::OperationId;
use vox::Principal;
use vox::codec::{Budget, Decoder, Plan, schema_of};
use vox::descriptor::MethodId;
use vox::facet::Facet;
use vox::store::{Digest, Fence, MemoryStore, NewOperation, OperationKey, OperationStore, Outcome, StoreLimits};

use super::support::undescribed::undescribed_pair;
use super::{BankDispatcher, Found, MyBank, text};

/// The same service, whose channel is a number to this end.
mod older {
    #[vox::service]
    pub(super) trait Bank {
        async fn leave(&self, numbers: u64);
    }
}

mod long {
    /// Some two kilobytes of description.
    #[derive(facet::Facet)]
    pub(super) struct Cell<const ROW: usize, const COLUMN: usize> {
        pub(super) the_temperature_of_the_air_two_metres_above_the_ground_in_tenths_of_a_degree: [i32; ROW],
        pub(super) the_temperature_of_the_ground_itself_five_centimetres_deep_in_tenths_of_a_degree: [i32; COLUMN],
        pub(super) the_direction_that_the_wind_comes_from_ten_metres_above_the_ground_in_degrees: [u16; ROW],
        pub(super) the_speed_of_the_wind_ten_metres_above_the_ground_in_centimetres_per_second: [u16; COLUMN],
        pub(super) the_pressure_of_the_air_at_the_station_reduced_to_the_level_of_the_sea_in_pascals: [u32; ROW],
        pub(super) how_much_it_has_rained_or_snowed_since_the_last_observation_in_tenths_of_a_millimetre: [u32; COLUMN],
        pub(super) how_much_of_the_sky_is_covered_by_low_clouds_by_middle_and_by_high_in_eighths: [u8; ROW],
        pub(super) how_far_one_sees_in_each_direction_of_the_compass_beginning_in_the_north_in_metres: [u8; COLUMN],
    }

    #[derive(facet::Facet)]
    #[allow(clippy::type_complexity, reason = "that it is long is what it is for")]
    pub(super) struct Row<const ROW: usize> {
        pub(super) cells: (
            (Cell<ROW, 1>, Cell<ROW, 2>, Cell<ROW, 3>, Cell<ROW, 4>, Cell<ROW, 5>, Cell<ROW, 6>),
            (Cell<ROW, 7>, Cell<ROW, 8>, Cell<ROW, 9>, Cell<ROW, 10>, Cell<ROW, 11>, Cell<ROW, 12>),
            (Cell<ROW, 13>, Cell<ROW, 14>, Cell<ROW, 15>, Cell<ROW, 16>, Cell<ROW, 17>, Cell<ROW, 18>),
            (Cell<ROW, 19>, Cell<ROW, 20>, Cell<ROW, 21>, Cell<ROW, 22>, Cell<ROW, 23>, Cell<ROW, 24>),
        ),
    }

    type North = (Row<21>, Row<22>, Row<23>, Row<24>, Row<25>, Row<26>, Row<27>, Row<28>, Row<29>, Row<30>);
    type South = (Row<31>, Row<32>, Row<33>, Row<34>, Row<35>, Row<36>, Row<37>, Row<38>, Row<39>, Row<40>);

    #[vox::service]
    pub(super) trait Weather {
        async fn record(&self, north: North, south: South);
    }
}

pub(super) async fn provoke(found: &mut Found) {
    let (ours, theirs) = undescribed_pair();
    tokio::spawn(vox::serve(theirs, BankDispatcher::new(MyBank)));
    let bank: older::BankClient = vox::connect(ours).await.expect("a session");
    found.push(("DecodeErrorKind::Channel", text(bank.leave(5).await)));
    found.push(("DecodeErrorKind::NoChannels", decoded::<vox::Rx<u8>>(&[0])));
    found.push(("DecodeErrorKind::Plan", decoded::<&'static str>(&[0])));
    let connected = vox::connect::<long::WeatherClient>("mem://errors-nobody").await;
    let Err(vox::ConnectError::Service(why)) = connected else { panic!("{connected:?}") };
    found.push(("ServiceError::TooLong", text::<(), _>(Err(why))));
    let kind = vox::value::ValueType::new(&schema_of(<Vec<(u8, String)>>::SHAPE).expect("it crosses")).expect("a type");
    found.push(("ValueError", text(kind.json_to_bytes(r#"[[1, "one"], [2, 3]]"#))));
    stores(found).await;
}

/// What is said of bytes that are no `T`.
fn decoded<T: Facet<'static>>(bytes: &[u8]) -> String {
    let frame = bytes.to_vec().into();
    let plan: Plan<T> = Plan::new();
    text(plan.decode(&mut Decoder::new(&frame, Budget::default_for(frame.len()))))
}

async fn stores(found: &mut Found) {
    let schema = schema_of(u64::SHAPE).expect("it crosses");
    let operation = |name: &str| NewOperation {
        key: OperationKey { id: OperationId::derive(name, SystemTime::now()), principal: Principal::anonymous() },
        peer: None,
        service: "Bank",
        method: MethodId(7),
        policy: vox::RetryPolicy::PERSIST,
        digest: Digest::of(MethodId(7), name.as_bytes()),
        schema: schema.clone(),
    };
    let limits = StoreLimits { max_records: 1, max_principal_records: 1, max_outcome_bytes: 100, ..Default::default() };
    let store = MemoryStore::with_limits(limits).expect("limits that it can keep");
    let (first, second) = (operation("one"), operation("two"));
    store.admit(&first).await.expect("there is room for one");
    found.push(("StoreError::Full", text(store.admit(&second).await)));
    let outcome = |len| Outcome { bytes: vec![0; len].into(), schema: schema.clone() };
    found.push(("StoreError::Fenced", text(store.seal(&second.key, Fence(1), outcome(1)).await)));
    found.push(("StoreError::OutcomeTooLarge", text(store.seal(&first.key, Fence(1), outcome(101)).await)));
}

//! What only a type knows cannot be read or made without it.

use super::*;

/// Said before anything is sent: of what another version does not send, only `None` can be made.
#[tokio::test]
async fn a_field_whose_default_only_a_type_knows_cannot_be_read() {
    mod defaulted {
        use super::*;

        #[derive(Facet)]
        pub(super) struct Receipt {
            #[facet(default = 7)]
            pub(super) needed: u64,
            pub(super) number: u64,
        }

        #[vox::service]
        #[allow(dead_code, reason = "it is called by its name")]
        pub(super) trait Shop {
            async fn lacks(&self) -> Receipt;
        }
    }
    let (_server, session) = served("defaulted", Server::builder().service(ShopDispatcher::new(MyShop))).await;
    let shop = ServiceType::of(defaulted::ShopClient::SERVICE).expect("it is known");
    let client = session.open_dynamic(&shop).await.expect("it is served");
    let error = client.call_json("lacks", "{}").expect("a call").await.expect_err("it has no default");
    assert!(matches!(error, VoxError::NotSent(NotSent::Incompatible(_))), "{error}");
    assert!(error.to_string().contains("`needed` of a struct of 2 fields is missing there"), "{error}");
}

/// A handler without types has no default for what is missing, and says so of the call.
#[tokio::test]
async fn an_argument_whose_default_only_a_type_knows_is_said_to_be_missing() {
    mod lacking {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, cents: u64) -> u64;
        }
    }
    mod having {
        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, cents: u64, #[vox(default = 3)] times: u64, note: Option<u8>) -> u64;
        }
    }
    let till = ServiceType::of(having::TillClient::SERVICE).expect("it is known");
    let dispatcher = DynamicDispatcher::new(till).method("pay", async |_| Ok(Value::from(1u64)));
    let (_server, session) = served("default", Server::builder().service(dispatcher)).await;
    let client: lacking::TillClient = session.open().await.expect("it is served");
    let error = client.pay(1).await.expect_err("it has no default");
    assert!(matches!(error, VoxError::InvalidPayload(_)), "{error}");
    assert!(error.to_string().contains("the caller sends no `times`"), "{error}");
}

/// What a handler without types cannot read is said of the argument that it stands in.
#[tokio::test]
async fn an_argument_that_cannot_be_read_without_its_type_is_named() {
    mod lacking {
        use super::*;

        #[derive(Facet)]
        pub(super) struct Order {
            pub(super) cents: u64,
        }

        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, till: u8, order: Order) -> u64;
            async fn tell(&self, cents: u8, events: vox::Tx<u64>);
        }
    }
    mod having {
        use super::*;

        #[derive(Facet)]
        #[allow(dead_code, reason = "it is the shape that counts")]
        pub(super) struct Order {
            cents: u64,
            #[facet(default = 3)]
            times: u64,
        }

        #[vox::service]
        #[allow(dead_code, reason = "it is the shape that counts")]
        pub(super) trait Till {
            async fn pay(&self, till: u8, order: Order) -> u64;
            async fn tell(&self, cents: u64, events: vox::Tx<u64>);
        }
    }
    let till = ServiceType::of(having::TillClient::SERVICE).expect("it is known");
    let dispatcher = DynamicDispatcher::new(till)
        .method("pay", async |_| Ok(Value::from(1u64)))
        .method("tell", async |_| Ok(Value::Unit));
    let (_server, session) = served("named", Server::builder().service(dispatcher)).await;
    let client: lacking::TillClient = session.open().await.expect("it is served");
    let error = client.pay(1, lacking::Order { cents: 1 }).await.expect_err("it has no default");
    assert!(matches!(error, VoxError::InvalidPayload(_)), "{error}");
    assert!(
        error.to_string().contains("argument `order`: `times` of a struct of 2 fields is missing there"),
        "{error}"
    );
    let (events, _kept) = vox::channel();
    let error = client.tell(1, events).await.expect_err("it has a channel");
    assert!(matches!(error, VoxError::InvalidPayload(_)), "{error}");
    assert!(error.to_string().contains("argument `events`: it has channels"), "{error}");
}

/// A service that is made up has no defaults: what cannot be `None` has to be sent, and its callers know that.
#[tokio::test]
async fn a_service_that_is_made_up_cannot_do_without_anything_but_options() {
    mod lacking {
        use super::*;

        #[derive(Facet)]
        pub(super) struct Order {
            pub(super) cents: u64,
        }

        #[vox::service]
        pub(super) trait Till {
            async fn pay(&self, order: Order) -> u64;
            async fn tip(&self) -> u64;
        }
    }
    #[derive(Facet)]
    #[allow(dead_code, reason = "it is the shape that counts")]
    struct Order {
        cents: u64,
        #[facet(default = 3)]
        times: u64,
        note: Option<String>,
    }
    let pay = MethodSpec::new("pay").argument::<Order>("order").expect("a type").argument::<Option<u8>>("note");
    let tip = MethodSpec::new("tip").argument::<u64>("cents").expect("a type").returns::<u64, Infallible>();
    let pay = pay.expect("a type").returns::<u64, Infallible>().expect("types");
    let till = ServiceType::builder("Till").method(pay).method(tip.expect("types")).build().expect("a service");
    let dispatcher = DynamicDispatcher::new(till).method("pay", async |_| Ok(Value::from(1u64)));
    let (_server, session) = served("made-up", Server::builder().service(dispatcher)).await;
    let client: lacking::TillClient = session.open().await.expect("it is served");
    for (error, place) in [
        (client.pay(lacking::Order { cents: 1 }).await.expect_err("it lacks a field"), "times is missing"),
        (client.tip().await.expect_err("it lacks an argument"), "`cents`"),
    ] {
        assert!(matches!(error, VoxError::NotSent(NotSent::Incompatible(_))), "{error}");
        assert!(error.to_string().contains(place), "{error}");
    }
}

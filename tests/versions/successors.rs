//! The next session may be with another build of the server.

use super::*;

/// The next session may be with another build of the server.
#[tokio::test]
async fn a_session_that_follows_is_judged_anew() {
    let first = vox::Server::builder().service(old::MeterDispatcher::new(Old::default()));
    let first = first.bind("mem://rolling").await.expect("bound");
    let meter: new::MeterClient = vox::connect(first.address()).await.expect("connected");
    refused(meter.shift(7).await, "i64 here and u64 there");
    assert_eq!(meter.span(9, 7).await, Ok(2));
    first.shutdown(Duration::from_secs(1)).await;

    let second = vox::Server::builder().service(new::MeterDispatcher::new(New));
    let _second = second.bind("mem://rolling").await.expect("bound");
    assert_eq!(meter.shift(-7).await, Ok(-7));
    assert_eq!(meter.span(9, 7).await, Ok(2));
    assert_eq!(meter.level().await, Ok(new::Level::High));
}

/// A call that is made again takes its channels to the next server, and what that one sends is read as its version writes it.
#[tokio::test(start_paused = true)]
async fn the_items_of_a_call_that_is_made_again_are_read_anew() {
    mod older {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Place {
            pub(super) id: u8,
            pub(super) name: String,
        }

        #[vox::service]
        pub(super) trait Places {
            #[vox(idem)]
            async fn places(&self, places: Tx<Place>);
        }

        pub(super) struct Sends;

        impl Places for Sends {
            async fn places(&self, places: Tx<Place>) {
                places.send(Place { id: 7, name: "roof".to_owned() }).await.expect("the caller reads");
                places.close();
            }
        }
    }
    mod newer {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Facet)]
        pub(super) struct Place {
            pub(super) name: String,
            pub(super) rank: Option<u8>,
            pub(super) id: u64,
        }

        #[vox::service]
        pub(super) trait Places {
            #[vox(idem)]
            async fn places(&self, places: Tx<Place>);
        }

        /// Does not answer.
        pub(super) struct Waits(pub(super) Arc<Semaphore>);

        impl Places for Waits {
            async fn places(&self, places: Tx<Place>) {
                self.0.add_permits(1);
                std::future::pending::<()>().await;
                drop(places);
            }
        }
    }

    let window = Duration::from_secs(1);
    let server = || vox::Server::builder().limits(vox::Limits { resume_window: window, ..vox::Limits::default() });
    let begun = Arc::new(Semaphore::new(0));
    let first = server().service(newer::PlacesDispatcher::new(newer::Waits(Arc::clone(&begun)))).start();
    let cable = Cable::to(first.expect("a server"));
    let client: newer::PlacesClient = vox::connect(cable.connector()).await.expect("connected");
    let (places, mut read) = vox::channel();
    let call = tokio::spawn(client.places(places).into_future());
    begun.acquire().await.expect("never closed").forget();
    let _first = cable.unplug();
    tokio::time::sleep(2 * window).await;
    cable.plug(Arc::new(server().service(older::PlacesDispatcher::new(older::Sends)).start().expect("a server")));
    let place = newer::Place { name: "roof".to_owned(), rank: None, id: 7 };
    assert_eq!(read.recv().await, Ok(Some(place)));
    assert_eq!(read.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

/// What an attempt is told that does not run is no answer to the call, since the one before may have run: the call says both.
#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_before_an_upgrade_says_why_it_did_not_run_after_it() {
    mod before {
        use super::*;

        #[vox::service]
        pub(super) trait Till {
            #[vox(idem)]
            async fn gone(&self) -> u8;
            #[vox(idem)]
            async fn changed(&self) -> u8;
            #[vox(idem)]
            async fn picked(&self, pick: Pick) -> u8;
        }

        #[derive(Facet)]
        #[repr(u8)]
        #[allow(dead_code, reason = "it is the shape that counts")]
        pub(super) enum Pick {
            Cash,
            Card,
        }

        /// Does not answer.
        pub(super) struct Waits(pub(super) Arc<Semaphore>);

        impl Till for Waits {
            async fn gone(&self) -> u8 {
                self.0.add_permits(1);
                std::future::pending().await
            }

            async fn changed(&self) -> u8 {
                self.gone().await
            }

            async fn picked(&self, _pick: Pick) -> u8 {
                self.gone().await
            }
        }
    }
    mod after {
        use super::*;

        #[derive(Facet)]
        #[repr(u8)]
        pub(super) enum Pick {
            Cash,
        }

        #[vox::service]
        pub(super) trait Till {
            #[vox(idem)]
            async fn changed(&self) -> String;
            #[vox(idem)]
            async fn picked(&self, pick: Pick) -> u8;
        }

        pub(super) struct Answers;

        impl Till for Answers {
            async fn changed(&self) -> String {
                unreachable!("it differs")
            }

            async fn picked(&self, _pick: Pick) -> u8 {
                unreachable!("its caller sends another")
            }
        }
    }

    let window = Duration::from_secs(1);
    let server = || vox::Server::builder().limits(vox::Limits { resume_window: window, ..vox::Limits::default() });
    let begun = Arc::new(Semaphore::new(0));
    let first = server().service(before::TillDispatcher::new(before::Waits(Arc::clone(&begun)))).start();
    let cable = Cable::to(first.expect("a server"));
    let client: before::TillClient = vox::connect(cable.connector()).await.expect("connected");
    let calls = [client.gone(), client.changed(), client.picked(before::Pick::Card)].map(|call| tokio::spawn(call));
    begun.acquire_many(3).await.expect("never closed").forget();
    let _first = cable.unplug();
    tokio::time::sleep(2 * window).await;
    cable.plug(Arc::new(server().service(after::TillDispatcher::new(after::Answers)).start().expect("a server")));
    let why = [
        "its session was lost, and sent again it did not run: the service has no such method there",
        "its session was lost, and it was not sent again: the two ends have different versions of `Till.changed`",
        "sent again it did not run: the peer could not decode the arguments: argument `pick` of `picked`: at byte 0: \
         the variant `Card`, which `Pick` does not have here",
    ];
    for (call, why) in calls.into_iter().zip(why) {
        let error = call.await.expect("no panic").expect_err("nobody has an outcome");
        assert_eq!((error.ran(), &error), (Ran::Unknown, &VoxError::Indeterminate));
        assert!(error.to_string().contains(why), "{error}");
    }
}

//! Methods that change, line by line as docs/changing.md has them: both versions call each other.

use std::fmt::Debug;

use vox::{NotSent, Ran, Rx, Tx, VoxError};

mod old {
    use super::*;

    #[vox::service]
    pub trait Desk {
        async fn gains(&self, a: u8) -> String;
        async fn gains_more(&self, a: u8) -> String;
        async fn loses(&self, a: u8, b: String) -> String;
        async fn loses_an_option(&self, a: u8, b: Option<String>) -> String;
        async fn reordered(&self, a: u8, b: u8) -> String;
        async fn renamed_argument(&self, a: u8) -> String;
        async fn method_that_goes(&self) -> String;
        async fn first_name(&self) -> String;
        async fn gains_a_channel(&self) -> String;
        async fn gains_an_optional_channel(&self) -> String;
        async fn turned(&self, items: Rx<u8>) -> String;
    }
}

mod new {
    use super::*;

    #[vox::service]
    pub trait Desk {
        async fn gains(&self, #[vox(default = 7)] b: u8, a: u8, c: Option<u8>) -> String;
        async fn gains_more(&self, a: u8, b: u8) -> String;
        async fn loses(&self, a: u8) -> String;
        async fn loses_an_option(&self, a: u8) -> String;
        async fn reordered(&self, b: u8, a: u8) -> String;
        async fn renamed_argument(&self, b: u8) -> String;
        async fn method_that_comes(&self) -> String;
        #[vox(name = "first_name")]
        async fn second_name(&self) -> String;
        async fn gains_a_channel(&self, items: Tx<u8>) -> String;
        async fn gains_an_optional_channel(&self, items: Option<Tx<u8>>) -> String;
        async fn turned(&self, items: Tx<u8>) -> String;
    }
}

struct Both;

impl old::Desk for Both {
    async fn gains(&self, a: u8) -> String {
        format!("{a}")
    }
    async fn gains_more(&self, a: u8) -> String {
        format!("{a}")
    }
    async fn loses(&self, a: u8, b: String) -> String {
        format!("{a} {b}")
    }
    async fn loses_an_option(&self, a: u8, b: Option<String>) -> String {
        format!("{a} {b:?}")
    }
    async fn reordered(&self, a: u8, b: u8) -> String {
        format!("{a} {b}")
    }
    async fn renamed_argument(&self, a: u8) -> String {
        format!("{a}")
    }
    async fn method_that_goes(&self) -> String {
        "gone".to_owned()
    }
    async fn first_name(&self) -> String {
        "first".to_owned()
    }
    async fn gains_a_channel(&self) -> String {
        "none".to_owned()
    }
    async fn gains_an_optional_channel(&self) -> String {
        "none".to_owned()
    }
    async fn turned(&self, _items: Rx<u8>) -> String {
        "received".to_owned()
    }
}

impl new::Desk for Both {
    async fn gains(&self, b: u8, a: u8, c: Option<u8>) -> String {
        format!("{a} {b} {c:?}")
    }
    async fn gains_more(&self, a: u8, b: u8) -> String {
        format!("{a} {b}")
    }
    async fn loses(&self, a: u8) -> String {
        format!("{a}")
    }
    async fn loses_an_option(&self, a: u8) -> String {
        format!("{a}")
    }
    async fn reordered(&self, b: u8, a: u8) -> String {
        format!("{a} {b}")
    }
    async fn renamed_argument(&self, b: u8) -> String {
        format!("{b}")
    }
    async fn method_that_comes(&self) -> String {
        "come".to_owned()
    }
    async fn second_name(&self) -> String {
        "second".to_owned()
    }
    async fn gains_a_channel(&self, _items: Tx<u8>) -> String {
        "a channel".to_owned()
    }
    async fn gains_an_optional_channel(&self, items: Option<Tx<u8>>) -> String {
        format!("{}", items.is_some())
    }
    async fn turned(&self, _items: Tx<u8>) -> String {
        "sent".to_owned()
    }
}

/// A client of a server of the given dispatcher.
async fn client<C: vox::Client>(dispatcher: impl vox::Dispatcher) -> C {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, dispatcher));
    vox::connect(ours).await.expect("the handshake succeeds")
}

/// An old client of a new server, and a new client of an old one.
async fn clients() -> (old::DeskClient, new::DeskClient) {
    (client(new::DeskDispatcher::new(Both)).await, client(old::DeskDispatcher::new(Both)).await)
}

#[track_caller]
fn refused<T: Debug>(result: Result<T, VoxError>, words: &str) {
    match result {
        Err(error @ VoxError::NotSent(NotSent::Incompatible(_))) => {
            assert!(error.to_string().ends_with(words), "{error}, where `{words}` was expected");
        }
        other => panic!("{other:?}, where `{words}` was expected"),
    }
}

#[tokio::test]
async fn an_argument_with_a_default_is_added() {
    let (old, new) = clients().await;
    assert_eq!(old.gains(1).await.as_deref(), Ok("1 7 None"));
    assert_eq!(new.gains(2, 1, Some(3)).await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn an_argument_without_a_default_is_added() {
    let (old, new) = clients().await;
    let words = "`Desk.gains_more`: argument `b` is missing here and u8 there; the peer must make it an `Option` or give it a default, \
                 `#[vox(default)]`, or this end must send it";
    refused(old.gains_more(1).await, words);
    assert_eq!(new.gains_more(1, 2).await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn an_argument_with_a_default_is_removed() {
    let (old, new) = clients().await;
    assert_eq!(old.loses_an_option(1, Some("x".to_owned())).await.as_deref(), Ok("1"));
    assert_eq!(new.loses_an_option(1).await.as_deref(), Ok("1 None"));
}

#[tokio::test]
async fn an_argument_without_a_default_is_removed() {
    let (old, new) = clients().await;
    assert_eq!(old.loses(1, "x".to_owned()).await.as_deref(), Ok("1"));
    let words = "`Desk.loses`: argument `b` is missing here and string there; the peer must make it an `Option` or give it a default, \
                 `#[vox(default)]`, or this end must send it";
    refused(new.loses(1).await, words);
}

#[tokio::test]
async fn arguments_change_their_order() {
    let (old, new) = clients().await;
    assert_eq!(old.reordered(1, 2).await.as_deref(), Ok("1 2"));
    assert_eq!(new.reordered(2, 1).await.as_deref(), Ok("1 2"));
}

#[tokio::test]
async fn an_argument_is_renamed() {
    let (old, new) = clients().await;
    let cure =
        "u8 there; the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it";
    refused(old.renamed_argument(1).await, &format!("argument `b` is missing here and {cure}"));
    refused(new.renamed_argument(1).await, &format!("argument `a` is missing here and {cure}"));
}

#[tokio::test]
async fn a_method_is_added_or_removed() {
    let (old, new) = clients().await;
    for error in
        [old.method_that_goes().await, new.method_that_comes().await].map(|result| result.expect_err("no such"))
    {
        assert_eq!((&error, error.ran()), (&VoxError::UnknownMethod, Ran::No));
    }
}

#[tokio::test]
async fn a_method_is_renamed_and_keeps_its_name_on_the_wire() {
    let (old, new) = clients().await;
    assert_eq!(old.first_name().await.as_deref(), Ok("second"));
    assert_eq!(new.second_name().await.as_deref(), Ok("first"));
}

#[tokio::test]
async fn an_optional_channel_is_added() {
    let (old, new) = clients().await;
    assert_eq!(old.gains_an_optional_channel().await.as_deref(), Ok("false"));
    let (tx, _rx) = vox::channel();
    let words = "argument `items` is Option<a channel> here and missing there; the peer must keep it, for a channel has two ends";
    refused(new.gains_an_optional_channel(Some(tx)).await, words);
}

#[tokio::test]
async fn a_channel_is_added() {
    let (old, new) = clients().await;
    let cure = "the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it";
    refused(old.gains_a_channel().await, &format!("argument `items` is missing here and Tx<u8> there; {cure}"));
    let (tx, _rx) = vox::channel();
    let words = "argument `items` is Tx<u8> here and missing there; the peer must keep it, for a channel has two ends";
    refused(new.gains_a_channel(tx).await, words);
}

#[tokio::test]
async fn a_channel_is_turned_round() {
    let (old, new) = clients().await;
    let cure = "the newer of the two must keep the type of the older";
    let ((_tx, rx), (tx, _rx)) = (vox::channel(), vox::channel());
    refused(old.turned(rx).await, &format!("argument `items` is Rx<u8> here and Tx<u8> there; {cure}"));
    refused(new.turned(tx).await, &format!("argument `items` is Tx<u8> here and Rx<u8> there; {cure}"));
}

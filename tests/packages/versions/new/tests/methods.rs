//! Methods that change, line by line as docs/changing.md has them: both versions call each other, and the page says who goes first.

use std::fmt::Debug;

use vox::{NotSent, Ran, Rx, Tx, VoxError};

mod old {
    use super::*;

    #[vox::service]
    pub trait Shop {
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
    pub trait Shop {
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

impl old::Shop for Both {
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

impl new::Shop for Both {
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
async fn clients() -> (old::ShopClient, new::ShopClient) {
    (client(new::ShopDispatcher::new(Both)).await, client(old::ShopDispatcher::new(Both)).await)
}

/// The page's line says who goes first, where a call of an old client at a new server ends so, and one of a new client at an old server.
#[track_caller]
fn page_says(line: &str, old_client: bool, new_client: bool) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../docs/changing.md"));
    let page = page.expect("the page");
    let methods = page.lines().skip_while(|line| !line.starts_with("| what changes in a method"));
    let row = methods.filter_map(|row| row.strip_prefix("| ")?.strip_prefix(line)?.strip_prefix(" | ")).next();
    let says = row.unwrap_or_else(|| panic!("docs/changing.md has no line `{line}`"));
    let verdict = says.split([':', '|']).next().unwrap_or_default().trim();
    let seen = match (old_client, new_client) {
        (true, true) => "any order",
        (true, false) => "servers first",
        (false, true) => "clients first",
        (false, false) => "breaking",
    };
    assert_eq!(verdict, seen, "docs/changing.md, `{line}`");
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
    page_says(
        "an argument is added that is an `Option` or has `#[vox(default)]`",
        old.gains(1).await.is_ok(),
        new.gains(2, 1, Some(3)).await.is_ok(),
    );
    assert_eq!(old.gains(1).await.as_deref(), Ok("1 7 None"));
    assert_eq!(new.gains(2, 1, Some(3)).await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn an_argument_without_a_default_is_added() {
    let (old, new) = clients().await;
    page_says(
        "an argument is added without a default",
        old.gains_more(1).await.is_ok(),
        new.gains_more(1, 2).await.is_ok(),
    );
    let words = "`Shop.gains_more`: argument `b` is missing here and u8 there; the peer must make it an `Option` or give it a default, \
                 `#[vox(default)]`, or this end must send it";
    refused(old.gains_more(1).await, words);
    assert_eq!(new.gains_more(1, 2).await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn an_argument_with_a_default_is_removed() {
    let (old, new) = clients().await;
    page_says(
        "an argument is removed for which the older version has a default",
        old.loses_an_option(1, None).await.is_ok(),
        new.loses_an_option(1).await.is_ok(),
    );
    assert_eq!(old.loses_an_option(1, Some("x".to_owned())).await.as_deref(), Ok("1"));
    assert_eq!(new.loses_an_option(1).await.as_deref(), Ok("1 None"));
}

#[tokio::test]
async fn an_argument_without_a_default_is_removed() {
    let (old, new) = clients().await;
    page_says(
        "an argument is removed that the older version needs",
        old.loses(1, String::new()).await.is_ok(),
        new.loses(1).await.is_ok(),
    );
    assert_eq!(old.loses(1, "x".to_owned()).await.as_deref(), Ok("1"));
    let words = "`Shop.loses`: argument `b` is missing here and string there; the peer must make it an `Option` or give it a default, \
                 `#[vox(default)]`, or this end must send it";
    refused(new.loses(1).await, words);
}

#[tokio::test]
async fn arguments_change_their_order() {
    let (old, new) = clients().await;
    page_says("arguments change their order", old.reordered(1, 2).await.is_ok(), new.reordered(2, 1).await.is_ok());
    assert_eq!(old.reordered(1, 2).await.as_deref(), Ok("1 2"));
    assert_eq!(new.reordered(2, 1).await.as_deref(), Ok("1 2"));
}

#[tokio::test]
async fn an_argument_is_renamed() {
    let (old, new) = clients().await;
    page_says("an argument is renamed", old.renamed_argument(1).await.is_ok(), new.renamed_argument(1).await.is_ok());
    let help =
        "u8 there; the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it";
    refused(old.renamed_argument(1).await, &format!("argument `b` is missing here and {help}"));
    refused(new.renamed_argument(1).await, &format!("argument `a` is missing here and {help}"));
}

#[tokio::test]
async fn a_method_is_added_or_removed() {
    let (old, new) = clients().await;
    // Of the versions, only one can call it; the other's calls do not change.
    let (others_of_old, others_of_new) = (old.first_name().await.is_ok(), new.second_name().await.is_ok());
    page_says("a method is added", others_of_old, new.method_that_comes().await.is_ok());
    page_says("a method is removed", old.method_that_goes().await.is_ok(), others_of_new);
    for error in
        [old.method_that_goes().await, new.method_that_comes().await].map(|result| result.expect_err("no such"))
    {
        assert_eq!((&error, error.ran()), (&VoxError::UnknownMethod, Ran::No));
    }
}

#[tokio::test]
async fn a_method_is_renamed_and_keeps_its_name_on_the_wire() {
    let (old, new) = clients().await;
    page_says(
        r#"a method is renamed and keeps its name on the wire by `#[vox(name = "…")]`"#,
        old.first_name().await.is_ok(),
        new.second_name().await.is_ok(),
    );
    assert_eq!(old.first_name().await.as_deref(), Ok("second"));
    assert_eq!(new.second_name().await.as_deref(), Ok("first"));
}

#[tokio::test]
async fn an_optional_channel_is_added() {
    let (old, new) = clients().await;
    page_says(
        "an `Option` of a channel is added",
        old.gains_an_optional_channel().await.is_ok(),
        new.gains_an_optional_channel(Some(vox::channel().0)).await.is_ok(),
    );
    assert_eq!(old.gains_an_optional_channel().await.as_deref(), Ok("false"));
    let (tx, _rx) = vox::channel();
    let words = "argument `items` is Option<a channel> here and missing there; the peer must keep it, for a channel has two ends";
    refused(new.gains_an_optional_channel(Some(tx)).await, words);
}

#[tokio::test]
async fn a_channel_is_added() {
    let (old, new) = clients().await;
    page_says(
        "a channel is added",
        old.gains_a_channel().await.is_ok(),
        new.gains_a_channel(vox::channel().0).await.is_ok(),
    );
    let help = "the peer must make it an `Option` or give it a default, `#[vox(default)]`, or this end must send it";
    refused(old.gains_a_channel().await, &format!("argument `items` is missing here and Tx<u8> there; {help}"));
    let (tx, _rx) = vox::channel();
    let words = "argument `items` is Tx<u8> here and missing there; the peer must keep it, for a channel has two ends";
    refused(new.gains_a_channel(tx).await, words);
}

#[tokio::test]
async fn a_channel_is_turned_round() {
    let (old, new) = clients().await;
    page_says(
        "a channel turns round, `Tx` to `Rx`",
        old.turned(vox::channel().1).await.is_ok(),
        new.turned(vox::channel().0).await.is_ok(),
    );
    let help = "the newer of the two must keep the type of the older";
    let ((_tx, rx), (tx, _rx)) = (vox::channel(), vox::channel());
    refused(old.turned(rx).await, &format!("argument `items` is Rx<u8> here and Tx<u8> there; {help}"));
    refused(new.turned(tx).await, &format!("argument `items` is Tx<u8> here and Rx<u8> there; {help}"));
}

//! What `#[vox::service]` accepts, called: names on the wire, raw and hostile names, borrowed arguments and results.
#![allow(clippy::too_many_arguments, clippy::non_minimal_cfg, reason = "every accepted form is here, the odd ones too")]

use vox::{Rx, Tx, VoxError};

#[derive(Debug, Clone, PartialEq, facet::Facet)]
struct Matrix<const N: usize> {
    cells: [u64; N],
}

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
enum Missing {
    Page(u64),
}

type LibraryResult<T> = Result<T, Missing>;

#[derive(facet::Facet)]
struct Feeds {
    rows: Rx<u64>,
    sums: Tx<u64>,
}

#[vox::service(name = "acme.Forms", rename_all = "camelCase")]
trait Forms {
    async fn renamed_by_casing(&self, cx: &vox::Context) -> String;
    #[vox(name = "by-hand")]
    async fn renamed_by_hand(&self, cx: &vox::Context) -> String;
    async fn r#match(&self, r#type: u64, cx: &vox::Context, r#fn: &str) -> String;
    #[allow(clippy::too_many_arguments)]
    async fn hostile(
        &self,
        self_: u64,
        call: u64,
        args: u64,
        handler: u64,
        answer: u64,
        slot: u64,
        method: &str,
        reply: u64,
    ) -> u64;
    async fn lent(&self, text: &str, bytes: &[u8]) -> u64;
    #[cfg(not(any()))]
    async fn either(&self) -> u64;
    #[cfg(any())]
    async fn either(&self, more: NoSuchType) -> u64;
    async fn title(&self) -> &str;
    async fn page(&self, number: u64) -> Result<&[u8], Missing>;
    async fn trimmed(&self, text: &str) -> &str;
    async fn longer(&self, one: &[u8], cx: &vox::Context, other: &[u8]) -> Result<&[u8], String>;
    async fn alias(&self, number: u64) -> LibraryResult<u64>;
    async fn squares(&self, matrix: Matrix<3>, pair: (u64, [u8; 2])) -> (Matrix<3>, u64);
    async fn feeds(&self, feeds: Feeds) -> u64;
    async fn counted(&self, mut count: u64) -> u64;
    #[allow(clippy::too_many_arguments)]
    async fn wide(
        &self,
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: u8,
        k: u8,
        l: u8,
        m: u8,
    ) -> u64;
}

struct Shelf {
    title: String,
}

impl Forms for Shelf {
    async fn renamed_by_casing(&self, cx: &vox::Context) -> String {
        format!("{}.{}", cx.method().service, cx.method().name)
    }
    async fn renamed_by_hand(&self, cx: &vox::Context) -> String {
        cx.method().name.to_owned()
    }
    async fn r#match(&self, r#type: u64, cx: &vox::Context, r#fn: &str) -> String {
        let names: Vec<&str> = cx.method().args.iter().map(|arg| arg.name).collect();
        format!("{} {} {} {}", cx.method().name, names.join(" "), r#type, r#fn)
    }
    async fn hostile(
        &self,
        self_: u64,
        call: u64,
        args: u64,
        handler: u64,
        answer: u64,
        slot: u64,
        method: &str,
        reply: u64,
    ) -> u64 {
        let digits = [self_, call, args, handler, answer, slot, method.len() as u64, reply];
        digits.iter().fold(0, |number, digit| 10 * number + digit)
    }
    async fn lent(&self, text: &str, bytes: &[u8]) -> u64 {
        (10 * text.len() + bytes.len()) as u64
    }
    async fn either(&self) -> u64 {
        1
    }
    async fn title(&self) -> &str {
        &self.title
    }
    async fn page(&self, number: u64) -> Result<&[u8], Missing> {
        tokio::task::yield_now().await;
        if number == 1 { Ok(self.title.as_bytes()) } else { Err(Missing::Page(number)) }
    }
    async fn trimmed<'a>(&self, text: &'a str) -> &'a str {
        tokio::task::yield_now().await;
        text.trim()
    }
    async fn longer<'a>(&self, one: &'a [u8], _: &vox::Context, other: &'a [u8]) -> Result<&'a [u8], String> {
        match one.len().cmp(&other.len()) {
            std::cmp::Ordering::Less => Ok(other),
            std::cmp::Ordering::Greater => Ok(one),
            std::cmp::Ordering::Equal => Err("neither".to_owned()),
        }
    }
    async fn alias(&self, number: u64) -> Result<u64, Missing> {
        if number == 1 { Ok(1) } else { Err(Missing::Page(number)) }
    }
    async fn squares(&self, matrix: Matrix<3>, (number, bytes): (u64, [u8; 2])) -> (Matrix<3>, u64) {
        (Matrix { cells: matrix.cells.map(|cell| cell * cell) }, number + u64::from(bytes[1]))
    }
    async fn feeds(&self, feeds: Feeds) -> u64 {
        let Feeds { mut rows, sums } = feeds;
        let mut sum = 0;
        while let Ok(Some(row)) = rows.recv().await {
            sum += row;
            if sums.send(sum).await.is_err() {
                break;
            }
        }
        sums.close();
        sum
    }
    async fn counted(&self, mut count: u64) -> u64 {
        count += 1;
        count
    }
    async fn wide(
        &self,
        a: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        _: u8,
        m: u8,
    ) -> u64 {
        u64::from(a) + u64::from(m)
    }
}

async fn forms() -> FormsClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, FormsDispatcher::new(Shelf { title: "Emma".to_owned() })));
    vox::connect(ours).await.expect("the handshake succeeds")
}

#[tokio::test]
async fn methods_go_by_their_names_on_the_wire() {
    let forms = forms().await;
    assert_eq!(forms.renamed_by_casing().await.as_deref(), Ok("acme.Forms.renamedByCasing"));
    assert_eq!(forms.renamed_by_hand().await.as_deref(), Ok("by-hand"));
}

#[tokio::test]
async fn a_result_is_lent_by_the_handler() {
    let forms = forms().await;
    let title: String = forms.title().await.expect("a title");
    assert_eq!(title, "Emma");
    let page: Vec<u8> = forms.page(1).await.expect("a page");
    assert_eq!(page, b"Emma");
    assert_eq!(forms.page(2).await, Err(VoxError::User(Missing::Page(2))));
}

#[tokio::test]
async fn a_result_is_lent_by_an_argument() {
    let forms = forms().await;
    assert_eq!(forms.trimmed("  näh ").await.as_deref(), Ok("näh"));
    assert_eq!(forms.longer(b"one", b"other").await.as_deref(), Ok(&b"other"[..]));
    assert_eq!(forms.longer(b"one", b"two").await, Err(VoxError::User("neither".to_owned())));
}

#[tokio::test]
async fn arguments_of_every_form_arrive() {
    let forms = forms().await;
    assert_eq!(forms.lent("näh", &[1, 2]).await, Ok(42));
    assert_eq!(forms.either().await, Ok(1));
    let squares = forms.squares(Matrix { cells: [1, 2, 3] }, (40, [0, 2])).await;
    assert_eq!(squares, Ok((Matrix { cells: [1, 4, 9] }, 42)));
    assert_eq!(forms.counted(1).await, Ok(2));
    assert_eq!(forms.wide(40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2).await, Ok(42));
}

#[tokio::test]
async fn pitfall_36_borrowed_arguments_arrays_and_visibility_are_accepted() {
    mod inner {
        #[vox::service]
        pub(crate) trait Inner: std::fmt::Debug {
            async fn get(&self, bytes: &[u8], hash: [u8; 4]) -> u64;
        }
    }
    #[derive(Debug)]
    struct Mine;
    impl inner::Inner for Mine {
        async fn get(&self, bytes: &[u8], hash: [u8; 4]) -> u64 {
            (bytes.len() + hash.len()) as u64
        }
    }
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, inner::InnerDispatcher::new(Mine)));
    let client: inner::InnerClient = vox::connect(ours).await.expect("the handshake succeeds");
    assert_eq!(client.get(&[1, 2], [0; 4]).await, Ok(6));
}

#[tokio::test]
async fn pitfall_37_names_of_arguments_collide_with_nothing() {
    let forms = forms().await;
    assert_eq!(forms.hostile(1, 2, 3, 4, 5, 6, "sevenxx", 8).await, Ok(12_345_678));
    assert_eq!(forms.r#match(7, "x").await.as_deref(), Ok("match type fn 7 x"));
}

#[tokio::test]
async fn pitfall_38_channels_and_results_are_found_by_type() {
    let forms = forms().await;
    let (rows, theirs) = vox::channel();
    let (ours, mut sums) = vox::channel();
    let call = tokio::spawn(forms.feeds(Feeds { rows: theirs, sums: ours }).into_future());
    for (row, sum) in [(1, 1), (2, 3), (3, 6)] {
        rows.send(row).await.expect("the handler reads");
        assert_eq!(sums.recv().await, Ok(Some(sum)));
    }
    rows.close();
    assert_eq!(call.await.expect("no panic"), Ok(6));
    let carries = |name: &str| {
        let mut methods = FormsClient::SERVICE.methods.iter();
        methods.find(|method| method.name == name).expect("a method").has_channels()
    };
    assert!(carries("feeds") && !carries("squares"));
    assert_eq!(forms.alias(2).await, Err(VoxError::User(Missing::Page(2))));
}

/// What the compiler sees of it is in `channel_in_return_alias` and the like among the refusals.
#[test]
fn pitfall_38_a_channel_in_a_field_of_a_result_is_found_before_a_call() {
    #[vox::service]
    trait Stray {
        async fn open(&self) -> Option<Feeds>;
    }
    let error = StrayClient::SERVICE.check().expect_err("a response cannot carry a channel");
    assert_eq!(
        error.to_string(),
        "the response of `Stray::open` cannot cross the wire: `Result::Ok.rows` of type `Rx<u64>` cannot cross the wire: \
         a channel cannot stand inside a response; take it as an argument: `Tx` to send to the caller, `Rx` to receive from it"
    );
}

/// The other half is `name_twice` among the refusals: two methods of one name do not compile.
#[test]
fn pitfall_39_every_method_has_its_own_name_and_id() {
    let mut ids: Vec<_> = FormsClient::SERVICE.methods.iter().map(|method| method.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), FormsClient::SERVICE.methods.len());
}

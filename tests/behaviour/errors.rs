//! What an error says: which call, at whom, and nothing twice; and that `?` takes it wherever it must go.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use vox::{Limits, MethodError, Never, NotSent, Place, Ran, VoxError};

use crate::lab::lab_with;

/// It has a text of its own.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum Refused {
    Closed(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Closed(day) = self;
        write!(f, "closed on {day}")
    }
}

impl Error for Refused {}

/// It has none.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum Bare {
    Missing(u64),
}

#[vox::service]
pub trait Office {
    async fn count(&self) -> u64;
    async fn enter(&self, day: u64) -> Result<u64, Refused>;
    async fn find(&self, id: u64) -> Result<u64, Bare>;
    async fn say(&self) -> Result<(), String>;
    async fn number(&self) -> Result<(), u32>;
    async fn listed(&self) -> Result<(), Vec<u32>>;
    async fn fixed(&self) -> Result<(), Cow<'static, str>>;
    async fn several(&self) -> Result<(), Vec<Option<Cow<'static, str>>>>;
    async fn hang(&self);
}

struct Clerk;

impl Office for Clerk {
    async fn count(&self) -> u64 {
        2
    }
    async fn enter(&self, _: u64) -> Result<u64, Refused> {
        Err(Refused::Closed("Sunday".to_owned()))
    }
    async fn find(&self, id: u64) -> Result<u64, Bare> {
        if id == 7 { Ok(7) } else { Err(Bare::Missing(id)) }
    }
    async fn say(&self) -> Result<(), String> {
        Err("no".to_owned())
    }
    async fn number(&self) -> Result<(), u32> {
        Err(7)
    }
    async fn listed(&self) -> Result<(), Vec<u32>> {
        Err(vec![1, 2])
    }
    async fn fixed(&self) -> Result<(), Cow<'static, str>> {
        Err("never".into())
    }
    async fn several(&self) -> Result<(), Vec<Option<Cow<'static, str>>>> {
        Err(vec![None, Some("late".into())])
    }
    async fn hang(&self) {
        std::future::pending().await
    }
}

async fn office() -> OfficeClient {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, OfficeDispatcher::new(Clerk)));
    vox::connect(ours).await.expect("a session")
}

/// The texts of an error and of what is behind it. None says what another says already.
fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let texts: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(!texts[at + 1..].iter().any(|cause| text.contains(cause)), "{texts:?}");
    }
    texts
}

#[tokio::test]
async fn every_error_type_goes_where_errors_go() {
    async fn all(office: &OfficeClient, which: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        match which {
            0 => office.enter(office.count().await?).await.map(drop)?,
            1 => office.find(office.find(7).await?).await.and(office.find(8).await).map(drop)?,
            2 => office.say().await?,
            3 => office.number().await?,
            4 => office.listed().await?,
            5 => office.fixed().await?,
            6 => office.several().await?,
            _ => office.hang().timeout(Duration::from_millis(1)).await?,
        }
        Ok(())
    }
    let office = office().await;
    let mut found = Vec::new();
    for which in 0..8 {
        let error = all(&office, which).await.expect_err("each fails");
        found.extend(texts(&*error));
    }
    let late = "Office.hang at mem://pair: the deadline passed; whether the call ran is unknown";
    assert_eq!(found, ["closed on Sunday", "Missing(8)", "no", "7", "[1, 2]", "never", "[None, Some(\"late\")]", late]);
}

#[tokio::test]
async fn a_method_without_an_error_fails_like_any_other() {
    async fn together(office: &OfficeClient) -> Result<u64, VoxError<Bare>> {
        let mut found = office.count().await?;
        found += office.find(7).await?;
        office.hang().timeout(Duration::from_millis(1)).await?;
        Ok(found)
    }
    async fn plain(office: &OfficeClient) -> Result<u64, VoxError> {
        let count = office.count().await?;
        Ok(count)
    }
    async fn own(office: &OfficeClient) -> Result<u64, VoxError<std::convert::Infallible>> {
        Ok(office.count().await?)
    }
    let office = office().await;
    assert_eq!((plain(&office).await, own(&office).await), (Ok(2), Ok(2)));
    let error = together(&office).await.expect_err("it hangs");
    assert_eq!(error, VoxError::DeadlineExceeded);
    assert_eq!((error.place().service(), error.place().method()), ("Office", "hang"), "its place came along");
    let wide: VoxError<String> = VoxError::<Never>::Busy.widen();
    let wider: VoxError<u8> = VoxError::<std::convert::Infallible>::Busy.widen();
    assert_eq!((wide, wider), (VoxError::Busy, VoxError::Busy));
}

#[tokio::test]
async fn an_error_says_which_call_at_whom() {
    let server =
        vox::Server::builder().service(OfficeDispatcher::new(Clerk)).bind("tcp://127.0.0.1:0").await.expect("it");
    let office: OfficeClient = vox::connect(server.address()).await.expect("a session");
    let error = office.hang().timeout(Duration::from_millis(1)).await.expect_err("too late");
    let VoxError::DeadlineExceeded { at } = &error else { panic!("{error:?}") };
    assert_eq!((at.service(), at.method(), at.address()), ("Office", "hang", &*server.address()));
    assert_eq!(error.to_string(), format!("{at}: the deadline passed; whether the call ran is unknown"));
    assert!(format!("{error:?}").contains(&server.address()), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_call_that_was_not_sent_says_which() {
    let (lab, _) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let _first = tokio::spawn(lab.hang());
    tokio::task::yield_now().await;
    let error = lab.echo(1).timeout(Duration::from_millis(1)).await.expect_err("no turn");
    assert!(matches!(error, VoxError::NotSent(NotSent::Waited(_))));
    let text = "Lab.echo at mem://pair: the call was not sent: its deadline passed while it waited for a free slot, of which the peer has \
                1 for a connection (its `Limits::max_calls`)";
    assert_eq!(texts(&error), [text]);
    let VoxError::NotSent(why) = error else { panic!("{error:?}") };
    assert_eq!(texts(&why), [text], "it is an error by itself");
    let (lab, _) = lab_with(Limits::default()).await;
    let error = lab.size(&vec![0; 5 << 20]).await.expect_err("too large");
    let VoxError::NotSent(NotSent::TooLarge(why)) = &error else { panic!("{error:?}") };
    assert!(why.contains("argument `bytes` of `Lab::size`"), "{why}");
    assert!(error.to_string().starts_with("Lab.size at mem://pair: the call was not sent: "), "{error}");
    assert_eq!(error.to_string().matches("argument `bytes`").count(), 1);
}

#[test]
fn errors_made_by_hand_are_compared_by_what_happened() {
    let there = VoxError::<Never>::Busy {
        at: Place::new("Office", "find", "tcp://10.0.0.7:9000"),
        short: vox::Shortage::UNKNOWN,
    };
    assert_eq!(there, VoxError::Busy);
    assert_ne!(there, VoxError::Panicked);
    assert_ne!(VoxError::<Never>::StoreUnavailable(Ran::No), VoxError::StoreUnavailable(Ran::Unknown));
    assert_ne!(VoxError::<Never>::InvalidPayload("one".into()), VoxError::InvalidPayload("two".into()));
    assert!(!VoxError::<Never>::Busy.place().is_known());
    assert!(
        there.to_string().starts_with("Office.find at tcp://10.0.0.7:9000: the server is busy: it is past a limit"),
        "{there}"
    );
    assert_eq!(
        [Ran::No, Ran::Yes, Ran::Unknown].map(|ran| ran.to_string()),
        ["it did not run", "it ran to its end", "whether it ran is unknown"]
    );
}

/// One function reports the failure of any call.
#[tokio::test]
async fn a_function_over_the_errors_of_any_call_has_one_bound() {
    fn report<T, E: MethodError>(result: Result<T, VoxError<E>>) -> String {
        result.map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }
    let office = office().await;
    let found = (report(office.count().await), report(office.find(8).await), report(office.say().await));
    assert_eq!(found, (String::new(), "Missing(8)".to_owned(), "no".to_owned()));
}

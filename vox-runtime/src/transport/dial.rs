//! Dialling a target: all its places, side by side, until a peer has answered at one.
//!
//! Places are dialled in order, each a moment after the one before, or as soon as that has failed ("happy eyeballs", RFC 8305). The
//! first that *greets* wins, for a place that takes a link and says nothing is no peer; the others are let go of.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Mutex as TurnMutex;
use tokio::time::Instant;

use super::Link;
use super::dial_target::{DialFuture, DialTarget, Place};
use crate::escaped::Escaped;

/// How long a place is dialled before the next one is as well.
const STAGGER: Duration = Duration::from_millis(250);
/// How long a peer may take to answer before another place is greeted as well. Within it only one is, so that a session is
/// not asked for twice.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is said to a peer once there is a link, and what comes of it.
pub(crate) trait Greeter {
    /// What a peer that answered made of it.
    type Met: Send;
    /// Why a place came to nothing, though there was a link.
    type Error: Send;

    /// Greets.
    fn greet(&self, link: Link) -> impl Future<Output = Result<Self::Met, Self::Error>> + Send;

    /// Whether what went wrong at one place is the answer, so that no other is asked.
    fn is_final(&self, error: &Self::Error) -> bool;
}

/// Why nobody was met.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// No place gave a link whose peer answered in time.
    NoLink(NoLink),
    /// A peer answered, or broke its link, with this error.
    Greeting(E),
}

/// Dials every place of a target, within a time that is theirs together.
pub(crate) async fn dial<G: Greeter + Sync>(
    target: &dyn DialTarget,
    bound: Duration,
    greeter: &G,
) -> Result<G::Met, Failure<G::Error>> {
    let until = Instant::now().checked_add(bound);
    let no_link = |error| Failure::NoLink(NoLink { target: target.name(), tried: vec![(String::new(), error)] });
    let places = match in_time(until, target.places()).await {
        Some(Ok(places)) if places.is_empty() => {
            return Err(no_link(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        Some(Ok(places)) => places,
        Some(Err(error)) => return Err(no_link(error)),
        None => return Err(no_link(late(bound))),
    };
    // However little time there is, every place has its share of it.
    let stagger = STAGGER.min(bound / (places.len() as u32 + 1));
    let turn = TurnMutex::new(());
    let start = |place: Place| (place.name, Box::pin(attempt(place.link, greeter, &turn)) as Trying<'_, _, _>);
    let mut race = Race { running: Vec::new(), tried: Vec::new(), error: None };
    let mut places = places.into_iter();
    loop {
        // Its time has come, or one before it has failed.
        let next = match places.next() {
            Some(place) => {
                race.running.push(start(place));
                Instant::now().checked_add(stagger)
            }
            None if race.running.is_empty() => break,
            None => None,
        };
        let due = earlier(next, until);
        match in_time(due, race.next()).await {
            Some(Attempt::Met(met)) => return Ok(met),
            Some(Attempt::Refused(error)) if greeter.is_final(&error) => return Err(Failure::Greeting(error)),
            Some(Attempt::Refused(error)) => race.error = Some(error),
            Some(Attempt::NoLink(_)) => {}
            None if until.is_some_and(|until| until <= Instant::now()) => break,
            None => {}
        }
    }
    Err(race.failure(target.name(), bound))
}

/// What an attempt at one place came to.
enum Attempt<T, E> {
    Met(T),
    Refused(E),
    NoLink(io::Error),
}

type Trying<'a, T, E> = Pin<Box<dyn Future<Output = Attempt<T, E>> + Send + 'a>>;

/// Dials one place, and greets when it has its turn, or nobody answers who had it before.
async fn attempt<G: Greeter>(link: DialFuture, greeter: &G, turn: &TurnMutex<()>) -> Attempt<G::Met, G::Error> {
    let link = match link.await {
        Ok(link) => link,
        Err(error) => return Attempt::NoLink(error),
    };
    let _turn = tokio::time::timeout(PATIENCE, turn.lock()).await;
    match greeter.greet(link).await {
        Ok(met) => Attempt::Met(met),
        Err(error) => Attempt::Refused(error),
    }
}

/// The attempts under way, and how those before failed.
struct Race<'a, T, E> {
    running: Vec<(String, Trying<'a, T, E>)>,
    /// The places that gave no link.
    tried: Vec<(String, io::Error)>,
    /// Why the last place that did failed.
    error: Option<E>,
}

impl<T, E> Race<'_, T, E> {
    /// Waits for the next attempt to end; for ever, where there is none.
    async fn next(&mut self) -> Attempt<T, E> {
        let (at, ended) = poll_fn(|cx| {
            for (at, (_, trying)) in self.running.iter_mut().enumerate() {
                if let Poll::Ready(ended) = trying.as_mut().poll(cx) {
                    return Poll::Ready((at, ended));
                }
            }
            Poll::Pending
        })
        .await;
        let (name, _) = self.running.remove(at);
        match ended {
            Attempt::NoLink(error) => {
                let kind = error.kind();
                self.tried.push((name, error));
                Attempt::NoLink(kind.into())
            }
            ended => ended,
        }
    }

    fn failure(self, target: String, bound: Duration) -> Failure<E> {
        match self.error {
            Some(error) => Failure::Greeting(error),
            None => {
                let running = self.running.into_iter().map(|(name, _)| (name, late(bound)));
                Failure::NoLink(NoLink { target, tried: self.tried.into_iter().chain(running).collect() })
            }
        }
    }
}

fn late(bound: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {bound:?}"))
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

async fn in_time<T>(until: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match until {
        Some(until) => tokio::time::timeout_at(until, future).await.ok(),
        None => Some(future.await),
    }
}

/// No link could be made to a target: says to which, and how each of its addresses failed.
#[derive(Debug)]
pub struct NoLink {
    target: String,
    /// With no name where the target is all there is.
    tried: Vec<(String, io::Error)>,
}

impl NoLink {
    /// What was meant, as `tcp://bank.example:9000`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Each address that was tried, and why there is no link to it.
    pub fn tried(&self) -> impl Iterator<Item = (&str, &io::Error)> {
        self.tried.iter().map(|(name, error)| (if name.is_empty() { self.target.as_str() } else { name }, error))
    }
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no link to {}", Escaped::new(&self.target))?;
        for (at, (name, error)) in self.tried.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { "; " })?;
            if !name.is_empty() {
                write!(f, "{}: ", Escaped::new(name))?;
            }
            fmt::Display::fmt(&Escaped::new(&said(error)), f)?;
        }
        Ok(())
    }
}

impl std::error::Error for NoLink {}

/// What an error of the system is called, without its number, where it has a name.
fn said(error: &io::Error) -> String {
    let name = error.kind().to_string();
    match error.raw_os_error() {
        // It is of a Unix socket's file.
        Some(_) if error.kind() == io::ErrorKind::NotFound => "no such file".to_owned(),
        Some(_) if !name.contains("uncategorized") && name != "other error" => name,
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::{Arc, Mutex};

    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::super::dial_target::{Finding, tcp_places};
    use super::super::memory_pair;
    use super::*;
    use Does::{Answers, Nothing, Refuses, Says, Silence};

    /// What a place does.
    #[derive(Debug, Clone, Copy)]
    enum Does {
        /// Gives a link after so many milliseconds, whose peer answers after so many more.
        Answers(u64, u64),
        /// Gives a link; its peer says this of it.
        Says(&'static str),
        Refuses(u64),
        /// Takes no notice.
        Nothing,
        /// Gives a link whose peer says nothing.
        Silence,
    }

    #[derive(Debug, Clone)]
    struct Target {
        places: Vec<Does>,
        /// When each place was dialled and greeted, in milliseconds.
        began: Instant,
        dialled: Arc<Mutex<Vec<u128>>>,
        /// Links and attempts that are there.
        alive: Arc<AtomicUsize>,
    }

    impl Target {
        fn new(places: &[Does]) -> Self {
            Self { places: places.into(), began: Instant::now(), dialled: Arc::default(), alive: Arc::default() }
        }

        async fn dial(&self, bound: Duration) -> Result<usize, Failure<&'static str>> {
            dial(self, bound, self).await
        }
    }

    /// Counts for as long as it is there.
    struct Alive(Arc<AtomicUsize>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    impl DialTarget for Target {
        fn name(&self) -> String {
            "tcp://name:1".to_owned()
        }

        fn places(&self) -> Finding<'_> {
            let place = |(at, does): (usize, &Does)| {
                let (does, target) = (*does, self.clone());
                let link = Box::pin(async move {
                    target.dialled.lock().expect("no panic").push(target.began.elapsed().as_millis());
                    target.alive.fetch_add(1, SeqCst);
                    let _alive = Alive(Arc::clone(&target.alive));
                    match does {
                        Answers(after, _) => tokio::time::sleep(Duration::from_millis(after)).await,
                        Refuses(after) => {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                            return Err(io::ErrorKind::ConnectionRefused.into());
                        }
                        Nothing => std::future::pending().await,
                        Silence | Says(_) => {}
                    }
                    let (mut link, _) = memory_pair();
                    link.address = at.to_string();
                    Ok(link)
                });
                Place { name: format!("place {at}"), link }
            };
            Box::pin(async move { Ok(self.places.iter().enumerate().map(place).collect()) })
        }
    }

    impl Greeter for Target {
        type Met = usize;
        type Error = &'static str;

        async fn greet(&self, link: Link) -> Result<usize, &'static str> {
            let at: usize = link.address().parse().expect("a number");
            self.alive.fetch_add(1, SeqCst);
            let _alive = Alive(Arc::clone(&self.alive));
            match self.places[at] {
                Answers(_, after) => tokio::time::sleep(Duration::from_millis(after)).await,
                Says(error) => return Err(error),
                Refuses(_) | Nothing | Silence => std::future::pending().await,
            }
            Ok(at)
        }

        fn is_final(&self, error: &&'static str) -> bool {
            *error == "never"
        }
    }

    const BOUND: Duration = Duration::from_secs(10);

    /// Dials: which place is met, after how many milliseconds, and when each was dialled.
    async fn check(places: &[Does], met: usize, after: u128, dialled: &[u128]) {
        let target = Target::new(places);
        let Ok(found) = target.dial(BOUND).await else { panic!("{places:?}: nobody was met") };
        let seen = target.dialled.lock().expect("no panic").clone();
        assert_eq!((found, target.began.elapsed().as_millis(), &*seen), (met, after, dialled), "{places:?}");
        assert_eq!(target.alive.load(SeqCst), 0, "{places:?}: the others are let go of");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_answers_wins() {
        check(&[Answers(0, 0), Answers(0, 0)], 0, 0, &[0]).await;
        check(&[Refuses(0), Answers(5, 5)], 1, 10, &[0, 0]).await;
        check(&[Nothing, Answers(5, 5)], 1, 260, &[0, 250]).await;
        check(&[Nothing, Nothing, Nothing, Answers(1, 0)], 3, 751, &[0, 250, 500, 750]).await;
        check(&[Answers(300, 0), Answers(100, 0)], 0, 300, &[0, 250]).await;
        check(&[Refuses(100), Nothing, Answers(0, 0)], 2, 350, &[0, 100, 350]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_whose_peer_says_nothing_does_not_win() {
        // The second has its link after 250 ms, and waits a second for the first to be answered.
        check(&[Silence, Answers(0, 0)], 1, 1250, &[0, 250]).await;
        check(&[Silence, Silence, Silence, Answers(0, 0)], 3, 1750, &[0, 250, 500, 750]).await;
        // A peer that is only slow is the one met, and no other is asked.
        check(&[Answers(0, 900), Answers(0, 0)], 0, 900, &[0, 250]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_the_answer_or_not() {
        check(&[Says("not here"), Answers(0, 0)], 1, 0, &[0, 0]).await;
        let failure = Target::new(&[Says("never"), Answers(0, 0)]).dial(BOUND).await;
        assert!(matches!(failure, Err(Failure::Greeting("never"))), "{failure:?}");
        let failure = Target::new(&[Says("not here"), Refuses(7)]).dial(BOUND).await;
        assert!(matches!(failure, Err(Failure::Greeting("not here"))), "{failure:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn every_place_has_its_share_of_the_time_and_is_named() {
        let target = Target::new(&[Refuses(0), Nothing, Silence, Refuses(1)]);
        let Err(Failure::NoLink(why)) = target.dial(Duration::from_millis(100)).await else {
            panic!("nobody is there")
        };
        assert_eq!(target.began.elapsed().as_millis(), 100);
        assert_eq!(*target.dialled.lock().expect("no panic"), [0, 0, 20, 40]);
        assert_eq!(
            why.to_string(),
            "no link to tcp://name:1: place 0: connection refused; place 3: connection refused; \
             place 1: no answer in 100ms; place 2: no answer in 100ms"
        );
    }

    /// A name that the resolver knows these addresses of.
    #[derive(Debug)]
    struct Name(Vec<SocketAddr>);

    impl DialTarget for Name {
        fn name(&self) -> String {
            "tcp://name:1".to_owned()
        }

        fn places(&self) -> Finding<'_> {
            Box::pin(async { Ok(tcp_places(self.0.iter().copied())) })
        }
    }

    /// Takes any link for a peer, and says where it leads.
    struct Glad;

    impl Greeter for Glad {
        type Met = String;
        type Error = Never;

        async fn greet(&self, link: Link) -> Result<String, Never> {
            Ok(link.address().to_owned())
        }

        fn is_final(&self, _: &Never) -> bool {
            false
        }
    }

    #[derive(Debug)]
    enum Never {}

    /// Somebody listens at `live`, and nobody at the others, whose ports were free a moment ago.
    async fn check_sockets(live: &str, dead: &[&str]) {
        let Ok(listener) = TcpListener::bind(live).await else {
            return eprintln!("skipped: this machine has no {live}");
        };
        let live = listener.local_addr().expect("it is bound");
        let mut refused = Vec::new();
        for dead in dead {
            match TcpListener::bind(dead).await {
                Ok(gone) => refused.push(gone.local_addr().expect("it was bound")),
                Err(error) => eprintln!("left out: this machine has no {dead}: {error}"),
            }
        }
        // The dead first, then the live one; and the other way about.
        for names in [[&refused[..], &[live]].concat(), [&[live], &refused[..]].concat()] {
            let met = dial(&Name(names.clone()), BOUND, &Glad).await;
            assert_eq!(met.ok(), Some(format!("tcp://{live}")), "{names:?}");
        }
        drop(listener);
        let Err(Failure::NoLink(why)) = dial(&Name([&refused[..], &[live]].concat()), BOUND, &Glad).await else {
            panic!("nobody listens any more")
        };
        let tried: Vec<_> = why.tried().map(|(name, error)| (name.to_owned(), error.kind())).collect();
        let expected = refused.iter().chain([&live]).map(|dead| (dead.to_string(), io::ErrorKind::ConnectionRefused));
        let (mut tried, mut expected) = (tried, expected.collect::<Vec<_>>());
        tried.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(tried, expected, "each is named: {why}");
        assert!(why.to_string().starts_with("no link to tcp://name:1: "), "{why}");
    }

    #[tokio::test]
    async fn a_name_with_two_real_addresses_is_reached_at_the_one_where_somebody_listens() {
        check_sockets("127.0.0.1:0", &["[::1]:0"]).await;
        check_sockets("[::1]:0", &["127.0.0.1:0"]).await;
        check_sockets("127.0.0.1:0", &["127.0.0.1:0", "[::1]:0", "127.0.0.1:0"]).await;
    }
}

//! Supertraits stay on the trait that is implemented; the dispatcher does not get in their way.

pub trait Named {
    fn name(&self) -> String;
}

#[vox::service]
pub trait Greeter: Named + std::fmt::Debug + AsRef<str> + Send + 'static {
    async fn greet(&self) -> String;
}

#[derive(Debug)]
struct Mine;

impl Named for Mine {
    fn name(&self) -> String {
        "Ann".to_owned()
    }
}

impl AsRef<str> for Mine {
    fn as_ref(&self) -> &str {
        "Ann"
    }
}

impl Greeter for Mine {
    async fn greet(&self) -> String {
        format!("{} {self:?}", self.name())
    }
}

fn uses<G: Greeter>(greeter: &G) -> String {
    greeter.name()
}

fn main() {
    assert_eq!(uses(&Mine), "Ann");
    let _ = GreeterDispatcher::new(Mine);
}

//! The choice that the server's own code makes for a connection that a peer asks for.

use std::future::Future;

use super::listen::ServerBuilder;
use crate::client::Session;
use crate::driver::{AcceptWith, Choice, Offer};
use crate::error::Refusal;

impl Offer {
    /// The session that asks, to call the peer back. `None` where the connection is asked for together with the session, by
    /// [`connect`](fn@crate::connect): there is a session only once the answer is known. Holding it keeps the session open.
    pub fn session(&self) -> Option<Session> {
        self.shared.as_ref().map(|shared| Session::hold(shared, None))
    }
}

impl ServerBuilder {
    /// Asks, of every connection that a peer asks for, what serves it: a dispatcher of the server's own
    /// ([`Choice::usual`]), one for that connection alone, or nothing, with a reason that the peer reads. Without this every peer gets the
    /// services that were given to [`service`](Self::service).
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use vox::dynamic::{DynamicDispatcher, MethodSpec, ServiceType};
    /// use vox::value::Value;
    /// use vox::{Choice, Refusal, RefusalCode, Server};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let whose = MethodSpec::new("whose").returns::<String, String>()?;
    /// let till = ServiceType::builder("Till").method(whose).build()?;
    /// let known = till.clone();
    /// let server = Server::builder()
    ///     .accept_with(move |offer| {
    ///         let till = known.clone();
    ///         async move {
    ///             if offer.service() != till.name() {
    ///                 return Ok(Choice::usual());
    ///             }
    ///             let Some(tenant) = offer.metadata().get("tenant").map(str::to_owned) else {
    ///                 return Err(Refusal::new(RefusalCode::Unauthorized, "name a `tenant` in the metadata"));
    ///             };
    ///             let whose = move |_| std::future::ready(Ok(Value::from(&*tenant)));
    ///             Ok(Choice::serve(DynamicDispatcher::new(till).method("whose", whose)))
    ///         }
    ///     })
    ///     .bind("mem://tenants")
    ///     .await?;
    ///
    /// let session = vox::Session::connect("mem://tenants").await?;
    /// let refused = session.open_dynamic(&till).await.expect_err("it names no tenant");
    /// assert_eq!(refused.to_string(), "mem://tenants refused: name a `tenant` in the metadata");
    /// let mut metadata = vox::Metadata::new();
    /// metadata.insert("tenant", "acme");
    /// let client = session.open_dynamic_with(&till, metadata).await?;
    /// assert_eq!(client.call_json("whose", "{}")?.await?, Value::from("acme"));
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// The closure runs in a task of its own, and holds up nothing of the session but that one connection. The answer may take nine tenths of
    /// `Limits::handshake_timeout`, in a handshake together with that of [`authenticate`](Self::authenticate). A connection for which it takes
    /// longer, or for which the closure panics, is refused as `Busy`. One whose dispatcher cannot be served is refused as `Other`. A connection that
    /// waits for its answer counts for `Limits::max_connections` of its session, and what is kept of it counts for `Limits::session_memory`. A
    /// service whose name has more than 1,024 bytes is refused, and the closure is not asked.
    ///
    /// A dispatcher is dropped when its connection is closed and its handlers have ended. [`describe`](Self::describe) tells of what was given
    /// to [`service`](Self::service) alone.
    pub fn accept_with<F, A, C>(mut self, choose: F) -> Self
    where
        F: Fn(Offer) -> A + Send + Sync + 'static,
        A: Future<Output = Result<C, Refusal>> + Send + 'static,
        C: Into<Choice>,
    {
        self.accept_with = Some(AcceptWith::new(choose));
        self
    }
}

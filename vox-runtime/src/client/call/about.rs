//! What a call's errors say about the call.

use super::Call;
use crate::error::{CallError, Clocks, EndReason, Place, VoxError};

impl<T, E> Call<T, E> {
    /// The error, with which call it is about and, where its operation's id is out of date, both times.
    pub(super) fn about(&self, error: VoxError<E>) -> VoxError<E> {
        error.placed(|| self.place()).timed(|| self.clocks())
    }

    /// Whether it ran is unknown: says how its session ended, or its connection alone.
    #[cold]
    pub(super) fn indeterminate(&self) -> VoxError<E> {
        let handle = self.handle();
        let state = handle.shared().lock();
        let session = state.session.end_reason();
        VoxError::indeterminate(match session {
            Some(lost @ EndReason::Lost(_)) => lost.to_string(),
            Some(how) => format!("the session has ended: {how}"),
            None => match state.session.connection_end(handle.connection()) {
                Some(how) => format!("the connection has ended: {how}"),
                None => match self.retry.refused() {
                    Some(why) => format!("its session was lost, and sent again it did not run: {why}"),
                    None => "the call has no outcome here".to_owned(),
                },
            },
        })
    }

    /// The same call, whose error says which call it is, also where that is the method's own error, which says nothing of the call by itself.
    /// What the call is to be told, it is told before.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # #[vox_macros::service(crate = vox_runtime)]
    /// # trait Bank { async fn withdraw(&self, cents: u64) -> Result<u64, String>; }
    /// # async fn pay(bank: &BankClient) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    /// // "Bank.withdraw at tcp://10.0.0.7:9000: too little money"
    /// let left = bank.withdraw(700).with_place().await?;
    /// # Ok(left)
    /// # }
    /// ```
    #[must_use = "a call is made when it is awaited"]
    pub async fn with_place(mut self) -> Result<T, CallError<E>> {
        let result = (&mut self).await;
        result.map_err(|error| CallError::new(self.place(), error))
    }

    /// Which call it is: its service, its method, and the address of the peer.
    pub fn place(&self) -> Place {
        Place::new(self.method.service, self.method.name, self.handle().shared().peer.address())
    }

    /// What time its operation's id says, and what time it is by the server's clock.
    fn clocks(&self) -> Clocks {
        let server = self.handle().shared().peer_time();
        self.operation.map_or(Clocks::UNKNOWN, |named| Clocks::new(named.id.time(), server))
    }
}

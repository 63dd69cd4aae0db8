//! Scripted handlers: what they do, when they end and how.

use bytes::Bytes;

use super::model::{Effect, response};
use super::server::{Where, method, schema};
use super::store::Job;
use super::world::World;
use crate::descriptor::RetryPolicy;
use crate::ids::{ConnectionId, RequestId};
use crate::operation::{Fence, OperationKey, Outcome};
use crate::proto::{HandlerEnd, OperationEnd, Request, StoreFailed};
use crate::wire::{Failure, Payload};

/// A handler that was started.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) number: u64,
    pub(super) session: u64,
    pub(super) connection: ConnectionId,
    pub(super) request: RequestId,
    pub(super) policy: RetryPolicy,
    /// Its operation, whose that is, and under which admission.
    pub(super) operation: Option<(Where, OperationKey, Fence)>,
    /// `None`: it will refuse, which is not to have run.
    pub(super) execution: Option<usize>,
    pub(super) effect: Effect,
    pub(super) aborted: bool,
    /// It waits for its transaction.
    pub(super) writing: Option<Bytes>,
}

/// How a handler ends.
#[derive(Debug)]
enum Ending {
    Returns(Bytes),
    Panics,
    Refuses,
    Aborted,
}

impl World {
    /// Starts a handler.
    pub(super) fn start(
        &mut self,
        p: usize,
        session: u64,
        request: Request,
        operation: Option<(Where, OperationKey, Fence)>,
    ) {
        self.check_request(&request);
        let refuses = self.rng.percent(8);
        let known = operation.as_ref().map(|(place, key, _)| (key, *place == Where::Process));
        let execution = match refuses {
            true => None,
            false => Some(self.model.started(session, request.request, &request.payload, known)),
        };
        let intention = self.model.intention_of(session, request.request);
        let policy = method(&request).policy;
        self.numbers += 1;
        let handler = Handler {
            number: self.numbers,
            session,
            connection: request.connection,
            request: request.request,
            policy,
            operation,
            execution,
            effect: if policy.persist { self.model.intentions[intention].effect } else { Effect::None },
            aborted: false,
            writing: None,
        };
        self.note("starts", &[p as u64, session, handler.number], &handler.execution);
        self.processes[p].handlers.push(handler);
        if self.rng.percent(50) {
            self.handler_goes_on(p, self.processes[p].handlers.len() - 1);
        }
    }

    /// A handler reaches its end, or its transaction.
    pub(super) fn handler_step(&mut self, p: usize) {
        if self.processes[p].handlers.is_empty() {
            return;
        }
        let at = self.rng.below(self.processes[p].handlers.len());
        self.handler_goes_on(p, at);
        self.pump(p);
    }

    fn handler_goes_on(&mut self, p: usize, at: usize) {
        let handler = &mut self.processes[p].handlers[at];
        if handler.writing.is_some() {
            return;
        }
        let Some(execution) = handler.execution else { return self.end_handler(p, at, Ending::Refuses) };
        if handler.aborted && self.rng.percent(80) {
            return self.end_handler(p, at, Ending::Aborted);
        }
        if self.rng.percent(10) {
            return self.end_handler(p, at, Ending::Panics);
        }
        let len = if self.rng.percent(95) { self.rng.below(40) } else { 5_000 };
        let payload = Bytes::from(response(execution, self.rng.percent(20), len));
        let (number, effect) = (handler.number, handler.effect);
        let Some((Where::Process, key, fence)) = handler.operation.clone().filter(|_| effect != Effect::None) else {
            return self.end_handler(p, at, Ending::Returns(payload));
        };
        handler.writing = Some(payload.clone());
        let seal = Outcome { bytes: payload.clone(), schema: schema() };
        let seal = (effect == Effect::WithSeal).then_some(seal);
        if seal.is_some() {
            // Once it is committed it is what the call is answered, whatever the handler says then.
            self.model.may_return(execution, payload);
        }
        self.ask_store(p, Job::Transaction { handler: number, key, fence, seal });
    }

    /// A handler's transaction is committed, or it is not known to be.
    pub(super) fn transacted(&mut self, p: usize, number: u64, result: Result<(), StoreFailed>) {
        let Some(at) = self.processes[p].handlers.iter().position(|handler| handler.number == number) else { return };
        let handler = &mut self.processes[p].handlers[at];
        let payload = handler.writing.take().expect("a handler that waits");
        let execution = handler.execution.expect("a handler that runs");
        let ending = match result {
            Ok(()) if self.rng.percent(90) => Ending::Returns(payload),
            Err(StoreFailed) if self.rng.percent(50) => Ending::Returns(response(execution, true, 3).into()),
            _ => Ending::Panics,
        };
        self.end_handler(p, at, ending);
    }

    fn end_handler(&mut self, p: usize, at: usize, ending: Ending) {
        let handler = self.processes[p].handlers.swap_remove(at);
        self.note("ends", &[p as u64, handler.number], &ending);
        if let Some(execution) = handler.execution {
            match &ending {
                Ending::Returns(payload) => self.model.returned(execution, payload.clone()),
                Ending::Panics => self.model.panicked(execution),
                Ending::Refuses | Ending::Aborted => self.model.stopped(execution),
            }
        }
        let invalid = || Failure::InvalidPayload("scripted".to_owned());
        match handler.operation {
            None => {
                let mut payload = Payload::default();
                let end = match ending {
                    Ending::Returns(bytes) => {
                        payload.encoded.extend_from_slice(&bytes);
                        HandlerEnd::Returned(&mut payload)
                    }
                    Ending::Panics => HandlerEnd::Failed(Failure::Panicked),
                    Ending::Refuses => HandlerEnd::Failed(invalid()),
                    Ending::Aborted => HandlerEnd::Aborted,
                };
                self.served(p, handler.session).session.handler_ended(handler.connection, handler.request, end);
            }
            Some((place, key, fence)) => {
                let end = match ending {
                    Ending::Returns(bytes) => OperationEnd::Returned(Outcome { bytes, schema: schema() }),
                    Ending::Panics => OperationEnd::Broken(Failure::Panicked),
                    Ending::Refuses => OperationEnd::Refused(invalid()),
                    Ending::Aborted => OperationEnd::Broken(Failure::Cancelled),
                };
                self.table(p, place).operations.handler_ended(&key, fence, end);
            }
        }
    }
}

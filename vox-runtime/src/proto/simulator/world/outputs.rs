//! What comes out of a session, held against what was promised.

use super::super::super::testing::{PERSIST, SERVICE, VOLATILE};
use super::super::super::{CallEnd, ChannelEnd, HandlerEnd, Output, Request, Token};
use super::super::end::Handler;
use super::World;
use crate::error::{EndReason, Refusal, RefusalCode, Short};
use crate::ids::ConnectionId;
use crate::limits::Refused;
use crate::wire::Reader;

impl World {
    pub(super) fn on_output(&mut self, e: usize, output: Output) {
        let end = &mut self.ends[e];
        match output {
            Output::Opened { token, result } => {
                let known = end.opening.remove(&token).expect("an open that waits");
                self.note(e, "opened", &[known.into(), result.is_ok().into()]);
                match result {
                    Ok(connection) => {
                        assert!(known, "a service that does not exist");
                        self.ends[e].calling.insert(connection);
                    }
                    Err(refusal) => {
                        assert!(!known || matches!(refusal.code, RefusalCode::Other | RefusalCode::Busy), "{refusal}");
                    }
                }
            }
            Output::Offered { connection, service, contract, .. } => {
                if service == SERVICE.name {
                    let heard = contract.and_then(|named| end.heard.get(SERVICE.contract().hash(), named.hash));
                    end.session.accept(connection, 0, &SERVICE, contract, heard);
                    end.serving.insert(connection);
                } else {
                    end.session.refuse(connection, Refusal::new(RefusalCode::UnknownService, "no"));
                }
                self.note(e, "offered", &[connection.0]);
            }
            Output::Dispatch(request) => self.on_dispatch(e, request),
            Output::AbortHandler { connection, request, nth } => {
                let handler = end.handlers.get_mut(&(connection, request)).expect("a handler that runs");
                assert_eq!(nth, handler.nth, "another dispatch");
                assert!(!std::mem::replace(&mut handler.aborted, true), "a handler was aborted twice");
                assert!(!self.calls[handler.call].persist, "a handler that runs to its end was aborted");
                let noted = handler.call as u64;
                self.note(e, "abort", &[noted]);
            }
            Output::Withdraw { connection, request, nth, failure, runs_on } => {
                let handler = &end.handlers[&(connection, request)];
                assert_eq!(nth, handler.nth, "another dispatch");
                assert!(self.calls[handler.call].persist && runs_on, "it is no operation");
                let noted = handler.call as u64;
                end.session.detach(connection, request, HandlerEnd::Failed(failure));
                self.note(e, "withdraw", &[noted]);
            }
            Output::Acknowledged { .. } => panic!("nobody acknowledges anything"),
            Output::Finish { token, end } => self.on_finish(e, token, end),
            Output::Deliver { token, items } => self.on_deliver(e, token, &items),
            Output::ReceiverEnded { token, end: how } => self.on_half_ended(e, token, &how, false),
            Output::SenderEnded { token, end: how } => self.on_half_ended(e, token, &how, true),
            Output::GrantPermits { token } => match end.halves.get_mut(&token) {
                Some(half) => {
                    assert!(half.sends, "credit for a receiver");
                    half.waits = false;
                }
                // What a long item that has left gives back is told once the write is over.
                None => assert!(end.let_go.contains(&token), "credit for a half that nobody holds"),
            },
            Output::ConnectionEnded { connection } => {
                assert!(end.calling.remove(&connection) || end.serving.remove(&connection));
                let handlers = end.handlers.iter().filter(|((on, _), _)| *on == connection);
                for (_, handler) in handlers {
                    assert!(handler.aborted || self.calls[handler.call].persist, "a handler was forgotten");
                }
                self.note(e, "connection ended", &[connection.0]);
            }
            Output::Refused { what, short } => self.on_refused(e, what, short),
            Output::Heard { ours, theirs } => {
                end.heard.keep(ours, &theirs);
                self.note(e, "heard", &[theirs.bytes().len() as u64]);
            }
            Output::Room => end.waits = None,
            Output::LinkDown(_) => self.detach(e),
            Output::Ended(reason) => self.on_ended(e, reason),
        }
    }

    /// It is said which limit is short, and that it is.
    fn on_refused(&mut self, e: usize, what: Refused, short: Short) {
        assert!(short.of().is_some(), "{what:?} for no limit");
        let waits = matches!(what, Refused::Reading | Refused::Handlers);
        assert!(waits || short.needed > short.limit, "{what:?} though {short}");
        self.note(e, "refused", &[what as u64, short.needed]);
    }

    fn on_dispatch(&mut self, e: usize, request: Request) {
        let (index, _) = request.payload.split_first_chunk().expect("a payload with a call's index");
        let index = u64::from_le_bytes(*index) as usize;
        let call = &mut self.calls[index];
        call.dispatch();
        assert_eq!((call.by, call.connection, call.request), (1 - e, request.connection, request.request));
        assert_eq!(call.payload, request.payload);
        assert_eq!(request.method, if call.persist { PERSIST } else { VOLATILE });
        assert_eq!(request.deadline.is_some(), call.deadline.is_some());
        let ids = call.channels.iter().map(|c| (self.channels[*c].id, self.channels[*c].direction));
        assert!(ids.eq(request.channels.iter().map(|open| (open.id, open.direction))), "other channels");
        let handler = Handler {
            call: index,
            nth: self.ends[e].dispatched,
            unbound: call.channels.iter().rev().copied().collect(),
            deadline: request.deadline,
            aborted: false,
        };
        let end = &mut self.ends[e];
        end.dispatched += 1;
        assert!(end.serving.contains(&request.connection), "a call on a connection that is not served");
        end.handlers.insert((request.connection, request.request), handler);
        let volatile =
            |key: &&(ConnectionId, _)| key.0 == request.connection && !self.calls[end.handlers[*key].call].persist;
        let running = end.handlers.keys().filter(volatile).count();
        assert!(running <= end.limits.max_calls, "{running} handlers, over {}", end.limits.max_calls);
        self.note(e, "dispatch", &[index as u64]);
    }

    fn on_finish(&mut self, e: usize, token: Token, end: CallEnd) {
        let index = self.ends[e].calls.remove(&token).expect("a call that waits");
        self.ends[e].session.reply_taken(token);
        let how = match &end {
            CallEnd::Reply(_) => 0,
            CallEnd::DeadlineExceeded => 1,
            CallEnd::Indeterminate => 2,
            CallEnd::NeverLeft(_) => 3,
            CallEnd::NeverLeftInTime => 4,
        };
        self.note(e, "finish", &[index as u64, how]);
        self.calls[index].finish(end, self.now);
    }

    fn on_deliver(&mut self, e: usize, token: Token, items: &[u8]) {
        let half = self.ends[e].halves.get(&token).expect("a half that is held");
        assert!(!half.sends, "items for a sender");
        let channel = &mut self.channels[half.channel];
        assert_eq!(channel.sender, 1 - e);
        let mut reader = Reader::new(items);
        assert!(reader.remaining() > 0, "a run of no items");
        while reader.remaining() > 0 {
            let item = reader.varint("length").and_then(|len| reader.take(len, "item")).expect("a whole item");
            channel.deliver(item);
        }
        let noted = [half.channel as u64, items.len() as u64];
        self.note(e, "deliver", &noted);
    }

    fn on_half_ended(&mut self, e: usize, token: Token, how: &ChannelEnd, sends: bool) {
        let half = self.ends[e].halves.remove(&token).expect("a half that is held");
        assert_eq!(half.sends, sends);
        if !sends {
            self.take_rest(e, token, half.channel);
        }
        let channel = &self.channels[half.channel];
        if sends {
            channel.sender_ended(how)
        } else {
            channel.receiver_ended(how)
        }
        let how = match how {
            ChannelEnd::Closed(_) => 0,
            ChannelEnd::Reset(_) => 1,
            ChannelEnd::Lost(_) => 2,
        };
        self.note(e, "half ended", &[half.channel as u64, how]);
    }

    /// The holder of a receiver that has ended takes some of what came on it, and lets go of it.
    fn take_rest(&mut self, e: usize, token: Token, index: usize) {
        let channel = &mut self.channels[index];
        let end = channel.consumed + self.rng.below(channel.delivered - channel.consumed + 1);
        let bytes: usize = channel.sent[channel.consumed..end].iter().sum();
        let (connection, count) = (self.calls[channel.call].connection, (end - channel.consumed) as u32);
        let session = &mut self.ends[e].session;
        session.consumed(self.now, connection, (channel.id, token), count, bytes as u64);
        session.check_memory();
        session.let_go(token);
        session.check_memory();
    }

    fn on_ended(&mut self, e: usize, reason: EndReason) {
        let end = &mut self.ends[e];
        assert!(end.calls.is_empty(), "calls without an end: {:?}", end.calls);
        assert!(end.opening.is_empty() && end.halves.is_empty(), "somebody was not told of the end");
        for handler in end.handlers.values() {
            assert!(handler.aborted || self.calls[handler.call].persist, "a handler was forgotten");
        }
        end.ended = Some(reason);
        assert_eq!(end.session.poll_timeout(), None, "a timer runs after the end");
        assert!(!end.session.has_connections());
        self.note(e, "ended", &[]);
    }
}

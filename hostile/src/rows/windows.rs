//! Windows that have grown: of one channel, and of all channels of a session.

use std::collections::BTreeMap;
use std::time::Duration;

use super::messages::varint;
use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{join, measured, send};
use crate::raw::{self, Frame, Raw, call_with, frame};
use crate::row::{Local, Row};
use crate::victim::Victim;

/// What a window has before it grows.
const AT_FIRST: u64 = 64 << 10;
/// What it may grow to here, and what all windows of a session may grow by.
const GROWN: u64 = 1 << 20;
const OF_SESSION: u64 = 2 << 20;
/// What a burst is made of: the bytes of an item.
const ITEM: u64 = 8 << 10;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene(
            "max_channel_bytes, grown (here 1 MiB)",
            "a window that has grown but a byte, and {n} of a byte",
            one,
        )
        .with(|setting| setting.limits.max_channel_bytes = GROWN as u32)
        .bound(1, Answer::Violation(8))
        .memory(3 << 20)
        .slow("what fills the windows is taken before"),
        Row::scene("connection window (here 2 MiB beside)", "all that the windows of {n} channels have grown to", all)
            .with(|setting| setting.limits.session_memory = 2 * OF_SESSION as usize)
            .case("under", 1, Answer::Fine)
            .case("over", 12, Answer::Fine)
            .memory(5 << 20)
            .slow("what fills the windows is taken before"),
    ]
}

/// What may be sent on each channel, in bytes, by what was granted.
struct Credit(BTreeMap<u64, u64>);

impl Credit {
    fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// Hears what is granted, until nothing comes for a while.
    async fn hear(&mut self, raw: &mut Raw, quiet: Duration) -> Result<(), Answer> {
        while let Ok(read) = tokio::time::timeout(quiet, raw.read()).await {
            let read = read.ok_or(Answer::Closed)?;
            let mut fields = read.reader();
            match read.kind {
                raw::CREDIT => {
                    let (_, channel, _, bytes) = (fields.var(), fields.var(), fields.var(), fields.var());
                    *self.0.entry(channel).or_default() += bytes;
                }
                raw::VIOLATION => return Err(Answer::Violation(fields.u8())),
                _ => {}
            }
        }
        Ok(())
    }

    /// Items that leave so much of a channel's credit.
    fn spend(&mut self, channel: u64, rest: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(credit) = self.0.get_mut(&channel).filter(|credit| **credit > rest) {
            let len = ITEM.min(*credit - rest);
            *credit -= len;
            frames.push(item(channel, len));
        }
        frames
    }

    /// Sends in bursts, each some milliseconds after the last, as over a link that is long and fast: so the window grows, until it has so much or
    /// grows no more.
    async fn grow(&mut self, raw: &mut Raw, channel: u64, to: u64) -> Result<(), Answer> {
        for _ in 0..60 {
            if self.0.get(&channel).is_some_and(|credit| *credit >= to) {
                break;
            }
            // A byte of credit stays, so that one that is not granted more can still be told to stop.
            let burst: Vec<u8> = self.spend(channel, 1).iter().flat_map(Frame::wire).collect();
            tokio::time::sleep(Duration::from_millis(3)).await;
            raw.try_write(&burst).await;
            self.hear(raw, Duration::from_millis(6)).await?;
        }
        Ok(())
    }
}

/// An item whose bytes, with their length before them, are so many.
fn item(channel: u64, len: u64) -> Frame {
    let items = frame(raw::ITEMS).var(1).var(channel).var(len);
    match len {
        1 => items.u8(0),
        _ => {
            let inner = len - varint(len - 2).len() as u64;
            items.var(inner).bytes(&vec![7; inner as usize])
        }
    }
}

/// Opens so many channels, lets all their windows grow, and has no more taken of them.
async fn grown(raw: &mut Raw, channels: u64, to: u64) -> Result<Credit, Answer> {
    let mut credit = Credit((0..channels).map(|n| (2 * n + 1, AT_FIRST)).collect());
    for n in 0..channels {
        raw.try_write(&call_with(1, 2 * n + 1, "Prey.sip", &[(2 * n + 1, 0)], &[0]).wire()).await;
    }
    for n in 0..channels {
        credit.grow(raw, 2 * n + 1, to).await?;
    }
    for n in 0..channels {
        *credit.0.entry(2 * n + 1).or_default() -= 1;
        raw.try_write(&item(2 * n + 1, 1).wire()).await;
    }
    credit.hear(raw, Duration::from_millis(50)).await?;
    Ok(credit)
}

fn one(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        let mut credit = match grown(&mut raw, 1, GROWN * 3 / 4).await {
            Ok(credit) => credit,
            Err(answer) => return answer,
        };
        if !(GROWN / 2..=GROWN).contains(&credit.sum()) {
            return Answer::Wrong;
        }
        let all_but_one = credit.spend(1, 1);
        send(&mut raw, all_but_one.into_iter().chain((0..n).map(|_| item(1, 1))), 0).await
    }))
}

fn all(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        let mut credit = match grown(&mut raw, n, GROWN / 2).await {
            Ok(credit) => credit,
            Err(answer) => return answer,
        };
        if !(n * AT_FIRST + AT_FIRST..=n * AT_FIRST + OF_SESSION).contains(&credit.sum()) {
            return Answer::Wrong;
        }
        let all: Vec<_> = (0..n).flat_map(|n| credit.spend(2 * n + 1, 0)).collect();
        send(&mut raw, all, 0).await
    }))
}

//! Saying once that a channel waits, and for what: no channel waits for ever in silence. Calls that wait for a limit are in `patience`.

use std::time::{Duration, Instant};

use crate::descriptor::MethodDescriptor;
use crate::ids::{ChannelId, ConnectionId, RequestId};

/// How long a half of a channel, or a call for its turn, waits before that is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// How a wait stands that says so once.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) enum Wait {
    #[default]
    Not,
    Since(Instant),
    /// It was said.
    Told,
}

/// A sender whose call is under way. The handler may wait for an item of it or for its end, and its holder for the call.
#[derive(Debug)]
pub(super) struct Upload {
    /// When its call was sent, or the last look that found it used.
    pub(super) since: Instant,
    /// Something was sent since the last look.
    pub(super) is_used: bool,
    /// Something was sent before that.
    pub(super) was_used: bool,
    /// The longest time between two sends, to a look.
    pub(super) pause: Duration,
    pub(super) method: &'static MethodDescriptor,
    pub(super) connection: ConnectionId,
    pub(super) request: RequestId,
    pub(super) channel: ChannelId,
}

/// How a session looks after its uploads.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// When it looks next.
    pub(super) look: Option<Instant>,
    /// The methods of which it was said that an upload stands still, which is said once: a feed of rare events does the same.
    pub(super) told: Vec<&'static MethodDescriptor>,
}

/// How often uploads are looked at. A send leaves no more than a mark, so it is known to a look when it was.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// An upload that paused is given so many times that pause.
const PAUSES: u32 = 3;

impl Upload {
    /// How it stands now. `Some`: it has stood still for so long.
    pub(super) fn stands(&mut self, now: Instant, is_busy: bool) -> Option<Duration> {
        let idle = now.saturating_duration_since(self.since);
        if self.is_used && self.was_used {
            self.pause = self.pause.max(idle);
        }
        if self.is_used || is_busy {
            self.was_used |= self.is_used;
            (self.since, self.is_used) = (now, false);
            return None;
        }
        // Looks that find it used are a look apart, which is no pause.
        let pause = self.pause.saturating_sub(LOOK);
        let most = if self.was_used { PATIENCE.max(PAUSES * pause) } else { PATIENCE };
        (idle >= most).then_some(idle)
    }
}

impl Wait {
    /// It waits, now too. `true`: for so long that it is to be said, which it is not again.
    pub(crate) fn on(&mut self, now: Instant) -> bool {
        match *self {
            Self::Not => *self = Self::Since(now),
            Self::Since(since) if since + PATIENCE <= now => {
                *self = Self::Told;
                return true;
            }
            Self::Since(_) | Self::Told => {}
        }
        false
    }

    /// When it is to be said.
    pub(crate) fn due(self) -> Option<Instant> {
        match self {
            Self::Since(since) => Some(since + PATIENCE),
            Self::Not | Self::Told => None,
        }
    }

    /// It got on.
    pub(crate) fn off(&mut self) {
        if let Self::Since(_) = self {
            *self = Self::Not;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence;

    static METHOD: MethodDescriptor = evidence::method(7, "Bank", "import");

    fn upload(since: Instant) -> Upload {
        Upload {
            since,
            is_used: false,
            was_used: false,
            pause: Duration::ZERO,
            method: &METHOD,
            connection: ConnectionId(1),
            request: RequestId(1),
            channel: ChannelId(1),
        }
    }

    /// Looks for a minute at an upload that is used just after these seconds. Gives after how many seconds it is said that it stands still.
    #[track_caller]
    fn check(used: impl IntoIterator<Item = u32>, said: Option<f64>) {
        let (begin, mut used) = (Instant::now(), used.into_iter().peekable());
        let mut upload = upload(begin);
        let found = (1..=120).map(|look| LOOK * look).find(|time| {
            while let Some(second) = used.next_if(|second| Duration::from_secs((*second).into()) < *time) {
                upload.is_used = second < 60;
            }
            upload.stands(begin + *time, false).is_some()
        });
        assert_eq!(found.map(|found| found.as_secs_f64()), said);
    }

    #[test]
    fn an_upload_that_stands_still_is_found_within_five_seconds_of_its_last_item() {
        check([], Some(4.0));
        check([0], Some(4.5));
        check(0..10, Some(13.5));
        check([0, 1, 2, 10], Some(6.5));
    }

    #[test]
    fn an_upload_that_pauses_is_given_time_by_its_longest_pause() {
        check((0..60).step_by(2), None);
        check((0..60).step_by(4), None);
        check([0, 4, 8], Some(19.0));
        check([0, 2, 4], Some(9.0));
    }

    #[test]
    fn an_upload_that_cannot_leave_does_not_stand_still() {
        let begin = Instant::now();
        let mut upload = Upload { was_used: true, ..upload(begin) };
        for second in 1..=60 {
            assert_eq!(upload.stands(begin + Duration::from_secs(second), true), None);
        }
        assert_eq!(upload.stands(begin + Duration::from_secs(63), false), None);
        assert_eq!(upload.stands(begin + Duration::from_secs(64), false), Some(PATIENCE));
    }
}

//! The check of a service against its releases.

use std::fmt;

use super::accepted::{Accepted, Date};
use super::change::{Change, Order};
use super::compare::compare;
use super::snapshot::Snapshot;

/// A snapshot that was released, and what it is called.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "a release is these two")]
pub struct Release {
    /// What it is called: the name of its file.
    pub name: String,
    /// The service as it was then.
    pub snapshot: Snapshot,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// What has changed, and since which releases.
    pub changes: Vec<Judged>,
    /// What is wrong with the lines that accept breaks.
    pub stale: Vec<String>,
}

/// A change, since which releases it is one, and whether somebody accepted it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Judged {
    /// The change.
    pub change: Change,
    /// The releases that it is one from.
    pub since: Vec<String>,
    /// Until when it is accepted, and why.
    pub accepted: Option<(Date, String)>,
}

/// Compares a service with each of its releases. `accepting` has the lines that accept breaks; they hold on the day `today`.
#[must_use]
pub fn check(new: &Snapshot, releases: &[Release], accepting: &Snapshot, today: Date) -> Report {
    let mut report = Report::default();
    for release in releases {
        for change in compare(&release.snapshot, new) {
            let is_same = |known: &&mut Judged| known.change.is_same(&change);
            match report.changes.iter_mut().find(is_same) {
                Some(known) => known.since.push(release.name.clone()),
                None => report.changes.push(Judged { change, since: vec![release.name.clone()], accepted: None }),
            }
        }
    }
    for accepted in &accepting.accepted {
        report.accept(accepted, today);
    }
    report
}

impl Report {
    fn accept(&mut self, accepted: &Accepted, today: Date) {
        let is_meant = |judged: &&mut Judged| judged.change.order == Order::Breaking && judged.change.is_of(accepted);
        let Some(judged) = self.changes.iter_mut().find(is_meant) else {
            self.stale.push(format!("no break is what this line accepts, so take it out:\n  {accepted}"));
            return;
        };
        if accepted.until < today {
            let until = accepted.until;
            self.stale.push(format!("this line held until {until}: renew it, or take back the break\n  {accepted}"));
            return;
        }
        judged.accepted = Some((accepted.until, accepted.because.clone()));
    }

    /// The changes that break, and that nobody accepted.
    pub fn breaks(&self) -> impl Iterator<Item = &Judged> {
        self.changes.iter().filter(|judged| judged.change.order == Order::Breaking && judged.accepted.is_none())
    }

    /// Whether nothing breaks that nobody accepted.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.stale.is_empty() && self.breaks().next().is_none()
    }

    /// In which order the ends may be upgraded, what was accepted left out.
    #[must_use]
    pub fn order(&self) -> Order {
        let counting = self.changes.iter().filter(|judged| judged.accepted.is_none());
        counting.fold(Order::Any, |order, judged| order.and(judged.change.order))
    }
}

impl Change {
    /// Whether it is the same change, from another release.
    fn is_same(&self, other: &Self) -> bool {
        let of = |change: &Self| (change.code, change.order);
        of(self) == of(other) && (&self.place, &self.before, &self.after) == (&other.place, &other.before, &other.after)
    }

    fn is_of(&self, accepted: &Accepted) -> bool {
        let Accepted { code, place, before, after, .. } = accepted;
        self.code == *code && (&self.place, &self.before, &self.after) == (place, before, after)
    }

    /// The line of a snapshot that accepts this change.
    #[must_use]
    pub fn accepting(&self, until: Date, because: &str) -> String {
        let (place, before, after) = (self.place.clone(), self.before.clone(), self.after.clone());
        Accepted { code: self.code, place, before, after, until, because: because.to_owned() }.to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Judged { change, since, accepted } in &self.changes {
            writeln!(f, "{change}")?;
            writeln!(f, "  since: {}", since.join(", "))?;
            if let Some((until, because)) = accepted {
                writeln!(f, "  accepted until {until}: {because}")?;
            }
        }
        for stale in &self.stale {
            writeln!(f, "{stale}")?;
        }
        match self.changes.is_empty() {
            true => f.write_str("nothing has changed"),
            false => write!(f, "all together: {}", self.order()),
        }
    }
}

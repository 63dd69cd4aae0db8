//! How long anything may take before it counts as hung, so that one contender that hangs does not stop a run.
//!
//! A timer of the runtime's would be simpler, but a runtime with a timer asks the system for the time whenever it waits, and
//! those contenders that set none would seem slower than they are. So a thread looks at the clock, once a second.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::{Child, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::contender::Fault;

/// How long a batch may take, which is made to take a tenth of a second, or connecting, or a server until it says its address.
pub(crate) const BATCH: Duration = Duration::from_secs(60);
/// How long a process may take that measures memory, with its thousands of connections.
pub(crate) const PROCESS: Duration = Duration::from_secs(300);
/// How long after that the whole run is given up, where the task that hangs does not even let go of its thread.
const GRACE: Duration = Duration::from_secs(30);
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Something that must be done by then.
struct Alarm {
    who: String,
    due: Instant,
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// All that are set.
static ALARMS: Mutex<Vec<Arc<Alarm>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alarm {
    fn new(who: &str, due: Instant) -> Arc<Self> {
        Arc::new(Self { who: who.to_owned(), due, rung: AtomicBool::new(false), waker: Mutex::new(None) })
    }

    /// Rings if it is time. Fails if it rang long ago and nobody heard it.
    fn look(&self, now: Instant) -> Result<(), ()> {
        if now >= self.due + GRACE {
            return Err(());
        }
        if now >= self.due && !self.rung.swap(true, Ordering::Relaxed) {
            // Taken out first, so that no lock is held while the waker runs.
            let waker = lock(&self.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        Ok(())
    }
}

/// Unsets the alarm when the work is over, however it ends.
struct Armed(Arc<Alarm>);

impl Armed {
    fn set(who: &str, patience: Duration) -> Self {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| drop(thread::spawn(watch)));
        let alarm = Alarm::new(who, Instant::now() + patience);
        lock(&ALARMS).push(alarm.clone());
        Self(alarm)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        lock(&ALARMS).retain(|alarm| !Arc::ptr_eq(alarm, &self.0));
    }
}

/// The thread that looks at the clock.
fn watch() {
    loop {
        thread::sleep(LOOK);
        let alarms = lock(&ALARMS).clone();
        for alarm in alarms {
            if alarm.look(Instant::now()).is_err() {
                eprintln!("{} hangs and does not let go of its thread: the run ends here", alarm.who);
                std::process::exit(1);
            }
        }
    }
}

/// Runs the work, but not for longer than [`BATCH`]; `who` it is, is said if it cannot be stopped.
pub(crate) fn block_on<T>(
    runtime: &Runtime,
    who: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let armed = Armed::set(who, BATCH);
    runtime.block_on(until(&armed.0, work))
}

/// The work, or a fault where the alarm rings first.
async fn until<T>(alarm: &Alarm, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let mut work = pin!(work);
    let mut known = false;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        // One task polls this, and its waker stays the same; so a wake costs next to nothing.
        if !known {
            known = true;
            *lock(&alarm.waker) = Some(cx.waker().clone());
        }
        match alarm.rung.load(Ordering::Relaxed) {
            true => Poll::Ready(Err(format!("hangs: not done after {} s", BATCH.as_secs()).into())),
            false => Poll::Pending,
        }
    })
    .await
}

/// What `read` makes of the output of a process; the process is killed if that takes longer than `patience`.
pub(crate) fn read<T: Send + 'static>(
    process: &mut Child,
    patience: Duration,
    read: impl FnOnce(ChildStdout) -> std::io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let output = process.stdout.take().ok_or("no standard output")?;
    let (said, heard) = mpsc::channel();
    thread::spawn(move || said.send(read(output)));
    match heard.recv_timeout(patience) {
        Ok(said) => Ok(said?),
        Err(_) => {
            process.kill()?;
            process.wait()?;
            Err(format!("hangs: said nothing for {} s", patience.as_secs()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::lane::runtime;

    #[test]
    fn what_hangs_is_left_when_the_alarm_rings() {
        let due = Instant::now() + Duration::from_secs(3600);
        let alarm = Alarm::new("nobody", due);
        let (one, ringer) = (runtime(1).unwrap(), alarm.clone());
        let done = one.block_on(async {
            tokio::spawn(async move {
                ringer.look(due - Duration::from_nanos(1)).unwrap();
                assert!(!ringer.rung.load(Ordering::Relaxed));
                ringer.look(due).unwrap();
            });
            until(&alarm, std::future::pending::<Result<(), Fault>>()).await
        });
        assert!(done.unwrap_err().to_string().contains("hangs"));
        assert!(alarm.look(due + GRACE).is_err());
    }

    #[test]
    fn what_is_done_is_not_disturbed() {
        let one = runtime(1).unwrap();
        let work = async {
            tokio::task::yield_now().await;
            Ok(7)
        };
        assert_eq!(block_on(&one, "somebody", work).unwrap(), 7);
        assert!(lock(&ALARMS).iter().all(|alarm| alarm.who != "somebody"));
    }

    #[test]
    fn a_process_that_says_nothing_is_killed() {
        let mut process = Command::new("sleep").arg("3600").stdout(Stdio::piped()).spawn().unwrap();
        let text = read(&mut process, Duration::from_millis(1), std::io::read_to_string);
        assert!(text.unwrap_err().to_string().contains("hangs"));
        assert!(process.try_wait().unwrap().is_some());
        let mut process = Command::new("echo").arg("here").stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(read(&mut process, BATCH, std::io::read_to_string).unwrap(), "here\n");
        process.wait().unwrap();
    }
}

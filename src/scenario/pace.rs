//! The time of a recording: virtual, in step with real time.
//!
//! Knows: that virtual time moves on only when nothing is left to do, however long that took. So a
//! stall of this machine takes none of it, and at each of its moments the same is due as will be in a
//! replay. Does not know: replies. Shown by: `tests/replay.rs`.

use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

/// A moment: as finely as timers count.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// So much real time is caught up with. Whatever else passed while this machine did not run never was.
const MAX_LAG: Duration = Duration::from_millis(15);

/// Lets a paused clock go no faster than the real one, until this is dropped.
pub struct Pace(JoinHandle<()>);

impl Pace {
    /// Begins now, on the runtime that this is called in. Its clock must be paused.
    pub fn begin() -> Pace {
        Pace(tokio::spawn(keep_step()))
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_step() {
    let mut due = Instant::now();
    loop {
        let now = Instant::now();
        due = (due + TICK).max(now.checked_sub(MAX_LAG).unwrap_or(now));
        let next = sleep(TICK);
        match due.saturating_duration_since(now) {
            Duration::ZERO => next.await,
            // While something blocks, a paused clock stands still, and what arrives is heard at once.
            // Afterwards it goes on to the next timer, which is `next` or one before it.
            early => _ = tokio::join!(biased; next, spawn_blocking(move || std::thread::sleep(early))),
        }
    }
}

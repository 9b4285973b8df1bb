//! Replies one at a time.
//!
//! Knows: when a scripted reply comes; and in recordings that say in which order replies came, but not
//! when, that what one leads to has happened before the next one comes, although timers count in
//! milliseconds and real replies often take less. Does not know: replies.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::pace::TICK;
use crate::world::lock;

/// Who comes when.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// One came, or nobody waits for it any more.
    came: Notify,
}

#[derive(Default)]
struct State {
    last: Option<Instant>,
    under_way: BTreeSet<u32>,
}

impl State {
    /// When the next may come.
    fn free_at(&self) -> Option<Instant> {
        self.last.map(|last| last + TICK)
    }
}

/// A turn that is waited for. Dropped: it came, or nobody waits any more.
struct UnderWay<'a>(&'a Turns, u32);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).under_way.remove(&self.1);
        self.0.came.notify_waiters();
    }
}

impl Turns {
    /// Waits until a reply that takes `after` comes; `turn`: after those under way with a lower one.
    pub(super) async fn wait(&self, after: Duration, turn: Option<u32>) {
        let Some(turn) = turn else {
            // In two steps, as it was recorded: of timers that go off at one moment, the one set last is
            // heard last.
            sleep(after.saturating_sub(TICK)).await;
            return sleep(after.min(TICK)).await;
        };
        lock(&self.state).under_way.insert(turn);
        let _until_it_came = UnderWay(self, turn);
        sleep(after.max(TICK)).await;
        loop {
            let came = self.came.notified();
            let free_at = {
                let mut state = lock(&self.state);
                let now = Instant::now();
                match state.free_at().filter(|free_at| *free_at > now) {
                    _ if state.under_way.first().is_some_and(|first| *first < turn) => None,
                    Some(free_at) => Some(free_at),
                    None => {
                        state.last = Some(now);
                        return;
                    }
                }
            };
            match free_at {
                Some(free_at) => sleep_until(free_at).await,
                None => came.await,
            }
        }
    }
}

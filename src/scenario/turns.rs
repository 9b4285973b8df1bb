//! Replies one at a time.
//!
//! Knows: that what a reply leads to has happened before the next one comes. While a question is
//! recorded this makes an order, and while it is played the same order again, although timers count
//! in milliseconds and real replies often take less. Does not know: replies.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::lock;

/// Between two replies, and between a question and its reply: as finely as timers count.
const TICK: Duration = Duration::from_millis(1);

/// Who comes when.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// One came, or nobody waits for it any more.
    came: Notify,
}

#[derive(Default)]
struct State {
    next: u32,
    last: Option<Instant>,
    under_way: BTreeSet<u32>,
}

impl State {
    /// The next turn is taken.
    fn give(&mut self, now: Instant) -> u32 {
        let turn = self.next;
        self.next = turn.saturating_add(1);
        self.last = Some(now);
        turn
    }

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
    /// The turn of a reply that is handed on now, whenever the last one was.
    pub(super) fn take_at_once(&self) -> u32 {
        lock(&self.state).give(Instant::now())
    }

    /// The turn of a reply that has come to a question sent at `sent`, when it may be handed on.
    pub(super) async fn take(&self, sent: Instant) -> u32 {
        sleep_until(sent + TICK).await;
        loop {
            let free_at = {
                let mut state = lock(&self.state);
                let now = Instant::now();
                match state.free_at().filter(|free_at| *free_at > now) {
                    Some(free_at) => free_at,
                    None => return state.give(now),
                }
            };
            sleep_until(free_at).await;
        }
    }

    /// Waits until a reply that takes `after` comes; `turn`: after those under way with a lower one.
    pub(super) async fn wait(&self, after: Duration, turn: Option<u32>) {
        let Some(turn) = turn else { return sleep(after).await };
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

//! When a worker lets other threads run before it sleeps.
//!
//! A worker that has answered a rush and then sleeps is woken by the first datagram that comes, takes the
//! core from the client that is about to send more, answers that one, and sleeps again. One that lets the
//! client run first finds more at once, and neither sleeps nor is woken (docs/decisions/0015). Where
//! others want the core for work of their own, it would wait for them; so it does that only once in a
//! while.
//!
//! Knows: times. Does not know: sockets. Shown by: the test below.

use std::time::Duration;

use tokio::time::Instant;

/// Whoever was away so long waited for threads that have work of their own: Linux lets each of them run
/// for 3 to 4 ms at a time, and a client that fills its window needs less.
const TOO_LONG: Duration = Duration::from_millis(5);

/// How long a worker lets nobody run after that.
const PAUSE: Duration = Duration::from_secs(1);

/// One listener's turns on the core.
#[derive(Default)]
pub struct Turns {
    /// Nobody is let run before.
    not_before: Option<Instant>,
}

impl Turns {
    /// May others run before the worker sleeps?
    pub fn may_be_given(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }

    /// Others ran from `from` on; it is `now`.
    pub fn given(&mut self, from: Instant, now: Instant) {
        self.not_before = (now.saturating_duration_since(from) >= TOO_LONG).then(|| now + PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_MOMENT: Duration = Duration::from_micros(1);

    #[test]
    fn not_to_those_who_keep_the_core_long() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        assert!(turns.may_be_given(start));
        turns.given(start, start + TOO_LONG - A_MOMENT);
        assert!(turns.may_be_given(start + TOO_LONG));
        turns.given(start, start + TOO_LONG);
        assert!(!turns.may_be_given(start + TOO_LONG + PAUSE - A_MOMENT));
        assert!(turns.may_be_given(start + TOO_LONG + PAUSE));
    }
}
